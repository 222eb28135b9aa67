"""The demo's steps in order, each with about how many seconds it takes: people, rules, runs, months, decisions."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

import pandas as pd

from mlops_dash.bootstrap import Services
from mlops_dash.clock import Clock
from mlops_dash.demo import ab_tests, last_day, often, replay, reports, siblings, week
from mlops_dash.demo.flights.recipes import BASE
from mlops_dash.demo.flights.train import ENTRY
from mlops_dash.demo.journal import Journal
from mlops_dash.demo.progress import Progress
from mlops_dash.demo.story import (
    ADMIN,
    CONFIRM_SECONDS,
    LEAD,
    MODEL,
    MONITORING,
    PROMOTION,
    RECIPE_FIRST,
    RECIPE_HASTY,
    RECIPE_REFRESH,
    REPLAY,
    SCIENTIST,
    ZONE,
    Story,
)
from mlops_dash.demo.sweep import Beside
from mlops_dash.demo.train import train
from mlops_dash.domain.policies import PolicyKind
from mlops_dash.domain.registry.records import Proposal
from mlops_dash.domain.retraining import Misfire, Recipe, ScheduleDraft
from mlops_dash.domain.starting import ScheduleKind
from mlops_dash.domain.words import JobState, OperationState
from mlops_dash.errors import Conflict, Unavailable


@dataclass(frozen=True)
class Stage:
    """What every step works with."""

    services: Services
    clock: Clock
    story: Story
    journal: Journal
    progress: Progress
    flights: pd.DataFrame
    sweep: Beside


def _people(stage: Stage) -> None:
    """The accounts, the model, the rules: a lead writes each policy, an admin puts it into force."""
    services = stage.services
    replay.drive(stage.clock, stage.story.first_at - timedelta(days=2))
    services.access.ensure_demo_users(REPLAY)
    services.registry.add_model(
        SCIENTIST, MODEL, title="Late arrivals out of New York", owner="scientist", reason="first model of the team"
    )
    for kind, body in ((PolicyKind.PROMOTION, PROMOTION), (PolicyKind.MONITORING, MONITORING)):
        made = services.policies.propose(LEAD, MODEL, kind, body.as_json(), reason=f"how {MODEL} is judged")
        services.policies.activate(ADMIN, made.id, reason="read and agreed")
    for recipe in _recipes(stage.story):
        services.retraining.save_recipe(ADMIN, recipe)


def _recipes(story: Story) -> tuple[Recipe, ...]:
    def recipe(name: str, train_start: str, holdout_days: int, *, validation_days: int, folds: int) -> Recipe:
        return Recipe(
            name=name,
            model=MODEL,
            entry=ENTRY,
            parameters={
                "train_start": train_start,
                "holdout_days": holdout_days,
                "validation_days": validation_days,
                "seed": 1,
                "folds": folds,
                "parameters": dict(BASE),
            },
            timeout_seconds=900,
            memory_mib=4096,
            max_attempts=2,
        )

    return (
        recipe(RECIPE_FIRST, "2013-01-01T00:00:00-05:00", 0, validation_days=14, folds=5),
        recipe(RECIPE_HASTY, "2013-04-01T00:00:00-04:00", 10, validation_days=5, folds=3),
        recipe(RECIPE_REFRESH, "2013-01-01T00:00:00-05:00", story.holdout_days, validation_days=28, folds=3),
    )


def _reports(stage: Stage) -> None:
    """The reviews of the last two weeks, as a lead would make them on Mondays."""
    reports.weekly_reviews(stage.services)


def _sweep(stage: Stage) -> None:
    """The runs of leaves x learning rate x seed, which another process made meanwhile, are all in MLflow."""
    stage.sweep.wait(stage.progress.tell)


def _first_versions(stage: Stage) -> None:
    """Train the first version of each model on January and February, and promote it before the first flight."""
    services, story = stage.services, stage.story
    replay.drive(stage.clock, story.first_at)
    siblings.introduce(services, story)
    recipes = [RECIPE_FIRST, *(one.recipe.name for one in siblings.SIBLINGS)]
    versions = train(services, stage.journal, recipes, reason="the first version", tell=stage.progress.tell)
    _catch_up(stage)
    _promote(
        stage,
        versions[RECIPE_FIRST],
        comment="First version: nothing serves yet.",
        reason="the first version goes live",
    )
    siblings.go_live(services, versions)


def _until_hasty(stage: Stage) -> None:
    _replay(stage, stage.story.start, stage.story.hasty_at)


def _hasty(stage: Stage) -> None:
    """Three weeks of April, ten days of evidence: promoted, with version 1 as shadow."""
    replay.drive(stage.clock, stage.story.hasty_at)
    version_id = _train(stage, RECIPE_HASTY, "April looks different; try a model of April alone")
    _promote(
        stage, version_id, comment="April alone, judged on the last ten days of April.", reason="better on late April"
    )


def _until_rollback(stage: Stage) -> None:
    _replay(stage, stage.story.hasty_at, stage.story.rolled_back_at)


def _rollback(stage: Stage) -> None:
    """A week later the same comparison, on the week it served, says what it cost."""
    services, story = stage.services, stage.story
    replay.drive(stage.clock, story.rolled_back_at + timedelta(days=1))
    begun = services.registry.room(LEAD, MODEL).operation
    if begun is not None and begun.kind == "rollback":  # decided by a start that was broken off
        _deliver(stage, begun.id)
        return
    hasty, first = stage.journal.noted(RECIPE_HASTY), stage.journal.noted(RECIPE_FIRST)
    found = services.evidence.compare(LEAD, MODEL, hasty, first, story.hasty_at, story.rolled_back_at)
    brier = next(one for one in found if one.kind == "paired_difference" and one.metric == "brier")
    said = "not measurable" if brier.value is None else f"{brier.value:+.3f} [{brier.low:+.3f}, {brier.high:+.3f}]"
    rows = f"{brier.n:,} flights on {brier.n_clusters} days"
    reason = f"Brier score against version 1 in its first week: {said}, {rows}"
    operation = services.registry.begin_rollback(LEAD, MODEL, reason=reason.replace("-", "−"))
    _deliver(stage, operation)


def _until_last_day(stage: Stage) -> None:
    _replay(stage, stage.story.rolled_back_at, stage.story.last_day)


def _last_day(stage: Stage) -> None:
    """The last day over HTTP, which is mostly waiting; meanwhile the other models answer the story's flights."""
    with siblings.playing(stage.services, stage.flights, stage.story) as fleet:
        last_day.play(
            stage.services, stage.flights, day=stage.story.last_day, midnight=stage.story.end,
            tell=lambda share, text: stage.progress.tell(share / 2, text),
        )  # fmt: skip
        fleet.wait(lambda share, text: stage.progress.tell(0.5 + share / 2, text))
    replay.drive(stage.clock, stage.story.end)
    replay.watch(stage.services)
    ab_tests.on_midnight(stage.services, stage.story.end)


def _challenger(stage: Stage) -> None:
    """Retrain on everything before the hold-out, judge on the hold-out, and leave the proposal waiting."""
    services = stage.services
    replay.drive(stage.clock, stage.story.end + timedelta(minutes=1))
    with suppress(Conflict):  # saved by a start that was broken off
        services.retraining.save_schedule(
            SCIENTIST,
            ScheduleDraft(
                name="monthly refresh",
                kind=ScheduleKind.CRON,
                expression="0 6 1 * *",
                zone=ZONE,
                recipe=RECIPE_REFRESH,
                misfire=Misfire.SKIP,
            ),
        )
    alerts = services.monitoring.room(SCIENTIST, MODEL).alerts
    alert_id = alerts[0].id if alerts else None
    version_id = _train(
        stage, RECIPE_REFRESH, "answer to the alert" if alerts else "the quarter is over", alert_id=alert_id
    )
    said = f"Trained on everything before the last {stage.story.holdout_days} days, judged on those."
    _proposed(stage, version_id, comment=said, alert_id=alert_id)


def _often(stage: Stage) -> None:
    """What the past says about how often to retrain; the short story has too few months for it."""
    if stage.story.mode == "full":
        often.ask(stage.services, stage.progress.tell)
        _catch_up(stage)


def _finish(stage: Stage) -> None:
    """From here on the world lives: its clock goes on from the end of the data in every process."""
    stage.services.audit.anchor(REPLAY)
    week.hold_back(stage.services)
    last_day.set_world_clock(stage.services, stage.story.end + timedelta(minutes=5))


def _replay(stage: Stage, start: datetime, end: datetime) -> None:
    begin = max(start, stage.journal.time("replayed_until", start))
    total = max((end - start).days, 1)

    def after_day(day: datetime, midnight: datetime) -> None:
        ab_tests.on_midnight(stage.services, midnight)
        stage.journal.note("replayed_until", midnight.isoformat())
        stage.progress.tell((midnight - start).days / total, f"Replaying {day:%d %B %Y}")

    replay.play(
        stage.services, stage.clock, stage.flights, first=stage.story.start, start=begin, end=end, after_day=after_day
    )
    replay.watch(stage.services)


def _train(stage: Stage, recipe: str, reason: str, *, alert_id: str | None = None) -> str:
    done = train(stage.services, stage.journal, [recipe], reason=reason, tell=stage.progress.tell, alert_id=alert_id)
    _catch_up(stage)
    return done[recipe]


def _catch_up(stage: Stage) -> None:
    """Go on after the last job: a start that was broken off may have come further in the story's time than this one."""
    done = stage.services.jobs.recent(REPLAY, states=(JobState.SUCCEEDED,))
    last = max((one.finished_at for one in done if one.finished_at is not None), default=None)
    if last is not None and stage.clock.now() < last:
        replay.drive(stage.clock, last)


def _promote(stage: Stage, version_id: str, *, comment: str, reason: str) -> None:
    """Propose as scientist, approve as lead, promote as lead; a gate that cannot pass is lifted by two people.

    What a start that was broken off has decided is not decided again.
    """
    registry = stage.services.registry
    begun = registry.room(LEAD, MODEL, version_id).operation
    if begun is None or begun.to_version_id != version_id:
        proposal = _proposed(stage, version_id, comment=comment)
        for gate in registry.room(LEAD, MODEL, version_id).gates:
            if not gate.opens:
                proposal = _lifted(stage, proposal, gate.name, gate.reason)
        if not registry.room(LEAD, MODEL, version_id).approvals_counted:
            proposal = registry.approve(LEAD, proposal.id, proposal.revision, comment="read the evidence")
        first = stage.journal.noted(RECIPE_FIRST)
        shadows = [first] if version_id != first else []
        operation = registry.begin_promotion(LEAD, proposal.id, proposal.revision, reason=reason, shadows=shadows)
    else:
        operation = begun.id
    _deliver(stage, operation)


def _proposed(stage: Stage, version_id: str, *, comment: str, alert_id: str | None = None) -> Proposal:
    """The open proposal of the version, made now where there is none."""
    known = stage.services.registry.room(SCIENTIST, MODEL, version_id).proposal
    if known is not None and known.version_id == version_id and known.is_open(stage.clock.now()):
        return known
    return stage.services.registry.propose(SCIENTIST, version_id, comment=comment, alert_id=alert_id)


def _lifted(stage: Stage, proposal: Proposal, gate: str, reason: str) -> Proposal:
    """The proposal after two people have lifted a gate; one of them may have done so before."""
    why = f"{gate}: {reason.rstrip('.')}; accepted for a short trial with the champion as shadow"
    for person in (LEAD, ADMIN):
        try:
            proposal = stage.services.registry.override_gate(
                person, proposal.id, proposal.revision, gate=gate, reason=why, days=7
            )
        except Conflict:  # in a start that was broken off
            proposal = _proposed(stage, proposal.version_id, comment="")
    return proposal


def _deliver(stage: Stage, operation: str) -> None:
    """Move the alias and wait until the running gateway says that it answers with the new version."""
    services = stage.services
    last_day.set_world_clock(services, stage.clock.now())
    services.registry.finish_promotion(LEAD, operation)
    until = time.monotonic() + CONFIRM_SECONDS
    while time.monotonic() < until:
        services.registry.reconcile(REPLAY)
        room = services.registry.room(LEAD, MODEL)
        if room.operation is not None and room.operation.state is OperationState.CONFIRMED:
            return
        time.sleep(0.3)
    raise Unavailable("The gateway does not answer with the approved version.", hint="See its log in the demo's home.")


Step = Callable[[Stage], None]
Weight = Callable[[Story], float]


def _days(first: str, last: str) -> Weight:
    def weight(story: Story) -> float:
        span: timedelta = getattr(story, last) - getattr(story, first)
        return max(span.days * 0.2, 1.0)

    return weight


def _fixed(seconds: float) -> Weight:
    return lambda _story: seconds


STEPS: Mapping[str, tuple[Weight, Step]] = {
    "Making accounts and policies": (_fixed(1), _people),
    "Training first versions on January and February": (_fixed(20), _first_versions),
    "Replaying to 1 May": (_days("start", "hasty_at"), _until_hasty),
    "Training version 2 on April": (_fixed(8), _hasty),
    "Replaying its week": (_days("hasty_at", "rolled_back_at"), _until_rollback),
    "Rolling back": (_fixed(1), _rollback),
    "Replaying to the last day": (_days("rolled_back_at", "last_day"), _until_last_day),
    "Sending the last day over HTTP": (lambda story: 6.0 + (story.end - story.start).days * 0.1, _last_day),
    "Training the challenger": (lambda story: 10.0 + (story.end - story.first_at).days * 0.1, _challenger),
    "Asking the past how often to retrain": (lambda story: 60.0 if story.mode == "full" else 0.1, _often),
    "Writing the weekly reviews": (_fixed(3), _reports),
    "Waiting for the sweep": (_fixed(5), _sweep),
    "finish": (_fixed(0.1), _finish),
}
BEFORE_MLFLOW = frozenset(list(STEPS)[:2])  # models are fitted while its server starts; logging them waits for it
