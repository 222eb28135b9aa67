"""The file of a report by its address: for who is logged in, with a policy of its own, and words instead of errors."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware

from app.shell import cookies, files, gate
from mlops_dash.domain.access import NOBODY, Role
from mlops_dash.domain.reports.levels import Level
from mlops_dash.errors import StoreUnavailable
from mlops_dash.services.access import AccessService
from mlops_dash.services.command import Context
from tests import factories
from tests.factories import ADMIN, SCIENTIST
from tests.services.reports_world import MODEL, Office, office

with warnings.catch_warnings():  # starlette wants a client that is not in our lock; the one that is works
    warnings.simplefilter("ignore")
    from starlette.testclient import TestClient

PASSWORD = "four short words here"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Context]:
    made = factories.context(tmp_path_factory.mktemp("files"))
    yield made
    made.databases.dispose()


@pytest.fixture(scope="module")
def kept(home: Context) -> Office:
    made = office(home)
    made.reports.freeze(SCIENTIST, made.reports.weekly(SCIENTIST, MODEL))
    AccessService(home).create_user(ADMIN, "ada", Role.VIEWER, password=PASSWORD, reason="reads reports")
    return made


@pytest.fixture
def client(home: Context, kept: Office) -> TestClient:
    services: Any = SimpleNamespace(context=home, access=AccessService(home), reports=kept.reports)
    app = Starlette(routes=files.routes(lambda: services), middleware=[Middleware(gate.SecurityHeaders)])
    made = TestClient(app, base_url="http://127.0.0.1:8501")
    secret, _ = services.access.login(NOBODY, "ada", PASSWORD)
    made.cookies.set(cookies.cookie_name(home.settings), secret)
    return made


def test_it_is_the_very_file_in_the_fonts_of_the_pages_under_its_own_policy(client: TestClient, kept: Office) -> None:
    (line,) = kept.reports.room(SCIENTIST).lines
    answer = client.get(files.report_path(line.id))
    assert answer.status_code == 200
    kept_file = kept.reports.html(SCIENTIST, line.id)
    head, fonts, body = answer.text.partition("<style>@font-face{font-family:Inter;")
    assert fonts
    assert head.count("; font-src 'self'") == 1
    assert head.replace("; font-src 'self'", "") + body[body.index("</head>") :] == kept_file
    assert "@font-face" not in kept_file, "what somebody keeps asks nobody for a font"
    assert "font-src 'self'" in answer.headers["content-security-policy"]
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    assert "frame-ancestors 'self'" in answer.headers["content-security-policy"]
    assert answer.headers["x-frame-options"] == "SAMEORIGIN"
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_who_is_not_logged_in_gets_nothing(client: TestClient, kept: Office) -> None:
    (line,) = kept.reports.room(SCIENTIST).lines
    client.cookies.clear()
    answer = client.get(files.report_path(line.id))
    assert (answer.status_code, answer.text) == (401, "Log in first.")


@pytest.mark.parametrize("name", ["nothing", "<script>", "..%2f..%2fetc"])
def test_an_unknown_report_is_said_in_words(client: TestClient, name: str) -> None:
    answer = client.get(f"/report/{name}.html")
    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith("text/plain") or "etc" in name


def test_a_database_that_is_away_is_said_in_words(
    client: TestClient, kept: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> str:
        raise StoreUnavailable("The database is locked.", hint="Try again.")

    monkeypatch.setattr(kept.reports, "html", away)
    answer = client.get("/report/any.html")
    assert answer.status_code == 500
    assert "The database is locked." in answer.text


def test_the_address_says_for_whom_and_another_level_is_named(client: TestClient, kept: Office) -> None:
    (line,) = kept.reports.room(SCIENTIST).lines
    answer = client.get(files.report_path(line.id, Level.EXECUTIVE))
    assert answer.text == files.in_our_fonts(kept.reports.html(SCIENTIST, line.id, Level.EXECUTIVE))
    odd = client.get(f"{files.report_path(line.id)}?level=<b>boss</b>")
    assert odd.status_code == 400
    assert odd.headers["content-type"].startswith("text/plain")
    assert "executive, technical, audit" in odd.text
