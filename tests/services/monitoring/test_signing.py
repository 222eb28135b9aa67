"""A column that names whose rows belong together and is an input of the model all the same stays watched for drift."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mlops_dash.services.command import Context
from mlops_dash.store import signatures
from mlops_dash.store.db import reading, transaction
from mlops_dash.store.monitoring import references
from mlops_dash.store.tables.registry import ModelRow, ModelVersionRow
from mlops_dash.tracking.registry import MlflowRegistry
from tests import factories
from tests.services.monitoring.monitoring_world import FIRST, MODEL, V1, World, world
from tests.services.monitoring.test_grouping import A_DAY, CUSTOMER, DAY, send
from tests.services.monitoring.test_hours import by

REGIONS = 24  # customers are so many regions here


def signed(names: list[str]) -> str:
    """MLmodel of a stranger whose model takes these columns."""
    columns = [{"name": name, "type": "string" if name == CUSTOMER else "double", "required": True} for name in names]
    return json.dumps({"flavors": {"python_function": {}}, "signature": {"inputs": json.dumps(columns)}})


@pytest.fixture
def house(tmp_path: Path, mlflow_uri: str) -> Context:
    return factories.context(tmp_path, mlflow_uri=mlflow_uri)


def strangers(context: Context, folder: Path, mlmodel: str | None) -> World:
    """Their version, whose files lie in a folder; rows of a region belong together."""
    made = world(context)
    by(context, "day", min_reference_rows=500)
    folder.mkdir()
    if mlmodel is not None:
        (folder / "MLmodel").write_text(mlmodel)
    with transaction(context.databases.app) as session:
        session.get_one(ModelRow, MODEL).cluster = CUSTOMER
        session.get_one(ModelVersionRow, V1).source_uri = str(folder)
    return made


def past(w: World, days: int = 12) -> pd.DataFrame:
    """Rows of so many days, all regions alike."""
    n = days * A_DAY
    x = w.rng.normal(0.0, 1.0, n)
    p = 1.0 / (1.0 + np.exp(1.0 - 1.5 * x))
    return pd.DataFrame({
        "x": x, CUSTOMER: [f"<b>{one}</b>" for one in w.rng.integers(0, REGIONS, n)], "score": p,
        "label": (w.rng.random(n) < p).astype(float), "at": [pd.Timestamp(FIRST + i * DAY / A_DAY) for i in range(n)],
    })  # fmt: skip


def columns(w: World) -> tuple[list[str], bool]:
    """Inputs of the reference, and whether intervals go by groups."""
    with reading(w.context.databases.app) as session:
        kept = references.reference(session, V1)
    assert kept is not None
    return list(kept.layout.features), kept.is_grouped


def test_an_input_that_is_named_as_cluster_is_both(house: Context, tmp_path: Path) -> None:
    made = strangers(house, tmp_path / "theirs", signed(["x", CUSTOMER]))
    assert made.monitoring.keep_inputs(factories.SCIENTIST, V1) == ("x", CUSTOMER)
    set_by = made.monitoring.set_reference(factories.SCIENTIST, V1, past(made), method="as served", source="a file")
    assert set_by.changed
    assert columns(made) == (["x", CUSTOMER], True)
    assert made.monitoring.record_reference(factories.WORKER, V1, past(made)) != set_by.id  # other rows, the same way
    assert columns(made) == (["x", CUSTOMER], True)
    made.now = FIRST + timedelta(days=42)
    send(made, 21)  # of ninety customers, most of whom the reference never saw
    made.evaluate(later=timedelta(hours=3))
    room = made.room()
    assert CUSTOMER in {one.name for one in room.features}
    assert CUSTOMER in room.moved
    assert f"rows with the same {CUSTOMER} are taken together" in room.basis


def test_a_column_that_the_signature_does_not_name_is_no_input(house: Context, tmp_path: Path) -> None:
    made = strangers(house, tmp_path / "theirs", signed(["x"]))
    made.monitoring.record_reference(factories.WORKER, V1, past(made))
    assert columns(made) == (["x"], True)


def test_files_that_cannot_be_read_are_asked_again_and_nothing_is_kept_of_them(house: Context, tmp_path: Path) -> None:
    made = strangers(house, tmp_path / "theirs", None)
    made.monitoring.record_reference(factories.WORKER, V1, past(made))
    assert columns(made) == (["x"], True)
    with reading(house.databases.app) as session:
        assert signatures.inputs_of(session, V1) is None
    (tmp_path / "theirs" / "MLmodel").write_text(signed(["x", CUSTOMER]))
    made.monitoring.record_reference(factories.WORKER, V1, past(made))
    assert columns(made) == (["x", CUSTOMER], True)
    (tmp_path / "theirs" / "MLmodel").unlink()
    assert made.monitoring.keep_inputs(factories.WORKER, V1) == ("x", CUSTOMER)  # kept: MLflow is not asked again


def test_a_model_without_such_a_column_asks_nobody(context: Context) -> None:
    made = world(context)
    with transaction(context.databases.app) as session:
        session.get_one(ModelVersionRow, V1).source_uri = "models:/theirs/1"
    assert made.monitoring.keep_inputs(factories.SCIENTIST, V1) == ()
    with reading(context.databases.app) as session:
        assert signatures.inputs_of(session, V1) is None


def test_the_version_of_a_server_that_is_away_waits_for_nothing(context: Context, tmp_path: Path) -> None:
    made = strangers(context, tmp_path / "theirs", signed(["x", CUSTOMER]))
    assert MlflowRegistry(context.registry.uri).why_unreachable()
    assert made.monitoring.keep_inputs(factories.SCIENTIST, V1) == ()
