"""The audit ledger's vocabulary and its hash chain: what an entry holds and how it hangs on the one before.

Decisions of people and policies go in; machine facts do not. Each Action is emitted by exactly one command.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from mlops_dash.ids import canonical_json

GENESIS = "0" * 64


class Action(StrEnum):
    """Every decision that the ledger can hold."""

    USER_CREATED = "user.created"
    USER_ROLE_SET = "user.role_set"
    USER_DISABLED = "user.disabled"
    USER_ENABLED = "user.enabled"
    USER_LINK_ISSUED = "user.link_issued"
    ADMIN_LINK_USED = "user.admin_link_used"
    PASSWORD_SET = "user.password_set"
    SERVICE_CREATED = "service.created"
    SERVICE_MODELS_SET = "service.models_set"
    TOKEN_ISSUED = "token.issued"
    TOKEN_REVOKED = "token.revoked"
    DEPUTY_NAMED = "deputy.named"
    DEPUTY_ENDED = "deputy.ended"
    MODEL_ADDED = "model.added"
    MODEL_EDITED = "model.edited"
    MODEL_ARCHIVED = "model.archived"
    MODEL_RESTORED = "model.restored"
    MONITOR_SET = "monitor.set"
    EVIDENCE_PUSHED = "evidence.pushed"
    REFERENCE_SET = "reference.set"
    POLICY_PROPOSED = "policy.proposed"
    POLICY_ACTIVATED = "policy.activated"
    PROPOSAL_OPENED = "proposal.opened"
    PROPOSAL_APPROVED = "proposal.approved"
    PROPOSAL_REJECTED = "proposal.rejected"
    PROPOSAL_WITHDRAWN = "proposal.withdrawn"
    COMMENT_WRITTEN = "comment.written"
    CONDITION_DONE = "condition.done"
    GATE_OVERRIDDEN = "gate.overridden"
    PROMOTION_DECIDED = "promotion.decided"
    PROMOTION_FINISHED = "promotion.finished"
    ROLLOUT_STARTED = "rollout.started"
    ROLLOUT_ADVANCED = "rollout.advanced"  # by its stages, as they were approved
    ROLLOUT_PAUSED = "rollout.paused"
    ROLLOUT_CONTINUED = "rollout.continued"
    ROLLOUT_STOPPED = "rollout.stopped"
    ROLLOUT_HALTED = "rollout.stopped_by_rule"
    ROLLBACK_DECIDED = "rollback.decided"
    ROLLBACK_FINISHED = "rollback.finished"
    ALIAS_DRIFTED = "alias.moved_outside"
    ALIAS_ADOPTED = "alias.adopted"
    ALIAS_RESTORED = "alias.restored"
    VERSION_CHANGED = "version.changed_outside"
    VERSION_RESTORED = "version.restored"
    CHANGE_ADOPTED = "version.change_adopted"
    SERVED_ELSEWHERE = "version.served_elsewhere"
    ALERT_ACKNOWLEDGED = "alert.acknowledged"
    ALERT_SNOOZED = "alert.snoozed"
    ALERT_CLOSED = "alert.closed"
    ALERT_RATED = "alert.rated"  # useful, or noise
    ALERT_CONFIRMED = "alert.closed_by_rule"
    ALERT_REOPENED = "alert.reopened_by_rule"
    ALARM_RESTARTED = "alarm.restarted"
    RECIPE_SAVED = "recipe.saved"
    SCHEDULE_SAVED = "schedule.saved"
    SCHEDULE_PAUSED = "schedule.paused"
    SCHEDULE_RESUMED = "schedule.resumed"
    SCHEDULE_REMOVED = "schedule.removed"
    TRIGGER_CALLED = "trigger.called"
    BACKFILL_ASKED = "backfill.asked"
    BACKFILL_CANCELLED = "backfill.cancelled"
    JOB_REQUESTED = "job.requested"
    RECIPE_TRIED = "recipe.tried"
    VERSION_CHECKED = "version.checks_requested"
    OPINION_REQUESTED = "opinion.requested"  # a second opinion on drift
    REPLAY_REQUESTED = "replay.requested"
    SLICES_REQUESTED = "slices.requested"  # in which parts of the rows a version is worse
    WHY_REQUESTED = "why.requested"  # what a version rests on
    ROW_ASKED = "row.asked"  # why a single row got its answer
    ESTIMATE_REQUESTED = "estimate.requested"  # windows without labels, by a model of the loss
    JOB_CANCEL_REQUESTED = "job.cancel_requested"
    CHANNEL_ADDED = "channel.added"
    CHANNEL_EDITED = "channel.edited"
    CHANNEL_REMOVED = "channel.removed"
    CHANNEL_TESTED = "channel.tested"
    NOTICE_SENT_AGAIN = "notice.sent_again"
    REPORT_MADE = "report.made"
    REPORT_SHARED = "report.shared"
    SHARE_REVOKED = "report.link_revoked"
    REPORT_SENT = "report.sent"
    REPORT_SENT_AGAIN = "report.sent_again"
    REPORT_UNSUBSCRIBED = "report.unsubscribed"
    CARD_EDITED = "card.edited"
    CARD_APPROVED = "card.approved"
    REPORT_COMMENTED = "report.commented"
    REPORT_SIGNED = "report.signed"
    SIGN_OFF_WITHDRAWN = "report.sign_off_withdrawn"
    VERSION_NUMBERED = "version.numbered"
    VERSION_MARKED = "version.marked"  # for an environment that is not production
    SHADOW_SET = "version.shadow_set"
    VIEW_SAVED = "view.saved"
    VIEW_CHANGED = "view.changed"
    VIEW_DELETED = "view.deleted"
    NOTE_WRITTEN = "note.written"
    TEST_DESIGNED = "test.designed"
    TEST_STARTED = "test.started"
    TEST_STOPPED = "test.stopped"
    TEST_PAUSED = "test.paused"
    TEST_RESUMED = "test.resumed"
    TEST_DECIDED = "test.decided"
    TEST_SECONDED = "test.seconded"
    ROWS_ERASED = "rows.erased"
    FILES_TRUSTED = "files.trusted"
    TRUST_WITHDRAWN = "files.trust_withdrawn"
    MLFLOW_LEFT = "mlflow.left"
    WORLD_CREATED = "world.created"
    WEEK_ASKED = "week.asked"  # of the demo: the next days of its data


@dataclass(frozen=True)
class Entry:
    """One line of the ledger. `at` is this world's time, `recorded_at_wall` the machine's."""

    number: int
    at: datetime
    recorded_at_wall: datetime
    actor: str
    action: str  # an Action; text, so that a name from elsewhere can still be read and found bad
    object: str  # "flight-delay v3", "proposal 7f..."
    model: str  # "" when it is about no model
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    reason: str
    evidence_ids: tuple[str, ...]
    previous: str
    mac: str


def body(entry: Entry) -> str:
    """The canonical text that the chain signs: everything but the mac itself."""
    return canonical_json(
        {
            "number": entry.number,
            "at": entry.at.isoformat(),
            "recorded_at_wall": entry.recorded_at_wall.isoformat(),
            "actor": entry.actor,
            "action": str(entry.action),
            "object": entry.object,
            "model": entry.model,
            "before": dict(entry.before),
            "after": dict(entry.after),
            "reason": entry.reason,
            "evidence_ids": list(entry.evidence_ids),
            "previous": entry.previous,
        }
    )


def sign(key: bytes, entry: Entry) -> str:
    """HMAC-SHA256 of the body under a key that is not in the database, 64 hex digits."""
    return hmac.new(key, body(entry).encode(), hashlib.sha256).hexdigest()


def title(action: str) -> str:
    """An action as people read it.

    >>> title("proposal.approved"), title("alias.moved_outside")
    ('Proposal approved', 'Alias moved outside')
    """
    return action.replace(".", " ").replace("_", " ").capitalize()


def who(actor: str) -> str:
    """An actor's id as people read it: persons by name, machines with their prefix.

    >>> who("user:lead"), who("system:worker")
    ('lead', 'system:worker')
    """
    return actor.removeprefix("user:")


def changes(entry: Entry) -> tuple[tuple[str, str, str], ...]:
    """What the decision changed: (fact, before, after) with an empty text where a side does not know the fact."""
    names = [*entry.before, *(name for name in entry.after if name not in entry.before)]
    return tuple(
        (name.replace("_", " "), _said(entry.before, name), _said(entry.after, name))
        for name in names
        if _said(entry.before, name) != _said(entry.after, name)
    )


def _said(side: Mapping[str, Any], name: str) -> str:
    if name not in side:
        return ""
    return _words(side[name])


def _words(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None or value in ("", [], {}):
        return "none"
    if isinstance(value, Mapping):
        return ", ".join(f"{str(key).replace('_', ' ')} {_words(one)}" for key, one in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(_words(one) for one in value)
    return value if isinstance(value, str) else canonical_json(value)


@dataclass(frozen=True)
class Filter:
    """Which entries to show; an empty field does not narrow. `start` and `end` are this world's time, half-open."""

    actor: str = ""
    action: str = ""
    object: str = ""  # a part of the object's name
    model: str = ""
    start: datetime | None = None
    end: datetime | None = None
    text: str = ""  # a part of reason, object, before or after


@dataclass(frozen=True)
class Page:
    """One page of entries, newest first, and how many there are in all."""

    entries: tuple[Entry, ...]
    total: int
    number: int  # 1 is the newest
    size: int

    @property
    def pages(self) -> int:
        """How many pages there are; at least one."""
        return max(1, -(-self.total // self.size))


@dataclass(frozen=True)
class Choices:
    """What the ledger can be filtered by: the values that occur in it."""

    actors: tuple[str, ...]
    actions: tuple[str, ...]
    models: tuple[str, ...]


@dataclass(frozen=True)
class Anchor:
    """The head of the ledger as remembered outside the database: finds removed last entries and full rewrites."""

    number: int
    mac: str


@dataclass(frozen=True)
class Verdict:
    """What `verify` found: ok with n entries, or the first bad entry and why."""

    ok: bool
    n_entries: int
    bad_number: int | None = None
    reason: str = ""

    def sentence(self) -> str:
        """One line for the command line and the page."""
        if self.ok:
            return f"ok {self.n_entries} entries"
        where = f"entry {self.bad_number}" if self.bad_number is not None else "the ledger"
        return f"{where} is bad: {self.reason}"


def verify(key: bytes, entries: Iterable[Entry], anchors: Sequence[Anchor]) -> Verdict:
    """Walk the chain from the start; compare it with the heads that are kept outside.

    An anchor older than the head is fine (entries came since); a head older than an anchor is not.
    """
    previous, count = GENESIS, 0
    outside = {anchor.number: anchor.mac for anchor in anchors}
    if any(outside[anchor.number] != anchor.mac for anchor in anchors):
        return Verdict(False, 0, None, "the places that keep its head outside the database disagree")
    for entry in entries:
        count += 1
        if entry.number != count:
            return Verdict(False, count - 1, count, f"number {entry.number} stands where {count} is due")
        if entry.previous != previous:
            return Verdict(False, count - 1, count, "it does not hang on the entry before it")
        if not hmac.compare_digest(sign(key, entry), entry.mac):
            return Verdict(False, count - 1, count, "its text or its seal was changed")
        if outside.pop(count, entry.mac) != entry.mac:
            return Verdict(False, count - 1, count, "it is not the entry that was anchored outside the database")
        previous = entry.mac
    if outside:
        last = max(outside)
        return Verdict(False, count, last, f"the last entries are missing: {last} were anchored")
    return Verdict(True, count)


@dataclass(frozen=True)
class LeftInMlflow:
    """What of ours stands in somebody's MLflow.

    Attributes:
        uri: Of the server.
        tag: The name of the tag that keeps our ledger's head.
        models: Registered models that carry it.
        promoted: (model, mark, version label) of every live mark that an approved change put where it is; it stays.
    """

    uri: str
    tag: str
    models: tuple[str, ...]
    promoted: tuple[tuple[str, str, str], ...] = ()


def anchor_tag(key: bytes) -> str:
    """The name of the MLflow tag that keeps this installation's head; installations may share one MLflow."""
    return f"mlops_dash.ledger.{hmac.new(key, b'anchor tag', hashlib.sha256).hexdigest()[:12]}"


def anchor_text(key: bytes, anchor: Anchor) -> str:
    """An anchor as it is kept outside the database, with a seal of its own; `anchor_of` reads it back."""
    return f"{anchor.number}:{anchor.mac}:{_seal(key, anchor)}"


def anchor_of(key: bytes, text: str) -> Anchor | None:
    """An anchor from a text that anybody may have written; None when it is none, or does not carry our seal.

    >>> kept = anchor_text(b"key", Anchor(12, "a" * 64))
    >>> anchor_of(b"key", kept) == Anchor(12, "a" * 64), anchor_of(b"another", kept), anchor_of(b"key", "9999:ff")
    (True, None, None)
    """
    parts = _ANCHOR.fullmatch(text)
    if parts is None:
        return None
    anchor = Anchor(int(parts["number"]), parts["mac"])
    return anchor if hmac.compare_digest(parts["seal"], _seal(key, anchor)) else None


# At most 18 digits, and ASCII alone: "\u00b2".isdigit() is true, and int() refuses more than 4,300 digits.
_ANCHOR = re.compile(r"(?P<number>[1-9][0-9]{0,17}):(?P<mac>[0-9a-f]{64}):(?P<seal>[0-9a-f]{64})")


def _seal(key: bytes, anchor: Anchor) -> str:
    return hmac.new(key, f"ledger anchor {anchor.number}:{anchor.mac}".encode(), hashlib.sha256).hexdigest()
