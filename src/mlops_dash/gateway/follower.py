"""Every second: load what was approved since, and say in a heartbeat what is served."""

from __future__ import annotations

import logging
import threading

from mlops_dash.domain.access import Actor
from mlops_dash.errors import MlopsDashError
from mlops_dash.services.scoring import ScoringService
from mlops_dash.tracking.imports import warm_up

_log = logging.getLogger(__name__)
LOOK_SECONDS = 1.0


class Follower:
    """A thread of the gateway; `trouble` says why the last look failed."""

    def __init__(self, scoring: ScoringService, actor: Actor, process: str) -> None:
        self._scoring = scoring
        self._actor = actor
        self._process = process
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="follower", daemon=True)
        self.trouble = ""
        self.silent: tuple[str, ...] = ()  # models that have an approved version and answer 503

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def close(self) -> None:
        """End the thread; a model that is being loaded is not waited for longer than five seconds."""
        self._stopping.set()
        self._thread.join(5.0)

    def _run(self) -> None:
        warm_up()
        while not self._stopping.is_set():
            try:
                served = self._scoring.follow(self._actor, self._process, patience=LOOK_SECONDS)
            except MlopsDashError as error:
                self._say(error.sentence())
            except Exception as error:  # noqa: BLE001 - the thread must live on: without it no promotion would arrive
                self._say(f"{type(error).__name__}: {error}")
            else:
                self.trouble = ""
                self.silent = tuple(model.model for model in served if not model.version_id)
            self._stopping.wait(LOOK_SECONDS)

    def _say(self, trouble: str) -> None:
        if trouble != self.trouble:
            _log.error("the gateway cannot follow approvals", extra={"reason": trouble}, exc_info=True)
        self.trouble = trouble
