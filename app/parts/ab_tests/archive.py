"""Tests that are over: what each said, what was decided, and what was learned; found by any word of them."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from app.charts.ab_tests import words
from app.shell import session
from app.ui import widgets
from app.ui.context import Frame
from mlops_dash.domain import format as fmt
from mlops_dash.domain.ab_tests.archive import DECISIONS, Archived, archived
from mlops_dash.domain.ab_tests.room import ABRoom
from mlops_dash.domain.words import ABVerdict, look

_ANY = "Any verdict"
_MOST = 50


def draw(frame: Frame, room: ABRoom) -> None:
    """The card; nothing where no test is over."""
    tests = archived(room.tests)
    if not tests:
        return
    with widgets.card("archive", "Archive", "Tests that are over, with what was decided and learned"):
        with st.container(horizontal=True, vertical_alignment="bottom", key="archive-asked"):
            text = st.text_input("Search", key="archive-text", placeholder="model, metric, event, what was learned")
            verdicts = {_ANY: "", **{look(one).label: str(one) for one in ABVerdict}}
            st.selectbox("Verdict", list(verdicts), key="archive-verdict", width=220)
        wanted = verdicts[str(session.get("archive-verdict") or _ANY)]
        found = [one for one in tests if one.matches(text or "", verdict=wanted)]
        if not found:
            widgets.empty("search_off", "No test matches", "Try fewer words, or any verdict.", key="archive")
            return
        widgets.table(_table(found[:_MOST], frame))
        if len(found) > _MOST:
            widgets.note(f"The newest {_MOST} of {fmt.whole(len(found))}; mlops-dash ab-test archive lists all.")


def decided_words(one: Archived) -> str:
    """What was decided, and whether it stands."""
    decision = one.test.decision
    if decision is None:
        return fmt.MISSING
    return DECISIONS[decision.word] + ("" if decision.settled else ", waits for a second person")


def _table(found: list[Archived], frame: Frame) -> pd.DataFrame:
    primary = [one.primary for one in found]
    return pd.DataFrame(
        {
            "Over": [fmt.MISSING if one.test.stopped_at is None else fmt.day(one.test.stopped_at, frame.zone)
                     for one in found],
            "Test": [f"{one.test.model}: {one.test.name}" for one in found],
            "Outcome": [words.label(one.test.design.outcome) for one in found],
            "Effect": [fmt.MISSING if one is None or one.value is None
                       else f"{fmt.delta(one.value)} {fmt.interval(one.low, one.high)}" for one in primary],
            "It said": ["never started" if one.verdict is None else look(one.verdict.word).label for one in found],
            "Decided": [decided_words(one) for one in found],
            "Learned": [one.test.learned or fmt.MISSING for one in found],
        }
    )  # fmt: skip
