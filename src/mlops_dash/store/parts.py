"""From rows to summaries: what an hour, a day or a reference window is reduced to, and how it is packed.

One part holds all features, the score, and what is known of the labels of some rows: of a classifier the score x label
table and the class-wise losses (`ClassPart`), of a regression the errors (`ErrorPart`). Parts are counted into the
cells of one reference (`Layout`), add up exactly, and are stored as one blob: a year of hourly rows per feature would
be too many. No SQL here, and no verdict.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from mlops_dash.domain.evidence import BINARY, REGRESSION
from mlops_dash.domain.readings import SCORE
from mlops_dash.errors import InvalidInput
from mlops_dash.stats.arrays import Ints, as_floats
from mlops_dash.stats.losses import log_losses, squared_errors
from mlops_dash.stats.regression import ErrorSummary, errors_by
from mlops_dash.stats.summaries import (
    CategoryCells,
    Cells,
    Histogram,
    Moments,
    NumericCells,
    cells_from_dict,
    count_by,
    moments_by,
    score_edges,
    score_tables_by,
)

_EXTRA = 3  # count_by adds missing, outside, unseen to the k counts
_HEAD = struct.Struct("<II")
_LOSSES = struct.Struct("<9d")  # of a classifier: squared errors, then the moments of both classes
_ERRORS = struct.Struct("<12d")  # of a regression: the moments of |error|, error and label


@dataclass(frozen=True)
class Layout:
    """The cells of one reference: how rows of a version are counted.

    Attributes:
        columns: Cells of every feature and of the score (`SCORE`), in a fixed order.
        edges: Inner cuts of the score x label table; none for a regression.
        clip: Largest log-loss of a row.
        task: What the model predicts: `BINARY` or `REGRESSION`.
    """

    columns: Mapping[str, Cells]
    edges: tuple[float, ...]
    clip: float
    task: str = BINARY

    @cached_property
    def slices(self) -> dict[str, slice]:
        """Where each column's counts lie in a part's vector."""
        found, at = {}, 0
        for name, cells in self.columns.items():
            found[name] = slice(at, at + cells.k + _EXTRA)
            at += cells.k + _EXTRA
        return found

    @cached_property
    def width(self) -> int:
        """Length of a part's vector of counts."""
        return sum(cells.k + _EXTRA for cells in self.columns.values())

    @property
    def features(self) -> tuple[str, ...]:
        """The columns that are inputs of the model."""
        return tuple(name for name in self.columns if name != SCORE)

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-able mapping; the order of the columns is kept as a list."""
        return {
            "columns": [cells.to_dict() for cells in self.columns.values()],
            "edges": list(self.edges),
            "clip": self.clip,
            "task": self.task,
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Layout:
        """Read what `to_dict` wrote."""
        columns = [cells_from_dict(one) for one in stored["columns"]]
        by_name = {cells.name: cells for cells in columns}
        return cls(by_name, tuple(stored["edges"]), float(stored["clip"]), str(stored.get("task", BINARY)))


@dataclass(frozen=True, eq=False)
class ClassPart:
    """Some rows of a classifier's version, counted into the cells of its reference.

    Attributes:
        n: Scored rows.
        counts: int64[layout.width], for each column k counts, then missing, outside, unseen.
        table: int64[cells, 2], labelled rows by score cell and label.
        losses: Moments of the clipped log-loss of label-0 rows and of label-1 rows.
        squared: Sum of squared errors of labelled rows (Brier).
    """

    n: int
    counts: Ints
    table: Ints
    losses: tuple[Moments, Moments]
    squared: float

    @property
    def n_labelled(self) -> int:
        """Rows with a label."""
        return int(self.table.sum())

    @property
    def positives(self) -> int:
        """Rows with label 1."""
        return int(self.table[:, 1].sum())

    def histogram(self, layout: Layout, column: str) -> Histogram:
        """The counts of one column."""
        return Histogram.from_row(self.counts[layout.slices[column]])

    def __add__(self, other: Part) -> ClassPart:
        """Both together."""
        if not isinstance(other, ClassPart):
            return NotImplemented
        return ClassPart(
            self.n + other.n,
            self.counts + other.counts,
            self.table + other.table,
            (self.losses[0] + other.losses[0], self.losses[1] + other.losses[1]),
            self.squared + other.squared,
        )


@dataclass(frozen=True, eq=False)
class ErrorPart:
    """Some rows of a regression's version, counted into the cells of its reference.

    Attributes:
        n: Scored rows.
        counts: int64[layout.width], for each column k counts, then missing, outside, unseen.
        errors: The errors of labelled rows, in the unit of the label.
    """

    n: int
    counts: Ints
    errors: ErrorSummary

    @property
    def n_labelled(self) -> int:
        """Rows with a label."""
        return self.errors.n

    def histogram(self, layout: Layout, column: str) -> Histogram:
        """The counts of one column."""
        return Histogram.from_row(self.counts[layout.slices[column]])

    def __add__(self, other: Part) -> ErrorPart:
        """Both together."""
        if not isinstance(other, ErrorPart):
            return NotImplemented
        return ErrorPart(self.n + other.n, self.counts + other.counts, self.errors + other.errors)


Part: TypeAlias = ClassPart | ErrorPart


def empty(layout: Layout) -> Part:
    """No rows: the neutral element of adding."""
    counts = np.zeros(layout.width, dtype=np.int64)
    if layout.task == REGRESSION:
        return ErrorPart(0, counts, ErrorSummary.empty())
    none = Moments.empty()
    table = np.zeros((len(layout.edges) + 1, 2), dtype=np.int64)
    return ClassPart(0, counts, table, (none, none), 0.0)


def total(layout: Layout, parts: Sequence[Part]) -> Part:
    """All parts together."""
    whole = empty(layout)
    for part in parts:
        whole = whole + part
    return whole


def layout_of(
    rows: pd.DataFrame, *, features: Sequence[str], clip: float, task: str = BINARY
) -> tuple[Layout, dict[str, str]]:
    """Build cells from reference rows: one column a feature and `score`.

    Returns:
        The layout, and the features left out with the reason (no value at all in the reference).

    Raises:
        InvalidInput: no feature is left, or a feature is named like the score's column.
    """
    if SCORE in features:
        raise InvalidInput(f"A feature is named {SCORE!r}.", hint="Rename it; the name is taken by the model's answer.")
    columns: dict[str, Cells] = {}
    left_out: dict[str, str] = {}
    for name in features:
        if not bool(rows[name].notna().any()):
            left_out[name] = "the reference holds no value"
        elif pd.api.types.is_numeric_dtype(rows[name]) and not pd.api.types.is_bool_dtype(rows[name]):
            columns[name] = NumericCells.of(name, rows[name])
        else:
            columns[name] = CategoryCells.of(name, rows[name].to_numpy(dtype=object))
    if not columns:
        raise InvalidInput("No feature of the reference holds a value.", hint="Give rows with the model's features.")
    columns[SCORE] = NumericCells.of(SCORE, rows["score"])
    edges = score_edges(rows["score"]) if task == BINARY else ()
    return Layout(columns, edges, clip, task), left_out


def count_rows(layout: Layout, rows: pd.DataFrame, groups: Ints, n_groups: int) -> tuple[Part, ...]:
    """Count rows into one part a group (an hour, a day), all groups at once.

    Args:
        layout: Cells of the reference.
        rows: One row a prediction: the features (absent ones count as missing), `score`, `label` (of a classifier 0 or
            1; NaN = none yet).
        groups: Group of each row, 0..n_groups-1.
        n_groups: How many groups, empty ones included.

    Raises:
        InvalidInput: a classifier's label is neither 0, 1 nor missing, or a value has the wrong kind.
    """
    held = rows.assign(**{SCORE: rows["score"]})
    absent = pd.Series(np.nan, index=rows.index)
    counts = np.hstack(
        [_count_column(cells, held.get(name, absent), groups, n_groups) for name, cells in layout.columns.items()]
    )
    label, score = as_floats(rows["label"], name="labels"), as_floats(rows["score"], name="scores")
    known = ~np.isnan(label) & ~np.isnan(score)
    y, p, g = label[known], score[known], groups[known]
    size = np.bincount(groups, minlength=n_groups)
    if layout.task == REGRESSION:
        errors = errors_by(y, p, g, n_groups=n_groups)
        return tuple(ErrorPart(int(size[i]), counts[i], errors[i]) for i in range(n_groups))
    tables = score_tables_by(layout.edges, y, p, g, n_groups=n_groups)
    positive = y == 1.0
    loss = log_losses(positive, p, clip=layout.clip)
    of_class = [moments_by(loss[keep], g[keep], n_groups=n_groups) for keep in (~positive, positive)]
    squared = np.bincount(g, weights=squared_errors(positive, p), minlength=n_groups)
    return tuple(
        ClassPart(int(size[i]), counts[i], tables[i], (of_class[0][i], of_class[1][i]), float(squared[i]))
        for i in range(n_groups)
    )


def _count_column(cells: Cells, values: pd.Series[Any], groups: Ints, n_groups: int) -> Ints:
    """Count one column; of a column of texts each distinct text is placed once, which is 4 times faster than each row.

    Only for texts: as keys of a hash table True, 1 and 1.0 would be one level.
    """
    if values.dtype != object or pd.api.types.infer_dtype(values, skipna=True) != "string":
        return count_by(cells, values.to_numpy(), groups, n_groups)
    codes, texts = pd.factorize(values, use_na_sentinel=True)
    n = len(texts) + 1  # the last one is a missing value
    rows = np.bincount(groups * n + codes % n, minlength=n_groups * n).reshape(n_groups, n)
    of_text = count_by(cells, np.asarray([*texts, None], dtype=object), np.arange(n, dtype=np.int64), n)
    return np.asarray(rows @ of_text, dtype=np.int64)


def pack(part: Part) -> bytes:
    """One part as a compressed blob; `unpack` needs the layout it was counted into."""
    if isinstance(part, ErrorPart):
        errors, whole = part.errors, part.counts
        numbers = _ERRORS.pack(*_numbers(errors.absolute, errors.signed, errors.label))
    else:
        whole = np.concatenate([part.counts, part.table.ravel()])
        numbers = _LOSSES.pack(part.squared, *_numbers(*part.losses))
    return zlib.compress(_HEAD.pack(part.n, whole.size) + numbers + whole.astype("<u4").tobytes(), 3)


def unpack(layout: Layout, blob: bytes) -> Part:
    """Read what `pack` wrote.

    Raises:
        InvalidInput: the blob was counted into other cells.
    """
    raw = zlib.decompress(blob)
    n, size = _HEAD.unpack_from(raw)
    is_regression = layout.task == REGRESSION
    packed = _ERRORS if is_regression else _LOSSES
    cells = 0 if is_regression else len(layout.edges) + 1
    whole = np.frombuffer(raw, dtype="<u4", offset=_HEAD.size + packed.size).astype(np.int64)
    if whole.size != size or size != layout.width + 2 * cells:
        raise InvalidInput(
            f"A stored profile holds {whole.size} counts, its reference {layout.width + 2 * cells}.",
            hint="Profile these hours again.",
        )
    numbers = packed.unpack_from(raw, _HEAD.size)
    counts = whole[: layout.width]
    if is_regression:
        return ErrorPart(n, counts, ErrorSummary(*_moments(numbers)))
    zero, one = _moments(numbers[1:])
    return ClassPart(n, counts, whole[layout.width :].reshape(cells, 2), (zero, one), numbers[0])


def _numbers(*moments: Moments) -> list[float]:
    return [number for one in moments for number in (one.n, one.mean, one.m2, one.m3)]


def _moments(numbers: Sequence[float]) -> list[Moments]:
    return [Moments(int(numbers[i]), *numbers[i + 1 : i + 4]) for i in range(0, len(numbers), 4)]


def pack_all(parts: Sequence[Part]) -> bytes:
    """Several parts as one blob (the windows of a reference)."""
    blobs = [pack(part) for part in parts]
    return b"".join(struct.pack("<I", len(blob)) + blob for blob in blobs)


def unpack_all(layout: Layout, blob: bytes) -> tuple[Part, ...]:
    """Read what `pack_all` wrote."""
    found, at = [], 0
    while at < len(blob):
        (size,) = struct.unpack_from("<I", blob, at)
        found.append(unpack(layout, blob[at + 4 : at + 4 + size]))
        at += 4 + size
    return tuple(found)


def clip_of(loss_clip: float) -> float:
    """The largest log-loss of a row whose probability is cut at `loss_clip`."""
    return -math.log(loss_clip)
