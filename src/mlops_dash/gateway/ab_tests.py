"""A/B tests over HTTP: which there are, and what one of them says now."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlops_dash.bootstrap import Services
from mlops_dash.domain.ab_tests.room import facts_of, told_of
from mlops_dash.domain.access import Actor
from mlops_dash.errors import NotFound
from mlops_dash.gateway.shapes import REFUSALS, TEXT, Shape, answer

LISTED: Shape = {
    "description": "All tests, or those of a model, the newest first; with `id` one of them and what it says, where "
    "outcomes are null while it is blind. As mlops-dash ab-test list and show.",
    "parameters": [
        {"name": name, "in": "query", "required": False, "schema": TEXT} for name in ("model", "id")
    ],
    "responses": {
        "200": answer(
            "The tests",
            {"tests": [{"id": "...", "model": "queue-minutes", "state": "running", "design": {}, "decision": None}]},
        ),
        **REFUSALS,
    },
}  # fmt: skip


def list_tests(made: Services, who: Actor, asked: Mapping[str, str]) -> dict[str, Any]:
    """Tests, or one of them with its reading.

    Raises:
        NotFound: no such test.
    """
    room = made.ab_tests.room(who, asked.get("id", ""))
    if asked.get("id"):
        if room.test is None:
            raise NotFound("No such test.", hint="GET /v1/ab-tests lists them.")
        return {"tests": [told_of(room, room.test)]}
    return {"tests": [facts_of(one) for one in room.tests if asked.get("model", one.model) == one.model]}
