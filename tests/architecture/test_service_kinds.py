"""Every public service method says what it is: a read, a decision with a ledger entry, or a machine fact."""

from __future__ import annotations

import inspect
import typing
from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from mlops_dash.bootstrap import Services
from mlops_dash.domain.access import Permission
from mlops_dash.domain.audit import Action
from mlops_dash.services.command import Context

SERVICES = {name: kind for name, kind in typing.get_type_hints(Services).items() if kind is not Context}


def public_methods(service: type) -> Iterator[tuple[str, Callable[..., object]]]:
    for name, member in inspect.getmembers(service, inspect.isfunction):
        if not name.startswith("_"):
            yield name, member


def test_there_are_services_to_look_at() -> None:
    assert {"access", "audit", "registry", "scoring", "monitoring", "retraining"} <= set(SERVICES)


@pytest.mark.parametrize("noun", SERVICES)
def test_every_public_method_has_a_kind(noun: str) -> None:
    kinds = {name: getattr(method, "__mlops_kind__", None) for name, method in public_methods(SERVICES[noun])}
    assert kinds
    assert {name: kind for name, kind in kinds.items() if kind not in {"read", "command", "record"}} == {}


@pytest.mark.parametrize("noun", SERVICES)
def test_every_public_method_asks_for_a_permission(noun: str) -> None:
    asked = {name: getattr(method, "__mlops_permission__", None) for name, method in public_methods(SERVICES[noun])}
    assert {name: permission for name, permission in asked.items() if not isinstance(permission, Permission)} == {}


def test_each_action_is_emitted_by_exactly_one_command() -> None:
    commands = [
        getattr(method, "__mlops_action__")  # noqa: B009  (a plain attribute is unknown to the type checker)
        for service in SERVICES.values()
        for _, method in public_methods(service)
        if getattr(method, "__mlops_kind__", "") == "command"
    ]
    assert all(isinstance(action, Action) for action in commands)
    assert {str(action): count for action, count in Counter(commands).items() if count > 1} == {}
