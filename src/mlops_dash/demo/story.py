"""When what happens in the demo, and who does it. The numbers in the reasons are computed, never written here.

All instants are New York midnights. The decisions follow what the data say (docs/demo.md holds the table): the first
version, trained on January and February, serves all year; a hasty one trained on three weeks of April was promoted on
ten days of evidence and rolled back a week later for its calibration; the waiting challenger is trained on everything
up to its hold-out and judged on the hold-out's flights.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from mlops_dash.demo.flights.recipes import new_york
from mlops_dash.domain.access import Actor, Role, system
from mlops_dash.domain.policies import MonitoringPolicy, PromotionPolicy

MODEL = "flight-delay"
EXPERIMENT = "flight-delay"
ZONE = "America/New_York"
RECIPE_FIRST = "first"
CONFIRM_SECONDS = 30.0  # for the gateway to answer with a promoted version
RECIPE_REFRESH = "refresh"
RECIPE_HASTY = "april-only"

# The people of the demo are its roles; each may do what a person of that role may do.
SCIENTIST = Actor("user:scientist", "scientist", Role.SCIENTIST)
LEAD = Actor("user:lead", "lead", Role.LEAD)
ADMIN = Actor("user:admin", "admin", Role.ADMIN)
REPLAY = system("demo")


@dataclass(frozen=True)
class Story:
    """One length of the demo."""

    mode: str
    first_at: datetime  # version 1 is trained and goes live
    start: datetime  # first traffic
    hasty_at: datetime  # v2 is trained and promoted
    rolled_back_at: datetime
    end: datetime  # the world's clock lives on from here
    holdout_days: int  # the challenger is trained up to end - holdout_days
    sweep_start: datetime  # its runs are trained from here to the end of February
    sweep_runs: int

    @property
    def last_day(self) -> datetime:
        """The midnight that begins the last day, which comes over HTTP."""
        return datetime.combine(self.end.date() - timedelta(days=1), self.end.timetz())


def _day(month: int, day: int) -> datetime:
    return new_york(date(2013, month, day))


FULL = Story(
    mode="full",
    first_at=_day(3, 1),
    start=_day(3, 1),
    hasty_at=_day(5, 1),
    rolled_back_at=_day(5, 8),
    end=_day(12, 1),  # December is held back: demo/week.py
    holdout_days=61,
    sweep_start=_day(1, 1),
    sweep_runs=27,
)
FAST = Story(
    mode="fast",
    first_at=_day(3, 1),
    start=_day(4, 20),
    hasty_at=_day(5, 1),
    rolled_back_at=_day(5, 8),
    end=_day(6, 1),
    holdout_days=31,
    sweep_start=_day(2, 1),
    sweep_runs=27,
)
STORIES = {story.mode: story for story in (FULL, FAST)}

PROMOTION = PromotionPolicy(
    primary="base_rate_free_loss",
    margin=0.0,
    guardrail="brier",
    guardrail_margin=0.005,
    floor_metric="auc",
    floor=0.60,
    min_rows=1_000,
    min_clusters=10,
)

# Days of flights differ so much that the base-rate-free loss cannot alarm at 5 % in 2013; what fell is how well late
# and punctual flights of one day are told apart (1 - AUC within the day). The default policy judges both; docs/demo.md.
MONITORING = MonitoringPolicy(zone=ZONE, label_delay_hours=24.0, ripe_coverage=0.97)
