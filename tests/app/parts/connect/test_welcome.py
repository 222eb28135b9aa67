"""The first page of an installation without a model: four ways to begin."""

from __future__ import annotations

import pytest

from mlops_dash.bootstrap import Services
from mlops_dash.domain.registry.records import Connection
from tests.app.conftest import OpenPage, words


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
    assert "mlops-dash watch predictions.csv" in said
    assert "MLFLOW_TRACKING_URI=http://127.0.0.1:9 python train.py" in said
    assert page.button(key="retry-connection")
    assert not page.exception


def test_models_of_mlflow_are_added_from_the_first_card(answering: Services, open_page: OpenPage) -> None:
    page = open_page("overview", "scientist")
    assert "answers with 2 registered models" in words(page)
    assert not page.button(key="add-models").disabled


def test_a_viewer_sees_what_would_be_watched_and_why_not_by_them(answering: Services, open_page: OpenPage) -> None:
    page = open_page("overview", "viewer")
    assert page.button(key="add-models").disabled
    assert "Needs the role scientist" in page.button(key="add-models").help
