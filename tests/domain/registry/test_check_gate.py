"""The gate of a recipe's checks: green only where each ran on these files, as it is written now, and said yes."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from mlops_dash.domain.evidence import Evidence
from mlops_dash.domain.policies import PromotionPolicy
from mlops_dash.domain.recipe_checks import EVIDENCE_KIND, Check, CheckKind
from mlops_dash.domain.registry.check_gate import check_gate, checks_as_promoted
from mlops_dash.domain.registry.gates import Gate, approval_basis, lift, outcome
from mlops_dash.domain.words import GateState
from tests.domain.registry.test_gates import difference
from tests.factories import NOON

FAST = Check("fast", CheckKind.LATENCY, "{python} speed.py", at_most=50.0, unit="ms")
CODE = Check("code", CheckKind.UNIT, "team.checks:unit")
POLICY = PromotionPolicy()


def said(check: Check, value: float | None, *, passed: bool, **changes: object) -> Evidence:
    found = difference(
        "auc", 0, 0, kind=EVIDENCE_KIND, value=value, n=200, n_clusters=None, method="latency check",
        digests={"check": check.digest, "artifact": "a"}, state="ok" if value is not None else "not_computable",
        details={"passed": passed, "unit": check.unit, "result": "number" if check.limit else "yes or no"},
        reason="" if value is not None else "Stopped after 5 s.",
    )  # fmt: skip
    return replace(found, metric=check.name, low=None, high=None, **changes)  # type: ignore[arg-type]


def gate(*evidence: Evidence, policy: PromotionPolicy = POLICY, artifact: str = "a") -> Gate:
    return check_gate(policy, (FAST, CODE), evidence, artifact, ("m", "2"))


GOOD = (said(FAST, 41.7, passed=True), said(CODE, 1.0, passed=True))


def test_all_that_ran_and_said_yes_opens() -> None:
    found = gate(*GOOD)
    assert (found.state, found.opens, found.reason) == (GateState.PASSED, True, "")
    fast, code = found.measures
    assert (fast.value, fast.limit, fast.relation, fast.unit, fast.n) == (41.7, 50.0, "≤", "ms", 200)
    assert fast.measured_at == NOON.isoformat()
    assert (code.limit, code.value) == (None, 1.0)
    assert len(found.evidence_ids) == 2


def test_a_number_beyond_its_limit_fails_and_says_both() -> None:
    found = gate(GOOD[1], said(FAST, 61.0, passed=False))
    assert (found.state, found.opens, outcome([found])) == (GateState.FAILED, False, "fail")
    assert found.reason == "fast: Beyond its limit of ≤ 50 ms."


def test_what_did_not_run_is_never_green() -> None:
    never = gate(GOOD[0])
    assert (never.state, never.opens) == (GateState.WAITING, False)
    assert never.reason == "code: Not run for this version. mlops-dash evidence check --model m --version 2"
    stopped = gate(GOOD[1], said(FAST, None, passed=False))
    assert (stopped.state, stopped.reason) == (GateState.NOT_COMPUTABLE, "fast: Not run: Stopped after 5 s.")
    assert gate().reason.startswith("2 of 2 checks did not pass. ")


def test_an_answer_about_other_files_or_another_limit_does_not_count() -> None:
    assert "changed since it ran" in gate(*GOOD, artifact="b").measures[0].reason
    loose = said(replace(FAST, at_most=500.0), 61.0, passed=True)
    found = gate(GOOD[1], loose)
    assert found.state is GateState.WAITING
    assert "The check changed since it ran." in found.reason


def test_the_newest_answer_counts() -> None:
    again = said(FAST, 61.0, passed=False, computed_at=NOON + timedelta(hours=1))
    assert gate(again, *GOOD).state is GateState.FAILED


def test_an_advisory_policy_shows_and_does_not_block() -> None:
    found = gate(GOOD[1], said(FAST, 61.0, passed=False), policy=PromotionPolicy(recipe_checks="advisory"))
    assert (found.state, found.required, found.opens) == (GateState.FAILED, False, True)


def test_a_champion_is_not_held_against_what_was_asked_later_but_against_what_it_failed() -> None:
    later = checks_as_promoted((gate(GOOD[0]),))[0]
    assert (later.opens, later.measures[1].state) == (True, GateState.WAITING)
    assert later.reason == "Its recipe asks for this since the version was promoted."
    assert not checks_as_promoted((gate(GOOD[1], said(FAST, 61.0, passed=False)),))[0].opens


def test_an_override_or_approval_of_one_failed_check_does_not_cover_another_that_fails_later() -> None:
    def basis(*found: Gate) -> str:
        return approval_basis(found, candidate="a", champion="b", policy_digest="p")

    slow = gate(GOOD[1], said(FAST, 61.0, passed=False))
    slower = gate(GOOD[1], said(FAST, 99.0, passed=False, computed_at=NOON + timedelta(hours=1)))
    both = gate(said(FAST, 61.0, passed=False), said(CODE, 0.0, passed=False))
    other = check_gate(POLICY, (FAST, replace(CODE, program="team's.checks:unit")), GOOD, "a", ("m", "2"))
    assert {one.state for one in (slow, both)} == {GateState.FAILED}
    assert basis(slow) == basis(slower), "moving numbers do not count"
    assert basis(slow) != basis(both)
    assert basis(*lift([slow], {slow.name: "it's agreed"})) != basis(*lift([both], {both.name: "it's agreed"}))
    renewed = replace(
        other, state=slow.state, measures=(slow.measures[0], replace(other.measures[1], state=GateState.PASSED))
    )
    assert basis(slow) != basis(renewed), "another program under the same name"
    assert "asked" not in slow.as_json()["measures"][0]


def test_an_answer_of_another_commit_or_about_files_that_nobody_knows_does_not_count() -> None:
    def at(workplace: str, *evidence: Evidence, artifact: str = "a") -> Gate:
        return check_gate(POLICY, (FAST, CODE), evidence, artifact, ("m", "2"), workplace=workplace)

    ran = [replace(one, digests={**one.digests, "workplace": "first's"}) for one in GOOD]
    assert at("first's", *ran).opens
    for found in (at("second's", *ran), at("", *ran), at("first's", *GOOD)):
        assert found.state is GateState.WAITING
        assert "commit or requirements changed since it ran" in found.reason
    unknown = [replace(one, digests={**one.digests, "artifact": ""}) for one in GOOD]
    for artifact in ("a", ""):
        found = gate(*unknown, artifact=artifact)
        assert (found.state, "which files it looked at" in found.reason) == (GateState.WAITING, True)
    assert gate(*GOOD, artifact="").opens, "files that were looked at and are not frozen yet"
