"""The fleet: two more models on the same flights, each with its own label, clock of labels and policies.

`departure-delay` says whether a flight leaves more than 15 minutes late; `air-time` how many minutes it is in the air
(a regression, judged by its MAE). Each first version is trained on January and February and then answers every flight
of the story. To be cheap, their traffic is not replayed hour by hour: a month of flights is scored at once with each
flight's own time, and a label is received when it was known. What comes out is the same.

Both steps may be called again after they were interrupted: they go on where they stopped.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

import pandas as pd

from mlops_dash import bootstrap
from mlops_dash.bootstrap import Services
from mlops_dash.clock import Clock
from mlops_dash.demo import last_day, replay
from mlops_dash.demo.flights.columns import AIR_TIME, LATE_DEPARTURE, Target, features_of
from mlops_dash.demo.flights.train import ENTRY
from mlops_dash.demo.journal import Journal
from mlops_dash.demo.story import ADMIN, CONFIRM_SECONDS, LEAD, REPLAY, SCIENTIST, ZONE, Story
from mlops_dash.demo.train import one_core
from mlops_dash.domain.policies import MonitoringPolicy, PolicyKind, PromotionPolicy
from mlops_dash.domain.retraining import Recipe
from mlops_dash.domain.words import OperationState
from mlops_dash.errors import Conflict, Unavailable

Tell = Callable[[float, str], None]
_CHUNK = timedelta(days=31)


@dataclass(frozen=True)
class Sibling:
    """One model of the fleet."""

    target: Target
    title: str
    promotion: PromotionPolicy
    monitoring: MonitoringPolicy

    @property
    def recipe(self) -> Recipe:
        """Everything up to now, judged out of fold: there is no champion to compare with yet."""
        return self._recipe("first", holdout_days=0)

    def refresh(self, story: Story) -> Recipe:
        """What the retrain button runs: everything but the last days, judged on those beside the champion."""
        return self._recipe("refresh", holdout_days=story.holdout_days)

    def _recipe(self, name: str, *, holdout_days: int) -> Recipe:
        return Recipe(
            name=f"{self.target.model}-{name}",
            model=self.target.model,
            entry=ENTRY,
            parameters={
                "train_start": "2013-01-01T00:00:00-05:00",
                "holdout_days": holdout_days,
                "validation_days": 14,
                "seed": 1,
                "folds": 2,
                "parameters": {"max_iter": 40, "learning_rate": 0.15, "max_leaf_nodes": 15, "min_samples_leaf": 100},
            },
            timeout_seconds=600,
            memory_mib=4096,
            max_attempts=2,
        )


SIBLINGS = (
    Sibling(
        LATE_DEPARTURE,
        "Late departures out of New York",
        PromotionPolicy(guardrail_margin=0.005, floor_metric="auc", floor=0.60),
        MonitoringPolicy(zone=ZONE),
    ),
    Sibling(
        AIR_TIME,
        "Minutes in the air",
        PromotionPolicy(
            primary="mae", guardrail="rmse", guardrail_margin=0.25, floor_metric="mae", floor=10.0, min_clusters=10
        ),
        MonitoringPolicy(zone=ZONE, primary="mae", label_unit="min"),
    ),
)


def introduce(services: Services, story: Story) -> None:
    """The models, their policies (a lead writes, an admin puts into force) and recipes, before the first flight."""
    replay.drive(services.context.clock, story.first_at)
    for sibling in SIBLINGS:
        _introduce(services, sibling, story)


def go_live(services: Services, versions: Mapping[str, str]) -> None:
    """Propose, approve and promote the first version of each, and wait until the gateway answers with them.

    Args:
        versions: The id of the first version by recipe.

    Raises:
        Unavailable: MLflow or the gateway does not answer.
    """
    operations = {one.target.model: _promote(services, one.target.model, versions[one.recipe.name]) for one in SIBLINGS}
    last_day.set_world_clock(services, services.context.clock.now())
    for operation in operations.values():
        services.registry.finish_promotion(LEAD, operation)
    _confirmed(services, operations)


class Playing:
    """`play` in a thread, with services and a clock of its own."""

    def __init__(self, services: Services, flights: pd.DataFrame, story: Story) -> None:
        self._services = bootstrap.build(services.context.settings, clock=Clock())
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="fleet", initializer=one_core)
        self._said = (0.0, "The other models answer")
        self._stopped = False
        journal = Journal(self._services, "demo_fleet")  # one writer each
        self._done = self._pool.submit(play, self._services, journal, flights, story, tell=self._hear)

    def wait(self, tell: Tell) -> None:
        """Until it is done; raises what it raised."""
        while not self._done.done():
            tell(*self._said)
            time.sleep(0.1)
        self._done.result()

    def close(self) -> None:
        """End it after the month that is being scored; the next start goes on from there."""
        self._stopped = True
        self._pool.shutdown()
        self._services.close()

    def _hear(self, share: float, text: str) -> None:
        if self._stopped:
            raise Conflict("The demo was stopped.")
        self._said = (share, text)


@contextmanager
def playing(services: Services, flights: pd.DataFrame, story: Story) -> Iterator[Playing]:
    """The flights of the story through the other models, beside whatever is done meanwhile."""
    fleet = Playing(services, flights, story)
    try:
        yield fleet
    finally:
        fleet.close()


def play(services: Services, journal: Journal, flights: pd.DataFrame, story: Story, *, tell: Tell) -> None:
    """Score every flight of the story with both, bring the labels that are known at its end, and judge the windows."""
    replay.drive(services.context.clock, story.end)
    with _without_collector():
        _play(services, journal, flights, story, tell)


def _play(services: Services, journal: Journal, flights: pd.DataFrame, story: Story, tell: Tell) -> None:
    for number, sibling in enumerate(SIBLINGS):
        model, share = sibling.target.model, number / len(SIBLINGS)
        begin = journal.time(f"{model}_until", story.start)
        while begin < story.end:
            until = min(begin + _CHUNK, story.end)
            tell(share, f"{model}: {begin:%d %B} to {until:%d %B %Y}")
            scheduled = flights["scheduled_at"]
            _score(services, sibling.target, flights[(scheduled >= begin) & (scheduled < until)], known_by=story.end)
            journal.note(f"{model}_until", until.isoformat())
            share, begin = share + (until - begin) / (story.end - story.start) / (2 * len(SIBLINGS)), until
    while services.monitoring.profile_dirty_hours(REPLAY).left:
        tell(0.9, "Profiling the fleet")
    for sibling in SIBLINGS:
        services.monitoring.evaluate(REPLAY, sibling.target.model)


@contextmanager
def _without_collector() -> Iterator[None]:
    """Python looks for cycles among a million rows that have none: a fifth of the time."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _introduce(services: Services, sibling: Sibling, story: Story) -> None:
    model = sibling.target.model
    if model not in {one.name for one in services.registry.models(LEAD)}:
        services.registry.add_model(
            SCIENTIST, model, title=sibling.title, task=sibling.target.task, owner="scientist",
            reason="the same flights, another question",
        )  # fmt: skip
    bodies = {PolicyKind.PROMOTION: sibling.promotion.as_json(), PolicyKind.MONITORING: sibling.monitoring.as_json()}
    for kind, body in bodies.items():
        known = services.policies.history(LEAD, model, kind)
        made = (
            known[0] if known else services.policies.propose(LEAD, model, kind, body, reason=f"how {model} is judged")
        )
        if not made.is_active:
            services.policies.activate(ADMIN, made.id, reason="read and agreed")
    for recipe in (sibling.recipe, sibling.refresh(story)):
        services.retraining.save_recipe(ADMIN, recipe)


def _promote(services: Services, model: str, version_id: str) -> str:
    """Propose as scientist, approve and decide as lead; gives the operation that is to be carried out."""
    registry = services.registry
    room = registry.room(LEAD, model)
    if room.operation is not None:
        return room.operation.id
    proposal = room.proposal or registry.propose(
        SCIENTIST, version_id, comment="First version: nothing serves yet. Judged out of fold, days as clusters."
    )
    if not room.approvals_counted:
        proposal = registry.approve(LEAD, proposal.id, proposal.revision, comment="read the evidence")
    return registry.begin_promotion(LEAD, proposal.id, proposal.revision, reason="the first version goes live")


def _confirmed(services: Services, operations: Mapping[str, str]) -> None:
    """Wait until the running gateway says that it answers with these versions."""
    waiting, until = dict(operations), time.monotonic() + CONFIRM_SECONDS
    while waiting:
        services.registry.reconcile(REPLAY)
        for model, operation in operations.items():
            if services.registry.operation(LEAD, operation).state is OperationState.CONFIRMED:
                waiting.pop(model, None)
        if waiting and time.monotonic() > until:
            raise Unavailable(
                f"The gateway does not answer with {', '.join(waiting)}.", hint="See its log in the demo's home."
            )
        if waiting:
            time.sleep(0.2)


def _score(services: Services, target: Target, rows: pd.DataFrame, *, known_by: datetime) -> None:
    """Answer these flights at the hours they are scheduled for; labels are received when they were known."""
    services.scoring.score(
        REPLAY,
        target.model,
        features_of(rows, target),
        ids=rows["flight_id"].tolist(),
        at=_instants(rows["scheduled_at"]),
        batch_id=replay.batches(rows["scheduled_at"]),
    )
    known = rows[rows[target.label].notna() & (rows[target.known_at] <= known_by)]
    if known.empty:
        return
    labels = pd.DataFrame(
        {
            "prediction_id": known["flight_id"].to_numpy(),
            "value": known[target.label].astype("float64").to_numpy(),
            "observed_at": known[target.known_at].array,
        }
    )
    services.scoring.record_labels(REPLAY, target.model, labels, received_at=_instants(known[target.known_at]))


def _instants(times: pd.Series) -> list[datetime]:
    return list(pd.DatetimeIndex(times).to_pydatetime())  # plain datetimes are quicker than pandas' own
