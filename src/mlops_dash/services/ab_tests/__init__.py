"""Design, start, read and stop A/B tests of two versions.

The arms are filled by `services.scoring`; the reading of ripe days is made in `reading`. Stopping keeps the reading
and its evidence for ever, so that a proposal, its approvals and its report carry the very same numbers.
"""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Any

from mlops_dash.domain.ab_tests.analysis import FieldExperiment
from mlops_dash.domain.ab_tests.archive import SHIP, recommended
from mlops_dash.domain.ab_tests.judging import Verdict, judge
from mlops_dash.domain.ab_tests.readings import Reading
from mlops_dash.domain.ab_tests.room import ABRoom, Plan, Rehearsal
from mlops_dash.domain.ab_tests.rules import ABTest, NewTest, Pauses
from mlops_dash.domain.access import Actor, Permission, person_of
from mlops_dash.domain.audit import Action
from mlops_dash.domain.registry.records import Version
from mlops_dash.domain.words import ABState, ABVerdict
from mlops_dash.errors import Conflict, InvalidInput, NotFound
from mlops_dash.services.ab_tests.choices import why_not_challenger
from mlops_dash.services.ab_tests.deciding import Deciding
from mlops_dash.services.ab_tests.evidence import evidence_of
from mlops_dash.services.ab_tests.planning import design_of, is_testable, plan_of, refuse_shared
from mlops_dash.services.ab_tests.published import FILE, published
from mlops_dash.services.ab_tests.reading import read_test
from mlops_dash.services.ab_tests.rehearsing import rehearse
from mlops_dash.services.ab_tests.unit_reading import read_units
from mlops_dash.services.command import Context, Unit, command, read, record
from mlops_dash.settings import app_root
from mlops_dash.store import ab_tests as store
from mlops_dash.store import evidence as evidence_store
from mlops_dash.store import prediction_log, rollouts
from mlops_dash.store import registry as registry_store
from mlops_dash.store.db import Session, reading

_log = logging.getLogger(__name__)


class ABTestService:
    """A/B tests of all models."""

    def __init__(self, context: Context) -> None:
        self.context = context
        deciding = Deciding(context)
        self.decide = deciding.decide
        self.second = deciding.second
        self._kept: dict[str, tuple[tuple[int, datetime, bool, str], Reading]] = {}  # by test
        self._harmless: dict[str, tuple[int, datetime]] = {}  # test -> as of when the worker last found no harm

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
        design = design_of(unit, wanted, control)
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
        if rollouts.open_of(unit.session, test.model) is not None:
            raise Conflict(f"A roll-out of {test.model} is going on.", hint="Stop it first, or wait until it is over.")
        refuse_shared(unit.session, test)
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

    @command(Permission.TEST_EDIT, Action.TEST_PAUSED)
    def pause(self, unit: Unit, actor: Actor, test_id: str, revision: int, *, reason: str) -> ABTest:
        """Let the champion answer every row for now; no row of a pause is read. A scientist or above may.

        Raises:
            NotFound: no such test.
            InvalidInput: no reason.
            Conflict: it does not run, is paused already, or changed since `revision`.
        """
        test = _running(unit.session, test_id, reason)
        if test.paused:
            raise Conflict("This test is paused already.")
        return _with_pauses(unit, test, revision, (*test.pauses, (unit.now, None)), reason)

    @command(Permission.TEST_START, Action.TEST_RESUMED)
    def resume(self, unit: Unit, actor: Actor, test_id: str, revision: int, *, reason: str) -> ABTest:
        """Let the challenger answer its share again; the end moves by the pause. A lead or admin may.

        Raises:
            NotFound: no such test.
            InvalidInput: no reason.
            Conflict: it is not paused, or changed since `revision`.
        """
        test = _running(unit.session, test_id, reason)
        if not test.paused:
            raise Conflict("This test is not paused.")
        return _with_pauses(unit, test, revision, (*test.pauses[:-1], (test.pauses[-1][0], unit.now)), reason)

    @record(Permission.SYSTEM)
    def watch(self, actor: Actor) -> tuple[ABTest, ...]:
        """Stop running tests that say so themselves at once when they do harm; gives those that were stopped.

        Harm has its own always-valid reading, also where people are shown one look at the end; it acts from
        `Design.guards_after` on. Each test is read once in ten minutes: what it rests on changes when a day becomes
        ripe. One that cannot be read or stopped keeps no other from it: the first such error is raised after all were
        looked at, the others are logged.
        """
        now = self.context.clock.now()
        with reading(self.context.databases.app) as session:
            watched = [one for one in store.pending(session) if one.guarded]
        stopped, failed = [], []
        looked = now.replace(minute=now.minute // 10 * 10, second=0, microsecond=0)
        for test in watched:
            if self._harmless.get(test.id) == (test.revision, looked):
                continue
            try:
                verdict = self._now(test.for_harm, now)[1]
                if verdict is None or verdict.word is not ABVerdict.STOP_HARM:
                    self._harmless[test.id] = (test.revision, looked)
                else:
                    stopped.append(self.stop(actor, test.id, test.revision, reason=f"By itself: {verdict.reason}"))
            except Exception as error:  # noqa: BLE001 - whatever one test has, the others must be watched
                _log.warning("a test is not watched: %s", error, extra={"test": test.id, "model": test.model})
                failed.append(error)
        self._harmless = {one.id: self._harmless[one.id] for one in watched if one.id in self._harmless}
        if failed:
            raise failed[0]
        return tuple(stopped)

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
            models = tuple(one.name for one in registry_store.models(session) if is_testable(session, one))
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
        return plan_of(self.context, model)

    @read(Permission.TEST_EDIT)
    def rehearse(self, actor: Actor, test_id: str, *, runs: int = 400) -> Rehearsal:
        """The looks of a test on the past, where no arm differs: false alarms, and what could be found.

        Args:
            actor: Who asks; a scientist or above.
            test_id: The test.
            runs: How often arms are drawn, 50 to 5,000.

        Raises:
            NotFound: no such test.
            InvalidInput: the number of runs cannot be.
        """
        if not 50 <= runs <= 5_000:
            raise InvalidInput(f"{runs} replays are not between 50 and 5,000.")
        with reading(self.context.databases.app) as session:
            test = store.get(session, test_id)
        with reading(self.context.databases.log) as log:
            return rehearse(log, test, now=test.started_at or self.context.clock.now(), runs=runs)

    def _now(self, test: ABTest | None, now: datetime) -> tuple[Reading | None, Verdict | None, bool]:
        """Reading, verdict and whether it is the last one."""
        if test is None or test.started_at is None or test.ends_at is None:
            return None, None, False
        if test.state is ABState.STOPPED:
            last = None if test.result is None else Reading.from_json(test.result)
            return last, None if last is None else judge(last, test.design, over=True), True
        over = test.over_at is not None and now >= test.over_at
        # Ripe days change once a day: a page that is clicked through does not read the log anew for a minute.
        key = (test.revision, now.replace(second=0, microsecond=0), over, test.design.reading)
        kept = self._kept.get(test.id)
        last = kept[1] if kept is not None and kept[0] == key else self._read(test, now, over=over)
        others = {one: each for one, each in self._kept.items() if one != test.id and each[0][1] == key[1]}
        self._kept = {**others, test.id: (key, last)}
        return last, judge(last, test.design, over=over), over

    def _read(self, test: ABTest, now: datetime, *, over: bool) -> Reading:
        if test.rows_from is None:
            raise Conflict("This test has not started.")
        end = min(now, test.window_end or now)
        start = min(test.rows_from, end)
        if test.design.by_units:
            with reading(self.context.databases.log) as log:
                rows = store.rows_of_units(log, test, start, end)
                events = store.events_of(log, test, start, end)
            return read_units(test, rows, events, now=now, over=over)
        with reading(self.context.databases.log) as log:
            rows = store.rows_of_arms(log, test, start, end)
            both = prediction_log.read_paired(log, test.model, test.challenger_id, test.control_id, start, end)
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


def _running(session: Session, test_id: str, reason: str) -> ABTest:
    if not reason.strip():
        raise InvalidInput(
            "A pause needs a reason, and so does its end.", hint="One sentence; it goes into the ledger."
        )
    test = store.get(session, test_id)
    if test.state is not ABState.RUNNING:
        raise Conflict(f"This test is {test.state}.")
    return test


def _with_pauses(unit: Unit, test: ABTest, revision: int, pauses: Pauses, reason: str) -> ABTest:
    kept = [[since.isoformat(), None if until is None else until.isoformat()] for since, until in pauses]
    after = store.change(unit.session, test.id, revision, pauses=kept)
    unit.audit(
        test.object, model=test.model, before={"paused": test.paused}, after={"paused": after.paused},
        reason=reason.strip(),
    )  # fmt: skip
    return after


def _public(test: ABTest) -> dict[str, Any]:
    """The design as the ledger tells it: without the key, for who knows it could foresee the arms."""
    fixed = {**test.design.as_json(), "challenger": test.challenger, "control": test.control}
    fixed.pop("key")
    return {**fixed, "digest": test.design.digest}


def _may(actor: Actor, test: ABTest | None, verdict: Verdict | None) -> dict[str, str]:
    """Verb -> why this person cannot do it now; "" = they can."""
    found = {
        "design": actor.why_not(Permission.TEST_EDIT),
        "start": actor.why_not(Permission.TEST_START),
        "stop": actor.why_not(Permission.TEST_EDIT),
        "pause": actor.why_not(Permission.TEST_EDIT),
        "resume": actor.why_not(Permission.TEST_START),
        "propose": actor.why_not(Permission.PROPOSAL_OPEN),
        "decide": actor.why_not(Permission.TEST_EDIT),
        "second": actor.why_not(Permission.TEST_START),
    }
    decided = None if test is None else test.decision
    if decided is not None and not found["second"] and person_of(decided.by) == actor.person:
        found["second"] = "A decision against a test needs two people: ask another lead."
    if test is not None and not found["propose"]:
        if test.state is not ABState.STOPPED:
            found["propose"] = "Stop the test first: its result is then the evidence."
        elif decided is not None and not decided.settled:
            found["propose"] = "The decision waits for a second person."
        elif decided is not None and decided.word != SHIP:
            found["propose"] = f"It was decided to keep {test.control}."
        elif decided is None and recommended(verdict) != SHIP:
            found["propose"] = f"This test does not say that {test.challenger} should ship."
    return found
