"""Policies: who judges a model by which numbers. Named defaults live here and are printed in every JSON.

A policy is a version (model, kind, number) with canonical JSON and digest; YAML only imports and exports.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from mlops_dash.domain.evidence import BINARY, METRICS, REGRESSION
from mlops_dash.errors import InvalidInput
from mlops_dash.ids import digest


class PolicyKind(StrEnum):
    """What a policy decides about."""

    PROMOTION = "promotion"
    MONITORING = "monitoring"


@dataclass(frozen=True)
class PromotionPolicy:
    """When may a challenger become champion.

    The primary metric must be better than the champion's by more than `margin` (the whole interval); guardrails must
    not be worse than by their margin; `floor` is what the candidate must reach alone: at least, where higher is better,
    at most of an error. `floor_metric` "" = no floor is set, and without one no first version passes.
    """

    primary: str = "base_rate_free_loss"
    margin: float = 0.0
    guardrail: str = "brier"
    guardrail_margin: float = 0.002
    floor_metric: str = "auc"
    floor: float = 0.60
    level: float = 0.95
    min_rows: int = 1_000
    min_clusters: int = 10
    approvals: int = 1
    proposal_expires_days: int = 30
    evidence_max_age_days: int = 45
    confirm_within_minutes: int = 10

    def as_json(self) -> dict[str, Any]:
        """All fields."""
        return asdict(self)

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
    primary: str = "auc"
    harm_tolerance_share: float = 0.05  # of the reference loss
    harm_tolerance_auc: float = 0.01  # points of AUC within the day
    harm_min_unit_labels: int = 50
    loss_clip: float = 0.01  # log-loss is clipped at -ln(loss_clip)
    label_unit: str = ""  # of a regression's label and errors, e.g. "min"

    def as_json(self) -> dict[str, Any]:
        """All fields."""
        return asdict(self)

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


PAIRED_METRICS_OF: Mapping[str, tuple[str, ...]] = {
    BINARY: ("auc", "base_rate_free_loss", "brier", "log_loss"),
    REGRESSION: ("mae", "rmse"),
}
PAIRED_METRICS = tuple(metric for of_task in PAIRED_METRICS_OF.values() for metric in of_task)
MAX_UNIT = 12  # letters: it stands behind every number
_SHARES = ("level", "ripe_coverage", "alpha", "rank_level", "loss_clip")
_NOT_NEGATIVE = (
    "margin",
    "guardrail_margin",
    "label_delay_hours",
    "watch_excess",
    "drift_excess",
    "harm_tolerance_share",
    "harm_tolerance_auc",
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
)
WINDOWS = ("hour", "day", "week", "month")


# No limit in the unit of an unknown label can be a default: the first version of a regression waits for a written one.
_REGRESSION_PROMOTION = PromotionPolicy(
    primary="mae", guardrail="rmse", guardrail_margin=0.0, floor_metric="", floor=0.0
)
_REGRESSION_MONITORING = MonitoringPolicy(primary="mae")


def default_policy(model: str, kind: PolicyKind, task: str = BINARY) -> PolicyVersion:
    """The named default, as version 0: what holds while nobody has written a policy."""
    of_task: dict[PolicyKind, PromotionPolicy | MonitoringPolicy] = (
        {PolicyKind.PROMOTION: _REGRESSION_PROMOTION, PolicyKind.MONITORING: _REGRESSION_MONITORING}
        if task == REGRESSION
        else {PolicyKind.PROMOTION: PromotionPolicy(), PolicyKind.MONITORING: MonitoringPolicy()}
    )
    body = of_task[kind].as_json()
    return PolicyVersion(
        id=f"default-{kind}" if task == BINARY else f"default-{task}-{kind}",
        model=model,
        kind=kind,
        number=0,
        body=body,
        digest=digest(body),
        author="mlops-dash",
        approver="mlops-dash",
        active_from=datetime(1970, 1, 1, tzinfo=UTC),
    )


def policy_body(kind: PolicyKind, body: Mapping[str, Any], *, task: str = BINARY) -> dict[str, Any]:
    """Check a body and fill in what it does not say with the defaults of the model's task.

    Raises:
        InvalidInput: a field is unknown, of the wrong type or out of range, or a metric is of another kind of model.
    """
    whole = {**default_policy("", kind, task).body, **body}
    made = promotion_policy(whole) if kind is PolicyKind.PROMOTION else monitoring_policy(whole)
    if task_of_metric(made.primary) != task:
        known = ", ".join(name for name in METRICS if task_of_metric(name) == task)
        raise _refused("primary", made.primary, f"one of {known}: the model's task is {task}")
    return made.as_json()


def task_of_metric(metric: str) -> str:
    """Which kind of model a metric judges.

    >>> task_of_metric("mae"), task_of_metric("auc")
    ('regression', 'binary')
    """
    return REGRESSION if METRICS[metric].in_label_unit else BINARY


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
    family = PAIRED_METRICS_OF[task_of_metric(policy.primary)]
    if policy.guardrail not in family:
        raise _refused("guardrail", policy.guardrail, f"one of {', '.join(family)}, like the primary metric")
    if policy.floor_metric not in ("", *family):
        raise _refused("floor_metric", policy.floor_metric, f"one of {', '.join(family)}, like the primary metric")
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
        raise _refused("zone", policy.zone, "a zone such as UTC or America/New_York") from error
    if policy.window not in WINDOWS:
        raise _refused("window", policy.window, f"one of {', '.join(WINDOWS)}")
    if policy.primary not in METRICS:
        raise _refused("primary", policy.primary, f"one of {', '.join(METRICS)}")
    if len(policy.label_unit) > MAX_UNIT or not (policy.label_unit == "" or policy.label_unit.isprintable()):
        raise _refused("label_unit", policy.label_unit, f"at most {MAX_UNIT} printable letters, such as min")
    if policy.hysteresis_need > policy.hysteresis_of:
        raise _refused("hysteresis_need", policy.hysteresis_need, f"at most hysteresis_of = {policy.hysteresis_of}")
    return policy


def _checked(default: PromotionPolicy | MonitoringPolicy, body: Mapping[str, Any]) -> dict[str, Any]:
    known = {one.name: getattr(default, one.name) for one in fields(default)}
    out: dict[str, Any] = {}
    for name, value in body.items():
        if name not in known:
            raise InvalidInput(f"A policy has no field {name!r}.", hint=f"Known: {', '.join(known)}.")
        out[name] = _of_type(name, value, known[name])
        if name in _SHARES and not 0 < out[name] < 1:
            raise _refused(name, value, "above 0 and below 1")
        if name in _NOT_NEGATIVE and out[name] < 0:
            raise _refused(name, value, "0 or more")
        if name in _AT_LEAST_ONE and out[name] < 1:
            raise _refused(name, value, "1 or more")
    return out


def _of_type(name: str, value: Any, like: Any) -> Any:
    """A JSON number may come as an integer where a fraction is meant; nothing else is bent."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise _refused(name, value, f"a {_KIND[type(like)]}")
    if isinstance(like, float) and isinstance(value, (int, float)):
        return float(value)
    if type(value) is not type(like):
        raise _refused(name, value, f"a {_KIND[type(like)]}")
    return value


_KIND = {int: "whole number", float: "number", str: "text"}


def _refused(name: str, value: object, bound: str) -> InvalidInput:
    return InvalidInput(f"The policy field {name} is {value!r}; it must be {bound}.")
