"""`mlops-dash slices MODEL`: parts of the rows in words and as JSON, and the ledger when somebody measures."""

from __future__ import annotations

import json

from mlops_dash.bootstrap import Services
from mlops_dash.domain.audit import Action
from mlops_dash.store import audit
from mlops_dash.store.db import reading
from tests import penguins
from tests.cli.conftest import Run


def test_parts_are_measured_told_and_in_the_ledger(house: Services, run: Run) -> None:
    penguins.watched(house, penguins.penguins(house.context.clock.now(), days=60))
    assert "nobody has measured them yet" in run("slices", penguins.MODEL)[1]
    assert run("model", "edit", penguins.MODEL, "--slice", "isle", "--reason", "isles differ")[0] == 0
    assert "watched by isle" in run("model", "list")[1]
    code, out, _ = run("slices", penguins.MODEL, "--measure", "--reason", "let's see")
    assert code == 0
    assert "isle is Biscoe: not told apart; 0." in out
    told = json.loads(run("slices", penguins.MODEL, "--json")[1])
    assert {one["title"] for one in told["slices"] if not one["found"]} == {
        "isle is Biscoe", "isle is Dream", "isle is NA",
    }  # fmt: skip
    assert told["sentence"] == out.splitlines()[0]
    with reading(house.context.databases.app) as session:
        (entry,) = [one for one in audit.entries(session) if one.action == Action.SLICES_REQUESTED]
    assert (entry.object, entry.reason) == ("v1", "let's see")
    assert run("model", "edit", penguins.MODEL, "--no-slices", "--slice", "isle", "--reason", "x")[0] == 2
    assert run("model", "edit", penguins.MODEL, "--no-slices", "--reason", "none now")[0] == 0
    assert "watched by" not in run("model", "list")[1]


def test_of_nobody_nothing_is_told(house: Services, run: Run) -> None:
    code, _, err = run("slices", "nobody")
    assert code == 2
    assert "No model nobody" in err


def test_gaps_between_groups_are_measured_and_told(house: Services, run: Run) -> None:
    penguins.watched(house, penguins.penguins(house.context.clock.now(), days=60))
    assert "its owner names no column of groups" in run("fairness", penguins.MODEL)[1]
    assert run("model", "edit", penguins.MODEL, "--group", "isle", "--reason", "alike")[0] == 0
    assert "groups by isle" in run("model", "list")[1]
    told = json.loads(run("fairness", penguins.MODEL, "--measure", "--json")[1])
    assert {one["measure"] for one in told["gaps"]} > {"error rate", "share answered with Gentoo"}
    assert "error rate: no gap for sure; 0." in run("fairness", penguins.MODEL)[1]
    assert run("model", "edit", penguins.MODEL, "--no-groups", "--group", "isle", "--reason", "x")[0] == 2
