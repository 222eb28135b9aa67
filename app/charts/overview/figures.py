"""What the Overview shows, as words and shapes: facts in, text, HTML and a figure out.

All text that comes from people or from MLflow is escaped. Colour follows the health word, never a number.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from html import escape

import pandas as pd
import plotly.graph_objects as go

from app.charts.overview.fleet import last_day
from app.charts.timeline import story
from app.ui.text import explained
from app.ui.theme import Tokens, icon_mark
from mlops_dash.domain import format as fmt
from mlops_dash.domain.audit import Action, Entry, title, who
from mlops_dash.domain.fleet.attention import Attention
from mlops_dash.domain.fleet.room import DayVolume, FleetRoom
from mlops_dash.domain.words import ABVerdict, Health, Look, Word, look

REASON = 120  # characters of a reason that are shown


def status(room: FleetRoom) -> str:
    """The line under the title: how many models, how many serve, and how far they are judged."""
    if not room.rows:
        return "Nothing is watched yet"
    said = f"{fmt.plural(len(room.rows), 'model')}, {sum(bool(one.version) for one in room.rows)} serving"
    said += f", {room.unwatched} not watched yet" if room.unwatched else ""
    if room.as_of is None:
        return said
    zone = next(one.zone for one in room.rows if one.as_of == room.as_of)
    return f"{said} · judged up to {fmt.day(last_day(room.as_of), zone)}"


def worst(room: FleetRoom) -> str:
    """The worst that a model is, and of how many: what the browser's tab says."""
    for health in (Health.HARMED, Health.AT_RISK):
        n = sum(one.health is health for one in room.rows)
        if n:
            return f"{n} of {fmt.plural(len(room.rows), 'model')} {look(health).label.lower()}"
    return fmt.plural(len(room.rows), "model") if room.rows else ""


# --- what needs attention ---------------------------------------------------------------------------------------------


def attention_html(one: Attention, ago: str, t: Tokens) -> str:
    """One thing: its badge, the model, what is wrong, its likely cause, since when."""
    taken = f" · taken by {who(one.taken_by)}" if one.taken_by else ""
    model = f"<b>{escape(one.model)}</b> " if one.model else ""
    why = " · ".join(part for part in (one.cause, f"{ago}{taken}") if part)
    return (
        f"<div class='att'><span class='atb'>{pill(one.word, t, one.label)}</span>"
        f"<div><span class='ats'>{model}{explained(one.sentence)}</span>"
        f"<span class='why'>{explained(why)}</span></div></div>"
    )


def calm(room: FleetRoom) -> str:
    """Why nothing needs attention."""
    if room.snoozed:
        return f"{fmt.plural(room.snoozed, 'alert is', 'alerts are')} snoozed; nothing else is open, no decision waits."
    return "No model is harmed or at risk, no alert is open, no decision waits."


def pill(word: Word, t: Tokens, label: str = "") -> str:
    """A status word as icon, word and colour."""
    shown = look(word)
    ink, tint = _colours(shown, t)
    return (
        f"<span class='pill' style='color:{ink};background:{tint}'>{icon_mark(shown.icon)}"
        f"{escape(label or shown.label)}</span>"
    )


def _colours(shown: Look, t: Tokens) -> tuple[str, str]:
    return {
        "green": (t.good_text, t.good_tint),
        "orange": (t.warn_text, t.warn_tint),
        "red": (t.bad_text, t.bad_tint),
        "blue": (t.moved_text, t.moved_tint),
        "violet": (t.violet_text, t.violet_tint),
    }.get(shown.colour, (t.neutral_text, t.neutral_tint))


# --- four numbers -----------------------------------------------------------------------------------------------------


_CALM = {Health.INPUTS_MOVED: "inputs moved", Health.NOT_KNOWN: "not judged", Health.OK: "OK"}


def kpis_html(room: FleetRoom, t: Tokens) -> str:
    """Harm, traffic, labels, decisions: each with what it is compared with."""
    health, judged = room.health, room.judged
    bad = health[Health.HARMED] + health[Health.AT_RISK]
    tallies = "".join(_tally(word, health[word], t) for word in (Health.HARMED, Health.AT_RISK) if health[word])
    others = ", ".join(f"{health[word]} {name}" for word, name in _CALM.items() if health[word])
    sick = f"{bad} of {judged}" if judged else fmt.MISSING  # 0 of 3 is no news of three that nobody judged
    usual = "" if room.usual_day is None else f"usually {fmt.count(room.usual_day)} a day"
    share = room.coverage
    rows = "no ripe day yet" if share is None else f"{fmt.whole(share.n_labelled)} of {fmt.whole(share.n)} rows"
    tiles = (
        ("monitor_heart", "Harmed or at risk", sick, f"{tallies}<span>{others}</span>"),
        ("bolt", "Predictions, last 24 h", fmt.count(room.last_day), escape(usual or "none yet")),
        ("label", "Labelled, last 7 ripe days", fmt.percent(None if share is None else share.share), escape(rows)),
        ("how_to_reg", "Decisions waiting", str(room.decisions_open), _waiting(room)),
    )  # fmt: skip
    cells = "".join(
        f"<div class='kpi'><dt>{icon_mark(icon)}{explained(label)}</dt><dd class='num'>{escape(value)}</dd>"
        f"<dd class='kps'>{sub}</dd></div>"
        for icon, label, value, sub in tiles
    )
    return f"<dl class='kpis'>{cells}</dl>"


def _waiting(room: FleetRoom) -> str:
    """What waits, for whom, and for how long."""
    if not room.decisions_open:
        return "nobody is asked"
    kinds = ((room.proposals_open, "proposal"), (room.alerts_open, "alert"))
    what = ", ".join(fmt.plural(n, kind) for n, kind in kinds if n)
    mine = f"{len(room.waiting)} for you" if room.waiting else "none for you"
    return escape(f"{what}; {mine}, oldest {fmt.ago(room.now, room.oldest_open)}")


def _tally(word: Health, count: int, t: Tokens) -> str:
    shown = look(word)
    ink, _ = _colours(shown, t)
    return f"<span class='tally' style='color:{ink}'>{icon_mark(shown.icon)}{count} {escape(shown.label)}</span>"


# --- traffic by day ---------------------------------------------------------------------------------------------------


def volume_figure(days: Sequence[DayVolume], t: Tokens) -> go.Figure:
    """Rows of each judged day, stacked: with a label, and without one (yet)."""
    fig = go.Figure()
    x = [one.day for one in days]
    for name, y, colour in (
        ("labelled", [one.n_labelled for one in days], t.context),
        ("not labelled", [one.n - one.n_labelled for one in days], t.series[0]),
    ):
        fig.add_bar(
            x=x, y=y, name=name, marker={"color": colour}, hovertemplate="%{y:,.0f} " + name + "<extra></extra>"
        )
    return fig.update_layout(
        barmode="stack",
        legend={"traceorder": "normal"},
        bargap=0.25,
        hovermode="x unified",
        margin={"l": 0, "r": 8, "t": 28, "b": 0},
    )


def volume_alt(days: Sequence[DayVolume]) -> str:
    """What the bars say."""
    n, labelled = sum(one.n for one in days), sum(one.n_labelled for one in days)
    most = max(days, key=lambda one: one.n)
    return (
        f"{fmt.whole(n)} predictions on {fmt.plural(len(days), 'day')}, {fmt.percent(labelled / n if n else None)} of "
        f"them labelled; most on {most.day.day} {most.day:%b %Y}: {fmt.whole(most.n)}."
    )


def volume_table(days: Sequence[DayVolume]) -> pd.DataFrame:
    """The numbers behind the bars, the latest day first."""
    latest = list(reversed(days))
    return pd.DataFrame(
        {
            "Day": [f"{one.day.day} {one.day:%b %Y}" for one in latest],
            "Predictions": [fmt.whole(one.n) for one in latest],
            "Labelled": [fmt.whole(one.n_labelled) for one in latest],
            "Share": [fmt.percent(one.n_labelled / one.n if one.n else None) for one in latest],
        }
    )


# --- decisions --------------------------------------------------------------------------------------------------------

_DECISION_ICONS: Mapping[str, str] = {
    Action.PROPOSAL_OPENED: "assignment",
    Action.PROPOSAL_APPROVED: "how_to_reg",
    Action.PROPOSAL_REJECTED: "cancel",
    Action.GATE_OVERRIDDEN: "gavel",
    Action.ROLLOUT_STARTED: "stacked_line_chart",
    Action.ROLLOUT_STOPPED: "stop_circle",
    Action.ROLLOUT_HALTED: "stop_circle",
    Action.PROMOTION_FINISHED: "rocket_launch",
    Action.ROLLBACK_FINISHED: "settings_backup_restore",
    Action.ALIAS_DRIFTED: "warning",
    Action.ALERT_ACKNOWLEDGED: "visibility",
    Action.ALERT_SNOOZED: "snooze",
    Action.ALERT_CLOSED: "check_circle",
    Action.ALERT_CONFIRMED: "check_circle",
    Action.ALERT_REOPENED: "warning",
    Action.ALARM_RESTARTED: "restart_alt",
    Action.JOB_REQUESTED: "autorenew",
    Action.RECIPE_TRIED: "stethoscope",
    Action.JOB_CANCEL_REQUESTED: "block",
    Action.SCHEDULE_SAVED: "event",
    Action.SCHEDULE_PAUSED: "pause_circle",
    Action.SCHEDULE_RESUMED: "play_circle",
    Action.TRIGGER_CALLED: "call_received",
    Action.POLICY_ACTIVATED: "policy",
    Action.MODEL_ADDED: "add_box",
    Action.MODEL_EDITED: "edit",
    Action.MODEL_ARCHIVED: "archive",
    Action.MODEL_RESTORED: "unarchive",
    Action.TEST_STARTED: "science",
    Action.TEST_STOPPED: "stop_circle",
}


def decision_icon(entry: Entry) -> str:
    """The icon of a decision."""
    return _DECISION_ICONS.get(entry.action, "sell")


def decision(entry: Entry) -> str:
    """A ledger entry in plain words with its model: `flight-delay: v3 proposed`."""
    said = story(entry) or _said(entry)
    named = not entry.model or entry.model in said
    return said if named else f"{entry.model}: {said}"


def reason(entry: Entry) -> str:
    """Why, in one or two lines; the whole text stands in the ledger."""
    return textwrap.shorten(entry.reason, REASON, placeholder="…")


def _said(entry: Entry) -> str:
    recipe = entry.after.get("recipe") or entry.after.get("task") or ""
    if entry.action == Action.RECIPE_TRIED:
        return f"check of {entry.object.removeprefix('recipe ')} asked for"
    if entry.action in {Action.JOB_REQUESTED, Action.TRIGGER_CALLED}:
        return f"run of {recipe} asked for"
    if entry.action == Action.JOB_CANCEL_REQUESTED:
        return "run cancelled"
    if entry.action == Action.TEST_STARTED:
        return f"A/B test of {entry.after.get('challenger')} started"
    if entry.action == Action.TEST_STOPPED:
        verdict = entry.after.get("verdict")
        return "A/B test stopped" + (f": {look(ABVerdict(verdict)).label.lower()}" if verdict else "")
    if entry.action.startswith(("schedule.", "alert.")):
        return f"{entry.object} {entry.action.partition('.')[2]}"
    return f"{title(entry.action)}: {entry.object}"


def css(t: Tokens) -> str:
    """The few rules of this page."""
    return f"""
.mi{{font-family:'Material Symbols Rounded';font-size:1.15rem;line-height:1;vertical-align:-.22em;font-weight:400}}
.pill{{display:inline-flex;align-items:center;gap:.3rem;padding:.12rem .5rem .12rem .38rem;border-radius:99px;
font-size:.86rem;font-weight:500;white-space:nowrap}}
.att{{display:grid;grid-template-columns:11rem 1fr;gap:.2rem .75rem;align-items:start}}
.atb{{padding-top:.05rem}}.att b{{font-weight:600}}
.ats{{display:block;font-size:1rem;line-height:1.45;overflow-wrap:anywhere}}
.why{{display:block;font-size:.86rem;line-height:1.45;color:{t.muted};overflow-wrap:anywhere}}
.kpis{{display:grid;grid-template-columns:repeat(4,1fr);gap:14px;margin:0!important;padding:0!important}}
.kpi{{border:1px solid {t.line};border-radius:8px;background:{t.card};padding:.85rem 1rem;min-width:0}}
.kpi dt{{font-weight:400;font-size:.9rem;display:flex;gap:.4rem;align-items:center;color:{t.muted}}}
.kpi dd{{margin:0}}.kpi .num{{font-size:1.72rem;font-weight:600;letter-spacing:-.02em;line-height:1.35}}
.kps{{font-size:.86rem;line-height:1.4;color:{t.muted};display:flex;flex-wrap:wrap;gap:.1rem .75rem}}
.tally{{white-space:nowrap}}.tally .mi{{margin-right:.2rem}}
@media(max-width:1000px){{.kpis{{grid-template-columns:1fr 1fr}}}}
[class*="st-key-decision-"] .note{{padding-left:2rem}}
[class*="st-key-decision-"] [data-testid="stPageLink"] p{{white-space:normal}}
@media(max-width:640px){{.att{{grid-template-columns:1fr}}
[class*="st-key-attention-"]{{flex-wrap:wrap!important}}.kpi{{padding:.7rem .8rem}}
.kpi dt{{align-items:flex-start}}}}
"""
