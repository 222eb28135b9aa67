"""Names that people choose stand on every figure as they are written: no link, no template, no `&quot;`."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from app.charts import registry, retraining
from app.charts.ab_tests import figures as ab_tests
from app.charts.monitoring import columns, drift, pieces
from app.ui.theme import tokens
from mlops_dash.domain.monitoring.readings import FeatureReading
from mlops_dash.domain.monitoring.room import DriftMap, FeatureDetail
from mlops_dash.domain.retraining import Room, Slot
from mlops_dash.domain.words import Drift
from tests.factories import NOON

QUOTED = 'it\'s the "fast" one'
EVIL = f"{QUOTED} <a href='http://evil'>%{{y}}</a> & co"
LIGHT = tokens("light")
READING = FeatureReading(
    EVIL, "number", Drift.DRIFT, 0.4, 0.3, 0.2, 0.6, 0.1, 4.0, 0.001, 0.0, 0.0, None, 0.0, 900
)  # fmt: skip
BRANCH = ab_tests.Branch(EVIL, "+0.1 [+0.0, +0.2]", 0.1, 0.0, 0.2, None, None)
ROOM = Room(NOON, NOON, (), (Slot(NOON, "s1", EVIL, EVIL, EVIL, EVIL),), (), (), 0, None, (), NOON, 0.0)

FIGURES = {
    "columns": lambda: columns.ranked_figure([READING], LIGHT),
    "cells of a column": lambda: columns.detail_figure(
        FeatureDetail(READING, (EVIL, "b"), (0.5, 0.5), (0.1, 0.9), 10, 10), LIGHT
    ),
    "drift map": lambda: drift.drift_figure(
        DriftMap(7, (NOON,), (NOON,), (EVIL,), ((0.4,),), ((Drift.DRIFT,),)), "UTC", LIGHT
    ),
    "A/B forest": lambda: ab_tests.forest_figure([BRANCH], LIGHT, left="worse", right="better"),
    "gate forest": lambda: registry.forest(
        [registry.Branch("recall", EVIL, "+0.1", 0.1, 0.0, 0.2, "better", "<a>")],
        LIGHT,
        candidate="v2",
        champion="v1",
    ),
    "retraining": lambda: retraining.figure(retraining.gantt(ROOM, ahead=timedelta(days=1), zone="UTC"), LIGHT),
}


@pytest.mark.parametrize("name", FIGURES)
def test_a_hostile_name_is_text_wherever_a_figure_says_it(name: str) -> None:
    said = list(_texts(FIGURES[name]().to_plotly_json()))
    assert any(QUOTED[:9] in one for one in said), said
    for one in said:
        assert "<a" not in one, one
        assert "%{y}</a" not in one, one
        assert "&quot;" not in one, one


def test_an_event_is_wrapped_without_markup_of_its_own() -> None:
    assert "<a" not in pieces.wrap(EVIL)
    assert pieces.wrap(QUOTED) == QUOTED


def _texts(part: object) -> Iterator[str]:
    if isinstance(part, str):
        yield part
    elif isinstance(part, dict):
        for one in part.values():
            yield from _texts(one)
    elif isinstance(part, list | tuple):
        for one in part:
            yield from _texts(one)
