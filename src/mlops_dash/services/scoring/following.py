"""Which version answers now? Follows what is approved, and keeps the last one that loads when the new one does not."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from mlops_dash.domain.scoring import ServedModel
from mlops_dash.errors import BrokenModel, MlopsDashError, NotFound, NothingToServe, StoreUnavailable, Unavailable
from mlops_dash.services.command import Context
from mlops_dash.store import serving as store
from mlops_dash.store.db import reading, transaction
from mlops_dash.store.serving import ServedVersion, ServingState
from mlops_dash.tracking.models import LoadedModel, ModelCache

if TYPE_CHECKING:
    from mlops_dash.store.db import Session

_log = logging.getLogger(__name__)
STALE_SECONDS = 1.0  # how old what we know of approvals may be
BEAT_SECONDS = 5.0
RETRY_BROKEN_SECONDS = 30.0
RETRY_AWAY_SECONDS = 2.0


@dataclass(frozen=True)
class Loaded:
    """A version in memory."""

    version: ServedVersion
    model: LoadedModel


@dataclass(frozen=True)
class Live:
    """What answers for a model."""

    tried: ServingState  # what was approved when we last loaded or tried to
    epoch: int  # of the approval that the champion here comes from
    champion: Loaded
    shadows: tuple[Loaded, ...]
    arm: Loaded | None = None  # the challenger of a running A/B test
    error: str = ""  # why the approved version is not the one that answers
    retry_at: float = float("inf")  # on the monotonic clock


class Following:
    """Follows every model's approved version; one object a process, safe among threads."""

    def __init__(self, context: Context, models: ModelCache) -> None:
        self.context = context
        self._models = models
        self._states: dict[str, ServingState] = {}
        self._states_at = float("-inf")
        self._live: dict[str, Live] = {}
        self._retry_at: dict[tuple[str, str], float] = {}
        self._failures: dict[tuple[str, str], MlopsDashError] = {}
        self._beats: dict[tuple[str, str], tuple[float, tuple[str, int, str]]] = {}
        self._looking = threading.Lock()
        self._loading = threading.Lock()

    def state(self, model: str) -> ServingState:
        """What is approved for a model, at most a second old.

        Raises:
            NotFound: no such model.
            StoreUnavailable: the database does not answer and never did.
        """
        self._look()
        found = self._states.get(model)
        if found is None:
            raise NotFound(f"No model {model!r} is known.", hint="Look at the Registry page for the names of models.")
        return found

    def live(self, model: str) -> Live:
        """What answers for a model now.

        Raises:
            NotFound: no such model.
            NothingToServe: no version of it is approved.
            BrokenModel: the approved version does not load, and no other did before.
            Unavailable: its files are not here and MLflow does not answer.
        """
        state = self.state(model)
        if state.champion is None:
            raise NothingToServe(
                f"No version of {model} is approved.", hint="Propose one on the Registry page, and promote it."
            )
        known = self._live.get(model)
        if known is not None and not _due(known, state):
            return known
        # While one thread loads the new version, the others answer with the one before.
        if not self._loading.acquire(blocking=known is None):
            return known if known is not None else self.live(model)
        try:
            known = self._live.get(model)
            if known is None or _due(known, state):
                known = self._live[model] = self._load(state, state.champion, known)
            return known
        finally:
            self._loading.release()

    def everything(self) -> tuple[ServedModel, ...]:
        """What this process answers with, of every model that has an approved version."""
        self._look()
        found = []
        for model, state in sorted(self._states.items()):
            if state.champion is None:
                continue
            try:
                live = self.live(model)
            except (BrokenModel, Unavailable) as error:
                found.append(ServedModel(model, "", "", state.epoch, error.sentence()))
            else:
                version = live.champion.version
                found.append(ServedModel(model, version.id, version.version, live.epoch, live.error))
        return tuple(found)

    def beat(self, process: str) -> tuple[ServedModel, ...]:
        """Write heartbeats: at once on change, else every five seconds."""
        served = self.everything()
        moment = time.monotonic()
        due = []
        for one in served:
            told = (one.version_id, one.epoch, one.error)
            at, before = self._beats.get((process, one.model), (float("-inf"), ("", -1, "")))
            if told != before or moment - at >= BEAT_SECONDS:
                due.append((one, told))
        if due:
            now = self.context.clock.now()
            with transaction(self.context.databases.log) as session:
                for one, _ in due:
                    store.beat(
                        session, process, one.model, version_id=one.version_id, epoch=one.epoch, at=now, error=one.error
                    )
            self._beats.update({(process, one.model): (moment, told) for one, told in due})
        return served

    def _look(self) -> None:
        if time.monotonic() - self._states_at < STALE_SECONDS:
            return
        if not self._looking.acquire(blocking=not self._states):
            return  # another thread looks
        try:
            if time.monotonic() - self._states_at < STALE_SECONDS:
                return
            with reading(self.context.databases.app) as session:
                self._states = store.states(session)
        except StoreUnavailable:
            if not self._states:
                raise
            _log.warning("approvals could not be read; what was approved before keeps answering", exc_info=True)
        finally:
            self._states_at = time.monotonic()
            self._looking.release()

    def _load(self, state: ServingState, wanted: ServedVersion, known: Live | None) -> Live:
        failed: dict[str, MlopsDashError] = {}
        shadows = []
        for one in state.shadows:
            try:
                shadows.append(self._one(state, one))
            except (BrokenModel, Unavailable) as error:
                failed[one.id] = error
        arm: Loaded | None = None
        if state.test is not None:
            try:
                arm = self._one(state, state.test.challenger)
            except (BrokenModel, Unavailable) as error:  # its rows are the champion's until it loads
                failed[state.test.challenger.id] = error
        try:
            live = Live(state, state.epoch, self._one(state, wanted), tuple(shadows), arm)
        except (BrokenModel, Unavailable) as error:
            if known is None:
                raise
            failed[wanted.id] = error
            live = replace(known, tried=state, error=f"v{wanted.version}: {error.sentence()}")
        if failed:
            live = replace(live, retry_at=min(self._retry_at[state.model, one] for one in failed))
        asked = (wanted, *state.shadows, *(() if state.test is None else (state.test.challenger,)))
        broken = [one.version for one in asked if isinstance(failed.get(one.id), BrokenModel)]
        self._note(lambda session, now: store.close_broken(session, state.model, still_broken=broken, at=now))
        if not live.error and (known is None or known.champion.version.id != wanted.id):
            _log.info("serving", extra={"model": state.model, "version": wanted.version, "epoch": state.epoch})
        return live

    def _one(self, state: ServingState, wanted: ServedVersion) -> Loaded:
        key = (state.model, wanted.id)
        failure = self._failures.get(key)
        if failure is not None and self._retry_at.get(key, 0.0) > time.monotonic():
            raise failure
        try:
            model = self._models.get(
                state.model,
                wanted.version,
                digest=wanted.digest,
                source_uri=wanted.source_uri,
                positive_label=state.positive_label,
            )
        except (BrokenModel, Unavailable) as error:
            patience = RETRY_BROKEN_SECONDS if isinstance(error, BrokenModel) else RETRY_AWAY_SECONDS
            self._retry_at[key] = time.monotonic() + patience
            self._failures[key] = error
            _log.error(
                "a version does not load", extra={"model": state.model, "version": wanted.version}, exc_info=True
            )
            if isinstance(error, BrokenModel):
                cause = error.sentence()
                self._note(
                    lambda session, now: store.open_broken(
                        session,
                        self.context.new_id(),
                        model=state.model,
                        version=wanted.version,
                        cause=cause,
                        at=now,
                    )
                )
            raise
        self._failures.pop(key, None)
        self._retry_at.pop(key, None)
        if not wanted.digest:
            self._note(lambda session, _now: store.record_digest(session, wanted.id, model.digest))
        return Loaded(wanted, model)

    def _note(self, write: Callable[[Session, datetime], None]) -> None:
        """Write a fact about loading; a database that is away must not keep a loaded model from answering."""
        try:
            with transaction(self.context.databases.app) as session:
                write(session, self.context.clock.now())
        except StoreUnavailable:
            _log.warning("a fact about serving could not be written", exc_info=True)


def _due(known: Live, state: ServingState) -> bool:
    """Whether something else was approved since, or it is time to try again."""
    return known.tried != state or time.monotonic() >= known.retry_at
