"""Programs' accounts on Audit & admin, tab Tokens: an admin makes one with a token, sets its models, locks it."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from mlops_dash.bootstrap import Services
from mlops_dash.domain.audit import Action
from mlops_dash.errors import NotAuthenticated
from tests.app.conftest import OpenPage, words
from tests.factories import ADMIN

MODEL = 'it\'s "late"'  # minutes late, a regression


@pytest.fixture
def trains(house: Services) -> Services:
    for name in (MODEL, "species"):
        house.registry.add_model(ADMIN, name, task="regression", source="external", reason="test")
    return house


def click(page: AppTest, key: str) -> AppTest:
    return page.button(key=key).click().run()


def act(page: AppTest, dialog: str, reason: str) -> AppTest:
    page.text_area(key=f"{dialog}-reason").set_value(reason)
    return click(page, f"{dialog}-act")


def test_without_a_model_there_is_nothing_to_make_an_account_for(house: Services, open_page: OpenPage) -> None:
    page = open_page("audit", "admin", tab="Tokens")
    assert page.button(key="create-service").disabled
    assert "No service account yet" in words(page)


def test_an_admin_makes_one_and_its_token_is_shown_once(trains: Services, open_page: OpenPage) -> None:
    page = click(open_page("audit", "admin", tab="Tokens"), "create-service")
    page.text_input(key="new-service-name").set_value("kiosk")
    page.multiselect(key="new-service-models").set_value([MODEL])
    page = act(page, "create-service-dialog", "tickets")
    actor = trains.access.actor_for_token(page.code[0].value)
    assert (actor.name, actor.models) == ("kiosk", {MODEL})
    assert [(one.action, one.reason) for one in trains.audit.entries(ADMIN).entries[:2]] == [
        (Action.TOKEN_ISSUED, "tickets"), (Action.SERVICE_CREATED, "tickets"),
    ]  # fmt: skip
    assert list(page.dataframe[0].value["Writes"]) == [MODEL]
    assert list(page.dataframe[1].value["Role"]) == ["service"]


def test_an_account_without_a_model_is_refused_in_the_dialog(trains: Services, open_page: OpenPage) -> None:
    page = click(open_page("audit", "admin", tab="Tokens"), "create-service")
    page.text_input(key="new-service-name").set_value("kiosk")
    page = act(page, "create-service-dialog", "tickets")
    assert page.session_state["create-service-dialog-error"].startswith("A service account without a model")
    assert trains.access.service_accounts(ADMIN) == ()


def test_an_admin_sets_its_models_and_locks_it(trains: Services, open_page: OpenPage) -> None:
    trains.access.create_service(ADMIN, "kiosk", [MODEL], reason="tickets")
    secret = trains.access.issue_token(ADMIN, "kiosk", label="kiosk").secret
    page = click(open_page("audit", "admin", tab="Tokens"), "set-service-models")
    page.multiselect(key="models-of-kiosk").set_value(["species"])
    page = act(page, "set-models-kiosk", "moved")
    assert trains.access.actor_for_token(secret).models == {"species"}
    page = act(click(page, "disable-service"), "disable-service-kiosk", "lost")
    with pytest.raises(NotAuthenticated):
        trains.access.actor_for_token(secret)
    assert list(page.dataframe[0].value["State"]) == ["Disabled"]
    page = act(click(page, "enable-service"), "enable-service-kiosk", "found")
    assert trains.access.actor_for_token(secret).name == "kiosk"
