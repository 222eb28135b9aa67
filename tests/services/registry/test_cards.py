"""Model cards: written by one person, approved by another, every change in the ledger; and the report made of one."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import openpyxl
import pytest

from mlops_dash.domain.audit import Action
from mlops_dash.domain.audit_words import sentence
from mlops_dash.domain.policies import PolicyKind
from mlops_dash.domain.registry.card import FIELDS, MOST_SIGNS
from mlops_dash.domain.registry.gates import GATE_NAMES
from mlops_dash.domain.reports.files import ReportFormat
from mlops_dash.domain.words import CardState
from mlops_dash.errors import Conflict, InvalidInput, NotAllowed, NotFound
from mlops_dash.rendering import reports as rendering
from mlops_dash.services.audit import AuditService
from mlops_dash.services.command import Context
from mlops_dash.services.policies import PolicyService
from mlops_dash.services.registry import RegistryService
from mlops_dash.services.reports import ReportService
from tests.factories import ADMIN, LEAD, LEAD_TOO, SCIENTIST, VIEWER, WORKER
from tests.registry_world import MODEL, World, world

NAME = 'o\'brien "weekly"'
ODD = "=1+1 <b>'\"\n第二行"
WHOLE = {name: f"Words of {name}." for name in FIELDS}


@pytest.fixture
def registry(context: Context) -> RegistryService:
    made = RegistryService(context)
    made.add_model(
        SCIENTIST, NAME, task="multiclass", class_names=("ham", "spam", "<b>"), source="external", reason="theirs"
    )
    made.record_version(WORKER, NAME, "1")
    return made


def test_a_card_grows_field_by_field_and_the_ledger_has_what_was_and_what_is(
    registry: RegistryService, context: Context
) -> None:
    assert (registry.card(VIEWER, NAME).revision, registry.card(VIEWER, NAME).state) == (0, CardState.INCOMPLETE)
    first = registry.edit_card(SCIENTIST, NAME, {"limits": "  none \n"}, revision=0, reason="first words")
    second = registry.edit_card(SCIENTIST, NAME, {"limits": ODD, "data": "mails"}, revision=1, reason="more")
    assert (first.text("limits"), second.text("limits"), second.n_filled) == ("none", ODD, 2)
    assert "Intended use" in second.said()
    entry = AuditService(context).entries(VIEWER).entries[0]
    assert (entry.action, entry.model, entry.reason) == (Action.CARD_EDITED, NAME, "more")
    assert (dict(entry.before), dict(entry.after)) == (
        {"limits": "none", "data": ""}, {"limits": ODD, "data": "mails"},
    )  # fmt: skip
    assert sentence(entry) == f"scientist wrote the card of {NAME}"


def test_a_second_person_approves_a_complete_card_and_an_edit_ends_it(registry: RegistryService) -> None:
    whole = registry.edit_card(LEAD, NAME, WHOLE, revision=0, reason="all of it")
    assert whole.state is CardState.COMPLETE
    with pytest.raises(NotAllowed, match="You wrote some of it"):
        registry.approve_card(LEAD, NAME, revision=1, reason="mine")
    with pytest.raises(NotAllowed):
        registry.approve_card(SCIENTIST, NAME, revision=1, reason="not a lead")
    approved = registry.approve_card(LEAD_TOO, NAME, revision=1, reason="read it")
    assert (approved.state, approved.approved_by) == (CardState.APPROVED, LEAD_TOO.id)
    with pytest.raises(Conflict, match="approved already"):
        registry.approve_card(LEAD_TOO, NAME, revision=1, reason="again")
    after = registry.edit_card(SCIENTIST, NAME, {"limits": "new ones"}, revision=1, reason="found")
    assert after.state is CardState.COMPLETE


def test_nobody_approves_their_own_words_after_another_typed_a_comma(registry: RegistryService) -> None:
    registry.edit_card(LEAD, NAME, WHOLE, revision=0, reason="all of it")
    touched = registry.edit_card(SCIENTIST, NAME, {"limits": "Words, of limits."}, revision=1, reason="a comma")
    assert touched.writers == (LEAD.id, SCIENTIST.id) == registry.card(VIEWER, NAME).writers
    with pytest.raises(NotAllowed, match="You wrote some of it"):
        registry.approve_card(LEAD, NAME, revision=2, reason="mine")
    assert registry.approve_card(LEAD_TOO, NAME, revision=2, reason="read it").writers == ()
    registry.edit_card(SCIENTIST, NAME, {"limits": "other ones"}, revision=2, reason="found")
    assert registry.card(VIEWER, NAME).writers == (SCIENTIST.id,), "what was approved before is somebody else's word"
    assert registry.approve_card(LEAD, NAME, revision=3, reason="read it").state is CardState.APPROVED


def test_a_card_that_is_not_complete_is_not_approved(registry: RegistryService) -> None:
    registry.edit_card(SCIENTIST, NAME, {"limits": "none"}, revision=0, reason="first")
    with pytest.raises(Conflict, match="Intended use"):
        registry.approve_card(LEAD, NAME, revision=1, reason="fine")


def test_two_who_write_at_once_lose_nothing(registry: RegistryService) -> None:
    registry.edit_card(SCIENTIST, NAME, {"limits": "a"}, revision=0, reason="one")
    with pytest.raises(Conflict, match="changed since you read it"):
        registry.edit_card(LEAD, NAME, {"limits": "b"}, revision=0, reason="other")
    assert registry.card(VIEWER, NAME).text("limits") == "a"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"limit": "x"}, "no field 'limit'"),
        ({"limits": 3}, "is no text"),
        ({"limits": "x" * (MOST_SIGNS + 1)}, "5,001 signs"),
        ({"limits": "a\x00b"}, "cannot be shown"),
    ],
)
def test_what_cannot_be_kept_is_said(registry: RegistryService, changes: dict[str, object], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        registry.edit_card(SCIENTIST, NAME, changes, revision=0, reason="x")
    assert registry.card(VIEWER, NAME).revision == 0


def test_without_reason_right_model_or_change_nothing_is_kept(registry: RegistryService) -> None:
    with pytest.raises(InvalidInput, match="needs a reason"):
        registry.edit_card(SCIENTIST, NAME, WHOLE, revision=0, reason=" ")
    with pytest.raises(NotAllowed):
        registry.edit_card(VIEWER, NAME, WHOLE, revision=0, reason="x")
    with pytest.raises(NotFound):
        registry.edit_card(SCIENTIST, "nobody", WHOLE, revision=0, reason="x")
    with pytest.raises(Conflict, match="says that already"):
        registry.edit_card(SCIENTIST, NAME, {"limits": ""}, revision=0, reason="x")


def test_the_report_has_the_words_the_facts_and_what_is_missing(registry: RegistryService, context: Context) -> None:
    registry.edit_card(SCIENTIST, NAME, {"limits": ODD}, revision=0, reason="first")
    reports = ReportService(context)
    kept = reports.freeze(SCIENTIST, reports.card(SCIENTIST, NAME))
    facts = kept.facts
    assert facts["verdict"]["word"] == "incomplete"
    assert "tab Card" in facts["verdict"]["next"]
    shown = rendering.document(facts)
    assert shown.figures[0] == ("Fields written", "1 of 7", "revision 1")
    page = rendering.html(facts)
    assert "=1+1 &lt;b&gt;" in page
    assert "Not written yet: which decision it serves, for whom." in page
    book = openpyxl.load_workbook(io.BytesIO(rendering.written(kept, ReportFormat.XLSX)))
    cells = {cell.value: cell.data_type for cell in book["In words"]["B"] if cell.value}
    assert cells[ODD] == "s"
    assert "第二行" in rendering.written(kept, ReportFormat.MARKDOWN).decode()
    registry.edit_card(SCIENTIST, NAME, WHOLE, revision=1, reason="all")
    assert "fields written 1 of 7 → 7 of 7" in reports.room(VIEWER, kept.line.id).since


# --- the gate ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def house(tmp_path: Path, mlflow_uri: str) -> Iterator[World]:
    made = world(tmp_path, mlflow_uri)
    yield made
    made.context.databases.dispose()


def asks(house: World, what: str) -> None:
    """Put a promotion policy in force that asks for a card."""
    policies = PolicyService(house.context)
    body = {} if not what else {"card": what}
    policy = policies.propose(LEAD, MODEL, PolicyKind.PROMOTION, body, reason="cards")
    policies.activate(ADMIN, policy.id, reason="agreed")
    house.hands.turn(seconds=1)


def test_a_policy_that_asks_for_a_card_lets_nobody_through_without_one(house: World) -> None:
    registry = house.service
    assert len(registry.room(VIEWER, MODEL, "2").gates) == 4
    asks(house, "approved")
    made = house.proposal()
    gate = registry.room(VIEWER, MODEL, "2").gates[-1]
    assert (gate.name, gate.state, gate.leading.value, gate.leading.limit) == ("model card", "waiting", 0.0, 7.0)
    with pytest.raises(Conflict, match="model card"):
        registry.approve(LEAD, made.id, made.revision, comment="fine")
    registry.edit_card(SCIENTIST, MODEL, WHOLE, revision=0, reason="all")
    gate = registry.room(VIEWER, MODEL, "2").gates[-1]
    assert (gate.state, "nobody has approved" in gate.reason) == ("waiting", True)
    registry.approve_card(LEAD, MODEL, revision=1, reason="read")
    assert registry.room(VIEWER, MODEL, "2").gates[-1].state == "passed"
    approved = registry.approve(LEAD, made.id, made.revision, comment="fine")
    registry.edit_card(SCIENTIST, MODEL, {"limits": "a new one"}, revision=1, reason="found")
    with pytest.raises(Conflict, match="model card"):
        registry.begin_promotion(LEAD, approved.id, approved.revision, "now")
    registry.approve_card(LEAD, MODEL, revision=2, reason="read again")
    operation = registry.begin_promotion(LEAD, approved.id, approved.revision, "now")
    assert house.ledger()[-1].after["gates"]["model card"] == "passed"
    assert ReportService(house.context).promotion(VIEWER, MODEL, "2").facts["through"] == "5 of 5"
    registry.finish_promotion(LEAD, operation)
    house.hands.turn(seconds=1)
    registry.edit_card(SCIENTIST, MODEL, {"limits": "a comma more"}, revision=2, reason="a typo")
    champion = registry.room(VIEWER, MODEL, "2")
    assert champion.champion is not None
    assert champion.champion.version == "2"
    (line,) = [one for one in champion.lines if one.is_champion]
    assert (line.gates[-1].state, line.gates[-1].opens) == ("passed", True)
    assert "the card changed since" in line.gates[-1].reason
    assert ReportService(house.context).promotion(VIEWER, MODEL, "2").facts["through"] == "5 of 5"


def test_a_complete_card_is_enough_where_no_approval_is_asked_and_the_question_can_be_taken_back(house: World) -> None:
    asks(house, "complete")
    house.service.edit_card(SCIENTIST, MODEL, WHOLE, revision=0, reason="all")
    assert house.service.room(VIEWER, MODEL, "2").gates[-1].state == "passed"
    policies = PolicyService(house.context)
    assert policies.changes(VIEWER, MODEL, PolicyKind.PROMOTION, {}) == (("card", "complete", ""),)
    asks(house, "")
    assert [gate.name for gate in house.service.room(VIEWER, MODEL, "2").gates] == list(GATE_NAMES)
    assert "card" not in house.service.room(VIEWER, MODEL).policy.body
    with pytest.raises(InvalidInput, match="complete, approved or empty"):
        policies.propose(LEAD, MODEL, PolicyKind.PROMOTION, {"card": "nice"}, reason="x")
