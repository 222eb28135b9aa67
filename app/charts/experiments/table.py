"""The runs table as data: what every cell says, with deltas against the baseline. Facts in, text out."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from typing import Any

import numpy as np

from mlops_dash.domain import format as fmt
from mlops_dash.domain.evidence import Direction
from mlops_dash.domain.experiments import directions
from mlops_dash.domain.experiments.frame import Reducer, RunFrame, RunStatus, number_text, numbers, standing
from mlops_dash.domain.experiments.groups import enough, label, short_value, telling
from mlops_dash.domain.experiments.room import STATUS_LOOKS, Column, ExperimentRoom, SeedTest
from mlops_dash.domain.experiments.tables import decimals

__all__ = ["decimals"]  # the rule is the domain's, because exports round alike

_MOST_TELLING = 6
_MOST_NAMED = 8  # parameters in the name of a group
_OTHER_ROWS = "judged on other rows than the baseline: better or worse cannot be said"
_REDUCED = {Reducer.LAST: "last", Reducer.BEST: "best", Reducer.MIN: "min", Reducer.MAX: "max", Reducer.AT: "at step"}
_MOVE = "Drag the heading, or press Alt and an arrow on it, to move the column."
_WAY: dict[Direction | None, str] = {None: "no direction", **{way: directions.WORDS[way] for way in Direction}}
_FROM_ZERO = {True: "nearer 0", False: "farther from 0"}
_SHORT: dict[Direction | None, str] = {None: "", **{way: directions.SIGNS[way] for way in Direction}}


def data(
    room: ExperimentRoom,
    *,
    now: datetime,
    wall: datetime,
    zone: str,
    sort: tuple[str, bool],
    slots: Mapping[str, str],
    versions: Mapping[str, tuple[str, str]],
) -> dict[str, Any]:
    """Everything the component draws.

    Args:
        room: The page's facts.
        now: This world's time.
        wall: The machine's time: MLflow's clients write it even where this world's clock is another.
        zone: The browser's time zone.
        sort: The column the rows are ordered by, and whether it descends.
        slots: Colour of each run of the tray, as in the charts.
        versions: Model and version of the runs that became one.
    """
    grouped = room.groups is not None
    digits = {one.key: decimals(room.matching.metrics[one.key].to_numpy()) for one in room.metrics}
    columns = [_heading(one, sort, room) for one in (_of_groups(room) if grouped else room.columns)]
    if grouped:  # their order follows from what tells the groups apart
        columns = [{**one, "movable": False} for one in columns]
    status = () if all_finished(room) else (("attributes.status", "Status", False),)
    extra = (*status, ("attributes.start_time", "Started", False), ("attributes.duration", "Took", True))
    beyond = [_plain_heading(name, label, number, sort) for name, label, number in extra]
    rows = _groups(room, digits, slots) if grouped else _runs(room, digits, slots, versions, now, wall, zone)
    what = "groups of repeats" if grouped else "runs"
    shown = columns if grouped else [*columns, *beyond]
    return {
        "caption": f"{len(rows)} {what}; tick to compare, the pin makes a baseline",
        "name": "Configuration" if grouped else "Run",
        "name_hint": "Sort by name",
        "name_sorted": _way(sort) if sort[0] == "attributes.run_name" else "",
        "columns": shown,
        "rows": [_lean(one) for one in rows],
    }


def all_finished(room: ExperimentRoom) -> bool:
    """Whether a column of statuses would say nothing."""
    return set(room.statuses) <= {RunStatus.FINISHED} and room.sort != "attributes.status"


def _lean(row: dict[str, Any]) -> dict[str, Any]:
    """A row without what is empty: a hundred of them travel at every click."""
    cells = [{name: value for name, value in cell.items() if value or name == "verdict"} for cell in row["cells"]]
    return {**{name: value for name, value in row.items() if value}, "cells": cells}


def against_baseline(room: ExperimentRoom, most: int = 6) -> str:
    """The primary metric of the shown configurations against the baseline's, a sentence each, as HTML; "" for none."""
    primary = room.primary
    if room.groups is None or primary is None or not room.groups.tests.get(primary.key):
        return ""
    tests, members = room.groups.tests[primary.key], room.groups.members
    fair = [code for code in room.groups.order if code in tests and room.judged_elsewhere.isdisjoint(members[code])]
    told = [code for code in fair if tests[code].tested][:most]
    base = [code for code in room.groups.order if code not in tests]
    names = telling(room.runs, room.grouping, [*told, *base])
    called = {code: escape(label(room.runs, room.grouping, code, names)) for code in told}
    made = [f"<p class='note'><b>{called[code]}</b> {escape(tests[code].sentence)}.</p>" for code in told]
    untested = len(tests) - sum(tests[code].tested for code in fair)
    if untested:
        many = fmt.plural(untested, "configuration")
        why = "fewer than 3 runs a side, repeats that are equal, or judged on other rows"
        made.append(f"<p class='note'>{many} not tested: {why}.</p>")
    if told:
        made.append(
            "<p class='note'>Repeats on one test set know seed noise; they cannot say what is better elsewhere.</p>"
        )
    head = f"<div class='ch'><h2>{escape(primary.key)} against the baseline</h2></div>"
    return f"<div class='against'>{head}{''.join(made)}</div>"


def short(text: str, most: int = 60) -> str:
    """A name in a title or at an axis; MLflow lets a name have 250 signs.

    >>> short("a" * 9, 5)
    'aaaa…'
    """
    return text if len(text) <= most else text[: most - 1] + "…"


def cut(name: str, most: int = 14) -> int:
    """Where a long name may be cut in two, so that its end stays when there is no room: the end tells runs apart.

    >>> "leaves-31-rate-0.05-seed-3"[cut("leaves-31-rate-0.05-seed-3"):], cut("depth-3")
    ('0.05-seed-3', 0)
    """
    if len(name) <= most + 4:
        return 0
    first = len(name) - most
    return next((at + 1 for at in range(first - 1, len(name) - 4) if name[at] in "-_/ "), len(name) - most // 2)


def value_text(value: float, digits: int) -> str:
    """A metric's value; NaN and infinity by their names."""
    return fmt.metric(value, digits) if math.isfinite(value) else number_text(value)


def started(ms: float, now: datetime, wall: datetime) -> str:
    """How long ago; runs written by the machine's own clock are measured by it."""
    if math.isnan(ms):
        return fmt.MISSING
    at = datetime.fromtimestamp(ms / 1000, tz=UTC)
    return fmt.ago(wall if at > now else now, at)


def _of_groups(room: ExperimentRoom) -> tuple[Column, ...]:
    """Metrics, then the parameters that tell the configurations apart (their names say them too), then the seed."""
    assert room.groups is not None
    told = telling(room.runs, room.grouping, room.groups.members)[:_MOST_TELLING]
    names = [f"params.{one}" for one in told]
    shown = {one.name: one for one in room.columns}
    apart = [shown.get(one) or Column(one, "params", one.partition(".")[2]) for one in names]
    key = f"params.{room.grouping.key}"
    rest = [
        one for one in room.columns if one.name not in names and one.name != key and one.key not in room.grouping.by
    ]
    ordered = (*rest, *apart, *(one for one in room.columns if one.name == key))
    return tuple(sorted(ordered, key=lambda one: not one.pinned))


def _heading(column: Column, sort: tuple[str, bool], room: ExperimentRoom) -> dict[str, Any]:
    made = {**_plain_heading(column.name, column.key, False, sort), "movable": True, "pinned": column.pinned}
    made["hint"] = f"Sort by {column.key}. {_MOVE}"
    if column.kind != "metrics":
        number = numbers(room.rows.column(column.name)) is not None and column.key != room.grouping.key
        return {**made, "sub": {"params": "parameter", "tags": "tag"}.get(column.kind, ""), "number": number}
    said = "proposed from its name" if column.proposed and column.direction is not None else "chosen"
    way = _WAY[column.direction] + (f" ({said})" if column.direction is not None else "")
    word, value = _REDUCED[column.reducer], f"{_REDUCED[column.reducer]} value"
    if column.reducer is Reducer.AT:
        word, value = f"step {column.step:,}", f"value at step {column.step:,}"
    elif column.reducer is Reducer.BEST and column.direction is None:
        word, value = "last", "last value, because nobody said yet which way is better (under Columns)"
    return {
        **made,
        "number": True,
        "sub": f"{word} {_SHORT[column.direction]}".strip(),
        "hint": f"{column.key}: {value}, {way}. {counted(room.matching, column.key)}. Click to sort. {_MOVE}",
    }


def counted(runs: RunFrame, metric: str) -> str:
    """How many runs have a number, and what the others have instead."""
    if metric not in runs.metrics.columns:
        return "No run has it"
    values = runs.metrics[metric].to_numpy()
    has = runs.logged[:, runs.metrics.columns.get_loc(metric)]
    parts = {
        "NaN": int((has & np.isnan(values)).sum()),
        "infinite": int((has & np.isinf(values)).sum()),
        "not logged": int((~has).sum()),
    }
    odd = ", ".join(f"{count:,} {what}" for what, count in parts.items() if count)
    n = len(values) - sum(parts.values())
    return f"{n:,} of {fmt.plural(len(values), 'run')} have a number" + (f" ({odd})" if odd else "")


def _plain_heading(name: str, label: str, number: bool, sort: tuple[str, bool]) -> dict[str, Any]:
    return {"id": name, "label": label, "sub": "", "number": number, "sorted": _way(sort) if sort[0] == name else "",
            "hint": f"Sort by {label}" if name else "", "movable": False, "pinned": False}  # fmt: skip


def _way(sort: tuple[str, bool]) -> str:
    return "descending" if sort[1] else "ascending"


def _runs(
    room: ExperimentRoom,
    digits: Mapping[str, int],
    slots: Mapping[str, str],
    versions: Mapping[str, tuple[str, str]],
    now: datetime,
    wall: datetime,
    zone: str,
) -> list[dict[str, Any]]:
    ticked, runs = set(room.tray.ids), room.rows
    made = []
    cells = [_run_cells(room, one, digits) for one in room.columns]
    texts = {one.name: runs.column(one.name).to_list() for one in room.columns if one.kind != "metrics"}
    infos = runs.info[["run_name", "status", "start_time", "end_time"]].to_dict("records")
    for at, run_id in enumerate(runs.ids):
        info = infos[at]
        icon, label, colour = STATUS_LOOKS.get(info["status"], ("help", str(info["status"]), "gray"))
        begun = math.nan if info["start_time"] is None else float(info["start_time"])
        took = (info["end_time"] - begun) / 1000
        version = versions.get(run_id)
        name = info["run_name"] or fmt.short(run_id)
        unfinished = {"flag": icon, "flag_colour": colour, "flag_text": label}
        own = [
            _text(texts[one.name][at]) if one.kind != "metrics" else cells[number][at]
            for number, one in enumerate(room.columns)
        ]
        made.append(
            {
                "id": run_id, "name": name, "cut": cut(name), "version": f"v{version[1]}" if version else "",
                "hint": f"{name}, {run_id}; became {version[0]} v{version[1]}" if version else "",
                "ticked": "all" if run_id in ticked else "", "pinned": run_id == room.baseline,
                "slot": slots.get(run_id, ""),
                **(unfinished if info["status"] != RunStatus.FINISHED else {}),
                "cells": [
                    *own,
                    *([] if all_finished(room) else [{"text": label, "icon": icon, "colour": colour}]),
                    {"text": started(begun, now, wall), "hint": _instant(begun, zone)},
                    {"text": fmt.duration(None if math.isnan(took) else took)},
                ],
            }
        )  # fmt: skip
    return made


def _run_cells(room: ExperimentRoom, column: Column, digits: Mapping[str, int]) -> list[dict[str, Any]]:
    if column.kind != "metrics":
        return []
    made = []
    for at, run_id in enumerate(room.rows.ids):
        state = room.rows.state(at, column.key)
        if state == "missing":
            where = f" at step {column.step:,}" if column.step is not None else ""
            made.append({"text": fmt.MISSING, "odd": True, "hint": f"{column.key} was not logged{where}"})
            continue
        value = room.rows.metric(at, column.key)
        one: dict[str, Any] = {"text": value_text(value, digits[column.key]), "odd": state != "value"}
        if room.baseline and run_id != room.baseline:
            one |= _delta(value, room.base.get(column.key, math.nan), column, digits[column.key])
            if run_id in room.judged_elsewhere:
                one |= _unjudged(one)
        made.append(one)
    return made


def _groups(room: ExperimentRoom, digits: Mapping[str, int], slots: Mapping[str, str]) -> list[dict[str, Any]]:
    assert room.groups is not None
    grouping, ticked, made = room.grouping, set(room.tray.ids), []
    base = room.runs.places([room.baseline])
    base_code = int(grouping.codes[base[0]]) if base else -1
    means: dict[str, Any] = {
        key: one.loc[list(room.groups.order)].to_dict("index") for key, one in room.groups.metrics.items()
    }
    names = enough(room.runs, grouping, room.groups.order)[:_MOST_NAMED]
    columns = _of_groups(room)
    texts = {one.name: room.runs.column(one.name).to_numpy() for one in columns if one.kind != "metrics"}
    for code in room.groups.order:
        ids = room.groups.members[code]
        held = sum(one in ticked for one in ids)
        at = int(grouping.first[code])
        name = label(room.runs, grouping, code, names)
        cells: list[dict[str, Any]] = []
        for column in columns:
            if column.kind == "metrics":
                one = _mean(means[column.key][code], digits[column.key])
                if base and code != base_code:
                    mean = means[column.key][code]["mean"]
                    one |= _delta(mean, room.base.get(column.key, math.nan), column, digits[column.key])
                    if not room.judged_elsewhere.isdisjoint(ids):
                        one |= _unjudged(one)
                    elif column.key in room.groups.tests:
                        one |= _seeds(one, room.groups.tests[column.key][code], told=_told(mean, column, room))
                cells.append(one)
            elif column.key == grouping.key:
                said = [str(texts[column.name][place]) for place in room.runs.places(ids)]
                cells.append(_text(", ".join(_in_order(said))))
            else:
                cells.append(_text(texts[column.name][at]))
        made.append(
            {
                "id": f"g{code}", "ids": list(ids),
                "name": name, "cut": cut(name), "hint": name, "runs": len(ids), "count": fmt.plural(len(ids), "run"),
                "ticked": "all" if held == len(ids) else "some" if held else "", "pinned": code == base_code,
                "slot": next((slots[one] for one in ids if one in slots), ""), "cells": cells,
            }
        )  # fmt: skip
    return made


def _mean(row: Mapping[str, float], digits: int) -> dict[str, Any]:
    n, finite = int(row["n"]), int(row["n_finite"])
    of = "" if finite == n else f" ({finite} of {n})"
    if not finite:
        return {"text": fmt.MISSING, "odd": True, "spread": of.strip(), "hint": "no run has a finite value"}
    mean = fmt.metric(row["mean"], digits)
    if finite == 1:
        return {"text": mean, "spread": of.strip(), "hint": "one run: no interval"}
    half = row["high"] - row["mean"]
    said = fmt.interval(row["low"], row["high"], digits, signed=False)
    return {
        "text": mean,
        "spread": f"± {fmt.metric(half, digits)}{of}",
        "hint": f"mean of {finite}; 95 % t interval over repeats {said}; sd {fmt.metric(row['sd'], digits)}",
    }


def _delta(value: float, base: float, column: Column, digits: int) -> dict[str, Any]:
    difference = value - base
    if not math.isfinite(difference):
        return {}
    text = fmt.delta(difference, digits)
    if float(f"{difference:.{digits}f}") == 0 or column.direction is None:
        return {"delta": text, "verdict": ""}
    gain = directions.gain(value, base, column.direction)
    if float(f"{gain:.{digits}f}") == 0:
        return {"delta": text, "verdict": ""}
    word, sign = ("better", "▲") if gain > 0 else ("worse", "▼")
    said = _FROM_ZERO[gain > 0] if column.direction is Direction.ZERO else word
    hint = f"{said} than the baseline by {fmt.metric(abs(gain), digits)}"
    return {"delta": f"{text} {sign}", "verdict": word, "hint": hint}


def _seeds(cell: Mapping[str, Any], test: SeedTest, *, told: bool) -> dict[str, Any]:
    """A difference of means is coloured only when it is more than the seed; the hint says how that was found.

    `told`: the difference alone tells which one is better; it does not on both sides of the 0 that is best.
    """
    if not cell.get("delta"):
        return {}
    hint = f"{test.sentence[:1].upper()}{test.sentence[1:]}"
    return (
        {"hint": hint} if test.beyond and told else {"delta": cell["delta"].rstrip(" ▲▼"), "verdict": "", "hint": hint}
    )


def _told(mean: float, column: Column, room: ExperimentRoom) -> bool:
    return column.direction is not Direction.ZERO or mean * room.base.get(column.key, math.nan) > 0


def _unjudged(cell: Mapping[str, Any]) -> dict[str, Any]:
    """A difference without a verdict: the two were judged on other rows."""
    return {"delta": cell["delta"].rstrip(" ▲▼"), "verdict": "", "hint": _OTHER_ROWS} if cell.get("delta") else {}


def _text(value: Any) -> dict[str, Any]:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return {"text": fmt.MISSING, "odd": True}
    text = str(value)
    short = short_value(text)
    return {"text": short, "hint": text if len(text) > 24 or short != text else ""}


def _in_order(texts: Sequence[str]) -> list[str]:
    return sorted(texts, key=standing)


def _instant(ms: float, zone: str) -> str:
    return "" if math.isnan(ms) else fmt.instant(datetime.fromtimestamp(ms / 1000, tz=UTC), zone)
