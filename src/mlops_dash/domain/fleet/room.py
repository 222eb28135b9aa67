"""What the Overview gets from one read: everything on one screen, so that its parts cannot disagree."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime

from mlops_dash.domain.access import Waiting
from mlops_dash.domain.audit import Entry
from mlops_dash.domain.fleet.attention import Attention
from mlops_dash.domain.fleet.rows import WORST_FIRST, Coverage, FleetRow
from mlops_dash.domain.words import Health


@dataclass(frozen=True)
class DayVolume:
    """Judged rows of one calendar day over all models, and how many of them have a label."""

    day: date
    n: int
    n_labelled: int


@dataclass(frozen=True)
class FleetRoom:
    """Everything the Overview shows, from one read."""

    now: datetime
    rows: tuple[FleetRow, ...]  # the worst first
    attention: tuple[Attention, ...]  # the worst first, all of them
    snoozed: int  # alerts that are quiet for now
    waiting: tuple[Waiting, ...]  # for the person who looks, as the header counts them
    proposals_open: int  # that wait for anybody
    alerts_open: int
    oldest_open: datetime | None
    coverage: Coverage | None
    volume: tuple[DayVolume, ...]
    decisions: tuple[Entry, ...]  # newest first
    names: Mapping[str, str] = field(default_factory=dict)  # actor id -> name

    @property
    def decisions_open(self) -> int:
        """How many things wait for anybody."""
        return self.proposals_open + self.alerts_open

    @property
    def health(self) -> dict[Health, int]:
        """How many models have each health word, the worst first."""
        return {word: sum(one.health is word for one in self.rows) for word in WORST_FIRST}

    @property
    def judged(self) -> int:
        """How many models have a verdict: what harm is counted among."""
        return sum(one.labelled and one.health is not Health.NOT_KNOWN for one in self.rows)

    @property
    def unwatched(self) -> int:
        """How many models have no verdict yet, and a step that is missing to it."""
        return sum(one.to_verdict is not None for one in self.rows)

    @property
    def last_day(self) -> int | None:
        """Predictions of all models in the last 24 hours; None before the first."""
        known = [one.last_day for one in self.rows if one.last_day is not None]
        return sum(known) if known else None

    @property
    def usual_day(self) -> float | None:
        """What they usually get a day."""
        known = [one.usual_day for one in self.rows if one.usual_day is not None]
        return sum(known) if known else None

    @property
    def as_of(self) -> datetime | None:
        """End of the latest judged window."""
        return max((one.as_of for one in self.rows if one.as_of is not None), default=None)

    def name_of(self, actor_id: str) -> str:
        """The name of a person or process."""
        return self.names.get(actor_id, actor_id.removeprefix("user:"))
