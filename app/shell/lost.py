"""The answer to an address that no page has: it says so and names the nearest pages, with the right status.

Streamlit would answer 200, draw the start page and put a dialog of its own over it.
"""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher
from html import escape
from urllib.parse import unquote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Match
from starlette.types import Scope

from app.pages import HOME, PAGES, PageRow
from app.shell import login
from app.shell.gate import NOT_PAGES, PAGE_PATHS


def answer(scope: Scope, routes: Sequence[BaseRoute]) -> Response | None:
    """The 404 of an HTTP request, or None when the path is a page, a route of ours or one of Streamlit's own files.

    The start page lives at `/` alone: its own name leads there.
    """
    path = scope["path"]
    if scope.get("method") not in {"GET", "HEAD"} or path.startswith(NOT_PAGES):
        return None
    if path == f"/{HOME}":
        query = scope.get("query_string", b"").decode("latin-1")
        return RedirectResponse(f"/?{query}" if query else "/", status_code=303)
    if path in PAGE_PATHS:
        return None
    if "/_stcore/" in path or any(route.matches(scope)[0] is not Match.NONE for route in routes):
        return None  # on sub-pages Streamlit asks for /registry/_stcore/… and answers itself
    if "text/html" not in Request(scope).headers.get("accept", ""):
        return None
    return page(path, scope.get("query_string", b"").decode("latin-1"))


def nearest(path: str) -> list[PageRow]:
    """All pages, those whose address or title looks like `path` first."""
    wanted = unquote(path).strip("/").split("/")[0].lower()

    def likeness(row: PageRow) -> float:
        names = (row.url, row.title.lower(), *row.title.lower().split())
        return max(SequenceMatcher(None, wanted, name).ratio() for name in names)

    return sorted(PAGES, key=likeness, reverse=True) if wanted else list(PAGES)


def page(path: str, query: str = "") -> Response:
    """The page itself; the query goes to the nearest page, so that a mistyped deep link is mended by a click."""
    shown = path if len(path) <= 80 else f"{path[:79]}…"
    rows = nearest(path)
    first = f"?{query}" if query else ""
    links = "".join(
        f"<li><a href='/{row.url}{escape(first) if number == 0 else ''}'>"
        f"<b>{escape(row.title)}</b><span>/{row.url}</span></a></li>"
        for number, row in enumerate(rows)
    )
    body = (
        f"<p>Nothing is at <code>{escape(shown)}</code>. The nearest pages:</p><ul class='pages'>{links}</ul>"
        "<p><a href='/'>Start page</a></p>"
    )
    return login.plain_page("There is no such page", body, status=404)
