"""Labelled rows of what is served, for whoever measures parts or groups of them: windows back, and their values."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from mlops_dash.domain.calendar import day_of
from mlops_dash.domain.clusters import NAMELESS, groups_of
from mlops_dash.domain.monitoring.readings import Reading
from mlops_dash.domain.policies import MonitoringPolicy, PolicyKind
from mlops_dash.domain.registry.records import Model
from mlops_dash.domain.ripeness import days_in
from mlops_dash.errors import NotFound
from mlops_dash.services.monitoring.samples import window_rows
from mlops_dash.services.monitoring.together import in_numbers
from mlops_dash.stats.arrays import Bools, Floats, Ints
from mlops_dash.stats.cells import NumericCells
from mlops_dash.store import policies, registry
from mlops_dash.store.db import Session
from mlops_dash.store.monitoring import readings as store
from mlops_dash.store.monitoring import references
from mlops_dash.store.monitoring.readings import Version
from mlops_dash.store.monitoring.references import Reference

EARLIER = 3  # windows of the same length that are followed
MOST_LEVELS = 12  # of a column that the owner named; the rarer ones are together
_LEAST_DAYS = 20  # the window goes back until it has so many days, where windows have fewer
Members = Callable[[pd.DataFrame], Bools]  # rows with the column -> which of them


@dataclass(frozen=True)
class Ground:
    """What is served, and what it is judged by."""

    model: Model
    version: Version
    reference: Reference
    policy: MonitoringPolicy

    @property
    def subject(self) -> str:
        """What evidence is about."""
        return f"{self.version.model} v{self.version.version}"


@dataclass(frozen=True)
class LiveRows:
    """Labelled rows of a window.

    Attributes:
        frame: With `at`, `score`, `label` and the inputs.
        values: Inputs as numbers, float[rows, columns].
        losses: Of each row.
        codes: Cluster of each row, 0 to n_clusters - 1.
        n_clusters: How many.
        unit: What a cluster is.
        start: When the window begins.
        end: When it ends.
    """

    frame: pd.DataFrame
    values: Floats
    losses: Floats
    codes: Ints
    n_clusters: int
    unit: str
    start: datetime
    end: datetime

    def only(self, kept: Bools) -> LiveRows:
        """Some of them, their clusters numbered anew."""
        names, codes = np.unique(self.codes[kept], return_inverse=True)
        return replace(
            self, frame=self.frame[kept].reset_index(drop=True), values=self.values[kept], losses=self.losses[kept],
            codes=codes.astype(np.int64), n_clusters=int(names.size),
        )  # fmt: skip


def ground_of(session: Session, model: str, now: datetime) -> Ground | None:
    """What is served of a model; None where nothing is, or its reference has no labels."""
    version = store.champion(session, model)
    reference = None if version is None else references.reference(session, version.id)
    if version is None or reference is None or not reference.labelled:
        return None
    policy = policies.active(session, model, PolicyKind.MONITORING, now).monitoring
    return Ground(registry.model(session, model), version, reference, policy)


def needed(ground: Ground | None, model: str) -> Ground:
    """The same, refused where it is none.

    Raises:
        NotFound: nothing is served whose reference has labels.
    """
    if ground is None:
        raise NotFound(
            f"Nothing of {model} can be measured by its labels.", hint="It needs a served version, and labels."
        )
    return ground


def ripe_of(session: Session, version: Version) -> list[Reading]:
    """The windows of a version whose labels have come, in order."""
    return [one for one in store.readings(session, version.id) if one.ripe and one.n_labelled]


def windows_back(ripe: Sequence[Reading], policy: MonitoringPolicy) -> list[list[Reading]]:
    """The latest windows together, then as many before them, and so on: newest first, `EARLIER` at most behind it.

    The oldest stretch may be shorter, down to a quarter.

    So many as the headline speaks of, and more until they have `_LEAST_DAYS` days.
    """
    found: list[list[Reading]] = []
    left = list(ripe)
    size = 0
    while left and len(found) <= EARLIER:
        if not size:
            size = min(policy.cadence.long, len(left))
            while size < len(left) and len({day_of(one.start, policy.zone) for one in left[-size:]}) < _LEAST_DAYS:
                size += 1
        if found and 4 * len(left) < size:
            break
        found.append(left[-size:])
        left = left[:-size]
    return found


def live_rows(session: Session, ground: Ground, windows: Sequence[Reading], most: int) -> LiveRows:
    """At most so many labelled rows of some ripe windows, spread over their hours."""
    reference, policy = ground.reference, ground.policy
    start, end = min(one.start for one in windows), max(one.end for one in windows)
    rows = window_rows(session, reference, start, end, most=most)
    ripe = np.zeros(len(rows), dtype=np.bool_)
    at = rows["at"].to_numpy(dtype="datetime64[us]")
    for one in windows:
        first, last = (np.datetime64(when.astimezone(UTC).replace(tzinfo=None), "us") for when in (one.start, one.end))
        ripe |= (at >= first) & (at < last)
    rows = rows[ripe & rows["label"].notna().to_numpy()].reset_index(drop=True)
    losses = reference.layout.task.row_losses(rows["label"].to_numpy(float), rows["score"].to_numpy(float))
    unit = "days"
    if reference.is_grouped and reference.cluster in rows:
        names = groups_of(rows[reference.cluster])
        unit, kept = f"groups of {reference.cluster}", names != NAMELESS
        rows, losses, names = rows[kept].reset_index(drop=True), losses[kept], names[kept]
    else:
        names = pd.factorize(days_in(rows["at"], policy.zone))[0]
    found, codes = np.unique(names, return_inverse=True)
    values = in_numbers(reference, rows, policy.zone).values
    return LiveRows(rows, values, losses, codes.astype(np.int64), int(found.size), unit, start, end)


def members_of(ground: Ground, column: str, frame: pd.DataFrame) -> list[tuple[str, Members]]:
    """The values of one column in words, each with which rows have it: quarters of a number's reference, else levels.

    Args:
        ground: What is served.
        column: One of the frame's.
        frame: The rows whose levels are meant; those that are rare there are together.
    """
    cells = ground.reference.layout.columns.get(column)
    if isinstance(cells, NumericCells) and cells.k > MOST_LEVELS:
        inner = {cells.edges[round(cells.k * share)] for share in (0.25, 0.5, 0.75)}
        return [(between(column, low, high), partial(_within, column, low, high))
                for low, high in pairwise([-math.inf, *sorted(inner), math.inf])]  # fmt: skip
    counted = _words(frame[column]).value_counts()
    common = [str(one) for one in counted.index[:MOST_LEVELS]]
    found: list[tuple[str, Members]] = [(f"{column} is {word}", partial(_is, column, word)) for word in sorted(common)]
    return (
        [*found, (f"{column} is another", partial(_another, column, common))] if len(counted) > len(common) else found
    )


def _within(column: str, low: float, high: float, frame: pd.DataFrame) -> Bools:
    values = pd.to_numeric(frame[column], errors="coerce").to_numpy(dtype=np.float64)
    return np.asarray((values > low) & (values <= high))


def _is(column: str, word: str, frame: pd.DataFrame) -> Bools:
    return (_words(frame[column]) == word).to_numpy(dtype=np.bool_)


def _another(column: str, common: Sequence[str], frame: pd.DataFrame) -> Bools:
    words = _words(frame[column])
    return (words.notna() & ~words.isin(common)).to_numpy(dtype=np.bool_)


def _words(values: pd.Series[Any]) -> pd.Series[Any]:
    return values.map(_word, na_action="ignore").astype(object)


def _word(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def between(column: str, low: float, high: float) -> str:
    """A stretch of a number in words."""
    if math.isinf(low):
        return f"{column} up to {high:.4g}"
    return f"{column} above {low:.4g}" if math.isinf(high) else f"{column} {low:.4g} to {high:.4g}"


def named(ground: Ground, columns: Sequence[str], frame: pd.DataFrame) -> tuple[list[str], list[str]]:
    """Of the columns that an owner named, those that can be used, and why the others cannot."""
    hidden = [name for name in columns if name in ground.model.do_not_log]
    absent = [name for name in columns if name not in hidden and name not in frame]
    notes = [f"{name} is never stored, so nothing is told by it" for name in hidden]
    notes += [f"no row of the window has a column {name}" for name in absent]
    return [name for name in columns if name not in hidden and name not in absent], notes
