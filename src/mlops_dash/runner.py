"""Runs one retrain job: train, log, record, judge on later rows. One job, one process, one log.

    python -m mlops_dash.runner JOB EPOCH

The worker starts it below a guard (training.launcher). Each step first asks the queue whether this epoch still owns the
job, so a run that was taken over stops before its next side effect. A new attempt is a new MLflow run; runs of lost
attempts are tagged as orphans.
"""

from __future__ import annotations

import os
import sys
import traceback
import warnings
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd

from mlops_dash.bootstrap import Services, build
from mlops_dash.domain.access import system
from mlops_dash.domain.jobs import Job, Task, Trouble
from mlops_dash.domain.retraining import Recipe, instant
from mlops_dash.domain.words import JobState
from mlops_dash.errors import Conflict, InvalidInput, MlopsDashError, Unavailable
from mlops_dash.settings import data_file, from_environment
from mlops_dash.tracking import runs
from mlops_dash.training import recipes
from mlops_dash.training.flights import LATE_ARRIVAL, ZONE, Target, load_flights, target_of
from mlops_dash.training.recipes import FittedModel

RUNNER = system("runner")
DATA = "data/flights-2013.parquet"
HOLDOUT_DAYS = 28
_KNOWN = frozenset({"train_start", "holdout_days", "validation_days", "folds", "seed", "data", "parameters"})
_MODEL_PARAMETERS = frozenset(
    {*recipes.BASE, "max_depth", "max_bins", "l2_regularization", "class_weight", "monotonic_cst", "loss"}
)
Tell = Callable[[float, str], None]


@dataclass(frozen=True)
class Window:
    """What a run trains on, [start, end), and the later rows it is judged on, [end, edge)."""

    start: datetime
    end: datetime
    edge: datetime

    @property
    def has_holdout(self) -> bool:
        """Whether there are later rows."""
        return self.edge > self.end


@dataclass
class Run:
    """One attempt in this process: says what it does, to the log and to the queue, and asks whether it may."""

    services: Services
    job: Job
    write: Callable[[str], object]
    tell: Tell | None = None
    await_tracking: Callable[[], None] | None = None  # returns when MLflow, which is being started, answers
    share: float = field(default=0.0)

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


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit 0 = done, 1 = failed, 3 = something does not answer, 4 = another attempt owns the job."""
    job_id, epoch = list(sys.argv[1:] if arguments is None else arguments)
    warnings.filterwarnings("ignore", category=FutureWarning)
    services = build(from_environment())
    try:
        job = services.jobs.job(RUNNER, job_id)
        run = Run(services, job, sys.stdout.write)
        if job.epoch != int(epoch):
            run.say(f"epoch {epoch} was taken over by {job.epoch}; nothing is done", "WARN")
            return 4
        return _finish(run)
    finally:
        services.close()


def run_next(
    services: Services, *, on_progress: Tell | None = None, await_tracking: Callable[[], None] | None = None
) -> Mapping[str, Any]:
    """Take the most urgent due job and run it in this process (the demo does); returns its result.

    Args:
        await_tracking: Called when the model is fitted and MLflow is asked for the first time; without it a server
            that does not answer ends the run before anything is fitted.

    Raises:
        Conflict: no retrain job is due.
        MlopsDashError: what made it fail; the job says so too.
    """
    job = services.jobs.claim(RUNNER, f"here:{os.getpid()}")
    if job is not None and job.task is not Task.RETRAIN:
        services.jobs.release(RUNNER, job.id, job.epoch, "Only a worker does this.")
        job = None
    if job is None:
        raise Conflict("No retrain job is due.", hint="Ask for one first.")
    path = services.jobs.log_path(RUNNER, job.id)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8", buffering=1) as file:

        def write(line: str) -> None:
            file.write(f"{services.context.clock.now().astimezone(UTC):%Y-%m-%dT%H:%M:%SZ} {line}")

        run = Run(services, job, write, on_progress, await_tracking)
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


def _finish(run: Run) -> int:
    job, jobs = run.job, run.services.jobs
    try:
        result = train(run)
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
    run.say(f"done: v{result['version']} with {len(result['evidence_ids'])} pieces of evidence")
    return 0


def train(run: Run) -> dict[str, Any]:
    """Train, log, record, judge. Returns version_id, version, run_id and evidence_ids.

    Raises:
        Conflict: another attempt owns the job.
        InvalidInput: the recipe cannot be run on these rows.
        Unavailable: MLflow or a database does not answer.
    """
    services, job = run.services, run.job
    away = "" if run.await_tracking else services.context.registry.why_unreachable()
    if away:  # said before minutes of training, not after
        raise Unavailable(away, hint="The job is tried again when MLflow answers.")
    run.step(0.01, f"attempt {job.attempt} of {job.recipe}: {job.cause}")
    recipe = services.retraining.recipe(RUNNER, job.recipe or "")
    frame = load_flights(data_path(recipe, services.context.settings.home))
    window = window_of(recipe, frame, now=services.context.clock.now())
    run.step(0.04, f"snapshot rows={len(frame):,} train={_span(window.start, window.end)} "
                   f"later={_span(window.end, window.edge) if window.has_holdout else 'none'}")  # fmt: skip
    fitted = recipes.fit(
        recipe_of(recipe, window), frame, lambda done, of, text: run.step(0.05 + 0.55 * done / max(of, 1), text)
    )
    run.say("  ".join(f"{name}={value:.4f}" for name, value in sorted(fitted.metrics.items())))
    if run.await_tracking is not None:
        run.await_tracking()
    uri = services.context.settings.mlflow_uri
    logged = runs.taken_up(uri, fitted, job_id=job.id) if job.epoch > 1 else None
    if job.epoch > 1:
        for orphan in runs.tag_orphans(uri, job_id=job.id):
            run.say(f"run {orphan} of a lost attempt is tagged as an orphan", "WARN")
    if logged is None:
        run.step(0.62, "logging the run, its model and its evaluation rows to MLflow")
        tags = {"mlops_dash.job": job.id, "mlops_dash.epoch": str(job.epoch), "mlops_dash.recipe": recipe.name}
        logged = runs.log_fitted(uri, fitted, tags=tags)
    else:
        run.say(f"a lost attempt has registered this fit as v{logged.version} already; it is taken up")
    run.step(0.72, f"recording v{logged.version}")
    version_id = services.registry.record_version(
        RUNNER, recipe.model, logged.version, run_id=logged.run_id, source_uri=logged.source_uri,
        artifact_digest=logged.artifact_digest, training_start=window.start, training_end=window.end,
        data_digest=fitted.dataset_sha256, recipe=recipe.name, created_by=job.requested_by, note=job.cause,
    )  # fmt: skip
    with ThreadPoolExecutor(1, thread_name_prefix="check") as beside:  # waits for a process that takes seconds to start
        checks = beside.submit(services.evidence.check_version, RUNNER, version_id)
        run.step(0.76, f"keeping the out-of-fold reference of {len(fitted.reference):,} rows")
        reference = with_features(fitted, frame, target_of(recipe.model))
        services.monitoring.record_reference(RUNNER, version_id, reference)
        evidence = _judge(run, recipe, window, version_id, reference)
        run.step(0.94, "checking signature and input example in a fresh process")
        evidence += [one.id for one in checks.result()]
    return {"version_id": version_id, "version": logged.version, "run_id": logged.run_id, "evidence_ids": evidence}


def _judge(run: Run, recipe: Recipe, window: Window, version_id: str, reference: pd.DataFrame) -> list[str]:
    """Compare with the champion on later rows that both scored; without any, measure the version alone."""
    services = run.services
    serving = services.registry.serving(RUNNER, recipe.model)
    if serving is None or not window.has_holdout:
        why = "nothing serves yet" if serving is None else "the recipe keeps no later rows"
        run.step(0.84, f"measuring the version alone, out of fold: {why}")
        bound = f"out of fold by day, {_span(window.start, window.end)}"
        rows = reference[["at", "score", "label"]]
        return [one.id for one in services.evidence.measure(RUNNER, version_id, rows, bound=bound)]
    run.step(0.80, f"scoring the logged rows of {_span(window.end, window.edge)}")
    n = services.scoring.backfill(RUNNER, recipe.model, version_id, window.end, window.edge)
    run.step(0.90, f"comparing with the champion on {n:,} rows that both scored")
    found = services.evidence.compare(RUNNER, recipe.model, version_id, serving.version_id, window.end, window.edge)
    for one in found:
        if one.kind == "paired_difference":
            numbers = "not computable" if one.value is None else f"{one.value:+.4f} [{one.low:+.4f}, {one.high:+.4f}]"
            run.say(f"{one.metric} against the champion: {numbers} n={one.n:,} {one.reason}".rstrip())
    return [one.id for one in found]


def data_path(recipe: Recipe, home: Path) -> Path:
    """Where the recipe's rows are."""
    return data_file(str(recipe.parameters.get("data", DATA)), home)


def window_of(recipe: Recipe, frame: pd.DataFrame, *, now: datetime) -> Window:
    """The training window ends `holdout_days` before the last day whose labels are known now.

    Counted from the rows and not from the clock: in a world that lives on after its last flight, the later rows that a
    challenger is judged on stay the same.

    Raises:
        InvalidInput: a parameter cannot be read, or nothing is left to train on.
    """
    given = recipe.parameters
    start = instant(str(given.get("train_start", "")))
    days = given.get("holdout_days", HOLDOUT_DAYS)
    if not isinstance(days, int) or isinstance(days, bool) or days < 0:
        raise InvalidInput(f"holdout_days is {days!r}.", hint="Use a whole number of days, 0 for none.")
    target = target_of(recipe.model)
    known = frame.loc[(frame[target.known_at] <= now) & frame[target.label].notna(), "scheduled_at"]
    if known.empty:
        raise InvalidInput(f"No flight has a label at {now:%Y-%m-%d %H:%M} UTC.", hint="Wait for labels.")
    last = known.max().tz_convert(ZONE).date()
    edge = min(_midnight(last + timedelta(days=1)), now)
    end = _midnight(edge.astimezone(ZONE).date() - timedelta(days=days)) if days else edge
    if end <= start:
        raise InvalidInput(
            f"{days} days held out before {edge:%Y-%m-%d} leave nothing after {start:%Y-%m-%d}.",
            hint="Train from an earlier day, or hold fewer days out.",
        )
    return Window(start.astimezone(UTC), end, edge)


def recipe_of(recipe: Recipe, window: Window) -> recipes.Recipe:
    """The training recipe: our stored parameters with the window filled in.

    Raises:
        InvalidInput: a parameter that nothing reads (a typing error would silently change nothing).
    """
    given = recipe.parameters
    model_parameters = dict(given.get("parameters", {}))
    unknown = sorted([*(set(given) - _KNOWN), *(set(model_parameters) - _MODEL_PARAMETERS)])
    if unknown:
        raise InvalidInput(
            f"The recipe {recipe.name} has parameters nobody reads: {', '.join(unknown)}.",
            hint=f"Known: {', '.join(sorted(_KNOWN))}; below 'parameters': {', '.join(sorted(_MODEL_PARAMETERS))}.",
        )
    return recipes.Recipe(
        name=recipe.name, model_name=recipe.model, parameters={**recipes.BASE, **model_parameters},
        start=window.start.astimezone(ZONE), end=window.end.astimezone(ZONE), seed=int(given.get("seed", 1)),
        validation_days=int(given.get("validation_days", 14)), folds=int(given.get("folds", 5)),
    )  # fmt: skip


def with_features(fitted: FittedModel, frame: pd.DataFrame, target: Target = LATE_ARRIVAL) -> pd.DataFrame:
    """The out-of-fold rows with their time and features: what live traffic will be compared with."""
    rows = fitted.reference
    known = frame.set_index("flight_id")[["scheduled_at", *target.feature_names]].reindex(rows["row_id"])
    joined = known.rename(columns={"scheduled_at": "at"}).reset_index(drop=True)
    return joined.assign(score=rows["score"].to_numpy(), label=rows["label"].to_numpy())


def _midnight(day: date) -> datetime:
    return recipes.new_york(day).astimezone(UTC)


def _span(start: datetime, end: datetime) -> str:
    first, last = start.astimezone(ZONE), (end - timedelta(seconds=1)).astimezone(ZONE)
    return f"{first:%Y-%m-%d}..{last:%Y-%m-%d}"


if __name__ == "__main__":
    raise SystemExit(main())
