"""The A/B page: its faces, one truth on every part of it, what people may do, and charts that mark what they plot."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from app.charts.ab_tests import field_experiment as field_charts
from app.charts.ab_tests import figures as charts
from app.charts.ab_tests import words as ab_words
from app.ui.text import plain
from app.ui.theme import tokens
from mlops_dash.bootstrap import Services
from mlops_dash.domain import format as fmt
from mlops_dash.domain.ab_tests.assigning import to_challenger
from mlops_dash.domain.ab_tests.readings import Look, Measured
from mlops_dash.domain.ab_tests.rules import ABTest, NewTest
from mlops_dash.domain.audit import Action
from mlops_dash.domain.events import Event
from mlops_dash.domain.words import ABState, GateState
from mlops_dash.errors import InvalidInput
from mlops_dash.services.ab_tests.published import published
from mlops_dash.settings import app_root
from mlops_dash.store import audit, world
from mlops_dash.store import prediction_log as log
from mlops_dash.store.db import reading, transaction
from mlops_dash.store.tables.registry import ServingRow
from tests import factories
from tests.app.conftest import OpenPage, words
from tests.factories import LEAD, NOON, SCIENTIST

MODEL = "flight-delay"
A_DAY = 300
HOSTILE = "[促销](http://x.y) *a* <b>it's</b> $1$"
T = tokens("light")
Play = Callable[..., ABTest]


@pytest.fixture
def play(house: Services) -> Play:
    """`play(days, better)`: v2 was tested against v1 for so many days until NOON."""
    with transaction(house.context.databases.app) as session:
        session.add(factories.model_row())
        session.add_all([factories.version_row("1"), factories.version_row("2")])
        session.flush()
        session.add(
            ServingRow(model=MODEL, version_id=f"{MODEL}-v1", shadow_version_ids=[], operation_id="o", since=NOON)
        )

    def run(days: int, better: float = 0.0, *, lost: bool = False, started: bool = True) -> ABTest:
        start = NOON - timedelta(days=days)
        _turn(house, start)
        test = house.ab_tests.design(
            SCIENTIST,
            NewTest(
                MODEL, f"{MODEL}-v2", question="Is v2 better?", planned_units=6_000, days=21, min_units=500,
                guardrails={"brier": 0.02}, key="k",
            ),
        )  # fmt: skip
        if started:
            test = house.ab_tests.start(LEAD, test.id, test.revision, reason="go")
            _traffic(house, test, start, days, better, lost=lost)
        _turn(house, NOON)
        return test

    return run


def _turn(house: Services, at: datetime) -> None:
    from mlops_dash.clock import wall_now

    with transaction(house.context.databases.app) as session:
        world.put(session, world.CLOCK_OFFSET, (at - wall_now()).total_seconds())
    house.context.clock._asked = None  # it asks for its offset four times a second only


def _traffic(house: Services, test: ABTest, start: datetime, days: int, better: float, *, lost: bool) -> None:
    rng = np.random.default_rng(5)
    predictions, scores, labels = [], [], []
    for day in range(days):
        ids = [f"{day}-{n}" for n in range(A_DAY)]
        at = [start + timedelta(days=day, minutes=1 + 4 * n) for n in range(A_DAY)]
        drawn = to_challenger(ids, at, key=test.design.key, share=0.5, unit="row", zone="UTC")
        for name, moment, arm in zip(ids, at, drawn, strict=True):
            if arm and lost and rng.random() < 0.3:
                continue
            late = rng.random() < 0.25
            base = float(np.clip(0.25 + 0.2 * (late - 0.25) + rng.normal(0, 0.08), 0.02, 0.98))
            own = float(np.clip(base + better * (late - base), 0.02, 0.98))
            us = log.to_us(moment)
            predictions.append(log.Prediction(MODEL, name, us, "b", 0, "", "{}"))
            scores.append(log.Score(MODEL, name, f"{MODEL}-v1", "shadow" if arm else "champion", "1", us, base, us))
            if arm:
                scores.append(log.Score(MODEL, name, f"{MODEL}-v2", "arm", "2", us, own, us))
            labels.append(log.Label(MODEL, name, float(late), us, us))
    with transaction(house.context.databases.log) as session:
        log.append(session, predictions, scores, marked_us=0)
        log.append_labels(session, labels)


def keys(page: AppTest) -> set[str]:
    return {button.key for button in page.button if button.key}


# --- faces ------------------------------------------------------------------------------------------------------------


def test_without_a_test_the_demo_shows_the_published_experiment_and_offers_a_design(open_page: OpenPage) -> None:
    page = open_page("ab", "scientist")
    said = words(page)
    assert not page.exception
    assert "No test of your own yet" in said
    assert "Senders from another district got 28.9 % replies, from the own district 55.5 %" in said
    assert "−26.6 pp [−29.1, −24.1]" in said
    assert len(page.get("plotly_chart")) == 2
    assert page.button(key="design").disabled  # no model with a champion and another version


def test_a_blind_test_shows_no_outcome_anywhere(play: Play, open_page: OpenPage) -> None:
    test = play(2, better=0.3)
    page = open_page("ab", "lead")
    said = words(page)
    assert f"{test.name}: nothing is shown yet" in said
    assert "of 500 ripe units in the smaller arm" in said
    assert said.count("hidden") >= 2
    assert page.get("plotly_chart") == []
    assert "Propose" not in said


def test_a_running_test_draws_effect_metrics_and_the_paired_reading(play: Play, open_page: OpenPage) -> None:
    play(12, better=0.35)
    page = open_page("ab", "lead")
    said = words(page)
    assert "v2 is better than v1: base-rate-free log-loss −0." in said
    assert "Guardrails hold: Brier score." in said
    assert "The same rows, scored by both" in said
    assert "Beside the verdict" in said
    assert re.search(r"(over )?9[0-9]\.[0-9] % that v2 is better", said)
    assert "in the earlier half of the days" in said
    assert len(page.get("plotly_chart")) == 2
    assert not page.button(key="stop").disabled


def test_an_invalid_test_hides_its_effects_and_cannot_be_proposed(play: Play, open_page: OpenPage) -> None:
    play(12, better=0.35, lost=True)
    page = open_page("ab", "lead")
    said = words(page)
    assert "the arms cannot be compared" in said
    assert "Effects are hidden" in said
    assert page.get("plotly_chart") == []


def test_a_designed_test_waits_for_a_lead(play: Play, open_page: OpenPage) -> None:
    play(3, started=False)
    page = open_page("ab", "scientist")
    assert "v2 against v1 waits for its start" in words(page)
    assert page.button(key="start").disabled
    assert not open_page("ab", "lead").button(key="start").disabled


def test_a_running_test_is_paused_from_the_page(house: Services, play: Play, open_page: OpenPage) -> None:
    test = play(12, better=0.3)
    page = open_page("ab", "lead")
    assert "Resume" not in words(page)
    house.ab_tests.pause(SCIENTIST, test.id, test.revision, reason="closed")
    page = open_page("ab", "lead")
    assert "Paused since" in words(page)
    assert not page.button(key="resume").disabled
    assert open_page("ab", "viewer").button(key="resume").disabled


def test_a_decision_against_the_test_waits_for_another_lead_and_is_in_the_archive(
    house: Services, play: Play, open_page: OpenPage
) -> None:
    test = play(12, better=0.35)
    house.ab_tests.stop(SCIENTIST, test.id, test.revision, reason="shown")
    page = open_page("ab", "lead")
    page.button(key="decide-test").click().run()
    key = f"decide-{test.id}-{test.revision + 1}"
    assert page.radio(key=f"{key}-word").value == "ship"
    page.radio(key=f"{key}-word").set_value("keep")
    page.text_area(key=f"{key}-learned").set_value("<b>Nights</b> differ")
    page.text_area(key=f"{key}-reason").set_value("too dear")
    page.button(key=f"{key}-act").click().run()
    page = open_page("ab", "lead")
    said = words(page)
    assert "against the test; waits for a second person" in said
    assert "Next: propose" not in said
    assert page.button(key="second").disabled
    page.text_input(key="archive-text").set_value("nights").run()
    (listed,) = [one.value for one in page.table if "Learned" in one.value.columns]
    assert listed["It said"].tolist() == ["Ship"]
    page.text_input(key="archive-text").set_value("days").run()
    assert "No test matches" in words(page)


def test_two_tests_of_one_day_can_be_told_apart_and_the_asked_one_is_shown(play: Play, open_page: OpenPage) -> None:
    play(12, better=0.3)
    again = play(0, started=False)
    page = open_page("ab", "scientist", test=again.id)
    page.button(key="rehearse").click().run()
    assert "waits for its start" in words(page)
    alike = ab_words.names_of([again, replace(again, id="f" * 32)])
    assert len(set(alike.values())) == 2


def test_a_designed_test_is_replayed_on_the_past(play: Play, open_page: OpenPage) -> None:
    play(12, better=0.3)
    test = play(0, started=False)
    page = open_page("ab", "scientist", test=test.id)
    assert "could it find" in words(page)
    page.button(key="rehearse").click().run()
    said = words(page)
    assert "saw a difference where none is" in said
    assert "Days to the planned size" in said


def test_a_viewer_sees_everything_and_may_do_nothing(play: Play, open_page: OpenPage) -> None:
    play(12, better=0.35)
    page = open_page("ab", "viewer")
    assert page.button(key="stop").disabled
    assert page.button(key="design").disabled
    assert page.button(key="stop").help == "Needs the role scientist; you are viewer."


def test_events_that_were_sent_are_listed_by_name(house: Services, play: Play, open_page: OpenPage) -> None:
    play(2)
    assert "No event was sent yet" in words(open_page("ab", "viewer"))
    sent = [{"id": f"e{n}", "unit": "ana", "name": '<b>"click"</b>', "at": "2013-03-01T09:00:00Z"} for n in range(3)]
    house.scoring.record_events(SCIENTIST, MODEL, sent)
    (listed,) = [one.value for one in open_page("ab", "viewer").table if "Event" in one.value.columns]
    assert listed["Sent"].tolist() == ["3"]
    assert "b>" in listed["Event"][0]
    assert listed["Last"].tolist() == ["1 Mar 2013"]


def test_a_name_of_an_event_is_no_markdown_and_no_html(house: Services, play: Play, open_page: OpenPage) -> None:
    play(12, started=False)
    start = NOON - timedelta(days=12)
    _turn(house, start)
    wanted = NewTest(MODEL, f"{MODEL}-v2", question="?", planned_units=6_000, outcome=f"higher:mean:{HOSTILE}",
                     days=21, min_units=500, exposure_hours=1.0, guardrails={}, key="k")  # fmt: skip
    test = house.ab_tests.design(SCIENTIST, wanted)
    test = house.ab_tests.start(LEAD, test.id, test.revision, reason="go")
    _traffic(house, test, start, 12, 0.0, lost=False)
    rng = np.random.default_rng(1)
    at = [(f"{day}-{n}", start + timedelta(days=day, minutes=2 + 4 * n)) for day in range(12) for n in range(A_DAY)]
    events = [Event(f"e-{name}", name, HOSTILE, float(rng.gamma(2.0)), moment) for name, moment in at]
    with transaction(house.context.databases.log) as session:
        log.append_events(session, MODEL, events, received=None)
    _turn(house, NOON)
    page = open_page("ab", "lead", test=test.id)
    (headline,) = [one.value for one in page.markdown if "is not shown to differ" in one.value]
    assert "\\[促销\\](http" in headline
    assert "\\*a\\*" in headline
    assert "\\<b>" in headline
    titles = [title for title in words(page).splitlines() if "<h2>" in title and "促销" in title]
    assert titles
    assert all("<b>" not in title and "&lt;b&gt;" in title for title in titles)


def test_an_unknown_test_is_said_in_a_sentence(play: Play, open_page: OpenPage) -> None:
    play(3)
    page = open_page("ab", "lead", test="nonsense")
    assert "No test nonsense" in words(page)


def test_the_published_experiment_has_an_address(play: Play, open_page: OpenPage) -> None:
    play(3)
    assert "5,593 state legislators" in words(open_page("ab", "viewer", test="published"))


# --- decisions --------------------------------------------------------------------------------------------------------


def _decide(page: AppTest, opens: str, key: str, reason: str) -> AppTest:
    page = page.button(key=opens).click().run()
    page.text_area(key=f"{key}-reason").set_value(reason)
    return page.button(key=f"{key}-act").click().run()


def test_stopping_from_the_page_keeps_what_it_showed(house: Services, play: Play, open_page: OpenPage) -> None:
    test = play(12, better=0.35)
    page = open_page("ab", "scientist")
    before = words(page)
    page = _decide(page, "stop", f"stop-{test.id}-{test.revision}", "shown")
    room = house.ab_tests.room(SCIENTIST)
    assert room.test is not None
    assert (room.test.state, room.test.stop_reason) == (ABState.STOPPED, "shown")
    assert room.reading is not None
    shown = fmt.interval(room.reading.primary.low, room.reading.primary.high)
    assert plain(shown) in before
    after = words(open_page("ab", "scientist"))
    assert after.count(plain(shown)) >= 1
    with reading(house.context.databases.app) as session:
        assert [one.action for one in audit.entries(session)][-1] == Action.TEST_STOPPED


def test_a_test_stopped_without_a_look_has_decided_nothing(house: Services, play: Play, open_page: OpenPage) -> None:
    test = play(0)
    said = words(open_page("ab", "scientist"))
    assert "holds" not in said
    assert "Sample ratio: cannot tell, too few rows yet (0 to 0, planned 50:50)." in said
    house.ab_tests.stop(SCIENTIST, test.id, test.revision, reason="wrong rows")
    page = open_page("ab", "scientist")
    said = words(page)
    assert "Not known" in said
    assert "not known, nothing was seen" in said
    assert "v1 keeps serving, as before; whether v2 is better nobody knows." in said
    assert "Keep" not in said
    with reading(house.context.databases.app) as session:
        assert list(audit.entries(session))[-1].after["verdict"] == "undecided"
    assert page.button(key="propose").disabled


def test_designing_from_the_page(house: Services, play: Play, open_page: OpenPage) -> None:
    test = play(10)
    house.ab_tests.stop(LEAD, test.id, test.revision, reason="over")
    page = open_page("ab", "scientist", test=test.id)
    page = page.button(key="design").click().run()
    assert "found with 80 % power" in words(page)
    page.number_input(key=f"design-{MODEL}-days").set_value(14)
    page.text_area(key=f"design-{MODEL}-reason").set_value("Again, longer?")
    page.button(key=f"design-{MODEL}-act").click().run()
    page = page.run()  # the dialog closes
    made = house.ab_tests.room(SCIENTIST).tests[0]
    assert page.selectbox(key="test").value == made.id
    assert "Again, longer?" in words(page)
    assert "designed. A lead starts it" not in words(page.run())
    assert page.selectbox(key="test").value == made.id  # it stays open
    assert (made.state, made.question, made.design.days) == (ABState.DESIGNED, "Again, longer?", 14)
    plan = house.ab_tests.plan(SCIENTIST, MODEL)
    assert made.design.planned_units == plan.units(14)
    assert plan.units(14, of_events=True) == 14 * plan.rows_a_day >= plan.units(14)  # events need no label
    with pytest.raises(InvalidInput, match="has a column") as refused:
        plan.units(14, "it's")
    assert "how many are planned" in refused.value.hint


def test_the_winner_is_proposed_with_the_tests_evidence(house: Services, play: Play, open_page: OpenPage) -> None:
    test = play(12, better=0.35)
    stopped = house.ab_tests.stop(LEAD, test.id, test.revision, reason="shown")
    page = open_page("ab", "scientist")
    assert "Next: propose v2 for promotion." in words(page)
    assert not page.button(key="propose").disabled
    _decide(page, "propose", f"propose-{test.id}", "the test says so")
    room = house.registry.open_proposal(SCIENTIST, MODEL)
    assert set(stopped.evidence_ids) <= set(room.evidence_ids)
    assert room.comment == "the test says so"


# --- charts -----------------------------------------------------------------------------------------------------------


def _looks(*bands: tuple[float, float]) -> tuple[Look, ...]:
    return tuple(
        Look(date(2013, 5, 10 + n), 600, 600, (low + high) / 2, low, high, 0.5) for n, (low, high) in enumerate(bands)
    )


def _test() -> ABTest:
    from tests.domain.ab_tests.test_rules import DESIGN

    return ABTest(
        id="t", model=MODEL, control_id="1", control="v1", challenger_id="2", challenger="v2", design=DESIGN,
        state=ABState.RUNNING, revision=1, question="?", designed_by="a", designed_at=NOON,
        started_at=datetime(2013, 5, 8, 4, tzinfo=UTC),
    )  # fmt: skip


def test_the_marker_of_the_crossing_lies_where_the_plotted_band_leaves_zero() -> None:
    looks = _looks((-0.05, 0.03), (-0.04, 0.01), (-0.03, -0.001), (-0.03, -0.01))
    fig = charts.effect_figure(_test(), looks, T)
    lower, upper = fig.data[0], fig.data[1]
    outside = [x for x, low, high in zip(lower.x, lower.y, upper.y, strict=True) if low > 0 or high < 0]
    marked = [shape.x0 for shape in fig.layout.shapes if shape.line.dash == "dot"]
    assert marked == outside[:1] == [date(2013, 5, 12)]


def test_without_a_crossing_there_is_no_marker_and_the_words_say_so() -> None:
    looks = _looks((-0.05, 0.03), (-0.04, 0.01))
    fig = charts.effect_figure(_test(), looks, T)
    assert [shape for shape in fig.layout.shapes if shape.line.dash == "dot"] == []
    assert "0 stayed inside the interval on every day" in charts.effect_alt(_test(), looks)


def test_a_guardrail_is_drawn_with_its_margin_and_its_word_follows_both() -> None:
    held = Measured("brier", 0.1, 0.1, 0.001, -0.001, 0.003, margin=0.005)
    broken = replace(held, low=0.006, high=0.009, value=0.0075)
    primary = replace(held, metric="base_rate_free_loss", margin=None)
    rows = charts.branches(SimpleNamespace(primary=primary, guardrails=(held, broken), others=(), paired=None))  # type: ignore[arg-type]
    assert [one.state for one in rows] == [GateState.CANNOT_TELL, GateState.PASSED, GateState.FAILED]
    fig = charts.forest_figure(rows, T, left="better", right="worse")
    ticks = [trace for trace in fig.data if trace.line.dash == "dot"]
    assert [tuple(trace.x) for trace in ticks] == [(0.005, 0.005)] * 2
    colours = [trace.marker.color for trace in fig.data if trace.mode == "markers"]
    assert colours == [T.context, T.good, T.bad]
    for one in rows:  # everything drawn lies inside the axis
        low, high = fig.layout.xaxis.range
        assert low < min(one.low, one.limit or 0) <= max(one.high, one.limit or 0) < high


def test_the_published_charts_and_tables_say_the_same() -> None:
    found = published(app_root() / "data" / "black_politicians.parquet")
    assert found.whole is not None
    fig = field_charts.replies_figure(found, T)
    assert [round(x, 3) for x in (fig.data[0].x[0], fig.data[1].x[0])] == [0.555, 0.289]
    table = field_charts.replies_table(found)
    assert table["Replied"].tolist()[:2] == ["55.5 %", "28.9 %"]
    assert field_charts.effects_table(field_charts.effects(found))["Difference"][0] == "−26.6 pp [−29.1, −24.1]"
    assert json.loads(fig.to_json())["layout"]["xaxis"]["range"] == [0, 0.7]


def test_a_published_file_that_is_missing_is_said(tmp_path: object) -> None:
    found = published(app_root() / "data" / "nowhere.parquet")
    assert "not in this installation" in found.missing
    assert field_charts.headline(found) == found.title


def test_the_sample_ratio_is_said_with_its_limit() -> None:
    counts = {"challenger": SimpleNamespace(assigned=520), "control": SimpleNamespace(assigned=480)}
    holds = SimpleNamespace(**counts, mismatch_log_e=0.5, ratio_state=lambda share: GateState.PASSED)
    said = ab_words.sample_ratio_words(_test(), holds)  # type: ignore[arg-type]
    assert said == "Sample ratio holds: 520 to 480, planned 50:50; e-value 1.6, it fails from 100."


def test_with_several_models_a_menu_asks_which(house: Services, play: Play, open_page: OpenPage) -> None:
    play(3)
    with transaction(house.context.databases.app) as session:
        session.add(factories.model_row("departure-delay"))
        session.flush()
        session.add_all([factories.version_row(one, "departure-delay") for one in ("1", "2")])
        session.flush()
        serving = {"model": "departure-delay", "version_id": "departure-delay-v1", "shadow_version_ids": []}
        session.add(ServingRow(**serving, operation_id="o", since=NOON))
    assert house.ab_tests.room(LEAD).models == ("departure-delay", MODEL)
    page = open_page("ab", "scientist")
    assert not page.exception
    assert "design" not in keys(page)
    (menu,) = page.get("menu_button")
    assert list(menu.proto.options) == ["departure-delay", MODEL]
