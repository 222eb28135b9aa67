"""The rows behind a moved column: of the cell that grew beside typical ones, and values beyond the reference apart."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from mlops_dash import bootstrap
from mlops_dash.bootstrap import Services
from mlops_dash.clock import fixed
from mlops_dash.domain.monitoring.samples import BEYOND, MOST_ROWS
from mlops_dash.errors import NotFound
from mlops_dash.services.monitoring.samples import beyond_of
from mlops_dash.stats.cells import NumericCells
from mlops_dash.store.db import transaction
from mlops_dash.store.tables.registry import ModelRow
from tests import factories, penguins
from tests.factories import SCIENTIST, VIEWER, WORKER
from tests.services.monitoring.test_columns import NAME, Desk
from tests.strangers import LIVE


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Services]:
    made = bootstrap.build(factories.settings(tmp_path), clock=fixed(LIVE + timedelta(days=40)))
    yield made
    made.close()


@pytest.fixture
def desk(house: Services) -> Desk:
    """Three calm weeks of minutes, then one in which everything is another."""
    made = Desk(house, NAME, "regression")
    made.begin()
    made.send(21)
    made.broken = True
    made.send(8, first=LIVE + timedelta(days=21))
    house.monitoring.profile_dirty_hours(WORKER)
    house.monitoring.evaluate(WORKER, NAME)
    return made


def test_rows_of_the_cell_that_grew_stand_beside_typical_ones(desk: Desk) -> None:
    found = desk.services.monitoring.column_rows(SCIENTIST, NAME, "kind")
    assert found.cell == "rest"  # tents were never seen
    assert (found.before, found.now > 0.4) == (0.0, True)
    assert len(found.moved) == len(found.typical) == MOST_ROWS
    assert {row["kind"] for row in found.moved} == {"tent"}
    assert {row["kind"] for row in found.typical} <= {"flat", "house", "barn"}
    assert found.typical_are == "rows of the first windows, of the other cells"
    assert next(iter(found.moved[0])) == "kind"
    assert list(found.moved[0])[-4:] == ["answer", "label", "at", "row"]
    assert found.median_now is None
    assert found == desk.services.monitoring.column_rows(SCIENTIST, NAME, "kind")  # the same rows each time
    number = desk.services.monitoring.column_rows(SCIENTIST, NAME, "x")
    assert number.median_before == pytest.approx(0.0, abs=0.15)
    assert number.median_now == pytest.approx(4.0, abs=0.3)


def test_what_must_not_be_logged_is_in_no_row_although_older_rows_hold_it(desk: Desk) -> None:
    ask = desk.services.monitoring.column_rows
    assert "age" in ask(SCIENTIST, NAME, "kind").moved[0]
    with transaction(desk.services.context.databases.app) as session:
        session.get_one(ModelRow, NAME).do_not_log = ["age"]
    for row in (*ask(SCIENTIST, NAME, "kind").moved, *ask(SCIENTIST, NAME, "kind").typical):
        assert "age" not in row
        assert "x" in row
    own = ask(SCIENTIST, NAME, "age")
    assert own.moved
    assert all("age" not in row for row in own.moved)


def test_a_viewer_sees_shares_and_medians_and_no_single_row(desk: Desk) -> None:
    found = desk.services.monitoring.column_rows(VIEWER, NAME, "x")
    assert (found.moved, found.typical) == ((), ())
    assert "single rows are shown to scientists" in found.hidden
    assert found.median_now is not None


def test_values_beyond_the_reference_are_drawn_in_bins_of_their_own(desk: Desk) -> None:
    detail = desk.services.monitoring.room(VIEWER, NAME, feature="x").detail
    assert detail is not None
    assert detail.beyond.below == ()
    assert sum(share for _, share in detail.beyond.above) == pytest.approx(detail.score.out_of_range, abs=0.05)
    assert 1 < len(detail.beyond.above) <= BEYOND
    calm = desk.services.monitoring.room(VIEWER, NAME, feature="(score)").detail
    assert calm is not None


def test_bins_reach_from_the_edge_to_the_farthest_value() -> None:
    cells = NumericCells.of("x", np.arange(1_000.0))
    found = beyond_of(cells, np.array([-500.0, -1.0, 3.0, 1_600.0, np.nan]))
    assert found.below[0][0].startswith("-500 to")
    assert found.above[-1][0].endswith("to 1600")
    assert sum(share for _, share in (*found.below, *found.above)) == pytest.approx(0.75)
    assert not beyond_of(cells, np.array([5.0])).known


def test_what_is_not_there_is_said(desk: Desk) -> None:
    ask = desk.services.monitoring.column_rows
    with pytest.raises(NotFound, match="has no column 'wind'"):
        ask(VIEWER, NAME, "wind")
    with pytest.raises(NotFound, match="No model nobody"):
        ask(VIEWER, "nobody", "x")
    with pytest.raises(NotFound, match="No window of"):
        ask(VIEWER, NAME, "x", at=LIVE)
    penguins.begin(desk.services, penguins.penguins(LIVE, days=30))
    with pytest.raises(NotFound, match="No window of"):
        ask(VIEWER, penguins.MODEL, "bill")
