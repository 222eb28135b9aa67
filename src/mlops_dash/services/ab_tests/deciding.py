"""What people do with a test that is over: decide, second a decision against it, and write down what was learned."""

from __future__ import annotations

from dataclasses import replace

from mlops_dash.domain.ab_tests.archive import DECISIONS, archived, as_kept, is_against
from mlops_dash.domain.ab_tests.decisions import Decision
from mlops_dash.domain.ab_tests.rules import ABTest
from mlops_dash.domain.access import Actor, Permission, person_of
from mlops_dash.domain.audit import Action
from mlops_dash.domain.words import ABState
from mlops_dash.errors import Conflict, InvalidInput, NotAllowed
from mlops_dash.services.command import Context, Unit, command
from mlops_dash.store import ab_tests as store

LONGEST = 2_000


class Deciding:
    """Decisions on tests that are over."""

    def __init__(self, context: Context) -> None:
        self.context = context

    @command(Permission.TEST_EDIT, Action.TEST_DECIDED)
    def decide(
        self, unit: Unit, actor: Actor, test_id: str, revision: int, word: str, *, reason: str, learned: str = ""
    ) -> ABTest:
        """Decide to ship the challenger or to keep the control. A scientist or above may.

        Against what the test says it waits until a second person, a lead, stands behind it; one that waits may be
        replaced, and the ledger names it.

        Args:
            unit: Of work.
            actor: Who decides.
            test_id: The test.
            revision: As the actor saw it.
            word: "ship" or "keep".
            reason: Why; goes into the ledger.
            learned: What others should know; the archive finds it.

        Raises:
            NotFound: no such test.
            InvalidInput: no reason, another word, or too long a text.
            Conflict: it is not over, is decided already, or changed since `revision`.
        """
        if word not in DECISIONS:
            raise InvalidInput(f"{word!r} is no decision.", hint=f"Say {' or '.join(DECISIONS)}.")
        if not reason.strip() or len(learned) > LONGEST:
            raise InvalidInput(f"A decision needs a reason, and at most {LONGEST:,} characters of what was learned.")
        test = store.get(unit.session, test_id)
        if test.state is not ABState.STOPPED:
            raise Conflict("This test is not over.", hint="Stop it first: its reading is then kept.")
        if test.decision is not None and test.decision.settled:
            raise Conflict(f"It was decided to {DECISIONS[test.decision.word]} already.")
        verdict = archived([test])[0].verdict
        made = Decision(word, reason.strip(), actor.id, unit.now, against=is_against(word, verdict))
        after = store.change(
            unit.session, test.id, revision, decision=as_kept(made), learned=learned.strip() or test.learned
        )
        unit.audit(
            test.object,
            model=test.model,
            before={
                "says": "" if verdict is None else str(verdict.word),
                **({} if (old := test.decision) is None else {"decision": old.word, "by": old.by, "why": old.reason}),
            },
            after={"decision": word, "against": made.against, "learned": after.learned},
            reason=made.reason,
            evidence_ids=test.evidence_ids,
        )
        return after

    @command(Permission.TEST_START, Action.TEST_SECONDED)
    def second(self, unit: Unit, actor: Actor, test_id: str, revision: int, *, reason: str) -> ABTest:
        """Stand behind a decision against the test that somebody else took. A lead or admin may.

        Raises:
            NotFound: no such test.
            InvalidInput: no reason.
            NotAllowed: they took it themselves.
            Conflict: there is no such decision, or it changed since `revision`.
        """
        if not reason.strip():
            raise InvalidInput("Seconding needs a reason.", hint="One sentence; it goes into the ledger.")
        test = store.get(unit.session, test_id)
        decided = test.decision
        if decided is None or decided.settled:
            raise Conflict("No decision waits for a second person.")
        if person_of(decided.by) == actor.person:
            raise NotAllowed("A decision against a test needs two people.", hint="Ask another lead.")
        after = replace(decided, seconded_by=actor.id, seconded_at=unit.now)
        changed = store.change(unit.session, test.id, revision, decision=as_kept(after))
        unit.audit(
            test.object,
            model=test.model,
            before={"decision": decided.word, "by": decided.by},
            after={"decision": decided.word, "seconded_by": actor.id},
            reason=reason.strip(),
            evidence_ids=test.evidence_ids,
        )
        return changed
