"""`report schedule`, `send`, `deliveries`, `resend`: reports that go to people, again and again or once."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from mlops_dash.cli.shared import actor, json_flag, services, show
from mlops_dash.domain import format as fmt
from mlops_dash.domain.access import Actor
from mlops_dash.domain.due import of_draft
from mlops_dash.domain.jobs import Task
from mlops_dash.domain.notices import NoticeState
from mlops_dash.domain.reports.deliveries import Delivery
from mlops_dash.domain.reports.files import ReportFormat
from mlops_dash.domain.reports.plans import Plan, addressed, formats_of
from mlops_dash.domain.reports.snapshot import ReportKind
from mlops_dash.domain.retraining import Schedule, ScheduleDraft
from mlops_dash.domain.starting import ScheduleKind
from mlops_dash.errors import InvalidInput, NotFound

if TYPE_CHECKING:
    from mlops_dash.bootstrap import Services

_KINDS = {"weekly": ReportKind.WEEKLY, "dossier": ReportKind.PROMOTION, "ab": ReportKind.AB_RESULT,
          "fleet": ReportKind.FLEET, "card": ReportKind.CARD}  # fmt: skip
_OF_NO_MODEL = {"ab", "fleet"}
_SECONDS = {"m": 60, "h": 3_600, "d": 86_400}
_TO = 'name@host, channel:NAME or folder:NAME, maybe "... as executive" or "... as audit"; may repeat'


def add_commands(kinds: Any) -> None:
    """Register them below `report`."""
    _schedule_commands(kinds)
    send = kinds.add_parser("send", help="send one kept report now; exit code 3 when one recipient did not get it")
    send.add_argument("report", help="its id, or the first 8 digits or more of its facts' sha256")
    send.add_argument("--to", action="append", required=True, help=_TO)
    send.add_argument("--format", action="append", choices=list(map(str, ReportFormat)), help="may repeat; HTML")
    send.add_argument("--reason", required=True)
    json_flag(send)
    send.set_defaults(run=_send)

    log = kinds.add_parser("deliveries", help="what was sent, waits, is held or failed, newest first")
    log.add_argument("--limit", type=int, default=50, metavar="N")
    json_flag(log)
    log.set_defaults(run=_log)

    again = kinds.add_parser("resend", help="send again what failed, was held or may have been lost")
    again.add_argument("delivery", help="its id, from `report deliveries`")
    again.add_argument("--reason", required=True)
    json_flag(again)
    again.set_defaults(run=_resend)


def _schedule_commands(kinds: Any) -> None:
    schedule = kinds.add_parser("schedule", help="reports that are made and sent again and again")
    verbs = schedule.add_subparsers(dest="verb", required=True, metavar="VERB")
    listed = verbs.add_parser("list", help="what is sent to whom, when next, and what became of the last")
    json_flag(listed)
    listed.set_defaults(run=_list)
    for verb, what in (("add", "send a report from now on"), ("edit", "change it; what is not named stays")):
        command = verbs.add_parser(verb, help=what)
        command.add_argument("name")
        command.add_argument("--kind", choices=list(_KINDS), required=verb == "add")
        command.add_argument("--model", help="of a weekly review, a dossier or a card")
        command.add_argument("--subject", help="of a dossier its version, of an A/B result its test")
        when = command.add_mutually_exclusive_group(required=verb == "add")
        when.add_argument("--cron", help='"0 7 * * 1" is Mondays at 07:00')
        when.add_argument("--every", help="90m, 6h, 7d")
        command.add_argument("--zone", help="whose clocks; UTC unless said")
        command.add_argument("--to", action="append", help=_TO, required=verb == "add")
        command.add_argument("--format", action="append", choices=list(map(str, ReportFormat)), help="may repeat")
        changed = command.add_mutually_exclusive_group()
        changed.add_argument("--only-changed", dest="only_changed", action="store_const", const=True,
                             help="leave it out while nothing that somebody would act on has changed")  # fmt: skip
        changed.add_argument("--always", dest="only_changed", action="store_const", const=False)
        json_flag(command)
        command.set_defaults(run=_save, only_changed=None)
    for verb, run, what in (
        ("pause", _pause, "send nothing for now"), ("resume", _resume, "send again"),
        ("run", _run, "make and send it now"), ("remove", _remove, "take it away; what was sent stays in the log"),
    ):  # fmt: skip
        command = verbs.add_parser(verb, help=what)
        command.add_argument("name")
        command.add_argument("--reason", required=True)
        json_flag(command)
        command.set_defaults(run=run)


def _list(arguments: argparse.Namespace) -> int:
    made = services()
    who = actor(made)
    last = made.reports.latest_of_plans(who)
    found = [(one, Plan.of(one.arguments)) for one in _schedules(made, who)]
    lines = "\n".join(_line(one, plan, last.get(plan.id)) for one, plan in found)
    answer = [_as_json(one, plan, last.get(plan.id)) for one, plan in found]
    show(answer, as_json=arguments.json, line=lines or "No report is sent by a schedule yet.")
    return 0


def _save(arguments: argparse.Namespace) -> int:
    made = services()
    who = actor(made)
    known = _named(made, who, arguments.name) if arguments.verb == "edit" else None
    old = Plan.of(known.arguments) if known else Plan(ReportKind.FLEET)
    people = addressed("\n".join(arguments.to)) if arguments.to else {one: old.level_for(one) for one in old.to}
    plan = replace(
        old,
        kind=_KINDS[arguments.kind] if arguments.kind else old.kind,
        model=arguments.model or ("" if arguments.kind in _OF_NO_MODEL else old.model),
        subject=arguments.subject or ("" if arguments.kind else old.subject),
        to=tuple(people),
        levels=people,
        formats=formats_of(arguments.format) if arguments.format else old.formats,
        only_changed=old.only_changed if arguments.only_changed is None else arguments.only_changed,
    )
    plan = made.reports.check_plan(who, plan)
    kind, expression = (known.kind, known.expression) if known else (ScheduleKind.CRON, "")
    if arguments.cron or arguments.every:
        kind = ScheduleKind.CRON if arguments.cron else ScheduleKind.INTERVAL
        expression = arguments.cron or _seconds(arguments.every)
    draft = ScheduleDraft(
        name=arguments.name, kind=kind, expression=expression, zone=arguments.zone or (known.zone if known else "UTC"),
        task=Task.REPORT, arguments=plan.arguments(), id=known.id if known else None,
    )  # fmt: skip
    schedule_id = made.retraining.save_schedule(who, draft)
    fires = of_draft(draft, made.context.clock.now())
    saved = next(one for one in _schedules(made, who) if one.id == schedule_id)
    lines = [
        f"{saved.name}: {plan.words()} to {', '.join(plan.said_to)}, {saved.when}.",
        *(f"  {fmt.instant(at, saved.zone)}" for at in fires),
    ]
    answer = {**_as_json(saved, plan, None), "next": [at.isoformat() for at in fires]}
    show(answer, as_json=arguments.json, line="\n".join(lines))
    return 0


def _pause(arguments: argparse.Namespace) -> int:
    made = services()
    who = actor(made)
    made.retraining.pause(who, _named(made, who, arguments.name).id, arguments.reason)
    return _said(made, who, arguments, f"{arguments.name} sends nothing for now.")


def _resume(arguments: argparse.Namespace) -> int:
    made = services()
    who = actor(made)
    made.retraining.resume(who, _named(made, who, arguments.name).id, arguments.reason)
    return _said(made, who, arguments, f"{arguments.name} sends again; the worker plans when.")


def _run(arguments: argparse.Namespace) -> int:
    made = services()
    who = actor(made)
    known = _named(made, who, arguments.name)
    job = made.retraining.run_now(who, None, arguments.reason, schedule_id=known.id)
    show({"job": job, "schedule": known.name}, as_json=arguments.json, line=f"Job {job} is queued.")
    return 0


def _remove(arguments: argparse.Namespace) -> int:
    made = services()
    who = actor(made)
    known = _named(made, who, arguments.name)
    made.retraining.remove_schedule(who, known.id, arguments.reason)
    show({"removed": known.name, "id": known.id}, as_json=arguments.json, line=f"{known.name} is gone.")
    return 0


def _send(arguments: argparse.Namespace) -> int:
    made = services()
    who = actor(made)
    report_id = made.reports.named(who, arguments.report).line.id
    waiting = made.reports.send_report(
        who, report_id, to=arguments.to, formats=arguments.format or (), reason=arguments.reason
    )
    return _ended(made.reports.deliver_now(who, [one.id for one in waiting]), arguments)


def _resend(arguments: argparse.Namespace) -> int:
    made = services()
    who = actor(made)
    again = made.reports.send_report_again(who, arguments.delivery, reason=arguments.reason)
    return _ended(made.reports.deliver_now(who, [again.id]), arguments)


def _ended(ended: tuple[Delivery, ...], arguments: argparse.Namespace) -> int:
    lines = "\n".join(f"{str(one.state).capitalize()}: {one.recipient}  {one.note}" for one in ended)
    show([_delivery(one) for one in ended], as_json=arguments.json, line=lines)
    return 0 if all(one.state is NoticeState.SENT for one in ended) else 3


def _log(arguments: argparse.Namespace) -> int:
    made = services()
    found = made.reports.deliveries(actor(made), limit=max(1, min(arguments.limit, 10_000)))
    lines = "\n".join(
        f"{one.created_at:%Y-%m-%d %H:%M}  {one.state!s:<9}  {one.recipient or 'nobody'}  {one.about}"
        f"{f'  ({one.note})' if one.note else ''}  {one.id}"
        for one in found
    )
    show([_delivery(one) for one in found], as_json=arguments.json, line=lines or "No report was sent yet.")
    return 0


def _schedules(made: Services, who: Actor) -> list[Schedule]:
    return [one for one in made.retraining.schedules(who) if one.task is Task.REPORT]


def _named(made: Services, who: Actor, name: str) -> Schedule:
    found = [one for one in _schedules(made, who) if name in {one.name, one.id}]
    if not found:
        raise NotFound(f"No schedule {name!r} sends a report.", hint="List them with: mlops-dash report schedule list.")
    return found[0]


def _said(made: Services, who: Actor, arguments: argparse.Namespace, line: str) -> int:
    now = _named(made, who, arguments.name)
    show(_as_json(now, Plan.of(now.arguments), None), as_json=arguments.json, line=line)
    return 0


def _seconds(text: str) -> str:
    read = re.fullmatch(r"(\d{1,6}) ?(m|h|d)", text.strip())
    if read is None:
        raise InvalidInput(f"The interval {text!r} cannot be read.", hint="Write 90m, 6h or 7d.")
    return str(int(read[1]) * _SECONDS[read[2]])


def _state(one: Schedule, said: Callable[[datetime], str] = datetime.isoformat) -> str:
    if not one.enabled:
        return f"paused: {one.pause_reason}"
    if one.upcoming is None:
        return "not planned yet: a worker does"
    return f"next {said(one.ahead[0])}" if one.ahead else "nothing ahead"


def _line(one: Schedule, plan: Plan, last: Delivery | None) -> str:
    state = _state(one, partial(fmt.instant, zone=one.zone))
    became = "never sent" if last is None else f"last {last.state} {last.created_at:%Y-%m-%d %H:%M}"
    return f"{one.name}  {plan.words()}  {one.when}  to {', '.join(plan.said_to)}  {state}  {became}"


def _as_json(one: Schedule, plan: Plan, last: Delivery | None) -> dict[str, Any]:
    said = dict(plan.arguments()["report"])
    del said["id"]
    return {
        "id": one.id, "name": one.name, "model": plan.model, **said, "expression": one.expression, "zone": one.zone,
        "when": one.when, "enabled": one.enabled, "state": _state(one), "next": [at.isoformat() for at in one.ahead],
        "last": None if last is None else _delivery(last),
    }  # fmt: skip


def _delivery(one: Delivery) -> dict[str, Any]:
    return {**vars(one), "state": str(one.state), "formats": list(one.formats), "level": str(one.level)}
