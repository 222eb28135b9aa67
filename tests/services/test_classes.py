"""Columns of probabilities of a stranger's classes: which class is the answer, and what is refused by its row."""

from __future__ import annotations

import pandas as pd
import pytest

from mlops_dash.domain.tasks import task_named
from mlops_dash.errors import InvalidInput
from mlops_dash.services.classes import ANSWER, class_columns, proposed_scores, scores_named, with_answers

FAST = 'it\'s the "fast" one'
SCORES = ((FAST, "p_fast"), ("007", "p_007"), ("NA", "p_na"))


def table(*rows: tuple[object, object, object]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["p_fast", "p_007", "p_na"]).assign(x=range(len(rows)))


def test_the_most_probable_class_takes_the_place_of_the_probabilities() -> None:
    made = with_answers(table((0.7, 0.2, 0.1), (0.2, 0.2, 0.6), (0.4, 0.4, 0.2), (None, 0.5, 0.5)), SCORES)
    assert made.columns.tolist() == ["x", ANSWER, *(f"probability:{name}" for name, _ in SCORES)]
    assert made["probability:007"].tolist()[:3] == [0.2, 0.2, 0.4]
    assert made["probability:007"].isna().tolist() == [False, False, False, True]
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


def test_a_column_that_says_the_class_once_more_is_no_input() -> None:
    again = table((0.7, 0.2, 0.1), (0.1, 0.8, 0.1)).assign(predicted=[FAST, "007"], pred=["often", "never"])
    assert with_answers(again, SCORES).columns.tolist()[:3] == ["x", "pred", ANSWER]


def test_columns_of_probabilities_are_told_by_their_names() -> None:
    wide = pd.DataFrame({
        "x": [1.0, 2.0], "proba Adélie": ["0.7", "0.2"], "p_its_the_fast_one": [0.2, 0.3], "Gentoo_score": [0.1, 0.5],
        "species": ["Adélie", FAST],
    })  # fmt: skip
    told = (("Adélie", "proba Adélie"), (FAST, "p_its_the_fast_one"), ("Gentoo", "Gentoo_score"))
    assert proposed_scores(wide, "species") == told
    assert proposed_scores(wide.rename(columns={"p_its_the_fast_one": FAST}), "species")[1] == (FAST, FAST)
    assert [name for name, _ in proposed_scores(wide.drop(columns="species"), "")] == [
        "Adélie", "its_the_fast_one", "Gentoo",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "changes",
    [
        {"p_its_the_fast_one": [0.9, 0.9]},  # a row does not sum to 1
        {"species": ["Adélie", "emperor"]},  # a word without a column
        {"p_adelie": [0.1, 0.1], "Adélie": [0.1, 0.1]},  # two columns for a word
        {"Gentoo_score": ["much", "little"]},
    ],
)
def test_columns_that_may_be_something_else_are_not_proposed(changes: dict[str, list[object]]) -> None:
    wide = pd.DataFrame({
        "proba Adélie": [0.7, 0.2], "p_its_the_fast_one": [0.2, 0.3], "Gentoo_score": [0.1, 0.5],
        "species": ["Adélie", FAST],
    }).assign(**changes)  # fmt: skip
    assert proposed_scores(wide, "species") == ()


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
