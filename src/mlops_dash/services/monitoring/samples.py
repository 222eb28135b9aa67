"""The rows behind a moved column: a few of the cell that grew beside typical ones, and what lies beyond the reference.

Rows are read from the log when somebody asks, a bounded number, spread over the hours of the window.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from mlops_dash.domain.access import Actor, Permission
from mlops_dash.domain.monitoring.readings import SCORE
from mlops_dash.domain.monitoring.samples import BEYOND, MOST_ROWS, WHO, Beyond, ColumnRows
from mlops_dash.domain.policies import PolicyKind
from mlops_dash.domain.words import Drift
from mlops_dash.errors import NotFound
from mlops_dash.services.command import Context, read
from mlops_dash.services.monitoring.explaining import FIRST_WINDOWS, importance_in
from mlops_dash.services.monitoring.room import span_start
from mlops_dash.services.monitoring.sifting import sift
from mlops_dash.services.monitoring.spread import spread_rows
from mlops_dash.stats.arrays import Floats
from mlops_dash.stats.cells import Cells, NumericCells
from mlops_dash.store import policies, prediction_log, registry
from mlops_dash.store.db import Session, reading
from mlops_dash.store.monitoring import profiles, references
from mlops_dash.store.monitoring import readings as store
from mlops_dash.store.monitoring.parts import total
from mlops_dash.store.monitoring.references import Reference

READ = 2_000  # rows of a window
OTHERS = 5  # further columns of a row that are shown, the ones that the model needs most first
OUT_OF_RANGE = 0.02  # share beyond the reference from which its values are looked at
_HOUR = timedelta(hours=1)
_SEED = 20_130_101


class Samples:
    """The verb."""

    def __init__(self, context: Context) -> None:
        self.context = context

    @read(Permission.ROOM_READ)
    def column_rows(self, actor: Actor, model: str, column: str, *, at: datetime | None = None) -> ColumnRows:
        """A few rows of the cell of a column that grew most, beside typical ones; single rows for who may score.

        Args:
            actor: Who looks.
            model: The model.
            column: One of the reference's columns.
            at: End of the window, as the drift map has it; None: the latest judged one.

        Raises:
            NotFound: no such model, nothing of it is watched or judged, or it has no such column.
        """
        now = self.context.clock.now()
        with reading(self.context.databases.app) as session:
            if model not in store.model_names(session):
                raise NotFound(f"No model {model}.", hint="Choose one from the list.")
            version = store.champion(session, model)
            reference = None if version is None else references.reference(session, version.id)
            if version is None or reference is None:
                raise NotFound(
                    f"Nothing of {model} is watched yet.", hint="It needs a served version with a reference."
                )
            policy = policies.active(session, model, PolicyKind.MONITORING, now).monitoring
            judged = [
                one for one in store.readings(session, version.id) if one.n and one.drift is not Drift.NOT_COMPUTABLE
            ]
            importance = importance_in(session, version, reference)
            secret = {SCORE, *registry.model(session, model).do_not_log}  # rows may be older than that list
        chosen = next((one for one in reversed(judged) if at is None or one.end == at), None)
        if chosen is None:
            raise NotFound(f"No window of {model} is judged yet.", hint="Look again when one is.")
        if column not in reference.layout.columns:
            raise NotFound(f"{model} has no column {column!r}.", hint="Names stand in: mlops-dash monitor --json")
        start = span_start(chosen, policy.cadence)
        with reading(self.context.databases.log) as session:
            live = window_rows(session, reference, start, chosen.end)
            span = prediction_log.span_of(session, version.id)
            first = start if span is None else max(span[0], reference.end)
            until = min(start, first + timedelta(days=FIRST_WINDOWS * max(1.0, policy.cadence.usual)))
            past = window_rows(session, reference, first, until) if first < until else live.iloc[:0]
        order = sorted(reference.layout.features, key=lambda name: -(importance.of(name) or 0.0))
        shown = [column, *[name for name in order if name != column and name not in secret][:OTHERS]]
        unit = policy.label_unit if column == SCORE else ""
        hidden = "" if actor.may(Permission.SCORE_WRITE) else WHO
        return _looked_at(reference, column, live, past, [name for name in shown if name not in secret], unit, hidden)


def window_rows(
    session: Session, reference: Reference, start: datetime, end: datetime, *, most: int = READ
) -> pd.DataFrame:
    """At most so many rows that a version answered in a span, spread over its hours; those that can be counted."""
    first = start.replace(minute=0, second=0, microsecond=0)
    hours = [first + _HOUR * at for at in range(max(0, math.ceil((end - first) / _HOUR)))]
    counted = prediction_log.rows_by_hour(
        session, [reference.version_id], hours, roles=profiles.SERIES_ROLES
    ).get(reference.version_id, {})  # fmt: skip
    if not counted:
        return pd.DataFrame(
            {"at": pd.Series([], dtype="datetime64[us, UTC]"), "score": np.empty(0), "label": np.empty(0)}
        )

    def read_pieces(begins: Sequence[datetime], width: timedelta) -> pd.DataFrame:
        return prediction_log.read_window(
            session, reference.version_id, start, end, roles=profiles.SERIES_ROLES, hours=begins,
            width_us=width // timedelta(microseconds=1),
        )  # fmt: skip

    frame = spread_rows(counted, 2 * most, read_pieces)
    rows, _ = sift(reference.layout, frame)
    if len(rows) > most:
        rows = rows.iloc[np.sort(np.random.default_rng(_SEED).choice(len(rows), most, replace=False))]
    return rows.reset_index(drop=True)


def beyond_of(cells: Cells, values: Floats) -> Beyond:
    """Live values beyond the reference's range, in bins about as wide as its own.

    Args:
        cells: Of the column.
        values: Of the rows read; NaN where one is missing.
    """
    if not isinstance(cells, NumericCells):
        return Beyond()
    known = values[np.isfinite(values)]
    low, high = cells.edges[0], cells.edges[-1]
    wide = max(cells.spread, (high - low) / max(1, cells.k)) / 4 or 1.0
    return Beyond(_bins(known[known < low], low, -wide, known.size), _bins(known[known > high], high, wide, known.size))


def _bins(values: Floats, edge: float, wide: float, n: int) -> tuple[tuple[str, float], ...]:
    """Bins away from an edge, as many as the values need and no more than `BEYOND`; in the order of the axis."""
    if not values.size:
        return ()
    far = float(np.abs(values - edge).max())
    count = max(1, min(BEYOND, math.ceil(far / abs(wide))))
    borders = [edge + math.copysign(far * at / count, wide) for at in range(count + 1)]
    pairs = [(min(a, b), max(a, b)) for a, b in pairwise(borders)]
    place = np.minimum((np.abs(values - edge) / far * count).astype(int), count - 1)
    shares = np.bincount(place, minlength=count) / n
    made = [(f"{low:.4g} to {high:.4g}", float(share)) for (low, high), share in zip(pairs, shares, strict=True)]
    return tuple(made if wide > 0 else made[::-1])


def beyond_in(
    session: Session, reference: Reference, column: str, start: datetime, end: datetime, *, outside: float
) -> Beyond:
    """The same of a window, where enough of its values lie beyond the reference to be looked at."""
    cells = reference.layout.columns[column]
    if outside < OUT_OF_RANGE or not isinstance(cells, NumericCells):
        return Beyond()
    return beyond_of(cells, _numbers(window_rows(session, reference, start, end), column))


def _numbers(rows: pd.DataFrame, column: str) -> Floats:
    name = "score" if column == SCORE else column
    if name not in rows:
        return np.full(len(rows), np.nan)
    return pd.to_numeric(rows[name], errors="coerce").to_numpy(dtype=np.float64)


def _looked_at(
    reference: Reference, column: str, live: pd.DataFrame, past: pd.DataFrame, shown: Sequence[str], unit: str,
    hidden: str,
) -> ColumnRows:  # fmt: skip
    layout = reference.layout
    cells, task = layout.columns[column], layout.task
    counts = total(layout, reference.windows).histogram(layout, column)
    codes = _codes(cells, live, column, reference)
    known = codes[codes < cells.k]
    now = np.bincount(known, minlength=cells.k) / max(1, known.size)
    before = counts.counts / max(1, counts.present)
    grown = int(np.argmax(now - before))
    medians: tuple[float | None, float | None] = (None, None)
    if isinstance(cells, NumericCells):
        own = _numbers(live, column)
        medians = (_median(cells, before), float(np.nanmedian(own)) if np.isfinite(own).any() else None)
    rng = np.random.default_rng(_SEED)
    other = past[_codes(cells, past, column, reference) != grown] if len(past) else live[codes != grown]

    def some(rows: pd.DataFrame) -> tuple[dict[str, Any], ...]:
        chosen = rng.choice(len(rows), min(MOST_ROWS, len(rows)), replace=False) if len(rows) else np.empty(0, int)
        return tuple(_row(one, shown, task) for one in rows.iloc[np.sort(chosen)].to_dict("records"))

    return ColumnRows(
        column, cells.labels[grown], float(before[grown]), float(now[grown]), *medians, unit,
        () if hidden else some(live[codes == grown]), () if hidden else some(other),
        "rows of the first windows, of the other cells" if len(past) else "rows of the other cells, now", len(live),
        hidden,
    )  # fmt: skip


def _codes(cells: Cells, rows: pd.DataFrame, column: str, reference: Reference) -> np.ndarray[Any, np.dtype[np.int64]]:
    if column == SCORE:
        values: Any = reference.layout.task.words_of(rows["score"].to_numpy(dtype=np.float64))
    elif column not in rows:
        return np.full(len(rows), cells.k, dtype=np.int64)
    else:
        values = _numbers(rows, column) if isinstance(cells, NumericCells) else rows[column].to_numpy(dtype=object)
    return cells.place(values)[0]


def _median(cells: NumericCells, shares: Floats) -> float | None:
    """Where half of the reference lies, evenly spread inside its cell."""
    if not shares.sum() > 0:
        return None
    reached = np.concatenate([[0.0], np.cumsum(shares) / shares.sum()])
    return float(np.interp(0.5, reached, np.asarray(cells.edges)))


def _row(one: dict[Any, Any], shown: Sequence[str], task: Any) -> dict[str, Any]:
    label = float(one.get("label", math.nan))
    return {
        **{name: _plain(one.get(name)) for name in shown},
        "answer": task.word_of(float(one["score"])), "label": None if math.isnan(label) else task.word_of(label),
        "at": one["at"].isoformat(), "row": one["prediction_id"],
    }  # fmt: skip


def _plain(value: Any) -> Any:
    if value is None or (isinstance(value, float) and math.isnan(value)) or value is pd.NaT:
        return None
    return value.item() if isinstance(value, np.generic) else value
