"""What is said of gaps between groups: apart only when sure and large, few rows never in silence."""

from __future__ import annotations

from dataclasses import replace

from mlops_dash.domain.monitoring.fairness import NO_GROUPS, Fairness, Gap, GapState, Was, fairness_of, widest_first

MADE = Gap("age", "absolute error", False, "age up to 30", 'age is "old"', 300, 900, 9.0, 5.0, 4.0, 3.0, 5.0, 0.001)


def judged(one: Gap) -> GapState:
    return one.judged(alpha=0.05, tolerance=0.5, floor=100).state


def test_a_gap_is_apart_only_when_that_is_sure_and_beyond_the_tolerance() -> None:
    assert judged(MADE) is judged(replace(MADE, gap=-4.0)) is GapState.APART
    assert judged(replace(MADE, q=0.2)) is judged(replace(MADE, gap=0.4)) is GapState.ALIKE
    few = replace(MADE, n_base=7).judged(alpha=0.05, tolerance=0.5, floor=100)
    assert (few.state, few.reason) == (GapState.FEW, '7 rows of age is "old" count, 100 are needed')


def test_it_is_read_back_and_said_in_the_unit_or_as_a_share() -> None:
    one = replace(MADE, state=GapState.APART, before=(Was("2026-01-01", "2026-01-29", 1.0, None, None, 200),))
    assert Gap.of(one.as_json()) == one
    share = replace(one, measure="share answered with yes", is_share=True, gap=0.2, low=0.19, high=0.21)
    few = replace(one, state=GapState.FEW, gap=None)
    found = Fairness("min", widest_first([few, one, share]), 1_200, "28 days", reason="")
    assert found.gaps == (share, one, few)  # the surest first
    assert found.sentence.startswith("Widest: share answered with yes of age up to 30 9.000, of ")
    assert replace(found, gaps=(one,)).sentence == (
        'Widest: absolute error of age up to 30 9.00 min, of age is "old" 5.00 min: 4.00 min apart '
        "(3.00 min to 5.00 min; 300 and 900 rows)."
    )
    assert fairness_of([], "r", groups=()).reason == NO_GROUPS
