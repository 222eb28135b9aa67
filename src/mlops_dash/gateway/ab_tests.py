"""A/B tests over HTTP: which there are, what one says now; designed, started, paused, stopped and decided."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from mlops_dash.bootstrap import Services
from mlops_dash.domain.ab_tests.archive import DECISIONS
from mlops_dash.domain.ab_tests.assigning import ENTITY, ROW
from mlops_dash.domain.ab_tests.outcomes import written
from mlops_dash.domain.ab_tests.room import facts_of, told_of
from mlops_dash.domain.ab_tests.rules import READINGS, ABTest, NewTest
from mlops_dash.domain.access import Actor
from mlops_dash.errors import InvalidInput, NotFound
from mlops_dash.gateway.fields import flag, number, text, whole, words
from mlops_dash.gateway.pushes import Push
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


def design(made: Services, who: Actor, sent: Mapping[str, Any]) -> dict[str, Any]:
    """Fix a test of a version against the champion; nothing is routed yet.

    Raises:
        NotFound: no such model or version.
        InvalidInput: a field cannot be, or a design that cannot be carried out.
        Conflict: there is no champion, the challenger cannot be tested, or the layer has no such part free.
    """
    model, version = text(sent, "model"), text(sent, "challenger")
    outcome = written(words(sent, "outcome")) if "outcome" in sent else made.ab_tests.plan(who, model).outcomes[0]
    entity = text(sent, "unit") if sent.get("unit") else ""
    given = {name: read(sent[name], name) for name, (read, _) in _CHOICES.items() if name in sent}
    wanted = NewTest(
        model=model, challenger_id=made.registry.version_id(who, model, version), question=words(sent, "question"),
        planned_units=whole(sent.get("planned_units"), "planned_units"), outcome=outcome,
        unit=ENTITY if entity else ROW, entity=entity, **given,
    )  # fmt: skip
    return facts_of(made.ab_tests.design(who, wanted))


def step(verb: str) -> Push:
    """The route that starts, pauses, resumes, stops, decides or seconds a test.

    Args:
        verb: Of the service.
    """

    def carried_out(made: Services, who: Actor, sent: Mapping[str, Any]) -> dict[str, Any]:
        test, tests, reason = _known(made, who, text(sent, "id")), made.ab_tests, words(sent, "reason")
        if verb == "decide":
            word = text(sent, "decision")
            if word not in DECISIONS:
                raise InvalidInput(f"The decision {word[:40]!r} is none of {', '.join(DECISIONS)}.")
            learned = words(sent, "learned") if sent.get("learned") else ""
            return facts_of(tests.decide(who, test.id, test.revision, word, reason=reason, learned=learned))
        calls: dict[str, Callable[..., ABTest]] = {
            "start": tests.start, "pause": tests.pause, "resume": tests.resume, "stop": tests.stop,
            "second": tests.second,
        }  # fmt: skip
        return facts_of(calls[verb](who, test.id, test.revision, reason=reason))

    return carried_out


def _known(made: Services, who: Actor, test_id: str) -> ABTest:
    test = made.ab_tests.room(who, test_id).test
    if test is None:
        raise NotFound("No such test.", hint="GET /v1/ab-tests lists them.")
    return test


def _word(value: Any, name: str) -> str:
    return text({name: value}, name)


def _list(value: Any, name: str) -> list[Any]:
    if not isinstance(value, list):
        raise InvalidInput(f"{name!r} is no list.")
    return value


def _names(value: Any, name: str) -> tuple[str, ...]:
    return tuple(_word(one, name) for one in _list(value, name))


def _numbers(value: Any, name: str) -> tuple[float, ...]:
    return tuple(number(one, name) for one in _list(value, name))


def _outcomes(value: Any, name: str) -> tuple[str, ...]:
    return tuple(written(one) for one in _names(value, name))


def _margins(value: Any, name: str) -> dict[str, float]:
    if not isinstance(value, dict):
        raise InvalidInput(f"{name!r} is no object of outcome and margin.")
    return {written(str(key)): number(most, name) for key, most in value.items()}


_NUMBERS = {"type": "array", "items": {"type": "number"}}
_TEXTS = {"type": "array", "items": TEXT}
_CHOICES: dict[str, tuple[Callable[[Any, str], Any], Shape]] = {
    "guardrails": (_margins, {"type": "object", "additionalProperties": {"type": "number"}}),
    "others": (_outcomes, _TEXTS),
    "exposure_hours": (number, {"type": "number"}),
    "cuped": (flag, {"type": "boolean"}),
    "segments": (_names, _TEXTS),
    "ramp": (_numbers, _NUMBERS),
    "ramp_days": (number, {"type": "number"}),
    "auto_stop": (flag, {"type": "boolean"}),
    "share": (number, {"type": "number"}),
    "layer": (_word, TEXT),
    "layer_share": (number, {"type": "number"}),
    "hold_out": (number, {"type": "number"}),
    "days": (whole, {"type": "integer"}),
    "min_units": (whole, {"type": "integer"}),
    "min_days": (whole, {"type": "integer"}),
    "alpha": (number, {"type": "number"}),
    "reading": (_word, {"type": "string", "enum": [*READINGS]}),
}
_NEEDED = ("model", "challenger", "question", "planned_units")
_DESIGNED = {
    "model": TEXT, "challenger": {**TEXT, "description": "A version"}, "question": TEXT,
    "planned_units": {"type": "integer"}, "outcome": {**TEXT, "description": "A loss, or mean:EVENT and the like"},
    "unit": {**TEXT, "description": "The column that names the units; each row where left out"},
    **{name: shape for name, (_, shape) in _CHOICES.items()},
}  # fmt: skip


def _writes(words: str, fields: Mapping[str, Any], needed: tuple[str, ...], example: Mapping[str, Any]) -> Shape:
    schema = {"type": "object", "additionalProperties": False, "properties": dict(fields), "required": [*needed]}
    return {
        "description": words,
        "requestBody": {
            "required": True, "content": {"application/json": {"schema": schema, "example": dict(example)}}
        },
        "responses": {
            "200": answer("The test as it is then", {"id": "...", "model": "queue-minutes", "state": "designed"}),
            "409": answer("It cannot be now", {"error_code": "CONFLICT", "message": "...", "hint": "..."}),
            **REFUSALS,
        },
    }  # fmt: skip


def _step(verb: str, words: str, **more: Shape) -> tuple[str, str, str, set[str], Push, Shape]:
    fields = {
        "id": {**TEXT, "description": "Of the test"},
        "reason": {**TEXT, "description": "Goes into the ledger"},
    }
    needed = ("id", "reason", *(name for name in more if name != "learned"))
    example = {"id": "...", "reason": "It is clear", **({"decision": "ship"} if "decision" in more else {})}
    shape = _writes(f"{words} As mlops-dash ab-test {verb}.", {**fields, **more}, needed, example)
    return "POST", f"/v1/ab-tests/{verb}", words.rstrip("."), {*fields, *more}, step(verb), shape


ROUTES: tuple[tuple[str, str, str, set[str], Push, Shape], ...] = (
    (
        "POST", "/v1/ab-tests", "Design a test", {*_DESIGNED}, design,
        _writes(
            "Fixes a test of a version against the champion; a lead starts it. As `ab-test design`.", _DESIGNED,
            _NEEDED,
            {"model": "queue-minutes", "challenger": "2", "question": "Do people spend more?", "planned_units": 4000,
             "unit": "customer", "outcome": "mean:revenue"},
        ),
    ),
    _step("start", "Let the challenger answer its share."),
    _step("pause", "Let the champion answer every row for now."),
    _step("resume", "Let the challenger answer its share again."),
    _step("stop", "End a test and keep what it says."),
    _step("decide", "Decide on a test that is over.", decision={"type": "string", "enum": [*DECISIONS]}, learned=TEXT),
    _step("second", "Stand behind a decision against a test."),
)  # fmt: skip
