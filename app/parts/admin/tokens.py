"""Tokens: a panel of Audit & admin that only admins may act in; others see it with the reason."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from app.charts import audit as tables
from app.parts.admin import secrets, service_accounts
from app.shell import session
from app.ui import dialogs, widgets
from app.ui.context import Frame
from mlops_dash.domain.access import RANK, Permission, Token, User

LIVES = service_accounts.LIVES


def tokens_panel(frame: Frame) -> None:
    """Tokens with which programs act as a user, and the dialogs that issue and revoke them."""
    why_not = frame.why_not(Permission.TOKENS_EDIT)
    access = frame.services.access
    people = () if why_not else access.users(frame.actor)
    programs = () if why_not else access.service_accounts(frame.actor)

    def issue() -> None:
        if widgets.action_button("Issue token…", key="issue-token", why_not=why_not, primary=True, icon_name="key"):
            _issue_token(frame, (*people, *programs))

    if why_not:
        with widgets.card("tokens", "Tokens", "With which programs act as a user", issue):
            widgets.empty("lock", "Admins keep the tokens", why_not, key="tokens-forbidden")
        return
    service_accounts.panel(frame, programs)
    issued = access.tokens(frame.actor)
    with widgets.card("tokens", "Tokens", "A program that sends one acts as its user, in that user's role", issue):
        if not issued:
            widgets.empty(
                "key", "No token yet", "The gateway and the command line take tokens: issue one for each program.",
                key="tokens",
            )  # fmt: skip
            return
        st.dataframe(
            tables.tokens(issued, frame.now, disabled={one.name for one in (*people, *programs) if one.disabled}),
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
    live = sorted((user for user in people if not user.disabled), key=lambda user: (RANK.get(user.role, 9), user.name))
    roles = {user.name: user.role for user in live}  # the weakest first: more is chosen, never given by default

    def fields() -> None:
        st.selectbox("Acts as", list(roles), format_func=lambda name: f"{name}, {roles[name]}", key="new-token-user")
        st.text_input(
            "Label", key="new-token-label", max_chars=80, required=True, placeholder="airport scoring service"
        )
        st.selectbox("Lives", list(LIVES), format_func=lambda days: LIVES[days], index=1, key="new-token-days")

    def act(reason: str) -> str:
        made = frame.services.access.issue_token(
            frame.actor,
            session.get("new-token-user"),
            label=session.get("new-token-label") or "",
            days=session.get("new-token-days") or None,
            reason=reason,
        )
        secrets.keep(f"Token {made.token.name}", made.secret)
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
