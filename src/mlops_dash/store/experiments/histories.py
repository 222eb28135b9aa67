"""Histories of metrics in the run index: only of metrics that somebody asked for, because each run is a request.

They lie in MLflow's own layout too. Beside each is the digest that its run had when it was read: another digest now
means that the run has changed, and the history is read again; the known one stands until then.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import pandas as pd

from mlops_dash.domain.experiments.index import ASKED_FOR, Point
from mlops_dash.store.experiments.index import ASK_EVERY_SECONDS, RunIndex, number

_DUE: Final = """
SELECT CAST(r.experiment_id AS TEXT), r.run_uuid, m.key, r.digest FROM runs r
JOIN latest_metrics m ON m.run_uuid = r.run_uuid AND m.key IN (SELECT value FROM json_each(:keys))
LEFT JOIN histories h ON h.run_uuid = m.run_uuid AND h.key = m.key
WHERE (h.digest IS NULL OR h.digest != r.digest) AND r.run_uuid IN (
    SELECT run_uuid FROM runs WHERE experiment_id IN (SELECT value FROM json_each(:experiments))
    UNION SELECT value FROM json_each(:runs)
)
ORDER BY r.start_time DESC LIMIT :most
"""


@dataclass(frozen=True)
class DueHistory:
    """A history to read: of which run and metric, and the digest of the run now."""

    experiment: str
    run_id: str
    key: str
    digest: str


class RunHistories:
    """The histories in one run index."""

    def __init__(self, index: RunIndex) -> None:
        self._index = index

    def want(self, experiments: Sequence[str], keys: Sequence[str], now: datetime) -> None:
        """Somebody looks at histories of these metrics: they are to be read, or kept fresh."""
        pairs = [(int(one), key) for one in experiments for key in keys]
        at = now.timestamp()
        with self._index.opened() as file:
            rows = file.execute("SELECT experiment_id, key, asked_at FROM wanted_histories").fetchall()
        known = {(one, key): asked for one, key, asked in rows}
        late = [pair for pair in pairs if not 0 <= at - known.get(pair, -ASK_EVERY_SECONDS) < ASK_EVERY_SECONDS]
        if late:
            with self._index.writing() as file:
                file.executemany(
                    "INSERT OR REPLACE INTO wanted_histories VALUES (?, ?, ?)", [(*pair, at) for pair in late]
                )

    def wanted(self, now: datetime) -> tuple[tuple[str, str], ...]:
        """Experiment and metric of what somebody looked at lately, the last first."""
        since = (now - ASKED_FOR).timestamp()
        with self._index.opened() as file:
            rows = file.execute(
                "SELECT experiment_id, key FROM wanted_histories WHERE asked_at > ? ORDER BY asked_at DESC, key",
                (since,),
            ).fetchall()
        return tuple((str(one), key) for one, key in rows)

    def due(self, experiments: Sequence[str], keys: Sequence[str], most: int = -1) -> tuple[DueHistory, ...]:
        """Histories that were never read or whose run has changed since, of the newest runs first.

        Args:
            experiments: MLflow's ids.
            keys: Metrics.
            most: How many at most; -1 for all.
        """
        return self._asked(keys, [int(one) for one in experiments], (), most)

    def due_of(self, run_ids: Sequence[str], keys: Sequence[str]) -> tuple[DueHistory, ...]:
        """The same for some runs."""
        return self._asked(keys, (), run_ids, -1)

    def _asked(
        self, keys: Sequence[str], experiments: Sequence[int], run_ids: Sequence[str], most: int
    ) -> tuple[DueHistory, ...]:
        lists = {"keys": list(keys), "experiments": list(experiments), "runs": list(run_ids)}
        given = {**{name: json.dumps(one) for name, one in lists.items()}, "most": most}
        with self._index.opened() as file:
            return tuple(DueHistory(*row) for row in file.execute(_DUE, given))

    def put(self, found: Sequence[tuple[DueHistory, Sequence[Point]]]) -> None:
        """Keep histories in place of what was known of them; of a run that has been forgotten meanwhile, nothing."""
        with self._index.writing() as file:
            ids = json.dumps([one.run_id for one, _ in found])
            there = {row[0] for row in file.execute(
                "SELECT run_uuid FROM runs WHERE run_uuid IN (SELECT value FROM json_each(?))", (ids,)
            )}  # fmt: skip
            kept = [(one, points) for one, points in found if one.run_id in there]
            file.executemany(
                "DELETE FROM metrics WHERE run_uuid = ? AND key = ?", [(one.run_id, one.key) for one, _ in kept]
            )
            file.executemany(
                "INSERT INTO metrics VALUES (?, ?, ?, ?, ?, ?, ?)",
                [
                    (one.run_id, one.key, place, step, at, *number(value))
                    for one, points in kept
                    for place, (step, at, value) in enumerate(points)
                ],
            )
            file.executemany(
                "INSERT OR REPLACE INTO histories VALUES (?, ?, ?)",
                [(one.run_id, one.key, one.digest) for one, _ in kept],
            )

    def extremes(self, experiments: Sequence[str], keys: Sequence[str]) -> pd.DataFrame:
        """As `MlflowDatabase.extremes`, of the histories that have been read."""
        return self._index.reader.extremes(experiments, keys)

    def at_step(self, experiments: Sequence[str], key: str, step: int) -> dict[str, float]:
        """As `MlflowDatabase.at_step`, of the histories that have been read."""
        return self._index.reader.at_step(experiments, key, step)

    def histories(self, run_ids: Sequence[str], keys: Sequence[str]) -> pd.DataFrame:
        """As `MlflowDatabase.histories`, of the histories that have been read."""
        return self._index.reader.histories(run_ids, keys)
