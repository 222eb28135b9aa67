"""The thread on the Registry page: read by all, written by those who may, nothing in it taken as Markdown or HTML."""

from __future__ import annotations

from tests.app.conftest import OpenPage, words
from tests.app.views.test_registry import decide, told, told_once
from tests.factories import LEAD, SCIENTIST, VIEWER
from tests.registry_world import MODEL, World

__all__ = ["told", "told_once"]


def test_a_comment_is_written_and_shown_as_the_signs_it_is_made_of(told: World, open_page: OpenPage) -> None:
    made = told.service.open_proposal(LEAD, MODEL)
    page = open_page("registry", "scientist", model=MODEL, version="3")
    assert "Nobody has said anything yet" in words(page)
    decide(page, "comment", f"comment-{made.id}-0", "@lead look: **bold** [x](https://house.example) <b>")
    [one] = told.service.thread(VIEWER, made.id)
    assert one.mentions == (LEAD.id,)
    page = open_page("registry", "lead", model=MODEL, version="3")
    [shown] = [said.value for said in page.markdown if "bold" in said.value]
    assert "\\*\\*bold\\*\\*" in shown
    assert "\\[x\\]" in shown
    assert "\\<b>" in shown


def test_a_viewer_reads_it_with_its_files_and_may_not_write(told: World, open_page: OpenPage) -> None:
    made = told.service.open_proposal(LEAD, MODEL)
    told.service.comment(SCIENTIST, made.id, "the plot", files=[("plot.png", b"one")])
    page = open_page("registry", "viewer", model=MODEL, version="3")
    assert "the plot" in words(page)
    assert page.button(key="comment").disabled
    assert len(page.get("download_button")) == 1
