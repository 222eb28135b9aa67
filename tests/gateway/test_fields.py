"""Fields of a body: what passes, and a sentence with the name of what does not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mlops_dash.errors import InvalidInput
from mlops_dash.gateway.fields import flag, number, text, whole, words


def test_what_is_of_the_type_passes_as_it_is() -> None:
    assert text({"model": """it's "queue" minutes"""}, "model") == """it's "queue" minutes"""
    assert words({"reason": "two\nlines"}, "reason") == "two\nlines"
    assert (number(2, "n"), whole(2.0, "n"), flag(False, "f")) == (2.0, 2, False)


@pytest.mark.parametrize(
    ("read", "value"),
    [
        *((text, one) for one in (None, 1, "", "  ", "two\nlines", "a" * 201)),
        *((words, one) for one in (None, ["x"], " \n ", "a" * 2_001)),
        *((number, one) for one in (None, "1", True, float("nan"), float("inf"))),
        *((whole, one) for one in (1.5, "1", False)),
        *((flag, one) for one in (None, 0, "true")),
    ],
)
def test_what_is_not_is_refused_by_name(read: Callable[..., Any], value: Any) -> None:
    with pytest.raises(InvalidInput, match="'it'"):
        read({"it": value}, "it") if read in (text, words) else read(value, "it")
