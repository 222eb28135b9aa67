"""What must not change of a version while it is live (files, tags, description, source), and what changed of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

FILE, TAG, DESCRIPTION, SOURCE, VERSION = "file", "tag", "description", "source", "version"
ALL_FILES = "all files"
_SHOWN = 3


@dataclass(frozen=True)
class OutsideChange:
    """One thing of a live version that somebody else changed in MLflow; "" before = it was not there, after = gone."""

    what: str
    name: str
    before: str
    after: str

    def said(self) -> str:
        """In a few words.

        >>> OutsideChange("tag", "team", "kiosk", "").said(), OutsideChange("file", "model.bin", "ab", "cd").said()
        ('tag team taken away', 'file model.bin altered')
        """
        if self.what == VERSION:
            return "deleted in MLflow"
        named = f"{self.what} {self.name}".strip()
        if not self.before:
            return f"{named} added"
        return f"{named} {'taken away' if not self.after else 'altered'}"

    def as_json(self) -> dict[str, str]:
        """For the alert and the ledger."""
        return asdict(self)


@dataclass(frozen=True)
class Frozen:
    """A live version as it was when it went live; `files` None = they were not read yet (path -> sha256 or size)."""

    source: str
    description: str
    tags: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] | None = None

    def as_json(self) -> dict[str, Any]:
        """To be kept."""
        return {**asdict(self), "tags": dict(self.tags), "files": None if self.files is None else dict(self.files)}

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Frozen:
        """What `as_json` wrote."""
        return cls(**kept)

    def with_changes(self, changes: Sequence[OutsideChange]) -> Frozen:
        """As it is once these changes are accepted."""
        made = self
        for one in changes:
            if one.what == DESCRIPTION:
                made = replace(made, description=one.after)
            elif one.what == SOURCE:
                made = replace(made, source=one.after)
            elif one.what == TAG:
                made = replace(made, tags=_with(made.tags, one))
            elif one.what == FILE and made.files is not None:
                made = replace(made, files=None if one.name == ALL_FILES else _with(made.files, one))
        return made


def seen_changes(frozen: Frozen, now: Frozen | None, *, ignored: Collection[str] = ()) -> tuple[OutsideChange, ...]:
    """What the registry says differently of a live version.

    Args:
        frozen: As it went live.
        now: As MLflow has it; None = MLflow has it no more.
        ignored: Tags that we move ourselves, such as the live mark.
    """
    if now is None:
        return (OutsideChange(VERSION, "", "registered", ""),)
    changes = [
        OutsideChange(TAG, name, frozen.tags.get(name, ""), now.tags.get(name, ""))
        for name in sorted({*frozen.tags, *now.tags} - set(ignored))
        if frozen.tags.get(name) != now.tags.get(name)
    ]
    if frozen.description != now.description:
        changes.append(OutsideChange(DESCRIPTION, "", frozen.description, now.description))
    if frozen.source != now.source:
        changes.append(OutsideChange(SOURCE, "", frozen.source, now.source))
    return tuple(changes)


def file_changes(before: Mapping[str, str], after: Mapping[str, str]) -> tuple[OutsideChange, ...]:
    """Which files of a live version are not what they were.

    >>> [one.said() for one in file_changes({"a": "1", "b": "2"}, {"a": "9", "c": "3"})]
    ['file a altered', 'file b taken away', 'file c added']
    """
    return tuple(
        OutsideChange(FILE, path, before.get(path, ""), after.get(path, ""))
        for path in sorted({*before, *after})
        if before.get(path) != after.get(path)
    )


def changes_said(changes: Sequence[OutsideChange]) -> str:
    """All changes in one line: `tag team altered, file model.bin taken away and 3 more`."""
    said = ", ".join(one.said() for one in changes[:_SHOWN])
    return said + (f" and {len(changes) - _SHOWN} more" if len(changes) > _SHOWN else "")


def why_not_restore(changes: Sequence[OutsideChange], *, copy: bool) -> str:
    """Why these changes cannot be undone by us, "" when they can; `copy` = the approved files are kept here."""
    if any(one.what == VERSION for one in changes):
        return "MLflow deleted the version, and numbers are not given twice: roll back, or promote another version."
    if any(one.what == SOURCE for one in changes):
        return "MLflow cannot point a version at other files: roll back, or adopt the change."
    if any(one.what == FILE for one in changes) and not copy:
        return "No copy of the approved files is kept on this machine: roll back, or adopt the change."
    return ""


def why_not_adopt(changes: Sequence[OutsideChange]) -> str:
    """Why these changes cannot be accepted, "" when they can."""
    gone = any(one.what == VERSION for one in changes)
    return "The version is deleted in MLflow: roll back, or promote another one." if gone else ""


def _with(known: Mapping[str, str], change: OutsideChange) -> dict[str, str]:
    made = {name: value for name, value in known.items() if name != change.name}
    return {**made, change.name: change.after} if change.after else made
