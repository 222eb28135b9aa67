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


def test_a_megabyte_of_a_clients_text_is_a_short_line(tmp_path: Path) -> None:
    log.configure("gateway", tmp_path)
    logging.getLogger("mlops_dash.x").warning("refused", extra={"reason": "x" * 1_000_000, "column": ["y" * 9_000]})
    line = (tmp_path / "gateway.jsonl").read_text()
    assert len(line) < 5_000
    assert "(1,000,000 characters)" in line


def test_a_flood_of_lines_of_one_kind_is_counted_and_not_written() -> None:
    clock = [0.0]
    few = log.FewAlike(lambda: clock[0])

    def written(number: int) -> logging.LogRecord | None:
        record = logging.LogRecord("mlops_dash.gateway", logging.WARNING, "", 0, "refused %s", (number,), None)
        return record if few.filter(record) else None

    kept = [record for number in range(500) if (record := written(number)) is not None]
    assert len(kept) == log.MOST_ALIKE
    other = logging.LogRecord("mlops_dash.gateway", logging.WARNING, "", 0, "started", (), None)
    assert few.filter(other)
    clock[0] = log.ALIKE_SECONDS
    next_one = written(1)
    assert next_one is not None
    assert next_one.__dict__["kept_back"] == 500 - log.MOST_ALIKE


def test_a_childs_output_that_grows_without_end_is_rotated_while_it_runs(tmp_path: Path) -> None:
    path = tmp_path / "gateway.out.log"
    with path.open("ab") as output:  # as a child holds it
        output.write(b"a" * 700 + b"b" * 700)
        output.flush()
        log.rotate(path, longest=1_000)
        assert path.stat().st_size == 0
        output.write(b"next")
        output.flush()
    assert path.read_bytes() == b"next"
    assert path.with_name("gateway.out.log.1").read_bytes() == b"a" * 300 + b"b" * 700
