"""The Experiments page's state is its URL: this file reads it, writes it, and keeps it for the way back.

exp q st p sort cols pin diff view rep pg   which runs, in which columns and order; pin: columns at the left
runs base run   the compare tray, the baseline, the run whose details are open
red dir         reducer and direction by metric: red={"auc":"best","loss":"at 100"}, dir={"loss":"down"}
show            both, the table alone, or the pictures alone
tab m           the picture beside the table (alone, they may be several: tab=Curves,Box), and its metric
x smooth band n the curves: their x, smoothing, band and how many
at vs by pf     axes of scatter and contour, parameter of the boxes, metrics of the Pareto front
eq env          differences: equal facts too, installed packages too
rm mg dt who why pair cut fs ff fc fv fp thr file   "Is it real?": metric, margin, tag of the data version, runs or
                configurations, part, pair, slices, flipped rows (seed, side, column, value, page, threshold), file
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence

from app.shell import session
from mlops_dash.domain.evidence import Direction
from mlops_dash.domain.experiments import directions
from mlops_dash.domain.experiments.filter import Mistake, parse
from mlops_dash.domain.experiments.frame import Reducer
from mlops_dash.domain.experiments.pictures import Axis, Band, Picture
from mlops_dash.domain.experiments.room import MOST_TRAY, RunQuery

NAMES = (
    "exp", "q", "st", "p", "sort", "cols", "diff", "view", "rep", "pg", "runs", "base", "red", "dir", "m", "x",
    "smooth", "at", "eq", "tab", "pin", "band", "n", "vs", "by", "pf", "env", "show",
    "rm", "mg", "dt", "who", "why", "pair", "cut", "fs", "ff", "fc", "fv", "fp", "thr", "file",
)  # fmt: skip
PICTURES = {
    "Curves": Picture.CURVES, "Parallel": Picture.PARALLEL, "Scatter": Picture.SCATTER, "Contour": Picture.CONTOUR,
    "Box": Picture.BOX, "Importance": Picture.IMPORTANCE, "Pareto": Picture.PARETO,
    "Differences": Picture.DIFFERENCES,
}  # fmt: skip
SHOWN = ("both", "table", "pictures")
_OF_PICTURES = frozenset(
    {"run", "base", "pg", "tab", "m", "x", "smooth", "band", "n", "at", "vs", "by", "eq", "env", "show"}
)
SMOOTHING = {"Off": 0.0, "Light": 0.6, "Strong": 0.9}
_KEPT, _GOOD = "_experiments_url", "_experiments_filter"
_ID = re.compile(r"[0-9a-f]{32}")
_AT = re.compile(r"at \d{1,15}")
_WAYS: dict[str, Direction | None] = {**{key: way for way, key in directions.KEYS.items()}, "none": None}


def arrive() -> None:
    """Coming back to the page without parameters (Back, the sidebar) finds it as it was left."""
    if any(session.param(name) for name in (*NAMES, "run")):
        return
    kept = session.get(_KEPT) or {}
    session.set_params(kept)


def keep() -> None:
    """Remember the state for `arrive`."""
    session.put(_KEPT, {name: session.param(name) for name in NAMES if session.param(name)})


def state(experiment: str) -> dict[str, str]:
    """What a saved view keeps: every parameter, the experiment also where the link left it out."""
    found = {name: session.param(name) for name in NAMES if session.param(name)}
    return {**found, "exp": experiment}


def restore(kept: Mapping[str, str]) -> None:
    """Open a saved view: its parameters and no others."""
    session.put(_KEPT, {})
    session.set_params({"run": "", **{name: kept.get(name, "") for name in NAMES}})


def forget(*names: str) -> None:
    """Remove parameters, here and from what is remembered."""
    kept = session.get(_KEPT) or {}
    session.put(_KEPT, {name: value for name, value in kept.items() if name not in names})
    session.set_params(dict.fromkeys(names, ""))


def query() -> RunQuery:
    """What the URL asks for; a value that makes no sense is left out."""
    text = session.param("q")
    if not isinstance(parse(text), Mistake):
        session.put(_GOOD, text)
    return RunQuery(
        experiment=session.param("exp"),
        text=text,
        text_before=session.get(_GOOD) or "",
        statuses=words("st"),
        chosen=chosen(),
        sort=session.param("sort"),
        columns=columns(),
        differences=session.param("diff") == "1",
        grouped=session.param("view") == "groups",
        repeat_key=None if "rep" not in session.params() else session.param("rep").removeprefix("-"),
        page=int(session.param("pg")) if session.param("pg").isdecimal() else 1,
        tray=tray(),
        data_tag=session.param("dt"),
        baseline=session.param("base") if _ID.fullmatch(session.param("base")) else "",
        reducers=reducers(),
        steps={key: int(word[3:]) for key, word in pairs("red").items() if _AT.fullmatch(word)},
        directions={key: _WAYS[word] for key, word in pairs("dir").items() if word in _WAYS},
        picture=PICTURES[pictures()[0]],
        curve=session.param("m"),
        axis=Axis(session.param("x")) if session.param("x") in set(Axis) else Axis.STEP,
        smoothing=SMOOTHING.get(session.param("smooth"), 0.0),
        band=Band.SD if session.param("band") == "sd" else Band.RANGE,
        lines=int(session.param("n")) if session.param("n").isdecimal() else 0,
        front=front(),
        pinned=pinned(),
        environment=session.param("env") == "1",
    )


def shown() -> str:
    """What the page shows of table and pictures."""
    return session.param("show") if session.param("show") in SHOWN else SHOWN[0]


def pictures() -> tuple[str, ...]:
    """Names of the chosen pictures, at least one, in the order of the control; beside the table only one has room."""
    asked = set(words("tab"))
    found = tuple(one for one in PICTURES if one in asked) or (next(iter(PICTURES)),)
    return found if shown() == "pictures" else found[:1]


def reducers() -> dict[str, Reducer]:
    """Reducer by metric."""
    found = {key: "at" if _AT.fullmatch(word) else word for key, word in pairs("red").items()}
    return {key: Reducer(word) for key, word in found.items() if word in set(Reducer)}


def front() -> tuple[str, ...]:
    """Metrics of the Pareto front."""
    found = _json("pf")
    return tuple(one for one in found if isinstance(one, str)) if isinstance(found, list) else ()


def pinned() -> tuple[str, ...]:
    """Columns that stay at the left."""
    found = _json("pin")
    return tuple(one for one in found if isinstance(one, str)) if isinstance(found, list) else ()


def words(name: str) -> tuple[str, ...]:
    """A list in the URL, separated by commas."""
    return tuple(one for one in session.param(name).split(",") if one)


def columns() -> tuple[str, ...]:
    """The chosen columns; names may hold anything, so they are JSON."""
    found = _json("cols")
    known = ("metrics.", "params.", "tags.")
    return (
        tuple(one for one in found if isinstance(one, str) and one.startswith(known)) if isinstance(found, list) else ()
    )


def chosen() -> dict[str, tuple[str, ...]]:
    """Clicked values by parameter."""
    found = _json("p")
    if not isinstance(found, dict):
        return {}
    return {str(name): tuple(map(str, values)) for name, values in found.items() if isinstance(values, list) and values}


def pairs(name: str) -> dict[str, str]:
    """Settings by metric."""
    found = _json(name)
    return {str(key): str(word) for key, word in found.items()} if isinstance(found, dict) else {}


def tray() -> tuple[str, ...]:
    """Run ids of the compare tray."""
    return tuple(dict.fromkeys(one for one in words("runs") if _ID.fullmatch(one)))[:MOST_TRAY]


def set_tray(ids: Sequence[str]) -> None:
    """Write the compare tray."""
    if ids:
        session.set_param("runs", ",".join(list(dict.fromkeys(ids))[:MOST_TRAY]))
    else:
        forget("runs")


def set_json(name: str, value: Mapping[str, object] | Sequence[str]) -> None:
    """Write a structured parameter; empty removes it."""
    if value:
        session.set_param(name, json.dumps(value, ensure_ascii=False, separators=(",", ":")))
    else:
        forget(name)


def set_word(name: str, value: str) -> None:
    """Write one parameter; empty removes it, here and from what is remembered. The first page is shown again."""
    if value:
        session.set_param(name, value)
    else:
        forget(name)
    if name not in _OF_PICTURES:
        forget("pg")


def _json(name: str) -> object:
    try:
        return json.loads(session.param(name) or "null")
    except ValueError:
        return None
