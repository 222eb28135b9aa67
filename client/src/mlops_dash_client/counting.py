"""How many rows became what: a client that drops something says so."""

from __future__ import annotations

import logging
import threading
from typing import NamedTuple

_log = logging.getLogger("mlops_dash_client")


class Counters(NamedTuple):
    """What became of the rows of this client since it was made.

    Attributes:
        logged: Rows that were handed over, and rows of an earlier run that were found in the spool.
        delivered: Rows that the gateway has.
        refused: Rows that the gateway will never take; the log says why.
        dropped: Rows that were not kept: memory or spool was full, or the client was closed.
        unreadable: Rows that no JSON can hold, and torn lines of a spool.
        waiting: Rows that are still to be delivered.
        retries: Requests that failed and will be sent again.
        last_error: Why the last of them failed; "" when the last request went well.
    """

    logged: int = 0
    delivered: int = 0
    refused: int = 0
    dropped: int = 0
    unreadable: int = 0
    waiting: int = 0
    retries: int = 0
    last_error: str = ""


class Tally:
    """Counts, from whatever thread; the first of each kind is a line in the log, and then every thousandth."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[str, int] = {}
        self._last_error = ""

    def add(self, what: str, number: int = 1, *, why: str = "") -> None:
        """Count rows; `why` is said in the log now and then."""
        if not number:
            return
        with self._lock:
            before = self._counts.get(what, 0)
            self._counts[what] = before + number
        if why and (before == 0 or before // 1_000 != (before + number) // 1_000):
            _log.warning("%s: %d rows so far; the last: %s", what, before + number, why)

    def failed(self, why: str) -> None:
        """Note a request that will be sent again."""
        self.add("retries")
        with self._lock:
            news, self._last_error = why != self._last_error, why
        if news:
            _log.warning("not delivered, will be sent again: %s", why)

    def went_well(self) -> None:
        """Note a request that was answered."""
        with self._lock:
            self._last_error = ""

    def snapshot(self) -> Counters:
        """All counts of one moment."""
        with self._lock:
            counts, error = dict(self._counts), self._last_error
        settled = sum(counts.get(name, 0) for name in ("delivered", "refused", "dropped", "unreadable"))
        return Counters(
            logged=counts.get("logged", 0),
            delivered=counts.get("delivered", 0),
            refused=counts.get("refused", 0),
            dropped=counts.get("dropped", 0),
            unreadable=counts.get("unreadable", 0),
            waiting=max(0, counts.get("logged", 0) - settled),
            retries=counts.get("retries", 0),
            last_error=error,
        )
