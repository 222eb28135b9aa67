"""The sentences of a report, made from its facts alone: each number with interval, n and days, or why it is absent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from mlops_dash.domain import format as fmt
from mlops_dash.domain.cadence import plural_of
from mlops_dash.domain.evidence import DAYS, ROWS
from mlops_dash.domain.monitoring.readings import SCORE, words_of
from mlops_dash.domain.registry.check_gate import NUMBER, OF_RECIPES, YES_OR_NO
from mlops_dash.domain.registry.gates import through
from mlops_dash.domain.reports.counted import cluster_of, metric_named, ripe, window_of
from mlops_dash.domain.reports.snapshot import WEEK_DAYS, Facts, coverage, number
from mlops_dash.domain.tasks import CHARTED
from mlops_dash.domain.words import AlertState, GateState, Health, ProposalState

NOT_KNOWN = "Not known"
_SPANS = {"day": "week", "hour": "day"}  # drift is judged over the span that ends with the window


def at(text: str | None) -> datetime | None:
    """A moment of the facts."""
    return None if text is None else datetime.fromisoformat(text)


def week_said(facts: Facts) -> str:
    """The week as people say it."""
    week = facts["week"]
    return fmt.period(at(week["start"]), at(week["end"]), week["zone"])


def verdict(facts: Facts) -> str:
    """What belongs to the health word: the number, the reason, and how old it is."""
    said = facts["verdict"]
    if said["empty"]:
        return f"{said['empty']}. {said['next']}"
    every = [said["headline"] or "No ripe labels yet.", _sentence(said["why"]), said["stale"]]
    return " ".join(one for one in every if one)


def next_step(facts: Facts) -> str:
    """What to do now, from what waits and how the model is; empty when nothing is to be done."""
    waiting = facts["proposals"]
    if waiting:
        first = waiting[0]
        said = "approve or reject" if first["state"] == ProposalState.OPEN else "promote"
        return f"Next: {said} {first['version']}, proposed by {first['proposer']}."
    if facts["verdict"]["health"] in (Health.HARMED, Health.AT_RISK):
        return "Next: look into the alert, and retrain if its cause lasts."
    return ""


def served(facts: Facts) -> str:
    """Which versions answered in the week."""
    zone, found = facts["week"]["zone"], facts["served"]
    if not found and facts["rows"]["n"]:  # told afterwards, by a file or another service
        rows = fmt.plural(facts["rows"]["n"], "row")
        return f"Which version was live in this week is not recorded; its {rows} came later."
    if not found:
        return "No version was served in this week."
    parts = []
    for one in found:
        since, until = at(one["since"]), at(one["until"])
        said = f"{one['label']} since {fmt.instant(since, zone)}"
        parts.append(said if until is None else f"{said} until {fmt.instant(until, zone)}")
    version = facts["version"]
    more = "" if version is None else f" The readings below are those of {version['label']}."
    return f"Served: {', '.join(parts)}.{more if len(found) > 1 else ''}"


def estimate(one: Mapping[str, Any], told: Mapping[str, Any]) -> str:
    """A value with its interval: `0.646 [0.616, 0.676]`, or `9.82 min [9.31, 10.33]`."""
    if one["value"] is None:
        return NOT_KNOWN
    interval = fmt.interval(one["low"], one["high"], told["decimals"], signed=False)
    said = number(one["value"], told)
    return f"{said}, interval not known" if interval == fmt.MISSING else f"{said} {interval}"


def share(one: Mapping[str, Any]) -> str:
    """A share with its interval in percent: `23.1 % [18.0 %, 28.2 %]`."""
    if one["value"] is None:
        return NOT_KNOWN
    if one["low"] is None or one["high"] is None:
        return f"{fmt.percent(one['value'])}, interval not known"
    return f"{fmt.percent(one['value'])} [{fmt.percent(one['low'])}, {fmt.percent(one['high'])}]"


def performance(facts: Facts) -> tuple[str, ...]:
    """The metric now, where it stands to reference and bound, and a week before."""
    data = facts["performance"]
    if data is None:
        return (f"{NOT_KNOWN}: {_small(facts['verdict']['empty'] or 'nothing was judged')}.",)
    now = data["now"]
    if now is None:
        none = f"no {window_of(facts)} up to the end of the week has ripe labels"
        return (f"{data['label']}: {_small(NOT_KNOWN)}, because {none}.",)
    window, windows = window_of(facts), plural_of(window_of(facts))
    basis = (
        f"{ripe(now['n_days'], window)} (n {fmt.whole(now['n'])}, 95 % interval over {plural_of(cluster_of(facts))})"
    )
    said = [f"{metric_named(facts)} is {estimate(now, data)} over the last {basis}."]
    said += _against(data, now, window)
    if now["reason"]:
        said.append(_sentence(now["reason"]))
    before = data["week_before"]
    if before is not None:
        back = before.get("back", WEEK_DAYS)
        shared = max(0, data["trailing_days"] - back)
        overlap = f" The two windows share {shared} of {data['trailing_days']} {windows}." if shared else ""
        said.append(f"{ripe(back, window)} before it was {estimate(before, data)}.{overlap}")
    return tuple(said)


def _against(data: Mapping[str, Any], now: Mapping[str, Any], window: str) -> list[str]:
    said = []
    reference, bound = data["reference"], data["bound"]
    if reference is not None:
        gap = now["value"] - reference
        better = "better" if (gap > 0) is data["higher_is_better"] else "worse"
        nothing = fmt.metric(0.0, data["decimals"])
        far = (
            "the same as" if fmt.delta(gap, data["decimals"]) == nothing else f"{number(abs(gap), data)} {better} than"
        )
        where = ""
        if now["low"] is not None and now["high"] is not None:
            inside = now["low"] <= reference <= now["high"]
            where = f", which lies {'inside' if inside else 'outside'} the interval"
        said.append(f"That is {far} its reference {number(reference, data)}{where}.")
    if bound is not None:
        name = "harm bound" if data["bound_is_harm"] else "bound"
        said.append(f"Its {name} is {number(bound, data)}; the alarm is judged {window} by {window}, not on this mean.")
    return said


def labels(facts: Facts) -> tuple[str, ...]:
    """How many rows came, how many have their label, and the label rate."""
    rows, rate, reference = facts["rows"], facts["label_rate"], facts["reference"]
    if not rows["n"]:
        return ("Label coverage: not known, because no row was scored in this week.",)
    window, cluster = window_of(facts), cluster_of(facts)
    judged = fmt.plural(rows["days"], f"judged {window}", f"judged {plural_of(window)}")
    known = f"{fmt.percent(coverage(facts))} of them ({fmt.whole(rows['labelled'])}) have their label"
    said = [
        f"{fmt.whole(rows['n'])} rows were scored {'on' if window == 'day' else 'in'} {judged}; {known}.",
        f"{fmt.plural(rows['ripe_days'], window, plural_of(window))} {'is' if rows['ripe_days'] == 1 else 'are'} ripe.",
    ]
    mean = next((one for one in facts["metrics"] if one["metric"] == "label_mean"), None)
    if mean is not None and mean["value"] is not None:
        told = facts["performance"] or {"decimals": 2, "unit": ""}
        basis = f"over {ripe(mean['n_days'], cluster)} ({fmt.whole(mean['n'])} rows)"
        known = "" if reference is None else f"; {number(reference['label_rate'], told)} in the reference"
        said.append(f"The mean label is {estimate(mean, told)} {basis}{known}.")
    elif rate is None or rate["value"] is None:
        said.append(f"Label rate: not known, because no {window} has ripe labels.")
    else:
        known = "" if reference is None else f"; {fmt.percent(reference['label_rate'])} in the reference"
        said.append(
            f"The label rate is {share(rate)} over {ripe(rate['n_days'], cluster)} "
            f"({fmt.whole(rate['n'])} rows){known}."
        )
    return tuple(said)


def moved_inputs(facts: Facts) -> list[str]:
    """The inputs among the columns that moved: the model's own answer is none."""
    return [name for name in facts["inputs"]["moved"] if name != SCORE]


def inputs(facts: Facts) -> tuple[str, ...]:
    """Which columns moved, and how far."""
    data = facts["inputs"]
    if not data["watched"]:
        return ("Inputs: not known, because no window with enough rows was judged.",)
    moved = moved_inputs(facts)
    said = f"{len(moved)} of {fmt.plural(data['watched'], 'input')} moved beyond the usual swing"
    # Reports made before the two were told apart have the columns of the last window alone, under "moved".
    beyond = [name for name in data.get("beyond", data["moved"]) if name != SCORE]
    period = fmt.period(at(data["start"]), at(data["end"]), facts["week"]["zone"])
    still = f"None of {fmt.plural(data['watched'], 'input')} moved beyond its usual swing in {period}"
    # Reports made before a window said which columns it could not judge have only their number.
    unjudged = data.get("unjudged") or ""
    back = [name for name in moved if name not in beyond]
    single = [name for name in beyond if name not in moved]
    out = [
        f"{said} {'over the windows up to' if back else 'in'} {period}: {words_of(moved)}."
        if moved
        else f"{still}, as far as computable: {unjudged}."
        if unjudged
        else f"{still}."
    ]
    if back:
        out.append(f"In {period} alone {words_of(back)} {'was' if len(back) == 1 else 'were'} within it.")
    if single:
        out.append(f"{words_of(single)} went beyond it in {period} alone, which does not count as moved yet.")
    if SCORE in data["moved"]:
        out.append("The model score moved beyond its usual swing.")
    if data["not_computable"] and (moved or not unjudged):
        out.append(f"{fmt.plural(data['not_computable'], 'column')} could not be judged.")
    out += [f"{one.rstrip('.')}." for one in data["odd"]]  # they begin with a column's name: left as it is
    if data["moved"]:
        out.append("Moved inputs alone are not harm; harm is judged by the losses above.")
    return tuple(out)


def alerts(facts: Facts) -> str:
    """How many alerts the week saw and how many are open."""
    found = facts["alerts"]
    if not found:
        judged = facts["inputs"]["watched"] or (facts["performance"] or {}).get("now") is not None
        nothing = "" if judged else "; nothing was judged that could have opened one"
        return f"No alert was open in this week{nothing}."
    still = sum(one["state"] != AlertState.CLOSED for one in found)
    return f"{fmt.plural(len(found), 'alert')} in this week; {still} not closed."


def proposals(facts: Facts) -> str:
    """What waits for a decision."""
    found = facts["proposals"]
    if not found:
        return "No proposal waited for a decision when this was made."
    return f"{fmt.plural(len(found), 'proposal')} waited for a decision when this was made."


def gates(facts: Facts) -> str:
    """What the gates say about the live version."""
    found, version = facts["gates"], facts["version"]
    if version is None:
        return "Gates: not known, because no version is live."
    counted = through((one["state"], one["required"]) for one in found)
    if not counted.of:
        return f"No gate applies to {version['label']}."
    lifted = f", {counted.overridden} of them overridden" if counted.overridden else ""
    return f"{version['label']} is through {counted.n} of {fmt.plural(counted.of, 'required gate')}{lifted}."


def gate_reason(gate: Mapping[str, Any], measure: Mapping[str, Any]) -> str:
    """Why a measure of a gate stands as it does; of an overridden gate, who answers for it comes first."""
    if gate["state"] == GateState.OVERRIDDEN:
        return f"{gate['reason']} Measured: {measure['reason']}" if measure["reason"] else str(gate["reason"])
    return str(measure["reason"] or gate["reason"] or fmt.MISSING)


def measure_value(one: Mapping[str, Any]) -> str:
    """A gate's number with its interval."""
    if one["value"] is None:
        return NOT_KNOWN
    if one["metric"] in ("signature", "input_example", YES_OR_NO):
        return "yes" if one["value"] else "no"
    if one["metric"] == NUMBER:
        return f"{one['value']:g}{_unit(one)}"
    show = fmt.delta if one["difference"] else fmt.metric
    interval = fmt.interval(one["low"], one["high"], one["decimals"], signed=one["difference"])
    return show(one["value"], one["decimals"]) + _unit(one) + ("" if interval == fmt.MISSING else f" {interval}")


def measure_limit(one: Mapping[str, Any]) -> str:
    """A gate's limit: `< 0.000`."""
    if one["limit"] is None or one["metric"] in ("signature", "input_example"):
        return fmt.MISSING
    if one["metric"] in OF_RECIPES:
        return f"{one['relation']} {one['limit']:g}{_unit(one)}"
    return f"{one['relation']} {fmt.metric(one['limit'], one['decimals'])}{_unit(one)}".strip()


def _unit(measure: Mapping[str, Any]) -> str:
    """The unit behind a gate's number; what was frozen before units were kept has none."""
    unit = measure.get("unit", "")
    return f" {unit}" if unit else ""


def evidence(facts: Facts) -> tuple[dict[str, str], ...]:
    """The rows of the evidence table: every number of this report that decides something."""
    told = facts["performance"] or {"decimals": 3, "unit": ""}
    window = window_of(facts)
    over = f"{plural_of(cluster_of(facts))} as clusters; ripe {plural_of(window)} only"
    rows = [_metric_row(one, told, over, window) for one in facts["metrics"]]
    rows += _gate_rows(facts["gates"], "" if facts["version"] is None else facts["version"]["label"], window)
    for proposal in facts["proposals"]:
        rows += _gate_rows(proposal["gates"], proposal["version"], window)
    return tuple(rows)


def _metric_row(one: Mapping[str, Any], told: Mapping[str, Any], over: str, window: str) -> dict[str, str]:
    rate = one["metric"] in CHARTED and CHARTED[one["metric"]].is_share
    known = one["value"] is not None
    return {
        "about": "live traffic",
        "metric": one["label"],
        "value": fmt.percent(one["value"]) if rate else number(one["value"], told),
        "interval": _interval(one, told, rate=rate) if known else fmt.MISSING,
        "n": fmt.whole(one["n"]),
        "days": str(one["n_days"]) if window == "day" else fmt.plural(one["n_days"], window, plural_of(window)),
        "method": one["method"],
        "bound": one["reason"] or (over if known else NOT_KNOWN),
        "source": one["source"],
    }


def _interval(one: Mapping[str, Any], told: Mapping[str, Any], *, rate: bool) -> str:
    if rate and one["low"] is not None and one["high"] is not None:
        return f"[{fmt.percent(one['low'])}, {fmt.percent(one['high'])}]"
    return fmt.interval(one["low"], one["high"], told["decimals"], signed=False)


def _independent(measure: Mapping[str, Any], window: str) -> str:
    """How many days, or of what else; days go without saying where a model is judged by the day.

    What was frozen before clusters had a name has days.
    """
    clusters = measure.get("clusters", DAYS)
    if measure["n_clusters"] is None or clusters == ROWS:
        return fmt.MISSING
    return f"{measure['n_clusters']:,}" + ("" if clusters == DAYS and window == "day" else f" {clusters}")


def _gate_rows(gates_of: Sequence[Mapping[str, Any]], version: str, window: str) -> list[dict[str, str]]:
    return [
        {
            "about": version,
            "metric": one["label"],
            "value": measure_value({**one, "low": None, "high": None}),
            "interval": fmt.interval(one["low"], one["high"], one["decimals"], signed=one["difference"]),
            "n": fmt.whole(one["n"]),
            "days": _independent(one, window),
            "method": one["method"] or fmt.MISSING,
            "bound": one["bound"] or one["reason"] or fmt.MISSING,
            "source": f"evidence {one['evidence_id'][:16]}" if one["evidence_id"] else fmt.MISSING,
        }
        for gate in gates_of
        for one in gate["measures"]
        if one["evidence_id"] or one["value"] is not None
    ]


def how(facts: Facts) -> tuple[str, ...]:
    """How the numbers were computed."""
    watch, reference, data = facts["watch"], facts["reference"], facts["performance"]
    zone, window, cluster = facts["week"]["zone"], window_of(facts), cluster_of(facts)
    if window == "day":
        begun = [
            f"Days are calendar days in {zone}.",
            "Rows of one day are not independent: every interval is a 95 % interval over days, not over rows.",
        ]
    else:
        begun = [facts["cadence"]["basis"], f"Every interval is a 95 % interval over {plural_of(cluster)}."]
    article = "An" if window == "hour" else "A"
    ripens = f"{article} {window} counts once its labels are ripe: old enough, or nearly all there."
    said = [*(one for one in begun if one), f"{ripens} A late label makes a new revision."]
    if data is not None:
        said.append(
            f"The line is the mean over the last {ripe(data['trailing_days'], window)}; neighbouring points share "
            f"{plural_of(window)}."
        )
    if reference is not None:
        period = fmt.period(at(reference["start"]), at(reference["end"]), zone)
        said.append(
            f"The reference is {period}: {fmt.whole(reference['n_rows'])} rows on "
            f"{fmt.plural(reference['n_days'], 'day')}, {reference['method']}."
        )
    span = _SPANS.get(window, window)
    watched, drifted = fmt.metric(watch["watch_excess"], 2), fmt.metric(watch["drift_excess"], 2)
    said += [
        f"PSI compares a {span} of a column with the reference, on cells cut from the reference alone.",
        f"It is watched above an excess PSI of {watched}, drifted above {drifted}, if also beyond its usual swing.",
    ]
    again = watch["restarts"]
    more = f" It was restarted {fmt.plural(again, 'time')}; each restart spends as much again." if again else ""
    said.append(
        f"A model that did not get worse sets off the harm alarm with a chance of at most {watch['alpha']:.0%}.{more}"
    )
    said.append(
        "All numbers are those of the Monitoring and Registry pages; only the week's rows and labels were summed."
    )
    return tuple(said)


def performance_alt(facts: Facts) -> str:
    """What the performance chart says, in a sentence."""
    return performance(facts)[0]


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith('.') else '.'}" if text else ""


def _small(text: str) -> str:
    return f"{text[:1].lower()}{text[1:]}"
