"""Which version is where: live, rolled out in stages, in an A/B test, silent, proposed, and what MLflow's marks say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from mlops_dash.domain.format import percent

PLACES = {
    "live": "Live",
    "rolling_out": "Rolling out",
    "tested": "In an A/B test",
    "silent": "Scores silently",
    "proposed": "Proposed",
    "newest": "Newest",
}


@dataclass(frozen=True)
class BoardRow:
    """One model. A place holds labels of versions; an empty one holds nothing.

    `marks` are aliases and stages of MLflow as they were seen last, each with the versions that carry it: staging, dev,
    or whatever a team calls its environments; `seen_at` None = MLflow was never seen, or is not asked about this model.
    """

    model: str
    owner: str
    tier: int
    live: str = ""
    live_since: datetime | None = None
    rolling_out: str = ""
    tested: str = ""
    silent: tuple[str, ...] = ()
    proposed: tuple[str, ...] = ()
    newest: str = ""
    marks: tuple[tuple[str, tuple[str, ...]], ...] = ()
    seen_at: datetime | None = None
    reachable: bool = True  # whether MLflow answered at the last look

    def as_json(self) -> dict[str, Any]:
        """All fields as JSON-able values."""
        times = {"live_since": self.live_since, "seen_at": self.seen_at}
        told = {name: None if at is None else at.isoformat() for name, at in times.items()}
        marks = {name: list(versions) for name, versions in self.marks}
        return {**asdict(self), **told, "silent": list(self.silent), "proposed": list(self.proposed), "marks": marks}

    def said(self, place: str) -> str:
        """What stands in a place, as people read it."""
        found = getattr(self, place)
        return found if isinstance(found, str) else ", ".join(found)

    @property
    def marks_said(self) -> str:
        """MLflow's marks in one line.

        >>> BoardRow("m", "", 2, marks=(("staging", ("v3",)), ("dev", ("v4", "v5")))).marks_said
        'staging: v3; dev: v4, v5'
        """
        return "; ".join(f"{name}: {', '.join(versions)}" for name, versions in self.marks)


def marks_of(versions: Mapping[str, Sequence[str]]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Marks with the versions that carry them, from versions with their marks; by mark, versions in their order.

    >>> marks_of({"2": ["prod"], "10": ["dev"], "3": ["dev"]})
    (('dev', ('v3', 'v10')), ('prod', ('v2',)))
    """
    found: dict[str, list[str]] = {}
    for version in sorted(versions, key=lambda one: (int(one) if one.isdecimal() else 0, one)):
        for mark in versions[version]:
            found.setdefault(mark, []).append(f"v{version}")
    return tuple((mark, tuple(found[mark])) for mark in sorted(found))


def rolled(label: str, share: float) -> str:
    """A version with its share of the rows.

    >>> rolled("v3", .1)[:4]
    'v3, '
    """
    return f"{label}, {percent(share, 0)} of the rows"
