"""A test of two versions on live traffic: what is fixed before the start, who answers which row, what may be concluded.

The champion is the control. Everything that could bend the result (outcome, unit, share, planned units, margins, the
key of the random assignment) is fixed at design and never changes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from mlops_dash.domain.ab_tests.assigning import DAY, ENTITY, ROW, UNITS, unit_key
from mlops_dash.domain.ab_tests.decisions import Decision
from mlops_dash.domain.ab_tests.layers import OUTSIDE, Layer
from mlops_dash.domain.ab_tests.outcomes import LOSSES, OF_DAYS, is_of_events, of_events
from mlops_dash.domain.words import ABState
from mlops_dash.errors import InvalidInput
from mlops_dash.ids import digest

ALWAYS_VALID, AT_END = "always_valid", "at_end"
MOST_SEGMENTS = 3
READINGS = {ALWAYS_VALID: "every day, always valid", AT_END: "one look at the end"}


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
        segments: Columns of the rows whose values are read apart, corrected for their number; each keeps its own check
            of the arms' shares.
        ramp: Shares of the challenger before the planned one, each for `ramp_days`; they come on top of `days`, and no
            row of them is read.
        ramp_days: Days of each step.
        auto_stop: Whether the worker stops it when a guardrail fails or the outcome is worse, by an always-valid
            reading of its own; never in the ramp, nor before `Design.guards_after`.
        share: Share of the units that the challenger answers.
        layer: Tests of one layer, of whatever models, never share a unit; "" of none.
        layer_share: Its part of the layer's units.
        hold_out: Share of the layer's units that no test of it gets.
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
    segments: tuple[str, ...] = ()
    ramp: tuple[float, ...] = ()
    ramp_days: float = 1.0
    auto_stop: bool = False
    share: float = 0.5
    layer: str = ""
    layer_share: float = 1.0
    hold_out: float = 0.0
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
    ramp: tuple[float, ...] = ()  # shares before the planned one
    ramp_days: float = 1.0  # of each
    auto_stop: bool = False
    segments: tuple[str, ...] = ()  # columns that are read apart
    layer: Layer | None = None  # whose part of the units alone is drawn

    def as_json(self) -> dict[str, Any]:
        """All fields as JSON-able values; a layer only where there is one, so that older designs keep their digest."""
        return {name: value for name, value in asdict(self).items() if name != "layer" or value is not None}

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Design:
        """What `as_json` wrote."""
        known = {one.name for one in fields(cls)}
        values = {name: value for name, value in body.items() if name in known}
        part = body.get("layer")
        values["layer"] = None if part is None else Layer(**part)
        lists = {name: tuple(body.get(name, ())) for name in ("others", "ramp", "segments")}
        return cls(**{**values, **lists, "guardrails": tuple(Guardrail(**one) for one in body["guardrails"])})

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
        return (
            self.unit == ENTITY or bool(self.events or self.segments) or any(one not in OF_DAYS for one in self.metrics)
        )

    @property
    def enters_for(self) -> timedelta:
        """How long after the ramp units enter: the time of one that a column names must end before the test does."""
        return timedelta(days=self.days) - (timedelta(hours=self.exposure_hours if self.unit == ENTITY else 0.0))

    @property
    def ramps_for(self) -> timedelta:
        """How long the challenger's share is below the planned one."""
        return timedelta(days=len(self.ramp) * self.ramp_days)

    def share_after(self, since: timedelta) -> float:
        """The challenger's share so long after the start.

        >>> from dataclasses import replace
        >>> made = Design("mae", (), "row", .5, 7, 1000, 100, .05, "always_valid", .5, "UTC", 0., .9, "k")
        >>> [replace(made, ramp=(.01, .05)).share_after(timedelta(days=one)) for one in (0, .9, 1, 2)]
        [0.01, 0.01, 0.05, 0.5]
        """
        step = int(since / timedelta(days=self.ramp_days)) if self.ramp else 0
        return self.ramp[step] if 0 <= step < len(self.ramp) else self.share

    @property
    def ripens_after(self) -> timedelta:
        """How long after its day a unit is ripe."""
        exposure = self.exposure_hours if self.by_units else 0.0
        return timedelta(hours=self.label_delay_hours + exposure)

    @property
    def guards_after(self) -> timedelta:
        """How long after the start harm can be seen at the earliest: a first day after the ramp must be ripe."""
        waits = self.ripens_after if self.by_units else timedelta(0)  # days ripen early where enough rows are labelled
        return self.ramps_for + timedelta(days=max(self.min_days, 1)) + waits

    def kept(self, unit: str) -> str:
        """What the log keeps of a unit; of one that is in no arm `OUTSIDE`, "" of none."""
        return OUTSIDE if unit and not self.draws(unit) else unit_key(self.key, unit)

    def draws(self, unit: str) -> bool:
        """Whether a unit may be drawn: all may where the test is in no layer."""
        return self.layer is None or self.layer.draws(unit)

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
    enter = design.enters_for / timedelta(days=1)
    for metric in design.metrics:
        if metric not in LOSSES:
            of_events(metric)
    refusals = (
        (not 1 <= design.days <= 365, f"{design.days} days is not between 1 and 365."),
        (design.unit not in UNITS, f"The unit {design.unit!r} is none of {', '.join(UNITS)}."),
        ((design.unit == ENTITY) != bool(design.entity), "A unit that a column names needs the column, and only it."),
        (design.unit == DAY and design.by_units, "What happens to users cannot be told apart by days as units."),
        (not 1 <= design.exposure_hours <= 2_160, f"{design.exposure_hours:g} hours is not between 1 and 2160."),
        (
            design.enters_for < timedelta(days=1),
            f"In {design.days} days no unit has {design.exposure_hours:g} hours from its first row on: make it longer.",
        ),
        (
            not 0 <= design.min_days <= enter,
            f"A minimum of {design.min_days} days is not within the test"
            + (f", whose units enter for {enter:g} days." if design.unit == ENTITY else "."),
        ),
        (len(set(design.metrics)) < len(design.metrics), "A metric is named twice."),
        (
            any(a >= b for a, b in pairwise((0.0, *design.ramp, design.share))),
            f"The ramp {', '.join(f'{one:g}' for one in design.ramp)} does not rise to the share {design.share:g}.",
        ),
        (not 0 < design.ramp_days <= 30, f"{design.ramp_days:g} days of each step is not between 0 and 30."),
        (
            len(design.segments) > MOST_SEGMENTS or not all(one.strip() for one in design.segments),
            f"At most {MOST_SEGMENTS} columns of segments, each with a name.",
        ),
        (
            bool({"unit", "challenger"} & set(design.segments)),
            "A segment cannot be a column called unit or challenger: the test's own are called so.",
        ),
        (design.unit == DAY and bool(design.segments), "Days as units have no segments."),
        (
            design.unit == DAY and design.auto_stop,
            "With days as units harm cannot be seen before the end, so the test cannot stop by itself.",
        ),
        (design.cuped and not design.events, "Only outcomes of events have a value from before."),
        (design.reading not in READINGS, f"The reading {design.reading!r} is neither always_valid nor at_end."),
        (not 0.05 <= design.share <= 0.95, f"The share {design.share} is not between 0.05 and 0.95."),
        (design.planned_units < 2 * least, f"{design.planned_units} planned units are fewer than {2 * least}."),
        (design.min_units < least, f"A minimum of {design.min_units} units an arm is below {least}."),
        (design.layer is not None and design.unit != ENTITY, "Only units that a column names can be shared by tests."),
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
    pauses: tuple[tuple[datetime, datetime | None], ...] = ()  # the last one may be going on
    decision: Decision | None = None
    learned: str = ""

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
        """The planned end, closed pauses made up for: from then on the champion answers every row."""
        closed = tuple(one for one in self.pauses if one[1] is not None)
        return None if self.started_at is None else end_of(self.design, self.started_at, closed)

    @property
    def guarded(self) -> bool:
        """Whether it is watched for harm now; so few days as units say nothing before the end."""
        return self.state is ABState.RUNNING and self.design.auto_stop and self.design.unit != DAY

    @property
    def for_harm(self) -> ABTest:
        """The same as it is watched: always valid, for it is looked at all the time, whatever people are shown."""
        return replace(self, design=replace(self.design, reading=ALWAYS_VALID))

    @property
    def over_at(self) -> datetime | None:
        """When all units that count are ripe; None before the start, and while a pause goes on, which moves the end."""
        return None if self.paused or self.ends_at is None else self.ends_at + self.design.ripens_after

    @property
    def reads_from(self) -> datetime | None:
        """The first moment whose rows count: the end of the ramp."""
        return None if self.started_at is None else self.started_at + self.design.ramps_for

    @property
    def rows_from(self) -> datetime | None:
        """The first moment whose rows are read: units that came in the ramp must be known to be left out."""
        return self.started_at if self.design.unit == ENTITY else self.reads_from

    @property
    def paused(self) -> bool:
        """Whether the champion answers every row for now."""
        return bool(self.pauses) and self.pauses[-1][1] is None and self.state is ABState.RUNNING

    @property
    def window_end(self) -> datetime | None:
        """The first moment whose rows do not count."""
        ends = [one for one in (self.ends_at, self.stopped_at) if one is not None]
        return min(ends) if ends else None


Pauses = tuple[tuple[datetime, datetime | None], ...]


def pauses_of(kept: Any) -> Pauses:
    """Pauses as the database keeps them: [[since, until or null], ...] in ISO 8601."""
    read = datetime.fromisoformat
    return tuple((read(since), None if until is None else read(until)) for since, until in kept or ())


def end_of(design: Design, started_at: datetime, pauses: Pauses) -> datetime | None:
    """The planned end, with the time of pauses on top; None while one goes on."""
    end = started_at + design.ramps_for + timedelta(days=design.days)
    for since, until in pauses:
        if until is None:
            return None
        end += until - since
    return end
