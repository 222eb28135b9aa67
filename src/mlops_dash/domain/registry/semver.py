"""A version's semantic number, proposed from what really differs from the champion, with the reason in words.

Other data or another architecture is MAJOR, other hyper-parameters are MINOR, anything else PATCH. A part that nobody
recorded cannot be called the same: where it could raise the number, the number is not known. Nothing is written to
MLflow; a number is kept here when its version becomes champion, or when somebody sets it and says why.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from mlops_dash.domain.registry.dossier import Column, Contents, RunFacts
from mlops_dash.domain.registry.records import Version
from mlops_dash.errors import InvalidInput

FIRST = "1.0.0"
_NUMBER = re.compile(r"(0|[1-9]\d{0,5})\.(0|[1-9]\d{0,5})\.(0|[1-9]\d{0,5})")
_KINDS = frozenset({"model", "model_type", "model_class", "estimator", "algorithm", "architecture", "classifier",
                    "regressor"})  # fmt: skip
_MOST_NAMED = 4


class Change(StrEnum):
    """How far a version is from the champion, the farthest first."""

    MAJOR = "major"
    MINOR = "minor"
    PATCH = "patch"
    NONE = "none"


@dataclass(frozen=True)
class Numbered:
    """A number that is kept.

    Attributes:
        against: The version that it was counted from, "" = none.
        by_hand: Whether somebody set it, and not the difference.
    """

    version_id: str
    number: str
    change: str
    against: str
    reasons: tuple[str, ...]
    by_hand: bool
    by: str
    reason: str
    at: datetime


@dataclass(frozen=True)
class SemanticNumber:
    """What a version is called, or would be.

    Attributes:
        number: "2.1.0"; "" = not known, and `why_not` says why.
        proposed: What the difference alone says; "" = not known.
        change: How far it is from `against`; None = not known.
        against: Label of the champion it is compared with; "" = there is none, or it is the champion.
        base: The number that it is counted from.
        reasons: What differs, the farthest first.
        kept: Set when it became champion, or by somebody.
    """

    version_id: str
    label: str
    number: str
    proposed: str
    change: Change | None
    against: str
    base: str
    reasons: tuple[str, ...]
    why_not: str = ""
    kept: Numbered | None = None
    against_id: str = ""

    def said(self) -> str:
        """In a sentence or two."""
        if self.kept is not None and self.kept.by_hand:
            return f"{self.number}, set by hand."
        if self.kept is not None:
            since = f": {'; '.join(self.kept.reasons)}" if self.kept.reasons else ""
            return f"{self.number}, kept when it became champion{since}."
        if not self.number:
            return f"Not known: {self.why_not}"
        if self.change is None:
            return f"{self.number}: {'; '.join(self.reasons)}."
        counted = f"{str(self.change).upper()} against {self.against} ({self.base})"
        return f"{self.number} proposed, {counted}: {'; '.join(self.reasons)}."


def checked_number(text: str) -> str:
    """A number that somebody gives.

    Raises:
        InvalidInput: it is not three numbers with dots between.

    >>> checked_number(" v2.10.0 ")
    '2.10.0'
    """
    said = text.strip().removeprefix("v")
    if not _NUMBER.fullmatch(said):
        raise InvalidInput(f"{text[:40]!r} is no semantic number.", hint="Write three numbers, such as 2.1.0.")
    return said


def bumped(base: str, change: Change, taken: Iterable[str] = ()) -> str:
    """The next number after `base` that no other version has.

    >>> bumped("1.4.2", Change.MAJOR), bumped("1.4.2", Change.MINOR, ["1.5.0"]), bumped("1.4.2", Change.NONE)
    ('2.0.0', '1.6.0', '1.4.2')
    """
    if change is Change.NONE:
        return base
    gone, (major, minor, patch) = set(taken), (int(one) for one in base.split("."))
    while True:
        if change is Change.MAJOR:
            major, minor, patch = major + 1, 0, 0
        elif change is Change.MINOR:
            minor, patch = minor + 1, 0
        else:
            patch += 1
        number = f"{major}.{minor}.{patch}"
        if number not in gone:
            return number


@dataclass(frozen=True)
class Known:
    """What is known of a version; None with its reason where a part cannot be read."""

    version: Version
    contents: Contents | None
    run: RunFacts | None
    why_contents: str = ""
    why_run: str = ""


@dataclass(frozen=True)
class Difference:
    """How far a version is from another: `change` None = cannot be told, and `why_not` says why."""

    change: Change | None
    reasons: tuple[str, ...]
    why_not: str = ""


def difference(own: Known, champion: Known) -> Difference:
    """What differs, and how far that is."""
    if own.version.artifact_digest and own.version.artifact_digest == champion.version.artifact_digest:
        return Difference(Change.NONE, ("its files are the champion's, byte for byte",))
    data, data_unknown = _data(own.version, champion.version)
    build, build_unknown = _architecture(own, champion)
    major = [*data, *build]
    if major:
        return Difference(Change.MAJOR, (*major, *_settings(own, champion)[0]))
    if data_unknown or build_unknown:
        return Difference(None, (), " ".join(one for one in (data_unknown, build_unknown) if one))
    minor, minor_unknown = _settings(own, champion)
    if minor:
        return Difference(Change.MINOR, tuple(minor))
    if minor_unknown:
        return Difference(None, (), minor_unknown)
    return Difference(Change.PATCH, tuple(_rest(own, champion)))


def _data(own: Version, champion: Version) -> tuple[list[str], str]:
    if own.data_digest and champion.data_digest:
        if own.data_digest == champion.data_digest:
            return [], ""
        return [f"other training data (sha256 {own.data_digest[:8]} instead of {champion.data_digest[:8]})"], ""
    spans = (own.training_start, own.training_end), (champion.training_start, champion.training_end)
    if None not in (*spans[0], *spans[1]) and spans[0] != spans[1]:
        return ["other training data (another span of time)"], ""
    silent = " and ".join(one.label for one in (own, champion) if not one.data_digest)
    return [], f"What {silent} learned from is not recorded."


def _architecture(own: Known, champion: Known) -> tuple[list[str], str]:
    found = []
    if own.version.recipe and champion.version.recipe and own.version.recipe != champion.version.recipe:
        found.append(f"another recipe ({own.version.recipe} instead of {champion.version.recipe})")
    if own.run is not None and champion.run is not None:
        found += [f"another {said}" for said in _changed(own.run.parameters, champion.run.parameters, kinds=True)]
    for one in (own, champion):
        if one.contents is None:
            why = one.why_contents or "They were not read."
            return found, "" if found else f"The files of {one.version.label} are not known. {why}"
    here, there = own.contents, champion.contents
    assert here is not None
    assert there is not None
    if here.flavours != there.flavours:
        found.append(f"another kind of model ({', '.join(here.flavours)} instead of {', '.join(there.flavours)})")
    for what, mine, theirs in (("inputs", here.inputs, there.inputs), ("outputs", here.outputs, there.outputs)):
        if mine is not None and theirs is not None and mine != theirs:
            found.append(f"other {what} ({_columns(mine, theirs)})")
        elif (mine is None) != (theirs is None):
            silent = own if mine is None else champion
            if not found:
                return [], f"{silent.version.label} was logged without its {what}."
    return found, ""


def _columns(own: tuple[Column, ...], champion: tuple[Column, ...]) -> str:
    mine, theirs = {one.name: one for one in own}, {one.name: one for one in champion}
    said = [f"{name} is new" for name in mine if name not in theirs]
    said += [f"{name} is gone" for name in theirs if name not in mine]
    said += [f"{name} is {mine[name].kind}" for name in mine if name in theirs and mine[name] != theirs[name]]
    return _few(said) or "in another order"


def _settings(own: Known, champion: Known) -> tuple[list[str], str]:
    for one in (own, champion):
        if one.run is None:
            return [], f"The hyper-parameters of {one.version.label} are not known. {one.why_run}"
    assert own.run is not None
    assert champion.run is not None
    changed = _changed(own.run.parameters, champion.run.parameters, kinds=False)
    return ([f"other hyper-parameters ({_few(changed)})"] if changed else []), ""


def _changed(own: Mapping[str, str], champion: Mapping[str, str], *, kinds: bool) -> list[str]:
    names = [name for name in sorted({*own, *champion}) if (name.lower() in _KINDS) is kinds]
    return [
        f"{name} {own.get(name, 'not set')} instead of {champion.get(name, 'not set')}"
        for name in names
        if own.get(name) != champion.get(name)
    ]


def _rest(own: Known, champion: Known) -> list[str]:
    said = []
    if own.run is not None and champion.run is not None and own.run.commit != champion.run.commit:
        said.append(
            f"other code (commit {own.run.commit[:8] or 'none'} instead of {champion.run.commit[:8] or 'none'})"
        )
    if own.contents is not None and champion.contents is not None:
        names = {*own.contents.packages, *champion.contents.packages}
        moved = [one for one in sorted(names) if own.contents.packages.get(one) != champion.contents.packages.get(one)]
        if moved:
            said.append(f"other packages ({_few(moved)})")
    return said or ["the same data, architecture and hyper-parameters"]


def _few(said: list[str]) -> str:
    more = len(said) - _MOST_NAMED
    return ", ".join(said[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
