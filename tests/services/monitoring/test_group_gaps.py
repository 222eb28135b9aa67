"""Gaps between groups that an owner named: of words and of minutes, hidden columns stay hidden, few rows are said."""

from __future__ import annotations

from datetime import timedelta

import pytest

from mlops_dash.bootstrap import Services
from mlops_dash.domain.monitoring.fairness import NO_GROUPS, Gap, GapState
from mlops_dash.errors import NotFound
from tests.factories import SCIENTIST, VIEWER, WORKER
from tests.penguins import MODEL, SPECIES
from tests.services.monitoring.test_slicing import ISLE, house, island
from tests.strangers import LIVE, Stranger

__all__ = ["house", "island"]


def gap(gaps: tuple[Gap, ...], measure: str) -> Gap:
    """Of the isle that errs, whichever side is the larger group."""
    return next(one for one in gaps if one.measure == measure and ISLE in one.group + one.base)


def test_a_group_that_is_answered_worse_is_apart_since_it_is(island: Services) -> None:
    assert island.monitoring.fairness(VIEWER, MODEL).reason == NO_GROUPS
    assert island.monitoring.room(VIEWER, MODEL).fairness is None
    island.registry.edit_model(SCIENTIST, MODEL, {"groups": ["isle", "nest"]}, reason="isles must fare alike")
    assert island.monitoring.fairness(VIEWER, MODEL).sentence.endswith("nobody has measured them yet.")
    island.monitoring.measure_slices(WORKER, MODEL)
    found = island.monitoring.fairness(VIEWER, MODEL)
    one = gap(found.gaps, "error rate")
    assert one.state is GapState.APART
    assert one.gap == pytest.approx(one.value - one.base_value, abs=1e-6)
    assert min(abs(one.low), abs(one.high)) > 0.1
    assert [abs(was.gap) < 0.1 for was in one.before] == [True]  # before, both fared alike
    assert gap(found.gaps, f"share of {SPECIES[0]} that is found").state is GapState.APART
    assert "no row of the window has a column nest" in found.notes
    assert found.sentence.startswith("Widest: ")
    assert island.monitoring.room(VIEWER, MODEL).fairness == found
    assert island.monitoring.summary(VIEWER, MODEL)["fairness"]["gaps"][0]["state"] == "apart"
    assert island.monitoring.plan_slices(WORKER, MODEL)


def test_a_column_that_is_never_stored_stays_hidden_also_where_it_was_measured(island: Services) -> None:
    island.registry.edit_model(SCIENTIST, MODEL, {"groups": ["isle"]}, reason="isles must fare alike")
    island.monitoring.measure_slices(WORKER, MODEL)
    assert island.monitoring.fairness(VIEWER, MODEL).gaps
    island.registry.edit_model(SCIENTIST, MODEL, {"do_not_log": ["isle"]}, reason="private")
    found = island.monitoring.fairness(VIEWER, MODEL)
    assert (found.gaps, found.reason) == ((), "the columns of its groups are never stored")
    island.monitoring.measure_slices(WORKER, MODEL)
    assert island.monitoring.fairness(VIEWER, MODEL).gaps == ()


def test_minutes_of_few_rows_are_said_to_be_few(house: Services) -> None:
    minutes = Stranger(house, 'the "queue"', "regression")
    minutes.begin()
    minutes.send(2)
    house.monitoring.profile_dirty_hours(WORKER)
    house.context.clock.wall = lambda: LIVE + timedelta(days=8)
    house.monitoring.evaluate(WORKER, minutes.name)
    house.registry.edit_model(SCIENTIST, minutes.name, {"groups": ["kind"]}, reason="kinds must fare alike")
    house.monitoring.measure_slices(WORKER, minutes.name)
    found = house.monitoring.fairness(VIEWER, minutes.name)
    assert [(one.measure, one.state) for one in found.gaps] == [("absolute error", GapState.FEW)] * 2
    assert "100 are needed" in found.gaps[0].reason
    assert found.sentence == "No gap could be judged. 2 gaps have too few rows."
    with pytest.raises(NotFound):
        house.monitoring.fairness(VIEWER, "nobody")
