"""The Reports page and the file itself in a real browser: the preview shows, the file opens offline and fits."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from mlops_dash import bootstrap
from mlops_dash.clock import wall_now
from mlops_dash.settings import from_environment
from mlops_dash.store import world as world_store
from mlops_dash.store.db import transaction
from tests.browser.conftest import CONTRAST, MODES, SIZES, Ui, Visit, assert_sound, environment, start_ui
from tests.factories import SCIENTIST, VIEWER, WORKER
from tests.services.reports_world import MODEL, office


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ui]:
    """A server on a home with one kept report."""
    home = tmp_path_factory.mktemp("reports")
    services = bootstrap.build(from_environment(environment(home, 8501)))
    services.access.ensure_demo_users(WORKER)
    made = office(services.context)
    made.reports.freeze(SCIENTIST, made.reports.weekly(SCIENTIST, MODEL))
    with transaction(services.context.databases.app) as session:
        world_store.put(session, world_store.CLOCK_OFFSET, (made.world.now - wall_now()).total_seconds())
    services.close()
    with start_ui(home) as running:
        yield running


@pytest.mark.parametrize("width", list(SIZES))
@pytest.mark.parametrize("mode", MODES)
def test_the_page_is_sound_and_the_preview_shows_in_its_colours(told: Ui, visit: Visit, mode: str, width: int) -> None:
    page = visit("scientist", "/reports", mode=mode, width=width, at=told)
    report = page.frame_locator("iframe")
    expect(report.get_by_role("heading", level=1)).to_have_text("flight-delay")
    drawing = report.locator(f"svg.{'wide' if width > 680 else 'narrow'}").first
    expect(drawing).to_be_visible()
    ground = report.locator("body").evaluate("body => getComputedStyle(body).backgroundColor")
    assert ground == ("rgb(12, 14, 19)" if mode == "dark" else "rgb(255, 255, 255)")
    assert_sound(page)
    expect(page.locator(".st-key-whole iframe")).to_be_visible()
    page.wait_for_function(
        "() => { const frame = document.querySelector('.st-key-whole iframe'), file = frame.contentDocument;"
        " return file.documentElement.scrollHeight <= frame.clientHeight && frame.clientHeight > 1000"
        " && [...file.fonts].some((one) => one.family === 'Inter' && one.status === 'loaded'); }"
    )  # the page scrolls, and no window within it; in the page's font


def test_the_downloaded_file_is_the_kept_one(told: Ui, visit: Visit, tmp_path: Path) -> None:
    page = visit("viewer", "/reports", at=told)
    page.get_by_role("button", name="Download", exact=True).click()
    with page.expect_download() as asked:
        page.get_by_role("button", name="HTML").click()
    (line,) = told.services.reports.room(VIEWER).lines
    asked.value.save_as(tmp_path / "week.html")
    assert asked.value.suggested_filename.endswith(f"week-to-{line.week.last_day.isoformat()}.html")
    assert (tmp_path / "week.html").read_text() == told.services.reports.html(VIEWER, line.id)


@pytest.mark.parametrize("width", list(SIZES))
@pytest.mark.parametrize("mode", MODES)
def test_the_file_opens_offline_fits_and_can_be_read(
    told: Ui, chromium: Browser, tmp_path: Path, mode: str, width: int
) -> None:
    (line,) = told.services.reports.room(VIEWER).lines
    file = tmp_path / "week.html"
    file.write_text(told.services.reports.html(VIEWER, line.id))
    context = chromium.new_context(viewport={"width": width, "height": SIZES[width]}, color_scheme=mode, offline=True)
    page = context.new_page()
    asked: list[str] = []
    said: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.goto(file.as_uri())
    wide = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
    weak = page.evaluate(CONTRAST, [])
    context.close()
    assert asked == [file.as_uri()]
    assert said == []
    assert wide[0] <= wide[1]
    assert weak == []


def test_on_paper_it_is_light_whatever_the_device_prefers(told: Ui, chromium: Browser, tmp_path: Path) -> None:
    (line,) = told.services.reports.room(VIEWER).lines
    file = tmp_path / "week.html"
    file.write_text(told.services.reports.html(VIEWER, line.id))
    context = chromium.new_context(color_scheme="dark")
    page = context.new_page()
    page.goto(file.as_uri())
    page.emulate_media(media="print", color_scheme="dark")
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    paper = page.pdf(prefer_css_page_size=True)
    context.close()
    assert ground == "rgb(255, 255, 255)"
    assert paper.startswith(b"%PDF")


def test_a_review_is_made_by_keyboard(told: Ui, visit: Visit) -> None:
    before = len(told.services.reports.room(VIEWER).lines)
    page = visit("scientist", "/reports", at=told)
    page.get_by_role("button", name="Make a report…").focus()
    page.keyboard.press("Enter")
    day = told.services.reports.choices(VIEWER)[0].last_day
    assert day is not None
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("combobox").first).to_be_visible()
    dialog.get_by_role("button", name="Make the report", exact=True).focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("is kept: facts")).to_be_visible()
    assert len(told.services.reports.room(VIEWER).lines) == before  # the same facts are the same report
    assert day == told.services.reports.room(VIEWER).lines[0].week.last_day
