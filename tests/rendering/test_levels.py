"""The same facts for three readers: one page, all pages, everything; and each sentence leads to its figure."""

from __future__ import annotations

import copy
import html
import re
from typing import Any

import pytest

from mlops_dash.domain.reports.files import ReportFormat
from mlops_dash.domain.reports.levels import Level
from mlops_dash.domain.reports.snapshot import Report, ReportKind, ReportLine, Week, sha256_of
from mlops_dash.ids import canonical_json
from mlops_dash.rendering import reports
from mlops_dash.rendering.document import Document, plain
from mlops_dash.rendering.levels import NOTHING_ASKED, ask
from tests.factories import NOON
from tests.rendering.facts import FACTS
from tests.rendering.test_pdf import streams
from tests.rendering.test_reports import EVIL, Seen, kept, poisoned


def executive(facts: dict[str, Any]) -> Document:
    return reports.document(facts, Level.EXECUTIVE)


def pages(facts: dict[str, Any], level: Level) -> int:
    """How many A4 pages the PDF has."""
    from weasyprint import HTML

    from mlops_dash.rendering.pdf import _light

    return len(HTML(string=_light(reports._page(canonical_json(facts), level, paper=True))).render().pages)


def test_the_executive_level_is_a_verdict_three_numbers_and_what_is_to_be_decided() -> None:
    shown = executive(FACTS)
    assert [value for _, value, _ in shown.figures] == ["0.646", "23.1 %", "−0.019"]
    assert all("95 % interval [" in plain(of) and "n " in plain(of) for _, _, of in shown.figures)
    assert plain(ask(shown)) == "Approve or reject v3, proposed by Scientist."
    assert shown.verdict == reports.document(FACTS).verdict
    assert [one["title"] for one in shown.sections] == ["Performance"]
    assert "table" not in shown.sections[0]
    assert shown.link(shown.next_on) == ("#number-3", "v3: ROC AUC, candidate alone")


def test_the_executive_level_fits_on_one_page_and_the_audit_level_on_more_than_the_technical_one() -> None:
    assert pages(FACTS, Level.EXECUTIVE) == 1
    assert 1 < pages(FACTS, Level.TECHNICAL) < pages(FACTS, Level.AUDIT)


def test_where_nothing_is_to_be_decided_it_says_so() -> None:
    facts = {**FACTS, "proposals": [], "verdict": {**FACTS["verdict"], "health": "ok"}}
    assert plain(ask(executive(facts))) == NOTHING_ASKED
    assert NOTHING_ASKED in reports.html(facts, Level.EXECUTIVE)
    assert NOTHING_ASKED not in reports.html(facts)


def test_a_model_of_which_nothing_is_known_is_said_to_be_not_known_at_every_level() -> None:
    facts = {**FACTS, "performance": None, "label_rate": None, "metrics": [], "proposals": [], "gates": []}
    for level in Level:
        assert "Not known" in Seen(reports.html(facts, level)).text
    assert executive(facts).figures[0][:2] == ("Performance", "Not known")


def test_a_number_without_an_interval_says_so() -> None:
    facts = copy.deepcopy(FACTS)
    facts["performance"]["now"].update(low=None, high=None)
    assert plain(executive(facts).figures[0][2]).startswith("interval not known · n 5,644")


@pytest.mark.parametrize("level", [Level.TECHNICAL, Level.AUDIT])
def test_no_level_changes_the_facts_or_their_hash(level: Level) -> None:
    text = reports.html(FACTS, level)
    facts = re.search(r'<pre id="facts"[^>]*>(.*?)</pre>', text, flags=re.DOTALL)
    assert facts is not None
    assert html.unescape(facts[1]) == canonical_json(FACTS)
    assert sha256_of(FACTS) in text


def test_the_executive_page_carries_no_facts_beyond_itself() -> None:
    entry = {"number": 7, "reason": 'Frau "Novák" <b>急诊</b> waits 90 minutes', "seal": "s"}
    facts = {**FACTS, "ledger": [entry]}
    page = reports.html(facts, Level.EXECUTIVE)
    assert 'id="facts"' not in page
    assert "Nov" not in page.replace("November", "")
    assert sha256_of(facts) in page
    assert "Nov" in reports.html(facts)  # it is there where the page is not the executive's
    made = reports.written(kept(facts), ReportFormat.PDF, Level.EXECUTIVE)
    assert b"facts.json" not in b"".join(streams(made))
    assert b"facts.json" in b"".join(streams(reports.written(kept(facts), ReportFormat.PDF)))


@pytest.mark.parametrize("level", list(Level))
def test_every_sentence_leads_to_a_figure_that_is_there(level: Level) -> None:
    text = reports.html(FACTS, level)
    seen = Seen(text)
    ids = {attrs["id"] for _, attrs in seen.tags if "id" in attrs}
    links = [str(attrs["href"]) for tag, attrs in seen.tags if tag == "a"]
    assert links
    assert {one.removeprefix("#") for one in links} <= ids
    shown = reports.document(FACTS, level)
    assert shown.link(shown.verdict_on)
    assert shown.link(shown.next_on)
    for section in shown.sections:
        if section["title"] == "Ledger":  # these facts were frozen before its rows were kept: nothing to lead to
            continue
        for sentence, link in shown.linked(section):
            assert link is not None, (section["title"], sentence)


def test_figures_and_tables_are_numbered_in_the_order_of_reading() -> None:
    text = reports.html(FACTS, Level.AUDIT)
    tables = [int(one) for one in re.findall(r"<caption>Table (\d+)\.", text)]
    assert tables == list(range(1, len(tables) + 1))
    assert re.findall(r">(Figure \d+)\. ", text) == ["Figure 1", "Figure 2"]


def test_the_audit_level_has_every_method_digest_and_row_of_the_ledger() -> None:
    facts = {
        **FACTS,
        "ledger": [
            {"number": 29, "at": "2013-05-27T13:00:00+00:00", "what": "Proposed", "who": "Lee", "mac": "5e" * 32,
             "sentence": "Lee proposed v3 of 'penguins'", "why": "it finds <b>Adélie</b>"},
        ],
    }  # fmt: skip
    shown = reports.document(facts, Level.AUDIT)
    titles = [one["title"] for one in shown.sections]
    assert titles[: len(reports.document(facts).sections)] == [one["title"] for one in reports.document(facts).sections]
    assert "As kept: Metrics" in titles
    text = Seen(reports.html(facts, Level.AUDIT)).text
    said_there = ("jackknife over days", sha256_of(facts), "fabcd72faeb5e" * 4, "Lee proposed v3 of 'penguins'",
                  "5e" * 32, "it finds <b>Adélie</b>", "What the words mean")  # fmt: skip
    for said in said_there:
        assert said in text, said
    assert sha256_of(facts) not in str(reports.document(facts).sections)


def test_nothing_of_a_persons_is_run_at_any_level() -> None:
    facts = poisoned(FACTS)
    for level in Level:
        text = reports.html(facts, level)
        names = {tag for tag, _ in Seen(text).tags}
        assert names.isdisjoint({"script", "img", "iframe", "link", "object", "embed", "form", "base"})
        assert EVIL in Seen(text).text
        assert "<script" not in reports.markdown(facts, level)


def test_markdown_of_the_executive_level_is_short() -> None:
    text = reports.markdown(FACTS, Level.EXECUTIVE)
    assert "## What we ask you to decide\n\nApprove or reject v3" in text
    assert "## How the numbers were computed" not in text
    assert len(text) < len(reports.markdown(FACTS)) / 3 < len(reports.markdown(FACTS, Level.AUDIT)) / 3


def test_a_file_says_its_level_in_its_name_unless_it_holds_everything_anyway() -> None:
    week = Week(NOON, NOON, "UTC")
    kept = Report(ReportLine("1", ReportKind.WEEKLY, "penguins", week, sha256_of(FACTS), "user:lee", NOON), FACTS)
    assert kept.file_name(ReportFormat.PDF, Level.EXECUTIVE).endswith("-executive.pdf")
    assert kept.file_name(ReportFormat.JSON, Level.EXECUTIVE) == kept.file_name(ReportFormat.JSON)
    for kind in (ReportFormat.JSON, ReportFormat.XLSX):
        assert reports.written(kept, kind, Level.EXECUTIVE) == reports.written(kept, kind, Level.AUDIT)
