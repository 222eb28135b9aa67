"""One model or schedule that fails stops no other: what is poisoned comes first in the alphabet here."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from mlops_dash import bootstrap
from mlops_dash.bootstrap import Services
from mlops_dash.clock import Clock
from mlops_dash.demo.flights.train import ENTRY
from mlops_dash.domain.retraining import Recipe, ScheduleDraft
from mlops_dash.domain.starting import ScheduleKind
from mlops_dash.domain.words import Health, JobState
from mlops_dash.store.db import reading, transaction
from mlops_dash.store.monitoring import profiles
from mlops_dash.store.prediction_log import to_us
from mlops_dash.worker import Worker
from tests import factories
from tests.factories import ADMIN, LEAD, SCIENTIST, VIEWER, WORKER
from tests.strangers import LIVE, PER_DAY, Stranger

POISONED, OTHER = "aaa poisoned", 'zzz\'s "weekly" rents'


class Time:
    def __init__(self) -> None:
        self.at = LIVE + timedelta(days=8, hours=1)

    def __call__(self) -> datetime:
        return self.at


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def house(tmp_path: Path, time: Time) -> Iterator[Services]:
    made = bootstrap.build(factories.settings(tmp_path), clock=Clock(wall=time))
    yield made
    made.close()


@pytest.fixture
def both(house: Services) -> tuple[Stranger, Stranger]:
    poisoned, other = Stranger(house, POISONED), Stranger(house, OTHER, task="regression")
    for one in (poisoned, other):
        one.begin()
    for one in (poisoned, other):  # what is known of models may be a second old
        one.send()
    return poisoned, other


def work(worker: Worker, times: int = 8) -> None:
    """Profile all that waits (a chore does 48 hours of a model at a time), then judge."""
    for _ in range(times):
        worker._guarded(worker._chores["profile"], worker.profile)
    worker._guarded(worker._chores["evaluate"], worker.evaluate)


def judged(house: Services, model: str) -> dict[str, object]:
    return house.monitoring.summary(VIEWER, model)


def test_a_regression_is_judged_although_the_first_model_of_the_alphabet_fails(
    house: Services, both: tuple[Stranger, Stranger], caplog: pytest.LogCaptureFixture
) -> None:
    both[0].break_reference()
    worker = Worker(house)
    with caplog.at_level(logging.WARNING):
        work(worker)
    found = judged(house, OTHER)
    assert [window["n"] for window in found["windows"]] == [PER_DAY] * 8  # type: ignore[attr-defined]
    assert found["verdict"] == str(Health.OK)
    trouble = worker.health()["trouble"]
    assert set(trouble) == {f"profile: {POISONED}", f"evaluate: {POISONED}"}  # type: ignore[call-overload]
    assert worker.health()["status"] == "degraded"
    assert any(POISONED in str(getattr(record, "chore", "")) for record in caplog.records)
    with reading(house.context.databases.log) as session:
        assert profiles.n_dirty(session, [POISONED]) > 0  # the mark waits until the fault is mended
        assert profiles.n_dirty(session, [OTHER]) == 0


def test_rows_that_cannot_be_digested_are_set_aside_and_their_model_is_judged(
    house: Services, both: tuple[Stranger, Stranger]
) -> None:
    poisoned, _ = both
    at = to_us(LIVE + timedelta(days=2, hours=3))
    fit = {"x": 0.5, "kind": "flat"}
    poisoned.smuggle("text", at, {"x": "n/a", "kind": "flat"})
    poisoned.smuggle(
        "digits", at + 1, '{"kind":"flat","x":1' + "0" * 400 + "}"
    )  # among numbers, pandas cannot even hold it
    poisoned.smuggle("score", at + 2, fit, score=37.5)
    poisoned.smuggle("label", at + 3, fit, label=7.0)
    for number, year in enumerate((1, 1000, 1970, 9999)):
        poisoned.smuggle(f"year {year}", to_us(datetime(year, 6, 1, tzinfo=UTC)) + number, fit)
    worker = Worker(house)
    work(worker)
    assert "trouble" in worker.health()
    assert worker.health()["trouble"] == {}
    windows = judged(house, POISONED)["windows"]
    assert [window["n"] for window in windows] == [PER_DAY] * 2 + [PER_DAY + 1] + [PER_DAY] * 5  # type: ignore[attr-defined]
    assert judged(house, OTHER)["verdict"] == str(Health.OK)
    aside = house.monitoring.quarantine(VIEWER, POISONED)
    assert aside.rows == 8
    assert {(one.column, one.rows) for one in aside.groups} == {
        ("x", 1), ("x", 1), ("score", 1), ("label", 1), ("at", 4),
    }  # fmt: skip
    assert {sample for one in aside.groups for _, sample in one.samples} >= {"'n/a'", "37.5", "7.0"}
    with reading(house.context.databases.log) as session:
        assert profiles.n_dirty(session, [POISONED]) == 0


def test_a_schedule_that_cannot_be_read_keeps_no_other_from_firing_and_lost_jobs_are_reaped(
    house: Services, time: Time
) -> None:
    house.retraining.save_recipe(ADMIN, Recipe("monthly", "theirs", ENTRY))
    for name in ("a first", "b second"):
        house.retraining.save_schedule(
            SCIENTIST, ScheduleDraft(name, ScheduleKind.CRON, "0 6 * * *", "Asia/Kolkata", recipe="monthly")
        )
    house.retraining.run_now(LEAD, "monthly", "why not")
    lost = house.jobs.claim(WORKER, "gone")
    assert lost is not None
    with transaction(house.context.databases.app) as session:
        session.connection().execute(text("UPDATE schedule SET kind = 'sometimes' WHERE name = 'a first'"))
    worker = Worker(house)
    time.at += timedelta(hours=1)
    worker.tick()
    assert house.jobs.job(VIEWER, lost.id).state is JobState.QUEUED
    time.at += timedelta(days=1)
    worker.tick()
    fired = [job for job in house.jobs.recent(VIEWER) if job.cause.startswith("schedule b second")]
    assert len(fired) == 1
    assert set(worker.health()["trouble"]) == {"tick: a first"}  # type: ignore[call-overload]


def test_the_trouble_of_a_model_is_over_when_its_fault_is_mended(
    house: Services, both: tuple[Stranger, Stranger], time: Time
) -> None:
    both[0].break_reference()
    worker = Worker(house)
    work(worker)
    time.at += timedelta(minutes=2)
    house.monitoring.record_reference(WORKER, both[0].version_id, both[0].rows(LIVE - timedelta(days=42), 42))
    work(worker)
    assert worker.health()["trouble"] == {}
    assert len(judged(house, POISONED)["windows"]) == 8  # type: ignore[arg-type]


def test_windows_are_judged_when_they_ripen_and_when_a_day_ends_although_no_row_comes(
    house: Services, time: Time
) -> None:
    other = Stranger(house, OTHER, task="regression")
    other.begin()
    other.send(labels=False)
    worker = Worker(house)
    work(worker)

    def ripe() -> list[bool]:
        return [window["ripe"] for window in judged(house, OTHER)["windows"]]  # type: ignore[attr-defined]

    assert ripe() == [True] * 7 + [False]
    time.at = LIVE + timedelta(days=8, hours=23)
    worker.evaluate()
    assert ripe() == [True] * 7 + [False]
    time.at = LIVE + timedelta(days=9, minutes=1)  # the eighth day is a day old, and the ninth, an empty one, is over
    worker.evaluate()
    assert ripe() == [True] * 8 + [False]


def test_a_model_is_judged_again_when_another_version_serves(house: Services) -> None:
    other = Stranger(house, OTHER, task="regression")
    other.begin()
    other.send()
    worker = Worker(house)
    work(worker)
    assert judged(house, OTHER)["verdict"] == str(Health.OK)
    second = house.registry.record_version(WORKER, OTHER, "2")
    other.serve(second)
    calls: list[str] = []
    real = house.monitoring.evaluate
    house.monitoring.evaluate = lambda actor, model, **kw: calls.append(model) or real(actor, model, **kw)  # type: ignore[method-assign,func-returns-value]
    worker.evaluate()
    worker.evaluate()
    assert calls == [OTHER]
