"""Policies by command: read, written, put into force by somebody else; refused in one sentence."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mlops_dash.bootstrap import Services
from mlops_dash.domain.access import Role
from mlops_dash.domain.audit import Action
from mlops_dash.domain.policies import PolicyKind
from tests import penguins
from tests.cli.conftest import Run
from tests.factories import ADMIN, LEAD

MODEL = 'it\'s "late"'  # minutes late, a regression
KIND = PolicyKind.PROMOTION


@pytest.fixture
def theirs(house: Services) -> Services:
    """A house with another team's model."""
    house.registry.add_model(ADMIN, MODEL, task="regression", reason="test")
    return house


def write(run: Run, *words: str) -> tuple[int, str, str]:
    return run("policy", "set", "--model", MODEL, "--reason", "a floor in minutes", *words)


def test_show_tells_every_field_its_default_and_what_it_means(theirs: Services, run: Run) -> None:
    code, out, _ = run("policy", "show", "--model", MODEL)
    assert code == 0
    assert "the default of its task, as nobody has written a policy" in out
    assert "empty = no floor, and no first version passes" in out
    shown = json.loads(run("policy", "show", "--model", MODEL, "--json")[1])
    assert (shown["number"], shown["is_default"]) == (0, True)
    primary = next(one for one in shown["fields"] if one["name"] == "primary")
    assert (primary["value"], primary["default"]) == ("mae", "mae")


def test_a_policy_is_written_by_one_and_activated_by_another(
    theirs: Services, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, out, _ = write(run, "--set", "floor_metric=mae", "--set", "floor=12.5")
    assert (code, "floor                  0.0 -> 12.5" in out) == (0, True)
    assert "mlops-dash user add NAME --role lead" in out  # the owner is alone here
    (written,) = theirs.policies.history(ADMIN, MODEL, KIND)
    assert f"mlops-dash policy activate {written.id}" in out

    code, _, err = run("policy", "activate", written.id, "--reason", "mine")
    assert (code, len(err.splitlines())) == (2, 1)
    assert "mlops-dash user add NAME --role lead" in err
    assert theirs.policies.active(ADMIN, MODEL, KIND).is_default

    theirs.access.create_user(ADMIN, "ada", Role.LEAD)
    monkeypatch.setenv("MLOPS_DASH_TOKEN", theirs.access.issue_token(ADMIN, "ada", label="test").secret)
    code, out, _ = run("policy", "activate", written.id, "--reason", "agreed")
    assert (code, out) == (0, f"The promotion policy 1 of {MODEL} is in force.\n")
    assert theirs.policies.active(ADMIN, MODEL, KIND).promotion.floor == 12.5
    (entry, *_) = theirs.audit.entries(ADMIN).entries
    assert (entry.action, entry.actor, entry.reason) == (Action.POLICY_ACTIVATED, "user:ada", "agreed")

    lines = run("policy", "history", "--model", MODEL)[1].splitlines()
    assert ["in force" in line and "activated by ada" in line for line in lines] == [True]
    assert json.loads(run("policy", "history", "--model", MODEL, "--json")[1])[0]["state"] == "in force"


def test_single_values_change_what_is_in_force_and_a_file_is_the_whole(
    theirs: Services, run: Run, tmp_path: Path
) -> None:
    first = theirs.policies.propose(ADMIN, MODEL, KIND, {"margin": 0.5}, reason="r")
    theirs.policies.activate(LEAD, first.id, reason="r")
    file = tmp_path / "policy.yaml"
    file.write_text("floor_metric: mae\nfloor: 12  # minutes\n")

    changed = json.loads(run("policy", "diff", "--model", MODEL, "--set", "approvals=2", "--json")[1])
    assert changed["changes"] == [{"field": "approvals", "now": 1, "then": 2}]
    code, out, _ = run("policy", "diff", "--model", MODEL, "--file", str(file))
    assert (code, [line.split()[0] for line in out.splitlines()]) == (0, ["margin", "floor_metric", "floor"])
    assert len(theirs.policies.history(ADMIN, MODEL, KIND)) == 1

    assert write(run, "--file", str(file), "--set", "level=0.9")[0] == 0
    body = theirs.policies.history(ADMIN, MODEL, KIND)[0].body
    assert (body["margin"], body["floor"], body["level"]) == (0.0, 12.0, 0.9)


def test_what_show_prints_as_yaml_set_takes(theirs: Services, run: Run, tmp_path: Path) -> None:
    file = tmp_path / "watch.yaml"
    file.write_text(run("policy", "show", "--model", MODEL, "--kind", "monitoring", "--yaml")[1])
    same = run("policy", "diff", "--model", MODEL, "--kind", "monitoring", "--file", str(file))
    assert same[:2] == (0, "It says what is in force already.\n")
    file.write_text(
        file.read_text().replace("label_unit: ''", "label_unit: min").replace("zone: UTC", "zone: Asia/Tokyo")
    )
    code, out, _ = write(run, "--kind", "monitoring", "--file", str(file), "--json")
    written = json.loads(out)
    assert (code, written["state"], written["body"]["label_unit"]) == (0, "waits for a second person", "min")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("set", "--model", MODEL, "--reason", "r"), "Nothing says what to change."),
        (("set", "--model", MODEL, "--reason", "r", "--set", "floor"), "--set floor names no value."),
        (("set", "--model", MODEL, "--reason", "r", "--set", "floor=nan"), "must be a finite number"),
        (("set", "--model", MODEL, "--reason", "r", "--set", "primary=auc"), "the model's task is regression"),
        (("set", "--model", MODEL, "--reason", "r", "--set", "flor=1"), "A policy has no field 'flor'."),
        (("set", "--model", MODEL, "--reason", "r", "--file", "/no/such.yaml"), "There is no file /no/such.yaml."),
        (("show", "--model", "churn"), "No model 'churn'."),
        (("activate", "p-1", "--reason", "r"), "No policy has the id 'p-1'."),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_meant_is_one_sentence(theirs: Services, run: Run, words: tuple[str, ...], said: str) -> None:
    code, out, err = run("policy", *words)
    assert (code, out, said in err, len(err.splitlines())) == (2, "", True, 1)
    assert theirs.policies.history(ADMIN, MODEL, KIND) == ()


def test_a_monitoring_policy_is_replayed_beside_the_one_in_force(house: Services, run: Run) -> None:
    table = penguins.penguins(house.context.clock.now(), days=60, worse_from=45)
    penguins.watched(house, table)
    code, out, _ = run("policy", "replay", penguins.MODEL, "--set", "harm_tolerance_auc=0.4")
    assert code == 0
    assert "in force" in out
    assert "real drops caught" in out
    told = json.loads(run("policy", "replay", penguins.MODEL, "--set", "harm_tolerance_auc=0.4", "--json")[1])
    assert told["in_force"]["caught"] + told["in_force"]["missed"] == len(told["drops"]) == 1
    assert (told["in_force"]["caught"], told["proposed"]["missed"]) == (1, 1)
    code, _, err = run("policy", "replay", penguins.MODEL)
    assert (code, "Nothing says what to change" in err) == (2, True)
    assert run("policy", "replay", "nobody", "--set", "alpha=0.1")[0] == 2
