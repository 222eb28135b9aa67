"""An answer that is none is a failure of the version that gave it, unless the champion has none for the row either."""

from __future__ import annotations

import numpy as np
import pytest

from mlops_dash.domain.tasks import MULTICLASS, REGRESSION, task_named
from mlops_dash.errors import BrokenModel
from mlops_dash.tracking.models.beside import require_answers


def test_nan_or_infinite_minutes_are_no_answer() -> None:
    minutes = task_named(REGRESSION.name)
    require_answers(minutes, np.array([12.5, 7.0]), None)
    for bad in (np.nan, np.inf):
        with pytest.raises(BrokenModel, match="1 answers of the new version are none"):
            require_answers(minutes, np.array([12.5, bad]), np.array([12.0, 8.0]))


def test_a_word_that_is_no_class_is_no_answer() -> None:
    islands = task_named(MULTICLASS.name, ("Dream", "Torgersen", 'the "far" one'))
    require_answers(islands, np.array([0.0, 2.0]), None)
    with pytest.raises(BrokenModel):
        require_answers(islands, np.array([0.0, islands.number_of("Mars")]), np.array([0.0, 1.0]))


def test_where_the_champion_has_none_either_nothing_failed() -> None:
    require_answers(task_named(REGRESSION.name), np.array([np.nan, 3.0]), np.array([np.nan, 4.0]))


def test_without_a_task_nothing_is_asked() -> None:
    require_answers(None, np.array([np.nan]), None)
