"""Audit & admin: the faces of the page for each role, its dialogs act, and what they did is in the ledger."""

from __future__ import annotations

import pytest
from sqlalchemy import text
from streamlit.testing.v1 import AppTest

from mlops_dash.bootstrap import Services
from mlops_dash.domain.access import NOBODY, RANK, Role
from mlops_dash.domain.audit import Action, Entry
from mlops_dash.store.db import transaction
from tests.app.conftest import OpenPage, words
from tests.factories import ADMIN
from tests.tampering import unguarded


def newest(house: Services) -> Entry:
    return house.audit.entries(ADMIN).entries[0]


def click(page: AppTest, key: str) -> AppTest:
    return page.button(key=key).click().run()


@pytest.fixture
def people(house: Services) -> Services:
    house.access.create_user(ADMIN, "ada", Role.LEAD, reason="joins")
    house.access.create_user(ADMIN, "bob", Role.SCIENTIST, reason="joins the team")
    return house


def test_an_empty_ledger_says_what_will_be_here(open_page: OpenPage) -> None:
    page = open_page("audit", "viewer")
    assert "No decision has been made yet" in words(page)
    assert "0 decisions in the ledger" in words(page)
    assert page.button(key="verify").disabled
    assert not page.exception


def test_the_ledger_shows_who_what_and_why_newest_first(people: Services, open_page: OpenPage) -> None:
    page = open_page("audit", "viewer")
    table = page.dataframe[0].value
    assert list(table["#"]) == [2, 1]
    assert list(table["Who did what"]) == ["admin created the account bob", "admin created the account ada"]
    assert list(table["Why"]) == ["joins the team", "joins"]
    assert "role scientist" in table["Before → after"][0]
    assert "UTC" in table["When"][0]


def test_a_long_reason_is_read_where_it_stands(people: Services, open_page: OpenPage) -> None:
    assert open_page("audit", "viewer").dataframe[0].proto.row_height == 32
    people.access.disable_user(ADMIN, "bob", reason="is away until the autumn, and " * 4)
    assert open_page("audit", "viewer").dataframe[0].proto.row_height > 4 * 14, "above that the grid wraps its texts"


@pytest.mark.parametrize(
    ("params", "numbers"),
    [
        ({"actor": "user:admin"}, [2, 1]),
        ({"action": "user.created"}, [2, 1]),
        ({"object": "team"}, [2]),
        ({"object": "ada"}, [1]),
        ({"from": "2013-06-03"}, [2, 1]),
        ({"to": "2013-06-03"}, [2, 1]),
        ({"action": "no.such"}, [2, 1]),
    ],
)
def test_a_deep_link_filters(people: Services, open_page: OpenPage, params: dict[str, str], numbers: list[int]) -> None:
    page = open_page("audit", "viewer", **params)
    assert list(page.dataframe[0].value["#"]) == numbers


def test_filters_that_let_nothing_through_say_so_and_can_be_cleared(people: Services, open_page: OpenPage) -> None:
    page = open_page("audit", "viewer", object="nothing like this")
    assert "No entry fits these filters" in words(page)
    page = click(page, "clear-filters")
    assert list(page.dataframe[0].value["#"]) == [2, 1]


def test_a_model_and_a_last_day_narrow_the_ledger_and_its_files(people: Services, open_page: OpenPage) -> None:
    name = """it's the "queue" model"""
    people.registry.add_model(ADMIN, name, task="regression", source="external", reason="theirs")
    page = open_page("audit", "viewer", about=name)
    assert list(page.dataframe[0].value["Who did what"]) == [f"admin added the model {name}"]
    assert [one.proto.label for one in page.get("download_button")] == ["CSV", "JSON"]
    assert "No entry fits these filters" in words(open_page("audit", "viewer", about=name, to="2013-06-02"))


def test_a_deep_link_opens_one_entry(people: Services, open_page: OpenPage) -> None:
    page = open_page("audit", "viewer", entry="2")
    assert page.get("dialog")
    assert "joins the team" in words(page)
    assert newest(people).mac[:24] in words(page)


def test_an_entry_that_does_not_exist_is_said_not_raised(people: Services, open_page: OpenPage) -> None:
    page = open_page("audit", "viewer", entry="99")
    assert "The ledger has no entry 99" in words(page)
    assert not page.exception


def test_verify_says_how_many_entries_are_whole(people: Services, open_page: OpenPage) -> None:
    page = click(open_page("audit", "viewer"), "verify")
    assert "2 entries verified" in words(page)


def test_verify_names_the_entry_that_was_changed(people: Services, open_page: OpenPage) -> None:
    with transaction(people.context.databases.app) as session:
        unguarded(session).connection().execute(text("UPDATE ledger SET reason = 'another' WHERE number = 1"))
    page = click(open_page("audit", "viewer"), "verify")
    assert "entry 1 is bad" in words(page)


@pytest.mark.parametrize("role", ["viewer", "scientist", "lead"])
@pytest.mark.parametrize(("tab", "key"), [("Users", "create-user"), ("Tokens", "issue-token")])
def test_who_is_no_admin_sees_the_control_disabled_with_the_reason(
    people: Services, open_page: OpenPage, role: str, tab: str, key: str
) -> None:
    page = open_page("audit", role, tab=tab)
    assert page.button(key=key).disabled
    assert page.button(key=key).help == f"Needs the role admin; you are {role}."
    assert "ada" not in words(page)
    assert not page.dataframe


def act(page: AppTest, dialog: str, reason: str) -> AppTest:
    page.text_area(key=f"{dialog}-reason").set_value(reason)
    return click(page, f"{dialog}-act")


def test_an_admin_creates_a_user_and_the_link_is_shown_once(house: Services, open_page: OpenPage) -> None:
    page = click(open_page("audit", "admin", tab="Users"), "create-user")
    page.text_input(key="new-user-name").set_value("grace")
    page.selectbox(key="new-user-role").set_value("lead")
    page = act(page, "create-user-dialog", "asked by Ada")
    entry = newest(house)
    assert (entry.action, entry.object, entry.reason) == (Action.USER_CREATED, "grace", "asked by Ada")
    secret = page.code[0].value.rsplit("/", 1)[-1]
    assert house.access.link_is_for(NOBODY, secret) == "grace"
    page = click(page, "secret-stored")
    assert secret not in words(page)


# AppTest reruns the whole page where a browser reruns the dialog alone, so here the dialog's sentence is read from the
# session; tests/browser/test_frame.py sees it in the open dialog, beside the text that was typed.


def test_a_refused_command_leaves_its_sentence_for_the_dialog(people: Services, open_page: OpenPage) -> None:
    page = click(open_page("audit", "admin", tab="Users"), "create-user")
    page.text_input(key="new-user-name").set_value("ada")
    page = act(page, "create-user-dialog", "a long explanation")
    assert page.session_state["create-user-dialog-error"].startswith("The name 'ada' is taken")
    assert newest(people).object == "bob"


def test_a_decision_without_a_reason_is_refused_in_the_dialog(people: Services, open_page: OpenPage) -> None:
    page = click(open_page("audit", "admin", tab="Users", user="ada"), "disable-user")
    page = act(page, "disable-ada", "  ")
    assert page.session_state["disable-ada-error"].startswith("Say why")
    assert newest(people).action == Action.USER_CREATED


def test_an_admin_sets_a_role(people: Services, open_page: OpenPage) -> None:
    page = click(open_page("audit", "admin", tab="Users", user="ada"), "set-role")
    page.selectbox(key="role-of-ada").set_value("viewer")
    act(page, "set-role-ada", "changes teams")
    entry = newest(people)
    assert (entry.action, entry.before, entry.after) == (Action.USER_ROLE_SET, {"role": "lead"}, {"role": "viewer"})


def test_an_admin_disables_and_enables_a_user(people: Services, open_page: OpenPage) -> None:
    page = click(open_page("audit", "admin", tab="Users", user="ada"), "disable-user")
    page = act(page, "disable-ada", "left the house")
    assert newest(people).action == Action.USER_DISABLED
    page = act(click(page, "enable-user"), "enable-ada", "is back")
    assert newest(people).action == Action.USER_ENABLED


def test_a_demo_account_gets_no_password_link(people: Services, open_page: OpenPage) -> None:
    page = open_page("audit", "admin", tab="Users", user="lead")
    assert page.button(key="new-link").disabled
    page = open_page("audit", "admin", tab="Users", user="ada")
    page = act(click(page, "new-link"), "link-ada", "forgot the password")
    assert people.access.link_is_for(NOBODY, page.code[0].value.rsplit("/", 1)[-1]) == "ada"


def test_an_admin_issues_a_token_that_works_and_revokes_it(people: Services, open_page: OpenPage) -> None:
    page = open_page("audit", "admin", tab="Tokens")
    assert "No token yet" in words(page)
    page = click(page, "issue-token")
    offered = page.selectbox(key="new-token-user")
    assert offered.value == "viewer"  # the weakest role, unless one chooses another
    assert [one.rpartition(", ")[2] for one in offered.options] == sorted(
        (one.rpartition(", ")[2] for one in offered.options), key=lambda role: RANK[Role(role)]
    )
    offered.set_value("ada")
    page.text_input(key="new-token-label").set_value("airport service")
    page = act(page, "issue-token-dialog", "for the booking system")
    assert people.access.actor_for_token(page.code[0].value).name == "ada"
    assert list(page.dataframe[0].value["State"]) == ["Live"]
    (token,) = people.access.tokens(ADMIN)
    page = act(click(page, "revoke-token"), f"revoke-{token.id}", "rotation")
    assert newest(people).action == Action.TOKEN_REVOKED
    assert list(page.dataframe[0].value["State"]) == ["Revoked"]
    assert page.button(key="revoke-token").disabled
