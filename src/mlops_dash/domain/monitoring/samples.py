"""What do the rows behind a moved column look like? A few of the cell that grew, beside typical ones of before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

MOST_ROWS: Final = 20  # of each kind
BEYOND: Final = 8  # bins that a side's values beyond the reference are drawn in, at most
WHO: Final = "single rows are shown to scientists and leads; you see shares and medians"


@dataclass(frozen=True)
class Beyond:
    """Live values beyond the reference's range, in bins of their own; the score still uses the reference's cells.

    Attributes:
        below: (bin in words, share of live values), lowest first.
        above: The same above the range.
    """

    below: tuple[tuple[str, float], ...] = ()
    above: tuple[tuple[str, float], ...] = ()

    @property
    def known(self) -> bool:
        """Whether there is anything to draw."""
        return bool(self.below or self.above)


@dataclass(frozen=True)
class ColumnRows:
    """One column of the window shown, row by row.

    Attributes:
        column: Its name.
        cell: The cell whose share grew most, in words.
        before: Its share in the reference.
        now: Its share in the rows read.
        median_before: Of a number, in the reference's cells; None of words.
        median_now: The same in the rows read.
        unit: Behind both medians, where it is known.
        moved: Rows of that cell, as (column, value) of every row; the column itself first.
        typical: Rows from before, else of the other cells now.
        typical_are: What `typical` are, in words.
        read: Rows read of the window.
        hidden: Why no single row is shown; "" when they are.
    """

    column: str
    cell: str
    before: float
    now: float
    median_before: float | None
    median_now: float | None
    unit: str
    moved: tuple[Mapping[str, Any], ...] = field(default=())
    typical: tuple[Mapping[str, Any], ...] = field(default=())
    typical_are: str = ""
    read: int = 0
    hidden: str = ""

    def as_json(self) -> dict[str, Any]:
        """As the command prints it."""
        return {
            "column": self.column, "cell": self.cell, "share_before": self.before, "share_now": self.now,
            "median_before": self.median_before, "median_now": self.median_now, "unit": self.unit,
            "rows": [dict(one) for one in self.moved], "typical": [dict(one) for one in self.typical],
            "typical_are": self.typical_are, "read": self.read, "hidden": self.hidden,
        }  # fmt: skip
