"""The worker's /healthz."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from mlops_dash.errors import Unavailable
from mlops_dash.settings import LOOPBACK


class HealthServer:
    """GET /healthz on loopback, in a thread of its own; every other path is unknown."""

    def __init__(self, port: int, report: Callable[[], dict[str, object]]) -> None:
        class Answer(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                known = self.path == "/healthz"
                body = json.dumps(report() if known else {"error": "Only /healthz is here."}).encode()
                self.send_response(200 if known else 404)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

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
