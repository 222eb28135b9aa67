"""What somebody changed in MLflow: listed, put back and accepted by command, with the reason in the ledger."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlops_dash import bootstrap
from mlops_dash.domain.audit import Action
from mlops_dash.domain.policies import PolicyKind
from mlops_dash.services.registry import RegistryService
from mlops_dash.settings import from_environment
from mlops_dash.store import audit
from mlops_dash.store.db import reading
from mlops_dash.tracking.version_texts import VersionTexts
from tests.cli.conftest import Run
from tests.factories import ADMIN, LEAD, WORKER
from tests.registry_world import Hands
from tests.version_world import NAME, VersionWorld, furnished, people


@pytest.fixture
def made(tmp_path: Path, mlflow_uri: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[VersionWorld]:
    """A live version of a stranger's regression with quotes in its name, in the home in which commands are typed."""
    monkeypatch.setenv("MLOPS_DASH_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow_uri)
    monkeypatch.delenv("MLOPS_DASH_TOKEN", raising=False)
    services = bootstrap.build(from_environment())
    people(services.context)
    found = furnished(services.context, Hands(), tmp_path)
    policy = services.policies.propose(LEAD, NAME, PolicyKind.PROMOTION, {}, reason="gates decide from now on")
    services.policies.activate(ADMIN, policy.id, reason="agreed")
    look(found)
    look(found)
    yield found
    services.close()


def look(made: VersionWorld) -> None:
    """What the worker does every few seconds."""
    made.service = RegistryService(made.context)
    made.service.reconcile(WORKER)
    made.service.watch_files(WORKER)


def altered(made: VersionWorld) -> None:
    texts = VersionTexts(made.context.registry.uri)
    texts.set_tag(NAME, "1", "team", "somebody else")
    look(made)


def last(made: VersionWorld) -> tuple[Action, str | None]:
    with reading(made.context.databases.app) as session:
        entry = list(audit.entries(session))[-1]
    return entry.action, entry.reason


def test_nothing_changed_is_said_and_nothing_can_be_restored(made: VersionWorld, run: Run) -> None:
    assert run("outside", NAME) == (0, f"Nothing of {NAME} was changed outside.\n", "")
    code, _, err = run("outside", NAME, "--restore", "--reason", "why not")
    assert (code, "points where it should" in err) == (2, True)
    code, _, err = run("outside", NAME, "--adopt", "--reason", "why not")
    assert (code, "points where it should" in err) == (2, True)
    code, _, err = run("outside", NAME, "--restore", "--version", "1", "--reason", "why not")
    assert (code, "Nothing is known to be changed outside" in err) == (2, True)
    code, _, err = run("outside", NAME, "--reason", "why not")
    assert (code, "belong to --restore or --adopt" in err) == (2, True)
    assert run("outside", "nobody's")[0] == 2


def test_a_changed_version_is_listed_and_put_back(made: VersionWorld, run: Run) -> None:
    altered(made)
    code, out, _ = run("outside", NAME, "--json")
    told = json.loads(out)
    assert (code, told["mark"]["moved_to"]) == (0, None)
    ((version,),) = (told["versions"],)
    assert version["version"] == "1"
    assert [(one["what"], one["name"], one["after"]) for one in version["changes"]] == [
        ("tag", "team", "somebody else")
    ]
    assert "v1 is live, and in MLflow tag team altered" in run("outside", NAME)[1]

    code, _, err = run("outside", NAME, "--restore", "--version", "v1")
    assert (code, "reason" in err) == (2, True)
    code, out, err = run("outside", NAME, "--restore", "--version", "v1", "--reason", "nobody asked for it")
    assert (code, err) == (0, "")
    assert out.startswith(f"{NAME} v1 is as it was approved")
    assert made.context.registry.version(NAME, "1").tags["team"] == "kiosk"
    assert last(made) == (Action.VERSION_RESTORED, "nobody asked for it")
    look(made)
    assert run("outside", NAME)[1] == f"Nothing of {NAME} was changed outside.\n"


def test_a_change_is_adopted(made: VersionWorld, run: Run) -> None:
    altered(made)
    code, out, _ = run("outside", NAME, "--adopt", "--version", "1", "--reason", "agreed by telephone", "--json")
    assert (code, json.loads(out)["done"]) == (0, f"{NAME} v1 counts as it is in MLflow now.")
    assert last(made) == (Action.CHANGE_ADOPTED, "agreed by telephone")
    look(made)
    assert json.loads(run("outside", NAME, "--json")[1])["versions"] == []


@pytest.mark.parametrize("way", ["restore", "adopt"])
def test_a_moved_mark_is_moved_back_or_followed(made: VersionWorld, run: Run, way: str) -> None:
    registry = made.context.registry
    registry.set_alias(NAME, "champion", "2")
    look(made)
    assert "was moved to v2; approved is v1" in run("outside", NAME)[1]
    code, out, err = run("outside", NAME, f"--{way}", "--reason", "seen by the night shift")
    assert (code, err) == (0, "")
    look(made)
    room = made.service.room(WORKER, NAME)
    assert room.champion is not None
    if way == "restore":
        assert "points at v1 again" in out
        assert (registry.alias(NAME, "champion"), room.champion.version) == ("1", "1")
    else:
        assert "v2 is served from now on" in out
        assert (registry.alias(NAME, "champion"), room.champion.version) == ("2", "2")
    assert room.alias_moved_to == ""
