"""A lane a model: its requests wait for nobody else's, and those that wait while it is busy are answered together.

Nobody waits for a timer: a request that finds its model idle is answered at once, alone. While the model works the next
ones gather, as many as its setting lets go through together. A model whose requests are answered each alone has several
threads, as they may wait for something else than Python. A model that is loaded for the first time keeps its own lane
busy and no other.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import zlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from mlops_dash.domain.access import Actor
from mlops_dash.errors import Unavailable
from mlops_dash.services.scoring import Answered, Asked, ScoringService

_log = logging.getLogger(__name__)
THREADS = 4  # of a model whose requests are answered each alone
MOST_LANES = 64  # models beyond them share the lanes that are there
MOST_WAITING = 2_000  # requests of one model; beyond them the gateway says 503 instead of hoarding
MOST_BYTES = 4 * 1024 * 1024  # of bodies that are taken together, so that small requests wait for no heap of large ones


@dataclass(frozen=True)
class _Waiting:
    asked: Asked
    future: asyncio.Future[Answered]


class Lane:
    """The requests of one model."""

    def __init__(self, scoring: ScoringService, actor: Actor) -> None:
        self._scoring = scoring
        self._actor = actor
        self._waiting: deque[_Waiting] = deque()
        self._lock = threading.Lock()
        self._busy = 0
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="lane")

    async def answer(self, asked: Asked) -> Answered:
        """The answer, as soon as the model is free.

        Raises:
            Unavailable: too many wait already.
            Exception: whatever `ScoringService.answer` raises for this request.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Answered] = loop.create_future()
        together = self._scoring.rows_at_once(self._actor, asked.model) > 1
        with self._lock:
            if len(self._waiting) >= MOST_WAITING:
                raise Unavailable(f"{MOST_WAITING:,} requests wait for {asked.model} already.", hint="Try again.")
            self._waiting.append(_Waiting(asked, future))
            starts = self._busy < (1 if together else THREADS)
            self._busy += starts
        if starts:
            self._threads.submit(self._run, loop)
        return await future

    @property
    def waiting(self) -> int:
        """How many requests wait for the model."""
        return len(self._waiting)

    def close(self) -> None:
        """End without waiting: a load that hangs must not keep the gateway from ending."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        while taken := self._take():
            left = dict(enumerate(taken))
            try:
                for model, places in _by_model(taken):
                    asked = [taken[place].asked for place in places]
                    for said in self._scoring.answer_all(self._actor, model, asked):
                        _tell(loop, [(left.pop(places[place]), result) for place, result in said])
            except Exception as error:  # noqa: BLE001 - a fault of ours: who waits must hear of it, and the lane must live on
                _log.exception("a lane failed")
                _tell(loop, [(one, error) for one in left.values()])

    def _take(self) -> list[_Waiting]:
        """What is answered next; when nothing waits, this thread is not busy any more."""
        with self._lock:
            while self._waiting and self._waiting[0].future.done():
                self._waiting.popleft()  # the client went away
            if not self._waiting:
                self._busy -= 1
                return []
            taken = [self._waiting.popleft()]
            most = self._scoring.rows_at_once(self._actor, taken[0].asked.model)
            size = len(taken[0].asked.body)
            while self._waiting and len(taken) < most:
                size += len(self._waiting[0].asked.body)
                if size > MOST_BYTES:
                    break
                one = self._waiting.popleft()
                if not one.future.done():
                    taken.append(one)
            return taken


class Lanes:
    """A lane for each model that is asked."""

    def __init__(self, scoring: ScoringService, actor: Actor) -> None:
        self._make: Callable[[], Lane] = lambda: Lane(scoring, actor)
        self._lanes: dict[str, Lane] = {}

    async def answer(self, asked: Asked) -> Answered:
        """As `Lane.answer`, in the lane of the model."""
        return await self._lane(asked.model).answer(asked)

    @property
    def waiting(self) -> int:
        """How many requests wait for a model."""
        return sum(lane.waiting for lane in list(self._lanes.values()))

    def close(self) -> None:
        """End all lanes."""
        for lane in self._lanes.values():
            lane.close()

    def _lane(self, model: str) -> Lane:
        found = self._lanes.get(model)
        if found is None and len(self._lanes) >= MOST_LANES:
            found = list(self._lanes.values())[zlib.crc32(model.encode()) % MOST_LANES]
        if found is None:
            found = self._lanes[model] = self._make()
        return found


def _by_model(taken: Sequence[_Waiting]) -> Iterator[tuple[str, list[int]]]:
    """Places by model, in the order of their first request: a lane of its own has one model."""
    places: dict[str, list[int]] = {}
    for place, one in enumerate(taken):
        places.setdefault(one.asked.model, []).append(place)
    yield from places.items()


def _tell(loop: asyncio.AbstractEventLoop, said: Sequence[tuple[_Waiting, Answered | Exception]]) -> None:
    def settle() -> None:
        for waiting, result in said:
            if waiting.future.done():  # the client went away
                continue
            if isinstance(result, Exception):
                waiting.future.set_exception(result)
            else:
                waiting.future.set_result(result)

    try:
        loop.call_soon_threadsafe(settle)
    except RuntimeError:  # the loop is closed: the process ends, and nobody was answered
        _log.warning("a request was scored after its connection had ended")
