"""How much room a text takes where nobody knows the reader's fonts: rather too much, so that it fits in all."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence
from functools import lru_cache

LINE = 1.2  # height of a line, in sizes of its font
_THIN = set("iljtfrI.,:;'|!()[] ")
_WIDE = set("mMW%@→—…")
_MOST_SHARE = 0.5


def width_of(text: str, size: float, *, bold: bool = False) -> float:
    """How wide a line is at most, in points."""
    return sum(map(_em, text)) * size * (1.08 if bold else 1.0)


@lru_cache(maxsize=4096)
def _em(sign: str) -> float:
    if unicodedata.east_asian_width(sign) in "WF":
        return 1.05
    if sign in _THIN:
        return 0.42
    if sign in _WIDE:
        return 1.0
    return 0.84 if sign.isupper() or sign == "w" else 0.64


def lines_of(text: str, size: float, across: float, *, bold: bool = False) -> int:
    """How many lines a text takes between words; a word that is wider than a line is broken."""
    lines, used, blank = 1, 0.0, width_of(" ", size, bold=bold)
    for word in text.split():
        # East Asian text has no blanks and breaks anywhere: so does a long word
        wide = width_of(word, size, bold=bold)
        if used and used + blank + wide <= across:
            used += blank + wide
            continue
        if used:
            lines += 1
        over = max(0.0, wide - across)
        step = max(across - size, size / 2)  # a broken line wastes up to one sign
        lines += math.ceil(over / step)
        used = min(wide, across)
    return lines


def height_of(text: str, size: float, across: float, *, bold: bool = False) -> float:
    """How high a text is, in points."""
    return lines_of(text, size, across, bold=bold) * size * LINE


def fitted(text: str, across: float, high: float, sizes: Sequence[int], *, bold: bool = False) -> tuple[str, int]:
    """The text with the first of the sizes at which it fits; at the last it is cut where it does not."""
    for size in sizes:
        if height_of(text, size, across, bold=bold) <= high:
            return text, size
    return cut(text, sizes[-1], across, high, bold=bold), sizes[-1]


def cut(text: str, size: float, across: float, high: float, *, bold: bool = False) -> str:
    """As much of the text as fits, with "…" where something is missing.

    >>> cut("a b c", 10, 1000, 12), cut("word " * 99, 10, 60, 12)
    ('a b c', 'word wor…')
    """
    if height_of(text, size, across, bold=bold) <= high:
        return text
    low, top = 0, len(text)
    while low < top:
        middle = (low + top + 1) // 2
        fits = height_of(f"{text[:middle].rstrip()}…", size, across, bold=bold) <= high
        low, top = (middle, top) if fits else (low, middle - 1)
    return f"{text[:low].rstrip()}…"


def shares(rows: Sequence[Sequence[str]], size: float, across: float, *, pad: float) -> list[float]:
    """How wide the columns of a table are: by their longest words first, what is left by how much stands in them.

    Args:
        rows: Texts; the first are the heads, which are bold.
        size: Of the font.
        across: Of the whole table, in points.
        pad: To each side of a cell.
    """
    columns = [[(text, row == 0) for row, text in enumerate(column)] for column in zip(*rows, strict=True)]
    least = [
        2 * pad + min(_MOST_SHARE * across, max(_longest(text, size, bold=bold) for text, bold in column))
        for column in columns
    ]
    if sum(least) >= across:
        return [across * one / sum(least) for one in least]
    wanted = [2 * pad + max(width_of(text, size, bold=bold) for text, bold in column) for column in columns]
    missing = [max(0.0, want - have) for want, have in zip(wanted, least, strict=True)]
    left = min(across - sum(least), sum(missing))
    return [have + (left * one / sum(missing) if left else 0.0) for have, one in zip(least, missing, strict=True)]


def _longest(text: str, size: float, *, bold: bool) -> float:
    return max((width_of(word, size, bold=bold) for word in text.split()), default=0.0)
