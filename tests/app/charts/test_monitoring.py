"""One column in words: a sentence first, every score beside its chart, static limits folded away."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from app.charts.monitoring import columns
from mlops_dash.domain.monitoring.readings import FeatureReading
from mlops_dash.domain.monitoring.room import FeatureDetail
from mlops_dash.domain.words import Drift
from mlops_dash.stats.drift import column_drift
from mlops_dash.stats.summaries import NumericCells, count

DRAW = np.random.default_rng(4)
CELLS = NumericCells.of("minutes", DRAW.gamma(2.0, 8.0, 3_000))
SCORE = column_drift(CELLS, count(CELLS, DRAW.gamma(2.0, 8.0, 3_000)), count(CELLS, DRAW.gamma(2.0, 20.0, 900)))
READING = FeatureReading(
    "minutes", "numeric", Drift.WATCH, 8.47, 8.4, 7.9, 9.0, 1.41, 6.0, 0.0001, 0.0, 0.0, None, 0.31, 900
)
DETAIL = FeatureDetail(READING, ("a", "b"), (0.5, 0.5), (0.1, 0.9), 3_000, 900, score=SCORE, times_limit=4.0)


def test_the_verdict_is_said_by_the_swing_that_decides_it() -> None:
    assert columns.sentence(DETAIL) == "Watch: 6.0 times its usual swing; limit 4.0."
    held = replace(READING, verdict=Drift.STABLE, excess=0.9, ratio=1.2)
    assert columns.sentence(replace(DETAIL, reading=held)) == "Stable: 1.2 times its usual swing; limit 4.0."


def test_without_a_swing_the_reason_is_said_and_what_cannot_be_computed_is_not_stable() -> None:
    unknown = replace(DETAIL, reading=replace(READING, ratio=None, reason="usual swing unknown"), times_limit=math.inf)
    assert columns.sentence(unknown) == "Watch: usual swing unknown."
    gone = replace(READING, verdict=Drift.NOT_COMPUTABLE, psi=None, reason="the window holds no value")
    assert columns.sentence(replace(DETAIL, reading=gone)).endswith(": the window holds no value.")
    assert "Stable" not in columns.sentence(replace(DETAIL, reading=gone))


def test_every_score_stands_beside_the_chart_and_no_limit_does() -> None:
    said = columns.facts(DETAIL)
    assert said["PSI, 95 %"] == "8.47 [7.90, 9.00]"
    assert said["Beyond chance (excess)"] == "8.40"
    assert said["Jensen-Shannon distance"] == f"{SCORE.js:.3f}"
    assert said["Kolmogorov-Smirnov distance"] == f"{SCORE.ks:.3f}"
    assert said["Wasserstein / (p95 - p5)"] == f"{SCORE.wasserstein:.3f}"
    assert said["q-value"] == "< 0.001"
    assert said["Out of range"] == "31.0 %, 0.1 % expected"
    assert not any("watch from" in one for one in said.values())
