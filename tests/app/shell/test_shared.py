"""A shared report from outside: what its link shows, and that nothing else of the house can be read by it."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from html import unescape
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from app.pages import PAGES
from app.shell import cookies, files, gate, login, lost, metrics, shared
from mlops_dash.clock import Clock
from mlops_dash.domain.reports.snapshot import Report
from mlops_dash.errors import NotAuthenticated, StoreUnavailable
from mlops_dash.services.access import AccessService
from mlops_dash.services.command import Context
from mlops_dash.services.reports import ReportService
from tests import factories
from tests.factories import SCIENTIST, VIEWER, Time
from tests.services.reports_shared import TITLE, shared_report

with warnings.catch_warnings():  # starlette wants a client that is not in our lock; the one that is works
    warnings.simplefilter("ignore")
    from starlette.testclient import TestClient

HOST = "http://127.0.0.1:8501"
ORIGIN = {"origin": HOST}
PASSWORD = "four short words here"
NEVER = "A" * 43
STATIC = ("/app/static/", "/login.css")  # the look of a page: fonts, an icon, colours


async def _inside(request: Request) -> Response:
    return HTMLResponse("inside")


async def _stream(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.send_text("inside")


@pytest.fixture(scope="module")
def time() -> Time:
    return Time()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, time: Time) -> Iterator[Context]:
    made = factories.context(tmp_path_factory.mktemp("shared"), clock=Clock(wall=time))
    yield made
    made.databases.dispose()


@pytest.fixture(scope="module")
def reports(home: Context) -> ReportService:
    return ReportService(home)


@pytest.fixture(scope="module")
def report(home: Context) -> Report:
    return shared_report(home)


@pytest.fixture
def client(home: Context, reports: ReportService) -> TestClient:
    """The gate and all our routes, in front of an app that answers `inside` to everything."""
    services: Any = SimpleNamespace(context=home, access=AccessService(home), reports=reports)
    known = [
        route
        for room in (login, shared, files, metrics)
        for route in room.routes(lambda: services)  # type: ignore[attr-defined]
    ]
    everything = [
        Route("/{path:path}", _inside, methods=["GET", "HEAD", "POST", "PUT", "DELETE"]),
        WebSocketRoute("/{path:path}", _stream),
    ]
    app = Starlette(
        routes=[*known, *everything],
        middleware=[
            Middleware(gate.SecurityHeaders),
            Middleware(
                gate.Gate,
                cookie=cookies.cookie_name(home.settings),
                knows=lambda secret: services.access.actor_for_session(secret) is not None,
                lost=lambda scope: lost.answer(scope, known),
            ),
        ],
    )
    return TestClient(app, base_url=HOST, follow_redirects=False)


def link(reports: ReportService, report: Report, *, password: str = "") -> tuple[str, str]:
    """A new link: its path, and its id."""
    made = reports.share(SCIENTIST, report.line.id, days=2, reason="the board", password=password)
    return f"/shared/{made.secret}", made.share.id


def opened(reports: ReportService, share_id: str) -> int:
    return next(one.opens for one in reports.shares(VIEWER) if one.id == share_id)


def leads_to(text: str) -> set[str]:
    """Every address that a page names, in tags and styles, but places in itself."""
    inside = re.sub(r"<pre id=.facts.*?</pre>", "", text, flags=re.DOTALL)  # facts are text, not markup
    named = re.findall(r"(?:href|src|action|srcset|data)\s*=\s*[\"']?([^\"'\s>]+)", inside)
    named += re.findall(r"url\(\s*[\"']?([^\"')]+)", inside) + re.findall(r"@import\s+[\"']([^\"']+)", inside)
    return {one for one in map(unescape, named) if not one.startswith(("#", "data:"))}


def test_it_shows_the_frozen_report_under_a_strict_policy_and_leaves_nothing_behind(
    client: TestClient, reports: ReportService, report: Report
) -> None:
    path, share_id = link(reports, report)
    answer = client.get(path)
    assert answer.status_code == 200
    assert answer.text == files.in_our_fonts(reports.html(VIEWER, report.line.id))
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; ")
    for forbidden in ("script-src", "connect-src", "unsafe-eval", "frame-src"):
        assert forbidden not in policy
    assert "form-action 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "set-cookie" not in answer.headers
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-robots-tag"].startswith("noindex")
    assert answer.headers["x-frame-options"] == "DENY"
    assert opened(reports, share_id) == 1


def test_a_name_with_html_is_shown_and_never_executed_and_what_is_not_logged_is_not_there(
    client: TestClient, reports: ReportService, report: Report
) -> None:
    text = client.get(link(reports, report)[0]).text
    assert "<script" not in text
    assert TITLE not in text
    assert "passport" not in text


def test_crawl_no_other_address_of_the_house_can_be_read_from_a_shared_report(
    client: TestClient, reports: ReportService, report: Report
) -> None:
    path, _ = link(reports, report)
    other = reports.freeze(SCIENTIST, reports.fleet(SCIENTIST))
    named = leads_to(client.get(path).text)
    assert {one for one in named if not one.startswith(STATIC)} == set()
    assert all(client.get(one).text != "inside" or one.startswith(STATIC) for one in named)

    secret = path.rpartition("/")[2]
    cookie = cookies.cookie_name(reports.context.settings)
    keys: list[dict[str, str]] = [
        {}, {"cookie": f"{cookie}={secret}"}, {"authorization": f"Bearer {secret}"}, {"referer": f"{HOST}{path}"},
    ]  # fmt: skip
    wanted = [
        "/", *(f"/{row.url}" for row in PAGES), files.report_path(report.line.id), files.report_path(other.line.id),
        "/metrics", "/_stcore/host-config", "/media/any", "/component/any", f"{path}/", f"{path}/reports",
        f"{path}/../reports", f"/shared/{report.line.id}", f"/shared/{report.line.sha256}", "/shared/", "/shared",
        f"/link/{secret}", f"/report/{secret}.html", f"{path}%2f..%2freports",
    ]  # fmt: skip
    for headers in keys:
        for address in wanted:
            answer = client.get(address, headers={"accept": "text/html", **headers})
            assert answer.status_code in {303, 401, 404, 410}, (address, headers)
            if answer.status_code == 303:
                assert answer.headers["location"].startswith("/login?next="), address
            assert report.line.sha256 not in answer.text, address
            assert "inside" not in answer.text, address
        for socket in ("/_stcore/stream", path):
            with pytest.raises(WebSocketDisconnect), client.websocket_connect(socket, headers={**ORIGIN, **headers}):
                pass
        for method in ("PUT", "DELETE", "PATCH"):
            assert client.request(method, path, headers={**ORIGIN, **headers}).status_code == 405


def test_guessed_revoked_and_expired_links_say_nothing_of_what_they_were(
    client: TestClient, reports: ReportService, report: Report, time: Time
) -> None:
    revoked, share_id = link(reports, report)
    reports.revoke_share(SCIENTIST, share_id, reason="sent to the wrong people")
    expired, _ = link(reports, report)
    locked, _ = link(reports, report, password=PASSWORD)
    time.passes(days=3)
    paths = {"guessed": f"/shared/{NEVER}", "revoked": revoked, "expired": expired, "locked": locked}
    answers = {name: client.get(path) for name, path in paths.items()}
    time.after()
    assert {name: one.status_code for name, one in answers.items()} == {
        "guessed": 404, "revoked": 410, "expired": 410, "locked": 410,
    }  # fmt: skip
    assert answers["revoked"].text == answers["expired"].text == answers["locked"].text
    for one in answers.values():
        assert not {"queue", "Model card", "board", "scientist", report.line.sha256} & set(
            re.findall(r"[\w-]+|Model card", one.text)
        )
        assert leads_to(one.text) <= {"/login.css", "/app/static/icon.svg"}
        assert "set-cookie" not in one.headers


def test_a_password_opens_it_each_time_anew_and_wrong_ones_are_slowed_down(
    client: TestClient, reports: ReportService, report: Report
) -> None:
    path, share_id = link(reports, report, password=PASSWORD)
    asked = client.get(path)
    assert (asked.status_code, "asks for a password" in asked.text) == (200, True)
    assert report.line.sha256 not in asked.text
    right = client.post(path, data={"password": PASSWORD}, headers=ORIGIN)
    assert (right.status_code, report.line.sha256 in right.text) == (200, True)
    assert "set-cookie" not in right.headers
    assert report.line.sha256 not in client.get(path).text, "nothing remembers that it was opened"
    wrong = [client.post(path, data={"password": "not this one"}, headers=ORIGIN) for _ in range(7)]
    assert {one.status_code for one in wrong} == {401}
    assert "does not fit" in wrong[0].text
    assert "Too many tries failed. Wait" in wrong[-1].text
    assert client.post(path, data={"password": PASSWORD}).status_code == 403, "another site's form"
    assert opened(reports, share_id) == 1


def test_a_preview_that_asks_for_the_head_counts_nothing(
    client: TestClient, reports: ReportService, report: Report
) -> None:
    path, share_id = link(reports, report)
    answer = client.head(path)
    assert (answer.status_code, answer.text) == (200, "")
    assert client.head(f"/shared/{NEVER}").status_code == 404
    assert opened(reports, share_id) == 0


@pytest.mark.parametrize(
    ("problem", "status"),
    [(StoreUnavailable("The database is locked.", hint="Try again."), 503), (RuntimeError("of ours"), 503),
     (NotAuthenticated("The password does not fit."), 401)],
)  # fmt: skip
def test_what_goes_wrong_is_said_in_words(
    client: TestClient, reports: ReportService, monkeypatch: pytest.MonkeyPatch, problem: Exception, status: int
) -> None:
    def broken(*_: object, **__: object) -> str:
        raise problem

    monkeypatch.setattr(reports, "open_share", broken)
    answer = client.get(f"/shared/{NEVER}")
    assert answer.status_code == status
    assert "Traceback" not in answer.text
    assert "of ours" not in answer.text or "Incident" in answer.text
