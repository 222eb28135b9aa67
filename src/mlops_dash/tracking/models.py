"""Load a registered model once, check its files, and ask it: probabilities for us, MLflow's own protocol for clients.

A model is trusted only when `trust.py` says so and its files have the digest that was recorded. Loaded models are kept
by digest, so an alias or a re-used version number never gives yesterday's model.
"""

from __future__ import annotations

import json
import secrets
import shutil
import tempfile
import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mlops_dash.errors import BrokenModel, InvalidInput, Unavailable
from mlops_dash.tracking.conform import conform
from mlops_dash.tracking.imports import mlflow_ready
from mlops_dash.tracking.registry import MlflowRegistry
from mlops_dash.tracking.trust import TRUSTED_TYPES, artifact_digest, require_trusted

__all__ = [
    "TRUSTED_TYPES",
    "Check",
    "LoadedModel",
    "ModelCache",
    "artifact_digest",
    "compare_signatures",
    "require_trusted",
]

FRESH = "loaded and scored in a fresh process"
Floats = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True)
class Check:
    """What a check of a version's files found."""

    ok: bool
    reason: str
    method: str


@dataclass(frozen=True)
class LoadedModel:
    """A model in memory. `pyfunc` is MLflow's own object, for protocol answers."""

    digest: str
    folder: Path
    pyfunc: Any = field(repr=False)
    positive_column: int | None = None  # of a two-dimensional answer

    @property
    def signature(self) -> Any:
        """MLflow's ModelSignature, or None."""
        return self.pyfunc.metadata.signature

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the input columns; empty without a column signature."""
        schema = self.pyfunc.metadata.get_input_schema()
        return tuple(schema.input_names()) if schema is not None and schema.has_input_names() else ()

    @property
    def input_example(self) -> pd.DataFrame | None:
        """The example that was logged with the model, as a frame, or None."""
        saved = self.pyfunc.metadata.saved_input_example_info
        if saved is None or saved.get("type") != "dataframe":
            return None
        kept = json.loads((self.folder / str(saved["artifact_path"])).read_text(encoding="utf-8"))
        return pd.DataFrame(kept["data"], columns=kept.get("columns"))

    def conform(self, frame: pd.DataFrame) -> pd.DataFrame:
        """The frame with the columns and types of the signature.

        Raises:
            InvalidInput: a column is missing.
            InvalidRow: a value cannot be what its column promises.
        """
        return conform(frame, self.pyfunc.metadata.get_input_schema())

    def predict(self, frame: pd.DataFrame) -> Floats:
        """One number a row: the positive class's probability, or the regression's value.

        Raises:
            InvalidInput: a column is missing.
            InvalidRow: a value cannot be what its column promises.
            BrokenModel: the model fails on rows that fit its signature.
        """
        fitted = self.conform(frame)
        if fitted.empty:
            return np.empty(0)
        try:
            return self.scores_of(self.pyfunc.predict(fitted))
        except InvalidInput:
            raise
        except Exception as error:  # the model is foreign code: it may fail in any way
            raise BrokenModel(f"The model failed on rows that fit its signature: {error}") from error

    def scores_of(self, answer: Any) -> Floats:
        """The scores in an answer of the model, shape (rows,).

        Raises:
            InvalidInput: the answer is not one number (or one probability a class) a row.
        """
        try:
            values = np.asarray(answer, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise InvalidInput("The model does not answer with numbers, so its scores cannot be logged.") from error
        if values.ndim == 2 and self.positive_column is not None and self.positive_column < values.shape[1]:
            return np.ascontiguousarray(values[:, self.positive_column])
        if values.ndim == 2 and values.shape[1] == 1:
            return values[:, 0]
        if values.ndim != 1:
            raise InvalidInput(f"The model answers with shape {values.shape}, not with one number a row.")
        return values


@dataclass
class ModelCache:
    """Models of one MLflow, on disk below `home/models` and the latest `capacity` in memory."""

    uri: str
    home: Path
    allow_pickle: bool = False
    capacity: int = 8
    _loaded: OrderedDict[tuple[str, str], LoadedModel] = field(default_factory=OrderedDict, repr=False)
    _lock: threading.RLock = field(default_factory=threading.RLock, repr=False)

    def get(
        self, name: str, version: str, *, digest: str = "", source_uri: str = "", positive_label: str = "1"
    ) -> LoadedModel:
        """The loaded model; with a recorded digest whose files are here, MLflow is not asked at all.

        Args:
            name: The registered model's name.
            version: Its version.
            digest: The recorded `artifact_digest`; "" = not recorded yet.
            source_uri: MLflow's source of this version, which tells incarnations apart; "" = by name and version.
            positive_label: The class whose probability is the score.

        Raises:
            BrokenModel: the files are not those recorded, not trusted, or do not load.
            Unavailable: the files are not here and MLflow does not answer.
        """
        with self._lock:
            known = self._loaded.get((digest, positive_label))
            if known is not None:
                self._loaded.move_to_end((digest, positive_label))
                return known
            folder, found = self._files(source_uri or f"models:/{name}/{version}", digest)
            loaded = load(folder, found, allow_pickle=self.allow_pickle, positive_label=positive_label)
            self._loaded[found, positive_label] = loaded
            while len(self._loaded) > self.capacity:
                self._loaded.popitem(last=False)
            return loaded

    def _files(self, artifact_uri: str, digest: str) -> tuple[Path, str]:
        store = self.home / "models"
        kept = store / digest
        if digest and kept.is_dir():
            if artifact_digest(kept) == digest:
                return kept, digest
            shutil.rmtree(kept)  # somebody changed our copy: fetch it anew
        store.mkdir(parents=True, exist_ok=True)
        draft = store / f"draft-{secrets.token_hex(6)}"
        try:
            files = _download(self.uri, artifact_uri, draft)
            found = artifact_digest(files)
            if digest and found != digest:
                raise BrokenModel(
                    f"The files of {artifact_uri} have the digest {found[:12]}, but {digest[:12]} was recorded.",
                    hint="Somebody changed them after they were registered: register them as a new version.",
                )
            kept = store / found
            if not kept.is_dir():
                files.rename(kept)
            return kept, found
        except FileExistsError:
            return kept, found  # another process was quicker with the same files
        finally:
            shutil.rmtree(draft, ignore_errors=True)


def load(folder: Path, digest: str, *, allow_pickle: bool, positive_label: str) -> LoadedModel:
    """Load a model from its files.

    Raises:
        BrokenModel: the files are not trusted, or do not load.
    """
    require_trusted(folder, allow_pickle=allow_pickle)
    try:
        mlflow_ready("mlflow.pyfunc")
        import mlflow.pyfunc

        pyfunc = mlflow.pyfunc.load_model(str(folder), suppress_warnings=True)
        return LoadedModel(digest, folder, pyfunc, _positive_column(pyfunc, positive_label))
    except BrokenModel:
        raise
    except Exception as error:  # a model is foreign code: it may fail in any way
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise BrokenModel(f"The model's files do not load: {reason}", hint="Log the model again.") from error


def compare_signatures(uri: str, candidate_uri: str, champion_uri: str | None) -> Check:
    """Whether the candidate takes and gives what the champion does; without a champion, whether it says so at all.

    Raises:
        BrokenModel: a version's files cannot be read.
        Unavailable: MLflow does not answer.
    """
    method = "MLflow signatures, inputs and outputs compared field by field"
    candidate = _signature(uri, candidate_uri)
    if candidate is None:
        return Check(False, "no signature was logged with this version", method)
    if champion_uri is None:
        return Check(True, "a signature is recorded; there was no champion to compare with", method)
    champion = _signature(uri, champion_uri)
    if champion is None:
        return Check(True, "a signature is recorded; the champion has none", method)
    for part in ("inputs", "outputs", "params"):
        ours, theirs = getattr(candidate, part), getattr(champion, part)
        if ours != theirs:
            return Check(False, f"the {part} differ from the champion's: {_difference(ours, theirs)}", method)
    return Check(True, "same inputs and outputs as the champion", method)


def score_example(uri: str, artifact_uri: str, *, allow_pickle: bool) -> Check:
    """Load a version here and score its input example (what the fresh process runs).

    Raises:
        BrokenModel: it cannot be loaded, or fails on its own example.
        Unavailable: MLflow does not answer.
    """
    method = FRESH
    with tempfile.TemporaryDirectory() as folder:
        files = _download(uri, artifact_uri, Path(folder))
        loaded = load(files, artifact_digest(files), allow_pickle=allow_pickle, positive_label="1")
        example = loaded.input_example
        if example is None or example.empty:
            return Check(False, "no input example was logged with this version", method)
        try:
            scores = loaded.predict(example)
        except InvalidInput as error:
            return Check(False, f"the input example does not fit the signature: {error.message}", method)
        if not np.isfinite(scores).all():
            return Check(False, "the input example got a score that is not a finite number", method)
    rows = len(scores)
    return Check(
        True, f"{rows} example row{'s' if rows > 1 else ''} scored {scores.min():.3f} to {scores.max():.3f}", method
    )


def _download(uri: str, artifact_uri: str, target: Path) -> Path:
    reason = MlflowRegistry(uri).why_unreachable()
    if reason:
        raise Unavailable(reason, hint="Models that were loaded before keep scoring.")
    mlflow_ready("mlflow.artifacts")
    import mlflow.artifacts
    from mlflow.exceptions import MlflowException
    from mlflow.tracking import MlflowClient

    try:
        location = _location(MlflowClient(uri, uri), artifact_uri)
        return Path(mlflow.artifacts.download_artifacts(artifact_uri=location, dst_path=str(target), tracking_uri=uri))
    except (MlflowException, OSError) as error:
        raise BrokenModel(
            f"The files of {artifact_uri} cannot be fetched: {str(error).strip().splitlines()[0]}",
            hint="Check that the version and its artifacts still exist in MLflow.",
        ) from error


def _location(client: Any, artifact_uri: str) -> str:
    """Where the files are. MLflow would resolve `models:/` against the process's global address, not against ours."""
    if not artifact_uri.startswith("models:/"):
        return artifact_uri
    name, _, version = artifact_uri.removeprefix("models:/").partition("/")
    if version:
        return _location(client, str(client.get_model_version(name, version).source))
    return str(client.get_logged_model(name).artifact_location)


def _signature(uri: str, artifact_uri: str) -> Any:
    mlflow_ready()
    from mlflow.models import Model

    with tempfile.TemporaryDirectory() as folder:
        files = _download(uri, artifact_uri, Path(folder))
        try:
            return Model.load(str(files)).signature
        except Exception as error:  # a damaged MLmodel file fails in any way
            raise BrokenModel(f"The MLmodel file of {artifact_uri} cannot be read.", hint="Log it again.") from error


def _difference(ours: Any, theirs: Any) -> str:
    if ours is None or theirs is None:
        return "one of them declares none"
    a, b = ({str(one) for one in side} for side in (ours, theirs))
    parts = [f"new {', '.join(sorted(a - b))}" if a - b else "", f"gone {', '.join(sorted(b - a))}" if b - a else ""]
    return "; ".join(part for part in parts if part) or "another order"


def _positive_column(pyfunc: Any, positive_label: str) -> int | None:
    raw = pyfunc.get_raw_model() if hasattr(pyfunc, "get_raw_model") else None
    classes = getattr(raw, "classes_", None)
    if classes is None:
        return None
    words = {positive_label, f"{positive_label}.0"} | ({"True"} if positive_label == "1" else set())
    found = [number for number, one in enumerate(classes) if str(one) in words]
    if not found:
        raise BrokenModel(
            f"The model knows the classes {', '.join(map(str, classes))}, not the positive label {positive_label!r}.",
            hint="Set the model's positive label to one of its classes.",
        )
    return found[0]
