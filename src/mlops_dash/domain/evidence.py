"""The one evidence object: a number with interval, sample size, method, bound and source, computed once and carried.

Comparison, gate, A/B test, approval, ledger and report all store evidence *ids*; the row never changes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from mlops_dash.ids import digest

DAYS = "days"  # what clusters are unless `details` says another word under "clusters"
ROWS = "rows"  # clusters of one row each


def sample_words(n: int, n_clusters: int | None, clusters: str = DAYS) -> str:
    """How much was measured, and in how many independent parts.

    >>> sample_words(27004, 1031), sample_words(2400, 2400, "rows"), sample_words(90, None)
    ('27,004 rows on 1,031 days', '2,400 rows', '90 rows')
    """
    rows = f"{n:,} row{'' if n == 1 else 's'}"
    if n_clusters is None or clusters == ROWS:
        return rows
    return f"{rows} {'on' if clusters == DAYS else 'in'} {n_clusters:,} {clusters}"


class Direction(StrEnum):
    """Which way is better."""

    HIGHER = "higher_is_better"
    LOWER = "lower_is_better"
    ZERO = "nearer_to_zero_is_better"


@dataclass(frozen=True)
class Evidence:
    """An immutable measured fact.

    `subject` and `comparator` look like "flight-delay v3"; `state` is "ok" or "not_computable" (then `reason` says
    why and value, low, high are None). `window` is half-open [start, end). `digests` name the inputs (rows, labels,
    model artifact). `id` is the sha256 of everything else, so equal facts are one row.
    """

    kind: str  # "metric" | "paired_difference" | "check" | "drift" | "harm"
    subject: str
    comparator: str
    metric: str
    direction: str
    value: float | None
    low: float | None
    high: float | None
    level: float
    n: int
    n_clusters: int | None
    method: str
    bound: str  # what could break it: "days resampled; labels ripe 14 days"
    window_start: datetime | None
    window_end: datetime | None
    digests: Mapping[str, str]
    code_version: str
    computed_at: datetime
    state: str = "ok"
    reason: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse numbers that cannot be written down."""
        for name in ("value", "low", "high"):
            number = getattr(self, name)
            if number is not None and not math.isfinite(number):
                raise ValueError(f"evidence {name} is {number}; say None, state not_computable and a reason")

    @property
    def clusters(self) -> str:
        """What its clusters are: days, groups, or the rows themselves."""
        return str(self.details.get("clusters", DAYS))

    def as_json(self) -> dict[str, Any]:
        """Everything as JSON-able values, times as ISO 8601."""
        out: dict[str, Any] = dict(vars(self))
        for name in ("window_start", "window_end", "computed_at"):
            out[name] = out[name].isoformat() if out[name] is not None else None
        out["digests"], out["details"] = dict(self.digests), dict(self.details)
        return out

    @property
    def id(self) -> str:
        """sha256 of the canonical JSON."""
        return digest(self.as_json())

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Evidence:
        """What `as_json` wrote."""
        values = dict(body)
        for name in ("window_start", "window_end", "computed_at"):
            values[name] = datetime.fromisoformat(values[name]) if values[name] is not None else None
        return cls(**values)
