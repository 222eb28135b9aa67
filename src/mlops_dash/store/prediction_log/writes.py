"""Bulk appends that may be repeated, and the marks of hours that must be profiled again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from operator import eq, itemgetter
from typing import Any, TypeVar

from sqlmodel import Session, text

from mlops_dash.store.db import is_sqlite
from mlops_dash.store.prediction_log import cold, whole
from mlops_dash.store.prediction_log.bulk import bound, insert, texts_of
from mlops_dash.store.prediction_log.cold import DAY_US
from mlops_dash.store.prediction_log.rows import (
    HOUR_US,
    Appended,
    Differing,
    DirtyHour,
    Label,
    LabelsAppended,
    Prediction,
    Score,
    to_us,
)

_Row = TypeVar("_Row", Prediction, Score)
_LABEL_LOCK = 7_201_014
_IDS_A_QUERY = 20_000
_WORTH_A_LOOK = 100  # ids: from so many on it is asked first whether anything lies between the first and the last


def append(session: Session, predictions: Sequence[Prediction], scores: Sequence[Score], *, marked_us: int) -> Appended:
    """Add rows and answers, all or none with the caller's transaction; a known key keeps what it has.

    The hours of new rows and new answers become dirty. A row that is archived is known too: by id and time.
    """
    predictions, scores = _without_archived(session, predictions, scores, before_us=marked_us - DAY_US)
    new_rows = insert(session, "prediction", Prediction._fields, predictions)
    together = _row_by_row(predictions, scores)
    ours = together or {one[:2] for one in scores} <= {row[:2] for row in predictions}
    if new_rows < len(predictions) or not ours:  # some rows were there before
        scores = _at_their_rows(session, scores)
    new_scores = insert(session, "score", Score._fields, scores)
    moments = {(row.model, row.at_us) for row in predictions} if new_rows else set()
    if new_scores and not (new_rows and together):
        moments |= {(score.model, score.at_us) for score in scores}
    mark_hours(session, {(model, at_us // HOUR_US * HOUR_US) for model, at_us in moments}, marked_us=marked_us)
    return Appended(new_rows, new_scores)


def _row_by_row(predictions: Sequence[Prediction], scores: Sequence[Score]) -> bool:
    """Whether each answer is to the row at its place, at that row's time."""
    of_row, of_score = itemgetter(0, 1, 2), itemgetter(0, 1, 5)  # model, id, time
    return len(predictions) == len(scores) and all(map(eq, map(of_row, predictions), map(of_score, scores)))


def _at_their_rows(session: Session, scores: Sequence[Score]) -> Sequence[Score]:
    """Answers at the time of their rows: a known row that is sent again without its time keeps the one it has."""
    at_of = _times(session, scores)
    return [one._replace(at_us=at_of.get((one.model, one.prediction_id), one.at_us)) for one in scores]


def first_differing(session: Session, rows: Sequence[Prediction], *, times: bool) -> Differing | None:
    """The first row whose id is known with other features, or, with `times`, at another time; None when all agree."""
    return next(differing(session, rows, times=times), None)


def any_known(session: Session, model: str, rows: Sequence[tuple[str, int]]) -> bool:
    """Whether one of these (id, microseconds since 1970 UTC) is known, or archived on the day of its time.

    Asks for the ids alone, before rows are made of what else belongs to them.
    """
    query = "SELECT prediction_id FROM prediction WHERE model = :model AND prediction_id IN ({ids}) LIMIT 1"
    if any(kept for _, kept in _by_model(session, "prediction", query, [(model, name) for name, _ in rows])):
        return True
    times = [at_us for _, at_us in rows]
    archived = bool(times) and cold.days(session, model, min(times) // DAY_US * DAY_US, max(times) + 1)
    return bool(archived) and bool(whole.archived_rows(session, model, rows))


def differing(session: Session, rows: Sequence[Prediction], *, times: bool) -> Iterator[Differing]:
    """Every row whose id is known with other features, or, with `times`, at another time."""
    known: dict[tuple[str, str], tuple[int, str]] = {}
    query = "SELECT prediction_id, at_us, features FROM prediction WHERE model = :model AND prediction_id IN ({ids})"
    for model, kept in _by_model(session, "prediction", query, [(row.model, row.prediction_id) for row in rows]):
        known.update({(model, prediction_id): (at_us, features) for prediction_id, at_us, features in kept})
    for model, ids in _ids_and_times(_maybe_archived(session, rows)).items():
        archived = whole.archived_rows(session, model, ids)
        known.update({(model, name): kept for name, kept in archived.items() if (model, name) not in known})
    for row in rows if known else ():
        at_us, features = known.get((row.model, row.prediction_id), (row.at_us, row.features))
        if features != row.features:
            yield Differing(row.prediction_id, "row of features")
        elif times and at_us != row.at_us:
            yield Differing(row.prediction_id, "time")


def keeps_earlier_names(session: Session, model: str) -> bool:
    """Whether rows without ids of this model are named as before such ids began with their time."""
    query = text("SELECT COUNT(*) FROM earlier_names WHERE model = :model")
    return bool(session.connection().execute(query, {"model": model}).scalar())


def append_labels(session: Session, labels: Sequence[Label], *, new_rows: Sequence[Prediction] = ()) -> LabelsAppended:
    """Add labels: another value than the latest is the next revision, the same value is nothing.

    Nor is a value that was known before with the same time of observation: an old file or request that is sent again
    after a correction tells nothing new.

    Ids without a prediction wait as pending and join when the prediction comes. Hours of labelled predictions become
    dirty, marked with the time the label was received. `new_rows` are those that this transaction added: their times
    need no look.
    """
    lock_labels(session)  # two writers must not both count the same revision
    latest, told = _known_labels(session, labels)
    fresh: list[tuple[Any, ...]] = []
    new = revised = 0
    if not told and len({label[:2] for label in labels}) == len(labels):  # of none is anything known
        fresh = [(*label[:2], 1, *label[2:]) for label in labels]
        new = len(fresh)
    for label in labels if not fresh else ():
        key = (label.model, label.prediction_id)
        known = latest.get(key)
        news = (*key, label.value, label.observed_at_us)
        if news in told or (known is not None and known[1] == label.value):
            continue
        told.add(news)
        revision = 1 if known is None else known[0] + 1
        new, revised = (new + 1, revised) if known is None else (new, revised + 1)
        latest[key] = (revision, label.value)
        fresh.append((*key, revision, *label[2:]))
    columns = ("model", "prediction_id", "revision", "value", "observed_at_us", "received_at_us")
    insert(session, "label", columns, fresh)
    times = {row[:2]: row.at_us for row in new_rows}
    at_of = {row[:2]: times[row[:2]] for row in fresh if row[:2] in times}
    at_of.update(_times(session, [row for row in fresh if row[:2] not in times]))
    hours = {(key[0], at // HOUR_US * HOUR_US) for key, at in at_of.items()}
    mark_hours(session, hours, marked_us=max((row[5] for row in fresh), default=0))
    without = [row[0] for row in fresh if row[:2] not in at_of]
    if without:  # of archived rows, or of rows to come: the worker looks
        mark_waiting(session, set(without), marked_us=max(row[5] for row in fresh))
    pending = len(without)
    return LabelsAppended(new, revised, len(labels) - len(fresh), pending)


def lock_labels(session: Session) -> None:
    """Be the only transaction that adds labels, or that takes away rows which labels are joined to, until its end."""
    if not is_sqlite(session):  # it has one writer anyway
        session.connection().execute(text(f"SELECT pg_advisory_xact_lock({_LABEL_LOCK})"))


def mark_waiting(session: Session, models: Iterable[str], *, marked_us: int) -> None:
    """Mark models that have labels without a hot row: the worker looks for the rows among archived ones."""
    greatest = "max" if is_sqlite(session) else "greatest"
    grown = f"SET marked_us = {greatest}(excluded.marked_us, label_waiting.marked_us + 1)"
    rows = [(model, marked_us) for model in sorted(models)]
    insert(session, "label_waiting", ("model", "marked_us"), rows, conflict=f"ON CONFLICT (model) DO UPDATE {grown}")


def mark_hours(session: Session, hours: Iterable[tuple[str, int]], *, marked_us: int) -> int:
    """Mark hours (model, start in microseconds) as dirty; returns how many were named.

    A second mark always differs from the first, even under a clock that stands still, so `clear_dirty` cannot remove
    a mark that came while the hour was being profiled.
    """
    rows = [(model, hour, marked_us) for model, hour in sorted(hours)]  # sorted: two writers lock in one order
    greatest = "max" if is_sqlite(session) else "greatest"
    grown = f"SET marked_us = {greatest}(excluded.marked_us, dirty_hour.marked_us + 1)"
    columns = ("model", "hour_us", "marked_us")
    insert(session, "dirty_hour", columns, rows, conflict=f"ON CONFLICT (model, hour_us) DO UPDATE {grown}")
    return len(rows)


def mark_range(session: Session, model: str, start: datetime, end: datetime, *, marked_us: int) -> int:
    """Mark every hour of `model` in [start, end) that has predictions (after a new reference); returns how many."""
    hours = session.connection().execute(
        text("SELECT DISTINCT at_us / :hour FROM prediction WHERE model = :model AND at_us >= :start AND at_us < :end"),
        {"hour": HOUR_US, "model": model, "start": to_us(start), "end": to_us(end)},
    )
    found = {int(row[0]) * HOUR_US for row in hours} | whole.hours_with_rows(session, model, start, end)
    return mark_hours(session, [(model, hour) for hour in found], marked_us=marked_us)


def clear_outside(session: Session, model: str, first_us: int, end_us: int) -> int:
    """Forget the marks of a model's hours outside [first, end): no profile knows them. Gives how many there were."""
    return int(
        session.connection()
        .execute(
            text("DELETE FROM dirty_hour WHERE model = :model AND (hour_us < :first OR hour_us >= :end)"),
            {"model": model, "first": first_us, "end": end_us},
        )
        .rowcount
    )


def clear_dirty(session: Session, hours: Iterable[DirtyHour]) -> None:
    """Forget marks that were profiled; an hour marked again since stays dirty."""
    rows = [{"model": h.model, "hour": to_us(h.hour), "marked": h.marked_us} for h in hours]
    if rows:
        session.connection().execute(
            text("DELETE FROM dirty_hour WHERE model = :model AND hour_us = :hour AND marked_us = :marked"), rows
        )


def _without_archived(
    session: Session, predictions: Sequence[Prediction], scores: Sequence[Score], *, before_us: int
) -> tuple[Sequence[Prediction], Sequence[Score]]:
    """What is not archived already; rows of the last day never are, so live traffic asks nothing."""
    rows = _maybe_archived(session, [row for row in predictions if row.at_us < before_us])
    answers = _maybe_archived(session, [score for score in scores if score.at_us < before_us])
    for model, ids in _ids_and_times(rows).items():
        known = whole.archived_rows(session, model, ids)
        predictions = [row for row in predictions if row.model != model or row.prediction_id not in known]
    for model, ids in _ids_and_times(answers).items():
        had = whole.archived_scores(session, model, ids)
        scores = [
            one for one in scores if one.model != model or (one.prediction_id, one.version_id, one.role) not in had
        ]
    return predictions, scores


def _maybe_archived(session: Session, rows: Sequence[_Row]) -> Sequence[_Row]:
    """The rows of models that have archived days between the first and the last of them."""
    for model in {row.model for row in rows}:
        times = [row.at_us for row in rows if row.model == model]
        if not cold.days(session, model, min(times) // DAY_US * DAY_US, max(times) + 1):
            rows = [row for row in rows if row.model != model]
    return rows


def _ids_and_times(rows: Iterable[Prediction] | Iterable[Score]) -> dict[str, list[tuple[str, int]]]:
    found: dict[str, list[tuple[str, int]]] = {}
    for row in rows:
        found.setdefault(row.model, []).append((row.prediction_id, row.at_us))
    return found


def _known_labels(
    session: Session, labels: Sequence[Label]
) -> tuple[dict[tuple[str, str], tuple[int, float]], set[tuple[str, str, float, int]]]:
    """Revision and value of the latest label by (model, id), and every (model, id, value, observed) there ever was."""
    latest: dict[tuple[str, str], tuple[int, float]] = {}
    told: set[tuple[str, str, float, int]] = set()
    query = (
        "SELECT prediction_id, revision, value, observed_at_us FROM label "
        "WHERE model = :model AND prediction_id IN ({ids})"
    )
    for model, rows in _by_model(session, "label", query, [(label.model, label.prediction_id) for label in labels]):
        for prediction_id, revision, value, observed_us in rows:
            told.add((model, prediction_id, value, observed_us))
            known = latest.get((model, prediction_id))
            if known is None or known[0] < revision:
                latest[model, prediction_id] = (revision, value)
    return latest, told


def _times(session: Session, keys: Sequence[Sequence[Any]]) -> dict[tuple[str, str], int]:
    query = "SELECT prediction_id, at_us FROM prediction WHERE model = :model AND prediction_id IN ({ids})"
    pairs = [(str(row[0]), str(row[1])) for row in keys]
    return {(model, row[0]): row[1] for model, rows in _by_model(session, "prediction", query, pairs) for row in rows}


def _by_model(
    session: Session, table: str, query: str, keys: Sequence[tuple[str, str]]
) -> Iterable[tuple[str, Sequence[Any]]]:
    """Run `query` for the ids of each model; ids travel as one JSON text or array, so their number is not bounded."""
    ids: dict[str, list[str]] = {}
    for model, prediction_id in keys:
        ids.setdefault(model, []).append(prediction_id)
    statement = text(query.format(ids=texts_of(session, "ids")))
    for model, own in ids.items():
        for first in range(0, len(own), _IDS_A_QUERY):
            part = own[first : first + _IDS_A_QUERY]
            if _any_between(session, table, model, part):
                yield (
                    model,
                    session.connection().execute(statement, {"model": model, "ids": bound(session, part)}).all(),
                )


def _any_between(session: Session, table: str, model: str, ids: Sequence[str]) -> bool:
    """Whether the table may hold one of these ids: ids in order that are all new lie beyond those it has.

    Only SQLite compares texts as Python does.
    """
    if len(ids) < _WORTH_A_LOOK or not is_sqlite(session):
        return True
    query = f"SELECT EXISTS(SELECT 1 FROM {table} WHERE model = :model AND prediction_id BETWEEN :low AND :high)"  # noqa: S608
    asked = {"model": model, "low": min(ids), "high": max(ids)}
    return bool(session.connection().execute(text(query), asked).scalar())
