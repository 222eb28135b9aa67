"""The rows of the prediction log as its callers know them; times are microseconds since 1970 UTC."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from mlops_dash.clock import require_utc

HOUR_US = 3_600_000_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_US = timedelta(microseconds=1)


class Prediction(NamedTuple):
    """One request row. `features` is canonical JSON."""

    model: str
    prediction_id: str
    at_us: int
    batch_id: str
    row_number: int
    entity_key: str
    features: str


class Score(NamedTuple):
    """One answer of one version for one request row."""

    model: str
    prediction_id: str
    version_id: str
    role: str
    version: str
    at_us: int
    score: float
    scored_at_us: int
    probabilities: bytes | None = None  # of all classes, packed by `domain.class_probabilities`


class Label(NamedTuple):
    """What turned out true for one request row, known or not yet known."""

    model: str
    prediction_id: str
    value: float
    observed_at_us: int
    received_at_us: int


@dataclass(frozen=True)
class Appended:
    """How many rows and answers were new; the others were known already."""

    predictions: int
    scores: int


@dataclass(frozen=True)
class Differing:
    """A row that was sent under a known id and is not the row that is known."""

    prediction_id: str
    what: str  # "time" or "row of features"


@dataclass(frozen=True)
class LabelsAppended:
    """What became of a batch of labels."""

    new: int  # first value of a row
    revised: int  # another value than before
    unchanged: int  # the same value as before
    pending: int  # among new and revised: no such prediction yet


@dataclass(frozen=True)
class LogCounts:
    """How much of a model is in the log."""

    predictions: int
    labelled: int  # predictions with a label
    pending_labels: int  # labelled ids without a prediction
    first_at: datetime | None
    last_at: datetime | None


@dataclass(frozen=True)
class BatchRow:
    """One row of a batch: its id and who answered it."""

    model: str
    row: int
    prediction_id: str
    at: datetime
    answers: tuple[tuple[str, str, float | str], ...]  # (version, role, score; of a task in words the word)


@dataclass(frozen=True)
class DirtyHour:
    """An hour whose profile is out of date; `marked_us` proves which mark was read."""

    model: str
    hour: datetime
    marked_us: int


def to_us(moment: datetime) -> int:
    """Microseconds since 1970 UTC of an aware datetime."""
    return (require_utc(moment) - EPOCH) // _US


def from_us(us: int) -> datetime:
    """The aware UTC datetime of microseconds since 1970."""
    return EPOCH + timedelta(microseconds=us)
