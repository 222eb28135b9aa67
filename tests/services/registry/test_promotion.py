"""Promotion and rollback: decided once, carried out once, whatever crashes in between."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from mlops_dash.domain.audit import Action
from mlops_dash.domain.words import OperationState, ProposalState
from mlops_dash.errors import Conflict, InvalidInput, MlopsDashError, NotAllowed, Unavailable
from mlops_dash.services.registry import RegistryService
from mlops_dash.store import registry as store
from mlops_dash.store.db import reading
from mlops_dash.tracking.registry import MlflowRegistry
from tests import factories
from tests.factories import LEAD, LEAD_TOO, SCIENTIST, VIEWER, WORKER
from tests.registry_world import MODEL, World, world


@pytest.fixture
def house(tmp_path: Path, mlflow_uri: str) -> Iterator[World]:
    made = world(tmp_path, mlflow_uri)
    yield made
    made.context.databases.dispose()


def state_of(house: World, proposal_id: str) -> ProposalState:
    with reading(house.context.databases.app) as session:
        return store.proposal(session, proposal_id).state


def test_a_promotion_moves_the_alias_and_what_is_served_and_is_in_the_ledger(house: World) -> None:
    before = house.service.serving(VIEWER, MODEL)
    operation = house.service.operation(VIEWER, house.promoted())

    serving = house.service.serving(VIEWER, MODEL)
    assert before is not None
    assert serving is not None
    assert (serving.version_id, serving.epoch) == (house.ids["2"], before.epoch + 1)
    assert serving.operation_id == operation.id
    assert house.mlflow.alias(MODEL, "champion") == "2"
    assert operation.state is OperationState.ALIAS_MOVED
    assert operation.proposal_id is not None
    assert state_of(house, operation.proposal_id) is ProposalState.PROMOTED
    decided, finished = house.ledger()[-2:]
    assert (decided.action, finished.action) == (Action.PROMOTION_DECIDED, Action.PROMOTION_FINISHED)
    assert (decided.before["champion"], decided.after["champion"]) == ("v1", "v2")
    assert decided.after["approved_by"] == [LEAD.id]
    assert len(decided.evidence_ids) == 5
    assert (finished.before["champion"], finished.after["champion"]) == ("v1", "v2")
    assert house.verified().ok


def test_a_promotion_needs_a_reason_and_a_lead(house: World) -> None:
    made = house.approved()
    with pytest.raises(InvalidInput, match="needs a reason"):
        house.service.begin_promotion(LEAD, made.id, made.revision, "  ")
    with pytest.raises(NotAllowed, match="promotion:run"):
        house.service.begin_promotion(SCIENTIST, made.id, made.revision, "now")
    assert state_of(house, made.id) is ProposalState.APPROVED


def test_without_approval_nothing_is_promoted(house: World) -> None:
    made = house.proposal()
    with pytest.raises(Conflict, match="0 of 1 approvals"):
        house.service.begin_promotion(LEAD, made.id, made.revision, "now")
    assert house.mlflow.alias(MODEL, "champion") == "1"


def test_a_gate_that_went_red_after_the_approval_stops_the_click(house: World) -> None:
    made = house.approved()
    house.hands.turn(hours=1)
    house.measured("2", "1", low=0.001, high=0.02)
    with pytest.raises(Conflict, match=r"primary metric \(failed\)"):
        house.service.begin_promotion(LEAD, made.id, made.revision, "now")
    assert house.actions()[-1] is Action.PROPOSAL_APPROVED


def test_a_second_click_is_a_conflict_and_changes_nothing(house: World) -> None:
    made = house.approved()
    operation = house.service.begin_promotion(LEAD, made.id, made.revision, "now")
    for revision in (made.revision, made.revision + 1):
        with pytest.raises(Conflict):
            house.service.begin_promotion(LEAD_TOO, made.id, revision, "me too")
    house.service.finish_promotion(LEAD, operation)
    assert house.actions().count(Action.PROMOTION_DECIDED) == 2  # v1's and this one
    assert house.service.serving(VIEWER, MODEL).epoch == 2  # type: ignore[union-attr]


def test_finishing_twice_counts_once(house: World) -> None:
    operation = house.promoted()
    entries = len(house.ledger())
    again = house.service.finish_promotion(LEAD, operation)
    assert again.state is OperationState.ALIAS_MOVED
    assert len(house.ledger()) == entries
    assert house.service.serving(VIEWER, MODEL).epoch == 2  # type: ignore[union-attr]


def test_a_crash_before_the_alias_moved_is_finished_by_the_worker(house: World) -> None:
    made = house.approved()
    operation = house.service.begin_promotion(LEAD, made.id, made.revision, "now")
    # the process dies here
    assert house.service.serving(VIEWER, MODEL).version_id == house.ids["1"]  # type: ignore[union-attr]
    assert house.mlflow.alias(MODEL, "champion") == "1"

    done = RegistryService(house.context).reconcile(WORKER)

    assert done.finished == (operation,)
    assert house.service.serving(VIEWER, MODEL).version_id == house.ids["2"]  # type: ignore[union-attr]
    assert house.mlflow.alias(MODEL, "champion") == "2"
    assert house.ledger()[-1].actor == WORKER.id
    assert house.ledger()[-1].after["decided_by"] == LEAD.id
    assert house.service.reconcile(WORKER).finished == ()


def test_a_crash_after_the_alias_moved_is_finished_by_the_worker_without_an_alarm(
    house: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = house.approved()
    operation = house.service.begin_promotion(LEAD, made.id, made.revision, "now")

    class Died(BaseException):
        """The process is gone, whatever it was doing."""

    def die(*arguments: object) -> None:
        raise Died

    monkeypatch.setattr(MlflowRegistry, "alias", die)  # it is set, and then read back
    with pytest.raises(Died):
        house.service.finish_promotion(LEAD, operation)
    monkeypatch.undo()
    assert house.mlflow.alias(MODEL, "champion") == "2"
    assert house.service.serving(VIEWER, MODEL).version_id == house.ids["1"]  # type: ignore[union-attr]

    done = house.service.reconcile(WORKER)

    assert (done.finished, done.alarms) == ((operation,), ())
    assert house.service.serving(VIEWER, MODEL).version_id == house.ids["2"]  # type: ignore[union-attr]
    assert house.actions().count(Action.PROMOTION_FINISHED) == 2
    assert house.verified().ok


def test_mlflow_away_keeps_the_decision_and_the_worker_tries_again(house: World) -> None:
    made = house.approved()
    operation = house.service.begin_promotion(LEAD, made.id, made.revision, "now")
    address, house.mlflow.uri = house.mlflow.uri, "http://127.0.0.1:9"
    with pytest.raises(Unavailable, match="does not answer"):
        house.service.finish_promotion(LEAD, operation)
    waiting = house.service.reconcile(WORKER)
    assert waiting.waiting == (operation,)
    assert "does not answer" in waiting.mlflow
    assert house.service.operation(VIEWER, operation).attempts == 2
    assert house.service.serving(VIEWER, MODEL).version_id == house.ids["1"]  # type: ignore[union-attr]

    house.mlflow.uri = address
    assert house.service.reconcile(WORKER).finished == (operation,)
    assert house.service.serving(VIEWER, MODEL).version_id == house.ids["2"]  # type: ignore[union-attr]


def test_a_version_that_is_gone_from_mlflow_closes_the_operation_as_failed(house: World) -> None:
    made = house.approved()
    operation = house.service.begin_promotion(LEAD, made.id, made.revision, "now")
    house.mlflow._client().delete_model_version(MODEL, "2")
    with pytest.raises(Conflict, match="given up"):
        house.service.finish_promotion(LEAD, operation)
    assert house.service.operation(VIEWER, operation).state is OperationState.FAILED
    assert state_of(house, made.id) is ProposalState.VOID
    assert house.service.serving(VIEWER, MODEL).version_id == house.ids["1"]  # type: ignore[union-attr]
    assert "failed" in house.ledger()[-1].after
    assert house.service.reconcile(WORKER).finished == ()


def test_of_two_people_who_click_at_once_exactly_one_promotes(house: World, tmp_path: Path) -> None:
    made = house.approved()
    others = [factories.context(tmp_path, clock=house.hands.clock(), mlflow_uri=house.mlflow.uri) for _ in range(4)]
    barrier = threading.Barrier(len(others))
    won: list[str] = []
    lost: list[MlopsDashError] = []

    def click(service: RegistryService) -> None:
        barrier.wait()
        try:
            operation = service.begin_promotion(LEAD, made.id, made.revision, "now")
            service.finish_promotion(LEAD, operation)
            won.append(operation)
        except MlopsDashError as error:
            lost.append(error)

    threads = [threading.Thread(target=click, args=(RegistryService(one),)) for one in others]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(won) == 1
    assert [type(error) for error in lost] == [Conflict] * 3
    assert house.service.serving(VIEWER, MODEL).epoch == 2  # type: ignore[union-attr]
    assert house.actions().count(Action.PROMOTION_FINISHED) == 2  # v1's and this one
    assert house.verified().ok
    for one in others:
        one.databases.dispose()


def test_of_two_finishers_at_once_exactly_one_counts(house: World, tmp_path: Path) -> None:
    made = house.approved()
    operation = house.service.begin_promotion(LEAD, made.id, made.revision, "now")
    others = [factories.context(tmp_path, clock=house.hands.clock(), mlflow_uri=house.mlflow.uri) for _ in range(3)]
    barrier = threading.Barrier(len(others))
    states: list[OperationState] = []

    def finish(service: RegistryService) -> None:
        barrier.wait()
        states.append(service.finish_promotion(LEAD, operation).state)

    threads = [threading.Thread(target=finish, args=(RegistryService(one),)) for one in others]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert states == [OperationState.ALIAS_MOVED] * 3
    assert house.service.serving(VIEWER, MODEL).epoch == 2  # type: ignore[union-attr]
    assert house.actions().count(Action.PROMOTION_FINISHED) == 2
    for one in others:
        one.databases.dispose()


def test_other_open_proposals_become_void_when_the_champion_changes(house: World) -> None:
    registered = house.mlflow.create_version(MODEL, source="/nowhere/3", run_id="")
    house.ids["3"] = house.service.record_version(WORKER, MODEL, registered.version, source_uri=registered.source)
    house.measured("3", "1")
    other = house.proposal(version="3")
    house.promoted()
    assert state_of(house, other.id) is ProposalState.VOID
    assert house.service.room(LEAD, MODEL, "3").gates[0].reason.startswith("Not yet compared with flight-delay v2")


def test_shadows_are_kept_unless_said_otherwise(house: World) -> None:
    made = house.approved()
    operation = house.service.begin_promotion(LEAD, made.id, made.revision, "now", shadows=[house.ids["1"]])
    house.service.finish_promotion(LEAD, operation)
    assert house.service.serving(VIEWER, MODEL).shadow_version_ids == (house.ids["1"],)  # type: ignore[union-attr]

    house.service.finish_promotion(LEAD, house.service.begin_rollback(LEAD, MODEL, "worse"))
    assert house.service.serving(VIEWER, MODEL).shadow_version_ids == ()  # type: ignore[union-attr]


def test_a_stranger_cannot_score_silently(house: World) -> None:
    made = house.approved()
    with pytest.raises(InvalidInput, match="no version of"):
        house.service.begin_promotion(LEAD, made.id, made.revision, "now", shadows=["stranger"])


def test_a_rollback_goes_to_the_champion_before_with_a_reason_and_no_quorum(house: World) -> None:
    house.promoted()
    house.hands.turn(days=7)
    with pytest.raises(InvalidInput, match="reason"):
        house.service.begin_rollback(LEAD, MODEL, "")
    with pytest.raises(NotAllowed, match="rollback:run"):
        house.service.begin_rollback(SCIENTIST, MODEL, "worse")

    operation = house.service.begin_rollback(LEAD, MODEL, "calibration broke")
    house.service.finish_promotion(LEAD, operation)

    assert house.service.serving(VIEWER, MODEL).version_id == house.ids["1"]  # type: ignore[union-attr]
    assert house.mlflow.alias(MODEL, "champion") == "1"
    assert house.actions()[-2:] == [Action.ROLLBACK_DECIDED, Action.ROLLBACK_FINISHED]
    assert house.ledger()[-2].reason == "calibration broke"
    with pytest.raises(Conflict, match="no earlier champion"):
        house.service.begin_rollback(LEAD, MODEL, "again")


def test_nothing_starts_while_a_change_is_being_carried_out(house: World) -> None:
    house.promoted()
    operation = house.service.begin_rollback(LEAD, MODEL, "worse")
    with pytest.raises(Conflict, match="being carried out"):
        house.service.begin_rollback(LEAD_TOO, MODEL, "worse too")
    house.service.finish_promotion(LEAD, operation)


def test_history_says_who_was_champion_when_by_whom_and_why(house: World) -> None:
    start = house.service.serving(VIEWER, MODEL).since  # type: ignore[union-attr]
    house.promoted()
    second = house.hands.at
    house.hands.turn(days=7)
    house.service.finish_promotion(LEAD_TOO, house.service.begin_rollback(LEAD_TOO, MODEL, "worse"))

    history = house.service.history(VIEWER, MODEL)

    assert [(one.label, one.kind, one.who) for one in history] == [
        ("v1", "promote", LEAD.id),
        ("v2", "promote", LEAD.id),
        ("v1", "rollback", LEAD_TOO.id),
    ]
    assert history[1].until == history[2].since == house.hands.at
    at = house.service.champion_at
    assert at(VIEWER, MODEL, start - timedelta(seconds=1)) is None
    assert at(VIEWER, MODEL, second - timedelta(seconds=1)).label == "v1"  # type: ignore[union-attr]
    assert at(VIEWER, MODEL, second).label == "v2"  # type: ignore[union-attr]
    assert at(VIEWER, MODEL, house.hands.at).why == "worse"  # type: ignore[union-attr]
