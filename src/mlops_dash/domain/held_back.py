"""What a demo holds back of its data: traffic that has not happened yet, and which week of it is played next.

The demo's clock goes on by itself, and nobody asks its models while no week is played: what is due then is missed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

from mlops_dash.domain.calendar import day_start, zone_of
from mlops_dash.domain.format import day
from mlops_dash.domain.jobs import Job

DAYS = 7
_NOT_YET = timedelta(minutes=15)  # who asks so soon goes on where it stopped: those rows are due still


@dataclass(frozen=True)
class Stretch:
    """A part of the data, half-open."""

    start: datetime
    end: datetime

    def as_json(self) -> dict[str, str]:
        """As a job's arguments keep it."""
        return {"start": self.start.isoformat(), "end": self.end.isoformat()}

    def days(self, zone: str) -> tuple[Stretch, ...]:
        """The same by calendar days; the first may be the rest of a day."""
        parts, start = [], self.start
        while start < self.end:
            end = min(day_start(_local(start, zone) + timedelta(days=1), zone), self.end)
            parts.append(Stretch(start, end))
            start = end
        return tuple(parts)


@dataclass(frozen=True)
class HeldBack:
    """How far a demo's data have been played.

    Attributes:
        model: The demo's first model, by which its jobs and the ledger name a played week.
        zone: Of the days that are played.
        sent_until: Rows that are due before are sent, or missed.
        told_until: Outcomes that were known before are told.
        until: The end of the data.
        missed: Stretches in which the clock went on and nobody sent anything.
    """

    model: str
    zone: str
    sent_until: datetime
    told_until: datetime
    until: datetime
    missed: tuple[Stretch, ...] = ()

    def coming(self, now: datetime) -> Stretch | None:
        """The next seven days that can still be played; None when the data are over."""
        start = self.sent_until if now - self.sent_until < _NOT_YET else now
        if start >= self.until:
            return None
        return Stretch(start, min(day_start(_local(start, self.zone) + timedelta(days=DAYS), self.zone), self.until))

    def begun(self, stretch: Stretch) -> HeldBack:
        """The same when a stretch is begun: what lies before it and was never sent is missed."""
        if stretch.start <= self.sent_until:
            return self
        gap = Stretch(self.sent_until, stretch.start)
        return replace(self, sent_until=stretch.start, missed=(*self.missed, gap))

    def as_json(self) -> dict[str, Any]:
        """As the database keeps it."""
        return {
            "model": self.model,
            "zone": self.zone,
            "sent_until": self.sent_until.isoformat(),
            "told_until": self.told_until.isoformat(),
            "until": self.until.isoformat(),
            "missed": [one.as_json() for one in self.missed],
        }


@dataclass(frozen=True)
class HeldBackRoom:
    """What the page and the command say."""

    held: HeldBack
    coming: Stretch | None
    job: Job | None  # the week that is being played, or waits for a worker
    last: Job | None  # the newest that has ended

    @property
    def over(self) -> str:
        """Why there is no next week; "" while there is one."""
        if self.coming is not None or self.job is not None:
            return ""
        return f"Nothing is left after {day(self.held.until - timedelta(seconds=1), self.held.zone)}."


def held_back_of(kept: Mapping[str, Any]) -> HeldBack:
    """What `HeldBack.as_json` gave."""
    return HeldBack(
        model=str(kept["model"]),
        zone=str(kept["zone"]),
        sent_until=datetime.fromisoformat(kept["sent_until"]),
        told_until=datetime.fromisoformat(kept["told_until"]),
        until=datetime.fromisoformat(kept["until"]),
        missed=tuple(stretch_of(one) for one in kept["missed"]),
    )


def stretch_of(kept: Mapping[str, Any]) -> Stretch:
    """What `Stretch.as_json` gave."""
    return Stretch(datetime.fromisoformat(str(kept["start"])), datetime.fromisoformat(str(kept["end"])))


def _local(at: datetime, zone: str) -> date:
    return at.astimezone(zone_of(zone)).date()
