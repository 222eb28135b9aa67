"""The gate and the login: what anonymous requests reach, where a login leads, and what the cookie is like."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from app.pages import HOME, PAGES
from app.shell import cookies, gate, login, lost
from app.shell.login import safe_next
from mlops_dash.domain.access import NOBODY, Role
from mlops_dash.errors import StoreUnavailable
from mlops_dash.services.access import AccessService
from mlops_dash.services.command import Context
from tests.factories import ADMIN, WORKER

with warnings.catch_warnings():  # starlette wants a client that is not in our lock; the one that is works
    warnings.simplefilter("ignore")
    from starlette.testclient import TestClient

HOST = "http://127.0.0.1:8501"
ORIGIN = {"origin": HOST}
PASSWORD = "four short words here"


async def _inside(request: Request) -> Response:
    return HTMLResponse("inside")


async def _stream(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.send_text("inside")
    await websocket.close()


def client_for(context: Context, *, base_url: str = HOST) -> TestClient:
    """The gate and the login in front of an app that answers `inside` to everything."""
    services: Any = SimpleNamespace(context=context, access=AccessService(context))
    known = login.routes(lambda: services)
    everything = [
        Route("/{path:path}", _inside, methods=["GET", "HEAD", "POST", "PUT", "DELETE"]),
        WebSocketRoute("/_stcore/stream", _stream),
    ]
    app = Starlette(
        routes=[*known, *everything],
        middleware=[
            Middleware(gate.SecurityHeaders),
            Middleware(
                gate.Gate,
                cookie=cookies.cookie_name(context.settings),
                knows=lambda secret: services.access.actor_for_session(secret) is not None,
                lost=lambda scope: lost.answer(scope, known),
            ),
        ],
    )
    return TestClient(app, base_url=base_url, follow_redirects=False)


@pytest.fixture
def demo_context(context: Context) -> Context:
    made = replace(context, settings=replace(context.settings, demo=True))
    AccessService(made).ensure_demo_users(WORKER)
    AccessService(made).create_user(ADMIN, "ada", Role.LEAD, password=PASSWORD)
    return made


@pytest.fixture
def cookie(demo_context: Context) -> str:
    """The name of this installation's cookie."""
    return cookies.cookie_name(demo_context.settings)


@pytest.fixture
def client(demo_context: Context) -> Iterator[TestClient]:
    with client_for(demo_context) as made:
        yield made


@pytest.fixture
def known(client: TestClient) -> TestClient:
    """A client with ada's session."""
    answer = client.post("/login", data={"name": "ada", "password": PASSWORD}, headers=ORIGIN)
    assert answer.status_code == 303
    return client


# Anonymous


@pytest.mark.parametrize("url", ["", *(row.url for row in PAGES)])
@pytest.mark.parametrize("accept", ["text/html", "*/*"])
def test_every_page_leads_to_the_login_and_back(client: TestClient, url: str, accept: str) -> None:
    answer = client.get(f"/{url}?model=flight-delay&entry=12", headers={"accept": accept})
    assert answer.status_code == 303
    assert answer.headers["location"] == "/login?next=" + quote(f"/{url}?model=flight-delay&entry=12", safe="")


@pytest.mark.parametrize(
    "path",
    [
        "/static/js/index.js",
        "/static/../main.py",
        "/media/abc.csv",
        "/component/x/index.html",
        "/app/static/secret.txt",
        "/app/static/fonts/../../main.py",
        "/_stcore/host-config",
        "/_stcore/metrics",
        "/_stcore/health/",
        "/_stcore/upload_file/1/2",
        "/_stcore/script-health-check",
        "/monitoring/_stcore/health",
        "/vendor/x",
        "/healthz/",
        "/login/x",
        "/link/",
        "/link/short",
        "/oauth2callback",
        "/LOGIN",
    ],
)
def test_everything_else_is_refused(client: TestClient, path: str) -> None:
    for method in ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"):
        answer = client.request(method, path, headers=ORIGIN)
        assert answer.status_code == 401
        assert "inside" not in answer.text


@pytest.mark.parametrize("path", ["/static/js/index.js", "/media/abc", "/_stcore/host-config", "/app/static/x"])
def test_files_are_no_pages_even_for_a_browser(client: TestClient, path: str) -> None:
    assert client.get(path, headers={"accept": "text/html"}).status_code == 401


def test_an_unknown_page_leads_a_person_to_the_login(client: TestClient) -> None:
    answer = client.get("/nonsense?x=1", headers={"accept": "text/html,*/*"})
    assert answer.headers["location"] == "/login?next=%2Fnonsense%3Fx%3D1"


def test_an_address_that_no_page_has_is_a_404_that_names_the_nearest(known: TestClient) -> None:
    answer = known.get("/monitorin?model=a%26b", headers={"accept": "text/html,*/*"})
    assert answer.status_code == 404
    assert "Nothing is at <code>/monitorin</code>" in answer.text
    links = re.findall(r"<li><a href='([^']+)'", answer.text)
    assert links[0] == "/monitoring?model=a%26b"  # a mistyped deep link is mended by a click
    assert sorted(link.split("?")[0] for link in links) == sorted(f"/{row.url}" for row in PAGES)


def test_the_start_page_lives_at_the_root_alone(known: TestClient) -> None:
    answer = known.get(f"/{HOME}?model=a%26b", headers={"accept": "text/html"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/?model=a%26b")


def test_what_the_404_says_cannot_carry_markup() -> None:
    text = bytes(lost.page("/<script>alert(1)</script>", "x='><i>").body).decode()
    assert "<script" not in text
    assert "<i>" not in text
    assert "&lt;script&gt;" in text


@pytest.mark.parametrize(
    ("path", "accept"),
    [
        ("/registry", "text/html"),
        ("/", "text/html"),
        ("/registry/_stcore/health", "*/*"),
        ("/registry/_stcore/host-config", "text/html"),
        ("/static/index.html", "text/html"),
        ("/nonsense.js", "*/*"),
    ],
)
def test_pages_files_and_what_streamlit_asks_for_are_never_lost(known: TestClient, path: str, accept: str) -> None:
    assert known.get(path, headers={"accept": accept}).text == "inside"


def test_two_installations_on_one_host_keep_their_own_cookies(context: Context) -> None:
    made = context.settings
    here, there = (replace(made, database_url=f"sqlite:////srv/{place}/app.db") for place in ("a", "b"))
    assert cookies.cookie_name(here) != cookies.cookie_name(there)
    replicas = (replace(made, database_url=f"postgresql://{who}@db/app") for who in ("ui:x", "worker:y"))
    assert len({cookies.cookie_name(one) for one in replicas}) == 1
    assert re.fullmatch(r"mlops_dash_[0-9a-f]{8}", cookies.cookie_name(here))


@pytest.mark.parametrize("secret", ["", "x", "a" * 43, "'; DROP TABLE session", "é"])
def test_a_made_up_cookie_opens_nothing(client: TestClient, cookie: str, secret: str) -> None:
    header = f"{cookie}={secret}".encode()
    assert client.get("/monitoring", headers={b"cookie": header}).status_code == 303


def test_the_open_paths_answer(client: TestClient) -> None:
    for path in ("/login", "/login.css", "/healthz", "/_stcore/health", *sorted(gate.OPEN_FILES)):
        assert client.get(path).status_code == 200, path


def test_only_committed_fonts_and_icons_are_open() -> None:
    assert {path.rsplit(".", 1)[-1] for path in gate.OPEN_FILES} == {"woff2", "svg"}


# Websockets


def stream(client: TestClient, headers: dict[str, str]) -> str:
    with client.websocket_connect(f"{HOST.replace('http', 'ws')}/_stcore/stream", headers=headers) as websocket:
        return websocket.receive_text()


def test_a_websocket_with_session_and_our_origin_is_let_in(known: TestClient) -> None:
    assert stream(known, ORIGIN) == "inside"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"origin": "null"},
        {"origin": "http://evil.example"},
        {"origin": "http://127.0.0.1:9999"},
        {"origin": "http://127.0.0.1:8501.evil.example"},
        {"origin": "file://127.0.0.1:8501"},
    ],
)
def test_a_websocket_without_or_with_a_foreign_origin_is_refused(known: TestClient, headers: dict[str, str]) -> None:
    with pytest.raises(WebSocketDisconnect):
        stream(known, headers)


def test_a_websocket_without_a_session_is_refused(client: TestClient) -> None:
    with pytest.raises(WebSocketDisconnect):
        stream(client, ORIGIN)


# The login


def test_the_cookie_cannot_be_read_by_scripts_and_stays_on_this_site(client: TestClient, cookie: str) -> None:
    answer = client.post("/login", data={"name": "ada", "password": PASSWORD}, headers=ORIGIN)
    header = answer.headers["set-cookie"].lower()
    assert header.startswith(f"{cookie}=")
    assert "httponly" in header
    assert "samesite=lax" in header
    assert "path=/" in header
    assert "secure" not in header  # loopback without TLS


def test_beyond_loopback_the_cookie_needs_https(demo_context: Context) -> None:
    public = replace(demo_context, settings=replace(demo_context.settings, host="0.0.0.0"))
    with client_for(public, base_url="https://dash.example") as client:
        answer = client.post(
            "/login", data={"name": "ada", "password": PASSWORD}, headers={"origin": "https://dash.example"}
        )
        assert "secure" in answer.headers["set-cookie"].lower()
        assert "without HTTPS" not in client.get("/login").text
    with client_for(public, base_url="http://dash.example") as client:
        assert "without HTTPS" in client.get("/login").text


def test_a_login_goes_where_the_person_wanted_to(client: TestClient) -> None:
    wanted = "/registry?model=flight-delay&version=3"
    shown = client.get(f"/login?next={quote(wanted, safe='')}").text
    assert 'value="/registry?model=flight-delay&amp;version=3"' in shown.replace("'", '"')
    answer = client.post("/login", data={"name": "ada", "password": PASSWORD, "next": wanted}, headers=ORIGIN)
    assert (answer.status_code, answer.headers["location"]) == (303, wanted)
    assert client.get(wanted).text == "inside"


@pytest.mark.parametrize(
    "wanted",
    [
        "https://evil.example",
        "//evil.example/x",
        "/\\evil.example",
        "\\/evil.example",
        "javascript:alert(1)",
        "/\tevil",
        "/ok\r\nset-cookie: x=1",
        "monitoring",
        "",
        "/login?next=/",
        "/logout",
        "/link/abc",
        "/" + "x" * 5_000,
    ],
)
def test_a_login_never_leads_elsewhere(client: TestClient, wanted: str) -> None:
    assert safe_next(wanted) == "/"
    answer = client.post("/login", data={"name": "ada", "password": PASSWORD, "next": wanted}, headers=ORIGIN)
    assert answer.headers["location"] == "/"


@pytest.mark.parametrize("wanted", ["/", "/monitoring", "/registry?model=a%20b&version=3", "/audit?object=https://x"])
def test_our_own_pages_are_fine(wanted: str) -> None:
    assert safe_next(wanted) == wanted


@pytest.mark.parametrize("origin", [None, "null", "http://evil.example", "https://evil.example:8501"])
def test_a_form_from_another_site_is_refused(client: TestClient, origin: str | None) -> None:
    headers = {} if origin is None else {"origin": origin}
    answer = client.post("/login", data={"name": "ada", "password": PASSWORD}, headers=headers)
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


def test_a_wrong_password_keeps_name_and_target_and_says_what_to_do(client: TestClient) -> None:
    answer = client.post(
        "/login", data={"name": "a<b>da", "password": "wrong", "next": "/audit?entry=1"}, headers=ORIGIN
    )
    assert answer.status_code == 401
    assert "Name and password do not fit together. Check both and try again." in answer.text
    assert "value='a&lt;b&gt;da'" in answer.text
    assert "/audit?entry=1" in answer.text
    assert "wrong" not in answer.text
    assert "set-cookie" not in answer.headers


def test_many_wrong_passwords_are_told_to_wait(client: TestClient) -> None:
    for _ in range(5):
        client.post("/login", data={"name": "ada", "password": "wrong"}, headers=ORIGIN)
    answer = client.post("/login", data={"name": "ada", "password": PASSWORD}, headers=ORIGIN)
    assert "Too many tries failed. Wait" in answer.text


@pytest.mark.parametrize("body", [b"", b"name=ada", b"\xff\xfe=%zz", b"x" * 20_000, b"&".join([b"a=1"] * 19)])
def test_odd_forms_are_refused_quietly(client: TestClient, body: bytes) -> None:
    headers = {**ORIGIN, "content-type": "application/x-www-form-urlencoded"}
    answer = client.post("/login", content=body, headers=headers)
    assert answer.status_code == 401
    assert "set-cookie" not in answer.headers


def test_a_form_with_too_many_fields_is_refused_quietly(client: TestClient) -> None:
    headers = {**ORIGIN, "content-type": "application/x-www-form-urlencoded"}
    assert client.post("/login", content=b"&".join([b"a=1"] * 100), headers=headers).status_code == 401


def test_who_has_a_session_is_not_asked_again(known: TestClient) -> None:
    answer = known.get("/login?next=/audit")
    assert (answer.status_code, answer.headers["location"]) == (303, "/audit")


def test_logout_ends_the_session_and_forgets_the_cookie(known: TestClient, cookie: str) -> None:
    secret = known.cookies[cookie]
    answer = known.get("/logout")
    assert (answer.status_code, answer.headers["location"]) == (303, "/login")
    assert known.get("/monitoring", headers={"cookie": f"{cookie}={secret}"}).status_code == 303


def test_another_site_cannot_log_a_person_out(known: TestClient) -> None:
    known.get("/logout", headers={"sec-fetch-site": "cross-site"})
    assert known.get("/monitoring").text == "inside"


# Demo accounts


def test_the_demo_offers_its_accounts_by_role(client: TestClient) -> None:
    shown = client.get("/login").text
    assert re.findall(r"name='demo' value='(\w+)'", shown) == ["viewer", "scientist", "lead", "admin"]
    assert re.findall(r"value='(\w*)'[^>]* autofocus", shown) == ["viewer"]  # Enter is enough to look around
    assert "<p class='lead'>" not in shown  # "local" names nothing
    refused = client.post("/login", data={"name": "ada", "password": "not the password"}, headers=ORIGIN).text
    assert "autofocus" not in refused  # Enter again must not let somebody in as another
    answer = client.post("/login", data={"demo": "scientist", "next": "/registry"}, headers=ORIGIN)
    assert (answer.status_code, answer.headers["location"]) == (303, "/registry")
    assert client.get("/registry").text == "inside"


def test_a_foreign_name_for_this_machine_is_offered_no_demo_account(demo_context: Context) -> None:
    with client_for(demo_context, base_url="http://rebound.example:8501") as client:
        assert "name='demo'" not in client.get("/login").text
        answer = client.post("/login", data={"demo": "admin"}, headers={"origin": "http://rebound.example:8501"})
        assert answer.status_code == 401
        assert "set-cookie" not in answer.headers


def test_without_the_demo_there_are_no_demo_accounts(context: Context) -> None:
    with client_for(context) as client:
        shown = client.get("/login").text
        assert "name='demo'" not in shown
        assert re.findall(r"id='name'[^>]* autofocus", shown)
        assert client.post("/login", data={"demo": "admin"}, headers=ORIGIN).status_code == 401


# One-time links


def test_the_first_admin_comes_in_by_the_printed_link(context: Context) -> None:
    secret = AccessService(context).create_first_admin_link(WORKER)
    with client_for(context) as client:
        assert "Make the first admin" in client.get(f"/link/{secret}").text
        short = client.post(f"/link/{secret}", data={"name": "grace", "password": "short"}, headers=ORIGIN)
        assert short.status_code == 422
        assert "5 characters cannot be used" in short.text
        assert 'value="grace"' in short.text.replace("'", '"')
        answer = client.post(f"/link/{secret}", data={"name": "grace", "password": PASSWORD}, headers=ORIGIN)
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        assert client.get("/audit").text == "inside"
        assert client.get(f"/link/{secret}").status_code == 410
        again = client.post(f"/link/{secret}", data={"name": "mallory", "password": PASSWORD}, headers=ORIGIN)
        assert again.status_code == 410


def test_an_invited_person_sets_a_password_by_the_link(demo_context: Context) -> None:
    made = AccessService(demo_context).create_user(ADMIN, "bob", Role.VIEWER)
    with client_for(demo_context) as client:
        assert "Choose a password for bob" in client.get(f"/link/{made.link_secret}").text
        answer = client.post(f"/link/{made.link_secret}", data={"password": PASSWORD}, headers=ORIGIN)
        assert answer.status_code == 303
    assert AccessService(demo_context).login(NOBODY, "bob", PASSWORD)[1].name == "bob"


def test_a_link_from_another_sites_form_is_refused(context: Context) -> None:
    secret = AccessService(context).create_first_admin_link(WORKER)
    with client_for(context) as client:
        headers = {"origin": "http://evil.example"}
        answer = client.post(f"/link/{secret}", data={"name": "mallory", "password": PASSWORD}, headers=headers)
        assert answer.status_code == 403
    assert AccessService(context).link_is_for(NOBODY, str(secret)) == ""


# Headers, health, a database that is away


@pytest.mark.parametrize("path", ["/login", "/monitoring", "/static/x.js", "/healthz"])
def test_every_answer_carries_the_security_headers(client: TestClient, path: str) -> None:
    headers = client.get(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "same-origin"
    assert "frame-ancestors 'none'" in headers["content-security-policy"]


def test_the_login_runs_no_script_at_all(client: TestClient) -> None:
    answer = client.get("/login")
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "<script" not in answer.text
    assert "style=" not in answer.text
    assert answer.headers["cache-control"] == "no-store"


def test_the_apps_policy_allows_exactly_streamlits_own_inline_script(known: TestClient) -> None:
    policy = known.get("/monitoring").headers["content-security-policy"]
    assert len(re.findall(r"'sha256-[A-Za-z0-9+/]{43}='", policy)) == len(gate.inline_script_hashes()) >= 1
    script = re.search(r"script-src [^;]*", policy)
    assert script is not None
    assert "unsafe-inline" not in script[0]
    assert "http" not in policy


def test_inline_scripts_are_found_and_linked_ones_are_not(tmp_path: Any) -> None:
    page = tmp_path / "index.html"
    page.write_text("<script src='a.js'></script><script>\nlet a=1\n</script><script type='module'>b</script>")
    assert gate.inline_script_hashes(page) == (
        "'sha256-mxk5RLp+1aMlxZS/H0mjrxRogmofXU40ShPlThpuYMU='",
        "'sha256-PiPoFgA5WUoziU9lZOGxNIu9egCI1CxKy3PurtWcAJ0='",
    )


def test_the_page_asks_nothing_of_other_hosts(client: TestClient) -> None:
    for path in ("/login", "/login.css"):
        assert "http" not in client.get(path).text.replace('rel="icon"', "")


def test_a_database_that_is_away_closes_the_door_in_words(context: Context) -> None:
    def away() -> Any:
        raise StoreUnavailable("The database is away.", hint="Start it.")

    def knows(secret: str) -> bool:
        return bool(away())

    cookie = cookies.cookie_name(context.settings)
    app = Starlette(
        routes=[*login.routes(away), Route("/{path:path}", _inside)],
        middleware=[Middleware(gate.Gate, cookie=cookie, knows=knows)],
    )
    with TestClient(app, base_url=HOST, follow_redirects=False) as client:
        inside = client.get("/monitoring", headers={"cookie": f"{cookie}=x"})
        assert (inside.status_code, inside.text) == (503, "The database is away. Start it.")
        for path in ("/login", "/link/" + "a" * 43):
            answer = client.get(path)
            assert answer.status_code == 503
            assert "The database is away." in answer.text
        health = client.get("/healthz")
        assert (health.status_code, health.json()["status"]) == (503, "unavailable")
        answer = client.post("/login", data={"name": "ada", "password": PASSWORD}, headers=ORIGIN)
        assert answer.status_code == 503


def test_a_surprise_is_shown_as_an_incident_without_its_text(caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> Any:
        raise RuntimeError("a secret detail")

    app = Starlette(routes=login.routes(broken))
    with TestClient(app, base_url=HOST, follow_redirects=False) as client:
        answer = client.get("/login")
    assert answer.status_code == 503
    assert "Incident" in answer.text
    assert "secret detail" not in answer.text
    assert "secret detail" in caplog.text
