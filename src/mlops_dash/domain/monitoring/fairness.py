"""Do groups that an owner named get other answers, or worse ones? Gaps against the largest group, over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from mlops_dash.domain.evidence import Evidence
from mlops_dash.domain.format import plural, with_unit

KIND: Final = "fairness"  # of evidence
NO_GROUPS: Final = "its owner names no column of groups"


class GapState(StrEnum):
    """What the numbers say of one gap; the word that people read."""

    APART = "apart"
    ALIKE = "no gap for sure"
    FEW = "too few rows"


_ORDER: Final = (GapState.APART, GapState.ALIKE, GapState.FEW)


@dataclass(frozen=True)
class Was:
    """The same gap in an earlier window, or None where rows were too few.

    Attributes:
        start: First instant of the window, ISO 8601.
        end: First instant after it.
        gap: Of the group.
        low: Lower end of its 95 % interval; None where days are too few for one.
        high: Upper end.
        n: Rows of the group that count.
    """

    start: str
    end: str
    gap: float | None
    low: float | None
    high: float | None
    n: int


@dataclass(frozen=True)
class Gap:
    """One measure of one group beside that of the largest group of its column.

    Attributes:
        column: Which column names the groups.
        measure: What is measured, in words; the first is the loss of a row.
        is_share: Whether it is a share; else it is in the unit of the label.
        group: The group, in words.
        base: The largest group.
        n: Rows of the group that count.
        n_base: Rows of the largest group that count.
        value: Of the group; None where rows are too few.
        base_value: Of the largest group.
        gap: The first minus the second.
        low: Lower end of its 95 % interval.
        high: Upper end.
        q: Of no gap, over all that were tried (Benjamini-Hochberg).
        state: What that says.
        reason: Why a number is missing or rough; "" when all is well.
        before: Earlier windows, oldest first.
    """

    column: str
    measure: str
    is_share: bool
    group: str
    base: str
    n: int
    n_base: int
    value: float | None = None
    base_value: float | None = None
    gap: float | None = None
    low: float | None = None
    high: float | None = None
    q: float | None = None
    state: GapState = GapState.FEW
    reason: str = ""
    before: tuple[Was, ...] = ()

    def judged(self, *, alpha: float, tolerance: float, floor: int) -> Gap:
        """With its word: apart only when it is sure over all gaps tried, and larger than the tolerance."""
        n = min(self.n, self.n_base)
        if n < floor or self.gap is None:
            few = f"{plural(n, 'row')} of {self.group if n == self.n else self.base} count, {floor} are needed"
            return replace(self, state=GapState.FEW, reason=self.reason or few)
        sure = self.q is not None and self.q < alpha and abs(self.gap) >= tolerance
        return replace(self, state=GapState.APART if sure else GapState.ALIKE)

    @staticmethod
    def of(row: Mapping[str, Any]) -> Gap:
        """Read what `as_json` wrote."""
        before = tuple(Was(**one) for one in row["before"])
        return Gap(**{**row, "state": GapState(row["state"]), "before": before})

    def as_json(self) -> dict[str, Any]:
        """As commands print it."""
        return {**asdict(self), "state": str(self.state), "before": [asdict(one) for one in self.before]}


@dataclass(frozen=True)
class Fairness:
    """Gaps between groups on the latest ripe rows of what is served.

    Attributes:
        unit: Behind numbers that are no shares.
        gaps: Those that are apart first, the widest first; too few rows last.
        n: Labelled rows that were read.
        clusters: What rows belong together by, as in "28 days".
        start: When the window begins; None where nothing is known.
        end: When it ends.
        notes: Which columns could not be used, and why.
        reason: Why nothing is known; "" when something is.
        at: When it was measured.
    """

    unit: str = ""
    gaps: tuple[Gap, ...] = ()
    n: int = 0
    clusters: str = ""
    start: datetime | None = None
    end: datetime | None = None
    notes: tuple[str, ...] = ()
    reason: str = NO_GROUPS
    at: datetime | None = None

    @property
    def sentence(self) -> str:
        """The widest gap with its numbers, or that none is sure, or why nobody knows."""
        if self.reason:
            return f"Gaps between groups are not known: {self.reason}."
        apart = [one for one in self.gaps if one.state is GapState.APART]
        few = sum(one.state is GapState.FEW for one in self.gaps)
        more = f" {plural(few, 'gap has', 'gaps have')} too few rows." if few else ""
        if not apart:
            tried = len(self.gaps) - few
            lead = f"None of {plural(tried, 'gap')} is sure." if tried else "No gap could be judged."
            return f"{lead}{more}"
        one = apart[0]
        return (
            f"Widest: {one.measure} of {one.group} {self.said(one, one.value)}, of {one.base} "
            f"{self.said(one, one.base_value)}: {self.said(one, one.gap)} apart "
            f"({self.said(one, one.low)} to {self.said(one, one.high)}; {one.n:,} and {one.n_base:,} rows).{more}"
        )

    def said(self, one: Gap, value: float | None) -> str:
        """A number of a gap: a share, or with its unit."""
        if value is None:
            return "not known"
        return with_unit(value, 3 if one.is_share or not self.unit else 2, "" if one.is_share else self.unit)

    def as_json(self) -> dict[str, Any]:
        """As commands print it."""
        return {
            "unit": self.unit, "n": self.n, "clusters": self.clusters, "gaps": [one.as_json() for one in self.gaps],
            "start": None if self.start is None else self.start.isoformat(),
            "end": None if self.end is None else self.end.isoformat(),
            "notes": list(self.notes), "reason": self.reason, "sentence": self.sentence,
            "at": None if self.at is None else self.at.isoformat(),
        }  # fmt: skip


def widest_first(gaps: Sequence[Gap]) -> tuple[Gap, ...]:
    """Shares and units are no one scale, so gaps stand by their word and by how sure they are."""
    return tuple(sorted(gaps, key=lambda one: (_ORDER.index(one.state), -_sure(one), one.column, one.measure)))


def _sure(one: Gap) -> float:
    """How many half intervals a gap is away from 0."""
    if one.gap is None or one.low is None or one.high is None or one.high == one.low:
        return 0.0
    return abs(one.gap) / ((one.high - one.low) / 2)


def fairness_of(found: Sequence[Evidence], reference_id: str, *, groups: Sequence[str]) -> Fairness:
    """The newest measurement against this reference.

    Args:
        found: Evidence about the version, oldest first.
        reference_id: What the version is compared with.
        groups: Columns that the owner names now.
    """
    if not groups:
        return Fairness()
    own = [one for one in found if one.kind == KIND and one.digests.get("reference") == reference_id]
    if not own:
        return Fairness(reason="nobody has measured them yet")
    one, details = own[-1], own[-1].details
    gaps = tuple(gap for gap in map(Gap.of, details.get("gaps", [])) if gap.column in groups)
    return Fairness(
        str(details.get("unit", "")), gaps, one.n, str(details.get("clusters", "")), one.window_start,
        one.window_end, tuple(details.get("notes", [])), one.reason, one.computed_at,
    )  # fmt: skip
