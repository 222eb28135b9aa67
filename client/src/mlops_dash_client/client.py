"""The client: rows in at once, out in batches by threads of its own."""

from __future__ import annotations

import atexit
import hashlib
import os
import random
import sys
import threading
import time
import uuid
import weakref
from collections import deque
from collections.abc import Iterable, Mapping
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from mlops_dash_client.counting import Counters, Tally
from mlops_dash_client.rows import EVENT, LABEL, PREDICTION, Row, features_of, line_of, moment, plain, probabilities_of
from mlops_dash_client.sending import Gateway, Later, Never
from mlops_dash_client.spool import Segment, Spool

_BATCH_ROWS = 1_000
_MOST_IN_MEMORY = 50_000  # rows between a call and the disk; the thread empties it within milliseconds
_LONGEST_PAUSE = 60.0
_AT_EXIT_SECONDS = 2.0


class Client:
    """Logs predictions, labels and events; its methods return at once and never raise because of what is logged.

    It may be used from any thread, and in a forked child, which has a client of its own then. Only its construction
    refuses: an address that is none, or no token.
    """

    _closed: bool
    _spool: Spool
    _spooling_thread: threading.Thread
    _sending_thread: threading.Thread

    def __init__(
        self,
        url: str,
        token: str,
        *,
        spool: str | os.PathLike[str] | None = None,
        spool_bytes: int = 256 * 1024 * 1024,
        linger: float = 0.5,
        timeout: float = 10.0,
        first_pause: float = 0.5,
    ) -> None:
        """Start the threads, and find what an earlier run left in the spool.

        Args:
            url: The gateway, for example "http://127.0.0.1:8601".
            token: Of a service account, or of a scientist.
            spool: A folder of this program; by default one in the user's state folder, for this address and program.
            spool_bytes: The most that waits on disk; further rows are dropped and counted.
            linger: Seconds that a batch waits for more rows.
            timeout: Seconds that a request may take.
            first_pause: Seconds before the first repetition; each next one waits twice as long, a minute at most.

        Raises:
            ValueError: the address is not http or https, or there is no token.
        """
        if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).netloc:
            raise ValueError(f"the address must begin with http:// or https://: {url!r}")
        if not token:
            raise ValueError("a token is needed; an admin of mlops-dash issues one")
        self._root = Path(spool) if spool is not None else _default_spool(url)
        self._spool_bytes, self._linger, self._first_pause = spool_bytes, linger, first_pause
        self._gateway = Gateway(url, token, timeout=timeout)
        self._start()
        atexit.register(_close_at_exit, weakref.ref(self))
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=_Forked(weakref.ref(self)))

    # --- what a program calls -----------------------------------------------------------------------------------------

    def log_prediction(
        self,
        model: str,
        version: str,
        score: Any = None,
        features: Mapping[str, Any] | None = None,
        *,
        scores: Mapping[Any, Any] | None = None,
        prediction_id: str | None = None,
        at: datetime | str | None = None,
    ) -> str:
        """Log what a version answered; gives the id by which its label is logged, "" without features.

        Args:
            model: The model's name in mlops-dash.
            version: Which version answered.
            score: A probability, a number, or the class that a multi-class model answered.
            features: Column and value; None and NaN mean missing.
            scores: Of a multi-class model the probability of every class, which sum to 1; without a score the most
                probable class is the answer.
            prediction_id: Your own id, the same whenever this row is sent again; else one is made.
            at: When it answered, with a zone; else now.
        """
        if features is None:
            self._not_readable(TypeError("a prediction needs its features"))
            return ""
        name = uuid.uuid4().hex if prediction_id is None else str(prediction_id)
        try:
            sent = {
                "prediction_id": name,
                "at": moment(at),
                "version": str(version),
                **({} if scores is None else {"scores": probabilities_of(scores)}),
                # An answer that is missing is sent as such: the gateway says so, and the row is set aside, not lost.
                **({"score": plain(score)} if scores is None or score is not None else {}),
                "features": features_of(features),
            }
            self._put(str(model), line_of(PREDICTION, str(model), sent))
        except Exception as error:  # noqa: BLE001 - whatever was logged, the program goes on
            self._not_readable(error)
        return name

    def log_predictions(self, model: str, rows: Iterable[Mapping[str, Any]]) -> list[str]:
        """Log many: mappings with the arguments of `log_prediction`; gives their ids, "" for a row that is none."""
        names = []
        try:
            for one in rows:
                try:
                    names.append(self.log_prediction(model, **one))
                except Exception as error:  # noqa: BLE001 - an argument is missing or too many
                    names.append("")
                    self._not_readable(error)
        except Exception as error:  # noqa: BLE001 - the rows themselves end in an error
            self._not_readable(error)
        return names

    def log_label(
        self, model: str, prediction_id: str, value: Any, *, observed_at: datetime | str | None = None
    ) -> None:
        """Log what turned out true for a prediction, also one that is not known yet.

        Args:
            model: The model's name in mlops-dash.
            prediction_id: The prediction's id.
            value: 0 or 1, a number, or the true class.
            observed_at: When it was known, with a zone; else now.
        """
        try:
            sent = {"prediction_id": str(prediction_id), "value": plain(value), "observed_at": moment(observed_at)}
            self._put(str(model), line_of(LABEL, str(model), sent))
        except Exception as error:  # noqa: BLE001 - whatever was logged, the program goes on
            self._not_readable(error)

    def log_labels(self, model: str, rows: Iterable[Mapping[str, Any]]) -> None:
        """Log many: mappings with the arguments of `log_label`."""
        try:
            for one in rows:
                try:
                    self.log_label(model, **one)
                except Exception as error:  # noqa: BLE001 - an argument is missing or too many
                    self._not_readable(error)
        except Exception as error:  # noqa: BLE001 - the rows themselves end in an error
            self._not_readable(error)

    def log_event(
        self,
        model: str,
        unit: str,
        name: str,
        value: Any = 1,
        *,
        event_id: str | None = None,
        at: datetime | str | None = None,
    ) -> None:
        """Log what happened to a user, an account, a session: what an A/B test of the model may count.

        Args:
            model: The model's name in mlops-dash.
            unit: Whom it happened to, or the prediction's id.
            name: What happened, for example "revenue".
            value: How much; 1 where only that it happened counts.
            event_id: Your own id, the same whenever this event is sent again; else one is made.
            at: When it happened, with a zone; else now.
        """
        try:
            named = uuid.uuid4().hex if event_id is None else str(event_id)
            sent = {"id": named, "unit": str(unit), "name": str(name), "value": plain(value), "at": moment(at)}
            self._put(str(model), line_of(EVENT, str(model), sent))
        except Exception as error:  # noqa: BLE001 - whatever was logged, the program goes on
            self._not_readable(error)

    @property
    def counters(self) -> Counters:
        """What became of the rows so far."""
        self._ready()
        return self._tally.snapshot()

    def flush(self, timeout: float = 10.0) -> bool:
        """Wait until nothing waits any more, at most so many seconds; whether that was reached."""
        self._ready()
        with self._lock:
            self._hurry += 1
            self._pauses.clear()
            self._look.set()
            try:
                return self._settled.wait_for(self._idle, max(0.0, timeout))
            finally:
                self._hurry -= 1

    def close(self, timeout: float = 5.0) -> bool:
        """Flush, then end the threads; what is not delivered stays in the spool. Whether nothing was left."""
        self._ready()
        if self._closed:
            return self._idle()
        done = self.flush(timeout)
        with self._lock:
            self._closed = True
            self._rows.notify_all()
            self._look.set()
        self._spooling_thread.join(timeout=2.0)
        self._sending_thread.join(timeout=0.2)  # it may be in a request: what that delivers is sent again, and known
        self._spool.close()
        return done

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- into memory, onto the disk -----------------------------------------------------------------------------------

    def _start(self) -> None:
        self._guard = threading.Lock()  # of a start after a fork
        self._alive = True
        self._tally = Tally()
        self._lock = threading.Lock()  # held for moments only: whoever logs waits for it
        self._rows = threading.Condition(self._lock)  # there are rows to spool
        self._settled = threading.Condition(self._lock)  # rows are on disk, or delivered
        self._look = threading.Event()  # there is something to send
        self._queue: deque[tuple[str, bytes]] = deque()
        self._spooling = 0  # rows between queue and disk
        self._sending = False
        self._hurry = 0  # who waits in `flush`
        self._closed = False
        self._pauses: dict[str, tuple[float, float]] = {}  # model: until when it waits, and how long the next pause is
        self._spool = Spool(self._root, self._tally, most_bytes=self._spool_bytes, rows_a_segment=_BATCH_ROWS)
        self._spooling_thread = threading.Thread(target=self._spool_rows, name="mlops-dash-spool", daemon=True)
        self._sending_thread = threading.Thread(target=self._send_rows, name="mlops-dash-send", daemon=True)
        self._spooling_thread.start()
        self._sending_thread.start()

    def forked(self) -> None:
        """In a forked child: it has no threads, locks may be held by nobody, and its parent's rows are not its own."""
        self._guard = threading.Lock()
        self._alive = False

    def _ready(self) -> None:
        if not self._alive:
            with self._guard:
                if not self._alive:
                    self._spool.abandon()
                    self._start()

    def _put(self, model: str, line: bytes) -> None:
        self._ready()
        self._tally.add("logged")
        with self._lock:
            full = len(self._queue) + self._spooling >= _MOST_IN_MEMORY
            if not full and not self._closed:
                self._queue.append((model, line))
                self._rows.notify()
                return
        self._tally.add("dropped", why="memory is full" if full else "the client is closed")

    def _not_readable(self, error: Exception) -> None:
        self._ready()
        self._tally.add("logged")
        self._tally.add("unreadable", why=str(error))

    def _spool_rows(self) -> None:
        while True:
            with self._lock:
                self._rows.wait_for(lambda: self._queue or self._closed)
                if not self._queue:
                    return
                taken, self._queue = self._queue, deque()
                self._spooling = len(taken)
            by_model: dict[str, list[bytes]] = {}
            for model, line in taken:
                by_model.setdefault(model, []).append(line)
            for model, lines in by_model.items():
                try:
                    self._spool.append(model, lines)
                except Exception as error:  # noqa: BLE001 - this thread must go on, whatever a disk does
                    self._tally.add("dropped", len(lines), why=f"the spool: {error}")
            with self._lock:
                self._spooling = 0
                self._settled.notify_all()
            self._look.set()

    def _idle(self) -> bool:
        return not self._queue and not self._spooling and not self._sending and self._spool.empty

    # --- out to the gateway -------------------------------------------------------------------------------------------

    def _send_rows(self) -> None:
        while not self._closed:
            now = time.monotonic()
            with self._lock:
                pauses = [(model, until) for model, (until, _) in self._pauses.items() if until > now]
                older_than = 0.0 if self._hurry else self._linger
                self._sending = True
            segment = self._spool.take(but=[model for model, _ in pauses], older_than=older_than)
            if segment is not None:
                self._deliver(segment)
            with self._lock:
                self._sending = False
                self._settled.notify_all()
            if segment is None:
                self._look.wait(
                    min([max(older_than, 0.02), *(until - now for _, until in pauses)]) if self._busy() else None
                )
                self._look.clear()

    def _busy(self) -> bool:
        """Whether something waits, for its batch or for a pause to end."""
        return bool(self._queue) or self._spooling > 0 or not self._spool.empty

    def _deliver(self, segment: Segment) -> None:
        rows = segment.unsettled(self._tally)
        try:
            for kind, some in groupby(list(rows), key=lambda row: row.kind):
                self._deliver_some(kind, segment, list(some))
        except Exception as error:  # noqa: BLE001 - this thread must go on; `Later` is what is expected
            self._tally.failed(str(error) or type(error).__name__)
            asked = error.after if isinstance(error, Later) else 0.0
            with self._lock:
                _, pause = self._pauses.get(segment.model, (0.0, self._first_pause))
                wait = min(max(asked, pause * random.uniform(0.5, 1.0)), _LONGEST_PAUSE)  # not all clients at once
                self._pauses[segment.model] = (time.monotonic() + wait, min(pause * 2, _LONGEST_PAUSE))
            return
        self._tally.went_well()
        with self._lock:
            self._pauses.pop(segment.model, None)
        self._spool.done(segment)

    def _deliver_some(self, kind: str, segment: Segment, rows: list[Row]) -> None:
        """Send rows; where they are refused together, halves, until the row that cannot be taken stands alone."""
        try:
            left_out = self._gateway.send(kind, segment.model, [row.sent for row in rows])
        except Never as error:
            if len(rows) == 1:
                self._tally.add("refused", why=str(error))
                segment.settle(1)
                return
            half = len(rows) // 2
            self._deliver_some(kind, segment, rows[:half])
            self._deliver_some(kind, segment, rows[half:])
            return
        segment.settle(len(rows))
        self._tally.add("refused", len(left_out), why=left_out[0] if left_out else "")
        self._tally.add("delivered", len(rows) - len(left_out))


class _Forked:
    """What runs in a forked child."""

    def __init__(self, client: weakref.ref[Client]) -> None:
        self._client = client

    def __call__(self) -> None:
        still = self._client()
        if still is not None:
            still.forked()


def _default_spool(url: str) -> Path:
    given = os.environ.get("XDG_STATE_HOME")
    state = Path(given) if given else Path("~", ".local", "state").expanduser()
    program = Path(sys.argv[0]).resolve() if sys.argv and sys.argv[0] else Path.cwd()
    name = hashlib.sha256(f"{url.rstrip('/')}\n{program}".encode()).hexdigest()[:16]
    return state / "mlops-dash-client" / name


def _close_at_exit(client: weakref.ref[Client]) -> None:
    still = client()
    if still is not None:
        still.close(_AT_EXIT_SECONDS)
