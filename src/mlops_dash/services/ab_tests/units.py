"""Which units of a file may be compared? Those in two arms at once are counted, named and left out."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mlops_dash.errors import InvalidInput
from mlops_dash.stats.arrays import Bools

_MOST_NAMED = 3
_CONTAMINATED = 0.5  # share of the mixing that arms drawn within clusters would show


def in_two_arms(ids: pd.Series, arm: pd.Series) -> pd.Series:
    """The ids of a column that stand in more than one arm, in order."""
    arms = arm.groupby(ids, sort=True).nunique()
    return pd.Series(arms.index[arms > 1])


def leave_out(ids: pd.Series, mixed: pd.Series, what: str, warnings: list[str]) -> Bools:
    """Which rows stay when those of units in two arms leave: nobody knows which arm worked on them.

    Raises:
        InvalidInput: no row would stay.
    """
    kept = (~ids.isin(mixed)).to_numpy(dtype=np.bool_)
    if not kept.any():
        raise InvalidInput(f"Every {what} is in two arms.", hint="Check the columns of --variant and of the units.")
    if len(mixed):
        names = ", ".join(map(str, mixed[:_MOST_NAMED])) + (", …" if len(mixed) > _MOST_NAMED else "")
        word = f"{what} is" if len(mixed) == 1 else f"{what}s are"
        rows = int((~kept).sum())
        warnings.append(f"{len(mixed):,} {word} in two arms ({names}): left out with all {rows:,} rows.")
    return kept


def drawn_whole(clusters: pd.Series, arm: pd.Series) -> bool:
    """Whether clusters were drawn whole, a few of them by mistake into two arms.

    Arms drawn within clusters mix them: a cluster of m rows holds both with probability 1 - sum(share^m). Less than
    half of that mixing is no such draw.
    """
    sizes = clusters.value_counts()
    shares = arm.value_counts(normalize=True).to_numpy()
    expected = float(sum(1.0 - (shares**m).sum() for m in sizes.to_numpy()))
    return len(in_two_arms(clusters, arm)) < _CONTAMINATED * expected
