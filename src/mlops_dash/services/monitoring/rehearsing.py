"""A monitoring policy before it is saved: run over the recorded history of what is served, beside the one in force.

Only profiles are read, nothing is stored, and no alert is touched.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from mlops_dash.domain.access import Actor, Permission
from mlops_dash.domain.monitoring.judging import Episode, episodes
from mlops_dash.domain.monitoring.policy_replay import Drop, PolicyReplay, Span, is_worse, outcome_of
from mlops_dash.domain.monitoring.words import task_of
from mlops_dash.domain.policies import MonitoringPolicy, PolicyKind, policy_body
from mlops_dash.errors import InvalidInput, NotFound
from mlops_dash.services.command import Context, read
from mlops_dash.services.monitoring.alerting import OURS, episodes_of
from mlops_dash.services.monitoring.course import Course, Day, kept_of
from mlops_dash.services.monitoring.days import days_of
from mlops_dash.services.monitoring.grouping import window_groups
from mlops_dash.services.monitoring.judging import judge
from mlops_dash.services.monitoring.referencing import recut
from mlops_dash.store import policies
from mlops_dash.store.db import reading
from mlops_dash.store.monitoring import alerts as alert_store
from mlops_dash.store.monitoring import profiles, references
from mlops_dash.store.monitoring import readings as store
from mlops_dash.store.monitoring.references import Reference

MOST_WINDOWS = 200  # the latest ones of either policy: a replay is watched while it runs


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
            kept = replace(kept_of(session, version, currency=self.context.settings.currency), previous={})
            alerts = [one for one in alert_store.alerts(session, model) if one.version == version.version]
        proposed = MonitoringPolicy(**whole)
        cuts = [self._cut(reference, policy, now) for policy in (current, proposed)]
        first, second = (
            judge(version, cut, policy, days, kept, groups=window_groups(self.context.databases, cut))
            for policy, (cut, _), days in zip(
                (current, proposed), cuts, one_span([days for _, days in cuts]), strict=True
            )
        )
        if not first.readings or not second.readings:
            by = "" if not first.readings else f" by the {proposed.cadence.name} in the time that is replayed"
            raise InvalidInput(f"No window of {model} is judged yet{by}.", hint="Replay it when some are.")
        start = min(first.readings[0].start, second.readings[0].start)
        end = max(first.readings[-1].end, second.readings[-1].end)
        drops = drops_of(first, current)
        days = (end - start) / timedelta(days=1)
        said = [str(one.body.get("feedback", "")) for one in alerts]
        in_force, other = (
            outcome_of(_called(policy, course), drops, days=days, windows=_spans(policy, course))
            for policy, course in ((current, first), (proposed, second))
        )
        return PolicyReplay(
            model, version.version, start, end, len(first.readings), current.cadence.name, drops, in_force, other,
            said.count("useful"), said.count("noise"),
        )  # fmt: skip

    def _cut(self, reference: Reference, policy: MonitoringPolicy, now: datetime) -> tuple[Reference, tuple[Day, ...]]:
        """The reference as a policy cuts it, and the windows of the history."""
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
        return cut, days_of(cut, stored, policy, until=now)


def one_span(histories: Sequence[Sequence[Day]]) -> tuple[tuple[Day, ...], ...]:
    """The windows of several policies over one stretch of time, in which none has more than `MOST_WINDOWS`."""
    since = max((held[-MOST_WINDOWS].start for held in histories if len(held) > MOST_WINDOWS), default=None)
    kept = ([day for day in held if since is None or day.start >= since] for held in histories)
    return tuple(tuple(replace(day, number=number) for number, day in enumerate(held)) for held in kept)


def _spans(policy: MonitoringPolicy, course: Course) -> dict[datetime, Span]:
    delay = timedelta(hours=policy.label_delay_hours)
    return {one.start: Span(one.end, one.end + delay) for one in course.readings}


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
    ends = {one.start: one.end for one in ripe}
    return tuple(
        Drop(one.first, one.last, watch.label, ends[one.last])
        for one in found
        if (watch := worse[one.first]) is not None
    )
