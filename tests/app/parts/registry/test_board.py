"""The board on the Registry page: a row a model, whichever is looked at."""

from __future__ import annotations

from tests.app.conftest import OpenPage, words
from tests.app.views.test_registry import told, told_once
from tests.factories import SCIENTIST
from tests.registry_world import MODEL, World

__all__ = ["told", "told_once"]


def test_a_row_a_model_with_its_versions_where_they_are(told: World, open_page: OpenPage) -> None:
    name = 'it\'s "theirs" <b>'
    told.service.add_model(SCIENTIST, name, source="external", task="regression", reason="theirs")
    page = open_page("registry", "viewer", model=MODEL, part="Board")
    assert "Which version is where" in words(page)
    [grid] = [one.value for one in page.dataframe if "Marks in MLflow" in one.value]
    assert grid["Model"].tolist() == [MODEL, name]
    assert grid["Live"].tolist() == ["v1", "—"]
    assert grid["Proposed"].tolist() == ["v3", "—"]
