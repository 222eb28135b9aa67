"""Train the story's versions: queued as a person would, run here and now, and never twice."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor, as_completed

from threadpoolctl import threadpool_limits

from mlops_dash import runner
from mlops_dash.bootstrap import Services
from mlops_dash.demo.journal import Journal
from mlops_dash.demo.story import REPLAY, SCIENTIST
from mlops_dash.domain.words import JobState
from mlops_dash.errors import Conflict

Tell = Callable[[float, str], None]
_MLFLOW_SECONDS = 120.0
_DUE_SECONDS = 10.0


def train(
    services: Services, journal: Journal, recipes: Collection[str], *, reason: str, tell: Tell,
    alert_id: str | None = None,
) -> dict[str, str]:  # fmt: skip
    """Run a job of each recipe, all at once; gives the version's id by recipe.

    Half of a job's time is waiting for MLflow and for the process that checks the model. What an interrupted start has
    finished is not made again, what it has begun is taken up.

    Raises:
        Unavailable: MLflow does not answer.
    """
    found = {name: journal.noted(name) or _made(services, name) for name in recipes}
    asked = [name for name, version_id in found.items() if version_id is None]
    for name in asked:
        try:
            services.retraining.run_now(SCIENTIST, name, reason, alert_id=alert_id)
        except Conflict:  # queued by an interrupted start
            services.jobs.reap(REPLAY, 0.0)
    shares = dict.fromkeys(range(len(asked)), 0.0)

    def run(number: int) -> str:
        def say(share: float, text: str) -> None:
            shares[number] = share
            tell(sum(shares.values()) / len(shares), text)

        until = time.monotonic() + _DUE_SECONDS
        while True:
            try:
                return str(runner.run_next(services, on_progress=say, patience=_MLFLOW_SECONDS)["version_id"])
            except Conflict:  # queued by a start that was slower: due some moments later by the story's clock
                if time.monotonic() > until:
                    raise
                time.sleep(0.1)

    with ThreadPoolExecutor(max(len(asked), 1), thread_name_prefix="recipe", initializer=one_core) as pool:
        for one in as_completed([pool.submit(run, number) for number in shares]):
            version = services.registry.version(REPLAY, one.result())
            found[version.recipe] = version.id
    wait_for_mlflow(services)
    for name, version_id in found.items():
        journal.note(name, version_id)
    return {name: str(version_id) for name, version_id in found.items()}


def wait_for_mlflow(services: Services) -> None:
    """Wait until the server, which was started with us, answers.

    Raises:
        Unavailable: it does not.
    """
    services.context.registry.wait(_MLFLOW_SECONDS, hint="See mlflow.out.log beside the other logs.")


def one_core() -> None:
    """Keep this thread's OpenMP to one core: trees are small, and a second one spins more than it works.

    The limit belongs to the thread that sets it, so every thread that fits or scores sets its own.
    """
    threadpool_limits(limits=1)


def _made(services: Services, recipe: str) -> str | None:
    """The version that an interrupted start made and could not note."""
    model = services.retraining.recipe(REPLAY, recipe).model
    done = services.jobs.recent(REPLAY, model=model, states=(JobState.SUCCEEDED,))
    return next((str((one.result or {})["version_id"]) for one in done if one.recipe == recipe), None)
