"""How often is a model judged? By its windows: intervals of instants, and what follows from how they are cut.

A window is a half-open interval with the rows in it. It is put together of *pieces*, the smallest parts that are kept
of traffic (`store/monitoring/profiles.py`) and of a reference (`services/monitoring/referencing.py`):

- **day, week, month**: days of the monitor's zone (`Cadence.first_day`, `next_day`);
- **hour**: hours of the clock. A single hour is part of a daily season, so drift is judged over the day that ends with
  it, as it is judged over a week where days are windows;
- **batch:COLUMN**: the rows with one value in a column that is logged with every row. Its interval is that of its
  rows, so two batches may overlap; it is over once an hour has passed without a row of it (`SETTLED`), and judged again
  should more follow. When the next one is due is told from those that came (`Cadence.patience_of`);
- **rows:N**: N rows of a version, in the order of their time, those of one instant by their id. It is over with its
  N-th row; a row that comes late for its time joins it, and it is judged again, so that no later window changes.
  Late rows that make it twice as large cut it in windows of N (`services/monitoring/counting.py`). The last window is
  not judged before it is full.

`services/monitoring/days.py` cuts the pieces into windows and says when each is over and ripe: instants, so that a
window is judged although no row comes. Everything after it (drift, harm, health, alerts, pages) knows windows by their
number, their instants and how people name them, and no calendar.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from itertools import pairwise
from statistics import median
from typing import Final

from mlops_dash.domain.format import plural
from mlops_dash.errors import InvalidInput

BATCH: Final = "batch"
GROUP: Final = "group"
GROUPS: Final = 40  # in which what rows belong to is gathered; leaving one out costs a summary each
ROWS: Final = "rows"
LEAST_ROWS, MOST_ROWS = 100, 10_000_000  # of one window: with fewer no column's drift is judged
SETTLED: Final = timedelta(hours=1)  # without a row of it a batch is over
DAY_CLUSTERS: Final = 20  # days with rows that a reference needs so that a day is what rows belong to
FEW_CLUSTERS: Final = 5  # fewer have no interval of their own
MIN_WINDOWS: Final = 20  # reference windows (K) that the rank rule needs
WEEKLY, MONTHLY = 5, 20  # days between two days with rows from which a model is judged by the week, by the month
_HOUR: Final = timedelta(hours=1)


@dataclass(frozen=True)
class Cadence:
    """Windows of one length.

    Attributes:
        name: As people read one window.
        short: Windows that are pooled for drift, and for the short line of a chart.
        long: Windows that the headline speaks of.
        patience: How long after the end of a window with rows nothing is old: the next window, and some delay.
        usual: How many days one window has.
        pieces: What windows are put together of.
        span: What `short` windows are together, as people read it.
        full: Reference windows below which the harm alarm wants twice the tolerance.
        long_view: Days shown above which a chart's line is the long one.
        column: Of batches: which column names them.
        rows: How many rows one window has, where that is how it is cut; else 0.
    """

    name: str
    short: int
    long: int
    patience: timedelta
    usual: float
    pieces: str = "day"
    span: str = "week"
    full: int = 28
    long_view: int = 0
    column: str = ""
    rows: int = 0

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

    def patience_of(self, begins: Sequence[datetime], live: Sequence[datetime] = ()) -> timedelta:
        """How long after the end of a window with rows nothing is old, told from when rows came until now.

        A model that answers by day alone is not old at night: the longest silence of its reference, and some delay.
        Batches are late once half as much time again has passed as usually lies between two, and a day. So are so many
        rows, of which several windows may come at once: there the longest silence of the reference is what is usual.

        Args:
            begins: Of the reference's pieces with rows, in order.
            live: Of the windows with rows since then, in order.

        >>> from datetime import UTC
        >>> CADENCES["hour"].patience_of([datetime(2026, 3, day, 9 + hour, tzinfo=UTC)
        ...                               for day in (1, 2) for hour in range(8)])
        datetime.timedelta(seconds=68400)
        """
        if self.pieces == "day":
            return self.patience
        if self.is_batch:
            gaps = [after - before for part in (begins, live) for before, after in pairwise(part)]
            if not gaps:
                return self.patience
            usual = timedelta(seconds=median(gap.total_seconds() for gap in gaps[-self.long :]))
            if self.rows:
                usual = max(usual, *(after - before for before, after in pairwise(begins)), timedelta(0))
            return 1.5 * usual + timedelta(days=1)
        silence = max((after - before - _HOUR for before, after in pairwise(begins)), default=timedelta(0))
        return silence + self.patience

    def cluster(self, n_days: int, column: str = "") -> str:
        """What rows are taken to belong together: a day where the reference has enough of them, else a window or batch.

        Where days are few and a column names what rows belong to, those are taken together, in groups.

        Args:
            n_days: Days with rows in the reference.
            column: Which column that is; "" = none.
        """
        if column and n_days < DAY_CLUSTERS:
            return GROUP
        return "day" if self.is_daily or (n_days >= DAY_CLUSTERS and not self.column) else self.name

    def together(self, n_days: int, n_windows: int, column: str = "") -> str:
        """The same in words, or that there are too few for it.

        Args:
            n_days: Days with rows in the reference.
            n_windows: Windows with rows in it.
            column: Which column names what rows belong to; "" = none.

        >>> cadence_named("batch:run_id").together(12, 12), CADENCES["week"].together(3, 3)[:33]
        ('rows of one batch are taken together (12 batches)', 'rows are taken as independent, an')
        """
        unit = self.cluster(n_days, column)
        if unit == GROUP:
            return (
                f"rows with the same {column} are taken together (in up to {GROUPS} groups), as the reference has "
                f"{plural(n_days, 'day')}, fewer than {DAY_CLUSTERS}"
            )
        counted = n_days if unit == "day" else n_windows
        if unit != "day" and counted < FEW_CLUSTERS:
            return "rows are taken as independent, and only an effect beyond the tolerance counts"
        return f"rows of one {unit} are taken together ({plural(counted, unit, plural_of(unit))})"

    def unknown_swing(self, windows: int) -> str:
        """Why nothing is known of how far normal windows lie apart.

        Args:
            windows: How many the reference has; of hours how many days.

        >>> CADENCES["month"].unknown_swing(4)
        'usual swing unknown: 4 reference months, at least 20 are needed; judged by the noise floor alone'
        """
        if self.is_daily:
            return "usual swing unknown: the reference is shorter than two weeks"
        counted = plural(windows, f"reference {self.span}", f"reference {plural_of(self.span)}")
        return f"usual swing unknown: {counted}, at least {MIN_WINDOWS} are needed; judged by the noise floor alone"

    @property
    def is_daily(self) -> bool:
        """Whether a window is a day, so that a trailing week is what is compared."""
        return self.name == "day"

    @property
    def is_batch(self) -> bool:
        """Whether a window begins with its first row: what one value of a column names, or so many rows."""
        return self.pieces == BATCH

    @property
    def is_hourly(self) -> bool:
        """Whether a window is an hour, so that a trailing day is what is compared."""
        return self.name == "hour"


# A single day is one cluster without an interval, and part of a weekly season, as an hour is of a daily one; a week or
# a month holds whole seasons. Eight windows give an interval over windows (five are the least), and are not older than
# what people would act on.
CADENCES: Final[Mapping[str, Cadence]] = {
    "hour": Cadence("hour", short=24, long=168, patience=timedelta(hours=3), usual=1 / 24, pieces="hour", span="day",
                    full=168, long_view=7),
    "day": Cadence("day", short=7, long=28, patience=timedelta(days=3), usual=1.0, long_view=90),
    "week": Cadence("week", short=1, long=8, patience=timedelta(days=7 + 3), usual=7.0),
    "month": Cadence("month", short=1, long=6, patience=timedelta(days=31 + 7), usual=30.4, span="month"),
}  # fmt: skip


def plural_of(name: str) -> str:
    """The name of windows, when there are several.

    >>> plural_of("week"), plural_of("batch"), plural_of("window of 500 rows")
    ('weeks', 'batches', 'windows of 500 rows')
    """
    if is_counted(name):
        return name.replace("window", "windows", 1)
    return "batches" if name == BATCH else f"{name}s"


def is_counted(name: str) -> bool:
    """Whether windows of that name are so many rows each.

    >>> is_counted(cadence_named("rows:500").name), is_counted("week")
    (True, False)
    """
    return name.startswith(_COUNTED)


def is_moment(name: str) -> bool:
    """Whether windows of that name begin at a moment, not with a day."""
    return name in ("hour", BATCH) or is_counted(name)


def has_length(name: str) -> bool:
    """Whether windows of that name are all equally long: not batches, and not so many rows."""
    return name != BATCH and not is_counted(name)


_BATCHES: Final = Cadence(BATCH, short=1, long=8, patience=timedelta(days=31 + 7), usual=1.0, pieces=BATCH, span=BATCH)
NAMES: Final = f"{', '.join(CADENCES)}, {ROWS}:N or {BATCH}:COLUMN"  # as people are told
_COUNTED: Final = "window of "
_NUMBER: Final = re.compile("[1-9][0-9]{0,8}")


def cadence_named(window: str) -> Cadence:
    """The cadence that a policy, a command or a page names.

    >>> cadence_named("batch:run_id").column, cadence_named("rows:5000").name
    ('run_id', 'window of 5,000 rows')

    Raises:
        InvalidInput: nothing is judged by that, no column names the batch, or it has too few or too many rows.
    """
    kind, colon, column = window.partition(":")
    if kind == ROWS:
        if not _NUMBER.fullmatch(column) or not LEAST_ROWS <= int(column) <= MOST_ROWS:
            raise InvalidInput(
                f"{window!r} does not say how many rows one window has.",
                hint=f"Write a number from {LEAST_ROWS} to {MOST_ROWS:,}, without signs: {ROWS}:5000",
            )
        name = f"{_COUNTED}{int(column):,} rows"
        return replace(_BATCHES, name=name, span=name, rows=int(column))
    if kind == BATCH:
        if not colon or not column.strip() or column != column.strip():
            raise InvalidInput("No column says which batch a row is of.", hint=f"Name it: {BATCH}:COLUMN")
        return replace(_BATCHES, column=column)
    if window not in CADENCES:
        raise InvalidInput(f"Nothing is judged by the {window}.", hint=f"Use {NAMES}.")
    return CADENCES[window]


def usual_window(days: Sequence[date]) -> tuple[str, str]:
    """As what rows that come on these days are judged, and why: a batch a week by the week.

    >>> usual_window([date(2026, 3, 1 + 7 * n) for n in range(4)])
    ('week', 'rows come every 7 days')
    """
    gap = float(median((after - day).days for day, after in pairwise(days))) if len(days) > 1 else 1.0
    window = "month" if gap >= MONTHLY else "week" if gap >= WEEKLY else "day"
    return window, f"rows come every {gap:.0f} days" if gap > 1 else "rows come every day"
