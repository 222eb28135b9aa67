"""Keys alone: search, skip link, a ring on everything that has the focus, and the approval of a promotion."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from mlops_dash.domain.audit import Action, Filter
from tests.browser.conftest import MODES, SIZES, Ui, Visit, assert_sound, settled
from tests.factories import ADMIN

FOCUSED = """() => {
    let one = document.activeElement;
    while (one && one.shadowRoot && one.shadowRoot.activeElement) one = one.shadowRoot.activeElement;
    if (!one || one === document.body) return null;
    const inside = [one, one.parentElement, one.parentElement && one.parentElement.parentElement];
    const ring = inside.some(e => { if (!e) return false; const s = getComputedStyle(e);
        return (s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) > 0) || s.boxShadow !== 'none'; });
    const field = ['INPUT', 'TEXTAREA', 'CANVAS'].includes(one.tagName) || one.closest('.stDataFrame');
    const keys = []; for (let e = one; e; e = e.parentElement || (e.getRootNode() || {}).host)
        for (const name of e.classList || []) if (name.startsWith('st-key-')) keys.push(name.slice(7));
    const text = (one.innerText || one.ariaLabel || '').trim().slice(0, 40);
    return {tag: one.tagName, text, ring, field: !!field, keys};
}"""


def tab_to(page: Page, key: str, *, at_most: int = 60) -> list[dict[str, object]]:
    """Press Tab until the focus is inside the container with this key; returns what had the focus on the way."""
    way = []
    for _ in range(at_most):
        page.keyboard.press("Tab")
        found = page.evaluate(FOCUSED)
        if found is None:
            continue
        way.append(found)
        if key in found["keys"]:
            return way
    pytest.fail(f"{key} is not reached by Tab: {[one['text'] for one in way]}")


def press_search(page: Page) -> None:
    """Ctrl-K; the button shows itself when the page listens to it."""
    expect(page.get_by_role("button", name="Search Ctrl K")).to_be_visible()
    page.keyboard.press("Control+k")


def search_box(page: Page):  # type: ignore[no-untyped-def]
    return page.get_by_role("dialog", name="Search")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("width", SIZES)
def test_ctrl_k_finds_a_version_and_enter_opens_it(full: Ui, visit: Visit, mode: str, width: int) -> None:
    page = visit("viewer", "/audit", mode=mode, width=width, at=full)
    page.evaluate("window.stayed = true")
    press_search(page)
    box = search_box(page)
    expect(box.get_by_role("combobox")).to_be_focused()
    page.keyboard.type("FLIGHT v")
    expect(box.get_by_role("option").first).to_contain_text("flight-delay v3")
    assert_sound(page)
    page.keyboard.press("ArrowDown")
    expect(box.get_by_role("option", selected=True)).to_contain_text("flight-delay v1")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/registry\?model=flight-delay&version=1(&part=Decide)?$"))
    expect(page.get_by_text("Gates of v1")).to_be_visible()
    expect(box).to_have_count(0)
    assert page.evaluate("window.stayed"), "the page was loaded anew"


def test_enter_before_the_answer_opens_the_first_hit(full: Ui, visit: Visit) -> None:
    page = visit("viewer", "/audit", at=full)
    press_search(page)
    expect(search_box(page).get_by_role("combobox")).to_be_focused()
    page.keyboard.type("flight-delay v1")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/registry\?model=flight-delay&version=1(&part=Decide)?$"))


def test_a_search_without_a_hit_says_so_and_escape_leaves(full: Ui, visit: Visit) -> None:
    page = visit("viewer", "/audit", at=full)
    page.get_by_role("button", name="Search Ctrl K").click()
    box = search_box(page)
    expect(box.get_by_role("option").last).to_contain_text("Audit & admin")  # the pages stand there from the start
    page.keyboard.type("rc%_'")  # r and c are Streamlit's shortcuts outside of fields
    expect(box.get_by_role("status")).to_contain_text("Nothing is called “rc%_'”")
    assert_sound(page)
    page.keyboard.press("Escape")
    expect(box).to_have_count(0)


def test_tab_walks_the_hits_and_a_hit_can_open_in_a_new_tab(full: Ui, visit: Visit) -> None:
    page = visit("viewer", "/audit", at=full)
    press_search(page)
    expect(search_box(page).get_by_role("combobox")).to_be_focused()
    page.keyboard.type("refresh")
    hit = search_box(page).get_by_role("option", name=re.compile("refresh of flight-delay"))
    expect(hit).to_be_visible()
    assert re.fullmatch(r"/retraining\?run=\w+", str(hit.get_attribute("href")))
    for _ in range(6):
        page.keyboard.press("Tab")
        if hit.evaluate("one => one === one.getRootNode().activeElement"):
            break
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/retraining\?run="))


def test_the_skip_link_comes_first_and_leads_past_the_navigation(full: Ui, visit: Visit) -> None:
    page = visit("viewer", "/audit", at=full)
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to main content")
    expect(skip).to_be_focused()
    expect(skip).to_be_visible()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.querySelector('.stMain').contains(document.activeElement)")


def test_everything_that_has_the_focus_shows_a_ring(full: Ui, visit: Visit) -> None:
    page = visit("lead", "/registry", at=full)
    way = tab_to(page, "approve")
    assert len(way) > 8
    assert [one for one in way if not one["ring"] and not one["field"]] == []


def test_keys_alone_approve_a_promotion(full: Ui, visit: Visit) -> None:
    page = visit("lead", "/registry?version=3", at=full)
    tab_to(page, "approve")
    page.keyboard.press("Enter")
    comment = page.get_by_role("dialog").get_by_role("textbox", name="Comment")
    expect(comment).to_be_visible()
    settled(page)
    for _ in range(12):  # past what may be asked beside it
        if page.evaluate("document.activeElement.getAttribute('aria-label')") == "Comment":
            break
        page.keyboard.press("Tab")
    page.keyboard.type("the interval is wholly better")
    expect(comment).to_have_value("the interval is wholly better")
    act = page.get_by_role("button", name="Approve v3", exact=True)
    for _ in range(6):
        page.keyboard.press("Tab")
        if act.evaluate("one => one === document.activeElement"):
            break
    expect(act).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_text("v3 is approved and may be promoted.")).to_be_visible()
    settled(page)
    [entry] = full.services.audit.entries(ADMIN, Filter(action=Action.PROPOSAL_APPROVED)).entries[:1]
    assert (entry.actor, entry.reason) == ("user:lead", "the interval is wholly better")
