"""Load a registered model once, check its files, and ask it: probabilities for us, MLflow's own protocol for clients.

A model is trusted only when `trust.py` says so and its files have the digest that was recorded. Loaded models are kept
by digest, so an alias or a re-used version number never gives yesterday's model.
"""

from __future__ import annotations

import json
import secrets
import shutil
import sys
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mlops_dash.domain.schema import NUMERIC
from mlops_dash.domain.tasks import BINARY
from mlops_dash.domain.tasks.task import ModelTask
from mlops_dash.errors import BrokenModel, InvalidInput
from mlops_dash.tracking.imports import mlflow_ready
from mlops_dash.tracking.models.class_columns import of_each_class
from mlops_dash.tracking.models.conform import alike, conform
from mlops_dash.tracking.models.download import download, drop_download_note
from mlops_dash.tracking.models.own_importance import own_importance
from mlops_dash.tracking.models.rowwise import answers_row_by_row
from mlops_dash.tracking.models.trust import TRUSTED_TYPES, artifact_digest, require_no_file_parameters, require_trusted

__all__ = ["TRUSTED_TYPES", "Check", "LoadedModel", "ModelCache", "artifact_digest", "require_trusted"]

_NUMBERS = frozenset({"integer", "long", "float", "double"})
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
    score_column: int | None = None  # of a two-dimensional answer
    task: ModelTask | None = None  # None = which answers can be logged is not asked
    row_by_row: bool = False  # a row's answer is the same bits alone and beside others

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
    def kinds(self) -> dict[str, str]:
        """Kind by input column, "numeric" or the signature's own word; empty without a column signature."""
        schema = self.pyfunc.metadata.get_input_schema()
        if schema is None or not schema.has_input_names():
            return {}
        words = {one.name: str(getattr(one.type, "name", one.type)) for one in schema.inputs}
        return {name: NUMERIC if word in _NUMBERS else word for name, word in words.items()}

    @property
    def input_example(self) -> pd.DataFrame | None:
        """The example that was logged with the model, as a frame, or None.

        Raises:
            BrokenModel: its file is not one of the model's own, or cannot be read.
        """
        saved = self.pyfunc.metadata.saved_input_example_info
        if saved is None or saved.get("type") != "dataframe":
            return None
        path = (self.folder / str(saved.get("artifact_path"))).resolve()
        if not path.is_relative_to(self.folder.resolve()):
            raise BrokenModel("The model's input example lies outside the model.", hint="Log the model again.")
        try:
            kept = json.loads(path.read_text(encoding="utf-8"))
            return pd.DataFrame(kept["data"], columns=kept.get("columns"))
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise BrokenModel("The model's input example cannot be read.", hint="Log the model again.") from error

    def conform(self, frame: pd.DataFrame, *, answered: bool = False) -> pd.DataFrame:
        """The frame with the columns and types of the signature; `answered` as `models.conform.conform` says.

        Raises:
            InvalidInput: a column is missing.
            InvalidRow: a value cannot be what its column promises.
        """
        return conform(frame, self.pyfunc.metadata.get_input_schema(), answered=answered)

    def predict_again(self, frame: pd.DataFrame) -> Floats:
        """Answer rows that another version has answered, as MLflow's protocol would have; raises as `predict`."""
        parts = alike(frame, self.pyfunc.metadata.get_input_schema())
        if len(parts) == 1:
            return self.predict(parts[0][1], answered=True)
        given = [(rows, self.predict(part, answered=True)) for rows, part in parts]
        scores = np.empty((len(frame), *given[0][1].shape[1:]))
        for rows, answers in given:
            scores[rows] = answers
        return scores

    def predict(self, frame: pd.DataFrame, *, answered: bool = False) -> Floats:
        """One number a row: the positive class's probability, the regression's value, or the number of the class.

        Of a model that tells the probability of each of several classes float[rows, k], in the order of the classes as
        they were added.

        Raises:
            InvalidInput: a column is missing.
            InvalidRow: a value cannot be what its column promises.
            BrokenModel: the model fails on rows that fit its signature.
        """
        fitted = self.conform(frame, answered=answered)
        if fitted.empty:
            return np.empty(0)
        try:
            return self.scores_of(self.pyfunc.predict(fitted))
        except InvalidInput:
            raise
        except Exception as error:  # the model is foreign code: it may fail in any way
            raise BrokenModel(f"The model failed on rows that fit its signature: {error}") from error

    def scores_of(self, answer: Any) -> Floats:
        """The scores in an answer of the model, shape (rows,), or the probabilities of several classes, (rows, k).

        Raises:
            InvalidInput: the answer is not one number (or one probability a class) a row, of a task in words not one
                class a row, or it is classes where probabilities are needed.
        """
        if self.task is not None and self.task.in_words:
            words = np.asarray(answer)
            if words.ndim == 2 and words.shape[1] > 1:
                return of_each_class(answer, _classes_of(self.pyfunc), self.task)
            if words.ndim != 1 and words.shape[1:] != (1,):
                raise InvalidInput(f"The model answers with shape {words.shape}, not with one class a row.")
            return np.array([self.task.number_of(word) for word in words.ravel().tolist()], dtype=np.float64)
        try:
            values = np.asarray(answer, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise InvalidInput("The model does not answer with numbers, so its scores cannot be logged.") from error
        if values.ndim == 2 and self.score_column is not None and self.score_column < values.shape[1]:
            return np.ascontiguousarray(values[:, self.score_column])
        if (
            self.score_column is not None
            and values.ndim < 3
            and values.size == len(values)
            and self._are_classes(values)
        ):
            raise InvalidInput(
                "The model answers with its classes, not with probabilities, so its scores cannot be logged.",
                hint="Log it with pyfunc_predict_fn='predict_proba', or watch it as a multiclass model.",
            )
        if values.ndim == 2 and values.shape[1] == 1:
            return values[:, 0]
        if values.ndim != 1:
            raise InvalidInput(f"The model answers with shape {values.shape}, not with one number a row.")
        return values

    def own_importance(self, spreads: Mapping[str, float]) -> Mapping[str, float]:
        """Share of each input in what the fitted model says it rests on; empty where it says nothing.

        Args:
            spreads: How far the values of each input lie apart; its names stand where the signature names none.
        """
        return own_importance(_raw(self.pyfunc), self.features or tuple(spreads), spreads)

    def _are_classes(self, values: Floats) -> bool:
        """Whether every number is one of the classifier's own classes: an answer of `predict`, no probability."""
        known = [
            float(one) for one in _raw(self.pyfunc).classes_ if isinstance(one, int | float | np.number | np.bool_)
        ]
        return values.size > 0 and bool(np.isin(values, known).all())


@dataclass
class ModelCache:
    """Models of one MLflow, on disk below `home/models` and the latest `capacity` in memory."""

    uri: str
    home: Path
    allow_pickle: bool = False
    trusted: Callable[[str], bool] = lambda _digest: False  # files that an admin trusts, by their digest
    capacity: int = 8
    _loaded: OrderedDict[tuple[str, ModelTask, str], LoadedModel] = field(default_factory=OrderedDict, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)  # of the two dictionaries only
    _by_trust: set[str] = field(default_factory=set, repr=False)  # digests loaded because somebody trusts them
    _loading: dict[tuple[str, str], threading.Lock] = field(default_factory=dict, repr=False)  # by what is fetched

    def get(
        self,
        name: str,
        version: str,
        *,
        digest: str = "",
        source_uri: str = "",
        task: ModelTask = BINARY,
        positive_label: str = "1",
    ) -> LoadedModel:
        """The loaded model; with a recorded digest whose files are here, MLflow is not asked at all.

        Args:
            name: The registered model's name.
            version: Its version.
            digest: The recorded `artifact_digest`; "" = not recorded yet.
            source_uri: MLflow's source of this version, which tells incarnations apart; "" = by name and version.
            task: What the model predicts: how its answer becomes a score.
            positive_label: The class whose probability is the score.

        Raises:
            BrokenModel: the files are not those recorded, not trusted, or do not load.
            Unavailable: the files are not here and MLflow does not answer.
        """
        key = (digest, task, positive_label)
        artifact_uri = source_uri or f"models:/{name}/{version}"
        self._let_go(digest)
        known = self._kept(key)
        if known is not None:
            return known
        with self._lock:
            fetching = self._loading.setdefault((artifact_uri, digest), threading.Lock())
        with fetching:  # a model that loads slowly keeps no other one waiting
            known = self._kept(key)
            if known is not None:
                return known
            folder, found = self._files(artifact_uri, digest)
            by_trust = not self.allow_pickle and self.trusted(found)
            anything = self.allow_pickle or by_trust
            if by_trust:
                self._by_trust.add(found)
            loaded = load(folder, found, allow_pickle=anything, task=task, positive_label=positive_label)
        with self._lock:
            self._loaded[found, task, positive_label] = loaded
            while len(self._loaded) > self.capacity:
                self._loaded.popitem(last=False)
        return loaded

    def is_withdrawn(self, digest: str) -> bool:
        """Whether files were loaded because somebody trusted them, and nobody does any more."""
        return digest in self._by_trust and not self.allow_pickle and not self.trusted(digest)

    def _let_go(self, digest: str) -> None:
        """Forget a model in memory whose files are not trusted any more."""
        if not self.is_withdrawn(digest):
            return
        with self._lock:
            for key in [key for key in self._loaded if key[0] == digest]:
                del self._loaded[key]

    def _kept(self, key: tuple[str, ModelTask, str]) -> LoadedModel | None:
        with self._lock:
            known = self._loaded.get(key)
            if known is not None:
                self._loaded.move_to_end(key)
            return known

    def _files(self, artifact_uri: str, digest: str) -> tuple[Path, str]:
        store = self.home / "models"
        kept = store / digest
        if digest and kept.is_dir():
            drop_download_note(kept)
            if artifact_digest(kept) == digest:
                return kept, digest
            shutil.rmtree(kept)  # somebody changed our copy: fetch it anew
        store.mkdir(parents=True, exist_ok=True)
        draft = store / f"draft-{secrets.token_hex(6)}"
        try:
            files = download(self.uri, artifact_uri, draft)
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


def load(
    folder: Path, digest: str, *, allow_pickle: bool, task: ModelTask | None = None, positive_label: str = ""
) -> LoadedModel:
    """Load a model from its files.

    Without a task, which of its answer's columns is the score is not asked. When the model brings Python files of its
    own, this process writes no bytecode from then on: such files may be imported whenever the model is asked, and a
    `__pycache__` beside them would change the digest of the folder.

    Raises:
        BrokenModel: the files are not trusted, or do not load.
    """
    require_trusted(folder, allow_pickle=allow_pickle)
    try:
        mlflow_ready("mlflow.pyfunc")
        import mlflow.pyfunc

        sys.dont_write_bytecode |= any(folder.rglob("*.py"))
        pyfunc = mlflow.pyfunc.load_model(str(folder), suppress_warnings=True)
        if not allow_pickle:
            require_no_file_parameters(pyfunc.get_raw_model())
        by_row = pyfunc.loader_module == "mlflow.sklearn" and answers_row_by_row(_raw(pyfunc))
        return LoadedModel(digest, folder, pyfunc, _score_column(pyfunc, task, positive_label), task, by_row)
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


def _signature(uri: str, artifact_uri: str) -> Any:
    mlflow_ready()
    from mlflow.models import Model

    with tempfile.TemporaryDirectory() as folder:
        files = download(uri, artifact_uri, Path(folder))
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


def _raw(pyfunc: Any) -> Any:
    """The library's own model behind MLflow's, where it can be had."""
    try:
        return pyfunc.get_raw_model()
    except NotImplementedError:  # MLflow's object has the method whatever the loader gives
        return None


def _classes_of(pyfunc: Any) -> list[Any]:
    """The classes that a classifier knows, in the order of its columns; none where it does not say."""
    classes = getattr(_raw(pyfunc), "classes_", None)
    return [] if classes is None else list(classes)


def _score_column(pyfunc: Any, task: ModelTask | None, positive_label: str) -> int | None:
    classes = _classes_of(pyfunc)
    return None if not classes or task is None else task.score_column(classes, positive_label)
