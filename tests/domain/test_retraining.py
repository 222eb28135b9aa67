"""What people may type for a schedule, and how it is said back."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from mlops_dash.domain.cron import cron_fields
from mlops_dash.domain.retraining import Recipe, ScheduleDraft, check_recipe, check_schedule
from mlops_dash.domain.starting import ScheduleKind, describe
from mlops_dash.errors import InvalidInput

NOW = datetime(2014, 1, 1, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "weekday"),
    [
        ("0 6 * * 0", "sun"),
        ("0 6 * * 1", "mon"),
        ("0 6 * * 7", "sun"),
        ("0 6 * * 1-5", "mon,tue,wed,thu,fri"),
        ("0 6 * * 5-7", "sun,fri,sat"),
        ("0 6 * * fri-sun", "sun,fri,sat"),
        ("0 6 * * */2", "sun,tue,thu,sat"),
        ("0 6 * * MON,wed", "mon,wed"),
        ("0 6 * * *", "*"),
    ],
)
def test_weekdays_are_counted_as_cron_counts_them(text: str, weekday: str) -> None:
    assert cron_fields(text)["day_of_week"] == weekday


def test_steps_ranges_and_lists_are_spelt_out() -> None:
    fields = cron_fields("*/20 8-10,22 1,15 jan-mar *")
    assert fields == {"minute": "0,20,40", "hour": "8,9,10,22", "day": "1,15", "month": "1,2,3", "day_of_week": "*"}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("0 6 * *", "4 fields"),
        ("60 6 * * *", "minute"),
        ("0 24 * * *", "hour"),
        ("0 6 0 * *", "day of month"),
        ("0 6 * 13 *", "month"),
        ("0 6 * * 8", "weekday"),
        ("0 6 * * xyz", "weekday"),
        ("*/0 6 * * *", "minute"),
        ("9-5 6 * * *", "minute"),
        ("0 6 13 * 5", "day of the month and a weekday"),
        ("0 6 31 2 *", "no month has"),
    ],
)
def test_a_cron_text_that_cannot_be_meant_is_refused(text: str, says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        cron_fields(text)


@pytest.mark.parametrize(
    ("kind", "expression", "words"),
    [
        (ScheduleKind.CRON, "30 6 * * *", "daily at 06:30 (New York)"),
        (ScheduleKind.CRON, "0 6 * * 1-5", "weekdays at 06:00 (New York)"),
        (ScheduleKind.CRON, "0 6 * * 2,4", "Tuesdays, Thursdays at 06:00 (New York)"),
        (ScheduleKind.CRON, "0 6 1 * *", "day 1 of the month at 06:00 (New York)"),
        (ScheduleKind.CRON, "*/5 * * * *", "cron */5 * * * * (New York)"),
        (ScheduleKind.INTERVAL, "5400", "every 90 min"),
        (ScheduleKind.ONCE, "2014-01-02T11:00+00:00", "once, 2 Jan 2014 at 06:00 (New York)"),
        (ScheduleKind.ALERT, "harm", "when an alert “harm” opens"),
    ],
)
def test_a_schedule_is_said_in_words(kind: ScheduleKind, expression: str, words: str) -> None:
    assert describe(kind, expression, "America/New_York") == words


@pytest.mark.parametrize(
    ("kind", "expression", "says"),
    [
        (ScheduleKind.INTERVAL, "30", "at least 60"),
        (ScheduleKind.INTERVAL, "soon", "whole seconds"),
        (ScheduleKind.ONCE, "2013-12-31T06:00+00:00", "passed"),
        (ScheduleKind.ONCE, "2014-02-01T06:00", "no zone"),
        (ScheduleKind.ONCE, "tomorrow", "cannot be read"),
        (ScheduleKind.ALERT, "mood", "alert kind"),
    ],
)
def test_a_schedule_that_can_never_fire_is_refused(kind: ScheduleKind, expression: str, says: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_schedule(ScheduleDraft("weekly", kind, expression, recipe="monthly"), now=NOW)
    assert says in caught.value.sentence()


@pytest.mark.parametrize("changes", [{"name": " "}, {"zone": "Mars/Olympus"}, {"recipe": None}])
def test_a_schedule_needs_a_name_a_zone_and_something_to_run(changes: dict[str, str]) -> None:
    values = {"name": "weekly", "kind": ScheduleKind.CRON, "expression": "0 6 * * 1", "recipe": "monthly"}
    with pytest.raises(InvalidInput):
        check_schedule(ScheduleDraft(**{**values, **changes}), now=NOW)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "a b"},
        {"model": ""},
        {"entry": " "},
        {"entry": "python 'train.py"},
        {"memory_mib": 0},
        {"max_attempts": 0},
    ],
)
def test_a_recipe_that_cannot_run_is_refused(changes: dict[str, object]) -> None:
    values: dict[str, object] = {"name": "monthly", "model": "flight-delay", "entry": "{python} train.py --until {end}"}
    check_recipe(Recipe(**values))  # type: ignore[arg-type]
    with pytest.raises(InvalidInput):
        check_recipe(Recipe(**{**values, **changes}))  # type: ignore[arg-type]
