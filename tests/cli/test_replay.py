"""`mlops-dash replay MODEL`: what is known is told, a reason asks for it, and what cannot be is a sentence."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from mlops_dash.bootstrap import Services
from mlops_dash.store.db import transaction
from mlops_dash.store.tables.registry import OperationRow
from tests import penguins
from tests.cli.conftest import Run
from tests.factories import WORKER


@pytest.fixture
def island(house: Services) -> Services:
    """A model with quotes in its name, served elsewhere, whose second version took over."""
    now = house.context.clock.now()
    table = penguins.penguins(now, days=40)
    first = penguins.watched(house, table)
    second = house.registry.record_version(WORKER, penguins.MODEL, "2")
    house.monitoring.record_reference(WORKER, second, penguins.numbered(table.iloc[: 30 * penguins.PER_DAY]))
    house.registry.serve_elsewhere(penguins.ADMIN, second, reason="theirs is newer")
    with transaction(house.context.databases.app) as session:
        session.add(
            OperationRow(id="op", kind="promote", model=penguins.MODEL, from_version_id=first, to_version_id=second,
                         state="confirmed", actor="user:lead", reason="newer", decided_at=now, epoch=9,
                         alias_moved_at=now - timedelta(minutes=1))
        )  # fmt: skip
    return house


def test_it_is_told_and_asked_for_by_name(island: Services, run: Run) -> None:
    code, out, _ = run("replay", penguins.MODEL, "--json")
    told = json.loads(out)
    assert code == 0
    assert (told["version"], told["replaced"], told["state"], told["live"]) == ("2", "1", "cannot", False)
    assert told["sentence"] == "v2 cannot be replayed: others serve this model, so its files are not here."
    assert run("replay", penguins.MODEL)[1].strip() == told["sentence"]
    code, _, err = run("replay", penguins.MODEL, "--reason", "curious")
    assert code == 2
    assert "others serve this model" in err


def test_of_nothing_nothing_is_told(house: Services, run: Run) -> None:
    code, _, err = run("replay", "nobody")
    assert code == 2
    assert "No model nobody" in err
    penguins.begin(house, penguins.penguins(house.context.clock.now(), days=30))
    assert "there is nothing to replay" in run("replay", penguins.MODEL)[1]
