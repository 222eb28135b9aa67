"""What the database guards for promotions, on SQLite and on Postgres."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy.engine import Engine
from sqlmodel import text

from mlops_dash import bootstrap
from mlops_dash.domain.policies import PolicyKind, default_policy
from mlops_dash.domain.registry.records import Approval, Operation, Proposal, Serving
from mlops_dash.domain.tasks import BINARY
from mlops_dash.domain.words import OperationState, ProposalState
from mlops_dash.errors import Conflict, MlopsDashError, NotFound
from mlops_dash.services.registry import RegistryService
from mlops_dash.settings import from_environment
from mlops_dash.store import evidence, policies
from mlops_dash.store import registry as store
from mlops_dash.store.db import engine, reading, transaction
from mlops_dash.store.tables.app import APP
from tests.factories import LEAD, NOON, VIEWER, WORKER, model_row, version_row
from tests.registry_world import MODEL, Hands, evidence_for, furnish


@pytest.fixture
def database(database_url: str) -> Iterator[Engine]:
    """A database with a model and three versions."""
    if database_url.startswith("postgresql"):
        first = engine(database_url, schema="public")
        with transaction(first) as session:
            session.connection().execute(text("CREATE SCHEMA app"))
        first.dispose()
    made = engine(database_url, schema="app")
    APP.create_all(made)
    with transaction(made) as session:
        session.add(model_row())
        session.flush()
        for number in ("1", "2", "10"):
            session.add(version_row(number))
    yield made
    made.dispose()


def proposal(key: str = "p", version: str = "2", state: ProposalState = ProposalState.OPEN) -> Proposal:
    return Proposal(
        id=key,
        model=MODEL,
        version_id=f"{MODEL}-v{version}",
        champion_version_id=None,
        state=state,
        revision=1,
        proposer="user:scientist",
        comment="c",
        policy_id="x",
        gates={},
        evidence_ids=("e1",),
        alert_id=None,
        created_at=NOON,
        expires_at=NOON + timedelta(days=1),
    )


def operation(key: str = "o", proposal_id: str | None = "p", version: str = "2") -> Operation:
    return Operation(
        id=key,
        kind="promote",
        model=MODEL,
        alias="champion",
        from_version_id=None,
        to_version_id=f"{MODEL}-v{version}",
        proposal_id=proposal_id,
        state=OperationState.DECIDED,
        actor="user:lead",
        reason="r",
        decided_at=NOON,
        shadow_version_ids=("a", "b"),
    )


def approval(key: str = "a", who: str = "user:lead", kind: str = "approve", basis: str = "b") -> Approval:
    return Approval(key, "p", who, kind, "", "fine", basis, NOON)


def test_what_goes_in_comes_out_with_its_zones(database: Engine) -> None:
    with transaction(database) as session:
        store.add_proposal(session, proposal())
        store.add_operation(session, operation())
        store.put_approval(session, approval())
        store.put_serving(session, Serving(MODEL, "champion", f"{MODEL}-v1", ("x",), 1, "o", NOON))
    with reading(database) as session:
        assert store.proposal(session, "p") == proposal()
        assert store.operation(session, "o") == operation()
        assert store.approvals(session, "p") == (approval(),)
        assert store.serving(session, MODEL) == Serving(MODEL, "champion", f"{MODEL}-v1", ("x",), 1, "o", NOON)
        assert [one.version for one in store.versions(session, MODEL)] == ["10", "2", "1"]  # as numbers, newest first


def test_a_change_of_what_was_changed_meanwhile_is_a_conflict_and_changes_nothing(database: Engine) -> None:
    with transaction(database) as session:
        store.add_proposal(session, proposal())
    with transaction(database) as session:
        assert store.change_proposal(session, "p", 1, state=ProposalState.APPROVED).revision == 2
    with pytest.raises(Conflict, match="changed since you looked"), transaction(database) as session:
        store.change_proposal(session, "p", 1, state=ProposalState.REJECTED)
    with reading(database) as session:
        assert store.proposal(session, "p").state is ProposalState.APPROVED


def test_two_proposals_of_a_model_cannot_both_be_promoting(database: Engine) -> None:
    with transaction(database) as session:
        store.add_proposal(session, proposal("p", "1"))
        store.add_proposal(session, proposal("q", "2"))
        store.change_proposal(session, "p", 1, state=ProposalState.PROMOTING)
    with pytest.raises(Conflict, match="Another version of this model"), transaction(database) as session:
        store.change_proposal(session, "q", 1, state=ProposalState.PROMOTING)
    with transaction(database) as session:
        store.change_proposal(session, "p", 2, state=ProposalState.PROMOTED)
    with transaction(database) as session:
        store.change_proposal(session, "q", 1, state=ProposalState.PROMOTING)


def test_a_proposal_promotes_once(database: Engine) -> None:
    with transaction(database) as session:
        store.add_operation(session, operation("o"))
    with pytest.raises(Conflict, match="being promoted already"), transaction(database) as session:
        store.add_operation(session, operation("o2"))
    with transaction(database) as session:  # rollbacks have no proposal, and there may be many
        store.add_operation(session, operation("r1", None))
        store.add_operation(session, operation("r2", None))
        store.change_operation(session, "r1", state=OperationState.CONFIRMED, epoch=4)
    with reading(database) as session:
        assert [one.id for one in store.unfinished(session)] == ["o", "r2"]


def test_an_approval_given_again_replaces_the_void_one(database: Engine) -> None:
    with transaction(database) as session:
        store.add_proposal(session, proposal())
        store.put_approval(session, approval())
        store.void_approval(session, "a", at=NOON, reason="changed")
    with reading(database) as session:
        assert store.approvals(session, "p")[0].holds("b", NOON) is False
    with transaction(database) as session:
        store.put_approval(session, approval("again", basis="c"))
    with reading(database) as session:
        kept = store.approvals(session, "p")
    assert [(one.basis, one.void_at) for one in kept] == [("c", None)]


def test_a_name_or_life_is_given_once(database: Engine) -> None:
    with reading(database) as session:
        known = store.model(session, MODEL)
        version = store.version(session, f"{MODEL}-v1")
    with pytest.raises(Conflict, match="exists"), transaction(database) as session:
        store.add_model(session, known)
    with pytest.raises(Conflict, match="recorded already"), transaction(database) as session:
        store.add_version(session, replace(version, id="other"))
    with transaction(database) as session:
        store.add_version(session, replace(version, id="other", incarnation=2))
    with reading(database) as session:
        assert [one.incarnation for one in store.incarnations(session, MODEL, "1")] == [2, 1]


@pytest.mark.parametrize("read", ["model", "version", "proposal", "operation"])
def test_what_is_not_there_is_not_found(database: Engine, read: str) -> None:
    with reading(database) as session, pytest.raises(NotFound, match="nothing"):
        getattr(store, read)(session, "nothing")


def test_evidence_is_kept_once_and_read_back_equal(database: Engine) -> None:
    found = evidence_for(f"{MODEL}-v2", "2", f"{MODEL}-v1", "1", NOON)
    with transaction(database) as session:
        ids = evidence.put(session, found)
        assert evidence.put(session, found) == ids
    with reading(database) as session:
        assert list(evidence.get(session, ids)) == found
        assert len(evidence.about(session, [f"{MODEL} v2"])) == len(found)
        assert {one.kind for one in evidence.about(session, [f"{MODEL} v2"], kinds=["check"])} == {"check"}
        assert evidence.prior_of(session, f"{MODEL}-v1") is None


def test_the_policy_in_force_is_the_newest_activated_one(database: Engine) -> None:
    kind = PolicyKind.PROMOTION
    first = replace(default_policy(MODEL, kind, BINARY), id="a", number=1, approver="x", active_from=NOON)
    with transaction(database) as session:
        assert policies.active(session, MODEL, kind, NOON).is_default
        policies.add(session, first)
        policies.add(session, replace(first, id="b", number=2, approver=None))
    with reading(database) as session:
        assert policies.active(session, MODEL, kind, NOON).id == "a"
    with transaction(database) as session:
        policies.put_into_force(session, "b", approver="y", at=NOON)
    with reading(database) as session:
        assert policies.active(session, MODEL, kind, NOON).id == "b"
        assert policies.active(session, MODEL, kind, NOON - timedelta(seconds=1)).is_default
    with pytest.raises(Conflict, match="exists already"), transaction(database) as session:
        policies.add(session, replace(first, id="c"))


def test_of_people_who_click_at_once_exactly_one_promotes(database_url: str, mlflow_uri: str, tmp_path: Path) -> None:
    """The same race on both databases, through the real services on the migrated schema."""
    hands = Hands()
    environment = {"MLOPS_DASH_HOME": str(tmp_path / "home"), "MLFLOW_TRACKING_URI": mlflow_uri}
    if database_url.startswith("postgresql"):
        environment |= {"MLOPS_DASH_DATABASE_URL": database_url}
    all_services = [bootstrap.build(from_environment(environment), clock=hands.clock()) for _ in range(4)]
    house = furnish(all_services[0].context, hands)
    made = house.approved()
    barrier = threading.Barrier(len(all_services))
    won: list[str] = []
    lost: list[MlopsDashError] = []

    def click(service: RegistryService) -> None:
        barrier.wait()
        try:
            done = service.begin_promotion(LEAD, made.id, made.revision, "now")
            service.finish_promotion(LEAD, done)
            won.append(done)
        except MlopsDashError as error:
            lost.append(error)

    threads = [threading.Thread(target=click, args=(one.registry,)) for one in all_services]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (len(won), [type(error) for error in lost]) == (1, [Conflict] * 3)
    serving = house.service.serving(VIEWER, MODEL)
    assert serving is not None
    assert (serving.version_id, serving.epoch) == (house.ids["2"], 2)
    house.hands.turn(seconds=1)
    house.beat("2")
    assert house.service.reconcile(WORKER).confirmed == tuple(won)
    assert house.verified().ok
    for one in all_services:
        one.close()
