"""A file of predictions with labels, brought into the log: `mlops-dash ingest` in turn with plain SQLite, and HTTP.

Ours reads, checks and stores each row with its answer and its label, so that the same file twice changes nothing.
The other side makes and checks nothing: it adds rows of the same tables and indexes by one statement a table, five
thousand a transaction, as fast as the database takes them. No such writer can be beaten; the ratio is what checks cost.
Rows of the file also go over HTTP, a thousand a request and without their labels, to the gateway as it runs
(`ingest_http.py`).
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from mlops_dash.bench.drift import run_process, write_apart
from mlops_dash.errors import Unavailable

OURS: Final = "mlops-dash ingest"
PLAIN: Final = "SQLite alone, unchecked"
HTTP: Final = "/v1/predictions by 1,000"
MOST_BY_HTTP: Final = 200_000  # rows: the requests are made, and held, before the first is sent
_HOME = """
import os, sys
os.environ["MLOPS_DASH_HOME"] = sys.argv[1]
from mlops_dash import cli
"""
_BEFORE = (
    _HOME
    + """
code = cli.main(["db", "upgrade"]) or cli.main(
    ["model", "add", "rides", "--source", "external", "--task", "regression", "--reason", "bench"])
raise SystemExit(code)
"""
)
_OURS = (
    _HOME
    + """
raise SystemExit(cli.main(["ingest", sys.argv[2], "--model", "rides", "--version", "1", "--time", "scored_at", "--id",
    "ride", "--prediction", "minutes", "--label", "took", "--json"]))
"""
)
_ACCOUNT = (
    _HOME
    + """
raise SystemExit(cli.main(["service", "add", "kiosk", "--model", "rides", "--reason", "bench"]))
"""
)
_PLAIN = """
import json, sqlite3, sys
log, rows = sqlite3.connect(sys.argv[1] + "/log.db", isolation_level=None), int(sys.argv[2])
log.execute("PRAGMA synchronous=FULL")
features = json.dumps({"fare": 13.25, "km": 8.123456789012345, "lat": 52.123456789, "lon": 13.123456789,
    "passengers": 3, "peak": False, "rain": None, "zone": "zone 12"}, separators=(",", ":"))
for first in range(0, rows, 5_000):
    part = range(first, min(first + 5_000, rows))
    log.execute("BEGIN IMMEDIATE")
    log.executemany("INSERT INTO prediction (model, prediction_id, at_us, batch_id, row_number, entity_key, features) "
        "VALUES ('rides', ?, ?, ?, 0, '', ?)", [(f"ride-{i:09d}", i, f"b-{first:024d}", features) for i in part])
    log.executemany("INSERT INTO score (model, prediction_id, version_id, role, version, at_us, score, scored_at_us) "
        "VALUES ('rides', ?, 'rides-1', 'champion', '1', ?, 12.5, ?)", [(f"ride-{i:09d}", i, i) for i in part])
    log.executemany("INSERT INTO label (model, prediction_id, revision, value, observed_at_us, received_at_us) "
        "VALUES ('rides', ?, 1, 12.5, ?, ?)", [(f"ride-{i:09d}", i, i) for i in part])
    log.execute("COMMIT")
counts = [log.execute(f"SELECT COUNT(*) FROM {name}").fetchone()[0] for name in ("prediction", "label")]
print(json.dumps({"predictions": counts[0], "labels": counts[1]}))
"""


@dataclass(frozen=True)
class Timing:
    """One side: medians over the turns."""

    name: str
    rows: int
    seconds: float  # of the whole process; over HTTP from the first request to the last answer
    rows_a_second: float
    peak_mib: float
    ratio: float | None  # its seconds against those of the database alone; None over HTTP, which has no labels


def measure(rows: int, *, repeats: int, tell: Callable[[str], None]) -> tuple[Timing, ...]:
    """Make a file of `rows` rides and store it in a new home a turn, both ways.

    Args:
        rows: Predictions, each with a label.
        repeats: How often each side runs; medians are kept.
        tell: Is told what happens.

    Raises:
        Unavailable: a side cannot run, or did not store every row.
    """
    taken: dict[str, list[tuple[float, float]]] = {OURS: [], PLAIN: []}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "rides.parquet"
        tell(f"Writing {rows:,} rides")
        write_apart("ingest", file, rows, seed=1)
        for turn in range(1, repeats + 1):
            for name, code, last in ((OURS, _OURS, str(file)), (PLAIN, _PLAIN, str(rows))):
                tell(f"Turn {turn} of {repeats}: {name}")
                with tempfile.TemporaryDirectory() as home:
                    run_process("the new home", [sys.executable, "-c", _BEFORE, home])
                    seconds, peak, said = run_process(name, [sys.executable, "-c", code, home, last])
                stored = json.loads(said)
                if (stored["predictions"], stored["labels"]) != (rows, rows):
                    raise Unavailable(f"{name} stored {stored} of {rows:,} rows.")
                taken[name].append((seconds, peak))
        few = min(rows, MOST_BY_HTTP)
        asked = [_by_http(Path(folder), few, turn=turn, repeats=repeats, tell=tell) for turn in range(1, repeats + 1)]
    base = statistics.median(seconds for seconds, _ in taken[PLAIN])
    sides = [_timing(name, rows, runs, base) for name, runs in taken.items()]
    return (*sides, _timing(HTTP, few, asked, None))


def _by_http(folder: Path, rows: int, *, turn: int, repeats: int, tell: Callable[[str], None]) -> tuple[float, float]:
    file = folder / "sent.parquet"
    if not file.exists():
        write_apart("ingest", file, rows, seed=1)
    tell(f"Turn {turn} of {repeats}: {HTTP}")
    with tempfile.TemporaryDirectory() as home:
        run_process("the new home", [sys.executable, "-c", _BEFORE, home])
        token = run_process("the service account", [sys.executable, "-c", _ACCOUNT, home])[2].strip()
        command = [sys.executable, "-m", "mlops_dash.bench.ingest_http", home, str(file), token]
        found = json.loads(run_process(HTTP, command)[2])
    if found["predictions"] != rows:
        raise Unavailable(f"{HTTP} stored {found['predictions']:,} of {rows:,} rows.")
    return found["seconds"], found["peak_mib"]


def write(path: Path, rows: int, *, seed: int) -> None:
    """Write rides of half a year by time: an id, eight inputs (numbers, words, gaps, truth values), answer, label."""
    rng = np.random.default_rng(seed)
    seconds = np.sort(rng.uniform(0, 180 * 86_400, rows))
    took = rng.gamma(4.0, 5.0, rows)
    pd.DataFrame({
        "scored_at": pd.Timestamp("2026-01-01", tz="UTC") + pd.to_timedelta(seconds, unit="s").round("us"),
        "ride": [f"ride-{number:09d}" for number in range(rows)],
        "minutes": (took + rng.normal(0.0, 3.0, rows)).round(3), "took": took.round(1),
        "km": rng.gamma(2.0, 3.0, rows), "fare": rng.gamma(2.0, 9.0, rows).round(2),
        "passengers": rng.integers(1, 6, rows), "peak": rng.random(rows) < 0.3,
        "rain": np.where(rng.random(rows) < 0.1, np.nan, rng.gamma(1.0, 2.0, rows).round(1)),
        "zone": rng.choice([f"zone {one}" for one in range(40)], rows),
        "lat": rng.normal(52.5, 0.1, rows), "lon": rng.normal(13.4, 0.1, rows),
    }).to_parquet(path)  # fmt: skip


def lines(found: Sequence[Timing]) -> str:
    """The timings as a small table."""
    head = f"{'':<26}{'rows':>12}{'seconds':>10}{'rows/s':>10}{'peak MiB':>10}{'x SQLite':>10}"
    return "\n".join([
        head,
        *(
            f"{one.name:<26}{one.rows:>12,}{one.seconds:>10.1f}{one.rows_a_second:>10,.0f}{one.peak_mib:>10,.0f}"
            f"{'-' if one.ratio is None else f'{one.ratio:.1f}':>10}"
            for one in found
        ),
    ])  # fmt: skip


def as_json(found: Sequence[Timing]) -> list[dict[str, Any]]:
    """The timings as plain data."""
    return [asdict(one) for one in found]


def _timing(name: str, rows: int, runs: Sequence[tuple[float, float]], base: float | None) -> Timing:
    seconds = statistics.median(one for one, _ in runs)
    ratio = None if base is None else seconds / base
    return Timing(name, rows, seconds, rows / seconds, max(peak for _, peak in runs), ratio)
