"""Programs' accounts on Audit & admin, tab Tokens: each logs what its models answer and can do nothing else."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from app.charts import audit as tables
from app.parts.admin import secrets
from app.shell import session
from app.ui import dialogs, widgets
from app.ui.context import Frame
from app.ui.text import plain
from mlops_dash.domain import format as fmt
from mlops_dash.domain.access import User

LIVES = {30: "30 days", 90: "90 days", 365: "1 year", 0: "no end"}


def panel(frame: Frame, accounts: Sequence[User]) -> None:
    """Which programs may log, of which models, and the dialogs that change it; for admins."""
    models = [model.name for model in frame.services.registry.models(frame.actor)]
    none = "" if models else "Add a model first: the account is for its predictions."

    def create() -> None:
        if widgets.action_button(
            "Service account…", key="create-service", why_not=none, primary=True, icon_name="smart_toy"
        ):
            _create(frame, models)

    said = "Each writes predictions and labels of its models: no login, no look at anything"
    with widgets.card("services", "Service accounts", said, create):
        if not accounts:
            widgets.empty(
                "smart_toy", "No service account yet", "Make one for a program that serves a model elsewhere.",
                key="services",
            )  # fmt: skip
            return
        st.dataframe(
            tables.service_accounts(accounts, frame.now), key="services-table", hide_index=True, row_height=32,
            alt="Service accounts by name, with their models",
        )  # fmt: skip
        _actions(frame, {account.name: account for account in accounts}, models)


def _actions(frame: Frame, accounts: dict[str, User], models: Sequence[str]) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="service-actions"):
        account = accounts[st.selectbox("Service account", list(accounts), key="service", width=280)]
        if widgets.action_button("Set models…", key="set-service-models", icon_name="rule"):
            _set_models(frame, account, models)
        if account.disabled:
            if widgets.action_button("Enable…", key="enable-service", icon_name="lock_open"):
                _enable(frame, account)
        elif widgets.action_button("Disable…", key="disable-service", icon_name="block"):
            _disable(frame, account)


def _create(frame: Frame, models: Sequence[str]) -> None:
    def fields() -> None:
        st.text_input("Name", key="new-service-name", max_chars=40, required=True, placeholder="booking-service")
        st.multiselect("Models", models, key="new-service-models", placeholder="Those that it answers for")
        st.selectbox("Token lives", list(LIVES), format_func=lambda days: LIVES[days], index=2, key="new-service-days")

    def act(reason: str) -> str:
        access = frame.services.access
        made = access.create_service(
            frame.actor, session.get("new-service-name") or "", session.get("new-service-models") or (), reason=reason
        )
        issued = access.issue_token(
            frame.actor,
            made.name,
            label=f"service {made.name}",
            days=session.get("new-service-days") or None,
            reason=reason,
        )
        secrets.keep(f"Token of {made.name}", issued.secret)
        return f"{made.name} may write {', '.join(made.models)}, and nothing else."

    dialogs.confirm(
        key="create-service-dialog", title="Make a service account", icon="smart_toy", button="Make account", act=act,
        fields=fields, placeholder="What is it for? This goes into the ledger.",
        consequence="It gets a token, shown once, with which it sends predictions and labels of the chosen models. "
        "It sees nothing and cannot log in.",
    )  # fmt: skip


def _set_models(frame: Frame, account: User, models: Sequence[str]) -> None:
    key = f"models-of-{account.name}"
    offered = sorted({*models, *account.models})

    def fields() -> None:
        st.multiselect("Models", offered, default=list(account.models), key=key)

    def act(reason: str) -> str:
        now = frame.services.access.set_service_models(frame.actor, account.name, session.get(key) or (), reason=reason)
        return f"{now.name} may write {', '.join(now.models)}, and nothing else."

    dialogs.confirm(
        key=f"set-models-{account.name}", title=f"Set the models of {account.name}", icon="rule", button="Set models",
        act=act, fields=fields,
        consequence=f"**{plain(account.name)}** writes **{plain(', '.join(account.models))}** today. "
        "The new list holds within seconds.",
    )  # fmt: skip


def _disable(frame: Frame, account: User) -> None:
    def act(reason: str) -> str:
        frame.services.access.disable_user(frame.actor, account.name, reason=reason)
        return f"{account.name} is locked out."

    dialogs.confirm(
        key=f"disable-service-{account.name}", title=f"Disable {account.name}", icon="block",
        button="Disable account", act=act, changes=(("Its tokens are taken", "yes", "no"),),
        consequence="What it sends is refused within seconds. What it has logged stays.",
    )  # fmt: skip


def _enable(frame: Frame, account: User) -> None:
    def act(reason: str) -> str:
        frame.services.access.enable_user(frame.actor, account.name, reason=reason)
        return f"{account.name} may write again."

    dialogs.confirm(
        key=f"enable-service-{account.name}", title=f"Enable {account.name}", icon="lock_open",
        button="Enable account", act=act, changes=(("Its tokens are taken", "no", "yes"),),
        consequence=f"Tokens that are not revoked work again, for {fmt.plural(len(account.models), 'model')}.",
    )  # fmt: skip
