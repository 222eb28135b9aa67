"""The Experiments page: filter, clicks, tray, baseline, pictures, drawer; and its faces without MLflow or runs."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from app.shell import session
from mlops_dash.bootstrap import Services
from mlops_dash.services.experiments import ExperimentService
from tests.app.conftest import OpenPage, words
from tests.runs_world import ODD, RunsWorld, awkward


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, mlflow_template: Path) -> RunsWorld:
    home = tmp_path_factory.mktemp("runs")
    shutil.copyfile(mlflow_template, home / "mlflow.db")
    return awkward(f"sqlite:///{home / 'mlflow.db'}", home / "artifacts")


@pytest.fixture
def runs(world: RunsWorld, house: Services, monkeypatch: pytest.MonkeyPatch) -> RunsWorld:
    """The page's services read this world's MLflow."""
    from dataclasses import replace

    context = replace(house.context, settings=replace(house.context.settings, mlflow_database=world.uri))
    made = replace(house, experiments=ExperimentService(context))
    monkeypatch.setattr(session, "services", lambda: made)
    return world


def table(page: AppTest) -> dict[str, Any]:
    """What the table component was given."""
    (found,) = [one for one in page.get("bidi_component") if one.proto.component_name.endswith("runs_table")]
    return dict(json.loads(found.proto.json))


def asked(page: AppTest, name: str) -> str:
    """A parameter of the URL; AppTest gives what the app set as text and what the test set as a list."""
    found = page.query_params[name]
    return found if isinstance(found, str) else found[0]


def names(page: AppTest) -> list[str]:
    return [row["name"] for row in table(page)["rows"]]


def test_the_best_run_stands_first_and_every_number_says_what_it_is(runs: RunsWorld, open_page: OpenPage) -> None:
    page = open_page("experiments", "viewer")
    said = words(page)
    assert not page.exception
    assert "sweep · 9 runs" in said
    assert "best valid_auc 0.6630" in said
    assert names(page)[:3] == ["depth-6-seed-3", "depth-6-seed-2", "depth-6-seed-1"]
    by_name = {row["name"]: row for row in table(page)["rows"]}
    assert [one["text"] for one in by_name["broken"]["cells"][:2]] == ["NaN", "∞"]
    assert by_name["broken"]["flag_text"] == "Failed"
    assert by_name["empty"]["cells"][0] == {"text": "—", "odd": True, "hint": "valid_auc was not logged"}
    assert [one["label"] for one in table(page)["columns"]][-3:] == ["Status", "Started", "Took"]
    assert by_name["depth-6-seed-3"]["cells"][-1]["text"] == "1 min"


def test_the_url_holds_filter_order_tray_and_baseline(runs: RunsWorld, open_page: OpenPage) -> None:
    tray = [runs.ids["depth-3-seed-1"], runs.ids["depth-6-seed-1"]]
    page = open_page(
        "experiments", "viewer", exp=runs.experiment, q="params.depth = '6'", sort="params.seed", runs=",".join(tray),
        base=tray[0],
    )  # fmt: skip
    assert names(page) == ["depth-6-seed-1", "depth-6-seed-2", "depth-6-seed-3", "child"]
    assert page.multiselect(key="tray-pick").value == tray
    assert page.selectbox(key="base-pick").value == tray[0]
    first = table(page)["rows"][0]
    assert first["ticked"] == "all"
    delta = first["cells"][0]
    assert (delta["text"], delta["delta"], delta["verdict"]) == ("0.66100", "+0.03000 ▲", "better")
    worse = first["cells"][1]
    assert (worse["delta"], worse["verdict"]) == ("+0.030 ▼", "worse")  # the log-loss rose


def test_a_filter_that_does_not_parse_says_where_and_the_table_stays(runs: RunsWorld, open_page: OpenPage) -> None:
    page = open_page("experiments", "viewer", q="params.depth = '6'")
    page.text_input(key="q-text").set_value("params.depth < 6").run()
    assert r"Position 14, at “\<”: expected =, !=, LIKE, ILIKE" in page.error[0].value
    assert len(names(page)) == 4
    page.text_input(key="q-text").set_value("metrics.valid_auc > 0.9").run()
    assert not page.error
    assert "No run matches" in words(page)
    page.button(key="runs-clear").click().run()
    assert len(names(page)) == 9


def test_the_filters_example_is_of_these_runs_and_an_unknown_key_gets_the_ones_there_are(
    runs: RunsWorld, open_page: OpenPage
) -> None:
    page = open_page("experiments", "viewer", exp=runs.experiment)
    hint = page.text_input(key="q-text").placeholder
    assert hint.startswith("metrics.valid_auc >= ")
    asked_for = hint.split("   or paste ")[0]
    assert names(open_page("experiments", "viewer", exp=runs.experiment, q=asked_for))
    page = open_page("experiments", "viewer", exp=runs.experiment, q="metrics.auc > 0.5")
    assert "No run has metrics.auc. Try metrics.valid_auc" in words(page)


def test_a_pasted_address_opens_the_run_in_its_experiment(runs: RunsWorld, open_page: OpenPage) -> None:
    page = open_page("experiments", "viewer")
    address = f"http://127.0.0.1:5000/#/experiments/{runs.other}/runs/{runs.ids['elsewhere']}"
    page.text_input(key="q-text").set_value(address).run()
    assert "other · 1 run" in words(page)
    assert asked(page, "exp") == runs.other
    assert asked(page, "run") == runs.ids["elsewhere"]
    assert asked(page, "runs") == runs.ids["elsewhere"]
    page.text_input(key="q-text").set_value("runs:/" + "0" * 32).run()
    assert "not in MLflow, or was deleted" in page.error[0].value


def test_clicks_narrow_and_the_tray_survives_them(runs: RunsWorld, open_page: OpenPage) -> None:
    page = open_page("experiments", "viewer", runs=runs.ids["depth-6-seed-2"])
    pills = {one.label: one for one in page.get("button_group")}
    pills["depth"].set_value(["3"]).run()
    assert set(names(page)) == {"depth-3-seed-1", "depth-3-seed-2", "depth-3-seed-3", "broken"}
    assert json.loads(asked(page, "p")) == {"depth": ["3"]}
    {one.label: one for one in page.get("button_group")}["Status"].set_value(["FAILED"]).run()
    assert names(page) == ["broken"]
    assert page.multiselect(key="tray-pick").value == [runs.ids["depth-6-seed-2"]]
    page.multiselect(key="tray-pick").set_value([runs.ids["depth-6-seed-2"], runs.ids["broken"]]).run()
    assert asked(page, "runs") == f"{runs.ids['depth-6-seed-2']},{runs.ids['broken']}"
    page.button(key="tray-clear").click().run()
    assert "runs" not in page.query_params


def test_groups_show_n_mean_and_interval(runs: RunsWorld, open_page: OpenPage) -> None:
    page = open_page("experiments", "viewer", view="groups", q="run_name LIKE 'depth-%'")
    rows, columns = table(page)["rows"], [one["label"] for one in table(page)["columns"]]
    assert columns == ["valid_auc", "valid_log_loss", "depth", "seed"]
    assert "2 configurations of 6 runs" in words(page)
    assert "Set aside because it differs in every run: out" in words(page)
    assert (rows[0]["name"], rows[0]["ids"]) == ("depth 6", [runs.ids[f"depth-6-seed-{seed}"] for seed in (3, 2, 1)])
    assert [one["text"] for one in rows[0]["cells"]] == ["0.6620", "0.5600", "6", "1, 2, 3"]
    assert rows[0]["cells"][0]["spread"] == "± 0.0025"
    assert "95 % t interval over repeats [0.6595, 0.6645]" in rows[0]["cells"][0]["hint"]


def test_a_difference_of_means_has_no_colour_that_the_seeds_do_not_support(
    runs: RunsWorld, open_page: OpenPage
) -> None:
    page = open_page(
        "experiments", "viewer", view="groups", base=runs.ids["depth-3-seed-1"], q="run_name LIKE 'depth-%'"
    )
    best, base = table(page)["rows"]
    assert base["pinned"]
    assert "delta" not in base["cells"][0]
    assert (best["cells"][0]["delta"], best["cells"][0]["verdict"]) == ("+0.0300", "")
    assert best["cells"][0]["hint"] == "Not tested: the repeats are identical: no noise to judge by"
    assert "valid_auc against the baseline" in words(page)
    assert (
        "1 configuration not tested: fewer than 3 runs a side, repeats that are equal, or judged on other rows."
        in words(page)
    )


def test_a_run_deleted_meanwhile_is_named(runs: RunsWorld, open_page: OpenPage) -> None:
    page = open_page(
        "experiments", "viewer", runs=f"{runs.ids['deleted']},{runs.ids['child']}", run=runs.ids["deleted"]
    )
    assert "1 run of this link is not in this experiment, or deleted meanwhile" in words(page)
    assert "deleted" in page.warning[0].value
    page.button(key="gone-clear").click().run()
    assert asked(page, "runs") == runs.ids["child"]


@pytest.mark.parametrize(
    ("tab", "finding"),
    [
        ("Curves", "depth-6-seed-1 ends highest: 0.6610"),
        ("Parallel", "Best valid_auc 0.6630 with depth 6"),
        ("Scatter", "valid_auc rises with depth (rank correlation"),
        ("Contour", "valid_auc is highest near depth 6 and seed 3: 0.6630, mean of 1 run"),
        ("Box", "Median valid_auc is highest at depth 6: 0.6620, against 0.6320 at 3"),
        ("Importance", "What matters for valid_auc cannot be told"),
        ("Pareto", "2 runs of 6 are beaten by no other in valid_auc and valid_log_loss at once"),
        ("Differences", "Facts that differ: 2 in parameters, 2 in metrics"),
    ],
)
def test_only_the_open_picture_is_drawn_and_its_title_is_the_finding(
    runs: RunsWorld, open_page: OpenPage, tab: str, finding: str
) -> None:
    tray = f"{runs.ids['depth-3-seed-1']},{runs.ids['depth-6-seed-1']}"
    page = open_page("experiments", "viewer", tab=tab, runs=tray, q="run_name LIKE 'depth-%'")
    assert not page.exception
    assert finding in words(page), [one for one in words(page).splitlines() if "<h2>" in one]
    charts = page.get("plotly_chart")
    assert len(charts) == (0 if tab in {"Differences", "Importance"} else 1)
    if charts:
        assert finding[:20] in charts[0].proto.alt


def test_curves_of_repeats_are_a_band(runs: RunsWorld, open_page: OpenPage) -> None:
    page = open_page("experiments", "viewer", view="groups", q="run_name LIKE 'depth-%'")
    spec = json.loads(page.get("plotly_chart")[0].proto.spec)
    assert [one.get("fill") for one in spec["data"]] == ["toself", None, "toself", None]
    assert [one["name"] for one in spec["data"] if "name" in one] == ["depth 6", "depth 3"]
    assert "mean and range of the repeats" in words(page)
    page.selectbox(key="band-pick").set_value("sd").run()
    assert "mean ± sd of the repeats" in words(page)
    assert asked(page, "band") == "sd"


def test_columns_reducers_and_directions_are_chosen_and_kept_in_the_url(runs: RunsWorld, open_page: OpenPage) -> None:
    page = open_page("experiments", "viewer")
    page.multiselect(key="cols-pick").set_value(["metrics.valid_log_loss", "tags.team"]).run()
    assert [one["label"] for one in table(page)["columns"]][:2] == ["valid_log_loss", "team"]
    page.selectbox(key="red-valid_log_loss").set_value("min").run()
    assert table(page)["columns"][0]["sub"] == "min ↓"
    page.selectbox(key="dir-valid_log_loss").set_value("up").run()
    assert table(page)["columns"][0]["sub"] == "min ↑"
    assert json.loads(asked(page, "dir")) == {"valid_log_loss": "up"}


def test_too_few_runs_rank_no_parameter(runs: RunsWorld, open_page: OpenPage) -> None:
    said = words(open_page("experiments", "viewer", tab="Importance"))
    assert "configurations are too few to rank parameters: 20 at least" in said
    assert "Permutation importance in a random forest: 7 runs of 2 configurations" in said
    assert "2 runs without a finite valid_auc left out" in said


def test_a_front_asks_which_way_is_better_where_nobody_knows(runs: RunsWorld, open_page: OpenPage) -> None:
    page = open_page(
        "experiments", "viewer", tab="Pareto", dir='{"valid_auc":"none"}', pf='["valid_auc","valid_log_loss"]'
    )
    assert "Say of valid_auc which way is better." in words(page)
    assert not page.get("plotly_chart")
    page.selectbox(key="pw-valid_auc").set_value("down").run()
    assert json.loads(asked(page, "dir")) == {"valid_auc": "down"}
    assert len(page.get("plotly_chart")) == 1
    page.multiselect(key="pf-pick").set_value(["valid_auc"]).run()
    assert "Choose a second metric." in words(page)


def test_the_same_parameter_and_metric_with_every_sign_works_in_all_pictures(
    runs: RunsWorld, open_page: OpenPage
) -> None:
    for tab in ("Curves", "Scatter", "Contour", "Box", "Importance", "Pareto"):
        page = open_page("experiments", "viewer", tab=tab, m=ODD, pf=json.dumps([ODD, "valid_auc"]), by="params.depth",
                         cols=json.dumps([f"metrics.{ODD}", "params.learning rate"]), sort=f"-metrics.{ODD}",
                         q=f"metrics.`{ODD}` < 0", red=json.dumps({ODD: "min"}))  # fmt: skip
        assert not page.exception
        assert names(page) == ["broken"]
        assert table(page)["rows"][0]["cells"][0]["text"] == "−∞"
        assert table(page)["columns"][0]["label"] == ODD


def test_a_metric_at_one_step_says_where_a_run_has_none(runs: RunsWorld, open_page: OpenPage) -> None:
    page = open_page("experiments", "viewer")
    page.selectbox(key="red-valid_auc").set_value("at").run()
    assert json.loads(asked(page, "red")) == {"valid_auc": "at 0"}
    page.number_input(key="step-valid_auc").set_value(1).run()
    assert json.loads(asked(page, "red")) == {"valid_auc": "at 1"}
    assert table(page)["columns"][0]["sub"] == "step 1 ↑"
    cells = {row["name"]: row["cells"][0] for row in table(page)["rows"]}
    assert cells["depth-6-seed-1"]["text"] == "0.7110"
    assert cells["broken"]["text"] == "NaN"
    assert cells["child"]["hint"] == "valid_auc was not logged at step 1"
    assert "7 of 9 runs have a number" not in table(page)["columns"][0]["hint"]
    assert "6 of 9 runs have a number (1 NaN, 2 not logged)" in table(page)["columns"][0]["hint"]


def test_best_without_a_direction_is_no_secret_last_value(runs: RunsWorld, open_page: OpenPage) -> None:
    page = open_page("experiments", "viewer", red='{"valid_auc":"best"}', dir='{"valid_auc":"none"}')
    assert table(page)["columns"][0]["sub"] == "last"
    assert "nobody said yet which way is better" in table(page)["columns"][0]["hint"]


def test_pinned_columns_come_first_and_are_marked(runs: RunsWorld, open_page: OpenPage) -> None:
    page = open_page("experiments", "viewer", pin='["params.seed"]')
    columns = table(page)["columns"]
    assert [one["label"] for one in columns][:3] == ["seed", "valid_auc", "valid_log_loss"]
    assert [one["pinned"] for one in columns][:2] == [True, False]
    assert [one["movable"] for one in columns][-2:] == [False, False]


def test_installed_packages_are_a_block_of_the_differences(
    runs: RunsWorld, open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlops_dash.services.experiments.reading import RunReader

    found = {runs.ids["depth-3-seed-1"]: {"python": "3.11.9", "numpy": "2.1.0"},
             runs.ids["depth-6-seed-1"]: {"python": "3.11.9", "numpy": "2.2.0"}}  # fmt: skip
    monkeypatch.setattr(RunReader, "packages", lambda self, run_id: found[run_id])
    page = open_page("experiments", "viewer", tab="Differences", runs=",".join(found))
    assert "Environment" not in words(page)
    page.toggle(key="env-pick").set_value(True).run()
    assert asked(page, "env") == "1"
    assert "Environment <span>1 of 2 differ" in words(page)
    assert "<b>2.2.0</b>" in words(page)


def test_without_mlflow_the_other_differences_stay(runs: RunsWorld, open_page: OpenPage) -> None:
    tray = f"{runs.ids['depth-3-seed-1']},{runs.ids['depth-6-seed-1']}"
    page = open_page("experiments", "viewer", tab="Differences", runs=tray, env="1")
    assert "The installed packages cannot be read now: MLflow at http://127.0.0.1:9 does not answer" in words(page)
    assert "Facts that differ: 2 in parameters" in words(page)


def test_one_run_opens_in_a_drawer_even_when_its_files_cannot_be_listed(runs: RunsWorld, open_page: OpenPage) -> None:
    page = open_page("experiments", "viewer", run=runs.ids["broken"])
    said = words(page)
    assert not page.exception
    assert runs.ids["broken"] in said
    assert "NaN" in said
    assert "The files cannot be listed now: MLflow at http://127.0.0.1:9 does not answer" in said
    page.button(key="run-compare").click().run()
    assert asked(page, "runs") == runs.ids["broken"]
    assert "run" not in page.query_params


def test_an_experiment_without_runs_says_how_to_make_one(runs: RunsWorld, open_page: OpenPage) -> None:
    assert "Default has no runs yet" in words(open_page("experiments", "viewer", exp="0"))
    assert "Experiment 77 is not in MLflow" in words(open_page("experiments", "viewer", exp="77"))


def test_without_mlflow_an_error_says_the_next_step(house: Services, open_page: OpenPage) -> None:
    page = open_page("experiments", "viewer")
    assert "does not answer" in words(page)
    assert "MLFLOW_TRACKING_URI" in words(page)


def test_nonsense_in_the_url_is_left_out(runs: RunsWorld, open_page: OpenPage) -> None:
    page = open_page(
        "experiments", "viewer", runs="'; DROP TABLE", base="x", p="{", cols='{"a":1}', red="[1]",
        dir='{"valid_auc":"sideways"}', pg="-3", tab="Nothing", sort="metrics.nothing", m="nope", smooth="Very",
        st="WHAT",
    )  # fmt: skip
    assert not page.exception
    assert "No run matches" in words(page)  # of status WHAT


def test_curves_of_runs_that_were_judged_on_other_rows_crown_nobody(runs: RunsWorld, open_page: OpenPage) -> None:
    tray = f"{runs.ids['depth-3-seed-1']},{runs.ids['depth-3-seed-2']}"
    said = words(open_page("experiments", "viewer", runs=tray, dt="team"))  # the tag that names the evaluation data
    assert "valid_auc ends between 0.6310 and 0.6320" in said
    assert "ends highest" not in said
    assert "ends highest" in words(open_page("experiments", "viewer", runs=tray))
