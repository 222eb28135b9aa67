"""How often should a model be retrained? Versions trained as of past days, judged on the labelled rows after them.

A backfill trains one version at each cut of the past. Between two cuts lies a window of later rows. Three ways to
live through those windows are compared: never retrained (the first version answers all), retrained at each cut, and
retrained on alarm: at a cut only where the window that just ended was worse than the first one of the version in use.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any

from mlops_dash.domain import format as fmt
from mlops_dash.domain.calendar import day_start
from mlops_dash.domain.jobs import FINISHED, Job
from mlops_dash.domain.money import Estimate
from mlops_dash.domain.words import JobState
from mlops_dash.errors import InvalidInput

MONTH = "month"
MOST_CUTS = 120
MOST_LANES = 16
ONE_SIDED = 1.645  # standard errors: an alarm that chance raises in 5 % of windows
_GROUP = "backfill:"


class Way(StrEnum):
    """How often a model is retrained."""

    NEVER = "never"
    EACH = "each"
    ALARM = "alarm"


@dataclass(frozen=True)
class Cut:
    """One version to train, as of `at`, and the window [at, end) of later rows."""

    number: int
    at: datetime
    end: datetime


@dataclass(frozen=True)
class Plan:
    """What a backfill would do. `took_seconds` is the recipe's last success; None where it has none yet."""

    recipe: str
    model: str
    every: str
    cuts: tuple[Cut, ...]
    until: datetime
    parallel: int
    took_seconds: float | None
    cost: Estimate | None = None

    @property
    def seconds(self) -> float | None:
        """How long it would take by the clock, when nothing else runs."""
        return None if self.took_seconds is None else self.took_seconds * math.ceil(len(self.cuts) / self.parallel)


@dataclass(frozen=True)
class Backfill:
    """One that was asked for, with its jobs by cut."""

    id: str
    recipe: str
    model: str
    jobs: tuple[Job, ...]  # oldest cut first

    def count(self, *states: JobState) -> int:
        """How many of its jobs are in one of these states."""
        return sum(job.state in states for job in self.jobs)

    @property
    def finished(self) -> bool:
        """Whether nothing of it waits or runs."""
        return all(job.state in FINISHED for job in self.jobs)

    @property
    def until(self) -> datetime:
        """Where its last window ends."""
        return datetime.fromisoformat(str(self.jobs[0].arguments["until"]))

    @property
    def words(self) -> str:
        """How far it is: "5 of 8 versions are trained, 1 failed"."""
        done = self.count(JobState.SUCCEEDED)
        others = ((JobState.RUNNING, "running"), (JobState.FAILED, "failed"), (JobState.TIMED_OUT, "timed out"),
                  (JobState.CANCELLED, "cancelled"))  # fmt: skip
        said = [f"{self.count(state)} {word}" for state, word in others if self.count(state)]
        return ", ".join([f"{done} of {len(self.jobs)} versions are trained", *said])


@dataclass(frozen=True)
class Reading:
    """One number with its doubt; `value` None where it could not be computed, with the reason."""

    value: float | None
    low: float | None = None
    high: float | None = None
    n: int = 0
    n_clusters: int = 0
    reason: str = ""

    @property
    def error(self) -> float:
        """Its standard error, nan where there is none."""
        return math.nan if self.low is None or self.high is None else (self.high - self.low) / (2 * 1.96)


@dataclass(frozen=True)
class Lived:
    """One way through all windows.

    Attributes:
        versions: Which version answers in each window, "" where none could.
        readings: The metric in each window.
        trainings: How often it was trained after the first time.
        whole: The metric over all windows.
        gain: What it is better than never by (positive is better), on the same rows.
    """

    way: Way
    versions: tuple[str, ...]
    readings: tuple[Reading, ...]
    trainings: int
    whole: Reading
    gain: Reading | None = None


@dataclass(frozen=True)
class Hindsight:
    """The answer of a backfill."""

    backfill: Backfill
    metric: str
    higher: bool
    cuts: tuple[Cut, ...]
    ways: tuple[Lived, ...]
    alarm_against_each: Reading | None = None
    reason: str = ""  # why nothing can be said yet

    @property
    def sentence(self) -> str:
        """How often to retrain, as far as these rows tell."""
        if self.reason:
            return self.reason
        by = {one.way: one for one in self.ways}
        each, alarm, between = by[Way.EACH], by[Way.ALARM], self.alarm_against_each
        if each.gain is None or each.gain.value is None:
            return f"Nobody can tell: {each.gain.reason if each.gain else 'no rows'}."
        helps = each.gain.low is not None and each.gain.low > 0
        harms = each.gain.high is not None and each.gain.high < 0
        if not helps:
            return ("Retraining each time was worse than never on these rows." if harms else
                    "Whether retraining helps cannot be told from these rows: the interval holds 0.")  # fmt: skip
        if alarm.trainings < each.trainings and between is not None and between.low is not None and between.low > 0:
            return (
                f"On alarm is best: {fmt.plural(alarm.trainings, 'training')} instead of {each.trainings}, and better."
            )
        if alarm.trainings < each.trainings and between is not None and (between.high or 0.0) >= 0:
            fewer = f"{fmt.plural(alarm.trainings, 'training')} instead of {each.trainings}"
            return f"Retraining helps. On alarm needs {fewer}, and these rows do not tell the two apart."
        return f"Retraining each time helps: {fmt.plural(each.trainings, 'training')}."


def group_of(backfill_id: str) -> str:
    """What the jobs of a backfill carry where those of a schedule carry its id."""
    return _GROUP + backfill_id


def id_of(group: str) -> str:
    """The backfill's id again."""
    return group.removeprefix(_GROUP)


def cuts_of(first: date, until: datetime, every: str, zone: str) -> tuple[Cut, ...]:
    """Where versions are trained: from a first midnight on, every so many days or each month.

    Args:
        first: The first day after the training of the first version.
        until: Where the last window ends.
        every: `30d`, or `month`: the same day of each month, its last one where it has fewer.
        zone: Whose midnights.

    Raises:
        InvalidInput: nothing lies between, or too much.

    >>> from datetime import UTC
    >>> [f"{one.at:%m-%d}" for one in cuts_of(date(2026, 1, 31), datetime(2026, 4, 1, tzinfo=UTC), "month", "UTC")]
    ['01-31', '02-28', '03-31']
    """
    days = _days(every)
    found: list[datetime] = []
    while (at := day_start(_step(first, len(found), days), zone)) < until:
        found.append(at)
        if len(found) > MOST_CUTS:
            raise InvalidInput(f"That is more than {MOST_CUTS} versions.", hint="Take longer steps, or a later start.")
    if not found:
        raise InvalidInput(f"Nothing lies between {first} and {until:%Y-%m-%d %H:%M} UTC.", hint="Start earlier.")
    return tuple(
        Cut(number, at, found[number + 1] if number + 1 < len(found) else until) for number, at in enumerate(found)
    )


def past_date(text: str) -> date:
    """A day as people write it.

    Raises:
        InvalidInput: it is none.
    """
    try:
        return date.fromisoformat(text.strip())
    except ValueError as error:
        raise InvalidInput(f"The day {text!r} cannot be read.", hint="Write 2026-01-31.") from error


def on_alarm(n: int, reading_of: Callable[[int, int], Reading], *, higher: bool) -> tuple[int, ...]:
    """Which version answers in each window, retrained only on alarm.

    An alarm: the window that just ended is worse than the first window of the version in use, by more than chance
    (one-sided 5 %, the two windows taken as independent).

    Args:
        n: Windows.
        reading_of: (version, window) -> its metric there.
        higher: Whether the metric is better when higher.
    """
    used: list[int] = []
    version = 0
    for window in range(n):
        used.append(version)
        if window == version:  # its first window: nothing to compare with yet
            continue
        first, last = reading_of(version, version), reading_of(version, window)
        if first.value is None or last.value is None:
            continue
        worse = first.value - last.value if higher else last.value - first.value
        if worse > ONE_SIDED * math.hypot(first.error, last.error):
            version = window + 1
    return tuple(used)


def facts_of(found: Hindsight) -> dict[str, Any]:
    """As JSON holds it."""
    return {
        "id": found.backfill.id, "recipe": found.backfill.recipe, "model": found.backfill.model,
        "metric": found.metric, "sentence": found.sentence,
        "windows": [{"start": one.at.isoformat(), "end": one.end.isoformat()} for one in found.cuts],
        "ways": [
            {"way": str(one.way), "trainings": one.trainings, "versions": list(one.versions),
             "readings": [vars(reading) for reading in one.readings], "whole": vars(one.whole),
             "better_than_never_by": None if one.gain is None else vars(one.gain)}
            for one in found.ways
        ],
        "alarm_against_each": None if found.alarm_against_each is None else vars(found.alarm_against_each),
    }  # fmt: skip


def _days(every: str) -> int:
    """Days of a step; 0 for months."""
    text = every.strip().lower()
    if text == MONTH:
        return 0
    if not text.endswith("d") or not text[:-1].isdecimal() or not 1 <= int(text[:-1]) <= 3_660:
        raise InvalidInput(f"The step {every!r} cannot be read.", hint="Write 30d, 7d or month.")
    return int(text[:-1])


def _step(first: date, number: int, days: int) -> date:
    if days:
        return first + timedelta(days=days * number)
    month = first.month - 1 + number
    year, month = first.year + month // 12, month % 12 + 1
    following = date(year + month // 12, month % 12 + 1, 1)
    return min(date(year, month, 1) + timedelta(days=first.day - 1), following - timedelta(days=1))
