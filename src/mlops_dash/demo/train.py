"""Train the story's versions: queued as a person would, run here and now, and never twice."""

from __future__ import annotations

from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor, as_completed

from mlops_dash import runner
from mlops_dash.bootstrap import Services
from mlops_dash.demo.journal import Journal
from mlops_dash.demo.story import REPLAY, SCIENTIST
from mlops_dash.domain.words import JobState
from mlops_dash.errors import Conflict

Tell = Callable[[float, str], None]


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

        return str(runner.run_next(services, on_progress=say)["version_id"])

    with ThreadPoolExecutor(max_workers=max(len(asked), 1), thread_name_prefix="recipe") as pool:
        for one in as_completed([pool.submit(run, number) for number in shares]):
            version = services.registry.version(REPLAY, one.result())
            found[version.recipe] = version.id
    for name, version_id in found.items():
        journal.note(name, version_id)
    return {name: str(version_id) for name, version_id in found.items()}


def _made(services: Services, recipe: str) -> str | None:
    """The version that an interrupted start made and could not note."""
    model = services.retraining.recipe(REPLAY, recipe).model
    done = services.jobs.recent(REPLAY, model=model, states=(JobState.SUCCEEDED,))
    return next((str((one.result or {})["version_id"]) for one in done if one.recipe == recipe), None)
