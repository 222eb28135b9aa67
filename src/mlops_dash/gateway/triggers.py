"""Schedules that wait for calls: the service that `mlops-dash schedule call` calls."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlops_dash.bootstrap import Services
from mlops_dash.domain.access import Actor
from mlops_dash.errors import InvalidInput


def call(made: Services, who: Actor, schedule: str, sent: Mapping[str, Any]) -> dict[str, Any]:
    """Start its run, once for each key.

    Raises:
        NotFound: there is no such schedule.
        InvalidInput: a field cannot be used.
        Conflict: nothing may start now.
    """
    dry_run = sent.get("dry_run", False)
    if not isinstance(dry_run, bool):
        raise InvalidInput("'dry_run' is neither true nor false.")
    did = made.retraining.call(who, schedule, key=_text(sent, "key"), reason=_text(sent, "reason"), dry_run=dry_run)
    return {**vars(did), "state": None if did.state is None else str(did.state)}


def _text(sent: Mapping[str, Any], name: str) -> str:
    value = sent.get(name, "")
    if not isinstance(value, str) or not (value == "" or value.isprintable()):
        raise InvalidInput(f"{name!r} is no text of printable characters.")
    return value
