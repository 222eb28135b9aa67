"""Messages about alerts: to whom, which, when, and what they say.

A channel takes the alerts it wants as notices; a notice is sent once. What was open before its channel was made, what
came again within the channel's pause, and what was over before its time came is held, with the reason, never sent.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from urllib.parse import quote, urlsplit

from mlops_dash.domain.access import REGISTRY_ALERTS
from mlops_dash.domain.calendar import wall_instant, zone_of
from mlops_dash.errors import InvalidInput

SEVERITIES = ("notice", "warning", "critical")
MOST_ATTEMPTS = 8
_WAITS = (10, 30, 120, 600, 1_800, 3_600, 7_200)  # seconds before the next attempt
_ADDRESS = re.compile(r"[^@\s,;<>\"]+@[^@\s,;<>\"]+")
_MOST_MINUTES = 30 * 24 * 60


class ChannelKind(StrEnum):
    """How a channel is spoken to."""

    EMAIL = "email"
    SLACK = "slack"  # also Mattermost, Rocket.Chat and others that take {"text": ...}
    TEAMS = "teams"
    WEBHOOK = "webhook"  # our own JSON, signed


class Event(StrEnum):
    """What a notice tells."""

    OPENED = "opened"
    CLOSED = "closed"
    TEST = "test"


class NoticeState(StrEnum):
    """What became of a notice."""

    WAITING = "waiting"
    SENDING = "sending"
    SENT = "sent"
    HELD = "held"  # on purpose, the reason says why
    FAILED = "failed"  # given up after the last attempt
    UNSURE = "not known"  # our process ended while it was being sent: sending it again is a person's decision


@dataclass(frozen=True)
class Route:
    """Which alerts a channel takes, and when.

    Attributes:
        severity: The least severity that it takes: notice, warning or critical.
        models: Only of these models; () = of all.
        after_minutes: Only what nobody has answered for so long (escalation); 0 = at once.
        pause_minutes: The same kind of alert of the same model is not sent again within so long; 0 = always.
        quiet_from: Wall clock "HH:MM" from which warnings and notices wait; "" = never.
        quiet_to: Wall clock "HH:MM" at which they go. Critical ones never wait.
        digest_at: Wall clock "HH:MM" of one message a day with all that came; "" = one message each. Critical ones too
            wait for it: who wants them at once makes a second channel.
        zone: Whose clocks.
    """

    severity: str = "warning"
    models: tuple[str, ...] = ()
    after_minutes: int = 0
    pause_minutes: int = 0
    quiet_from: str = ""
    quiet_to: str = ""
    digest_at: str = ""
    zone: str = "UTC"

    def check(self) -> None:
        """Refuse what cannot be followed.

        Raises:
            InvalidInput: an unknown severity or zone, a time that is none, or half of the quiet hours.
        """
        if self.severity not in SEVERITIES:
            raise InvalidInput(f"{self.severity!r} is no severity.", hint=f"Use one of {', '.join(SEVERITIES)}.")
        zone_of(self.zone)
        for clock in filter(None, (self.quiet_from, self.quiet_to, self.digest_at)):
            minutes_of(clock)
        if bool(self.quiet_from) != bool(self.quiet_to) or (self.quiet_from and self.quiet_from == self.quiet_to):
            raise InvalidInput("Quiet hours need a beginning and another end.", hint="For example 22:00 and 07:00.")
        if not all(0 <= one <= _MOST_MINUTES for one in (self.after_minutes, self.pause_minutes)):
            raise InvalidInput("That wait cannot be used.", hint="Use 0 to 43,200 minutes (30 days).")

    def wants(self, model: str, severity: str) -> bool:
        """Whether an alert of this model and severity is sent here.

        >>> Route(severity="critical").wants("churn", "warning"), Route(models=("churn",)).wants("churn", "critical")
        (False, True)
        """
        known = severity if severity in SEVERITIES else "critical"  # never lost for a word that is not known
        loud = SEVERITIES.index(known) >= SEVERITIES.index(self.severity)
        return loud and (not self.models or model in self.models)

    def goes_at(self, severity: str, now: datetime) -> datetime:
        """When a notice that is due now may go: at once, after the quiet hours, or with the day's digest.

        >>> from datetime import UTC
        >>> night = datetime(2026, 3, 2, 23, tzinfo=UTC)
        >>> Route(quiet_from="22:00", quiet_to="07:00").goes_at("warning", night).isoformat()
        '2026-03-03T07:00:00+00:00'
        >>> Route(quiet_from="22:00", quiet_to="07:00").goes_at("critical", night) == night
        True
        """
        if self.digest_at:
            return self._next(self.digest_at, now)
        if self.quiet_from and severity != "critical" and self._is_quiet(now):
            return self._next(self.quiet_to, now)
        return now

    def _is_quiet(self, now: datetime) -> bool:
        local = now.astimezone(zone_of(self.zone))
        at, first, end = local.hour * 60 + local.minute, minutes_of(self.quiet_from), minutes_of(self.quiet_to)
        return first <= at < end if first < end else at >= first or at < end

    def _next(self, clock: str, now: datetime) -> datetime:
        """The next instant, after now, at which the zone's clocks show this time."""
        day, minutes = now.astimezone(zone_of(self.zone)).date(), minutes_of(clock)
        moments = (
            wall_instant(datetime(one.year, one.month, one.day, minutes // 60, minutes % 60), self.zone)  # noqa: DTZ001
            for one in (day + timedelta(days=ahead) for ahead in range(3))
        )
        return next(moment for moment in moments if moment > now)

    def words(self) -> str:
        """The route in a few words.

        >>> Route().words(), Route(severity="critical", after_minutes=30, models=("churn",)).words()
        ('warning and above, of all models', 'critical, of churn, unanswered for 30 min')
        """
        parts = [self.severity if self.severity == "critical" else f"{self.severity} and above"]
        parts.append(f"of {', '.join(self.models)}" if self.models else "of all models")
        if self.after_minutes:
            parts.append(f"unanswered for {self.after_minutes:,} min")
        if self.pause_minutes:
            parts.append(f"the same at most every {self.pause_minutes:,} min")
        if self.digest_at:
            parts.append(f"together at {self.digest_at} {self.zone}")
        if self.quiet_from:
            parts.append(f"quiet {self.quiet_from} to {self.quiet_to} {self.zone} but for critical ones")
        return ", ".join(parts)


@dataclass(frozen=True)
class Channel:
    """Where alerts are told."""

    id: str
    name: str
    kind: ChannelKind
    address: str  # e-mail addresses with commas between, or a URL
    secret: str = field(repr=False)  # signs what is sent to a URL
    route: Route
    enabled: bool
    created_at: datetime
    created_by: str

    @property
    def shown_address(self) -> str:
        """The address without what opens it: a Slack URL is a password."""
        host = "" if self.kind is ChannelKind.EMAIL else urlsplit(self.address).hostname
        return f"{host}/…" if host else self.address


@dataclass(frozen=True)
class Notice:
    """One message, or one part of a digest. Times are the machine's, not a replayed world's."""

    id: str
    channel_id: str
    channel: str  # its name, also after the channel is gone
    alert_id: str
    event: Event
    model: str
    kind: str  # of the alert
    severity: str
    title: str
    text: str
    link: str
    state: NoticeState
    not_before: datetime
    attempts: int
    note: str  # why it is held, what went wrong, or where it went
    created_at: datetime
    sent_at: datetime | None


@dataclass(frozen=True)
class Message:
    """What is put on the wire."""

    id: str  # the same at every attempt, so that a receiver can tell
    subject: str
    notices: tuple[Notice, ...]

    @property
    def text(self) -> str:
        """All of it as plain text."""
        return "\n\n".join("\n".join(filter(None, (line(one), one.text, one.link))) for one in self.notices)


def line(notice: Notice) -> str:
    """What happened, in one line."""
    if notice.event is Event.TEST:
        return notice.title
    word = "Over" if notice.event is Event.CLOSED else notice.severity.capitalize()
    return f"{word}: {notice.title}"


def message(notices: Sequence[Notice]) -> Message:
    """One message of notices that go together, the worst first.

    Args:
        notices: At least one, of one channel.
    """
    order = sorted(notices, key=lambda one: (one.event is Event.CLOSED, -_rank(one.severity), one.created_at, one.id))
    first = order[0]
    if len(order) == 1:
        subject = f"[{first.model or 'mlops-dash'}] {line(first)}"
    else:
        subject = f"[mlops-dash] {len(order)} messages, first: {line(first)}"
    return Message(first.id, subject, tuple(order))


def retry_at(attempts: int, now: datetime) -> datetime | None:
    """When to try again after so many attempts; None = no more.

    >>> from datetime import UTC
    >>> now = datetime(2026, 1, 1, tzinfo=UTC)
    >>> (retry_at(1, now) - now).seconds, retry_at(MOST_ATTEMPTS, now) is None
    (10, True)
    """
    return None if attempts >= MOST_ATTEMPTS else now + timedelta(seconds=_WAITS[attempts - 1])


def alert_link(base: str, model: str, kind: str = "") -> str:
    """The address of the page where an alert of a model is answered."""
    page = "registry" if kind in REGISTRY_ALERTS else "monitoring"
    return f"{base.rstrip('/')}/{page}?model={quote(model, safe='')}"


def minutes_of(clock: str) -> int:
    """Minutes since midnight of "HH:MM".

    Raises:
        InvalidInput: it is no time of day.

    >>> minutes_of("07:30")
    450
    """
    found = re.fullmatch(r"([01]\d|2[0-3]):([0-5]\d)", clock)
    if found is None:
        raise InvalidInput(f"{clock!r} is no time of day.", hint="Use HH:MM, for example 07:30.")
    return int(found[1]) * 60 + int(found[2])


def checked_address(kind: ChannelKind, address: str) -> str:
    """The address as it is kept.

    Raises:
        InvalidInput: it is no list of e-mail addresses, or no URL with a host and without a user.
    """
    if kind is ChannelKind.EMAIL:
        parts = [one.strip() for one in re.split(r"[,;\n]", address) if one.strip()]
        wrong = next((one for one in parts if not _ADDRESS.fullmatch(one) or not one.isascii()), None)
        if wrong is not None or not parts:
            raise InvalidInput(
                f"{wrong or address!r} is no e-mail address.", hint="Use name@host, with commas between."
            )
        return ", ".join(dict.fromkeys(parts))
    address = address.strip()
    try:
        parsed = urlsplit(address)
        fine = parsed.scheme in {"https", "http"} and parsed.hostname and parsed.port != 0
    except ValueError:
        parsed, fine = urlsplit(""), False
    if not fine or parsed.username is not None or any(sign.isspace() or ord(sign) < 32 for sign in address):
        raise InvalidInput("That is no address of a web hook.", hint="Use https://host/path.")
    return address


def _rank(severity: str) -> int:
    return SEVERITIES.index(severity) if severity in SEVERITIES else len(SEVERITIES)
