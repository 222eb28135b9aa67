"""Answer the requests of several clients by one call of the model, each with the bytes that it would get alone.

MLflow's server makes a frame, checks it against the signature and asks the model, request by request; most of that
costs the same for one row as for many. `read` says whether a request can join others: plain rows of named columns whose
values MLflow would convert one by one. Whatever is unusual (other forms, wrong values, other kinds of columns, numbers
too large to be exact) is None, and is answered alone by `protocol.answer`, in MLflow's own words.

`answer` raises on any surprise; then the requests are answered one by one.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

from mlops_dash.stats.arrays import Bools
from mlops_dash.tracking.models.beside import Again, Beside, champion_seconds, never, require_answers
from mlops_dash.tracking.models.loading import Floats, LoadedModel
from mlops_dash.tracking.models.protocol import with_room_for

_EXACT = 2**53  # whole numbers up to here are exact as floats
_FLOATS: Final = {"double": np.float64, "float": np.float32}
_WHOLE: Final = {"long": (np.int64, _EXACT), "integer": (np.int32, 2**31 - 1)}
_TYPES: Final[dict[str, frozenset[type]]] = {
    **dict.fromkeys(_FLOATS, frozenset({float, int, type(None)})),
    **dict.fromkeys(_WHOLE, frozenset({int})),
    "string": frozenset({str, type(None)}),
    "boolean": frozenset({bool}),
}


class NotTogether(Exception):
    """These requests have to be answered one by one."""


@dataclass(frozen=True)
class Rows:
    """A request's rows, which may be answered beside those of every request with the same columns."""

    columns: tuple[str, ...]
    values: tuple[tuple[Any, ...], ...]  # a tuple a column

    @property
    def rows(self) -> int:
        """How many."""
        return len(self.values[0])


@dataclass(frozen=True)
class TogetherAnswer:
    """What each client gets, and what was asked and answered, for the log: all rows in the requests' order."""

    bodies: tuple[str, ...]
    frame: pd.DataFrame
    scores: Floats
    challenger_rows: Bools | None
    challenger_scores: Floats | None
    beside: Beside | None = None  # the call of both versions, when the challenger had rows in it


Kinds = dict[str, tuple[str, bool]]  # input column -> (MLflow's type, required)
_KNOWN: dict[str, Kinds | None] = {}  # by digest: to read a signature costs as much as to score a row


def kinds_of(loaded: LoadedModel) -> Kinds | None:
    """The columns of a model whose requests can be joined; None for one of tensors, other types or parameters."""
    if loaded.digest not in _KNOWN:
        _KNOWN[loaded.digest] = _kinds_of(loaded)
    return _KNOWN[loaded.digest]


def _kinds_of(loaded: LoadedModel) -> Kinds | None:
    schema = loaded.pyfunc.metadata.get_input_schema()
    if schema is None or not schema.has_input_names() or schema.is_tensor_spec():
        return None
    if loaded.pyfunc.metadata.get_params_schema() is not None:
        return None
    found = {one.name: (str(getattr(one.type, "name", "")), bool(one.required)) for one in schema.inputs}
    return found if all(kind in _TYPES for kind, _ in found.values()) else None


def read(kinds: Kinds, body: bytes, content_type: str) -> Rows | None:
    """The rows of a request that can be answered beside others; None when it has to be answered alone."""
    if content_type.replace(" ", "").lower() not in {"application/json", "application/json;charset=utf-8"}:
        return None
    try:
        sent = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(sent, dict) or len(sent) != 1:
        return None
    if "dataframe_records" in sent:
        found = _of_records(sent["dataframe_records"])
    elif "dataframe_split" in sent:
        found = _of_split(sent["dataframe_split"])
    else:
        return None
    if found is None or not set(found.columns) <= kinds.keys():  # columns too many are logged as they come
        return None
    if any(required and name not in found.columns for name, (_, required) in kinds.items()):
        return None
    return found if all(_fits(kinds[name][0], one) for name, one in zip(*_pairs(found), strict=True)) else None


def answer(
    loaded: LoadedModel,
    asked: Sequence[Rows],
    *,
    challenger: LoadedModel | None = None,
    route: Callable[[int], Bools] | None = None,
    again: Again = never,
) -> TogetherAnswer:
    """Answer requests with the same columns by one call.

    Args:
        loaded: The model.
        asked: From `read`, with this model's kinds; all with the same columns in the same order.
        challenger: Of an A/B test.
        route: Says for how many rows which are the challenger's.
        again: Whether the champion is asked those once more, so that both are timed on the same rows.

    Raises:
        NotTogether: the answer is not one line a row, or something else is not as it should be.
        Exception: whatever the model raises.
    """
    kinds = kinds_of(loaded)
    if kinds is None:
        raise NotTogether
    frame = _frame(kinds, asked)
    begun = time.perf_counter()
    given = _ask(loaded, frame)
    seconds, beside = time.perf_counter() - begun, None
    merged, rows, scores = given, None, None
    if challenger is not None and route is not None:
        chosen = route(len(frame))
        if chosen.any():
            mine = frame[chosen]
            begun = time.perf_counter()
            own = _ask(challenger, mine)
            took = time.perf_counter() - begun
            beside = Beside(champion_seconds(seconds, chosen, again, lambda: _ask(loaded, mine)), took)
            merged = with_room_for(own, given)
            merged[chosen] = own
            rows, scores = chosen, _scores(challenger, own, _lengths(asked, chosen))
            require_answers(challenger.task, scores, None)  # alone, the champion's are looked at beside them
    bodies, first = [], 0
    for one in asked:
        bodies.append(json.dumps({"predictions": merged[first : first + one.rows].tolist()}))
        first += one.rows
    return TogetherAnswer(tuple(bodies), frame, _scores(loaded, given, _lengths(asked, None)), rows, scores, beside)


def _of_records(rows: Any) -> Rows | None:
    if not isinstance(rows, list) or not rows or not all(isinstance(one, dict) for one in rows):
        return None
    columns = tuple(rows[0])
    if not columns or any(tuple(one) != columns for one in rows):
        return None
    return Rows(columns, tuple(zip(*(one.values() for one in rows), strict=True)))


def _of_split(sent: Any) -> Rows | None:
    if not isinstance(sent, dict) or not {"columns", "data"} <= sent.keys() <= {"columns", "data", "index"}:
        return None
    columns, rows = sent["columns"], sent["data"]
    if not isinstance(columns, list) or not columns or not isinstance(rows, list) or not rows:
        return None
    if not all(isinstance(one, str) for one in columns) or len(set(columns)) < len(columns):
        return None
    if any(not isinstance(one, list) or len(one) != len(columns) for one in rows):
        return None
    if "index" in sent and sent["index"] != list(range(len(rows))):
        return None
    return Rows(tuple(columns), tuple(zip(*rows, strict=True)))


def _pairs(rows: Rows) -> tuple[tuple[str, ...], tuple[tuple[Any, ...], ...]]:
    return rows.columns, rows.values


def _fits(kind: str, values: tuple[Any, ...]) -> bool:
    """Whether MLflow would convert each of these values by itself, and without a loss that depends on the others."""
    types = set(map(type, values))
    if not types <= _TYPES[kind]:
        return False
    if int not in types:
        return True
    most = _WHOLE[kind][1] if kind in _WHOLE else _EXACT
    return all(-most <= one <= most for one in values if type(one) is int)


def _frame(kinds: Kinds, asked: Sequence[Rows]) -> pd.DataFrame:
    """The frame that MLflow makes of these rows and casts to the signature."""
    made: dict[str, Any] = {}
    for place, name in enumerate(asked[0].columns):
        kind = kinds[name][0]
        values = [value for one in asked for value in one.values[place]]
        if kind in _FLOATS:
            made[name] = np.array(values, dtype=np.float64).astype(_FLOATS[kind])
        elif kind in _WHOLE:
            made[name] = np.array(values, dtype=_WHOLE[kind][0])
        elif kind == "boolean":
            made[name] = np.array(values, dtype=np.bool_)
        else:
            made[name] = np.array(values, dtype=object)
    return pd.DataFrame(made)


def _ask(loaded: LoadedModel, frame: pd.DataFrame) -> Any:
    """One line of plain values a row.

    Raises:
        NotTogether: it is anything else.
    """
    given = loaded.pyfunc.predict(frame)
    if not isinstance(given, np.ndarray) or given.ndim not in {1, 2} or len(given) != len(frame):
        raise NotTogether
    if given.dtype.kind == "O":
        if not all(isinstance(one, str) for one in given.ravel()):
            raise NotTogether
    elif given.dtype.kind not in "fiubU":
        raise NotTogether
    return given


def _scores(loaded: LoadedModel, given: Any, lengths: Sequence[int]) -> Floats:
    """The scores of each request's own answers: whether a flat answer can be kept is asked of a request as a whole."""
    if given.ndim == 2 and given.shape[1] > 1:
        return loaded.scores_of(given)
    parts, first = [], 0
    for length in lengths:
        if length:
            parts.append(loaded.scores_of(given[first : first + length]))
        first += length
    return np.concatenate(parts)


def _lengths(asked: Sequence[Rows], chosen: Bools | None) -> list[int]:
    """Rows of each request; with `chosen`, of those."""
    if chosen is None:
        return [one.rows for one in asked]
    ends = np.cumsum([one.rows for one in asked])[:-1]
    return [int(part.sum()) for part in np.split(chosen, ends)]
