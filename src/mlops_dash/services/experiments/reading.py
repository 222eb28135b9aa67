"""Runs from MLflow's database where it may be read, else from the run index; kept in memory while nothing changes."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final, TypeVar

import numpy as np
import pandas as pd

from mlops_dash.domain.experiments import directions
from mlops_dash.domain.experiments.frame import Bools, Floats, RunFrame
from mlops_dash.domain.experiments.groups import Grouping, apart, grouped
from mlops_dash.domain.experiments.room import Experiment, Source, default_columns
from mlops_dash.errors import NotFound, Unavailable
from mlops_dash.services.command import Context
from mlops_dash.services.experiments.index import Histories, Indexer
from mlops_dash.store.experiments.index import RunIndex
from mlops_dash.store.experiments.mlflow_runs import MlflowDatabase
from mlops_dash.tracking.experiments.environments import MlflowEnvironments
from mlops_dash.tracking.experiments.search import MlflowRuns

_KEPT: Final = 4  # experiments in memory; one of 10,000 runs takes about 60 MB
_MOST_POINTS: Final = 1_000_000  # of curves in memory, for each experiment
_PICTURES: Final = 16  # importances in memory, for each experiment
_LEAST_SECONDS: Final = 2.0
_TIMES_READING: Final = 10.0  # what takes a second to read may be ten seconds old

T = TypeVar("T")
Waiting = Mapping[str, frozenset[str]]  # metric -> runs whose history is still to be read


@dataclass
class KeptRuns:
    """The runs of one experiment as they were read, and what was computed of them."""

    experiment: str
    frame: RunFrame
    mark: str
    at: datetime
    clock: float
    seconds: float
    _extremes: dict[str, tuple[frozenset[str], dict[str, Floats]]] = field(default_factory=dict)
    _groupings: dict[str | None, Grouping] = field(default_factory=dict)
    _columns: dict[str | None, tuple[str, ...]] = field(default_factory=dict)
    _at_steps: dict[tuple[str, int], tuple[frozenset[str], Floats, Bools]] = field(default_factory=dict)
    _histories: dict[str, dict[str, pd.DataFrame]] = field(default_factory=dict)
    _points: int = 0
    _pictures: OrderedDict[Hashable, object] = field(default_factory=OrderedDict)

    def grouping(self, key: str | None) -> Grouping:
        """Groups of repeats over all runs of the experiment."""
        if key not in self._groupings:
            made = grouped(self.frame, key)
            several = "experiment" in self.frame.info.columns
            self._groupings[key] = apart(made, self.frame.info["experiment"]) if several else made
        return self._groupings[key]

    def default_columns(self, key: str | None) -> tuple[str, ...]:
        """The columns that are shown when nobody chose any."""
        if key not in self._columns:
            self._columns[key] = default_columns(self.frame, self.grouping(key))
        return self._columns[key]

    def reduced(
        self, wanted: Mapping[str, str], reader: RunReader, waiting: Waiting
    ) -> tuple[dict[str, Floats], dict[str, Bools]]:
        """One extreme of the histories, by metric; shape (runs,), NaN where there is none.

        `wanted` says which: low, high, or near (to 0). The second: where the history has not been read yet.

        Raises:
            Unavailable: MLflow does not answer.
        """
        asked = [key for key in wanted if key in self.frame.metrics.columns]
        missing = [key for key in asked if key not in self._extremes or self._extremes[key][0] != waiting[key]]
        if missing:
            found = reader.extremes(self.experiment, missing)
            place = pd.Series(np.arange(len(self.frame)), index=self.frame.ids)
            for key in missing:
                of_key = found[(found["key"] == key) & found["run_id"].isin(place.index)]
                at = place.loc[of_key["run_id"]].to_numpy()
                ends = {name: np.full(len(self.frame), np.nan) for name in directions.EXTREMES.values()}
                for name, values_of in ends.items():
                    values_of[at] = of_key[name].to_numpy()
                self._extremes[key] = (waiting[key], ends)
        values: dict[str, Floats] = {}
        for key in asked:
            values[key] = self._extremes[key][1][wanted[key]]
        unread = {key: self._among(waiting[key]) & np.isnan(values[key]) for key in asked if waiting[key]}
        return values, unread

    def at_steps(
        self, steps: Mapping[str, int], reader: RunReader, waiting: Waiting
    ) -> dict[str, tuple[Floats, Bools]]:
        """Values at exactly one step, by metric, and whether there is one; both of shape (runs,).

        Raises:
            Unavailable: MLflow does not answer.
        """
        asked = {key: step for key, step in steps.items() if key in self.frame.metrics.columns}
        for key, step in asked.items():
            if (key, step) not in self._at_steps or self._at_steps[key, step][0] != waiting[key]:
                found = reader.at_step(self.experiment, key, step)
                has = np.array([one in found for one in self.frame.ids], dtype=bool)
                values = np.array([found.get(one, np.nan) for one in self.frame.ids], dtype=float)
                self._at_steps[key, step] = waiting[key], values, has
        return {key: self._at_steps[key, step][1:] for key, step in asked.items()}

    def _among(self, ids: frozenset[str]) -> Bools:
        return np.array([one in ids for one in self.frame.ids], dtype=bool)

    def histories(
        self, reader: RunReader, run_ids: Sequence[str], key: str
    ) -> tuple[dict[str, pd.DataFrame], Histories]:
        """Points of one metric by run, in the order of steps; runs without any are left out.

        The second: whose are still to be read, and why they are not there.

        Raises:
            Unavailable: MLflow's database does not answer.
        """
        if self._points > _MOST_POINTS:
            self._histories.clear()
            self._points = 0
        known = self._histories.setdefault(key, {})
        missing = [one for one in run_ids if one not in known]
        found = reader.histories(missing, [key]) if missing else Histories(pd.DataFrame())
        parts: dict[str, pd.DataFrame] = {}
        if missing:
            parts = {str(one): part for one, part in found.points.groupby("run_id", sort=False)}
        for one in missing:
            if one not in found.unread:  # of the others the next run may know more
                known[one] = parts.get(one, found.points.iloc[:0])
                self._points += len(known[one])
        here = {**parts, **known}
        return {one: here[one] for one in run_ids if one in here and len(here[one])}, found

    def remember(self, key: Hashable, make: Callable[[], T]) -> T:
        """What was computed of these runs once before, else now; the last few are kept."""
        if key not in self._pictures:
            self._pictures[key] = make()
            while len(self._pictures) > _PICTURES:
                self._pictures.popitem(last=False)
        self._pictures.move_to_end(key)
        return self._pictures[key]  # type: ignore[return-value]  # what `make` of this key gave


class RunReader:
    """Reads of one installation, shared by all its sessions."""

    def __init__(self, context: Context) -> None:
        self._context = context
        url = context.settings.mlflow_database_url
        self._database = MlflowDatabase(url) if url else None
        self.client = MlflowRuns(context.settings.mlflow_uri)
        self.indexer = Indexer(context)
        self._kept: OrderedDict[str, KeptRuns] = OrderedDict()
        self._experiments: tuple[Experiment, ...] = ()
        self._environments = MlflowEnvironments(context.settings.mlflow_uri)
        self._packages: dict[str, Mapping[str, str]] = {}
        self._lock = threading.Lock()

    def database(self) -> tuple[MlflowDatabase | None, str]:
        """The database when it can be read now, and else why not."""
        if self._database is None:
            return None, "MLflow's database is not ours and none is configured (MLOPS_DASH_MLFLOW_DATABASE_URL)."
        why = self._database.why_not()
        return (None, why) if why else (self._database, "")

    def experiments(self) -> tuple[Experiment, ...]:
        """All experiments; the last known when MLflow has gone away meanwhile.

        Raises:
            Unavailable: MLflow does not answer, and nothing is known from before.
        """
        database, _ = self.database()
        try:
            if database is not None:
                self._experiments = database.experiments()
            else:
                self._experiments = self.client.experiments()
                self.indexer.index.put_experiments(self._experiments)
        except Unavailable:
            self._experiments = self._experiments or (() if database is not None else self.indexer.index.experiments())
            if not self._experiments:
                raise
        return self._experiments

    def waiting(self, experiment: str, keys: Sequence[str]) -> Waiting:
        """By metric, the runs whose history is still to be read into the index; none where the database is read."""
        waiting: dict[str, set[str]] = {key: set() for key in keys}
        if keys and self.database()[0] is None:
            for one in self.indexer.want_histories(ids_of(experiment), keys):
                waiting[one.key].add(one.run_id)
        return {key: frozenset(ids) for key, ids in waiting.items()}

    def extremes(self, experiment: str, keys: Sequence[str]) -> pd.DataFrame:
        """Smallest, largest and nearest to 0 in the histories of some metrics, as far as they are known."""
        database, _ = self.database()
        return (self.indexer.known if database is None else database).extremes(ids_of(experiment), keys)

    def at_step(self, experiment: str, key: str, step: int) -> dict[str, float]:
        """The value of one metric at exactly one step, by run; runs without one are left out."""
        database, _ = self.database()
        return (self.indexer.known if database is None else database).at_step(ids_of(experiment), key, step)

    def histories(self, run_ids: Sequence[str], keys: Sequence[str]) -> Histories:
        """Every point of some metrics of some runs, and of which runs something is still to be read.

        Raises:
            Unavailable: MLflow's database does not answer.
        """
        database, _ = self.database()
        return (
            self.indexer.histories(run_ids, keys) if database is None else Histories(database.histories(run_ids, keys))
        )

    def trouble(self, experiment: str) -> str:
        """Why the index could not be brought up to date the last time; "" when it could, or none is needed."""
        if self.database()[0] is not None:
            return ""
        states = [self.indexer.index.state(one) for one in ids_of(experiment)]
        return next((one.trouble for one in states if one is not None and one.trouble), "")

    def read_now(self, run_ids: Sequence[str], keys: Sequence[str]) -> None:
        """Read the histories of a few runs that the index has not yet, instead of waiting for the worker.

        Raises:
            Unavailable: some are still missing; a verdict on the others would be another one.
        """
        if self.database()[0] is not None:
            return
        found = self.indexer.histories(run_ids, keys)
        if found.unread:
            n = f"{len(found.unread)} of {len(set(run_ids))} runs"
            raise Unavailable(f"Histories of {n} are not read yet. {found.why}".strip(), hint="Try again in a moment.")

    def packages(self, run_id: str) -> Mapping[str, str]:
        """Version by package of a run's model; kept, because a model does not change. Empty where none is recorded.

        Raises:
            NotFound: there is no such run, or it was deleted.
            Unavailable: MLflow does not answer.
        """
        if run_id not in self._packages:
            found = self._environments.packages(run_id, self.experiment_of(run_id))
            if not found:
                return {}  # it may still come
            self._packages[run_id] = found
        return self._packages[run_id]

    def experiment_of(self, run_id: str) -> str:
        """The experiment of a run.

        Raises:
            NotFound: there is no such run, or it was deleted.
            Unavailable: MLflow does not answer.
        """
        database, _ = self.database()
        if database is None:
            return self.indexer.index.experiment_of(run_id) or self.client.experiment_of(run_id)
        found = database.experiment_of(run_id)
        if found is None:
            raise NotFound(f"The run {run_id} is not in MLflow, or was deleted.", hint="Check the address.")
        return found

    def runs(self, experiment: str, *, again: bool = False) -> tuple[KeptRuns, Source]:
        """All runs of an experiment, and how old that is.

        Args:
            experiment: Its id, or several with commas between.
            again: Read now, whatever is kept.

        Raises:
            Unavailable: MLflow does not answer, and nothing is known from before.
        """
        database, why = self.database()
        if database is None:
            return self._indexed(experiment, again, why)
        now = self._context.clock.now()
        with self._lock:
            kept, mark = self._kept.get(experiment), database.mark()
            if kept is not None and not again and self._holds(kept, mark):
                unchanged = bool(mark) and mark == kept.mark
                self._kept.move_to_end(experiment)
                return kept, Source("database", now if unchanged else kept.at, kept.seconds)
            try:
                kept = self._read(database, experiment, mark, now)
            except Unavailable as error:
                if kept is None:
                    raise
                return kept, Source("database", kept.at, kept.seconds, stale=error.sentence())
        return kept, Source("database", now, kept.seconds)

    def whole(self, experiment: str, histories: Sequence[str] = ()) -> tuple[KeptRuns, Source]:
        """All runs of an experiment, however long that takes the first time: for the command line.

        Args:
            experiment: Its id, or several with commas between.
            histories: Metrics whose whole histories are needed.

        Raises:
            Unavailable: MLflow does not answer.
        """
        database, _ = self.database()
        if database is None:
            for one in ids_of(experiment):
                self.indexer.fill(one)
            self.indexer.fill_histories(ids_of(experiment), histories)
        return self.runs(experiment)

    def _indexed(self, experiment: str, again: bool, why: str) -> tuple[KeptRuns, Source]:
        """From the index, which the worker fills; the first runs are read here when it knows none."""
        states = [self.indexer.open(one, again=again) for one in ids_of(experiment)]
        with self._lock:
            mark = " ".join(f"{one.experiment}:{one.revision}" for one in states)
            as_of = min(one.as_of for one in states)
            kept = self._kept.get(experiment)
            if kept is None or again or not self._holds(kept, mark):
                kept = self._read(self.indexer.index, experiment, mark, as_of)
            self._kept.move_to_end(experiment)
        passes = [one.passed_at for one in states if one.passed_at is not None]
        return kept, Source(
            "index", as_of, kept.seconds, why,
            filling=None if all(one.complete for one in states) else sum(one.n_runs for one in states),
            passed_at=min(passes) if len(passes) == len(states) else None,
            stale=next((one.trouble for one in states if one.trouble), ""),
        )  # fmt: skip

    def _read(self, place: MlflowDatabase | RunIndex, experiment: str, mark: str, at: datetime) -> KeptRuns:
        started = time.perf_counter()
        frame = place.frame(ids_of(experiment))
        if len(ids_of(experiment)) > 1:
            names = {one.id: one.name for one in self._experiments}
            named = [names.get(one, one) for one in frame.info["experiment_id"]]
            frame = replace(frame, info=frame.info.assign(experiment=pd.Series(named, dtype=object)))
        took = time.perf_counter() - started
        made = self._kept[experiment] = KeptRuns(experiment, frame, mark, at, time.monotonic(), took)
        self._kept.move_to_end(experiment)
        while len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
        return made

    def _holds(self, kept: KeptRuns, mark: str) -> bool:
        if mark and mark == kept.mark:
            return True
        return time.monotonic() - kept.clock < max(_LEAST_SECONDS, _TIMES_READING * kept.seconds)


def ids_of(experiment: str) -> list[str]:
    """The ids in "7" or "7,12"."""
    return [one for one in experiment.split(",") if one]
