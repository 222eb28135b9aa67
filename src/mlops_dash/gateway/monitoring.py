"""What explains a model over HTTP: slices, fairness, causes, single rows, estimates, replays; as the commands say it.

Reading tells what is known. What has to be measured is asked for and done by a worker: the answer names its job.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from mlops_dash.bootstrap import Services
from mlops_dash.domain.access import Actor
from mlops_dash.domain.monitoring import causes, replay
from mlops_dash.domain.schema import EARLIEST, LATEST, instant_of
from mlops_dash.errors import InvalidInput
from mlops_dash.gateway.fields import text, words
from mlops_dash.gateway.shapes import REFUSALS, TEXT, Shape, answer

Told = Callable[[Services, Actor, Mapping[str, str]], dict[str, Any]]
Asked = Callable[[Services, Actor, Mapping[str, Any]], dict[str, Any]]


def slices(made: Services, who: Actor, asked: Mapping[str, str]) -> dict[str, Any]:
    """In which parts of the rows the version in service is worse; `mlops-dash slices`.

    Raises:
        NotFound: no such model.
    """
    model = text(asked, "model")
    return {"model": model, **made.monitoring.slices(who, model).as_json()}


def fairness(made: Services, who: Actor, asked: Mapping[str, str]) -> dict[str, Any]:
    """Gaps between the groups that the owner named; `mlops-dash fairness`.

    Raises:
        NotFound: no such model.
    """
    model = text(asked, "model")
    return {"model": model, **made.monitoring.fairness(who, model).as_json()}


def why(made: Services, who: Actor, asked: Mapping[str, str]) -> dict[str, Any]:
    """What moved, the likeliest cause first; with `rows` sample rows of a column, with `row` why it got its answer.

    Raises:
        NotFound: no such model, nothing of it is watched or judged, or it has no such column.
    """
    model = text(asked, "model")
    if asked.get("row"):
        known = made.monitoring.row_contributions(who, model, asked["row"])
        found = None if known.found is None else known.found.as_json()
        state = None if known.state is None else str(known.state)
        return {"model": model, "row": found, "job": known.job or None, "state": state, "sentence": known.sentence}
    facts = causes.told(model, made.monitoring.causes(who, model))
    if not asked.get("rows"):
        return facts
    return {**facts, "rows": made.monitoring.column_rows(who, model, asked["rows"]).as_json()}


def estimate(made: Services, who: Actor, asked: Mapping[str, str]) -> dict[str, Any]:
    """Windows estimated without their labels, held against those that came; `mlops-dash estimate`.

    Raises:
        NotFound: no such model.
    """
    model = text(asked, "model")
    found = made.monitoring.estimated(who, model)
    return {"model": model, "estimated": None if found is None else found.as_json()}


def replayed(made: Services, who: Actor, asked: Mapping[str, str]) -> dict[str, Any]:
    """The version that took over, on the rows before that; `mlops-dash replay`.

    Raises:
        NotFound: no such model.
    """
    model = text(asked, "model")
    return replay.told_of(model, made.monitoring.replayed(who, model))


def ask_slices(made: Services, who: Actor, sent: Mapping[str, Any]) -> dict[str, Any]:
    """Have parts and groups measured (again).

    Raises:
        NotFound: nothing of it is watched.
        InvalidInput, Conflict: it cannot be measured, or is being measured.
    """
    model = text(sent, "model")
    return {"model": model, "job": made.monitoring.ask_slices(who, model, words(sent, "reason"))}


def ask_why(made: Services, who: Actor, sent: Mapping[str, Any]) -> dict[str, Any]:
    """Have a worker ask the version in service what it rests on, or why one row got its answer.

    Raises:
        NotFound: nothing of it is watched, or there is no such row.
        InvalidInput, Conflict: it cannot be asked, or is being asked.
    """
    model = text(sent, "model")
    if "row" not in sent:
        return {"model": model, "job": made.monitoring.ask_why(who, model, words(sent, "reason"))}
    at = _instant(sent["at"]) if sent.get("at") is not None else None
    return {"model": model, "job": made.monitoring.ask_row(who, model, text(sent, "row"), at=at)}


def ask_replay(made: Services, who: Actor, sent: Mapping[str, Any]) -> dict[str, Any]:
    """Have a worker replay the version that took over.

    Raises:
        NotFound: there is nothing to replay.
        InvalidInput, Conflict: it cannot be replayed, or is being replayed.
    """
    model = text(sent, "model")
    return {"model": model, "job": made.monitoring.ask_replay(who, model, words(sent, "reason"))}


def _instant(sent: Any) -> datetime:
    try:
        at = datetime.fromisoformat(sent)
    except (TypeError, ValueError):
        raise InvalidInput(f"at cannot be {str(sent)[:40]!r}.", hint="Use 2026-03-01T12:30:00+00:00.") from None
    instant = instant_of(at)
    if instant is None:
        raise InvalidInput(f"at lies outside {EARLIEST:%Y} to {LATEST:%Y}.", hint="Use 2026-03-01T12:30:00+00:00.")
    return instant


def _tells(words: str, said: Mapping[str, Any], **more: str) -> Shape:
    parameters = [{"name": "model", "in": "query", "required": True, "schema": TEXT}]
    parameters += [
        {"name": name, "in": "query", "required": False, "description": what, "schema": TEXT}
        for name, what in more.items()
    ]
    return {
        "description": f"{words} With --json the command of this name says the same.", "parameters": parameters,
        "responses": {"200": answer("What is known", dict(said)), **REFUSALS},
    }  # fmt: skip


def _asks(words: str, *needed: str, **more: str) -> Shape:
    fields: dict[str, Any] = {"model": TEXT, "reason": {**TEXT, "description": "Why; it goes into the ledger"}}
    fields |= {name: {**TEXT, "description": what} for name, what in more.items()}
    return {
        "description": f"{words} A worker does it; needs the role scientist.",
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": {
                        "type": "object", "additionalProperties": False, "properties": fields, "required": [*needed],
                    },
                    "example": {"model": "queue-minutes", "reason": "Mondays look odd"},
                }
            },
        },
        "responses": {
            "200": answer("Its job", {"model": "queue-minutes", "job": "..."}),
            "409": answer("It is on its way", {"error_code": "CONFLICT", "message": "...", "hint": "..."}),
            **REFUSALS,
        },
    }  # fmt: skip


_NAMED = {"model", "reason"}
TOLD: tuple[tuple[str, str, Told, Shape], ...] = (
    ("/v1/slices", "Parts of the rows that are worse", slices,
     _tells("The owner's own parts of the rows and found ones.", {"model": "queue-minutes", "slices": []})),
    ("/v1/fairness", "Gaps between groups", fairness,
     _tells("Groups that the owner named, beside the largest one.", {"model": "queue-minutes", "gaps": []})),
    ("/v1/why", "What moved and why, or why one row got its answer", why,
     _tells("Columns that moved, the likeliest cause first.", {"model": "queue-minutes", "ranked": []},
            rows="A column: a few rows of its cell that grew, beside typical ones, for who may see rows",
            row="A prediction id: what each column adds to its answer, once a worker was asked")),
    ("/v1/estimate", "Performance estimated without labels", estimate,
     _tells("The latest window, and how earlier ones held when labels came.",
            {"model": "queue-minutes", "estimated": None})),
    ("/v1/replay", "The version that took over, on rows before that", replayed,
     _tells("Never live evidence.", {"model": "queue-minutes", "state": "nothing", "live": False})),
)  # fmt: skip
ASKED: tuple[tuple[str, str, str, set[str], Asked, Shape], ...] = (
    ("POST", "/v1/slices", "Have parts and groups measured", _NAMED, ask_slices,
     _asks("Reads labelled rows once more.", "model", "reason")),
    ("POST", "/v1/why", "Have the model asked", {*_NAMED, "row", "at"}, ask_why,
     _asks("What the version in service rests on; with row, why that one got its answer (then no reason is needed).",
           "model", row="A prediction id", at="When it was answered, of an archived row")),
    ("POST", "/v1/replay", "Have the version that took over replayed", _NAMED, ask_replay,
     _asks("On the rows before its takeover.", "model", "reason")),
)  # fmt: skip
