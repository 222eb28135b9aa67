"""The words people read, one enum a concept, and the one table that gives each its icon, label and colour.

The field's terms have one definition here (`TERMS`), which pages show where a term stands. Unknown is never green;
status is always icon + word + colour (DESIGN 3.4).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Health(StrEnum):
    """Health of a model. Only harm (or a broken schema) makes amber or red."""

    OK = "ok"
    INPUTS_MOVED = "inputs_moved"
    AT_RISK = "at_risk"
    HARMED = "harmed"
    NOT_KNOWN = "not_known"


class Drift(StrEnum):
    """Drift of one feature, or of a window; only a window can be partly stable."""

    STABLE = "stable"
    PARTLY_STABLE = "stable_as_far_as_computable"
    WATCH = "watch"
    DRIFT = "drift"
    NOT_COMPUTABLE = "not_computable"


class GateState(StrEnum):
    """What a gate says."""

    PASSED = "passed"
    FAILED = "failed"
    CANNOT_TELL = "cannot_tell"
    WAITING = "waiting"
    OVERRIDDEN = "overridden"
    NOT_COMPUTABLE = "not_computable"


class JobState(StrEnum):
    """Where a job is."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    TIMED_OUT = "timed_out"
    SKIPPED = "skipped"


class ProposalState(StrEnum):
    """Where a proposal is."""

    OPEN = "open"  # waiting for approval
    APPROVED = "approved"  # enough approvals, waiting for the promote click
    ROLLING_OUT = "rolling_out"  # a share of the rows is answered by it
    PROMOTING = "promoting"  # decided; the alias is being moved
    PROMOTED = "promoted"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"
    VOID = "void"  # champion, candidate or policy changed under it


class RolloutState(StrEnum):
    """Where a staged roll-out is."""

    RUNNING = "running"
    PAUSED = "paused"  # the share stays, the time stands still
    FINISHING = "finishing"  # all stages are over; the promotion is being carried out
    DONE = "done"
    STOPPED = "stopped"  # all rows went back to the champion


class OperationState(StrEnum):
    """How far a promotion or rollback got: decided, alias moved, delivered, confirmed serving."""

    DECIDED = "decided"
    ALIAS_MOVED = "alias_moved"
    DELIVERED = "delivered"
    CONFIRMED = "confirmed"
    FAILED = "failed"


class AlertState(StrEnum):
    """Where an alert is."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    SNOOZED = "snoozed"
    CLOSED = "closed"


class Severity(StrEnum):
    """How urgent an alert is."""

    CRITICAL = "critical"
    WARNING = "warning"
    NOTICE = "notice"


class ABState(StrEnum):
    """Where an A/B test is."""

    DESIGNED = "designed"
    RUNNING = "running"
    STOPPED = "stopped"


class ABVerdict(StrEnum):
    """What an A/B test says."""

    SHIP = "ship"
    KEEP = "keep"
    GO_ON = "go_on"
    UNDECIDED = "undecided"  # over, and nothing was seen
    STOP_HARM = "stop_harm"
    INVALID = "invalid_srm"


class CardState(StrEnum):
    """How far a model card has come."""

    INCOMPLETE = "incomplete"
    COMPLETE = "complete"
    APPROVED = "approved"


class Progress(StrEnum):
    """How far a model has come in our house; unreached steps are grey with one next step."""

    REGISTERED = "registered"
    EVIDENCE = "evidence"
    PREDICTIONS = "predictions"
    LABELS = "labels"
    GATED = "gated"


Word = (
    Health
    | Drift
    | GateState
    | JobState
    | ProposalState
    | RolloutState
    | OperationState
    | AlertState
    | Severity
    | ABState
    | ABVerdict
    | CardState
)


@dataclass(frozen=True)
class Look:
    """How a word is shown: Material icon name, label, theme colour name."""

    icon: str
    label: str
    colour: str  # green | blue | orange | red | gray | violet


# By concept: words of two enums with the same text are equal, so one flat table would mix them up.
LOOKS: dict[type[StrEnum], dict[str, Look]] = {
    Health: {
        Health.OK: Look("check_circle", "OK", "green"),
        Health.INPUTS_MOVED: Look("moving", "Inputs moved", "blue"),
        Health.AT_RISK: Look("warning", "At risk", "orange"),
        Health.HARMED: Look("error", "Harmed", "red"),
        Health.NOT_KNOWN: Look("help", "Not known", "gray"),
    },
    Drift: {
        Drift.STABLE: Look("check_circle", "Stable", "gray"),
        Drift.PARTLY_STABLE: Look("help", "Stable as far as computable", "gray"),
        Drift.WATCH: Look("visibility", "Watch", "blue"),
        Drift.DRIFT: Look("moving", "Drift", "blue"),
        Drift.NOT_COMPUTABLE: Look("help", "Not computable", "gray"),
    },
    GateState: {
        GateState.PASSED: Look("check_circle", "Passed", "green"),
        GateState.FAILED: Look("cancel", "Failed", "red"),
        GateState.CANNOT_TELL: Look("help", "Cannot tell", "orange"),
        GateState.WAITING: Look("hourglass_top", "Waiting", "gray"),
        GateState.OVERRIDDEN: Look("gavel", "Overridden", "violet"),
        GateState.NOT_COMPUTABLE: Look("do_not_disturb_on", "Not computable", "gray"),
    },
    JobState: {
        JobState.QUEUED: Look("schedule", "Queued", "gray"),
        JobState.RUNNING: Look("progress_activity", "Running", "blue"),
        JobState.SUCCEEDED: Look("check_circle", "Succeeded", "gray"),
        JobState.FAILED: Look("cancel", "Failed", "red"),
        JobState.CANCELLED: Look("block", "Cancelled", "gray"),
        JobState.TIMED_OUT: Look("timer_off", "Timed out", "red"),
        JobState.SKIPPED: Look("skip_next", "Skipped", "gray"),
    },
    ProposalState: {
        ProposalState.OPEN: Look("hourglass_top", "Waiting for approval", "violet"),
        ProposalState.APPROVED: Look("how_to_reg", "Approved", "blue"),
        ProposalState.ROLLING_OUT: Look("stacked_line_chart", "Rolling out", "blue"),
        ProposalState.PROMOTING: Look("progress_activity", "Promoting", "blue"),
        ProposalState.PROMOTED: Look("rocket_launch", "Promoted", "green"),
        ProposalState.REJECTED: Look("cancel", "Rejected", "red"),
        ProposalState.WITHDRAWN: Look("undo", "Withdrawn", "gray"),
        ProposalState.VOID: Look("block", "Void", "gray"),
    },
    RolloutState: {
        RolloutState.RUNNING: Look("stacked_line_chart", "Rolling out", "blue"),
        RolloutState.PAUSED: Look("pause_circle", "Paused", "orange"),
        RolloutState.FINISHING: Look("progress_activity", "Promoting", "blue"),
        RolloutState.DONE: Look("rocket_launch", "Rolled out", "green"),
        RolloutState.STOPPED: Look("stop_circle", "Stopped", "red"),
    },
    OperationState: {
        OperationState.DECIDED: Look("gavel", "Decided", "blue"),
        OperationState.ALIAS_MOVED: Look("sell", "Mark moved", "blue"),
        OperationState.DELIVERED: Look("local_shipping", "Delivered", "blue"),
        OperationState.CONFIRMED: Look("check_circle", "Confirmed serving", "green"),
        OperationState.FAILED: Look("cancel", "Failed", "red"),
    },
    AlertState: {
        AlertState.OPEN: Look("notifications_active", "Open", "red"),
        AlertState.ACKNOWLEDGED: Look("visibility", "Acknowledged", "blue"),
        AlertState.SNOOZED: Look("snooze", "Snoozed", "gray"),
        AlertState.CLOSED: Look("check_circle", "Closed", "gray"),
    },
    Severity: {
        Severity.CRITICAL: Look("error", "Critical", "red"),
        Severity.WARNING: Look("warning", "Warning", "orange"),
        Severity.NOTICE: Look("moving", "Notice", "blue"),
    },
    ABState: {
        ABState.DESIGNED: Look("edit_note", "Designed", "gray"),
        ABState.RUNNING: Look("progress_activity", "Running", "blue"),
        ABState.STOPPED: Look("stop_circle", "Stopped", "gray"),
    },
    CardState: {
        CardState.INCOMPLETE: Look("edit_note", "Incomplete", "orange"),
        CardState.COMPLETE: Look("hourglass_top", "Waits for approval", "violet"),
        CardState.APPROVED: Look("how_to_reg", "Approved", "green"),
    },
    ABVerdict: {
        ABVerdict.SHIP: Look("rocket_launch", "Ship", "green"),
        ABVerdict.KEEP: Look("shield", "Keep", "gray"),
        ABVerdict.UNDECIDED: Look("help", "Not known", "gray"),
        ABVerdict.GO_ON: Look("hourglass_top", "Go on", "blue"),
        ABVerdict.STOP_HARM: Look("error", "Stop (harm)", "red"),
        ABVerdict.INVALID: Look("rule", "Invalid (SRM)", "orange"),
    },
}


def look(word: Word) -> Look:
    """The icon, label and colour of a word."""
    return LOOKS[type(word)][word]


# A term as it stands in a sentence (a plural s is found too), and what it means in words that anybody knows.
TERMS: dict[str, str] = {
    "ripe day": "A day whose outcomes have had the time to come in. Younger days are not judged yet.",
    "ripe week": "A week whose outcomes have had the time to come in. Younger weeks are not judged yet.",
    "ripe month": "A month whose outcomes have had the time to come in. Younger months are not judged yet.",
    "ripe hour": "An hour whose outcomes have had the time to come in. Younger hours are not judged yet.",
    "ripe batch": "A batch whose outcomes have had the time to come in. Younger batches are not judged yet.",
    "ripe window": "Rows whose outcomes have had the time to come in. Younger windows are not judged yet.",
    "ripe label": "An outcome of a day that is old enough to be judged.",
    "excess PSI": "How much differently a column's values are spread than in the reference, less what chance alone "
    "would show. 0: no more than chance.",
    "PSI": "Population stability index: how differently two sets of rows are spread over the same cells. 0: alike.",
    "ROC AUC within the day": "How often the model scores a yes higher than a no of the same day. 0.5: a coin; "
    "1: always.",
    "ROC AUC": "How often the model scores a yes higher than a no. 0.5: a coin; 1: always.",
    "base-rate-free log-loss": "How far the probabilities are from what happened, as if yes were as common as in the "
    "reference: it rises when the model gets worse, not when yes gets more common. 0: perfect.",
    "log-loss": "How far the probabilities are from what happened; sure and wrong costs most. 0: perfect.",
    "Brier score": "Mean squared distance of the probability from what happened (0 or 1). 0: perfect.",
    "MAE": "Mean distance of the answer from the truth, in the unit of the answer. 0: perfect.",
    "RMSE": "Distance of the answer from the truth, in the unit of the answer; large misses count most. 0: perfect.",
    "bias": "How far the answers lie too high (above 0) or too low (below 0) on average.",
    "accuracy": "Share of answers that are right.",
    "error rate": "Share of answers that are wrong.",
    "recall": "Share of the rows of a class that are named as that class. 1: every one.",
    "macro F1": "How well each class is found and how rarely it is named wrongly, all classes alike. 1: perfect.",
    "label rate": "Share of yes among the outcomes that are known.",
    "usual swing": "How far this column moves in calm weeks of the reference by itself.",
    "out of fold": "Scored by models that had not seen these rows in training.",
    "always-valid": "May be read every day: looking often does not make a false alarm more likely.",
    "harm bound": "Beyond it the model is called harmed.",
}
_LONGEST_FIRST = sorted(TERMS, key=len, reverse=True)
_TERMS = re.compile("|".join(rf"\b{re.escape(one)}(?:e?s)?\b" for one in _LONGEST_FIRST), re.IGNORECASE)
_MEANINGS = {one.casefold(): meaning for one, meaning in TERMS.items()}


def defined(text: str) -> list[tuple[str, str]]:
    """The text in pieces, each with the meaning of the term that it is, else ""; a term's first place alone has it.

    >>> [(piece, bool(meaning)) for piece, meaning in defined("Of 7 ripe days; 2 ripe days")]
    [('Of 7 ', False), ('ripe days', True), ('; 2 ripe days', False)]
    """
    pieces: list[tuple[str, str]] = []
    done, seen = 0, set()
    for found in _TERMS.finditer(text):
        word = found.group().casefold()
        forms = (word, word.removesuffix("s"), word.removesuffix("es"))
        term = next((one for one in forms if one in _MEANINGS), None)  # to `re`, a dotless i is an i; here it is none
        if term is None or term in seen:
            continue
        seen.add(term)
        if found.start() > done:
            pieces.append((text[done : found.start()], ""))
        pieces.append((found.group(), _MEANINGS[term]))
        done = found.end()
    return [*pieces, (text[done:], "")] if done < len(text) else pieces


def glossary(texts: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """The terms that stand in these texts, as they are listed, each with its meaning; by name.

    >>> [term for term, _ in glossary(["Of 7 ripe days", "the PSI of ripe days"])]
    ['PSI', 'ripe day']
    """
    said = {meaning for text in texts for _, meaning in defined(text) if meaning}
    return tuple(sorted((one for one in TERMS.items() if one[1] in said), key=lambda one: one[0].lower()))


# What a metric tells, in words that anybody knows; "{yes}" and "{no}" are the model's own outcomes.
_PLAINLY: dict[str, str] = {
    "day_auc": "Tells {yes} from {no}",
    "auc": "Tells {yes} from {no}",
    "pr_auc": "Finds {yes} without false calls",
    "base_rate_free_loss": "How far off its probabilities are, however common {yes} is",
    "log_loss": "How far off its probabilities are, sure mistakes most",
    "brier": "How far off its probabilities are",
    "calibration_error": "Whether a probability means what it says",
    "label_rate": "How common {yes} is",
    "precision": "How often its {yes} is right",
    "f1": "Finds {yes}, and rarely wrongly",
    "accuracy": "Right answers",
    "error_rate": "Wrong answers",
    "macro_f1": "Finds every class, and rarely wrongly",
    "weighted_recall": "Right answers, classes as common as in the reference",
    "weighted_log_loss": "How far off its probabilities are, classes as common as in the reference",
    "auc_ovr": "Tells each class from the others",
    "largest_share": "How common the usual class is",
    "mae": "Distance from the truth",
    "rmse": "Distance from the truth, large misses most",
    "bias": "Leans too high or too low",
    "label_mean": "The usual truth",
}
_YES = frozenset({"", "1", "1.0", "true", "yes"})


def plainly(metric: str, positive: str = "") -> str:
    """What a metric tells, in plain words that come from the task and the model's own label; "" for one nobody named.

    Args:
        metric: Its key.
        positive: The outcome whose probability a classifier of two classes gives; a bare 1 is said as yes.

    >>> plainly("day_auc", "1"), plainly("auc", "it's spam"), plainly("recall:Gentoo"), plainly("luck")
    ('Tells yes from no', "Tells it's spam from the rest", 'Finds Gentoo', '')
    """
    if metric.startswith("recall:"):
        return f"Finds {metric.removeprefix('recall:')}"
    bare = positive.strip().lower() in _YES
    yes, no = ("yes", "no") if bare else (positive, "the rest")
    return _PLAINLY.get(metric, "").replace("{yes}", yes).replace("{no}", no)


def plain_first(metric: str, label: str, positive: str = "") -> str:
    """A metric's name with plain words before its term: `Tells yes from no: ROC AUC`."""
    said = plainly(metric, positive)
    return f"{said}: {label}" if said else label
