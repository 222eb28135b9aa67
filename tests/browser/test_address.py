"""The address says what the page shows, also what nobody chose: it opens the same when another model has become first.

Back and Forward walk through what was picked, range and filter included.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest
from playwright.sync_api import Page, expect

from app.pages import PAGES
from mlops_dash.domain.words import Health
from tests import fleet_world
from tests.browser import town
from tests.browser.conftest import Ui, Visit, environment, settled, start_ui
from tests.factories import LEAD
from tests.machine import free_port
from tests.registry_world import MODEL

WORSE = """a model's "fast" twin"""  # harmed too, and before the other by name
WRITTEN = {  # what each page's plain address becomes
    "overview": {},
    "monitoring": {"model": MODEL, "win": "90d", "metric": "day_auc", "feature": "wind"},
    "ab": {"test": "published"},
    "files": {"do": "Watch a model"},
    "experiments": {"exp": "0"},
    "registry": {"model": MODEL, "version": "3", "part": "Decide"},
    "retraining": {"span": "2 days", "lvl": "All"},
    "reports": {"tab": "Kept"},
    "audit": {"tab": "Ledger"},
}


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory, mlflow_template: Path) -> Iterator[Ui]:
    """A town of this module, whose models change places."""
    home = tmp_path_factory.mktemp("address")
    town.build(home, mlflow_template, environment(home, free_port()))
    with start_ui(home) as running:
        yield running


def asks(page: Page, wanted: dict[str, str]) -> None:
    """The address asks for just this; values are patterns."""
    page.wait_for_function(
        """wanted => {
          const found = [...new URL(location.href).searchParams];
          return found.length === Object.keys(wanted).length
            && found.every(([key, value]) => key in wanted && new RegExp(`^${wanted[key]}$`).test(value));
        }""",
        arg=wanted,
    )


def query(page: Page) -> dict[str, str]:
    """What the address asks for."""
    return dict(parse_qsl(urlsplit(page.url).query))


def test_an_address_opens_the_same_when_another_model_is_first(own: Ui, visit: Visit) -> None:
    page = visit("lead", "/", at=own)
    kept = {}
    for row in PAGES:
        page.goto(f"{own.url}/{row.url}")
        settled(page)
        asks(page, WRITTEN[row.url])
        kept[row.url] = page.url
    assert page.evaluate("history.length") == 1 + len(PAGES) + 1  # about:blank and / before: the page adds no entry
    fleet_world.served(own.services.context, WORSE, health=Health.HARMED)
    assert [one.model for one in own.services.monitoring.models(LEAD)] == [WORSE, MODEL]
    for row in PAGES:
        page.goto(kept[row.url])
        settled(page)
        asks(page, WRITTEN[row.url])
    page.goto(kept["monitoring"])
    settled(page)
    expect(page.locator(".st-key-model input")).to_have_value(MODEL)


def test_back_and_forward_walk_through_range_filter_and_page(own: Ui, visit: Visit) -> None:
    page = visit("lead", f"/monitoring?model={MODEL}", at=own)
    chosen = page.get_by_role("radio", checked=True)
    expect(chosen).to_have_text("90d")
    asks(page, WRITTEN["monitoring"])
    page.get_by_role("radio", name="30d").click()
    asks(page, {**WRITTEN["monitoring"], "win": "30d"})
    expect(page.get_by_role("heading", level=1, name="Monitoring")).to_be_visible()
    settled(page)
    page.locator("[data-testid='stSidebarNav']").get_by_role("link", name="Audit & admin").click()
    asks(page, {"tab": "Ledger"})
    settled(page)
    page.get_by_role("tab", name="Users").click()
    asks(page, {"tab": "Users"})
    settled(page)
    page.go_back()
    asks(page, {"tab": "Ledger"})
    expect(page.get_by_role("tab", name="Ledger")).to_have_attribute("aria-selected", "true")
    settled(page)
    page.go_back()
    expect(chosen).to_have_text("30d")
    asks(page, {**WRITTEN["monitoring"], "win": "30d"})
    settled(page)
    page.go_back()
    expect(chosen).to_have_text("90d")
    asks(page, WRITTEN["monitoring"])
    settled(page)
    page.go_forward()
    expect(chosen).to_have_text("30d")
    asks(page, {**WRITTEN["monitoring"], "win": "30d"})


def test_back_keeps_the_filter_of_the_ledger(own: Ui, visit: Visit) -> None:
    page = visit("lead", "/audit?object=flight", at=own)
    expect(page.get_by_text(re.compile("fit the filters"))).to_be_visible()
    page.locator("[data-testid='stSidebarNav']").get_by_role("link", name="Files").click()
    asks(page, {"do": "Watch a model"})
    settled(page)
    page.go_back()
    expect(page.get_by_label("Object or reason")).to_have_value("flight")
    asks(page, {"object": "flight", "tab": "Ledger"})
