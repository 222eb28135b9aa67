"""Reports: freeze what the pages show into facts under a hash, and give them out as files.

One of the two services that compose other services' reads (the other is the fleet): a report says what the Monitoring
and Registry pages say, because it asks them.

comparing   two kept reports side by side
remarking   comments on a report, and sign-offs
sharing     links to one report for people without an account
scheduling  what a schedule's slot does: make a report, and a delivery for each recipient
sending     deliveries on their way out, and who unsubscribed
"""

from __future__ import annotations

from datetime import date, timedelta

from mlops_dash.domain import format as fmt
from mlops_dash.domain.access import Actor, Permission
from mlops_dash.domain.audit import Action, Filter
from mlops_dash.domain.calendar import day_of
from mlops_dash.domain.policies import PolicyKind
from mlops_dash.domain.registry.records import ApprovalLine
from mlops_dash.domain.reports.ab_result import ab_facts
from mlops_dash.domain.reports.card import card_facts
from mlops_dash.domain.reports.facts import weekly_facts
from mlops_dash.domain.reports.files import MIMES, ReportFile, ReportFormat
from mlops_dash.domain.reports.fleet import fleet_facts
from mlops_dash.domain.reports.levels import Level
from mlops_dash.domain.reports.plans import Plan
from mlops_dash.domain.reports.promotion import promotion_facts
from mlops_dash.domain.reports.snapshot import (
    KIND_LABELS,
    Draft,
    Facts,
    ModelChoice,
    Report,
    ReportKind,
    ReportLine,
    ReportsRoom,
    Subjects,
    Week,
    changes_since,
    sha256_of,
    since_sentence,
    week_ending,
)
from mlops_dash.errors import Conflict, InvalidInput, NotFound
from mlops_dash.rendering import reports as rendering
from mlops_dash.services.ab_tests import ABTestService
from mlops_dash.services.audit import AuditService
from mlops_dash.services.command import Context, Unit, command, read
from mlops_dash.services.fleet import FleetService
from mlops_dash.services.monitoring import MonitoringService
from mlops_dash.services.registry import RegistryService
from mlops_dash.services.reports.comparing import Comparing
from mlops_dash.services.reports.remarking import Remarking
from mlops_dash.services.reports.scheduling import Scheduling
from mlops_dash.services.reports.sending import Sending
from mlops_dash.services.reports.sharing import Sharing
from mlops_dash.store import ab_tests as ab_store
from mlops_dash.store import audit as audit_store
from mlops_dash.store import evidence as evidence_store
from mlops_dash.store import policies
from mlops_dash.store import registry as registry_store
from mlops_dash.store import reports as store
from mlops_dash.store.db import reading
from mlops_dash.store.monitoring import readings as monitoring_store

_LOOK_BACK = timedelta(days=40)  # how long before the week's end the latest known losses are looked for
_MOST_ENTRIES = 200
EARLIEST_YEAR = 1970


class ReportService:
    """Making, listing and reading reports."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self._monitoring = MonitoringService(context)
        self._registry = RegistryService(context)
        self._audit = AuditService(context)
        self._tests = ABTestService(context)
        self._fleet = FleetService(context)

        self.compared, said = Comparing(context).compared, Remarking(context)
        self.remarks, self.comment_report = said.remarks, said.comment_report
        self.sign_report, self.withdraw_sign_off = said.sign_report, said.withdraw_sign_off
        sharing = Sharing(context)
        self.share, self.revoke_share, self.shares = sharing.share, sharing.revoke_share, sharing.shares
        self.share_face, self.open_share = sharing.share_face, sharing.open_share

        scheduling = Scheduling(context, self._planned, self.freeze)
        self.check_plan, self.prepare = scheduling.check_plan, scheduling.prepare

        sending = Sending(context)
        self.deliveries, self.latest_of_plans = sending.deliveries, sending.latest_of_plans
        self.send_report, self.send_report_again = sending.send_report, sending.send_report_again
        self.deliver, self.deliver_now = sending.deliver, sending.deliver_now
        self.subscription, self.unsubscribe = sending.subscription, sending.unsubscribe

    @read(Permission.ROOM_READ)
    def room(self, actor: Actor, report_id: str = "") -> ReportsRoom:
        """Everything the Reports page shows; the selected report stands beside the same week computed now."""
        with reading(self.context.databases.app) as session:
            lines = store.lines(session)
            selected = store.report(session, report_id) if report_id else None
            missing = report_id if report_id and selected is None else ""
            if selected is None and lines:
                selected = store.report(session, lines[0].id)
        since, changed = "", False
        if selected is not None:
            since, changed = self._since(actor, selected)
        return ReportsRoom(
            lines=lines,
            choices=self.choices(actor),
            selected=selected,
            missing=missing,
            since=since,
            changed=changed,
            why_not=actor.why_not(Permission.REPORT_MAKE),
        )

    @read(Permission.ROOM_READ)
    def choices(self, actor: Actor) -> tuple[ModelChoice, ...]:
        """The models that can be reviewed, each with its last whole judged day."""
        now = self.context.clock.now()
        models = self._monitoring.models(actor)
        with reading(self.context.databases.app) as session:
            zones = {
                m.model: policies.active(session, m.model, PolicyKind.MONITORING, now).monitoring.zone for m in models
            }
        return tuple(
            ModelChoice(
                one.model,
                one.title,
                zones[one.model],
                None if one.as_of is None else day_of(one.as_of - timedelta(microseconds=1), zones[one.model]),
            )
            for one in models
        )

    @read(Permission.ROOM_READ)
    def report(self, actor: Actor, report_id: str) -> Report:
        """One report with its facts.

        Raises:
            NotFound: no such report.
        """
        with reading(self.context.databases.app) as session:
            found = store.report(session, report_id)
        if found is None:
            raise NotFound(f"No report {report_id[:40]!r}.", hint="Choose one from the list.")
        return found

    @read(Permission.ROOM_READ)
    def with_hash(self, actor: Actor, sha256: str) -> Report | None:
        """The kept report whose facts have this hash, or None: how a reader checks a file."""
        with reading(self.context.databases.app) as session:
            return store.with_hash(session, sha256)

    @read(Permission.ROOM_READ)
    def named(self, actor: Actor, name: str) -> Report:
        """The report that somebody names by its id, or by 8 digits or more of its facts' sha256.

        Raises:
            NotFound: none is named so.
            InvalidInput: several are.
        """
        with reading(self.context.databases.app) as session:
            found = store.named(session, name)
        if len(found) > 1:
            raise InvalidInput(f"{len(found)} reports begin with {name}.", hint="Give more digits, or the id.")
        if not found:
            raise NotFound(f"No report {name[:40]!r}.", hint="See: mlops-dash report list --json.")
        return found[0]

    @read(Permission.ROOM_READ)
    def html(self, actor: Actor, report_id: str, level: Level = Level.TECHNICAL) -> str:
        """A report as one HTML file: no script, no outside request, light and dark, the same bytes each time.

        Args:
            actor: Who reads.
            report_id: The report.
            level: For whom it is written.

        Raises:
            NotFound: no such report.
        """
        return rendering.html(self.report(actor, report_id).facts, level, self.remarks(actor, report_id))

    @read(Permission.ROOM_READ)
    def file(self, actor: Actor, report_id: str, kind: ReportFormat, level: Level = Level.TECHNICAL) -> ReportFile:
        """A report as a file of a format.

        Args:
            actor: Who reads.
            report_id: The report.
            kind: The format.
            level: For whom it is written; JSON and XLSX hold all facts at every level.

        Raises:
            NotFound: no such report.
            Unavailable: a PDF is asked for, and this machine cannot make one.
        """
        found = self.report(actor, report_id)
        content = rendering.written(found, kind, level, self.remarks(actor, report_id))
        return ReportFile(found.file_name(kind, level), MIMES[kind], content)

    @read(Permission.ROOM_READ)
    def weekly(self, actor: Actor, model: str, *, until: date | None = None) -> Draft:
        """The review of a week as it would be made now, from the very reads of the Monitoring and Registry pages.

        Args:
            actor: Who reads.
            model: The model.
            until: The last day of the week; by default the last whole day that was judged.

        Raises:
            NotFound: no such model.
            InvalidInput: the week is not over, or no day was judged yet and none was named.
            Conflict: the champion changed while the facts were read.
        """
        week = self._week(actor, model, until)
        return Draft(ReportKind.WEEKLY, model, week, self._facts(actor, model, week))

    @read(Permission.ROOM_READ)
    def promotion(self, actor: Actor, model: str, version: str) -> Draft:
        """The dossier of a version as it would be made now, from the Registry page's own reads.

        Args:
            actor: Who reads.
            model: The model.
            version: "3", "v3" or an id.

        Raises:
            NotFound: no such model or version.
        """
        room = self._registry.room(actor, model, version)
        if room.selected is None:
            raise NotFound(f"{model} has no version yet.", hint="Train or register one first.")
        own, dossier = room.selected, self._registry.dossier(actor, room.selected.id)
        line = room.line_of(own.id)
        wanted = dict.fromkeys(key for gate in (() if line is None else line.gates) for key in gate.evidence_ids)
        with reading(self.context.databases.app) as session:
            proposals = [one for one in registry_store.proposals(session, own.model) if one.version_id == own.id]
            last = proposals[0] if proposals else None
            given = () if last is None else registry_store.approvals(session, last.id)
            operations = [one for one in registry_store.operations(session, own.model) if one.to_version_id == own.id]
            evidence = evidence_store.get(session, wanted)
            entries, n_entries = audit_store.about(session, own.subject, model=own.model, most=_MOST_ENTRIES)
        number = self._registry.semantic_number(actor, own.id)
        shown = room.approvals or tuple(ApprovalLine(one, one.void_at is None, one.void_reason) for one in given)
        facts = promotion_facts(
            room, dossier, proposal=last, approvals=shown, operations=operations, evidence=evidence,
            entries=entries[::-1], n_entries=n_entries, number=number,
        )  # fmt: skip
        return Draft(ReportKind.PROMOTION, own.model, Week(own.created_at, room.now, room.zone), facts, own.label)

    @read(Permission.ROOM_READ)
    def ab_result(self, actor: Actor, test_id: str) -> Draft:
        """What an A/B test says now, from the A/B page's own read; a blind test's outcome is not in it.

        Raises:
            NotFound: no such test.
        """
        room = self._tests.room(actor, test_id)
        test = room.test
        if test is None:
            raise NotFound("No A/B test was designed yet.", hint="Design one on the page A/B tests.")
        week = Week(test.started_at or test.designed_at, test.stopped_at or room.now, test.design.zone)
        return Draft(ReportKind.AB_RESULT, test.model, week, ab_facts(room, test), test.name)

    @read(Permission.ROOM_READ)
    def card(self, actor: Actor, model: str) -> Draft:
        """A model's card: what people say of it, and the facts of its live version.

        Raises:
            NotFound: no such model.
        """
        room, card = self._registry.room(actor, model), self._registry.card(actor, model)
        dossier = None if room.champion is None else self._registry.dossier(actor, room.champion.id)
        week = Week(room.model.created_at, room.now, room.zone)
        return Draft(ReportKind.CARD, model, week, card_facts(room, card, dossier), "card")

    @read(Permission.ROOM_READ)
    def fleet(self, actor: Actor) -> Draft:
        """Every model's verdict and what is due now, from the Overview's own read."""
        room = self._fleet.room(actor)
        until = room.as_of or room.now
        return Draft(ReportKind.FLEET, "", Week(until, until, "UTC"), fleet_facts(room), fmt.instant(until, "UTC"))

    @read(Permission.ROOM_READ)
    def subjects(self, actor: Actor) -> Subjects:
        """What a report can be about: versions by model, newest first, and A/B tests."""
        with reading(self.context.databases.app) as session:
            models = registry_store.models(session)
            versions = {one.name: tuple(v.label for v in registry_store.versions(session, one.name)) for one in models}
            tests = ab_store.every(session)
        return Subjects(
            {name: labels for name, labels in versions.items() if labels},
            tuple((one.id, f"{one.model}: {one.name}") for one in tests),
        )

    @command(Permission.REPORT_MAKE, Action.REPORT_MADE)
    def freeze(self, unit: Unit, actor: Actor, draft: Draft) -> Report:
        """Keep a draft under its hash, for scientists and above; the same facts again give the report that is there.

        Drafting reads MLflow's mirror and must not hold the write lock, so it is a call of its own. Audited.
        """
        sha256 = sha256_of(draft.facts)
        known = store.same(unit.session, draft.kind, draft.model, sha256)
        if known is not None:
            unit.nothing_changed()
            return known
        line = ReportLine(
            id=self.context.new_id(),
            kind=draft.kind,
            model=draft.model,
            week=draft.week,
            sha256=sha256,
            made_by=actor.id,
            made_at=unit.now,
            subject=draft.subject,
        )
        made = Report(line, draft.facts)
        store.add(unit.session, made)
        unit.audit(
            f"{KIND_LABELS[line.kind]} of {line.of}",
            model=draft.model,
            after={"report": line.id, "sha256": sha256, "about": line.about},
        )
        return made

    def _planned(self, actor: Actor, plan: Plan) -> Draft:
        """The facts that a plan asks for, as they are now."""
        if plan.kind is ReportKind.WEEKLY:
            return self.weekly(actor, plan.model)
        if plan.kind is ReportKind.FLEET:
            return self.fleet(actor)
        if plan.kind is ReportKind.CARD:
            return self.card(actor, plan.model)
        if plan.kind is ReportKind.AB_RESULT:
            return self.ab_result(actor, plan.subject)
        champion = self._registry.room(actor, plan.model).champion
        version = plan.subject or ("" if champion is None else champion.label)
        if not version:
            raise NotFound(f"No version of {plan.model} is live.", hint="Name the version, or promote one.")
        return self.promotion(actor, plan.model, version)

    def _since(self, actor: Actor, kept: Report) -> tuple[str, bool]:
        """How a frozen report stands to the same computed now, and whether its key numbers changed."""
        line, facts = kept.line, kept.facts
        try:
            if line.kind is ReportKind.PROMOTION:
                now = self.promotion(actor, line.model, facts["version"]["id"]).facts
            elif line.kind is ReportKind.AB_RESULT:
                now = self.ab_result(actor, facts["test"]["id"]).facts
            elif line.kind is ReportKind.CARD:
                now = self.card(actor, line.model).facts
            elif line.kind is ReportKind.FLEET:
                now = self.fleet(actor).facts
            else:
                now = self._facts(actor, line.model, line.week)
        except NotFound as error:
            return f"It cannot be computed again: {error.message}", False
        return since_sentence(facts, now), bool(changes_since(facts, now))

    def _week(self, actor: Actor, model: str, until: date | None) -> Week:
        choice = next((one for one in self.choices(actor) if one.model == model), None)
        if choice is None:
            raise NotFound(f"No model {model}.", hint="Choose one from the list.")
        last = until or choice.last_day
        if last is None:
            raise InvalidInput(
                f"No day of {model} was judged yet.", hint="Name the week's last day, or wait for a day."
            )
        if last.year < EARLIEST_YEAR:
            raise InvalidInput(f"The day {last} is too long ago.", hint=f"Use a day since {EARLIEST_YEAR}.")
        week = week_ending(last, choice.zone)
        if week.end > self.context.clock.now():
            raise InvalidInput(
                f"The week to {last.isoformat()} is not over in {choice.zone}.", hint="Choose an earlier last day."
            )
        return week

    def _facts(self, actor: Actor, model: str, week: Week) -> Facts:
        room = self._monitoring.room(actor, model, "1y", end=week.end)
        registry = self._registry.room(actor, model)
        live = "" if registry.champion is None else registry.champion.version
        if room.version != live:
            raise Conflict(f"The champion of {model} changed just now.", hint="Try again.")
        found = self._audit.entries(actor, Filter(model=model, start=week.start, end=week.end), size=_MOST_ENTRIES)
        told = None
        if registry.champion is not None:
            with reading(self.context.databases.app) as session:
                known = monitoring_store.readings(
                    session, registry.champion.id, start=week.end - _LOOK_BACK, end=week.end
                )
            told = next((one for one in reversed(known) if one.body["metrics"]), None)
        return weekly_facts(room, registry, week, told=told, entries=found.entries)
