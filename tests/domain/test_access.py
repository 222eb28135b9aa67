"""Roles nest, permissions are refused with a reason, and waiting things reach the right person."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

import pytest

from mlops_dash.domain.access import (
    NEEDS,
    NOBODY,
    RANK,
    Actor,
    Permission,
    Role,
    Token,
    new_service,
    new_user,
    proposal_waits_for,
    slow_down,
    system,
)
from mlops_dash.errors import InvalidInput, NotAllowed, NotAuthenticated
from tests.factories import ADMIN, LEAD, NOON, SCIENTIST, VIEWER

PEOPLE = (VIEWER, SCIENTIST, LEAD, ADMIN)


def test_every_permission_but_the_login_and_our_own_needs_a_role() -> None:
    assert set(Permission) - set(NEEDS) == {Permission.PUBLIC, Permission.SYSTEM}


@pytest.mark.parametrize("permission", NEEDS)
def test_roles_nest(permission: Permission) -> None:
    allowed = [actor.may(permission) for actor in PEOPLE]
    assert allowed == sorted(allowed)
    assert allowed == [RANK[actor.role or Role.VIEWER] >= RANK[NEEDS[permission]] for actor in PEOPLE]


@pytest.mark.parametrize("permission", Permission)
def test_why_not_is_empty_exactly_when_allowed(permission: Permission) -> None:
    for actor in (*PEOPLE, NOBODY, system("worker"), Actor("user:kiosk", "kiosk", Role.SERVICE)):
        assert (actor.why_not(permission) == "") is actor.may(permission)


def test_our_own_processes_may_do_everything_and_people_may_not_do_theirs() -> None:
    assert all(system("worker").may(permission) for permission in Permission)
    with pytest.raises(NotAllowed) as refused:
        ADMIN.require(Permission.SYSTEM)
    assert refused.value.hint == "Only our own processes may do this."


def test_nobody_may_only_log_in() -> None:
    NOBODY.require(Permission.PUBLIC)
    for permission in set(Permission) - {Permission.PUBLIC}:
        with pytest.raises(NotAuthenticated):
            NOBODY.require(permission)


def test_a_refusal_names_the_role_needed_and_the_role_had() -> None:
    assert VIEWER.why_not(Permission.PROMOTE) == "Needs the role lead; you are viewer."


def test_a_service_account_writes_predictions_and_labels_of_its_models_and_nothing_else() -> None:
    program = Actor("user:kiosk", "kiosk", Role.SERVICE, models=frozenset({'it\'s "late"'}))
    assert {one for one in Permission if program.may(one)} == {Permission.PUBLIC, Permission.LOG_WRITE}
    assert program.why_not(Permission.ROOM_READ).startswith("A service account writes predictions and labels")
    program.require_model('it\'s "late"')
    with pytest.raises(NotAllowed, match="'churn' is none of the models of the service account kiosk"):
        program.require_model("churn")
    SCIENTIST.require_model("churn")


def test_a_service_account_has_a_model_and_a_name_like_anybody() -> None:
    assert new_service("Kiosk", ["b", "a", "b"], at=NOON).models == ("a", "b")
    for name, models in (("kiosk", []), ("Ki osk", ["a"])):
        with pytest.raises(InvalidInput):
            new_service(name, models, at=NOON)


def test_an_unknown_kind_of_actor_without_a_role_is_refused() -> None:
    assert not Actor("x", "x", None).may(Permission.ROOM_READ)


@pytest.mark.parametrize("name", ["a", "ada", "a.b-c_d", "0x", "x" * 40, " Ada "])
def test_usable_names_become_small_letters_and_the_id(name: str) -> None:
    made = new_user(name, Role.VIEWER, "", at=NOON)
    assert made.id == f"user:{name.strip().lower()}"
    assert made.display_name == made.name
    assert made.invited


@pytest.mark.parametrize("name", ["", " ", "a b", ".a", "a" * 41, "a\nb", "é"])
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(InvalidInput):
        new_user(name, Role.VIEWER, "", at=NOON)


def token(**changes: object) -> Token:
    values: dict[str, object] = {
        "id": "t",
        "name": "scoring",
        "user_name": "ada",
        "role": Role.LEAD,
        "created_at": NOON,
        "expires_at": NOON + timedelta(days=1),
        "revoked_at": None,
        "last_used_at": None,
    }
    return Token(**{**values, **changes})  # type: ignore[arg-type]


def test_a_token_lives_until_it_expires_or_is_revoked() -> None:
    assert token().live(NOON)
    assert not token().live(NOON + timedelta(days=1))
    assert not token(revoked_at=NOON).live(NOON)
    assert token(expires_at=None).live(NOON + timedelta(days=10_000))


def test_waiting_grows_and_never_exceeds_a_minute() -> None:
    waits = [slow_down(n) for n in range(200)]
    assert all(a <= b for a, b in pairwise(waits))
    assert waits[4] == timedelta(0)
    assert waits[199] == timedelta(minutes=1)


@pytest.mark.parametrize(
    ("actor", "state", "approved_by", "title"),
    [
        (LEAD, "open", (), "Review flight-delay v3"),
        (ADMIN, "open", (LEAD.id,), "Review flight-delay v3"),
        (LEAD, "open", (LEAD.id,), None),
        (SCIENTIST, "open", (), None),
        (LEAD, "approved", (LEAD.id,), "Promote flight-delay v3"),
        (VIEWER, "approved", (), None),
        (LEAD, "promoted", (), None),
    ],
)
def test_a_proposal_waits_for_who_may_act_and_did_not_yet(
    actor: Actor, state: str, approved_by: tuple[str, ...], title: str | None
) -> None:
    found = proposal_waits_for(
        actor,
        model="flight-delay",
        version="3",
        state=state,
        proposer=SCIENTIST.id,
        approved_by=approved_by,
        since=NOON,
    )
    assert (found.title if found else None) == title


def test_nobody_is_asked_to_judge_their_own_proposal() -> None:
    found = proposal_waits_for(
        ADMIN, model="m", version="1", state="open", proposer=ADMIN.id, approved_by=(), since=NOON
    )
    assert found is None
