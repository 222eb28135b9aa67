"""The card "Is it real?": margin first, verdict with its facts, slices, flipped rows, files; all of it in the URL."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from app.shell import session
from mlops_dash.bootstrap import Services
from mlops_dash.services.experiments import ExperimentService
from tests.app.conftest import OpenPage, words
from tests.real_world import RealWorld, compared


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, mlflow_template: Path) -> RealWorld:
    home = tmp_path_factory.mktemp("real")
    shutil.copyfile(mlflow_template, home / "mlflow.db")
    return compared(f"sqlite:///{home / 'mlflow.db'}", home, small=True)


@pytest.fixture
def runs(world: RealWorld, house: Services, monkeypatch: pytest.MonkeyPatch) -> RealWorld:
    """The page's services read this world's MLflow."""
    settings = replace(house.context.settings, mlflow_database=world.uri, mlflow_uri=world.uri)
    made = replace(house, experiments=ExperimentService(replace(house.context, settings=settings)))
    monkeypatch.setattr(session, "services", lambda: made)
    session.forget_reads()
    return world


def compare(open_page: OpenPage, runs: RealWorld, *names: str, **params: str) -> AppTest:
    ids = [runs.ids[one] for one in names]
    page = open_page("experiments", "viewer", exp=runs.experiment, runs=",".join(ids), base=ids[-1], **params)
    assert not page.exception
    return page


def asked(page: AppTest, name: str) -> str:
    found = page.query_params[name]
    return found if isinstance(found, str) else found[0]


def test_the_card_needs_two_runs_and_asks_for_the_margin_first(runs: RealWorld, open_page: OpenPage) -> None:
    assert "Is it real?" not in words(compare(open_page, runs, "good-1"))
    page = compare(open_page, runs, "good-1", "fair-2", rm="valid_auc")
    said = words(page)
    assert "How large must a difference be to matter?" in said
    assert "is better than" not in said
    page.button(key="real-m-0.005").click().run()
    assert asked(page, "mg") == "0.005"
    said = words(page)
    assert "model good is better than model fair: valid_auc +" in said
    assert "The claim is about the recipe, trained on this training set." in said
    assert "Equal: read from every run, digest" in said
    assert "paired on 400 rows in 20 days, each left out once" in said


def test_a_margin_that_is_no_number_is_refused(runs: RealWorld, open_page: OpenPage) -> None:
    page = compare(open_page, runs, "good-1", "fair-2", rm="valid_auc", mg="0.01")
    page.text_input(key="real-margin").set_value("much").run()
    assert "“much” is no margin" in page.error[0].value
    assert asked(page, "mg") == "0.01"
    page.text_input(key="real-margin").set_value("0,002").run()
    assert asked(page, "mg") == "0.002"


def test_single_runs_and_another_metric_are_in_the_link(runs: RealWorld, open_page: OpenPage) -> None:
    page = compare(open_page, runs, "good-1", "fair-2", rm="valid_size", mg="0.01", who="runs")
    said = words(page)
    assert "fewer than 3 runs a side: no test" in said
    assert "Row predictions not used" in said
    page.selectbox(key="real-metric").set_value("valid_auc").run()
    assert asked(page, "rm") == "valid_auc"
    assert "good-1 is better than fair-2" in words(page)


def test_repeats_alone_are_offered_run_by_run(runs: RealWorld, open_page: OpenPage) -> None:
    page = compare(open_page, runs, "good-1", "good-2", rm="valid_auc", mg="0.01")
    assert "One configuration alone" in words(page)
    page.button(key="real-alone").click().run()
    assert asked(page, "who") == "runs"
    assert "good-1 and good-2 are practically equal" in words(page)


def test_the_user_names_the_tag_of_the_data_version(runs: RealWorld, open_page: OpenPage) -> None:
    page = compare(open_page, runs, "good-1", "fair-2", rm="valid_size", mg="0.01")
    page.selectbox(key="real-tag").set_value("data_version").run()
    assert asked(page, "dt") == "data_version"
    assert "Judged on the same data by the tag data_version." in words(page)


def test_why_better_slices_by_a_column_of_the_rows(runs: RealWorld, open_page: OpenPage) -> None:
    page = compare(open_page, runs, "good-1", "fair-2", rm="valid_auc", why="Why better")
    assert "slices of origin can be told from 0" in words(page)
    assert "gets half of the pair's credit" in words(page)
    page = compare(open_page, runs, "good-1", "fair-2", rm="valid_auc", why="Why better", cut="distance")
    assert "of distance" in words(page)


def test_flipped_rows_are_browsed_and_narrowed(runs: RealWorld, open_page: OpenPage) -> None:
    page = compare(open_page, runs, "good-1", "fair-1", rm="valid_auc", why="Flipped rows")
    said = words(page)
    assert "rows are right with model good alone" in said
    assert "days left out in turn; McNemar mid-p" in said
    shown = page.dataframe[-1].value
    assert list(shown.columns) == ["row", "label", "first", "other", "day", "origin", "distance"]
    page.selectbox(key="flip-column").set_value("origin").run()
    page.selectbox(key="flip-value").set_value("EWR").run()
    assert (asked(page, "fc"), asked(page, "fv")) == ("origin", "EWR")
    assert set(page.dataframe[-1].value["origin"]) == {"EWR"}
    page = compare(open_page, runs, "good-1", "fair-1", why="Flipped rows", thr="0.9")
    assert page.number_input(key="flip-cut").value == 0.9


def test_files_stand_side_by_side_with_their_errors(runs: RealWorld, open_page: OpenPage) -> None:
    page = compare(open_page, runs, "good-1", "good-2", why="Files", file="report.json")
    assert any("no JSON" in one.value for one in page.warning)
    page = compare(open_page, runs, "good-1", "good-3", why="Files", file="notes.txt")
    assert any("-seed 1\n+seed 3" in one.value for one in page.code)
    page = compare(open_page, runs, "good-1", "good-3", why="Files", file="importance.csv")
    assert "Equal in all of them" in words(page)
