"""Rows that a second version answers: what the client gets, what counts as failed, and what is timed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlops_dash.domain.tasks import task_named
from mlops_dash.stats.arrays import Bools
from mlops_dash.tracking.models.loading import LoadedModel
from mlops_dash.tracking.models.protocol import Challenger, _Router

WAITING = pd.DataFrame({'the "lane"': ["a", "b", "c", "d"], "people": [3.0, 5.0, 9.0, 1.0]})


def minutes_of(given: Callable[[pd.DataFrame], Any], words: tuple[str, ...] = ()) -> LoadedModel:
    """A stranger's model: minutes to wait, or with `words` one of them."""

    class Asked:
        metadata = None

        @staticmethod
        def predict(data: pd.DataFrame, params: dict[str, Any] | None = None) -> Any:
            return given(data)

    task = task_named("multiclass", words) if words else task_named("regression")
    return LoadedModel("digest", Path(), Asked(), None, task)


def half(ids: object, data: pd.DataFrame) -> Bools:
    return np.arange(len(data)) % 2 == 0


def asked(champion: LoadedModel, challenger: LoadedModel) -> tuple[Any, _Router]:
    router = _Router(champion, "", None, Challenger(challenger, half))
    return router.predict(WAITING), router


CHAMPION = minutes_of(lambda data: data["people"].to_numpy() * 2)


def test_its_rows_are_answered_by_it() -> None:
    said, router = asked(CHAMPION, minutes_of(lambda data: data["people"].to_numpy() * 3))
    assert said.tolist() == [9.0, 10.0, 27.0, 2.0]
    assert router.beside is not None
    assert not router.beside.failed


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_minutes_that_are_no_number_are_a_failed_call_and_the_champion_answers(bad: float) -> None:
    said, router = asked(CHAMPION, minutes_of(lambda data: np.where(data["people"] > 5, bad, 1.0)))
    assert said.tolist() == [6.0, 10.0, 18.0, 2.0]
    assert router.challenged == (None, None)
    assert router.beside is not None
    assert router.beside.failed


def test_a_word_that_is_no_class_is_a_failed_call_and_the_champion_answers() -> None:
    words = ("short", 'the "long" one')
    champion = minutes_of(lambda data: np.full(len(data), "short"), words)
    said, router = asked(champion, minutes_of(lambda data: np.full(len(data), "no such word"), words))
    assert said.tolist() == ["short"] * 4
    assert router.beside is not None
    assert router.beside.failed


def test_where_the_champion_has_no_answer_either_nothing_failed() -> None:
    none = minutes_of(lambda data: np.full(len(data), np.nan))
    _, router = asked(none, none)
    assert router.beside is not None
    assert not router.beside.failed


def test_times_are_compared_on_the_same_rows_or_not_at_all() -> None:
    seen: list[int] = []

    def counted(data: pd.DataFrame) -> Any:
        seen.append(len(data))
        return data["people"].to_numpy() * 2.0

    champion, challenger = minutes_of(counted), minutes_of(lambda data: data["people"].to_numpy() * 3.0)
    for again, rows, timed in ((True, [4, 2], True), (False, [4], False)):
        seen.clear()
        router = _Router(
            champion, "", None, Challenger(challenger, half, lambda _all, own, said=again: said and own == 2)
        )
        assert router.predict(WAITING).tolist() == [9.0, 10.0, 27.0, 2.0]
        assert seen == rows
        assert router.beside is not None
        assert (router.beside.champion_seconds is not None) is timed
    seen.clear()
    whole = _Router(champion, "", None, Challenger(challenger, lambda _ids, data: np.ones(len(data), dtype=np.bool_)))
    whole.predict(WAITING)
    assert seen == [4]
    assert whole.beside is not None
    assert whole.beside.champion_seconds is not None
