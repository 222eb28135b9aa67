"""MLflow's own tables, read and never written: a frame of ten thousand runs takes under a second instead of sixteen.

Only where MLflow's database is ours or configured, and only for schema revisions that a contract test has compared with
the public client; anything else says why not, and `tracking.search` reads through the client.
"""

from __future__ import annotations

import gc
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import numpy as np
import pandas as pd
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Float,
    Integer,
    MetaData,
    Select,
    String,
    Table,
    and_,
    case,
    create_engine,
    func,
    select,
)
from sqlalchemy.engine import Connection, Engine, make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from mlops_dash.domain.calendar import from_ms
from mlops_dash.domain.experiments.frame import INFO, Dataset, RunFrame, from_mlflow
from mlops_dash.domain.experiments.room import Experiment
from mlops_dash.errors import StoreUnavailable

REVISIONS: Final = frozenset(
    {"dc11669786a5"}
)  # MLflow 3.17; each one is held by tests/store/experiments/test_mlflow_runs.py
_PATIENCE_SECONDS = 5

_meta = MetaData()
_experiments = Table(
    "experiments", _meta, Column("experiment_id", Integer), Column("name", String), Column("lifecycle_stage", String),
    Column("creation_time", BigInteger),
)  # fmt: skip
_runs = Table(
    "runs", _meta, Column("run_uuid", String), Column("experiment_id", Integer), Column("name", String),
    Column("status", String), Column("user_id", String), Column("artifact_uri", String),
    Column("start_time", BigInteger), Column("end_time", BigInteger), Column("lifecycle_stage", String),
)  # fmt: skip
_latest = Table(
    "latest_metrics", _meta, Column("run_uuid", String), Column("key", String), Column("value", Float),
    Column("is_nan", Boolean),
)  # fmt: skip
_metrics = Table(
    "metrics", _meta, Column("run_uuid", String), Column("key", String), Column("value", Float),
    Column("is_nan", Boolean), Column("step", BigInteger), Column("timestamp", BigInteger),
)  # fmt: skip
_params = Table("params", _meta, Column("run_uuid", String), Column("key", String), Column("value", String))
_tags = Table("tags", _meta, Column("run_uuid", String), Column("key", String), Column("value", String))
_datasets = Table("datasets", _meta, Column("dataset_uuid", String), Column("name", String), Column("digest", String))
_inputs = Table(
    "inputs", _meta, Column("input_uuid", String), Column("source_type", String), Column("source_id", String),
    Column("destination_type", String), Column("destination_id", String),
)  # fmt: skip
_input_tags = Table("input_tags", _meta, Column("input_uuid", String), Column("name", String), Column("value", String))
_revision = Table("alembic_version", _meta, Column("version_num", String))


class MlflowDatabase:
    """MLflow's database at a SQLite or Postgres address."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._made: Engine | None = None

    def why_not(self) -> str:
        """Empty when the tables can be read, else one sentence that says why not."""
        kind = self.url.partition(":")[0].partition("+")[0]
        if kind not in {"sqlite", "postgresql"}:
            return f"MLflow's database is {kind}; only SQLite and Postgres are read directly."
        path = self._path()
        if path is not None and not path.is_file():
            return f"MLflow's database {path.name} is not there yet."
        try:
            with self._reading() as connection:
                found = connection.execute(select(_revision.c.version_num)).scalar()
        except StoreUnavailable as error:
            return error.message
        if found in REVISIONS:
            return ""
        return f"MLflow's database has the schema {found}, which this version has not been tested with."

    def experiments(self) -> tuple[Experiment, ...]:
        """All experiments that are not deleted, the latest active first.

        Raises:
            StoreUnavailable: the database cannot be read.
        """
        count = func.count(_runs.c.run_uuid)
        latest = func.max(_runs.c.start_time)
        theirs = and_(_runs.c.experiment_id == _experiments.c.experiment_id, _runs.c.lifecycle_stage == "active")
        asked = (
            select(_experiments.c.experiment_id, _experiments.c.name, _experiments.c.creation_time, count, latest)
            .join_from(_experiments, _runs, onclause=theirs, isouter=True)
            .where(_experiments.c.lifecycle_stage == "active")
            .group_by(_experiments.c.experiment_id, _experiments.c.name, _experiments.c.creation_time)
        )  # fmt: skip
        with self._reading() as connection:
            rows = connection.execute(asked).all()
        made = [Experiment(str(one), name, n, from_ms(last or created)) for one, name, created, n, last in rows]
        return tuple(sorted(made, key=lambda one: (one.n_runs == 0, -one.last_at.timestamp() if one.last_at else 0.0)))

    def experiment_of(self, run_id: str) -> str | None:
        """The experiment of a run that is not deleted, or None.

        Raises:
            StoreUnavailable: the database cannot be read.
        """
        asked = select(_runs.c.experiment_id).where(_runs.c.run_uuid == run_id, _runs.c.lifecycle_stage == "active")
        with self._reading() as connection:
            found = connection.execute(asked).scalar()
        return None if found is None else str(found)

    def mark(self) -> str:
        """Changes whenever SQLite's file does; "" where that cannot be known (Postgres)."""
        path = self._path()
        if path is None:
            return ""
        parts = []
        for file in (path, path.with_name(path.name + "-wal")):
            try:
                seen = file.stat()
            except FileNotFoundError:
                continue
            parts.append(f"{seen.st_mtime_ns}:{seen.st_size}")
        return " ".join(parts)

    def frame(self, experiment_ids: Sequence[str]) -> RunFrame:
        """All runs of the experiments that are not deleted, newest first.

        Args:
            experiment_ids: MLflow's ids.

        Raises:
            StoreUnavailable: the database cannot be read.
        """
        wanted = [int(one) for one in experiment_ids if one.isdecimal()]
        of_these = and_(_runs.c.experiment_id.in_(wanted), _runs.c.lifecycle_stage == "active")
        with self._reading() as connection, _without_gc():
            listed = _fetch(
                connection,
                select(
                    _runs.c.run_uuid, _runs.c.experiment_id, _runs.c.name, _runs.c.status, _runs.c.user_id,
                    _runs.c.artifact_uri, _runs.c.start_time, _runs.c.end_time,
                ).where(of_these).order_by(_runs.c.start_time.desc(), _runs.c.run_uuid),
            )  # fmt: skip
            place = {row[0]: at for at, row in enumerate(listed)}

            def of(table: Table, *columns: Column[Any]) -> list[tuple[Any, ...]]:
                joined = select(table.c.run_uuid, table.c.key, *columns)
                return _fetch(connection, joined.join(_runs, _runs.c.run_uuid == table.c.run_uuid).where(of_these))

            metrics, logged = _wide_numbers(of(_latest, _latest.c.value, _latest.c.is_nan), place)
            params = _wide_texts(of(_params, _params.c.value), place)
            tags = _wide_texts(of(_tags, _tags.c.value), place)
            datasets = _datasets_of(connection, of_these)
        return RunFrame(_info(listed, datasets), metrics, logged, params, tags)

    def extremes(self, experiment_ids: Sequence[str], keys: Sequence[str]) -> pd.DataFrame:
        """Smallest, largest and nearest to 0 in the history of some metrics: columns run_id, key, low, high, near.

        NaN has no place in an order and is left out; infinite values count.
        """
        wanted, value = [int(one) for one in experiment_ids if one.isdecimal()], _metrics.c.value
        asked = (
            select(
                _metrics.c.run_uuid, _metrics.c.key, func.min(value), func.max(value),
                func.max(case((value <= 0, value))), func.min(case((value >= 0, value))),
            )
            .join(_runs, _runs.c.run_uuid == _metrics.c.run_uuid)
            .where(
                _runs.c.experiment_id.in_(wanted), _runs.c.lifecycle_stage == "active", _metrics.c.key.in_(list(keys)),
                _metrics.c.is_nan.is_(False),
            )
            .group_by(_metrics.c.run_uuid, _metrics.c.key)
        )  # fmt: skip
        with self._reading() as connection:
            rows = connection.execute(asked).all()
        made = pd.DataFrame(rows, columns=["run_id", "key", "low", "high", "below", "above"])
        made = made.assign(**{name: from_mlflow(made[name].to_numpy(dtype=float)) for name in made.columns[2:]})
        nearer = made["above"].isna() | (-made["below"] < made["above"])
        made["near"] = made["below"].where(nearer, made["above"])
        return made.drop(columns=["below", "above"])

    def at_step(self, experiment_ids: Sequence[str], key: str, step: int) -> dict[str, float]:
        """The value of one metric at exactly one step, by run; of several at that step the last one written."""
        wanted = [int(one) for one in experiment_ids if one.isdecimal()]
        asked = (
            select(_metrics.c.run_uuid, _metrics.c.value, _metrics.c.is_nan)
            .join(_runs, _runs.c.run_uuid == _metrics.c.run_uuid)
            .where(
                _runs.c.experiment_id.in_(wanted), _runs.c.lifecycle_stage == "active", _metrics.c.key == key,
                _metrics.c.step == step,
            )
            .order_by(_metrics.c.timestamp)
        )  # fmt: skip
        with self._reading() as connection:
            rows = connection.execute(asked).all()
        values = from_mlflow(np.array([math.nan if nan else value for _, value, nan in rows], dtype=float))
        return dict(zip((run_id for run_id, _, _ in rows), values.tolist(), strict=True))

    def histories(self, run_ids: Sequence[str], keys: Sequence[str]) -> pd.DataFrame:
        """Every point of some metrics of some runs: columns run_id, key, step, timestamp (ms), value."""
        asked = (
            select(
                _metrics.c.run_uuid, _metrics.c.key, _metrics.c.step, _metrics.c.timestamp, _metrics.c.value,
                _metrics.c.is_nan,
            )
            .where(_metrics.c.run_uuid.in_(list(run_ids)), _metrics.c.key.in_(list(keys)))
            .order_by(_metrics.c.run_uuid, _metrics.c.key, _metrics.c.step, _metrics.c.timestamp)
        )  # fmt: skip
        with self._reading() as connection, _without_gc():
            rows = connection.execute(asked).all()
        made = pd.DataFrame(rows, columns=["run_id", "key", "step", "timestamp", "value", "is_nan"])
        values = from_mlflow(made["value"].to_numpy(dtype=float))
        return made.drop(columns="is_nan").assign(value=np.where(made["is_nan"].to_numpy(dtype=bool), np.nan, values))

    def _path(self) -> Path | None:
        url = make_url(self.url)
        return Path(url.database) if url.get_backend_name() == "sqlite" and url.database else None

    def _engine(self) -> Engine:
        if self._made is None:
            path = self._path()
            if path is not None:
                address = f"sqlite:///file:{quote(str(path))}?mode=ro&uri=true"
                self._made = create_engine(address, poolclass=NullPool, connect_args={"timeout": _PATIENCE_SECONDS})
            else:
                options = (
                    f"-cdefault_transaction_read_only=on -cstatement_timeout=60s -clock_timeout={_PATIENCE_SECONDS}s"
                )
                self._made = create_engine(
                    make_url(self.url).set(drivername="postgresql+psycopg"), pool_pre_ping=True, pool_size=2,
                    isolation_level="REPEATABLE READ",
                    connect_args={"options": options, "connect_timeout": _PATIENCE_SECONDS},
                )  # fmt: skip
        return self._made

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        try:
            with self._engine().connect() as connection:
                if connection.dialect.name == "sqlite":  # one moment for all statements; Postgres: repeatable read
                    connection.exec_driver_sql("BEGIN")
                yield connection
        except DBAPIError as error:
            said = str(error.orig).strip().splitlines()
            raise StoreUnavailable(
                f"MLflow's database cannot be read: {said[0] if said else type(error).__name__}.",
                hint="Check MLOPS_DASH_MLFLOW_DATABASE_URL, and that the database runs.",
            ) from error


def _fetch(connection: Connection, asked: Select[Any]) -> list[tuple[Any, ...]]:
    """Rows as the driver gives them: SQLAlchemy's own row objects would cost as much as the read.

    For statements with ids only: a percent sign in a text would be doubled.
    """
    text = asked.compile(connection.engine, compile_kwargs={"literal_binds": True})
    with connection.exec_driver_sql(str(text)) as result:
        cursor: Any = result.cursor
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows


@contextmanager
def _without_gc() -> Iterator[None]:
    """Half a million small tuples make the collector look again and again for nothing."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def _cells(rows: list[tuple[Any, ...]], place: dict[str, int]) -> tuple[Any, Any, list[str]]:
    """Row and column of every cell, and the names of the columns in alphabetical order."""
    at = np.fromiter((place[row[0]] for row in rows), np.int64, len(rows))
    codes, names = pd.factorize(np.array([row[1] for row in rows], dtype=object))
    by_name = sorted(range(len(names)), key=lambda code: str(names[code]))
    rank = np.empty(len(names), dtype=np.int64)
    rank[by_name] = np.arange(len(names))
    return at, rank[codes], [str(names[code]) for code in by_name]


def _wide_numbers(rows: list[tuple[Any, ...]], place: dict[str, int]) -> tuple[pd.DataFrame, Any]:
    if not rows:
        return pd.DataFrame(index=pd.RangeIndex(len(place))), np.zeros((len(place), 0), dtype=bool)
    at, codes, names = _cells(rows, place)
    values = np.array([math.nan if row[3] else row[2] for row in rows], dtype=float)
    wide = np.full((len(place), len(names)), np.nan)
    wide[at, codes] = from_mlflow(values)
    logged = np.zeros(wide.shape, dtype=bool)
    logged[at, codes] = True
    return pd.DataFrame(wide, columns=names), logged


def _wide_texts(rows: list[tuple[Any, ...]], place: dict[str, int]) -> pd.DataFrame:
    if not rows:
        return pd.DataFrame(index=pd.RangeIndex(len(place)))
    at, codes, names = _cells(rows, place)
    wide = np.full((len(place), len(names)), None, dtype=object)
    wide[at, codes] = np.array([row[2] for row in rows], dtype=object)
    return pd.DataFrame(wide, columns=names)


def _datasets_of(connection: Connection, of_these: ColumnElement[bool]) -> dict[str, tuple[Dataset, ...]]:
    """The data sets of each run, by name and digest."""
    asked = (
        select(_inputs.c.destination_id, _datasets.c.name, _datasets.c.digest, _input_tags.c.value)
        .join(_datasets, _datasets.c.dataset_uuid == _inputs.c.source_id)
        .join(_runs, _runs.c.run_uuid == _inputs.c.destination_id)
        .join(
            _input_tags, isouter=True,
            onclause=and_(
                _input_tags.c.input_uuid == _inputs.c.input_uuid, _input_tags.c.name == "mlflow.data.context"
            ),
        )
        .where(_inputs.c.source_type == "DATASET", _inputs.c.destination_type == "RUN", of_these)
    )  # fmt: skip
    found: dict[str, set[Dataset]] = {}
    for run_id, name, digest, context in connection.execute(asked):
        found.setdefault(run_id, set()).add(Dataset(name, digest, context or ""))
    return {key: tuple(sorted(made, key=lambda one: (one.name, one.digest))) for key, made in found.items()}


def _info(listed: list[tuple[Any, ...]], datasets: dict[str, tuple[Dataset, ...]]) -> pd.DataFrame:
    columns = list(zip(*listed, strict=True)) if listed else [()] * 8
    run_ids, experiments, names, statuses, users, artifacts, starts, ends = columns
    made = {
        "run_id": list(run_ids),
        "experiment_id": [str(one) for one in experiments],
        "run_name": [one or "" for one in names],
        "status": list(statuses),
        "user_id": [one or "" for one in users],
        "artifact_uri": [one or "" for one in artifacts],
        "start_time": np.array(starts, dtype=float),
        "end_time": np.array(ends, dtype=float),
        "datasets": [datasets.get(one, ()) for one in run_ids],
    }
    return pd.DataFrame({name: pd.Series(made[name], dtype=None if name.endswith("time") else object) for name in INFO})
