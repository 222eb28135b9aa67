"""Columns of probabilities of a stranger's classes: which class is the answer, and what is refused by its row."""

from __future__ import annotations

import pandas as pd
import pytest

from mlops_dash.domain.tasks import task_named
from mlops_dash.errors import InvalidInput
from mlops_dash.services.classes import ANSWER, class_columns, scores_named, with_answers

FAST = 'it\'s the "fast" one'
SCORES = ((FAST, "p_fast"), ("007", "p_007"), ("NA", "p_na"))


def table(*rows: tuple[object, object, object]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["p_fast", "p_007", "p_na"]).assign(x=range(len(rows)))


def test_the_most_probable_class_takes_the_place_of_the_probabilities() -> None:
    made = with_answers(table((0.7, 0.2, 0.1), (0.2, 0.2, 0.6), (0.4, 0.4, 0.2), (None, 0.5, 0.5)), SCORES)
    assert made.columns.tolist() == ["x", ANSWER]
    assert made[ANSWER].tolist() == [FAST, "NA", FAST, None]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ((0.7, 0.7, 0.1), "Row 2, column 'p_fast': the probabilities sum to 1.5, not to 1"),
        ((1.2, -0.1, -0.1), "Row 2, column 'p_fast': a probability is not from 0 to 1"),
        (("high", 0.5, 0.5), "Row 2, column 'p_fast': is no finite number ('high')"),
    ],
)
def test_a_row_that_cannot_be_is_named(row: tuple[object, object, object], said: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        with_answers(table((0.7, 0.2, 0.1), row), SCORES)
    assert said in refused.value.message


@pytest.mark.parametrize("scores", [(("a", "p_a"), ("b", "p_fast")), ((FAST, "p_fast"),)])
def test_columns_that_cannot_be_are_refused(scores: tuple[tuple[str, str], ...]) -> None:
    with pytest.raises(InvalidInput):
        with_answers(table((0.7, 0.2, 0.1)), scores)


def test_words_name_class_and_column() -> None:
    assert scores_named([f"{FAST}=p_fast", "a=b=p"]) == ((FAST, "p_fast"), ("a=b", "p"))
    for words in (["p_fast"], ["=p"], ["a="], ["a=p", "a=q"], ["a=p", "b=p"]):
        with pytest.raises(InvalidInput):
            scores_named(words)


def test_every_class_of_the_model_needs_its_column_in_the_models_order() -> None:
    task = task_named("multiclass", ["007", FAST, "NA"])
    assert list(class_columns(SCORES, task)) == ["007", FAST, "NA"]
    for scores, said in (
        (SCORES[:2], "'NA' has no column"),
        ((*SCORES, ("new", "p")), "'new' is none of this model's"),
    ):
        with pytest.raises(InvalidInput, match=said):
            class_columns(scores, task)
    with pytest.raises(InvalidInput, match="has no probabilities of several classes"):
        class_columns(SCORES, task_named("binary"))
