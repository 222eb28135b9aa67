"""What the chores of monitoring cost: counted in SQL statements and rows read, with few models and with many."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from mlops_dash import bootstrap
from mlops_dash.bootstrap import Services
from mlops_dash.clock import fixed
from mlops_dash.services.monitoring import profiling
from mlops_dash.store import prediction_log
from mlops_dash.store.db import reading, transaction
from mlops_dash.store.monitoring import profiles
from mlops_dash.store.prediction_log import to_us
from tests import factories
from tests.factories import VIEWER, WORKER
from tests.strangers import LIVE, PER_DAY, Statements, Stranger


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Services]:
    made = bootstrap.build(factories.settings(tmp_path), clock=fixed(LIVE + timedelta(days=8, hours=1)))
    yield made
    made.close()


def copies(house: Services, first: Stranger, n: int) -> None:
    """More versions with references, models that serve, and readings, copied in the database: each is read like new."""
    with transaction(house.context.databases.app) as session:
        connection = session.connection()
        for number in range(n):
            name, version = f"copy {number}", f"copy-{number}"
            for table, change in (
                ("model", {"name": name}),
                ("model_version", {"id": version, "model": name}),
                ("reference", {"id": f"r-{number}", "version_id": version, "model": name}),
                ("serving", {"model": name, "version_id": version}),
                ("reading", {"id": f"w-{number}-", "model": name, "version_id": version}),
            ):
                columns = [row[1] for row in connection.exec_driver_sql(f"PRAGMA table_info({table})")]
                key = {"model": "name", "model_version": "model", "reference": "model", "serving": "model"}
                chosen = ", ".join(
                    f"'{change[one]}'" + (" || id" if (table, one) == ("reading", "id") else "")
                    if one in change
                    else f'"{one}"'
                    for one in columns
                )
                quoted = ", ".join(f'"{one}"' for one in columns)
                connection.exec_driver_sql(
                    f"INSERT INTO {table} ({quoted}) SELECT {chosen} FROM {table} WHERE {key.get(table, 'model')} = ?",
                    (first.name,),
                )


@pytest.fixture
def first(house: Services) -> Stranger:
    made = Stranger(house, 'rents of "O\'Neill"', task="regression")
    made.begin()
    made.send()
    house.monitoring.profile_dirty_hours(WORKER)
    house.monitoring.evaluate(WORKER, made.name)
    return made


@pytest.mark.parametrize("n", [5, 50])
def test_an_idle_look_costs_as_many_statements_however_many_models_there_are(
    house: Services, first: Stranger, n: int
) -> None:
    copies(house, first, n)
    with Statements(house) as profile:
        assert house.monitoring.models_to_profile(WORKER) == ()
    with Statements(house) as grounds:
        assert len(house.monitoring.grounds(WORKER)) == n + 1
    with Statements(house) as picker:
        assert len(house.monitoring.models(VIEWER)) == n + 1
    assert (profile.n, grounds.n, picker.n) == (5, 5, 5)
    assert not any("profile," in said or "cells" in said for said in (*profile.said, *grounds.said))


@pytest.mark.parametrize("n", [5, 50])
def test_versions_that_answered_nothing_in_the_dirty_hours_are_not_read(
    house: Services, first: Stranger, n: int
) -> None:
    copies(house, first, n)
    with transaction(house.context.databases.app) as session:  # they are all versions of the one model now
        session.connection().exec_driver_sql("UPDATE reference SET model = ?", (first.name,))
    first.send(1, first=LIVE + timedelta(days=8))
    with Statements(house) as counted:
        done = house.monitoring.profile_dirty_hours(WORKER, model=first.name)
    assert done.rows == PER_DAY
    assert counted.n == 22  # one of them asks for hours whose last row was erased, four for what is archived
    assert sum("FROM reference" in said and "cells" in said for said in counted.said) == 1


def test_only_dirty_hours_are_read_and_nothing_between_them(
    house: Services, first: Stranger, monkeypatch: pytest.MonkeyPatch
) -> None:
    for at in (LIVE + timedelta(hours=3), LIVE + timedelta(days=7, hours=20)):
        with transaction(house.context.databases.log) as session:
            prediction_log.mark_hours(session, [(first.name, to_us(at))], marked_us=1)
    read: list[int] = []
    real = prediction_log.read_window

    def counting(*args, **kwargs):  # type: ignore[no-untyped-def]
        frame = real(*args, **kwargs)
        read.append(len(frame))
        return frame

    monkeypatch.setattr(prediction_log, "read_window", counting)
    before = day_parts(house, first)
    done = house.monitoring.profile_dirty_hours(WORKER, model=first.name)
    assert (done.hours, done.left) == (2, 0)
    assert sum(read) == done.rows <= 2 * (PER_DAY // 24 + 1)
    assert day_parts(house, first) == before


def test_rows_in_memory_are_bounded(house: Services, first: Stranger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(profiling, "ROWS_AT_ONCE", 50)
    read: list[int] = []
    real = prediction_log.read_window
    monkeypatch.setattr(
        prediction_log, "read_window", lambda *a, **k: read.append(len(found := real(*a, **k))) or found
    )
    before = day_parts(house, first)
    with transaction(house.context.databases.log) as session:
        prediction_log.mark_range(session, first.name, LIVE, LIVE + timedelta(days=8), marked_us=1)
    assert house.monitoring.profile_dirty_hours(WORKER, model=first.name).rows == 8 * PER_DAY
    assert max(read) <= 50
    assert day_parts(house, first) == before


def day_parts(house: Services, one: Stranger) -> list[tuple[int, int, int]]:
    with reading(house.context.databases.app) as session:
        reference_id = (
            session.connection()
            .exec_driver_sql("SELECT id FROM reference WHERE version_id = ?", (one.version_id,))
            .scalar_one()
        )
    with reading(house.context.databases.log) as session:
        return [(day.at_us, day.n, day.n_labelled) for day in profiles.day_profiles(session, reference_id)]
