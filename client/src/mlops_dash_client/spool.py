"""Rows that wait, on disk: a folder a process, a file some rows of one model, bounded, found again after a restart.

Nothing here raises: a disk that does not take rows leaves them in memory, as far as there is room.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import threading
import time
import uuid
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path

from mlops_dash_client.counting import Tally
from mlops_dash_client.locking import NAME, Lock
from mlops_dash_client.rows import PREDICTION, Row, row_of

_ENDING = ".rows"
_TRIES = 3
_MOST_IN_MEMORY = 32 * 1024 * 1024  # bytes, where the disk does not take rows


class Segment:
    """Some rows of one model in the order in which they were logged; in memory where the disk did not take them."""

    def __init__(self, model: str, path: Path | None) -> None:
        self.model = model
        self.path = path
        self.rows = 0
        self.size = 0
        self.made = time.monotonic()
        self._kept: list[bytes] = []
        self._unsettled: list[Row] | None = None

    def add(self, lines: list[bytes]) -> None:
        """Append; what was written is with the system when this returns."""
        data = b"".join(lines)
        if self.path is not None:
            try:
                file = os.open(str(self.path), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
                try:
                    if os.write(file, data) != len(data):
                        raise OSError("the disk is full")
                finally:
                    os.close(file)
            except OSError:
                self._kept = [*self._lines(), *lines]
                self.forget()
                self.path = None
        else:
            self._kept.extend(lines)
        self.rows += len(lines)
        self.size += len(data)

    def unsettled(self, tally: Tally) -> list[Row]:
        """The rows still to be delivered, predictions first; lines that are none are counted once and left out."""
        if self._unsettled is None:
            self._unsettled = []
            lines = self._lines()
            tally.add("unreadable", self.rows - len(lines), why="rows of the spool are gone")
            for line in lines:
                try:
                    self._unsettled.append(row_of(line))
                except ValueError as error:
                    tally.add("unreadable", why=f"a line of the spool: {error}")
            # a program that logs both by turns: two requests, not one a row
            self._unsettled.sort(key=lambda row: row.kind != PREDICTION)
        return self._unsettled

    @property
    def left(self) -> int:
        """How many rows are still to be delivered."""
        return self.rows if self._unsettled is None else len(self._unsettled)

    def settle(self, rows: int) -> None:
        """The first so many of them are delivered or refused, and are not sent again."""
        del (self._unsettled or [])[:rows]

    def forget(self) -> None:
        """Remove the file."""
        if self.path is not None:
            with contextlib.suppress(OSError):
                self.path.unlink()

    def _lines(self) -> list[bytes]:
        if self.path is None:
            return list(self._kept)
        try:
            whole = self.path.read_bytes().splitlines(keepends=True)
        except OSError:
            return []
        return whole[: self.rows]


class Spool:
    """All rows that wait, whatever their model."""

    def __init__(self, root: Path, tally: Tally, *, most_bytes: int, rows_a_segment: int) -> None:
        self._root = root
        self._tally = tally
        self._most_bytes = most_bytes
        self._rows_a_segment = rows_a_segment
        self._lock = threading.Lock()
        self._waiting: dict[str, deque[Segment]] = {}
        self._open: dict[str, Segment] = {}
        self._size = 0
        self._in_memory = 0
        self._number = 0
        self._folder: Path | None = None
        self._own: Lock | None = None
        for _ in range(_TRIES):
            try:
                folder = root / f"{os.getpid()}-{uuid.uuid4().hex[:12]}"
                folder.mkdir(mode=0o700, parents=True)
                self._own, self._folder = Lock(folder), folder
                self._adopt()
                return
            except OSError as error:  # another process may have taken the folder for one of a dead process
                why = error
        tally.failed(f"the spool {root} cannot be written ({why}); rows wait in memory")

    def append(self, model: str, lines: list[bytes]) -> None:
        """Keep rows; those beyond the bound are dropped and counted."""
        with self._lock:
            taken = self._fitting(lines)
            self._tally.add("dropped", len(lines) - len(taken), why=f"{self._size:,} bytes wait already")
            while taken:
                segment = self._open.get(model) or self._begin(model)
                room = max(1, self._rows_a_segment - segment.rows)
                before = segment.size
                segment.add(taken[:room])
                taken = taken[room:]
                self._size += segment.size - before
                if segment.rows >= self._rows_a_segment:
                    del self._open[model]
                if segment.path is None:
                    self._in_memory = sum(one.size for one in self._all() if one.path is None)

    def take(self, *, but: Iterable[str], older_than: float) -> Segment | None:
        """The oldest segment of a model that is none of these; an open one only when it is so many seconds old."""
        with self._lock:
            found = None
            for model, segments in self._waiting.items():
                if not segments or model in but:
                    continue
                first = segments[0]
                still_open = self._open.get(model) is first
                if still_open and time.monotonic() - first.made < older_than:
                    continue
                if found is None or first.made < found.made:
                    found = first
            if found is not None and self._open.get(found.model) is found:
                del self._open[found.model]
            return found

    def done(self, segment: Segment) -> None:
        """Forget a segment whose rows are all settled."""
        with self._lock:
            segments = self._waiting.get(segment.model)
            if segments and segments[0] is segment:
                segments.popleft()
                self._size -= segment.size
                self._in_memory -= segment.size if segment.path is None else 0
            if not segments:
                self._waiting.pop(segment.model, None)
            segment.forget()

    @property
    def empty(self) -> bool:
        """Whether nothing waits."""
        return not self._waiting

    def close(self) -> None:
        """Let go of the folder; what waits in it is found by the next client of this spool."""
        with self._lock:
            in_memory = sum(one.left for one in self._all() if one.path is None)
            self._tally.add("dropped", in_memory, why="the client ended, and no disk took them")
            if self._folder is not None and not self._waiting:
                shutil.rmtree(self._folder, ignore_errors=True)
            self.abandon()

    def abandon(self) -> None:
        """Let go of the lock alone, as a forked child must: folder and rows are its parent's."""
        if self._own is not None:
            self._own.release()
        self._own = self._folder = None

    def _fitting(self, lines: list[bytes]) -> list[bytes]:
        """The first lines, as many as there is room for."""
        room = self._most_bytes - self._size
        if self._in_memory or self._folder is None:
            room = min(room, _MOST_IN_MEMORY - self._in_memory)
        for place, line in enumerate(lines):
            room -= len(line)
            if room < 0:
                return lines[:place]
        return lines

    def _all(self) -> Iterator[Segment]:
        return (one for segments in self._waiting.values() for one in segments)

    def _begin(self, model: str) -> Segment:
        path = None
        if self._folder is not None:
            self._number += 1
            path = self._folder / f"{self._number:010d}{_ENDING}"
        segment = Segment(model, path)
        self._open[model] = segment
        self._waiting.setdefault(model, deque()).append(segment)
        return segment

    def _adopt(self) -> None:
        """Take over the rows of processes that ended before all was delivered."""
        try:
            others = sorted(one for one in self._root.iterdir() if one.is_dir() and one != self._folder)
        except OSError:
            return
        for folder in others:
            try:
                lock = Lock(folder)
            except OSError:  # its process lives
                continue
            try:
                for path in sorted(folder.glob(f"*{_ENDING}")):
                    self._adopt_file(path)
                if {one.name for one in folder.iterdir()} <= {NAME}:
                    shutil.rmtree(folder, ignore_errors=True)
            except OSError as error:
                self._tally.failed(f"what waits in {folder} cannot be read: {error}")
            finally:
                lock.release()

    def _adopt_file(self, path: Path) -> None:
        if self._folder is None:
            return
        lines = path.read_bytes().splitlines(keepends=True)
        model = next((row.model for row in map(_row_or_none, lines) if row is not None), None)
        self._tally.add("logged", len(lines))
        if model is None:
            self._tally.add("unreadable", len(lines), why=f"{path.name} of an earlier run")
            path.unlink()
            return
        self._number += 1
        ours = self._folder / f"{self._number:010d}{_ENDING}"
        path.replace(ours)
        segment = Segment(model, ours)
        segment.rows, segment.size = len(lines), sum(map(len, lines))
        self._waiting.setdefault(model, deque()).append(segment)
        self._size += segment.size


def _row_or_none(line: bytes) -> Row | None:
    try:
        return row_of(line)
    except ValueError:
        return None
