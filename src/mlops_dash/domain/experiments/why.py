"""Why one side is better: parts by slice, rows that flipped, and the same file of several runs side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import pandas as pd

from mlops_dash.domain.evidence import Direction
from mlops_dash.domain.experiments.comparison_words import signed
from mlops_dash.domain.tasks import BINARY
from mlops_dash.domain.tasks.kept_rows import KeptRows

FLIPS_PAGE: Final = 25
MOST_FILES: Final = 6  # runs side by side


@dataclass(frozen=True)
class SlicePart:
    """One slice: its rows, what it adds to the difference, and the metric inside it."""

    name: str
    n: int
    share: float  # of the rows
    value: float
    low: float
    high: float
    value_a: float
    value_b: float
    clear: bool  # the part is not 0 after Holm over the slices


@dataclass(frozen=True)
class WhyRoom:
    """The decomposition of one difference over the slices of one column; `why_not` when there is none."""

    a: str
    b: str
    metric: str
    direction: Direction | None
    columns: tuple[str, ...] = ()
    column: str = ""
    total: float = float("nan")
    low: float = float("nan")
    high: float = float("nan")
    parts: tuple[SlicePart, ...] = ()
    digits: int = 4
    finding: str = ""
    how: str = ""
    why_not: str = ""


def finding(parts: Sequence[SlicePart], column: str, metric: str, total: float, *, real: bool, digits: int) -> str:
    """The sentence over the chart: which slice makes the difference, if one does.

    Args:
        parts: The slices.
        column: What they are slices of.
        metric: The metric.
        total: The whole difference.
        real: Whether the interval of the whole excludes 0.
        digits: Decimals of differences.
    """
    clear = sorted((one for one in parts if one.clear), key=lambda one: -abs(one.value))
    whole = f"{metric} {signed(total, digits)}"
    if not clear:
        return f"No slice of {column} can be told from 0 within {whole}"
    first = clear[0]
    said = f"{len(clear)} of {len(parts)} slices of {column} can be told from 0; {first.name}"
    rows = f"with {first.share * 100:.0f} % of the rows"
    if real and first.value * total > 0 and abs(first.value) <= abs(total):
        return f"{said} makes {first.value / total * 100:.0f} % of {whole} {rows}"
    return f"{said} adds {signed(first.value, digits)} to {whole} {rows}"


class Flip(StrEnum):
    """Which rows are listed."""

    ONLY_A = "only_a"
    ONLY_B = "only_b"


@dataclass(frozen=True, eq=False)
class FlipRoom:
    """Rows that one model decides rightly and the other does not; of a regression, rows one model is closer on.

    `rows` holds the shown page: row_id, label, A, B (their scores) and the columns kept; the largest change first.
    """

    a: str
    b: str
    seeds: tuple[str, ...] = ()  # pairs of runs that may be chosen
    seed: str = ""
    kind: KeptRows = BINARY.kept_rows
    threshold: float = 0.5
    both_right: int = 0
    only_a: int = 0
    only_b: int = 0
    both_wrong: int = 0
    which: Flip = Flip.ONLY_A
    rows: pd.DataFrame | None = None
    n: int = 0
    page: int = 1
    n_pages: int = 1
    columns: tuple[str, ...] = ()
    values: Mapping[str, tuple[str, ...]] | None = None  # of the column that narrows the list
    sentence: str = ""
    how: str = ""
    why_not: str = ""


class FileKind(StrEnum):
    """How a file is shown."""

    IMAGE = "image"
    TABLE = "table"
    JSON = "json"
    TEXT = "text"
    OTHER = "other"


_KINDS: Final[Mapping[str, FileKind]] = {
    **dict.fromkeys(("png", "jpg", "jpeg", "gif", "webp"), FileKind.IMAGE),
    **dict.fromkeys(("csv", "tsv", "parquet"), FileKind.TABLE),
    "json": FileKind.JSON,
    **dict.fromkeys(("txt", "md", "yaml", "yml", "log", "py", "toml", "cfg", "ini", "html", "svg"), FileKind.TEXT),
}  # fmt: skip
LARGEST: Final[Mapping[FileKind, int]] = {
    FileKind.IMAGE: 4_000_000, FileKind.TABLE: 20_000_000, FileKind.JSON: 2_000_000, FileKind.TEXT: 500_000,
}  # fmt: skip


def kind_of(path: str) -> FileKind:
    """How a file is shown, by its name.

    >>> kind_of("plots/roc.PNG").value, kind_of("model/MLmodel").value, kind_of("model.pkl").value
    ('image', 'text', 'other')
    """
    name = path.rsplit("/", 1)[-1]
    if name in {"MLmodel", "Dockerfile", "LICENSE"}:
        return FileKind.TEXT
    return _KINDS.get(name.rsplit(".", 1)[-1].lower() if "." in name else "", FileKind.OTHER)


@dataclass(frozen=True)
class SharedFile:
    """A path and how many of the runs have it."""

    path: str
    kind: FileKind
    n_runs: int


@dataclass(frozen=True, eq=False)
class RunFile:
    """One run's file: exactly one of image, frame and text is there, or `why` says why none is."""

    run_id: str
    label: str
    size: int = 0
    image: bytes | None = None
    frame: pd.DataFrame | None = None
    n_rows: int = 0
    text: str | None = None
    why: str = ""


@dataclass(frozen=True, eq=False)
class FilesRoom:
    """The same file of several runs."""

    files: tuple[SharedFile, ...]
    path: str
    kind: FileKind
    shown: tuple[RunFile, ...]
    differences: tuple[tuple[str, ...], ...] = ()  # of JSON: path, then one value a run
    diff: Mapping[str, str] | None = None  # of text: unified diff against the first, by run id
    equal: bool = False
    hidden: int = 0  # runs beyond `MOST_FILES`
    why: Mapping[str, str] | None = None  # runs whose files could not be listed


def flat(value: Any, at: str = "") -> dict[str, str]:
    """A JSON value as paths and texts.

    >>> flat({"a": [1, {"b": None}]})
    {'a[0]': '1', 'a[1].b': 'null'}
    """
    if isinstance(value, dict) and value:
        pairs = [(f"{at}.{name}" if at else str(name), one) for name, one in value.items()]
    elif isinstance(value, list) and value:
        pairs = [(f"{at}[{number}]", one) for number, one in enumerate(value)]
    else:
        said = {None: "null", True: "true", False: "false"}
        plain = said[value] if value is None or isinstance(value, bool) else str(value)
        return {at or "value": plain}
    found: dict[str, str] = {}
    for name, one in pairs:
        found |= flat(one, name)
    return found
