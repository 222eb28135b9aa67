"""Streamlit's own files from memory: their names carry a digest, so what was read and compressed once stays true.

A first page asks for a hundred of them. Through the file system and the compressor each takes ten milliseconds, and
Plotly's bundle (4.7 MB raw, 1.4 MB compressed) four hundred; from memory each takes less than one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

PLACE = "/static/"
_MOST_BYTES = 64_000_000  # all of Streamlit's files are 26 MB raw


@dataclass
class _Answer:
    start: Message = field(default_factory=dict)
    body: bytes = b""
    whole: bool = False


class Assets:
    """Keeps what `app` answers for Streamlit's files; to stand outside the compressor, behind the gate."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._kept: dict[tuple[str, bool], _Answer] = {}
        self._bytes = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer from memory, or pass on and keep the answer."""
        if not _plain(scope):
            await self.app(scope, receive, send)
            return
        key = (scope["path"], "gzip" in Headers(scope=scope).get("accept-encoding", ""))
        known = self._kept.get(key)
        if known is None:
            known = _Answer()
            await self.app(scope, receive, _listening(send, known))
            self._keep(key, known)
            return
        await send(_own(known.start))
        await send({"type": "http.response.body", "body": known.body})

    def _keep(self, key: tuple[str, bool], made: _Answer) -> None:
        fits = self._bytes + len(made.body) <= _MOST_BYTES
        if made.whole and made.start.get("status") == 200 and fits and key not in self._kept:
            self._kept[key] = made
            self._bytes += len(made.body)


def _plain(scope: Scope) -> bool:
    """A GET of a whole file of Streamlit's; questions about parts and freshness are Starlette's to answer."""
    if scope["type"] != "http" or scope["method"] != "GET" or not scope["path"].startswith(PLACE):
        return False
    asked = Headers(scope=scope)
    return not (scope["query_string"] or "range" in asked or "if-none-match" in asked or "if-modified-since" in asked)


def _listening(send: Send, heard: _Answer) -> Send:
    parts: list[bytes] = []

    async def listen(message: Message) -> None:
        if message["type"] == "http.response.start":
            heard.start = _own(message)
        elif message["type"] == "http.response.body":
            parts.append(message.get("body", b""))
            if not message.get("more_body", False):
                heard.body, heard.whole = b"".join(parts), True
        await send(message)

    return listen


def _own(message: Message) -> dict[str, Any]:
    """A copy: whoever stands further out adds headers to the message itself."""
    return {**message, "headers": list(message["headers"])}
