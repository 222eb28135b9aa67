"""The facts of a promotion dossier: one version, its gates, who decided what, where it is from and where it is live.

From what the Registry page shows; nothing is measured again here. Plain JSON, like every report's facts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mlops_dash.domain import format as fmt
from mlops_dash.domain.audit import Entry, title, who
from mlops_dash.domain.audit_words import sentence
from mlops_dash.domain.evidence import Evidence
from mlops_dash.domain.registry.dossier import Dossier
from mlops_dash.domain.registry.gates import through
from mlops_dash.domain.registry.records import ApprovalLine, Operation, Proposal, RegistryRoom, Step, VersionLine
from mlops_dash.domain.registry.semver import SemanticNumber
from mlops_dash.domain.registry.steps import steps_of
from mlops_dash.domain.reports.facts import gate_facts, iso, model_facts
from mlops_dash.domain.reports.snapshot import ReportKind
from mlops_dash.domain.words import GateState, OperationState, ProposalState, look

FORMAT = 1
_MOVED = frozenset({"promote", "adopt", "restore", "elsewhere"})


def promotion_facts(
    room: RegistryRoom,
    dossier: Dossier,
    *,
    proposal: Proposal | None,
    approvals: Sequence[ApprovalLine],
    operations: Sequence[Operation],
    evidence: Sequence[Evidence],
    entries: Sequence[Entry],
    n_entries: int,
    number: SemanticNumber,
) -> dict[str, Any]:
    """The facts, JSON-able.

    Args:
        room: The Registry page's read with this version selected.
        dossier: What the version is made of.
        proposal: Its last one; None = it was never proposed.
        approvals: Of that proposal, oldest first.
        operations: That made this version champion, oldest first.
        evidence: What its gates rest on.
        entries: The ledger's newest about this version, oldest first.
        n_entries: How many it has about this version in all.
        number: What it is called, or would be.
    """
    version = dossier.version
    line = room.line_of(version.id)
    gates = () if line is None else line.gates
    made = next((one for one in reversed(operations) if one.kind in _MOVED), None)
    counted = through((gate.state, gate.required) for gate in gates)
    given = [_approval(room, one) for one in approvals]
    facts: dict[str, Any] = {
        "kind": str(ReportKind.PROMOTION),
        "format": FORMAT,
        "subject": version.label,
        "model": model_facts(room),
        "zone": room.zone,
        "version": {
            "id": version.id,
            "label": version.label,
            "note": version.note,
            "created_at": iso(version.created_at),
            "created_by": room.name_of(version.created_by),
            "against": "" if line is None else line.against,
        },
        "through": counted.said() if counted.of else "",
        "gates": [gate_facts(gate, room.label_unit) for gate in gates],
        "policy": {"number": room.policy.number, "digest": room.policy.digest,
                   "approvals": room.rules.approvals},
        "proposal": None if proposal is None else {
            "state": str(proposal.state), "proposer": room.name_of(proposal.proposer), "comment": proposal.comment,
            "since": iso(proposal.created_at), "expires": iso(proposal.expires_at),
            "closed_at": iso(proposal.closed_at), "close_reason": proposal.close_reason,
        },
        "approvals": given,
        "rollout": None if made is None else {
            "kind": made.kind, "state": str(made.state), "decided_by": room.name_of(made.actor),
            "reason": made.reason, "mark": made.alias, "decided_at": iso(made.decided_at),
            "alias_moved_at": iso(made.alias_moved_at), "delivered_at": iso(made.delivered_at),
            "confirmed_at": iso(made.confirmed_at), "error": made.error,
            "steps": [
                {"what": what, "at": iso(at)}
                for what, at in steps_of(made, mark=room.model.mark.kind, elsewhere=room.model.elsewhere)
            ],
        },
        "lineage": _lineage(dossier),
        "semantic": {
            "number": number.number, "proposed": number.proposed, "against": number.against, "base": number.base,
            "change": None if number.change is None else str(number.change), "reasons": list(number.reasons),
            "why_not": number.why_not, "kept": number.kept is not None, "said": number.said(),
            "by_hand": number.kept is not None and number.kept.by_hand,
            "by": "" if number.kept is None else room.name_of(number.kept.by),
            "reason": "" if number.kept is None else number.kept.reason,
        },
        "places": [{"what": one.what, "since": iso(one.since), "until": iso(one.until)} for one in dossier.places],
        "digests": {
            "artifact": version.artifact_digest, "data": version.data_digest, "source": version.source_uri,
        },
        "evidence": [{"id": one.id, **one.as_json()} for one in evidence],
        "ledger": [
            {"number": one.number, "at": iso(one.at), "what": title(str(one.action)), "who": who(one.actor),
             "sentence": sentence(one), "why": one.reason}
            for one in entries
        ],
    }  # fmt: skip
    if n_entries > len(entries):  # only then, so that a dossier that has them all keeps its hash
        facts["ledger_more"] = n_entries - len(entries)
    if room.comments and proposal is not None and room.comments[0].proposal_id == proposal.id:
        facts["comments"] = [
            {"who": room.name_of(one.by), "at": iso(one.at), "text": one.text,
             "files": [{"name": file.name, "size": file.size, "sha256": file.sha256} for file in one.attachments]}
            for one in room.comments
        ]  # fmt: skip
    facts["verdict"] = _verdict(room, line, proposal, made, facts)
    facts["key"] = {
        "verdict": facts["verdict"]["said"],
        "gates passed": facts["through"] or "none apply",
        "approvals that count": str(sum(one["holds"] and one["kind"] == "approve" for one in given)),
        "rolled out": "not yet" if made is None else _rolled_out(made),
    }
    return facts


def _rolled_out(made: Operation) -> str:
    return "served elsewhere, as was said" if made.kind == "elsewhere" else look(made.state).label.lower()


def _approval(room: RegistryRoom, line: ApprovalLine) -> dict[str, Any]:
    one = line.approval
    return {"who": room.given_by(one), "kind": one.kind, "gate": one.gate, "comment": one.comment,
            "at": iso(one.created_at), "holds": line.holds, "reason": line.reason}  # fmt: skip


def _lineage(dossier: Dossier) -> dict[str, Any]:
    version, run = dossier.version, dossier.run
    return {
        "recipe": version.recipe,
        "training_start": iso(version.training_start),
        "training_end": iso(version.training_end),
        "run": None if run is None else {
            "id": run.run_id, "name": run.name, "by": run.user, "status": run.status, "source": run.source,
            "commit": run.commit, "branch": run.branch, "dirty": run.dirty, "started": iso(run.started),
            "datasets": [{"name": one.name, "digest": one.digest} for one in run.datasets],
        },
        "run_why": dossier.run_why,
        "copied_from": "" if dossier.registered is None else dossier.registered.copied_from,
        "signature": dossier.contents is not None and dossier.contents.inputs is not None,
        "size": None if dossier.contents is None else dossier.contents.size,
        "contents_why": dossier.contents_why,
        "altered": dossier.altered,
        "packages_changed": None if dossier.environment is None else len(dossier.environment),
        "packages_against": dossier.champion,
        "environment_why": dossier.environment_why,
    }  # fmt: skip


def _verdict(
    room: RegistryRoom,
    line: VersionLine | None,
    proposal: Proposal | None,
    made: Operation | None,
    facts: dict[str, Any],
) -> dict[str, str]:
    label, against = facts["version"]["label"], facts["version"]["against"]
    counted, _, lifted = facts["through"].partition(", ")
    more = f", {lifted}" if lifted else ""
    gates = f"It is through {counted} gates{more}." if counted else "No gate applies to it."
    nexts = room.next_action
    ask = "" if nexts.step in (Step.NOTHING, Step.WAIT) else nexts.sentence
    required = [] if line is None else [gate.state for gate in line.gates if gate.required]
    order = (GateState.FAILED, GateState.NOT_COMPUTABLE, GateState.CANNOT_TELL, GateState.WAITING)
    worst = next((one for one in order if one in required), GateState.PASSED if required else GateState.WAITING)
    if line is not None and line.is_champion and made is not None and made.kind == "elsewhere":
        since = fmt.instant(made.decided_at, room.zone)
        said = f"{label} answers, served elsewhere, as was said on {since}; no gate was asked. {gates}"
        return {"concept": "GateState", "word": str(worst), "said": said, "next": ask}
    if line is not None and line.is_champion:
        since = "" if made is None else f" since {fmt.instant(made.alias_moved_at or made.decided_at, room.zone)}"
        instead = f", in place of {against}" if against else ""
        said = f"{label} is live{since}{instead}. {gates}"
        state = OperationState.ALIAS_MOVED if made is None else made.state
        asked = ask
        if not asked and made is not None and state is not OperationState.CONFIRMED:
            asked = "see on the page Registry why nothing has confirmed yet that it answers."
        return {"concept": "OperationState", "word": str(state), "said": said, "next": asked}
    if proposal is not None and proposal.state is not ProposalState.WITHDRAWN:
        instead = f" in place of {against}" if against else ""
        said = f"{label} is proposed by {facts['proposal']['proposer']}{instead}. {gates}"
        if proposal.state in (ProposalState.REJECTED, ProposalState.VOID) and proposal.close_reason:
            said = f"{label} was {proposal.state}: {proposal.close_reason.rstrip('.')}. {gates}"
        if proposal.state is ProposalState.PROMOTED:
            said = f"{label} was promoted and is not live any more. {gates}"
        return {"concept": "ProposalState", "word": str(proposal.state), "said": said, "next": ask}
    return {
        "concept": "GateState", "word": str(worst), "said": f"{label} is not proposed. {gates}", "next": ask,
    }  # fmt: skip
