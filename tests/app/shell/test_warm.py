"""The ui process gets ready by itself and keeps the collector off what lives as long as it does."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
from pathlib import Path

import pytest

from app.shell import warm
from tests.machine import unmeasured

ROOT = Path(__file__).parents[3]
_ASK = """
import gc, sys
from streamlit import config
from app.shell import warm
from app.pages import PAGES
warm.get_ready()
loaded = all(f"app.views.{row.module}" in sys.modules for row in PAGES)
print(loaded, gc.get_freeze_count() > 100_000, "mlflow" in sys.modules, config.get_option("runner.postScriptGC"))
"""


def test_ready_means_every_page_is_imported_and_frozen_without_mlflow():
    done = subprocess.run(
        [sys.executable, "-c", _ASK],
        cwd=ROOT,
        env=unmeasured(),
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert done.stdout.split() == ["True", "True", "False", "False"]


def test_the_server_starts_even_when_a_page_cannot_be_imported(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    def broken() -> None:
        raise ImportError("no such view")

    async def start_and_stop() -> bool:
        async with warm.lifespan(None):
            return True

    monkeypatch.setattr(warm, "get_ready", broken)
    with caplog.at_level(logging.ERROR):
        assert asyncio.run(start_and_stop())
    assert "incident" in caplog.text
    assert "no such view" in caplog.text
