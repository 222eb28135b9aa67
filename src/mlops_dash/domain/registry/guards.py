"""What stops a roll-out by itself: calls that fail, answers that take longer, a loss that rises. Three answers each."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mlops_dash.domain.format import percent, plural
from mlops_dash.domain.policies import MOST_FAILED, MOST_TIMES
from mlops_dash.domain.registry.rollouts import ERRORS, LOSS, TIME, Guard
from mlops_dash.domain.words import GateState
from mlops_dash.stats.arrays import ArrayLike
from mlops_dash.stats.rollouts import LossRise, exact, loss_rise, quantile_of_cells

LEVEL = 0.999  # of errors and times: they are looked at every few seconds
ALPHA = 0.01  # of the loss, over all looks together
SLOWEST = 0.95  # the quantile of times that is compared
QUICK_SECONDS = 0.01  # answers within it are never too slow


@dataclass(frozen=True)
class Calls:
    """What gateways counted of calls in which the new version was asked."""

    asked: int = 0
    failed: int = 0  # the champion answered those rows
    new: Mapping[int, int] = field(default_factory=dict)  # times of the new version by cell
    old: Mapping[int, int] = field(default_factory=dict)  # of the champion, for the same rows


def errors_guard(calls: Calls, *, loads: bool, why_not_loaded: str = "", most: float = MOST_FAILED) -> Guard:
    """Whether the new version fails in more calls than is allowed, `most` of them; one that does not load fails."""
    method = f"Clopper-Pearson interval of {percent(LEVEL)}; one call is one unit"
    if not loads:
        sentence = f"It does not load: {why_not_loaded}"
        return Guard(ERRORS, GateState.FAILED, None, None, None, most, calls.asked, "calls", method, sentence)
    if not calls.asked:
        said = "No call has been counted yet."
        return Guard(ERRORS, GateState.WAITING, None, None, None, most, 0, "calls", method, said)
    low, high = exact(calls.failed, calls.asked, level=LEVEL)
    state = _state(low, high, most)
    took_over = "; the champion answered them" if calls.failed else ""
    said = f"{calls.failed:,} of {calls.asked:,} calls failed{took_over}."
    return Guard(ERRORS, state, calls.failed / calls.asked, low, high, most, calls.asked, "calls", method, said)


def time_guard(calls: Calls, *, most: float = MOST_TIMES) -> Guard:
    """Whether its slow answers (19 of 20 are faster) take more than `most` times the champion's for the same rows."""
    ranks = f"intervals of {percent(LEVEL)} by ranks, times kept to the next 25 %"
    method = f"95th percentile of times for the same rows, {ranks}"
    n = sum(calls.new.values())
    new, old = (quantile_of_cells(one, SLOWEST, level=LEVEL) for one in (calls.new, calls.old))
    if not n or math.isnan(old[0]):
        said = "No call has been timed yet in which both answered the same rows."
        return Guard(TIME, GateState.WAITING, None, None, None, most, 0, "calls", method, said)
    value = new[0] / old[0]
    low = new[1] / old[2] if math.isfinite(old[2]) else 0.0
    high = new[2] / old[1] if old[1] > 0 else math.inf
    state = GateState.PASSED if new[2] <= QUICK_SECONDS else _state(low, high, most)
    if state is GateState.FAILED and new[1] <= QUICK_SECONDS:
        state = GateState.CANNOT_TELL
    said = f"19 of 20 answers within {_ms(new[0])}, the champion's within {_ms(old[0])}."
    end = high if math.isfinite(high) else None
    return Guard(TIME, state, value, low, end, most, n, "calls", method, said)


def loss_guard(
    new: ArrayLike, old: ArrayLike, days: Sequence[str], *, loss: str, margin: float, label_hours: float
) -> Guard:
    """Whether its loss on ripe rows, which both answered, is above the champion's by more than the harm tolerance.

    Args:
        new: Its loss of each ripe row.
        old: The champion's.
        days: The day of each.
        loss: What it is called in a sentence.
        margin: The harm tolerance of the monitoring policy, as a share.
        label_hours: How old a row must be to be ripe.
    """
    found: LossRise = loss_rise(new, old, days, margin=margin, alpha=ALPHA)
    by = "rows taken as independent, fewer than 5 days" if found.n_clusters is None else f"{found.n_clusters} days"
    margin = 0.0 if found.absolute else margin
    left_out = f" {plural(found.left_out, 'row')} without a finite loss left out." if found.left_out else ""
    method = f"{loss} on the same rows, always-valid one-sided bounds at {percent(ALPHA, 0)}; {by}"
    if math.isnan(found.low):
        ripe = "every labelled row" if label_hours <= 0 else f"rows older than {label_hours:g} h"
        said = f"Not told yet: {found.reason} ({ripe} count).{left_out}"
        return Guard(LOSS, GateState.WAITING, _finite(found.value), None, None, margin, found.n, "rows", method, said)
    state = _state(found.low, found.high, margin)
    if state is GateState.PASSED and found.n_clusters is None:
        state = GateState.CANNOT_TELL  # rows of one day are alike: harm is believed on them, its absence is not
    way = "above" if found.value >= 0 else "below"
    said = f"Its {loss} is {percent(abs(found.value))} {way} the champion's on {found.n:,} ripe rows.{left_out}"
    if found.absolute:
        said = f"Its {loss} is {found.value:.3g} on {found.n:,} ripe rows, where the champion's is 0.{left_out}"
    return Guard(LOSS, state, found.value, found.low, found.high, margin, found.n, "rows", method, said)


def _state(low: float, high: float, limit: float) -> GateState:
    if low > limit:
        return GateState.FAILED
    return GateState.PASSED if high <= limit else GateState.CANNOT_TELL


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms" if seconds < 1 else f"{seconds:.1f} s"
