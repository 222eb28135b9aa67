"""A row that was answered and cannot be kept is set aside; the rest of its batch is kept, and so is every answer."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest

from mlops_dash.services.scoring import intake
from mlops_dash.services.scoring.arms import ArmAnswers
from mlops_dash.services.scoring.following import Live, Loaded
from mlops_dash.store.serving import ServedVersion, ServingState

NOW = datetime(2026, 3, 1, tzinfo=UTC)
ONE, TWO = ServedVersion("v1", "1", "d", ""), ServedVersion("v2", "2", "e", "")


class Model:
    """Stands where a loaded model stands."""

    kinds = {"x": "numeric", "kind": "string"}  # noqa: RUF012

    def __init__(self, *scores: float) -> None:
        self.scores = scores

    def predict(self, frame: pd.DataFrame) -> np.ndarray:
        return np.array(self.scores[: len(frame)])

    predict_again = predict  # what a shadow and a backfill ask


def live(*shadows: Loaded) -> Live:
    state = ServingState("theirs", "binary", "1", (), 1, ONE, ())
    return Live(state, 1, Loaded(ONE, Model()), shadows)  # type: ignore[arg-type]


def frame(*x: object) -> pd.DataFrame:
    return pd.DataFrame({"x": pd.Series(x, dtype=object), "kind": ["flat"] * len(x)})


@pytest.mark.parametrize(
    ("x", "scores", "bad", "column"),
    [
        ((1.0, float("inf"), 3.0), (0.1, 0.2, 0.3), [1], "x"),
        ((1.0, "n/a", 3.0), (0.1, 0.2, 0.3), [1], "x"),
        ((1.0, 2.0, 10**400), (0.1, 0.2, 0.3), [2], "x"),
        ((1.0, 2.0, 3.0), (0.1, 37.5, 0.3), [1], "score"),
        ((1.0, 2.0, 3.0), (float("nan"), 0.2, float("inf")), [0, 2], "score"),
    ],
)
def test_only_the_bad_rows_of_a_batch_are_set_aside(
    x: tuple[object, ...], scores: tuple[float, ...], bad: list[int], column: str
) -> None:
    ids = intake.names_in("b", 3)
    kept = intake.sifted(live(), frame(*x), np.array(scores), None, ids)
    pending = intake.ours(
        live(), kept.frame, kept.scores, ids=kept.ids, at=[NOW] * len(kept.ids), batch_id="b", numbers=kept.numbers
    )
    good = [row for row in range(3) if row not in bad]
    assert [one.prediction_id for one in pending.predictions] == [f"b-{row}" for row in good]
    assert [one.row_number for one in pending.predictions] == good
    assert [one.score for one in pending.scores] == [scores[row] for row in good]
    aside = kept.set_aside(live(), NOW)
    assert [(one.prediction_id, one.column_name, one.logged) for one in aside] == [
        (f"b-{row}", column, False) for row in bad
    ]
    assert intake.said_of(kept.unfit).startswith(f"{len(bad)} row")


def test_a_batch_without_a_fault_is_handed_through_untouched() -> None:
    rows, scores = frame(1.0, 2.0), np.array([0.1, 0.2])
    kept = intake.sifted(live(), rows, scores, None, ["a", "b"])
    assert kept.frame is rows
    assert (kept.unfit, intake.said_of(kept.unfit)) == ((), "")


def test_the_challengers_rows_stay_with_their_scores() -> None:
    arm = ArmAnswers(TWO, np.array([False, True, True, True]), np.array([0.5, 88.0, 0.7]))
    kept = intake.sifted(live(), frame(1.0, 2.0, 3.0, 4.0), np.array([0.1, 0.2, 0.3, 0.4]), arm, list("abcd"))
    assert kept.ids == ("a", "b", "d")
    assert kept.arm is not None
    assert kept.arm.rows.tolist() == [False, True, True]
    assert kept.arm.scores.tolist() == [0.5, 0.7]


def test_a_shadow_loses_only_the_row_that_it_cannot_score() -> None:
    shadow = Loaded(TWO, Model(0.4, 12.0))  # type: ignore[arg-type]
    pending = intake.ours(
        live(shadow), frame(1.0, 2.0), np.array([0.1, 0.2]), ids=["a", "b"], at=[NOW] * 2, batch_id="b"
    )
    assert [(one.prediction_id, one.version_id) for one in pending.scores] == [("a", "v1"), ("b", "v1"), ("a", "v2")]
    assert [(one.prediction_id, one.version_id, one.column_name) for one in pending.set_aside] == [("b", "v2", "score")]
