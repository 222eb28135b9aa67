"""Alerts told to people where they are: channels, an outbox in which each message stands once, and its sending.

A notice is marked as being sent before anything leaves the house. Where the process ends in between, nobody can say
whether it arrived: it is then *not known*, never sent a second time by itself, and a person may send it again.
"""

from __future__ import annotations

import logging
import re
import secrets
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from mlops_dash import notify
from mlops_dash.domain.access import Actor, Permission
from mlops_dash.domain.audit import Action
from mlops_dash.domain.notices import (
    Channel,
    ChannelKind,
    Event,
    Notice,
    NoticeState,
    Route,
    alert_link,
    checked_address,
    message,
    retry_at,
)
from mlops_dash.domain.words import AlertState
from mlops_dash.errors import Conflict, InvalidInput, MlopsDashError, NotFound, Unanswered, Unavailable
from mlops_dash.services.command import Context, Unit, command, read, record
from mlops_dash.store import notices as store
from mlops_dash.store import registry
from mlops_dash.store.db import reading, transaction
from mlops_dash.store.monitoring.alerts import Alert

_NAME = re.compile(r"[\w][\w .'\"-]{0,39}")
_LEFT_BEHIND = timedelta(minutes=5)  # longer than any sending takes
_TURN_SECONDS = 20.0  # of one call of `deliver`: the rest goes with the next
_log = logging.getLogger(__name__)


class NoticeService:
    """Messages about alerts."""

    def __init__(self, context: Context) -> None:
        self.context = context

    @read(Permission.ROOM_READ)
    def channels(self, actor: Actor) -> tuple[Channel, ...]:
        """All channels by name, without their secrets; the whole address is for who may edit them."""
        with reading(self.context.databases.app) as session:
            found = store.channels(session)
        whole = actor.may(Permission.CHANNEL_EDIT)
        return tuple(replace(one, secret="", address=one.address if whole else one.shown_address) for one in found)

    @read(Permission.ROOM_READ)
    def log(self, actor: Actor, limit: int = 200) -> tuple[Notice, ...]:
        """The latest notices, newest first: what was sent, waits, is held or failed, and why."""
        with reading(self.context.databases.app) as session:
            return store.log(session, limit=limit)

    @command(Permission.CHANNEL_EDIT, Action.CHANNEL_ADDED)
    def add(
        self, unit: Unit, actor: Actor, name: str, kind: ChannelKind, address: str, route: Route, *, reason: str
    ) -> Channel:
        """Make a channel; its secret signs what is sent to a URL. What is open already is not told. Audited.

        Raises:
            InvalidInput: the name, address or route cannot be used, or the reason is empty.
            NotFound: a model of the route is not watched.
            Conflict: the name is taken.
        """
        if not _NAME.fullmatch(name):
            raise InvalidInput(
                f"A channel cannot be called {name[:60]!r}.", hint="Use up to 40 letters, digits, spaces and hyphens."
            )
        if store.channel(unit.session, name) is not None:
            raise Conflict(f"There is a channel {name} already.", hint="Edit it, or choose another name.")
        self._check(unit, route, reason)
        made = Channel(
            id=self.context.new_id(),
            name=name,
            kind=kind,
            address=checked_address(kind, address),
            secret=secrets.token_hex(32),
            route=route,
            enabled=True,
            created_at=self.context.clock.wall(),
            created_by=actor.id,
        )
        store.save_channel(unit.session, made)
        now = self.context.clock.wall()
        store.add(
            unit.session,
            [
                self._notice(made, one, Event.OPENED, now, NoticeState.HELD, "It was open before the channel was made.")
                for one in store.unclosed_alerts(unit.session)
                if route.wants(one.model, one.severity)
            ],
        )
        unit.audit(f"channel {name}", after=_facts(made), reason=reason)
        return made

    @command(Permission.CHANNEL_EDIT, Action.CHANNEL_EDITED)
    def edit(
        self,
        unit: Unit,
        actor: Actor,
        name: str,
        *,
        reason: str,
        address: str | None = None,
        route: Route | None = None,
        enabled: bool | None = None,
    ) -> Channel:
        """Change a channel; what is None stays. What waits goes by the new address. Audited.

        Raises:
            NotFound: no such channel, or a model of the route is not watched.
            InvalidInput: the address or route cannot be used, or the reason is empty.
        """
        before = _known(unit, name)
        after = replace(
            before,
            address=before.address if address is None else checked_address(before.kind, address),
            route=before.route if route is None else route,
            enabled=before.enabled if enabled is None else enabled,
        )
        self._check(unit, after.route, reason)
        if after == before:
            unit.nothing_changed()
            return before
        store.save_channel(unit.session, after)
        unit.audit(f"channel {name}", before=_facts(before), after=_facts(after), reason=reason)
        return after

    @command(Permission.CHANNEL_EDIT, Action.CHANNEL_REMOVED)
    def remove(self, unit: Unit, actor: Actor, name: str, *, reason: str) -> None:
        """Take a channel away with what waits for it; what was sent stays in the log. Audited.

        Raises:
            NotFound: no such channel.
            InvalidInput: the reason is empty.
        """
        channel = _known(unit, name)
        _require(reason)
        store.remove_channel(unit.session, channel.id)
        unit.audit(f"channel {name}", before=_facts(channel), reason=reason)

    @command(Permission.CHANNEL_EDIT, Action.CHANNEL_TESTED)
    def test(self, unit: Unit, actor: Actor, name: str) -> Notice:
        """Put a test message into the outbox; `send_now` sends it at once. Audited.

        Raises:
            NotFound: no such channel.
        """
        channel, now = _known(unit, name), self.context.clock.wall()
        made = Notice(
            id=self.context.new_id(), channel_id=channel.id, channel=name, alert_id=self.context.new_id(),
            event=Event.TEST, model="", kind="test", severity="notice", title=f"A test of the channel {name}",
            text=f"{actor.name} asked for it. Alerts come here: {channel.route.words()}.",
            link=self.context.settings.pages_url, state=NoticeState.WAITING, not_before=now, attempts=0, note="",
            created_at=now, sent_at=None,
        )  # fmt: skip
        store.add(unit.session, [made])
        unit.audit(f"channel {name}", after={"notice": made.id})
        return made

    @command(Permission.CHANNEL_EDIT, Action.NOTICE_SENT_AGAIN)
    def send_again(self, unit: Unit, actor: Actor, notice_id: str, *, reason: str) -> Notice:
        """Let a notice that failed, was held or may have been lost wait again. Audited.

        Raises:
            NotFound: no such notice.
            Conflict: it was sent, or is on its way.
            InvalidInput: the reason is empty.
        """
        _require(reason)
        found = store.notice(unit.session, notice_id)
        if found is None:
            raise NotFound(f"No message {notice_id}.", hint="Reload the page.")
        if found.state in {NoticeState.SENT, NoticeState.WAITING, NoticeState.SENDING}:
            raise Conflict(f"This message is {found.state}.", hint="Reload the page.")
        again = replace(
            found, state=NoticeState.WAITING, attempts=0, note=f"again: {reason}", not_before=self.context.clock.wall()
        )
        store.change(unit.session, again)
        unit.audit(f"message {found.title}", model=found.model, before={"state": str(found.state)},
                   after={"state": str(again.state), "notice": found.id}, reason=reason)  # fmt: skip
        return again

    @record(Permission.CHANNEL_EDIT)
    def send_now(self, actor: Actor, notice_id: str) -> Notice:
        """Send one notice that waits, and say what became of it.

        Raises:
            NotFound: no such notice.
        """
        with reading(self.context.databases.app) as session:
            found, known = store.notice(session, notice_id), {one.id: one for one in store.channels(session)}
        if found is None:
            raise NotFound(f"No message {notice_id}.", hint="Reload the page.")
        if found.channel_id in known:
            self._send(known[found.channel_id], [found])
        with reading(self.context.databases.app) as session:
            return store.notice(session, notice_id) or found

    @record(Permission.SYSTEM)
    def gather(self, actor: Actor) -> int:
        """Put what channels want to know into the outbox: alerts that opened, and those told that are over.

        Gives how many notices are new.
        """
        now = self.context.clock.wall()
        with reading(self.context.databases.app) as session:
            wanted = [one for one in store.channels(session) if one.enabled]
            if not wanted:
                return 0
            open_now = [one for one in store.unclosed_alerts(session) if one.state is AlertState.OPEN]
            told = store.told(session, [one.id for one in open_now])
            over = store.over(session)
        by_id = {one.id: one for one in wanted}
        new = [
            self._notice(channel, alert, Event.OPENED, now)
            for channel in wanted
            for alert in open_now
            if channel.route.wants(alert.model, alert.severity) and (channel.id, alert.id, Event.OPENED) not in told
        ]
        new += [
            self._notice(by_id[sent.channel_id], alert, Event.CLOSED, now)
            for sent, alert in over
            if sent.channel_id in by_id
        ]
        if new:
            with transaction(self.context.databases.app) as session:
                store.add(session, new)
        return len(new)

    @record(Permission.SYSTEM)
    def deliver(self, actor: Actor) -> int:
        """Send what waits and may go, each once; gives how many were sent."""
        now, until = self.context.clock.wall(), time.monotonic() + _TURN_SECONDS
        with reading(self.context.databases.app) as session:
            due = store.due(session, now)
            lost = store.left_behind(session, now - _LEFT_BEHIND)
            if not due and not lost:
                return 0
            channels = {one.id: one for one in store.channels(session)}
            alerts = store.alerts_of(session, {one.alert_id for one in due})
        if lost:
            note = "Our process ended while it was being sent: look whether it arrived, then send it again or not."
            with transaction(self.context.databases.app) as session:
                for one in lost:
                    store.change(session, replace(one, state=NoticeState.UNSURE, note=note))
        groups: dict[str, list[Notice]] = {}
        for one in due:
            channel = channels.get(one.channel_id)
            why = self._why_held(channel, one, alerts.get(one.alert_id), now)
            if why or channel is None:
                with transaction(self.context.databases.app) as session:
                    store.change(session, replace(one, state=NoticeState.HELD, note=why))
                continue
            together = channel.id if channel.route.digest_at and one.event is not Event.TEST else one.id
            groups.setdefault(together, []).append(one)
        sent = 0
        for group in groups.values():
            if time.monotonic() > until:
                break
            sent += self._send(channels[group[0].channel_id], group)
        return sent

    def _why_held(self, channel: Channel | None, notice: Notice, alert: Alert | None, now: datetime) -> str:
        """Why a notice whose time has come is not sent; "" = it is."""
        if channel is None or not channel.enabled:
            return "The channel was switched off."
        if notice.event is not Event.OPENED or notice.attempts or notice.note.startswith("again"):
            return ""
        if alert is None or alert.state is AlertState.CLOSED:
            return "It was over before its time came."
        if channel.route.after_minutes and alert.state is not AlertState.OPEN:
            return "Somebody answered it in time."
        pause = timedelta(minutes=channel.route.pause_minutes)
        if not pause:
            return ""
        with reading(self.context.databases.app) as session:
            last = store.last_sent(session, channel.id, notice.model, notice.kind)
        if last is not None and now - last < pause:
            return f"The same was told within {channel.route.pause_minutes:,} minutes."
        return ""

    def _send(self, channel: Channel, notices: Sequence[Notice]) -> int:
        """Send some notices as one message; gives how many were sent."""
        with transaction(self.context.databases.app) as session:
            taken = store.claim(session, notices, self.context.clock.wall())
        if not taken:
            return 0
        state, note = NoticeState.SENT, ""
        try:
            note = notify.send(self.context.settings, channel, message(taken))
        except Unavailable as error:
            state, note = NoticeState.WAITING, error.sentence()
        except Unanswered as error:
            state, note = NoticeState.UNSURE, error.sentence()
        except MlopsDashError as error:
            state, note = NoticeState.FAILED, error.sentence()
        except Exception as error:  # noqa: BLE001 - the outbox must say what became of it
            _log.exception("a message could not be made", extra={"channel": channel.name})
            state, note = NoticeState.FAILED, f"An error of ours: {error!r}."
        now = self.context.clock.wall()
        with transaction(self.context.databases.app) as session:
            for one in taken:
                again = retry_at(one.attempts, now) if state is NoticeState.WAITING else None
                became = NoticeState.FAILED if state is NoticeState.WAITING and again is None else state
                sent_at = now if became is NoticeState.SENT else None
                store.change(
                    session, replace(one, state=became, note=note, not_before=again or one.not_before, sent_at=sent_at)
                )
        if state is not NoticeState.SENT:
            _log.warning("a message was not sent", extra={"channel": channel.name, "why": note})
        return len(taken) if state is NoticeState.SENT else 0

    def _notice(
        self, channel: Channel, alert: Alert, event: Event, now: datetime,
        state: NoticeState = NoticeState.WAITING, note: str = "",
    ) -> Notice:  # fmt: skip
        wait = timedelta(minutes=channel.route.after_minutes if event is Event.OPENED else 0)
        return Notice(
            id=self.context.new_id(), channel_id=channel.id, channel=channel.name, alert_id=alert.id, event=event,
            model=alert.model, kind=alert.kind, severity=alert.severity, title=alert.title, text=alert.cause,
            link=alert_link(self.context.settings.pages_url, alert.model, alert.kind), state=state,
            not_before=channel.route.goes_at(alert.severity, now + wait), attempts=0, note=note, created_at=now,
            sent_at=None,
        )  # fmt: skip

    def _check(self, unit: Unit, route: Route, reason: str) -> None:
        _require(reason)
        route.check()
        for model in route.models:
            registry.model(unit.session, model)


def _known(unit: Unit, name: str) -> Channel:
    found = store.channel(unit.session, name)
    if found is None:
        raise NotFound(f"No channel {name}.", hint="Look at the channels: mlops-dash channel list.")
    return found


def _require(reason: str) -> None:
    if not reason.strip():
        raise InvalidInput("A reason is missing.", hint="Say why in a few words: it goes into the ledger.")


def _facts(channel: Channel) -> dict[str, object]:
    """A channel as the ledger says it, without what opens it."""
    return {
        "kind": str(channel.kind), "address": channel.shown_address, "alerts": channel.route.words(),
        "enabled": channel.enabled,
    }  # fmt: skip
