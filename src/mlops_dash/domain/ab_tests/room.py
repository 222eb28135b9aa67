"""What the A/B page shows from one read, what a designer is offered, and whom a test waits for."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from mlops_dash.domain.ab_tests.analysis import finite
from mlops_dash.domain.ab_tests.judging import Verdict
from mlops_dash.domain.ab_tests.readings import Reading
from mlops_dash.domain.ab_tests.rules import ABTest, Guardrail
from mlops_dash.domain.access import Actor, Permission, Waiting, person_of
from mlops_dash.domain.events import EventName
from mlops_dash.domain.words import ABState
from mlops_dash.errors import InvalidInput
from mlops_dash.ids import canonical_json
from mlops_dash.stats.ab_replay import Replayed

# For the same 80 % power an always-valid interval needs 1.74 times the units, so at equal units it finds sqrt(1.74).
FEW_UNITS = 20  # a day: in three weeks no arm would have its hundred, even if nobody came twice
PRICE_OF_PEEKING = math.sqrt(1.74)


def waits_for(actor: Actor, test: ABTest, now: datetime) -> Waiting | None:
    """What a test asks of this person: to start it, to read and stop it when every day is ripe, or nothing."""
    parameters = (("test", test.id),)
    if test.state is ABState.DESIGNED and actor.may(Permission.TEST_START):
        why = f"designed by {test.designed_by.removeprefix('user:')}"
        return Waiting(
            f"Start the test {test.name} of {test.model}", why, "science", "ab", parameters, test.designed_at
        )
    decided = test.decision
    if decided is not None and not decided.settled and actor.may(Permission.TEST_START):
        if person_of(decided.by) == actor.person:
            return None
        title = f"Second the decision on {test.name} of {test.model}"
        return Waiting(title, "it is against the test", "science", "ab", parameters, decided.at)
    if test.state is ABState.RUNNING and actor.may(Permission.TEST_EDIT):
        ripe = test.over_at
        if ripe is not None and now >= ripe:
            return Waiting(
                f"Stop the test {test.name} of {test.model}", "it is over", "science", "ab", parameters, ripe
            )
    return None


# --- what the page shows ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Choice:
    """A version that can be a challenger."""

    id: str
    label: str


@dataclass(frozen=True)
class Reach:
    """What a test of that many days can find with 80 % power."""

    days: int
    units: int
    one_look: float
    every_day: float


@dataclass(frozen=True)
class UnitColumn:
    """A column that could name the units of a test.

    Attributes:
        name: Of the column.
        units: How many values it had in a day of rows.
    """

    name: str
    units: int

    @property
    def label(self) -> str:
        """The name with the number, which says where a test would have too few."""
        few = ": too few for a test" if self.units < FEW_UNITS else ""
        return f"{self.name} ({self.units:,} in a day{few})"


@dataclass(frozen=True)
class Plan:
    """What the designer is offered: defaults from the model's own policies and traffic."""

    model: str
    champion: str  # label
    choices: tuple[Choice, ...]
    left_out: tuple[str, ...]  # other versions that are not offered, each with why
    units_a_day: int
    guardrails: tuple[Guardrail, ...]
    alpha: float
    reach: Mapping[str, tuple[Reach, ...]]  # by outcome, for half of the rows; empty without labelled rows
    outcomes: tuple[str, ...]  # of the answers first, then of the events that were sent
    columns: tuple[UnitColumn, ...]  # that could name units
    rows_a_day: int = 0  # labelled or not

    def units(self, days: int, entity: str = "", *, of_events: bool = False) -> int:
        """Units with an outcome that so many days bring; of a column at most, as who comes again is no new unit.

        Raises:
            InvalidInput: nobody knows: no row of the past week tells.
        """
        of_column = next((one.units for one in self.columns if one.name == entity), 0)
        of_rows = self.rows_a_day if of_events else self.units_a_day  # events need no label
        found = (of_column if entity else of_rows) * days
        if not found:
            without = f"has a column {entity!r}" if entity else "was logged" if of_events else "has a label"
            raise InvalidInput(
                f"How many units come is not known: no row of {self.champion}'s last week {without}.",
                hint="Say how many are planned.",
            )
        return found


@dataclass(frozen=True)
class Rehearsal:
    """What the past says of a test before it starts.

    Attributes:
        start: First moment of the past that was replayed.
        end: The moment after it.
        units: Units of it.
        days: Days of it with units.
        replayed: False alarms over arms drawn at random.
        value: The outcome of all units.
        one_look: The difference that one look at the planned size finds with 80 % power.
        every_day: The same where every day is looked at.
        days_needed: Days until the planned size, at the pace of the past.
        reason: Why nothing can be said; "" = all is said.
    """

    start: datetime
    end: datetime
    units: int
    days: int
    replayed: Replayed | None = None
    value: float = math.nan
    one_look: float = math.nan
    every_day: float = math.nan
    days_needed: int = 0
    reason: str = ""

    def because(self, reason: str) -> Rehearsal:
        """The same, saying nothing for a reason."""
        return replace(self, reason=reason)

    def as_json(self) -> dict[str, Any]:
        """Everything as JSON-able values."""
        told = None if self.replayed is None else {**asdict(self.replayed), "share": self.replayed.share}
        numbers = {name: finite(getattr(self, name)) for name in ("value", "one_look", "every_day")}
        return {
            "start": self.start.isoformat(), "end": self.end.isoformat(), "units": self.units, "days": self.days,
            "replayed": told, **numbers, "days_needed": self.days_needed, "reason": self.reason,
        }  # fmt: skip

    def alarm_words(self, alpha: float) -> str:
        """The false alarms in a sentence."""
        found = self.replayed
        if found is None:
            return ""
        if not found.looked:
            return f"No look was reached in {found.runs:,} replays: the minimum is too high for these days."
        said = f"{found.share:.1%} [{found.low:.1%}, {found.high:.1%}] of {found.runs:,} replays of {self.days} days"
        word = "as promised" if found.low <= alpha else "MORE than promised"
        bold = f"a t-test every day {found.naive / found.runs:.0%}"
        return f"{said} saw a difference where none is, {word} ({alpha:.0%}); {bold}."


@dataclass(frozen=True)
class ABRoom:
    """Everything the A/B page shows of one model's test, from one read."""

    models: tuple[str, ...]  # of which a test can be designed
    tests: tuple[ABTest, ...]  # of all models, newest first
    test: ABTest | None
    reading: Reading | None
    verdict: Verdict | None
    over: bool
    champion_moved: bool  # the control is not what serves any more
    names: Mapping[str, str]
    may: Mapping[str, str]  # verb -> why not, "" = allowed
    events: tuple[EventName, ...]  # of the test's model, or of all
    now: datetime


def facts_of(test: ABTest) -> dict[str, Any]:
    """A test as JSON-able values, without the key of its arms: who knows it could foresee them.

    `ends_at` is null while a pause goes on, for the end moves by it.
    """
    design = {name: value for name, value in test.design.as_json().items() if name != "key"}
    return {
        "id": test.id, "model": test.model, "challenger": test.challenger, "control": test.control,
        "state": str(test.state), "question": test.question, "design": design, "digest": test.design.digest,
        "started_at": _iso(test.started_at), "ends_at": None if test.paused else _iso(test.ends_at),
        "stopped_at": _iso(test.stopped_at),
        "paused": test.paused, "pauses": [[_iso(since), _iso(until)] for since, until in test.pauses],
        "decision": None if test.decision is None else test.decision.as_json(), "learned": test.learned,
        "stop_reason": test.stop_reason, "evidence_ids": list(test.evidence_ids),
    }  # fmt: skip


def told_of(room: ABRoom, test: ABTest) -> dict[str, Any]:
    """The same with what it says now; outcomes are null while it is blind."""
    verdict, read = room.verdict, room.reading
    return {
        **facts_of(test),
        "verdict": None if verdict is None else {"word": str(verdict.word), "reason": verdict.reason},
        "reading": None if read is None else json.loads(canonical_json(read.as_json())),
    }


def _iso(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()
