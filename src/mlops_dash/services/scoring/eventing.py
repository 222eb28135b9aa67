"""Keep what happened to units after an answer: events from requests and from files, each once by its id."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from mlops_dash.domain import events as rules
from mlops_dash.domain.access import Actor, Permission
from mlops_dash.domain.events import Event, EventName, EventsKept
from mlops_dash.domain.sifting import Unfit
from mlops_dash.errors import Conflict, InvalidInput, InvalidRow
from mlops_dash.services.cells import Cells, key_columns, require_columns
from mlops_dash.services.command import Context, read, record
from mlops_dash.services.scoring.filing import CHUNK, Filed, Progress
from mlops_dash.services.scoring.following import Following
from mlops_dash.store import ab_tests, prediction_log, registry
from mlops_dash.store.db import reading, transaction


@dataclass(frozen=True)
class EventColumns:
    """Which column of a file is what; "" = the file has none. Either `name` or `event` says what happened."""

    unit: str
    time: str
    name: str = ""  # column of what happened
    event: str = ""  # what happened in every row
    value: str = ""
    id: str = ""  # several between commas make one together
    zone: str = "UTC"  # of times without one


class Eventing:
    """Events of all models."""

    def __init__(self, context: Context, following: Following) -> None:
        self.context = context
        self._following = following

    @record(Permission.LOG_WRITE)
    def record_events(self, actor: Actor, model: str, rows: Any, *, skip: bool = False) -> EventsKept:
        """Store events, objects as `domain.events.sift_events` says; those that are known already are nothing new.

        Args:
            actor: Who asks.
            model: Whose answers the units got.
            rows: What was sent.
            skip: Store the others where some cannot be kept; else nothing is stored then.

        Raises:
            NotFound: no such model.
            InvalidInput, InvalidRow: a rule is broken; nothing is stored.
            Conflict: an id is known with another unit, name, value or time; nothing is stored.
            StoreUnavailable: the log does not take it; nothing is stored.
        """
        self._following.state(model)
        now = self.context.clock.now()
        fit, unfit = rules.sift_events(rows, now=now)
        if unfit and not skip:
            raise unfit[0]
        new, clashes = self._keep(model, fit, received=now, skip=skip)
        if clashes and not skip:
            raise Conflict(
                f"The event id {clashes[0].value} {clashes[0].reason}; nothing was stored.",
                hint="An id names one event for ever. Send a new id, or the event as it was.",
            )
        left_out = tuple(sorted((*unfit, *clashes), key=lambda one: one.row))
        return EventsKept(new, len(fit) - len(clashes) - new, left_out)

    @record(Permission.LOG_WRITE)
    def file_events(
        self, actor: Actor, model: str, table: pd.DataFrame, columns: EventColumns, *, skip: bool,
        progress: Progress | None = None,
    ) -> tuple[Filed, EventsKept]:  # fmt: skip
        """Store the events of a file, a thousand a transaction; the same file twice changes nothing.

        They are taken as received when they happened: a file tells what was known when. Those that a running A/B test
        could count are received now: what was shown of it must not change by a file.

        Args:
            actor: Who asks.
            model: Whose answers the units got.
            table: As `services.tables` reads it.
            columns: Which column is what.
            skip: Store the other rows where some cannot be kept; else nothing is stored then.
            progress: Called after each thousand.

        Raises:
            NotFound: no such model.
            InvalidInput: a column is not there or has two roles.
            StoreUnavailable: the log does not take a part; the parts before are stored, and the file can be sent again.
        """
        self._following.state(model)
        now = self.context.clock.now()
        events, unread = _events_of(model, table, columns, now)
        clashes = self._clashes(model, events)
        unfit = sorted((*unread, *map(_as_unfit, clashes)), key=lambda one: one.row)
        if unfit and not skip:
            return Filed(len(table), 0, 0, 0, tuple(unfit), refused=True), EventsKept(0, 0)
        gone, since = {one.row for one in clashes}, self._tested_since(model)
        kept = [one for one in events if one[0] not in gone]
        new = 0
        for first in range(0, len(kept), CHUNK):
            some = kept[first : first + CHUNK]
            tested = [one for one in some if since is not None and one[1].at >= since]
            past = [one for one in some if since is None or one[1].at < since]
            for part, received in ((past, None), (tested, now)):
                new += self._keep(model, part, received=received, skip=True)[0] if part else 0
            if progress is not None:
                progress(min(first + CHUNK, len(kept)), len(kept))
        return Filed(len(table), 0, 0, 0, tuple(unfit), refused=False), EventsKept(new, len(kept) - new)

    @read(Permission.ROOM_READ)
    def events(self, actor: Actor, model: str = "") -> tuple[EventName, ...]:
        """Which events were sent, of one model or of all: by name how many, the oldest and the newest.

        Raises:
            NotFound: no such model.
        """
        if model:
            with reading(self.context.databases.app) as session:
                registry.model(session, model)
        with reading(self.context.databases.log) as session:
            return prediction_log.event_names(session, model)

    def _tested_since(self, model: str) -> datetime | None:
        """The first moment whose events a running test of the model could count; None where none runs."""
        with reading(self.context.databases.app) as session:
            test = ab_tests.running(session, model)
        if test is None or test.started_at is None:
            return None
        return test.started_at - timedelta(hours=test.design.exposure_hours)

    def _keep(
        self, model: str, events: Sequence[tuple[int, Event]], *, received: datetime | None, skip: bool
    ) -> tuple[int, tuple[InvalidRow, ...]]:  # fmt: skip
        """How many were new, and those whose id is known with another event; with one of them nothing is stored."""
        with transaction(self.context.databases.log) as session:
            clashes = _clashes_in(prediction_log.known_events(session, model, [one.id for _, one in events]), events)
            if clashes and not skip:
                return 0, clashes
            gone = {one.row for one in clashes}
            fit = [one for row, one in events if row not in gone]
            return prediction_log.append_events(session, model, fit, received=received), clashes

    def _clashes(self, model: str, events: Sequence[tuple[int, Event]]) -> tuple[InvalidRow, ...]:
        with reading(self.context.databases.log) as session:
            return _clashes_in(prediction_log.known_events(session, model, [one.id for _, one in events]), events)


def _clashes_in(known: Any, events: Sequence[tuple[int, Event]]) -> tuple[InvalidRow, ...]:
    found = (rules.clash(row, one, known[one.id]) for row, one in events if one.id in known)
    return tuple(one for one in found if one is not None)


def _events_of(
    model: str, table: pd.DataFrame, columns: EventColumns, now: datetime
) -> tuple[list[tuple[int, Event]], list[Unfit]]:
    """The events of a file with their places, and what cannot be read of the others."""
    if bool(columns.name) == bool(columns.event):
        raise InvalidInput("What happened is not said.", hint="Name a column with --name, or the event with --event.")
    key = key_columns(table, columns.id) if columns.id else ()
    named = [one for one in (columns.unit, columns.time, columns.name, columns.value) if one]
    require_columns(table, (*named, *key))
    if len(set(named)) < len(named):
        raise InvalidInput("One column cannot have two roles.", hint="Name another column, or leave one out.")
    cells = Cells(table, columns.zone)
    at, units = cells.times(columns.time), cells.names(columns.unit)
    names = cells.names(columns.name) if columns.name else np.full(len(table), columns.event, dtype=object)
    values = cells.numbers(columns.value) if columns.value else np.ones(len(table))
    ids = cells.keys(key) if key else None
    places = [row for row in range(len(table)) if row not in cells.unfit]
    if ids is None:
        told = [(str(units[row]), str(names[row]), float(values[row]), at.iloc[row].to_pydatetime()) for row in places]
        made: list[Any] = rules.stable_ids(model, told)
    else:
        made = [ids[row] for row in places]
    sent = [
        {
            "id": name,
            "unit": units[row],
            "name": names[row],
            "value": float(values[row]),
            "at": at.iloc[row].isoformat(),
        }
        for name, row in zip(made, places, strict=True)
    ]
    fit: list[tuple[int, Event]] = []
    broken: list[Unfit] = list(cells.said)
    seen: dict[str, tuple[str, str, float]] = {}
    for first in range(0, len(sent), CHUNK):
        good, bad = rules.sift_events(sent[first : first + CHUNK], now=now)
        broken += [_as_unfit(one, places[first + one.row]) for one in bad]
        for row, one in good:
            if seen.setdefault(one.id, one.said) == one.said:
                fit.append((places[first + row], one))
            else:
                broken.append(Unfit(places[first + row], "id", "occurs twice in the file, with another event", one.id))
    return fit, broken


def _as_unfit(error: InvalidRow, row: int | None = None) -> Unfit:
    return Unfit(error.row if row is None else row, error.column, error.reason, error.value)
