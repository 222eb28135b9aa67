"""PPTX: opened by its library; text is text, tables are tables, and nothing leaves its slide or its shape."""

from __future__ import annotations

import copy
import hashlib
import io
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pytest
from PIL import Image, ImageFont
from pptx import Presentation

from mlops_dash.domain.reports.files import ReportFormat
from mlops_dash.domain.reports.levels import Level
from mlops_dash.domain.reports.snapshot import Report, ReportKind, ReportLine, Week, sha256_of
from mlops_dash.rendering import reports, slides
from mlops_dash.rendering.document import plain
from tests.factories import NOON
from tests.rendering.facts import FACTS
from tests.rendering.test_reports import EVIL, poisoned

MOST_BYTES = 3_000_000
LONG = "Wartezeit der 'Anrufe' \"außerhalb\" 队列 <b>Nord</b> " * 8
FONT = ImageFont.truetype(str(Path(mpl.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"), 100)


def written(facts: dict[str, Any], level: Level = Level.TECHNICAL) -> bytes:
    week = Week(NOON, NOON, "UTC")
    line = ReportLine("1", ReportKind(facts["kind"]), "queue", week, sha256_of(facts), "user:lee", NOON)
    return reports.written(Report(line, facts), ReportFormat.PPTX, level)


def opened(facts: dict[str, Any], level: Level = Level.TECHNICAL) -> Any:
    return Presentation(io.BytesIO(written(facts, level)))


def frames(deck: Any) -> Iterator[tuple[Any, float, float, float, float, float]]:
    """Each text with the room that it has: frame, slide number, left, top, width, height in points."""
    for number, slide in enumerate(deck.slides, 1):
        for shape in slide.shapes:
            box = [one.pt for one in (shape.left, shape.top, shape.width, shape.height)]
            if getattr(shape, "has_table", False) and shape.has_table:
                for row in shape.table.rows:
                    for cell, column in zip(row.cells, shape.table.columns, strict=True):
                        yield cell.text_frame, number, box[0], box[1], column.width.pt - 8, row.height.pt
            elif shape.has_text_frame:
                yield shape.text_frame, number, *box


def texts(deck: Any) -> str:
    return "\n".join(frame.text for frame, *_ in frames(deck))


def needed(frame: Any, across: float) -> float:
    """How high a frame's text is in a real font, broken between words."""
    high = 0.0
    for paragraph in frame.paragraphs:
        for run in paragraph.runs:
            used = 0.0
            scale, lines = run.font.size.pt / 100, 1
            for word in run.text.split():
                wide = FONT.getlength(word) * scale
                if used and used + wide > across:
                    lines, used = lines + 1, 0.0
                used += wide + FONT.getlength(" ") * scale
                lines += int(used // max(across, 1)) if wide > across else 0
                used %= max(across, 1) if wide > across else 1e9
            high += lines * run.font.size.pt * 1.2
    return high


def many(n: int) -> dict[str, Any]:
    """A review of a model with many columns, alerts and gates, and names in Chinese and with markup."""
    facts = copy.deepcopy(FACTS)
    facts["model"].update(name=f"queue {LONG}", title=LONG)
    facts["verdict"].update(headline=f"MAE 9.82 分钟. {LONG}")
    column, alert, gate = facts["inputs"]["columns"][0], facts["alerts"][0], facts["gates"][0]
    facts["inputs"]["columns"] = [{**column, "name": f"列 {i} <b>{LONG}"} for i in range(n)]
    facts["alerts"] = [{**alert, "title": f"{i} {LONG}"} for i in range(n)]
    facts["gates"] = [{**gate, "name": f"gate {i}", "reason": LONG} for i in range(n)]
    facts["performance"].update(unit="分钟")
    return facts


@pytest.mark.parametrize("facts", [FACTS, poisoned(FACTS), many(8), many(40)], ids=["plain", "markup", "long", "many"])
@pytest.mark.parametrize("level", list(Level))
def test_nothing_leaves_its_slide_and_every_text_fits_its_shape(facts: dict[str, Any], level: Level) -> None:
    deck = opened(facts, level)
    assert (deck.slide_width.pt, deck.slide_height.pt) == (960, 540)
    for slide in deck.slides:
        for shape in slide.shapes:
            assert shape.left.pt >= 0
            assert shape.top.pt >= 0
            assert shape.left.pt + shape.width.pt <= 960.5
            assert shape.top.pt + shape.height.pt <= 540.5, (shape.name, shape.top.pt, shape.height.pt)
    for frame, number, _, _, across, high in frames(deck):
        assert needed(frame, across) <= high + 3, (number, across, high, frame.text[:80])


def test_the_executive_level_is_one_slide_with_the_chart_the_numbers_and_what_is_asked() -> None:
    deck = opened(FACTS, Level.EXECUTIVE)
    (slide,) = deck.slides
    assert slide.shapes.title.text == "Late arrivals"
    said = texts(deck)
    shown = reports.document(FACTS, Level.EXECUTIVE)
    for name, value, of in shown.figures:
        assert {plain(name), value, plain(of)} <= set(said.splitlines())
    assert "Approve or reject v3, proposed by Scientist." in said
    pictures = [one for one in slide.shapes if one.shape_type == 13]
    assert len(pictures) == 1


def test_what_the_page_says_is_on_the_slides_as_text_and_its_tables_as_tables() -> None:
    deck, shown = opened(FACTS), reports.document(FACTS)
    said = texts(deck)
    for section in shown.sections:
        for sentence, link in shown.linked(section):
            assert f"{plain(sentence)} ({link[1]})" in said if link else plain(sentence) in said
    for term, means in shown.terms:
        assert f"{term}: {means}" in said
    tables = [one.table for slide in deck.slides for one in slide.shapes if getattr(one, "has_table", False)]
    wanted = [one["table"] for one in shown.sections if "table" in one]
    assert [[cell.text for cell in one.rows[0].cells] for one in tables] == [one["heads"] for one in wanted]
    assert [len(one.rows) - 1 for one in tables] == [len(one["rows"]) for one in wanted]
    assert tables[-1].cell(1, 2).text == "0.646"
    assert all(slide.shapes.title.text for slide in deck.slides), "outlines and screen readers go by titles"


def test_a_long_table_goes_on_and_loses_no_row() -> None:
    facts = many(40)
    deck = opened(facts)
    rows = [
        row.cells[2].text
        for slide in deck.slides
        for one in slide.shapes
        if getattr(one, "has_table", False) and one.table.cell(0, 2).text == "Alert"
        for row in list(one.table.rows)[1:]
    ]
    assert [int(text.split()[0]) for text in rows] == list(range(40))


def test_names_are_text_whatever_they_look_like() -> None:
    deck = opened(poisoned(FACTS))
    assert EVIL[:25] in texts(deck)


def test_peoples_names_beside_the_chart_are_text_and_level_with_their_bars() -> None:
    facts = copy.deepcopy(FACTS)
    facts["inputs"]["columns"][0]["name"] = "等待时间 <b>"
    deck = opened(facts)
    (slide,) = [one for one in deck.slides if one.shapes.title.text == "Inputs"]
    (picture,) = [one for one in slide.shapes if one.shape_type == 13]
    (name,) = [one for one in slide.shapes if one.has_text_frame and one.text_frame.text == "等待时间 <b>"]
    middle = (name.top.pt + name.height.pt / 2 - picture.top.pt) / picture.height.pt
    image = Image.open(io.BytesIO(picture.image.blob)).convert("RGB")
    row = [image.getpixel((x, int(middle * image.height))) for x in range(image.width)]
    assert sum(pixel == (21, 112, 239) for pixel in row) > image.width / 10, "its bar is in the colour of what moved"
    assert name.left.pt + name.width.pt <= picture.left.pt + picture.width.pt
    assert picture._element.nvPicPr.cNvPr.get("descr").startswith("1 of 3 inputs moved")


def test_the_same_facts_are_the_same_bytes_also_in_another_process() -> None:
    code = (
        "import hashlib; from tests.rendering.test_slides import written; from tests.rendering.facts import FACTS;"
        "print(hashlib.sha256(written(FACTS)).hexdigest())"
    )
    there = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    assert hashlib.sha256(written(FACTS)).hexdigest() == there


def test_eight_charts_stay_small() -> None:
    shown = reports.document(FACTS)
    drawn = [one for one in shown.sections if "picture" in one]
    sections = [{**drawn[n % 2], "title": f"Chart {n}"} for n in range(8)]
    made = slides.presentation(replace(shown, sections=sections, verdict_on=""), sha256=sha256_of(FACTS))
    deck = Presentation(io.BytesIO(made))
    assert sum(one.shape_type == 13 for slide in deck.slides for one in slide.shapes) == 8
    assert len(made) <= MOST_BYTES
