"""Experiments in a real browser on a metric that is best at 0: every picture, the table's words, the headline."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import expect

from app.parts.experiments.url import PICTURES
from tests.browser.conftest import Ui, Visit, arrange, assert_sound, settled, start_ui
from tests.runs_world import biased

BIAS_FIRST = quote(json.dumps(["metrics.valid_bias", "metrics.valid_mae", "params.depth", "params.rate"]))


@pytest.fixture(scope="module")
def ids() -> dict[str, str]:
    return {}


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory, mlflow_template: Path, ids: dict[str, str]) -> Iterator[Ui]:
    home = tmp_path_factory.mktemp("biased")
    arrange(home)
    shutil.copyfile(mlflow_template, home / "mlflow.db")
    ids |= biased(f"sqlite:///{home / 'mlflow.db'}", home / "artifacts")
    with start_ui(home) as running:
        yield running


@pytest.mark.parametrize("picture", PICTURES)
def test_every_picture_of_a_bias_is_drawn(room: Ui, visit: Visit, picture: str) -> None:
    page = visit("viewer", f"/experiments?tab={picture}&cols={BIAS_FIRST}&m=valid_bias", at=room)
    expect(page.locator(".st-key-card-pictures")).to_be_visible()
    expect(page.get_by_role("radio", name=picture, exact=True)).to_have_attribute("aria-checked", "true")
    settled(page)
    if picture not in {"Importance", "Differences"}:
        expect(page.locator(".st-key-card-pictures .js-plotly-plot .main-svg").first).to_be_visible()
    assert_sound(page)


def test_the_headline_is_the_error_and_the_table_says_which_way_a_bias_is_better(
    room: Ui, visit: Visit, ids: dict[str, str]
) -> None:
    page = visit("viewer", f"/experiments?base={ids['above-1']}", at=room)
    expect(page.locator(".ph p")).to_contain_text("best valid_mae")
    head = page.locator("th[data-column='metrics.valid_bias']")
    expect(head).to_contain_text("→0")
    near = page.get_by_role("row").filter(has_text="near-1")
    expect(near).to_contain_text("▲")
    expect(near.locator("[title*='nearer 0 than the baseline'], [data-hint*='nearer 0']").first).to_be_attached()
    assert_sound(page)


def test_the_better_direction_can_be_chosen(room: Ui, visit: Visit) -> None:
    way = quote(json.dumps({"valid_mae": "zero"}))
    page = visit("viewer", f"/experiments?tab=Pareto&cols={BIAS_FIRST}&dir={way}", at=room)
    expect(page.locator(".st-key-pareto-ways")).to_be_visible()
    assert_sound(page)
