"""What people write is what is kept: every value survives being shown and read again, and no type changes unasked."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from mlops_dash.domain.parameters import of_one_run, parameter_lines, parameters_of, require_plain
from mlops_dash.errors import InvalidInput

VALUES = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats(allow_nan=False, allow_infinity=False) | some.text(),
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(some.text(), inner, max_size=3),
    max_leaves=5,
)


@given(some.dictionaries(some.text(min_size=1), VALUES, max_size=4))
def test_lines_read_back_as_they_were(parameters: dict[str, Any]) -> None:
    again = parameters_of(parameter_lines(parameters))
    assert again == parameters
    assert [type(value) for value in again.values()] == [type(value) for value in parameters.values()]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("depth", "Line 1 of the parameters cannot be read: 'depth'."),
        ("a = 1\nmost depth = 6", "Line 2 of the parameters"),
        ("depth =", "depth: the value '' cannot be read."),
        ("rates = [0.1", "rates: the value '[0.1' cannot be read."),
        ("a = 1\na = 2", "The parameter a is given twice."),
        ("a = NaN", "a: nan is no finite number."),
        ('{"a": [1e999]}', "inf is no finite number."),
        ("[1]", "The parameters are not a JSON object."),
        ("{", "The parameters are not JSON:"),
    ],
)
def test_what_cannot_be_meant_is_said(text: str, said: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        parameters_of(text)
    assert refused.value.sentence().startswith(said)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("dept", 7, "The recipe has no parameter 'dept'. It has: depth, fast, why, rate."),
        ("depth", "7", 'The parameter depth is a whole number, and "7" is text.'),
        ("depth", 7.5, "The parameter depth is a whole number, and 7.5 is a number."),
        ("depth", True, "The parameter depth is a whole number, and true is true or false."),
        ("fast", 1, "The parameter fast is true or false, and 1 is a whole number."),
        ("rate", None, "The parameter rate is a number, and null is nothing."),
        ("why", 3, "The parameter why is text, and 3 is a whole number."),
    ],
)
def test_one_run_changes_only_what_the_recipe_has_and_never_its_type(name: str, value: Any, said: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        of_one_run({"depth": 6, "fast": True, "why": "it's", "rate": 0.1}, {name: value})
    assert refused.value.sentence().startswith(said)


def test_what_json_cannot_keep_is_refused() -> None:
    for bad in ({"a": float("nan")}, {"a": object()}, {"": 1}):
        with pytest.raises(InvalidInput):
            require_plain(bad)
