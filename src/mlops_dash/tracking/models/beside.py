"""How long a call took when a second version was asked beside the champion, and whether that one failed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Beside:
    """One call of both: seconds of each; a failed one has none of its own."""

    champion_seconds: float
    challenger_seconds: float
    failed: bool = False
