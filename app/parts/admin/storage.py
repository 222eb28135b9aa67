"""What of the prediction log is in tables and what in cold files, and how long everything is kept: tab Storage."""

from __future__ import annotations

import streamlit as st

from app.charts import audit as tables
from app.ui import widgets
from app.ui.context import Frame
from app.ui.text import plain
from mlops_dash.domain import format as fmt
from mlops_dash.domain import retention as rules
from mlops_dash.domain.retention import Retention


def storage_panel(frame: Frame) -> None:
    """Each model's rows, the next run, and the limits."""
    state = frame.read(lambda: frame.services.retention.overview(frame.actor), "storage")
    _troubles(state)
    with widgets.card("storage", "Predictions, answers and labels", _next_run(frame, state)):
        if not state.models:
            widgets.empty(
                "inventory_2", "Nothing is logged yet",
                "Rows stay in the tables while they are new; old ones move to cold files and stay readable.",
                key="storage",
            )  # fmt: skip
        else:
            st.dataframe(
                tables.storage(state.models, frame.zone), key="storage-table", hide_index=True, row_height=32,
                alt="Models by name, with their rows in the tables and in cold files",
            )  # fmt: skip
    with widgets.card("limits", "How long everything is kept", "Decisions, evidence and the ledger are kept for ever"):
        widgets.facts(_limits(frame))
        removable = state.removable.words()
        widgets.note(f"The next run removes: {removable}." if removable else "Nothing is kept for too long.")


def _next_run(frame: Frame, state: Retention) -> str:
    last = f"moved last {frame.ago(state.last)}" if state.last else "never moved yet"
    when = (
        "as soon as the worker runs"
        if state.last is None or state.next <= frame.now
        else fmt.until(frame.now, state.next)
    )
    return f"Old rows: {last}, next {when}; by hand: mlops-dash log retain"


def _troubles(state: Retention) -> None:
    for model, why in state.troubles.items():
        st.error(f"**Old rows of {plain(model)} were not moved.** {plain(why)}", icon=widgets.icon("error"))


def _limits(frame: Frame) -> dict[str, str]:
    settings = frame.services.context.settings
    days = "MLOPS_DASH_{}_DAYS"
    return {
        "Rows in tables": f"{fmt.plural(settings.hot_days, 'day')} after they are ripe ({days.format('HOT')})",
        "Cold files": f"{fmt.plural(settings.cold_days, 'day')} ({days.format('COLD')}), as rows that were kept out",
        "Profiles": f"{fmt.plural(settings.profile_days, 'day')} ({days.format('PROFILE')}), as judged windows",
        "Messages": f"{rules.MESSAGE_DAYS} days, once their alert is over",
        "Sessions": f"{rules.SESSION_DAYS} days after they ended",
        "Logs of jobs": f"{rules.JOB_LOG_DAYS} days; the jobs stay, as they tell where versions come from",
    }
