"""Retention of a house: batches of a stranger, limits of everything else, one damaged file beside other models."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlmodel import text

from mlops_dash.bootstrap import Services, build
from mlops_dash.clock import fixed
from mlops_dash.domain.retention import Removed
from mlops_dash.store import prediction_log, world
from mlops_dash.store.db import reading, transaction
from mlops_dash.store.prediction_log import Prediction, Score, to_us
from tests import factories
from tests.factories import ADMIN, SCIENTIST, VIEWER, WORKER

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
WEEKLY = 'Wöchentlich "B2B"'


@pytest.fixture
def services(tmp_path: Path) -> Services:
    made = build(factories.settings(tmp_path), clock=fixed(NOW))
    for name in (WEEKLY, "other"):
        made.registry.add_model(
            SCIENTIST, name, task="multiclass", class_names=("low", "mid", "high"), source="external", reason="theirs"
        )
    return made


def log_rows(services: Services, model: str, first: datetime, *, days: int, a_day: int = 4) -> None:
    at = [to_us(first + timedelta(days=day, hours=n)) for day in range(days) for n in range(a_day)]
    rows = [Prediction(model, f"{model}{us}", us, "", 0, "", json.dumps({"x": 1})) for us in at]
    scores = [
        Score(model, one.prediction_id, f"id-{model}", "champion", "1", one.at_us, 2.0, one.at_us) for one in rows
    ]
    with transaction(services.context.databases.log) as session:
        prediction_log.append(session, rows, scores, marked_us=to_us(NOW))


def open_batch(services: Services, model: str, first: datetime, last: datetime) -> None:
    with transaction(services.context.databases.log) as session:
        run = session.connection().execute
        run(text("INSERT INTO profile_series VALUES ('ref', :model, 'v', 'UTC')"), {"model": model})
        run(
            text("INSERT INTO profile_batch VALUES ('ref', 0, 'week 7', 'v', 1, 0, :first, :last, :packed, 0)"),
            {"first": to_us(first), "last": to_us(last), "packed": b""},
        )


def test_a_batch_that_still_gets_rows_keeps_them_all(services: Services) -> None:
    services.registry.edit_model(SCIENTIST, WEEKLY, {"cadence": "batch:week"}, reason="batches")
    log_rows(services, WEEKLY, datetime(2026, 1, 20, tzinfo=UTC), days=35)
    log_rows(services, "other", datetime(2026, 1, 20, tzinfo=UTC), days=35)
    open_batch(services, WEEKLY, datetime(2026, 2, 2, tzinfo=UTC), datetime(2026, 2, 25, tzinfo=UTC))
    kept = {one.model: one for one in services.retention.overview(VIEWER).models}
    assert (kept[WEEKLY].movable, kept["other"].movable) == (13 * 4, 26 * 4)  # until 2 and until 15 February
    assert services.retention.retain(ADMIN).moved == {WEEKLY: 13 * 4, "other": 26 * 4}


def test_a_damaged_file_of_one_model_keeps_no_other_from_moving(services: Services) -> None:
    for model in (WEEKLY, "other"):
        log_rows(services, model, datetime(2026, 1, 20, tzinfo=UTC), days=2)
    services.retention.retain(WORKER)
    damaged = next(
        (services.context.settings.home / "cold" / one.file.path)
        for one in services.retention.files(VIEWER, WEEKLY)
        if one.file.kind == "score"
    )
    damaged.write_bytes(b"nothing of it")
    for model in (WEEKLY, "other"):
        log_rows(services, model, datetime(2026, 1, 22, tzinfo=UTC), days=1)
    with transaction(services.context.databases.log) as session:
        late = Prediction(WEEKLY, "late", to_us(datetime(2026, 1, 21, 9, tzinfo=UTC)), "", 0, "", "{}")
        prediction_log.append(session, [late], [], marked_us=to_us(NOW))
    done = services.retention.retain(WORKER)
    assert done.moved == {"other": 4}
    assert "damaged" in done.troubles[WEEKLY]
    assert services.retention.overview(VIEWER).troubles == done.troubles
    assert [one.trouble != "" for one in services.retention.files(VIEWER, WEEKLY, check=True)].count(True) == 1


def test_a_long_past_is_moved_a_few_days_at_a_time_and_it_stays_due_until_then(services: Services) -> None:
    log_rows(services, "other", datetime(2026, 1, 20, tzinfo=UTC), days=5)
    moved = []
    while services.retention.is_due(WORKER):
        moved.append(services.retention.retain(WORKER, most_days=2).moved)
    assert moved == [{"other": 8}, {"other": 8}, {"other": 4}]


def test_it_is_due_once_a_day(services: Services) -> None:
    assert services.retention.is_due(WORKER)
    services.retention.retain(WORKER)
    assert not services.retention.is_due(WORKER)
    with transaction(services.context.databases.app) as session:
        world.put(session, "retention", {"at": (NOW - timedelta(days=1)).isoformat(), "troubles": {}})
    assert services.retention.is_due(WORKER)
    assert services.retention.overview(VIEWER).next == NOW


def test_what_is_kept_for_long_enough_goes_and_the_rest_stays(services: Services) -> None:
    old, young = to_us(NOW - timedelta(days=1_200)), to_us(NOW - timedelta(days=20))
    with transaction(services.context.databases.log) as session:
        run = session.connection().execute
        for number, at in enumerate((old, young)):
            one = {"n": f"{number}", "at": at}
            run(text("INSERT INTO quarantine VALUES ('other', :n, 'v', 'x', 'why', '', true, :at, :at)"), one)
            run(text("INSERT INTO label VALUES ('other', :n, 1, 1.0, :at, :at)"), one)
            run(text("INSERT INTO event VALUES ('other', :n, 'ana', 'click', 1.0, :at, :at)"), one)
            run(text("INSERT INTO serving_heartbeat VALUES (:n, 'other', 'v', 1, :at, '')"), one)
            run(text("INSERT INTO profile_day VALUES (:n, :at, 'v', 1, 0, :packed, :at)"), {**one, "packed": b""})
        # of an old history that was brought in lately
        run(text("INSERT INTO profile_day VALUES ('2', :at, 'v', 1, 0, :packed, :now)"),
            {"at": old, "packed": b"", "now": young})  # fmt: skip
    logs = services.context.settings.logs / "jobs"
    logs.mkdir(parents=True)
    wall = services.context.clock.wall().timestamp()
    for name, age in (("old.log", 100), ("young.log", 10)):
        (logs / name).write_text("said")
        os.utime(logs / name, (wall - age * 86_400,) * 2)
    expected = Removed(kept_out=1, labels=1, events=1, profiles=1, heartbeats=1, job_logs=1)
    assert services.retention.overview(VIEWER).removable == expected
    assert services.retention.retain(ADMIN).removed == expected
    assert services.retention.overview(VIEWER).removable == Removed()
    assert [path.name for path in logs.iterdir()] == ["young.log"]
    with reading(services.context.databases.log) as session:
        counted = session.connection().execute(text("SELECT COUNT(*) FROM profile_day")).scalar_one()
    assert counted == 2
