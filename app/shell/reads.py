"""Facts of a page, kept for a few seconds for everybody with the same rights, and shown on when a refresh fails."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from mlops_dash.errors import Unavailable

T = TypeVar("T")

SECONDS = 5.0  # what no mark shows (heartbeats, coverage of late labels) is never older
MOST = 64  # reads kept


@dataclass(frozen=True)
class Kept(Generic[T]):
    """A value, the seconds since it was read, and why it could not be read again ("" when it could)."""

    value: T
    age: float
    failed: str = ""


@dataclass
class _Entry:
    lock: threading.Lock = field(default_factory=threading.Lock)
    filled: bool = False
    value: object = None
    mark: Hashable = None
    at: float = 0.0


class Reads:
    """The kept reads of this process. Values are frozen dataclasses, so sessions can share them."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self._entries: OrderedDict[Hashable, _Entry] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable, mark: Hashable, make: Callable[[], T]) -> Kept[T]:
        """The value of `key`, made when it is new, older than a few seconds, or of another `mark`.

        Many who ask at once wait for one to make it. When something does not answer, the old value is given with the
        reason.

        Raises:
            Unavailable: something does not answer and there is no old value.
        """
        entry = self._entry(key)
        with entry.lock:
            if entry.filled and entry.mark == mark and self.clock() - entry.at < SECONDS:
                return Kept(entry.value, self.clock() - entry.at)  # type: ignore[arg-type]
            try:
                entry.value = make()
            except Unavailable as error:
                if not entry.filled:
                    raise
                return Kept(entry.value, self.clock() - entry.at, error.message)  # type: ignore[arg-type]
            entry.filled, entry.mark, entry.at = True, mark, self.clock()
            return Kept(entry.value, 0.0)

    def clear(self) -> None:
        """Make everything again when it is next asked for; old values stay for the case that this fails."""
        with self._lock:
            for entry in self._entries.values():
                entry.mark = object()

    def _entry(self, key: Hashable) -> _Entry:
        with self._lock:
            entry = self._entries.setdefault(key, _Entry())
            self._entries.move_to_end(key)
            while len(self._entries) > MOST:
                self._entries.popitem(last=False)
            return entry
