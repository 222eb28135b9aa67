"""From frames and checked rows to rows of the log: ids, batches, canonical features, roles."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd

from mlops_dash.domain import scoring as rules
from mlops_dash.domain.scoring import OutsideLabel, OutsideRow, ScoreRole
from mlops_dash.errors import BrokenModel, InvalidInput, InvalidRow
from mlops_dash.ids import sha256_text
from mlops_dash.services.scoring import arms
from mlops_dash.services.scoring.arms import ArmAnswers
from mlops_dash.services.scoring.following import Live
from mlops_dash.services.scoring.pending import Pending
from mlops_dash.store.prediction_log import Label, Prediction, Score, to_us
from mlops_dash.store.serving import ServedVersion

_log = logging.getLogger(__name__)


def ours(
    live: Live,
    frame: pd.DataFrame,
    scores: Any,
    *,
    ids: Sequence[Any] | None,
    at: Sequence[datetime],
    batch_id: str | Sequence[str] | None,
    arm: ArmAnswers | None = None,
    ask_arm: bool = True,
) -> Pending:
    """Rows that the champion, or the challenger of a test, answered, with the answers of the shadows.

    `scores` are the champion's, of all rows. `arm` is given where the challenger was asked already.
    """
    state, champion = live.tried, live.champion.version
    features = rules.features_json(_plain(frame), do_not_log=state.do_not_log)
    named, batches, numbers = _names(state.model, features, ids=ids, at=at, batch_id=batch_id)
    at_us = [to_us(moment) for moment in at]
    rows = tuple(
        Prediction(state.model, one, moment, batch, number, "", text)
        for one, moment, batch, number, text in zip(named, at_us, batches, numbers, features, strict=True)
    )
    if arm is None and ask_arm:
        arm = arms.ask(live, frame, named, at)
    given = _answers(rows, champion, scores, arm)
    for shadow in live.shadows:
        try:
            given += _scores(rows, shadow.version, ScoreRole.SHADOW, shadow.model.predict(frame))
        except (BrokenModel, InvalidInput):  # a shadow must never keep the champion's answer from the client
            _log.warning("a shadow did not answer", extra={"model": state.model, "version": shadow.version.version})
    all_by = champion if arm is None else arm.version if arm.rows.all() else None
    answered_by = ("", "") if all_by is None else (all_by.id, all_by.version)
    return Pending(state.model, batches[0] if batches else "", *answered_by, rows, given)


def elsewhere(model: str, found: Sequence[OutsideRow], versions: Mapping[str, str], *, batch_id: str | None) -> Pending:
    """Rows that somebody else answered.

    Raises:
        InvalidRow: a version is not known.
    """
    for row, one in enumerate(found):
        if one.version not in versions:
            raise InvalidRow(row, "version", one.version, f"{model} has no such version", hint="Register it first.")
    given = [one.prediction_id for one in found]
    if any(given) and not all(given):
        row = given.index("")
        raise InvalidRow(row, "prediction_id", None, "some rows have an id and this one has none", hint="Name all.")
    at = [one.at for one in found]
    features = [one.features for one in found]
    named, batches, numbers = _names(model, features, ids=given if all(given) else None, at=at, batch_id=batch_id)
    rows, scores = [], []
    for one, name, batch, number in zip(found, named, batches, numbers, strict=True):
        at_us = to_us(one.at)
        rows.append(Prediction(model, name, at_us, batch, number, "", one.features))
        scores.append(Score(model, name, versions[one.version], one.role, one.version, at_us, one.score, at_us))
    return Pending(model, batches[0] if batches else "", predictions=tuple(rows), scores=tuple(scores))


def replayed(model: str, version: ServedVersion, page: pd.DataFrame, scores: Any, now: datetime) -> Pending:
    """Answers given afterwards on rows that are in the log."""
    scored_us = to_us(now)
    checked = rules.require_scores(np.asarray(scores, dtype=np.float64).tolist())
    given = zip(page["prediction_id"], page["at_us"].tolist(), checked, strict=True)
    return Pending(
        model,
        scores=tuple(
            Score(model, one, version.id, ScoreRole.REPLAYED, version.version, at_us, score, scored_us)
            for one, at_us, score in given
        ),
    )


def labels(model: str, found: Sequence[OutsideLabel], received: Sequence[datetime]) -> Pending:
    """Labels that were checked."""
    return Pending(
        model,
        labels=tuple(
            Label(model, one.prediction_id, one.value, to_us(one.observed_at), to_us(moment))
            for one, moment in zip(found, received, strict=True)
        ),
    )


def labels_of_frame(model: str, frame: pd.DataFrame, received: Sequence[datetime], *, binary: bool) -> Pending:
    """Labels of a frame with `prediction_id`, `value`, `observed_at`.

    Raises:
        InvalidInput: a column is missing, or times have no zone.
        InvalidRow: a value breaks a rule.
    """
    missing = {"prediction_id", "value", "observed_at"} - set(frame)
    if missing:
        raise InvalidInput(f"The labels lack the column {', '.join(sorted(missing))}.")
    observed = pd.to_datetime(frame["observed_at"])
    if len(frame) and (observed.dt.tz is None or observed.isna().any()):
        raise InvalidInput("A label's observed_at has no zone, or is missing.", hint="Give aware datetimes.")
    names = rules.require_texts(frame["prediction_id"].tolist(), column="prediction_id")
    values = [rules.require_label(row, value, binary=binary) for row, value in enumerate(frame["value"].tolist())]
    at = list(pd.DatetimeIndex(observed).tz_convert(UTC).to_pydatetime()) if len(frame) else []
    return labels(model, [OutsideLabel(*one) for one in zip(names, values, at, strict=True)], received)


def _names(
    model: str,
    features: Sequence[str],
    *,
    ids: Sequence[Any] | None,
    at: Sequence[datetime],
    batch_id: str | Sequence[str] | None,
) -> tuple[tuple[str, ...], list[str], list[int]]:
    """An id, a batch and a number within the batch for each row."""
    rows = len(features)
    if ids is not None and len(ids) != rows:
        raise InvalidInput(f"{len(ids)} ids were given for {rows} rows.", hint="Give one id a row.")
    if batch_id is None:
        named = rules.stable_ids(model, at, features) if ids is None else rules.require_ids(ids, column="prediction_id")
        made = f"b-{sha256_text(chr(10).join(named))[:24]}"  # the same rows sent again are the same batch
        return named, [made] * rows, list(range(rows))
    batches = [batch_id] * rows if isinstance(batch_id, str) else list(batch_id)
    if len(batches) != rows:
        raise InvalidInput(f"{len(batches)} batches were given for {rows} rows.", hint="Give one, or one a row.")
    for batch in set(batches):
        rules.require_name(batch, "A batch")
    seen: Counter[str] = Counter()
    numbers = []
    for batch in batches:
        numbers.append(seen[batch])
        seen[batch] += 1
    if ids is None:
        ids = [_in_batch(batch, number) for batch, number in zip(batches, numbers, strict=True)]
    return rules.require_ids(ids, column="prediction_id"), batches, numbers


def names_in(batch: str, rows: int) -> list[str]:
    """The ids that rows of one batch get when they come without."""
    return [_in_batch(batch, number) for number in range(rows)]


def _in_batch(batch: str, number: int) -> str:
    return f"{batch}-{number}"


def _scores(rows: Sequence[Prediction], version: ServedVersion, role: ScoreRole, scores: Any) -> tuple[Score, ...]:
    checked = rules.require_scores(np.asarray(scores, dtype=np.float64).tolist())
    return tuple(
        Score(row.model, row.prediction_id, version.id, role, version.version, row.at_us, score, row.at_us)
        for row, score in zip(rows, checked, strict=True)
    )


def _answers(
    rows: Sequence[Prediction], champion: ServedVersion, scores: Any, arm: ArmAnswers | None
) -> tuple[Score, ...]:
    """The champion's answers; where the challenger answered, the champion's are a shadow's."""
    own = _scores(rows, champion, ScoreRole.CHAMPION, scores)
    if arm is None:
        return own
    silent = [one._replace(role=ScoreRole.SHADOW) if there else one for one, there in zip(own, arm.rows, strict=True)]
    tested = [row for row, there in zip(rows, arm.rows, strict=True) if there]
    return (*silent, *_scores(tested, arm.version, ScoreRole.ARM, arm.scores))


def _plain(frame: pd.DataFrame) -> dict[str, list[Any]]:
    """Columns as lists of Python values, missing ones as None."""
    found = {}
    for position, name in enumerate(frame.columns):
        values = frame.iloc[:, position]
        if isinstance(values.dtype, np.dtype) and values.dtype.kind in "iufb":
            found[str(name)] = values.tolist()
        else:
            present = values.notna().tolist()
            found[str(name)] = [one if there else None for one, there in zip(values.tolist(), present, strict=True)]
    return found
