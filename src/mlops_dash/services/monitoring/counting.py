"""Where does a window of N rows end? At a row's place in the order of time and id, which stays once it is known.

A window is named by the place of the first row that it can have (`Mark`), so its name says what later rows are its own:
whoever comes late for its time joins it, and no other window changes. The rows of one that has become twice as large,
by many late rows, are cut again. All that is kept are the names in `profile_batch`.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from mlops_dash.stats.arrays import Ints
from mlops_dash.store.monitoring.profiles import Held

Ids = npt.NDArray[Any]  # object[rows], text


class Mark(NamedTuple):
    """A place in the order of rows: those of this time with this id or a larger one, and all later ones, lie after."""

    at_us: int
    id: str

    @property
    def name(self) -> str:
        """As a window that begins here is called in the store."""
        return f"{self.at_us} {self.id}"


FIRST: Final = Mark(-(2**63), "")


def mark_of(name: str) -> Mark:
    """The place that a window is named by.

    >>> mark_of(Mark(7, "a b").name)
    Mark(at_us=7, id='a b')
    """
    at, _, row = name.partition(" ")
    return Mark(int(at), row)


@dataclass(frozen=True)
class Cut:
    """A window that has too many rows, and the first hour in which it must be cut.

    Attributes:
        window: Its mark.
        hour_us: The hour.
        before: How many of its rows lie in earlier hours.
        most: Up to which of its rows it may be cut: one that is over keeps a last part of N rows or more.
    """

    window: Mark
    hour_us: int
    before: int
    most: int


def marks_of(held: Sequence[Held], every: int) -> list[Mark]:
    """Where windows begin, in order; after a last one that is full the next begins with the first later time."""
    marks = sorted({FIRST, *(mark_of(one.batch) for one in held)})
    last = [one for one in held if one.batch == marks[-1].name]
    if sum(one.n for one in last) >= every:
        marks.append(Mark(max(one.last_us for one in last) + 1, ""))
    return marks


def place(at: Ints, ids: Ids, marks: Sequence[Mark]) -> Ints:
    """Of each row the window (its place in `marks`) it is of.

    >>> place(np.asarray([1, 5, 5, 9]), np.asarray(["d", "a", "c", "a"]), [FIRST, Mark(5, "b")]).tolist()
    [0, 0, 1, 1]
    """
    begins = np.asarray([mark.at_us for mark in marks], dtype=np.int64)
    found: Ints = np.searchsorted(begins, at, side="right").astype(np.int64) - 1
    for row in np.flatnonzero(begins[found] == at).tolist():  # of one instant the id decides
        found[row] = bisect_right(marks, (int(at[row]), str(ids[row]))) - 1
    return found


def cuts(at: Ints, ids: Ids, *, before: int, every: int, most: int | None = None) -> list[Mark]:
    """Where rows of one window are cut, so that each part has `every` rows.

    Args:
        at: int64[rows], times of rows of the window in microseconds.
        ids: Their ids.
        before: How many of its rows come before all of these.
        every: Rows of a window.
        most: How many rows of the window the parts up to the last cut may have; None = all.

    >>> cuts(np.asarray([9, 5, 5]), np.asarray(["a", "c", "b"]), before=1, every=2)
    [Mark(at_us=5, id='c')]
    """
    order = np.lexsort((ids.astype(str), at)) if len(at) else np.zeros(0, dtype=np.int64)
    first = -before % every or (0 if before else every)
    places = range(first, len(at), every)
    return [Mark(int(at[order[one]]), str(ids[order[one]])) for one in places if most is None or before + one <= most]


def open_before(held: Sequence[Held], marks: Sequence[Mark], hours: Sequence[int]) -> int | None:
    """How many rows the last window has before these hours; None where rows of it lie in later ones."""
    last = [one for one in held if one.batch == marks[-1].name and one.hour_us not in hours]
    if any(one.hour_us > hours[0] for one in last):
        return None
    return sum(one.n for one in last)


def too_large(held: Sequence[Held], every: int) -> Cut | None:
    """The first window with more rows than it may have: the last one N, one that is over less than twice N."""
    windows: dict[str, list[Held]] = {}
    for one in sorted(held, key=lambda one: one.hour_us):
        windows.setdefault(one.batch, []).append(one)
    last = max(windows, key=mark_of, default="")
    for name, pieces in windows.items():
        n = sum(one.n for one in pieces)
        if n < 2 * every and (name != last or n <= every):
            continue
        before = 0
        for one in pieces:
            if before + one.n > every:
                most = n - 1 if name == last else n - every
                return Cut(mark_of(name), one.hour_us, before, most)
            before += one.n
    return None
