"""Reading runs: our SQL on MLflow's tables beside MLflow's own `search_runs`, in one process, on one store."""

from __future__ import annotations

import resource
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import numpy as np

from mlops_dash.store.experiments.mlflow_runs import MlflowDatabase
from mlops_dash.tracking.experiments.search import MlflowRuns

EXPERIMENT: Final = "0"  # MLflow's Default, which every store has
_FIRST_MS: Final = 1_700_000_000_000
_CURVES, _STEPS = 100, 1_000


@dataclass(frozen=True)
class Timing:
    """One line of the bench: medians in seconds."""

    name: str
    n: int
    ours_s: float
    peer: str
    peer_s: float
    ratio: float
    peak_mib: float  # of this process when ours had run once


def measure(n: int, *, repeats: int, tell: Callable[[str], None]) -> tuple[Timing, ...]:
    """Make a store of n runs (20 parameters, 20 metrics, 5 tags) and read it in turn by both.

    The client returns entities and we a frame of columns; both hold every parameter, last metric and tag.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mlflow.db"
        client = MlflowRuns(f"sqlite:///{path}")
        client.reachable()  # makes the schema, by MLflow itself
        tell(f"Filling a store with {n:,} runs")
        ids = fill(path, n)
        add_curves(path, ids[:_CURVES])
        ours = MlflowDatabase(f"sqlite:///{path}")
        tell("Reading it")
        frame = _timed(
            "frame of all runs", n, lambda: ours.frame([EXPERIMENT]),
            lambda: client.frame([EXPERIMENT], most=None), repeats,
        )  # fmt: skip
        curves = _timed(
            "histories", min(n, _CURVES) * _STEPS, lambda: ours.histories(ids[:_CURVES], ["m00"]),
            lambda: client.histories(ids[:_CURVES], ["m00"]), repeats,
        )  # fmt: skip
    return frame, curves


def lines(found: Sequence[Timing]) -> str:
    """The timings as a small table."""
    made = [f"{'':<20}{'n':>9}{'ours s':>9}{'client s':>10}{'ratio':>8}{'MiB':>7}"]
    made += [
        f"{one.name:<20}{one.n:>9,}{one.ours_s:>9.3f}{one.peer_s:>10.3f}{one.ratio:>8.1f}{one.peak_mib:>7.0f}"
        for one in found
    ]
    return "\n".join(made)


def as_json(found: Sequence[Timing]) -> list[dict[str, Any]]:
    """The timings as plain data."""
    return [asdict(one) for one in found]


def _timed(name: str, n: int, ours: Callable[[], object], peer: Callable[[], object], repeats: int) -> Timing:
    mine, theirs, peak = [], [], 0.0
    for _ in range(repeats):
        mine.append(_seconds(ours))
        peak = peak or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        theirs.append(_seconds(peer))
    ours_s, peer_s = statistics.median(mine), statistics.median(theirs)
    return Timing(name, n, ours_s, "mlflow client", peer_s, peer_s / ours_s, peak)


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def fill(path: Path, n: int, *, seed: int = 7) -> list[str]:
    """Insert n runs with 20 parameters, 20 metrics and 5 tags into a store that MLflow made; gives their ids.

    Ten thousand runs take about 4 s; MLflow's client would take many minutes. Every fiftieth run failed; five seeds
    make one configuration.
    """
    rng = np.random.default_rng(seed)
    ids = [UUID(bytes=rng.bytes(16)).hex for _ in range(n)]
    values = rng.normal(size=(n, 20)).round(6)
    starts = [_FIRST_MS + i * 1000 for i in range(n)]
    with sqlite3.connect(path) as store:
        store.executemany(
            "INSERT INTO runs (run_uuid, name, source_type, source_name, entry_point_name, user_id, status, start_time,"
            " end_time, source_version, lifecycle_stage, artifact_uri, experiment_id)"
            " VALUES (?, ?, 'UNKNOWN', '', '', 'bench', ?, ?, ?, '', 'active', '', 0)",
            [
                (one, f"run-{i}", "FAILED" if i % 50 == 7 else "FINISHED", starts[i], starts[i] + 90_000)
                for i, one in enumerate(ids)
            ],
        )
        store.executemany(
            "INSERT INTO params (key, value, run_uuid) VALUES (?, ?, ?)",
            (
                ("seed" if k == 0 else f"p{k:02d}", str(i % 5 if k == 0 else (i // 5) % (k + 2)), one)
                for i, one in enumerate(ids)
                for k in range(20)
            ),
        )
        store.executemany(
            "INSERT INTO latest_metrics (key, value, timestamp, step, is_nan, run_uuid) VALUES (?, ?, ?, 0, 0, ?)",
            ((f"m{k:02d}", values[i, k], starts[i], one) for i, one in enumerate(ids) for k in range(20)),
        )
        store.executemany(
            "INSERT INTO tags (key, value, run_uuid) VALUES (?, ?, ?)",
            (
                ("mlflow.runName", f"run-{i}", one) if k == 0 else (f"t{k}", f"t{k}-{i % 7}", one)
                for i, one in enumerate(ids)
                for k in range(5)
            ),
        )
    store.close()
    return ids


def add_curves(path: Path, ids: Sequence[str], *, steps: int = _STEPS) -> None:
    """Insert a history of the metric m00 for some runs."""
    with sqlite3.connect(path) as store:
        store.executemany(
            "INSERT INTO metrics (key, value, timestamp, run_uuid, step, is_nan) VALUES ('m00', ?, ?, ?, ?, 0)",
            ((1 - 1 / (step + 1) - at / 1000, _FIRST_MS + step, one, step)
             for at, one in enumerate(ids) for step in range(steps)),
        )  # fmt: skip
    store.close()
