"""What are the labelled rows of an hour or a day reduced to? Numbers that add up exactly; each task has its own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TypeVar

from mlops_dash.errors import InvalidInput
from mlops_dash.stats.arrays import Ints


class Summary(ABC):
    """The labelled rows of an hour or a day, reduced to numbers that add up exactly."""

    @property
    @abstractmethod
    def n(self) -> int:
        """Labelled rows."""

    @abstractmethod
    def __add__(self, other: Summary) -> Summary:
        """Both together."""

    @abstractmethod
    def numbers(self) -> tuple[float, ...]:
        """What is kept as floats, always as many."""

    @abstractmethod
    def counts(self) -> Ints:
        """What is kept as whole numbers, one-dimensional, as many as the scale says."""


SummaryOf = TypeVar("SummaryOf", bound=Summary)


def only(kind: type[SummaryOf], days: Sequence[Summary]) -> list[SummaryOf]:
    """The summaries, which must all be of one kind.

    Raises:
        InvalidInput: one belongs to another task.
    """
    kept = [day for day in days if isinstance(day, kind)]
    if len(kept) < len(days):
        raise InvalidInput(
            f"{len(days) - len(kept)} of {len(days)} days were counted for another task.",
            hint="Profile these hours again.",
        )
    return kept
