"""Is the difference between two configurations more than the seed? Only what repeats can support is said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from mlops_dash.domain.experiments.frame import RunFrame
from mlops_dash.domain.experiments.groups import Grouping
from mlops_dash.domain.experiments.room import Column, GroupTable, SeedTest
from mlops_dash.stats.experiments import SeedDifference, seed_difference
from mlops_dash.stats.families import holm

_ALPHA = 0.05
_FEW = 4


def against_baseline(
    runs: RunFrame, grouping: Grouping, groups: GroupTable, columns: Sequence[Column], baseline: str
) -> Mapping[str, Mapping[int, SeedTest]]:
    """Test every shown configuration against the baseline's, Holm over the configurations of the page.

    Returns:
        By metric and group code; empty without a baseline or a replicate key.
    """
    place = runs.places([baseline])
    if not place or not grouping.key:
        return {}
    base = int(grouping.codes[place[0]])
    others = [code for code in groups.order if code != base]
    keys = runs.params[grouping.key].to_numpy(dtype=object)
    rows = {code: np.array(runs.places(groups.members[code]), dtype=np.int64) for code in others}
    rows[base] = np.flatnonzero(grouping.codes == base)
    found: dict[str, dict[int, SeedTest]] = {}
    for column in columns:
        if column.kind != "metrics":
            continue
        values = runs.metrics[column.key].to_numpy()
        made = [
            seed_difference(
                values[rows[code]], values[rows[base]], keys[rows[code]].tolist(), keys[rows[base]].tolist()
            )
            for code in others
        ]
        tested = [at for at, one in enumerate(made) if not one.reason]
        adjusted = dict(zip(tested, holm([made[at].p_value for at in tested]), strict=True))
        found[column.key] = {
            code: _said(made[at], adjusted.get(at, 1.0), len(tested), grouping.key) for at, code in enumerate(others)
        }
    return found


def _said(one: SeedDifference, adjusted: float, n_tests: int, key: str) -> SeedTest:
    if one.reason:
        return SeedTest(False, f"not tested: {one.reason}", tested=False)
    beyond = adjusted < _ALPHA
    how = f"paired t over {one.n_pairs} equal values of {key}" if one.n_pairs else "Welch t"
    many = f", Holm over {n_tests}" if n_tests > 1 else ""
    few = "; few runs" if (one.n_pairs or one.n) <= _FEW else ""
    claim = "differs on this test set beyond seed noise" if beyond else "cannot be told from seed noise"
    span = f"[{_signed(one.low)}, {_signed(one.high)}]"
    return SeedTest(beyond, f"{claim}: {_signed(one.value)} {span}, {how}{many}{few}")


def _signed(value: float) -> str:
    return f"{value:+.3g}".replace("-", "−")
