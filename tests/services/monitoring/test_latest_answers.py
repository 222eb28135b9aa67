"""Whether scores came true, from stored days: right models, one that is too sure, another task, hours."""

from __future__ import annotations

import numpy as np
import pytest

from mlops_dash.services.command import Context
from tests.factories import VIEWER
from tests.services.monitoring.monitoring_world import MODEL, World, world


@pytest.fixture
def made(context: Context) -> World:
    found = world(context)
    found.reference()
    return found


def test_bands_hold_the_labelled_rows_of_ripe_windows_and_are_in_the_public_json(made: World) -> None:
    made.live(20)
    made.evaluate()
    room = made.room()
    found, then = room.reliability, room.reliability_then
    assert found is not None
    assert then is not None
    assert room.performance is not None
    n_ripe = sum(point.n_labelled for point in room.performance.points if point.trailing is not None)
    assert 0 < sum(one.share.n for one in found.bands) <= n_ripe
    assert [one.high for one in found.bands[:-1]] == [one.low for one in found.bands[1:]]
    values = np.array([one.share.value for one in then.bands], dtype=float)
    assert values[-1] > values[0]
    told = made.monitoring.summary(VIEWER, MODEL)["reliability"]
    assert [one["scores"] for one in told["bands"]] == [[one.low, one.high] for one in found.bands]
    assert told["gini"]["value"] == found.gini.value


def test_without_ripe_labels_nothing_is_said(made: World) -> None:
    made.live(10, labels=False)
    made.evaluate()
    assert made.room().reliability is None
    assert made.monitoring.summary(VIEWER, MODEL)["reliability"] is None
