"""Plans of reports: who gets them, as which files, and what counts as a change."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mlops_dash.domain.reports.files import ReportFormat
from mlops_dash.domain.reports.plans import MOST_RECIPIENTS, Plan, formats_of, recipients_of, substance
from mlops_dash.domain.reports.snapshot import ReportKind
from mlops_dash.errors import InvalidInput

PLAN = Plan(ReportKind.CARD, 'O\'Neil "queue" 队列', to=("ada@example.com",), owner="ada", id="p")


def test_a_plan_is_kept_as_it_was_said() -> None:
    assert Plan.of(PLAN.arguments()) == PLAN
    assert PLAN.words() == 'Model card of O\'Neil "queue" 队列'


def test_recipients_stand_once_in_the_order_they_were_typed() -> None:
    assert recipients_of("b@x.org; channel: on call\n a@x.org,b@x.org") == ("b@x.org", "channel:on call", "a@x.org")


@pytest.mark.parametrize(
    "text", ["", " ,\n", "ada", "channel:", "folder:../up", "folder:/etc", "a@b\r\nBcc: c@d", "a b@c"]
)
def test_what_is_no_recipient_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        recipients_of(text)


def test_more_recipients_than_a_list_may_have_are_refused() -> None:
    every = [f"p{n}@x.org" for n in range(MOST_RECIPIENTS)]
    assert len(recipients_of("\n".join(every))) == MOST_RECIPIENTS
    with pytest.raises(InvalidInput, match="too many"):
        recipients_of("\n".join([*every, "one@more.org"]))


def test_formats_are_known_ones_and_html_where_none_is_named() -> None:
    assert formats_of([]) == (ReportFormat.HTML,)
    assert formats_of(["pdf", "json", "pdf"]) == (ReportFormat.PDF, ReportFormat.JSON)
    with pytest.raises(InvalidInput, match="docx"):
        formats_of(["docx"])


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"report": "x"},
        {"report": {"kind": "novel", "to": ["a@b.org"]}},
        {"report": {"kind": "model_card", "to": ["a@b.org"]}},
        {"report": {"kind": "fleet_summary", "to": ["a@b.org"]}, "model": "churn"},
    ],
)
def test_arguments_that_are_no_plan_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(InvalidInput):
        Plan.of(wrong)


def test_more_rows_are_no_change_and_another_state_is() -> None:
    facts = {"key": {"verdict": "cannot tell yet", "ripe days": "3", "units with an outcome": "120"}}
    later = {"key": {**facts["key"], "ripe days": "4", "units with an outcome": "180"}}
    assert substance(facts) == substance(later)
    assert substance(facts) != substance({"key": {**facts["key"], "verdict": "better"}})
    assert replace(PLAN, model="churn") != PLAN
