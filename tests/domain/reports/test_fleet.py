"""The fleet summary: every model's word and number as the Overview has them, the worst first, and what is due."""

from __future__ import annotations

import io

import openpyxl
import pytest

from mlops_dash.domain.reports.files import ReportFormat
from mlops_dash.domain.reports.plans import substance
from mlops_dash.rendering import reports as rendering
from mlops_dash.services.command import Context
from mlops_dash.services.fleet import FleetService
from mlops_dash.services.registry import RegistryService
from mlops_dash.services.reports import ReportService
from tests.factories import SCIENTIST, VIEWER, WORKER
from tests.services.reports_shared import shared_report
from tests.services.reports_world import MODEL, Office, office

ODD = 'o\'brien "weekly"'


@pytest.fixture
def kept(context: Context) -> Office:
    made = office(context)
    registry = RegistryService(context)
    registry.add_model(SCIENTIST, ODD, task="regression", source="external", cadence="week", reason="theirs")
    registry.record_version(WORKER, ODD, "1")
    registry.add_model(
        SCIENTIST, "=sum", task="multiclass", class_names=("ham", "spam", "<b>"), source="external", reason="theirs"
    )
    return made


def test_it_says_what_the_overview_says(kept: Office, context: Context) -> None:
    draft = kept.reports.fleet(VIEWER)
    room, facts = FleetService(context).room(VIEWER), draft.facts
    assert (draft.model, [one["name"] for one in facts["models"]]) == ("", [row.model for row in room.rows])
    own = next(one for one in facts["models"] if one["name"] == MODEL)
    row = next(one for one in room.rows if one.model == MODEL)
    assert row.estimate is not None
    assert (own["health"], own["value"], own["low"], own["high"], own["n"]) == (
        str(row.health), row.estimate.value, row.estimate.low, row.estimate.high, row.estimate.n,
    )  # fmt: skip
    assert [one["sentence"] for one in facts["due"]] == [one.sentence for one in room.attention]
    assert facts["verdict"]["said"].startswith("3 models: ")
    shown = rendering.document(facts)
    assert [name for name, _, _ in shown.figures] == ["Harmed or at risk", "Waiting for a decision", "Label coverage"]
    assert shown.sections[0]["title"] == "Models"


def test_strangers_models_without_a_number_are_not_known_and_their_names_stay_text(kept: Office) -> None:
    made = kept.reports.freeze(SCIENTIST, kept.reports.fleet(SCIENTIST))
    assert (made.line.model, made.line.of) == ("", "all models")
    assert made.file_name(ReportFormat.XLSX).startswith("all-models-summary-")
    other = next(one for one in made.facts["models"] if one["name"] == ODD)
    assert (other["value"], other["health"]) == (None, "not_known")
    assert other["due"]
    page = rendering.html(made.facts)
    assert "o&#39;brien &#34;weekly&#34;" in page
    book = openpyxl.load_workbook(io.BytesIO(rendering.written(made, ReportFormat.XLSX)))
    names = {cell.value: cell.data_type for cell in book["Models"]["A"]}
    assert names[ODD] == names["=sum"] == "s"


def test_it_is_kept_once_and_says_what_changed(kept: Office, context: Context) -> None:
    made = kept.reports.freeze(SCIENTIST, kept.reports.fleet(SCIENTIST))
    assert kept.reports.freeze(SCIENTIST, kept.reports.fleet(SCIENTIST)).line.id == made.line.id
    RegistryService(context).add_model(SCIENTIST, "another", task="binary", source="external", reason="theirs")
    room = kept.reports.room(VIEWER, made.line.id)
    assert "models 3 → 4" in room.since
    assert room.changed


def test_another_model_that_is_harmed_is_a_change_though_as_many_are_harmed_as_before(kept: Office) -> None:
    facts = kept.reports.fleet(VIEWER).facts
    words = [one["health"] for one in facts["models"]]
    assert len(set(words)) > 1
    turned = [{**one, "health": word} for one, word in zip(facts["models"], reversed(words), strict=True)]
    assert substance({**facts, "models": turned}) != substance(facts)
    assert substance({**facts, "due": facts["due"][1:]}) != substance(facts)
    more = [{**one, "n": 9, "value": 1.0, "headline": "x"} for one in facts["models"]]
    assert substance({**facts, "models": more}) == substance(facts)


def test_without_models_it_says_so(context: Context) -> None:
    facts = ReportService(context).fleet(VIEWER).facts
    assert facts["verdict"]["said"] == "No model is watched yet."
    assert "No model is watched yet." in rendering.markdown(facts)


def test_a_model_that_nobody_judged_yet_is_told_with_its_own_next_step(context: Context) -> None:
    shared_report(context)
    facts = ReportService(context).fleet(VIEWER).facts
    (due,) = FleetService(context).room(VIEWER).attention
    assert facts["verdict"]["next"] == f"{due.cause.rstrip('.')} (queue-minutes)."
    assert due.cause.startswith("Next: bring what it answered")
    assert rendering.document(facts).about == "1 model · nothing judged yet"
