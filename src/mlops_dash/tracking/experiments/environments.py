"""Which packages was a run's model logged with? Read from the requirements.txt (or conda.yaml) beside the model."""

from __future__ import annotations

import re
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from mlops_dash.errors import NotFound, Unavailable
from mlops_dash.tracking.credentials import credentials
from mlops_dash.tracking.experiments.search import MlflowRuns
from mlops_dash.tracking.filters import equals
from mlops_dash.tracking.imports import mlflow_ready
from mlops_dash.tracking.registry import ANSWER_SECONDS

_PIN: Final = re.compile(r"^\s*(?P<name>[A-Za-z0-9][\w.-]*)(?:\[[^\]]*\])?\s*(?P<rest>.*)$")
_MOST_BYTES: Final = 200_000
_FILES: Final = ("python_env.yaml", "requirements.txt", "conda.yaml")


@dataclass
class MlflowEnvironments(MlflowRuns):
    """Environments of the models of the MLflow at `uri`."""

    def packages(self, run_id: str, experiment: str) -> dict[str, str]:
        """Version by package, and of Python; empty when the run has no model or the model says nothing.

        Args:
            run_id: The run.
            experiment: Its experiment: where MLflow 3 keeps the models of its runs.

        Raises:
            NotFound: MLflow knows no such run.
            Unavailable: MLflow does not answer.
        """
        files = self._of_logged_model(run_id, experiment) or self._of_artifacts(run_id)
        listed = requirements(files.get("requirements.txt", "")) or conda(files.get("conda.yaml", ""))
        python = _yaml(files.get("python_env.yaml", "")).get("python")
        return {**({"python": str(python)} if python else {}), **listed}

    def _of_logged_model(self, run_id: str, experiment: str) -> dict[str, str]:
        what = f"read the environment of run {run_id}"
        wanted = equals("source_run_id", run_id)
        if self._plain:
            asked: dict[str, Any] = {"experiment_ids": [experiment], "filter": wanted, "max_results": 1}
            models = self._ask("POST", "logged-models/search", asked, what).get("models", ())
            where = [(str(one["info"]["model_id"]), "") for one in models]
        else:
            with self._asking(what) as client:
                found = client.search_logged_models([experiment], filter_string=wanted, max_results=1)
            where = [(str(one.model_id), str(one.artifact_location)) for one in found]
        if not where:
            return {}
        route = f"ajax-api/2.0/mlflow/logged-models/{where[0][0]}/artifacts/files"
        return self._texts(where[0][1], route, {}, "artifact_file_path", "", what)

    def _of_artifacts(self, run_id: str) -> dict[str, str]:
        """Older clients keep the model in a folder of the run."""
        what = f"read the environment of run {run_id}"
        for folder in [one.path for one in self.artifacts(run_id) if one.is_folder]:
            if any(one.path.endswith("/MLmodel") for one in self.artifacts(run_id, folder)):
                address = f"runs:/{run_id}/{folder}"
                return self._texts(address, "get-artifact", {"run_uuid": run_id}, "path", f"{folder}/", what)
        return {}

    def _texts(
        self, address: str, route: str, query: Mapping[str, str], name: str, folder: str, what: str
    ) -> dict[str, str]:
        """Those of the files that there are: by the server's own route, else by MLflow's client."""
        made: dict[str, str] = {}
        for file in _FILES:
            try:
                if self._plain:
                    made[file] = self._fetched(route, {**query, name: f"{folder}{file}"}, what)
                else:
                    made[file] = self._downloaded(f"{address}/{file}", what)
            except NotFound:
                continue
        return made

    def _fetched(self, route: str, query: Mapping[str, str], what: str) -> str:
        url = f"{self.uri.rstrip('/')}/{route}?{urllib.parse.urlencode(query)}"
        try:
            with urllib.request.urlopen(
                urllib.request.Request(url, headers=credentials()), timeout=ANSWER_SECONDS
            ) as answer:
                return str(answer.read(_MOST_BYTES).decode("utf-8", "replace"))
        except urllib.error.HTTPError as error:
            if error.code in {404, 500}:  # 500: the server's own store has no such file
                raise NotFound(f"MLflow has no such file ({error.code}); could not {what}.") from error
            raise Unavailable(f"MLflow answers {error.code}; could not {what}.", hint=self._hint()) from error
        except OSError as error:
            raise Unavailable(f"MLflow at {self.uri} does not answer.", hint=self._hint()) from error

    def _downloaded(self, address: str, what: str) -> str:
        mlflow_ready("mlflow.artifacts")
        import mlflow

        with self._asking(what), tempfile.TemporaryDirectory() as folder:
            path = mlflow.artifacts.download_artifacts(address, dst_path=folder, tracking_uri=self.uri)
            return Path(path).read_bytes()[:_MOST_BYTES].decode("utf-8", "replace")


def requirements(text: str) -> dict[str, str]:
    r"""Version by package of a requirements file; what is not pinned keeps its words.

    >>> requirements("scikit-learn==1.7.2\n# why\nNumPy>=2,<3\n-r more.txt\npandas[all]==2.3.3 ; python_version > '3'")
    {'scikit-learn': '1.7.2', 'numpy': '>=2,<3', 'pandas': '2.3.3'}
    """
    found: dict[str, str] = {}
    for line in text.splitlines():
        said = line.partition("#")[0].strip()
        pin = None if said.startswith("-") else _PIN.match(said)
        if pin is not None:
            rest = pin["rest"].partition(";")[0].strip()
            found[pin["name"].lower().replace("_", "-")] = rest.removeprefix("==") or "any version"
    return found


def conda(text: str) -> dict[str, str]:
    r"""Version by package of a conda environment, those that pip installs included.

    >>> conda("dependencies:\n- python=3.11.9\n- pip<=25\n- pip:\n  - mlflow==3.17.0\n")
    {'python': '3.11.9', 'pip': '<=25', 'mlflow': '3.17.0'}
    """
    found: dict[str, str] = {}
    for one in _yaml(text).get("dependencies") or ():
        if isinstance(one, Mapping):
            found |= requirements("\n".join(str(line) for line in one.get("pip") or ()))
        else:
            found |= {name: version.removeprefix("=") for name, version in requirements(str(one)).items()}
    return found


def _yaml(text: str) -> dict[str, Any]:
    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError:
        return {}
    return found if isinstance(found, dict) else {}
