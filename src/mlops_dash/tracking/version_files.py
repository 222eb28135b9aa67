"""What lies in a version's folder, and which run made it: read from MLflow, changed only where somebody asks for it.

Files are listed with their sizes; their bytes are read only up to a size, because a model may have gigabytes.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from mlops_dash.domain.calendar import from_ms
from mlops_dash.domain.experiments.frame import Dataset
from mlops_dash.domain.registry.dossier import Column, Contents, ModelFile, RunFacts, dirty_of
from mlops_dash.errors import BrokenModel
from mlops_dash.tracking.experiments.environments import conda, requirements
from mlops_dash.tracking.experiments.search import CONTEXT, MlflowRuns, datasets_of
from mlops_dash.tracking.imports import mlflow_ready
from mlops_dash.tracking.models.download import DOWNLOAD_NOTE, drop_download_note, location_of
from mlops_dash.tracking.models.trust import artifact_digest

MOST_BYTES: Final = 256 * 2**20
MOST_FILES: Final = 2_000
_TEXTS: Final = ("MLmodel", "requirements.txt", "conda.yaml", "python_env.yaml")
_COMMITS: Final = ("mlflow.source.git.commit", "mlops_dash.git_commit", "mlflow.git.commit")
_BRANCHES: Final = ("mlflow.source.git.branch", "mlops_dash.git_branch", "mlflow.git.branch")


@dataclass
class VersionFiles(MlflowRuns):
    """Files and runs behind the versions of the MLflow at `uri`."""

    def run(self, run_id: str) -> RunFacts:
        """The run that made a version.

        Raises:
            NotFound: MLflow knows no such run.
            Unavailable: MLflow does not answer.
        """
        what = f"read the run {run_id}"
        if self._plain:
            said = self._ask("GET", "runs/get", {"run_id": run_id}, what)["run"]
            info, stored = said["info"], said.get("data", {})
            params, tags = (
                {str(one["key"]): str(one.get("value", "")) for one in stored.get(k, ())} for k in ("params", "tags")
            )
            inputs = said.get("inputs", {}).get("dataset_inputs", ())
            datasets = tuple(sorted({_dataset(one) for one in inputs}, key=lambda one: (one.name, one.digest)))
        else:
            with self._asking(what) as client:
                found = client.get_run(run_id)
            info = {
                name: getattr(found.info, name) for name in ("run_name", "user_id", "status", "start_time", "end_time")
            }
            params, tags, datasets = dict(found.data.params), dict(found.data.tags), datasets_of(found)
        return RunFacts(
            run_id=run_id,
            name=str(info.get("run_name") or ""),
            user=str(tags.get("mlflow.user") or info.get("user_id") or ""),
            status=str(info.get("status", "")).lower(),
            started=_moment(info.get("start_time")),
            ended=_moment(info.get("end_time")),
            source=tags.get("mlflow.source.name", ""),
            commit=_first(tags, _COMMITS),
            branch=_first(tags, _BRANCHES),
            dirty=dirty_of(tags),
            datasets=datasets,
            parameters=dict(sorted(params.items())),
        )

    def listed(self, source: str) -> tuple[ModelFile, ...]:
        """The files of a version with their sizes, sorted by path; nothing is read.

        Raises:
            BrokenModel: there are none, or they cannot be listed.
            Unavailable: MLflow does not answer.
        """
        with self._store(source) as store:
            found = tuple(sorted(_walk(store, ""), key=lambda one: one.path))
        if not found:
            raise BrokenModel(f"{source} holds no files.", hint="Check that its artifacts still exist in MLflow.")
        return found

    def contents(self, source: str, *, most: int = MOST_BYTES) -> Contents:
        """What lies in a version's folder; files of more than `most` bytes in all are listed and not read.

        Raises:
            BrokenModel: there are no files, or they cannot be read.
            Unavailable: MLflow does not answer.
        """
        files = self.listed(source)
        whole = all(one.size is not None for one in files) and sum(one.size or 0 for one in files) <= most
        with self._store(source) as store, tempfile.TemporaryDirectory() as folder:
            if whole:
                _fetch(store, "", Path(folder))
                drop_download_note(Path(folder))
                return _contents(Path(folder), files, digest=artifact_digest(Path(folder)))
            for name in _TEXTS:
                if any(one.path == name for one in files):
                    _fetch(store, name, Path(folder))
            return _contents(Path(folder), files, digest="")

    def inputs(self, source: str) -> tuple[str, ...]:
        """The input columns that a version's signature names; only its MLmodel is fetched.

        Raises:
            BrokenModel: it cannot be read.
            Unavailable: MLflow does not answer.
        """
        with self._store(source) as store, tempfile.TemporaryDirectory() as folder:
            _fetch(store, "MLmodel", Path(folder))
            signature = _yaml(_text(Path(folder) / "MLmodel")).get("signature")
        said = signature if isinstance(signature, Mapping) else {}
        return tuple(one.name for one in _columns(said.get("inputs")) or ())

    def put_back(self, source: str, folder: Path) -> tuple[str, ...]:
        """Write the files of `folder` over those of a version; gives the paths that are there beyond them.

        Raises:
            BrokenModel: the store refuses.
            Unavailable: MLflow does not answer.
        """
        with self._store(source) as store:
            store.log_artifacts(str(folder))
            kept = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
            return tuple(sorted(one.path for one in _walk(store, "") if one.path not in kept))

    @contextmanager
    def _store(self, source: str) -> Iterator[Any]:
        """MLflow's door to where a version's files are; what goes wrong becomes our errors."""
        self._look()
        mlflow_ready("mlflow.artifacts")
        from mlflow.exceptions import MlflowException
        from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

        try:
            where = location_of(self._client(), source)
            yield get_artifact_repository(where, tracking_uri=self.uri, registry_uri=self.uri)
        except (MlflowException, OSError, ValueError) as error:
            raise BrokenModel(
                f"The files of {source} cannot be read: {str(error).strip().splitlines()[0][:200]}",
                hint="Check that the version and its artifacts still exist in MLflow.",
            ) from error


def _walk(store: Any, folder: str) -> Iterator[ModelFile]:
    waiting, seen = [folder], 0
    while waiting:
        for one in store.list_artifacts(waiting.pop() or None):
            if one.is_dir:
                waiting.append(one.path)
            elif one.path != DOWNLOAD_NOTE:
                seen += 1
                if seen > MOST_FILES:
                    raise ValueError(f"there are more than {MOST_FILES:,} files")
                yield ModelFile(one.path, None if one.file_size is None else int(one.file_size))


def _fetch(store: Any, path: str, folder: Path) -> None:
    store.download_artifacts(path, str(folder))


def _contents(folder: Path, files: tuple[ModelFile, ...], *, digest: str) -> Contents:
    texts = {name: _text(folder / name) for name in _TEXTS}
    mlmodel, python = _yaml(texts["MLmodel"]), _yaml(texts["python_env.yaml"]).get("python")
    signature = mlmodel.get("signature")
    said = signature if isinstance(signature, Mapping) else {}
    listed = requirements(texts["requirements.txt"]) or conda(texts["conda.yaml"])
    flavours = mlmodel.get("flavors")
    return Contents(
        files=tuple(ModelFile(one.path, one.size, _sha256(folder / one.path) if digest else "") for one in files),
        digest=digest,
        inputs=_columns(said.get("inputs")),
        outputs=_columns(said.get("outputs")),
        flavours=tuple(sorted(str(one) for one in flavours)) if isinstance(flavours, Mapping) else (),
        packages={**({"python": str(python)} if python else {}), **listed},
        logged_with=str(mlmodel.get("mlflow_version") or ""),
    )


def _columns(text: Any) -> tuple[Column, ...] | None:
    """Columns as MLflow writes them into MLmodel; None where nothing is said, or in no way that we know."""
    try:
        listed = json.loads(text) if isinstance(text, str) else None
    except ValueError:
        return None
    if not isinstance(listed, list):
        return None
    return tuple(_column(one, at) for at, one in enumerate(listed) if isinstance(one, Mapping))


def _column(one: Mapping[str, Any], at: int) -> Column:
    spec = one.get("tensor-spec")
    kind = f"{spec.get('dtype')} {spec.get('shape')}" if isinstance(spec, Mapping) else str(one.get("type", ""))
    return Column(str(one.get("name", at)), kind, bool(one.get("required", True)))


def _dataset(one: Mapping[str, Any]) -> Dataset:
    tags = {str(tag["key"]): str(tag.get("value", "")) for tag in one.get("tags", ())}
    return Dataset(str(one["dataset"]["name"]), str(one["dataset"]["digest"]), tags.get(CONTEXT, ""))


def _moment(ms: Any) -> Any:
    return from_ms(float(ms)) if ms else None


def _first(tags: Mapping[str, str], names: tuple[str, ...]) -> str:
    return next((tags[name] for name in names if tags.get(name)), "")


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _yaml(text: str) -> dict[str, Any]:
    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError:
        return {}
    return found if isinstance(found, dict) else {}
