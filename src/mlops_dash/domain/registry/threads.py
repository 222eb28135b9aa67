"""What people say about a proposal to each other: comments, whom they mention, and small files with their digests."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from mlops_dash.domain.access import Actor, Waiting
from mlops_dash.errors import InvalidInput

LONGEST_COMMENT = 2_000
MOST_BYTES, MOST_FILES = 1_048_576, 10  # of a file, and files of a proposal
MENTION_STANDS = timedelta(days=14)  # so long it waits in somebody's queue
_MENTION = re.compile(r"(?<![\w.@-])@([a-z0-9][a-z0-9._-]{0,39})", re.IGNORECASE)
_UNSAFE = re.compile(r"[\x00-\x1f\x7f/\\]")


@dataclass(frozen=True)
class Attachment:
    """A file as it is listed; its bytes are read when somebody asks for them."""

    id: str
    name: str
    size: int  # bytes
    sha256: str


@dataclass(frozen=True)
class Comment:
    """What one person said about a proposal. It is never changed: the ledger holds it too."""

    id: str
    proposal_id: str
    by: str
    at: datetime
    text: str
    mentions: tuple[str, ...] = ()  # ids of people
    attachments: tuple[Attachment, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """All fields as JSON-able values."""
        return {
            "id": self.id, "by": self.by, "at": self.at.isoformat(), "text": self.text,
            "mentions": list(self.mentions), "attachments": [vars(one) for one in self.attachments],
        }  # fmt: skip


@dataclass(frozen=True)
class Mention:
    """A comment that names somebody who has not said anything since."""

    model: str
    version: str
    proposal_id: str
    by: str
    text: str
    at: datetime


def mentioned(text: str, people: Mapping[str, str]) -> tuple[str, ...]:
    """The ids of the people whom a text names by @ and their login's name, in its order; other signs are just text.

    >>> mentioned("@Lead, see @nobody and lead@house.example; @lead.", {"lead": "user:lead"})
    ('user:lead',)
    """
    names = (found.lower() for found in _MENTION.findall(text))
    known = (people.get(name) or people.get(name.rstrip("._-"), "") for name in names)
    return tuple(dict.fromkeys(one for one in known if one))


def comment_text(text: str, files: Sequence[tuple[str, bytes]]) -> str:
    """A comment as it is kept.

    Raises:
        InvalidInput: it is empty, or too long.
    """
    said = text.strip()
    if not said:
        raise InvalidInput("A comment is empty.", hint="Say something about the files." if files else "Write it first.")
    if len(said) > LONGEST_COMMENT:
        raise InvalidInput(f"A comment of {len(said):,} letters is too long.", hint=f"At most {LONGEST_COMMENT:,}.")
    return said


def check_files(files: Sequence[tuple[str, bytes]], *, already: int) -> tuple[tuple[str, bytes, str], ...]:
    """Name, bytes and sha256 of files that may be attached.

    Args:
        files: Name and bytes each.
        already: How many the proposal has.

    Raises:
        InvalidInput: one is empty, too large or without a usable name, or there are too many.
    """
    if already + len(files) > MOST_FILES:
        raise InvalidInput(
            f"A proposal takes {MOST_FILES} files; it has {already}.", hint="Link to a place where larger sets lie."
        )
    kept = []
    for given, content in files:
        name = _UNSAFE.sub("_", given.replace("\\", "/").rpartition("/")[2]).strip()
        if not name or name in {".", ".."} or len(name) > 120:
            raise InvalidInput(f"{given[:60]!r} cannot be a file's name.", hint="Use 1 to 120 letters.")
        if not content:
            raise InvalidInput(f"The file {name!r} is empty.", hint="Attach it once it holds something.")
        if len(content) > MOST_BYTES:
            raise InvalidInput(f"The file {name!r} is larger than 1 MiB.", hint="Link to a place where it lies.")
        kept.append((name, content, hashlib.sha256(content).hexdigest()))
    return tuple(kept)


def mention_waits(one: Mention) -> Waiting:
    """What a mention asks: to read it, and to answer where something is asked."""
    title = f"You are named: {one.model} v{one.version}"
    parameters = (("model", one.model), ("version", one.version), ("proposal", one.proposal_id))
    why = f"{one.by.removeprefix('user:')}: {one.text}"
    return Waiting(title, why, "alternate_email", "registry", parameters, one.at, one.at + MENTION_STANDS)


def waits_for(actor: Actor, comments: Sequence[Comment]) -> Comment | None:
    """The newest comment of a thread that names this person and that they have not answered by one of their own."""
    for one in reversed(comments):
        if one.by == actor.person:
            return None
        if actor.person in one.mentions:
            return one
    return None
