"""From every page to every other: whatever the page that is left has bound, the next one shows what was asked for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, expect

from app.pages import HOME, PAGES
from mlops_dash import bootstrap
from mlops_dash.domain.words import JobState
from tests import fleet_world
from tests.browser import town
from tests.browser.conftest import Ui, Visit, environment, settings_of, settled, start_ui
from tests.factories import LEAD, WORKER
from tests.machine import free_port
from tests.registry_world import MODEL

OTHER = "second-model"
SERVES = {OTHER: "Nothing is served yet", MODEL: "v1 serves"}
SCHEDULED = {OTHER: "0 schedules", MODEL: "1 schedule "}
WAITS = {OTHER: f"harm of {OTHER}", MODEL: "ROC AUC within the day"}
READY = '[data-testid="stApp"][data-test-script-state="notRunning"]'
TITLES = {row.url: row.title for row in PAGES}


@dataclass(frozen=True)
class Way:
    """What is typed into the search, which hit is taken, and where it leads."""

    typed: str
    hit: str  # how it begins
    page: str
    asked: tuple[tuple[str, str], ...] = ()


WAYS = (
    *(Way(row.title, row.title, row.url) for row in PAGES),
    Way(OTHER, OTHER, "registry", (("model", OTHER),)),
    Way(f"{OTHER} v1", f"{OTHER} v1", "registry", (("model", OTHER), ("version", "1"))),
    Way(f"{MODEL} v1", f"{MODEL} v1", "registry", (("model", MODEL), ("version", "1"))),
    Way("harm of", f"harm of {OTHER}", "monitoring", (("model", OTHER),)),
    Way("refresh", f"refresh of {MODEL}", "retraining", (("run", ""),)),
    Way("scientist", "Scientist", "audit", (("actor", "user:scientist"),)),
)


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory, mlflow_template: Path) -> Iterator[Ui]:
    """The town with a second model, of which an alert is open."""
    home = tmp_path_factory.mktemp("two")
    town.build(home, mlflow_template, environment(home, free_port()))
    services = bootstrap.build(settings_of(home))
    fleet_world.registered(services.context, OTHER)
    fleet_world.alert(services.context, OTHER)
    services.retraining.run_now(LEAD, "refresh", "loss is up since April")
    job = services.jobs.claim(WORKER, "w1")
    assert job is not None
    made = services.registry.version_id(WORKER, MODEL, "3")
    services.jobs.finish(WORKER, job.id, job.epoch, JobState.SUCCEEDED, result={"version": "3", "version_id": made})
    services.close()
    with start_ui(home) as running:
        yield running


def at(page: Page, url: str) -> None:
    """The page with this address stands whole: its title, no incident, its script done."""
    page.wait_for_url(re.compile(rf"/{'(overview)?' if url == HOME else url}(\?|$)"))
    expect(page.get_by_role("heading", level=1, name=TITLES[url])).to_be_visible()
    page.wait_for_selector(READY)
    expect(page.locator(".st-key-card-error, [data-testid='stException']")).to_have_count(0)


def shows(page: Page, asked: tuple[tuple[str, str], ...]) -> None:
    """What was asked for stands in the URL or, where it is a menu's first entry, in the menu; and in the page."""
    for key, value in asked:
        if key == "model":
            expect(page.locator(".st-key-model input")).to_have_value(value)
            said = {"registry": value, "monitoring": SERVES[value], "retraining": SCHEDULED[value]}
            expect(page.locator(".ph p")).to_contain_text(said[urlsplit(page.url).path.strip("/")])
        else:  # within one page the URL follows the script: it may still be the old one
            page.wait_for_url(lambda url, key=key, value=value: holds(url, key, value))


def holds(url: str, key: str, value: str) -> bool:
    """Whether the address asks for something that begins so."""
    found = parse_qs(urlsplit(url).query, keep_blank_values=True)
    return key in found and found[key][0].startswith(value)


def find(page: Page, way: Way) -> None:
    """Ctrl-K, type, choose the hit, Enter."""
    page.wait_for_selector(READY)
    expect(page.get_by_role("button", name="Search Ctrl K")).to_be_visible()
    page.keyboard.press("Control+k")
    box = page.get_by_role("dialog", name="Search")
    expect(box.get_by_role("combobox")).to_be_focused()
    page.keyboard.type(way.typed)
    pattern = re.escape(way.hit).replace("/", ".")  # in the browser a slash would end it
    wanted = box.get_by_role("option", name=re.compile(f"^{pattern}")).first
    expect(box.get_by_role("status")).to_contain_text("Arrow keys choose")
    expect(wanted).to_be_visible()
    for _ in range(12):
        if wanted.get_attribute("aria-selected") == "true":
            break
        page.keyboard.press("ArrowDown")
    expect(wanted).to_have_attribute("aria-selected", "true")
    page.keyboard.press("Enter")
    expect(box).to_have_count(0)


def start(wanted: str) -> tuple[str, ...]:
    """Where each page is left: with another model than the wanted one, where it has a menu of them."""
    other = MODEL if wanted == OTHER else OTHER
    return (
        "overview", f"monitoring?model={other}&win=28d", "ab", "experiments?q=x", f"registry?model={other}&version=1",
        f"retraining?model={other}&span=7+days", "reports", "audit?tab=Users",
    )  # fmt: skip


@pytest.mark.timeout(600)  # eight pages one after another: on a busy machine twenty seconds each
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.typed)
def test_a_hit_of_the_search_opens_from_every_page(two: Ui, visit: Visit, way: Way) -> None:
    first, *others = start(dict(way.asked).get("model", MODEL))
    page = visit("lead", f"/{first}", at=two)
    find(page, way)
    at(page, way.page)
    shows(page, way.asked)
    for one in others:
        url = one.partition("?")[0]
        if "model=" in one:
            page.goto(f"{two.url}/{one}")
            settled(page)
        else:
            page.locator("[data-testid='stSidebarNav']").get_by_role("link", name=TITLES[url]).click()
        at(page, url)
        find(page, way)
        at(page, way.page)
        shows(page, way.asked)


@pytest.mark.parametrize("url", [row.url for row in PAGES])
def test_the_sidebar_keeps_the_model_and_no_more(two: Ui, visit: Visit, url: str) -> None:
    page = visit("lead", f"/registry?model={OTHER}&version=1", at=two)
    page.locator("[data-testid='stSidebarNav']").get_by_role("link", name=TITLES[url]).click()
    at(page, url)
    if url in ("monitoring", "registry", "retraining"):
        shows(page, (("model", OTHER),))


@pytest.mark.parametrize("model", [OTHER, MODEL])
def test_the_queue_leads_to_the_model_that_waits(two: Ui, visit: Visit, model: str) -> None:
    """A link to another page is the browser's own: Python first hears of it on that page."""
    page = visit("lead", "/", at=two)
    for one in start(model):
        page.goto(f"{two.url}/{one}")
        settled(page)
        at(page, one.partition("?")[0])
        page.get_by_role("button", name=re.compile("waiting for you")).click()
        kind = "button" if one.startswith("monitoring") else "link"
        page.get_by_role(kind, name=re.compile(WAITS[model])).click()
        at(page, "monitoring")
        shows(page, (("model", model),))


def test_monitoring_leads_to_the_review(two: Ui, visit: Visit) -> None:
    page = visit("lead", f"/monitoring?model={OTHER}", at=two)
    page.goto(f"{two.url}/monitoring?win=28d")
    settled(page)
    page.get_by_role("button", name="Review v3").click()
    at(page, "registry")
    shows(page, (("model", MODEL), ("version", "3")))
    expect(page.get_by_text("Gates of v3")).to_be_visible()


def test_retraining_leads_to_the_review(two: Ui, visit: Visit) -> None:
    page = visit("lead", f"/registry?model={OTHER}", at=two)
    page.locator("[data-testid='stSidebarNav']").get_by_role("link", name="Retraining").click()
    at(page, "retraining")
    page.goto(f"{two.url}/retraining?model={MODEL}&span=7+days")
    settled(page)
    page.get_by_role("button", name="Review v3").click()
    at(page, "registry")
    shows(page, (("model", MODEL), ("version", "3")))


def test_monitoring_leads_to_the_retrain_that_runs(two: Ui, visit: Visit) -> None:
    job = two.services.retraining.run_now(LEAD, "refresh", "loss is up since May")
    page = visit("lead", "/monitoring?win=28d", at=two)
    page.get_by_role("button", name="Follow the retrain").click()
    at(page, "retraining")
    expect(page.locator(".st-key-model input")).to_have_value(MODEL)
    two.services.jobs.cancel(LEAD, job, reason="only a test")


def test_the_overview_opens_the_model_of_a_row(two: Ui, visit: Visit) -> None:
    page = visit("lead", f"/monitoring?model={MODEL}&win=28d", at=two)
    page.locator("[data-testid='stSidebarNav']").get_by_role("link", name="Overview").click()
    at(page, "overview")
    page.get_by_role("table", name=re.compile("the worst first")).get_by_role("link", name=OTHER, exact=True).click()
    at(page, "monitoring")
    shows(page, (("model", OTHER),))
