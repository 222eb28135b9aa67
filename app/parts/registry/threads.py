"""What people say about a proposal: the thread with its files, and the form that adds to it."""

from __future__ import annotations

from functools import partial

import streamlit as st

from app.shell import session
from app.ui import dialogs, widgets
from app.ui.context import Frame
from app.ui.text import plain
from mlops_dash.domain import format as fmt
from mlops_dash.domain.access import Permission
from mlops_dash.domain.registry.records import RegistryRoom
from mlops_dash.domain.registry.threads import LONGEST_COMMENT, Comment

_HOW = "Name somebody by @ and their login's name, and it waits in their queue. Comments are never changed."


def panel(frame: Frame, room: RegistryRoom) -> None:
    """The thread of the proposal that is shown."""
    proposal = room.proposal
    if proposal is None:
        return

    def write() -> None:
        why_not = frame.actor.why_not(Permission.PROPOSAL_OPEN)
        if widgets.action_button("Comment…", key="comment", why_not=why_not, icon_name="add_comment"):
            _write(frame, room)

    said = fmt.plural(len(room.comments), "comment") if room.comments else "Nobody has said anything yet"
    with widgets.card("thread", "Discussion", said, write):
        for one in room.comments:
            _comment(frame, room, one)


def _comment(frame: Frame, room: RegistryRoom, one: Comment) -> None:
    with st.container(key=f"comment-{one.id}", gap=None):
        named = f", to {', '.join(room.name_of(who) for who in one.mentions)}" if one.mentions else ""
        st.markdown(f"**{plain(room.name_of(one.by))}** · {frame.ago(one.at)}{plain(named)}")
        for line in one.text.splitlines():
            if line.strip():
                st.markdown(plain(line))
        for file in one.attachments:
            st.download_button(
                plain(f"{file.name} ({file.size:,} bytes, sha256 {fmt.short(file.sha256, 12)})"),
                data=partial(_content, frame, file.id),
                file_name=file.name,
                mime="application/octet-stream",
                key=f"file-{file.id}",
                icon=widgets.icon("attach_file"),
                type="tertiary",
                on_click="ignore",
            )


def _content(frame: Frame, attachment_id: str) -> bytes:
    return frame.services.registry.attachment(frame.actor, attachment_id)[1]


def _write(frame: Frame, room: RegistryRoom) -> None:
    proposal = room.proposal
    assert proposal is not None
    key = f"comment-{proposal.id}-{len(room.comments)}"

    def act(text: str) -> str:
        given = session.get(f"{key}-files") or []
        files = [(one.name, one.getvalue()) for one in given]
        made = frame.services.registry.comment(frame.actor, proposal.id, text, files=files)
        told = ", ".join(room.name_of(who) for who in made.mentions)
        return f"Your comment is there{f'; it waits for {told}' if told else ''}."

    dialogs.confirm(
        key=key,
        title="Comment on the proposal",
        consequence=_HOW,
        button="Write the comment",
        act=act,
        icon="add_comment",
        reason="Comment",
        placeholder=f"Plain text, at most {LONGEST_COMMENT:,} letters. It goes into the ledger.",
        fields=lambda: st.file_uploader(
            "Files, at most 1 MiB each", accept_multiple_files=True, key=f"{key}-files", max_upload_size=1
        ),
    )
