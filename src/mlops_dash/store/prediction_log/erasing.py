"""Take the rows of one person or thing out of the log, with their answers, labels and what was set aside of them.

`named` looks into cold files too; `erase` is of the tables, `moving.erase_archived` writes the files anew.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from sqlmodel import Session, text

from mlops_dash.store.prediction_log import cold
from mlops_dash.store.prediction_log.bulk import bound, texts_of
from mlops_dash.store.prediction_log.events import count_of_units, erase_of_units
from mlops_dash.store.prediction_log.rows import HOUR_US
from mlops_dash.store.prediction_log.writes import mark_hours

_AT_ONCE = 5_000  # ids a statement
_TABLES = ("score", "label", "quarantine", "prediction")  # the rows last: while one is there, a new try finds the rest


@dataclass(frozen=True)
class Named:
    """Rows of a model that are about somebody.

    Attributes:
        ids: Of the rows; also of a label or a row kept out that has no prediction.
        predictions: How many of them are logged.
        labels: Labels of them, every revision.
        column_seen: Whether any row of the model has an input of the name that was asked for.
        entity: Whom they are about.
        events: Events of units that are called so, or as one of the rows is.
    """

    ids: tuple[str, ...]
    predictions: int
    labels: int
    column_seen: bool = True
    entity: str = ""
    events: int = 0


def named(session: Session, model: str, entity: str, *, column: str = "", unit_keys: Sequence[str] = ()) -> Named:
    """Rows whose id, or a part of whose id, is `entity`; with a column those whose input of this name is.

    Args:
        session: A session on the log database.
        model: Whose rows.
        entity: The name or number, as text.
        column: An input that was logged; "" looks at ids.
        unit_keys: What the log keeps of them as the unit of tests (`unit_key`): rows that have one are theirs too.
    """
    found, seen = _by_input(session, model, entity, column) if column else (_by_id(session, model, entity), True)
    ids = tuple(sorted({*found, *_by_unit(session, model, unit_keys)}))
    counts = {
        table: sum(_count(session, table, model, part) for part in _parts(ids)) + _archived(session, table, model, ids)
        for table in ("prediction", "label")
    }
    events = count_of_units(session, model, sorted({*ids, *forms_of(entity)}))
    return Named(ids, counts["prediction"], counts["label"], seen, entity, events)


def erase(session: Session, model: str, ids: Sequence[str], *, marked_us: int, entity: str = "") -> int:
    """Delete everything that is stored of these ids, and mark their hours; again it finds nothing. Gives the rows.

    Events go whose unit is one of the ids, or `entity`.
    """
    erase_of_units(session, model, sorted({*ids, *forms_of(entity)}))
    connection = session.connection()
    listed = texts_of(session, "ids")
    gone = 0
    for part in _parts(ids):
        asked = {"model": model, "ids": bound(session, part)}
        hours = connection.execute(
            text(
                f"SELECT DISTINCT at_us / {HOUR_US} FROM prediction "  # noqa: S608 - fixed fragments
                f"WHERE model = :model AND prediction_id IN ({listed})"
            ),
            asked,
        )
        mark_hours(session, [(model, int(row[0]) * HOUR_US) for row in hours], marked_us=marked_us)
        for table in _TABLES:
            query = f"DELETE FROM {table} WHERE model = :model AND prediction_id IN ({listed})"  # noqa: S608
            done = connection.execute(text(query), asked).rowcount
            gone += done if table == "prediction" else 0
    return gone


def forms_of(entity: str) -> tuple[str, ...]:
    """How a unit that somebody names may be written in the log: as it stands, and as `domain.events.unit_name` has it.

    >>> forms_of(" 17.0 "), forms_of("it's Ana"), forms_of("")
    ((' 17.0 ', '17', '17.0'), ("it's Ana",), ())
    """
    bare = entity.strip()
    whole = bare.removesuffix(".0")
    number = whole if whole.removeprefix("-").isdecimal() else bare
    return tuple(sorted({entity, bare, number} - {""}))


def _by_unit(session: Session, model: str, keys: Sequence[str]) -> list[str]:
    """Ids of the rows whose unit is kept as one of the keys."""
    if not keys:
        return []
    query = (
        "SELECT prediction_id FROM prediction WHERE model = :model "  # noqa: S608 - fixed fragments
        f"AND entity_key IN ({texts_of(session, 'keys')})"
    )
    asked = {"model": model, "keys": bound(session, keys)}
    found = [str(name) for (name,) in session.connection().execute(text(query), asked)]
    wanted = pa.array(keys, pa.string())
    for file in cold.of_model(session, model, kinds=("prediction",)):
        rows = cold.read(session, file, ["prediction_id", "entity_key"])
        found += rows["prediction_id"].filter(pc.is_in(rows["entity_key"], wanted)).to_pylist()
    return found


def _by_id(session: Session, model: str, entity: str) -> list[str]:
    found = []
    for table in _TABLES:
        query = f"SELECT DISTINCT prediction_id FROM {table} WHERE model = :model"  # noqa: S608 - names are ours
        names = session.connection().execute(text(query), {"model": model})
        found += [name for (name,) in names if name == entity or entity in _key_parts(name)]
    for file in cold.of_model(session, model):
        archived = pc.unique(cold.read(session, file, ["prediction_id"])["prediction_id"]).to_pylist()
        found += [name for name in archived if name == entity or entity in _key_parts(name)]
    return found


def _by_input(session: Session, model: str, entity: str, column: str) -> tuple[list[str], bool]:
    """Ids of the rows whose input is this, and whether any row has such an input."""
    query = text("SELECT prediction_id, features FROM prediction WHERE model = :model")
    found, seen = [], False
    for name, features in _with_archived(session, model, session.connection().execute(query, {"model": model})):
        row = json.loads(features)
        seen = seen or column in row
        if row.get(column) is not None and _is(row[column], entity):
            found.append(name)
    return found, seen


def _with_archived(session: Session, model: str, hot: Iterable[Any]) -> Iterator[tuple[str, str]]:
    yield from hot
    for file in cold.of_model(session, model, kinds=("prediction",)):
        rows = cold.read(session, file, ["prediction_id", "features"])
        yield from zip(rows["prediction_id"].to_pylist(), rows["features"].to_pylist(), strict=True)


def _archived(session: Session, kind: str, model: str, ids: Sequence[str]) -> int:
    """How many archived rows of a table are of these ids."""
    wanted = pa.array(ids, pa.string())
    files = cold.of_model(session, model, kinds=(kind,)) if ids else ()
    columns = (cold.read(session, file, ["prediction_id"])["prediction_id"] for file in files)
    return sum(pc.sum(pc.is_in(names, wanted)).as_py() or 0 for names in columns)


def _is(value: object, entity: str) -> bool:
    """Whether a logged value is this one as text; a whole number is the same with and without a point.

    >>> _is(7.0, "7"), _is(7, "7.0"), _is(7, "007"), _is("007", "007")
    (True, True, False, True)
    """
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    whole = isinstance(value, int) and not isinstance(value, bool)
    return str(value) == (entity.removesuffix(".0") if whole else entity)


def _key_parts(name: str) -> list[str]:
    r"""The columns' values of a row that several columns name together: parted by commas, a comma within is "\,".

    >>> _key_parts("L\\,1,2026-01")
    ['L,1', '2026-01']
    """
    parts, escaped = [""], False
    for sign in name:
        if escaped or sign not in "\\,":
            parts[-1] += sign
            escaped = False
        elif sign == "\\":
            escaped = True
        else:
            parts.append("")
    return parts


def _count(session: Session, table: str, model: str, ids: Sequence[str]) -> int:
    query = f"SELECT COUNT(*) FROM {table} WHERE model = :model AND prediction_id IN ({texts_of(session, 'ids')})"  # noqa: S608
    return int(session.connection().execute(text(query), {"model": model, "ids": bound(session, ids)}).scalar_one())


def _parts(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    return (ids[first : first + _AT_ONCE] for first in range(0, len(ids), _AT_ONCE))
