"""Which rows does the challenger of a running A/B test, or the version that is rolled out, answer, and with what?

Its rows are its own: the champion scores them too, as shadow, so that the champion's series has no hole and both
versions can be compared on the same rows. A challenger that fails never keeps an answer from the client.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd

from mlops_dash.domain.ab_tests.assigning import ENTITY, draw, to_challenger
from mlops_dash.domain.events import unit_name
from mlops_dash.errors import BrokenModel, InvalidInput
from mlops_dash.services.scoring.following import Live
from mlops_dash.services.scoring.pulses import Pulses
from mlops_dash.stats.arrays import Bools, Floats
from mlops_dash.store.serving import ServedVersion
from mlops_dash.tracking.models.beside import Beside, champion_seconds, require_answers

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ArmAnswers:
    """Rows that the challenger answered (bool[rows]) and its scores of those (float[rows.sum()])."""

    version: ServedVersion
    rows: Bools
    scores: Floats


@dataclass(frozen=True)
class Timing:
    """How long the champion took for all rows of a call (s), and what counts the calls of a roll-out."""

    seconds: float
    pulses: Pulses


def entity_of(live: Live) -> str:
    """The column whose values are the units of the running test; "" where it draws by something else, or none runs."""
    test = live.tried.test
    return test.design.entity if test is not None and test.design.unit == ENTITY else ""


def units_of(live: Live, frame: pd.DataFrame, said: str = "") -> tuple[str, ...]:
    """The unit of each row: what the request says, else its column; "" where there is none, () where nobody asks.

    Args:
        live: What answers.
        frame: The rows as they came, also with columns that are no inputs.
        said: Of all rows, by the header X-Prediction-Unit.
    """
    column = entity_of(live)
    if not column:
        return ()
    if said:
        return (unit_name(said),) * len(frame)
    values: Iterable[object] = frame[column].tolist() if column in frame else (None,) * len(frame)
    return tuple(unit_name(one) for one in values)


def keys_of(live: Live, units: Sequence[str]) -> dict[str, str]:
    """What the log keeps of each unit instead of its name."""
    test = live.tried.test
    return {} if test is None else {one: test.design.kept(one) for one in set(units)}


def rows_of_challenger(
    live: Live, ids: Sequence[str], at: Sequence[datetime], units: Sequence[str] = ()
) -> Bools:  # fmt: skip
    """For each row whether the challenger answers it; False everywhere without a running test or roll-out.

    `units` are from `units_of`; without one a row of a test by units is the champion's.
    """
    test, rollout, beside = live.tried.test, live.tried.rollout, live.tried.beside
    # After a failed load an older champion may answer, which is not the control.
    if beside is None or live.arm is None or live.error or live.arm.version.id != beside.id:
        return np.zeros(len(ids), dtype=np.bool_)
    if rollout is not None:
        return np.asarray([draw(rollout.key, one) < rollout.share for one in ids], dtype=np.bool_)
    assert test is not None  # `beside` is the one or the other
    design = test.design
    units = [one if one and design.draws(one) else "" for one in units] if design.layer is not None else units
    shares = [design.share_after(moment - test.starts_at) for moment in at]
    drawn = np.zeros(len(ids), dtype=np.bool_)
    for share in set(shares):
        of_share = to_challenger(
            ids, at, key=design.key, share=share, unit=design.unit, zone=design.zone, units=units or ("",) * len(ids)
        )
        drawn |= np.asarray(of_share, dtype=np.bool_) & (np.asarray(shares) == share)
    running = [test.starts_at <= moment < test.ends_at for moment in at]
    return drawn & np.asarray(running, dtype=np.bool_)


def ask(
    live: Live, frame: pd.DataFrame, ids: Sequence[str], at: Sequence[datetime], units: Sequence[str], scores: Floats,
    timing: Timing,
) -> ArmAnswers | None:  # fmt: skip
    """The challenger's answers to its rows; None when it has none, or fails; `scores` are the champion's of all."""
    rows = rows_of_challenger(live, ids, at, units)
    if live.arm is None or not rows.any():
        return None
    begun = time.perf_counter()
    try:
        own = live.arm.model.predict_again(frame[rows])
        took = time.perf_counter() - begun
        require_answers(live.tried.predicts, own, np.asarray(scores, dtype=np.float64)[rows])
    except (BrokenModel, InvalidInput):
        _log.warning("a challenger did not answer", extra={"version": live.arm.version.version}, exc_info=True)
        timing.pulses.note(live, Beside(None, time.perf_counter() - begun, failed=True))
        return None
    usual = champion_seconds(
        timing.seconds, rows, lambda n, mine: timing.pulses.again(live, n, mine),
        lambda: live.champion.model.predict_again(frame[rows]),
    )  # fmt: skip
    timing.pulses.note(live, Beside(usual, took))
    return ArmAnswers(live.arm.version, rows, own)
