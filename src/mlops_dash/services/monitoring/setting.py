"""Who says what a version is compared with? A reference from a file, from a window of the log or from its first days.

A person decides it, with an entry in the ledger. Another one than before needs a reason, and the past is profiled anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pandas as pd

from mlops_dash.clock import require_utc
from mlops_dash.domain.access import Actor, Permission
from mlops_dash.domain.audit import Action
from mlops_dash.domain.calendar import day_start, zone_of
from mlops_dash.domain.class_probabilities import in_columns
from mlops_dash.domain.policies import MonitoringPolicy, PolicyKind
from mlops_dash.domain.pushed import read_reference
from mlops_dash.domain.ripeness import ripe_rows, with_days
from mlops_dash.domain.schema import EARLIEST, LATEST
from mlops_dash.domain.scoring import RESERVED
from mlops_dash.errors import Conflict, InvalidInput, NotFound
from mlops_dash.services.command import Context, Unit, command, read, record
from mlops_dash.services.monitoring.referencing import build_reference, checked_rows, evidence_of
from mlops_dash.store import evidence as evidence_store
from mlops_dash.store import policies, prediction_log, signatures
from mlops_dash.store.db import Session, reading, transaction
from mlops_dash.store.monitoring import profiles, references
from mlops_dash.store.monitoring import readings as store
from mlops_dash.store.prediction_log import to_us

_STEP = timedelta(days=31)  # of the log, read at a time
_OF_THE_LOG = ["prediction_id", "label_received_at", "label_observed_at"]


@dataclass(frozen=True)
class ReferenceSet:
    """What a version is compared with from now on; `changed` is False when it was so already."""

    id: str
    version: str
    start: datetime
    end: datetime
    rows: int
    days: int
    changed: bool


class Setting:
    """References that people choose."""

    def __init__(self, context: Context) -> None:
        self.context = context

    @read(Permission.ROOM_READ)
    def rows_of_window(self, actor: Actor, version_id: str, start: datetime, end: datetime) -> pd.DataFrame:
        """The labelled rows of ripe days that a version answered in [start, end): what a reference can be made of.

        Raises:
            NotFound: no such version.
            InvalidInput: the window is upside down, or has no such rows.
        """
        start, end = require_utc(start), require_utc(end)
        if end <= start:
            raise InvalidInput(f"The window {start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} is empty.")
        rows = self._ripe(version_id, start, end)
        if rows.empty:
            raise InvalidInput(
                f"No labelled row of a ripe day lies in {start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M}.",
                hint="Choose a window whose labels have come, or send them: mlops-dash labels.",
            )
        return _as_reference(rows)

    @read(Permission.ROOM_READ)
    def rows_of_first_days(self, actor: Actor, version_id: str, days: int) -> pd.DataFrame:
        """The labelled rows of the first so many ripe days with labels that a version answered.

        Raises:
            NotFound: no such version.
            InvalidInput: there are fewer such days.
        """
        if days < 1:
            raise InvalidInput(f"{days} days hold no row.", hint="Ask for one day or more.")
        with reading(self.context.databases.log) as log:
            span = prediction_log.span_of(log, version_id)
        zone = self._policy(version_id).zone
        kept: list[pd.DataFrame] = []
        known: set[str] = set()
        day, last = (moment.astimezone(zone_of(zone)).date() for moment in span or (LATEST, EARLIEST))
        while day <= last and len(known) < days:
            part = self._ripe(version_id, day_start(day, zone), day_start(day + _STEP, zone))
            kept.append(part)
            known.update(part["day"])
            day += _STEP
        if len(known) < days:
            raise InvalidInput(
                f"{len(known)} ripe days with labels are in the log, and {days} are wanted.",
                hint="Ask for fewer, or send the labels: mlops-dash labels.",
            )
        rows = pd.concat([one for one in kept if len(one)], ignore_index=True)
        return _as_reference(rows[rows["day"].isin(sorted(known)[:days])])

    @read(Permission.ROOM_READ)
    def rows_of_objects(self, actor: Actor, version_id: str, rows: Any) -> pd.DataFrame:
        """Labelled rows from objects as `domain.pushed.read_reference` says: what a reference can be made of.

        Raises:
            NotFound: no such version.
            InvalidInput, InvalidRow: a rule is broken.
        """
        with reading(self.context.databases.app) as session:
            task = policies.task_of(session, _version(session, version_id).model)
        sent = read_reference(rows, now=self.context.clock.now(), task=task)
        roles = {"at": pd.to_datetime(pd.Series(sent.at), utc=True), "score": sent.scores, "label": sent.labels}
        frame = pd.DataFrame(roles)
        if any(one is not None for one in sent.probabilities):
            frame = pd.concat([frame, in_columns(sent.probabilities, task.facts["classes"])], axis=1)
        return prediction_log.with_features(frame, sent.features)

    @command(Permission.MODEL_EDIT, Action.REFERENCE_SET)
    def set_reference(
        self,
        unit: Unit,
        actor: Actor,
        version_id: str,
        rows: pd.DataFrame,
        *,
        method: str,
        source: str,
        replace: bool = False,
        reason: str = "",
    ) -> ReferenceSet:
        """Say what a version's live traffic is compared with from now on; the caller marks its past afterwards.

        The caller has `keep_inputs` told before, which asks MLflow.

        The same rows again change nothing. A scientist or above may; the ledger has the rows' source, the window and
        what it replaces.

        Args:
            unit: The transaction.
            actor: Who decides.
            version_id: The version.
            rows: As `record_reference` takes them.
            method: How the rows were scored: out of fold, or as they were served.
            source: Where they are from, as people read it.
            replace: Whether a reference that is there already may be replaced.
            reason: Why; needed to replace one.

        Raises:
            NotFound: no such version.
            InvalidInput: a row cannot be counted, or a reason is missing.
            Conflict: another reference is there, and `replace` was not said.
        """
        session = unit.session
        version = _version(session, version_id)
        policy = policies.active(session, version.model, PolicyKind.MONITORING, unit.now).monitoring
        task = policies.task_of(session, version.model)
        taken = sorted({str(name) for name in rows.columns} & (RESERVED - {"at", "score", "label"}))
        if taken:
            raise InvalidInput(f"The feature name {', '.join(taken)} is taken.", hint="Rename the feature.")
        cluster = policies.cluster_of(session, version.model)
        made, measured = build_reference(
            version, task, policy, checked_rows(rows, task), unit.now, method=method, cluster=cluster,
            inputs=signatures.inputs_of(session, version_id) or (),
        )  # fmt: skip
        subject = f"{version.model} v{version.version}"
        answer = ReferenceSet(
            made.id, subject, made.start, made.end, made.n_rows, made.n_days, changed=True
        )  # fmt: skip
        before = references.reference(session, version_id)
        if before is not None and before.id == made.id:
            unit.nothing_changed()
            return ReferenceSet(**{**vars(answer), "changed": False})
        if before is not None and not replace:
            raise Conflict(
                f"{subject} is compared with {before.n_rows:,} rows until {before.end:%Y-%m-%d} already.",
                hint="Say --replace with a --reason to compare it with others; its past is judged anew then.",
            )
        if before is not None and not reason.strip():
            raise InvalidInput("Another reference needs a reason.", hint="Say why the one before is wrong: --reason.")
        evidence = evidence_of(subject, version, made, measured, task, unit.now)
        if references.save_reference(session, made):
            evidence_store.put(session, evidence)
        else:
            references.renew(session, made.id, unit.now)  # one of before, chosen again
        unit.audit(
            subject,
            model=version.model,
            before={} if before is None else {"reference": before.id, "rows": before.n_rows},
            after={"reference": made.id, "rows": made.n_rows, "from": made.start.isoformat(),
                   "until": made.end.isoformat(), "scored": method, "source": source},
            reason=reason.strip(),
            evidence_ids=tuple(one.id for one in evidence),
        )  # fmt: skip
        return answer

    @record(Permission.MODEL_EDIT)
    def mark_past(self, actor: Actor, version_id: str) -> int:
        """Have every hour that a version answered profiled again, against the reference it has now; gives how many.

        Raises:
            NotFound: no such version.
        """
        with reading(self.context.databases.app) as session:
            version = _version(session, version_id)
        with transaction(self.context.databases.log) as log:
            return profiles.mark_past_of(
                log, version.model, version_id, marked_us=to_us(self.context.clock.now())
            )  # fmt: skip

    def _policy(self, version_id: str) -> MonitoringPolicy:
        with reading(self.context.databases.app) as session:
            model = _version(session, version_id).model
            return policies.active(session, model, PolicyKind.MONITORING, self.context.clock.now()).monitoring

    def _ripe(self, version_id: str, start: datetime, end: datetime) -> pd.DataFrame:
        policy = self._policy(version_id)
        with reading(self.context.databases.app) as session:
            classes = policies.task_of(session, _version(session, version_id).model).facts.get("classes", ())
        with reading(self.context.databases.log) as log:
            rows = prediction_log.read_window(log, version_id, start, end, classes=classes)
        return ripe_rows(with_days(rows, policy.zone), policy, self.context.clock.now())


def _version(session: Session, version_id: str) -> store.Version:
    version = store.version(session, version_id)
    if version is None:
        raise NotFound(f"No version {version_id}.", hint="Record the version before its reference.")
    return version


def _as_reference(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.drop(columns=[*_OF_THE_LOG, "day"]).reset_index(drop=True)
