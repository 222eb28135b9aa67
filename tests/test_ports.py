"""Ports: the next free one is taken, and none that another installation keeps."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import pytest

from mlops_dash.ports import free_port


def test_a_taken_port_gives_the_next_free_one() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        found = free_port(port)
        assert found != port
        assert free_port(port, avoid={found}) not in {port, found}


def test_a_free_port_is_kept() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert free_port(port) == port


@pytest.mark.skipif(sys.platform != "linux", reason="ports are reserved on Linux only")
def test_a_port_that_another_installation_keeps_for_a_slow_child_is_not_given_away() -> None:
    port = free_port(20_000 + os.getpid() % 20_000)
    code = f"from mlops_dash.ports import free_port; print(free_port({port}))"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert free_port(port) == port  # it is ours, though nobody listens yet
    assert int(other.stdout) != port
