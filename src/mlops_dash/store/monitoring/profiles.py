"""The packed profiles of hours and days (log database), and which hours wait for one.

Profiles are derived: they can be made again from the prediction log at any time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, NamedTuple

from sqlmodel import Session, col, func, select, text

from mlops_dash.domain.cadence import BATCH
from mlops_dash.store.monitoring.parts import Layout, Part, pack, unpack
from mlops_dash.store.prediction_log import HOUR_US, mark_range, span_of
from mlops_dash.store.prediction_log.bulk import bound, numbers_of, texts_of
from mlops_dash.store.tables.log import (
    BatchProfileRow,
    DayProfileRow,
    DirtyHourRow,
    HourProfileRow,
    ProfileSeriesRow,
)

SERIES_ROLES = ("champion", "shadow")  # the monitored series of a version


@dataclass(frozen=True)
class Piece:
    """One calendar day, one hour, or what one hour has of a batch, of a version, still packed.

    Attributes:
        at_us: Its begin, in microseconds; of a batch the time of its first row.
        batch: Name of the batch.
        last_us: Of a batch the time of its last row.
    """

    at_us: int
    n: int
    n_labelled: int
    computed_at_us: int
    packed: bytes
    batch: str = ""
    last_us: int = 0


class BatchPart(NamedTuple):
    """The rows of one hour that are of one batch, counted, and the time of the first and the last."""

    hour_us: int
    batch: str
    first_us: int
    last_us: int
    part: Part


class Held(NamedTuple):
    """That an hour has so many rows of a batch, and the time of the last."""

    batch: str
    hour_us: int
    n: int
    last_us: int


def n_dirty(session: Session, models: Sequence[str]) -> int:
    """How many hours of these models wait."""
    return session.exec(select(func.count()).select_from(DirtyHourRow).where(col(DirtyHourRow.model).in_(models))).one()


def mark_past_of(session: Session, model: str, version_id: str, *, marked_us: int) -> int:
    """Mark the hours in which this version answered: a new reference wants its past profiled. Gives how many."""
    span = span_of(session, version_id, roles=SERIES_ROLES)
    if span is None:
        return 0
    return mark_range(session, model, span[0], span[1] + timedelta(microseconds=1), marked_us=marked_us)


def save_hours(
    session: Session, reference_id: str, version_id: str, hours: Mapping[int, Part], *, computed_at_us: int
) -> None:
    """Write hour profiles, replacing older ones; hours without rows are removed."""
    gone = [{"reference": reference_id, "hour": hour} for hour, part in hours.items() if part.n == 0]
    kept = [_packed(reference_id, version_id, hour, part, computed_at_us) for hour, part in hours.items() if part.n]
    if gone:
        session.connection().execute(
            text("DELETE FROM profile_hour WHERE reference_id = :reference AND hour_us = :hour"), gone
        )
    if kept:
        session.connection().execute(
            text(
                "INSERT INTO profile_hour (reference_id, hour_us, version_id, n, n_labelled, packed, computed_at_us) "
                "VALUES (:reference, :at, :version, :n, :n_labelled, :packed, :computed) "
                "ON CONFLICT (reference_id, hour_us) DO UPDATE SET n = excluded.n, n_labelled = excluded.n_labelled, "
                "packed = excluded.packed, computed_at_us = excluded.computed_at_us"
            ),
            kept,
        )


def forget_batches(session: Session, reference_id: str, hours: Sequence[int]) -> None:
    """Remove what whole hours have of batches, before they are written anew."""
    rows = [{"reference": reference_id, "hour": hour} for hour in hours]
    if rows:
        session.connection().execute(
            text("DELETE FROM profile_batch WHERE reference_id = :reference AND hour_us = :hour"), rows
        )


def forget_hours(session: Session, reference_id: str, hours: Sequence[int]) -> None:
    """Remove what is stored of whole hours, parts of an hour included, before they are written anew."""
    rows = [{"reference": reference_id, "hour": hour, "end": hour + HOUR_US} for hour in hours]
    if rows:
        session.connection().execute(
            text("DELETE FROM profile_hour WHERE reference_id = :reference AND hour_us >= :hour AND hour_us < :end"),
            rows,
        )


def save_days(
    session: Session, reference_id: str, version_id: str, days: Mapping[int, Part], *, computed_at_us: int
) -> None:
    """Write day profiles, replacing older ones."""
    kept = [_packed(reference_id, version_id, day, part, computed_at_us) for day, part in days.items()]
    if kept:
        session.connection().execute(
            text(
                "INSERT INTO profile_day (reference_id, day_us, version_id, n, n_labelled, packed, computed_at_us) "
                "VALUES (:reference, :at, :version, :n, :n_labelled, :packed, :computed) "
                "ON CONFLICT (reference_id, day_us) DO UPDATE SET n = excluded.n, n_labelled = excluded.n_labelled, "
                "packed = excluded.packed, computed_at_us = excluded.computed_at_us"
            ),
            kept,
        )


def _packed(reference_id: str, version_id: str, at_us: int, part: Part, computed_at_us: int) -> dict[str, Any]:
    return {
        "reference": reference_id,
        "at": at_us,
        "version": version_id,
        "n": part.n,
        "n_labelled": part.n_labelled,
        "packed": pack(part),
        "computed": computed_at_us,
    }


def hour_parts(
    session: Session,
    layout: Layout,
    reference_id: str,
    start_us: int,
    end_us: int,
    *,
    known: Mapping[int, Part],
    hours: Sequence[int] | None = None,
) -> dict[int, Part]:
    """The stored hours of [start, end), by hour; of `known` hours the given part is taken, not unpacked again.

    With `hours` only those, so that a gap of months between two days is not read.
    """
    listed = "" if hours is None else f"AND hour_us IN ({numbers_of(session, 'hours')})"
    given = {} if hours is None else {"hours": bound(session, hours)}
    rows = session.connection().execute(
        text(
            f"""SELECT hour_us, packed FROM profile_hour
            WHERE reference_id = :reference AND hour_us >= :start AND hour_us < :end {listed}"""  # noqa: S608
        ),
        {"reference": reference_id, "start": start_us, "end": end_us, **given},
    )
    return {hour: known[hour] if hour in known else unpack(layout, blob) for hour, blob in rows}


def pieces(
    session: Session, reference_id: str, of: str, *, start_us: int | None = None, end_us: int | None = None
) -> tuple[Piece, ...]:
    """What windows are put together of, in [start, end), in order: days, hours or batches, as a `Cadence` says."""
    if of == "day":
        return day_profiles(session, reference_id, start_us=start_us, end_us=end_us)
    if of == BATCH:
        return batch_profiles(session, reference_id, start_us=start_us, end_us=end_us)
    return hour_profiles(session, reference_id, start_us=start_us, end_us=end_us)


def batch_profiles(
    session: Session, reference_id: str, *, start_us: int | None = None, end_us: int | None = None
) -> tuple[Piece, ...]:
    """What hours have of batches, those with a row in [start, end), by their first row."""
    query = select(BatchProfileRow).where(BatchProfileRow.reference_id == reference_id)
    if start_us is not None:
        query = query.where(BatchProfileRow.last_us >= start_us)
    if end_us is not None:
        query = query.where(BatchProfileRow.first_us < end_us)
    rows = session.exec(query.order_by(col(BatchProfileRow.first_us), BatchProfileRow.batch)).all()
    return tuple(
        Piece(row.first_us, row.n, row.n_labelled, row.computed_at_us, row.packed, row.batch, row.last_us)
        for row in rows
    )


def save_batches(
    session: Session, reference_id: str, version_id: str, parts: Sequence[BatchPart], *, computed_at_us: int
) -> None:
    """Write what hours have of batches; `forget_batches` has removed what was known of these hours."""
    kept = [
        _packed(reference_id, version_id, one.hour_us, one.part, computed_at_us)
        | {"batch": one.batch, "first": one.first_us, "last": one.last_us}
        for one in parts
    ]
    if kept:
        session.connection().execute(
            text(
                "INSERT INTO profile_batch (reference_id, hour_us, batch, version_id, n, n_labelled, first_us, "
                "last_us, packed, computed_at_us) VALUES (:reference, :at, :batch, :version, :n, :n_labelled, "
                ":first, :last, :packed, :computed)"
            ),
            kept,
        )


def batches_held(session: Session, reference_id: str) -> tuple[Held, ...]:
    """What hours have of batches, without their content."""
    row = BatchProfileRow
    query = select(row.batch, row.hour_us, row.n, row.last_us).where(row.reference_id == reference_id)
    return tuple(Held(*one) for one in session.exec(query).all())


def split_batch(
    session: Session, reference_id: str, version_id: str, batch: str, hour_us: int, parts: Sequence[BatchPart],
    *, computed_at_us: int,
) -> None:  # fmt: skip
    """Put parts in the place of what an hour has of a batch; what later hours have of it is of the last part's."""
    session.connection().execute(
        text("DELETE FROM profile_batch WHERE reference_id = :reference AND batch = :batch AND hour_us = :hour"),
        {"reference": reference_id, "batch": batch, "hour": hour_us},
    )
    save_batches(session, reference_id, version_id, parts, computed_at_us=computed_at_us)
    session.connection().execute(
        text(
            "UPDATE profile_batch SET batch = :last WHERE reference_id = :reference AND batch = :batch "
            "AND hour_us > :hour"
        ),
        {"reference": reference_id, "batch": batch, "hour": hour_us, "last": parts[-1].batch},
    )


def hour_profiles(
    session: Session, reference_id: str, *, start_us: int | None = None, end_us: int | None = None
) -> tuple[Piece, ...]:
    """The stored hours of a reference in [start, end), in order; one that a day's begin cuts is two."""
    query = select(HourProfileRow).where(HourProfileRow.reference_id == reference_id)
    if start_us is not None:
        query = query.where(HourProfileRow.hour_us >= start_us)
    if end_us is not None:
        query = query.where(HourProfileRow.hour_us < end_us)
    rows = session.exec(query.order_by(col(HourProfileRow.hour_us))).all()
    return tuple(Piece(row.hour_us, row.n, row.n_labelled, row.computed_at_us, row.packed) for row in rows)


def day_profiles(
    session: Session, reference_id: str, *, start_us: int | None = None, end_us: int | None = None
) -> tuple[Piece, ...]:
    """The stored days of a reference in [start, end), in order."""
    query = select(DayProfileRow).where(DayProfileRow.reference_id == reference_id)
    if start_us is not None:
        query = query.where(DayProfileRow.day_us >= start_us)
    if end_us is not None:
        query = query.where(DayProfileRow.day_us < end_us)
    rows = session.exec(query.order_by(col(DayProfileRow.day_us))).all()
    return tuple(Piece(row.day_us, row.n, row.n_labelled, row.computed_at_us, row.packed) for row in rows)


# In which zone days were cut


def zones(session: Session) -> dict[str, str]:
    """Reference id -> the zone in which its days were cut."""
    return dict(session.exec(select(ProfileSeriesRow.reference_id, ProfileSeriesRow.zone)).all())


def zone_of(session: Session, reference_id: str) -> str | None:
    """The zone in which the days of a reference were cut; None before it was noted."""
    row = session.get(ProfileSeriesRow, reference_id)
    return None if row is None else row.zone


def note_zone(session: Session, reference_id: str, *, model: str, version_id: str, zone: str) -> None:
    """Say in which zone the days of a reference are cut from now on."""
    session.merge(ProfileSeriesRow(reference_id=reference_id, model=model, version_id=version_id, zone=zone))


def hours_of(session: Session, reference_id: str) -> tuple[int, ...]:
    """The stored hours of a reference, in order, without their content."""
    query = select(HourProfileRow.hour_us).where(HourProfileRow.reference_id == reference_id)
    return tuple(session.exec(query.order_by(col(HourProfileRow.hour_us))).all())


def hours_held(session: Session, references: Sequence[str], hours: Sequence[int]) -> dict[str, tuple[int, ...]]:
    """Which of these hours (their begins) are stored of each reference, whole or in parts; without any: left out."""
    if not references or not hours:
        return {}
    rows = session.connection().execute(
        text(
            f"""SELECT DISTINCT reference_id, hour_us - (hour_us % {HOUR_US}) FROM profile_hour
            WHERE hour_us >= :first AND hour_us < :last
            AND reference_id IN ({texts_of(session, "references")})
            AND hour_us - (hour_us % {HOUR_US}) IN ({numbers_of(session, "hours")})"""  # noqa: S608 - fixed fragments
        ),
        {"first": min(hours), "last": max(hours) + HOUR_US, "references": bound(session, references),
         "hours": bound(session, hours)},
    )  # fmt: skip
    found: dict[str, tuple[int, ...]] = {}
    for reference_id, hour in rows:
        found[reference_id] = (*found.get(reference_id, ()), int(hour))
    return found


def forget_days(session: Session, reference_id: str) -> None:
    """Remove all days of a reference, before they are cut anew."""
    session.connection().execute(
        text("DELETE FROM profile_day WHERE reference_id = :reference"), {"reference": reference_id}
    )


def first_of_open_batches(session: Session, model: str, *, after_us: int) -> int | None:
    """When the first row came of those batches of a model that had a row after a time; None without such."""
    query = text(
        "SELECT MIN(first_us) FROM (SELECT MIN(b.first_us) AS first_us FROM profile_batch b JOIN profile_series s "
        "ON s.reference_id = b.reference_id WHERE s.model = :model GROUP BY b.reference_id, b.batch "
        "HAVING MAX(b.last_us) > :after) open"
    )
    found = session.connection().execute(query, {"model": model, "after": after_us}).scalar_one()
    return None if found is None else int(found)
