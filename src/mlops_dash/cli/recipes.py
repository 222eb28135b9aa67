"""Recipes at the command line: which program makes a version of a model, with what."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

from mlops_dash.bootstrap import Services
from mlops_dash.cli.shared import actor, counted, json_flag, services, show
from mlops_dash.domain.parameters import parameters_of
from mlops_dash.domain.recipe_checks import checks_of_yaml
from mlops_dash.domain.recipe_text import recipe_of_yaml, recipe_yaml
from mlops_dash.domain.retraining import Recipe
from mlops_dash.errors import InvalidInput


def add_commands(commands: Any) -> None:
    """Register recipe list, save, cost, export, import and check."""
    recipe = commands.add_parser("recipe", help="list or save recipes: how a version of a model is made")
    verbs = recipe.add_subparsers(dest="verb", required=True, metavar="VERB")

    listed = verbs.add_parser("list", help="every recipe with its program")
    json_flag(listed)
    listed.set_defaults(run=_list)

    save = verbs.add_parser("save", help="keep a recipe under its name; admins say which program runs")
    save.add_argument("name")
    save.add_argument("--model", required=True, help="the model that it makes a version of")
    save.add_argument(
        "--program", required=True,
        help="module:function, a command line ({python}, {start}, {end}, {model}, parameters are filled in), or a "
        "file: a notebook, dvc.yaml, MLproject",
    )  # fmt: skip
    save.add_argument(
        "--parameters",
        default="{}",
        help="JSON, or lines of name = value; train_start or train_days and holdout_days are ours",
    )
    save.add_argument("--timeout", type=int, default=900, help="longest run, seconds")
    save.add_argument("--memory", type=int, default=4096, help="most resident memory, MiB")
    save.add_argument("--attempts", type=int, default=1)
    save.add_argument(
        "--checks", type=Path, metavar="FILE",
        help="YAML, a list of checks: name, kind, program, at_most or at_least, unit, timeout_seconds; else they stay",
    )  # fmt: skip
    save.add_argument("--price", type=float, metavar="X", help="what an hour of it costs; 0 = not known")
    save.add_argument("--budget", type=float, metavar="X", help="most it may cost a month: a hard stop; 0 = no bound")
    save.add_argument("--requirements", metavar="FILE", help="its own environment, made once; none = this one")
    save.add_argument("--git", metavar="ADDRESS", help="works in a checkout of that repository; none = here")
    save.add_argument("--folder", metavar="PATH", help="works in a copy of that plain folder, made for each run")
    save.add_argument("--commit", metavar="SHA", help="of that repository, all digits")
    save.set_defaults(run=_save)

    cost = verbs.add_parser("cost", help="what its runs cost this month so far, and what the next one would")
    cost.add_argument("name")
    json_flag(cost)
    cost.set_defaults(run=_cost)

    export = verbs.add_parser("export", help="print a recipe as YAML that `recipe import` takes")
    export.add_argument("name")
    export.set_defaults(run=_export)

    taken = verbs.add_parser("import", help="keep the recipe of a YAML file under its name")
    taken.add_argument("file", type=Path)
    taken.set_defaults(run=_import)

    check = verbs.add_parser("check", help="try it on a small window: what is missing? Registers nothing; exit 0 or 1")
    check.add_argument("name")
    check.add_argument("--days", type=int, default=7, help="of training")
    json_flag(check)
    check.set_defaults(run=_check)


def _list(arguments: argparse.Namespace) -> int:
    made = services()
    recipes = made.retraining.recipes(actor(made))
    lines = [f"{one.name:<20} {one.model:<20} {one.entry}" for one in recipes]
    show(
        [{**vars(one), **one.as_json()} for one in recipes],
        as_json=arguments.json,
        line="\n".join(lines) or "There is no recipe yet.",
    )
    return 0


def _save(arguments: argparse.Namespace) -> int:
    if arguments.folder and (arguments.git or arguments.commit):
        raise InvalidInput("A plain folder has no git address and no commit.", hint="Give one or the other.")
    made = services()
    known = next((one for one in made.retraining.recipes(actor(made)) if one.name == arguments.name), None)
    before = known or Recipe(arguments.name, arguments.model, arguments.program)
    recipe = replace(
        before, model=arguments.model, entry=arguments.program, parameters=parameters_of(arguments.parameters),
        timeout_seconds=arguments.timeout, memory_mib=arguments.memory, max_attempts=arguments.attempts,
        checks=checks_of_yaml(_text(arguments.checks)) if arguments.checks else before.checks,
        price_per_hour=_or_kept(arguments.price, before.price_per_hour),
        money_a_month=_or_kept(arguments.budget, before.money_a_month),
        requirements=_word(arguments.requirements, before.requirements),
        repository=_word(arguments.folder or arguments.git, before.repository),
        commit="" if arguments.folder or arguments.git == "none" else _word(arguments.commit, before.commit),
    )  # fmt: skip
    return _keep(made, recipe)


def _or_kept(typed: float | None, before: float | None) -> float | None:
    """An amount that was typed; 0 takes it away, and nothing leaves it."""
    return before if typed is None else typed or None


def _word(typed: str | None, before: str) -> str:
    """A text that was typed; "none" takes it away, and nothing leaves it."""
    return before if typed is None else "" if typed == "none" else typed


def _cost(arguments: argparse.Namespace) -> int:
    made = services()
    spent = made.retraining.spending(actor(made), arguments.name)
    said = spent.words() or "What it costs is not known: it has no price per hour."
    lines = [f"{arguments.name}: {said}", f"  a run: {spent.estimate.words()}"]
    stopped = spent.why_not(f"recipe {arguments.name}")
    answer = {
        "recipe": arguments.name, "since": spent.since.isoformat(), "zone": spent.zone, "currency": spent.currency,
        "spent": spent.spent if spent.n else None, "runs": spent.n, "runs_without_a_price": spent.unpriced,
        "budget": spent.budget, "run_estimate": spent.estimate.value, "from_runs": spent.estimate.usual.n,
        "stopped": stopped,
    }  # fmt: skip
    show(answer, as_json=arguments.json, line="\n".join([*lines, *([f"  {stopped}"] if stopped else [])]))
    return 0


def _export(arguments: argparse.Namespace) -> int:
    made = services()
    print(recipe_yaml(made.retraining.recipe(actor(made), arguments.name)), end="")
    return 0


def _import(arguments: argparse.Namespace) -> int:
    return _keep(services(), recipe_of_yaml(_text(arguments.file)))


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(
            f"The file {file} cannot be read: {error}.", hint="`mlops-dash recipe export NAME` prints one."
        ) from error


def _check(arguments: argparse.Namespace) -> int:
    from mlops_dash.doctor import check  # only this command needs MLflow

    made = services()
    who = actor(made)
    here = made.retraining.try_recipe(who, arguments.name, days=arguments.days, here=True)
    with counted(made, who, here):
        found = check(made, who, arguments.name, days=arguments.days)
    verdict = "works: a job would make a version" if found.ok else "would fail"
    lines = [
        f"{found.recipe} {verdict}.",
        *(f"  missing: {one}" for one in found.missing),
        *(f"  note: {one}" for one in found.advice),
        f"  trained on {found.window.start:%Y-%m-%d} to {found.window.end:%Y-%m-%d}; nothing is registered",
        f"  {found.seconds:.0f} s, {found.peak_mib:,.0f} MiB at most",
        f"  printed last (all of it: {found.log}):",
        *(f"    {one}" for one in found.last or ("nothing",)),
    ]
    show(found.facts, as_json=arguments.json, line="\n".join(lines))
    return 0 if found.ok else 1


def _keep(made: Services, recipe: Recipe) -> int:
    who = actor(made)
    if recipe.model not in {one.name for one in made.registry.models(who)}:
        raise InvalidInput(f"Nobody watches a model {recipe.model!r}.", hint="Add it on Overview first.")
    made.retraining.save_recipe(who, recipe)
    print(f"Recipe {recipe.name} is saved. Run it: mlops-dash retrain {recipe.name} --wait")
    return 0
