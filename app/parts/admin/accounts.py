"""Users: a panel of Audit & admin that only admins may act in; others see it with the reason."""

from __future__ import annotations

import streamlit as st

from app.charts import audit as tables
from app.parts.admin import secrets
from app.shell import address, session
from app.ui import dialogs, widgets
from app.ui.context import Frame
from app.ui.text import plain
from mlops_dash.domain import format as fmt
from mlops_dash.domain.access import PERSON_ROLES, Permission, Role, User

_ROLES = tuple(str(role) for role in PERSON_ROLES)


def users_panel(frame: Frame) -> None:
    """Who may log in, and the dialogs that change it."""
    why_not = frame.why_not(Permission.USERS_EDIT)

    def create() -> None:
        if widgets.action_button(
            "Create user…", key="create-user", why_not=why_not, primary=True, icon_name="person_add"
        ):
            _create_user(frame)

    if why_not:
        with widgets.card("users", "Users", "Who may log in, and as what", create):
            widgets.empty("lock", "Admins keep the users", why_not, key="users-forbidden")
        return
    people = frame.services.access.users(frame.actor)
    with widgets.card(
        "users", "Users", f"{fmt.plural(len(people), 'user')}; roles nest: admin, lead, scientist, viewer", create
    ):
        st.dataframe(
            tables.users(people, frame.now), key="users-table", hide_index=True, row_height=32, alt="Users by name"
        )
        _user_actions(frame, {user.name: user for user in people})


def _user_actions(frame: Frame, people: dict[str, User]) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="user-actions"):
        address.menu("user", people, next(iter(people)))
        name = st.selectbox("User", list(people), key="user", width=240, on_change=address.picked, args=("user",))
        user = people[name]
        if widgets.action_button("Set role…", key="set-role", icon_name="badge"):
            _set_role(frame, user)
        if user.disabled:
            if widgets.action_button("Enable…", key="enable-user", icon_name="lock_open"):
                _enable(frame, user)
        elif widgets.action_button("Disable…", key="disable-user", icon_name="block"):
            _disable(frame, user)
        no_link = "A demo account has no password." if user.demo else "Enable the user first." if user.disabled else ""
        if widgets.action_button("New password link…", key="new-link", why_not=no_link, icon_name="link"):
            _new_link(frame, user)


def _create_user(frame: Frame) -> None:
    def fields() -> None:
        st.text_input("Name", key="new-user-name", max_chars=40, required=True, placeholder="jonas.weber")
        st.text_input("Shown as", key="new-user-shown", max_chars=80, placeholder="Jonas Weber")
        st.selectbox("Role", _ROLES, key="new-user-role")

    def act(reason: str) -> str:
        invited = frame.services.access.create_user(
            frame.actor,
            session.get("new-user-name"),
            Role(session.get("new-user-role")),
            display_name=session.get("new-user-shown") or "",
            reason=reason,
        )
        _keep_link(invited.user.name, invited.link_secret)
        return f"{invited.user.name} may come in as {invited.user.role}, once they open their link."

    dialogs.confirm(
        key="create-user-dialog",
        title="Create user",
        consequence="They get a one-time link, valid for 24 hours, with which they set their own password.",
        button="Create user",
        act=act,
        icon="person_add",
        fields=fields,
        placeholder="Who asked for it? This goes into the ledger.",
    )


def _set_role(frame: Frame, user: User) -> None:
    key = f"role-of-{user.name}"

    def fields() -> None:
        st.selectbox("New role", _ROLES, index=_ROLES.index(user.role), key=key)

    def act(reason: str) -> str:
        now = frame.services.access.set_role(frame.actor, user.name, Role(session.get(key)), reason=reason)
        return f"{now.name} is {now.role} now."

    dialogs.confirm(
        key=f"set-role-{user.name}",
        title=f"Set the role of {user.name}",
        consequence=f"**{plain(user.name)}** is **{user.role}** today. The new role holds from their next click.",
        button="Set role",
        act=act,
        icon="badge",
        fields=fields,
    )


def _disable(frame: Frame, user: User) -> None:
    def act(reason: str) -> str:
        frame.services.access.disable_user(frame.actor, user.name, reason=reason)
        return f"{user.name} is locked out."

    dialogs.confirm(
        key=f"disable-{user.name}",
        title=f"Disable {user.name}",
        consequence="Their sessions end now; their links and tokens open nothing. What they decided stays.",
        button="Disable user",
        act=act,
        changes=(("May log in", "yes", "no"),),
        icon="block",
    )


def _enable(frame: Frame, user: User) -> None:
    def act(reason: str) -> str:
        frame.services.access.enable_user(frame.actor, user.name, reason=reason)
        return f"{user.name} may log in again."

    dialogs.confirm(
        key=f"enable-{user.name}",
        title=f"Enable {user.name}",
        consequence="Password and tokens work again; old sessions stay closed.",
        button="Enable user",
        act=act,
        changes=(("May log in", "no", "yes"),),
        icon="lock_open",
    )


def _new_link(frame: Frame, user: User) -> None:
    def act(reason: str) -> str:
        _keep_link(user.name, frame.services.access.issue_link(frame.actor, user.name, reason=reason).link_secret)
        return f"{user.name} has a new link; an earlier one stopped working."

    dialogs.confirm(
        key=f"link-{user.name}",
        title=f"New password link for {user.name}",
        consequence="Whoever opens it sets a new password. It works once, for 24 hours; their old sessions end then.",
        button="Make the link",
        act=act,
        icon="link",
    )


def _keep_link(name: str, secret: str | None) -> None:
    if secret is not None:
        secrets.keep(f"One-time link for {name}", f"{session.origin()}/link/{secret}")
