"""What a schedule's slot does: make the report, and put it on its way to each recipient once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from mlops_dash.domain.access import Actor, Permission
from mlops_dash.domain.notices import NoticeState
from mlops_dash.domain.reports.deliveries import Delivery
from mlops_dash.domain.reports.plans import Destination, Plan, destination_of, substance
from mlops_dash.domain.reports.snapshot import Draft, Report, ReportKind
from mlops_dash.errors import Conflict, MlopsDashError, NotFound, Unavailable
from mlops_dash.services.command import Context, read, record
from mlops_dash.store import ab_tests as ab_store
from mlops_dash.store import access as access_store
from mlops_dash.store import deliveries as store
from mlops_dash.store import notices as channels
from mlops_dash.store import registry as registry_store
from mlops_dash.store import reports as report_store
from mlops_dash.store.db import Session, reading, transaction

Drafting = Callable[[Actor, Plan], Draft]
Freezing = Callable[[Actor, Draft], Report]


def why_held(session: Session, plan: Plan, context: Context) -> str:
    """Why nothing of a plan goes out: who answers for it may not send reports any more; "" = it goes."""
    owner = Actor(plan.owner_id or f"user:{plan.owner.strip().lower()}", plan.owner, None)
    now = access_store.standing(session, owner, wall=context.clock.wall(), now=context.clock.now())
    if now is not None and (now.role is None or now.may(Permission.REPORT_SHARE)):  # an owner of the store has no role
        return ""
    why = "is disabled" if now is None else "may not send reports any more"
    return f"The account {plan.owner} {why}: it goes again when somebody else saves the schedule."


class Scheduling:
    """Reports that are made again and again."""

    def __init__(self, context: Context, draft: Drafting, freeze: Freezing) -> None:
        self.context = context
        self._draft = draft
        self._freeze = freeze

    @read(Permission.ROOM_READ)
    def check_plan(self, actor: Actor, plan: Plan) -> Plan:
        """The plan in the name of who saves it, with an id where it is new, after a look at what it names.

        Raises:
            NotFound: no such model, test or channel.
            InvalidInput: it cannot be followed.
        """
        plan = Plan.of(plan.arguments())
        with reading(self.context.databases.app) as session:
            if plan.model and plan.model not in {one.name for one in registry_store.models(session)}:
                raise NotFound(f"No model {plan.model}.", hint="Choose one from the list.")
            tests = {one.id for one in ab_store.every(session)}
            if plan.kind is ReportKind.AB_RESULT and plan.subject and plan.subject not in tests:
                raise NotFound(f"No A/B test {plan.subject[:40]!r}.", hint="Choose one from the list.")
            for one in plan.to:
                how, name = destination_of(one)
                if how is Destination.CHANNEL and channels.channel(session, name) is None:
                    raise NotFound(f"No channel {name}.", hint="Look at the channels: mlops-dash channel list.")
        said = plan.arguments()
        said["report"].update(id=plan.id or self.context.new_id(), owner=actor.name, owner_id=actor.id)
        return Plan.of(said)

    @record(Permission.SYSTEM)
    def prepare(self, actor: Actor, batch_id: str, name: str, arguments: Mapping[str, Any]) -> tuple[Delivery, ...]:
        """Make a plan's report and put it into the log of deliveries, once a batch however often this is called.

        What nobody is sent stands in the log as well, with the reason.

        Args:
            actor: The worker.
            batch_id: The job.
            name: What asked for it, in words.
            arguments: Of the schedule.

        Raises:
            Unavailable: something does not answer, or the champion changed meanwhile: it may be tried again.
            MlopsDashError: the report cannot be made; that is in the log.
        """
        plan = Plan.of(arguments)
        with reading(self.context.databases.app) as session:
            known, why = store.of_batch(session, batch_id), why_held(session, plan, self.context)
        if known:
            return known
        if why:
            return self._keep(batch_id, [self._one(batch_id, plan, name, None, "", NoticeState.HELD, why)])
        try:
            report = self._freeze(actor, self._draft(actor, plan))
        except Unavailable:
            raise
        except Conflict as error:
            raise Unavailable(error.message, hint=error.hint) from error
        except MlopsDashError as error:
            self._keep(batch_id, [self._one(batch_id, plan, name, None, "", NoticeState.FAILED, error.sentence())])
            raise
        return self._keep(batch_id, self._deliveries(batch_id, plan, name, report))

    def _deliveries(self, batch_id: str, plan: Plan, name: str, report: Report) -> list[Delivery]:
        with reading(self.context.databases.app) as session:
            gone, known = store.opted_out(session, plan.id), self._known(session, plan, report)
        wanted = set(plan.to) - gone
        if wanted and known.keys() >= wanted:
            note = max(known[one] for one in wanted)
            return [self._one(batch_id, plan, name, report, "", NoticeState.HELD, note)]
        return [
            self._one(batch_id, plan, name, report, one, NoticeState.HELD, "They unsubscribed.")
            if one in gone
            else self._one(batch_id, plan, name, report, one, NoticeState.HELD, known[one])
            if one in known
            else self._one(batch_id, plan, name, report, one, NoticeState.WAITING, "")
            for one in plan.to
        ]

    def _known(self, session: Session, plan: Plan, report: Report) -> dict[str, str]:
        """Why it is kept from those to whom it says nothing new, each against what they got; for others no entry."""
        if not plan.only_changed:
            return {}
        last, said, known = store.last_sent(session, plan.id), substance(report.facts), {}
        before = {one: report_store.report(session, one) for one in {got.report_id for got in last.values()} if one}
        same = {one: got for one, got in before.items() if got is not None and substance(got.facts) == said}
        for recipient, got in last.items():
            if recipient in plan.to and got.report_id in same:
                at = same[got.report_id].line.made_at
                known[recipient] = f"Nothing to act on has changed since the one of {at:%Y-%m-%d %H:%M} UTC."
        return known

    def _one(
        self, batch_id: str, plan: Plan, name: str, report: Report | None, recipient: str, state: NoticeState, note: str
    ) -> Delivery:
        wall = self.context.clock.wall()
        return Delivery(
            id=self.context.new_id(), batch_id=batch_id, plan_id=plan.id, plan=name,
            report_id=None if report is None else report.line.id, about=plan.words(), recipient=recipient,
            formats=tuple(str(one) for one in plan.formats), state=state, not_before=wall, attempts=0, note=note,
            created_at=wall, sent_at=None, level=plan.level_for(recipient),
        )  # fmt: skip

    def _keep(self, batch_id: str, made: list[Delivery]) -> tuple[Delivery, ...]:
        with transaction(self.context.databases.app) as session:
            if not store.of_batch(session, batch_id):
                store.add(session, made)
            return store.of_batch(session, batch_id)
