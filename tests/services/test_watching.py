"""What is each column of a stranger's file, and which kind does an input get?"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mlops_dash.errors import InvalidInput
from mlops_dash.services.tables import read_table
from mlops_dash.services.watching import Proposal, Roles, propose

NOW = datetime(2026, 11, 29, tzinfo=UTC)


def test_numbers_that_pandas_wrote_to_a_csv_are_numbers_again(tmp_path: Path) -> None:
    """With all their digits, with an exponent, with a gap that R calls NA; a customer's number stays a name."""
    draw = np.random.default_rng(3)
    n = 300
    frame = pd.DataFrame({
        "scored_at": pd.date_range("2026-01-01", periods=n, freq="h").astype(str),
        "p": draw.random(n), "churned": np.where(draw.random(n) < 0.3, "yes", "no"),
        "usage": draw.random(n) * 1e-4, "spend": [f"{x:.2f}" for x in draw.random(n) * 90],
        "customer": [f"{i:05d}" for i in range(n)],
    })  # fmt: skip
    frame.loc[4, "spend"] = "NA"
    frame.to_csv(tmp_path / "churn.csv", index=False)
    rows = propose(read_table(tmp_path / "churn.csv"), Roles(label="churned"), now=NOW).rows
    assert {name: str(rows[name].dtype) for name in ("usage", "spend", "customer")} == {
        "usage": "float64", "spend": "float64", "customer": "object",
    }  # fmt: skip
    assert rows["usage"].tolist() == frame["usage"].tolist()
    assert int(rows["spend"].isna().sum()) == 1


def _minutes(now: datetime) -> Proposal:
    """Thirty days of calls, the last of them on 30 January, as of `now`."""
    draw = np.random.default_rng(1)
    at = pd.date_range("2026-01-01", periods=30 * 24, freq="h")
    table = pd.DataFrame({"at": at, "y": draw.normal(9, 2, len(at)), "lines": draw.poisson(3, len(at))})
    return propose(table.assign(predicted=table["y"] + 1), Roles(), now=now)


def test_rows_that_nobody_can_have_answered_yet_are_named() -> None:
    told = {what: (value, why) for what, value, why in _minutes(datetime(2026, 1, 30, 12, tzinfo=UTC)).how}
    assert told["in the future"] == ("11 rows", "counted once their day is over")
    assert "in the future" not in {what for what, _, _ in _minutes(NOW).how}


def test_a_file_that_lies_mostly_in_the_future_is_refused() -> None:
    with pytest.raises(InvalidInput, match="480 of 480 rows to watch lie in the future") as refused:
        _minutes(datetime(2026, 1, 5, tzinfo=UTC))
    assert "2026-01-30 23:00 UTC, and it is 2026-01-05 00:00 now" in refused.value.sentence()
    half = datetime(2026, 1, 21, tzinfo=UTC)  # as many before as after
    assert _minutes(half + timedelta(hours=1)).reference_rows == 240
    with pytest.raises(InvalidInput, match="lie in the future"):
        _minutes(half - timedelta(hours=2))


@pytest.mark.parametrize(
    ("answers", "task", "why"),
    [
        ([0.1, 0.9, 0.4], "binary", "probabilities"),
        ([0.0, 1.0, 1.0], "multiclass", "classes, not probabilities"),
        ([7.5, 30.0, 0.5], "regression", "numbers"),
        (["it's", '"fast"', "slow"], "multiclass", "3 words"),
    ],
)
def test_without_an_outcome_the_task_is_told_from_the_answers(answers: list[object], task: str, why: str) -> None:
    at = pd.date_range("2026-01-01", periods=30, freq="D")
    table = pd.DataFrame({"at": at, "score": answers * 10, "lines": range(30)})
    made = propose(table, Roles(), now=NOW)
    told = {what: (value, said) for what, value, said in made.how}
    assert (made.task.name, told["task"][0], why in told["task"][1]) == (task, task, True)
    assert told["label"] == ("none", "no outcome: drift and volume alone are watched (name its column with --label)")
    assert made.rows["label"].isna().all()
    assert (made.reference_rows, len(made.live), made.features, made.dropped) == (10, 20, ("lines",), 0)


def test_more_words_than_classes_are_asked_about() -> None:
    at = pd.date_range("2026-01-01", periods=30, freq="D")
    table = pd.DataFrame({"at": at, "score": [f"street {n}" for n in range(30)], "lines": range(30)})
    with pytest.raises(InvalidInput, match="are 30 words: are they classes"):
        propose(table, Roles(), now=NOW)
