"""A/B tests: what does the running or the last test say, can it be trusted, and what to do now.

Deep links: ?test=  (an id, or "published" for the field experiment)
"""

from __future__ import annotations

import streamlit as st

from app.charts.ab_tests import figures as charts
from app.charts.ab_tests import words
from app.parts.ab_tests import archive, decisions, events, field_experiment, rehearsal, segments
from app.parts.ab_tests import reading as shown
from app.shell import address, session
from app.ui import widgets
from app.ui.context import Frame
from app.ui.text import plain
from mlops_dash.domain import format as fmt
from mlops_dash.domain.ab_tests.readings import Reading
from mlops_dash.domain.ab_tests.room import ABRoom
from mlops_dash.domain.ab_tests.rules import ABTest
from mlops_dash.domain.words import ABState, ABVerdict, look

PUBLISHED = "published"


def page(frame: Frame) -> None:
    """Draw the page."""
    st.html(f"<style>{words.css(frame.tokens)}</style>")
    demo = frame.services.context.settings.demo
    made = str(session.pop(decisions.DESIGNED, ""))
    if made:
        address.turn({"test": made})
    asked = address.left("test")
    room = frame.services.ab_tests.room(frame.actor, "" if asked == PUBLISHED else asked)
    published = demo and (asked == PUBLISHED or not room.tests)
    test = None if published else room.test
    said = "Published field experiment, read only" if published else ""
    zone = frame.zone if test is None else test.design.zone
    about = (
        said.split(",", maxsplit=1)[0]
        if test is None
        else f"{test.model}, {test.name}: {look(test.state).label.lower()}"
    )
    with widgets.header("A/B tests", said if test is None else words.status(test, room.reading, zone), about=about):
        _choice(room, demo=demo)
        decisions.design_button(frame, room, primary=test is None and not published)
    if not room.tests:
        widgets.empty("science", "No test of your own yet",
                      "A test lets another version answer a share of the live rows and says which one is better.",
                      key="tests")  # fmt: skip
        events.draw(room)
    if published:
        address.show("test", PUBLISHED)
        field_experiment.draw(frame)
        return
    if test is not None:
        address.show("test", test.id)
        _test(frame, room, test)
        archive.draw(frame, room)


def _choice(room: ABRoom, *, demo: bool) -> None:
    names = words.names_of(room.tests)
    if demo:
        names[PUBLISHED] = "Published: replies of legislators"
    if len(names) < 2:
        return
    address.menu("test", names, next(iter([room.test.id] if room.test else names)))
    st.selectbox("Test", list(names), format_func=lambda one: names[one], key="test", on_change=address.picked,
                 args=("test",), label_visibility="collapsed", width=320)  # fmt: skip


def _test(frame: Frame, room: ABRoom, test: ABTest) -> None:
    _banner(frame, room, test)
    reading = room.reading
    if reading is not None:
        st.html(words.kpis_html(test, reading))
        if not reading.blind:
            shown.draw(frame, test, reading)
        else:
            _waiting(test, reading)
    left, right = st.columns([7, 5], gap="small")
    with left:
        if reading is not None:
            _arms(test, reading)
            segments.draw(test, reading)
        if test.state is ABState.DESIGNED:
            rehearsal.draw(frame, test)
        _paired(test, reading)
        _beside(test, reading)
    with right:
        _design(room, test)
        events.draw(room)


def _banner(frame: Frame, room: ABRoom, test: ABTest) -> None:
    with (
        widgets.card("verdict", ""),
        st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center", key="verdict"),
    ):
        with st.container(gap="xsmall", key="verdict-said", width="stretch"):
            widgets.note(test.question)
            if room.verdict is None:
                widgets.badge(test.state)
            else:
                widgets.badge(room.verdict.word, words.badge_words(test, room.verdict))
            st.markdown(f"**{plain(words.headline(test, room.reading, room.verdict))}**")
            if room.verdict is not None and room.reading is not None:
                guardrails = "" if room.reading.blind else words.guardrail_words(room.reading)
                ratio = words.ratio_words(test, room.reading)
                said = (room.verdict.reason, guardrails, ratio, words.what_now(test, room.verdict))
                widgets.note(" ".join(one for one in said if one))
            if words.standing(test, room.now):
                widgets.note(words.standing(test, room.now))
            if room.champion_moved and test.state is ABState.RUNNING:
                widgets.note(f"{test.control} is not the champion any more: no row is routed to the challenger.")
        decisions.decide_buttons(frame, room, test)


def _waiting(test: ABTest, reading: Reading) -> None:
    with widgets.card("effect", "Effect over the days"):
        nothing = "Nothing was seen" if test.state is ABState.STOPPED else "Nothing is shown yet"
        icon, title = ("rule", "Effects are hidden") if reading.mismatch else ("visibility_off", nothing)
        widgets.empty(icon, title, reading.blind, key="effect")


def _arms(test: ABTest, reading: Reading) -> None:
    hidden = "" if not reading.blind else " Outcomes are hidden."
    with widgets.card("arms", "Arms", f"{words.drawn_words(test.design)}{hidden}"):
        widgets.table(charts.arms_table(test, reading))
        widgets.note(f"{words.sample_ratio_words(test, reading)} {words.note_words(reading)}".strip())


def _paired(test: ABTest, reading: Reading | None) -> None:
    if reading is None or reading.paired is None:
        return
    with widgets.card("paired", "The same rows, scored by both"):
        widgets.note(words.paired_words(test, reading))


def _beside(test: ABTest, reading: Reading | None) -> None:
    told = {} if reading is None else words.beside_words(test, reading)
    if told:
        with widgets.card("beside", "Beside the verdict", "One look, flat prior; decides nothing"):
            widgets.facts(told)


def _design(room: ABRoom, test: ABTest) -> None:
    design = test.design

    def who(actor: str) -> str:
        return room.names.get(actor, actor)

    with widgets.card("design", "Design", "Fixed before the start"):
        told = {
            "Question": test.question,
            "Outcome": words.outcome_words(design),
            "Guardrails": words.margin_words(design),
            "Units": words.unit_words(design),
            "Read": words.reading_words(design),
            **words.more_words(design),
            "Designed": f"{fmt.day(test.designed_at, design.zone)} by {who(test.designed_by)}",
        }
        if test.started_at is not None:
            told["Started"] = f"{fmt.day(test.started_at, design.zone)} by {who(test.started_by)}"
        if test.stopped_at is not None:
            told["Stopped"] = f"{fmt.day(test.stopped_at, design.zone)} by {who(test.stopped_by)}: {test.stop_reason}"
        if test.decision is not None:
            told["Decided"] = words.decision_words(test, who)
        if test.learned:
            told["Learned"] = test.learned
        if test.evidence_ids:
            told["Evidence"] = widgets.Mono(", ".join(fmt.short(one) for one in test.evidence_ids))
        widgets.facts(told)
        widgets.page_link("audit", "In the ledger", icon_name="history_edu", object=test.object)
        if room.verdict is not None and room.verdict.word is ABVerdict.SHIP:
            widgets.page_link("registry", f"Gates of {test.challenger}", icon_name="deployed_code", model=test.model,
                              version=test.challenger.removeprefix("v"))  # fmt: skip
