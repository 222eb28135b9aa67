"""Every page of the table in a real browser: sound in both themes and widths, its links restore it, keys reach it.

A new row in app/pages.py is covered without a change here.
"""

from __future__ import annotations

import re
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, expect

from app.pages import HOME, PAGES
from tests.browser.conftest import (
    MODES,
    SIZES,
    Ui,
    Visit,
    Watch,
    assert_sound,
    settled,
)

UNTOLD = ".stPlotlyChart:not([aria-label], [aria-label] *, :has([aria-label]))"  # no text alternative
CHARTED = {"monitoring": 4, "registry": 1, "retraining": 1}  # pages whose charts the town fills, and how many at least

ABOUT = dict.fromkeys(("monitoring", "registry"), "flight-delay: ")  # what their tab says besides their title


def turn_to(page: Page, url: str) -> None:
    """Another page by its link in the navigation, as a click does, also where a phone has folded it away."""
    page.evaluate("for (const one of document.querySelectorAll('.ph h1')) one.dataset.old = '1'")
    page.evaluate("""url => [...document.querySelectorAll('[data-testid="stSidebarNavLink"]')]
        .find(one => new URL(one.href).pathname === url).click()""", path(url))  # fmt: skip
    page.wait_for_url(re.compile(rf"{path(url)}(\?|$)"))
    page.wait_for_selector(".ph h1:not([data-old]), .st-key-card-error")
    settled(page)


def path(url: str) -> str:
    """Where a page of the table stands."""
    return "/" if url == HOME else f"/{url}"


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("width", SIZES)
def test_every_page_is_sound_with_facts(full: Ui, visit: Visit, mode: str, width: int) -> None:
    page = visit("lead", path(PAGES[-1].url), mode=mode, width=width, at=full)
    for row in PAGES:
        turn_to(page, row.url)
        expect(page.get_by_role("heading", level=1)).to_have_count(1)
        expect(page).to_have_title(re.compile(rf"^{re.escape(row.title)} · {ABOUT.get(row.url, '')}.*mlops-dash$"))
        if row.url in CHARTED:
            expect(page.locator(".js-plotly-plot").nth(CHARTED[row.url] - 1)).to_be_visible()
            expect(page.locator(".js-plotly-plot .main-svg").nth(0)).to_be_visible()
        assert_sound(page)
        expect(page.locator(UNTOLD)).to_have_count(0)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("width", SIZES)
def test_every_page_is_sound_with_nothing_in_it(ui: Ui, visit: Visit, mode: str, width: int) -> None:
    page = visit("viewer", path(PAGES[-1].url), mode=mode, width=width)
    for row in PAGES:
        turn_to(page, row.url)
        expect(page.get_by_role("heading", level=1)).to_have_count(1)
        assert_sound(page)


# page, parameters, and what stands on the page only with them
LINKS = [
    ("/monitoring?model=flight-delay&win=30d&metric=brier&feature=wind", "Distribution of wind"),
    ("/monitoring?model=flight-delay&metric=brier", "Brier score against its reference"),
    ("/registry?model=flight-delay&version=2", "Gates of v2"),
    ("/retraining?lvl=Warnings", "WARN  wind_gust is missing"),
    ("/retraining?span=30+days", "Runs"),
    ("/audit?tab=Tokens", "Issue token"),
    ("/audit?tab=Policies&kind=monitoring", "Propose the next version"),
    ("/audit?entry=2", "Entry 2"),
    ("/audit?object=no+such+thing", "No entry fits these filters"),
]


def asked(address: str) -> dict[str, list[str]]:
    """What an address asks for."""
    return parse_qs(urlsplit(address).query)


@pytest.mark.parametrize(("link", "said"), LINKS)
def test_a_link_restores_the_page_in_a_fresh_browser(full: Ui, visit: Visit, link: str, said: str) -> None:
    page = visit("admin", link, at=full)
    expect(page.get_by_text(said).first).to_be_visible()
    page.wait_for_url(lambda url: asked(url) == {**asked(url), **asked(link)})  # the page adds what nobody asked for


def test_an_unknown_address_is_answered_by_us_and_mended_by_a_click(
    full: Ui, visit: Visit, watches: list[Watch]
) -> None:
    page = visit("lead", "/monitoring", at=full)
    watches[0].allowed.append("404 (Not Found)")  # the address of this story
    answer = page.goto(full.url + "/monitorin?win=30d")
    assert answer is not None
    assert answer.status == 404
    expect(page.get_by_role("heading", name="There is no such page")).to_be_visible()
    expect(page.get_by_text("Page not found")).to_have_count(0)
    assert_sound(page)
    page.get_by_role("link", name="Monitoring").click()
    settled(page)
    expect(page).to_have_url(re.compile(r"/monitoring\?win=30d(&|$)"))


def test_a_link_to_nothing_has_a_calm_face(full: Ui, visit: Visit) -> None:
    page = visit("viewer", "/registry?model=nobody", at=full)
    expect(page.get_by_text("No model 'nobody'")).to_be_visible()
    assert_sound(page)
    page.get_by_role("button", name="Open the page without it").click()
    expect(page.get_by_text("Gates of v3")).to_be_visible()
    expect(page).to_have_url(re.compile(r"/registry\?model=flight-delay(&|$)"))


def charts_ink(page: Page) -> list[str]:
    return page.evaluate(  # type: ignore[no-any-return]
        "[...document.querySelectorAll('.js-plotly-plot [class$=tick] text')].map(one => one.style.fill)"
    )


def test_the_theme_flips_without_a_reload_and_charts_follow(full: Ui, visit: Visit) -> None:
    page = drawn(visit("viewer", "/monitoring", at=full))
    page.evaluate("window.stayed = true")
    light = charts_ink(page)
    assert light
    page.emulate_media(color_scheme="dark")
    page.wait_for_function(
        "light => { const all = [...document.querySelectorAll('.js-plotly-plot [class$=tick] text')];"
        " return all.length && all.every(one => !light.includes(one.style.fill)); }",
        arg=light,
    )
    assert_sound(settled(page))
    assert page.evaluate("window.stayed")


CHART = "document.querySelector('.st-key-card-performance .js-plotly-plot')"
RANGE = f"{CHART}?._fullLayout?.xaxis.range ?? [NaN, NaN]"  # a chart of another span replaces the one before
SPAN = f"(([a, b]) => (new Date(b) - new Date(a)) / 864e5)({RANGE})"  # days that it shows


def drawn(page: Page) -> Page:
    """Wait until the page's charts stand: their code is loaded as the first one is needed."""
    page.wait_for_function(
        "() => { const all = [...document.querySelectorAll('.stPlotlyChart')];"
        " return all.length && all.every(one => one.querySelector('.main-svg [class$=tick] text')); }"
    )
    return page


def test_zoom_and_the_chart_itself_survive_a_rerun(full: Ui, visit: Visit) -> None:
    page = drawn(visit("viewer", "/monitoring?feature=wind", at=full))
    whole = page.evaluate(SPAN)
    box = page.locator(".st-key-card-performance .js-plotly-plot .nsewdrag").nth(1).bounding_box()
    assert box is not None
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] * 0.25, middle)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.75, middle, steps=8)
    page.mouse.up()
    page.wait_for_function(
        f"whole => {SPAN} < whole * .7",
        arg=whole,
    )
    zoomed = page.evaluate(SPAN)
    page.evaluate(f"window.chart = {CHART}")
    page.locator(".st-key-feature-pick input").click()
    page.keyboard.type("place")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Distribution of place")).to_be_visible()
    settled(page)
    assert page.evaluate(SPAN) == pytest.approx(zoomed)
    assert page.evaluate(f"window.chart === {CHART}")
    page.get_by_role("radio", name="30d").click()  # another span: the zoom belonged to the one before
    page.wait_for_url(re.compile("win=30d"))
    page.wait_for_function(f"zoomed => Math.abs({SPAN} - zoomed) > .01", arg=zoomed)  # drawn a moment after the url


def cell_of(page: Page, column: str, share: float) -> tuple[float, float]:
    """Where the drift map's row of a column is, at this share of its width from the left."""
    label = page.locator(".st-key-card-drift .ytick text").filter(has_text=re.compile(f"^{column}$")).bounding_box()
    plot = page.locator(".st-key-card-drift .js-plotly-plot .nsewdrag").first.bounding_box()
    assert label is not None
    assert plot is not None
    return plot["x"] + plot["width"] * share, label["y"] + label["height"] / 2


def test_a_click_on_the_map_or_a_bar_opens_the_column(full: Ui, visit: Visit) -> None:
    page = drawn(visit("viewer", "/monitoring?feature=wind", at=full))
    expect(page.get_by_text("Distribution of wind")).to_be_visible()
    page.locator(".st-key-card-drift").scroll_into_view_if_needed()
    page.mouse.move(*cell_of(page, "place", 0.6))
    expect(page.locator(".st-key-card-drift .hoverlayer")).to_contain_text("excess PSI")
    page.mouse.click(*cell_of(page, "place", 0.6))
    page.wait_for_url(re.compile(r"feature=place&at=\d{4}-|at=\d{4}-.*feature=place"))
    expect(page.get_by_text("Distribution of place")).to_be_visible()
    settled(page)
    page.locator(".st-key-at-pick input").click()
    page.keyboard.type("The latest")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"^(?!.*at=)"))
    settled(page)
    bar = page.locator(".st-key-card-ranked .bars .point path").first
    bar.scroll_into_view_if_needed()
    label = page.locator(".st-key-card-ranked .ytick text").first.text_content()
    bar.click(force=True)
    expect(page.get_by_text(f"Distribution of {label}")).to_be_visible()
    page.wait_for_url(re.compile("feature=(?!place)"))
