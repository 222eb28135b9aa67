"""What drives a browser is marked by where it lies and what it asks for, so that nobody has to remember it."""

from __future__ import annotations

from pathlib import PurePath

import pytest

from tests import order


def test_no_test_beside_this_one_lies_in_a_browser_folder_or_asks_for_the_browser_without_its_mark(
    request: pytest.FixtureRequest,
) -> None:
    root = request.config.rootpath
    for item in request.session.items:
        for folder, mark in order.FOLDER_MARKS.items():
            if item.path.is_relative_to(root / folder):
                assert item.get_closest_marker(mark), item.nodeid
        if "chromium" in getattr(item, "fixturenames", ()):
            assert item.get_closest_marker("browser"), item.nodeid


def test_the_long_ones_come_first_in_the_order_of_the_list() -> None:
    places = [order.rank(PurePath(prefix) / "test_any.py") for prefix in order.LONG]
    assert places == sorted(places)
    assert order.rank(PurePath("tests/stats/test_any.py")) == len(order.LONG)
