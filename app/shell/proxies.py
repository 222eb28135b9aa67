"""Who asks, by which name and over what, when a proxy stands in front: only configured proxies are believed.

Anybody can send X-Forwarded-* headers. From a proxy that the settings name they say the client's address, scheme and
host; from everybody else they are taken away, so that nothing behind this can believe them by mistake.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from enum import StrEnum

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

_FORWARDED = ("x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-forwarded-port", "x-real-ip", "forwarded")
_WAY = "mlops_dash.way"
_SCHEMES = {"http": {"http": "http", "https": "https"}, "websocket": {"http": "ws", "https": "wss"}}

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Way(StrEnum):
    """How a request came to us."""

    STRAIGHT = "straight"
    KNOWN_PROXY = "known proxy"
    UNKNOWN_PROXY = "unknown proxy"  # it shows the marks of one, but the settings do not name it


def way_of(scope: Scope) -> Way:
    """How this request came to us; one that never passed `Proxies` came straight."""
    return Way(scope.get(_WAY, Way.STRAIGHT))


class Proxies:
    """The outermost layer: what lies behind it sees the client, not the proxy."""

    def __init__(self, app: ASGIApp, trusted: Sequence[str]) -> None:
        self.app = app
        self.trusted = tuple(ipaddress.ip_network(one) for one in trusted)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what the client asked."""
        if scope["type"] in _SCHEMES:
            scope = self._told(scope) if _is_in(_peer(scope), self.trusted) else _plain(scope)
        await self.app(scope, receive, send)

    def _told(self, scope: Scope) -> Scope:
        """The request as a proxy of ours tells it; what it says of the nearest hop stands last."""
        headers = Headers(scope=scope)
        host = _last(headers, "x-forwarded-host")
        scheme = _SCHEMES[scope["type"]].get(_last(headers, "x-forwarded-proto").lower(), scope["scheme"])
        return {
            **scope,
            "headers": _without_forwarded(scope, host=host),
            "client": (self._client(headers) or _peer(scope), 0),
            "scheme": scheme,
            _WAY: Way.KNOWN_PROXY,
        }

    def _client(self, headers: Headers) -> str:
        """The last address that is no proxy of ours; everything before it may be invented."""
        hops = [one.strip() for line in headers.getlist("x-forwarded-for") for one in line.split(",")]
        found = ""
        for hop in reversed(hops):
            if _address(hop) is None:
                return found
            found = hop
            if not _is_in(hop, self.trusted):
                return found
        return found


def _plain(scope: Scope) -> Scope:
    headers = Headers(scope=scope)
    # No browser speaks HTTP/1.0, but proxies do by default.
    marked = any(name in headers for name in (*_FORWARDED, "via")) or scope.get("http_version") == "1.0"
    way = Way.UNKNOWN_PROXY if marked else Way.STRAIGHT
    return {**scope, "headers": _without_forwarded(scope), _WAY: way}


def _without_forwarded(scope: Scope, *, host: str = "") -> list[tuple[bytes, bytes]]:
    gone = {name.encode() for name in _FORWARDED} | ({b"host"} if host else set())
    kept = [(name, value) for name, value in scope["headers"] if name.lower() not in gone]
    return [*kept, *([(b"host", host.encode("latin-1"))] if host else [])]


def _last(headers: Headers, name: str) -> str:
    return ",".join(headers.getlist(name)).rpartition(",")[2].strip()


def _peer(scope: Scope) -> str:
    client = scope.get("client")
    return str(client[0]) if client else ""


def _is_in(text: str, networks: Sequence[Network]) -> bool:
    found = _address(text)
    return found is not None and any(found in network for network in networks)


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return mapped or found
