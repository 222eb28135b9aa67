"""Which week comes next: seven calendar days from where the data are, or from now, and never beyond their end."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from mlops_dash.domain.held_back import HeldBack, HeldBackRoom, Stretch, held_back_of, stretch_of

ZONE = "America/New_York"
JUNE = datetime(2013, 6, 1, 4, tzinfo=UTC)  # midnight there
END = datetime(2014, 1, 1, 5, tzinfo=UTC)
HELD = HeldBack("queue-minutes", ZONE, JUNE, JUNE, END)


def test_a_week_is_seven_whole_days_of_the_zone() -> None:
    assert HELD.coming(JUNE - timedelta(days=3)) == Stretch(JUNE, JUNE + timedelta(days=7))


def test_a_clock_that_went_on_leaves_the_rest_of_its_day_and_six_more() -> None:
    now = JUNE + timedelta(days=2, hours=10)
    week = HELD.coming(now)
    assert week == Stretch(now, JUNE + timedelta(days=9))
    assert [one.start for one in week.days(ZONE)][:2] == [now, JUNE + timedelta(days=3)]
    assert len(week.days(ZONE)) == 7


def test_a_day_of_23_or_25_hours_is_one_day() -> None:
    november = datetime(2013, 11, 1, 4, tzinfo=UTC)  # the clocks go back on the 3rd
    week = HELD.coming(november)
    assert week is not None
    assert week.end - week.start == timedelta(days=7, hours=1)
    hours = [(one.end - one.start) / timedelta(hours=1) for one in week.days(ZONE)]
    assert hours == [24, 24, 25, 24, 24, 24, 24]


def test_the_last_week_is_what_is_left_and_then_nothing_is() -> None:
    last = HELD.coming(END - timedelta(days=3))
    assert last == Stretch(END - timedelta(days=3), END)
    assert HELD.coming(END) is None
    assert HeldBackRoom(HELD, None, None, None).over == "Nothing is left after 31 Dec 2013."
    assert HeldBackRoom(HELD, last, None, None).over == ""


def test_what_was_due_while_nobody_sent_anything_is_missed_and_minutes_are_not() -> None:
    soon = HELD.coming(JUNE + timedelta(minutes=10))
    assert soon == Stretch(JUNE, JUNE + timedelta(days=7))
    assert HELD.begun(soon).missed == ()
    later = JUNE + timedelta(hours=9)
    begun = HELD.begun(Stretch(later, JUNE + timedelta(days=7)))
    assert begun.missed == (Stretch(JUNE, later),)
    assert begun.sent_until == later
    assert begun.begun(Stretch(later, JUNE + timedelta(days=7))) == begun  # a second attempt at the same week


def test_it_comes_back_from_the_database_as_it_was() -> None:
    begun = HELD.begun(Stretch(JUNE + timedelta(hours=9), JUNE + timedelta(days=7)))
    assert held_back_of(begun.as_json()) == begun
    assert stretch_of(Stretch(JUNE, END).as_json()) == Stretch(JUNE, END)
