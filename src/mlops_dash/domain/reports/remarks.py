"""What people say of a frozen report: comments, and sign-offs under their own name. Neither changes a fact."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from mlops_dash.errors import InvalidInput

MOST_SIGNS = 2_000


class RemarkKind(StrEnum):
    """What a remark is."""

    COMMENT = "comment"
    SIGN_OFF = "sign_off"
    WITHDRAWN = "withdrawn"  # of one's own sign-off; both stay


REMARK_LABELS = {RemarkKind.COMMENT: "Comment", RemarkKind.SIGN_OFF: "Signed off",
                 RemarkKind.WITHDRAWN: "Sign-off withdrawn"}  # fmt: skip


@dataclass(frozen=True)
class Remark:
    """A comment or a sign-off; `name` is the account's name when it was written."""

    id: str
    report_id: str
    kind: RemarkKind
    by: str
    name: str
    text: str
    at: datetime


def checked_text(text: str) -> str:
    """What somebody wrote, without blanks around it.

    Raises:
        InvalidInput: it is empty, or longer than 2,000 signs.
    """
    said = text.strip()
    if not said:
        raise InvalidInput(
            "Nothing is written.", hint="Say it in a few words: it stands in the report's list for good."
        )
    if len(said) > MOST_SIGNS:
        raise InvalidInput(f"{len(said):,} signs are too many.", hint=f"Use at most {MOST_SIGNS:,}.")
    return said


def signed(remarks: Sequence[Remark]) -> tuple[Remark, ...]:
    """The sign-offs and their withdrawals alone: what goes out of the house."""
    return tuple(one for one in remarks if one.kind is not RemarkKind.COMMENT)


def standing(remarks: Sequence[Remark]) -> tuple[Remark, ...]:
    """The sign-offs that nobody withdrew; each account has one a report at most. `remarks` are oldest first."""
    found: dict[tuple[str, str], Remark] = {}
    for one in remarks:
        if one.kind is RemarkKind.SIGN_OFF:
            found[one.report_id, one.by] = one
        elif one.kind is RemarkKind.WITHDRAWN:
            found.pop((one.report_id, one.by), None)
    return tuple(found.values())
