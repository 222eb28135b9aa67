"""Reports sent to people: by hand or by a schedule, each once a recipient, and ended by the recipient.

A delivery is marked as being sent before anything leaves the house. Where the process ends in between, nobody can say
whether it arrived: it is then *not known*, never sent a second time by itself, and a person may send it again.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from functools import lru_cache
from typing import Any

from mlops_dash.domain.access import Actor, Permission
from mlops_dash.domain.audit import Action
from mlops_dash.domain.jobs import Task
from mlops_dash.domain.notices import NoticeState, retry_at
from mlops_dash.domain.reports.deliveries import UNSUBSCRIBE, Delivery, delivery_named, token_of
from mlops_dash.domain.reports.files import MIMES, ReportFile, ReportFormat
from mlops_dash.domain.reports.levels import Level
from mlops_dash.domain.reports.plans import Destination, Plan, addressed, destination_of, formats_of, said_to
from mlops_dash.domain.reports.remarks import signed
from mlops_dash.domain.reports.snapshot import KIND_LABELS, Report, as_json
from mlops_dash.errors import Conflict, InvalidInput, MlopsDashError, NotFound, Unanswered, Unavailable
from mlops_dash.notify import parcels
from mlops_dash.rendering import reports as rendering
from mlops_dash.rendering.document import plain
from mlops_dash.services.command import Context, Unit, command, read, record
from mlops_dash.services.reports.scheduling import why_held
from mlops_dash.store import deliveries as store
from mlops_dash.store import notices as channels
from mlops_dash.store import remarks
from mlops_dash.store import reports as report_store
from mlops_dash.store import retraining as schedules
from mlops_dash.store.db import Session, reading, transaction

_LEFT_BEHIND = timedelta(minutes=5)  # longer than any sending takes
_TURN_SECONDS = 20.0  # of one call of `deliver`: the rest goes with the next
_ASKED = "again: "  # how the note of what a person sends again begins
_AGAIN = {NoticeState.FAILED, NoticeState.HELD, NoticeState.UNSURE}
_log = logging.getLogger(__name__)


class Sending:
    """The way of reports out of the house."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self._packed = lru_cache(maxsize=8)(self._pack)  # one report goes to many

    @read(Permission.ROOM_READ)
    def deliveries(self, actor: Actor, limit: int = 200) -> tuple[Delivery, ...]:
        """The latest deliveries, newest first: what was sent, waits, is held or failed, and why."""
        with reading(self.context.databases.app) as session:
            return store.log(session, limit=limit)

    @read(Permission.ROOM_READ)
    def latest_of_plans(self, actor: Actor) -> dict[str, Delivery]:
        """The newest delivery of each plan, by the plan's id."""
        with reading(self.context.databases.app) as session:
            return store.latest_of_plans(session)

    @command(Permission.REPORT_SHARE, Action.REPORT_SENT)
    def send_report(
        self, unit: Unit, actor: Actor, report_id: str, *, to: Sequence[str], formats: Sequence[str], reason: str
    ) -> tuple[Delivery, ...]:
        """Put one kept report on its way to some recipients; `deliver` sends it. Audited.

        Args:
            unit: Of the command.
            actor: Who sends it.
            report_id: The report.
            to: name@host, channel:NAME or folder:NAME, each maybe with "as executive" or "as audit".
            formats: As which files; HTML where none is named.
            reason: Why.

        Raises:
            NotFound: no such report or channel.
            InvalidInput: a recipient or format cannot be used, or the reason is empty.
        """
        _require(reason)
        report = report_store.report(unit.session, report_id)
        if report is None:
            raise NotFound(f"No report {report_id[:40]!r}.", hint="Choose one from the list.")
        people, kinds = addressed("\n".join(to)), tuple(str(one) for one in formats_of(formats))
        for one in people:
            how, name = destination_of(one)
            if how is Destination.CHANNEL and channels.channel(unit.session, name) is None:
                raise NotFound(f"No channel {name}.", hint="Look at the channels: mlops-dash channel list.")
        line, wall, batch = report.line, self.context.clock.wall(), self.context.new_id()
        about = f"{KIND_LABELS[line.kind]} of {line.of}, {line.about}"
        made = tuple(
            Delivery(
                id=self.context.new_id(), batch_id=batch, plan_id="", plan=f"by {actor.name}", report_id=line.id,
                about=about, recipient=one, formats=kinds, state=NoticeState.WAITING, not_before=wall, attempts=0,
                note="", created_at=wall, sent_at=None, level=level,
            )
            for one, level in people.items()
        )  # fmt: skip
        store.add(unit.session, made)
        unit.audit(about, model=line.model, reason=reason, after={
            "report": line.id, "to": [said_to(one, level) for one, level in people.items()], "formats": list(kinds),
        })  # fmt: skip
        return made

    @command(Permission.REPORT_SHARE, Action.REPORT_SENT_AGAIN)
    def send_report_again(self, unit: Unit, actor: Actor, delivery_id: str, *, reason: str) -> Delivery:
        """Let a delivery that failed, was held or may have been lost wait again. Audited.

        Raises:
            NotFound: no such delivery.
            Conflict: it was sent or is on its way, no report was made, or the recipient unsubscribed.
            InvalidInput: the reason is empty.
        """
        _require(reason)
        found = store.delivery(unit.session, delivery_id)
        if found is None:
            raise NotFound(f"No delivery {delivery_id[:40]!r}.", hint="See: mlops-dash report deliveries.")
        if found.state not in _AGAIN:
            raise Conflict(f"This delivery is {found.state}.", hint="Reload the page.")
        if not found.recipient or found.report_id is None:
            raise Conflict("There is nothing to send: nobody was to get it.", hint="Run the schedule now instead.")
        if found.recipient in store.opted_out(unit.session, found.plan_id):
            raise Conflict(f"{found.recipient} unsubscribed.", hint="Take it from the schedule's recipients.")
        again = replace(
            found, state=NoticeState.WAITING, attempts=0, note=f"{_ASKED}{reason}", not_before=self.context.clock.wall()
        )
        store.change(unit.session, again)
        unit.audit(found.about, before={"state": str(found.state)}, reason=reason,
                   after={"delivery": found.id, "to": found.recipient})  # fmt: skip
        return again

    @record(Permission.REPORT_SHARE)
    def deliver_now(self, actor: Actor, delivery_ids: Sequence[str]) -> tuple[Delivery, ...]:
        """Send these deliveries, as far as they wait, and say what became of each."""
        for delivery_id in delivery_ids:
            with reading(self.context.databases.app) as session:
                found = store.delivery(session, delivery_id)
            if found is not None:
                self._send(found)
        with reading(self.context.databases.app) as session:
            return tuple(one for key in delivery_ids if (one := store.delivery(session, key)) is not None)

    @record(Permission.SYSTEM)
    def deliver(self, actor: Actor) -> int:
        """Send what waits and may go, each once, for some seconds; gives how many were sent."""
        now, until = self.context.clock.wall(), time.monotonic() + _TURN_SECONDS
        with reading(self.context.databases.app) as session:
            due, lost = store.due(session, now), store.left_behind(session, now - _LEFT_BEHIND)
        if lost:
            note = "Our process ended while it was being sent: look whether it arrived, then send it again or not."
            with transaction(self.context.databases.app) as session:
                for one in lost:
                    store.change(session, replace(one, state=NoticeState.UNSURE, note=note))
        sent = 0
        for one in due:
            if time.monotonic() > until:
                break
            sent += self._send(one)
        return sent

    @read(Permission.PUBLIC)
    def subscription(self, actor: Actor, token: str) -> Delivery | None:
        """The delivery whose link to unsubscribe this is; None for any other token."""
        with reading(self.context.databases.app) as session:
            return self._subscription(session, token)

    @command(Permission.PUBLIC, Action.REPORT_UNSUBSCRIBED)
    def unsubscribe(self, unit: Unit, actor: Actor, token: str) -> Delivery:
        """Send a recipient the reports of this schedule no more, by the link of any of them. Audited.

        Raises:
            NotFound: the link is none of ours.
        """
        found = self._subscription(unit.session, token)
        if found is None:
            raise NotFound("This link is none of ours.", hint="Copy it whole from the message it came with.")
        if found.recipient in store.opted_out(unit.session, found.plan_id):
            unit.nothing_changed()
            return found
        store.opt_out(unit.session, found.plan_id, found.recipient, at=self.context.clock.wall())
        unit.audit(found.about, after={"recipient": found.recipient, "plan": found.plan_id}, reason="by their own link")
        return found

    def _subscription(self, session: Session, token: str) -> Delivery | None:
        delivery_id = delivery_named(self.context.settings.ledger_key, token)
        found = None if delivery_id is None else store.delivery(session, delivery_id)
        return found if found is not None and found.plan_id else None

    def _send(self, waiting: Delivery) -> int:
        """Send one delivery that waits; gives how many were sent."""
        wall = self.context.clock.wall()
        with transaction(self.context.databases.app) as session:
            one = store.claim(session, waiting, wall)
            held = "" if one is None else self._why_held(session, one)
        if one is None:
            return 0
        state, note = NoticeState.SENT, ""
        try:
            if held:
                state, note = NoticeState.HELD, held
            else:
                note = self._hand_over(one)
        except Unavailable as error:
            state, note = NoticeState.WAITING, error.sentence()
        except Unanswered as error:
            state, note = NoticeState.UNSURE, error.sentence()
        except MlopsDashError as error:
            state, note = NoticeState.FAILED, error.sentence()
        except Exception as error:  # noqa: BLE001 - the log of deliveries must say what became of it
            _log.exception("a report could not be sent", extra={"delivery": one.id})
            state, note = NoticeState.FAILED, f"An error of ours: {error!r}."
        now = self.context.clock.wall()
        again = retry_at(one.attempts, now) if state is NoticeState.WAITING else None
        became = NoticeState.FAILED if state is NoticeState.WAITING and again is None else state
        sent = became is NoticeState.SENT
        with transaction(self.context.databases.app) as session:
            store.change(
                session,
                replace(
                    one, state=became, note=note, not_before=again or one.not_before, sent_at=now if sent else None
                ),
            )
        if not sent:
            _log.warning("a report was not sent", extra={"delivery": one.id, "why": note})
        return int(sent)

    def _why_held(self, session: Session, one: Delivery) -> str:
        """Why a delivery whose time has come is not sent; "" = it is."""
        if one.recipient in store.opted_out(session, one.plan_id):
            return "They unsubscribed."
        if not one.plan_id or one.note.startswith(_ASKED):
            return ""
        plans = [Plan.of(made.arguments) for made in schedules.schedules(session) if made.task is Task.REPORT]
        return next((why_held(session, plan, self.context) for plan in plans if plan.id == one.plan_id), "")

    def _hand_over(self, one: Delivery) -> str:
        """Send it, and say where it went."""
        settings = self.context.settings
        how, name = destination_of(one.recipient)
        parcel = replace(self._packed(str(one.report_id), one.formats, one.level), id=one.id)
        if how is Destination.FOLDER:
            return parcels.to_folder(settings, name, parcel)
        if how is Destination.CHANNEL:
            with reading(self.context.databases.app) as session:
                channel = channels.channel(session, name)
            if channel is None or not channel.enabled:
                raise InvalidInput(f"The channel {name} is gone or switched off.", hint="Ask an admin.")
            return parcels.to_channel(settings, channel, parcel)
        if one.plan_id:
            link = f"{settings.pages_url}{UNSUBSCRIBE}{token_of(settings.ledger_key, one.id)}"
            parcel = replace(parcel, unsubscribe=link)
        return parcels.to_address(settings, name, parcel)

    def _pack(self, report_id: str, formats: tuple[str, ...], level: Level) -> parcels.Parcel:
        with reading(self.context.databases.app) as session:
            report = report_store.report(session, report_id)
            names = signed(remarks.remarks(session, report_id))
        if report is None:
            raise NotFound("The report is not kept any more.", hint="Make it again.")
        kinds = formats_of(formats)
        told: dict[str, Any] = as_json(report, names)
        if ReportFormat.JSON not in kinds:
            told.pop("facts")
        shown = rendering.document(report.facts, level)
        badge, kind_of = str(shown.badge["text"]), KIND_LABELS[report.line.kind]
        at = "" if level is Level.TECHNICAL else f"&level={level}"
        files = tuple(
            ReportFile(_file_name(report, kind, level), MIMES[kind], rendering.written(report, kind, level, names))
            for kind in kinds
        )
        return parcels.Parcel(
            id="", subject=f"[{report.line.of}] {kind_of}: {badge}", text=rendering.summary(shown),
            link=f"{self.context.settings.pages_url}/reports?report={report_id}{at}", files=files,
            report={**told, "badge": badge, "verdict": plain(shown.verdict)},
        )  # fmt: skip


def _file_name(report: Report, kind: ReportFormat, level: Level) -> str:
    """The report's own name with the beginning of its hash, so that two of one day are two files."""
    stem, _, ending = report.file_name(kind, level).rpartition(".")
    return f"{stem}-{report.line.sha256[:8]}.{ending}"


def _require(reason: str) -> None:
    if not reason.strip():
        raise InvalidInput("A reason is missing.", hint="Say why in a few words: it goes into the ledger.")
