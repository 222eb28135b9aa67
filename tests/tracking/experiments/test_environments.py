"""Packages of a run's model: MLflow 3's logged models and older folders of the run, as its real client writes them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from mlops_dash.errors import Unavailable
from mlops_dash.tracking.experiments.environments import MlflowEnvironments, conda, requirements


@pytest.fixture
def store(tmp_path: Path, mlflow_template: Path) -> tuple[MlflowEnvironments, str, Path]:
    """A store with one experiment; its runs keep their files under the folder given."""
    import mlflow

    shutil.copyfile(mlflow_template, tmp_path / "mlflow.db")
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    made = mlflow.MlflowClient(uri, uri).create_experiment("models", artifact_location=(tmp_path / "files").as_uri())
    return MlflowEnvironments(uri), made, tmp_path


def test_a_logged_model_says_its_packages_and_its_python(store: tuple[MlflowEnvironments, str, Path]) -> None:
    import mlflow

    environments, experiment, folder = store
    client = mlflow.MlflowClient(environments.uri, environments.uri)
    run = client.create_run(experiment).info.run_id
    model = client.create_logged_model(experiment, name="model", source_run_id=run)
    files = folder / "model"
    files.mkdir()
    (files / "requirements.txt").write_text("mlflow==3.17.0\nscikit-learn==1.7.2\n")
    (files / "python_env.yaml").write_text("python: 3.11.9\ndependencies:\n- -r requirements.txt\n")
    client.log_model_artifacts(model.model_id, str(files))
    assert environments.packages(run, experiment) == {
        "python": "3.11.9", "mlflow": "3.17.0", "scikit-learn": "1.7.2",
    }  # fmt: skip


def test_an_older_run_keeps_its_model_in_a_folder(store: tuple[MlflowEnvironments, str, Path]) -> None:
    import mlflow

    environments, experiment, folder = store
    client = mlflow.MlflowClient(environments.uri, environments.uri)
    run = client.create_run(experiment).info.run_id
    files = folder / "older"
    files.mkdir()
    (files / "MLmodel").write_text("flavors: {}\n")
    (files / "conda.yaml").write_text("dependencies:\n- python=3.10.2\n- pip:\n  - numpy==2.1.0\n")
    client.log_artifacts(run, str(files), "clf")
    assert environments.packages(run, experiment) == {"python": "3.10.2", "numpy": "2.1.0"}


def test_a_run_without_a_model_has_no_packages(store: tuple[MlflowEnvironments, str, Path]) -> None:
    import mlflow

    environments, experiment, _ = store
    run = mlflow.MlflowClient(environments.uri, environments.uri).create_run(experiment).info.run_id
    assert environments.packages(run, experiment) == {}


def test_a_dead_server_is_no_run_without_packages() -> None:
    with pytest.raises(Unavailable):
        MlflowEnvironments("http://127.0.0.1:9").packages("0" * 32, "1")


def test_files_that_are_no_environment_say_nothing() -> None:
    assert conda("[1, 2") == {}
    assert conda("just text") == {}
    assert requirements("-r other.txt\n--no-index\n\n# nothing") == {}
