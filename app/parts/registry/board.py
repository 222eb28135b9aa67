"""The board: of every model which version is where."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from app.ui import widgets
from app.ui.context import Frame
from mlops_dash.domain import format as fmt
from mlops_dash.domain.registry.board import PLACES


def panel(frame: Frame) -> None:
    """The tab; every model, whichever is looked at."""
    rows = frame.read(lambda: frame.services.registry.board(frame.actor), "board", height=400)
    said = "Live is what our ledger says; marks are aliases and stages of MLflow as they were seen last"
    with widgets.card("board", "Which version is where", said):
        shown = pd.DataFrame(
            [
                {
                    "Model": one.model,
                    "Tier": one.tier,
                    **{label: one.said(place) or fmt.MISSING for place, label in PLACES.items()},
                    "Marks in MLflow": one.marks_said or fmt.MISSING,
                    "Live since": fmt.day(one.live_since, frame.zone),
                    "Owner": one.owner or fmt.MISSING,
                }
                for one in rows
            ]
        )
        st.dataframe(shown, key="board-grid", hide_index=True, row_height=34,
                     alt="Every model and which of its versions is where")  # fmt: skip
        away = [one.model for one in rows if not one.reachable]
        if away:
            widgets.note(
                f"MLflow did not answer at the last look; marks of {fmt.plural(len(away), 'model')} may be old."
            )
        widgets.note("A version moves here by its proposal; marks that others moved stand on the model's own page.")
