"""Every word has a look, unknown is never green, and colour means harm, not drift."""

from __future__ import annotations

import re

import pytest

from mlops_dash.domain import words
from mlops_dash.domain.words import (
    LOOKS,
    ABState,
    ABVerdict,
    AlertState,
    CardState,
    Drift,
    GateState,
    Health,
    JobState,
    OperationState,
    ProposalState,
    RolloutState,
    Severity,
    Word,
    look,
)

CONCEPTS = (
    Health, Drift, GateState, JobState, ProposalState, RolloutState, OperationState, AlertState, Severity, ABState,
    ABVerdict, CardState,
)  # fmt: skip
WORDS: list[Word] = [word for concept in CONCEPTS for word in concept]


def test_every_word_has_a_look_and_no_look_is_left_over() -> None:
    assert {concept: set(looks) for concept, looks in LOOKS.items()} == {concept: set(concept) for concept in CONCEPTS}


def test_words_with_the_same_text_keep_the_look_of_their_own_concept() -> None:
    assert AlertState.OPEN == ProposalState.OPEN  # both are "open"
    assert look(AlertState.OPEN).label == "Open"
    assert look(ProposalState.OPEN).label == "Waiting for approval"


@pytest.mark.parametrize("word", WORDS, ids=lambda word: f"{type(word).__name__}-{word}")
def test_a_look_is_icon_and_label_and_a_colour_of_the_theme(word: Word) -> None:
    shown = look(word)
    assert re.fullmatch(r"[a-z0-9_]+", shown.icon)
    assert shown.label[0].isupper()
    assert shown.colour in {"green", "blue", "orange", "red", "gray", "violet"}


@pytest.mark.parametrize(
    "word", [word for word in WORDS if str(word) in {"not_known", "not_computable", "cannot_tell", "waiting"}]
)
def test_what_is_not_known_is_never_green(word: Word) -> None:
    assert look(word).colour != "green"


def test_drift_alone_is_never_amber_or_red() -> None:
    drifting = [look(word).colour for word in (*Drift, Health.INPUTS_MOVED)]
    assert not {"orange", "red"} & set(drifting)


@pytest.mark.parametrize("concept", CONCEPTS)
def test_labels_of_one_concept_differ(concept: type[Word]) -> None:
    labels = [look(word).label for word in concept]
    assert len(set(labels)) == len(labels)


def test_words_of_one_concept_that_share_a_colour_differ_in_icon() -> None:
    for concept in (Health, GateState, JobState, AlertState):
        shown = [(look(word).colour, look(word).icon) for word in concept]
        assert len(set(shown)) == len(shown)


def test_every_term_has_one_meaning_found_in_any_case_and_number() -> None:
    for term, meaning in words.TERMS.items():
        (found,) = words.defined(term.upper() + "s")
        assert found == (f"{term.upper()}s", meaning)
    assert words.defined("nothing of the kind") == [("nothing of the kind", "")]
    assert words.defined("") == []
    said = "PSI, excess PSI and PSIs of <b>"
    assert "".join(piece for piece, _ in words.defined(said)) == said


def test_the_longer_term_wins_over_the_one_inside_it() -> None:
    pieces = words.defined("ROC AUC within the day 0.647, ROC AUC 0.7")
    assert pieces[0] == ("ROC AUC within the day", words.TERMS["ROC AUC within the day"])
    assert pieces[2] == ("ROC AUC", words.TERMS["ROC AUC"])


def test_letters_that_only_look_like_those_of_a_term_are_no_term() -> None:
    for said in ("the column psı moved", "BİAS, İ and PSİ"):
        assert words.defined(said) == [(said, "")]
