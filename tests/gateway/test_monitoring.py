"""What explains a model, over HTTP: as the commands say it, by each one's role, and measured by a worker when asked."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from mlops_dash import bootstrap
from mlops_dash.bootstrap import Services
from mlops_dash.cli import main
from mlops_dash.domain.jobs import Task
from mlops_dash.store.db import transaction
from mlops_dash.store.tables.registry import ModelRow
from tests import factories, penguins
from tests.factories import ADMIN, SCIENTIST, VIEWER, WORKER
from tests.gateway.test_app import KIOSK_HEADERS, Tokens, open_client
from tests.penguins import MODEL

AS = {name: {"Authorization": f"Bearer {name}-token"} for name in ("viewer", "scientist", "lead", "admin")}
DOORS = ("slices", "fairness", "why", "estimate", "replay")


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Services]:
    monkeypatch.setattr(penguins, "PER_DAY", 120)  # a window is estimated from a hundred rows on
    made = bootstrap.build(factories.settings(tmp_path))
    table = penguins.with_probabilities(penguins.penguins(made.context.clock.now(), days=64))
    table.loc[table.index[40 * 120 :], "bill"] += 12.0
    penguins.watched(made, table)
    made.registry.edit_model(ADMIN, MODEL, {"slices": ["isle"], "groups": ["isle"]}, reason="isles must fare alike")
    made.monitoring.measure_slices(WORKER, MODEL)
    yield made
    made.close()


@pytest.fixture
def client(house: Services) -> Iterator[httpx.Client]:
    with open_client(house.context, Tokens(), headers=AS["viewer"]) as opened:
        yield opened


@pytest.mark.parametrize("door", ["slices", "fairness", "why", "replay"])
def test_a_door_says_what_the_command_prints(
    client: httpx.Client,
    house: Services,
    door: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    said = client.get(f"/v1/{door}", params={"model": MODEL})
    assert said.status_code == 200, said.text
    monkeypatch.setenv("MLOPS_DASH_HOME", str(house.context.settings.home))
    assert main([door, MODEL, "--json"]) == 0
    assert said.json() == json.loads(capsys.readouterr().out)
    assert said.json()["model"] == MODEL


def test_a_classifier_is_estimated_by_its_profiles_window_by_window(client: httpx.Client, house: Services) -> None:
    said = client.get("/v1/estimate", params={"model": MODEL}).json()
    known = house.monitoring.estimated(VIEWER, MODEL)
    assert known is not None
    assert said == {"model": MODEL, "estimated": json.loads(json.dumps(known.as_json()))}
    assert said["estimated"]["windows"] > 5


@pytest.mark.parametrize("door", DOORS)
def test_a_model_that_is_not_there_is_missed_and_none_that_is_named_is_refused(client: httpx.Client, door: str) -> None:
    assert client.get(f"/v1/{door}", params={"model": "ghost"}).status_code == 404
    assert client.get(f"/v1/{door}").status_code == 422
    assert client.get(f"/v1/{door}", params={"model": MODEL}, headers=KIOSK_HEADERS).status_code == 403
    assert client.get(f"/v1/{door}", params={"model": MODEL}, headers={"Authorization": ""}).status_code == 401


def test_single_rows_are_for_who_may_see_them(client: httpx.Client) -> None:
    asked = {"model": MODEL, "rows": "bill"}
    hidden = client.get("/v1/why", params=asked).json()["rows"]
    assert (hidden["rows"], bool(hidden["hidden"])) == ([], True)
    shown = client.get("/v1/why", params=asked, headers=AS["scientist"]).json()["rows"]
    row = shown["rows"][0]["row"]
    of_one = {"model": MODEL, "row": row}
    assert "scientists and leads" in client.get("/v1/why", params=of_one).json()["sentence"]
    known = client.get("/v1/why", params=of_one, headers=AS["scientist"]).json()
    assert (known["row"], known["sentence"]) == (None, "Nobody has asked yet.")


def test_what_must_be_measured_is_a_job_of_a_worker(client: httpx.Client, house: Services) -> None:
    with transaction(house.context.databases.app) as session:
        session.get_one(ModelRow, MODEL).source = "mlflow"
    row = house.monitoring.column_rows(SCIENTIST, MODEL, "bill").moved[0]
    named = {"model": MODEL, "reason": "Mondays look odd"}
    of_one = {"model": MODEL, "row": row["row"], "at": row["at"]}
    assert client.post("/v1/why", json=named).status_code == 403
    tasks = set()
    for door, sent in (("slices", named), ("why", named), ("why", of_one)):
        said = client.post(f"/v1/{door}", json=sent, headers=AS["scientist"])
        assert said.status_code == 200, said.text
        tasks.add(house.jobs.job(WORKER, said.json()["job"]).task)
    assert tasks == {Task.SLICES, Task.WHY, Task.ROW}
    assert client.post("/v1/slices", json=named, headers=AS["scientist"]).status_code == 409
    again = client.post("/v1/why", json=of_one, headers=AS["scientist"]).json()
    known = client.get("/v1/why", params={"model": MODEL, "row": row["row"]}, headers=AS["scientist"]).json()
    assert (known["job"], known["state"]) == (again["job"], "queued")
    assert client.post("/v1/replay", json=named, headers=AS["scientist"]).status_code == 404
    ends = ({**of_one, "at": at} for at in ("0001-01-01T00:00:00+05:00", "9999-12-31T23:59:59.999999+00:00"))
    for wrong in (*ends, {**of_one, "at": "noon"}, {**of_one, "at": 7}, {"model": MODEL}, {**named, "reason": " "},
                  {**named, "more": 1}):  # fmt: skip
        refused = client.post("/v1/why", json=wrong, headers=AS["scientist"])
        assert (refused.status_code, bool(refused.json()["hint"] or refused.json()["message"])) == (422, True)


def test_every_door_is_described(client: httpx.Client) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    for door in DOORS:
        assert paths[f"/v1/{door}"]["get"]["parameters"][0] == {
            "name": "model", "in": "query", "required": True, "schema": {"type": "string"},
        }  # fmt: skip
