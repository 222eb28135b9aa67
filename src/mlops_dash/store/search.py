"""Search over names and ids: one statement for all kinds, so that a keystroke costs one round trip."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, exists, func, literal, or_, select, union_all
from sqlmodel import Session, SQLModel, col

from mlops_dash.domain.search import Kind
from mlops_dash.store.tables.ab_tests import ABTestRow
from mlops_dash.store.tables.access import UserRow
from mlops_dash.store.tables.audit import LedgerRow
from mlops_dash.store.tables.jobs import JobRow
from mlops_dash.store.tables.monitoring import AlertRow
from mlops_dash.store.tables.registry import ModelRow, ModelVersionRow


@dataclass(frozen=True)
class Found:
    """One row: what it is called, one line about it, its id and what else its link needs."""

    kind: Kind
    title: str
    detail: str
    subject: str
    other: str
    at: datetime


@dataclass(frozen=True)
class _Source:
    """Where one kind lives: its columns, and the text that is searched."""

    row: type[SQLModel]
    title: Any
    detail: Any
    subject: Any
    other: Any
    at: Any
    searched: tuple[Any, ...]
    where: Any = None


def find(session: Session, words: Collection[str], kinds: Collection[Kind], *, limit: int) -> tuple[Found, ...]:
    """What has all words somewhere in its names, whatever their case: at most `limit` of each kind.

    A title that is the text or begins with it comes first, then the newest. `%`, `_` and quotes are plain letters.
    """
    sources = _sources()
    chosen = [kind for kind in Kind if kind in kinds and kind in sources]
    if not words or not chosen:
        return ()
    text = " ".join(words)
    parts = [_part(kind, sources[kind], words, text, limit) for kind in chosen]
    rows = session.connection().execute(union_all(*(select(part.subquery()) for part in parts))).all()
    found = [(row.rank, Found(Kind(row.kind), row.title, row.detail, row.subject, row.other, row.at)) for row in rows]
    order = {kind: number for number, kind in enumerate(Kind)}
    found.sort(key=lambda one: (order[one[1].kind], one[0], -one[1].at.timestamp(), one[1].title))
    return tuple(one for _, one in found)


def _part(kind: Kind, source: _Source, words: Collection[str], text: str, limit: int) -> Select[Any]:
    searched: Any = literal("")
    for one in source.searched:
        searched = searched + " " + func.coalesce(one, "")
    title = func.lower(source.title)
    rank = case(
        (title == func.lower(literal(text)), 0), (title.like(_pattern(text, "{}%"), escape="\\"), 1), else_=2
    ).label("rank")
    fits = [func.lower(searched).like(_pattern(word, "%{}%"), escape="\\") for word in words]
    chosen = select(
        literal(str(kind)).label("kind"),
        source.title.label("title"),
        source.detail.label("detail"),
        source.subject.label("subject"),
        source.other.label("other"),
        source.at.label("at"),
        rank,
    ).select_from(source.row)
    where = and_(*fits) if source.where is None else and_(source.where, *fits)
    return chosen.where(where).order_by(rank, source.at.desc()).limit(limit)


def _pattern(text: str, shape: str) -> ColumnElement[str]:
    """The text as a LIKE pattern, lowered by the database itself, so that both sides follow the same rules."""
    for special in ("\\", "%", "_"):
        text = text.replace(special, f"\\{special}")
    return func.lower(literal(shape.format(text)))


def _sources() -> dict[Kind, _Source]:
    model, version, job, test, alert, user = col(ModelRow.name), ModelVersionRow, JobRow, ABTestRow, AlertRow, UserRow
    label = col(version.model) + " v" + col(version.version)
    test = ABTestRow
    versions = col(test.model) + " " + _label(test.challenger_id) + " against " + _label(test.control_id)
    decided = exists().where(col(LedgerRow.actor) == col(user.id))
    return {
        Kind.MODEL: _Source(
            ModelRow, model, col(ModelRow.task) + " · owner " + _or(col(ModelRow.owner), "nobody"), model,
            col(ModelRow.source), col(ModelRow.created_at), (model, col(ModelRow.title), col(ModelRow.owner)),
            where=col(ModelRow.archived_at).is_(None),
        ),
        Kind.VERSION: _Source(
            version, label, _made_by(col(version.recipe), col(version.created_by)), col(version.model),
            col(version.version), col(version.created_at),
            (label, col(version.run_id), col(version.recipe), col(version.created_by), col(version.note)),
        ),
        Kind.RUN: _Source(
            job, col(job.recipe) + " of " + col(job.model), col(job.state) + " · " + col(job.cause), col(job.id),
            literal(""), col(job.created_at),
            (col(job.recipe), col(job.model), col(job.id), col(job.cause), col(job.state)),
            where=col(job.recipe).is_not(None),
        ),
        Kind.TEST: _Source(
            test, _or(col(test.question), "A/B test of " + col(test.model)), col(test.model) + " · " + col(test.state),
            col(test.id), col(test.state), col(test.designed_at),
            (col(test.question), col(test.model), col(test.id), col(test.state), col(test.designed_by)),
        ),
        Kind.TEST: _Source(
            test, versions, col(test.state) + " · " + col(test.question), col(test.id), literal(""),
            col(test.designed_at), (versions, col(test.id), col(test.question), col(test.state), literal("a/b test")),
        ),
        Kind.ALERT: _Source(
            alert, col(alert.title), col(alert.model) + " · " + col(alert.state), col(alert.model), col(alert.state),
            col(alert.opened_at), (col(alert.title), col(alert.cause), col(alert.model), col(alert.kind)),
        ),
        Kind.PERSON: _Source(
            user, func.coalesce(func.nullif(col(user.display_name), ""), col(user.name)), col(user.role),
            col(user.name), case((decided, "1"), else_="0"), col(user.created_at),
            (col(user.name), col(user.display_name), col(user.role)), where=col(user.disabled).is_(False),
        ),
    }  # fmt: skip


def _label(version_id: Any) -> Any:
    number = select(col(ModelVersionRow.version)).where(col(ModelVersionRow.id) == version_id).scalar_subquery()
    return literal("v") + number


def _made_by(recipe: Any, person: Any) -> Any:
    how = case((recipe == "", "made elsewhere"), else_="recipe " + recipe)
    return how + case((person == "", ""), else_=" · by " + func.replace(person, "user:", ""))


def _or(column: Any, instead: Any) -> Any:
    return case((or_(column.is_(None), column == ""), instead), else_=column)
