"""Staged roll-outs, and what gateways counted of them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import func, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select

from mlops_dash.domain.registry.guards import Calls
from mlops_dash.domain.registry.rollouts import OPEN, Guard, Rollout, stages_as_json, stages_from_json
from mlops_dash.domain.scoring import ScoreRole
from mlops_dash.domain.words import RolloutState
from mlops_dash.errors import Conflict, NotFound
from mlops_dash.store.prediction_log import to_us
from mlops_dash.store.tables.log import RolloutPulseRow, ScoreRow
from mlops_dash.store.tables.registry import RolloutRow

_OPEN = [str(state) for state in OPEN]


def get(session: Session, rollout_id: str) -> Rollout:
    """One roll-out.

    Raises:
        NotFound: no such roll-out.
    """
    row = session.get(RolloutRow, rollout_id)
    if row is None:
        raise NotFound(f"No roll-out {rollout_id!r}.", hint="Open it from the Registry page.")
    return _rollout(row)


def open_of(session: Session, model: str) -> Rollout | None:
    """The roll-out of a model that is not over, or None."""
    row = session.exec(select(RolloutRow).where(RolloutRow.model == model, col(RolloutRow.state).in_(_OPEN))).first()
    return None if row is None else _rollout(row)


def all_open(session: Session) -> tuple[Rollout, ...]:
    """Those of all models that are not over, oldest first."""
    rows = session.exec(
        select(RolloutRow).where(col(RolloutRow.state).in_(_OPEN)).order_by(col(RolloutRow.started_at))
    ).all()
    return tuple(_rollout(row) for row in rows)


def last_of(session: Session, model: str) -> Rollout | None:
    """The newest roll-out of a model, over or not."""
    row = session.exec(
        select(RolloutRow).where(RolloutRow.model == model).order_by(col(RolloutRow.started_at).desc()).limit(1)
    ).first()
    return None if row is None else _rollout(row)


def of_proposal(session: Session, proposal_id: str) -> Rollout | None:
    """The roll-out of a proposal, or None."""
    row = session.exec(select(RolloutRow).where(RolloutRow.proposal_id == proposal_id)).first()
    return None if row is None else _rollout(row)


def add(session: Session, made: Rollout) -> None:
    """Keep a new roll-out.

    Raises:
        Conflict: another one of the model is not over, or this proposal was rolled out already.
    """
    values = {
        **vars(made), "state": str(made.state), "stages": stages_as_json(made.stages),
        "guards": [one.as_json() for one in made.guards],
    }  # fmt: skip
    session.add(RolloutRow(**values))
    try:
        session.flush()
    except IntegrityError as error:
        raise Conflict(
            f"A roll-out of {made.model} is not over, or this proposal was rolled out already.",
            hint="Load the page again and look once more.",
        ) from error


def change(session: Session, rollout_id: str, revision: int, **changes: Any) -> Rollout:
    """Change a roll-out that nobody changed since `revision` was read; the revision grows by one.

    Raises:
        Conflict: somebody did.
    """
    values = {name: str(value) if name == "state" else value for name, value in changes.items()}
    changed = session.connection().execute(
        update(RolloutRow)
        .where(col(RolloutRow.id) == rollout_id, col(RolloutRow.revision) == revision)
        .values(**values, revision=revision + 1)
    )
    if changed.rowcount != 1:
        raise Conflict("The roll-out changed since you looked.", hint="Load the page again and look once more.")
    session.expire_all()
    return get(session, rollout_id)


def note(session: Session, rollout_id: str, *, rows: int, guards: tuple[Guard, ...], at: datetime) -> None:
    """Keep what was counted and judged; no decision, so the revision stays."""
    row = session.get_one(RolloutRow, rollout_id)
    row.rows, row.guards, row.judged_at = rows, [one.as_json() for one in guards], at
    session.flush()


def rows_answered(log: Session, version_id: str, since: datetime, role: ScoreRole = ScoreRole.ARM) -> int:
    """How many rows a version answered since a moment, beside the champion or in another part."""
    query = select(func.count()).where(
        ScoreRow.version_id == version_id, ScoreRow.role == role, col(ScoreRow.at_us) >= to_us(since)
    )
    return int(log.exec(query).one())


def put_pulse(log: Session, rollout_id: str, source: str, calls: Calls, *, at: datetime) -> None:
    """Keep what one run of a gateway has counted so far."""
    kept = RolloutPulseRow(
        rollout_id=rollout_id, source=source, asked=calls.asked, failed=calls.failed,
        new_times=_packed(calls.new), old_times=_packed(calls.old), at_us=to_us(at),
    )  # fmt: skip
    log.merge(kept)


def pulses(log: Session, rollout_id: str) -> Calls:
    """What all gateways counted, together."""
    asked = failed = 0
    new: dict[int, int] = {}
    old: dict[int, int] = {}
    for row in log.exec(select(RolloutPulseRow).where(RolloutPulseRow.rollout_id == rollout_id)):
        asked, failed = asked + row.asked, failed + row.failed
        for whole, text in ((new, row.new_times), (old, row.old_times)):
            for cell, count in _unpacked(text).items():
                whole[cell] = whole.get(cell, 0) + count
    return Calls(asked, failed, new, old)


def _packed(counts: Any) -> str:
    return ",".join(f"{cell}:{count}" for cell, count in sorted(counts.items()))


def _unpacked(text: str) -> dict[int, int]:
    pairs = (one.split(":") for one in text.split(",") if one)
    return {int(cell): int(count) for cell, count in pairs}


def _rollout(row: RolloutRow) -> Rollout:
    return Rollout(
        **{
            **row.model_dump(),
            "state": RolloutState(row.state),
            "stages": stages_from_json(row.stages),
            "guards": tuple(Guard.from_json(one) for one in row.guards or ()),
        }
    )
