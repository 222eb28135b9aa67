"""Runs one job that asks what a version rests on, why one row got its answer, where it is worse, or how it will err.

    python -m mlops_dash.why JOB EPOCH

A model of somebody is loaded here. Where it cannot be asked, the reason is the evidence's, and no failure.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Any

from mlops_dash.attempt import RUNNER, Run, carry_out
from mlops_dash.domain import format as fmt
from mlops_dash.domain.jobs import Task
from mlops_dash.errors import BrokenModel, InvalidInput, NotFound


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure; the exit codes are those of `carry_out`."""
    return carry_out(sys.argv[1:] if arguments is None else arguments, work)


def work(run: Run) -> dict[str, Any]:
    """Do what the job asks for; gives what it keeps."""
    if run.job.task is Task.SLICES:
        return slices(run)
    if run.job.task is Task.ROW:
        return row(run)
    return estimate(run) if run.job.task is Task.ESTIMATE else why(run)


def slices(run: Run) -> dict[str, Any]:
    """Measure parts of the rows; that nothing can be measured yet is a result and no failure."""
    try:
        said = run.services.monitoring.measure_slices(RUNNER, run.job.model).sentence
    except NotFound as error:  # no labels, so nothing says where it is worse
        said = error.sentence()
    run.say(said)
    return {"sentence": said}


def estimate(run: Run) -> dict[str, Any]:
    """Estimate windows without labels; that nothing can be learned yet is a result and no failure."""
    try:
        found = run.services.monitoring.estimate_losses(RUNNER, run.job.model)
    except (InvalidInput, NotFound) as error:
        run.say(error.sentence(), "WARN")
        return {"why_not": error.sentence()}
    said = "nothing was estimated" if found is None else found.sentence
    run.say(said)
    return {"sentence": said}


def row(run: Run) -> dict[str, Any]:
    """Say why one row got its answer; that the version cannot be asked is a result and no failure.

    What is kept are amounts. What the row holds stays in the log alone.
    """
    services, job = run.services, run.job
    try:
        found = services.monitoring.explain_row(
            RUNNER, job.model, str(job.arguments["row"]), partial(services.scoring.answer_again, RUNNER, job.model),
            at=datetime.fromisoformat(str(job.arguments["at"])),
        )  # fmt: skip
    except (BrokenModel, InvalidInput, NotFound) as error:
        run.say(error.sentence(), "WARN")
        return {"why_not": error.sentence()}
    run.say(f"asked about {fmt.plural(len(found.added), 'column')}; {found.method}")
    return found.without_values().as_json()


def why(run: Run) -> dict[str, Any]:
    """Measure what the version in service rests on; gives what the job keeps."""
    services, job = run.services, run.job
    made = services.monitoring.explain(
        RUNNER, job.model, partial(services.scoring.answer_again, RUNNER, job.model),
        partial(services.scoring.own_importance, RUNNER, job.model), tell=run.step,
    )  # fmt: skip
    run.say(made.sentence)
    run.step(0.96, "splitting the change of the loss")
    split = services.monitoring.split_loss(RUNNER, job.model)
    run.say("nothing got worse for sure, so there is nothing to split" if split is None else split.sentence)
    run.step(0.98, "looking for parts of the rows that are worse")
    slices(run)
    services.monitoring.evaluate(RUNNER, job.model)  # an open alert names its cause by it
    return {"version_id": str(job.arguments.get("version_id", "")), "sentence": made.sentence}


if __name__ == "__main__":
    raise SystemExit(main())
