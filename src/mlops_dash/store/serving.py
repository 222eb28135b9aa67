"""What is approved to serve, who says to serve what, and the alert that a version does not load."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlmodel import Session, col, select
from sqlmodel.sql.expression import SelectOfScalar

from mlops_dash.domain.ab_tests.rules import Design, end_of, pauses_of
from mlops_dash.domain.registry.records import CHAMPION, EXTERNAL
from mlops_dash.domain.registry.rollouts import OPEN, stages_from_json
from mlops_dash.domain.tasks import task_named
from mlops_dash.domain.tasks.task import ModelTask
from mlops_dash.domain.words import ABState, AlertState
from mlops_dash.store.prediction_log import to_us
from mlops_dash.store.tables.ab_tests import ABTestRow
from mlops_dash.store.tables.log import HeartbeatRow
from mlops_dash.store.tables.monitoring import AlertRow
from mlops_dash.store.tables.registry import ModelRow, ModelVersionRow, RolloutRow, ServingRow, TrustedFilesRow

BROKEN_MODEL = "broken_model"


@dataclass(frozen=True)
class ServedVersion:
    """A version as the gateway needs it."""

    id: str
    version: str
    digest: str
    source_uri: str
    trusted: bool = False  # whether somebody lets these very files run code of their own


@dataclass(frozen=True)
class ServedTest:
    """A running A/B test of the champion: which version answers part of the rows, until when."""

    id: str
    challenger: ServedVersion
    design: Design
    starts_at: datetime
    ends_at: datetime


@dataclass(frozen=True)
class ServedRollout:
    """A staged roll-out: which version answers which share of the rows, drawn with which key."""

    id: str
    challenger: ServedVersion
    share: float
    key: str


@dataclass(frozen=True)
class ServingState:
    """A known model and what is approved for it; `champion` None = nothing yet."""

    model: str
    task: str
    positive_label: str
    do_not_log: tuple[str, ...]
    epoch: int
    champion: ServedVersion | None
    shadows: tuple[ServedVersion, ...]
    test: ServedTest | None = None
    archived: bool = False
    class_names: tuple[str, ...] = ()
    rollout: ServedRollout | None = None

    @property
    def beside(self) -> ServedVersion | None:
        """The version that answers part of the rows in the champion's place; a model has one at most."""
        one = self.rollout or self.test
        return None if one is None else one.challenger

    @property
    def predicts(self) -> ModelTask:
        """What the model answers with."""
        return task_named(self.task, self.class_names)


def states(session: Session) -> dict[str, ServingState]:
    """Every known model with its approved champion and its shadows."""
    serving = {row.model: row for row in session.exec(select(ServingRow).where(ServingRow.alias == CHAMPION))}
    tests = {row.model: row for row in session.exec(select(ABTestRow).where(ABTestRow.state == ABState.RUNNING))}
    wanted = [one for row in serving.values() for one in (row.version_id, *(row.shadow_version_ids or ()))]
    wanted += [row.challenger_id for row in tests.values()]
    going = select(RolloutRow).where(col(RolloutRow.state).in_([str(state) for state in OPEN]))
    rollouts = {row.model: row for row in session.exec(going)}
    wanted += [row.to_version_id for row in rollouts.values()]
    rows = session.exec(select(ModelVersionRow).where(col(ModelVersionRow.id).in_(wanted)))
    known = [_served(row) for row in rows]
    query = select(TrustedFilesRow.digest).where(col(TrustedFilesRow.digest).in_([one.digest for one in known]))
    trusted = set(session.exec(query))
    versions = {one.id: replace(one, trusted=one.digest in trusted) for one in known}
    found = {}
    for model in session.exec(select(ModelRow)):
        ours = model.source != EXTERNAL and model.archived_at is None  # of others, somebody else answers
        row = serving.get(model.name) if ours else None
        shadows = () if row is None else tuple(row.shadow_version_ids or ())
        found[model.name] = ServingState(
            model=model.name,
            task=model.task,
            positive_label=model.positive_label,
            do_not_log=tuple(model.do_not_log or ()),
            epoch=0 if row is None else row.epoch,
            champion=None if row is None else versions.get(row.version_id),
            shadows=tuple(versions[one] for one in shadows if one in versions and row and one != row.version_id),
            test=_test(tests.get(model.name), row, versions),
            archived=model.archived_at is not None,
            class_names=tuple(model.class_names or ()),
            rollout=_rollout_of(rollouts.get(model.name), row, versions),
        )
    return found


def version_by_id(session: Session, version_id: str) -> tuple[str, ServedVersion] | None:
    """A version and its model's name."""
    row = session.get(ModelVersionRow, version_id)
    return None if row is None else (row.model, _served(row))


def version_ids(session: Session, model: str) -> dict[str, str]:
    """Version number -> id, of the latest incarnation."""
    rows = session.exec(
        select(ModelVersionRow).where(ModelVersionRow.model == model).order_by(col(ModelVersionRow.incarnation))
    )
    return {row.version: row.id for row in rows}


def record_digest(session: Session, version_id: str, digest: str) -> None:
    """Remember the digest of a version's files when none is recorded yet."""
    row = session.get(ModelVersionRow, version_id)
    if row is not None and not row.artifact_digest:
        row.artifact_digest = digest
        session.add(row)


def beat(session: Session, process: str, model: str, *, version_id: str, epoch: int, at: datetime, error: str) -> None:
    """Say what a process answers with."""
    session.merge(
        HeartbeatRow(process=process, model=model, version_id=version_id, epoch=epoch, at_us=to_us(at), error=error)
    )


def open_broken(session: Session, alert_id: str, *, model: str, version: str, cause: str, at: datetime) -> None:
    """Open the alert that a version does not load, or say that it still does not."""
    row = session.exec(_broken(model).where(AlertRow.version == version)).first()
    if row is None:
        row = AlertRow(
            id=alert_id,
            model=model,
            version=version,
            kind=BROKEN_MODEL,
            severity="critical",
            state=AlertState.OPEN,
            title=f"{model} v{version} does not load",
            opened_at=at,
            last_seen_at=at,
            evidence_ids=[],
            body={},
        )
    row.cause, row.last_seen_at = cause, at
    session.add(row)


def close_broken(session: Session, model: str, *, still_broken: Sequence[str], at: datetime) -> None:
    """Close those alerts of versions that load, or are not wanted any more."""
    for row in session.exec(_broken(model)):
        if row.version not in still_broken:
            row.state, row.closed_at = AlertState.CLOSED, at
            session.add(row)


def broken_versions(session: Session, model: str) -> frozenset[str]:
    """Numbers of the versions that do not load now."""
    return frozenset(row.version for row in session.exec(_broken(model)))


def broken_cause(session: Session, model: str, version: str) -> str:
    """Why a version does not load now; "" when no gateway says so."""
    row = session.exec(_broken(model).where(AlertRow.version == version)).first()
    return "" if row is None else row.cause


def _broken(model: str) -> SelectOfScalar[AlertRow]:
    return select(AlertRow).where(
        AlertRow.model == model, AlertRow.kind == BROKEN_MODEL, AlertRow.state != AlertState.CLOSED
    )


def _test(row: ABTestRow | None, serving: ServingRow | None, versions: dict[str, ServedVersion]) -> ServedTest | None:
    """The running test, as long as its control is what serves: after a rollback nothing is routed any more."""
    if row is None or serving is None or serving.version_id != row.control_id or row.started_at is None:
        return None
    challenger = versions.get(row.challenger_id)
    if challenger is None:
        return None
    design = Design.from_json(row.design)
    ends_at = end_of(design, row.started_at, pauses_of(row.pauses))
    return None if ends_at is None else ServedTest(row.id, challenger, design, row.started_at, ends_at)


def _rollout_of(
    row: RolloutRow | None, serving: ServingRow | None, versions: dict[str, ServedVersion]
) -> ServedRollout | None:
    """The roll-out that goes on, as long as its champion is what serves: else all rows are the champion's."""
    if row is None or serving is None or serving.version_id != row.from_version_id:
        return None
    challenger = versions.get(row.to_version_id)
    if challenger is None:
        return None
    return ServedRollout(row.id, challenger, stages_from_json(row.stages)[row.stage].share, row.key)


def _served(row: ModelVersionRow) -> ServedVersion:
    return ServedVersion(row.id, row.version, row.artifact_digest, row.source_uri)
