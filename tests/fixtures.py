"""Fixtures that every room uses: a context on fresh databases, and a real MLflow store."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlops_dash.services.command import Context
from tests import factories


@pytest.fixture
def context(tmp_path: Path) -> Iterator[Context]:
    """A Context on fresh SQLite databases at NOON; MLflow does not answer."""
    made = factories.context(tmp_path)
    yield made
    made.databases.dispose()


@pytest.fixture(scope="session")
def mlflow_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty MLflow SQLite store; making its schema takes seconds, so it is made once and copied."""
    from mlops_dash.tracking.registry import MlflowRegistry

    path = tmp_path_factory.mktemp("mlflow-template") / "mlflow.db"
    MlflowRegistry(f"sqlite:///{path}").reachable()
    return path


@pytest.fixture
def mlflow_uri(mlflow_template: Path, tmp_path: Path) -> str:
    """The address of a fresh, real, empty MLflow store of this test."""
    copy = tmp_path / "mlflow.db"
    shutil.copyfile(mlflow_template, copy)
    return f"sqlite:///{copy}"
