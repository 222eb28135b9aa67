"""What the Experiments page says of its age, its saved views, its notes; and who may keep something."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from app.shell import session
from mlops_dash.bench.experiments import fill
from mlops_dash.bootstrap import Services
from mlops_dash.services.experiments import ExperimentService
from mlops_dash.services.experiments.index import Indexer
from mlops_dash.tracking.experiments.pages import RunPages
from mlops_dash.tracking.experiments.search import MlflowRuns
from tests.app.conftest import OpenPage, words
from tests.factories import SCIENTIST, VIEWER
from tests.runs_world import RunsWorld, awkward


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, mlflow_template: Path) -> RunsWorld:
    home = tmp_path_factory.mktemp("runs")
    shutil.copyfile(mlflow_template, home / "mlflow.db")
    made = awkward(f"sqlite:///{home / 'mlflow.db'}", home / "artifacts")
    fill(made.path, 260)
    return made


@pytest.fixture
def runs(world: RunsWorld, house: Services, monkeypatch: pytest.MonkeyPatch) -> ExperimentService:
    """The page's services read this world's MLflow from its database."""
    context = replace(house.context, settings=replace(house.context.settings, mlflow_database=world.uri))
    made = ExperimentService(context)
    monkeypatch.setattr(session, "services", lambda: replace(house, experiments=made))
    return made


@pytest.fixture
def remote(world: RunsWorld, house: Services, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ExperimentService:
    """The same MLflow behind its API: no database that may be read."""
    settings = replace(house.context.settings, mlflow_is_ours=False, home=tmp_path)
    made = ExperimentService(replace(house.context, settings=settings))
    made._reader.client = MlflowRuns(world.uri)
    made._reader.indexer._pages = RunPages(world.uri)
    monkeypatch.setattr(session, "services", lambda: replace(house, experiments=made))
    return made


def test_while_the_index_is_filled_the_page_counts_and_shows_what_is_there(
    remote: ExperimentService, open_page: OpenPage
) -> None:
    page = open_page("experiments", "viewer", exp="0")
    assert not page.exception
    assert "200 runs so far, the newest first" in words(page)
    assert "Default · 200 runs" in words(page)


def test_an_index_that_cannot_be_refreshed_says_its_age_and_why(
    remote: ExperimentService, world: RunsWorld, open_page: OpenPage
) -> None:
    remote._reader.indexer.fill(world.experiment)
    remote._reader.indexer._pages = RunPages("http://127.0.0.1:9")
    remote._reader.indexer.open(world.experiment, again=True)
    page = open_page("experiments", "viewer", exp=world.experiment)
    assert not page.exception
    assert "Runs as of just now. MLflow at http://127.0.0.1:9 does not answer" in words(page)
    assert "sweep · 9 runs" in words(page)


def test_while_histories_are_read_the_page_counts_and_shows_no_other_value_in_their_place(
    remote: ExperimentService, open_page: OpenPage
) -> None:
    remote._reader.whole("0")
    page = open_page("experiments", "viewer", exp="0", cols='["metrics.m00"]', red='{"m00": "min"}', tab="parallel")
    assert not page.exception
    assert " of 260 histories of m00 so far, the newest first" in words(page)
    remote._reader.whole("0", ["m00"])
    page = open_page("experiments", "viewer", exp="0", cols='["metrics.m00"]', red='{"m00": "min"}', tab="parallel")
    assert "histories of m00" not in words(page)


def test_curves_that_are_still_read_are_counted_and_those_that_cannot_be_are_said(
    remote: ExperimentService, world: RunsWorld, open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    remote._reader.whole(world.experiment)
    with monkeypatch.context() as another_page_reads:
        another_page_reads.setattr(Indexer, "_read_for_page", lambda *_: "")
        page = open_page("experiments", "viewer", exp=world.experiment)
        assert not page.exception
        assert "The curves of 0 of 6 runs are there." in words(page)
    remote._reader.indexer._pages = RunPages("http://127.0.0.1:9")
    page = open_page("experiments", "viewer", exp=world.experiment)
    assert not page.exception
    assert "The curves of valid_auc cannot be read now" in words(page)
    assert "MLflow at http://127.0.0.1:9 does not answer" in words(page)


def test_a_viewer_opens_shared_views_and_keeps_none(
    runs: ExperimentService, world: RunsWorld, open_page: OpenPage
) -> None:
    view = runs.save_view(SCIENTIST, "only six", {"exp": world.experiment, "q": "params.depth = '6'"}, shared=True)
    page = open_page("experiments", "viewer", saved=view.id)
    assert not page.exception
    assert "sweep · 4 of 9 runs" in words(page)
    by_key = {one.key: one for one in page.button}
    assert by_key["view-save"].disabled
    assert "Needs the role scientist" in by_key["view-save"].help
    assert f"view-change-{view.id}" not in by_key
    assert [one.proto.popover.label for one in page.get("popover") if "only six" in one.proto.popover.label]


def test_a_link_to_a_view_of_somebody_else_says_so_and_the_page_stands(
    runs: ExperimentService, world: RunsWorld, open_page: OpenPage
) -> None:
    own = runs.save_view(SCIENTIST, "mine", {"exp": world.experiment, "q": "params.depth = '6'"})
    page = open_page("experiments", "viewer", saved=own.id)
    assert not page.exception
    assert [one.value for one in page.warning] == [
        "This saved view does not exist, or is not shared. Ask its owner to share it."
    ]
    assert "only six" not in words(page)


def test_notes_stand_under_the_runs_they_are_about(
    runs: ExperimentService, world: RunsWorld, open_page: OpenPage
) -> None:
    pair = [world.ids["depth-3-seed-1"], world.ids["depth-6-seed-1"]]
    runs.write_note(SCIENTIST, pair, "<b>Deeper</b> is not better here.")
    page = open_page("experiments", "viewer", exp=world.experiment, runs=",".join(pair[::-1]))
    assert not page.exception
    assert "&lt;b&gt;Deeper&lt;/b&gt; is not better here." in words(page)
    other = open_page("experiments", "viewer", exp=world.experiment, runs=f"{pair[0]},{world.ids['child']}")
    assert "is not better here" not in words(other)
    assert runs.kept(VIEWER, pair).notes


def test_several_experiments_are_picked_beside_the_first(
    runs: ExperimentService, world: RunsWorld, open_page: OpenPage
) -> None:
    page = open_page("experiments", "viewer", exp=f"{world.experiment},{world.other}")
    assert not page.exception
    assert "sweep, other · 10 runs" in words(page)
    page.multiselect(key="exp-beside").set_value([]).run()
    assert not page.exception
    assert "sweep · 9 runs" in words(page)
