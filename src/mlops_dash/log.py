"""JSON lines logging: one line an event, to standard error and to data/local/logs/<process>.jsonl."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

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
            "message": record.getMessage(),
        }
        line.update({k: v for k, v in vars(record).items() if k not in _STANDARD})
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str, ensure_ascii=False)


def configure(process: str, folder: Path, *, level: int = logging.INFO, console: bool = True) -> None:
    """Send this process's log lines to `folder/<process>.jsonl` (5 files of 10 MB), and warnings to standard error.

    Without `console` nothing goes to standard error: a command line answers in sentences of its own.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file = RotatingFileHandler(folder / f"{process}.jsonl", maxBytes=10_000_000, backupCount=4, encoding="utf-8")
    file.setFormatter(JsonLines(process))
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
        old.close()
    root.addHandler(file)
    if console:
        stream = logging.StreamHandler()
        stream.setLevel(logging.WARNING)
        stream.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
        root.addHandler(stream)
    root.setLevel(level)
    for noisy in ("httpx", "httpcore", "apscheduler", "alembic", "urllib3", "mlflow.utils"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
