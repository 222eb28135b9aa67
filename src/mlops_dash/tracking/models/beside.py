"""How long a call took when a second version was asked beside the champion, and whether that one failed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mlops_dash.domain.sifting import unfit_scores
from mlops_dash.domain.tasks.task import ModelTask
from mlops_dash.errors import BrokenModel
from mlops_dash.stats.arrays import Floats


@dataclass(frozen=True)
class Beside:
    """One call of both: seconds of each; a failed one has none of its own."""

    champion_seconds: float
    challenger_seconds: float
    failed: bool = False


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
