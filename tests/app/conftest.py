"""A page under test: the real services on a fresh home, a session of the role asked for, Streamlit's own AppTest."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from app.shell import session
from mlops_dash import bootstrap, settings
from mlops_dash.bootstrap import Services
from mlops_dash.clock import wall_now
from mlops_dash.domain.access import NOBODY
from mlops_dash.store import world
from mlops_dash.store.db import transaction
from tests.factories import NOON, WORKER

OpenPage = Callable[..., AppTest]


@pytest.fixture(scope="session")
def migrated_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both databases with the current schema and the demo accounts; migrating takes a second, so it is done once."""
    home = tmp_path_factory.mktemp("migrated")
    made = bootstrap.build(settings.from_environment({"MLOPS_DASH_HOME": str(home), "MLOPS_DASH_DEMO": "1"}))
    made.access.ensure_demo_users(WORKER)
    made.close()
    return home


@pytest.fixture
def house(migrated_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Services]:
    """Services of a demo installation in a fresh home, as the pages find them; this world's time starts at NOON."""
    for name in ("app.db", "log.db", "ledger.key"):
        shutil.copyfile(migrated_home / name, tmp_path / name)
    for name in ("MLOPS_DASH_DATABASE_URL", "MLOPS_DASH_LOG_DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MLOPS_DASH_HOME", str(tmp_path))
    monkeypatch.setenv("MLOPS_DASH_DEMO", "1")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    made = bootstrap.build(settings.from_environment())
    with transaction(made.context.databases.app) as opened:
        world.put(opened, world.CLOCK_OFFSET, (NOON - wall_now() + timedelta(seconds=1)).total_seconds())
    st.cache_resource.clear()
    st.cache_data.clear()
    monkeypatch.setattr(session, "services", lambda: made)
    yield made
    made.close()


@pytest.fixture
def open_page(house: Services, monkeypatch: pytest.MonkeyPatch) -> OpenPage:
    """`open_page("audit", "lead", tab="Users")` runs the page as that demo account and returns the AppTest."""

    def run(url: str, role: str, /, **params: str) -> AppTest:
        secret, _ = house.access.login_demo(NOBODY, role)
        monkeypatch.setattr(session, "cookie_secret", lambda: secret)  # what the browser would send
        page = AppTest.from_function(_one_page, args=(url,), default_timeout=30)
        for name, value in params.items():
            page.query_params[name] = value
        return page.run()

    return run


def _one_page(url: str) -> None:
    """The script: one page of the table inside the frame's boundary."""
    from app import pages
    from app.shell import faces, frame

    def draw() -> None:
        now = frame.current()
        if now is None:
            return  # the session has ended: the frame shows no page
        row = next(row for row in pages.PAGES if row.url == url)
        now.actor.require(row.permission)
        frame.page_function(row)(now)

    faces.bounded(draw)


def words(page: AppTest) -> str:
    """Everything a person can read on the page, as one text."""
    found: list[Any] = [*page.get("html"), *page.markdown, *page.error, *page.success, *page.caption, *page.code]
    said = (str(getattr(element, "value", "") or getattr(element.proto, "body", "")) for element in found)
    return re.sub(r"</?dfn[^>]*>", "", "\n".join(said))  # an underlined term reads as it stands
