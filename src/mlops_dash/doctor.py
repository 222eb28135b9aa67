"""Would this recipe make a version? Runs its program on a small window, in the real launcher, and registers nothing.

What it leaves in MLflow is read as a job would read it, then deleted. As a job, asked for on the page, it prints into
the job's log; such a job also has a recipe's checks look at a version once more.

    python -m mlops_dash.doctor JOB EPOCH
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, TextIO

from mlops_dash.attempt import RUNNER, Run, carry_out
from mlops_dash.bootstrap import Services
from mlops_dash.domain.access import Actor, Permission
from mlops_dash.domain.jobs import Task
from mlops_dash.domain.policies import PolicyKind
from mlops_dash.domain.recipe_checks import in_words
from mlops_dash.domain.retraining import Recipe
from mlops_dash.errors import InvalidInput
from mlops_dash.processes import Limits
from mlops_dash.runner import final_of, in_numbers_of, left_by, read_run
from mlops_dash.settings import python_executable
from mlops_dash.tracking.experiments import attempts
from mlops_dash.training import contract
from mlops_dash.training.contract import BrokenContract, Request, Window
from mlops_dash.training.launcher import Exit, launch
from mlops_dash.training.workplace import workplace

LAST_LINES = 8
THREADS = 2


@dataclass(frozen=True)
class Checked:
    """What a check found.

    Attributes:
        missing: What a job would fail for, a sentence each; empty when the recipe works.
        advice: What is worth knowing and fails nothing.
        said: How the program ended.
        last: What it printed last.
    """

    recipe: str
    missing: tuple[str, ...]
    advice: tuple[str, ...]
    said: str
    seconds: float
    peak_mib: float
    last: tuple[str, ...]
    log: Path
    window: Window

    @property
    def ok(self) -> bool:
        """Whether a job would get as far as a version."""
        return not self.missing

    @property
    def facts(self) -> dict[str, Any]:
        """As JSON holds it."""
        window = {name: at.isoformat() for name, at in vars(self.window).items()}
        return {**vars(self), "ok": self.ok, "log": str(self.log), "window": window}


def main(arguments: Sequence[str] | None = None) -> int:
    """Do a job that asks for a check; the exit codes are those of `carry_out`."""
    return carry_out(sys.argv[1:] if arguments is None else arguments, work)


def work(run: Run) -> dict[str, Any]:
    """Try the job's recipe, or have its checks look at a version; what is found is the job's result, and no failure."""
    services, job = run.services, run.job
    log = services.jobs.log_path(RUNNER, job.id)
    if job.task is Task.CHECK_VERSION:
        version_id = str(job.arguments["version_id"])
        found = services.evidence.run_checks(RUNNER, version_id, log=log, tell=lambda text: run.step(0.3, text))
        for one in found:
            run.say(f"check {one.metric}: {in_words(one)}", "INFO" if one.details["passed"] else "WARN")
        return {"evidence_ids": [one.id for one in found], "checked": [in_words(one) for one in found]}
    run.step(0.05, f"trying {job.recipe} on {job.arguments['days']} days")
    tried = check(services, RUNNER, job.recipe or "", days=int(job.arguments["days"]), log=log)
    for said in tried.missing:
        run.say(f"missing: {said}", "WARN")
    for said in tried.advice:
        run.say(f"note: {said}")
    run.say("works: a job would make a version" if tried.ok else "a job would fail")
    return {"tried": tried.facts}


def check(services: Services, actor: Actor, name: str, *, days: int = 7, log: Path | None = None) -> Checked:
    """Run a recipe on its last `days` of training, and say what is missing. For those who may run it.

    Its output is appended to `log`; by default it has a file of its own, where the last check's is replaced.

    Raises:
        NotAllowed: the actor may run no recipe.
        NotFound: there is no such recipe, or nobody watches its model.
        InvalidInput: `days` is not positive, or the recipe's window cannot be read.
        Unavailable: MLflow does not answer.
    """
    actor.require(Permission.JOB_RUN)
    if days < 1:
        raise InvalidInput(f"{days} days are no window.", hint="Use 1 or more.")
    recipe = services.retraining.recipe(actor, name)
    numbers = in_numbers_of(services, recipe.model)
    request = _request(services, recipe, days)
    services.context.registry.wait(0.0, hint="The program logs its run there.")
    if log is None:
        log = services.context.settings.logs / "checks" / f"{recipe.name}.log"
        log.unlink(missing_ok=True)
    begun = log.stat().st_size if log.is_file() else 0
    log.parent.mkdir(parents=True, exist_ok=True)
    try:
        with log.open("a", encoding="utf-8") as said:
            write = partial(_stamped, said, services)
            with workplace(contract.wanted_by(recipe), services.context.settings.home, write=write) as place:
                request = contract.working_in(request, recipe, place)
                ended = _launched(services, recipe, request, log)
    except InvalidInput as error:  # no environment or no checkout: a job would fail for it too
        return Checked(recipe.name, (error.sentence(),), (), "", 0.0, 0.0, _last(log, begun), log, request.window)
    last = _last(log, begun)
    try:
        advice: tuple[str, ...] = ()
        if ended.ok:
            missing, advice = _left(request, numbers)
        else:
            missing = (ended.sentence if ended.code is None else last[-1] if last else ended.sentence,)
    finally:
        attempts.discard(request.tracking_uri, [one.run_id for one in left_by(request)])
    return Checked(
        recipe.name, missing, advice, ended.sentence, ended.seconds, ended.peak_mib, last, log, request.window
    )


def _launched(services: Services, recipe: Recipe, request: Request, log: Path) -> Exit:
    return launch(
        [python_executable(), "-m", "mlops_dash.training.program", recipe.entry],
        log=log, limits=Limits(recipe.timeout_seconds, recipe.memory_mib, threads=THREADS),
        should_stop=lambda: False, now=services.context.clock.now, variables=request.environment(),
    )  # fmt: skip


def _stamped(log: TextIO, services: Services, line: str) -> None:
    """A line of git or pip, with its time as all lines of a log have it."""
    log.write(f"{services.context.clock.now():%Y-%m-%dT%H:%M:%SZ} {line}")
    log.flush()


def _request(services: Services, recipe: Recipe, days: int) -> Request:
    """What a job would be told, over the last days of its window."""
    settings, now = services.context.settings, services.context.clock.now()
    zone = services.policies.active(RUNNER, recipe.model, PolicyKind.MONITORING).monitoring.zone
    window = contract.window_of(recipe.parameters, now=now, zone=zone)
    small = replace(window, start=max(window.start, window.end - timedelta(days=days)))
    parameters: Mapping[str, Any] = dict(recipe.parameters)
    if "train_start" in parameters:
        parameters = {**parameters, "train_start": small.start.isoformat()}
    if "train_days" in parameters:
        parameters = {**parameters, "train_days": min(days, int(parameters["train_days"]))}
    return Request(
        tracking_uri=settings.mlflow_uri, experiment=f"{recipe.model} (checks)", model=recipe.model, recipe=recipe.name,
        window=small, parameters=parameters, job_id=f"check-{services.context.new_id()}", epoch=1,
        home=str(settings.home),
    )  # fmt: skip


def _left(request: Request, numbers: contract.InNumbers) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What is missing of what the program left, and what is worth knowing."""
    try:
        run = read_run(request.tracking_uri, final_of(left_by(request), request))
        kept = contract.check(run, request, numbers=numbers)
    except BrokenContract as error:
        return error.troubles, ()
    except InvalidInput as error:
        return (error.sentence(),), ()
    advice = []
    if kept.reference.empty:
        advice.append(f"Without {contract.REFERENCE} live traffic has nothing to be compared with.")
        if "at" not in kept.predictions.columns:
            advice.append(f"Without it, or a column at in {contract.PREDICTIONS}, a first version is not measured.")
    return (), tuple(advice)


def _last(log: Path, begun: int) -> tuple[str, ...]:
    """What the program printed last, without our times; it begins there in the log."""
    if not log.is_file():
        return ()
    lines = log.read_bytes()[begun:].decode(errors="replace").splitlines()
    return tuple(line.partition(" ")[2] for line in lines[-LAST_LINES:])


if __name__ == "__main__":
    raise SystemExit(main())
