"""JSON lines logging: one line an event, to standard error and to data/local/logs/<process>.jsonl."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

LONGEST_TEXT = 2_000  # characters of one value: a client's column name may be a megabyte long
LONGEST_TRACE = 20_000
MOST_ALIKE, ALIKE_SECONDS = 20, 10.0  # lines of one kind that are kept in so many seconds
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class JsonLines(logging.Formatter):
    """Formats a record as one JSON object; everything given as `extra=` becomes a key."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self.process = process

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line of JSON."""
        line: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "process": self.process,
            "logger": record.name,
            "message": _cut(record.getMessage()),
        }
        line.update({k: _cut(v) for k, v in vars(record).items() if k not in _STANDARD})
        if record.exc_info:
            line["traceback"] = _cut(self.formatException(record.exc_info), LONGEST_TRACE)
        return json.dumps(line, default=str, ensure_ascii=False)


class Plain(logging.Formatter):
    """Formats a record for a terminal, cut to a length that a terminal shows."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as text of bounded length."""
        return str(_cut(super().format(record), LONGEST_TRACE))


class FewAlike(logging.Filter):
    """Lets through a bounded number of lines of one kind in a span of time, and says how many it kept back.

    A kind is a logger with its message before values are filled in, so that a client's text cannot make new kinds.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._now = now
        self._seen: dict[tuple[str, str], tuple[float, int]] = {}
        self._lock = threading.Lock()

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is written; the first of a new span carries the number that was kept back before."""
        key = (record.name, str(record.msg)[:LONGEST_TEXT])
        with self._lock:
            if len(self._seen) > 1_000:
                self._seen.clear()
            begun, count = self._seen.get(key, (float("-inf"), 0))
            if self._now() - begun >= ALIKE_SECONDS:
                if count > MOST_ALIKE:
                    record.kept_back = count - MOST_ALIKE
                begun, count = self._now(), 0
            self._seen[key] = (begun, count + 1)
            return count < MOST_ALIKE


def _cut(value: Any, longest: int = LONGEST_TEXT) -> Any:
    """The value, its text cut; numbers and short texts as they are."""
    if isinstance(value, int | float | None):
        return value
    text = value if isinstance(value, str) else str(value)
    if len(text) <= longest:
        return value
    return f"{text[:longest]} ... ({len(text):,} characters)"


def configure(process: str, folder: Path, *, level: int = logging.INFO, console: bool = True) -> None:
    """Send this process's log lines to `folder/<process>.jsonl` (5 files of 10 MB), and warnings to standard error.

    Without `console` nothing goes to standard error: a command line answers in sentences of its own.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file = RotatingFileHandler(folder / f"{process}.jsonl", maxBytes=10_000_000, backupCount=4, encoding="utf-8")
    file.setFormatter(JsonLines(process))
    file.addFilter(FewAlike())
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
        old.close()
    root.addHandler(file)
    if console:
        stream = logging.StreamHandler()
        stream.setLevel(logging.WARNING)
        stream.setFormatter(Plain("%(levelname)s %(name)s: %(message)s"))
        stream.addFilter(FewAlike())
        root.addHandler(stream)
    root.setLevel(level)
    for noisy in ("httpx", "httpcore", "apscheduler", "alembic", "urllib3", "mlflow.utils"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def rotate(path: Path, longest: int) -> None:
    """Keep the last of a log that grew too large beside it, and begin anew; who appends to it goes on at its start."""
    with contextlib.suppress(OSError):  # a full disk must not end the watch
        if path.stat().st_size <= longest:
            return
        with path.open("rb+") as file:
            file.seek(-longest, os.SEEK_END)
            path.with_name(path.name + ".1").write_bytes(file.read())
            file.truncate(0)
