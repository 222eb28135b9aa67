"""How is a policy written into a YAML file, and what does such a file say? YAML only carries it in and out."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import yaml

from mlops_dash.domain.policies import PolicyVersion
from mlops_dash.domain.policies.room import PolicyField
from mlops_dash.errors import InvalidInput

_LONGEST = 100_000  # characters; a policy has some twenty lines


def policy_yaml(policy: PolicyVersion, fields: Sequence[PolicyField]) -> str:
    """A file that says the whole policy, every field under what it means."""
    lines = [f"# {policy.kind} policy {policy.number}, digest {policy.digest}"]
    for one in fields:
        lines += [
            "",
            f"# {one.meaning}",
            yaml.safe_dump({one.name: one.value}, allow_unicode=True, width=10_000).strip(),
        ]
    return "\n".join(lines) + "\n"


def policy_of_yaml(text: str, *, what: str = "policy", example: str = "margin: 0.01") -> dict[str, Any]:
    r"""The fields that a file says; what they may be is checked where the policy (or `what` it is) is written.

    >>> policy_of_yaml("primary: mae\nfloor: 12  # minutes\n")
    {'primary': 'mae', 'floor': 12}

    Raises:
        InvalidInput: it is no YAML, no list of fields, or says a field twice.
    """
    try:
        if len(text) > _LONGEST:
            raise ValueError(f"longer than {_LONGEST:,} characters")
        said = yaml.load(text, Loader=_Once)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        why = " ".join(lines)[:160] or type(error).__name__
        raise InvalidInput(f"The {what} cannot be read: {why}.", hint=f"Write a line a field: {example}") from error
    if said is None:
        return {}
    if not isinstance(said, dict):
        raise InvalidInput(f"The {what} has no fields.", hint=f"Write a line a field: {example}")
    return said


class _Once(yaml.SafeLoader):
    """A field that stands there twice is a mistake; YAML would take the last one silently."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        names = [key.value for key, _ in node.value]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise yaml.YAMLError(f"{twice!r} stands there twice")
        return super().construct_mapping(node, deep=deep)
