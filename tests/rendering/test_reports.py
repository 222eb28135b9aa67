"""The file: the same bytes each time, nothing but text from outside, no script, no request, and all it must say."""

from __future__ import annotations

import copy
import hashlib
import html
import io
import json
import re
import subprocess
import sys
from datetime import datetime, timedelta
from html.parser import HTMLParser
from typing import Any

import numpy as np
import openpyxl
import pytest

from app.ui.theme import tokens as theme_tokens
from mlops_dash.domain.reports.files import ReportFormat
from mlops_dash.domain.reports.levels import Level
from mlops_dash.domain.reports.sheets import sheets_of
from mlops_dash.domain.reports.snapshot import Report, ReportKind, ReportLine, Week, sha256_of
from mlops_dash.domain.words import TERMS
from mlops_dash.ids import canonical_json
from mlops_dash.rendering import charts, reports, tokens
from tests.rendering.facts import FACTS
from tests.rendering.test_pdf import streams

EVIL = "<script>alert(1)</script>\"'&<img src=x onerror=alert(2)>$\\frac{1}{2}$</style></pre>"
MOST_BYTES = 300_000


class Seen(HTMLParser):
    """Tags with their attributes, and the text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def poisoned(value: Any) -> Any:
    """The facts with every free text replaced by markup."""
    facts = copy.deepcopy(value)
    facts["model"].update(name=EVIL, title=EVIL, owner=EVIL)
    facts["verdict"].update(headline=EVIL, why=EVIL, stale=EVIL)
    facts["inputs"].update(moved=[EVIL], odd=[EVIL])
    facts["performance"]["label"] = EVIL
    for column in facts["inputs"]["columns"]:
        column["name"] = EVIL
    for alert in facts["alerts"]:
        alert.update(title=EVIL, cause=EVIL, owner=EVIL, last_answer=EVIL)
    for event in facts["happened"]["events"]:
        event.update(what=EVIL, about=EVIL, who=EVIL, why=EVIL)
    for one in facts["proposals"]:
        one.update(proposer=EVIL, comment=EVIL, version=EVIL)
    for gate in facts["gates"]:
        gate["measures"][0].update(label=EVIL, method=EVIL, reason=EVIL)
    return facts


def test_the_same_facts_are_the_same_bytes_also_in_another_process() -> None:
    code = (
        "import hashlib; from mlops_dash.rendering import reports; from tests.rendering.facts import FACTS;"
        "print(hashlib.sha256(reports.html(FACTS).encode()).hexdigest())"
    )
    there = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    reports._html.cache_clear()
    assert hashlib.sha256(reports.html(FACTS).encode()).hexdigest() == there


def test_all_text_is_escaped_and_nothing_is_run_or_asked_for() -> None:
    text = reports.html(poisoned(FACTS))
    seen = Seen(text)
    names = {tag for tag, _ in seen.tags}
    assert names.isdisjoint({"script", "img", "iframe", "link", "object", "embed", "form", "base"})
    assert {str(attrs["href"])[0] for tag, attrs in seen.tags if tag == "a"} == {"#"}  # to its own figures alone
    assert not [attrs for _, attrs in seen.tags if any(name.startswith("on") for name in attrs)]
    assert [tag for tag, _ in seen.tags].count("style") == 1
    assert seen.text.count(EVIL) > 15
    links = [value for _, attrs in seen.tags for name, value in attrs.items() if name.split(":")[-1] in {"href", "src"}]
    assert links
    assert all(str(one).startswith("#") for one in [*links, *re.findall(r"url\(([^)]*)\)", text)])
    assert "http://" not in text
    assert "https://" not in text


def test_the_policy_in_the_file_forbids_everything_but_its_own_style() -> None:
    policies = [
        attrs["content"] for tag, attrs in Seen(reports.html(FACTS)).tags if tag == "meta" and "http-equiv" in attrs
    ]
    assert policies == ["default-src 'none'; style-src 'unsafe-inline'; img-src data:"]


def test_the_file_holds_its_facts_and_their_hash() -> None:
    text = reports.html(FACTS)
    facts = re.search(r'<pre id="facts"[^>]*>(.*?)</pre>', text, flags=re.DOTALL)
    assert facts is not None
    read = json.loads(html.unescape(facts[1]))
    assert read == FACTS
    assert sha256_of(read) in text


def test_it_is_small_and_every_drawing_says_its_finding() -> None:
    text = reports.html(FACTS)
    drawings = [attrs for tag, attrs in Seen(text).tags if tag == "svg"]
    assert len(text.encode()) <= MOST_BYTES
    assert [one["class"] for one in drawings] == ["wide", "narrow"] * 2
    assert all(one["role"] == "img" for one in drawings)
    assert all("0.646 [0.616, 0.676]" in str(one["aria-label"]) for one in drawings[:2])


def test_ids_of_the_drawings_are_unique_in_the_file() -> None:
    ids = [attrs["id"] for _, attrs in Seen(reports.html(FACTS)).tags if "id" in attrs]
    assert len(ids) == len(set(ids))


def test_every_part_of_the_review_is_there() -> None:
    text = Seen(reports.html(FACTS)).text
    for words in (
        "Weekly model review", "25 May to 31 May 2013", "Inputs moved", "What happened", "no. 29", "Performance",
        "97.0 %", "8.48", "model score", "Proposals", "Gates of the live version", "≥ 0.600", "Evidence",
        "reading 7a69bef79c88dc90", "How the numbers were computed", "−0.019", "[−0.033, −0.004]", "Check this file",
    ):  # fmt: skip
        assert words in text, words


@pytest.mark.parametrize("part", ["performance", "version", "reference", "label_rate"])
def test_a_review_without_a_part_still_opens(part: str) -> None:
    text = reports.html({**FACTS, part: None})
    assert "Weekly model review" in text


def test_a_line_with_holes_and_a_metric_without_bound_is_drawn() -> None:
    facts = copy.deepcopy(FACTS)
    facts["performance"].update(bound=None, reference=None, awaiting_from=None, ticks=[], week_before=None)
    for point in facts["performance"]["points"][5:9]:
        point[3:] = [None] * 4
    assert reports.html(facts).count("<svg") == 4


def test_a_lone_day_without_rows_is_drawn() -> None:
    facts = copy.deepcopy(FACTS)
    at = facts["week"]["start"]
    facts["performance"].update(
        points=[[at, 0, 0, None, None, None, None]], now=None, week_before=None, bands=[], ticks=[]
    )
    assert "not known" in reports.html(facts).lower()


def by(window: str, step: timedelta) -> dict[str, Any]:
    """The facts of a penguin classifier that is judged by another window."""
    facts = copy.deepcopy(FACTS)
    facts["cadence"] = {"window": window, "cluster": "day", "basis": f"Judged by the {window}."}
    facts["model"].update(name="penguins", title="Which penguin")
    facts["performance"].update(metric="recall:Adélie", label="Recall of Adélie")
    start = datetime.fromisoformat(facts["week"]["start"])
    for n, point in enumerate(facts["performance"]["points"]):
        point[0] = (start + n * step).isoformat()
    return facts


@pytest.mark.parametrize(
    ("window", "step"),
    [
        ("hour", timedelta(hours=1)),
        ("day", timedelta(days=1)),
        ("week", timedelta(days=7)),
        ("batch", timedelta(hours=6)),
    ],
)
def test_a_bar_is_as_wide_as_its_window_and_stands_in_its_middle(window: str, step: timedelta) -> None:
    facts = by(window, step)
    figure = charts._performance(facts["performance"], facts["week"], window, charts.WIDE)
    axes, strip = figure.axes
    days = step / timedelta(days=1)
    bars = list(strip.containers[0])
    assert [bar.get_width() for bar in bars] == pytest.approx([0.8 * days] * 30)
    middles = [(n + 0.5) * days for n in range(30)]
    assert [bar.get_x() + bar.get_width() / 2 for bar in bars] == pytest.approx(middles)
    assert np.asarray(axes.lines[0].get_xdata()).tolist() == pytest.approx(middles)
    assert strip.get_xlim() == pytest.approx((0.0, 30 * days))
    names = [one.get_text() for one in strip.get_xticklabels()]
    assert len(set(names)) == len(names) > 3


def test_tables_of_an_hourly_model_count_hours() -> None:
    facts = by("hour", timedelta(hours=1))
    sheets = {one.name: one.heads for one in sheets_of(kept(facts))}
    assert "Days" not in sheets
    assert sheets["Hours"] == (
        "Hour begins", "Rows", "With label", "Recall of Adélie, the hour alone", "Recall of Adélie, trailing mean",
        "Low", "High",
    )  # fmt: skip
    assert "Hours" in sheets["Metrics"]
    evidence = reports.document(facts).sections[-1]["table"]
    assert evidence["heads"][5] == "Over"
    assert {row[5] for row in evidence["rows"]} == {"28 hours", "59 days", "—"}
    daily = reports.document(FACTS).sections[-1]["table"]
    assert (daily["heads"][5], {row[5] for row in daily["rows"]}) == ("Days", {"28", "59", "—"})


def test_drawings_follow_the_scheme() -> None:
    drawing = charts.performance(FACTS["performance"], FACTS["week"], "day", width=charts.WIDE, alt="x")
    colours = set(re.findall(r"(?<!,)#[0-9a-f]{6}", drawing))
    assert "var(--series,#4f46e5)" in drawing
    assert colours == set()


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_the_colours_are_those_of_the_pages(mode: str) -> None:
    ours, theirs = {"light": tokens.LIGHT, "dark": tokens.DARK}[mode], theme_tokens(mode)
    named = {name: name.replace("-", "_") for name in ours if name not in {"series", "band", "link", "moved-mark"}}
    assert {name: ours[name] for name in named} == {name: getattr(theirs, attr) for name, attr in named.items()}
    assert (ours["series"], ours["moved-mark"]) == (theirs.series[0], theirs.moved)


# --- other formats ----------------------------------------------------------------------------------------------------


def kept(facts: Any) -> Report:
    start, end = (datetime.fromisoformat(facts["week"][name]) for name in ("start", "end"))
    week = Week(start, end, facts["week"]["zone"])
    line = ReportLine("r1", ReportKind.WEEKLY, facts["model"]["name"], week, sha256_of(facts), "user:ann", end)
    return Report(line, facts)


def test_json_has_a_schema_and_the_facts_under_their_hash() -> None:
    read = json.loads(reports.written(kept(FACTS), ReportFormat.JSON))
    assert list(read) == [
        "schema", "schema_version", "kind", "id", "model", "start", "end", "zone", "subject", "sha256", "made_by",
        "made_at", "remarks",
        "facts",
    ]  # fmt: skip
    assert (read["schema"], read["schema_version"], read["kind"]) == ("mlops-dash.report", 1, "weekly_review")
    assert read["facts"] == FACTS
    assert read["sha256"] == sha256_of(read["facts"])


def test_xlsx_has_the_numbers_with_all_digits_and_names_as_texts() -> None:
    facts = copy.deepcopy(FACTS)
    facts["inputs"]["columns"][0].update(name="=HYPERLINK(1)", psi=8.123456789012345)
    facts["alerts"][0]["title"] = "模型 <b>'\""
    book = openpyxl.load_workbook(io.BytesIO(reports.written(kept(facts), ReportFormat.XLSX)))
    assert book.sheetnames == ["About", "Metrics", "Days", "Inputs", "Alerts", "Proposals", "Gates", "What happened"]
    assert all(len(sheet.tables) == 1 for sheet in book.worksheets)
    inputs = {cell.value: cell for cell in book["Inputs"][2]}
    assert inputs["=HYPERLINK(1)"].data_type == "s"
    assert 8.123456789012345 in inputs
    assert "模型 <b>'\"" in [cell.value for cell in book["Alerts"][2]]
    about = dict(book["About"].iter_rows(min_row=2, values_only=True))
    assert (about["health"], about["rows of the week"]) == ("inputs_moved", 1000)
    assert about["from"] == datetime(2013, 5, 25, 4)  # noqa: DTZ001 - a spreadsheet knows no zones; all are UTC
    assert about["facts sha256"] == sha256_of(facts)


def test_markdown_says_what_the_page_says_and_nothing_in_it_is_markup() -> None:
    said = reports.written(kept(FACTS), ReportFormat.MARKDOWN).decode()
    for words in (
        "# Late arrivals",
        "**↗ Inputs moved**",
        "## Performance",
        "| temp | beyond | 8.48 |",
        "[−0.033".replace("[", "\\["),
    ):
        assert words in said, words
    assert len({line.count("|") for line in said.splitlines() if line.startswith("| temp") or "Usual PSI" in line}) == 1
    evil = reports.markdown(poisoned(FACTS))
    assert "<script" not in evil
    assert "<img" not in evil


def test_pdf_says_the_page_in_the_light_colours_with_page_numbers() -> None:
    page = reports._page(canonical_json(FACTS), Level.TECHNICAL, paper=True)
    assert 'counter(page) " / " counter(pages)' in page
    assert page.count("<svg") == 2
    made = reports.written(kept(FACTS), ReportFormat.PDF)
    assert made.startswith(b"%PDF-")
    assert len(made) <= MOST_BYTES
    assert len(re.findall(rb"/Type /Page\b", b"".join(streams(made)))) >= 2


def test_every_term_is_underlined_where_it_stands_and_listed_once_at_the_end() -> None:
    seen = Seen(reports.html(FACTS))
    told = {str(attrs.get("title")) for tag, attrs in seen.tags if tag == "dfn"}
    assert TERMS["ripe day"] in told
    assert TERMS["ROC AUC within the day"] in told
    assert "What the words mean" in seen.text
    listed = seen.text[seen.text.rindex("What the words mean") :]
    assert told == {means for means in TERMS.values() if means in listed}, "neither more nor less than the reader meets"
    assert listed.index(TERMS["PSI"]) < listed.index(TERMS["ripe day"])
    markdown = reports.markdown(FACTS)
    assert markdown.count("## What the words mean") == 1
    assert "**ripe day**" in markdown


BIASED = 'known bias against "older" penguins'


def spoken(facts: dict[str, Any]) -> dict[str, Any]:
    """The facts where people say what is a term of ours."""
    facts["happened"]["events"][0].update(about=BIASED, who=BIASED, why=BIASED)
    facts["alerts"][0].update(last_answer=BIASED)
    facts["proposals"][0].update(proposer=BIASED, comment=BIASED)
    facts["inputs"]["columns"][0]["name"] = "bias"
    facts["gates"][0].update(state="overridden", reason=f"Overridden by Ann: {BIASED}.")
    return facts


def card() -> dict[str, Any]:
    """A model card on which people wrote one field."""
    fields = [{"label": "Known limits", "text": BIASED, "hint": "where it is wrong"},
              {"label": "Use", "text": "", "hint": "what the PSI is for"}]  # fmt: skip
    written = {"filled": 1, "of": 2, "revision": 1, "approved_by": "", "approved_at": None, "edited_by": "Ann",
               "edited_at": "2013-05-25T04:00:00+00:00", "fields": fields}  # fmt: skip
    return {
        "kind": "model_card", "zone": "UTC", "card": written, "version": None, "metrics": [],
        "model": {"name": "penguins", "title": "Which penguin", "owner": "", "tier": 3, "class_names": []},
        "inputs": [{"name": "bias", "kind": "double", "required": True}],
        "verdict": {"concept": "CardState", "word": "incomplete", "said": "1 of 2 fields.", "next": ""},
    }  # fmt: skip


@pytest.mark.parametrize("facts", [spoken(copy.deepcopy(FACTS)), card()], ids=["weekly", "card"])
def test_peoples_own_words_are_not_explained_as_our_terms(facts: dict[str, Any]) -> None:
    seen = Seen(reports.html(facts))
    assert BIASED in seen.text
    told = {attrs.get("title") for tag, attrs in seen.tags if tag == "dfn"}
    assert TERMS["bias"] not in told
    assert TERMS["PSI"] in told, "what we say is explained as before"
    markdown = reports.markdown(facts)
    for text in (seen.text, markdown, Seen(reports._page(canonical_json(facts), Level.TECHNICAL, paper=True)).text):
        assert TERMS["bias"] not in text
        assert TERMS["PSI"] in text
    assert "known bias against" in markdown


def test_a_strangers_metric_is_told_by_its_own_label() -> None:
    spam = {**FACTS, "performance": {**FACTS["performance"], "positive": 'it\'s "spam"'}}
    assert 'Tells it\'s "spam" from the rest: ROC AUC within the day' in Seen(reports.html(spam)).text
    classes = {**FACTS, "performance": {**FACTS["performance"], "metric": "recall:Adélie", "label": "Recall of Adélie"}}
    assert "Finds Adélie: Recall of Adélie is 0.646" in Seen(reports.html(classes)).text
