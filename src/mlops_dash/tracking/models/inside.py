"""What would loading a model run? Its flavour, its files, and what its pickles import: read, never loaded."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from mlops_dash.errors import BrokenModel
from mlops_dash.tracking.models.download import download
from mlops_dash.tracking.models.pickles import BROKEN, HIDDEN, MORE, read_file
from mlops_dash.tracking.models.trust import artifact_digest, flavours_of, named_in, require_trusted

_PACKAGES = {"pytorch": "torch", "spark": "pyspark"}  # where MLflow's module has another name than the package


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
        unread: Files that are no text, no pickle and no archive: what they hold is not known.
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
    unread: tuple[str, ...]
    code: bool
    refused: str
    never: str

    def words(self) -> str:
        """One sentence: what loading runs."""
        asked = {name for _, names in self.imports for name in names}
        named = sorted({name.partition(".")[0] for name in asked - {HIDDEN, BROKEN, MORE}})
        own = ", with code of its own" if self.code else ""
        asks = f"; its pickles import from {', '.join(named)}" if named else ""
        more = " and compute names that cannot be read" if HIDDEN in asked else ""
        more += "; not all of their bytes could be read" if asked & {BROKEN, MORE} else ""
        more += f"; not looked into: {', '.join(self.unread)}" if self.unread else ""
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
    named, imports, unread = named_in(folder), list[tuple[str, tuple[str, ...]]](), list[str]()
    for path in paths:
        name = path.relative_to(folder)
        asked, understood = read_file(path, named=not named.isdisjoint({name, *name.parents}))
        imports += [(f"{name.as_posix()}: {part}" if part else name.as_posix(), names) for part, names in asked.items()]
        unread += [] if understood else [name.as_posix()]
    return Inside(
        digest=artifact_digest(folder),
        loader=loader,
        library=library,
        installed=not library or _installed(library),
        files=tuple((path.relative_to(folder).as_posix(), path.stat().st_size) for path in paths),
        imports=tuple(imports),
        unread=tuple(unread),
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
