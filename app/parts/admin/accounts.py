"""Users and tokens: the two panels of Audit & admin that only admins may act in; others see them with the reason."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from app.charts import audit as tables
from app.shell import session
from app.ui import dialogs, widgets
from app.ui.context import Frame
from app.ui.text import plain
from mlops_dash.domain import format as fmt
from mlops_dash.domain.access import Permission, Role, Token, User

_ROLES = tuple(str(role) for role in Role)
_SECRET = "_secret_once"
_LIVES = {30: "30 days", 90: "90 days", 365: "1 year", 0: "no end"}


def secret_shown_once() -> None:
    """A link or token just made: on the screen until the person says that it is stored."""
    kept = session.get(_SECRET)
    if kept is None:
        return
    label, secret = kept
    with widgets.card("secret", label, "It is shown this once and kept nowhere. Copy it now."):
        st.code(secret, language=None, wrap_lines=True)
        st.button("I have stored it", key="secret-stored", on_click=session.pop, args=(_SECRET,))


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
        name = st.selectbox("User", list(people), key="user", bind="query-params", width=240)
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
        session.put(_SECRET, (f"One-time link for {name}", f"{session.origin()}/link/{secret}"))


def tokens_panel(frame: Frame) -> None:
    """Tokens with which programs act as a user, and the dialogs that issue and revoke them."""
    why_not = frame.why_not(Permission.TOKENS_EDIT)
    people = () if why_not else frame.services.access.users(frame.actor)

    def issue() -> None:
        if widgets.action_button("Issue token…", key="issue-token", why_not=why_not, primary=True, icon_name="key"):
            _issue_token(frame, people)

    if why_not:
        with widgets.card("tokens", "Tokens", "With which programs act as a user", issue):
            widgets.empty("lock", "Admins keep the tokens", why_not, key="tokens-forbidden")
        return
    issued = frame.services.access.tokens(frame.actor)
    with widgets.card("tokens", "Tokens", "A program that sends one acts as its user, in that user's role", issue):
        if not issued:
            widgets.empty(
                "key", "No token yet", "The gateway and the command line take tokens: issue one for each program.",
                key="tokens",
            )  # fmt: skip
            return
        st.dataframe(
            tables.tokens(issued, frame.now),
            key="tokens-table",
            hide_index=True,
            row_height=32,
            alt="Tokens, newest first",
        )
        _token_actions(frame, [token for token in issued if token.revoked_at is None])


def _token_actions(frame: Frame, live: Sequence[Token]) -> None:
    by_id = {token.id: token for token in live}
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="token-actions"):
        chosen = st.selectbox(
            "Token",
            list(by_id),
            format_func=lambda id_: f"{by_id[id_].name} ({by_id[id_].user_name})",
            key="token",
            placeholder="No live token",
            width=320,
        )
        nothing = "" if chosen else "Every token is revoked."
        if widgets.action_button("Revoke…", key="revoke-token", why_not=nothing, icon_name="key_off"):
            _revoke(frame, by_id[chosen])


def _issue_token(frame: Frame, people: Sequence[User]) -> None:
    names = [user.name for user in people if not user.disabled]

    def fields() -> None:
        st.selectbox("Acts as", names, key="new-token-user")
        st.text_input(
            "Label", key="new-token-label", max_chars=80, required=True, placeholder="airport scoring service"
        )
        st.selectbox("Lives", list(_LIVES), format_func=lambda days: _LIVES[days], index=1, key="new-token-days")

    def act(reason: str) -> str:
        made = frame.services.access.issue_token(
            frame.actor,
            session.get("new-token-user"),
            label=session.get("new-token-label") or "",
            days=session.get("new-token-days") or None,
            reason=reason,
        )
        session.put(_SECRET, (f"Token {made.token.name}", made.secret))
        return f"The token {made.token.name} acts as {made.token.user_name}."

    dialogs.confirm(
        key="issue-token-dialog",
        title="Issue a token",
        consequence="A program that sends it may do what its user may do. Its secret is shown once.",
        button="Issue token",
        act=act,
        icon="key",
        fields=fields,
        placeholder="What is it for? This goes into the ledger.",
    )


def _revoke(frame: Frame, token: Token) -> None:
    def act(reason: str) -> str:
        frame.services.access.revoke_token(frame.actor, token.id, reason=reason)
        return f"The token {token.name} opens nothing any more."

    dialogs.confirm(
        key=f"revoke-{token.id}",
        title=f"Revoke the token {token.name}",
        consequence="The program that uses it is refused from its next request on. This cannot be undone.",
        button="Revoke token",
        act=act,
        facts={"Acts as": f"{token.user_name}, {token.role}", "Last used": frame.ago(token.last_used_at)},
        icon="key_off",
    )
