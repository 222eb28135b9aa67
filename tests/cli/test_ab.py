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
