"""Before the start: the test's own looks on the past, where no arm differs."""

from __future__ import annotations

import streamlit as st

from app.charts.ab_tests import words
from app.shell import session
from app.ui import widgets
from app.ui.context import Frame
from mlops_dash.domain import format as fmt
from mlops_dash.domain.ab_tests.rules import ABTest
from mlops_dash.domain.access import Permission


def draw(frame: Frame, test: ABTest) -> None:
    """The card of a test that waits for its start."""
    with widgets.card("rehearsal", "On the past", "The champion's rows are drawn into two equal arms, again and again"):
        asked = f"rehearsed-{test.id}"
        why_not = frame.actor.why_not(Permission.TEST_EDIT)
        if not session.get(asked):
            widgets.note("How often would this test see a difference where none is, and what could it find?")
            if widgets.action_button("Replay the past", key="rehearse", why_not=why_not, icon_name="replay"):
                session.put(asked, True)
                st.rerun()
            return
        with st.spinner("Drawing arms…", show_time=True):
            found = frame.services.ab_tests.rehearse(frame.actor, test.id)
        if found.reason:
            widgets.empty("history_toggle_off", "The past says nothing", found.reason, key="rehearsal")
            return
        widgets.note(found.alarm_words(test.design.alpha))
        planned = f"{fmt.whole(test.design.planned_units)} units"
        widgets.facts(
            {
                "Past": f"{fmt.day(found.start, test.design.zone)} to {fmt.day(found.end, test.design.zone)}, "
                f"{fmt.whole(found.units)} units",
                words.label(test.design.outcome): fmt.metric(found.value),
                "Found by one look": f"{fmt.metric(found.one_look)} with 80 % power at {planned}",
                "Found looking every day": fmt.metric(found.every_day),
                "Days to the planned size": f"{fmt.whole(found.days_needed)}, the test lasts {test.design.days}",
            }
        )
