"""Audit & admin: what was decided, by whom and why, and proof of it; models, policies, users, tokens, storage.

Deep links: ?tab=&actor=&action=&about=&object=&from=&to=&entry=&model=&kind=
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import streamlit as st

from app.charts import audit as tables
from app.parts.admin import accounts, channels, deputies, ledger_files, models, policies, secrets, storage, tokens
from app.shell import address, session
from app.ui import widgets
from app.ui.context import Frame
from app.ui.text import plain
from mlops_dash.domain import format as fmt
from mlops_dash.domain.audit import Choices, Entry, Filter, Page, Verdict, changes, title, who
from mlops_dash.domain.audit_words import sentence

PAGE_SIZE = 20
_ROW, _TALL, _LONG = 32, 66, 64  # px of a row, of one with a text of more than so many letters: there it wraps
_COLUMNS = {
    "#": st.column_config.NumberColumn(width=48, format="%d"),
    "When": st.column_config.TextColumn(width=160),
    "Who did what": st.column_config.TextColumn(width=440),
    "Why": st.column_config.TextColumn(width=440),
}


def page(frame: Frame) -> None:
    """Draw the page."""
    head = frame.services.audit.head(frame.actor)
    number = head.number if head else 0
    with widgets.header("Audit & admin", f"{fmt.plural(number, 'decision')} in the ledger, append-only and sealed",
                        about=fmt.plural(number, "decision")):  # fmt: skip
        if st.button("Verify the ledger", key="verify", icon=widgets.icon("verified_user"), disabled=number == 0):
            session.put("verdict", frame.services.audit.verify(frame.actor))
    _verdict(session.get("verdict"))
    secrets.shown_once()
    panels: dict[str, Callable[[], None]] = {
        "Ledger": lambda: _ledger(frame, empty=number == 0),
        "Models": lambda: models.models_panel(frame),
        "Policies": lambda: policies.policies_panel(frame),
        "Messages": lambda: channels.channels_panel(frame),
        "Users": lambda: _people(frame),
        "Tokens": lambda: tokens.tokens_panel(frame),
        "Storage": lambda: storage.storage_panel(frame),
    }
    address.menu("tab", panels, "Ledger")
    tabs = st.tabs(list(panels), key="tab", on_change=address.picked, args=("tab",))
    for tab, draw in zip(tabs, panels.values(), strict=True):
        if tab.open:
            with tab:
                draw()


def _people(frame: Frame) -> None:
    accounts.users_panel(frame)
    deputies.deputies_panel(frame)


def _verdict(verdict: Verdict | None) -> None:
    if verdict is None:
        return
    if verdict.ok:
        n = fmt.plural(verdict.n_entries, "entry", "entries")
        but = f" But {verdict.reason}." if verdict.reason else ""
        st.success(f"**{n} verified.** The chain is whole and its head is the one kept outside the database.{but}")
        return
    st.error(
        f"**The ledger does not verify: {verdict.sentence()}.** {fmt.plural(verdict.n_entries, 'entry', 'entries')} "
        "before it are whole. Keep the database as it is and compare it with a backup.",
        icon=widgets.icon("gpp_bad"),
    )


def _ledger(frame: Frame, *, empty: bool) -> None:
    if empty:
        widgets.empty(
            "history_edu",
            "No decision has been made yet",
            "Promotions, approvals, answers to alerts and changes of users are written here, with who and why.",
            key="ledger",
        )
        return
    wanted = _filter(frame, frame.services.audit.choices(frame.actor))
    opened = session.param("entry")
    if opened.isdecimal():
        _drawer(frame, frame.services.audit.entry(frame.actor, int(opened)))
    number = session.get("ledger-page", 1)
    found = frame.services.audit.entries(frame.actor, wanted, page=number, size=PAGE_SIZE)
    with widgets.card(
        "ledger", "Decisions", _summary(found, wanted), lambda: ledger_files.exports(frame, wanted, found.total)
    ):
        if not found.entries:
            with widgets.empty("filter_alt_off", "No entry fits these filters", "Widen or clear them.", key="filtered"):
                st.button("Clear filters", key="clear-filters", on_click=_clear)
            return
        _table(frame, found)
        if found.pages > 1:
            st.pagination(found.pages, key="ledger-page")


def _filter(frame: Frame, known: Choices) -> Filter:
    actor, action = address.menu("actor", known.actors, ""), address.menu("action", known.actions, "")
    about = address.menu("about", known.models, "")
    text, start, end = address.text("object"), address.day("from"), address.day("to")
    with st.container(key="filters"), st.grid(6, min_column_width=150):
        st.selectbox("Who", known.actors, index=None, placeholder="Anyone", key="actor", on_change=_narrowed,
                     args=("actor",))  # fmt: skip
        st.selectbox("What", known.actions, index=None, placeholder="Any decision", key="action", on_change=_narrowed,
                     args=("action",))  # fmt: skip
        st.selectbox("Model", known.models, index=None, placeholder="Any model", key="about", on_change=_narrowed,
                     args=("about",))  # fmt: skip
        st.text_input("Object or reason", placeholder="churn v3, or a word of the reason", key="object", type="search",
                      on_change=_narrowed, args=("object",))  # fmt: skip
        st.date_input("From", value=None, min_value=widgets.EARLIEST, key="from", on_change=_narrowed, args=("from",))
        st.date_input("To", value=None, min_value=widgets.EARLIEST, key="to", on_change=_narrowed, args=("to",))
    since, until = _midnight(frame, start), _midnight(frame, end + timedelta(days=1) if end else None)
    return Filter(actor=actor, action=action, model=about, text=text, start=since, end=until)


def _midnight(frame: Frame, day: date | None) -> datetime | None:
    return None if day is None else datetime.combine(day, time(), ZoneInfo(frame.zone)).astimezone(UTC)


def _summary(found: Page, wanted: Filter) -> str:
    entries = fmt.plural(found.total, "entry", "entries")
    return f"{entries}, newest first" if wanted == Filter() else f"{entries} fit the filters, newest first"


def _table(frame: Frame, found: Page) -> None:
    numbers = tuple(entry.number for entry in found.entries)
    key = f"ledger-{numbers[0]}-{numbers[-1]}"  # a selection belongs to these very rows, never to a position
    with st.container(key="narrow"):
        st.html(tables.listing(found.entries, frame.zone))
    with st.container(key="wide"):
        _grid(frame, found, key, numbers)


def _grid(frame: Frame, found: Page, key: str, numbers: tuple[int, ...]) -> None:
    row = _TALL if any(len(one) > _LONG for e in found.entries for one in (e.reason, sentence(e))) else _ROW
    st.dataframe(
        tables.ledger(found.entries, frame.zone),
        key=key,
        hide_index=True,
        column_config=_COLUMNS,
        column_order=tuple(_COLUMNS),  # what changed stands in the entry, where it is not cut
        row_height=row,
        height=35 + row * len(numbers) + 2,
        selection_mode="single-cell",  # a click anywhere in a row opens it
        on_select=lambda: _open(key, numbers),
        alt="Ledger entries, newest first; select one to read the whole entry",
    )


def _open(key: str, numbers: tuple[int, ...]) -> None:
    cells = session.get(key).selection.cells
    session.set_param("entry", str(numbers[cells[0][0]]) if cells else "")


def _drawer(frame: Frame, entry: Entry) -> None:
    def show() -> None:
        st.markdown(f"**{plain(sentence(entry))}**, {frame.ago(entry.at)}")
        if changes(entry):
            widgets.changes_table(changes(entry))
        evidence = ", ".join(fmt.short(one, 12) for one in entry.evidence_ids)
        pairs: dict[str, str] = {
            "When": fmt.instant(entry.at, frame.zone, seconds=True),
            "Recorded": f"{fmt.instant(entry.recorded_at_wall, frame.zone, seconds=True)}, by the machine's clock",
            "What": title(entry.action),
            "By": who(entry.actor),
            "Object": entry.object,
            "Model": entry.model or fmt.MISSING,
            "Reason": entry.reason or fmt.MISSING,
            "Evidence": widgets.Mono(evidence or fmt.MISSING),
            "Seal": widgets.Mono(fmt.short(entry.mac, 24)),
            "Hangs on": widgets.Mono(fmt.short(entry.previous, 24)),
        }
        widgets.facts(pairs)

    widgets.drawer(f"Entry {entry.number}", show, icon_name="history_edu", on_close=_close)


def _close() -> None:
    session.set_param("entry", "")


def _narrowed(key: str) -> None:
    address.picked(key)
    session.put("ledger-page", 1)


def _clear() -> None:
    address.turn(dict.fromkeys(("actor", "action", "about", "object", "from", "to"), ""))
    session.put("ledger-page", 1)
