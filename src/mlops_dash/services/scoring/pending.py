"""What was checked and answered but not yet stored."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import pandas as pd

from mlops_dash.clock import require_utc
from mlops_dash.domain.scoring import ScoreRole
from mlops_dash.errors import InvalidInput, InvalidRow
from mlops_dash.store.prediction_log import Label, LabelsAppended, Prediction, Score, SetAside

_ANSWERS = frozenset({ScoreRole.CHAMPION, ScoreRole.ARM})


@dataclass(frozen=True)
class Pending:
    """Rows, answers and labels of one request, ready to be stored."""

    model: str
    batch_id: str = ""
    version_id: str = ""  # whose answers these are, when ours and all of one version
    version: str = ""
    predictions: tuple[Prediction, ...] = ()
    scores: tuple[Score, ...] = ()
    labels: tuple[Label, ...] = ()
    set_aside: tuple[SetAside, ...] = ()  # rows that were answered or sent and cannot be kept, each with its reason
    left_out: tuple[InvalidRow, ...] = ()  # rows as they were sent that are not among them, where that was asked for
    timed: bool = False  # whether the rows' times were sent, so that a known id must have the same

    @property
    def prediction_ids(self) -> tuple[str, ...]:
        """Ids in the rows' order."""
        return tuple(one.prediction_id for one in self.predictions)

    def without(self, ids: Collection[str]) -> Pending:
        """The same without the predictions of these ids and their answers."""
        if not ids:
            return self
        return replace(
            self,
            predictions=tuple(one for one in self.predictions if one.prediction_id not in ids),
            scores=tuple(one for one in self.scores if one.prediction_id not in ids),
        )

    @property
    def answers(self) -> tuple[Score, ...]:
        """What each row was answered, in the rows' order: by the champion, or by the challenger of a test."""
        by_id = {one.prediction_id: one for one in self.scores if one.role in _ANSWERS}
        return tuple(by_id[one] for one in self.prediction_ids)


@dataclass(frozen=True)
class Stored:
    """How many rows, answers and labels were new."""

    predictions: int
    scores: int
    labels: LabelsAppended


@dataclass(frozen=True)
class Answered:
    """An answer of MLflow's protocol; `pending` is None when nothing was answered."""

    body: str
    status: int
    media_type: str
    pending: Pending | None
    not_logged: str = ""  # why an answer that the model gave is not kept


def times_of(at: datetime | Sequence[datetime] | None, rows: int, now: datetime) -> list[datetime]:
    """A time for each row.

    Raises:
        InvalidInput: another number of times than rows, or one without a zone.
    """
    if at is None or isinstance(at, datetime):
        return [require_utc(now if at is None else at)] * rows
    moments = pd.DatetimeIndex(pd.to_datetime(list(at))) if len(at) else pd.DatetimeIndex([], tz=UTC)
    if len(moments) != rows:
        raise InvalidInput(f"{len(moments)} times were given for {rows} rows.", hint="Give one, or one a row.")
    if moments.tz is None or moments.hasnans:
        raise InvalidInput("A time has no zone, or is missing.", hint="Give aware datetimes.")
    return list(moments.tz_convert(UTC).to_pydatetime())
