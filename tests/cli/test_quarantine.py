"""The command that lists what was set aside."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from mlops_dash import cli
from mlops_dash.bootstrap import Services
from mlops_dash.store.prediction_log import to_us
from tests.factories import WORKER
from tests.strangers import LIVE, Stranger

NAME = 'their "best" o\'clock'


def test_the_quarantine_says_how_many_why_and_shows_a_few(house: Services, capsys: pytest.CaptureFixture[str]) -> None:
    stranger = Stranger(house, NAME)
    stranger.begin()
    for number in range(5):
        stranger.smuggle(f"row {number}", to_us(LIVE + timedelta(hours=number)), {"x": "n/a", "kind": "flat"})
    house.monitoring.profile_dirty_hours(WORKER, model=NAME)
    assert cli.main(["quarantine", "--model", NAME]) == 0
    said = capsys.readouterr().out
    assert f"5 rows of {NAME} are set aside." in said
    assert "v1 x: is no number, as the column holds" in said
    assert said.count("'n/a'") == 3  # a few of them
    assert cli.main(["quarantine", "--model", NAME, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["rows"], found["groups"][0]["rows"], found["groups"][0]["column"]) == (5, 5, "x")


def test_an_empty_quarantine_and_an_unknown_model_are_one_sentence(
    house: Services, capsys: pytest.CaptureFixture[str]
) -> None:
    Stranger(house, NAME).begin()
    assert cli.main(["quarantine", "--model", NAME]) == 0
    assert capsys.readouterr().out == "Nothing is set aside.\n"
    assert cli.main(["quarantine", "--model", "nobody's"]) == 2
    assert "No model nobody's" in capsys.readouterr().err
