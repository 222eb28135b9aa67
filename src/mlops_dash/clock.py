"""What time is it? One service, so that a replay can drive the clock and tests can hold it.

Must not: read a file or a database. The offset of a replayed world is kept by `store` and handed in.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta


def wall_now() -> datetime:
    """The machine's own time, aware UTC."""
    return datetime.now(UTC)


def require_utc(value: datetime, name: str = "time") -> datetime:
    """Return `value` in UTC; a naive datetime is a programming error.

    Raises:
        ValueError: `value` has no zone.
    """
    if value.tzinfo is None:
        raise ValueError(f"{name} {value.isoformat()} has no zone; give an aware datetime")
    return value.astimezone(UTC)


@dataclass
class Clock:
    """Wall time plus an offset. The demo's offset makes it live on from the end of the data.

    `offset_source`, when given, is asked at most four times a second for the shared offset, so that every process
    of one installation shows the same time.
    """

    offset: timedelta = timedelta(0)
    offset_source: Callable[[], timedelta] | None = None
    wall: Callable[[], datetime] = wall_now
    _asked: datetime | None = field(default=None, repr=False)

    def now(self) -> datetime:
        """The time of this world, aware UTC."""
        wall = self.wall()
        if self.offset_source is not None and (self._asked is None or wall - self._asked > timedelta(milliseconds=250)):
            self.offset = self.offset_source()
            self._asked = wall
        return wall + self.offset

    @property
    def shifted(self) -> bool:
        """Whether this world does not live in the present (the pages show a banner)."""
        self.now()
        return abs(self.offset) > timedelta(minutes=1)


def fixed(at: datetime) -> Clock:
    """A clock that stands still at `at`, for tests and the replay."""
    moment = require_utc(at)
    return Clock(wall=lambda: moment)
