"""Two kept reports side by side: of one kind and model, the earlier one first."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mlops_dash.clock import Clock
from mlops_dash.errors import InvalidInput, NotFound
from mlops_dash.services.command import Context
from mlops_dash.services.registry import RegistryService
from mlops_dash.services.reports import ReportService
from tests import factories
from tests.factories import SCIENTIST, VIEWER, Time
from tests.services.reports_shared import MODEL, shared_report


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def home(tmp_path: Path, time: Time) -> Iterator[Context]:
    made = factories.context(tmp_path, clock=Clock(wall=time))
    yield made
    made.databases.dispose()


def test_what_changed_between_two_cards_is_said_from_the_earlier_to_the_later(home: Context, time: Time) -> None:
    first, reports = shared_report(home), ReportService(home)
    time.passes(days=1)
    RegistryService(home).edit_card(SCIENTIST, MODEL, {"intended_use": "how long"}, revision=0, reason="asked")
    second = reports.freeze(SCIENTIST, reports.card(SCIENTIST, MODEL))
    for ids in ((first.line.id, second.line.id), (second.line.id, first.line.id)):
        found = reports.compared(VIEWER, *ids)
        assert (found.first, found.second) == (first.line, second.line)
        assert "fields written 0 of 7 → 1 of 7" in found.changes
        assert found.sentence == f"{len(found.changes)} key numbers differ."
    assert reports.compared(VIEWER, first.line.id, first.line.id).sentence == "Both hold the same facts."


def test_reports_of_different_things_and_unknown_ones_are_refused(home: Context) -> None:
    card, reports = shared_report(home), ReportService(home)
    fleet = reports.freeze(SCIENTIST, reports.fleet(SCIENTIST))
    with pytest.raises(InvalidInput, match="different kinds"):
        reports.compared(VIEWER, card.line.id, fleet.line.id)
    with pytest.raises(NotFound):
        reports.compared(VIEWER, card.line.id, "gone")
