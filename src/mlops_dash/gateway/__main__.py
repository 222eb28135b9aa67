"""`python -m mlops_dash.gateway`: serve until SIGTERM or SIGINT; exit 2 for bad settings, 3 when something is away."""

from __future__ import annotations

import argparse
import gc
import os
import socket
import sys
from collections.abc import Sequence

from mlops_dash import log
from mlops_dash.errors import MlopsDashError, Unavailable
from mlops_dash.gateway import members
from mlops_dash.settings import LOOPBACK, Settings, from_environment


def main(argv: Sequence[str] | None = None) -> int:
    """Run the gateway on the settings' host and port: this process, or as many below it as the settings say."""
    # One row is scored faster by one thread than by a team of them; must be said before numpy is imported.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    parser = argparse.ArgumentParser(prog="gateway")
    parser.add_argument("--member", type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument("--health-port", type=int, default=0, help=argparse.SUPPRESS)
    arguments = parser.parse_args(argv)
    try:
        settings = from_environment()
        if arguments.member:
            name = members.name_of(arguments.member)
            log.configure(name, settings.logs)
            shared = members.listen(settings.host, settings.gateway_port, shared=True)
            health = members.listen(LOOPBACK, arguments.health_port)
            _serve(settings, [shared, health], process=f"gateway:{settings.gateway_port}/{arguments.member}")
        elif settings.gateway_processes > 1:
            log.configure("gateway", settings.logs)
            return members.run(settings)
        else:
            log.configure("gateway", settings.logs)
            listening = members.listen(settings.host, settings.gateway_port)
            _serve(settings, [listening], process=f"gateway:{settings.gateway_port}")
    except MlopsDashError as error:
        sys.stderr.write(f"gateway: {error.sentence()}\n")
        return 3 if isinstance(error, Unavailable) else 2
    return 0


def _serve(settings: Settings, sockets: list[socket.socket], *, process: str) -> None:
    import uvicorn

    from mlops_dash.bootstrap import build
    from mlops_dash.gateway.app import create_app

    services = build(settings)
    try:
        app = create_app(services, process=process)
        gc.freeze()  # what was imported is no garbage: no request waits until it was walked through
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=10,
            ws="none",
            proxy_headers=False,  # nothing here asks who the client is, so nobody may say it
        )
        uvicorn.Server(config).run(sockets=sockets)
    finally:
        services.close()
        for one in sockets:
            one.close()


if __name__ == "__main__":
    raise SystemExit(main())
