"""Programs' accounts: with a token they write predictions and labels of their models, and can do nothing else.

They are users without a login, so that tokens, disabling and the ledger know one kind of account.
"""

from __future__ import annotations

from collections.abc import Collection

from mlops_dash.domain.access import Actor, Permission, User, models_of_service, new_service
from mlops_dash.domain.audit import Action
from mlops_dash.errors import Conflict, NotFound
from mlops_dash.services.command import Context, Unit, command, read
from mlops_dash.store import access as store
from mlops_dash.store import registry as registry_store
from mlops_dash.store.db import Session, reading


class ServiceAccounts:
    """Who they are and which models are theirs."""

    def __init__(self, context: Context) -> None:
        self.context = context

    @read(Permission.USERS_READ)
    def service_accounts(self, actor: Actor) -> tuple[User, ...]:
        """All service accounts by name."""
        with reading(self.context.databases.app) as session:
            return tuple(user for user in store.users(session) if user.is_service)

    @command(Permission.USERS_EDIT, Action.SERVICE_CREATED)
    def create_service(self, unit: Unit, actor: Actor, name: str, models: Collection[str], *, reason: str = "") -> User:
        """Make a service account; it opens nothing until a token is issued. Admins only; audited.

        Raises:
            InvalidInput: the name cannot be used, or no model is named.
            NotFound: a model is not known.
            Conflict: the name is taken.
        """
        made = new_service(name, models, at=unit.now)
        _require_known(unit.session, made.models)
        if store.user_by_name(unit.session, made.name) is not None:
            raise Conflict(f"The name {made.name!r} is taken.", hint="Choose another; users and services share names.")
        store.add_user(unit.session, made)
        unit.audit(made.name, after={"models": list(made.models)}, reason=reason)
        return made

    @command(Permission.USERS_EDIT, Action.SERVICE_MODELS_SET)
    def set_service_models(
        self, unit: Unit, actor: Actor, name: str, models: Collection[str], *, reason: str = ""
    ) -> User:
        """Say which models a service account may write from now on, all of them. Admins only; audited.

        Raises:
            InvalidInput: no model is named.
            NotFound: no such service account, or a model is not known.
        """
        user = store.user_by_name(unit.session, name.strip().lower())
        if user is None or not user.is_service:
            raise NotFound(f"There is no service account {name!r}.", hint="Look: mlops-dash service list.")
        wanted = models_of_service(models)
        if wanted == user.models:
            unit.nothing_changed()
            return user
        _require_known(unit.session, wanted)
        unit.audit(user.name, before={"models": list(user.models)}, after={"models": list(wanted)}, reason=reason)
        return store.change_user(unit.session, user.id, models=wanted)


def _require_known(session: Session, models: Collection[str]) -> None:
    for name in models:
        registry_store.model(session, name)
