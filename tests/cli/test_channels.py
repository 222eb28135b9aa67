"""Channels at the command line: made, tested, changed, removed, and what became of each message."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from mlops_dash.bootstrap import Services
from tests.cli.conftest import Run
from tests.factories import ADMIN
from tests.receivers import Posts, web_server

MODEL = 'it\'s "late"'


@pytest.fixture
def posts(monkeypatch: pytest.MonkeyPatch) -> Iterator[Posts]:
    monkeypatch.setenv("MLOPS_DASH_WEBHOOK_NETWORKS", "127.0.0.1/32")
    with web_server() as box:
        yield box


def test_a_channel_from_nothing_to_its_log(house: Services, run: Run, posts: Posts) -> None:
    house.registry.add_model(ADMIN, MODEL, task="regression", source="external", reason="trains")
    assert "Nobody is told" in run("channel", "list")[1] or "No channel yet" in run("channel", "list")[1]
    code, said, _ = run(
        "channel", "add", "on call", "slack", posts.url, "--severity", "critical", "--model", MODEL,
        "--quiet", "22:00-07:00", "--zone", "Europe/Berlin", "--pause", "30", "--reason", "the team asked",
    )  # fmt: skip
    assert code == 0
    words = f"critical, of {MODEL}, the same at most every 30 min, quiet 22:00 to 07:00 Europe/Berlin but for critical"
    assert words in said
    assert "shown once" in said
    code, said, _ = run("channel", "test", "on call")
    assert (code, said) == (0, "Sent: 127.0.0.1/… answered 200.\n")
    assert posts.bodies[0]["text"].startswith("A test of the channel on call")
    posts.status = 500
    code, said, _ = run("channel", "test", "on call", "--json")
    failed = json.loads(said)
    assert (code, failed["state"], failed["attempts"]) == (3, "waiting", 1)
    assert [one["state"] for one in json.loads(run("channel", "log", "--json")[1])] == ["waiting", "sent"]
    said = run("channel", "edit", "on call", "--quiet", "none", "--all-models", "--off", "--reason", "holiday")[1]
    assert said == "on call  slack  127.0.0.1/…  critical, of all models, the same at most every 30 min  switched off\n"
    (listed,) = json.loads(run("channel", "list", "--json")[1])
    assert (listed["enabled"], listed["route"]["models"], listed["address"]) == (False, [], posts.url)
    assert run("channel", "remove", "on call", "--reason", "left")[0] == 0
    assert json.loads(run("channel", "list", "--json")[1]) == []


def test_mail_without_a_server_says_where_it_goes(house: Services, run: Run) -> None:
    said = run("channel", "add", "team", "email", "a@example.com; b@example.com", "--reason", "x")[1]
    assert "MLOPS_DASH_SMTP" in said
    code, said, _ = run("channel", "test", "team")
    assert code == 0
    (file,) = (house.context.settings.home / "outbox").iterdir()
    assert f"it lies in outbox/{file.name}" in said
    assert b"To: a@example.com, b@example.com" in file.read_bytes()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("test", "nobody"), "No channel nobody"),
        (("edit", "nobody", "--off", "--reason", "x"), "No channel nobody"),
        (("resend", "nothing", "--reason", "x"), "No message nothing"),
        (("add", "x", "email", "nobody", "--reason", "x"), "is no e-mail address"),
        (("add", "x", "email", "a@b.c", "--quiet", "22:00", "--reason", "x"), "Quiet hours need"),
        (("add", "x", "email", "a@b.c", "--model", "unknown", "--reason", "x"), "unknown"),
    ],
)
def test_bad_input_is_one_sentence(house: Services, run: Run, words: tuple[str, ...], said: str) -> None:
    code, out, err = run("channel", *words)
    assert (code, out) == (2, "")
    assert said in err
