"""The run index: a copy of a remote server's runs in MLflow's own layout, so that the same SQL reads both.

A SQLite file of its own in the home folder, not tables of ours: it is a cache that may be deleted at any time, it must
not hold the lock that decisions wait for, and it does not belong into backups or migrations. Whoever opens it first
makes it; an older layout is thrown away and filled again. Each page of runs is one transaction together with the place
where the next one begins, so a kill in the middle loses nothing.
"""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from mlops_dash.domain.experiments.frame import RunFrame
from mlops_dash.domain.experiments.index import FIRST_PAGE, IndexState, RunRecord
from mlops_dash.domain.experiments.room import Experiment
from mlops_dash.errors import StoreUnavailable
from mlops_dash.store.experiments.mlflow_runs import MlflowDatabase

_LAYOUT: Final = 2
_PATIENCE_SECONDS: Final = 10
ASK_EVERY_SECONDS: Final = 60  # how often it is written down that somebody looks
_TABLES: Final = """
CREATE TABLE experiments (experiment_id INTEGER PRIMARY KEY, name TEXT NOT NULL, lifecycle_stage TEXT NOT NULL,
    creation_time INTEGER);
CREATE TABLE runs (run_uuid TEXT PRIMARY KEY, experiment_id INTEGER NOT NULL, name TEXT, status TEXT, user_id TEXT,
    artifact_uri TEXT, start_time INTEGER, end_time INTEGER, lifecycle_stage TEXT NOT NULL, digest TEXT NOT NULL,
    pass_number INTEGER NOT NULL);
CREATE INDEX runs_of_experiment ON runs (experiment_id, start_time);
CREATE TABLE latest_metrics (run_uuid TEXT, key TEXT, value REAL, is_nan INTEGER, PRIMARY KEY (run_uuid, key))
    WITHOUT ROWID;
CREATE TABLE params (run_uuid TEXT, key TEXT, value TEXT, PRIMARY KEY (run_uuid, key)) WITHOUT ROWID;
CREATE TABLE tags (run_uuid TEXT, key TEXT, value TEXT, PRIMARY KEY (run_uuid, key)) WITHOUT ROWID;
CREATE TABLE datasets (dataset_uuid TEXT PRIMARY KEY, name TEXT, digest TEXT);
CREATE TABLE inputs (input_uuid TEXT PRIMARY KEY, source_type TEXT, source_id TEXT, destination_type TEXT,
    destination_id TEXT);
CREATE INDEX inputs_of_run ON inputs (destination_id);
CREATE TABLE input_tags (input_uuid TEXT PRIMARY KEY, name TEXT, value TEXT);
CREATE TABLE metrics (run_uuid TEXT, key TEXT, place INTEGER, step INTEGER, timestamp INTEGER, value REAL,
    is_nan INTEGER, PRIMARY KEY (run_uuid, key, place)) WITHOUT ROWID;
CREATE TABLE histories (run_uuid TEXT, key TEXT, digest TEXT NOT NULL, PRIMARY KEY (run_uuid, key)) WITHOUT ROWID;
CREATE TABLE wanted_histories (experiment_id INTEGER, key TEXT, asked_at REAL NOT NULL,
    PRIMARY KEY (experiment_id, key)) WITHOUT ROWID;
CREATE TABLE fills (experiment_id TEXT PRIMARY KEY, revision INTEGER NOT NULL, complete INTEGER NOT NULL,
    pass_number INTEGER NOT NULL, token TEXT, size INTEGER NOT NULL, as_of REAL NOT NULL, passed_at REAL,
    asked_at REAL NOT NULL, trouble TEXT NOT NULL);
"""
_NAMES: Final = (
    "experiments", "runs", "latest_metrics", "params", "tags", "datasets", "inputs", "input_tags", "metrics",
    "histories", "wanted_histories", "fills",
)  # fmt: skip
_FORGET: Final = (  # what is known of some runs, what hangs on inputs first
    (
        "DELETE FROM datasets WHERE dataset_uuid IN "
        "(SELECT source_id FROM inputs WHERE destination_id IN (SELECT value FROM json_each(?)))"
    ),
    (
        "DELETE FROM input_tags WHERE input_uuid IN "
        "(SELECT input_uuid FROM inputs WHERE destination_id IN (SELECT value FROM json_each(?)))"
    ),
    "DELETE FROM inputs WHERE destination_id IN (SELECT value FROM json_each(?))",
    "DELETE FROM latest_metrics WHERE run_uuid IN (SELECT value FROM json_each(?))",
    "DELETE FROM params WHERE run_uuid IN (SELECT value FROM json_each(?))",
    "DELETE FROM tags WHERE run_uuid IN (SELECT value FROM json_each(?))",
)
_GONE: Final = (  # a run that changed keeps its histories until they are read again
    "DELETE FROM metrics WHERE run_uuid IN (SELECT value FROM json_each(?))",
    "DELETE FROM histories WHERE run_uuid IN (SELECT value FROM json_each(?))",
    "DELETE FROM runs WHERE run_uuid IN (SELECT value FROM json_each(?))",
)


class RunIndex:
    """The index in one file; any number of processes may read, writers take turns."""

    def __init__(self, path: Path, server: str) -> None:
        """An index of the runs of `server`; one of another server or layout is emptied when it is first opened."""
        self.path = path
        self._server = server
        self.reader = MlflowDatabase(f"sqlite:///{path}")
        self._ready = False

    def frame(self, experiments: Sequence[str]) -> RunFrame:
        """The runs of the experiments, newest first, as from MLflow's own database.

        Raises:
            StoreUnavailable: the file cannot be read.
        """
        self._prepare()
        return self.reader.frame(experiments)

    def state(self, experiment: str) -> IndexState | None:
        """How far an experiment has been read; None when never."""
        found = [one for one in self.states() if one.experiment == experiment]
        return found[0] if found else None

    def states(self) -> tuple[IndexState, ...]:
        """How far each experiment has been read, the last looked at first."""
        with self.opened() as file:
            rows = file.execute(
                "SELECT f.*, (SELECT count(*) FROM runs r WHERE r.experiment_id = f.experiment_id) FROM fills f "
                "ORDER BY f.asked_at DESC, f.experiment_id"
            ).fetchall()
        return tuple(_state(row) for row in rows)

    def ask(self, experiment: str, now: datetime) -> IndexState:
        """Somebody looks at an experiment: it is to be read, or kept fresh."""
        at, known = now.timestamp(), self.state(experiment)
        if known is not None and 0 <= at - known.asked_at.timestamp() < ASK_EVERY_SECONDS:
            return known
        with self.writing() as file:
            file.execute(
                "INSERT INTO fills VALUES (?, 0, 0, 1, '', ?, ?, NULL, ?, '') "
                "ON CONFLICT (experiment_id) DO UPDATE SET asked_at = excluded.asked_at",
                (experiment, FIRST_PAGE, at, at),
            )
        found = self.state(experiment)
        assert found is not None
        return found

    def put_page(
        self, state: IndexState, runs: Sequence[RunRecord], token: str, size: int, now: datetime
    ) -> tuple[str, ...]:
        """Keep one page of a reading of everything; returns known runs that it never met, when it was the last.

        The caller asks MLflow for those by id and then calls `end_pass`: offsets move while runs come and go.

        Args:
            state: As it was when the page was asked for; where another process went on meanwhile, only the runs count.
            runs: The page.
            token: Where the next one begins; "" = this was the last.
            size: Runs of the next page.
            now: When it was read.
        """
        with self.writing() as file:
            changed = _put(file, runs, state.pass_number)
            file.execute(
                "UPDATE fills SET token = ?, size = ?, as_of = CASE complete WHEN 1 THEN as_of ELSE ? END, "
                "trouble = '' WHERE experiment_id = ? AND pass_number = ? AND token IS ?",
                (token or None, size, now.timestamp(), state.experiment, state.pass_number, state.token),
            )
            _revise(file, state.experiment, changed)
            if token:
                return ()
            rows = file.execute(
                "SELECT run_uuid FROM runs WHERE experiment_id = ? AND pass_number < ?",
                (int(state.experiment), state.pass_number),
            )
            return tuple(row[0] for row in rows)

    def end_pass(self, state: IndexState, found: Sequence[RunRecord], gone: Sequence[str], now: datetime) -> None:
        """Everything has been read: keep the runs that moved, forget those that are gone."""
        at = now.timestamp()
        with self.writing() as file:
            changed = _put(file, found, state.pass_number) + _forget(file, gone)
            _revise(file, state.experiment, changed)
            file.execute(
                "UPDATE fills SET complete = 1, token = NULL, passed_at = ?, as_of = max(as_of, ?), trouble = '' "
                "WHERE experiment_id = ? AND pass_number = ?",
                (at, at, state.experiment, state.pass_number),
            )

    def begin_pass(self, state: IndexState) -> None:
        """Read everything from the beginning; also when the server has forgotten where we were."""
        with self.writing() as file:
            file.execute(
                "UPDATE fills SET pass_number = pass_number + 1, token = '' WHERE experiment_id = ? "
                "AND pass_number = ?", (state.experiment, state.pass_number),
            )  # fmt: skip

    def put_changes(self, experiment: str, runs: Sequence[RunRecord], gone: Sequence[str], now: datetime) -> None:
        """Keep what a look for new, running and deleted runs found."""
        with self.writing() as file:
            passes = file.execute("SELECT pass_number FROM fills WHERE experiment_id = ?", (experiment,)).fetchone()
            changed = _put(file, runs, passes[0] if passes else 1) + _forget(file, gone)
            _revise(file, experiment, changed)
            file.execute(
                "UPDATE fills SET as_of = ?, trouble = '' WHERE experiment_id = ?", (now.timestamp(), experiment)
            )

    def put_trouble(self, experiment: str, sentence: str) -> None:
        """MLflow did not answer; what is known stays."""
        with self.writing() as file:
            file.execute("UPDATE fills SET trouble = ? WHERE experiment_id = ?", (sentence, experiment))

    def known(self, experiment: str, ids: Sequence[str]) -> dict[str, str]:
        """The digests of those of the runs that are in the index, by id."""
        with self.opened() as file:
            return dict(
                file.execute(
                    "SELECT run_uuid, digest FROM runs WHERE experiment_id = ? "
                    "AND run_uuid IN (SELECT value FROM json_each(?))", (int(experiment), json.dumps(list(ids))),
                )
            )  # fmt: skip

    def unfinished(self, experiment: str) -> tuple[str, ...]:
        """Runs that ran or waited when they were last read."""
        with self.opened() as file:
            rows = file.execute(
                "SELECT run_uuid FROM runs WHERE experiment_id = ? AND status IN ('RUNNING', 'SCHEDULED')",
                (int(experiment),),
            )
            return tuple(row[0] for row in rows)

    def experiment_of(self, run_id: str) -> str | None:
        """The experiment of a run in the index."""
        with self.opened() as file:
            row = file.execute("SELECT experiment_id FROM runs WHERE run_uuid = ?", (run_id,)).fetchone()
        return None if row is None else str(row[0])

    def put_experiments(self, experiments: Iterable[Experiment]) -> None:
        """Keep the list of experiments, for the time when MLflow is away; one of the same list is not written."""
        rows = [
            (int(one.id), one.name, "active", None if one.last_at is None else round(one.last_at.timestamp() * 1000))
            for one in experiments
            if one.id.isdecimal()
        ]
        with self.opened() as file:
            kept = file.execute("SELECT * FROM experiments").fetchall()
        if sorted(kept) == sorted(rows):
            return
        with self.writing() as file:
            file.execute("DELETE FROM experiments")
            file.executemany("INSERT INTO experiments VALUES (?, ?, ?, ?)", rows)

    def experiments(self) -> tuple[Experiment, ...]:
        """The list of experiments as last kept, the latest changed first."""
        with self.opened() as file:
            rows = file.execute(
                "SELECT experiment_id, name, creation_time FROM experiments ORDER BY creation_time DESC, experiment_id"
            ).fetchall()
        return tuple(
            Experiment(str(one), name, None, None if at is None else datetime.fromtimestamp(at / 1000, tz=UTC))
            for one, name, at in rows
        )

    # --- the file -----------------------------------------------------------------------------------------------------

    def _prepare(self) -> None:
        if self._ready and self.path.is_file():
            return
        with _our_errors(self.path), closing(_connect(self.path)) as file:
            file.execute("PRAGMA journal_mode = WAL")
            file.execute("BEGIN IMMEDIATE")
            if not _is_ours(file, self._server):
                for name in _NAMES:
                    file.execute(f"DROP TABLE IF EXISTS {name}")
                for statement in _TABLES.split(";"):
                    file.execute(statement)
                file.execute("CREATE TABLE IF NOT EXISTS about (layout INTEGER, server TEXT)")
                file.execute("DELETE FROM about")
                file.execute("INSERT INTO about VALUES (?, ?)", (_LAYOUT, self._server))
            file.execute("COMMIT")
        self._ready = True

    @contextmanager
    def opened(self) -> Iterator[sqlite3.Connection]:
        """The file, for as long as this lasts; made when it is not there yet.

        Raises:
            StoreUnavailable: the file cannot be used.
        """
        self._prepare()
        with _our_errors(self.path), closing(_connect(self.path)) as file:
            yield file

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction: all of it or nothing."""
        with self.opened() as file:
            file.execute("PRAGMA synchronous = NORMAL")  # a lost last page is read again
            file.execute("BEGIN IMMEDIATE")
            try:
                yield file
            except BaseException:
                file.execute("ROLLBACK")
                raise
            file.execute("COMMIT")


def _connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, timeout=_PATIENCE_SECONDS, isolation_level=None)


@contextmanager
def _our_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise StoreUnavailable(
            f"The run index {path.name} cannot be used: {error}.",
            hint="Make room and the file writable, or delete it: it is filled again.",
        ) from error


def _is_ours(file: sqlite3.Connection, server: str) -> bool:
    names = {row[0] for row in file.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if not {"about", *_NAMES} <= names:
        return False
    return file.execute("SELECT layout, server FROM about").fetchall() == [(_LAYOUT, server)]


def _put(file: sqlite3.Connection, runs: Sequence[RunRecord], pass_number: int) -> int:
    """Write the runs that are new or changed; says how many."""
    ids = json.dumps([one.run_id for one in runs])
    known = dict(
        file.execute("SELECT run_uuid, digest FROM runs WHERE run_uuid IN (SELECT value FROM json_each(?))", (ids,))
    )
    digests = {one.run_id: one.digest for one in runs}
    changed = [one for one in runs if known.get(one.run_id) != digests[one.run_id]]
    _clear(file, [one.run_id for one in changed if one.run_id in known])
    file.executemany(
        "INSERT OR REPLACE INTO runs VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'active', ?, ?)",
        [
            (one.run_id, int(one.experiment_id), one.name, one.status, one.user_id, one.artifact_uri, one.start_time,
             one.end_time, digests[one.run_id], pass_number)
            for one in changed
        ],
    )  # fmt: skip
    file.executemany(
        "INSERT INTO latest_metrics VALUES (?, ?, ?, ?)",
        [(one.run_id, key, *number(value)) for one in changed for key, value in one.metrics.items()],
    )
    params = [(one.run_id, key, text) for one in changed for key, text in one.params.items()]
    file.executemany("INSERT INTO params VALUES (?, ?, ?)", params)
    tags = [(one.run_id, key, text) for one in changed for key, text in one.tags.items()]
    file.executemany("INSERT INTO tags VALUES (?, ?, ?)", tags)
    data = [(f"{one.run_id}:{at}", one.run_id, given) for one in changed for at, given in enumerate(one.datasets)]
    file.executemany("INSERT INTO datasets VALUES (?, ?, ?)", [(key, one.name, one.digest) for key, _, one in data])
    file.executemany(
        "INSERT INTO inputs VALUES (?, 'DATASET', ?, 'RUN', ?)", [(key, key, run_id) for key, run_id, _ in data]
    )
    file.executemany(
        "INSERT INTO input_tags VALUES (?, 'mlflow.data.context', ?)",
        [(key, one.context) for key, _, one in data if one.context],
    )
    same = [(pass_number, one.run_id) for one in runs if one.run_id in known]
    file.executemany("UPDATE runs SET pass_number = max(pass_number, ?) WHERE run_uuid = ?", same)
    return len(changed)


def number(value: float) -> tuple[float, int]:
    """A value and whether it is NaN, as MLflow keeps them: SQL has no NaN."""
    return (0.0, 1) if math.isnan(value) else (value, 0)


def _forget(file: sqlite3.Connection, ids: Sequence[str]) -> int:
    _clear(file, ids)
    gone = 0
    for statement in _GONE:
        gone = file.execute(statement, (json.dumps(list(ids)),)).rowcount
    return gone


def _clear(file: sqlite3.Connection, ids: Sequence[str]) -> None:
    if ids:
        for statement in _FORGET:
            file.execute(statement, (json.dumps(list(ids)),))


def _revise(file: sqlite3.Connection, experiment: str, changed: int) -> None:
    if changed:
        file.execute("UPDATE fills SET revision = revision + 1 WHERE experiment_id = ?", (experiment,))


def _state(row: Sequence[Any]) -> IndexState:
    experiment, revision, complete, pass_number, token, size, as_of, passed_at, asked_at, trouble, n_runs = row
    return IndexState(
        experiment=str(experiment),
        n_runs=n_runs,
        revision=revision,
        complete=bool(complete),
        pass_number=pass_number,
        token=token,
        size=size,
        as_of=datetime.fromtimestamp(as_of, tz=UTC),
        passed_at=None if passed_at is None else datetime.fromtimestamp(passed_at, tz=UTC),
        asked_at=datetime.fromtimestamp(asked_at, tz=UTC),
        trouble=trouble,
    )
