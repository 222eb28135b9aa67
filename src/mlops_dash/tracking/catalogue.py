"""What stands in somebody's registry? All registered models with their newest version's MLmodel file; only reads."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import yaml

from mlops_dash.domain.registry.catalogue import Offered, classes_of, owner_of, proposed_task
from mlops_dash.domain.registry.live import proposed_mark
from mlops_dash.domain.tasks import MULTICLASS
from mlops_dash.errors import BrokenModel, Unavailable
from mlops_dash.tracking.models.download import download
from mlops_dash.tracking.registry import MlflowRegistry

_PAGE = 200
_AT_ONCE = 8  # MLmodel files, each a request or two


class RegistryCatalogue(MlflowRegistry):
    """A registry that is looked through as a whole."""

    def offered(self) -> tuple[Offered, ...]:
        """Every registered model, by name.

        Raises:
            Unavailable: MLflow does not answer.
        """
        models, versions = self._registered(), self._all_versions()
        newest = {name: max(of_model, key=lambda one: int(one.version)) for name, of_model in versions.items()}
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            files = pool.map(lambda one: _mlmodel(self.uri, one.source), newest.values())
            read = dict(zip(newest, files, strict=True))
        return tuple(_offer(models[name], versions.get(name, ()), read.get(name)) for name in sorted(models))

    def _registered(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        with self._asking("list the registered models") as client:
            token: str | None = None
            while True:
                page = client.search_registered_models(max_results=_PAGE, page_token=token)
                found |= {one.name: one for one in page}
                token = page.token
                if not token:
                    return found

    def _all_versions(self) -> dict[str, list[Any]]:
        found: dict[str, list[Any]] = {}
        with self._asking("list the versions of all models") as client:
            token: str | None = None
            while True:
                page = client.search_model_versions(max_results=_PAGE, page_token=token)
                for one in page:
                    found.setdefault(one.name, []).append(one)
                token = page.token
                if not token:
                    return found


def _offer(model: Any, versions: Sequence[Any], read: Mapping[str, Any] | None) -> Offered:
    newest = max(versions, key=lambda one: int(one.version), default=None)
    stages: dict[str, str] = {}
    for one in sorted(versions, key=lambda one: int(one.version)):
        if one.current_stage not in (None, "", "None"):
            stages[one.current_stage] = str(one.version)
    aliases = {str(alias): str(version) for alias, version in sorted(model.aliases.items())}
    tags = {str(name): str(value) for name, value in model.tags.items()}
    flavours = [] if read is None else [name for name in read.get("flavors") or {} if name != "python_function"]
    signature = None if read is None else read.get("signature") or {}
    told = tags | ({} if newest is None else {str(name): str(value) for name, value in newest.tags.items()})
    task, why = proposed_task(told, _outputs(signature))
    if newest is None:
        why = why if task else "it has no version yet"
    elif read is None:
        why = why if task else "its MLmodel file cannot be read"
    return Offered(
        name=model.name,
        aliases=aliases,
        stages=stages,
        tags=tags,
        version="" if newest is None else str(newest.version),
        signature=None if signature is None else bool(signature),
        flavour=flavours[0] if flavours else "" if read is None else "pyfunc",
        task=task,
        why=why,
        owner=owner_of(told),
        classes=classes_of(told, _outputs(signature)) if task == MULTICLASS.name else (),
        live=proposed_mark(aliases, stages),
    )


def _outputs(signature: Mapping[str, Any] | None) -> list[dict[str, Any]] | None:
    try:
        found = json.loads((signature or {}).get("outputs") or "null")
    except (ValueError, TypeError):
        return None
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else None


def _mlmodel(uri: str, source: str) -> dict[str, Any] | None:
    """The MLmodel file of a version; None when it cannot be had. Nothing of the model itself is fetched."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            path = download(uri, source, Path(folder), only="MLmodel")
            found = yaml.safe_load(path.read_text(encoding="utf-8"))
        except (BrokenModel, Unavailable, OSError, UnicodeDecodeError, yaml.YAMLError, ValueError, RecursionError):
            return None
    return found if isinstance(found, dict) else None
