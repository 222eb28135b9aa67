"""What else than a clock starts a schedule, and what holds one back: a pause between runs, a budget a month."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from mlops_dash.domain import blackout
from mlops_dash.domain.blackout import InBlackout
from mlops_dash.domain.calendar import wall_instant, zone_of
from mlops_dash.errors import InvalidInput

_MOST_LABELS = 1_000_000_000
_LONGEST = 366 * 86_400
_MOST_RUNS = 10_000
_MOST_MONEY = 1e9
_OVERLAP_SAID = {"skip": "not beside another run", "queue-one": "at most one waits for another run"}


class Overlap(StrEnum):
    """What happens to a slot of the clock while work of its kind for the model waits or runs."""

    QUEUE = "queue"  # it waits its turn
    QUEUE_ONE = "queue-one"  # one may wait beside the one that runs
    SKIP = "skip"


@dataclass(frozen=True)
class Guards:
    """What keeps a schedule from running too often or at the wrong hour; 0 and "" set no bound.

    Attributes:
        cooldown_seconds: From the start of one run to that of the next.
        runs_a_month: Runs in a calendar month of the schedule's zone; a hard stop.
        overlap: What a slot does while a run of the model waits or runs; triggers always wait.
        not_between, not_on: Hours and days in which nothing starts, as `domain.blackout` reads them.
        in_blackout: Whether a slot of the clock in those is skipped or waits; triggers always wait.
        money_a_month: Most that its runs may cost in a calendar month of its zone; a hard stop (`domain.money`).
    """

    cooldown_seconds: int = 0
    runs_a_month: int = 0
    overlap: str = Overlap.QUEUE
    not_between: str = ""
    not_on: str = ""
    in_blackout: str = InBlackout.SKIP
    money_a_month: float = 0.0

    @classmethod
    def of(cls, arguments: Mapping[str, Any]) -> Guards:
        """Those that a schedule keeps beside its arguments.

        >>> Guards.of({"guards": {"runs_a_month": 4}}).runs_a_month, Guards.of({}) == Guards()
        (4, True)
        """
        return cls(**dict(arguments.get("guards") or {}))

    def beside(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments with these guards, those of before left out."""
        kept = without_guards(arguments)
        return {**kept, "guards": vars(self)} if self != Guards() else kept

    def check(self) -> None:
        """Refuse bounds that mean nothing.

        Raises:
            InvalidInput: a number is negative or out of all proportion.
        """
        if not 0 <= self.cooldown_seconds <= _LONGEST:
            raise InvalidInput("That pause between runs cannot be used.", hint="Give up to a year, or 0 for none.")
        if not 0 <= self.runs_a_month <= _MOST_RUNS:
            raise InvalidInput("That budget cannot be used.", hint="Give 1 run a month or more, or 0 for no bound.")
        if not 0 <= self.money_a_month <= _MOST_MONEY:
            raise InvalidInput("That budget cannot be used.", hint="Give an amount above 0, or 0 for no bound.")
        for text, known in ((self.overlap, Overlap), (self.in_blackout, InBlackout)):
            if text not in set(known):
                raise InvalidInput(f"There is no policy {text!r}.", hint=f"Use one of: {', '.join(known)}.")
        blackout.blackout_of(self.not_between, self.not_on)

    @property
    def rhythm(self) -> Guards:
        """Those that count runs, without hours and days: what may hold the clock's slots back."""
        return replace(self, not_between="", not_on="")

    def dark_until(self, at: datetime, zone: str) -> datetime | None:
        """When the blackout ends that a moment lies in; None where nothing forbids it."""
        return blackout.blackout_of(self.not_between, self.not_on).until(at, zone)

    def first_allowed(self, past: Sequence[datetime], at: datetime, zone: str) -> datetime:
        """When a run that is wanted at `at` may start, after the runs of the past, oldest first.

        >>> from datetime import UTC
        >>> day = datetime(2026, 1, 30, 12, tzinfo=UTC)
        >>> Guards(cooldown_seconds=3600).first_allowed([day], day, "UTC").isoformat()
        '2026-01-30T13:00:00+00:00'
        >>> Guards(runs_a_month=1).first_allowed([day], day, "UTC").isoformat()
        '2026-02-01T00:00:00+00:00'
        """
        if past and self.cooldown_seconds:
            at = max(at, past[-1] + timedelta(seconds=self.cooldown_seconds))
        at = self._within_budget(past, at, zone)
        while (dark := self.dark_until(at, zone)) is not None:
            at = self._within_budget(past, dark, zone)  # the blackout may end in another month
        return at

    def _within_budget(self, past: Sequence[datetime], at: datetime, zone: str) -> datetime:
        month = _month(at, zone)
        while self.runs_a_month and sum(_month(one, zone) == month for one in past) >= self.runs_a_month:
            year, number = month
            first = datetime(year + number // 12, number % 12 + 1, 1)  # noqa: DTZ001 - made aware in the next line
            at = wall_instant(first, zone)
            month = _month(at, zone)
        return at

    def words(self) -> str:
        """What they say, "" for none.

        >>> Guards(cooldown_seconds=21_600, runs_a_month=4).words()
        'not within 6 h of the last run, at most 4 runs a month'
        """
        runs = "run" if self.runs_a_month == 1 else "runs"
        dark = blackout.said(self.not_between, self.not_on)
        waits = " (then it waits)" if dark and self.in_blackout == InBlackout.WAIT else ""
        said = (
            f"not within {span(self.cooldown_seconds)} of the last run" if self.cooldown_seconds else "",
            f"at most {self.runs_a_month} {runs} a month" if self.runs_a_month else "",
            f"a budget of {self.money_a_month:,.2f} a month" if self.money_a_month else "",
            _OVERLAP_SAID.get(self.overlap, ""),
            dark + waits,
        )
        return ", ".join(filter(None, said))


@dataclass(frozen=True)
class Occasion:
    """Something happened that a schedule waits for; `at` is its slot, so that it starts one run only."""

    at: datetime
    cause: str
    alert_id: str | None = None


def would_run(
    occasions: Iterable[datetime], guards: Guards, zone: str, *, until: datetime, each: bool
) -> tuple[datetime, ...]:
    """When a trigger would have started runs, what it had to wait for included.

    Args:
        occasions: Moments that would have started it, ascending.
        guards: What holds it back.
        zone: Whose months count.
        until: Now; runs that would be later are left out.
        each: Whether every occasion starts a run of its own (alerts); else one run answers all before it (labels).
    """
    runs: list[datetime] = []
    for at in occasions:
        if runs and not each and at <= runs[-1]:
            continue
        allowed = guards.first_allowed(runs, at, zone)
        if allowed <= until:
            runs.append(allowed)
    return tuple(runs)


def labels_needed(text: str) -> int:
    """How many new labels start a run.

    Raises:
        InvalidInput: no whole number above 0.

    >>> labels_needed("500")
    500
    """
    cleaned = text.strip().replace(",", "")
    if not cleaned.isdecimal() or not 1 <= int(cleaned) <= _MOST_LABELS:
        raise InvalidInput(f"{text!r} is no number of labels.", hint="Give a whole number above 0.")
    return int(cleaned)


def watched_path(text: str) -> str:
    """The file or folder whose change starts a run.

    Raises:
        InvalidInput: it is no absolute path.
    """
    if not text.startswith("/") or "\0" in text or "\n" in text:
        raise InvalidInput(f"{text!r} is no absolute path.", hint="Name a file or folder of the worker's machine.")
    return text


def without_guards(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments that a job gets."""
    return {name: value for name, value in arguments.items() if name != "guards"}


def span(seconds: int) -> str:
    """A length of time in its largest whole unit.

    >>> span(21_600), span(90)
    ('6 h', '90 s')
    """
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds and seconds % size == 0:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def _month(at: datetime, zone: str) -> tuple[int, int]:
    local = at.astimezone(zone_of(zone))
    return local.year, local.month
