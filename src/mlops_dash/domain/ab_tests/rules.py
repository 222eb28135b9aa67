"""A test of two versions on live traffic: what is fixed before the start, who answers which row, what may be concluded.

The champion is the control. Everything that could bend the result (outcome, unit, share, planned units, margins, the
key of the random assignment) is fixed at design and never changes.
"""

from __future__ import annotations

import hashlib
import hmac
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from mlops_dash.domain.evidence import Direction
from mlops_dash.domain.tasks import METRICS
from mlops_dash.domain.words import ABState, ABVerdict, GateState
from mlops_dash.errors import InvalidInput
from mlops_dash.ids import digest

OUTCOMES = ("base_rate_free_loss", "log_loss", "brier")
ROW, DAY = "row", "day"
UNITS = {ROW: "each row", DAY: "each day"}
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
        outcome: The primary metric: base_rate_free_loss, log_loss or brier.
        guardrails: Metric -> how much worse it may be; None is that of the promotion policy.
        unit: "row", or "day": all rows of a day go to one arm.
        share: Share of the units that the challenger answers.
        days: Planned length.
        min_units: Units an arm must have before anything is shown.
        alpha: Share of such tests that may ever exclude the truth.
        reading: "always_valid" or "at_end".
        key: Of the random assignment; "" makes a new one. The same key gives the same arms.
    """

    model: str
    challenger_id: str
    question: str
    planned_units: int
    outcome: str = OUTCOMES[0]
    guardrails: Mapping[str, float] | None = None
    unit: str = ROW
    share: float = 0.5
    days: int = 21
    min_units: int = 1_000
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

    def as_json(self) -> dict[str, Any]:
        """All fields as JSON-able values."""
        return asdict(self)

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Design:
        """What `as_json` wrote."""
        known = {one.name for one in fields(cls)}
        values = {name: value for name, value in body.items() if name in known}
        return cls(**{**values, "guardrails": tuple(Guardrail(**one) for one in body["guardrails"])})

    @property
    def digest(self) -> str:
        """sha256 of the canonical JSON."""
        return digest(self.as_json())

    @property
    def metrics(self) -> tuple[str, ...]:
        """The outcome, then the guardrails."""
        return (self.outcome, *(one.metric for one in self.guardrails))


def check(design: Design) -> Design:
    """The design itself when it can be carried out.

    Raises:
        InvalidInput: naming the first field that cannot be, with its bounds.
    """
    least = 100 if design.unit == ROW else 5  # under 5 clusters an arm nothing can be said
    refusals = (
        (design.outcome not in OUTCOMES, f"The outcome {design.outcome!r} is none of {', '.join(OUTCOMES)}."),
        (design.unit not in UNITS, f"The unit {design.unit!r} is neither row nor day."),
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
        if one.metric not in OUTCOMES or one.metric == design.outcome or one.margin <= 0:
            raise InvalidInput(
                f"The guardrail {one.metric} with margin {one.margin} cannot be.",
                hint="Take another metric than the outcome, and a margin above 0.",
            )
    try:
        ZoneInfo(design.zone)
    except (ZoneInfoNotFoundError, ValueError):
        raise InvalidInput(f"No time zone {design.zone!r}.", hint="Use a name such as Europe/Berlin.") from None
    return design


# --- who answers which row --------------------------------------------------------------------------------------------


def draw(key: str, unit: str) -> float:
    """A number in [0, 1) that only key and unit decide.

    >>> draw("k", "UA1-EWR-20130510") == draw("k", "UA1-EWR-20130510") != draw("other", "UA1-EWR-20130510")
    True
    """
    return int.from_bytes(hmac.new(key.encode(), unit.encode(), hashlib.sha256).digest()[:8], "big") / 2.0**64


def to_challenger(
    ids: Sequence[str], at: Sequence[datetime], *, key: str, share: float, unit: str, zone: str
) -> list[bool]:
    """For each row whether the challenger answers it: its unit's number lies below the share.

    >>> at = [datetime(2013, 5, 10, 16, tzinfo=ZoneInfo("UTC"))] * 4
    >>> to_challenger(["a", "b", "c", "d"], at, key="k", share=.5, unit=DAY, zone="UTC") in ([True] * 4, [False] * 4)
    True
    """
    if unit == ROW:
        return [draw(key, one) < share for one in ids]
    local = ZoneInfo(zone)
    days = [f"{moment.astimezone(local):%Y-%m-%d}" for moment in at]
    drawn = {day: draw(key, day) < share for day in set(days)}
    return [drawn[day] for day in days]


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
        return METRICS[self.metric].direction is Direction.LOWER

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
                "paired": None if body["paired"] is None else _measured(body["paired"]),
                "last_day": None if last is None else date.fromisoformat(last),
            }
        )


def _measured(body: Mapping[str, Any]) -> Measured:
    relative = body["relative"]
    return Measured(**{**body, "relative": None if relative is None else tuple(relative)})


@dataclass(frozen=True)
class Verdict:
    """The word and why."""

    word: ABVerdict
    reason: str


def judge(reading: Reading, design: Design, *, over: bool) -> Verdict:
    """What the banner says; `over` = stopped, or the planned end is reached and every day is ripe."""
    if reading.mismatch:
        total = reading.challenger.assigned + reading.control.assigned
        seen = reading.challenger.assigned / total
        return Verdict(
            ABVerdict.INVALID,
            f"The challenger answered {seen:.1%} of the units, planned were {design.share:.1%}: the arms cannot be "
            "compared. Look for what drops or repeats units before testing again.",
        )
    if reading.blind:
        unseen = f"It ended before the first look. {reading.blind}"
        return Verdict(ABVerdict.UNDECIDED, unseen) if over else Verdict(ABVerdict.GO_ON, reading.blind)
    harmed = [one for one in reading.guardrails if one.state is GateState.FAILED]
    if harmed:
        names = " and ".join(METRICS[one.metric].label for one in harmed)
        return Verdict(ABVerdict.STOP_HARM, f"{names}: worse by more than the margin.")
    if reading.primary.state is GateState.FAILED:
        return Verdict(ABVerdict.STOP_HARM, "The primary outcome is worse: its whole interval lies on that side of 0.")
    if reading.primary.state is GateState.NOT_COMPUTABLE:
        why = reading.primary.reason.rstrip(".") or "it has no interval"
        said = f"The primary outcome is not computable: {why}."
        return Verdict(ABVerdict.UNDECIDED if over else ABVerdict.GO_ON, said)
    open_ones = [METRICS[one.metric].label for one in reading.guardrails if one.state is not GateState.PASSED]
    better = reading.primary.state is GateState.PASSED
    if better and not open_ones:
        return Verdict(ABVerdict.SHIP, "The primary outcome is better and every guardrail holds.")
    inside = "the interval of the primary outcome holds 0"
    why = f"no margin is shown to hold for {' and '.join(open_ones)}" if better else inside
    if reading.units >= design.planned_units:
        return Verdict(ABVerdict.KEEP, f"The planned size is reached and {why}.")
    if over:
        return Verdict(ABVerdict.KEEP, f"The test is over and {why}.")
    return Verdict(ABVerdict.GO_ON, f"{why[:1].upper()}{why[1:]}.")
