"""Rows of people, on SQLite and on Postgres: what is found, what ends, what is counted."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError

from mlops_dash.domain.access import Role, Token, User, new_user, rejection_waits
from mlops_dash.services.command import Context
from mlops_dash.store import access as store
from mlops_dash.store.db import Session, transaction
from mlops_dash.store.tables.registry import ProposalRow
from tests import factories
from tests.factories import NOON


@pytest.fixture
def both(tmp_path: Path, database_url: str) -> Iterator[Context]:
    """A context once on SQLite and once on Postgres."""
    made = factories.context(tmp_path, database_url=database_url)
    yield made
    made.databases.dispose()


@pytest.fixture
def session(both: Context) -> Iterator[Session]:
    """An open write transaction."""
    with transaction(both.databases.app) as opened:
        yield opened


def person(session: Session, name: str = "ada", role: Role = Role.LEAD, *, password_hash: str = "") -> User:
    made = new_user(name, role, "", at=NOON)
    store.add_user(session, made, password_hash=password_hash)
    return made


def test_a_user_is_read_back_as_written(session: Session) -> None:
    made = person(session)
    assert store.user(session, made.id) == store.user_by_name(session, "ada") == made
    assert store.users(session) == [made]
    assert store.user(session, "user:ghost") is None
    assert store.user_by_name(session, "ghost") is None


def test_a_change_writes_only_what_is_given(session: Session) -> None:
    made = person(session, password_hash="$argon2id$x")
    changed = store.change_user(session, made.id, role=Role.VIEWER)
    assert (changed.role, changed.disabled, changed.invited) == (Role.VIEWER, False, False)
    assert store.change_user(session, made.id, disabled=True).role is Role.VIEWER
    assert store.password_hash(session, made.id) == "$argon2id$x"


def test_the_database_itself_refuses_a_second_user_of_one_name(both: Context) -> None:
    with transaction(both.databases.app) as session:
        person(session)
    with pytest.raises(IntegrityError), transaction(both.databases.app) as session:
        person(session)


def test_admins_who_cannot_log_in_do_not_count(session: Session) -> None:
    one = person(session, "one", Role.ADMIN, password_hash="x")
    person(session, "invited", Role.ADMIN)
    person(session, "lead", Role.LEAD, password_hash="x")
    out = person(session, "out", Role.ADMIN, password_hash="x")
    store.change_user(session, out.id, disabled=True)
    store.add_user(session, new_user("demo", Role.ADMIN, "", at=NOON, demo=True))
    assert store.other_admins(session, one.id, demo=False) == 0
    assert store.other_admins(session, one.id, demo=True) == 1
    assert store.other_admins(session, "user:lead", demo=False) == 1


def keep(session: Session, sha256: str, kind: str = store.BROWSER, user_id: str | None = "user:ada") -> None:
    until = NOON + timedelta(hours=1)
    store.add_session(session, sha256, kind=kind, user_id=user_id, wall=NOON, until=until, user_agent="x" * 500)


def test_a_session_lives_until_its_end_and_only_as_its_kind(session: Session) -> None:
    keep(session, "s1")
    live = [
        store.live_session(session, sha256, kinds=kinds, wall=NOON + timedelta(minutes=minutes)) is not None
        for sha256, kinds, minutes in (
            ("s1", (store.BROWSER,), 0),
            ("s1", (store.BROWSER,), 59),
            ("s1", (store.BROWSER,), 60),
            ("s1", (store.INVITE, store.ADMIN_LINK), 0),
            ("s2", (store.BROWSER,), 0),
        )
    ]
    assert live == [True, True, False, False, False]


def test_sessions_end_by_user_and_by_kind(session: Session) -> None:
    person(session)
    keep(session, "browser")
    keep(session, "invite", store.INVITE)
    keep(session, "other", user_id="user:bob")
    store.end_sessions(session, wall=NOON, user_id="user:ada", kind=store.INVITE)
    kinds = (store.BROWSER, store.INVITE)
    assert store.live_session(session, "invite", kinds=kinds, wall=NOON) is None
    assert store.live_session(session, "browser", kinds=kinds, wall=NOON) is not None
    store.end_sessions(session, wall=NOON, user_id="user:ada")
    assert store.live_session(session, "browser", kinds=kinds, wall=NOON) is None
    assert store.live_session(session, "other", kinds=kinds, wall=NOON) is not None


def token(session: Session, id_: str = "t1", **changes: object) -> Token:
    values: dict[str, object] = {
        "id": id_,
        "name": "scoring",
        "user_name": "ada",
        "role": Role.LEAD,
        "created_at": NOON,
        "expires_at": None,
        "revoked_at": None,
        "last_used_at": None,
    }
    made = Token(**{**values, **changes})  # type: ignore[arg-type]
    store.add_token(session, made, user_id="user:ada", secret_sha256=f"sha-{id_}")
    return made


def test_a_token_is_found_by_the_digest_of_its_secret_with_its_user(session: Session) -> None:
    owner, made = person(session), token(session)
    assert store.token_by_sha(session, "sha-t1") == store.KnownToken(made, owner)
    assert store.token_by_sha(session, "sha-t2") is None
    assert store.token(session, "t1") == made
    assert store.token(session, "t2") is None


def test_tokens_are_listed_newest_first_with_use_and_revocation(session: Session) -> None:
    person(session)
    token(session, "old")
    token(session, "new", created_at=NOON + timedelta(days=1))
    store.note_use(session, "old", at=NOON + timedelta(days=2))
    store.revoke_token(session, "new", at=NOON + timedelta(days=3))
    new, old = store.tokens(session)
    assert (new.id, new.revoked_at) == ("new", NOON + timedelta(days=3))
    assert (old.id, old.last_used_at) == ("old", NOON + timedelta(days=2))


def test_nothing_waits_in_an_empty_house(session: Session) -> None:
    assert store.pending_proposals(session, store.proposals_since(session, NOON)) == []
    assert store.pending_alerts(session, NOON) == []


def test_the_proposer_is_told_of_a_roll_out_that_was_stopped_and_not_of_what_became_void_otherwise() -> None:
    def closed(reason: str, *, days: int = 0) -> ProposalRow:
        at = NOON + timedelta(days=days)
        return ProposalRow(
            id=f"p{days}", model="""it's the "queue" model""", version_id="v", state="void", proposer="user:ann",
            policy_id="x", gates={}, evidence_ids=[], created_at=at, expires_at=at, closed_at=at, close_reason=reason,
        )  # fmt: skip

    stopped = closed("its roll-out was stopped: 12 of 80 calls failed.")
    nobody: Any = None
    (told,) = store.rejections(nobody, [(stopped, "2")], "user:ann")
    assert (told.version, told.reason, told.stopped) == ("2", "12 of 80 calls failed.", True)
    waits = rejection_waits(
        told.model, told.version, by=told.by, reason=told.reason, since=told.since, stopped=told.stopped
    )
    assert waits.title == """it's the "queue" model v2 was stopped in its roll-out"""
    assert store.rejections(nobody, [(stopped, "2")], "user:ben") == []
    assert store.rejections(nobody, [(stopped, "2"), (closed("promoted", days=1), "3")], "user:ann") == []
    assert store.rejections(nobody, [(closed("v3 became champion."), "2")], "user:ann") == []
