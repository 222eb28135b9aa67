"""What a child process may use, and how its whole tree is measured and ended.

Knows processes only; no job, no database. RLIMIT_AS misfires with numpy (it reserves far more than it touches), so
resident memory of the tree is polled instead.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import psutil

_PR_SET_CHILD_SUBREAPER = 36
_THREAD_VARIABLES = (
    "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS", "LOKY_MAX_CPU_COUNT",
)  # fmt: skip


@dataclass(frozen=True)
class Limits:
    """How long a run may take, how much memory its processes may hold together, how many threads each may start."""

    timeout_seconds: float
    memory_mib: float
    threads: int = 2
    grace_seconds: float = 3.0  # between the polite signal and the last one


def environment(base: Mapping[str, str], *, threads: int) -> dict[str, str]:
    """`base` with every numerical library told how many threads to start, and output unbuffered."""
    return {**base, **dict.fromkeys(_THREAD_VARIABLES, str(threads)), "PYTHONUNBUFFERED": "1"}


def become_subreaper() -> bool:
    """Adopt orphans of our descendants, so that none can leave the tree. Linux only; says whether it worked."""
    if not sys.platform.startswith("linux"):
        return False
    return bool(ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0)


def tree(pid: int, *, with_root: bool = True) -> list[psutil.Process]:
    """The process and all its descendants that live now, the root last."""
    try:
        root = psutil.Process(pid)
        return [*root.children(recursive=True), *([root] if with_root else [])]
    except psutil.NoSuchProcess:
        return []


def resident_mib(processes: Iterable[psutil.Process]) -> float:
    """Resident memory of these processes together, in MiB; ones that ended count nothing."""
    total = 0
    for process in processes:
        with contextlib.suppress(psutil.Error):
            total += process.memory_info().rss
    return total / 2**20


def end(processes: Iterable[psutil.Process], *, grace_seconds: float) -> None:
    """End processes: SIGTERM to all, patience, SIGKILL to those that are left."""
    asked = list(processes)
    for process in asked:
        send(process, signal.SIGTERM)
    _, deaf = psutil.wait_procs(asked, timeout=grace_seconds)
    for process in deaf:
        send(process, signal.SIGKILL)
    psutil.wait_procs(deaf, timeout=grace_seconds)


def end_tree(pid: int, *, grace_seconds: float) -> None:
    """End all descendants of `pid` (not itself), again and again until none is left: a dying one may still fork."""
    deadline = time.monotonic() + 4 * grace_seconds + 5
    while found := [process for process in tree(pid, with_root=False) if _lives(process)]:
        end(found, grace_seconds=grace_seconds)
        reap_children()
        if time.monotonic() > deadline:
            return


def reap_children() -> None:
    """Collect children that ended, so that adopted ones do not stay as zombies."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0] != 0:
            pass


def send(process: psutil.Process, number: signal.Signals) -> None:
    """Send a signal; a process that is gone already is fine."""
    with contextlib.suppress(psutil.Error):
        process.send_signal(number)


def _lives(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False
