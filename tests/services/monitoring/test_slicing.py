"""Parts of the rows that are worse: the owner's own and found ones, of words and of minutes, followed over time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from mlops_dash import bootstrap, why
from mlops_dash.attempt import Run, finish
from mlops_dash.bootstrap import Services
from mlops_dash.domain.audit import Action
from mlops_dash.domain.jobs import NewJob, Task
from mlops_dash.domain.monitoring.slices import NOBODY, Slice, SliceState
from mlops_dash.errors import Conflict, InvalidInput, NotFound
from mlops_dash.services.jobs import JobsService
from mlops_dash.settings import from_environment
from mlops_dash.store import audit
from mlops_dash.store import jobs as job_rows
from mlops_dash.store.db import reading, transaction
from tests.factories import SCIENTIST, VIEWER, WORKER
from tests.penguins import MODEL, PER_DAY, SPECIES, begin, penguins, watched
from tests.strangers import LIVE, Stranger

ISLE = 'it\'s <b>"Dream"</b>'


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Services]:
    made = bootstrap.build(
        from_environment({"MLOPS_DASH_HOME": str(tmp_path), "MLFLOW_TRACKING_URI": "http://127.0.0.1:9"})
    )
    yield made
    made.close()


@pytest.fixture
def island(house: Services) -> Services:
    """On one isle more than a third of the birds is taken for another, in the last four weeks."""
    table = penguins(house.context.clock.now(), days=75)
    table["isle"] = table["isle"].replace("Dream", ISLE)
    wrong = (table["isle"] == ISLE) & (np.random.default_rng(1).random(len(table)) < 0.35)
    wrong &= table.index >= 47 * PER_DAY
    table.loc[wrong, "score"] = [SPECIES[(SPECIES.index(one) + 1) % 3] for one in table.loc[wrong, "label"]]
    watched(house, table)
    return house


def part(found: tuple[Slice, ...], title: str, *, looked_for: bool = False) -> Slice:
    return next(one for one in found if one.title == title and one.found is looked_for)


def test_the_owners_part_and_a_found_one_say_where_words_are_wrong_and_since_when(island: Services) -> None:
    island.registry.edit_model(SCIENTIST, MODEL, {"slices": ["isle", "nest"]}, reason="isles differ")
    assert island.monitoring.slices(VIEWER, MODEL).reason == NOBODY
    found = island.monitoring.measure_slices(WORKER, MODEL)
    own = part(found.parts, f"isle is {ISLE}")
    assert own.state is SliceState.WORSE
    assert own.more_low is not None
    assert 0.1 < own.more_low < own.more < own.more_high
    assert own.value == pytest.approx(own.rest + own.more, abs=1e-6)
    assert own.n > 100
    assert [one.value < 0.2 for one in own.before] == [True]  # before, it was as good as the others
    assert part(found.parts, f"isle is {ISLE}", looked_for=True).state is SliceState.WORSE
    assert part(found.parts, "isle is Biscoe").state is not SliceState.WORSE
    assert found.parts[0].state is SliceState.WORSE
    assert "no row of the window has a column nest" in found.notes
    assert found.sentence.startswith(f"Worst: isle is {ISLE}. Error rate 0.")
    assert (found.clusters, found.unit) == ("28 days", "")
    room = island.monitoring.room(VIEWER, MODEL)
    assert room.slices == found == island.monitoring.slices(VIEWER, MODEL)
    assert island.monitoring.summary(VIEWER, MODEL)["slices"]["slices"][0]["state"] == "worse than other rows"


def test_a_column_that_is_never_stored_tells_nothing(island: Services) -> None:
    changes = {"slices": ["isle"], "do_not_log": ["isle"]}
    island.registry.edit_model(SCIENTIST, MODEL, changes, reason="private")
    found = island.monitoring.measure_slices(WORKER, MODEL)
    assert not [one for one in found.parts if "isle" in one.columns]
    assert "isle is never stored, so nothing is told by it" in found.notes


def test_minutes_carry_their_unit_lean_and_too_few_rows_are_said(house: Services) -> None:
    minutes = Stranger(house, 'the "queue"', "regression")
    minutes.begin()
    minutes.send(4)
    house.monitoring.profile_dirty_hours(WORKER)
    house.context.clock.wall = lambda: LIVE + timedelta(days=8)
    house.monitoring.evaluate(WORKER, minutes.name)
    house.registry.edit_model(SCIENTIST, minutes.name, {"slices": ["kind", "x"]}, reason="kinds differ")
    found = house.monitoring.measure_slices(WORKER, minutes.name)
    assert {one.title for one in found.parts if one.columns == ("kind",)} == {
        "kind is barn", "kind is flat", "kind is house",
    }  # fmt: skip
    assert len([one for one in found.parts if one.columns == ("x",)]) == 4
    assert {one.state for one in found.parts} == {SliceState.FEW}  # four days give no interval
    assert "4 days, at least 5 needed" in found.parts[0].reason or "100 are needed" in found.parts[0].reason
    assert found.sentence == "No part of the rows could be judged; 7 parts have too few rows."
    assert "no part was looked for: 4 days are there, 10 are needed" in found.notes


def test_where_outcomes_are_nearer_to_half_the_loss_is_higher_by_nature_and_the_owner_is_told(house: Services) -> None:
    churn = Stranger(house, "churn", "binary")
    churn.begin()
    churn.send(8)
    house.monitoring.profile_dirty_hours(WORKER)
    house.context.clock.wall = lambda: LIVE + timedelta(days=12)
    house.monitoring.evaluate(WORKER, churn.name)
    house.registry.edit_model(SCIENTIST, churn.name, {"slices": ["kind"]}, reason="kinds differ")
    found = house.monitoring.measure_slices(WORKER, churn.name)
    assert any(one.more is not None for one in found.parts)
    assert found.notes[-1] == "a part whose outcomes lie nearer to half and half has a higher Brier score by nature"


def test_a_person_asks_once_with_a_reason_and_the_owners_parts_are_planned_once_a_week(island: Services) -> None:
    assert not island.monitoring.plan_slices(WORKER, MODEL)  # the owner watches none
    job_id = island.monitoring.ask_slices(SCIENTIST, MODEL, "the isles look odd")
    with pytest.raises(Conflict, match="being measured"):
        island.monitoring.ask_slices(SCIENTIST, MODEL, "again")
    with pytest.raises(InvalidInput, match="needs a reason"):
        island.monitoring.ask_slices(SCIENTIST, MODEL, " ")
    assert island.monitoring.slices(VIEWER, MODEL).asked
    job = JobsService(island.context).claim(WORKER, "here")
    assert job is not None
    assert (job.id, job.task) == (job_id, Task.SLICES)
    with reading(island.context.databases.app) as session:
        (entry,) = [one for one in audit.entries(session) if one.action == Action.SLICES_REQUESTED]
    assert (entry.model, entry.object, entry.reason) == (MODEL, "v1", "the isles look odd")
    island.registry.edit_model(SCIENTIST, MODEL, {"slices": ["isle"]}, reason="isles differ")
    assert island.monitoring.plan_slices(WORKER, MODEL)
    assert not island.monitoring.plan_slices(WORKER, MODEL)


def test_without_ripe_rows_the_reason_is_kept_and_of_nothing_nothing_is_measured(house: Services) -> None:
    begin(house, penguins(house.context.clock.now(), days=30))
    found = house.monitoring.measure_slices(WORKER, MODEL)
    assert found.sentence.startswith("Not known in which part of the rows it is worse: no window is ripe")
    with pytest.raises(NotFound):
        house.monitoring.measure_slices(WORKER, "nobody")
    with pytest.raises(NotFound):
        house.monitoring.slices(VIEWER, "nobody")


def done(house: Services, task: Task) -> list[str]:
    """What the claimed job of a model says while a process of its own would do it."""
    job = JobsService(house.context).claim(WORKER, "here")
    assert job is not None
    assert job.task is task
    lines: list[str] = []
    assert finish(Run(house, job, lines.append), why.work) == 0
    return lines


def test_a_job_measures_them_and_so_does_the_one_that_looks_for_causes(island: Services) -> None:
    island.registry.edit_model(SCIENTIST, MODEL, {"slices": ["isle"]}, reason="isles differ")
    assert island.monitoring.plan_slices(WORKER, MODEL)
    lines = done(island, Task.SLICES)
    assert any(f"Worst: isle is {ISLE}" in line for line in lines)
    assert not island.monitoring.slices(VIEWER, MODEL).asked


def test_without_labels_the_job_that_looks_for_causes_ends_well(house: Services) -> None:
    table = penguins(house.context.clock.now(), days=60)
    begin(house, table.iloc[: 30 * PER_DAY].drop(columns="label"))
    job = NewJob(Task.SLICES, house.context.clock.now(), "to see", "user:ana", MODEL)
    with transaction(house.context.databases.app) as session:
        job_rows.enqueue(session, job, job_id="j-1", now=house.context.clock.now())
    lines = done(house, Task.SLICES)
    assert any("It needs a served version, and labels." in line for line in lines)
