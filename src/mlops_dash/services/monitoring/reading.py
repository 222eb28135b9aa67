"""What the Monitoring page shows: its models, its room and its public JSON, each from one read of stored readings."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from mlops_dash.domain.access import Actor, Permission
from mlops_dash.domain.cadence import Cadence
from mlops_dash.domain.monitoring.fairness import NO_GROUPS
from mlops_dash.domain.monitoring.judging import LONG_DAYS, SHORT_DAYS
from mlops_dash.domain.monitoring.past import Takeover, of_model
from mlops_dash.domain.monitoring.readings import Reading
from mlops_dash.domain.monitoring.room import (
    WINDOWS,
    AsideGroup,
    ModelHealth,
    MonitoringRoom,
    NextAction,
    Quarantine,
    windows_of,
)
from mlops_dash.domain.monitoring.words import headline_watch, label_sentence, worse_sentence
from mlops_dash.domain.policies import MonitoringPolicy, PolicyKind
from mlops_dash.domain.tasks import CHARTED, is_charted
from mlops_dash.domain.words import Drift, Health
from mlops_dash.errors import InvalidInput, NotFound
from mlops_dash.services.command import Context, read
from mlops_dash.services.monitoring import columns, telling
from mlops_dash.services.monitoring import room as rooms
from mlops_dash.services.monitoring.estimating import view_of
from mlops_dash.services.monitoring.explaining import causes_of
from mlops_dash.services.monitoring.group_gaps import fairness_in
from mlops_dash.services.monitoring.latest_answers import latest_answers
from mlops_dash.services.monitoring.loss_models import loss_view
from mlops_dash.services.monitoring.measuring import basis
from mlops_dash.services.monitoring.replaying import with_replay
from mlops_dash.services.monitoring.samples import beyond_in
from mlops_dash.services.monitoring.slicing import slices_in
from mlops_dash.services.monitoring.together import of_model_together
from mlops_dash.store import policies, prediction_log, registry
from mlops_dash.store.db import reading
from mlops_dash.store.monitoring import alerts as alert_store
from mlops_dash.store.monitoring import profiles, references
from mlops_dash.store.monitoring import readings as store
from mlops_dash.store.monitoring.parts import Part, unpack
from mlops_dash.store.monitoring.references import Reference
from mlops_dash.store.prediction_log import to_us


class Rooms:
    """What the page reads."""

    def __init__(self, context: Context) -> None:
        self.context = context

    @read(Permission.ROOM_READ)
    def models(self, actor: Actor) -> tuple[ModelHealth, ...]:
        """All models with the health of what they serve, for the picker; the worst first."""
        now = self.context.clock.now()
        with reading(self.context.databases.app) as session:
            titles = store.model_titles(session)
            last = {one.model: one for one in store.last_readings(session).values()}
            served = store.champions(session)
            in_force = policies.in_force(session, PolicyKind.MONITORING, now)
        found = []
        for name, title in titles.items():
            version, one = served.get(name), last.get(name)
            if one is None or version is None or one.version_id != version.id:
                why = "nothing is served" if version is None else "nothing judged yet"
                number, by = version.version if version else "", in_force[name].monitoring.cadence.name
                found.append(ModelHealth(name, title, number, Health.NOT_KNOWN, why, None, by))
                continue
            policy = in_force[name].monitoring
            health = rooms.current_health(one, rooms.staleness([one], now, policy))
            why = str(one.body["why"])
            found.append(ModelHealth(name, title, one.version, health, why, one.end, policy.cadence.name))
        return tuple(sorted(found, key=lambda one: (_WORST.index(one.health), one.model)))

    @read(Permission.ROOM_READ)
    def room(
        self,
        actor: Actor,
        model: str,
        window: str = "90d",
        *,
        metric: str = "",
        feature: str = "",
        at: datetime | None = None,
        end: datetime | None = None,
    ) -> MonitoringRoom:
        """Everything the Monitoring page shows, from one read of stored readings.

        Args:
            actor: Who looks.
            model: The model.
            window: A key of `WINDOWS`.
            metric: A key of `CHARTED`; "" or one of another kind of model = the one in alarm, else the first.
            feature: The column whose detail is shown; "" = the most moved one.
            at: End of the window whose columns are shown, as the drift map has it; any other, and None: the latest.
            end: Last time shown; default now.

        Raises:
            NotFound: no such model.
            InvalidInput: no such window or metric.
        """
        days = WINDOWS.get(window)
        if days is None or (metric and not is_charted(metric)):
            raise InvalidInput(
                f"No window {window!r} or metric {metric!r}.",
                hint=f"Windows: {', '.join(WINDOWS)}; metrics: {', '.join(CHARTED)}.",
            )
        found = self._room_of(model, window, days, metric=metric, feature=feature, at=at, end=end)
        aside = self._aside(model)
        with reading(self.context.databases.app) as session:
            told, asked = of_model_together(session, model)
        return columns.with_types(replace(found, aside=aside, together=told, asked_together=asked), aside.groups)

    def _room_of(
        self, model: str, window: str, days: int, *, metric: str, feature: str, at: datetime | None,
        end: datetime | None,
    ) -> MonitoringRoom:  # fmt: skip
        now = self.context.clock.now()
        with reading(self.context.databases.app) as session:
            title = store.model_titles(session).get(model)
            if title is None:
                raise NotFound(f"No model {model}.", hint="Choose one from the list.")
            version = store.champion(session, model)
            reference = None if version is None else references.reference(session, version.id)
            policy = policies.active(session, model, PolicyKind.MONITORING, now).monitoring
            if version is None or reference is None:
                outside = registry.model(session, model).elsewhere
                left = self._labelled_days(version)
                return telling.without(model, title, version, policy, window, days=left, outside=outside)
            last = store.last_start(session, model, before=end or now)
            first = None if last is None else last - timedelta(days=days - 1)
            every = () if first is None else store.model_readings(session, model, start=first, end=end)
            around = store.surroundings(session, model)
            shown = of_model(every, around.spans, serving=version.id, zone=policy.zone)
            past = {str(one.body.get("reference")) for one in shown if one.version_id != version.id}
            material = rooms.Material(
                version=version.version,
                reference=reference,
                readings=shown,
                own=tuple(one for one in every if one.version_id == version.id),
                past={one.id: one for one in references.by_ids(session, sorted(past))} if past else {},
                names=store.version_names(session, model),
                around=around,
                alerts=alert_store.alerts(session, model),
                positive=registry.model(session, model).positive_label,
            )
        if not shown:
            return telling.without(model, title, version, policy, window, material)
        return self._room(material, title, policy, window, metric=metric, feature=feature, at=at, now=now, end=end)

    def _labelled_days(self, version: store.Version | None) -> int:
        """On how many days the version answered rows whose label is known."""
        if version is None:
            return 0
        with reading(self.context.databases.log) as log:
            return prediction_log.labelled_days(log, version.id)

    def _room(
        self,
        material: rooms.Material,
        title: str,
        policy: MonitoringPolicy,
        window: str,
        *,
        metric: str,
        feature: str,
        at: datetime | None,
        now: datetime,
        end: datetime | None,
    ) -> MonitoringRoom:
        reference, shown, own = material.reference, material.readings, material.own
        long = WINDOWS[window] > policy.cadence.long_view
        told = rooms.last_known(own) or (own[-1] if own else None)
        stale = rooms.staleness(shown, now if end is None else min(now, end), policy)
        health = rooms.current_health(own[-1], stale) if own else Health.NOT_KNOWN
        suits = any(one.key == metric for one in reference.layout.task.choices)  # a link may carry another's metric
        spoken = headline_watch(told or rooms.last_known(shown) or shown[-1])
        lead = rooms.lead(told, reference, material.takeover, policy.zone)
        room = MonitoringRoom(
            model=reference.model,
            title=title,
            version=material.version,
            zone=policy.zone,
            window=window,
            until=None,
            health=health,
            headline=lead,
            why=Takeover.first(policy.cadence.name) if lead else telling.no_window(policy.cadence),
            action=rooms.next_action(health, material) if end is None else NextAction("none"),
            stale=stale,
            reference=rooms.reference_facts(reference),
            performance=rooms.performance(material, metric if suits else spoken.key, policy.cadence, long=long)
            if reference.labelled
            else None,
            volume=tuple((one.start, one.n) for one in shown),
            drift=rooms.drift_map(shown, policy.cadence, long=long),
            alerts=rooms.alert_views(material.alerts, material.version),
            recipes=material.around.recipes,
            alpha=policy.alpha,
            watch_excess=policy.watch_excess,
            drift_excess=policy.drift_excess,
        )
        room = replace(room, basis=basis(reference, policy, told), judged_by=policy.cadence.name)
        if room.performance is not None:
            room = replace(room, estimated=view_of(reference, own, room.performance.metric))
        room = room if told is None else self._judged(room, material, told, policy, feature=feature, at=at)
        if end is not None:
            return room
        with reading(self.context.databases.app) as session:
            version = store.champion(session, room.model)
            found = None if version is None else causes_of(session, version, reference, policy, own)
            if version is not None and room.estimated is None:
                room = replace(room, estimated=loss_view(session, version, reference, policy, own))
            parts = None if version is None or not reference.labelled else slices_in(session, version, reference)
            gaps = None if version is None or parts is None else fairness_in(session, version, reference)
            gaps = None if gaps is not None and gaps.reason == NO_GROUPS else gaps
            room = with_replay(room, session, material, policy, long=long)
            return replace(room, causes=found, slices=parts, fairness=gaps)

    def _judged(
        self, room: MonitoringRoom, material: rooms.Material, told: Reading, policy: MonitoringPolicy, *, feature: str,
        at: datetime | None,
    ) -> MonitoringRoom:  # fmt: skip
        """The same room with what the windows of the version in service say."""
        reference, own, cadence = material.reference, material.own, policy.cadence
        task, latest = reference.layout.task, own[-1]
        judged = next((one for one in reversed(own) if one.n and one.drift is not Drift.NOT_COMPUTABLE), latest)
        ranked = rooms.ranked(judged)
        week = self._week(reference, judged, cadence)
        scores = columns.scores_of(reference, week)
        room = replace(
            room,
            features=ranked,
            features_start=rooms.span_start(judged, cadence),
            features_end=judged.end,
            detail=columns.detail_of(reference, policy, ranked, feature, week, scores, judged.end),
            scores=scores,
        )
        room = self._with_beyond(self._looked_back(room, material, policy, feature=feature, at=at), reference)
        with reading(self.context.databases.log) as session:
            answers = latest_answers(session, reference, own, cadence)
        return replace(
            room,
            until=latest.end,
            why=str(latest.body["why"]),
            moved=tuple(latest.body["moved"]),
            unjudged=str(judged.body.get("unjudged", "")),
            findings=columns.happened(reference, policy, ranked, scores, told, latest.body["broken"]),
            coverage=told.coverage,
            label_rate=told.estimate(task.label_metric, LONG_DAYS) if task.has_base_rate else None,
            labels="" if reference.prior is None else label_sentence(told, reference.prior),
            worse=worse_sentence(told, reference.baseline["metrics"]),
            **answers,
            cluster=str(told.body.get("cluster", "day")),
            restarts=max(
                (int(latest.body["harm"].get(watch.key, {}).get("restarts", 0)) for watch in task.harm_watches),
                default=0,
            ),
        )

    def _with_beyond(self, room: MonitoringRoom, reference: Reference) -> MonitoringRoom:
        """The same room with the live values of the column shown that lie beyond the reference."""
        detail, start, end = room.detail, room.features_start, room.features_end
        if detail is None or detail.score is None or room.looked_back or start is None or end is None:
            return room
        with reading(self.context.databases.log) as session:
            found = beyond_in(
                session, reference, detail.reading.name, start, end, outside=detail.score.out_of_range
            )  # fmt: skip
        return replace(room, detail=replace(detail, beyond=found)) if found.known else room

    def _looked_back(
        self, room: MonitoringRoom, material: rooms.Material, policy: MonitoringPolicy, *, feature: str,
        at: datetime | None,
    ) -> MonitoringRoom:  # fmt: skip
        """The same room with the columns of an earlier window, beside the reference of the version that served it."""
        past = next((one for one in material.readings if one.end == at and one.n), None)
        if past is None or past.end == room.features_end or past.drift is Drift.NOT_COMPUTABLE:
            return room
        own = past.version_id == material.reference.version_id
        reference = material.reference if own else material.past.get(str(past.body.get("reference")))
        if reference is None:
            return room
        ranked, week = rooms.ranked(past), self._week(reference, past, policy.cadence)
        scores = columns.scores_of(reference, week)
        return replace(
            room,
            features=ranked,
            features_start=rooms.span_start(past, policy.cadence),
            features_end=past.end,
            looked_back=True,
            detail=columns.detail_of(reference, policy, ranked, feature, week, scores, past.end),
            scores=scores,
        )

    def _week(self, reference: Reference, judged: Reading, cadence: Cadence) -> list[Part]:
        """The stored days of what a reading tells of its columns."""
        first = rooms.span_start(judged, cadence) - timedelta(hours=cadence.is_daily)  # an hour of daylight saving
        with reading(self.context.databases.log) as session:
            held = profiles.pieces(
                session, reference.id, cadence.pieces, start_us=to_us(first), end_us=to_us(judged.end)
            )  # fmt: skip
        week = held[-SHORT_DAYS:] if cadence.is_daily else [one for one in held if one.batch == judged.batch]
        return [unpack(reference.layout, one.packed) for one in week]

    @read(Permission.ROOM_READ)
    def quarantine(self, actor: Actor, model: str) -> Quarantine:
        """What of a model's rows was set aside: how many, why, and a few of them.

        Raises:
            NotFound: no such model.
        """
        with reading(self.context.databases.app) as session:
            if model not in store.model_names(session):
                raise NotFound(f"No model {model}.", hint="Choose one from the list.")
        return self._aside(model)

    def _aside(self, model: str) -> Quarantine:
        with reading(self.context.databases.log) as session:
            found = prediction_log.groups(session, model)
        with reading(self.context.databases.app) as session:
            names = store.version_names(session, model) if found else {}
        return Quarantine(
            model,
            tuple(
                AsideGroup(names.get(one.version_id, ""), one.column, one.reason, one.rows, one.first_at,
                           one.last_at, one.logged, one.samples)
                for one in found
            ),
        )  # fmt: skip

    @read(Permission.ROOM_READ)
    def summary(self, actor: Actor, model: str) -> dict[str, Any]:
        """The public JSON of `mlops-dash monitor --json`: every judged window and every alert.

        Raises:
            NotFound: no such model.
        """
        with reading(self.context.databases.app) as session:
            by = policies.active(session, model, PolicyKind.MONITORING, self.context.clock.now()).monitoring.cadence
        room = self.room(actor, model, windows_of(by.name)[0][-1])
        with reading(self.context.databases.app) as session:
            version = store.champion(session, model)
            windows = () if version is None else store.readings(session, version.id)
            task = policies.task_of(session, model)
        return {
            "model": model,
            "version": room.version,
            "task": task.name,
            "verdict": str(room.health),
            "sentence": telling.verdict(room) or telling.not_yet(room),
            "windows": [telling.window_json(one) for one in windows],
            "findings": [one.as_json() for one in room.findings],
            "causes": None if room.causes is None else room.causes.as_json(),
            "fairness": None if room.fairness is None else room.fairness.as_json(),
            "slices": None if room.slices is None else room.slices.as_json(),
            "estimated": None if room.estimated is None else room.estimated.as_json(),
            "reliability": telling.reliability_json(room.reliability),
            "alerts": [
                {
                    "id": one.id,
                    "kind": one.kind,
                    "severity": one.severity,
                    "state": str(one.state),
                    "version": one.version,
                    "title": one.title,
                    "cause": one.cause,
                    "feedback": one.feedback,
                    "opened_at": one.opened_at.isoformat(),
                    "closed_at": one.closed_at.isoformat() if one.closed_at else None,
                }
                for one in room.alerts
            ],
        }


_WORST = (Health.HARMED, Health.AT_RISK, Health.INPUTS_MOVED, Health.NOT_KNOWN, Health.OK)
