"""What a promotion rests on at the moment it is decided, as the ledger keeps it: by click or after stages."""

from __future__ import annotations

from typing import Any

from mlops_dash.domain.monitoring.answers import KINDS
from mlops_dash.domain.registry.proposals import approvers
from mlops_dash.domain.registry.records import Version
from mlops_dash.domain.words import AlertState
from mlops_dash.services.registry.judging import Standing
from mlops_dash.store.db import Session
from mlops_dash.store.monitoring.alerts import Alert, alerts


def basis_said(session: Session, at: Standing) -> dict[str, Any]:
    """Proposal, files, approvers, gates, policy, and open alerts that it answers."""
    answered = answered_by_promotion(session, at.champion)
    deputies = {one.approver: one.in_name_of for one in at.holding if one.in_name_of}
    return {
        "proposal": at.proposal.id,
        "artifact": at.version.artifact_digest,
        "approved_by": sorted(approvers(at.proposal, at.holding)),
        **({"in_name_of": deputies} if deputies else {}),
        "gates": {gate.name: str(gate.state) for gate in at.gates},
        "policy": at.policy.number,
        **({"answers": [one.title for one in answered]} if answered else {}),
    }


def evidence_of(at: Standing) -> tuple[str, ...]:
    """Ids of the evidence that its gates rest on, each once."""
    return tuple(dict.fromkeys(key for gate in at.gates for key in gate.evidence_ids))


def answered_by_promotion(session: Session, champion: Version | None) -> tuple[Alert, ...]:
    """Open alerts about the champion that another version would answer; its own days then decide about them."""
    if champion is None:
        return ()
    return tuple(
        one
        for one in alerts(session, champion.model)
        if one.version == champion.version and one.kind in KINDS and one.state is not AlertState.CLOSED
    )
