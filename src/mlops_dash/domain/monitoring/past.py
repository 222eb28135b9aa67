"""Whose window stands for a day of a model? History belongs to the model; its versions are spans of it.

Windows of two versions are never pooled: each was judged against its own reference, and a day shows one of them.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import accumulate
from typing import Any

from mlops_dash.domain.cadence import is_counted
from mlops_dash.domain.calendar import day_of
from mlops_dash.domain.format import instant
from mlops_dash.domain.monitoring.readings import Reading


@dataclass(frozen=True)
class Span:
    """A time in which a version served, half-open; `end` None = still."""

    version_id: str
    start: datetime
    end: datetime | None

    def served(self, reading: Reading) -> timedelta:
        """How much of a window this version served."""
        end = reading.end if self.end is None else min(self.end, reading.end)
        return max(timedelta(0), end - max(self.start, reading.start))


def spans_of(changes: Sequence[tuple[datetime, str]], *, serving: str, since: datetime | None) -> tuple[Span, ...]:
    """Who served when: from the changes of champion (when, to which version), else from what serves now and since."""
    if not changes:
        return () if since is None else (Span(serving, since, None),)
    ends = [*(at for at, _ in changes[1:]), None]
    return tuple(Span(version_id, at, end) for (at, version_id), end in zip(changes, ends, strict=True))


def of_model(readings: Sequence[Reading], spans: Sequence[Span], *, serving: str, zone: str) -> tuple[Reading, ...]:
    """One window a day (hour or batch, where those are judged), in order: of the version which served most of it.

    Windows of N rows of two versions seldom begin together: those of the version that served less of their time go.
    A version that scored silently has windows of the same days: where nobody is known to have served, such days are
    another version's rather than those of the one that serves now.

    Args:
        readings: Windows of all versions of the model.
        spans: Who served when, as far as it is known.
        serving: Id of the version that serves now.
        zone: Of the monitor's days.
    """

    def standing(reading: Reading) -> tuple[timedelta, bool, int]:
        own = (span.served(reading) for span in spans if span.version_id == reading.version_id)
        return sum(own, timedelta(0)), reading.version_id != serving, reading.n

    counted = _by_version([one for one in readings if is_counted(one.kind)])
    by_place: dict[str, list[Reading]] = {}
    for reading in readings:
        if not (is_counted(reading.kind) and _is_another_s(reading, counted, standing)):
            by_place.setdefault(_place(reading, zone), []).append(reading)
    return tuple(sorted((max(held, key=standing) for held in by_place.values()), key=lambda one: one.start))


@dataclass(frozen=True)
class _Windows:
    """Windows of N rows of one version by their start, and until when each and those before it reach at most."""

    readings: Sequence[Reading]
    starts: Sequence[datetime]
    reach: Sequence[datetime]

    def over(self, at: datetime) -> Iterator[Reading]:
        """Those that hold a moment; no other is looked at where none overlap."""
        place = bisect_right(self.starts, at) - 1
        while place >= 0 and self.reach[place] > at:
            if self.readings[place].end > at:
                yield self.readings[place]
            place -= 1


def _by_version(counted: Sequence[Reading]) -> Mapping[str, _Windows]:
    held: dict[str, list[Reading]] = {}
    for one in sorted(counted, key=lambda one: one.start):
        held.setdefault(one.version_id, []).append(one)
    return {
        version: _Windows(own, [one.start for one in own], list(accumulate((one.end for one in own), max)))
        for version, own in held.items()
    }


def _is_another_s(reading: Reading, counted: Mapping[str, _Windows], standing: Callable[[Reading], Any]) -> bool:
    """Whether windows of N rows of another version, which served more of that time, lie over the middle of this one."""
    middle = reading.start + (reading.end - reading.start) / 2
    others = (own.over(middle) for version, own in counted.items() if version != reading.version_id)
    return any(standing(one) > standing(reading) for own in others for one in own)


def _place(reading: Reading, zone: str) -> str:
    """What at most one window is shown of: a day, an hour, or a batch; windows of N rows are each their own."""
    if is_counted(reading.kind):
        return f"{reading.version_id} {reading.kind}"
    if reading.batch:
        return reading.kind
    middle = reading.start + (reading.end - reading.start) / 2
    return f"{middle:%Y-%m-%dT%H}" if reading.kind == "hour" else day_of(middle, zone).isoformat()


@dataclass(frozen=True)
class Takeover:
    """Which version took over from which, and when."""

    before: str
    version: str
    at: datetime

    def sentence(self, zone: str, *, known: str) -> str:
        """Who served until when, who does since, and what is known of the new one.

        >>> from datetime import UTC
        >>> Takeover("1", "3", datetime(2014, 1, 1, 5, 21, tzinfo=UTC)).sentence("UTC", known="nothing judged yet")
        'v1 until 1 Jan 2014, 05:21 UTC, v3 since; nothing judged yet.'

        Empty, where the reason of the health word says it.
        """
        return f"v{self.before} until {instant(self.at, zone)}, v{self.version} since{'; ' if known else ''}{known}."

    @staticmethod
    def first(window: str) -> str:
        """When the new version's first window (day, week, month) is judged; the headline says that none is yet."""
        return f"its first {window} is judged when it is over"
