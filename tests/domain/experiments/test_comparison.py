"""The table of designs: what is recorded decides the test, and the test decides what may be said."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from mlops_dash.domain.evidence import Direction
from mlops_dash.domain.experiments.comparability import EVALUATION_TAG, Meaning
from mlops_dash.domain.experiments.comparison import (
    CLAIMS,
    LOOKS,
    Design,
    DesignRead,
    Outcome,
    conclude,
    of_rows,
    read_design,
)
from mlops_dash.domain.experiments.comparison_words import method, need, sentence
from mlops_dash.domain.experiments.frame import INFO, RunFrame
from mlops_dash.stats.run_comparison import RunDifference

HIGHER, LOWER = Direction.HIGHER, Direction.LOWER
SPLIT = "mlops_dash.split"


def runs(evaluated: str, *, split: str = "", tags: dict[str, str] | None = None, fold: bool = False) -> RunFrame:
    """One run for each letter of `evaluated`; "-" is not recorded."""
    n = len(evaluated)
    info = pd.DataFrame({name: [f"{name}{at}" for at in range(n)] for name in INFO})
    info["datasets"] = [()] * n
    said = pd.DataFrame({EVALUATION_TAG: [None if one == "-" else one for one in evaluated]}, dtype=object)
    for name, value in {**(tags or {}), **({SPLIT: split} if split else {})}.items():
        said[name] = value
    params = pd.DataFrame({"fold": list(evaluated)}, dtype=object) if fold else pd.DataFrame(index=range(n))
    none = pd.DataFrame(index=range(n))
    return RunFrame(info, none, np.zeros((n, 0), dtype=bool), params, said)


def design(a: RunFrame, b: RunFrame, *, rows_kept: bool = False) -> DesignRead:
    return read_design(a, b, rows_kept=rows_kept, means=Meaning())


def test_kept_rows_make_a_claim_about_models_or_with_three_seeds_about_the_recipe() -> None:
    assert design(runs("a"), runs("a"), rows_kept=True).design is Design.SAME_ROWS
    assert design(runs("aaaa"), runs("aa"), rows_kept=True).design is Design.SAME_ROWS
    assert design(runs("aaa"), runs("aaa"), rows_kept=True).design is Design.SEEDS_ROWS


@pytest.mark.parametrize("evaluated", ["aaa", "---", "aa-"])
def test_one_split_or_an_unknown_one_has_the_weak_claim(evaluated: str) -> None:
    found = design(runs(evaluated), runs(evaluated))
    assert (found.design, found.pair_by) == (Design.SEEDS, "seed")


def test_folds_are_read_from_the_split_or_a_parameter() -> None:
    found = design(runs("abcde", split="kfold-5"), runs("abcde", split="kfold-5"))
    assert (found.design, found.test_over_train) == (Design.FOLDS, 0.25)
    by_parameter = design(runs("abcd", fold=True), runs("abcd", fold=True))
    assert by_parameter.design is Design.FOLDS
    assert by_parameter.test_over_train == pytest.approx(1 / 3)
    ten = design(runs("abc", split="cv-10"), runs("abc", split="cv-10"))
    assert ten.test_over_train == pytest.approx(1 / 9)


def test_random_splits_need_their_share() -> None:
    share = design(runs("abc", split="resplit-0.2"), runs("abc", split="resplit-0.2"))
    assert share.design is Design.RESPLITS
    assert share.test_over_train == pytest.approx(0.25)
    counted = {"mlops_dash.eval_rows": "100", "mlops_dash.train_rows": "300"}
    rows = design(runs("abc", split="shuffle", tags=counted), runs("abc", split="shuffle", tags=counted))
    assert rows.test_over_train == pytest.approx(1 / 3)
    unknown = design(runs("abc", split="random"), runs("abc", split="random"))
    assert (unknown.design, "not recorded" in unknown.why) == (Design.SEEDS, True)


def test_fresh_data_must_be_said_and_unmatched_sets_are_weak() -> None:
    assert design(runs("abc", split="fresh"), runs("def", split="fresh")).design is Design.FRESH
    assert design(runs("abc"), runs("abc")).design is Design.SEEDS
    assert design(runs("abc", split="kfold-3"), runs("abd", split="kfold-3")).design is Design.SEEDS


CLEAR, SMALL, VAGUE = (
    RunDifference(0.10, 0.01, 9.0, 0.8, 0.7), RunDifference(0.001, 0.0001, 9.0, 0.8, 0.799),
    RunDifference(0.01, 0.02, 9.0, 0.8, 0.79),
)  # fmt: skip


def outcome(
    found: RunDifference, kind: Design, *, comparable: str = "yes", direction: Direction | None = HIGHER,
    margin: float = 0.005,
) -> Outcome:  # fmt: skip
    return conclude(
        kind, comparable, found, direction=direction, margin=margin, p_adjusted=found.p_value(),
        equal_p_adjusted=found.equal_p(margin),
    )  # fmt: skip


@pytest.mark.parametrize("kind", [one for one in Design if CLAIMS[one].supports_better])
def test_strong_designs_end_in_one_of_four(kind: Design) -> None:
    assert outcome(CLEAR, kind) is Outcome.BETTER
    assert outcome(CLEAR, kind, direction=LOWER) is Outcome.WORSE
    assert outcome(SMALL, kind) is Outcome.EQUAL  # beyond chance, and within the margin
    assert outcome(SMALL, kind, margin=0.0) is Outcome.BETTER
    assert outcome(VAGUE, kind) is Outcome.CANNOT_TELL


@pytest.mark.parametrize("direction", [HIGHER, LOWER, None])
@pytest.mark.parametrize("comparable", ["yes", "no", "cannot_tell"])
@pytest.mark.parametrize("found", [CLEAR, SMALL, VAGUE])
def test_seeds_on_one_split_never_end_in_better(
    found: RunDifference, comparable: str, direction: Direction | None
) -> None:
    made = outcome(found, Design.SEEDS, comparable=comparable, direction=direction)
    assert made not in {Outcome.BETTER, Outcome.WORSE}


def test_what_is_not_comparable_or_not_known_is_never_green() -> None:
    assert outcome(CLEAR, Design.SEEDS_ROWS, comparable="no") is Outcome.CANNOT_TELL
    assert outcome(CLEAR, Design.SEEDS_ROWS, comparable="cannot_tell") is Outcome.DIFFERS
    assert outcome(CLEAR, Design.SEEDS_ROWS, direction=None) is Outcome.DIFFERS
    empty = RunDifference(math.nan, math.nan, math.nan, math.nan, math.nan, reason="fewer than 3 runs a side: no test")
    assert outcome(empty, Design.SEEDS) is Outcome.CANNOT_TELL
    assert {one: look[2] for one, look in LOOKS.items() if look[2] == "green"} == {Outcome.BETTER: "green"}


def said(made: Outcome, kind: Design, found: RunDifference = CLEAR, comparable: str = "yes") -> str:
    return sentence(made, kind, "deep", "flat", "auc", found, 0.005, digits=3, comparable=comparable)


def test_sentences_say_what_the_design_supports_and_no_more() -> None:
    assert said(Outcome.BETTER, Design.SEEDS_ROWS) == (
        "deep is better than flat: auc +0.100 [+0.077, +0.123]. The claim is about the recipe, trained on this "
        "training set."
    )
    weak = said(Outcome.DIFFERS, Design.SEEDS)
    assert "differs from flat on this test set beyond seed noise" in weak
    assert "never says better" in weak
    assert "practically equal on this test set" in said(Outcome.EQUAL, Design.SEEDS, SMALL)
    assert "inside ±0.005" in said(Outcome.EQUAL, Design.FRESH, SMALL)
    assert said(Outcome.CANNOT_TELL, Design.FRESH, comparable="no").endswith("they were not judged alike.")
    assert "not recorded" in said(Outcome.DIFFERS, Design.FRESH, comparable="cannot_tell")


def test_cannot_tell_says_how_many_runs_or_rows_would_do() -> None:
    seeds = RunDifference(0.01, 0.02, 4.0, 0.8, 0.79, error_runs=0.02, n_runs=5, n_pairs=5)
    assert "about" in need(Design.SEEDS, seeds, 0.0, unit="rows")
    assert "runs a side instead of 5 to tell a difference" in need(Design.SEEDS, seeds, 0.0, unit="rows")
    equal = RunDifference(0.001, 0.004, 4.0, 0.8, 0.79, error_runs=0.004, n_runs=5, n_pairs=5)
    assert "practically equal" in need(Design.SEEDS, equal, 0.01, unit="rows")
    rows = RunDifference(0.01, 0.02, 13.0, 0.8, 0.79, error_units=0.02, n_rows=900, n_clusters=14)
    assert "days instead of 14" in need(Design.SAME_ROWS, rows, 0.0, unit="days")
    days = [
        int(need(Design.SAME_ROWS, rows, 0.0, unit="days", n_tests=n).split("about ")[1].split()[0]) for n in (1, 3)
    ]
    assert days[0] < days[1]  # more pairs, a stricter level
    splits = RunDifference(0.0001, 0.02, 4.0, 0.8, 0.79, error_units=0.018, error_runs=0.009, n_runs=5)
    assert need(Design.RESPLITS, splits, 0.0, unit="rows").startswith("No number of further runs alone")


def test_the_method_names_test_and_unit_of_doubt() -> None:
    rows = RunDifference(0.01, 0.02, 13.0, 0.8, 0.79, error_units=0.02, n_runs=3, n_pairs=3, n_rows=900, n_clusters=14)
    words = method(Design.SEEDS_ROWS, rows, key="seed", unit="days", n_tests=2)
    assert words == (
        "mean over 3 runs a side (matched by seed), paired on 900 rows in 14 days, each left out once, plus the spread "
        "over runs; t with 13 degrees of freedom; Holm over 2 pairs"
    )
    assert method(Design.SEEDS, CLEAR, key="seed", unit="rows", n_tests=1).startswith("Welch t")
    assert "Nadeau-Bengio" in method(Design.FOLDS, CLEAR, key="", unit="rows", n_tests=1)


def test_names_of_run_metrics_that_rows_can_give() -> None:
    assert [of_rows(one) for one in ("valid_auc", "test/accuracy_score", "log_loss", "valid_f1")] == [
        "auc", "accuracy", "log_loss", "",
    ]  # fmt: skip
