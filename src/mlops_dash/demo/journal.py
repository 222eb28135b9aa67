"""What of the demo is done: kept in the database, so that a second start goes on and a third changes nothing."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from mlops_dash.bootstrap import Services
from mlops_dash.store import world
from mlops_dash.store.db import reading, transaction

_KEY = "demo"


class Journal:
    """The demo's memory."""

    def __init__(self, services: Services, key: str = _KEY) -> None:
        self._engine = services.context.databases.app
        self._key = key  # one writer each: the sweep, which runs beside the story, has its own

    def mode(self, *, fast: bool) -> str:
        """The length of this home's demo: the one it was begun with, else the one asked for."""
        kept = self._read()
        if "mode" not in kept:
            kept["mode"] = "fast" if fast else "full"
            self._write(kept)
        return str(kept["mode"])

    def done(self, step: str) -> bool:
        """Whether a step is behind us."""
        return step in self._read().get("steps", [])

    def finish(self, step: str) -> None:
        """A step is over."""
        kept = self._read()
        kept["steps"] = [*kept.get("steps", []), step]
        self._write(kept)

    def note(self, name: str, value: Any) -> None:
        """Keep a fact within a step (a version's id, how far the replay is)."""
        kept = self._read()
        kept.setdefault("notes", {})[name] = value
        self._write(kept)

    def noted(self, name: str) -> Any:
        """A fact kept earlier, or None."""
        return self._read().get("notes", {}).get(name)

    def time(self, name: str, default: datetime) -> datetime:
        """A kept instant, or the default."""
        kept = self.noted(name)
        return default if kept is None else datetime.fromisoformat(str(kept))

    def _read(self) -> dict[str, Any]:
        with reading(self._engine) as session:
            return dict(world.get(session, self._key) or {})

    def _write(self, kept: dict[str, Any]) -> None:
        with transaction(self._engine) as session:
            world.put(session, self._key, kept)
