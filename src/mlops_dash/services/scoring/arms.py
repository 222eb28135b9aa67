"""Which rows does the challenger of a running A/B test answer, and with what?

Its rows are its own: the champion scores them too, as shadow, so that the champion's series has no hole and both
versions can be compared on the same rows. A challenger that fails never keeps an answer from the client.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd

from mlops_dash.domain.ab_tests.rules import to_challenger
from mlops_dash.errors import BrokenModel, InvalidInput
from mlops_dash.services.scoring.following import Live
from mlops_dash.stats.arrays import Bools, Floats
from mlops_dash.store.serving import ServedVersion

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ArmAnswers:
    """Rows that the challenger answered (bool[rows]) and its scores of those (float[rows.sum()])."""

    version: ServedVersion
    rows: Bools
    scores: Floats


def rows_of_challenger(live: Live, ids: Sequence[str], at: Sequence[datetime]) -> Bools:
    """For each row whether the challenger answers it; False everywhere without a running test."""
    test = live.tried.test
    # After a failed load an older champion may answer, which is not the control.
    if test is None or live.arm is None or live.error or live.arm.version.id != test.challenger.id:
        return np.zeros(len(ids), dtype=np.bool_)
    design = test.design
    drawn = to_challenger(ids, at, key=design.key, share=design.share, unit=design.unit, zone=design.zone)
    running = [test.starts_at <= moment < test.ends_at for moment in at]
    return np.asarray(drawn, dtype=np.bool_) & np.asarray(running, dtype=np.bool_)


def ask(live: Live, frame: pd.DataFrame, ids: Sequence[str], at: Sequence[datetime]) -> ArmAnswers | None:
    """The challenger's answers to its rows; None when it has none, or fails."""
    rows = rows_of_challenger(live, ids, at)
    if live.arm is None or not rows.any():
        return None
    try:
        return ArmAnswers(live.arm.version, rows, live.arm.model.predict_again(frame[rows]))
    except (BrokenModel, InvalidInput):
        _log.warning("a challenger did not answer", extra={"version": live.arm.version.version}, exc_info=True)
        return None
