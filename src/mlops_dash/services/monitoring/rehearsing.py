"""A monitoring policy before it is saved: run over the recorded history of what is served, beside the one in force.

Only profiles are read, nothing is stored, and no alert is touched.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from mlops_dash.domain.access import Actor, Permission
from mlops_dash.domain.monitoring.judging import Episode, episodes
from mlops_dash.domain.monitoring.policy_replay import Drop, PolicyReplay, is_worse, outcome_of
from mlops_dash.domain.monitoring.words import task_of
from mlops_dash.domain.policies import MonitoringPolicy, PolicyKind, policy_body
from mlops_dash.errors import InvalidInput, NotFound
from mlops_dash.services.command import Context, read
from mlops_dash.services.monitoring.alerting import OURS, episodes_of
from mlops_dash.services.monitoring.course import Course, Kept, kept_of
from mlops_dash.services.monitoring.days import days_of
from mlops_dash.services.monitoring.grouping import window_groups
from mlops_dash.services.monitoring.judging import judge
from mlops_dash.services.monitoring.referencing import recut
from mlops_dash.store import policies
from mlops_dash.store.db import reading
from mlops_dash.store.monitoring import alerts as alert_store
from mlops_dash.store.monitoring import profiles, references
from mlops_dash.store.monitoring import readings as store
from mlops_dash.store.monitoring.readings import Version
from mlops_dash.store.monitoring.references import Reference

MOST_WINDOWS = 200  # the latest ones: a replay is watched while it runs


class Rehearsing:
    """The verb of a replayed policy."""

    def __init__(self, context: Context) -> None:
        self.context = context

    @read(Permission.ROOM_READ)
    def replay_policy(self, actor: Actor, model: str, body: Mapping[str, Any]) -> PolicyReplay:
        """What a monitoring policy would have done over the recorded history, beside the one in force.

        Args:
            actor: Who asks.
            model: The model.
            body: Of the policy; what it leaves out gets its default.

        Raises:
            NotFound: no such model, or nothing of it is watched.
            InvalidInput: a field is unknown or out of range, or the history cannot be put together that way.
        """
        now = self.context.clock.now()
        with reading(self.context.databases.app) as session:
            if model not in store.model_names(session):
                raise NotFound(f"No model {model}.", hint="Choose one from the list.")
            task, window = policies.task_of(session, model), policies.cadence_of(session, model)
            whole = policy_body(PolicyKind.MONITORING, body, task, window=window)
            version = store.champion(session, model)
            reference = None if version is None else references.reference(session, version.id)
            current = policies.active(session, model, PolicyKind.MONITORING, now).monitoring
            if version is None or reference is None:
                raise NotFound(
                    f"Nothing of {model} is watched yet.", hint="It needs a served version with a reference."
                )
            kept = replace(kept_of(session, version), previous={})
            alerts = [one for one in alert_store.alerts(session, model) if one.version == version.version]
        proposed = MonitoringPolicy(**whole)
        first = self._course(version, reference, current, kept, now)
        second = self._course(version, reference, proposed, kept, now)
        if not first.readings:
            raise InvalidInput(f"No window of {model} is judged yet.", hint="Replay it when some are.")
        start, end = first.readings[0].start, first.readings[-1].end
        drops = drops_of(first, current)
        days = (end - start) / timedelta(days=1)
        said = [str(one.body.get("feedback", "")) for one in alerts]
        in_force, other = (
            outcome_of(_called(policy, course), drops, days=days, ends={one.start: one.end for one in course.readings})
            for policy, course in ((current, first), (proposed, second))
        )
        return PolicyReplay(
            model, version.version, start, end, len(first.readings), current.cadence.name, drops, in_force, other,
            said.count("useful"), said.count("noise"),
        )  # fmt: skip

    def _course(
        self, version: Version, reference: Reference, policy: MonitoringPolicy, kept: Kept,
        now: datetime,
    ) -> Course:  # fmt: skip
        cut = recut(reference, policy)
        with reading(self.context.databases.log) as session:
            zone = profiles.zone_of(session, reference.id) or policy.zone
            stored = profiles.pieces(session, reference.id, policy.cadence.pieces)
        if cut is None:
            raise InvalidInput(
                f"The history cannot be judged by the {policy.cadence.name}: it was kept by other windows.",
                hint="Leave `window` as it is.",
            )
        if zone != policy.zone:
            raise InvalidInput(
                f"The history was cut into days of {zone}, so it cannot be replayed in {policy.zone}.",
                hint="Leave `zone` as it is.",
            )
        days = days_of(cut, stored, policy, until=now)
        latest = days[-MOST_WINDOWS:]
        numbered = [replace(day, number=number) for number, day in enumerate(latest)]
        return judge(version, cut, policy, numbered, kept, groups=window_groups(self.context.databases, cut))


def _called(policy: MonitoringPolicy, course: Course) -> dict[str, tuple[Episode, ...]]:
    return {kind: episodes_of(kind, policy, course) for kind in OURS}


def drops_of(course: Course, policy: MonitoringPolicy) -> tuple[Drop, ...]:
    """When the model was really worse, by hindsight.

    Args:
        course: Its windows, judged by the policy in force.
        policy: That policy; its tolerance is what counts as worse.
    """
    means = {key: (one.mean, one.tolerance) for key, one in course.references.items() if one.computable}
    ripe = [one for one in course.readings if one.ripe and one.n_labelled]
    if not ripe:
        return ()
    task = task_of(ripe[-1])
    worse = {one.start: is_worse(one, task.harm_watches, means) for one in ripe}
    found = episodes("drop", [(start, watch is not None) for start, watch in worse.items()],
                     quiet=policy.hysteresis_of)  # fmt: skip
    return tuple(Drop(one.first, one.last, watch.label) for one in found if (watch := worse[one.first]) is not None)
