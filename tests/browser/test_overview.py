"""The Overview in a real browser: sound in both modes and widths, the table by keyboard, links that lead on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta

import pytest
from playwright.sync_api import Locator, Page, expect

from mlops_dash import bootstrap
from mlops_dash.clock import wall_now
from mlops_dash.store import world as facts
from mlops_dash.store.db import transaction
from tests import fleet_world
from tests.browser.conftest import MODES, SIZES, Ui, Visit, assert_sound, settings_of, settled, start_ui
from tests.factories import ADMIN, WORKER
from tests.services.monitoring.monitoring_world import MODEL, world

EVIL = "<img src=x onerror=alert(1)> a_b *c*"
CUT = """table => [...table.querySelectorAll('tbody tr > *, tbody .val, svg')]
  .map(e => [e.getBoundingClientRect(), e.scrollWidth, e.clientWidth, e.textContent])
  .filter(([box]) => box.width > 0)
  .filter(([box, wants, has]) => box.right > innerWidth - 8 || box.left < 8 || (has && wants > has + 1))
  .map(([box, wants, has, text]) => text)"""


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ui]:
    """A model judged by the real service and harmed, eleven more in all states, one with a name of markup."""
    home = tmp_path_factory.mktemp("fleet")
    services = bootstrap.build(settings_of(home))
    services.access.ensure_demo_users(WORKER)
    services.context.clock.offset_source = None
    judged = world(services.context)
    judged.reference()
    judged.live(14)
    judged.live(12, blind=True)
    judged.evaluate(later=timedelta(hours=16))
    for i, name in enumerate(("quiet", "late", *(f"model-{n:02d}" for n in range(8)))):
        fleet_world.served(services.context, name, silent_for=8 * (i == 0), labels_until=9 if i == 1 else 1)
    fleet_world.registered(services.context, EVIL)
    services.registry.add_model(ADMIN, "new_one", owner="admin", reason="first *model* of the team")
    with transaction(services.context.databases.app) as session:
        facts.put(session, facts.CLOCK_OFFSET, (judged.now - wall_now()).total_seconds())
    services.close()
    with start_ui(home) as running:
        yield running


def table(page: Page) -> Locator:
    return page.get_by_role("table", name=re.compile("the worst first"))


def names(page: Page) -> list[str]:
    expect(table(page)).to_be_visible()
    return table(page).get_by_role("rowheader").get_by_role("link").all_inner_texts()


@pytest.mark.parametrize("width", list(SIZES))
@pytest.mark.parametrize("mode", MODES)
def test_the_page_is_sound_and_nothing_in_the_table_is_cut(fleet: Ui, visit: Visit, mode: str, width: int) -> None:
    page = visit("lead", "/", mode=mode, width=width, at=fleet)
    assert len(names(page)) == 13
    assert table(page).evaluate(CUT) == []
    assert_sound(page)


def test_a_house_without_models_is_sound(ui: Ui, visit: Visit) -> None:
    page = visit("viewer", "/", mode="dark", width=390)
    expect(page.get_by_text("No model is known yet")).to_be_visible()
    assert_sound(page)


def test_on_a_phone_the_name_stands_beside_its_health(fleet: Ui, visit: Visit) -> None:
    page = visit("viewer", "/overview", width=390, at=fleet)
    row = table(page).locator("tbody tr").first
    name, health = row.get_by_role("link").bounding_box(), row.locator(".c-health").bounding_box()
    assert name is not None
    assert health is not None
    assert name["x"] < health["x"]
    assert abs(name["y"] - health["y"]) < 30
    assert name["height"] >= 40


def test_the_table_by_keyboard_and_back_by_the_menu(fleet: Ui, visit: Visit) -> None:
    page = visit("viewer", "/", at=fleet)
    every = names(page)
    table(page).get_by_role("link").first.focus()
    page.keyboard.press("Tab")
    focused = page.evaluate(
        "() => { let e = document.activeElement; while (e && e.shadowRoot) e = e.shadowRoot.activeElement; "
        "return [e.textContent, getComputedStyle(e).outlineStyle]; }"
    )
    assert focused == [every[1], "solid"]
    assert EVIL in every
    assert page.evaluate("() => document.querySelectorAll('img[src=x]').length") == 0

    table(page).get_by_role("link", name=EVIL, exact=True).focus()
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/monitoring"))
    expect(page.get_by_text("Nothing is served yet").first).to_be_visible()  # of that model, not of the row's number

    page.get_by_role("link", name="Overview", exact=True).click()
    expect(table(page)).to_be_visible()
    settled(page)
    expect(page).not_to_have_url(re.compile("/monitoring"))
    table(page).get_by_role("link", name="Train a version with a recipe").click()  # the next step of new_one
    page.wait_for_url(re.compile(r"/retraining\?model=new_one$"))


def test_search_and_health_stand_in_the_url_and_come_back_from_it(fleet: Ui, visit: Visit) -> None:
    page = visit("viewer", "/?find=MODEL-0", at=fleet)
    assert names(page) == [f"model-{n:02d}" for n in range(8)]
    field = page.get_by_label("Find a model")
    expect(field).to_have_value("MODEL-0")
    field.fill("model-03")
    field.press("Enter")
    expect(table(page).get_by_role("link")).to_have_count(1)
    page.wait_for_url(re.compile(r"find=model-03"))
    field.fill("nothing like it")
    field.press("Enter")
    expect(page.get_by_text("No model fits")).to_be_visible()
    again = visit("viewer", "/?health=Harmed", at=fleet)
    assert names(again) == [MODEL]
    table(again).get_by_role("cell", name="v1").click()  # anywhere in the row
    again.wait_for_url(re.compile(r"/monitoring"))
    expect(again.get_by_role("heading", name="Monitoring", level=1)).to_be_visible()


def test_both_pages_and_the_header_say_the_same(fleet: Ui, visit: Visit) -> None:
    page = visit("scientist", "/", at=fleet)
    waiting = page.locator(".st-key-topbar").get_by_text(re.compile(r"^\d+ waiting for you")).inner_text()
    expect(page.locator(".kpis")).to_contain_text(f"{waiting.split()[0]} for you")
    drawn = table(page).get_by_role("img")
    expect(drawn).to_have_count(11)
    alts = [one.get_attribute("aria-label") or "" for one in drawn.all()]
    assert all(re.fullmatch(r".+ over the last \d+ days: between .+ reference 0\.\d{3}.*\.", alt) for alt in alts)
    first = page.locator(".st-key-attention-0")
    sentence = first.locator(".ats").inner_text().removeprefix(MODEL).strip()
    value = table(page).locator("tbody tr").first.locator(".c-metric .main").inner_text().split()[0]
    assert value in sentence
    first.get_by_role("link", name="Investigate").click()
    said = page.locator(".st-key-verdict-said")
    expect(said).to_contain_text(sentence.rstrip("."))
    expect(said).to_contain_text("Harmed")


def test_a_decision_opens_its_entry_in_the_ledger(fleet: Ui, visit: Visit) -> None:
    page = visit("viewer", "/", at=fleet)
    page.locator(".st-key-card-decisions").get_by_role("link", name="new_one added").click()
    expect(page.get_by_role("dialog")).to_contain_text("first *model* of the team")


def test_the_theme_flips_without_a_reload(fleet: Ui, visit: Visit) -> None:
    page = visit("viewer", "/", at=fleet)
    name = table(page).get_by_role("link").first
    light = name.evaluate("e => getComputedStyle(e).color")
    page.emulate_media(color_scheme="dark")
    expect(name).not_to_have_css("color", light)
    expect(page.locator(".kpi dt").first).to_have_css("color", "rgb(152, 162, 179)")
    assert_sound(settled(page))
