"""Answers of a classifier with the probability of every class: the class is the answer, and all are kept beside it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from mlops_dash.domain.class_probabilities import in_columns
from mlops_dash.services.scoring import intake
from mlops_dash.services.scoring.following import Live, Loaded
from mlops_dash.store.serving import ServedVersion, ServingState
from mlops_dash.tracking.models.loading import ModelCache
from tests.served import MODEL, Served, flights

CLASSES = ("1", "0")  # the classifier's own order is 0, 1
AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def live(served: Served, tmp_path: Path) -> Live:
    """Version 1 of a real classifier, watched as a model of classes, with itself as its shadow."""
    version = ServedVersion("v1", "1", "", served.sources["1"])
    state = ServingState(MODEL, "multiclass", "", ("wind",), 1, version, (), class_names=CLASSES)
    model = ModelCache(served.uri, tmp_path).get(MODEL, "1", task=state.predicts)
    return Live(state, 1, Loaded(version, model), (Loaded(ServedVersion("v2", "2", "", ""), model),))


def test_every_row_keeps_its_probabilities_in_the_order_of_the_watched_model(live: Live) -> None:
    rows = flights(20)
    given = live.champion.model.predict(rows)
    own = np.asarray(live.champion.model.pyfunc.predict(rows))
    assert np.array_equal(given, own[:, ::-1])

    pending = intake.ours(live, rows, given, ids=None, at=[AT] * 20, batch_id="b")

    assert [one.role for one in pending.scores] == ["champion"] * 20 + ["shadow"] * 20
    told = in_columns([one.probabilities for one in pending.scores], CLASSES).to_numpy()
    assert told == pytest.approx(np.vstack([given, given]), abs=1e-7)
    assert [CLASSES[int(one.score)] for one in pending.answers] == [str(int(n)) for n in own.argmax(axis=1)]


def test_a_row_whose_probabilities_are_none_is_set_aside_and_the_others_are_kept(live: Live) -> None:
    answers = np.array([[0.25, 0.75], [0.5, 0.75], [np.nan, 1.0]])
    kept = intake.sifted(live, flights(3), answers, None, ["a", "b", "c"])
    assert (kept.ids, kept.unfit_ids) == (("a",), ("b", "c"))
    assert [one.reason for one in kept.unfit] == [
        "the probabilities sum to 1.25, not to 1", "a probability is missing",
    ]  # fmt: skip
