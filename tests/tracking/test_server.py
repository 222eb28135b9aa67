"""Our MLflow starts on a store that is whole, although an earlier start was killed while it made the tables."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from mlops_dash.tracking import server
from mlops_dash.tracking.registry import MlflowRegistry


def tables(path: Path) -> set[str]:
    with closing(sqlite3.connect(path)) as store:
        return {name for (name,) in store.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}


def test_a_start_that_is_killed_among_the_tables_leaves_a_home_in_which_the_next_one_makes_them(tmp_path: Path) -> None:
    path = tmp_path / "mlflow.db"
    path.touch()
    code = f"import pathlib; from mlops_dash.tracking.server import prepare; prepare(pathlib.Path({str(path)!r}))"
    first = subprocess.Popen([sys.executable, "-c", code], start_new_session=True, stderr=subprocess.DEVNULL)
    half = tmp_path / "mlflow.db.new"
    until = time.monotonic() + 120
    while not (half.is_file() and half.stat().st_size):
        assert first.poll() is None
        assert time.monotonic() < until
        time.sleep(0.01)
    subprocess.run(["pkill", "-KILL", "-g", str(first.pid)], check=True)
    first.wait()
    assert path.stat().st_size == 0, "nothing half made has the name"

    server.prepare(path)

    assert {"experiments", "runs", "registered_models", "alembic_version"} <= tables(path)
    assert not [name for name in tables(path) if name.startswith("_alembic_tmp")]
    with closing(sqlite3.connect(path)) as store:
        assert store.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert not half.exists()
    assert MlflowRegistry(f"sqlite:///{path}").reachable()


def test_a_store_that_has_tables_is_not_touched(tmp_path: Path, mlflow_template: Path) -> None:
    path = tmp_path / "mlflow.db"
    path.write_bytes(mlflow_template.read_bytes())
    before = path.stat().st_mtime_ns
    server.prepare(path)
    assert path.stat().st_mtime_ns == before


def test_it_becomes_the_server_that_was_asked_for(
    tmp_path: Path, mlflow_template: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "mlflow.db"
    path.write_bytes(mlflow_template.read_bytes())
    monkeypatch.setattr(sys, "argv", ["server", str(path), "--port", "5"])
    became: list[list[str]] = []
    monkeypatch.setattr("os.execv", lambda _, words: became.append(words))
    server.main()
    assert became == [
        [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", f"sqlite:///{path}", "--port", "5"]
    ]
