"""Filling the run index from a remote server: all runs once, then what is new, running, deleted or tagged anew.

The worker calls `step` again and again; a page calls `open`, which reads the first runs itself when nothing is known.
Each step is one or two requests, kept before the next one begins. Histories of metrics are read when somebody asked
for them: a few by the page, many by the worker when the runs are fresh.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pandas as pd

from mlops_dash.domain.experiments.index import IndexState, RunPage, RunRecord, page_size
from mlops_dash.errors import InvalidInput, MlopsDashError, NotFound, Unavailable
from mlops_dash.services.command import Context
from mlops_dash.store.experiments.histories import DueHistory, RunHistories
from mlops_dash.store.experiments.index import RunIndex
from mlops_dash.tracking.experiments.pages import AT_ONCE, PATIENCE, RunPages

_LOOK = 50  # newest runs of a look; all of them new: the next fifty too
_MOST_DELETED = 200
_MOST_IDS = 100
_HISTORIES = 100  # a turn of the worker; so many a page begins to read itself
_TOGETHER = 16  # asked for before they are kept
_PAGE_SECONDS = 2.0  # so long a page waits for histories; the worker, or its next run, reads on
_OPEN_SECONDS = 10.0  # so long a page waits for the first runs
_REST_SECONDS = 60.0  # a history that could not be read is left alone for so long


@dataclass(frozen=True, eq=False)
class Histories:
    """Points of some metrics of some runs.

    Attributes:
        points: Columns run_id, key, step, timestamp (ms), value.
        unread: Runs of which something is still to be read.
        why: Why it could not be; "" when there was only no time.
    """

    points: pd.DataFrame
    unread: frozenset[str] = frozenset()
    why: str = ""


class Indexer:
    """One server's runs in one index."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self.index = RunIndex(context.settings.home / "run-index.db", context.settings.mlflow_uri)
        self.known = RunHistories(self.index)
        self._pages = RunPages(context.settings.mlflow_uri)
        self._opening = threading.Lock()
        self._reading = threading.Lock()
        self._resting: dict[DueHistory, tuple[float, str]] = {}  # until when, and why

    def open(self, experiment: str, *, again: bool = False) -> IndexState:
        """What is known of an experiment that somebody looks at now; the first runs are read when nothing is.

        Args:
            experiment: MLflow's id.
            again: Read a step further now instead of waiting for the worker.

        Raises:
            Unavailable: MLflow does not answer, and nothing is known from before.
        """
        state = self.index.ask(experiment, self._context.clock.now())
        if not _empty(state) and not again:
            return state
        with self._opening:  # who comes meanwhile finds what this one read
            state = self.index.state(experiment) or state
            if not _empty(state) and not again:
                return state
            try:
                if state.complete:
                    self._look(state, _OPEN_SECONDS)
                    if state.token is None:
                        self.index.begin_pass(state)  # changed tags; the worker reads on
                else:
                    self._read_on(state, _OPEN_SECONDS)
            except Unavailable as error:
                self.index.put_trouble(experiment, error.sentence())
                if _empty(state):
                    raise
        return self.index.state(experiment) or state

    def fill(self, experiment: str) -> IndexState:
        """Read until everything is there; for the command line, which shows no page meanwhile.

        Raises:
            Unavailable: MLflow does not answer.
        """
        now = self._context.clock.now()
        state = self.index.ask(experiment, now)
        if state.token is None and state.pass_due(now):
            self.index.begin_pass(state)
        elif state.token is None:
            self._look(state)
        while (state := self.index.state(experiment) or state).token is not None:
            self._read_on(state)
        return state

    def step(self, seconds: float) -> int:
        """Work on what is due, the last looked at experiment first, until nothing is or `seconds` are over.

        Returns:
            How many steps were made.

        Raises:
            Unavailable, InvalidInput, NotFound: MLflow does not answer or refuses an experiment; what is known stays,
                with the reason beside it, and the other experiments are read.
        """
        until, done = time.monotonic() + seconds, 0
        failed: dict[str, MlopsDashError] = {}
        while time.monotonic() < until:
            now = self._context.clock.now()
            wanted = [one for one in self.index.states() if one.wanted(now) and one.experiment not in failed]
            due = next((one for one in wanted if one.look_due(now) or one.token is not None or one.pass_due(now)), None)
            histories = self._due(now, failed)
            if due is None and not histories:
                break
            if due is not None:  # and then histories: a slow server would never come to them
                self._try(failed, due.experiment, self._one, due)
            if histories:
                self._try(failed, histories[0].experiment, self._read_histories, histories, until)
            done += 1
        if failed:
            raise next(iter(failed.values()))
        return done

    def want_histories(self, experiments: Sequence[str], keys: Sequence[str]) -> tuple[DueHistory, ...]:
        """Somebody looks at histories of these metrics; a few are read here, of many the worker reads them all.

        Returns:
            Those that are not there, or not as new as their run.
        """
        self.known.want(experiments, keys, self._context.clock.now())
        due = self.known.due(experiments, keys)
        if not 0 < len(due) <= _HISTORIES:
            return due
        why = self._read_for_page(due)
        if why:
            self.index.put_trouble(due[0].experiment, why)
        return self.known.due(experiments, keys)

    def fill_histories(self, experiments: Sequence[str], keys: Sequence[str]) -> None:
        """Read until all histories of these metrics are there; for the command line.

        Raises:
            Unavailable: MLflow does not answer, or refuses some of them.
        """
        while due := self._awake(experiments, keys):
            self._read_histories(due)
        left = len(self.known.due(experiments, keys))
        if left:
            raise Unavailable(f"MLflow does not give {left:,} histories of {', '.join(keys)}.", hint="Look at its log.")

    def histories(self, run_ids: Sequence[str], keys: Sequence[str]) -> Histories:
        """Every point of some metrics of some runs, as far as they are known or can be read in a moment."""
        due = self.known.due_of(run_ids, keys)
        if not due:
            return Histories(self.known.histories(run_ids, keys))
        why = self._read_for_page(due)
        left = frozenset(one.run_id for one in self.known.due_of(run_ids, keys))
        return Histories(self.known.histories(run_ids, keys), left, why if left else "")

    def _awake(self, experiments: Sequence[str], keys: Sequence[str]) -> tuple[DueHistory, ...]:
        now = time.monotonic()
        self._resting = {one: rest for one, rest in self._resting.items() if rest[0] > now}
        due = self.known.due(experiments, keys, _HISTORIES + len(self._resting))
        return tuple(one for one in due if one not in self._resting)

    def _due(self, now: datetime, failed: Container[str]) -> tuple[DueHistory, ...]:
        for experiment, key in self.known.wanted(now):
            if experiment not in failed and (found := self._awake([experiment], [key])):
                return found
        return ()

    def _read_for_page(self, due: Sequence[DueHistory]) -> str:
        """Read for a moment, unless another page is reading; why it failed, or ""."""
        if not self._reading.acquire(blocking=False):
            return ""
        try:
            resting = {one: why for one, (until, why) in self._resting.items() if until > time.monotonic()}
            awake = [one for one in due if one not in resting]
            if not awake:
                return resting[due[0]]
            self._read_histories(awake, time.monotonic() + _PAGE_SECONDS, together=AT_ONCE, seconds=_PAGE_SECONDS)
        except Unavailable as error:
            return error.sentence()
        finally:
            self._reading.release()
        return ""

    def _read_histories(
        self,
        due: Sequence[DueHistory],
        until: float = math.inf,
        *,
        together: int = _TOGETHER,
        seconds: float = PATIENCE,
    ) -> None:
        """Read and keep some at a time. One that fails rests for a minute; when all of some fail, that is raised."""
        kept = 0
        for at in range(0, len(due), together):
            if time.monotonic() >= until:
                return
            some = due[at : at + together]
            answers = self._pages.points([(one.run_id, one.key) for one in some], seconds=seconds)
            good, bad = [], []
            for one, answer in zip(some, answers, strict=True):
                if isinstance(answer, MlopsDashError):
                    bad.append(answer)
                    self._resting[one] = (time.monotonic() + _REST_SECONDS, answer.sentence())
                else:
                    good.append((one, answer))
            self.known.put(good)
            kept += len(good)
            if bad and not good and (not kept or len(some) == together):
                raise bad[0]

    def _try(self, failed: dict[str, MlopsDashError], experiment: str, act: Callable[..., None], *args: Any) -> None:
        """Work on one experiment; when it fails, the reason is kept beside it and the others are read all the same."""
        try:
            act(*args)
        except (Unavailable, InvalidInput, NotFound) as error:
            self.index.put_trouble(experiment, error.sentence())
            failed[experiment] = error

    def _one(self, state: IndexState) -> None:
        now = self._context.clock.now()
        if state.look_due(now):
            self._look(state)
        elif state.token is not None:
            self._read_on(state)
        else:
            self.index.begin_pass(state)

    def _read_on(self, state: IndexState, seconds: float = PATIENCE) -> None:
        """The next page of a reading of everything; after the last one, runs it did not meet are asked for by id."""
        began = time.monotonic()
        try:
            page = self._pages.page(state.experiment, size=state.size, token=state.token or "", seconds=seconds)
        except InvalidInput:
            if not state.token:
                raise
            self.index.begin_pass(state)  # the server does not know our place any more
            return
        except NotFound:
            page = RunPage((), "")
        size = page_size(state.size, time.monotonic() - began)
        now = self._context.clock.now()
        missed = self.index.put_page(state, page.runs, page.token, size, now)
        if not page.token:
            found = self._by_id(state.experiment, missed)
            there = {one.run_id for one in found}
            self.index.end_pass(state, found, [one for one in missed if one not in there], now)

    def _look(self, state: IndexState, seconds: float = PATIENCE) -> None:
        """New runs (the newest, until known ones come), those that ran, those deleted lately."""
        now = self._context.clock.now()
        new: list[RunRecord] = []
        token = ""
        while True:
            try:
                page = self._pages.page(state.experiment, size=_LOOK, token=token, seconds=seconds)
            except NotFound:
                break
            known = self.index.known(state.experiment, [one.run_id for one in page.runs])
            new += [one for one in page.runs if known.get(one.run_id) != one.digest]
            token = page.token
            if known or not token:
                break
        unfinished = [one for one in self.index.unfinished(state.experiment) if one not in {run.run_id for run in new}]
        ran = self._by_id(state.experiment, unfinished, seconds)
        deleted = self._pages.page(state.experiment, size=_MOST_DELETED, deleted=True, seconds=seconds).runs
        gone = {one.run_id for one in deleted} | (set(unfinished) - {one.run_id for one in ran})
        there = self.index.known(state.experiment, sorted(gone))
        self.index.put_changes(state.experiment, [*new, *ran], sorted(there), now)

    def _by_id(self, experiment: str, ids: Sequence[str], seconds: float = PATIENCE) -> list[RunRecord]:
        found: list[RunRecord] = []
        for at in range(0, len(ids), _MOST_IDS):
            some = ids[at : at + _MOST_IDS]
            found += self._pages.page(experiment, size=len(some), ids=some, seconds=seconds).runs
        return found


def _empty(state: IndexState) -> bool:
    return not state.n_runs and not state.complete
