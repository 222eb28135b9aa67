"""How long is what kept? Nothing but decisions, evidence and the ledger is kept for ever.

predictions, answers, labels   hot (tables) until `hot_days` after they are ripe, then cold (parquet) for `cold_days`
rows that were kept out        `cold_days`
labels of rows nobody knows    `cold_days`
profiles, judged windows       `profile_days`
messages about alerts          `MESSAGE_DAYS` after they were made, once their alert is over
sessions of people             `SESSION_DAYS` after they ended
heartbeats of gateways         `HEARTBEAT_DAYS`
logs of jobs                   `JOB_LOG_DAYS`; the job stays, as it tells where a version comes from
logs of processes              50 MB each (`log.py`)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from mlops_dash.domain.calendar import day_of, day_start
from mlops_dash.domain.policies import MonitoringPolicy

EVERY = timedelta(days=1)
MESSAGE_DAYS, SESSION_DAYS, HEARTBEAT_DAYS, JOB_LOG_DAYS = 400, 90, 30, 90
_USUAL_DELAY = timedelta(hours=24)  # of a model that nobody watches


@dataclass(frozen=True)
class ModelRows:
    """How much of a model is where.

    Attributes:
        model: Its name; also of one that is archived.
        hot: Predictions in the tables.
        oldest: The oldest of them.
        until: Rows before this instant are old enough to be archived.
        movable: Hot predictions that are.
        days: On how many days they are.
        archived: Predictions in cold files.
        first: The begin of the first archived day.
        last: The last archived prediction.
        files: How many cold files.
        size: Their bytes.
    """

    model: str
    hot: int
    oldest: datetime | None
    until: datetime
    movable: int
    days: int
    archived: int = 0
    first: datetime | None = None
    last: datetime | None = None
    files: int = 0
    size: int = 0


@dataclass(frozen=True)
class Removed:
    """What is kept for long enough, by kind: how many went, or would go."""

    cold_files: int = 0
    kept_out: int = 0
    labels: int = 0
    events: int = 0
    profiles: int = 0
    windows: int = 0
    messages: int = 0
    sessions: int = 0
    heartbeats: int = 0
    job_logs: int = 0

    def words(self) -> str:
        """Those there are, for one sentence; "" without any.

        >>> Removed(profiles=3, job_logs=1).words()
        '3 profiles, 1 job logs'
        """
        return ", ".join(f"{n:,} {name.replace('_', ' ')}" for name, n in vars(self).items() if n)


@dataclass(frozen=True)
class Retention:
    """What is kept where, what a run would do, and when the next one is.

    Attributes:
        models: By name.
        removable: What a run would let go of.
        last: When it ran last; None = never.
        next: When it runs again.
        troubles: By model, why its rows could not be moved the last time.
    """

    models: tuple[ModelRows, ...]
    removable: Removed
    last: datetime | None
    next: datetime
    troubles: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Retained:
    """What a run did."""

    moved: Mapping[str, int]  # model -> predictions
    labels: int  # that came for archived rows
    removed: Removed
    troubles: Mapping[str, str]


def old_before(
    now: datetime,
    policy: MonitoringPolicy | None,
    *,
    hot_days: int,
    open_batch: datetime | None = None,
    test_since: datetime | None = None,
) -> datetime:
    """Rows before this instant are ripe for `hot_days`, and nothing that runs looks at them again and again.

    A row is ripe once its window (hour, day, week, month or batch) is over and its label has had its time. Rows since
    the start of a running A/B test stay where they are.

    >>> from datetime import UTC
    >>> old_before(datetime(2026, 2, 1, tzinfo=UTC), None, hot_days=14)
    datetime.datetime(2026, 1, 17, 0, 0, tzinfo=datetime.timezone.utc)
    """
    at = settled_before(now, policy, hot_days=hot_days)
    if policy is not None and not policy.cadence.is_batch:
        at = day_start(policy.cadence.first_day(day_of(at, policy.zone)), policy.zone)
    return min(one for one in (at, open_batch, test_since) if one is not None)


def settled_before(now: datetime, policy: MonitoringPolicy | None, *, hot_days: int) -> datetime:
    """A window that was over at this instant is ripe for `hot_days`."""
    delay = _USUAL_DELAY if policy is None else timedelta(hours=policy.label_delay_hours)
    return now - delay - timedelta(days=hot_days)
