"""When is a row old enough to leave the tables? Once its window is over and ripe, whatever the cadence."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from mlops_dash.domain.policies import MonitoringPolicy
from mlops_dash.domain.retention import Removed, old_before

NOW = datetime(2026, 2, 25, 15, tzinfo=UTC)  # a Wednesday


@pytest.mark.parametrize(
    ("window", "expected"),
    [
        ("hour", datetime(2026, 2, 10, tzinfo=UTC)),
        ("day", datetime(2026, 2, 10, tzinfo=UTC)),
        ("week", datetime(2026, 2, 9, tzinfo=UTC)),  # the week that holds the 10th is over on the 16th only
        ("month", datetime(2026, 2, 1, tzinfo=UTC)),
        ("batch:run id", datetime(2026, 2, 10, 15, tzinfo=UTC)),
    ],
)
def test_a_row_stays_until_its_window_is_ripe_for_long_enough(window: str, expected: datetime) -> None:
    policy = MonitoringPolicy(window=window, label_delay_hours=24.0, zone="UTC")
    assert old_before(NOW, policy, hot_days=14) == expected


def test_the_label_delay_of_the_policy_counts_before_the_days() -> None:
    policy = MonitoringPolicy(window="day", label_delay_hours=24.0 * 31, zone="Asia/Kolkata")
    assert old_before(NOW, policy, hot_days=14) == datetime(2026, 1, 10, 18, 30, tzinfo=UTC)


def test_an_open_batch_and_a_running_test_keep_their_rows() -> None:
    policy = MonitoringPolicy(window="batch:run id", label_delay_hours=24.0, zone="UTC")
    open_batch, test_since = datetime(2026, 2, 8, 3, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)
    assert old_before(NOW, policy, hot_days=14, open_batch=open_batch) == open_batch
    assert old_before(NOW, policy, hot_days=14, open_batch=open_batch, test_since=test_since) == test_since


def test_what_was_removed_is_said_where_there_is_some() -> None:
    assert Removed().words() == ""
    assert Removed(cold_files=1_200, job_logs=2).words() == "1,200 cold files, 2 job logs"
