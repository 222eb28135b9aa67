"""Predictions over HTTP, a thousand a request: the gateway as it runs, asked by four connections that stay open.

    python -m mlops_dash.bench.ingest_http HOME FILE TOKEN

HOME has the model, FILE its rows, TOKEN is of its service account. What the requests are made of is made before.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pandas as pd
import psutil

from mlops_dash.bench.gateway import running, wait_for
from mlops_dash.bench.http_load import each, request
from mlops_dash.bootstrap import build
from mlops_dash.ports import free_port
from mlops_dash.settings import from_environment
from mlops_dash.store.db import reading
from mlops_dash.store.prediction_log import counts

CONNECTIONS: Final = 4
A_REQUEST: Final = 1_000
MODEL: Final = "rides"
_ROLES: Final = ("scored_at", "ride", "minutes", "took")
_FIRST_PORT: Final = 8691


def measure(home: Path, file: Path, token: str) -> dict[str, float]:
    """Send every row; gives how many are in the log, in how many seconds, and the gateway's largest memory in MiB."""
    keep = {name: value for name, value in os.environ.items() if not name.startswith(("MLOPS_DASH_", "MLFLOW_"))}
    port = free_port(_FIRST_PORT)
    environment = {
        **keep, "MLOPS_DASH_HOME": str(home), "MLOPS_DASH_GATEWAY_PORT": str(port),
        "MLFLOW_TRACKING_URI": f"sqlite:///{home / 'mlflow.db'}",
    }  # fmt: skip
    requests = tuple(request("/v1/predictions", body, token=token) for body in _bodies(file))
    command = [sys.executable, "-m", "mlops_dash.gateway"]
    with running("the gateway", command, home, environment) as process:
        wait_for(f"http://127.0.0.1:{port}/ping", "The gateway")
        load = asyncio.run(each(port, requests, connections=CONNECTIONS))
        peak = _peak_mib(process)
    services = build(from_environment(environment))
    try:
        with reading(services.context.databases.log) as session:
            kept = counts(session, MODEL).predictions
    finally:
        services.close()
    return {"predictions": kept, "seconds": load.seconds, "peak_mib": peak}


def _bodies(file: Path) -> Iterator[bytes]:
    rides = pd.read_parquet(file)
    inputs = [name for name in rides if name not in _ROLES]
    at = rides["scored_at"].map(pd.Timestamp.isoformat)
    for first in range(0, len(rides), A_REQUEST):
        part = rides.iloc[first : first + A_REQUEST]
        features = part[inputs].to_dict("records")
        roles = zip(at.iloc[first : first + A_REQUEST], part["ride"], part["minutes"], features, strict=True)
        rows = [
            {
                "prediction_id": ride,
                "at": when,
                "version": "1",
                "score": minutes,
                "features": {name: None if value != value else value for name, value in own.items()},
            }
            for when, ride, minutes, own in roles
        ]
        yield json.dumps({"model": MODEL, "predictions": rows}).encode()


def _peak_mib(process: int) -> float:
    """The high-water mark of a process and all that it started; of what is resident now where no mark is kept."""
    tree = [psutil.Process(process), *psutil.Process(process).children(recursive=True)]
    return sum(_high_water(one) for one in tree) / (1 << 20)


def _high_water(process: psutil.Process) -> int:
    try:
        status = Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8")
    except OSError:
        return int(process.memory_info().rss)
    return next(int(line.split()[1]) << 10 for line in status.splitlines() if line.startswith("VmHWM"))


if __name__ == "__main__":
    print(json.dumps(measure(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])))
