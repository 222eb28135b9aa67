"""What names propose: which way is better, and which parameter tells repeats apart; people may say otherwise."""

from __future__ import annotations

import pandas as pd
import pytest

from mlops_dash.domain.evidence import Direction
from mlops_dash.domain.experiments import RunQuery, column
from mlops_dash.domain.run_groups import proposed_key
from mlops_dash.domain.runs import Reducer, proposed_direction

UP, DOWN = Direction.HIGHER, Direction.LOWER


@pytest.mark.parametrize(
    ("name", "direction"),
    [
        ("valid_auc", UP), ("test/acc", UP), ("macro avg f1", UP), ("val.r2", UP), ("eval_precision_at_10", UP),
        ("train loss", DOWN), ("cv-mae", DOWN), ("rmse_5_fold", DOWN), ("inference time", DOWN), ("error.rate", DOWN),
        ("epoch", None), ("learning_rate", None), ("timeout", None), ("auc_loss", None), ("x" * 250, None),
    ],
)  # fmt: skip
def test_well_known_words_propose_a_direction_and_others_are_asked(name: str, direction: Direction | None) -> None:
    assert proposed_direction(name) is direction
    shown = column(f"metrics.{name}", RunQuery())
    assert (shown.direction, shown.proposed) == (direction, True)


def test_what_somebody_chose_is_not_a_proposal() -> None:
    query = RunQuery(directions={"valid_auc": DOWN}, reducers={"valid_auc": Reducer.AT}, steps={"valid_auc": 40})
    shown = column("metrics.valid_auc", query)
    assert (shown.direction, shown.proposed, shown.reducer, shown.step) == (DOWN, False, Reducer.AT, 40)
    assert column("metrics.valid_auc", RunQuery(reducers={"valid_auc": Reducer.AT})).reducer is Reducer.LAST


@pytest.mark.parametrize(
    ("names", "key"),
    [
        (["depth", "seed"], "seed"), (["model.random-state", "depth"], "model.random-state"),
        (["data/cv_fold", "depth"], "data/cv_fold"), (["train.seed", "Seed"], "Seed"), (["seedling", "depth"], ""),
        (["unfold", "reps"], ""),
    ],
)  # fmt: skip
def test_the_replicate_key_is_proposed_by_its_name_or_a_word_in_it(names: list[str], key: str) -> None:
    assert proposed_key(pd.DataFrame({name: ["1", "2"] for name in names})) == key


def test_a_key_that_never_varies_is_not_proposed() -> None:
    assert proposed_key(pd.DataFrame({"seed": ["1", "1"], "fold": ["1", "2"]})) == "fold"
