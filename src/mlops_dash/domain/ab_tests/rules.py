"""A test of two versions on live traffic: what is fixed before the start, who answers which row, what may be concluded.

The champion is the control. Everything that could bend the result (outcome, unit, share, planned units, margins, the
key of the random assignment) is fixed at design and never changes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from mlops_dash.domain.ab_tests.assigning import DAY, ENTITY, ROW, UNITS
from mlops_dash.domain.ab_tests.outcomes import LOSSES, OF_DAYS, is_of_events, metric_of, of_events
from mlops_dash.domain.evidence import Direction
from mlops_dash.domain.words import ABState, GateState
from mlops_dash.errors import InvalidInput
from mlops_dash.ids import digest

ALWAYS_VALID, AT_END = "always_valid", "at_end"
READINGS = {ALWAYS_VALID: "every day, always valid", AT_END: "one look at the end"}
MISMATCH_LOG_E = math.log(100.0)  # E >= 1 / .01


@dataclass(frozen=True)
class Guardrail:
    """A metric that must not become worse by more than its margin."""

    metric: str
    margin: float


@dataclass(frozen=True)
class NewTest:
    """What somebody wants tested: a version against the champion of its model.

    Attributes:
        model: The model's name.
        challenger_id: The version to be tried.
        question: What the test shall answer; goes into the ledger.
        planned_units: Units with an outcome, of both arms; the interval is tightest at half of them.
        outcome: The primary metric: a loss of the task, or one of events (`domain.ab_tests.outcomes`).
        guardrails: Metric -> how much worse it may be; None is that of the promotion policy.
        others: Further metrics that are read, corrected for their number; they decide nothing.
        unit: "row", "day": all rows of a day go to one arm; or "entity": all rows of one value of `entity` do.
        entity: The column of the rows that names the unit: a user, an account, a session.
        exposure_hours: So long after a unit's first row its outcome is counted.
        cuped: Whether outcomes of events are adjusted by the same of the unit before its first row.
        share: Share of the units that the challenger answers.
        days: Planned length.
        min_units: Units an arm must have before anything is shown.
        min_days: Ripe days before anything is shown.
        alpha: Share of such tests that may ever exclude the truth.
        reading: "always_valid" or "at_end".
        key: Of the random assignment; "" makes a new one. The same key gives the same arms.
    """

    model: str
    challenger_id: str
    question: str
    planned_units: int
    outcome: str = LOSSES[0]
    guardrails: Mapping[str, float] | None = None
    others: tuple[str, ...] = ()
    unit: str = ROW
    entity: str = ""
    exposure_hours: float = 168.0
    cuped: bool = False
    share: float = 0.5
    days: int = 21
    min_units: int = 1_000
    min_days: int = 0
    alpha: float = 0.05
    reading: str = ALWAYS_VALID
    key: str = ""


@dataclass(frozen=True)
class Design:
    """What is fixed before the start."""

    outcome: str
    guardrails: tuple[Guardrail, ...]
    unit: str
    share: float  # of the units, answered by the challenger
    days: int  # planned length
    planned_units: int  # of both arms
    min_units: int  # an arm must have before anything is shown
    alpha: float
    reading: str
    prior: float  # base rate at which the base-rate-free loss is stated
    zone: str  # of the days
    label_delay_hours: float
    ripe_coverage: float
    key: str  # of the random assignment
    others: tuple[str, ...] = ()
    entity: str = ""  # column that names the unit
    exposure_hours: float = 168.0
    cuped: bool = False
    min_days: int = 0

    def as_json(self) -> dict[str, Any]:
        """All fields as JSON-able values."""
        return asdict(self)

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Design:
        """What `as_json` wrote."""
        known = {one.name for one in fields(cls)}
        values = {name: value for name, value in body.items() if name in known}
        return cls(**{**values, "guardrails": tuple(Guardrail(**one) for one in body["guardrails"]),
                      "others": tuple(body.get("others", ()))})  # fmt: skip

    @property
    def digest(self) -> str:
        """sha256 of the canonical JSON."""
        return digest(self.as_json())

    @property
    def metrics(self) -> tuple[str, ...]:
        """The outcome, the guardrails, then the others."""
        return (self.outcome, *(one.metric for one in self.guardrails), *self.others)

    @property
    def events(self) -> tuple[str, ...]:
        """Names of the events that its metrics need."""
        return tuple(dict.fromkeys(name for one in self.metrics if is_of_events(one) for name in of_events(one).names))

    @property
    def by_units(self) -> bool:
        """Whether each unit's own outcome is read; else the rows of days, which hold both arms."""
        return self.unit == ENTITY or bool(self.events) or any(one not in OF_DAYS for one in self.metrics)

    @property
    def ripens_after(self) -> timedelta:
        """How long after its day a unit is ripe."""
        exposure = self.exposure_hours if self.by_units else 0.0
        return timedelta(hours=self.label_delay_hours + exposure)

    @property
    def unit_words(self) -> str:
        """Who is drawn, in a sentence."""
        return f"each {self.entity}" if self.unit == ENTITY else UNITS[self.unit]


def check(design: Design) -> Design:
    """The design itself when it can be carried out.

    Raises:
        InvalidInput: naming the first field that cannot be, with its bounds.
    """
    least = 5 if design.unit == DAY else 100  # under 5 clusters an arm nothing can be said
    for metric in design.metrics:
        if metric not in LOSSES:
            of_events(metric)
    refusals = (
        (design.unit not in UNITS, f"The unit {design.unit!r} is none of {', '.join(UNITS)}."),
        ((design.unit == ENTITY) != bool(design.entity), "A unit that a column names needs the column, and only it."),
        (design.unit == DAY and design.by_units, "What happens to users cannot be told apart by days as units."),
        (not 1 <= design.exposure_hours <= 2_160, f"{design.exposure_hours:g} hours is not between 1 and 2160."),
        (not 0 <= design.min_days <= design.days, f"A minimum of {design.min_days} days is not within the test."),
        (len(set(design.metrics)) < len(design.metrics), "A metric is named twice."),
        (design.cuped and not design.events, "Only outcomes of events have a value from before."),
        (design.reading not in READINGS, f"The reading {design.reading!r} is neither always_valid nor at_end."),
        (not 0.05 <= design.share <= 0.95, f"The share {design.share} is not between 0.05 and 0.95."),
        (not 1 <= design.days <= 365, f"{design.days} days is not between 1 and 365."),
        (design.planned_units < 2 * least, f"{design.planned_units} planned units are fewer than {2 * least}."),
        (design.min_units < least, f"A minimum of {design.min_units} units an arm is below {least}."),
        (not 0 < design.alpha <= 0.2, f"Alpha {design.alpha} is not between 0 and 0.2."),
        (not 0 < design.prior < 1, f"The base rate {design.prior} is not between 0 and 1."),
        (not design.key, "The key of the random assignment is empty."),
        (
            design.unit == DAY and design.reading == ALWAYS_VALID,
            "Days as units cannot be read every day: the first look needs 100 of them in each arm.",
        ),
    )
    for broken, message in refusals:
        if broken:
            raise InvalidInput(message, hint="Change the design; nothing is stored yet.")
    for one in design.guardrails:
        if one.metric == design.outcome or one.margin <= 0:
            raise InvalidInput(
                f"The guardrail {one.metric} with margin {one.margin} cannot be.",
                hint="Take another metric than the outcome, and a margin above 0.",
            )
    try:
        ZoneInfo(design.zone)
    except (ZoneInfoNotFoundError, ValueError):
        raise InvalidInput(f"No time zone {design.zone!r}.", hint="Use a name such as Europe/Berlin.") from None
    return design


# --- what is known of a test ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ABTest:
    """A test of two versions."""

    id: str
    model: str
    control_id: str
    control: str  # label: v1
    challenger_id: str
    challenger: str
    design: Design
    state: ABState
    revision: int
    question: str  # why it is made
    designed_by: str
    designed_at: datetime
    started_by: str = ""
    started_at: datetime | None = None
    stopped_by: str = ""
    stopped_at: datetime | None = None
    stop_reason: str = ""
    evidence_ids: tuple[str, ...] = ()
    result: Mapping[str, Any] | None = None  # the reading at the stop

    @property
    def name(self) -> str:
        """What people say: v2 against v1."""
        return f"{self.challenger} against {self.control}"

    @property
    def object(self) -> str:
        """How the ledger names it."""
        return f"{self.model} test {self.id[:8]}"

    @property
    def ends_at(self) -> datetime | None:
        """The planned end: from then on the champion answers every row."""
        return None if self.started_at is None else self.started_at + timedelta(days=self.design.days)

    @property
    def window_end(self) -> datetime | None:
        """The first moment whose rows do not count."""
        ends = [one for one in (self.ends_at, self.stopped_at) if one is not None]
        return min(ends) if ends else None


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

    @property
    def mismatch(self) -> bool:
        """Whether the arms were not filled as planned."""
        return self.mismatch_log_e >= MISMATCH_LOG_E

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
                "paired": None if body["paired"] is None else _measured(body["paired"]),
                "last_day": None if last is None else date.fromisoformat(last),
            }
        )


def _measured(body: Mapping[str, Any]) -> Measured:
    relative = body["relative"]
    return Measured(**{**body, "relative": None if relative is None else tuple(relative)})
