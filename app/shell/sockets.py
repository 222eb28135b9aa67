"""Answers leave at once: Nagle's algorithm off on the sockets this process listens on.

Streamlit binds its socket without naming the protocol, and asyncio then leaves the algorithm on: the second packet of
an answer, and of a rerun's messages, waits up to 40 ms for the browser's delayed acknowledgement
(Kludex/uvicorn#3149). Accepted connections inherit the option from the listening socket.
"""

from __future__ import annotations

import os
import socket
import stat
from contextlib import suppress
from pathlib import Path

_DESCRIPTORS = Path("/dev/fd")  # Linux and macOS


def without_delay() -> int:
    """Set TCP_NODELAY on every listening TCP socket of this process; returns how many there are."""
    n = 0
    for one in list(_DESCRIPTORS.iterdir()) if _DESCRIPTORS.is_dir() else ():
        with suppress(OSError):  # closed meanwhile
            if not stat.S_ISSOCK(os.fstat(int(one.name)).st_mode):
                continue  # closing the copy of a file would drop this process's locks on it, SQLite's too
            with socket.socket(fileno=os.dup(int(one.name))) as copy:
                if (
                    copy.family in {socket.AF_INET, socket.AF_INET6}
                    and copy.type == socket.SOCK_STREAM
                    and (copy.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
                ):
                    copy.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    n += 1
    return n
