"""Behind a proxy: who is believed, what the login offers, and what the cookie is like."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from app.shell import cookies, gate, login
from app.shell.proxies import Proxies, way_of
from mlops_dash.domain.access import Role
from mlops_dash.services.access import AccessService
from mlops_dash.services.command import Context
from tests.factories import ADMIN, WORKER

with warnings.catch_warnings():  # starlette wants a client that is not in our lock; the one that is works
    warnings.simplefilter("ignore")
    from starlette.testclient import TestClient

PROXY, STRANGER = "10.0.0.5", "192.0.2.66"
INSIDE, OUTSIDE = "http://127.0.0.1:8501", "https://dash.example"
PASSWORD = "four short words here"
TOLD = {"x-forwarded-for": STRANGER, "x-forwarded-proto": "https", "x-forwarded-host": "dash.example"}
Open = Callable[..., TestClient]


async def _seen(request: Request) -> Response:
    return JSONResponse(
        {
            "client": request.client.host if request.client else "",
            "scheme": request.url.scheme,
            "host": request.headers.get("host"),
            "way": str(way_of(request.scope)),
            "left": sorted(name for name in request.headers if "forward" in name or name == "x-real-ip"),
        }
    )


def seen(headers: dict[str, str], *, peer: str = PROXY, trusted: tuple[str, ...] = ("10.0.0.0/8",)) -> dict[str, Any]:
    app = Starlette(routes=[Route("/", _seen)], middleware=[Middleware(Proxies, trusted=trusted)])
    found: dict[str, Any] = TestClient(app, base_url=INSIDE, client=(peer, 4711)).get("/", headers=headers).json()
    return found


def test_a_configured_proxy_says_address_scheme_and_host() -> None:
    assert seen(TOLD) == {
        "client": STRANGER, "scheme": "https", "host": "dash.example", "way": "known proxy", "left": []
    }  # fmt: skip


@pytest.mark.parametrize("header", [*TOLD, "x-real-ip", "forwarded", "x-forwarded-port"])
@pytest.mark.parametrize("trusted", [(), ("10.0.0.6",), ("172.16.0.0/12", "::1")])
def test_nobody_else_is_believed_and_nothing_is_left_to_believe(header: str, trusted: tuple[str, ...]) -> None:
    found = seen({header: TOLD.get(header, "for=9.9.9.9")}, trusted=trusted)
    assert found == {"client": PROXY, "scheme": "http", "host": "127.0.0.1:8501", "way": "unknown proxy", "left": []}


@pytest.mark.parametrize(
    ("hops", "client"),
    [
        ("1.2.3.4, 192.0.2.66", STRANGER),  # the client invented the first
        ("192.0.2.66, 10.1.1.1, 10.0.0.9", STRANGER),
        ("10.9.9.9, 10.1.1.1", "10.9.9.9"),
        ("<script>, 192.0.2.66", STRANGER),
        ("192.0.2.66, <script>", PROXY),
        ("", PROXY),
        ("2001:db8::1", "2001:db8::1"),
    ],
)
def test_the_client_is_the_last_address_that_is_no_proxy_of_ours(hops: str, client: str) -> None:
    assert seen({"x-forwarded-for": hops})["client"] == client


def test_a_proxy_that_is_mapped_into_the_sixth_version_is_the_same() -> None:
    assert seen(TOLD, peer="::ffff:10.0.0.5")["client"] == STRANGER


@pytest.mark.parametrize("scheme", ["gopher", "", "javascript"])
def test_a_scheme_that_no_proxy_has_changes_nothing(scheme: str) -> None:
    assert seen({"x-forwarded-proto": scheme})["scheme"] == "http"


def test_who_comes_straight_is_told_apart() -> None:
    assert seen({}, trusted=())["way"] == "straight"
    assert seen({"via": "1.1 cache"}, trusted=())["way"] == "unknown proxy"


# The login behind it


@pytest.fixture
def behind(context: Context) -> Open:
    """The login behind the proxies of the settings; the demo is on."""

    def opened(peer: str = PROXY, base_url: str = INSIDE, **changes: Any) -> TestClient:
        made = replace(context, settings=replace(context.settings, **{"demo": True, **changes}))
        services: Any = SimpleNamespace(context=made, access=AccessService(made))
        services.access.ensure_demo_users(WORKER)
        if "ada" not in {user.name for user in services.access.users(ADMIN)}:
            services.access.create_user(ADMIN, "ada", Role.LEAD, password=PASSWORD)
        app = Starlette(
            routes=[*login.routes(lambda: services), WebSocketRoute("/_stcore/stream", _stream)],
            middleware=[
                Middleware(Proxies, trusted=made.settings.trusted_proxies),
                Middleware(
                    gate.Gate,
                    cookie=cookies.cookie_name(made.settings),
                    knows=lambda secret: services.access.actor_for_session(secret) is not None,
                ),
            ],
        )
        return TestClient(app, base_url=base_url, client=(peer, 4711), follow_redirects=False)

    return opened


async def _stream(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.close()


def roles(client: TestClient, headers: dict[str, str]) -> list[str]:
    return re.findall(r"name='demo' value='(\w+)'", client.get("/login", headers=headers).text)


@pytest.mark.parametrize(
    ("headers", "trusted", "by_flag", "offered"),
    [
        ({}, (), False, True),  # straight, on this machine
        ({}, (), True, True),
        (TOLD, ("10.0.0.5",), False, False),  # through a proxy: the variable alone is not enough
        (TOLD, ("10.0.0.5",), True, True),
        (TOLD, (), True, False),  # a proxy that nobody configured
        (TOLD, (), False, False),
        ({"x-forwarded-for": "127.0.0.1"}, (), False, False),
        ({"x-real-ip": "127.0.0.1"}, (), True, False),
        ({"forwarded": "for=127.0.0.1"}, (), False, False),
        ({"via": "1.1 cache"}, (), False, False),
    ],
)
def test_demo_accounts_are_seen_through_a_proxy_only_when_both_were_asked_for(
    behind: Open, headers: dict[str, str], trusted: tuple[str, ...], by_flag: bool, offered: bool
) -> None:
    client = behind(trusted_proxies=trusted, demo_by_flag=by_flag)
    assert bool(roles(client, headers)) is offered
    origin = OUTSIDE if headers is TOLD and trusted else INSIDE
    answer = client.post("/login", data={"demo": "admin"}, headers={**headers, "origin": origin})
    assert (answer.status_code == 303) is offered
    assert ("set-cookie" in answer.headers) is offered


def test_a_proxy_that_speaks_http_1_0_without_a_word_about_itself_is_a_proxy() -> None:
    from app.shell.proxies import _plain

    scope = {"type": "http", "headers": [(b"host", b"127.0.0.1:8501")], "http_version": "1.0"}
    assert way_of(_plain(scope)) == "unknown proxy"
    assert way_of(_plain({**scope, "http_version": "1.1"})) == "straight"


def test_the_cookies_are_secure_when_the_outside_is_tls(behind: Open) -> None:
    client = behind(trusted_proxies=("10.0.0.5",))
    answer = client.post("/login", data={"name": "ada", "password": PASSWORD}, headers={**TOLD, "origin": OUTSIDE})
    assert answer.status_code == 303
    both = [one.lower() for one in answer.headers.get_list("set-cookie")]
    assert ["secure" in one and "httponly" in one for one in both] == [True, True]
    assert ["path=/;" in f"{one};" for one in both] == [True, False]


def test_a_stranger_cannot_say_that_the_outside_is_tls(behind: Open) -> None:
    client = behind(trusted_proxies=())
    answer = client.post("/login", data={"name": "ada", "password": PASSWORD}, headers={**TOLD, "origin": INSIDE})
    assert answer.status_code == 303
    assert "secure" not in answer.headers["set-cookie"].lower()
    public = behind(trusted_proxies=(), host="0.0.0.0", base_url="http://dash.example")
    assert "without HTTPS" in public.get("/login", headers=TOLD).text


def test_a_form_and_a_websocket_of_the_outside_name_are_our_own_behind_the_proxy(behind: Open) -> None:
    client = behind(trusted_proxies=("10.0.0.5",))
    said = {"name": "ada", "password": PASSWORD}
    assert client.post("/login", data=said, headers={**TOLD, "origin": INSIDE}).status_code == 403
    answer = client.post("/login", data=said, headers={**TOLD, "origin": OUTSIDE})
    cookie = {"cookie": answer.headers.get_list("set-cookie")[0].partition(";")[0]}
    with client.websocket_connect("/_stcore/stream", headers={**TOLD, **cookie, "origin": OUTSIDE}):
        pass
    with pytest.raises(WebSocketDisconnect):
        client.websocket_connect("/_stcore/stream", headers={**TOLD, **cookie, "origin": INSIDE}).__enter__()


def test_guesses_are_counted_by_the_address_behind_the_proxy(behind: Open) -> None:
    client = behind(trusted_proxies=("10.0.0.5",))

    def tried(address: str, password: str, sent: str = "") -> Response:
        headers = {**TOLD, "x-forwarded-for": address, "origin": OUTSIDE, **({"cookie": sent} if sent else {})}
        client.cookies.clear()
        return client.post("/login", data={"name": "ada", "password": password}, headers=headers)  # type: ignore[return-value]

    said = [tried(f"1.2.3.{number}, {STRANGER}", "wrong").text for number in range(8)]  # type: ignore[attr-defined]
    assert ["Too many tries" in one for one in said] == [False] * 5 + [True] * 3
    answer = tried("203.0.113.7", PASSWORD)
    assert answer.status_code == 303
    known = answer.headers.get_list("set-cookie")[1].partition(";")[0]  # type: ignore[attr-defined]
    assert known.partition("=")[0].endswith("_known")
    assert tried(STRANGER, PASSWORD).status_code == 401
    assert tried(STRANGER, PASSWORD, sent=known).status_code == 303
