"""What answers were worth, as pages draw it: which class was taken for which, and whether scores came true."""

from __future__ import annotations

from dataclasses import dataclass

from mlops_dash.domain.monitoring.readings import Estimate


@dataclass(frozen=True)
class Confusion:
    """How often each class was taken for which.

    Attributes:
        words: The classes, in the order of rows and columns.
        counts: Rows by true class and answer.
    """

    words: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class ScoreBand:
    """Rows whose scores lie between two borders, and how often label 1 came.

    Attributes:
        low: Lower border of the scores, in [0, 1].
        high: Upper border.
        share: Of rows with label 1; its interval holds for all bands together.
        side: 1 where label 1 surely came more often than any score of the band says, -1 more rarely, else 0.
    """

    low: float
    high: float
    share: Estimate
    side: int


@dataclass(frozen=True)
class Reliability:
    """What scores were worth over some days: each band of scores beside what came, and how well classes are told apart.

    Attributes:
        bands: Ascending.
        gini: 2 AUC - 1.
        ks: Largest distance between the score distributions of both classes (Kolmogorov-Smirnov).
    """

    bands: tuple[ScoreBand, ...]
    gini: Estimate
    ks: Estimate
