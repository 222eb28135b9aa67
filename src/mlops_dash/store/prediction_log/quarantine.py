"""What cannot be digested: rows set aside, each with its reason and a sample, so that they never stop the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

from sqlmodel import Session, text

from mlops_dash.store.prediction_log.bulk import bound, insert, numbers_of
from mlops_dash.store.prediction_log.rows import HOUR_US, from_us

SAMPLES = 3  # shown of each reason


class SetAside(NamedTuple):
    """One row, or one value of it, that cannot be digested."""

    model: str
    prediction_id: str
    version_id: str
    column_name: str
    reason: str
    sample: str
    logged: bool  # whether the row is in the log; else it was kept out when it was answered
    at_us: int
    noted_at_us: int


@dataclass(frozen=True)
class QuarantineGroup:
    """Rows of one version that were set aside for one reason."""

    version_id: str
    column: str
    reason: str
    rows: int
    logged: bool
    first_at: datetime
    last_at: datetime
    samples: tuple[tuple[str, str], ...]  # (prediction id, value)


def set_aside(session: Session, rows: Sequence[SetAside]) -> int:
    """Keep what was set aside; what is there already stays as it is. Gives how many are new."""
    return insert(session, "quarantine", SetAside._fields, rows)


def forget_hours(session: Session, version_id: str, hours: Sequence[int]) -> None:
    """Forget what was set aside among a version's logged rows of these hours: they are being counted again."""
    session.connection().execute(
        text(
            f"""DELETE FROM quarantine WHERE version_id = :version AND logged AND at_us >= :first AND at_us < :last
            AND at_us - (at_us % {HOUR_US}) IN ({numbers_of(session, "hours")})"""  # noqa: S608 - fixed fragments
        ),
        {
            "version": version_id,
            "first": min(hours),
            "last": max(hours) + HOUR_US,
            "hours": bound(session, hours),
        },
    )


def groups(session: Session, model: str) -> tuple[QuarantineGroup, ...]:
    """What was set aside of a model, by version, column and reason, most rows first."""
    connection = session.connection()
    counted = connection.execute(
        text(
            "SELECT version_id, column_name, reason, logged, COUNT(*), MIN(at_us), MAX(at_us) FROM quarantine "
            "WHERE model = :model GROUP BY version_id, column_name, reason, logged "
            "ORDER BY COUNT(*) DESC, version_id, column_name, reason"
        ),
        {"model": model},
    ).all()
    shown = connection.execute(
        text(
            "SELECT version_id, column_name, reason, logged, prediction_id, sample FROM ("
            "SELECT version_id, column_name, reason, logged, prediction_id, sample, ROW_NUMBER() OVER ("
            "PARTITION BY version_id, column_name, reason, logged ORDER BY at_us DESC, prediction_id) AS place "
            "FROM quarantine WHERE model = :model) ranked WHERE place <= :most ORDER BY place"
        ),
        {"model": model, "most": SAMPLES},
    ).all()
    samples: dict[tuple[Any, ...], list[tuple[str, str]]] = {}
    for *key, prediction_id, sample in shown:
        samples.setdefault(tuple(key), []).append((prediction_id, sample))
    return tuple(
        QuarantineGroup(version_id, column, reason, rows, bool(logged), _moment(first), _moment(last),
                        tuple(samples[version_id, column, reason, logged]))
        for version_id, column, reason, logged, rows, first, last in counted
    )  # fmt: skip


def outside(session: Session, model: str, first_us: int, end_us: int) -> tuple[SetAside, ...]:
    """Logged rows whose time lies outside [first, end), as they are set aside; without reason and time of noting."""
    rows = session.connection().execute(
        text(
            "SELECT prediction_id, at_us FROM prediction "
            "WHERE model = :model AND (at_us < :first OR at_us >= :end) ORDER BY at_us"
        ),
        {"model": model, "first": first_us, "end": end_us},
    )
    return tuple(SetAside(model, name, "", "at", "", "", True, at_us, 0) for name, at_us in rows)


def _moment(us: int) -> datetime:
    """A time as it can be shown: what lies outside the calendar is its first or last day."""
    try:
        return from_us(us)
    except OverflowError:
        return datetime.min.replace(tzinfo=UTC) if us < 0 else datetime.max.replace(tzinfo=UTC)
