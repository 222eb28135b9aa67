"""A report that is made and sent again and again: of what, to whom, in which formats, and when it may be left out.

When it is made is a schedule's matter (`domain.retraining`), which keeps a plan among its arguments.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from mlops_dash.domain.notices import ChannelKind, checked_address
from mlops_dash.domain.reports.files import ReportFormat
from mlops_dash.domain.reports.levels import Level, level_of
from mlops_dash.domain.reports.snapshot import KIND_LABELS, Facts, ReportKind, standing
from mlops_dash.errors import InvalidInput
from mlops_dash.ids import digest

MOST_RECIPIENTS = 500
_OF_A_MODEL = {ReportKind.WEEKLY, ReportKind.PROMOTION, ReportKind.CARD}
_FOLDER = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,79}")
_AS_LEVEL = re.compile(rf"(.+?)\s+as\s+({'|'.join(Level)})", re.IGNORECASE)


class Destination(StrEnum):
    """How a recipient is reached."""

    EMAIL = "e-mail"
    CHANNEL = "channel"  # one that an admin made on Audit & admin, tab Messages
    FOLDER = "folder"  # below the report folder of the settings


def destination_of(recipient: str) -> tuple[Destination, str]:
    """How a recipient is reached, and by which name.

    Raises:
        InvalidInput: it is no e-mail address, no channel's name and no folder's name.

    >>> destination_of("ada@example.com"), destination_of("channel:on call"), destination_of("folder:weekly")
    ((<Destination.EMAIL: 'e-mail'>, 'ada@example.com'), (<Destination.CHANNEL: 'channel'>, 'on call'), \
(<Destination.FOLDER: 'folder'>, 'weekly'))
    """
    word, sign, name = recipient.partition(":")
    name = name.strip()
    if sign and word == "channel" and name:
        return Destination.CHANNEL, name
    if sign and word == "folder":
        if not _FOLDER.fullmatch(name) or ".." in name:
            raise InvalidInput(
                f"{name[:60]!r} is no name of a folder.", hint="Use letters, digits, spaces, '.', '_' and '-'."
            )
        return Destination.FOLDER, name
    try:
        return Destination.EMAIL, checked_address(ChannelKind.EMAIL, recipient)
    except InvalidInput as error:
        raise InvalidInput(
            f"{recipient[:80]!r} is no recipient.", hint="Use name@host, channel:NAME or folder:NAME."
        ) from error


def addressed(text: str) -> dict[str, Level]:
    """The recipients of a text, with commas or line breaks between; each once, with the level that they get.

    Raises:
        InvalidInput: there is none, one cannot be used or is named at two levels, or there are more than 500.

    >>> addressed("ada@example.com as executive, folder: weekly")
    {'ada@example.com': <Level.EXECUTIVE: 'executive'>, 'folder:weekly': <Level.TECHNICAL: 'technical'>}
    """
    found: dict[str, Level] = {}
    for one in re.split(r"[,;\n]", text):
        if not one.strip():
            continue
        said = _AS_LEVEL.fullmatch(one.strip())
        name, level = (said[1], level_of(said[2])) if said else (one.strip(), Level.TECHNICAL)
        recipient = _kept(*destination_of(name))
        if found.setdefault(recipient, level) is not level:
            raise InvalidInput(f"{recipient} is named at two levels.", hint="Name each recipient once.")
    if not found:
        raise InvalidInput("It is sent to nobody.", hint="Use name@host, channel:NAME or folder:NAME.")
    if len(found) > MOST_RECIPIENTS:
        raise InvalidInput(f"{len(found):,} recipients are too many.", hint=f"Use at most {MOST_RECIPIENTS}.")
    return found


def recipients_of(text: str) -> tuple[str, ...]:
    """The recipients of a text alone, as `addressed` reads it.

    Raises:
        InvalidInput: as `addressed`.

    >>> recipients_of("ada@example.com, folder: weekly")
    ('ada@example.com', 'folder:weekly')
    """
    return tuple(addressed(text))


def said_to(recipient: str, level: Level) -> str:
    """A recipient with its level, as `addressed` reads it; the usual level goes without saying.

    >>> said_to("ada@example.com", Level.AUDIT), said_to("folder:weekly", Level.TECHNICAL)
    ('ada@example.com as audit', 'folder:weekly')
    """
    return recipient if level is Level.TECHNICAL else f"{recipient} as {level}"


def _kept(how: Destination, name: str) -> str:
    return name if how is Destination.EMAIL else f"{how}:{name}"


def formats_of(names: Iterable[str]) -> tuple[ReportFormat, ...]:
    """Formats by their names, each once; HTML where none is named.

    Raises:
        InvalidInput: there is no such format.
    """
    try:
        return tuple(dict.fromkeys(ReportFormat(name) for name in names)) or (ReportFormat.HTML,)
    except ValueError as error:
        raise InvalidInput(f"{error}.", hint=f"Use one of: {', '.join(ReportFormat)}.") from error


@dataclass(frozen=True)
class Plan:
    """What is made and sent.

    Attributes:
        kind: Of the report.
        model: The model; "" where the kind is of no single one.
        subject: Of a dossier its version, "" = the live one; of an A/B result the test's id, "" = the running one.
        formats: As which files it goes.
        to: Recipients, as `destination_of` reads them.
        only_changed: Whether it is left out while it says what the last one that was sent said.
        owner: Who saved it last, and so answers for what it sends.
        owner_id: Their id; "" = a plan that was saved before it was kept.
        levels: By recipient, for whom it is written; who is not named gets the technical level.
        id: The same through all edits: what opt-outs and the last one sent are kept by.
    """

    kind: ReportKind
    model: str = ""
    subject: str = ""
    formats: tuple[ReportFormat, ...] = (ReportFormat.HTML,)
    to: tuple[str, ...] = ()
    only_changed: bool = False
    owner: str = ""
    id: str = ""
    owner_id: str = ""
    levels: Mapping[str, Level] = field(default_factory=dict)

    @classmethod
    def of(cls, arguments: Mapping[str, Any]) -> Plan:
        """The plan that a schedule keeps among its arguments.

        Raises:
            InvalidInput: there is none, or it cannot be followed.
        """
        said = arguments.get("report")
        if not isinstance(said, Mapping):
            raise InvalidInput("The schedule says no report.", hint="Make it anew: mlops-dash report schedule add.")
        try:
            kind = ReportKind(str(said.get("kind", "")))
        except ValueError as error:
            raise InvalidInput(f"{error}.", hint=f"Use one of: {', '.join(ReportKind)}.") from error
        made = cls(
            kind=kind, model=str(arguments.get("model", "")), subject=str(said.get("subject", "")),
            formats=formats_of(said.get("formats", ())), to=recipients_of("\n".join(said.get("to", ()))),
            only_changed=bool(said.get("only_changed")), owner=str(said.get("owner", "")), id=str(said.get("id", "")),
            owner_id=str(said.get("owner_id", "")),
            levels={str(name): level_of(str(one)) for name, one in dict(said.get("levels", {})).items()},
        )  # fmt: skip
        if (kind in _OF_A_MODEL) != bool(made.model):
            of = "needs a model" if kind in _OF_A_MODEL else "is of no single model"
            raise InvalidInput(
                f"A report of the kind {kind} {of}.", hint="Name the model of those alone that have one."
            )
        return made

    def arguments(self) -> dict[str, Any]:
        """As a schedule keeps it."""
        said: dict[str, Any] = {
            "kind": str(self.kind), "subject": self.subject, "formats": [str(one) for one in self.formats],
            "to": list(self.to), "only_changed": self.only_changed, "owner": self.owner, "id": self.id,
            "owner_id": self.owner_id,
        }  # fmt: skip
        levels = {one: str(level) for one in self.to if (level := self.level_for(one)) is not Level.TECHNICAL}
        said |= {"levels": levels} if levels else {}
        return {"report": said, **({"model": self.model} if self.model else {})}

    def level_for(self, recipient: str) -> Level:
        """For whom it is written."""
        return self.levels.get(recipient, Level.TECHNICAL)

    @property
    def said_to(self) -> tuple[str, ...]:
        """The recipients with their levels, as `addressed` reads them."""
        return tuple(said_to(one, self.level_for(one)) for one in self.to)

    def words(self) -> str:
        """What it makes, in words.

        >>> Plan(ReportKind.CARD, "churn").words()
        'Model card of churn'
        """
        of = self.model or ("all models" if self.kind is ReportKind.FLEET else "the running test")
        return f"{KIND_LABELS[self.kind]} of {of}" + (f", {self.subject}" if self.subject else "")


def substance(facts: Facts) -> str:
    """The digest of what a report says that somebody would act on: states, versions, alerts; no amounts, no times.

    Two reports with the same one say the same to who decides, though a week later more rows have come.
    """
    return digest(standing(facts))
