"""Marks of the Registry page are placed from the numbers that are printed, and foreign text stays text."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.charts import registry as charts
from app.charts import timeline
from app.ui.theme import tokens
from mlops_dash.domain.audit import Action
from mlops_dash.domain.policies import PromotionPolicy
from mlops_dash.domain.registry.check_gate import NUMBER, YES_OR_NO
from mlops_dash.domain.registry.gates import Gate, Measure, judge
from mlops_dash.domain.words import GateState
from tests.app.charts.test_audit import entry
from tests.domain.registry.test_gates import ALL_GOOD, CHAMPION, difference
from tests.factories import NOON

MEASURE = Measure(
    "Brier score, candidate − champion",
    "brier",
    GateState.PASSED,
    value=-0.002,
    low=-0.004,
    high=0.0,
    limit=0.002,
    relation="<",
    difference=True,
    n=27_004,
    n_clusters=31,
)


def test_interval_value_and_limit_lie_on_the_track_in_their_order() -> None:
    bar = charts.bar(MEASURE)
    assert bar is not None
    assert 0 < bar.low < bar.value < bar.high < bar.limit < 100
    assert bar.value == pytest.approx((bar.low + bar.high) / 2, abs=0.01)


def test_a_limit_inside_the_interval_is_drawn_inside() -> None:
    bar = charts.bar(replace(MEASURE, limit=-0.003))
    assert bar is not None
    assert bar.low < bar.limit < bar.value


def test_an_interval_of_no_width_can_be_drawn() -> None:
    bar = charts.bar(replace(MEASURE, value=0.0, low=0.0, high=0.0, limit=0.0))
    assert bar is not None
    assert bar.low == bar.high == bar.limit == 50


@pytest.mark.parametrize("gone", ["value", "low", "high", "limit"])
def test_without_a_number_nothing_is_drawn(gone: str) -> None:
    assert charts.bar(replace(MEASURE, **{gone: None})) is None  # type: ignore[arg-type]


def test_the_printed_numbers_have_signs_limits_and_sizes() -> None:
    text = "−0.002 [−0.004, 0.000], limit < +0.002, 27,004 rows on 31 days"
    assert charts.measure_text(MEASURE) == text
    floor = replace(MEASURE, metric="auc", value=0.72, low=0.7, high=0.74, limit=0.6, relation="≥", difference=False)
    assert charts.measure_text(floor).startswith("0.720 [0.700, 0.740], limit ≥ 0.600")
    assert charts.measure_text(replace(MEASURE, value=None, low=None, n=0)) == "limit < +0.002"


def test_right_of_the_line_the_candidate_is_better_whichever_way_the_metric_runs() -> None:
    rows = charts.branches(
        [
            difference("auc", 0.01, 0.04),
            difference("brier", -0.004, -0.001),
            difference("log_loss", 0.01, 0.02),
            difference("base_rate_free_loss", -0.01, 0.02),
        ]
    )
    assert [one.verdict for one in rows] == ["better", "better", "worse", "unclear"]
    assert all(-1 <= one.low <= one.value <= one.high <= 1 for one in rows)
    fig = charts.forest(rows, tokens("light"), candidate="v2", champion="v1")
    assert [trace.marker.symbol for trace in fig.data if trace.mode == "markers"] == [
        "diamond",
        "diamond",
        "triangle-left",
        "circle-open",
    ]
    assert "ROC AUC better (+0.025 [+0.010, +0.040])" in charts.forest_alt(rows, candidate="v2", champion="v1")


def test_numbers_of_a_regression_carry_the_unit_of_its_labels_in_gates_forest_and_table() -> None:
    mae = replace(MEASURE, label="MAE, candidate − champion", metric="mae", value=-4.839, low=-5.29, high=-4.388)
    text = "−4.84 min [−5.29, −4.39], limit < +0.25 min, 27,004 rows on 31 days"
    assert charts.measure_text(replace(mae, limit=0.25), "min") == text
    evil = charts.gate_html(Gate("primary metric", GateState.PASSED, (mae,), ""), tokens("light"), "<b>")
    assert "−4.84 &lt;b&gt; [" in evil
    assert "<b> [" not in evil
    found = [difference("mae", -5.29, -4.388), difference("auc", 0.01, 0.04)]
    rows = charts.branches(found, "min")
    assert [(one.text, one.end) for one in rows] == [
        ("−4.84 min [−5.29, −4.39]", "5.29 min"),
        ("+0.025 [+0.010, +0.040]", "0.040"),
    ]
    fig = charts.forest(rows, tokens("light"), candidate="v2", champion="v1")
    assert [one.text for one in fig.layout.annotations] == ["5.29 min", "5.29 min", "0.040", "0.040"]
    table = charts.forest_table(found, candidate="v2", champion="v1", label_unit="min")
    assert list(table["Metric"]) == ["MAE (min)", "ROC AUC"]
    assert list(table["Difference"]) == ["−4.84", "+0.025"]


def test_a_check_of_a_recipe_says_its_state_number_limit_sample_and_time() -> None:
    fast = Measure("fast <b>", NUMBER, GateState.FAILED, value=61.0, limit=50.0, relation="≤", unit="ms", n=200,
                   method="latency check", measured_at="2026-03-01T11:30:00+00:00")  # fmt: skip
    code = Measure("code", YES_OR_NO, GateState.NOT_COMPUTABLE, reason="Not run: no rows.")
    html = charts.gate_html(
        Gate("recipe checks", GateState.FAILED, (fast, code), "fast: beyond"), tokens("light"), zone="Europe/Berlin"
    )
    assert "Failed: 61 ms, limit ≤ 50 ms, n 200, " in html
    assert "12:30" in html, "on the clock of the model's zone"
    assert "fast &lt;b&gt;" in html
    assert "Not computable. Not run: no rows." in html.partition("code")[2]


def test_a_comparison_without_numbers_has_no_branch() -> None:
    gone = replace(difference("auc", 0, 1), value=None, low=None, high=None, state="not_computable", reason="few")
    assert charts.branches([gone]) == ()
    assert list(charts.forest_table([gone], candidate="v2", champion="v1")["Note"]) == ["few"]


def test_what_people_wrote_is_never_markup() -> None:
    evil = difference("base_rate_free_loss", 0, 1, state="not_computable", reason="<script>alert(1)</script>")
    evidence = [*ALL_GOOD[1:], replace(evil, value=None, low=None, high=None)]
    gate = judge(PromotionPolicy(), evidence, NOON, champion=CHAMPION)[0]
    assert "<script>" not in charts.gate_html(gate, tokens("dark"))


def test_a_promotion_by_overrides_says_so_in_the_timeline() -> None:
    after = {"champion": "v3", "overridden": ["input example", "primary metric"]}
    made = replace(
        entry({"champion": "v2"}, after), action=Action.PROMOTION_FINISHED, object="""it's the "fast" one v3"""
    )
    assert timeline.story(made) == "v3 became champion after v2, 2 gates overridden"
    one = replace(made, after={**after, "overridden": ["primary metric"]})
    assert timeline.story(one) == "v3 became champion after v2, 1 gate overridden"
    assert timeline.story(replace(made, after={"champion": "v3"})) == "v3 became champion after v2"
