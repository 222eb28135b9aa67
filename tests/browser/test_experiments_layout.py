"""Table and pictures share the Experiments page as somebody wants it: the address keeps it, nothing needed is cut.

A team's own sweep on barley fields, by plain MLflow calls.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, expect

from mlops_dash import bootstrap
from tests.browser.conftest import Ui, Visit, arrange, assert_sound, settings_of, settled, start_ui
from tests.factories import SCIENTIST, WORKER
from tests.runs_world import swept

NAMES = ".st-key-card-runs tbody .name"


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory, mlflow_template: Path) -> Iterator[Ui]:
    home = tmp_path_factory.mktemp("barley")
    arrange(home)
    shutil.copyfile(mlflow_template, home / "mlflow.db")
    ids = swept(f"sqlite:///{home / 'mlflow.db'}", home / "artifacts")
    services = bootstrap.build(settings_of(home))
    services.registry.add_model(SCIENTIST, "barley-yield", task="regression", source="external", reason="our fields")
    services.registry.record_version(WORKER, "barley-yield", "1", run_id=ids["leaves-16-rate-0.2-seed-2"])
    services.close()
    with start_ui(home) as running:
        yield running


def cut_columns(page: Page) -> list[str]:
    """Columns of the runs table that do not fit into it, by their headings."""
    expect(page.locator(".st-key-card-runs tbody tr").first).to_be_visible()
    found: list[str] = page.evaluate(
        """() => {
          const wrap = [...document.querySelectorAll('.st-key-card-runs *')]
            .map(node => node.shadowRoot && node.shadowRoot.querySelector('.wrap')).find(Boolean);
          const edge = wrap.getBoundingClientRect().right;
          return [...wrap.querySelectorAll('thead th')].filter(one => one.getBoundingClientRect().right > edge + 1)
            .map(one => one.querySelector('.lbl').textContent);
        }"""
    )
    return found


def asked(page: Page, name: str) -> str:
    return parse_qs(urlsplit(page.url).query).get(name, [""])[0]


def test_the_tray_leads_to_the_question_whether_it_is_real(room: Ui, visit: Visit) -> None:
    page = visit("viewer", "/experiments", at=room)
    for name in ("leaves-16-rate-0.2-seed-1", "leaves-8-rate-0.05-seed-1"):
        page.get_by_role("checkbox", name=f"Compare {name}").click()
        settled(page)
    expect(page.get_by_text("Is it real?", exact=True)).not_to_be_in_viewport()
    page.get_by_role("button", name="Compare 2: is it real?").click()
    expect(page.get_by_role("heading", name="Is it real?")).to_be_in_viewport()
    expect(page.locator(".st-key-card-real")).to_be_focused()
    assert_sound(page)


def test_the_address_keeps_what_is_shown(room: Ui, visit: Visit) -> None:
    page = visit("viewer", "/experiments", at=room)
    expect(page).to_have_url(re.compile(r"[?&]show=both(&|$)"))
    page.get_by_role("radio", name="Pictures", exact=True).click()
    expect(page).to_have_url(re.compile(r"[?&]show=pictures(&|$)"))
    expect(page.locator(".st-key-card-runs")).to_have_count(0)
    settled(page)
    alone = page.locator(".st-key-curves .main-svg").first.bounding_box()
    page.get_by_role("button", name="Box", exact=True).click()
    expect(page).to_have_url(re.compile(r"[?&]tab=Curves%2CBox(&|$)"))
    settled(page)
    curves, box = page.locator(".st-key-picture-curves"), page.locator(".st-key-picture-box")
    expect(box.locator(".main-svg").first).to_be_visible()
    left, right = curves.bounding_box(), box.bounding_box()
    assert alone is not None
    assert left is not None
    assert right is not None
    assert alone["width"] > 900
    assert right["x"] >= left["x"] + left["width"]
    assert abs(right["y"] - left["y"]) < 2
    assert_sound(page)
    page.reload()
    settled(page)
    expect(box.locator(".main-svg").first).to_be_visible()
    page.get_by_role("radio", name="Table", exact=True).click()
    expect(page).to_have_url(re.compile(r"[?&]show=table(&|$)"))
    expect(page.locator(".st-key-card-pictures")).to_have_count(0)
    settled(page)
    assert cut_columns(page) == []
    page.go_back()
    expect(box.locator(".main-svg").first).to_be_visible()


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_a_wide_window_shows_every_column_beside_the_picture(room: Ui, visit: Visit, mode: str) -> None:
    page = visit("viewer", "/experiments", mode=mode, width=1920, at=room)
    assert cut_columns(page) == []
    table = page.locator(".st-key-card-runs").bounding_box()
    picture = page.locator(".st-key-card-pictures").bounding_box()
    assert table is not None
    assert picture is not None
    assert picture["x"] + picture["width"] > 1920 - 60
    assert table["height"] > 600
    assert_sound(page)


def test_between_phone_and_desk_table_and_picture_lie_one_below_the_other(room: Ui, visit: Visit) -> None:
    page = visit("viewer", "/experiments", width=768, at=room)
    table = page.locator(".st-key-card-runs").bounding_box()
    picture = page.locator(".st-key-card-pictures").bounding_box()
    assert table is not None
    assert picture is not None
    assert picture["y"] >= table["y"] + table["height"]
    assert min(table["width"], picture["width"]) > 650
    assert page.locator(".st-key-tab-pick button").evaluate_all(
        "nodes => nodes.every(one => [...one.querySelectorAll('p')].every(p => p.scrollWidth <= p.clientWidth + 1))"
    )
    assert_sound(page)


def test_runs_wear_their_line_s_colour_before_they_are_ticked_and_their_version(room: Ui, visit: Visit) -> None:
    page = visit("viewer", "/experiments", at=room)
    expect(page.locator(".st-key-card-runs .slot")).to_have_count(6)
    colours = page.locator(".st-key-card-runs .slot").evaluate_all(
        "nodes => nodes.map(one => getComputedStyle(one).backgroundColor)"
    )
    lines = page.locator(".st-key-curves .scatterlayer .js-line").evaluate_all(
        "nodes => nodes.map(one => getComputedStyle(one).stroke)"
    )
    assert len(lines) == 6
    assert colours == lines
    became = page.get_by_role("row", name=re.compile("leaves-16-rate-0.2-seed-2"))
    expect(became.locator(".badge", has_text="v1")).to_be_visible()


def test_configurations_are_named_by_what_differs(room: Ui, visit: Visit) -> None:
    page = visit("viewer", "/experiments?view=groups&show=table", at=room)
    expect(page.locator(NAMES)).to_have_count(6)
    named = page.locator(NAMES).evaluate_all("nodes => nodes.map(one => one.textContent)")
    wanted = {f"max_leaf_nodes {leaves} · learning_rate {rate}" for leaves in (8, 16, 31) for rate in ("0.05", "0.2")}
    assert set(named) == wanted
    expect(page.locator(".st-key-card-runs tbody .count")).to_have_text(["4 runs"] * 6)
    assert_sound(page)
