"""`approve --condition --review-by` and `conditions`: asked, listed, done; a password that no terminal can ask for."""

from __future__ import annotations

import getpass
import json
import sys

import pytest

from mlops_dash.bootstrap import Services
from mlops_dash.domain.policies import PolicyKind
from mlops_dash.services.access import passwords
from mlops_dash.store import access as access_store
from mlops_dash.store.db import transaction
from tests.cli.conftest import Run
from tests.cli.test_rollouts import told
from tests.factories import ADMIN, LEAD, SCIENTIST
from tests.registry_world import MODEL, World

__all__ = ["told"]


def test_what_is_asked_is_listed_and_said_to_be_done(house: Services, run: Run, told: World) -> None:
    house.registry.propose(SCIENTIST, told.ids["2"], comment="better")
    asked = ("--condition", "watch <b>Dream</b>", "--review-by", "2013-07-01")
    assert run("approve", "--model", MODEL, "--reason", "fine", "--review-by", "soon")[0] == 2
    code, out, err = run("approve", "--model", MODEL, "--reason", "fine", *asked)
    assert (code, "approved" in out) == (0, True), err
    found = json.loads(run("conditions", MODEL, "--json")[1])["conditions"]
    assert [(one["kind"], one["text"], one["due"]) for one in found] == [
        ("condition", "watch <b>Dream</b>", False), ("review", "Look at it again.", False),
    ]  # fmt: skip
    assert run("conditions", MODEL, "--done", found[0]["id"])[0] == 2  # what came of it?
    assert run("conditions", MODEL, "--reason", "x")[0] == 2
    assert run("conditions", MODEL, "--done", found[0]["id"], "--reason", "no change there")[0] == 0
    out = run("conditions", MODEL)[1]
    assert "done" in out
    assert "no change there" in out
    assert "Review v2 by 1 Jul 2013" in out
    assert run("conditions", "nobody's")[0] == 2


def test_a_password_is_asked_at_a_terminal_alone(
    house: Services, run: Run, told: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    fields = {"tier_1_password": "again"}
    policy = house.policies.propose(LEAD, MODEL, PolicyKind.PROMOTION, fields, reason="what an auditor signs")
    house.policies.activate(ADMIN, policy.id, reason="agreed")
    house.registry.edit_model(LEAD, MODEL, {"tier": 1}, reason="it decides about people")
    house.registry.propose(SCIENTIST, told.ids["2"], comment="better")
    with transaction(house.context.databases.app) as session:
        access_store.change_user(session, LEAD.id, password_hash=passwords.hashed("a long enough one", "lead"))
    token = house.access.issue_token(ADMIN, LEAD.name, label="laptop", reason="at the command line")
    monkeypatch.setenv("MLOPS_DASH_TOKEN", token.secret)
    code, _, err = run("approve", "--model", MODEL, "--reason", "fine")
    assert (code, "no terminal can ask" in err) == (2, True)
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    monkeypatch.setattr(getpass, "getpass", lambda _: "a guess")
    assert "not your password" in run("approve", "--model", MODEL, "--reason", "fine")[2]
    monkeypatch.setattr(getpass, "getpass", lambda _: "a long enough one")
    assert run("approve", "--model", MODEL, "--reason", "fine")[0] == 0
