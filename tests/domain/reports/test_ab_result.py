"""The A/B result: the verdict, numbers and question of the A/B page; a blind test's outcome is nowhere in the file."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path

import openpyxl
import pytest

from mlops_dash.domain.reports.files import ReportFormat
from mlops_dash.rendering import reports as rendering
from mlops_dash.services.reports import ReportService
from tests.factories import LEAD, SCIENTIST, VIEWER
from tests.services.ab_tests.test_ab_tests import World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.context.databases.dispose()


def test_a_better_challenger_is_said_with_its_numbers_a_chart_and_what_to_do(world: World) -> None:
    test = world.started()
    world.days(test, 14, better=0.3)
    room = world.service.room(LEAD)
    assert room.reading is not None
    assert room.verdict is not None
    reports = ReportService(world.context)
    kept = reports.freeze(SCIENTIST, reports.ab_result(SCIENTIST, test.id))
    facts = kept.facts
    assert facts["verdict"]["word"] == str(room.verdict.word) == "ship"
    assert facts["verdict"]["next"] == "Propose v2 on the page A/B tests."
    primary = facts["measures"][0]
    assert (primary["value"], primary["low"], primary["high"]) == (
        room.reading.primary.value, room.reading.primary.low, room.reading.primary.high,
    )  # fmt: skip
    assert facts["test"]["question"] == "Is v2 better?"
    assert kept.line.about == "v2 against v1"
    page = rendering.html(facts)
    assert page.count("<svg") == 2
    assert "Propose v2" in page
    book = openpyxl.load_workbook(io.BytesIO(rendering.written(kept, ReportFormat.XLSX)))
    assert book.sheetnames == ["About", "Measures", "Looks", "Arms", "Design"]
    assert book["Measures"]["F2"].value == primary["value"]
    assert book["Looks"].max_row == len(room.reading.looks) + 1


def test_a_blind_test_tells_no_outcome_in_any_format(world: World) -> None:
    test = world.started(reading="at_end")
    world.days(test, 5, better=0.3)
    reports = ReportService(world.context)
    kept = reports.freeze(SCIENTIST, reports.ab_result(SCIENTIST, test.id))
    facts = kept.facts
    assert facts["verdict"]["word"] == "go_on"
    assert all(
        one[key] is None for one in facts["measures"] for key in ("value", "low", "high", "challenger", "control")
    )
    assert all(one["state"] == "" for one in facts["measures"])
    assert facts["reading"]["looks"] == []
    assert facts["reading"]["paired"] is None
    assert "<svg" not in rendering.html(facts)
    assert json.loads(rendering.written(kept, ReportFormat.JSON))["facts"] == facts
    assert "Not known" in rendering.markdown(facts)


def test_a_designed_test_asks_for_its_start_and_a_stopped_one_says_who_and_why(world: World) -> None:
    reports = ReportService(world.context)
    test = world.designed()
    facts = reports.ab_result(VIEWER, test.id).facts
    assert (facts["verdict"]["word"], facts["reading"]) == ("designed", None)
    assert "Start it" in rendering.markdown(facts)
    started = world.service.start(LEAD, test.id, test.revision, reason="go")
    world.days(started, 3, better=0.0)
    world.service.stop(LEAD, started.id, started.revision, reason="=1+1 <b>")
    page = rendering.html(reports.ab_result(VIEWER, test.id).facts)
    assert "=1+1 &lt;b&gt;" in page
