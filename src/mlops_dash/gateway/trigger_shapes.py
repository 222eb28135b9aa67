"""What /v1/triggers takes and answers, for OpenAPI."""

from __future__ import annotations

from mlops_dash.gateway.shapes import REFUSALS, TEXT, Shape, answer

_SHORT: Shape = {**TEXT, "maxLength": 200}

CALLED: Shape = {
    "description": "Starts the run of a schedule made with --on-call. Its pause between runs, budget and blackout "
    "hold: a call that may start nothing is refused with 409 and the reason. As mlops-dash schedule call.",
    "parameters": [
        {"name": "schedule", "in": "path", "required": True, "description": "Its name or id", "schema": TEXT}
    ],
    "requestBody": {
        "required": False,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "additionalProperties": False,
                    "properties": {
                        "key": {**_SHORT, "description": "Names the occasion: the same key starts one run only"},
                        "reason": {**_SHORT, "description": "Why; it goes into the ledger"},
                        "dry_run": {"type": "boolean", "default": False, "description": "Say it, change nothing"},
                    },
                },
                "example": {"key": "load-2026-03-01", "reason": "the month is loaded"},
            }
        },
    },
    "responses": {
        "200": answer(
            "Queued, or queued before by the same key",
            {"schedule": "on load", "job": "...", "state": "queued", "again": False, "why_not": ""},
        ),
        "409": answer(
            "Nothing may start now", {"error_code": "CONFLICT", "message": "Held back until ...", "hint": "..."}
        ),
        **REFUSALS,
    },
}
