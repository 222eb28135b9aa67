"""What /v1/models and /v1/policy take and answer, for OpenAPI."""

from __future__ import annotations

from typing import Any

from mlops_dash.domain.cadence import BATCH, CADENCES, NAMES, ROWS
from mlops_dash.domain.clusters import TOGETHER
from mlops_dash.domain.policies import PolicyKind
from mlops_dash.domain.registry.editing import LONGEST, TIERS
from mlops_dash.domain.registry.live import DEFAULT, HOW
from mlops_dash.domain.registry.records import EXTERNAL
from mlops_dash.domain.tasks import TASKS
from mlops_dash.gateway.shapes import REFUSALS, TEXT, Shape, answer

_NAME: Shape = {**TEXT, "minLength": 1, "maxLength": 200}
_SAID: Shape = {**TEXT, "maxLength": LONGEST}
_REASON: Shape = {**_NAME, "description": "Why; it goes into the ledger"}
_NAMES: Shape = {"type": "array", "items": _NAME, "maxItems": 1_000}
_KIND: Shape = {"enum": [str(kind) for kind in PolicyKind], "default": str(PolicyKind.PROMOTION)}
_CONFLICT: Shape = {"409": answer("It stands against what is there", {"error_code": "CONFLICT", "message": "...",
                                                                      "hint": "..."})}  # fmt: skip
_FACTS: Shape = {
    "title": {**_SAID, "description": "What pages call it"},
    "owner": {**_SAID, "description": "Who is asked about it"},
    "tier": {"enum": list(TIERS), "description": "1 is the most critical"},
    "task": {"enum": [task.name for task in TASKS], "description": "What it predicts"},
    "window": {
        **_NAME,
        "pattern": f"^({'|'.join(CADENCES)}|{ROWS}:[1-9][0-9]*|{BATCH}:.+)$",
        "description": f"What is judged as one: {NAMES}, which names the batch of a row",
    },
    "cluster": {**_SAID, "description": f"Column that names the rows that belong together: {TOGETHER}; empty = none"},
    "positive_label": {**_NAME, "description": "The label that its score is the probability of"},
    "live": {**_NAME, "description": f"Which mark in MLflow says what is live: {HOW}"},
    "do_not_log": {**_NAMES, "description": "Inputs that are never stored"},
    "groups": {**_NAMES, "description": "Columns whose values are groups that must fare alike"},
    "slices": {**_NAMES, "description": "Columns whose values are parts of the rows that are watched by themselves"},
}
_MODEL: dict[str, Any] = {
    "name": "queue-minutes", "source": EXTERNAL, "title": "Minutes in the queue", "task": "regression", "tier": 2,
    "owner": "ana", "window": "day", "cluster": "customer", "positive_label": "1", "class_names": [], "do_not_log": [],
    "slices": ["desk"], "groups": ["language"],
    "live": DEFAULT,
    "created_at": "2026-03-01T09:00:00+00:00", "archived_at": None,
}  # fmt: skip
_POLICY: dict[str, Any] = {
    "id": "...", "model": "queue-minutes", "kind": "promotion", "number": 2, "state": "waits for a second person",
    "policy": {"primary": "mae", "margin": 0.0}, "author": "user:ana", "approver": None, "digest": "...",
}  # fmt: skip


def _body(required: list[str], properties: Shape, example: Any) -> Shape:
    schema = {"type": "object", "required": required, "additionalProperties": False, "properties": properties}
    return {"required": True, "content": {"application/json": {"schema": schema, "example": example}}}


def _asked(name: str, description: str, schema: Shape, *, required: bool = False) -> Shape:
    return {"name": name, "in": "query", "required": required, "description": description, "schema": schema}


def _answers(description: str, example: Any) -> Shape:
    return {"200": answer(description, example), **_CONFLICT, **REFUSALS}


MODELS: Shape = {
    "description": "As mlops-dash model list.",
    "parameters": [_asked("archived", "Those that are archived too", {"enum": ["true", "false"], "default": "false"})],
    "responses": _answers("By name", {"models": [_MODEL]}),
}

ADDED: Shape = {
    "description": "Watch a model of MLflow, or one that is served elsewhere. As mlops-dash model add.",
    "requestBody": _body(
        ["name", "reason"],
        {
            "name": _NAME,
            "reason": _REASON,
            "source": {"enum": ["mlflow", EXTERNAL], "default": "mlflow"},
            "class_names": {**_NAMES, "description": "Of a multiclass model, in an order that stays"},
            **_FACTS,
        },
        {"name": "queue-minutes", "source": EXTERNAL, "task": "regression", "reason": "our call centre"},
    ),
    "responses": _answers("Watched from now on", _MODEL),
}

EDITED: Shape = {
    "description": "Say something else of a model; what is not named stays. As mlops-dash model edit.",
    "requestBody": _body(
        ["name", "reason"],
        {"name": _NAME, "reason": _REASON, **_FACTS},
        {"name": "queue-minutes", "owner": "bo", "reason": "ana moved on"},
    ),
    "responses": _answers("As it is now", _MODEL),
}

ARCHIVED: Shape = {
    "description": "As mlops-dash model archive and model restore.",
    "requestBody": _body(
        ["name", "reason"], {"name": _NAME, "reason": _REASON}, {"name": "queue-minutes", "reason": "no longer used"}
    ),
    "responses": _answers("As it is now", _MODEL),
}

POLICY: Shape = {
    "description": "What is in force, what every field means, and which versions wait. As mlops-dash policy show.",
    "parameters": [
        _asked("model", "Of which model", _NAME, required=True),
        _asked("kind", "Which policy", _KIND),
    ],
    "responses": _answers(
        "In force; number 0 is the default of the model's task",
        {
            **_POLICY,
            "state": "in force",
            "fields": [{"name": "margin", "value": 0.0, "default": 0.0, "meaning": "...", "choices": []}],
            "waiting": [_POLICY],
        },
    ),
}

WRITTEN: Shape = {
    "description": "Write the next version; it holds once a second person has activated it. `policy` is the whole of "
    "it: a field that it leaves out gets its default. As mlops-dash policy set --file.",
    "requestBody": _body(
        ["model", "policy", "reason"],
        {
            "model": _NAME,
            "kind": _KIND,
            "reason": _REASON,
            "policy": {"type": "object", "description": "Field and value; GET /v1/policy explains each"},
        },
        {"model": "queue-minutes", "policy": {"floor_metric": "mae", "floor": 12.5}, "reason": "what we promised"},
    ),
    "responses": _answers("Written", _POLICY),
}

ACTIVATED: Shape = {
    "description": "Put a written version into force; never its author. As mlops-dash policy activate.",
    "requestBody": _body(
        ["id", "reason"], {"id": _NAME, "reason": _REASON}, {"id": "0197...", "reason": "read and agreed"}
    ),
    "responses": _answers("In force", {**_POLICY, "state": "in force", "approver": "user:bo"}),
}
