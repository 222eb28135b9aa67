"""Evidence and references over HTTP: the services that `mlops-dash evidence` and `mlops-dash reference` call."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import pandas as pd

from mlops_dash.bootstrap import Services
from mlops_dash.clock import Clock
from mlops_dash.domain.access import Actor
from mlops_dash.domain.evidence import Evidence
from mlops_dash.domain.monitoring.room import AS_SERVED, OUT_OF_FOLD
from mlops_dash.domain.registry.records import Version
from mlops_dash.domain.sent import time_of
from mlops_dash.errors import InvalidInput, InvalidRow, NotFound
from mlops_dash.gateway.fields import flag

Push = Callable[[Services, Actor, Mapping[str, Any]], dict[str, Any]]
EVIDENCE_FIELDS = {"model", "version", "source", "rows"}
COMPARISON_FIELDS = {"model", "version", "with"}
REFERENCE_FIELDS = {
    "model", "version", "source", "rows", "window", "first_days", "out_of_fold", "replace", "reason",
}  # fmt: skip


def push_evidence(made: Services, who: Actor, sent: Mapping[str, Any]) -> dict[str, Any]:
    """Keep rows that a version scored, and measure it on them.

    Raises:
        NotFound: no such model or version.
        InvalidInput, InvalidRow: a rule is broken; nothing is stored.
    """
    source = _text(sent, "source", "HTTP")
    version = _version(made, who, sent, reason=f"evidence came by {source}")
    rows = made.evidence.read_sent(who, version.id, sent.get("rows"))
    pushed = made.evidence.push(who, version.id, rows, source=source)
    return {
        "version": pushed.version, "rows": pushed.rows, "digest": pushed.digest, "changed": pushed.changed,
        "evidence": [one.as_json() for one in pushed.evidence],
    }  # fmt: skip


def compare_evidence(made: Services, who: Actor, sent: Mapping[str, Any]) -> dict[str, Any]:
    """Compare two versions on the ids that both pushed.

    Raises:
        NotFound: a version is not known or has no pushed rows, or none answers.
        InvalidInput: they are one version.
    """
    model = _text(sent, "model")
    candidate = made.registry.version_id(who, model, _text(sent, "version"))
    if sent.get("with") is not None:
        other = made.registry.version_id(who, model, _text(sent, "with"))
    else:
        serving = made.registry.serving(who, model)
        if serving is None:
            raise NotFound(f"No version of {model} answers now.", hint="Name the other one in 'with'.")
        other = serving.version_id
    compared: tuple[Evidence, ...] = made.evidence.compare_pushed(who, candidate, other)
    return {
        "candidate": compared[0].subject, "comparator": compared[0].comparator,
        "evidence": [one.as_json() for one in compared],
    }  # fmt: skip


def push_reference(made: Services, who: Actor, sent: Mapping[str, Any]) -> dict[str, Any]:
    """Say what a version's live traffic is compared with; its past waits for the worker to profile it anew.

    Raises:
        NotFound: no such model or version.
        InvalidInput, InvalidRow: a rule is broken; nothing is stored.
        Conflict: another reference is there, and `replace` was not said.
    """
    given = [name for name in ("rows", "window", "first_days") if sent.get(name) is not None]
    if len(given) != 1:
        raise InvalidInput("A reference has one source.", hint="Send rows, window or first_days; only one of them.")
    source = _text(sent, "source", {"rows": "HTTP", "window": "a window", "first_days": "the first days"}[given[0]])
    version = _version(made, who, sent, reason=f"its reference is {source}")
    rows = _rows(made, who, version, sent)
    method = OUT_OF_FOLD if flag(sent.get("out_of_fold", False), "out_of_fold") and given == ["rows"] else AS_SERVED
    made.monitoring.keep_inputs(who, version.id)
    answer = made.monitoring.set_reference(
        who, version.id, rows, method=method, source=source, replace=flag(sent.get("replace", False), "replace"),
        reason=_text(sent, "reason", ""),
    )  # fmt: skip
    made.monitoring.mark_past(who, version.id)
    return {**vars(answer), "start": answer.start.isoformat(), "end": answer.end.isoformat()}


def _rows(made: Services, who: Actor, version: Version, sent: Mapping[str, Any]) -> pd.DataFrame:
    monitoring = made.monitoring
    if sent.get("rows") is not None:
        return monitoring.rows_of_objects(who, version.id, sent["rows"])
    if sent.get("window") is not None:
        first, last = _window(sent["window"], made.context.clock)
        return monitoring.rows_of_window(who, version.id, first, last)
    days = sent["first_days"]
    if not isinstance(days, int) or isinstance(days, bool) or not 1 <= days <= 3_650:
        raise InvalidInput("'first_days' is no number of days.", hint="Send 1 to 3650.")
    return monitoring.rows_of_first_days(who, version.id, days)


def _window(sent: Any, clock: Clock) -> tuple[datetime, datetime]:
    if not isinstance(sent, dict) or set(sent) != {"start", "end"} or None in sent.values():
        raise InvalidInput("'window' has not a start and an end.", hint='Send {"start": TIME, "end": TIME}.')
    try:
        return time_of(0, "start", sent["start"], clock.now()), time_of(0, "end", sent["end"], clock.now())
    except InvalidRow as error:
        raise InvalidInput(f"The window's {error.column} {error.value} {error.reason}.") from None


def _version(made: Services, who: Actor, sent: Mapping[str, Any], *, reason: str) -> Version:
    return made.registry.known_version(who, _text(sent, "model"), _text(sent, "version"), reason=reason)


def _text(sent: Mapping[str, Any], name: str, default: str | None = None) -> str:
    value = sent.get(name)
    if value is None and default is not None:
        return default
    value = str(value) if type(value) is int and name in {"version", "with"} else value
    if not isinstance(value, str) or not 0 < len(value) <= 200 or not value.isprintable():
        raise InvalidInput(f"{name!r} is missing, or no text of 1 to 200 printable characters.")
    return value
