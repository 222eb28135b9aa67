"""The Experiments room: what is asked (all of it fits into a URL), and everything the page shows, from one read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from urllib.parse import unquote

import pandas as pd

from mlops_dash.domain.evidence import Direction
from mlops_dash.domain.experiments.comparability import Comparability
from mlops_dash.domain.experiments.differences import DiffBlock
from mlops_dash.domain.experiments.filter import Mistake
from mlops_dash.domain.experiments.frame import (
    HELD_OUT,
    Dataset,
    Reducer,
    RunFrame,
    RunStatus,
    proposed_direction,
    split_of,
    varies,
)
from mlops_dash.domain.experiments.groups import Grouping
from mlops_dash.domain.experiments.pictures import Axis, Band, Curve, CurveGaps, Front, Importance, Picture
from mlops_dash.errors import InvalidInput

PAGE_SIZE: Final = 100
MOST_TRAY: Final = 12
MOST_LINES: Final = 500
_PRIMARY: Final = frozenset({"auc", "roc_auc", "auroc", "log_loss", "logloss", "mae", "mean_absolute_error"})


@dataclass(frozen=True)
class Experiment:
    """One experiment of MLflow; `last_at` is the start of its newest run, or when it was made."""

    id: str
    name: str
    n_runs: int | None  # None where counting would mean reading all of them
    last_at: datetime | None


@dataclass(frozen=True)
class RunQuery:
    """What a person wants to see; every field is a parameter of the URL."""

    experiment: str = ""  # its id; several with commas between
    text: str = ""
    text_before: str = ""  # the last filter that parsed: the table stays with it while `text` does not
    statuses: tuple[str, ...] = ()
    chosen: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # parameter -> clicked values
    sort: str = ""  # column name; a minus before it: descending; "" = best first, else newest first
    columns: tuple[str, ...] = ()  # () = chosen from the data
    differences: bool = False  # only columns in which the runs differ
    grouped: bool = False
    repeat_key: str | None = None  # None = proposed from the data; "" = none
    page: int = 1
    tray: tuple[str, ...] = ()
    baseline: str = ""
    data_tag: str = ""  # the tag that names the evaluation data, as the user says; "" = our digest
    reducers: Mapping[str, Reducer] = field(default_factory=dict)
    steps: Mapping[str, int] = field(default_factory=dict)  # metric -> step, for the reducer "at step"
    directions: Mapping[str, Direction | None] = field(default_factory=dict)
    picture: Picture = Picture.CURVES
    curve: str = ""  # metric of the curves; "" = the first shown
    axis: Axis = Axis.STEP
    smoothing: float = 0.0
    band: Band = Band.RANGE
    lines: int = 0  # how many curves when none are ticked; 0 = a few
    front: tuple[str, ...] = ()  # metrics of the Pareto front; () = the first two with a direction
    pinned: tuple[str, ...] = ()  # columns that stay at the left
    environment: bool = False  # compare the installed packages too: files of each run's model are read


@dataclass(frozen=True)
class Source:
    """Where the runs were read, how old that is, and what is not there."""

    kind: str  # database | index
    as_of: datetime
    seconds: float  # how long the read took
    why: str = ""  # why not from the database
    filling: int | None = None  # so many runs are in the index; the others are still being read
    passed_at: datetime | None = None  # when all runs were last read through the API
    stale: str = ""  # why this is the last known state
    histories: Mapping[str, tuple[int, int]] = field(default_factory=dict)  # metric -> histories read so far, and all


@dataclass(frozen=True)
class Column:
    """One column of the table."""

    name: str  # metrics.auc
    kind: str  # metrics | params | tags | attributes
    key: str
    reducer: Reducer = Reducer.LAST
    direction: Direction | None = None
    proposed: bool = False  # the direction comes from a well-known name, nobody chose it
    step: int | None = None  # of the reducer "at step"
    pinned: bool = False


@dataclass(frozen=True)
class SeedTest:
    """Whether a configuration differs from the baseline's beyond the noise of its repeats, and the sentence to print.

    Repeats on one fixed split never support "better": they know nothing of other test sets.
    """

    beyond: bool
    sentence: str
    tested: bool = True


@dataclass(frozen=True, eq=False)
class GroupTable:
    """Groups of repeats; one row a group, in the order shown.

    `metrics` holds one frame a metric with the columns n, n_finite, mean, sd, low, high; rows in the same order.
    """

    grouping: Grouping
    order: tuple[int, ...]  # group codes of the shown page
    members: Mapping[int, tuple[str, ...]]  # run ids by group code, of the shown page
    metrics: Mapping[str, pd.DataFrame]  # by metric; index = group code
    tests: Mapping[str, Mapping[int, SeedTest]] = field(default_factory=dict)  # by metric and group, of the shown page
    whole: tuple[int, ...] = ()  # group codes of all pages


@dataclass(frozen=True, eq=False)
class ExperimentRoom:
    """Everything the page shows."""

    query: RunQuery
    experiments: tuple[Experiment, ...]
    experiment: Experiment | None
    source: Source | None
    runs: RunFrame  # all of the experiment, metrics by their reducers
    matching: RunFrame  # after the filter, in order
    sort: str  # the column of that order
    descending: bool
    n_pages: int
    page: int
    rows: RunFrame  # the page
    columns: tuple[Column, ...]
    hidden: tuple[str, ...]  # columns that are equal in all matching runs and therefore not shown
    statuses: Mapping[str, int]
    mistake: Mistake | None
    grouping: Grouping
    groups: GroupTable | None
    tray: RunFrame
    comparable: Comparability | None  # of the tray, when it holds two runs
    judged_elsewhere: frozenset[str]  # matching runs judged on other rows than the baseline
    n_judged_on: int  # different evaluation sets among the matching runs; 0 when none is recorded
    gone: tuple[str, ...]  # ids of the tray that are no more
    baseline: str  # id, or ""
    base: Mapping[str, float]  # metrics of the baseline (mean of its group when grouped)
    pictured: RunFrame  # the tray when it holds runs, else the matching runs
    curves: tuple[Curve, ...]
    curve_metric: str
    differences: tuple[DiffBlock, ...]
    curve_gaps: CurveGaps = field(default_factory=CurveGaps)  # what the curves lack
    environment_why: str = ""  # why the installed packages, though asked for, could not be read
    epoch_metric: str = ""  # the metric that logs the epoch of a step, if there is one
    importance: Importance | None = None
    front: Front | None = None

    @property
    def metrics(self) -> tuple[Column, ...]:
        """The metric columns shown."""
        return tuple(one for one in self.columns if one.kind == "metrics")

    @property
    def primary(self) -> Column | None:
        """The first metric shown: what pictures are coloured by."""
        return next(iter(self.metrics), None)


@dataclass(frozen=True)
class Artifact:
    """One file or folder of a run."""

    path: str
    is_folder: bool
    size: int | None


@dataclass(frozen=True)
class RunDetail:
    """One run in full."""

    id: str
    name: str
    experiment: str
    status: str
    user: str
    started_at: datetime | None
    ended_at: datetime | None
    parent: str
    params: Mapping[str, str]
    metrics: Mapping[str, float]
    tags: Mapping[str, str]
    datasets: tuple[Dataset, ...]
    artifacts: tuple[Artifact, ...]
    artifacts_why: str  # why they could not be listed
    version: tuple[str, str] | None  # (model, version) that this run became


# --- what a URL says --------------------------------------------------------------------------------------------------

_ADDRESS = re.compile(r"experiments/(?P<experiment>\d+)(?:/runs/(?P<run>[0-9a-f]{32}))?")
_RUN = re.compile(r"(?:runs:/+|/runs/|^)(?P<run>[0-9a-f]{32})(?=$|[/?#&])")


@dataclass(frozen=True)
class Address:
    """What a pasted MLflow address points at."""

    experiment: str = ""
    run: str = ""


def address(text: str) -> Address | None:
    """Read a pasted address of MLflow's pages (or `runs:/…`, or a bare run id); None when it is none.

    >>> address("http://host:5000/#/experiments/7/runs/0123456789abcdef0123456789abcdef")
    Address(experiment='7', run='0123456789abcdef0123456789abcdef')
    >>> address("metrics.auc > 1") is None
    True
    """
    said = unquote(text.strip())
    found = _ADDRESS.search(said)
    if found is not None and ("://" in said or said.startswith(("#", "/"))):
        return Address(found["experiment"], found["run"] or "")
    run = _RUN.search(said)
    return Address(run=run["run"]) if run is not None else None


def reducer(text: str) -> Reducer:
    """A reducer by its word.

    Raises:
        InvalidInput: there is none of that name.
    """
    try:
        return Reducer(text)
    except ValueError as error:
        raise InvalidInput(f"There is no reducer {text!r}.", hint="Use last, best, min or max.") from error


# --- which columns ----------------------------------------------------------------------------------------------------


def column(name: str, query: RunQuery) -> Column:
    """One column with its reducer and direction; "at step" without a step is the last value."""
    kind, _, key = name.partition(".")
    pinned = name in query.pinned
    if kind != "metrics":
        return Column(name, kind, key, pinned=pinned)
    proposed = proposed_direction(key)
    known = key in query.directions
    direction = query.directions[key] if known else proposed
    reducer = query.reducers.get(key, Reducer.LAST)
    step = query.steps.get(key) if reducer is Reducer.AT else None
    if reducer is Reducer.AT and step is None:
        reducer = Reducer.LAST
    return Column(name, kind, key, reducer, direction, proposed=not known, step=step, pinned=pinned)


def default_columns(runs: RunFrame, grouping: Grouping) -> tuple[str, ...]:
    """Up to three metrics that vary (held-out ones with a known direction first) and three parameters that do."""
    names = [str(one) for one in runs.metrics.columns]
    differ = [one for one in names if len(runs) < 2 or runs.metrics[one].nunique() > 1]
    metrics = sorted(differ or names, key=lambda one: (_standing(one), _rank(one), names.index(one)))[:3]
    told = [one for one in grouping.by if varies(runs.params[one])]
    params = sorted(told, key=lambda one: (runs.params[one].nunique() > len(runs) / 2, told.index(one)))[:3]
    key = [f"params.{grouping.key}"] if grouping.key else []
    return tuple([f"metrics.{one}" for one in metrics] + [f"params.{one}" for one in params] + key)


def _standing(metric: str) -> int:
    """Held out and with a direction comes first, training and directionless last."""
    split, _ = split_of(metric)
    known = proposed_direction(metric) is not None
    held_out = split in HELD_OUT
    return (0 if known and held_out else 1 if known and not split else 2 if held_out else 3 if known else 4) + (
        5 if split.startswith("train") else 0
    )


def _rank(metric: str) -> int:
    """The primary metric of a task comes before the others, what is only not to be off (a bias) after them."""
    if split_of(metric)[1].lower() in _PRIMARY:
        return 0
    return 2 if proposed_direction(metric) is Direction.ZERO else 1


STATUS_LOOKS: Final[Mapping[str, tuple[str, str, str]]] = {
    RunStatus.FINISHED: ("check_circle", "Finished", "gray"),
    RunStatus.RUNNING: ("progress_activity", "Running", "blue"),
    RunStatus.SCHEDULED: ("schedule", "Scheduled", "gray"),
    RunStatus.FAILED: ("cancel", "Failed", "red"),
    RunStatus.KILLED: ("block", "Killed", "orange"),
}
