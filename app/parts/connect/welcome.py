"""The first page of an installation without a model: connect an MLflow server, see the demo, or start empty."""

from __future__ import annotations

import streamlit as st

from app.parts.connect import adopt
from app.ui import widgets
from app.ui.context import Frame
from mlops_dash.domain import format as fmt

_STEPS = (
    ("Registered", "a version, here or elsewhere"),
    ("Evidence", "compared on the same rows"),
    ("Predictions", "by gateway, HTTP or file"),
    ("Labels", "late is fine"),
    ("Gated", "approved by two people"),
)


def show(frame: Frame) -> None:
    """Four ways to begin, and how far a model goes from there."""
    st.html(f"<style>{_css(frame)}</style>")
    st.html(
        "<div class='ch'><h2>No model is known yet</h2><p>Begin in one of four ways. Versions and aliases in MLflow "
        "change only with an approved promotion.</p></div>"
    )
    with st.grid(4, min_column_width=240):
        _file()
        _connect(frame)
        _demo()
        _empty(frame)
    steps = "".join(f"<li><b>{name}</b><span>{what}</span></li>" for name, what in _STEPS)
    with widgets.card(
        "way", "The way of a model", "Each step lights up when it is reached; none raises an alarm before."
    ):
        st.html(f"<ol class='way'>{steps}</ol>")


def _file() -> None:
    with widgets.card("file", "Bring a file", "Nothing to connect, no account", height="stretch"):
        st.markdown("Predictions with their outcomes become a watched model with a verdict:")
        widgets.page_link("files", "Watch a model from a file", icon_name="upload_file")
        st.code("mlops-dash watch predictions.csv --model churn", language=None, wrap_lines=True)


def _connect(frame: Frame) -> None:
    made = frame.services.context.settings
    place = made.mlflow_uri.split("//")[-1].split("@")[-1]
    with widgets.card("connect", "Connect my MLflow", "Any tracking server with a registry", height="stretch"):
        if made.mlflow_is_ours:
            st.markdown("Start with the address of your server:")
            st.code("MLFLOW_TRACKING_URI=https://mlflow.example mlops-dash up", language=None, wrap_lines=True)
        found = frame.services.registry.connection(frame.actor)
        if not found.reachable:
            if widgets.stale(found.reason, key="connection"):
                st.rerun()
            return
        whose = "The server of this installation" if made.mlflow_is_ours else "Your server"
        st.markdown(f"{whose}, `{place}`, answers with {fmt.plural(len(found.unwatched), 'registered model')}.")
        adopt.button(frame, primary=True)
        if not found.unwatched:
            widgets.note("Register a version with any MLflow client; it appears here.")


def _demo() -> None:
    with widgets.card("demo", "See it with real flights", "Every flight out of New York in 2013", height="stretch"):
        st.markdown("Plays their predictions and late labels through the whole loop, in a home of its own:")
        st.code("mlops-dash up --demo", language=None)
        widgets.note("With --fast about five weeks of that traffic.")


def _empty(frame: Frame) -> None:
    uri = frame.services.context.settings.mlflow_uri.split("@")[-1]
    with widgets.card("start", "Start empty", "Train as you always do", height="stretch"):
        st.markdown("Log and register a version with any MLflow client:")
        st.code(f"MLFLOW_TRACKING_URI={uri} python train.py", language=None, wrap_lines=True)
        widgets.note("Then add it from the card of your MLflow.")


def _css(frame: Frame) -> str:
    t = frame.tokens
    return (
        ".way{list-style:none!important;margin:0!important;padding:0!important;display:grid;gap:.75rem;"
        "grid-template-columns:repeat(5,1fr)}"
        f".way li{{margin:0!important;padding-top:.55rem;border-top:2px solid {t.line};display:grid;font-size:.93rem}}"
        f".way b{{font-weight:600}}.way span{{font-size:.86rem;color:{t.muted}}}"
        "@media(max-width:640px){.way{grid-template-columns:1fr 1fr}}"
    )
