"""What this process counts of staged roll-outs: calls of the new version, those that failed, and the times of both.

Counts only grow while the process runs, and are kept under a name of this run, so that a gateway that starts again adds
to what it counted before. They are machine facts: a crash loses those of the last second.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from datetime import datetime

from mlops_dash.domain.registry.guards import Calls
from mlops_dash.services.scoring.following import Live
from mlops_dash.stats.rollouts import cell_of
from mlops_dash.store import rollouts as store
from mlops_dash.store.db import Databases, transaction
from mlops_dash.tracking.models.beside import Beside

AGAIN = 0.05  # of its rows, that a champion is asked twice for the sake of its times


@dataclass
class _Counted:
    asked: int = 0
    failed: int = 0
    new: dict[int, int] = field(default_factory=dict)
    old: dict[int, int] = field(default_factory=dict)
    saved: float = 0.0  # rows that the champion may be asked once more


class Pulses:
    """Counts by roll-out; safe among threads."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._counted: dict[str, _Counted] = {}
        self._changed: set[str] = set()
        self._lock = threading.Lock()

    def again(self, live: Live, rows: int, own: int) -> bool:
        """Whether the champion is asked `own` of the `rows` of a call once more, so that both are timed on the same.

        Only for roll-outs, and it never costs the champion more than 5 % more rows.
        """
        rollout = live.tried.rollout
        if rollout is None:
            return False
        with self._lock:
            mine = self._counted.setdefault(rollout.id, _Counted())
            mine.saved = min(mine.saved + AGAIN * rows, float(rows))
            if mine.saved < own:
                return False
            mine.saved -= own
            return True

    def note(self, live: Live, beside: Beside | None) -> None:
        """Count a call in which the version of a roll-out was asked; of A/B tests nothing is counted."""
        rollout = live.tried.rollout
        if rollout is None or beside is None:
            return
        with self._lock:
            mine = self._counted.setdefault(rollout.id, _Counted())
            mine.asked += 1
            self._changed.add(rollout.id)
            if beside.failed:
                mine.failed += 1
                return
            if beside.champion_seconds is None:
                return
            for times, seconds in ((mine.new, beside.challenger_seconds), (mine.old, beside.champion_seconds)):
                cell = cell_of(seconds)
                times[cell] = times.get(cell, 0) + 1

    def keep(self, databases: Databases, now: datetime) -> None:
        """Write what changed since the last time.

        Raises:
            StoreUnavailable: the log does not take it; it is tried again with the next.
        """
        with self._lock:
            due = {
                one: Calls(mine.asked, mine.failed, dict(mine.new), dict(mine.old))
                for one, mine in self._counted.items()
                if one in self._changed
            }
            self._changed -= due.keys()
        if not due:
            return
        try:
            with transaction(databases.log) as session:
                for rollout_id, calls in due.items():
                    store.put_pulse(session, rollout_id, self._source, calls, at=now)
        except BaseException:
            with self._lock:
                self._changed |= due.keys()
            raise
