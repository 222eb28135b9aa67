"""The runs table as it leaves the house: every row that matches, in the order and columns of the page."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

import numpy as np

from mlops_dash.domain.experiments.frame import Floats, Reducer
from mlops_dash.domain.experiments.groups import telling
from mlops_dash.domain.experiments.room import STATUS_LOOKS, Column, ExperimentRoom

_MOST_TELLING = 6


class TableFormat(StrEnum):
    """How a table is written."""

    CSV = "csv"
    XLSX = "xlsx"
    MARKDOWN = "markdown"
    LATEX = "latex"


ENDINGS: Mapping[TableFormat, str] = {
    TableFormat.CSV: "csv", TableFormat.XLSX: "xlsx", TableFormat.MARKDOWN: "md", TableFormat.LATEX: "tex",
}  # fmt: skip
MIMES: Mapping[TableFormat, str] = {
    TableFormat.CSV: "text/csv",
    TableFormat.XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    TableFormat.MARKDOWN: "text/markdown",
    TableFormat.LATEX: "application/x-tex",
}


@dataclass(frozen=True)
class Spread:
    """A metric over the repeats of a configuration; NaN where there is none.

    Attributes:
        mean: Of the finite values.
        sd: Their standard deviation.
        low: Lower end of the 95 % t interval of the mean.
        high: Its upper end.
        n: Finite values.
        n_runs: Runs.
    """

    mean: float
    sd: float
    low: float
    high: float
    n: int
    n_runs: int


Cell = str | float | int | datetime | Spread | None


@dataclass(frozen=True)
class Heading:
    """One column. `digits` are the decimals in which its numbers can be told apart, None for texts."""

    label: str
    digits: int | None = None
    spread: bool = False


@dataclass(frozen=True)
class Table:
    """A table with a title; rows have a cell for each heading."""

    title: str
    headings: tuple[Heading, ...]
    rows: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True)
class Exported:
    """A written table."""

    file_name: str
    mime: str
    content: bytes
    n_rows: int


def shown(room: ExperimentRoom) -> Table:
    """What the page shows, on all its pages: rows after filter, grouping and order, with the chosen columns.

    Metrics keep their full value; a run's id and start stand beside its name, because names are not unique.
    """
    title = "" if room.experiment is None else room.experiment.name
    if room.groups is not None:
        return _of_groups(room, title)
    return _of_runs(room, title)


def file_name(experiment: str, at: datetime, kind: TableFormat) -> str:
    """A name that says experiment and time, with signs that every file system takes.

    >>> file_name("väl / sweep", datetime(2026, 11, 23, 13, 5, tzinfo=UTC), TableFormat.LATEX)
    'väl-sweep-20261123-1305.tex'
    """
    name = re.sub(r"[^\w.]+", "-", experiment).strip("-.")[:80] or "runs"
    return f"{name}-{at.astimezone(UTC):%Y%m%d-%H%M}.{ENDINGS[kind]}"


def decimals(values: Floats) -> int:
    """Digits after the point with which values can be told apart: 3 at least below 10, 0 for whole numbers.

    >>> decimals(np.array([.6471, .6452])), decimals(np.array([12435., 37455.])), decimals(np.array([.5]))
    (5, 0, 3)
    """
    finite = values[np.isfinite(values)]
    if not len(finite):
        return 3
    if (finite == np.round(finite)).all() and np.abs(finite).max() >= 10:
        return 0
    spread = float(finite.max() - finite.min())
    needed = 2 - math.floor(math.log10(spread)) if spread > 0 else 3
    return min(6, max(needed, 3 if np.abs(finite).max() < 10 else 1))


def _of_runs(room: ExperimentRoom, title: str) -> Table:
    runs = room.matching
    headings, columns = [Heading("Run")], [_texts(runs.info["run_name"])]
    for column in room.columns:
        label = _label(column, room.columns)
        if column.kind == "metrics":
            values = runs.metrics[column.key].to_numpy(dtype=float)
            logged = runs.logged[:, runs.metrics.columns.get_loc(column.key)]
            digits = decimals(values)
            headings.append(Heading(label, digits))
            columns.append([float(one) if has else None for one, has in zip(values, logged, strict=True)])
            base = room.base.get(column.key, math.nan)
            if room.baseline and math.isfinite(base):
                headings.append(Heading(f"{label}, difference from the baseline", digits))
                ok = logged & np.isfinite(values)
                columns.append([float(one - base) if has else None for one, has in zip(values, ok, strict=True)])
        else:
            headings.append(Heading(label))
            columns.append(_texts(runs.column(column.name)))
    headings += [Heading("Status"), Heading("Started (UTC)"), Heading("Took (s)", 1), Heading("Run id")]
    took = runs.column("attributes.duration").to_numpy(dtype=float)
    columns += [
        [STATUS_LOOKS[one][1] if one in STATUS_LOOKS else str(one) for one in runs.info["status"]],
        [None if math.isnan(one) else datetime.fromtimestamp(one / 1000, tz=UTC) for one in runs.info["start_time"]],
        [None if math.isnan(one) else float(one) for one in took],
        list(runs.ids),
    ]
    return Table(title, tuple(headings), tuple(zip(*columns, strict=True)))


def _of_groups(room: ExperimentRoom, title: str) -> Table:
    """One row a configuration: what tells it apart, how many runs, each metric with its spread."""
    groups = room.groups
    assert groups is not None
    key = room.grouping.key
    first = room.runs.params.iloc[[int(room.grouping.first[code]) for code in groups.members]]
    alone = [one for one in room.grouping.by if first[one].notna().any()]  # one configuration is named by all it has
    told = (telling(room.runs, room.grouping, groups.members) or tuple(alone))[:_MOST_TELLING]
    asked = {one.name: one for one in room.columns if one.kind != "metrics" and one.key != key}
    names = [*asked, *(f"params.{one}" for one in told if f"params.{one}" not in asked)]
    apart = [asked.get(one) or Column(one, "params", one.partition(".")[2]) for one in names]
    every = [*apart, *room.metrics]
    order = groups.whole or groups.order
    headings = [Heading(_label(one, every)) for one in apart] + [Heading("Runs", 0)]
    cells = [_first_of(_texts(room.runs.column(one.name)), room) for one in apart]
    cells.append(lambda code: len(groups.members[code]))
    for one in room.metrics:
        headings.append(Heading(_label(one, every), decimals(room.matching.metrics[one.key].to_numpy()), spread=True))
        rows = groups.metrics[one.key].to_dict("index")
        cells.append(_spread_of(rows))
    if key:
        headings.append(Heading(key))
        of_run = dict(zip(room.runs.ids, _texts(room.runs.column(f"params.{key}")), strict=True))
        cells.append(
            lambda code: ", ".join(str(of_run[one]) for one in groups.members[code] if of_run[one] is not None)
        )
    return Table(title, tuple(headings), tuple(tuple(cell(code) for cell in cells) for code in order))


def _first_of(texts: Sequence[Cell], room: ExperimentRoom) -> Callable[[int], Cell]:
    return lambda code: texts[int(room.grouping.first[code])]


def _spread_of(rows: Mapping[object, Mapping[object, float]]) -> Callable[[int], Cell]:
    def cell(code: int) -> Cell:
        row = rows[code]
        mean, sd, low, high = (float(row[name]) for name in ("mean", "sd", "low", "high"))
        return Spread(mean, sd, low, high, int(row["n_finite"]), int(row["n"]))

    return cell


def _texts(column: object) -> list[Cell]:
    return [None if one is None or one != one or one == "" else str(one) for one in column]  # type: ignore[attr-defined]


def _label(column: Column, every: Sequence[Column]) -> str:
    """The name of a column with its reducer, and with its kind where another has the same name."""
    said = column.key
    if sum(one.key == column.key for one in every) > 1:
        said += {"metrics": " (metric)", "params": " (parameter)", "tags": " (tag)"}.get(column.kind, "")
    if column.kind == "metrics" and column.reducer is not Reducer.LAST:
        said += f", at step {column.step}" if column.reducer is Reducer.AT else f", {column.reducer}"
    return said
