"""Every verb of a service says what it is: a read, a decision with a ledger entry, or a machine fact.

A service is one object; a noun with many verbs holds parts and names the verbs of each. So the built object is asked.
"""

from __future__ import annotations

import inspect
import typing
from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from mlops_dash.bootstrap import Services, build
from mlops_dash.domain.access import Permission
from mlops_dash.domain.audit import Action
from mlops_dash.services.command import Context
from tests import factories

NOUNS = [name for name, kind in typing.get_type_hints(Services).items() if kind is not Context]


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    built = build(factories.settings(tmp_path_factory.mktemp("kinds")))
    yield built
    built.close()


def verbs_of(thing: object) -> dict[str, Callable[..., object]]:
    return {name: verb for name, verb in inspect.getmembers(thing, inspect.ismethod) if not name.startswith("_")}


def parts_of(service: object) -> list[object]:
    """The service and the parts whose verbs it names."""
    owners = [service, *(getattr(verb, "__self__") for verb in verbs_of(service).values())]  # noqa: B009
    return list({id(owner): owner for owner in owners}.values())


def test_there_are_services_to_look_at() -> None:
    assert {"access", "audit", "registry", "scoring", "monitoring", "retraining"} <= set(NOUNS)


@pytest.mark.parametrize("noun", NOUNS)
def test_every_verb_has_a_kind(services: Services, noun: str) -> None:
    kinds = {name: getattr(verb, "__mlops_kind__", None) for name, verb in verbs_of(getattr(services, noun)).items()}
    assert kinds
    assert {name: kind for name, kind in kinds.items() if kind not in {"read", "command", "record"}} == {}


@pytest.mark.parametrize("noun", NOUNS)
def test_every_verb_asks_for_a_permission(services: Services, noun: str) -> None:
    verbs = verbs_of(getattr(services, noun))
    asked = {name: getattr(verb, "__mlops_permission__", None) for name, verb in verbs.items()}
    assert {name: permission for name, permission in asked.items() if not isinstance(permission, Permission)} == {}


@pytest.mark.parametrize("noun", NOUNS)
def test_a_service_names_every_verb_of_its_parts(services: Services, noun: str) -> None:
    service = getattr(services, noun)
    named = set(verbs_of(service))
    silent = {name for part in parts_of(service) for name, verb in verbs_of(part).items() if name not in named}
    assert silent == set()


def test_each_action_is_emitted_by_exactly_one_command(services: Services) -> None:
    commands = [
        getattr(verb, "__mlops_action__")  # noqa: B009  (a plain attribute is unknown to the type checker)
        for noun in NOUNS
        for verb in verbs_of(getattr(services, noun)).values()
        if getattr(verb, "__mlops_kind__", "") == "command"
    ]
    assert len(commands) > 20
    assert all(isinstance(action, Action) for action in commands)
    assert {str(action): count for action, count in Counter(commands).items() if count > 1} == {}


@pytest.mark.parametrize("noun", NOUNS)
def test_a_service_is_put_together_without_inheritance(services: Services, noun: str) -> None:
    bases = {type(part).__name__: type(part).__bases__ for part in parts_of(getattr(services, noun))}
    assert {name: kinds for name, kinds in bases.items() if kinds != (object,)} == {}
