"""The ledger as a file: what the filters let through, by a click."""

from __future__ import annotations

from functools import partial

import streamlit as st

from app.ui import widgets
from app.ui.context import Frame
from mlops_dash.domain import format as fmt
from mlops_dash.domain.audit import Filter


def exports(frame: Frame, wanted: Filter, total: int) -> None:
    """The entries that the filters let through, all pages, as a file."""
    audit, kinds = frame.services.audit, {"csv": "text/csv", "json": "application/json"}
    for kind, mime in kinds.items():
        st.download_button(
            kind.upper(), data=partial(audit.export, frame.actor, wanted, kind=kind), file_name=f"ledger.{kind}",
            mime=mime, key=f"export-{kind}", icon=widgets.icon("download"), type="tertiary", disabled=total == 0,
            on_click="ignore", help=f"All {fmt.plural(total, 'entry', 'entries')} that are shown, oldest first.",
        )  # fmt: skip
