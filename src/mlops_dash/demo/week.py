"""Plays seven days of the flights that the demo holds back, as clients of the gateway would send them.

    python -m mlops_dash.demo.week JOB EPOCH

Hour by hour the demo's clock goes on, every model that is served is asked over HTTP, and at midnight the outcomes of
the planes that landed are told. What is due meanwhile happens: a schedule fires at its own time, and the clock goes no
faster than a second a second while something is trained. How far it came is kept after each hour, so that a process
that was killed goes on there; of the hour that it was in, the log is asked what it knows.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import httpx
import pandas as pd

from mlops_dash.attempt import RUNNER, Run, carry_out
from mlops_dash.bootstrap import Services
from mlops_dash.demo import sending
from mlops_dash.demo.flights.columns import DATA, TARGETS, Target, load_flights
from mlops_dash.demo.flights.recipes import new_york
from mlops_dash.demo.journal import Journal
from mlops_dash.demo.last_day import set_world_clock
from mlops_dash.demo.story import MODEL, REPLAY, ZONE
from mlops_dash.domain import format as fmt
from mlops_dash.domain.calendar import zone_of
from mlops_dash.domain.held_back import HeldBack, Stretch, stretch_of
from mlops_dash.domain.jobs import Job, Task
from mlops_dash.domain.words import JobState
from mlops_dash.errors import InvalidInput, NotFound
from mlops_dash.settings import data_file

TOKEN = "demo: the next week over HTTP"
_UNTIL = new_york(date(2014, 1, 1))  # the data are the year 2013
_TRAINING = frozenset({Task.RETRAIN, Task.REFIT, Task.MULTIVARIATE})
_FIRE_SECONDS = 10.0  # a worker that leads looks once a second for what is due
_TAKEN_SECONDS = 3.0  # a worker with a free hand takes a job within half a second; none is free: it is trained later
_TRAIN_SECONDS = 1_200.0  # a job that runs longer does not hold up the week
_JUDGE_SECONDS = 300.0  # a week of three models is profiled in some seconds


def hold_back(services: Services) -> None:
    """Keep what this home has not played of the year, once: the flights after its last day."""
    if services.held_back.held(REPLAY) is not None:
        return
    replayed = Journal(services).time("replayed_until", _UNTIL)
    end = min(_UNTIL, new_york(replayed.astimezone(zone_of(ZONE)).date() + timedelta(days=1)))  # a last day over HTTP
    services.held_back.keep(REPLAY, HeldBack(MODEL, ZONE, end, end, _UNTIL))


def main(arguments: Sequence[str] | None = None) -> int:
    """Play the week of a job; the exit codes are those of `attempt.carry_out`."""
    return carry_out(sys.argv[1:] if arguments is None else arguments, play)


def play(run: Run) -> dict[str, Any]:
    """Send what is left of the job's week; gives how many flights it has, and of how many the outcome is known.

    Raises:
        Conflict: another attempt owns the job.
        InvalidInput: none of the demo's models is served.
        NotFound: this home holds nothing back.
        Unavailable: the gateway does not answer, or refuses a batch.
    """
    services, week = run.services, stretch_of(run.job.arguments)
    flights = load_flights(data_file(DATA, services.context.settings.home))
    known = services.held_back.held(RUNNER)
    if known is None:
        raise NotFound("Nothing is held back here.")
    with sending.client(services, RUNNER, label=TOKEN) as client:
        served = {one["model"] for one in sending.answer(client.get("/v1/serving"))}
        targets = [target for name, target in TARGETS.items() if name in served]
        if not targets:
            raise InvalidInput("None of the demo's models is served.", hint="Promote a version first.")
        _Player(run, client, flights, targets, week, known.begun(week)).play()
    _judge(run, targets)
    rows = _due(flights, week)
    told = rows[rows["landed_at"] < week.end]
    return {**week.as_json(), "flights": len(rows), "outcomes": len(told), "models": [one.model for one in targets]}


class _Player:
    """One attempt at one week."""

    def __init__(
        self, run: Run, client: httpx.Client, flights: pd.DataFrame, targets: Sequence[Target], week: Stretch,
        held: HeldBack,
    ) -> None:  # fmt: skip
        self._run = run
        self._client = client
        self._flights = flights
        self._targets = targets
        self._week = week
        self._held = held
        self._said = ""
        self._waited: dict[str, float] = {}  # job -> since when this week waits for it
        self._doubtful = True  # an attempt that was killed may have sent the first hour

    def play(self) -> None:
        """Day by day, and each by the hour."""
        days = self._week.days(self._held.zone)
        for number, day in enumerate(days):
            if day.end <= self._held.sent_until and day.end <= self._held.told_until:
                continue
            self._said = f"day {number + 1} of {len(days)}: {fmt.day(day.start, self._held.zone)}"
            left = sending.by_hour(_due(self._flights, Stretch(max(day.start, self._held.sent_until), day.end)))
            for place, (hour, batch) in enumerate(left):
                self._run.step((number + place / len(left)) / len(days) * 0.95, self._said)
                self._send(hour, batch)
            self._pass_until(day.end)
            self._tell(day.end)

    def _send(self, hour: datetime, batch: pd.DataFrame) -> None:
        self._pass_until(hour + sending.AFTER_THE_HOUR)
        for target in self._targets:
            name = f"{target.model}-{hour:%Y%m%dT%H}"
            if not (self._doubtful and sending.is_sent(self._client, name)):
                sending.score(self._client, target, batch, name)
        self._doubtful = False
        self._keep(sent_until=hour + timedelta(hours=1))

    def _tell(self, until: datetime) -> None:
        """The outcomes that became known since the last time, of the flights that somebody asked about."""
        scheduled = self._flights["scheduled_at"]
        asked = scheduled < until
        for gap in self._held.missed:
            asked &= (scheduled < gap.start) | (scheduled >= gap.end)
        for target in self._targets:
            known_at = self._flights[target.known_at]
            news = (known_at >= self._held.told_until) & (known_at < until) & self._flights[target.label].notna()
            sending.label(self._client, target, self._flights[asked & news])
        self._keep(sent_until=until, told_until=until)

    def _keep(self, *, sent_until: datetime, told_until: datetime | None = None) -> None:
        self._held = replace(self._held, sent_until=sent_until, told_until=told_until or self._held.told_until)
        self._run.services.held_back.keep(RUNNER, self._held)

    def _pass_until(self, at: datetime) -> None:
        """Let the demo's clock go on, with a halt at each moment that a schedule waits for."""
        self._let_train()
        for slot in sorted(self._slots(at)):
            self._set(slot)
            self._halt(slot)
            self._let_train()
        self._set(at)
        sending.wait_for_clock(self._client, max(at, self._run.services.context.clock.now()))

    def _slots(self, until: datetime) -> set[datetime]:
        now, found = self._run.services.context.clock.now(), self._run.services.retraining.schedules(RUNNER)
        return {one.next_due_at for one in found if one.enabled and one.next_due_at and now < one.next_due_at <= until}

    def _set(self, at: datetime) -> None:
        """The clock never goes back: more than an hour may pass while something is trained."""
        if at > self._run.services.context.clock.now():
            set_world_clock(self._run.services, at)

    def _halt(self, slot: datetime) -> None:
        """Until what is due is asked for, and a worker has taken it if one has a free hand."""
        services, until = self._run.services, time.monotonic() + _FIRE_SECONDS
        while time.monotonic() < until and any(
            one.enabled and one.next_due_at == slot for one in services.retraining.schedules(RUNNER)
        ):
            time.sleep(0.2)
        until = time.monotonic() + _TAKEN_SECONDS
        while time.monotonic() < until and self._training(JobState.QUEUED):
            time.sleep(0.2)

    def _let_train(self) -> None:
        """A second lasts a second while something is trained: else it would seem to have taken days."""
        while busy := [job for job in self._training(JobState.RUNNING) if self._waits_for(job)]:
            self._run.step(self._run.share, f"{self._said} · waits for {busy[0].title}")
            time.sleep(1.0)

    def _waits_for(self, job: Job) -> bool:
        now = time.monotonic()
        return now - self._waited.setdefault(job.id, now) < _TRAIN_SECONDS

    def _training(self, state: JobState) -> list[Job]:
        known = self._run.services.jobs.recent(RUNNER, states=(state,))
        return [job for job in known if job.task in _TRAINING]


def _judge(run: Run, targets: Sequence[Target]) -> None:
    """Wait until the worker has counted what came, and judge it: who looks next reads the verdict."""
    run.step(0.96, "judging what came")
    until = time.monotonic() + _JUDGE_SECONDS
    while run.services.monitoring.models_to_profile(RUNNER) and time.monotonic() < until:
        time.sleep(0.5)
        run.step(0.97, "judging what came")
    for target in targets:
        run.services.monitoring.evaluate(RUNNER, target.model)


def _due(flights: pd.DataFrame, stretch: Stretch) -> pd.DataFrame:
    scheduled = flights["scheduled_at"]
    return flights[(scheduled >= stretch.start) & (scheduled < stretch.end)]


if __name__ == "__main__":
    raise SystemExit(main())
