"""The gateway's routes. Each answers only after what it answered is on disk."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from importlib.metadata import version as installed
from typing import Any, TypeVar

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.responses import HTMLResponse

from mlops_dash import __version__
from mlops_dash.bootstrap import Services
from mlops_dash.domain.access import Actor, Permission, system
from mlops_dash.errors import InvalidInput
from mlops_dash.gateway import (
    ab_tests,
    answers,
    events,
    model_shapes,
    models,
    monitoring,
    push_shapes,
    pushes,
    shapes,
    trigger_shapes,
    triggers,
)
from mlops_dash.gateway.access import Doorkeeper
from mlops_dash.gateway.docs import CONTENT_SECURITY_POLICY, page
from mlops_dash.gateway.follower import Follower
from mlops_dash.gateway.headers import unit_of
from mlops_dash.gateway.lanes import Lanes
from mlops_dash.gateway.metrics import GatewayMetrics, Measured
from mlops_dash.gateway.writer import Writer
from mlops_dash.metrics import CONTENT_TYPE, PATH
from mlops_dash.services.scoring import Pending, Stored

GATEWAY = system("gateway")
MOST_BYTES = 64 * 1024 * 1024
BODY_SECONDS = 60.0  # a body that never ends holds no connection for longer
METER_SECONDS = 1.0  # how often a process behind a shared port notes for the others what waits
THREADS = 4  # of what is not scored; more gain nothing, as Python runs one at a time
T = TypeVar("T")
_log = logging.getLogger(__name__)


class Gateway:
    """What the routes share."""

    def __init__(self, services: Services, process: str) -> None:
        self.services = services
        self.process = process
        self.writer = Writer(services.scoring, GATEWAY)
        self.follower = Follower(services.scoring, GATEWAY, process)
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="score")
        self.lanes = Lanes(services.scoring, GATEWAY)
        self.metrics = GatewayMetrics()

    def start(self) -> None:
        """Start the threads."""
        self.writer.start()
        self.follower.start()

    def close(self) -> None:
        """Store what waits, and end the threads."""
        self.follower.close()
        self.writer.close()
        self._threads.shutdown(wait=True, cancel_futures=True)
        self.lanes.close()

    def why_degraded(self) -> str:
        """What does not work now, in one sentence; "" when all is well."""
        if not self.writer.alive:
            return "The log's writer has ended."
        if self.follower.trouble:
            return self.follower.trouble
        silent = self.follower.silent
        return f"No version answers for {', '.join(silent)}." if silent else ""

    def not_logged(self, model: str, reason: str) -> None:
        """Note that an answer was given and not kept."""
        _log.warning("an answer was not logged", extra={"model": model, "reason": reason})
        self.metrics.not_logged.labels(self.metrics.model(model)).inc()

    async def keep(self, pending: Pending) -> Stored:
        """Store with the group, and count it."""
        stored = await self.writer.store(pending)
        labels = stored.labels.new + stored.labels.revised
        self.metrics.stored(pending.model, predictions=stored.predictions, labels=labels)
        return stored

    def meter(self) -> None:
        """Note how things are now."""
        self.metrics.set(
            model=self.lanes.waiting, disk=self.writer.waiting, degraded=bool(self.why_degraded())
        )  # fmt: skip

    async def meter_for_ever(self) -> None:
        """Note it every second."""
        while True:
            self.meter()
            await asyncio.sleep(METER_SECONDS)

    async def off_loop(self, call: Callable[[], T]) -> T:
        """Run `call` in a thread."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, call)

    async def store(self, prepare: Callable[[], Pending]) -> dict[str, Any]:
        """Check predictions in a thread, store them with the group, and say what became of them."""
        pending = await self.off_loop(prepare)
        stored = await self.keep(pending)
        return {
            "batch": pending.batch_id,
            "stored": stored.predictions,
            "known": len(pending.predictions) - stored.predictions,
            "prediction_ids": pending.prediction_ids,
            **answers.left_out(pending.left_out),
        }


def create_app(services: Services, *, process: str) -> FastAPI:
    """The gateway as an ASGI application; its threads live as long as it does."""
    gateway = Gateway(services, process)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        gateway.start()
        metering = asyncio.create_task(gateway.meter_for_ever())
        yield
        metering.cancel()
        await asyncio.to_thread(gateway.close)

    app = FastAPI(
        title="mlops-dash gateway",
        version=__version__,
        description=shapes.ABOUT,
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        swagger_ui_oauth2_redirect_url=None,
        telemetry={
            "tracing": False,
            "metrics": False,
            "logs": False,
            "operation_spans": False,
            "auto_configure": False,
        },
    )
    made = services.context.settings
    app.add_middleware(
        Doorkeeper,
        actor_for_token=services.access.actor_for_token,
        open_invocations=made.open_invocations and made.on_loopback,
    )
    app.add_middleware(Measured, metrics=gateway.metrics)  # outermost, so that who is refused is counted too
    answers.register(app)
    _health_routes(app, gateway)
    _scoring_routes(app, gateway)
    _log_routes(app, gateway)
    _push_routes(app, gateway)
    _model_routes(app, gateway)
    _trigger_routes(app, gateway)
    return app


def _health_routes(app: FastAPI, gateway: Gateway) -> None:
    mlflow_version = installed("mlflow")

    @app.get("/ping", summary="Is anybody there?", openapi_extra={"security": []})
    async def ping() -> Response:
        return Response("\n", media_type="application/json")

    @app.get("/version", summary="The version of MLflow whose protocol is spoken", openapi_extra={"security": []})
    async def version() -> Response:
        return Response(mlflow_version, media_type="application/json")

    @app.get("/healthz", summary="Is it well? And what time is it in this world?", openapi_extra={"security": []})
    async def healthz() -> dict[str, str]:
        why = gateway.why_degraded()
        now = await asyncio.to_thread(gateway.services.context.clock.now)  # never behind a model that loads
        status = {"status": "degraded", "why": why} if why else {"status": "ok"}
        return {**status, "process": gateway.process, "now": now.isoformat()}

    @app.get(PATH, summary="What Prometheus reads: requests, latencies, rows, what waits", openapi_extra=shapes.METRICS)
    async def metrics(request: Request) -> Response:
        _actor(request).require(Permission.ROOM_READ)
        gateway.meter()
        return Response(await gateway.off_loop(gateway.metrics.all.text), media_type=CONTENT_TYPE)

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return HTMLResponse(page(app.openapi()), headers={"Content-Security-Policy": CONTENT_SECURITY_POLICY})


def _scoring_routes(app: FastAPI, gateway: Gateway) -> None:
    scoring = gateway.services.scoring
    new_id = gateway.services.context.new_id

    @app.post("/models/{name}/invocations", summary="Score rows", openapi_extra=shapes.INVOCATIONS)
    async def invocations(name: str, request: Request) -> Response:
        body = await _body(request)
        batch_id = request.headers.get("x-prediction-batch") or new_id()
        asked = scoring.ask(
            _actor(request), name, body, request.headers.get("content-type", ""), batch_id=batch_id,
            ids_column=request.headers.get("x-prediction-ids-column", ""),
            unit=unit_of(request.headers.raw),
        )  # fmt: skip
        answered = await gateway.lanes.answer(asked)
        headers = {}
        if answered.not_logged:
            gateway.not_logged(name, answered.not_logged)
            headers = {"X-Prediction-Not-Logged": _header(answered.not_logged)}
        if answered.pending is not None:
            stored = await gateway.keep(answered.pending)
            known = len(answered.pending.predictions) - stored.predictions
            headers["X-Prediction-Batch"] = batch_id
            if known:  # sent again: the log keeps what it has
                headers["X-Prediction-Known"] = str(known)
            if answered.pending.version:  # "" when an A/B test split the batch: the batch says whose row it is
                headers["X-Model-Version"] = answered.pending.version
        return Response(answered.body, answered.status, headers, answered.media_type)

    @app.get("/v1/serving", summary="Which version answers for which model", openapi_extra=shapes.SERVING)
    async def serving(request: Request) -> list[dict[str, Any]]:
        served = await gateway.off_loop(lambda: scoring.serving(_actor(request)))
        return [dict(vars(one)) for one in served]


def _log_routes(app: FastAPI, gateway: Gateway) -> None:
    scoring = gateway.services.scoring

    @app.post("/v1/predictions", summary="Log predictions made elsewhere", openapi_extra=shapes.PREDICTIONS)
    async def predictions(request: Request) -> dict[str, Any]:
        skip, body = answers.skips(request), await _body(request)

        def prepare() -> Pending:
            sent = _object(body, {"model", "batch", "predictions"})
            batch_id = sent.get("batch")
            if batch_id is not None and not isinstance(batch_id, str):
                raise InvalidInput("'batch' is not a text.", hint="Leave it out, or name the batch.")
            model, rows, who = _model(sent), sent.get("predictions"), _actor(request)
            for version in scoring.new_versions(who, model, rows):  # of a model that others serve
                gateway.services.registry.record_version(GATEWAY, model, version, note=f"its first rows: {who.name}")
            return scoring.prepare_predictions(_actor(request), model, rows, batch_id=batch_id, skip=skip)

        return await gateway.store(prepare)

    @app.get("/v1/predictions/{batch:path}", summary="The ids and versions of a batch", openapi_extra=shapes.BATCH)
    async def batch(batch: str, request: Request) -> dict[str, Any]:
        rows = await gateway.off_loop(lambda: scoring.batch(_actor(request), batch))
        answered = [
            {**vars(row), "answers": [{"version": v, "role": r, "score": s} for v, r, s in row.answers]} for row in rows
        ]
        return {"batch": batch, "rows": answered}

    @app.post("/v1/labels", summary="Say what turned out true", openapi_extra=shapes.LABELS)
    async def labels(request: Request) -> dict[str, Any]:
        skip, body = answers.skips(request), await _body(request)

        def prepare() -> Pending:
            sent = _object(body, {"model", "labels"})
            return scoring.prepare_labels(_actor(request), _model(sent), sent.get("labels"), skip=skip)

        pending = await gateway.off_loop(prepare)
        return {**vars((await gateway.keep(pending)).labels), **answers.left_out(pending.left_out)}


def _push_routes(app: FastAPI, gateway: Gateway) -> None:
    made = gateway.services

    async def answer(request: Request, fields: set[str], push: pushes.Push) -> dict[str, Any]:
        body = await _body(request)
        return await gateway.off_loop(lambda: push(made, _actor(request), _object(body, fields)))

    events.add_routes(app, answer)

    @app.post("/v1/evidence", summary="Push evaluation rows of a version", openapi_extra=push_shapes.EVIDENCE)
    async def evidence(request: Request) -> dict[str, Any]:
        return await answer(request, pushes.EVIDENCE_FIELDS, pushes.push_evidence)

    @app.post(
        "/v1/evidence/comparisons", summary="Compare two versions on the ids that both pushed",
        openapi_extra=push_shapes.COMPARISON,
    )  # fmt: skip
    async def comparison(request: Request) -> dict[str, Any]:
        return await answer(request, pushes.COMPARISON_FIELDS, pushes.compare_evidence)

    @app.post("/v1/reference", summary="Say what live traffic is compared with", openapi_extra=push_shapes.REFERENCE)
    async def reference(request: Request) -> dict[str, Any]:
        return await answer(request, pushes.REFERENCE_FIELDS, pushes.push_reference)


def _model_routes(app: FastAPI, gateway: Gateway) -> None:
    made = gateway.services
    written: tuple[tuple[str, str, str, set[str], pushes.Push, shapes.Shape], ...] = (
        ("POST", "/v1/models", "Watch a model", models.MODEL_FIELDS, models.add_model, model_shapes.ADDED),
        ("PATCH", "/v1/models", "Say something else of it", models.EDIT_FIELDS, models.edit_model, model_shapes.EDITED),
        ("POST", "/v1/models/archive", "Take it out of pages, chores and serving", models.NAME_FIELDS,
         models.archive_model, model_shapes.ARCHIVED),
        ("POST", "/v1/models/restore", "Take it back as it was", models.NAME_FIELDS, models.restore_model,
         model_shapes.ARCHIVED),
        ("PUT", "/v1/policy", "Write the next version of a policy", models.POLICY_FIELDS, models.write_policy,
         model_shapes.WRITTEN),
        ("POST", "/v1/policy/activate", "Put a written version into force", models.ACTIVATION_FIELDS,
         models.activate_policy, model_shapes.ACTIVATED),
        *monitoring.ASKED,
        *ab_tests.ROUTES,
    )  # fmt: skip
    read = (
        ("/v1/models", "The models that are watched", models.list_models, model_shapes.MODELS),
        ("/v1/policy", "What a model is judged by", models.show_policy, model_shapes.POLICY),
        ("/v1/events", "Which events were sent", events.list_events, events.LISTED),
        ("/v1/ab-tests", "A/B tests, and what one says", ab_tests.list_tests, ab_tests.LISTED),
        *monitoring.TOLD,
    )

    def writes(known: set[str], call: pushes.Push) -> Callable[[Request], Awaitable[dict[str, Any]]]:
        async def route(request: Request) -> dict[str, Any]:
            body = await _body(request)
            return await gateway.off_loop(lambda: call(made, _actor(request), _object(body, known)))

        return route

    def reads(
        call: Callable[[Services, Actor, Mapping[str, str]], dict[str, Any]],
    ) -> Callable[[Request], Awaitable[dict[str, Any]]]:
        async def route(request: Request) -> dict[str, Any]:
            asked = dict(request.query_params)
            return await gateway.off_loop(lambda: call(made, _actor(request), asked))

        return route

    for method, path, summary, known, push, shape in written:
        app.add_api_route(path, writes(known, push), methods=[method], summary=summary, openapi_extra=shape)
    for path, summary, call, shape in read:
        app.add_api_route(path, reads(call), methods=["GET"], summary=summary, openapi_extra=shape)


def _trigger_routes(app: FastAPI, gateway: Gateway) -> None:
    @app.post("/v1/triggers/{schedule:path}", summary="Start a schedule that waits for calls",
              openapi_extra=trigger_shapes.CALLED)  # fmt: skip
    async def called(schedule: str, request: Request) -> dict[str, Any]:
        body = await _body(request)

        def call() -> dict[str, Any]:
            sent = _object(body, {"key", "reason", "dry_run"}) if body else {}
            return triggers.call(gateway.services, _actor(request), schedule, sent)

        return await gateway.off_loop(call)


def _actor(request: Request) -> Actor:
    actor: Actor = request.state.actor
    return actor


def _header(text: str) -> str:
    """A sentence as a header may carry it: printable ASCII, 300 characters at most."""
    return "".join(sign if " " <= sign <= "~" else "?" for sign in text[:300])


async def _body(request: Request) -> bytes:
    parts, size = [], 0
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for part in request.stream():
                size += len(part)
                if size > MOST_BYTES:
                    raise InvalidInput(f"The body is larger than {MOST_BYTES // 2**20} MiB.", hint="Send it in parts.")
                parts.append(part)
    except TimeoutError:
        raise HTTPException(408, f"the body did not end within {BODY_SECONDS:.0f} s", {"Connection": "close"}) from None
    return b"".join(parts)


def _object(body: bytes, known: set[str]) -> dict[str, Any]:
    try:
        sent = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"The body is not JSON: {error}.", hint="See /docs for the shape of a request.") from None
    if not isinstance(sent, dict):
        raise InvalidInput("The body is not a JSON object.", hint="See /docs for the shape of a request.")
    other = sorted(set(sent) - known)
    if other:
        raise InvalidInput(f"{other[0]!r} is not a field.", hint=f"Known are {', '.join(sorted(known))}.")
    return sent


def _model(sent: dict[str, Any]) -> str:
    model = sent.get("model")
    if not isinstance(model, str) or not model:
        raise InvalidInput("'model' is missing.", hint="Name the model.")
    return model
