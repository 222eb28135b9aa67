"""Comments about proposals, and the files attached to them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import defer
from sqlmodel import Session, col, func, select

from mlops_dash.domain.access import Actor, Role
from mlops_dash.domain.registry.threads import Attachment, Comment, Mention, waits_for
from mlops_dash.errors import Conflict, NotFound
from mlops_dash.store.tables.access import UserRow
from mlops_dash.store.tables.registry import ModelRow, ModelVersionRow, ProposalRow
from mlops_dash.store.tables.threads import AttachmentRow, CommentRow


def people_by_name(session: Session) -> dict[str, str]:
    """Login name -> id of everybody who may log in."""
    query = select(UserRow.name, UserRow.id).where(col(UserRow.disabled).is_(False), UserRow.role != Role.SERVICE)
    return dict(session.exec(query).all())


def add(session: Session, made: Comment, files: Sequence[tuple[Attachment, bytes]]) -> None:
    """Keep a comment with its files.

    Raises:
        Conflict: somebody else wrote at the same moment.
    """
    number = session.exec(select(func.count()).where(CommentRow.proposal_id == made.proposal_id)).one()
    session.add(
        CommentRow(
            id=made.id, proposal_id=made.proposal_id, by=made.by, at=made.at, text=made.text,
            mentions=list(made.mentions), number=number + 1,
        )
    )  # fmt: skip
    try:
        session.flush()
    except IntegrityError as error:
        raise Conflict("Somebody else wrote at the same moment.", hint="Write it again.") from error
    session.add_all(
        AttachmentRow(**vars(one), comment_id=made.id, proposal_id=made.proposal_id, content=content)
        for one, content in files
    )
    session.flush()


def files_of(session: Session, proposal_id: str) -> int:
    """How many files a proposal has."""
    return session.exec(select(func.count()).where(AttachmentRow.proposal_id == proposal_id)).one()


def thread(session: Session, proposal_id: str) -> tuple[Comment, ...]:
    """The comments of a proposal, oldest first, with what is attached; no file is read."""
    rows = session.exec(
        select(CommentRow).where(CommentRow.proposal_id == proposal_id).order_by(col(CommentRow.number))
    ).all()
    listed = (
        select(AttachmentRow)
        .options(defer(AttachmentRow.content))  # type: ignore[arg-type]
        .where(AttachmentRow.proposal_id == proposal_id)
        .order_by(col(AttachmentRow.name))
    )
    files = [(row.comment_id, _attachment(row)) for row in session.exec(listed)]
    return tuple(_comment(row, [file for of, file in files if of == row.id]) for row in rows)


def attachment(session: Session, attachment_id: str) -> tuple[Attachment, bytes]:
    """A file and its bytes, which are those that were attached.

    Raises:
        NotFound: no such file.
        Conflict: its bytes are not those that the ledger knows.
    """
    row = session.get(AttachmentRow, attachment_id)
    if row is None:
        raise NotFound(f"No attachment {attachment_id[:40]!r}.", hint="mlops-dash thread MODEL lists them.")
    if hashlib.sha256(row.content).hexdigest() != row.sha256:
        raise Conflict(f"The file {row.name!r} is not what was attached.", hint="Its sha256 in the ledger is another.")
    return _attachment(row), row.content


def mentions_of(session: Session, actor: Actor, *, since: datetime) -> tuple[Mention, ...]:
    """What names this person in threads of models that are watched, and they have not answered; oldest first."""
    rows = session.exec(
        select(CommentRow, ProposalRow.model, ModelVersionRow.version)
        .where(
            CommentRow.proposal_id == ProposalRow.id,
            ProposalRow.version_id == ModelVersionRow.id,
            ProposalRow.model == ModelRow.name,
            col(ModelRow.archived_at).is_(None),
            CommentRow.at > since,
        )
        .order_by(col(CommentRow.number))
    ).all()
    about = {row.proposal_id: (model, version) for row, model, version in rows}
    found = []
    for proposal_id, (model, version) in about.items():
        own = [_comment(row, ()) for row, _, _ in rows if row.proposal_id == proposal_id]
        one = waits_for(actor, own)
        if one is not None:
            found.append(Mention(model, version, proposal_id, one.by, one.text, one.at))
    return tuple(sorted(found, key=lambda one: one.at))


def _attachment(row: AttachmentRow) -> Attachment:
    return Attachment(row.id, row.name, row.size, row.sha256)


def _comment(row: CommentRow, files: Sequence[Attachment]) -> Comment:
    return Comment(row.id, row.proposal_id, row.by, row.at, row.text, tuple(row.mentions or ()), tuple(files))
