"""What would another policy have done? Alarms over the recorded history, and which real drops they would have caught.

A real drop is told by hindsight alone: the loss over the last ripe windows is worse than in the reference by its whole
interval and by more than the tolerance in force. It is the same for both policies.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median
from typing import Any, Final

from mlops_dash.domain.format import plural
from mlops_dash.domain.monitoring.judging import LONG_DAYS, Episode
from mlops_dash.domain.monitoring.readings import Reading
from mlops_dash.domain.tasks.task import Watch

MONTH: Final = 30.44  # days
ALARMS: Final = ("harm", "label_shift", "schema")  # what calls somebody; moved inputs are a notice


@dataclass(frozen=True)
class Drop:
    """A stretch in which the model was really worse.

    Attributes:
        first: Begin of its first window.
        last: Begin of its last window.
        label: What was worse.
        end: End of its last window.
    """

    first: datetime
    last: datetime
    label: str
    end: datetime


@dataclass(frozen=True)
class Outcome:
    """What one policy did, or would have done.

    Attributes:
        alarms: How many alerts of each kind.
        per_month: Alarms a month; notices of moved inputs are not among them.
        notices_per_month: Notices of moved inputs a month.
        caught: Per drop after how many days the harm alarm called; None = missed.
        false: Harm alarms while the model was not worse.
    """

    alarms: Mapping[str, int]
    per_month: float
    notices_per_month: float
    caught: tuple[float | None, ...]
    false: int

    def as_json(self) -> dict[str, Any]:
        """As the command prints it."""
        return {"alarms": dict(self.alarms), "alarms_per_month": self.per_month,
                "notices_per_month": self.notices_per_month, "days_to_alarm": list(self.caught),
                "caught": sum(one is not None for one in self.caught),
                "missed": sum(one is None for one in self.caught), "false_harm_alarms": self.false}  # fmt: skip


@dataclass(frozen=True)
class PolicyReplay:
    """A proposed monitoring policy over the recorded history, beside the one in force."""

    model: str
    version: str
    start: datetime
    end: datetime
    windows: int
    window: str
    drops: tuple[Drop, ...]
    now: Outcome
    then: Outcome
    useful: int = 0  # alerts of this time that somebody found useful
    noise: int = 0  # and that somebody found to be noise

    @property
    def sentence(self) -> str:
        """What would be different, in a sentence or two."""
        days = max(1, round((self.end - self.start) / timedelta(days=1)))
        said = (
            f"Over {plural(days, 'day')} it would have called {self.then.per_month:.1f} times a month, "
            f"{self.now.per_month:.1f} as it is; moved inputs {self.then.notices_per_month:.1f}, "
            f"{self.now.notices_per_month:.1f} as it is."
        )
        if not self.drops:
            return f"{said} The model was never worse for sure in this time, so there was nothing to catch."
        real = plural(len(self.drops), "real drop")
        return f"{said} Of {real} it would have caught {_n(self.then)}, {_n(self.now)} as it is."

    def rows(self) -> tuple[tuple[str, str, str], ...]:
        """Fact, as it is, as proposed: what a person compares."""
        both = (self.now, self.then)

        def row(name: str, said: Callable[[Outcome], str]) -> tuple[str, str, str]:
            now, then = (said(one) for one in both)
            return name, now, then

        return (
            row("alarms a month", lambda one: f"{one.per_month:.1f}"),
            row("notices a month", lambda one: f"{one.notices_per_month:.1f}"),
            row("real drops caught", lambda one: f"{_n(one)} of {len(self.drops)}"),
            row("days to the alarm", _days),
            row("harm alarms without drop", lambda one: str(one.false)),
        )

    def as_json(self) -> dict[str, Any]:
        """As the command prints it."""
        return {
            "model": self.model, "version": self.version, "start": self.start.isoformat(),
            "end": self.end.isoformat(), "windows": self.windows, "sentence": self.sentence,
            "drops": [{"first": one.first.isoformat(), "last": one.last.isoformat(), "worse": one.label}
                      for one in self.drops],
            "in_force": self.now.as_json(), "proposed": self.then.as_json(),
            "feedback": {"useful": self.useful, "noise": self.noise},
        }  # fmt: skip


def _days(one: Outcome) -> str:
    known = [days for days in one.caught if days is not None]
    return f"{median(known):.0f}" if known else "-"


def _n(one: Outcome) -> int:
    return sum(days is not None for days in one.caught)


def is_worse(reading: Reading, watches: Sequence[Watch], means: Mapping[str, tuple[float, float]]) -> Watch | None:
    """The watch whose loss over the last ripe windows is above the reference's for sure and by the tolerance.

    Args:
        reading: The window.
        watches: Those that mean harm.
        means: Of each the reference's mean loss and the tolerance.
    """
    for watch in watches:
        estimate = reading.estimate(watch.key, LONG_DAYS)
        if watch.key not in means or estimate is None or estimate.value is None:
            continue
        if estimate.low is None or estimate.high is None:
            continue
        mean, tolerance = means[watch.key]
        low = 1.0 - estimate.high if watch.higher else estimate.low
        value = 1.0 - estimate.value if watch.higher else estimate.value
        if low > mean and value > mean + tolerance:
            return watch
    return None


@dataclass(frozen=True)
class Span:
    """When a window of a policy ends, and when its labels are old enough for that policy to judge it."""

    end: datetime
    known: datetime


def outcome_of(
    found: Mapping[str, Sequence[Episode]], drops: Sequence[Drop], *, days: float, windows: Mapping[datetime, Span]
) -> Outcome:
    """Count what a policy called.

    Args:
        found: Stretches of alerts by kind.
        drops: When the model was really worse.
        days: How long the history is.
        windows: The policy's own, by their begin.

    >>> from datetime import UTC
    >>> day = lambda d: datetime(2013, 1, d, tzinfo=UTC)
    >>> drop = Drop(day(10), day(20), "MAE", day(21))
    >>> spans = {day(2): Span(day(3), day(5)), day(3): Span(day(4), day(6)),
    ...          day(14): Span(day(15), day(17)), day(19): Span(day(20), day(22))}
    >>> made = outcome_of({"harm": [Episode("harm", day(2), day(3), day(4)), Episode("harm", day(14), day(19), None)]},
    ...                   [drop], days=30.44, windows=spans)
    >>> made.per_month, made.caught, made.false
    (2.0, (7.0,), 1)
    """
    months = max(days, 1.0) / MONTH
    harm = list(found.get("harm", ()))

    def meets(one: Episode, drop: Drop) -> bool:
        return windows[one.last].end > drop.first and one.first < drop.end

    caught = []
    for drop in drops:
        known = min((windows[one.first].known for one in harm if meets(one, drop)), default=None)
        caught.append(None if known is None else max(0.0, (known - drop.first) / timedelta(days=1)))
    false = sum(not any(meets(one, drop) for drop in drops) for one in harm)
    counted = {kind: len(held) for kind, held in found.items()}
    calls = sum(counted.get(kind, 0) for kind in ALARMS)
    return Outcome(counted, calls / months, counted.get("inputs", 0) / months, tuple(caught), false)
