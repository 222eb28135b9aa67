"""Files in a real browser: somebody's file is watched by clicks, and two files are compared."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Ui, Visit, arrange, assert_sound, settled, start_ui

DAYS, A_DAY = 45, 80
NAME = """it's the "fast" one"""


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ui]:
    """A home of its own: what is watched here must not stand on other tests' pages."""
    home = tmp_path_factory.mktemp("files-home")
    arrange(home)
    with start_ui(home) as running:
        yield running


@pytest.fixture(scope="module")
def deliveries(own: Ui, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A regression in minutes that is fifteen minutes off in its last ten days."""
    draw, n = np.random.default_rng(5), DAYS * A_DAY
    day, km = np.repeat(np.arange(DAYS), A_DAY), draw.gamma(4.0, 2.0, n)
    today = own.services.context.clock.now().replace(hour=0, minute=0, second=0, microsecond=0)
    start = today - timedelta(days=DAYS + 1)
    frame = pd.DataFrame({
        "asked_at": start + pd.to_timedelta(np.arange(n) * 1440 // A_DAY, unit="min"), "km": km,
        "rain": draw.choice(["no", "drizzle", "pouring"], n),
        "minutes": 12 + 3 * km - np.where(day >= DAYS - 10, 15.0, 0.0), "took": 12 + 3 * km + draw.normal(0, 4, n),
    })  # fmt: skip
    path = tmp_path_factory.mktemp("files") / "deliveries.csv"
    frame.to_csv(path, index=False)
    return path


def choose(page: Page, label: str, column: str) -> None:
    page.get_by_role("combobox", name=label).click()
    page.keyboard.type(column)
    page.keyboard.press("Enter")
    settled(page)


def bring(page: Page, field: str, path: Path) -> None:
    """Put a file into a field, and wait until the run that it causes has ended.

    Streamlit 1.67 answers a file with an upload address through the queue that the start of a run empties
    (`ForwardMsgQueue.clear`): of two files within some milliseconds the second can stay without an answer.
    """
    with page.expect_response(lambda answer: "upload_file" in answer.url and answer.request.method == "PUT"):
        page.get_by_role("region", name=field).locator("input[type=file]").set_input_files(path)
    expect(page.get_by_role("button", name=f"Remove {path.name}")).to_be_visible()
    page.wait_for_timeout(500)  # the run begins once the browser has told the server that the file is there
    settled(page)


@pytest.mark.parametrize(("mode", "width"), [("light", 1440), ("dark", 390)])
def test_a_file_is_watched_by_clicks(own: Ui, visit: Visit, deliveries: Path, mode: str, width: int) -> None:
    page = visit("scientist", "/files", mode=mode, width=width, at=own)
    assert_sound(page)
    page.locator("input[type=file]").set_input_files(deliveries)
    expect(page.get_by_text("3,600 rows, 5 columns")).to_be_visible()
    expect(page.get_by_text("No column says what the score is")).to_be_visible()
    settled(page)
    choose(page, "Score", "minutes")
    choose(page, "Outcome", "took")
    page.get_by_role("textbox", name="Model").fill(f"{NAME} {mode}")
    page.get_by_role("textbox", name="Model").press("Enter")
    settled(page)
    assert_sound(page)
    page.get_by_role("button", name="Watch this model").click()
    expect(page.get_by_role("heading", level=1, name="Monitoring")).to_be_visible(timeout=90_000)
    settled(page)
    expect(page.get_by_text("The harm alarm of MAE is on").first).to_be_visible()
    expect(page.locator(".st-key-model input")).to_have_value(f"{NAME} {mode}")
    assert_sound(page)


def test_two_files_are_compared_by_clicks(own: Ui, visit: Visit, deliveries: Path, tmp_path: Path) -> None:
    frame = pd.read_csv(deliveries)
    frame[:1800].to_csv(tmp_path / "old.csv", index=False)
    frame[1800:].assign(km=frame["km"] + 6).to_parquet(tmp_path / "new.parquet", index=False)
    page = visit("viewer", "/files?do=Compare+two+files", at=own)
    bring(page, "Reference", tmp_path / "old.csv")
    bring(page, "Current", tmp_path / "new.parquet")
    expect(page.get_by_role("heading", name="columns drifted: ")).to_contain_text("km")
    assert_sound(page)
