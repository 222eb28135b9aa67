"""An experiment of millions of units in a parquet file: `mlops-dash ab` in turn with tea-tasting on DuckDB.

Three metrics at once: a mean with a covariate (CUPED), a share, a ratio. Each side is a process of its own; it says how
long its analysis took without imports, and its three differences, so that a side that computes something else is seen.
"""

from __future__ import annotations

import json
import math
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from mlops_dash.bench.drift import run_process, write_apart
from mlops_dash.errors import Unavailable

OURS: Final = "mlops-dash ab"
RIVAL: Final = "tea-tasting on DuckDB"
SAME: Final = 1e-6  # relative; both sides must have computed the same differences
_GROUP = 1_000_000
_OURS = """
import json, sys, time
from pathlib import Path
from mlops_dash.domain.ab_tests.analysis import Question, several
from mlops_dash.services.ab_file import analyse_file
began = time.perf_counter()
asked = several(Question("arm", "spend"), ["spend", "bought", "paid/visits"], ["spend=before"])
found = analyse_file(Path(sys.argv[1]), asked)
print(json.dumps([time.perf_counter() - began, [one.effects[0].absolute.value for one in found]]))
"""
_THEIRS = """
import json, sys, time
import ibis
import tea_tasting as tt
began = time.perf_counter()
asked = {"spend": tt.Mean("spend", covariate="before"), "bought": tt.Proportion("bought"),
         "rate": tt.RatioOfMeans("paid", "visits")}
found = tt.Experiment(asked, variant="arm").analyze(ibis.duckdb.connect().read_parquet(sys.argv[1]), control="control")
print(json.dumps([time.perf_counter() - began, [found[name].effect_size for name in asked]]))
"""


@dataclass(frozen=True)
class Timing:
    """One side: medians over the turns."""

    name: str
    rows: int
    seconds: float  # of the analysis alone
    whole: float  # of the process, imports included
    peak_mib: float
    ratio: float  # its analysis against ours
    differences: tuple[float, ...]


def measure(rows: int, *, rival: Path | None, repeats: int, tell: Callable[[str], None]) -> tuple[Timing, ...]:
    """Make a file of `rows` units and let both sides read it, in turn, so that they meet the same machine.

    Args:
        rows: Units.
        rival: A Python with tea-tasting and ibis-framework[duckdb]; ours alone without one.
        repeats: How often each side runs; medians are kept.
        tell: Is told what happens.

    Raises:
        Unavailable: a side cannot run, or the two do not find the same differences.
    """
    commands = {OURS: [sys.executable, "-c", _OURS]}
    commands |= {RIVAL: [str(rival), "-c", _THEIRS]} if rival is not None else {}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "units.parquet"
        tell(f"Writing {rows:,} units")
        write_apart("ab", file, rows, seed=1)
        taken: dict[str, list[tuple[float, float, float, tuple[float, ...]]]] = {name: [] for name in commands}
        for turn in range(1, repeats + 1):
            for name, command in commands.items():
                tell(f"Turn {turn} of {repeats}: {name}")
                whole, peak, said = run_process(name, [*command, str(file)])
                seconds, differences = json.loads(said.splitlines()[-1])
                taken[name].append((seconds, whole, peak, tuple(differences)))
    base = statistics.median(run[0] for run in taken[OURS])
    found = tuple(_timing(name, rows, runs, base) for name, runs in taken.items())
    for one in found[1:]:
        if not all(
            math.isclose(a, b, rel_tol=SAME) for a, b in zip(one.differences, found[0].differences, strict=True)
        ):
            raise Unavailable(f"{one.name} found {one.differences}, {OURS} {found[0].differences}.")
    return found


def write(path: Path, rows: int, *, seed: int) -> None:
    """Write units of two arms: a spend that a covariate explains in part, a share, and a ratio, with small effects."""
    rng = np.random.default_rng(seed)
    names = np.array(["control", "new"])
    writer: pq.ParquetWriter | None = None
    for first in range(0, rows, _GROUP):
        n = min(_GROUP, rows - first)
        arm, before, visits = rng.integers(0, 2, n), rng.gamma(2.0, 10.0, n), rng.integers(1, 9, n).astype(float)
        table = pa.table({
            "arm": names[arm], "before": before, "spend": 0.8 * before + rng.gamma(1.0, 5.0, n) + 0.02 * arm,
            "bought": (rng.random(n) < 0.1 + 0.001 * arm).astype(np.int64), "visits": visits,
            "paid": visits * rng.gamma(1.0, 3.0 + 0.01 * arm, n),
        })  # fmt: skip
        if writer is None:
            writer = pq.ParquetWriter(path, table.schema)
        writer.write_table(table)
    if writer is not None:
        writer.close()


def lines(found: Sequence[Timing]) -> str:
    """The timings as a small table."""
    head = f"{'':<24}{'units':>12}{'analysis s':>12}{'process s':>11}{'peak MiB':>10}{'x ours':>8}"
    return "\n".join([
        head,
        *(
            f"{one.name:<24}{one.rows:>12,}{one.seconds:>12.2f}{one.whole:>11.2f}{one.peak_mib:>10,.0f}{one.ratio:>8.1f}"
            for one in found
        ),
    ])  # fmt: skip


def as_json(found: Sequence[Timing]) -> list[dict[str, Any]]:
    """The timings as plain data."""
    return [asdict(one) for one in found]


def _timing(name: str, rows: int, runs: Sequence[tuple[float, float, float, tuple[float, ...]]], base: float) -> Timing:
    seconds, whole = statistics.median(run[0] for run in runs), statistics.median(run[1] for run in runs)
    return Timing(name, rows, seconds, whole, max(run[2] for run in runs), seconds / base, runs[0][3])
