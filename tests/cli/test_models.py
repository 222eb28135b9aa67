"""Models by command: added, edited, archived, restored, listed; refused in one sentence."""

from __future__ import annotations

import json

import pytest

from mlops_dash.bootstrap import Services
from mlops_dash.domain.audit import Action
from tests.cli.conftest import Run
from tests.factories import ADMIN

MODEL = 'it\'s "late"'  # minutes late, a regression


def add(run: Run, *words: str) -> tuple[int, str, str]:
    return run("model", "add", MODEL, "--task", "regression", "--source", "external", "--reason", "theirs", *words)


def test_a_model_is_added_edited_archived_restored_and_listed(house: Services, run: Run) -> None:
    assert run("model", "list")[:2] == (0, "No model is watched yet.\n")
    code, out, _ = add(run, "--owner", "team late", "--do-not-log", "name", "--do-not-log", "phone")
    assert (code, out) == (0, f"{MODEL} is watched as a regression model: push its rows, or watch a file of them.\n")
    code, out, _ = run("model", "edit", MODEL, "--title", "Late trains", "--tier", "1", "--log-all", "--reason", "r")
    assert (code, out) == (0, f"{MODEL}: Late trains · regression · tier 1 · owner team late · external\n")
    (kept,) = json.loads(run("model", "list", "--json")[1])
    assert (kept["name"], kept["title"], kept["do_not_log"]) == (MODEL, "Late trains", [])

    assert run("model", "archive", MODEL, "--reason", "replaced")[0] == 0
    assert run("model", "list")[1] == "No model is watched yet.\n"
    assert "archived" in run("model", "list", "--archived")[1]
    assert run("model", "restore", MODEL, "--reason", "needed again")[:2] == (0, f"{MODEL} is back as it was.\n")
    assert [(entry.action, entry.reason) for entry in house.audit.entries(ADMIN).entries][:2] == [
        (Action.MODEL_RESTORED, "needed again"), (Action.MODEL_ARCHIVED, "replaced"),
    ]  # fmt: skip


def test_a_model_of_several_classes_is_added_with_their_names(house: Services, run: Run) -> None:
    words = ("model", "add", "penguins", "--task", "multiclass", "--source", "external", "--reason", "theirs")
    code, _, err = run(*words)
    assert (code, "0 classes are named" in err) == (2, True)
    assert run(*words, "--class", "Gentoo", "--class", 'it\'s "Chinstrap"')[0] == 0
    assert house.registry.models(ADMIN)[0].class_names == ("Gentoo", 'it\'s "Chinstrap"')


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("add", MODEL, "--reason", "r"), "A model"),
        (("edit", MODEL, "--reason", "r"), "Nothing says what to change."),
        (("edit", MODEL, "--log-all", "--do-not-log", "a", "--reason", "r"), "contradict each other"),
        (("edit", MODEL, "--tier", "2", "--reason", "r"), "would change"),
        (("edit", "chrun", "--tier", "2", "--reason", "r"), "No model 'chrun'."),
        (("restore", MODEL, "--reason", "r"), "is not archived."),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_meant_is_one_sentence(house: Services, run: Run, words: tuple[str, ...], said: str) -> None:
    add(run)
    code, out, err = run("model", *words)
    assert (code, out, said in err, len(err.splitlines())) == (2, "", True, 1)


def test_who_answers_for_a_model_that_others_serve_is_said_by_command(house: Services, run: Run) -> None:
    add(run)
    empty = house.monitoring.room(ADMIN, MODEL)
    typed = """mlops-dash model answers 'it'"'"'s "late"' --version V --reason TEXT"""
    assert (empty.empty, empty.empty_next) == ("Nothing is served yet", f"Say which version answers: {typed}")
    words = ("model", "answers", MODEL, "--version", "7", "--reason", "our call centre runs it")
    code, out, _ = run(*words)
    assert (code, out) == (0, f"{MODEL} v7 answers now; its rows are watched.\n")
    assert house.monitoring.room(ADMIN, MODEL).version == "7"
    [said] = [one for one in house.audit.entries(ADMIN).entries if one.action == Action.SERVED_ELSEWHERE]
    assert (said.reason, said.after["champion"]) == ("our call centre runs it", "v7")
    code, out, err = run(*words)
    assert (code, out, "answers already" in err) == (2, "", True)


def test_who_answers_for_a_model_of_our_gateway_is_no_word_of_one_person(house: Services, run: Run) -> None:
    house.registry.add_model(ADMIN, "ours", reason="r")
    house.registry.record_version(ADMIN, "ours", "1")
    code, _, err = run("model", "answers", "ours", "--version", "1", "--reason", "r")
    assert (code, "Propose the version" in err) == (2, True)
