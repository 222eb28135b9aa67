"""The demo's next week on Overview: a button for whom may, the reason for whom may not, and how far it is."""

from __future__ import annotations

from datetime import timedelta

import pytest
from streamlit.testing.v1 import AppTest

from mlops_dash.bootstrap import Services
from mlops_dash.domain.held_back import HeldBack
from mlops_dash.domain.words import JobState
from tests import fleet_world
from tests.app.conftest import OpenPage, words
from tests.factories import NOON, VIEWER, WORKER

MODEL = """it's "the" [queue]"""


@pytest.fixture
def demo(house: Services) -> Services:
    fleet_world.served(house.context, "fine")
    return house


def hold_back(house: Services, *, days: float) -> None:
    until = NOON + timedelta(days=days)
    house.held_back.keep(WORKER, HeldBack(MODEL, "America/New_York", NOON, NOON, until))


def buttons(page: AppTest) -> dict[str, bool]:
    return {one.label: one.disabled for one in page.button}


def test_a_home_that_is_no_demo_has_no_such_button(demo: Services, open_page: OpenPage) -> None:
    page = open_page("overview", "lead")
    assert "Play the next week" not in buttons(page)
    assert "next week" not in words(page)


def test_a_viewer_sees_why_not(demo: Services, open_page: OpenPage) -> None:
    hold_back(demo, days=30)
    page = open_page("overview", "viewer")
    (button,) = [one for one in page.button if one.label == "Play the next week"]
    assert (button.disabled, button.help) == (True, "Needs the role scientist; you are viewer.")
    assert "The next week sends the flights of 3 Jun to 9 Jun 2013 through the gateway" in words(page)


def test_a_click_plays_it_and_says_how_far_it_is(demo: Services, open_page: OpenPage) -> None:
    hold_back(demo, days=30)
    page = open_page("overview", "scientist")
    next(one for one in page.button if one.label == "Play the next week").click().run()
    assert not page.exception
    assert buttons(page)["Play the next week"]
    assert [bar.proto.text for bar in page.get("progress")] == ["Playing 3 Jun to 9 Jun 2013: waits for a worker"]
    job = demo.jobs.claim(WORKER, "here")
    assert job is not None
    demo.jobs.progress(WORKER, job.id, job.epoch, "day 3 of 7: 5 Jun 2013", 0.4)
    page.run()
    (bar,) = page.get("progress")
    assert (bar.proto.text, bar.proto.value) == ("Playing 3 Jun to 9 Jun 2013: day 3 of 7: 5 Jun 2013", 40)
    demo.jobs.finish(WORKER, job.id, job.epoch, JobState.SUCCEEDED, result={"flights": 6_528, "outcomes": 6_186})
    page.run()
    assert "3 Jun to 9 Jun 2013 is played: 6,528 flights, the outcome of 6,186 is known." in words(page)


def test_a_week_that_broke_off_says_why_and_may_be_played_again(demo: Services, open_page: OpenPage) -> None:
    hold_back(demo, days=30)
    open_page("overview", "lead").button(key="play-week").click().run()
    job = demo.jobs.claim(WORKER, "here")
    assert job is not None
    demo.jobs.finish(WORKER, job.id, job.epoch, JobState.FAILED, error="The gateway answered 500.")
    page = open_page("overview", "lead")
    assert "3 Jun to 9 Jun 2013 was not played to its end: The gateway answered 500." in words(page)
    assert not buttons(page)["Play the next week"]


def test_after_the_end_of_the_data_the_button_says_so(demo: Services, open_page: OpenPage) -> None:
    hold_back(demo, days=0)
    page = open_page("overview", "admin")
    assert page.button(key="play-week").disabled
    assert page.button(key="play-week").help == "Nothing is left after 3 Jun 2013."
    assert demo.jobs.recent(VIEWER) == ()
