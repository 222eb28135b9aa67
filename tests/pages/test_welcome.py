"""The first page of an installation without a model: three ways to begin, and watching a model of MLflow."""

from __future__ import annotations

import pytest

from mlops_dash.bootstrap import Services
from mlops_dash.domain.audit import Action
from mlops_dash.domain.registry import Connection
from tests.factories import ADMIN, VIEWER
from tests.pages.conftest import OpenPage, words


@pytest.fixture
def answering(house: Services, monkeypatch: pytest.MonkeyPatch) -> Services:
    """An MLflow that answers with two registered models."""
    found = Connection(reachable=True, reason="", unwatched=("churn", "fraud"))
    monkeypatch.setattr(house.registry, "connection", lambda _actor: found, raising=False)
    return house


def test_an_mlflow_that_is_away_is_said_and_the_other_ways_stay(open_page: OpenPage) -> None:
    page = open_page("overview", "admin")
    said = words(page)
    assert "No model is known yet" in said
    assert "does not answer" in said
    assert "mlops-dash up --demo" in said
    assert "MLFLOW_TRACKING_URI=http://127.0.0.1:9 python train.py" in said
    assert page.button(key="retry-connection")
    assert not page.exception


def test_a_model_of_mlflow_is_watched_with_two_clicks(answering: Services, open_page: OpenPage) -> None:
    page = open_page("overview", "scientist")
    assert "answers with 2 registered models" in words(page)
    page = page.button(key="watch").click().run()
    page.selectbox(key="watch-name").set_value("fraud")
    page.button(key="watch-act").click().run()
    [model] = answering.registry.models(VIEWER)
    assert (model.name, model.task, model.owner) == ("fraud", "binary", "scientist")
    [entry] = answering.audit.entries(ADMIN).entries
    assert (entry.action, entry.actor) == (Action.MODEL_ADDED, "user:scientist")


def test_a_viewer_sees_what_would_be_watched_and_why_not_by_them(answering: Services, open_page: OpenPage) -> None:
    page = open_page("overview", "viewer")
    assert page.button(key="watch").disabled
    assert "Needs the role scientist" in page.button(key="watch").help
