"""The registry: propose, approve, promote, roll back, and see at one look where a model stands.

versions    add a model, mirror MLflow's versions
proposals   propose, approve, reject, withdraw, override
promotion   begin (transaction 1), finish (alias, transaction 2), roll back
aliases     restore or adopt an alias that was moved outside
reconcile   the worker's pass: finish, mirror, notice, confirm, expire
room        everything the page shows, from one read
judging     where a proposal stands now, shared by all of them
"""

from __future__ import annotations

from mlops_dash.services.command import Context
from mlops_dash.services.registry.proposals import Proposals
from mlops_dash.services.registry.reconcile import Reconciled, Reconciling
from mlops_dash.services.registry.room import Rooms
from mlops_dash.services.registry.versions import Versions

__all__ = ["Reconciled", "RegistryService"]


class RegistryService(Versions, Proposals, Reconciling, Rooms):
    """Versions, proposals, promotions and what is served, of all models."""

    def __init__(self, context: Context) -> None:
        Rooms.__init__(self, context)
