"""What "better" means for each direction of a metric: which value, which order, which words.

Every table here knows every member of `Direction`; nobody else asks which member one is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from mlops_dash.domain.evidence import Direction
from mlops_dash.domain.experiments.frame import Floats

WORDS: Final[Mapping[Direction, str]] = {
    Direction.HIGHER: "higher is better",
    Direction.LOWER: "lower is better",
    Direction.ZERO: "nearer to 0 is better",
}
SIGNS: Final[Mapping[Direction, str]] = {Direction.HIGHER: "↑", Direction.LOWER: "↓", Direction.ZERO: "→0"}
BEST: Final[Mapping[Direction, str]] = {
    Direction.HIGHER: "highest",
    Direction.LOWER: "lowest",
    Direction.ZERO: "nearest 0",
}
EXTREMES: Final[Mapping[Direction, str]] = {  # which column of a history's extremes is the best value
    Direction.HIGHER: "high",
    Direction.LOWER: "low",
    Direction.ZERO: "near",
}
KEYS: Final[Mapping[Direction, str]] = {Direction.HIGHER: "up", Direction.LOWER: "down", Direction.ZERO: "zero"}


def merit(values: Floats, direction: Direction) -> Floats:
    """The values as numbers of which the larger are the better; NaN stays.

    >>> merit(np.array([-2.0, 1.0]), Direction.ZERO)
    array([-2., -1.])
    """
    made = {Direction.HIGHER: values, Direction.LOWER: -values, Direction.ZERO: -np.abs(values)}
    return made[direction]


def best(values: Floats, direction: Direction) -> int | None:
    """Where the best finite value stands, the first of equal ones; None when no value is finite.

    >>> best(np.array([0.5, np.nan, -0.25]), Direction.ZERO)
    2
    """
    finite = np.isfinite(values)
    return int(np.argmax(np.where(finite, merit(values, direction), -np.inf))) if finite.any() else None


def sorted_by(values: Floats, direction: Direction | None) -> Floats:
    """What a table sorts by: the values, or their distances from 0 where that is what counts."""
    return np.abs(values) if direction is Direction.ZERO else values


def descends(direction: Direction | None) -> bool:
    """Whether the best come first in descending order of `sorted_by`."""
    return direction is Direction.HIGHER


def gain(value: float, base: float, direction: Direction) -> float:
    """By how much a value is better than another; negative when it is worse.

    >>> gain(-0.5, 2.0, Direction.ZERO), gain(0.2, 0.5, Direction.HIGHER) < 0
    (1.5, True)
    """
    found = merit(np.array([value, base]), direction)
    return float(found[0] - found[1])


def difference_is_good(value: float, a: float, b: float, direction: Direction) -> bool | None:
    """Whether a difference A minus B that is beyond chance makes A the better; None when that does not follow.

    On both sides of 0 the difference says nothing of which one is nearer.
    """
    if direction is not Direction.ZERO:
        return gain(value, 0.0, direction) > 0
    return abs(a) < abs(b) if a * b > 0 else None
