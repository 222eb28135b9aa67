"""Approving a proposal, with conditions and a day of review; saying that these are done."""

from __future__ import annotations

from datetime import date

import streamlit as st

from app.parts.registry import told
from app.shell import session
from app.ui import dialogs, widgets
from app.ui.context import Frame
from app.ui.text import plain
from mlops_dash.domain import format as fmt
from mlops_dash.domain.registry.conditions import (
    LONGEST_CONDITION,
    MOST_CONDITIONS,
    REVIEW,
    Condition,
    why_not_done,
)
from mlops_dash.domain.registry.records import RegistryRoom


def approve(frame: Frame, room: RegistryRoom) -> None:
    """The dialog that approves; a model of tier 1 may ask for the password once more."""
    proposal, version = told.proposal(room), told.version(room)
    key = f"approve-{proposal.id}-{proposal.revision}"
    registry, access = frame.services.registry, frame.services.access

    def act(reason: str) -> str:
        proof = ""
        if room.rules.password:
            proof = access.prove_password(frame.actor, str(session.get(f"{key}-password") or ""), proposal.id)
        by: date | None = session.get(f"{key}-review")
        after = registry.approve(
            frame.actor, proposal.id, proposal.revision, comment=reason,
            conditions=[str(session.get(f"{key}-conditions") or "")], review_by=by, proof=proof,
            in_name_of=str(session.get(f"{key}-name") or ""),
        )  # fmt: skip
        return f"{version.subject} is approved by you; the proposal is {after.state}."

    def ask() -> None:
        if room.stands_for:
            st.selectbox("In whose name", ("", *room.stands_for), key=f"{key}-name",
                         format_func=lambda name: f"{name}, whose deputy you are" if name else "Your own")  # fmt: skip
        st.text_area(
            "Conditions", key=f"{key}-conditions", height=68, max_chars=MOST_CONDITIONS * LONGEST_CONDITION,
            placeholder="One a line; each is shown until somebody says that it is done.",
        )  # fmt: skip
        st.date_input("Look at it again by", value=None, key=f"{key}-review", min_value=frame.now.date())
        if room.rules.password:
            st.text_input("Your password", type="password", key=f"{key}-password", autocomplete="current-password")

    rules = "" if room.rules.approvals == 1 and not room.rules.password else f" It takes {room.rules.said()}."
    dialogs.confirm(
        key=key,
        title=f"Approve {version.label}",
        consequence=f"Your approval of **{plain(version.subject)}** counts as long as gates, champion and policy stay "
        f"as they are. Nothing is served differently yet.{rules}",
        button=f"Approve {version.label}",
        act=act,
        facts={
            **told.identity(room),
            "Replaces": room.champion.label if room.champion else "nothing",
            **told.gates(room),
            "Proposed by": f"{room.name_of(proposal.proposer)}: {proposal.comment}",
        },
        icon="thumb_up",
        reason="Comment",
        placeholder="What convinced you? This goes into the ledger.",
        fields=ask,
    )


def conditions(frame: Frame, room: RegistryRoom) -> None:
    """What approvers asked and nobody has done yet, then what was done of the version that is looked at."""
    standing = [one for one in room.conditions if one.done_at is None]
    chosen = room.selected.version if room.selected is not None else ""
    done = [one for one in room.conditions if one.done_at is not None and one.version == chosen]
    if not standing and not done:
        return
    with widgets.card("conditions", "Conditions", "What approvers asked; each stands until somebody says it is done"):
        for one in standing:
            with st.container(key=f"condition-{one.id}", gap="xsmall"):
                due = ":red-badge[Due] " if one.is_due(room.now) else ""
                st.markdown(f"{due}**v{plain(one.version)}**: {plain(one.said(room.zone))}")
                widgets.note(f"Asked by {room.name_of(one.by)}, {fmt.day(one.at, frame.zone)}")
                if widgets.action_button("Done…", key=f"done-{one.id}", why_not=why_not_done(frame.actor, one),
                                         icon_name="task_alt"):  # fmt: skip
                    _done(frame, room, one)
        for one in done:
            widgets.note(
                f"Done {fmt.day(one.done_at, frame.zone)} by {room.name_of(one.done_by)}: {one.said(room.zone)} "
                f"({one.done_note})"
            )


def _done(frame: Frame, room: RegistryRoom, one: Condition) -> None:
    what = "review was made" if one.kind == REVIEW else "condition is met"

    def act(note: str) -> str:
        frame.services.registry.finish_condition(frame.actor, one.id, note=note)
        return f"The {what.split(maxsplit=1)[0]} of v{one.version} is done."

    dialogs.confirm(
        key=f"done-{one.id}",
        title=f"Say that the {what}",
        consequence=f"**{plain(one.said(room.zone))}** is not asked any more; your note goes into the ledger.",
        button="Say that it is done",
        act=act,
        icon="task_alt",
        reason="What came of it",
        placeholder="What was seen or done? This goes into the ledger.",
    )
