"""What are windows of a reference put together of? Its days, its hours, its batches, or what a day has of N rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from typing import Any

import numpy as np
import pandas as pd

from mlops_dash.domain.batches import MOST, batch_names
from mlops_dash.domain.cadence import Cadence
from mlops_dash.domain.calendar import day_of, zone_of
from mlops_dash.domain.policies import MonitoringPolicy
from mlops_dash.errors import InvalidInput
from mlops_dash.stats.arrays import Ints
from mlops_dash.store.monitoring.parts import Layout, Part, empty, total

_HOUR, _DAY_HOURS = timedelta(hours=1), 24


@dataclass(frozen=True)
class RefPiece:
    """What windows of a reference are put together of: one of its days, of its hours, or of its batches.

    Attributes:
        day: The day of the zone that its first row lies in.
        begin: Of an hour, or when a batch's first row came; of a day None.
        batch: Its name.
    """

    day: date
    begin: datetime | None = None
    batch: str = ""


def pieces_of(rows: pd.DataFrame, policy: MonitoringPolicy) -> tuple[list[RefPiece], Ints]:
    """The pieces that have rows, in order, and the place of each row's piece.

    Raises:
        InvalidInput: it is to be judged by the hour and no row has a time of day, or by the batch and a row names none.
    """
    if policy.cadence.rows:
        return _counted_of(rows, policy)
    if policy.cadence.is_batch:
        return _batches_of(rows, policy)
    local = rows["at"].dt.tz_convert(zone_of(policy.zone))
    if not policy.cadence.is_hourly:
        days, groups = np.unique(local.dt.date.to_numpy(), return_inverse=True)
        return [RefPiece(day) for day in days.tolist()], groups.astype(np.int64)
    if bool((local == local.dt.normalize()).all()):
        raise InvalidInput(
            "No row has a time of day, so nothing can be judged by the hour.",
            hint="Give the hour in `at`, or judge it by the day: mlops-dash model edit NAME --window day",
        )
    groups, hours = pd.factorize(rows["at"].dt.floor("h"), sort=True)
    begins = [at.to_pydatetime() for at in pd.DatetimeIndex(hours).tz_convert(UTC)]
    return [RefPiece(day_of(at, policy.zone), at) for at in begins], groups.astype(np.int64)


def _batches_of(rows: pd.DataFrame, policy: MonitoringPolicy) -> tuple[list[RefPiece], Ints]:
    column = policy.cadence.column
    if column not in rows:
        raise InvalidInput(
            f"The reference has no column {column!r}, which names the batch of a row.",
            hint="Give it with every row, or name another: mlops-dash model edit NAME --window batch:COLUMN",
        )
    names = batch_names(rows[column])
    without = int(names.isna().sum())
    if without:
        raise InvalidInput(f"{without:,} reference rows name no batch in {column!r}.", hint="Leave those rows out.")
    groups, known = pd.factorize(names)  # rows are in the order of time, so batches are in that of their first row
    if len(known) > MOST:
        raise InvalidInput(
            f"{column!r} has {len(known):,} values: it names rows rather than batches.", hint="Name another column."
        )
    firsts = rows["at"].groupby(groups).min()
    begins = [at.to_pydatetime() for at in pd.DatetimeIndex(firsts).tz_convert(UTC)]
    pieces = [RefPiece(day_of(at, policy.zone), at, str(name)) for at, name in zip(begins, known, strict=True)]
    return pieces, groups.astype(np.int64)


def _counted_of(rows: pd.DataFrame, policy: MonitoringPolicy) -> tuple[list[RefPiece], Ints]:
    """Windows of N rows in the order of time, what each day has of them; what is left at the end is of the last one."""
    every = policy.cadence.rows
    numbers = np.minimum(np.arange(len(rows)) // every, max(len(rows) // every, 1) - 1)
    days = rows["at"].dt.tz_convert(zone_of(policy.zone)).dt.date
    groups, _ = pd.factorize(pd.MultiIndex.from_arrays([numbers, days]))  # rows are in the order of time
    firsts = np.flatnonzero(np.diff(groups, prepend=-1))
    begins = [rows["at"].iloc[first].to_pydatetime().astimezone(UTC) for first in firsts]
    pieces = [
        RefPiece(day_of(at, policy.zone), at, str(numbers[first])) for at, first in zip(begins, firsts, strict=True)
    ]
    return pieces, groups.astype(np.int64)


def cut_by(policy: MonitoringPolicy, pieces: Sequence[RefPiece]) -> dict[str, Any]:
    """What a reference keeps of how its windows are cut, as JSON holds it."""
    begins = [one.begin.isoformat() for one in pieces if one.begin is not None]
    firsts = {policy.cadence.first_day(one.day) for one in pieces}
    batches = {one.batch for one in pieces} - {""}
    return {
        "window": policy.window,
        "days": [one.day.isoformat() for one in pieces],
        "n_windows": len(firsts if policy.cadence.pieces == "day" else batches or pieces),
        **({"begins": begins} if begins else {}),
        **({"batches": [one.batch for one in pieces]} if policy.cadence.is_batch else {}),
    }


def window_numbers(cadence: Cadence, pieces: Sequence[RefPiece]) -> Ints:
    """int64[pieces], the number of the window that each piece is of, from 0."""
    calendar = cadence.pieces == "day"
    keys = [
        str(cadence.first_day(one.day)) if calendar else one.batch if cadence.is_batch else str(one.begin)
        for one in pieces
    ]
    return np.asarray(pd.factorize(np.asarray(keys, dtype=object))[0], dtype=np.int64)


def windows_of(cadence: Cadence, layout: Layout, pieces: Sequence[RefPiece], parts: Sequence[Part]) -> list[Part]:
    """The reference's pieces, put together as its policy judges them; hours without rows between them included."""
    if cadence.rows:
        held = groupby(zip(pieces, parts, strict=True), lambda one: one[0].batch)
        return [total(layout, [part for _, part in of_window]) for _, of_window in held]
    if cadence.is_batch:
        return list(parts)
    if cadence.is_hourly:
        return _filled(layout, pieces, parts)
    grouped = groupby(zip(pieces, parts, strict=True), lambda one: cadence.first_day(one[0].day))
    return [total(layout, [part for _, part in held]) for _, held in grouped]


def _filled(layout: Layout, pieces: Sequence[RefPiece], parts: Sequence[Part]) -> list[Part]:
    """So that 24 windows are a day; of a longer silence two days stand for all of it."""
    found: list[Part] = []
    last: datetime | None = None
    for piece, part in zip(pieces, parts, strict=True):
        if last is not None and piece.begin is not None:
            silent = int((piece.begin - last) / _HOUR) - 1
            found += [empty(layout)] * (silent if silent <= _DAY_HOURS * 2 else silent % _DAY_HOURS + _DAY_HOURS)
        found.append(part)
        last = piece.begin
    return found
