"""What is said beside the verdict and decides nothing: a belief after this one look, and whether the effect lasts."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

from mlops_dash.domain.ab_tests.analysis import finite
from mlops_dash.domain.ab_tests.outcomes import metric_of
from mlops_dash.domain.ab_tests.readings import Belief, Lasting
from mlops_dash.domain.ab_tests.rules import Design
from mlops_dash.domain.evidence import Direction
from mlops_dash.stats.ab import Effect, difference_of_effects, expected_loss, probability_greater

LEAST_DAYS: Final = 6  # ripe ones, of both halves


def belief_in(effect: Effect, design: Design) -> Belief | None:
    """The belief in the outcome; None where there is no standard error."""
    greater = probability_greater(effect)
    if not math.isfinite(greater):
        return None
    lower = metric_of(design.outcome).direction is Direction.LOWER
    low, high = effect.interval(design.alpha)
    return Belief(
        better=1.0 - greater if lower else greater, loss=expected_loss(effect, lower_is_better=lower), low=low,
        high=high, level=1.0 - design.alpha,
    )  # fmt: skip


def lasting_of(days: int, effect: Callable[[int, int], Effect], design: Design) -> Lasting:
    """Whether the effect lasts.

    Args:
        days: Ripe ones.
        effect: Gives the effect of the days from..until (the first, and the first that is not).
        design: Of the test.
    """
    level = 1.0 - design.alpha
    if days < LEAST_DAYS:
        return Lasting(None, None, None, None, None, level, f"{days} of {LEAST_DAYS} ripe days")
    half = days // 2
    earlier, later = effect(0, half), effect(half, days)
    both = difference_of_effects(later, earlier)
    low, high = both.interval(design.alpha)
    reason = "" if both.computable else both.reason or "an arm of one half says too little"
    return Lasting(
        finite(earlier.difference), finite(later.difference), finite(both.difference), finite(low), finite(high), level,
        reason,
    )  # fmt: skip
