"""What /v1/evidence and /v1/reference take and answer, for OpenAPI."""

from __future__ import annotations

from typing import Any

from mlops_dash.gateway.shapes import REFUSALS, TEXT, TIME, Shape, answer

_VALUE: Shape = {"type": ["number", "string"]}
_NAME: Shape = {**TEXT, "maxLength": 200}
_SOURCE: Shape = {**_NAME, "description": "Where the rows are from, as people read it in the ledger"}
_MOMENT: Shape = {**TIME, "description": "ISO 8601 with a zone, 1990 to 2099"}
_CONFLICT = {"error_code": "CONFLICT", "message": "...", "hint": "..."}
_METRIC = {"metric": "mae", "value": 3.1, "low": 2.9, "high": 3.4, "level": 0.95, "n": 2400, "method": "..."}


def _body(required: list[str], properties: Shape, example: Any) -> Shape:
    schema = {"type": "object", "required": required, "additionalProperties": False, "properties": properties}
    return {"required": True, "content": {"application/json": {"schema": schema, "example": example}}}


def _rows(required: list[str], properties: Shape) -> Shape:
    row = {"type": "object", "required": required, "additionalProperties": False, "properties": properties}
    return {"type": "array", "maxItems": 100_000, "items": row}


_WHICH: Shape = {"model": TEXT, "version": {**_NAME, "description": "One that is new is recorded where the model is "
                                            "served elsewhere"}}  # fmt: skip

EVIDENCE: Shape = {
    "description": "The newest push of a version counts in gates; the same rows again change nothing. With `at` days "
    "are resampled, with `cluster` its groups, else rows are taken as independent. As mlops-dash evidence push.",
    "requestBody": _body(
        ["model", "version", "rows"],
        {
            **_WHICH,
            "source": _SOURCE,
            "rows": _rows(
                ["id", "label"],
                {
                    "id": {**_VALUE, "description": "Names a case, the same for every version"},
                    "label": {**_VALUE, "description": "What turned out true"},
                    "score": {**_VALUE, "description": "The probability, a regression's number, or the class"},
                    "scores": {
                        "type": "object",
                        "description": "Of several classes each one's probability, instead of a "
                        "score: log-loss and AUC are measured too",
                    },
                    "at": _MOMENT,
                    "cluster": _VALUE,
                    "slices": {"type": "object", "description": "Name and value; values of a name are measured apart"},
                },
            ),
        },
        {
            "model": "queue-minutes",
            "version": "2",
            "source": "nightly evaluation",
            "rows": [{"id": "c-1", "label": 12.5, "score": 11.0, "at": "2026-03-01T09:00:00Z"}],
        },
    ),
    "responses": {
        "200": answer(
            "Kept and measured",
            {"version": "queue-minutes v2", "rows": 2400, "digest": "...", "changed": True, "evidence": [_METRIC]},
        ),
        **REFUSALS,
    },
}

COMPARISON: Shape = {
    "description": "Paired by id; what the gates read. As mlops-dash evidence compare.",
    "requestBody": _body(
        ["model", "version"],
        {
            "model": TEXT,
            "version": _NAME,
            "with": {**_NAME, "description": "The version that answers now, when left out"},
        },
        {"model": "queue-minutes", "version": "2", "with": "1"},
    ),
    "responses": {
        "200": answer(
            "Compared",
            {"candidate": "queue-minutes v2", "comparator": "queue-minutes v1", "evidence": [_METRIC]},
        ),
        **REFUSALS,
    },
}

REFERENCE: Shape = {
    "description": "From rows, from a window of the log, or from its first labelled days: one of the three. The worker "
    "profiles what the version answered before against it, and judges within a minute. As mlops-dash reference push.",
    "requestBody": _body(
        ["model", "version"],
        {
            **_WHICH,
            "source": _SOURCE,
            "rows": _rows(
                ["at", "label", "features"],
                {
                    "at": _MOMENT,
                    "score": {**_VALUE, "description": "As in /v1/predictions"},
                    "scores": {"type": "object", "description": "As in /v1/predictions"},
                    "label": {**_VALUE, "description": "As in /v1/labels"},
                    "features": {"type": "object", "description": "Column and value; null means missing"},
                },
            ),
            "window": {
                "type": "object",
                "required": ["start", "end"],
                "additionalProperties": False,
                "properties": {"start": _MOMENT, "end": _MOMENT},
            },
            "first_days": {"type": "integer", "minimum": 1, "maximum": 3650},
            "out_of_fold": {"type": "boolean", "description": "The version was trained on other rows than these"},
            "replace": {"type": "boolean", "description": "Where the version has a reference already"},
            "reason": {**_NAME, "description": "Why; needed to replace one"},
        },
        {
            "model": "queue-minutes",
            "version": "1",
            "rows": [{"at": "2026-03-01T09:00:00Z", "score": 11.0, "label": 12.5, "features": {"waiting": 3}}],
        },
    ),
    "responses": {
        "200": answer(
            "Kept",
            {
                "id": "...",
                "version": "queue-minutes v1",
                "start": "2026-03-01T00:00:00+00:00",
                "end": "2026-04-01T00:00:00+00:00",
                "rows": 1240,
                "days": 31,
                "changed": True,
            },
        ),
        "409": answer("Another reference is there", _CONFLICT),
        **REFUSALS,
    },
}
