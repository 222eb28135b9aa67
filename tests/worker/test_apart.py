"""By what a job with a process of its own is done, and within whose limits."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mlops_dash import bootstrap
from mlops_dash.domain.recipe_checks import Check, CheckKind
from mlops_dash.domain.retraining import Recipe
from mlops_dash.errors import NotFound
from mlops_dash.worker.apart import APART, means_of
from tests import factories
from tests.factories import ADMIN, WORKER


def test_a_run_has_the_time_of_its_recipe_and_of_its_checks_and_a_try_has_room_beside_it(tmp_path: Path) -> None:
    house = bootstrap.build(factories.settings(tmp_path))
    house.registry.add_model(ADMIN, "minutes", task="regression", reason="test")
    slow = Check("slow", CheckKind.DATA, "team.checks:slow", timeout_seconds=40)
    house.retraining.save_recipe(
        ADMIN, Recipe("weekly", "minutes", "{python} a.py", timeout_seconds=60, memory_mib=512, checks=(slow,))
    )
    run = house.jobs.job(ADMIN, house.retraining.run_now(ADMIN, "weekly", "labels are in"))
    of_run = means_of(house, WORKER, run)
    assert (of_run.module, of_run.seconds, of_run.mib) == ("mlops_dash.runner", 100, 512)
    tried = means_of(house, WORKER, house.jobs.job(ADMIN, house.retraining.try_recipe(ADMIN, "weekly")))
    assert tried.module == "mlops_dash.doctor"
    assert (tried.seconds > of_run.seconds, tried.mib > of_run.mib) == (True, True)
    with pytest.raises(NotFound):
        means_of(house, WORKER, replace(run, recipe="gone"))
    house.close()


def test_every_module_that_does_a_job_is_there() -> None:
    import importlib.util

    assert all(importlib.util.find_spec(module) is not None for module in APART.values())
