"""Models on Audit & admin: edited by scientists, archived and restored by leads, each with a reason."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from mlops_dash.bootstrap import Services
from mlops_dash.domain.audit import Action
from tests.app.conftest import OpenPage, words
from tests.factories import ADMIN, SCIENTIST, VIEWER

MODEL = 'it\'s "late"'  # minutes late, a regression


@pytest.fixture
def theirs(house: Services) -> Services:
    """A house with another team's model."""
    house.registry.add_model(SCIENTIST, MODEL, task="regression", source="external", owner="trains", reason="test")
    return house


def act(page: AppTest, dialog: str, reason: str) -> AppTest:
    page.text_area(key=f"{dialog}-reason").set_value(reason)
    return page.button(key=f"{dialog}-act").click().run()


def test_a_house_without_a_model_offers_to_add_one(open_page: OpenPage) -> None:
    page = open_page("audit", "scientist", tab="Models")
    assert "No model is known yet" in words(page)
    assert not page.button(key="add-models").disabled


def test_a_scientist_edits_what_is_said_and_may_not_archive(theirs: Services, open_page: OpenPage) -> None:
    page = open_page("audit", "scientist", tab="Models").button(key="edit-model").click().run()
    page.text_input(key=f"model-{MODEL}-title").set_value("Late trains")
    page.text_area(key=f"model-{MODEL}-do-not-log").set_value("name\nphone")
    page.selectbox(key=f"model-{MODEL}-cadence").set_value("batch")
    page.text_input(key=f"model-{MODEL}-batch").set_value(" run id ")
    page = act(page, f"edit-model-{MODEL}", "a better name")
    (model,) = theirs.registry.models(VIEWER)
    assert (model.title, model.do_not_log, model.owner, model.tier) == ("Late trains", ("name", "phone"), "trains", 2)
    assert model.cadence == "batch:run id"
    assert page.button(key="archive-model").disabled
    assert page.button(key="archive-model").help == "Needs the role lead; you are scientist."


def test_a_scientist_has_a_model_judged_by_so_many_rows(theirs: Services, open_page: OpenPage) -> None:
    page = open_page("audit", "scientist", tab="Models").button(key="edit-model").click().run()
    page.selectbox(key=f"model-{MODEL}-cadence").set_value("rows")
    page.text_input(key=f"model-{MODEL}-batch").set_value("2500")
    page.text_input(key=f"model-{MODEL}-cluster").set_value(' "who" ')
    act(page, f"edit-model-{MODEL}", "a file a day, of any size")
    (model,) = theirs.registry.models(VIEWER)
    assert (model.cadence, model.cluster) == ("rows:2500", '"who"')


def test_a_lead_archives_a_model_and_restores_it(theirs: Services, open_page: OpenPage) -> None:
    page = open_page("audit", "lead", tab="Models").button(key="archive-model").click().run()
    page = act(page, f"archive-model-{MODEL}", "replaced")
    assert theirs.registry.models(VIEWER) == ()
    assert page.dataframe[0].value["Archived"][0] == "3 Jun 2013, 16:00 UTC"
    page = act(page.button(key="restore-model").click().run(), f"restore-model-{MODEL}", "needed again")
    assert [one.name for one in theirs.registry.models(VIEWER)] == [MODEL]
    entries = theirs.audit.entries(ADMIN).entries[:2]
    assert [(one.action, one.reason) for one in entries] == [
        (Action.MODEL_RESTORED, "needed again"), (Action.MODEL_ARCHIVED, "replaced"),
    ]  # fmt: skip
