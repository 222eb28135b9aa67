"""How long a call took when a second version was asked beside the champion, and whether that one failed."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mlops_dash.domain.sifting import unfit_scores
from mlops_dash.domain.tasks.task import ModelTask
from mlops_dash.errors import BrokenModel
from mlops_dash.stats.arrays import Bools, Floats


@dataclass(frozen=True)
class Beside:
    """One call of both: seconds of each for the very same rows; a failed one has none of its own."""

    champion_seconds: float | None  # None = it was not asked for these rows alone, so no times can be compared
    challenger_seconds: float
    failed: bool = False


Again = Callable[[int, int], bool]  # rows of a call, and how many the second version answered -> ask the champion again


def never(_rows: int, _own: int) -> bool:
    """Nobody compares times."""
    return False


def champion_seconds(seconds: float, rows: Bools, again: Again, ask: Callable[[], object]) -> float | None:
    """How long the champion takes for the rows that the second version answered; None when it is not asked for that.

    Args:
        seconds: What it took for all rows of the call.
        rows: Which of them the second version answered, bool[rows].
        again: Whether this call is one of those in which it is asked once more.
        ask: Asks the champion those rows alone.
    """
    if rows.all():
        return seconds
    if not again(len(rows), int(rows.sum())):
        return None
    begun = time.perf_counter()
    try:
        ask()
    except Exception:  # noqa: BLE001 - foreign code; the client has the answer to all rows already
        return None
    return time.perf_counter() - begun


def require_answers(task: ModelTask | None, own: Floats, champion: Floats | None) -> None:
    """Refuse answers that are none, such as NaN or a word that is no class, unless the champion's are none either.

    Args:
        task: What the model predicts; None asks nothing.
        own: Scores of the second version, float[rows] or the probabilities of all classes, float[rows, k].
        champion: The champion's of the same rows; None when not known.

    Raises:
        BrokenModel: a row has no answer, and the champion has one for it.
    """
    if task is None:
        return
    bad = {one.row: one for one in unfit_scores(np.asarray(own, dtype=np.float64), task=task)}
    if bad and champion is not None:
        both = {one.row for one in unfit_scores(np.asarray(champion, dtype=np.float64), task=task)}
        bad = {row: one for row, one in bad.items() if row not in both}
    if bad:
        first = next(iter(bad.values()))
        raise BrokenModel(f"{len(bad)} answers of the new version are none: {first.reason}.")
