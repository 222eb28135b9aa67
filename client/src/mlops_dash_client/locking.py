"""Who owns a folder of the spool? The process that holds its lock; a process that died holds none."""

from __future__ import annotations

import os
import sys
from pathlib import Path

NAME = "lock"

if sys.platform == "win32":
    import msvcrt

    def _take(file: int) -> None:
        msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _take(file: int) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


class Lock:
    """A lock on a folder, held until it is released or the process ends."""

    def __init__(self, folder: Path) -> None:
        """Take the lock.

        Raises:
            OSError: another holds it, or the folder cannot be written.
        """
        self._file = os.open(str(folder / NAME), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            _take(self._file)
        except OSError:
            os.close(self._file)
            raise

    def release(self) -> None:
        """Let go; in a forked child this leaves the lock with the parent."""
        os.close(self._file)
