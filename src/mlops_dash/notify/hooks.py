"""Web hooks: JSON by POST, signed, to public addresses alone unless an administrator allowed a network.

The name is looked up once and that very address is spoken to, so that no second answer of a name server leads inside;
a redirect is not followed. What is signed is the time and the body (`v1` is HMAC-SHA256 of `TIME.BODY` under the
channel's secret, as hexadecimal digits), so that a receiver can refuse what is old or altered.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import ipaddress
import json
import socket
import ssl
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from mlops_dash import __version__
from mlops_dash.domain.notices import Channel, ChannelKind, Message, line
from mlops_dash.errors import InvalidInput, Unanswered, Unavailable

SECONDS = 10.0
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_MOST_ANSWER = 2_000  # bytes of an answer that are read


def send(channel: Channel, message: Message, *, allowed: Sequence[str] = ()) -> str:
    """Post a message.

    Args:
        channel: Of a kind that has a URL.
        message: What is sent.
        allowed: Networks inside the house that may be spoken to, e.g. "10.1.0.0/16".

    Raises:
        Unavailable: it cannot be reached, or does not say 2xx.
        Unanswered: it was told all of it and did not answer.
        InvalidInput: the address is inside the house and not allowed.
    """
    return deliver(channel, message.id, _body(channel.kind, message), allowed=allowed)


def deliver(channel: Channel, delivery: str, told: Mapping[str, Any], *, allowed: Sequence[str] = ()) -> str:
    """Post any JSON under a delivery's id; raises as `send` does."""
    body = json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode()
    at = str(int(time.time()))
    headers = {
        "Content-Type": "application/json",
        "User-Agent": f"mlops-dash/{__version__}",
        "X-Mlops-Dash-Delivery": delivery,
        "X-Mlops-Dash-Signature": f"t={at},v1={signature(channel.secret, at, body)}",
    }
    status, said = _post(channel.address, body, headers, allowed)
    if not 200 <= status < 300:
        raise Unavailable(f"{channel.shown_address} answered {status}{f': {said}' if said else ''}.")
    return f"{channel.shown_address} answered {status}."


def signature(secret: str, at: str, body: bytes) -> str:
    """HMAC-SHA256 of `AT.BODY`, 64 hexadecimal digits."""
    return hmac.new(secret.encode(), at.encode() + b"." + body, hashlib.sha256).hexdigest()


def _body(kind: ChannelKind, message: Message) -> Mapping[str, Any]:
    if kind is ChannelKind.SLACK:
        return {"text": _slack(message.text)}
    if kind is ChannelKind.TEAMS:
        links = dict.fromkeys((one.model or "mlops-dash", one.link) for one in message.notices if one.link)
        return _card([(line(one), one.text) for one in message.notices], list(links))
    return {
        "delivery": message.id,
        "subject": message.subject,
        "notices": [
            {
                "event": str(one.event),
                "model": one.model,
                "alert": one.alert_id,
                "kind": one.kind,
                "severity": one.severity,
                "title": one.title,
                "text": one.text,
                "link": one.link,
            }
            for one in message.notices
        ],
    }


def report_body(kind: ChannelKind, subject: str, text: str, link: str, report: Mapping[str, Any]) -> Mapping[str, Any]:
    """A report as a channel of this kind reads it; our own JSON carries what `report` says."""
    if kind is ChannelKind.SLACK:
        return {"text": _slack(f"{subject}\n{text}\n{link}")}
    if kind is ChannelKind.TEAMS:
        return _card([(subject, text)], [("the report", link)])
    return {"subject": subject, "text": text, "link": link, "report": dict(report)}


def _card(said: Sequence[tuple[str, str]], links: Sequence[tuple[str, str]]) -> Mapping[str, Any]:
    """An adaptive card of Teams': heads with their texts, and buttons that open addresses."""
    blocks = [
        block
        for head, text in said
        for block in (
            {"type": "TextBlock", "text": _plain(head), "weight": "bolder", "wrap": True},
            {"type": "TextBlock", "text": _plain(text), "wrap": True},
        )
        if block["text"]
    ]
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": blocks,
        "actions": [{"type": "Action.OpenUrl", "title": f"Open {name}", "url": url} for name, url in links][:6],
    }
    kind_of = "application/vnd.microsoft.card.adaptive"
    return {"type": "message", "attachments": [{"contentType": kind_of, "contentUrl": None, "content": card}]}


def _slack(text: str) -> str:
    """Text in which nothing is a mention, a link or a format of Slack's."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _plain(text: str) -> str:
    """Text in which nothing is Markdown to an adaptive card."""
    return "".join(f"\\{sign}" if sign in "\\*_[]()#`" else sign for sign in text)


def _post(url: str, body: bytes, headers: Mapping[str, str], allowed: Sequence[str]) -> tuple[int, str]:
    parsed = urlsplit(url)
    host, secure = parsed.hostname or "", parsed.scheme == "https"
    port = parsed.port or (443 if secure else 80)
    address = _resolved(host, port, allowed, secure=secure)
    connection = _Pinned(host, port, address, secure=secure)
    path = (parsed.path or "/") + (f"?{parsed.query}" if parsed.query else "")
    try:
        try:
            connection.request("POST", path, body=body, headers=dict(headers))
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise Unavailable(
                f"{host} cannot be reached: {_why(error)}.", hint="Check the address and the network."
            ) from error
        try:
            answer = connection.getresponse()
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise Unanswered(
                f"{host} was told all of it and did not answer: {_why(error)}.",
                hint="Look whether it arrived, then send it again or not.",
            ) from error
        said = ""
        with suppress(OSError, http.client.HTTPException):  # its status is the answer
            said = answer.read(_MOST_ANSWER).decode("utf-8", "replace")
        return answer.status, " ".join(said.split())[:200]
    finally:
        connection.close()


def _why(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def _resolved(host: str, port: int, allowed: Sequence[str], *, secure: bool) -> str:
    """The address to speak to: the first of the host's that may be spoken to."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Unavailable(f"The name {host} is not known to this machine.", hint="Check the address.") from error
    networks, inside = [ipaddress.ip_network(one) for one in allowed], False
    for one in found:
        address = ipaddress.ip_address(str(one[4][0]).partition("%")[0])
        address = getattr(address, "ipv4_mapped", None) or address
        if any(address.version == network.version and address in network for network in networks):
            return str(one[4][0])
        if _is_outside(address) and secure:
            return str(one[4][0])
        inside = inside or not _is_outside(address)
    if inside:
        raise InvalidInput(
            f"{host} is an address inside the house, and nobody allowed it.",
            hint="Name its network in MLOPS_DASH_WEBHOOK_NETWORKS.",
        )
    raise InvalidInput(f"{host} would be told without encryption.", hint="Use https://.")


def _is_outside(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Whether an address is a public one, and none that carries another one in it (6to4, Teredo, NAT64)."""
    if isinstance(address, ipaddress.IPv6Address) and (address.sixtofour or address.teredo or address in _NAT64):
        return False
    return address.is_global and not address.is_multicast


class _Pinned(http.client.HTTPConnection):
    """A connection to one address, whatever its name says meanwhile; the certificate must be the name's."""

    def __init__(self, host: str, port: int, address: str, *, secure: bool) -> None:
        super().__init__(host, port, timeout=SECONDS)
        self._address = address
        self._secure = secure

    def connect(self) -> None:
        """Open it."""
        self.sock = socket.create_connection((self._address, self.port), SECONDS)
        if self._secure:
            self.sock = ssl.create_default_context().wrap_socket(self.sock, server_hostname=self.host)
