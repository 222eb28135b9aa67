"""Policies are written by one person and put into force by another."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from mlops_dash.clock import fixed
from mlops_dash.domain.access import Actor, Role
from mlops_dash.domain.audit import Action
from mlops_dash.domain.policies import PolicyKind
from mlops_dash.domain.policies.room import PolicyState
from mlops_dash.errors import Conflict, InvalidInput, NotAllowed, NotFound
from mlops_dash.services.access import AccessService
from mlops_dash.services.command import Context
from mlops_dash.services.policies import PolicyService
from mlops_dash.store import audit
from mlops_dash.store.db import reading, transaction
from tests.factories import ADMIN, LEAD, NOON, SCIENTIST, VIEWER, model_row

KIND = PolicyKind.PROMOTION


@pytest.fixture(autouse=True)
def known(context: Context) -> None:
    """The model that these policies are of."""
    with transaction(context.databases.app) as session:
        session.add(model_row("m"))


def test_without_a_policy_the_named_default_holds(context: Context) -> None:
    policy = PolicyService(context).active(VIEWER, "m", KIND)
    assert policy.is_default
    assert policy.promotion.primary == "base_rate_free_loss"


def test_a_written_policy_holds_only_after_a_second_person(context: Context) -> None:
    service = PolicyService(context)
    written = service.propose(LEAD, "m", KIND, {"floor": 0.7}, reason="the floor is too low")
    assert service.active(VIEWER, "m", KIND).is_default

    service.activate(ADMIN, written.id, reason="agreed")

    assert service.active(VIEWER, "m", KIND).promotion.floor == 0.7
    assert [one.is_active for one in service.history(VIEWER, "m", KIND)] == [True]
    with reading(context.databases.app) as session:
        entries = list(audit.entries(session))
    assert [entry.action for entry in entries] == [Action.POLICY_PROPOSED, Action.POLICY_ACTIVATED]
    assert entries[0].before["floor"] == 0.6
    assert entries[0].after["floor"] == 0.7
    assert entries[0].reason == "the floor is too low"


def test_the_author_cannot_put_it_into_force_admin_included(context: Context) -> None:
    service = PolicyService(context)
    written = service.propose(ADMIN, "m", KIND, {"floor": 0.7}, reason="r")
    with pytest.raises(NotAllowed, match="wrote this policy"):
        service.activate(ADMIN, written.id, reason="mine")
    assert service.active(VIEWER, "m", KIND).is_default


def test_who_wrote_it_at_the_command_line_cannot_put_it_into_force_by_their_account(context: Context) -> None:
    service = PolicyService(context)
    older = Actor("owner:Admin", "Admin", Role.ADMIN, kind="owner")
    written = service.propose(older, "m", KIND, {"floor": 0.7}, reason="r")
    with pytest.raises(NotAllowed, match="wrote this policy"):
        service.activate(ADMIN, written.id, reason="mine")


def test_a_scientist_may_not_write_one(context: Context) -> None:
    with pytest.raises(NotAllowed, match="policy:edit"):
        PolicyService(context).propose(SCIENTIST, "m", KIND, {}, reason="r")


def test_a_policy_needs_a_reason(context: Context) -> None:
    with pytest.raises(InvalidInput, match="reason"):
        PolicyService(context).propose(LEAD, "m", KIND, {"floor": 0.7}, reason="  ")


def test_the_same_policy_again_is_a_conflict(context: Context) -> None:
    service = PolicyService(context)
    written = service.propose(LEAD, "m", KIND, {"floor": 0.7}, reason="r")
    service.activate(ADMIN, written.id, reason="r")
    with pytest.raises(Conflict, match="says that already"):
        service.propose(LEAD, "m", KIND, {"floor": 0.7}, reason="r")
    with pytest.raises(Conflict, match="in force already"):
        service.activate(ADMIN, written.id, reason="r")


def test_an_older_draft_cannot_replace_a_newer_policy(context: Context) -> None:
    service = PolicyService(context)
    older = service.propose(LEAD, "m", KIND, {"floor": 0.7}, reason="r")
    newer = service.propose(LEAD, "m", KIND, {"floor": 0.8}, reason="r")
    service.activate(ADMIN, newer.id, reason="r")
    with pytest.raises(Conflict, match="policy 2 of m is in force already"):
        service.activate(ADMIN, older.id, reason="r")


def test_a_policy_does_not_hold_before_the_moment_it_was_activated(context: Context) -> None:
    service = PolicyService(context)
    written = service.propose(LEAD, "m", KIND, {"floor": 0.7}, reason="r")
    service.activate(ADMIN, written.id, reason="r")
    before = PolicyService(replace(context, clock=fixed(NOON - timedelta(hours=1))))
    assert before.active(VIEWER, "m", KIND).is_default


def test_models_and_kinds_are_kept_apart(context: Context) -> None:
    service = PolicyService(context)
    written = service.propose(LEAD, "m", PolicyKind.MONITORING, {"zone": "America/New_York"}, reason="r")
    service.activate(ADMIN, written.id, reason="r")
    assert service.active(VIEWER, "m", PolicyKind.MONITORING).monitoring.zone == "America/New_York"
    assert service.active(VIEWER, "m", KIND).is_default
    assert service.active(VIEWER, "other", PolicyKind.MONITORING).is_default


def test_an_unknown_policy_is_not_found(context: Context) -> None:
    with pytest.raises(NotFound, match="nothing"):
        PolicyService(context).activate(LEAD, "nothing", reason="r")


def test_a_policy_of_a_model_that_nobody_added_is_refused(context: Context) -> None:
    service = PolicyService(context)
    for ask in (
        lambda: service.propose(LEAD, "chrun", KIND, {"floor": 0.7}, reason="r"),
        lambda: service.room(VIEWER, "chrun", KIND),
        lambda: service.changes(VIEWER, "chrun", KIND, {}),
    ):
        with pytest.raises(NotFound, match="No model 'chrun'"):
            ask()


def test_what_waits_already_is_not_written_twice(context: Context) -> None:
    service = PolicyService(context)
    service.propose(LEAD, "m", KIND, {"floor": 0.7}, reason="r")
    with pytest.raises(Conflict, match="policy 1 of m says that already and waits"):
        service.propose(ADMIN, "m", KIND, {"floor": 0.7}, reason="r")


def test_nothing_comes_into_force_without_a_reason(context: Context) -> None:
    service = PolicyService(context)
    written = service.propose(LEAD, "m", KIND, {"floor": 0.7}, reason="r")
    with pytest.raises(InvalidInput, match="needs a reason"):
        service.activate(ADMIN, written.id, reason=" ")
    assert service.active(VIEWER, "m", KIND).is_default


def test_the_author_is_told_whom_to_ask_and_what_to_do_where_there_is_nobody(context: Context) -> None:
    service, access = PolicyService(context), AccessService(context)
    written = service.propose(LEAD, "m", KIND, {"floor": 0.7}, reason="r")

    def hint() -> str:
        with pytest.raises(NotAllowed) as refused:
            service.activate(LEAD, written.id, reason="mine")
        return refused.value.hint

    assert "mlops-dash user add NAME --role lead" in hint()
    access.create_user(ADMIN, "vi", Role.VIEWER)
    access.create_user(ADMIN, "lead", Role.LEAD)  # the author themselves
    assert "Nobody else here may yet" in hint()
    access.create_user(ADMIN, "ada", Role.LEAD)
    access.create_user(ADMIN, "zoe", Role.LEAD)
    access.disable_user(ADMIN, "zoe")
    assert hint() == "Ask another lead or admin: ada."


def test_one_read_tells_every_field_and_how_far_each_version_has_come(context: Context) -> None:
    service = PolicyService(context)
    first, _overtaken, third = (
        service.propose(LEAD, "m", KIND, {"floor": floor}, reason="r") for floor in (0.61, 0.62, 0.63)
    )
    service.activate(ADMIN, first.id, reason="r")
    service.activate(ADMIN, third.id, reason="r")
    service.propose(LEAD, "m", KIND, {"floor": 0.64}, reason="r")

    room = service.room(VIEWER, "m", KIND)

    assert [room.state(one) for one in room.history] == [
        PolicyState.WAITS, PolicyState.IN_FORCE, PolicyState.OVERTAKEN, PolicyState.REPLACED,
    ]  # fmt: skip
    assert [one.number for one in room.waiting] == [4]
    floor = next(one for one in room.fields if one.name == "floor")
    assert (floor.value, floor.default) == (0.63, 0.60)
    assert service.changes(VIEWER, "m", KIND, {"floor": 0.7, "level": 0.9}) == (
        ("floor", 0.63, 0.7), ("level", 0.95, 0.9),
    )  # fmt: skip
