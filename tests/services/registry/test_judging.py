"""Which approvals count at a moment: what they rest on, and who gave them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mlops_dash.domain.policies import PolicyKind
from mlops_dash.domain.words import ProposalState
from mlops_dash.errors import Conflict
from mlops_dash.services.access import AccessService, passwords
from mlops_dash.services.policies import PolicyService
from mlops_dash.store import access as access_store
from mlops_dash.store.db import transaction
from tests import registry_world
from tests.factories import ADMIN, LEAD, SCIENTIST, VIEWER, WORKER
from tests.registry_world import World

MODEL = 'Wartezeit "Ambulanz" & 急诊'


@pytest.fixture
def house(tmp_path: Path, mlflow_uri: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A model of somebody else, whose name has quotes and Chinese."""
    monkeypatch.setattr(registry_world, "MODEL", MODEL)
    made = registry_world.world(tmp_path, mlflow_uri)
    yield made
    made.context.databases.dispose()


def test_a_model_made_tier_1_after_its_approval_takes_the_password(house: World) -> None:
    policies = PolicyService(house.context)
    rules = policies.propose(LEAD, MODEL, PolicyKind.PROMOTION, {"tier_1_password": "again"}, reason="an auditor's")
    policies.activate(ADMIN, rules.id, reason="agreed")
    made = house.approved()
    house.service.edit_model(SCIENTIST, MODEL, {"tier": 1}, reason="it decides about people")
    with pytest.raises(Conflict, match="0 of 1 approvals"):
        house.service.begin_promotion(LEAD, made.id, made.revision, "now")
    [line] = house.service.room(VIEWER, MODEL).approvals
    assert (line.holds, "what the tier asks changed" in line.reason) == (False, True)
    house.service.reconcile(WORKER)
    after = house.service.room(VIEWER, MODEL).proposal
    assert after is not None
    assert after.state is ProposalState.OPEN

    with transaction(house.context.databases.app) as session:
        access_store.change_user(session, LEAD.id, password_hash=passwords.hashed("a long enough one", "lead"))
    proof = AccessService(house.context).prove_password(LEAD, "a long enough one", made.id)
    again = house.service.approve(LEAD, after.id, after.revision, proof=proof)
    assert house.service.begin_promotion(LEAD, again.id, again.revision, "now")
