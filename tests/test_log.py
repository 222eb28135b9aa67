from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlops_dash import log


@pytest.fixture(autouse=True)
def _same_root_logger() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    root.handlers = []
    yield
    for handler in root.handlers:
        handler.close()
    root.handlers, root.level = handlers, level


def test_a_line_is_json_with_its_extras_and_traceback(tmp_path: Path) -> None:
    log.configure("worker", tmp_path)
    try:
        raise ValueError("broken")
    except ValueError:
        logging.getLogger("mlops_dash.x").exception("job failed", extra={"job": "j1"})

    (line,) = (tmp_path / "worker.jsonl").read_text().splitlines()
    said = json.loads(line)
    assert (said["process"], said["level"], said["message"], said["job"]) == ("worker", "error", "job failed", "j1")
    assert "ValueError: broken" in said["traceback"]


def test_configuring_twice_does_not_write_twice(tmp_path: Path) -> None:
    log.configure("ui", tmp_path)
    log.configure("ui", tmp_path)

    logging.getLogger("mlops_dash.x").info("once")

    assert len((tmp_path / "ui.jsonl").read_text().splitlines()) == 1
