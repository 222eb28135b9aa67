"""Order, progress and numbers over windows of a fleet."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from mlops_dash.domain.fleet.rows import (
    FleetRow,
    by_severity,
    is_current,
    late_labels,
    next_step,
    ripe_coverage,
    usual_volume,
)
from mlops_dash.domain.monitoring.readings import Reading
from mlops_dash.domain.policies import MonitoringPolicy
from mlops_dash.domain.words import Drift, Health, Progress

NOW = datetime(2013, 6, 3, 16, 0, tzinfo=UTC)
MIDNIGHT = datetime(2013, 6, 3, tzinfo=UTC)
DAY = timedelta(days=1)
POLICY = MonitoringPolicy(label_delay_hours=24.0)


def window(back: int, *, n: int = 1_000, labelled: int = 970, ripe: bool = True) -> Reading:
    start = MIDNIGHT - back * DAY
    return Reading("m", "1", "m-v1", start, start + DAY, n, labelled, ripe, Drift.STABLE, Health.OK, {})


def row(model: str, health: Health) -> FleetRow:
    return FleetRow(model=model, title=model, version="1", health=health, why="")


def test_the_worst_model_comes_first_and_unknown_is_not_fine() -> None:
    rows = [row("a", Health.OK), row("b", Health.NOT_KNOWN), row("d", Health.HARMED), row("c", Health.HARMED),
            row("e", Health.INPUTS_MOVED), row("f", Health.AT_RISK)]  # fmt: skip
    assert [one.model for one in by_severity(rows)] == ["c", "d", "f", "e", "b", "a"]


@pytest.mark.parametrize("n", range(len(Progress)))
def test_the_next_step_is_the_first_that_is_missing(n: int) -> None:
    step = next_step(list(Progress)[:n], "")
    assert step is not None
    assert step.progress is list(Progress)[n]
    assert step.sentence.endswith(".")


def test_a_model_that_came_all_the_way_has_no_next_step() -> None:
    assert next_step(list(Progress), "1") is None


def test_a_served_model_without_traffic_is_not_told_to_promote() -> None:
    step = next_step([Progress.REGISTERED, Progress.EVIDENCE], "3")
    assert step is not None
    assert step.sentence.startswith("v3 is served")
    assert "Promote" not in step.sentence


@pytest.mark.parametrize("n", range(len(Progress)))
def test_a_model_that_is_served_elsewhere_is_never_told_to_train_or_to_ask_the_gateway(n: int) -> None:
    step = next_step(list(Progress)[:n], "7", elsewhere=True)
    assert step is not None
    assert "rain" not in step.sentence
    assert "gateway" not in step.sentence
    assert step.sentence.endswith(".")
    assert step.page == ["files", "registry", "files", "monitoring", "registry"][n]


def test_versions_of_which_nobody_said_which_answers_have_that_as_their_next_step() -> None:
    known = replace(row("it's mine", Health.NOT_KNOWN), version="", elsewhere=True, reached=(Progress.REGISTERED,))
    step = known.to_verdict
    assert step is not None
    assert step.sentence.startswith("Say which version answers: mlops-dash model answers")


def test_labels_are_late_when_ripe_windows_have_far_fewer_than_usual() -> None:
    windows = [*(window(back) for back in range(20, 5, -1)), *(window(back, labelled=100) for back in range(5, 0, -1))]
    late = late_labels(windows, POLICY, NOW)
    assert late is not None
    assert late.n_windows == 4  # yesterday's labels may still come
    assert late.since == MIDNIGHT - 5 * DAY
    assert late.coverage == pytest.approx(0.1)
    assert late.usual == pytest.approx((15 * 970 + 4 * 100) / 19_000)


@pytest.mark.parametrize(
    "windows",
    [
        [],
        [window(3, labelled=0), window(2, labelled=0)],  # labels never came: a step not reached, no alarm
        [window(3), window(2), window(1, labelled=0, ripe=False)],  # not due yet
        [window(3), window(2, n=0, labelled=0)],  # no rows, nothing to label
        [window(3), window(2, labelled=600)],  # few, and more than half of the usual
    ],
)
def test_labels_are_not_late_without_a_reason(windows: list[Reading]) -> None:
    assert late_labels(windows, POLICY, NOW) is None


def test_coverage_takes_the_last_seven_ripe_days_of_every_model() -> None:
    long = [window(back, labelled=0) for back in range(20, 8, -1)] + [window(back) for back in range(8, 1, -1)]
    short = [window(2, n=100, labelled=50), window(1, ripe=False)]
    found = ripe_coverage([long, short, []])
    assert found is not None
    assert (found.n, found.n_labelled) == (7_100, 7 * 970 + 50)
    assert found.share == pytest.approx((7 * 970 + 50) / 7_100)


def test_without_a_ripe_day_coverage_and_volume_are_unknown_and_not_zero() -> None:
    assert ripe_coverage([[window(1, ripe=False)], []]) is None
    assert usual_volume([window(1, n=0)]) is None


def test_the_usual_volume_leaves_out_days_without_rows() -> None:
    assert usual_volume([window(3, n=100), window(2, n=0), window(1, n=300)]) == 200.0


def test_an_estimate_is_current_for_as_long_as_its_labels_may_take() -> None:
    assert is_current(NOW - 4 * DAY, POLICY, NOW)
    assert not is_current(NOW - 4 * DAY - timedelta(seconds=1), POLICY, NOW)
    weekly = replace(POLICY, window="week")  # between two batches the last one still describes now
    assert is_current(NOW - 11 * DAY, weekly, NOW)
    assert not is_current(NOW - 11 * DAY - timedelta(seconds=1), weekly, NOW)


def test_the_usual_volume_of_weeks_is_stated_a_day() -> None:
    weeks = [replace(window(back, n=700), end=window(back, n=700).start + 7 * DAY) for back in (14, 7)]
    assert usual_volume(weeks) == 100.0


def test_the_gap_needs_both_numbers() -> None:
    assert replace(row("a", Health.OK), baseline=0.7).gap is None
