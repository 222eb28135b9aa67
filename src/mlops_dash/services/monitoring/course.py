"""What is a judged series? Its days, its windows, and its alarms' way through them: what judging hands to alerting."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

from mlops_dash.domain.monitoring.judging import HarmDay
from mlops_dash.domain.monitoring.readings import Reading
from mlops_dash.stats.sequential import HarmReference
from mlops_dash.store.monitoring.parts import Part


@dataclass(frozen=True)
class Day:
    """One calendar day of a version's series."""

    number: int
    date: date
    start: datetime
    end: datetime
    part: Part
    mark: int  # of the profile's content: equal marks are equal rows and labels
    ripe: bool


@dataclass(frozen=True)
class Course:
    """All judged windows of a version, and its alarms' way through them, by watch."""

    readings: tuple[Reading, ...]
    days: tuple[Day, ...]
    harm: Mapping[str, tuple[HarmDay, ...]]
    references: Mapping[str, HarmReference]
