"""Several gateways behind one port: where one process no longer keeps up, as Python runs one thread at a time.

Each member is a gateway like a single one, with its own models in memory, its own heartbeat (a promotion is confirmed
when all of them answer with the new version) and its own group commit. The kernel gives each new connection to one of
them (SO_REUSEPORT), so a client that keeps one connection always speaks to the same member. What they store meets in
the database alone, whose keys say what is known already. A member that ends is started again while the others answer.
"""

from __future__ import annotations

import socket
import sys
import time
from collections.abc import Mapping

from mlops_dash.errors import InvalidInput
from mlops_dash.metrics import fresh_folder
from mlops_dash.ports import free_port
from mlops_dash.settings import LOOPBACK, Settings
from mlops_dash.supervisor import ChildSpec, Supervisor

_FREED_SECONDS = 6.0  # how long members of a parent that was killed may take to end: their guard gives them three


def name_of(member: int) -> str:
    """What a member is called in logs; members count from 1."""
    return f"gateway-{member}"


def run(settings: Settings) -> int:
    """Keep the members running until a signal ends this process; gives its exit code.

    Raises:
        InvalidInput: the port is taken.
    """
    _refuse_a_taken_port(settings)
    health: list[int] = []
    for _ in range(settings.gateway_processes):
        health.append(free_port(settings.gateway_port + 1, avoid=health))
    counted = fresh_folder(settings.home / "metrics")
    children = [_member(settings, number, port, counted) for number, port in enumerate(health, 1)]
    return Supervisor(children).run()


def listen(host: str, port: int, *, shared: bool = False) -> socket.socket:
    """A socket bound to a port; with `shared`, one of several processes that take its connections in turn.

    Raises:
        InvalidInput: the port is taken.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With the protocol named, asyncio switches Nagle's algorithm off; without, each answer waits 40 ms for an ACK.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        raise InvalidInput(
            f"The gateway cannot listen on {host}:{port}: {error.strerror}.",
            hint="Set MLOPS_DASH_GATEWAY_PORT to a free port.",
        ) from error
    return listening


def _refuse_a_taken_port(settings: Settings) -> None:
    """Two installations must not share a port by accident, as the kernel would let them; a dying one is waited for."""
    until = time.monotonic() + _FREED_SECONDS
    while True:
        try:
            listen(settings.host, settings.gateway_port).close()
        except InvalidInput:
            if time.monotonic() >= until:
                raise
            time.sleep(0.2)
        else:
            return


def _member(settings: Settings, number: int, port: int, counted: Mapping[str, str]) -> ChildSpec:
    """One member; whether it is well it says on a loopback port of its own, as the shared one may ask any."""
    name = name_of(number)
    argv = (sys.executable, "-m", "mlops_dash.gateway", "--member", str(number), "--health-port", str(port))
    return ChildSpec(
        name=name,
        argv=argv,
        env=dict(counted),
        url="",
        health_url=f"http://{LOOPBACK}:{port}/healthz",
        log_path=settings.logs / f"{name}.out.log",
    )
