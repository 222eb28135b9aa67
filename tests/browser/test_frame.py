"""The frame in a real browser: doors, deep links, both themes and widths, the dialog, and Audit & admin on a screen."""

from __future__ import annotations

import re
import urllib.request
from urllib.error import HTTPError
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, Page, expect

from app.components.ahead import scripts
from app.pages import PAGES
from app.shell.cookies import cookie_name
from mlops_dash.domain.access import NOBODY
from mlops_dash.domain.audit import Action, Filter
from tests.browser.conftest import MODES, SIZES, Ui, Visit, Watch, assert_sound, settled
from tests.factories import ADMIN

AUDIT = (
    "/audit?tab=Models",
    "/audit?tab=Policies",
    "/audit?tab=Users",
    "/audit?tab=Tokens",
    "/audit?entry=2",
)  # the ledger itself: test_pages


def fetch(url: str) -> tuple[int, str]:
    """Status and final address of an anonymous GET."""
    try:
        with urllib.request.urlopen(url, timeout=20) as answer:
            return answer.status, answer.url
    except HTTPError as error:
        with error:
            return error.code, url


def test_anonymous_requests_reach_nothing_but_the_login_and_health(ui: Ui) -> None:
    for url in ("/", *(f"/{row.url}" for row in PAGES)):
        status, landed = fetch(ui.url + url)
        assert (status, landed) == (200, f"{ui.url}/login?next={quote(url, safe='')}")
    shut = (
        "/_stcore/host-config",
        "/_stcore/metrics",
        "/static/index.html",
        "/media/x",
        "/app/static/none.svg",
        "/main.py",
    )
    assert [fetch(ui.url + path)[0] for path in shut] == [401] * len(shut)
    secret, _ = ui.services.access.login_demo(NOBODY, "viewer")
    cookie = {"Cookie": f"{cookie_name(ui.services.context.settings)}={secret}"}
    for _ in range(2):  # from the disk, then from memory: for who has a session
        with urllib.request.urlopen(
            urllib.request.Request(ui.url + scripts()[0], headers=cookie), timeout=20
        ) as answer:
            assert answer.status == 200
    assert fetch(ui.url + scripts()[0])[0] == 401
    opened = ("/login", "/healthz", "/_stcore/health", "/app/static/icon.svg")
    assert [fetch(ui.url + path)[0] for path in opened] == [200] * len(opened)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("width", SIZES)
def test_the_login_is_sound(visit: Visit, mode: str, width: int) -> None:
    page = visit("", "/audit?entry=2", mode=mode, width=width)
    expect(page.get_by_role("heading", name="Log in")).to_be_visible()
    assert_sound(page)


def test_a_deep_link_survives_the_login_by_keyboard_alone(ui: Ui, visit: Visit, watches: list[Watch]) -> None:
    page = visit("", "/audit?action=user.role_set&entry=4&tab=Ledger")
    watches[0].allowed.append("401 (Unauthorized)")  # the refused login of this story
    expect(page.get_by_role("button", name="Viewer")).to_be_focused()  # a demo: Enter is enough to look around
    for _ in range(4):
        page.keyboard.press("Tab")
    expect(page.get_by_label("Name")).to_be_focused()
    page.keyboard.type("ada")
    page.keyboard.press("Tab")
    page.keyboard.type("not the password")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("Name and password do not fit together")
    expect(page.get_by_label("Name")).to_have_value("ada")
    page.get_by_label("Password").fill("four short words")
    page.keyboard.press("Enter")
    settled(page)
    expect(page).to_have_url(f"{ui.url}/audit?action=user.role_set&entry=4&tab=Ledger")
    expect(page.get_by_role("dialog")).to_contain_text("stands in for the admin")


@pytest.mark.parametrize("path", AUDIT)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("width", SIZES)
def test_audit_and_admin_is_sound(visit: Visit, path: str, mode: str, width: int) -> None:
    page = visit("admin", path, mode=mode, width=width)
    expect(page.get_by_role("heading", name="Audit & admin", level=1)).to_be_visible()
    assert_sound(page)


@pytest.mark.parametrize("mode", MODES)
def test_who_may_not_act_sees_why(visit: Visit, mode: str) -> None:
    page = visit("viewer", "/audit?tab=Users", mode=mode)
    expect(page.get_by_role("button", name="Create user…")).to_be_disabled()
    expect(page.get_by_text("Needs the role admin; you are viewer.").first).to_be_visible()
    assert_sound(page)


def test_the_frame_says_who_where_and_when(visit: Visit) -> None:
    page = visit("lead", "/audit")
    top = page.locator(".st-key-topbar")
    expect(top).to_contain_text("lead · Log out")
    expect(top).to_contain_text("local demo")
    expect(top).to_contain_text("MLflow 127.0.0.1:9")
    expect(top).to_contain_text("Demo clock: 3 Jun 2013, 12:")
    expect(top).to_contain_text("1 waiting for you")


def test_nothing_waits_for_who_may_not_act(visit: Visit) -> None:
    expect(visit("viewer", "/audit").locator(".st-key-topbar")).to_contain_text("Nothing waits for you")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("width", SIZES)
def test_what_waits_is_one_click_away(visit: Visit, mode: str, width: int) -> None:
    page = visit("scientist", "/audit", mode=mode, width=width)
    page.get_by_role("button", name="1 waiting for you").click()
    link = page.get_by_role("link", name="flight-delay is harmed since 14 Apr")
    expect(link).to_be_visible()
    expect(page.get_by_text("base-rate-free log-loss 0.523, reference 0.464 · waits for 2 d")).to_be_visible()
    assert_sound(page)
    link.click()
    page.wait_for_url(re.compile(r"/monitoring\?model=flight-delay$"))
    expect(link).to_have_count(0)


def test_the_start_page_opens_monitoring_and_keeps_the_query(visit: Visit) -> None:
    page = visit("viewer", "/?model=flight-delay")
    page.wait_for_url(re.compile(r"/monitoring\?model=flight-delay$"))


def test_filters_stand_in_the_url_and_narrow_the_table(visit: Visit) -> None:
    page = visit("viewer", "/audit")
    page.get_by_label("Object or reason").fill("booking")
    page.keyboard.press("Enter")
    expect(page.get_by_text("1 entry fit the filters")).to_be_visible()
    expect(page).to_have_url(re.compile("object=booking"))


def test_verify_answers_on_the_page(visit: Visit, ui: Ui) -> None:
    page = visit("viewer", "/audit")
    page.get_by_role("button", name="Verify the ledger").click()
    expect(page.get_by_text(re.compile(r"\d+ entries verified"))).to_be_visible()


def test_closing_an_entry_forgets_it_in_the_url(visit: Visit) -> None:
    page = visit("viewer", "/audit?entry=3")
    expect(page.get_by_role("dialog")).to_contain_text("token airport service")
    page.get_by_role("button", name="Close").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.wait_for_url(re.compile(r"/audit$"))


def test_a_decision_needs_a_reason_survives_a_refusal_and_lands_in_the_ledger(visit: Visit, ui: Ui) -> None:
    page = visit("admin", "/audit?tab=Users")
    page.get_by_role("button", name="Create user…").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("one-time link, valid for 24 hours")
    assert_sound(page)
    dialog.get_by_label("Name").fill("ada")
    dialog.get_by_role("button", name="Create user").click()
    assert ui.services.audit.entries(ADMIN, Filter(text="asked by the board")).total == 0
    dialog.get_by_label("Reason").fill("asked by the board")
    dialog.get_by_role("button", name="Create user").click()
    expect(dialog.get_by_role("alert")).to_contain_text("The name 'ada' is taken")
    expect(dialog.get_by_label("Reason")).to_have_value("asked by the board")
    dialog.get_by_label("Name").fill("grace")
    dialog.get_by_role("button", name="Create user").click()
    expect(page.get_by_text("grace may come in as viewer")).to_be_visible()
    expect(page.get_by_role("dialog")).to_have_count(0)
    entry = ui.services.audit.entries(ADMIN, Filter(object="grace")).entries[0]
    assert (entry.action, entry.actor, entry.reason) == (Action.USER_CREATED, "user:admin", "asked by the board")
    secret = page.locator(".st-key-card-secret code").inner_text().rsplit("/", 1)[-1]
    assert ui.services.access.link_is_for(NOBODY, secret) == "grace"


def flip(page: Page, mode: str) -> None:
    page.emulate_media(color_scheme="dark" if mode == "dark" else "light")


def test_the_theme_flips_without_a_reload(visit: Visit) -> None:
    page = visit("viewer", "/audit")
    light = page.locator(".ph p").evaluate("e => getComputedStyle(e).color")
    flip(page, "dark")
    expect(page.locator(".ph p")).not_to_have_css("color", light)
    assert_sound(settled(page))


def test_a_session_that_ended_asks_for_the_login_and_leads_back(visit: Visit, ui: Ui) -> None:
    page = visit("lead", "/audit?object=token")
    cookie = page.context.cookies()[0]
    ui.services.access.logout(NOBODY, str(cookie.get("value")))
    page.get_by_role("button", name="Verify the ledger").click()
    expect(page.get_by_text("Your session has ended")).to_be_visible()
    page.get_by_role("link", name="Log in").click()
    page.get_by_role("button", name="Lead").click()
    settled(page)
    expect(page).to_have_url(f"{ui.url}/audit?object=token&tab=Ledger")


def test_logout_ends_here(visit: Visit, watches: list[Watch]) -> None:
    page = visit("lead", "/audit")
    watches[0].allowed.append("401 (Unauthorized)")  # a part of the page that was still being loaded
    page.get_by_role("link", name="Log out").click()
    expect(page.get_by_role("heading", name="Log in")).to_be_visible()
    page.goto(page.url.split("/login")[0] + "/audit")
    expect(page.get_by_role("heading", name="Log in")).to_be_visible()


def test_every_selector_of_the_style_sheet_still_matches(visit: Visit) -> None:
    page = visit("admin", "/audit?tab=Users")
    for selector in ('[data-testid="stHeader"]', '[data-testid="stNavSectionHeader"]', ".stMainBlockContainer",
                     '[role="tab"][aria-selected="true"] p', ".st-key-topbar", ".st-key-pagehead", ".st-key-tw",
                     '[class*="st-key-card-"]', '[class*="st-key-ch-"]', ".stMain .stHtml a"):  # fmt: skip
        expect(page.locator(selector).first).to_be_attached()


def test_scripts_of_the_next_pages_are_there_before_they_are_opened(visit: Visit) -> None:
    page = visit("admin", "/audit?tab=Users")
    page.wait_for_function(
        "wanted => wanted.every(one => performance.getEntriesByType('resource').some(got => got.name.endsWith(one)))",
        arg=list(scripts()),
    )
    assert any("PlotlyChart" in one for one in scripts())
    assert page.locator(".js-plotly-plot").count() == 0


def test_a_websocket_needs_the_session_and_our_origin(ui: Ui, chromium: Browser) -> None:
    import websocket

    secret, _ = ui.services.access.login_demo(NOBODY, "viewer")
    address = ui.url.replace("http", "ws") + "/_stcore/stream"

    def status(cookie: str | None, origin: str | None) -> int:
        try:
            made = websocket.create_connection(
                address, cookie=cookie, origin=origin, suppress_origin=origin is None, timeout=10
            )
        except websocket.WebSocketBadStatusException as refused:
            return int(refused.status_code)
        made.close()
        return 101

    ours = f"{cookie_name(ui.services.context.settings)}={secret}"
    assert status(ours, ui.url) == 101
    assert status(None, ui.url) == 403
    assert status(f"{ours}x", ui.url) == 403
    assert status(ours, None) == 403
    assert status(ours, "http://evil.example") == 403


def test_every_tab_of_the_browser_says_page_model_and_state(full: Ui, visit: Visit) -> None:
    page = visit("scientist", "/", at=full)
    for path, said in (
        ("/", "Overview · 1 of 1 model harmed"),
        ("/monitoring", "Monitoring · flight-delay: Harmed"),
        ("/registry", "Registry · flight-delay: v3 waits"),
        ("/retraining?model=flight-delay", "Retraining · flight-delay: nothing runs"),
        ("/ab", "A/B tests · Published field experiment"),
        ("/files", "Files · Watch a model"),
        ("/audit", r"Audit & admin · \d+ decisions"),
    ):
        page.goto(full.url + path)
        expect(page).to_have_title(re.compile(f"^{said} · mlops-dash$"), timeout=30_000)
