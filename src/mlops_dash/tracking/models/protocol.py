"""MLflow's scoring protocol in process: the same bytes as `mlflow models serve`, and what was asked, for the log.

MLflow's own `scoring_server.invocations` parses and answers (p50 0.85 ms); a small router between it and the model
keeps the parsed rows and the model's answer.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from mlops_dash.errors import InvalidInput
from mlops_dash.stats.arrays import Bools
from mlops_dash.tracking.models.beside import Again, Beside, champion_seconds, never, require_answers
from mlops_dash.tracking.models.loading import Floats, LoadedModel

_log = logging.getLogger(__name__)

# An error's text holds the traceback; our router's own frame is taken out so that it reads as MLflow's does.
_OUR_FRAME = re.compile(r'  File "[^"\n]*tracking/models/protocol\.py", line \d+, in predict\n(?:    .*\n)+')


@dataclass(frozen=True)
class ProtocolAnswer:
    """What the client gets, and on success what was asked and answered."""

    body: str
    status: int
    media_type: str
    frame: pd.DataFrame | None = None  # rows as parsed, without the id column
    ids: tuple[Any, ...] | None = None  # values of the id column
    scores: Floats | None = None  # of the model, for all rows
    challenger_rows: Bools | None = None  # whose rows hold the challenger's answer instead
    challenger_scores: Floats | None = None
    not_logged: str = ""  # why an answer of the model cannot be kept
    beside: Beside | None = None  # the call of both versions, when the challenger had rows in it


@dataclass(frozen=True)
class Challenger:
    """The other version of an A/B test or roll-out: `route(ids or None, rows as they came)` says which it answers."""

    loaded: LoadedModel
    route: Callable[[tuple[Any, ...] | None, pd.DataFrame], Bools]
    again: Again = never  # whether the champion is asked its rows once more, so that both are timed on the same ones


def answer(
    loaded: LoadedModel,
    body: bytes,
    content_type: str,
    *,
    ids_column: str = "",
    ids: Sequence[Any] | None = None,
    challenger: Challenger | None = None,
    traces: bool = False,
) -> ProtocolAnswer:
    """Answer one request to `/invocations`.

    Args:
        loaded: The model.
        body: The request's body.
        content_type: Its content type, with parameters.
        ids_column: A column that holds prediction ids; the model does not see it.
        ids: What that column holds, where the caller reads it more exactly than MLflow (a CSV's "007" is a text).
        challenger: Answers some of the rows instead, when answers are arrays of numbers; if it fails, the model does.
        traces: Whether errors carry the stack trace, as MLflow's own server has it.

    Raises:
        InvalidInput: the id column is missing, or the body is nested too deep or holds a number too long to read.
    """
    from mlflow.exceptions import MlflowException
    from mlflow.pyfunc import scoring_server

    server: Any = scoring_server  # MLflow leaves it without types
    router = _Router(loaded, ids_column, None if ids is None else tuple(ids), challenger)
    try:
        said = server.invocations(body, content_type, router, loaded.pyfunc.metadata.get_input_schema())
    except MlflowException as error:
        if router.refusal is not None:
            raise router.refusal from error
        failed: Any = error
        trace = failed.json_kwargs.pop("stack_trace", None)
        if trace and traces:
            failed.json_kwargs["stack_trace"] = _OUR_FRAME.sub("", trace)
        return ProtocolAnswer(failed.serialize_as_json(), failed.get_http_status_code(), "application/json")
    except (RecursionError, ValueError, OverflowError, TypeError) as error:  # MLflow's parser lets them pass as a 500
        raise InvalidInput(
            f"The body cannot be read as rows: {str(error)[:200]}.", hint="See /docs for the shape of a request."
        ) from error
    if said.status != 200:
        return ProtocolAnswer(said.response, said.status, said.mimetype)
    answered = ProtocolAnswer(said.response, said.status, said.mimetype, ids=router.ids, beside=router.beside)
    try:
        frame, scores = _as_frame(router.asked), loaded.scores_of(router.answered)
    except InvalidInput as error:  # the client has its answer all the same
        return replace(answered, not_logged=error.message)
    if len(scores) != len(frame):
        return replace(answered, not_logged=f"The model answered {len(scores)} numbers for {len(frame)} rows.")
    rows, others = router.challenged
    return replace(answered, frame=frame, scores=scores, challenger_rows=rows, challenger_scores=others)


def with_room_for(own: npt.NDArray[Any], answered: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """A copy of answers that can hold another version's: its words may be longer, and numpy would cut them.

    >>> with_room_for(np.array(["chinstrap"]), np.array(["gentoo"])).dtype.itemsize // 4
    9
    """
    words = own.dtype.kind == answered.dtype.kind == "U"
    return answered.astype(np.result_type(own, answered) if words else answered.dtype)


class _Router:
    """Looks like a pyfunc model to MLflow's server."""

    def __init__(
        self, loaded: LoadedModel, ids_column: str, ids: tuple[Any, ...] | None, challenger: Challenger | None
    ) -> None:
        self.metadata = loaded.pyfunc.metadata
        self.asked: Any = None
        self.answered: Any = None
        self.ids = ids
        self.refusal: InvalidInput | None = None
        self._loaded = loaded
        self._predict = loaded.pyfunc.predict
        self._ids_column = ids_column
        self._challenger = challenger
        self.challenged: tuple[Bools | None, Floats | None] = (None, None)
        self.beside: Beside | None = None

    def predict(self, data: Any, params: dict[str, Any] | None = None) -> Any:
        """What MLflow's server calls."""
        if self._ids_column:
            data = self._without_ids(data)
        self.asked = data
        begun = time.perf_counter()
        self.answered = self._predict(data, params=params)
        seconds = time.perf_counter() - begun
        if self._challenger is None:
            return self.answered
        return self._with_challenger(self._challenger, data, params, seconds)

    def _with_challenger(self, challenger: Challenger, data: Any, params: dict[str, Any] | None, seconds: float) -> Any:
        """The answers with the challenger's in its rows; only frames in and arrays out can be split by row."""
        if not isinstance(data, pd.DataFrame) or not isinstance(self.answered, np.ndarray):
            return self.answered
        rows = challenger.route(self.ids, data)
        if not rows.any():
            return self.answered
        mine = data[rows]
        begun = time.perf_counter()
        try:
            own = np.asarray(challenger.loaded.pyfunc.predict(mine, params=params))
            took = time.perf_counter() - begun
            merged = with_room_for(own, self.answered)
            merged[rows] = own
            scores = challenger.loaded.scores_of(own)
            require_answers(challenger.loaded.task, scores, _scores_or_none(self._loaded, self.answered, rows))
            self.challenged = (rows, scores)
        except Exception:  # noqa: BLE001 - foreign code: its failure must not keep the champion's answer from the client
            _log.warning("a challenger did not answer", exc_info=True)
            self.beside = Beside(None, 0.0, failed=True)
            return self.answered
        same = champion_seconds(seconds, rows, challenger.again, lambda: self._predict(mine, params=params))
        self.beside = Beside(same, took)
        return merged

    def _without_ids(self, data: Any) -> Any:
        if not isinstance(data, pd.DataFrame) or self._ids_column not in data:
            self.refusal = InvalidInput(
                f"The input has no column {self._ids_column!r}.",
                hint="X-Prediction-Ids-Column names a column of the rows that holds their ids.",
            )
            raise self.refusal
        read = data[self._ids_column].tolist()
        if self.ids is None:
            self.ids = tuple(read)
        elif len(self.ids) != len(read):
            self.refusal = InvalidInput(f"{len(self.ids)} ids were read for {len(read)} rows.", hint="Mend the CSV.")
            raise self.refusal
        return data.drop(columns=self._ids_column)


def _scores_or_none(loaded: LoadedModel, answered: Any, rows: Bools) -> Floats | None:
    """The champion's scores of some rows; None where its answer holds none that can be kept."""
    try:
        return loaded.scores_of(answered)[rows]
    except InvalidInput:
        return None


def _as_frame(data: Any) -> pd.DataFrame:
    """The rows that were asked, as columns: tensors get the names "0", "1", ..."""
    if isinstance(data, pd.DataFrame):
        return data
    if isinstance(data, dict):
        return pd.DataFrame({name: list(np.atleast_1d(np.asarray(values))) for name, values in data.items()})
    if isinstance(data, list) and data and isinstance(data[0], dict):
        return pd.DataFrame(data)
    values = np.asarray(data)
    if values.ndim > 2:
        raise InvalidInput(f"Rows of shape {values.shape[1:]} cannot be logged.", hint="Send rows of columns.")
    return pd.DataFrame(values if values.ndim == 2 else values.reshape(-1, 1)).rename(columns=str)
