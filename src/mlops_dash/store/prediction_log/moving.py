"""Move rows of the log between hot tables and cold files: archive a day, add what came late, take ids out, let go.

A day is moved by `move_day` in steps: write files, name them in the manifest, delete what they hold from the tables.
Killed between any two, the next call ends what was begun: files without a line in the manifest do not count, and rows
that stand in both places are read once (`parts.py`) and found known when the day is put together again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy.engine import Engine
from sqlmodel import Session, col, delete, select, text, tuple_

from mlops_dash.errors import Conflict
from mlops_dash.store.db import cold_folder, reading, transaction
from mlops_dash.store.prediction_log import cold
from mlops_dash.store.prediction_log.bulk import bound, texts_of
from mlops_dash.store.prediction_log.cold import DAY_US, KEYS, KINDS, SCHEMAS, ColdFile
from mlops_dash.store.prediction_log.rows import HOUR_US
from mlops_dash.store.prediction_log.writes import lock_labels, mark_hours, mark_waiting
from mlops_dash.store.tables.log import ArchivedAnswersRow, LabelWaitingRow, ManifestRow

_AT_ONCE, _DAYS_AT_ONCE = 2_000, 200  # rows, and days of files, a transaction deletes: other writers wait for it
_BESIDE_LABELS = {  # what a late label needs of its day: features are most of it
    "prediction": ("prediction_id", "at_us"),
    "score": ("prediction_id", "version_id", "role", "at_us"),
}


@dataclass(frozen=True)
class Waiting:
    """Rows of a model that are old enough to be archived, by UTC day."""

    day_us: int
    rows: int


def models(session: Session) -> tuple[str, ...]:
    """Models with hot rows or labels."""
    found = session.connection().execute(text("SELECT model FROM prediction UNION SELECT model FROM label"))
    return tuple(sorted(model for (model,) in found))


def old_days(session: Session, model: str, before_us: int) -> tuple[Waiting, ...]:
    """Days before a time with hot rows, or with answers that came after the day was archived; the oldest first."""
    rows = session.connection().execute(
        text(
            f"""SELECT day, SUM(n) FROM (
            SELECT at_us - at_us % {DAY_US} AS day, COUNT(*) AS n FROM prediction
            WHERE model = :model AND at_us < :before AND at_us >= 0 GROUP BY at_us - at_us % {DAY_US}
            UNION ALL
            SELECT s.at_us - s.at_us % {DAY_US} AS day, 0 AS n FROM score s
            WHERE s.model = :model AND s.at_us < :before AND s.at_us >= 0 AND NOT EXISTS (SELECT 1 FROM prediction p
            WHERE p.model = s.model AND p.prediction_id = s.prediction_id) GROUP BY s.at_us - s.at_us % {DAY_US}
            ) found GROUP BY day ORDER BY day"""  # noqa: S608 - whole numbers of ours
        ),
        {"model": model, "before": before_us},
    )
    return tuple(Waiting(int(day), int(n)) for day, n in rows)


def move_day(log: Engine, model: str, day_us: int, *, now_us: int) -> Iterator[str]:
    """Archive a day, step by step; each yield names what is done. Again it finds nothing to do.

    Raises:
        StoreUnavailable: a file cannot be written, or one that is there is damaged; the rows stay where they are.
        Conflict: another process moved the same day.
    """
    with reading(log) as session:
        files = cold.of_day(session, model, day_us)
        hot = {kind: _hot(session, kind, model, day_us, again=bool(files)) for kind in KINDS}
        held = {kind: cold.read(session, file) for kind, file in files.items()}
        folder = cold_folder(session)
    together = {kind: _merged(kind, held.get(kind), hot[kind]) for kind in KINDS}
    made = [
        cold.write(folder, model, day_us, kind, rows, created_at_us=_first_made(files, now_us))
        for kind, rows in together.items()
        if rows.num_rows and (kind not in held or rows.num_rows > held[kind].num_rows)
    ]
    yield "files written"
    if made:
        with transaction(log) as session:
            swap(session, model, day_us, files, made, together)
    yield "named in the manifest"
    for kind in ("score", "label", "prediction"):  # the rows last: while one is there, its answers and labels are found
        for part in _chunks(hot[kind], KEYS[kind]):
            with transaction(log) as session:
                if kind == "prediction":  # an `append_labels` in flight is committed before, or sees the rows gone
                    lock_labels(session)
                _delete(session, kind, model, day_us, part)
                if kind == "prediction" and _have_labels(session, model, [name for (name,) in part]):
                    mark_waiting(session, {model}, marked_us=now_us)  # they came after the rows were read
            yield f"{kind} rows deleted"


def fold_labels(log: Engine, model: str, *, now_us: int) -> int:
    """Add the labels that came for archived rows to their files, and mark the hours; gives how many labels it was.

    Labels of rows that are not known at all stay where they are.
    """
    with reading(log) as session:
        mark = session.get(LabelWaitingRow, model)
        marked_us = mark.marked_us if mark else 0
        late = _late(session, model)
        days = _days_of(session, model, set(late["prediction_id"].to_pylist()))
    folded = 0
    for day_us, ids in days.items():
        own = late.filter(pc.is_in(late["prediction_id"], pa.array(sorted(ids), pa.string())))
        with reading(log) as session:
            files = cold.of_day(session, model, day_us)
            held = {kind: cold.read(session, file, _BESIDE_LABELS.get(kind)) for kind, file in files.items()}
            folder = cold_folder(session)
        together = {**held, "label": _merged("label", held.get("label"), own)}
        news = together["label"].num_rows - (held["label"].num_rows if "label" in held else 0)
        made = [
            cold.write(folder, model, day_us, "label", together["label"], created_at_us=_first_made(files, now_us))
        ] if news else []  # fmt: skip
        hours = held["prediction"].filter(pc.is_in(held["prediction"]["prediction_id"], own["prediction_id"]))["at_us"]
        with transaction(log) as session:
            if made:
                swap(session, model, day_us, files, made, together)
                mark_hours(session, {(model, us // HOUR_US * HOUR_US) for us in hours.to_pylist()}, marked_us=now_us)
            for part in _chunks(own, KEYS["label"]):
                _delete(session, "label", model, day_us, part)
        folded += news
    with transaction(log) as session:
        session.exec(
            delete(LabelWaitingRow).where(
                col(LabelWaitingRow.model) == model, col(LabelWaitingRow.marked_us) == marked_us
            )
        )
    return folded


def labels_waiting(session: Session) -> tuple[str, ...]:
    """Models with archived rows that got labels for rows that are not hot."""
    held = select(ManifestRow.model).distinct()
    return tuple(session.exec(select(LabelWaitingRow.model).where(col(LabelWaitingRow.model).in_(held))).all())


def swap(
    session: Session,
    model: str,
    day_us: int,
    before: dict[str, ColdFile],
    made: Sequence[ColdFile],
    together: dict[str, pa.Table],
    *,
    at_once: bool = False,
) -> None:
    """Name new files of a day in the manifest, in place of those that were read when they were made.

    Raises:
        Conflict: the manifest names other files by now.
    """
    if {kind: one.path for kind, one in cold.of_day(session, model, day_us).items()} != {
        kind: one.path for kind, one in before.items()
    }:
        raise Conflict(f"Another process moves {model} of {cold.day_text(day_us)}.", hint="Try again in a moment.")
    gone = [kind for kind, rows in together.items() if kind in before and not rows.num_rows]
    session.exec(
        delete(ManifestRow).where(
            col(ManifestRow.model) == model, col(ManifestRow.day_us) == day_us, col(ManifestRow.kind).in_(gone)
        )
    )
    for file in made:
        cold.keep(session, file)
    session.exec(
        delete(ArchivedAnswersRow).where(
            col(ArchivedAnswersRow.model) == model, col(ArchivedAnswersRow.day_us) == day_us
        )
    )
    session.add_all(_answers(model, day_us, together))
    session.flush()
    kept = {one.path for one in made}
    replaced = [
        one for kind, one in before.items()
        if one.path not in kept and (kind in gone or kind in {file.kind for file in made})
    ]  # fmt: skip
    cold.replaced(session, replaced, at_once=at_once)


def erase_archived(log: Engine, model: str, ids: Collection[str], *, marked_us: int) -> int:
    """Write the files of the days that hold these ids anew, without them, and mark their hours. Gives the rows.

    The files before are removed at once. Again it finds nothing.
    """
    with reading(log) as session:
        days = _days_of(session, model, set(ids), every=True)
    wanted, gone = pa.array(sorted(ids), pa.string()), 0
    for day_us in days:
        with reading(log) as session:
            files = cold.of_day(session, model, day_us)
            held = {kind: cold.read(session, file) for kind, file in files.items()}
            folder = cold_folder(session)
        found = {kind: pc.is_in(rows["prediction_id"], wanted) for kind, rows in held.items()}
        left = {kind: rows.filter(pc.invert(found[kind])) for kind, rows in held.items()}
        at = held["prediction"].filter(found["prediction"])["at_us"].to_pylist()
        made = [
            cold.write(folder, model, day_us, kind, rows, created_at_us=_first_made(files, marked_us))
            for kind, rows in left.items()
            if rows.num_rows and rows.num_rows < held[kind].num_rows
        ]
        with transaction(log) as session:
            mark_hours(session, {(model, us // HOUR_US * HOUR_US) for us in at}, marked_us=marked_us)
            swap(session, model, day_us, files, made, left)
        with reading(log) as session:  # committed: nothing names them any more
            named = {one.path for one in cold.of_day(session, model, day_us).values()}
            cold.replaced(session, [one for one in files.values() if one.path not in named], at_once=True)
        gone += len(at)
    return gone


def files_to_forget(session: Session, *, before_us: int) -> tuple[ColdFile, ...]:
    """Files of days that ended before a time and were archived before it.

    An old history that was brought in lately stays: it is new here.
    """
    return tuple(
        one for one in cold.of_model(session) if one.day_us + DAY_US <= before_us and one.created_at_us < before_us
    )


def forget_files(log: Engine, *, before_us: int) -> tuple[ColdFile, ...]:
    """Take these files off the manifest, a few days a transaction; gives them. A sweep then takes the files."""
    with reading(log) as session:
        old = files_to_forget(session, before_us=before_us)
    days = sorted({(one.model, one.day_us) for one in old})
    for first in range(0, len(days), _DAYS_AT_ONCE):
        part = days[first : first + _DAYS_AT_ONCE]
        with transaction(log) as session:
            for table in (ManifestRow, ArchivedAnswersRow):
                session.exec(delete(table).where(tuple_(col(table.model), col(table.day_us)).in_(part)))
            cold.replaced(session, [one for one in old if (one.model, one.day_us) in set(part)])
    return old


def _first_made(files: dict[str, ColdFile], now_us: int) -> int:
    """A day that is written anew is as old as it was: what is kept for so long is counted from its first archiving."""
    return min((one.created_at_us for one in files.values()), default=now_us)


def _hot(session: Session, kind: str, model: str, day_us: int, *, again: bool) -> pa.Table:
    """Hot rows of a day; answers and labels are those of its hot predictions, `again` also answers that came since."""
    chosen = ", ".join(f"t.{name}" for name in SCHEMAS[kind].names)
    same = "t.model = p.model AND t.prediction_id = p.prediction_id"
    source, timed = ("prediction t", "t") if kind == "prediction" else (f"prediction p JOIN {kind} t ON {same}", "p")
    query = (
        f"SELECT {chosen} FROM {source} "  # noqa: S608 - names are ours
        f"WHERE {timed}.model = :model AND {timed}.at_us >= :day AND {timed}.at_us < :end"
    )
    if kind == "score" and again:
        query += (
            f" UNION ALL SELECT {chosen} FROM score t WHERE t.model = :model AND t.at_us >= :day AND t.at_us < :end "  # noqa: S608
            f"AND NOT EXISTS (SELECT 1 FROM prediction p WHERE {same})"
        )
    asked = {"model": model, "day": day_us, "end": day_us + DAY_US}
    return _table(kind, session.connection().execute(text(query), asked).all())


def _late(session: Session, model: str) -> pa.Table:
    """Labels whose prediction is not hot."""
    names = ", ".join(f"l.{name}" for name in SCHEMAS["label"].names)
    query = text(
        f"SELECT {names} FROM label l WHERE l.model = :model AND NOT EXISTS (SELECT 1 FROM prediction p "  # noqa: S608
        "WHERE p.model = l.model AND p.prediction_id = l.prediction_id)"
    )
    return _table("label", session.connection().execute(query, {"model": model}).all())


def _have_labels(session: Session, model: str, ids: Sequence[str]) -> bool:
    """Whether any label of these ids is in the tables."""
    query = text(f"SELECT 1 FROM label WHERE model = :model AND prediction_id IN ({texts_of(session, 'ids')}) LIMIT 1")  # noqa: S608
    return session.connection().execute(query, {"model": model, "ids": bound(session, ids)}).first() is not None


def _table(kind: str, rows: Sequence[Any]) -> pa.Table:
    schema = SCHEMAS[kind]
    columns = zip(*rows, strict=True) if rows else ((),) * len(schema)
    return pa.table(
        [pa.array(list(column), field.type) for column, field in zip(columns, schema, strict=True)], schema=schema
    )


def _days_of(session: Session, model: str, ids: set[str], *, every: bool = False) -> dict[int, set[str]]:
    """On which archived days these ids are, the latest first; with `every` also those that are on several."""
    found: dict[int, set[str]] = {}
    left = set(ids)
    for file in cold.of_model(session, model, kinds=KINDS if every else ("prediction",)):
        if not left:
            break
        names = cold.read(session, file, ["prediction_id"])["prediction_id"]
        here = set(names.filter(pc.is_in(names, pa.array(sorted(left), pa.string()))).to_pylist())
        if here:
            found.setdefault(file.day_us, set()).update(here)
            left -= set() if every else here
    return found


def _merged(kind: str, held: pa.Table | None, hot: pa.Table) -> pa.Table:
    """What a file held, and what it did not."""
    if held is None:
        return hot
    if not hot.num_rows:
        return held
    if kind == "label":
        return _merged_labels(held, hot)
    known = set(_keys(held, KEYS[kind]))
    return pa.concat_tables([held, hot.filter(pa.array([key not in known for key in _keys(hot, KEYS[kind])]))])


def _merged_labels(held: pa.Table, hot: pa.Table) -> pa.Table:
    """Another value than the latest is the next revision; what was told before is nothing (as `append_labels` does)."""
    wanted = set(hot["prediction_id"].to_pylist())
    latest: dict[str, tuple[int, float]] = {}
    told: set[tuple[str, float, int]] = set()
    of_them = held.filter(pc.is_in(held["prediction_id"], pa.array(sorted(wanted), pa.string())))
    for name, revision, value, observed, _ in sorted(_keys(of_them, SCHEMAS["label"].names)):
        latest[name] = (revision, value)
        told.add((name, value, observed))
    fresh = []
    for name, _, value, observed, received in sorted(_keys(hot, SCHEMAS["label"].names)):
        known = latest.get(name)
        if (name, value, observed) in told or (known is not None and known[1] == value):
            continue
        latest[name] = (1 if known is None else known[0] + 1, value)
        told.add((name, value, observed))
        fresh.append((name, latest[name][0], value, observed, received))
    return pa.concat_tables([held, _table("label", fresh)])


def _answers(model: str, day_us: int, together: dict[str, pa.Table]) -> list[ArchivedAnswersRow]:
    if "score" not in together or not together["score"].num_rows:
        return []
    labels = together.get("label")
    labelled = pa.array([], pa.string()) if labels is None else labels["prediction_id"].combine_chunks()
    scores = together["score"].append_column(
        "has", pc.is_in(together["score"]["prediction_id"], labelled).cast(pa.int32())
    )
    grouped = scores.group_by(["version_id", "role"]).aggregate(
        [("at_us", "count"), ("has", "sum"), ("at_us", "min"), ("at_us", "max")]
    )
    columns = ("version_id", "role", "at_us_count", "has_sum", "at_us_min", "at_us_max")
    return [
        ArchivedAnswersRow(version_id=version, day_us=day_us, role=role, model=model, rows=rows, labelled=n,
                           first_us=first, last_us=last)
        for version, role, rows, n, first, last in _keys(grouped, columns)
    ]  # fmt: skip


def _keys(rows: pa.Table, names: Sequence[str]) -> list[tuple[Any, ...]]:
    return list(zip(*(rows[name].to_pylist() for name in names), strict=True))


def _chunks(rows: pa.Table, names: Sequence[str]) -> Iterator[list[tuple[Any, ...]]]:
    keys = _keys(rows, names)
    return (keys[first : first + _AT_ONCE] for first in range(0, len(keys), _AT_ONCE))


def _delete(session: Session, kind: str, model: str, day_us: int, keys: Sequence[tuple[Any, ...]]) -> None:
    """Delete these rows; a prediction whose id came again on another day is another row."""
    names = KEYS[kind]
    same = " AND ".join(f"{name} = :{name}" for name in names)
    within = " AND at_us >= :day AND at_us < :end" if kind == "prediction" else ""
    session.connection().execute(
        text(f"DELETE FROM {kind} WHERE model = :model AND {same}{within}"),  # noqa: S608 - names are ours
        [{"model": model, "day": day_us, "end": day_us + DAY_US, **dict(zip(names, key, strict=True))} for key in keys],
    )
