"""Which column is the likely cause? Those that moved, ranked by how far they moved times how much the model needs them.

A column is only named where it moved before it got worse and still does. Where nobody knows how much the model needs a
column, the ranking is by drift alone, and says so.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from mlops_dash.domain.cadence import CADENCES
from mlops_dash.domain.evidence import Evidence
from mlops_dash.domain.monitoring.loss_splits import Split
from mlops_dash.domain.monitoring.readings import SCORE, FeatureReading, Reading
from mlops_dash.domain.words import Drift

KIND: Final = "importance"  # of evidence
UNUSED_SHARE: Final = 0.01  # of the whole importance: a column below it cannot have done much
BEYOND: Final = 0.005  # share of values beyond the reference, new or newly missing, of which shuffling it says nothing
WITHOUT_PSI: Final = 1.0  # how far a column without a PSI counts as moved (a constant that is another now)
ALONE: Final = "ranked by drift alone: the importance of columns is not known"


class By(StrEnum):
    """How it is known what a model rests on."""

    PERMUTATION = "permutation"  # its loss on labelled rows, a column shuffled
    MODEL = "model"  # what the fitted model says of itself
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Importance:
    """What the model in service rests on, by column, as shares of the whole.

    Attributes:
        by: How it is known.
        shares: Share of each column in [0, 1], with the interval of its own rise; (share, low, high).
        why: Why it is not known; "" when it is.
        n: Rows it was measured on; 0 where the model says it.
        loss: Which loss of a row rises.
        at: When it was measured.
        asked: Whether a worker is about to measure it.
        barred: Why no worker can measure it; "" where one can.
        effects: Share of each column in how far the answers themselves go when it is shuffled: a column may sway them
            and be of no use. Empty where that is not known.
        moved_to: The same of a column that had moved, with the values that it had then instead of shuffled ones.
        constant: Columns that had one value in the rows it was measured on: shuffling them says nothing.
    """

    by: By = By.UNKNOWN
    shares: Mapping[str, tuple[float, float | None, float | None]] = field(default_factory=dict)
    why: str = "nobody has measured it yet"
    n: int = 0
    loss: str = ""
    at: datetime | None = None
    asked: bool = False
    barred: str = ""
    effects: Mapping[str, float] = field(default_factory=dict)
    moved_to: Mapping[str, float] = field(default_factory=dict)
    constant: frozenset[str] = frozenset()

    @property
    def known(self) -> bool:
        """Whether columns can be ranked by it."""
        return self.by is not By.UNKNOWN

    def of(self, column: str) -> float | None:
        """Share of a column; None where it is not known."""
        return self.shares[column][0] if column in self.shares else None

    def ranks(self, column: str) -> float | None:
        """Share that a moved column is ranked by: where shuffling shows hardly any, the one with its new values."""
        share = self.of(column)
        return share if share is None or share >= UNUSED_SHARE else max(share, min(1.0, self.moved_to.get(column, 0.0)))

    def unused(self, column: str, moved: FeatureReading | None = None) -> bool:
        """Whether the answers are measured to hardly depend on a column; what a model says of itself is no proof.

        Args:
            column: Its name.
            moved: The window in which it went farthest. Shuffling says nothing of values that the measured rows did
                not have: then it counts as used, unless the model was asked with the values that it moved to.
        """
        share = self.of(column)
        if self.by is not By.PERMUTATION or share is None:
            return False
        if max(share, self.effects.get(column, 0.0), self.moved_to.get(column, 0.0)) >= UNUSED_SHARE:
            return False
        return column in self.moved_to or not (column in self.constant or _beyond(moved))

    @property
    def sentence(self) -> str:
        """How the ranking was made."""
        if not self.known:
            return f"{ALONE[0].upper()}{ALONE[1:]} ({self.why})."
        if self.by is By.MODEL:
            return f"Drift times importance. Importance is what the fitted model says of itself; {self.why}."
        return (
            f"Drift times importance: how much the {self.loss} rises when a column's values are shuffled, on "
            f"{self.n:,} labelled rows."
        )

    def as_json(self) -> dict[str, Any]:
        """As commands print it."""
        return {
            "by": str(self.by), "why": self.why, "n": self.n, "loss": self.loss,
            "at": None if self.at is None else self.at.isoformat(),
            "columns": {name: {"share": share, "low": low, "high": high, "effect": self.effects.get(name)}
                        for name, (share, low, high) in self.shares.items()},
        }  # fmt: skip


def importance_of(found: Sequence[Evidence], reference_id: str) -> Importance:
    """The newest measurement that belongs to a reference.

    Args:
        found: Evidence about the version, oldest first.
        reference_id: What the version is compared with.
    """
    own = [one for one in found if one.kind == KIND and one.digests.get("reference") == reference_id]
    if not own:
        return Importance()
    last = own[-1]
    if last.state != "ok":
        return Importance(why=last.reason, at=last.computed_at)
    shares = {str(name): (float(share), low, high) for name, share, low, high in last.details["columns"]}
    by = By(str(last.metric))
    return Importance(by, shares, str(last.details.get("why", "")), last.n, str(last.details.get("loss", "")),
                      last.computed_at, effects=dict(last.details.get("effects", {})),
                      moved_to=dict(last.details.get("moved_to", {})),
                      constant=frozenset(last.details.get("constant", ())))  # fmt: skip


def _beyond(moved: FeatureReading | None) -> bool:
    """Whether a window has values of a column that the reference did not have."""
    if moved is None:
        return False
    missing = (moved.missing or 0.0) - (moved.missing_reference or 0.0)
    return max(moved.out_of_range or 0.0, moved.unseen or 0.0, missing) > BEYOND


def as_shares(
    rises: Mapping[str, tuple[float, float, float]],
) -> list[list[Any]]:
    """Rises of a loss (value, low, high) as shares of the sum of those above zero, most first; as evidence holds them.

    >>> as_shares({"a": (3.0, 2.0, 4.0), "b": (1.0, -1.0, 3.0), "c": (-0.1, -0.2, 0.1)})
    [['a', 0.75, 0.5, 1.0], ['b', 0.25, 0.0, 0.75], ['c', 0.0, 0.0, 0.025]]
    """
    whole = sum(max(0.0, value) for value, _, _ in rises.values())

    def share(number: float) -> float | None:
        return min(1.0, max(0.0, number / whole)) if whole > 0 and math.isfinite(number) else None

    made = [[name, share(value) or 0.0, share(low), share(high)] for name, (value, low, high) in rises.items()]
    return sorted(made, key=lambda one: (-one[1], one[0]))


# --- which columns moved, and when ------------------------------------------------------------------------------------


def moved_in(stretch: Sequence[Reading]) -> list[str]:
    """Columns that moved in at least a quarter of these windows, most windows first."""
    tally = Counter(name for one in stretch for name in one.body["moved"])
    return [name for name, n in sorted(tally.items(), key=lambda pair: (-pair[1], pair[0])) if 4 * n >= len(stretch)]


def causes_in(stretch: Sequence[Reading], importance: Importance | None = None) -> list[str]:
    """Inputs that can be the cause of what began with this stretch, the likeliest first.

    They moved no later than that and still do, and the model is not known to do without them. A window of a day tells
    the week that ends there, so a move on the first day shows within a week; the score is no cause of its own errors.

    Args:
        stretch: The windows from the one since which it is worse, latest last.
        importance: What the model rests on; None = not known.
    """
    known = importance or Importance()
    able = before_and_still(stretch)
    peaks = peaks_in(stretch, able)
    names = [name for name in able if not known.unused(name, peaks.get(name))]
    return sorted(names, key=lambda name: -weight_of(peaks.get(name), known.ranks(name) if known.known else None))


def unused_in(stretch: Sequence[Reading], importance: Importance) -> list[str]:
    """Inputs that moved in time, but that the model is measured to do without."""
    able = before_and_still(stretch)
    peaks = peaks_in(stretch, able)
    return [name for name in able if importance.unused(name, peaks.get(name))]


def before_and_still(stretch: Sequence[Reading]) -> list[str]:
    """Inputs that moved no later than this stretch began, and move still; most windows first."""
    cadence = CADENCES.get(str(stretch[-1].body.get("window", "day")))
    late = 1 if cadence is None else cadence.short  # a batch is judged alone
    begun = {name for one in stretch[:late] for name in (*one.body.get("flagged", ()), *one.body["moved"])}
    return [name for name in moved_in(stretch) if name != SCORE and name in begun and name in stretch[-1].body["moved"]]


def peaks_in(stretch: Sequence[Reading], names: Sequence[str]) -> dict[str, FeatureReading]:
    """Of each of these columns the window in which it went farthest."""
    peak: dict[str, FeatureReading] = {}
    farthest: dict[str, tuple[float, bool]] = {}
    for window in stretch:
        for one in window.features():
            far = (one.excess or 0.0, one.flagged)
            if one.name in names and far >= farthest.get(one.name, (0.0, False)):
                farthest[one.name] = far
                peak[one.name] = one
    return peak


def weight_of(reading: FeatureReading | None, share: float | None) -> float:
    """Drift times importance: the excess PSI, and the share of the importance where it is known."""
    if reading is None:
        return 0.0
    drift = WITHOUT_PSI if reading.excess is None and reading.flagged else max(0.0, reading.excess or 0.0)
    return drift if share is None else drift * share


class Role(StrEnum):
    """What a moved column has to do with what got worse."""

    LIKELY = "likely cause"
    LATER = "moved only after it got worse"
    UNUSED = "moved, but the answers hardly depend on it"
    OVER = "moved, but does no longer"
    HARMLESS = "moved; nothing got worse for sure"


@dataclass(frozen=True)
class Cause:
    """One column that moved.

    Attributes:
        column: Its name.
        role: What it has to do with what got worse.
        verdict: Of the window shown.
        excess: How far it went beyond chance (excess PSI); None without a PSI.
        how: Why it is judged as it is, where there is no PSI.
        share: Its share of what the model rests on; None where that is not known.
        weight: Drift times importance, or drift alone: what columns are ranked by.
    """

    column: str
    role: Role
    verdict: Drift
    excess: float | None
    how: str
    share: float | None
    weight: float

    def as_json(self) -> dict[str, Any]:
        """As commands print it."""
        return {**vars(self), "role": str(self.role), "verdict": str(self.verdict)}


@dataclass(frozen=True)
class Causes:
    """The columns that moved, likeliest cause first, and how they were ranked."""

    ranked: tuple[Cause, ...]
    importance: Importance
    worse: bool  # whether something got worse for sure
    split: Split | None = None  # of the change of the loss, where somebody made one

    def as_json(self) -> dict[str, Any]:
        """As commands print it."""
        return {"ranked": [one.as_json() for one in self.ranked], "importance": self.importance.as_json(),
                "worse": self.worse, "sentence": self.importance.sentence,
                "split": None if self.split is None else self.split.as_json()}  # fmt: skip


def ranked(stretch: Sequence[Reading], importance: Importance, *, worse: bool) -> Causes:
    """Every input that moved, with its part in what got worse.

    Args:
        stretch: The windows since it is worse; without harm the latest one alone.
        importance: What the model rests on.
        worse: Whether something got worse for sure.
    """
    latest = stretch[-1]
    moved = [name for name in moved_in(stretch) if name != SCORE]
    able, peaks = set(before_and_still(stretch)), peaks_in(stretch, moved)
    found = []
    for name in moved:
        one = peaks.get(name)
        if one is None:
            continue
        share = importance.of(name) if importance.known else None
        if name not in latest.body["moved"]:
            role = Role.OVER
        elif importance.unused(name, one):
            role = Role.UNUSED
        elif not worse:
            role = Role.HARMLESS
        else:
            role = Role.LIKELY if name in able else Role.LATER
        found.append(Cause(name, role, one.verdict, one.excess, one.reason if one.excess is None else "", share,
                           weight_of(one, importance.ranks(name) if importance.known else None)))  # fmt: skip
    order = list(Role)
    return Causes(
        tuple(sorted(found, key=lambda one: (order.index(one.role), -one.weight, one.column))), importance, worse
    )


def told(model: str, found: Causes | None) -> dict[str, Any]:
    """What command and API say of a model; None = no window is judged."""
    return {"model": model, **(found or Causes((), Importance(), worse=False)).as_json()}
