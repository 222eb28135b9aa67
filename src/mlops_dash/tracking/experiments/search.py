"""Runs through MLflow's public client: the fall-back where its database cannot be read, and what only a server has.

Much slower than the tables (ten thousand runs take half a minute), so only the newest runs are read, and it says so.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from mlops_dash.domain.calendar import from_ms
from mlops_dash.domain.experiments.frame import INFO, Dataset, RunFrame, from_mlflow
from mlops_dash.domain.experiments.room import Artifact, Experiment
from mlops_dash.errors import NotFound
from mlops_dash.tracking.registry import MlflowRegistry

if TYPE_CHECKING:
    from mlflow.entities import Run

MOST_RUNS: Final = 1_000
_PAGE: Final = 500
CONTEXT: Final = "mlflow.data.context"


@dataclass
class MlflowRuns(MlflowRegistry):
    """Experiments and runs of the MLflow at `uri`."""

    def experiments(self) -> tuple[Experiment, ...]:
        """All experiments that are not deleted, the latest changed first; their runs are not counted.

        Raises:
            Unavailable: MLflow does not answer.
        """
        if self._plain:
            return self._experiments_by_rest()
        found: list[Experiment] = []
        with self._asking("list the experiments") as client:
            token: str | None = None
            while True:
                page = client.search_experiments(
                    max_results=_PAGE, page_token=token, order_by=["last_update_time DESC"]
                )
                found.extend(
                    Experiment(str(one.experiment_id), one.name, None, from_ms(one.last_update_time)) for one in page
                )
                token = page.token
                if not token:
                    return tuple(found)

    def frame(self, experiment_ids: Sequence[str], *, most: int | None = MOST_RUNS) -> RunFrame:
        """The newest runs of the experiments that are not deleted.

        Args:
            experiment_ids: MLflow's ids.
            most: How many at most; None for all.

        Raises:
            Unavailable: MLflow does not answer.
        """
        runs: list[Run] = []
        with self._asking("read the runs") as client:
            token: str | None = None
            while most is None or len(runs) < most:
                size = _PAGE if most is None else min(_PAGE, most - len(runs))
                page = client.search_runs(
                    list(experiment_ids), max_results=size, page_token=token, order_by=["attributes.start_time DESC"]
                )
                runs.extend(page)
                token = page.token
                if not token:
                    break
        return frame_of(runs)

    def experiment_of(self, run_id: str) -> str:
        """The experiment of a run.

        Raises:
            NotFound: MLflow knows no such run.
        """
        what = f"find the run {run_id}"
        if self._plain:
            info = self._ask("GET", "runs/get", {"run_id": run_id}, what)["run"]["info"]
            stage, experiment = info["lifecycle_stage"], info["experiment_id"]
        else:
            with self._asking(what) as client:
                found = client.get_run(run_id)
            stage, experiment = found.info.lifecycle_stage, found.info.experiment_id
        if stage != "active":
            raise NotFound(f"The run {run_id} was deleted.", hint="Restore it in MLflow to see it here.")
        return str(experiment)

    def histories(self, run_ids: Sequence[str], keys: Sequence[str]) -> pd.DataFrame:
        """Every point of some metrics of some runs: columns run_id, key, step, timestamp (ms), value."""
        rows = []
        with self._asking("read the curves") as client:
            for run_id in run_ids:
                for key in keys:
                    rows += [
                        (run_id, key, one.step, one.timestamp, one.value)
                        for one in client.get_metric_history(run_id, key)
                    ]
        made = pd.DataFrame(rows, columns=["run_id", "key", "step", "timestamp", "value"])
        made = made.assign(value=from_mlflow(made["value"].to_numpy(dtype=float)))
        return made.sort_values(["run_id", "key", "step", "timestamp"], kind="stable", ignore_index=True)

    def extremes(self, run_ids: Sequence[str], keys: Sequence[str]) -> pd.DataFrame:
        """Smallest, largest and nearest to 0 in the history of some metrics: columns run_id, key, low, high, near."""
        points = self.histories(run_ids, keys).dropna(subset=["value"])
        points = points.sort_values("value", key=lambda values: values.abs(), kind="stable")
        made = points.groupby(["run_id", "key"], as_index=False)["value"].agg(["min", "max", "first"])
        return made.rename(columns={"min": "low", "max": "high", "first": "near"})

    def _experiments_by_rest(self) -> tuple[Experiment, ...]:
        found: list[Experiment] = []
        token = ""
        while True:
            asked = {"max_results": _PAGE, "order_by": ["last_update_time DESC"], "page_token": token}
            said = self._ask("POST", "experiments/search", asked, "list the experiments")
            for one in said.get("experiments", ()):
                at = one.get("last_update_time")
                made = Experiment(str(one["experiment_id"]), str(one["name"]), None, from_ms(at and int(at)))
                found.append(made)
            token = said.get("next_page_token", "")
            if not token:
                return tuple(found)

    def artifacts(self, run_id: str, folder: str = "") -> tuple[Artifact, ...]:
        """Files and folders of a run, one level.

        Raises:
            NotFound: MLflow knows no such run.
            Unavailable: MLflow does not answer.
        """
        what = f"list the files of run {run_id}"
        if self._plain:
            said = self._ask("GET", "artifacts/list", {"run_id": run_id, "path": folder}, what)
            return tuple(
                Artifact(str(one["path"]), bool(one.get("is_dir", False)), _size(one)) for one in said.get("files", ())
            )
        with self._asking(what) as client:
            return tuple(Artifact(one.path, one.is_dir, one.file_size) for one in client.list_artifacts(run_id, folder))


def frame_of(runs: Sequence[Run]) -> RunFrame:
    """The client's runs as our frame."""
    info = {
        "run_id": [one.info.run_id for one in runs],
        "experiment_id": [str(one.info.experiment_id) for one in runs],
        "run_name": [one.info.run_name or "" for one in runs],
        "status": [str(one.info.status) for one in runs],
        "user_id": [one.info.user_id or "" for one in runs],
        "artifact_uri": [one.info.artifact_uri or "" for one in runs],
        "start_time": np.array([one.info.start_time for one in runs], dtype=float),
        "end_time": np.array([one.info.end_time for one in runs], dtype=float),
        "datasets": [datasets_of(one) for one in runs],
    }
    names = sorted({name for one in runs for name in one.data.metrics})
    values = np.array([[one.data.metrics.get(name, math.nan) for name in names] for one in runs], dtype=float)
    values = values.reshape(len(runs), len(names))
    logged = np.array([[name in one.data.metrics for name in names] for one in runs], dtype=bool)
    return RunFrame(
        pd.DataFrame({name: pd.Series(info[name], dtype=None if name.endswith("time") else object) for name in INFO}),
        pd.DataFrame(from_mlflow(values), columns=names),
        logged.reshape(len(runs), len(names)),
        _texts([one.data.params for one in runs]),
        _texts([one.data.tags for one in runs]),
    )


def _texts(rows: Sequence[dict[str, str]]) -> pd.DataFrame:
    names = sorted({name for one in rows for name in one})
    cells = np.full((len(rows), len(names)), None, dtype=object)
    for at, one in enumerate(rows):
        cells[at] = [one.get(name) for name in names]
    return pd.DataFrame(cells, columns=names)


def datasets_of(run: Run) -> tuple[Dataset, ...]:
    """The data sets of a run, by name and digest."""
    inputs: Any = run.inputs.dataset_inputs if run.inputs is not None else ()
    found = {
        Dataset(
            one.dataset.name, one.dataset.digest, next((tag.value for tag in one.tags or () if tag.key == CONTEXT), "")
        )
        for one in inputs
    }
    return tuple(sorted(found, key=lambda one: (one.name, one.digest)))


def _size(one: dict[str, Any]) -> int | None:
    return int(one["file_size"]) if one.get("file_size") is not None else None
