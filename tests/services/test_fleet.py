"""The Overview's read: the same facts as the other pages, and a fixed number of statements."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from sqlalchemy import event

from mlops_dash.domain.access import NOBODY
from mlops_dash.domain.fleet.attention import Rank
from mlops_dash.domain.fleet.room import FleetRoom
from mlops_dash.domain.fleet.rows import FleetRow
from mlops_dash.domain.monitoring.readings import words_of
from mlops_dash.domain.words import Health, Progress
from mlops_dash.errors import NotAuthenticated
from mlops_dash.services.access import AccessService
from mlops_dash.services.command import Context
from mlops_dash.services.fleet import FleetService
from mlops_dash.store.db import transaction
from mlops_dash.store.fleet import SERIES
from mlops_dash.store.tables.monitoring import ReferenceRow
from mlops_dash.store.tables.registry import ModelRow, PolicyVersionRow
from tests import fleet_world
from tests.factories import LEAD, SCIENTIST, VIEWER
from tests.fleet_world import DAY
from tests.services.monitoring.monitoring_world import MODEL, World, world
from tests.services.monitoring.test_regression import POLICY, Minutes


@pytest.fixture
def made(context: Context) -> World:
    """The small world of the monitoring tests: judged by the real service."""
    found = world(context)
    found.reference()
    return found


def room(context: Context) -> FleetRoom:
    return FleetService(context).room(VIEWER)


def story(made: World, name: str) -> None:
    """Bring the world into one of the states that Monitoring tells apart."""
    if name == "no day yet":
        return
    made.live(14, moved=4.0 if name == "inputs moved" else 0.0)
    if name == "inputs moved":
        made.live(16, moved=4.0)
    elif name == "harmed":
        made.live(12, blind=True)
    elif name == "labels missing":
        made.live(6, labels=False)
    elif name == "broken":
        made.live(3, without="x")
    made.evaluate(later=timedelta(0) if name == "broken" else 2 * DAY)
    if name == "silent":
        made.now += 9 * DAY


STORIES = {
    "no day yet": Health.NOT_KNOWN,
    "fine": Health.OK,
    "inputs moved": Health.INPUTS_MOVED,
    "harmed": Health.HARMED,
    "labels missing": Health.OK,
    "broken": Health.AT_RISK,
    "silent": Health.NOT_KNOWN,
}


@pytest.mark.parametrize("name", STORIES)
def test_overview_and_monitoring_say_the_same(made: World, name: str) -> None:
    story(made, name)
    same_on_both_pages(made, STORIES[name])


@pytest.mark.parametrize(("worse", "health"), [(0.0, Health.OK), (25.0, Health.HARMED)])
def test_they_say_the_same_about_a_regression(context: Context, worse: float, health: Health) -> None:
    base = world(context)
    made = Minutes(base.context, base.monitoring)
    context.clock.wall = lambda: made.now
    with transaction(context.databases.app) as session:
        session.get_one(ModelRow, MODEL).task = "regression"
        row = session.get_one(PolicyVersionRow, "policy")
        row.body, row.digest = POLICY.as_json(), POLICY.digest
    made.reference()
    made.worse = worse
    made.live(20)
    made.evaluate(later=2 * DAY)
    shown = same_on_both_pages(made, health)
    assert (shown.metric, shown.unit, shown.decimals, shown.higher_is_better) == ("mae", "min", 2, False)


def same_on_both_pages(made: World, health: Health) -> FleetRow:
    """Every fact of the row stands on Monitoring with the same value."""
    (row,) = room(made.context).rows
    page = made.monitoring.room(VIEWER, MODEL)
    assert row.health is health
    assert (row.health, row.version, row.title) == (page.health, page.version, page.title)
    assert (row.headline, row.stale, row.as_of) == (page.headline, page.stale, page.until)
    if page.empty:
        assert row.estimate is None
        return row
    assert row.why == page.why
    if row.health is Health.INPUTS_MOVED:
        assert page.why.startswith(f"{words_of(row.moved)} moved")
    assert row.n_inputs == sum(one.name != "(score)" for one in page.features)
    chart = made.monitoring.room(VIEWER, MODEL, "1y").performance  # its line is the mean that the headline says
    assert chart is not None
    told = [point.trailing for point in chart.points if point.trailing is not None][-1]
    assert row.estimate is not None
    assert (row.metric, row.metric_label, row.higher_is_better) == (chart.metric, chart.label, chart.higher_is_better)
    assert (row.estimate.value, row.estimate.n, row.estimate.n_days) == (told.value, told.n, told.n_days)
    assert (row.estimate.low, row.estimate.high) == (told.low, told.high)
    assert row.baseline == chart.baseline
    assert (row.decimals, row.unit) == (chart.decimals, chart.unit)
    assert f"{row.estimate.value:.{row.decimals}f}" in page.headline or page.headline.startswith("No values any more")
    drawn = [None if point.trailing is None else point.trailing.value for point in chart.points][-30:]
    assert list(row.trend) == drawn
    return row


def test_the_order_of_models_is_that_of_monitorings_picker(context: Context, made: World) -> None:
    fleet_world.many(context, 8)
    fleet_world.registered(context, "fresh")
    picker = made.monitoring.models(VIEWER)
    rows = room(context).rows
    assert [(one.model, one.version, one.health) for one in rows] == [(p.model, p.version, p.health) for p in picker]


@pytest.mark.parametrize("actor", [VIEWER, SCIENTIST, LEAD])
def test_what_waits_is_what_the_header_counts(context: Context, actor) -> None:  # type: ignore[no-untyped-def]
    fleet_world.many(context, 7)
    fleet_world.alert(context, "model-06")
    fleet_world.alert(context, "model-02", "inputs", severity="notice")
    found = FleetService(context).room(actor)
    assert found.waiting == AccessService(context).waiting(actor)
    assert found.decisions_open == 2
    assert len(found.waiting) == (0 if actor is VIEWER else 2)


def test_counts_list_and_table_agree(context: Context) -> None:
    fleet_world.many(context, 7)
    fleet_world.alert(context, "model-06")
    found = room(context)
    assert sum(found.health.values()) == len(found.rows) == 7
    bad = {one.model for one in found.rows if one.health in (Health.HARMED, Health.AT_RISK)}
    assert {one.model for one in found.attention if one.rank in (Rank.HARM, Rank.RISK)} == bad
    assert found.last_day == sum(one.last_day or 0 for one in found.rows)


def test_a_model_that_serves_nothing_has_one_next_step_and_no_number(context: Context) -> None:
    fleet_world.registered(context, "fresh")
    fleet_world.registered(context, "bare", version=False)
    found = room(context)
    bare, fresh = found.rows
    assert (bare.reached, fresh.reached) == ((), (Progress.REGISTERED,))
    assert fresh.next_step is not None
    assert fresh.next_step.progress is Progress.EVIDENCE
    assert (fresh.health, fresh.estimate, fresh.last_day, fresh.trend) == (Health.NOT_KNOWN, None, None, ())
    assert [(one.rank, one.model, one.label, one.page) for one in found.attention] == [
        (Rank.UNWATCHED, "bare", "Not watched yet", "retraining"),
        (Rank.UNWATCHED, "fresh", "Not watched yet", "registry"),
    ]
    assert found.attention[1].sentence == "Nothing is served yet."
    assert found.attention[1].cause == "Next: record evidence: run a recipe, or push rows that it scored."
    assert found.unwatched == 2
    assert (found.coverage, found.last_day, found.as_of) == (None, None, None)


def test_a_served_model_without_a_reference_or_a_verdict_is_not_watched_yet(context: Context) -> None:
    fleet_world.served(context, "fine")
    fleet_world.served(context, "bare", windows=0)
    fleet_world.served(context, "waits", health=Health.NOT_KNOWN)
    with transaction(context.databases.app) as session:
        session.delete(session.get_one(ReferenceRow, "ref-bare"))
    found = room(context)
    assert found.unwatched == 2
    bare, waits = found.attention
    assert (bare.model, bare.sentence) == ("bare", "v1 has no reference.")
    assert bare.cause.startswith("Next: say what it is compared with: a file")
    assert (waits.model, waits.sentence, waits.page) == ("waits", "No ripe labels yet.", "monitoring")
    assert waits.cause == "Next: the first window is judged when it is over and its labels are old enough."


def test_a_silent_model_keeps_its_last_known_number_and_says_so(context: Context) -> None:
    fleet_world.served(context, "quiet", silent_for=8)
    (row,) = room(context).rows
    assert (row.health, row.current) == (Health.NOT_KNOWN, False)
    assert row.estimate is not None
    assert row.known_at == context.clock.now().replace(hour=0) - 8 * DAY
    assert row.trend[-8:] == (None,) * 8
    assert [one.rank for one in room(context).attention] == [Rank.SILENCE]


def test_late_labels_are_noticed_although_traffic_goes_on(context: Context) -> None:
    fleet_world.served(context, "late", labels_until=6)
    (row,) = room(context).rows
    assert row.late is not None
    assert row.late.n_windows == 5
    assert [one.rank for one in room(context).attention] == [Rank.LABELS]


def test_the_last_day_counts_request_rows_up_to_now(context: Context) -> None:
    fleet_world.served(context, "m")
    now = context.clock.now()
    assert room(context).rows[0].last_day == 3
    fleet_world.traffic(context, "other-name", last=now, rows=2)  # of a model that nobody added
    assert room(context).last_day == 3


def test_an_empty_house_is_empty_and_not_zero(context: Context) -> None:
    found = room(context)
    assert (found.rows, found.attention, found.volume, found.decisions) == ((), (), (), ())
    assert (found.last_day, found.usual_day, found.coverage) == (None, None, None)


def test_nobody_reads_the_fleet_without_a_login(context: Context) -> None:
    with pytest.raises(NotAuthenticated):
        FleetService(context).room(NOBODY)


# --- scale: counted, not timed ----------------------------------------------------------------------------------------


class Counter:
    """Statements and rows of one read."""

    def __init__(self) -> None:
        self.statements: list[str] = []


@contextmanager
def counting(context: Context) -> Iterator[Counter]:
    counter = Counter()

    def note(connection, cursor, statement, parameters, ctx, many) -> None:  # type: ignore[no-untyped-def]
        if not statement.startswith(("BEGIN", "PRAGMA")):
            counter.statements.append(statement)

    engines = (context.databases.app, context.databases.log)
    for engine in engines:
        event.listen(engine, "before_cursor_execute", note)
    yield counter
    for engine in engines:
        event.remove(engine, "before_cursor_execute", note)


def test_the_number_of_statements_does_not_grow_with_the_models(context: Context) -> None:
    fleet_world.many(context, 2)
    with counting(context) as few:
        room(context)
    fleet_world.served(context, "another")
    for i in range(9):
        fleet_world.served(context, f"more-{i}", health=Health.HARMED)
        fleet_world.registered(context, f"fresh-{i}")
    with counting(context) as many:
        assert len(room(context).rows) == 21
    assert len(many.statements) == len(few.statements) <= 20


def test_two_years_of_readings_cost_a_quarter_of_light_rows_and_three_bodies_a_model(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlops_dash.services import fleet as service

    fleet_world.served(context, "old", windows=730)
    read: dict[str, int] = {}
    series, bodies, trailing = service.store.series, service.store.bodies, service.store.trailing
    monkeypatch.setattr(service.store, "series", lambda *a, **k: _kept(read, "series", series(*a, **k)))
    monkeypatch.setattr(service.store, "bodies", lambda *a, **k: _kept(read, "bodies", bodies(*a, **k)))
    monkeypatch.setattr(service.store, "trailing", lambda *a, **k: _kept(read, "trend", trailing(*a, **k)))
    room(context)
    assert read["series"] == SERIES
    assert read["bodies"] <= 3
    assert read["trend"] <= 30


def _kept(read: dict[str, int], name: str, found):  # type: ignore[no-untyped-def]
    values = list(found.values())
    read[name] = sum(len(one) for one in values) if name == "series" else len(values)
    return found


def test_the_trend_ends_with_the_number_beside_it(context: Context) -> None:
    fleet_world.served(context, "m", windows=60)
    (row,) = room(context).rows
    known = [value for value in row.trend if value is not None]
    assert row.estimate is not None
    assert known[-1] == row.estimate.value
    assert len(row.trend) == 30
    assert timedelta(0) <= context.clock.now() - (row.as_of or context.clock.now()) < DAY
