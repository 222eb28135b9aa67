"""The Overview: its faces, its sentences and links, and the words that go into the table."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from app.charts.overview import figures as charts
from app.charts.overview.fleet import table as words_of_table
from app.charts.overview.fleet import trend
from app.ui.theme import tokens
from mlops_dash.bootstrap import Services
from mlops_dash.domain.audit import Action, Entry
from mlops_dash.domain.fleet.attention import Attention, Rank
from mlops_dash.domain.fleet.room import FleetRoom
from mlops_dash.domain.fleet.rows import FleetRow
from mlops_dash.domain.monitoring.readings import Estimate
from mlops_dash.domain.words import Health, JobState, Progress
from tests import fleet_world
from tests.app.conftest import OpenPage, words
from tests.factories import ADMIN, NOON, VIEWER
from tests.fleet_world import DAY


@pytest.fixture
def fleet(house: Services) -> Services:
    """Seven models in all states, one of them harmed with an alert, one that serves nothing."""
    fleet_world.many(house.context, 7)
    fleet_world.alert(house.context, "model-06")
    fleet_world.registered(house.context, "fresh")
    return house


def room(house: Services) -> FleetRoom:
    return house.fleet.room(VIEWER)


# --- faces ------------------------------------------------------------------------------------------------------------


def test_without_a_model_the_page_says_what_will_be_here(open_page: OpenPage) -> None:
    page = open_page("overview", "viewer")
    assert "No model is known yet" in words(page)
    assert not page.exception


def test_a_fine_fleet_says_that_nothing_needs_attention(house: Services, open_page: OpenPage) -> None:
    fleet_world.served(house.context, "fine")
    said = words(open_page("overview", "viewer"))
    assert "Nothing needs attention" in said
    assert "<dd class='num'>0 of 1</dd>" in said
    assert "1 OK" in said


def test_nothing_is_calm_beside_a_model_without_a_verdict(house: Services, open_page: OpenPage) -> None:
    name = 'it\'s the "fast" one'
    fleet_world.served(house.context, "fine")
    house.registry.add_model(ADMIN, name, task="regression", source="external", reason="minutes to the door")
    said = words(open_page("overview", "viewer"))
    assert "Nothing needs attention" not in said
    assert "Not watched yet" in said
    assert "it&#x27;s the &quot;fast&quot; one</b> Nothing is served yet." in said
    assert "2 models, 1 serving, 1 not watched yet" in said
    assert "<dd class='num'>0 of 1</dd>" in said  # harm is counted among what was judged
    assert "1 not judged, 1 OK" in said


def test_harm_is_not_counted_where_nothing_was_judged(house: Services, open_page: OpenPage) -> None:
    for name in ("minutes", "it's", "third"):
        house.registry.add_model(ADMIN, name, task="regression", source="external", reason="new here")
    said = words(open_page("overview", "viewer"))
    tile = said.split("Harmed or at risk</dt>")[1]
    assert tile.startswith("<dd class='num'>—</dd><dd class='kps'><span>3 not judged</span>")


def test_a_snoozed_alert_is_said_even_when_nothing_needs_attention(house: Services, open_page: OpenPage) -> None:
    fleet_world.served(house.context, "m", health=Health.HARMED)
    fleet_world.alert(house.context, "m", state="snoozed", snoozed_until=NOON + DAY)
    said = words(open_page("overview", "viewer"))
    assert "1 alert is snoozed" in said
    assert "<dd class='num'>1 of 1</dd>" in said  # the number stays true


def test_the_worst_sentence_comes_first_with_its_cause(fleet: Services, open_page: OpenPage) -> None:
    page = open_page("overview", "viewer")
    said = words(page)
    first = room(fleet).attention[0]
    assert first.model == "model-06"
    assert first.sentence in said
    assert "Likely cause: temp moved." in said
    assert said.index("model-06") < said.index("model-04")
    assert not page.exception


def test_at_most_five_sentences_stand_open(house: Services, open_page: OpenPage) -> None:
    for i in range(7):
        fleet_world.served(house.context, f"m{i}", health=Health.HARMED)
    page = open_page("overview", "viewer")
    assert "The worst 5 of 7" in words(page)
    assert [one.label for one in page.expander] == ["2 more"]


def test_the_numbers_of_the_tiles_are_those_of_the_room(fleet: Services, open_page: OpenPage) -> None:
    found, said = room(fleet), words(open_page("overview", "scientist"))
    assert found.judged < len(found.rows)
    assert f"<dd class='num'>2 of {found.judged}</dd>" in said
    assert f"{len(found.rows) - found.judged} not judged" in said
    assert f"<dd class='num'>{found.last_day}</dd>" in said
    assert found.coverage is not None
    assert f"{found.coverage.share:.1%}".replace("%", " %") in said
    assert "1 for you, oldest 3 d ago" in said
    assert "none for you" in words(open_page("overview", "viewer"))


def test_a_filter_appears_when_the_table_is_long(house: Services, fleet: Services, open_page: OpenPage) -> None:
    assert not open_page("overview", "viewer").text_input
    for i in range(4):
        fleet_world.served(house.context, f"more-{i}")
    page = open_page("overview", "viewer", find="FRESH", health="")
    assert page.text_input(key="find").value == "FRESH"
    page = open_page("overview", "viewer", find="nothing like it")
    assert "No model fits" in words(page)


def test_recent_decisions_say_who_and_why(house: Services, open_page: OpenPage) -> None:
    house.registry.add_model(ADMIN, "m_1", owner="admin", reason="first *model* of the team")
    said = words(open_page("overview", "viewer"))
    assert "Recent decisions" in said
    assert "Admin · just now · first *model* of the team" in said


def test_old_links_to_the_root_open_their_model(fleet: Services, open_page: OpenPage) -> None:
    page = open_page("overview", "viewer", model="model-03")
    assert not page.exception
    assert "Needs attention" not in words(page)


# --- the words of the table -------------------------------------------------------------------------------------------


ROW = FleetRow(
    model="m", title="A model", version="1", health=Health.HARMED, why="", metric="day_auc",
    metric_label="ROC AUC within the day", estimate=Estimate(0.646, 0.616, 0.676, 5_644, 28), known_at=NOON,
    baseline=0.659, trend=(0.65, None, 0.646), moved=("temp", "dest", "hour"), n_inputs=14, last_day=986,
    usual_day=924.0, last_label_at=NOON - timedelta(hours=2), deployed_at=NOON - 3 * DAY,
)  # fmt: skip
EMPTY = FleetRow(model="n", title="n", version="", health=Health.NOT_KNOWN, why="")


def cells(row: FleetRow, *others: FleetRow) -> dict[str, object]:
    found: dict[str, object] = words_of_table([row, *others], NOON, "UTC")["rows"][0]["cells"]
    return found


def test_a_row_says_value_interval_reference_and_what_moved() -> None:
    found = json.dumps(cells(ROW), ensure_ascii=False)
    for text in ("0.646", "[0.616, 0.676]", "0.659", "now worse by 0.013", "3 of 14", "temp, dest and 1 more", "986",
                 "usually 924", "2 h ago", "3 d ago", "ROC AUC within the day"):  # fmt: skip
        assert text in found


def test_a_metric_with_a_unit_says_it_and_lower_may_be_better() -> None:
    row = replace(ROW, metric="mae", metric_label="MAE", unit="min", decimals=2, higher_is_better=False,
                  estimate=Estimate(12.345, 11.0, 13.0, 900, 28), baseline=11.5)  # fmt: skip
    found = json.dumps(cells(row))
    assert "12.35 min" in found or "12.34 min" in found
    assert "now worse by 0.84 min" in found or "now worse by 0.85 min" in found


def test_what_is_not_known_is_missing_and_never_zero() -> None:
    found = words_of_table([EMPTY, ROW], NOON, "UTC")["rows"][0]
    assert all(value is None for key, value in found["cells"].items() if key != "health")
    assert "0.000" not in json.dumps(found)


def test_columns_that_are_empty_for_every_model_are_left_out() -> None:
    assert [one["key"] for one in words_of_table([EMPTY], NOON, "UTC")["columns"]] == ["model", "health"]
    assert len(words_of_table([EMPTY, ROW], NOON, "UTC")["columns"]) == 10


def test_a_last_known_number_is_faded_and_dated() -> None:
    metric = cells(replace(ROW, current=False, known_at=NOON.replace(hour=0)))["metric"]
    assert isinstance(metric, dict)
    assert (metric["faded"], metric["note"]) == (True, "last known 2 Jun 2013")


def test_a_model_on_its_way_says_how_far_it_is_and_its_next_step() -> None:
    from mlops_dash.domain.fleet.rows import next_step

    reached = (Progress.REGISTERED, Progress.EVIDENCE)
    row = replace(EMPTY, reached=reached, next_step=next_step(reached, ""))
    told = words_of_table([row], NOON, "UTC")
    found = told["rows"][0]
    assert [one["key"] for one in told["columns"]] == ["model", "health", "metric"]
    assert found["cells"]["health"]["sub"] == "has a version and evidence"
    assert found["step"].startswith("Promote a version")
    assert (found["href"], found["stepHref"]) == ("/monitoring?model=n", "/registry?model=n")


def test_a_model_that_has_everything_but_a_number_says_why() -> None:
    row = replace(EMPTY, version="1", why="no complete day of traffic yet", reached=tuple(Progress))
    health = cells(row)["health"]
    assert isinstance(health, dict)
    assert health["sub"] == "no complete day of traffic yet"


def test_a_mean_of_fewer_days_than_the_heading_says_so() -> None:
    young = cells(replace(ROW, estimate=Estimate(0.646, 0.6, 0.7, 900, 5)))["metric"]
    assert isinstance(young, dict)
    assert young["note"] == "over 5 ripe days"


@pytest.mark.parametrize("points", [(0.5,), (None, 0.5, None), (0.5, 0.5, 0.5), (0.4, None, 0.6)])
def test_the_sparkline_says_its_range_and_its_gaps(points: tuple[float | None, ...]) -> None:
    drawn = trend(replace(ROW, trend=points, baseline=None))
    assert drawn is not None
    assert drawn["points"] == list(points)
    assert drawn["alt"].endswith(".")
    assert ("without ripe labels" in drawn["alt"]) == (None in points)


def test_a_model_without_a_ripe_day_has_no_sparkline() -> None:
    assert trend(replace(ROW, trend=(None, None))) is None


def test_colour_of_the_trend_follows_harm_alone() -> None:
    words_and_colours = {word: trend(replace(ROW, health=word)) for word in Health}
    assert {str(word): one and one["colour"] for word, one in words_and_colours.items()} == {
        "ok": "gray", "inputs_moved": "gray", "at_risk": "orange", "harmed": "red", "not_known": "gray",
    }  # fmt: skip


# --- sentences and charts ---------------------------------------------------------------------------------------------


def test_what_people_wrote_is_text_and_never_markup() -> None:
    evil = ("<b>x</b>", "<script>1</script>", "a & b")
    one = Attention(Rank.JOB, JobState.FAILED, "", *evil, "Go", "registry", (), NOON, taken_by="user:<i>")
    said = charts.attention_html(one, "2 d ago", tokens("light"))
    assert "<script>" not in said
    assert "<b>x</b>" not in said
    assert "a &amp; b · 2 d ago · taken by &lt;i&gt;" in said


def entry(action: str, **changes: object) -> Entry:
    values = {
        "number": 1, "at": NOON, "recorded_at_wall": NOON, "actor": "user:lead", "action": action,
        "object": "flight-delay v3", "model": "flight-delay", "before": {}, "after": {}, "reason": "r",
        "evidence_ids": (), "previous": "", "mac": "",
    }  # fmt: skip
    return Entry(**{**values, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("one", "said"),
    [
        (entry(Action.PROPOSAL_OPENED), "flight-delay: v3 proposed"),
        (entry(Action.JOB_REQUESTED, after={"recipe": "refresh"}), "flight-delay: run of refresh asked for"),
        (entry(Action.SCHEDULE_PAUSED, object="schedule monthly"), "flight-delay: schedule monthly paused"),
        (entry(Action.ALERT_CLOSED, object="alert harm of flight-delay v1"), "alert harm of flight-delay v1 closed"),
        (entry(Action.MODEL_ADDED, object="flight-delay"), "flight-delay added"),
        (entry(Action.TEST_STARTED, after={"challenger": "v2"}), "flight-delay: A/B test of v2 started"),
        (entry(Action.TEST_STOPPED, after={"verdict": "keep"}), "flight-delay: A/B test stopped: keep"),
    ],
)  # fmt: skip
def test_a_decision_is_told_in_plain_words_with_its_model(one: Entry, said: str) -> None:
    assert charts.decision(one) == said
    assert charts.decision_icon(one)


def test_a_long_reason_is_cut_and_says_so() -> None:
    assert charts.reason(entry("x", reason="short")) == "short"
    cut = charts.reason(entry("x", reason="word " * 100))
    assert len(cut) <= charts.REASON
    assert cut.endswith("word…")


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_the_volume_chart_draws_says_its_finding_and_has_a_table(fleet: Services, mode: str) -> None:
    days = room(fleet).volume
    fig = charts.volume_figure(days, tokens(mode))
    assert [list(bar.y) for bar in fig.data] == [
        [one.n_labelled for one in days], [one.n - one.n_labelled for one in days]
    ]  # fmt: skip
    assert charts.volume_alt(days).endswith(".")
    table = charts.volume_table(days)
    assert len(table) == len(days) == 30
    assert table["Predictions"].iloc[0] == f"{days[-1].n:,}"
