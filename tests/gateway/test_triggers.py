"""A stranger's loader calls when its month is there: one run a key, and refusals in words."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from mlops_dash.domain.retraining import Recipe, ScheduleDraft
from mlops_dash.domain.starting import CALLED, ScheduleKind
from mlops_dash.domain.triggers import Guards
from mlops_dash.services.command import Context
from mlops_dash.services.jobs import JobsService
from mlops_dash.services.retraining import RetrainingService
from tests import factories
from tests.factories import ADMIN, VIEWER
from tests.gateway.test_app import KIOSK_HEADERS, Tokens, open_client
from tests.gateway.test_models import AS

NAME = 'the "month" is/there'


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Context]:
    made = factories.context(tmp_path)
    retraining = RetrainingService(made)
    retraining.save_recipe(ADMIN, Recipe("minutes", "queue", "{python} train.py"))
    guards = Guards(runs_a_month=1).beside({})
    retraining.save_schedule(ADMIN, ScheduleDraft(NAME, ScheduleKind.CALL, CALLED, recipe="minutes", arguments=guards))
    yield made
    made.databases.dispose()


@pytest.fixture
def client(home: Context) -> Iterator[httpx.Client]:
    with open_client(home, Tokens(), headers=AS["scientist"]) as opened:
        yield opened


def call(client: httpx.Client, name: str = NAME, headers: dict[str, str] | None = None, **sent: Any) -> httpx.Response:
    return client.post(httpx.URL(path=f"/v1/triggers/{name}"), json=sent, headers=headers)


def test_eight_calls_at_once_with_one_key_start_one_run(client: httpx.Client, home: Context) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: call(client, key="march", reason="loaded"), range(8)))
    assert {one.status_code for one in answers} == {200}, [one.text for one in answers]
    (job,) = JobsService(home).recent(VIEWER)
    assert {one.json()["job"] for one in answers} == {job.id}
    assert sum(not one.json()["again"] for one in answers) == 1


def test_refusals_say_why_and_start_nothing(client: httpx.Client, home: Context) -> None:
    for headers in (AS["viewer"], KIOSK_HEADERS):
        assert call(client, headers=headers).status_code == 403
    assert call(client, "nobody's").status_code == 404
    for sent in ({"key": 5}, {"key": "x" * 201}, {"reason": "a\x00b"}, {"dry_run": "yes"}, {"colour": "red"}):
        assert call(client, **sent).status_code == 422, sent
    dry = call(client, dry_run=True).json()
    assert (dry["job"], dry["why_not"]) == ("", "")
    assert JobsService(home).recent(VIEWER) == ()
    path = httpx.URL(path=f"/v1/triggers/{NAME}")
    assert client.post(path).status_code == 200, "nothing need be said"
    held = call(client, key="april")
    assert (held.status_code, held.json()["error_code"]) == (409, "CONFLICT")
    assert "is queued already" in held.json()["message"]
    assert client.post(path, headers={"Authorization": "Bearer nobody"}).status_code == 401
