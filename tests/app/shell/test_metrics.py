"""/metrics of the pages' process: for who has a token, in front of the gate."""

from __future__ import annotations

import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from streamlit.testing.v1 import AppTest

from app.pages import HOME
from app.shell import cookies, counted, gate, metrics, session
from app.shell.incidents import explain
from mlops_dash.bootstrap import Services
from mlops_dash.domain.access import NOBODY, Actor, Role
from mlops_dash.errors import StoreUnavailable
from mlops_dash.services.access import AccessService
from mlops_dash.services.command import Context
from tests.factories import ADMIN
from tests.test_metrics import read

with warnings.catch_warnings():  # starlette wants a client that is not in our lock; the one that is works
    warnings.simplefilter("ignore")
    from starlette.testclient import TestClient


ROOT = Path(__file__).parents[3]


def client(services: Any) -> TestClient:
    app = Starlette(
        routes=metrics.routes(lambda: services),
        middleware=[
            Middleware(gate.Gate, cookie=cookies.cookie_name(services.context.settings), knows=lambda _: False)
        ],
    )
    return TestClient(app)


def asked(services: Any, header: str) -> tuple[int, bytes]:
    answer = client(services).get("/metrics", headers={"authorization": header} if header else {})
    return answer.status_code, answer.content


def test_a_token_opens_the_numbers_and_nothing_else_does(context: Context) -> None:
    access = AccessService(context)
    services = SimpleNamespace(context=context, access=access)
    access.create_user(ADMIN, "o.brien", Role.VIEWER, reason="the wall")
    token = access.issue_token(ADMIN, "o.brien", label="wall").secret
    status, text = asked(services, f"Bearer {token}")
    assert status == 200
    assert ("mlops_dash_open_tabs", ()) in read(text)
    assert asked(services, "Bearer wrong")[0] == 401
    assert asked(services, "Basic abc")[0] == 401
    assert asked(services, "") == (401, b"This path needs a token: Authorization: Bearer TOKEN.")


def test_a_database_that_is_away_is_said(context: Context) -> None:
    def away(_secret: str) -> Any:
        raise StoreUnavailable("The database is away.", hint="Wait.")

    services = SimpleNamespace(context=context, access=SimpleNamespace(actor_for_token=away))
    assert asked(services, "Bearer x") == (503, b"The database is away. Wait.")


def test_a_service_account_sees_no_numbers(context: Context) -> None:
    kiosk = Actor("user:kiosk", "kiosk", Role.SERVICE, kind="token", models=frozenset({"idle"}))
    services = SimpleNamespace(context=context, access=SimpleNamespace(actor_for_token=lambda _secret: kiosk))
    assert asked(services, "Bearer x")[0] == 403


def test_pages_and_incidents_are_counted(house: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    def now() -> tuple[float, float]:
        told = read(counted.METRICS.text())
        seconds = told.get(("mlops_dash_page_seconds_count", (("page", HOME),)), 0.0)
        return seconds, told["mlops_dash_incidents_total", ()]

    secret, _ = house.access.login_demo(NOBODY, "lead")
    monkeypatch.setattr(session, "cookie_secret", lambda: secret)
    pages, incidents = now()
    AppTest.from_file(str(ROOT / "app" / "main.py"), default_timeout=30).run()
    explain(ZeroDivisionError("no"))
    assert now() == (pages + 1, incidents + 1)


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("CRITICAL")
