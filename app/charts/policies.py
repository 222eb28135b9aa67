"""Policies as frames for tables: pure, a room in, frames out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from mlops_dash.domain import format as fmt
from mlops_dash.domain.audit import who
from mlops_dash.domain.policies.room import PolicyField, PolicyRoom


def fields(room_fields: Sequence[PolicyField]) -> pd.DataFrame:
    """One row a field: what holds, what would by default, and what it means."""
    return pd.DataFrame(
        {
            "Field": [one.name.replace("_", " ") for one in room_fields],
            "Value": [shown(one.value) for one in room_fields],
            "Default": [shown(one.default) for one in room_fields],
            "What it means": [one.meaning for one in room_fields],
        }
    )


def history(room: PolicyRoom, zone: str) -> pd.DataFrame:
    """One row a version: how far it has come, who wrote it, who put it into force, since when."""
    return pd.DataFrame(
        {
            "Version": [one.number for one in room.history],
            "State": [room.state(one).capitalize() for one in room.history],
            "Written by": [who(one.author) for one in room.history],
            "Activated by": [who(one.approver) if one.approver else fmt.MISSING for one in room.history],
            "Since": [fmt.instant(one.active_from, zone) for one in room.history],
            "Digest": [fmt.short(one.digest, 12) for one in room.history],
        }
    )


def shown(value: Any) -> str:
    """A value as text; an empty one is a word.

    >>> shown(""), shown(0.002), shown(1000)
    ('none', '0.002', '1000')
    """
    return "none" if value == "" else str(value)
