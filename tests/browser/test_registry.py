"""The Registry page in a real browser: sound in both modes and widths, rows select, decisions are carried out."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from mlops_dash import bootstrap
from mlops_dash.clock import wall_now
from mlops_dash.settings import from_environment
from mlops_dash.store import world
from mlops_dash.store.db import transaction
from tests.browser.conftest import MODES, SIZES, Ui, Visit, assert_sound, environment, settled, start_ui
from tests.factories import NOON, VIEWER, WORKER
from tests.registry_world import MODEL, Hands, story


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory, mlflow_template: Path) -> Iterator[Ui]:
    """A server on a home where v3 is proposed; MLflow is a store file beside it."""
    home = tmp_path_factory.mktemp("registry")
    shutil.copyfile(mlflow_template, home / "mlflow.db")
    address = {"MLFLOW_TRACKING_URI": f"sqlite:///{home}/mlflow.db"}
    hands = Hands()
    services = bootstrap.build(from_environment({**environment(home, 8501), **address}), clock=hands.clock())
    services.access.ensure_demo_users(WORKER)
    story(services.context, hands)
    with transaction(services.context.databases.app) as session:
        world.put(session, world.CLOCK_OFFSET, (NOON - wall_now()).total_seconds())
    services.close()
    with start_ui(home) as running:
        running.services.context.registry.uri = address["MLFLOW_TRACKING_URI"]
        yield running


@pytest.mark.parametrize("width", list(SIZES))
@pytest.mark.parametrize("mode", MODES)
def test_the_page_is_sound(told: Ui, visit: Visit, mode: str, width: int) -> None:
    page = visit("lead", "/registry", mode=mode, width=width, at=told)
    expect(page.get_by_text("Gates of v3")).to_be_visible()
    assert_sound(page)


def test_on_a_phone_the_gates_and_the_decision_come_first(told: Ui, visit: Visit) -> None:
    page = visit("lead", "/registry", width=390, at=told)
    gates, versions = page.locator(".st-key-card-gates"), page.locator(".st-key-card-versions")
    assert gates.bounding_box()["y"] < versions.bounding_box()["y"]  # type: ignore[index]
    button = page.locator(".st-key-approve button").bounding_box()
    assert button is not None
    assert button["height"] >= 44
    assert button["x"] + button["width"] <= 390


@pytest.mark.parametrize("mode", MODES)
def test_the_approval_is_read_and_given_on_a_phone(told: Ui, visit: Visit, mode: str) -> None:
    page = visit("lead", "/registry", mode=mode, width=390, at=told)
    page.locator(".st-key-approve button").first.click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("textbox", name="Comment")).to_be_visible()
    box = dialog.bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 390
    assert dialog.evaluate("one => one.scrollWidth <= one.clientWidth")
    for button in dialog.get_by_role("button").all():
        size = button.bounding_box()
        assert size is not None
        assert min(size["width"], size["height"]) >= 44
    act = dialog.get_by_role("button", name="Approve v3").bounding_box()
    assert act is not None
    assert act["width"] > 300
    expect(dialog).to_contain_text("limit <")  # no limit of a gate is cut
    assert_sound(page)


def test_selecting_a_row_opens_that_version_and_its_link(told: Ui, visit: Visit) -> None:
    page = visit("viewer", "/registry", at=told)
    grid = page.locator(".st-key-card-versions canvas").first
    box = grid.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + 15, box["y"] + 35 + 34 * 1.5)  # the second row: v2
    expect(page.get_by_text("Gates of v2")).to_be_visible()
    expect(page).to_have_url(re.compile("version=2"))


def test_approve_and_promote_as_two_people_click(told: Ui, visit: Visit) -> None:
    page = visit("lead", "/registry", width=390, at=told)
    _decide(page, "approve", "Approve v3", "the interval is wholly better")
    expect(page.get_by_text("v3 is approved and may be promoted.")).to_be_visible()
    other = visit("admin", "/registry", at=told)
    other.locator(".st-key-promote button").click()
    act = other.get_by_role("button", name="Promote v3", exact=True)
    expect(act).to_be_visible()
    act.click()
    assert told.services.registry.serving(VIEWER, MODEL).epoch == 3  # type: ignore[union-attr]  # no reason, no act
    other.get_by_label("Reason").fill("May is over")
    act.click()
    expect(other.get_by_text("Decided and in the ledger.")).to_be_visible()  # the page's MLflow is away

    told.services.registry.reconcile(WORKER)  # what the worker does a moment later

    serving = told.services.registry.serving(VIEWER, MODEL)
    assert serving is not None
    assert serving.epoch == 4
    other.reload()
    settled(other)
    expect(other.get_by_text("Promotion of v3")).to_be_visible()
    expect(other.get_by_text("champion v3 since")).to_be_visible()


def _decide(page: Page, opens: str, button: str, reason: str) -> None:
    page.locator(f".st-key-{opens} button").click()
    page.get_by_role("dialog").get_by_role("textbox").last.fill(reason)
    page.get_by_role("button", name=button, exact=True).click()


@pytest.mark.parametrize("width", list(SIZES))
def test_what_was_champion_on_a_day_is_asked_in_the_header_and_answered_on_enter(
    full: Ui, visit: Visit, width: int
) -> None:
    page = visit("viewer", "/registry", width=width, at=full)
    field = page.locator(".st-key-pagehead .st-key-on")
    expect(field).to_be_visible()
    field.get_by_role("spinbutton", name="year").click()
    calendar = page.get_by_role("grid").first
    expect(calendar).to_be_visible()
    expect(calendar).to_have_attribute("aria-label", re.compile("June 2013"))  # the ledger's last month
    page.keyboard.type("20130429")
    page.keyboard.press("Enter")
    expect(page.locator(".st-key-champion-on")).to_contain_text("v2, promoted by")
    expect(page).to_have_url(re.compile(r"[?&]on=2013-04-29(&|$)"))
    assert_sound(page)
