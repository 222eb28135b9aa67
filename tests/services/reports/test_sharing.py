"""Links to reports: made by who may, opened by who has them, ended by time, by hand and with their maker's account."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mlops_dash.clock import Clock
from mlops_dash.domain.access import NOBODY, Role
from mlops_dash.domain.audit import Action
from mlops_dash.domain.reports.levels import Level
from mlops_dash.domain.reports.shares import NewShare, ShareFace, ShareState
from mlops_dash.domain.reports.snapshot import Report
from mlops_dash.errors import Conflict, InvalidInput, NotAllowed, NotAuthenticated, NotFound
from mlops_dash.services.access import AccessService
from mlops_dash.services.audit import AuditService
from mlops_dash.services.command import Context
from mlops_dash.services.reports import ReportService
from mlops_dash.store.db import transaction
from mlops_dash.store.tables.reports import ReportShareRow
from tests import factories
from tests.factories import ADMIN, LEAD, SCIENTIST, VIEWER, Time
from tests.services.reports_shared import MODEL, shared_report

PASSWORD = "four short words here"


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def home(tmp_path: Path, time: Time) -> Iterator[Context]:
    made = factories.context(tmp_path, clock=Clock(wall=time))
    yield made
    made.databases.dispose()


@pytest.fixture
def report(home: Context) -> Report:
    return shared_report(home)


@pytest.fixture
def reports(home: Context) -> ReportService:
    return ReportService(home)


def share(reports: ReportService, report: Report, *, password: str = "", days: int = 2) -> NewShare:
    return reports.share(SCIENTIST, report.line.id, days=days, reason="the board", password=password)


def test_a_link_shows_the_frozen_page_and_is_counted(reports: ReportService, report: Report, time: Time) -> None:
    made = share(reports, report)
    assert made.url == f"http://127.0.0.1:8501/shared/{made.secret}"
    assert len(made.secret) == 43  # 256 bits
    time.passes(hours=1)
    shown = [reports.open_share(NOBODY, made.secret) for _ in range(3)]
    assert shown == [(ShareFace.OPEN, reports.html(VIEWER, report.line.id))] * 3
    (kept,) = reports.shares(VIEWER, report.line.id)
    assert (kept.opens, kept.last_opened_at) == (3, time.at)
    assert (kept.reason, kept.about) == ("the board", f"Model card of {MODEL}, card")


def test_asking_what_a_link_is_counts_nothing(reports: ReportService, report: Report) -> None:
    made = share(reports, report)
    assert reports.share_face(NOBODY, made.secret) is ShareFace.OPEN
    assert reports.share_face(NOBODY, "guessed") is ShareFace.UNKNOWN
    assert reports.shares(VIEWER)[0].opens == 0


def test_the_database_holds_neither_secret_nor_password(reports: ReportService, report: Report, home: Context) -> None:
    made = share(reports, report, password=PASSWORD)
    with transaction(home.databases.app) as session:
        row = session.get_one(ReportShareRow, made.share.id)
        kept = " ".join(map(str, row.model_dump().values()))
    assert made.secret not in kept
    assert PASSWORD not in kept
    assert row.password_hash.startswith("$argon2id$")
    ledger = str(AuditService(home).entries(ADMIN).entries)
    assert made.secret not in ledger
    assert PASSWORD not in ledger


def test_a_link_is_over_when_its_days_are(reports: ReportService, report: Report, time: Time) -> None:
    made = share(reports, report, days=2)
    time.passes(days=2, seconds=-1)
    assert reports.open_share(NOBODY, made.secret)[0] is ShareFace.OPEN
    time.passes(seconds=1)
    assert reports.open_share(NOBODY, made.secret) == (ShareFace.OVER, "")
    assert reports.shares(VIEWER)[0].opens == 1


def test_anybody_who_may_share_revokes_a_link_once(reports: ReportService, report: Report, home: Context) -> None:
    made = share(reports, report)
    gone = reports.revoke_share(LEAD, made.share.id, reason="the board changed")
    assert gone.state(home.clock.wall()) is ShareState.REVOKED
    assert reports.open_share(NOBODY, made.secret) == (ShareFace.OVER, "")
    with pytest.raises(Conflict, match="revoked already"):
        reports.revoke_share(LEAD, made.share.id, reason="again")
    entries = AuditService(home).entries(ADMIN).entries
    assert [one.action for one in entries[:2]] == [Action.SHARE_REVOKED, Action.REPORT_SHARED]
    assert {one.model for one in entries[:2]} == {MODEL}


def test_the_links_of_a_disabled_account_open_nothing_until_it_is_enabled(
    reports: ReportService, report: Report, home: Context
) -> None:
    access = AccessService(home)
    access.create_user(ADMIN, "ada", Role.SCIENTIST, password=PASSWORD)
    secret, actor = access.login(NOBODY, "ada", PASSWORD)
    made = reports.share(actor, report.line.id, days=2, reason="the board")
    access.disable_user(ADMIN, "ada", reason="left")
    assert reports.open_share(NOBODY, made.secret) == (ShareFace.OVER, "")
    assert reports.shares(VIEWER)[0].state(home.clock.wall()) is ShareState.STOPPED
    access.enable_user(ADMIN, "ada", reason="came back")
    assert reports.open_share(NOBODY, made.secret)[0] is ShareFace.OPEN
    assert secret != made.secret


def test_a_password_is_asked_for_each_time(reports: ReportService, report: Report) -> None:
    made = share(reports, report, password=PASSWORD)
    assert reports.open_share(NOBODY, made.secret) == (ShareFace.LOCKED, "")
    assert reports.open_share(NOBODY, made.secret, password=PASSWORD, address="10.0.0.1")[0] is ShareFace.OPEN
    assert reports.open_share(NOBODY, made.secret) == (ShareFace.LOCKED, "")
    assert reports.shares(VIEWER)[0].opens == 1


def test_wrong_passwords_are_slowed_down_and_the_wait_is_said(
    reports: ReportService, report: Report, time: Time
) -> None:
    made = share(reports, report, password=PASSWORD)
    said = []
    for _ in range(7):
        with pytest.raises(NotAuthenticated) as refused:
            reports.open_share(NOBODY, made.secret, password="not this one", address="10.0.0.1")
        said.append(refused.value.message)
    assert said == ["The password does not fit."] * 5 + ["Too many tries failed."] * 2
    with pytest.raises(NotAuthenticated, match="Too many"):  # the right one waits too: else guessing would not be slow
        reports.open_share(NOBODY, made.secret, password=PASSWORD, address="10.0.0.1")
    assert reports.open_share(NOBODY, made.secret, password=PASSWORD, address="10.0.0.2")[0] is ShareFace.OPEN
    time.passes(minutes=2)
    assert reports.open_share(NOBODY, made.secret, password=PASSWORD, address="10.0.0.1")[0] is ShareFace.OPEN


def test_who_may_not_share_is_refused_and_so_is_what_cannot_be(reports: ReportService, report: Report) -> None:
    with pytest.raises(NotAllowed, match="report:share"):
        reports.share(VIEWER, report.line.id, days=2, reason="me")
    with pytest.raises(NotFound, match="No report 'gone'"):
        reports.share(SCIENTIST, "gone", days=2, reason="the board")
    for wrong in ({"days": 0}, {"reason": " "}, {"password": "short"}):
        given: dict[str, object] = {"days": 2, "reason": "the board", "password": "", **wrong}
        with pytest.raises(InvalidInput):
            reports.share(SCIENTIST, report.line.id, **given)  # type: ignore[arg-type]
    with pytest.raises(NotFound, match="No link"):
        reports.revoke_share(SCIENTIST, "gone", reason="why")
    assert reports.shares(VIEWER) == ()


def test_a_report_is_named_by_its_id_or_the_beginning_of_its_hash(reports: ReportService, report: Report) -> None:
    for name in (report.line.id, report.line.sha256[:8], report.line.sha256):
        assert reports.named(VIEWER, name).line == report.line
    for name in (report.line.sha256[:7], "%", "________", ""):
        with pytest.raises(NotFound):
            reports.named(VIEWER, name)


def test_a_link_shows_the_level_it_was_made_for(reports: ReportService, report: Report) -> None:
    made = reports.share(SCIENTIST, report.line.id, days=2, reason="the board", level=Level.EXECUTIVE)
    shown = reports.open_share(NOBODY, made.secret)
    assert shown == (ShareFace.OPEN, reports.html(VIEWER, report.line.id, Level.EXECUTIVE))
    assert reports.shares(VIEWER)[0].level is Level.EXECUTIVE
