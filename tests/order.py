"""In which order test files run, what their folder makes of them, and where coverage is measured.

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
# a test that drives a browser keeps an event loop and servers for its whole process: never beside tests without one
FOLDER_MARKS = {"tests/browser": "browser", "tests/journeys": "journey"}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Marks, then long files first. Simulations are not measured: tracing doubles their time for lines others run."""
    for item in items:
        path = item.path.relative_to(config.rootpath)
        for folder, mark in FOLDER_MARKS.items():
            if path.is_relative_to(folder):
                item.add_marker(mark)
        if "chromium" in getattr(item, "fixturenames", ()):
            item.add_marker("browser")
        if item.get_closest_marker("slow"):
            item.add_marker("no_cover")
    items.sort(key=lambda item: rank(item.path.relative_to(config.rootpath)))


def rank(path: PurePath) -> int:
    """The place of a test file: of the first entry of LONG that it lies in, behind them all when it lies in none."""
    inside = (number for number, prefix in enumerate(LONG) if path.is_relative_to(prefix))
    return next(inside, len(LONG))
