"""What A/B tests say over HTTP: never an outcome of a blind one, never the key of the arms."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

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
