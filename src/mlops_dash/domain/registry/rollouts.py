"""A staged roll-out: a share of the rows first, then all; who may do what to it, and what makes it stop by itself.

The new version answers the rows whose id's draw lies below the share (`ab_tests/assigning.py: draw`), with one key for
all stages: whoever got it in one stage gets it in the next as well. The champion stays champion until the last stage is
over; then the promotion is carried out as any other. A stop, by whomever, gives all rows back to the champion.

    running -> running (next stage) -> finishing -> done
    running <-> paused; running, paused, finishing -> stopped
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timedelta
from typing import Any

from mlops_dash.domain.access import Actor, Permission
from mlops_dash.domain.format import percent, plural
from mlops_dash.domain.policies import PromotionPolicy
from mlops_dash.domain.words import GateState, RolloutState
from mlops_dash.errors import InvalidInput

GOING = (RolloutState.RUNNING, RolloutState.PAUSED)  # may still be stopped
OPEN = (*GOING, RolloutState.FINISHING)  # rows go to the new version; when it is champion, all do
ARROWS: Mapping[RolloutState, tuple[RolloutState, ...]] = {
    RolloutState.RUNNING: (
        RolloutState.RUNNING, RolloutState.PAUSED, RolloutState.FINISHING, RolloutState.STOPPED,
    ),
    RolloutState.PAUSED: (RolloutState.RUNNING, RolloutState.STOPPED),
    RolloutState.FINISHING: (RolloutState.DONE, RolloutState.STOPPED),
    RolloutState.DONE: (),
    RolloutState.STOPPED: (),
}  # fmt: skip
PATIENCE = timedelta(minutes=5)  # so long a stage may have no row without a word
FEW_EXPECTED = 10.0  # rows: with as many expected, none is no chance (5 in 100,000)
STOPPED_FOR = "its roll-out was stopped: "  # begins the reason of a proposal that ended so
LEAST_SHARE, MOST_SHARE = 0.01, 0.95
MOST_STAGES, MOST_MINUTES, MOST_ROWS = 6, 7 * 24 * 60, 10_000_000
_MINUTES = {"m": 1, "h": 60, "d": 24 * 60}
_SHARE = re.compile(r"(\d{1,2}(?:\.\d{1,2})?) ?%")
_LENGTH = re.compile(r"(\d{1,8}) ?(m|h|d|rows|row)")
_SHAPE = "Write stages as 10%:60m, 10%:5000rows or 10%:2h+5000rows; all rows follow after the last by themselves."


@dataclass(frozen=True)
class Stage:
    """One step: which share of the rows, and for how long. What is given of minutes and rows must both be reached."""

    share: float
    minutes: int = 0  # 0 = no time is asked
    rows: int = 0  # that the new version answered in this stage; 0 = no number is asked

    def said(self) -> str:
        """As people read it.

        >>> Stage(.1, minutes=90, rows=5000).said(), Stage(.5, minutes=120).said()
        ('10 % for 90 min and 5,000 rows', '50 % for 2 h')
        """
        parts = []
        if self.minutes:
            parts.append(f"{self.minutes // 60} h" if self.minutes % 60 == 0 else f"{self.minutes} min")
        if self.rows:
            parts.append(plural(self.rows, "row"))
        return f"{percent_of(self.share)} for {' and '.join(parts)}"


def percent_of(share: float) -> str:
    """A share as people read it everywhere; as typed it may stand without the space.

    >>> percent_of(.1), percent_of(.125)
    ('10 %', '12.5 %')
    """
    return f"{share * 100:.2f}".rstrip("0").rstrip(".") + " %"


def stages_of(texts: Sequence[str]) -> tuple[Stage, ...]:
    """Stages from what somebody typed, one text each, or several in one with commas.

    >>> stages_of(["10%:60m, 50%:5000rows"])
    (Stage(share=0.1, minutes=60, rows=0), Stage(share=0.5, minutes=0, rows=5000))

    Raises:
        InvalidInput: one cannot be read, or they are no roll-out: naming the first that is not.
    """
    words = [word.strip() for text in texts for word in text.replace("\n", ",").split(",") if word.strip()]
    return check_stages([_stage(word) for word in words])


def _stage(text: str) -> Stage:
    share, sign, lengths = text.partition(":")
    read = _SHARE.fullmatch(share.strip())
    if read is None or not sign:
        raise InvalidInput(f"The stage {text[:60]!r} cannot be read.", hint=_SHAPE)
    found = {"minutes": 0, "rows": 0}
    for length in lengths.split("+"):
        part = _LENGTH.fullmatch(length.strip())
        if part is None:
            raise InvalidInput(f"The stage {text[:60]!r} cannot be read.", hint=_SHAPE)
        name = "rows" if part[2].startswith("row") else "minutes"
        if found[name]:
            raise InvalidInput(f"The stage {text[:60]!r} says its {name} twice.", hint=_SHAPE)
        found[name] = int(part[1]) * _MINUTES.get(part[2], 1)
    return Stage(float(read[1]) / 100.0, **found)


def check_stages(stages: Sequence[Stage]) -> tuple[Stage, ...]:
    """The stages themselves when they can be carried out; none is none.

    Raises:
        InvalidInput: naming the first that cannot be, with its bounds.
    """
    if len(stages) > MOST_STAGES:
        raise InvalidInput(f"{len(stages)} stages are too many.", hint=f"At most {MOST_STAGES}; all rows follow last.")
    before = 0.0
    for one in stages:
        if not LEAST_SHARE <= one.share <= MOST_SHARE:
            bounds = f"between {percent_of(LEAST_SHARE)} and {percent_of(MOST_SHARE)}"
            raise InvalidInput(f"A share of {percent_of(one.share)} is not {bounds}.", hint=_SHAPE)
        if one.share <= before:
            raise InvalidInput(
                f"A share of {percent_of(one.share)} after {percent_of(before)} does not grow.",
                hint="Each stage takes more rows than the one before.",
            )
        if not one.minutes and not one.rows:
            raise InvalidInput(f"The stage of {percent_of(one.share)} never ends or never begins.", hint=_SHAPE)
        if not 0 <= one.minutes <= MOST_MINUTES or not 0 <= one.rows <= MOST_ROWS:
            raise InvalidInput(
                f"The stage {one.said()} is too long.", hint=f"At most 7 days and {MOST_ROWS:,} rows a stage."
            )
        before = one.share
    return tuple(stages)


def stages_as_json(stages: Sequence[Stage]) -> list[dict[str, Any]]:
    """Stages as they are kept."""
    return [asdict(one) for one in stages]


def stages_from_json(body: Sequence[Mapping[str, Any]] | None) -> tuple[Stage, ...]:
    """What `stages_as_json` wrote."""
    return tuple(Stage(**one) for one in body or ())


def stages_said(stages: Sequence[Stage]) -> str:
    """All stages in one line.

    >>> stages_said([Stage(.1, minutes=60)])
    '10 % for 1 h, then all'
    """
    return ", ".join([*(one.said() for one in stages), "then all"])


def limits_said(policy: PromotionPolicy) -> str:
    """What stops a roll-out by itself beside its loss, as its proposal and its policy have it.

    >>> limits_said(PromotionPolicy())
    "more than 1 % of calls fail, or slow answers take more than 2 times the champion's"
    """
    slow = f"slow answers take more than {policy.rollout_most_times:g} times the champion's"
    return f"more than {percent_of(policy.rollout_most_failed)} of calls fail, or {slow}"


@dataclass(frozen=True)
class Guard:
    """What is watched of the new version beside the champion, on the same rows or calls.

    The interval holds however often one looks, or is so wide (99.9 %) that looking every few seconds does no harm.
    """

    name: str  # errors | time of an answer | loss
    state: GateState
    value: float | None
    low: float | None
    high: float | None
    limit: float
    n: int
    unit: str  # of n: calls | rows
    method: str
    sentence: str

    def as_json(self) -> dict[str, Any]:
        """All fields as JSON-able values."""
        return {**asdict(self), "state": str(self.state)}

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Guard:
        """What `as_json` wrote."""
        known = {one.name for one in fields(cls)}
        values = {name: value for name, value in body.items() if name in known}
        return cls(**{**values, "state": GateState(body["state"])})


@dataclass(frozen=True)
class Rollout:
    """One roll-out of a proposal."""

    id: str
    model: str
    proposal_id: str
    from_version_id: str  # the champion, which answers all other rows and gets them back
    to_version_id: str
    stages: tuple[Stage, ...]
    state: RolloutState
    stage: int  # place in `stages`
    key: str  # of the draw; one for all stages
    revision: int
    started_by: str
    started_at: datetime
    reason: str
    stage_at: datetime  # since when the rows of this stage count
    running_since: datetime  # since when its time counts, while it runs
    waited_seconds: float = 0.0  # time of this stage before that
    ended_at: datetime | None = None
    ended_by: str = ""
    end_reason: str = ""
    guards: tuple[Guard, ...] = ()  # as judged last
    rows: int = 0  # that the new version answered in this stage, as counted last
    judged_at: datetime | None = None

    @property
    def now(self) -> Stage:
        """The stage it is in, or ended in."""
        return self.stages[self.stage]

    @property
    def is_last(self) -> bool:
        """Whether all rows follow after this stage."""
        return self.stage + 1 == len(self.stages)

    @property
    def share(self) -> float:
        """Of the rows that go to the new version now."""
        return self.now.share if self.state in OPEN else 0.0

    @property
    def is_counted(self) -> bool:
        """Whether a gateway counted a call of the new version."""
        return any(one.name == ERRORS and one.n > 0 for one in self.guards)

    def waited(self, now: datetime) -> timedelta:
        """How long this stage has run, without its pauses."""
        more = now - self.running_since if self.state is RolloutState.RUNNING else timedelta(0)
        return timedelta(seconds=self.waited_seconds) + max(more, timedelta(0))

    def progress(self, now: datetime) -> float:
        """How far this stage is, 0 to 1: by what is furthest behind of time and rows."""
        parts = [1.0]
        if self.now.minutes:
            parts.append(self.waited(now).total_seconds() / (60.0 * self.now.minutes))
        if self.now.rows:
            parts.append(self.rows / self.now.rows)
        return max(0.0, min(parts))

    def said(self, now: datetime) -> str:
        """Where it is, in a sentence."""
        if self.state is RolloutState.DONE:
            return "All stages are over; it is champion."
        if self.state is RolloutState.STOPPED:
            return f"Stopped in stage {self.stage + 1} of {len(self.stages)}: {self.end_reason}"
        if self.state is RolloutState.FINISHING:
            return "All stages are over; it is being made champion."
        parts = []
        if self.now.minutes:
            done = min(int(self.waited(now).total_seconds() // 60), self.now.minutes)
            parts.append(f"{done:,} of {self.now.minutes:,} min")
        parts.append(f"{self.rows:,} of {plural(self.now.rows, 'row')}" if self.now.rows else plural(self.rows, "row"))
        held = " Paused: the share stays, the time stands still." if self.state is RolloutState.PAUSED else ""
        if not held and self.rows and self.progress(now) >= 1.0 and not self.is_counted:
            held = " It waits for a gateway that counts its calls: nothing was judged yet."
        return (
            f"Stage {self.stage + 1} of {len(self.stages)}: {percent_of(self.now.share)} of the rows, "
            f"{', '.join(parts)}.{held}"
        )

    def as_json(self, now: datetime) -> dict[str, Any]:
        """What the command prints."""
        return {
            "id": self.id,
            "model": self.model,
            "proposal": self.proposal_id,
            "state": str(self.state),
            "stage": self.stage + 1,
            "stages": stages_as_json(self.stages),
            "share": self.share,
            "rows": self.rows,
            "minutes": round(self.waited(now).total_seconds() / 60.0, 2),
            "progress": round(self.progress(now), 4),
            "sentence": self.said(now),
            "started_by": self.started_by,
            "started_at": self.started_at.isoformat(),
            "ended_by": self.ended_by,
            "ended_at": None if self.ended_at is None else self.ended_at.isoformat(),
            "end_reason": self.end_reason,
            "judged_at": None if self.judged_at is None else self.judged_at.isoformat(),
            "guards": [one.as_json() for one in self.guards],
        }


def may_become(rollout: Rollout, state: RolloutState) -> bool:
    """Whether there is an arrow from where it is to that state."""
    return state in ARROWS[rollout.state]


def why_not_pause(actor: Actor, rollout: Rollout | None) -> str:
    """A lead or admin may hold a roll-out that runs."""
    return _why_not(actor, rollout, RolloutState.RUNNING, "A roll-out that is {state} cannot be paused.")


def why_not_continue(actor: Actor, rollout: Rollout | None) -> str:
    """A lead or admin may let a paused roll-out go on."""
    return _why_not(actor, rollout, RolloutState.PAUSED, "A roll-out that is {state} cannot be continued.")


def why_not_stop(actor: Actor, rollout: Rollout | None) -> str:
    """A lead or admin may end a roll-out at any time: all rows go back to the champion."""
    said = "A roll-out that is {state} cannot be stopped."
    if rollout is not None and rollout.state is RolloutState.FINISHING:
        return "It is being made champion at this moment; roll back afterwards."
    return _why_not(actor, rollout, GOING, said)


def _why_not(
    actor: Actor, rollout: Rollout | None, wanted: RolloutState | Sequence[RolloutState], sentence: str
) -> str:
    if not actor.may(Permission.PROMOTE):
        return actor.why_not(Permission.PROMOTE)
    if rollout is None:
        return "No roll-out runs."
    states = (wanted,) if isinstance(wanted, RolloutState) else wanted
    return "" if rollout.state in states else sentence.format(state=str(rollout.state))


def is_over(rollout: Rollout, now: datetime) -> bool:
    """Whether the stage it is in is over: time and rows are reached, the new version answered, and calls were counted.

    Unknown is not fine: without a counted call nobody knows how often it fails.
    """
    lasted = rollout.rows > 0 and rollout.progress(now) >= 1.0
    return rollout.state is RolloutState.RUNNING and lasted and rollout.is_counted


def why_no_rows(rollout: Rollout, now: datetime, *, elsewhere: bool, champion_rows: int, asked: int) -> str:
    """Why a stage that has run for some minutes has no row yet; "" while it has one, or is young.

    Args:
        rollout: As counted last.
        now: The moment of asking.
        elsewhere: Whether others serve the model.
        champion_rows: That the champion answered since the stage began.
        asked: Calls in which the new version was asked, of the whole roll-out.
    """
    waited = rollout.waited(now)
    if rollout.state is not RolloutState.RUNNING or rollout.rows or waited < PATIENCE:
        return ""
    said = f"No row came in {waited.total_seconds() / 60:,.0f} min: "
    if elsewhere:
        return f"{said}others serve this model by now, and decide which version answers. Stop the roll-out."
    if asked:
        return f"{said}the new version was asked in {plural(asked, 'call')}, and no answer of it is logged since."
    if not champion_rows:
        return f"{said}no gateway logged a row of this model. Is it asked, and do rows have ids?"
    if champion_rows * rollout.now.share < FEW_EXPECTED:
        return f"{said}the champion answered {plural(champion_rows, 'row')}, so few that it may be chance."
    return (
        f"{said}the champion answered {plural(champion_rows, 'row')}, and none was shared. Rows are shared where a "
        "table comes in and an array goes out; is this model's answer a list or a table, stop the roll-out and "
        "propose it without stages."
    )


def failed(guards: Sequence[Guard]) -> str:
    """Why it must stop by itself, in a sentence; "" while nothing is shown to be wrong."""
    return " ".join(one.sentence for one in guards if one.state is GateState.FAILED)


def limit_text(guard: Guard) -> str:
    """The limit of a guard as people read it."""
    if guard.name == ERRORS:
        return f"at most {percent(guard.limit)} of the calls"
    if guard.name == TIME:
        return f"at most {guard.limit:g} times the champion's"
    return f"at most {percent(guard.limit)} worse"


ERRORS, TIME, LOSS = "errors", "time of an answer", "loss"
