"""Sign-offs by named accounts and comments: in the ledger and the files, never in the facts."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import openpyxl
import pytest
from pptx import Presentation

from mlops_dash.domain.access import NOBODY
from mlops_dash.domain.audit import Action
from mlops_dash.domain.audit_words import sentence
from mlops_dash.domain.reports.files import ReportFormat
from mlops_dash.domain.reports.levels import Level
from mlops_dash.domain.reports.remarks import MOST_SIGNS, RemarkKind, standing
from mlops_dash.domain.reports.snapshot import Report, sha256_of
from mlops_dash.errors import Conflict, InvalidInput, NotAllowed, NotFound
from mlops_dash.services.audit import AuditService
from mlops_dash.services.command import Context
from mlops_dash.services.reports import ReportService
from tests.factories import ADMIN, LEAD, SCIENTIST, VIEWER, WORKER
from tests.services.reports_shared import MODEL, shared_report

ODD = "I stand behind <b>every</b> number & 队列 <!--/remarks-->"


@pytest.fixture
def report(context: Context) -> Report:
    return shared_report(context)


@pytest.fixture
def reports(context: Context, report: Report) -> ReportService:
    return ReportService(context)


def test_a_person_signs_once_and_the_ledger_keeps_what_was_signed(
    reports: ReportService, report: Report, context: Context
) -> None:
    reports.sign_report(LEAD, report.line.id, ODD)
    entry = AuditService(context).entries(VIEWER).entries[0]
    assert (entry.action, entry.reason, entry.after["sha256"]) == (Action.REPORT_SIGNED, ODD, report.line.sha256)
    assert sentence(entry) == f"lead signed the model card of {MODEL}, card"
    with pytest.raises(Conflict, match="signed this report already"):
        reports.sign_report(LEAD, report.line.id, "again")
    reports.sign_report(SCIENTIST, report.line.id, "me too")
    assert [one.name for one in reports.remarks(VIEWER, report.line.id)] == [LEAD.name, SCIENTIST.name]
    assert sha256_of(reports.report(VIEWER, report.line.id).facts) == report.line.sha256


def test_a_sign_off_is_withdrawn_with_a_reason_both_stay_and_its_account_may_sign_anew(
    reports: ReportService, report: Report, context: Context
) -> None:
    reports.sign_report(LEAD, report.line.id, "for the board")
    reports.sign_report(SCIENTIST, report.line.id, "me too")
    with pytest.raises(InvalidInput):
        reports.withdraw_sign_off(LEAD, report.line.id, " ")
    with pytest.raises(Conflict, match="no sign-off of yours"):
        reports.withdraw_sign_off(ADMIN, report.line.id, "not mine")
    reports.withdraw_sign_off(LEAD, report.line.id, "the labels of May were <b>wrong")
    entry = AuditService(context).entries(VIEWER).entries[0]
    assert (entry.action, entry.after["sha256"]) == (Action.SIGN_OFF_WITHDRAWN, report.line.sha256)
    assert sentence(entry) == f"lead withdrew their sign-off of the model card of {MODEL}, card"
    said = reports.remarks(VIEWER, report.line.id)
    assert [(one.kind, one.name) for one in said] == [
        (RemarkKind.SIGN_OFF, "lead"), (RemarkKind.SIGN_OFF, "scientist"), (RemarkKind.WITHDRAWN, "lead"),
    ]  # fmt: skip
    assert [one.name for one in standing(said)] == ["scientist"]
    with pytest.raises(Conflict, match="no sign-off of yours"):
        reports.withdraw_sign_off(LEAD, report.line.id, "again")
    link = reports.share(SCIENTIST, report.line.id, days=2, reason="the board")
    _, page = reports.open_share(NOBODY, link.secret)  # who reads it outside reads both
    assert "for the board" in page
    assert "Sign-off withdrawn by lead" in page
    reports.sign_report(LEAD, report.line.id, "they are right now")
    assert {one.name for one in standing(reports.remarks(VIEWER, report.line.id))} == {"lead", "scientist"}


def test_only_people_who_may_sign_and_nothing_empty_is_kept(reports: ReportService, report: Report) -> None:
    with pytest.raises(NotAllowed):
        reports.sign_report(VIEWER, report.line.id, "me")
    with pytest.raises(NotAllowed, match="Only a person"):
        reports.sign_report(WORKER, report.line.id, "a machine")
    with pytest.raises(NotAllowed, match="Only a person"):
        reports.sign_report(replace(LEAD, id="service:ci"), report.line.id, "a service")
    for text in ("", "  \n", "a" * (MOST_SIGNS + 1)):
        with pytest.raises(InvalidInput):
            reports.comment_report(LEAD, report.line.id, text)
    with pytest.raises(NotFound):
        reports.comment_report(LEAD, "nothing", "hello")
    assert reports.remarks(VIEWER) == ()


def test_files_say_what_was_said_and_nothing_in_it_is_markup(reports: ReportService, report: Report) -> None:
    bare = {level: reports.html(VIEWER, report.line.id, level) for level in Level}
    reports.sign_report(LEAD, report.line.id, ODD)
    reports.comment_report(SCIENTIST, report.line.id, "the limits are thin")
    for level in Level:
        page = reports.html(VIEWER, report.line.id, level)
        assert "I stand behind &lt;b&gt;every&lt;/b&gt; number &amp; 队列" in page
        assert page.count("<!--/remarks-->") == 1
        assert "the limits are thin" in page
        assert bare[level] != page
    said = reports.file(VIEWER, report.line.id, ReportFormat.MARKDOWN).content.decode()
    assert "## Sign-offs and comments" in said
    assert "Signed off by lead" in said
    read = json.loads(reports.file(VIEWER, report.line.id, ReportFormat.JSON).content)
    assert [(one["kind"], one["name"]) for one in read["remarks"]] == [("sign_off", "lead"), ("comment", "scientist")]
    assert reports.file(VIEWER, report.line.id, ReportFormat.PDF).content.startswith(b"%PDF-")
    book = openpyxl.load_workbook(io.BytesIO(reports.file(VIEWER, report.line.id, ReportFormat.XLSX).content))
    last = book.worksheets[-1]
    assert last.title == "Sign-offs and comments"
    assert [[cell.value for cell in row][::3] for row in last.rows] == [
        ["What", "In words"], ["Signed off", ODD], ["Comment", "the limits are thin"],
    ]  # fmt: skip
    for level in Level:
        deck = Presentation(io.BytesIO(reports.file(VIEWER, report.line.id, ReportFormat.PPTX, level).content))
        told = [shape.text_frame.text for shape in deck.slides[len(deck.slides) - 1].shapes if shape.has_text_frame]
        assert told[0] == "Sign-offs and comments"
        assert any(f"UTC: {ODD}" in one and "the limits are thin" in one for one in told)


def test_what_leaves_the_house_holds_the_sign_offs_alone(reports: ReportService, report: Report) -> None:
    reports.sign_report(LEAD, report.line.id, "for the board")
    reports.comment_report(SCIENTIST, report.line.id, "between us")
    link = reports.share(SCIENTIST, report.line.id, days=2, reason="the board")
    _, page = reports.open_share(NOBODY, link.secret)
    assert "for the board" in page
    assert "between us" not in page
    (sent,) = reports.send_report(
        SCIENTIST, report.line.id, to=["folder:board"], formats=["html", "json"], reason="now"
    )
    reports.deliver_now(SCIENTIST, [sent.id])
    files = list((reports.context.settings.home / "reports" / "board").rglob("*.*"))
    texts = [one.read_text() for one in files if one.suffix in {".html", ".json"}]
    assert texts
    assert all("for the board" in one and "between us" not in one for one in texts)


def test_the_kinds_are_told_apart(reports: ReportService, report: Report) -> None:
    made = reports.comment_report(SCIENTIST, report.line.id, "  fine \n")
    assert (made.kind, made.text, made.by) == (RemarkKind.COMMENT, "fine", SCIENTIST.id)
