from __future__ import annotations

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_dash import ids

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


def test_new_ids_differ_and_have_no_look_alike_letters() -> None:
    made = {ids.new_id() for _ in range(2_000)}

    assert len(made) == 2_000
    assert {len(one) for one in made} == {26}
    assert not set("".join(made)) & set("ilou")


@given(st.dictionaries(st.text(), plain))
def test_the_digest_does_not_depend_on_the_order_of_keys(value: dict[str, object]) -> None:
    turned = dict(reversed(list(value.items())))

    assert ids.digest(value) == ids.digest(turned)


def test_a_number_that_json_does_not_know_is_refused() -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        ids.canonical_json({"auc": float("nan")})


def test_equal_rows_of_one_time_get_different_but_stable_ids() -> None:
    first = ids.prediction_id("m", "2013-01-01T00:00:00+00:00", '{"a":1}', 0)
    second = ids.prediction_id("m", "2013-01-01T00:00:00+00:00", '{"a":1}', 1)

    assert first != second
    assert first == ids.prediction_id("m", "2013-01-01T00:00:00+00:00", '{"a":1}', 0)
    assert uuid.UUID(first).version == 5
