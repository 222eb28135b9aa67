"""Rows that one version answered, answered by another: kept in the log as "replayed", or only given back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

import pandas as pd

from mlops_dash.domain.access import Actor, Permission
from mlops_dash.domain.tasks.task import ModelTask
from mlops_dash.errors import NotFound
from mlops_dash.services.command import Context, record
from mlops_dash.services.scoring import intake
from mlops_dash.services.scoring.following import Following
from mlops_dash.services.scoring.pending import Pending, Stored
from mlops_dash.stats.arrays import Floats
from mlops_dash.store import prediction_log, serving
from mlops_dash.store.db import reading
from mlops_dash.store.serving import ServedVersion
from mlops_dash.tracking.models.loading import LoadedModel, ModelCache

BACKFILL_ROWS = 5_000  # a chunk: about 0.1 s of writing


class Again:
    """A version is asked about logged rows."""

    def __init__(
        self,
        context: Context,
        models: ModelCache,
        following: Following,
        store: Callable[[Actor, Sequence[Pending]], tuple[Stored, ...]],
    ) -> None:
        self.context = context
        self._models = models
        self._following = following
        self._store = store

    @record(Permission.JOB_RUN)
    def backfill(
        self,
        actor: Actor,
        model: str,
        version_id: str,
        start: datetime,
        end: datetime,
        progress: Callable[[int, float], None] | None = None,
    ) -> int:
        """Score logged rows with `start <= at < end` that this version has not scored, in role "replayed".

        Args:
            actor: Who asks.
            model: The model's name.
            version_id: `model_version.id` of the version to score with.
            start: First time.
            end: First time after.
            progress: Called after each chunk with rows so far and the share of the time range that is done.

        Returns:
            How many rows were scored. Called again it goes on where it stopped, and finds nothing to do.

        Raises:
            NotFound: no such version of the model.
            InvalidInput: logged rows lack a feature that this version needs.
            BrokenModel: the version does not load, or fails.
        """
        version, loaded, task = self._loaded(model, version_id)
        done, after = 0, None
        while True:
            with reading(self.context.databases.log) as log:
                page = prediction_log.read_logged(
                    log, model, start, end, without_version=version_id, after=after, limit=BACKFILL_ROWS
                )
            if page.empty:
                return done
            scores = loaded.predict_again(page.drop(columns=["prediction_id", "at", "at_us"]))
            self._store(actor, [intake.replayed(model, version, page, scores, self.context.clock.now(), task=task)])
            done += len(page)
            after = (int(page["at_us"].iloc[-1]), str(page["prediction_id"].iloc[-1]))
            if progress is not None:
                progress(done, (page["at"].iloc[-1].to_pydatetime() - start) / max(end - start, timedelta(seconds=1)))

    @record(Permission.JOB_RUN)
    def answer_again(self, actor: Actor, model: str, version_id: str, rows: pd.DataFrame) -> Floats:
        """What a version answers to rows that another one has answered; nothing is stored.

        Args:
            actor: Who asks.
            model: The model's name.
            version_id: `model_version.id` of the version to ask.
            rows: Features as they were logged, one column each.

        Returns:
            float64[rows], as the log keeps answers; of several classes float64[rows, k] where it says how probable
            each is.

        Raises:
            NotFound: no such version of the model.
            InvalidInput: the rows lack a feature that this version needs, or hold a value that it cannot take.
            BrokenModel: the version is not trusted, does not load, or fails.
            Unavailable: its files are not here and MLflow does not answer.
        """
        _, loaded, _ = self._loaded(model, version_id)
        return loaded.predict_again(rows)

    @record(Permission.JOB_RUN)
    def own_importance(
        self, actor: Actor, model: str, version_id: str, spreads: Mapping[str, float]
    ) -> Mapping[str, float]:
        """What a version says of itself: the share of each input in what it rests on; empty where it says nothing.

        Args:
            actor: Who asks.
            model: The model's name.
            version_id: `model_version.id` of the version to ask.
            spreads: How far the values of each input lie apart.

        Raises:
            NotFound: no such version of the model.
            BrokenModel: the version is not trusted or does not load.
            Unavailable: its files are not here and MLflow does not answer.
        """
        _, loaded, _ = self._loaded(model, version_id)
        return loaded.own_importance(spreads)

    def _loaded(self, model: str, version_id: str) -> tuple[ServedVersion, LoadedModel, ModelTask]:
        state = self._following.state(model)
        with reading(self.context.databases.app) as session:
            found = serving.version_by_id(session, version_id)
        if found is None or found[0] != model:
            raise NotFound(f"{model} has no version with the id {version_id!r}.", hint="Look at the Registry page.")
        version, task = found[1], state.predicts
        loaded = self._models.get(
            model,
            version.version,
            digest=version.digest,
            source_uri=version.source_uri,
            task=task,
            positive_label=state.positive_label,
        )
        return version, loaded, task
