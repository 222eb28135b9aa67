"""How often to retrain: versions as of past days, asked for, followed and read on the Retraining page."""

from __future__ import annotations

from datetime import timedelta

import streamlit as st

from app.charts import hindsight as charts
from app.shell import session
from app.ui import dialogs, live, widgets
from app.ui.context import Frame
from app.ui.text import plain
from mlops_dash.domain import format as fmt
from mlops_dash.domain.access import Permission
from mlops_dash.domain.hindsight import Backfill, Hindsight
from mlops_dash.domain.retraining import Room
from mlops_dash.domain.tasks import METRICS
from mlops_dash.errors import MlopsDashError

_STEPS = {"30d": "30 days", "month": "month", "7d": "7 days", "14d": "14 days", "90d": "90 days"}
_LIVE_SECONDS = 2.0


def card(frame: Frame, room: Room, model: str) -> None:
    """The newest backfill of a model, and the button for the next one."""
    known = next(iter(frame.services.retraining.backfills(frame.actor, model)), None)
    with widgets.card("hindsight", "How often to retrain", "Versions as of past days, judged on the rows after them",
                      lambda: _button(frame, room)):  # fmt: skip
        if known is None:
            widgets.empty("history", "No backfill yet",
                          "Train versions as of past days to see never, each time and on alarm side by side.",
                          key="hindsight")  # fmt: skip
        elif known.finished:
            _answer(frame, known)
        else:
            live.fragment(_progress, run_every=_LIVE_SECONDS)(frame, known.id)
            _cancel(frame, known)


def _button(frame: Frame, room: Room) -> None:
    why_not = frame.why_not(Permission.JOB_RUN) or ("" if room.recipes else "There is no recipe to run yet.")
    if widgets.action_button("Backfill…", key="backfill", why_not=why_not, icon_name="history"):
        _ask(frame, room)


def _ask(frame: Frame, room: Room) -> None:
    names = [recipe.name for recipe in room.recipes]

    def read() -> dict[str, str]:
        first, until = session.get("backfill-from"), session.get("backfill-to")
        return {"first": first.isoformat() if first else "", "until": until.isoformat() if until else "",
                "every": str(session.get("backfill-every") or "30d")}  # fmt: skip

    def choices() -> None:
        today = frame.now.date()
        st.selectbox("Recipe", names, key="backfill-recipe")
        left, right = st.columns(2, gap="small")
        left.date_input("First version as of", value=today - timedelta(days=180), max_value=today, key="backfill-from")
        right.date_input("Last window ends", value=today, max_value=today, key="backfill-to")
        left.selectbox("A version every", list(_STEPS), format_func=_STEPS.__getitem__, key="backfill-every")
        right.number_input("Versions at once", min_value=1, max_value=16, value=1, key="backfill-parallel")
        _preview(frame, read())

    def act(reason: str) -> str:
        said = read()
        frame.services.retraining.backfill(
            frame.actor, str(session.get("backfill-recipe")), reason, first=said["first"], until=said["until"],
            every=said["every"], parallel=int(session.get("backfill-parallel") or 1),
        )  # fmt: skip
        return "The backfill is queued, behind everything else."

    dialogs.confirm(
        key="backfill-ask", title="Train versions as of past days", icon="history", button="Start the backfill",
        act=act, choices=choices, placeholder="What do you want to find out? This goes into the ledger.",
        consequence="Each version is registered, scores the logged rows after its training and waits for nobody. "
        "Nothing that serves changes.",
    )  # fmt: skip


def _preview(frame: Frame, asked: dict[str, str]) -> None:
    try:
        plan = frame.services.retraining.planned_backfill(
            frame.actor, str(session.get("backfill-recipe")), first=asked["first"], until=asked["until"],
            every=asked["every"], parallel=int(session.get("backfill-parallel") or 1),
        )  # fmt: skip
    except MlopsDashError as error:
        widgets.note(error.sentence())
        return
    took = (
        "nobody knows how long: it has not run yet"
        if plan.seconds is None
        else f"{fmt.duration(plan.seconds)} by its last run"
    )
    last = plan.cuts[-1]
    widgets.note(
        f"{fmt.plural(len(plan.cuts), 'version')}, {took}. The last one is as of {fmt.day(last.at, frame.zone)} "
        f"and judged until {fmt.day(last.end, frame.zone)}."
        + ("" if plan.cost is None or plan.cost.price_per_hour is None else f" Cost: {plan.cost.words()}.")
    )


def _progress(frame: Frame, backfill_id: str) -> None:
    known = next((one for one in frame.services.retraining.backfills(frame.actor) if one.id == backfill_id), None)
    if known is None or known.finished:
        st.rerun()
    else:
        done = sum(job.finished for job in known.jobs) / len(known.jobs)
        st.progress(done, text=f"{plain(known.recipe)}: {known.words}")


def _cancel(frame: Frame, known: Backfill) -> None:
    def act(reason: str) -> str:
        stopped = frame.services.retraining.cancel_backfill(frame.actor, known.id, reason)
        return f"{fmt.plural(stopped, 'run')} cancelled."

    why_not = frame.why_not(Permission.JOB_CANCEL)
    if widgets.action_button("Cancel all…", key="backfill-cancel", why_not=why_not, icon_name="block"):
        dialogs.confirm(
            key=f"backfill-cancel-{known.id}", title="Cancel the backfill", icon="block", button="Cancel all of it",
            consequence="What waits never starts, what runs is stopped. Versions that are made stay.", act=act,
        )  # fmt: skip


def _answer(frame: Frame, known: Backfill) -> None:
    """What it tells: read once a session, since it goes over all rows of its windows."""
    key = f"hindsight-{known.id}"
    found: Hindsight | None = session.get(key)
    if found is None:
        widgets.note(f"{known.recipe}: {known.words}.")
        if st.button("Show what it tells", key=f"{key}-read", icon=widgets.icon("query_stats")):
            session.put(key, frame.services.retraining.hindsight(frame.actor, known.id))
            st.rerun()
        return
    st.markdown(f"**{plain(found.sentence)}**")
    if not found.ways:
        return
    metric = METRICS[found.metric].label
    widgets.chart(charts.figure(found, metric, frame.zone, frame.tokens), key="hindsight", alt=charts.alt(found),
                  height=charts.HEIGHT)  # fmt: skip
    widgets.as_table(charts.table(found, frame.zone), key="hindsight")
    for one in found.ways:
        if said := charts.gain(one):
            widgets.note(said)
    widgets.note(
        "Each window holds rows after the training of the version that answers. On alarm: retrained where the window "
        "that ended was worse than the first one of the version in use, beyond chance (one-sided 5 %)."
    )
