"""Group commit: one thread stores whatever waits in one transaction, and only then the requests are answered.

While one commit waits for the disk (about 4 ms), the next requests gather; nobody waits for a timer.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
from collections.abc import Sequence
from dataclasses import dataclass

from mlops_dash.domain.access import Actor
from mlops_dash.errors import StoreUnavailable
from mlops_dash.services.scoring import Pending, ScoringService, Stored

_log = logging.getLogger(__name__)
MOST_ROWS = 20_000  # of one transaction
MOST_WAITING = 2_000  # requests; beyond them the gateway says 503 instead of hoarding


@dataclass(frozen=True)
class _Waiting:
    pending: Pending
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Stored]

    @property
    def rows(self) -> int:
        return len(self.pending.predictions) + len(self.pending.labels)


class Writer:
    """The gateway's only writer of predictions and labels."""

    def __init__(self, scoring: ScoringService, actor: Actor) -> None:
        self._scoring = scoring
        self._actor = actor
        self._queue: queue.Queue[_Waiting | None] = queue.Queue(MOST_WAITING)
        self._thread = threading.Thread(target=self._run, name="group-commit", daemon=True)
        self._closing = threading.Lock()  # between the last look at `_closed` and the end of the thread
        self._closed = False
        self.commits = 0
        self.requests = 0

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def close(self) -> None:
        """Store what waits, then end the thread; later requests are refused."""
        with self._closing:
            self._closed = True
        self._queue.put(None)
        self._thread.join()

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    @property
    def waiting(self) -> int:
        """How many requests wait for the disk."""
        return self._queue.qsize()

    async def store(self, pending: Pending) -> Stored:
        """Return when the rows are on disk.

        Raises:
            StoreUnavailable: the log does not take them, too many requests wait, or the writer is closed.
            Conflict: an id is known with other features or another time.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Stored] = loop.create_future()
        try:
            with self._closing:
                if self._closed:
                    raise StoreUnavailable("The gateway is stopping.", hint="Try again; nothing was stored.")
                self._queue.put_nowait(_Waiting(pending, loop, future))
        except queue.Full:
            raise StoreUnavailable(
                f"{MOST_WAITING:,} requests wait for the disk already.",
                hint="Try again; nothing was stored.",
            ) from None
        return await future

    def _run(self) -> None:
        while True:
            first = self._queue.get()
            if first is None:
                return
            together, last = self._gather(first)
            self._commit(together)
            if last:
                return

    def _gather(self, first: _Waiting) -> tuple[list[_Waiting], bool]:
        """Everything that waits by now, and whether the end was asked for."""
        together, rows = [first], first.rows
        while rows < MOST_ROWS:
            try:
                one = self._queue.get_nowait()
            except queue.Empty:
                return together, False
            if one is None:
                return together, True
            together.append(one)
            rows += one.rows
        return together, False

    def _commit(self, together: Sequence[_Waiting]) -> None:
        try:
            stored = self._scoring.store(self._actor, [one.pending for one in together])
        except Exception as error:  # noqa: BLE001 - whatever it is, each waiting request must hear of it
            if len(together) > 1 and not isinstance(error, StoreUnavailable):
                _log.exception("a group could not be stored; trying its requests one by one")
                for one in together:
                    self._commit([one])
                return
            for one in together:
                _tell(one, None, error)
            return
        self.commits += 1
        self.requests += len(together)
        for one, result in zip(together, stored, strict=True):
            _tell(one, result, None)


def _tell(waiting: _Waiting, result: Stored | None, error: Exception | None) -> None:
    def settle() -> None:
        if waiting.future.done():  # the client went away
            return
        if error is not None:
            waiting.future.set_exception(error)
        elif result is not None:
            waiting.future.set_result(result)

    try:
        waiting.loop.call_soon_threadsafe(settle)
    except RuntimeError:  # the loop is closed: the process ends, and the row is on disk all the same
        _log.warning("a request was stored after its connection had ended")
