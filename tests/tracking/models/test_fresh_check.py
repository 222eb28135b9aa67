"""A version is loaded and scored by a process that has never seen it, started anew or forked from a ready one."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace

import pytest

from mlops_dash.errors import BrokenModel, Unavailable
from mlops_dash.tracking.models import fresh_check
from mlops_dash.tracking.models.fresh_check import check_in_fresh_process, libraries_ready
from tests.served import Served

NOWHERE = "http://127.0.0.1:9"


@pytest.fixture(params=["started", "forked"], scope="module")
def way(request: pytest.FixtureRequest) -> Iterator[str]:
    with libraries_ready() if request.param == "forked" else nullcontext():
        yield str(request.param)


def test_a_version_scores_its_example_in_a_fresh_process(served: Served, way: str) -> None:
    check = check_in_fresh_process(served.uri, served.sources["2"])
    assert check.ok, check
    assert check.reason.startswith("5 example rows scored 0.")


def test_a_fresh_process_says_why_a_version_is_broken(served: Served, way: str) -> None:
    with pytest.raises(BrokenModel, match="pickle, which runs code"):
        check_in_fresh_process(served.uri, served.sources["3"])


def test_a_fresh_process_says_that_mlflow_is_away(served: Served, way: str) -> None:
    with pytest.raises(Unavailable):
        check_in_fresh_process(NOWHERE, served.sources["2"])


def test_a_process_that_forks_gives_the_same_answer_as_one_that_is_started(served: Served) -> None:
    alone = check_in_fresh_process(served.uri, served.sources["2"])
    with libraries_ready():
        assert check_in_fresh_process(served.uri, served.sources["2"]) == alone


def test_when_the_process_that_forks_is_gone_a_check_starts_its_own(served: Served) -> None:
    with libraries_ready():
        os.kill(fresh_check._ready[-1]._process.pid, signal.SIGKILL)
        assert check_in_fresh_process(served.uri, served.sources["2"]).ok


def test_too_slow_a_model_is_given_up(served: Served, way: str) -> None:
    with pytest.raises(BrokenModel, match="within 0 s"):
        check_in_fresh_process(
            served.uri, served.sources["2"], limits=replace(fresh_check.LIMITS, timeout_seconds=0.01)
        )
