"""Which mark in MLflow says that a version is live? An alias of any name, a stage, a version's tag, or none at all."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from mlops_dash.errors import InvalidInput

ALIAS, STAGE, TAG, NONE = "alias", "stage", "tag", "none"
STAGES: Final = ("Staging", "Production")  # those of MLflow in which something is used
DEFAULT: Final = "alias:champion"
HOW: Final = "alias:NAME, stage:Production, tag:KEY=VALUE or none"
_LONGEST = 200
_ALIAS = re.compile(r"(?!latest$|v\d+$)[\w\-]+", re.ASCII | re.IGNORECASE)  # as MLflow takes it


class Marked(Protocol):
    """A version as MLflow knows it; `stage` is "" where it has none."""

    @property
    def version(self) -> str:
        """Its number."""

    @property
    def aliases(self) -> tuple[str, ...]:
        """Those that point at it."""

    @property
    def stage(self) -> str:
        """Where it is in MLflow's older order of things."""

    @property
    def tags(self) -> Mapping[str, str]:
        """Its own, not the model's."""


@dataclass(frozen=True)
class LiveMark:
    """A mark that one version of a model carries.

    Attributes:
        kind: alias | stage | tag | none.
        name: Of the alias, the stage, or the tag's key; "" for none.
        value: The tag's; "" for the others.
    """

    kind: str
    name: str = ""
    value: str = ""

    @property
    def chip(self) -> str:
        """How a version that carries it is marked in a table."""
        return f"{self.name}={self.value}" if self.kind == TAG else self.name

    @property
    def phrase(self) -> str:
        """How sentences name it.

        >>> live_mark("tag:live=yes").phrase, live_mark("stage:production").phrase
        ('tag live=yes', 'stage Production')
        """
        return "no mark" if self.kind == NONE else f"{self.kind} {self.chip}"

    def is_on(self, one: Marked) -> bool:
        """Whether a version carries it."""
        if self.kind == ALIAS:
            return self.name in one.aliases
        if self.kind == STAGE:
            return one.stage == self.name
        return self.kind == TAG and one.tags.get(self.name) == self.value

    def points_at(self, versions: Iterable[Marked]) -> str | None:
        """The version that carries it, the newest where several do; None where none does."""
        marked = [one.version for one in versions if self.is_on(one)]
        return max(marked, key=int, default=None)

    def __str__(self) -> str:
        """As people write it."""
        return NONE if self.kind == NONE else f"{self.kind}:{self.chip}"


def live_mark(text: str) -> LiveMark:
    """A mark as people write it.

    >>> live_mark("alias:prod"), str(live_mark(" stage:production "))
    (LiveMark(kind='alias', name='prod', value=''), 'stage:Production')

    Raises:
        InvalidInput: it is none, or MLflow has none such.
    """
    said = text.strip()
    if said == NONE:
        return LiveMark(NONE)
    kind, _, rest = said.partition(":")
    name, sign, value = rest.partition("=") if kind == TAG else (rest, "", "")
    if kind == STAGE:
        name = next((one for one in STAGES if one.lower() == name.lower()), "")
    known = kind in {ALIAS, STAGE, TAG} and name.strip() and bool(sign) == (kind == TAG)
    if not known or len(said) > _LONGEST or not said.isprintable() or (kind == ALIAS and not _ALIAS.fullmatch(name)):
        raise InvalidInput(
            f"{said[:_LONGEST]!r} is no mark that a live version carries.",
            hint=f"Use {HOW}; a stage is {' or '.join(STAGES)}.",
        )
    return LiveMark(kind, name, value)


def proposed_mark(aliases: Iterable[str], stages: Iterable[str]) -> str:
    """Which mark seems to say what is live.

    Args:
        aliases: Of a registered model.
        stages: In which it has a version.

    >>> proposed_mark(["prod"], []), proposed_mark(["old", "new"], ["Production"]), proposed_mark([], [])
    ('alias:prod', 'stage:Production', 'alias:champion')
    """
    names = sorted(aliases)
    for usual in ("champion", "production", "prod", "live"):
        if usual in names:
            return f"{ALIAS}:{usual}"
    if STAGES[-1] in stages:
        return f"{STAGE}:{STAGES[-1]}"
    return f"{ALIAS}:{names[0]}" if len(names) == 1 else DEFAULT
