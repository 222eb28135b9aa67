"""Who may come in: everything but the health paths needs a token, in front of routing, so that nothing is forgotten."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import ipaddress
import time
from collections.abc import Callable

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from mlops_dash.domain.access import Actor, system
from mlops_dash.errors import MlopsDashError, NotAuthenticated
from mlops_dash.gateway.answers import refusal

OPEN_PATHS = frozenset({"/ping", "/version", "/healthz"})
BROWSER_PATHS = frozenset({"/docs", "/openapi.json"})  # a browser asks for name and password; the token is the password
KNOWN_SECONDS = 2.0  # how long a token is believed without asking again: a revoked one stops working within it
_MOST_KNOWN = 1_000


class Doorkeeper:
    """ASGI middleware that puts the actor into `request.state.actor`, or answers 401."""

    def __init__(self, app: ASGIApp, *, actor_for_token: Callable[[str], Actor], open_invocations: bool) -> None:
        self.app = app
        self._actor_for_token = actor_for_token
        self._open_invocations = open_invocations
        self._known: dict[bytes, tuple[float, Actor]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let in, or answer 401."""
        if scope["type"] == "http" and scope["path"] not in OPEN_PATHS:
            try:
                scope.setdefault("state", {})["actor"] = await self._actor(scope)
            except MlopsDashError as error:
                await refusal(error)(scope, receive, send)
                return
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        await self.app(scope, receive, send)

    async def _actor(self, scope: Scope) -> Actor:
        header = Headers(scope=scope).get("authorization", "")
        path = scope["path"]
        if not header and self._open_invocations and _is_invocations(path) and _is_loopback(scope):
            return system("loopback-client")
        secret = _secret(header, browser=path in BROWSER_PATHS)
        if not secret:
            raise NotAuthenticated(
                "This path needs a token.",
                hint="Send the header 'Authorization: Bearer TOKEN'; an admin issues tokens on the page Audit & admin.",
            )
        key = hashlib.sha256(secret.encode()).digest()
        known = self._known.get(key)
        if known is not None and time.monotonic() - known[0] < KNOWN_SECONDS:
            return known[1]
        self._known.pop(key, None)
        actor = await asyncio.to_thread(self._actor_for_token, secret)
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        self._known[key] = (time.monotonic(), actor)
        return actor


def _secret(header: str, *, browser: bool) -> str:
    scheme, _, rest = header.partition(" ")
    if scheme.lower() == "bearer":
        return rest.strip()
    if scheme.lower() == "basic" and browser:
        try:
            return base64.b64decode(rest.strip(), validate=True).decode().partition(":")[2]
        except (binascii.Error, UnicodeDecodeError):
            return ""
    return ""


def _is_invocations(path: str) -> bool:
    parts = path.split("/")
    return len(parts) == 4 and parts[1] == "models" and parts[3] == "invocations"


def _is_loopback(scope: Scope) -> bool:
    client = scope.get("client")
    try:
        return client is not None and ipaddress.ip_address(client[0]).is_loopback
    except ValueError:
        return False
