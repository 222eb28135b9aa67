"""A report shared by clicks and read in another browser, which has no account and comes no further."""

from __future__ import annotations

import re
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from app.pages import PAGES
from mlops_dash import bootstrap
from mlops_dash.settings import from_environment
from tests.browser.conftest import MODES, SIZES, Ui, Visit, Watch, assert_sound, environment, settled, start_ui
from tests.factories import VIEWER, WORKER
from tests.services.reports_shared import TITLE, shared_report


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ui]:
    """A server on a home with one kept report of a model with HTML in its title."""
    home = tmp_path_factory.mktemp("shared")
    services = bootstrap.build(from_environment(environment(home, 8501)))
    services.access.ensure_demo_users(WORKER)
    shared_report(services.context)
    services.close()
    with start_ui(home) as running:
        yield running


def fetched(url: str) -> tuple[int, str]:
    """What a program without a browser gets, where a login would lead."""
    request = urllib.request.Request(url, headers={"Accept": "text/html"})
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, answer.url
    except urllib.error.HTTPError as error:
        return error.code, error.url or ""


def test_a_report_is_shared_by_clicks_and_read_without_an_account(told: Ui, visit: Visit) -> None:
    page = visit("scientist", "/reports", at=told)
    page.get_by_role("button", name="Share…").click()
    page.get_by_label("For whom, and why").fill("the board's readers")
    page.get_by_role("button", name="Make the link").click()
    card = page.locator(".st-key-card-secret")
    expect(card).to_contain_text("/shared/")
    found = re.search(r"/shared/[\w-]{43}", card.inner_text())
    assert found
    page.get_by_role("button", name="I have stored it").click()
    expect(card).to_have_count(0)
    assert_sound(settled(page))

    for width in SIZES:
        for mode in MODES:
            outside = visit("", found[0], at=told, mode=mode, width=width)
            expect(outside.get_by_role("heading", level=1)).to_have_text(TITLE)
            assert_sound(outside)
            assert outside.context.cookies() == []
            assert outside.evaluate("document.scripts.length") == 0
    assert told.services.reports.shares(VIEWER)[0].opens == len(SIZES) * len(MODES)
    outside.goto(f"{told.url}/reports")
    expect(outside.get_by_role("heading", level=1)).to_have_text("Log in")

    for row in PAGES:
        assert fetched(f"{told.url}/{row.url}") == (200, f"{told.url}/login?next=%2F{row.url}")
    for path in (f"{found[0]}/", f"{found[0]}/reports", "/shared", "/shared/"):
        status, where = fetched(told.url + path)
        assert status in {401, 404} or where.startswith(f"{told.url}/login"), path
    assert fetched(f"{told.url}/shared/{'A' * 43}")[0] == 404


def test_a_link_with_a_password_opens_by_it_and_a_wrong_one_is_said(
    told: Ui, visit: Visit, watches: list[Watch]
) -> None:
    reports = told.services.reports
    (line,) = reports.room(VIEWER).lines
    scientist = told.services.access.actor_for_owner("ada")
    made = reports.share(scientist, line.id, days=1, reason="the auditor", password="four short words here")
    page = visit("", f"/shared/{made.secret}", at=told, width=390, mode="dark")
    watches[-1].allowed += ["status of 401", "status of 410"]
    assert_sound(page)
    page.get_by_label("Password").fill("another one")
    with page.expect_response(lambda answer: answer.status == 401):
        page.get_by_role("button", name="Open the report").click()
    expect(page.get_by_role("alert")).to_contain_text("The password does not fit.")
    page.get_by_label("Password").fill("four short words here")
    page.get_by_role("button", name="Open the report").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(TITLE)
    reports.revoke_share(scientist, made.share.id, reason="read")
    with page.expect_response(lambda answer: answer.status == 410):
        page.goto(f"{told.url}/shared/{made.secret}")
    expect(page.get_by_role("heading", level=1)).to_have_text("This link is over")
