"""Import MLflow: late, because it takes seconds, quietly, and in one thread at a time.

MLflow's package imports itself in circles. Two threads that import it for the first time at once get half of it
("partially initialized module 'mlflow'"), and everything that asks MLflow from then on fails.
"""

from __future__ import annotations

import importlib
import os
import threading
import warnings
from typing import Final

QUIET: Final = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "_MLFLOW_TELEMETRY_PRE_WARM_DATABRICKS_SDK": "false",
}
PATIENCE: Final = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2", "MLFLOW_HTTP_REQUEST_TIMEOUT": "30"}
_BASE: Final = ("mlflow", "mlflow.tracking", "mlflow.exceptions")
_one_at_a_time = threading.RLock()


def mlflow_ready(*names: str) -> None:
    """Import MLflow and the modules `names`, or wait until another thread has done so."""
    with _one_at_a_time, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecations inside MLflow's own imports
        for name, value in {**QUIET, **PATIENCE}.items():
            os.environ.setdefault(name, value)
        for name in (*_BASE, *names):
            importlib.import_module(name)


def warm_up() -> None:
    """Import what loading a model needs, so that the first promotion does not wait for it (2 to 5 s)."""
    mlflow_ready("mlflow.artifacts", "mlflow.pyfunc", "mlflow.sklearn", "skops.io", "sklearn.ensemble")
