"""Experiments in a real browser: sound in both modes and widths, and a tray that nothing can shake."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import MODES, SIZES, Ui, Visit, arrange, assert_sound, settled, start_ui
from tests.runs_world import RunsWorld, awkward


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, mlflow_template: Path) -> RunsWorld:
    home = tmp_path_factory.mktemp("experiments")
    arrange(home)
    shutil.copyfile(mlflow_template, home / "mlflow.db")
    return awkward(f"sqlite:///{home / 'mlflow.db'}", home / "artifacts")


@pytest.fixture(scope="module")
def room(world: RunsWorld) -> Iterator[Ui]:
    with start_ui(world.path.parent) as running:
        yield running


def drawn(page: Page) -> None:
    """The last picture's chart goes a moment later than the next one comes."""
    wide = "[...document.querySelectorAll('.js-plotly-plot .main-svg')].every(node => node.clientWidth > 0)"
    for _ in range(50):
        if page.evaluate(wide):
            return
        page.wait_for_timeout(100)


def row(page: Page, name: str) -> Locator:
    return page.get_by_role("row", name=re.compile(rf"Compare {name}"))


def asked(page: Page, name: str) -> list[str]:
    found = parse_qs(urlsplit(page.url).query).get(name, [""])[0]
    return [one for one in found.split(",") if one]


def asked_text(page: Page, name: str) -> str:
    return parse_qs(urlsplit(page.url).query).get(name, [""])[0]


@pytest.mark.parametrize("width", list(SIZES))
@pytest.mark.parametrize("mode", MODES)
def test_every_picture_is_sound(room: Ui, world: RunsWorld, visit: Visit, mode: str, width: int) -> None:
    tray = ",".join(world.ids[f"depth-{depth}-seed-{seed}"] for depth in (3, 6) for seed in (1, 2))
    path = f"/experiments?runs={tray}&base={world.ids['depth-3-seed-1']}"
    page = visit("viewer", path, mode=mode, width=width, at=room)
    expect(row(page, "broken")).to_contain_text("∞")
    for tab in ("Curves", "Parallel", "Scatter", "Contour", "Box", "Importance", "Pareto", "Differences"):
        page.get_by_role("radio", name=tab, exact=True).click()
        if tab != "Curves":  # the one that opens by itself leaves the URL clean
            expect(page).to_have_url(re.compile(rf"[?&]tab={tab}(&|$)"))
        settled(page)
        expect(page.get_by_role("radio", name=tab, exact=True)).to_have_attribute("aria-checked", "true")
        if tab not in {"Importance", "Differences"}:
            expect(page.locator(".st-key-card-pictures .js-plotly-plot .main-svg").first).to_be_visible()
        drawn(page)
        assert_sound(page)


def test_the_tray_holds_ids_through_sort_filter_reload_and_back(room: Ui, world: RunsWorld, visit: Visit) -> None:
    page = visit("viewer", "/experiments", at=room)
    first, second = world.ids["depth-3-seed-2"], world.ids["child"]
    row(page, "depth-3-seed-2").get_by_role("checkbox").click()
    expect(page).to_have_url(re.compile(first))
    settled(page)
    box = row(page, "child").get_by_role("checkbox")
    box.focus()
    page.keyboard.press("Space")
    expect(page).to_have_url(re.compile(second))
    settled(page)
    assert asked(page, "runs") == [first, second]
    page.get_by_role("button", name="valid_log_loss", exact=True).click()
    expect(page).to_have_url(re.compile("sort="))
    settled(page)
    assert asked(page, "sort") == ["metrics.valid_log_loss"]
    expect(row(page, "depth-3-seed-2").get_by_role("checkbox")).to_be_checked()
    page.get_by_label("Filter").fill("params.depth = '6'")
    page.keyboard.press("Enter")
    expect(row(page, "depth-3-seed-2")).to_have_count(0)
    expect(row(page, "child").get_by_role("checkbox")).to_be_checked()
    page.reload()
    settled(page)
    assert asked(page, "runs") == [first, second]
    page.get_by_role("link", name="Registry").first.click()
    expect(page.get_by_role("heading", level=1, name="Registry")).to_be_visible()
    page.go_back()
    expect(row(page, "child").get_by_role("checkbox")).to_be_checked()
    settled(page)
    assert asked(page, "runs") == [first, second]
    assert asked(page, "q") == ["params.depth = '6'"]


def test_columns_move_and_stay_by_keyboard(room: Ui, world: RunsWorld, visit: Visit) -> None:
    page = visit("viewer", "/experiments", at=room)
    heads = page.locator("th[data-column]")
    expect(heads.first).to_contain_text("valid_auc")
    page.get_by_role("button", name="valid_auc", exact=True).focus()
    page.keyboard.press("Alt+ArrowRight")
    expect(heads.first).to_contain_text("valid_log_loss")
    settled(page)
    assert json.loads(asked_text(page, "cols"))[:2] == ["metrics.valid_log_loss", "metrics.valid_auc"]
    keep = page.get_by_role("button", name="Pin the column seed at the left")
    keep.focus()
    page.keyboard.press("Enter")
    expect(heads.first).to_contain_text("seed")
    settled(page)
    assert json.loads(asked_text(page, "pin")) == ["params.seed"]
    wrap = page.locator(".wrap").first
    wrap.evaluate("node => { node.scrollLeft = 300 }")
    first, held = page.locator("tbody tr").first.locator("th").bounding_box(), heads.first.bounding_box()
    assert first is not None
    assert held is not None
    assert abs(held["x"] - (first["x"] + first["width"])) < 2  # it stays beside the names


def test_a_deep_link_restores_groups_and_the_drawer_in_a_fresh_browser(
    room: Ui, world: RunsWorld, visit: Visit
) -> None:
    page = visit("lead", f"/experiments?view=groups&tab=Curves&run={world.ids['child']}", at=room)
    drawer = page.get_by_role("dialog")
    expect(drawer).to_contain_text(world.ids["child"])
    expect(drawer).to_contain_text("The files cannot be listed now")
    page.keyboard.press("Escape")
    expect(drawer).to_have_count(0)
    settled(page)
    assert asked(page, "run") == []
    expect(page.get_by_role("row", name=re.compile("depth 6")).get_by_text("4 runs")).to_be_visible()
