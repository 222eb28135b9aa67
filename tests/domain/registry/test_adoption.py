"""A file of models to adopt: what is written comes back, and a line that cannot be used keeps all of it out."""

from __future__ import annotations

import csv
import io

import pytest

from mlops_dash.domain.registry.adoption import COLUMNS, Adoption, adoption_csv, read_adoptions
from mlops_dash.domain.registry.catalogue import Catalogue, Offered
from mlops_dash.errors import InvalidInput

LATE = 'it\'s, "late"'


def offered(name: str, **more: str) -> Offered:
    words = {"task": "regression", "owner": "trains", "why": "one number a row", "live": "alias:prod", **more}
    return Offered(name, {"prod": "3"}, {"Production": "2"}, {}, "3", True, "sklearn", **words)


FOUND = Catalogue(
    "http://mlflow", True, "",
    (offered(LATE), offered("=cmd|x"), offered("riddle", task="", why="no signature"),
     offered("old", watched="archived")),
)  # fmt: skip


def filled(changes: dict[str, dict[str, str]], separator: str = ",") -> bytes:
    """The exported file as somebody filled it in."""
    rows = list(csv.DictReader(io.StringIO(adoption_csv(FOUND))))
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, delimiter=separator)
    writer.writeheader()
    for row in rows:
        writer.writerow({**row, **changes.get(row["name"].removeprefix("'"), {})})
    return text.getvalue().encode("utf-8-sig")


def test_the_file_says_what_seems_to_be_so_and_yes_to_nothing_new() -> None:
    rows = list(csv.DictReader(io.StringIO(adoption_csv(FOUND))))
    assert [(row["name"], row["watch"], row["state"]) for row in rows] == [
        (LATE, "no", "new"), ("'=cmd|x", "no", "new"), ("riddle", "no", "new"), ("old", "yes", "archived"),
    ]  # fmt: skip
    assert (rows[0]["live"], rows[0]["aliases"], rows[0]["task"]) == ("alias:prod", "prod=v3", "regression")


@pytest.mark.parametrize("separator", [",", ";"])
def test_what_is_filled_in_comes_back(separator: str) -> None:
    file = filled(
        {LATE: {"watch": "Yes", "tier": "1", "live": "stage:Production", "window": "week", "owner": "",
                "cluster": "rider's id"},
         "=cmd|x": {"watch": "x"},
         "riddle": {"watch": "yes", "task": "multiclass", "classes": "gentoo;it's an \"adelie\"", "live": "none"},
         "old": {"watch": "no"}},
        separator,
    )  # fmt: skip
    assert read_adoptions(file, FOUND) == (
        Adoption(LATE, "regression", (), "trains", 1, "stage:Production", "week", "rider's id"),
        Adoption("=cmd|x", "regression", (), "trains", 2, "alias:prod", "day"),
        Adoption("riddle", "multiclass", ("gentoo", 'it\'s an "adelie"'), "trains", 2, "none", "day"),
    )


def test_two_columns_are_enough() -> None:
    assert [one.name for one in read_adoptions(b"watch,name\nyes,=cmd|x\n,riddle\n", FOUND)] == ["=cmd|x"]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"watch": "perhaps"}, "Line 2: watch cannot be 'perhaps'"),
        ({"watch": "yes", "tier": "9"}, 'Line 2, it\'s, "late": Tier 9 does not exist'),
        ({"watch": "yes", "tier": "one"}, "tier cannot be 'one'"),
        ({"watch": "yes", "task": "art"}, "'art' is no task"),
        ({"watch": "yes", "task": "multiclass"}, "Line 2"),
        ({"watch": "yes", "classes": "a;b"}, "A regression model has no classes"),
        ({"watch": "yes", "live": "the newest"}, "is no mark"),
        ({"watch": "yes", "cluster": "label"}, "Rows cannot belong together by 'label'"),
        ({"watch": "yes", "window": "fortnight"}, "Nothing is judged by the fortnight"),
        ({"watch": "yes", "name": "chrun"}, "no model 'chrun' is registered there"),
        ({"watch": "no"}, "says yes to no model"),
    ],
)
def test_a_line_that_cannot_be_used_is_named(row: dict[str, str], said: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        read_adoptions(filled({LATE: row, "old": {"watch": "no"}}), FOUND)
    assert said in refused.value.message


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "no column 'name'"),
        (b"name\nchurn\n", "no column 'watch'"),
        (b"\xff\xfe\x00", "no CSV in UTF-8"),
        (b'name,watch\n"churn,yes\n', "no CSV in UTF-8"),
        (b"name,watch\nold,yes\n", "old is archived already"),
        (b"name,watch\n=cmd|x,yes\n'=cmd|x,yes\n", "on an earlier line already"),
        (b"name,watch\nriddle,yes\n", "cannot be told: no signature"),
    ],
)
def test_a_file_that_is_none_is_one_sentence(content: bytes, said: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        read_adoptions(content, FOUND)
    assert said in refused.value.message
