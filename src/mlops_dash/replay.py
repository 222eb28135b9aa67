"""Runs one replay job: the version that took over answers the rows before that, in a process of its own.

    python -m mlops_dash.replay JOB EPOCH

A model of somebody is loaded here. Where it cannot answer those rows, the reason is the job's result, and no failure.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import partial
from typing import Any

from mlops_dash.attempt import RUNNER, Run, carry_out
from mlops_dash.errors import BrokenModel, InvalidInput, NotFound


def main(arguments: Sequence[str] | None = None) -> int:
    """Replay; the exit codes are those of `carry_out`."""
    return carry_out(sys.argv[1:] if arguments is None else arguments, replay)


def replay(run: Run) -> dict[str, Any]:
    """Have the version in service answer again, and count what it says; gives what the job keeps."""
    services, job = run.services, run.job
    replayed = {"replayed": job.arguments.get("version", "")}
    try:
        found = services.monitoring.replay(
            RUNNER, job.model, partial(services.scoring.answer_again, RUNNER, job.model),
            version_id=str(job.arguments.get("version_id", "")), tell=run.step,
        )  # fmt: skip
    except (InvalidInput, BrokenModel, NotFound) as error:
        run.say(error.sentence(), "WARN")
        return {**replayed, "why_not": error.sentence()}
    run.say(f"{found.rows:,} rows were answered again, {found.labelled:,} of them labelled")
    return {**replayed, **found.as_json()}


if __name__ == "__main__":
    raise SystemExit(main())
