"""The gates of a version as JUnit XML: what a build server shows beside the tests of the code."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from xml.etree import ElementTree as ET

from mlops_dash.domain.registry.check_gate import CHECKS
from mlops_dash.domain.words import GateState

_UNWRITABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_OPEN = frozenset({"passed", "overridden"})


def junit_of(answer: Mapping[str, Any]) -> str:
    """One test suite with a case a gate, and a case each of a recipe's checks.

    A failed one failed, one that waits, did not run or does not block is skipped.

    Missing approvals are a skipped case, too: `mlops-dash gate` exits with 2 for them.

    Args:
        answer: The public shape of `gate --json`.

    References:
        - https://github.com/testmoapp/junitxml, the common ground of build servers.
    """
    cases = [_case(answer, gate) for gate in _each(answer["gates"])]
    needed, counted = answer["approvals"]["needed"], answer["approvals"]["counted"]
    waits = counted < needed
    cases.append(_element("testcase", {"classname": _suite(answer), "name": "approvals"}))
    if waits:
        cases[-1].append(_element("skipped", {"message": f"{counted} of {needed} approvals"}))
    counts = {
        "tests": str(len(cases)),
        "failures": str(sum(case.find("failure") is not None for case in cases)),
        "skipped": str(sum(case.find("skipped") is not None for case in cases)),
        "errors": "0",
    }
    suite = _element("testsuite", {"name": _suite(answer), **counts})
    suite.extend(cases)
    suites = _element("testsuites", counts)
    suites.append(suite)
    ET.indent(suites)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(suites, encoding="unicode") + "\n"


def _each(gates: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """The gates; that of a recipe's checks as one each, unless somebody answers for all of them."""
    for gate in gates:
        if gate["name"] != CHECKS or gate["state"] == GateState.OVERRIDDEN:
            yield gate
            continue
        for one in gate["measures"]:
            yield {**gate, "name": f"{CHECKS}: {one['label']}", "state": one["state"], "reason": one["reason"],
                   "measures": [one]}  # fmt: skip


def _case(answer: Mapping[str, Any], gate: Mapping[str, Any]) -> ET.Element:
    case = _element("testcase", {"classname": _suite(answer), "name": str(gate["name"])})
    state, reason = str(gate["state"]), str(gate["reason"])
    if state not in _OPEN:
        blocks = gate["required"] and state == "failed"
        case.append(_element("failure" if blocks else "skipped", {"message": f"{state}: {reason}"}))
    said = "\n".join(_measure(one) for one in gate["measures"])
    out = _element("system-out", {})
    out.text = _clean(f"{reason}\n{said}".strip())
    case.append(out)
    return case


def _measure(one: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in one.items() if value not in (None, "", [], ()))


def _suite(answer: Mapping[str, Any]) -> str:
    return f"{answer['model']} {answer['version']}"


def _element(tag: str, attributes: Mapping[str, str]) -> ET.Element:
    return ET.Element(tag, {name: _clean(value) for name, value in attributes.items()})


def _clean(text: str) -> str:
    """Without what XML cannot hold."""
    return _UNWRITABLE.sub("\N{REPLACEMENT CHARACTER}", text)
