"""The link to unsubscribe: looked at it changes nothing, pressed it ends, and a guess learns nothing."""

from __future__ import annotations

import warnings
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware

from app.shell import cookies, gate, unsubscribing
from mlops_dash.domain.reports.deliveries import UNSUBSCRIBE, token_of
from mlops_dash.domain.reports.plans import Plan
from mlops_dash.domain.reports.snapshot import ReportKind
from mlops_dash.errors import StoreUnavailable
from mlops_dash.services.command import Context
from mlops_dash.services.reports import ReportService
from tests.factories import WORKER
from tests.services.reports_shared import MODEL, shared_report

with warnings.catch_warnings():  # starlette wants a client that is not in our lock; the one that is works
    warnings.simplefilter("ignore")
    from starlette.testclient import TestClient

HOST = "http://127.0.0.1:8501"
ORIGIN = {"origin": HOST}


@pytest.fixture
def reports(context: Context) -> ReportService:
    shared_report(context)
    return ReportService(context)


@pytest.fixture
def client(context: Context, reports: ReportService) -> TestClient:
    services: Any = SimpleNamespace(context=context, reports=reports)
    app = Starlette(
        routes=unsubscribing.routes(lambda: services),
        middleware=[
            Middleware(gate.SecurityHeaders),
            Middleware(gate.Gate, cookie=cookies.cookie_name(context.settings), knows=lambda secret: False),
        ],
    )
    return TestClient(app, base_url=HOST, follow_redirects=False)


def test_it_asks_and_ends_only_when_its_button_is_pressed(
    client: TestClient, reports: ReportService, context: Context
) -> None:
    plan = Plan(ReportKind.CARD, MODEL, to=("o'neil@example.com",), id="plan")
    (one,) = reports.prepare(WORKER, "job-1", "schedule board", plan.arguments())
    path = UNSUBSCRIBE + token_of(context.settings.ledger_key, one.id)
    asked = client.get(path)
    assert asked.status_code == 200
    assert "o&#x27;neil@example.com" in asked.text
    assert client.head(path).status_code == 200
    assert client.post(path).status_code == 403, "another site's form"
    (still,) = reports.prepare(WORKER, "job-2", "schedule board", plan.arguments())
    assert str(still.state) == "waiting"
    assert "gets this report no more" in client.post(path, headers=ORIGIN).text
    (held,) = reports.prepare(WORKER, "job-3", "schedule board", plan.arguments())
    assert held.note == "They unsubscribed."
    assert client.put(path, headers=ORIGIN).status_code == 405


@pytest.mark.parametrize("token", ["a", "0" * 26 + "." + "0" * 64, "0" * 200])
def test_a_guess_is_a_plain_404(client: TestClient, token: str) -> None:
    for answer in (client.get(UNSUBSCRIBE + token), client.post(UNSUBSCRIBE + token, headers=ORIGIN)):
        assert answer.status_code == 404
        assert "set-cookie" not in answer.headers
        assert MODEL not in answer.text


def test_a_database_that_is_away_is_said_in_words(
    client: TestClient, reports: ReportService, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise StoreUnavailable("The database is locked.", hint="Try again.")

    monkeypatch.setattr(reports, "subscription", away)
    answer = client.get(f"{UNSUBSCRIBE}{'0' * 26}.{'0' * 64}")
    assert (answer.status_code, "The database is locked." in answer.text) == (503, True)
