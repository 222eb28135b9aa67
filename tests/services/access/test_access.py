"""Logins, one-time links, users and tokens: who comes in, who stays out, and what the ledger keeps."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlmodel import select

from mlops_dash.clock import Clock
from mlops_dash.domain.access import NOBODY, Actor, Invitation, Role
from mlops_dash.domain.audit import Action, Entry
from mlops_dash.errors import Conflict, InvalidInput, NotAllowed, NotAuthenticated, NotFound
from mlops_dash.ids import sha256_text
from mlops_dash.services.access import AccessService
from mlops_dash.services.access.sessions import LINK_LIFE, SESSION_LIFE
from mlops_dash.services.audit import AuditService
from mlops_dash.services.command import Context
from mlops_dash.store.db import reading, transaction
from mlops_dash.store.tables.access import LoginAttemptRow, SessionRow, TokenRow, UserRow
from mlops_dash.store.tables.monitoring import AlertRow
from mlops_dash.store.tables.registry import ApprovalRow, ProposalRow
from tests.factories import ADMIN, LEAD, LEAD_TOO, NOON, SCIENTIST, VIEWER, WORKER, model_row, version_row

PASSWORD = "four short words here"


class Hands:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now

    def pass_by(self, span: timedelta) -> None:
        self.now += span


@pytest.fixture
def hands(context: Context, monkeypatch: pytest.MonkeyPatch) -> Hands:
    moved = Hands()
    monkeypatch.setattr(context.clock, "wall", moved)
    return moved


@pytest.fixture
def access(context: Context) -> AccessService:
    return AccessService(context)


@pytest.fixture
def ada(access: AccessService) -> Actor:
    """A lead with a password."""
    access.create_user(ADMIN, "ada", Role.LEAD, password=PASSWORD, reason="joins")
    return Actor("user:ada", "ada", Role.LEAD)


def last_entry(context: Context) -> Entry:
    return AuditService(context).entries(ADMIN).entries[0]


def demo(context: Context, **changes: object) -> AccessService:
    made = AccessService(replace(context, settings=replace(context.settings, demo=True, **changes)))  # type: ignore[arg-type]
    made.ensure_demo_users(WORKER)
    return made


# Passwords and sessions


def test_name_and_password_open_a_session_and_the_cookie_says_who_it_is(access: AccessService, ada: Actor) -> None:
    secret, actor = access.login(NOBODY, " Ada ", PASSWORD, "Firefox")
    assert actor == ada
    assert access.actor_for_session(secret) == ada


def test_only_digests_of_secrets_are_kept(context: Context, access: AccessService, ada: Actor) -> None:
    secret, _ = access.login(NOBODY, "ada", PASSWORD)
    token = access.issue_token(ADMIN, "ada", label="scoring").secret
    with reading(context.databases.app) as session:
        stored = [
            *(str(vars(row)) for row in session.exec(select(SessionRow)).all()),
            *(str(vars(row)) for row in session.exec(select(TokenRow)).all()),
            *(str(vars(row)) for row in session.exec(select(UserRow)).all()),
        ]
    text = "\n".join(stored)
    assert sha256_text(secret) in text
    assert "$argon2id$" in text
    for plain in (secret, token, PASSWORD):
        assert plain not in text


@pytest.mark.parametrize(("name", "password"), [("ada", "wrong password"), ("bob", PASSWORD), ("", ""), ("ada", "")])
def test_what_does_not_fit_is_refused_with_one_and_the_same_sentence(
    access: AccessService, ada: Actor, name: str, password: str
) -> None:
    with pytest.raises(NotAuthenticated, match="Name and password do not fit together"):
        access.login(NOBODY, name, password)


def test_an_invited_user_cannot_log_in_before_they_set_a_password(access: AccessService) -> None:
    access.create_user(ADMIN, "bob", Role.VIEWER, reason="joins")
    with pytest.raises(NotAuthenticated):
        access.login(NOBODY, "bob", "")


@pytest.mark.parametrize("secret", ["", "x", "no such secret"])
def test_an_unknown_cookie_is_nobody(access: AccessService, secret: str) -> None:
    assert access.actor_for_session(secret) is None


def test_a_session_ends_with_its_life(access: AccessService, ada: Actor, hands: Hands) -> None:
    secret, _ = access.login(NOBODY, "ada", PASSWORD)
    hands.pass_by(SESSION_LIFE - timedelta(seconds=1))
    assert access.actor_for_session(secret) == ada
    hands.pass_by(timedelta(seconds=1))
    assert access.actor_for_session(secret) is None


def test_logout_ends_this_session_only_and_may_be_repeated(access: AccessService, ada: Actor) -> None:
    here, _ = access.login(NOBODY, "ada", PASSWORD)
    there, _ = access.login(NOBODY, "ada", PASSWORD)
    access.logout(NOBODY, here)
    access.logout(NOBODY, here)
    access.logout(NOBODY, "unknown")
    assert access.actor_for_session(here) is None
    assert access.actor_for_session(there) == ada


def test_a_role_change_holds_for_sessions_that_are_open(access: AccessService, ada: Actor) -> None:
    secret, _ = access.login(NOBODY, "ada", PASSWORD)
    access.set_role(ADMIN, "ada", Role.VIEWER, reason="moved")
    found = access.actor_for_session(secret)
    assert found is not None
    assert found.role is Role.VIEWER


# The slow-down


def fail(access: AccessService, times: int, name: str = "ada") -> None:
    for _ in range(times):
        with pytest.raises(NotAuthenticated, match="do not fit"):
            access.login(NOBODY, name, "wrong password")


def test_after_five_failures_even_the_right_password_must_wait(access: AccessService, ada: Actor, hands: Hands) -> None:
    fail(access, 5)
    with pytest.raises(NotAuthenticated, match="Too many tries") as refused:
        access.login(NOBODY, "ada", PASSWORD)
    assert refused.value.hint == "Wait 2 s, then try again."
    hands.pass_by(timedelta(seconds=2))
    assert access.login(NOBODY, "ada", PASSWORD)[1] == ada


def test_the_wait_doubles_up_to_a_minute(access: AccessService, ada: Actor, hands: Hands) -> None:
    fail(access, 5)
    waits = []
    for _ in range(7):
        with pytest.raises(NotAuthenticated, match="Too many tries") as refused:
            access.login(NOBODY, "ada", "wrong password")
        waits.append(int(refused.value.hint.split()[1]))
        hands.pass_by(timedelta(seconds=waits[-1]))
        fail(access, 1)
    assert waits == [2, 4, 8, 16, 32, 60, 60]


def test_a_login_that_fits_forgets_the_failures(access: AccessService, ada: Actor) -> None:
    fail(access, 4)
    access.login(NOBODY, "ada", PASSWORD)
    fail(access, 4)
    assert access.login(NOBODY, "ada", PASSWORD)[1] == ada


def test_unknown_names_are_slowed_down_too_and_share_a_bounded_number_of_rows(
    context: Context, access: AccessService
) -> None:
    fail(access, 5, "nobody-i-know")
    with pytest.raises(NotAuthenticated, match="Too many tries"):
        access.login(NOBODY, "nobody-i-know", "wrong password")
    fail(access, 2, "nobody-you-know")
    with reading(context.databases.app) as session:
        rows = session.exec(select(LoginAttemptRow.name)).all()
    buckets = {name for name in rows if "@" not in name and name != "*"}
    assert all(name.startswith("?") and len(name) == 4 for name in buckets)
    here = {name.partition("@")[2] for name in rows if "@" in name}
    assert len(here) == 1  # all from one address
    assert set(rows) == {*buckets, "*", f"@{here.copy().pop()}", *(f"{name}@{here.copy().pop()}" for name in buckets)}


# Demo accounts


def test_the_demo_offers_one_account_a_role_and_opens_it_without_a_password(context: Context) -> None:
    access = demo(context)
    assert [(user.name, user.role) for user in access.demo_accounts(NOBODY)] == [
        ("viewer", Role.VIEWER),
        ("scientist", Role.SCIENTIST),
        ("lead", Role.LEAD),
        ("admin", Role.ADMIN),
    ]
    secret, actor = access.login_demo(NOBODY, "lead")
    assert access.actor_for_session(secret) == actor == Actor("user:lead", "lead", Role.LEAD)


def test_making_the_demo_accounts_twice_changes_nothing(context: Context) -> None:
    access = demo(context)
    before = access.users(ADMIN)
    assert access.ensure_demo_users(WORKER) == before


@pytest.mark.parametrize("changes", [{"demo": False}, {"host": "0.0.0.0"}])
def test_demo_accounts_exist_in_the_demo_on_loopback_only(context: Context, changes: dict[str, object]) -> None:
    demo(context)
    settings = replace(context.settings, demo=True)
    access = AccessService(replace(context, settings=replace(settings, **changes)))  # type: ignore[arg-type]
    assert access.demo_accounts(NOBODY) == ()
    with pytest.raises(NotAllowed, match="on this machine only"):
        access.login_demo(NOBODY, "admin")


def test_a_person_is_no_demo_account(context: Context) -> None:
    access = demo(context)
    access.create_user(ADMIN, "ada", Role.ADMIN, password=PASSWORD)
    with pytest.raises(NotAllowed, match="no demo account"):
        access.login_demo(NOBODY, "ada")


def test_a_demo_account_has_no_password(context: Context) -> None:
    with pytest.raises(NotAuthenticated):
        demo(context).login(NOBODY, "admin", "")


# One-time links


def test_the_first_admin_link_makes_one_admin_once(context: Context, access: AccessService) -> None:
    secret = access.create_first_admin_link(WORKER)
    assert secret is not None
    assert access.link_is_for(NOBODY, secret) == ""
    cookie, actor = access.redeem_admin_link(NOBODY, secret, name="Grace", password=PASSWORD)
    assert actor == Actor("user:grace", "grace", Role.ADMIN)
    assert access.actor_for_session(cookie) == actor
    entry = last_entry(context)
    assert (entry.action, entry.object, entry.actor) == (Action.ADMIN_LINK_USED, "grace", "anonymous")
    assert access.link_is_for(NOBODY, secret) is None
    with pytest.raises(NotAllowed, match="not valid any more"):
        access.redeem_admin_link(NOBODY, secret, name="mallory", password=PASSWORD)
    assert access.create_first_admin_link(WORKER) is None


def test_a_newer_first_admin_link_ends_the_older_one(access: AccessService) -> None:
    older, newer = access.create_first_admin_link(WORKER), access.create_first_admin_link(WORKER)
    assert older is not None
    assert newer is not None
    assert access.link_is_for(NOBODY, older) is None
    assert access.link_is_for(NOBODY, newer) == ""


def test_a_first_admin_link_is_void_once_somebody_is_known(access: AccessService) -> None:
    secret = access.create_first_admin_link(WORKER)
    assert secret is not None
    access.create_user(ADMIN, "ada", Role.VIEWER, password=PASSWORD)
    assert access.link_is_for(NOBODY, secret) is None
    with pytest.raises(NotAllowed, match="exists already"):
        access.redeem_admin_link(NOBODY, secret, name="mallory", password=PASSWORD)


def test_a_refused_password_leaves_the_link_usable(access: AccessService) -> None:
    secret = access.create_first_admin_link(WORKER)
    assert secret is not None
    for bad in ("short", "x" * 201, "long-enough"):
        with pytest.raises(InvalidInput):
            access.redeem_admin_link(NOBODY, secret, name="long-enough", password=bad)
    assert access.redeem_admin_link(NOBODY, secret, name="grace", password=PASSWORD)[1].name == "grace"


def test_links_live_a_day(access: AccessService, hands: Hands) -> None:
    secret = access.create_first_admin_link(WORKER)
    assert secret is not None
    hands.pass_by(LINK_LIFE)
    assert access.link_is_for(NOBODY, secret) is None


def test_an_invited_user_sets_a_password_through_the_link_and_is_in(context: Context, access: AccessService) -> None:
    made = access.create_user(ADMIN, "bob", Role.SCIENTIST, display_name="Bob", reason="joins")
    assert made.user.invited
    assert made.link_secret is not None
    assert access.link_is_for(NOBODY, made.link_secret) == "bob"
    cookie, actor = access.redeem_invite(NOBODY, made.link_secret, password=PASSWORD)
    assert access.actor_for_session(cookie) == actor
    assert last_entry(context).action == Action.PASSWORD_SET
    assert access.login(NOBODY, "bob", PASSWORD)[1] == actor
    with pytest.raises(NotAllowed, match="not valid any more"):
        access.redeem_invite(NOBODY, made.link_secret, password=PASSWORD)


def test_a_new_link_ends_the_older_one_and_old_sessions_end_when_it_is_used(access: AccessService, ada: Actor) -> None:
    cookie, _ = access.login(NOBODY, "ada", PASSWORD)
    older: Invitation = access.issue_link(ADMIN, "ada", reason="forgot it")
    newer: Invitation = access.issue_link(ADMIN, "ada", reason="lost the mail")
    assert older.link_secret is not None
    assert newer.link_secret is not None
    assert access.link_is_for(NOBODY, older.link_secret) is None
    access.redeem_invite(NOBODY, newer.link_secret, password="another good one")
    assert access.actor_for_session(cookie) is None
    with pytest.raises(NotAuthenticated):
        access.login(NOBODY, "ada", PASSWORD)


def test_one_kind_of_link_does_not_work_as_the_other(access: AccessService) -> None:
    made = access.create_user(ADMIN, "bob", Role.VIEWER)
    assert made.link_secret is not None
    with pytest.raises(NotAllowed):
        access.redeem_admin_link(NOBODY, made.link_secret, name="mallory", password=PASSWORD)
    assert access.actor_for_session(made.link_secret) is None


# Users


@pytest.mark.parametrize("name", ["", "Ada Lovelace", "a/b", "-ada", "x" * 41, "ädä", "system:worker"])
def test_names_that_cannot_be_used_are_refused(access: AccessService, name: str) -> None:
    with pytest.raises(InvalidInput, match="cannot be a name"):
        access.create_user(ADMIN, name, Role.VIEWER)


def test_a_name_is_given_once(access: AccessService, ada: Actor) -> None:
    with pytest.raises(Conflict, match="is taken"):
        access.create_user(ADMIN, "ADA", Role.VIEWER)


def test_every_change_of_a_user_is_in_the_ledger_with_before_and_after(context: Context, access: AccessService) -> None:
    access.create_user(ADMIN, "ada", Role.LEAD, reason="joins")
    assert (last_entry(context).action, last_entry(context).reason) == (Action.USER_CREATED, "joins")
    access.set_role(ADMIN, "ada", Role.SCIENTIST, reason="moved")
    entry = last_entry(context)
    assert (entry.action, entry.before, entry.after) == (Action.USER_ROLE_SET, {"role": "lead"}, {"role": "scientist"})
    access.disable_user(ADMIN, "ada", reason="left")
    assert (last_entry(context).action, last_entry(context).after) == (Action.USER_DISABLED, {"disabled": True})
    access.enable_user(ADMIN, "ada", reason="is back")
    assert (last_entry(context).action, last_entry(context).after) == (Action.USER_ENABLED, {"disabled": False})


def test_repeating_a_change_writes_nothing(context: Context, access: AccessService, ada: Actor) -> None:
    before = last_entry(context).number
    access.set_role(ADMIN, "ada", Role.LEAD)
    access.enable_user(ADMIN, "ada")
    access.disable_user(ADMIN, "ada")
    access.disable_user(ADMIN, "ada")
    assert last_entry(context).number == before + 1


def test_a_disabled_user_is_out_at_once_and_stays_out_until_enabled(access: AccessService, ada: Actor) -> None:
    cookie, _ = access.login(NOBODY, "ada", PASSWORD)
    token = access.issue_token(ADMIN, "ada", label="scoring").secret
    access.disable_user(ADMIN, "ada", reason="left")
    assert access.actor_for_session(cookie) is None
    with pytest.raises(NotAuthenticated):
        access.actor_for_token(token)
    with pytest.raises(NotAuthenticated):
        access.login(NOBODY, "ada", PASSWORD)
    with pytest.raises(Conflict, match="disabled"):
        access.issue_token(ADMIN, "ada", label="another")
    with pytest.raises(Conflict, match="disabled"):
        access.issue_link(ADMIN, "ada")
    access.enable_user(ADMIN, "ada", reason="is back")
    assert access.actor_for_session(cookie) is None
    assert access.actor_for_token(token).id == ada.id


def test_nobody_demotes_or_disables_the_last_admin(access: AccessService) -> None:
    access.create_user(ADMIN, "grace", Role.ADMIN, password=PASSWORD)
    access.create_user(ADMIN, "invited", Role.ADMIN)  # cannot log in yet, so does not count
    for change in (
        lambda: access.set_role(ADMIN, "grace", Role.LEAD),
        lambda: access.disable_user(ADMIN, "grace"),
    ):
        with pytest.raises(Conflict, match="last admin"):
            change()
    access.create_user(ADMIN, "ada", Role.ADMIN, password=PASSWORD)
    assert access.set_role(ADMIN, "grace", Role.LEAD).role is Role.LEAD
    with pytest.raises(Conflict, match="last admin"):
        access.disable_user(ADMIN, "ada")


def test_only_admins_see_and_change_users_and_tokens(access: AccessService, ada: Actor) -> None:
    for actor in (VIEWER, SCIENTIST, LEAD):
        for call in (
            lambda actor=actor: access.users(actor),
            lambda actor=actor: access.tokens(actor),
            lambda actor=actor: access.create_user(actor, "eve", Role.ADMIN),
            lambda actor=actor: access.set_role(actor, "ada", Role.ADMIN),
            lambda actor=actor: access.disable_user(actor, "ada"),
            lambda actor=actor: access.enable_user(actor, "ada"),
            lambda actor=actor: access.issue_link(actor, "ada"),
            lambda actor=actor: access.issue_token(actor, "ada", label="x"),
            lambda actor=actor: access.revoke_token(actor, "x"),
        ):
            with pytest.raises(NotAllowed):
                call()


@pytest.mark.parametrize("change", ["set_role", "disable_user", "enable_user", "issue_link"])
def test_an_unknown_user_is_said(access: AccessService, change: str) -> None:
    more = (Role.VIEWER,) if change == "set_role" else ()
    with pytest.raises(NotFound, match="no user 'ghost'"):
        getattr(access, change)(ADMIN, "ghost", *more)


# Tokens


def test_a_token_acts_as_its_user_under_the_same_id(context: Context, access: AccessService, ada: Actor) -> None:
    issued = access.issue_token(ADMIN, "ada", label="scoring", reason="for the airport")
    assert issued.secret.startswith("mld_")
    actor = access.actor_for_token(issued.secret)
    assert (actor.id, actor.role, actor.kind) == (ada.id, Role.LEAD, "token")
    entry = last_entry(context)
    assert (entry.action, entry.object, entry.reason) == (Action.TOKEN_ISSUED, "token scoring", "for the airport")
    assert issued.secret not in str(entry)


def test_the_use_of_a_token_is_noted(access: AccessService, ada: Actor) -> None:
    issued = access.issue_token(ADMIN, "ada", label="scoring")
    assert access.tokens(ADMIN)[0].last_used_at is None
    access.actor_for_token(issued.secret)
    assert access.tokens(ADMIN)[0].last_used_at == NOON


@pytest.mark.parametrize("secret", ["", "mld_", "mld_unknown", "Bearer x"])
def test_an_unknown_token_is_refused(access: AccessService, secret: str) -> None:
    with pytest.raises(NotAuthenticated, match="token is not valid"):
        access.actor_for_token(secret)


def test_a_token_ends_with_its_days_and_one_without_days_does_not(
    access: AccessService, ada: Actor, hands: Hands
) -> None:
    short = access.issue_token(ADMIN, "ada", label="short", days=1)
    endless = access.issue_token(ADMIN, "ada", label="endless", days=None)
    hands.pass_by(timedelta(days=1))
    with pytest.raises(NotAuthenticated):
        access.actor_for_token(short.secret)
    assert access.actor_for_token(endless.secret).id == ada.id


def test_a_revoked_token_opens_nothing_and_revoking_twice_writes_once(
    context: Context, access: AccessService, ada: Actor
) -> None:
    issued = access.issue_token(ADMIN, "ada", label="scoring")
    access.revoke_token(ADMIN, issued.token.id, reason="lost laptop")
    access.revoke_token(ADMIN, issued.token.id, reason="again")
    with pytest.raises(NotAuthenticated):
        access.actor_for_token(issued.secret)
    assert last_entry(context).reason == "lost laptop"
    with pytest.raises(NotFound):
        access.revoke_token(ADMIN, "no such token")


@pytest.mark.parametrize(("label", "days"), [("", 90), (" ", 90), ("x" * 81, 90), ("ok", 0), ("ok", 3_651)])
def test_a_token_needs_a_label_and_a_sensible_life(access: AccessService, ada: Actor, label: str, days: int) -> None:
    with pytest.raises(InvalidInput):
        access.issue_token(ADMIN, "ada", label=label, days=days)


# What waits


def arrange_waiting(context: Context) -> None:
    with transaction(context.databases.app) as session:
        session.add(model_row())
        session.flush()
        session.add(version_row("3"))
        session.flush()
        common = {"model": "flight-delay", "version_id": "flight-delay-v3", "policy_id": "p", "gates": {}}
        for number, state in enumerate(("open", "approved", "rejected")):
            session.add(
                ProposalRow(
                    id=state,
                    state=state,
                    proposer=SCIENTIST.id,
                    evidence_ids=[],
                    created_at=NOON + timedelta(hours=number + 1),
                    expires_at=NOON + timedelta(days=30),
                    **common,
                )
            )
        session.flush()
        session.add(ApprovalRow(id="a", proposal_id="open", approver=LEAD_TOO.id, basis={}, created_at=NOON))
        for number, state in enumerate(("open", "acknowledged", "snoozed", "closed")):
            session.add(
                AlertRow(
                    id=state,
                    model="flight-delay",
                    kind=state,
                    state=state,
                    title=f"{state} alert",
                    cause="base-rate-free log-loss up",
                    opened_at=NOON - timedelta(hours=number),
                    last_seen_at=NOON,
                    snoozed_until=NOON if state == "snoozed" else None,
                    evidence_ids=[],
                    body={},
                )
            )


@pytest.mark.parametrize(
    ("actor", "expected"),
    [
        (VIEWER, []),
        (SCIENTIST, ["flight-delay: snoozed alert", "flight-delay: open alert"]),
        (
            LEAD,
            [
                "flight-delay: snoozed alert",
                "flight-delay: open alert",
                "Review flight-delay v3",
                "Promote flight-delay v3",
            ],
        ),
        (LEAD_TOO, ["flight-delay: snoozed alert", "flight-delay: open alert", "Promote flight-delay v3"]),
    ],
)
def test_each_person_sees_what_waits_for_them(
    context: Context, access: AccessService, actor: Actor, expected: list[str]
) -> None:
    arrange_waiting(context)
    assert [item.title for item in access.waiting(actor)] == expected


def test_the_queue_is_sorted_by_when_a_thing_is_due_and_expired_proposals_wait_for_nobody(
    context: Context, access: AccessService
) -> None:
    arrange_waiting(context)
    found = access.waiting(LEAD)
    assert [item.due for item in found] == [None, None, NOON + timedelta(days=30), NOON + timedelta(days=30)]
    assert [item.urgency for item in found] == sorted(item.urgency for item in found)
    later = replace(context, clock=Clock(wall=lambda: NOON + timedelta(days=31)))
    assert [item.title for item in AccessService(later).waiting(LEAD)] == [
        "flight-delay: snoozed alert",
        "flight-delay: open alert",
    ]


def test_the_queue_names_model_and_severity_critical_first_and_notices_last(
    context: Context, access: AccessService
) -> None:
    with transaction(context.databases.app) as session:
        for n, (model, kind, severity, title) in enumerate(
            (
                ('it\'s "late"', "inputs", "notice", "Inputs moved: temp"),
                ("doors", "alias", "warning", "The alias champion of doors points at v2, not at the approved v1"),
                ("minutes", "harm", "critical", "MAE 14.05 min over the last 28 ripe days"),
            )
        ):
            session.add(model_row(model))
            session.add(
                AlertRow(
                    id=str(n), model=model, kind=kind, severity=severity, state="open", title=title, cause="temp",
                    opened_at=NOON + timedelta(hours=n), last_seen_at=NOON, evidence_ids=[], body={},
                )
            )  # fmt: skip
    found = access.waiting(LEAD)
    assert [(item.severity, item.title, item.page) for item in found] == [
        ("critical", "minutes: MAE 14.05 min over the last 28 ripe days", "monitoring"),
        ("warning", "The alias champion of doors points at v2, not at the approved v1", "registry"),
        ("notice", 'it\'s "late": Inputs moved: temp', "monitoring"),
    ]


def test_the_proposer_is_not_asked_to_judge_even_as_admin(context: Context, access: AccessService) -> None:
    arrange_waiting(context)
    proposer = replace(ADMIN, id=SCIENTIST.id)
    assert "Review flight-delay v3" not in [item.title for item in access.waiting(proposer)]


def test_sessions_live_on_the_machines_clock_whatever_this_worlds_time_is(context: Context) -> None:
    hands = Hands()
    shifted = replace(context, clock=Clock(offset=timedelta(days=-4_000), wall=hands))
    access = AccessService(shifted)
    access.create_user(ADMIN, "ada", Role.VIEWER, password=PASSWORD)
    cookie, _ = access.login(NOBODY, "ada", PASSWORD)
    shifted.clock.offset = timedelta(days=4_000)
    assert access.actor_for_session(cookie) is not None


def test_who_types_at_the_machine_is_the_account_of_that_name(context: Context, access: AccessService) -> None:
    assert access.actor_for_owner("ada") == Actor("user:ada", "ada", Role.ADMIN, kind="owner")
    access.create_user(ADMIN, "ada", Role.SCIENTIST, password=PASSWORD, reason="joins the team")
    typing = access.actor_for_owner("Ada")
    assert (typing.id, typing.role, typing.kind) == ("user:ada", Role.ADMIN, "owner")
    assert typing.id == access.login(NOBODY, "ada", PASSWORD)[1].id, "one person: no second pair of eyes"


def test_who_types_is_never_the_service_account_of_that_name(context: Context, access: AccessService) -> None:
    with transaction(context.databases.app) as session:
        session.add(model_row())
    access.create_service(ADMIN, "etl", ["flight-delay"], reason="nightly")
    assert access.actor_for_owner("etl").id == "owner:etl"
