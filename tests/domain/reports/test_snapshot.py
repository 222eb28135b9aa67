"""Weeks of a zone, key facts that changed, and file names that are safe."""

from __future__ import annotations

import copy
from datetime import date, timedelta
from typing import Any

import pytest

from mlops_dash.domain.cadence import plural_of
from mlops_dash.domain.reports import words
from mlops_dash.domain.reports.snapshot import (
    Report,
    ReportKind,
    ReportLine,
    changes_since,
    since_sentence,
    week_ending,
)
from mlops_dash.rendering import reports
from tests.factories import NOON
from tests.rendering.facts import FACTS

ZONE = "America/New_York"


def changed(**parts: Any) -> dict[str, Any]:
    facts = copy.deepcopy(FACTS)
    for name, values in parts.items():
        facts[name] = {**facts[name], **values} if isinstance(values, dict) else values
    return facts


@pytest.mark.parametrize("last", [date(2013, 3, 12), date(2013, 11, 5), date(2013, 6, 1)])
def test_a_week_has_seven_whole_days_of_its_zone_also_when_the_clocks_change(last: date) -> None:
    week = week_ending(last, ZONE)
    assert week.last_day == last
    assert week.end - week.start in {timedelta(days=7), timedelta(days=7, hours=1), timedelta(days=7, hours=-1)}
    assert week.holds(week.start)
    assert not week.holds(week.end)
    assert not week.holds(None)


def test_the_same_facts_have_not_changed() -> None:
    assert changes_since(FACTS, copy.deepcopy(FACTS)) == ()
    assert since_sentence(FACTS, copy.deepcopy(FACTS)).startswith("Nothing has changed since")


def test_a_change_is_said_with_both_numbers() -> None:
    later = changed(rows={"labelled": 990})
    assert changes_since(FACTS, later) == ("label coverage 97.0 % → 99.0 %",)
    assert since_sentence(FACTS, later) == "Numbers have changed since: label coverage 97.0 % → 99.0 %."


def test_another_metric_in_alarm_is_a_change_of_metric_and_value() -> None:
    loss = changed(
        performance={"metric": "log_loss", "label": "Log-loss", "now": {**FACTS["label_rate"], "value": 0.9}}
    )
    assert changes_since(FACTS, loss) == ("ROC AUC within the day 0.646 → Log-loss 0.900",)
    assert changes_since(FACTS, changed(performance=None)) == ("ROC AUC within the day 0.646 → performance —",)


def test_a_detail_that_is_no_key_number_is_still_told() -> None:
    later = changed(watch={"restarts": 1})
    assert changes_since(FACTS, later) == ()
    assert since_sentence(FACTS, later).startswith("Details have changed since")


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("flight-delay", "flight-delay-week-to-2013-06-01.html"),
        ("../../etc/passwd", "etc-passwd-week-to-2013-06-01.html"),
        ("<b>\u202e", "b-week-to-2013-06-01.html"),
        ("\u00e9", "model-week-to-2013-06-01.html"),
    ],
)
def test_a_file_name_is_safe_whatever_the_model_is_called(model: str, name: str) -> None:
    week = week_ending(date(2013, 6, 1), ZONE)
    line = ReportLine("id", ReportKind.WEEKLY, model, week, "0" * 64, "user:lead", NOON)
    assert Report(line, FACTS).file_name() == name


def test_every_number_of_the_performance_sentence_carries_interval_n_and_days() -> None:
    first, against, *_ = words.performance(FACTS)
    assert first == (
        "Tells yes from no: ROC AUC within the day is 0.646 [0.616, 0.676] over the last 28 ripe days "
        "(n 5,644, 95 % interval over days)."
    )
    assert against == "That is 0.013 worse than its reference 0.659, which lies inside the interval."


def test_a_regression_is_said_in_the_unit_of_its_label() -> None:
    told = {**FACTS["performance"]["now"], "value": 9.8249, "low": 9.31, "high": 10.33}
    mean = {
        **FACTS["metrics"][0],
        "metric": "label_mean",
        "label": "Mean label",
        "value": 12.5,
        "low": 11.0,
        "high": 14.0,
    }
    facts = changed(
        performance={"metric": "mae", "label": "MAE", "higher_is_better": False, "decimals": 2, "unit": "min",
                     "now": told, "reference": 9.2, "bound": 10.1, "week_before": None},
        label_rate=None, metrics=[mean], reference={"label_rate": 12.1},
    )  # fmt: skip
    said = words.performance(facts)
    assert said[0].startswith("Distance from the truth: MAE is 9.82 min [9.31, 10.33] over the last 28 ripe days")
    assert said[1] == "That is 0.62 min worse than its reference 9.20 min, which lies outside the interval."
    assert said[2].startswith("Its harm bound is 10.10 min;")
    assert "The mean label is 12.50 min [11.00, 14.00] over 28 ripe days" in words.labels(facts)[-1]
    assert words.evidence(facts)[0]["value"] == "12.50 min"
    assert "12.10 min in the reference." in words.labels(facts)[-1]


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        (FACTS, "Next: approve or reject v3, proposed by Scientist."),
        (
            changed(proposals=[{**FACTS["proposals"][0], "state": "approved"}]),
            "Next: promote v3, proposed by Scientist.",
        ),
        (
            changed(proposals=[], verdict={"health": "harmed"}),
            "Next: look into the alert, and retrain if its cause lasts.",
        ),
        (changed(proposals=[], verdict={"health": "ok"}), ""),
    ],
)
def test_the_next_step_follows_from_what_waits_and_how_the_model_is(facts: dict[str, Any], said: str) -> None:
    assert words.next_step(facts) == said


def test_the_inputs_that_moved_are_the_same_number_everywhere_and_the_score_is_none_of_them() -> None:
    facts = changed(inputs={"watched": 14, "moved": ["temp", "(score)"]})
    assert words.inputs(facts)[0].startswith("1 of 14 inputs moved")
    page = reports.html(facts)
    assert ">1 of 14<" in page
    assert "2 of 14" not in page


@pytest.mark.parametrize(
    ("moved", "beyond", "number", "said"),
    [
        (["temp"], ["temp"], "1 of 14 inputs moved beyond the usual swing in ", ""),
        (["temp"], [], "1 of 14 inputs moved beyond the usual swing over the windows up to ", "temp was within it."),
        ([], ["temp"], "None of 14 inputs moved", "which does not count as moved yet."),
    ],
)
def test_what_counts_as_moved_is_what_the_health_word_goes_by(
    moved: list[str], beyond: list[str], number: str, said: str
) -> None:
    """The verdict read "temp moved" beside "None of 14 inputs moved": the last windows, and the last one alone."""
    facts = changed(inputs={"watched": 14, "moved": moved, "beyond": beyond, "odd": [], "not_computable": 0})
    first, *rest = words.inputs(facts)
    assert first.startswith(number)
    assert [one for one in rest if not one.startswith("Moved inputs alone")] == ([] if not said else [rest[0]])
    assert not said or rest[0].endswith(said)
    assert f">{len(moved)} of 14<" in reports.html(facts)


def test_the_gates_of_a_report_carry_the_unit_of_the_labels() -> None:
    one = {"metric": "mae", "value": -4.84, "low": -5.29, "high": -4.39, "limit": 1.5, "relation": "<", "decimals": 2,
           "difference": True}  # fmt: skip
    assert (
        words.measure_value({**one, "unit": "min"}) == "\N{MINUS SIGN}4.84 min [\N{MINUS SIGN}5.29, \N{MINUS SIGN}4.39]"
    )
    assert words.measure_limit({**one, "unit": "min"}) == "< 1.50 min"
    assert words.measure_limit(one) == "< 1.50"  # of a report that was frozen before units were kept


def test_an_overridden_gate_counts_and_is_called_overridden_everywhere() -> None:
    first, second = changed()["gates"]
    lifted = {**first, "state": "overridden", "reason": "Overridden by ann and bob on 02 Jun 2013: a trial."}
    lifted["measures"] = [{**first["measures"][0], "state": "waiting", "reason": "Not measured yet."}]
    facts = {**changed(), "gates": [lifted, second]}
    assert words.gates(facts) == "v1 is through 2 of 2 required gates, 1 of them overridden."
    why = "Overridden by ann and bob on 02 Jun 2013: a trial. Measured: Not measured yet."
    assert words.gate_reason(lifted, lifted["measures"][0]) == why
    assert "gates passed 2 of 2 → 2 of 2, 1 overridden" in changes_since(changed(), facts)
    assert why in reports.html(facts)


def test_better_and_worse_follow_the_direction_of_the_metric() -> None:
    loss = changed(performance={"higher_is_better": False})
    assert "0.013 better than" in words.performance(loss)[1]


@pytest.mark.parametrize(
    ("facts", "said", "expected"),
    [
        (changed(rows={"n": 0, "labelled": 0}), words.labels, "Label coverage: not known, because no row was scored"),
        (changed(label_rate=None), words.labels, "Label rate: not known, because no day has ripe labels."),
        (changed(inputs={"watched": 0, "moved": []}), words.inputs, "Inputs: not known, because"),
        (changed(performance={"now": None}), words.performance, "not known, because no day up to the end"),
        (changed(version=None), words.gates, "Gates: not known, because no version is live."),
        (changed(served=[], rows={"n": 0}), words.served, "No version was served in this week."),
        (changed(served=[], rows={"n": 2_941}), words.served, "Which version was live in this week is not recorded"),
    ],
)
def test_what_is_not_known_is_said_with_its_reason(facts: dict[str, Any], said: Any, expected: str) -> None:
    text = said(facts)
    assert expected in (text if isinstance(text, str) else " ".join(text))


@pytest.mark.parametrize(
    ("window", "cluster", "line", "labels", "before"),
    [
        ("hour", "day", "168 ripe hours", "168 judged hours", "168 ripe hours before"),
        ("week", "week", "8 ripe weeks", "1 judged week", "1 ripe week before"),
        ("batch", "batch", "8 ripe batches", "1 judged batch", "1 ripe batch before"),
    ],
)
def test_a_report_counts_in_the_windows_that_its_model_is_judged_by(
    window: str, cluster: str, line: str, labels: str, before: str
) -> None:
    many = int(line.split(maxsplit=1)[0])
    back = int(before.split(maxsplit=1)[0])
    told = {**FACTS["performance"]["now"], "n_days": many}
    facts = changed(
        performance={**FACTS["performance"], "metric": "mae", "label": "MAE", "trailing_days": many, "now": told,
                     "week_before": {**FACTS["performance"]["week_before"], "back": back}},
        rows={"n": 1000, "labelled": 970, "days": int(labels.split(maxsplit=1)[0]), "ripe_days": 1},
    )  # fmt: skip
    facts["cadence"] = {"window": window, "cluster": cluster, "basis": f"Judged by the {window}."}
    said = " ".join((*words.performance(facts), *words.labels(facts), *words.how(facts)))
    assert f"{line} (n 5,644, 95 % interval over {plural_of(cluster)})" in said
    assert f"in {labels}" in said
    assert f"{before} it was" in said
    assert f"judged {window} by {window}" in said
    assert ("ripe day" in said) is (window == "hour"), "hours of one day belong together"
    assert "calendar days" not in said
    sent = "".join(words.how(facts))
    assert sent.startswith(f"Judged by the {window}.")
