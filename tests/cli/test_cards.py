"""`card`: shown, written from words or a file, approved by another person; mistakes are one sentence."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from mlops_dash import cli
from mlops_dash.cli import cards as words
from mlops_dash.domain.registry.card import FIELDS
from mlops_dash.services.command import Context
from mlops_dash.services.registry import RegistryService
from tests import factories
from tests.factories import LEAD, SCIENTIST

Run = Callable[..., tuple[int, str, str]]
MODEL = "o'brien"


@pytest.fixture
def run(context: Context, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    class House:
        registry = RegistryService(context)

    House.registry.add_model(SCIENTIST, MODEL, task="regression", source="external", reason="theirs")
    who = [factories.SCIENTIST]
    monkeypatch.setattr(words, "services", House)
    monkeypatch.setattr(words, "actor", lambda made: who[0])

    def call(*said: str, by: object = None) -> tuple[int, str, str]:
        who[0] = by or factories.SCIENTIST  # type: ignore[assignment]
        code = cli.main(["card", *said])
        heard = capsys.readouterr()
        return code, heard.out, heard.err

    return call


def test_a_card_is_written_and_approved(run: Run, tmp_path: Path) -> None:
    assert run("show", MODEL)[1].startswith("0 of 7 fields are written")
    code, out, _ = run("set", MODEL, "--set", "limits=no nights: = and : too", "--reason", "first")
    assert (code, out.startswith("Revision 1 of the card of o'brien is kept. 1 of 7")) == (0, True)
    file = tmp_path / "card.yaml"
    file.write_text(run("show", MODEL, "--yaml")[1].replace("''", "some words"))
    assert run("set", MODEL, "--file", str(file), "--reason", "all")[0] == 0
    answer = json.loads(run("show", MODEL, "--json")[1])
    assert (answer["filled"], answer["missing"], answer["state"]) == (len(FIELDS), [], "complete")
    assert answer["fields"]["limits"] == "no nights: = and : too"
    assert run("approve", MODEL, "--reason", "read", by=LEAD)[0] == 0
    assert "approved by lead" in run("show", MODEL)[1]


@pytest.mark.parametrize(
    ("said", "error"),
    [
        (["set", MODEL, "--reason", "x"], "Nothing says what to write."),
        (["set", MODEL, "--set", "limits", "--reason", "x"], "names no text"),
        (["set", MODEL, "--set", "speed=fast", "--reason", "x"], "no field 'speed'"),
        (["set", MODEL, "--file", "nowhere.yaml", "--reason", "x"], "cannot be read"),
        (["approve", MODEL, "--reason", "x"], "lead"),
        (["show", "nobody"], "nobody"),
    ],
)
def test_a_mistake_is_one_sentence(run: Run, said: list[str], error: str) -> None:
    code, _, heard = run(*said)
    assert code == 2
    assert error in heard
    assert heard.count("\n") == 1


def test_a_file_that_says_no_text_is_refused(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "card.yaml"
    file.write_text("limits: [1, 2]\n")
    assert "is no text" in run("set", MODEL, "--file", str(file), "--reason", "x")[2]
    file.write_text("limits: a\nlimits: b\n")
    assert "stands there twice" in run("set", MODEL, "--file", str(file), "--reason", "x")[2]
