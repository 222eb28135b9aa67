"""Policies on Audit & admin: read by all, written by one, put into force by another."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from mlops_dash.bootstrap import Services
from mlops_dash.domain.audit import Action
from mlops_dash.domain.policies import PolicyKind
from tests import penguins
from tests.app.conftest import OpenPage, words
from tests.factories import ADMIN, LEAD, SCIENTIST, VIEWER

MODEL = 'it\'s "late"'  # minutes late, a regression
KIND = PolicyKind.PROMOTION


@pytest.fixture
def theirs(house: Services) -> Services:
    """A house with another team's model."""
    house.registry.add_model(SCIENTIST, MODEL, task="regression", source="external", reason="test")
    return house


def act(page: AppTest, dialog: str, reason: str) -> AppTest:
    page.text_area(key=f"{dialog}-reason").set_value(reason)
    return page.button(key=f"{dialog}-act").click().run()


def test_a_house_without_a_model_says_where_policies_will_be(open_page: OpenPage) -> None:
    assert "No model is known yet" in words(open_page("audit", "viewer", tab="Policies"))


def test_a_viewer_reads_every_field_and_what_it_means(theirs: Services, open_page: OpenPage) -> None:
    page = open_page("audit", "viewer", tab="Policies")
    table = page.dataframe[0].value.set_index("Field")
    assert table.loc["primary", "Value"] == "mae"
    assert "no first version passes" in table.loc["floor metric", "What it means"]
    assert "nobody has written a policy" in words(page)
    assert page.button(key="propose-policy").disabled
    assert page.button(key="propose-policy").help == "Needs the role lead; you are viewer."


def test_a_lead_writes_the_next_version_and_an_admin_activates_it(theirs: Services, open_page: OpenPage) -> None:
    page = open_page("audit", "lead", tab="Policies", model=MODEL).button(key="propose-policy").click().run()
    page.selectbox(key="policy-promotion-0-floor_metric").set_value("mae")
    page.text_input(key="policy-promotion-0-floor").set_value("12.5")
    page = act(page, f"propose-policy-promotion-{MODEL}", "a floor in minutes")
    (written,) = theirs.policies.history(VIEWER, MODEL, KIND)
    assert (written.author, written.body["floor_metric"], written.body["floor"]) == ("user:lead", "mae", 12.5)
    assert written.body["margin"] == 0.0

    page = open_page("audit", "lead", tab="Policies", model=MODEL)
    assert "waits for a second person" in words(page)
    assert page.button(key=f"activate-{written.id}").disabled
    assert "You wrote it. Ask another lead or admin: admin." in page.button(key=f"activate-{written.id}").help

    page = open_page("audit", "admin", tab="Policies", model=MODEL).button(key=f"activate-{written.id}").click().run()
    page = act(page, f"activate-policy-{written.id}", "agreed")
    assert theirs.policies.active(VIEWER, MODEL, KIND).promotion.floor == 12.5
    entry = theirs.audit.entries(ADMIN).entries[0]
    assert (entry.action, entry.actor, entry.reason) == (Action.POLICY_ACTIVATED, "user:admin", "agreed")
    assert list(page.dataframe[1].value["State"]) == ["In force"]


def test_a_value_that_cannot_be_meant_is_said_in_the_dialog(theirs: Services, open_page: OpenPage) -> None:
    page = open_page("audit", "lead", tab="Policies", kind="monitoring").button(key="propose-policy").click().run()
    page.text_input(key="policy-monitoring-0-min_rows").set_value("many")
    dialog = f"propose-policy-monitoring-{MODEL}"
    page = act(page, dialog, "r")
    assert "min_rows is 'many'; it must be a whole number" in page.session_state[f"{dialog}-error"]
    assert theirs.policies.history(VIEWER, MODEL, PolicyKind.MONITORING) == ()


def test_replaced_versions_stay_in_the_history(theirs: Services, open_page: OpenPage) -> None:
    for floor in (10.0, 12.0):
        written = theirs.policies.propose(LEAD, MODEL, KIND, {"floor_metric": "mae", "floor": floor}, reason="r")
        theirs.policies.activate(ADMIN, written.id, reason="r")
    page = open_page("audit", "viewer", tab="Policies")
    assert list(page.dataframe[1].value["State"]) == ["In force", "Replaced"]


def test_a_monitoring_policy_is_replayed_in_its_form_and_by_the_second_person(
    house: Services, open_page: OpenPage
) -> None:
    table = penguins.penguins(house.context.clock.now(), days=60, worse_from=45)
    penguins.watched(house, table)
    name = penguins.MODEL
    page = open_page("audit", "lead", tab="Policies", model=name, kind="monitoring")
    page = page.button(key="propose-policy").click().run()
    page.text_input(key="policy-monitoring-0-harm_tolerance_auc").set_value("0.4")
    page = page.button(key=f"replay-policy-{name}-run").click().run()
    kept = page.session_state[f"replay-policy-{name}-said"]
    assert (kept.now.caught[0] is not None, kept.then.caught) == (True, (None,))
    body = {**house.policies.active(ADMIN, name, PolicyKind.MONITORING).body, "harm_tolerance_auc": 0.4}
    written = house.policies.propose(ADMIN, name, PolicyKind.MONITORING, body, reason="quieter")
    page = open_page("audit", "lead", tab="Policies", model=name, kind="monitoring")
    assert "nothing is stored and no alert is touched" in words(page)
    page = page.button(key=f"replay-version-{written.id}-run").click().run()
    assert "Of 1 real drop it would have caught 0, 1 as it is." in words(page)
    assert "<th scope='row'>Real drops caught</th><td>1 of 1</td><td>0 of 1</td>" in words(page)
    assert not page.exception
