"""Rows of people: users, sessions and one-time links, tokens, and what waits for a person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlmodel import Session, col, select

from mlops_dash.domain.access import Actor, Permission, Role, Token, User, person_of
from mlops_dash.domain.registry.rollouts import STOPPED_FOR
from mlops_dash.domain.words import AlertState, ProposalState, Severity
from mlops_dash.store.audit import rejecters
from mlops_dash.store.tables.access import SessionRow, TokenRow, UserRow
from mlops_dash.store.tables.monitoring import AlertRow
from mlops_dash.store.tables.registry import ApprovalRow, ModelRow, ModelVersionRow, ProposalRow

BROWSER, ADMIN_LINK, INVITE = "browser", "admin_link", "invite"
KNOWN = "known"  # a browser that its user logged in from before: it opens nothing, and waits behind nobody


# Users


def user(session: Session, user_id: str) -> User | None:
    """The user with this id."""
    row = session.get(UserRow, user_id)
    return None if row is None else _user(row)


def user_by_name(session: Session, name: str) -> User | None:
    """The user with this name."""
    row = session.exec(select(UserRow).where(UserRow.name == name)).first()
    return None if row is None else _user(row)


def users(session: Session) -> list[User]:
    """All users by name."""
    return [_user(row) for row in session.exec(select(UserRow).order_by(UserRow.name)).all()]


def any_user(session: Session) -> bool:
    """Whether a person is known yet; a program's account is nobody."""
    return session.exec(select(UserRow.id).where(UserRow.role != Role.SERVICE).limit(1)).first() is not None


def other_admins(session: Session, user_id: str, *, demo: bool) -> int:
    """How many enabled admins besides this one can log in: by password, or by the demo's buttons."""
    rows = session.exec(
        select(UserRow).where(UserRow.role == Role.ADMIN, col(UserRow.disabled).is_(False), UserRow.id != user_id)
    ).all()
    return sum(1 for row in rows if row.password_hash or (demo and row.demo))


def add_user(session: Session, made: User, *, password_hash: str = "") -> None:
    """Keep a new user."""
    session.add(
        UserRow(
            id=made.id,
            name=made.name,
            display_name=made.display_name,
            role=str(made.role),
            password_hash=password_hash,
            disabled=made.disabled,
            demo=made.demo,
            created_at=made.created_at,
            models=list(made.models) or None,
        )
    )
    session.flush()


def password_hash(session: Session, user_id: str) -> str:
    """The argon2 hash of a user, empty when no password was set."""
    return session.get_one(UserRow, user_id).password_hash


def change_user(
    session: Session,
    user_id: str,
    *,
    role: Role | None = None,
    disabled: bool | None = None,
    password_hash: str | None = None,
    models: Sequence[str] | None = None,
) -> User:
    """Write what is given; the rest stays."""
    row = session.get_one(UserRow, user_id)
    row.role = row.role if role is None else str(role)
    row.disabled = row.disabled if disabled is None else disabled
    row.password_hash = row.password_hash if password_hash is None else password_hash
    row.models = row.models if models is None else list(models)
    session.add(row)
    session.flush()
    return _user(row)


def _user(row: UserRow) -> User:
    return User(
        id=row.id,
        name=row.name,
        display_name=row.display_name,
        role=Role(row.role),
        disabled=row.disabled,
        demo=row.demo,
        created_at=row.created_at,
        invited=not row.password_hash and not row.demo and row.role != Role.SERVICE,
        models=tuple(row.models or ()),
    )


# Sessions and one-time links


@dataclass(frozen=True)
class LiveSession:
    """A session or link that is neither ended nor expired."""

    kind: str
    user_id: str | None


def add_session(
    session: Session, sha256: str, *, kind: str, user_id: str | None, wall: datetime, until: datetime, user_agent: str
) -> None:
    """Keep a session or link under the digest of its secret."""
    session.add(
        SessionRow(
            id=sha256,
            user_id=user_id,
            kind=kind,
            created_at_wall=wall,
            expires_at_wall=until,
            user_agent=user_agent[:200],
        )
    )
    session.flush()


def live_session(session: Session, sha256: str, *, kinds: Sequence[str], wall: datetime) -> LiveSession | None:
    """The session or link with this digest, unless it ended or expired."""
    row = session.get(SessionRow, sha256)
    if row is None or row.kind not in kinds or row.ended_at_wall is not None or row.expires_at_wall <= wall:
        return None
    return LiveSession(row.kind, row.user_id)


def open_links(session: Session, kind: str, *, wall: datetime) -> int:
    """How many links of a kind are neither used nor expired."""
    found = select(SessionRow.id).where(
        SessionRow.kind == kind, col(SessionRow.ended_at_wall).is_(None), SessionRow.expires_at_wall > wall
    )
    return len(session.exec(found).all())


def end_session(session: Session, sha256: str, *, wall: datetime) -> None:
    """End one session or link; nothing happens when it is unknown or ended already."""
    row = session.get(SessionRow, sha256)
    if row is not None and row.ended_at_wall is None:
        row.ended_at_wall = wall
        session.add(row)


def end_sessions(session: Session, *, wall: datetime, user_id: str | None = None, kind: str | None = None) -> None:
    """End all sessions and links of a user, of a kind, or of both."""
    open_ones = select(SessionRow).where(col(SessionRow.ended_at_wall).is_(None))
    if user_id is not None:
        open_ones = open_ones.where(SessionRow.user_id == user_id)
    if kind is not None:
        open_ones = open_ones.where(SessionRow.kind == kind)
    for row in session.exec(open_ones).all():
        row.ended_at_wall = wall
        session.add(row)


# Who still may act


def standing(session: Session, actor: Actor, *, wall: datetime, now: datetime) -> Actor | None:
    """The actor with the role of this moment; None when disabled, logged out, revoked or expired meanwhile.

    Read inside the transaction of what they decide. Users are never deleted, so an unknown one is no person of ours.
    Machines, nobody yet, and the owner of a local store have no row.
    """
    if actor.kind not in {"person", "token"}:
        return actor
    row = session.get(UserRow, actor.id)
    if row is None:
        return None if actor.credential else actor  # without a credential it was made by our own code
    if row.disabled or (actor.credential and not _still_opens(session, actor, wall=wall, now=now)):
        return None
    return replace(actor, role=Role(row.role), models=frozenset(row.models or ()))


def powerless(session: Session, actors: Sequence[str], permission: Permission) -> frozenset[str]:
    """Those ids whose person is disabled or has no such right any more; the owner of a local store has no row."""
    rows = session.exec(select(UserRow).where(col(UserRow.id).in_(list(actors)))).all()
    return frozenset(
        row.id for row in rows if row.disabled or not Actor(row.id, row.name, Role(row.role)).may(permission)
    )


def _still_opens(session: Session, actor: Actor, *, wall: datetime, now: datetime) -> bool:
    if actor.kind == "token":
        known = token(session, actor.credential)
        return known is not None and known.live(now)
    found = live_session(session, actor.credential, kinds=(BROWSER,), wall=wall)
    return found is not None and found.user_id == actor.id


# Tokens


@dataclass(frozen=True)
class KnownToken:
    """A token with the user it acts as."""

    token: Token
    user: User


def tokens(session: Session) -> list[Token]:
    """All tokens, newest first."""
    rows = session.exec(
        select(TokenRow, UserRow).where(TokenRow.user_id == UserRow.id).order_by(col(TokenRow.created_at).desc())
    ).all()
    return [_token(token, owner) for token, owner in rows]


def token_by_sha(session: Session, sha256: str) -> KnownToken | None:
    """The token whose secret has this digest."""
    found = session.exec(
        select(TokenRow, UserRow).where(TokenRow.user_id == UserRow.id, TokenRow.secret_sha256 == sha256)
    ).first()
    return None if found is None else KnownToken(_token(*found), _user(found[1]))


def token(session: Session, token_id: str) -> Token | None:
    """The token with this id."""
    row = session.get(TokenRow, token_id)
    return None if row is None else _token(row, session.get_one(UserRow, row.user_id))


def add_token(session: Session, made: Token, *, user_id: str, secret_sha256: str) -> None:
    """Keep a new token under the digest of its secret."""
    session.add(
        TokenRow(
            id=made.id,
            user_id=user_id,
            name=made.name,
            secret_sha256=secret_sha256,
            created_at=made.created_at,
            expires_at=made.expires_at,
        )
    )
    session.flush()


def revoke_token(session: Session, token_id: str, *, at: datetime) -> None:
    """The token opens nothing from `at` on."""
    row = session.get_one(TokenRow, token_id)
    row.revoked_at = at
    session.add(row)


def note_use(session: Session, token_id: str, *, at: datetime) -> None:
    """When the token was last used."""
    row = session.get_one(TokenRow, token_id)
    row.last_used_at = at
    session.add(row)


def _token(row: TokenRow, owner: UserRow) -> Token:
    return Token(
        id=row.id,
        name=row.name,
        user_name=owner.name,
        role=Role(owner.role),
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        last_used_at=row.last_used_at,
    )


# What waits

_UNDECIDED = (ProposalState.OPEN, ProposalState.APPROVED)
_ARCHIVED = select(ModelRow.name).where(col(ModelRow.archived_at).is_not(None))  # nothing of these waits for anybody


@dataclass(frozen=True)
class PendingProposal:
    """A proposal that waits for an approval or for the promote click."""

    model: str
    version: str
    state: str
    proposer: str
    approved_by: tuple[str, ...]
    since: datetime
    due: datetime  # when the proposal expires


@dataclass(frozen=True)
class Rejected:
    """A proposal that was rejected, or stopped in its roll-out; its proposer proposed nothing of this model since."""

    model: str
    version: str
    proposer: str
    by: str
    reason: str
    since: datetime
    stopped: bool = False  # in its roll-out, by a person or by its rule


@dataclass(frozen=True)
class PendingAlert:
    """An alert that nobody took yet."""

    model: str
    kind: str
    title: str
    cause: str
    severity: Severity
    since: datetime


def proposals_since(session: Session, since: datetime) -> list[tuple[ProposalRow, str]]:
    """All that are open or approved, and what was closed since then, each with its version's number; oldest first."""
    rows = session.exec(
        select(ProposalRow, ModelVersionRow.version)
        .where(
            ProposalRow.version_id == ModelVersionRow.id,
            col(ProposalRow.state).in_(_UNDECIDED) | (col(ProposalRow.closed_at) > since),
            col(ProposalRow.model).not_in(_ARCHIVED),
        )
        .order_by(col(ProposalRow.created_at))
    ).all()
    return [(row, version) for row, version in rows]


def pending_proposals(session: Session, known: Sequence[tuple[ProposalRow, str]]) -> list[PendingProposal]:
    """The open and approved ones among those of `proposals_since`, with who approved them and was not voided."""
    rows = [(row, version) for row, version in known if row.state in _UNDECIDED]
    given = session.exec(
        select(ApprovalRow.proposal_id, ApprovalRow.approver, ApprovalRow.in_name_of).where(
            col(ApprovalRow.proposal_id).in_([row.id for row, _ in rows]),
            ApprovalRow.kind == "approve",
            col(ApprovalRow.void_at).is_(None),
        )
    ).all()
    return [
        PendingProposal(
            row.model,
            version,
            row.state,
            row.proposer,
            tuple(who for proposal_id, *both in given if proposal_id == row.id for who in both if who),
            row.created_at,
            row.expires_at,
        )
        for row, version in rows
    ]


def rejections(session: Session, known: Sequence[tuple[ProposalRow, str]], proposer: str) -> list[Rejected]:
    """What of this person was rejected or stopped in stages, and no later proposal of theirs answers it.

    `known` are those of `proposals_since`.
    """
    own = [(row, version) for row, version in known if person_of(row.proposer) == proposer]
    found = []
    for row, version in own:
        closed = row.closed_at
        stopped = row.state == ProposalState.VOID and row.close_reason.startswith(STOPPED_FOR)
        if closed is None or not (stopped or row.state == ProposalState.REJECTED):
            continue
        if not any(one is not row and one.model == row.model and one.created_at >= closed for one, _ in own):
            by = "" if stopped else rejecters(session, row.model).get(row.id, "")
            why = row.close_reason.removeprefix(STOPPED_FOR)
            found.append(Rejected(row.model, version, row.proposer, by, why, closed, stopped))
    return found


def pending_alerts(session: Session, now: datetime) -> list[PendingAlert]:
    """Open alerts, and snoozed ones whose time is over; oldest first."""
    rows = session.exec(
        select(AlertRow)
        .where(col(AlertRow.state).in_((AlertState.OPEN, AlertState.SNOOZED)), col(AlertRow.model).not_in(_ARCHIVED))
        .order_by(col(AlertRow.opened_at))
    ).all()
    return [
        PendingAlert(row.model, row.kind, row.title, row.cause, Severity(row.severity), row.opened_at)
        for row in rows
        if row.state == AlertState.OPEN or (row.snoozed_until is not None and row.snoozed_until <= now)
    ]
