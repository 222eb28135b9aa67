"""Votes of trees repeat: the same rows have the same AUC, from a file of double precision and from the log."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from mlops_dash.domain.tasks.multiclass import MultiClass
from mlops_dash.domain.tasks.told_classes import as_kept

WORDS = ("adelie", "chin strap", "gentoo's")


@pytest.mark.parametrize("trees", [6, 7, 10])
def test_votes_that_repeat_have_the_auc_of_scikit_learn_in_the_reference_and_live(trees: int) -> None:
    rng = np.random.default_rng(trees)
    rows = 3_000
    labels = rng.integers(0, 3, rows)
    leaning = np.full((rows, 3), 1.0) + 1.4 * np.eye(3)[labels]
    votes = np.stack([rng.multinomial(trees, row / row.sum()) for row in leaning])
    told = votes / trees  # as a file has them
    task = MultiClass(WORDS)
    scores, groups = told.argmax(axis=1).astype(float), np.repeat(np.arange(30), rows // 30)
    scale = task.scale_of(scores, labels.astype(float), told, clip=4.6)
    exact = roc_auc_score(labels, told, multi_class="ovr", average="weighted")
    for probabilities in (told, as_kept(told)):
        days = task.count(
            scale, labels.astype(float), scores, groups, n_groups=30, clip=1e-15, probabilities=probabilities
        )
        measured = task.measure(days, prior=0.4, level=0.95)["auc_ovr"]
        assert measured.value == pytest.approx(exact, abs=1e-9)
