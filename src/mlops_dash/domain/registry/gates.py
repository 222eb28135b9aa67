"""Do the stored numbers allow a promotion? Four gates, each with its measures, intervals and limits.

Three answers and more: a limit inside the interval is "cannot tell", never green; what was not measured is "waiting";
what cannot be measured is "not computable". Must not: compute a number, read a store, know the time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from mlops_dash.domain import commands
from mlops_dash.domain.evidence import DAYS, Direction, Evidence, sample_words
from mlops_dash.domain.policies import PromotionPolicy
from mlops_dash.domain.tasks import METRICS
from mlops_dash.domain.words import GateState
from mlops_dash.ids import digest

PRIMARY, GUARDRAIL, SIGNATURE, EXAMPLE = "primary metric", "guardrail and floor", "signature", "input example"
GATE_NAMES = (PRIMARY, GUARDRAIL, SIGNATURE, EXAMPLE)
_OWN = frozenset({"level", "asked"})  # of a measure, not shown
# From worst to best: a gate is as good as its worst measure.
_ORDER = (
    GateState.FAILED,
    GateState.NOT_COMPUTABLE,
    GateState.CANNOT_TELL,
    GateState.WAITING,
    GateState.OVERRIDDEN,
    GateState.PASSED,
)


@dataclass(frozen=True)
class Measure:
    """One number of a gate against its limit. `relation` reads "value relation limit", e.g. "< 0"."""

    label: str
    metric: str  # key of METRICS, or "signature" / "input_example", or a word of `check_gate`
    state: GateState
    value: float | None = None
    low: float | None = None
    high: float | None = None
    limit: float | None = None
    relation: str = ""
    difference: bool = False  # candidate minus champion, shown with its sign
    level: float = 0.95
    n: int = 0
    n_clusters: int | None = None
    clusters: str = DAYS  # what they are
    method: str = ""
    bound: str = ""
    reason: str = ""
    evidence_id: str = ""
    unit: str = ""  # of a recipe's check; metrics know theirs
    measured_at: str = ""  # when a recipe's check ran, ISO
    asked: str = ""  # digest of what a recipe's check asks

    @property
    def decimals(self) -> int:
        """How many decimals the metric is shown with."""
        return METRICS[self.metric].decimals if self.metric in METRICS else 0


@dataclass(frozen=True)
class Gate:
    """One gate. A gate that is not `required` (no champion to compare with) is shown and does not block."""

    name: str
    state: GateState
    measures: tuple[Measure, ...]
    reason: str
    required: bool = True
    measured_state: GateState | None = None  # what it was before an override lifted it

    @property
    def leading(self) -> Measure:
        """The measure that decided: the worst one."""
        return worst_first(self.measures)[0]

    @property
    def opens(self) -> bool:
        """Whether this gate lets a promotion through."""
        return self.state in {GateState.PASSED, GateState.OVERRIDDEN} or not self.required

    @property
    def evidence_ids(self) -> tuple[str, ...]:
        """The evidence rows it rests on."""
        return tuple(one.evidence_id for one in self.measures if one.evidence_id)

    def as_json(self) -> dict[str, Any]:
        """The public shape of `gate --json`."""
        lead = self.leading
        return {
            "name": self.name,
            "state": str(self.state),
            "measured_state": None if self.measured_state is None else str(self.measured_state),
            "value": lead.value,
            "low": lead.low,
            "high": lead.high,
            "limit": lead.limit,
            "relation": lead.relation,
            "n": lead.n,
            "n_clusters": lead.n_clusters,
            "method": lead.method,
            "reason": self.reason,
            "required": self.required,
            "evidence_ids": list(self.evidence_ids),
            "measures": [
                {name: value for name, value in {**vars(one), "state": str(one.state)}.items() if name not in _OWN}
                for one in self.measures
            ],
        }


def worst_first(measures: Iterable[Measure]) -> list[Measure]:
    """Measures in the order in which they decide."""
    return sorted(measures, key=lambda one: _ORDER.index(one.state))


@dataclass(frozen=True)
class Through:
    """How many of the gates that are required let a version through, and how many of those by an override."""

    n: int
    of: int
    overridden: int

    def said(self) -> str:
        """As every page, report and command says it.

        >>> Through(4, 4, 2).said(), Through(3, 4, 0).said()
        ('4 of 4, 2 overridden', '3 of 4')
        """
        return f"{self.n} of {self.of}" + (f", {self.overridden} overridden" if self.overridden else "")


def through(gates: Iterable[tuple[str, bool]]) -> Through:
    """Count gates by their (state, required), as they are judged now or were once kept."""
    states = [state for state, required in gates if required]
    lifted = states.count(GateState.OVERRIDDEN)
    return Through(states.count(GateState.PASSED) + lifted, len(states), lifted)


def judge(
    policy: PromotionPolicy, evidences: Iterable[Evidence], now: datetime, *, champion: str | None,
    artifact_digest: str = "", elsewhere: bool = False, candidate: tuple[str, str] | None = None,
) -> tuple[Gate, ...]:  # fmt: skip
    """Judge stored evidence: exactly four gates, in the order of GATE_NAMES.

    Args:
        policy: The promotion policy in force.
        evidences: Evidence about the candidate; that against another comparator than `champion` is not looked at.
        now: The moment of judging, for the age limit of measured evidence.
        champion: Subject of the present champion, e.g. "flight-delay v2"; None when there is none.
        artifact_digest: The candidate's files; checks of other files do not count. "" = not known.
        elsewhere: Others serve this model: there are no files here to check, and the two checks do not block.
        candidate: Model and version, for the command that takes the next step; None = no command is said.
    """
    newest = _newest(evidences, champion)
    gates = (
        _primary(policy, newest, now, champion),
        _guardrail_and_floor(policy, newest, now, champion),
        _check(SIGNATURE, "signature", newest, artifact_digest, elsewhere=elsewhere),
        _check(EXAMPLE, "input_example", newest, artifact_digest, elsewhere=elsewhere),
    )
    return gates if candidate is None else tuple(_with_commands(gate, policy, *candidate) for gate in gates)


def outcome(gates: Sequence[Gate], *, approvals: int = 0, needed: int = 0) -> str:
    """The one word of `gate`: fail (a gate failed), needs_approval (not all open, or approvals missing), else pass."""
    if any(gate.required and gate.state is GateState.FAILED for gate in gates):
        return "fail"
    return "pass" if gates and all(gate.opens for gate in gates) and approvals >= needed else "needs_approval"


def approval_basis(
    gates: Sequence[Gate], *, candidate: str, champion: str | None, policy_digest: str, password: bool = False
) -> str:
    """What an approval rests on: states of gates and of each of their measures, who replaces whom, by which policy.

    Moving numbers do not count. `password` says that the tier asks for the approver's password again: what was approved
    without it does not count where it is asked.
    """
    states: dict[str, Any] = {}
    for gate in gates:
        apart = sorted((one.label, one.asked, str(one.state)) for one in gate.measures)
        told = len(apart) > 1 or any(one.asked for one in gate.measures)  # else the gate's word is its measure's
        states[gate.name] = [str(gate.state), apart] if told else str(gate.state)
    asked = {"password": "again"} if password else {}
    return digest({"states": states, "candidate": candidate, "champion": champion, "policy": policy_digest, **asked})


def lift(gates: Sequence[Gate], reasons: Mapping[str, str]) -> tuple[Gate, ...]:
    """The gates with overrides in force; `reasons` says why, by gate name. A gate that passes needs no override."""
    return tuple(
        replace(gate, state=GateState.OVERRIDDEN, measured_state=gate.state, reason=reasons[gate.name])
        if gate.name in reasons and not gate.opens
        else gate
        for gate in gates
    )


def closed_gates(gates: Sequence[Gate]) -> tuple[Gate, ...]:
    """Those that do not let a promotion through."""
    return tuple(gate for gate in gates if not gate.opens)


def _with_commands(gate: Gate, policy: PromotionPolicy, model: str, version: str) -> Gate:
    """Beside what waits for evidence, the command that brings it."""
    if not gate.required:
        return gate
    if gate.name not in {PRIMARY, GUARDRAIL}:
        if gate.state is not GateState.WAITING:
            return gate
        check = f"{gate.reason} {commands.evidence_check(model, version)}"
        return replace(gate, reason=check, measures=tuple(replace(one, reason=check) for one in gate.measures))
    said: dict[str, str] = {}
    for one in gate.measures:
        if one.evidence_id:
            continue
        if one.state is GateState.WAITING and one.difference:
            said[one.reason] = commands.evidence_compare(model, version)
        elif one.state is GateState.WAITING:
            said[one.reason] = commands.evidence_push(model, version)
        elif not policy.floor_metric:
            said[one.reason] = commands.floor_set(model)
    measures = tuple(
        replace(one, reason=f"{one.reason} {said[one.reason]}") if one.reason in said else one for one in gate.measures
    )
    reason = f"{gate.reason} {said[gate.reason]}" if gate.reason in said else gate.reason
    return replace(gate, measures=measures, reason=reason)


def _newest(evidences: Iterable[Evidence], champion: str | None) -> dict[tuple[str, str], Evidence]:
    found: dict[tuple[str, str], Evidence] = {}
    for one in evidences:
        if one.kind == "paired_difference" and one.comparator != champion:
            continue
        known = found.get((one.kind, one.metric))
        if known is None or known.computed_at <= one.computed_at:
            found[one.kind, one.metric] = one
    return found


def _primary(
    policy: PromotionPolicy, newest: Mapping[tuple[str, str], Evidence], now: datetime, champion: str | None
) -> Gate:
    if champion is None:
        reason = "There was no champion to be better than; the floor decides."
        measure = Measure(_label(policy.primary), policy.primary, GateState.NOT_COMPUTABLE, reason=reason)
        return Gate(PRIMARY, measure.state, (measure,), reason, required=False)
    measure = _difference(policy, newest.get(("paired_difference", policy.primary)), now, champion, policy.primary)
    return Gate(PRIMARY, measure.state, (measure,), measure.reason)


def _guardrail_and_floor(
    policy: PromotionPolicy, newest: Mapping[tuple[str, str], Evidence], now: datetime, champion: str | None
) -> Gate:
    measures: tuple[Measure, ...] = ()
    if champion is not None:
        evidence = newest.get(("paired_difference", policy.guardrail))
        measures = (_difference(policy, evidence, now, champion, policy.guardrail, allowed=policy.guardrail_margin),)
    if policy.floor_metric:
        measures = (*measures, _floor(policy, newest.get(("metric", policy.floor_metric)), now))
    if not measures:
        reason = "No champion and no floor to judge by. Set one in the unit of the label: Audit & admin, tab Policies."
        measures = (Measure("Floor", policy.primary, GateState.NOT_COMPUTABLE, reason=reason),)
    worst = worst_first(measures)[0]
    return Gate(GUARDRAIL, worst.state, measures, worst.reason)


def _difference(
    policy: PromotionPolicy, evidence: Evidence | None, now: datetime, champion: str, metric: str, *,
    allowed: float | None = None,
) -> Measure:  # fmt: skip
    """Candidate minus champion: better by more than the margin, or (guardrail) not worse by more than `allowed`."""
    lower_is_better = METRICS[metric].direction is Direction.LOWER
    slack = -policy.margin if allowed is None else allowed
    limit = slack if lower_is_better else -slack
    relation = "<" if lower_is_better else ">"
    blank = Measure(
        f"{_label(metric)}, candidate − champion", metric, GateState.WAITING, limit=limit + 0.0, relation=relation,
        difference=True, level=policy.level,
    )  # fmt: skip
    if evidence is None:
        return replace(blank, reason=f"Not yet compared with {champion} on the same rows.")
    return _against(blank, evidence, policy, now, lower_is_better=lower_is_better)


def _floor(policy: PromotionPolicy, evidence: Evidence | None, now: datetime) -> Measure:
    lower_is_better = METRICS[policy.floor_metric].direction is Direction.LOWER
    blank = Measure(
        f"{_label(policy.floor_metric)}, candidate alone",
        policy.floor_metric,
        GateState.WAITING,
        limit=policy.floor,
        relation="≤" if lower_is_better else "≥",
        level=policy.level,
    )
    if evidence is None:
        return replace(blank, reason=f"{_label(policy.floor_metric)} of the candidate has not been measured.")
    return _against(blank, evidence, policy, now, lower_is_better=lower_is_better)


def _against(
    blank: Measure, evidence: Evidence, policy: PromotionPolicy, now: datetime, *, lower_is_better: bool
) -> Measure:
    measure = replace(
        blank,
        value=evidence.value,
        low=evidence.low,
        high=evidence.high,
        level=evidence.level,
        n=evidence.n,
        n_clusters=evidence.n_clusters,
        clusters=evidence.clusters,
        method=evidence.method,
        bound=evidence.bound,
        evidence_id=evidence.id,
    )
    state, reason = _state(measure, evidence, policy, now, lower_is_better=lower_is_better)
    return replace(measure, state=state, reason=reason)


def _state(
    measure: Measure, evidence: Evidence, policy: PromotionPolicy, now: datetime, *, lower_is_better: bool
) -> tuple[GateState, str]:
    clusters = evidence.n_clusters if evidence.n_clusters is not None else evidence.n
    age = now - evidence.computed_at
    if evidence.state != "ok" or measure.low is None or measure.high is None:
        return GateState.NOT_COMPUTABLE, _sentence(evidence.reason or "no interval could be computed")
    if evidence.n < policy.min_rows or clusters < policy.min_clusters:
        has, needed = (
            sample_words(n, of, evidence.clusters)
            for n, of in ((evidence.n, clusters), (policy.min_rows, policy.min_clusters))
        )
        return GateState.NOT_COMPUTABLE, f"{has}; {needed} are needed."
    if age.days >= policy.evidence_max_age_days:
        limit = policy.evidence_max_age_days
        return GateState.WAITING, f"Measured {age.days} days ago; evidence holds for {limit} days. Measure it again."
    return _beside_limit(measure, lower_is_better=lower_is_better)


def _beside_limit(measure: Measure, *, lower_is_better: bool) -> tuple[GateState, str]:
    """Where the interval lies beside the limit; touching a strict limit is not beyond it."""
    low, high, limit = measure.low or 0.0, measure.high or 0.0, measure.limit or 0.0
    good, bad = (high, low) if lower_is_better else (low, high)
    sign = 1.0 if lower_is_better else -1.0
    strict = measure.relation in {"<", ">"}
    if (limit - good) * sign > 0 or (not strict and good == limit):
        return GateState.PASSED, "The whole interval is on the good side of the limit."
    if (bad - limit) * sign > 0 or (strict and bad == limit):
        return GateState.FAILED, "The whole interval is on the wrong side of the limit."
    return GateState.CANNOT_TELL, "The limit lies inside the interval; more rows may tell."


def _check(
    name: str, metric: str, newest: Mapping[tuple[str, str], Evidence], artifact_digest: str, *, elsewhere: bool
) -> Gate:
    evidence = newest.get(("check", metric))
    label = name[0].upper() + name[1:]
    if evidence is None and elsewhere:
        reason = "Others serve this model; there are no files here to check."
        nothing = Measure(label, metric, GateState.NOT_COMPUTABLE, reason=reason)
        return Gate(name, nothing.state, (nothing,), reason, required=False)
    if evidence is None:
        waiting = Measure(label, metric, GateState.WAITING, reason="Not checked yet.")
        return Gate(name, waiting.state, (waiting,), waiting.reason)
    checked = evidence.digests.get("artifact", "")
    measure = Measure(
        label,
        metric,
        GateState.PASSED if evidence.value == 1.0 else GateState.FAILED,
        value=evidence.value,
        limit=1.0,
        relation="=",
        n=evidence.n,
        method=evidence.method,
        bound=evidence.bound,
        reason=_sentence(evidence.reason),
        evidence_id=evidence.id,
    )
    if evidence.state != "ok" or evidence.value is None:
        measure = replace(measure, state=GateState.NOT_COMPUTABLE)
    elif artifact_digest and checked and checked != artifact_digest:
        reason = "The model's files changed since this was checked. Check it again."
        measure = replace(measure, state=GateState.WAITING, reason=reason)
    return Gate(name, measure.state, (measure,), measure.reason)


def _label(metric: str) -> str:
    return METRICS[metric].label


def _sentence(text: str) -> str:
    """A reason as a sentence: capital first, full stop last."""
    text = text.strip()
    return text if not text else text[0].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")
