"""Answer, and remember what was answered: predictions of ours, predictions made elsewhere, labels.

Everything stored goes through `store`: one transaction for whatever is handed to it, so a gateway can commit many
requests at once. `score`, `record_predictions`, `record_labels` prepare and store in one call.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import pandas as pd

from mlops_dash.domain import scoring as rules
from mlops_dash.domain.access import Actor, Permission
from mlops_dash.domain.scoring import ScoredBatch, ServedModel
from mlops_dash.errors import Conflict, InvalidRow, NotFound, StoreUnavailable
from mlops_dash.services.command import Context, read, record
from mlops_dash.services.scoring import intake, refused
from mlops_dash.services.scoring.again import Again
from mlops_dash.services.scoring.answering import Answering, Asked, Said
from mlops_dash.services.scoring.arms import Timing
from mlops_dash.services.scoring.erasing import Erasing
from mlops_dash.services.scoring.eventing import EventColumns, Eventing
from mlops_dash.services.scoring.files import Columns, FileRows
from mlops_dash.services.scoring.filing import Filed, Filing
from mlops_dash.services.scoring.following import Following
from mlops_dash.services.scoring.pending import Answered, Pending, Stored, times_of
from mlops_dash.services.scoring.pulses import Pulses
from mlops_dash.store import prediction_log, serving
from mlops_dash.store.db import reading, transaction
from mlops_dash.store.prediction_log import BatchRow, LabelsAppended, LogCounts, to_us
from mlops_dash.tracking.models.loading import ModelCache

__all__ = [
    "Answered", "Asked", "Columns", "EventColumns", "FileRows", "Filed", "Pending", "Said", "ScoringService", "Stored",
]  # fmt: skip


class ScoringService:
    """Predictions and labels."""

    def __init__(self, context: Context, models: ModelCache) -> None:
        self.context = context
        self._models = models
        self._following = Following(context, models)

        self._pulses = Pulses(context.new_id())
        answering = Answering(context, self._following, self._pulses)
        self.answer = answering.answer
        self.ask = answering.ask
        self.answer_all = answering.answer_all
        self.rows_at_once = answering.rows_at_once

        erasing = Erasing(context)
        self.about = erasing.about
        self.decide_erasure = erasing.decide_erasure
        self.erase_rows = erasing.erase_rows

        again = Again(context, models, self._following, self.store)
        self.backfill = again.backfill
        self.answer_again = again.answer_again
        self.own_importance = again.own_importance

        filing = Filing(context, self._following, self.store)
        self.read_rows = filing.read_rows
        self.new_versions = filing.new_versions
        self.file_rows = filing.file_rows
        self.file_labels = filing.file_labels

        eventing = Eventing(context, self._following)
        self.record_events = eventing.record_events
        self.file_events = eventing.file_events
        self.events = eventing.events

    # --- answers of ours ----------------------------------------------------------------------------------------------

    @record(Permission.SCORE_WRITE)
    def score(
        self,
        actor: Actor,
        model: str,
        frame: pd.DataFrame,
        *,
        ids: Sequence[Any] | None = None,
        at: datetime | Sequence[datetime] | None = None,
        batch_id: str | Sequence[str] | None = None,
    ) -> ScoredBatch:
        """Answer rows with the approved version, let its shadows answer silently, and store all in one transaction.

        Args:
            actor: Who asks.
            model: The model's name.
            frame: One row a prediction, with the signature's columns.
            ids: An id a row; else `batch_id`-0, -1, ...; else a stable id made of model, time and row.
            at: When it was asked, for all rows or for each; by default now.
            batch_id: The batch's name, for all rows or for each.

        Raises:
            NotFound: no such model.
            NothingToServe: no version is approved.
            InvalidRow: a value breaks a rule; nothing is stored.
            BrokenModel: the approved version does not load or fails, and none answered before.
            StoreUnavailable: the log does not take it; nothing is stored.
        """
        live = self._following.live(model)
        begun = time.perf_counter()
        scores = live.champion.model.predict(frame)
        timing = Timing(time.perf_counter() - begun, self._pulses)
        pending = intake.ours(
            live, frame, scores, ids=ids, at=times_of(at, len(frame), self.context.clock.now()), batch_id=batch_id,
            earlier=ids is None and batch_id is None and self._following.earlier_names(model), timing=timing,
        )  # fmt: skip
        answered = self._one(pending)
        with contextlib.suppress(StoreUnavailable):  # the rows are stored; counts are kept with those of the next call
            self._pulses.keep(self.context.databases, self.context.clock.now())
        return answered

    @record(Permission.SYSTEM)
    def follow(self, actor: Actor, process: str, *, patience: float | None = None) -> tuple[ServedModel, ...]:
        """Load what was approved since, say in a heartbeat what this process answers with, keep what it counted.

        With `patience` (seconds), models that take longer go on loading in the background, and the others are told.

        Raises:
            StoreUnavailable: a heartbeat could not be written.
        """
        served = self._following.beat(rules.require_name(process, "A process"), patience=patience)
        self._pulses.keep(self.context.databases, self.context.clock.now())
        return served

    # --- answers made elsewhere, and labels ---------------------------------------------------------------------------

    @record(Permission.LOG_WRITE)
    def prepare_predictions(
        self, actor: Actor, model: str, rows: Any, *, batch_id: str | None = None, skip: bool = False
    ) -> Pending:
        """Check predictions made elsewhere (objects as `domain.scoring.read_predictions` says); stores nothing.

        With `skip`, rows that cannot be kept are `left_out` of what is prepared, each with its reason.

        Raises:
            NotFound: no such model.
            InvalidInput, InvalidRow: a rule is broken, or a version is not known.
        """
        state = self._following.state(model)
        check = rules.sift_predictions if skip else rules.read_predictions
        found: Any = check(
            rows,
            now=self.context.clock.now(),
            task=state.predicts,
            do_not_log=state.do_not_log,
            schemas=lambda versions: self._following.schemas(model, versions),
        )
        with reading(self.context.databases.app) as session:
            versions = serving.version_ids(session, model)
        if not skip:
            earlier = batch_id is None and self._following.earlier_names(model)
            return intake.elsewhere(model, found, versions, batch_id=batch_id, earlier=earlier)
        fit, unfit = found
        pending = self._without_unfit(model, fit, unfit, versions, batch_id=batch_id)
        aside = refused.of_request(
            model, rows, pending.left_out, versions=versions, do_not_log=state.do_not_log,
            noted=self.context.clock.now(),
        )  # fmt: skip
        return replace(pending, set_aside=aside)

    def _without_unfit(
        self,
        model: str,
        fit: Sequence[tuple[int, rules.OutsideRow]],
        unfit: Sequence[InvalidRow],
        versions: Mapping[str, str],
        *,
        batch_id: str | None,
    ) -> Pending:
        """The rows that can be kept beside what the log holds already, and why the others cannot."""
        fit, others = rules.sift_ids(fit, versions=versions, model=model)
        places = [place for place, _ in fit]
        pending = intake.elsewhere(
            model, [one for _, one in fit], versions, batch_id=batch_id, places=places,
            earlier=batch_id is None and self._following.earlier_names(model),
        )  # fmt: skip
        with reading(self.context.databases.log) as session:
            known = prediction_log.differing(session, pending.predictions, times=pending.timed)
            differing = {one.prediction_id: one.what for one in known}
        clashes = [
            InvalidRow(place, "prediction_id", name, f"is known with another {differing[name]}")
            for place, name in zip(places, pending.prediction_ids, strict=True)
            if name in differing
        ]
        left_out = sorted((*unfit, *others, *clashes), key=lambda error: error.row)
        return replace(pending.without(differing), left_out=tuple(left_out))

    @record(Permission.LOG_WRITE)
    def prepare_labels(
        self,
        actor: Actor,
        model: str,
        rows: Any,
        *,
        received_at: datetime | Sequence[datetime] | None = None,
        skip: bool = False,
    ) -> Pending:
        """Check labels (objects as `domain.scoring.read_labels` says); stores nothing.

        With `skip`, labels that cannot be kept are `left_out` of what is prepared, each with its reason.

        Raises:
            NotFound: no such model.
            InvalidInput, InvalidRow: a rule is broken.
        """
        now = self.context.clock.now()
        found, unfit = rules.sift_labels(rows, now=now, task=self._following.state(model).predicts)
        if unfit and not skip:
            raise unfit[0]
        aside = refused.of_request(model, rows, unfit, versions={}, noted=now)
        made = intake.labels(model, found, times_of(received_at, len(found), now))
        return replace(made, left_out=unfit, set_aside=aside)

    @record(Permission.LOG_WRITE)
    def store(self, actor: Actor, pending: Sequence[Pending]) -> tuple[Stored, ...]:
        """Store whatever was prepared, in one transaction: all of it or nothing.

        Raises:
            StoreUnavailable: the log does not take it; nothing is stored.
            Conflict: an id is known with other features or another time; nothing is stored.
        """
        for one in pending:
            actor.require_model(one.model)
        marked_us = to_us(self.context.clock.now())
        try:
            with transaction(self.context.databases.log) as session:
                return _store_all(session, pending, marked_us)
        except _Known:
            with transaction(self.context.databases.log) as session:
                return tuple(_store(session, one, marked_us) for one in pending)

    @record(Permission.LOG_WRITE)
    def record_predictions(self, actor: Actor, model: str, rows: Any, *, batch_id: str | None = None) -> Stored:
        """Store predictions made elsewhere: `prepare_predictions` and `store` in one call."""
        return self.store(actor, [self.prepare_predictions(actor, model, rows, batch_id=batch_id)])[0]

    @record(Permission.LOG_WRITE)
    def record_labels(
        self,
        actor: Actor,
        model: str,
        labels: pd.DataFrame,
        received_at: datetime | Sequence[datetime] | None = None,
    ) -> LabelsAppended:
        """Store labels: a frame with `prediction_id`, `value` and `observed_at` (aware).

        Another value than before is the next revision; ids that are not known yet wait.

        Raises:
            NotFound: no such model.
            InvalidInput, InvalidRow: a rule is broken; nothing is stored.
        """
        task = self._following.state(model).predicts
        pending = intake.labels_of_frame(
            model, labels, times_of(received_at, len(labels), self.context.clock.now()), task=task
        )
        return self.store(actor, [pending])[0].labels

    # --- looks --------------------------------------------------------------------------------------------------------

    @read(Permission.ROOM_READ)
    def counts(self, actor: Actor, model: str) -> LogCounts:
        """How much of a model is in the log."""
        with reading(self.context.databases.log) as session:
            return prediction_log.counts(session, model)

    @read(Permission.ROOM_READ)
    def batch(self, actor: Actor, batch_id: str) -> tuple[BatchRow, ...]:
        """A batch's rows with their ids and who answered them.

        Raises:
            NotFound: no such batch.
        """
        with reading(self.context.databases.log) as session:
            rows = prediction_log.batch_rows(session, batch_id)
        if not rows:
            raise NotFound(
                f"No batch {batch_id!r} is known.",
                hint="The name is in the header X-Prediction-Batch. Older rows are archived: "
                "`mlops-dash log files` lists their files, whose column batch_id names it.",
            )
        return tuple(self._in_words(row) for row in rows)

    def _in_words(self, row: BatchRow) -> BatchRow:
        word_of = self._following.state(row.model).predicts.word_of
        answers = tuple((version, role, word_of(float(score))) for version, role, score in row.answers)
        return replace(row, answers=answers)

    @read(Permission.ROOM_READ)
    def serving(self, actor: Actor) -> tuple[ServedModel, ...]:
        """What this process answers with, model by model; loads what is not loaded yet."""
        return self._following.everything()

    def _one(self, pending: Pending) -> ScoredBatch:
        marked_us = to_us(self.context.clock.now())
        with transaction(self.context.databases.log) as session:
            stored = _store(session, pending, marked_us)
        return ScoredBatch(
            model=pending.model,
            batch_id=pending.batch_id,
            version_id=pending.version_id,
            version=pending.version,
            prediction_ids=pending.prediction_ids,
            versions=tuple(one.version for one in pending.answers),
            scores=tuple(one.score for one in pending.answers),
            stored=stored.predictions,
        )


class _Known(Exception):
    """Something of what was to be stored at once is there already."""


def _store_all(session: Any, pending: Sequence[Pending], marked_us: int) -> tuple[Stored, ...]:
    """Store many requests by one statement a table: new answers of ours cost most of the time one by one.

    Raises:
        _Known: some are not new; the transaction must be given up.
    """
    if len(pending) == 1 or any(one.labels or one.timed for one in pending):
        return tuple(_store(session, one, marked_us) for one in pending)
    predictions = [row for one in pending for row in one.predictions]
    scores = [row for one in pending for row in one.scores]
    appended = prediction_log.append(session, predictions, scores, marked_us=marked_us)
    if (appended.predictions, appended.scores) != (len(predictions), len(scores)):
        raise _Known
    prediction_log.set_aside(session, [row for one in pending for row in one.set_aside])
    none = LabelsAppended(0, 0, 0, 0)
    return tuple(Stored(len(one.predictions), len(one.scores), none) for one in pending)


def _store(session: Any, pending: Pending, marked_us: int) -> Stored:
    appended = prediction_log.append(session, pending.predictions, pending.scores, marked_us=marked_us)
    if appended.predictions < len(pending.predictions):
        other = prediction_log.first_differing(session, pending.predictions, times=pending.timed)
        if other is not None:
            raise Conflict(
                f"The prediction id {other.prediction_id!r} is known with another {other.what}; nothing was stored.",
                hint="An id names one request row for ever. Send a new id, or the row as it was.",
            )
    prediction_log.set_aside(session, pending.set_aside)
    new_rows = pending.predictions if appended.predictions == len(pending.predictions) else ()
    labels = LabelsAppended(0, 0, 0, 0)
    if pending.labels:
        labels = prediction_log.append_labels(session, pending.labels, new_rows=new_rows)
    return Stored(appended.predictions, appended.scores, labels)
