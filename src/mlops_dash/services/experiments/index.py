"""Filling the run index from a remote server: all runs once, then what is new, running, deleted or tagged anew.

The worker calls `step` again and again; a page calls `open`, which reads the first runs itself when nothing is known.
Each step is one or two requests, kept before the next one begins. Histories of metrics are read when somebody asked
for them: a few by the page, many by the worker when the runs are fresh.
"""

from __future__ import annotations

import time
from collections.abc import Container, Sequence
from datetime import datetime

import pandas as pd

from mlops_dash.domain.run_index import IndexState, RunPage, RunRecord, page_size
from mlops_dash.errors import InvalidInput, MlopsDashError, NotFound, Unavailable
from mlops_dash.services.command import Context
from mlops_dash.store.run_histories import DueHistory, RunHistories
from mlops_dash.store.run_index import RunIndex
from mlops_dash.tracking.run_pages import RunPages

_LOOK = 50  # newest runs of a look; all of them new: the next fifty too
_MOST_DELETED = 200
_MOST_IDS = 100
_HISTORIES = 100  # a step; so many a page reads itself


class Indexer:
    """One server's runs in one index."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self.index = RunIndex(context.settings.home / "run-index.db", context.settings.mlflow_uri)
        self.known = RunHistories(self.index)
        self._pages = RunPages(context.settings.mlflow_uri)

    def open(self, experiment: str, *, again: bool = False) -> IndexState:
        """What is known of an experiment that somebody looks at now; the first runs are read when nothing is.

        Args:
            experiment: MLflow's id.
            again: Read a step further now instead of waiting for the worker.

        Raises:
            Unavailable: MLflow does not answer, and nothing is known from before.
        """
        state = self.index.ask(experiment, self._context.clock.now())
        nothing = not state.n_runs and not state.complete
        if not nothing and not again:
            return state
        try:
            if state.complete:
                self._look(state)
                if state.token is None:
                    self.index.begin_pass(state)  # changed tags; the worker reads on
            else:
                self._read_on(state)
        except Unavailable as error:
            self.index.put_trouble(experiment, error.sentence())
            if nothing:
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
            histories = () if due is not None else self._due(now, failed)
            if due is None and not histories:
                break
            experiment = due.experiment if due is not None else histories[0].experiment
            try:
                if due is not None:
                    self._one(due)
                else:
                    self._read_histories(histories)
            except (Unavailable, InvalidInput, NotFound) as error:  # the others are read all the same
                self.index.put_trouble(experiment, error.sentence())
                failed[experiment] = error
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
        try:
            self._read_histories(due)
        except Unavailable as error:
            self.index.put_trouble(due[0].experiment, error.sentence())
            return due
        return self.known.due(experiments, keys)

    def fill_histories(self, experiments: Sequence[str], keys: Sequence[str]) -> None:
        """Read until all histories of these metrics are there; for the command line.

        Raises:
            Unavailable: MLflow does not answer.
        """
        while due := self.known.due(experiments, keys, _HISTORIES):
            self._read_histories(due)

    def histories(self, run_ids: Sequence[str], keys: Sequence[str]) -> pd.DataFrame:
        """Every point of some metrics of some runs, as `MlflowDatabase.histories`.

        Raises:
            Unavailable: MLflow does not answer, and nothing of them is known from before.
        """
        try:
            self._read_histories(self.known.due_of(run_ids, keys))
        except Unavailable:
            found = self.known.histories(run_ids, keys)
            if not len(found):
                raise
            return found
        return self.known.histories(run_ids, keys)

    def _due(self, now: datetime, failed: Container[str]) -> tuple[DueHistory, ...]:
        for experiment, key in self.known.wanted(now):
            if experiment not in failed and (found := self.known.due([experiment], [key], _HISTORIES)):
                return found
        return ()

    def _read_histories(self, due: Sequence[DueHistory]) -> None:
        points = self._pages.points([(one.run_id, one.key) for one in due])
        self.known.put(list(zip(due, points, strict=True)))

    def _one(self, state: IndexState) -> None:
        now = self._context.clock.now()
        if state.look_due(now):
            self._look(state)
        elif state.token is not None:
            self._read_on(state)
        else:
            self.index.begin_pass(state)

    def _read_on(self, state: IndexState) -> None:
        """The next page of a reading of everything; after the last one, runs it did not meet are asked for by id."""
        began = time.monotonic()
        try:
            page = self._pages.page(state.experiment, size=state.size, token=state.token or "")
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

    def _look(self, state: IndexState) -> None:
        """New runs (the newest, until known ones come), those that ran, those deleted lately."""
        now = self._context.clock.now()
        new: list[RunRecord] = []
        token = ""
        while True:
            try:
                page = self._pages.page(state.experiment, size=_LOOK, token=token)
            except NotFound:
                break
            known = self.index.known(state.experiment, [one.run_id for one in page.runs])
            new += [one for one in page.runs if known.get(one.run_id) != one.digest]
            token = page.token
            if known or not token:
                break
        unfinished = [one for one in self.index.unfinished(state.experiment) if one not in {run.run_id for run in new}]
        ran = self._by_id(state.experiment, unfinished)
        deleted = self._pages.page(state.experiment, size=_MOST_DELETED, deleted=True).runs
        gone = {one.run_id for one in deleted} | (set(unfinished) - {one.run_id for one in ran})
        there = self.index.known(state.experiment, sorted(gone))
        self.index.put_changes(state.experiment, [*new, *ran], sorted(there), now)

    def _by_id(self, experiment: str, ids: Sequence[str]) -> list[RunRecord]:
        found: list[RunRecord] = []
        for at in range(0, len(ids), _MOST_IDS):
            some = ids[at : at + _MOST_IDS]
            found += self._pages.page(experiment, size=len(some), ids=some).runs
        return found
