"""Objects as clients send them: fields, names, numbers and times of a row, and why one cannot be taken."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import Any

from mlops_dash.domain.schema import EARLIEST, LARGEST, LATEST, in_range, instant_of
from mlops_dash.domain.tasks.task import ModelTask
from mlops_dash.errors import InvalidInput, InvalidRow

LONGEST_ID = 200
MOST_ROWS = 100_000  # of one batch
MEND = "Mend this row and send the whole batch again."


def objects_of(rows: Any, what: str) -> Sequence[Mapping[str, Any]]:
    """The objects of a list as it was sent, each a row.

    Raises:
        InvalidInput: it is no list, or has too many.
        InvalidRow: one of them is no object.
    """
    if not isinstance(rows, list):
        raise InvalidInput(f"{what!r} is not a list.", hint="See /docs for the shape of a request.")
    if len(rows) > MOST_ROWS:
        raise InvalidInput(f"The batch has {len(rows):,} rows; the most is {MOST_ROWS:,}.", hint="Send it in parts.")
    for row, one in enumerate(rows):
        if not isinstance(one, dict):
            raise InvalidRow(row, what, one, "is not an object", hint=MEND)
    return rows


class KeptNames(dict[tuple[str, ...], tuple[str, ...]]):
    """Names of a row's features -> those that are kept, in order: rows of a request share them and they are read once.

    Args:
        check: Raises where a name cannot be one of a feature.
        do_not_log: Names that must not be stored.
    """

    def __init__(self, check: Callable[[Mapping[str, Any]], None], do_not_log: AbstractSet[str]) -> None:
        super().__init__()
        self._check, self._do_not_log = check, do_not_log

    def __missing__(self, names: tuple[str, ...]) -> tuple[str, ...]:
        self._check(dict.fromkeys(names))
        self[names] = tuple(name for name in sorted(names) if name not in self._do_not_log)
        return self[names]


def only_fields(row: int, one: Mapping[str, Any], known: AbstractSet[str]) -> None:
    """Refuse a row with a field that nobody knows.

    Raises:
        InvalidRow: naming it.
    """
    if one.keys() <= known:
        return
    for name in one:
        if name not in known:
            raise InvalidRow(
                row, str(name), one[name], f"is not a field; known are {', '.join(sorted(known))}", hint=MEND
            )


def text_of(row: int, column: str, value: Any) -> str:
    """A name of a row.

    Raises:
        InvalidRow: it is missing, too long or not printable.
    """
    if not isinstance(value, str) or not value:
        raise InvalidRow(row, column, value, "a text is needed", hint=MEND)
    if len(value) > LONGEST_ID or not value.isprintable():
        raise InvalidRow(row, column, value, f"more than {LONGEST_ID} characters, or some not printable", hint=MEND)
    return value


def as_kept(row: int, value: Any, task: ModelTask | None, *, column: str = "score") -> Any:
    """An answer or a label as it came, as the number that the log keeps."""
    if task is not None and (reason := task.why_not_sent(value)):
        raise InvalidRow(row, column, value, reason, hint=MEND)
    return value if task is None else task.number_of(value)


def number_of(row: int, column: str, value: Any) -> float:
    """A finite number of a row.

    Raises:
        InvalidRow: it is none.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not in_range(value):
        raise InvalidRow(row, column, value, f"a finite number of at most {LARGEST:g} is needed", hint=MEND)
    return float(value)


def scores_of(row: int, sent: Any, task: ModelTask | None) -> list[float] | None:
    """The probabilities of all classes in the model's order; None where none were sent.

    Raises:
        InvalidRow: they are not those of the model's classes.
    """
    if sent is None:
        return None
    reason = "the model's classes are not known" if task is None else task.why_not_scores(sent)
    if task is None or reason:
        raise InvalidRow(row, "scores", sent, reason, hint=MEND)
    return task.scores_in_order(sent)


def time_of(row: int, column: str, value: Any, now: datetime) -> datetime:
    """A moment of a row; `now` where it says none.

    Raises:
        InvalidRow: it is no time with a zone, or far away.
    """
    if value is None:
        return now
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise InvalidRow(row, column, value, "is not an ISO 8601 time", hint=MEND) from None
    if moment.tzinfo is None:
        raise InvalidRow(row, column, value, "has no zone; add Z for UTC", hint=MEND)
    instant = instant_of(moment)
    if instant is None:
        raise InvalidRow(row, column, value, f"lies outside {EARLIEST:%Y} to {LATEST:%Y}", hint=MEND)
    return instant
