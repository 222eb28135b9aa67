"""From frames and checked rows to rows of the log: ids, batches, canonical features, roles."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd

from mlops_dash.domain import scoring as rules
from mlops_dash.domain.class_probabilities import kept_rows
from mlops_dash.domain.scoring import OutsideLabel, OutsideRow, ScoreRole
from mlops_dash.domain.sifting import Unfit, unfit_scores, unfit_values
from mlops_dash.domain.tasks.task import ModelTask
from mlops_dash.errors import BrokenModel, InvalidInput, InvalidRow
from mlops_dash.ids import sha256_text
from mlops_dash.services.scoring import arms
from mlops_dash.services.scoring.arms import ArmAnswers, Timing
from mlops_dash.services.scoring.following import Live
from mlops_dash.services.scoring.pending import Pending
from mlops_dash.stats.arrays import Floats
from mlops_dash.store.prediction_log import Label, Prediction, Score, SetAside, to_us
from mlops_dash.store.serving import ServedVersion

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Sifted:
    """Rows that were answered and can be kept, with their names, and what cannot be kept of the others."""

    frame: pd.DataFrame
    scores: Any
    arm: ArmAnswers | None
    ids: tuple[str, ...]
    numbers: tuple[int, ...]  # places in the batch as it was sent
    unfit: tuple[Unfit, ...]  # one a row that cannot be kept
    unfit_ids: tuple[str, ...]
    units: tuple[str, ...] = ()  # of a test that draws by them

    def set_aside(self, live: Live, noted: datetime) -> tuple[SetAside, ...]:
        """What is kept of the others: id, reason and a sample."""
        at_us = to_us(noted)
        return tuple(
            SetAside(live.tried.model, name, live.champion.version.id, one.column, one.reason, one.sample, False,
                     at_us, at_us)
            for name, one in zip(self.unfit_ids, self.unfit, strict=True)
        )  # fmt: skip


def sifted(
    live: Live, frame: pd.DataFrame, scores: Any, arm: ArmAnswers | None, ids: Sequence[str], units: Sequence[str] = ()
) -> Sifted:  # fmt: skip
    """Take out of an answered batch the rows that cannot be kept, so that all the others are."""
    state, task, kinds = live.tried, live.tried.predicts, live.champion.model.kinds
    given = np.asarray(scores, dtype=np.float64)
    unfit: dict[int, Unfit] = {}
    for name, values in frame.items():  # by `iloc` each column costs as much as scoring a row of a small tree
        if str(name) not in state.do_not_log:
            for one in unfit_values(str(name), kinds.get(str(name), ""), values):
                unfit.setdefault(one.row, one)
    for one in unfit_scores(given, task=task):
        unfit.setdefault(one.row, one)
    if arm is not None:
        places = np.flatnonzero(arm.rows).tolist()
        for one in unfit_scores(np.asarray(arm.scores, dtype=np.float64), task=task):
            unfit.setdefault(places[one.row], replace(one, row=places[one.row]))
    if not unfit:
        return Sifted(frame, scores, arm, tuple(ids), tuple(range(len(ids))), (), (), tuple(units))
    bad = sorted(unfit)
    fit = np.ones(len(frame), dtype=np.bool_)
    fit[bad] = False
    if arm is not None:
        arm = replace(arm, rows=arm.rows[fit], scores=np.asarray(arm.scores)[fit[arm.rows]])
    numbers = np.flatnonzero(fit).tolist()
    return Sifted(
        frame[fit].reset_index(drop=True),
        given[fit],
        arm,
        tuple(ids[row] for row in numbers),
        tuple(numbers),
        tuple(unfit[row] for row in bad),
        tuple(ids[row] for row in bad),
        tuple(units[row] for row in numbers) if units else (),
    )


def said_of(unfit: Sequence[Unfit]) -> str:
    """How many rows of an answer are not kept, and why the first is not; "" when all are."""
    if not unfit:
        return ""
    first = unfit[0]
    rows = "1 row is" if len(unfit) == 1 else f"{len(unfit)} rows are"
    return f"{rows} set aside; row {first.row}, column {first.column!r}: {first.reason}"


def ours(
    live: Live,
    frame: pd.DataFrame,
    scores: Any,
    *,
    ids: Sequence[Any] | None,
    at: Sequence[datetime],
    batch_id: str | Sequence[str] | None,
    arm: ArmAnswers | None = None,
    timing: Timing | None = None,
    numbers: Sequence[int] | None = None,
    strict: bool = False,
    units: Sequence[str] = (),
    earlier: bool = False,
) -> Pending:
    """Rows that the champion, or the challenger of a test, answered, with the answers of the shadows.

    `scores` are the champion's, of all rows: a number each, or of several classes the probability of each. `arm` is
    given where the challenger was asked already; with `timing` it is asked here. `numbers` are given where the rows are
    not all of their batch, `units` where a test draws by them and the frame does not hold them any more. With `strict`,
    a shadow that fails raises: of several requests, it may answer all but one. `earlier` as
    `domain.scoring.stable_ids` takes it.
    """
    state, champion = live.tried, live.champion.version
    features = rules.features_json(_plain(frame), do_not_log=state.do_not_log)
    at_us = [to_us(moment) for moment in at]
    named, batches, counted = _names(state.model, features, ids=ids, at_us=at_us, batch_id=batch_id, earlier=earlier)
    units = units or arms.units_of(live, frame) or ("",) * len(named)
    kept = arms.keys_of(live, units)
    rows = tuple(
        Prediction(state.model, one, moment, batch, number, kept.get(unit, ""), text)
        for one, moment, batch, number, unit, text in zip(
            named, at_us, batches, numbers or counted, units, features, strict=True
        )
    )
    if arm is None and timing is not None:
        arm = arms.ask(live, frame, named, at, units, scores, timing)
    task = state.predicts
    given = _answers(rows, champion, scores, arm, task)
    aside: tuple[SetAside, ...] = ()
    for shadow in live.shadows:
        try:
            silent = _silent(
                rows, shadow.version, np.asarray(shadow.model.predict_again(frame), dtype=np.float64), task
            )
            given, aside = given + silent[0], aside + silent[1]
        except (BrokenModel, InvalidInput):  # a shadow must never keep the champion's answer from the client
            if strict:
                raise
            _log.warning("a shadow did not answer", extra={"model": state.model, "version": shadow.version.version})
    all_by = champion if arm is None else arm.version if arm.rows.all() else None
    answered_by = ("", "") if all_by is None else (all_by.id, all_by.version)
    batch = batches[0] if batches else ""
    return Pending(state.model, batch, *answered_by, rows, given, set_aside=aside)


def elsewhere(
    model: str,
    found: Sequence[OutsideRow],
    versions: Mapping[str, str],
    *,
    batch_id: str | None,
    places: Sequence[int] | None = None,
    earlier: bool = False,
) -> Pending:
    """Rows that somebody else answered; `earlier` as `domain.scoring.stable_ids` takes it.

    `places` are given where the rows are not all of what was sent, so that each keeps the id of its place.

    Raises:
        InvalidRow: a version is not known.
    """
    for row, one in enumerate(found):
        if one.version not in versions:
            raise rules.unknown_version(row, one.version, model)
    given = [one.prediction_id for one in found]
    if any(given) and not all(given):
        row = given.index("")
        raise InvalidRow(row, "prediction_id", None, "some rows have an id and this one has none", hint="Name all.")
    at_us = [to_us(one.at) for one in found]
    features = [one.features for one in found]
    ids: Sequence[str] | None = given if all(given) else None
    if ids is None and batch_id is not None and places is not None:
        ids = [_in_batch(batch_id, place) for place in places]
    named, batches, numbers = _names(model, features, ids=ids, at_us=at_us, batch_id=batch_id, earlier=earlier)
    numbers = numbers if places is None else list(places)
    rows, scores = [], []
    for one, name, us, batch, number in zip(found, named, at_us, batches, numbers, strict=True):
        rows.append(Prediction(model, name, us, batch, number, "", one.features))
        scores.append(
            Score(model, name, versions[one.version], one.role, one.version, us, one.score, us, one.probabilities)
        )
    return Pending(model, batches[0] if batches else "", predictions=tuple(rows), scores=tuple(scores),
                   timed=all(one.timed for one in found))  # fmt: skip


def replayed(
    model: str, version: ServedVersion, page: pd.DataFrame, scores: Any, now: datetime, *, task: ModelTask
) -> Pending:
    """Answers given afterwards on rows that are in the log."""
    scored_us = to_us(now)
    checked, told = _checked(scores, task)
    given = zip(page["prediction_id"], page["at_us"].tolist(), checked, told, strict=True)
    return Pending(
        model,
        scores=tuple(
            Score(model, one, version.id, ScoreRole.REPLAYED, version.version, at_us, score, scored_us, of_classes)
            for one, at_us, score, of_classes in given
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


def labels_of_frame(model: str, frame: pd.DataFrame, received: Sequence[datetime], *, task: ModelTask) -> Pending:
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
    values = [rules.require_label(row, value, task=task) for row, value in enumerate(frame["value"].tolist())]
    at = list(pd.DatetimeIndex(observed).tz_convert(UTC).to_pydatetime()) if len(frame) else []
    return labels(model, [OutsideLabel(*one) for one in zip(names, values, at, strict=True)], received)


def _names(
    model: str,
    features: Sequence[str],
    *,
    ids: Sequence[Any] | None,
    at_us: Sequence[int],
    batch_id: str | Sequence[str] | None,
    earlier: bool = False,
) -> tuple[tuple[str, ...], list[str], list[int]]:
    """An id, a batch and a number within the batch for each row."""
    rows = len(features)
    if ids is not None and len(ids) != rows:
        raise InvalidInput(f"{len(ids)} ids were given for {rows} rows.", hint="Give one id a row.")
    if batch_id is None:
        if ids is None:
            named = rules.stable_ids(model, at_us, features, earlier=earlier)
        else:
            named = rules.require_ids(ids, column="prediction_id")
        return named, [batch_of(named)] * rows, list(range(rows))
    batches = [batch_id] * rows if isinstance(batch_id, str) else list(batch_id)
    if len(batches) != rows:
        raise InvalidInput(f"{len(batches)} batches were given for {rows} rows.", hint="Give one, or one a row.")
    for batch in set(batches):
        rules.require_name(batch, "A batch")
    counted: Counter[str] = Counter()
    numbers = []
    for batch in batches:
        numbers.append(counted[batch])
        counted[batch] += 1
    if ids is None:
        ids = [_in_batch(batch, number) for batch, number in zip(batches, numbers, strict=True)]
    return rules.require_ids(ids, column="prediction_id"), batches, numbers


def batch_of(names: Sequence[str]) -> str:
    """The batch of rows that came without one: the same rows sent again are the same batch."""
    return f"b-{sha256_text(chr(10).join(names))[:24]}"


def names_in(batch: str, rows: int) -> list[str]:
    """The ids that rows of one batch get when they come without."""
    return [_in_batch(batch, number) for number in range(rows)]


def _in_batch(batch: str, number: int) -> str:
    return f"{batch}-{number}"


def _scores(
    rows: Sequence[Prediction], version: ServedVersion, role: ScoreRole, scores: Any, task: ModelTask
) -> tuple[Score, ...]:
    checked, told = _checked(scores, task)
    return tuple(
        Score(row.model, row.prediction_id, version.id, role, version.version, row.at_us, score, row.at_us, of_classes)
        for row, score, of_classes in zip(rows, checked, told, strict=True)
    )


def _checked(answers: Any, task: ModelTask) -> tuple[tuple[float, ...], list[bytes | None]]:
    """Scores that can be kept, and beside each the probabilities of all classes where the model tells them.

    Raises:
        InvalidRow: the first that cannot be kept.
    """
    given = np.asarray(answers, dtype=np.float64)
    if given.ndim == 2:
        for one in unfit_scores(given, task=task):
            raise InvalidRow(one.row, one.column, one.sample, one.reason, hint="Look at this row's features.")
    scores, p = task.split(given)
    return rules.require_scores(scores.tolist(), task=task), kept_rows(p, len(scores))


def _silent(
    rows: Sequence[Prediction], shadow: ServedVersion, scores: Floats, task: ModelTask
) -> tuple[tuple[Score, ...], tuple[SetAside, ...]]:
    """The answers of a shadow; those that cannot be kept are set aside and cost it no other row."""
    unfit = {one.row: one for one in unfit_scores(scores, task=task)}
    fit = [place for place in range(len(rows)) if place not in unfit]
    kept = _scores([rows[place] for place in fit], shadow, ScoreRole.SHADOW, scores[fit], task)
    aside = tuple(
        SetAside(rows[at].model, rows[at].prediction_id, shadow.id, one.column, one.reason, one.sample, False,
                 rows[at].at_us, rows[at].at_us)
        for at, one in unfit.items()
    )  # fmt: skip
    return kept, aside


def _answers(
    rows: Sequence[Prediction], champion: ServedVersion, scores: Any, arm: ArmAnswers | None, task: ModelTask
) -> tuple[Score, ...]:
    """The champion's answers; where the challenger answered, the champion's are a shadow's."""
    own = _scores(rows, champion, ScoreRole.CHAMPION, scores, task)
    if arm is None:
        return own
    silent = [one._replace(role=ScoreRole.SHADOW) if there else one for one, there in zip(own, arm.rows, strict=True)]
    tested = [row for row, there in zip(rows, arm.rows, strict=True) if there]
    return (*silent, *_scores(tested, arm.version, ScoreRole.ARM, arm.scores, task))


def _plain(frame: pd.DataFrame) -> dict[str, list[Any]]:
    """Columns as lists of Python values, missing ones as None."""
    found = {}
    for name, values in frame.items():
        if isinstance(values.dtype, np.dtype) and values.dtype.kind in "iufb":
            found[str(name)] = values.tolist()
        else:
            present = values.notna().tolist()
            found[str(name)] = [one if there else None for one, there in zip(values.tolist(), present, strict=True)]
    return found
