"""Reads of the hot rows by time, as pandas frames: one version's series, two versions paired, logged rows.

Callers outside read the whole log (`whole.py`), which asks these of every part.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
from sqlalchemy import bindparam
from sqlmodel import Session, text

from mlops_dash.domain.class_probabilities import in_columns
from mlops_dash.domain.schema import EARLIEST, LATEST
from mlops_dash.store.prediction_log.bulk import bound, numbers_of, texts_of
from mlops_dash.store.prediction_log.rows import HOUR_US, BatchRow, DirtyHour, LogCounts, from_us, to_us

MONITORED_ROLES = ("champion", "shadow", "arm")  # a replayed score is never monitored


def read_window(
    session: Session,
    version_id: str,
    start: datetime,
    end: datetime,
    *,
    roles: Sequence[str] = MONITORED_ROLES,
    known_at: datetime | None = None,
    features: bool = True,
    hours: Sequence[datetime] | None = None,
    width_us: int = HOUR_US,
    classes: Sequence[str] = (),
) -> pd.DataFrame:
    """One version's scored rows with `start <= at < end`, in time order, one line a request row.

    Args:
        session: A session on the log database.
        version_id: `model_version.id`.
        start: First time, aware UTC.
        end: First time after the window.
        roles: Which roles count; a row answered in two of them appears once.
        known_at: Only label revisions received up to then; None = the latest.
        features: Whether to parse the features into columns.
        hours: Only rows of these hours; what lies between is not touched.
        width_us: How much of each of these hours, from the time given on.
        classes: Of a model of several, in its order: whose probabilities are read as well.

    Returns:
        Columns `prediction_id` (str), `at` (datetime64 UTC), `score` (float), `label` (float, NaN = none yet),
        `label_received_at`, `label_observed_at` (datetime64 UTC, NaT = none), a column a class
        (`class_probabilities.column_of`; float, NaN = not told), then the features under their names.
    """
    chosen = "p.features" if features else "NULL"
    # A cross join keeps SQLite from walking the whole span: it looks into the index once an hour.
    wanted = "" if hours is None else f"({numbers_of(session, 'hours')}) h CROSS JOIN"
    within = "" if hours is None else f"AND s.at_us >= h.value AND s.at_us < h.value + {width_us}"
    listed = {} if hours is None else {"hours": bound(session, [to_us(hour) for hour in hours])}
    rows = _fetch(
        session,
        f"""SELECT s.prediction_id, s.at_us, s.score, {_LABEL_COLUMNS}, {chosen}{", s.probabilities" if classes else ""}
        FROM {wanted} score s JOIN prediction p ON p.model = s.model AND p.prediction_id = s.prediction_id
        LEFT JOIN label l ON l.model = s.model AND l.prediction_id = s.prediction_id AND l.revision = {_LATEST}
        WHERE s.version_id = :version AND s.at_us >= :start AND s.at_us < :end AND s.role IN :roles {within}
        ORDER BY s.at_us, s.prediction_id, s.role""",  # noqa: S608 - fixed fragments
        {
            "version": version_id,
            "start": to_us(start),
            "end": to_us(end),
            "roles": list(roles),
            "known": _known(known_at),
            **listed,
        },
    )
    frame = _labelled(rows, {"prediction_id": 0, "at": 1, "score": 2}, label_from=3)
    frame = pd.concat([frame, in_columns([row[7] for row in rows], classes)], axis=1) if classes else frame
    if features:
        frame = _with_features(frame, rows, 6)
    return frame.drop_duplicates("prediction_id", ignore_index=True) if len(roles) > 1 else frame


def read_paired(
    session: Session,
    model: str,
    version_a: str,
    version_b: str,
    start: datetime,
    end: datetime,
    *,
    known_at: datetime | None = None,
    classes: Sequence[str] = (),
) -> pd.DataFrame:
    """Rows with `start <= at < end` that both versions scored, in any role, in time order.

    Returns:
        Columns `prediction_id`, `at`, `score_a`, `score_b`, `label`, `label_received_at`, `label_observed_at`, and of
        `classes` the probabilities under names that end with `_a` and `_b` (types as in `read_window`).
    """
    rows = _fetch(
        session,
        f"""SELECT a.prediction_id, a.at_us, a.score, b.score, {_LABEL_COLUMNS}{_OF_BOTH if classes else ""}
        FROM score a JOIN score b ON b.model = a.model AND b.prediction_id = a.prediction_id AND b.version_id = :b
        LEFT JOIN label l ON l.model = a.model AND l.prediction_id = a.prediction_id
            AND l.revision = {_LATEST.replace("s.", "a.")}
        WHERE a.version_id = :a AND a.model = :model AND a.at_us >= :start AND a.at_us < :end
        ORDER BY a.at_us, a.prediction_id""",  # noqa: S608 - fixed fragments
        {"model": model, "a": version_a, "b": version_b, "start": to_us(start), "end": to_us(end),
         "known": _known(known_at)},
    )  # fmt: skip
    frame = _labelled(rows, {"prediction_id": 0, "at": 1, "score_a": 2, "score_b": 3}, label_from=4)
    for place, of in ((7, "_a"), (8, "_b")) if classes else ():
        told = in_columns([row[place] for row in rows], classes).add_suffix(of)
        frame = pd.concat([frame, told], axis=1)
    return frame.drop_duplicates("prediction_id", ignore_index=True)


def read_logged(
    session: Session,
    model: str,
    start: datetime,
    end: datetime,
    *,
    without_version: str = "",
    after: tuple[int, str] | None = None,
    limit: int = 10_000,
    labels: bool = False,
) -> pd.DataFrame:
    """One page of logged rows with `start <= at < end`, in time order.

    Args:
        session: A session on the log database.
        model: The model's name.
        start: First time, aware UTC.
        end: First time after the window.
        without_version: Leave out rows that this `model_version.id` has scored in any role.
        after: (`at_us`, `prediction_id`) of the last row of the page before.
        limit: Rows a page.
        labels: Whether to say what turned out true of them.

    Returns:
        Columns `prediction_id`, `at`, `at_us` (int), with `labels` those that `read_window` has of them, then the
        features under their names.
    """
    at_us, prediction_id = after or (to_us(start) - 1, "")
    rows = _fetch(
        session,
        """SELECT p.prediction_id, p.at_us, p.features FROM prediction p
        WHERE p.model = :model AND p.at_us >= :start AND p.at_us < :end
          AND (p.at_us > :after_us OR (p.at_us = :after_us AND p.prediction_id > :after_id))
          AND (:version = '' OR NOT EXISTS (SELECT 1 FROM score s WHERE s.model = p.model
               AND s.prediction_id = p.prediction_id AND s.version_id = :version))
        ORDER BY p.at_us, p.prediction_id LIMIT :limit""",
        {"model": model, "start": max(to_us(start), at_us), "end": to_us(end), "after_us": at_us,
         "after_id": prediction_id, "version": without_version, "limit": limit},
    )  # fmt: skip
    if labels:  # by their keys: joined, SQLite walks all labels of the model once a row
        known = _latest_labels(session, model, [row[0] for row in rows])
        told = [(row[0], row[1], *known.get(row[0], (None, None, None))) for row in rows]
        frame = _labelled(told, {"prediction_id": 0, "at": 1}, label_from=2)
    else:
        frame = pd.DataFrame({"prediction_id": [row[0] for row in rows], "at": _moments(rows, 1)})
    frame["at_us"] = np.array([row[1] for row in rows], dtype=np.int64)
    return _with_features(frame, rows, 2)


def _latest_labels(session: Session, model: str, ids: Sequence[str]) -> dict[str, tuple[Any, Any, Any]]:
    """What turned out true of these rows: value, received and observed by prediction id, of the latest revision."""
    rows = _fetch(
        session,
        f"""SELECT l.prediction_id, {_LABEL_COLUMNS} FROM ({texts_of(session, "ids")}) v CROSS JOIN label l
        WHERE l.model = :model AND l.prediction_id = v.value ORDER BY l.prediction_id, l.revision""",  # noqa: S608
        {"ids": bound(session, ids), "model": model},
    )
    return {row[0]: (row[1], row[2], row[3]) for row in rows}  # the last one stays


def logged_at(session: Session, model: str, prediction_id: str) -> datetime | None:
    """When a row was logged; None where the tables do not hold it (any more)."""
    query = "SELECT at_us FROM prediction WHERE model = :model AND prediction_id = :id"
    rows = _fetch(session, query, {"model": model, "id": prediction_id})
    return from_us(int(rows[0][0])) if rows else None


def logged_by_hour(session: Session, model: str, start: datetime, end: datetime) -> tuple[tuple[datetime, int], ...]:
    """Hours of `start <= at < end` with logged rows, in order, and how many rows each has."""
    rows = _fetch(
        session,
        f"""SELECT at_us / {HOUR_US}, COUNT(*) FROM prediction
        WHERE model = :model AND at_us >= :start AND at_us < :end GROUP BY 1 ORDER BY 1""",  # noqa: S608
        {"model": model, "start": to_us(start), "end": to_us(end)},
    )
    return tuple((from_us(int(hour) * HOUR_US), int(n)) for hour, n in rows)


def batch_rows(session: Session, batch_id: str) -> tuple[BatchRow, ...]:
    """All rows of a batch in their order, each with its answers (shadows too)."""
    rows = _fetch(
        session,
        """SELECT p.model, p.row_number, p.prediction_id, p.at_us, s.version, s.role, s.score
        FROM prediction p LEFT JOIN score s ON s.model = p.model AND s.prediction_id = p.prediction_id
        WHERE p.batch_id = :batch ORDER BY p.model, p.row_number, p.prediction_id, s.role, s.version""",
        {"batch": batch_id},
    )
    found: dict[tuple[str, str], BatchRow] = {}
    for model, number, prediction_id, at_us, version, role, score in rows:
        answers = () if role is None else ((version, role, score),)
        known = found.get((model, prediction_id))
        if known is None:
            found[model, prediction_id] = BatchRow(model, number, prediction_id, from_us(at_us), answers)
        else:
            found[model, prediction_id] = BatchRow(model, number, prediction_id, known.at, known.answers + answers)
    return tuple(found.values())


def dirty_hours(session: Session, *, limit: int, model: str = "") -> tuple[DirtyHour, ...]:
    """The oldest hours that wait to be profiled, of one model or of all, in the years that profiles know."""
    rows = _fetch(
        session,
        "SELECT model, hour_us, marked_us FROM dirty_hour WHERE (:model = '' OR model = :model) "
        "AND hour_us >= :first AND hour_us < :end ORDER BY hour_us, model LIMIT :limit",
        {"model": model, "limit": limit, "first": to_us(EARLIEST), "end": to_us(LATEST)},
    )
    return tuple(DirtyHour(name, from_us(hour), marked) for name, hour, marked in rows)


def hours_waiting(session: Session) -> dict[str, int]:
    """How many hours of each model wait to be profiled; models without any are left out."""
    return {model: int(n) for model, n in _fetch(session, "SELECT model, COUNT(*) FROM dirty_hour GROUP BY model", {})}


def rows_by_hour(
    session: Session, versions: Sequence[str], hours: Sequence[datetime], *, roles: Sequence[str]
) -> dict[str, dict[datetime, int]]:
    """How many rows each version answered in each of these hours; versions and hours without any are left out."""
    rows = _fetch(
        session,
        f"""SELECT s.version_id, h.value, COUNT(*)
        FROM ({texts_of(session, "versions")}) v CROSS JOIN ({numbers_of(session, "hours")}) h
        JOIN score s ON s.version_id = v.value AND s.at_us >= h.value AND s.at_us < h.value + {HOUR_US}
        WHERE s.role IN :roles GROUP BY s.version_id, h.value ORDER BY s.version_id, h.value""",  # noqa: S608
        {
            "versions": bound(session, versions),
            "hours": bound(session, [to_us(hour) for hour in hours]),
            "roles": list(roles),
        },
    )
    found: dict[str, dict[datetime, int]] = {}
    for version_id, hour, n in rows:
        found.setdefault(version_id, {})[from_us(hour)] = int(n)
    return found


def span_of(session: Session, version_id: str, *, roles: Sequence[str]) -> tuple[datetime, datetime] | None:
    """When a version answered first and last; None when it never did."""
    query = "SELECT MIN(at_us), MAX(at_us) FROM score WHERE version_id = :version AND role IN :roles"
    first, last = _fetch(session, query, {"version": version_id, "roles": list(roles)})[0]
    return None if first is None else (from_us(int(first)), from_us(int(last)))


def labelled_days(session: Session, version_id: str) -> set[int]:
    """On which days (UTC, since 1970) a version answered rows whose label is known."""
    query = f"""SELECT DISTINCT s.at_us / {24 * HOUR_US} FROM score s
        JOIN label l ON l.model = s.model AND l.prediction_id = s.prediction_id
        WHERE s.version_id = :version AND s.role IN :roles"""  # noqa: S608 - fixed fragments
    return {int(day) for (day,) in _fetch(session, query, {"version": version_id, "roles": list(MONITORED_ROLES)})}


def counts(session: Session, model: str) -> LogCounts:
    """How many predictions and labels a model has, and from when to when."""
    predictions, first, last = _fetch(
        session, "SELECT COUNT(*), MIN(at_us), MAX(at_us) FROM prediction WHERE model = :model", {"model": model}
    )[0]
    ids, pending = _fetch(
        session,
        """SELECT COUNT(*), SUM(CASE WHEN p.prediction_id IS NULL THEN 1 ELSE 0 END)
        FROM label l LEFT JOIN prediction p ON p.model = l.model AND p.prediction_id = l.prediction_id
        WHERE l.model = :model AND l.revision = 1""",
        {"model": model},
    )[0]
    return LogCounts(
        predictions=int(predictions),
        labelled=int(ids) - int(pending or 0),
        pending_labels=int(pending or 0),
        first_at=None if first is None else from_us(first),
        last_at=None if last is None else from_us(last),
    )


def knows(session: Session, model: str) -> bool:
    """Whether a prediction or a label of a model is stored."""
    tables = ("prediction", "label")
    asked = (f"SELECT 1 FROM {table} WHERE model = :model LIMIT 1" for table in tables)  # noqa: S608
    return any(_fetch(session, query, {"model": model}) for query in asked)


def every_nth_label(session: Session, model: str, *, n: int, since: datetime, limit: int) -> tuple[datetime, ...]:
    """When the n-th, 2n-th, ... new label of a model came after a moment; corrections of known ones do not count."""
    query = (
        "SELECT received_at_us FROM (SELECT received_at_us, row_number() OVER (ORDER BY received_at_us, prediction_id) "
        "AS place FROM label WHERE model = :model AND revision = 1 AND received_at_us > :since) AS counted "
        "WHERE place % :n = 0 ORDER BY place LIMIT :limit"
    )
    bound = {"model": model, "since": to_us(since), "n": n, "limit": limit}
    return tuple(from_us(int(row[0])) for row in _fetch(session, query, bound))


def first_labels(session: Session, model: str, *, since: datetime) -> tuple[int, ...]:
    """When (microseconds) each first value of a row came after a moment."""
    query = "SELECT received_at_us FROM label WHERE model = :model AND revision = 1 AND received_at_us > :since"
    return tuple(int(us) for (us,) in _fetch(session, query, {"model": model, "since": to_us(since)}))


def versions_in(session: Session, model: str, start: datetime, end: datetime) -> pd.DataFrame:
    """Who scored how much: `version_id`, `version`, `role`, `rows`, `first_at`, `last_at` for `start <= at < end`."""
    rows = _fetch(
        session,
        """SELECT version_id, version, role, COUNT(*), MIN(at_us), MAX(at_us) FROM score
        WHERE model = :model AND at_us >= :start AND at_us < :end
        GROUP BY version_id, version, role ORDER BY MIN(at_us), version_id, role""",
        {"model": model, "start": to_us(start), "end": to_us(end)},
    )
    frame = pd.DataFrame([row[:4] for row in rows], columns=["version_id", "version", "role", "rows"])
    return frame.assign(first_at=_moments(rows, 4), last_at=_moments(rows, 5))


_OF_BOTH = ", a.probabilities, b.probabilities"
_LABEL_COLUMNS = "l.value, l.received_at_us, l.observed_at_us"
# The first row of the key read backwards is a third quicker than MAX(revision).
_LATEST = (
    "(SELECT x.revision FROM label x WHERE x.model = s.model AND x.prediction_id = s.prediction_id "
    "AND x.received_at_us <= :known ORDER BY x.revision DESC LIMIT 1)"
)


def _known(known_at: datetime | None) -> int:
    return 2**62 if known_at is None else to_us(known_at)


def _fetch(session: Session, query: str, bound: dict[str, Any]) -> Sequence[Any]:
    statement = text(query)
    if "roles" in bound:
        statement = statement.bindparams(bindparam("roles", expanding=True))
    return session.connection().execute(statement, bound).all()


def _labelled(rows: Sequence[Any], columns: dict[str, int], *, label_from: int) -> pd.DataFrame:
    frame = pd.DataFrame(index=pd.RangeIndex(len(rows)))
    for name, position in columns.items():
        if name == "at":
            frame[name] = _moments(rows, position)
        elif name == "prediction_id":
            frame[name] = pd.Series([row[position] for row in rows], dtype=object)
        else:
            frame[name] = np.array([row[position] for row in rows], dtype=np.float64)
    frame["label"] = np.array([row[label_from] for row in rows], dtype=np.float64)
    frame["label_received_at"] = _moments(rows, label_from + 1)
    frame["label_observed_at"] = _moments(rows, label_from + 2)
    return frame


def _moments(rows: Sequence[Any], position: int) -> pd.Series:
    us = pd.Series([row[position] for row in rows], dtype="Int64")
    return pd.to_datetime(us, unit="us", utc=True, cache=False)  # the cache of repeated values breaks on missing ones


def _with_features(frame: pd.DataFrame, rows: Sequence[Any], position: int) -> pd.DataFrame:
    """Add the features' columns; a row that lacks a feature has it missing there."""
    if not rows:
        return frame
    return with_features(frame, "[" + ",".join(row[position] for row in rows) + "]")


def with_features(frame: pd.DataFrame, features_json: str) -> pd.DataFrame:
    """Add the columns of a JSON list of objects, one a row of the frame, typed as rows of the log are."""
    parsed = json.loads(features_json)
    try:
        features = pd.DataFrame(parsed, index=frame.index)
    except OverflowError:  # a whole number of hundreds of digits among others: left as it is, for the reader to refuse
        features = pd.DataFrame(parsed, index=frame.index, dtype=object)
    return pd.concat([frame, features], axis=1)
