"""Deputies on Audit & admin, tab Users: a lead names one, they approve in the name, either ends it."""

from __future__ import annotations

from mlops_dash.domain.audit import Action
from tests.app.conftest import OpenPage, words
from tests.app.views.test_registry import click, decide, told, told_once
from tests.factories import ADMIN, LEAD, VIEWER
from tests.registry_world import MODEL, World

__all__ = ["told", "told_once"]


def test_a_lead_names_a_deputy_who_approves_in_their_name(told: World, open_page: OpenPage) -> None:
    page = click(open_page("audit", "lead", tab="Users"), "name-deputy")
    page.selectbox(key="new-deputy").set_value("admin")
    page.text_area(key="name-deputy-dialog-reason").set_value("<b>on leave</b>")
    page = click(page, "name-deputy-dialog-act")
    assert list(page.dataframe[-1].value["For"]) == ["lead"]
    assert list(page.dataframe[-1].value["State"]) == ["Standing"]

    made = told.service.open_proposal(LEAD, MODEL)
    key = f"approve-{made.id}-{made.revision}"
    page = click(open_page("registry", "admin", model=MODEL, version="3"), "approve")
    page.selectbox(key=f"{key}-name").set_value("lead")
    page.text_area(key=f"{key}-reason").set_value("fine")
    click(page, f"{key}-act")
    entry = told.ledger()[-1]
    assert (entry.action, entry.actor, entry.after["in_name_of"]) == (Action.PROPOSAL_APPROVED, ADMIN.id, LEAD.id)
    assert "for Lead" in words(open_page("registry", "viewer", model=MODEL, version="3"))

    page = open_page("audit", "lead", tab="Users")
    decide(page, "end-deputy", f"end-deputy-{page.selectbox(key='deputy').value}", "back")
    assert told.actions()[-1] is Action.DEPUTY_ENDED


def test_a_viewer_sees_who_stands_in_and_can_name_nobody(told: World, open_page: OpenPage) -> None:
    page = open_page("audit", "viewer", tab="Users")
    assert page.button(key="name-deputy").disabled
    assert "Nobody stands in for anybody" in words(page)
    assert told.service.room(VIEWER, MODEL).stands_for == ()
