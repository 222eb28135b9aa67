"""A level is chosen by its name; a recipient gets one, and a schedule keeps it."""

from __future__ import annotations

import pytest

from mlops_dash.domain.reports.levels import LEVEL_HELP, LEVEL_LABELS, Level, level_of
from mlops_dash.domain.reports.plans import Plan, addressed
from mlops_dash.domain.reports.snapshot import ReportKind
from mlops_dash.errors import InvalidInput


def test_every_level_has_its_words() -> None:
    assert set(LEVEL_LABELS) == set(LEVEL_HELP) == set(Level)


@pytest.mark.parametrize("name", ["", "boss", "executive summary", "<b>audit</b>"])
def test_another_name_is_refused_with_the_levels_there_are(name: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        level_of(name)
    assert "executive, technical, audit" in refused.value.hint


def test_each_recipient_has_a_level_and_a_channel_may_be_called_anything() -> None:
    found = addressed("board@x.org as Executive\nchannel:known as risk; risk@x.org as audit, team@x.org")
    assert found == {
        "board@x.org": Level.EXECUTIVE,
        "channel:known as risk": Level.TECHNICAL,
        "risk@x.org": Level.AUDIT,
        "team@x.org": Level.TECHNICAL,
    }


def test_one_recipient_at_two_levels_is_refused() -> None:
    with pytest.raises(InvalidInput, match=r"ada@x\.org is named at two levels"):
        addressed("ada@x.org as audit, ada@x.org")


def test_a_plan_keeps_the_levels_of_those_it_is_sent_to_and_one_of_before_has_none() -> None:
    plan = Plan(ReportKind.FLEET, to=("a@x.org", "b@x.org"), levels={"a@x.org": Level.AUDIT, "gone@x.org": Level.AUDIT})
    kept = plan.arguments()
    assert kept["report"]["levels"] == {"a@x.org": "audit"}
    assert Plan.of(kept).said_to == ("a@x.org as audit", "b@x.org")
    del kept["report"]["levels"]
    assert Plan.of(kept).level_for("a@x.org") is Level.TECHNICAL


def test_a_plan_with_an_unknown_level_is_named() -> None:
    kept = Plan(ReportKind.FLEET, to=("a@x.org",)).arguments()
    kept["report"]["levels"] = {"a@x.org": "boss"}
    with pytest.raises(InvalidInput, match="There is no level 'boss'"):
        Plan.of(kept)
