"""A file looked at by columns gives the rows and the reasons that its rows give one by one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from mlops_dash.domain import scoring as rules
from mlops_dash.domain.class_probabilities import column_of, kept
from mlops_dash.domain.schema import VersionSchema
from mlops_dash.domain.tasks import task_named
from mlops_dash.domain.tasks.task import ModelTask
from mlops_dash.services.scoring.columnwise import Columnwise, Intake, Sifted
from mlops_dash.services.scoring.files import FileRows

NOW = datetime(2026, 6, 1, tzinfo=UTC)
CLASSES = ("cat", "it's a dog", "牛")
TASKS = {
    "binary": task_named("binary"),
    "regression": task_named("regression"),
    "classes": task_named("multiclass", class_names=CLASSES),
}
SCHEMA = VersionSchema("7", {"wind": "numeric", 'driver\'s "car"': "category"}, "the reference")
CELLS: list[Any] = [
    "gold", "NA", "", "牛", None, True, False, 1, 1.0, 0, -0.0, 2.5, float("nan"), float("inf"), 1e300, 10**400,
    -(10**90), pd.NaT, pd.Timestamp("2026-01-01"), np.float32(0.1), np.int64(3), np.bool_(True), [1], {"a": 1}, (2,),
]  # fmt: skip
TIMES = ["2026-03-01", "2026-03-01", "2026-03-02 07:00:00.000001", "1970-01-01", "2150-01-01"]


def intake(task: ModelTask, *, do_not_log: Sequence[str] = (), schemas: Sequence[VersionSchema] = (SCHEMA,)) -> Intake:
    return Intake('Sally\'s "gold"', "7", "gold-7", task, tuple(do_not_log), tuple(schemas), False, NOW)


def one_by_one(into: Intake, rows: FileRows) -> tuple[dict[int, tuple[str, str]], list[tuple[int, str, float]]]:
    """Reason by number of the row, and (time, features, score) of the others: by `domain.scoring` alone."""
    numbers = rows.roles["number"].tolist()
    reasons: dict[int, tuple[str, str]] = {}
    seen: set[str] = set()
    for name, number in zip(rows.roles["id"], numbers, strict=True):
        if name and name in seen:
            reasons[number] = ("id", "occurs twice in the file")
        seen.add(name)
    fit, broken = rules.sift_predictions(
        rows.objects(into.version, into.task), now=into.now, task=into.task, do_not_log=into.do_not_log,
        schemas=lambda _versions: into.schemas,
    )  # fmt: skip
    reasons |= {numbers[one.row]: (one.column, one.reason) for one in broken}
    for number, label in zip(numbers, rows.roles["label"].tolist(), strict=True):
        if label == label and (why := into.task.why_no_label(label)):
            reasons.setdefault(number, ("label", why))
    kept_rows = [(place, one) for place, one in fit if numbers[place] not in reasons]
    return reasons, [(int(one.at.timestamp() * 1_000_000), one.features, one.score) for _, one in kept_rows]


def by_columns(into: Intake, rows: FileRows, size: int) -> list[Sifted]:
    columns = Columnwise(into, rows)
    total = len(rows.roles)
    return [columns.part(first, min(first + size, total)) for first in range(0, total, size)]


@some.composite
def files(draw: some.DrawFn) -> tuple[str, FileRows]:
    task = draw(some.sampled_from(sorted(TASKS)))
    n = draw(some.integers(1, 9))
    cells = some.lists(some.sampled_from(CELLS), min_size=n, max_size=n)
    answers = [0.0, 1.0, 0.25, 2.0, 37.5, float("nan")]
    names = draw(some.sampled_from([["wind", 'driver\'s "car"'], ["wind", "50 %"], ["other"], ["wind"]]))
    plain = some.one_of(
        some.lists(some.floats(), min_size=n, max_size=n),
        some.lists(some.integers(-3, 3), min_size=n, max_size=n),
        some.lists(some.booleans(), min_size=n, max_size=n),
    )
    features = {}
    for name in names:
        wild = draw(some.booleans())
        features[name] = pd.Series(draw(cells), dtype=object) if wild else pd.Series(draw(plain))
    times = [pd.Timestamp(one, tz="UTC") for one in sorted(draw(some.lists(some.sampled_from(TIMES), min_size=n,
                                                                           max_size=n)))]  # fmt: skip
    ids = some.sampled_from(["a", "b", "c", "x" * 201, "bell\a"])
    roles = pd.DataFrame(
        {
            "number": draw(some.permutations(range(n))),
            "at": pd.Series(times).dt.floor("us"),
            "label_at": pd.Series(times).dt.floor("us"),
            "id": draw(some.one_of(some.just([""] * n), some.lists(ids, min_size=n, max_size=n))),
            "score": draw(some.lists(some.sampled_from(answers), min_size=n, max_size=n)),
            "label": draw(some.lists(some.sampled_from(answers), min_size=n, max_size=n)),
        }
    )
    return task, FileRows(roles, pd.DataFrame(features), rows=n)


@settings(max_examples=400, deadline=None)
@given(files(), some.sampled_from([1, 3, 20]), some.sampled_from([(), ("wind",), ("wind", "other")]))
def test_the_same_rows_are_kept_and_the_same_reasons_said(
    made: tuple[str, FileRows], size: int, do_not_log: tuple[str, ...]
) -> None:
    task, rows = made
    into = intake(TASKS[task], do_not_log=do_not_log)
    reasons, stored = one_by_one(into, rows)

    parts = by_columns(into, rows, size)

    assert {one.row: (one.column, one.reason) for part in parts for one in part.unfit} == reasons
    predictions = [one for part in parts for one in part.pending.predictions]
    scores = [one for part in parts for one in part.pending.scores]
    assert [(p.at_us, p.features, s.score) for p, s in zip(predictions, scores, strict=True)] == stored
    labels = {one.prediction_id: one.value for part in parts for one in part.pending.labels}
    label_of = dict(zip(rows.roles["number"].tolist(), rows.roles["label"].tolist(), strict=True))
    numbers = [number for part in parts for number in part.numbers]
    expected = [label_of[number] for number in numbers]
    assert [labels.get(one.prediction_id, "none") for one in predictions] == [
        "none" if value != value else value for value in expected
    ]


def table(n: int) -> FileRows:
    at = pd.Series(pd.date_range("2026-03-01", periods=n, freq="min", tz="UTC")).dt.floor("us")
    roles = pd.DataFrame({"number": range(n), "at": at, "label_at": at, "id": "", "score": 1.0, "label": np.nan})
    return FileRows(roles, pd.DataFrame({"wind": np.arange(float(n)), 'driver\'s "car"': "van"}), rows=n)


def test_rows_without_a_doubt_are_looked_at_by_no_other_door(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "sift_predictions", None)
    part = by_columns(intake(TASKS["regression"]), table(50), 50)[0]
    assert len(part.pending.predictions) == 50
    assert part.pending.predictions[3].features == '{"driver\'s \\"car\\"":"van","wind":3}'


def test_equal_rows_of_one_time_are_rows_of_their_own_in_parts_of_any_size() -> None:
    rows = table(6)
    rows = FileRows(rows.roles.assign(at=rows.roles["at"].iloc[0]), rows.features.assign(wind=1.0), rows=6)
    names = [
        [one.prediction_id for part in by_columns(intake(TASKS["regression"]), rows, size)
         for one in part.pending.predictions]
        for size in (1, 4, 6)
    ]  # fmt: skip
    assert len(set(names[0])) == 6
    assert names[0] == names[1] == names[2]


def test_probabilities_of_all_classes_go_with_their_rows() -> None:
    rows = table(3)
    p = pd.DataFrame([[0.5, 0.25, 0.25], [np.nan] * 3, [0.0, 0.0, 1.0]], columns=[column_of(one) for one in CLASSES])
    rows = FileRows(rows.roles.assign(score=[0.0, 1.0, 2.0]), rows.features, rows=3, probabilities=p)
    part = by_columns(intake(TASKS["classes"]), rows, 5)[0]
    assert [one.probabilities for one in part.pending.scores] == [kept([0.5, 0.25, 0.25]), None, kept([0.0, 0.0, 1.0])]


def test_what_the_log_knows_as_another_row_is_taken_out_with_its_label() -> None:
    rows = table(3)
    rows = FileRows(rows.roles.assign(id=["a", "b", "c"], label=1.0, number=[7, 8, 9]), rows.features, rows=3)
    part = by_columns(intake(TASKS["regression"]), rows, 5)[0].without({"b": "is known with another time"})
    assert part.pending.prediction_ids == ("a", "c")
    assert [one.prediction_id for one in part.pending.labels] == ["a", "c"]
    assert [one.prediction_id for one in part.pending.scores] == ["a", "c"]
    assert (part.numbers, part.unfit[0].row, part.unfit[0].reason) == ((7, 9), 8, "is known with another time")
