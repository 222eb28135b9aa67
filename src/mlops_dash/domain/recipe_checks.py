"""Checks that a recipe carries: programs that look at the version it made, and what each of them said.

A check is a command line or a function `module:function`. It leaves a number beside a limit, or passes or fails. What
did not come to its end is "not run", with the reason, and never counts as passed.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from textwrap import indent
from typing import Any

import yaml

from mlops_dash.domain.evidence import Evidence
from mlops_dash.domain.policies.text import policy_of_yaml
from mlops_dash.errors import InvalidInput
from mlops_dash.ids import digest

EVIDENCE_KIND = "recipe_check"
MOST_CHECKS = 20
MOST_SECONDS = 86_400
_NAME = re.compile(r"[^\W_][^\x00-\x1f\x7f]{0,59}")
_RESULT = re.compile(r"result (pass|fail|\S+)(?: n=(\d{1,15}))?(?: (.*))?")
_NO = "result fail"
_NOT_RUN = re.compile(r"not run:? (.+)")
_FIELDS = ("name", "kind", "program", "at_most", "at_least", "unit", "timeout_seconds")
_EXAMPLE = '- {name: fast enough, kind: latency, program: "{python} speed.py", at_most: 50, unit: ms}'


class CheckKind(StrEnum):
    """What a check is about."""

    UNIT = "unit"  # of the code around the model
    DATA = "data"  # what it was trained or judged on
    SLICE = "slice"  # a group of rows that must not be left behind
    INVARIANCE = "invariance"  # what may change in a row without changing the answer
    LATENCY = "latency"  # how long an answer takes


@dataclass(frozen=True)
class Check:
    """One check of a recipe; with a limit it has to leave a number, without one it passes or fails."""

    name: str
    kind: CheckKind
    program: str
    at_most: float | None = None
    at_least: float | None = None
    unit: str = ""
    timeout_seconds: int = 120

    @property
    def limit(self) -> float | None:
        """What its number is held against."""
        return self.at_least if self.at_most is None else self.at_most

    @property
    def relation(self) -> str:
        """How the number has to lie beside its limit."""
        return "" if self.limit is None else "≥" if self.at_most is None else "≤"

    def holds(self, value: float) -> bool:
        """Whether a number is within the limit; any is, where there is none."""
        return (self.at_most is None or value <= self.at_most) and (self.at_least is None or value >= self.at_least)

    def as_json(self) -> dict[str, Any]:
        """As it is kept and written: what is not said is left out."""
        said = {name: getattr(self, name) for name in _FIELDS}
        return {name: value for name, value in {**said, "kind": str(self.kind)}.items() if value not in (None, "")}

    @property
    def digest(self) -> str:
        """sha256 of what it asks: evidence of another program or limit does not count."""
        return digest(self.as_json())


@dataclass(frozen=True)
class Said:
    """What a check said: a number, or yes or no, of n cases; `not_run` says why there is neither."""

    value: float | None = None
    passed: bool = False
    n: int = 0
    reason: str = ""
    not_run: str = ""


def speaks(line: str) -> bool:
    """Whether a line of output says a result, or that there is none; one that holds a no among other words does too."""
    text = line.strip()
    return _RESULT.fullmatch(text) is not None or _NOT_RUN.fullmatch(text) is not None or _NO in text


def said_of(check: Check, lines: Sequence[str], code: int, *, must_say: bool = False) -> Said:
    """Read what a program printed, once it ended by itself.

    A line `result 41.7`, `result pass` or `result fail` says it, with `n=200` and a reason behind it if it likes;
    `not run: no rows` says that there was nothing to look at. Without such a line its exit code is the answer, where no
    number is asked for and it need not say anything.

    Args:
        check: Whose.
        lines: Its output, without times: at least those that speak, and the last one.
        code: Its exit code; negative for a signal.
        must_say: It is one that always leaves a line, so that its exit code alone says nothing.
    """
    last = next((line for line in reversed(lines) if line.strip()), "")
    ended = "" if code == 0 else f"It was ended by signal {-code}." if code < 0 else f"It ended with exit code {code}."
    for line in reversed(lines):
        if told := _NOT_RUN.fullmatch(line.strip()):
            return Said(not_run=told[1])
        if found := _RESULT.fullmatch(line.strip()):
            break
    else:
        if check.limit is not None:
            why = f"It left no number beside its limit. {ended}".strip()
            return Said(not_run=f"{why} A line `result 41.7` says it." if code == 0 else f"{why} Last: {last[:200]}")
        if must_say:
            printed = f"Last: {last[:200]}" if last else ""
            return Said(not_run=f"It ended without an answer. {ended} {printed}".replace("  ", " ").strip())
        if code == 0 and any(_NO in line for line in lines):
            return Said(not_run=f"It printed `{_NO}` among other words: a result has a line of its own.")
        said = ended if not last else f"{ended} {last[:200]}"
        return Said(value=float(code == 0), passed=code == 0, reason="" if code == 0 else said.strip())
    word, n, reason = found[1], int(found[2] or 0), str(found[3] or "").strip()
    if word in ("pass", "fail"):
        if check.limit is not None:
            return Said(n=n, not_run=f"It said {word}, and its limit asks for a number.")
        passed = word == "pass" and code == 0
        return Said(value=float(passed), passed=passed, n=n, reason=f"{reason} {ended}".strip())
    try:
        value = float(word)
    except ValueError:
        return Said(n=n, not_run=f"Its result {word[:40]!r} is no number.")
    if not math.isfinite(value):
        return Said(n=n, not_run=f"Its result is {word}, no finite number.")
    return Said(value=value, passed=check.holds(value) and code == 0, n=n, reason=f"{reason} {ended}".strip())


def in_words(evidence: Evidence) -> str:
    """What a check said, as it was kept: "passed, 41.7 ms", "FAILED: ...", "not run: ..."."""
    if evidence.value is None:
        return f"not run: {evidence.reason}"
    said = "passed" if evidence.details["passed"] else "FAILED"
    if evidence.details["result"] == "number":
        said += f", {evidence.value:g} {evidence.details['unit']}".rstrip()
    return f"{said}: {evidence.reason}" if evidence.reason else said


def checks_of(items: object) -> tuple[Check, ...]:
    """The checks that a list of fields says, each one looked at.

    Raises:
        InvalidInput: it is no list, a field is unknown or missing, two have one name, or a limit cannot be meant.
    """
    if items is None:
        return ()
    if not isinstance(items, list) or not all(isinstance(one, dict) for one in items):
        raise InvalidInput("The checks are no list of fields.", hint=f"Write {_EXAMPLE}")
    if len(items) > MOST_CHECKS:
        raise InvalidInput(f"A recipe carries at most {MOST_CHECKS} checks, not {len(items)}.")
    made = tuple(_check_of(one) for one in items)
    names = [one.name for one in made]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InvalidInput(f"Two checks are named {twice!r}.", hint="Give each a name of its own.")
    return made


def checks_yaml(checks: Iterable[Check]) -> str:
    """The checks as people write them; "" for none."""
    said = [one.as_json() for one in checks]
    text: str = yaml.safe_dump(said, allow_unicode=True, sort_keys=False, width=10_000) if said else ""
    return text


def checks_of_yaml(text: str) -> tuple[Check, ...]:
    r"""The checks that a text says, one list item each; empty for none.

    >>> checks_of_yaml("- name: fast\n  kind: latency\n  program: team.checks:speed\n  at_most: 50")[0].relation
    '≤'

    Raises:
        InvalidInput: it is no YAML, or no list of checks.
    """
    if not text.strip():
        return ()
    below = f"checks:\n{indent(text, ' ')}"  # YAML that is a list comes below a name
    said = policy_of_yaml(below, what="list of checks", example=_EXAMPLE)["checks"]
    return checks_of(said["checks"] if isinstance(said, dict) and list(said) == ["checks"] else said)


def _check_of(said: Mapping[str, Any]) -> Check:
    unknown = next((str(name) for name in said if name not in _FIELDS), None)
    if unknown is not None:
        raise InvalidInput(f"A check has no field {unknown!r}.", hint=f"It has {', '.join(_FIELDS)}.")
    name = said.get("name")
    if not isinstance(name, str) or not _NAME.fullmatch(name) or name != name.strip():
        raise InvalidInput(f"The check name {name!r} cannot be used.", hint="Use at most 60 letters in one line.")
    if said.get("kind") not in set(CheckKind):
        kinds = ", ".join(CheckKind)
        raise InvalidInput(f"The check {name} is of the kind {said.get('kind')!r}.", hint=f"Use one of {kinds}.")
    program = said.get("program")
    if not isinstance(program, str) or not program.strip() or "\n" in program or "\0" in program:
        raise InvalidInput(
            f"The check {name} names no program.", hint="Use module:function, or a command line such as {python} c.py."
        )
    limits = {side: _number(name, side, said.get(side)) for side in ("at_most", "at_least")}
    if None not in limits.values():
        raise InvalidInput(f"The check {name} has two limits.", hint="Make two checks of it.")
    seconds, unit = said.get("timeout_seconds", 120), said.get("unit", "")
    if type(seconds) is not int or not 1 <= seconds <= MOST_SECONDS:
        raise InvalidInput(f"The check {name} may take {seconds!r} seconds.", hint=f"Use 1 to {MOST_SECONDS:,}.")
    if not isinstance(unit, str) or len(unit) > 12 or not (unit == "" or unit.isprintable()):
        raise InvalidInput(f"The unit {unit!r} of the check {name} cannot be shown.", hint="Use at most 12 letters.")
    return Check(
        name, CheckKind(said["kind"]), program.strip(), **limits, unit=unit.strip(), timeout_seconds=seconds
    )  # fmt: skip


def _number(name: str, side: str, value: object) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise InvalidInput(f"{side} of the check {name} is {value!r}.", hint="Use a number.")
    return float(value)
