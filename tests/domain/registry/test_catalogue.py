"""What a registered model seems to predict is told from tags and outputs, or said to be unknown."""

from __future__ import annotations

from typing import Any

import pytest

from mlops_dash.domain.registry.catalogue import proposed_task


def tensor(dtype: str, *shape: int) -> list[dict[str, Any]]:
    return [{"type": "tensor", "tensor-spec": {"dtype": dtype, "shape": list(shape)}}]


@pytest.mark.parametrize(
    ("tags", "outputs", "task"),
    [
        ({}, tensor("float64", -1), "regression"),
        ({}, tensor("float64", -1, 1), "regression"),
        ({}, tensor("float32", -1, 2), "binary"),
        ({}, tensor("float64", -1, 3), "multiclass"),
        ({}, tensor("int64", -1, 3), ""),
        ({}, [{"type": "double", "name": name} for name in ("rain", "sun", "it's snow")], "multiclass"),
        ({}, [{"type": "double", "name": name} for name in ("rain", "sun", "")], ""),
        ({}, [{"type": kind, "name": kind} for kind in ("double", "string", "long")], ""),
        ({}, tensor("int64", -1), "binary"),
        ({}, [{"type": "string"}], "multiclass"),
        ({}, tensor("str", -1), "multiclass"),
        ({}, tensor("object", -1, 1), "multiclass"),
        ({}, [{"type": "long"}], "binary"),
        ({}, [{"type": "double", "name": "low"}, {"type": "double", "name": "high"}], ""),
        ({}, None, ""),
        ({"model_type": "Regressor"}, tensor("float64", -1, 2), "regression"),
        ({"task": "text-generation"}, tensor("float64", -1), "regression"),
    ],
)
def test_a_task_is_proposed_with_its_reason(
    tags: dict[str, str], outputs: list[dict[str, Any]] | None, task: str
) -> None:
    told, why = proposed_task(tags, outputs)
    assert told == task
    assert why
