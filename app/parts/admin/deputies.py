"""Deputies on Audit & admin, tab Users: who approves in whose name while they are away."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import streamlit as st

from app.charts import audit as tables
from app.shell import session
from app.ui import dialogs, widgets
from app.ui.context import Frame
from mlops_dash.domain import format as fmt
from mlops_dash.domain.access import Permission
from mlops_dash.domain.calendar import day_of, day_start
from mlops_dash.domain.deputies import LONGEST_DAYS, Deputy, named, why_not_end


def deputies_panel(frame: Frame) -> None:
    """Who stands in for whom, for everybody to see; leads and admins name one for themselves."""
    found = frame.services.access.deputies(frame.actor)
    possible = frame.services.access.possible_deputies(frame.actor)
    alone = "" if possible else "Nobody else may judge proposals, so nobody can stand in."
    why_not = frame.why_not(Permission.PROPOSAL_JUDGE) or alone

    def create() -> None:
        if widgets.action_button("Name a deputy…", key="name-deputy", why_not=why_not, icon_name="supervisor_account"):
            _name(frame, possible)

    with widgets.card("deputies", "Deputies", "Who approves in whose name while they are away", create):
        if not found:
            widgets.empty(
                "supervisor_account", "Nobody stands in for anybody",
                "Before a holiday, name somebody who may approve too; the ledger then says who approved for whom.",
                key="deputies",
            )  # fmt: skip
            return
        st.dataframe(
            tables.deputies(found, frame.now, frame.zone), key="deputies-table", hide_index=True, row_height=32,
            alt="Deputies, the latest first",
        )  # fmt: skip
        _end_one(frame, [one for one in found if not why_not_end(frame.actor, one, frame.now)])


def _end_one(frame: Frame, own: Sequence[Deputy]) -> None:
    if not own:
        return
    ids = {one.id: one for one in own}
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="deputy-actions"):
        chosen = ids[
            st.selectbox(
                "Deputy", list(ids), key="deputy", width=280,
                format_func=lambda one: named(ids[one].deputy, ids[one].principal),
            )
        ]  # fmt: skip
        if widgets.action_button("End…", key="end-deputy", icon_name="event_busy"):
            _end(frame, chosen)


def _name(frame: Frame, possible: Sequence[str]) -> None:
    today = day_of(frame.now, frame.zone)

    def fields() -> None:
        st.selectbox("Deputy", possible, key="new-deputy")
        st.date_input("First day", value=today, min_value=today, key="new-deputy-first")
        st.date_input("Last day", value=today + timedelta(days=13), min_value=today, key="new-deputy-last")

    def act(reason: str) -> str:
        first, last = session.get("new-deputy-first"), session.get("new-deputy-last")
        made = frame.services.access.name_deputy(
            frame.actor,
            str(session.get("new-deputy") or ""),
            since=None if first is None or first <= today else day_start(first, frame.zone),
            until=day_start((last or today) + timedelta(days=1), frame.zone),
            reason=reason,
        )
        return f"{made.deputy.removeprefix('user:')} stands in for you until {fmt.instant(made.until, frame.zone)}."

    dialogs.confirm(
        key="name-deputy-dialog",
        title="Name a deputy",
        consequence="While it stands they may approve in your name, once a proposal for the two of you together, and "
        f"never what you or they proposed. The ledger says who for whom. At most {LONGEST_DAYS} days.",
        button="Name the deputy",
        act=act,
        icon="supervisor_account",
        fields=fields,
        placeholder="Why are you away? This goes into the ledger.",
    )


def _end(frame: Frame, one: Deputy) -> None:
    who = named(one.deputy, one.principal)

    def act(reason: str) -> str:
        frame.services.access.end_deputy(frame.actor, one.id, reason=reason)
        return f"{who}: ended."

    dialogs.confirm(
        key=f"end-deputy-{one.id}",
        title=f"End {who}",
        consequence="Nobody approves in the name from now on; what was approved stays.",
        button="End it",
        act=act,
        icon="event_busy",
        facts={"Until": fmt.instant(one.until, frame.zone), "Named because": one.reason},
    )
