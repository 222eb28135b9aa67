"""The set-based reads of the Overview, on SQLite and on Postgres."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlmodel import Session

from mlops_dash.clock import fixed
from mlops_dash.domain.monitoring.readings import estimate_from_row
from mlops_dash.domain.words import JobState, OperationState
from mlops_dash.services.command import Context
from mlops_dash.store import fleet as store
from mlops_dash.store.db import connect, reading, transaction
from mlops_dash.store.tables.app import APP
from mlops_dash.store.tables.jobs import JobRow
from mlops_dash.store.tables.log import LOG
from mlops_dash.store.tables.registry import EvidenceRow, OperationRow
from mlops_dash.tracking.registry import MlflowRegistry
from tests import factories, fleet_world
from tests.factories import NOON
from tests.fleet_world import DAY


@pytest.fixture
def house(database_url: str, tmp_path: Path) -> Iterator[Context]:
    """A context on SQLite files, or on the schemas `app` and `log` of one Postgres database."""
    made = factories.settings(tmp_path)
    if database_url.startswith("postgresql"):
        made = replace(made, database_url=database_url, log_database_url=database_url)
    both = connect(made)
    for engine, metadata, schema in ((both.app, APP, "app"), (both.log, LOG, "log")):
        if engine.dialect.name == "postgresql":
            with engine.begin() as connection:
                connection.exec_driver_sql(f"CREATE SCHEMA IF NOT EXISTS {schema}")
        metadata.create_all(engine)
    yield Context(made, fixed(NOON), lambda: "id", both, MlflowRegistry(made.mlflow_uri))
    both.dispose()


@pytest.fixture
def session(house: Context) -> Iterator[Session]:
    fleet_world.served(house, "old", windows=120)
    fleet_world.served(house, "young", windows=3, version="2")
    fleet_world.registered(house, "fresh")
    with reading(house.databases.app) as opened:
        yield opened


def test_models_come_with_what_they_serve(session: Session) -> None:
    found = {one.name: one for one in store.models(session)}
    assert list(found) == ["fresh", "old", "young"]
    assert (found["fresh"].version_id, found["fresh"].version, found["fresh"].since) == ("", "", None)
    assert (found["young"].version_id, found["young"].version, found["young"].by_promotion) == ("young-v2", "2", True)


def test_a_series_is_the_last_windows_in_order_without_bodies(session: Session) -> None:
    found = store.series(session, before=NOON)
    assert {name: len(windows) for name, windows in found.items()} == {"old": store.SERIES, "young": 3}
    starts = [one.reading.start for one in found["old"]]
    midnight = NOON.replace(hour=0)
    assert starts == [midnight - back * DAY for back in range(store.SERIES, 0, -1)]
    assert all(one.reading.body == {} for one in found["old"])
    early = store.series(session, before=midnight - 1 * DAY)
    assert early["old"][-1].reading.start == midnight - 2 * DAY


def test_the_trailing_metrics_are_those_of_the_body(session: Session) -> None:
    windows = store.series(session, before=NOON)["old"]
    ids = [one.id for one in windows[-5:]]
    bodies, cut = store.bodies(session, ids), store.trailing(session, ids, 28)
    assert set(bodies) == set(ids)
    assert {id_: bodies[id_]["metrics"].get("28") for id_ in ids if bodies[id_]["metrics"]} == cut
    assert ids[-1] not in cut  # its labels are not ripe
    assert estimate_from_row(cut[ids[0]]["day_auc"], 28).n_days == 28


def test_references_come_without_their_blobs(session: Session) -> None:
    found = store.references(session)
    assert set(found) == {"old-v1", "young-v2"}
    assert found["old-v1"].baseline["watches"]["day_auc"]["mean"] == pytest.approx(0.328)
    assert found["old-v1"].profile == b""


def test_evidence_of_any_version_counts_and_harm_evidence_does_not(house: Context, session: Session) -> None:
    for kind, subject in (("metric", "old v1"), ("harm", "young v2"), ("metric", "unknown v1")):
        with transaction(house.databases.app) as writing:
            writing.add(EvidenceRow(id=subject, kind=kind, subject=subject, body={}, computed_at=NOON))
    with reading(house.databases.app) as fresh:
        found = store.known(fresh)
    assert found.registered == {"old", "young", "fresh"}
    assert found.with_evidence == {"old"}


def test_only_the_last_change_of_champion_can_be_stuck(house: Context, session: Session) -> None:
    def operation(id_: str, model: str, state: OperationState, at: timedelta) -> OperationRow:
        return OperationRow(id=id_, kind="promote", model=model, to_version_id="old-v1", state=str(state), actor="a",
                            error="MLflow is away.", decided_at=NOON - at)  # fmt: skip

    with transaction(house.databases.app) as writing:
        writing.add_all([
            operation("1", "x", OperationState.FAILED, 2 * DAY),
            operation("2", "x", OperationState.CONFIRMED, DAY),
            operation("3", "y", OperationState.CONFIRMED, 2 * DAY),
            operation("4", "y", OperationState.DECIDED, DAY),
        ])  # fmt: skip
    with reading(house.databases.app) as fresh:
        (found,) = store.stuck_operations(fresh)
    assert (found.model, found.version, found.state, found.error) == (
        "y",
        "1",
        OperationState.DECIDED,
        "MLflow is away.",
    )


def test_a_failure_that_was_made_good_is_history(house: Context, session: Session) -> None:
    def job(id_: str, recipe: str | None, state: JobState, ago: timedelta) -> JobRow:
        return JobRow(id=id_, task="retrain", model="old", recipe=recipe, arguments={}, due_at=NOON - ago,
                      state=str(state), finished_at=NOON - ago, created_at=NOON - ago)  # fmt: skip

    with transaction(house.databases.app) as writing:
        writing.add_all([
            job("a1", "a", JobState.FAILED, 3 * DAY), job("a2", "a", JobState.SUCCEEDED, 2 * DAY),
            job("b1", "b", JobState.FAILED, 3 * DAY), job("b2", "b", JobState.TIMED_OUT, 2 * DAY),
            job("c1", "c", JobState.FAILED, 9 * DAY),
            job("d1", None, JobState.FAILED, 2 * DAY), job("d2", "a", JobState.SUCCEEDED, DAY),
        ])  # fmt: skip
    with reading(house.databases.app) as fresh:
        found = store.failed_jobs(fresh, since=NOON - 7 * DAY)
    assert {one.id for one in found} == {"b2", "d1"}


@pytest.mark.parametrize("part", [1, 200])
def test_traffic_is_counted_to_now_in_any_number_of_parts(
    house: Context, session: Session, monkeypatch: pytest.MonkeyPatch, part: int
) -> None:
    monkeypatch.setattr(store, "MODELS_A_STATEMENT", part)
    with reading(house.databases.log) as log:
        found = store.traffic(log, ["old", "fresh", "young"], since=NOON - DAY, until=NOON)
        early = store.traffic(log, ["old"], since=NOON - DAY, until=NOON - timedelta(hours=17))
    midnight = NOON.replace(hour=0)
    assert (found["old"].last_day, found["old"].last_at) == (3, midnight)
    assert found["old"].last_label_at == midnight + timedelta(hours=1)
    assert (found["fresh"].last_day, found["fresh"].last_at, found["fresh"].last_label_at) == (0, None, None)
    assert (early["old"].last_day, early["old"].last_at) == (2, midnight - timedelta(hours=1))
