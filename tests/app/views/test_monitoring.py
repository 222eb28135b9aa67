"""Monitoring: its faces, the picture it shows, and buttons that act, with what they did in the ledger."""

from __future__ import annotations

import html
import math
from datetime import timedelta
from typing import Any

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from app.charts.monitoring import columns, drift, performance, reliability
from app.parts.monitoring import column
from app.ui.theme import tokens
from mlops_dash.bootstrap import Services
from mlops_dash.domain import format as fmt
from mlops_dash.domain.audit import Action
from mlops_dash.domain.monitoring.words import column_name
from mlops_dash.domain.words import AlertState
from mlops_dash.ids import canonical_json
from mlops_dash.store import prediction_log
from mlops_dash.store.db import transaction
from mlops_dash.store.prediction_log import Prediction, Score, to_us
from mlops_dash.store.tables.jobs import RecipeRow
from tests.app.conftest import OpenPage, words
from tests.factories import ADMIN, NOON, VIEWER
from tests.services.monitoring.monitoring_world import FIRST, MODEL, V1, World, world

DAY = timedelta(days=1)


@pytest.fixture
def made(house: Services) -> World:
    """The small world inside the page's own services; its clock drives theirs."""
    w = world(house.context)
    house.context.clock.offset_source = None
    w.monitoring = house.monitoring
    w.reference()
    return w


@pytest.fixture
def harmed(made: World) -> World:
    made.live(14)
    made.live(12, blind=True)
    with transaction(made.context.databases.app) as session:
        session.add(RecipeRow(name="again", model=MODEL, entry="team.again:train", parameters={}, updated_at=NOON))
    made.evaluate(later=2 * DAY)
    return made


def click(page: AppTest, key: str) -> AppTest:
    return page.button(key=key).click().run()


def actions(house: Services) -> list[Action]:
    return [entry.action for entry in house.audit.entries(ADMIN).entries]


def test_without_a_model_the_page_says_what_will_be_here(open_page: OpenPage) -> None:
    page = open_page("monitoring", "viewer")
    assert "No model is watched yet" in words(page)
    assert not page.exception


def test_a_model_without_traffic_names_the_next_step(made: World, open_page: OpenPage) -> None:
    page = open_page("monitoring", "viewer")
    assert "No complete day of traffic yet" in words(page)
    assert not page.exception


def test_a_model_without_outcomes_shows_volume_and_drift_and_claims_nothing(
    house: Services, open_page: OpenPage
) -> None:
    w = world(house.context)
    house.context.clock.offset_source = None
    w.monitoring = house.monitoring
    rows = w.rows(42).drop(columns="label")
    rows["at"] = pd.Timestamp(FIRST) + rows.pop("offset")
    house.monitoring.record_reference(ADMIN, V1, rows)
    w.live(10, labels=False)
    w.evaluate(later=2 * DAY)
    page = open_page("monitoring", "viewer")
    said = words(page)
    assert not page.exception
    assert "No outcome is known: drift and volume are watched" in said
    assert "Predictions by window" in said
    assert "against its reference" not in said
    draft = house.reports.weekly(ADMIN, MODEL)
    assert "No outcome is known" in house.reports.html(ADMIN, house.reports.freeze(ADMIN, draft).line.id)


@pytest.fixture
def unkept(house: Services) -> World:
    """Twelve labelled days, and nobody kept a reference."""
    w = world(house.context)
    house.context.clock.offset_source = None
    w.monitoring = house.monitoring
    w.live(12)
    w.now += 2 * DAY
    w.evaluate()
    return w


def test_the_first_labelled_days_become_the_reference_by_one_click(
    unkept: World, house: Services, open_page: OpenPage
) -> None:
    page = open_page("monitoring", "scientist")
    assert "mlops-dash reference push --first-days 12 --model flight-delay --version 1" in words(page)
    click(page, "first-days")
    page.number_input(key="first-days-n").set_value(10)
    page.text_area(key=f"first-days-{MODEL}-1-reason").set_value("nobody kept anything")
    click(page, f"first-days-{MODEL}-1-act")
    assert not page.exception
    assert Action.REFERENCE_SET in actions(house)
    reference = unkept.room().reference
    assert reference is not None
    assert (reference.n_days, reference.scored) == (10, "as served")


def test_a_viewer_sees_the_button_and_may_not(unkept: World, open_page: OpenPage) -> None:
    assert open_page("monitoring", "viewer").button(key="first-days").disabled


def test_the_verdict_comes_first_with_its_numbers_and_the_next_action(harmed: World, open_page: OpenPage) -> None:
    page = open_page("monitoring", "scientist")
    room = harmed.room()
    assert not page.exception
    assert f"<p class='verdict'>{html.escape(room.headline, quote=False)}</p>" in words(page)
    assert "Harmed" in str([element.proto for element in page.get("markdown")]) + words(page)
    assert page.button(key="next").label == "Start retrain…"
    assert not page.button(key="next").disabled
    assert len(page.get("plotly_chart")) == 5


def test_the_verdict_names_the_likely_cause_that_its_alert_names(harmed: World, open_page: OpenPage) -> None:
    room = harmed.room()
    assert room.cause == next(one.cause for one in room.alerts if one.kind == "harm") != ""
    assert words(open_page("monitoring", "viewer")).count(html.escape(room.cause)) == 2  # in the verdict and its alert


def test_a_moved_column_stands_with_its_part_and_opens_its_column(made: World, open_page: OpenPage) -> None:
    made.live(14)
    made.live(8, moved=3.0)
    made.evaluate(later=2 * DAY)
    page = open_page("monitoring", "scientist", feature="x")
    assert not page.exception
    assert "What moved, by importance" in words(page)
    assert "Moved; nothing got worse for sure: excess PSI " in words(page)
    assert "Ranked by drift alone: the importance of columns is not known (nobody has measured it yet)." in words(page)
    assert not page.button(key="causes-ask").disabled
    assert click(page, "cause-open-0").session_state["feature-pick"] == "wind"


def test_a_chart_that_cannot_fill_its_span_says_when_judging_began(harmed: World, open_page: OpenPage) -> None:
    room = harmed.room()
    first = fmt.day(room.performance.points[0].start, room.zone)
    assert f"The first judged day is {first}." in words(open_page("monitoring", "viewer", win="1y"))


def test_a_viewer_reads_everything_and_may_press_nothing(harmed: World, open_page: OpenPage) -> None:
    page = open_page("monitoring", "viewer")
    (alert, *_) = harmed.room().alerts
    assert page.button(key="next").disabled
    assert page.button(key=f"ack-{alert.id}").disabled
    assert "Needs the role scientist" in page.button(key=f"ack-{alert.id}").help


def test_the_url_chooses_window_metric_and_column(harmed: World, open_page: OpenPage) -> None:
    page = open_page("monitoring", "viewer", win="30d", metric="brier", feature="place")
    assert "Brier score against its reference" in words(page)
    assert "Distribution of place" in words(page)
    assert page.selectbox(key="metric-pick").value == "brier"
    other = open_page("monitoring", "viewer", win="forever", metric="vibes", feature="nothing")
    assert not other.exception
    assert "ROC AUC within the day against its reference" in words(other)


@pytest.mark.parametrize("name", ["nobody", "it's <b>late</b>"])
def test_an_unknown_model_in_the_url_is_said_and_no_other_is_shown(
    harmed: World, open_page: OpenPage, name: str
) -> None:
    page = open_page("monitoring", "viewer", model=name)
    assert f"No model {html.escape(name)}." in words(page)
    assert "against its reference" not in words(page)
    assert page.button(key="face-clear")
    assert not page.error


def test_what_is_set_aside_is_on_the_page_with_count_reason_and_sample(made: World, open_page: OpenPage) -> None:
    made.live(8)
    at = to_us(made.now - 3 * DAY)
    with transaction(made.context.databases.log) as session:
        rows = [
            Prediction(MODEL, f"odd {i}", at + i, "b", i, "", canonical_json({"x": "<b>n/a</b>"})) for i in range(2)
        ]
        scores = [Score(MODEL, row.prediction_id, V1, "champion", "1", row.at_us, 0.5, row.at_us) for row in rows]
        prediction_log.append(session, rows, scores, marked_us=at)
    made.evaluate()
    page = open_page("monitoring", "viewer", model=MODEL)
    said = words(page)
    assert not page.exception
    assert "Set aside: 2 rows" in said
    assert "v1 · x: is no number, as the column holds" in html.unescape(said)
    assert "<b>n/a</b>" not in said
    assert "'<b>n/a</b>' (odd 1)" in html.unescape(html.unescape(said))
    assert "mlops-dash quarantine --model flight-delay" in said


def test_acknowledging_needs_a_reason_and_then_acts(harmed: World, house: Services, open_page: OpenPage) -> None:
    (alert, *_) = harmed.room().alerts
    page = click(open_page("monitoring", "scientist"), f"ack-{alert.id}")
    click(page, f"ack-{alert.id}-act")
    assert actions(house) == []
    page = click(open_page("monitoring", "scientist"), f"ack-{alert.id}")
    page.text_area(key=f"ack-{alert.id}-reason").set_value("looking into November")
    click(page, f"ack-{alert.id}-act")
    assert actions(house) == [Action.ALERT_ACKNOWLEDGED]
    assert harmed.room().alerts[0].state is AlertState.ACKNOWLEDGED


@pytest.mark.parametrize(
    ("verb", "role", "action"),
    [
        ("snooze", "scientist", Action.ALERT_SNOOZED),
        ("close", "scientist", Action.ALERT_CLOSED),
        ("restart", "lead", Action.ALARM_RESTARTED),
    ],
)
def test_every_answer_acts_and_is_in_the_ledger(
    harmed: World, house: Services, open_page: OpenPage, verb: str, role: str, action: Action
) -> None:
    (alert, *_) = harmed.room().alerts
    page = click(open_page("monitoring", role), f"{verb}-{alert.id}")
    key = f"restart-{MODEL}" if verb == "restart" else f"{verb}-{alert.id}"
    page.text_area(key=f"{key}-reason").set_value("a good reason")
    page = click(page, f"{key}-act")
    assert not page.exception
    assert actions(house) == [action]


def test_start_retrain_asks_for_a_run_that_answers_the_alert(
    harmed: World, house: Services, open_page: OpenPage
) -> None:
    with transaction(house.context.databases.app) as session:  # by name the first, and no answer to anything
        first = {"train_start": "2012-01-01T00:00:00+00:00", "holdout_days": 0}
        session.add(RecipeRow(name="a-first", model=MODEL, entry="a:b", parameters=first, updated_at=NOON))
    page = click(open_page("monitoring", "scientist"), "next")
    offered = page.selectbox(key="retrain-recipe")
    assert offered.value == "again"
    assert [one.partition(": trains on ")[0] for one in offered.options] == ["again", "a-first"]
    assert offered.options[0].endswith("; has not run yet")
    assert ", leaves no later rows to compare on; has not run yet" in offered.options[1]
    page.text_area(key=f"retrain-{MODEL}-reason").set_value("newer months are known now")
    page = click(page, f"retrain-{MODEL}-act")
    assert not page.exception
    assert actions(house) == [Action.JOB_REQUESTED]
    assert harmed.room().action.kind == "follow"  # a retrain waits: a second one is not the next best action
    assert open_page("monitoring", "scientist").button(key="next").label == "Follow the retrain"


def test_an_alert_is_answered_by_a_run_from_its_own_card_which_then_tells_of_it(
    harmed: World, house: Services, open_page: OpenPage
) -> None:
    (alert, *_) = harmed.room().alerts
    assert "What was done" not in words(open_page("monitoring", "scientist"))
    assert open_page("monitoring", "viewer").button(key=f"act-retrain-{alert.id}").disabled
    page = click(open_page("monitoring", "scientist"), f"act-retrain-{alert.id}")
    page.text_area(key=f"retrain-{MODEL}-reason").set_value("newer months are known now")
    page = click(page, f"retrain-{MODEL}-act")
    assert not page.exception
    (job,) = house.jobs.recent(VIEWER)
    assert job.alert_id == alert.id
    assert "started a run of again" in words(open_page("monitoring", "viewer"))


def test_a_model_without_a_recipe_is_told_where_to_make_one(
    harmed: World, house: Services, open_page: OpenPage
) -> None:
    with transaction(house.context.databases.app) as session:
        session.delete(session.get(RecipeRow, "again"))
    (alert, *_) = harmed.room().alerts
    button = open_page("monitoring", "scientist").button(key=f"act-retrain-{alert.id}")
    assert button.disabled
    assert "No recipe makes a version of it" in button.help


def test_an_old_picture_says_so_on_the_page(harmed: World, open_page: OpenPage) -> None:
    harmed.now += 9 * DAY
    assert "No predictions since" in words(open_page("monitoring", "viewer"))


# --- the charts: numbers, sentences, drawings -------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["light", "dark"])
@pytest.mark.parametrize("window", ["30d", "1y"])
def test_every_chart_draws_says_its_finding_and_has_its_numbers_as_a_table(
    harmed: World, mode: str, window: str
) -> None:
    room, t = harmed.room(window), tokens(mode)
    assert room.performance is not None
    assert room.drift is not None
    assert room.detail is not None
    figures: list[Any] = [
        performance.performance_figure(room.performance, room.zone, t),
        drift.drift_figure(room.drift, room.zone, t),
        columns.ranked_figure(room.features, t),
        columns.detail_figure(room.detail, t),
    ]
    assert all(len(fig.data) >= 1 for fig in figures)
    for said in (performance.performance_alt(room.performance), drift.drift_alt(room.drift),
                 columns.ranked_alt(room.features), columns.detail_alt(room.detail)):  # fmt: skip
        assert said.endswith(".")
        assert "nan" not in said
    table = performance.performance_table(room.performance, room.zone)
    assert len(table) == len(room.performance.points)
    assert list(table["State"])[-1] == "ripe"
    assert len(drift.drift_table(room.drift, room.zone)) == len(room.drift.columns)
    assert len(columns.ranked_table(room)) == len(room.features)
    assert len(columns.detail_table(room.detail)) == len(room.detail.labels)


def test_awaiting_labels_begins_where_the_line_ends(made: World) -> None:
    made.live(13)
    made.live(1, labels=False)
    made.evaluate()
    data = made.room().performance
    last = [point for point in data.points if point.trailing is not None][-1]
    assert data.awaiting_from == last.end
    fig = performance.performance_figure(data, "UTC", tokens("light"))
    shaded = [shape for shape in fig.layout.shapes if shape.x0 == data.awaiting_from.replace(tzinfo=None)]
    assert len(shaded) == 2
    assert "awaiting labels" in [note.text for note in fig.layout.annotations]


def test_blue_is_for_moved_columns_and_the_clipped_scale_prints_the_largest_value(made: World) -> None:
    made.live(14)
    made.live(16, moved=4.0)
    made.evaluate(later=2 * DAY)
    room, t = made.room(), tokens("light")
    grey, blue, _points = drift.drift_figure(room.drift, room.zone, t).data
    assert blue.showscale
    assert not grey.showscale
    peak = max(v for row in room.drift.excess for v in row if v is not None)
    assert peak > drift.CAP
    assert blue.colorbar.title.text == f"excess PSI, largest {peak:.1f}"
    row = room.drift.columns.index("wind")
    assert math.isnan(blue.z[row][6])
    assert blue.z[row][-3] == pytest.approx(room.drift.excess[row][-3])
    assert blue.z[row][-3] > drift.CAP == blue.zmax
    bars = columns.ranked_figure(room.features, t).data[0]
    assert set(bars.marker.color) <= {t.moved, t.context}  # never amber or red: drift alone is not harm


def test_a_link_to_an_earlier_window_shows_the_column_then_and_says_so(harmed: World, open_page: OpenPage) -> None:
    data = harmed.monitoring.room(VIEWER, MODEL).drift
    assert data is not None
    end = drift.cells(data)[0][1]
    start, at = data.starts[data.ends.index(end)], column.written(end)
    page = open_page("monitoring", "viewer", at=at, feature="wind")
    assert page.selectbox(key="at-pick").value == at
    assert page.selectbox(key="feature-pick").value == "wind"
    assert fmt.period(start, end, "UTC") in words(page)
    page.selectbox(key="at-pick").set_value("").run()
    assert "at" not in page.query_params
    assert not page.exception


@pytest.mark.parametrize("at", ["never", "2013-12-15", "2999-01-01T00:00", "%Y"])
def test_a_window_nobody_has_is_the_latest(harmed: World, open_page: OpenPage, at: str) -> None:
    page = open_page("monitoring", "viewer", at=at)
    assert page.selectbox(key="at-pick").value == ""
    assert not page.exception


def test_every_cell_has_a_point_that_can_be_clicked_in_the_same_order(harmed: World) -> None:
    data = harmed.monitoring.room(VIEWER, MODEL).drift
    assert data is not None
    cells = drift.cells(data)
    figure = drift.drift_figure(data, "UTC", tokens("light"), chosen=cells[3])
    points = figure.data[-1]
    assert len(cells) == len(points.x) == len(points.y) == len(points.customdata) > 0
    for (name, end), day, label, excess in zip(cells, points.x, points.y, points.customdata, strict=True):
        assert (label, day) == (column_name(name), f"{end - timedelta(days=1):%Y-%m-%d}")
        value = data.excess[data.columns.index(name)][data.ends.index(end)]
        assert excess == pytest.approx(value, abs=1e-6)
    assert len(figure.layout.shapes) == 1


def test_scores_that_come_true_are_said_to_and_the_table_has_every_band(harmed: World, open_page: OpenPage) -> None:
    page = open_page("monitoring", "viewer")
    room = harmed.monitoring.room(VIEWER, MODEL)
    data, then = room.reliability, room.reliability_then
    assert data is not None
    assert then is not None
    assert reliability.sentence(data) in html.unescape(words(page))
    shown = reliability.table(data, then)
    assert len(shown) == len(data.bands) == 10
    assert sum(one.share.n for one in data.bands) > 0
    figure = reliability.figure(data, then, tokens("dark"))
    assert len(figure.layout.shapes) == 10
    assert not page.exception
