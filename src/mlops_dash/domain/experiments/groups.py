"""Which runs repeat one configuration? Equal parameters but for the replicate key: seed, fold, ..."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import pandas as pd

from mlops_dash.domain.experiments.frame import Ints, RunFrame, numbers, varies

REPLICATE_KEYS: Final = (
    "seed", "random_state", "random_seed", "rng_seed", "fold", "cv_fold", "repeat", "replicate", "rep", "trial_seed",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Grouping:
    """Runs in groups of repeats.

    Attributes:
        key: The replicate key: what may differ inside a group; "" when none was found.
        by: Parameters that tell groups apart.
        unique: Parameters with another text in every run, set aside.
        codes: The group of each run, in the order of the first run of each group.
        first: Position of the first run of each group.
        why: Why nothing was merged; empty when something was.
    """

    key: str
    by: tuple[str, ...]
    unique: tuple[str, ...]
    codes: Ints
    first: Ints
    why: str = ""

    @property
    def n(self) -> int:
        """How many groups there are."""
        return len(self.first)

    @property
    def sizes(self) -> Ints:
        """Runs of each group."""
        return np.bincount(self.codes, minlength=self.n)


def proposed_key(params: pd.DataFrame) -> str:
    """The parameter that looks like a replicate key, else "".

    >>> proposed_key(pd.DataFrame({"depth": ["3", "3"], "Seed": ["1", "2"]}))
    'Seed'
    >>> proposed_key(pd.DataFrame({"depth": ["3", "3"], "model.random-state": ["1", "2"]}))
    'model.random-state'
    """
    by_name = {str(name).lower(): str(name) for name in params.columns}
    named = [by_name[one] for one in REPLICATE_KEYS if one in by_name]
    inside = [
        name for key in REPLICATE_KEYS for name in map(str, params.columns)
        if re.search(rf"(^|_){key}(_|$)", re.sub(r"[^a-z0-9]+", "_", name.lower()))
    ]  # fmt: skip
    return next((one for one in [*named, *inside] if varies(params[one])), "")


_MIDNIGHT = re.compile(r"(\d{4}-\d\d-\d\d)T00:00:00(?:Z|[+-]\d\d:\d\d)?")


def short_value(value: str) -> str:
    """A parameter's value in a label: a midnight is its day.

    >>> short_value("2013-03-01T00:00:00-05:00"), short_value("0.1")
    ('2013-03-01', '0.1')
    """
    found = _MIDNIGHT.fullmatch(value)
    return found[1] if found is not None else value


def telling(frame: RunFrame, grouping: Grouping, codes: Iterable[int]) -> tuple[str, ...]:
    """The parameters that tell just these groups apart."""
    first = grouping.first[np.array(list(codes), dtype=np.int64)]
    return tuple(name for name in grouping.by if frame.params[name].iloc[first].nunique(dropna=False) > 1)


def enough(frame: RunFrame, grouping: Grouping, codes: Iterable[int]) -> tuple[str, ...]:
    """Of the parameters that tell these groups apart as few as tell all of them: a name without what follows from it.

    Those with the most values come first; a parameter that another one determines adds nothing.
    """
    places = list(codes)
    values = frame.params.iloc[grouping.first[np.array(places, dtype=np.int64)]]
    names = sorted(telling(frame, grouping, places), key=lambda one: -values[one].nunique(dropna=False))
    chosen: list[str] = []
    apart = 1
    for name in names:
        now = len(values[[*chosen, name]].astype(object).drop_duplicates())
        if now > apart:
            chosen, apart = [*chosen, name], now
    return tuple(chosen)


def label(frame: RunFrame, grouping: Grouping, code: int, names: Sequence[str]) -> str:
    """A group by the named parameters: "depth 3 · rate 0.1"; by its first run's name where it has none of them."""
    at = int(grouping.first[code])
    own: dict[str, str | None] = {name: frame.params[name].to_numpy(dtype=object)[at] for name in names}
    said = " · ".join(f"{name} {short_value(str(value))}" for name, value in own.items() if value is not None)
    return said or str(frame.info["run_name"].iat[at]) or str(frame.info["run_id"].iat[at])[:8]


def grouped(frame: RunFrame, key: str | None = None) -> Grouping:
    """Merge runs whose parameters are equal but for the replicate key.

    A run without the key is its own group. Texts unique to every run (an output path, a date) are set aside and named;
    numbers unique to every run are a random search, hence configurations.

    Args:
        frame: The runs.
        key: The replicate key; by default the proposed one; "" for none.
    """
    params = frame.params
    chosen = proposed_key(params) if key is None else key if key in params.columns else ""
    rest = [str(name) for name in params.columns if name != chosen]
    unique = tuple(name for name in rest if _names_the_run(params[name]))
    by = tuple(name for name in rest if name not in unique and varies(params[name]))
    if not chosen:
        alone = np.arange(len(frame), dtype=np.int64)
        return Grouping("", by, unique, alone, alone, _why_none(params.columns))
    codes = _codes([params[name] for name in by], len(frame))
    lacking = params[chosen].isna().to_numpy()
    codes = np.where(lacking, codes.max(initial=0) + 1 + np.arange(len(frame)), codes)
    codes, first = _in_order(codes)
    why = "" if len(first) < len(frame) else _why_alone(len(frame), chosen, by)
    return Grouping(chosen, by, unique, codes, first, why)


def apart(grouping: Grouping, of_run: pd.Series) -> Grouping:
    """The same groups, split where their runs come from different experiments; `of_run` names each run's."""
    codes, first = _in_order(_codes([pd.Series(grouping.codes), of_run], len(of_run)))
    return replace(grouping, codes=codes, first=first)


def _names_the_run(column: pd.Series) -> bool:
    n = int(column.count())
    return n > 2 and n > len(column) / 2 and column.nunique() == n and numbers(column) is None


def _codes(columns: Sequence[pd.Series], n: int) -> Ints:
    codes = np.zeros(n, dtype=np.int64)
    for column in columns:
        found, names = pd.factorize(column, use_na_sentinel=False)
        codes = np.unique(codes * len(names) + found, return_inverse=True)[1].astype(np.int64)
    return codes


def _in_order(codes: Ints) -> tuple[Ints, Ints]:
    """Codes renumbered in the order of their first appearance, and those first positions."""
    _, first, inverse = np.unique(codes, return_index=True, return_inverse=True)
    rank = np.empty(len(first), dtype=np.int64)
    by_first = np.argsort(first)
    rank[by_first] = np.arange(len(first))
    return rank[inverse].astype(np.int64), np.sort(first).astype(np.int64)


def _why_none(names: pd.Index) -> str:
    known = ", ".join(REPLICATE_KEYS[:3])
    return f"No parameter looks like a replicate key ({known}, …)." if len(names) else "These runs have no parameters."


def _why_alone(n: int, key: str, by: tuple[str, ...]) -> str:
    most = ", ".join(by[:3]) + (", …" if len(by) > 3 else "")
    return f"{n:,} groups of one: no two runs differ only in {key}; they also differ in {most}."
