"""Audit & admin, tab Messages: which channels are told of alerts, and what became of each message."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from app.charts import messages as tables
from app.parts.admin import secrets
from app.shell import session
from app.ui import dialogs, widgets
from app.ui.context import Frame
from app.ui.text import plain
from mlops_dash.domain import format as fmt
from mlops_dash.domain.access import Permission
from mlops_dash.domain.notices import SEVERITIES, Channel, ChannelKind, Notice, NoticeState, Route

_KINDS = {
    ChannelKind.EMAIL: "E-mail",
    ChannelKind.SLACK: "Slack, Mattermost",
    ChannelKind.TEAMS: "Microsoft Teams",
    ChannelKind.WEBHOOK: "Web hook (signed JSON)",
}
_AGAIN = {NoticeState.FAILED, NoticeState.UNSURE, NoticeState.HELD}


def channels_panel(frame: Frame) -> None:
    """The channels with their dialogs, and the delivery log."""
    found = frame.services.notices.channels(frame.actor)
    none = frame.actor.why_not(Permission.CHANNEL_EDIT)

    def create() -> None:
        if widgets.action_button("Channel…", key="add-channel", why_not=none, primary=True, icon_name="add_alert"):
            _create(frame)

    with widgets.card("channels", "Channels", "Who is told of alerts, of which ones, and when", create):
        if not found:
            widgets.empty(
                "notifications_off", "Nobody is told of alerts yet",
                "Make a channel: e-mail, Slack, Teams or a web hook. Until then alerts stand on Overview alone.",
                key="channels",
            )  # fmt: skip
        else:
            st.dataframe(
                tables.channels(found), key="channels-table", hide_index=True, row_height=32,
                alt="Channels by name, with what each is told of",
            )  # fmt: skip
            _actions(frame, {one.name: one for one in found}, none)
    log = frame.services.notices.log(frame.actor, 100)
    if found or log:
        _log(frame, log, none)


def _actions(frame: Frame, found: dict[str, Channel], none: str) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="channel-actions"):
        channel = found[st.selectbox("Channel", list(found), key="channel", width=280)]
        if widgets.action_button("Send a test", key="test-channel", why_not=none, icon_name="send"):
            notices = frame.services.notices
            ended = notices.send_now(frame.actor, notices.test(frame.actor, channel.name).id)
            session.put("channel-test", (ended.state, ended.note))
        if widgets.action_button("Edit…", key="edit-channel", why_not=none, icon_name="tune"):
            _edit(frame, channel)
        if widgets.action_button("Remove…", key="remove-channel", why_not=none, icon_name="delete"):
            _remove(frame, channel)
    said = session.pop("channel-test")
    if said is not None:
        state, note = said
        (st.success if state is NoticeState.SENT else st.error)(plain(f"{str(state).capitalize()}: {note}"))


def _log(frame: Frame, log: Sequence[Notice], none: str) -> None:
    said = "The latest first; each message is sent once, and what was held back says why"
    with widgets.card("messages", "Delivery log", said):
        if not log:
            widgets.empty("mark_email_unread", "Nothing was sent yet", "No alert opened since.", key="messages")
            return
        st.dataframe(
            tables.messages(log, frame.zone), key="messages-table", hide_index=True, row_height=32,
            alt="Messages, newest first, with what became of each",
        )  # fmt: skip
        open_ones = {f"{one.title} ({one.channel}, {one.state})": one for one in log if one.state in _AGAIN}
        if open_ones:
            with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="message-actions"):
                chosen = open_ones[st.selectbox("Not sent", list(open_ones), key="message", width=480)]
                if widgets.action_button("Send again…", key="send-again", why_not=none, icon_name="replay"):
                    _again(frame, chosen)


def _fields(frame: Frame, key: str, route: Route) -> None:
    models = [model.name for model in frame.services.registry.models(frame.actor)]
    offered = sorted({*models, *route.models})
    st.segmented_control(
        "From which severity", SEVERITIES, default=route.severity, required=True, format_func=str.capitalize,
        key=f"{key}-severity",
    )  # fmt: skip
    st.multiselect("Models", offered, default=list(route.models), placeholder="All models", key=f"{key}-models")
    with st.grid(2, min_column_width=160):
        st.number_input("Only when unanswered for (minutes)", 0, 43_200, route.after_minutes, key=f"{key}-after",
                        help="More than 0 makes this a channel to escalate to.")  # fmt: skip
        st.number_input("Pause between two of the same (minutes)", 0, 43_200, route.pause_minutes, key=f"{key}-pause")
        st.text_input("Quiet from", route.quiet_from, placeholder="22:00", key=f"{key}-quiet-from",
                      help="Warnings and notices wait; critical ones go.")  # fmt: skip
        st.text_input("Quiet to", route.quiet_to, placeholder="07:00", key=f"{key}-quiet-to")
        st.text_input("One message a day at", route.digest_at, placeholder="At once", key=f"{key}-digest")
        st.text_input("Whose clocks", route.zone, key=f"{key}-zone")


def _route(key: str) -> Route:
    def text(name: str) -> str:
        return str(session.get(f"{key}-{name}") or "").strip()

    return Route(
        severity=text("severity") or "warning",
        models=tuple(session.get(f"{key}-models") or ()),
        after_minutes=int(session.get(f"{key}-after") or 0),
        pause_minutes=int(session.get(f"{key}-pause") or 0),
        quiet_from=text("quiet-from"),
        quiet_to=text("quiet-to"),
        digest_at=text("digest"),
        zone=text("zone") or "UTC",
    )


def _create(frame: Frame) -> None:
    key = "new-channel"

    def choices() -> None:
        st.selectbox("Kind", list(_KINDS), format_func=lambda one: _KINDS[one], key=f"{key}-kind")

    def fields() -> None:
        st.text_input("Name", key=f"{key}-name", max_chars=40, required=True, placeholder="on call")
        kind = session.get(f"{key}-kind") or ChannelKind.EMAIL
        mail = kind is ChannelKind.EMAIL
        label, example = ("Addresses", "team@example.com") if mail else ("URL", "https://hooks.example.com/…")
        st.text_input(label, key=f"{key}-address-{kind}", required=True, placeholder=example)
        _fields(frame, key, Route(zone=frame.zone))

    def act(reason: str) -> str:
        kind = session.get(f"{key}-kind") or ChannelKind.EMAIL
        made = frame.services.notices.add(
            frame.actor, (session.get(f"{key}-name") or "").strip(), kind,
            session.get(f"{key}-address-{kind}") or "", _route(key), reason=reason,
        )  # fmt: skip
        if kind is not ChannelKind.EMAIL:
            secrets.keep(f"Secret of the signatures of {made.name}", made.secret)
        return f"{made.name} is told of: {made.route.words()}."

    mail = "" if frame.services.context.settings.smtp else " No mail server is set: e-mail becomes files in the home."
    dialogs.confirm(
        key="add-channel-dialog", title="Make a channel", icon="add_alert", button="Make channel", act=act,
        choices=choices, fields=fields, placeholder="Who asked for it? This goes into the ledger.",
        consequence=f"It is told of alerts that open from now on, and when those are over.{mail}",
    )  # fmt: skip


def _edit(frame: Frame, channel: Channel) -> None:
    key = f"edit-channel-{channel.id}"

    def fields() -> None:
        st.text_input("Address", channel.address, key=f"{key}-address", required=True)
        st.toggle("Is told of alerts", channel.enabled, key=f"{key}-enabled")
        _fields(frame, key, channel.route)

    def act(reason: str) -> str:
        after = frame.services.notices.edit(
            frame.actor, channel.name, reason=reason, address=session.get(f"{key}-address") or "",
            route=_route(key), enabled=bool(session.get(f"{key}-enabled", channel.enabled)),
        )  # fmt: skip
        return f"{after.name} is told of: {after.route.words()}." if after.enabled else f"{after.name} is switched off."

    dialogs.confirm(
        key=f"{key}-dialog", title=f"Edit {channel.name}", icon="tune", button="Save channel", act=act, fields=fields,
        consequence="What waits goes by the new address.",
    )  # fmt: skip


def _remove(frame: Frame, channel: Channel) -> None:
    def act(reason: str) -> str:
        frame.services.notices.remove(frame.actor, channel.name, reason=reason)
        return f"{channel.name} is told of nothing any more."

    dialogs.confirm(
        key=f"remove-channel-{channel.id}", title=f"Remove {channel.name}", icon="delete", button="Remove channel",
        act=act, consequence="What waits for it is not sent. What was sent stays in the log.",
    )  # fmt: skip


def _again(frame: Frame, notice: Notice) -> None:
    def act(reason: str) -> str:
        notices = frame.services.notices
        ended = notices.send_now(frame.actor, notices.send_again(frame.actor, notice.id, reason=reason).id)
        return f"{str(ended.state).capitalize()}: {ended.note}"

    unsure = " It may have arrived already." if notice.state is NoticeState.UNSURE else ""
    dialogs.confirm(
        key=f"send-again-{notice.id}", title="Send a message again", icon="replay", button="Send again", act=act,
        changes=(("Tried", fmt.plural(notice.attempts, "time"), "once more"),),
        consequence=f"**{plain(notice.title)}** goes to {plain(notice.channel)}.{unsure}",
    )  # fmt: skip
