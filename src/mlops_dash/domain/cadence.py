"""How often is a model judged? Its windows (a day, a week, a month of its zone), and what follows from their length."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from mlops_dash.domain.format import plural

MIN_WINDOWS: Final = 20  # reference windows (K) that the rank rule needs


@dataclass(frozen=True)
class Cadence:
    """Windows of one length.

    Attributes:
        name: As a policy writes it, and as people read one window.
        short: Windows that are pooled for drift, and for the short line of a chart.
        long: Windows that the headline speaks of.
        patience: How long after the end of a window with rows nothing is old: the next window, and some delay.
        usual: How many days one window has.
    """

    name: str
    short: int
    long: int
    patience: timedelta
    usual: float

    def first_day(self, day: date) -> date:
        """The first day of the window that a day lies in; weeks begin on Monday.

        >>> CADENCES["week"].first_day(date(2026, 11, 29)), CADENCES["month"].first_day(date(2026, 11, 29))
        (datetime.date(2026, 11, 23), datetime.date(2026, 11, 1))
        """
        if self.name == "week":
            return day - timedelta(days=day.weekday())
        return day.replace(day=1) if self.name == "month" else day

    def next_day(self, day: date) -> date:
        """The first day of the window after the one that a day lies in.

        >>> CADENCES["month"].next_day(date(2026, 12, 31))
        datetime.date(2027, 1, 1)
        """
        return self.first_day(self.first_day(day) + timedelta(days={"week": 7, "month": 31}.get(self.name, 1)))

    def unknown_swing(self, windows: int) -> str:
        """Why nothing is known of how far normal windows lie apart.

        Args:
            windows: How many the reference has.

        >>> CADENCES["month"].unknown_swing(4)
        'usual swing unknown: 4 reference months, at least 20 are needed; judged by the noise floor alone'
        """
        if self.is_daily:
            return "usual swing unknown: the reference is shorter than two weeks"
        counted = plural(windows, f"reference {self.name}")
        return f"usual swing unknown: {counted}, at least {MIN_WINDOWS} are needed; judged by the noise floor alone"

    @property
    def is_daily(self) -> bool:
        """Whether a window is a day, so that a trailing week is what is compared."""
        return self.name == "day"


# A single day is one cluster without an interval, and part of a weekly season; a week or a month holds whole seasons.
# Eight windows give an interval over windows (five are the least), and are not older than what people would act on.
CADENCES: Final[Mapping[str, Cadence]] = {
    "day": Cadence("day", short=7, long=28, patience=timedelta(days=3), usual=1.0),
    "week": Cadence("week", short=1, long=8, patience=timedelta(days=7 + 3), usual=7.0),
    "month": Cadence("month", short=1, long=6, patience=timedelta(days=31 + 7), usual=30.4),
}
