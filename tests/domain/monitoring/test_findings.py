"""What happened to a column, by name: any pair of histograms says it or stays silent, and never calls it stable."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_dash.domain.monitoring.findings import Finding, Signal, findings_of, in_order
from mlops_dash.domain.monitoring.judging import judge_columns
from mlops_dash.domain.monitoring.readings import SCORE
from mlops_dash.domain.policies import MonitoringPolicy
from mlops_dash.domain.words import Drift
from mlops_dash.stats.arrays import ArrayLike
from mlops_dash.stats.drift import column_drift
from mlops_dash.stats.summaries import CategoryCells, Cells, NumericCells, count

POLICY = MonitoringPolicy()
N, LIVE = 4_000, 900
WAIT = np.random.default_rng(1).gamma(2.0, 8.0, N)  # minutes in a queue
QUEUE = np.random.default_rng(2).choice(["north", "south", 'the "fast" one'], N, p=[0.6, 0.3, 0.1])
NONE = np.full(N, np.nan)


def cells_of(past: ArrayLike, name: str) -> Cells:
    values = np.asarray(past)
    if values.dtype.kind == "f" and np.isnan(values).all():
        return CategoryCells.empty(name)
    return (CategoryCells if values.dtype.kind in "UO" else NumericCells).of(name, values)


def judged(past: ArrayLike, live: ArrayLike, name: str = "wait") -> tuple[Drift, dict[Signal, str]]:
    cells = cells_of(past, name)
    drift = column_drift(cells, count(cells, past), count(cells, live))
    (reading,) = judge_columns(POLICY, [drift], None)
    found = findings_of(reading, drift, usual_missing=drift.missing_reference, min_rows=POLICY.min_rows)
    return reading.verdict, {one.signal: one.sentence for one in found}


def gaps(values: np.ndarray, share: float) -> np.ndarray:
    held = values.astype(float)
    held[: int(share * len(held))] = np.nan
    return held


@pytest.mark.parametrize(
    ("past", "live", "signal", "says"),
    [
        (np.zeros(N), np.ones(LIVE), Signal.OTHER_VALUE, "100.0% other than 0, which fills the reference"),
        (NONE, WAIT[:LIVE], Signal.FILLED, "100.0% with a value; in the reference it is always empty"),
        (gaps(WAIT, 0.9995), WAIT[:LIVE], Signal.FILLED, "in the reference 0.05% have one"),
        (WAIT, np.full(LIVE, np.nan), Signal.EMPTY, "100.0% missing, 0.0% in the reference"),
        (WAIT, gaps(WAIT[:LIVE], 0.2), Signal.MISSING, "20.0% missing, at most 0.0% in the reference"),
        (QUEUE, np.where(np.arange(LIVE) % 2, "north", "west"), Signal.UNSEEN, "50.0% of values never seen"),
        (WAIT, WAIT[:LIVE] + 60.0, Signal.RANGE, "beyond the reference's range, 0.1% expected"),
        (QUEUE, np.full(LIVE, "south"), Signal.CONSTANT, "100.0% of values are south, 3"),
    ],
)
def test_what_happened_is_named_and_is_never_stable(
    past: np.ndarray, live: np.ndarray, signal: Signal, says: str
) -> None:
    verdict, found = judged(past, live)
    assert says in found[signal]
    assert verdict is not Drift.STABLE or signal is Signal.MISSING  # a gap is a finding of its own, no distance


def test_a_score_that_moves_is_prediction_drift() -> None:
    verdict, found = judged(WAIT, WAIT[:LIVE] * 2.0, SCORE)
    assert verdict is Drift.DRIFT
    assert found[Signal.PREDICTIONS].startswith("the answers moved: excess PSI ")


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**31), st.sampled_from(["wait", "queue", "flag", "none"]))
def test_rows_like_the_reference_have_no_finding(seed: int, kind: str) -> None:
    draw = np.random.default_rng(seed)
    past = {"wait": WAIT, "queue": QUEUE, "flag": np.zeros(N), "none": NONE}[kind]
    verdict, found = judged(past, past[draw.integers(0, N, LIVE)])
    assert found == {}
    assert verdict in (Drift.STABLE, Drift.NOT_COMPUTABLE)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 99))
def test_too_few_rows_say_nothing(rows: int) -> None:
    verdict, found = judged(QUEUE, np.full(rows, "never seen"))
    assert (verdict, found) == (Drift.NOT_COMPUTABLE, {})


def test_the_loudest_comes_first_and_json_names_it() -> None:
    quiet, loud = Finding(Signal.RANGE, "wait", "far"), Finding(Signal.TYPE, "queue", "numbers now")
    assert in_order([quiet, loud]) == (loud, quiet)
    assert loud.as_json() == {"signal": "type changed", "column": "queue", "sentence": "numbers now"}
