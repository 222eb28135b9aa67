"""Take the README's pictures from a running demo, as the lead sees it.

    python docs/make_screens.py http://127.0.0.1:8501 [--out docs/screens] [--width 1440] [--only registry]

Every page of app/pages.py in light and dark, at full height up to `TALLEST`; reduced to 256 colours, because the
pictures of all pages together should stay below 3 MB.
"""

from __future__ import annotations

import argparse
import io
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from app.pages import HOME, PAGES  # noqa: E402 - found beside this file

TALLEST = 1_800
READY = '[data-testid="stApp"][data-test-script-state="notRunning"]'
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]


def settled(page: Page) -> None:
    """Wait until the page stands and its fonts and charts are there."""
    page.wait_for_selector(".ph h1, .empty", timeout=60_000)
    page.wait_for_selector(READY, timeout=60_000)
    page.wait_for_load_state("networkidle")
    page.evaluate("document.fonts.ready.then(() => true)")
    page.wait_for_timeout(700)


def picture(page: Page, height: int) -> bytes:
    """The whole page: Streamlit scrolls inside, so the window is made as tall as the content."""
    full = page.evaluate("document.querySelector('[data-testid=stMain]').scrollHeight")
    page.set_viewport_size({"width": page.viewport_size["width"], "height": min(max(full, height), TALLEST)})
    page.wait_for_timeout(500)
    return page.screenshot()


def main() -> None:
    """Log in by the demo's button and walk through the pages."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("url")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "screens")
    parser.add_argument("--width", type=int, default=1440)
    parser.add_argument("--role", default="lead")
    parser.add_argument("--only", default="")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    height = 900 if given.width > 640 else 844
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        for mode in ("light", "dark"):
            context = browser.new_context(
                viewport={"width": given.width, "height": height},
                color_scheme=mode,
                timezone_id="America/New_York",
                reduced_motion="reduce",
            )
            context.set_default_timeout(90_000)
            page = context.new_page()
            page.goto(f"{given.url}/login")
            page.get_by_role("button", name=given.role).first.click()
            settled(page)
            for row in PAGES:
                if given.only and row.url != given.only:
                    continue
                page.set_viewport_size({"width": given.width, "height": height})
                page.goto(given.url + ("/" if row.url == HOME else f"/{row.url}"))
                settled(page)
                small = Image.open(io.BytesIO(picture(page, height))).convert("RGB").quantize(256, dither=0)
                small.save(given.out / f"{row.url}-{mode}.png", optimize=True)
            context.close()
        browser.close()


if __name__ == "__main__":
    main()
