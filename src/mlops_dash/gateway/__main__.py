"""`python -m mlops_dash.gateway`: serve until SIGTERM or SIGINT; exit 2 for bad settings, 3 when something is away."""

from __future__ import annotations

import os
import socket
import sys

from mlops_dash import log
from mlops_dash.errors import InvalidInput, MlopsDashError, Unavailable
from mlops_dash.settings import Settings, from_environment


def main() -> int:
    """Run the gateway on the settings' host and port."""
    # One row is scored faster by one thread than by a team of them; must be said before numpy is imported.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    try:
        settings = from_environment()
        log.configure("gateway", settings.logs)
        listening = _listen(settings)
        _serve(settings, listening)
    except MlopsDashError as error:
        sys.stderr.write(f"gateway: {error.sentence()}\n")
        return 3 if isinstance(error, Unavailable) else 2
    return 0


def _serve(settings: Settings, listening: socket.socket) -> None:
    import uvicorn

    from mlops_dash.bootstrap import build
    from mlops_dash.gateway.app import create_app

    services = build(settings)
    try:
        app = create_app(services, process=f"gateway:{settings.gateway_port}")
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=10,
            ws="none",
            proxy_headers=False,  # nothing here asks who the client is, so nobody may say it
        )
        uvicorn.Server(config).run(sockets=[listening])
    finally:
        services.close()
        listening.close()


def _listen(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    # With the protocol named, asyncio switches Nagle's algorithm off; without, each answer waits 40 ms for an ACK.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((settings.host, settings.gateway_port))
    except OSError as error:
        listening.close()
        raise InvalidInput(
            f"The gateway cannot listen on {settings.host}:{settings.gateway_port}: {error.strerror}.",
            hint="Set MLOPS_DASH_GATEWAY_PORT to a free port.",
        ) from error
    return listening


if __name__ == "__main__":
    raise SystemExit(main())
