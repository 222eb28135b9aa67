"""`semver`: says what a version is called and why, and calls it otherwise with a reason."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from mlops_dash import cli
from mlops_dash.cli import numbers as words
from mlops_dash.services.command import Context
from mlops_dash.services.registry import RegistryService
from tests import factories
from tests.factories import SCIENTIST, WORKER

NAME = """it's the "queue" 队列"""
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(context: Context, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    registry = RegistryService(context)
    registry.add_model(SCIENTIST, NAME, task="regression", source="external", reason="a call centre")
    registry.record_version(WORKER, NAME, "1")
    monkeypatch.setattr(words, "services", lambda: SimpleNamespace(context=context, registry=registry))
    monkeypatch.setattr(words, "actor", lambda made: factories.SCIENTIST)

    def call(*said: str) -> tuple[int, str, str]:
        code = cli.main(["semver", *said])
        heard = capsys.readouterr()
        return code, heard.out, heard.err

    return call


def test_it_says_the_number_and_why(run: Run) -> None:
    assert run(NAME, "v1")[:2] == (0, "v1: 1.0.0: no champion before it.\n")
    answer = json.loads(run(NAME, "1", "--json")[1])
    assert (answer["number"], answer["change"], answer["kept"]) == ("1.0.0", None, False)


def test_it_is_called_otherwise_with_a_reason(run: Run) -> None:
    answer = json.loads(run(NAME, "1", "--set", "4.2.0", "--reason", "theirs", "--json")[1])
    assert (answer["number"], answer["by_hand"], answer["reason"]) == ("4.2.0", True, "theirs")
    assert run(NAME, "1")[1] == "v1: 4.2.0, set by hand.\n"


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ((NAME, "1", "--set", "4.2.0"), "--set and --reason belong together."),
        ((NAME, "1", "--set", "four", "--reason", "x"), "'four' is no semantic number."),
        ((NAME, "9"), "has no version 9."),
        (("nobody's", "1"), "nobody's"),
    ],
)
def test_bad_input_is_named(run: Run, said: tuple[str, ...], why: str) -> None:
    code, out, error = run(*said)
    assert (code, out) == (2, "")
    assert why in error
