"""What people decide on the Registry page: one dialog each, every fact in it from the room that the page shows.

Propose, approve, reject, withdraw, override, promote, roll back, restore, adopt. A disabled button says why.
"""

from __future__ import annotations

import streamlit as st

from app.parts.registry import approving, rollouts, told
from app.shell import session
from app.ui import dialogs, widgets
from app.ui.context import Frame
from app.ui.text import plain
from mlops_dash.domain import format as fmt
from mlops_dash.domain.registry.gates import Gate
from mlops_dash.domain.registry.records import RegistryRoom, Step, Version
from mlops_dash.domain.words import ProposalState
from mlops_dash.errors import Unavailable

_LATER = "Decided and in the ledger. MLflow does not answer; the worker moves its mark there as soon as it does."


def decide_buttons(frame: Frame, room: RegistryRoom) -> None:
    """Approve and promote, then the quieter ones. The next best action is the primary."""
    step = room.next_action.step
    if room.selected is None:
        return
    with st.container(horizontal=True, gap="xsmall", key="decide"):
        if room.proposal is None:
            if room.champion is None or room.champion.id != room.selected.id:
                _button(frame, room, "propose", f"Propose {room.selected.label}…", step is Step.PROPOSE, "assignment")
            return
        _button(frame, room, "approve", "Approve…", step is Step.APPROVE, "thumb_up")
        if room.proposal.stages:
            _button(frame, room, "roll-out", "Roll out in stages…", step is Step.PROMOTE, "stacked_line_chart")
        else:
            _button(frame, room, "promote", "Promote to champion…", step is Step.PROMOTE, "rocket_launch")
        _button(frame, room, "reject", "Reject…", False, "thumb_down")
        if not room.why_not["withdraw"]:
            _button(frame, room, "withdraw", "Withdraw…", False, "undo")


def _button(frame: Frame, room: RegistryRoom, verb: str, label: str, primary: bool, icon: str) -> None:
    why_not = room.why_not["promote" if verb == "roll-out" else verb]
    if widgets.action_button(label, key=verb, why_not=why_not, primary=primary, icon_name=icon):
        _DIALOGS[verb](frame, room)


def rollback_button(frame: Frame, room: RegistryRoom) -> None:
    """One click away at the top of the page; the reason is asked for."""
    if room.champion is None:
        return
    label = f"Roll back to {room.previous.label}…" if room.previous is not None else "Roll back…"
    _button(frame, room, "rollback", label, False, "settings_backup_restore")


def override_button(frame: Frame, room: RegistryRoom, gate: Gate) -> None:
    """Beside a closed gate of a proposal."""
    why_not = room.why_not.get(f"override:{gate.name}")
    if why_not is None or gate.opens:
        return
    key = f"override-{gate.name.replace(' ', '-')}"
    if widgets.action_button("Override…", key=key, why_not=why_not, icon_name="gavel", tertiary=True):
        _override(frame, room, gate)


def alias_banner(frame: Frame, room: RegistryRoom) -> None:
    """The alias was moved outside: what is served, and the two ways out."""
    if not room.alias_moved_to or room.champion is None:
        return
    with st.container(border=True, key="card-alias", gap="small"):
        mark = room.model.mark
        st.markdown(
            f":orange-badge[{widgets.icon('warning')} {mark.kind.capitalize()} moved outside] The {mark.kind} "
            f"**{plain(mark.chip)}** in MLflow points at **{room.alias_moved_to}**. "
            f"**{room.champion.label}** is still served."
        )
        with st.container(horizontal=True, gap="xsmall"):
            restore = f"Restore to {room.champion.label}…"
            _button(frame, room, "restore", restore, room.next_action.step is Step.RESTORE, "restore")
            _button(frame, room, "adopt", f"Adopt {room.alias_moved_to}…", False, "sell")


def rejection_banner(frame: Frame, room: RegistryRoom) -> None:
    """Why the last proposal of this version was rejected: whoever would propose it again reads it first."""
    said = room.rejection
    if said is None or room.selected is None:
        return
    who = f" by {plain(room.name_of(said.by))}" if said.by else ""
    with st.container(border=True, key="card-rejected", gap="xsmall"):
        widgets.badge(ProposalState.REJECTED)
        st.markdown(f"{plain(room.selected.label)} was rejected{who} {frame.ago(said.at)}: "
                    f"**{plain(said.reason)}**")  # fmt: skip
        widgets.note("Answer this when you propose it again, or propose another version.")


def _reject(frame: Frame, room: RegistryRoom) -> None:
    proposal, version = told.proposal(room), told.version(room)

    def act(reason: str) -> str:
        frame.services.registry.reject(frame.actor, proposal.id, proposal.revision, comment=reason)
        return f"The proposal of {version.subject} is rejected."

    dialogs.confirm(
        key=f"reject-{proposal.id}-{proposal.revision}",
        title=f"Reject {version.label}",
        consequence=f"The proposal of **{plain(version.subject)}** is closed. The version stays and can be "
        "proposed again.",
        button=f"Reject {version.label}",
        act=act,
        icon="thumb_down",
        placeholder="What is missing? The proposer reads this.",
    )


def _withdraw(frame: Frame, room: RegistryRoom) -> None:
    proposal, version = told.proposal(room), told.version(room)

    def act(reason: str) -> str:
        frame.services.registry.withdraw(frame.actor, proposal.id, proposal.revision, comment=reason)
        return f"The proposal of {version.subject} is withdrawn."

    dialogs.confirm(
        key=f"withdraw-{proposal.id}-{proposal.revision}",
        title=f"Withdraw the proposal of {version.label}",
        consequence=f"The proposal of **{plain(version.subject)}** is closed; approvals given so far count no more.",
        button="Withdraw the proposal",
        act=act,
        icon="undo",
    )


def _override(frame: Frame, room: RegistryRoom, gate: Gate) -> None:
    proposal, version = told.proposal(room), told.version(room)
    key = f"override-{proposal.id}-{proposal.revision}-{gate.name}"

    def act(reason: str) -> str:
        days = int(session.get(f"{key}-days") or 7)
        frame.services.registry.override_gate(
            frame.actor, proposal.id, proposal.revision, gate=gate.name, reason=reason, days=days
        )
        return f"Your part of the override of {gate.name} is in the ledger. It takes two people."

    dialogs.confirm(
        key=key,
        title=f"Override the gate {gate.name}",
        consequence=f"**{plain(version.subject)}** could then be approved although this gate is "
        f"{gate.state.replace('_', ' ')}: {gate.reason} It takes a second lead or admin, and it ends by itself.",
        button=f"Override {gate.name}",
        act=act,
        fields=lambda: st.number_input("Holds for days", min_value=1, max_value=30, value=7, key=f"{key}-days"),
        placeholder="Why may this gate be passed? This goes into the ledger.",
    )


def _promote(frame: Frame, room: RegistryRoom) -> None:
    proposal, version, champion = told.proposal(room), told.version(room), room.champion
    key = f"promote-{proposal.id}-{proposal.revision}"
    old = "nothing" if champion is None else champion.label

    def act(reason: str) -> str:
        shadows = list(room.serving.shadow_version_ids) if room.serving else []
        if champion is not None and session.get(f"{key}-shadow"):
            shadows.append(champion.id)
        operation = frame.services.registry.begin_promotion(
            frame.actor, proposal.id, proposal.revision, reason, shadows=shadows
        )
        return _finished(frame, operation, f"{version.subject} is champion. {_follows(room, version)}")

    def shadow() -> None:
        if champion is not None and not room.model.elsewhere:
            st.checkbox(f"{champion.label} keeps scoring silently, for comparison", value=True, key=f"{key}-shadow")

    back = f" {champion.label} stays one click away." if champion is not None else ""
    facts = {}
    if room.alerts:
        back += (
            f" Its open alerts count as answered: they close after a week of ripe days of {version.label} without "
            "harm, and come back if those are harmful too."
        )
        facts["Answers"] = "; ".join(room.alerts)
    dialogs.confirm(
        key=key,
        title=f"Promote {version.label} to champion",
        consequence=f"**{plain(version.subject)}** replaces **{old}** {_where(room)}.{back}",
        button=f"Promote {version.label}",
        act=act,
        changes=[
            ("Champion", old, version.label),
            *told.metric_changes(room),
            ("Files", told.digest(champion), told.digest(version)),
            (
                "Approvals",
                fmt.MISSING,
                f"{room.approvals_counted} of {room.rules.approvals} ({told.approvers(room)})",
            ),
        ],
        facts=facts,
        icon="rocket_launch",
        fields=shadow,
    )


def _roll_back(frame: Frame, room: RegistryRoom) -> None:
    champion, previous = room.champion, room.previous
    if champion is None or previous is None:
        return

    def act(reason: str) -> str:
        operation = frame.services.registry.begin_rollback(frame.actor, room.model.name, reason)
        return _finished(frame, operation, f"{previous.subject} is champion again. {_follows(room, previous)}")

    dialogs.confirm(
        key=f"rollback-{champion.id}",
        title=f"Roll back to {previous.label}",
        consequence=f"**{plain(previous.subject)}** replaces **{champion.label}** {_where(room)}, now. "
        "No approval is needed; the reason goes into the ledger.",
        button=f"Roll back to {previous.label}",
        act=act,
        changes=[("Champion", champion.label, previous.label), ("Files", told.digest(champion), told.digest(previous))],
        icon="settings_backup_restore",
        placeholder="What went wrong? This goes into the ledger.",
    )


def _restore(frame: Frame, room: RegistryRoom) -> None:
    champion = room.champion
    if champion is None:
        return

    def act(reason: str) -> str:
        operation = frame.services.registry.restore_alias(frame.actor, room.model.name, reason=reason)
        return _finished(frame, operation, f"The {room.model.mark.phrase} points at {champion.label} again.")

    dialogs.confirm(
        key=f"restore-{room.model.name}-{room.alias_moved_to}",
        title=f"Restore the {room.model.mark.kind} to {champion.label}",
        consequence=f"The {plain(room.model.mark.phrase)} in MLflow goes back to **{champion.label}**, which was "
        "approved and is served.",
        button=f"Restore the {room.model.mark.kind}",
        act=act,
        changes=[(f"{room.model.mark.kind.capitalize()} {room.model.mark.chip}", room.alias_moved_to, champion.label)],
        icon="restore",
    )


def _adopt(frame: Frame, room: RegistryRoom) -> None:
    number = room.alias_moved_to.removeprefix("v")
    served = room.champion.label if room.champion else "nothing"

    def act(reason: str) -> str:
        frame.services.registry.adopt_alias(frame.actor, room.model.name, version=number, reason=reason)
        return f"{room.model.name} {room.alias_moved_to} is served from now on, as the {room.model.mark.phrase} says."

    dialogs.confirm(
        key=f"adopt-{room.model.name}-{number}",
        title=f"Adopt {room.alias_moved_to} as champion",
        consequence=f"**{plain(f'{room.model.name} {room.alias_moved_to}')}** is served although it passed no gate "
        "here. The ledger says so; open proposals become void.",
        button=f"Adopt {room.alias_moved_to}",
        act=act,
        changes=[("Served", served, room.alias_moved_to)],
        icon="sell",
    )


_DIALOGS = {
    "propose": rollouts.propose,
    "approve": approving.approve,
    "reject": _reject,
    "withdraw": _withdraw,
    "promote": _promote,
    "roll-out": rollouts.begin,
    "rollback": _roll_back,
    "restore": _restore,
    "adopt": _adopt,
}


def _finished(frame: Frame, operation: str, done: str) -> str:
    """Carry out what was decided; a decision stands although MLflow is away, and the page says so."""
    try:
        frame.services.registry.finish_promotion(frame.actor, operation)
    except Unavailable:
        return _LATER
    return done


def _where(room: RegistryRoom) -> str:
    """What a decision changes."""
    if room.model.elsewhere:
        return "in what is watched and in the ledger; nothing is moved, so whoever serves the model has to put it live"
    return "for all traffic of the gateway"


def _follows(room: RegistryRoom, version: Version) -> str:
    if room.model.elsewhere:
        return f"Put {version.label} live where it is served; its first row confirms it."
    return "The gateway follows within seconds."
