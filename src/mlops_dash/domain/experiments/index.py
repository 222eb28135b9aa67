"""The run index: runs of a remote MLflow server as last read through its API, and how far that reading is."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from mlops_dash.domain.experiments.frame import Dataset
from mlops_dash.ids import canonical_json

FIRST_PAGE: Final = 200  # what a page reads itself when nothing is known yet
PAGE: Final = 500
SMALL_PAGE: Final = 100  # where a page of 500 takes longer than `SLOW_SECONDS`
SLOW_SECONDS: Final = 5.0
LOOK_EVERY: Final = timedelta(seconds=5)  # new, running and deleted runs
PASS_EVERY: Final = timedelta(minutes=2)  # everything again: changed tags of finished runs
_PASS_A_RUN: Final = timedelta(milliseconds=60)  # a pass costs the server some 3 ms a run: a twentieth of its time
ASKED_FOR: Final = timedelta(minutes=30)  # an experiment that nobody looked at for so long is left alone

Point = tuple[int, int, float]  # step, ms since 1970, value


@dataclass(frozen=True, eq=False)
class RunRecord:
    """One run as MLflow's API tells it; times in ms since 1970."""

    run_id: str
    experiment_id: str
    name: str
    status: str
    user_id: str
    artifact_uri: str
    start_time: int | None
    end_time: int | None
    metrics: Mapping[str, float]
    params: Mapping[str, str]
    tags: Mapping[str, str]
    datasets: tuple[Dataset, ...] = ()
    logged_at: Mapping[str, tuple[int, int]] = field(default_factory=dict)  # metric -> step and ms of the last value

    @property
    def digest(self) -> str:
        """Equal exactly when nothing of the run has changed."""
        parts = {
            "info": [self.experiment_id, self.name, self.status, self.user_id, self.artifact_uri, self.start_time,
                     self.end_time],
            "metrics": {key: [repr(value), *self.logged_at.get(key, ())] for key, value in self.metrics.items()},
            "params": dict(self.params),
            "tags": dict(self.tags),
            "datasets": [[one.name, one.digest, one.context] for one in self.datasets],
        }  # fmt: skip
        return hashlib.blake2b(canonical_json(parts).encode(), digest_size=16).hexdigest()


@dataclass(frozen=True, eq=False)
class RunPage:
    """Some runs, and where the next ones begin; "" = these were the last."""

    runs: tuple[RunRecord, ...]
    token: str


@dataclass(frozen=True)
class IndexState:
    """How far one experiment has been read.

    Attributes:
        experiment: MLflow's id.
        n_runs: Runs in the index.
        revision: Grows whenever a run in the index changes.
        complete: Whether all runs have been read at least once.
        pass_number: The reading of everything that is going on, or the last one.
        token: Where that reading goes on; None when it is over.
        size: Runs a page of it.
        as_of: When new, running and deleted runs were last looked for.
        passed_at: When a reading of everything last ended.
        asked_at: When somebody last looked at the experiment.
        trouble: Why the last attempt failed; "" when it did not.
    """

    experiment: str
    n_runs: int
    revision: int
    complete: bool
    pass_number: int
    token: str | None
    size: int
    as_of: datetime
    passed_at: datetime | None
    asked_at: datetime
    trouble: str = ""

    def wanted(self, now: datetime) -> bool:
        """Whether somebody looked at it lately, or its first reading is not over."""
        return not self.complete or now - self.asked_at < ASKED_FOR

    def look_due(self, now: datetime) -> bool:
        """Whether new, running and deleted runs are to be looked for."""
        return self.complete and now - self.as_of >= LOOK_EVERY

    def pass_due(self, now: datetime) -> bool:
        """Whether everything is to be read again: tags of finished runs change without a trace in the API."""
        every = max(PASS_EVERY, self.n_runs * _PASS_A_RUN)
        return self.token is None and (self.passed_at is None or now - self.passed_at >= every)


def page_size(size: int, seconds: float) -> int:
    """How many runs to ask for next, after a page of `size` took `seconds`.

    >>> page_size(200, .4), page_size(500, 9.0), page_size(100, .2)
    (500, 100, 100)
    """
    if size == SMALL_PAGE or seconds * PAGE / max(size, 1) > SLOW_SECONDS:
        return SMALL_PAGE
    return PAGE
