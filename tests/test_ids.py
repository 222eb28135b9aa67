from __future__ import annotations

import uuid
from collections.abc import Callable

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


NEW_YEAR_US = 1_356_998_400_000_000


@pytest.mark.parametrize(("named", "version"), [(ids.prediction_id, 5), (ids.timed_id, 8)])
def test_equal_rows_of_one_time_get_different_but_stable_ids(named: Callable[..., str], version: int) -> None:
    first = named("m", NEW_YEAR_US, '{"a":1}', 0)
    second = named("m", NEW_YEAR_US, '{"a":1}', 1)

    assert first != second
    assert first == named("m", NEW_YEAR_US, '{"a":1}', 0)
    assert (uuid.UUID(first).version, uuid.UUID(first).variant) == (version, uuid.RFC_4122)
    assert str(uuid.UUID(first)) == first


def test_the_earlier_form_of_an_id_is_the_one_that_homes_have() -> None:
    assert ids.prediction_id("m", NEW_YEAR_US, '{"a":1}', 0) == "43ebdcfe-1131-5bdb-891d-72b49e23aaba"


def test_ids_that_begin_with_their_time_are_in_the_order_of_their_times() -> None:
    times = [631_152_000_000_000 + step * 86_400_000_000 * 37 for step in range(1_000)]
    made = [ids.timed_id("it's a model", at, "{}", 0) for at in times]
    assert made == sorted(made)
    assert len(set(made)) == 1_000
