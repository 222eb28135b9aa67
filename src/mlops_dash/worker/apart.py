"""Which work has a process of its own, by which module, and what it may take at most."""

from __future__ import annotations

from dataclasses import dataclass

from mlops_dash.bootstrap import Services
from mlops_dash.domain.access import Actor
from mlops_dash.domain.jobs import Job, Task

# What may run long, or be cancelled, and the module that does it.
APART = {
    Task.RETRAIN: "mlops_dash.runner",
    Task.REFIT: "mlops_dash.runner",
    Task.MULTIVARIATE: "mlops_dash.runner",
    Task.TRY_RECIPE: "mlops_dash.doctor",
    Task.CHECK_VERSION: "mlops_dash.doctor",
    Task.REPLAY: "mlops_dash.replay",
    Task.WHY: "mlops_dash.why",
    Task.ROW: "mlops_dash.why",
    Task.SLICES: "mlops_dash.why",
    Task.ESTIMATE: "mlops_dash.why",
    Task.PLAY_WEEK: "mlops_dash.demo.week",
}
_OPINION_SECONDS, _OPINION_MIB = 1_800.0, 4_000.0  # a second opinion imports most of a gigabyte
_WEEK_SECONDS = 14_400.0  # a played week waits for what is trained meanwhile
_BESIDE_SECONDS, _BESIDE_MIB = 300.0, 1_500.0  # reading what a program left, beside the program


@dataclass(frozen=True)
class Means:
    """What a job is done by, and the most it may take."""

    module: str
    seconds: float
    mib: float


def means_of(services: Services, actor: Actor, job: Job) -> Means:
    """By what a job is done and within which limits: those of its recipe, where it has one.

    Raises:
        NotFound: its recipe is gone.
    """
    seconds, mib = _OPINION_SECONDS, _OPINION_MIB
    if job.task is Task.PLAY_WEEK:
        seconds = _WEEK_SECONDS
    elif job.recipe:
        recipe = services.retraining.recipe(actor, job.recipe)
        seconds, mib = recipe.longest_seconds, recipe.memory_mib
        if job.task in (Task.TRY_RECIPE, Task.CHECK_VERSION):  # each of them launches the recipe's programs itself
            seconds, mib = seconds + _BESIDE_SECONDS, mib + _BESIDE_MIB
    return Means(APART[job.task], seconds, mib)
