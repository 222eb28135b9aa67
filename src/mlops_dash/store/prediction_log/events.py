"""Events of units: appended once by id, counted by name, read by time, and taken away."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import pandas as pd
from sqlmodel import Session, text

from mlops_dash.domain.events import Event, EventName
from mlops_dash.store.prediction_log.bulk import bound, insert, texts_of
from mlops_dash.store.prediction_log.rows import from_us, to_us

_COLUMNS = ("model", "event_id", "unit", "name", "value", "at_us", "received_at_us")
_IDS_A_QUERY = 20_000


def append_events(session: Session, model: str, events: Sequence[Event], *, received: datetime | None) -> int:
    """Add events; a known id keeps what it has. Gives how many were new.

    `received` None: each when it happened, as of a file that tells what was known when, where no test runs.
    """
    rows = [
        (model, one.id, one.unit, one.name, one.value, to_us(one.at), to_us(one.at if received is None else received))
        for one in events
    ]
    return insert(session, "event", _COLUMNS, rows)


def known_events(session: Session, model: str, ids: Sequence[str]) -> dict[str, tuple[str, str, float, datetime]]:
    """Unit, name, value and time of the events that are known, by id."""
    query = (
        "SELECT event_id, unit, name, value, at_us FROM event "  # noqa: S608 - fixed fragments
        f"WHERE model = :model AND event_id IN ({texts_of(session, 'ids')})"
    )
    found: dict[str, tuple[str, str, float, datetime]] = {}
    for first in range(0, len(ids), _IDS_A_QUERY):
        asked = {"model": model, "ids": bound(session, ids[first : first + _IDS_A_QUERY])}
        for event_id, unit, name, value, at_us in session.connection().execute(text(query), asked):
            found[event_id] = (unit, name, float(value), from_us(at_us))
    return found


def event_names(session: Session, model: str = "") -> tuple[EventName, ...]:
    """Which events there are, by model and name; of one model, or of all. No event is counted for it: the log does."""
    which = "AND model = :model" if model else ""
    query = (
        "SELECT model, name, n, "  # noqa: S608 - fixed fragments
        "(SELECT MIN(at_us) FROM event WHERE event.model = kept.model AND event.name = kept.name), "
        "(SELECT MAX(at_us) FROM event WHERE event.model = kept.model AND event.name = kept.name) "
        f"FROM event_count AS kept WHERE n > 0 {which} ORDER BY model, name"
    )
    found = session.connection().execute(text(query), {"model": model} if model else {})
    return tuple(EventName(one, name, int(n), from_us(first), from_us(last)) for one, name, n, first, last in found)


def read_events(
    session: Session, model: str, names: Sequence[str], start: datetime, end: datetime
) -> pd.DataFrame:  # fmt: skip
    """The events of some names with `start <= at < end`.

    Returns:
        Columns `unit`, `name` (text), `value` (float), `at_us` and `received_at_us` (int, microseconds since 1970), by
        time.
    """
    query = (
        "SELECT unit, name, value, at_us, received_at_us FROM event "  # noqa: S608 - fixed fragments
        "WHERE model = :model AND at_us >= :start AND at_us < :end "
        f"AND name IN ({texts_of(session, 'names')}) ORDER BY at_us, event_id"
    )
    asked: dict[str, Any] = {"model": model, "start": to_us(start), "end": to_us(end), "names": bound(session, names)}
    rows = session.connection().execute(text(query), asked).all()
    made = pd.DataFrame(rows, columns=["unit", "name", "value", "at_us", "received_at_us"])
    return made.astype({"value": "float64", "at_us": "int64", "received_at_us": "int64"})


def unit_keys(session: Session, model: str, start: datetime, end: datetime) -> dict[str, str]:
    """Prediction id -> what is kept of its unit, of the hot rows with `start <= at < end` that have one."""
    query = (
        "SELECT prediction_id, entity_key FROM prediction "
        "WHERE model = :model AND at_us >= :start AND at_us < :end AND entity_key <> ''"
    )
    asked = {"model": model, "start": to_us(start), "end": to_us(end)}
    return {str(name): str(kept) for name, kept in session.connection().execute(text(query), asked)}


def count_of_units(session: Session, model: str, units: Sequence[str]) -> int:
    """How many events are about these units."""
    return _each(session, "SELECT COUNT(*) FROM event", model, units)


def erase_of_units(session: Session, model: str, units: Sequence[str]) -> int:
    """Delete the events about these units; gives how many there were."""
    return _each(session, "DELETE FROM event", model, units)


def _each(session: Session, what: str, model: str, units: Sequence[str]) -> int:
    query = text(f"{what} WHERE model = :model AND unit IN ({texts_of(session, 'units')})")
    found = 0
    for first in range(0, len(units), _IDS_A_QUERY):
        asked = {"model": model, "units": bound(session, units[first : first + _IDS_A_QUERY])}
        done = session.connection().execute(query, asked)
        found += done.rowcount if what.startswith("DELETE") else int(done.scalar_one())
    return found
