"""Keeps the processes of one installation running: starts, waits for health, restarts, and leaves nothing behind.

It knows command lines and addresses only, never a service. Three promises:

* a child that ends is started again after 1, 2 and then 4 seconds, and that is said in one line;
* Ctrl-C, SIGTERM or a closed terminal stop every child and grandchild;
* when this process itself is killed, a small guard process (this module run as a script) sees its pipe close and ends
  them all.
"""

from __future__ import annotations

import contextlib
import http.client
import logging
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import psutil

from mlops_dash.log import rotate

_log = logging.getLogger(__name__)

_FIRST_WAIT, _LONGEST_WAIT = 1.0, 4.0  # seconds before a restart: with the start itself back within 10
_STEADY_SECONDS = 60.0  # a child that ran this long starts again with the shortest wait
_TICK_SECONDS, _GUARD_GRACE_SECONDS = 0.1, 3.0
_LOG_BYTES, _ROTATE_SECONDS = 20_000_000, 10.0  # rotated beyond so many bytes, looked at every so many seconds
# Windows has no SIGHUP
_SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # loopback never goes through a proxy


@dataclass(frozen=True)
class ChildSpec:
    """One process to keep running."""

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str]  # added to this process's own environment
    url: str  # what a person opens; "" when there is nothing to open
    health_url: str | None  # answers 2xx when the child can work; None: it is ready once it runs
    log_path: Path  # standard output and error are appended here
    cwd: Path | None = None  # where it runs; None: where we run
    awaited: bool = True  # whether others wait for it; False: who needs it asks it


@dataclass
class _Child:
    """One process as it is now."""

    spec: ChildSpec
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    attempt: int = 0
    wait: float = _FIRST_WAIT
    restart_at: float | None = None
    ready: bool = False


def _print(line: str) -> None:
    sys.stdout.write(f"{line}\n")  # in one piece: several threads speak
    sys.stdout.flush()


class Supervisor:
    """Runs children until it is told to stop.

    `run` is the whole life. A caller that has work of its own between uses `with Supervisor(...) as supervisor:`, which
    starts and, whatever happens inside, stops.
    """

    def __init__(
        self,
        children: Sequence[ChildSpec],
        *,
        say: Callable[[str], None] = _print,
        ready_seconds: float = 180.0,
        grace_seconds: float = 10.0,
    ) -> None:
        names = [spec.name for spec in children]
        if len(set(names)) != len(names):
            raise ValueError(f"Names of children must differ: {names}.")
        self._children = [_Child(spec) for spec in children]
        self._say = say
        self._ready_seconds = ready_seconds
        self._grace_seconds = grace_seconds
        self._stopping = threading.Event()
        self._ending = False
        self._hurry = False
        self._thread: threading.Thread | None = None
        self._guard: subprocess.Popen[bytes] | None = None

    # --- the whole life

    def run(self, on_ready: Callable[[], None] | None = None) -> int:
        """Start all, call `on_ready` once the awaited ones answer, keep all running until a signal; give the exit code.

        The code is 0 after a stop that somebody asked for and 1 when a child did not get ready in time. `on_ready` runs
        in the calling thread while the children are already being watched; a signal interrupts it.
        """
        with self._signals():
            try:
                with self:
                    late = self.wait_ready()
                    if late and not self._stopping.is_set():
                        logs = ", ".join(str(child.spec.log_path) for child in self._children if not child.ready)
                        self._say(f"Not ready after {self._ready_seconds:.0f} s: {', '.join(late)}; see {logs}")
                        return 1
                    if on_ready is not None:
                        on_ready()
                    self._stopping.wait()
            except KeyboardInterrupt as heard:
                # the way out of `on_ready` or a wait; `with self` has stopped everything
                _log.info("was asked to stop", extra={"signal": str(heard)})
        return 0

    def __enter__(self) -> Supervisor:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start every child and begin to watch them; returns at once."""
        self._start_guard()
        for child in self._children:
            self._start_child(child)
        self._thread = threading.Thread(target=self._watch, name="supervisor", daemon=True)
        self._thread.start()

    def wait_ready(self) -> tuple[str, ...]:
        """Wait until every awaited child answers; return the names of those that did not within `ready_seconds`."""
        until = time.monotonic() + self._ready_seconds
        while time.monotonic() < until and not self._stopping.is_set():
            if not self._late():
                return ()
            time.sleep(_TICK_SECONDS / 2)
        return self._late()

    def _late(self) -> tuple[str, ...]:
        return tuple(child.spec.name for child in self._children if child.spec.awaited and not child.ready)

    def request_stop(self) -> None:
        """Ask `run` to come to its end; may be called from any thread."""
        self._stopping.set()

    def stop(self) -> None:
        """Stop every child and grandchild: politely, and by force after `grace_seconds`."""
        self._ending = True
        began = time.monotonic()
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        running = [child for child in self._children if child.process is not None]
        trees = {child.spec.name: _tree(_pid(child)) for child in running}
        for child in running:
            _end_session(_pid(child), signal.SIGTERM)
        until = began + self._grace_seconds
        while time.monotonic() < until and not self._hurry:
            if not any(_alive(tree) for tree in trees.values()):
                break
            time.sleep(_TICK_SECONDS / 2)
        for child in running:
            stubborn = _alive(trees[child.spec.name] | _tree(_pid(child)))
            _kill(stubborn)
            if stubborn:
                _log.warning("child killed", extra={"child": child.spec.name, "processes": len(stubborn)})
            assert child.process is not None
            child.process.wait()
            child.process, child.ready = None, False
        self._tell_guard("done")  # the children are gone, and others may get their process ids
        self._end_guard()
        if running:
            self._say(f"Stopped {', '.join(child.spec.name for child in running)} in {time.monotonic() - began:.1f} s.")
            _log.info("stopped", extra={"children": [child.spec.name for child in running]})

    def pids(self) -> dict[str, int]:
        """Return the process ids of the children that run now, by name."""
        return {child.spec.name: child.process.pid for child in self._children if child.process is not None}

    # --- one child

    def _start_child(self, child: _Child) -> None:
        spec = child.spec
        spec.log_path.parent.mkdir(parents=True, exist_ok=True)
        rotate(spec.log_path, _LOG_BYTES)
        child.restart_at, child.ready = None, False
        child.started = time.monotonic()
        child.attempt += 1
        try:
            with spec.log_path.open("ab") as output:
                child.process = subprocess.Popen(
                    spec.argv, env={**os.environ, **spec.env}, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                    start_new_session=True, cwd=spec.cwd,
                )  # fmt: skip
        except OSError as error:
            self._later(child, f"cannot start: {spec.argv[0]}: {error.strerror}")
            return
        self._tell_guard(f"+{child.process.pid}")
        _log.info("child started", extra={"child": spec.name, "pid": child.process.pid, "attempt": child.attempt})

    def _watch(self) -> None:
        rotate_at = time.monotonic() + _ROTATE_SECONDS
        while not self._stopping.wait(_TICK_SECONDS):
            if self._guard is not None and self._guard.poll() is not None:
                self._start_guard()
            for child in self._children:
                self._look_after(child)
            if time.monotonic() >= rotate_at:
                rotate_at = time.monotonic() + _ROTATE_SECONDS
                for child in self._children:
                    rotate(child.spec.log_path, _LOG_BYTES)

    def _look_after(self, child: _Child) -> None:
        now = time.monotonic()
        if child.process is None:
            if child.restart_at is not None and now >= child.restart_at:
                self._start_child(child)
            return
        code = child.process.poll()
        if code is not None:
            pid = child.process.pid
            _kill(_alive(_tree(pid)))  # what it left behind would hold its port
            self._tell_guard(f"-{pid}")
            child.process = None
            if now - child.started > _STEADY_SECONDS:
                child.wait = _FIRST_WAIT
            self._later(child, f"stopped ({_in_words(code)})")
        elif not child.ready and (child.spec.health_url is None or _answers(child.spec.health_url)):
            took = time.monotonic() - child.started
            word = "ready" if child.attempt == 1 else "back"
            self._say("  ".join(filter(None, (f"{child.spec.name:<8}", child.spec.url, f"{word} in {took:.1f} s"))))
            _log.info("child ready", extra={"child": child.spec.name, "seconds": round(took, 2)})
            child.ready = True  # last: who waits for it speaks after the line above

    def _later(self, child: _Child, what: str) -> None:
        child.ready = False
        child.restart_at = time.monotonic() + child.wait
        self._say(f"{child.spec.name} {what}; starting it again in {child.wait:.0f} s; see {child.spec.log_path}")
        extra = {"child": child.spec.name, "what": what, "wait_seconds": child.wait, "attempt": child.attempt}
        _log.error("child stopped", extra=extra)
        child.wait = min(child.wait * 2, _LONGEST_WAIT)

    # --- signals and the guard

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        def heard(number: int, _frame: FrameType | None) -> None:
            # Plain flags: an Event's lock may be held by the very wait that this signal interrupts.
            if self._ending:
                self._hurry = True  # a second Ctrl-C: no more patience
                return
            self._ending = True
            raise KeyboardInterrupt(signal.Signals(number).name)

        before = {number: signal.signal(number, heard) for number in _SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _start_guard(self) -> None:
        self._end_guard()  # one that was killed
        self._guard = subprocess.Popen(
            [sys.executable, "-P", __file__], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        for child in self._children:
            if child.process is not None:
                self._tell_guard(f"+{child.process.pid}")

    def _tell_guard(self, line: str) -> None:
        if self._guard is None or self._guard.stdin is None:
            return
        try:
            self._guard.stdin.write(f"{line}\n".encode())
            self._guard.stdin.flush()
        except OSError:
            _log.warning("the guard is gone", extra={"line": line})  # the watch starts another and tells it everything

    def _end_guard(self) -> None:
        if self._guard is None:
            return
        with contextlib.suppress(OSError):
            if self._guard.stdin is not None:
                self._guard.stdin.close()
        try:
            self._guard.wait(_GUARD_GRACE_SECONDS + 2)
        except subprocess.TimeoutExpired:
            self._guard.kill()
            self._guard.wait()
        self._guard = None


def _pid(child: _Child) -> int:
    assert child.process is not None
    return child.process.pid


def _answers(url: str) -> bool:
    try:
        with _OPENER.open(url, timeout=1.0) as answer:
            return 200 <= int(answer.status) < 300
    except (OSError, http.client.HTTPException):  # refused, reset, timed out, an error status, not HTTP
        return False


def _in_words(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"killed by signal {-code}"


# --- trees of processes -----------------------------------------------------------------------------------------------


def _tree(pid: int) -> set[psutil.Process]:
    """Return a child, its descendants, and whatever is in its session though its parent has gone."""
    found: set[psutil.Process] = set()
    with contextlib.suppress(psutil.Error):
        root = psutil.Process(pid)
        found = {root, *root.children(recursive=True)}
    return found | _session(pid)


def _session(pid: int) -> set[psutil.Process]:
    found = set()
    if hasattr(os, "getsid"):
        for other in psutil.pids():
            with contextlib.suppress(OSError, psutil.Error):
                if os.getsid(other) == pid:
                    found.add(psutil.Process(other))
    return found


def _alive(processes: set[psutil.Process]) -> set[psutil.Process]:
    alive = set()
    for process in processes:
        with contextlib.suppress(psutil.Error):
            if process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                alive.add(process)
    return alive


def _end_session(pid: int, number: int) -> None:
    for process in _session(pid) or _tree(pid):
        with contextlib.suppress(psutil.Error):
            process.send_signal(number)


def _kill(processes: set[psutil.Process]) -> None:
    for process in processes:
        with contextlib.suppress(psutil.Error):
            process.kill()


def _guard() -> None:
    """Follow the supervisor's pipe; when it closes without a "done", the supervisor was killed: end its children."""
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    pids: set[int] = set()
    for line in sys.stdin:
        word = line.strip()
        if word == "done":
            return
        if word.startswith("+"):
            pids.add(int(word[1:]))
        elif word.startswith("-"):
            pids.discard(int(word[1:]))
    processes = set().union(*(_tree(pid) for pid in pids))
    for pid in pids:
        _end_session(pid, signal.SIGTERM)
    until = time.monotonic() + _GUARD_GRACE_SECONDS
    while _alive(processes) and time.monotonic() < until:
        time.sleep(_TICK_SECONDS)
    _kill(_alive(processes | set().union(*(_tree(pid) for pid in pids))))


if __name__ == "__main__":
    _guard()
