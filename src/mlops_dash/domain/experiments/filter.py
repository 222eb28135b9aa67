"""MLflow's own search syntax for runs, parsed here so that a mistake has a position and a sentence.

    metrics.auc > 0.85 and params.`learning rate` = '0.1' and tags.team LIKE 'growth%' and status = 'FINISHED'

Clauses are joined by AND. Numbers compare metrics and times; quoted texts compare parameters, tags and attributes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

METRIC, PARAM, TAG, ATTRIBUTE, DATASET = "metrics", "params", "tags", "attributes", "datasets"
_KINDS = {
    "metric": METRIC, "metrics": METRIC,
    "parameter": PARAM, "parameters": PARAM, "param": PARAM, "params": PARAM,
    "tag": TAG, "tags": TAG,
    "attribute": ATTRIBUTE, "attributes": ATTRIBUTE, "attr": ATTRIBUTE, "run": ATTRIBUTE,
    "dataset": DATASET, "datasets": DATASET,
}  # fmt: skip
_ALIASES = {
    "created": "start_time", "Created": "start_time",
    "run name": "run_name", "Run name": "run_name", "Run Name": "run_name",
}  # fmt: skip
NUMERIC_ATTRIBUTES = frozenset({"start_time", "end_time"})
TEXT_ATTRIBUTES = frozenset({"run_id", "run_name", "status", "artifact_uri", "user_id"})
_DATASET_KEYS = frozenset({"name", "digest", "context"})
_NUMERIC = (">", ">=", "<", "<=", "=", "!=")
_TEXT = ("=", "!=", "LIKE", "ILIKE")
_NULL = ("IS NULL", "IS NOT NULL")
_LIST = ("IN", "NOT IN")

_SPACE = re.compile(r"\s*")
_NAME = re.compile(r"(?P<kind>`[^`]*`|\"[^\"]*\"|[^\W\d]\w*)(?:\.(?P<key>`(?:[^`]|``)*`|\"[^\"]*\"|'[^']*'|\w[\w.]*))?")
_COMPARATOR = re.compile(r">=|<=|!=|=|>|<|is\s+not\s+null\b|is\s+null\b|not\s+in\b|in\b|ilike\b|like\b", re.IGNORECASE)
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?(?![\w.])")
_STRING = re.compile(r"'(?P<one>[^']*)'|\"(?P<two>[^\"]*)\"")
_AND = re.compile(r"and\b", re.IGNORECASE)
_WORD = re.compile(r"\S+")


@dataclass(frozen=True)
class Clause:
    """One comparison: `key` of `kind` (metrics, params, tags, attributes, datasets) against `value`."""

    kind: str
    key: str
    comparator: str
    value: float | str | tuple[str, ...] | None


@dataclass(frozen=True)
class Mistake:
    """Where a filter stops making sense, and what would have been understood there. `position` counts from 1."""

    position: int
    found: str
    expected: str

    def sentence(self) -> str:
        """The mistake in words.

        >>> parse("metrics.auc > high").sentence()
        'Position 15, at “high”: expected a number.'
        """
        at = f"at “{self.found}”" if self.found else "at the end"
        return f"Position {self.position}, {at}: expected {self.expected}."


def parse(text: str) -> tuple[Clause, ...] | Mistake:
    """Read a filter; an empty one has no clauses.

    >>> parse("params.depth = '3' AND metrics.auc >= .8")
    (Clause(kind='params', key='depth', comparator='=', value='3'), \
Clause(kind='metrics', key='auc', comparator='>=', value=0.8))
    """
    return _Reader(text).clauses()


class _Stop(Exception):
    def __init__(self, mistake: Mistake) -> None:
        super().__init__(mistake.sentence())
        self.mistake = mistake


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def clauses(self) -> tuple[Clause, ...] | Mistake:
        found: list[Clause] = []
        try:
            self._skip()
            while self.at < len(self.text):
                if found and self._take(_AND) is None:
                    raise self._expected("and, or the end")
                found.append(self._clause())
        except _Stop as stop:
            return stop.mistake
        return tuple(found)

    def _clause(self) -> Clause:
        kind, key = self._identifier()
        allowed = _comparators(kind, key)
        start = self.at
        token = self._take(_COMPARATOR)
        comparator = " ".join(token.group().upper().split()) if token is not None else ""
        if comparator not in allowed:
            self.at = start
            raise self._expected(f"{_one_of(allowed)} after {kind}.{key}")
        if comparator in _NULL:
            return Clause(kind, key, comparator, None)
        if comparator in _LIST:
            return Clause(kind, key, comparator, self._list())
        if _is_number(kind, key):
            return Clause(kind, key, comparator, self._number())
        return Clause(kind, key, comparator, self._string("a quoted text, for example 'value'"))

    def _identifier(self) -> tuple[str, str]:
        start = self.at
        token = self._take(_NAME)
        if token is None:
            raise self._expected("metrics.NAME, params.NAME, tags.NAME or attributes.NAME")
        word, key = _unquoted(token["kind"]), token["key"]
        if key is None:
            kind, key = ATTRIBUTE, word
            if self.text[token.end() : token.end() + 1] == ".":
                self.at = token.end() + 1
                self._skip()
                raise self._expected("a name after the dot; names with other signs stand in `backticks`")
        else:
            kind, key = _KINDS.get(word, ""), _unquoted(key)
        if not kind:
            self.at = start
            raise self._expected("metrics, params, tags, attributes or datasets before the dot")
        key = _ALIASES.get(key, key)
        known = {ATTRIBUTE: NUMERIC_ATTRIBUTES | TEXT_ATTRIBUTES, DATASET: _DATASET_KEYS}.get(kind)
        if known is not None and key not in known:
            self.at = start
            hint = "metrics.NAME, params.NAME, tags.NAME, or an attribute: " if kind == ATTRIBUTE else ""
            raise self._expected(hint + _one_of(tuple(sorted(known))))
        return kind, key

    def _number(self) -> float:
        token = self._take(_NUMBER)
        if token is None:
            raise self._expected("a number")
        return float(token.group())

    def _string(self, expected: str) -> str:
        token = self._take(_STRING)
        if token is None:
            raise self._expected(expected)
        return token["one"] if token["one"] is not None else token["two"]

    def _list(self) -> tuple[str, ...]:
        if self._take(re.compile(r"\(")) is None:
            raise self._expected("a list of quoted texts, for example ('a', 'b')")
        values = [self._string("a quoted text")]
        while self._take(re.compile(",")) is not None:
            values.append(self._string("a quoted text"))
        if self._take(re.compile(r"\)")) is None:
            raise self._expected("a comma or )")
        return tuple(values)

    def _take(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        token = pattern.match(self.text, self.at)
        if token is not None:
            self.at = token.end()
            self._skip()
        return token

    def _skip(self) -> None:
        space = _SPACE.match(self.text, self.at)
        self.at = space.end() if space is not None else self.at

    def _expected(self, what: str) -> _Stop:
        word = _WORD.match(self.text, self.at)
        found = word.group() if word is not None else ""
        return _Stop(Mistake(self.at + 1, found if len(found) <= 30 else found[:29] + "…", what))


def _comparators(kind: str, key: str) -> tuple[str, ...]:
    if _is_number(kind, key):
        return _NUMERIC
    if kind in {PARAM, TAG}:
        return (*_TEXT, *_NULL)
    return (*_TEXT, *_LIST) if kind == DATASET or key == "run_id" else _TEXT


def _is_number(kind: str, key: str) -> bool:
    return kind == METRIC or (kind == ATTRIBUTE and key in NUMERIC_ATTRIBUTES)


def _unquoted(text: str) -> str:
    if len(text) < 2 or text[0] != text[-1] or text[0] not in "`\"'":
        return text
    return text[1:-1].replace("``", "`") if text[0] == "`" else text[1:-1]


def _one_of(words: tuple[str, ...]) -> str:
    return ", ".join(words[:-1]) + f" or {words[-1]}" if len(words) > 1 else words[0]


def like(pattern: str, *, ignore_case: bool) -> re.Pattern[str]:
    """A LIKE pattern as a regular expression: % is any text, _ one sign."""
    parts = [".*" if sign == "%" else "." if sign == "_" else re.escape(sign) for sign in pattern]
    return re.compile("".join(parts), re.DOTALL | (re.IGNORECASE if ignore_case else 0))


def quoted(name: str) -> str:
    """A name as a filter needs it: in backticks where it has other signs than letters, digits, _ and the dot.

    >>> quoted("learning rate"), quoted("auc"), quoted("a`b")
    ('`learning rate`', 'auc', '`a``b`')
    """
    return name if re.fullmatch(r"\w[\w.]*", name) else "`" + name.replace("`", "``") + "`"
