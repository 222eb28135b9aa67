"""What the leader does again and again, and how it waits when it cannot."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Chore:
    """Something the leader does again and again; when it cannot, it waits longer and longer and says so once."""

    name: str
    seconds: float
    said: str = ""
    failures: int = 0
    not_before: float = 0.0
