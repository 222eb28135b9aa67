"""What a task must provide, shown on a third one that only this test knows: three classes, one with a blank in it."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest

import mlops_dash.domain.tasks as tasks
from mlops_dash.domain.evidence import Direction
from mlops_dash.domain.monitoring.judging import harm_baseline, judge_health
from mlops_dash.domain.monitoring.readings import Estimate
from mlops_dash.domain.policies import MonitoringPolicy, PolicyKind, default_policy
from mlops_dash.domain.tasks import BINARY, CHARTED, METRICS, TASKS, task_named
from mlops_dash.domain.tasks.kept_rows import CLASS_ROWS
from mlops_dash.domain.tasks.summaries import Summary
from mlops_dash.domain.tasks.task import Charted, Metric, ModelTask, Standards, Watch
from mlops_dash.domain.words import Health
from mlops_dash.errors import BrokenModel, InvalidInput
from mlops_dash.services.monitoring.measuring import measure, units_of
from mlops_dash.stats.arrays import ArrayLike, Floats, Ints
from mlops_dash.stats.moments import Moments, moments_by
from mlops_dash.stats.performance import MetricEstimate, cluster_estimate
from mlops_dash.stats.sequential import HarmUnit, loss_units
from mlops_dash.store.monitoring.parts import count_rows, layout_of, pack, total, unpack

COLOURS = ("red", "green", "dark blue")
WRONG = Watch("wrong", "Share of wrong colours", higher=False, harm=True)


@dataclass(frozen=True, eq=False)
class Colours(Summary):
    """How often each colour was said of each, and the moments of being wrong."""

    table: Ints
    wrong: Moments

    @property
    def n(self) -> int:
        return int(self.table.sum())

    def __add__(self, other: Summary) -> Colours:
        assert isinstance(other, Colours)
        return Colours(self.table + other.table, self.wrong + other.wrong)

    def numbers(self) -> tuple[float, ...]:
        return (self.wrong.n, self.wrong.mean, self.wrong.m2, self.wrong.m3)

    def counts(self) -> Ints:
        return self.table.ravel()


class OneOfThree(ModelTask):
    """Scores and labels are places in `COLOURS`."""

    name = "one-of-three"
    title = "Three colours"
    metrics = (Metric("wrong", "Share of wrong colours", Direction.LOWER),)
    paired = ("wrong",)
    of_reference = ("wrong",)
    watches = (WRONG,)
    charted = (Charted("wrong", "Share of wrong colours"), Charted("dark", "Share of dark blue", is_share=True))
    label_metric = "dark"
    standards = Standards("wrong", "wrong", 0.0, floor_metric="", floor=0.0, watched="wrong")
    kept_rows = CLASS_ROWS
    policy_name = "default-one-of-three"
    has_base_rate = False
    ab_losses = ()

    def score_column(self, classes: Sequence[Any], positive_label: str) -> int | None:
        return None

    def why_no_label(self, value: float) -> str:
        return "" if value in range(len(COLOURS)) else f"the label of this model is one of {', '.join(COLOURS)}"

    def scale_of(
        self, scores: Floats, labels: Floats, probabilities: Floats | None = None, *, clip: float
    ) -> dict[str, Any]:
        return {"classes": list(COLOURS)}

    def empty(self, scale: Mapping[str, Any]) -> Colours:
        n = len(scale["classes"])
        return Colours(np.zeros((n, n), dtype=np.int64), Moments.empty())

    def count(
        self, scale: Mapping[str, Any], labels: Floats, scores: Floats, groups: Ints, *, n_groups: int, clip: float,
        probabilities: Floats | None = None,
    ) -> tuple[Colours, ...]:  # fmt: skip
        n = len(scale["classes"])
        cell = (groups * n + labels.astype(np.int64)) * n + scores.astype(np.int64)
        tables = np.bincount(cell, minlength=n_groups * n * n).reshape(n_groups, n, n)
        wrong = moments_by((labels != scores).astype(float), groups, n_groups=n_groups)
        return tuple(Colours(tables[i], wrong[i]) for i in range(n_groups))

    def restore(self, scale: Mapping[str, Any], numbers: Sequence[float], counts: Ints) -> Colours:
        n = len(scale["classes"])
        return Colours(counts.reshape(n, n), Moments(int(numbers[0]), *numbers[1:]))

    def measure(self, days: Sequence[Summary], *, prior: float, level: float) -> dict[str, MetricEstimate]:
        of = [day for day in days if isinstance(day, Colours) and day.n]
        sums = {
            "wrong": [[day.wrong.sum, day.n] for day in of],
            "dark": [[float(day.table[2].sum()), day.n] for day in of],
        }
        return {
            name: cluster_estimate(
                np.asarray(rows, dtype=float).reshape(-1, 2), lambda s: s[..., 0] / s[..., 1],
                n=sum(day.n for day in of), level=level, unit="days",
            )
            for name, rows in sums.items()
        }  # fmt: skip

    def units(self, watch: Watch, days: Sequence[Summary], *, prior: float, min_labels: int) -> tuple[HarmUnit, ...]:
        return loss_units([day.wrong for day in days if isinstance(day, Colours)], min_labels=min_labels)

    def measure_rows(
        self, labels: Floats, scores: Floats, days: ArrayLike, *, prior: float, level: float
    ) -> dict[str, MetricEstimate]:
        raise NotImplementedError

    row_loss = "error rate"

    def row_losses(self, labels: Floats, scores: Floats) -> Floats:
        return np.asarray(labels != scores, dtype=np.float64)

    def label_sentence(self, over: Callable[[str], Estimate | None], *, usual: float, unit: str) -> str:
        dark = over("dark")
        return "" if dark is None or dark.value is None else f"{dark.value:.0%} of labels are dark blue."


THIRD = OneOfThree()


def rows(n: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    label = rng.integers(0, 3, n).astype(float)
    said = np.where(rng.random(n) < 0.8, label, rng.integers(0, 3, n))
    frame = pd.DataFrame({"shade": rng.choice(COLOURS, n).astype(object), "score": said, "label": label})
    frame.loc[frame.index[::10], "label"] = np.nan
    return frame


# --- a third task ---------------------------------------------------------------------------------------------------


def test_a_third_task_is_counted_packed_and_added_without_a_change_to_the_store() -> None:
    layout, _ = layout_of(rows(2_000, 1), features=["shade"], clip=4.6, task=THIRD)
    frame = rows(900, 2)
    parts = count_rows(layout, frame, np.arange(900, dtype=np.int64) % 30, 30)
    back = [unpack(layout, pack(part)) for part in parts]
    for part, again in zip(parts, back, strict=True):
        assert again.labelled.numbers() == part.labelled.numbers()
        assert (again.labelled.counts() == part.labelled.counts()).all()
        assert (again.counts == part.counts).all()
    whole, known = total(layout, back), frame.dropna()
    assert (whole.n, whole.n_labelled) == (900, len(known))
    expected = pd.crosstab(known["label"], known["score"]).to_numpy()
    assert (whole.labelled.counts().reshape(3, 3) == expected).all()
    assert layout.to_dict()["classes"] == ["red", "green", "dark blue"]


def test_a_third_task_is_measured_and_its_harm_judged_without_a_change_to_monitoring() -> None:
    layout, _ = layout_of(rows(2_000, 1), features=["shade"], clip=4.6, task=THIRD)
    frame = rows(6_000, 3)
    days = count_rows(layout, frame, np.arange(6_000, dtype=np.int64) % 60, 60)
    known = frame.dropna()
    estimates = measure(THIRD, days, prior=1.0)
    assert estimates["wrong"].value == pytest.approx((known["label"] != known["score"]).mean(), rel=1e-6)
    units = units_of(THIRD, WRONG, days, prior=1.0, min_labels=50)
    normal = harm_baseline(MonitoringPolicy(), THIRD, WRONG, units)
    assert normal.alpha == MonitoringPolicy().alpha  # its one watch of harm shares with nobody
    assert normal.bound == pytest.approx(1.05 * normal.mean, rel=0.2)
    judged = judge_health(THIRD, harm={}, trailing={}, references={"wrong": normal}, inputs_moved=(), broken=())
    assert judged.health is Health.NOT_KNOWN
    assert THIRD.label_sentence(estimates.get, usual=0.3, unit="").endswith("of labels are dark blue.")


def test_a_third_task_brings_its_own_default_policies() -> None:
    default = default_policy("paint", PolicyKind.MONITORING, THIRD)
    assert (default.id, default.body["primary"]) == ("default-one-of-three-monitoring", "wrong")
    promotion = default_policy("paint", PolicyKind.PROMOTION, THIRD)
    assert (promotion.body["primary"], promotion.body["floor_metric"]) == ("wrong", "")
    assert promotion.active_from == datetime(1970, 1, 1, tzinfo=UTC)


def test_days_of_another_task_are_refused_not_left_out() -> None:
    layout, _ = layout_of(rows(2_000, 1), features=["shade"], clip=4.6, task=THIRD)
    part = count_rows(layout, rows(50, 4), np.zeros(50, dtype=np.int64), 1)[0]
    with pytest.raises(InvalidInput, match="1 of 1 days were counted for another task"):
        measure(BINARY, [part], prior=0.5)
    with pytest.raises(InvalidInput, match="its reference"):
        unpack(replace(layout, task=BINARY, scale={"edges": [0.5]}), pack(part))


# --- the contract ----------------------------------------------------------------------------------------------------


def provided() -> set[str]:
    """Everything that `ModelTask` asks for: its words, and its abstract methods."""
    return set(inspect.get_annotations(ModelTask)) | set(ModelTask.__abstractmethods__)


def test_the_docstring_lists_exactly_what_a_task_must_provide() -> None:
    listed = re.search(r"provides:\n(.*?)\n\nStatistics", tasks.__doc__ or "", re.DOTALL)
    assert listed is not None
    text = re.sub(r", and its own `Summary`.*", "", listed[1])
    points = [point.split(":")[1] for point in text.split("\n- ")[1:]]
    names = {name for point in points for name in re.findall(r"[a-z_]+", point)}
    assert names == provided()
    assert {"n", "numbers", "counts", "__add__"} == set(Summary.__abstractmethods__)


OF_A_MODEL = [task_named(task.name, ["cat", "dog", 'it\'s "both"'] * task.in_words) for task in TASKS]


@pytest.mark.parametrize("task", [*OF_A_MODEL, THIRD], ids=lambda task: task.name)
def test_every_task_provides_all_of_it_and_is_consistent_in_itself(task: ModelTask) -> None:
    assert {name for name in provided() if not hasattr(task, name)} == set()
    own = {metric.key for metric in task.metrics}
    assert set(task.paired) <= own
    assert set(task.of_reference) <= own
    standards = task.standards
    assert {standards.primary, standards.guardrail} <= set(task.paired)
    assert standards.floor_metric in {"", *task.paired}
    assert standards.watched in own
    assert {watch.key for watch in task.watches} <= {charted.key for charted in task.charted}
    assert task.harm_watches
    assert sum(task.alpha_of(watch, 0.05) for watch in task.harm_watches) == pytest.approx(0.05)
    assert task.of_labels in task.charted
    for watch in task.watches:
        charted = next(one for one in task.charted if one.key == watch.key)
        assert (charted.label, charted.higher, charted.decimals) == (watch.label, watch.higher, watch.decimals)
    assert set(task.charted) <= set(task.choices)
    zero_or_one = np.arange(50) % 2.0
    scale = task.scale_of(zero_or_one, zero_or_one, clip=4.6)
    assert task.of(scale).of(task.of(scale).facts) == task.of(scale)
    none = task.empty(scale)
    again = task.restore(scale, none.numbers(), none.counts())
    assert (again.n, again.numbers(), again.counts().tolist()) == (0, none.numbers(), none.counts().tolist())


def test_an_unknown_task_is_refused_with_the_names_of_the_known_ones() -> None:
    with pytest.raises(InvalidInput) as refused:
        task_named("ranking")
    assert "'ranking'" in refused.value.sentence()
    assert "binary, multiclass, regression" in refused.value.hint


def test_metrics_of_all_tasks_are_found_by_key_and_mean_the_same_in_each() -> None:
    for task in TASKS:
        assert all(METRICS[metric.key] == metric for metric in task.metrics)
        assert all(CHARTED[charted.key] == charted for charted in task.charted)


def test_the_score_of_a_classifier_is_the_column_of_its_positive_class() -> None:
    assert BINARY.score_column([False, True], "1") == 1
    assert BINARY.score_column(['it\'s "spam"', "ham"], 'it\'s "spam"') == 0
    assert BINARY.score_column([0.0, 1.0], "0") == 0
    with pytest.raises(BrokenModel, match="red, green, dark blue, not the positive label 'blue'"):
        BINARY.score_column(COLOURS, "blue")
