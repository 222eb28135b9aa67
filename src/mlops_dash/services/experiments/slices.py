"""Why better: the difference by slice of the kept rows, and the rows that flipped between two models."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import numpy as np
import pandas as pd

from mlops_dash.domain.evidence import Direction
from mlops_dash.domain.experiments import why as domain
from mlops_dash.domain.experiments.comparison import ALPHA, Design, Side
from mlops_dash.domain.experiments.comparison_words import digits_of, signed
from mlops_dash.domain.experiments.frame import Bools, Floats, Ints
from mlops_dash.domain.experiments.why import FLIPS_PAGE, Flip, FlipRoom, SlicePart, WhyRoom
from mlops_dash.services.experiments.comparison import Rows
from mlops_dash.services.experiments.rows import Aligned
from mlops_dash.services.tables import names_of
from mlops_dash.stats.families import holm
from mlops_dash.stats.run_comparison import RunDifference, mcnemar, of_rows, right_rows
from mlops_dash.stats.run_slices import slice_parts

_MOST_SLICES: Final = 12
_MOST_VALUES: Final = 12  # a number with more values is cut into quarters
_LEVEL: Final = 0.95
_REST: Final = "all others"
_MISSING: Final = "missing"


def why_better(
    a: Side, b: Side, rows: Rows, *, metric: str, direction: Direction | None, design: Design, column: str
) -> WhyRoom:
    """Decompose the difference of a pair over the slices of one column.

    Args:
        a: The first side.
        b: The side it is compared with.
        rows: Their kept rows, or why there are none.
        metric: The run metric's name.
        direction: Which way is better.
        design: What the runs share: whether the spread over seeds counts.
        column: Of the rows; an unknown one gives the first.
    """
    kept = rows.aligned
    if kept is None:
        return WhyRoom(a.label, b.label, metric, direction, why_not=rows.why_not)
    if not kept.columns:
        return WhyRoom(a.label, b.label, metric, direction, why_not="the rows hold no column to slice by")
    chosen = column if column in kept.columns else first_column(kept)
    names, codes = slices_of(kept.frame[chosen])
    alone = design is not Design.SEEDS_ROWS
    whole = difference(kept, a, b, rows.metric, models_only=alone)
    parts = slice_parts(
        rows.metric, kept.labels, kept.of(a.ids), kept.of(b.ids), codes, len(names), _days(kept), keys_a=a.keys,
        keys_b=b.keys, models_only=alone,
    )  # fmt: skip
    low, high = parts.interval(_LEVEL)
    clear = [p < ALPHA for p in holm([float(one) for one in parts.p_values()])]
    made = tuple(
        SlicePart(
            name, int(parts.n[at]), int(parts.n[at]) / len(kept.frame), float(parts.value[at]), float(low[at]),
            float(high[at]), float(parts.value_a[at]), float(parts.value_b[at]), clear[at],
        )
        for at, name in enumerate(names)
    )  # fmt: skip
    ends = whole.interval(_LEVEL)
    digits = digits_of([whole.error, *parts.error.tolist()])
    real = math.isfinite(ends[0]) and ends[0] * ends[1] > 0
    return WhyRoom(
        a.label, b.label, metric, direction, kept.columns, chosen, whole.value, ends[0], ends[1], made, digits,
        domain.finding(made, chosen, metric, whole.value, real=real, digits=digits), _how(rows.metric, kept),
    )  # fmt: skip


def first_column(kept: Aligned) -> str:
    """The column shown first: the one with the fewest values that is not the day."""
    told = [one for one in kept.columns if one not in {"day", "date"}] or list(kept.columns)
    return min(told, key=lambda one: (kept.frame[one].nunique() < 2, kept.frame[one].nunique()))


def _how(metric: str, kept: Aligned) -> str:
    credit = (
        "each row of a pair of a positive and a negative gets half of the pair's credit; " if metric == "auc" else ""
    )
    doubt = "days are the unit of doubt" if kept.day is not None else "rows are taken as independent"
    return f"The parts sum to the whole; {credit}95 % intervals, {doubt}; Holm over the slices decides which are clear"


def _days(kept: Aligned) -> list[str] | None:
    return None if kept.day is None else list(kept.day)


def difference(kept: Aligned, a: Side, b: Side, metric: str, *, models_only: bool) -> RunDifference:
    """The whole difference of two sides on their kept rows."""
    return of_rows(
        metric, kept.labels, kept.of(a.ids), kept.of(b.ids), _days(kept), keys_a=a.keys, keys_b=b.keys,
        models_only=models_only,
    )  # fmt: skip


def slices_of(column: pd.Series) -> tuple[list[str], Ints]:
    """Names and codes: levels by size, those beyond the largest twelve together; numbers with many values in quarters.

    Numbers keep their order.
    """
    numbers = column.dtype.kind in {"f", "i", "u"}
    if numbers and column.nunique() > _MOST_VALUES:
        return _quarters(column)
    texts = told(column)
    sizes = texts.value_counts()
    largest = list(sizes.index if len(sizes) <= _MOST_SLICES else sizes.index[: _MOST_SLICES - 1])
    names = sorted(largest, key=_natural) if numbers else largest
    if len(sizes) > len(names):
        rest = _unlike(_REST, texts)
        texts = texts.where(texts.isin(names), rest)
        names = [*names, rest]
    place = {name: at for at, name in enumerate(names)}
    return names, texts.map(place).to_numpy(dtype=np.int64)


def told(column: pd.Series) -> pd.Series:
    """A column's values as text; the empty ones as a word that no value has."""
    texts = names_of(column)
    return texts.where(texts.notna(), _unlike(_MISSING, texts))


def _unlike(word: str, texts: pd.Series) -> str:
    """The word, in brackets where a value is called so."""
    while (texts == word).any():
        word = f"({word})"
    return word


def _natural(text: str) -> tuple[float, str]:
    try:
        return float(text), text
    except ValueError:
        return math.inf, text


def _quarters(column: pd.Series) -> tuple[list[str], Ints]:
    values = column.to_numpy(dtype=np.float64, na_value=np.nan)
    edges = np.unique(np.nanquantile(values, [0.25, 0.5, 0.75]))
    codes = np.searchsorted(edges, values, side="left").astype(np.int64)
    ends = [f"up to {edges[0]:.4g}", *(f"{a:.4g} to {b:.4g}" for a, b in pairwise(edges)),
            f"over {edges[-1]:.4g}"]  # fmt: skip
    missing = np.isnan(values)
    codes[missing] = len(ends)
    names = [*ends, _MISSING] if missing.any() else ends
    present, codes = np.unique(codes, return_inverse=True)
    return [names[int(at)] for at in present], codes.astype(np.int64)


# --- rows that flipped ------------------------------------------------------------------------------------------------


def pairs_of_runs(a: Side, b: Side) -> dict[str, tuple[str, str]]:
    """Which two models may be held against each other: equal seeds first, else the runs in their order."""
    shared = [key for key in a.keys if key is not None and key in b.keys]
    if shared:
        return {str(key): (a.ids[a.keys.index(key)], b.ids[b.keys.index(key)]) for key in dict.fromkeys(shared)}
    pairs = zip(a.ids, b.ids, strict=False)
    return {f"run {number}": pair for number, pair in enumerate(pairs, start=1)}


def flipped(
    a: Side, b: Side, rows: Rows, *, seed: str, which: Flip, threshold: float, column: str, value: str, page: int
) -> FlipRoom:
    """Rows that one model decides rightly and the other wrongly, the largest change first.

    Args:
        a: The first side.
        b: The side it is compared with.
        rows: Their kept rows, or why there are none.
        seed: Which two models, of `pairs_of_runs`; an unknown one gives the first.
        which: Rows that only A, or only B, gets right (of a regression: is closer on).
        threshold: A score from which on label 1 is decided; where scores have one.
        column: Narrow the list to one value of this column; "" = all.
        value: That value.
        page: From 1.
    """
    kept = rows.aligned
    if kept is None:
        return FlipRoom(a.label, b.label, why_not=rows.why_not)
    pairs = pairs_of_runs(a, b)
    chosen = seed if seed in pairs else next(iter(pairs))
    run_a, run_b = pairs[chosen]
    first, second = kept.scores[run_a], kept.scores[run_b]
    if not kept.kind.decides:
        only = _closer(kept, first, second)
        counts = (0, int(only[0].sum()), int(only[1].sum()), 0)
    else:
        cut = threshold if kept.kind.has_threshold else 0.5
        right = [right_rows(kept.labels, one, threshold=cut) for one in (first, second)]
        only = (right[0] & ~right[1], right[1] & ~right[0])
        counts = (int((right[0] & right[1]).sum()), int(only[0].sum()), int(only[1].sum()),
                  int((~right[0] & ~right[1]).sum()))  # fmt: skip
    listed = only[0] if which is Flip.ONLY_A else only[1]
    columns, values = _narrowing(kept, listed)
    if column in values and value in values[column]:
        listed = listed & (told(kept.frame[column]) == value).to_numpy()
    shown, n_pages, page = _page(kept, (run_a, run_b), listed, page)
    said, how = _flip_words(a, b, kept, (first, second), counts, threshold)
    return FlipRoom(
        a.label, b.label, tuple(pairs), chosen, kept.kind, threshold, *counts, which=which, rows=shown,
        n=int(listed.sum()), page=page, n_pages=n_pages, columns=columns, values=values, sentence=said, how=how,
    )  # fmt: skip


def _closer(kept: Aligned, first: Floats, second: Floats) -> tuple[Bools, Bools]:
    gain = np.abs(second - kept.labels) - np.abs(first - kept.labels)
    return gain > 0, gain < 0


def _narrowing(kept: Aligned, listed: Bools) -> tuple[tuple[str, ...], dict[str, tuple[str, ...]]]:
    found = {}
    for name in kept.columns:
        texts = told(kept.frame[name])[listed]
        if 1 < texts.nunique() <= 60:
            found[name] = tuple(str(one) for one in texts.value_counts().index)
    return tuple(found), found


def _page(kept: Aligned, runs: Sequence[str], listed: Bools, page: int) -> tuple[pd.DataFrame, int, int]:
    change = np.abs(kept.scores[runs[0]] - kept.scores[runs[1]])
    if not kept.kind.decides:
        change = np.abs(np.abs(kept.scores[runs[0]] - kept.labels) - np.abs(kept.scores[runs[1]] - kept.labels))
    at = np.flatnonzero(listed)
    at = at[np.argsort(-change[at], kind="stable")]
    n_pages = max(1, math.ceil(len(at) / FLIPS_PAGE))
    page = min(max(1, page), n_pages)
    at = at[(page - 1) * FLIPS_PAGE : page * FLIPS_PAGE]
    rows = kept.frame.iloc[at]
    said = [kept.said[one].iloc[at].to_numpy() if kept.said else kept.scores[one][at] for one in runs]
    label = rows["said_label"] if "said_label" in rows else rows["label"]
    made = pd.DataFrame({"row_id": rows["row_id"], "label": label, "A": said[0], "B": said[1]})
    return made.join(rows[list(kept.columns)]).reset_index(drop=True), n_pages, page


def _flip_words(
    a: Side, b: Side, kept: Aligned, scores: tuple[Floats, Floats], counts: tuple[int, int, int, int], threshold: float
) -> tuple[str, str]:
    _, only_a, only_b, _ = counts
    if not kept.kind.decides:
        return (
            f"{a.label} is closer on {only_a:,} rows, {b.label} on {only_b:,}",
            "A row counts for the model with the smaller absolute error",
        )
    right = np.array(
        [[right_rows(kept.labels, one, threshold=threshold if kept.kind.has_threshold else 0.5)] for one in scores]
    )
    found = of_rows(
        "accuracy", np.ones(len(kept.frame)), right[0].astype(float), right[1].astype(float), _days(kept),
        keys_a=[None], keys_b=[None], models_only=True,
    )  # fmt: skip
    low, high = found.interval(_LEVEL)
    digits = digits_of([found.error])
    said = f"{only_a:,} rows are right with {a.label} alone, {only_b:,} with {b.label} alone"
    span = f"accuracy {signed(found.value, digits)} [{signed(low, digits)}, {signed(high, digits)}]"
    p = mcnemar(only_a, only_b)
    test = f"McNemar mid-p {p:.3f}" if p >= 0.001 else "McNemar mid-p < 0.001"
    if kept.day is None:
        return said, f"{span}; {test}, rows taken as independent"
    return said, f"{span}, days left out in turn; {test} would take rows of a day as independent"
