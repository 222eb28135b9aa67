"""How is a recipe written into a YAML file, and what does such a file say? The file makes the same recipe again."""

from __future__ import annotations

from typing import Any

import yaml

from mlops_dash.domain.policies.text import policy_of_yaml
from mlops_dash.domain.recipe_checks import checks_of
from mlops_dash.domain.retraining import Recipe, check_recipe
from mlops_dash.errors import InvalidInput

_NUMBERS = ("timeout_seconds", "memory_mib", "max_attempts")
_PLACES = ("requirements", "repository", "commit")
_MONEY = ("price_per_hour", "money_a_month")
_FIELDS = ("name", "model", "program", "parameters", *_NUMBERS, *_MONEY, *_PLACES, "checks")


def recipe_yaml(recipe: Recipe) -> str:
    """The whole recipe as a file that `recipe_of_yaml` reads."""
    said: dict[str, Any] = {
        "name": recipe.name, "model": recipe.model, "program": recipe.entry, "parameters": dict(recipe.parameters),
        **{name: getattr(recipe, name) for name in _NUMBERS},
    }  # fmt: skip
    said |= {name: getattr(recipe, name) for name in _MONEY if getattr(recipe, name) is not None}
    said |= {name: getattr(recipe, name) for name in _PLACES if getattr(recipe, name)}
    if recipe.checks:
        said["checks"] = [one.as_json() for one in recipe.checks]
    text: str = yaml.safe_dump(said, allow_unicode=True, sort_keys=False, width=10_000)
    return text


def recipe_of_yaml(text: str) -> Recipe:
    r"""The recipe that a file says.

    >>> recipe_of_yaml("name: weekly\nmodel: churn\nprogram: team.churn:train\n").timeout_seconds
    900

    Raises:
        InvalidInput: it is no YAML, lacks a field or has one that no recipe has, or it could not run.
    """
    said = policy_of_yaml(text, what="recipe", example="name: weekly")
    unknown = [str(name) for name in said if name not in _FIELDS]
    if unknown:
        raise InvalidInput(f"A recipe has no field {unknown[0]!r}.", hint=f"It has {', '.join(_FIELDS)}.")
    for name in ("name", "model", "program"):
        if not isinstance(said.get(name), str):
            raise InvalidInput(f"The recipe's {name} is no text.", hint=f'Write a line {name}: "..."')
    for name in _PLACES:
        if not isinstance(said.get(name, ""), str):
            raise InvalidInput(f"The recipe's {name} is no text.", hint=f'Write a line {name}: "..."')
    for name in _NUMBERS:
        if type(said.get(name, 1)) is not int:
            raise InvalidInput(f"The recipe's {name} is {said[name]!r}.", hint="Use a whole number above 0.")
    for name in _MONEY:
        if said.get(name) is not None and type(said[name]) not in (int, float):
            raise InvalidInput(f"The recipe's {name} is {said[name]!r}.", hint="Use an amount, or leave it out.")
    parameters = said.get("parameters") or {}
    if not isinstance(parameters, dict) or not all(isinstance(name, str) for name in parameters):
        raise InvalidInput("The recipe's parameters are no fields with names.", hint="Write them below it, one a line.")
    limits = {name: said[name] for name in _NUMBERS if name in said}
    price, budget = (None if said.get(name) is None else float(said[name]) for name in _MONEY)
    checks = checks_of(said.get("checks"))
    made = Recipe(
        said["name"],
        said["model"],
        said["program"],
        parameters,
        **limits,
        checks=checks,
        price_per_hour=price,
        money_a_month=budget,
        **{name: said.get(name, "") for name in _PLACES},
    )
    check_recipe(made)
    return made
