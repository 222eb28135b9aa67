"""Tables as an XLSX workbook: a sheet each, a real table with filter and header, whatever a name holds stays text.

Our own writer: texts inline (a spreadsheet never reads them as formulas), numbers as numbers, moments as dates in UTC.
The same tables are the same bytes.
"""

from __future__ import annotations

import io
import math
import re
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from xml.sax.saxutils import escape

Cell = str | float | int | datetime | None

_ILLEGAL: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")  # XML 1.0 has no place for them
_LONGEST: Final = 32_767  # signs in a cell of a spreadsheet
_LONGEST_HEAD: Final = 200
_EPOCH: Final = datetime(1899, 12, 30, tzinfo=UTC)
_ZIPPED_AT: Final = (1980, 1, 1, 0, 0, 0)  # the same table is the same bytes
_NARROWEST, _WIDEST = 8, 60  # signs of a column

_XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_REL = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_STYLES = (
    f'{_XML}<styleSheet xmlns="{_MAIN}">'
    '<numFmts count="1"><numFmt numFmtId="164" formatCode="yyyy\\-mm\\-dd\\ hh:mm:ss"/></numFmts>'
    '<fonts count="2"><font><sz val="11"/><name val="Calibri"/></font>'
    '<font><b/><sz val="11"/><name val="Calibri"/></font></fonts>'
    '<fills count="2"><fill><patternFill patternType="none"/></fill><fill><patternFill patternType="gray125"/></fill>'
    '</fills><borders count="1"><border/></borders>'
    '<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs>'
    '<cellXfs count="3"><xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/>'
    '<xf numFmtId="0" fontId="1" fillId="0" borderId="0" xfId="0" applyFont="1"/>'
    '<xf numFmtId="164" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/></cellXfs>'
    '<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>'
)


@dataclass(frozen=True)
class Sheet:
    """One table: a name, its column heads, and rows with a cell for each."""

    name: str
    heads: Sequence[str]
    rows: Sequence[Sequence[Cell]]


def workbook(sheets: Sequence[Sheet]) -> bytes:
    """The file.

    Args:
        sheets: At least one; names that are the same get a number.
    """
    names = _unlike([_sheet_name(one.name) for one in sheets], most=31)
    heads = [_unlike([_head(one) for one in sheet.heads], most=_LONGEST_HEAD) for sheet in sheets]
    parts = {
        "[Content_Types].xml": _content_types(sheets),
        "_rels/.rels": _relations({"rId1": ("officeDocument", "xl/workbook.xml")}),
        "xl/workbook.xml": _book(names),
        "xl/_rels/workbook.xml.rels": _relations(
            {
                "styles": ("styles", "styles.xml"),
                **{f"rId{n}": ("worksheet", f"worksheets/sheet{n}.xml") for n in range(1, len(sheets) + 1)},
            }
        ),
        "xl/styles.xml": _STYLES,
    }
    for n, (sheet, labels) in enumerate(zip(sheets, heads, strict=True), start=1):
        parts[f"xl/worksheets/sheet{n}.xml"] = _sheet(sheet, labels)
        if sheet.rows:
            parts[f"xl/worksheets/_rels/sheet{n}.xml.rels"] = _relations({"rId1": ("table", f"../tables/table{n}.xml")})
            parts[f"xl/tables/table{n}.xml"] = _table(n, labels, len(sheet.rows))
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as book:
        for name, content in parts.items():
            part = zipfile.ZipInfo(name, _ZIPPED_AT)
            part.compress_type = zipfile.ZIP_DEFLATED
            book.writestr(part, content.encode())
    return out.getvalue()


def legal(text: str) -> str:
    """Text that XML can hold."""
    return _ILLEGAL.sub("\ufffd", text)


def named(value: float) -> str:
    """The word for a number that is none: NaN, Infinity."""
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _content_types(sheets: Sequence[Sheet]) -> str:
    kinds = {"/xl/workbook.xml": "sheet.main", "/xl/styles.xml": "styles"}
    for n, sheet in enumerate(sheets, start=1):
        kinds[f"/xl/worksheets/sheet{n}.xml"] = "worksheet"
        if sheet.rows:
            kinds[f"/xl/tables/table{n}.xml"] = "table"
    overrides = "".join(
        f'<Override PartName="{name}" ContentType="{_TYPE}.{kind}+xml"/>' for name, kind in kinds.items()
    )
    return (
        f'{_XML}<Types xmlns="{_PACKAGE}/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Default Extension="xml" ContentType="application/xml"/>{overrides}</Types>'
    )


def _relations(targets: Mapping[str, tuple[str, str]]) -> str:
    made = "".join(
        f'<Relationship Id="{key}" Type="{_REL}/{kind}" Target="{target}"/>' for key, (kind, target) in targets.items()
    )
    return f'{_XML}<Relationships xmlns="{_PACKAGE}/relationships">{made}</Relationships>'


def _book(names: Sequence[str]) -> str:
    made = "".join(
        f'<sheet name="{_quoted(name)}" sheetId="{n}" r:id="rId{n}"/>' for n, name in enumerate(names, start=1)
    )
    return f'{_XML}<workbook xmlns="{_MAIN}" xmlns:r="{_REL}"><sheets>{made}</sheets></workbook>'


def _sheet(sheet: Sheet, labels: Sequence[str]) -> str:
    head = (
        f'{_XML}<worksheet xmlns="{_MAIN}" xmlns:r="{_REL}"><sheetViews><sheetView workbookViewId="0">'
        '<pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/></sheetView></sheetViews>'
        f"{_widths(sheet, labels)}<sheetData>"
    )
    rows = "".join(f"<row>{''.join(map(_cell, row))}</row>" for row in sheet.rows)
    part = '<tableParts count="1"><tablePart r:id="rId1"/></tableParts>' if sheet.rows else ""
    return f"{head}<row>{''.join(_text(one, 1) for one in labels)}</row>{rows}</sheetData>{part}</worksheet>"


def _widths(sheet: Sheet, labels: Sequence[str]) -> str:
    longest = [len(one) + 3 for one in labels]
    for row in sheet.rows[:500]:
        longest = [max(most, _length(cell)) for most, cell in zip(longest, row, strict=True)]
    made = "".join(
        f'<col min="{n}" max="{n}" width="{min(_WIDEST, max(_NARROWEST, most + 2))}" customWidth="1"/>'
        for n, most in enumerate(longest, start=1)
    )
    return f"<cols>{made}</cols>" if made else ""


def _length(cell: Cell) -> int:
    return 19 if isinstance(cell, datetime) else 12 if isinstance(cell, float) else len(str(cell or ""))


def _table(number: int, labels: Sequence[str], n_rows: int) -> str:
    area = f"A1:{_letters(len(labels))}{n_rows + 1}"
    columns = "".join(f'<tableColumn id="{n}" name="{_quoted(one)}"/>' for n, one in enumerate(labels, start=1))
    return (
        f'{_XML}<table xmlns="{_MAIN}" id="{number}" name="table_{number}" displayName="table_{number}" ref="{area}" '
        f'totalsRowShown="0"><autoFilter ref="{area}"/><tableColumns count="{len(labels)}">{columns}</tableColumns>'
        '<tableStyleInfo name="TableStyleLight1" showFirstColumn="0" showLastColumn="0" showRowStripes="1" '
        'showColumnStripes="0"/></table>'
    )


def _letters(n: int) -> str:
    """The name of the n-th column.

    >>> _letters(1), _letters(26), _letters(27)
    ('A', 'Z', 'AA')
    """
    made = ""
    while n:
        n, rest = divmod(n - 1, 26)
        made = chr(ord("A") + rest) + made
    return made


def _cell(cell: Cell) -> str:
    if cell is None:
        return "<c/>"
    if isinstance(cell, datetime):
        days = (cell.astimezone(UTC) - _EPOCH).total_seconds() / 86_400
        return f'<c s="2"><v>{days!r}</v></c>'
    if isinstance(cell, bool):
        return f'<c t="b"><v>{int(cell)}</v></c>'
    if isinstance(cell, float | int):
        return f"<c><v>{cell!r}</v></c>" if math.isfinite(cell) else _text(named(cell))
    return _text(cell)


def _text(text: str, style: int = 0) -> str:
    said = escape(legal(text)[:_LONGEST]).replace("\r", "&#13;")
    return f'<c t="inlineStr" s="{style}"><is><t xml:space="preserve">{said}</t></is></c>'


def _head(text: str) -> str:
    """A table's column name stands in one line, and an empty one is refused by spreadsheets."""
    return " ".join(legal(text).split())[:_LONGEST_HEAD] or "column"


def _sheet_name(text: str) -> str:
    return re.sub(r"[\[\]:*?/\\'\s]", " ", legal(text)).strip()[:31].strip() or "table"


def _unlike(names: Iterable[str], *, most: int) -> list[str]:
    """Names of which none is another's, whatever their case.

    >>> _unlike(["a", "A", "b"], most=31)
    ['a', 'A 2', 'b']
    """
    made: list[str] = []
    taken: set[str] = set()
    for name in names:
        said, n = name, 1
        while said.casefold() in taken:
            n += 1
            said = f"{name[: most - len(str(n)) - 1]} {n}"
        taken.add(said.casefold())
        made.append(said)
    return made


def _quoted(text: str) -> str:
    return escape(text, {'"': "&quot;"})
