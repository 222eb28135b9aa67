"""Reports: its faces, the list, the preview beside the present, and the one button that makes a review."""

from __future__ import annotations

from datetime import timedelta

import pytest
from streamlit.testing.v1 import AppTest

from app.shell.files import report_path
from mlops_dash.bootstrap import Services
from mlops_dash.domain.access import NOBODY
from mlops_dash.domain.audit import Action
from mlops_dash.domain.jobs import Task
from mlops_dash.domain.reports.levels import Level
from mlops_dash.domain.reports.plans import Plan
from mlops_dash.domain.reports.shares import ShareFace
from mlops_dash.domain.reports.snapshot import Report, ReportKind
from tests.app.conftest import OpenPage, words
from tests.factories import LEAD, SCIENTIST, VIEWER, WORKER
from tests.services.monitoring.monitoring_world import MODEL, World, world

DAY = timedelta(days=1)


@pytest.fixture
def made(house: Services) -> World:
    """A served model with three weeks of judged days inside the page's own services."""
    w = world(house.context)
    house.context.clock.offset_source = None
    w.monitoring = house.monitoring
    w.reference()
    w.live(21)
    w.evaluate(later=2 * DAY)
    return w


@pytest.fixture
def kept(made: World, house: Services) -> Report:
    return house.reports.freeze(SCIENTIST, house.reports.weekly(SCIENTIST, MODEL))


def frames(page: AppTest) -> list[str]:
    return [str(one.proto.src) for one in page.get("iframe")]


def test_without_a_report_the_page_says_what_will_be_here_and_offers_the_one_button(
    made: World, open_page: OpenPage
) -> None:
    page = open_page("reports", "scientist")
    assert "No report yet" in words(page)
    assert not page.button(key="make").disabled
    assert not page.exception


def test_without_a_model_there_is_nothing_to_review(open_page: OpenPage) -> None:
    page = open_page("reports", "scientist")
    assert page.button(key="make").disabled
    assert page.button(key="make").help == "No model is watched yet."


def test_a_viewer_sees_the_button_and_why_it_is_not_theirs(kept: Report, open_page: OpenPage) -> None:
    page = open_page("reports", "viewer")
    assert page.button(key="make").disabled
    assert page.button(key="make").help == "Needs the role scientist; you are viewer."
    assert frames(page) != []


def test_the_newest_report_is_shown_by_its_address(kept: Report, open_page: OpenPage) -> None:
    page = open_page("reports", "viewer")
    assert frames(page) == [report_path(kept.line.id)]
    assert "Nothing has changed since" in words(page)
    assert "1 report kept" in words(page)
    assert list(page.dataframe[0].value["Facts sha256"]) == [kept.line.sha256[:16]]
    assert [one.proto.label for one in page.get("download_button")] == [
        "HTML",
        "PDF",
        "XLSX",
        "PPTX",
        "Markdown",
        "JSON",
    ]


def test_a_link_opens_its_report(kept: Report, house: Services, open_page: OpenPage) -> None:
    last = kept.line.week.last_day - timedelta(days=7)
    other = house.reports.freeze(SCIENTIST, house.reports.weekly(SCIENTIST, MODEL, until=last))
    assert frames(open_page("reports", "viewer", report=other.line.id)) == [report_path(other.line.id)]
    page = open_page("reports", "viewer", report=kept.line.id)
    assert frames(page) == [report_path(kept.line.id)]
    assert len(page.dataframe[0].value) == 2
    assert words(page).count("href='/reports?report=") == 2  # the list of narrow screens
    assert page.selectbox(key=f"show-{kept.line.id}").value == kept.line.id


def test_the_level_is_in_the_address_and_in_the_names_of_files(kept: Report, open_page: OpenPage) -> None:
    page = open_page("reports", "viewer", report=kept.line.id, level="audit")
    assert frames(page) == [report_path(kept.line.id, Level.AUDIT)]
    assert "every digest and the ledger" in words(page)
    odd = open_page("reports", "viewer", report=kept.line.id, level="<b>boss</b>")
    assert frames(odd) == [report_path(kept.line.id)]


def test_an_unknown_link_says_so_and_shows_the_newest(kept: Report, open_page: OpenPage) -> None:
    page = open_page("reports", "viewer", report="<b>gone</b>")
    assert "No report &lt;b&gt;gone&lt;/b&gt; is kept here" in words(page)
    assert frames(page) == [report_path(kept.line.id)]


def test_a_change_since_is_one_line_and_the_frozen_file_stays(
    kept: Report, made: World, house: Services, open_page: OpenPage
) -> None:
    before = house.reports.html(VIEWER, kept.line.id)
    for minutes in range(0, 12 * 120, 12):
        made.relabel(kept.line.week.start + timedelta(minutes=minutes), float(minutes % 24 == 0))
    made.evaluate(later=timedelta(hours=1))
    page = open_page("reports", "viewer")
    assert "Numbers have changed since: " in words(page)
    assert "ROC AUC within the day" in words(page)
    assert house.reports.html(VIEWER, kept.line.id) == before


def test_make_the_review_freezes_it_and_opens_it(made: World, house: Services, open_page: OpenPage) -> None:
    page = open_page("reports", "scientist")
    page = page.button(key="make").click().run()
    page = page.button(key="review-act").click().run()
    (line,) = house.reports.room(VIEWER).lines
    assert not page.exception
    assert line.week.last_day == house.reports.choices(VIEWER)[0].last_day
    assert page.query_params["report"] in (line.id, [line.id])
    assert [one.action for one in house.audit.entries(VIEWER).entries] == [Action.REPORT_MADE]


def test_a_refused_review_is_said_in_the_dialog(made: World, house: Services, open_page: OpenPage) -> None:
    page = open_page("reports", "scientist")
    page = page.button(key="make").click().run()
    page.date_input(key="review-until").set_value((made.now + DAY).date())
    page = page.button(key="review-act").click().run()
    assert "is not over in UTC" in page.session_state["review-error"]
    assert house.reports.room(VIEWER).lines == ()


def test_a_fleet_summary_and_a_dossier_are_made_in_the_same_dialog(
    made: World, house: Services, open_page: OpenPage
) -> None:
    for kind in (ReportKind.FLEET, ReportKind.PROMOTION):
        page = open_page("reports", "scientist")
        page.session_state["review-kind"] = kind  # a choice in the dialog draws it again
        page = page.button(key="make").click().run()
        page = page.button(key="review-act").click().run()
        assert not page.exception
    fleet, dossier = sorted(house.reports.room(VIEWER).lines, key=lambda one: one.kind)
    assert (fleet.kind, fleet.model) == (ReportKind.FLEET, "")
    assert (dossier.kind, dossier.model, dossier.subject) == (
        ReportKind.PROMOTION,
        MODEL,
        "v2",
    )  # the newest is offered first
    page = open_page("reports", "viewer", report=fleet.id)
    assert frames(page) == [report_path(fleet.id)]
    assert sorted(page.dataframe[0].value["Report"]) == ["Fleet summary", "Promotion dossier"]


def test_a_report_is_scheduled_edited_paused_and_deleted_and_its_deliveries_are_shown(
    kept: Report, house: Services, open_page: OpenPage
) -> None:
    page = open_page("reports", "scientist", tab="Sent")
    assert "No report is sent by a schedule yet" in words(page)
    page.session_state["report-plan-new-kind"] = ReportKind.CARD
    page = page.button(key="schedule-report").click().run()
    page.text_input(key="report-plan-new-name").set_value("board's <b>card</b>")
    page.text_area(key="report-plan-new-to").set_value("ada")
    page = page.button(key="report-plan-new-dialog-act").click().run()
    assert "'ada' is no recipient" in page.session_state["report-plan-new-dialog-error"]
    page = page.button(key="schedule-report").click().run()
    page.text_input(key="report-plan-new-name").set_value("board's <b>card</b>")
    page.text_area(key="report-plan-new-to").set_value("ada@example.com, folder:board")
    page = page.button(key="report-plan-new-dialog-act").click().run()
    assert not page.exception
    (made,) = house.retraining.schedules(VIEWER)
    assert (made.task, made.expression, made.name) == (Task.REPORT, "0 7 * * 1", "board's <b>card</b>")
    assert Plan.of(made.arguments).to == ("ada@example.com", "folder:board")

    house.reports.prepare(WORKER, "job", "schedule board", made.arguments)
    assert house.reports.deliver(WORKER) == 2
    page = open_page("reports", "scientist", tab="Sent")
    shown = {frame.value.columns[0]: frame.value for frame in page.dataframe}
    assert list(shown["Name"]["To"]) == ["ada@example.com, folder:board"]
    assert list(shown["Name"]["Owner"]) == ["scientist"]
    assert shown["Name"]["Last"][0].startswith("Sent, ")
    assert sorted(shown["When"]["State"]) == ["Sent", "Sent"]

    page = page.button(key="pause-report").click().run()
    page.text_area(key=f"pause-report-{made.id}-reason").set_value("the board rests")
    page = page.button(key=f"pause-report-{made.id}-act").click().run()
    assert not house.retraining.schedules(VIEWER)[0].enabled
    page = open_page("reports", "scientist", tab="Sent")
    page = page.button(key="edit-report").click().run()
    page.text_area(key=f"report-plan-{made.id}-to").set_value("folder:board")
    page = page.button(key=f"report-plan-{made.id}-dialog-act").click().run()
    assert not page.exception
    (now,) = house.retraining.schedules(VIEWER)
    assert (Plan.of(now.arguments).to, Plan.of(now.arguments).id) == (("folder:board",), Plan.of(made.arguments).id)
    page = open_page("reports", "viewer", tab="Sent")
    assert page.button(key="remove-report").disabled
    page = open_page("reports", "lead", tab="Sent")
    page = page.button(key="remove-report").click().run()
    page.text_area(key=f"remove-report-{made.id}-reason").set_value("over")
    page = page.button(key=f"remove-report-{made.id}-act").click().run()
    assert house.retraining.schedules(VIEWER) == ()


def test_two_reports_of_one_model_are_compared(made: World, house: Services, kept: Report, open_page: OpenPage) -> None:
    last = kept.line.week.last_day - timedelta(days=7)
    other = house.reports.freeze(SCIENTIST, house.reports.weekly(SCIENTIST, MODEL, until=last))
    page = open_page("reports", "viewer", report=kept.line.id)
    menu = page.selectbox(key=f"compare-{kept.line.id}")
    assert menu.value is None
    page = menu.select(menu.options[0]).run()
    found = house.reports.compared(VIEWER, kept.line.id, other.line.id)
    assert found.changes != ()
    assert all(one in words(page) for one in (found.first.about, found.second.about))
    assert not page.exception


def test_a_report_is_shared_shown_once_counted_and_revoked(kept: Report, house: Services, open_page: OpenPage) -> None:
    key = f"share-{kept.line.id}"
    page = open_page("reports", "scientist")
    assert "Links to this report" not in words(page)
    page = page.button(key=key).click().run()
    page.text_area(key=f"{key}-dialog-reason").set_value("the board's <b>readers</b>")
    page = page.button(key=f"{key}-dialog-act").click().run()
    assert not page.exception
    (share,) = house.reports.shares(VIEWER, kept.line.id)
    assert share.reason == "the board's <b>readers</b>"
    url = page.code[0].value
    assert url.startswith("http://127.0.0.1:8501/shared/")
    assert house.reports.open_share(NOBODY, url.rpartition("/")[2])[0] is ShareFace.OPEN

    page = open_page("reports", "scientist")
    assert "1 of 1 link open" in words(page)
    assert list(page.dataframe[1].value["Opened"]) == [1]
    assert page.dataframe[0].value["Opened by link"][0].startswith("1 time, last ")
    assert url not in words(page)
    page = page.button(key="revoke-link").click().run()
    page.text_area(key=f"revoke-link-{share.id}-reason").set_value("sent to the wrong people")
    page = page.button(key=f"revoke-link-{share.id}-act").click().run()
    assert not page.exception
    assert house.reports.open_share(NOBODY, url.rpartition("/")[2])[0] is ShareFace.OVER
    page = open_page("reports", "viewer")
    assert "0 of 1 link open" in words(page)
    assert page.button(key="revoke-link").disabled
    assert page.button(key=key).help == "Needs the role scientist; you are viewer."


def remarks_of(page: AppTest) -> list[str]:
    """The lists on the page, as HTML."""
    return [one.proto.body for one in page.get("html") if "class='rows'" in one.proto.body]


def test_who_signed_stands_in_the_list_and_below_the_report(kept: Report, house: Services, open_page: OpenPage) -> None:
    page = open_page("reports", "viewer")
    assert "Nobody has signed it off yet" in words(page)
    assert page.button(key=f"sign-{kept.line.id}").disabled
    house.reports.sign_report(LEAD, kept.line.id, "I stand behind <b>it")
    house.reports.comment_report(SCIENTIST, kept.line.id, "thin")
    page = open_page("reports", "scientist")
    assert list(page.dataframe[0].value["Signed off by"]) == ["lead"]
    assert "Signed off by lead" in words(page)
    [said] = [one for one in remarks_of(page) if "I stand behind" in one]
    assert "<b>Signed off by lead</b>" in said
    assert "<p>I stand behind &lt;b&gt;it</p>" in said
    assert "<p>thin</p>" in said
    assert not page.button(key=f"sign-{kept.line.id}").disabled
    page = open_page("reports", "lead")
    page = page.button(key=f"unsign-{kept.line.id}").click().run()
    key = f"remark-unsign-{kept.line.id}"
    page.text_area(key=f"{key}-reason").set_value("the labels of May were wrong")
    page = page.button(key=f"{key}-act").click().run()
    page = open_page("reports", "viewer")
    assert list(page.dataframe[0].value["Signed off by"]) == ["—"]
    [said] = [one for one in remarks_of(page) if "I stand behind" in one]
    places = [said.index(one) for one in ("Signed off by lead", "Comment by scientist", "Sign-off withdrawn by lead")]
    assert places == sorted(places)
