"""Send requests over connections that stay open, and note how long each answer took: what benches ask with.

A small client of its own, because one in Python that parses everything would cost more than the servers it measures.
It reads the status line, Content-Length and the body, and knows no other form of answer.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

from mlops_dash.errors import Unavailable

LONGEST = 60.0  # seconds that one answer may take


@dataclass(frozen=True)
class Load:
    """What a load found: answers by the second, and how long each took in milliseconds."""

    seconds: float
    milliseconds: tuple[float, ...]

    @property
    def rate(self) -> float:
        """Answers a second."""
        return len(self.milliseconds) / self.seconds

    def quantile(self, share: float) -> float:
        """Milliseconds within which this share of the answers came.

        >>> Load(1.0, (3.0, 1.0, 2.0, 4.0)).quantile(0.5)
        2.0
        """
        ordered = sorted(self.milliseconds)
        return ordered[max(0, -(-int(share * 1_000_000) * len(ordered) // 1_000_000) - 1)]


def request(path: str, body: bytes, *, token: str = "") -> bytes:
    """A POST of JSON as it goes over the wire."""
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    head += f"\r\nAuthorization: Bearer {token}" if token else ""
    return f"{head}\r\n\r\n".encode() + body


async def each(port: int, requests: Sequence[bytes], *, connections: int) -> Load:
    """Send every request once; each connection sends the next one as soon as it has its answer.

    Raises:
        Unavailable: an answer is not 200, or none comes.
    """
    taken: list[float] = []
    waiting = iter(requests)
    began = time.perf_counter()

    async def ask() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            taken.extend([await _one(reader, writer, one) for one in waiting])
        finally:
            writer.close()

    await _all([ask() for _ in range(connections)])
    return Load(time.perf_counter() - began, tuple(taken))


async def closed(port: int, requests: Sequence[bytes], *, connections: int, seconds: float) -> Load:
    """Let each connection ask again as soon as it has its answer.

    Raises:
        Unavailable: an answer is not 200, or none comes.
    """
    taken: list[float] = []
    began = time.perf_counter()
    until = began + seconds

    async def ask(first: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            number = first
            while time.perf_counter() < until:
                taken.append(await _one(reader, writer, requests[number % len(requests)]))
                number += connections
        finally:
            writer.close()

    await _all([ask(number) for number in range(connections)])
    return Load(time.perf_counter() - began, tuple(taken))


async def paced(port: int, requests: Sequence[bytes], *, rate: float, connections: int, seconds: float) -> Load:
    """Ask `rate` times a second whether or not answers came; each counts from when it was due.

    Raises:
        Unavailable: an answer is not 200, or none comes.
    """
    taken: list[float] = []
    due: asyncio.Queue[tuple[float, int] | None] = asyncio.Queue()
    began = time.perf_counter()

    async def ask() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            while (one := await due.get()) is not None:
                await _one(reader, writer, requests[one[1] % len(requests)])
                taken.append(1000 * (time.perf_counter() - one[0]))
        finally:
            writer.close()

    async def pace() -> None:
        for number in range(int(rate * seconds)):
            at = began + number / rate
            await asyncio.sleep(max(0.0, at - time.perf_counter()))
            due.put_nowait((at, number))
        for _ in range(connections):
            due.put_nowait(None)

    await _all([pace(), *(ask() for _ in range(connections))])
    return Load(time.perf_counter() - began, tuple(taken))


async def _all(work: Sequence[Coroutine[Any, Any, None]]) -> None:
    """Until all is done; the first that fails ends the others and is what is raised."""
    try:
        async with asyncio.TaskGroup() as group:
            for one in work:
                group.create_task(one)
    except ExceptionGroup as several:
        raise several.exceptions[0] from several


async def _one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, sent: bytes) -> float:
    """Milliseconds from sending to the last byte of the answer."""
    began = time.perf_counter()
    writer.write(sent)
    try:
        async with asyncio.timeout(LONGEST):
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(
                int(line.partition(b":")[2])
                for line in head.split(b"\r\n")
                if line[:15].lower() == b"content-length:"
            )  # fmt: skip
            body = await reader.readexactly(length)
    except (TimeoutError, OSError, EOFError, StopIteration) as error:
        raise Unavailable("A server under load gave no answer.", hint=f"{type(error).__name__}: {error}") from error
    if head.split(b" ", 2)[1] != b"200":
        raise Unavailable("A server under load answered with an error.", hint=(head[:40] + body[:300]).decode())
    return 1000 * (time.perf_counter() - began)
