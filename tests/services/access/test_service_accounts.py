"""Programs' accounts: who makes them, what they open, and what the ledger keeps."""

from __future__ import annotations

import pytest

from mlops_dash.domain.access import NOBODY, Actor, Role
from mlops_dash.domain.audit import Action, Entry
from mlops_dash.errors import Conflict, InvalidInput, NotAllowed, NotAuthenticated, NotFound
from mlops_dash.services.access import AccessService, sessions
from mlops_dash.services.audit import AuditService
from mlops_dash.services.command import Context
from mlops_dash.store import access as store
from mlops_dash.store.db import reading, transaction
from mlops_dash.store.registry import people
from tests.factories import ADMIN, LEAD, SCIENTIST, VIEWER, WORKER, model_row

TRAINS, SPECIES = 'it\'s "late"', "species"


@pytest.fixture
def access(context: Context) -> AccessService:
    with transaction(context.databases.app) as session:
        session.add(model_row(TRAINS, task="regression"))
        session.add(model_row(SPECIES, task="multiclass"))
    return AccessService(context)


@pytest.fixture
def kiosk(access: AccessService) -> str:
    """A token of an account that logs for the trains."""
    access.create_service(ADMIN, "Kiosk", [TRAINS], reason="tickets")
    return access.issue_token(ADMIN, "kiosk", label="kiosk").secret


def newest(context: Context) -> Entry:
    return AuditService(context).entries(ADMIN).entries[0]


def test_its_token_acts_as_it_with_its_models(context: Context, access: AccessService, kiosk: str) -> None:
    actor = access.actor_for_token(kiosk)
    assert actor == Actor("user:kiosk", "kiosk", Role.SERVICE, kind="token", models=frozenset({TRAINS}))
    assert access.tokens(ADMIN)[0].role is Role.SERVICE


def test_making_one_and_its_models_are_in_the_ledger(context: Context, access: AccessService) -> None:
    access.create_service(ADMIN, "kiosk", [TRAINS], reason="tickets")
    entry = newest(context)
    assert (entry.action, entry.object, entry.reason) == (Action.SERVICE_CREATED, "kiosk", "tickets")
    assert entry.after == {"models": [TRAINS]}
    made = access.set_service_models(ADMIN, "kiosk", [TRAINS, SPECIES], reason="two now")
    entry = newest(context)
    assert (entry.action, entry.reason) == (Action.SERVICE_MODELS_SET, "two now")
    assert (entry.before, entry.after) == ({"models": [TRAINS]}, {"models": [TRAINS, SPECIES]})
    assert made.models == (TRAINS, SPECIES)
    access.set_service_models(ADMIN, "kiosk", [SPECIES, TRAINS, SPECIES], reason="the same")
    assert newest(context) == entry


def test_other_models_hold_for_a_token_that_is_out_already(access: AccessService, kiosk: str) -> None:
    access.set_service_models(ADMIN, "kiosk", [SPECIES])
    assert access.actor_for_token(kiosk).models == {SPECIES}


def test_only_admins_make_and_see_them(access: AccessService, kiosk: str) -> None:
    for actor in (VIEWER, SCIENTIST, LEAD, access.actor_for_token(kiosk)):
        for call in (
            lambda actor=actor: access.create_service(actor, "eve", [TRAINS]),
            lambda actor=actor: access.set_service_models(actor, "kiosk", [SPECIES]),
            lambda actor=actor: access.service_accounts(actor),
            lambda actor=actor: access.issue_token(actor, "kiosk", label="another"),
        ):
            with pytest.raises(NotAllowed):
                call()
    assert [one.models for one in access.service_accounts(ADMIN)] == [(TRAINS,)]


def test_it_is_no_person_and_nobody_becomes_one(context: Context, access: AccessService, kiosk: str) -> None:
    access.create_user(ADMIN, "ada", Role.LEAD, password="four short words")
    assert [user.name for user in access.users(ADMIN)] == ["ada"]
    with reading(context.databases.app) as session:
        assert [name for _, name, _ in people(session)] == ["ada"]
    for call in (
        lambda: access.set_role(ADMIN, "kiosk", Role.ADMIN),
        lambda: access.issue_link(ADMIN, "kiosk"),
        lambda: access.create_user(ADMIN, "kiosk", Role.LEAD),
        lambda: access.create_service(ADMIN, "ada", [TRAINS]),
    ):
        with pytest.raises(Conflict):
            call()
    for call in (
        lambda: access.set_role(ADMIN, "ada", Role.SERVICE),
        lambda: access.create_user(ADMIN, "eve", Role.SERVICE),
    ):
        with pytest.raises(InvalidInput, match="cannot be a service account"):
            call()


def test_it_never_logs_in_even_with_a_session_in_the_database(
    context: Context, access: AccessService, kiosk: str
) -> None:
    with pytest.raises(NotAuthenticated):
        access.login(NOBODY, "kiosk", "")
    with transaction(context.databases.app) as session:
        made = store.user_by_name(session, "kiosk")
        assert made is not None
        cookie = sessions.open_browser(session, made, wall=context.clock.wall(), user_agent="")
    assert access.actor_for_session(cookie) is None


def test_a_disabled_one_is_refused_until_it_is_enabled(access: AccessService, kiosk: str) -> None:
    access.disable_user(ADMIN, "kiosk", reason="replaced")
    with pytest.raises(NotAuthenticated):
        access.actor_for_token(kiosk)
    access.enable_user(ADMIN, "kiosk", reason="back")
    assert access.actor_for_token(kiosk).name == "kiosk"


def test_what_is_not_known_is_said(access: AccessService) -> None:
    with pytest.raises(NotFound, match="No model 'churn'"):
        access.create_service(ADMIN, "kiosk", [TRAINS, "churn"])
    access.create_user(ADMIN, "ada", Role.LEAD)
    for name in ("ghost", "ada"):
        with pytest.raises(NotFound, match="no service account"):
            access.set_service_models(ADMIN, name, [TRAINS])
    with pytest.raises(InvalidInput, match="without a model"):
        access.create_service(ADMIN, "kiosk", [])


def test_a_program_before_the_first_person_leaves_the_first_admin_their_link(access: AccessService) -> None:
    access.create_service(ADMIN, "kiosk", [TRAINS])
    assert access.create_first_admin_link(WORKER) is not None
