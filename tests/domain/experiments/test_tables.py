"""What leaves the house is what the page shows: all pages, in order, with the chosen columns."""

from __future__ import annotations

import csv
import io
import math
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mlops_dash.bench.experiments import fill
from mlops_dash.domain.experiments.frame import Reducer
from mlops_dash.domain.experiments.room import RunQuery
from mlops_dash.domain.experiments.tables import Spread, TableFormat, file_name, shown
from mlops_dash.services.experiments import ExperimentService
from tests.factories import VIEWER, context
from tests.runs_world import ODD, RunsWorld, awkward


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, mlflow_template: Path) -> RunsWorld:
    home = tmp_path_factory.mktemp("runs")
    shutil.copyfile(mlflow_template, home / "mlflow.db")
    made = awkward(f"sqlite:///{home / 'mlflow.db'}", home / "artifacts")
    fill(made.path, 260)
    return made


@pytest.fixture
def service(world: RunsWorld, tmp_path: Path) -> Iterator[ExperimentService]:
    made = context(tmp_path, mlflow_uri=world.uri)
    yield ExperimentService(made)
    made.databases.dispose()


def test_rows_are_all_that_match_in_the_order_of_the_page(world: RunsWorld, service: ExperimentService) -> None:
    query = RunQuery(
        experiment=world.experiment, text="params.depth IS NOT NULL", sort="params.seed",
        columns=(f"metrics.{ODD}", "params.seed", "metrics.valid_auc"), baseline=world.ids["depth-3-seed-1"],
        reducers={"valid_auc": Reducer.MAX},
    )  # fmt: skip
    room = service.room(VIEWER, query)
    table = shown(room)
    assert [one.label for one in table.headings] == [
        "Run", ODD, "seed", "valid_auc, max", "valid_auc, max, difference from the baseline", "Status",
        "Started (UTC)", "Took (s)", "Run id",
    ]  # fmt: skip
    assert [row[-1] for row in table.rows] == room.matching.ids
    by_name = {row[0]: row for row in table.rows}
    assert by_name["broken"][1] == -math.inf
    assert by_name["child"][1] is None
    assert by_name["depth-6-seed-1"][4] == pytest.approx(0.03)
    assert by_name["depth-6-seed-1"][5:8] == ("Finished", datetime(2023, 11, 14, 22, 16, 20, tzinfo=UTC), 60.0)


def test_all_pages_leave_the_house(service: ExperimentService) -> None:
    first = service.room(VIEWER, RunQuery(experiment="0"))
    assert (first.n_pages, len(first.rows)) == (3, 100)
    assert len(shown(first).rows) == 260
    by_page = [service.room(VIEWER, RunQuery(experiment="0", page=at)).rows.ids for at in (1, 2, 3)]
    assert [row[-1] for row in shown(first).rows] == [one for page in by_page for one in page]


def test_groups_have_their_spread_in_the_order_of_the_page(world: RunsWorld, service: ExperimentService) -> None:
    room = service.room(VIEWER, RunQuery(experiment=world.experiment, grouped=True, text="run_name != 'child'"))
    table = shown(room)
    labels = [one.label for one in table.headings]
    assert labels == ["depth", "learning rate", "Runs", "valid_auc", "valid_log_loss", "seed"]
    best = dict(zip(labels, table.rows[0], strict=True))
    assert (best["depth"], best["Runs"], best["seed"]) == ("6", 3, "3, 2, 1")
    assert isinstance(best["valid_auc"], Spread)
    assert best["valid_auc"].mean == pytest.approx(0.662)
    assert best["valid_auc"].n == 3
    assert room.groups is not None
    assert len(table.rows) == len(room.groups.order)


def test_several_experiments_name_their_runs(world: RunsWorld, service: ExperimentService) -> None:
    both = f"{world.experiment},{world.other}"
    table = shown(service.room(VIEWER, RunQuery(experiment=both, columns=("metrics.valid_auc",))))
    assert [one.label for one in table.headings][:3] == ["Run", "experiment", "valid_auc"]
    assert next(row for row in table.rows if row[0] == "elsewhere")[1] == "other"


@pytest.mark.parametrize("kind", list(TableFormat))
def test_the_file_says_experiment_and_time(world: RunsWorld, service: ExperimentService, kind: TableFormat) -> None:
    made = service.written(VIEWER, RunQuery(experiment=world.experiment), kind)
    assert made.file_name == file_name("sweep", service.context.clock.wall(), kind)
    assert made.n_rows == 9
    assert made.content


def test_the_csv_of_a_query_reads_back(world: RunsWorld, service: ExperimentService) -> None:
    query = RunQuery(experiment=world.experiment, text="metrics.valid_auc > 0.65", columns=("metrics.valid_auc",))
    made = service.written(VIEWER, query, TableFormat.CSV).content.decode()
    rows = list(csv.DictReader(io.StringIO(made)))
    room = service.room(VIEWER, replace(query, page=1))
    assert [one["Run id"] for one in rows] == room.matching.ids
    assert [float(one["valid_auc"]) for one in rows] == list(room.matching.metrics["valid_auc"])
