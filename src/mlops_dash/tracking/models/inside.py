"""What would loading a model run? Its flavour, its files, and what its pickles import: read, never loaded."""

from __future__ import annotations

import pickletools
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from mlops_dash.errors import BrokenModel
from mlops_dash.tracking.models.download import download
from mlops_dash.tracking.models.trust import artifact_digest, flavours_of, require_trusted

_SUFFIXES = frozenset({".pkl", ".pickle", ".joblib", ".p"})
_PROTOCOL = b"\x80"  # how a pickle of protocol 2 and later begins
_PACKAGES = {"pytorch": "torch", "spark": "pyspark"}  # where MLflow's module has another name than the package
_STRINGS = frozenset({"SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8", "UNICODE", "STRING", "BINSTRING"})
_HIDDEN = "(a name that the pickle computes)"


@dataclass(frozen=True)
class Inside:
    """What lies in a version's files.

    Attributes:
        digest: Of all of them (`artifact_digest`).
        loader: The module that MLflow loads them with.
        library: The package that it needs; "" = none but our own, or what the model brings itself.
        installed: Whether that package is here.
        files: (path, bytes), sorted.
        imports: By pickle, every module and name that it asks for, sorted.
        code: Whether it brings Python files of its own that are put before everything else.
        refused: Why it is not loaded without an admin's trust; "" = it is.
        never: Why nobody's trust would load it either; "" = it would.
    """

    digest: str
    loader: str
    library: str
    installed: bool
    files: tuple[tuple[str, int], ...]
    imports: tuple[tuple[str, tuple[str, ...]], ...]
    code: bool
    refused: str
    never: str

    def words(self) -> str:
        """One sentence: what loading runs."""
        named = sorted({name.partition(".")[0] for _, names in self.imports for name in names if name != _HIDDEN})
        own = ", with code of its own" if self.code else ""
        hidden = any(_HIDDEN in names for _, names in self.imports)
        asks = f"; its pickles import from {', '.join(named)}" if named else ""
        more = " and compute names that cannot be read" if hidden else ""
        return f"{len(self.files)} files, loaded by {self.loader or 'nothing that is named'}{own}{asks}{more}"


def inside(uri: str, artifact_uri: str) -> Inside:
    """Fetch a version's files and look at them.

    Raises:
        BrokenModel: they cannot be fetched, or their MLmodel file cannot be read.
        Unavailable: MLflow does not answer.
    """
    with tempfile.TemporaryDirectory(prefix="mlops-dash-look-") as folder:
        return look(download(uri, artifact_uri, Path(folder, "model")))


def look(folder: Path) -> Inside:
    """Look at files that are here.

    Raises:
        BrokenModel: their MLmodel file cannot be read.
    """
    flavours = flavours_of(folder)
    generic = flavours.get("python_function", {})
    loader = str(generic.get("loader_module") or "")
    library = _library_of(loader, folder, generic.get("code"))
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    pickles = [path for path in paths if path.suffix in _SUFFIXES or _begins_as_one(path)]
    return Inside(
        digest=artifact_digest(folder),
        loader=loader,
        library=library,
        installed=not library or _installed(library),
        files=tuple((path.relative_to(folder).as_posix(), path.stat().st_size) for path in paths),
        imports=tuple((path.relative_to(folder).as_posix(), imports_of(path.read_bytes())) for path in pickles),
        code=bool(generic.get("code") or any(conf.get("code") for conf in flavours.values())),
        refused=_refusal(folder, allow_pickle=False),
        never=_refusal(folder, allow_pickle=True),
    )


def _library_of(loader: str, folder: Path, code: Any) -> str:
    first, _, rest = loader.partition(".")
    if first == "mlflow" and rest:
        library = rest.partition(".")[0]
        return "" if library == "pyfunc" else _PACKAGES.get(library, library)
    beside = folder / code if isinstance(code, str) and code else None
    brought = beside is not None and ((beside / first).is_dir() or (beside / f"{first}.py").is_file())
    return "" if brought else first


def _installed(library: str) -> bool:
    try:
        return find_spec(library) is not None
    except (ImportError, ValueError):  # no name that a package can have
        return False


def _refusal(folder: Path, *, allow_pickle: bool) -> str:
    try:
        require_trusted(folder, allow_pickle=allow_pickle)
    except BrokenModel as error:
        return error.message
    return ""


def imports_of(pickled: bytes) -> tuple[str, ...]:
    """Every name that a pickle asks for, without loading it; what it computes is said as such.

    >>> import pickle, fractions
    >>> imports_of(pickle.dumps(fractions.Fraction))
    ('fractions.Fraction',)
    """
    return tuple(sorted(set(_asked_for(pickled))))


def _asked_for(pickled: bytes) -> Iterator[str]:
    memo: dict[int, str | None] = {}
    pushed: list[str | None] = []
    try:
        for code, argument, _ in pickletools.genops(pickled):
            name = code.name
            if name in {"GLOBAL", "INST"}:
                yield str(argument).replace(" ", ".", 1)
                pushed.append(None)
            elif name == "STACK_GLOBAL":
                module, attribute = pushed[-2:] if len(pushed) > 1 else (None, None)
                yield _HIDDEN if module is None or attribute is None else f"{module}.{attribute}"
                pushed.append(None)
            elif name in {"MEMOIZE", "PUT", "BINPUT", "LONG_BINPUT"}:
                memo[len(memo) if name == "MEMOIZE" else int(str(argument))] = pushed[-1] if pushed else None
            elif name in {"GET", "BINGET", "LONG_BINGET"}:
                pushed.append(memo.get(int(str(argument))))
            elif name != "FRAME" and name != "PROTO":
                pushed.append(_text(name, argument))
    except (ValueError, IndexError, UnicodeDecodeError):  # arrays stand between the parts of a joblib file
        yield "(the rest is no plain pickle)"


def _text(name: str, argument: Any) -> str | None:
    return str(argument) if name in _STRINGS else None


def _begins_as_one(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(1) == _PROTOCOL
