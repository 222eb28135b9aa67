"""In front of everything: nobody without a session reaches more than the login, and every answer carries its headers.

Streamlit itself lets a websocket without Origin in and sends no security headers, so both are decided here, before it.
"""

from __future__ import annotations

import base64
import hashlib
import re
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from urllib.parse import quote, urlsplit

import streamlit
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.pages import PAGES
from app.shell.cookies import cookie_secret
from app.shell.counted import OPEN_TABS
from app.shell.incidents import explain
from mlops_dash.ids import sha256_text
from mlops_dash.metrics import PATH as METRICS_PATH

SAFE_METHODS = frozenset({"GET", "HEAD"})
OPEN_PATHS = frozenset(
    {"/login", "/login.css", "/logout", "/healthz", METRICS_PATH, "/_stcore/health"}
)  # metrics ask for a token
PAGE_PATHS = frozenset({"/", *(f"/{row.url}" for row in PAGES)})
_STATIC = Path(__file__).parents[1] / "static"
OPEN_FILES = frozenset(
    f"/app/static/{path.relative_to(_STATIC).as_posix()}" for path in _STATIC.rglob("*") if path.is_file()
)
_LINK = re.compile(r"/link/[A-Za-z0-9_-]{20,128}")
# A report for people without an account, and how they end what is sent to them: neither asks for a session.
_SHARED, _ENDED = re.compile(r"/shared/[A-Za-z0-9_-]{1,200}"), re.compile(r"/unsubscribe/[0-9a-z.]{1,200}")
NOT_PAGES = ("/_stcore", "/static/", "/media/", "/component/", "/app/static/", "/oauth2callback", "/auth/")

KNOWN_SECONDS = 10.0  # a session is asked for once for the hundred files of Streamlit's that a first page loads

Knows = Callable[[str], bool]
Lost = Callable[[Scope], Response | None]


def is_open(path: str) -> bool:
    """Whether anybody may ask for this path: the login, its fonts and icons, one-time links, shared reports, health."""
    return path in OPEN_PATHS or path in OPEN_FILES or any(one.fullmatch(path) for one in (_LINK, _SHARED, _ENDED))


def same_origin(headers: Headers) -> bool:
    """Whether the Origin header names the very host that was asked; no Origin is no."""
    origin, host = headers.get("origin", ""), headers.get("host", "")
    return (
        bool(host) and urlsplit(origin).netloc.lower() == host.lower() and urlsplit(origin).scheme in {"http", "https"}
    )


class Gate:
    """Lets through who has a session; sends people to the login and machines away."""

    def __init__(self, app: ASGIApp, cookie: str, knows: Knows, lost: Lost | None = None) -> None:
        self.app = app
        self.cookie = cookie
        self.knows = knows  # whether a cookie's secret belongs to somebody; asked in a thread
        self.lost = lost  # the answer to somebody with a session who asks for a page that does not exist
        self._known: dict[str, float] = {}  # digest of a secret -> until when its holder gets files without asking

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Decide about one request or websocket."""
        if scope["type"] not in {"http", "websocket"}:
            await self.app(scope, receive, send)
            return
        headers, path = Headers(scope=scope), scope["path"]
        answer: Response | None = None
        if scope["type"] == "http" and scope["method"] not in SAFE_METHODS and not same_origin(headers):
            answer = PlainTextResponse("Requests from other sites are refused.", status_code=403)
        elif scope["type"] == "websocket" and not same_origin(headers):
            answer = PlainTextResponse("Websockets from elsewhere are refused.", status_code=403)
        elif scope["type"] == "websocket" or not is_open(path):
            answer = await self._refusal(scope, headers)
            if answer is None and scope["type"] == "http":
                answer = self.lost(scope) if self.lost is not None else None
        if answer is None and scope["type"] == "websocket":
            with OPEN_TABS.track_inprogress():
                await self.app(scope, receive, send)
        elif answer is None:
            await self.app(scope, receive, send)
        elif scope["type"] == "websocket":
            await _refuse_websocket(receive, send)
        else:
            await answer(scope, receive, send)

    async def _refusal(self, scope: Scope, headers: Headers) -> Response | None:
        """None for who has a session; else the way to the login, or why nobody can be asked now."""
        secret = cookie_secret(headers, self.cookie)
        if scope["path"].startswith("/static/") and self._known.get(sha256_text(secret), 0.0) > time.monotonic():
            return None
        try:
            known = await run_in_threadpool(self.knows, secret) if secret else False
        except Exception as error:  # noqa: BLE001 - an entry point: a database that is away closes the door, in words
            return PlainTextResponse(explain(error).sentence(), status_code=503)
        if not known:
            return _to_login(scope, headers)
        now = time.monotonic()
        self._known = {one: until for one, until in self._known.items() if until > now}
        self._known[sha256_text(secret)] = now + KNOWN_SECONDS
        return None


def _to_login(scope: Scope, headers: Headers) -> Response:
    path, query = scope["path"], scope["query_string"].decode("latin-1")
    person = path in PAGE_PATHS or "text/html" in headers.get("accept", "")
    if scope.get("method") in SAFE_METHODS and person and not path.startswith(NOT_PAGES):
        here = quote(path, safe="/") + (f"?{query}" if query else "")
        return RedirectResponse(f"/login?next={quote(here, safe='')}", status_code=303)
    return PlainTextResponse("Log in first.", status_code=401)


async def _refuse_websocket(receive: Receive, send: Send) -> None:
    await receive()  # the connect message must be taken before the close is said
    await send({"type": "websocket.close", "code": 1008, "reason": "Log in first."})


def inline_script_hashes(index: Path | None = None) -> tuple[str, ...]:
    """The sha256 sources of the inline scripts of Streamlit's index.html, as the installed version has them."""
    page = (index or Path(streamlit.__file__).parent / "static" / "index.html").read_text(encoding="utf-8")
    scripts = re.findall(r"<script(?![^>]*\bsrc=)[^>]*>(.*?)</script>", page, flags=re.DOTALL)
    return tuple(f"'sha256-{base64.b64encode(hashlib.sha256(s.encode()).digest()).decode()}'" for s in scripts)


def content_security_policy(hashes: Iterable[str]) -> str:
    """What the app's pages may load: their own host. Inline styles are Streamlit's way; inline scripts are not."""
    return "; ".join(
        (
            "default-src 'self'",
            " ".join(("script-src 'self' 'wasm-unsafe-eval' blob:", *hashes)),
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data: blob:",
            "font-src 'self' data:",
            "connect-src 'self'",
            "worker-src 'self' blob:",
            "frame-ancestors 'none'",
            "form-action 'self'",
            "object-src 'none'",
            "base-uri 'self'",
        )
    )


class SecurityHeaders:
    """Adds the headers that Streamlit does not send; a route's own policy is kept."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.headers = {
            "content-security-policy": content_security_policy(inline_script_hashes()),
            "x-content-type-options": "nosniff",
            "x-frame-options": "DENY",
            "referrer-policy": "same-origin",
            "permissions-policy": "camera=(), microphone=(), geolocation=(), payment=()",
            "cross-origin-opener-policy": "same-origin",
            "cross-origin-resource-policy": "same-origin",
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on and dress the answer."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def dressed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self.headers.items():
                    headers.setdefault(name, value)
            await send(message)

        await self.app(scope, receive, dressed)
