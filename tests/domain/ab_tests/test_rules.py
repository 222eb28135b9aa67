"""A/B tests: the verdict's words, the assignment, what a reading keeps through JSON."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from math import log

import pytest

from app.charts.ab_tests.words import guard_words
from mlops_dash.domain.ab_tests.assigning import to_challenger
from mlops_dash.domain.ab_tests.judging import judge
from mlops_dash.domain.ab_tests.readings import ArmCount, Look, Measured, Reading
from mlops_dash.domain.ab_tests.rules import ABTest, Design, Guardrail
from mlops_dash.domain.words import ABState, ABVerdict, GateState

DESIGN = Design(
    outcome="base_rate_free_loss", guardrails=(Guardrail("brier", 0.005),), unit="row", share=0.5, days=21,
    planned_units=10_000, min_units=1_000, alpha=0.05, reading="always_valid", prior=0.25, zone="America/New_York",
    label_delay_hours=24.0, ripe_coverage=0.97, key="k",
)  # fmt: skip


def measured(low: float | None, high: float | None, *, margin: float | None = None, metric: str = "brier") -> Measured:
    value = None if low is None or high is None else (low + high) / 2
    return Measured(metric, 0.5, 0.5, value, low, high, margin=margin)


def a_reading(primary: tuple[float, float], guardrail: tuple[float, float], **changes: object) -> Reading:
    made = Reading(
        challenger=ArmCount(2_600, 2_500, 2_400), control=ArmCount(2_600, 2_500, 2_400), days=10, mismatch_log_e=0.1,
        units_needed=1_000, blind="", primary=measured(*primary, metric="base_rate_free_loss"),
        guardrails=(measured(*guardrail, margin=0.005),), looks=(), paired=None, paired_rows=0,
        last_day=date(2013, 5, 20), method="m", digest="d",
    )  # fmt: skip
    return replace(made, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("primary", "guardrail", "over", "word"),
    [
        ((-0.03, -0.01), (-0.002, 0.004), False, ABVerdict.SHIP),
        ((-0.03, -0.01), (-0.002, 0.006), False, ABVerdict.GO_ON),  # better, but the margin is not shown to hold
        ((-0.03, -0.01), (-0.002, 0.006), True, ABVerdict.KEEP),
        ((-0.03, -0.01), (0.006, 0.010), False, ABVerdict.STOP_HARM),  # wholly beyond the margin never holds
        ((-0.01, 0.01), (-0.002, 0.004), False, ABVerdict.GO_ON),
        ((-0.01, 0.01), (-0.002, 0.004), True, ABVerdict.KEEP),
        ((0.01, 0.03), (-0.002, 0.004), False, ABVerdict.STOP_HARM),
        ((0.01, 0.03), (-0.002, 0.004), True, ABVerdict.STOP_HARM),
    ],
)
def test_the_word_follows_interval_and_margins(
    primary: tuple[float, float], guardrail: tuple[float, float], over: bool, word: ABVerdict
) -> None:
    assert judge(a_reading(primary, guardrail), DESIGN, over=over).word is word


def test_the_planned_size_ends_the_waiting() -> None:
    reading = a_reading((-0.01, 0.01), (-0.002, 0.004), challenger=ArmCount(8_000, 8_000, 8_000))
    found = judge(reading, DESIGN, over=False)
    assert (found.word, found.reason[:28]) == (ABVerdict.KEEP, "The planned size is reached ")


def test_a_mismatch_comes_before_everything() -> None:
    reading = a_reading((-0.03, -0.01), (-0.002, 0.004), mismatch_log_e=log(100.0), blind="hidden")
    assert judge(reading, DESIGN, over=False).word is ABVerdict.INVALID
    assert not replace(reading, mismatch_log_e=log(99.9)).mismatch


def test_a_blind_reading_goes_on_until_it_is_over() -> None:
    reading = a_reading((-0.03, -0.01), (-0.002, 0.004), blind="No look yet.")
    assert judge(reading, DESIGN, over=False).word is ABVerdict.GO_ON
    ended = judge(reading, DESIGN, over=True)
    assert (ended.word, ended.reason) == (ABVerdict.UNDECIDED, "It ended before the first look. No look yet.")


def test_an_outcome_without_an_interval_decides_nothing() -> None:
    reading = a_reading((-0.01, 0.01), (-0.002, 0.004))
    reading = replace(reading, primary=replace(measured(None, None), reason="one class only"))
    assert judge(reading, DESIGN, over=False).word is ABVerdict.GO_ON
    ended = judge(reading, DESIGN, over=True)
    assert ended.word is ABVerdict.UNDECIDED
    assert ended.reason == "The primary outcome is not computable: one class only."


@pytest.mark.parametrize(
    ("rows", "share", "state"),
    [
        ((0, 0), 0.5, GateState.CANNOT_TELL),
        ((3, 3), 0.5, GateState.CANNOT_TELL),  # 2 ** 6 < 100: six rows of one arm would show nothing either
        ((4, 3), 0.5, GateState.PASSED),
        ((1, 1), 0.05, GateState.PASSED),  # two rows of the rare arm would: 20 ** 2 > 100
        ((1, 0), 0.05, GateState.CANNOT_TELL),
    ],
)
def test_a_sample_ratio_holds_only_where_it_could_have_failed(
    rows: tuple[int, int], share: float, state: GateState
) -> None:
    counts = {"challenger": ArmCount(rows[0], 0, 0), "control": ArmCount(rows[1], 0, 0)}
    assert a_reading((-0.03, -0.01), (-0.002, 0.004), **counts).ratio_state(share) is state


def test_a_limit_inside_the_interval_cannot_be_told() -> None:
    assert measured(0.001, 0.009, margin=0.005).state is GateState.CANNOT_TELL
    assert measured(-0.001, 0.0049, margin=0.005).state is GateState.PASSED
    assert measured(0.0051, 0.02, margin=0.005).state is GateState.FAILED
    assert measured(None, None, margin=0.005).state is GateState.NOT_COMPUTABLE


def test_the_share_is_kept_and_the_key_decides() -> None:
    ids = [f"flight {n}" for n in range(20_000)]
    at = [datetime(2013, 5, 10, tzinfo=UTC)] * len(ids)

    def drawn(key: str, share: float = 0.3) -> list[bool]:
        return to_challenger(ids, at, key=key, share=share, unit="row", zone="UTC")

    assert sum(drawn("k")) == pytest.approx(6_000, abs=4 * (20_000 * 0.21) ** 0.5)
    assert drawn("k") == drawn("k")
    both = sum(a and b for a, b in zip(drawn("k"), drawn("other"), strict=True))
    assert both == pytest.approx(1_800, abs=200)  # two keys draw independently
    wider = drawn("k", 0.5)
    assert all(b for a, b in zip(drawn("k"), wider, strict=True) if a)  # a larger share keeps who was in it


def test_days_are_those_of_the_design_s_zone() -> None:
    night = [datetime(2013, 5, 10, 3, 59, tzinfo=UTC), datetime(2013, 5, 10, 4, 1, tzinfo=UTC)]
    arms = {
        key: to_challenger(["a", "b"], night, key=key, share=0.5, unit="day", zone="America/New_York")
        for key in map(str, range(20))
    }
    assert any(first != second for first, second in arms.values())
    assert all(
        len(set(to_challenger(["a", "b"], night, key=key, share=0.5, unit="day", zone="UTC"))) == 1 for key in arms
    )


def test_a_reading_survives_its_json() -> None:
    looks = (Look(date(2013, 5, 19), 10, 12, -0.01, -0.03, 0.01, 1.0),)
    paired = replace(measured(-0.01, 0.0), relative=(0.1, -0.1, 0.3))
    made = a_reading((-0.03, -0.01), (-0.002, 0.004), looks=looks, paired=paired)
    assert Reading.from_json(made.as_json()) == made
    assert Design.from_json(DESIGN.as_json()) == DESIGN


def test_rows_count_until_the_stop_or_the_planned_end_whichever_is_first() -> None:
    start = datetime(2013, 5, 10, 4, tzinfo=UTC)
    test = ABTest(
        id="t", model="m", control_id="1", control="v1", challenger_id="2", challenger="v2", design=DESIGN,
        state=ABState.RUNNING, revision=1, question="?", designed_by="a", designed_at=start,
    )  # fmt: skip
    assert (test.ends_at, test.window_end) == (None, None)
    running = replace(test, started_at=start)
    assert running.window_end == start + timedelta(days=21)
    assert replace(running, stopped_at=start + timedelta(days=3)).window_end == start + timedelta(days=3)
    assert replace(running, stopped_at=start + timedelta(days=30)).window_end == start + timedelta(days=21)


def test_harm_can_be_seen_from_the_first_ripe_day_after_the_ramp_on() -> None:
    rows = replace(DESIGN, auto_stop=True)
    users = replace(rows, unit="entity", entity="it's a user", exposure_hours=48.0, ramp=(0.05, 0.25), min_days=3)
    assert rows.guards_after == timedelta(days=1)
    assert users.guards_after == timedelta(days=2 + 3 + 2 + 1)  # ramp, minimum, exposure, delay of labels
    said = guard_words(users)
    assert "8 days after the start" in said
    assert "never in the ramp" in said
    assert "ramp" not in guard_words(rows)
