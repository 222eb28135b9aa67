"""Looking before deciding: a recipe is tried once at a time, by those who may run it, and the ledger says who asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlops_dash import bootstrap
from mlops_dash.domain.audit import Action
from mlops_dash.domain.audit_words import sentence
from mlops_dash.domain.jobs import Task
from mlops_dash.domain.retraining import Recipe
from mlops_dash.errors import Conflict, InvalidInput, NotAllowed, NotFound
from tests import factories
from tests.factories import ADMIN, SCIENTIST, VIEWER

BIRDS = """penguin's "species" 企鹅"""


def test_a_recipe_is_tried_once_at_a_time_and_audited(tmp_path: Path) -> None:
    house = bootstrap.build(factories.settings(tmp_path))
    house.registry.add_model(ADMIN, BIRDS, task="multiclass", class_names=("Adélie", "Gentoo"), reason="test")
    house.retraining.save_recipe(ADMIN, Recipe("weekly", BIRDS, "{python} train.py"))
    with pytest.raises(NotAllowed):
        house.retraining.try_recipe(VIEWER, "weekly")
    with pytest.raises(NotFound):
        house.retraining.try_recipe(SCIENTIST, "monthly")
    with pytest.raises(InvalidInput, match="0 days are no window"):
        house.retraining.try_recipe(SCIENTIST, "weekly", days=0)
    job = house.jobs.job(VIEWER, house.retraining.try_recipe(SCIENTIST, "weekly", days=5))
    assert (job.task, job.recipe, job.model, job.arguments["days"]) == (Task.TRY_RECIPE, "weekly", BIRDS, 5)
    with pytest.raises(Conflict, match="is queued already"):
        house.retraining.try_recipe(SCIENTIST, "weekly")
    entry = house.audit.entries(ADMIN).entries[0]
    assert entry.action == Action.RECIPE_TRIED
    assert "had a check made of recipe weekly" in sentence(entry)
    house.close()
