"""Sums by DuckDB are those of the rows, whatever is missing and however far the numbers lie apart."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_dash.errors import InvalidInput
from mlops_dash.stats.pair_sums import PairSums
from mlops_dash.store.unit_tables.source import open_frame
from mlops_dash.store.unit_tables.sums import Columns, outcomes, sums_of, third_moment, units_of

SPEND, RATE, SHARE = Columns("y", covariate="x"), Columns("y", bottom="x"), Columns("bought")


def world(seed: int, n: int = 400) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame({
        "arm": rng.choice(["007", "None", 'b"q"'], n), "y": rng.gamma(2, 3, n), "x": rng.normal(50, 4, n),
        "bought": rng.integers(0, 2, n), "school": rng.integers(0, 25, n), "who": [f"u{at:04d}" for at in range(n)],
    })  # fmt: skip


def expected(rows: pd.DataFrame, one: Columns) -> PairSums:
    y = rows[one.top].to_numpy(dtype=float)
    z = rows[one.second].to_numpy(dtype=float) if one.second else np.full(y.size, np.nan)
    if one.bottom:
        y = np.where(np.isnan(z), np.nan, y)
    both = ~np.isnan(y) & ~np.isnan(z)
    a, b, y = y[both], z[both], y[~np.isnan(y)]
    n, mean, yy = y.size, y.mean(), ((y - y.mean()) ** 2).sum()
    if not one.second:
        return PairSums(n, mean, yy)
    return PairSums(
        n, mean, yy, a.size, a.mean(), b.mean(), ((b - b.mean()) ** 2).sum(), ((a - a.mean()) * (b - b.mean())).sum()
    )


def close(found: PairSums, wanted: PairSums) -> None:
    fields = PairSums.__dataclass_fields__
    assert [getattr(found, name) for name in fields] == pytest.approx(
        [getattr(wanted, name) for name in fields], rel=1e-8, abs=1e-9, nan_ok=True
    )


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.booleans(), st.sampled_from([0.0, 1e6]))
def test_sums_are_those_of_the_rows(seed: int, gaps: bool, away: float) -> None:
    frame = world(seed)
    frame["y"] += away
    if gaps:
        frame.loc[frame.index % 7 == 0, "y"] = np.nan
        frame.loc[frame.index % 11 == 0, "x"] = np.nan
    with open_frame(frame) as source:
        units = units_of(source, "arm", unit="", cluster="")
        found = sums_of(units, [SPEND, RATE, SHARE])
    assert units.arms == ("007", "None", 'b"q"')
    for one, sums in zip((SPEND, RATE, SHARE), found, strict=True):
        for arm, pair, missing in zip(units.arms, sums.pairs, sums.missing, strict=True):
            rows = frame[frame["arm"] == arm]
            close(pair, expected(rows, one))
            assert missing == len(rows) - pair.n
    assert [one.binary for one in found] == [False, False, True]


def test_what_only_the_first_rows_say_of_a_share_is_looked_at_again() -> None:
    frame = pd.DataFrame({"arm": ["a", "b"] * 1_000, "y": [0.0, 1.0] * 999 + [0.0, 0.5]})
    with open_frame(frame) as source:
        (found,) = sums_of(units_of(source, "arm", unit="", cluster=""), [Columns("y")])
    assert not found.binary


def test_equal_numbers_have_no_spread_at_all() -> None:
    frame = pd.DataFrame({"arm": ["a"] * 50 + ["b"] * 50, "y": [0.1] * 50 + [0.7] * 50})
    with open_frame(frame) as source:
        (found,) = sums_of(units_of(source, "arm", unit="", cluster=""), [Columns("y")])
    assert [pair.yy for pair in found.pairs] == [0.0, 0.0]


def test_clusters_come_in_the_order_of_their_names_with_zeros_where_they_have_no_rows() -> None:
    frame = world(3)
    frame.loc[frame["school"] == 4, "arm"] = "007"
    frame.loc[frame.index % 9 == 0, "y"] = np.nan
    with open_frame(frame) as source:
        units = units_of(source, "arm", unit="", cluster="school")
        (found,) = sums_of(units, [SPEND])
    held = found.clusters
    assert held is not None
    known = frame[frame["y"].notna()]
    for at, school in enumerate(sorted({str(one) for one in frame["school"]})):
        for place, arm in enumerate(units.arms):
            rows = known[(known["arm"] == arm) & (known["school"] == int(school))]
            assert [held.top[place, at], held.bottom[place, at], held.second[place, at]] == pytest.approx(
                [rows["y"].sum(), len(rows), rows["x"].sum()]
            )
    four = sorted({str(one) for one in frame["school"]}).index("4")
    assert held.held[:, four].tolist() == [True, False, False]


def test_units_in_two_arms_are_named_and_left_out_and_the_others_counted() -> None:
    frame = pd.concat([world(5), world(5)[:3].assign(arm="new")])
    with open_frame(frame) as source:
        units = units_of(source, "arm", unit="who", cluster="")
        (found,) = sums_of(units, [Columns("y")])
    assert units.warnings == ["3 units are in two arms (u0000, u0001, u0002): left out with all 6 rows."]
    assert units.drawn is not None
    assert sum(units.drawn) == sum(pair.n for pair in found.pairs) == 397


def test_a_third_moment_and_the_outcomes_of_an_arm() -> None:
    frame = world(8)
    with open_frame(frame) as source:
        units = units_of(source, "arm", unit="", cluster="")
        rows = frame[frame["arm"] == "None"]
        away = rows["y"] - 0.3 * (rows["x"] - 50)
        found = third_moment(units, SPEND, "None", centre=2.0, theta=0.3, second=50.0)
        assert found == pytest.approx(((away - 2.0) ** 3).sum())
        assert sorted(outcomes(units, Columns("y"), "None")) == sorted(rows["y"])


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"arm": ["a"] * 4, "who": list("wxyz")}, "There is 1 arm"),
        ({"arm": list("abab"), "who": list("wwxx")}, "Every unit is in two arms"),
        ({"arm": list("abab"), "who": ["w", None, "x", "y"]}, "no unit in 'who'"),
    ],
)
def test_tables_that_compare_nothing_are_refused(columns: dict[str, list[str]], said: str) -> None:
    with open_frame(pd.DataFrame(columns)) as source, pytest.raises(InvalidInput, match=said):
        units_of(source, "arm", unit="who", cluster="")
