"""What the dialogs of the Registry page say of a version, its gates and its proposal: facts of the room, in rows."""

from __future__ import annotations

from collections.abc import Mapping

from app.charts import registry as charts
from app.ui import widgets
from app.ui.context import Frame
from mlops_dash.domain import format as fmt
from mlops_dash.domain.evidence import Evidence
from mlops_dash.domain.registry.records import Proposal, RegistryRoom, Version
from mlops_dash.domain.registry.rollouts import limits_said, stages_said
from mlops_dash.domain.tasks import METRICS
from mlops_dash.domain.tasks.task import Metric
from mlops_dash.domain.words import ProposalState, look


def version(room: RegistryRoom) -> Version:
    """The version that is looked at; dialogs open only where there is one."""
    assert room.selected is not None
    return room.selected


def proposal(room: RegistryRoom) -> Proposal:
    """Its proposal; dialogs about one open only where there is one."""
    assert room.proposal is not None
    return room.proposal


def identity(room: RegistryRoom) -> dict[str, str]:
    """Which version: name, files, what it was trained on."""
    shown = version(room)
    files = widgets.Mono(fmt.short(shown.artifact_digest, 12))
    return {
        "Version": shown.subject,
        "Files": files,
        "Trained on": fmt.period(shown.training_start, shown.training_end, room.zone),
    }


def digest(one: Version | None) -> str:
    """The digest of its files, short."""
    return fmt.MISSING if one is None else widgets.Mono(fmt.short(one.artifact_digest, 12))


def gates(room: RegistryRoom) -> dict[str, str]:
    """Each gate with its word and its numbers: intervals do not vanish at the decision."""
    said = {}
    for gate in room.gates:
        texts = ((one.label, charts.measure_text(one, room.label_unit)) for one in gate.measures)
        numbers = "; ".join(f"{label}: {text}" for label, text in texts if text)
        said[gate.name[:1].upper() + gate.name[1:]] = f"{look(gate.state).label}. {numbers or gate.reason}"
    return said


def approvers(room: RegistryRoom) -> str:
    """Who approved, by name."""
    return ", ".join(
        room.given_by(one.approval) for one in room.approvals if one.holds and one.approval.kind == "approve"
    )


def metric_changes(room: RegistryRoom) -> list[tuple[str, str, str]]:
    """Both versions' own values on the rows they were compared on, and the difference with its interval."""
    found = {one.metric: one for one in room.comparisons if one.value is not None}
    policy = room.policy.promotion
    wanted = dict.fromkeys([policy.primary, policy.guardrail, policy.floor_metric])
    return [_metric_change(METRICS[name], found[name], room.label_unit) for name in wanted if name in found]


def _metric_change(metric: Metric, one: Evidence, label_unit: str) -> tuple[str, str, str]:
    old, new = (fmt.metric(one.details.get(who), metric.decimals) for who in ("champion", "candidate"))
    gap = f"{fmt.delta(one.value, metric.decimals)} {fmt.interval(one.low, one.high, metric.decimals)}"
    return metric.named(label_unit), old, f"{new}, {gap}"


def stops(room: RegistryRoom) -> str:
    """What stops its roll-out by itself, as the policy has it that the proposal is judged by."""
    return f"{limits_said(room.policy.promotion)}, or its loss surely rises"


def proposal_facts(frame: Frame, room: RegistryRoom, proposal: Proposal, called: Mapping[str, str]) -> None:
    """Draw who proposed it and why, its approvals, those that are void, its stages and until when it is open."""
    needed = room.rules.approvals
    who = ", ".join(room.given_by(one.approval) for one in room.approvals if one.holds and not one.approval.gate)
    counted = f"{room.approvals_counted} of {needed}" + (f" ({who})" if who else "")
    if room.approvals_counted < needed and room.may_approve:
        counted += f"; waiting for {' or '.join(room.may_approve)}"
    said = {
        "Proposed": f"{frame.ago(proposal.created_at)} by {room.name_of(proposal.proposer)}: {proposal.comment}",
        "Approvals": counted,
        **called,
        **({"Stages": stages_said(proposal.stages), "Stopped when": stops(room)} if proposal.stages else {}),
    }
    for one in room.approvals:
        if not one.holds:
            said[f"Void: {room.given_by(one.approval)}"] = one.reason
    if proposal.state in (ProposalState.OPEN, ProposalState.APPROVED):
        said["Open until"] = fmt.day(proposal.expires_at, frame.zone)
    widgets.facts(said)
