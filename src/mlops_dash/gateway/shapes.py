"""The gateway's requests and answers for OpenAPI. Bodies are read by hand: a bad row must be named in our words."""

from __future__ import annotations

from typing import Any

ABOUT = """Scores rows with the version that was approved, and remembers every answer before it is given.

Send `Authorization: Bearer TOKEN`. A bad row refuses its whole batch with row, column, value and reason; nothing is
stored then; `?on_error=skip` stores the good rows of /v1/predictions, /v1/labels and /v1/events and lists the bad. Of
rows that were answered here, those that cannot be kept are set aside: the header
X-Prediction-Not-Logged says how many and why, and the others are stored.
Sending the same batch again stores nothing twice.
"""

Shape = dict[str, Any]
TEXT: Shape = {"type": "string"}
TIME: Shape = {
    "type": "string",
    "format": "date-time",
    "description": "ISO 8601 with a zone, 1990 to 2099; now, when left out",
}


def answer(description: str, example: Any) -> Shape:
    """A JSON answer with its example."""
    return {"description": description, "content": {"application/json": {"example": example}}}


def _header(name: str, description: str) -> Shape:
    return {"name": name, "in": "header", "required": False, "description": description, "schema": TEXT}


REFUSALS: Shape = {
    "401": answer("No token, or not a valid one", {"error_code": "NOT_AUTHENTICATED", "message": "...", "hint": "..."}),
    "403": answer("The token's role may not do this", {"error_code": "NOT_ALLOWED", "message": "...", "hint": "..."}),
    "404": answer("No such model or batch", {"error_code": "NOT_FOUND", "message": "...", "hint": "..."}),
    "422": answer(
        "A bad row or body; nothing was stored",
        {
            "error_code": "INVALID_ROW",
            "message": "Row 3, column 'score', value 'high': a finite number is needed. Nothing was stored.",
            "hint": "Mend this row and send the whole batch again.",
            "row": 3,
            "column": "score",
            "value": "'high'",
            "reason": "a finite number is needed",
        },
    ),
    "503": answer("The log or the model is away", {"error_code": "STORE_UNAVAILABLE", "message": "...", "hint": "..."}),
}

INVOCATIONS: Shape = {
    "description": "MLflow's scoring protocol, byte for byte, with the version that is approved. The answer carries "
    "X-Prediction-Batch and X-Model-Version.",
    "parameters": [
        _header("X-Prediction-Batch", "The batch's name; its rows are name-0, name-1, ..."),
        _header("X-Prediction-Ids-Column", "A column that holds the rows' ids; the model does not see it"),
        _header(
            "X-Prediction-Unit",
            "Whom the rows are for, where an A/B test draws by user, account or session; else "
            "the test's column of the rows says it, also where the model does not take it. UTF-8, as its events are",
        ),
    ],
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {"type": "object"},
                "example": {"dataframe_split": {"columns": ["hour", "wind"], "data": [[7, 10.5], [18, None]]}},
            },
            "text/csv": {"schema": TEXT},
        },
    },
    "responses": {
        "200": answer("The answers", {"predictions": [[0.8, 0.2], [0.3, 0.7]]}),
        "400": answer("What MLflow refuses, in MLflow's words", {"error_code": "BAD_REQUEST", "message": "..."}),
        "409": answer("Nothing is approved", {"error_code": "NOTHING_TO_SERVE", "message": "...", "hint": "..."}),
        "415": {"description": "Neither JSON nor CSV in UTF-8, in MLflow's words"},
        **REFUSALS,
    },
}

ON_ERROR: Shape = {
    "name": "on_error",
    "in": "query",
    "required": False,
    "description": "skip: store the good rows and list the others in `left_out`; else one bad row refuses them all",
    "schema": {"enum": ["stop", "skip"], "default": "stop"},
}

PREDICTIONS: Shape = {
    "parameters": [ON_ERROR],
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["model", "predictions"],
                    "additionalProperties": False,
                    "properties": {
                        "model": TEXT,
                        "batch": {**TEXT, "description": "Rows without an id are named batch-0, batch-1, ..."},
                        "predictions": {
                            "type": "array",
                            "maxItems": 100_000,
                            "items": {
                                "type": "object",
                                "required": ["version", "features"],
                                "additionalProperties": False,
                                "properties": {
                                    "prediction_id": {**TEXT, "maxLength": 200},
                                    "at": TIME,
                                    "version": {
                                        **TEXT,
                                        "description": "One that is new is recorded where the model is served "
                                        "elsewhere",
                                    },
                                    "role": {"enum": ["champion", "arm", "shadow"], "default": "champion"},
                                    "score": {
                                        "type": ["number", "string"],
                                        "description": "0 to 1 for a binary model; the class that a multiclass one "
                                        "answered",
                                    },
                                    "scores": {
                                        "type": "object",
                                        "additionalProperties": {"type": "number", "minimum": 0, "maximum": 1},
                                        "description": "Of a multiclass model the probability of every class; without "
                                        "a score the most probable one is the answer",
                                    },
                                    "features": {
                                        "type": "object",
                                        "description": "Column and value, as the version's signature and its "
                                        "reference have them; null means missing",
                                    },
                                },
                            },
                        },
                    },
                },
                "example": {
                    "model": "flight-delay",
                    "batch": "monday",
                    "predictions": [{"version": "1", "score": 0.31, "features": {"hour": 7, "wind": None}}],
                },
            }
        },
    },
    "responses": {
        "200": answer("Stored", {"batch": "monday", "stored": 1, "known": 0, "prediction_ids": ["monday-0"]}),
        "409": answer(
            "An id is known with another row; nothing was stored",
            {"error_code": "CONFLICT", "message": "...", "hint": "..."},
        ),
        **REFUSALS,
    },
}

LABELS: Shape = {
    "parameters": [ON_ERROR],
    "description": "Another value than before is the next revision; the same value is nothing, nor is "
    "one that was known before with the same `observed_at` (a request sent again after a correction); a label "
    "whose prediction is not known yet waits for it.",
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["model", "labels"],
                    "additionalProperties": False,
                    "properties": {
                        "model": TEXT,
                        "labels": {
                            "type": "array",
                            "maxItems": 100_000,
                            "items": {
                                "type": "object",
                                "required": ["prediction_id", "value"],
                                "additionalProperties": False,
                                "properties": {
                                    "prediction_id": TEXT,
                                    "value": {
                                        "type": ["number", "string"],
                                        "description": "0 or 1 for a binary model; the true class of a multiclass one",
                                    },
                                    "observed_at": TIME,
                                },
                            },
                        },
                    },
                },
                "example": {"model": "flight-delay", "labels": [{"prediction_id": "monday-0", "value": 1}]},
            }
        },
    },
    "responses": {
        "200": answer("Stored", {"new": 1, "revised": 0, "unchanged": 0, "pending": 0}),
        **REFUSALS,
    },
}

BATCH: Shape = {
    "responses": {
        "200": answer(
            "Rows in their order",
            {
                "batch": "monday",
                "rows": [
                    {
                        "model": "flight-delay",
                        "row": 0,
                        "prediction_id": "monday-0",
                        "at": "2013-06-03T16:00:00+00:00",
                        "answers": [{"version": "1", "role": "champion", "score": 0.31}],
                    }
                ],
            },
        ),
        **REFUSALS,
    }
}

METRICS: Shape = {
    "responses": {
        "200": {"description": "Prometheus' text format", "content": {"text/plain": {"schema": {"type": "string"}}}},
        "401": REFUSALS["401"],
        "403": REFUSALS["403"],
    }
}
SERVING: Shape = {
    "responses": {
        "200": answer(
            "One line a model; `error` says why it is not what was approved",
            [{"model": "flight-delay", "version_id": "...", "version": "1", "epoch": 1, "error": ""}],
        ),
        "401": REFUSALS["401"],
    }
}
