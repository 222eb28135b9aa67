"""What a visit to a page costs: the half of `mlops-dash bench pages` that must know the pages. Prints one JSON object.

    python -m mlops_dash.bench.visits server     every page in this process by Streamlit's AppTest: ms per rerun
    python -m mlops_dash.bench.visits wire URL   every page over a websocket to a running ui: bytes, ms of a first load
    python -m mlops_dash.bench.visits people URL N SECONDS   N clients that click from page to page: ms per click

`MLOPS_DASH_BENCH_SESSION` holds the secret of the session cookie. No browser is involved: a client counts what the
server sends until it says that the script has finished.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import random
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import websockets
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.testing.v1 import AppTest

import app
from app.pages import HOME, PAGES
from app.shell import faces, session
from app.shell.cookies import cookie_name
from app.shell.incidents import Said
from mlops_dash.bench import SESSION

RUNS = 5
THINK_SECONDS = (1.0, 3.0)
_MAIN = Path(app.__file__).with_name("main.py")
_TIMEOUT = 120


def server(secret: str) -> list[dict[str, Any]]:
    """Every page's first run and five reruns in this process, in ms, and what stands in place of one."""
    services = session.services()
    setattr(session, "services", lambda: services)  # noqa: B010 - there is no browser to say who it is
    setattr(session, "cookie_secret", lambda: secret)  # noqa: B010
    said: list[str] = []
    shown = faces.show

    def noted(error: Said, **how: str) -> None:
        said.append(error.title)
        shown(error, **how)

    setattr(faces, "show", noted)  # noqa: B010
    page = AppTest.from_file(_MAIN, default_timeout=_TIMEOUT).run()
    hashes = {one["url_pathname"]: one["page_script_hash"] for one in page._registered_pages.values()}
    found = []
    for row in PAGES:
        page._page_hash = hashes["" if row.url == HOME else row.url]
        spent = []
        said.clear()
        for _ in range(RUNS + 1):
            start = time.perf_counter()
            page.run()
            spent.append(round((time.perf_counter() - start) * 1_000, 1))
        face = said[-1] if said else "an exception" if page.exception else ""
        found.append({"url": row.url, "title": row.title, "first_ms": spent[0], "rerun_ms": spent[1:], "face": face})
    return found


async def wire(url: str, secret: str) -> list[dict[str, Any]]:
    """Every page as the first one of a fresh session: bytes of all messages and ms until the script has finished."""
    found = []
    for row in PAGES:
        async with _Client(url, secret) as client:
            spent, sent = await client.open("" if row.url == HOME else row.url)
        found.append({"url": row.url, "bytes": sent, "ms": round(spent * 1_000, 1)})
    return found


async def people(url: str, secret: str, n: int, seconds: float) -> dict[str, Any]:
    """Clients that click through the sidebar with one to three seconds of thought between; ms of every click."""
    spent: list[float] = []
    started = asyncio.get_running_loop().time()

    async def walk(number: int) -> None:
        chance = random.Random(number)
        async with _Client(url, secret) as client:
            await asyncio.sleep(chance.uniform(0.0, THINK_SECONDS[1]))  # people do not arrive at the same moment
            await client.open("")
            while asyncio.get_running_loop().time() - started < seconds:
                await asyncio.sleep(chance.uniform(*THINK_SECONDS))
                took, _ = await client.click(chance.choice(PAGES).url)
                spent.append(round(took * 1_000, 1))

    await asyncio.gather(*(walk(number) for number in range(n)))
    return {"clicks_ms": sorted(spent), "people": n, "seconds": round(asyncio.get_running_loop().time() - started, 1)}


class _Client:
    """One browser session without a browser: opens a page, clicks in the sidebar, counts what comes back."""

    def __init__(self, url: str, secret: str) -> None:
        parts = urlsplit(url)
        self.address = f"ws://{parts.netloc}/_stcore/stream"
        self.origin = f"{parts.scheme}://{parts.netloc}"
        self.cookie = f"{cookie_name(session.services().context.settings)}={secret}"
        self.pages: dict[str, str] = {}
        self.held: set[str] = set()

    async def __aenter__(self) -> _Client:
        self.socket = await websockets.connect(
            self.address,
            origin=websockets.Origin(self.origin),
            additional_headers={"Cookie": self.cookie},
            subprotocols=[websockets.Subprotocol("streamlit")],
            max_size=None,
            proxy=None,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.socket.close()

    async def open(self, page: str) -> tuple[float, int]:
        """Load a page as the first one; seconds and bytes."""
        return await self._run(page_name=page)

    async def click(self, page: str) -> tuple[float, int]:
        """Go to a page by the sidebar; seconds and bytes."""
        return await self._run(page_script_hash=self.pages["" if page == HOME else page])

    async def _run(self, *, page_name: str = "", page_script_hash: str = "") -> tuple[float, int]:
        message = BackMsg()
        state = message.rerun_script
        state.page_name, state.page_script_hash = page_name, page_script_hash
        state.cached_message_hashes.extend(sorted(self.held))
        state.context_info.timezone, state.context_info.color_scheme = "UTC", "light"
        start, sent = time.perf_counter(), 0
        await self.socket.send(message.SerializeToString())
        while True:
            raw = await asyncio.wait_for(self.socket.recv(), _TIMEOUT)
            data = raw.encode() if isinstance(raw, str) else raw
            sent += len(data)
            answer = ForwardMsg.FromString(data)
            if answer.metadata.cacheable and answer.hash:
                self.held.add(answer.hash)
            if answer.HasField("navigation"):
                self.pages = {one.url_pathname: one.page_script_hash for one in answer.navigation.app_pages}
            if answer.HasField("script_finished") and answer.script_finished != ForwardMsg.FINISHED_EARLY_FOR_RERUN:
                return time.perf_counter() - start, sent


def main(words: list[str]) -> None:
    """Measure what the words ask for and print it."""
    logging.disable(logging.WARNING)  # Streamlit warns of every run without a browser
    secret = os.environ[SESSION]
    answer: Any
    match words:
        case ["server"]:
            answer = server(secret)
        case ["wire", url]:
            answer = asyncio.run(wire(url, secret))
        case ["people", url, n, seconds]:
            answer = asyncio.run(people(url, secret, int(n), float(seconds)))
        case _:
            raise SystemExit(__doc__)
    name = cookie_name(session.services().context.settings)
    sys.stdout.write(json.dumps({"cookie": name, "found": answer}))


if __name__ == "__main__":
    main(sys.argv[1:])
