"""Policies: who judges a model by which numbers. Named defaults live here and are printed in every JSON.

A policy is a version (model, kind, number) with canonical JSON and digest; YAML only imports and exports.
"""

from __future__ import annotations

import reprlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from mlops_dash.domain.cadence import NAMES, Cadence, cadence_named
from mlops_dash.domain.detectors import detectors_of
from mlops_dash.domain.tasks import BINARY, METRICS, TASKS
from mlops_dash.domain.tasks.task import ModelTask
from mlops_dash.errors import InvalidInput
from mlops_dash.ids import digest


class PolicyKind(StrEnum):
    """What a policy decides about."""

    PROMOTION = "promotion"
    MONITORING = "monitoring"


CARD_ASKS = ("", "complete", "approved")  # nothing; all fields written; and a second person stands behind them

REQUIRED, ADVISORY = "required", "advisory"
CHECKS_ASK = (REQUIRED, ADVISORY)  # whether a recipe's own checks block a promotion
PASSWORD_AGAIN = "again"
PASSWORD_ASKS = ("", PASSWORD_AGAIN)  # of an approver: nothing more, or their password once more
MOST_FAILED, MOST_TIMES = 0.01, 2.0  # of a roll-out: share of calls, and times the champion's answers take
UNSAID: Mapping[str, Any] = {
    "rollout_most_failed": MOST_FAILED,
    "rollout_most_times": MOST_TIMES,
    "tier_1_approvals": 0,
    "tier_1_password": "",
    "card": "",
    "recipe_checks": REQUIRED,
}  # fields left out where they say this: older policies keep their digest
UNPRICED: Mapping[str, Any] = {"cost_of_error": 0.0, "cost_of_missed": 0.0, "cost_threshold": 0.5}  # so of monitoring


@dataclass(frozen=True)
class PromotionPolicy:
    """When may a challenger become champion.

    The primary metric must be better than the champion's by more than `margin` (the whole interval); guardrails must
    not be worse than by their margin; `floor` is what the candidate must reach alone: at least, where higher is better,
    at most of an error. `floor_metric` "" = no floor is set, and without one no first version passes.
    Metrics, their margin and floor are by default those of a binary model; `default_policy` gives those of any task.
    """

    primary: str = BINARY.standards.primary
    margin: float = 0.0
    guardrail: str = BINARY.standards.guardrail
    guardrail_margin: float = BINARY.standards.guardrail_margin
    floor_metric: str = BINARY.standards.floor_metric
    floor: float = BINARY.standards.floor
    level: float = 0.95
    min_rows: int = 1_000
    min_clusters: int = 10
    approvals: int = 1
    proposal_expires_days: int = 30
    evidence_max_age_days: int = 45
    confirm_within_minutes: int = 10
    card: str = ""  # what is asked of the model card: one of CARD_ASKS
    recipe_checks: str = REQUIRED  # one of CHECKS_ASK
    tier_1_approvals: int = 0  # what a model of tier 1 takes at least; 0 = as others
    tier_1_password: str = ""  # one of PASSWORD_ASKS
    rollout_most_failed: float = MOST_FAILED  # share of calls; a staged roll-out that surely fails in more stops
    rollout_most_times: float = MOST_TIMES  # of the champion's slow answers; one that surely takes longer stops

    def as_json(self) -> dict[str, Any]:
        """All fields; those of UNSAID only where they say something else."""
        return {name: value for name, value in asdict(self).items() if name not in UNSAID or value != UNSAID[name]}

    @property
    def digest(self) -> str:
        """sha256 of the canonical JSON."""
        return digest(self.as_json())


@dataclass(frozen=True)
class MonitoringPolicy:
    """How a model is watched: windows, minima, floors and the harm alarm's promise."""

    zone: str = "UTC"  # calendar windows and clusters (days)
    window: str = "day"
    label_delay_hours: float = 24.0  # ripe when older than this ...
    ripe_coverage: float = 0.97  # ... or when this share of rows is labelled
    min_rows: int = 100
    min_reference_rows: int = 1_000
    alpha: float = 0.05
    watch_excess: float = 0.10
    drift_excess: float = 0.25
    rank_level: float = 0.95
    hysteresis_of: int = 3
    hysteresis_need: int = 2
    primary: str = BINARY.standards.watched
    harm_tolerance_share: float = 0.05  # of the reference loss
    harm_tolerance_auc: float = 0.01  # points of AUC within the day
    harm_min_unit_labels: int = 50
    loss_clip: float = 0.01  # log-loss is clipped at -ln(loss_clip)
    label_unit: str = ""  # of a regression's label and errors, e.g. "min"
    second_opinion: str = ""  # detectors of alibi-detect that are asked once a week, separated by commas
    cost_of_error: float = 0.0  # see domain/tasks/costs.py; 0 = nobody says what a wrong answer costs
    cost_of_missed: float = 0.0
    cost_threshold: float = 0.5

    @property
    def cadence(self) -> Cadence:
        """How often the model is judged."""
        return cadence_named(self.window)

    def as_json(self) -> dict[str, Any]:
        """All fields; prices only where somebody says them."""
        return {name: value for name, value in asdict(self).items() if value != UNPRICED.get(name)}

    @property
    def digest(self) -> str:
        """sha256 of the canonical JSON."""
        return digest(self.as_json())


@dataclass(frozen=True)
class PolicyVersion:
    """One stored version of a policy."""

    id: str
    model: str
    kind: PolicyKind
    number: int
    body: Mapping[str, Any]
    digest: str
    author: str
    approver: str | None
    active_from: datetime

    @property
    def is_default(self) -> bool:
        """Whether nobody has written a policy yet and the named default holds."""
        return self.number == 0

    @property
    def is_active(self) -> bool:
        """Whether a second person has put it into force."""
        return self.approver is not None

    @property
    def promotion(self) -> PromotionPolicy:
        """The body as a promotion policy."""
        return promotion_policy(self.body)

    @property
    def monitoring(self) -> MonitoringPolicy:
        """The body as a monitoring policy."""
        return monitoring_policy(self.body)


PAIRED_METRICS = tuple(dict.fromkeys(metric for task in TASKS for metric in task.comparable))
MAX_UNIT = 12  # letters: it stands behind every number
_SHARES = ("cost_threshold", "rollout_most_failed", "level", "ripe_coverage", "alpha", "rank_level", "loss_clip")
_NOT_NEGATIVE = (
    "margin",
    "guardrail_margin",
    "tier_1_approvals",
    "label_delay_hours",
    "watch_excess",
    "drift_excess",
    "harm_tolerance_share",
    "harm_tolerance_auc",
    "cost_of_error",
    "cost_of_missed",
)
_AT_LEAST_ONE = (
    "min_rows",
    "min_clusters",
    "approvals",
    "proposal_expires_days",
    "evidence_max_age_days",
    "confirm_within_minutes",
    "min_reference_rows",
    "hysteresis_of",
    "hysteresis_need",
    "harm_min_unit_labels",
    "rollout_most_times",
)
_AT_MOST = {  # beyond these a moment or a count cannot be reckoned with
    "label_delay_hours": 43_800,
    "min_rows": 1_000_000_000,
    "min_reference_rows": 1_000_000_000,
    "harm_min_unit_labels": 1_000_000_000,
    "min_clusters": 100_000,
    "approvals": 20,
    "tier_1_approvals": 20,
    "proposal_expires_days": 3_650,
    "evidence_max_age_days": 3_650,
    "confirm_within_minutes": 10_080,
    "hysteresis_of": 366,
    "rollout_most_times": 1_000,
}


def default_policy(
    model: str, kind: PolicyKind, task: ModelTask, *, window: str = MonitoringPolicy.window
) -> PolicyVersion:
    """The named default of a task, as version 0: what holds while nobody has written a policy.

    Args:
        model: Whose.
        kind: What it decides about.
        task: What the model predicts.
        window: What of it is judged as one, as its cadence says.
    """
    by = task.standards
    body = (
        PromotionPolicy(
            primary=by.primary,
            guardrail=by.guardrail,
            guardrail_margin=by.guardrail_margin,
            floor_metric=by.floor_metric,
            floor=by.floor,
        ).as_json()
        if kind is PolicyKind.PROMOTION
        else MonitoringPolicy(primary=by.watched, window=window).as_json()
    )
    return PolicyVersion(
        id=f"{task.policy_name}-{kind}",
        model=model,
        kind=kind,
        number=0,
        body=body,
        digest=digest(body),
        author="mlops-dash",
        approver="mlops-dash",
        active_from=datetime(1970, 1, 1, tzinfo=UTC),
    )


def policy_body(
    kind: PolicyKind, body: Mapping[str, Any], task: ModelTask, *, window: str = MonitoringPolicy.window
) -> dict[str, Any]:
    """Check a body and fill in what it does not say with the defaults of the model's task and cadence.

    Raises:
        InvalidInput: a field is unknown, of the wrong type or out of range, or a metric is of another kind of model.
    """
    whole = {**default_policy("", kind, task, window=window).body, **body}
    known = [metric.key for metric in task.metrics]
    if kind is PolicyKind.PROMOTION:
        known = list(dict.fromkeys([*known, *task.comparable]))
        for name in ("guardrail", "floor_metric"):
            if isinstance(whole[name], str) and whole[name] in PAIRED_METRICS and whole[name] not in task.comparable:
                raise _refused(
                    name, whole[name], f"one of {', '.join(task.comparable)}: the model's task is {task.name}"
                )
    if whole["primary"] not in known:  # before its family is held against the other metrics
        raise _refused("primary", whole["primary"], f"one of {', '.join(known)}: the model's task is {task.name}")
    if whole.get("cost_of_missed") and not task.has_reliability:
        raise _refused("cost_of_missed", whole["cost_of_missed"], "0: it is of models that answer with one probability")
    policy = promotion_policy(whole) if kind is PolicyKind.PROMOTION else monitoring_policy(whole)
    return policy.as_json()


def policy_value(kind: PolicyKind, name: str, text: str) -> Any:
    """A field's value from what somebody typed.

    >>> policy_value(PolicyKind.PROMOTION, "min_rows", "2_000"), policy_value(PolicyKind.MONITORING, "zone", "UTC")
    (2000, 'UTC')

    Raises:
        InvalidInput: there is no such field, or it is no number where one is meant.
    """
    like = asdict(PromotionPolicy() if kind is PolicyKind.PROMOTION else MonitoringPolicy())
    if name not in like:
        raise _unknown(name, like)
    wanted = type(like[name])
    if wanted is str:
        return text
    try:
        return wanted(text)
    except ValueError as error:
        raise _refused(name, text, f"a {_KIND[wanted]}") from error


def promotion_policy(body: Mapping[str, Any]) -> PromotionPolicy:
    """A promotion policy from its JSON.

    >>> promotion_policy({"margin": 0.01}).margin
    0.01

    Raises:
        InvalidInput: a field is unknown, of the wrong type or out of range.
    """
    policy = PromotionPolicy(**_checked(PromotionPolicy(), body))
    if policy.primary not in PAIRED_METRICS:
        raise _refused("primary", policy.primary, f"one of {', '.join(PAIRED_METRICS)}")
    family = tuple(
        dict.fromkeys(name for task in TASKS if policy.primary in task.comparable for name in task.comparable)
    )
    if policy.guardrail not in family:
        raise _refused("guardrail", policy.guardrail, f"one of {', '.join(family)}, like the primary metric")
    if policy.floor_metric not in ("", *family):
        raise _refused("floor_metric", policy.floor_metric, f"one of {', '.join(family)}, like the primary metric")
    if policy.card not in CARD_ASKS:
        raise _refused("card", policy.card, "complete, approved or empty")
    if policy.recipe_checks not in CHECKS_ASK:
        raise _refused("recipe_checks", policy.recipe_checks, " or ".join(CHECKS_ASK))
    if policy.tier_1_password not in PASSWORD_ASKS:
        raise _refused("tier_1_password", policy.tier_1_password, "again or empty")
    if policy.primary == policy.guardrail:
        raise _refused("guardrail", policy.guardrail, "another metric than the primary")
    return policy


def monitoring_policy(body: Mapping[str, Any]) -> MonitoringPolicy:
    """A monitoring policy from its JSON.

    >>> monitoring_policy({"zone": "America/New_York"}).zone
    'America/New_York'

    Raises:
        InvalidInput: a field is unknown, of the wrong type or out of range.
    """
    policy = MonitoringPolicy(**_checked(MonitoringPolicy(), body))
    try:
        ZoneInfo(policy.zone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise _refused("zone", policy.zone, "a zone such as UTC or Europe/Berlin") from error
    try:
        cadence_named(policy.window)  # a policy must not promise what nobody does
    except InvalidInput as error:
        raise _refused("window", policy.window, f"one of {NAMES}: other lengths are not judged") from error
    if policy.primary not in METRICS:
        raise _refused("primary", policy.primary, f"one of {', '.join(METRICS)}")
    if len(policy.label_unit) > MAX_UNIT or not (policy.label_unit == "" or policy.label_unit.isprintable()):
        raise _refused("label_unit", policy.label_unit, f"at most {MAX_UNIT} printable letters, such as min")
    detectors_of(policy.second_opinion)
    if policy.hysteresis_need > policy.hysteresis_of:
        raise _refused("hysteresis_need", policy.hysteresis_need, f"at most hysteresis_of = {policy.hysteresis_of}")
    return policy


def _checked(default: PromotionPolicy | MonitoringPolicy, body: Mapping[str, Any]) -> dict[str, Any]:
    known = {one.name: getattr(default, one.name) for one in fields(default)}
    out: dict[str, Any] = {}
    for name, value in body.items():
        if name not in known:
            raise _unknown(name, known)
        out[name] = _of_type(name, value, known[name])
        if name in _SHARES and not 0 < out[name] < 1:
            raise _refused(name, value, "above 0 and below 1")
        if name in _NOT_NEGATIVE and out[name] < 0:
            raise _refused(name, value, "0 or more")
        if name in _AT_LEAST_ONE and out[name] < 1:
            raise _refused(name, value, "1 or more")
        if name in _AT_MOST and out[name] > _AT_MOST[name]:
            raise _refused(name, value, f"at most {_AT_MOST[name]:,}")
    return out


def _of_type(name: str, value: Any, like: Any) -> Any:
    """A JSON number may come as an integer where a fraction is meant; nothing else is bent."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise _refused(name, value, f"a {_KIND[type(like)]}")
    if isinstance(like, float) and isinstance(value, (int, float)):
        if not abs(value) <= _LARGEST:  # NaN is in no order
            raise _refused(name, value, "a finite number")
        return float(value)
    if type(value) is not type(like):
        raise _refused(name, value, f"a {_KIND[type(like)]}")
    return value


_LARGEST = 1e15
_KIND = {int: "whole number", float: "number", str: "text"}


def _unknown(name: object, known: Mapping[str, Any]) -> InvalidInput:
    return InvalidInput(f"A policy has no field {reprlib.repr(name)}.", hint=f"Known: {', '.join(known)}.")


def _refused(name: str, value: object, bound: str) -> InvalidInput:
    return InvalidInput(f"The policy field {name} is {reprlib.repr(value)}; it must be {bound}.")
