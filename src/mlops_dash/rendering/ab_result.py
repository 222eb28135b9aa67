"""The A/B result as a document: verdict, the difference as it was read day by day, and how the test was fixed."""

from __future__ import annotations

from functools import partial
from typing import Any

from mlops_dash.domain import format as fmt
from mlops_dash.domain.reports import words
from mlops_dash.domain.reports.snapshot import KIND_LABELS, Facts, ReportKind
from mlops_dash.domain.words import GateState
from mlops_dash.rendering.document import Cell, Document, Figure, badge, interval_said, own, said_badge, table_of


def document(facts: Facts) -> Document:
    """The result, from the facts of `domain.reports.ab_result.ab_facts`."""
    test = facts["test"]
    since = fmt.instant(words.at(test["started_at"]), facts["zone"]) if test["started_at"] else "not started"
    return Document(
        kind=KIND_LABELS[ReportKind.AB_RESULT],
        title=f"{facts['model']['name']}: {facts['subject']}",
        name=facts["model"]["name"],
        tab=f"{facts['model']['name']}, {facts['subject']}",
        about=f"{test['challenger']} challenges {test['control']} · since {since} · days in {facts['zone']}",
        badge=said_badge(facts["verdict"]),
        verdict=facts["verdict"]["said"],
        next_step=f"Next: {facts['verdict']['next']}" if facts["verdict"]["next"] else "",
        figures=_figures(facts),
        sections=[_difference(facts), _arms(facts), _design(facts)],
        how=_how(facts),
        brief=_brief(facts),
        verdict_on="The difference",
        next_on="The difference",
    )


def _brief(facts: Facts) -> list[Figure]:
    """The differences with their intervals, the primary one first; none while nothing may be shown."""
    read = facts["reading"]
    if read is None or read["blind"]:
        return _figures(facts)[1:]
    found: list[Figure] = []
    for one in facts["measures"]:
        if one["value"] is not None:
            interval = fmt.interval(one["low"], one["high"], one["decimals"])
            said = interval_said(interval, one["role"], level=1 - facts["design"]["alpha"])
            found.append((f"{one['label']}, difference", fmt.delta(one["value"], one["decimals"]), said))
    return [*found, *_figures(facts)[1:]][:3]


def _figures(facts: Facts) -> list[Figure]:
    read = facts["reading"]
    if read is None:
        return []
    primary = facts["measures"][0]
    interval = fmt.interval(primary["low"], primary["high"], primary["decimals"])
    value = fmt.delta(primary["value"], primary["decimals"]) if primary["value"] is not None else words.NOT_KNOWN
    units = read["challenger"]["outcomes"] + read["control"]["outcomes"]
    better = "lower is better" if primary["lower_is_better"] else "higher is better"
    basis = better if interval == fmt.MISSING else f"{interval} · {better}"
    return [
        (f"{primary['label']}, difference", value, basis),
        ("Units with an outcome", fmt.whole(units), f"of {fmt.whole(facts['design']['planned_units'])} planned"),
        ("Ripe days", str(read["days"]), f"of {facts['design']['days']} planned"),
    ]


def _difference(facts: Facts) -> dict[str, Any]:
    read, section = facts["reading"], {"title": "The difference"}
    if read is None:
        return {**section, "said": ["Nothing was read: the test has not begun."]}
    if read["blind"]:
        return {**section, "said": []}  # the verdict says why nothing is shown
    rows: list[list[Cell]] = [
        [
            one["label"],
            one["role"],
            {"badge": "1", **badge(GateState(one["state"]))},
            fmt.metric(one["challenger"], one["decimals"]),
            fmt.metric(one["control"], one["decimals"]),
            fmt.delta(one["value"], one["decimals"]),
            fmt.interval(one["low"], one["high"], one["decimals"]),
            fmt.MISSING if one["margin"] is None else fmt.metric(one["margin"], one["decimals"]),
        ]
        for one in facts["measures"]
    ]
    heads = ["Metric", "Role", "State", "Challenger", "Control", "Difference", "Interval", "Margin"]
    caption = "Challenger minus control; a guardrail's bounds are one-sided"
    made: dict[str, Any] = {**section, "said": [], "table": table_of(caption, heads, rows, numeric=(3, 4, 5, 6, 7))}
    if len(read["looks"]) > 1:
        primary = facts["measures"][0]
        alt = f"{primary['label']}, challenger minus control: {fmt.delta(primary['value'], primary['decimals'])}"
        made["drawn"] = partial(_chart, read["looks"], primary, alt=alt)
        made["picture"], made["alt"] = partial(_picture, read["looks"], primary), alt
        made["note"] = (
            "Line: the difference after each ripe day; band: its interval, valid at every look; dashed: none."
        )
    if read["paired"] is not None:
        one, decimals = read["paired"], facts["measures"][0]["decimals"]
        interval = fmt.interval(one["low"], one["high"], decimals)
        made["said"] = [
            f"{fmt.whole(read['paired_rows'])} rows scored by both say {fmt.delta(one['value'], decimals)} {interval}."
        ]
    return made


def _chart(*shown: Any, width: int, alt: str) -> str:
    from mlops_dash.rendering import charts  # matplotlib costs a second: only who draws pays it

    return charts.differences(*shown, width=width, alt=alt)


def _picture(*shown: Any) -> Any:
    from mlops_dash.rendering import charts

    return charts.picture("differences", *shown)


def _arms(facts: Facts) -> dict[str, Any]:
    read, test = facts["reading"], facts["test"]
    if read is None:
        return {"title": "Arms", "said": ["No row was answered yet."]}
    rows: list[list[Cell]] = [
        [f"{test[name]} ({name})", *(fmt.whole(read[name][key]) for key in ("assigned", "ripe", "outcomes"))]
        for name in ("challenger", "control")
    ]
    said = [f"Planned: {fmt.percent(facts['design']['share'])} of the units to the challenger."]
    heads = ["Arm", "Answered", "Of ripe days", "With an outcome"]
    return {"title": "Arms", "said": said, "table": table_of("Units", heads, rows, numeric=(1, 2, 3))}


def _design(facts: Facts) -> dict[str, Any]:
    test, fixed = facts["test"], facts["design"]
    rows: list[list[Cell]] = [
        ["Question", own(test["question"])],
        ["Outcome", fixed["outcome"]],
        ["Unit", fixed["unit"]],
        ["Read", fixed["reading"]],
        ["Level", f"{1 - fixed['alpha']:.0%}"],
        ["Designed", own(f"{test['designed_by']}, {fmt.instant(words.at(test['designed_at']), facts['zone'])}")],
    ]
    if test["started_at"]:
        rows.append(
            ["Started", own(f"{test['started_by']}, {fmt.instant(words.at(test['started_at']), facts['zone'])}")]
        )
    if test["stopped_at"]:
        at = fmt.instant(words.at(test["stopped_at"]), facts["zone"])
        rows.append(["Stopped", own(f"{test['stopped_by']}, {at}: {test['stop_reason']}")])
    caption = "Fixed before the first row"
    return {"title": "What was asked", "said": [], "table": table_of(caption, ["What", "Value"], rows)}


def _how(facts: Facts) -> list[str]:
    read, fixed = facts["reading"], facts["design"]
    said = [
        "Days are the clusters: rows of one day are not independent, and the difference is made anew without each.",
        f"Ripe is a day {fixed['label_delay_hours']:g} h old, or {fmt.percent(fixed['ripe_coverage'])} labelled.",
    ]
    if read is not None:
        said += [f"Method: {read['method']}.", f"The rows that were read have the sha256 {read['digest']}."]
    return said
