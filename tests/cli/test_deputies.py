"""`deputy add|list|end` and `approve --for`."""

from __future__ import annotations

import json

import pytest

from mlops_dash.bootstrap import Services
from tests.cli.conftest import Run
from tests.cli.test_rollouts import told
from tests.factories import ADMIN, LEAD, LEAD_TOO, SCIENTIST
from tests.registry_world import MODEL, World

__all__ = ["told"]


def test_a_deputy_is_named_approves_for_and_is_ended(
    house: Services, run: Run, told: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens = {
        one.name: house.access.issue_token(ADMIN, one.name, label="laptop", reason="at the command line").secret
        for one in (LEAD, LEAD_TOO)
    }
    monkeypatch.setenv("MLOPS_DASH_TOKEN", tokens["lead"])
    last = f"{house.context.clock.now().date():%Y}-12-31"
    assert run("deputy", "list")[1].strip() == "Nobody stands in for anybody."
    for wrong in ("soon", "9999-12-31", "0001-01-01"):
        with pytest.raises(SystemExit):
            run("deputy", "add", "lead-too", "--until", wrong, "--reason", "on leave")
    assert "no user" in run("deputy", "add", "nobody", "--until", last, "--reason", "on leave")[2]
    code, out, err = run("deputy", "add", "lead-too", "--until", "2013-06-20", "--reason", "on leave", "--json")
    assert code == 0, err
    made = json.loads(out)
    assert (made["principal"], made["deputy"], made["state"]) == ("lead", "lead-too", "standing")
    assert made["until"] == "2013-06-21T00:00:00+00:00"  # the last day is in

    house.registry.propose(SCIENTIST, told.ids["2"], comment="better")
    assert "does not stand in" in run("approve", "--model", MODEL, "--reason", "x", "--for", "lead-too")[2]
    monkeypatch.setenv("MLOPS_DASH_TOKEN", tokens["lead-too"])
    assert run("approve", "--model", MODEL, "--reason", "fine", "--for", "lead")[0] == 0
    given = house.registry.room(LEAD, MODEL, "2").approvals[0].approval
    assert (given.approver, given.in_name_of) == (LEAD_TOO.id, LEAD.id)
    assert "lead-too for lead" in run("deputy", "list")[1]
    assert json.loads(run("deputy", "end", made["id"], "--reason", "back", "--json")[1])["state"] == "ended"
    assert run("deputy", "end", made["id"], "--reason", "back")[0] == 2
