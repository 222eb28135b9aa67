"""Web hooks: what is sent, that it is signed, and where it never goes."""

from __future__ import annotations

import hashlib
import hmac
import socket
from datetime import UTC, datetime
from typing import Any

import pytest

from mlops_dash.domain.notices import Channel, ChannelKind, Event, Notice, NoticeState, Route, message
from mlops_dash.errors import InvalidInput, Unanswered, Unavailable
from mlops_dash.notify import hooks
from tests.receivers import web_server

AT = datetime(2026, 3, 1, tzinfo=UTC)
LOOPBACK = ("127.0.0.0/8",)
MODEL = 'species "<!channel>"'


def channel(kind: ChannelKind, url: str) -> Channel:
    return Channel("c", "on call", kind, url, "s3cret", Route(), True, AT, "user:admin")


def notice(**changes: Any) -> Notice:
    values: dict[str, Any] = {
        "id": "n1", "channel_id": "c", "channel": "on call", "alert_id": "a1", "event": Event.OPENED, "model": MODEL,
        "kind": "harm", "severity": "critical", "title": f"{MODEL} v2 does harm", "text": "Recall *fell* [by] 12 %.",
        "link": "http://pages/monitoring?model=x", "state": NoticeState.SENDING, "not_before": AT, "attempts": 1,
        "note": "", "created_at": AT, "sent_at": None,
    }  # fmt: skip
    return Notice(**{**values, **changes})


@pytest.fixture
def numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Numbers are looked up without asking anybody; tests may not reach outside."""

    def resolve(host: str, port: int, **_: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, port))]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)


def test_a_web_hook_gets_json_that_its_receiver_can_check() -> None:
    with web_server() as box:
        said = hooks.send(channel(ChannelKind.WEBHOOK, box.url), message([notice()]), allowed=LOOPBACK)
    assert said == "127.0.0.1/… answered 200."
    (sent,) = box.bodies[0]["notices"]
    assert (sent["event"], sent["model"], sent["severity"], sent["alert"]) == ("opened", MODEL, "critical", "a1")
    fields = dict(part.split("=") for part in box.headers[0]["X-Mlops-Dash-Signature"].split(","))
    expected = hmac.new(b"s3cret", fields["t"].encode() + b"." + box.raw[0], hashlib.sha256).hexdigest()
    assert fields["v1"] == expected
    assert box.headers[0]["X-Mlops-Dash-Delivery"] == "n1"


def test_nothing_in_a_name_is_a_mention_or_a_format() -> None:
    with web_server() as box:
        hooks.send(channel(ChannelKind.SLACK, box.url), message([notice()]), allowed=LOOPBACK)
        hooks.send(channel(ChannelKind.TEAMS, box.url), message([notice()]), allowed=LOOPBACK)
    slack, teams = box.bodies
    assert "<!channel>" not in slack["text"]
    assert "&lt;!channel&gt;" in slack["text"]
    card = teams["attachments"][0]["content"]
    assert card["body"][1]["text"] == "Recall \\*fell\\* \\[by\\] 12 %."
    assert card["actions"][0]["url"] == "http://pages/monitoring?model=x"


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/x", "https://127.0.0.1/x", "http://[::1]/x", "http://10.0.0.1/",
                                 "https://169.254.169.254/latest", "https://[::ffff:10.0.0.1]/",
                                 "https://[64:ff9b::a00:1]/", "https://[2002:0a00:0001::]/", "https://0.0.0.0/",
                                 "https://224.0.0.1/"])  # fmt: skip
def test_addresses_inside_the_house_are_refused(url: str, numbers: None) -> None:
    with pytest.raises(InvalidInput, match="inside the house"):
        hooks.send(channel(ChannelKind.WEBHOOK, url), message([notice()]))


def test_a_public_address_is_never_told_without_encryption(numbers: None) -> None:
    with pytest.raises(InvalidInput, match="without encryption"):
        hooks.send(channel(ChannelKind.WEBHOOK, "http://8.8.8.8/x"), message([notice()]))


def test_the_name_is_looked_up_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name server that says another address the second time leads nowhere else."""
    asked: list[str] = []
    real = socket.getaddrinfo

    def resolve(host: Any, *rest: Any, **more: Any) -> Any:
        if host != "hooks.example":
            return real(host, *rest, **more)
        asked.append(host)
        where = "127.0.0.1" if len(asked) == 1 else "127.0.0.9"
        return real(where, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    with web_server() as box:
        url = f"http://hooks.example:{box.port}/x"
        hooks.send(channel(ChannelKind.WEBHOOK, url), message([notice()]), allowed=("127.0.0.1/32",))
    assert asked == ["hooks.example"]
    assert len(box.bodies) == 1


def test_a_redirect_is_an_answer_like_any_other() -> None:
    with web_server() as box:
        box.status, box.location = 302, "http://127.0.0.1:9/inside"
        with pytest.raises(Unavailable, match="answered 302"):
            hooks.send(channel(ChannelKind.WEBHOOK, box.url), message([notice()]), allowed=LOOPBACK)
        box.status, box.location = 500, ""
        with pytest.raises(Unavailable, match="answered 500: said so"):
            hooks.send(channel(ChannelKind.WEBHOOK, box.url), message([notice()]), allowed=LOOPBACK)


def test_nobody_there_is_one_sentence() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/x"
    with pytest.raises(Unavailable, match=r"127\.0\.0\.1 cannot be reached"):
        hooks.send(channel(ChannelKind.WEBHOOK, url), message([notice()]), allowed=LOOPBACK)


def test_no_answer_to_what_was_told_is_no_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hooks, "SECONDS", 0.2)
    with web_server() as box:
        box.slow = 0.6
        with pytest.raises(Unanswered, match="did not answer: timed out"):
            hooks.send(channel(ChannelKind.WEBHOOK, box.url), message([notice()]), allowed=LOOPBACK)
        assert len(box.bodies) == 1
