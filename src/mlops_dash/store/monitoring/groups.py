"""What hours have of the groups of rows that belong together (log database); derived, as all profiles are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sqlmodel import Session, col, select, text

from mlops_dash.store.monitoring.parts import Part, pack
from mlops_dash.store.prediction_log import HOUR_US
from mlops_dash.store.tables.log import GroupProfileRow


class GroupPart(NamedTuple):
    """The labelled rows of one hour, or of what a day's begin cuts of it, that are of one group and batch, counted."""

    hour_us: int
    batch: str  # "" where windows are no batches
    number: int
    part: Part


class GroupPiece(NamedTuple):
    """The same, still packed."""

    hour_us: int
    batch: str
    number: int
    packed: bytes


def save(session: Session, reference_id: str, parts: Sequence[GroupPart], *, computed_at_us: int) -> None:
    """Write what hours have of groups; `forget` has removed what was known of these hours."""
    rows = [
        {"reference": reference_id, "hour": one.hour_us, "batch": one.batch, "number": one.number,
         "packed": pack(one.part), "computed": computed_at_us}
        for one in parts
    ]  # fmt: skip
    if rows:
        session.connection().execute(
            text(
                "INSERT INTO profile_group (reference_id, hour_us, batch, number, packed, computed_at_us) "
                "VALUES (:reference, :hour, :batch, :number, :packed, :computed)"
            ),
            rows,
        )


def forget(session: Session, reference_id: str, hours: Sequence[int]) -> None:
    """Remove what whole hours have of groups, before they are written anew."""
    rows = [{"reference": reference_id, "hour": hour, "end": hour + HOUR_US} for hour in hours]
    if rows:
        session.connection().execute(
            text("DELETE FROM profile_group WHERE reference_id = :reference AND hour_us >= :hour AND hour_us < :end"),
            rows,
        )


def split(
    session: Session, reference_id: str, batch: str, hour_us: int, parts: Sequence[GroupPart], last: str,
    *, computed_at_us: int,
) -> None:  # fmt: skip
    """Put parts in the place of what an hour has of a batch; what later hours have of it is of the batch `last`."""
    whole = {"reference": reference_id, "batch": batch, "hour": hour_us, "end": hour_us + HOUR_US, "last": last}
    session.connection().execute(
        text(
            "DELETE FROM profile_group WHERE reference_id = :reference AND batch = :batch AND hour_us >= :hour "
            "AND hour_us < :end"
        ),
        whole,
    )
    save(session, reference_id, parts, computed_at_us=computed_at_us)
    session.connection().execute(
        text(
            "UPDATE profile_group SET batch = :last WHERE reference_id = :reference AND batch = :batch "
            "AND hour_us >= :end"
        ),
        whole,
    )


def pieces(session: Session, reference_id: str) -> tuple[GroupPiece, ...]:
    """All that is stored of the groups of a reference, by hour."""
    row = GroupProfileRow
    query = select(row.hour_us, row.batch, row.number, row.packed).where(row.reference_id == reference_id)
    return tuple(GroupPiece(*one) for one in session.exec(query.order_by(col(row.hour_us), col(row.number))).all())
