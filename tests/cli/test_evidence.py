"""A stranger's versions meet in the gates by rows that their own pipelines scored; no model is ever loaded."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pandas as pd
import pytest

from mlops_dash.bootstrap import Services
from mlops_dash.domain.audit import Action
from mlops_dash.stats.comparison import paired_difference
from tests.cli.conftest import Run
from tests.factories import ADMIN, LEAD

MINUTES, LOANS = 'the "minutes" it\'s late', "loans"
N = 2_400


@pytest.fixture
def minutes(house: Services) -> str:
    """A regression whose version 1 answers elsewhere."""
    return external(house, MINUTES, task="regression")


@pytest.fixture
def loans(house: Services) -> str:
    """Two classes with words for labels; version 1 answers elsewhere."""
    return external(house, LOANS, positive_label="bad")


def external(house: Services, name: str, **more: str) -> str:
    house.registry.add_model(ADMIN, name, source="external", **more)
    version = house.registry.record_version(ADMIN, name, "1")
    house.registry.serve_elsewhere(ADMIN, version, reason="their own service answers")
    return name


def trips(error: float) -> pd.DataFrame:
    """What was true, and what a version of this error said, on sixty days."""
    rng = np.random.default_rng(5)
    took = rng.normal(30, 8, N)
    said = took + np.random.default_rng(int(error)).normal(0, error, N)
    at = pd.Timestamp("2026-01-01") + pd.to_timedelta(np.arange(N) // 40, unit="D")
    return pd.DataFrame({"trip": [f"{one:05d}" for one in range(N)], "took": took, "said": said, "day": at,
                         "depot": rng.choice(["north", "NA"], N)})  # fmt: skip


def push(run: Run, model: str, version: str, table: pd.DataFrame, path: Path, *more: str) -> tuple[int, str, str]:
    table.to_csv(path, index=False)
    words = ("--model", model, "--version", version, "--rows", str(path), "--id", "trip", "--label", "took")
    return run("evidence", "push", *words, "--score", "said", *more)


def test_a_better_regression_passes_the_gate_by_pushed_rows_alone(
    house: Services, run: Run, minutes: str, tmp_path: Path
) -> None:
    old, new = trips(6.0), trips(3.0)
    assert push(run, minutes, "1", old, tmp_path / "old.csv", "--time", "day")[0] == 0
    assert push(run, minutes, "2", new, tmp_path / "new.csv", "--time", "day")[0] == 0
    waiting = run("gate", "--model", minutes, "--version", "2")
    typed = """mlops-dash evidence compare --model 'the "minutes" it'"'"'s late' --version 2"""
    assert (waiting[0], "Not yet compared" in waiting[1], typed in waiting[1]) == (2, True, True)

    code, out, err = run("evidence", "compare", "--model", minutes, "--version", "2", "--json")

    assert code == 0, err
    mae = next(one for one in json.loads(out)["evidence"] if one["metric"] == "mae")
    days = old["day"].astype(str)
    oracle = paired_difference(old["took"], new["said"], old["said"], days, metric="mae",
                               direction="lower_is_better", level=0.95)  # fmt: skip
    assert mae["value"] == pytest.approx(-oracle.value)
    assert (mae["n"], mae["n_clusters"]) == (N, 60)
    assert "2,400 of 2,400 ids have both scores" in mae["bound"]
    code, out, _ = run("gate", "--model", minutes, "--version", "2", "--json")
    gates = {one["name"]: one for one in json.loads(out)["gates"]}
    assert gates["primary metric"]["state"] == "passed"
    assert gates["signature"]["required"] is False
    assert (json.loads(out)["outcome"], code) == ("needs_approval", 2)  # four eyes, and nothing else, are missing
    assert run("propose", "--model", minutes, "--version", "2", "--reason", "half the error")[0] == 0
    proposal = house.registry.open_proposal(LEAD, minutes)
    house.registry.approve(LEAD, proposal.id, proposal.revision, comment="seen")
    assert run("gate", "--model", minutes, "--version", "2")[0] == 0


def test_a_first_version_is_judged_against_no_live_one(house: Services, run: Run) -> None:
    house.registry.add_model(LEAD, "first 'ever'", task="regression", source="external", reason="new")
    house.registry.record_version(LEAD, "first 'ever'", "1")
    code, said, _ = run("gate", "--model", "first 'ever'", "--version", "1")
    assert code == 2
    assert said.startswith("needs_approval: first 'ever' version 1 against no live version, gates ")


def test_a_worse_version_fails(house: Services, run: Run, minutes: str, tmp_path: Path) -> None:
    push(run, minutes, "1", trips(3.0), tmp_path / "a.csv")
    push(run, minutes, "2", trips(6.0), tmp_path / "a.csv")
    code, said, _ = run("evidence", "compare", "--model", minutes, "--version", "v2", "--with", "1")
    assert code == 0
    assert "Both are right on " in said
    assert f"the median of {minutes} v1." in said
    file = tmp_path / "gates.xml"
    assert run("gate", "--model", minutes, "--version", "2", "--junit", str(file))[0] == 1
    suite = ET.parse(file).getroot().find("testsuite")
    assert suite is not None
    assert suite.attrib["name"] == f"{minutes} v2"
    failed = [case.attrib["name"] for case in suite if case.find("failure") is not None]
    assert (len(failed), suite.attrib["failures"]) == (int(suite.attrib["failures"]), str(len(failed)))
    assert "primary metric" in failed
    nowhere = run("gate", "--model", minutes, "--version", "2", "--junit", str(tmp_path / "no" / "gates.xml"))
    assert nowhere[0] == 3, "2 is for missing approvals"
    assert nowhere[2].count("\n") == 1


def test_words_as_labels_are_measured_and_slices_apart(house: Services, run: Run, loans: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    p = rng.random(N).round(3)
    table = trips(1.0).assign(said=p, took=np.where(rng.random(N) < p, "bad", "good"))
    code, out, err = push(run, loans, "1", table, tmp_path / "a.csv", "--slice", "depot", "--json")
    assert code == 0, err
    told = json.loads(out)
    assert {"auc", "brier"} <= {one["metric"] for one in told["evidence"]}
    assert "rows taken as independent" in told["evidence"][0]["bound"]
    version = house.registry.version_id(ADMIN, loans, "1")
    slices = {one.details["value"] for one in house.evidence.about(ADMIN, version) if one.kind == "slice"}
    assert slices == {"north", "NA"}
    assert "has not been measured" not in run("gate", "--model", loans, "--version", "1")[1]


def test_the_same_rows_are_nothing_new_and_other_rows_count_beside_them(
    house: Services, run: Run, minutes: str, tmp_path: Path
) -> None:
    path, version = tmp_path / "a.csv", house.registry.version_id(ADMIN, minutes, "1")
    assert json.loads(push(run, minutes, "1", trips(3.0), path, "--json")[1])["changed"] is True
    kept = house.evidence.about(ADMIN, version)
    again = json.loads(push(run, minutes, "1", trips(3.0).sample(frac=1, random_state=1), path, "--json")[1])
    assert (again["changed"], house.evidence.about(ADMIN, version)) == (False, kept)
    assert {one["metric"] for one in again["evidence"]} == {"mae", "rmse"}
    assert json.loads(push(run, minutes, "1", trips(6.0), path, "--json")[1])["changed"] is True
    entries = [one for one in house.registry.ledger(ADMIN, minutes) if one.action == Action.EVIDENCE_PUSHED]
    assert len(entries) == 2
    rmse = [one.value for one in house.evidence.about(ADMIN, version) if one.metric == "rmse"]
    assert rmse == [pytest.approx(3.0, rel=0.1), pytest.approx(6.0, rel=0.1)]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda table: table.iloc[100:], "100 of 2,400 ids of v1 are missing"),
        (
            lambda table: table.assign(took=table["took"].where(table.index > 2, 0.0)),
            "3 of 2,400 ids have another label",
        ),
    ],
)
def test_rows_that_are_not_the_same_are_not_compared(
    house: Services, run: Run, minutes: str, tmp_path: Path, change: object, said: str
) -> None:
    push(run, minutes, "1", trips(6.0), tmp_path / "a.csv")
    push(run, minutes, "2", change(trips(3.0)), tmp_path / "a.csv")  # type: ignore[operator]
    code, out, _ = run("evidence", "compare", "--model", minutes, "--version", "2")
    assert (code, said in out) == (0, True), out
    code, out, _ = run("gate", "--model", minutes, "--version", "2")
    assert (code, said in out) == (2, True), out


def test_rows_that_cannot_be_taken_are_named_and_nothing_is_kept(
    house: Services, run: Run, minutes: str, tmp_path: Path
) -> None:
    table = trips(3.0).astype({"said": object})
    table.loc[4, "said"], table.loc[7, "trip"], table.loc[9, "took"] = "long", "00000", None
    code, _, err = push(run, minutes, "2", table, tmp_path / "a.csv")
    assert code == 2
    for said in ("line 6, column 'said' 'long'", "line 9, column 'trip' 00000: occurs twice", "line 11, column 'took'"):
        assert said in err
    assert house.evidence.about(ADMIN, house.registry.version_id(ADMIN, minutes, "2")) == ()


def test_groups_that_are_named_are_what_is_resampled(house: Services, run: Run, minutes: str, tmp_path: Path) -> None:
    table = trips(3.0).assign(customer=np.arange(N) % 30)
    told = json.loads(push(run, minutes, "1", table, tmp_path / "a.csv", "--cluster", "customer", "--json")[1])
    assert (told["evidence"][0]["n_clusters"], "groups" in told["evidence"][0]["method"]) == (30, True)


def test_what_is_missing_is_said_with_the_next_step(house: Services, run: Run, minutes: str, tmp_path: Path) -> None:
    push(run, minutes, "2", trips(3.0), tmp_path / "a.csv")
    code, _, err = run("evidence", "compare", "--model", minutes, "--version", "2")
    assert (code, "v1 has no pushed rows. Push them: mlops-dash evidence push --version 1" in err) == (2, True), err
    code, _, err = run("evidence", "compare", "--model", minutes, "--version", "2", "--with", "9")
    assert (code, "has no version 9" in err) == (2, True)
    code, _, err = push(run, minutes, "2", trips(3.0), tmp_path / "a.csv", "--slice", "region")
    assert (code, "There is no column 'region'." in err) == (2, True)
    code, _, err = push(run, minutes, "2", trips(3.0), tmp_path / "a.csv", "--slice", "trip")
    assert (code, "has 2400 values; the most is 50" in err) == (2, True)


def test_a_check_says_what_could_not_be_checked_and_where_there_is_nothing_to_check(
    house: Services, run: Run, minutes: str
) -> None:
    code, _, err = run("evidence", "check", "--model", minutes, "--version", "1")
    assert (code, "is served elsewhere; there are no files here to check" in err) == (2, True)
    house.registry.add_model(ADMIN, "ours", reason="from MLflow")
    house.registry.record_version(ADMIN, "ours", "1", source_uri="models:/ours/1")
    assert "mlops-dash evidence check --model ours --version 1" in run("gate", "--model", "ours", "--version", "1")[1]
    code, out, err = run("evidence", "check", "--model", "ours", "--version", "1", "--json")
    assert code == 1, err
    told = json.loads(out)
    assert [(one["metric"], one["value"]) for one in told["evidence"]] == [("signature", None), ("input_example", None)]
    assert all(one["reason"] for one in told["evidence"])  # MLflow does not answer here
