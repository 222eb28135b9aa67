"""What MLflow has and nobody watches yet."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from mlops_dash.domain.access import NOBODY
from mlops_dash.errors import NotAllowed
from mlops_dash.services.command import Context
from mlops_dash.services.registry import RegistryService
from mlops_dash.tracking.registry import MlflowRegistry
from tests.factories import SCIENTIST, VIEWER


def test_a_connection_lists_what_nobody_watches_and_changes_nothing(
    context: Context, tmp_path: Path, mlflow_template: Path
) -> None:
    shutil.copyfile(mlflow_template, tmp_path / "mlflow.db")
    context.registry.uri = f"sqlite:///{tmp_path}/mlflow.db"
    there = MlflowRegistry(context.registry.uri)
    for name in ("fraud", "churn", "delay"):
        there.create_model(name)
    service = RegistryService(context)
    service.add_model(SCIENTIST, "delay", reason="first")
    found = service.connection(VIEWER)
    assert (found.reachable, found.reason, found.unwatched) == (True, "", ("churn", "fraud"))
    assert there.models() == ("churn", "delay", "fraud")


def test_an_mlflow_that_is_away_is_a_reason_not_an_error(context: Context) -> None:
    found = RegistryService(context).connection(VIEWER)
    assert not found.reachable
    assert "127.0.0.1:9" in found.reason
    assert found.unwatched == ()


def test_a_connection_is_for_people_with_a_role(context: Context) -> None:
    with pytest.raises(NotAllowed):
        RegistryService(context).connection(NOBODY)
