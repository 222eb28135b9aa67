"""How does somebody's text stand in one of MLflow's filters? Quoted where that is exact, else as a pattern around it.

MLflow's filters cannot escape a quote. A text that holds one (or a backslash, or a line's end) is asked for with LIKE
and one wildcard for each such sign: what comes back must be compared with the text again, by whoever asks.
"""

from __future__ import annotations

from collections.abc import Sequence

_SIGNS = frozenset("'\"\\")  # end a text early, or hide its end
_WILD = frozenset("%_")


def equals(column: str, value: str) -> str:
    r"""A filter that lets through at least the rows whose column is `value`.

    >>> equals("name", "churn, 2nd"), equals("name", "it's 5\" wide")
    ("name = 'churn, 2nd'", "name LIKE 'it_s 5_ wide'")
    """
    if _plain(value):
        return f"{column} = '{value}'"
    pattern = "".join("_" if sign in _SIGNS | _WILD or not sign.isprintable() else sign for sign in value)
    return f"{column} LIKE '{pattern}'"


def one_of(column: str, ids: Sequence[str]) -> str:
    """A filter for ids, which never hold a quote: one that does is nobody's and is left out.

    >>> one_of("attributes.run_id", ["a1", "b' OR '1' = '1"])
    "attributes.run_id IN ('a1')"
    """
    listed = ", ".join(f"'{one}'" for one in ids if _plain(one)) or "''"
    return f"{column} IN ({listed})"


def _plain(value: str) -> bool:
    return value.isprintable() and not _SIGNS.intersection(value)
