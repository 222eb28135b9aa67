"""A change of loss is split right where it is known why: other inputs, another relation, both, or neither."""

from __future__ import annotations

import numpy as np
import pytest

from mlops_dash.stats.loss_split import MIN_ROWS, LossSplit, loss_split

N = 3_000
DAYS = np.arange(N) // 100  # 30 of them a side


def world(rng: np.random.Generator, *, moved: float = 0.0, changed: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Inputs, and whether an answer is wrong: harder where the first input is large, `changed` more everywhere."""
    x = rng.normal(size=(N, 4))
    x[:, 0] += moved
    risk = 0.10 + 0.20 / (1.0 + np.exp(-2.0 * x[:, 0])) + changed
    return x, (rng.random(N) < risk).astype(float)


def split(seed: int, **change: float) -> LossSplit:
    rng = np.random.default_rng(seed)
    return loss_split(*world(rng), *world(rng, **change), days=(DAYS, DAYS))


def test_the_parts_add_up_to_the_change() -> None:
    found = split(1, moved=0.6, changed=0.1)
    assert found.reason == ""
    assert found.harder[0] + found.relation[0] + found.new[0] == pytest.approx(found.change, abs=1e-9)
    assert found == split(1, moved=0.6, changed=0.1)


def test_another_relation_is_named_and_other_inputs_are_told_apart_from_it() -> None:
    relation = split(2, changed=0.10)
    assert relation.relation[0] == pytest.approx(0.10, abs=0.03)
    assert relation.sure[1]
    assert not relation.sure[0]
    inputs = split(3, moved=1.0)
    assert not inputs.sure[1]
    assert abs(inputs.relation[0]) < 0.03
    assert inputs.harder[0] + inputs.new[0] == pytest.approx(inputs.change, abs=0.03)
    assert inputs.harder[0] > 0


@pytest.mark.slow
def test_intervals_of_the_relation_cover_what_is_true() -> None:
    """Prints coverage and mean error of the middle term: nothing, inputs, relation, both."""
    table = {}
    for name, moved, changed in (("nothing", 0, 0), ("inputs", 0.7, 0), ("relation", 0, 0.1), ("both", 0.7, 0.1)):
        found = [split(100 + run, moved=moved, changed=changed) for run in range(12)]
        kept = [one for one in found if not one.reason]
        inside = np.mean([one.relation[1] <= changed <= one.relation[2] for one in kept])
        table[name] = (len(kept), float(inside), float(np.mean([one.relation[0] for one in kept]) - changed))
    print("\n" + "\n".join(f"{name}: {row}" for name, row in table.items()))
    assert all(kept >= 10 and inside >= 0.75 and abs(gap) < 0.012 for kept, inside, gap in table.values())


def test_what_cannot_be_told_is_refused_with_its_reason() -> None:
    far = split(4, moved=6.0)
    assert "too little in common" in far.reason
    assert np.isnan(far.relation[0])
    rng = np.random.default_rng(5)
    x, loss = world(rng)
    few = loss_split(x[:500], loss[:500], x, loss, days=(DAYS[:500], DAYS))
    assert few.reason == f"500 labelled rows on one side, {MIN_ROWS:,} are needed"
    short = loss_split(x, loss, x, loss, days=(DAYS, DAYS % 4))
    assert short.reason == "labelled rows of 4 days on one side, 5 days are needed"
    assert np.isnan(short.relation[0])


def test_days_that_differ_by_themselves_are_no_changed_relation() -> None:
    sure = []
    for run in range(6):
        rng = np.random.default_rng(200 + run)
        sides = []
        for _ in range(2):
            x, loss = world(rng)
            sides.append((x, loss + np.repeat(rng.normal(0.0, 0.3, 10), 300)))
        tens = np.arange(N) // 300
        found = loss_split(*sides[0], *sides[1], days=(tens, tens))
        half = (found.relation[2] - found.relation[1]) / 2
        assert half == pytest.approx(2.26 * 0.3 * np.sqrt(2 / 10), rel=0.6)
        sure.append(found.sure[1])
    assert sum(sure) <= 1
