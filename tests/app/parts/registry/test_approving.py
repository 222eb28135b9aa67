"""Approving on the page with conditions, a day of review and the password again; and saying that they are done."""

from __future__ import annotations

from datetime import timedelta

from mlops_dash.domain.policies import PolicyKind
from mlops_dash.services.access import passwords
from mlops_dash.services.policies import PolicyService
from mlops_dash.store import access as access_store
from mlops_dash.store.db import transaction
from tests.app.conftest import OpenPage, words
from tests.app.views.test_registry import click, decide, told, told_once
from tests.factories import ADMIN, LEAD, NOON, VIEWER
from tests.registry_world import MODEL, World

__all__ = ["told", "told_once"]


def test_conditions_are_asked_shown_escaped_and_done(told: World, open_page: OpenPage) -> None:
    made = told.service.open_proposal(LEAD, MODEL)
    key = f"approve-{made.id}-{made.revision}"
    page = click(open_page("registry", "lead", model=MODEL, version="3"), "approve")
    page.text_area(key=f"{key}-conditions").set_value("watch **Dream** <b>\ntell the shift")
    page.date_input(key=f"{key}-review").set_value(NOON.date() + timedelta(days=7))
    page.text_area(key=f"{key}-reason").set_value("fine")
    click(page, f"{key}-act")
    asked = told.service.conditions(VIEWER, MODEL)
    assert [one.kind for one in asked] == ["condition", "condition", "review"]

    page = open_page("registry", "lead", model=MODEL, version="3")
    assert "<b>" not in "".join(one.value for one in page.markdown if "Dream" in one.value).replace("\\<b>", "")
    assert "Review v3 by 10 Jun 2013" in words(page)
    decide(page, f"done-{asked[0].id}", f"done-{asked[0].id}", "told them at six")
    assert told.service.conditions(VIEWER, MODEL)[0].done_note == "told them at six"
    page = open_page("registry", "scientist", model=MODEL, version="3")
    assert "told them at six" in words(page)
    assert page.button(key=f"done-{asked[1].id}").disabled


def test_the_password_is_asked_where_the_tier_wants_it(told: World, open_page: OpenPage) -> None:
    made = told.service.open_proposal(LEAD, MODEL)
    told.service.withdraw(ADMIN, made.id, made.revision, comment="rules first")
    policies = PolicyService(told.context)
    rules = {"tier_1_password": "again", "tier_1_approvals": 2}
    policy = policies.propose(LEAD, MODEL, PolicyKind.PROMOTION, rules, reason="an auditor signs")
    policies.activate(ADMIN, policy.id, reason="agreed")
    told.service.edit_model(LEAD, MODEL, {"tier": 1}, reason="it decides about people")
    with transaction(told.context.databases.app) as session:
        access_store.change_user(session, LEAD.id, password_hash=passwords.hashed("a long enough one", "lead"))
    made = told.proposal(version="3")
    key = f"approve-{made.id}-{made.revision}"
    page = click(open_page("registry", "lead", model=MODEL, version="3"), "approve")
    assert "2 approvals, each with the password said again" in words(page)
    page.text_area(key=f"{key}-reason").set_value("fine")
    page.text_input(key=f"{key}-password").set_value("a guess")
    page = click(page, f"{key}-act")
    assert "not your password" in page.session_state[f"{key}-error"]
    page = click(page, "approve")
    page.text_area(key=f"{key}-reason").set_value("fine")
    page.text_input(key=f"{key}-password").set_value("a long enough one")
    click(page, f"{key}-act")
    assert told.service.room(VIEWER, MODEL, "3").approvals_counted == 1
