"""Why did the loss rise: inputs that moved, or another relation to the outcome? In words, or "cannot tell"."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from mlops_dash.domain.evidence import Evidence
from mlops_dash.domain.format import with_unit

KIND: Final = "loss_split"  # of evidence
PARTS: Final[Mapping[str, str]] = {
    "harder": "inputs moved toward cases that were harder already",
    "relation": "the relation between inputs and outcome changed, or an input that the model was not given",
    "new": "inputs that were new or rare before",
}
THIN: Final = 0.50  # of the overlap: below it the split is said to be rough


@dataclass(frozen=True)
class Part:
    """One part of the change, in the unit of the loss.

    Attributes:
        name: A key of `PARTS`.
        value: How much of the change it is.
        low: Lower end of its 95 % interval.
        high: Upper end.
        sure: Whether it differs from 0 for sure.
    """

    name: str
    value: float
    low: float
    high: float
    sure: bool


@dataclass(frozen=True)
class Split:
    """The change of the loss since it got worse, in parts that add up to it.

    Attributes:
        loss: What the loss is called.
        unit: Behind its numbers.
        change: How much it changed; None where too few rows say so.
        parts: Empty where it cannot be told.
        overlap: How much the inputs of both sides have in common, 0 to 1.
        n: Labelled rows a side.
        reason: Why it cannot be told; "" when it can.
        since: From when on rows count as worse.
    """

    loss: str
    unit: str
    change: float | None
    parts: tuple[Part, ...]
    overlap: float | None
    n: int
    reason: str
    since: datetime | None

    @property
    def sentence(self) -> str:
        """What it comes from, with intervals, or why nobody can tell."""
        if self.reason or self.change is None:
            return f"Inputs moved or relation changed? Cannot tell: {self.reason}."
        sure = [one for one in self.parts if one.sure and one.value * self.change > 0]
        said = "; ".join(f"{self._said(one.value)} ({self._said(one.low)} to {self._said(one.high)}): {PARTS[one.name]}"
                         for one in self.parts)  # fmt: skip
        lead = f"The {self.loss} changed by {self._said(self.change)} ({self.n:,} labelled rows a side). {said}."
        names = " and ".join(PARTS[one.name] for one in sure)
        found = f"For sure: {names}." if sure else "None of these differs from 0 for sure: cannot tell."
        thin = " The inputs have little in common, so this is rough." if (self.overlap or 0.0) < THIN else ""
        return f"{lead} {found}{thin}"

    def _said(self, value: float) -> str:
        return with_unit(value, 3 if not self.unit else 2, self.unit)

    def as_json(self) -> dict[str, Any]:
        """As commands print it."""
        return {
            "loss": self.loss, "unit": self.unit, "change": self.change, "overlap": self.overlap, "n": self.n,
            "reason": self.reason, "since": None if self.since is None else self.since.isoformat(),
            "parts": [vars(one) for one in self.parts], "sentence": self.sentence,
        }  # fmt: skip


def split_of(found: Sequence[Evidence], reference_id: str, first: datetime, last: datetime) -> Split | None:
    """The newest split of what is worse now; None where nobody has made one.

    Args:
        found: Evidence about the version, oldest first.
        reference_id: What the version is compared with.
        first: Since when it is worse.
        last: Until when that is known.
    """
    own = [
        one
        for one in found
        if one.kind == KIND and one.digests.get("reference") == reference_id
        and one.window_start is not None and one.window_end is not None
        and one.window_start < last and one.window_end > first
    ]  # fmt: skip
    if not own:
        return None
    one = own[-1]
    parts = tuple(Part(str(name), *numbers) for name, *numbers in one.details.get("parts", []))
    return Split(one.metric, str(one.details.get("unit", "")), one.value, parts, one.details.get("overlap"), one.n,
                 one.reason, one.window_start)  # fmt: skip
