"""Which ports may our processes listen on? On loopback, and never one that another installation has chosen."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Collection

_RESERVED: dict[int, socket.socket] = {}


def free_port(preferred: int, *, avoid: Collection[int] = ()) -> int:
    """Return `preferred` when it is free on loopback, else the next free one of the following 50, else any free one.

    Another installation that starts at the same time does not get it too: a child may need half a minute until it
    listens, and who asks the port meanwhile would talk to the wrong server.
    """
    for port in range(preferred, min(preferred + 51, 65_536)):
        if port not in avoid and _can_listen(port) and _reserve(port):
            return port
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        if port not in avoid and _reserve(port):
            return port


def _reserve(port: int) -> bool:
    """Keep a port for this process until it ends; False when another keeps it. Elsewhere than on Linux always True."""
    if sys.platform != "linux" or port in _RESERVED:
        return True
    name = socket.socket(socket.AF_UNIX)
    try:
        name.bind(f"\0mlops-dash-port-{port}")  # in the abstract namespace: no file, and gone with the process
    except OSError:
        name.close()
        return False
    _RESERVED[port] = name
    return True


def _can_listen(port: int) -> bool:
    with socket.socket() as probe:
        if os.name == "posix":  # a port that was just closed is free; elsewhere the option would steal a port in use
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
