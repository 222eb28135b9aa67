"""The Experiments room: what is asked (all of it fits into a URL), and everything the page shows, from one read."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from urllib.parse import unquote

import pandas as pd

from mlops_dash.domain.comparability import Comparability
from mlops_dash.domain.evidence import Direction
from mlops_dash.domain.run_filter import Mistake
from mlops_dash.domain.run_groups import Grouping
from mlops_dash.domain.runs import (
    HELD_OUT,
    Dataset,
    Floats,
    Reducer,
    RunFrame,
    RunStatus,
    proposed_direction,
    split_of,
    varies,
)
from mlops_dash.errors import InvalidInput

PAGE_SIZE: Final = 100
MOST_TRAY: Final = 12
MOST_LINES: Final = 500
MOST_CURVES: Final = 12


class Picture(StrEnum):
    """What stands beside the table."""

    CURVES = "curves"
    PARALLEL = "parallel"
    SCATTER = "scatter"
    DIFFERENCES = "differences"


class Axis(StrEnum):
    """The x of curves."""

    STEP = "step"
    TIME = "time"


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

    experiment: str = ""
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
    reducers: Mapping[str, Reducer] = field(default_factory=dict)
    directions: Mapping[str, Direction | None] = field(default_factory=dict)
    picture: Picture = Picture.CURVES
    curve: str = ""  # metric of the curves; "" = the first shown
    axis: Axis = Axis.STEP
    smoothing: float = 0.0


@dataclass(frozen=True)
class Source:
    """Where the runs were read, how old that is, and what is not there."""

    kind: str  # database | client
    as_of: datetime
    seconds: float  # how long the read took
    why: str = ""  # why not from the database
    limit: int | None = None  # only this many of the newest runs were read
    stale: str = ""  # why this is the last known state


@dataclass(frozen=True)
class Column:
    """One column of the table."""

    name: str  # metrics.auc
    kind: str  # metrics | params | tags | attributes
    key: str
    reducer: Reducer = Reducer.LAST
    direction: Direction | None = None
    proposed: bool = False  # the direction comes from a well-known name, nobody chose it


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


@dataclass(frozen=True, eq=False)
class Curve:
    """One line: a run, or the mean of repeats with their range."""

    label: str
    run_ids: tuple[str, ...]
    x: Floats  # steps, or seconds since the run began
    y: Floats
    low: Floats | None = None
    high: Floats | None = None
    n_bad: int = 0  # points that are NaN or infinite


@dataclass(frozen=True)
class DiffRow:
    """One fact of several runs; `values` is None where a run has none."""

    name: str
    values: tuple[str | None, ...]

    @property
    def changed(self) -> bool:
        """Whether the runs differ."""
        return len(set(self.values)) > 1


@dataclass(frozen=True)
class DiffBlock:
    """Facts of one kind."""

    title: str
    rows: tuple[DiffRow, ...]

    @property
    def n_changed(self) -> int:
        """In how many facts the runs differ."""
        return sum(row.changed for row in self.rows)


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
    """One column with its reducer and direction."""
    kind, _, key = name.partition(".")
    if kind != "metrics":
        return Column(name, kind, key)
    proposed = proposed_direction(key)
    known = key in query.directions
    direction = query.directions[key] if known else proposed
    return Column(name, kind, key, query.reducers.get(key, Reducer.LAST), direction, proposed=not known)


def default_columns(runs: RunFrame, grouping: Grouping) -> tuple[str, ...]:
    """Up to three metrics that vary (held-out ones with a known direction first) and three parameters that do."""
    names = [str(one) for one in runs.metrics.columns]
    differ = [one for one in names if len(runs) < 2 or runs.metrics[one].nunique() > 1]
    metrics = sorted(differ or names, key=lambda one: (_standing(one), names.index(one)))[:3]
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


def differences(runs: RunFrame, shown: Sequence[str]) -> tuple[DiffBlock, ...]:
    """Parameters, metrics, data, code and tags of several runs, in blocks.

    Args:
        runs: The runs to be compared.
        shown: Texts of metrics are made here to six significant digits; `shown` metrics come first.
    """
    metric_names = [*shown, *(str(one) for one in runs.metrics.columns if one not in shown)]
    tags = [str(one) for one in runs.tags.columns]
    code = [one for one in tags if one in _CODE]
    data = [one for one in tags if one in _DATA]
    own = [one for one in tags if not one.startswith("mlflow.") and one not in code and one not in data]
    return (
        DiffBlock("Parameters", tuple(_texts(runs.params[one], str(one)) for one in runs.params.columns)),
        DiffBlock("Metrics", tuple(_numbers(runs, one) for one in metric_names)),
        DiffBlock("Data", (_given(runs), *(_texts(runs.tags[one], one) for one in data))),
        DiffBlock("Code", tuple(_texts(runs.tags[one], one) for one in code)),
        DiffBlock("Tags", tuple(_texts(runs.tags[one], one) for one in own)),
    )


_CODE = ("mlflow.source.git.commit", "mlflow.source.name", "mlflow.source.type", "mlops_dash.git_commit")
_DATA = ("mlops_dash.dataset_sha256", "mlops_dash.eval_digest", "mlops_dash.eval_rows", "mlops_dash.split")


def _texts(values: pd.Series[Any], name: str) -> DiffRow:
    return DiffRow(name, tuple(None if one is None else str(one) for one in values))


def _numbers(runs: RunFrame, metric: str) -> DiffRow:
    found: list[str | None] = []
    for at, value in enumerate(runs.metrics[metric]):
        state = runs.state(at, metric)
        found.append(None if state == "missing" else number_text(float(value)))
    return DiffRow(metric, tuple(found))


def _given(runs: RunFrame) -> DiffRow:
    said = [", ".join(f"{one.name} {one.digest}" for one in of_run) or None for of_run in runs.info["datasets"]]
    return DiffRow("data set and digest", tuple(said))


def number_text(value: float) -> str:
    """A metric as text: six significant digits; NaN and infinity by name.

    >>> number_text(.123456789), number_text(float("inf")), number_text(12435.0)
    ('0.123457', '∞', '12435')
    """
    if value != value:
        return "NaN"
    if value in {float("inf"), float("-inf")}:
        return "∞" if value > 0 else "−∞"
    return f"{value:.6g}".replace("-", "−")


STATUS_LOOKS: Final[Mapping[str, tuple[str, str, str]]] = {
    RunStatus.FINISHED: ("check_circle", "Finished", "gray"),
    RunStatus.RUNNING: ("progress_activity", "Running", "blue"),
    RunStatus.SCHEDULED: ("schedule", "Scheduled", "gray"),
    RunStatus.FAILED: ("cancel", "Failed", "red"),
    RunStatus.KILLED: ("block", "Killed", "orange"),
}
