"""From rows to parts: what an hour, a day or a reference window is reduced to, and how it is packed.

One part holds all features, the score, and what the model's task keeps of labelled rows (`domain.tasks`: a score x
label table and class-wise losses, or errors). Parts are counted into the cells of one reference (`Layout`), add up
exactly, and are stored as one blob: a year of hourly rows per feature would be too many. No SQL here, and no verdict.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from mlops_dash.domain.class_probabilities import probabilities_in
from mlops_dash.domain.monitoring.readings import SCORE
from mlops_dash.domain.tasks import BINARY, task_named
from mlops_dash.domain.tasks.summaries import Summary
from mlops_dash.domain.tasks.task import ModelTask
from mlops_dash.errors import InvalidInput
from mlops_dash.stats.arrays import Floats, Ints, as_floats
from mlops_dash.stats.summaries import CategoryCells, Cells, Histogram, NumericCells, cells_from_dict, count_by

_EXTRA = 3  # count_by adds missing, outside, unseen to the k counts
_HEAD = struct.Struct("<II")
_FLOAT = struct.calcsize("<d")


@dataclass(frozen=True)
class Layout:
    """The cells of one reference: how rows of a version are counted.

    Attributes:
        columns: Cells of every feature and of the score (`SCORE`), in a fixed order.
        scale: What the task has fixed from the reference, as JSON holds it.
        clip: Largest log-loss of a row.
        task: What the model predicts.
    """

    columns: Mapping[str, Cells]
    scale: Mapping[str, Any]
    clip: float
    task: ModelTask

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

    @cached_property
    def nothing(self) -> Summary:
        """What the task keeps of no rows."""
        return self.task.empty(self.scale)

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes of a model that tells several apart, in its order."""
        return tuple(self.task.facts.get("classes", ()))

    @property
    def features(self) -> tuple[str, ...]:
        """The columns that are inputs of the model."""
        return tuple(name for name in self.columns if name != SCORE)

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-able mapping; the order of the columns is kept as a list."""
        return {
            "columns": [cells.to_dict() for cells in self.columns.values()],
            "clip": self.clip,
            "task": self.task.name,
            **self.scale,
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Layout:
        """Read what `to_dict` wrote."""
        columns = [cells_from_dict(one) for one in stored["columns"]]
        scale = {name: value for name, value in stored.items() if name not in ("columns", "clip", "task")}
        # References recorded before there were two tasks do not name theirs.
        task = task_named(str(stored.get("task", BINARY.name))).of(scale)
        return cls({cells.name: cells for cells in columns}, scale, float(stored["clip"]), task)


@dataclass(frozen=True, eq=False)
class Part:
    """Some rows of a version, counted into the cells of its reference.

    Attributes:
        n: Scored rows.
        counts: int64[layout.width], for each column k counts, then missing, outside, unseen.
        labelled: What the task keeps of the labelled ones.
    """

    n: int
    counts: Ints
    labelled: Summary

    @property
    def n_labelled(self) -> int:
        """Rows with a label."""
        return self.labelled.n

    def histogram(self, layout: Layout, column: str) -> Histogram:
        """The counts of one column."""
        return Histogram.from_row(self.counts[layout.slices[column]])

    def __add__(self, other: Part) -> Part:
        """Both together."""
        return Part(self.n + other.n, self.counts + other.counts, self.labelled + other.labelled)


def empty(layout: Layout) -> Part:
    """No rows: the neutral element of adding."""
    return Part(0, np.zeros(layout.width, dtype=np.int64), layout.nothing)


def total(layout: Layout, parts: Sequence[Part]) -> Part:
    """All parts together."""
    whole = empty(layout)
    for part in parts:
        whole = whole + part
    return whole


def layout_of(
    rows: pd.DataFrame, *, features: Sequence[str], clip: float, task: ModelTask
) -> tuple[Layout, dict[str, str]]:
    """Build cells from reference rows: one column a feature and `score`.

    Returns:
        The layout, and the features without a kind with the reason (no value at all in the reference).

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
            columns[name] = CategoryCells.empty(name)
        elif pd.api.types.is_numeric_dtype(rows[name]) and not pd.api.types.is_bool_dtype(rows[name]):
            columns[name] = NumericCells.of(name, rows[name])
        else:
            columns[name] = CategoryCells.of(name, rows[name].to_numpy(dtype=object))
    if len(left_out) == len(columns):
        raise InvalidInput("No feature of the reference holds a value.", hint="Give rows with the model's features.")
    scores, labels = as_floats(rows["score"], name="scores"), as_floats(rows["label"], name="labels")
    answers = task.words_of(scores)
    columns[SCORE] = (CategoryCells if task.in_words else NumericCells).of(SCORE, answers)
    scale = task.scale_of(scores, labels, probabilities_in(rows, task.facts.get("classes", ())), clip=clip)
    return Layout(columns, scale, clip, task.of(scale)), left_out


def count_rows(layout: Layout, rows: pd.DataFrame, groups: Ints, n_groups: int) -> tuple[Part, ...]:
    """Count rows into one part a group (an hour, a day), all groups at once.

    Args:
        layout: Cells of the reference.
        rows: One row a prediction: the features (absent ones count as missing), `score`, `label` (NaN = none yet), and
            of several classes their probabilities, where these are known.
        groups: Group of each row, 0..n_groups-1.
        n_groups: How many groups, empty ones included.

    Raises:
        InvalidInput: a label is none of the task's, or a value has the wrong kind.
    """
    label, score = as_floats(rows["label"], name="labels"), as_floats(rows["score"], name="scores")
    held = rows.assign(**{SCORE: layout.task.words_of(score)})
    absent = pd.Series(np.nan, index=rows.index)
    counts = np.hstack(
        [_count_column(cells, held.get(name, absent), groups, n_groups) for name, cells in layout.columns.items()]
    )
    size, labelled = np.bincount(groups, minlength=n_groups), _labelled(layout, rows, label, score, groups, n_groups)
    return tuple(Part(int(size[i]), counts[i], labelled[i]) for i in range(n_groups))


def label_parts(layout: Layout, rows: pd.DataFrame, groups: Ints, n_groups: int) -> tuple[Part, ...]:
    """What the task keeps of labelled rows, one part a group, without a count of any column; see `count_rows`."""
    label, score = as_floats(rows["label"], name="labels"), as_floats(rows["score"], name="scores")
    labelled, nothing = _labelled(layout, rows, label, score, groups, n_groups), np.zeros(layout.width, dtype=np.int64)
    return tuple(Part(one.n, nothing, one) for one in labelled)


def _labelled(
    layout: Layout, rows: pd.DataFrame, label: Floats, score: Floats, groups: Ints, n_groups: int
) -> Sequence[Summary]:
    known = ~np.isnan(label) & ~np.isnan(score)
    p = probabilities_in(rows, layout.classes)
    return layout.task.count(
        layout.scale, label[known], score[known], groups[known], n_groups=n_groups, clip=layout.clip,
        probabilities=None if p is None else p[known],
    )  # fmt: skip


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
    numbers = np.asarray(part.labelled.numbers(), dtype="<f8")
    whole = np.concatenate([part.counts, part.labelled.counts()])
    return zlib.compress(_HEAD.pack(part.n, whole.size) + numbers.tobytes() + whole.astype("<u4").tobytes(), 3)


def unpack(layout: Layout, blob: bytes) -> Part:
    """Read what `pack` wrote.

    Raises:
        InvalidInput: the blob was counted into other cells.
    """
    raw = zlib.decompress(blob)
    n, size = _HEAD.unpack_from(raw)
    n_numbers, n_counts = len(layout.nothing.numbers()), layout.width + layout.nothing.counts().size
    whole = np.frombuffer(raw, dtype="<u4", offset=_HEAD.size + _FLOAT * n_numbers).astype(np.int64)
    if whole.size != size or size != n_counts:
        raise InvalidInput(
            f"A stored profile holds {whole.size} counts, its reference {n_counts}.",
            hint="Profile these hours again.",
        )
    numbers = struct.unpack_from(f"<{n_numbers}d", raw, _HEAD.size)
    labelled = layout.task.restore(layout.scale, numbers, whole[layout.width :])
    return Part(n, whole[: layout.width], labelled)


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
