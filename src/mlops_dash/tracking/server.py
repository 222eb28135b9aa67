"""Start our own MLflow server on a store that is whole: `python -m mlops_dash.tracking.server FILE ARGS...`.

MLflow makes its tables in thirty steps. Killed among them it leaves a file on which no server ever starts again ("table
_alembic_tmp_experiments already exists"). So the tables are made in a file beside it, which takes its name when it is
done; ARGS then go to `mlflow server`, in this very process.
"""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

_MAKE = """
import sys
from mlops_dash.tracking.registry import MlflowRegistry
sys.exit(MlflowRegistry(sys.argv[1]).why_unreachable() or None)
"""


def prepare(path: Path) -> None:
    """Make the tables of MLflow's store in `path`, at once or not at all; a store that has tables stays as it is.

    Raises:
        subprocess.CalledProcessError: MLflow cannot make them; its words went to our standard error.
    """
    if path.is_file() and path.stat().st_size and _has_tables(path):
        return
    fresh = path.with_name(f"{path.name}.new")
    _remove(fresh)  # of a start that was killed
    subprocess.run([sys.executable, "-c", _MAKE, f"sqlite:///{fresh}"], check=True)
    with closing(sqlite3.connect(fresh)) as store:  # MLflow would stay in journal_mode=delete
        store.execute("PRAGMA journal_mode=WAL")
        store.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    _remove(path)
    fresh.replace(path)
    _remove(fresh)


def _has_tables(path: Path) -> bool:
    with closing(sqlite3.connect(path)) as store:
        return bool(store.execute("SELECT count(*) FROM sqlite_master").fetchone()[0])


def _remove(path: Path) -> None:
    for ending in ("", "-wal", "-shm", "-journal"):
        path.with_name(path.name + ending).unlink(missing_ok=True)


def main() -> None:
    """Make the store and become the server."""
    database = Path(sys.argv[1])
    prepare(database)
    words = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", f"sqlite:///{database}", *sys.argv[2:]]
    os.execv(sys.executable, words)


if __name__ == "__main__":
    main()
