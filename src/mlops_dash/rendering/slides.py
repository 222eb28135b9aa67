"""A report as slides: text that can be edited, tables that are tables, charts as pictures. Same facts, same bytes.

One slide says what must be known; then each section, as many slides as it needs. Nothing may leave its slide: a text
is measured before it is placed (`fitting`), goes on to another slide, or ends in "…" and is whole in the other formats.
Names of people's models and columns are text like any other.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from pptx import Presentation
from pptx.dml.color import RGBColor
from pptx.enum.shapes import MSO_SHAPE
from pptx.enum.text import MSO_ANCHOR, PP_ALIGN
from pptx.util import Pt

from mlops_dash.domain.reports.levels import Level
from mlops_dash.rendering.document import Cell, Document, is_own, plain
from mlops_dash.rendering.fitting import LINE, cut, fitted, height_of, shares, width_of
from mlops_dash.rendering.levels import ask
from mlops_dash.rendering.tokens import LIGHT

WIDTH, HEIGHT = 960, 540  # points: 16 to 9
_LEFT, _TOP, _BOTTOM, _FOOT = 48, 92, 496, 510
_ACROSS = WIDTH - 2 * _LEFT
_TITLE_ONLY = 5  # of the library's own template: a title is what outlines and screen readers go by
_WHEN = (1980, 1, 1, 0, 0, 0)
_TEXT, _SMALL = 14, 10
_CELLS = (11, 10, 9)  # sizes of a table's font: the first at which it stays whole, else the last
_CAPTION, _CHART = 18, 200  # points that a caption takes, and that a chart needs at least
_PAD = 4  # inside a cell, to each side
_FONT, _MONO = "Calibri", "Consolas"
_MOST = 420  # signs of a cell


def presentation(document: Document, *, sha256: str, remarks: Sequence[str] = ()) -> bytes:
    """The document as PPTX.

    Args:
        document: At the level it is written for.
        sha256: Of its facts, which stands at the foot of every slide.
        remarks: Sign-offs and comments, one a sentence, on slides of their own at the end.
    """
    deck = _Deck(document, sha256)
    deck.summary()
    if document.level is not Level.EXECUTIVE:
        for section in document.sections:
            deck.section(section)
        deck.sentences("How the numbers were computed", document.how)
        deck.sentences("What the words mean", [f"{term}: {means}" for term, means in document.terms])
    deck.sentences("Sign-offs and comments", remarks)
    return deck.written()


class _Deck:
    """Slides that are filled from above."""

    def __init__(self, document: Document, sha256: str) -> None:
        self.document = document
        self._sha256 = sha256
        self._file = Presentation()
        self._file.slide_width, self._file.slide_height = Pt(WIDTH), Pt(HEIGHT)
        about = self._file.core_properties
        about.title, about.subject = _plain(document.title)[:250], document.kind
        about.author, about.last_modified_by, about.identifier = "", "", sha256
        about.created = about.modified = datetime(*_WHEN, tzinfo=UTC)
        self._slide: Any = None

    def written(self) -> bytes:
        """The file, with no time of its making in it."""
        held, out = io.BytesIO(), io.BytesIO()
        self._file.save(held)
        with zipfile.ZipFile(held) as made, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as kept:
            for name in made.namelist():
                kept.writestr(zipfile.ZipInfo(name, _WHEN), made.read(name), zipfile.ZIP_DEFLATED)
        return out.getvalue()

    # --- slides -------------------------------------------------------------------------------------------------------

    def summary(self) -> None:
        """What must be known: verdict, what is asked, the numbers; at the executive level the chart beside them."""
        shown = self.document
        brief = shown.level is Level.EXECUTIVE
        drawn = next((one for one in shown.sections if "picture" in one), None) if brief else None
        across = _ACROSS if drawn is None else 400
        self._begin(plain(shown.title))
        name = f"{shown.name} · " if shown.name else ""
        self._text(f"{shown.kind} · {name}{shown.about}", _LEFT, 72, _ACROSS, 34, sizes=(12, 11, 10, 9), ink="muted")
        self._badge(f"{shown.badge['sign']} {shown.badge['text']}", shown.badge["colour"], 116)
        self._text(plain(shown.verdict), _LEFT, 148, across, 120, sizes=(20, 18, 16, 14, 12, 10), bold=True)
        asked = plain(ask(shown)) if brief or shown.next_step else ""
        if asked:
            self._text("What we ask you to decide", _LEFT, 276, across, 18, sizes=(12,), ink="muted")
            self._text(asked, _LEFT, 296, across, 76, sizes=(18, 16, 14, 12, 10), bold=True)
        if drawn is not None:
            self._picture(drawn, left=_LEFT + across + 24, top=112, across=_ACROSS - across - 24, high=258)
        self._tiles(top=386, high=108)

    def section(self, section: Mapping[str, Any]) -> None:
        """A section: its sentences, the chart below them, then its table."""
        said = [
            f"{plain(sentence)} ({link[1]})" if link else plain(sentence)
            for sentence, link in self.document.linked(section)
        ]
        mark, below = self.document.marks[section["title"]], float(_BOTTOM)
        if said:
            below = self.sentences(section["title"], said)
        if "picture" in section:
            if _BOTTOM - below < _CHART:
                self._begin(section["title"])
                below = _TOP
            below = self._picture(section, left=_LEFT, top=below, across=_ACROSS, high=_BOTTOM - below)
        if "table" in section:
            caption = f"{mark['table']}. {section['table']['caption']}"
            self._table(section["title"], caption, section["table"], below=below + 8)

    def sentences(self, title: str, said: Sequence[Cell]) -> float:
        """Sentences below each other, on as many slides as they need; gives where the last one ends."""
        top, waiting = float(_TOP), [cut(plain(one), _TEXT, _ACROSS, _BOTTOM - _TOP) for one in said]
        while waiting:
            slide, high = [waiting.pop(0)], 0.0
            high = height_of(slide[0], _TEXT, _ACROSS) + 6
            while waiting and _TOP + high + height_of(waiting[0], _TEXT, _ACROSS) <= _BOTTOM:
                high += height_of(waiting[0], _TEXT, _ACROSS) + 6
                slide.append(waiting.pop(0))
            self._begin(title)
            self._paragraphs(slide, _LEFT, _TOP, _ACROSS, high, size=_TEXT, gap=6)
            top = _TOP + high
        return top

    def _table(self, title: str, caption: str, table: Mapping[str, Any], *, below: float) -> None:
        """A table below what stands on the slide where it fits there, else on as many slides as it needs."""
        rows = [[_cell(one) for one in row] for row in table["rows"]]
        texts = [list(table["heads"]), *([text for text, _ in row] for row in rows)]
        for start, size in ((start, size) for start in (below, _TOP) for size in _CELLS):
            widths = shares(texts, size, _ACROSS, pad=_PAD)
            heights = [_row_height(row, widths, size, bold=n == 0) for n, row in enumerate(texts)]
            if start + _CAPTION + sum(heights) <= _BOTTOM:
                break
        below = start if start == below else _BOTTOM  # what is left of the slide is too little
        at = 0
        while at < len(rows):
            if at or below + _CAPTION + sum(heights) > _BOTTOM:
                self._begin(title)
                below = _TOP
            end, high = at, heights[0]
            while end < len(rows) and (end == at or below + _CAPTION + high + heights[end + 1] <= _BOTTOM):
                high += heights[end + 1]
                end += 1
            more = "" if len(rows) == end - at else f", rows {at + 1} to {end} of {len(rows)}"
            self._text(f"{caption}{more}", _LEFT, below, _ACROSS, 16, sizes=(_SMALL, 9, 8), ink="muted")
            self._rows(texts[0], rows[at:end], widths, [heights[0], *heights[at + 1 : end + 1]],
                       top=below + _CAPTION, size=size, numeric=table["numeric"])  # fmt: skip
            at = end

    # --- what stands on a slide ---------------------------------------------------------------------------------------

    def _begin(self, title: str) -> None:
        self._slide = self._file.slides.add_slide(self._file.slide_layouts[_TITLE_ONLY])
        text, size = fitted(title, _ACROSS, 44, (26, 22, 18, 15, 12))
        head = self._slide.shapes.title
        head.left, head.top, head.width, head.height = Pt(_LEFT), Pt(26), Pt(_ACROSS), Pt(44)
        _fill(head.text_frame, [text], size=size, bold=True, anchor=MSO_ANCHOR.MIDDLE)
        number = len(self._file.slides)
        tab = cut(self.document.tab, 9, 600, 12)
        self._text(f"{tab} · facts sha256 {self._sha256[:16]}", _LEFT, _FOOT, 760, 16, sizes=(9, 8), ink="muted")
        self._text(str(number), WIDTH - _LEFT - 60, _FOOT, 60, 16, sizes=(9,), ink="muted", align=PP_ALIGN.RIGHT)

    def _text(
        self, text: str, left: float, top: float, across: float, high: float, *, sizes: Sequence[int],
        ink: str = "ink", bold: bool = False, align: Any = PP_ALIGN.LEFT,
    ) -> None:  # fmt: skip
        shown, size = fitted(text, across, high, sizes, bold=bold)
        box = self._slide.shapes.add_textbox(Pt(left), Pt(top), Pt(across), Pt(high))
        _fill(box.text_frame, [shown], size=size, ink=ink, bold=bold, align=align)

    def _paragraphs(
        self, said: Sequence[str], left: float, top: float, across: float, high: float, *, size: int, gap: int
    ) -> None:
        box = self._slide.shapes.add_textbox(Pt(left), Pt(top), Pt(across), Pt(high))
        _fill(box.text_frame, said, size=size, gap=gap)

    def _badge(self, text: str, colour: str, top: float) -> None:
        across = min(_ACROSS, width_of(text, 13) + 24)
        shape = self._slide.shapes.add_shape(MSO_SHAPE.ROUNDED_RECTANGLE, Pt(_LEFT), Pt(top), Pt(across), Pt(24))
        shape.fill.solid()
        shape.fill.fore_color.rgb = _rgb(f"{colour}-tint")
        shape.line.fill.background()
        shape.shadow.inherit = False
        _fill(shape.text_frame, [text], size=13, ink=f"{colour}-text", bold=True, anchor=MSO_ANCHOR.MIDDLE,
              align=PP_ALIGN.CENTER)  # fmt: skip

    def _tiles(self, *, top: float, high: float) -> None:
        figures = self.document.figures
        across = (_ACROSS - 12 * (len(figures) - 1)) / max(1, len(figures))
        for place, (name, value, of) in enumerate(figures):
            left = _LEFT + place * (across + 12)
            shape = self._slide.shapes.add_shape(MSO_SHAPE.RECTANGLE, Pt(left), Pt(top), Pt(across), Pt(high))
            shape.fill.background()
            shape.line.color.rgb, shape.line.width = _rgb("line"), Pt(1)
            shape.shadow.inherit = False
            for text, below, tall, sizes, ink, bold in (
                (plain(name), 6, 30, (11, 10, 9, 8), "muted", False),
                (value, 36, 30, (22, 18, 14, 11), "ink", True),
                (plain(of), 68, 36, (11, 10, 9, 8), "muted", False),
            ):
                self._text(text, left + 8, top + below, across - 16, tall, sizes=sizes, ink=ink, bold=bold)

    def _picture(self, section: Mapping[str, Any], *, left: float, top: float, across: float, high: float) -> float:
        """The chart of a section with its note, as large as fits; gives where it ends."""
        made = section["picture"]()
        note = f"{self.document.marks[section['title']]['chart']}. {plain(section['note'])}"
        below = height_of(note, _SMALL, across) + 4
        scale = min(across / made.width, (high - below - 6) / made.height, 1.2)
        shown = self._slide.shapes.add_picture(
            io.BytesIO(made.png), Pt(left), Pt(top), Pt(made.width * scale), Pt(made.height * scale)
        )
        shown._element.nvPicPr.cNvPr.set("descr", _plain(section["alt"]))
        for name, down in made.names:
            tall = 16 * scale + 4
            end, middle = made.width * scale * made.names_end, top + made.height * scale * down
            self._text(name, left, middle - tall / 2, end - 4, tall, sizes=(11, 10, 9, 8, 7, 6), align=PP_ALIGN.RIGHT)
        self._text(note, left, top + made.height * scale + 4, across, below, sizes=(_SMALL,), ink="muted")
        return float(top + made.height * scale + 4 + below)

    def _rows(
        self, heads: Sequence[str], rows: Sequence[Sequence[tuple[str, Mapping[str, str]]]], widths: Sequence[float],
        heights: Sequence[float], *, top: float, size: int, numeric: Sequence[int],
    ) -> None:  # fmt: skip
        frame = self._slide.shapes.add_table(
            len(rows) + 1, len(heads), Pt(_LEFT), Pt(top), Pt(sum(widths)), Pt(sum(heights))
        )
        table = frame.table
        table.horz_banding = False
        for column, across in zip(table.columns, widths, strict=True):
            column.width = Pt(across)
        for row, high in zip(table.rows, heights, strict=True):
            row.height = Pt(high)
        for y, (line, row) in enumerate(zip(table.rows, [[(head, {}) for head in heads], *rows], strict=True)):
            for x, (cell, (text, how)) in enumerate(zip(line.cells, row, strict=True)):
                cell.margin_left = cell.margin_right = Pt(_PAD)
                cell.margin_top = cell.margin_bottom = Pt(2)
                cell.fill.solid()
                cell.fill.fore_color.rgb = _rgb("surface" if y == 0 else how.get("ground", "page"))
                _fill(cell.text_frame, [text], size=size, ink=how.get("ink", "muted" if y == 0 else "ink"),
                      bold=y == 0, font=how.get("font", _FONT),
                      align=PP_ALIGN.RIGHT if x in numeric else PP_ALIGN.LEFT)  # fmt: skip


def _fill(
    frame: Any, said: Sequence[str], *, size: int, ink: str = "ink", bold: bool = False, gap: int = 0,
    align: Any = PP_ALIGN.LEFT, anchor: Any = MSO_ANCHOR.TOP, font: str = _FONT,
) -> None:  # fmt: skip
    """Put paragraphs into a frame, one format for all; the frame keeps its size."""
    frame.word_wrap = True
    frame.vertical_anchor = anchor
    frame.margin_left = frame.margin_right = frame.margin_top = frame.margin_bottom = 0
    for number, text in enumerate(said):
        paragraph = frame.paragraphs[0] if number == 0 else frame.add_paragraph()
        paragraph.alignment, paragraph.line_spacing = align, Pt(size * LINE)
        paragraph.space_after = Pt(gap)
        run = paragraph.add_run()
        run.text = _plain(text)
        run.font.size, run.font.bold, run.font.name = Pt(size), bold, font
        run.font.color.rgb = _rgb(ink)


def _cell(cell: Cell) -> tuple[str, Mapping[str, str]]:
    """The words of a cell and how they look."""
    text = plain(cell)
    text = text if len(text) <= _MOST else f"{text[: _MOST - 1]}…"
    if isinstance(cell, str) or is_own(cell):
        return text, {}
    if "mono" in cell:
        return text, {"font": _MONO}
    return f"{cell['sign']} {text}", {"ink": f"{cell['colour']}-text", "ground": f"{cell['colour']}-tint"}


def _row_height(texts: Sequence[str], widths: Sequence[float], size: float, *, bold: bool) -> float:
    every = zip(texts, widths, strict=True)
    return max(height_of(text, size, width - 2 * _PAD, bold=bold) for text, width in every) + 5


def _plain(text: str) -> str:
    """What XML can hold: one line, no control signs, no half of a pair."""
    flat = "".join(sign if sign.isprintable() else " " for sign in text)
    return flat.encode("utf-8", "replace").decode()


def _rgb(name: str) -> RGBColor:
    return RGBColor.from_string(LIGHT[name].removeprefix("#"))  # type: ignore[no-any-return, no-untyped-call]
