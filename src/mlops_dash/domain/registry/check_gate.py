"""The gate of a recipe's own checks, beside those of `gates`: there where the version's recipe carries any."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from mlops_dash.domain import commands
from mlops_dash.domain.evidence import Evidence
from mlops_dash.domain.policies import ADVISORY, PromotionPolicy
from mlops_dash.domain.recipe_checks import EVIDENCE_KIND, Check
from mlops_dash.domain.registry.gates import Gate, Measure, worst_first
from mlops_dash.domain.words import GateState
from mlops_dash.ids import digest

CHECKS = "recipe checks"
NUMBER, YES_OR_NO = "recipe check", "recipe check, yes or no"  # what a measure of it is, beside the keys of METRICS
OF_RECIPES = frozenset({NUMBER, YES_OR_NO})


def check_gate(
    policy: PromotionPolicy, checks: Sequence[Check], evidences: Iterable[Evidence], artifact_digest: str,
    candidate: tuple[str, str], *, workplace: str = "",
) -> Gate:  # fmt: skip
    """What each check of the recipe said of this version; one that did not run is awaited, never passed.

    Args:
        policy: In force; says whether the gate blocks.
        checks: Of the recipe as it is now, at least one.
        evidences: About the candidate; of each check the newest counts.
        artifact_digest: The candidate's files; what was said of other files does not count. "" = not known.
        candidate: Model and version, for the command that runs them again.
        workplace: Of the recipe: what was said by programs of another commit or requirements does not count.
    """
    newest: dict[str, Evidence] = {}
    for one in evidences:
        known = newest.get(one.metric)
        if one.kind == EVIDENCE_KIND and (known is None or known.computed_at <= one.computed_at):
            newest[one.metric] = one
    again = commands.evidence_check(*candidate)
    measures = tuple(_measure(check, newest.get(check.name), artifact_digest, workplace, again) for check in checks)
    worst = worst_first(measures)[0]
    closed = sum(one.state is not GateState.PASSED for one in measures)
    reason = f"{worst.label}: {worst.reason}" if closed else ""
    if closed > 1:
        reason = f"{closed} of {len(measures)} checks did not pass. {reason}"
    return Gate(CHECKS, worst.state, measures, reason, required=policy.recipe_checks != ADVISORY)


def checks_as_promoted(gates: Sequence[Gate]) -> tuple[Gate, ...]:
    """The gates of a champion: what its recipe began to ask later was not asked of it."""
    return tuple(_as_asked(one) if one.name == CHECKS else one for one in gates)


def _as_asked(gate: Gate) -> Gate:
    if gate.opens or any(one.state is not GateState.WAITING for one in gate.measures if not _passed(one)):
        return gate
    said = "Its recipe asks for this since the version was promoted."
    measures = tuple(one if _passed(one) else replace(one, reason=said) for one in gate.measures)
    return replace(gate, measures=measures, reason=said, required=False)


def _passed(one: Measure) -> bool:
    return one.state is GateState.PASSED


def _measure(check: Check, evidence: Evidence | None, artifact_digest: str, workplace: str, again: str) -> Measure:
    plain = check.limit is None
    blank = Measure(
        check.name, YES_OR_NO if plain and not check.unit else NUMBER, GateState.WAITING, limit=check.limit,
        relation=check.relation, unit=check.unit, method=f"{check.kind} check: {check.program}",
        asked=digest([check.digest, workplace]),
    )  # fmt: skip
    if evidence is None:
        return replace(blank, reason=f"Not run for this version. {again}")
    told = evidence.details.get("result", "")
    measure = replace(
        blank, value=evidence.value, n=evidence.n, method=evidence.method, bound=evidence.bound,
        metric=YES_OR_NO if told == "yes or no" else NUMBER, evidence_id=evidence.id,
        measured_at=evidence.computed_at.isoformat(),
    )  # fmt: skip
    if evidence.digests.get("check") != check.digest:
        return replace(measure, reason=f"The check changed since it ran. {again}")
    if evidence.digests.get("workplace", "") != workplace:
        return replace(measure, reason=f"The recipe's commit or requirements changed since it ran. {again}")
    checked = evidence.digests.get("artifact", "")
    if artifact_digest and checked and checked != artifact_digest:
        return replace(measure, reason=f"The model's files changed since it ran. {again}")
    if evidence.state != "ok" or evidence.value is None:
        return replace(measure, state=GateState.NOT_COMPUTABLE, reason=f"Not run: {evidence.reason}")
    if not checked:
        return replace(measure, reason=f"Nobody knows which files it looked at. {again}")
    if evidence.details.get("passed") is True:
        return replace(measure, state=GateState.PASSED, reason=evidence.reason)
    beyond = "" if plain else f"Beyond its limit of {check.relation} {check.limit:g} {check.unit}".rstrip() + "."
    held = beyond if check.limit is not None and not check.holds(evidence.value) else ""
    said = f"{held} {evidence.reason}".strip() or "It says no."
    return replace(measure, state=GateState.FAILED, reason=said)
