"""The Monitoring page of a regression: every number of its chart carries the unit of the label."""

from __future__ import annotations

from datetime import timedelta

import pytest

from app.charts.monitoring import performance
from app.ui.theme import tokens
from mlops_dash.bootstrap import Services
from mlops_dash.domain.tasks.binary import RANKING
from mlops_dash.domain.tasks.regression import ABSOLUTE_ERROR
from mlops_dash.domain.words import JobState
from mlops_dash.store.db import transaction
from mlops_dash.store.tables.registry import ModelRow, PolicyVersionRow
from tests.app.conftest import OpenPage, words
from tests.factories import WORKER
from tests.services.monitoring.monitoring_world import MODEL, world
from tests.services.monitoring.test_regression import POLICY, V2, Minutes


@pytest.fixture
def harmed(house: Services) -> Minutes:
    """Nine good days, then two weeks with 12 minutes too much."""
    base = world(house.context)
    made = Minutes(base.context, house.monitoring)
    house.context.clock.offset_source = None
    house.context.clock.wall = lambda: made.now
    with transaction(house.context.databases.app) as session:
        session.get_one(ModelRow, MODEL).task = "regression"
        row = session.get_one(PolicyVersionRow, "policy")
        row.body, row.digest = POLICY.as_json(), POLICY.digest
    made.reference()
    made.live(9)
    made.worse = 12.0
    made.live(14)
    made.evaluate(timedelta(days=1))
    return made


def test_the_page_says_minutes_and_never_a_rate_of_labels(harmed: Minutes, open_page: OpenPage) -> None:
    page = open_page("monitoring", "lead")
    said = words(page)
    assert "Distance from the truth: MAE (min) against its reference" in said
    assert "min worse than its reference" in said
    assert "min too high on average" in said
    assert "Label rate" not in said
    assert next(one for one in page.selectbox if one.key == "metric-pick").options == [
        "Distance from the truth: MAE", "Distance from the truth, large misses most: RMSE, days pooled",
        "Leans too high or too low: Bias, prediction − label", "The usual truth: Mean label",
    ]  # fmt: skip


def test_a_metric_of_a_classifier_in_the_address_shows_the_mae(harmed: Minutes, open_page: OpenPage) -> None:
    assert "MAE (min) against its reference" in words(open_page("monitoring", "lead", metric="auc"))


def test_chart_table_and_sentence_carry_the_unit(harmed: Minutes) -> None:
    data = harmed.room().performance
    assert data is not None
    table = performance.performance_table(data, "UTC")
    ripe = table[table["State"] == "ripe"].iloc[0]
    assert ripe["Day alone"].endswith(" min")
    assert ripe["Last 7 ripe days"].endswith(" min")
    assert ripe["95 % interval"].startswith("[")
    assert "min" not in ripe["95 % interval"]
    assert " min, +" in performance.performance_alt(data)
    assert "beyond its bound" in performance.performance_alt(data)
    figure = performance.performance_figure(data, "UTC", tokens("light"))
    notes = [note.text for note in figure.layout.annotations]
    assert any(note.startswith("harm bound<br>") and note.endswith(" min") for note in notes)
    assert any("%{y:.2f} min" in (trace.hovertemplate or "") for trace in figure.data)


def test_errors_are_better_when_lower_and_rounded_to_hundredths() -> None:
    assert not ABSOLUTE_ERROR.higher
    assert (ABSOLUTE_ERROR.decimals, RANKING.decimals) == (2, 3)


def test_after_a_promotion_the_page_shows_the_past_in_minutes_and_where_its_alert_is_answered(
    harmed: Minutes, open_page: OpenPage
) -> None:
    harmed.reference(V2)
    harmed.promote(V2)
    harmed.evaluate(timedelta(hours=1))
    page = open_page("monitoring", "scientist", model=MODEL)
    said = words(page)
    assert not page.exception
    assert "The first window is judged when the day is over" not in said
    assert "v2 since; nothing judged yet." in said
    assert "MAE (min) against its reference" in said
    alert = next(one for one in harmed.room().alerts if one.kind == "harm")
    assert not page.button(key=f"close-{alert.id}").disabled
    assert f"restart-{alert.id}" not in [one.key for one in page.button]  # only the version in service has an alarm
    assert "Answered by v2" in said
    assert "Columns that moved most" not in said


def test_two_versions_are_drawn_apart_each_along_its_own_limits(harmed: Minutes) -> None:
    harmed.worse = 3.0
    harmed.reference(V2)
    harmed.promote(V2)
    harmed.live(4, version_id=V2)
    harmed.evaluate(timedelta(days=1))
    data = harmed.room().performance
    assert data is not None
    figure = performance.performance_figure(data, "UTC", tokens("dark"))
    lines = {trace.name: trace for trace in figure.data if (trace.name or "").startswith("last 7 ripe days")}
    assert set(lines) == {"last 7 ripe days, v1", "last 7 ripe days, v2"}
    assert max(lines["last 7 ripe days, v1"].x) < min(lines["last 7 ripe days, v2"].x)
    limits = {shape.y0 for shape in figure.layout.shapes if shape.type == "line" and shape.y0 == shape.y1}
    assert {one.baseline for one in data.limits} | {one.bound for one in data.limits} <= limits
    assert set(performance.performance_table(data, "UTC")["Version"]) == {"v1", "v2"}
    assert performance.performance_alt(data).startswith("MAE of v2 over the last 4 ripe days")
    assert "its own reference" in performance.apart(data)


def test_what_took_over_is_drawn_replayed_in_a_line_of_its_own_and_the_button_asks_for_it(
    house: Services, harmed: Minutes, open_page: OpenPage
) -> None:
    harmed.reference(V2)
    harmed.promote(V2)
    harmed.evaluate(timedelta(hours=1))
    page = open_page("monitoring", "scientist", model=MODEL)
    page.button(key="replay-ask").click().run()
    page.text_area(key=f"replay-{MODEL}-reason").input("the hand-over is tomorrow")
    page.button(key=f"replay-{MODEL}-act").click().run()
    assert not page.exception
    job = house.jobs.claim(WORKER, "here")
    assert job is not None
    assert "a worker has it answer the rows" in words(open_page("monitoring", "viewer", model=MODEL))
    found = house.monitoring.replay(WORKER, MODEL, lambda _version, rows: 150.0 + 40.0 * rows["x"].to_numpy())
    house.jobs.finish(WORKER, job.id, job.epoch, JobState.SUCCEEDED, result=found.as_json())
    page = open_page("monitoring", "viewer", model=MODEL)
    assert page.button(key="replay-ask").disabled
    said = words(page)
    assert "Not live: it counts in no verdict, gate or alarm." in said
    assert "Amber: v2 replayed on these days afterwards, not live." in said
    data = harmed.room().performance
    assert data is not None
    drawn = performance.performance_figure(data, "UTC", tokens("light")).data
    trace = next(one for one in drawn if one.name == "v2 replayed, not live")
    assert (trace.line.dash, trace.line.color, trace.text[-1]) == ("dashdot", tokens("light").warn, "v2 replayed")
    assert "v2 replayed, not live" in performance.performance_table(data, "UTC").columns
    assert "replayed on the same days and not live, ends at" in performance.performance_alt(data)
