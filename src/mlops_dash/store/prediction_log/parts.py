"""A stretch of the log in parts: hot rows where they are, and each archived day as the same tables, opened in memory.

A row that stands in both, because a move was interrupted, is one row: the day is put together by key.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy.pool import StaticPool
from sqlmodel import Session, create_engine, text

from mlops_dash.store.prediction_log import cold
from mlops_dash.store.prediction_log.bulk import bound, texts_of
from mlops_dash.store.prediction_log.cold import DAY_US, SCHEMAS
from mlops_dash.store.tables.log import LOG

Part = tuple[Session, int, int]  # where the rows are, from when, until when


def parts(
    session: Session,
    model: str,
    start_us: int,
    end_us: int,
    *,
    versions: Sequence[str],
    features: bool = True,
    only: Collection[int] | None = None,
) -> Iterator[Part]:
    """[start, end) in order, cut where rows of a model are archived.

    Args:
        session: A session on the log database.
        model: Whose rows.
        start_us: From when.
        end_us: Until when.
        versions: Whose scores are wanted (`model_version.id`).
        features: Whether they are wanted.
        only: Days that matter (their begins); archived ones besides are left out.

    Raises:
        StoreUnavailable: a cold file is missing or damaged.
    """
    at, told = start_us, False
    for day in cold.days(session, model, start_us, end_us):
        begin, end = max(day, start_us), min(day + DAY_US, end_us)
        if at < begin:
            told = True
            yield session, at, begin
        at = end
        if only is None or day in only:
            told = True
            with _opened(session, model, day, begin, end, versions, features=features) as memory:
                yield memory, begin, end
    if at < end_us or not told:  # also nothing has columns
        yield session, min(at, end_us), end_us


@contextmanager
def _opened(
    session: Session, model: str, day: int, begin: int, end: int, versions: Sequence[str], *, features: bool
) -> Iterator[Session]:
    """The rows of an archived day, and what came to it since, in a database of their own."""
    memory = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
    try:
        LOG.create_all(memory, tables=[LOG.tables[kind] for kind in SCHEMAS])
        with Session(memory) as opened:
            for kind, file in cold.of_day(session, model, day).items():
                rows = cold.read(session, file)
                if kind != "label":
                    rows = rows.filter((pc.field("at_us") >= begin) & (pc.field("at_us") < end))
                if kind == "score":
                    rows = rows.filter(pc.is_in(rows["version_id"], pa.array(versions, pa.string())))
                if kind == "prediction" and not features:
                    rows = rows.set_column(
                        rows.column_names.index("features"), "features", pa.array([""] * rows.num_rows)
                    )
                _fill(opened, model, kind, zip(*(column.to_pylist() for column in rows.columns), strict=True))
            for kind, found in _since(session, model, begin, end, versions).items():
                _fill(opened, model, kind, found)
            opened.commit()
            yield opened
    finally:
        memory.dispose()


def _since(session: Session, model: str, begin: int, end: int, versions: Sequence[str]) -> dict[str, Sequence[Any]]:
    """Hot rows of this time: they came, or were scored, after the day was archived."""
    within = "p.model = :model AND p.at_us >= :begin AND p.at_us < :end"
    asked = {"model": model, "begin": begin, "end": end}
    fetch = session.connection().execute
    names = {kind: SCHEMAS[kind].names for kind in SCHEMAS}
    predictions = fetch(text(f"SELECT {', '.join(names['prediction'])} FROM prediction p WHERE {within}"), asked).all()  # noqa: S608
    labels = fetch(
        text(
            f"SELECT {', '.join(f'l.{name}' for name in names['label'])} FROM prediction p JOIN label l "  # noqa: S608
            f"ON l.model = p.model AND l.prediction_id = p.prediction_id WHERE {within}"
        ),
        asked,
    ).all()
    scores = fetch(
        text(
            f"SELECT {', '.join(f's.{name}' for name in names['score'])} FROM ({texts_of(session, 'versions')}) v "  # noqa: S608
            "CROSS JOIN score s WHERE s.version_id = v.value AND s.model = :model AND s.at_us >= :begin "
            "AND s.at_us < :end"
        ),
        {**asked, "versions": bound(session, versions)},
    ).all()
    return {"prediction": predictions, "label": labels, "score": scores}


def _fill(memory: Session, model: str, kind: str, rows: Any) -> None:
    names = ("model", *SCHEMAS[kind].names)
    statement = f"INSERT OR IGNORE INTO {kind} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"  # noqa: S608
    given = [(model, *row) for row in rows]
    if given:
        memory.connection().exec_driver_sql(statement, given)
