"""What do runs cost? Wall time times the price of an hour, as it was when the run was asked for; and when is it enough?

A price that nobody said is unknown: such a run has no cost, and is never counted as 0 without saying so.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from mlops_dash.domain.calendar import wall_instant
from mlops_dash.domain.jobs import Job
from mlops_dash.errors import InvalidInput

MOST = 1_000_000_000.0


def amount(value: float, currency: str) -> str:
    """An amount as people read it; a little is never nothing.

    >>> amount(1234.5, "EUR"), amount(0.0042, "EUR"), amount(0, "EUR")
    ('1,234.50 EUR', 'under 0.01 EUR', '0.00 EUR')
    """
    if 0 < value < 0.01:
        return f"under 0.01 {currency}"
    return f"{value:,.2f} {currency}"


def rounded(value: float) -> str:
    """An estimated amount: three digits that count, no more than cents.

    >>> rounded(1234.5), rounded(-87.654), rounded(0.0123), rounded(12_345_678)
    ('1,230', '−87.7', '0.01', '12,300,000')
    """
    if value == 0 or not math.isfinite(value):
        return "0"
    decimals = min(2, 2 - math.floor(math.log10(abs(value))))
    said = f"{round(abs(value), decimals):,.{max(0, decimals)}f}"
    return f"−{said}" if value < 0 else said


def run_seconds(job: Job, now: datetime) -> float:
    """Wall seconds of all attempts of a job so far."""
    if job.started_at is None:
        return job.spent_seconds
    until = job.finished_at or now
    return job.spent_seconds + max(0.0, (until - job.started_at).total_seconds())


def cost_of(job: Job, now: datetime) -> float | None:
    """What a job cost so far; None where its price is unknown, or it has not begun."""
    if job.price_per_hour is None or (job.started_at is None and not job.spent_seconds):
        return None
    return run_seconds(job, now) / 3600 * job.price_per_hour


def month_start(now: datetime, zone: str) -> datetime:
    """The first instant of a calendar month of a zone, aware.

    >>> from datetime import UTC
    >>> month_start(datetime(2026, 3, 31, 23, tzinfo=UTC), "Europe/Berlin").isoformat()
    '2026-03-31T22:00:00+00:00'
    """
    local = now.astimezone(ZoneInfo(zone))
    return wall_instant(datetime(local.year, local.month, 1), zone)  # noqa: DTZ001 - made aware there


@dataclass(frozen=True)
class Usual:
    """How long a run of a recipe usually takes: the median of its last successes, and how many those are."""

    seconds: float | None
    n: int


@dataclass(frozen=True)
class Estimate:
    """What runs would cost: an estimate from the runs it came from; None where price or duration is unknown."""

    runs: int
    price_per_hour: float | None
    usual: Usual
    currency: str

    @property
    def value(self) -> float | None:
        """Runs times usual duration times price."""
        if self.price_per_hour is None or self.usual.seconds is None:
            return None
        return self.runs * self.usual.seconds / 3600 * self.price_per_hour

    def words(self) -> str:
        """As pages and commands say it; what is not known is said."""
        if self.price_per_hour is None:
            return "what it costs is not known: the recipe has no price per hour"
        if self.value is None:
            return "what it costs is not known: the recipe has not run yet"
        runs = "its last run" if self.usual.n == 1 else f"the median of its last {self.usual.n} runs"
        return f"about {amount(self.value, self.currency)}, an estimate from {runs}"


@dataclass(frozen=True)
class Spending:
    """What a recipe, or a schedule of it, has cost in a calendar month, and what it may.

    Attributes:
        since: The month's first instant.
        zone: Of its calendar.
        spent: Of runs whose price is known, those that run now up to now.
        n: How many runs those are.
        unpriced: Runs that began without a price: they are not in `spent`.
        waiting: Runs that wait or run and have not cost their usual sum yet.
        budget: Most in a month; None = no bound.
        estimate: Of one run.
    """

    since: datetime
    zone: str
    spent: float
    n: int
    unpriced: int
    waiting: int
    budget: float | None
    estimate: Estimate

    @property
    def currency(self) -> str:
        """Of all its amounts."""
        return self.estimate.currency

    def words(self) -> str:
        """The month so far; "" where nothing has a price."""
        if self.estimate.price_per_hour is None and not self.n:
            return ""
        of = "" if self.budget is None else f" of {amount(self.budget, self.currency)}"
        runs = "1 run" if self.n == 1 else f"{self.n} runs"
        lacking = f", {self.unpriced} more without a price" if self.unpriced else ""
        return f"{amount(self.spent, self.currency)}{of} this month so far ({runs}{lacking})"

    def why_not(self, who: str, *, runs: int = 1) -> str:
        """Why its budget lets no such runs start now, "" where it does. A hard stop: what waits counts as usual.

        Args:
            who: Whose budget: "recipe weekly" or "schedule nightly".
            runs: How many are wanted.
        """
        if self.budget is None:
            return ""
        one = self.estimate.value
        ahead = 0.0 if one is None else one / max(1, self.estimate.runs) * (runs + self.waiting)
        if one is None and runs > 1:
            return f"The {who} has a budget, and nobody knows what {runs} runs cost: run it once first."
        if self.spent < self.budget and self.spent + ahead <= self.budget:
            return ""
        more = "" if one is None else f", and {amount(ahead, self.currency)} would come ({self.estimate.words()})"
        day = f"{self.since.astimezone(ZoneInfo(self.zone)):%-d %B}"
        return (
            f"The budget of the {who} is {amount(self.budget, self.currency)} a month: "
            f"{amount(self.spent, self.currency)} is spent since {day}{more}. {COUNTED}"
        )

    def why_over(self, who: str) -> str:
        """Why a run that goes on must end now: the budget is used up, with what it cost so far; "" while it is not."""
        if self.budget is None or self.spent < self.budget:
            return ""
        return (
            f"The budget of the {who} is {amount(self.budget, self.currency)} a month, and "
            f"{amount(self.spent, self.currency)} is spent, this run included: it was ended. {COUNTED}"
        )


COUNTED = "Counted is the time of every run, check and backfill that began this month, failed ones too."


def spending(
    jobs: Iterable[Job], *, now: datetime, since: datetime, zone: str, budget: float | None, estimate: Estimate
) -> Spending:
    """Add up a month.

    Args:
        jobs: Of the recipe or schedule: those that began since then, and those that wait or run.
        now: Up to when running ones are counted.
        since: The month's first instant.
        zone: Of its calendar.
        budget: Most in that month; None = no bound.
        estimate: Of one run, at today's price.
    """
    spent, n, unpriced, waiting = 0.0, 0, 0, 0
    for job in jobs:
        cost = cost_of(job, now)
        earlier = job.started_at is not None and job.started_at < since  # it began last month and runs still
        if cost is not None and not earlier:
            spent, n = spent + cost, n + 1
        elif (job.started_at is not None or job.spent_seconds) and not earlier:
            unpriced += 1
        if not job.finished and (estimate.value is None or (cost or 0.0) < estimate.value):
            waiting += 1
    return Spending(since, zone, spent, n, unpriced, waiting, budget, estimate)


def check_money(price: float | None, budget: float | None, what: str) -> None:
    """Refuse amounts that mean nothing.

    Raises:
        InvalidInput: one is not above 0 or out of all proportion, or a budget is there without a price.
    """
    for name, value in (("price per hour", price), ("budget a month", budget)):
        if value is not None and not (math.isfinite(value) and 0 < value <= MOST):
            raise InvalidInput(f"The {name} of the {what} is {value!r}.", hint="Use an amount above 0, or none.")
    if budget is not None and price is None:
        raise InvalidInput(f"The {what} has a budget and no price.", hint="Say what an hour costs: price_per_hour.")
