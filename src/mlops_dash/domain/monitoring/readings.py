"""What a judged window holds: estimates, one reading a column, and the window itself, as stored and as drawn."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from mlops_dash.domain.cadence import plural_of
from mlops_dash.domain.words import Drift, Health
from mlops_dash.stats.performance import MetricEstimate

COST = "cost_more_a_week"  # of wrong answers, in money; an estimate among those of the longest stretch
SCORE = "(score)"  # the model's answer as a column of its own; no feature may have this name


@dataclass(frozen=True)
class Estimate:
    """A metric with its interval, as a page and a JSON can hold it: None instead of NaN, and a reason."""

    value: float | None
    low: float | None
    high: float | None
    n: int
    n_days: int
    method: str = ""
    reason: str = ""

    @classmethod
    def of(cls, measured: MetricEstimate) -> Estimate:
        """From what `stats` measured."""
        return cls(
            known(measured.value),
            known(measured.low),
            known(measured.high),
            measured.n,
            measured.n_clusters,
            measured.method,
            measured.reason,
        )


@dataclass(frozen=True)
class FeatureReading:
    """One column in one window: how far it moved, how unusual that is, and what the policy calls it."""

    name: str
    kind: str
    verdict: Drift
    psi: float | None
    excess: float | None
    low: float | None  # interval of the true PSI
    high: float | None
    usual: float | None  # mean PSI of the reference's own windows
    ratio: float | None  # psi / usual
    q: float | None
    missing_reference: float | None
    missing: float | None
    unseen: float | None
    out_of_range: float | None
    n: int
    reason: str = ""

    @property
    def flagged(self) -> bool:
        """Whether the policy calls this moved."""
        return self.verdict in {Drift.WATCH, Drift.DRIFT}


@dataclass(frozen=True)
class Reading:
    """One judged window of one version; a late label makes a new revision.

    `body` holds what the page draws: `features` (rows of `FeatureReading`), `metrics` by trailing days, `harm`,
    `moved`, `broken`, `odd`, `why`, and the keys that say what it was computed from.
    """

    model: str
    version: str
    version_id: str
    start: datetime
    end: datetime
    n: int
    n_labelled: int
    ripe: bool
    drift: Drift
    health: Health
    body: Mapping[str, Any]
    revision: int = 1
    kind: str = "day"  # what it is one of; "batch:NAME" of the batch of that name, of N rows "window of N rows:PLACE"

    @property
    def batch(self) -> str:
        """The name of the batch, or the place of a window of N rows; "" of other windows."""
        return self.kind.partition(":")[2]

    @property
    def coverage(self) -> float | None:
        """Share of rows with a label; None without rows."""
        return self.n_labelled / self.n if self.n else None

    def features(self) -> tuple[FeatureReading, ...]:
        """The columns of this window."""
        return tuple(feature_from_row(row) for row in self.body["features"])

    def estimate(self, metric: str, days: int) -> Estimate | None:
        """A metric over the trailing `days`; None when the window is not ripe."""
        row = self.body["metrics"].get(str(days), {}).get(metric)
        if row is None:
            return None
        found, window = estimate_from_row(row, days), str(self.body.get("window", "day"))
        method = found.method
        if window != "day":
            method = f"ripe {plural_of(window)}, jackknife over {plural_of(self.body.get('cluster', window))}"
        if metric == COST:  # the labels' shares alone must cost nothing
            method += str(self.body.get("cost_shares", ""))
        return replace(found, method=method)


def feature_to_row(reading: FeatureReading) -> list[Any]:
    """A column's reading as a flat list: a year of them must be small and quick to read."""
    return [str(value) if isinstance(value, Drift) else value for value in vars(reading).values()]


def feature_from_row(row: Sequence[Any]) -> FeatureReading:
    """Read what `feature_to_row` wrote."""
    name, kind, verdict, *rest = row
    return FeatureReading(name, kind, Drift(verdict), *rest)


def estimate_to_row(estimate: Estimate) -> list[Any]:
    """Value, low, high, rows, days and the reason, without the method (it follows from the days)."""
    return [estimate.value, estimate.low, estimate.high, estimate.n, estimate.n_days, estimate.reason]


def estimate_from_row(row: Sequence[Any], days: int) -> Estimate:
    """Read what `estimate_to_row` wrote."""
    value, low, high, n, n_days, reason = row
    return Estimate(value, low, high, n, n_days, f"last {days} ripe days, jackknife over days", reason)


def known(value: float | None) -> float | None:
    """The value with 7 significant digits, None for NaN and infinity: what JSON can hold."""
    if value is None or not math.isfinite(value):
        return None
    return float(f"{value:.7g}")


def words_of(names: Sequence[str], *, most: int = 3) -> str:
    """Names as people list them.

    >>> words_of(["temp", "dewp", "dest", "hour"])
    'temp, dewp, dest and 1 more'
    """
    shown = ["the score" if name == SCORE else name for name in names[:most]]
    more = len(names) - len(shown)
    if more:
        return f"{', '.join(shown)} and {more} more"
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}" if shown else "nothing"


def unjudged(readings: Sequence[FeatureReading]) -> str:
    """How many columns of a window could not be judged, and which; "" when all could.

    >>> unjudged(())
    'no column could be judged'
    """
    names = [one.name for one in readings if one.verdict is Drift.NOT_COMPUTABLE]
    if len(names) == len(readings):
        return _NONE_JUDGED
    return f"{len(names)} of {len(readings)} columns could not be judged ({words_of(names)})" if names else ""


def inputs_said(unjudged: str, calm: str) -> str:
    """How inputs stand of which none moved; what could not be judged at all is not called stable.

    >>> inputs_said(unjudged(()), ""), inputs_said("", "within their usual swing")
    ('inputs not known: no column could be judged', 'inputs within their usual swing')
    """
    if unjudged == _NONE_JUDGED:
        return f"inputs not known: {unjudged}"
    return f"inputs stable as far as computable: {unjudged}" if unjudged else f"inputs {calm}"


_NONE_JUDGED = "no column could be judged"
