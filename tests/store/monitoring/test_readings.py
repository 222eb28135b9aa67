"""References, readings and alerts, on SQLite and on Postgres."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy.engine import Engine
from sqlalchemy.exc import IntegrityError
from sqlmodel import text

from mlops_dash.domain.monitoring.readings import Reading
from mlops_dash.domain.words import AlertState, Drift, Health, JobState
from mlops_dash.store.db import engine, reading, transaction
from mlops_dash.store.monitoring import alerts, references
from mlops_dash.store.monitoring import readings as monitoring
from mlops_dash.store.tables.app import APP
from mlops_dash.store.tables.jobs import JobRow, RecipeRow
from mlops_dash.store.tables.registry import OperationRow, ProposalRow, ServingRow
from tests import factories

MODEL, V1 = "flight-delay", "flight-delay-v1"
START = datetime(2013, 6, 1, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def database(database_url: str) -> Iterator[Engine]:
    if database_url.startswith("postgresql"):
        first = engine(database_url, schema="public")
        with transaction(first) as session:
            session.connection().execute(text("CREATE SCHEMA app"))
        first.dispose()
    made = engine(database_url, schema="app")
    APP.create_all(made)
    with transaction(made) as session:
        session.add(factories.model_row(name=MODEL, title="Late flights"))
        session.flush()
        session.add_all([factories.version_row("1"), factories.version_row("2")])
    yield made
    made.dispose()


def window(number: int, **body: object) -> Reading:
    start = START + number * DAY
    return Reading(MODEL, "1", V1, start, start + DAY, 100, 90, True, Drift.STABLE, Health.OK, {"why": "fine", **body})


def an_alert(**changes: object) -> alerts.Alert:
    made = alerts.Alert("a1", MODEL, "1", "harm", "critical", AlertState.OPEN, "title", "cause", START, START, None, "",
                        None, ("e1",), {"first": START.isoformat()})  # fmt: skip
    return replace(made, **changes)  # type: ignore[arg-type]


def test_only_what_changed_is_written_and_gets_the_next_revision(database: Engine) -> None:
    windows = [window(0), window(1), window(2)]
    with transaction(database) as session:
        assert monitoring.save_readings(session, windows, now=START) == 3
    with transaction(database) as session:
        assert monitoring.save_readings(session, [windows[0], window(1, late=1), windows[2]], now=START + DAY) == 1
        assert monitoring.save_readings(session, [], now=START) == 0
    with reading(database) as session:
        found = monitoring.readings(session, V1)
        assert [one.revision for one in found] == [1, 2, 1]
        assert found[1].body["late"] == 1
        assert [one.start for one in monitoring.readings(session, V1, start=START + DAY, end=START + 2 * DAY)] == [
            START + DAY
        ]
        assert monitoring.last_start(session, MODEL, before=START + 2 * DAY) == START + DAY
        assert monitoring.last_start(session, "another", before=START) is None


def test_the_last_reading_of_what_serves_is_found(database: Engine) -> None:
    with transaction(database) as session:
        monitoring.save_readings(session, [window(0), replace(window(1), n=0)], now=START)
        assert monitoring.last_readings(session) == {}
        session.add(ServingRow(model=MODEL, alias="champion", version_id=V1, shadow_version_ids=[], operation_id="o",
                               since=START))  # fmt: skip
    with reading(database) as session:
        assert monitoring.last_readings(session)[V1].start == START  # a day without rows says nothing
        assert monitoring.champion(session, MODEL).version == "1"
        assert monitoring.champion(session, "another") is None
        assert monitoring.model_titles(session) == {MODEL: "Late flights"}
        assert monitoring.version_names(session, MODEL) == {V1: "1", "flight-delay-v2": "2"}


def test_the_latest_reference_of_each_version_counts(database: Engine) -> None:
    def made(id_: str, version_id: str, days: int) -> references.Reference:
        return references.Reference(id_, version_id, MODEL, START, START + DAY, 10, {"x": "numeric"}, {"columns": []},
                                    {"prior": 0.2}, b"\x00", "out of fold", START + days * DAY)  # fmt: skip

    with transaction(database) as session:
        assert references.save_reference(session, made("r1", V1, 0))
        assert references.save_reference(session, made("r2", V1, 1))
        assert references.save_reference(session, made("r3", "flight-delay-v2", 0))
    with transaction(database) as session:
        assert not references.save_reference(session, made("r2", V1, 1))
        assert references.reference(session, V1) == made("r2", V1, 1)
        assert references.reference(session, "another") is None
        assert sorted(one.id for one in references.references(session)[MODEL]) == ["r2", "r3"]


def test_one_alert_of_a_kind_may_be_open_and_closed_ones_come_last(database: Engine) -> None:
    closed = an_alert(id="a0", state=AlertState.CLOSED, closed_at=START)
    with transaction(database) as session:
        alerts.save_alert(session, closed)
        alerts.save_alert(session, an_alert())
        alerts.save_alert(session, an_alert(owner="user:lead", state=AlertState.ACKNOWLEDGED))
    with reading(database) as session:
        assert [one.id for one in alerts.alerts(session, MODEL)] == ["a1", "a0"]
        assert alerts.alert(session, "a1") == an_alert(owner="user:lead", state=AlertState.ACKNOWLEDGED)
        assert alerts.alert(session, "a9") is None
    with pytest.raises(IntegrityError), transaction(database) as session:
        alerts.save_alert(session, an_alert(id="a2"))


def test_restarts_are_remembered_in_order(database: Engine) -> None:
    with transaction(database) as session:
        assert monitoring.restarts(session, V1) == ()
        monitoring.add_restart(session, V1, START)
        monitoring.add_restart(session, V1, START + DAY)
        assert monitoring.restarts(session, V1) == (START, START + DAY)
        assert monitoring.restarts(session, "another") == ()


def test_surroundings_tell_who_served_what_ran_and_what_waits(database: Engine) -> None:
    with transaction(database) as session:
        for number, (kind, to, state) in enumerate(
            [("promote", V1, "confirmed"), ("promote", "flight-delay-v2", "failed"), ("rollback", V1, "delivered")]
        ):
            session.add(OperationRow(id=f"o{number}", kind=kind, model=MODEL, to_version_id=to, state=state,
                                     actor="lead", decided_at=START + number * DAY))  # fmt: skip
        session.add(ProposalRow(id="p", model=MODEL, version_id="flight-delay-v2", state="open", proposer="s", gates={},
                                policy_id="x", evidence_ids=[], created_at=START, expires_at=START + DAY))  # fmt: skip
        session.add(JobRow(id="j", task="retrain", model=MODEL, arguments={"alert_id": "a1"}, due_at=START,
                           state="running", created_at=START))  # fmt: skip
        session.add(RecipeRow(name="again", model=MODEL, entry="team.again:train", parameters={}, updated_at=START))
    with reading(database) as session:
        found = monitoring.surroundings(session, MODEL)
    assert [(move.kind, move.to_version_id) for move in found.moves] == [("promote", V1), ("rollback", V1)]
    assert (found.waiting, found.recipes, found.serving_since) == ("flight-delay-v2", ("again",), None)
    assert [(job.state, job.alert_id) for job in found.retrains] == [(JobState.RUNNING, "a1")]
