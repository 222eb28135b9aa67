"""A staged roll-out as HTML: its stages with how far each is, and its guards with value, interval and limit."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from html import escape

from app.ui.theme import Tokens, icon_mark
from mlops_dash.domain import format as fmt
from mlops_dash.domain.registry.rollouts import ERRORS, TIME, Guard, Rollout, limit_text
from mlops_dash.domain.words import RolloutState, look


def stages_html(rollout: Rollout, now: datetime) -> str:
    """Each stage, then all rows: which are over, which it is in and how far."""
    cells = []
    done = rollout.state in (RolloutState.DONE, RolloutState.FINISHING)
    for number, one in enumerate(rollout.stages):
        over = done or number < rollout.stage
        here = number == rollout.stage and not done
        stopped = here and rollout.state is RolloutState.STOPPED
        said = "over" if over else "stopped here" if stopped else _far(rollout, now) if here else "not yet"
        cells.append(_cell(one.said(), said, on=over, here=here, stopped=stopped))
    last = {RolloutState.DONE: "champion", RolloutState.FINISHING: "being made champion"}.get(rollout.state, "not yet")
    cells.append(
        _cell("all rows", last, on=rollout.state is RolloutState.DONE, here=rollout.state is RolloutState.FINISHING)
    )
    return f"<ol class='steps stages'>{''.join(cells)}</ol>"


def _far(rollout: Rollout, now: datetime) -> str:
    said = fmt.percent(rollout.progress(now), 0)
    return said if rollout.rows else f"{said}; no row answered yet"


def _cell(label: str, said: str, *, on: bool = False, here: bool = False, stopped: bool = False) -> str:
    icon = "cancel" if stopped else "check_circle" if on else "pending" if here else "radio_button_unchecked"
    sign = f"<span class='pi'>{icon_mark(icon)}</span>"
    return f"<li class='{'on' if on else ''}'>{sign}<b>{escape(label)}</b><span>{escape(said)}</span></li>"


def guards_html(guards: Sequence[Guard], tokens: Tokens) -> str:
    """Each guard in a line: word, what it measures, value with interval, limit, n."""
    colours = {"green": tokens.good_text, "red": tokens.bad_text, "orange": tokens.warn_text}
    rows = []
    for one in guards:
        word = look(one.state)
        colour = colours.get(word.colour, tokens.muted)
        rows.append(
            f"<div class='gate'><div class='gh'>{icon_mark(word.icon)}<b>{escape(one.name.capitalize())}</b>"
            f"<span class='gs' style='color:{colour}'>{escape(word.label)}</span></div>"
            f"<div class='gr gx'>{escape(one.sentence)}</div>"
            f"<div class='gr'>{escape(_measured(one))}</div></div>"
        )
    return "".join(rows)


def _measured(one: Guard) -> str:
    parts = []
    if one.value is not None and one.low is not None:
        parts.append(f"{_number(one, one.value)} [{_number(one, one.low)}, {_number(one, one.high)}]")
    parts += [f"limit {limit_text(one)}", f"n {one.n:,} {one.unit}", one.method]
    return "; ".join(parts)


def _number(one: Guard, value: float | None) -> str:
    if value is None:
        return "no end"
    if one.name == TIME:
        return f"{value:.2f} times"
    return fmt.percent(value) if one.name == ERRORS else f"{'+' if value >= 0 else ''}{fmt.percent(value)}"
