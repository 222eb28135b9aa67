"""A real sweep: leaves x learning rate x seed on January and February, every run logged to MLflow with its model.

Fitting keeps one core busy and logging waits for the server, so the next run is fitted while the last is logged.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

import pandas as pd

from mlops_dash.bootstrap import Services
from mlops_dash.demo.journal import Journal
from mlops_dash.demo.story import EXPERIMENT
from mlops_dash.tracking.runs import log_fitted
from mlops_dash.training import recipes

_LOGGED = "sweep_logged"


def play(
    services: Services, journal: Journal, flights: pd.DataFrame, *, n_runs: int, tell: Callable[[float, str], None]
) -> None:
    """Fit and log the first `n_runs` runs; those logged by an interrupted start are not made again."""
    uri = services.context.settings.mlflow_uri
    logged = set(journal.noted(_LOGGED) or [])
    asked = [recipe for recipe in islice(recipes.sweep(), n_runs) if recipe.name not in logged]

    def log(fitted: recipes.FittedModel) -> str:
        log_fitted(
            uri, fitted, experiment=EXPERIMENT, register=False, tags={"mlops_dash.sweep": "leaves x rate x seed"}
        )
        return fitted.recipe.name

    with ThreadPoolExecutor(max_workers=1) as pool:
        waiting = []
        for number, recipe in enumerate(asked):
            fitted = recipes.fit(recipe, flights, lambda _done, _of, _text: None)
            waiting.append(pool.submit(log, fitted))
            tell(number / len(asked), f"Training run {number + 1} of {n_runs}: {recipe.name}")
            while waiting and (len(waiting) > 2 or waiting[0].done()):
                logged.add(waiting.pop(0).result())
                journal.note(_LOGGED, sorted(logged))
        for future in waiting:
            logged.add(future.result())
            journal.note(_LOGGED, sorted(logged))
