"""Gates as JUnit XML: what failed fails, what waits is skipped, and any name can be written."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree as ET

from mlops_dash.rendering.junit import junit_of


def answer(*states: tuple[str, bool], counted: int = 0) -> dict[str, Any]:
    gates = [
        {"name": f'gate {at} "<&>" \x00', "state": state, "reason": "mæ < 3\x1b", "required": required,
         "measures": [{"name": "mae", "value": 2.5, "low": None, "n": 400}]}
        for at, (state, required) in enumerate(states)
    ]  # fmt: skip
    return {
        "model": """it's the "fast" one""", "version": "v2", "gates": gates,
        "approvals": {"counted": counted, "needed": 1},
    }  # fmt: skip


def outcomes(text: str) -> list[str]:
    suite = ET.fromstring(text).find("testsuite")
    assert suite is not None
    kinds = [next((child.tag for child in case if child.tag != "system-out"), "passed") for case in suite]
    counts = {name: int(suite.attrib[name]) for name in ("tests", "failures", "skipped")}
    assert counts == {"tests": len(kinds), "failures": kinds.count("failure"), "skipped": kinds.count("skipped")}
    return kinds


def test_each_gate_is_a_case_and_so_are_the_approvals() -> None:
    states = (("passed", True), ("failed", True), ("failed", False), ("not_computable", True), ("overridden", True))
    assert outcomes(junit_of(answer(*states))) == ["passed", "failure", "skipped", "skipped", "passed", "skipped"]
    assert outcomes(junit_of(answer(counted=1))) == ["passed"]


def test_each_check_of_a_recipe_is_a_case_unless_somebody_answers_for_all() -> None:
    kept = answer(("failed", True))
    measures = [{"label": "fast", "state": "failed", "reason": "slow", "value": 61.0},
                {"label": "code", "state": "waiting", "reason": "Not run.", "value": None}]  # fmt: skip
    kept["gates"] = [{**kept["gates"][0], "name": "recipe checks", "measures": measures}]
    assert outcomes(junit_of(kept)) == ["failure", "skipped", "skipped"]
    assert "recipe checks: fast" in junit_of(kept)
    kept["gates"][0]["state"] = "overridden"
    assert outcomes(junit_of(kept)) == ["passed", "skipped"]


def test_any_text_is_written_and_read_back() -> None:
    suite = ET.fromstring(junit_of(answer(("failed", True)))).find("testsuite")
    assert suite is not None
    case = suite[0]
    assert case.attrib == {"classname": """it's the "fast" one v2""", "name": 'gate 0 "<&>" \N{REPLACEMENT CHARACTER}'}
    failure, out = case
    assert failure.attrib["message"] == "failed: mæ < 3\N{REPLACEMENT CHARACTER}"
    assert out.text == "mæ < 3\N{REPLACEMENT CHARACTER}\nname mae, value 2.5, n 400"
