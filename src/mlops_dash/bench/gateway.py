"""Serving one model: our gateway, which validates and keeps every answer, beside servers that only answer.

All of them run at the same time, each in its own process, and are asked in turn, so that all meet the same machine.
Ours is the real process with its own databases. What the others do less stands in `docs/benchmarks.md`.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import psutil

from mlops_dash.bench.http_load import Load, closed, paced, request
from mlops_dash.bootstrap import build
from mlops_dash.domain.registry.records import CHAMPION, Model, Serving, Version
from mlops_dash.errors import InvalidInput, Unavailable
from mlops_dash.ports import free_port
from mlops_dash.settings import from_environment
from mlops_dash.store import registry
from mlops_dash.store.db import reading, transaction
from mlops_dash.store.prediction_log import counts

NAME: Final = "bench"
OURS: Final = "mlops-dash gateway"
MLFLOW: Final = "mlflow models serve"
BENTO: Final = "BentoML, batching"
RIVALS: Final = {"bentoml": BENTO}
NUMBERS, WORDS = 25, 5  # columns
_BODIES = 400  # different ones
_START_SECONDS = 180.0
_HALF_CONNECTIONS = 32
_FIRST_PORT = 8651
_MODEL = f"""
import sys, warnings
warnings.simplefilter("ignore")
import mlflow.sklearn
import numpy as np
import pandas as pd
from mlflow.models import infer_signature
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OrdinalEncoder
from mlops_dash.tracking.models.loading import TRUSTED_TYPES
rng = np.random.default_rng(0)
rows = pd.DataFrame({{f"number_{{at:02d}}": rng.normal(size=5000) for at in range({NUMBERS})}})
words = [f"word_{{at}}" for at in range({WORDS})]
for name in words:
    rows[name] = rng.choice(np.array(["a", "b", "c", "d"], dtype=object), 5000)
label = (rows["number_00"] + rows["number_01"] * (rows["word_0"] == "a") + rng.normal(size=5000) > 0).astype(int)
encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
columns = ColumnTransformer([("words", encoder, words)], remainder="passthrough")
model = Pipeline([("columns", columns), ("boosting", HistGradientBoostingClassifier(max_iter=100, random_state=0))])
model.fit(rows, label)
mlflow.sklearn.save_model(
    model, sys.argv[1], serialization_format="skops", skops_trusted_types=list(TRUSTED_TYPES),
    signature=infer_signature(rows.head(5), model.predict_proba(rows.head(5))), input_example=rows.head(5),
    pip_requirements=["mlflow"], pyfunc_predict_fn="predict_proba",
)
"""
_BENTO = """
import glob, os
import bentoml
import pandas as pd
import skops.io
@bentoml.service(workers=1, traffic={"timeout": 60}, logging={"access": {"enabled": False}})
class Served:
    def __init__(self):
        (path,) = glob.glob(os.environ["BENCH_MODEL"] + "/*.skops")
        self.model = skops.io.load(path, trusted=skops.io.get_untrusted_types(file=path))
    @bentoml.api(batchable=True, batch_dim=0, max_batch_size=128, max_latency_ms=60000)
    def invocations(self, rows: list[dict]) -> list[list[float]]:
        frame = pd.DataFrame(rows)
        numbers = [name for name in frame if name.startswith("number")]
        return self.model.predict_proba(frame.astype(dict.fromkeys(numbers, float))).tolist()
"""


@dataclass(frozen=True)
class Timing:
    """One line of the bench; medians over the repetitions."""

    name: str
    connections: int  # at once
    rate: float  # answers a second
    slowest: float  # of the repetitions
    fastest: float
    p50_ms: float
    p99_ms: float
    half_load_p99_ms: float  # at half of its own rate with these connections
    cpu_ms: float  # of the server's processes, an answer: hardly moved by what else the machine does
    ratio: float  # our rate against its


@dataclass(frozen=True)
class _Server:
    name: str
    process: int
    port: int
    requests: tuple[bytes, ...]


def measure(
    *,
    connections: Sequence[int],
    rivals: Mapping[str, Path],
    repeats: int,
    seconds: float,
    tell: Callable[[str], None],
    processes: int = 1,
) -> tuple[Timing, ...]:
    """Serve one boosting pipeline by everybody, and ask one row a request.

    Args:
        connections: How many ask at once; each number is a load of its own.
        rivals: Key of `RIVALS` -> the Python that has it installed.
        repeats: How often each is asked; medians are kept.
        seconds: Of one load.
        tell: Is told what happens.
        processes: Of our gateway, behind its one port.

    Raises:
        InvalidInput: a rival that is not known.
        Unavailable: a server does not start, or an answer is missing in our log.
    """
    unknown = [name for name in rivals if name not in RIVALS]
    if unknown:
        raise InvalidInput(f"{unknown[0]} is no rival that is known here.", hint=f"Known: {', '.join(RIVALS)}.")
    for name, python in rivals.items():
        if not os.access(python, os.X_OK):
            raise Unavailable(f"{RIVALS[name]} cannot be started.", hint=f"{python} is no program.")
    with tempfile.TemporaryDirectory() as made, ExitStack() as stack:
        folder = Path(made)
        tell("Fitting a boosting pipeline")
        _run([sys.executable, "-c", _MODEL, str(folder / "model")], folder)
        tell("Starting the servers")
        servers = [stack.enter_context(_ours(folder, processes)), stack.enter_context(_mlflow(folder))]
        if "bentoml" in rivals:
            servers.append(stack.enter_context(_bento(folder, rivals["bentoml"])))
        found = _alternately(servers, connections, repeats, seconds, tell)
        _require_kept(folder, found[OURS])
    base = {many: statistics.median(one.rate for one in taken.full) for many, taken in found[OURS].items()}
    return tuple(
        _timing(server.name, many, found[server.name][many], base[many]) for many in connections for server in servers
    )


def lines(found: Sequence[Timing]) -> str:
    """The timings as a small table."""
    head = (
        f"{'':<22}{'connections':>12}{'requests/s':>12}{'range':>14}{'p50 ms':>9}{'p99 ms':>9}"
        f"{'half load p99':>15}{'CPU ms':>8}{'ours is':>9}"
    )
    return "\n".join(
        [
            head,
            *(
                f"{one.name:<22}{one.connections:>12}{one.rate:>12,.0f}{f'{one.slowest:,.0f}-{one.fastest:,.0f}':>14}"
                f"{one.p50_ms:>9.1f}{one.p99_ms:>9.1f}{one.half_load_p99_ms:>15.1f}{one.cpu_ms:>8.2f}"
                f"{one.ratio:>8.1f}x"
                for one in found
            ),
        ]
    )


def as_json(found: Sequence[Timing]) -> list[dict[str, Any]]:
    """The timings as plain data."""
    return [asdict(one) for one in found]


@dataclass(frozen=True)
class _Taken:
    """What the repetitions of one load found."""

    full: list[Load] = field(default_factory=list)
    half: list[Load] = field(default_factory=list)
    cpu_ms: list[float] = field(default_factory=list)


_Loads = dict[int, _Taken]  # by connections


def _alternately(
    servers: Sequence[_Server], connections: Sequence[int], repeats: int, seconds: float, tell: Callable[[str], None]
) -> dict[str, _Loads]:
    for server in servers:  # whatever is made by the first answers is not measured
        asyncio.run(closed(server.port, server.requests, connections=2, seconds=min(2.0, seconds)))
    found: dict[str, _Loads] = {server.name: {many: _Taken() for many in connections} for server in servers}
    for turn in range(1, repeats + 1):
        for many in connections:
            for server in servers:
                tell(f"Turn {turn} of {repeats}, {many} connections: {server.name}")
                taken, before = found[server.name][many], _cpu_seconds(server.process)
                load = asyncio.run(closed(server.port, server.requests, connections=many, seconds=seconds))
                taken.cpu_ms.append(1000 * (_cpu_seconds(server.process) - before) / len(load.milliseconds))
                taken.full.append(load)
                half = paced(
                    server.port, server.requests, rate=load.rate / 2, connections=_HALF_CONNECTIONS, seconds=seconds
                )
                taken.half.append(asyncio.run(half))
    return found


def _require_kept(folder: Path, loads: _Loads) -> None:
    """Every answer of ours must be in the log: the figures are those of a server that keeps what it says."""
    answered = sum(len(load.milliseconds) for taken in loads.values() for load in (*taken.full, *taken.half))
    services = build(from_environment(_environment(folder)))
    try:
        with reading(services.context.databases.log) as session:
            kept = counts(session, NAME).predictions
    finally:
        services.close()
    if kept < answered:
        raise Unavailable(f"{answered - kept} of {answered} answers are not in the log.", hint="A bug of ours.")


def _cpu_seconds(process: int) -> float:
    """Of a process and all that it started, so far."""
    tree = [psutil.Process(process), *psutil.Process(process).children(recursive=True)]
    times = [one.cpu_times() for one in tree]
    return float(sum(one.user + one.system for one in times))


def _timing(name: str, many: int, taken: _Taken, base: float) -> Timing:
    rates = [one.rate for one in taken.full]
    rate = statistics.median(rates)
    return Timing(
        name, many, rate, min(rates), max(rates),
        statistics.median(one.quantile(0.5) for one in taken.full),
        statistics.median(one.quantile(0.99) for one in taken.full),
        statistics.median(one.quantile(0.99) for one in taken.half),
        statistics.median(taken.cpu_ms),
        base / rate,
    )  # fmt: skip


# --- the servers ------------------------------------------------------------------------------------------------------


def _environment(folder: Path) -> dict[str, str]:
    home = folder / "home"
    keep = {name: value for name, value in os.environ.items() if not name.startswith(("MLOPS_DASH_", "MLFLOW_"))}
    return {
        **keep,
        "MLOPS_DASH_HOME": str(home),
        "MLFLOW_TRACKING_URI": f"sqlite:///{folder / 'mlflow.db'}",
        "MLOPS_DASH_OPEN_INVOCATIONS": "1",
    }


@contextmanager
def _ours(folder: Path, processes: int) -> Iterator[_Server]:
    port = free_port(_FIRST_PORT)
    environment = _environment(folder)
    services = build(from_environment(environment))
    now = datetime.now(UTC)
    try:
        with transaction(services.context.databases.app) as session:
            registry.add_model(session, Model(NAME, "mlflow", NAME, "binary", "1", "bench", 1, (), now))
            registry.add_version(
                session,
                Version(
                    f"{NAME}-1", NAME, "1", 1, run_id="", artifact_digest="", source_uri=str(folder / "model"),
                    training_start=None, training_end=None, data_digest="", recipe="", created_at=now,
                    created_by="bench", note="",
                ),
            )  # fmt: skip
            registry.put_serving(session, Serving(NAME, CHAMPION, f"{NAME}-1", (), 1, "bench", now))
    finally:
        services.close()
    command = [sys.executable, "-m", "mlops_dash.gateway"]
    environment |= {"MLOPS_DASH_GATEWAY_PORT": str(port), "MLOPS_DASH_GATEWAY_PROCESSES": str(processes)}
    with running(OURS, command, folder, environment) as process:
        wait_for(f"http://127.0.0.1:{port}/ping", OURS)
        yield _Server(OURS, process, port, _requests(f"/models/{NAME}/invocations", "dataframe_records"))


@contextmanager
def _mlflow(folder: Path) -> Iterator[_Server]:
    port = free_port(_FIRST_PORT)
    command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", str(folder / "model"), "-p", str(port)]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    with running(MLFLOW, [*command, "--env-manager", "local"], folder, {**os.environ, "PATH": path}) as process:
        wait_for(f"http://127.0.0.1:{port}/ping", MLFLOW)
        yield _Server(MLFLOW, process, port, _requests("/invocations", "dataframe_records"))


@contextmanager
def _bento(folder: Path, python: Path) -> Iterator[_Server]:
    port = free_port(_FIRST_PORT)
    (folder / "bench_service.py").write_text(_BENTO)
    command = [str(python), "-m", "bentoml", "serve", "bench_service:Served", "--host", "127.0.0.1", "-p", str(port)]
    more = {"BENCH_MODEL": str(folder / "model"), "BENTOML_DO_NOT_TRACK": "True", "BENTOML_HOME": str(folder / "bento")}
    with running(BENTO, command, folder, {**os.environ, **more}) as process:
        wait_for(f"http://127.0.0.1:{port}/readyz", BENTO)
        yield _Server(BENTO, process, port, _requests("/invocations", "rows"))


def _requests(path: str, field: str) -> tuple[bytes, ...]:
    """Different rows, one a request; one in twenty lacks a number."""
    rng = np.random.default_rng(1)
    made = []
    for number in range(_BODIES):
        row: dict[str, Any] = {f"number_{at:02d}": float(rng.normal()) for at in range(NUMBERS)}
        row |= {f"word_{at}": str(rng.choice(["a", "b", "c", "d"])) for at in range(WORDS)}
        if number % 20 == 0:
            row["number_07"] = None
        made.append(request(path, json.dumps({field: [row]}).encode()))
    return tuple(made)


@contextmanager
def running(name: str, command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> Iterator[int]:
    """A server as a process group of its own, its log in the folder; gives the process, and ends all of it."""
    with (folder / f"{name.partition(',')[0]}.log").open("wb") as log:
        process = subprocess.Popen(
            command, stdout=log, stderr=log, env=dict(environment), cwd=folder, start_new_session=True
        )
        try:
            yield process.pid
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def wait_for(url: str, name: str) -> None:
    """Until a server answers.

    Raises:
        Unavailable: it does not within three minutes.
    """
    until = time.monotonic() + _START_SECONDS
    last = ""
    while time.monotonic() < until:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                if answer.status == 200:
                    return
        except OSError as error:
            last = str(error)
        time.sleep(0.2)
    raise Unavailable(f"{name} did not start.", hint=last)


def _run(command: Sequence[str], folder: Path) -> None:
    ended = subprocess.run(command, capture_output=True, text=True, cwd=folder, check=False)
    if ended.returncode != 0:
        raise Unavailable("The model could not be made.", hint=" ".join(ended.stderr.strip().splitlines()[-1:]))
