"""Zones by name: one function, and one sentence for what is none."""

from __future__ import annotations

import pytest

from mlops_dash.domain.calendar import zone_of
from mlops_dash.errors import InvalidInput


@pytest.mark.parametrize("name", ["Mars", "Europe", "", "../etc", "a\x00b"])
def test_a_zone_that_is_none_is_one_sentence(name: str) -> None:
    with pytest.raises(InvalidInput, match="is not known"):
        zone_of(name)


def test_a_zone_is_found_by_its_name() -> None:
    assert zone_of("Europe/Berlin").key == "Europe/Berlin"
