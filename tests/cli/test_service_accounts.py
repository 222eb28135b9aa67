"""Programs' accounts at the command line: made with a token that works, given other models, locked, listed."""

from __future__ import annotations

import json

import pytest

from mlops_dash.bootstrap import Services
from mlops_dash.errors import NotAuthenticated
from tests.cli.conftest import Run
from tests.factories import ADMIN

MODEL = 'it\'s "late"'


@pytest.fixture
def trains(house: Services) -> Services:
    house.registry.add_model(ADMIN, MODEL, task="regression", source="external", reason="late trains")
    house.registry.add_model(ADMIN, "species", task="binary", source="external", reason="birds")
    return house


def test_an_account_is_made_with_a_token_shown_once(trains: Services, run: Run) -> None:
    code, secret, _ = run("service", "add", "kiosk", "--model", MODEL, "--reason", "tickets")
    assert code == 0
    actor = trains.access.actor_for_token(secret.strip())
    assert (actor.name, actor.models) == ("kiosk", {MODEL})
    token, account = trains.audit.entries(ADMIN).entries[:2]
    assert (account.action, account.reason) == ("service.created", "tickets")
    assert (token.action, token.after["days"]) == ("token.issued", 365)
    code, said, _ = run("service", "add", "other", "--model", "species", "--days", "0", "--reason", "x", "--json")
    answer = json.loads(said)
    assert (answer["name"], answer["models"], answer["ends"]) == ("other", ["species"], None)
    assert trains.access.actor_for_token(answer["token"]).name == "other"


def test_its_models_are_set_and_it_is_locked_and_opened(trains: Services, run: Run) -> None:
    assert run("service", "list")[1] == "No service account yet.\n"
    secret = run("service", "add", "kiosk", "--model", MODEL, "--reason", "tickets")[1].strip()
    said = run("service", "models", "kiosk", "--model", "species", "--model", MODEL, "--reason", "both")[1]
    assert said == f"kiosk may write {MODEL}, species, and nothing else.\n"
    run("service", "disable", "kiosk", "--reason", "lost")
    with pytest.raises(NotAuthenticated):
        trains.access.actor_for_token(secret)
    assert run("service", "list")[1] == f"kiosk  {MODEL}, species  disabled\n"
    run("service", "enable", "kiosk", "--reason", "found")
    assert trains.access.actor_for_token(secret).models == {MODEL, "species"}
    (listed,) = json.loads(run("service", "list", "--json")[1])
    assert listed == {"name": "kiosk", "models": [MODEL, "species"], "disabled": False}


def test_its_token_reads_and_decides_nothing_at_the_command_line(
    trains: Services, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = run("service", "add", "kiosk", "--model", MODEL, "--reason", "tickets")[1].strip()
    monkeypatch.setenv("MLOPS_DASH_TOKEN", secret)
    for words in (("model", "list"), ("service", "list"), ("monitor", "--model", MODEL), ("user", "token", "kiosk")):
        code, _, error = run(*words)
        assert (code, "kiosk may not do" in error) == (2, True), words


def test_an_unknown_model_makes_no_account(trains: Services, run: Run) -> None:
    code, said, error = run("service", "add", "kiosk", "--model", "churn", "--reason", "tickets")
    assert (code, said) == (2, "")
    assert error.startswith("No model 'churn'")
    assert trains.access.service_accounts(ADMIN) == ()
