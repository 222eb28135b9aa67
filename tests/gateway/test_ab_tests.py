"""What A/B tests say over HTTP: never an outcome of a blind one, never the key of the arms."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from mlops_dash.domain.ab_tests.rules import NewTest
from mlops_dash.services.ab_tests import ABTestService
from mlops_dash.services.command import Context
from mlops_dash.store.db import transaction
from mlops_dash.store.tables.registry import ServingRow
from tests import factories
from tests.factories import LEAD, NOON, SCIENTIST
from tests.gateway.test_app import HEADERS, KIOSK_HEADERS, Tokens, open_client

MINUTES = 'the "minutes" it\'s late'


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Context]:
    made = factories.context(tmp_path)
    with transaction(made.databases.app) as session:
        session.add(factories.model_row(MINUTES, task="regression"))
        session.add_all([factories.version_row(one, model=MINUTES) for one in ("1", "2")])
        session.flush()
        session.add(
            ServingRow(model=MINUTES, version_id=f"{MINUTES}-v1", shadow_version_ids=[], operation_id="o", since=NOON)
        )
    yield made
    made.databases.dispose()


def test_tests_are_listed_and_one_is_told_without_its_key_or_a_blind_outcome(home: Context) -> None:
    service = ABTestService(home)
    wanted = NewTest(MINUTES, f"{MINUTES}-v2", question="?", planned_units=1_000, outcome="mae", key="a secret salt")
    made = service.design(SCIENTIST, wanted)
    service.start(LEAD, made.id, made.revision, reason="go")
    with open_client(home, Tokens(), headers=HEADERS) as client:
        (one,) = client.get("/v1/ab-tests", params={"model": MINUTES}).json()["tests"]
        assert (one["id"], one["state"], one["design"]["outcome"]) == (made.id, "running", "mae")
        assert client.get("/v1/ab-tests", params={"model": "ghost"}).json() == {"tests": []}
        said = client.get("/v1/ab-tests", params={"id": made.id})
        assert "a secret salt" not in said.text
        (told,) = said.json()["tests"]
        assert (told["verdict"]["word"], told["reading"]["primary"]["value"]) == ("go_on", None)
        assert client.get("/v1/ab-tests", params={"id": "ghost"}).status_code == 404
        assert client.get("/v1/ab-tests", headers=KIOSK_HEADERS).status_code == 403


AS = {name: {"Authorization": f"Bearer {name}-token"} for name in ("viewer", "scientist", "lead")}
DESIGN = {"model": MINUTES, "challenger": "2", "question": "Do they spend more?", "planned_units": 1_000,
          "unit": "it's them", "outcome": "mean:revenue", "guardrails": {"mae": 0.5}, "others": ["p95:seconds"],
          "exposure_hours": 24, "cuped": True, "ramp": [0.01, 0.05], "days": 14, "min_units": 200, "layer": "shop",
          "layer_share": 0.5, "hold_out": 0.05}  # fmt: skip


def test_a_test_is_designed_started_paused_stopped_and_decided_by_each_ones_role(home: Context) -> None:
    with open_client(home, Tokens(), headers=AS["scientist"]) as client:

        def post(path: str, body: dict[str, object], who: str = "scientist") -> httpx.Response:
            return client.post(f"/v1/ab-tests{path}", json=body, headers=AS[who])

        assert post("", DESIGN, "viewer").status_code == 403
        made = post("", DESIGN)
        assert made.status_code == 200, made.text
        test = made.json()
        assert "key" not in test["design"]
        told = {
            name: test["design"][name] for name in ("outcome", "others", "entity", "cuped", "ramp", "days", "layer")
        }
        assert told == {
            "outcome": "higher:mean:revenue", "others": ["higher:p95:seconds"], "entity": "it's them", "cuped": True,
            "ramp": [0.01, 0.05], "days": 14, "layer": {"name": "shop", "low": 0.0, "high": 0.5, "hold_out": 0.05},
        }  # fmt: skip
        assert test["design"]["guardrails"] == [{"metric": "mae", "margin": 0.5}]
        step = {"id": test["id"], "reason": "go"}
        assert post("/start", step).status_code == 403  # a lead starts it
        states = [post(f"/{verb}", step, "lead").json() for verb in ("start", "pause", "resume", "stop")]
        assert [(one["state"], one["paused"]) for one in states] == [
            ("running", False), ("running", True), ("running", False), ("stopped", False),
        ]  # fmt: skip
        kept = post("/decide", {**step, "decision": "keep", "learned": "nothing was seen"}).json()
        assert (kept["decision"]["word"], kept["learned"]) == ("keep", "nothing was seen")
        assert post("/stop", step, "lead").status_code == 409


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"planned_units": "many"}, "'planned_units' is no number"),
        ({"planned_units": 10.5}, "no whole number"),
        ({"days": True}, "'days' is no number"),
        ({"cuped": "yes"}, "neither true nor false"),
        ({"ramp": 0.1}, "'ramp' is no list"),
        ({"ramp": [0.9]}, "does not rise"),
        ({"guardrails": ["mae"]}, "no object of outcome"),
        ({"others": ["mode:revenue"]}, "cannot be measured"),
        ({"question": " "}, "'question' is missing"),
        ({"layer_share": 2}, "share of 2 of the layer"),
        ({"ghost": 1}, "is not a field"),
    ],
)
def test_what_cannot_be_is_refused_with_the_field(home: Context, changes: dict[str, object], said: str) -> None:
    with open_client(home, Tokens(), headers=AS["scientist"]) as client:
        answer = client.post("/v1/ab-tests", json={**DESIGN, **changes})
        assert (answer.status_code, said in answer.text) == (422, True), answer.text
        assert client.post("/v1/ab-tests/start", json={"id": "ghost", "reason": "x"}).status_code in {403, 404}
        assert client.get("/v1/ab-tests").json() == {"tests": []}
