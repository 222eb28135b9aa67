"""Commands about models: watch, gate, decide, retrain. The same services as the pages."""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlops_dash.bootstrap import Services
from mlops_dash.cli.conditions import add_approving, approved
from mlops_dash.cli.shared import actor, json_flag, services, show, write_text
from mlops_dash.domain.access import Actor, system
from mlops_dash.domain.parameters import parameters_of
from mlops_dash.domain.registry.check_gate import CHECKS
from mlops_dash.domain.registry.gates import Through
from mlops_dash.domain.registry.rollouts import stages_of, stages_said
from mlops_dash.domain.reports.words import measure_limit, measure_value
from mlops_dash.domain.retraining import Afterwards
from mlops_dash.domain.words import JobState
from mlops_dash.rendering.junit import junit_of

GATE_EXIT = {"pass": 0, "fail": 1, "needs_approval": 2, "error": 3}
_FINAL = {JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED, JobState.TIMED_OUT, JobState.SKIPPED}


def add_commands(commands: Any) -> None:
    """Register monitor, quarantine, gate, propose, approve, reject, promote, rollback, retrain, jobs."""
    monitor = commands.add_parser("monitor", help="evaluate a model now: drift, performance, alerts")
    monitor.add_argument("--model", required=True)
    json_flag(monitor)
    monitor.set_defaults(run=_monitor)

    quarantine = commands.add_parser("quarantine", help="list rows that cannot be digested: how many, why, a sample")
    quarantine.add_argument("--model", required=True)
    json_flag(quarantine)
    quarantine.set_defaults(run=_quarantine)

    gate = commands.add_parser("gate", help="judge a version: exit 0 pass, 1 fail, 2 needs approval, 3 error")
    gate.add_argument("--model", required=True)
    gate.add_argument("--version", required=True)
    gate.add_argument("--junit", metavar="FILE", type=Path, help="the gates as JUnit XML too, for a build server")
    json_flag(gate)
    gate.set_defaults(run=_gate)

    _add_propose(commands)
    for name, run in (("approve", _judge), ("reject", _judge), ("promote", _promote)):
        decide = commands.add_parser(name, help=f"{name} the open proposal of a model")
        decide.add_argument("--model", required=True)
        decide.add_argument("--reason", required=True)
        if name == "approve":
            add_approving(decide)
        decide.set_defaults(run=run)

    rollback = commands.add_parser("rollback", help="go back to the champion before this one")
    rollback.add_argument("--model", required=True)
    rollback.add_argument("--reason", required=True)
    rollback.set_defaults(run=_rollback)

    retrain = commands.add_parser("retrain", help="queue a retraining")
    retrain.add_argument("recipe")
    retrain.add_argument("--reason", default="asked on the command line")
    retrain.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", dest="values",
        help="one parameter of the recipe, in this run only",
    )  # fmt: skip
    retrain.add_argument(
        "--then", choices=[str(one) for one in Afterwards], default="",
        help="propose: propose the new version when all gates let it through; you cannot approve it then",
    )  # fmt: skip
    retrain.add_argument("--wait", action="store_true", help="wait until it is over")
    retrain.set_defaults(run=_retrain)

    jobs = commands.add_parser("jobs", help="list, cancel or read the log of jobs")
    jobs.add_argument("what", choices=["list", "cancel", "log"], nargs="?", default="list")
    jobs.add_argument("job", nargs="?")
    jobs.add_argument("--reason", default="asked on the command line")
    jobs.set_defaults(run=_jobs)


def _add_propose(commands: Any) -> None:
    propose = commands.add_parser("propose", help="propose a version for promotion")
    propose.add_argument("--model", required=True)
    propose.add_argument("--version", required=True)
    propose.add_argument("--reason", required=True)
    propose.add_argument(
        "--stage", action="append", default=[], metavar="SHARE:LENGTH", dest="stages",
        help="roll it out in stages: 10%%:60m, 10%%:5000rows or 10%%:2h+5000rows, one after the other, then all",
    )  # fmt: skip
    propose.set_defaults(run=_propose)


def _monitor(arguments: argparse.Namespace) -> int:
    made = services()
    made.monitoring.profile_dirty_hours(system("cli"), model=arguments.model)
    made.monitoring.evaluate(system("cli"), arguments.model)
    summary = made.monitoring.summary(actor(made), arguments.model)
    show(summary, as_json=arguments.json, line=f"{summary['verdict']}: {summary['sentence']}")
    return 0


def _quarantine(arguments: argparse.Namespace) -> int:
    made = services()
    found = made.monitoring.quarantine(actor(made), arguments.model)
    lines = [f"{found.rows} rows of {found.model} are set aside." if found.rows else "Nothing is set aside."]
    for one in found.groups:
        version = f"v{one.version} " if one.version else ""
        lines.append(f"  {one.rows:>6}  {version}{one.column}: {one.reason}")
        lines += [f"          {name}  {value}".rstrip() for name, value in one.samples]
    show({"model": found.model, "rows": found.rows, "groups": [vars(one) for one in found.groups]},
         as_json=arguments.json, line="\n".join(lines))  # fmt: skip
    return 0


def _gate(arguments: argparse.Namespace) -> int:
    made = services()
    answer = made.registry.gate(actor(made), arguments.model, arguments.version)
    if arguments.junit:
        write_text(arguments.junit, junit_of(answer))
    counted = Through(**answer["through"]).said()
    against = f"against {answer['champion']}" if answer["champion"] else "against no live version"
    lines = [f"{answer['outcome']}: {arguments.model} version {arguments.version} {against}, gates {counted}"]
    for gate in answer["gates"]:
        lines.append(f"  {gate['state']:<15} {gate['name']}: {gate['reason']}")
        lines += [f"    {one['state']:<15} {one['label']}: {_check_said(one)}"
                  for one in gate["measures"] if gate["name"] == CHECKS]  # fmt: skip
    show(answer, as_json=arguments.json, line="\n".join(lines))
    return GATE_EXIT[answer["outcome"]]


def _check_said(one: Mapping[str, Any]) -> str:
    """What a recipe's check said, beside its limit."""
    value, limit = measure_value(one), measure_limit(one)
    said = [] if one["value"] is None else [value]
    said += [] if one["limit"] is None else [f"limit {limit}"]
    said += [f"n {one['n']:,}"] if one["n"] else []
    said += [one["measured_at"]] if one["measured_at"] else []
    return "; ".join([", ".join(said), one["reason"]] if one["reason"] and said else [", ".join(said) or one["reason"]])


def _propose(arguments: argparse.Namespace) -> int:
    made = services()
    who = actor(made)
    version_id = made.registry.version_id(who, arguments.model, arguments.version)
    proposal = made.registry.propose(who, version_id, comment=arguments.reason, stages=stages_of(arguments.stages))
    print(f"Proposal {proposal.id}: {proposal.state}.")
    return 0


def _judge(arguments: argparse.Namespace) -> int:
    """Approve or reject, as the command's own name says."""
    made = services()
    who = actor(made)
    proposal = made.registry.open_proposal(who, arguments.model)
    if arguments.command == "approve":
        after = approved(made, who, proposal, arguments)
    else:
        after = made.registry.reject(who, proposal.id, proposal.revision, comment=arguments.reason)
    print(f"Proposal {after.id}: {after.state}.")
    return 0


def _promote(arguments: argparse.Namespace) -> int:
    made = services()
    who = actor(made)
    proposal = made.registry.open_proposal(who, arguments.model)
    if proposal.stages:
        rollout = made.registry.begin_rollout(who, proposal.id, proposal.revision, arguments.reason)
        print(f"Roll-out {rollout.id} began: {stages_said(rollout.stages)}.")
        return 0
    operation = made.registry.begin_promotion(who, proposal.id, proposal.revision, reason=arguments.reason)
    made.registry.finish_promotion(who, operation)
    print(f"Promoted: operation {operation}.")
    return 0


def _rollback(arguments: argparse.Namespace) -> int:
    made = services()
    who = actor(made)
    operation = made.registry.begin_rollback(who, arguments.model, reason=arguments.reason)
    made.registry.finish_promotion(who, operation)
    print(f"Rolled back: operation {operation}.")
    return 0


def _retrain(arguments: argparse.Namespace) -> int:
    made = services()
    who = actor(made)
    given = parameters_of("\n".join(arguments.values))
    job = made.retraining.run_now(who, arguments.recipe, reason=arguments.reason, parameters=given, then=arguments.then)
    print(f"Job {job} is queued.")
    return _wait(made, who, job) if arguments.wait else 0


def _wait(made: Services, who: Actor, job: str) -> int:
    said = ""
    while True:
        state = made.jobs.job(who, job)
        line = f"{state.state}: {state.progress_text}"
        if line != said:
            print(line, flush=True)
            said = line
        if state.state in _FINAL:
            return 0 if state.state is JobState.SUCCEEDED else 1
        time.sleep(1)


def _jobs(arguments: argparse.Namespace) -> int:
    made = services()
    who = actor(made)
    if arguments.what == "list":
        for job in made.jobs.recent(who):
            print(f"{job.id}  {job.state:<10} {job.task:<9} {job.recipe or '':<16} {job.progress_text}")
    elif arguments.what == "cancel":
        made.jobs.cancel(who, arguments.job, reason=arguments.reason)
        print(f"Job {arguments.job} is asked to stop.")
    else:
        print(made.jobs.log(who, arguments.job).text, end="")
    return 0
