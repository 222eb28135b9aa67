"""May these files be loaded at all? Models are code: trust comes from our fixed list, never from the model's own.

Must not: import mlflow or unpickle anything.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import numpy as np
import yaml

from mlops_dash.errors import BrokenModel
from mlops_dash.tracking.models.estimators import NAMED, public_name

# Named in a model's own list when it is logged, because skops does not trust them by itself; `estimators.py` names the
# rest of what a model may be made of. A model cannot widen this list (its MLmodel file names one of its own, which
# MLflow would believe).
TRUSTED_TYPES: tuple[str, ...] = (
    "functools.partial",  # the function inside needs trust of its own
    "numpy.dtype",
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.tree._tree.Tree",
    "sklearn.utils.validation.check_array",
)
_LOADERS = frozenset({"mlflow.sklearn"})


def artifact_digest(folder: Path) -> str:
    """The sha256 over all files of a model's folder: their relative paths and their bytes.

    Raises:
        BrokenModel: there are no files.
    """
    total = hashlib.sha256()
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    if not files:
        raise BrokenModel(f"The model folder {folder.name} holds no files.", hint="Log the model again.")
    for path in files:
        own = hashlib.sha256(path.read_bytes()).hexdigest()
        total.update(f"{path.relative_to(folder).as_posix()}\0{own}\n".encode())
    return total.hexdigest()


def require_inside(folder: Path) -> None:
    """Refuse a model whose MLmodel files name a file outside its folder: no digest of ours would be of that file.

    Nobody's trust and no setting let such a model in. Every MLmodel file counts, also below: MLflow reads the one in
    the folder that the first one calls its data.

    Raises:
        BrokenModel: an MLmodel file cannot be read, or names a file outside.
    """
    for file in sorted({folder / "MLmodel", *folder.rglob("MLmodel")}):
        for said in _paths_in(flavours_of(file.parent)):
            if not _may_be_inside(said):
                raise BrokenModel(
                    f"The model names files outside itself: {said[:100]!r}.",
                    hint="Log it again with all its files inside; nobody can trust what lies elsewhere.",
                )


def _may_be_inside(said: str) -> bool:
    windows = PureWindowsPath(said)
    return not (PurePosixPath(said).is_absolute() or windows.is_absolute() or ".." in windows.parts)


def named_in(folder: Path) -> set[Path]:
    """The files and folders that the MLmodel files name, relative; not the environment, and not the model's own code.

    Raises:
        BrokenModel: an MLmodel file cannot be read.
    """
    found = set()
    for file in folder.rglob("MLmodel"):
        flavours = flavours_of(file.parent)
        flavours = {
            name: {key: value for key, value in said.items() if key not in {"env", "code"}}
            for name, said in flavours.items()
        }
        found |= {(file.parent / said).relative_to(folder) for said in _paths_in(flavours) if _may_be_inside(said)}
    return found - {Path()}


def _paths_in(flavours: dict[str, dict[str, Any]]) -> Iterator[str]:
    """Every text that MLflow may take for a path."""
    waiting: list[Any] = []
    for name, said in flavours.items():
        kept = dict(said)
        artifacts = kept.get("artifacts")
        if name == "python_function" and isinstance(artifacts, dict):  # `uri` is where it came from, and is not opened
            kept["artifacts"] = [
                {key: value for key, value in one.items() if key != "uri"} if isinstance(one, dict) else one
                for one in artifacts.values()
            ]
        for key in ("model_code_path", "config"):  # MLflow takes their last part alone
            if isinstance(kept.get(key), str):
                kept[key] = Path(kept[key]).name
        waiting += kept.values()
    seen = set[int]()
    while waiting:
        part = waiting.pop()
        if isinstance(part, str):
            yield part
        elif isinstance(part, dict | list) and id(part) not in seen:  # YAML can hold itself
            seen.add(id(part))
            waiting += part.values() if isinstance(part, dict) else part


def require_trusted(folder: Path, *, allow_pickle: bool) -> None:
    """Refuse a model that could run code of its own when loaded.

    Args:
        folder: The model's downloaded files.
        allow_pickle: The installation's setting: pickles, other flavours and models with own code may load.

    Raises:
        BrokenModel: the files are damaged, name others outside, or are not trusted; the reason says which type,
            flavour or file.
    """
    require_inside(folder)
    flavours = flavours_of(folder)
    if allow_pickle:
        return
    generic, own = flavours.get("python_function", {}), flavours.get("sklearn", {})
    loader = generic.get("loader_module")
    if loader not in _LOADERS or not own:
        raise BrokenModel(
            f"The model's flavour {loader!r} is not trusted.",
            hint="Log it with mlflow.sklearn in skops format, let an admin trust these files (mlops-dash trust), or "
            "mlops-dash evidence push, which loads no model.",
        )
    if generic.get("code") or own.get("code") or generic.get("data"):
        raise BrokenModel("The model brings code of its own.", hint="Log it without code_paths.")
    form = own.get("serialization_format", "pickle")
    if form != "skops":
        raise BrokenModel(
            f"The model is a {form}, which runs code when loaded.",
            hint="Log it with serialization_format='skops', or let an admin trust these files: mlops-dash trust.",
        )
    names = {str(generic.get("model_path")), str(own.get("pickled_model"))}
    for name in names:
        _require_trusted_types(folder, name)
    asked = set(own.get("skops_trusted_types") or ()) - set(TRUSTED_TYPES)
    if asked:
        raise BrokenModel(f"The model asks to trust {', '.join(sorted(asked))}.", hint=_WIDEN)


def require_no_file_parameters(model: object) -> None:
    """Refuse a model of trusted types that reads or writes files when it is asked.

    `CountVectorizer(input="filename")` takes its rows for names of files on this server, and a `memory` caches into a
    folder of the model's choice (and unpickles what lies there). Parts, their parts and bound functions are looked at.

    Raises:
        BrokenModel: a parameter makes it touch files; the reason says which.
    """
    waiting, seen = [model], set[int]()
    while waiting:
        part = waiting.pop()
        if id(part) in seen or isinstance(part, str | bytes | int | float | complex | bool | type(None)):
            continue
        seen.add(id(part))
        if isinstance(part, Mapping):
            waiting += [*part.keys(), *part.values()]
        elif isinstance(part, list | tuple | set | frozenset):
            waiting += part
        elif isinstance(part, np.ndarray):
            waiting += part.ravel().tolist() if part.dtype == object else []
        else:
            parameters = dict(getattr(part, "__dict__", None) or {})
            _require_no_files(type(part).__name__, parameters)
            also = (getattr(part, name, None) for name in ("func", "args", "keywords", "__self__"))  # of a function
            waiting += [*parameters.values(), *also]


def _require_no_files(estimator: str, parameters: Mapping[str, object]) -> None:
    for name, value in parameters.items():
        reads = name == "input" and isinstance(value, str) and value != "content"
        if reads or (name in _FILE_PARAMETERS and value is not None):
            shown = repr(value)[:60]
            raise BrokenModel(
                f"The model reads or writes files of its own: {estimator}({name}={shown}).",
                hint="Give it the content itself, without a cache, and log it again.",
            )


_FILE_PARAMETERS = frozenset({"memory", "cache_dir", "cachedir", "filename", "file_path", "path", "location"})
_WIDEN = (
    "Only types on our fixed list are loaded; change the pipeline, or mlops-dash evidence push, which loads no model."
)


def flavours_of(folder: Path) -> dict[str, dict[str, Any]]:
    """The flavours that a model's MLmodel file names, each with what it says.

    Raises:
        BrokenModel: the file cannot be read.
    """
    try:
        found = yaml.safe_load((folder / "MLmodel").read_text(encoding="utf-8"))["flavors"]
        return {str(name): dict(conf or {}) for name, conf in found.items()}
    except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise BrokenModel("The model's MLmodel file cannot be read.", hint="Log the model again.") from error


def _require_trusted_types(folder: Path, name: str) -> None:
    import skops.io

    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()) or not path.is_file():
        raise BrokenModel(f"The model's file {name!r} is missing.", hint="Log the model again.")
    try:
        untrusted = set(skops.io.get_untrusted_types(file=path)) - set(TRUSTED_TYPES)
        untrusted |= {one for one in _types_named_in(path) if public_name(one) not in _allowed()}
    except Exception as error:  # a damaged file may fail in any way; whatever it is, it is not loaded
        raise BrokenModel(f"The model's file {name} is damaged: {error}.", hint="Log the model again.") from error
    if untrusted:
        raise BrokenModel(f"The model holds untrusted types: {', '.join(sorted(untrusted))}.", hint=_WIDEN)


def _types_named_in(path: Path) -> set[str]:
    """Every type and function that the file names, also those that skops would trust by itself."""
    with zipfile.ZipFile(path) as archive:
        waiting: list[Any] = [json.loads(archive.read("schema.json"))]
    found = set()
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            if "__module__" in part and "__class__" in part:
                found.add(f"{part['__module__']}.{part['__class__']}")
            waiting += part.values()
        elif isinstance(part, list):
            waiting += part
    return found


@lru_cache(maxsize=1)
def _allowed() -> frozenset[str]:
    from skops.io import _trusted_types as numeric  # numpy's element types and arithmetic, which read and write nothing

    names = {
        *TRUSTED_TYPES, *numeric.NUMPY_DTYPE_TYPE_NAMES, *numeric.NUMPY_UFUNC_TYPE_NAMES,
        *numeric.SCIPY_UFUNC_TYPE_NAMES, *numeric.NUMPY_RANDOM_BIT_GENERATOR_TYPE_NAMES,
    }  # fmt: skip
    return NAMED | {public_name(name) for name in names}
