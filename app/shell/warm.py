"""What the ui process does before the first visitor: import the pages, and keep the garbage collector out of the way.

A full collection walks every object of the process, 250,000 after the imports: 130 ms in which nobody's page moves.
Streamlit asks for one after every run unless `runner.postScriptGC` is off; Python asks for one now and then by itself.
What lives as long as the process need not be walked: it is frozen.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from app.pages import PAGES
from app.shell import incidents, sockets


def get_ready() -> None:
    """Import every page and what it draws with, then freeze all that is there."""
    from app.shell import frame  # late: the server answers before the pages are imported

    for row in PAGES:
        frame.page_function(row)
    gc.collect()
    gc.freeze()


@asynccontextmanager
async def lifespan(_app: object) -> AsyncIterator[dict[str, Any] | None]:
    """Get ready beside the first requests; a page that cannot be imported says so when it is opened."""
    sockets.without_delay()
    ready = asyncio.get_running_loop().run_in_executor(None, _get_ready_or_log)
    yield None
    await ready


def _get_ready_or_log() -> None:
    try:
        get_ready()
    except Exception as error:  # noqa: BLE001 - whoever opens the page gets the same error on it
        incidents.explain(error)
