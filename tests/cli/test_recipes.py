"""Recipes by command: saved, listed, run later; refused in one sentence."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mlops_dash import doctor
from mlops_dash.bootstrap import Services
from mlops_dash.training.contract import Window
from tests.cli.conftest import Run
from tests.factories import ADMIN

MODEL = 'it\'s "late"'
PROGRAM = "{python} '/srv/our team/train.py' --until {end}"


@pytest.fixture
def theirs(house: Services) -> Services:
    """A house with another team's model."""
    house.registry.add_model(ADMIN, MODEL, task="regression", reason="test")
    return house


def save(run: Run, **changes: str) -> tuple[int, str, str]:
    given = {"model": MODEL, "program": PROGRAM, "parameters": '{"train_days": 90}', **changes}
    return run("recipe", "save", "weekly", *(word for key, value in given.items() for word in (f"--{key}", value)))


def test_a_saved_recipe_is_listed_and_can_be_run(theirs: Services, run: Run) -> None:
    assert run("recipe", "list")[:2] == (0, "There is no recipe yet.\n")
    code, out, _ = save(run, timeout="60")
    assert (code, out) == (0, "Recipe weekly is saved. Run it: mlops-dash retrain weekly --wait\n")
    (kept,) = json.loads(run("recipe", "list", "--json")[1])
    assert (kept["entry"], kept["model"], kept["parameters"]) == (PROGRAM, MODEL, {"train_days": 90})
    assert kept["timeout_seconds"] == 60
    assert run("retrain", "weekly")[0] == 0
    assert theirs.jobs.recent(ADMIN)[0].recipe == "weekly"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"model": "churn"}, "Nobody watches a model 'churn'."),
        ({"parameters": "[1]"}, "The parameters are not a JSON object."),
        ({"parameters": "{"}, "The parameters are not JSON:"),
        ({"program": "python 'train.py"}, "cannot be read: No closing quotation."),
        ({"attempts": "0"}, "The recipe's max_attempts is 0."),
    ],
)
def test_a_recipe_that_cannot_be_meant_is_one_sentence(
    theirs: Services, run: Run, changes: dict[str, str], said: str
) -> None:
    code, _, err = save(run, **changes)
    assert (code, said in err, len(err.splitlines())) == (2, True, 1)
    assert theirs.retraining.recipes(ADMIN) == ()


def test_checks_of_a_file_are_kept_listed_and_exported(theirs: Services, run: Run, tmp_path: Path) -> None:
    file = tmp_path / "checks.yaml"
    file.write_text("- {name: 'it''s fast', kind: latency, program: 'team.checks:speed', at_most: 50, unit: ms}\n")
    assert save(run, checks=str(file))[0] == 0
    (kept,) = theirs.retraining.recipe(ADMIN, "weekly").checks
    assert (kept.name, kept.limit, kept.unit) == ("it's fast", 50.0, "ms")
    assert json.loads(run("recipe", "list", "--json")[1])[0]["checks"][0]["at_most"] == 50.0
    exported = tmp_path / "weekly.yaml"
    exported.write_text(run("recipe", "export", "weekly")[1], encoding="utf-8")
    assert run("recipe", "import", str(exported))[0] == 0
    assert theirs.retraining.recipe(ADMIN, "weekly").checks == (kept,)
    file.write_text("- {name: fast, kind: magic, program: a}\n")
    code, _, err = save(run, checks=str(file))
    assert (code, "of the kind 'magic'" in err, len(err.splitlines())) == (2, True, 1)
    assert save(run, checks=str(tmp_path / "none.yaml"))[0] == 2


def test_price_and_budget_are_kept_told_and_stay_when_something_else_is_saved(theirs: Services, run: Run) -> None:
    assert "not known: it has no price" in (save(run), run("recipe", "cost", "weekly"))[1][1]
    assert save(run, price="1.2", budget="50")[0] == 0
    assert save(run, timeout="60")[0] == 0
    kept = theirs.retraining.recipe(ADMIN, "weekly")
    assert (kept.price_per_hour, kept.money_a_month, kept.timeout_seconds) == (1.2, 50.0, 60)
    told = json.loads(run("recipe", "cost", "weekly", "--json")[1])
    assert (told["spent"], told["budget"], told["run_estimate"], told["stopped"]) == (None, 50.0, None, "")
    assert "0.00 EUR of 50.00 EUR this month so far (0 runs)" in run("recipe", "cost", "weekly")[1]
    assert "price_per_hour: 1.2" in run("recipe", "export", "weekly")[1]
    code, _, err = save(run, price="0")
    assert (code, "a budget and no price" in err) == (2, True)
    assert save(run, price="0", budget="0")[0] == 0
    assert theirs.retraining.recipe(ADMIN, "weekly").price_per_hour is None


def test_environment_and_checkout_are_kept_exported_and_taken_away(theirs: Services, run: Run, tmp_path: Path) -> None:
    sha = "0123456789abcdef0123456789abcdef01234567"
    assert save(run, git="file:///srv/birds.git", commit=sha, requirements="requirements.txt")[0] == 0
    assert save(run, timeout="60")[0] == 0
    kept = theirs.retraining.recipe(ADMIN, "weekly")
    assert (kept.repository, kept.commit, kept.requirements) == ("file:///srv/birds.git", sha, "requirements.txt")
    exported = tmp_path / "weekly.yaml"
    exported.write_text(run("recipe", "export", "weekly")[1], encoding="utf-8")
    assert run("recipe", "import", str(exported))[0] == 0
    assert theirs.retraining.recipe(ADMIN, "weekly").programs == kept.programs
    code, _, err = save(run, commit="main")
    assert (code, "'main' is no commit" in err, len(err.splitlines())) == (2, True, 1)
    assert save(run, git="none", requirements="none")[0] == 0
    assert theirs.retraining.recipe(ADMIN, "weekly").programs[3:] == ("", "", "")


def test_one_run_takes_other_parameters_and_refuses_those_that_the_recipe_has_not(theirs: Services, run: Run) -> None:
    save(run)
    code, _, err = run("retrain", "weekly", "--set", "train_day=30")
    assert (code, "no parameter 'train_day'" in err) == (2, True)
    assert run("retrain", "weekly", "--set", "train_days=30")[0] == 0
    assert theirs.jobs.recent(ADMIN)[0].parameters == {"train_days": 30}
    assert theirs.retraining.recipe(ADMIN, "weekly").parameters == {"train_days": 90}


def test_an_exported_recipe_is_imported_as_it_was(theirs: Services, run: Run, tmp_path: Path) -> None:
    save(run, parameters='{"train_days": 90, "since": "2014-01-31", "on": true, "why": "it\'s: late"}', memory="512")
    kept = theirs.retraining.recipe(ADMIN, "weekly")
    code, text, _ = run("recipe", "export", "weekly")
    assert code == 0
    file = tmp_path / "weekly.yaml"
    file.write_text(text.replace("timeout_seconds: 900", "timeout_seconds: 60"), encoding="utf-8")
    assert run("recipe", "import", str(file))[0] == 0
    after = theirs.retraining.recipe(ADMIN, "weekly")
    assert after == replace(kept, timeout_seconds=60, updated_at=after.updated_at)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name: w\nmodel: m\nprogramme: x:y\n", "A recipe has no field 'programme'."),
        ("name: w\nmodel: m\n", "The recipe's program is no text."),
        ("name: w\nname: w\n", "'name' stands there twice"),
        ("name: w\nmodel: m\nprogram: x:y\nmemory_mib: 4 GB\n", "The recipe's memory_mib is '4 GB'."),
        ("name: w\nmodel: m\nprogram: x:y\nparameters: {since: 2014-01-31}\n", "The parameters cannot be kept:"),
        ("name: w\nmodel: m\nprogram: x:y\nparameters: [1]\n", "are no fields with names"),
        ("- a\n", "The recipe has no fields."),
    ],
)
def test_a_file_that_says_no_recipe_is_one_sentence(
    theirs: Services, run: Run, tmp_path: Path, text: str, said: str
) -> None:
    file = tmp_path / "recipe.yaml"
    file.write_text(text, encoding="utf-8")
    code, _, err = run("recipe", "import", str(file))
    assert (code, said in err, len(err.splitlines())) == (2, True, 1)
    assert theirs.retraining.recipes(ADMIN) == ()


def test_a_check_says_what_is_missing_and_exits_by_it(
    theirs: Services, run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    save(run)
    code, _, err = run("recipe", "check", "weekly")
    assert (code, len(err.splitlines())) == (3, 1), "MLflow does not answer here"
    assert theirs.audit.entries(ADMIN).entries[0].action == "recipe.tried"
    assert [(one.state, "MLflow" in one.error) for one in theirs.jobs.recent(ADMIN)] == [("failed", True)]
    end = datetime(2026, 3, 1, tzinfo=UTC)
    found = doctor.Checked(
        "weekly", ("Its run has no logged model.",), (), "Finished after 3 s.", 3.2, 512.4, ("fitting", "done"),
        tmp_path / "weekly.log", Window(end - timedelta(days=7), end, end),
    )  # fmt: skip
    monkeypatch.setattr(doctor, "check", lambda *_given, **_more: found)
    code, out, _ = run("recipe", "check", "weekly")
    assert (code, out.splitlines()[:2]) == (1, ["weekly would fail.", "  missing: Its run has no logged model."])
    assert "  3 s, 512 MiB at most" in out
    assert out.endswith("    fitting\n    done\n")
    said = json.loads(run("recipe", "check", "weekly", "--json")[1])
    assert (said["ok"], said["missing"], said["window"]["end"]) == (False, list(found.missing), end.isoformat())


def test_a_plain_folder_takes_the_place_of_a_checkout(theirs: Services, run: Run) -> None:
    sha = "0123456789abcdef0123456789abcdef01234567"
    assert save(run, git="file:///srv/birds.git", commit=sha)[0] == 0
    assert save(run, folder="/srv/the team's birds", requirements="requirements.txt")[0] == 0
    (kept,) = theirs.retraining.recipes(ADMIN)
    assert (kept.repository, kept.commit) == ("/srv/the team's birds", "")
    said = run("recipe", "export", "weekly")[1]
    assert "repository: /srv/the team's birds" in said
    assert "commit:" not in said
    code, _, err = save(run, folder="/srv/birds", git="file:///srv/birds.git")
    assert (code, "Give one or the other." in err) == (2, True)
    assert "belong together" in save(run, folder="birds")[2]
    assert save(run, git="none", requirements="none")[0] == 0
    assert theirs.retraining.recipes(ADMIN)[0].repository == ""
