"""What leaves the house: the ledger as a file, and the auditor's pack of a quarter."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from mlops_dash.domain.access import Actor, Permission
from mlops_dash.domain.audit import Action, Entry, Filter, Verdict
from mlops_dash.domain.audit_pack import FINISHED, path_of, promotion_facts, reconcile
from mlops_dash.domain.registry.records import Operation
from mlops_dash.domain.registry.threads import Comment
from mlops_dash.errors import Conflict, InvalidInput, NotFound
from mlops_dash.rendering import audit as rendering
from mlops_dash.services.command import Context, read
from mlops_dash.store import audit as store
from mlops_dash.store import evidence as evidence_store
from mlops_dash.store import policies as policy_store
from mlops_dash.store import registry as registry_store
from mlops_dash.store import threads as thread_store
from mlops_dash.store.db import Session, reading

KINDS = ("csv", "json")
# A roll-out decides its promotion after its last stage: that entry alone of its own carries an operation.
_DECIDED = (Action.PROMOTION_DECIDED, Action.ROLLBACK_DECIDED, Action.ROLLOUT_ADVANCED)


class Packing:
    """Files of the ledger."""

    def __init__(self, context: Context, verify: Callable[[Actor], Verdict]) -> None:
        self.context = context
        self._verify = verify

    @read(Permission.AUDIT_READ)
    def export(self, actor: Actor, wanted: Filter | None = None, *, kind: str = "csv") -> bytes:
        """All entries that a filter lets through, oldest first, as CSV or JSON.

        Raises:
            InvalidInput: another kind of file.
        """
        if kind not in KINDS:
            raise InvalidInput(f"The ledger is not written as {kind!r}.", hint=f"Use {' or '.join(KINDS)}.")
        with reading(self.context.databases.app) as session:
            found = store.matching(session, wanted or Filter())
        return rendering.entries_csv(found) if kind == "csv" else rendering.entries_json(found)

    @read(Permission.AUDIT_READ)
    def pack(self, actor: Actor, first: date, last: date, *, model: str = "") -> bytes:
        """The auditor's pack of the days first to last, UTC: every change of what is live with what it rested on.

        Args:
            actor: Who asks.
            first: The first day.
            last: The last day, inclusive.
            model: One model alone; "" = all, archived ones included.

        Raises:
            InvalidInput: the last day is before the first.
            NotFound: no such model.
        """
        if last < first:
            raise InvalidInput(f"{last} is before {first}.", hint="Give the first day, then the last one.")
        start = datetime.combine(first, time(), UTC)
        until = datetime.combine(last, time(), UTC) + timedelta(days=1)
        verdict = self._verify(actor)
        with reading(self.context.databases.app) as session:
            names = [one.name for one in registry_store.models(session, archived=True)]
            if model and model not in names:
                raise NotFound(f"No model {model}.", hint=f"Known: {', '.join(names) or 'none yet'}.")
            names = [model] if model else names
            every = store.matching(session, Filter(model=model))
            operations = [one for name in names for one in registry_store.operations(session, name)]
            found = reconcile(operations, every, start=start, until=until)
            moved = sorted(
                (one for one in operations if one.alias_moved_at is not None and start <= one.alias_moved_at < until),
                key=lambda one: (one.decided_at, one.id),
            )
            files: dict[str, bytes] = {}
            changes = [_change(session, one, every, files) for one in moved]
            wanted = dict.fromkeys(key for one in changes for key in one["evidence"])
            evidence = {one.id: one.as_json() for one in evidence_store.get(session, wanted)}
        facts: dict[str, Any] = {
            "start": start.isoformat(),
            "last_day": last.isoformat(),
            "models": names,
            "changes": changes,
            "evidence": evidence,
            "reconciliation": {**vars(found), "unexplained": list(found.unexplained), "sentence": found.sentence()},
            "verification": {**vars(verdict), "sentence": verdict.sentence()},
        }
        inside = [one for one in every if start <= one.at < until]
        return rendering.pack(facts, inside, files)


def _change(
    session: Session, operation: Operation, entries: Sequence[Entry], files: dict[str, bytes]
) -> dict[str, Any]:
    """One change with what it rested on; what was attached to its proposal is put into `files`, by its path."""
    own = [one for one in entries if one.after.get("operation") == operation.id]
    before = operation.from_version_id
    proposal = None if operation.proposal_id is None else registry_store.proposal(session, operation.proposal_id)
    given = () if proposal is None else registry_store.approvals(session, proposal.id)
    thread = () if proposal is None else thread_store.thread(session, proposal.id)
    policy = None if proposal is None or not proposal.policy_id else policy_store.get(session, proposal.policy_id)
    return promotion_facts(
        operation,
        subject=registry_store.version(session, operation.to_version_id).subject,
        replaced="" if before is None else registry_store.version(session, before).label,
        decided=next((one for one in own if one.action in _DECIDED), None),
        finished=next((one for one in own if one.action == FINISHED.get(operation.kind)), None),
        proposal=None
        if proposal is None
        else {"id": proposal.id, "proposer": proposal.proposer, "comment": proposal.comment,
              "opened_at": proposal.created_at.isoformat(), "evidence": list(proposal.evidence_ids)},
        approvals=[
            {"approver": one.approver, "in_name_of": one.in_name_of, "kind": one.kind, "gate": one.gate,
             "comment": one.comment, "at": one.created_at.isoformat(), "void": one.void_reason}
            for one in given
        ],
        policy=None
        if policy is None
        else {"number": policy.number, "digest": policy.digest, "body": dict(policy.body)},
        thread=thread,
        changed=_attached(session, thread, files),
    )  # fmt: skip


def _attached(session: Session, thread: Sequence[Comment], files: dict[str, bytes]) -> frozenset[str]:
    """Put the attachments of a thread into `files`; gives the ids of those that are not what was attached."""
    changed = set()
    for one in (file for comment in thread for file in comment.attachments):
        try:
            files[path_of(one)] = thread_store.attachment(session, one.id)[1]
        except Conflict:
            changed.add(one.id)
    return frozenset(changed)
