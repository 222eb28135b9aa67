"""How often is a model that tells the probability of every class called harmed falsely, and is lost calibration found?

    python -m tests.domain.monitoring.calibrate_log_loss [runs]

Prints the table of the docs. A row has a signal of three numbers, that of its true class raised by `MARGIN`; the model
tells the exact probability of every class. Rows of a window share its swing: the margin is moved by an amount drawn
anew for every window. `shifted` changes the shares of the classes in service, which is no harm. What is harm: from the
first window on the model is surer than it may be, each log-odds times `SURER`. The most probable class stays the same,
so no answer is wrong that was right, and only the log-loss can see it. All of it goes through the task's own counting
and the policy's own reference, as `services/monitoring/judging.py` uses them.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mlops_dash.domain.monitoring.judging import harm_baseline
from mlops_dash.domain.policies import MonitoringPolicy
from mlops_dash.domain.tasks.multiclass import LOSS_AT_SHARES, MultiClass
from mlops_dash.domain.tasks.summaries import Summary
from mlops_dash.stats.arrays import Floats
from mlops_dash.stats.losses import LOG_LOSS_CLIP
from mlops_dash.stats.sequential import harm_alarm

NAMES = ("cat", "dog", 'the "other"')
SHARES, SHIFTED = (0.6, 0.3, 0.1), (0.4, 0.35, 0.25)
MARGIN, SURER = 2.0, 3.0


@dataclass(frozen=True)
class Case:
    """One row of the table.

    Attributes:
        window: The cadence.
        k: Reference windows.
        rows: Rows of a window.
        looks: Windows without a change in which no alarm may be raised.
        within: Windows in which lost calibration should be found.
        swing: Standard deviation of the margin between windows.
        shifted: Whether the classes have other shares in service.
        power: Share of lost calibrations that must be found within them.
    """

    window: str
    k: int
    rows: int
    looks: int
    within: int
    swing: float = 0.0
    shifted: bool = False
    power: float = 0.9


# Power as measured with 200 runs: few reference windows double the tolerance and leave much unknown of the usual swing.
CASES = (
    Case("day", 28, 300, 200, 30),
    Case("day", 28, 300, 200, 30, swing=0.1, power=0.75),
    Case("day", 28, 300, 200, 30, swing=0.1, shifted=True, power=0.75),
    Case("day", 56, 300, 200, 30),
    Case("day", 56, 300, 200, 30, swing=0.1),
    Case("week", 4, 500, 104, 13, power=0.0),
    Case("week", 4, 500, 104, 13, swing=0.1, power=0.05),
    Case("week", 12, 500, 104, 13, power=0.55),
    Case("week", 12, 500, 104, 13, swing=0.1, power=0.35),
    Case("week", 52, 500, 104, 13, power=0.9),
    Case("week", 52, 500, 104, 13, swing=0.1, power=0.65),
    Case("batch:run_id", 3, 500, 104, 13, power=0.45),
    Case("batch:run_id", 12, 500, 104, 13, swing=0.1, power=0.35),
    Case("batch:run_id", 52, 500, 104, 13, swing=0.1, power=0.65),
    Case("rows:500", 52, 500, 104, 13, swing=0.1, power=0.65),
    Case("hour", 168, 80, 720, 72, power=0.85),
    Case("hour", 168, 80, 720, 72, swing=0.1, power=0.85),
)


@dataclass(frozen=True)
class Found:
    """Of so many runs.

    Attributes:
        false: Share in which one of the two losses was alarmed though nothing harmful happened.
        found: Share in which the log-loss was alarmed in time after calibration was lost.
        by_answers: Share of these in which the answered classes alone would have raised it.
        median: Windows until then; infinite where half of them were not found.
        worse: How much higher the log-loss was, as a share.
    """

    false: float
    found: float
    by_answers: float
    median: float
    worse: float


@dataclass(frozen=True)
class Drawn:
    """Rows of some windows."""

    labels: Floats
    p: Floats
    groups: np.ndarray[tuple[int], np.dtype[np.int64]]
    n: int

    @property
    def answers(self) -> Floats:
        """The most probable class of each row."""
        return self.p.argmax(axis=1).astype(np.float64)

    def counted(self, task: MultiClass, scale: dict[str, object]) -> tuple[Summary, ...]:
        """As they are kept, a summary a window."""
        return task.count(
            scale, self.labels, self.answers, self.groups, n_groups=self.n, clip=LOG_LOSS_CLIP, probabilities=self.p
        )


def rows(
    rng: np.random.Generator, case: Case, n: int, *, surer: float = 1.0, shares: Sequence[float] = SHARES
) -> Drawn:
    """So many windows."""
    groups = np.repeat(np.arange(n), case.rows)
    labels = rng.choice(len(SHARES), groups.size, p=shares)
    margin = MARGIN + case.swing * rng.standard_normal(n)
    signal = rng.standard_normal((groups.size, len(SHARES)))
    signal[np.arange(groups.size), labels] += margin[groups]
    logs = surer * (np.log(SHARES) + MARGIN * signal)
    odds = np.exp(logs - logs.max(axis=1, keepdims=True))
    return Drawn(labels.astype(np.float64), odds / odds.sum(axis=1, keepdims=True), groups, n)


def alarms_after(past: Drawn, live: Drawn, case: Case) -> dict[str, float]:
    """After how many windows each harm watch was alarmed; infinite when it was not."""
    policy = MonitoringPolicy(window=case.window, primary="accuracy")
    bare = MultiClass(NAMES)
    scale = bare.scale_of(past.answers, past.labels, past.p, clip=LOG_LOSS_CLIP)
    task = bare.of(scale)
    assert LOSS_AT_SHARES in task.harm_watches
    before, after = past.counted(task, scale), live.counted(task, scale)
    found = {}
    for watch in task.harm_watches:
        normal_units, units = (
            task.units(watch, held, prior=0.6, min_labels=policy.harm_min_unit_labels) for held in (before, after)
        )
        state = harm_alarm(harm_baseline(policy, task, watch, normal_units), units)
        found[watch.key] = np.inf if state.alarm_index is None else float(units[state.alarm_index].last + 1)
    return found


def measure(case: Case, *, runs: int, seed: int) -> Found:
    """Draw a reference and what comes after it, without harm and with lost calibration from the first window on."""
    rng = np.random.default_rng([seed, case.k, case.rows, case.looks])
    false, delays, others, worse = 0, [], 0, []
    for _ in range(runs):
        past = rows(rng, case, case.k)
        calm = rows(rng, case, case.looks, shares=SHIFTED if case.shifted else SHARES)
        false += min(alarms_after(past, calm, case).values()) < np.inf
        surer = rows(rng, case, case.within, surer=SURER)
        after = alarms_after(past, surer, case)
        delays.append(after.pop(LOSS_AT_SHARES.key))
        others += min(after.values()) < np.inf
        worse.append(_loss(surer) / _loss(past) - 1.0)
    return Found(
        false / runs,
        float(np.mean(np.isfinite(delays))),
        others / runs,
        float(np.median(delays)),
        float(np.mean(worse)),
    )


def _loss(drawn: Drawn) -> float:
    said = drawn.p[np.arange(drawn.labels.size), drawn.labels.astype(np.int64)]
    return float(np.minimum(-np.log(np.maximum(said, 1e-9)), LOG_LOSS_CLIP).mean())


def said(case: Case) -> str:
    """A case in a line.

    >>> said(Case("week", 4, 500, 104, 13, swing=.1))
    'week, 4 in the reference, 500 rows, swing .1'
    """
    by = case.window.partition(":")[0]
    shifted = ", other shares" if case.shifted else ""
    return f"{by}, {case.k} in the reference, {case.rows} rows, swing {f'{case.swing:g}'.lstrip('0') or '0'}{shifted}"


if __name__ == "__main__":
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    print(f"{runs} runs (of hours half): false (windows), lost calibration found (within), by answers, median windows")
    for case in CASES:
        found = measure(case, runs=runs // 2 if case.window == "hour" else runs, seed=1)
        told = f"{found.false:6.1%} ({case.looks:,}) {found.found:6.1%} ({case.within}) {found.by_answers:6.1%}"
        print(f"{said(case):<60} {told} {found.median:5g}  loss +{found.worse:.0%}", flush=True)
