"""The README's loop by clicks alone, as a newcomer does it: from the worst alert to the first verdict on its answer.

`test_loop.py` walks it through a real installation, and `docs/make_moving_picture.py` takes the README's picture of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import settled

TRAINS, PLAYS = 300_000, 900_000  # ms that a recipe of the demo and a week of it may take on a busy machine
Shot = Callable[[Page, str], object]


def _nothing(_page: Page, _said: str) -> None:
    pass


@dataclass(frozen=True)
class Walk:
    """Two people in two browsers; `shot` is told, by a name, whenever there is something to look at."""

    scientist: Page
    lead: Page
    shot: Shot = _nothing

    def from_alert_to_version(self, reason: str) -> str:
        """The scientist follows the worst alert, starts a retrain and reviews what came; gives its version."""
        page = self.scientist
        _home(page)
        self.shot(page, "overview")
        page.locator(".st-key-attention-0").get_by_role("link", name="Investigate").click()
        opener = page.get_by_role("button", name="Start retrain…", exact=True)
        expect(opener).to_be_visible(timeout=60_000)
        settled(page)
        self.shot(page, "monitoring")
        self._decide(page, "Start retrain…", reason, "Start retrain")
        page.get_by_role("button", name="Follow the retrain").click()
        expect(page.get_by_role("heading", name="Retraining", level=1)).to_be_visible()
        settled(page)
        self.shot(page, "retraining")
        review = page.get_by_role("button", name=re.compile("^Review v"))
        expect(review).to_be_visible(timeout=TRAINS)
        version = review.inner_text().split("v")[-1].strip()
        review.click()
        expect(page.get_by_role("button", name=f"Propose v{version}…", exact=True)).to_be_visible(timeout=60_000)
        settled(page)
        self.shot(page, "gates")
        return version

    def propose(self, version: str, comment: str) -> None:
        """The scientist puts it before the leads, and cannot approve it."""
        self._decide(self.scientist, f"Propose v{version}…", comment, f"Propose v{version}")
        expect(self.scientist.get_by_role("button", name="Approve…", exact=True)).to_be_disabled()

    def review(self, version: str) -> None:
        """The lead finds it on Overview."""
        _home(self.lead)
        self.lead.get_by_role("link", name=f"Review v{version}").first.click()
        expect(self.lead.get_by_role("button", name="Reject…", exact=True)).to_be_visible(timeout=60_000)
        settled(self.lead)

    def reject(self, version: str, why: str) -> None:
        """The lead says what is missing, and the scientist reads it."""
        self._decide(self.lead, "Reject…", why, f"Reject v{version}")
        self.read_the_rejection(version, why)

    def read_the_rejection(self, version: str, why: str) -> None:
        """The scientist finds it among the messages; the reason stands above the gates."""
        _home(self.scientist)
        self.scientist.get_by_test_id("stPopover").get_by_role("button").first.click()
        self.scientist.get_by_role("link", name=f"v{version} was rejected").click()
        expect(self.scientist.locator(".st-key-card-rejected")).to_contain_text(why)
        settled(self.scientist)

    def promote(self, version: str, comment: str) -> None:
        """The lead approves and promotes."""
        self._decide(self.lead, "Approve…", comment, f"Approve v{version}")
        self._decide(self.lead, "Promote to champion…", comment, f"Promote v{version}")

    def play_a_week(self) -> None:
        """The lead has the demo go on for seven days."""
        page = self.lead
        _home(page)
        page.get_by_role("button", name="Play the next week", exact=True).click()
        bar = page.get_by_test_id("stProgress")
        expect(bar).to_contain_text("day 3 of 7", timeout=PLAYS)
        self.shot(page, "playing")
        expect(page.get_by_text(re.compile("is played: [0-9,]+ flights"))).to_be_visible(timeout=PLAYS)
        settled(page)
        self.shot(page, "played")

    def read_the_verdict(self, model: str, version: str) -> str:
        """The lead opens the model's own page from the table of models; gives the sentence that says how it is."""
        page = self.lead
        page.get_by_role("link", name=model, exact=True).click()
        expect(page.get_by_text(f"v{version} serves")).to_be_visible(timeout=60_000)
        settled(page)
        said = page.get_by_text(re.compile("over the last [0-9]+ ripe days"))
        expect(said.first).to_be_visible(timeout=60_000)
        self.shot(page, "verdict")
        return said.first.inner_text()

    def _decide(self, page: Page, opens: str, reason: str, acts: str) -> None:
        page.get_by_role("button", name=opens, exact=True).first.click()
        dialog: Locator = page.get_by_role("dialog")
        dialog.get_by_role("textbox").last.fill(reason)
        self.shot(page, acts.split(" v", maxsplit=1)[0])
        dialog.get_by_role("button", name=acts, exact=True).click()
        expect(dialog).to_have_count(0, timeout=60_000)
        settled(page)
        self.shot(page, f"{acts.split(' v', maxsplit=1)[0]}: done")


def _home(page: Page) -> None:
    page.goto("{0.scheme}://{0.netloc}/".format(urlsplit(page.url)))
    settled(page)
