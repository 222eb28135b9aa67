"""What is a judged series? Its days, its windows, and its alarms' way through them: what judging hands to alerting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from mlops_dash.domain.monitoring.judging import HarmDay
from mlops_dash.domain.monitoring.readings import Reading, known
from mlops_dash.stats.sequential import HarmReference
from mlops_dash.store import registry
from mlops_dash.store.db import Session
from mlops_dash.store.monitoring import readings
from mlops_dash.store.monitoring.parts import Part


@dataclass(frozen=True)
class Day:
    """One window of a version's series: a calendar day, a week or month of them, an hour, or a batch.

    Attributes:
        number: Its place, from 0.
        said: How it is written: its first day, of an hour the begin in the monitor's zone, of a batch the name.
        start: Begin.
        end: End; of one that still runs but whose batch has come, the midnight after the last complete day.
        part: All its rows.
        clusters: Its rows as they are taken to belong together, by day or batch; those without are left out.
        mark: Of the profiles' content: equal marks are equal rows and labels.
        ripens: When its labels are old enough.
        ripe: Whether they are, or have come.
        batch: Its name, where windows are batches.
    """

    number: int
    said: str
    start: datetime
    end: datetime
    part: Part
    clusters: tuple[tuple[str, Part], ...]
    mark: int
    ripens: datetime
    ripe: bool
    batch: str = ""


@dataclass(frozen=True)
class Course:
    """All judged windows of a version, and its alarms' way through them, by watch."""

    readings: tuple[Reading, ...]
    days: tuple[Day, ...]
    harm: Mapping[str, tuple[HarmDay, ...]]
    references: Mapping[str, HarmReference]


@dataclass(frozen=True)
class Kept:
    """What is stored of a version's series before it is judged.

    Attributes:
        restarts: When people restarted the harm alarm.
        previous: Readings by start; their numbers are kept where nothing changed.
        positive: The outcome whose probability a classifier of two classes gives; sentences name it.
        currency: Of what wrong answers cost.
    """

    restarts: Sequence[datetime] = ()
    previous: Mapping[datetime, Reading] = field(default_factory=dict)
    positive: str = ""
    currency: str = ""


def kept_of(session: Session, version: readings.Version, *, currency: str) -> Kept:
    """What is stored of a version's series; to be called inside a read of the app database."""
    previous = {one.start: one for one in readings.readings(session, version.id)}
    positive = registry.model(session, version.model).positive_label
    return Kept(readings.restarts(session, version.id), previous, positive, currency)


def harm_body(harm: HarmDay, days: Sequence[Day]) -> dict[str, Any]:
    """Where an alarm stands, as a reading keeps it; days as people write them."""
    return {
        "through": days[harm.last].said,
        "level": known(harm.level),
        "alarmed": harm.alarmed,
        "since": None if harm.since is None else days[harm.since].said,
        "alarm": None if harm.alarm is None else days[harm.alarm].said,
        "restarts": harm.restarts,
    }
