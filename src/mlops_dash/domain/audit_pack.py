"""The auditor's pack: every change of champion of a time with what it rested on, and whether all changes are explained.

MLflow keeps no history of its aliases. What is counted is what we moved there and what was seen to have moved there by
somebody else; each has to have its entry in the ledger, and each of the latter an answer.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mlops_dash.domain.audit import Action, Entry
from mlops_dash.domain.registry.records import Operation
from mlops_dash.domain.registry.threads import Attachment, Comment

FINISHED: Mapping[str, Action] = {
    "promote": Action.PROMOTION_FINISHED,
    "rollback": Action.ROLLBACK_FINISHED,
    "restore": Action.ALIAS_RESTORED,
    "adopt": Action.ALIAS_ADOPTED,
    "elsewhere": Action.SERVED_ELSEWHERE,
}
_ENDING = re.compile(r"\.[a-z0-9]{1,8}$", re.ASCII)
_ANSWERS = (Action.ALIAS_ADOPTED, Action.ALIAS_RESTORED, Action.PROMOTION_FINISHED, Action.ROLLBACK_FINISHED)


@dataclass(frozen=True)
class Reconciliation:
    """Changes of what is live against the ledger's entries.

    Attributes:
        in_mlflow: Moves of live marks: ours, and those of others that were seen.
        in_ledger: Entries that tell of one.
        unexplained: For each move without an entry, entry without a move, or move of others without an answer, what.
    """

    in_mlflow: int
    in_ledger: int
    unexplained: tuple[str, ...]

    def sentence(self) -> str:
        """One line."""
        return (
            f"Changes of what is live {self.in_mlflow}, in the ledger {self.in_ledger}, "
            f"unexplained {len(self.unexplained)}."
        )


def reconcile(
    operations: Sequence[Operation], entries: Sequence[Entry], *, start: datetime, until: datetime
) -> Reconciliation:
    """Hold the changes of a time [start, until) against the ledger.

    Args:
        operations: Of the models, of any time.
        entries: About the models, of any time: what was decided before may be done in it, answers may come later.
    """
    actions = set(FINISHED.values())
    told = {str(one.after["operation"]): one for one in entries if one.action in actions and one.after.get("operation")}
    done = {one.id: one for one in operations if one.alias_moved_at is not None}
    moved = [one for one in done.values() if one.alias_moved_at is not None and start <= one.alias_moved_at < until]
    missing = [f"{one.kind} of {one.model}, operation {one.id}, has no entry" for one in moved if one.id not in told]
    inside = [one for key, one in told.items() if start <= _when(one, done.get(key)) < until]
    orphans = [
        f"entry {one.number} tells of a change of {one.model} that was not made"
        for one in inside
        if str(one.after["operation"]) not in done
    ]
    seen = [one for one in entries if one.action == Action.ALIAS_DRIFTED and start <= one.at < until]
    unanswered = [
        f"the live mark of {one.model} was moved to {one.after.get('alias')} (entry {one.number}) and nobody answered"
        for one in seen
        if not any(
            later.number > one.number and later.model == one.model and later.action in _ANSWERS for later in entries
        )
    ]
    return Reconciliation(len(moved) + len(seen), len(inside) + len(seen), (*missing, *orphans, *unanswered))


def _when(entry: Entry, operation: Operation | None) -> datetime:
    """When what an entry tells was done."""
    return entry.at if operation is None or operation.alias_moved_at is None else operation.alias_moved_at


def promotion_facts(
    operation: Operation,
    *,
    subject: str,
    replaced: str,
    decided: Entry | None,
    finished: Entry | None,
    proposal: Mapping[str, Any] | None,
    approvals: Sequence[Mapping[str, Any]],
    policy: Mapping[str, Any] | None,
    thread: Sequence[Comment] = (),
    changed: Collection[str] = (),
) -> dict[str, Any]:
    """One change of champion with what it rested on, JSON-able.

    `changed` are ids of attachments whose bytes are not what was attached: they are named, and not in the pack.
    """
    return {
        "kind": operation.kind,
        "model": operation.model,
        "version": subject,
        "replaced": replaced,
        "decided_at": operation.decided_at.isoformat(),
        "decided_by": operation.actor,
        "reason": operation.reason,
        "alias_moved_at": None if operation.alias_moved_at is None else operation.alias_moved_at.isoformat(),
        "confirmed_at": None if operation.confirmed_at is None else operation.confirmed_at.isoformat(),
        "ledger": {
            "decided": None if decided is None else decided.number,
            "finished": None if finished is None else finished.number,
        },
        "gates": {} if decided is None else dict(decided.after.get("gates", {})),
        "evidence": [] if decided is None else list(decided.evidence_ids),
        "artifact": "" if decided is None else str(decided.after.get("artifact", "")),
        "proposal": proposal,
        "approvals": list(approvals),
        "policy": policy,
        "thread": [
            {
                "by": one.by, "at": one.at.isoformat(), "text": one.text,
                "files": [
                    {"name": file.name, "size": file.size, "sha256": file.sha256,
                     "file": "" if file.id in changed else path_of(file)}
                    for file in one.attachments
                ],
            }
            for one in thread
        ],
    }  # fmt: skip


def path_of(file: Attachment) -> str:
    """Where an attachment lies in the pack: by its digest, since its name is somebody's; only a plain ending stays.

    >>> path_of(Attachment("a", "../Fairness, Q1.PDF", 3, "ab12")), path_of(Attachment("a", "x", 3, "ab12"))
    ('attachments/ab12.pdf', 'attachments/ab12')
    """
    ending = _ENDING.search(file.name.lower())
    return f"attachments/{file.sha256}{ending[0] if ending else ''}"
