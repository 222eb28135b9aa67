"""What of a model's rows cannot be digested: how many, why, and a few of them."""

from __future__ import annotations

from app.ui import widgets
from mlops_dash.domain import format as fmt
from mlops_dash.domain.monitoring.room import AsideGroup, Quarantine

_MOST = 8  # reasons shown; the command lists all


def listing(found: Quarantine | None) -> None:
    """A card with one line a reason; nothing while everything can be digested."""
    if found is None or not found.groups:
        return
    sub = "These values are in no number of this page; all other rows are judged without them."
    with widgets.card("aside", f"Set aside: {fmt.plural(found.rows, 'row')}", sub):
        widgets.facts({_title(one): _said(one) for one in found.groups[:_MOST]})
        more = len(found.groups) - _MOST
        left = f"{fmt.plural(more, 'more reason')}. " if more > 0 else ""
        widgets.note(f"{left}All of them: mlops-dash quarantine --model {found.model}")


def _title(one: AsideGroup) -> str:
    version = f"v{one.version} · " if one.version else ""
    return f"{version}{one.column}: {one.reason}"


def _said(one: AsideGroup) -> str:
    examples = ", ".join(f"{value} ({name})" if value else name for name, value in one.samples)
    where = "" if one.in_log else "; kept out of the log when it came"
    days = sorted({one.first_at.date().isoformat(), one.last_at.date().isoformat()})  # UTC: year 1 has no other zone
    return f"{fmt.plural(one.rows, 'row')}, {' to '.join(days)}{where}. E.g. {examples}"
