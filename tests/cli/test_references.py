"""A reference comes from a file, a window of the log or its first labelled days, and changes with a reason."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mlops_dash.bootstrap import Services
from mlops_dash.domain.audit import Action, Entry
from tests.cli.conftest import Run
from tests.factories import ADMIN

MODEL, A_DAY = 'minutes "in the queue" that aren\'t said', 40
NAMED = ("--time", "when", "--label", "took", "--id", "ticket")


def calls(days: int = 60) -> pd.DataFrame:
    """Forty calls a day: how long they took, and how long they were said to take."""
    rng = np.random.default_rng(3)
    n = days * A_DAY
    first = pd.Timestamp.now(tz="UTC").normalize() - pd.Timedelta(days=days)
    at = first + pd.to_timedelta(np.repeat(np.arange(days), A_DAY), unit="D") + pd.Timedelta(hours=9)
    said = rng.normal(12, 3, n).round(2)
    return pd.DataFrame({"ticket": [f"{one:05d}" for one in range(n)], "when": at.strftime("%Y-%m-%d %H:%M"),
                         "said": said, "took": (said + rng.normal(0, 2, n)).round(2),
                         "queue": rng.choice(["007", "NA", "north"], n), "waiting": rng.integers(0, 9, n)})  # fmt: skip


@pytest.fixture
def served(house: Services, run: Run, tmp_path: Path) -> Services:
    """A regression whose labelled rows are in the log, and nothing to compare them with."""
    house.registry.add_model(ADMIN, MODEL, task="regression", source="external")
    path = tmp_path / "log.csv"
    calls().to_csv(path, index=False)
    words = ("--model", MODEL, "--version", "1", *NAMED, "--prediction", "said")
    assert run("ingest", str(path), *words)[0] == 0
    return house


def push(run: Run, *words: str) -> tuple[int, str, str]:
    return run("reference", "push", "--model", MODEL, "--version", "v1", *words)


def decisions(house: Services) -> list[Entry]:
    return [one for one in house.registry.ledger(ADMIN, MODEL) if one.action == Action.REFERENCE_SET]


@pytest.mark.timeout(300)
def test_the_first_labelled_days_bring_a_model_that_has_nothing_to_a_verdict(served: Services, run: Run) -> None:
    before = json.loads(run("monitor", "--model", MODEL, "--json")[1])
    assert before["verdict"] == "not_known"
    assert "mlops-dash reference push --first-days 30 --model" in served.monitoring.room(ADMIN, MODEL).empty_next
    code, out, err = push(run, "--first-days", "30", "--json")
    assert code == 0, err
    told = json.loads(out)
    assert (told["rows"], told["days"], told["changed"], told["verdict"]) == (1_200, 30, True, "ok")
    reference = served.monitoring.room(ADMIN, MODEL).reference
    assert reference is not None
    assert (reference.n_rows, reference.scored) == (1_200, "as served")
    again = json.loads(push(run, "--first-days", "30", "--json")[1])
    assert (again["changed"], again["id"]) == (False, told["id"])
    (entry,) = decisions(served)
    assert (entry.after["source"], entry.after["rows"]) == ("first 30 days", 1_200)


@pytest.mark.timeout(300)
def test_another_reference_needs_to_be_asked_for_with_a_reason_and_can_be_gone_back_to(
    served: Services, run: Run
) -> None:
    days = calls()["when"].str[:10].unique()
    first = json.loads(push(run, "--first-days", "10", "--json")[1])
    window = ("--window", f"{days[5]}..{days[25]}")
    code, _, err = push(run, *window)
    assert (code, "Say --replace with a --reason" in err) == (2, True), err
    code, _, err = push(run, *window, "--replace")
    assert (code, "needs a reason" in err) == (2, True), err
    code, out, err = push(run, *window, "--replace", "--reason", "the first week was a trial", "--json")
    assert (code, json.loads(out)["days"], json.loads(out)["rows"]) == (0, 20, 800), err
    back = json.loads(push(run, "--first-days", "10", "--replace", "--reason", "it was none", "--json")[1])
    assert (back["id"], back["changed"]) == (first["id"], True)
    reference = served.monitoring.room(ADMIN, MODEL).reference
    assert reference is not None
    assert reference.n_rows == 400
    assert [one.reason for one in decisions(served)] in (
        ["", "the first week was a trial", "it was none"], ["it was none", "the first week was a trial", ""],
    )  # fmt: skip


@pytest.mark.timeout(300)
def test_a_file_of_rows_that_were_not_trained_on_is_a_reference(served: Services, run: Run, tmp_path: Path) -> None:
    path = tmp_path / "holdout.tsv"
    calls(30).to_csv(path, sep="\t", index=False)
    code, out, err = push(run, str(path), *NAMED, "--score", "said", "--out-of-fold")
    assert code == 0, err
    assert "is compared with 1,200 rows on 30 days" in out
    reference = served.monitoring.room(ADMIN, MODEL).reference
    assert reference is not None
    assert reference.scored == "out of fold"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "A reference has one source."),
        (("--first-days", "3", "--window", "a..b"), "A reference has one source."),
        (("--first-days", "600"), "60 ripe days with labels are in the log, and 600 are wanted."),
        (("--first-days", "0"), "0 days hold no row."),
        (("--window", "soon..later"), "'soon' is no day."),
        (("--window", "2030-02-01..2030-01-01"), "is empty"),
        (("--window", "2020-02-01..2020-03-01"), "No labelled row of a ripe day lies in"),
        (("missing.csv", *NAMED, "--score", "said"), "There is no file missing.csv."),
        (("missing.csv",), "Of a file --time, --score, --label must be named."),
    ],
)
def test_what_cannot_be_meant_is_one_sentence_and_no_reference(
    served: Services, run: Run, words: tuple[str, ...], said: str
) -> None:
    code, _, err = push(run, *words)
    assert (code, said in err, len(err.splitlines())) == (2, True, 1), err
    assert served.monitoring.room(ADMIN, MODEL).reference is None


def test_a_row_that_cannot_be_taken_is_named(served: Services, run: Run, tmp_path: Path) -> None:
    path = tmp_path / "holdout.csv"
    table = calls(5).astype({"took": object})
    table.loc[2, "took"] = "long"
    table.to_csv(path, index=False)
    code, _, err = push(run, str(path), *NAMED, "--score", "said")
    assert (code, "line 4, column 'took' 'long': is no finite number" in err) == (2, True), err
    table.assign(took=None).to_csv(path, index=False)
    code, _, err = push(run, str(path), *NAMED, "--score", "said")
    assert (code, "labels of 200 reference rows are missing" in err) == (2, True), err
