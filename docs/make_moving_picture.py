"""Take the README's moving picture: the loop from an alert to the first verdict on its answer, walked by clicks.

    mlops-dash up --demo --fast          # in an empty home; the walk changes it
    python docs/make_moving_picture.py http://127.0.0.1:8501 [--out docs/screens/loop.gif]

The walk is the one of tests/journeys/walk.py, as scientist and lead. All pictures share one palette, because
only what changes between two of them is stored then: the file should stay below 2 MB.
"""

from __future__ import annotations

import argparse
import io
import sys
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont
from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from docs.make_screens import FLAGS, settled  # noqa: E402 - found beside this file
from tests.journeys.walk import Walk  # noqa: E402

WIDTH, HEIGHT, BAR = 1440, 860, 52
SECONDS, LAST_SECONDS = 2.4, 6.0
COLOURS = 256
INK, GROUND = "#ffffff", "#1e1b4b"
CAPTIONS = {
    "overview": "Overview names what is wrong, the worst first",
    "monitoring": "Monitoring: since when, against what, and which inputs moved",
    "Start retrain": "Start a retrain, with a reason",
    "retraining": "Retraining shows its log live",
    "gates": "Registry: the new version at its gates, each with its interval",
    "Propose": "The scientist proposes it, and cannot approve it",
    "Approve": "Somebody else approves: the lead",
    "Promote": "Promote: what changes, and which alerts it answers",
    "Promote: done": "The gateway answers with it within seconds",
    "playing": "Play the next week: flights and their outcomes go through the gateway",
    "verdict": "Monitoring: the first verdict on the new version",
}
WAITS = {"retraining": 8_000}  # ms, until its log says something


def main() -> None:
    """Walk, and write the pictures in the order in which they were taken."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("url")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "screens" / "loop.gif")
    given = parser.parse_args()
    frames: list[Image.Image] = []

    def shot(page: Page, name: str) -> None:
        if name in CAPTIONS:
            page.wait_for_timeout(WAITS.get(name, 700))  # charts and dialogs stand still
            frames.append(_frame(page, f"{len(frames) + 1}  {CAPTIONS[name]}"))

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        walk = Walk(_logged_in(browser, given.url, "scientist"), _logged_in(browser, given.url, "lead"), shot)
        version = walk.from_alert_to_version("A model that saw only winter: train it on spring too")
        walk.propose(version, "Better on every day of May")
        walk.review(version)
        walk.promote(version, "Read the evidence: 4 of 4 gates")
        walk.play_a_week()
        sys.stdout.write(walk.read_the_verdict("air-time", version) + "\n")
        browser.close()
    _write(frames, given.out)
    sys.stdout.write(f"{given.out}: {len(frames)} pictures, {given.out.stat().st_size / 1e6:.2f} MB\n")


def _logged_in(browser: Browser, url: str, role: str) -> Page:
    context = browser.new_context(
        viewport={"width": WIDTH, "height": HEIGHT}, timezone_id="America/New_York", reduced_motion="reduce"
    )
    context.set_default_timeout(90_000)
    page = context.new_page()
    page.goto(f"{url}/login")
    page.get_by_role("button", name=role).first.click()
    settled(page)
    return page


def _frame(page: Page, said: str) -> Image.Image:
    """What the browser shows, above a bar that says what it is."""
    frame = Image.new("RGB", (WIDTH, HEIGHT + BAR), GROUND)
    frame.paste(Image.open(io.BytesIO(page.screenshot())).convert("RGB"), (0, 0))
    ImageDraw.Draw(frame).text(
        (22, HEIGHT + BAR / 2), said, fill=INK, anchor="lm", font=ImageFont.load_default(size=25)
    )
    return frame


def _write(frames: list[Image.Image], out: Path) -> None:
    """One palette for all, taken from all: then a pixel that stays keeps its colour and costs nothing."""
    palette = _palette(frames)
    small = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
    lasts = [round(SECONDS * 1000)] * (len(small) - 1) + [round(LAST_SECONDS * 1000)]
    small[0].save(out, save_all=True, append_images=small[1:], duration=lasts, loop=0, optimize=True)


def _palette(frames: list[Image.Image]) -> Image.Image:
    """Half of it the colours of the large areas as they are, half of it those of few pixels: red, amber and green.

    A palette by frequency alone turns the badges grey, one by coverage alone tints the grounds.
    """
    tall = Image.new("RGB", (WIDTH, (HEIGHT + BAR) * len(frames)))
    for number, frame in enumerate(frames):
        tall.paste(frame, (0, (HEIGHT + BAR) * number))
    counted = sorted(tall.getcolors(tall.width * tall.height), reverse=True)
    common = [colour for _, colour in counted[: COLOURS // 2]]
    covering = tall.quantize(COLOURS // 2, method=Image.Quantize.MAXCOVERAGE).getpalette()[: COLOURS // 2 * 3]
    palette = Image.new("P", (1, 1))
    palette.putpalette([part for colour in common for part in colour] + covering)
    return palette


if __name__ == "__main__":
    main()
