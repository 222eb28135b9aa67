"""What may be changed of a model that is watched, and when may it be archived?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from mlops_dash.domain.cadence import cadence_named
from mlops_dash.domain.registry.live import live_mark
from mlops_dash.domain.registry.records import Model
from mlops_dash.domain.tasks import task_named
from mlops_dash.errors import Conflict, InvalidInput

TIERS = (1, 2, 3)
LONGEST = 120  # characters of a title or an owner
MEANING = ("task", "positive_label")  # what every stored row was read by
TAKEN = ("at", "score", "label", "id")  # what rows have beside the columns of their owner
EDITABLE = ("title", "owner", "tier", *MEANING, "cadence", "cluster", "live", "do_not_log", "slices", "groups")
COLUMNS = ("do_not_log", "slices", "groups")  # of these, lists of names


def edited(model: Model, changes: Mapping[str, Any], *, has_rows: bool) -> Model:
    """A model with other words about it.

    Args:
        model: As it is.
        changes: Of the fields in `EDITABLE`; what is left out stays.
        has_rows: Whether a prediction, a label or a reference of it is stored.

    Raises:
        InvalidInput: a value cannot be used.
        Conflict: its rows were read by what would change, or nothing would change.
    """
    after = replace(model, **{name: _cleaned(name, value) for name, value in changes.items()})
    for name in MEANING:
        if has_rows and getattr(after, name) != getattr(model, name):
            raise Conflict(
                f"The {name.replace('_', ' ')} of {model.name} stays {getattr(model, name)!r}: rows are stored by it.",
                hint="Add the model under another name, and archive this one.",
            )
    if why_not := task_named(after.task, after.class_names).why_incomplete():
        raise InvalidInput(f"{model.name} cannot become {after.task}: {why_not}.", hint="Add it under another name.")
    check_tier(after.tier)
    if not after.title:
        raise InvalidInput("A model needs a title.", hint="Leave it out to keep the one it has.")
    check_live(after)
    if after == model:
        raise Conflict(f"Nothing of {model.name} would change.")
    return after


def check_tier(tier: int) -> None:
    """Refuse what is no tier.

    Raises:
        InvalidInput: there is none of this number.
    """
    if tier not in TIERS:
        raise InvalidInput(f"Tier {tier} does not exist.", hint="Use 1 (most critical), 2 or 3.")


def check_live(model: Model) -> None:
    """Refuse a mark in MLflow of a model that is not there.

    Raises:
        InvalidInput: others serve it, and no registry of ours is looked at.
    """
    if model.elsewhere and model.live != Model.live:
        raise InvalidInput(
            f"Others serve {model.name}: no mark in MLflow says what is live.", hint="Leave the live mark out."
        )


def facts_of(model: Model, names: Sequence[str] = EDITABLE) -> dict[str, Any]:
    """What the ledger keeps of a model."""
    return {name: list(value) if isinstance(value := getattr(model, name), tuple) else value for name in names}


def changed(before: Model, after: Model) -> tuple[str, ...]:
    """The editable fields in which two differ."""
    return tuple(name for name in EDITABLE if getattr(before, name) != getattr(after, name))


def _cleaned(name: str, value: Any) -> Any:
    if name not in EDITABLE:
        raise InvalidInput(f"A model's {name} cannot be edited.", hint=f"Editable: {', '.join(EDITABLE)}.")
    if name in COLUMNS:
        return tuple(dict.fromkeys(column.strip() for column in value if column.strip()))
    if name == "cadence":
        return checked_cadence(value)
    if name == "live":
        return str(live_mark(str(value)))
    if not isinstance(value, str) or name == "positive_label":
        return value
    if len(value) > LONGEST or not value.isprintable():
        raise InvalidInput(
            f"The {name} is {len(value)} characters long or has signs that cannot be printed.",
            hint=f"Use up to {LONGEST} on one line.",
        )
    if name == "cluster":
        return checked_cluster(value)
    return value.strip()


def checked_cluster(column: str) -> str:
    """The column that names the rows that belong together, as it is kept.

    Raises:
        InvalidInput: it is a column that every row has by another name.
    """
    if column.strip() in TAKEN:
        raise InvalidInput(
            f"Rows cannot belong together by {column.strip()!r}.", hint="Name a column of theirs, such as customer."
        )
    return column.strip()


def checked_cadence(name: str) -> str:
    """The name of a cadence, as it is kept.

    Raises:
        InvalidInput: nothing is judged by that.
    """
    cadence_named(name)
    return name
