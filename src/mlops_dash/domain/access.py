"""Who may do what: roles nest, permissions are `subject:action`, and the actor is always an argument."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from mlops_dash.domain.words import ProposalState, Severity
from mlops_dash.errors import InvalidInput, NotAllowed, NotAuthenticated


class Role(StrEnum):
    """Roles of people nest: admin includes lead includes scientist includes viewer. A service account stands apart."""

    VIEWER = "viewer"
    SCIENTIST = "scientist"
    LEAD = "lead"
    ADMIN = "admin"
    SERVICE = "service"  # a program that says what its models answered and what turned out true, and nothing else


RANK: dict[Role, int] = {Role.VIEWER: 0, Role.SCIENTIST: 1, Role.LEAD: 2, Role.ADMIN: 3}
PERSON_ROLES = tuple(RANK)


class Permission(StrEnum):
    """What a service method asks for."""

    PUBLIC = "public:read"  # the login itself
    ROOM_READ = "room:read"  # every page's facts
    AUDIT_READ = "audit:read"
    USERS_READ = "users:read"
    SCORE_WRITE = "score:write"  # ask our models, and log what they answer
    LOG_WRITE = "log:write"  # predictions made elsewhere, and labels
    ALERT_ANSWER = "alert:answer"
    REPORT_MAKE = "report:make"
    REPORT_SHARE = "report:share"  # shows a report to people without an account
    VIEW_SAVE = "view:save"  # saved views and notes of the Experiments room
    JOB_RUN = "job:run"
    JOB_CANCEL = "job:cancel"
    SCHEDULE_EDIT = "schedule:edit"
    RECIPE_DEFINE = "recipe:define"  # which program runs: it may do whatever our own account may
    MODEL_EDIT = "model:edit"
    MODEL_ARCHIVE = "model:archive"  # ends serving and watching, and begins them again
    MONITOR_EDIT = "monitor:edit"
    PROPOSAL_OPEN = "proposal:open"
    PROPOSAL_JUDGE = "proposal:judge"
    GATE_OVERRIDE = "gate:override"
    PROMOTE = "promotion:run"
    ROLLBACK = "rollback:run"
    TEST_EDIT = "test:edit"  # design and stop
    TEST_START = "test:start"
    POLICY_EDIT = "policy:edit"
    CHANNEL_EDIT = "channel:edit"  # to whom alerts are told
    USERS_EDIT = "users:edit"
    TOKENS_EDIT = "tokens:edit"
    FILES_TRUST = "files:trust"  # lets a model's files run code of their own
    LOG_RETAIN = "log:retain"  # moves old rows to cold files, and lets go of what is kept for long enough
    SYSTEM = "system:run"  # machine facts: claim, heartbeat, profile, reconcile


NEEDS: dict[Permission, Role] = {
    Permission.ROOM_READ: Role.VIEWER,
    Permission.AUDIT_READ: Role.VIEWER,
    Permission.USERS_READ: Role.ADMIN,
    Permission.SCORE_WRITE: Role.SCIENTIST,
    Permission.LOG_WRITE: Role.SCIENTIST,
    Permission.ALERT_ANSWER: Role.SCIENTIST,
    Permission.REPORT_MAKE: Role.SCIENTIST,
    Permission.REPORT_SHARE: Role.SCIENTIST,
    Permission.VIEW_SAVE: Role.SCIENTIST,
    Permission.JOB_RUN: Role.SCIENTIST,
    Permission.JOB_CANCEL: Role.SCIENTIST,
    Permission.SCHEDULE_EDIT: Role.SCIENTIST,
    Permission.RECIPE_DEFINE: Role.ADMIN,
    Permission.MODEL_EDIT: Role.SCIENTIST,
    Permission.MODEL_ARCHIVE: Role.LEAD,
    Permission.MONITOR_EDIT: Role.LEAD,
    Permission.PROPOSAL_OPEN: Role.SCIENTIST,
    Permission.PROPOSAL_JUDGE: Role.LEAD,
    Permission.GATE_OVERRIDE: Role.LEAD,
    Permission.PROMOTE: Role.LEAD,
    Permission.ROLLBACK: Role.LEAD,
    Permission.TEST_EDIT: Role.SCIENTIST,
    Permission.TEST_START: Role.LEAD,
    Permission.POLICY_EDIT: Role.LEAD,
    Permission.CHANNEL_EDIT: Role.ADMIN,
    Permission.USERS_EDIT: Role.ADMIN,
    Permission.TOKENS_EDIT: Role.ADMIN,
    Permission.FILES_TRUST: Role.ADMIN,
    Permission.LOG_RETAIN: Role.ADMIN,
}
SERVICE_MAY = frozenset({Permission.LOG_WRITE})


@dataclass(frozen=True)
class Actor:
    """Who acts: a person (or their token), a machine of ours (`system:worker`), or nobody yet."""

    id: str
    name: str
    role: Role | None
    kind: str = "person"  # person | token | owner (of a local store, at the command line) | system | anonymous
    credential: str = field(default="", compare=False, repr=False)  # session digest or token id
    models: frozenset[str] = frozenset()  # of a service account: the only ones that it may write

    @property
    def person(self) -> str:
        """Whose eyes these are, whatever way they came in."""
        return person_of(self.id)

    @property
    def is_system(self) -> bool:
        """Whether this is one of our own processes."""
        return self.kind == "system"

    def may(self, permission: Permission) -> bool:
        """Whether this actor has the permission."""
        if permission is Permission.PUBLIC or self.is_system:
            return True
        if self.role is Role.SERVICE:
            return permission in SERVICE_MAY
        needed = NEEDS.get(permission)
        return needed is not None and self.role is not None and RANK[self.role] >= RANK[needed]

    def why_not(self, permission: Permission) -> str:
        """Empty when allowed, else the reason a disabled button shows."""
        if self.may(permission):
            return ""
        if self.role is None:
            return "Log in first."
        if self.role is Role.SERVICE:
            return "A service account writes predictions and labels of its models; use a person's token for the rest."
        needed = NEEDS.get(permission)
        return f"Needs the role {needed}; you are {self.role}." if needed else "Only our own processes may do this."

    def require(self, permission: Permission) -> None:
        """Raise when the actor lacks the permission.

        Raises:
            NotAuthenticated: nobody is logged in.
            NotAllowed: the role is too low.
        """
        if self.may(permission):
            return
        if self.role is None:
            raise NotAuthenticated("Nobody is logged in.", hint="Log in, or send a token.")
        raise NotAllowed(f"{self.name} may not do {permission}.", hint=self.why_not(permission))

    def require_model(self, model: str) -> None:
        """Raise when this is a service account of other models; whether this one exists is not said.

        Raises:
            NotAllowed: the model is none of this service account's.
        """
        if self.role is Role.SERVICE and model not in self.models:
            raise NotAllowed(
                f"{model!r} is none of the models of the service account {self.name}.",
                hint="An admin gives it models: Audit & admin, tab Tokens, or mlops-dash service models.",
            )


NOBODY = Actor(id="anonymous", name="nobody", role=None, kind="anonymous")


def person_of(actor_id: str) -> str:
    """Whose eyes an id stands for: older entries name the owner of a local store `owner:NAME`; it is the same person.

    Ids are compared through this wherever two different people are asked for.

    >>> person_of("owner:Ada"), person_of("user:ada"), person_of("system:worker")
    ('user:ada', 'user:ada', 'system:worker')
    """
    prefix, sign, name = actor_id.partition("owner:")
    return f"user:{name.strip().lower()}" if sign and not prefix else actor_id


def system(process: str) -> Actor:
    """The actor of one of our own processes, for example `system:worker`."""
    return Actor(id=f"system:{process}", name=f"system:{process}", role=None, kind="system")


@dataclass(frozen=True)
class Waiting:
    """One thing that waits for a person: where to click and why."""

    title: str  # "Approve flight-delay v3"
    why: str  # "asked by scientist"
    icon: str  # Material icon name
    page: str  # url of the page: "registry"
    parameters: tuple[tuple[str, str], ...]
    since: datetime
    due: datetime | None = None  # when it lapses; without one it is due since it began to wait
    severity: Severity | None = None  # of an alert

    @property
    def deadline(self) -> datetime:
        """When it is due."""
        return self.due or self.since

    @property
    def urgency(self) -> tuple[int, datetime]:
        """What the queue is sorted by: critical alerts, then what is due first; a notice asks nobody to hurry."""
        return {Severity.CRITICAL: 0, Severity.NOTICE: 2}.get(self.severity or Severity.WARNING, 1), self.deadline


@dataclass(frozen=True)
class User:
    """A person who may log in, without their password."""

    id: str
    name: str
    display_name: str
    role: Role
    disabled: bool
    demo: bool
    created_at: datetime
    invited: bool  # has not set a password yet
    models: tuple[str, ...] = ()  # of a service account: what it may write

    @property
    def is_service(self) -> bool:
        """Whether this is a program's account, with tokens and no login."""
        return self.role is Role.SERVICE


REGISTRY_ALERTS = ("alias", "not_confirmed", "frozen", "rollout")  # kinds that are answered on the Registry page
REJECTION_STANDS = timedelta(days=14)  # so long it waits in the proposer's queue
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,39}")


def new_user(name: str, role: Role, display_name: str, *, at: datetime, demo: bool = False) -> User:
    """A user who has not set a password yet.

    The id is made of the name, which never changes and is never given to another: the ledger reads without a join.

    Raises:
        InvalidInput: the name cannot be used.
    """
    name = name.strip().lower()
    if not _NAME.fullmatch(name):
        shown = name if len(name) <= 60 else f"{name[:57]}..."
        raise InvalidInput(f"{shown!r} cannot be a name.", hint="Use 1 to 40 of a-z, 0-9, dot, dash, underscore.")
    shown_name = display_name.strip()[:80] or name
    return User(f"user:{name}", name, shown_name, role, disabled=False, demo=demo, created_at=at, invited=not demo)


def new_service(name: str, models: Collection[str], *, at: datetime) -> User:
    """A service account of these models; its names are those of people, so that one id is never two.

    Raises:
        InvalidInput: the name cannot be used, or no model is named.
    """
    made = new_user(name, Role.SERVICE, "", at=at)
    return replace(made, invited=False, models=models_of_service(models))


def models_of_service(models: Collection[str]) -> tuple[str, ...]:
    """The models that a service account is given, each once.

    Raises:
        InvalidInput: there is none.
    """
    if not models:
        raise InvalidInput("A service account without a model can do nothing.", hint="Name one model at least.")
    return tuple(sorted(set(models)))


@dataclass(frozen=True)
class Token:
    """An API token, without its secret."""

    id: str
    name: str
    user_name: str
    role: Role
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None

    def live(self, now: datetime) -> bool:
        """Whether it opens anything at `now`."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


@dataclass(frozen=True)
class Invitation:
    """A user and, when they have to set a password, the secret of their one-time link (shown once)."""

    user: User
    link_secret: str | None


@dataclass(frozen=True)
class IssuedToken:
    """A token and its secret, which is shown once and never kept."""

    token: Token
    secret: str


def slow_down(failures: int) -> timedelta:
    """How long the next login must wait: nothing up to four failures, then 2, 4, 8 ... 60 seconds.

    >>> [int(slow_down(n).total_seconds()) for n in (4, 5, 6, 7, 50)]
    [0, 2, 4, 8, 60]
    """
    return timedelta(0) if failures < 5 else timedelta(seconds=min(60, 2 ** min(6, failures - 4)))


@dataclass(frozen=True)
class Allowance:
    """So many tries at once, and then one every so many seconds.

    All that is kept is the moment at which what was spent is paid off (the generic cell rate algorithm).

    >>> from datetime import UTC
    >>> noon, office = datetime(2013, 1, 1, 12, tzinfo=UTC), Allowance(at_once=2, every_seconds=10)
    >>> owed = office.after_one_more(office.after_one_more(None, noon), noon)
    >>> office.wait_seconds(owed, noon), office.wait_seconds(owed, noon + timedelta(seconds=10))
    (10.0, 0.0)
    """

    at_once: int
    every_seconds: float

    def after_one_more(self, paid_off: datetime | None, now: datetime) -> datetime:
        """When all is paid off, this try included."""
        return max(paid_off or now, now) + timedelta(seconds=self.every_seconds)

    def wait_seconds(self, paid_off: datetime | None, now: datetime) -> float:
        """How long until there is a try again; 0: there is one."""
        owed = 0.0 if paid_off is None else (paid_off - now).total_seconds()
        return max(0.0, owed - (self.at_once - 1) * self.every_seconds)


def alert_waits(model: str, kind: str, *, title: str, cause: str, severity: Severity, since: datetime) -> Waiting:
    """What an open alert asks of everybody who may answer it."""
    named = title if f" {model} " in f" {title} " else f"{model}: {title}"
    page = "registry" if kind in REGISTRY_ALERTS else "monitoring"
    return Waiting(named, cause, "notifications", page, (("model", model),), since, severity=severity)


def rejection_waits(
    model: str, version: str, *, by: str, reason: str, since: datetime, stopped: bool = False
) -> Waiting:
    """What a rejection, or a stopped roll-out, asks of the proposer: to read why and propose again."""
    who = f"by {by.removeprefix('user:')}: " if by else ""
    parameters = (("model", model), ("version", version))
    title = f"{model} v{version} was {'stopped in its roll-out' if stopped else 'rejected'}"
    return Waiting(title, f"{who}{reason}", "thumb_down", "registry", parameters, since, since + REJECTION_STANDS)


def proposal_waits_for(
    actor: Actor,
    *,
    model: str,
    version: str,
    state: str,
    proposer: str,
    approved_by: Collection[str],
    since: datetime,
    due: datetime | None = None,
    stands_for: Collection[str] = (),
) -> Waiting | None:
    """What a proposal asks of this person: to judge it, to promote it, or nothing.

    The proposer never judges their own proposal; whoever approved already is not asked again. `stands_for` are the ids
    of those whose deputy this person is now; where their approval is still to be had, the queue says so.
    """
    parameters = (("model", model), ("version", version))
    if state == ProposalState.APPROVED and actor.may(Permission.PROMOTE):
        return Waiting(f"Promote {model} v{version}", "approved", "rocket_launch", "registry", parameters, since, due)
    asks = state == ProposalState.OPEN and actor.may(Permission.PROPOSAL_JUDGE)
    if not asks or actor.person in {person_of(proposer), *map(person_of, approved_by)}:
        return None
    spent = {person_of(proposer), *map(person_of, approved_by)}
    absent = [one.removeprefix("user:") for one in stands_for if person_of(one) not in spent]
    who = proposer.removeprefix("user:") + (f"; you stand in for {' and '.join(absent)}" if absent else "")
    return Waiting(f"Review {model} v{version}", f"proposed by {who}", "how_to_reg", "registry", parameters, since, due)
