"""May an estimate without labels be believed? Only its own past says: the windows whose labels came since.

An estimate never turns anything green or red: trusted, it may warn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from statistics import mean, median
from typing import Any, Final

from mlops_dash.domain.cadence import plural_of
from mlops_dash.domain.evidence import Evidence
from mlops_dash.domain.format import with_unit
from mlops_dash.domain.monitoring.readings import Reading

LOSS_KIND: Final = "estimated_loss"  # of evidence: by a model of the loss
WINDOWS: Final = 8  # the last ones whose labels came: what trust rests on
NEEDED: Final = 6  # of them with the realised value inside the interval
SMALL: Final = 0.01  # an error that is never too large, in the unit of a share
ASSUMES: Final = "it assumes that answers come true as often as in the reference, and cannot see that this changed"


class Trust(StrEnum):
    """What the back-test says of an estimate."""

    TRUSTED = "trusted"
    NOT_TRUSTED = "not trusted"
    UNKNOWN = "not known yet"


@dataclass(frozen=True)
class EstimatedPoint:
    """One window: what was estimated without its labels, and what they said once they came."""

    start: datetime
    end: datetime
    value: float
    low: float
    high: float
    realised: float | None  # None while labels are awaited

    @property
    def inside(self) -> bool:
        """Whether the realised value lies in the interval."""
        return self.realised is not None and self.low <= self.realised <= self.high


@dataclass(frozen=True)
class BackTest:
    """How estimates did on the last windows whose labels came.

    Attributes:
        trust: Whether to believe the next one.
        windows: How many were compared, at most `WINDOWS`.
        inside: In how many the realised value lay in the interval.
        error: Mean distance of the estimate from the realised value; None without any.
        drift: Estimate minus realised value on average: which way it errs; None without any.
    """

    trust: Trust
    windows: int
    inside: int
    error: float | None
    drift: float | None

    def as_json(self) -> dict[str, Any]:
        """As commands print it."""
        coverage = self.inside / self.windows if self.windows else None
        return {"trust": str(self.trust), "windows": self.windows, "inside": self.inside, "coverage": coverage,
                "mean_error": self.error}  # fmt: skip


def back_test(points: Sequence[EstimatedPoint]) -> BackTest:
    """Compare the last estimates with what came.

    Args:
        points: In order; those without a realised value do not count.
    """
    known = [one for one in points if one.realised is not None][-WINDOWS:]
    if not known:
        return BackTest(Trust.UNKNOWN, 0, 0, None, None)
    gaps = [one.value - float(one.realised or 0.0) for one in known]
    inside = sum(one.inside for one in known)
    error, lean = mean(abs(gap) for gap in gaps), mean(gaps)
    allowed = max(SMALL, median((one.high - one.low) / 4 for one in known))
    if len(known) < WINDOWS:
        trust = Trust.UNKNOWN
    else:
        fits = inside >= NEEDED and median(abs(gap) for gap in gaps) <= allowed
        trust = Trust.TRUSTED if fits else Trust.NOT_TRUSTED
    return BackTest(trust, len(known), inside, error, lean)


@dataclass(frozen=True)
class EstimatedView:
    """What is estimated of one metric of what is served.

    Attributes:
        metric: Its key.
        label: Its name.
        higher: Whether it is better when higher.
        decimals: Of its numbers.
        unit: Behind them.
        window: What one point is of.
        points: In order.
        test: How they did.
        suspended: Why a trusted estimate is not believed now; "" when it is.
    """

    metric: str
    label: str
    higher: bool
    decimals: int
    unit: str
    window: str
    points: tuple[EstimatedPoint, ...]
    test: BackTest
    suspended: str = ""

    @property
    def last(self) -> EstimatedPoint:
        """The latest window."""
        return self.points[-1]

    @property
    def sentence(self) -> str:
        """The latest estimate, how far to believe it, and on what it rests."""
        one, test = self.last, self.test
        value, low, high = (with_unit(part, self.decimals, self.unit) for part in (one.value, one.low, one.high))
        said = f"Estimated without labels: {self.label} {value} ({low} to {high}) in the latest {self.window}."
        if not test.windows or test.error is None:
            return f"{said} No {self.window} with labels to compare it with yet; {ASSUMES}."
        windows = plural_of(self.window) if test.windows > 1 else self.window
        held = (
            f"Of the last {test.windows} {windows} with labels {test.inside} came out inside the interval, "
            f"{with_unit(test.error, self.decimals, self.unit)} off on average"
        )
        if test.trust is Trust.NOT_TRUSTED:
            return f"{said} {held}: its assumption does not hold, so do not go by it ({ASSUMES})."
        if self.suspended:
            return f"{said} {held}; {self.suspended}, which is outside what was proven."
        return f"{said} {held}; {ASSUMES}."

    def as_json(self) -> dict[str, Any]:
        """As `monitor --json` prints it."""
        one = self.last
        return {"metric": self.metric, "value": one.value, "low": one.low, "high": one.high,
                "start": one.start.isoformat(), "end": one.end.isoformat(), "suspended": self.suspended,
                "sentence": self.sentence, **self.test.as_json()}  # fmt: skip


def points_of(readings: Sequence[Reading], metric: str) -> tuple[EstimatedPoint, ...]:
    """The windows of which a metric was estimated, in order.

    Args:
        readings: Of one version, in order.
        metric: Its key.
    """
    found = []
    for one in readings:
        row = estimates_in(one.body).get(metric)
        if row is None:
            continue
        realised = one.body["day"].get(metric) if one.ripe else None
        value, low, high = row
        found.append(EstimatedPoint(one.start, one.end, value, low, high, realised))
    return tuple(found)


def estimates_in(body: Mapping[str, Any]) -> Mapping[str, Sequence[float]]:
    """What a judged window holds of estimates: value, low and high by metric."""
    found: Mapping[str, Sequence[float]] = body.get("estimated", {})
    return found


def loss_points(
    found: Sequence[Evidence], reference_id: str, own: Sequence[Reading]
) -> tuple[str, tuple[EstimatedPoint, ...]]:
    """The metric and the windows that a worker estimated by a model of the loss, with what came since.

    Args:
        found: Evidence about the version, oldest first; a later estimate of a window takes the place of an earlier one.
        reference_id: What the version is compared with.
        own: Its readings.
    """
    kept = [one for one in found if one.kind == LOSS_KIND and one.digests.get("reference") == reference_id]
    if not kept:
        return "", ()
    metric = kept[-1].metric
    came = {one.end: one.body["day"].get(metric) for one in own if one.ripe}
    held = {row[1]: row for one in kept if one.metric == metric for row in one.details["windows"]}
    points = [
        EstimatedPoint(datetime.fromisoformat(start), datetime.fromisoformat(end), value, low, high,
                       came.get(datetime.fromisoformat(end)))
        for start, end, value, low, high in held.values()
    ]  # fmt: skip
    return metric, tuple(sorted(points, key=lambda one: one.start))
