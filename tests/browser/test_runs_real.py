"""Is it real? in a real browser: sound in both modes and widths, and its link shows another account the same."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser import conftest
from tests.browser.conftest import MODES, SIZES, Ui, Visit, arrange, assert_sound, settled, start_ui
from tests.real_world import RealWorld, compared


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, mlflow_template: Path) -> RealWorld:
    home = tmp_path_factory.mktemp("real")
    arrange(home)
    shutil.copyfile(mlflow_template, home / "mlflow.db")
    return compared(f"sqlite:///{home / 'mlflow.db'}", home, small=True)


@pytest.fixture(scope="module")
def room(world: RealWorld) -> Iterator[Ui]:
    """The files of the runs are read through MLflow's client from the store itself."""
    usual = conftest.environment
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(conftest, "environment", lambda *given: {**usual(*given), "MLFLOW_TRACKING_URI": world.uri})
        with start_ui(Path(world.uri.removeprefix("sqlite:///")).parent) as running:
            yield running


def path(world: RealWorld, *names: str, more: str = "") -> str:
    ids = [world.ids[one] for one in names]
    return f"/experiments?runs={','.join(ids)}&base={ids[-1]}&rm=valid_auc{more}"


@pytest.mark.parametrize("width", list(SIZES))
@pytest.mark.parametrize("mode", MODES)
def test_every_part_is_sound(room: Ui, world: RealWorld, visit: Visit, mode: str, width: int) -> None:
    page = visit("viewer", path(world, "good-1", "fair-2", more="&mg=0.01"), mode=mode, width=width, at=room)
    card = page.locator(".st-key-card-real")
    expect(card).to_contain_text("model good is better than model fair")
    assert_sound(page)
    for part, sign in (
        ("Why better", "The parts sum to the whole"),
        ("Flipped rows", "McNemar mid-p"),
        ("Files", "good-1"),
    ):
        card.get_by_role("radio", name=part, exact=True).click()
        expect(card).to_contain_text(sign, timeout=20_000)
        settled(page)
        assert_sound(page)


def test_the_link_shows_another_account_the_same_verdict(room: Ui, world: RealWorld, visit: Visit) -> None:
    page = visit("scientist", path(world, "good-1", "fair-2"), at=room)
    card = page.locator(".st-key-card-real")
    expect(card).to_contain_text("How large must a difference be to matter?")
    card.get_by_role("button", name="±0.01").click()
    expect(card).to_contain_text("is better than")
    settled(page)
    said = card.locator(".st-key-real-said-0").inner_text()
    assert re.search(r"valid_auc \+0\.\d+ \[\+", said)
    page.wait_for_url(re.compile("[?&]mg="))
    link = page.url.partition("/experiments")[2]
    other = visit("viewer", f"/experiments{link}", at=room)
    expect(other.locator(".st-key-real-said-0")).to_contain_text("is better than")
    assert other.locator(".st-key-real-said-0").inner_text() == said
