"""The model that a run logged: where it is, and the digest of its files."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlops_dash.tracking.experiments.search import MlflowRuns
from mlops_dash.tracking.filters import equals
from mlops_dash.tracking.models.download import download
from mlops_dash.tracking.models.trust import artifact_digest

_DATA_DIGEST = "mlops_dash.dataset_sha256"
_DIGEST_TAG = "mlops_dash.artifact_digest"
_VERSION_TAG = "mlops_dash.version"


@dataclass
class RunModels(MlflowRuns):
    """Models of the runs of the MLflow at `uri`."""

    def source_of(self, run_id: str, experiment: str) -> str:
        """Where the run's model is, "" when it has none: MLflow 3 keeps it beside the run, older clients below it.

        Raises:
            NotFound: MLflow knows no such run.
            Unavailable: MLflow does not answer.
        """
        what, wanted = f"look for the model of run {run_id}", equals("source_run_id", run_id)
        if self._plain:
            asked: dict[str, Any] = {"experiment_ids": [experiment], "filter": wanted, "max_results": 10}
            models = self._ask("POST", "logged-models/search", asked, what).get("models", ())
            ready = [str(one["info"]["model_id"]) for one in models if _ready(str(one["info"].get("status", "")))]
        else:
            with self._asking(what) as client:
                found = client.search_logged_models([experiment], filter_string=wanted, max_results=10)
            ready = [str(one.model_id) for one in found if _ready(str(one.status))]
        if ready:
            return f"models:/{ready[0]}"
        for folder in [one.path for one in self.artifacts(run_id) if one.is_folder]:
            if any(one.path.endswith("/MLmodel") for one in self.artifacts(run_id, folder)):
                return f"runs:/{run_id}/{folder}"
        return ""

    def digest_of(self, source: str) -> str:
        """The digest of the model's files, which are fetched for it.

        Raises:
            BrokenModel: there are no files, or they cannot be fetched.
            Unavailable: MLflow does not answer.
        """
        with tempfile.TemporaryDirectory() as folder:
            return artifact_digest(download(self.uri, source, Path(folder)))

    def register(self, model: str, run_id: str, source: str, digest: str) -> tuple[str, str]:
        """Make the run's model the next version, or find the version that it became; gives number and source.

        Raises:
            NotFound: MLflow knows no such run.
            Unavailable: MLflow does not answer.
        """
        self.create_model(model)
        known = next((one for one in self.versions(model) if one.run_id == run_id), None)
        if known is not None:
            return known.version, known.source
        address = source
        if source.startswith("runs:/"):
            with self._asking(f"read the run {run_id}") as client:
                where = str(client.get_run(run_id).info.artifact_uri)
            address = f"{where.rstrip('/')}/{source.removeprefix(f'runs:/{run_id}/')}"
        made = self.create_version(model, source=address, run_id=run_id, tags={_DIGEST_TAG: digest} if digest else None)
        with self._asking(f"tag the run {run_id}") as client:
            client.set_tag(run_id, _VERSION_TAG, made.version)
        return made.version, made.source


def data_digest(tags: Mapping[str, str]) -> str:
    """The digest of the training data that a run's tags name, or ""."""
    return str(tags.get(_DATA_DIGEST, ""))


def _ready(status: str) -> bool:
    return status.rpartition("_")[2].rpartition(".")[2] == "READY"
