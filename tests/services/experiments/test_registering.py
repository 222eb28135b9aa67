"""From a run to a proposed version: by the real store, once however often it is clicked, or with a reason why not."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlops_dash.domain.access import Actor
from mlops_dash.errors import Conflict, NotAllowed, NotFound
from mlops_dash.services.command import Context
from mlops_dash.services.experiments import ExperimentService
from mlops_dash.services.registry import RegistryService
from mlops_dash.store.db import transaction
from mlops_dash.tracking.registry import MlflowRegistry
from tests.factories import LEAD, SCIENTIST, VIEWER, context, model_row
from tests.served import Served

MODEL = "flight-delay"


@pytest.fixture
def made(served: Served, tmp_path: Path) -> Iterator[Context]:
    """A copy of a store with models that nobody of ours has recorded yet; its files are read where they are."""
    import mlflow

    shutil.copyfile(served.uri.removeprefix("sqlite:///"), tmp_path / "mlflow.db")
    found = context(tmp_path, mlflow_uri=f"sqlite:///{tmp_path / 'mlflow.db'}")
    with transaction(found.databases.app) as session:
        session.add(model_row("another"))
        session.add(model_row("outside", source="external"))
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(found.settings.mlflow_uri)  # a server knows itself; a bare store asks the process
    yield found
    mlflow.set_tracking_uri(before)
    found.databases.dispose()


@pytest.fixture
def service(made: Context) -> ExperimentService:
    return ExperimentService(made)


@pytest.fixture
def run_id(made: Context) -> str:
    return next(one.run_id for one in MlflowRegistry(made.settings.mlflow_uri).versions(MODEL) if one.version == "1")


def test_a_run_becomes_a_version_once_and_can_then_be_proposed(
    made: Context, service: ExperimentService, run_id: str
) -> None:
    before = service.registrable(SCIENTIST, run_id)
    assert (before.models, before.version, before.why_not_register) == (("another",), None, "")
    first = service.register_run(SCIENTIST, run_id, "another")
    assert (first.model, first.version, first.run_id) == ("another", "1", run_id)
    assert len(first.artifact_digest) == 64
    assert service.register_run(SCIENTIST, run_id, "another") == first
    registry = RegistryService(made)
    version_id = registry.record_version(
        SCIENTIST, first.model, first.version, run_id=run_id, source_uri=first.source_uri,
        artifact_digest=first.artifact_digest, data_digest=first.data_digest,
    )  # fmt: skip
    after = service.registrable(SCIENTIST, run_id)
    assert after.version is not None
    assert (after.version.id, after.why_not_propose) == (version_id, "")
    assert after.why_not_register == "It is another v1 already."
    registry.propose(SCIENTIST, version_id, comment="the best of the sweep")
    assert service.registrable(LEAD, run_id).why_not_propose == "v1 has an open proposal already."


@pytest.mark.parametrize(("actor", "reason"), [(VIEWER, "Needs the role scientist"), (SCIENTIST, "")])
def test_a_viewer_is_told_why_not(service: ExperimentService, run_id: str, actor: Actor, reason: str) -> None:
    assert service.registrable(actor, run_id).why_not_register.startswith(reason)
    if reason:
        with pytest.raises(NotAllowed):
            service.register_run(actor, run_id, "another")


def test_a_run_without_a_model_or_not_over_says_so(made: Context, service: ExperimentService) -> None:
    import mlflow

    client = mlflow.MlflowClient(made.settings.mlflow_uri, made.settings.mlflow_uri)
    bare = client.create_run("0").info.run_id
    assert service.registrable(SCIENTIST, bare).why_not_register == "The run is not over yet."
    client.set_terminated(bare, "FINISHED")
    assert ExperimentService(made).registrable(SCIENTIST, bare).why_not_register == "The run has logged no model."
    with pytest.raises(Conflict, match="no model"):
        ExperimentService(made).register_run(SCIENTIST, bare, "another")


def test_what_is_not_there_is_not_found(service: ExperimentService, run_id: str) -> None:
    with pytest.raises(NotFound):
        service.registrable(SCIENTIST, "f" * 32)
    with pytest.raises(NotFound):
        service.register_run(SCIENTIST, run_id, "nothing")
