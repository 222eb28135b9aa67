"""What a check of a recipe may be, and what its output means: a no, a number, or that it did not run."""

from __future__ import annotations

import pytest

from mlops_dash.domain.recipe_checks import Check, CheckKind, checks_of, checks_of_yaml, checks_yaml, said_of
from mlops_dash.errors import InvalidInput

FAST = Check("fast 'enough' 速い", CheckKind.LATENCY, "{python} speed.py", at_most=50.0, unit="ms")
PLAIN = Check("code", CheckKind.UNIT, "team.checks:unit")


@pytest.mark.parametrize(
    ("lines", "code", "value", "passed", "n"),
    [
        (["warming up", "result 41.7 n=200"], 0, 41.7, True, 200),
        (["result 41.7", "bye"], 0, 41.7, True, 0),
        (["result 10", "result 50.5 the slowest"], 0, 50.5, False, 0),
        (["result 41.7"], 3, 41.7, False, 0),  # a number within the limit and a bad end: a no
    ],
)
def test_a_number_is_held_against_its_limit(lines: list[str], code: int, value: float, passed: bool, n: int) -> None:
    said = said_of(FAST, lines, code)
    assert (said.value, said.passed, said.n, said.not_run) == (value, passed, n, "")


@pytest.mark.parametrize(
    ("check", "lines", "code", "why"),
    [
        (FAST, [], 0, "It left no number beside its limit."),
        (FAST, ["Traceback", "KeyError: 'crates'"], 1, "KeyError: 'crates'"),
        (FAST, ["result pass"], 0, "its limit asks for a number"),
        (FAST, ["result nan"], 0, "no finite number"),
        (FAST, ["result soon"], 0, "'soon' is no number"),
        (PLAIN, ["not run: no rows in March"], 0, "no rows in March"),
    ],
)
def test_what_leaves_no_answer_did_not_run_and_is_never_passed(
    check: Check, lines: list[str], code: int, why: str
) -> None:
    said = said_of(check, lines, code)
    assert why in said.not_run
    assert (said.passed, said.value) == (False, None)


def test_without_a_limit_a_word_or_the_exit_code_answers() -> None:
    assert said_of(PLAIN, ["12 passed"], 0).passed
    failed = said_of(PLAIN, ["E   assert 3 == 4", "1 failed, 11 passed"], 1)
    assert (failed.value, failed.passed) == (0.0, False)
    assert failed.reason == "It ended with exit code 1. 1 failed, 11 passed"
    assert said_of(PLAIN, ["result fail 2 birds differ"], 0).reason == "2 birds differ"
    assert not said_of(PLAIN, ["result pass"], -9).passed
    assert said_of(PLAIN, ["result 0.3 n=9"], 0).value == 0.3


def test_checks_are_written_and_read_as_they_were() -> None:
    assert checks_of_yaml(checks_yaml([FAST, PLAIN])) == (FAST, PLAIN)
    assert checks_of([one.as_json() for one in (FAST, PLAIN)]) == (FAST, PLAIN)
    assert checks_of_yaml("checks:\n" + checks_yaml([PLAIN])) == (PLAIN,), "as it stands in a recipe's file"
    assert (checks_of_yaml(" \n"), checks_of(None), checks_yaml([])) == ((), (), "")
    assert FAST.digest != Check(FAST.name, FAST.kind, FAST.program, at_most=500.0, unit="ms").digest


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name: x", "no list"),
        ("- {name: x, kind: unit}", "names no program"),
        ("- {name: x, kind: magic, program: a}", "of the kind 'magic'"),
        ("- {name: '', kind: unit, program: a}", "cannot be used"),
        ("- {name: x, kind: unit, program: a, limit: 3}", "no field 'limit'"),
        ("- {name: x, kind: unit, program: a, at_most: .nan}", "at_most of the check x is nan"),
        ("- {name: x, kind: unit, program: a, at_most: true}", "at_most of the check x is True"),
        ("- {name: x, kind: unit, program: a, at_most: 1, at_least: 2}", "two limits"),
        ("- {name: x, kind: unit, program: a, timeout_seconds: 0}", "may take 0 seconds"),
        ("- {name: x, kind: unit, program: a, unit: " + "m" * 13 + "}", "cannot be shown"),
        ("- {name: x, kind: unit, program: a}\n- {name: x, kind: unit, program: b}", "Two checks are named 'x'"),
        ("- [", "cannot be read"),
    ],
)
def test_what_cannot_be_meant_is_a_sentence(text: str, said: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        checks_of_yaml(text)
    assert said in refused.value.sentence()
