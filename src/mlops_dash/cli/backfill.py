"""How often should this model be retrained? Versions as of past days, and what they answer."""

from __future__ import annotations

import argparse
import time
from typing import Any

from mlops_dash.bootstrap import Services
from mlops_dash.cli.shared import actor, json_flag, services, show
from mlops_dash.domain import format as fmt
from mlops_dash.domain.access import Actor
from mlops_dash.domain.hindsight import Backfill, Hindsight, Plan, Reading, facts_of
from mlops_dash.domain.parameters import parameters_of
from mlops_dash.errors import InvalidInput, NotFound

_REASON = "asked on the command line"


def add_commands(commands: Any) -> None:
    """Register backfill."""
    backfill = commands.add_parser("backfill", help="train versions as of past days: how often should it be retrained?")
    backfill.add_argument("recipe", nargs="?")
    backfill.add_argument("--from", dest="first", metavar="DAY", help="as of which day the first version is trained")
    backfill.add_argument("--to", dest="until", default="", metavar="DAY", help="where the last window ends (now)")
    backfill.add_argument("--every", default="30d", help="from one version to the next: 30d, 7d or month")
    backfill.add_argument("--set", dest="values", action="append", default=[], metavar="NAME=VALUE",
                          help="a parameter of the recipe that is another one in these runs")  # fmt: skip
    backfill.add_argument("--parallel", type=int, default=1, metavar="N", help="versions at once")
    backfill.add_argument("--reason", default=_REASON)
    backfill.add_argument("--dry-run", action="store_true", help="say its versions, windows and time; start nothing")
    backfill.add_argument("--wait", action="store_true", help="wait until it is over, then say what it tells")
    other = backfill.add_mutually_exclusive_group()
    other.add_argument("--list", action="store_true", help="those that were asked for, newest first")
    other.add_argument("--show", metavar="ID", help="what one tells: never, each time or on alarm")
    other.add_argument("--cancel", metavar="ID", help="cancel all of its runs")
    json_flag(backfill)
    backfill.set_defaults(run=_backfill)


def _backfill(arguments: argparse.Namespace) -> int:
    made = services()
    who = actor(made)
    if arguments.list:
        return _list(made, who, arguments)
    if arguments.show:
        return _say(made.retraining.hindsight(who, arguments.show), as_json=arguments.json)
    if arguments.cancel:
        stopped = made.retraining.cancel_backfill(who, arguments.cancel, arguments.reason)
        show({"cancelled": stopped}, as_json=arguments.json, line=f"{fmt.plural(stopped, 'run')} cancelled.")
        return 0
    if not arguments.recipe or not arguments.first:
        raise InvalidInput("Nothing says what to train.", hint="Write: backfill RECIPE --from 2026-01-31, or --list.")
    asked = {"first": arguments.first, "until": arguments.until, "every": arguments.every,
             "parallel": arguments.parallel}  # fmt: skip
    plan = made.retraining.planned_backfill(who, arguments.recipe, **asked)
    if arguments.dry_run:
        show(_plan(plan), as_json=arguments.json, line="\n".join(_plan_lines(plan)))
        return 0
    given = parameters_of("\n".join(arguments.values))
    backfill_id = made.retraining.backfill(who, arguments.recipe, arguments.reason, parameters=given, **asked)
    if not arguments.wait:
        line = f"Backfill {backfill_id} is queued: {fmt.plural(len(plan.cuts), 'version')}."
        show({"id": backfill_id, **_plan(plan)}, as_json=arguments.json, line=line)
        return 0
    _wait(made, who, backfill_id, quiet=arguments.json)
    return _say(made.retraining.hindsight(who, backfill_id), as_json=arguments.json)


def _wait(made: Services, who: Actor, backfill_id: str, *, quiet: bool) -> None:
    said = ""
    while True:
        known = _known(made, who, backfill_id)
        if known.words != said and not quiet:
            print(known.words, flush=True)
        said = known.words
        if known.finished:
            return
        time.sleep(1)


def _known(made: Services, who: Actor, backfill_id: str) -> Backfill:
    for one in made.retraining.backfills(who):
        if one.id == backfill_id:
            return one
    raise NotFound(f"There is no backfill {backfill_id!r}.")


def _list(made: Services, who: Actor, arguments: argparse.Namespace) -> int:
    found = made.retraining.backfills(who)
    lines = [f"{one.id}  {one.recipe:<20} {one.words}" for one in found]
    facts = [{"id": one.id, "recipe": one.recipe, "model": one.model, "finished": one.finished, "state": one.words,
              "jobs": [job.id for job in one.jobs]} for one in found]  # fmt: skip
    show(facts, as_json=arguments.json, line="\n".join(lines) or "There is no backfill yet.")
    return 0


def _plan(plan: Plan) -> dict[str, Any]:
    windows = [{"as_of": one.at.isoformat(), "judged_until": one.end.isoformat()} for one in plan.cuts]
    return {"recipe": plan.recipe, "model": plan.model, "every": plan.every, "parallel": plan.parallel,
            "versions": windows, "seconds": plan.seconds, "cost": _cost(plan)}  # fmt: skip


def _cost(plan: Plan) -> dict[str, Any] | None:
    """What it would cost, as an estimate; without a value where that is not known."""
    if plan.cost is None:
        return None
    return {"estimate": plan.cost.value, "currency": plan.cost.currency, "price_per_hour": plan.cost.price_per_hour,
            "usual_seconds": plan.cost.usual.seconds, "from_runs": plan.cost.usual.n}  # fmt: skip


def _plan_lines(plan: Plan) -> list[str]:
    took = "nobody knows how long: the recipe has not run yet"
    if plan.seconds is not None:
        took = f"about {fmt.duration(plan.seconds)}, as its last run took {fmt.duration(plan.took_seconds)}"
    cost = [] if plan.cost is None or plan.cost.price_per_hour is None else [f"  cost: {plan.cost.words()}"]
    windows = [f"  as of {one.at:%Y-%m-%d %H:%M}, judged until {one.end:%Y-%m-%d %H:%M} UTC" for one in plan.cuts]
    return [f"{plan.recipe} would make {fmt.plural(len(plan.cuts), 'version')}; {took}.", *cost, *windows]


def _say(found: Hindsight, *, as_json: bool) -> int:
    lines = [found.sentence]
    for one in found.ways:
        gain = f"; better than never by {_number(one.gain)}" if one.gain is not None else ""
        lines.append(
            f"  {one.way:<6} {fmt.plural(one.trainings, 'training'):<13} {found.metric} {_number(one.whole)}{gain}"
        )
    show(facts_of(found), as_json=as_json, line="\n".join(lines))
    return 1 if found.reason else 0


def _number(one: Reading) -> str:
    if one.value is None:
        return f"not computable: {one.reason}"
    doubt = "" if one.low is None or one.high is None else f" [{one.low:.4g}, {one.high:.4g}]"
    return f"{one.value:.4g}{doubt} n={one.n:,} in {one.n_clusters} days" if one.n else f"{one.value:.4g}{doubt}"
