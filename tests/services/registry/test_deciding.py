"""What a decided promotion rests on is the same by a click and at the end of its stages."""

from __future__ import annotations

from pathlib import Path

from mlops_dash.services.registry.deciding import basis_said, evidence_of
from mlops_dash.services.registry.judging import standing
from mlops_dash.store import registry as store
from mlops_dash.store.db import reading
from tests import registry_world
from tests.factories import LEAD


def test_it_names_files_approvers_gates_policy_and_each_evidence_once(tmp_path: Path, mlflow_uri: str) -> None:
    world = registry_world.world(tmp_path, mlflow_uri)
    made = world.approved()
    with reading(world.context.databases.app) as session:
        at = standing(session, store.proposal(session, made.id), world.hands.at)
        said, evidence = basis_said(session, at), evidence_of(at)
    world.context.databases.dispose()
    assert (said["proposal"], said["approved_by"]) == (made.id, [LEAD.id])
    assert said["artifact"] == at.version.artifact_digest
    assert said["gates"].keys() == {gate.name for gate in at.gates}
    assert len(evidence) == len(set(evidence)) > 0
    assert "answers" not in said
