"""Design, start, read and stop A/B tests of two versions.

The arms are filled by `services.scoring`; the reading of ripe days is made in `reading`. Stopping keeps the reading
and its evidence for ever, so that a proposal, its approvals and its report carry the very same numbers.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from mlops_dash.domain.ab_tests.analysis import FieldExperiment
from mlops_dash.domain.ab_tests.room import PRICE_OF_PEEKING, ABRoom, Choice, Plan, Reach
from mlops_dash.domain.ab_tests.rules import (
    OUTCOMES,
    ABTest,
    Design,
    Guardrail,
    NewTest,
    Reading,
    Verdict,
    check,
    judge,
)
from mlops_dash.domain.access import Actor, Permission
from mlops_dash.domain.audit import Action
from mlops_dash.domain.policies import MonitoringPolicy, PolicyKind, PromotionPolicy
from mlops_dash.domain.registry.records import Model, Version
from mlops_dash.domain.tasks import task_named
from mlops_dash.domain.words import ABState, ABVerdict
from mlops_dash.errors import Conflict, InvalidInput, NotFound
from mlops_dash.services.ab_tests.choices import why_not_challenger, why_not_offered
from mlops_dash.services.ab_tests.evidence import evidence_of
from mlops_dash.services.ab_tests.published import FILE, published
from mlops_dash.services.ab_tests.reading import losses_of, read_test
from mlops_dash.services.command import Context, Unit, command, read, record
from mlops_dash.settings import app_root
from mlops_dash.stats.ab_plan import detectable
from mlops_dash.store import ab_tests as store
from mlops_dash.store import evidence as evidence_store
from mlops_dash.store import policies as policy_store
from mlops_dash.store import prediction_log
from mlops_dash.store import registry as registry_store
from mlops_dash.store.db import Session, reading

PLAN_DAYS = (7, 14, 21, 28)
TRAFFIC_DAYS = 7
POWER = 0.8


class ABTestService:
    """A/B tests of all models."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self._kept: tuple[tuple[str, int, datetime, bool], Reading] | None = None

    # --- decisions ----------------------------------------------------------------------------------------------------

    @command(Permission.TEST_EDIT, Action.TEST_DESIGNED)
    def design(self, unit: Unit, actor: Actor, wanted: NewTest) -> ABTest:
        """Fix a test of a version against the champion. A scientist or above may; nothing is routed yet.

        Raises:
            InvalidInput: no question, or a design that cannot be carried out.
            NotFound: no such model or version.
            Conflict: there is no champion, or the challenger is it, does not load or failed its check.
        """
        if not wanted.question.strip():
            raise InvalidInput("A test needs a question.", hint="Say what it shall answer; it goes into the ledger.")
        control, challenger = _arms(unit.session, wanted)
        design = _design(unit, wanted, control)
        test = ABTest(
            id=self.context.new_id(),
            model=wanted.model,
            control_id=control.id,
            control=control.label,
            challenger_id=challenger.id,
            challenger=challenger.label,
            design=design,
            state=ABState.DESIGNED,
            revision=1,
            question=wanted.question.strip(),
            designed_by=actor.id,
            designed_at=unit.now,
        )
        store.add(unit.session, test)
        unit.audit(test.object, model=test.model, after=_public(test), reason=test.question)
        return test

    @command(Permission.TEST_START, Action.TEST_STARTED)
    def start(self, unit: Unit, actor: Actor, test_id: str, revision: int, *, reason: str) -> ABTest:
        """Let the challenger answer its share from now on. A lead or admin may.

        Raises:
            NotFound: no such test.
            InvalidInput: no reason.
            Conflict: it is not waiting for its start, the champion changed, or another test or promotion is on.
        """
        if not reason.strip():
            raise InvalidInput("A start needs a reason.", hint="One sentence; it goes into the ledger.")
        test = store.get(unit.session, test_id)
        champion = registry_store.champion(unit.session, test.model)
        if test.state is not ABState.DESIGNED:
            raise Conflict(f"This test is {test.state} already.")
        if champion is None or champion.id != test.control_id:
            raise Conflict("The champion changed since the test was designed.", hint="Design it anew.")
        if registry_store.in_flight(unit.session, test.model) is not None:
            raise Conflict(f"A change of champion of {test.model} is being carried out.", hint="Wait until it is done.")
        after = store.change(
            unit.session, test_id, revision, state=ABState.RUNNING, started_by=actor.id, started_at=unit.now
        )
        unit.audit(
            test.object,
            model=test.model,
            before={"state": str(test.state)},
            after={"state": str(after.state), "challenger": test.challenger, "share": test.design.share},
            reason=reason.strip(),
        )
        return after

    @record(Permission.TEST_EDIT)
    def stop(self, actor: Actor, test_id: str, revision: int, *, reason: str) -> ABTest:
        """End a test: the champion answers every row again; the reading of the ripe days is kept with its evidence.

        A scientist or above may. The reading is made before the transaction begins.

        Raises:
            NotFound: no such test.
            InvalidInput: no reason.
            Conflict: it changed since `revision`, or is stopped already.
        """
        if not reason.strip():
            raise InvalidInput("Stopping a test needs a reason.", hint="One sentence; it goes into the ledger.")
        now = self.context.clock.now()
        with reading(self.context.databases.app) as session:
            test = store.get(session, test_id)
        if test.state is ABState.STOPPED:
            raise Conflict("This test is stopped already.")
        last = None if test.started_at is None else self._read(test, now, over=True)
        return self._stop(actor, test, revision, reason.strip(), last)

    @command(Permission.TEST_EDIT, Action.TEST_STOPPED)
    def _stop(self, unit: Unit, actor: Actor, test: ABTest, revision: int, reason: str, last: Reading | None) -> ABTest:
        verdict = None if last is None else judge(last, test.design, over=True)
        found = [] if last is None else evidence_of(unit.session, test, last, unit.now)
        ids = evidence_store.put(unit.session, found)
        after = store.change(
            unit.session,
            test.id,
            revision,
            state=ABState.STOPPED,
            stopped_by=actor.id,
            stopped_at=unit.now,
            stop_reason=reason,
            evidence_ids=list(ids),
            result=None if last is None else last.as_json(),
        )
        said = {"verdict": str(verdict.word), "why": verdict.reason} if verdict is not None else {}
        unit.audit(
            test.object,
            model=test.model,
            before={"state": str(test.state)},
            after={"state": str(after.state), **said},
            reason=reason,
            evidence_ids=ids,
        )
        return after

    # --- looks --------------------------------------------------------------------------------------------------------

    @read(Permission.ROOM_READ)
    def room(self, actor: Actor, test_id: str = "") -> ABRoom:
        """The A/B page: all tests, and of one of them (the asked, else the running, else the newest) the reading.

        Raises:
            NotFound: no such test.
        """
        now = self.context.clock.now()
        with reading(self.context.databases.app) as session:
            tests = store.every(session)
            models = tuple(one.name for one in registry_store.models(session) if _testable(session, one))
            names = {one[0]: one[1] for one in registry_store.people(session)}
            running = [one for one in tests if one.state is ABState.RUNNING]
            test = next((one for one in tests if one.id == test_id), None)
            if test_id and test is None:
                raise NotFound(f"No test {test_id[:8]}.", hint="Choose one from the list.")
            test = test or next(iter([*running, *tests]), None)
            champion = None if test is None else registry_store.champion(session, test.model)
        with reading(self.context.databases.log) as log:
            events = prediction_log.event_names(log, "" if test is None else test.model)
        last, verdict, over = self._now(test, now)
        return ABRoom(
            models=models,
            tests=tests,
            test=test,
            reading=last,
            verdict=verdict,
            over=over,
            champion_moved=test is not None and (champion is None or champion.id != test.control_id),
            names=names,
            may=_may(actor, test, verdict),
            events=events,
            now=now,
        )

    @read(Permission.ROOM_READ)
    def published(self, actor: Actor) -> FieldExperiment:
        """The published field experiment, read at its fixed end; nobody can change it."""
        return published(app_root() / FILE)

    @read(Permission.ROOM_READ)
    def plan(self, actor: Actor, model: str) -> Plan:
        """What a test of this model could be, and what it could find, from a week of the champion's own rows.

        Raises:
            NotFound: no such model.
            Conflict: there is no champion, or no other version.
        """
        now = self.context.clock.now()
        with reading(self.context.databases.app) as session:
            champion = registry_store.champion(session, model)
            versions = registry_store.versions(session, model)
            why_not = why_not_offered(session, model, versions)
            promotion, _ = _policies(session, model, now)
            prior = None if champion is None else evidence_store.prior_of(session, champion.id)
        if champion is None:
            raise Conflict(f"{model} has no champion to test against.", hint="Promote a first version.")
        others = [one for one in versions if one.id != champion.id]
        choices = tuple(Choice(one.id, one.label) for one in others if not why_not[one.id])
        left_out = tuple(f"{one.label} {why_not[one.id]}" for one in others if why_not[one.id])
        if not choices:
            none = f"{model} has no other version" + (f" to try: {'; '.join(left_out)}." if left_out else ".")
            raise Conflict(none, hint="Train one on the Retraining page.")
        with reading(self.context.databases.log) as log:
            start = now - timedelta(days=TRAFFIC_DAYS + 1)
            rows = prediction_log.read_window(log, champion.id, start, now - timedelta(days=1), features=False)
        known = rows[rows["label"].notna()]
        a_day = len(known) // TRAFFIC_DAYS
        sd = {
            one: float(losses_of(known["label"].tolist(), known["score"].tolist(), one, prior or 0.5).std(ddof=1))
            for one in (OUTCOMES if len(known) > 1 else ())
        }
        margins = dict.fromkeys(("brier", "log_loss"), promotion.guardrail_margin)
        return Plan(
            model=model,
            champion=champion.label,
            choices=choices,
            left_out=left_out,
            units_a_day=a_day,
            guardrails=tuple(Guardrail(*one) for one in margins.items() if one[0] == promotion.guardrail),
            alpha=1.0 - promotion.level,
            reach={outcome: tuple(_reach(one, a_day, days) for days in PLAN_DAYS) for outcome, one in sd.items()},
        )

    def _now(self, test: ABTest | None, now: datetime) -> tuple[Reading | None, Verdict | None, bool]:
        """Reading, verdict and whether it is the last one."""
        if test is None or test.started_at is None or test.ends_at is None:
            return None, None, False
        if test.state is ABState.STOPPED:
            last = None if test.result is None else Reading.from_json(test.result)
            return last, None if last is None else judge(last, test.design, over=True), True
        over = now >= test.ends_at + timedelta(hours=test.design.label_delay_hours)
        # Ripe days change once a day: a page that is clicked through does not read the log anew for a minute.
        key = (test.id, test.revision, now.replace(second=0, microsecond=0), over)
        kept = self._kept
        last = kept[1] if kept is not None and kept[0] == key else self._read(test, now, over=over)
        self._kept = (key, last)
        return last, judge(last, test.design, over=over), over

    def _read(self, test: ABTest, now: datetime, *, over: bool) -> Reading:
        if test.started_at is None:
            raise Conflict("This test has not started.")
        end = min(now, test.window_end or now)
        with reading(self.context.databases.log) as log:
            rows = store.rows_of_arms(log, test, test.started_at, end)
            both = prediction_log.read_paired(
                log, test.model, test.challenger_id, test.control_id, test.started_at, end
            )
        return read_test(test, rows, both, now=now, over=over)


def _arms(session: Session, wanted: NewTest) -> tuple[Version, Version]:
    """The champion and the version that is tried against it."""
    challenger = registry_store.version(session, wanted.challenger_id)
    control = registry_store.champion(session, wanted.model)
    if control is None:
        raise Conflict(f"{wanted.model} has no champion to test against.", hint="Promote a first version.")
    if challenger.id == control.id or challenger.model != wanted.model:
        raise Conflict(f"{challenger.subject} cannot be tested against {control.subject}.")
    why_not = why_not_challenger(session, wanted.model, [challenger])[challenger.id]
    if why_not:
        raise Conflict(f"{challenger.subject} {why_not}.", hint="Choose another version, or train a new one.")
    return control, challenger


def _design(unit: Unit, wanted: NewTest, control: Version) -> Design:
    """What is asked for, and what the policies in force fix with it."""
    promotion, watch = _policies(unit.session, wanted.model, unit.now)
    margins = wanted.guardrails
    if margins is None:
        margins = {promotion.guardrail: promotion.guardrail_margin}
    return check(
        Design(
            outcome=wanted.outcome,
            guardrails=tuple(Guardrail(metric, most) for metric, most in margins.items() if metric != wanted.outcome),
            unit=wanted.unit,
            share=wanted.share,
            days=wanted.days,
            planned_units=wanted.planned_units,
            min_units=wanted.min_units,
            alpha=wanted.alpha,
            reading=wanted.reading,
            prior=evidence_store.prior_of(unit.session, control.id) or 0.5,
            zone=watch.zone,
            label_delay_hours=watch.label_delay_hours,
            ripe_coverage=watch.ripe_coverage,
            key=wanted.key or unit.context.new_id(),
        )
    )


def _public(test: ABTest) -> dict[str, Any]:
    """The design as the ledger tells it: without the key, for who knows it could foresee the arms."""
    fixed = {**test.design.as_json(), "challenger": test.challenger, "control": test.control}
    fixed.pop("key")
    return {**fixed, "digest": test.design.digest}


def _testable(session: Session, model: Model) -> bool:
    """Whether a test of it can be designed: probabilities, a champion, and another version."""
    is_served = model.source == "mlflow" and task_named(model.task).in_ab_tests
    return (
        is_served
        and registry_store.champion(session, model.name) is not None
        and len(registry_store.versions(session, model.name)) > 1
    )


def _policies(session: Session, model: str, now: datetime) -> tuple[PromotionPolicy, MonitoringPolicy]:
    promotion = policy_store.active(session, model, PolicyKind.PROMOTION, now).promotion
    return promotion, policy_store.active(session, model, PolicyKind.MONITORING, now).monitoring


def _reach(sd: float, a_day: int, days: int) -> Reach:
    units = max(a_day * days, 1)
    found = detectable(sd=sd, units=units, share=0.5, alpha=0.05, power=POWER)
    return Reach(days, a_day * days, found, found * PRICE_OF_PEEKING)


def _may(actor: Actor, test: ABTest | None, verdict: Verdict | None) -> dict[str, str]:
    """Verb -> why this person cannot do it now; "" = they can."""
    found = {
        "design": actor.why_not(Permission.TEST_EDIT),
        "start": actor.why_not(Permission.TEST_START),
        "stop": actor.why_not(Permission.TEST_EDIT),
        "propose": actor.why_not(Permission.PROPOSAL_OPEN),
    }
    if test is not None and not found["propose"]:
        if test.state is not ABState.STOPPED:
            found["propose"] = "Stop the test first: its result is then the evidence."
        elif verdict is None or verdict.word is not ABVerdict.SHIP:
            found["propose"] = f"This test does not say that {test.challenger} should ship."
    return found
