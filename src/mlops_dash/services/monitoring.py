"""Is a served model still good? Judges its windows, keeps readings and alerts, and reads a whole page at once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from mlops_dash.domain.access import Actor, Permission
from mlops_dash.domain.monitoring import LONG_DAYS, RAW_LOSS, SHORT_DAYS
from mlops_dash.domain.monitoring_room import (
    METRIC_LABELS,
    METRICS_OF,
    WINDOWS,
    FeatureDetail,
    ModelHealth,
    MonitoringRoom,
    NextAction,
)
from mlops_dash.domain.monitoring_words import LABEL_RATE, headline_watch, label_sentence
from mlops_dash.domain.policies import MonitoringPolicy, PolicyKind
from mlops_dash.domain.readings import FeatureReading, Reading
from mlops_dash.domain.words import Drift, Health
from mlops_dash.errors import InvalidInput, NotFound
from mlops_dash.services import alerts
from mlops_dash.services import monitoring_room as rooms
from mlops_dash.services.alerts import AlertService
from mlops_dash.services.command import read, record
from mlops_dash.services.profiles import ProfileService
from mlops_dash.services.readings import days_of, judge
from mlops_dash.store import alerts as alert_store
from mlops_dash.store import monitoring as store
from mlops_dash.store import policies, profiles, references
from mlops_dash.store.db import reading, transaction
from mlops_dash.store.parts import unpack
from mlops_dash.store.prediction_log import to_us
from mlops_dash.store.references import Reference

WRITE_READINGS = 40  # readings in one write transaction: under 50 ms


@dataclass(frozen=True)
class Evaluated:
    """What one evaluation did."""

    model: str
    version: str  # "" when nothing is served
    windows: int
    changed: int
    opened: tuple[str, ...]  # alert ids
    closed: tuple[str, ...]
    health: Health
    reason: str = ""  # why nothing could be judged


class MonitoringService(ProfileService, AlertService):
    """Monitors of all models: references, profiles, readings, alerts, and what the page shows."""

    @record(Permission.SYSTEM)
    def evaluate(self, actor: Actor, model: str, *, until: datetime | None = None) -> Evaluated:
        """Judge the champion's series up to `until` (default: now): readings, harm alarm, health, alerts.

        Idempotent: windows whose rows and labels did not change are not judged again, and nothing is written twice.

        Raises:
            NotFound: no such model.
        """
        now = until or self.context.clock.now()
        with reading(self.context.databases.app) as session:
            if model not in store.model_names(session):
                raise NotFound(f"No model {model}.", hint="Add it first.")
            version = store.champion(session, model)
            if version is None:
                return _nothing(model, "", "nothing is served")
            reference = references.reference(session, version.id)
            if reference is None:
                return _nothing(model, version.version, f"v{version.version} has no reference yet")
            policy = policies.active(session, model, PolicyKind.MONITORING, now).monitoring
            restarts = store.restarts(session, version.id)
            previous = {one.start: one for one in store.readings(session, version.id)}
        with reading(self.context.databases.log) as session:
            stored = profiles.day_profiles(session, reference.id)
        days = days_of(reference, stored, policy, until=now)
        course = judge(version, reference, policy, days, restarts=restarts, previous=previous)
        changed = 0
        for first in range(0, len(course.readings), WRITE_READINGS):
            with transaction(self.context.databases.app) as session:
                part = course.readings[first : first + WRITE_READINGS]
                changed += store.save_readings(session, part, now=now)
        with transaction(self.context.databases.app) as session:
            synced = alerts.sync(session, version, reference, policy, course, now=now)
        health = course.readings[-1].health if course.readings else Health.NOT_KNOWN
        return Evaluated(
            model, version.version, len(course.readings), changed, synced.opened, synced.closed, health,
            "" if course.readings else "no complete window yet",
        )  # fmt: skip

    @read(Permission.ROOM_READ)
    def models(self, actor: Actor) -> tuple[ModelHealth, ...]:
        """All models with the health of what they serve, for the picker; the worst first."""
        now = self.context.clock.now()
        with reading(self.context.databases.app) as session:
            titles = store.model_titles(session)
            last = {one.model: one for one in store.last_readings(session).values()}
            served = {name: store.champion(session, name) for name in titles}
            zones = {n: policies.active(session, n, PolicyKind.MONITORING, now).monitoring.zone for n in titles}
        found = []
        for name, title in titles.items():
            version, one = served[name], last.get(name)
            if one is None or version is None or one.version_id != version.id:
                why = "nothing is served" if version is None else "nothing judged yet"
                found.append(ModelHealth(name, title, version.version if version else "", Health.NOT_KNOWN, why, None))
                continue
            health = rooms.current_health(one, rooms.staleness([one], now, zones[name]))
            found.append(ModelHealth(name, title, one.version, health, str(one.body["why"]), one.end))
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
        end: datetime | None = None,
    ) -> MonitoringRoom:
        """Everything the Monitoring page shows, from one read of stored readings.

        Args:
            actor: Who looks.
            model: The model.
            window: A key of `WINDOWS`.
            metric: A key of `METRIC_LABELS`; "" or one of another kind of model = the one in alarm, else the first.
            feature: The column whose detail is shown; "" = the most moved one.
            end: Last time shown; default now.

        Raises:
            NotFound: no such model.
            InvalidInput: no such window or metric.
        """
        days = WINDOWS.get(window)
        if days is None or (metric and metric not in METRIC_LABELS):
            raise InvalidInput(
                f"No window {window!r} or metric {metric!r}.",
                hint=f"Windows: {', '.join(WINDOWS)}; metrics: {', '.join(METRIC_LABELS)}.",
            )
        now = self.context.clock.now()
        with reading(self.context.databases.app) as session:
            title = store.model_titles(session).get(model)
            if title is None:
                raise NotFound(f"No model {model}.", hint="Choose one from the list.")
            version = store.champion(session, model)
            reference = None if version is None else references.reference(session, version.id)
            policy = policies.active(session, model, PolicyKind.MONITORING, now).monitoring
            if version is None or reference is None:
                return _without(model, title, version, policy, window)
            last = store.last_start(session, version.id, before=end or now)
            shown = (
                ()
                if last is None
                else store.readings(session, version.id, start=last - timedelta(days=days - 1), end=end)
            )
            material = rooms.Material(
                version=version.version,
                reference=reference,
                readings=shown,
                names=store.version_names(session, model),
                around=store.surroundings(session, model),
                alerts=alert_store.alerts(session, model),
            )
        if not shown:
            return _without(model, title, version, policy, window, material)
        return self._room(material, title, policy, window, metric=metric, feature=feature, now=now, end=end)

    def _room(
        self,
        material: rooms.Material,
        title: str,
        policy: MonitoringPolicy,
        window: str,
        *,
        metric: str,
        feature: str,
        now: datetime,
        end: datetime | None,
    ) -> MonitoringRoom:
        reference, shown = material.reference, material.readings
        long = WINDOWS[window] > rooms.LONG_VIEW
        latest = shown[-1]
        told = rooms.last_known(shown) or latest
        stale = rooms.staleness(shown, now if end is None else min(now, end), policy.zone)
        health = rooms.current_health(latest, stale)
        judged = next((one for one in reversed(shown) if one.n and one.drift is not Drift.NOT_COMPUTABLE), latest)
        ranked = rooms.ranked(judged)
        chosen = next((one for one in ranked if one.name == feature), ranked[0] if ranked else None)
        suits = metric in METRICS_OF[reference.layout.task]  # a link may carry another model's metric
        return MonitoringRoom(
            model=reference.model,
            title=title,
            version=material.version,
            zone=policy.zone,
            window=window,
            until=latest.end,
            health=health,
            headline=rooms.headline(told, reference),
            why=str(latest.body["why"]),
            action=rooms.next_action(health, material) if end is None else NextAction("none"),
            stale=stale,
            reference=rooms.reference_facts(reference),
            performance=rooms.performance(material, metric if suits else headline_watch(told).key, long=long),
            drift=rooms.drift_map(shown, long=long),
            features=ranked,
            features_start=judged.end - timedelta(days=SHORT_DAYS),
            features_end=judged.end,
            detail=None if chosen is None else self._detail(reference, chosen, judged),
            odd=tuple(judged.body["odd"]),
            alerts=rooms.alert_views(material.alerts),
            recipes=material.around.recipes,
            coverage=told.coverage,
            label_rate=told.estimate(LABEL_RATE, LONG_DAYS),
            labels=label_sentence(told, float(reference.baseline["prior"])),
            restarts=max(
                (int(kept["restarts"]) for key, kept in latest.body["harm"].items() if key != RAW_LOSS.key), default=0
            ),
            alpha=policy.alpha,
            watch_excess=policy.watch_excess,
            drift_excess=policy.drift_excess,
        )

    def _detail(self, reference: Reference, column: FeatureReading, judged: Reading) -> FeatureDetail:
        with reading(self.context.databases.log) as session:
            week = profiles.day_profiles(
                session,
                reference.id,
                start_us=to_us(judged.end - timedelta(days=SHORT_DAYS, hours=1)),  # an hour of daylight saving
                end_us=to_us(judged.end),
            )
        parts = [unpack(reference.layout, one.packed) for one in week[-SHORT_DAYS:]]
        return rooms.detail(reference, column, parts)

    @read(Permission.ROOM_READ)
    def summary(self, actor: Actor, model: str) -> dict[str, Any]:
        """The public JSON of `mlops-dash monitor --json`: every judged window and every alert.

        Raises:
            NotFound: no such model.
        """
        room = self.room(actor, model, "1y")
        with reading(self.context.databases.app) as session:
            version = store.champion(session, model)
            windows = () if version is None else store.readings(session, version.id)
        return {
            "model": model,
            "version": room.version,
            "verdict": str(room.health),
            "sentence": " ".join(one for one in (room.headline, _sentence(room.why), room.stale) if one) or room.empty,
            "windows": [_window_json(one) for one in windows],
            "alerts": [
                {
                    "id": one.id,
                    "kind": one.kind,
                    "severity": one.severity,
                    "state": str(one.state),
                    "version": one.version,
                    "title": one.title,
                    "cause": one.cause,
                    "opened_at": one.opened_at.isoformat(),
                    "closed_at": one.closed_at.isoformat() if one.closed_at else None,
                }
                for one in room.alerts
            ],
        }


_WORST = (Health.HARMED, Health.AT_RISK, Health.INPUTS_MOVED, Health.NOT_KNOWN, Health.OK)


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}." if text else ""


def _window_json(one: Reading) -> dict[str, Any]:
    return {
        "start": one.start.isoformat(),
        "end": one.end.isoformat(),
        "n": one.n,
        "label_coverage": one.coverage,
        "ripe": one.ripe,
        "drift": str(one.drift),
        "moved": one.body["moved"],
        "metrics": one.body["day"],
        "trailing": one.body["metrics"],
        "estimated": {},
        "verdict": str(one.health),
        "revision": one.revision,
    }


def _without(
    model: str,
    title: str,
    version: store.Version | None,
    policy: MonitoringPolicy,
    window: str,
    material: rooms.Material | None = None,
) -> MonitoringRoom:
    """The room of a model that is not there yet: how far it has come, and one next step."""
    if version is None:
        empty, step = (
            "Nothing is served yet",
            "Promote a version on the Registry page; its traffic is watched from then on.",
        )
    elif material is None:
        empty, step = f"v{version.version} has no reference", "Train it with a recipe, or record its out-of-fold rows."
    else:
        empty, step = "No complete day of traffic yet", "The first window is judged when the day is over."
    return MonitoringRoom(
        model=model,
        title=title,
        version=version.version if version else "",
        zone=policy.zone,
        window=window,
        until=None,
        health=Health.NOT_KNOWN,
        headline="",
        why="",
        action=NextAction("none"),
        empty=empty,
        empty_next=step,
        reference=None if material is None else rooms.reference_facts(material.reference),
        alerts=() if material is None else rooms.alert_views(material.alerts),
    )


def _nothing(model: str, version: str, reason: str) -> Evaluated:
    return Evaluated(model, version, 0, 0, (), (), Health.NOT_KNOWN, reason)
