"""A staged roll-out: proposing its stages, beginning it, and while it goes on its progress, guards and buttons."""

from __future__ import annotations

import streamlit as st

from app.charts import rollouts as charts
from app.parts.registry import told
from app.shell import session
from app.ui import dialogs, live, widgets
from app.ui.context import Frame
from app.ui.text import plain
from mlops_dash.domain import format as fmt
from mlops_dash.domain.access import Permission
from mlops_dash.domain.registry.records import RegistryRoom
from mlops_dash.domain.registry.rollouts import OPEN, Rollout, limits_said, percent_of, stages_of, stages_said
from mlops_dash.domain.words import RolloutState

_LOOK_SECONDS = 3.0
_EXAMPLE = "10%:60m, 50%:5000rows"


def propose(frame: Frame, room: RegistryRoom) -> None:
    """The dialog that proposes a version, with stages or without."""
    version = told.version(room)
    key = f"propose-{version.id}"

    def act(reason: str) -> str:
        stages = stages_of([str(session.get(f"{key}-stages") or "")])
        frame.services.registry.propose(frame.actor, version.id, comment=reason, stages=stages)
        how = f" It is to be rolled out in stages: {stages_said(stages)}." if stages else ""
        return f"{version.subject} is proposed.{how} Somebody else must approve it."

    def ask_stages() -> None:
        if not room.why_not["stages"]:
            st.text_input(
                "Stages before all rows", key=f"{key}-stages", placeholder=_EXAMPLE, max_chars=200,
                help=f"Empty: all rows at once. Else a share and how long, such as {_EXAMPLE}; minutes (m), hours (h), "
                "days (d) or rows that it answered, joined by + where both must be reached.",
            )  # fmt: skip

    dialogs.confirm(
        key=key,
        title=f"Propose {version.label} as champion",
        consequence=f"**{plain(version.subject)}** is put before the leads with its gates as they stand. "
        "You cannot approve it yourself.",
        button=f"Propose {version.label}",
        act=act,
        facts={**told.identity(room), **told.gates(room)},
        icon="assignment",
        reason="Comment",
        placeholder="Why should it serve? The approvers read this.",
        fields=ask_stages,
    )


def begin(frame: Frame, room: RegistryRoom) -> None:
    """The dialog that begins the roll-out of an approved proposal."""
    proposal, version, champion = told.proposal(room), told.version(room), room.champion
    if champion is None or not proposal.stages:
        return
    first = proposal.stages[0]

    def act(reason: str) -> str:
        frame.services.registry.begin_rollout(frame.actor, proposal.id, proposal.revision, reason)
        return f"{version.subject} answers {percent_of(first.share)} of the rows within seconds."

    dialogs.confirm(
        key=f"rollout-{proposal.id}-{proposal.revision}",
        title=f"Roll out {version.label} in stages",
        consequence=f"**{plain(version.subject)}** answers {percent_of(first.share)} of the gateway's rows, "
        f"**{champion.label}** the others. It goes on by itself, and all rows go back to {champion.label} when surely "
        f"{limits_said(room.policy.promotion)}, or its loss on ripe rows is above the tolerance.",
        button=f"Roll out {version.label}",
        act=act,
        changes=[
            ("Rows", f"all by {champion.label}", f"{stages_said(proposal.stages)} by {version.label}"),
            *told.metric_changes(room),
            ("Files", told.digest(champion), told.digest(version)),
            ("Approvals", fmt.MISSING, f"{room.approvals_counted} ({told.approvers(room)})"),
        ],
        icon="stacked_line_chart",
    )


def panel(frame: Frame, room: RegistryRoom) -> None:
    """The roll-out that is not over, else how that of the shown proposal ended."""
    found = room.rollout
    if found is None:
        return
    line, champion = room.line_of(found.to_version_id), room.line_of(found.from_version_id)
    new, old = (one.version.label if one else "?" for one in (line, champion))
    began = f"begun {fmt.instant(found.started_at, frame.zone)} by {room.name_of(found.started_by)}: {found.reason}"
    with widgets.card("rollout", f"Roll-out of {new}", began, lambda: widgets.badge(found.state)):
        going = found.state in OPEN
        live.fragment(_progress, run_every=_LOOK_SECONDS if going else None)(frame, found)
        if going:
            _buttons(frame, room, found, new, old)
        if room.halted and widgets.action_button("Close the alert…", key="rollout-seen", icon_name="check_circle",
                                                 why_not=frame.why_not(Permission.ALERT_ANSWER)):  # fmt: skip
            _seen(frame, room, new)
        if found.state in (RolloutState.RUNNING, RolloutState.PAUSED):
            widgets.note(f"All other rows are answered by {old}, which takes them all back when it is stopped.")


def _seen(frame: Frame, room: RegistryRoom, new: str) -> None:
    def act(reason: str) -> str:
        frame.services.monitoring.close(frame.actor, room.halted, reason)
        return f"The alert of the roll-out of {new} is closed."

    dialogs.confirm(
        key=f"rollout-seen-{room.halted}",
        title=f"Close the alert of the roll-out of {new}",
        consequence="It leaves the queues and *Needs attention*; the next roll-out or promotion would close it too.",
        button="Close the alert",
        act=act,
        icon="check_circle",
        placeholder="What was it, and what is done about it? This goes into the ledger.",
    )


def _progress(frame: Frame, drawn: Rollout) -> None:
    """Looks again while it goes on; a step draws the whole page anew, as more changed."""
    known = drawn
    if drawn.state in OPEN:
        known = frame.services.registry.rollout(frame.actor, drawn.model)
        if (known.id, known.revision) != (drawn.id, drawn.revision):
            session.forget_reads()
            st.rerun()
    now = frame.services.context.clock.now() if drawn.state in OPEN else frame.now
    st.markdown(plain(known.said(now)))
    st.html(charts.stages_html(known, now))
    why = frame.services.registry.why_no_rows(frame.actor, drawn.model) if drawn.state in OPEN else ""
    if why:
        st.warning(plain(why), icon=widgets.icon("help"))
    if known.guards:
        st.html(charts.guards_html(known.guards, frame.tokens))
    elif drawn.state in OPEN:
        widgets.note("Nothing has been judged yet; the worker looks every few seconds.")
    if known.judged_at is not None:
        widgets.note(f"Judged {fmt.instant(known.judged_at, frame.zone, seconds=True)}.")


def _buttons(frame: Frame, room: RegistryRoom, found: Rollout, new: str, old: str) -> None:
    with st.container(horizontal=True, gap="xsmall", key="rollout-buttons"):
        if found.state is RolloutState.PAUSED:
            if widgets.action_button("Go on…", key="rollout-continue", why_not=room.why_not["continue"],
                                     primary=True, icon_name="play_arrow"):  # fmt: skip
                _continue(frame, found, new)
        elif widgets.action_button("Pause…", key="rollout-pause", why_not=room.why_not["pause"], icon_name="pause"):
            _pause(frame, found, new)
        if widgets.action_button(f"Stop, all rows to {old}…", key="rollout-stop", why_not=room.why_not["stop"],
                                 icon_name="stop_circle"):  # fmt: skip
            _stop(frame, found, new, old)


def _pause(frame: Frame, found: Rollout, new: str) -> None:
    def act(reason: str) -> str:
        frame.services.registry.pause_rollout(frame.actor, found.id, found.revision, reason=reason)
        return f"The roll-out of {new} is paused."

    dialogs.confirm(
        key=f"rollout-pause-{found.id}-{found.revision}",
        title=f"Pause the roll-out of {new}",
        consequence=f"**{new}** keeps {percent_of(found.now.share)} of the rows and its time stands still. It is still "
        "stopped when a guard fails.",
        button="Pause the roll-out",
        act=act,
        icon="pause",
    )


def _continue(frame: Frame, found: Rollout, new: str) -> None:
    def act(reason: str) -> str:
        frame.services.registry.continue_rollout(frame.actor, found.id, found.revision, reason=reason)
        return f"The roll-out of {new} goes on."

    dialogs.confirm(
        key=f"rollout-continue-{found.id}-{found.revision}",
        title=f"Go on with the roll-out of {new}",
        consequence=f"The time of stage {found.stage + 1} ({found.now.said()}) runs again.",
        button="Go on",
        act=act,
        icon="play_arrow",
    )


def _stop(frame: Frame, found: Rollout, new: str, old: str) -> None:
    def act(reason: str) -> str:
        frame.services.registry.stop_rollout(frame.actor, found.id, found.revision, reason=reason)
        return f"The roll-out of {new} is stopped; {old} answers all rows within seconds."

    dialogs.confirm(
        key=f"rollout-stop-{found.id}-{found.revision}",
        title=f"Stop the roll-out of {new}",
        consequence=f"**{old}** answers all rows again within seconds, and the proposal is closed with your reason. "
        "The version can be proposed again.",
        button="Stop the roll-out",
        act=act,
        changes=[("Rows of " + new, percent_of(found.share), "none")],
        icon="stop_circle",
        placeholder="What went wrong? This goes into the ledger.",
    )
