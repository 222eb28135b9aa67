"""Which values of a row can JSON hold, and as what?"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from mlops_dash.domain.schema import LARGEST, in_range
from mlops_dash.domain.sent import MEND
from mlops_dash.errors import InvalidRow

_NUMBERS = frozenset({int, float})


def plain_column(name: str, values: Sequence[Any]) -> Sequence[Any]:
    """A column's values as JSON can hold them; columns of one kind are not looked at value by value.

    >>> plain_column("wind", [1.5, float("nan"), None])
    [1.5, None, None]

    Raises:
        InvalidRow: a value is infinite or has no JSON form.
    """
    kinds = set(map(type, values))
    if kinds <= _AS_THEY_ARE:
        return values
    if kinds <= _AS_THEY_ARE | _NUMBERS:
        # NaN is the one value that differs from itself
        found = values if float not in kinds else [None if value != value else value for value in values]
        numbers: list[float] = [value for value in found if type(value) in _NUMBERS]  # type: ignore[misc]
        if not numbers or (max(numbers) <= LARGEST and min(numbers) >= -LARGEST):
            return found
    return [_plain(row, name, value) for row, value in enumerate(values)]


_AS_THEY_ARE = frozenset({str, bool, type(None)})


def _plain(row: int, name: str, value: Any) -> Any:
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, int | float):
        if value != value:  # NaN is the one value that differs from itself
            return None
        if not in_range(value):
            raise InvalidRow(row, name, value, f"is not finite or beyond {LARGEST:g}", hint=MEND)
        return value
    if isinstance(value, datetime):
        return None if value != value else value.isoformat()  # pandas' NaT as well
    item = getattr(value, "item", None)
    if callable(item) and not isinstance(value, list):
        return _plain(row, name, item())
    raise InvalidRow(row, name, value, f"a {type(value).__name__} cannot be logged", hint=MEND)
