"""Drift of two files, each side a process of its own: `mlops-dash drift` in turn with rivals in their environments.

A rival is a Python that has it installed; what it is asked stands in `RIVALS`. All read the same two parquet files and
print how many columns they judged, so that a rival that skips columns is seen.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from mlops_dash.errors import InvalidInput, Unavailable

NUMBERS, WORDS = 20, 10  # columns
OURS: Final = "mlops-dash drift"
_GROUP = 250_000  # rows of one row group
_EVIDENTLY = """
import sys
import pandas as pd
from evidently import Report
from evidently.presets import DataDriftPreset
reference, current = (pd.read_parquet(one) for one in sys.argv[1:3])
snapshot = Report([DataDriftPreset()]).run(current, reference)
snapshot.dict()
print(reference.shape[1])
"""
_ALIBI = """
import sys
import numpy as np
import pandas as pd
from alibi_detect.cd import TabularDrift
reference, current = (pd.read_parquet(one) for one in sys.argv[1:3])
words = [at for at, kind in enumerate(reference.dtypes) if kind == object or str(kind) in ("str", "string", "category")]
for at in words:
    name = reference.columns[at]
    codes = {value: code for code, value in enumerate(pd.concat([reference[name], current[name]]).unique())}
    reference[name], current[name] = reference[name].map(codes), current[name].map(codes)
detector = TabularDrift(
    reference.to_numpy(dtype=np.float32), p_val=0.05, categories_per_feature={at: None for at in words}
)
found = detector.predict(current.to_numpy(dtype=np.float32), drift_type="feature")
print(len(found["data"]["is_drift"]))
"""
RIVALS: Final[Mapping[str, tuple[str, str]]] = {
    "evidently": ("Evidently DataDriftPreset", _EVIDENTLY),
    "alibi": ("alibi-detect TabularDrift", _ALIBI),
}


@dataclass(frozen=True)
class Timing:
    """One line of the bench: seconds of the whole process, import included, and its largest resident memory."""

    name: str
    rows: int  # of each file
    columns: int  # that it judged
    seconds: float  # median
    fastest: float
    slowest: float
    peak_mib: float
    ratio: float  # its median against ours


def measure(rows: int, *, rivals: Mapping[str, Path], repeats: int, tell: Callable[[str], None]) -> tuple[Timing, ...]:
    """Make two files of `rows` rows and let everybody judge them, in turn, so that all meet the same machine.

    Args:
        rows: Of each of the two files.
        rivals: Key of `RIVALS` -> the Python that has it installed.
        repeats: How often each side runs; medians are kept.
        tell: Is told what happens.

    Raises:
        InvalidInput: a rival that is not known.
        Unavailable: one that cannot run.
    """
    unknown = [name for name in rivals if name not in RIVALS]
    if unknown:
        raise InvalidInput(f"{unknown[0]} is no rival that is known here.", hint=f"Known: {', '.join(RIVALS)}.")
    for name, python in rivals.items():
        if not os.access(python, os.X_OK):
            raise Unavailable(f"{RIVALS[name][0]} cannot be started.", hint=f"{python} is no program.")
    ours = [sys.executable, "-c", "import sys; from mlops_dash.cli import main; sys.exit(main(sys.argv[1:]))"]
    commands = {OURS: [*ours, "drift", "--json"]}
    commands |= {RIVALS[name][0]: [str(python), "-c", RIVALS[name][1]] for name, python in rivals.items()}
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / f"{name}.parquet" for name in ("reference", "current")]
        tell(f"Writing two files of {rows:,} rows, {NUMBERS} columns of numbers and {WORDS} of words")
        for number, file in enumerate(files):
            write_apart("drift", file, rows, seed=number)
        taken: dict[str, list[tuple[float, float, int]]] = {name: [] for name in commands}
        for turn in range(1, repeats + 1):
            for name, command in commands.items():
                tell(f"Turn {turn} of {repeats}: {name}")
                taken[name].append(_run(name, [*command, *map(str, files)]))
    base = statistics.median(seconds for seconds, _, _ in taken[OURS])
    return tuple(_timing(name, rows, runs, base) for name, runs in taken.items())


def write_apart(module: str, path: Path, rows: int, *, seed: int) -> None:
    """Let `write` of a bench make its file in a process of its own.

    A process that is started inherits the high-water mark of the memory of the one that starts it, so the one that
    starts the sides must stay small.
    """
    code = f"import sys; from pathlib import Path; from mlops_dash.bench.{module} import write; "
    call = "write(Path(sys.argv[1]), int(sys.argv[2]), seed=int(sys.argv[3])); print('written')"
    run_process("the writer of the file", [sys.executable, "-c", code + call, str(path), str(rows), str(seed)])


def write(path: Path, rows: int, *, seed: int) -> None:
    """Write a file of 20 columns of numbers and 10 of words, row group by row group; two columns differ by the seed."""
    rng = np.random.default_rng(seed)
    writer: pq.ParquetWriter | None = None
    for first in range(0, rows, _GROUP):
        n = min(_GROUP, rows - first)
        columns: dict[str, Any] = {}
        for at in range(NUMBERS):
            shift = 0.05 * seed if at == 0 else 0.0
            columns[f"number_{at:02d}"] = rng.normal(shift, 1 + at / 10, n) if at % 2 else rng.exponential(1 + shift, n)
        for at in range(WORDS):
            kinds = np.array([f"kind {one}" for one in range(3 + 4 * at)], dtype=object)
            weights = np.arange(1, len(kinds) + 1, dtype=float) ** (-1 + (0.05 * seed if at == 0 else 0.0))
            places = rng.choice(len(kinds), n, p=weights / weights.sum())
            columns[f"word_{at:02d}"] = kinds[places]
        table = pa.table(columns)
        if writer is None:
            writer = pq.ParquetWriter(path, table.schema)
        writer.write_table(table)
    if writer is not None:
        writer.close()


def lines(found: Sequence[Timing]) -> str:
    """The timings as a small table."""
    head = f"{'':<28}{'rows':>11}{'columns':>9}{'s':>8}{'range':>16}{'peak MiB':>10}{'x ours':>8}"
    return "\n".join(
        [
            head,
            *(
                f"{one.name:<28}{one.rows:>11,}{one.columns:>9}{one.seconds:>8.2f}"
                f"{f'{one.fastest:.2f}-{one.slowest:.2f}':>16}{one.peak_mib:>10,.0f}{one.ratio:>8.1f}"
                for one in found
            ),
        ]
    )


def as_json(found: Sequence[Timing]) -> list[dict[str, Any]]:
    """The timings as plain data."""
    return [asdict(one) for one in found]


def _run(name: str, command: Sequence[str]) -> tuple[float, float, int]:
    """Seconds, MiB and columns of one process."""
    seconds, peak, answer = run_process(name, command)
    return seconds, peak, len(json.loads(answer)["features"]) if name == OURS else int(answer.split()[-1])


def run_process(name: str, command: Sequence[str]) -> tuple[float, float, str]:
    """Run a side as a process of its own.

    Returns:
        Seconds of the whole process, its largest resident memory in MiB, and what it printed.

    Raises:
        Unavailable: it failed.
    """
    with tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as complained:
        began = time.perf_counter()
        process = subprocess.Popen(command, stdout=said, stderr=complained, stdin=subprocess.DEVNULL)
        _, status, used = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        complained.seek(0)
        if process.returncode != 0:
            last = complained.read().decode(errors="replace").strip().splitlines()[-1:]
            raise Unavailable(f"{name} ended with {process.returncode}.", hint=" ".join(last))
        answer = said.read().decode()
    peak = used.ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10)
    return seconds, peak, answer


def _timing(name: str, rows: int, runs: Sequence[tuple[float, float, int]], base: float) -> Timing:
    seconds = [one for one, _, _ in runs]
    median = statistics.median(seconds)
    return Timing(
        name, rows, runs[0][2], median, min(seconds), max(seconds), max(peak for _, peak, _ in runs), median / base
    )
