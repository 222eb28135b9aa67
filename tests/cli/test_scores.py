"""A file with the probability of every class: the most probable is the answer, and evidence is measured on all."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, log_loss, roc_auc_score

from mlops_dash.bootstrap import Services
from tests.cli.conftest import Run
from tests.factories import ADMIN
from tests.penguins import MODEL, SPECIES, penguins

ORDER = tuple(reversed(SPECIES))  # the model's own order of its classes
SCORES = [word for number, name in enumerate(ORDER) for word in ("--scores", f"{name}=p_{number}")]


def scored(seed: int, n: int = 900, *, sharp: float) -> pd.DataFrame:
    """Cases with a label and probabilities of the classes, in the model's order, on thirty days."""
    labels = np.random.default_rng(1).choice(len(ORDER), n)
    weights = np.random.default_rng(seed).gamma(2.0, 1.0, (n, len(ORDER))) + sharp * np.eye(len(ORDER))[labels]
    p = weights / weights.sum(axis=1, keepdims=True)
    table = pd.DataFrame({"case": [f"{row:04d}" for row in range(n)], "species": np.array(ORDER)[labels]})
    table["at"] = [f"2026-03-{1 + row % 30:02d}T09:00Z" for row in range(n)]
    return table.assign(**{f"p_{number}": p[:, number] for number in range(len(ORDER))})


def push(run: Run, tmp_path: Path, version: str, table: pd.DataFrame, *more: str) -> tuple[int, str, str]:
    file = tmp_path / f"v{version}.parquet"
    table.to_parquet(file)
    words = ("--model", MODEL, "--version", version, "--rows", str(file), "--id", "case", "--label", "species")
    return run("evidence", "push", *words, "--time", "at", *(more or SCORES), "--json")


@pytest.fixture
def known(house: Services) -> Services:
    house.registry.add_model(
        ADMIN, MODEL, task="multiclass", class_names=ORDER, source="external", reason="birds of the island"
    )
    return house


@pytest.mark.timeout(300)
def test_the_most_probable_class_is_watched_as_if_it_had_been_named(house: Services, run: Run, tmp_path: Path) -> None:
    table = penguins(datetime.now(UTC)).rename(columns={"at": "seen_at", "label": "species"})
    for number, name in enumerate(ORDER):
        table[f"p_{number}"] = np.where(table["score"] == name, 0.8, 0.2 / (len(ORDER) - 1))
    said = table.pop("score")
    table["seen_at"] = table["seen_at"].dt.strftime("%Y-%m-%d %H:%M")
    path = tmp_path / "penguins.csv"
    table.to_csv(path, index=False)
    words = ("--model", MODEL, "--time", "seen_at", "--label", "species", *SCORES, "--yes", "--json")

    code, out, err = run("watch", str(path), *words)

    assert code == 0, err
    told = json.loads(out)
    assert told["verdict"] == "ok", told["sentence"]
    (model,) = house.registry.models(ADMIN)
    assert (model.task, model.class_names) == ("multiclass", ORDER)
    last = told["windows"][-1]
    of_day = table["seen_at"].str[:10] == last["start"][:10]
    assert last["metrics"]["accuracy"] == pytest.approx(accuracy_score(table["species"][of_day], said[of_day]))
    names = sorted(ORDER)
    p = table.loc[of_day, [f"p_{ORDER.index(name)}" for name in names]].to_numpy()
    truth = table["species"][of_day]
    assert last["metrics"]["log_loss"] == pytest.approx(log_loss(truth, p, labels=names))
    theirs = roc_auc_score(truth, p, multi_class="ovr", average="weighted", labels=names)
    assert last["metrics"]["auc_ovr"] == pytest.approx(theirs)
    assert json.loads(run("watch", str(path), *words)[1])["stored"] == 0
    named = {f"p_{number}": f"proba {name}" for number, name in enumerate(ORDER)}
    table.rename(columns=named).to_csv(tmp_path / "named.csv", index=False)
    again = ("--model", MODEL, "--time", "seen_at", "--label", "species", "--yes", "--json")
    code, out, err = run("watch", str(tmp_path / "named.csv"), *again)  # its columns say it by their names
    assert (code, json.loads(out)["stored"]) == (0, 0), err
    assert f"probability of  {ORDER[0]}" in err
    assert "p_0" not in str(house.monitoring.room(ADMIN, MODEL).drift)  # a probability is no input
    again = ("--model", MODEL, "--version", "1", "--time", "seen_at", "--label", "species", *SCORES)
    code, out, err = run("ingest", str(path), *again, "--json")
    assert code == 0, err


def test_ingest_keeps_good_rows_and_lists_those_whose_probabilities_are_none(
    known: Services, run: Run, tmp_path: Path
) -> None:
    table = scored(5, n=40, sharp=1.0).assign(bill=1.5)
    table.loc[3, "p_0"] += 0.4
    table.loc[4, "p_1"] = -0.2
    table.loc[5, "p_2"] = None
    table.to_parquet(tmp_path / "march.parquet")
    words = ["ingest", str(tmp_path / "march.parquet"), "--model", MODEL, "--version", "1", "--time", "at"]
    bare = [*words, "--label", "species", "--id", "case", "--json"]
    words = [*bare, *SCORES]
    assert run(*words)[0] == 2
    assert known.scoring.counts(ADMIN, MODEL).predictions == 0
    code, out, err = run(*words, "--on-error", "skip")
    assert code == 0, err
    told = json.loads(out)
    assert told["predictions"] == 37
    reasons = [one["reason"] for one in told["problems"]]
    assert reasons[0].startswith("the probabilities sum to 1.4")
    assert reasons[1:] == ["a probability is not from 0 to 1", "is empty"]
    code, _, err = run(*bare, *SCORES[2:])
    assert (code, f"The class {ORDER[0]!r} has no column" in err) == (2, True), err


def test_evidence_has_log_loss_and_auc_as_scikit_learn_has_them(known: Services, run: Run, tmp_path: Path) -> None:
    table = scored(3, sharp=1.0)
    code, out, err = push(run, tmp_path, "1", table)
    assert code == 0, err
    found = {one["metric"]: one["value"] for one in json.loads(out)["evidence"]}
    names, p = sorted(ORDER), table[[f"p_{ORDER.index(name)}" for name in sorted(ORDER)]].to_numpy()
    assert found["log_loss"] == pytest.approx(log_loss(table["species"], p, labels=names))
    theirs = roc_auc_score(table["species"], p, multi_class="ovr", average="weighted", labels=names)
    assert found["auc_ovr"] == pytest.approx(theirs)
    answers = np.array(names)[p.argmax(axis=1)]
    assert found["accuracy"] == pytest.approx(accuracy_score(table["species"], answers))
    assert json.loads(push(run, tmp_path, "1", table)[1])["changed"] is False


def test_a_policy_may_ask_for_log_loss_and_a_sharper_version_passes(known: Services, run: Run, tmp_path: Path) -> None:
    push(run, tmp_path, "1", scored(3, sharp=1.0))
    known.registry.serve_elsewhere(ADMIN, known.registry.version_id(ADMIN, MODEL, "1"), reason="it answers")
    push(run, tmp_path, "2", scored(4, sharp=4.0))
    code, out, err = run("policy", "set", "--model", MODEL, "--reason", "probabilities are used", "--set",
                         "primary=log_loss", "--set", "guardrail=auc_ovr", "--json")  # fmt: skip
    assert code == 0, err
    assert json.loads(out)["body"]["primary"] == "log_loss"
    code, out, err = run("evidence", "compare", "--model", MODEL, "--version", "2", "--json")
    assert code == 0, err
    found = {one["metric"]: one for one in json.loads(out)["evidence"]}
    assert set(found) == {"accuracy", "macro_f1", "log_loss", "auc_ovr"}
    assert found["log_loss"]["high"] < 0 < found["auc_ovr"]["low"]
    code, _, err = run("policy", "set", "--model", MODEL, "--reason", "r", "--set", "guardrail=brier")
    assert (code, "guardrail" in err) == (2, True)


def test_against_a_version_that_pushed_classes_alone_only_classes_are_compared(
    known: Services, run: Run, tmp_path: Path
) -> None:
    push(run, tmp_path, "1", scored(3, sharp=1.0))
    table = scored(4, sharp=4.0)
    said = np.array(ORDER)[table[[f"p_{number}" for number in range(len(ORDER))]].to_numpy().argmax(axis=1)]
    code, out, _ = push(run, tmp_path, "2", table.assign(said=said), "--score", "said")
    assert (code, {one["metric"] for one in json.loads(out)["evidence"]}) == (0, {"accuracy", "macro_f1"})
    out = run("evidence", "compare", "--model", MODEL, "--version", "2", "--with", "1", "--json")[1]
    assert [one["metric"] for one in json.loads(out)["evidence"]] == ["accuracy", "macro_f1"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (SCORES[:2], "has no column"),
        ([*SCORES, "--score", "p_0"], "Name a score, or the probability of every class"),
        (["--time", "at"], "Name a score, or the probability of every class"),
        (["--scores", "p_0"], "names no class and column"),
    ],
)
def test_what_cannot_be_meant_is_one_sentence(
    known: Services, run: Run, tmp_path: Path, words: list[str], said: str
) -> None:
    code, out, err = push(run, tmp_path, "1", scored(3, n=60, sharp=1.0), *words)
    assert (code, out, said in err) == (2, "", True), err


def test_a_row_whose_probabilities_cannot_be_is_named_and_nothing_is_kept(
    known: Services, run: Run, tmp_path: Path
) -> None:
    table = scored(3, n=60, sharp=1.0)
    table.loc[7, "p_0"] = 0.999
    code, _, err = push(run, tmp_path, "1", table)
    assert (code, "not to 1" in err, "1 rows of" in err) == (2, True, True), err
