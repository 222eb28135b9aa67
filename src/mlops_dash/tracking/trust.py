"""May these files be loaded at all? Models are code: trust comes from our fixed list, never from the model's own.

Must not: import mlflow or unpickle anything.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import yaml

from mlops_dash.errors import BrokenModel

# Beyond what skops trusts by itself. A model cannot widen this list (its MLmodel file names one of its own, which
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
_NOT_OURS = frozenset({"registered_model_meta"})  # written by a download by name, not part of the model


def artifact_digest(folder: Path) -> str:
    """The sha256 over all files of a model's folder: their relative paths and their bytes.

    Raises:
        BrokenModel: there are no files.
    """
    total = hashlib.sha256()
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name not in _NOT_OURS)
    if not files:
        raise BrokenModel(f"The model folder {folder.name} holds no files.", hint="Log the model again.")
    for path in files:
        own = hashlib.sha256(path.read_bytes()).hexdigest()
        total.update(f"{path.relative_to(folder).as_posix()}\0{own}\n".encode())
    return total.hexdigest()


def require_trusted(folder: Path, *, allow_pickle: bool) -> None:
    """Refuse a model that could run code of its own when loaded.

    Args:
        folder: The model's downloaded files.
        allow_pickle: The installation's setting: pickles, other flavours and models with own code may load.

    Raises:
        BrokenModel: the files are damaged, or not trusted; the reason says which type, flavour or file.
    """
    flavours = _flavours(folder)
    if allow_pickle:
        return
    generic, own = flavours.get("python_function", {}), flavours.get("sklearn", {})
    loader = generic.get("loader_module")
    if loader not in _LOADERS or not own:
        raise BrokenModel(
            f"The model's flavour {loader!r} is not trusted.",
            hint="Log it with mlflow.sklearn in skops format, or push evidence without loading it.",
        )
    if generic.get("code") or own.get("code") or generic.get("data"):
        raise BrokenModel("The model brings code of its own.", hint="Log it without code_paths.")
    form = own.get("serialization_format", "pickle")
    if form != "skops":
        raise BrokenModel(
            f"The model is a {form}, which runs code when loaded.",
            hint="Log it with serialization_format='skops', or let an admin set MLOPS_DASH_ALLOW_PICKLE=1.",
        )
    names = {str(generic.get("model_path")), str(own.get("pickled_model"))}
    for name in names:
        _require_trusted_types(folder, name)
    asked = set(own.get("skops_trusted_types") or ()) - set(TRUSTED_TYPES)
    if asked:
        raise BrokenModel(f"The model asks to trust {', '.join(sorted(asked))}.", hint=_WIDEN)


_WIDEN = "Only types on our fixed list are loaded; change the pipeline, or push evidence without loading it."


def _flavours(folder: Path) -> dict[str, dict[str, Any]]:
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
    except Exception as error:  # a damaged file may fail in any way; whatever it is, it is not loaded
        raise BrokenModel(f"The model's file {name} is damaged: {error}.", hint="Log the model again.") from error
    if untrusted:
        raise BrokenModel(f"The model holds untrusted types: {', '.join(sorted(untrusted))}.", hint=_WIDEN)
