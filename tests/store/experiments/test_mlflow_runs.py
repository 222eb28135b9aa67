"""The contract: our SQL on MLflow's tables says what MLflow's own client says, on a store made by that client."""

from __future__ import annotations

import math
import shutil
import sqlite3
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sqlalchemy.exc import DBAPIError

from mlops_dash.bench.experiments import add_curves, fill
from mlops_dash.domain.experiments.filter import parse
from mlops_dash.domain.experiments.frame import RunFrame, matching
from mlops_dash.errors import StoreUnavailable
from mlops_dash.store.experiments.mlflow_runs import MlflowDatabase
from mlops_dash.tracking.experiments.search import MlflowRuns
from tests.runs_world import ODD, RunsWorld, awkward


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, mlflow_template: Path) -> RunsWorld:
    home = tmp_path_factory.mktemp("runs")
    shutil.copyfile(mlflow_template, home / "mlflow.db")
    return awkward(f"sqlite:///{home / 'mlflow.db'}", home / "artifacts")


@pytest.fixture(scope="module")
def frame(world: RunsWorld) -> RunFrame:
    return MlflowDatabase(world.uri).frame([world.experiment])


def client_runs(world: RunsWorld, text: str = "", **options: object) -> pd.DataFrame:
    import mlflow

    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(world.uri)
    try:
        found = mlflow.search_runs([world.experiment], text, **options)  # type: ignore[arg-type]
    finally:
        mlflow.set_tracking_uri(before)
    assert isinstance(found, pd.DataFrame)
    return found


def test_the_frame_equals_search_runs(world: RunsWorld, frame: RunFrame) -> None:
    theirs = client_runs(world).set_index("run_id").loc[frame.ids]
    assert len(frame) == 9
    assert world.ids["deleted"] not in frame.ids
    for name in ("experiment_id", "status", "artifact_uri"):
        assert list(frame.info[name]) == list(theirs[name])
    for name in ("start_time", "end_time"):
        ours = pd.to_datetime(frame.info[name], unit="ms", utc=True)
        assert [None if pd.isna(one) else one for one in ours] == [
            None if pd.isna(one) else one for one in theirs[name]
        ]
    for prefix, table in (("params", frame.params), ("tags", frame.tags)):
        assert {f"{prefix}.{one}" for one in table.columns} == {one for one in theirs if one.startswith(f"{prefix}.")}
        for name in table.columns:
            assert list(table[name]) == [None if pd.isna(one) else one for one in theirs[f"{prefix}.{name}"]]
    assert {f"metrics.{one}" for one in frame.metrics.columns} == {one for one in theirs if one.startswith("metrics.")}
    for name in frame.metrics.columns:
        kept = theirs[f"metrics.{name}"].to_numpy()
        np.testing.assert_array_equal(
            frame.metrics[name], np.where(np.abs(kept) > 1.7e308, np.copysign(np.inf, kept), kept)
        )


def test_the_two_ways_of_reading_give_the_same_frame(world: RunsWorld, frame: RunFrame) -> None:
    other = MlflowRuns(world.uri).frame([world.experiment])
    other = other.take(other.places(frame.ids))
    pd.testing.assert_frame_equal(frame.info, other.info)
    pd.testing.assert_frame_equal(frame.metrics, other.metrics)
    pd.testing.assert_frame_equal(frame.params, other.params)
    pd.testing.assert_frame_equal(frame.tags, other.tags)
    np.testing.assert_array_equal(frame.logged, other.logged)


def test_nan_infinite_and_missing_metrics_are_told_apart(world: RunsWorld, frame: RunFrame) -> None:
    (broken,) = frame.places([world.ids["broken"]])
    (nothing,) = frame.places([world.ids["empty"]])
    assert frame.state(broken, "valid_auc") == "nan"
    assert frame.state(broken, "valid_log_loss") == "inf"
    assert frame.state(broken, ODD) == "-inf"
    assert frame.state(nothing, "valid_auc") == "missing"
    assert frame.state(nothing, "no such metric") == "missing"


@pytest.mark.parametrize(
    "text",
    [
        "metrics.valid_auc > 0.632",
        "metrics.valid_auc <= 0.632 and params.depth = '3'",
        "metrics.valid_auc != 0.631",  # NaN is unequal to everything
        "metrics.valid_log_loss > 1",
        "metric.valid_auc > -1e3",
        "params.depth != '3'",
        "params.`learning rate` = '0.1'",
        'parameters."learning rate" LIKE "0._"',
        "params.`learning rate` IS NULL",
        "params.seed IS NOT NULL and tags.team ILIKE 'gr%'",
        "tags.team LIKE 'gr%'",
        "tags.team LIKE 'Gr%'",
        'tags.note = "it\'s 100 % fine"',
        "attributes.status = 'FAILED'",
        "status != 'FINISHED'",
        "attributes.run_name LIKE 'depth-3%'",
        "attributes.`Run name` = 'child'",
        "run_name ILIKE '%SEED-2'",
        "created > 1700000200000",
        "attributes.end_time < 1700000200000",
        "tags.mlflow.parentRunId != ''",
        "datasets.digest = 'd2'",
        "dataset.context = 'training' and dataset.name LIKE 'fl%'",
        "",
    ],
)
def test_a_filter_finds_what_mlflow_finds(world: RunsWorld, frame: RunFrame, text: str) -> None:
    clauses = parse(text)
    assert isinstance(clauses, tuple), clauses
    found = {one for one, fits in zip(frame.ids, matching(frame, clauses), strict=True) if fits}
    assert found == set(client_runs(world, text)["run_id"] if text else frame.ids)


def test_lists_of_run_ids_find_what_mlflow_finds(world: RunsWorld, frame: RunFrame) -> None:
    for text in (f"run_id IN ('{world.ids['child']}', 'x')", f"attributes.run_id NOT IN ('{world.ids['child']}')"):
        clauses = parse(text)
        assert isinstance(clauses, tuple)
        found = {one for one, fits in zip(frame.ids, matching(frame, clauses), strict=True) if fits}
        assert found == set(client_runs(world, text)["run_id"])


def test_histories_equal_the_clients(world: RunsWorld) -> None:
    names = [world.ids["broken"], world.ids["depth-6-seed-2"]]
    keys = ["valid_auc", "valid_log_loss", ODD]
    ours = MlflowDatabase(world.uri).histories(names, keys)
    pd.testing.assert_frame_equal(ours, MlflowRuns(world.uri).histories(names, keys))
    assert len(ours) == 2 + 1 + 1 + 6
    assert ours["value"].isna().sum() == 1
    assert np.isinf(ours["value"]).sum() == 2


def test_extremes_are_those_of_the_history(world: RunsWorld) -> None:
    database, client = MlflowDatabase(world.uri), MlflowRuns(world.uri)
    ids = database.frame([world.experiment]).ids
    ours = database.extremes([world.experiment], ["valid_auc", "valid_log_loss"]).sort_values(["run_id", "key"])
    theirs = client.extremes(ids, ["valid_auc", "valid_log_loss"]).sort_values(["run_id", "key"])
    pd.testing.assert_frame_equal(ours.reset_index(drop=True), theirs.reset_index(drop=True))
    first = ours[(ours.run_id == world.ids["depth-3-seed-1"]) & (ours.key == "valid_auc")]
    assert (first.low.item(), first.high.item()) == pytest.approx((0.531, 0.681))


def test_experiments_are_listed_with_their_runs_by_both_ways(world: RunsWorld) -> None:
    ours = MlflowDatabase(world.uri).experiments()
    assert [(one.name, one.n_runs) for one in ours] == [("sweep", 9), ("other", 1), ("Default", 0)]
    assert {one.name for one in MlflowRuns(world.uri).experiments()} == {"sweep", "other", "Default"}
    assert ours[0].last_at is not None


def test_an_experiment_that_is_not_there_has_no_runs(world: RunsWorld) -> None:
    assert len(MlflowDatabase(world.uri).frame(["999"])) == 0
    assert len(MlflowDatabase(world.uri).frame(["; DROP TABLE runs"])) == 0


def test_the_mark_changes_when_something_is_written(tmp_path: Path, mlflow_uri: str) -> None:
    database = MlflowDatabase(mlflow_uri)
    before = database.mark()
    assert database.mark() == before != ""
    fill(Path(mlflow_uri.removeprefix("sqlite:///")), 1)
    assert database.mark() != before


def test_another_schema_is_not_read(mlflow_uri: str) -> None:
    database = MlflowDatabase(mlflow_uri)
    assert database.why_not() == ""
    with sqlite3.connect(mlflow_uri.removeprefix("sqlite:///")) as store:
        store.execute("UPDATE alembic_version SET version_num = 'feedbeef'")
    store.close()
    assert "feedbeef" in database.why_not()


def test_a_database_that_is_missing_or_broken_says_so(tmp_path: Path) -> None:
    assert "not there yet" in MlflowDatabase(f"sqlite:///{tmp_path / 'none.db'}").why_not()
    assert not (tmp_path / "none.db").exists()
    (tmp_path / "bad.db").write_text("this is no database, however long it may be")
    broken = MlflowDatabase(f"sqlite:///{tmp_path / 'bad.db'}")
    assert "cannot be read" in broken.why_not()
    with pytest.raises(StoreUnavailable):
        broken.frame(["0"])


def test_nothing_is_written(world: RunsWorld) -> None:
    before = world.path.stat().st_mtime_ns, world.path.read_bytes()
    database = MlflowDatabase(world.uri)
    database.frame([world.experiment])
    database.experiments()
    assert (world.path.stat().st_mtime_ns, world.path.read_bytes()) == before


def test_a_bulk_store_is_read_as_the_client_reads_it(mlflow_uri: str) -> None:
    path = Path(mlflow_uri.removeprefix("sqlite:///"))
    ids = fill(path, 60)
    add_curves(path, ids[:3], steps=40)
    ours, theirs = MlflowDatabase(mlflow_uri).frame(["0"]), MlflowRuns(mlflow_uri).frame(["0"])
    theirs = theirs.take(theirs.places(ours.ids))
    assert len(ours) == 60
    curves = MlflowDatabase(mlflow_uri).histories(ids[:3], ["m00"])
    pd.testing.assert_frame_equal(
        curves,
        MlflowRuns(mlflow_uri).histories(ids[:3], ["m00"]).sort_values(["run_id", "key", "step"], ignore_index=True),
    )
    assert len(curves) == 120
    pd.testing.assert_frame_equal(ours.metrics, theirs.metrics)
    pd.testing.assert_frame_equal(ours.params, theirs.params)
    pd.testing.assert_frame_equal(ours.tags, theirs.tags)
    assert math.isfinite(ours.metrics.to_numpy().sum())


@pytest.mark.postgres
def test_postgres_says_what_mlflow_says_and_is_never_written(postgres_url: str, tmp_path: Path) -> None:
    assert MlflowRuns(postgres_url).reachable()  # MLflow makes its tables
    made = awkward(postgres_url, tmp_path / "artifacts")
    database = MlflowDatabase(postgres_url)
    assert database.why_not() == ""
    assert database.mark() == ""  # a server's tables have no file to look at
    ours, theirs = database.frame([made.experiment]), MlflowRuns(postgres_url).frame([made.experiment])
    theirs = theirs.take(theirs.places(ours.ids))
    assert len(ours) == 9
    assert made.ids["deleted"] not in ours.ids
    pd.testing.assert_frame_equal(ours.info, theirs.info)
    pd.testing.assert_frame_equal(ours.metrics, theirs.metrics)
    pd.testing.assert_frame_equal(ours.params, theirs.params)
    pd.testing.assert_frame_equal(ours.tags, theirs.tags)
    np.testing.assert_array_equal(ours.logged, theirs.logged)
    for text in (
        "metrics.valid_auc != 0.631",
        "tags.team LIKE 'Gr%'",
        "params.seed IS NOT NULL",
        f"metrics.`{ODD}` < 0",
    ):
        clauses = parse(text)
        assert isinstance(clauses, tuple)
        found = {one for one, fits in zip(ours.ids, matching(ours, clauses), strict=True) if fits}
        assert found == set(client_runs(made, text)["run_id"]), text
    names, keys = [made.ids["broken"], made.ids["depth-6-seed-2"]], ["valid_auc", "valid_log_loss", ODD]
    client = MlflowRuns(postgres_url)
    pd.testing.assert_frame_equal(database.histories(names, keys), client.histories(names, keys))
    low_high, of_client = database.extremes([made.experiment], keys[:2]), client.extremes(ours.ids, keys[:2])
    order = ["run_id", "key"]
    pd.testing.assert_frame_equal(
        low_high.sort_values(order, ignore_index=True), of_client.sort_values(order, ignore_index=True)
    )
    assert [(one.name, one.n_runs) for one in database.experiments()] == [("sweep", 9), ("other", 1), ("Default", 0)]
    assert database.experiment_of(made.ids["child"]) == made.experiment
    both = database.frame([made.experiment, made.other])
    assert len(both) == 10
    with database._reading() as connection, pytest.raises(DBAPIError, match="read-only"):
        connection.exec_driver_sql("DELETE FROM runs")
