"""What ripe days or units of a test say: both arms, every metric with its interval, and whether it may be shown."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from mlops_dash.domain.ab_tests.outcomes import metric_of
from mlops_dash.domain.evidence import Direction
from mlops_dash.domain.format import percent
from mlops_dash.domain.words import GateState

_SURE = 0.999
MISMATCH_LOG_E = math.log(100.0)  # E >= 1 / .01


@dataclass(frozen=True)
class Look:
    """The difference after one more day: challenger minus control; None = not computable."""

    day: date
    n_challenger: int
    n_control: int
    value: float | None
    low: float | None
    high: float | None
    p: float | None  # smallest so far


@dataclass(frozen=True)
class Measured:
    """One metric of both arms now. For a guardrail low and high are one-sided bounds."""

    metric: str
    challenger: float | None
    control: float | None
    value: float | None  # challenger minus control
    low: float | None
    high: float | None
    relative: tuple[float, float, float] | None = None
    margin: float | None = None  # None = the primary outcome
    reason: str = ""

    @property
    def lower_is_better(self) -> bool:
        """Which way is better, declared by the metric."""
        return metric_of(self.metric).direction is Direction.LOWER

    @property
    def worse_by(self) -> tuple[float, float] | None:
        """The interval of how much worse the challenger is; negative = better."""
        if self.low is None or self.high is None:
            return None
        return (self.low, self.high) if self.lower_is_better else (-self.high, -self.low)

    @property
    def state(self) -> GateState:
        """Better / within the margin, worse / beyond it, or cannot tell."""
        worse = self.worse_by
        if worse is None:
            return GateState.NOT_COMPUTABLE
        limit = self.margin or 0.0
        if worse[1] < limit:
            return GateState.PASSED
        return GateState.FAILED if worse[0] > limit else GateState.CANNOT_TELL


@dataclass(frozen=True)
class ArmCount:
    """Units of one arm."""

    assigned: int  # answered by it
    ripe: int  # of ripe days
    outcomes: int  # of those, labelled


@dataclass(frozen=True)
class Segment:
    """The units that have one value of a column: how they were drawn, and the primary outcome of the ripe ones."""

    column: str
    value: str
    challenger: int  # units, ripe or not
    control: int
    log_e: float  # of the arms' shares
    primary: Measured  # its interval holds for all segments together

    @property
    def name(self) -> str:
        """Column and value."""
        return f"{self.column} = {self.value}"


@dataclass(frozen=True)
class Belief:
    """What somebody with a flat prior would believe of the outcome after this one look. It decides nothing.

    Attributes:
        better: Probability that the challenger is better.
        loss: What is lost on average by shipping it, counting only where it is worse; unit of the outcome.
        low: Lower end of the interval that holds the difference with `level`.
        high: Upper end.
        level: Of the interval.
    """

    better: float
    loss: float
    low: float
    high: float
    level: float

    @property
    def chance(self) -> str:
        """How sure that it is better; never all or nothing.

        >>> Belief(.9999, 0., 0., 1., .95).chance, Belief(.4, 0., 0., 1., .95).chance
        ('over 99.9 %', '40.0 %')
        """
        if self.better > _SURE:
            return f"over {percent(_SURE)}"
        return f"under {percent(1.0 - _SURE)}" if self.better < 1.0 - _SURE else percent(self.better)


@dataclass(frozen=True)
class Lasting:
    """Whether the effect of the later half of the ripe days is that of the earlier half; one look, decides nothing.

    Attributes:
        earlier: Challenger minus control in the earlier half; None = not computable.
        later: The same in the later half.
        change: Later minus earlier.
        low: Lower end of the interval of `change`.
        high: Upper end.
        level: Of the interval.
        reason: Why it cannot be told; "" when it can.
    """

    earlier: float | None
    later: float | None
    change: float | None
    low: float | None
    high: float | None
    level: float
    reason: str = ""

    @property
    def differs(self) -> bool:
        """Whether the effect changed for certain: novelty that wears off, a season, or another crowd."""
        return self.low is not None and self.high is not None and not self.low <= 0.0 <= self.high


@dataclass(frozen=True)
class Reading:
    """Everything that ripe days say. `blind` = why nothing is shown yet, "" = it is shown."""

    challenger: ArmCount
    control: ArmCount
    days: int  # ripe
    mismatch_log_e: float
    units_needed: int  # an arm, before the first look
    blind: str
    primary: Measured
    guardrails: tuple[Measured, ...]
    looks: tuple[Look, ...]
    paired: Measured | None
    paired_rows: int
    last_day: date | None
    method: str
    digest: str  # of the rows read
    others: tuple[Measured, ...] = ()  # intervals that hold for all of them together
    gain: float | None = None  # share of the variance of the effect that the values from before save
    notes: tuple[str, ...] = ()  # what was left out, and what it takes for granted
    segments: tuple[Segment, ...] = ()
    belief: Belief | None = None
    lasting: Lasting | None = None

    @property
    def mismatch(self) -> bool:
        """Whether the arms were not filled as planned, on the whole or in a segment."""
        return self.mismatch_log_e >= MISMATCH_LOG_E or self.odd_segment is not None

    @property
    def odd_segment(self) -> Segment | None:
        """The segment whose arms were filled least as planned, if any was not; the limit holds for all together."""
        limit = MISMATCH_LOG_E + math.log(max(len(self.segments), 1))
        worst = max(self.segments, key=lambda one: one.log_e, default=None)
        return worst if worst is not None and worst.log_e >= limit else None

    def ratio_state(self, share: float) -> GateState:
        """Whether the arms were filled as planned; cannot tell while even rows of one arm alone could not show it."""
        if self.mismatch:
            return GateState.FAILED
        most = (self.challenger.assigned + self.control.assigned) * -math.log(min(share, 1.0 - share))
        return GateState.PASSED if most >= MISMATCH_LOG_E else GateState.CANNOT_TELL

    @property
    def units(self) -> int:
        """Units with an outcome, of both arms."""
        return self.challenger.outcomes + self.control.outcomes

    def as_json(self) -> dict[str, Any]:
        """Everything as JSON-able values, days as ISO 8601."""
        out = asdict(self)
        out["last_day"] = None if self.last_day is None else self.last_day.isoformat()
        out["looks"] = [{**one, "day": one["day"].isoformat()} for one in out["looks"]]
        return out

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Reading:
        """What `as_json` wrote."""
        last = body["last_day"]
        return cls(
            **{
                **body,
                "challenger": ArmCount(**body["challenger"]),
                "control": ArmCount(**body["control"]),
                "primary": _measured(body["primary"]),
                "guardrails": tuple(_measured(one) for one in body["guardrails"]),
                "looks": tuple(Look(**{**one, "day": date.fromisoformat(one["day"])}) for one in body["looks"]),
                "others": tuple(_measured(one) for one in body.get("others", ())),
                "notes": tuple(body.get("notes", ())),
                "segments": tuple(
                    Segment(**{**one, "primary": _measured(one["primary"])}) for one in body.get("segments", ())
                ),
                "paired": None if body["paired"] is None else _measured(body["paired"]),
                "last_day": None if last is None else date.fromisoformat(last),
                "belief": Belief(**body["belief"]) if body.get("belief") else None,
                "lasting": Lasting(**body["lasting"]) if body.get("lasting") else None,
            }
        )


def _measured(body: Mapping[str, Any]) -> Measured:
    relative = body["relative"]
    return Measured(**{**body, "relative": None if relative is None else tuple(relative)})
