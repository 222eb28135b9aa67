"""MLflow's search syntax: what it means, and where a mistake is."""

from __future__ import annotations

import pytest

from mlops_dash.domain.experiments.filter import Clause, Mistake, parse, quoted


def mistake(text: str) -> Mistake:
    found = parse(text)
    assert isinstance(found, Mistake)
    return found


def test_names_may_hold_anything_in_quotes() -> None:
    assert parse("metrics.`väl/loss: 10 Δ` >= -1.5e-3") == (Clause("metrics", "väl/loss: 10 Δ", ">=", -1.5e-3),)
    assert parse('parameter."a b" != "it\'s"') == (Clause("params", "a b", "!=", "it's"),)
    assert parse('params.a.b.c LIKE "50 %"') == (Clause("params", "a.b.c", "LIKE", "50 %"),)


@pytest.mark.parametrize("name", ["a`b", "`", "``", "a\"b'c`d", " pad ", "x' OR '1'='1", "back\\"])
def test_a_quoted_name_is_read_as_that_name(name: str) -> None:
    assert parse(f"params.{quoted(name)} = 'x' and metrics.{quoted(name)} > 1") == (
        Clause("params", name, "=", "x"),
        Clause("metrics", name, ">", 1.0),
    )


def test_keywords_are_written_in_any_case_and_space() -> None:
    assert parse("params.x  is   Not null aNd run_id not  in ( 'a' , \"b\" )") == (
        Clause("params", "x", "IS NOT NULL", None),
        Clause("attributes", "run_id", "NOT IN", ("a", "b")),
    )


@pytest.mark.parametrize(
    ("text", "position", "found", "expected"),
    [
        ("metrics.auc > ", 15, "", "a number"),
        ("metrics.auc > '0.5'", 15, "'0.5'", "a number"),
        ("metrics.auc > 0.5x", 15, "0.5x", "a number"),
        ("metrics.auc LIKE 'x'", 13, "LIKE", ">, >=, <, <=, = or !="),
        ("params.depth = 3", 16, "3", "a quoted text"),
        ("params.depth = 'three", 16, "'three", "a quoted text"),
        ("metrics.val loss > 1", 13, "loss", ">, >="),
        ("metrics. > 1", 10, ">", "backticks"),
        ("metrics.", 9, "", "backticks"),
        ("colour.x = 1", 1, "colour.x", "metrics, params, tags"),
        ("attributes.colour = 'x'", 1, "attributes.colour", "run_name"),
        ("status IN ('a')", 8, "IN", "LIKE or ILIKE"),
        ("run_id IN 'a'", 11, "'a'", "a list"),
        ("run_id IN ('a' 'b')", 16, "'b')", "a comma"),
        ("metrics.a > 1 or metrics.b > 2", 15, "or", "and, or the end"),
        ("metrics.a > 1 and", 18, "", "metrics.NAME"),
        ("> 1", 1, ">", "metrics.NAME"),
    ],
)
def test_a_mistake_has_a_position_and_says_what_was_expected(
    text: str, position: int, found: str, expected: str
) -> None:
    said = mistake(text)
    assert (said.position, said.found) == (position, found)
    assert expected in said.expected


def test_what_is_quoted_for_a_filter_is_read_back() -> None:
    for name in ("auc", "learning rate", "väl/loss", "a.b"):
        assert parse(f"metrics.{quoted(name)} > 1") == (Clause("metrics", name, ">", 1.0),)
