"""What a worker tells Prometheus: its jobs and troubles, and, while it leads, the health of every model.

Only the leader tells of models, so that their series are there once.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from mlops_dash.domain.access import Actor
from mlops_dash.domain.fleet.room import FleetRoom
from mlops_dash.domain.fleet.rows import FleetRow
from mlops_dash.domain.words import Health, JobState
from mlops_dash.metrics import PREFIX, Fact, Metrics

if TYPE_CHECKING:
    from mlops_dash.bootstrap import Services

FLEET_SECONDS = 10.0  # how old what is told of models may be: a fleet is read for several askers once
_M, _W = f"{PREFIX}model_", f"{PREFIX}worker_"


class WorkerMetrics:
    """The series of one worker."""

    def __init__(
        self, services: Services, actor: Actor, report: Callable[[], dict[str, object]],
        now: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self._services = services
        self._actor = actor
        self._report = report
        self._now = now
        self._fleet: tuple[float, tuple[Fact, ...]] = (float("-inf"), ())
        self._metrics = Metrics()
        self._metrics.look_up(self._of_the_worker)
        self._metrics.look_up(self._of_the_leader)

    def text(self) -> bytes:
        """All numbers in Prometheus' text format."""
        return self._metrics.text()

    def _of_the_worker(self) -> Iterator[Fact]:
        report = self._report()
        jobs, trouble = report["jobs"], report["trouble"]
        yield Fact(f"{_W}leading", "1 while this worker leads.", float(bool(report["leading"])))
        yield Fact(
            f"{_W}jobs_running", "Jobs that this worker has in hand.", len(jobs) if isinstance(jobs, list) else 0
        )
        yield Fact(
            f"{_W}chores_in_trouble", "Chores that fail at the moment; /healthz says why.",
            len(trouble) if isinstance(trouble, dict) else 0,
        )  # fmt: skip

    def _of_the_leader(self) -> tuple[Fact, ...]:
        if not self._report()["leading"]:
            return ()
        read_at, facts = self._fleet
        if self._now() - read_at >= FLEET_SECONDS:
            facts = (*self._of_jobs(), *of_fleet(self._services.fleet.room(self._actor)))
            self._fleet = (self._now(), facts)
        return facts

    def _of_jobs(self) -> Iterator[Fact]:
        counted = self._services.jobs.unfinished(self._actor)
        for state in (JobState.QUEUED, JobState.RUNNING):
            yield Fact(f"{PREFIX}jobs", "Jobs that are not over, by state.", counted.get(state, 0), {"state": state})


def of_fleet(room: FleetRoom) -> Iterator[Fact]:
    """What the Overview shows, as numbers: the same read, so that a wall and a page cannot disagree.

    A number that is not known has no series.
    """
    yield Fact(f"{PREFIX}alerts_open", "Alerts that nobody has closed.", room.alerts_open)
    yield Fact(f"{PREFIX}proposals_open", "Proposals that wait for a decision.", room.proposals_open)
    for row in room.rows:
        yield from _of_model(row, room)


def _of_model(row: FleetRow, room: FleetRoom) -> Iterator[Fact]:
    model = {"model": row.model}
    for word in Health:
        yield Fact(
            f"{_M}health", "1 for the word that a model's health has now, 0 for the others.",
            float(row.health is word), {**model, "health": word},
        )  # fmt: skip
    yield Fact(f"{_M}served_info", "1; the version in service.", 1.0, {**model, "version": row.version or "none"})
    yield Fact(f"{_M}stale", "1 while its numbers are older than its cadence allows.", float(bool(row.stale)), model)
    known: tuple[tuple[str, str, float | None], ...] = (
        ("inputs_moved_ratio", "Inputs that have moved, of all that are watched.",
         len(row.moved) / row.n_inputs if row.n_inputs else None),
        ("predictions_last_day", "Predictions in the last 24 hours.", row.last_day),
        ("predictions_usual_day", "Predictions that it usually gets in 24 hours.", row.usual_day),
        ("last_prediction_timestamp_seconds", "When it last answered.", _instant(row.last_at)),
        ("last_label_timestamp_seconds", "When its last label came.", _instant(row.last_label_at)),
        ("judged_until_timestamp_seconds", "End of its last judged window.", _instant(row.as_of)),
        ("judged_age_seconds", "How long ago its last judged window ended, by the clock of this installation.",
         (room.now - row.as_of).total_seconds() if row.as_of else None),
    )  # fmt: skip
    for name, about, value in known:
        if value is not None:
            yield Fact(f"{_M}{name}", about, float(value), model)
    if row.estimate is None or not row.current:
        return
    measured = {**model, "metric": row.metric}
    bounds = (("metric", "", row.estimate.value), ("metric_low", " Lower end of its interval.", row.estimate.low),
              ("metric_high", " Upper end of its interval.", row.estimate.high),
              ("metric_reference", " In the reference.", row.baseline))  # fmt: skip
    for name, which, bound in bounds:
        if bound is not None:
            about = f"The model's main metric on labelled rows, in its own unit.{which}"
            yield Fact(f"{_M}{name}", about, bound, measured)


def _instant(at: datetime | None) -> float | None:
    """Seconds since 1970."""
    return None if at is None else at.timestamp()
