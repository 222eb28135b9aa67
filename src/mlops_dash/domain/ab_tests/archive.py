"""What was decided on tests that are over, by whom, and what was learned; and how one of them is found again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

from mlops_dash.domain.ab_tests.decisions import Decision
from mlops_dash.domain.ab_tests.judging import Verdict, judge
from mlops_dash.domain.ab_tests.outcomes import metric_of
from mlops_dash.domain.ab_tests.readings import Measured, Reading
from mlops_dash.domain.ab_tests.rules import ABTest
from mlops_dash.domain.words import ABState, ABVerdict, look

SHIP, KEEP = "ship", "keep"
DECISIONS: Final[Mapping[str, str]] = {SHIP: "ship the challenger", KEEP: "keep the control"}
_SAYS: Final = {ABVerdict.SHIP: SHIP, ABVerdict.KEEP: KEEP, ABVerdict.STOP_HARM: KEEP}


def recommended(verdict: Verdict | None) -> str:
    """What a test says to do: "ship", "keep", or "" where nothing is known."""
    return "" if verdict is None else _SAYS.get(verdict.word, "")


def is_against(word: str, verdict: Verdict | None) -> bool:
    """Whether a decision needs a second person: it is not what the test says; without a verdict to keep is no risk.

    >>> from mlops_dash.domain.words import ABVerdict as V
    >>> [is_against(SHIP, None), is_against(KEEP, None), is_against(KEEP, Verdict(V.SHIP, ""))]
    [True, False, True]
    """
    return word != (recommended(verdict) or KEEP)


def why_not_ship(decided: Sequence[ABTest]) -> str:
    """What the last decision between a version and its champion says against proposing it; "" where nothing does.

    Args:
        decided: The tests of the two that were decided on, the last one first.
    """
    test = next(iter(decided), None)
    if test is None or test.decision is None:
        return ""
    found = test.decision
    if not found.settled:
        return (
            f"It was decided to {DECISIONS[found.word]}, against what the A/B test {test.name} says, and nobody "
            "stands behind it yet: a second person must."
        )
    if found.word == KEEP:
        return f"After the A/B test {test.name} it was decided to {DECISIONS[KEEP]}: {found.reason}"
    return ""


@dataclass(frozen=True)
class Archived:
    """A test that is over, in one line."""

    test: ABTest
    verdict: Verdict | None  # None = it never started
    primary: Measured | None
    metrics: tuple[str, ...]  # labels

    def matches(self, text: str, *, verdict: str = "") -> bool:
        """Whether every word of a text occurs in what is known of it, and it ended so."""
        if verdict and (self.verdict is None or str(self.verdict.word) != verdict):
            return False
        said = () if self.verdict is None else (look(self.verdict.word).label, self.verdict.reason)
        decided = self.test.decision
        known = (
            self.test.model, self.test.name, self.test.question, self.test.stop_reason, self.test.learned,
            *self.metrics, *self.test.design.metrics, *said,
            *(() if decided is None else (DECISIONS[decided.word], decided.reason)),
        )  # fmt: skip
        whole = "\n".join(known).casefold()
        return all(word in whole for word in text.casefold().split())

    def as_json(self) -> dict[str, Any]:
        """One line of the archive as JSON-able values."""
        test, found = self.test, self.primary
        return {
            "id": test.id, "model": test.model, "challenger": test.challenger, "control": test.control,
            "question": test.question, "outcome": test.design.outcome, "metrics": list(test.design.metrics),
            "verdict": None if self.verdict is None else str(self.verdict.word),
            "effect": None if found is None else {"value": found.value, "low": found.low, "high": found.high},
            "decision": None if test.decision is None else test.decision.as_json(), "learned": test.learned,
            "stopped_at": None if test.stopped_at is None else test.stopped_at.isoformat(),
        }  # fmt: skip


def archived(tests: Iterable[ABTest]) -> tuple[Archived, ...]:
    """Tests that are over, in their order."""
    found = []
    for test in tests:
        if test.state is ABState.STOPPED:
            last = None if test.result is None else Reading.from_json(test.result)
            verdict = None if last is None else judge(last, test.design, over=True)
            labels = tuple(metric_of(one).label for one in test.design.metrics)
            found.append(Archived(test, verdict, None if last is None else last.primary, labels))
    return tuple(found)


def decision_of(kept: Mapping[str, Any] | None) -> Decision | None:
    """A decision as the database keeps it."""
    if kept is None:
        return None
    seconded = kept.get("seconded_at")
    at = {
        "at": datetime.fromisoformat(kept["at"]),
        "seconded_at": datetime.fromisoformat(seconded) if seconded else None,
    }
    return Decision(**{**kept, **at})


def as_kept(decision: Decision) -> dict[str, Any]:
    """A decision as the database keeps it."""
    return {name: one.isoformat() if isinstance(one, datetime) else one for name, one in asdict(decision).items()}
