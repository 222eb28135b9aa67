"""What a room says in sentences and in JSON, and what is said of a model that is not there yet."""

from __future__ import annotations

from typing import Any

from mlops_dash.domain import commands
from mlops_dash.domain.cadence import Cadence, is_counted
from mlops_dash.domain.monitoring.label_free import estimates_in
from mlops_dash.domain.monitoring.readings import Reading
from mlops_dash.domain.monitoring.room import USUAL_DAYS, MonitoringRoom, NextAction
from mlops_dash.domain.policies import MonitoringPolicy
from mlops_dash.domain.tasks.worth import Reliability
from mlops_dash.domain.words import Health
from mlops_dash.services.monitoring import room as rooms
from mlops_dash.services.monitoring.room import Material
from mlops_dash.store.monitoring import readings as store


def no_window(cadence: Cadence) -> str:
    """Why there is nothing to judge yet."""
    return f"no complete {cadence.name} of traffic yet"


def sentence(text: str) -> str:
    """A clause as a sentence; "" stays nothing."""
    return f"{text[0].upper()}{text[1:]}." if text else ""


def verdict(room: MonitoringRoom) -> str:
    """What the room says of the model, in sentences."""
    said = (room.headline, sentence(room.why), room.worse, room.stale, room.basis, apart(room))
    return " ".join(one for one in said if one)


def apart(room: MonitoringRoom) -> str:
    """How many rows are in no number; "" when all are, or nothing is shown."""
    rows = 0 if room.aside is None or room.empty else room.aside.rows
    return f"{rows:,} {'row is' if rows == 1 else 'rows are'} set aside." if rows else ""


def window_json(one: Reading) -> dict[str, Any]:
    """One judged window as the public JSON has it."""
    return {
        "start": one.start.isoformat(),
        "end": one.end.isoformat(),
        **({"batch": one.batch} if one.batch and not is_counted(one.kind) else {}),
        "n": one.n,
        "label_coverage": one.coverage,
        "ripe": one.ripe,
        "drift": str(one.drift),
        "unjudged": str(one.body.get("unjudged", "")),
        "moved": one.body["moved"],
        "metrics": one.body["day"],
        "trailing": one.body["metrics"],
        "estimated": {
            metric: {"value": value, "low": low, "high": high}
            for metric, (value, low, high) in estimates_in(one.body).items()
        },
        "verdict": str(one.health),
        "revision": one.revision,
    }


def reliability_json(found: Reliability | None) -> dict[str, Any] | None:
    """Whether scores came true, as the public JSON has it; None for a task without probabilities."""
    if found is None:
        return None
    return {
        "bands": [{"scores": [one.low, one.high], "side": one.side, **vars(one.share)} for one in found.bands],
        "gini": vars(found.gini),
        "ks": vars(found.ks),
    }


def reference_step(model: str, version: str, days: int) -> str:
    """How a version without a reference gets one."""
    if days:
        return f"{days} days of the log have labels; the first of them can be its reference: " + (
            commands.reference_of_days(model, version, min(days, USUAL_DAYS))
        )
    return f"Train it with a recipe, or say what it is compared with: {commands.reference_of_file(model, version)}"


def not_yet(room: MonitoringRoom) -> str:
    """What is said of a model that is not watched yet: what is missing, and the one next step; "" of others."""
    return ". ".join(one for one in (room.empty, room.empty_next) if one)


def without(
    model: str,
    title: str,
    version: store.Version | None,
    policy: MonitoringPolicy,
    window: str,
    material: Material | None = None,
    *,
    days: int = 0,
    outside: bool = False,
) -> MonitoringRoom:
    """The room of a model that is not there yet: how far it has come, and one next step."""
    if version is None:
        empty, step = (
            "Nothing is served yet",
            f"Say which version answers: {commands.model_answers(model)}"
            if outside
            else "Promote a version on the Registry page; its traffic is watched from then on.",
        )
    elif material is None:
        empty, step = f"v{version.version} has no reference", reference_step(model, version.version, days)
    else:
        empty, step = (
            sentence(no_window(policy.cadence))[:-1],
            f"The first window is judged when the {policy.cadence.name} is over.",
        )
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
        first_days=days,
        reference=None if material is None else rooms.reference_facts(material.reference),
        alerts=() if material is None else rooms.alert_views(material.alerts, material.version),
    )
