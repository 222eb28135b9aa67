"""Is a served model still good? Judges its windows, keeps readings and alerts, and reads a whole page at once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from mlops_dash.domain.access import Actor, Permission
from mlops_dash.domain.policies import PolicyKind
from mlops_dash.domain.words import Health
from mlops_dash.errors import NotFound
from mlops_dash.services import alerts
from mlops_dash.services.alerts import AlertService
from mlops_dash.services.command import record
from mlops_dash.services.profiles import ProfileService
from mlops_dash.services.readings import days_of, judge
from mlops_dash.store import monitoring as store
from mlops_dash.store import policies, profiles, references
from mlops_dash.store.db import reading, transaction

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


def _nothing(model: str, version: str, reason: str) -> Evaluated:
    return Evaluated(model, version, 0, 0, (), (), Health.NOT_KNOWN, reason)
