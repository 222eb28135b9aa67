"""Runs one command in a tree of processes that cannot outlive us, with a log, a time limit and a memory limit.

    worker  --pipe-->  guard (own session, adopts orphans)  -->  the command  -->  whatever it starts

The worker holds the writing end of a pipe that nobody ever writes to. When the worker closes it, or dies in any way
(kill -9 included), the guard reads the end of it and ends everything below itself. The guard is this same file, run as
`python -m mlops_dash.training.launcher FD GRACE COMMAND...`, and needs nothing but the standard library and psutil.
"""

from __future__ import annotations

import contextlib
import logging
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import IO

import psutil

from mlops_dash.processes import (
    Limits,
    become_subreaper,
    end,
    end_tree,
    environment,
    reap_children,
    resident_mib,
    tree,
)

POLL_SECONDS = 0.2
LOG_BYTES = 20_000_000
LINE_BYTES = 10_000
_log = logging.getLogger(__name__)
_MODULE = "mlops_dash.training.launcher"


class Ending(StrEnum):
    """How a run ended."""

    EXITED = "exited"  # by itself: see `code`
    STOPPED = "stopped"  # we were asked to stop it
    TIMED_OUT = "timed_out"
    OUT_OF_MEMORY = "out_of_memory"


@dataclass(frozen=True)
class Exit:
    """How a run ended. `code` is the command's own exit code, negative for a signal; None when we ended it."""

    ending: Ending
    code: int | None
    seconds: float
    peak_mib: float
    sentence: str

    @property
    def ok(self) -> bool:
        """Whether the command ended by itself and successfully."""
        return self.ending is Ending.EXITED and self.code == 0


@dataclass
class _Watch:
    """What the polling loop has seen so far."""

    started: float = field(default_factory=time.monotonic)
    peak_mib: float = 0.0
    seen: dict[int, psutil.Process] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.started


def launch(
    command: Sequence[str],
    *,
    log: Path,
    limits: Limits,
    should_stop: Callable[[], bool],
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    variables: Mapping[str, str] | None = None,
    folder: str = "",
    heard: Callable[[str], object] | None = None,
) -> Exit:
    """Run `command` to its end and say how it ended; afterwards nothing it started lives any more.

    Args:
        command: Program and arguments.
        log: Output of the whole tree is appended here, each line with its time; the folder is made.
        limits: Time, memory and threads.
        should_stop: Asked a few times a second; True ends the run.
        now: The clock of the log's times.
        variables: Added to the environment.
        folder: Where it works; "" = where we are.
        heard: Is told each line as it comes, also when the log is full. It must not raise.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    reading_end, writing_end = os.pipe()
    guard = subprocess.Popen(
        [sys.executable, "-m", _MODULE, str(reading_end), str(limits.grace_seconds), *command],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        pass_fds=(reading_end,), start_new_session=True, cwd=folder or None,
        env={**environment(os.environ, threads=limits.threads), **_found(variables or {})},
    )  # fmt: skip
    os.close(reading_end)
    assert guard.stdout is not None
    pump = threading.Thread(target=_pump, args=(guard.stdout, log, now, heard), name="job-log", daemon=True)
    pump.start()
    watch = _Watch()
    try:
        ending = _watch_until_the_end(guard, limits, should_stop, watch)
    finally:
        os.close(writing_end)  # the guard ends its tree now, if it has not already
        _wait_for_the_guard(guard, limits, watch)
        pump.join(limits.grace_seconds)
    code = guard.returncode if ending is Ending.EXITED else None
    code = None if code is None else _plain_code(code)
    return Exit(ending, code, watch.seconds, watch.peak_mib, _sentence(ending, code, limits, watch))


def _found(variables: Mapping[str, str]) -> dict[str, str]:
    """The variables, and our own package on the children's path wherever we were started from."""
    here = str(Path(__file__).resolve().parents[2])
    return {"PYTHONPATH": os.pathsep.join(filter(None, [here, os.environ.get("PYTHONPATH", "")])), **variables}


def _watch_until_the_end(
    guard: subprocess.Popen[bytes], limits: Limits, should_stop: Callable[[], bool], watch: _Watch
) -> Ending:
    while True:
        with contextlib.suppress(subprocess.TimeoutExpired):
            guard.wait(POLL_SECONDS)
            return Ending.EXITED
        below = tree(guard.pid, with_root=False)
        watch.seen.update({process.pid: process for process in below})
        held = resident_mib(below)
        watch.peak_mib = max(watch.peak_mib, held)
        if held > limits.memory_mib:
            return Ending.OUT_OF_MEMORY
        if watch.seconds > limits.timeout_seconds:
            return Ending.TIMED_OUT
        if should_stop():
            return Ending.STOPPED


def _wait_for_the_guard(guard: subprocess.Popen[bytes], limits: Limits, watch: _Watch) -> None:
    try:
        guard.wait(6 * limits.grace_seconds + 10)
    except subprocess.TimeoutExpired:
        end(tree(guard.pid), grace_seconds=limits.grace_seconds)
        guard.wait()
    # The guard itself may have been killed: then its children are not ours to find but by what we saw before.
    end([process for process in watch.seen.values() if process.is_running()], grace_seconds=limits.grace_seconds)
    if guard.returncode < 0:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(guard.pid, signal.SIGKILL)


def _pump(
    output: IO[bytes], log: Path, now: Callable[[], datetime], heard: Callable[[str], object] | None = None
) -> None:
    with output, log.open("ab", buffering=0) as file:
        written, within = file.tell(), False
        # Read to the end whatever happens: a full pipe would stop the run. A line without an end is read in pieces.
        for line in iter(partial(output.readline, LINE_BYTES), b""):
            rest, within = within, not line.endswith(b"\n")
            if heard is not None and not rest:
                heard(line.decode(errors="replace").rstrip("\r\n"))
            if rest or written > LOG_BYTES:
                continue
            stamp = now().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ ")
            entry = stamp.encode() + line.rstrip(b"\r\n") + b"\n"
            if written + len(entry) > LOG_BYTES:
                entry = f"{stamp}WARNING the log is full at {LOG_BYTES:,} bytes; the rest is dropped\n".encode()
                written = LOG_BYTES + 1
            try:
                written += file.write(entry)
            except OSError as error:
                _log.error("the job's log cannot be written", extra={"log": str(log), "why": str(error)})
                written = LOG_BYTES + 1


def _sentence(ending: Ending, code: int | None, limits: Limits, watch: _Watch) -> str:
    if ending is Ending.TIMED_OUT:
        return f"Stopped after {watch.seconds:.0f} s; the recipe allows {limits.timeout_seconds:.0f} s."
    if ending is Ending.OUT_OF_MEMORY:
        return f"Stopped at {watch.peak_mib:,.0f} MiB of memory; the recipe allows {limits.memory_mib:,.0f} MiB."
    if ending is Ending.STOPPED:
        return "Stopped on request."
    if code == 0:
        return f"Finished after {watch.seconds:.0f} s; {watch.peak_mib:,.0f} MiB at most."
    if code is not None and code < 0:
        return f"The process was ended by {_signal_name(-code)} after {watch.seconds:.0f} s."
    return f"The process ended with code {code} after {watch.seconds:.0f} s."


def _plain_code(code: int) -> int:
    """The guard says a command's signal as 128 + number, as shells do."""
    return 128 - code if code > 128 else code


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


# --- the guard: its own process ---------------------------------------------------------------------------------------


def guard_main(arguments: Sequence[str]) -> int:
    """Start the command, wait for its end or for the end of the pipe, and leave nothing behind."""
    lifeline, grace_seconds = int(arguments[0]), float(arguments[1])
    os.set_inheritable(lifeline, False)
    become_subreaper()
    for number in (signal.SIGINT, signal.SIGTERM):  # only the end of the pipe ends us
        signal.signal(number, signal.SIG_IGN)
    child = subprocess.Popen(list(arguments[2:]), stdin=subprocess.DEVNULL, preexec_fn=_restore_signals)  # noqa: PLW1509
    waker = os.pidfd_open(child.pid) if hasattr(os, "pidfd_open") else None
    watched = [lifeline] if waker is None else [lifeline, waker]
    while child.poll() is None:
        ready, _, _ = select.select(watched, [], [], None if waker is not None else 0.1)
        if lifeline in ready:
            break
    code = child.poll()
    end_tree(os.getpid(), grace_seconds=grace_seconds)
    reap_children()
    if code is None:
        return 1
    return 128 - code if code < 0 else code


def _restore_signals() -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)


if __name__ == "__main__":
    raise SystemExit(guard_main(sys.argv[1:]))
