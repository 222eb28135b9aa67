"""Into which cells does a column fall?

Cells are built from the reference alone and stored; after that every window, day or hour is counted into the same
cells (`counting`), so counts add up exactly.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, ClassVar, TypeAlias

import numpy as np
import numpy.typing as npt

from mlops_dash.errors import InvalidInput
from mlops_dash.stats.arrays import ArrayLike, Bools, Floats, Ints, as_floats

NUMERIC_CELLS = 20
MAX_LEVELS = 50
MIN_LEVEL_ROWS = 20


@dataclass(frozen=True)
class NumericCells:
    """Equal-mass cells of a numeric reference column, ties kept whole.

    Cell i holds edges[i] < x <= edges[i+1]; the end cells also take everything beyond the reference's range.

    Attributes:
        name: Column.
        edges: k+1 ascending numbers: lowest reference value, k-1 inner cuts, highest reference value.
        spread: 95th minus 5th percentile of the reference, the unit of the Wasserstein distance.
        reach: Where the two end cells would end if their reference rows were even in them, which keeps their mean: a
            single far value must not stretch a distance.
        n_reference: Reference rows that are not missing.

    >>> from mlops_dash.stats.counting import count
    >>> cells = NumericCells.of("delay", [1, 2, 2, 2, 3, 4], cells=3)
    >>> cells.edges
    (1.0, 2.0, 4.0)
    >>> count(cells, [0, 2, 2.5, 9, None]).counts
    array([2, 2])
    """

    name: str
    edges: tuple[float, ...]
    spread: float
    reach: tuple[float, float]
    n_reference: int
    kind: ClassVar[str] = "numeric"

    @classmethod
    def of(cls, name: str, reference: ArrayLike, *, cells: int = NUMERIC_CELLS) -> "NumericCells":
        """Build cells from reference values; missing and infinite ones are left out.

        Raises:
            InvalidInput: If no finite number is left, or the values are not numbers.
        """
        values = as_floats(reference, name=f"Column {name!r}")
        values = values[np.isfinite(values)]
        if values.size == 0:
            raise InvalidInput(
                f"Column {name!r} holds no number in the reference.", hint="Leave the column out or choose another."
            )
        low, high = float(values.min()), float(values.max())
        cuts = np.unique(np.quantile(values, np.arange(1, cells) / cells, method="inverted_cdf"))
        p05, p95 = np.quantile(values, [0.05, 0.95])
        inner = [float(cut) for cut in cuts if cut < high]
        if not inner and low < high:
            # Nearly all rows hold the highest value (a flag that is mostly 1): what lies below it is a cell.
            inner = [float(values[values < high].max())]
        first, last = (inner[0], inner[-1]) if inner else (high, low)
        below, above = values[values <= first].mean(), values[values > last].mean() if inner else values.mean()
        reach = (max(low, float(2.0 * below - first)), min(high, float(2.0 * above - last)))
        return cls(name, (low, *inner, high), float(p95 - p05), reach, int(values.size))

    @property
    def k(self) -> int:
        """How many cells."""
        return len(self.edges) - 1

    @property
    def unseen_expected(self) -> float:
        """Share of unseen levels expected without change: 0, numbers have no levels."""
        return 0.0

    @property
    def labels(self) -> tuple[str, ...]:
        """What each cell holds, in words for a page."""
        inner = [f"{cut:.4g}" for cut in self.edges[1:-1]]
        if not inner:
            return ("all",)
        middle = [f"{low} to {high}" for low, high in pairwise(inner)]
        return (f"up to {inner[0]}", *middle, f"over {inner[-1]}")

    def place(self, values: ArrayLike) -> tuple[Ints, Bools, Bools]:
        """Return the cell of each value (k where missing), whether it is out of range, whether unseen (never)."""
        array = as_floats(values, name=f"Column {self.name!r}")
        codes = np.searchsorted(self._cuts, array, side="left").astype(np.int64, copy=False)
        codes[np.isnan(array)] = self.k
        outside = (array < self.edges[0]) | (array > self.edges[-1])
        return codes, outside, np.zeros(array.size, dtype=np.bool_)

    @cached_property
    def _cuts(self) -> Floats:
        return np.asarray(self.edges[1:-1], dtype=np.float64)

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-able mapping."""
        return {
            "kind": self.kind,
            "name": self.name,
            "edges": list(self.edges),
            "spread": self.spread,
            "reach": list(self.reach),
            "n_reference": self.n_reference,
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> "NumericCells":
        """Read what `to_dict` wrote."""
        edges = tuple(float(edge) for edge in stored["edges"])
        low, high = (float(end) for end in stored["reach"])
        return cls(str(stored["name"]), edges, float(stored["spread"]), (low, high), int(stored["n_reference"]))


@dataclass(frozen=True)
class CategoryCells:
    """The common levels of a reference column, and one cell "rest" for everything else.

    Values are compared as text (1, 1.0 and "1" are one level). Rarer levels and levels never seen in the reference
    share the cell "rest", so unseen levels alone never make a score.
    Picking levels by their reference count favours lucky ones. That is harmless unless most levels lie close to
    `min_rows`: with 50 levels of 20 expected rows each, 20 % instead of 5 % of unchanged windows had p < .05 at 1,000
    reference rows, 6 % at 10,000.

    Attributes:
        name: Column.
        levels: Common levels, largest first; they are the first k-1 cells.
        rare: Reference levels counted as "rest", sorted.
        singletons: How many levels the reference saw exactly once.
        n_reference: Reference rows that are not missing.

    References:
        - I. J. Good, Biometrika 40 (1953): the expected share of unseen levels is singletons / n.

    >>> from mlops_dash.stats.counting import count
    >>> cells = CategoryCells.of("carrier", ["AA"] * 30 + ["UA"] * 25 + ["ZZ"])
    >>> cells.levels, cells.rare, cells.k
    (('AA', 'UA'), ('ZZ',), 3)
    >>> counted = count(cells, ["AA", "ZZ", "never seen", None])
    >>> counted.counts, counted.unseen, counted.missing
    (array([1, 0, 2]), 1, 1)
    """

    name: str
    levels: tuple[str, ...]
    rare: tuple[str, ...]
    singletons: int
    n_reference: int
    kind: ClassVar[str] = "category"

    @classmethod
    def of(
        cls, name: str, reference: ArrayLike, *, max_levels: int = MAX_LEVELS, min_rows: int = MIN_LEVEL_ROWS
    ) -> "CategoryCells":
        """Build cells from reference values; missing ones are left out.

        Raises:
            InvalidInput: If every value is missing.
        """
        texts, codes = _texts(reference)
        tally = np.bincount(codes[codes >= 0], minlength=len(texts))
        return cls.of_tally(name, texts, tally, max_levels=max_levels, min_rows=min_rows)

    @classmethod
    def of_tally(
        cls, name: str, texts: Sequence[str], tally: Ints, *, max_levels: int = MAX_LEVELS,
        min_rows: int = MIN_LEVEL_ROWS,
    ) -> "CategoryCells":  # fmt: skip
        """Build cells from the different texts of a reference and how many rows hold each, int64[texts].

        Raises:
            InvalidInput: If there is none.

        >>> CategoryCells.of_tally("carrier", ["AA", "ZZ"], np.array([30, 1])).levels
        ('AA',)
        """
        if not texts:
            raise InvalidInput(
                f"Column {name!r} holds no level in the reference.", hint="Leave the column out or choose another."
            )
        by_mass = sorted(zip(texts, tally.tolist(), strict=True), key=lambda pair: (-pair[1], pair[0]))
        common = tuple(text for text, rows in by_mass[:max_levels] if rows >= min_rows)
        rare = tuple(sorted(text for text, _ in by_mass[len(common) :]))
        return cls(name, common, rare, int(np.count_nonzero(tally == 1)), int(tally.sum()))

    @classmethod
    def empty(cls, name: str) -> "CategoryCells":
        """Cells of a column without any value in the reference: whatever comes later is unseen."""
        return cls(name, (), (), 0, 0)

    @property
    def k(self) -> int:
        """How many cells, "rest" included."""
        return len(self.levels) + 1

    @property
    def unseen_expected(self) -> float:
        """Share of unseen levels expected without change (Good-Turing)."""
        return self.singletons / self.n_reference if self.n_reference else 0.0

    @property
    def labels(self) -> tuple[str, ...]:
        """What each cell holds, in words for a page."""
        return (*self.levels, "rest")

    def place(self, values: ArrayLike) -> tuple[Ints, Bools, Bools]:
        """Return the cell of each value (k where missing), whether it is out of range (never), whether unseen."""
        texts, codes = _texts(values)
        rest, unseen, missing = self.k - 1, self.k + 1, self.k
        of_text = np.asarray([self._cell_of.get(text, unseen) for text in texts] + [missing], dtype=np.int64)
        cells = of_text[codes]
        new = cells == unseen
        cells[new] = rest
        return cells, np.zeros(cells.size, dtype=np.bool_), new

    @cached_property
    def _cell_of(self) -> dict[str, int]:
        cells = dict.fromkeys(self.rare, len(self.levels))
        return cells | {level: cell for cell, level in enumerate(self.levels)}

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-able mapping."""
        return {
            "kind": self.kind,
            "name": self.name,
            "levels": list(self.levels),
            "rare": list(self.rare),
            "singletons": self.singletons,
            "n_reference": self.n_reference,
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> "CategoryCells":
        """Read what `to_dict` wrote."""
        return cls(
            str(stored["name"]),
            tuple(stored["levels"]),
            tuple(stored["rare"]),
            int(stored["singletons"]),
            int(stored["n_reference"]),
        )


Cells: TypeAlias = NumericCells | CategoryCells


def cells_from_dict(stored: Mapping[str, Any]) -> Cells:
    """Read cells of either kind.

    Raises:
        InvalidInput: If the kind is neither numeric nor category.

    >>> cells_from_dict(NumericCells.of("x", [1, 2]).to_dict()).kind
    'numeric'
    """
    kind = stored.get("kind")
    if kind == NumericCells.kind:
        return NumericCells.from_dict(stored)
    if kind == CategoryCells.kind:
        return CategoryCells.from_dict(stored)
    raise InvalidInput(f"Stored cells are of kind {kind!r}.", hint="Known kinds: numeric, category.")


def _texts(values: ArrayLike) -> tuple[list[str], Ints]:
    """Return the distinct values as text and each row's number among them (-1 where missing)."""
    # A list of texts and NaN would become an array of texts with the level "nan".
    array: npt.NDArray[Any] = np.asarray(values, dtype=None if hasattr(values, "dtype") else object)
    if array.ndim != 1:
        raise InvalidInput(f"Levels have {array.ndim} dimensions; 1 is needed.", hint="Pass one column at a time.")
    if array.dtype.kind in "biuf":
        uniques, inverse = np.unique(array, return_inverse=True)
        keys: list[Any] = uniques.tolist()
        rows = inverse.astype(np.int64, copy=False)
    else:
        items = array.tolist()
        # Nothing here runs Python for each row, neither does `_numbered`.
        alike = len(set(map(type, items)) - {str, type(None)}) < 2
        typed = items if alike else list(zip(map(type, items), items, strict=True))  # keeps True, 1 and 1.0 apart
        try:
            rows, distinct = _numbered(typed)
        except TypeError as error:
            raise InvalidInput(f"Levels cannot be compared: {error}.", hint="Use texts or numbers.") from error
        keys = distinct if alike else [key for _, key in distinct]
    found: dict[str, int] = {}
    to_text = [-1 if _is_missing(key) else found.setdefault(_text(key), len(found)) for key in keys]
    codes: Ints = np.asarray(to_text, dtype=np.int64)[rows] if keys else rows
    return list(found), codes


def _numbered(keys: list[Any]) -> tuple[Ints, list[Any]]:
    """Each row's number among the distinct keys, which come in the order in which they appear.

    One dictionary look-up a row is 20 times faster than sorting texts.
    """
    first_row: dict[Any, int] = {}
    first: Ints = np.fromiter(map(first_row.setdefault, keys, itertools.count()), dtype=np.int64, count=len(keys))
    number: Ints = np.zeros(len(keys), dtype=np.int64)
    number[list(first_row.values())] = np.arange(len(first_row))
    return number[first], list(first_row)


def _is_missing(value: object) -> bool:
    if value is None:
        return True
    # NaN and NaT differ from themselves; pandas' NA answers neither yes nor no.
    same: Any = value == value
    return not isinstance(same, bool | np.bool_) or not bool(same)


def _text(value: object) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
