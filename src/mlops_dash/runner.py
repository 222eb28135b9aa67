"""Runs one retrain job: its recipe's program, what that left in MLflow, and the verdict on later rows.

A second opinion on drift runs here too: it imports much and takes long.

    python -m mlops_dash.runner JOB EPOCH

One job, one process, one log (attempt.py). The worker starts it below a guard (training.launcher). What a program is
told and must leave behind stands in training.contract; a finished run of a lost attempt is taken up, others are tagged
as orphans.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from mlops_dash.attempt import RUNNER, Run, Tell, carry_out
from mlops_dash.bootstrap import Services
from mlops_dash.domain.calendar import day_of
from mlops_dash.domain.jobs import Task
from mlops_dash.domain.policies import PolicyKind
from mlops_dash.domain.recipe_checks import in_words
from mlops_dash.domain.registry.gates import closed_gates
from mlops_dash.domain.retraining import Afterwards, Recipe
from mlops_dash.domain.starting import instant
from mlops_dash.domain.tasks import task_named
from mlops_dash.domain.words import JobState
from mlops_dash.errors import Conflict, InvalidInput, MlopsDashError, NotFound
from mlops_dash.services.cells import judged_in_numbers
from mlops_dash.tracking.experiments import attempts
from mlops_dash.tracking.experiments.files import RunFiles
from mlops_dash.tracking.experiments.models import RunModels
from mlops_dash.training import contract, files, program
from mlops_dash.training.contract import Kept, LeftRun, Request
from mlops_dash.training.workplace import workplace

ROWS_BYTES = 1_000_000_000  # the largest file of rows that is read from a run


def main(arguments: Sequence[str] | None = None) -> int:
    """Retrain, or give a second opinion; the exit codes are those of `carry_out`."""
    return carry_out(sys.argv[1:] if arguments is None else arguments, work)


def run_next(services: Services, *, on_progress: Tell | None = None, patience: float = 0.0) -> Mapping[str, Any]:
    """Take the most urgent due job and run it in this process (the demo does); returns its result.

    Args:
        patience: Seconds for which the program may wait for MLflow to start; with 0 a server that does not answer
            ends the run before anything is fitted.

    Raises:
        Conflict: no retrain job is due.
        MlopsDashError: what made it fail; the job says so too.
    """
    job = services.jobs.claim(RUNNER, f"here:{os.getpid()}")
    if job is not None and job.task not in {Task.RETRAIN, Task.REFIT}:
        services.jobs.release(RUNNER, job.id, job.epoch, "Only a worker does this.")
        job = None
    if job is None:
        raise Conflict("No retrain job is due.", hint="Ask for one first.")
    path = services.jobs.log_path(RUNNER, job.id)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8", buffering=1) as file:

        def write(line: str) -> None:
            file.write(f"{services.context.clock.now().astimezone(UTC):%Y-%m-%dT%H:%M:%SZ} {line}")

        run = Run(services, job, write, on_progress, patience)
        try:
            result = train(run)
        except Conflict as error:
            run.say(error.sentence(), "WARN")
            raise
        except Exception as error:
            said = error.sentence() if isinstance(error, MlopsDashError) else f"An error of ours: {error!r}."
            run.say(said, "ERROR")
            services.jobs.finish(RUNNER, job.id, job.epoch, JobState.FAILED, error=said)
            raise
        except BaseException:  # Ctrl-C: the next start takes the job up again
            services.jobs.release(RUNNER, job.id, job.epoch, "Interrupted; it starts again with the next one.")
            raise
        services.jobs.finish(RUNNER, job.id, job.epoch, JobState.SUCCEEDED, result=result)
        return result


def work(run: Run) -> dict[str, Any]:
    """What this process is for: a retrain, or a second opinion."""
    return _second_opinion(run) if run.job.task is Task.MULTIVARIATE else train(run)


def _second_opinion(run: Run) -> dict[str, Any]:
    """All columns together, by our classifier and by the detectors that the job names."""
    names = [str(one) for one in run.job.arguments.get("detectors") or ()]
    found = run.services.monitoring.judge_together(RUNNER, run.job.model, names, tell=run.step)
    for one in found.latest:
        word = "drift" if one.details["drift"] else "no drift"
        run.say(f"{one.metric}: {one.reason or one.details.get('why') or word}")
    return {"evidence_ids": [one.id for one in found.latest], "licence": found.licence}


def train(run: Run) -> dict[str, Any]:
    """Run the program, register, record, judge. Returns version_id, version, run_id and evidence_ids.

    Raises:
        Conflict: another attempt owns the job.
        InvalidInput: the recipe cannot be run, or its program failed or broke the contract.
        Unavailable: MLflow or a database does not answer.
    """
    services, job = run.services, run.job
    if job.epoch > 1 or not run.patience:  # its runs are looked for; else: said before minutes of work
        services.context.registry.wait(run.patience, hint="The job is tried again when MLflow answers.")
    run.step(0.01, f"attempt {job.attempt} of {job.recipe}: {job.cause}")
    recipe = services.retraining.recipe(RUNNER, job.recipe or "")
    request = _request(run, recipe)
    run.numbers = in_numbers_of(services, recipe.model)
    kept = (_taken_up(run, request) if job.epoch > 1 else None) or _produced(run, recipe, request)
    models = RunModels(services.context.settings.mlflow_uri)
    run.step(0.70, "registering the model as the next version")
    digest = models.digest_of(kept.run.source)
    version, source = models.register(recipe.model, kept.run.run_id, kept.run.source, digest)
    run.step(0.72, f"recording v{version}")
    version_id = services.registry.record_version(
        RUNNER, recipe.model, version, run_id=kept.run.run_id, source_uri=source, artifact_digest=digest,
        training_start=kept.window.start, training_end=kept.window.end,
        data_digest=kept.run.tags.get(contract.DATA_TAG, ""), recipe=recipe.name, created_by=job.requested_by,
        note=job.cause,
    )  # fmt: skip
    if job.task is Task.REFIT:
        return _scored_later(run, recipe, kept, version_id, version)
    with ThreadPoolExecutor(1, thread_name_prefix="check") as beside:  # waits for a process that takes seconds to start
        checks = beside.submit(services.evidence.check_version, RUNNER, version_id)
        if not kept.reference.empty:
            run.step(0.76, f"keeping the out-of-fold reference of {len(kept.reference):,} rows")
            services.monitoring.record_reference(RUNNER, version_id, kept.reference)
        evidence = _judge(run, recipe, kept, version_id)
        run.step(0.94, "checking signature and input example in a fresh process")
        evidence += [one.id for one in checks.result()]
        evidence += _checked_by_recipe(run, version_id)
    made = {"version_id": version_id, "version": version, "run_id": kept.run.run_id, "evidence_ids": evidence}
    if job.arguments.get("then") == Afterwards.PROPOSE:
        run.step(0.97, "judging whether it may be proposed")
        made |= _proposed(run, recipe.model, version, version_id)
    return made


def _checked_by_recipe(run: Run, version_id: str) -> list[str]:
    """Run the checks that the recipe carries; what they said stands in the log and in the gates."""
    log = run.services.jobs.log_path(RUNNER, run.job.id)
    found = run.services.evidence.run_checks(RUNNER, version_id, log=log, tell=lambda text: run.step(0.96, text))
    for one in found:
        run.say(f"check {one.metric}: {in_words(one)}", "INFO" if one.details["passed"] else "WARN")
    return [one.id for one in found]


def _scored_later(run: Run, recipe: Recipe, kept: Kept, version_id: str, version: str) -> dict[str, Any]:
    """Score the logged rows after its training, for a backfill to be read; nothing is judged and nobody is asked."""
    until = instant(str(run.job.arguments["until"]))
    run.step(0.80, f"scoring the logged rows of {_span(kept.window.end, until, run)}")
    n = run.services.scoring.backfill(RUNNER, recipe.model, version_id, kept.window.end, until)
    run.say(f"{n:,} later rows are scored")
    return {"version_id": version_id, "version": version, "run_id": kept.run.run_id, "evidence_ids": [],
            "rows": n, "trained_until": kept.window.end.isoformat()}  # fmt: skip


def _proposed(run: Run, model: str, version: str, version_id: str) -> dict[str, str]:
    """Propose the version in the name of who asked for the run, when all gates let it through; else say which do not.

    The person who asked is the proposer and can never approve it: a machine in between makes no second pair of eyes.
    """
    registry, job = run.services.registry, run.job
    closed = closed_gates(registry.room(RUNNER, model, version).gates)
    if closed:
        why = f"Not proposed: {', '.join(f'{gate.name} {gate.state}' for gate in closed)}."
        run.say(why, "WARN")
        return {"not_proposed": why}
    try:
        made = registry.propose(
            RUNNER, version_id, comment=f"By itself after a run: {job.cause}", alert_id=job.alert_id,
            wanted_by=str(job.arguments.get("asked_by", "")),
        )  # fmt: skip
    except Conflict as error:  # a lost attempt has proposed it already
        run.say(error.sentence(), "WARN")
        return {"not_proposed": error.sentence()}
    run.say(f"v{version} is proposed; somebody else approves it")
    return {"proposal_id": made.id}


def _request(run: Run, recipe: Recipe) -> Request:
    """What the program is told; of a backfill as if it were that day, with no later rows held out."""
    settings, now = run.services.context.settings, run.services.context.clock.now()
    parameters = {**recipe.parameters, **run.job.parameters}
    if run.job.task is Task.REFIT:
        now, parameters = instant(str(run.job.arguments["as_of"])), {**parameters, "holdout_days": 0}
    run.zone = run.services.policies.active(RUNNER, recipe.model, PolicyKind.MONITORING).monitoring.zone
    return Request(
        tracking_uri=settings.mlflow_uri, experiment=recipe.model, model=recipe.model, recipe=recipe.name,
        window=contract.window_of(parameters, now=now, zone=run.zone), parameters=parameters,
        job_id=run.job.id, epoch=run.job.epoch, home=str(settings.home), patience=run.patience,
    )  # fmt: skip


def in_numbers_of(services: Services, model: str) -> contract.InNumbers:
    """How labels and scores of a model's rows are read: by its task and its classes."""
    known = next((one for one in services.registry.models(RUNNER) if one.name == model), None)
    if known is None:
        raise NotFound(f"Nobody watches a model {model!r}.", hint="Add it on Overview first.")
    task = task_named(known.task, known.class_names)
    return partial(judged_in_numbers, task=task, positive=known.positive_label)


def _taken_up(run: Run, request: Request) -> Kept | None:
    """The run that a lost attempt finished, when it was asked for the same; what else it left is tagged as orphan."""
    uri, asked = request.tracking_uri, request.tags[contract.REQUEST_TAG]
    kept = None
    for left in attempts.of_job(uri, job_id=run.job.id):
        same = kept is None and not left.parent and left.tags.get(contract.REQUEST_TAG) == asked
        whole = _whole(run, left, request) if same else None
        if whole is not None:
            kept = whole
            run.say(f"a lost attempt has finished run {left.run_id[:8]} already; it is taken up")
        elif not left.registered:
            attempts.mark_orphans(uri, [left.run_id])
            run.say(f"run {left.run_id} of a lost attempt is tagged as an orphan", "WARN")
    return kept


def _whole(run: Run, left: attempts.Attempt, request: Request) -> Kept | None:
    """A run that keeps the contract; None for one that was lost before its end."""
    try:
        return contract.check(read_run(request.tracking_uri, left), request, numbers=run.numbers)
    except InvalidInput:
        return None


def _produced(run: Run, recipe: Recipe, request: Request) -> Kept:
    """Run the program, and read the one run that it left; what breaks the contract is tagged as orphan.

    Raises:
        InvalidInput: the program failed, or broke the contract.
    """
    uri, window = request.tracking_uri, request.window
    if recipe.requirements or recipe.repository:
        run.step(0.02, "making ready where it works")
    try:
        with workplace(contract.wanted_by(recipe), run.services.context.settings.home, write=run.write) as place:
            run.step(0.04, f"starting {recipe.entry} for {_span(window.start, window.end, run)}")
            request = contract.working_in(request, recipe, place)
            if run.own_process:
                os.environ.update(request.environment())
            program.run(
                recipe.entry, request, tell=lambda share, text: run.step(0.05 + 0.60 * share, text), write=run.write
            )
        run.step(0.66, "reading what the program left in MLflow")
        left = read_run(uri, final_of(left_by(request), request))
        kept = contract.check(left, request, numbers=run.numbers)
        notebook = files.executed(request)
        if notebook.is_file():
            attempts.keep_file(uri, kept.run.run_id, notebook, "notebook")
            notebook.unlink()
    except InvalidInput:
        attempts.mark_orphans(uri, [one.run_id for one in left_by(request)])
        raise
    numbers = sorted(kept.run.metrics.items())
    run.say("  ".join(f"{name}={value:.4f}" for name, value in numbers[:40]) or "its run has no metrics")
    return kept


def left_by(request: Request) -> list[attempts.Attempt]:
    """The runs of this attempt, nested ones too."""
    of_job = attempts.of_job(request.tracking_uri, job_id=request.job_id)
    return [one for one in of_job if one.tags.get(contract.EPOCH_TAG) == str(request.epoch)]


def final_of(left: Sequence[attempts.Attempt], request: Request) -> attempts.Attempt:
    """The one run that counts: not nested, and where there are several, the one with a model.

    Raises:
        InvalidInput: there is none, or more than one.
    """
    whole = [one for one in left if not one.parent]
    if len(whole) > 1:
        models = RunModels(request.tracking_uri)
        whole = [one for one in whole if models.source_of(one.run_id, one.experiment)] or whole
    run_id = contract.the_run([one.run_id for one in whole], request)
    return next(one for one in whole if one.run_id == run_id)


def read_run(uri: str, attempt: attempts.Attempt) -> LeftRun:
    """The run with its model's address and its rows."""
    files = RunFiles(uri)

    def content(path: str) -> bytes | None:
        try:
            return files.read(attempt.run_id, path, most=ROWS_BYTES)
        except NotFound:
            return None

    return LeftRun(
        attempt.run_id, attempt.status, RunModels(uri).source_of(attempt.run_id, attempt.experiment), attempt.metrics,
        attempt.tags, content(contract.PREDICTIONS), content(contract.REFERENCE),
    )  # fmt: skip


def _judge(run: Run, recipe: Recipe, kept: Kept, version_id: str) -> list[str]:
    """Compare with the champion on later rows that both scored; without any, measure the version alone."""
    services, window = run.services, kept.window
    serving = services.registry.serving(RUNNER, recipe.model)
    if serving is None or not window.has_holdout:
        why = "nothing serves yet" if serving is None else "the recipe keeps no later rows"
        return _alone(run, kept, version_id, why)
    run.step(0.80, f"scoring the logged rows of {_span(window.end, window.edge, run)}")
    n = services.scoring.backfill(RUNNER, recipe.model, version_id, window.end, window.edge)
    run.step(0.90, f"comparing with the champion on {n:,} rows that both scored")
    found = services.evidence.compare(RUNNER, recipe.model, version_id, serving.version_id, window.end, window.edge)
    for one in found:
        if one.kind == "paired_difference":
            numbers = "not computable" if one.value is None else f"{one.value:+.4f} [{one.low:+.4f}, {one.high:+.4f}]"
            run.say(f"{one.metric} against the champion: {numbers} n={one.n:,} {one.reason}".rstrip())
    return [one.id for one in found]


def _alone(run: Run, kept: Kept, version_id: str, why: str) -> list[str]:
    """Measure the version on the rows that came with it: those scored out of fold, else those it was evaluated on."""
    out_of_fold = not kept.reference.empty
    rows = kept.reference if out_of_fold else kept.predictions
    if "at" not in rows.columns:
        run.say(f"not measured: {contract.PREDICTIONS} has no column at, and there is no {contract.REFERENCE}", "WARN")
        return []
    kind = "out of fold" if out_of_fold else "on its evaluation rows"
    run.step(0.84, f"measuring the version alone, {kind}: {why}")
    bound = f"{kind}, by day, {_span(kept.window.start, kept.window.end, run)}"
    measured = run.services.evidence.measure(RUNNER, version_id, rows[["at", "score", "label"]], bound=bound)
    return [one.id for one in measured]


def _span(start: datetime, end: datetime, run: Run) -> str:
    return f"{day_of(start, run.zone)}..{day_of(end - timedelta(seconds=1), run.zone)}"


if __name__ == "__main__":
    raise SystemExit(main())
