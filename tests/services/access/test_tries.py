"""Guessing is slow, and nobody is kept out by somebody else's guesses."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from argon2 import PasswordHasher
from sqlmodel import select

from mlops_dash.domain.access import NOBODY, Actor, Role
from mlops_dash.errors import NotAuthenticated
from mlops_dash.services.access import AccessService, passwords, tries
from mlops_dash.services.command import Context
from mlops_dash.store.db import reading, transaction
from mlops_dash.store.tables.access import LoginAttemptRow
from tests.factories import ADMIN, NOON

PASSWORD = "four short words here"
HOME, OFFICE, STRANGER = "203.0.113.7", "198.51.100.9", "192.0.2.66"


@pytest.fixture
def clock(context: Context, monkeypatch: pytest.MonkeyPatch) -> list[datetime]:
    """The moment on the wall, which the test moves."""
    moved = [NOON]
    monkeypatch.setattr(context.clock, "wall", lambda: moved[0])
    return moved


@pytest.fixture
def access(context: Context, clock: list[datetime], monkeypatch: pytest.MonkeyPatch) -> AccessService:
    monkeypatch.setattr(passwords, "_hasher", PasswordHasher(time_cost=1, memory_cost=64))  # many guesses, little time
    passwords._nobodys_hash.cache_clear()
    made = AccessService(context)
    made.create_user(ADMIN, "ada", Role.LEAD, password=PASSWORD)
    return made


def guess(access: AccessService, address: str, *, name: str = "ada", known: str = "") -> str:
    """One wrong password; the sentence it is answered with."""
    with pytest.raises(NotAuthenticated) as refused:
        access.login(NOBODY, name, "wrong password", address=address, known_browser=known)
    return refused.value.sentence()


def passes(access: AccessService, address: str, known: str = "") -> bool:
    try:
        return access.login(NOBODY, "ada", PASSWORD, address=address, known_browser=known)[1].name == "ada"
    except NotAuthenticated:
        return False


def flood(context: Context, name: str = "ada", *, addresses: int, each: int) -> int:
    """Tries from many addresses at one moment, as they are counted; returns how many were looked at."""
    looked = 0
    with transaction(context.databases.app) as session:
        for number in range(addresses):
            made = tries.Guess(name, f"10.{number // 65536}.{number // 256 % 256}.{number % 256}")
            looked += sum(tries.count(session, made, wall=NOON) == 0 for _ in range(each))
    return looked


def test_a_stranger_who_guesses_waits_and_the_person_elsewhere_does_not(access: AccessService) -> None:
    said = [guess(access, STRANGER) for _ in range(30)]
    assert ["Too many" in one for one in said] == [False] * 5 + [True] * 25
    assert passes(access, HOME)
    assert not passes(access, STRANGER)


def test_an_hour_of_guessing_keeps_nobody_out(access: AccessService, clock: list[datetime]) -> None:
    for _ in range(60):
        clock[0] += timedelta(minutes=1)
        guess(access, STRANGER)
        assert passes(access, HOME)


def test_one_address_has_twenty_tries_over_all_names_and_then_one_every_15_seconds(
    access: AccessService, clock: list[datetime]
) -> None:
    said = [guess(access, STRANGER, name=f"name-{number}") for number in range(40)]
    assert ["Too many" in one for one in said] == [False] * 20 + [True] * 20
    assert said[-1].endswith("Wait 15 s, then try again.")
    assert not passes(access, STRANGER)
    clock[0] += timedelta(seconds=15)
    assert "do not fit" in guess(access, STRANGER, name="name-50")
    assert "Too many" in guess(access, STRANGER, name="name-51")


def test_an_address_of_the_sixth_version_is_its_network(access: AccessService) -> None:
    said = [guess(access, f"2001:db8:1:2::{number:x}", name=f"name-{number}") for number in range(25)]
    assert sum("Too many" in one for one in said) == 5
    assert passes(access, "2001:db8:1:3::1")


def test_right_passwords_cost_an_office_nothing(access: AccessService) -> None:
    assert all(passes(access, OFFICE) for _ in range(30))


def test_many_addresses_that_guess_one_name_are_slowed_together_but_not_a_fresh_one(
    context: Context, access: AccessService
) -> None:
    assert flood(context, addresses=30, each=5) < 30 * 4
    assert passes(access, HOME)


def test_all_guesses_together_have_a_limit(context: Context, access: AccessService) -> None:
    looked = flood(context, "some-name", addresses=100, each=4)
    assert 300 <= looked < 400
    assert passes(access, HOME)


def test_a_browser_known_to_the_person_waits_for_no_stranger_behind_the_same_address(access: AccessService) -> None:
    secret, ada = access.login(NOBODY, "ada", PASSWORD, address=OFFICE)
    known = access.remember_browser(ada, "")
    for number in range(40):
        guess(access, OFFICE, name="ada" if number < 20 else f"name-{number}")
    assert not passes(access, OFFICE)
    assert passes(access, OFFICE, known)
    assert access.actor_for_session(known) is None  # it opens nothing by itself
    assert access.actor_for_session(secret) == ada


def test_a_known_browser_that_was_stolen_guesses_as_slowly_as_anybody(access: AccessService) -> None:
    known = access.remember_browser(Actor("user:ada", "ada", Role.LEAD), "")
    said = [guess(access, STRANGER, known=known) for _ in range(10)]
    assert ["Too many" in one for one in said] == [False] * 5 + [True] * 5
    assert passes(access, HOME)


def test_a_known_browser_helps_its_own_person_alone_and_ends_with_the_account(access: AccessService) -> None:
    access.create_user(ADMIN, "bob", Role.VIEWER, password=PASSWORD)
    known = access.remember_browser(Actor("user:bob", "bob", Role.VIEWER), "")
    assert access.remember_browser(Actor("user:bob", "bob", Role.VIEWER), known) == known
    for number in range(25):
        guess(access, OFFICE, name=f"name-{number}")
    assert not passes(access, OFFICE, known)
    assert "do not fit" in guess(access, OFFICE, name="bob", known=known)
    access.disable_user(ADMIN, "bob")
    access.enable_user(ADMIN, "bob")
    assert "Too many" in guess(access, OFFICE, name="bob", known=known)


def test_a_flood_of_refused_guesses_writes_nothing(context: Context, access: AccessService) -> None:
    for number in range(25):
        guess(access, STRANGER, name=f"name-{number}")

    def rows() -> list[tuple[str, int]]:
        with reading(context.databases.app) as session:
            return [(row.name, row.failures) for row in session.exec(select(LoginAttemptRow)).all()]

    before = rows()
    for number in range(200):
        assert "Too many" in guess(access, STRANGER, name=f"other-{number}")
    assert rows() == before


def test_no_address_is_kept_as_it_is(context: Context, access: AccessService) -> None:
    guess(access, STRANGER)
    with reading(context.databases.app) as session:
        assert not [name for name in session.exec(select(LoginAttemptRow.name)).all() if STRANGER in name]
