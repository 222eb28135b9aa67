"""One attempt at a job in a process of its own: says what it does, asks whether it may, and writes down how it ended.

Each step first asks the queue whether this epoch still owns the job, so a run that was taken over stops before its next
side effect.
"""

from __future__ import annotations

import sys
import traceback
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from mlops_dash.bootstrap import Services, build
from mlops_dash.domain import format as fmt
from mlops_dash.domain.access import system
from mlops_dash.domain.jobs import Job, Trouble
from mlops_dash.domain.words import JobState
from mlops_dash.errors import Conflict, MlopsDashError, Unavailable
from mlops_dash.settings import from_environment
from mlops_dash.training.contract import InNumbers

RUNNER = system("runner")
Tell = Callable[[float, str], None]


@dataclass
class Run:
    """One attempt in this process: says what it does, to the log and to the queue, and asks whether it may."""

    services: Services
    job: Job
    write: Callable[[str], object]
    tell: Tell | None = None
    patience: float = 0.0  # seconds for which MLflow may still be starting
    zone: str = "UTC"  # of the model's monitoring
    own_process: bool = False  # nobody else's MLflow lives here: what it reads from the environment may be set
    share: float = field(default=0.0)
    numbers: InNumbers = lambda rows: rows  # labels and scores as the log keeps them

    def say(self, text: str, level: str = "INFO") -> None:
        """One line of the log."""
        self.write(f"{level} {text}\n")

    def step(self, share: float, text: str) -> None:
        """Begin a step: fenced, logged, shown.

        Raises:
            Conflict: another attempt owns the job.
        """
        self.share = share
        self.services.jobs.progress(RUNNER, self.job.id, self.job.epoch, text, share)
        self.say(text)
        if self.tell is not None:
            self.tell(share, text)


Work = Callable[[Run], dict[str, Any]]


def carry_out(arguments: Sequence[str], work: Work) -> int:
    """Do a job that this process was started for: JOB EPOCH.

    Returns:
        0 = done, 1 = failed, 3 = something does not answer, 4 = another attempt owns the job.
    """
    job_id, epoch = arguments
    warnings.filterwarnings("ignore", category=FutureWarning)
    services = build(from_environment())
    try:
        job = services.jobs.job(RUNNER, job_id)
        run = Run(services, job, sys.stdout.write, own_process=True)
        if job.epoch != int(epoch):
            run.say(f"epoch {epoch} was taken over by {job.epoch}; nothing is done", "WARN")
            return 4
        return finish(run, work)
    finally:
        services.close()


def finish(run: Run, work: Work) -> int:
    """Do the work and write down how it ended; gives the exit code."""
    job, jobs = run.job, run.services.jobs
    try:
        result = work(run)
        jobs.finish(RUNNER, job.id, job.epoch, JobState.SUCCEEDED, result=result)
    except Conflict as error:
        run.say(error.sentence(), "WARN")
        return 4
    except Unavailable as error:
        state = jobs.trouble(RUNNER, job.id, job.epoch, Trouble.UNAVAILABLE, error.sentence())
        run.say(f"{error.sentence()} The job is {state}.", "ERROR")
        return 3
    except MlopsDashError as error:
        run.say(error.sentence(), "ERROR")
        jobs.trouble(RUNNER, job.id, job.epoch, Trouble.FAILED, error.sentence())
        return 1
    except Exception as error:  # noqa: BLE001 - an entry point: the traceback goes to the log, a sentence to the job
        run.say(f"an error of ours: {error!r}", "ERROR")
        run.write(traceback.format_exc())
        jobs.trouble(RUNNER, job.id, job.epoch, Trouble.FAILED, f"An error of ours: {error!r}. See the log.")
        return 1
    what = f"v{result['version']} with " if "version" in result else ""
    kept = result.get("evidence_ids")
    run.say("done" if kept is None else f"done: {what}{fmt.plural(len(kept), 'piece')} of evidence")
    return 0
