"""What did the attempts of a job leave in MLflow: a run to take up, runs that are orphans, runs that never ended?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mlops_dash.errors import Unavailable
from mlops_dash.tracking.experiments.runs import TAG, client_for, fail
from mlops_dash.tracking.filters import equals
from mlops_dash.tracking.registry import MlflowRegistry

if TYPE_CHECKING:
    from mlflow.entities import Run
    from mlflow.tracking import MlflowClient


@dataclass(frozen=True)
class Attempt:
    """A run that carries a job's tag.

    Attributes:
        parent: The run it is nested in, "" for none.
    """

    run_id: str
    experiment: str
    status: str
    parent: str
    tags: Mapping[str, str]
    metrics: Mapping[str, float]

    @property
    def registered(self) -> bool:
        """Whether its model became a version."""
        return f"{TAG}version" in self.tags


def of_job(uri: str, *, job_id: str) -> tuple[Attempt, ...]:
    """All runs of a job but orphans, nested ones too; newest first.

    Raises:
        Unavailable: MLflow does not answer.
    """
    client = _answering(uri)
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    found = client.search_runs(experiments, equals(f"tags.`{TAG}job`", job_id)) if experiments else ()
    mine = [run for run in found if run.data.tags.get(f"{TAG}job") == job_id]  # a filter may not tell all names apart
    return tuple(_attempt(run) for run in mine if f"{TAG}orphan" not in run.data.tags)


def mark_orphans(uri: str, run_ids: Iterable[str]) -> None:
    """Mark runs that nobody takes up: of a lost attempt, or without what a run must have.

    Raises:
        Unavailable: MLflow does not answer.
    """
    client = _answering(uri)
    for run_id in run_ids:
        client.set_tag(run_id, f"{TAG}orphan", "true")
        fail(client, run_id)


def keep_file(uri: str, run_id: str, path: Path, folder: str) -> None:
    """Log a file with a run that has ended.

    Raises:
        Unavailable: MLflow does not answer.
    """
    _answering(uri).log_artifact(run_id, str(path), folder)


def discard(uri: str, run_ids: Iterable[str]) -> None:
    """Delete runs that were made only to see whether they can be.

    Raises:
        Unavailable: MLflow does not answer.
    """
    client = _answering(uri)
    for run_id in run_ids:
        fail(client, run_id)
        client.delete_run(run_id)


def _answering(uri: str) -> MlflowClient:
    reason = MlflowRegistry(uri).why_unreachable()
    if reason:
        raise Unavailable(reason)
    return client_for(uri)


def _attempt(run: Run) -> Attempt:
    tags = dict(run.data.tags)
    parent = str(tags.get("mlflow.parentRunId", ""))
    return Attempt(
        run.info.run_id, str(run.info.experiment_id), str(run.info.status), parent, tags, dict(run.data.metrics)
    )


def settle(uri: str, *, experiment: str, tag: str, value: str) -> tuple[str, ...]:
    """Names of the finished runs that carry a tag; those a killed process left open are marked as failed orphans.

    Raises:
        Unavailable: MLflow does not answer.
    """
    client = _answering(uri)
    known = client.get_experiment_by_name(experiment)
    if known is None:
        return ()
    found = client.search_runs([known.experiment_id], equals(f"tags.`{tag}`", value))
    tagged = [run for run in found if run.data.tags.get(tag) == value]
    for run in tagged:
        if run.info.status == "RUNNING":
            client.set_tag(run.info.run_id, f"{TAG}orphan", "true")
            fail(client, run.info.run_id)
    return tuple(run.info.run_name for run in tagged if run.info.status == "FINISHED")
