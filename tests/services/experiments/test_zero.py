"""A metric that is best at 0 in the Experiments room: order, reducers, groups, front and importance."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlops_dash.domain.evidence import Direction
from mlops_dash.domain.experiments.frame import Reducer
from mlops_dash.domain.experiments.pictures import Picture
from mlops_dash.domain.experiments.room import RunQuery
from mlops_dash.services.experiments import ExperimentService
from tests.factories import VIEWER, context
from tests.runs_world import biased

COLUMNS = ("metrics.valid_bias", "metrics.valid_mae")


@pytest.fixture(scope="module")
def uri(tmp_path_factory: pytest.TempPathFactory, mlflow_template: Path) -> str:
    home = tmp_path_factory.mktemp("biased")
    shutil.copyfile(mlflow_template, home / "mlflow.db")
    made = f"sqlite:///{home / 'mlflow.db'}"
    biased(made, home / "artifacts")
    return made


@pytest.fixture
def service(uri: str, tmp_path: Path) -> Iterator[ExperimentService]:
    made = context(tmp_path, mlflow_uri=uri)
    yield ExperimentService(made)
    made.databases.dispose()


def names(service: ExperimentService, **asked: object) -> list[str]:
    room = service.room(VIEWER, RunQuery(columns=COLUMNS, **asked))  # type: ignore[arg-type]
    return [str(one) for one in room.rows.info["run_name"]]


def test_the_headline_is_the_primary_metric_of_the_task_not_the_bias(service: ExperimentService) -> None:
    room = service.room(VIEWER, RunQuery())
    assert [one.key for one in room.metrics] == ["valid_mae", "valid_rmse", "valid_bias"]
    assert room.metrics[2].direction is Direction.ZERO
    assert (room.sort, room.descending) == ("metrics.valid_mae", False)


def test_the_nearest_to_0_comes_first(service: ExperimentService) -> None:
    found = names(service)  # the last values: -3, -0.2, 0.4, 1.5
    assert [one.partition("-")[0] for one in found[::3]] == ["near", "above", "off", "far"]
    assert found[:3] == ["near-3", "near-2", "near-1"]
    assert names(service, sort="-metrics.valid_bias")[0] == "far-1"


def test_best_is_the_value_of_the_history_nearest_to_0_with_its_sign(service: ExperimentService) -> None:
    room = service.room(VIEWER, RunQuery(columns=COLUMNS, reducers={"valid_bias": Reducer.BEST}))
    found = {str(name): value for name, value in zip(room.matching.info["run_name"],
                                                     room.matching.metrics["valid_bias"], strict=True)}  # fmt: skip
    assert {one: found[f"{one}-1"] for one in ("far", "near", "above", "off")} == pytest.approx(
        {"far": 2.001, "near": -0.199, "above": -0.099, "off": 1.001}
    )


def test_configurations_are_ordered_by_how_far_their_mean_is_from_0(service: ExperimentService) -> None:
    room = service.room(VIEWER, RunQuery(columns=COLUMNS, grouped=True, repeat_key="seed"))
    assert room.groups is not None
    means = room.groups.metrics["valid_bias"].loc[list(room.groups.order), "mean"].to_list()
    assert means == pytest.approx([-0.198, 0.402, 1.502, -2.998])


def test_the_front_and_the_importance_are_of_the_distance_from_0(service: ExperimentService) -> None:
    front = service.room(VIEWER, RunQuery(columns=COLUMNS, picture=Picture.PARETO)).front
    assert front is not None
    assert front.ways == (Direction.ZERO, Direction.LOWER)
    on = {one.partition("-")[0] for one, is_on in zip(front.labels, front.on, strict=True) if is_on}
    assert on == {"near", "above", "off"}
    importance = service.room(VIEWER, RunQuery(columns=COLUMNS, picture=Picture.IMPORTANCE)).importance
    assert importance is not None
    assert importance.from_zero
