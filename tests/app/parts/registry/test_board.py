"""The board on the Registry page: a row a model, whichever is looked at."""

from __future__ import annotations

from mlops_dash.domain.audit import Action
from tests.app.conftest import OpenPage, words
from tests.app.views.test_registry import decide, told, told_once
from tests.factories import SCIENTIST, VIEWER
from tests.registry_world import MODEL, World

__all__ = ["told", "told_once"]


def test_a_version_is_moved_from_the_board_and_production_is_a_proposal(told: World, open_page: OpenPage) -> None:
    page = open_page("registry", "lead", model=MODEL, part="Board")
    assert page.button(key="move-ask").disabled  # v3, which is looked at, is proposed already
    page.selectbox(key="move-to").set_value("shadow")
    decide(page.run(), "move-ask", f"move-{told.ids['3']}-shadow", "a look first")
    assert told.service.serving(VIEWER, MODEL).shadow_version_ids == (told.ids["3"],)  # type: ignore[union-attr]

    page = open_page("registry", "scientist", model=MODEL, part="Board")
    page.selectbox(key="move-to").set_value("shadow")
    assert page.run().button(key="move-ask").disabled
    page.selectbox(key=f"move-version-{MODEL}").set_value("v2")
    page.selectbox(key="move-to").set_value("production")
    decide(page.run(), "move-ask", f"move-{told.ids['2']}-production", "try it again")
    assert told.service.serving(VIEWER, MODEL).version_id == told.ids["1"]  # type: ignore[union-attr]
    assert told.actions()[-1] is Action.PROPOSAL_OPENED


def test_a_row_a_model_with_its_versions_where_they_are(told: World, open_page: OpenPage) -> None:
    name = 'it\'s "theirs" <b>'
    told.service.add_model(SCIENTIST, name, source="external", task="regression", reason="theirs")
    page = open_page("registry", "viewer", model=MODEL, part="Board")
    assert "Which version is where" in words(page)
    [grid] = [one.value for one in page.dataframe if "Marks in MLflow" in one.value]
    assert grid["Model"].tolist() == [MODEL, name]
    assert grid["Live"].tolist() == ["v1", "—"]
    assert grid["Proposed"].tolist() == ["v3", "—"]
