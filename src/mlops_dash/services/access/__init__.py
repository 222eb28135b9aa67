"""Who are you, and who may come in: logins, sessions, one-time links, users and tokens.

Secrets (session cookies, links, tokens) are shown once and kept as sha256; passwords as argon2id. Sessions and links
live on the machine's clock, so that a replayed world cannot log people out.
"""

from __future__ import annotations

from mlops_dash.services.access.accounts import Accounts
from mlops_dash.services.access.deputies import Deputies
from mlops_dash.services.access.logins import Logins
from mlops_dash.services.access.service_accounts import ServiceAccounts
from mlops_dash.services.command import Context

__all__ = ["AccessService"]


class AccessService:
    """Logins (`logins.py`); users and tokens (`accounts.py`); deputies; programs' accounts (`service_accounts.py`)."""

    def __init__(self, context: Context) -> None:
        self.context = context

        logins = Logins(context)
        self.actor_for_session = logins.actor_for_session
        self.actor_for_token = logins.actor_for_token
        self.actor_for_owner = logins.actor_for_owner
        self.login = logins.login
        self.login_demo = logins.login_demo
        self.remember_browser = logins.remember_browser
        self.prove_password = logins.prove_password
        self.logout = logins.logout
        self.demo_accounts = logins.demo_accounts
        self.ensure_demo_users = logins.ensure_demo_users
        self.create_first_admin_link = logins.create_first_admin_link
        self.first_admin_link_is_open = logins.first_admin_link_is_open
        self.link_is_for = logins.link_is_for
        self.redeem_admin_link = logins.redeem_admin_link
        self.redeem_invite = logins.redeem_invite
        self.waiting = logins.waiting

        accounts = Accounts(context)
        self.users = accounts.users
        self.admins = accounts.admins
        self.tokens = accounts.tokens
        self.create_user = accounts.create_user
        self.issue_link = accounts.issue_link
        self.set_role = accounts.set_role
        self.disable_user = accounts.disable_user
        self.enable_user = accounts.enable_user
        self.issue_token = accounts.issue_token
        self.revoke_token = accounts.revoke_token

        services = ServiceAccounts(context)
        self.service_accounts = services.service_accounts
        self.create_service = services.create_service
        self.set_service_models = services.set_service_models

        deputies = Deputies(context)
        self.deputies, self.possible_deputies = deputies.deputies, deputies.possible_deputies
        self.name_deputy, self.end_deputy = deputies.name_deputy, deputies.end_deputy
