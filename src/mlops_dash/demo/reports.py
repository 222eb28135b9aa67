"""The demo's reports: the last whole weeks of every served model, frozen by the scientist."""

from __future__ import annotations

from datetime import timedelta

from mlops_dash.bootstrap import Services
from mlops_dash.demo.story import SCIENTIST
from mlops_dash.domain.reports.snapshot import WEEK_DAYS, ReportKind

WEEKS = 2


def weekly_reviews(services: Services, *, weeks: int = WEEKS) -> int:
    """Make the reviews that are missing, oldest week first; gives how many were made. A repeated call makes none."""
    made = 0
    kept = {
        (line.model, line.week.last_day)
        for line in services.reports.room(SCIENTIST).lines
        if line.kind is ReportKind.WEEKLY
    }
    for back in reversed(range(weeks)):
        for choice in services.reports.choices(SCIENTIST):
            if choice.last_day is None:
                continue
            last_day = choice.last_day - timedelta(days=WEEK_DAYS * back)
            if (choice.model, last_day) not in kept:
                services.reports.freeze(SCIENTIST, services.reports.weekly(SCIENTIST, choice.model, until=last_day))
                made += 1
    return made
