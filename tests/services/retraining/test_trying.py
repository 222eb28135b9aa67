"""Looking before deciding: a recipe is tried once at a time, by those who may run it, and the ledger says who asked."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mlops_dash import bootstrap
from mlops_dash.clock import Clock
from mlops_dash.domain.audit import Action
from mlops_dash.domain.audit_words import sentence
from mlops_dash.domain.jobs import Task
from mlops_dash.domain.recipe_checks import Check, CheckKind
from mlops_dash.domain.retraining import Recipe
from mlops_dash.domain.words import JobState
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


def test_what_a_command_runs_itself_is_audited_counted_and_refused_like_the_rest(tmp_path: Path) -> None:
    at = [datetime(2026, 3, 10, 12, tzinfo=UTC)]
    house = bootstrap.build(factories.settings(tmp_path), clock=Clock(wall=lambda: at[0]))
    house.registry.add_model(ADMIN, BIRDS, task="multiclass", class_names=("Adélie", "Gentoo"), reason="test")
    code = Check("it's code", CheckKind.UNIT, "team.checks:unit")
    house.retraining.save_recipe(
        ADMIN, Recipe("weekly", BIRDS, "{python} a.py", checks=(code,), price_per_hour=2.0, money_a_month=4.0)
    )
    version_id = house.registry.record_version(ADMIN, BIRDS, "1", source_uri="models:/birds/1", recipe="weekly")
    with pytest.raises(NotAllowed):
        house.retraining.check_by_recipe(VIEWER, version_id, here=True)
    for ask in (
        lambda: house.retraining.try_recipe(SCIENTIST, "weekly", here=True),
        lambda: house.retraining.check_by_recipe(SCIENTIST, version_id, here=True),
    ):
        began, job_id = at[0], ask()
        at[0] += timedelta(hours=1)
        house.retraining.ran_here(SCIENTIST, job_id)
        job = house.jobs.job(VIEWER, job_id)
        assert (job.state, job.recipe, job.started_at, job.finished_at) == (
            JobState.SUCCEEDED, "weekly", began, at[0],
        )  # fmt: skip
    actions = [one.action for one in house.audit.entries(ADMIN).entries]
    assert actions[:2] == [Action.VERSION_CHECKED, Action.RECIPE_TRIED]
    spent = house.retraining.spending(VIEWER, "weekly")
    assert (spent.n, spent.spent) == (2, 4.0)
    with pytest.raises(Conflict, match=r"4\.00 EUR is spent since 1 March"):
        house.retraining.try_recipe(SCIENTIST, "weekly", here=True)
    with pytest.raises(Conflict, match=r"4\.00 EUR is spent since 1 March"):
        house.retraining.check_by_recipe(SCIENTIST, version_id, here=True)
    house.close()
