"""Fetch a model's files from wherever MLflow keeps them; nothing of them is loaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mlops_dash.errors import BrokenModel, Unavailable
from mlops_dash.tracking.imports import mlflow_ready
from mlops_dash.tracking.registry import MlflowRegistry

DOWNLOAD_NOTE = "registered_model_meta"  # what a download by name writes beside MLmodel; no part of the model


def download(uri: str, artifact_uri: str, target: Path, *, only: str = "") -> Path:
    """Fetch a model's files, or one of them, into a new folder; returns where they are.

    Raises:
        BrokenModel: they cannot be fetched.
        Unavailable: MLflow does not answer.
    """
    reason = MlflowRegistry(uri).why_unreachable()
    if reason:
        raise Unavailable(reason, hint="Models that were loaded before keep scoring.")
    mlflow_ready("mlflow.artifacts")
    import mlflow.artifacts
    from mlflow.exceptions import MlflowException
    from mlflow.tracking import MlflowClient

    try:
        location = location_of(MlflowClient(uri, uri), artifact_uri)
        location = f"{location.rstrip('/')}/{only}" if only else location
        files = Path(mlflow.artifacts.download_artifacts(artifact_uri=location, dst_path=str(target), tracking_uri=uri))
        drop_download_note(files)
        return files
    except (MlflowException, OSError) as error:
        raise BrokenModel(
            f"The files of {artifact_uri} cannot be fetched: {str(error).strip().splitlines()[0]}",
            hint="Check that the version and its artifacts still exist in MLflow.",
        ) from error


def location_of(client: Any, artifact_uri: str) -> str:
    """Where files are. MLflow would resolve `models:/` against the process's global address, not against ours."""
    if not artifact_uri.startswith("models:/"):
        return artifact_uri
    name, _, version = artifact_uri.removeprefix("models:/").partition("/")
    if version:
        return location_of(client, str(client.get_model_version(name, version).source))
    return str(client.get_logged_model(name).artifact_location)


def drop_download_note(folder: Path) -> None:
    """Take the note of a download by name away: what the digest does not count must not be there to be loaded."""
    note = folder / DOWNLOAD_NOTE
    if note.is_file() or note.is_symlink():
        note.unlink()
