"""The four gates: three answers beside a limit, and honest words for what was not measured."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from mlops_dash.domain.evidence import Evidence
from mlops_dash.domain.policies import PromotionPolicy
from mlops_dash.domain.registry.gates import GATE_NAMES, Gate, Measure, approval_basis, judge, lift, outcome
from mlops_dash.domain.tasks import METRICS
from mlops_dash.domain.words import GateState
from tests.factories import NOON

POLICY = PromotionPolicy()
CANDIDATE, CHAMPION = "m v2", "m v1"


def difference(metric: str, low: float, high: float, **changes: object) -> Evidence:
    values: dict[str, object] = {
        "kind": "paired_difference",
        "subject": CANDIDATE,
        "comparator": CHAMPION,
        "metric": metric,
        "direction": str(METRICS[metric].direction),
        "value": (low + high) / 2,
        "low": low,
        "high": high,
        "level": 0.95,
        "n": 27_004,
        "n_clusters": 31,
        "method": "paired jackknife over days",
        "bound": "",
        "window_start": None,
        "window_end": None,
        "digests": {},
        "code_version": "0",
        "computed_at": NOON,
    }
    return Evidence(**{**values, **changes})  # type: ignore[arg-type]


def alone(metric: str, low: float, high: float, **changes: object) -> Evidence:
    return difference(metric, low, high, kind="metric", comparator="", **changes)


def check(metric: str, value: float | None, **changes: object) -> Evidence:
    state = "ok" if value is not None else "not_computable"
    found = difference("auc", 0, 0, kind="check", value=value, n=1, n_clusters=None, **changes)
    return replace(found, metric=metric, low=None, high=None, state=state, reason="18 of 18 inputs match")


ALL_GOOD = (
    difference("base_rate_free_loss", -0.030, -0.012),
    difference("brier", -0.004, 0.001),
    alone("auc", 0.70, 0.74),
    check("signature", 1.0),
    check("input_example", 1.0),
)


def gates(*evidences: Evidence, policy: PromotionPolicy = POLICY, champion: str | None = CHAMPION) -> dict[str, Gate]:
    found = judge(policy, evidences, NOON, champion=champion)
    assert tuple(gate.name for gate in found) == GATE_NAMES
    return {gate.name: gate for gate in found}


def with_(new: Evidence) -> tuple[Evidence, ...]:
    """All good, but this one."""
    return (*(one for one in ALL_GOOD if (one.kind, one.metric) != (new.kind, new.metric)), new)


def test_all_good_evidence_passes_all_four() -> None:
    found = gates(*ALL_GOOD)
    assert {gate.state for gate in found.values()} == {GateState.PASSED}
    assert outcome(tuple(found.values())) == "pass"


@pytest.mark.parametrize(
    ("low", "high", "state"),
    [
        (-0.030, -0.012, GateState.PASSED),
        (-0.030, 0.001, GateState.CANNOT_TELL),
        (-0.030, 0.0, GateState.CANNOT_TELL),  # touching a strict limit is not beyond it
        (0.0, 0.010, GateState.FAILED),
        (0.002, 0.010, GateState.FAILED),
        (0.0, 0.0, GateState.FAILED),  # the same model twice is not better
    ],
)
def test_a_lower_is_better_primary_is_better_only_with_its_whole_interval(
    low: float, high: float, state: GateState
) -> None:
    gate = gates(*with_(difference("base_rate_free_loss", low, high)))["primary metric"]
    assert gate.state is state
    assert (gate.leading.limit, gate.leading.relation) == (0.0, "<")
    assert gate.reason


@pytest.mark.parametrize(
    ("low", "high", "state"),
    [
        (0.011, 0.03, GateState.PASSED),
        (0.005, 0.03, GateState.CANNOT_TELL),
        (-0.02, 0.009, GateState.FAILED),
    ],
)
def test_a_higher_is_better_primary_must_beat_its_margin(low: float, high: float, state: GateState) -> None:
    policy = PromotionPolicy(primary="auc", margin=0.01)
    gate = gates(*ALL_GOOD, difference("auc", low, high), policy=policy)["primary metric"]
    assert gate.state is state
    assert (gate.leading.limit, gate.leading.relation) == (0.01, ">")


@pytest.mark.parametrize(
    ("low", "high", "state"),
    [
        (-0.001, 0.0019, GateState.PASSED),
        (-0.001, 0.0030, GateState.CANNOT_TELL),
        (0.0021, 0.0030, GateState.FAILED),
    ],
)
def test_the_guardrail_may_be_worse_by_less_than_its_margin(low: float, high: float, state: GateState) -> None:
    gate = gates(*with_(difference("brier", low, high)))["guardrail and floor"]
    assert gate.state is state


@pytest.mark.parametrize(
    ("low", "high", "state"),
    [
        (0.60, 0.70, GateState.PASSED),  # "at least" is kept at the limit itself
        (0.59, 0.70, GateState.CANNOT_TELL),
        (0.50, 0.59, GateState.FAILED),
    ],
)
def test_the_floor_is_about_the_candidate_alone(low: float, high: float, state: GateState) -> None:
    gate = gates(*with_(alone("auc", low, high)))["guardrail and floor"]
    assert gate.state is state
    assert [one.metric for one in gate.measures] == ["brier", "auc"]


def test_a_gate_of_two_measures_is_as_good_as_its_worse_one() -> None:
    gate = gates(*with_(difference("brier", 0.01, 0.02)))["guardrail and floor"]
    assert gate.state is GateState.FAILED
    assert gate.leading.metric == "brier"
    assert len(gate.evidence_ids) == 2


def test_what_was_not_measured_waits_and_says_what_is_missing() -> None:
    found = gates()
    assert {gate.state for gate in found.values()} == {GateState.WAITING}
    assert "Not yet compared with m v1" in found["primary metric"].reason
    assert outcome(tuple(found.values())) == "needs_approval"


def test_a_comparison_with_an_earlier_champion_does_not_count() -> None:
    gate = gates(*ALL_GOOD, champion="m v9")["primary metric"]
    assert gate.state is GateState.WAITING
    assert "m v9" in gate.reason


def test_without_a_champion_the_floor_alone_decides_and_nothing_is_green_for_free() -> None:
    found = gates(alone("auc", 0.7, 0.74), check("signature", 1.0), check("input_example", 1.0), champion=None)
    primary = found["primary metric"]
    assert primary.state is GateState.NOT_COMPUTABLE
    assert primary.required is False
    assert found["guardrail and floor"].state is GateState.PASSED
    assert outcome(tuple(found.values())) == "pass"
    low = gates(alone("auc", 0.5, 0.55), check("signature", 1.0), check("input_example", 1.0), champion=None)
    assert outcome(tuple(low.values())) == "fail"
    assert outcome(()) == "needs_approval"  # nothing that was asked is no pass


@pytest.mark.parametrize(("n", "days"), [(999, 31), (27_004, 9)])
def test_too_few_rows_or_days_are_not_computable_with_the_need(n: int, days: int) -> None:
    gate = gates(*with_(difference("base_rate_free_loss", -0.03, -0.01, n=n, n_clusters=days)))["primary metric"]
    assert gate.state is GateState.NOT_COMPUTABLE
    assert "1,000 rows on 10 days are needed" in gate.reason


def test_old_evidence_waits_to_be_measured_again() -> None:
    old = difference("base_rate_free_loss", -0.03, -0.01, computed_at=NOON - timedelta(days=45))
    gate = gates(*with_(old))["primary metric"]
    assert gate.state is GateState.WAITING
    assert "45 days" in gate.reason


def test_the_newest_of_two_measurements_counts() -> None:
    old = difference("base_rate_free_loss", 0.01, 0.03, computed_at=NOON - timedelta(days=1))
    new = difference("base_rate_free_loss", -0.03, -0.01, computed_at=NOON)
    for order in ((old, new), (new, old)):
        assert gates(*with_(order[0]), order[1])["primary metric"].state is GateState.PASSED


def test_what_could_not_be_computed_carries_its_reason() -> None:
    evidence = difference("base_rate_free_loss", 0, 0, state="not_computable", reason="not comparable: 9 rows lack")
    gate = gates(*with_(replace(evidence, value=None, low=None, high=None)))["primary metric"]
    assert gate.state is GateState.NOT_COMPUTABLE
    assert gate.reason == "Not comparable: 9 rows lack."


@pytest.mark.parametrize(
    ("value", "state"), [(1.0, GateState.PASSED), (0.0, GateState.FAILED), (None, GateState.NOT_COMPUTABLE)]
)
@pytest.mark.parametrize("name", ["signature", "input example"])
def test_a_check_passes_fails_or_could_not_be_made(name: str, value: float | None, state: GateState) -> None:
    gate = gates(*with_(check(name.replace(" ", "_"), value)))[name]
    assert gate.state is state


def test_a_check_of_other_files_does_not_count() -> None:
    checked = with_(check("signature", 1.0, digests={"artifact": "old"}))
    found = {gate.name: gate for gate in judge(POLICY, checked, NOON, champion=CHAMPION, artifact_digest="new")}
    assert found["signature"].state is GateState.WAITING
    assert "changed" in found["signature"].reason


def test_an_override_lifts_a_closed_gate_and_leaves_an_open_one_alone() -> None:
    found = judge(POLICY, with_(difference("brier", 0.01, 0.02)), NOON, champion=CHAMPION)
    lifted = {gate.name: gate for gate in lift(found, {"guardrail and floor": "by two", "signature": "needless"})}
    assert lifted["guardrail and floor"].state is GateState.OVERRIDDEN
    assert lifted["guardrail and floor"].measured_state is GateState.FAILED
    assert lifted["guardrail and floor"].opens
    assert lifted["signature"].state is GateState.PASSED
    assert outcome(found) == "fail"
    assert outcome(tuple(lifted.values())) == "pass"


def test_missing_approvals_need_approval() -> None:
    found = judge(POLICY, ALL_GOOD, NOON, champion=CHAMPION)
    assert outcome(found, approvals=0, needed=1) == "needs_approval"
    assert outcome(found, approvals=1, needed=1) == "pass"


def test_a_basis_follows_states_and_identities_and_not_numbers() -> None:
    def basis(*evidences: Evidence, candidate: str = "a", champion: str | None = "b", digest: str = "p") -> str:
        found = judge(POLICY, evidences, NOON, champion=CHAMPION)
        return approval_basis(found, candidate=candidate, champion=champion, policy_digest=digest)

    first = basis(*ALL_GOOD)
    assert basis(*with_(difference("base_rate_free_loss", -0.031, -0.002))) == first
    assert basis(*with_(difference("base_rate_free_loss", -0.031, 0.002))) != first
    assert basis(*ALL_GOOD, candidate="c") != first
    assert basis(*ALL_GOOD, champion=None) != first
    assert basis(*ALL_GOOD, digest="q") != first
    found = judge(POLICY, ALL_GOOD, NOON, champion=CHAMPION)
    assert approval_basis(found, candidate="a", champion="b", policy_digest="p", password=True) != first


def test_the_json_has_the_public_keys() -> None:
    body = gates(*ALL_GOOD)["primary metric"].as_json()
    assert {"name", "state", "value", "low", "high", "limit", "n", "method", "reason"} <= set(body)
    assert body["state"] == "passed"
    assert body["measures"][0]["metric"] == "base_rate_free_loss"


def test_an_override_of_one_failed_measure_does_not_cover_the_other_of_its_gate_that_fails_later() -> None:
    def basis(guardrail: GateState, floor: GateState) -> str:
        measures = (Measure("Brier score", "brier", guardrail), Measure("ROC AUC", "auc", floor))
        gate = Gate("guardrail and floor", GateState.FAILED, measures, "one of two")
        return approval_basis([gate], candidate="a", champion="b", policy_digest="p")

    once = basis(GateState.FAILED, GateState.PASSED)
    assert once == basis(GateState.FAILED, GateState.PASSED)
    assert len({once, basis(GateState.PASSED, GateState.FAILED), basis(GateState.FAILED, GateState.FAILED)}) == 3
