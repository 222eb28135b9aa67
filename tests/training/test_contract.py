"""What a program is told, and every way in which what it leaves can be incomplete."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pandas as pd
import pytest

from mlops_dash.domain.tasks import task_named
from mlops_dash.errors import InvalidInput
from mlops_dash.services.cells import judged_in_numbers
from mlops_dash.training.contract import END_TAG, LeftRun, Request, Window, check, the_run
from tests.penguins import ODD, SPECIES

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
        ({"reference": parquet(label=[1.0], score=[0.4])}, "eval/reference.parquet lacks at."),
        ({"tags": {END_TAG: "yesterday"}}, f"Its tag {END_TAG} is no instant with a zone."),
        ({"tags": {END_TAG: "2025-01-01T00:00:00+00:00"}}, "Its window ends before it begins"),
    ],
)
def test_each_thing_that_is_missing_has_its_sentence(changes: Mapping[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        check(replace(LEFT, **changes), ASKED)
    assert sentence in refused.value.sentence()


def test_words_are_read_by_the_models_classes_and_one_that_it_does_not_know_is_named() -> None:
    species = partial(judged_in_numbers, task=task_named("multiclass", SPECIES), positive="1")
    words = parquet(row_id=["a", "b"], label=[ODD, "Gentoo"], score=["Gentoo", "Gentoo"])
    kept = check(replace(LEFT, predictions=words), ASKED, numbers=species).predictions
    assert (kept["label"].tolist(), kept["score"].tolist()) == ([2.0, 1.0], [1.0, 1.0])
    other = parquet(row_id=["a"], label=["puffin"], score=["Gentoo"])
    with pytest.raises(InvalidInput, match=r"eval/predictions\.parquet: The label 'puffin' is none of this model's"):
        check(replace(LEFT, predictions=other), ASKED, numbers=species)


@pytest.mark.parametrize(
    ("label", "score", "said"),
    [
        (["bad", "good", "so so"], [0.1, 0.2, 0.3], "are 3 classes: 'bad', 'good', 'so so'"),
        (["bad", "good", "bad"], [0.1, 37.5, 0.3], "The score 37.5 cannot be counted: the score of this model is a"),
        (["bad", "good", "bad"], ["yes", "no", "yes"], "eval/predictions.parquet:"),
    ],
)
def test_two_classes_in_words_need_a_probability(label: list[str], score: list[Any], said: str) -> None:
    outcome = partial(judged_in_numbers, task=task_named("binary"), positive="bad")
    fine = parquet(row_id=["a", "b"], label=["bad", "good"], score=[0.9, 0.2])
    assert check(replace(LEFT, predictions=fine), ASKED, numbers=outcome).predictions["label"].tolist() == [1.0, 0.0]
    with pytest.raises(InvalidInput) as refused:
        check(replace(LEFT, predictions=parquet(row_id=[*"abc"], label=label, score=score)), ASKED, numbers=outcome)
    assert said in refused.value.sentence()


def test_several_things_are_said_at_once() -> None:
    with pytest.raises(InvalidInput, match=r"no logged model\..*keeps no eval/predictions"):
        check(replace(LEFT, source="", predictions=None), ASKED)


def test_no_run_and_two_runs_are_refused() -> None:
    assert the_run(("r1",), ASKED) == "r1"
    with pytest.raises(InvalidInput, match="left no run"):
        the_run((), ASKED)
    with pytest.raises(InvalidInput, match="left 2 runs"):
        the_run(("r1", "r2"), ASKED)
