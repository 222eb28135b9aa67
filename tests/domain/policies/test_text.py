"""YAML carries policies out and in without changing them; what is no policy is one sentence."""

from __future__ import annotations

import pytest

from mlops_dash.domain.policies import PolicyKind, default_policy, policy_body
from mlops_dash.domain.policies.room import policy_fields
from mlops_dash.domain.policies.text import policy_of_yaml, policy_yaml
from mlops_dash.domain.tasks import REGRESSION, TASKS
from mlops_dash.domain.tasks.task import ModelTask
from mlops_dash.errors import InvalidInput


@pytest.mark.parametrize("kind", PolicyKind)
@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_a_policy_comes_back_from_its_file_as_it_was(kind: PolicyKind, task: ModelTask) -> None:
    policy = default_policy("m", kind, task)
    assert policy_body(kind, policy_of_yaml(policy_yaml(policy, policy_fields(policy, task))), task) == policy.body


def test_texts_that_yaml_would_take_for_something_else_come_back_as_texts() -> None:
    standard = default_policy("m", PolicyKind.MONITORING, REGRESSION)
    for unit in ("no", "1e3", "2020-01-01", "µs", "'\"", "# min"):
        policy = type(standard)(**{**vars(standard), "body": {**standard.body, "label_unit": unit}})
        assert policy_of_yaml(policy_yaml(policy, policy_fields(policy, REGRESSION)))["label_unit"] == unit


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("margin: [", "cannot be read"),
        ("margin: 0.1\nmargin: 0.2\n", "'margin' stands there twice"),
        ("- margin", "has no fields"),
        ("margin", "has no fields"),
        ("[" * 5_000, "cannot be read"),
        ("a: !!python/object/apply:os.getcwd []", "cannot be read"),
        ("# " + "x" * 100_000, "longer than"),
    ],
)
def test_what_is_no_policy_is_one_sentence(text: str, said: str) -> None:
    with pytest.raises(InvalidInput, match=said) as refused:
        policy_of_yaml(text)
    assert "\n" not in refused.value.sentence()
    assert len(refused.value.sentence()) < 300


def test_an_empty_file_says_nothing() -> None:
    assert policy_of_yaml("# all by default\n") == {}
