"""A/B tests, and the rows of their two arms from the prediction log."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
from sqlalchemy import update
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select

from mlops_dash.domain.ab_tests.archive import decision_of
from mlops_dash.domain.ab_tests.assigning import ENTITY
from mlops_dash.domain.ab_tests.rules import ABTest, Design, pauses_of
from mlops_dash.domain.words import ABState
from mlops_dash.errors import Conflict, NotFound
from mlops_dash.store import prediction_log
from mlops_dash.store import registry as registry_store
from mlops_dash.store.tables.ab_tests import ABTestRow


def get(session: Session, test_id: str) -> ABTest:
    """One test.

    Raises:
        NotFound: no such test.
    """
    row = session.get(ABTestRow, test_id)
    if row is None:
        raise NotFound(f"No test {test_id[:8]}.", hint="Look at the A/B tests page for the list.")
    return _test(session, row)


def every(session: Session, model: str = "") -> tuple[ABTest, ...]:
    """All tests, of one model or of all, newest first."""
    query = select(ABTestRow).order_by(col(ABTestRow.designed_at).desc(), col(ABTestRow.id))
    if model:
        query = query.where(ABTestRow.model == model)
    return tuple(_test(session, row) for row in session.exec(query))


def pending(session: Session) -> tuple[ABTest, ...]:
    """Tests that are not over: designed or running."""
    open_ones = col(ABTestRow.state).in_([ABState.DESIGNED, ABState.RUNNING])
    return tuple(_test(session, row) for row in session.exec(select(ABTestRow).where(open_ones)))


def asking(session: Session) -> tuple[ABTest, ...]:
    """Tests that are not over, and those that were decided against what they say with nobody behind it yet."""
    open_ones = col(ABTestRow.state).in_([ABState.DESIGNED, ABState.RUNNING])
    decided = (col(ABTestRow.state) == ABState.STOPPED) & col(ABTestRow.decision).is_not(None)
    tests = [_test(session, row) for row in session.exec(select(ABTestRow).where(open_ones | decided))]
    unseconded = [one for one in tests if one.decision is not None and not one.decision.settled]
    return (*(one for one in tests if one.state is not ABState.STOPPED), *unseconded)


def running(session: Session, model: str) -> ABTest | None:
    """The test of a model that runs, or None."""
    query = select(ABTestRow).where(ABTestRow.model == model, ABTestRow.state == ABState.RUNNING)
    row = session.exec(query).first()
    return None if row is None else _test(session, row)


def decided(session: Session, control_id: str, challenger_id: str) -> tuple[ABTest, ...]:
    """Tests of these two versions, in these places, that were decided on, the last one first."""
    query = select(ABTestRow).where(
        ABTestRow.control_id == control_id,
        ABTestRow.challenger_id == challenger_id,
        col(ABTestRow.decision).is_not(None),
    )
    tests = [_test(session, row) for row in session.exec(query.order_by(col(ABTestRow.stopped_at).desc()))]
    return tuple(one for one in tests if one.decision is not None)


def add(session: Session, made: ABTest) -> None:
    """Keep a new test."""
    session.add(
        ABTestRow(
            id=made.id,
            model=made.model,
            control_id=made.control_id,
            challenger_id=made.challenger_id,
            design=made.design.as_json(),
            state=str(made.state),
            question=made.question,
            designed_by=made.designed_by,
            designed_at=made.designed_at,
        )
    )
    session.flush()


def change(session: Session, test_id: str, revision: int, **changes: Any) -> ABTest:
    """Change what may change of a test that is as the caller saw it.

    Raises:
        Conflict: it changed meanwhile, or another test of the model runs.
    """
    statement = (
        update(ABTestRow)
        .where(col(ABTestRow.id) == test_id, col(ABTestRow.revision) == revision)
        .values(**changes, revision=revision + 1)
    )
    try:
        changed = session.connection().execute(statement).rowcount
    except IntegrityError as error:
        raise Conflict("Another test of this model runs.", hint="Stop that one first.") from error
    if not changed:
        raise Conflict("The test changed since you looked.", hint="Load the page again and look once more.")
    session.expire_all()
    return get(session, test_id)


def rows_of_arms(log: Session, test: ABTest, start: datetime, end: datetime) -> pd.DataFrame:
    """The rows with `start <= at < end` and who answered them.

    Returns:
        Columns `prediction_id`, `at`, `score`, `label` (NaN = none yet), `label_received_at` and `challenger`
        (bool), in time order.
    """
    wanted = bool(test.design.segments)
    control = prediction_log.read_window(log, test.control_id, start, end, roles=("champion",), features=wanted)
    challenger = prediction_log.read_window(log, test.challenger_id, start, end, roles=("arm",), features=wanted)
    both = [control.assign(challenger=False), challenger.assign(challenger=True)]
    rows = pd.concat([one for one in both if not one.empty] or both[:1], ignore_index=True)
    for since, until in test.pauses:  # nothing was drawn then
        rows = rows[(rows["at"] < since) | (rows["at"] >= (until or end))]
    return rows.sort_values(["at", "prediction_id"], ignore_index=True)


def rows_of_units(log: Session, test: ABTest, start: datetime, end: datetime) -> pd.DataFrame:
    """The same, with the unit of each row: what the log keeps of its name, or the row's own id."""
    rows = rows_of_arms(log, test, start, end)
    if test.design.unit != ENTITY:
        return rows.assign(unit=rows["prediction_id"].astype(str))
    units = prediction_log.unit_keys(log, test.model, start, end)
    return rows.assign(unit=rows["prediction_id"].map(units).fillna("").astype(str))


def events_of(log: Session, test: ABTest, start: datetime, end: datetime) -> pd.DataFrame:
    """The events that the metrics of a test need, with those of one exposure before and after the rows of a window."""
    exposure = timedelta(hours=test.design.exposure_hours)
    return prediction_log.read_events(log, test.model, test.design.events, start - exposure, end + exposure)


def rows_of_published(path: Path) -> pd.DataFrame | None:
    """The rows of a published experiment that comes with us, or None when the file is not there."""
    return pd.read_parquet(path) if path.is_file() else None


def _test(session: Session, row: ABTestRow) -> ABTest:
    return ABTest(
        id=row.id,
        model=row.model,
        control_id=row.control_id,
        control=registry_store.version(session, row.control_id).label,
        challenger_id=row.challenger_id,
        challenger=registry_store.version(session, row.challenger_id).label,
        design=Design.from_json(row.design),
        state=ABState(row.state),
        revision=row.revision,
        question=row.question,
        designed_by=row.designed_by,
        designed_at=row.designed_at,
        started_by=row.started_by,
        started_at=row.started_at,
        stopped_by=row.stopped_by,
        stopped_at=row.stopped_at,
        stop_reason=row.stop_reason,
        evidence_ids=tuple(row.evidence_ids or ()),
        result=row.result,
        pauses=pauses_of(row.pauses),
        decision=decision_of(row.decision),
        learned=row.learned,
    )
