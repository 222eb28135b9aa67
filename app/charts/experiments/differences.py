"""What differs between runs, as an HTML table: one column a run, changed cells tinted. All text is escaped."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import pandas as pd

from app.ui.theme import Tokens
from mlops_dash.domain import format as fmt
from mlops_dash.domain.experiments.differences import DiffBlock, DiffRow


def html(blocks: Sequence[DiffBlock], names: Sequence[str], *, base: int, equal_too: bool) -> str:
    """One table: blocks of facts, the base column named, cells that differ from it tinted and bold."""
    mark = "<span>base</span>"
    heads = "".join(
        f"<th scope='col' title='{escape(name, quote=True)}'>{escape(name)}{mark if at == base else ''}</th>"
        for at, name in enumerate(names)
    )
    body = "".join(_block(one, len(names), base, equal_too=equal_too) for one in blocks)
    head = f"<thead><tr><th scope='col'>Fact</th>{heads}</tr></thead>"
    return f"<div class='dwrap'><table class='diff'>{head}{body}</table></div>"


def _block(block: DiffBlock, n: int, base: int, *, equal_too: bool) -> str:
    rows = [one for one in block.rows if equal_too or one.changed]
    told = sum(any(value is not None for value in one.values) for one in block.rows)
    said = "nothing recorded" if not told else f"{block.n_changed} of {told} differ" if block.n_changed else "all equal"
    head = f"<tr class='dh'><th scope='rowgroup' colspan='{n + 1}'>{escape(block.title)} <span>{said}</span></th></tr>"
    return f"<tbody>{head}{''.join(_row(one, base) for one in rows if any(v is not None for v in one.values))}</tbody>"


def _row(row: DiffRow, base: int) -> str:
    cells = []
    for at, value in enumerate(row.values):
        changed = at != base and value != row.values[base]
        text = escape(fmt.MISSING if value is None else value)
        hint = f" title='{escape(value, quote=True)}'" if value is not None and len(value) > 18 else ""
        cells.append(f"<td class='ch'{hint}><b>{text}</b></td>" if changed else f"<td{hint}>{text}</td>")
    return f"<tr><th scope='row' title='{escape(row.name, quote=True)}'>{escape(row.name)}</th>{''.join(cells)}</tr>"


def sentence(blocks: Sequence[DiffBlock]) -> str:
    """In which blocks the runs differ."""
    said = [f"{one.n_changed} in {one.title.lower()}" for one in blocks if one.n_changed]
    return f"Facts that differ: {', '.join(said)}" if said else "These runs are equal in everything that was recorded"


def table(blocks: Sequence[DiffBlock], names: Sequence[str]) -> pd.DataFrame:
    """All facts, for download or reading as plain text."""
    rows = [
        [block.title, row.name, *(fmt.MISSING if one is None else one for one in row.values)]
        for block in blocks
        for row in block.rows
    ]
    unique = [name if list(names).count(name) == 1 else f"{name} ({at + 1})" for at, name in enumerate(names)]
    return pd.DataFrame(rows, columns=["Kind", "Fact", *unique])


def css(t: Tokens) -> str:
    """The rules of this table."""
    return f"""
.dwrap{{overflow:auto;max-height:32rem}}
.diff{{border-collapse:separate;border-spacing:0;font-size:.9rem;font-variant-numeric:tabular-nums;min-width:100%}}
.diff th,.diff td{{height:28px;padding:0 .6rem;text-align:left;white-space:nowrap;border-bottom:1px solid {t.grid}}}
.diff th,.diff td{{max-width:11rem;overflow:hidden;text-overflow:ellipsis;font-weight:400}}
.diff thead th{{position:sticky;top:0;z-index:2;background:{t.card};color:{t.muted};font-weight:500}}
.diff thead span{{margin-left:.4rem;padding:0 .35rem;border-radius:99px;font-size:.8rem}}
.diff thead span{{background:{t.neutral_tint};color:{t.neutral_text}}}
.diff tr>:first-child{{position:sticky;left:0;background:{t.card};color:{t.muted};z-index:1}}
.diff thead tr>:first-child{{z-index:3}}
.diff .dh th{{color:{t.ink};font-weight:600;padding-top:.5rem;height:34px;max-width:none}}
.diff .dh span{{color:{t.muted};font-weight:400;margin-left:.4rem}}
.diff td.ch{{background:{t.moved_tint};color:{t.ink}}}
.diff td.ch b{{font-weight:600}}
"""
