"""A real sweep: leaves x learning rate x seed, every run logged to MLflow with its model.

    python -m mlops_dash.demo.sweep MODE

It touches nothing else of the story, so it runs in a process of its own beside it: `Beside` starts, watches and ends
that process. Fitting keeps a core busy and logging waits for the server: the next run is fitted while one is logged.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import islice

import pandas as pd
from threadpoolctl import threadpool_limits

from mlops_dash.bootstrap import Services, build
from mlops_dash.demo.flights import recipes
from mlops_dash.demo.flights.columns import DATA, load_flights
from mlops_dash.demo.journal import Journal
from mlops_dash.demo.story import EXPERIMENT, STORIES, Story
from mlops_dash.demo.train import wait_for_mlflow
from mlops_dash.errors import MlopsDashError, Unavailable
from mlops_dash.settings import Settings, from_environment
from mlops_dash.settings import data_file as find
from mlops_dash.tracking.experiments.attempts import settle
from mlops_dash.tracking.experiments.runs import log_fitted

_KEY = "demo_sweep"
_BEGUN, _LOGGED = "begun", "logged"
_TAG, _SWEEP = "mlops_dash.sweep", "leaves x rate x seed"


def play(services: Services, story: Story, flights: pd.DataFrame) -> None:
    """Fit and log the story's runs; those logged by an interrupted start are not made again."""
    uri = services.context.settings.mlflow_uri
    journal = Journal(services, _KEY)
    logged = set(journal.noted(_LOGGED) or [])
    if journal.noted(_BEGUN):  # an interrupted start may have logged a run that it could not note
        wait_for_mlflow(services)
        logged |= set(settle(uri, experiment=EXPERIMENT, tag=_TAG, value=_SWEEP))
    journal.note(_LOGGED, sorted(logged))
    journal.note(_BEGUN, True)
    asked = [one for one in islice(recipes.sweep(), story.sweep_runs) if one.name not in logged]

    def log(fitted: recipes.FittedModel) -> None:
        wait_for_mlflow(services)
        log_fitted(uri, fitted, experiment=EXPERIMENT, tags={_TAG: _SWEEP})
        logged.add(fitted.recipe.name)
        journal.note(_LOGGED, sorted(logged))

    with ThreadPoolExecutor(max_workers=1) as pool:
        waiting = []
        for recipe in asked:
            begun = replace(recipe, start=story.sweep_start)
            waiting.append(pool.submit(log, recipes.fit(begun, flights, lambda _done, _of, _text: None)))
            while len(waiting) > 2 or (waiting and waiting[0].done()):
                waiting.pop(0).result()
        for future in waiting:
            future.result()


class Beside:
    """The sweep in a process of its own; it ends with the process that started it, whatever happens to that."""

    def __init__(self, services: Services, story: Story) -> None:
        self._journal = Journal(services, _KEY)
        self._story = story
        self._log = services.context.settings.logs / "sweep.out.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, unless all runs are logged."""
        if self.n_logged() >= self._story.sweep_runs:
            return
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with self._log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "mlops_dash.demo.sweep", self._story.mode],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
            )

    def n_logged(self) -> int:
        """How many runs are in MLflow."""
        return len(self._journal.noted(_LOGGED) or [])

    def wait(self, tell: Callable[[float, str], None]) -> None:
        """Wait for its end.

        Raises:
            Unavailable: it ended before all runs were logged.
        """
        while self._process is not None and self._process.poll() is None:
            done = self.n_logged()
            tell(done / self._story.sweep_runs, f"Waiting for the sweep: {done} of {self._story.sweep_runs} runs")
            time.sleep(0.1)
        if self.n_logged() < self._story.sweep_runs:
            raise Unavailable("The sweep ended early.", hint=f"See {self._log}; the next start goes on from here.")

    def stop(self) -> None:
        """End it, wherever it is."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()


def main(settings: Settings, mode: str) -> int:
    """The process: 0 = all runs are logged."""
    os.nice(5)  # the story goes first; nothing waits for a run of the sweep but the end
    threading.Thread(target=_end_with_parent, daemon=True).start()
    services = build(settings)
    try:
        with threadpool_limits(limits=1):
            play(services, STORIES[mode], load_flights(find(DATA, settings.home)))
    except MlopsDashError as error:
        sys.stderr.write(f"sweep: {error.sentence()}\n")
        return 1
    finally:
        services.close()
    return 0


def _end_with_parent() -> None:
    sys.stdin.buffer.read()  # the pipe closes when the parent ends, by kill -9 too
    os._exit(1)


if __name__ == "__main__":
    raise SystemExit(main(from_environment(), sys.argv[1]))
