"""The journey of the Experiments room: filter, group, compare, export, save the view, open it as somebody else."""

from __future__ import annotations

import csv
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Locator, Page, expect

from mlops_dash.domain.audit import Action
from mlops_dash.store import audit
from mlops_dash.store.db import reading
from tests.browser.conftest import SIZES, Ui, Visit, arrange, assert_sound, settled, start_ui
from tests.factories import SCIENTIST, VIEWER

ODD = "väl/ap: 10-fold"


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory, mlflow_template: Path) -> Iterator[Ui]:
    home = tmp_path_factory.mktemp("share")
    arrange(home)
    shutil.copyfile(mlflow_template, home / "mlflow.db")
    sweep(f"sqlite:///{home / 'mlflow.db'}", home / "artifacts")
    with start_ui(home) as running:
        yield running


def sweep(uri: str, artifacts: Path) -> None:
    """Three depths of five seeds each on the same evaluation rows; depth 6 and 7 hardly differ."""
    import mlflow
    from mlflow.entities import Metric, Param, RunTag

    client = mlflow.MlflowClient(uri, uri)
    made = client.create_experiment("depth sweep", artifact_location=artifacts.as_uri())
    other = client.create_experiment("second", artifact_location=artifacts.as_uri())
    start, tags = 1_700_000_000_000, {"mlops_dash.eval_digest": "e" * 64, "mlops_dash.metric_definition": "v1"}
    for number, (depth, seed) in enumerate((depth, seed) for depth in (3, 6, 7) for seed in range(5)):
        at = start + 60_000 * number
        run_id = client.create_run(made, start_time=at, run_name=f"=d{depth}|s{seed}").info.run_id
        auc = {3: 0.61, 6: 0.66, 7: 0.6602}[depth] + 0.0004 * (seed % 3)
        client.log_batch(
            run_id, [Metric("valid_auc", auc, at, 0), Metric(ODD, auc / 2, at, 0)],
            [Param("depth", str(depth)), Param("seed", str(seed))], [RunTag(*one) for one in tags.items()],
        )  # fmt: skip
        client.set_terminated(run_id, end_time=at + 30_000)
    client.log_metric(client.create_run(other, start_time=start, run_name="elsewhere").info.run_id, "valid_auc", 0.7)


def configuration(page: Page, depth: str) -> Locator:
    return page.get_by_role("row", name=re.compile(rf"Compare depth {depth}"))


def asked_by(url: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


def test_filter_group_compare_export_save_and_open_in_another_account(room: Ui, visit: Visit) -> None:
    page = visit("scientist", "/experiments", at=room)
    page.get_by_label("Filter").fill("metrics.valid_auc > 0.65")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="10 runs")).to_be_visible()
    page.get_by_role("radio", name="Groups").or_(page.get_by_role("button", name="Groups")).first.click()
    expect(page.get_by_role("heading", name="2 configurations of 10 runs")).to_be_visible()
    settled(page)
    for depth in ("6", "7"):
        configuration(page, depth).get_by_role("checkbox").click()
        settled(page)
    card = page.locator(".st-key-card-real")
    card.get_by_role("button", name="±0.01").click()
    expect(card).to_contain_text(re.compile("practically equal", re.IGNORECASE))
    settled(page)

    page.get_by_role("button", name="Export").click()
    with page.expect_download() as waiting:
        page.get_by_role("button", name="CSV").click()
    assert re.fullmatch(r"depth-sweep-\d{8}-\d{4}\.csv", waiting.value.suggested_filename)
    rows = list(csv.DictReader(waiting.value.path().read_text().splitlines()))
    assert [(one["depth"], one["Runs"], one["valid_auc n"]) for one in rows] == [("7", "5", "5"), ("6", "5", "5")]
    assert float(rows[0]["valid_auc mean"]) == pytest.approx(0.6602 + 0.0004 * 4 / 5)
    page.keyboard.press("Escape")

    page.get_by_role("button", name="Write a note").click()
    page.get_by_role("textbox", name="Note").fill("Depth 7 buys nothing.")
    page.get_by_role("button", name="Write the note").click()
    expect(page.locator(".st-key-card-notes")).to_contain_text("Depth 7 buys nothing.")
    page.get_by_role("button", name="Views").click()
    page.get_by_role("button", name="Save this view").click()
    page.get_by_role("textbox", name="Name").fill("Depth 6 against 7")
    page.get_by_role("button", name="Save the view").click()
    views = page.get_by_role("button", name="Depth 6 against 7").first
    expect(views).to_be_visible()
    settled(page)
    page.wait_for_url(lambda url: {"q", "view", "runs", "mg"} <= set(asked_by(url)))
    state = asked_by(page.url)

    (kept,) = room.services.experiments.kept(VIEWER).views
    other = visit("viewer", f"/experiments?saved={kept.id}", at=room)
    expect(other.get_by_role("heading", name="2 configurations of 10 runs")).to_be_visible()
    expect(other.locator(".st-key-card-real")).to_contain_text(re.compile("practically equal", re.IGNORECASE))
    expect(other.locator(".st-key-card-notes")).to_contain_text("Depth 7 buys nothing.")
    settled(other)
    other.wait_for_url(lambda url: {**asked_by(url), "exp": ""} == {**state, "exp": ""})
    other.get_by_role("button", name="Depth 6 against 7").first.click()
    expect(other.get_by_role("button", name="Save this view")).to_be_disabled()
    expect(other.get_by_text("by scientist").first).to_be_visible()
    with reading(room.services.context.databases.app) as session:
        actions = [one.action for one in audit.entries(session)]
    assert (actions.count(Action.VIEW_SAVED), actions.count(Action.NOTE_WRITTEN)) == (1, 1)


def test_a_view_is_renamed_deleted_and_its_link_says_so(room: Ui, visit: Visit) -> None:
    page = visit("scientist", "/experiments?q=metrics.valid_auc+<+0.65", at=room)
    page.get_by_role("button", name=re.compile("Views|against")).first.click()
    page.get_by_role("button", name="Save this view").click()
    page.get_by_role("textbox", name="Name").fill("shallow")
    page.get_by_text("Everybody may open it").click()
    page.get_by_role("button", name="Save the view").click()
    expect(page.get_by_role("button", name="shallow").first).to_be_visible()
    settled(page)
    own = next(one for one in room.services.experiments.kept(SCIENTIST).views if one.name == "shallow")
    assert not own.shared
    line = page.locator(f".st-key-view-{own.id}")
    page.get_by_role("button", name="shallow").first.click()
    settled(page)
    line.get_by_role("button", name="Edit").click()
    page.get_by_role("textbox", name="Name").fill("depth 3")
    page.get_by_role("button", name="Change the view").click()
    expect(page.get_by_role("button", name="depth 3").first).to_be_visible()
    settled(page)
    stranger = visit("viewer", f"/experiments?saved={own.id}", at=room)
    expect(stranger.get_by_text("does not exist, or is not shared")).to_be_visible()
    page.get_by_role("button", name="depth 3").first.click()
    settled(page)
    line.get_by_role("button", name="Delete").click()
    page.get_by_role("button", name="Delete the view").click()
    expect(page.get_by_role("button", name="Views").first).to_be_visible()
    assert own.id not in {one.id for one in room.services.experiments.kept(SCIENTIST).views}


@pytest.mark.parametrize("width", list(SIZES))
def test_several_experiments_stand_in_one_table(room: Ui, visit: Visit, width: int) -> None:
    page = visit("viewer", "/experiments?exp=1,2", width=width, mode="dark", at=room)
    expect(page.get_by_role("heading", name="16 runs")).to_be_visible()
    expect(page.get_by_role("row", name=re.compile("elsewhere"))).to_contain_text("second")
    page.get_by_role("button", name="Export").click()
    expect(page.get_by_role("button", name="LaTeX")).to_be_visible()
    assert_sound(page)
