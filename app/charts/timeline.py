"""The story of a model's champions: each decision of the ledger in plain words, and who reigned when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from html import escape

from app.ui.theme import icon_mark
from mlops_dash.domain import format as fmt
from mlops_dash.domain.audit import Action, Entry
from mlops_dash.domain.registry.records import RegistryRoom

_ICONS: dict[str, str] = {
    Action.PROPOSAL_OPENED: "assignment",
    Action.PROPOSAL_APPROVED: "how_to_reg",
    Action.PROPOSAL_REJECTED: "cancel",
    Action.PROPOSAL_WITHDRAWN: "undo",
    Action.CONDITION_DONE: "task_alt",
    Action.GATE_OVERRIDDEN: "gavel",
    Action.ROLLOUT_STARTED: "stacked_line_chart",
    Action.ROLLOUT_ADVANCED: "stacked_line_chart",
    Action.ROLLOUT_PAUSED: "pause_circle",
    Action.ROLLOUT_CONTINUED: "play_circle",
    Action.ROLLOUT_STOPPED: "stop_circle",
    Action.ROLLOUT_HALTED: "stop_circle",
    Action.PROMOTION_FINISHED: "rocket_launch",
    Action.ROLLBACK_FINISHED: "settings_backup_restore",
    Action.ALIAS_DRIFTED: "warning",
    Action.ALIAS_ADOPTED: "sell",
    Action.ALIAS_RESTORED: "sell",
    Action.SERVED_ELSEWHERE: "output",
    Action.VERSION_CHANGED: "lock_open",
    Action.VERSION_RESTORED: "lock",
    Action.CHANGE_ADOPTED: "sell",
    Action.POLICY_ACTIVATED: "policy",
    Action.MODEL_ADDED: "add_box",
    Action.MODEL_EDITED: "edit",
    Action.MODEL_ARCHIVED: "archive",
    Action.MODEL_RESTORED: "unarchive",
}


def timeline_html(entries: Sequence[Entry], names: Mapping[str, str], zone: str) -> str:
    """The story of the champion, newest first. What was decided and then done is told once, when it was done."""
    items = []
    for one in entries:
        told = story(one)
        if not told:
            continue
        person = str(one.after.get("decided_by", one.actor))
        who, absent = names.get(person, person.removeprefix("user:")), one.after.get("in_name_of")
        if isinstance(absent, str):  # approved by a deputy
            who = f"{who} for {names.get(absent, absent.removeprefix('user:'))}"
        reason = f"<q>{escape(one.reason)}</q>" if one.reason else ""
        items.append(
            f"<li><span class='ti'>{icon_mark(_ICONS.get(one.action, 'circle'))}</span><div><b>{escape(told)}</b>"
            f"<span>{escape(who)} · {escape(fmt.instant(one.at, zone))}</span>{reason}</div></li>"
        )
    return f"<ul class='tl'>{''.join(items)}</ul>"


def story(entry: Entry) -> str:
    """One entry of the ledger in plain words; "" for what another entry tells."""
    version = entry.object.rsplit(" ", 1)[-1] if " " in entry.object else entry.object
    before, after = entry.before.get("champion"), entry.after.get("champion")
    if entry.after.get("failed"):
        return f"{version} could not become champion"
    lifted = entry.after.get("overridden")
    by_override = f", {fmt.plural(len(lifted), 'gate')} overridden" if isinstance(lifted, list) else ""
    made = f"{after} became champion" + (f" after {before}" if before else "") + by_override
    told: dict[str, str] = {
        Action.PROPOSAL_OPENED: f"{version} proposed",
        Action.PROPOSAL_APPROVED: f"{version} approved, {entry.after.get('approvals')} of {entry.after.get('needed')}",
        Action.PROPOSAL_REJECTED: f"{version} rejected",
        Action.PROPOSAL_WITHDRAWN: f"{version} withdrawn",
        Action.CONDITION_DONE: f"{version}: {entry.after.get('kind')} done",
        Action.GATE_OVERRIDDEN: f"{version}: gate {entry.after.get('gate')} "
        + ("overridden" if entry.after.get("overridden") else "override asked for"),
        Action.ROLLOUT_STARTED: f"Roll-out of {version} began: {entry.after.get('stages')}",
        Action.ROLLOUT_ADVANCED: f"Roll-out of {version}: {entry.after.get('stage')}",
        Action.ROLLOUT_PAUSED: f"Roll-out of {version} paused",
        Action.ROLLOUT_CONTINUED: f"Roll-out of {version} goes on",
        Action.ROLLOUT_STOPPED: f"Roll-out of {version} stopped; all rows are the champion's",
        Action.ROLLOUT_HALTED: f"Roll-out of {version} stopped by its rule; all rows are the champion's",
        Action.PROMOTION_FINISHED: made,
        Action.ROLLBACK_FINISHED: f"Rolled back from {before} to {after}",
        Action.ALIAS_DRIFTED: f"Live mark moved outside to {entry.after.get('alias')}",
        Action.ALIAS_ADOPTED: f"{after} adopted as champion, no gate asked",
        Action.ALIAS_RESTORED: f"Live mark put back to {entry.after.get('alias')}",
        Action.VERSION_CHANGED: f"{version} was changed outside: {', '.join(entry.after)}",
        Action.VERSION_RESTORED: f"{version} put back as it was approved",
        Action.CHANGE_ADOPTED: f"{version}: the change made outside adopted, no gate asked",
        Action.SERVED_ELSEWHERE: f"{after} answers, served elsewhere, no gate asked",
        Action.POLICY_ACTIVATED: f"{entry.object[:1].upper()}{entry.object[1:]} in force",
        Action.MODEL_ADDED: f"{entry.object} added",
        Action.MODEL_EDITED: f"{entry.object}: {', '.join(name.replace('_', ' ') for name in entry.after)} changed",
        Action.MODEL_ARCHIVED: f"{entry.object} archived",
        Action.MODEL_RESTORED: f"{entry.object} restored",
    }
    return told.get(entry.action, "")


def reign_sentence(room: RegistryRoom, on: datetime, zone: str) -> str:
    """What was champion at a moment, who put it there, why."""
    reign = next((one for one in reversed(room.reigns) if one.since <= on), None)
    if reign is None:
        return f"At {fmt.instant(on, zone)} there was no champion."
    until = "until now" if reign.until is None else f"until {fmt.instant(reign.until, zone)}"
    how = {"promote": "promoted", "rollback": "rolled back to", "adopt": "adopted", "elsewhere": "said to serve"}.get(
        reign.kind, reign.kind
    )
    return (
        f"{reign.label}, {how} by {room.name_of(reign.who)} on {fmt.instant(reign.since, zone)}, {until}: {reign.why}"
    )
