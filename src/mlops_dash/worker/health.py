"""The worker's /healthz and /metrics."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from mlops_dash.errors import MlopsDashError, Unavailable
from mlops_dash.metrics import CONTENT_TYPE, PATH
from mlops_dash.settings import LOOPBACK

JSON = "application/json"


class HealthServer:
    """GET /healthz and /metrics on loopback, in a thread of its own; every other path is unknown."""

    def __init__(self, port: int, report: Callable[[], dict[str, object]], metrics: Callable[[], bytes]) -> None:
        class Answer(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, kind, body = self._answer()
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def _answer(self) -> tuple[int, str, bytes]:
                if self.path == "/healthz":
                    return 200, JSON, json.dumps(report()).encode()
                if self.path != PATH:
                    return 404, JSON, json.dumps({"error": f"Only /healthz and {PATH} are here."}).encode()
                try:
                    return 200, CONTENT_TYPE, metrics()
                except MlopsDashError as error:  # Prometheus then says that this process is down, and why
                    return 503, JSON, json.dumps({"error": error.sentence()}).encode()

            def log_message(self, format: str, *arguments: object) -> None:
                """Say nothing: the supervisor asks every second."""

        try:
            self._server = ThreadingHTTPServer((LOOPBACK, port), Answer)
        except OSError as error:
            raise Unavailable(
                f"The worker cannot listen on port {port}: {error.strerror}.", hint="Set MLOPS_DASH_WORKER_PORT."
            ) from error
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, name="healthz", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
