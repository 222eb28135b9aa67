"""All columns of a stranger's model together: ours, alibi-detect beside it, by button, command or policy."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mlops_dash import attempt, bootstrap, runner
from mlops_dash.bootstrap import Services
from mlops_dash.clock import fixed
from mlops_dash.domain.jobs import Task
from mlops_dash.domain.monitoring.together import NATIVE
from mlops_dash.domain.policies import MonitoringPolicy, PolicyKind
from mlops_dash.domain.words import JobState
from mlops_dash.errors import Conflict, InvalidInput, NotAllowed, NotFound
from mlops_dash.services.monitoring.together import _Rows, _windows_of
from mlops_dash.training import second_opinion
from mlops_dash.training.second_opinion import Opinion
from tests import factories
from tests.factories import ADMIN, LEAD, SCIENTIST, VIEWER, WORKER
from tests.services.monitoring.test_columns import NAME, Desk
from tests.strangers import LIVE

WEEKS = 6


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Services]:
    made = bootstrap.build(factories.settings(tmp_path), clock=fixed(LIVE + timedelta(days=7 * WEEKS + 1)))
    yield made
    made.close()


@pytest.fixture
def desk(house: Services) -> Desk:
    """Five calm weeks, then one in which everything is another."""
    made = Desk(house, NAME, "regression")
    made.begin()
    made.send(7 * (WEEKS - 1))
    made.broken = True
    made.send(7, first=LIVE + timedelta(days=7 * (WEEKS - 1)))
    house.monitoring.profile_dirty_hours(WORKER)
    house.monitoring.evaluate(WORKER, NAME)
    return made


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Who was asked; alibi-detect itself is asked in the test of its door."""
    asked: list[str] = []

    def say(detector, reference, current, names, levels, *, alpha):  # type: ignore[no-untyped-def]
        asked.append(detector)
        if detector == "mmd":
            return Opinion(detector, None, reason="MMDDrift needs PyTorch, which is not installed.")
        return Opinion(detector, drift=True, p_value=0.001, threshold=alpha, n_reference=10, n_current=10)

    monkeypatch.setattr("mlops_dash.services.monitoring.together.opinion_of", say)
    return asked


def test_a_week_in_which_everything_changed_is_told_apart_and_the_others_are_not(desk: Desk, quick: list[str]) -> None:
    monitoring = desk.services.monitoring
    assert monitoring.together(VIEWER, NAME) is None
    found = monitoring.judge_together(WORKER, NAME, ("tabular", "mmd"), windows=2)
    ours, mmd, tabular = found.latest
    assert ours.metric == NATIVE
    assert ours.low is not None
    assert ours.low > 0.95
    assert ours.details["verdict"] == "watch"  # the usual level is unknown: nothing louder may be said
    assert "rows served until" in ours.details["compared_with"]
    assert ours.details["columns"]
    assert (mmd.state, tabular.state) == ("not_computable", "ok")
    assert "PyTorch" in mmd.reason
    agreed = {one.detector: (one.same, one.windows) for one in found.agreements}
    assert agreed == {"mmd": (0, 0), "tabular": (1, 2)}  # it called the calm week drift, ours did not
    assert quick == ["tabular", "mmd"] * 2
    again = monitoring.judge_together(WORKER, NAME, ("tabular", "mmd"), windows=2)
    assert quick == [*["tabular", "mmd"] * 2, "mmd", "mmd"]  # what could not be computed is asked again, nothing else
    assert again.latest[0] == ours
    room = monitoring.room(VIEWER, NAME)
    assert room.together is not None
    assert room.together.latest[0] == ours


def test_who_may_ask_is_asked_for_a_reason_and_once(desk: Desk) -> None:
    ask = desk.services.monitoring.ask_together
    with pytest.raises(NotAllowed):
        ask(VIEWER, NAME, "why not")
    with pytest.raises(InvalidInput, match="needs a reason"):
        ask(SCIENTIST, NAME, " ")
    with pytest.raises(InvalidInput, match="no detector 'oracle'"):
        ask(SCIENTIST, NAME, "unsure", detectors=["oracle"])
    with pytest.raises(NotFound, match="No version of nothing"):
        ask(SCIENTIST, "nothing", "unsure")
    ask(SCIENTIST, NAME, "unsure")
    with pytest.raises(Conflict, match="queued already"):
        ask(SCIENTIST, NAME, "unsure")
    assert desk.services.monitoring.room(VIEWER, NAME).asked_together


def test_the_job_leaves_evidence_and_its_result(desk: Desk, quick: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    services = desk.services
    job_id = services.monitoring.ask_together(SCIENTIST, NAME, "unsure", detectors=["ks"])
    job = services.jobs.claim(WORKER, "here")
    assert job is not None
    assert (job.id, job.task) == (job_id, Task.MULTIVARIATE)
    assert attempt.finish(attempt.Run(services, job, sys.stdout.write), runner.work) == 0
    done = services.jobs.job(WORKER, job_id)
    assert done.state is JobState.SUCCEEDED
    assert done.result is not None
    assert len(done.result["evidence_ids"]) == 2
    assert set(quick) == {"ks"}


def test_the_policy_has_a_detector_asked_once_a_week(desk: Desk) -> None:
    services = desk.services
    assert not services.monitoring.plan_together(WORKER, NAME)  # it names none
    kind, policy = PolicyKind.MONITORING, services.policies
    with pytest.raises(InvalidInput, match="no detector 'oracle'"):
        policy.propose(LEAD, NAME, kind, {"second_opinion": "oracle"}, reason="try")
    made = policy.propose(LEAD, NAME, kind, {"second_opinion": "tabular,classifier"}, reason="a second pair of eyes")
    policy.activate(ADMIN, made.id, reason="agreed")
    services.monitoring.evaluate(WORKER, NAME)
    assert services.monitoring.plan_together(WORKER, NAME)
    assert not services.monitoring.plan_together(WORKER, NAME)
    job = services.jobs.claim(WORKER, "here")
    assert job is not None
    assert job.arguments["detectors"] == ["tabular", "classifier"]
    services.jobs.finish(WORKER, job.id, job.epoch, JobState.FAILED, error="no rows")
    assert not services.monitoring.plan_together(WORKER, NAME)  # a failed one does not come back all the time


def test_without_rows_or_a_judged_window_the_next_step_is_said(house: Services) -> None:
    made = Desk(house, NAME, "regression")
    made.begin()
    with pytest.raises(NotFound, match="No whole window"):
        house.monitoring.judge_together(WORKER, NAME)
    with pytest.raises(NotFound, match="No model nobody"):
        house.monitoring.judge_together(WORKER, "nobody")
    assert second_opinion.licence().startswith("alibi-detect")


def test_the_past_is_cut_as_long_as_what_is_compared_with_it() -> None:
    days = pd.date_range("2026-03-05 12:00", periods=60, freq="D", tz="UTC")  # a Thursday

    def windows(at: pd.DatetimeIndex, window: str) -> list[int]:
        rows = _Rows(np.zeros((len(at), 1)), np.arange(len(at)), pd.Series(at))
        return [int(one.sum()) for one in _windows_of(rows, replace(MonitoringPolicy(), window=window))]

    assert windows(days, "day") == [7] * 8
    assert windows(days, "week") == [7] * 7, "whole weeks alone, and no single days"
    assert windows(days[::7], "week") == [1] * 7, "a batch a week is one window, not seven weeks of batches"
    assert windows(days, "hour") == [1] * 60
    assert windows(days[:3], "week") == []
