"""What the gates of the selected version rest on: its checks, and the comparison with the champion; made by a click."""

from __future__ import annotations

import streamlit as st

from app.charts import registry as charts
from app.ui import dialogs, widgets
from app.ui.context import Frame
from app.ui.text import plain
from mlops_dash.domain import format as fmt
from mlops_dash.domain.error_overlap import overlap_sentence
from mlops_dash.domain.evidence import sample_words
from mlops_dash.domain.registry.records import RegistryRoom, Version
from mlops_dash.errors import MlopsDashError


def rival(room: RegistryRoom) -> str:
    """Whom the selected version is judged against, "" for nobody."""
    line = room.line_of(room.selected.id if room.selected else None)
    return "" if line is None else line.against


def buttons(frame: Frame, room: RegistryRoom) -> None:
    """Check the files of the selected version, and compare the rows that were pushed with the champion's."""
    if room.selected is None:
        return
    with st.container(horizontal=True, gap="xsmall", key="measure"):
        if not room.model.elsewhere and _button("Check now", "check", "fact_check", room):
            _check(frame, room.selected)
        if room.champion is not None and room.champion.id != room.selected.id:
            label = f"Compare with {room.champion.label}"
            if _button(label, "compare", "compare_arrows", room):
                _compare(frame, room.selected, room.champion)


def _button(label: str, verb: str, icon: str, room: RegistryRoom) -> bool:
    return widgets.action_button(label, key=verb, why_not=room.why_not[verb], icon_name=icon, tertiary=True)


def _check(frame: Frame, version: Version) -> None:
    said = f"Loading {version.label} in a fresh process and asking its input example; up to a minute or two…"
    try:
        with st.spinner(said, show_time=True):
            found = frame.services.evidence.check_version(frame.actor, version.id)
            asked = frame.services.retraining.check_by_recipe(frame.actor, version.id)
    except MlopsDashError as error:
        st.error(plain(error.sentence()), icon=widgets.icon("error"))
        return
    fine = sum(one.value == 1.0 for one in found)
    own = f" Its recipe's checks run as job {fmt.short(asked)}: see Retraining." if asked else ""
    _again(f"{version.subject} was checked: {fine} of {len(found)} fine.{own}")


def _compare(frame: Frame, version: Version, champion: Version) -> None:
    said = f"Comparing {version.label} with {champion.label} on the rows that both scored…"
    try:
        with st.spinner(said, show_time=True):
            frame.services.evidence.compare_pushed(frame.actor, version.id, champion.id)
    except MlopsDashError as error:
        st.error(plain(error.sentence()), icon=widgets.icon("error"))
        return
    _again(f"{version.subject} was compared with {champion.label}.")


def _again(said: str) -> None:
    dialogs.flash(said)
    st.rerun()


def forest(frame: Frame, room: RegistryRoom) -> None:
    """The newest comparison with the champion, a line a metric."""
    against, rows = rival(room), charts.branches(room.comparisons, room.label_unit)
    if room.selected is None or not against:
        return
    name = room.selected.label
    first = room.comparisons[0] if room.comparisons else None
    sub = ""
    if first is not None:
        known = first.window_start is not None
        window = f", {fmt.period(first.window_start, first.window_end, room.zone)}" if known else ""
        sub = f"Same {sample_words(first.n, first.n_clusters, first.clusters)}{window}; "
        sub += f"{fmt.percent(first.level, 0)} intervals, each metric on a scale of its own, up to the numbers below it"

    def controls() -> None:
        if rows:
            widgets.as_table(charts.forest_table(room.comparisons, candidate=name, champion=against,
                                                 label_unit=room.label_unit), key="forest")  # fmt: skip

    with widgets.card("forest", f"{name} against {against}", sub, controls):
        if not rows:
            why = first.reason if first is not None and first.reason else f"{name} was not compared with {against} yet."
            widgets.empty("compare_arrows", "No comparison to show", why, key="forest")
            return
        widgets.chart(
            charts.forest(rows, frame.tokens, candidate=name, champion=against), key=f"forest-{room.selected.id}",
            height=charts.forest_height(rows), alt=charts.forest_alt(rows, candidate=name, champion=against),
        )  # fmt: skip
        for said in (overlap_sentence(one, room.label_unit) for one in room.comparisons):
            if said:
                widgets.note(said)
