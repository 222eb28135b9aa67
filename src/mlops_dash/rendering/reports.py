"""A kept report as a file: HTML, PDF, Markdown, JSON, XLSX, PPTX. Same facts, same text; nothing here knows the time.

The HTML has no script and asks nobody for anything. All text is escaped by the template; only the drawings of `charts`
are put in as they are.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from mlops_dash.domain.reports.files import ReportFormat
from mlops_dash.domain.reports.levels import Level
from mlops_dash.domain.reports.remarks import REMARK_LABELS, Remark
from mlops_dash.domain.reports.sheets import remark_sheets, sheets_of
from mlops_dash.domain.reports.snapshot import Facts, Report, ReportKind, as_json, sha256_of
from mlops_dash.domain.words import defined
from mlops_dash.ids import canonical_json
from mlops_dash.rendering import ab_result, card, fleet, promotion, tokens, weekly
from mlops_dash.rendering.document import Cell, Document, anchor, is_own, plain
from mlops_dash.rendering.levels import ask, at_level
from mlops_dash.rendering.tables import markdown_text
from mlops_dash.rendering.workbook import Sheet, workbook

WIDTHS = (720, 340)  # CSS pixels: a chart is drawn for wide and narrow screens
_DOCUMENTS: Mapping[ReportKind, Callable[[Facts], Document]] = {
    ReportKind.WEEKLY: weekly.document,
    ReportKind.PROMOTION: promotion.document,
    ReportKind.AB_RESULT: ab_result.document,
    ReportKind.FLEET: fleet.document,
    ReportKind.CARD: card.document,
}


def written(
    report: Report, kind: ReportFormat, level: Level = Level.TECHNICAL, remarks: Sequence[Remark] = ()
) -> bytes:
    """The report in a format; texts are UTF-8. A workbook and JSON hold all facts, whoever reads them.

    Raises:
        Unavailable: a PDF is asked for, and this machine cannot make one.
    """
    if kind is ReportFormat.XLSX:
        return workbook([Sheet(one.name, one.heads, one.rows) for one in (*sheets_of(report), *remark_sheets(remarks))])
    if kind is ReportFormat.PPTX:
        from mlops_dash.rendering import slides  # it loads matplotlib and lxml: only who asks for slides pays it

        shown = document(report.facts, level)
        return slides.presentation(shown, sha256=sha256_of(report.facts), remarks=[_remark(one) for one in remarks])
    if kind is ReportFormat.PDF:
        from mlops_dash.rendering import pdf  # it loads Pango: only who asks for a PDF pays it

        facts = canonical_json(report.facts)
        carried = "" if level is Level.EXECUTIVE else facts
        return pdf.pdf(_page(facts, level, tuple(remarks), paper=True), facts=carried)
    if kind is ReportFormat.JSON:
        text = json.dumps(as_json(report, remarks), indent=1, ensure_ascii=False) + "\n"
    else:
        write = markdown if kind is ReportFormat.MARKDOWN else html
        text = write(report.facts, level, remarks)
    return text.encode("utf-8", "replace")


def _remark(one: Remark) -> str:
    return f"{REMARK_LABELS[one.kind]} by {one.name}, {one.at:%Y-%m-%d %H:%M} UTC: {one.text}"


def document(facts: Facts, level: Level = Level.TECHNICAL) -> Document:
    """What a reader sees, by the kind of the facts and for whom it is written."""
    return at_level(_DOCUMENTS[ReportKind(facts["kind"])](facts), facts, level)


# --- HTML -------------------------------------------------------------------------------------------------------------


def html(facts: Facts, level: Level = Level.TECHNICAL, remarks: Sequence[Remark] = ()) -> str:
    """One file that opens offline and prints on A4; its colours follow the reader's device.

    It carries its facts as text, but at the executive level: that reader gets one page, and its hash alone.
    """
    return _html(canonical_json(facts), level, tuple(remarks))


@lru_cache(maxsize=16)
def _html(text: str, level: Level, remarks: tuple[Remark, ...]) -> str:
    return _page(text, level, remarks, paper=False)


def _page(text: str, level: Level, remarks: tuple[Remark, ...] = (), *, paper: bool) -> str:
    facts = json.loads(text)
    shown = document(facts, level)
    return str(
        _template().render(
            document=shown,
            ask=ask(shown) if level is Level.EXECUTIVE else None,
            brief=level is Level.EXECUTIVE,
            remarks=[(REMARK_LABELS[one.kind], one) for one in remarks],
            sha256=sha256_of(facts),
            text=text,
            paper=paper,
            widths=WIDTHS[:1] if paper else WIDTHS,
            light=tokens.declarations(tokens.LIGHT),
            dark=tokens.declarations(tokens.DARK),
        )
    )


@cache
def _template() -> Any:
    folder = Path(__file__).with_name("templates")
    made = Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["explained"] = _explained
    made.filters["anchor"] = anchor
    return made.get_template("report.html.j2")


def _explained(text: Cell) -> Markup:
    """The text with every term of the glossary underlined; pointing at it says its meaning. Own words stay plain."""
    if is_own(text):
        return escape(plain(text))
    pieces = [
        Markup("<dfn title='{}'>{}</dfn>").format(means, piece) if means else escape(piece)
        for piece, means in defined(plain(text))
    ]
    return Markup("").join(pieces)


# --- Markdown ---------------------------------------------------------------------------------------------------------


def markdown(facts: Facts, level: Level = Level.TECHNICAL, remarks: Sequence[Remark] = ()) -> str:
    """Headings, sentences and pipe tables; charts are told by their sentences. Foreign text is never markup."""
    shown, brief = document(facts, level), level is Level.EXECUTIVE
    name = f"{markdown_text(shown.name)} · " if shown.name else ""
    lines = [
        f"# {markdown_text(shown.title)}",
        "",
        f"{markdown_text(shown.kind)} · {name}{markdown_text(shown.about)}",
        "",
        f"**{shown.badge['sign']} {markdown_text(shown.badge['text'])}** {markdown_text(plain(shown.verdict))}",
        "",
    ]
    lines += [markdown_text(plain(shown.next_step)), ""] if shown.next_step and not brief else []
    lines += [
        f"- {markdown_text(plain(what))}: **{markdown_text(value)}** ({markdown_text(plain(of))})"
        for what, value, of in shown.figures
    ]
    if brief:
        lines += ["", "## What we ask you to decide", "", markdown_text(plain(ask(shown)))]
    for section in shown.sections:
        lines += ["", f"## {markdown_text(section['title'])}", ""]
        for sentence in section["said"]:
            lines += [markdown_text(plain(sentence)), ""]
        if "table" in section:
            lines += _pipe_table(section["table"])
    lines += ["", "## How the numbers were computed", ""] if shown.how else [""]
    for sentence in shown.how:
        lines += [markdown_text(sentence), ""]
    if shown.terms and not brief:
        lines += ["## What the words mean", ""]
        lines += [f"- **{markdown_text(term)}**: {markdown_text(means)}" for term, means in shown.terms]
        lines.append("")
    lines += ["## Sign-offs and comments", ""] if remarks else []
    for one in remarks:
        said = _remark(one)
        lines += [f"- {markdown_text(said)}"]
    lines += [""] if remarks else []
    return "\n".join([*lines, f"Facts sha256 `{sha256_of(facts)}`", ""])


def summary(shown: Document) -> str:
    """What a reader must know, as plain text: verdict, next step and the few figures."""
    lines = [f"{shown.title}: {shown.kind}, {shown.about}", "", f"{shown.badge['text']}. {plain(shown.verdict)}"]
    lines += [plain(shown.next_step)] if shown.next_step else []
    lines += ["", *(f"- {plain(what)}: {value} ({plain(of)})" for what, value, of in shown.figures)]
    return "\n".join(lines)


def _pipe_table(table: Mapping[str, Any]) -> list[str]:
    sides = ["---:" if n in table["numeric"] else ":---" for n in range(len(table["heads"]))]
    rows = [[markdown_text(plain(cell)) for cell in row] for row in table["rows"]]
    heads = [markdown_text(one) for one in table["heads"]]
    return [f"| {' | '.join(row)} |" for row in (heads, sides, *rows)]
