"""A recipe's parameters: how people write them, what type each has, and what one run may change of them.

One a line, `depth = 6`. A value is a number, true, false, null, a list or an object as JSON writes it, or "text"; words
without quotes are text too. A JSON object is read as well.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any

from mlops_dash.errors import InvalidInput

_NAME = re.compile(r"[^\s={}\[\]\"'#][^\s=]*")
_PYTHON = {"True": True, "False": False, "None": None}
_HINT = "Write one a line: depth = 6"


def parameters_of(text: str) -> dict[str, Any]:
    r"""Parameters as somebody typed them: lines of `name = value`, or one JSON object.

    >>> parameters_of("depth = 6\nwhy = it's late\nfast = true\nrates = [0.1, 0.01]")
    {'depth': 6, 'why': "it's late", 'fast': True, 'rates': [0.1, 0.01]}
    >>> parameters_of('{"seed": 1}')
    {'seed': 1}

    Raises:
        InvalidInput: a line cannot be read, a name occurs twice, or a number is not finite.
    """
    if text.lstrip().startswith(("{", "[")):
        return _of_json(text)
    given: dict[str, Any] = {}
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        name, sign, written = (part.strip() for part in line.partition("="))
        if not sign or not _NAME.fullmatch(name):
            raise InvalidInput(f"Line {number} of the parameters cannot be read: {line.strip()!r}.", hint=_HINT)
        if name in given:
            raise InvalidInput(f"The parameter {name} is given twice.", hint="Keep one of the lines.")
        try:
            given[name] = value_of(written)
        except InvalidInput as error:
            raise InvalidInput(f"{name}: {error.message}", hint=error.hint) from error
    return given


def parameter_lines(parameters: Mapping[str, Any]) -> str:
    """The same parameters as lines that read back as they are.

    >>> print(parameter_lines({"depth": 6, "code": "007", "flag": "true"}))
    depth = 6
    code = 007
    flag = "true"
    """
    if not all(_NAME.fullmatch(name) for name in parameters):
        return json.dumps(dict(parameters), indent=2, ensure_ascii=False)
    return "\n".join(f"{name} = {text_of(value)}" for name, value in parameters.items())


def value_of(text: str) -> Any:
    """What a written value is: JSON where it is JSON, else text.

    >>> [value_of(text) for text in ("6", "6.0", "True", "late", '"6"')]
    [6, 6.0, True, 'late', '6']

    Raises:
        InvalidInput: it is empty, is a quote or bracket that does not close, or a number that is not finite.
    """
    text = text.strip()
    if text in _PYTHON:
        return _PYTHON[text]
    try:
        value = json.loads(text)
        _require_finite(value)
    except (ValueError, RecursionError) as error:
        if not text or text[0] in '{["':
            raise InvalidInput(f"the value {text!r} cannot be read.", hint='Write "" for an empty text.') from error
        return text
    return value


def text_of(value: Any) -> str:
    """How a value is written, so that `value_of` reads the same."""
    if isinstance(value, str) and "\n" not in value and value == value.strip():
        try:
            read = value_of(value)
        except InvalidInput:
            read = None
        if read == value and isinstance(read, str) and value.isprintable():
            return value
    return json.dumps(value, ensure_ascii=False)


def of_one_run(known: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """What one run changes of a recipe's parameters; those that are given as they are, are no change.

    >>> of_one_run({"depth": 6, "rate": 0.1}, {"depth": 8, "rate": 0.1})
    {'depth': 8}
    >>> of_one_run({"rate": 0.1}, {"rate": 1})
    {'rate': 1.0}

    Raises:
        InvalidInput: the recipe has no such parameter, or it is of another type.
    """
    changed = {}
    for name, value in given.items():
        if name not in known:
            named = f"It has: {', '.join(known)}." if known else "It has none."
            raise InvalidInput(f"The recipe has no parameter {name!r}.", hint=named)
        before = known[name]
        taken = _as_type_of(before, value)
        if taken is None and before is not None:
            raise InvalidInput(
                f"The parameter {name} is {_kind(before)}, and {text_of(value)} is {_kind(value)}.",
                hint=f"Write it like {text_of(before)}; a scientist may change the recipe itself.",
            )
        if taken != before or type(taken) is not type(before):
            changed[name] = taken
    return changed


def require_plain(parameters: Mapping[str, Any]) -> None:
    """Refuse parameters that could not be kept and told as JSON.

    Raises:
        InvalidInput: an empty name, or a number that is not finite.
    """
    for name in parameters:
        if not name.strip():
            raise InvalidInput(f"The parameter name {name!r} cannot be used.", hint=_HINT)
    try:
        json.dumps(dict(parameters), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise InvalidInput(
            f"The parameters cannot be kept: {error}.", hint="Use numbers, words, true, false, null, lists and objects."
        ) from error


def _of_json(text: str) -> dict[str, Any]:
    try:
        given = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"The parameters are not JSON: {error}.", hint='Write {"seed": 1}.') from error
    if not isinstance(given, dict):
        raise InvalidInput("The parameters are not a JSON object.", hint='Write {"seed": 1}.')
    _require_finite(given)
    return given


def _require_finite(value: Any) -> None:
    if isinstance(value, float) and not math.isfinite(value):
        raise InvalidInput(f"{value} is no finite number.", hint="Leave the parameter out, or write a number.")
    for part in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _require_finite(part)


def _as_type_of(before: Any, value: Any) -> Any:
    """The value in the type that the parameter has; None where it is of another type."""
    if before is None or (type(value) is type(before)):
        return value
    if isinstance(before, float) and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type(before) is int and isinstance(value, float) and value.is_integer():
        return int(value)
    return None


def _kind(value: Any) -> str:
    kinds = {bool: "true or false", int: "a whole number", float: "a number", str: "text", list: "a list"}
    return kinds.get(type(value), "nothing" if value is None else "an object")
