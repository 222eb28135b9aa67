"""What runs cost: unknown is never 0, a month is a calendar month, and a budget stops before it is exceeded."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from mlops_dash.domain.jobs import Job, Task
from mlops_dash.domain.money import Estimate, Spending, Usual, check_money, cost_of, month_start, spending
from mlops_dash.domain.words import JobState
from mlops_dash.errors import InvalidInput

NOW = datetime(2026, 3, 20, 12, tzinfo=UTC)
SINCE = month_start(NOW, "Europe/Berlin")
HOUR = timedelta(hours=1)
RUN = Job(
    id="a", task=Task.RETRAIN, model="m", recipe="weekly", arguments={}, schedule_id=None, alert_id=None,
    due_at=NOW - 3 * HOUR, not_before=None, state=JobState.SUCCEEDED, priority=0, exclusive_key="", attempt=1,
    max_attempts=1, epoch=1, claimed_by="", heartbeat_at=None, started_at=NOW - 3 * HOUR, finished_at=NOW - HOUR,
    progress=1.0, progress_text="", cause="", requested_by="", cancel_requested=False, cancel_reason="", result=None,
    error="", created_at=NOW, price_per_hour=1.5,
)  # fmt: skip
ONE_HOUR = Estimate(1, 1.5, Usual(3600.0, 4), "EUR")


def month(*jobs: Job, budget: float | None = None, estimate: Estimate = ONE_HOUR) -> Spending:
    return spending(jobs, now=NOW, since=SINCE, zone="Europe/Berlin", budget=budget, estimate=estimate)


def test_a_run_costs_its_wall_time_of_all_attempts_at_its_price() -> None:
    assert cost_of(RUN, NOW) == 3.0
    assert cost_of(replace(RUN, state=JobState.RUNNING, finished_at=None), NOW) == 4.5, "up to now"
    assert cost_of(replace(RUN, spent_seconds=1800.0), NOW) == 3.75, "with the attempt before"
    again = replace(RUN, state=JobState.QUEUED, started_at=None, finished_at=None, spent_seconds=1800.0)
    assert cost_of(again, NOW) == 0.75
    assert cost_of(replace(RUN, price_per_hour=None), NOW) is None
    assert cost_of(replace(RUN, started_at=None, finished_at=None, state=JobState.QUEUED), NOW) is None


def test_a_month_counts_what_began_in_it_and_says_what_has_no_price() -> None:
    failed = replace(RUN, id="b", state=JobState.FAILED)
    unpriced = replace(RUN, id="c", price_per_hour=None)
    before = replace(RUN, id="d", started_at=SINCE - HOUR, finished_at=None, state=JobState.RUNNING)
    found = month(RUN, failed, unpriced, before)
    assert (found.spent, found.n, found.unpriced, found.waiting) == (6.0, 2, 1, 0)
    assert found.words() == "6.00 EUR this month so far (2 runs, 1 more without a price)"
    assert month(estimate=Estimate(1, None, Usual(None, 0), "EUR")).words() == ""


def test_a_budget_stops_before_it_is_exceeded_and_says_what_counts() -> None:
    assert month(RUN, budget=4.5).why_not("recipe weekly") == ""
    said = month(RUN, budget=4.4).why_not("recipe weekly")
    assert said == (
        "The budget of the recipe weekly is 4.40 EUR a month: 3.00 EUR is spent since 1 March, and 1.50 EUR would come "
        "(about 1.50 EUR, an estimate from the median of its last 4 runs). Counted is the time of every run, check and "
        "backfill that began this month, failed ones too."
    )
    assert month(RUN).why_not("recipe weekly", runs=1_000) == "", "no budget, no bound"


def test_what_waits_counts_as_a_usual_run() -> None:
    waits = replace(RUN, id="w", state=JobState.QUEUED, started_at=None, finished_at=None)
    assert month(RUN, waits, budget=6.0).why_not("recipe weekly") == ""
    assert month(RUN, waits, budget=5.9).why_not("recipe weekly")
    assert month(budget=6.0).why_not("recipe weekly", runs=4) == ""
    assert month(budget=6.0).why_not("recipe weekly", runs=5)


def test_a_recipe_that_never_ran_may_run_once_and_no_more_is_promised() -> None:
    new = Estimate(1, 1.5, Usual(None, 0), "EUR")
    assert month(budget=1.0, estimate=new).why_not("recipe weekly") == ""
    assert "nobody knows what 9 runs cost" in month(budget=1.0, estimate=new).why_not("recipe weekly", runs=9)
    assert month(RUN, budget=3.0, estimate=new).why_not("recipe weekly"), "spent to the last cent"
    assert (new.value, new.words()) == (None, "what it costs is not known: the recipe has not run yet")
    assert replace(new, price_per_hour=None).words() == "what it costs is not known: the recipe has no price per hour"


@pytest.mark.parametrize(
    ("price", "budget"), [(0.0, None), (-1.0, None), (float("nan"), None), (1.0, 0.0), (None, 5.0)]
)
def test_amounts_that_mean_nothing_are_refused(price: float | None, budget: float | None) -> None:
    with pytest.raises(InvalidInput):
        check_money(price, budget, "recipe weekly")
    check_money(None, None, "recipe weekly")
