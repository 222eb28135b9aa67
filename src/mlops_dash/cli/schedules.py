"""Schedules at the command line: what starts by itself, and when. The same services as the page Retraining."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any

from mlops_dash.bootstrap import Services
from mlops_dash.cli.shared import actor, json_flag, services, show
from mlops_dash.domain import format as fmt
from mlops_dash.domain.access import Actor
from mlops_dash.domain.blackout import InBlackout
from mlops_dash.domain.due import of_draft
from mlops_dash.domain.retraining import Afterwards, Misfire, Schedule, ScheduleDraft, check_schedule
from mlops_dash.domain.starting import (
    ALERT_KINDS,
    CALLED,
    TRIGGERS,
    ScheduleKind,
    describe,
    instant,
)
from mlops_dash.domain.triggers import Guards, Overlap
from mlops_dash.errors import InvalidInput, NotFound

_SECONDS = {"s": 1, "m": 60, "min": 60, "h": 3_600, "d": 86_400}
_REASON = "asked on the command line"


def add_commands(commands: Any) -> None:
    """Register schedule list, add, edit, pause, resume and run."""
    schedule = commands.add_parser("schedule", help="list, make, change, pause or run schedules")
    verbs = schedule.add_subparsers(dest="verb", required=True, metavar="VERB")

    listed = verbs.add_parser("list", help="every schedule with its next runs, or why it does not run")
    listed.add_argument("--model", default="", help="only those of this model")
    json_flag(listed)
    listed.set_defaults(run=_list)

    for name, what in (("add", "run a recipe by the clock, every so often, once, or when something has happened"),
                       ("edit", "change a schedule in place; what is not named stays")):  # fmt: skip
        _saved(verbs.add_parser(name, help=what), name)

    pause = _of_one(verbs, "pause", "stop it from starting anything, with a reason", _pause)
    pause.add_argument("--reason", required=True)
    pause.add_argument("--until", help="when it resumes by itself: 2014-01-31T06:00+00:00")
    resume = _of_one(verbs, "resume", "let it start runs again", _resume)
    resume.add_argument("--reason", default=_REASON)
    call = _of_one(verbs, "call", "start one that waits for calls, as a program would", _call)
    call.add_argument("--key", default="", help="names the occasion: the same key starts one run only")
    call.add_argument("--reason", default=_REASON)
    call.add_argument("--dry-run", action="store_true", help="say whether it would start anything now")
    now = _of_one(verbs, "run", "run it once now, beside its slots", _run)
    now.add_argument("--reason", default=_REASON)


def _saved(saved: argparse.ArgumentParser, name: str) -> None:
    saved.add_argument("name")
    saved.add_argument("--recipe", required=name == "add")
    when = saved.add_mutually_exclusive_group(required=name == "add")
    when.add_argument("--cron", help='minute hour day month weekday: "0 6 * * 1" is Mondays at 06:00')
    when.add_argument("--every", help="90m, 6h or 2d")
    when.add_argument("--once", metavar="TIME", help="2014-01-31T06:00+00:00")
    when.add_argument("--on-alert", choices=ALERT_KINDS, dest="alert")
    when.add_argument("--on-labels", dest="labels", metavar="N", help="when N new labels of the model have come")
    when.add_argument("--on-file", dest="file", metavar="PATH", help="when a file, or one in a folder, has changed")
    when.add_argument("--after", metavar="RECIPE", help="when a run of another recipe has made a version")
    when.add_argument("--on-call", action="store_const", const=CALLED, dest="call",
                      help="when a program calls: POST /v1/triggers/NAME")  # fmt: skip
    saved.add_argument("--cooldown", metavar="T", help="from one run to the next at least: 90m, 6h or 2d; 0 = none")
    saved.add_argument("--runs-a-month", type=int, metavar="N", help="a hard stop; 0 = no bound")
    saved.add_argument("--money-a-month", type=float, metavar="X", help="most that its runs may cost; 0 = no bound")
    saved.add_argument("--overlap", choices=[str(one) for one in Overlap],
                       help="a slot of the clock while another run of the model waits or runs (queue)")  # fmt: skip
    saved.add_argument("--not-between", metavar="HOURS", help="nothing starts then: 22:00-06:00; none = no bound")
    saved.add_argument("--not-on", metavar="DAYS", help="sat,sun,2026-05-01,holidays=2026-12-24..2027-01-02; none")
    saved.add_argument("--in-blackout", choices=[str(one) for one in InBlackout],
                       help="a slot of the clock then is skipped, or waits for the end (skip)")  # fmt: skip
    saved.add_argument(
        "--then",
        choices=[str(one) for one in Afterwards],
        help="propose: propose a new version when all gates let it through; you cannot approve it",
    )
    saved.add_argument("--since", metavar="DATE", help="how often a trigger would have run since then")
    saved.add_argument("--zone", help="whose clock a cron text means (UTC)")
    saved.add_argument("--misfire", choices=[str(one) for one in Misfire], help="when no worker was there in time")
    saved.add_argument("--dry-run", action="store_true", help="say the next runs and store nothing")
    json_flag(saved)
    if name == "edit":
        saved.add_argument("--rename", help="another name")
    saved.set_defaults(run=_save)


def _of_one(verbs: Any, name: str, what: str, run: Any) -> argparse.ArgumentParser:
    command: argparse.ArgumentParser = verbs.add_parser(name, help=what)
    command.add_argument("name")
    json_flag(command)
    command.set_defaults(run=run)
    return command


def _list(arguments: argparse.Namespace) -> int:
    made = services()
    found = [one for one in made.retraining.schedules(actor(made)) if arguments.model in {"", one.model}]
    lines = [
        f"{one.name:<20} {one.recipe or one.task:<20} {one.when:<40} {_state(one, partial(fmt.instant, zone=one.zone))}"
        for one in found
    ]
    show([_facts(one) for one in found], as_json=arguments.json, line="\n".join(lines) or "There is no schedule yet.")
    return 0


def _save(arguments: argparse.Namespace) -> int:
    made = services()
    who = actor(made)
    known = _named(made, who, arguments.name) if arguments.verb == "edit" else None
    draft = _draft(arguments, known)
    now = made.context.clock.now()
    check_schedule(draft, now=now)
    fires, held = of_draft(draft, now), Guards.of(draft.arguments).words()
    words = describe(draft.kind, draft.expression, draft.zone) + (f", {held}" if held else "")
    words += "; proposed when it passes all gates" if draft.arguments.get("then") == Afterwards.PROPOSE else ""
    facts: dict[str, Any] = {"name": draft.name, "when": words, "next": [at.isoformat() for at in fires]}
    lines = [f"  {fmt.instant(at, draft.zone)}" for at in fires]
    if arguments.since:
        past, line = _past(made, who, draft, arguments.since)
        facts["would_have_run"] = past
        lines = [*lines, line]
    if arguments.dry_run:
        show(facts, as_json=arguments.json, line="\n".join([f"{draft.name} would run {facts['when']}.", *lines]))
        return 0
    schedule_id = made.retraining.save_schedule(who, draft)
    show({"id": schedule_id, **facts}, as_json=arguments.json,
         line="\n".join([f"{draft.name} is saved: {facts['when']}.", *lines]))  # fmt: skip
    return 0


def _past(made: Services, who: Actor, draft: ScheduleDraft, since: str) -> tuple[list[str] | None, str]:
    """When a trigger would have started runs, and in words."""
    try:
        first = datetime.fromisoformat(since)
    except ValueError as error:
        raise InvalidInput(f"The date {since!r} cannot be read.", hint="Write 2026-01-31.") from error
    found = made.retraining.past_runs(who, draft, first if first.tzinfo else first.replace(tzinfo=UTC))
    if found is None:
        return None, "  Nobody can know how often it would have run before."
    times, last = [at.isoformat() for at in found], "; ".join(fmt.instant(at, draft.zone) for at in found[-5:])
    said = f"  It would have run {len(found)} {'time' if len(found) == 1 else 'times'} since {since}"
    return times, said + (f": {last}." if last else ".")


def _draft(arguments: argparse.Namespace, known: Schedule | None) -> ScheduleDraft:
    """What was typed, over what the schedule says already."""
    given: Mapping[ScheduleKind, str | None] = {
        ScheduleKind.CRON: arguments.cron,
        ScheduleKind.INTERVAL: None if arguments.every is None else str(_seconds(arguments.every)),
        ScheduleKind.ONCE: arguments.once,
        ScheduleKind.ALERT: arguments.alert,
        ScheduleKind.LABELS: arguments.labels,
        ScheduleKind.FILE: arguments.file,
        ScheduleKind.RECIPE: arguments.after,
        ScheduleKind.CALL: arguments.call,
    }
    typed = next(((kind, text) for kind, text in given.items() if text is not None), None)
    if known is None:
        assert typed is not None  # argparse asks for one of them
        return ScheduleDraft(
            arguments.name, *typed, zone=arguments.zone or "UTC", recipe=arguments.recipe,
            misfire=Misfire(arguments.misfire or Misfire.RUN_ONCE),
            arguments=_guards(arguments, Guards()).beside({"then": arguments.then} if arguments.then else {}),
        )  # fmt: skip
    guards = _guards(arguments, known.guards)
    named = typed or arguments.zone or arguments.recipe or arguments.misfire or arguments.rename or arguments.then
    if not named and guards == known.guards:
        raise InvalidInput("Nothing says what to change.", hint="Give --cron, --every, --recipe, --zone or --rename.")
    kind, expression = typed or (known.kind, known.expression)
    followed = {**known.arguments, **({"then": arguments.then} if arguments.then else {})}
    return ScheduleDraft(
        id=known.id, name=arguments.rename or known.name, kind=kind, expression=expression,
        zone=arguments.zone or known.zone, recipe=arguments.recipe or known.recipe, task=known.task,
        arguments=guards.beside(followed), misfire=Misfire(arguments.misfire or known.misfire),
    )  # fmt: skip


def _guards(arguments: argparse.Namespace, known: Guards) -> Guards:
    cooldown, runs = arguments.cooldown, arguments.runs_a_month
    return Guards(
        known.cooldown_seconds if cooldown is None else 0 if cooldown == "0" else _seconds(cooldown),
        known.runs_a_month if runs is None else runs,
        overlap=arguments.overlap or known.overlap,
        not_between=_or_none(arguments.not_between, known.not_between),
        not_on=_or_none(arguments.not_on, known.not_on),
        in_blackout=arguments.in_blackout or known.in_blackout,
        money_a_month=known.money_a_month if arguments.money_a_month is None else arguments.money_a_month,
    )


def _or_none(typed: str | None, known: str) -> str:
    return known if typed is None else "" if typed.strip().lower() == "none" else typed.strip()


def _pause(arguments: argparse.Namespace) -> int:
    made = services()
    who = actor(made)
    known = _named(made, who, arguments.name)
    until = instant(arguments.until) if arguments.until else None
    made.retraining.pause(who, known.id, arguments.reason, until=until)
    said = f" until {fmt.instant(until, known.zone)}" if until else ""
    return _said(made, who, known.id, arguments, f"{known.name} is paused{said}.")


def _resume(arguments: argparse.Namespace) -> int:
    made = services()
    who = actor(made)
    known = _named(made, who, arguments.name)
    made.retraining.resume(who, known.id, arguments.reason)
    return _said(made, who, known.id, arguments, f"{known.name} is on; the worker plans its next runs.")


def _run(arguments: argparse.Namespace) -> int:
    made = services()
    who = actor(made)
    known = _named(made, who, arguments.name)
    job = made.retraining.run_now(who, None, arguments.reason, schedule_id=known.id)
    show({"job": job, "schedule": known.name}, as_json=arguments.json, line=f"Job {job} is queued.")
    return 0


def _call(arguments: argparse.Namespace) -> int:
    made = services()
    did = made.retraining.call(
        actor(made), arguments.name, key=arguments.key, reason=arguments.reason, dry_run=arguments.dry_run
    )
    line = f"Job {did.job} is {did.state}." if did.job else did.why_not or "It would start a run now."
    show(vars(did), as_json=arguments.json, line=line)
    return 0


def _said(made: Services, who: Actor, schedule_id: str, arguments: argparse.Namespace, line: str) -> int:
    (now,) = [one for one in made.retraining.schedules(who) if one.id == schedule_id]
    show(_facts(now), as_json=arguments.json, line=line)
    return 0


def _named(made: Services, who: Actor, name: str) -> Schedule:
    found = [one for one in made.retraining.schedules(who) if name in {one.name, one.id}]
    if not found:
        raise NotFound(f"There is no schedule {name!r}.", hint="List them with: mlops-dash schedule list.")
    return found[0]


def _seconds(text: str) -> int:
    read = re.fullmatch(r"(\d{1,9}) ?(s|min|m|h|d)", text.strip())
    if read is None:
        raise InvalidInput(f"The interval {text!r} cannot be read.", hint="Write 90m, 6h or 2d.")
    return int(read[1]) * _SECONDS[read[2]]


def _state(one: Schedule, said: Callable[[datetime], str] = datetime.isoformat) -> str:
    if not one.enabled:
        until = f" until {said(one.paused_until)}" if one.paused_until else ""
        return f"paused{until}: {one.pause_reason}"
    if one.kind in TRIGGERS:
        return "waits for an alert" if one.kind is ScheduleKind.ALERT else "waits"
    if one.upcoming is None:
        return "not planned yet: a worker does"
    return f"next {said(one.ahead[0])}" if one.ahead else "nothing ahead"


def _facts(one: Schedule) -> dict[str, Any]:
    return {
        "id": one.id, "name": one.name, "model": one.model, "recipe": one.recipe, "task": str(one.task),
        "kind": str(one.kind), "expression": one.expression, "zone": one.zone, "when": one.when,
        "misfire": str(one.misfire), **vars(one.guards), "then": str(one.afterwards),
        "enabled": one.enabled, "pause_reason": one.pause_reason,
        "paused_until": one.paused_until, "state": _state(one),
        "next": [at.isoformat() for at in one.ahead],
    }  # fmt: skip
