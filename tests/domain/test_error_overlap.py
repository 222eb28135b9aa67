"""Two versions on the same rows in a sentence: shares with intervals, and what counts as wrong."""

from __future__ import annotations

from dataclasses import replace

from mlops_dash.domain.error_overlap import KEY, overlap_sentence
from mlops_dash.domain.evidence import Evidence
from tests.factories import NOON

ONE = Evidence(
    "paired_difference", 'the "queue" v2', 'the "queue" v1', "mae", "lower_is_better", -1.0, -2.0, -0.5, 0.95, 900, 30,
    "", "", None, None, {}, "", NOON,
)  # fmt: skip
SHARES = {"both_right": [0.5, 0.45, 0.55], "only_a_wrong": [0.1, -0.01, 0.21], "only_b_wrong": [0.15, None, None],
          "both_wrong": [0.25, 0.2, 0.3]}  # fmt: skip


def test_shares_are_said_with_intervals_and_a_tolerance_in_its_unit() -> None:
    assert overlap_sentence(ONE) == ""
    told = replace(ONE, details={KEY: {"shares": SHARES, "tolerance": 4.256}})
    assert overlap_sentence(told, "min") == (
        "Both are right on 50.0 % (45.0 % to 55.0 %) of the rows, both wrong on 25.0 % (20.0 % to 30.0 %); "
        'only the "queue" v2 is wrong on 10.0 % (0.0 % to 21.0 %), only the "queue" v1 on 15.0 %. '
        "Wrong is an error beyond 4.26 min, the "
        'median of the "queue" v1.'
    )
    classes = replace(ONE, details={KEY: {"shares": SHARES, "tolerance": None}})
    assert overlap_sentence(classes).endswith("Wrong is another class than the label.")
