"""Models and policies over HTTP: the services that `mlops-dash model` and `mlops-dash policy` call."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlops_dash.bootstrap import Services
from mlops_dash.domain.access import Actor
from mlops_dash.domain.policies import PolicyKind, PolicyVersion
from mlops_dash.domain.policies.room import PolicyRoom
from mlops_dash.domain.registry.records import Model
from mlops_dash.errors import InvalidInput
from mlops_dash.gateway.fields import text

_COLUMNS = {"do_not_log", "slices", "groups"}
_FACTS = {"title", "owner", "tier", "task", "window", "positive_label", "live", "cluster", *_COLUMNS}
_LISTS = {"class_names", *_COLUMNS}
_AS_STORED = {"window": "cadence"}  # the word of commands and requests, and the field's
MODEL_FIELDS = {"name", "reason", "source", "class_names", *_FACTS}
EDIT_FIELDS = {"name", "reason", *_FACTS}
NAME_FIELDS = {"name", "reason"}
POLICY_FIELDS = {"model", "kind", "policy", "reason"}
ACTIVATION_FIELDS = {"id", "reason"}


def list_models(made: Services, who: Actor, asked: Mapping[str, str]) -> dict[str, Any]:
    """Every model by name; those that are archived where `archived` is true.

    Raises:
        InvalidInput: `archived` is neither true nor false.
    """
    archived = asked.get("archived", "false")
    if archived not in {"true", "false"}:
        raise InvalidInput(f"archived cannot be {archived[:40]!r}.", hint="Use true, or false.")
    models = made.registry.all_models(who) if archived == "true" else made.registry.models(who)
    return {"models": [_shown(one) for one in models]}


def add_model(made: Services, who: Actor, sent: Mapping[str, Any]) -> dict[str, Any]:
    """Watch a model from now on.

    Raises:
        InvalidInput: a field cannot be used.
        Conflict: the name is taken.
    """
    given = {name: _fact(name, sent[name]) for name in sorted({"source", "class_names", *_FACTS} & set(sent))}
    return _shown(made.registry.add_model(who, text(sent, "name"), reason=text(sent, "reason"), **_stored(given)))


def edit_model(made: Services, who: Actor, sent: Mapping[str, Any]) -> dict[str, Any]:
    """Say something else of a model.

    Raises:
        NotFound: no such model.
        InvalidInput: a field cannot be used, or none is named.
        Conflict: rows are stored by what would change, or nothing would.
    """
    changes = {name: _fact(name, sent[name]) for name in sorted(_FACTS & set(sent))}
    if not changes:
        raise InvalidInput("Nothing says what to change.", hint=f"Name one of {', '.join(sorted(_FACTS))}.")
    after = made.registry.edit_model(who, text(sent, "name"), _stored(changes), reason=text(sent, "reason"))
    return _shown(after)


def archive_model(made: Services, who: Actor, sent: Mapping[str, Any]) -> dict[str, Any]:
    """Take a model out of pages, chores and serving.

    Raises:
        NotFound: no such model.
        Conflict: it is archived already, or somebody is deciding about it.
    """
    return _shown(made.registry.archive_model(who, text(sent, "name"), reason=text(sent, "reason")))


def restore_model(made: Services, who: Actor, sent: Mapping[str, Any]) -> dict[str, Any]:
    """Take an archived model back as it was.

    Raises:
        NotFound: no such model.
        Conflict: it is not archived.
    """
    return _shown(made.registry.restore_model(who, text(sent, "name"), reason=text(sent, "reason")))


def show_policy(made: Services, who: Actor, asked: Mapping[str, str]) -> dict[str, Any]:
    """What is in force, field by field, and what waits for a second person.

    Raises:
        NotFound: nobody has added the model.
        InvalidInput: there is no such kind.
    """
    room = made.policies.room(who, text(asked, "model"), _kind(asked.get("kind")))
    return {
        **_version(room, room.active),
        "fields": [{**vars(one), "choices": list(one.choices)} for one in room.fields],
        "waiting": [_version(room, one) for one in room.waiting],
    }


def write_policy(made: Services, who: Actor, sent: Mapping[str, Any]) -> dict[str, Any]:
    """Write the next version of a policy.

    Raises:
        NotFound: nobody has added the model.
        InvalidInput: a field is unknown or out of range.
        Conflict: a version says that already.
    """
    model, kind, body = text(sent, "model"), _kind(sent.get("kind")), sent.get("policy")
    if not isinstance(body, dict):
        raise InvalidInput(
            "'policy' is missing, or no object of fields.", hint="GET /v1/policy shows what is in force."
        )
    written = made.policies.propose(who, model, kind, body, reason=text(sent, "reason"))
    return _version(made.policies.room(who, model, kind), written)


def activate_policy(made: Services, who: Actor, sent: Mapping[str, Any]) -> dict[str, Any]:
    """Put a written version into force.

    Raises:
        NotFound: no such version.
        NotAllowed: the actor wrote it.
        Conflict: it holds already, or a newer one does.
    """
    policy = made.policies.activate(who, text(sent, "id"), reason=text(sent, "reason"))
    return _version(made.policies.room(who, policy.model, policy.kind), policy)


def _shown(model: Model) -> dict[str, Any]:
    as_sent = {stored: word for word, stored in _AS_STORED.items()}
    facts = {as_sent.get(name, name): value for name, value in vars(model).items()}
    archived = None if model.archived_at is None else model.archived_at.isoformat()
    lists = {name: list(facts[name]) for name in _LISTS}
    return {**facts, **lists, "created_at": model.created_at.isoformat(), "archived_at": archived}


def _version(room: PolicyRoom, version: PolicyVersion) -> dict[str, Any]:
    return {
        "id": version.id, "model": version.model, "kind": str(version.kind), "number": version.number,
        "state": str(room.state(version)), "policy": dict(version.body), "author": version.author,
        "approver": version.approver, "digest": version.digest,
    }  # fmt: skip


def _stored(given: Mapping[str, Any]) -> dict[str, Any]:
    return {_AS_STORED.get(name, name): value for name, value in given.items()}


def _kind(sent: Any) -> PolicyKind:
    if sent is None:
        return PolicyKind.PROMOTION
    known = [str(kind) for kind in PolicyKind]
    if sent not in known:
        raise InvalidInput(f"There is no policy of the kind {str(sent)[:40]!r}.", hint=f"Use {', '.join(known)}.")
    return PolicyKind(sent)


def _fact(name: str, value: Any) -> Any:
    """A field of a model, of the type that it has."""
    if name in _LISTS:
        if not isinstance(value, list) or not all(_is_word(one) for one in value):
            raise InvalidInput(f"{name!r} is no list of names.", hint='Send texts, such as ["postcode"].')
        return value
    if name == "tier":
        if type(value) is not int:
            raise InvalidInput("'tier' is no whole number.", hint="Use 1 (most critical), 2 or 3.")
        return value
    if not isinstance(value, str) or len(value) > 200 or not value.isprintable():
        raise InvalidInput(f"{name!r} is no text of up to 200 printable characters.")
    return value


def _is_word(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value.strip()) <= len(value) <= 200 and value.isprintable()
