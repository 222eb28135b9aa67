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
    """One window of a version's series: a calendar day, or a week or month of them.

    Attributes:
        number: Its place, from 0.
        date: Its first day.
        start: Begin.
        end: End; of one that still runs but whose batch has come, the midnight after the last complete day.
        part: All its rows.
        clusters: Its rows as they are taken to belong together, day by day; those without rows are left out.
        mark: Of the profiles' content: equal marks are equal rows and labels.
        ripens: When its labels are old enough.
        ripe: Whether they are, or have come.
    """

    number: int
    date: date
    start: datetime
    end: datetime
    part: Part
    clusters: tuple[Part, ...]
    mark: int
    ripens: datetime
    ripe: bool


@dataclass(frozen=True)
class Course:
    """All judged windows of a version, and its alarms' way through them, by watch."""

    readings: tuple[Reading, ...]
    days: tuple[Day, ...]
    harm: Mapping[str, tuple[HarmDay, ...]]
    references: Mapping[str, HarmReference]
