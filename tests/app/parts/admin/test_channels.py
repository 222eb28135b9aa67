"""Audit & admin, tab Messages: an admin makes a channel, tests it, reads what became of it; others look."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from mlops_dash.bootstrap import Services
from mlops_dash.domain.notices import ChannelKind, NoticeState, Route
from tests.app.conftest import OpenPage, words
from tests.factories import ADMIN

MODEL = 'it\'s "late"'


def click(page: AppTest, key: str) -> AppTest:
    return page.button(key=key).click().run()


def act(page: AppTest, dialog: str, reason: str) -> AppTest:
    page.text_area(key=f"{dialog}-reason").set_value(reason)
    return click(page, f"{dialog}-act")


@pytest.fixture
def trains(house: Services) -> Services:
    house.registry.add_model(ADMIN, MODEL, task="regression", source="external", reason="test")
    return house


def test_nobody_is_told_until_somebody_makes_a_channel(trains: Services, open_page: OpenPage) -> None:
    page = open_page("audit", "admin", tab="Messages")
    assert "Nobody is told of alerts yet" in words(page)
    page = click(page, "add-channel")
    page.text_input(key="new-channel-name").set_value("on call")
    page.text_input(key="new-channel-address-email").set_value("team@example.com")
    page.multiselect(key="new-channel-models").set_value([MODEL])
    page.text_input(key="new-channel-quiet-from").set_value("22:00")
    page.text_input(key="new-channel-quiet-to").set_value("07:00")
    page = act(page, "add-channel-dialog", "the team asked")
    (made,) = trains.notices.channels(ADMIN)
    assert (made.name, made.kind, made.route.models, made.route.quiet_to) == (
        "on call", ChannelKind.EMAIL, (MODEL,), "07:00",
    )  # fmt: skip
    assert list(page.dataframe[0].value["Name"]) == ["on call"]
    page = click(page, "test-channel")
    assert "No mail server is set: it lies in outbox/" in words(page)
    assert list(page.dataframe[1].value["State"]) == ["Sent"]


def test_the_secret_of_a_web_hook_is_shown_once(trains: Services, open_page: OpenPage) -> None:
    page = open_page("audit", "admin", tab="Messages")
    page.session_state["new-channel-kind"] = ChannelKind.WEBHOOK  # a choice redraws the dialog alone, in a browser
    page = click(page, "add-channel")
    page.text_input(key="new-channel-name").set_value("hook")
    page.text_input(key="new-channel-address-webhook").set_value("https://hooks.example/T0")
    page = act(page, "add-channel-dialog", "a wall")
    assert len(page.code[0].value) == 64


def test_what_was_not_sent_can_be_sent_again(trains: Services, open_page: OpenPage) -> None:
    trains.notices.add(ADMIN, "hook", ChannelKind.WEBHOOK, "http://127.0.0.1:9/x", Route(), reason="test")
    failed = trains.notices.send_now(ADMIN, trains.notices.test(ADMIN, "hook").id)
    assert failed.state is NoticeState.FAILED
    trains.notices.edit(ADMIN, "hook", enabled=False, reason="test")
    page = open_page("audit", "admin", tab="Messages")
    assert "MLOPS_DASH_WEBHOOK_NETWORKS" in page.dataframe[1].value["What became of it"][0]
    page = act(click(page, "send-again"), f"send-again-{failed.id}", "look again")
    assert trains.notices.log(ADMIN)[0].attempts == 1


def test_a_refusal_stands_in_the_dialog_and_loses_nothing(trains: Services, open_page: OpenPage) -> None:
    page = click(open_page("audit", "admin", tab="Messages"), "add-channel")
    page.text_input(key="new-channel-name").set_value("on call")
    page.text_input(key="new-channel-address-email").set_value("nobody")
    page = act(page, "add-channel-dialog", "the team asked")
    assert page.session_state["add-channel-dialog-error"].startswith("'nobody' is no e-mail address")
    assert trains.notices.channels(ADMIN) == ()


def test_who_may_not_looks_and_cannot_press(trains: Services, open_page: OpenPage) -> None:
    trains.notices.add(ADMIN, "chat", ChannelKind.SLACK, "https://hooks.example/T0/SECRET", Route(), reason="test")
    page = open_page("audit", "viewer", tab="Messages")
    assert list(page.dataframe[0].value["Where"]) == ["hooks.example/…"]
    assert all(page.button(key=key).disabled for key in ("add-channel", "test-channel", "edit-channel"))
