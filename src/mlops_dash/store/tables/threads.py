"""Tables of what people say about proposals."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Column, LargeBinary, UniqueConstraint
from sqlmodel import Field

from mlops_dash.store.tables.app import AppTable, json_column, text_column, time_column


class CommentRow(AppTable, table=True):
    """What one person said about a proposal; never changed."""

    __tablename__ = "proposal_comment"
    id: str = Field(primary_key=True)
    proposal_id: str = Field(foreign_key="proposal.id", index=True)
    by: str
    at: datetime = time_column(index=True)
    text: str = text_column()
    mentions: Any = json_column()  # ids of people
    number: int  # within the thread: its order even when the clock stands still
    __table_args__ = (UniqueConstraint("proposal_id", "number"),)


class AttachmentRow(AppTable, table=True):
    """A small file beside a comment; its digest is in the ledger."""

    __tablename__ = "proposal_attachment"
    id: str = Field(primary_key=True)
    comment_id: str = Field(foreign_key="proposal_comment.id")
    proposal_id: str = Field(foreign_key="proposal.id", index=True)
    name: str
    size: int
    sha256: str
    content: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
