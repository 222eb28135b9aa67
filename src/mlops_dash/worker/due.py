"""When does a schedule fire next?"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from apscheduler.triggers.cron import CronTrigger

from mlops_dash.domain.retraining import Schedule, ScheduleKind, cron_fields, instant, interval_seconds, zone_of

AHEAD = 5  # fire times kept on each schedule


def following(schedule: Schedule, after: datetime) -> tuple[datetime, ...]:
    """The next fire times of a schedule strictly after a moment, at most five; none for alerts.

    Cron counts in the schedule's own zone, daylight saving included; intervals count from the last slot.
    """
    if schedule.kind is ScheduleKind.CRON:
        trigger = CronTrigger(**cron_fields(schedule.expression), timezone=zone_of(schedule.zone))
        found: list[datetime] = []
        while len(found) < AHEAD:
            start = (found[-1] if found else after) + timedelta(seconds=1)
            at = trigger.get_next_fire_time(None, start.astimezone(zone_of(schedule.zone)))
            if at is None:
                break
            found.append(at.astimezone(UTC))
        return tuple(found)
    if schedule.kind is ScheduleKind.INTERVAL:
        step = timedelta(seconds=interval_seconds(schedule.expression))
        last = schedule.next_due_at or after
        first = last + step * max(1, (after - last) // step + 1)
        return tuple(first + step * n for n in range(AHEAD))
    if schedule.kind is ScheduleKind.ONCE and schedule.next_due_at is None:
        at = instant(schedule.expression).astimezone(UTC)
        return (at,) if at > schedule.updated_at else ()
    return ()
