"""Which version answers now? Follows what is approved, and keeps the last one that loads when the new one does not."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from mlops_dash.domain.schema import VersionSchema
from mlops_dash.domain.scoring import ServedModel
from mlops_dash.errors import (
    BrokenModel,
    Conflict,
    MlopsDashError,
    NotFound,
    NothingToServe,
    StoreUnavailable,
    Unavailable,
)
from mlops_dash.services.command import Context
from mlops_dash.store import prediction_log
from mlops_dash.store import serving as store
from mlops_dash.store.db import reading, transaction
from mlops_dash.store.monitoring import references
from mlops_dash.store.serving import ServedVersion, ServingState
from mlops_dash.tracking.models.loading import LoadedModel, ModelCache

if TYPE_CHECKING:
    from mlops_dash.store.db import Session

_log = logging.getLogger(__name__)
STALE_SECONDS = 1.0  # how old what we know of approvals may be
BEAT_SECONDS = 5.0
RETRY_BROKEN_SECONDS = 30.0
RETRY_AWAY_SECONDS = 2.0
LOADS = 4  # at once, in the background
LOADING = "It is being loaded."


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
    arm: Loaded | None = None  # the challenger of a running A/B test, or the version that is rolled out
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
        self._earlier: dict[str, bool] = {}
        self._retry_at: dict[tuple[str, str], float] = {}
        self._failures: dict[tuple[str, str], MlopsDashError] = {}
        self._beats: dict[tuple[str, str], tuple[float, tuple[str, int, str]]] = {}
        self._looking = threading.Lock()
        self._locks: dict[str, threading.Lock] = {}  # a model: one that loads slowly keeps no other one waiting
        self._at_once = threading.BoundedSemaphore(LOADS)
        self._threads: dict[str, threading.Thread] = {}

    def state(self, model: str) -> ServingState:
        """What is approved for a model, at most a second old.

        Raises:
            NotFound: no such model.
            Conflict: it is archived.
            StoreUnavailable: the database does not answer and never did.
        """
        self._look()
        found = self._states.get(model)
        if found is None:
            raise NotFound(f"No model {model!r} is known.", hint="Look at the Registry page for the names of models.")
        if found.archived:
            raise Conflict(
                f"{model} is archived: it answers nothing and takes no rows.",
                hint="Restore it: mlops-dash model restore",
            )
        return found

    def schemas(self, model: str, versions: Sequence[str]) -> tuple[VersionSchema, ...]:
        """What is known of the columns of some versions: the signature of a loaded one, and the reference of any.

        Both count: the signature is what the model takes, the reference what monitoring counts into.
        """
        with reading(self.context.databases.app) as session:
            of_reference = references.kinds_of(session, model, versions)
        found = [VersionSchema(version, kinds, "the reference") for version, kinds in of_reference.items()]
        signed = self.kinds(model)
        found += [VersionSchema(one, signed[one], "the signature") for one in versions if one in signed]
        return tuple(found)

    def earlier_names(self, model: str) -> bool:
        """Whether this model's rows without ids are named as before such ids began with their time; never changes."""
        if model not in self._earlier:
            with reading(self.context.databases.log) as session:
                self._earlier[model] = prediction_log.keeps_earlier_names(session, model)
        return self._earlier[model]

    def peek(self, model: str) -> Live | None:
        """What answers for a model as far as this process knows; asks nobody and waits for nothing."""
        return self._live.get(model)

    def live(self, model: str, *, patience: float | None = None) -> Live:
        """What answers for a model now.

        With `patience` (seconds), what answered before is given when something newly approved takes longer to load;
        what failed before is tried again without waiting.

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
        if known is not None and patience is not None:
            return self._live_soon(model, known, 0.0 if known.tried == state else patience)
        # While one thread loads the new version, the others answer with the one before.
        lock = self._locks.setdefault(model, threading.Lock())
        if not lock.acquire(blocking=known is None):
            return known if known is not None else self.live(model)
        try:
            known = self._live.get(model)
            if known is None or _due(known, state):
                known = self._live[model] = self._load(state, state.champion, known)
            return known
        finally:
            lock.release()

    def _live_soon(self, model: str, known: Live, patience: float) -> Live:
        """Load in a thread of its own, and wait for it so long, but not again and again for the same."""
        running = self._threads.get(model)
        if running is None or not running.is_alive():
            self._begin(model).join(patience)
        found = self._live.get(model)
        failure = None if known.tried.champion is None else self._failures.get((model, known.tried.champion.id))
        if found is None and failure is not None:  # it was let go of: nobody trusts its files any more
            raise failure
        return known if found is None else found

    def _begin(self, model: str) -> threading.Thread:
        """Load what is approved for a model in a thread of its own, unless one does so already."""
        running = self._threads.get(model)
        if running is None or not running.is_alive():
            running = threading.Thread(target=self._load_aside, args=(model,), name=f"load {model}", daemon=True)
            self._threads[model] = running
            running.start()
        return running

    def _load_aside(self, model: str) -> None:
        state = self._states[model]
        lock = self._locks.setdefault(model, threading.Lock())
        with self._at_once, lock:
            known = self._live.get(model)
            if state.champion is None or (known is not None and not _due(known, state)):
                return
            try:
                self._live[model] = self._load(state, state.champion, known)
            except MlopsDashError:
                _log.debug("kept, and said to whoever asks", extra={"model": model}, exc_info=True)

    def kinds(self, model: str) -> dict[str, dict[str, str]]:
        """Version number -> kind by column, of the versions that this process holds in memory."""
        live = self._live.get(model)
        held = () if live is None else (live.champion, *live.shadows, *(() if live.arm is None else (live.arm,)))
        return {one.version.version: one.model.kinds for one in held if one.model.kinds}

    def everything(self, *, patience: float | None = None) -> tuple[ServedModel, ...]:
        """What this process answers with, of every model that has an approved version.

        Models are loaded side by side; with `patience`, one that takes longer is reported as it is and goes on loading.
        """
        self._look()
        approved = {model: state for model, state in sorted(self._states.items()) if state.champion is not None}
        loading = [self._begin(model) for model, state in approved.items() if self._is_due(model, state)]
        until = float("inf") if patience is None else time.monotonic() + patience
        for thread in loading:
            thread.join(None if patience is None else max(0.0, until - time.monotonic()))
        return tuple(self._served(model, state) for model, state in approved.items())

    def _is_due(self, model: str, state: ServingState) -> bool:
        known = self._live.get(model)
        if known is not None:
            return _due(known, state)
        return state.champion is not None and self._failure(model, state.champion) is None

    def _failure(self, model: str, wanted: ServedVersion) -> MlopsDashError | None:
        """Why a version does not load, as long as it need not be tried again."""
        failure = self._failures.get((model, wanted.id))
        waits = self._retry_at.get((model, wanted.id), 0.0) > time.monotonic()
        return failure if waits else None

    def _served(self, model: str, state: ServingState) -> ServedModel:
        known = self._live.get(model)
        if known is not None:
            return ServedModel(
                model, known.champion.version.id, known.champion.version.version, known.epoch, known.error
            )
        failure = None if state.champion is None else self._failures.get((model, state.champion.id))
        return ServedModel(model, "", "", state.epoch, LOADING if failure is None else failure.sentence())

    def beat(self, process: str, *, patience: float | None = None) -> tuple[ServedModel, ...]:
        """Write heartbeats: at once on change, else every five seconds."""
        served = self.everything(patience=patience)
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
        beside = state.beside
        if beside is not None:
            try:
                arm = self._one(state, beside)
            except (BrokenModel, Unavailable) as error:  # its rows are the champion's until it loads
                failed[beside.id] = error
        try:
            live = Live(state, state.epoch, self._one(state, wanted), tuple(shadows), arm)
        except (BrokenModel, Unavailable) as error:
            if known is None or self._models.is_withdrawn(known.champion.model.digest):
                self._live.pop(state.model, None)  # what nobody trusts any more does not answer on
                raise
            failed[wanted.id] = error
            live = replace(known, tried=state, error=f"v{wanted.version}: {error.sentence()}")
        if failed:
            live = replace(live, retry_at=min(self._retry_at[state.model, one] for one in failed))
        asked = (wanted, *state.shadows, *(() if beside is None else (beside,)))
        broken = [one.version for one in asked if isinstance(failed.get(one.id), BrokenModel)]
        self._note(lambda session, now: store.close_broken(session, state.model, still_broken=broken, at=now))
        if not live.error and (known is None or known.champion.version.id != wanted.id):
            _log.info("serving", extra={"model": state.model, "version": wanted.version, "epoch": state.epoch})
        return live

    def _one(self, state: ServingState, wanted: ServedVersion) -> Loaded:
        key = (state.model, wanted.id)
        failure = self._failure(state.model, wanted)
        if failure is not None:
            raise failure
        try:
            model = self._models.get(
                state.model,
                wanted.version,
                digest=wanted.digest,
                source_uri=wanted.source_uri,
                task=state.predicts,
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
            with transaction(self.context.databases.app, ledger=True) as session:  # several gateways find it at once
                write(session, self.context.clock.now())
        except StoreUnavailable:
            _log.warning("a fact about serving could not be written", exc_info=True)


def _due(known: Live, state: ServingState) -> bool:
    """Whether something else was approved since, or it is time to try again."""
    return known.tried != state or time.monotonic() >= known.retry_at
