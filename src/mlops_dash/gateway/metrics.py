"""What the gateway counts: requests with their latency, rows that were stored, what waits, and whether it is well."""

from __future__ import annotations

import time
from collections.abc import Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mlops_dash.metrics import PREFIX, Metrics

MOST_MODELS = 500  # names with series of their own; more share OTHER, so that nobody can make series without end
OTHER = "other"
_NO_ROUTE = "none"


class GatewayMetrics:
    """The series of one gateway process."""

    def __init__(self) -> None:
        self.all = Metrics()
        self.requests = self.all.counter(
            f"{PREFIX}gateway_requests", "Requests that were answered, refused ones included.",
            ("route", "model", "status"),
        )  # fmt: skip
        self.seconds = self.all.histogram(
            f"{PREFIX}gateway_request_seconds",
            "From the first byte of a request to the last of its answer, in seconds.",
            ("route", "model"),
        )
        self.rows = self.all.counter(
            f"{PREFIX}gateway_rows", "Rows that were stored in the log: predictions and labels.", ("model", "kind")
        )
        self.not_logged = self.all.counter(
            f"{PREFIX}gateway_answers_not_logged", "Answers that were given and could not be kept.", ("model",)
        )
        self.waiting = self.all.gauge(
            f"{PREFIX}gateway_waiting", "Requests that wait: for a model, or for the disk.", ("what",)
        )
        self.degraded = self.all.gauge(
            f"{PREFIX}gateway_degraded", "Processes of the gateway that are not well; /healthz says why."
        )
        self._models: set[str] = set()

    def model(self, name: str) -> str:
        """The label of a model."""
        if name in self._models or len(self._models) < MOST_MODELS:
            self._models.add(name)
            return name
        return OTHER

    def stored(self, model: str, *, predictions: int, labels: int) -> None:
        """Count what is on disk now."""
        for kind, rows in (("prediction", predictions), ("label", labels)):
            if rows:
                self.rows.labels(self.model(model), kind).inc(rows)

    def set(self, *, model: int, disk: int, degraded: bool) -> None:
        """Say how things are now."""
        self.waiting.labels("model").set(model)
        self.waiting.labels("disk").set(disk)
        self.degraded.set(degraded)


class Measured:
    """ASGI middleware that counts every request and its time."""

    def __init__(self, app: ASGIApp, *, metrics: GatewayMetrics, now: Callable[[], float] = time.perf_counter) -> None:
        self.app = app
        self._metrics = metrics
        self._now = now

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on, and count it when it is answered."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began, status = self._now(), 500

        async def seen(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, seen)
        finally:
            self._count(scope, status, self._now() - began)

    def _count(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", _NO_ROUTE)  # its pattern: an address has no series of its own
        name = str(scope.get("path_params", {}).get("name", ""))
        model = "" if status == 404 else self._metrics.model(name) if name else ""
        self._metrics.requests.labels(route, model, str(status)).inc()
        self._metrics.seconds.labels(route, model).observe(seconds)
