"""A/B tests in words: headline, checks, tiles, the design; facts in, text and small HTML out."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from html import escape

from app.ui.text import plain
from app.ui.theme import Tokens, icon_mark
from mlops_dash.domain import format as fmt
from mlops_dash.domain.ab_tests.archive import DECISIONS
from mlops_dash.domain.ab_tests.assigning import DAY, ENTITY
from mlops_dash.domain.ab_tests.judging import Verdict
from mlops_dash.domain.ab_tests.outcomes import is_of_events, metric_of
from mlops_dash.domain.ab_tests.readings import Lasting, Reading
from mlops_dash.domain.ab_tests.room import Reach
from mlops_dash.domain.ab_tests.rules import READINGS, ABTest, Design
from mlops_dash.domain.words import ABState, ABVerdict, GateState, look

_MOST_E = math.log(1e6)


def label(metric: str) -> str:
    """A metric as people read it."""
    return metric_of(metric).label


def in_sentence(metric: str) -> str:
    """The same within a sentence: names keep their capital."""
    name = metric_of(metric).label
    return name if metric in {"brier", "mae"} or is_of_events(metric) else name[:1].lower() + name[1:]


def choice(metric: str) -> str:
    """A metric as a designer chooses it: of events it may be better either way."""
    return plain(f"{label(metric)}: {better(metric)}" if is_of_events(metric) else label(metric))


def names_of(tests: Sequence[ABTest]) -> dict[str, str]:
    """How each test is called among all; two that would be called alike carry their id."""
    names = {one.id: f"{one.model}: {one.name}, {fmt.day(one.designed_at, one.design.zone)}" for one in tests}
    often = Counter(names.values())
    return {ident: name if often[name] == 1 else f"{name} ({fmt.short(ident)})" for ident, name in names.items()}


def better(metric: str) -> str:
    """Which way is better."""
    return str(metric_of(metric).direction).replace("_", " ")


def drawn_words(design: Design) -> str:
    """How arms are drawn."""
    if design.unit == ENTITY:
        return plain(f"{design.entity} is drawn by a keyed hash: all its rows go to one arm.")
    return f"{'Days' if design.unit == DAY else 'Rows'} are drawn by a keyed hash of their id."


def unit_name(design: Design) -> str:
    """What is counted, in the plural and with a capital."""
    return "Units" if design.by_units and design.unit == ENTITY else "Rows"


def headline(test: ABTest, reading: Reading | None, verdict: Verdict | None) -> str:
    """The banner's sentence."""
    if reading is None or verdict is None:
        waiting = "waits for its start" if test.stopped_at is None else "was withdrawn before it started"
        return f"{test.name} {waiting}"
    if verdict.word is ABVerdict.INVALID:
        return f"{test.name}: the arms cannot be compared"
    if verdict.word is ABVerdict.UNDECIDED:
        return f"{test.name}: not known, nothing was seen"
    if reading.blind:
        return f"{test.name}: nothing is shown yet"
    found = reading.primary
    said = {
        GateState.PASSED: "is better than",
        GateState.FAILED: "is worse than",
    }.get(found.state, "is not shown to differ from")
    numbers = f"{fmt.delta(found.value)} {fmt.interval(found.low, found.high)}"
    return f"{test.challenger} {said} {test.control}: {in_sentence(found.metric)} {numbers}"


def what_now(test: ABTest, verdict: Verdict) -> str:
    """What a test that is over asks for."""
    if test.state is not ABState.STOPPED:
        return ""
    if test.decision is not None:
        stands = "." if test.decision.settled else ", against the test: another lead must stand behind it."
        return f"Decided: {DECISIONS[test.decision.word]}{stands}"
    if verdict.word is ABVerdict.SHIP:
        return f"Next: propose {test.challenger} for promotion."
    if verdict.word is ABVerdict.UNDECIDED:
        return f"{test.control} keeps serving, as before; whether {test.challenger} is better nobody knows."
    return f"{test.control} keeps serving; this test gives no reason to propose {test.challenger}."


def badge_words(test: ABTest, verdict: Verdict) -> str:
    """The verdict's word, with the version it is about."""
    about = {ABVerdict.SHIP: f" {test.challenger}", ABVerdict.KEEP: f" {test.control}"}
    return f"{look(verdict.word).label}{about.get(verdict.word, '')}"


def guardrail_words(reading: Reading) -> str:
    """The guardrails by what they say."""
    said = {
        GateState.PASSED: "Guardrails hold",
        GateState.FAILED: "Guardrails broken",
        GateState.CANNOT_TELL: "Guardrails not shown to hold",
        GateState.NOT_COMPUTABLE: "Guardrails not computable",
    }
    found = []
    for state, words in said.items():
        names = [label(one.metric) for one in reading.guardrails if one.state is state]
        if names:
            found.append(f"{words}: {', '.join(names)}.")
    return " ".join(found)


def sample_ratio_words(test: ABTest, reading: Reading) -> str:
    """The sample-ratio check in a sentence."""
    share = round(test.design.share * 100)
    log_e = reading.mismatch_log_e
    shown = f"{math.exp(log_e):.2g}" if log_e < _MOST_E else "above a million"
    counts = f"{fmt.whole(reading.challenger.assigned)} to {fmt.whole(reading.control.assigned)}"
    state = reading.ratio_state(test.design.share)
    if state is GateState.CANNOT_TELL:
        return f"Sample ratio: cannot tell, too few rows yet ({counts}, planned {share}:{100 - share})."
    word = "fails" if state is GateState.FAILED else "holds"
    return f"Sample ratio {word}: {counts}, planned {share}:{100 - share}; e-value {shown}, it fails from 100."


def note_words(reading: Reading) -> str:
    """What was left out of the reading, and what adjusting by the time before saves."""
    saved = (
        ()
        if reading.gain is None
        else (f"The same before the test saves {fmt.percent(reading.gain)} of the variance.",)
    )
    return " ".join((*reading.notes, *saved))


def ratio_words(test: ABTest, reading: Reading) -> str:
    """The same beside the verdict, which says itself when it fails."""
    said = {GateState.PASSED: "The sample ratio holds.", GateState.CANNOT_TELL: "The sample ratio cannot be told yet."}
    return said.get(reading.ratio_state(test.design.share), "")


def decision_words(test: ABTest, who: Callable[[str], str]) -> str:
    """What was decided, by whom, and whether it stands."""
    found = test.decision
    if found is None:
        return ""
    said = f"{DECISIONS[found.word]}, by {who(found.by)}: {found.reason}"
    if not found.against:
        return said
    second = f"seconded by {who(found.seconded_by)}" if found.settled else "waits for a second person"
    return f"{said} (against the test; {second})"


def standing(test: ABTest, now: datetime) -> str:
    """What the challenger does just now, where it is not its planned share; "" else."""
    if test.state is not ABState.RUNNING or test.started_at is None or test.reads_from is None:
        return ""
    if test.paused:
        since = fmt.day(test.pauses[-1][0], test.design.zone)
        return f"Paused since {since}: {test.control} answers every row. The end moves by the pause, so it is not over."
    if now >= test.reads_from:
        return ""
    share = fmt.percent(test.design.share_after(now - test.started_at), 0)
    planned = fmt.percent(test.design.share, 0)
    return f"Ramp: {test.challenger} answers {share} until it reaches {planned}; then rows count."


def status(test: ABTest, reading: Reading | None, zone: str) -> str:
    """The line below the page's title."""
    said = [test.model, test.name, "paused" if test.paused else look(test.state).label.lower()]
    if test.started_at is not None and reading is not None:
        said.append(f"{reading.days} of {test.design.days} days ripe")
        said.append(f"started {fmt.day(test.started_at, zone)}")
    return " · ".join(said)


def kpis_html(test: ABTest, reading: Reading) -> str:
    """Units, the outcome of both arms, days."""
    share = math.floor(100 * reading.units / test.design.planned_units) / 100  # 99.7 % is not all of them
    planned = f"{fmt.percent(share, 0)} of {fmt.whole(test.design.planned_units)}"
    primary, outcome = reading.primary, label(test.design.outcome)
    hidden = primary.value is None
    last = "no ripe day yet" if reading.last_day is None else f"until {reading.last_day.day} {reading.last_day:%b %Y}"
    tiles = (
        ("groups", f"{unit_name(test.design)} with an outcome", fmt.whole(reading.units), f"{planned} planned"),
        ("shield", f"{test.control}, control", fmt.metric(primary.control), "hidden" if hidden else outcome),
        (
            "science",
            f"{test.challenger}, challenger",
            fmt.metric(primary.challenger),
            "hidden" if hidden else f"{fmt.delta(primary.value)} against {test.control}",
        ),
        ("calendar_month", "Ripe days", f"{reading.days} of {test.design.days}", last),
    )
    cells = "".join(
        f"<div class='kpi'><dt>{icon_mark(icon)}{escape(name)}</dt><dd class='num'>{escape(value)}</dd>"
        f"<dd class='kps'>{escape(sub)}</dd></div>"
        for icon, name, value, sub in tiles
    )
    return f"<dl class='kpis'>{cells}</dl>"


def reach_html(reach: Sequence[Reach], metric: str) -> str:
    """What tests of several lengths can find, as a small table."""
    rows = "".join(
        f"<tr><th scope='row'>{one.days} days</th><td>{fmt.whole(one.units)}</td><td>{fmt.metric(one.one_look)}</td>"
        f"<td>{fmt.metric(one.every_day)}</td></tr>"
        for one in reach
    )
    head = "<tr><th></th><th scope='col'>Rows</th><th scope='col'>One look</th><th scope='col'>Every day</th></tr>"
    said = (
        f"Difference in {escape(in_sentence(metric))} found with 80 % power by half of the rows each, if it is the "
        "same on every day; where days differ it takes more."
    )
    return f"<p class='note'>{said}</p><table class='facts'><thead>{head}</thead><tbody>{rows}</tbody></table>"


def beside_words(test: ABTest, reading: Reading) -> dict[str, str]:
    """What is said beside the verdict, each with its name; {} while the test is blind."""
    told, belief, lasting = {}, reading.belief, reading.lasting
    if belief is not None:
        level = fmt.percent(belief.level, 0)
        told["Chance"] = (
            f"{belief.chance} that {test.challenger} is better; {level} of the belief between "
            f"{fmt.delta(belief.low)} and {fmt.delta(belief.high)}"
        )
        told["At stake"] = f"{fmt.metric(belief.loss)} lost on average by shipping it, counting only where it is worse"
    if lasting is not None:
        told["Does it last"] = lasting_words(lasting)
    return told


def lasting_words(lasting: Lasting) -> str:
    """Whether the later half of the days says the same as the earlier one."""
    if lasting.change is None or lasting.low is None:
        return f"Cannot tell: {lasting.reason}."
    said = "Not as it was" if lasting.differs else "No change shown"
    why = ": what is new may wear off, or days and crowd differ" if lasting.differs else ""
    return (
        f"{said}{why}. {fmt.delta(lasting.earlier)} in the earlier half of the days, {fmt.delta(lasting.later)} in the "
        f"later; changed by {fmt.delta(lasting.change)} {fmt.interval(lasting.low, lasting.high)}"
    )


def paired_words(test: ABTest, reading: Reading) -> str:
    """The paired reading, and why its interval is narrower."""
    found = reading.paired
    if found is None or found.value is None:
        return "" if found is None else f"Not computable: {found.reason}."
    numbers = f"{fmt.delta(found.value)} {fmt.interval(found.low, found.high)}"
    return (
        f"On the {fmt.whole(reading.paired_rows)} rows that {test.challenger} answered, {test.control} scored too, as "
        f"shadow: {numbers}. {_narrower(reading)} It is one look, not meant for looking again and again: the verdict "
        "rests on the arms alone."
    )


def _narrower(reading: Reading) -> str:
    both, arms = reading.paired, reading.primary
    if both is None or both.low is None or both.high is None or arms.low is None or arms.high is None:
        return ""
    share = (both.high - both.low) / (arms.high - arms.low)
    return (
        f"Its interval is {fmt.percent(share, 0)} as wide as that of the arms: what makes a row hard is the same "
        "for both versions and cancels; how far the difference varies from day to day remains."
    )


def outcome_words(design: Design) -> str:
    """The primary outcome with what it is stated at."""
    at = f", at a base rate of {fmt.percent(design.prior)}" if design.outcome == "base_rate_free_loss" else ""
    return f"{label(design.outcome)}{at}; {better(design.outcome)}"


def margin_words(design: Design) -> str:
    """Each guardrail with its margin."""
    said = [f"{label(one.metric)} may be worse by {fmt.metric(one.margin)}" for one in design.guardrails]
    return "; ".join(said) or "none"


def unit_words(design: Design) -> str:
    """Who is drawn, how many, for how long."""
    unit = "Each day of " + design.zone if design.unit == DAY else f"E{design.unit_words[1:]}"
    if design.by_units:
        days = design.exposure_hours / 24
        span = f"{days:g} {'day' if days == 1 else 'days'}"
        unit += f", its outcome counted for {span}"
        if design.unit == ENTITY:
            ramp = "in the ramp or " if design.ramp else ""
            unit += f" (who comes {ramp}in the last {span} of the test does not count)"
    steps = "".join(f"{fmt.percent(one, 0)}, " for one in design.ramp)
    share = f"{steps}then {fmt.percent(design.share, 0)}" if design.ramp else fmt.percent(design.share, 0)
    return f"{unit}; {share} to the challenger; {fmt.whole(design.planned_units)} planned in {design.days} days"


def more_words(design: Design) -> dict[str, str]:
    """What else is fixed, where it is."""
    told = {
        "Also read": ", ".join(label(one) for one in design.others),
        "Segments": ", ".join(design.segments),
        "Layer": "" if design.layer is None else design.layer.said.removeprefix("layer "),
        "By itself": guard_words(design) if design.auto_stop else "",
    }
    return {name: said for name, said in told.items() if said}


def guard_words(design: Design) -> str:
    """From when on a test that stops by itself can do so."""
    days = fmt.plural(math.ceil(design.guards_after / timedelta(days=1)), "day")
    ramp = ", never in the ramp" if design.ramp else ""
    return (
        f"stops when it does harm, at the earliest {days} after the start and with {fmt.whole(design.min_units)} "
        f"{unit_name(design).lower()} an arm{ramp}; an always-valid reading of its own sees it"
    )


def reading_words(design: Design) -> str:
    """How often it may be looked at, and from when on."""
    least = f"blind until each arm has {fmt.whole(design.min_units)} {unit_name(design).lower()}"
    if design.min_days:
        least += f" and {fmt.plural(design.min_days, 'day')} are ripe"
    if design.by_units:
        how = READINGS[design.reading]
        adjusted = "; adjusted by events before (CUPED)" if design.cuped else ""
        return f"{how[:1].upper()}{how[1:]}; alpha {design.alpha:.2g}; {least}; units are independent{adjusted}"
    how = READINGS[design.reading]
    return f"{how[:1].upper()}{how[1:]}; alpha {design.alpha:.2g}; {least}; days are clusters"


def css(t: Tokens) -> str:
    """The few rules of this page."""
    return f"""
.mi{{font-family:'Material Symbols Rounded';font-size:1.15rem;line-height:1;vertical-align:-.2em;font-weight:400}}
.kpis{{display:grid;grid-template-columns:repeat(4,1fr);gap:14px;margin:0!important;padding:0!important}}
.kpi{{border:1px solid {t.line};border-radius:8px;background:{t.card};padding:.85rem 1rem;min-width:0}}
.kpi dt{{font-weight:400;font-size:.9rem;display:flex;gap:.4rem;align-items:center;color:{t.muted}}}
.kpi dd{{margin:0}}.kpi .num{{font-size:1.72rem;font-weight:600;letter-spacing:-.02em;line-height:1.35}}
.kps{{font-size:.86rem;line-height:1.4;color:{t.muted}}}
.st-key-verdict-said h3{{margin:0}}
@media(max-width:1000px){{.kpis{{grid-template-columns:1fr 1fr}}}}
@media(max-width:640px){{.st-key-verdict{{flex-direction:column!important;align-items:stretch!important}}
.kpi{{padding:.7rem .8rem}}.kpi dt{{align-items:flex-start}}}}
"""
