"""Every page at the widths between which layouts break: nothing lies over anything, and a finger meets its target."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from app.pages import PAGES
from tests.browser.conftest import Ui, Visit, assert_sound, settled

BAR = 56  # px before the title on a phone
FINGER = 40  # px
_COVERED = """() => {
  const box = node => node.getBoundingClientRect();
  const shown = node => box(node).width > 0 && getComputedStyle(node).visibility !== 'hidden';
  const head = [...document.querySelectorAll('[data-testid=stHeader] :is(img,button)')].filter(shown);
  const bar = [...document.querySelectorAll('.st-key-topbar :is(button,a,b)')].filter(shown);
  const over = (a, b) => a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 1 && b.top < a.bottom - 1;
  return head.flatMap(one => bar.filter(two => over(box(one), box(two))).map(two => two.textContent));
}"""
_SMALL = """least => {
  const tall = node => {
    let most = node.getBoundingClientRect().height, at = node;
    for (let step = 0; step < 4 && at.parentElement; step += 1) {
      at = at.parentElement;
      if (at.querySelectorAll('input,button,[role=combobox]').length > 2) break;
      most = Math.max(most, at.getBoundingClientRect().height);
    }
    return most;
  };
  const wanted = ['button', '[role=radio]', '[role=tab]', '[role=combobox]', 'input:not([type=checkbox])',
    '.stCheckbox label'].map(one => `.stMain ${one}`).join();
  const field = node => node.matches('input,[role=combobox]')
    || node.closest('.stSelectbox,.stMultiSelect,.stDateInput');
  const aside = '[aria-hidden=true],.stDataFrame,.js-plotly-plot,.stTooltipIcon:not(:has(button[kind]))';
  const high = node => field(node) ? tall(node) : node.getBoundingClientRect().height;
  return [...document.querySelectorAll(wanted)]
    .filter(node => node.checkVisibility() && node.getBoundingClientRect().width > 1 && !node.closest(aside))
    .filter(node => high(node) < least - 0.5)
    .map(node => `${node.textContent || node.ariaLabel || node.className} ${Math.round(high(node))}`);
}"""


def open_all(page: Page, at: Ui) -> list[str]:
    return [f"{at.url}/{row.url}" for row in PAGES]


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_a_phone_shows_the_title_first_and_targets_that_a_finger_meets(full: Ui, visit: Visit, mode: str) -> None:
    page, small = visit("lead", "/", mode=mode, width=390, at=full), {}
    for address in open_all(page, full):
        page.goto(address)
        settled(page)
        title = page.get_by_role("heading", level=1).bounding_box()
        assert title is not None
        assert title["y"] <= BAR, address
        assert page.evaluate(_COVERED) == [], address
        if missed := page.evaluate(_SMALL, FINGER):
            small[address.rpartition("/")[2]] = missed
        expect(page.locator(".modebar-container").locator("visible=true")).to_have_count(0)
        assert_sound(page)
    assert small == {}


def test_on_a_phone_the_decision_stays_in_reach(full: Ui, visit: Visit) -> None:
    page = visit("lead", "/registry", width=390, at=full)
    approve = page.get_by_role("button", name="Approve…")
    expect(approve).to_be_in_viewport(ratio=1)
    before = approve.bounding_box()
    page.locator("[data-testid=stMain]").evaluate("node => node.scrollTo(0, node.scrollHeight)")
    assert approve.bounding_box() == before
    foot = page.locator(".st-key-where-foot").bounding_box()
    assert foot is not None
    assert before is not None
    assert foot["y"] + foot["height"] <= before["y"]  # the page's end can be read


@pytest.mark.parametrize("width", [768, 1000])
def test_between_phone_and_desk_nothing_lies_over_the_bar_and_cards_have_room(
    full: Ui, visit: Visit, width: int
) -> None:
    page = visit("lead", "/", width=width, at=full)
    for address in open_all(page, full):
        page.goto(address)
        settled(page)
        assert page.evaluate(_COVERED) == [], address
        rows = page.evaluate(
            "[...document.querySelectorAll('.st-key-topbar :is(button,.who)')].map(n => n.getBoundingClientRect().top)"
        )
        assert max(rows) - min(rows) < 30, address
        narrow = page.evaluate(
            """[...document.querySelectorAll('.stMain [class*="st-key-card-"]')]
              .map(node => [node.className.match(/st-key-(card-[^ ]+)/)[1], node.getBoundingClientRect().width])
              .filter(([, wide]) => wide > 1 && wide < 400)"""
        )
        assert narrow == [], address
        assert_sound(page)


def test_a_wide_window_is_used(full: Ui, visit: Visit) -> None:
    page = visit("lead", "/", width=1920, at=full)
    for address in open_all(page, full):
        page.goto(address)
        settled(page)
        right = page.locator(".stMainBlockContainer").evaluate("node => node.getBoundingClientRect().right")
        assert right >= 1920 - 20, address
        assert_sound(page)


def test_the_gates_come_first_where_cards_lie_one_below_the_other_and_beside_no_void(full: Ui, visit: Visit) -> None:
    page = visit("lead", "/registry", width=768, at=full)
    gates, versions = page.locator(".st-key-card-gates"), page.locator(".st-key-card-versions")
    above, below = gates.bounding_box(), versions.bounding_box()
    assert above is not None
    assert below is not None
    assert above["y"] + above["height"] <= below["y"]
    page.set_viewport_size({"width": 1440, "height": 900})
    expect(page.locator(".st-key-card-lineage")).to_be_visible()
    page.wait_for_function(
        """() => {
          const ends = [...document.querySelectorAll('.st-key-review .stColumn')]
            .map(one => Math.max(...[...one.querySelectorAll('[class*="st-key-card-"]')]
              .map(card => card.getBoundingClientRect().bottom)));
          return ends.length === 2 && Math.abs(ends[0] - ends[1]) < 200;
        }"""
    )
