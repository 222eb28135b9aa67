"""`demo --yours`: a team's own models come in by the doors that everybody has, each line printed as it is typed.

`demo --play-week`: the demo of the flights goes on for seven days, as by the button on Overview.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import time
from pathlib import Path
from typing import Any

from mlops_dash import bootstrap, cli, errors, log, settings
from mlops_dash.cli import up
from mlops_dash.cli.shared import actor, json_flag, show
from mlops_dash.demo import yours
from mlops_dash.demo.diary import Diary
from mlops_dash.domain.access import system
from mlops_dash.domain.words import JobState
from mlops_dash.ports import free_port
from mlops_dash.settings import LOOPBACK, Settings
from mlops_dash.supervisor import ChildSpec, Supervisor

_MLFLOW_PORT = 5000  # as a team would have it
_FLIGHTS = "data/flights-2013.parquet"
_WORKER_SECONDS = 5.0  # a worker that is there takes a job within half a second


def add_commands(commands: Any) -> None:
    """Register demo."""
    demo = commands.add_parser("demo", help="play the flights' next week, or a team that brings models of its own")
    what = demo.add_mutually_exclusive_group(required=True)
    what.add_argument(
        "--yours", action="store_true",
        help="three models in a plain MLflow, by commands, HTTP and files alone; for the flights' story: up --demo",
    )  # fmt: skip
    what.add_argument(
        "--play-week", action="store_true",
        help="send the next seven days of held-back flights through the gateway of a running up --demo",
    )  # fmt: skip
    demo.add_argument("--build-only", action="store_true", help="with --yours: stop when all is typed")
    json_flag(demo)
    demo.set_defaults(run=lambda given: _play_week(given) if given.play_week else _yours(given))


def _play_week(arguments: argparse.Namespace) -> int:
    """Ask for the week, or join the one that is played, and say each day until it has ended."""
    made = bootstrap.build(up.demo_home(settings.from_environment()))
    who = actor(made)
    job_id = made.held_back.play_week(who)
    said, asked = "", time.monotonic()
    while True:
        job = made.jobs.job(who, job_id)
        if job.finished:
            break
        words = job.progress_text
        if job.state is JobState.QUEUED and not words and time.monotonic() - asked > _WORKER_SECONDS:
            words = "it waits for a worker: mlops-dash up --demo starts one"
        if words and words != said:
            print(words, file=sys.stderr, flush=True)
            said = words
        time.sleep(0.5)
    result = dict(job.result or {})
    if job.state is not JobState.SUCCEEDED:
        raise errors.Conflict(
            f"The week was not played to its end: {job.error}", hint="The same command goes on there."
        )
    words = f"{result['flights']:,} flights sent, the outcome of {result['outcomes']:,} is known"
    show({"job": job_id, **result}, as_json=arguments.json, line=words)
    return 0


def _yours(arguments: argparse.Namespace) -> int:
    made = _home()
    done = made.home / "yours.done"
    diary = Diary(made.home / "yours.json")
    team = made.home / "team"
    if not len(diary) and not done.exists():
        _require_empty(made)
        shutil.rmtree(team, ignore_errors=True)  # broken off while the team trained: it trains anew
    team.mkdir(exist_ok=True)
    mlflow = _team_mlflow(team, free_port(_MLFLOW_PORT))
    os.environ["MLFLOW_TRACKING_URI"] = mlflow.url
    made = up.with_free_ports(settings.from_environment())
    log.configure("supervisor", made.logs)
    supervisor = Supervisor([mlflow, *up.our_children(made)], ready_seconds=300.0)
    problem: list[errors.MlopsDashError] = []

    def ready() -> None:
        if not done.exists():
            try:
                _type(made, team, diary)
            except errors.MlopsDashError as error:
                problem.append(error)
                supervisor.request_stop()
                return
            done.touch()
            diary.forget()
        if arguments.build_only:
            supervisor.request_stop()
            return
        up.welcome(made, who=f"log in as {yours.ADA} (admin) or {yours.BEN} (lead), password: {yours.PASSWORD}")

    code = supervisor.run(on_ready=ready)
    if problem:
        raise problem[0]
    return code


def _type(made: Settings, team: Path, diary: Diary) -> None:
    root = settings.app_root()
    if len(diary):
        print(f"{len(diary)} lines were typed before the break. They stand here again, and it goes on after them.")
    print(f"$ cd {team}")
    print(f"$ export MLOPS_DASH_HOME={made.home} MLFLOW_TRACKING_URI={made.mlflow_uri}")
    print("$ mlops-dash up &", flush=True)
    os.chdir(team)
    typist = yours.Typist(
        run=_run, folder=team, programs=root / "examples", client=root / "client" / "src",
        gateway=f"http://{made.host}:{made.gateway_port}", mlflow=made.mlflow_uri, diary=diary,
    )  # fmt: skip
    yours.play(typist, settings.data_file(_FLIGHTS, made.home).resolve())


def _require_empty(made: Settings) -> None:
    """Nothing of somebody's own may be in the home: the demo's people would stand beside it.

    Raises:
        Conflict: there is.
    """
    if not (made.home / "app.db").exists() and made.database_url.startswith("sqlite"):
        return
    services = bootstrap.build(made)
    try:
        held = [one.name for one in services.registry.models(system("demo"))]
        people = [one.name for one in services.access.users(system("demo"))]
    finally:
        services.close()
    if held or people:
        raise errors.Conflict(
            f"{made.home} holds data already: {', '.join([*held, *people][:3])}.",
            hint="Name an empty folder with MLOPS_DASH_HOME, or leave that variable unset.",
        )


def _run(words: Any) -> int:
    """A command as somebody types it: words that mean nothing end it with a code, as in a shell."""
    try:
        return cli.main(words)
    except SystemExit as ended:
        return int(ended.code or 0)


def _home() -> Settings:
    """A home of its own, apart from real data and from the flights' demo."""
    if os.environ.get("MLFLOW_TRACKING_URI"):
        raise errors.InvalidInput(
            "This demo brings a plain MLflow of its own.", hint="Unset MLFLOW_TRACKING_URI, or use `up` to connect."
        )
    made = settings.from_environment()
    if "MLOPS_DASH_HOME" not in os.environ:
        os.environ["MLOPS_DASH_HOME"] = str(made.home / "yours")
        made = settings.from_environment()
    return made


def _team_mlflow(team: Path, port: int) -> ChildSpec:
    """The server of the team, started as MLflow's own pages say; nothing of ours is in it."""
    words = [
        "server", "--backend-store-uri", "sqlite:///mlflow.db", "--artifacts-destination", "./artifacts",
        "--host", LOOPBACK, "--port", str(port), "--workers", "1",
    ]  # fmt: skip
    url = f"http://{LOOPBACK}:{port}"
    return ChildSpec(
        name="mlflow", argv=(sys.executable, "-m", "mlflow", *words),
        env={**bootstrap.QUIET, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
        url=url, health_url=f"{url}/health", log_path=team / "mlflow.out.log", cwd=team,
    )  # fmt: skip
