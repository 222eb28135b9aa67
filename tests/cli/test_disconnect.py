"""Leaving an MLflow: what of ours stands there is listed, then taken away; where nothing does, nothing is asked."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from mlops_dash.bootstrap import Services
from mlops_dash.domain.audit import Action, anchor_tag
from mlops_dash.errors import Unavailable
from mlops_dash.tracking.registry import MlflowRegistry
from tests.cli.conftest import Run
from tests.factories import ADMIN, WORKER
from tests.runs_server import serving

MODEL = 'it\'s "late"'


@pytest.fixture
def server(mlflow_uri: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Somebody's server with two models, one of which carries a tag of theirs."""
    registry = MlflowRegistry(mlflow_uri)
    for name in (MODEL, "churn"):
        registry.create_version(name, source="/nowhere/1", run_id="")
    registry.set_model_tag(MODEL, "mlops_dash.task", "regression")  # theirs, though it is about us
    with serving(mlflow_uri, monkeypatch) as address:
        yield address


@pytest.fixture
def written(house: Services, server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The server after the ledger's head was kept there, and the setting taken back."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server)
    house.registry.add_model(ADMIN, MODEL, task="regression", reason="ours to watch")
    registry = MlflowRegistry(server)
    registry.set_model_tag(MODEL, anchor_tag(house.context.settings.ledger_key), "1:a:b")
    return server


def tags(house: Services, server: str) -> tuple[dict[str, str], dict[str, str]]:
    registry = MlflowRegistry(server)
    ours = registry.model_tags(anchor_tag(house.context.settings.ledger_key))
    return ours, registry.model_tags("mlops_dash.task")


def test_what_we_wrote_is_listed_and_then_taken_away(house: Services, written: str, run: Run) -> None:
    code, out, _ = run("disconnect", "--dry-run")
    assert (code, f"{MODEL} carries the tag mlops_dash.ledger." in out) == (0, True)
    assert len(tags(house, written)[0]) == 1
    code, _, err = run("disconnect")
    assert (code, "needs a reason" in err, len(tags(house, written)[0])) == (2, True, 1)

    code, out, err = run("disconnect", "--reason", "we move out", "--json")

    assert (code, json.loads(out)["removed"], err) == (0, [MODEL], "")
    assert tags(house, written) == ({}, {MODEL: "regression"})
    entry = house.audit.entries(ADMIN).entries[0]
    assert (entry.action, entry.reason, entry.before["models"]) == (Action.MLFLOW_LEFT, "we move out", [MODEL])
    assert run("disconnect", "--reason", "again")[:2] == (0, f"Nothing of ours stands in {written}.\n")
    assert len(house.audit.entries(ADMIN).entries) == 2


def test_a_server_we_never_wrote_to_is_asked_nothing_more(house: Services, server: str, run: Run) -> None:
    assert run("disconnect", server) == (0, f"Nothing of ours stands in {server}.\n", "")
    assert house.audit.entries(ADMIN).entries == ()


def test_what_the_settings_keep_is_not_taken_away(
    house: Services, written: str, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLOPS_DASH_LEDGER_IN_MLFLOW", "1")
    code, _, err = run("disconnect", "--reason", "we move out")
    assert (code, "Unset MLOPS_DASH_LEDGER_IN_MLFLOW first." in err, len(tags(house, written)[0])) == (2, True, 1)


def test_a_server_that_lets_us_change_nothing_is_one_sentence(
    house: Services, written: str, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise Unavailable("MLflow could not take the tag off: it answers 403.")

    monkeypatch.setattr(MlflowRegistry, "remove_model_tag", refuse)
    code, _, err = run("disconnect", "--reason", "we move out")
    assert (code, "it answers 403" in err, "by an account that may" in err, len(err.splitlines())) == (3, True, True, 1)
    assert not house.audit.anchor(WORKER)


@pytest.mark.parametrize(
    ("uri", "said", "exit_code"), [("file.db", "is no address", 2), ("http://127.0.0.1:9", "answer", 3)]
)
def test_what_is_no_server_is_said(house: Services, run: Run, uri: str, said: str, exit_code: int) -> None:
    code, out, err = run("disconnect", uri, "--dry-run")
    assert (code, out, said in err) == (exit_code, "", True)
