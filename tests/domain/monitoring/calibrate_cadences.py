"""How often is a model of several classes that did not get worse called harmed, and how soon one that did, by cadence?

    python -m tests.domain.monitoring.calibrate_cadences [runs]

Prints the table of the docs. Rows of a window share its swing: the recall of all classes is moved together, by an
amount drawn anew for every window (`swing`), or for so many windows of N rows that come on one day (`together`), and,
of hours, by the hour of the day (`cycle`). All of it goes through the
task's own counting and the policy's own reference, as `services/monitoring/judging.py` uses them.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mlops_dash.domain.monitoring.judging import harm_baseline
from mlops_dash.domain.policies import MonitoringPolicy
from mlops_dash.domain.tasks import MULTICLASS
from mlops_dash.domain.tasks.multiclass import ClassCounts, MultiClass
from mlops_dash.stats.classes import shares_and_recalls
from mlops_dash.stats.sequential import harm_alarm

SHARES, RECALLS = (0.6, 0.3, 0.1), (0.85, 0.8, 0.75)
DROP = 0.10  # points of recall, of every class
NAMES = ("cat", "dog", 'the "other"')


@dataclass(frozen=True)
class Case:
    """One row of the table.

    Attributes:
        window: The cadence.
        k: Reference windows.
        rows: Rows of a window.
        looks: Windows without a change in which no alarm may be raised.
        within: Windows in which the drop should be found.
        power: Share of drops that must be found within them.
        is_promised: False where windows swing more than few of them can tell: below 4 half the tolerance stands for it.
    """

    window: str
    k: int
    rows: int
    looks: int
    within: int
    swing: float = 0.0
    cycle: float = 0.0
    together: int = 1
    power: float = 0.9
    is_promised: bool = True


_FEW = {4: 0.3, 12: 0.7}  # power where the swing is large and reference windows are few
CASES = (
    *(Case("day", k, 300, 200, 30, swing=swing) for k in (28, 56) for swing in (0.0, 0.03)),
    *(Case("week", k, 500, 104, 13, swing=swing, power=_FEW.get(k, 0.9)) for k in (4, 12, 52) for swing in (0.0, 0.03)),
    *(Case("batch:run_id", k, 500, 104, 13, swing=swing, power=_FEW.get(k, 0.9), is_promised=k > 3 or swing < 0.03)
      for k, swing in ((3, 0.0), (3, 0.01), (3, 0.03), (12, 0.0), (12, 0.03), (52, 0.0), (52, 0.03))),
    *(Case("hour", k, 80, 1_440, 72, swing=swing, cycle=cycle)
      for k in (168, 672) for swing, cycle in ((0.0, 0.0), (0.03, 0.0), (0.0, 0.03))),
    *(Case("rows:500", k, 500, 104, 13, swing=swing, together=together, power=0.7 if together > 1 else _FEW.get(k, 0.9))
      for k, swing, together in ((12, 0.0, 1), (12, 0.03, 1), (52, 0.0, 1), (52, 0.03, 1), (52, 0.03, 4))),
)  # fmt: skip


@dataclass(frozen=True)
class Found:
    """Of so many runs: how many were alarmed falsely, found in time, and after how many windows (median; inf: not)."""

    false: float
    found: float
    median: float


def parts(rng: np.random.Generator, case: Case, n: int, *, drop: float = 0.0) -> list[ClassCounts]:
    """So many windows, each with the answers to its rows counted by true class."""
    drawn = np.repeat(rng.standard_normal(-(-n // case.together)), case.together)[:n]
    swing = case.swing * drawn + case.cycle * np.sin(2 * np.pi * np.arange(n) / 24)
    recall = np.clip(np.asarray(RECALLS) - drop + swing[:, None], 0.01, 0.99)
    of_class = rng.multinomial(case.rows, SHARES, size=n)
    right = rng.binomial(of_class, recall)
    tables = np.zeros((n, 3, 3), dtype=np.int64)
    for true in range(3):
        first, second = (other for other in range(3) if other != true)
        tables[:, true, true] = right[:, true]
        tables[:, true, first] = rng.binomial(of_class[:, true] - right[:, true], 0.5)
        tables[:, true, second] = of_class[:, true] - right[:, true] - tables[:, true, first]
    return [ClassCounts(table) for table in tables]


def alarm_after(past: Sequence[ClassCounts], live: Sequence[ClassCounts], case: Case) -> float:
    """After how many windows harm was alarmed; infinite when it was not."""
    policy = MonitoringPolicy(window=case.window, primary="accuracy")
    shares, recalls = shares_and_recalls(sum((one.table for one in past), np.zeros((3, 3), dtype=np.int64)))
    task = MultiClass(NAMES, shares, recalls)
    assert task.name == MULTICLASS.name
    first = np.inf
    for watch in task.harm_watches:
        before, after = (
            task.units(watch, held, prior=max(shares), min_labels=policy.harm_min_unit_labels) for held in (past, live)
        )
        normal = harm_baseline(policy, task, watch, before)
        state = harm_alarm(normal, after)
        if state.alarm_index is not None:
            first = min(first, after[state.alarm_index].last + 1)
    return float(first)


def measure(case: Case, *, runs: int, seed: int) -> Found:
    """Draw a reference and what comes after it, without a change and with the drop from the first window on."""
    rng = np.random.default_rng([seed, case.k, case.rows, case.looks])
    false, delays = 0, []
    for _ in range(runs):
        past = parts(rng, case, case.k)
        false += np.isfinite(alarm_after(past, parts(rng, case, case.looks), case))
        delays.append(alarm_after(past, parts(rng, case, case.within, drop=DROP), case))
    return Found(false / runs, float(np.mean(np.isfinite(delays))), float(np.median(delays)))


def said(case: Case) -> str:
    """A case in a line.

    >>> said(Case("week", 4, 500, 104, 13, swing=.03))
    'week, 4 in the reference, 500 rows, swing 3 points'
    """
    by = case.window.partition(":")[0]
    swing = f"cycle {case.cycle:.0%}" if case.cycle else f"swing {case.swing:.0%}"
    swing += f", {case.together} windows a day" if case.together > 1 else ""
    return f"{by}, {case.k} in the reference, {case.rows} rows, {swing.replace('%', ' points')}"


if __name__ == "__main__":
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 400
    print(f"{runs} runs (of hours half): false (windows), a drop of {DROP:.0%} found (within), median windows")
    for case in CASES:
        found = measure(case, runs=runs // 2 if case.window == "hour" else runs, seed=1)
        told = f"{found.false:6.1%} ({case.looks:,}) {found.found:6.1%} ({case.within}) {found.median:5g}"
        print(f"{said(case):<56} {told}", flush=True)
