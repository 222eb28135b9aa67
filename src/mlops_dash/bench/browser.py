"""A cold headless Chromium: how long until the first page stands, and until the next one by the sidebar."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_READY = '[data-testid="stApp"][data-test-script-state="notRunning"]'
_DRAWN = """() => [...document.querySelectorAll('.js-plotly-plot')].every(one => one.querySelector('.main-svg'))
    && document.querySelectorAll('[data-testid="stSkeleton"]').length === 0"""
_HEADED = """title => [...document.querySelectorAll('.ph h1')].some(one => one.textContent.trim() === title)
    || (document.querySelector('.stMain .empty, .st-key-card-error')
        && document.querySelector('[data-testid="stSidebarNav"] [aria-current="page"]')?.textContent.includes(title))"""
_FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
          "--disable-component-update", "--disable-sync")  # fmt: skip
_PATIENCE_MS = 60_000
THINK_SECONDS = 3.0  # before the click: who opens a page looks at it


@dataclass(frozen=True)
class Shown:
    """Seconds until heading and charts of a page stood: opened by a cold browser, and clicked in the sidebar."""

    first_s: float
    next_s: float


def why_not() -> str:
    """Why no browser can be driven here; empty when one can."""
    try:
        import playwright.sync_api  # noqa: F401 - only whether it is there
    except ImportError:
        return "Playwright is not installed"
    return "" if _chromium() or _own_chromium() else "no Chromium is installed"


def _chromium() -> str | None:
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def _own_chromium() -> bool:
    from pathlib import Path

    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        return Path(playwright.chromium.executable_path).exists()


def measure(url: str, cookie: Mapping[str, str], pages: Sequence[tuple[str, str]]) -> dict[str, Shown]:
    """Open every page in a browser of its own, and reach it from another page by the sidebar, after a look at that one.

    Args:
        url: Of the running ui.
        cookie: Name and value of the session cookie.
        pages: Path and title of every page; the first is the home page.
    """
    from playwright.sync_api import sync_playwright

    found = {}
    with sync_playwright() as playwright:
        for path, title in pages:
            elsewhere = next(other for other, _ in reversed(pages) if other != path)
            browser = playwright.chromium.launch(executable_path=_chromium(), args=list(_FLAGS))
            try:
                context = browser.new_context(viewport={"width": 1440, "height": 900})
                context.add_cookies([{**cookie, "url": url}])  # type: ignore[typeddict-item]
                page = context.new_page()
                first = _until_it_stands(page, title, lambda page=page, path=path: page.goto(f"{url}/{path}"))
                page.goto(f"{url}/{elsewhere}")
                _stands(page, dict(pages)[elsewhere])
                time.sleep(THINK_SECONDS)
                link = page.locator('[data-testid="stSidebarNav"]').get_by_role("link", name=title, exact=True)
                found[path] = Shown(first, _until_it_stands(page, title, lambda link=link: link.click()))
            finally:
                browser.close()
    return found


def _until_it_stands(page: Any, title: str, act: Any) -> float:
    start = time.perf_counter()
    act()
    _stands(page, title)
    return time.perf_counter() - start


def _stands(page: Any, title: str) -> None:
    """Wait for the page's own heading or the face in its place, the end of its script, and its charts."""
    page.wait_for_function(_HEADED, arg=title, timeout=_PATIENCE_MS)
    page.wait_for_selector(_READY, timeout=_PATIENCE_MS)
    page.wait_for_function(_DRAWN, timeout=_PATIENCE_MS)
