"""What names propose: which way is better, and which parameter tells repeats apart; people may say otherwise."""

from __future__ import annotations

import pandas as pd
import pytest

from mlops_dash.domain.evidence import Direction
from mlops_dash.domain.experiments.frame import Reducer, numbers, order, proposed_direction
from mlops_dash.domain.experiments.groups import proposed_key
from mlops_dash.domain.experiments.room import RunQuery, column

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


@pytest.mark.parametrize(
    ("values", "rising", "falling"),
    [
        (["4", "16", "None", "8", "100"], ["4", "8", "16", "100", "None"], ["100", "16", "8", "4", "None"]),
        (["0.5", "nan", "0.25", "10", "2"], ["0.25", "0.5", "2", "10", "nan"], ["10", "2", "0.5", "0.25", "nan"]),
        (["sqrt", "9", "auto", "10"], ["9", "10", "auto", "sqrt"], ["10", "9", "sqrt", "auto"]),
        (["10", None, "inf", "9", "None"], ["9", "10", "inf", "None", None], ["inf", "10", "9", "None", None]),
    ],
)
def test_numbers_sort_as_numbers_beside_words(
    values: list[str | None], rising: list[str | None], falling: list[str | None]
) -> None:
    column = pd.Series(values, dtype=object)
    assert [values[at] for at in order(column, descending=False)] == rising
    assert [values[at] for at in order(column, descending=True)] == falling


def test_a_word_for_nothing_leaves_a_column_of_numbers_and_another_word_does_not() -> None:
    found = numbers(pd.Series(["4", "None", "16"], dtype=object))
    assert found is not None
    assert found.tolist()[::2] == [4, 16]
    assert numbers(pd.Series(["4", "sqrt", "16"], dtype=object)) is None
    assert numbers(pd.Series(["None", "nan"], dtype=object)) is None
