"""`python -m mlops_dash.worker`: work until SIGTERM or SIGINT; exit 2 for bad settings, 3 when something is away."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence

from mlops_dash import log
from mlops_dash.bootstrap import build
from mlops_dash.errors import MlopsDashError, Unavailable
from mlops_dash.settings import from_environment
from mlops_dash.worker import STALE_SECONDS, Worker


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until SIGTERM or SIGINT; exit 0 after a clean stop, 2 for bad settings, 3 when the database is away."""
    parser = argparse.ArgumentParser(prog="python -m mlops_dash.worker", description="Takes jobs and keeps house.")
    parser.add_argument("--stale-seconds", type=float, default=STALE_SECONDS, help="silence after which a job is lost")
    given = parser.parse_args(arguments)
    try:
        settings = from_environment()
        log.configure("worker", settings.logs)
        services = build(settings)
        worker = Worker(services, stale_seconds=given.stale_seconds)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: worker.stopping.set())
        worker.run()
        services.close()
    except MlopsDashError as error:
        sys.stderr.write(f"worker: {error.sentence()}\n")
        return 3 if isinstance(error, Unavailable) else 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
