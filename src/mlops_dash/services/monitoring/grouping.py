"""How much do rows of one customer say alike? Intervals by groups of rows that belong together, where days are few.

The same customers come again in every window, so windows are no witnesses of their own: groups are pooled over all
windows of a span, each is left out once, and the harm alarm takes a window's rows as fewer by their design effect.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from mlops_dash.domain.cadence import FEW_CLUSTERS, GROUP
from mlops_dash.domain.clusters import NAMELESS, groups_of
from mlops_dash.domain.format import plural
from mlops_dash.domain.monitoring.readings import Estimate
from mlops_dash.domain.tasks.task import ModelTask, Watch
from mlops_dash.services.monitoring.course import Day
from mlops_dash.stats.arrays import Floats, Ints
from mlops_dash.stats.intervals import t_quantile
from mlops_dash.store.db import Databases, reading
from mlops_dash.store.monitoring import groups as stored
from mlops_dash.store.monitoring.groups import GroupPart, GroupPiece
from mlops_dash.store.monitoring.parts import Layout, Part, label_parts, unpack
from mlops_dash.store.monitoring.references import Reference

MOST_WINDOWS = 100  # of a reference that its design effect is told from
_LEVEL = 0.95
NOT_NAMED = "no interval: rows by their"  # how the reason begins that there is none


class WindowGroups:
    """The labelled rows of windows by group; nothing is read before somebody asks."""

    def __init__(self, layout: Layout, load: Callable[[], Sequence[GroupPiece]]) -> None:
        self._layout, self._load = layout, load
        self._known: dict[int, dict[int, Part]] = {}
        self._pieces: Sequence[GroupPiece] | None = None
        self._batches: dict[str, list[GroupPiece]] = {}
        self._hours: list[int] = []

    def over(self, days: Sequence[Day]) -> list[Part]:
        """One part a group, of all these windows together."""
        held: dict[int, Part] = {}
        for day in days:
            for number, part in self._of(day).items():
                held[number] = held[number] + part if number in held else part
        return [held[number] for number in sorted(held)]

    def _of(self, day: Day) -> dict[int, Part]:
        if day.number not in self._known:
            found: dict[int, Part] = {}
            for one in self._within(day):
                part = unpack(self._layout, one.packed)
                found[one.number] = found[one.number] + part if one.number in found else part
            self._known[day.number] = found
        return self._known[day.number]

    def _within(self, day: Day) -> Sequence[GroupPiece]:
        if self._pieces is None:
            self._pieces = sorted(self._load(), key=lambda one: one.hour_us)
            self._hours = [one.hour_us for one in self._pieces]
            for one in self._pieces:
                self._batches.setdefault(one.batch, []).append(one)
        if day.batch:
            return self._batches.get(day.batch, [])
        first, end = (bisect_left(self._hours, round(at.timestamp() * 1e6)) for at in (day.start, day.end))
        return self._pieces[first:end]


def window_groups(databases: Databases, reference: Reference) -> WindowGroups | None:
    """Those that are stored; None where intervals of a reference go by something else."""

    def load() -> Sequence[GroupPiece]:
        with reading(databases.log) as session:
            return stored.pieces(session, reference.id)

    return WindowGroups(reference.layout, load) if reference.is_grouped else None


def group_parts(
    reference: Reference, rows: pd.DataFrame, slots: Ints, names: npt.NDArray[Any]
) -> tuple[GroupPart, ...]:
    """Count the labelled rows of hours by group.

    Args:
        reference: Which says by which column rows belong together.
        rows: Those that can be counted, with their ids.
        slots: int64[rows], begin of the hour, or of what a day's begin cuts of it, in microseconds.
        names: object[rows], of which batch each is; "" where windows are no batches.
    """
    labelled = rows["label"].notna().to_numpy()
    kept = rows[labelled]
    if kept.empty:
        return ()
    absent = pd.Series([None] * len(kept), index=kept.index, dtype=object)
    numbers = groups_of(kept.get(reference.cluster, absent))
    codes, keys = pd.MultiIndex.from_arrays([slots[labelled], names[labelled], numbers]).factorize()
    parts = label_parts(reference.layout, kept, codes.astype(np.int64), len(keys))
    return tuple(
        GroupPart(int(hour), str(batch), int(number), part)
        for (hour, batch, number), part in zip(keys, parts, strict=True)
    )


@dataclass(frozen=True)
class Alike:
    """What is known of how rows that belong together say alike.

    Attributes:
        groups: The labelled rows of a reference, one part a group.
        design: Watch -> by how much the variance of a window's mean is larger than that of as many independent rows.
    """

    groups: Sequence[Part]
    design: Mapping[str, float]


def alike_of(layout: Layout, rows: pd.DataFrame, column: str, windows: Ints, *, prior: float) -> Alike:
    """Tell it from the rows of a reference.

    Args:
        layout: Its cells.
        rows: Its rows.
        column: By which they belong together.
        windows: int64[rows], the number of each row's window, from 0.
        prior: Mean label.
    """
    numbers, most = groups_of(rows[column]), NAMELESS + 1
    n = min(int(windows.max()) + 1, MOST_WINDOWS)
    few = windows < n
    apart = label_parts(layout, rows[few], windows[few] * most + numbers[few], n * most)
    within = [[part for part in apart[at * most : (at + 1) * most] if part.n] for at in range(n)]
    design = {watch.key: design_effect(layout.task, watch, within, prior=prior) for watch in layout.task.followed}
    return Alike([part for part in label_parts(layout, rows, numbers, most) if part.n], design)


def design_effect(task: ModelTask, watch: Watch, windows: Sequence[Sequence[Part]], *, prior: float) -> float:
    """How much larger the variance of a window's loss is by groups than by rows: at least 1, and 1 where unknown."""
    by_groups = by_rows = 0.0
    for groups in windows:
        whole = _units(task, watch, groups, prior)
        error = _error(_without_each(task, watch, groups, prior))
        if whole is None or not math.isfinite(error):
            continue
        by_groups, by_rows = by_groups + error**2, by_rows + whole[1]
    return max(1.0, by_groups / by_rows) if by_rows > 0 else 1.0


def design_of(baseline: Mapping[str, Any], watch: Watch) -> float:
    """The design effect that a reference keeps; 1 where its rows have nothing that they belong to."""
    return float(baseline.get("design", {}).get(watch.key, 1.0))


def why_no_interval(column: str, groups: Sequence[Part]) -> str:
    """Why nothing is known of how far numbers would lie apart with other customers; "" = enough groups say it."""
    if len(groups) >= FEW_CLUSTERS:
        return ""
    return (
        f"{NOT_NAMED} {column} lie in {plural(len(groups), GROUP)}, at least {FEW_CLUSTERS} are needed "
        "(all that do not name theirs are one)"
    )


def without_interval(estimate: Estimate, why: str) -> Estimate:
    """The number alone, with the reason."""
    return replace(estimate, low=None, high=None, method="", reason=estimate.reason if estimate.value is None else why)


def grouped_mean(
    estimate: Estimate, task: ModelTask, watch: Watch, groups: Sequence[Part], *, prior: float
) -> Estimate:
    """A mean loss with an interval over groups, where that is wider than the one over windows, or the only one."""
    if estimate.value is None:
        return estimate
    without = np.asarray([watch.shown(one) for one in _without_each(task, watch, groups, prior)], dtype=np.float64)
    error = _error(without)
    if not math.isfinite(error):
        return estimate
    wide = t_quantile((1.0 + _LEVEL) / 2.0, without.size - 1) * error
    low, high = estimate.value - wide, estimate.value + wide
    if estimate.low is not None and estimate.high is not None and "independent" not in estimate.method:
        low, high = min(low, estimate.low), max(high, estimate.high)
    return replace(estimate, low=low, high=high, method="jackknife over groups", reason="")


def _units(task: ModelTask, watch: Watch, groups: Sequence[Part], prior: float) -> tuple[float, float] | None:
    """Mean loss of rows, and its variance where they are independent; None without one."""
    whole = _sum(groups)
    units = [] if whole is None else task.units(watch, [whole.labelled], prior=prior, min_labels=1)
    return (units[0].mean, units[0].variance / units[0].n) if units else None


def _without_each(task: ModelTask, watch: Watch, groups: Sequence[Part], prior: float) -> list[float]:
    """The mean loss without each group; none where there are too few of them."""
    if len(groups) < FEW_CLUSTERS:
        return []
    before, after = [groups[0]], [groups[-1]]
    for part, back in zip(groups[1:], groups[-2::-1], strict=True):
        before.append(before[-1] + part)
        after.append(after[-1] + back)
    last = len(groups) - 1
    found = []
    for at in range(len(groups)):
        rest = [*([before[at - 1]] if at else []), *([after[last - at - 1]] if at < last else [])]
        unit = _units(task, watch, rest, prior)
        if unit is not None:
            found.append(unit[0])
    return found if len(found) == len(groups) else []


def _sum(parts: Sequence[Part]) -> Part | None:
    whole: Part | None = None
    for part in parts:
        whole = part if whole is None else whole + part
    return whole


def _error(without: Sequence[float] | Floats) -> float:
    """Standard error of a number from its values without each group (jackknife)."""
    held = np.asarray(without, dtype=np.float64)
    if held.size < FEW_CLUSTERS:
        return math.nan
    return float(np.sqrt((held.size - 1) / held.size * ((held - held.mean()) ** 2).sum()))
