"""Events over HTTP: what happened to units, and which events there are."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

from fastapi import FastAPI, Request

from mlops_dash.bootstrap import Services
from mlops_dash.domain.access import Actor
from mlops_dash.errors import InvalidInput
from mlops_dash.gateway.answers import left_out, skips
from mlops_dash.gateway.pushes import Push
from mlops_dash.gateway.shapes import ON_ERROR, REFUSALS, TEXT, TIME, Shape, answer

FIELDS = {"model", "events"}
Answer = Callable[[Request, set[str], Push], Awaitable[dict[str, Any]]]

_EVENT = {"id": "order-4711", "unit": "user-17", "name": "revenue", "value": 24.9, "at": "2026-03-01T09:00:00Z"}
SENT: Shape = {
    "parameters": [ON_ERROR],
    "description": "What an A/B test may count, joined to its arms by `unit`. An id is one event for ever: sent again "
    "it is nothing new. As mlops-dash events FILE.",
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["model", "events"],
                    "additionalProperties": False,
                    "properties": {
                        "model": TEXT,
                        "events": {
                            "type": "array",
                            "maxItems": 100_000,
                            "items": {
                                "type": "object",
                                "required": ["id", "unit", "name"],
                                "additionalProperties": False,
                                "properties": {
                                    "id": {**TEXT, "maxLength": 200},
                                    "unit": {
                                        "type": ["string", "integer"],
                                        "description": "A user, an account, a session, or a prediction's id",
                                    },
                                    "name": {**TEXT, "maxLength": 200, "description": "What happened"},
                                    "value": {"type": "number", "description": "How much; 1 when left out"},
                                    "at": TIME,
                                },
                            },
                        },
                    },
                },
                "example": {"model": "queue-minutes", "events": [_EVENT]},
            }
        },
    },
    "responses": {
        "200": answer("Stored", {"new": 1, "known": 0}),
        "409": answer("An id is known with another event", {"error_code": "CONFLICT", "message": "...", "hint": "..."}),
        **REFUSALS,
    },
}
LISTED: Shape = {
    "parameters": [{"name": "model", "in": "query", "required": False, "schema": TEXT}],
    "responses": {
        "200": answer(
            "By model and name",
            {
                "events": [
                    {"model": "queue-minutes", "name": "revenue", "events": 1240, "first": "...", "last": "..."},
                ]
            },
        ),
        **REFUSALS,
    },
}


def add_routes(app: FastAPI, answered: Answer) -> None:
    """The route that takes events."""

    @app.post("/v1/events", summary="Say what happened to a user, an account, a session", openapi_extra=SENT)
    async def events(request: Request) -> dict[str, Any]:
        return await answered(request, FIELDS, partial(push_events, skip=skips(request)))


def push_events(made: Services, who: Actor, sent: Mapping[str, Any], *, skip: bool) -> dict[str, Any]:
    """Keep events; those that are known are nothing new.

    Raises:
        NotFound: no such model.
        InvalidInput, InvalidRow, Conflict: a rule is broken; nothing is stored.
    """
    model = sent.get("model")
    if not isinstance(model, str) or not model:
        raise InvalidInput("'model' is missing.", hint="Name the model.")
    kept = made.scoring.record_events(who, model, sent.get("events"), skip=skip)
    return {"new": kept.new, "known": kept.known, **left_out(kept.left_out)}


def list_events(made: Services, who: Actor, asked: Mapping[str, str]) -> dict[str, Any]:
    """Which events there are.

    Raises:
        NotFound: no such model.
    """
    return {"events": [one.as_json() for one in made.scoring.events(who, asked.get("model", ""))]}
