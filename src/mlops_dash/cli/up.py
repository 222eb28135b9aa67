"""`up`: all processes under one supervisor; and each process alone (`ui`, `worker`, `gateway`)."""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

from mlops_dash import bootstrap, demo, errors, log, settings
from mlops_dash.domain.access import system
from mlops_dash.ports import free_port
from mlops_dash.settings import LOOPBACK, Settings
from mlops_dash.supervisor import ChildSpec, Supervisor


def add_commands(commands: Any) -> None:
    """Register up, ui, worker, gateway."""
    up = commands.add_parser("up", help="start everything and supervise it")
    up.add_argument("--demo", action="store_true", help="play the flights of 2013 first")
    up.add_argument("--fast", action="store_true", help="with --demo: about five weeks of traffic")
    up.add_argument("--build-only", action="store_true", help="with --demo: make the demo's data and stop")
    up.set_defaults(run=_up)
    for name in ("ui", "worker", "gateway"):
        alone = commands.add_parser(name, help=f"run the {name} process alone")
        alone.set_defaults(run=_alone)
        if name == "gateway":
            words = "how many share its port, each with the models in memory (MLOPS_DASH_GATEWAY_PROCESSES)"
            alone.add_argument("--processes", metavar="N", help=words)


def _alone(arguments: argparse.Namespace) -> NoReturn:
    if getattr(arguments, "processes", None) is not None:
        os.environ["MLOPS_DASH_GATEWAY_PROCESSES"] = arguments.processes
    made = settings.from_environment()
    spec = next(child for child in our_children(made) if child.name == arguments.command)
    os.chdir(spec.cwd or made.home)
    os.execve(spec.argv[0], list(spec.argv), {**os.environ, **spec.env})


def _up(arguments: argparse.Namespace) -> int:
    made = settings.from_environment()
    if arguments.demo:
        made = demo_home(made)
    made = with_free_ports(made)
    log.configure("supervisor", made.logs)
    if arguments.demo and not _demo_is_built(made):
        code = _build_demo(made, fast=arguments.fast)
        if code:
            return code
    if arguments.build_only:
        return 0
    if not made.mlflow_is_ours:
        print(f"mlflow    {made.mlflow_uri} is yours; nothing of it is started or stopped here")
    children = [_mlflow_child(made)] if made.mlflow_is_ours else []
    return Supervisor([*children, *our_children(made)]).run(on_ready=lambda: welcome(made))


def _demo_is_built(made: Settings) -> bool:
    services = bootstrap.build(made)
    try:
        return demo.is_built(services)
    finally:
        services.close()


def _build_demo(made: Settings, *, fast: bool) -> int:
    """Play the flights with MLflow and the gateway running, then stop both."""
    # MLflow makes its tables for some seconds; meanwhile the flights are read and the first models fitted.
    helpers = Supervisor([replace(_mlflow_child(made), awaited=False), _child(made, "gateway")])
    problem: list[errors.MlopsDashError] = []

    def play() -> None:
        try:
            demo.build(made, fast=fast)
        except errors.MlopsDashError as error:
            problem.append(error)
        helpers.request_stop()

    code = helpers.run(on_ready=play)
    if problem:
        raise problem[0]
    if not code and not _demo_is_built(made):  # Ctrl-C in the middle: the next start goes on from here
        return 130
    return code


def welcome(made: Settings, *, who: str = "") -> None:
    """Say where to look, and by which name; `who` where that is known."""
    ui = f"http://{made.host}:{made.ui_port}"
    services = bootstrap.build(made)
    secret = services.access.create_first_admin_link(system("up"))
    services.close()
    print(f"\nOpen      {ui}")
    if secret:
        print(f"          first administrator, this link works once: {ui}/link/{secret}")
    if who:
        print(f"          {who}")
    elif made.demo:
        print("          log in as viewer, scientist, lead or admin: one click each on the login page")
    print(f"Gateway   http://{made.host}:{made.gateway_port}/docs")
    print(f"MLflow    {made.mlflow_uri}")
    print("Ctrl-C stops everything.", flush=True)


def demo_home(made: Settings) -> Settings:
    """The settings of the flights' demo, which has a home of its own, so that it never mixes with real data."""
    os.environ["MLOPS_DASH_DEMO"] = settings.DEMO_FLAG
    if "MLOPS_DASH_HOME" not in os.environ:
        os.environ["MLOPS_DASH_HOME"] = str(made.home / "demo")
    made = settings.from_environment()
    if not made.mlflow_is_ours:
        raise errors.InvalidInput(
            "The demo brings its own MLflow server.",
            hint="Unset MLFLOW_TRACKING_URI, or use `up` to connect.",
        )
    return made


def with_free_ports(made: Settings) -> Settings:
    """Take the next free ports when the usual ones are taken, and tell the children through the environment."""
    ports: dict[str, int] = {}
    for name in ("ui_port", "gateway_port", "mlflow_port", "worker_port"):
        if name != "mlflow_port" or made.mlflow_is_ours:
            ports[name] = free_port(getattr(made, name), avoid=set(ports.values()))
    for name, port in ports.items():
        os.environ[f"MLOPS_DASH_{name.upper()}"] = str(port)
    if made.mlflow_is_ours:
        os.environ["MLFLOW_TRACKING_URI"] = f"http://{LOOPBACK}:{ports['mlflow_port']}"
        os.environ["MLOPS_DASH_MLFLOW_IS_OURS"] = "1"
        made = replace(made, mlflow_uri=os.environ["MLFLOW_TRACKING_URI"])
    os.environ["MLOPS_DASH_HOME"] = str(made.home)
    return replace(
        made,
        ui_port=ports["ui_port"],
        gateway_port=ports["gateway_port"],
        worker_port=ports["worker_port"],
        mlflow_port=ports.get("mlflow_port", made.mlflow_port),
    )


def _child(made: Settings, name: str) -> ChildSpec:
    return next(child for child in our_children(made) if child.name == name)


def our_children(made: Settings) -> list[ChildSpec]:
    """Gateway, worker and ui of these settings."""
    root = settings.app_root()
    path = os.pathsep.join([str(root), *filter(None, [os.environ.get("PYTHONPATH", "")])])
    env = {"PYTHONPATH": path, "FORWARDED_ALLOW_IPS": ""}  # app/shell/proxies.py decides whom to believe
    streamlit = [
        sys.executable, "-m", "streamlit", "run", str(root / "app" / "asgi.py"),
        "--server.address", made.host, "--server.port", str(made.ui_port),
    ]  # fmt: skip
    return [
        _spec(made, "gateway", [sys.executable, "-m", "mlops_dash.gateway"], made.gateway_port),
        _spec(made, "worker", [sys.executable, "-m", "mlops_dash.worker"], made.worker_port),
        _spec(made, "ui", streamlit, made.ui_port, cwd=root, env=env),
    ]


def _spec(
    made: Settings, name: str, argv: list[str], port: int, *, cwd: Path | None = None, env: dict[str, str] | None = None
) -> ChildSpec:
    url = f"http://{made.host}:{port}"
    return ChildSpec(
        name=name,
        argv=tuple(argv),
        env={**bootstrap.QUIET, **(env or {})},
        url=url,
        health_url=f"{url}/healthz",
        log_path=made.logs / f"{name}.out.log",
        cwd=cwd,
    )


def _mlflow_child(made: Settings) -> ChildSpec:
    """One small MLflow server: one worker, artifacts proxied, no job execution, no telemetry."""
    argv = [
        sys.executable, "-m", "mlops_dash.tracking.server", str(made.home / "mlflow.db"),
        "--artifacts-destination", str(made.home / "artifacts"), "--serve-artifacts",
        "--host", LOOPBACK, "--port", str(made.mlflow_port), "--workers", "1",
    ]  # fmt: skip
    url = f"http://{LOOPBACK}:{made.mlflow_port}"
    return ChildSpec(
        name="mlflow",
        argv=tuple(argv),
        env={**bootstrap.QUIET, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
        url=url,
        health_url=f"{url}/health",
        log_path=made.logs / "mlflow.out.log",
        cwd=made.home,
    )
