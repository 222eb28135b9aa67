"""Who may do what: roles nest, permissions are `subject:action`, and the actor is always an argument."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from mlops_dash.errors import NotAllowed, NotAuthenticated


class Role(StrEnum):
    """Roles nest: admin includes lead includes scientist includes viewer."""

    VIEWER = "viewer"
    SCIENTIST = "scientist"
    LEAD = "lead"
    ADMIN = "admin"


RANK: dict[Role, int] = {Role.VIEWER: 0, Role.SCIENTIST: 1, Role.LEAD: 2, Role.ADMIN: 3}


class Permission(StrEnum):
    """What a service method asks for."""

    PUBLIC = "public:read"  # the login itself
    ROOM_READ = "room:read"  # every page's facts
    AUDIT_READ = "audit:read"
    USERS_READ = "users:read"
    SCORE_WRITE = "score:write"  # predictions and labels, by token or system
    ALERT_ANSWER = "alert:answer"
    JOB_RUN = "job:run"
    JOB_CANCEL = "job:cancel"
    SCHEDULE_EDIT = "schedule:edit"
    MODEL_EDIT = "model:edit"
    MONITOR_EDIT = "monitor:edit"
    PROPOSAL_OPEN = "proposal:open"
    PROPOSAL_JUDGE = "proposal:judge"
    GATE_OVERRIDE = "gate:override"
    PROMOTE = "promotion:run"
    ROLLBACK = "rollback:run"
    POLICY_EDIT = "policy:edit"
    USERS_EDIT = "users:edit"
    TOKENS_EDIT = "tokens:edit"
    SYSTEM = "system:run"  # machine facts: claim, heartbeat, profile, reconcile


NEEDS: dict[Permission, Role] = {
    Permission.ROOM_READ: Role.VIEWER,
    Permission.AUDIT_READ: Role.VIEWER,
    Permission.USERS_READ: Role.ADMIN,
    Permission.SCORE_WRITE: Role.SCIENTIST,
    Permission.ALERT_ANSWER: Role.SCIENTIST,
    Permission.JOB_RUN: Role.SCIENTIST,
    Permission.JOB_CANCEL: Role.SCIENTIST,
    Permission.SCHEDULE_EDIT: Role.SCIENTIST,
    Permission.MODEL_EDIT: Role.SCIENTIST,
    Permission.MONITOR_EDIT: Role.LEAD,
    Permission.PROPOSAL_OPEN: Role.SCIENTIST,
    Permission.PROPOSAL_JUDGE: Role.LEAD,
    Permission.GATE_OVERRIDE: Role.LEAD,
    Permission.PROMOTE: Role.LEAD,
    Permission.ROLLBACK: Role.LEAD,
    Permission.POLICY_EDIT: Role.LEAD,
    Permission.USERS_EDIT: Role.ADMIN,
    Permission.TOKENS_EDIT: Role.ADMIN,
}


@dataclass(frozen=True)
class Actor:
    """Who acts: a person (or their token), a machine of ours (`system:worker`), or nobody yet."""

    id: str
    name: str
    role: Role | None
    kind: str = "person"  # person | token | system | anonymous

    @property
    def is_system(self) -> bool:
        """Whether this is one of our own processes."""
        return self.kind == "system"

    def may(self, permission: Permission) -> bool:
        """Whether this actor has the permission."""
        if permission is Permission.PUBLIC or self.is_system:
            return True
        needed = NEEDS.get(permission)
        return needed is not None and self.role is not None and RANK[self.role] >= RANK[needed]

    def why_not(self, permission: Permission) -> str:
        """Empty when allowed, else the reason a disabled button shows."""
        if self.may(permission):
            return ""
        if self.role is None:
            return "Log in first."
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


NOBODY = Actor(id="anonymous", name="nobody", role=None, kind="anonymous")


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
