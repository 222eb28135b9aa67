"""Why did one row get its answer? What each column adds to what reference rows get, up to the answer itself."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

import numpy as np

from mlops_dash.domain import format as fmt
from mlops_dash.domain.tasks.task import ModelTask
from mlops_dash.domain.words import JobState
from mlops_dash.stats.arrays import Floats

MASKED: Final = "(columns that are not logged)"
MISSING: Final = "missing"
LOG_ODDS: Final = "log-odds"
SHARE: Final = "probability"
SAID: Final = "answered or not"  # of a model that names a class and no probability
WHO: Final = "single rows are explained to scientists and leads"


@dataclass(frozen=True)
class Added:
    """One column.

    Attributes:
        column: Its name; `MASKED` for those together that are not logged.
        amount: What it adds, in the unit of all of them.
        low: 95 % interval; None where it is exact.
        high: See `low`.
        value: What the row holds, in words; "" where it may not be seen.
    """

    column: str
    amount: float
    low: float | None = None
    high: float | None = None
    value: str = ""


@dataclass(frozen=True)
class RowContributions:
    """What became of one row.

    Attributes:
        row: Its prediction id.
        at: When it was answered.
        version: Which version was asked again.
        of: What the answer is: "probability of late", "arrival minutes".
        unit: Of every amount: a unit of the label, `SHARE`, `LOG_ODDS` or `SAID`; "" where it has none.
        answer: What the version answers to the row, in the words of its task.
        base: Mean answer to the reference rows, in `unit`.
        total: Answer to the row, in `unit`; base and all amounts add up to it.
        added: The columns, those that add or take most first.
        exact: Whether amounts are exact; else Shapley values of drawn orders.
        n: Reference rows.
        compared_with: What they are, in words.
    """

    row: str
    at: datetime
    version: str
    of: str
    unit: str
    answer: str
    base: float
    total: float
    added: tuple[Added, ...]
    exact: bool
    n: int
    compared_with: str

    @property
    def method(self) -> str:
        """How the amounts came about."""
        how = "exact, as its answers add up column by column"
        if not self.exact:
            how = "Shapley values by drawn orders of the columns, 95 % intervals"
        scale = ", in log-odds" if self.unit == LOG_ODDS else ""
        return f"{how}{scale}; beside {fmt.plural(self.n, 'row')} of {self.compared_with}"

    @property
    def sentence(self) -> str:
        """What adds and takes most, in one sentence."""
        lead = [one for one in self.added if one.amount][:3]
        moved = "; ".join(f"{shown(one)} {self.said(one.amount, signed=True)}" for one in lead)
        begins = f"v{self.version} answers {self.answer}"
        if not moved:
            return f"{begins}, as to the reference rows: no column makes a difference."
        what = f"{self.of[0].upper()}{self.of[1:]}"
        return f"{begins}. {what}: {self.said(self.total)}, {self.said(self.base)} in the reference rows. {moved}."

    def said(self, value: float | None, *, signed: bool = False) -> str:
        """An amount with its unit."""
        if value is None:
            return fmt.MISSING
        sign = "+" if signed and value > 0 else ""
        unit = f" {self.unit}" if self.unit and self.unit not in (SHARE, SAID) else ""
        return f"{sign}{fmt.metric(value, 3)}{unit}"

    def as_json(self) -> dict[str, Any]:
        """As the command prints it; with no value of the row, as the job keeps it."""
        return {
            "row": self.row, "at": self.at.isoformat(), "version": self.version, "of": self.of, "unit": self.unit,
            "answer": self.answer, "base": self.base, "total": self.total, "exact": self.exact, "n": self.n,
            "compared_with": self.compared_with, "method": self.method, "sentence": self.sentence,
            "columns": [
                {"column": one.column, "amount": one.amount, "low": one.low, "high": one.high,
                 "value": one.value or None}
                for one in self.added
            ],
        }  # fmt: skip

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> RowContributions:
        """From what `as_json` made."""
        added = tuple(
            Added(one["column"], one["amount"], one["low"], one["high"], one["value"] or "") for one in kept["columns"]
        )
        rest = ("row", "version", "of", "unit", "answer", "base", "total", "exact", "n", "compared_with")
        return cls(at=datetime.fromisoformat(kept["at"]), added=added, **{name: kept[name] for name in rest})

    def without_values(self) -> RowContributions:
        """The same with nothing that the row holds; its sentence names columns alone."""
        return replace(self, added=tuple(replace(one, value="") for one in self.added))

    def masking(self, secret: Collection[str]) -> RowContributions:
        """The same with columns that must not be logged as one; amounts add up, an interval of their sum is not known.

        Args:
            secret: Those of now, which may be more than were masked when the row was asked about.
        """
        shown_now = [one for one in self.added if one.column not in secret]
        if len(shown_now) == len(self.added):
            return self
        together = sum(one.amount for one in self.added if one.column in secret or one.column == MASKED)
        others = [one for one in shown_now if one.column != MASKED]
        return replace(self, added=in_order([*others, Added(MASKED, together)]))

    def with_values(self, values: Mapping[str, str]) -> RowContributions:
        """The same with what the row holds, column by column; those that are not named are missing."""
        return replace(self, added=tuple(
            replace(one, value="" if one.column == MASKED else values.get(one.column, MISSING)) for one in self.added
        ))  # fmt: skip


@dataclass(frozen=True)
class RowAsked:
    """How far the answer to "why this row?" has come.

    Attributes:
        job: Its job; "" where nobody asked.
        state: Of the job; None where nobody asked.
        sentence: What is to be said while there is nothing, or why there is nothing.
        found: The answer.
    """

    job: str = ""
    state: JobState | None = None
    sentence: str = "Nobody has asked yet."
    found: RowContributions | None = None

    @property
    def waits(self) -> bool:
        """Whether a worker is about to answer."""
        return self.state in (JobState.QUEUED, JobState.RUNNING)


def shown(one: Added) -> str:
    """A column with the row's value, where it may be seen."""
    return f"{one.column} = {one.value}" if one.value else one.column


def in_order(added: Sequence[Added]) -> tuple[Added, ...]:
    """Those that add or take most first."""
    return tuple(sorted(added, key=lambda one: (-abs(one.amount), one.column)))


def part_of(task: ModelTask, answers: Floats, own: Floats) -> Floats:
    """The number of each answer that is taken apart, float[n].

    Args:
        task: What the model predicts.
        answers: To mixtures of rows, float[n], or float[n, classes].
        own: The answer to the row itself, of one row.

    Returns:
        The answer where it is a number; the probability of the class that the row got, or whether it was answered.
    """
    if not task.in_words:
        return answers
    place = int(task.split(own)[0][0])
    return answers[:, place] if answers.ndim == 2 else (answers == place).astype(np.float64)


def named_of(task: ModelTask, own: Floats, *, positive: str, unit: str) -> tuple[str, str]:
    """What that number is and its unit.

    Args:
        task: What the model predicts.
        own: The answer to the row itself, of one row.
        positive: The outcome whose probability a classifier of two classes gives.
        unit: Of a regression's label.
    """
    if task.has_reliability:
        return f"probability of {positive}", SHARE
    if not task.in_words:
        return "answer", unit
    word = task.word_of(float(task.split(own)[0][0]))
    return (f"probability of {word}", SHARE) if own.ndim == 2 else (f"answer {word}", SAID)
