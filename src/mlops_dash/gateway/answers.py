"""Errors as JSON: `error_code`, `message`, `hint`, and for a bad row its number, column, value and reason."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from mlops_dash import errors, ids
from mlops_dash.errors import InvalidInput, InvalidRow, MlopsDashError

_log = logging.getLogger(__name__)
# The first that fits counts.
STATUS: tuple[tuple[type[MlopsDashError], int, str], ...] = (
    (errors.InvalidRow, 422, "INVALID_ROW"),
    (errors.InvalidInput, 422, "INVALID_INPUT"),
    (errors.NotFound, 404, "NOT_FOUND"),
    (errors.NothingToServe, 409, "NOTHING_TO_SERVE"),
    (errors.Conflict, 409, "CONFLICT"),
    (errors.NotAuthenticated, 401, "NOT_AUTHENTICATED"),
    (errors.NotAllowed, 403, "NOT_ALLOWED"),
    (errors.BrokenModel, 503, "BROKEN_MODEL"),
    (errors.StoreUnavailable, 503, "STORE_UNAVAILABLE"),
    (errors.Unavailable, 503, "UNAVAILABLE"),
)


def refusal(error: MlopsDashError) -> JSONResponse:
    """The answer to an error raised on purpose."""
    status, code = next(((status, code) for kind, status, code in STATUS if isinstance(error, kind)), (500, "INTERNAL"))
    body: dict[str, Any] = {"error_code": code, "message": error.message, "hint": error.hint}
    if isinstance(error, InvalidRow):
        body |= {"row": error.row, "column": error.column, "value": error.value, "reason": error.reason}
    headers = {}
    if status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="mlops-dash", Basic realm="mlops-dash: any name, token as password"'
    if status == 503:
        headers["Retry-After"] = "2"
        _log.warning("refused", extra={"error_code": code, "reason": error.sentence()})
    return JSONResponse(body, status, headers)


def register(app: FastAPI) -> None:
    """Answer every error in one shape."""

    @app.exception_handler(MlopsDashError)
    async def on_purpose(_request: Request, error: MlopsDashError) -> JSONResponse:
        return refusal(error)

    @app.exception_handler(HTTPException)
    async def of_the_router(request: Request, error: HTTPException) -> JSONResponse:
        code = {404: "NOT_FOUND", 405: "METHOD_NOT_ALLOWED"}.get(error.status_code, "HTTP_ERROR")
        message = f"{request.method} {request.url.path}: {error.detail}."
        body = {"error_code": code, "message": message, "hint": "See /docs for what this gateway answers."}
        return JSONResponse(body, error.status_code, error.headers)

    @app.exception_handler(ClientDisconnect)
    async def nobody_waits(_request: Request, _error: ClientDisconnect) -> Response:
        return Response(status_code=499)  # nobody reads it; the body had not come whole, so nothing was stored

    @app.exception_handler(Exception)
    async def of_ours(request: Request, error: Exception) -> JSONResponse:
        incident = ids.new_id()[:8]
        _log.error("a request failed", extra={"incident": incident, "path": request.url.path}, exc_info=error)
        body = {
            "error_code": "INTERNAL",
            "message": f"Something of ours failed (incident {incident}).",
            "hint": "The gateway's log tells more under this incident.",
        }
        return JSONResponse(body, 500)


def skips(request: Request) -> bool:
    """Whether the good rows of a batch are stored where others are bad.

    Raises:
        InvalidInput: the request says neither.
    """
    wanted = request.query_params.get("on_error", "stop")
    if wanted not in {"stop", "skip"}:
        raise InvalidInput(f"on_error cannot be {wanted[:40]!r}.", hint="Use stop, which is so when left out, or skip.")
    return wanted == "skip"


def left_out(rows: Sequence[InvalidRow]) -> dict[str, Any]:
    """The bad rows of a batch whose good ones are stored; nothing where all are good."""
    told = [{"row": one.row, "column": one.column, "value": one.value, "reason": one.reason} for one in rows]
    return {"left_out": told} if told else {}
