"""In which part of the rows is a version worse? Parts that the owner named and parts that were found, over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from mlops_dash.domain.evidence import Evidence
from mlops_dash.domain.format import plural, with_unit

KIND: Final = "slices"  # of evidence
NOBODY: Final = "nobody has measured them yet"


class SliceState(StrEnum):
    """What the numbers say of one part; the word that people read."""

    WORSE = "worse than other rows"
    BETTER = "better than other rows"
    UNSURE = "not told apart"
    FEW = "too few rows"


ORDER: Final = (SliceState.WORSE, SliceState.UNSURE, SliceState.BETTER, SliceState.FEW)


@dataclass(frozen=True)
class Before:
    """The same part in one window: its mean loss, or None where it had too few rows.

    Attributes:
        start: First instant of the window, ISO 8601.
        end: First instant after it.
        value: Mean loss.
        low: Lower end of its 95 % interval; None where days are too few for one.
        high: Upper end.
        n: Labelled rows.
    """

    start: str
    end: str
    value: float | None
    low: float | None
    high: float | None
    n: int


@dataclass(frozen=True)
class Slice:
    """One part of the rows; losses in the unit of the label.

    Attributes:
        title: Which rows, in words.
        columns: The columns that say so.
        found: Whether it was found; else the owner named its column.
        n: Labelled rows that judge it.
        n_clusters: Days (or groups) that judge it.
        value: Mean loss of its rows; None where they are too few.
        low: Lower end of its 95 % interval.
        high: Upper end.
        rest: Mean loss of the other rows.
        more: Its own minus that of the others.
        more_low: Lower end of the 95 % interval of that.
        more_high: Upper end.
        q: Of no difference, over all parts that were tried (Benjamini-Hochberg).
        lean: How much higher its answers are than its labels on average; None where answers are words.
        lean_low: Lower end of the 95 % interval of that.
        lean_high: Upper end.
        state: What that says.
        reason: Why a number is missing or rough; "" when all is well.
        before: Earlier windows, oldest first.
    """

    title: str
    columns: tuple[str, ...]
    found: bool
    n: int
    n_clusters: int
    value: float | None = None
    low: float | None = None
    high: float | None = None
    rest: float | None = None
    more: float | None = None
    more_low: float | None = None
    more_high: float | None = None
    q: float | None = None
    lean: float | None = None
    lean_low: float | None = None
    lean_high: float | None = None
    state: SliceState = SliceState.FEW
    reason: str = ""
    before: tuple[Before, ...] = ()

    def judged(self, *, alpha: float, tolerance: float, floor: int) -> Slice:
        """With its word: worse or better only when it is sure over all parts tried, and by more than the tolerance."""
        if self.n < floor or self.more is None:
            said = f"{plural(self.n, 'labelled row')}, {floor} are needed" if self.n < floor else ""
            return replace(self, state=SliceState.FEW, reason=self.reason or said)
        if self.q is None or self.q >= alpha or abs(self.more) < tolerance:
            return replace(self, state=SliceState.UNSURE)
        return replace(self, state=SliceState.WORSE if self.more > 0 else SliceState.BETTER)

    @staticmethod
    def of(row: Mapping[str, Any]) -> Slice:
        """Read what `as_json` wrote."""
        before = tuple(Before(**one) for one in row["before"])
        kept = {**row, "columns": tuple(row["columns"]), "state": SliceState(row["state"]), "before": before}
        return Slice(**kept)

    def as_json(self) -> dict[str, Any]:
        """As commands print it."""
        return {**asdict(self), "columns": list(self.columns), "state": str(self.state),
                "before": [asdict(one) for one in self.before]}  # fmt: skip


@dataclass(frozen=True)
class Slices:
    """What is known of the parts of the latest ripe rows of what is served.

    Attributes:
        loss: What the loss of a row is called.
        unit: Behind its numbers.
        tolerance: A smaller difference is none.
        parts: Worst first; too few rows last.
        n: Labelled rows that were read.
        clusters: What rows belong together by, as in "28 days".
        start: When the window begins; None where nothing is known.
        end: When it ends.
        notes: What was not looked for, or is not there, and why.
        reason: Why nothing is known; "" when something is.
        asked: Whether a worker is measuring them.
        at: When it was measured.
    """

    loss: str = ""
    unit: str = ""
    tolerance: float = 0.0
    parts: tuple[Slice, ...] = ()
    n: int = 0
    clusters: str = ""
    start: datetime | None = None
    end: datetime | None = None
    notes: tuple[str, ...] = ()
    reason: str = NOBODY
    asked: bool = False
    at: datetime | None = None

    @property
    def sentence(self) -> str:
        """The worst part with its numbers, or that none is, or why nobody knows."""
        if self.reason:
            return f"Not known in which part of the rows it is worse: {self.reason}."
        worse = [one for one in self.parts if one.state is SliceState.WORSE]
        tried = sum(one.state is not SliceState.FEW for one in self.parts)
        if not worse:
            few = len(self.parts) - tried
            more = f"; {plural(few, 'part has', 'parts have')} too few rows" if few else ""
            if not tried:
                return f"No part of the rows could be judged{more}."
            return f"None of {plural(tried, 'part')} is worse than the other rows for sure{more}."
        one = worse[0]
        return (
            f"Worst: {one.title}. {self.loss.capitalize()} {self.said(one.value)} "
            f"({self.said(one.low)} to {self.said(one.high)}), {self.said(one.more)} more than other rows "
            f"({self.said(one.more_low)} to {self.said(one.more_high)}); {one.n:,} rows."
        )

    def said(self, value: float | None) -> str:
        """A loss with its unit."""
        return "not known" if value is None else with_unit(value, 2 if self.unit else 3, self.unit)

    def as_json(self) -> dict[str, Any]:
        """As commands print it."""
        return {
            "loss": self.loss, "unit": self.unit, "tolerance": self.tolerance, "n": self.n, "clusters": self.clusters,
            "start": None if self.start is None else self.start.isoformat(),
            "end": None if self.end is None else self.end.isoformat(),
            "slices": [one.as_json() for one in self.parts], "notes": list(self.notes), "reason": self.reason,
            "asked": self.asked, "sentence": self.sentence, "at": None if self.at is None else self.at.isoformat(),
        }  # fmt: skip


def worst_first(parts: Sequence[Slice]) -> tuple[Slice, ...]:
    """Worse ones by how sure that is, then those that are not told apart, better ones and those with too few rows."""
    return tuple(sorted(parts, key=lambda one: (ORDER.index(one.state), -(one.more_low or 0.0), -one.n, one.title)))


def slices_of(found: Sequence[Evidence], reference_id: str) -> Slices:
    """The newest measurement against this reference.

    Args:
        found: Evidence about the version, oldest first.
        reference_id: What the version is compared with.
    """
    own = [one for one in found if one.kind == KIND and one.digests.get("reference") == reference_id]
    if not own:
        return Slices()
    one, details = own[-1], own[-1].details
    return Slices(
        one.metric, str(details.get("unit", "")), float(details.get("tolerance", 0.0)),
        tuple(Slice.of(row) for row in details.get("slices", [])), one.n, str(details.get("clusters", "")),
        one.window_start, one.window_end, tuple(details.get("notes", [])), one.reason, at=one.computed_at,
    )  # fmt: skip
