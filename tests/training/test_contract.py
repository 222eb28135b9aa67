"""What a program is told, and every way in which what it leaves can be incomplete."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import pytest

from mlops_dash.errors import InvalidInput
from mlops_dash.training.contract import END_TAG, LeftRun, Request, Window, check, the_run

END = datetime(2026, 3, 1, tzinfo=UTC)
WINDOW = Window(END - timedelta(days=90), END, END + timedelta(days=7))
ASKED = Request(
    "http://127.0.0.1:5000", "handling", "handling-minutes", 'weekly "batch"', WINDOW, {"rounds": 3, "why": "it's"},
    "j1", 2, "home", 120.0,
)  # fmt: skip


def parquet(**columns: object) -> bytes:
    file = io.BytesIO()
    pd.DataFrame(columns).to_parquet(file, index=False)
    return file.getvalue()


PREDICTIONS = parquet(row_id=["a", "b"], label=[31.0, 12.5], score=[28.0, 14.0], depot=["north", "south"])
LEFT = LeftRun("r1", "FINISHED", "models:/m-1", {"mae": 2.2}, {}, PREDICTIONS, None)


def test_a_request_survives_the_environment() -> None:
    assert Request.of(ASKED.environment()) == ASKED


def test_an_environment_without_a_job_is_refused() -> None:
    told = {name: value for name, value in ASKED.environment().items() if not name.endswith("_JOB")}
    with pytest.raises(InvalidInput, match="MLOPS_DASH_RECIPE_JOB"):
        Request.of(told)


def test_a_complete_run_is_kept_with_its_slices() -> None:
    kept = check(LEFT, ASKED)
    assert kept.predictions["depot"].tolist() == ["north", "south"]
    assert (kept.window, len(kept.reference)) == (WINDOW, 0)


def test_the_window_that_a_program_names_is_believed() -> None:
    earlier = END - timedelta(days=3)
    kept = check(replace(LEFT, tags={END_TAG: earlier.isoformat()}), ASKED)
    assert (kept.window.start, kept.window.end) == (WINDOW.start, earlier)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"status": "RUNNING"}, "Its run is RUNNING, not FINISHED."),
        ({"source": ""}, "Its run has no logged model."),
        ({"metrics": {"mae": float("nan")}}, "Its metrics mae are no finite numbers."),
        ({"predictions": None}, "Its run keeps no eval/predictions.parquet."),
        ({"predictions": b"row_id,label"}, "eval/predictions.parquet is no parquet file."),
        ({"predictions": parquet(row_id=["a"], label=[1.0])}, "eval/predictions.parquet lacks score."),
        ({"predictions": parquet(row_id=[], label=[], score=[])}, "eval/predictions.parquet has no rows."),
        ({"predictions": parquet(row_id=["a"], label=[None], score=[0.1])}, "rows without a label or score."),
        ({"predictions": parquet(row_id=["a"], label=["ham"], score=["spam"])}, "labels or scores in words"),
        ({"reference": parquet(label=[1.0], score=[0.4])}, "eval/reference.parquet lacks at."),
        ({"tags": {END_TAG: "yesterday"}}, f"Its tag {END_TAG} is no instant with a zone."),
        ({"tags": {END_TAG: "2025-01-01T00:00:00+00:00"}}, "Its window ends before it begins"),
    ],
)
def test_each_thing_that_is_missing_has_its_sentence(changes: Mapping[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        check(replace(LEFT, **changes), ASKED)
    assert sentence in refused.value.sentence()


def test_several_things_are_said_at_once() -> None:
    with pytest.raises(InvalidInput, match=r"no logged model\..*keeps no eval/predictions"):
        check(replace(LEFT, source="", predictions=None), ASKED)


def test_no_run_and_two_runs_are_refused() -> None:
    assert the_run(("r1",), ASKED) == "r1"
    with pytest.raises(InvalidInput, match="left no run"):
        the_run((), ASKED)
    with pytest.raises(InvalidInput, match="left 2 runs"):
        the_run(("r1", "r2"), ASKED)
