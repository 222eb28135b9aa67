"""How is a file that is no program run as one? A notebook, a DVC pipeline, an MLflow project: named, and started.

    train.ipynb                    papermill runs it; the parameters go into its cell tagged `parameters`
    dvc.yaml [STAGE...]            `dvc repro --force`, so that every run trains and leaves its run
    MLproject [ENTRY POINT]        `mlflow.projects.run` in the program's environment, with the parameters it declares

Each tool is a package of the environment in which the program works, not of ours.
Must not: know what is trained.
"""

from __future__ import annotations

import importlib.util
import json
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path, PurePath
from typing import Any, Final

from mlops_dash.errors import InvalidInput
from mlops_dash.training.contract import Request

PROGRESS: Final = re.compile(r"Executing:\s+(\d+)%.*?(\d+/\d+)")  # as papermill writes it, cell by cell
_LOOK_SECONDS: Final = 60.0
_KEPT_SECONDS: Final = 30 * 86_400.0  # of a notebook whose run nobody has
_PROJECT: Final = """
import json, os, sys
import mlflow, yaml
folder, entry, parameters = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
with open(os.path.join(folder, "MLproject"), encoding="utf-8") as text:
    points = (yaml.safe_load(text) or {}).get("entry_points") or {}
known = (points.get(entry) or {}).get("parameters") or {}
experiment = mlflow.set_experiment(os.environ["MLFLOW_EXPERIMENT_NAME"])
tags = json.loads(os.environ["MLFLOW_RUN_CONTEXT"])
run = mlflow.MlflowClient().create_run(experiment.experiment_id, tags=tags)
mlflow.projects.run(folder, entry_point=entry, env_manager="local", run_id=run.info.run_id,
                    parameters={name: value for name, value in parameters.items() if name in known})
"""


def names_file(entry: str) -> bool:
    """Whether a program is a file that a tool runs.

    >>> [names_file(one) for one in ("churn/train.ipynb", "dvc.yaml train", "MLproject", "{python} train.py")]
    [True, True, True, False]
    """
    return bool(_tool(shlex.split(entry)))


def command_of(entry: str, request: Request) -> list[str]:
    """The command line that runs such a file.

    Args:
        entry: The file, and what of it.
        request: What it is told.

    Raises:
        InvalidInput: the file is not there, or the tool is not installed where the program works.
    """
    words = shlex.split(entry)
    tool, python = _tool(words), request.python or sys.executable
    file = Path(request.folder, words[0]).absolute()
    if not file.is_file():
        raise InvalidInput(f"There is no file {words[0]} in {file.parent}.", hint="Name it as it lies on this server.")
    _require(tool, python)
    told = parameters_of(request)
    if tool == "papermill":
        return [
            python, "-m", "papermill", str(file), str(_room_for(executed(request))), "--cwd", str(file.parent),
            "-y", json.dumps(told), "--log-output", "--progress-bar",
        ]  # fmt: skip
    if tool == "dvc":
        return [python, "-m", "dvc", "--cd", str(file.parent), "repro", "--force", *words[1:]]
    return [python, "-c", _PROJECT, str(file.parent), (words[1:] or ["main"])[0], json.dumps(told)]


def parameters_of(request: Request) -> dict[str, Any]:
    """What a notebook or project is given: the recipe's parameters, and the window and model beside them."""
    window = request.window
    said: Mapping[str, Any] = {
        "start": window.start.isoformat(), "end": window.end.isoformat(), "model": request.model
    }  # fmt: skip
    return {**said, **request.parameters}


def executed(request: Request) -> Path:
    """Where a notebook is written as it ran, with its outputs; it goes to its MLflow run, or stays for a month."""
    return Path(request.home or ".", "notebooks", f"{request.job_id}-{request.epoch}.ipynb")


def _room_for(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    for left in path.parent.glob("*.ipynb"):
        with suppress(OSError):
            if time.time() - left.stat().st_mtime > _KEPT_SECONDS:
                left.unlink()
    return path.absolute()


def _tool(words: Sequence[str]) -> str:
    last = PurePath(words[0]).name if words else ""
    if last.endswith(".ipynb"):
        return "papermill" if len(words) == 1 else ""
    if last == "MLproject":
        return "mlflow" if len(words) <= 2 else ""
    return "dvc" if last == "dvc.yaml" else ""


def _require(tool: str, python: str) -> None:
    """Refuse where the tool is not installed in the program's environment."""
    if python == sys.executable:
        there = importlib.util.find_spec(tool) is not None
    else:
        look = f"import importlib.util, sys; sys.exit(importlib.util.find_spec({tool!r}) is None)"
        there = subprocess.run([python, "-c", look], timeout=_LOOK_SECONDS, check=False).returncode == 0
    if not there:
        raise InvalidInput(
            f"{tool} is not installed where this program works.",
            hint=f"Add {tool} to the recipe's requirements file, or install it beside mlops-dash.",
        )
