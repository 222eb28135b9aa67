"""What may be concluded of a test: the word of its banner, and why."""

from __future__ import annotations

from dataclasses import dataclass

from mlops_dash.domain.ab_tests.outcomes import metric_of
from mlops_dash.domain.ab_tests.readings import MISMATCH_LOG_E, Reading
from mlops_dash.domain.ab_tests.rules import Design
from mlops_dash.domain.words import ABVerdict, GateState


@dataclass(frozen=True)
class Verdict:
    """The word and why."""

    word: ABVerdict
    reason: str


def judge(reading: Reading, design: Design, *, over: bool) -> Verdict:
    """What the banner says; `over` = stopped, or the planned end is reached and every day is ripe."""
    odd = reading.odd_segment
    if odd is not None and reading.mismatch_log_e < MISMATCH_LOG_E:
        seen = odd.challenger / max(odd.challenger + odd.control, 1)
        return Verdict(
            ABVerdict.INVALID,
            f"Where {odd.name} the challenger answered {seen:.1%} of the units, planned were {design.share:.1%}: the "
            "arms cannot be compared. Look for what drops or repeats units there.",
        )
    if reading.mismatch:
        total = reading.challenger.assigned + reading.control.assigned
        seen = reading.challenger.assigned / total
        return Verdict(
            ABVerdict.INVALID,
            f"The challenger answered {seen:.1%} of the units, planned were {design.share:.1%}: the arms cannot be "
            "compared. Look for what drops or repeats units before testing again.",
        )
    if reading.blind:
        unseen = f"It ended before the first look. {reading.blind}"
        return Verdict(ABVerdict.UNDECIDED, unseen) if over else Verdict(ABVerdict.GO_ON, reading.blind)
    harmed = [one for one in reading.guardrails if one.state is GateState.FAILED]
    if harmed:
        names = " and ".join(metric_of(one.metric).label for one in harmed)
        return Verdict(ABVerdict.STOP_HARM, f"{names}: worse by more than the margin.")
    if reading.primary.state is GateState.FAILED:
        return Verdict(ABVerdict.STOP_HARM, "The primary outcome is worse: its whole interval lies on that side of 0.")
    if reading.primary.state is GateState.NOT_COMPUTABLE:
        why = reading.primary.reason.rstrip(".") or "it has no interval"
        said = f"The primary outcome is not computable: {why}."
        return Verdict(ABVerdict.UNDECIDED if over else ABVerdict.GO_ON, said)
    open_ones = [metric_of(one.metric).label for one in reading.guardrails if one.state is not GateState.PASSED]
    better = reading.primary.state is GateState.PASSED
    if better and not open_ones:
        return Verdict(ABVerdict.SHIP, "The primary outcome is better and every guardrail holds.")
    inside = "the interval of the primary outcome holds 0"
    why = f"no margin is shown to hold for {' and '.join(open_ones)}" if better else inside
    if reading.units >= design.planned_units:
        return Verdict(ABVerdict.KEEP, f"The planned size is reached and {why}.")
    if over:
        return Verdict(ABVerdict.KEEP, f"The test is over and {why}.")
    return Verdict(ABVerdict.GO_ON, f"{why[:1].upper()}{why[1:]}.")
