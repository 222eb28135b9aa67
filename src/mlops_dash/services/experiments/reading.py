"""Runs from MLflow's database where it may be read, else through the client; kept in memory while nothing changes."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import numpy as np
import pandas as pd

from mlops_dash.domain.experiments import Experiment, Source, default_columns
from mlops_dash.domain.run_groups import Grouping, grouped
from mlops_dash.domain.runs import Floats, Reducer, RunFrame
from mlops_dash.errors import NotFound, Unavailable
from mlops_dash.services.command import Context
from mlops_dash.store.mlflow_runs import MlflowDatabase
from mlops_dash.tracking.search import MOST_RUNS, MlflowRuns

_KEPT: Final = 4  # experiments in memory; one of 10,000 runs takes about 60 MB
_LEAST_SECONDS: Final = 2.0
_TIMES_READING: Final = 10.0  # what takes a second to read may be ten seconds old


@dataclass
class KeptRuns:
    """The runs of one experiment as they were read, and what was computed of them."""

    experiment: str
    frame: RunFrame
    mark: str
    at: datetime
    clock: float
    seconds: float
    _extremes: dict[str, tuple[Floats, Floats]] = field(default_factory=dict)
    _groupings: dict[str | None, Grouping] = field(default_factory=dict)
    _columns: dict[str | None, tuple[str, ...]] = field(default_factory=dict)

    def grouping(self, key: str | None) -> Grouping:
        """Groups of repeats over all runs of the experiment."""
        if key not in self._groupings:
            self._groupings[key] = grouped(self.frame, key)
        return self._groupings[key]

    def default_columns(self, key: str | None) -> tuple[str, ...]:
        """The columns that are shown when nobody chose any."""
        if key not in self._columns:
            self._columns[key] = default_columns(self.frame, self.grouping(key))
        return self._columns[key]

    def reduced(self, reducers: Mapping[str, Reducer], reader: RunReader) -> dict[str, Floats]:
        """Smallest or largest value of the histories, by metric; shape (runs,), NaN where there is none.

        Raises:
            Unavailable: MLflow does not answer.
        """
        asked = [key for key in reducers if key in self.frame.metrics.columns]
        missing = [key for key in asked if key not in self._extremes]
        if missing:
            found = reader.extremes(self.experiment, self.frame.ids, missing)
            place = pd.Series(np.arange(len(self.frame)), index=self.frame.ids)
            for key in missing:
                of_key = found[(found["key"] == key) & found["run_id"].isin(place.index)]
                at = place.loc[of_key["run_id"]].to_numpy()
                ends = np.full((2, len(self.frame)), np.nan)
                ends[0, at], ends[1, at] = of_key["low"].to_numpy(), of_key["high"].to_numpy()
                self._extremes[key] = (ends[0], ends[1])
        return {key: self._extremes[key][0 if reducers[key] is Reducer.MIN else 1] for key in asked}


class RunReader:
    """Reads of one installation, shared by all its sessions."""

    def __init__(self, context: Context) -> None:
        self._context = context
        url = context.settings.mlflow_database_url
        self._database = MlflowDatabase(url) if url else None
        self.client = MlflowRuns(context.settings.mlflow_uri)
        self._kept: OrderedDict[str, KeptRuns] = OrderedDict()
        self._experiments: tuple[Experiment, ...] = ()
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
            self._experiments = database.experiments() if database is not None else self.client.experiments()
        except Unavailable:
            if not self._experiments:
                raise
        return self._experiments

    def extremes(self, experiment: str, run_ids: Sequence[str], keys: Sequence[str]) -> pd.DataFrame:
        """Smallest and largest value of the histories of some metrics."""
        database, _ = self.database()
        return self.client.extremes(run_ids, keys) if database is None else database.extremes([experiment], keys)

    def histories(self, run_ids: Sequence[str], keys: Sequence[str]) -> pd.DataFrame:
        """Every point of some metrics of some runs.

        Raises:
            Unavailable: MLflow does not answer.
        """
        database, _ = self.database()
        return (self.client if database is None else database).histories(run_ids, keys)

    def experiment_of(self, run_id: str) -> str:
        """The experiment of a run.

        Raises:
            NotFound: there is no such run, or it was deleted.
            Unavailable: MLflow does not answer.
        """
        database, _ = self.database()
        if database is None:
            return self.client.experiment_of(run_id)
        found = database.experiment_of(run_id)
        if found is None:
            raise NotFound(f"The run {run_id} is not in MLflow, or was deleted.", hint="Check the address.")
        return found

    def runs(self, experiment: str, *, again: bool = False) -> tuple[KeptRuns, Source]:
        """All runs of an experiment, and how old that is.

        Args:
            experiment: Its id.
            again: Read now, whatever is kept.

        Raises:
            Unavailable: MLflow does not answer, and nothing is known from before.
        """
        database, why = self.database()
        limit = None if database is not None else MOST_RUNS
        kind = "client" if database is None else "database"
        now = self._context.clock.now()
        with self._lock:
            kept = self._kept.get(experiment)
            mark = database.mark() if database is not None else ""
            if kept is not None and not again and self._holds(kept, mark):
                unchanged = bool(mark) and mark == kept.mark
                self._kept.move_to_end(experiment)
                full = limit if limit is not None and len(kept.frame) >= limit else None
                return kept, Source(kind, now if unchanged else kept.at, kept.seconds, why, full)
            started = time.perf_counter()
            try:
                frame = database.frame([experiment]) if database is not None else self.client.frame([experiment])
            except Unavailable as error:
                if kept is None:
                    raise
                return kept, Source(kind, kept.at, kept.seconds, why, limit, stale=error.sentence())
            took = time.perf_counter() - started
            kept = self._kept[experiment] = KeptRuns(experiment, frame, mark, now, time.monotonic(), took)
            self._kept.move_to_end(experiment)
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        full = limit if limit is not None and len(frame) >= limit else None
        return kept, Source(kind, now, took, why, full)

    def _holds(self, kept: KeptRuns, mark: str) -> bool:
        if mark and mark == kept.mark:
            return True
        return time.monotonic() - kept.clock < max(_LEAST_SECONDS, _TIMES_READING * kept.seconds)
