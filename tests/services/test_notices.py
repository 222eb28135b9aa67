"""Alerts are told once, to whom wants them, when they may: with a real mail server and a real web server."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mlops_dash import notify
from mlops_dash.clock import Clock
from mlops_dash.domain.access import Actor
from mlops_dash.domain.notices import ChannelKind, NoticeState, Route
from mlops_dash.domain.words import AlertState
from mlops_dash.errors import Conflict, InvalidInput, NotAllowed, NotFound
from mlops_dash.services.command import Context
from mlops_dash.services.notices import NoticeService
from mlops_dash.store import notices as store
from mlops_dash.store.db import reading, transaction
from mlops_dash.store.monitoring.alerts import Alert, save_alert
from tests import factories
from tests.factories import ADMIN, NOON, SCIENTIST, WORKER, Time
from tests.receivers import Mailbox, Posts, mail_server, web_server

MODEL = 'it\'s "late"'


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    with mail_server() as box:
        yield box


@pytest.fixture
def posts() -> Iterator[Posts]:
    with web_server() as box:
        yield box


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def notices(tmp_path: Path, mailbox: Mailbox, time: Time) -> Iterator[NoticeService]:
    context = factories.context(
        tmp_path, clock=Clock(wall=time), smtp=f"smtp://127.0.0.1:{mailbox.port}", webhook_networks=("127.0.0.1/32",),
    )  # fmt: skip
    with transaction(context.databases.app) as session:
        for name in (MODEL, "species"):
            session.add(factories.model_row(name))
    yield NoticeService(context)
    context.databases.dispose()


def alert(context: Context, name: str, **changes: Any) -> Alert:
    values: dict[str, Any] = {
        "id": name, "model": MODEL, "version": "2", "kind": name, "severity": "critical", "state": AlertState.OPEN,
        "title": f"{name} of {MODEL}", "cause": "It errs by 12 min.", "opened_at": NOON, "last_seen_at": NOON,
        "closed_at": None, "owner": "", "snoozed_until": None, "evidence_ids": (), "body": {},
    }  # fmt: skip
    made = Alert(**{**values, **changes})
    with transaction(context.databases.app) as session:
        save_alert(session, made)
    return made


def mail_to(notices: NoticeService, name: str = "on call", **route: Any) -> None:
    notices.add(ADMIN, name, ChannelKind.EMAIL, f"{name.replace(' ', '.')}@example.com", Route(**route), reason="test")


def turn(notices: NoticeService) -> int:
    notices.gather(WORKER)
    return notices.deliver(WORKER)


def states(notices: NoticeService) -> dict[str, tuple[str, str]]:
    return {f"{one.channel}/{one.alert_id}/{one.event}": (str(one.state), one.note) for one in notices.log(ADMIN)}


def test_an_alert_is_told_once_and_so_is_its_end(notices: NoticeService, mailbox: Mailbox, time: Time) -> None:
    mail_to(notices)
    told = alert(notices.context, "harm")
    assert [turn(notices), turn(notices)] == [1, 0]
    assert mailbox.mails[0]["Subject"] == f"[{MODEL}] Critical: harm of {MODEL}"
    assert "/monitoring?model=it%27s%20%22late%22" in mailbox.mails[0].get_content()
    with transaction(notices.context.databases.app) as session:
        save_alert(session, replace(told, state=AlertState.CLOSED, closed_at=NOON))
    assert [turn(notices), turn(notices)] == [1, 0]
    assert mailbox.mails[1]["Subject"] == f"[{MODEL}] Over: harm of {MODEL}"


def test_what_was_open_before_the_channel_is_held_and_can_be_sent(notices: NoticeService, mailbox: Mailbox) -> None:
    alert(notices.context, "old")
    mail_to(notices)
    assert turn(notices) == 0
    (held,) = notices.log(ADMIN)
    assert (held.state, held.note) == (NoticeState.HELD, "It was open before the channel was made.")
    notices.send_again(ADMIN, held.id, reason="the lead asked")
    assert turn(notices) == 1
    with pytest.raises(Conflict, match="sent"):
        notices.send_again(ADMIN, held.id, reason="again")


def test_routes_by_severity_and_model(notices: NoticeService, mailbox: Mailbox) -> None:
    mail_to(notices, "loud", severity="critical")
    mail_to(notices, "species", models=("species",), severity="notice")
    alert(notices.context, "harm")
    alert(notices.context, "inputs", severity="notice")
    alert(notices.context, "schema", severity="notice", model="species")
    assert turn(notices) == 2
    assert sorted(mailbox.recipients) == ["loud@example.com", "species@example.com"]


def test_quiet_hours_hold_a_warning_and_let_a_critical_one_through(
    notices: NoticeService, mailbox: Mailbox, time: Time
) -> None:
    mail_to(notices, quiet_from="15:00", quiet_to="18:30", zone="UTC")
    alert(notices.context, "schema", severity="warning")
    alert(notices.context, "harm")
    assert turn(notices) == 1
    assert mailbox.mails[0]["Subject"].startswith(f"[{MODEL}] Critical")
    time.passes(hours=2, minutes=31)
    assert turn(notices) == 1


def test_a_digest_is_one_message_with_the_worst_first(notices: NoticeService, mailbox: Mailbox, time: Time) -> None:
    mail_to(notices, digest_at="22:00", severity="notice")
    for name, severity in (("inputs", "notice"), ("harm", "critical"), ("schema", "warning")):
        alert(notices.context, name, severity=severity)
    assert turn(notices) == 0
    time.passes(hours=6, minutes=1)
    assert turn(notices) == 3
    (mail,) = mailbox.mails
    assert mail["Subject"] == f"[mlops-dash] 3 messages, first: Critical: harm of {MODEL}"
    assert [line for line in mail.get_content().splitlines() if " of " in line] == [
        f"Critical: harm of {MODEL}", f"Warning: schema of {MODEL}", f"Notice: inputs of {MODEL}",
    ]  # fmt: skip


def test_escalation_tells_what_nobody_answered(notices: NoticeService, mailbox: Mailbox, time: Time) -> None:
    mail_to(notices, "boss", after_minutes=30)
    answered = alert(notices.context, "answered")
    alert(notices.context, "ignored")
    assert turn(notices) == 0
    with transaction(notices.context.databases.app) as session:
        save_alert(session, replace(answered, state=AlertState.ACKNOWLEDGED, owner="user:lead"))
    time.passes(minutes=31)
    assert turn(notices) == 1
    assert mailbox.mails[0]["Subject"].endswith(f"ignored of {MODEL}")
    assert states(notices)["boss/answered/opened"] == ("held", "Somebody answered it in time.")


def test_the_same_is_not_told_again_within_the_pause(notices: NoticeService, mailbox: Mailbox, time: Time) -> None:
    mail_to(notices, pause_minutes=60)
    first = alert(notices.context, "first", kind="harm")
    assert turn(notices) == 1
    with transaction(notices.context.databases.app) as session:
        save_alert(session, replace(first, state=AlertState.CLOSED, closed_at=NOON))
    alert(notices.context, "second", kind="harm")
    turn(notices)
    assert states(notices)["on call/second/opened"] == ("held", "The same was told within 60 minutes.")


def test_what_was_over_before_its_time_is_not_told(notices: NoticeService, mailbox: Mailbox, time: Time) -> None:
    mail_to(notices, quiet_from="15:00", quiet_to="18:00")
    short = alert(notices.context, "schema", severity="warning")
    turn(notices)
    with transaction(notices.context.databases.app) as session:
        save_alert(session, replace(short, state=AlertState.CLOSED, closed_at=NOON))
    time.passes(hours=3)
    assert turn(notices) == 0
    assert states(notices)["on call/schema/opened"] == ("held", "It was over before its time came.")


def test_a_server_that_is_away_is_tried_again_and_given_up_at_last(
    notices: NoticeService, mailbox: Mailbox, time: Time
) -> None:
    mail_to(notices)
    alert(notices.context, "harm")
    mailbox.refuses = "451 try later"
    assert turn(notices) == 0
    (waits,) = notices.log(ADMIN)
    assert (waits.state, waits.attempts) == (NoticeState.WAITING, 1)
    assert "try later" in waits.note
    assert turn(notices) == 0
    assert notices.log(ADMIN)[0].attempts == 1  # not before its time
    for _attempt in range(7):
        time.passes(hours=3)
        turn(notices)
    (given_up,) = notices.log(ADMIN)
    assert (given_up.state, given_up.attempts) == (NoticeState.FAILED, 8)
    mailbox.refuses = ""
    notices.send_again(ADMIN, given_up.id, reason="it works again")
    assert turn(notices) == 1


def test_an_end_in_the_middle_of_sending_is_never_sent_twice(
    notices: NoticeService, mailbox: Mailbox, time: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    mail_to(notices)
    alert(notices.context, "harm")
    real = notify.send

    def killed(*words: Any) -> str:
        real(*words)
        raise KeyboardInterrupt  # as far as the database can tell, the process is gone

    monkeypatch.setattr(notify, "send", killed)
    with pytest.raises(KeyboardInterrupt):
        turn(notices)
    monkeypatch.setattr(notify, "send", real)
    for _turn in range(3):
        time.passes(minutes=5)
        assert turn(notices) == 0
    (one,) = notices.log(ADMIN)
    assert one.state is NoticeState.UNSURE
    assert one.note.startswith("Our process ended while it was being sent")
    assert len(mailbox.mails) == 1


def test_two_processes_that_lead_at_once_send_each_message_once(notices: NoticeService, mailbox: Mailbox) -> None:
    mail_to(notices)
    for number in range(12):
        alert(notices.context, f"kind{number}")
    notices.gather(WORKER)
    threads = [threading.Thread(target=notices.deliver, args=(WORKER,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(mailbox.mails) == len({mail["Message-ID"] for mail in mailbox.mails}) == 12


def test_a_web_hook_that_is_not_allowed_is_said_and_not_tried_again(notices: NoticeService, posts: Posts) -> None:
    notices.add(ADMIN, "hook", ChannelKind.WEBHOOK, "http://127.0.0.2/x", Route(), reason="test")
    alert(notices.context, "harm")
    turn(notices)
    state, note = states(notices)["hook/harm/opened"]
    assert state == "failed"
    assert "MLOPS_DASH_WEBHOOK_NETWORKS" in note
    notices.edit(ADMIN, "hook", address=posts.url, reason="the right one")
    ended = notices.send_now(ADMIN, notices.test(ADMIN, "hook").id)
    assert (ended.state, ended.note) == (NoticeState.SENT, "127.0.0.1/… answered 200.")
    assert posts.bodies[0]["notices"][0]["event"] == "test"


def test_a_channel_that_is_off_or_gone_is_told_nothing(notices: NoticeService, mailbox: Mailbox) -> None:
    mail_to(notices)
    notices.edit(ADMIN, "on call", enabled=False, reason="holiday")
    alert(notices.context, "harm")
    assert turn(notices) == 0
    assert notices.log(ADMIN) == ()
    notices.remove(ADMIN, "on call", reason="left")
    assert notices.channels(ADMIN) == ()
    with pytest.raises(NotFound):
        notices.edit(ADMIN, "on call", enabled=True, reason="back")


def test_what_opens_a_channel_is_shown_to_nobody_else(notices: NoticeService) -> None:
    made = notices.add(ADMIN, "chat", ChannelKind.SLACK, "https://hooks.example/T0/SECRET", Route(), reason="test")
    assert len(made.secret) == 64
    (of_admin,) = notices.channels(ADMIN)
    (of_scientist,) = notices.channels(SCIENTIST)
    assert (of_admin.secret, of_scientist.secret, of_scientist.address) == ("", "", "hooks.example/…")
    with reading(notices.context.databases.app) as session:
        assert store.channel(session, "chat") == made
    with pytest.raises(NotAllowed):
        notices.test(SCIENTIST, "chat")


@pytest.mark.parametrize(
    ("name", "kind", "address", "route", "word"),
    [
        ("", "email", "a@b.c", {}, "called"),
        ("x", "email", "nobody", {}, "nobody"),
        ("x", "email", "a@b.c\nBcc: spy", {}, "Bcc: spy"),
        ("x", "slack", "file:///etc/passwd", {}, "web hook"),
        ("x", "slack", "https://user@host/", {}, "web hook"),
        ("x", "slack", "https://host:99999/", {}, "web hook"),
        ("x", "email", "a@b.c", {"severity": "loud"}, "severity"),
        ("x", "email", "a@b.c", {"quiet_from": "22:00"}, "Quiet hours"),
        ("x", "email", "a@b.c", {"quiet_from": "25:00", "quiet_to": "07:00"}, "25:00"),
        ("x", "email", "a@b.c", {"zone": "Mars/Base"}, "Mars"),
        ("x", "email", "a@b.c", {"after_minutes": -1}, "wait"),
    ],
)
def test_what_cannot_be_is_refused_in_one_sentence(
    notices: NoticeService, name: str, kind: str, address: str, route: dict[str, Any], word: str
) -> None:
    with pytest.raises(InvalidInput, match=word):
        notices.add(ADMIN, name, ChannelKind(kind), address, Route(**route), reason="test")
    with pytest.raises(NotFound):
        notices.add(ADMIN, "x", ChannelKind.EMAIL, "a@b.c", Route(models=("unknown",)), reason="test")
    assert notices.channels(ADMIN) == ()


def test_the_ledger_says_who_changed_what_without_what_opens_it(notices: NoticeService) -> None:
    from mlops_dash.services.audit import AuditService

    notices.add(ADMIN, "chat", ChannelKind.SLACK, "https://hooks.example/T0/SECRET", Route(), reason="on call")
    (entry,) = AuditService(notices.context).entries(ADMIN).entries
    assert (entry.action, entry.object, entry.reason) == ("channel.added", "channel chat", "on call")
    assert "SECRET" not in str(entry.after)
    actor = Actor("user:x", "x", None)
    with pytest.raises(Exception, match="logged in"):
        notices.channels(actor)
