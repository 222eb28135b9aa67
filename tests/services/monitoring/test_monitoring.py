"""Judging the served version's days: health, alarms, alerts, idempotence, and what the page reads."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from mlops_dash.domain.words import AlertState, Drift, Health
from mlops_dash.errors import InvalidInput, NotAllowed, NotFound
from mlops_dash.services.command import Context
from mlops_dash.store.db import reading
from mlops_dash.store.monitoring import alerts as alert_store
from mlops_dash.store.monitoring import readings as store
from tests import factories
from tests.services.monitoring.monitoring_world import MODEL, ROWS, V1, World, world

DAY = timedelta(days=1)


@pytest.fixture
def made(context: Context) -> World:
    w = world(context)
    w.reference()
    return w


def readings(w: World, version_id: str = V1):  # type: ignore[no-untyped-def]
    with reading(w.context.databases.app) as session:
        return store.readings(session, version_id)


def alerts(w: World, kind: str = ""):  # type: ignore[no-untyped-def]
    with reading(w.context.databases.app) as session:
        found = alert_store.alerts(session, MODEL)
    return [one for one in found if not kind or one.kind == kind]


def test_good_days_are_ok_and_judging_them_again_changes_nothing(made: World) -> None:
    made.live(16)
    first = made.evaluate(later=2 * DAY)
    again = made.evaluate()
    assert (first.health, first.windows, first.changed, first.opened) == (Health.OK, 18, 18, ())
    assert (again.health, again.changed, again.opened, again.closed) == (Health.OK, 0, (), ())
    found = readings(made)
    assert [one.n for one in found[:16]] == [ROWS] * 16
    assert [one.n for one in found[16:]] == [0, 0]  # days without traffic are windows too
    assert {one.revision for one in found} == {1}
    assert found[5].drift is Drift.NOT_COMPUTABLE  # six days are part of a week
    assert found[6].drift is Drift.STABLE
    assert alerts(made) == []


def test_a_blind_model_is_harmed_with_one_critical_alert_that_names_since_when(made: World) -> None:
    made.live(14)
    made.live(12, blind=True)
    done = made.evaluate(later=2 * DAY)
    assert done.health is Health.HARMED
    (alert,) = alerts(made, "harm")
    assert (alert.severity, alert.state) == ("critical", AlertState.OPEN)
    assert alert.id in done.opened
    assert [one.id for one in alerts(made) if one.state is AlertState.OPEN] == [alert.id]
    assert "worse than its reference" in alert.title
    assert "worse since about 2" in alert.title  # 26 February, a day or so later
    assert "no input moved" in alert.cause
    assert len(alert.evidence_ids) == 1
    found = readings(made)
    assert Health.HARMED not in {one.health for one in found[:14]}


def test_one_evaluation_of_all_days_and_daily_ones_give_the_same_windows_and_alerts(context: Context) -> None:
    w = world(context)
    w.reference()
    w.live(10)
    for _ in range(14):
        w.live(1, blind=True)
        w.evaluate()
    w.evaluate(later=2 * DAY)
    daily = [(one.start, one.health, dict(one.body)) for one in readings(w)]
    daily_alerts = {(one.id, one.kind, one.state, one.title, one.cause) for one in alerts(w)}
    with w.context.databases.app.begin() as connection:
        connection.exec_driver_sql("DELETE FROM reading")
        connection.exec_driver_sql("DELETE FROM alert")
    w.evaluate()
    assert [(one.start, one.health, dict(one.body)) for one in readings(w)] == daily
    assert {(one.id, one.kind, one.state, one.title, one.cause) for one in alerts(w)} == daily_alerts


def test_a_day_whose_labels_are_awaited_is_not_judged_but_keeps_what_is_known(made: World) -> None:
    made.live(13)
    made.live(1, labels=False)
    done = made.evaluate()
    last = readings(made)[-1]
    assert (last.ripe, last.n_labelled, last.body["metrics"]) == (False, 0, {})
    assert done.health is Health.OK
    room = made.room()
    assert room.performance.awaiting_from == last.start
    assert room.performance.points[-1].trailing is None


def test_without_any_label_nothing_is_known_and_never_green(made: World) -> None:
    made.live(10, labels=False)
    assert made.evaluate(later=3 * DAY).health is Health.NOT_KNOWN
    assert "no ripe labels yet" in made.room().why


def test_a_late_label_makes_new_revisions_of_the_windows_it_touches(made: World) -> None:
    start = made.now
    made.live(10)
    made.evaluate(later=2 * DAY)
    before = readings(made)
    row = start + 5 * DAY
    for minutes in range(0, 120, 12):
        made.relabel(row + timedelta(minutes=minutes), 1.0)
    changed = made.evaluate().changed
    after = readings(made)
    touched = [i for i, one in enumerate(after) if one.revision == 2]
    assert changed == len(touched) > 0
    assert min(touched) == 5  # the day itself and the trailing windows after it
    assert after[5].body["day"]["label_rate"] != before[5].body["day"]["label_rate"]
    assert [one.revision for one in after[:5]] == [1] * 5


def test_moved_inputs_alone_are_never_more_than_moved(made: World) -> None:
    made.live(14)
    made.live(18, moved=1.5)
    done = made.evaluate(later=2 * DAY)
    assert done.health is Health.INPUTS_MOVED
    (alert,) = alerts(made)
    assert (alert.kind, alert.severity) == ("inputs", "notice")
    assert alert.title == "Inputs moved: wind"
    assert "not harm" in alert.cause
    room = made.room()
    assert room.drift.columns[0] == "wind"
    assert room.features[0].verdict is Drift.WATCH  # six reference weeks: the swing is roughly known, never "drift"
    assert room.drift.excess[0][5] is None
    assert room.drift.excess[0][-3] > 1.0


def test_a_column_that_arrives_empty_puts_the_model_at_risk_at_once(made: World) -> None:
    made.live(10)
    made.live(1, without="place")
    done = made.evaluate()
    assert done.health is Health.AT_RISK
    (alert,) = alerts(made, "schema")
    assert alert.title == "No values any more: place"
    room = made.room()
    assert room.headline == "No values any more: place."
    assert room.odd == ()  # one fact, one sentence: not beside "place: 14.3% missing" of the week
    made.live(1)
    assert made.evaluate().closed == (alert.id,)


def test_what_cannot_be_judged_says_why(context: Context) -> None:
    w = world(context, served=False)
    assert w.evaluate().reason == "nothing is served"
    assert w.room().empty == "Nothing is served yet"
    w.serve(V1)
    assert w.evaluate().reason == "v1 has no reference yet"
    assert "reference" in w.room().empty
    said = w.monitoring.summary(factories.VIEWER, MODEL)["sentence"]
    assert said.startswith("v1 has no reference. ")
    assert said.endswith(w.room().empty_next)  # the command, too, says the next step
    w.reference()
    assert w.evaluate().reason == "no complete window yet"
    assert w.room().empty == "No complete day of traffic yet"
    with pytest.raises(NotFound):
        w.monitoring.evaluate(factories.WORKER, "unheard-of")
    with pytest.raises(NotFound):
        w.monitoring.room(factories.VIEWER, "unheard-of")


def test_an_old_picture_is_said_to_be_old_and_fine_becomes_not_known(made: World) -> None:
    made.live(14)
    made.evaluate(later=2 * DAY)
    assert made.room().stale == ""
    made.now += 5 * DAY
    room = made.room()
    assert room.stale.startswith("No predictions since 25 Feb")
    assert room.health is Health.NOT_KNOWN
    (one,) = made.monitoring.models(factories.VIEWER)
    assert one.health is Health.NOT_KNOWN


def test_a_look_at_the_past_shows_it_as_it_is_known_now_and_offers_nothing_to_do(made: World) -> None:
    made.live(16)
    then = made.now
    made.live(12, blind=True)
    made.evaluate(later=2 * DAY)
    room = made.room(end=then)
    assert (room.until, room.health, room.stale, room.action.kind) == (then, Health.OK, "", "none")
    assert room.performance.points[-1].end == then


def test_alerts_of_a_replaced_version_close_by_its_successors_days_and_come_back_with_it(made: World) -> None:
    made.reference("flight-delay-v2")
    made.live(8)
    made.live(10, blind=True)
    made.evaluate(later=2 * DAY)
    (alert,) = alerts(made, "harm")
    made.serve("flight-delay-v2")
    assert made.monitoring.evaluate(factories.WORKER, MODEL).closed == ()
    made.live(8, version_id="flight-delay-v2")
    assert alert.id in made.evaluate(later=2 * DAY).closed
    made.serve(V1)
    made.monitoring.evaluate(factories.WORKER, MODEL)
    (again,) = alerts(made, "harm")
    assert (again.id, again.state, again.closed_at) == (alert.id, AlertState.OPEN, None)


def test_the_page_is_one_consistent_picture(made: World) -> None:
    made.live(14)
    made.live(12, blind=True)
    made.evaluate(later=2 * DAY)
    room = made.room("30d", feature="place", metric="brier")
    (one,) = made.monitoring.models(factories.VIEWER)
    assert (one.health, one.version, one.why) == (room.health, room.version, room.why)
    assert room.performance.metric == "brier"
    assert room.performance.bound is None
    assert room.detail.reading.name == "place"
    assert sum(room.detail.live) == pytest.approx(1.0)
    assert sum(room.detail.reference) == pytest.approx(1.0)
    assert room.until == room.performance.points[-1].end
    default = made.room("1y")
    assert default.performance.metric == "day_auc"  # the metric in alarm comes first
    assert default.drift.step_days == 7
    assert default.performance.bound < default.performance.baseline
    assert {tick.kind for tick in default.performance.ticks} == {"alert"}
    assert default.headline.startswith("Tells yes from no: ROC AUC within the day 0.")
    with pytest.raises(InvalidInput):
        made.room("a while")
    with pytest.raises(InvalidInput):
        made.room(metric="vibes")


def test_the_public_json_has_the_promised_keys_and_no_nan(made: World) -> None:
    made.live(9, blind=True)
    made.evaluate(later=2 * DAY)
    said = made.monitoring.summary(factories.VIEWER, MODEL)
    json.dumps(said, allow_nan=False)
    assert set(said) == {
        "model",
        "version",
        "task",
        "verdict",
        "sentence",
        "windows",
        "findings",
        "causes",
        "estimated",
        "reliability",
        "slices",
        "fairness",
        "alerts",
    }
    window = said["windows"][-3]
    assert {"start", "end", "n", "label_coverage", "drift", "metrics", "estimated", "verdict"} <= set(window)
    assert window["n"] == ROWS
    assert said["verdict"] == str(made.room().health)


def test_only_our_own_processes_judge(made: World) -> None:
    with pytest.raises(NotAllowed):
        made.monitoring.evaluate(factories.ADMIN, MODEL)
