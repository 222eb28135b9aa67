"""The penguins' island: a file of answers with words becomes a watched model, and the words stay words."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score

from mlops_dash.bootstrap import Services
from tests.cli.conftest import Run
from tests.factories import ADMIN
from tests.penguins import MODEL, ODD, PER_DAY, SPECIES, penguins


def island(path: Path, **changed: int) -> pd.DataFrame:
    """Their file, until yesterday."""
    table = penguins(datetime.now(UTC), **changed)
    table = table.rename(columns={"at": "seen_at", "score": "species_said", "label": "species"})
    table["seen_at"] = table["seen_at"].dt.strftime("%Y-%m-%d %H:%M")
    table.to_csv(path, index=False)
    return table


def watch(run: Run, path: Path, *more: str) -> tuple[int, str, str]:
    words = ("--model", MODEL, "--time", "seen_at", "--prediction", "species_said", "--label", "species", "--yes")
    return run("watch", str(path), *words, *more)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "penguins.csv"


@pytest.mark.timeout(300)
def test_words_become_a_model_that_is_not_harmed_with_the_metrics_of_scikit_learn(
    house: Services, run: Run, path: Path
) -> None:
    table = island(path)
    code, out, err = watch(run, path, "--json")
    assert code == 0, err
    told = json.loads(out)
    assert told["verdict"] == "ok", told["sentence"]
    (model,) = house.registry.models(ADMIN)
    assert (model.task, model.class_names) == ("multiclass", SPECIES)
    last = told["windows"][-1]
    of_day = table[table["seen_at"].str[:10] == last["start"][:10]]
    assert last["n"] == len(of_day) == PER_DAY
    truth, said = of_day["species"], of_day["species_said"]
    assert last["metrics"]["accuracy"] == pytest.approx(accuracy_score(truth, said))
    assert last["metrics"]["macro_f1"] == pytest.approx(f1_score(truth, said, average="macro"))
    expected = confusion_matrix(truth, said, labels=SPECIES)
    for number, name in enumerate(SPECIES):
        recall = expected[number, number] / expected[number].sum()
        assert last["metrics"][f"recall:{name}"] == pytest.approx(recall)
    assert (last["metrics"]["log_loss"], last["metrics"]["auc_ovr"]) == (None, None)  # the class alone is known
    again = json.loads(watch(run, path, "--json")[1])
    assert (again["stored"], again["verdict"]) == (0, "ok")


@pytest.mark.timeout(300)
def test_one_species_that_got_worse_is_harm_and_is_named(house: Services, run: Run, path: Path) -> None:
    island(path, worse_from=60)
    told = json.loads(watch(run, path, "--json")[1])
    assert told["verdict"] == "harmed", told["sentence"]
    assert f"Told right less often than in the reference: {ODD} (recall " in told["sentence"]
    assert "Gentoo (recall" not in told["sentence"]


@pytest.mark.timeout(300)
def test_a_species_that_stays_away_is_no_harm_and_its_recall_is_not_computable(
    house: Services, run: Run, path: Path
) -> None:
    island(path, gone_from=45)
    told = json.loads(watch(run, path, "--json")[1])
    assert told["verdict"] != "harmed", told["sentence"]
    last = told["windows"][-1]
    assert last["metrics"][f"recall:{ODD}"] is None
    assert last["metrics"]["recall:Gentoo"] > 0.8


def test_a_class_that_the_model_does_not_know_is_refused_with_the_known_ones(
    house: Services, run: Run, path: Path
) -> None:
    table = island(path, days=9)
    assert watch(run, path)[0] == 0
    stored = house.scoring.counts(ADMIN, MODEL)
    table.loc[table.index[-3], "species"] = "Emperor"
    table.to_csv(path, index=False)
    code, _, err = watch(run, path)
    assert (code, "'Emperor' is none of this model's classes: Adélie, " in err) == (2, True), err
    assert house.scoring.counts(ADMIN, MODEL) == stored


def test_answers_that_are_the_labels_are_classes_and_never_probabilities(house: Services, run: Run, path: Path) -> None:
    rng = np.random.default_rng(2)
    n = 9 * 40
    left = rng.integers(0, 2, n)
    table = pd.DataFrame({
        "timestamp": [f"2026-01-{day:02d} 06:00" for day in np.repeat(np.arange(1, 10), 40)],
        "prediction": np.where(rng.random(n) < 0.9, left, 1 - left), "label": left, "calls": rng.poisson(3, n),
    })  # fmt: skip
    table.to_csv(path, index=False)
    code, _, err = run("watch", str(path), "--model", "leavers", "--task", "binary", "--yes")
    assert (code, "are the labels themselves, not probabilities" in err) == (2, True), err
    assert house.registry.models(ADMIN) == ()
    code, out, err = run("watch", str(path), "--model", "leavers", "--yes", "--json")
    assert code == 0, err
    assert house.registry.models(ADMIN)[0].class_names == ("0", "1")
    last = next(one for one in reversed(json.loads(out)["windows"]) if one["n"])
    assert set(last["metrics"]) >= {"accuracy", "macro_f1", "recall:0", "recall:1"}


def test_a_file_whose_answer_has_no_usual_name_is_told_how_classes_are_named(
    house: Services, run: Run, path: Path
) -> None:
    island(path)
    code, out, err = run("watch", str(path), "--model", MODEL, "--time", "seen_at", "--label", "species", "--yes")
    assert (code, out) == (2, "")
    assert "No column says what the score is" in err
    assert "of several classes --prediction COLUMN, or --scores CLASS=COLUMN for each" in err
