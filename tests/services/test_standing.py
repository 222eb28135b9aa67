"""Between opening a page and pressing its button much can happen: every command asks again who is asking."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

from mlops_dash.bootstrap import Services, build
from mlops_dash.domain.access import NEEDS, PERSON_ROLES, RANK, Actor, Permission, Role, Token
from mlops_dash.errors import NotAllowed, NotAuthenticated, NotFound
from mlops_dash.ids import sha256_text
from mlops_dash.services.access import sessions
from mlops_dash.services.command import Context
from mlops_dash.store import access as store
from mlops_dash.store.db import Session, transaction
from tests import factories
from tests.factories import ADMIN, NOON

Verb = Callable[..., object]
Fault = Callable[[Session, Actor, Context], object]
EXACTLY_FOR = {role: f"someone-{role}" for role in PERSON_ROLES}  # one person a role


def _lower(session: Session, actor: Actor, _context: Context) -> None:
    assert actor.role is not None
    store.change_user(session, actor.id, role=next(role for role in PERSON_ROLES if RANK[role] == RANK[actor.role] - 1))


def _disable(session: Session, actor: Actor, _context: Context) -> None:
    store.change_user(session, actor.id, disabled=True)


def _log_out(session: Session, actor: Actor, context: Context) -> None:
    store.end_session(session, actor.credential, wall=context.clock.wall())


def _revoke(session: Session, actor: Actor, context: Context) -> None:
    store.revoke_token(session, actor.credential, at=context.clock.now())


BY_SESSION: dict[str, Fault] = {"disabled": _disable, "downgraded": _lower, "logged out elsewhere": _log_out}
BY_TOKEN: dict[str, Fault] = {"disabled": _disable, "downgraded": _lower, "revoked": _revoke}


@pytest.fixture
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    built = build(factories.settings(tmp_path_factory.mktemp("standing")))
    for role, name in EXACTLY_FOR.items():
        built.access.create_user(ADMIN, name, role)
    yield built
    built.close()


def verbs(house: Services) -> dict[str, tuple[Verb, Permission]]:
    """Everything that is marked as a service method, found on the built services, with what it needs."""
    return {
        f"{noun}.{name}": (verb, getattr(verb, "__mlops_permission__"))  # noqa: B009  (unknown to the type checker)
        for noun, kind in typing.get_type_hints(Services).items()
        if kind is not Context
        for name, verb in inspect.getmembers(getattr(house, noun), inspect.ismethod)
        if getattr(verb, "__mlops_kind__", "")
    }


def commands(house: Services) -> dict[str, tuple[Verb, Permission]]:
    """Everything that is marked @command and that people may do."""
    return {
        name: (verb, permission)
        for name, (verb, permission) in verbs(house).items()
        if permission in NEEDS and getattr(verb, "__mlops_kind__") == "command"  # noqa: B009
    }


def by_session(house: Services, role: Role, *, life: timedelta = sessions.SESSION_LIFE) -> Actor:
    """The person who opened a page: with the role that is just high enough."""
    secret, wall = house.context.new_id(), house.context.clock.wall()
    with transaction(house.context.databases.app) as session:
        user = store.user_by_name(session, EXACTLY_FOR[role])
        assert user is not None
        store.add_session(session, sha256_text(secret), kind=store.BROWSER, user_id=user.id, wall=wall,
                          until=wall + life, user_agent="")  # fmt: skip
    return sessions.person(user, secret)


def by_token(house: Services, role: Role, *, life: timedelta = timedelta(days=1)) -> Actor:
    """The same person through an API token."""
    number, now = house.context.new_id(), house.context.clock.now()
    with transaction(house.context.databases.app) as session:
        user = store.user_by_name(session, EXACTLY_FOR[role])
        assert user is not None
        token = Token(number, "ci", user.name, role, NOON, now + life, None, None)
        store.add_token(session, token, user_id=user.id, secret_sha256=sha256_text(number))
    return sessions.by_token(user, number)


def presses(house: Services, people: dict[Role, Actor]) -> dict[str, str]:
    """What each command answers: `refused`, or that it went on to look at its arguments."""
    answers = {}
    for name, (verb, permission) in commands(house).items():
        try:
            verb(people[NEEDS[permission]])
            answers[name] = "acted"
        except (NotAllowed, NotAuthenticated):
            answers[name] = "refused"
        except (TypeError, NotFound):  # the arguments are missing, or the demo is: it had let the person in
            answers[name] = "let in"
    return answers


def test_there_are_commands_to_press_and_all_let_in_who_still_stands(house: Services) -> None:
    for people in ({r: by_session(house, r) for r in PERSON_ROLES}, {r: by_token(house, r) for r in PERSON_ROLES}):
        answers = presses(house, people)
        assert len(answers) > 30
        assert {name for name, answer in answers.items() if answer == "refused"} == set()


@pytest.mark.parametrize("fault", BY_SESSION)
def test_every_command_is_refused_between_open_and_press(house: Services, fault: str) -> None:
    people = {role: by_session(house, role) for role in PERSON_ROLES}
    _befall(house, people, BY_SESSION[fault])
    _all_refused(house, people)


@pytest.mark.parametrize("fault", BY_TOKEN)
def test_every_command_by_token_is_refused_between_answer_and_call(house: Services, fault: str) -> None:
    people = {role: by_token(house, role) for role in PERSON_ROLES}
    _befall(house, people, BY_TOKEN[fault])
    _all_refused(house, people)


@pytest.mark.parametrize("enter", [by_session, by_token])
def test_every_command_is_refused_when_the_session_or_the_token_ran_out_meanwhile(
    house: Services, enter: Callable[..., Actor]
) -> None:
    _all_refused(house, {role: enter(house, role, life=timedelta(0)) for role in PERSON_ROLES})


def test_a_person_that_is_not_in_the_database_any_more_may_nothing(house: Services) -> None:
    ghost = Actor("user:ghost", "ghost", Role.ADMIN, credential=sha256_text("was valid"))
    _all_refused(house, dict.fromkeys(PERSON_ROLES, ghost))


def test_somebody_elses_session_lends_no_rights(house: Services) -> None:
    admin, viewer = by_session(house, Role.ADMIN), by_session(house, Role.VIEWER)
    forged = Actor(admin.id, admin.name, admin.role, credential=viewer.credential)
    _all_refused(house, dict.fromkeys(PERSON_ROLES, forged))


def _befall(house: Services, people: dict[Role, Actor], fault: Fault) -> None:
    with transaction(house.context.databases.app) as session:
        for role, actor in people.items():
            if role is not Role.VIEWER:  # no command is theirs, and there is no lower role
                fault(session, actor, house.context)


def _all_refused(house: Services, people: dict[Role, Actor]) -> None:
    before = house.audit.head(ADMIN)
    assert {name: answer for name, answer in presses(house, people).items() if answer != "refused"} == {}
    assert house.audit.head(ADMIN) == before


def test_a_service_account_may_log_of_its_models_and_call_nothing_else(house: Services) -> None:
    house.registry.add_model(ADMIN, "trains", task="regression", source="external", reason="late trains")
    account = house.access.create_service(ADMIN, "ticket-machine", ["trains"], reason="logs")
    actor = house.access.actor_for_token(house.access.issue_token(ADMIN, account.name, label="ci").secret)
    let_in = set()
    for name, (verb, permission) in verbs(house).items():
        if permission is Permission.PUBLIC:  # the login, which knows no actor yet
            continue
        for model in ("trains", "somebody's"):
            wants = inspect.signature(verb).parameters
            given = {
                one: model if one == "model" else None
                for one, how in wants.items()
                if how.default is how.empty and how.kind is not how.VAR_KEYWORD and one not in {"actor", "unit"}
            }
            try:
                verb(actor, **given)
            except NotAllowed:
                continue
            except Exception:  # noqa: BLE001 - it was let in, and what it was given is nothing
                pass
            let_in.add((name, model))
    logs = ("new_versions", "prepare_predictions", "prepare_labels", "record_predictions", "record_labels",
            "read_rows", "file_rows", "file_labels", "record_events", "file_events")  # fmt: skip
    assert let_in == {
        *((f"scoring.{name}", "trains") for name in logs),
        ("scoring.store", "trains"), ("scoring.store", "somebody's"),  # it asks what it is given: see test_scoring.py
    }  # fmt: skip
