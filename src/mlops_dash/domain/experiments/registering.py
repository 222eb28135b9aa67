"""From a run to a version: what can be registered, and what stands in the way."""

from __future__ import annotations

from dataclasses import dataclass

from mlops_dash.domain.access import Actor, Permission
from mlops_dash.domain.experiments.frame import RunStatus
from mlops_dash.domain.registry.records import Version


@dataclass(frozen=True)
class Registrable:
    """What the details of a run offer.

    Attributes:
        models: Watched models that it can become a version of; those that its experiment is named after first.
        version: The version that it became; None when it became none.
        why_not_register: Empty when it can be registered now, else the reason.
        why_not_propose: Empty when its version can be proposed now, else the reason; also empty without a version.
    """

    models: tuple[str, ...]
    version: Version | None
    why_not_register: str
    why_not_propose: str


@dataclass(frozen=True)
class RegisteredRun:
    """A version that MLflow made of a run's model: what `registry.record_version` is told."""

    model: str
    version: str
    run_id: str
    source_uri: str
    artifact_digest: str
    data_digest: str


def why_not_register(
    actor: Actor, *, status: str, version: Version | None, models: tuple[str, ...], source: str, trouble: str
) -> str:
    """The first thing that stands in the way, or "".

    Args:
        actor: Who asks.
        status: The run's.
        version: What it became already.
        models: Models of ours that MLflow keeps.
        source: Where its model is; "" = it has none.
        trouble: Why MLflow could not be asked.
    """
    if version is not None:
        return f"It is {version.subject} already."
    if not actor.may(Permission.MODEL_EDIT):
        return actor.why_not(Permission.MODEL_EDIT)
    if status in {RunStatus.RUNNING, RunStatus.SCHEDULED}:
        return "The run is not over yet."
    if trouble:
        return trouble
    if not source:
        return "The run has logged no model."
    return "" if models else "No model is watched yet: add one under Audit & admin."
