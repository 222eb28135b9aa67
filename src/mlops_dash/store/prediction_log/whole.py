"""Reads of the whole prediction log, hot and archived: the one door, so that no caller knows where a row is kept.

Each is the read of the same name in `reads.py`, done part by part (`parts.py`) and put together.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from sqlmodel import Session, col, func, select, text

from mlops_dash.store.db import cold_folder
from mlops_dash.store.prediction_log import cold, reads
from mlops_dash.store.prediction_log.bulk import bound, texts_of
from mlops_dash.store.prediction_log.cold import DAY_US
from mlops_dash.store.prediction_log.parts import parts
from mlops_dash.store.prediction_log.reads import MONITORED_ROLES
from mlops_dash.store.prediction_log.rows import HOUR_US, LogCounts, from_us, to_us
from mlops_dash.store.tables.log import ArchivedAnswersRow, ManifestRow, ScoreRow


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
    """One version's scored rows with `start <= at < end`, in time order; see `reads.read_window`."""
    days = None if hours is None else {to_us(hour) // DAY_US * DAY_US for hour in hours}
    model = model_of(session, version_id)
    cut = parts(session, model, to_us(start), to_us(end), versions=[version_id], features=features, only=days)
    return _joined([
        reads.read_window(
            part, version_id, from_us(first), from_us(last), roles=roles, known_at=known_at, features=features,
            hours=hours, width_us=width_us, classes=classes,
        )
        for part, first, last in cut
    ])  # fmt: skip


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
    """Rows with `start <= at < end` that both versions scored, in time order; see `reads.read_paired`."""
    cut = parts(session, model, to_us(start), to_us(end), versions=[version_a, version_b], features=False)
    return _joined([
        reads.read_paired(
            part, model, version_a, version_b, from_us(first), from_us(last), known_at=known_at, classes=classes
        )
        for part, first, last in cut
    ])  # fmt: skip


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
    """One page of logged rows with `start <= at < end`, in time order; see `reads.read_logged`."""
    begin = to_us(start) if after is None else max(to_us(start), after[0])
    pages: list[pd.DataFrame] = []
    for part, first, last in parts(session, model, begin, to_us(end), versions=[without_version]):
        page = reads.read_logged(
            part, model, from_us(first), from_us(last), without_version=without_version, after=after,
            limit=limit - sum(len(one) for one in pages), labels=labels,
        )  # fmt: skip
        pages.append(page)
        if sum(len(one) for one in pages) >= limit:
            break
    return _joined(pages or [reads.read_logged(session, model, start, start, labels=labels)])


def logged_by_hour(session: Session, model: str, start: datetime, end: datetime) -> tuple[tuple[datetime, int], ...]:
    """Hours of `start <= at < end` with logged rows, in order, and how many rows each has."""
    cut = parts(session, model, to_us(start), to_us(end), versions=[], features=False)
    return tuple(
        hour for part, first, last in cut for hour in reads.logged_by_hour(part, model, from_us(first), from_us(last))
    )


def rows_by_hour(
    session: Session, versions: Sequence[str], hours: Sequence[datetime], *, roles: Sequence[str]
) -> dict[str, dict[datetime, int]]:
    """How many rows each version answered in each of these hours; see `reads.rows_by_hour`."""
    found: dict[str, dict[datetime, int]] = {}
    begins = [to_us(hour) for hour in hours]
    days = {begin // DAY_US * DAY_US for begin in begins}
    by_model: dict[str, list[str]] = {}
    for version_id, model in models_of(session, versions).items():
        by_model.setdefault(model, []).append(version_id)
    for model, own in by_model.items():
        cut = (
            parts(session, model, min(days), max(days) + DAY_US, versions=own, features=False, only=days)
            if days
            else ()
        )
        for part, first, last in cut:
            within = [hour for hour, begin in zip(hours, begins, strict=True) if first <= begin < last]
            for version_id, by_hour in reads.rows_by_hour(part, own, within, roles=roles).items():
                found.setdefault(version_id, {}).update(by_hour)
    return found


def span_of(
    session: Session, version_id: str, *, roles: Sequence[str] = MONITORED_ROLES
) -> tuple[datetime, datetime] | None:
    """When a version answered first and last; None when it never did."""
    archived = session.exec(
        select(ArchivedAnswersRow).where(
            ArchivedAnswersRow.version_id == version_id, col(ArchivedAnswersRow.role).in_(roles)
        )
    ).all()
    hot = reads.span_of(session, version_id, roles=roles)
    spans = [(from_us(one.first_us), from_us(one.last_us)) for one in archived] + ([hot] if hot else [])
    return (min(first for first, _ in spans), max(last for _, last in spans)) if spans else None


def labelled_days(session: Session, version_id: str) -> int:
    """On how many days (UTC) a version answered rows whose label is known."""
    archived = session.exec(
        select(ArchivedAnswersRow.day_us).where(
            ArchivedAnswersRow.version_id == version_id, ArchivedAnswersRow.labelled > 0,
            col(ArchivedAnswersRow.role).in_(MONITORED_ROLES),
        )
    ).all()  # fmt: skip
    return len({day // DAY_US for day in archived} | reads.labelled_days(session, version_id))


def first_answer_since(session: Session, version_id: str, since: datetime, *, role: str) -> datetime | None:
    """When a version first answered in a role from then on; None = never."""
    begin = to_us(since)
    days = session.exec(
        select(ArchivedAnswersRow)
        .where(ArchivedAnswersRow.version_id == version_id, ArchivedAnswersRow.role == role)
        .where(col(ArchivedAnswersRow.last_us) >= begin)
        .order_by(col(ArchivedAnswersRow.day_us))
        .limit(1)
    ).all()
    times = [day.first_us for day in days if day.first_us >= begin]
    for day in days:
        if day.first_us < begin:
            rows = _scores(session, day.model, day.day_us, version_id)
            rows = rows.filter((pc.field("at_us") >= begin) & (pc.field("role") == role))
            times.append(pc.min(rows["at_us"]).as_py())
    hot = session.exec(
        select(ScoreRow.at_us)
        .where(ScoreRow.version_id == version_id, ScoreRow.role == role, col(ScoreRow.at_us) >= begin)
        .order_by(col(ScoreRow.at_us))
        .limit(1)
    ).first()
    times += [] if hot is None else [hot]
    return from_us(min(times)) if times else None


def rows_scored(session: Session, version_id: str, start: datetime, end: datetime) -> int:
    """How many different rows in [start, end) a version has scored, in any role."""
    first, last = to_us(start), to_us(end)
    held = session.exec(
        select(ArchivedAnswersRow.model, ArchivedAnswersRow.day_us).distinct()
        .where(
            ArchivedAnswersRow.version_id == version_id, col(ArchivedAnswersRow.last_us) >= first,
            col(ArchivedAnswersRow.first_us) < last,
        )
    ).all()  # fmt: skip
    hot = select(ScoreRow.prediction_id).distinct()
    hot = hot.where(ScoreRow.version_id == version_id, col(ScoreRow.at_us) >= first, col(ScoreRow.at_us) < last)
    ids = set(session.exec(hot).all())
    for model, day in held:
        rows = _scores(session, model, day, version_id)
        ids.update(rows.filter((pc.field("at_us") >= first) & (pc.field("at_us") < last))["prediction_id"].to_pylist())
    return len(ids)


def counts(session: Session, model: str) -> LogCounts:
    """How many predictions and labels a model has, and from when to when."""
    hot = reads.counts(session, model)
    rows, first, last = session.exec(
        select(func.sum(ManifestRow.rows), func.min(ManifestRow.min_at_us), func.max(ManifestRow.max_at_us)).where(
            ManifestRow.model == model, ManifestRow.kind == "prediction"
        )
    ).one()
    if not rows:
        return hot
    labelled = session.exec(
        select(func.sum(ManifestRow.ids)).where(ManifestRow.model == model, ManifestRow.kind == "label")
    ).one()
    times = [from_us(first), from_us(last), *(one for one in (hot.first_at, hot.last_at) if one)]
    return LogCounts(
        hot.predictions + int(rows), hot.labelled + int(labelled or 0), hot.pending_labels, min(times), max(times)
    )  # fmt: skip


def knows(session: Session, model: str) -> bool:
    """Whether a prediction or a label of a model is stored."""
    return reads.knows(session, model) or bool(cold.of_model(session, model))


def every_nth_label(session: Session, model: str, *, n: int, since: datetime, limit: int) -> tuple[datetime, ...]:
    """When the n-th, 2n-th, ... new label of a model came after a moment; corrections of known ones do not count."""
    begin = to_us(since)
    held = [one for one in cold.of_model(session, model, kinds=("label",)) if one.max_at_us > begin]
    if not held:
        return reads.every_nth_label(session, model, n=n, since=since, limit=limit)
    for one in held:
        cold.read(session, one, columns=["revision"])  # said where it is damaged
    came = [_first_labels(str(cold_folder(session) / one.path)) for one in held]
    came.append(np.array(reads.first_labels(session, model, since=since), dtype=np.int64))
    times = np.sort(np.concatenate(came))
    times = times[times > begin]
    return tuple(from_us(int(us)) for us in times[n - 1 :: n][:limit])


def hours_with_rows(session: Session, model: str, start: datetime, end: datetime) -> set[int]:
    """Begins, in microseconds, of the hours of a model in [start, end) that have archived rows."""
    found: set[int] = set()
    for day in cold.days(session, model, to_us(start), to_us(end)):
        at = cold.read(session, cold.of_day(session, model, day)["prediction"], columns=["at_us"])["at_us"].to_numpy()
        at = at[(at >= to_us(start)) & (at < to_us(end))]
        found.update(np.unique(at // HOUR_US * HOUR_US).tolist())
    return found


def archived_rows(session: Session, model: str, ids: Sequence[tuple[str, int]]) -> dict[str, tuple[int, str]]:
    """Of (id, time) those that are archived on the day of that time: id -> (time, features)."""
    return {
        name: (at_us, features)
        for _, rows in _of_ids(session, "prediction", model, ids, ["prediction_id", "at_us", "features"])
        for name, at_us, features in rows
    }


def archived_scores(session: Session, model: str, ids: Sequence[tuple[str, int]]) -> set[tuple[str, str, str]]:
    """(id, version id, role) of the archived answers to rows of these ids and times."""
    return {
        tuple(row)
        for _, rows in _of_ids(session, "score", model, ids, ["prediction_id", "version_id", "role"])
        for row in rows
    }


def model_of(session: Session, version_id: str) -> str:
    """Whose version this is, as far as it answered anything; else ""."""
    return models_of(session, [version_id]).get(version_id, "")


def models_of(session: Session, versions: Sequence[str]) -> dict[str, str]:
    """Whose each version is, by one statement; versions that never answered anything are left out."""
    asked = {"versions": bound(session, versions)}
    first = "SELECT t.model FROM {} t WHERE t.version_id = v.value LIMIT 1"
    query = (
        f"SELECT v.value, COALESCE(({first.format('score')}), ({first.format('archived_answers')})) "  # noqa: S608
        f"FROM ({texts_of(session, 'versions')}) v"
    )
    return {version: model for version, model in session.connection().execute(text(query), asked).all() if model}


def _of_ids(
    session: Session, kind: str, model: str, ids: Sequence[tuple[str, int]], columns: Sequence[str]
) -> Iterator[tuple[int, Iterator[tuple[Any, ...]]]]:
    by_day: dict[int, list[str]] = {}
    for name, at_us in ids:
        by_day.setdefault(at_us // DAY_US * DAY_US, []).append(name)
    held = set(cold.days(session, model, min(by_day), max(by_day) + 1)) if by_day else set()
    for day in sorted(held & set(by_day)):
        file = cold.of_day(session, model, day).get(kind)
        if file is not None:
            rows = cold.read(session, file, columns)
            rows = rows.filter(pc.is_in(rows["prediction_id"], pa.array(by_day[day], pa.string())))
            yield day, zip(*(rows[name].to_pylist() for name in columns), strict=True)


def _scores(session: Session, model: str, day: int, version_id: str) -> pa.Table:
    rows = cold.read(
        session, cold.of_day(session, model, day)["score"], ["prediction_id", "version_id", "role", "at_us"]
    )
    return rows.filter(pc.field("version_id") == version_id)


@lru_cache(maxsize=512)
def _first_labels(place: str) -> Any:
    """When the first values of the rows of a label file were received; a file never changes."""
    rows = pq.read_table(place, columns=["revision", "received_at_us"])
    return rows.filter(pc.field("revision") == 1)["received_at_us"].to_numpy()


def _joined(frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Frames of one shape put together; one without rows says nothing about the columns."""
    held = [one for one in frames if len(one)]
    if not held:
        return frames[0]
    return held[0] if len(held) == 1 else pd.concat(held, ignore_index=True)
