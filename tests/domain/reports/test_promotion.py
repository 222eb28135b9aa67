"""The dossier: it says what the Registry page says of a version at each station of its way, and nothing twice."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from pathlib import Path

import openpyxl
import pytest

from mlops_dash.domain.audit import Action
from mlops_dash.domain.reports.files import ReportFormat
from mlops_dash.domain.reports.snapshot import ReportKind, sha256_of
from mlops_dash.errors import NotAllowed, NotFound
from mlops_dash.rendering import reports as rendering
from mlops_dash.services.command import Context
from mlops_dash.services.registry import RegistryService
from mlops_dash.services.reports import ReportService
from mlops_dash.store import audit
from mlops_dash.store.db import transaction
from tests.factories import LEAD, LEAD_TOO, SCIENTIST, VIEWER, WORKER
from tests.registry_world import MODEL, World, world

ODD = 'O\'Brien "x" <b>&amp; =1+1'


@pytest.fixture
def house(tmp_path: Path, mlflow_uri: str) -> Iterator[World]:
    made = world(tmp_path, mlflow_uri)
    yield made
    made.context.databases.dispose()


def test_a_version_that_nobody_proposed_says_its_gates_and_asks_for_a_proposal(house: World) -> None:
    draft = ReportService(house.context).promotion(VIEWER, MODEL, "2")
    facts = draft.facts
    assert (draft.kind, draft.model, draft.subject) == (ReportKind.PROMOTION, MODEL, "v2")
    assert facts["verdict"] == {
        "concept": "GateState", "word": "passed", "said": "v2 is not proposed. It is through 4 of 4 gates.",
        "next": "v2 is through all gates. Propose it.",
    }  # fmt: skip
    assert (facts["proposal"], facts["approvals"], facts["rollout"]) == (None, [], None)
    shown = rendering.document(facts)
    assert [one["title"] for one in shown.sections][:2] == ["Gates", "Decision"]
    assert "Nobody has proposed it." in shown.sections[1]["said"]


def test_a_proposal_that_waits_says_who_and_what_is_missing(house: World) -> None:
    house.proposal()
    facts = ReportService(house.context).promotion(VIEWER, MODEL, "v2").facts
    assert facts["verdict"]["concept"] == "ProposalState"
    assert facts["verdict"]["next"] == "v2 waits for 1 approval; it has 0 of 1."
    assert facts["proposal"]["comment"] == "better in May"
    assert ("Approvals", "0 of 1", "nobody yet") in rendering.document(facts).figures


def test_a_promoted_version_has_who_when_why_evidence_ledger_and_how_far_it_got(house: World) -> None:
    house.promoted()
    reports = ReportService(house.context)
    facts = reports.promotion(VIEWER, MODEL, "2").facts
    room = house.service.room(VIEWER, MODEL, "2")
    assert facts["verdict"]["word"] == "alias_moved"
    assert facts["verdict"]["said"].endswith("in place of v1. It is through 4 of 4 gates.")
    assert "nothing has confirmed yet" in facts["verdict"]["next"]
    assert [gate["state"] for gate in facts["gates"]] == [
        str(gate.state) for gate in room.line_of(house.ids["2"]).gates
    ]  # type: ignore[union-attr]
    assert [(one["who"], one["kind"], one["comment"], one["holds"]) for one in facts["approvals"]] == [
        (LEAD.name, "approve", "fine", True)
    ]
    assert facts["rollout"]["reason"] == "now"
    assert facts["rollout"]["alias_moved_at"] is not None
    assert len(facts["evidence"]) == 5
    assert {one["id"] for one in facts["evidence"]} == {
        measure["evidence_id"] for gate in facts["gates"] for measure in gate["measures"] if measure["evidence_id"]
    }
    numbers = [one["number"] for one in facts["ledger"]]
    assert numbers == sorted(numbers)
    assert [one["what"] for one in facts["ledger"]] == [
        "Proposal opened", "Proposal approved", "Promotion decided", "Promotion finished",
    ]  # fmt: skip
    house.beat("2", epoch=2)
    house.service.reconcile(WORKER)
    confirmed = reports.promotion(VIEWER, MODEL, "2").facts
    assert confirmed["verdict"]["word"] == "confirmed"
    assert confirmed["verdict"]["next"] == ""
    assert confirmed["rollout"]["confirmed_at"] is not None


def test_a_versions_entries_stay_in_its_dossier_however_much_happened_to_others_since(house: World) -> None:
    house.promoted()
    reports = ReportService(house.context)
    before = reports.promotion(VIEWER, MODEL, "2").facts
    noted(house, f"{MODEL} v1", 210)
    noted(house, f"{MODEL} v20", 3)
    facts = reports.promotion(VIEWER, MODEL, "2").facts
    assert facts["ledger"] == before["ledger"] != []
    assert "ledger_more" not in facts
    assert rendering.document(facts).sections[-1]["said"] == []


def test_a_dossier_says_how_many_entries_it_left_out(house: World) -> None:
    house.promoted()
    noted(house, f"{MODEL} v2", 200)
    facts = ReportService(house.context).promotion(VIEWER, MODEL, "2").facts
    assert len(facts["ledger"]) == 200
    assert facts["ledger"][-1]["number"] == house.ledger()[-1].number
    assert rendering.document(facts).sections[-1]["said"] == [
        "4 earlier entries about it not shown; the ledger has them."
    ]


def noted(house: World, object_: str, n: int) -> None:
    """Entries about something, as the jobs of a busy month write them."""
    with transaction(house.context.databases.app, ledger=True) as session:
        for _ in range(n):
            audit.append(
                session, key=house.context.settings.ledger_key, at=house.hands.at, wall=house.hands.at,
                actor=WORKER.id, action=Action.EVIDENCE_PUSHED, object_=object_, model=MODEL, before={}, after={},
                reason="", evidence_ids=(),
            )  # fmt: skip


def test_an_overridden_gate_is_called_overridden_with_both_people_and_their_reasons(house: World) -> None:
    house.hands.turn(hours=1)
    house.measured("2", "1", low=0.001, high=0.02)
    made = house.service.propose(SCIENTIST, house.ids["2"], comment="needed")
    for lead, why in ((LEAD, "season"), (LEAD_TOO, ODD)):
        made = house.service.override_gate(lead, made.id, made.revision, gate="primary metric", reason=why)
    facts = ReportService(house.context).promotion(VIEWER, MODEL, "2").facts
    assert facts["through"] == "4 of 4, 1 overridden"
    assert facts["verdict"]["said"].endswith("It is through 4 of 4 gates, 1 overridden.")
    assert {(one["who"], one["kind"], one["gate"], one["comment"]) for one in facts["approvals"]} == {
        (LEAD.name, "override", "primary metric", "season"),
        (LEAD_TOO.name, "override", "primary metric", ODD),
    }
    page = rendering.html(facts)
    assert "◆</span> Overridden" in page
    assert "<b>" not in page
    book = openpyxl.load_workbook(io.BytesIO(rendering.written(_kept(house, made.model), ReportFormat.XLSX)))
    assert ODD in [cell.value for row in book["Approvals"].iter_rows() for cell in row]
    assert "overridden" in [cell.value for cell in book["Gates"]["C"]]


def _kept(house: World, model: str):  # type: ignore[no-untyped-def]
    reports = ReportService(house.context)
    return reports.freeze(SCIENTIST, reports.promotion(SCIENTIST, model, "2"))


def test_a_rejected_one_says_why(house: World) -> None:
    made = house.proposal()
    house.service.reject(LEAD, made.id, made.revision, comment="the label changed.")
    facts = ReportService(house.context).promotion(VIEWER, MODEL, "2").facts
    assert facts["verdict"]["said"].startswith("v2 was rejected: the label changed. It is through")


def test_it_is_kept_once_listed_by_its_version_and_compared_with_the_present(house: World) -> None:
    reports = ReportService(house.context)
    first = _kept(house, MODEL)
    assert _kept(house, MODEL).line.id == first.line.id
    assert (first.line.about, first.file_name()) == (
        "v2",
        f"flight-delay-dossier-v2-{first.line.made_at:%Y-%m-%d}.html",
    )
    assert reports.room(VIEWER, first.line.id).since.startswith("Nothing has changed since")
    house.approved()
    room = reports.room(VIEWER, first.line.id)
    assert room.changed
    assert "approvals that count 0 → 1" in room.since
    with pytest.raises(NotAllowed):
        reports.freeze(VIEWER, reports.promotion(VIEWER, MODEL, "2"))


def test_an_unknown_version_is_said(house: World) -> None:
    with pytest.raises(NotFound):
        ReportService(house.context).promotion(VIEWER, MODEL, "99")


@pytest.mark.parametrize(("task", "names"), [("multiclass", ("ham", "spam", "O'Brien")), ("regression", ())])
def test_a_strangers_model_that_others_serve_says_what_is_not_recorded(
    context: Context, task: str, names: tuple[str, ...]
) -> None:
    registry, name = RegistryService(context), 'o\'brien "weekly"'
    registry.add_model(SCIENTIST, name, task=task, class_names=names, source="external", title=ODD, reason="theirs")
    registry.serve_elsewhere(LEAD, registry.record_version(WORKER, name, "1"), reason="their pipeline")
    reports = ReportService(context)
    kept = reports.freeze(SCIENTIST, reports.promotion(SCIENTIST, name, "1"))
    facts = kept.facts
    assert facts["lineage"]["run"] is None
    assert "Others serve this model" in facts["lineage"]["run_why"]
    assert [one["what"] for one in facts["rollout"]["steps"]] == ["Said", "In the ledger"]
    assert "served elsewhere, as was said on" in facts["verdict"]["said"]
    document = rendering.document(facts)
    assert "the default policy" in str(document.figures)
    assert "MLflow moved" not in str(document.sections)
    assert "Confirmed" not in str(document.sections)
    assert sha256_of(facts) == kept.line.sha256
    for kind in (ReportFormat.HTML, ReportFormat.MARKDOWN):
        said = rendering.written(kept, kind).decode()
        assert "<b>&amp; =1" not in said
        assert len(re.findall("not recorded", said)) >= 3
    book = openpyxl.load_workbook(io.BytesIO(rendering.written(kept, ReportFormat.XLSX)))
    assert name in [cell.value for cell in book["About"]["B"]]
