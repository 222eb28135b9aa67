"""`ab-test`: the live A/B tests: list, show, design, replay, start, stop; the same services as the page."""

from __future__ import annotations

import argparse
from typing import Any

from mlops_dash.bootstrap import Services
from mlops_dash.cli.shared import actor, json_flag, services, show
from mlops_dash.domain import format as fmt
from mlops_dash.domain.ab_tests.archive import DECISIONS, archived
from mlops_dash.domain.ab_tests.assigning import DAY, ENTITY, ROW
from mlops_dash.domain.ab_tests.outcomes import metric_of, written
from mlops_dash.domain.ab_tests.readings import Measured, Reading
from mlops_dash.domain.ab_tests.room import ABRoom, facts_of, told_of
from mlops_dash.domain.ab_tests.rules import ALWAYS_VALID, READINGS, ABTest, NewTest
from mlops_dash.domain.words import ABVerdict
from mlops_dash.errors import InvalidInput, NotFound

_OUTCOME = (
    "a loss of the answers, or of events mean:NAME, count:NAME, share:NAME, ratio:A/B, with lower: before it where "
    "less is better"
)


def add_commands(commands: Any) -> None:
    """Register ab-test and its verbs."""
    tests = commands.add_parser("ab-test", help="live A/B tests: list, show, design, start, stop")
    verbs = tests.add_subparsers(dest="verb", required=True, metavar="VERB")

    listed = verbs.add_parser("list", help="all tests, the newest first")
    listed.add_argument("--model", default="")
    json_flag(listed)
    listed.set_defaults(run=_list)

    shown = verbs.add_parser("show", help="what a test says now; outcomes stay hidden while it is blind")
    shown.add_argument(
        "test", nargs="?", default="", help="its id or the start of it; default: the running, else newest"
    )
    json_flag(shown)
    shown.set_defaults(run=_show)

    replayed = verbs.add_parser("replay", help="its looks on the past, where no arm differs: false alarms, power, days")
    replayed.add_argument("test")
    replayed.add_argument("--runs", type=int, default=400, metavar="N", help="how often arms are drawn")
    json_flag(replayed)
    replayed.set_defaults(run=_replay)

    decide = verbs.add_parser(
        "decide", help="decide on a test that is over; against what it says a lead must second it"
    )
    decide.add_argument("test")
    decide.add_argument("--decision", choices=list(DECISIONS), required=True)
    decide.add_argument("--reason", required=True)
    decide.add_argument("--learned", default="", help="what others should know; the archive finds it")
    json_flag(decide)
    decide.set_defaults(run=_decide)

    past = verbs.add_parser("archive", help="tests that are over, with what was decided and learned")
    past.add_argument("text", nargs="*", help="words of model, metric, event, question, verdict or what was learned")
    past.add_argument("--verdict", default="", choices=["", *map(str, ABVerdict)])
    json_flag(past)
    past.set_defaults(run=_archive)

    _add_design(verbs)
    steps = (
        ("start", _start, "let the challenger answer its share"),
        ("pause", _pause, "let the champion answer every row for now; no row of a pause is read"),
        ("resume", _resume, "let the challenger answer its share again"),
        ("stop", _stop, "end it and keep what it says"),
        ("second", _second, "stand behind a decision against the test that somebody else took"),
    )
    for verb, run, about in steps:
        one = verbs.add_parser(verb, help=about)
        one.add_argument("test")
        one.add_argument("--reason", required=True)
        json_flag(one)
        one.set_defaults(run=run)


def _add_design(verbs: Any) -> None:
    design = verbs.add_parser("design", help="fix a test of a version against the champion; a lead starts it")
    design.add_argument("model")
    design.add_argument("--challenger", required=True, metavar="VERSION")
    design.add_argument("--question", required=True, help="what it shall answer; goes into the ledger")
    design.add_argument("--outcome", default="", help=f"{_OUTCOME}; default: the usual loss of the model's task")
    design.add_argument(
        "--guardrail", action="append", default=[], metavar="OUTCOME=MARGIN", help="must not get worse by more"
    )
    design.add_argument(
        "--also", action="append", default=[], metavar="OUTCOME", help="read too, corrected for their number"
    )
    design.add_argument(
        "--unit", default="", metavar="COLUMN", help="all rows of one value go to one arm: user, account, session"
    )
    design.add_argument("--by-day", action="store_true", help="all rows of a day go to one arm")
    design.add_argument("--share", type=float, default=0.5, help="of the units, answered by the challenger")
    design.add_argument(
        "--layer", default="", metavar="NAME", help="tests of one layer, of whatever models, never share a unit"
    )
    design.add_argument("--layer-share", type=float, default=1.0, metavar="S", help="its part of the layer's units")
    design.add_argument("--hold-out", type=float, default=0.0, metavar="S", help="of the layer, that no test gets")
    design.add_argument("--days", type=int, default=21)
    design.add_argument(
        "--planned-units", type=int, required=True, metavar="N", help="units with an outcome, of both arms"
    )
    design.add_argument("--min-units", type=int, default=1_000, metavar="N", help="blind until each arm has so many")
    design.add_argument("--min-days", type=int, default=0, metavar="N", help="and until so many days are ripe")
    design.add_argument(
        "--exposure", type=float, default=7.0, metavar="DAYS", help="so long a unit's outcome is counted"
    )
    design.add_argument("--cuped", action="store_true", help="adjust events by the same of the unit before")
    design.add_argument(
        "--segment", action="append", default=[], metavar="COLUMN", help="read each of its values apart, corrected"
    )
    design.add_argument(
        "--ramp", default="", metavar="S,S", help="shares before the planned one, such as 0.01,0.05,0.25"
    )
    design.add_argument(
        "--ramp-days", type=float, default=1.0, metavar="D", help="days of each; no row of them is read"
    )
    design.add_argument("--auto-stop", action="store_true", help="the worker stops it when it does harm")
    design.add_argument("--alpha", type=float, default=0.05)
    design.add_argument("--reading", choices=list(READINGS), default=ALWAYS_VALID)
    json_flag(design)
    design.set_defaults(run=_design)


def _list(arguments: argparse.Namespace) -> int:
    made = services()
    room = made.ab_tests.room(actor(made))
    found = [one for one in room.tests if arguments.model in {"", one.model}]
    lines = [f"{one.id[:8]}  {one.model}: {one.name}  {one.state}  {one.question}" for one in found]
    show([facts_of(one) for one in found], as_json=arguments.json, line="\n".join(lines) or "No test was designed yet.")
    return 0


def _show(arguments: argparse.Namespace) -> int:
    made = services()
    room = _room(made, arguments.test)
    if room.test is None:
        raise NotFound("No test was designed yet.", hint="mlops-dash ab-test design --help")
    return _tell(room, room.test, as_json=arguments.json)


def _design(arguments: argparse.Namespace) -> int:
    made = services()
    who = actor(made)
    entity = arguments.unit.strip()
    if entity and arguments.by_day:
        raise InvalidInput("A test has one unit.", hint="Say --unit or --by-day.")
    outcome = written(arguments.outcome) if arguments.outcome else made.ab_tests.plan(who, arguments.model).outcomes[0]
    test = made.ab_tests.design(
        who,
        NewTest(
            model=arguments.model,
            challenger_id=made.registry.version_id(who, arguments.model, arguments.challenger),
            question=arguments.question,
            planned_units=arguments.planned_units,
            outcome=outcome,
            guardrails=dict(_margin(one) for one in arguments.guardrail) if arguments.guardrail else None,
            others=tuple(written(one) for one in arguments.also),
            unit=ENTITY if entity else DAY if arguments.by_day else ROW,
            entity=entity,
            exposure_hours=24.0 * arguments.exposure,
            cuped=arguments.cuped,
            segments=tuple(arguments.segment),
            ramp=_shares(arguments.ramp),
            ramp_days=arguments.ramp_days,
            auto_stop=arguments.auto_stop,
            share=arguments.share,
            layer=arguments.layer,
            layer_share=arguments.layer_share,
            hold_out=arguments.hold_out,
            days=arguments.days,
            min_units=arguments.min_units,
            min_days=arguments.min_days,
            alpha=arguments.alpha,
            reading=arguments.reading,
        ),
    )
    line = (
        f"{test.model}: {test.name} is designed. A lead starts it: mlops-dash ab-test start {test.id[:8]} --reason TEXT"
    )
    show(facts_of(test), as_json=arguments.json, line=line)
    return 0


def _replay(arguments: argparse.Namespace) -> int:
    made = services()
    test = _known(made, arguments.test)
    found = made.ab_tests.rehearse(actor(made), test.id, runs=arguments.runs)
    power = (
        f"{metric_of(test.design.outcome).label} was {fmt.metric(found.value)} of {fmt.plural(found.units, 'unit')}; "
        f"found with 80 % power at the planned size: {fmt.metric(found.one_look)} by one look, "
        f"{fmt.metric(found.every_day)} looking every day."
    )
    pace = (
        f"The planned {test.design.planned_units:,} units take {fmt.plural(found.days_needed, 'day')}, "
        f"the test lasts {test.design.days}."
    )
    line = found.reason or "\n".join([found.alarm_words(test.design.alpha), power, pace])
    show(found.as_json(), as_json=arguments.json, line=line)
    return 0


def _start(arguments: argparse.Namespace) -> int:
    made = services()
    test = _known(made, arguments.test)
    after = made.ab_tests.start(actor(made), test.id, test.revision, reason=arguments.reason)
    show(facts_of(after), as_json=arguments.json, line=f"{after.model}: {after.name} runs.")
    return 0


def _pause(arguments: argparse.Namespace) -> int:
    made = services()
    test = _known(made, arguments.test)
    after = made.ab_tests.pause(actor(made), test.id, test.revision, reason=arguments.reason)
    show(facts_of(after), as_json=arguments.json, line=f"{after.model}: {after.name} is paused.")
    return 0


def _resume(arguments: argparse.Namespace) -> int:
    made = services()
    test = _known(made, arguments.test)
    after = made.ab_tests.resume(actor(made), test.id, test.revision, reason=arguments.reason)
    show(facts_of(after), as_json=arguments.json, line=f"{after.model}: {after.name} runs again.")
    return 0


def _stop(arguments: argparse.Namespace) -> int:
    made = services()
    test = _known(made, arguments.test)
    made.ab_tests.stop(actor(made), test.id, test.revision, reason=arguments.reason)
    room = made.ab_tests.room(actor(made), test.id)
    return _tell(room, _known(made, test.id), as_json=arguments.json)


def _shares(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(one) for one in text.split(",")) if text else ()
    except ValueError:
        raise InvalidInput(f"The ramp {text!r} cannot be read.", hint="Write shares: 0.01,0.05,0.25.") from None


def _decide(arguments: argparse.Namespace) -> int:
    made = services()
    test = _known(made, arguments.test)
    after = made.ab_tests.decide(
        actor(made), test.id, test.revision, arguments.decision, reason=arguments.reason, learned=arguments.learned
    )
    stands = after.decision is not None and after.decision.settled
    line = "It is decided." if stands else (
        f"It is against the test: another lead must stand behind it: mlops-dash ab-test second {test.id[:8]}"
    )  # fmt: skip
    show(facts_of(after), as_json=arguments.json, line=line)
    return 0


def _second(arguments: argparse.Namespace) -> int:
    made = services()
    test = _known(made, arguments.test)
    after = made.ab_tests.second(actor(made), test.id, test.revision, reason=arguments.reason)
    show(facts_of(after), as_json=arguments.json, line="The decision stands.")
    return 0


def _archive(arguments: argparse.Namespace) -> int:
    made = services()
    tests = archived(made.ab_tests.room(actor(made)).tests)
    found = [one for one in tests if one.matches(" ".join(arguments.text), verdict=arguments.verdict)]
    lines = [
        f"{one.test.id[:8]}  {one.test.model}: {one.test.name}  {metric_of(one.test.design.outcome).label}  "
        f"{'never started' if one.verdict is None else one.verdict.word}"
        + ("" if one.test.decision is None else f"  {DECISIONS[one.test.decision.word]}")
        + (f"  {one.test.learned}" if one.test.learned else "")
        for one in found
    ]
    show([one.as_json() for one in found], as_json=arguments.json, line="\n".join(lines) or "No such test is over.")
    return 0


def _margin(text: str) -> tuple[str, float]:
    name, _, most = text.rpartition("=")
    try:
        margin = float(most)
    except ValueError:
        raise InvalidInput(f"The guardrail {text!r} cannot be read.", hint="Write OUTCOME=MARGIN.") from None
    return written(name), margin


def _known(made: Services, test_id: str) -> ABTest:
    room = _room(made, test_id)
    if room.test is None or not test_id:
        raise NotFound(f"No test {test_id[:8]!r}.", hint="mlops-dash ab-test list")
    return room.test


def _room(made: Services, test_id: str) -> ABRoom:
    """The room with the test of this id, or of the only one that begins so."""
    who = actor(made)
    room = made.ab_tests.room(who)
    matching = [one.id for one in room.tests if test_id and one.id.startswith(test_id)]
    if test_id and len(matching) != 1:
        said = "No test begins" if not matching else f"{len(matching)} tests begin"
        raise NotFound(f"{said} with {test_id[:40]!r}.", hint="mlops-dash ab-test list")
    return made.ab_tests.room(who, matching[0]) if matching else room


def _tell(room: ABRoom, test: ABTest, *, as_json: bool) -> int:
    verdict, read = room.verdict, room.reading
    lines = [f"{test.model}: {test.name}, {test.state}. {test.question}"]
    if verdict is not None:
        lines.append(f"{verdict.word}: {verdict.reason}")
    if read is not None:
        lines.append(f"  units: {read.challenger.outcomes:,} of {test.challenger}, {read.control.outcomes:,} of "
                     f"{test.control}; {fmt.plural(read.days, 'ripe day')}")  # fmt: skip
        if not read.blind:
            lines += [_line(one) for one in (read.primary, *read.guardrails, *read.others)]
            lines += [f"  {one.name}: {one.challenger:,} to {one.control:,} units {_numbers(one.primary)}"
                      for one in read.segments]  # fmt: skip
            lines += _beside(test, read)
        lines += [f"  note: {one}" for one in read.notes]
    show(told_of(room, test), as_json=as_json, line="\n".join(lines))
    return 0


def _beside(test: ABTest, read: Reading) -> list[str]:
    lines, belief, lasting = [], read.belief, read.lasting
    if belief is not None:
        lines.append(f"  beside the verdict, one look, flat prior: {belief.chance} that {test.challenger} is "
                     f"better; {fmt.metric(belief.loss)} lost on average by shipping it")  # fmt: skip
    if lasting is not None and lasting.change is not None:
        lines.append(f"  later half of the days against the earlier: changed by {fmt.delta(lasting.change)} "
                     f"{fmt.interval(lasting.low, lasting.high)}")  # fmt: skip
    return lines


def _line(one: Measured) -> str:
    margin = "" if one.margin is None else f", may be worse by {one.margin:g}"
    why = f" ({one.reason})" if one.reason else ""
    return f"  {metric_of(one.metric).label}: {_numbers(one)}{margin}: {one.state}{why}"


def _numbers(one: Measured) -> str:
    return f"{fmt.delta(one.value)} {fmt.interval(one.low, one.high)}"
