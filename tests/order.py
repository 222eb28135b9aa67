"""In which order test files run, and where coverage is measured.

The long ones come first, so that none is left over at the end while the other process has nothing to do: the journeys
and what drives a browser (one by one), then what starts processes of its own (on two processes).
"""

from __future__ import annotations

from pathlib import PurePath

import pytest

LONG = (
    "tests/journeys",
    "tests/browser",
    "tests/worker/test_processes.py",
    "tests/test_runner.py",
    "tests/tracking",
    "tests/bench",
    "tests/training",
    "tests/demo",
    "tests/app",
)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Long files first. Simulations are not measured: tracing doubles their time, other tests run the same lines."""
    for item in items:
        if item.get_closest_marker("slow"):
            item.add_marker("no_cover")
    items.sort(key=lambda item: rank(item.path.relative_to(config.rootpath)))


def rank(path: PurePath) -> int:
    """The place of a test file: of the first entry of LONG that it lies in, behind them all when it lies in none."""
    inside = (number for number, prefix in enumerate(LONG) if path.is_relative_to(prefix))
    return next(inside, len(LONG))
