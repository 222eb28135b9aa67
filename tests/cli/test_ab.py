"""`mlops-dash ab`: the public JSON, the defaults, clusters and covariates, and refusals in one sentence."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mlops_dash import cli
from mlops_dash.settings import app_root

Run = Callable[..., tuple[int, str, str]]
PUBLISHED = str(app_root() / "data" / "black_politicians.parquet")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MLOPS_DASH_HOME", str(tmp_path / "home"))
    return tmp_path


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def call(*words: str) -> tuple[int, str, str]:
        code = cli.main(["ab", *words])
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


@pytest.fixture
def file(home: Path) -> str:
    rng = np.random.default_rng(3)
    n = 900
    arm = rng.choice(["control", "green", "blue"], n)
    before = rng.gamma(2.0, 10.0, n)
    spent = before + rng.normal(0, 3, n) + 1.5 * (arm == "green")
    frame = pd.DataFrame({"arm": arm, "spent": spent, "before": before, "visits": rng.integers(1, 9, n)})
    frame["team"] = frame.index % 30
    frame.loc[frame.index[:7], "spent"] = np.nan
    frame.to_csv(home / "rows.csv", index=False)
    return str(home / "rows.csv")


def answer(run: Run, *words: str) -> dict:
    code, out, error = run(*words, "--json")
    assert (code, error) == (0, "")
    return json.loads(out)


def test_the_published_experiment_by_its_known_numbers(run: Run) -> None:
    found = answer(run, PUBLISHED, "--variant", "treat_out", "--metric", "responded")
    assert (found["kind"], found["control"], found["clusters"], found["cuped"]) == ("proportion", "0", None, None)
    assert [(one["name"], one["n"], round(one["mean"], 3)) for one in found["arms"]] == [
        ("0", 2_814, 0.555),
        ("1", 2_779, 0.289),
    ]
    effect = found["effects"][0]
    assert effect["absolute"]["value"] == pytest.approx(-0.26613, abs=1e-5)
    assert effect["absolute"]["low"] == pytest.approx(-0.29106, abs=1e-5)
    assert effect["always_valid"]["low"] < effect["absolute"]["low"]
    assert effect["probability_better"] < 1e-6
    assert found["srm"]["p_value"] == pytest.approx(0.6398, abs=1e-4)
    assert found["verdict"] == "stop_harm"


def test_lower_can_be_the_better_side(run: Run) -> None:
    found = answer(run, PUBLISHED, "--variant", "treat_out", "--metric", "responded", "--lower-is-better")
    assert found["verdict"] == "ship"
    assert found["effects"][0]["probability_better"] > 0.999


def test_three_arms_a_covariate_and_missing_outcomes(run: Run, file: str) -> None:
    plain = answer(run, file, "--variant", "arm", "--metric", "spent")
    assert [one["name"] for one in plain["arms"]] == ["control", "blue", "green"]
    assert sum(one["n_missing"] for one in plain["arms"]) == 7
    assert plain["verdict"] == "keep"
    adjusted = answer(run, file, "--variant", "arm", "--metric", "spent", "--covariate", "before")
    assert adjusted["cuped"]["variance_reduction"] == pytest.approx(0.95, abs=0.03)
    assert (adjusted["verdict"], adjusted["reason"][:5]) == ("ship", "green")
    for one in adjusted["effects"]:
        assert one["adjusted_p"] >= one["p_value"]


def test_ratios_quantiles_and_clusters(run: Run, file: str) -> None:
    ratio = answer(run, file, "--variant", "arm", "--metric", "spent/visits")
    assert ratio["kind"] == "ratio"
    p90 = answer(run, file, "--variant", "arm", "--metric", "spent", "--q", "0.9")
    assert (p90["kind"], p90["arms"][0]["mean"] > ratio["arms"][0]["mean"]) == ("quantile", True)
    clustered = answer(run, file, "--variant", "arm", "--metric", "spent", "--cluster", "team")
    assert clustered["clusters"] == 30
    assert "both arms" in clustered["effects"][0]["method"]


def test_few_clusters_in_one_arm_each_are_relabelled(run: Run, home: Path) -> None:
    rng = np.random.default_rng(1)
    school = np.repeat(np.arange(14), 20)
    frame = pd.DataFrame({"arm": np.where(school < 7, "a", "b"), "school": school, "y": rng.normal(school % 7, 1)})
    frame.to_parquet(home / "schools.parquet")
    found = answer(run, str(home / "schools.parquet"), "--variant", "arm", "--metric", "y", "--cluster", "school")
    assert "7 clusters in an arm: p by relabelling the clusters." in found["warnings"]
    assert found["srm"]["p_value"] == 1.0  # 7 schools against 7
    assert found["effects"][0]["p_value"] > 0.3


def test_too_few_clusters_give_no_number(run: Run, home: Path) -> None:
    frame = pd.DataFrame({"arm": ["a"] * 40 + ["b"] * 40, "school": np.repeat(range(8), 10), "y": range(80)})
    frame.to_csv(home / "few.csv")
    found = answer(run, str(home / "few.csv"), "--variant", "arm", "--metric", "y", "--cluster", "school")
    assert found["verdict"] == "not_computable"
    assert found["effects"][0]["absolute"]["low"] is None
    assert "at least 5 needed" in found["reason"]


def test_arms_that_were_not_filled_as_planned_are_invalid(run: Run, home: Path) -> None:
    frame = pd.DataFrame({"arm": ["control"] * 600 + ["new"] * 400, "y": [0, 1] * 500})
    frame.to_csv(home / "odd.csv")
    assert answer(run, str(home / "odd.csv"), "--variant", "arm", "--metric", "y")["verdict"] == "invalid_srm"


def test_the_sentence_for_people(run: Run, file: str) -> None:
    code, out, _ = run(file, "--variant", "arm", "--metric", "spent", "--covariate", "before")
    assert code == 0
    assert out.startswith("ship: green is better than the control.\n")
    assert "sample ratio     p = " in out
    assert "Traceback" not in out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--variant", "nobody", "--metric", "spent"), "no column 'nobody'"),
        (("--variant", "arm", "--metric", "spent", "--control", "red"), "No arm is called 'red'"),
        (("--variant", "arm", "--metric", "spent", "--kind", "ratio"), "NUM/DEN"),
        (("--variant", "arm", "--metric", "spent", "--kind", "proportion"), "values 0 and 1"),
        (("--variant", "arm", "--metric", "arm"), "not of numbers"),
        (("--variant", "arm", "--metric", "spent", "--alpha", "2"), "Alpha"),
        (("--variant", "arm", "--metric", "spent", "--q", "0.5", "--cluster", "team"), "quantile with clusters"),
        (("--variant", "before", "--metric", "spent"), "the most is 20"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_2(run: Run, file: str, words: tuple[str, ...], said: str) -> None:
    code, out, error = run(file, *words)
    assert (code, out, error.count("\n")) == (2, "", 1)
    assert said in error


def test_a_file_that_is_not_there(run: Run, home: Path) -> None:
    code, _, error = run(str(home / "none.csv"), "--variant", "a", "--metric", "b")
    assert code == 2
    assert "There is no file" in error


def table(home: Path, **columns: list) -> str:
    pd.DataFrame(columns).to_csv(home / "t.csv", index=False)
    return str(home / "t.csv")


def test_a_planned_split_is_no_mismatch_and_another_plan_is(run: Run, home: Path) -> None:
    path = table(home, arm=["control"] * 900 + ["new"] * 100, bought=[0, 1] * 500)
    words = (path, "--variant", "arm", "--metric", "bought", "--shares")
    planned = answer(run, *words, "control=.9,new=.1")
    assert planned["srm"] == {
        "p_value": 1.0, "drawn": {"control": 900, "new": 100}, "shares": {"control": 0.9, "new": 0.1},
    }  # fmt: skip
    assert answer(run, *words, "control=9,new=1")["srm"]["p_value"] == 1
    assert answer(run, *words, "control=80%,new=20%")["verdict"] == "invalid_srm"
    for wrong in ("control=.9", "control=.9,green=.1", "control=.9,new=0", "control", "new=nan,control=1"):
        code, _, said = run(*words, wrong)
        assert code == 2, wrong
        assert "planned share" in said


@pytest.mark.parametrize("names", [("None", "email"), ("NA", "nan"), ("01", "1"), ("007", "7"), ("null", "N/A")])
def test_words_and_zeros_are_names_and_only_an_empty_cell_is_missing(
    run: Run, home: Path, names: tuple[str, str]
) -> None:
    path = table(home, arm=[*names] * 200 + [""] * 3, bought=[0, 1, 1, 0] * 100 + [1] * 3)
    found = answer(run, path, "--variant", "arm", "--metric", "bought")
    assert {one["name"]: one["n"] for one in found["arms"]} == dict.fromkeys(names, 200)
    assert found["warnings"][0] == "3 rows without a variant are left out."


def test_a_country_called_na_is_a_cluster(run: Run, home: Path) -> None:
    countries = ["NA", "ZM", "UG", "KE", "ET", "NG", "01", "1"]
    path = table(home, country=countries * 50, arm=(["a"] * 8 + ["b"] * 8) * 25, spend=list(range(400)))
    found = answer(run, path, "--variant", "arm", "--metric", "spend", "--cluster", "country")
    assert found["clusters"] == 8


def test_a_column_with_a_slash_is_a_column_and_a_ratio_of_such_columns_is_found(run: Run, home: Path) -> None:
    values = [1.5, 2.5, 3.5, 4.5]
    columns = {"arm": ["a", "b"] * 100, "spend/visit": values * 50, "visit": [1, 2] * 100, "spend": values * 50}
    path = table(home, **columns)
    assert answer(run, path, "--variant", "arm", "--metric", "spend/visit")["kind"] == "mean"
    assert answer(run, path, "--variant", "arm", "--metric", "spend/visit", "--kind", "ratio")["kind"] == "ratio"
    assert answer(run, path, "--variant", "arm", "--metric", "spend/visit/visit")["kind"] == "ratio"


def test_none_against_all_is_clearly_different(run: Run, home: Path) -> None:
    path = table(home, arm=["a"] * 500 + ["b"] * 500, opened=[0] * 500 + [1] * 500)
    found = answer(run, path, "--variant", "arm", "--metric", "opened")
    (effect,) = found["effects"]
    assert found["verdict"] == "ship"
    assert effect["p_value"] < 1e-100
    assert effect["absolute"]["low"] > 0.98
    assert effect["probability_better"] > 0.999
    nothing = table(home, arm=["a", "b"] * 500, opened=[0] * 1_000)
    found = answer(run, nothing, "--variant", "arm", "--metric", "opened")
    assert (found["verdict"], found["effects"][0]["p_value"]) == ("keep", 1)


def test_means_without_any_spread_are_different_by_construction(run: Run, home: Path) -> None:
    path = table(home, arm=["a"] * 50 + ["b"] * 50, price=[5] * 50 + [7] * 50)
    found = answer(run, path, "--variant", "arm", "--metric", "price")
    assert found["verdict"] == "not_computable"
    assert found["reason"].startswith("different by construction: 7 in every unit of one arm, 5 in every unit of")
    assert found["effects"][0]["absolute"] == {"value": 2, "low": None, "high": None}


def test_units_in_two_arms_are_counted_named_and_left_out(run: Run, home: Path) -> None:
    ids = [f"{at:03d}" for at in range(200)]
    path = table(home, who=[*ids, "007", "012"], arm=["a", "b"] * 100 + ["a", "a"], spend=list(range(202)))
    found = answer(run, path, "--variant", "arm", "--metric", "spend", "--unit", "who")
    assert "1 unit is in two arms (007): left out with all 2 rows." in found["warnings"]
    assert found["srm"]["drawn"] == {"a": 100, "b": 99}
    assert found["clusters"] == 199  # unit 012 has two rows of one arm


def test_clusters_drawn_whole_leave_when_a_few_are_in_two_arms(run: Run, home: Path) -> None:
    schools = [f"s{at // 20:02d}" for at in range(800)]
    arm = ["a" if at // 20 % 2 else "b" for at in range(800)]
    arm[0] = "a"
    path = table(home, school=schools, arm=arm, score=[at % 7 for at in range(800)])
    found = answer(run, path, "--variant", "arm", "--metric", "score", "--cluster", "school")
    assert found["warnings"] == ["1 cluster is in two arms (s00): left out with all 20 rows."]
    assert found["srm"]["drawn"] == {"a": 20, "b": 19}  # schools, not pupils


def test_clusters_that_hold_both_arms_by_design_stay(run: Run, home: Path) -> None:
    path = table(home, school=[f"s{at // 20}" for at in range(800)], arm=["a", "b"] * 400, score=[1, 2, 4, 3] * 200)
    found = answer(run, path, "--variant", "arm", "--metric", "score", "--cluster", "school")
    assert found["warnings"] == []
    assert found["srm"]["drawn"] == {"a": 400, "b": 400}


def test_several_metrics_are_read_at_once_each_as_it_would_be_alone(run: Run, file: str) -> None:
    words = (file, "--variant", "arm", "--metric", "spent")
    both = answer(run, *words, "--metric", "spent/visits", "--covariate", "before")
    assert both["metrics"] == [
        answer(run, *words, "--covariate", "before"),
        answer(run, file, "--variant", "arm", "--metric", "spent/visits"),
    ]
    named = answer(run, *words, "--metric", "visits", "--covariate", "visits=before")
    assert [one["cuped"] is None for one in named["metrics"]] == [True, False]
    code, out, _ = run(*words, "--metric", "visits")
    assert code == 0
    assert out.startswith("spent (mean)\n")
    assert out.endswith("Each metric is judged for itself: decide by the one that was named before the start.\n")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--metric", "spent", "--metric", "spent"), "named twice"),
        (("--metric", "spent", "--covariate", "before", "--covariate", "visits"), "Two covariates"),
        (("--metric", "spent/visits", "--covariate", "before"), "cannot adjust a ratio"),
        (("--metric", "spent", "--covariate", "spent=nobody"), "no column 'nobody'"),
    ],
)
def test_metrics_that_cannot_be_asked_together(run: Run, file: str, words: tuple[str, ...], said: str) -> None:
    code, out, error = run(file, "--variant", "arm", *words)
    assert (code, out) == (2, "")
    assert said in error


def test_rare_outcomes_in_unequal_arms_wait_for_their_skew(run: Run, home: Path) -> None:
    path = table(home, arm=["a"] * 900 + ["b"] * 100, bought=([1] + [0] * 99) * 10)
    found = answer(run, path, "--variant", "arm", "--metric", "bought", "--shares", "a=9,b=1")
    assert "b: no always-valid interval below 1,941 units an arm." in found["warnings"]
