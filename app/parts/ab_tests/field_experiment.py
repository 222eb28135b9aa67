"""The published field experiment on the A/B page: read at its fixed end, nothing to decide."""

from __future__ import annotations

import streamlit as st

from app.charts.ab_tests import field_experiment as charts
from app.charts.ab_tests import figures
from app.ui import widgets
from app.ui.context import Frame
from mlops_dash.domain import format as fmt
from mlops_dash.domain.ab_tests.analysis import FieldExperiment


def draw(frame: Frame) -> None:
    """The experiment, its effect, its readings."""
    found = frame.services.ab_tests.published(frame.actor)
    with widgets.card("published", ""):
        st.badge("Published field experiment, read only", icon=widgets.icon("menu_book"), color="violet")
        st.markdown(f"**{charts.headline(found)}**")
        widgets.note(f"{found.question} {charts.strata_words(found)}")
    if found.missing:
        widgets.empty("folder_off", "The rows are not here", found.missing, key="published")
        return
    left, right = st.columns([6, 6], gap="small")
    with left:
        _replies(frame, found)
    with right:
        _effects(frame, found)
    _method(found)


def _replies(frame: Frame, found: FieldExperiment) -> None:
    def controls() -> None:
        widgets.as_table(charts.replies_table(found), key="replies")

    with widgets.card(
        "replies", "Replies by arm", "Share of e-mails answered, 95 % interval", controls, height="stretch"
    ):
        widgets.chart(
            charts.replies_figure(found, frame.tokens), key="replies", alt=charts.replies_alt(found), height=374
        )


def _effects(frame: Frame, found: FieldExperiment) -> None:
    rows = charts.effects(found)

    def controls() -> None:
        widgets.as_table(charts.effects_table(rows), key="effects")

    sub = "Another district minus own, 95 % interval"
    with widgets.card("effects", "Difference, five readings", sub, controls, height="stretch"):
        widgets.chart(
            figures.forest_figure(rows, frame.tokens, left="fewer replies", right="more", percent=True), key="effects",
            alt=charts.replies_alt(found), height=figures.forest_height(rows),
        )  # fmt: skip


def _method(found: FieldExperiment) -> None:
    whole, adjusted = found.whole, found.adjusted
    if whole is None or adjusted is None:
        return
    effect = whole.effects[0]
    with widgets.card("published-method", "How it is read"):
        widgets.facts({
            "Relative": f"{fmt.percent(effect.relative.value)} "
            f"[{fmt.percent(effect.relative.low)}, {fmt.percent(effect.relative.high)}]",
            "p": f"{fmt.p_value(effect.p_value)}, {effect.method}",
            "Sample ratio": f"{fmt.whole(whole.arms[0].n)} to {fmt.whole(whole.arms[1].n)}, planned 50:50, "
            f"p = {fmt.p_value(whole.srm_p)}",
            "Covariate": f"{found.covariate}: saves {fmt.percent(adjusted.variance_reduction)} of the variance",
            "Stratified": "by whether the legislator is Black, weighted by e-mails",
            "Source": found.source,
            "Again": widgets.Mono(
                "mlops-dash ab data/black_politicians.parquet --variant treat_out --metric responded"
            ),
        })  # fmt: skip
