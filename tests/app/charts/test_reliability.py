"""What the reliability card says of scores: sure findings, none, and too little to tell."""

from __future__ import annotations

import pytest

from app.charts.monitoring import reliability
from app.ui.theme import tokens
from mlops_dash.domain import format as fmt
from mlops_dash.domain.monitoring.readings import Estimate
from mlops_dash.domain.tasks.worth import Reliability, ScoreBand

APART = Estimate(0.41, 0.38, 0.44, 900, 30)
FEW = Estimate(0.2, None, None, 90, 3, reason="not computable: 3 days, at least 5 needed")


def band(low: float, high: float, value: float, side: int = 0) -> ScoreBand:
    return ScoreBand(low, high, Estimate(value, value - 0.02, value + 0.02, 500, 30), side)


def made(*bands: ScoreBand) -> Reliability:
    return Reliability(bands, APART, Estimate(0.3, None, None, 900, 30, reason="no interval"))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (made(band(0, 0.5, 0.2), band(0.5, 1, 0.7)), "Scores come true as often as they say"),
        (made(band(0, 0.5, 0.2), band(0.5, 1, 0.31, -1)),
         "Scores of 0.50 to 1.00 came true 31.0 % of the time: less often than they say."),
        (made(band(0, 0.2, 0.3, 1), band(0.5, 1, 0.2, -1)),
         "Scores of 0.50 to 1.00 came true 20.0 % of the time: less often than they say. 2 of 2 bands are off."),
        (made(ScoreBand(0, 1, FEW, 0)), "Too few labelled days"),
    ],
)  # fmt: skip
def test_the_sentence_names_the_band_that_is_farthest_off(data: Reliability, said: str) -> None:
    assert reliability.sentence(data).startswith(said)


def test_the_table_says_why_a_band_has_no_interval_and_the_facts_have_the_reference_beside() -> None:
    data = made(band(0, 0.5, 0.2, 1), ScoreBand(0.5, 1, FEW, 0))
    shown = reliability.table(data, data)
    assert list(shown["Verdict"]) == ["more often than they say", FEW.reason]
    assert list(shown["Interval, all bands together"]) == ["[18.0 %, 22.0 %]", fmt.MISSING]
    assert (
        reliability.facts(data, data)["Gini (2 AUC - 1), all days together"]
        == "0.410 [0.380, 0.440]; 0.410 in the reference"
    )
    assert reliability.facts(data, None)["Kolmogorov-Smirnov, all days together"].startswith("0.300")


def test_bands_that_are_off_have_a_shape_of_their_own() -> None:
    data = made(band(0, 0.3, 0.2), band(0.3, 0.6, 0.8, 1), band(0.6, 1, 0.1, -1), ScoreBand(0.9, 1, FEW, 0))
    figure = reliability.figure(data, None, tokens("light"))
    assert [(one.name, one.marker.symbol, len(one.x)) for one in figure.data] == [
        ("came true, as they say", "circle", 2),
        ("came true more often", "triangle-up", 1),
        ("came true less often", "triangle-down", 1),
    ]  # fmt: skip
