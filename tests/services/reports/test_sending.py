"""Reports sent to people: whole, once, by every way; refusals are named and tried again; recipients end them."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from email.message import EmailMessage
from pathlib import Path

import pytest

from mlops_dash.clock import Clock
from mlops_dash.domain.access import NOBODY, Actor, Role
from mlops_dash.domain.audit import Action
from mlops_dash.domain.jobs import Task
from mlops_dash.domain.notices import ChannelKind, NoticeState, Route
from mlops_dash.domain.reports.deliveries import Delivery
from mlops_dash.domain.reports.files import ReportFormat
from mlops_dash.domain.reports.levels import Level
from mlops_dash.domain.reports.plans import Plan
from mlops_dash.domain.reports.snapshot import Report, ReportKind
from mlops_dash.domain.retraining import ScheduleDraft
from mlops_dash.domain.starting import ScheduleKind
from mlops_dash.errors import Conflict, InvalidInput, NotAllowed, NotFound
from mlops_dash.notify import parcels
from mlops_dash.services.access import AccessService
from mlops_dash.services.audit import AuditService
from mlops_dash.services.command import Context
from mlops_dash.services.notices import NoticeService
from mlops_dash.services.registry import RegistryService
from mlops_dash.services.reports import ReportService
from mlops_dash.services.retraining import RetrainingService
from mlops_dash.store import deliveries as store
from mlops_dash.store.db import transaction
from tests import factories
from tests.architecture.tree import ROOT
from tests.factories import ADMIN, LEAD, SCIENTIST, VIEWER, WORKER, Time
from tests.receivers import Mailbox, mail_server, web_server
from tests.services.reports_shared import MODEL, shared_report

PLAN = Plan(ReportKind.CARD, MODEL, formats=(ReportFormat.HTML, ReportFormat.JSON), owner="scientist", id="plan")


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def box() -> Iterator[Mailbox]:
    with mail_server() as found:
        yield found


@pytest.fixture
def home(tmp_path: Path, time: Time, box: Mailbox) -> Iterator[Context]:
    made = factories.context(
        tmp_path, clock=Clock(wall=time), smtp=f"smtp://127.0.0.1:{box.port}", webhook_networks=("127.0.0.0/8",)
    )
    yield made
    made.databases.dispose()


@pytest.fixture
def report(home: Context) -> Report:
    return shared_report(home)


@pytest.fixture
def reports(home: Context, report: Report) -> ReportService:
    return ReportService(home)


def states(reports: ReportService) -> list[tuple[str, NoticeState]]:
    return sorted((one.recipient, one.state) for one in reports.deliveries(VIEWER))


def prepared(reports: ReportService, batch: str = "job-1", **changes: object) -> tuple[Delivery, ...]:
    plan = replace(PLAN, to=("ada@example.com",))
    plan = replace(plan, **changes)  # type: ignore[arg-type]
    return reports.prepare(WORKER, batch, "schedule board", plan.arguments())


def link_in(mail: EmailMessage) -> str:
    """The token of the link to unsubscribe."""
    return str(mail["List-Unsubscribe"]).strip("<>").rpartition("/")[2]


def test_a_report_goes_by_mail_with_its_files_once(reports: ReportService, report: Report, box: Mailbox) -> None:
    assert len(prepared(reports, to=("ada@example.com", "bob@example.com"))) == 2
    assert reports.deliver(WORKER) == 2
    assert reports.deliver(WORKER) == 0
    assert sorted(box.recipients) == ["ada@example.com", "bob@example.com"]
    mail = box.mails[0]
    assert mail["Subject"] == f"[{MODEL}] Model card: Incomplete"
    body = mail.get_body(("plain",))
    assert body is not None
    text = body.get_content()
    assert "Minutes at the 'north' desk <script>alert(1)</script> 队列" in text
    assert f"/reports?report={report.line.id}" in text
    html, facts = mail.iter_attachments()
    assert html.get_content() == reports.html(VIEWER, report.line.id)
    assert json.loads(facts.get_content())["sha256"] == report.line.sha256
    assert {one.state for one in reports.deliveries(VIEWER)} == {NoticeState.SENT}


def test_the_same_slot_is_put_on_its_way_once_however_often_its_job_runs(reports: ReportService, box: Mailbox) -> None:
    first = prepared(reports)
    assert prepared(reports) == first
    assert reports.deliver(WORKER) == 1
    assert [one.state for one in prepared(reports)] == [NoticeState.SENT]
    assert reports.deliver(WORKER) == 0
    prepared(reports, "job-2")
    assert reports.deliver(WORKER) == 1
    assert len(box.mails) == 2


def test_what_was_being_sent_when_the_process_ended_is_never_sent_again_by_itself(
    reports: ReportService, box: Mailbox, time: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    (one,) = prepared(reports)
    real = parcels.to_address

    def killed(*given: object) -> str:
        real(*given)  # type: ignore[arg-type]
        raise KeyboardInterrupt  # as if the process ended between sending and noting it

    with monkeypatch.context() as patch:
        patch.setattr(parcels, "to_address", killed)
        with pytest.raises(KeyboardInterrupt):
            reports.deliver(WORKER)
    assert (len(box.mails), reports.deliver(WORKER)) == (1, 0)
    time.passes(minutes=6)
    assert reports.deliver(WORKER) == 0
    assert states(reports) == [("ada@example.com", NoticeState.UNSURE)]
    assert len(box.mails) == 1
    reports.send_report_again(LEAD, one.id, reason="ada says it did not come")
    (ended,) = reports.deliver_now(LEAD, [one.id])
    assert (ended.state, len(box.mails)) == (NoticeState.SENT, 2)
    assert box.mails[0]["Message-ID"] == box.mails[1]["Message-ID"]
    with pytest.raises(Conflict, match="is sent"):
        reports.send_report_again(LEAD, one.id, reason="again")


def test_a_process_killed_after_sending_leaves_a_delivery_that_nobody_sends_again(
    reports: ReportService, box: Mailbox, home: Context, time: Time
) -> None:
    prepared(reports)
    code = (
        "import os, signal, sys; from pathlib import Path; from tests import factories\n"
        "from mlops_dash.notify import parcels; from mlops_dash.services.reports import ReportService\n"
        "real = parcels.to_address\n"
        "def killed(*given):\n"
        "    real(*given); os.kill(os.getpid(), signal.SIGKILL)\n"
        "parcels.to_address = killed\n"
        "made = factories.context(Path(sys.argv[1]), smtp=sys.argv[2])\n"
        "ReportService(made).deliver(factories.WORKER)\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code, str(home.settings.home), home.settings.smtp],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "src")])}, timeout=120, check=False,
    )  # fmt: skip
    assert ended.returncode == -signal.SIGKILL
    assert (len(box.mails), states(reports)) == (1, [("ada@example.com", NoticeState.SENDING)])
    time.passes(minutes=6)
    assert reports.deliver(WORKER) == 0
    assert (len(box.mails), states(reports)) == (1, [("ada@example.com", NoticeState.UNSURE)])


def test_a_server_that_refuses_is_named_and_asked_again_until_it_takes_it(
    reports: ReportService, box: Mailbox, time: Time
) -> None:
    prepared(reports)
    box.refuses = "451 try later"
    assert reports.deliver(WORKER) == 0
    (one,) = reports.deliveries(VIEWER)
    assert (one.state, one.attempts) == (NoticeState.WAITING, 1)
    assert "try later" in one.note
    assert one.not_before > time.at
    assert reports.deliver(WORKER) == 0, "not before its time"
    assert reports.deliveries(VIEWER)[0].attempts == 1
    box.refuses = ""
    time.passes(seconds=11)
    assert reports.deliver(WORKER) == 1
    assert len(box.mails) == 1


def test_a_server_that_always_refuses_is_given_up_in_words(reports: ReportService, box: Mailbox, time: Time) -> None:
    prepared(reports)
    box.refuses = "550 no such user"
    for _ in range(9):
        reports.deliver(WORKER)
        time.passes(hours=3)
    (one,) = reports.deliveries(VIEWER)
    assert (one.state, one.attempts) == (NoticeState.FAILED, 8)
    assert "no such user" in one.note


def test_what_a_server_took_without_saying_so_is_not_sent_again_by_itself(
    reports: ReportService, box: Mailbox, time: Time
) -> None:
    prepared(reports)
    box.hangs_up = True
    assert reports.deliver(WORKER) == 0
    assert states(reports) == [("ada@example.com", NoticeState.UNSURE)]
    time.passes(hours=3)
    assert reports.deliver(WORKER) == 0
    assert len(box.mails) == 1


def test_a_web_hook_gets_it_signed_and_a_folder_as_files(
    reports: ReportService, report: Report, home: Context, box: Mailbox
) -> None:
    with web_server() as site:
        hook = NoticeService(home).add(
            ADMIN,
            "ops",
            ChannelKind.WEBHOOK,
            f"http://127.0.0.1:{site.port}/in",
            Route(severity="critical"),
            reason="x",
        )
        prepared(reports, to=("channel:ops", "folder:board"))
        assert reports.deliver(WORKER) == 2
    (said,), (raw,), (headers,) = site.bodies, site.raw, site.headers
    at, _, seal = headers["X-Mlops-Dash-Signature"].removeprefix("t=").partition(",v1=")
    assert seal == hmac.new(hook.secret.encode(), f"{at}.".encode() + raw, hashlib.sha256).hexdigest()
    assert said["report"]["sha256"] == report.line.sha256
    assert said["report"]["facts"] == report.facts
    assert box.mails == []
    files = sorted((home.settings.home / "reports" / "board").iterdir())
    assert [one.suffix for one in files] == [".html", ".json"]
    assert files[0].read_text() == reports.html(VIEWER, report.line.id)
    assert report.line.sha256[:8] in files[0].name


def test_without_a_server_mail_becomes_files(reports: ReportService, home: Context) -> None:
    alone = ReportService(replace(home, settings=replace(home.settings, smtp="")))
    (one,) = prepared(alone)
    assert alone.deliver(WORKER) == 1
    assert alone.deliveries(VIEWER)[0].note == f"No mail server is set: it lies in outbox/{one.id}.eml."
    assert (home.settings.home / "outbox" / f"{one.id}.eml").is_file()


def test_only_when_something_changed_says_since_when_nothing_has(
    reports: ReportService, home: Context, box: Mailbox
) -> None:
    prepared(reports, only_changed=True)
    assert reports.deliver(WORKER) == 1
    (held,) = prepared(reports, "job-2", only_changed=True)
    assert (held.state, held.recipient) == (NoticeState.HELD, "")
    assert held.note.startswith("Nothing to act on has changed since")
    with pytest.raises(Conflict, match="nobody was to get it"):
        reports.send_report_again(LEAD, held.id, reason="now")
    RegistryService(home).edit_card(
        SCIENTIST, MODEL, {"intended_use": "how long people wait"}, revision=0, reason="asked"
    )
    prepared(reports, "job-3", only_changed=True)
    assert reports.deliver(WORKER) == 1
    assert len(box.mails) == 2


def test_only_when_something_changed_is_held_against_what_each_recipient_got(
    reports: ReportService, home: Context, box: Mailbox
) -> None:
    folder = home.settings.reports / "board"
    both = ("ada@example.com", "folder:board")
    prepared(reports, to=both, only_changed=True)
    assert reports.deliver(WORKER) == 2
    RegistryService(home).edit_card(SCIENTIST, MODEL, {"intended_use": "desk"}, revision=0, reason="asked")
    lost = folder.rename(folder.with_name("away"))
    folder.write_text("no folder")
    for one in prepared(reports, "job-2", to=both, only_changed=True):
        if one.recipient == "folder:board":
            with transaction(home.databases.app) as session:
                store.change(session, replace(one, attempts=7))
    assert reports.deliver(WORKER) == 1
    assert ("folder:board", NoticeState.FAILED) in states(reports)
    folder.unlink()
    lost.rename(folder)
    third = prepared(reports, "job-3", to=both, only_changed=True)
    assert [(one.recipient, one.state) for one in third] == [
        ("ada@example.com", NoticeState.HELD), ("folder:board", NoticeState.WAITING),
    ]  # fmt: skip
    assert third[0].note.startswith("Nothing to act on has changed since")
    assert reports.deliver(WORKER) == 1
    (held,) = prepared(reports, "job-4", to=both, only_changed=True)
    assert (held.state, held.recipient) == (NoticeState.HELD, "")


def test_nothing_goes_out_while_the_account_that_answers_for_it_is_disabled_or_too_low(
    reports: ReportService, home: Context, box: Mailbox
) -> None:
    access, retraining = AccessService(home), RetrainingService(home)
    user = access.create_user(ADMIN, "ada", Role.SCIENTIST, password="a long enough password 9").user
    ada = Actor(user.id, user.name, user.role)
    plan = reports.check_plan(ada, replace(PLAN, id="", owner="", to=("bo@example.com",)))
    assert (plan.owner, plan.owner_id) == ("ada", user.id)
    draft = ScheduleDraft(
        name="board", kind=ScheduleKind.CRON, expression="0 7 * * 1", task=Task.REPORT, arguments=plan.arguments()
    )
    made = retraining.save_schedule(ada, draft)

    def slot(batch: str) -> tuple[Delivery, ...]:
        (kept,) = retraining.schedules(VIEWER)
        return reports.prepare(WORKER, batch, "schedule board", kept.arguments)

    (waits,) = slot("job-1")
    access.disable_user(ADMIN, "ada", reason="left")
    assert reports.deliver(WORKER) == 0, "it waited when the account was disabled"
    (held,) = slot("job-2")
    assert (held.state, held.recipient, held.report_id) == (NoticeState.HELD, "", None)
    assert held.note.startswith("The account ada is disabled")
    reports.send_report_again(LEAD, waits.id, reason="I answer for it")
    assert [one.state for one in reports.deliver_now(LEAD, [waits.id])] == [NoticeState.SENT]
    access.enable_user(ADMIN, "ada", reason="came back")
    assert [one.state for one in slot("job-3")] == [NoticeState.WAITING]
    access.set_role(ADMIN, "ada", Role.VIEWER)
    (low,) = slot("job-4")
    assert "may not send reports any more" in low.note
    taken = reports.check_plan(SCIENTIST, plan)
    retraining.save_schedule(SCIENTIST, replace(draft, id=made, arguments=taken.arguments()))
    assert [one.state for one in slot("job-5")] == [NoticeState.WAITING]
    assert reports.deliver(WORKER) == 2
    assert len(box.mails) == 3


def test_who_unsubscribes_gets_no_more_and_others_do(reports: ReportService, box: Mailbox, home: Context) -> None:
    prepared(reports, to=("ada@example.com", "bob@example.com"))
    reports.deliver(WORKER)
    mail = next(one for one in box.mails if one["To"] == "ada@example.com")
    token = link_in(mail)
    found = reports.subscription(NOBODY, token)
    assert found is not None
    assert found.recipient == "ada@example.com"
    assert states(reports)[0][1] is NoticeState.SENT, "looking changes nothing"
    reports.unsubscribe(NOBODY, token)
    reports.unsubscribe(NOBODY, token)
    prepared(reports, "job-2", to=("ada@example.com", "bob@example.com"))
    assert reports.deliver(WORKER) == 1
    held = next(one for one in reports.deliveries(VIEWER) if one.state is NoticeState.HELD)
    assert (held.recipient, held.note) == ("ada@example.com", "They unsubscribed.")
    with pytest.raises(Conflict, match="unsubscribed"):
        reports.send_report_again(LEAD, held.id, reason="she must read it")
    entries = AuditService(home).entries(ADMIN).entries
    assert [one.action for one in entries].count(Action.REPORT_UNSUBSCRIBED) == 1


@pytest.mark.parametrize(
    "change", [lambda t: t[:-1] + ("0" if t[-1] != "0" else "1"), lambda t: "0" * 26 + t[26:], str.upper]
)
def test_a_link_to_unsubscribe_that_is_not_ours_does_nothing(
    reports: ReportService, box: Mailbox, change: object
) -> None:
    prepared(reports)
    reports.deliver(WORKER)
    token = change(link_in(box.mails[0]))  # type: ignore[operator]
    assert reports.subscription(NOBODY, token) is None
    with pytest.raises(NotFound):
        reports.unsubscribe(NOBODY, token)


def test_a_kept_report_is_sent_by_hand_and_the_ledger_says_to_whom(
    reports: ReportService, report: Report, box: Mailbox, home: Context
) -> None:
    made = reports.send_report(
        SCIENTIST, report.line.id, to=["ada@example.com"], formats=["markdown"], reason="she asked"
    )
    (ended,) = reports.deliver_now(SCIENTIST, [one.id for one in made])
    assert ended.state is NoticeState.SENT
    (mail,) = box.mails
    assert mail["List-Unsubscribe"] is None
    assert [one.get_filename()[-3:] for one in mail.iter_attachments()] == [".md"]  # type: ignore[index]
    entry = AuditService(home).entries(ADMIN).entries[0]
    assert (entry.action, entry.after["to"]) == (Action.REPORT_SENT, ["ada@example.com"])


def test_what_cannot_be_sent_is_refused_in_words(reports: ReportService, report: Report) -> None:
    def send(to: list[str], formats: list[str] | None = None, reason: str = "why") -> object:
        return reports.send_report(SCIENTIST, report.line.id, to=to, formats=formats or [], reason=reason)

    for to in ([], ["ada"], ["folder:../up"], ["a@b, c"], ["ada@example.com\nBcc: x"]):
        with pytest.raises(InvalidInput):
            send(to)
    with pytest.raises(NotFound, match="No channel ops"):
        send(["channel:ops"])
    with pytest.raises(InvalidInput, match="odp"):
        send(["ada@example.com"], ["odp"])
    with pytest.raises(InvalidInput, match="reason"):
        send(["ada@example.com"], reason=" ")
    with pytest.raises(NotAllowed):
        reports.send_report(VIEWER, report.line.id, to=["ada@example.com"], formats=[], reason="why")
    assert reports.deliveries(VIEWER) == ()


def test_a_report_that_cannot_be_made_stands_in_the_log(reports: ReportService) -> None:
    with pytest.raises(NotFound):
        prepared(reports, kind=ReportKind.PROMOTION)
    (one,) = reports.deliveries(VIEWER)
    assert (one.state, one.report_id) == (NoticeState.FAILED, None)
    assert "No version of queue-minutes is live" in one.note


def test_a_schedule_keeps_its_plan_and_is_checked_and_removed(reports: ReportService, home: Context) -> None:
    retraining = RetrainingService(home)
    plan = reports.check_plan(SCIENTIST, replace(PLAN, id="", to=("ada@example.com",), only_changed=True))
    assert len(plan.id) == 26
    made = retraining.save_schedule(SCIENTIST, ScheduleDraft(
        name="board", kind=ScheduleKind.CRON, expression="0 7 * * 1", zone="Europe/Vienna", task=Task.REPORT,
        arguments=plan.arguments(),
    ))  # fmt: skip
    (kept,) = retraining.schedules(VIEWER)
    assert Plan.of(kept.arguments) == plan
    assert kept.when == "Mondays at 07:00 (Vienna)"
    assert retraining.room(VIEWER).schedules == (), "it is no retraining"
    for wrong in (
        {"model": "nobody"},
        {"to": ("channel:none",)},
        {"kind": ReportKind.AB_RESULT, "model": "", "subject": "x"},
    ):
        with pytest.raises(NotFound):
            reports.check_plan(SCIENTIST, replace(plan, **wrong))  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match="no single model"):
        reports.check_plan(SCIENTIST, replace(plan, kind=ReportKind.FLEET))
    with pytest.raises(InvalidInput, match="nobody"):
        retraining.save_schedule(SCIENTIST, ScheduleDraft(
            "b", ScheduleKind.CRON, "0 7 * * 1", task=Task.REPORT, arguments=replace(plan, to=()).arguments()
        ))  # fmt: skip
    job = retraining.run_now(SCIENTIST, None, "to try it", schedule_id=made)
    assert job
    retraining.remove_schedule(SCIENTIST, made, "over")
    assert retraining.schedules(VIEWER) == ()
    assert AuditService(home).entries(ADMIN).entries[0].action == Action.SCHEDULE_REMOVED


def test_each_recipient_gets_their_own_level_of_the_same_facts(
    reports: ReportService, report: Report, box: Mailbox
) -> None:
    levels = {"board@example.com": Level.EXECUTIVE, "risk@example.com": Level.AUDIT}
    prepared(reports, to=(*levels, "team@example.com"), levels=levels)
    assert reports.deliver(WORKER) == 3
    assert {one.recipient: one.level for one in reports.deliveries(VIEWER)} == {
        **levels,
        "team@example.com": Level.TECHNICAL,
    }
    for to, mail in zip(box.recipients, box.mails, strict=True):
        html, facts = mail.iter_attachments()
        assert html.get_content() == reports.html(VIEWER, report.line.id, levels.get(to, Level.TECHNICAL))
        assert (f"-{levels[to]}-" in str(html.get_filename())) if to in levels else "-audit" not in str(html)
        assert json.loads(facts.get_content())["sha256"] == report.line.sha256


def test_a_person_sends_it_at_a_level_and_the_ledger_says_at_which(
    reports: ReportService, report: Report, box: Mailbox, home: Context
) -> None:
    to = ["board@example.com as executive"]
    (sent,) = reports.send_report(SCIENTIST, report.line.id, to=to, formats=[], reason="before Monday")
    assert sent.level is Level.EXECUTIVE
    assert reports.deliver_now(SCIENTIST, [sent.id])[0].state is NoticeState.SENT
    body = box.mails[0].get_body(("plain",))
    assert body is not None
    assert f"/reports?report={report.line.id}&level=executive" in body.get_content()
    assert AuditService(home).entries(ADMIN).entries[0].after["to"] == to
