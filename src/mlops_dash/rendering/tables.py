"""A table as CSV, XLSX, Markdown or LaTeX: whatever a name or value holds, it stays text and never becomes a command.

CSV and XLSX keep every digit; Markdown and LaTeX round as the page does. The XLSX writer is our own: one sheet, texts
inline (a spreadsheet never reads them as formulas), numbers as numbers, moments as dates.
"""

from __future__ import annotations

import csv
import io
import math
import re
import zipfile
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import Final
from xml.sax.saxutils import escape

from mlops_dash.domain.experiments.frame import number_text
from mlops_dash.domain.experiments.tables import Cell, Heading, Spread, Table, TableFormat

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n")
_PARTS: Final = ("mean", "sd", "low", "high")
_ILLEGAL: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")  # XML 1.0 has no place for them
_LONGEST: Final = 32_767  # signs in a cell of a spreadsheet
_EPOCH: Final = datetime(1899, 12, 30, tzinfo=UTC)
_ZIPPED_AT: Final = (1980, 1, 1, 0, 0, 0)  # the same table is the same bytes


def written(table: Table, kind: TableFormat) -> bytes:
    """The table in a format; texts are UTF-8."""
    if kind is TableFormat.XLSX:
        return xlsx(table)
    made = {TableFormat.CSV: csv_text, TableFormat.MARKDOWN: markdown, TableFormat.LATEX: latex}[kind](table)
    return made.encode("utf-8", "replace")


# --- CSV --------------------------------------------------------------------------------------------------------------


def csv_text(table: Table) -> str:
    """Comma-separated with a heading line; a spread fills five columns, moments are ISO 8601 in UTC.

    Texts that a spreadsheet would run as a formula get an apostrophe; numbers, negative ones too, stay as they are.
    """
    out = io.StringIO()
    lines = csv.writer(out, lineterminator="\r\n")  # RFC 4180; also makes it quote both signs
    lines.writerow([harmless(one) for one in _wide_labels(table.headings)])
    for row in table.rows:
        lines.writerow([_csv_cell(one) for one in _wide(table.headings, row)])
    return out.getvalue()


def _csv_cell(cell: Cell) -> str | float | int:
    if cell is None:
        return ""
    if isinstance(cell, datetime):
        return f"{cell.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    if isinstance(cell, float) and not math.isfinite(cell):
        return _named(cell)
    return harmless(cell) if isinstance(cell, str) else cell  # type: ignore[return-value]  # no spread is left


def harmless(text: str) -> str:
    r"""Text that no spreadsheet takes for a formula.

    >>> harmless("=1+1"), harmless("-0.5"), harmless("-x")
    ("'=1+1", '-0.5', "'-x")
    """
    if not text.startswith(_FORMULA):
        return text
    try:
        float(text)
    except ValueError:
        return f"'{text}"
    return text.strip()


def _named(value: float) -> str:
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _wide_labels(headings: Iterable[Heading]) -> Iterator[str]:
    for one in headings:
        if one.spread:
            yield from (f"{one.label} {part}" for part in _PARTS)
            yield f"{one.label} n"
        else:
            yield one.label


def _wide(headings: Iterable[Heading], row: Iterable[Cell]) -> Iterator[Cell]:
    for heading, cell in zip(headings, row, strict=True):
        if isinstance(cell, Spread):
            yield from (None if math.isnan(one) else one for one in (cell.mean, cell.sd, cell.low, cell.high))
            yield cell.n
        elif heading.spread:
            yield from (None,) * 5
        else:
            yield cell


# --- XLSX -------------------------------------------------------------------------------------------------------------

_XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_REL = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_FIXED: Final = {
    "[Content_Types].xml": f'{_XML}<Types xmlns="{_PACKAGE}/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Default Extension="xml" ContentType="application/xml"/>'
    '<Override PartName="/xl/workbook.xml" '
    'ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/>'
    '<Override PartName="/xl/styles.xml" '
    'ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.styles+xml"/>'
    '<Override PartName="/xl/worksheets/sheet1.xml" '
    'ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/></Types>',
    "_rels/.rels": f'{_XML}<Relationships xmlns="{_PACKAGE}/relationships">'
    f'<Relationship Id="rId1" Type="{_REL}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
    "xl/_rels/workbook.xml.rels": f'{_XML}<Relationships xmlns="{_PACKAGE}/relationships">'
    f'<Relationship Id="rId1" Type="{_REL}/worksheet" Target="worksheets/sheet1.xml"/>'
    f'<Relationship Id="rId2" Type="{_REL}/styles" Target="styles.xml"/></Relationships>',
    "xl/styles.xml": f'{_XML}<styleSheet xmlns="{_MAIN}">'
    '<numFmts count="1"><numFmt numFmtId="164" formatCode="yyyy\\-mm\\-dd\\ hh:mm:ss"/></numFmts>'
    '<fonts count="2"><font><sz val="11"/><name val="Calibri"/></font>'
    '<font><b/><sz val="11"/><name val="Calibri"/></font></fonts>'
    '<fills count="2"><fill><patternFill patternType="none"/></fill><fill><patternFill patternType="gray125"/></fill>'
    '</fills><borders count="1"><border/></borders>'
    '<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs>'
    '<cellXfs count="3"><xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/>'
    '<xf numFmtId="0" fontId="1" fillId="0" borderId="0" xfId="0" applyFont="1"/>'
    '<xf numFmtId="164" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/></cellXfs>'
    '<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>',
}


def xlsx(table: Table) -> bytes:
    """A workbook of one sheet with a frozen heading row; the same table is the same bytes."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as book:
        made = {"xl/workbook.xml": _workbook(table), "xl/worksheets/sheet1.xml": _sheet(table)}
        for name, content in {**_FIXED, **made}.items():
            part = zipfile.ZipInfo(name, _ZIPPED_AT)
            part.compress_type = zipfile.ZIP_DEFLATED
            book.writestr(part, content.encode())
    return out.getvalue()


def _workbook(table: Table) -> str:
    name = re.sub(r"[\[\]:*?/\\']", " ", _legal(table.title)).strip()[:31] or "runs"
    return (
        f'{_XML}<workbook xmlns="{_MAIN}" xmlns:r="{_REL}"><sheets>'
        f'<sheet name="{escape(name, {chr(34): "&quot;"})}" sheetId="1" r:id="rId1"/></sheets></workbook>'
    )


def _sheet(table: Table) -> str:
    head = (
        f'{_XML}<worksheet xmlns="{_MAIN}"><sheetViews><sheetView workbookViewId="0">'
        '<pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/></sheetView></sheetViews><sheetData>'
    )
    names = f"<row>{''.join(_text_cell(one, 1) for one in _wide_labels(table.headings))}</row>"
    rows = [f"<row>{''.join(map(_xlsx_cell, _wide(table.headings, row)))}</row>" for row in table.rows]
    return f"{head}{names}{''.join(rows)}</sheetData></worksheet>"


def _xlsx_cell(cell: Cell) -> str:
    if cell is None:
        return "<c/>"
    if isinstance(cell, datetime):
        days = (cell.astimezone(UTC) - _EPOCH).total_seconds() / 86_400
        return f'<c s="2"><v>{days!r}</v></c>'
    if isinstance(cell, float | int):
        return f"<c><v>{cell!r}</v></c>" if math.isfinite(cell) else _text_cell(_named(cell))
    return f"<c><v>{cell}</v></c>" if _is_plain_number(str(cell)) else _text_cell(str(cell))


def _is_plain_number(text: str) -> bool:
    """Whether a text is a number that a spreadsheet keeps as it is written: "3" and "-0.1", not "007" or "1_0".

    >>> [_is_plain_number(one) for one in ("3", "-0.1", "007", "1e3", "0.10", "12345678901234567890")]
    [True, True, False, False, False, False]
    """
    if re.fullmatch(r"-?(0|[1-9]\d{0,14})", text):
        return text != "-0"
    return bool(re.fullmatch(r"-?(0|[1-9]\d{0,14})\.\d*[1-9]", text)) and repr(float(text)) == text


def _text_cell(text: str, style: int = 0) -> str:
    said = escape(_legal(text)[:_LONGEST]).replace("\r", "&#13;")
    return f'<c t="inlineStr" s="{style}"><is><t xml:space="preserve">{said}</t></is></c>'


def _legal(text: str) -> str:
    return _ILLEGAL.sub("\ufffd", text)


# --- Markdown and LaTeX -----------------------------------------------------------------------------------------------


def markdown(table: Table) -> str:
    """A pipe table; numbers to the right, a spread as "mean ± half of its interval (n)"."""
    lines = [
        _pipes(_markdown_text(one.label) for one in table.headings),
        _pipes("---:" if one.digits is not None else ":---" for one in table.headings),
    ]
    for row in table.rows:
        pairs = zip(row, table.headings, strict=True)
        lines.append(_pipes(_shown(cell, one, "±", "−", _markdown_text) for cell, one in pairs))
    return "\n".join(lines) + "\n"


def _pipes(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _markdown_text(text: str) -> str:
    r"""Text that stays text in a pipe table.

    >>> _markdown_text("a|b *c* <d>")
    'a\\|b \\*c\\* &lt;d>'
    """
    said = re.sub(r"([\\`*_\[\]|~#])", r"\\\1", _legal(text))
    return " ".join(said.replace("&", "&amp;").replace("<", "&lt;").split())


_LATEX: Final = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "^": r"\textasciicircum{}",
    "_": r"\_", "~": r"\textasciitilde{}", "%": r"\%", "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}",
    "\"": r"\textquotedbl{}", "−": r"$-$", "±": r"$\pm$", "∞": r"$\infty$",
}  # fmt: skip


def latex(table: Table) -> str:
    r"""A booktabs table to be put into a document with \usepackage{booktabs}."""
    sides = "".join("r" if one.digits is not None else "l" for one in table.headings)
    lines = [
        f"% {' '.join(_legal(table.title).split())}: {len(table.rows)} rows; needs \\usepackage{{booktabs}}",
        f"\\begin{{tabular}}{{{sides}}}",
        r"\toprule",
        _latex_row(_latex_text(one.label) for one in table.headings),
        r"\midrule",
    ]
    for row in table.rows:
        pairs = zip(row, table.headings, strict=True)
        lines.append(_latex_row(_shown(cell, one, r"$\pm$", "$-$", _latex_text) for cell, one in pairs))
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}"]) + "\n"


def _latex_row(cells: Iterable[str]) -> str:
    made = list(cells)
    first = (
        f"{{}}{made[0]}" if made and made[0].startswith("[") else made[0] if made else ""
    )  # \\[..] would be a length
    return f"{' & '.join([first, *made[1:]])} \\\\"


def _latex_text(text: str) -> str:
    r"""Text that stays text in LaTeX.

    >>> print(_latex_text("100 % of a_b & {c}"))
    100 \% of a\_b \& \{c\}
    """
    return "".join(_LATEX.get(sign, sign) for sign in " ".join(_legal(text).split()))


def _shown(cell: Cell, heading: Heading, pm: str, minus: str, said: Callable[[str], str]) -> str:
    """A cell as people read it: rounded as on the page, a dash for what is missing."""
    if cell is None:
        return "—"
    if isinstance(cell, Spread):
        if math.isnan(cell.mean):
            return "—"
        mean = _rounded(cell.mean, heading.digits, minus)
        n = f"n {cell.n}" if cell.n == cell.n_runs else f"n {cell.n} of {cell.n_runs}"
        half = cell.high - cell.mean
        return f"{mean} ({n})" if math.isnan(half) else f"{mean} {pm} {_rounded(half, heading.digits, minus)} ({n})"
    if isinstance(cell, datetime):
        return f"{cell.astimezone(UTC):%Y-%m-%d %H:%M}"
    if isinstance(cell, float | int):
        return _rounded(float(cell), heading.digits, minus) if math.isfinite(cell) else said(number_text(cell))
    return said(cell)


def _rounded(value: float, digits: int | None, minus: str) -> str:
    made = f"{value:.{6 if digits is None else digits}f}"
    return (made[1:] if float(made) == 0 else f"{minus}{made[1:]}") if made.startswith("-") else made
