"""Connecting by command: everything registered is listed, what is chosen is watched, the server stays as it is."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from mlops_dash.bootstrap import Services
from mlops_dash.domain.audit import Action
from mlops_dash.tracking.registry import MlflowRegistry
from tests.cli.conftest import Run
from tests.factories import ADMIN

MODEL = 'it\'s "late"'


@pytest.fixture
def theirs(house: Services, mlflow_uri: str, monkeypatch: pytest.MonkeyPatch) -> Services:
    """A house that follows an MLflow with three models, of which one cannot be told."""
    registry = MlflowRegistry(mlflow_uri)
    registry.create_version(MODEL, source="/nowhere/1", run_id="", tags={"task": "regression"})
    registry.set_model_tag(MODEL, "owner", "trains")
    registry.create_version("churn", source="/nowhere/2", run_id="", tags={"task": "binary"})
    registry.create_version("riddle", source="/nowhere/3", run_id="")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow_uri)
    return house


def test_all_registered_models_are_listed(theirs: Services, run: Run) -> None:
    code, out, _ = run("connect")
    assert (code, "3 registered models, 3 not watched yet." in out) == (0, True)
    listed = {one["name"]: one for one in json.loads(run("connect", "--json")[1])["models"]}
    assert listed[MODEL]["task"] == "regression"
    assert (listed["riddle"]["task"], listed["riddle"]["why"]) == ("", "its MLmodel file cannot be read")
    assert theirs.registry.models(ADMIN) == ()


def test_chosen_models_are_watched_with_a_reason_and_then_all_that_can_be_told(theirs: Services, run: Run) -> None:
    code, out, _ = run("connect", "--adopt", MODEL, "--reason", "ours to watch")
    assert (code, f"{MODEL} is watched." in out, "Not watched: churn, riddle." in out) == (0, True, True)
    [late] = theirs.registry.models(ADMIN)
    assert (late.task, late.source, late.owner) == ("regression", "mlflow", "trains")
    [entry] = theirs.audit.entries(ADMIN).entries
    assert (entry.action, entry.reason) == (Action.MODEL_ADDED, "ours to watch")
    code, out, _ = run("connect", "--all", "--reason", "the rest", "--json")
    assert (code, json.loads(out)) == (0, {"adopted": ["churn"], "left": ["riddle"]})
    assert run("connect", "--adopt", "riddle", "--task", "binary", "--reason", "we know")[0] == 0


def test_classes_are_said_of_a_model_that_answers_in_words(theirs: Services, run: Run) -> None:
    words = ("connect", "--adopt", "riddle", "--task", "multiclass", "--reason", "ours to watch")
    code, _, err = run(*words)
    assert (code, "riddle answers with a class by its name, and 0 classes are named" in err) == (2, True)
    assert "--class NAME" in err
    assert theirs.registry.models(ADMIN) == ()
    assert run(*words, "--class", "dark red", "--class", """it's "blue\"""")[0] == 0
    [riddle] = theirs.registry.models(ADMIN)
    assert (riddle.task, riddle.class_names) == ("multiclass", ("dark red", """it's "blue\""""))


def test_many_are_adopted_by_a_file_that_is_filled_in(theirs: Services, run: Run, tmp_path: Path) -> None:
    file = tmp_path / "models.csv"
    code, out, _ = run("connect", "--export", str(file))
    assert (code, "3 models in" in out) == (0, True)
    rows = list(csv.DictReader(file.read_text(encoding="utf-8").splitlines()))
    for row in rows:
        row |= {"watch": "yes", "live": "stage:Production" if row["name"] == "churn" else row["live"]}
    rows[2] |= {"task": "art"}  # riddle

    def write() -> None:
        with file.open("w", encoding="utf-8", newline="") as to:
            writer = csv.DictWriter(to, rows[0])
            writer.writeheader()
            writer.writerows(rows)

    write()
    code, _, err = run("connect", "--adopt-from", str(file), "--reason", "ours")
    assert (code, "Line 4, riddle: 'art' is no task" in err) == (2, True)
    assert theirs.registry.models(ADMIN) == ()
    rows[2] |= {"task": "multiclass", "classes": 'no;it\'s "yes"', "live": "none"}
    write()
    code, out, err = run("connect", "--adopt-from", str(file), "--reason", "ours", "--json")
    assert (code, json.loads(out)["left"], err) == (0, [], "")
    found = {one.name: one for one in theirs.registry.models(ADMIN)}
    assert (found["churn"].live, found[MODEL].live, found["riddle"].live) == (
        "stage:Production", "alias:champion", "none",
    )  # fmt: skip
    assert found["riddle"].class_names == ("no", 'it\'s "yes"')
    assert run("model", "edit", "churn", "--live", "tag:live=yes", "--reason", "new pipeline")[0] == 0
    assert "live: tag:live=yes" in run("model", "list")[1]
    assert run("connect", "--adopt-from", str(tmp_path / "no.csv"), "--reason", "r")[0] == 2
    assert run("connect", "--export", str(tmp_path / "no" / "no.csv"))[0] == 2


def test_the_mark_is_said_of_those_that_are_named(theirs: Services, run: Run) -> None:
    assert run("connect", "--adopt", MODEL, "--live", "alias:prod", "--reason", "ours")[0] == 0
    assert theirs.registry.models(ADMIN)[0].live == "alias:prod"
    code, _, err = run("connect", "--adopt", "churn", "--live", "newest", "--reason", "ours")
    assert (code, "is no mark" in err) == (2, True)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--adopt", MODEL), "needs a reason"),
        (("--adopt", "chrun", "--reason", "r"), "No model 'chrun' is registered there."),
        (("--adopt", "churn", "riddle", "--reason", "r"), "What riddle predicts cannot be told"),
        (("file.db",), "is no address of a server"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_meant_is_one_sentence_and_adds_nothing(
    theirs: Services, run: Run, words: tuple[str, ...], said: str
) -> None:
    code, out, err = run("connect", *words)
    assert (code, out, said in err, len(err.splitlines())) == (2, "", True, 1)
    assert theirs.registry.models(ADMIN) == ()


def test_a_server_that_does_not_answer_is_exit_3(house: Services, run: Run) -> None:
    code, _, err = run("connect", "http://127.0.0.1:9")
    assert (code, "does not answer" in err, len(err.splitlines())) == (3, True, 1)
