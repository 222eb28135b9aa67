"""What may a row of a version hold? Ranges of numbers and times, and the kinds of its columns.

Whatever passes here can be counted: the door (`domain.scoring`) refuses by these rules, and the profiles set aside by
the same ones. Must not: raise on any value.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

# Sums of third powers of a million such numbers stay finite, and every hour between these instants exists in every
# zone.
LARGEST = 1e90
EARLIEST, LATEST = datetime(1990, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
NO_NUMBER = "is no number, as the column holds"  # why a word cannot be counted into a column of numbers
NUMERIC = "numeric"  # the kind of a column of numbers; every other kind holds any plain value, compared as text
LONGEST_SAMPLE = 80  # characters of a value that is kept as a sample


def instant_of(moment: datetime) -> datetime | None:
    """The same moment in UTC (one without a zone is taken as UTC); None outside `EARLIEST` to `LATEST`.

    Year 1 in another zone is no instant, so the years are looked at before the instant is made.

    >>> instant_of(datetime.fromisoformat("0001-01-01T00:00:00+05:00")), instant_of(LATEST)
    (None, None)
    """
    if not EARLIEST.year - 1 <= moment.year <= LATEST.year:
        return None
    instant = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    return instant if EARLIEST <= instant < LATEST else None


def in_range(value: float) -> bool:
    """Whether a number can be counted; whole numbers of any length are compared without becoming floats.

    >>> in_range(10**400), in_range(-1.5), in_range(float("nan"))
    (False, True, False)
    """
    return -LARGEST <= value <= LARGEST


def why_not_counted(kind: str, value: Any) -> str:
    """Why a value cannot be counted into a column of this kind; "" when it can, missing values included.

    >>> why_not_counted("numeric", "n/a"), why_not_counted("category", "n/a"), why_not_counted("numeric", None)
    ('is no number, as the column holds', '', '')
    """
    if value is None or isinstance(value, bool):
        return ""
    if isinstance(value, int | float):
        if value != value or in_range(value):  # NaN is the one number that differs from itself: a missing value
            return ""
        return f"is not finite or beyond {LARGEST:g}" if kind == NUMERIC or isinstance(value, float) else ""
    if isinstance(value, str | datetime):  # a moment is kept as its ISO text
        return NO_NUMBER if kind == NUMERIC else ""
    return f"a {type(value).__name__} cannot be counted"


@dataclass(frozen=True)
class VersionSchema:
    """The columns of a version, as its signature or its reference says.

    Attributes:
        version: Its number.
        kinds: Kind by column; anything but "numeric" holds any plain value.
        source: Who says so, in words.
    """

    version: str
    kinds: Mapping[str, str]
    source: str

    def why_not(self, features: Mapping[str, Any]) -> tuple[str, str] | None:
        """The first column of a row that does not fit, with the reason; None when all do.

        Columns that the row lacks count as missing values, columns that the version does not know are only kept; but
        a row that has none of its columns is not one of its rows.
        """
        for name, value in features.items():
            reason = why_not_counted(self.kinds[name], value) if name in self.kinds else ""
            if reason:
                return name, f"{reason} ({self.source} of version {self.version})"
        if self.kinds and not any(name in self.kinds for name in features):
            return "features", f"holds none of the columns of version {self.version}: {_some(tuple(self.kinds))}"
        return None


def sample_of(value: Any) -> str:
    """A value as it is shown among what was set aside: short, and always a text.

    >>> sample_of("n/a"), len(sample_of("x" * 500))
    ("'n/a'", 80)
    """
    try:
        said = repr(value)
    except (ValueError, RecursionError):  # whole numbers of thousands of digits have no text in Python
        return f"a {type(value).__name__} that is too long to write"
    return said if len(said) <= LONGEST_SAMPLE else said[: LONGEST_SAMPLE - 1] + "…"


def _some(names: Sequence[str], *, most: int = 5) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
