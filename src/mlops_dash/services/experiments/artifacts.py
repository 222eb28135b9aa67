"""The same file of several runs, read up to a size and made ready to stand side by side."""

from __future__ import annotations

import difflib
import io
import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

import pandas as pd

from mlops_dash.domain.experiments.why import (
    LARGEST,
    MOST_FILES,
    FileKind,
    FilesRoom,
    RunFile,
    SharedFile,
    flat,
    kind_of,
)
from mlops_dash.errors import InvalidInput, MlopsDashError
from mlops_dash.services.tables import as_written, table_of, table_of_json
from mlops_dash.tracking.experiments.files import RunFiles

_MOST_FOLDERS: Final = 20
_MOST_PIXELS: Final = 40_000_000
_MOST_TABLE_ROWS: Final = 200
_MOST_COLUMNS: Final = 60
_MOST_DIFF_LINES: Final = 600
_MOST_FACTS: Final = 400


def side_by_side(files: RunFiles, runs: Mapping[str, str], path: str) -> FilesRoom:
    """List the files of some runs, and read the chosen one of each.

    Args:
        files: Where they are.
        runs: Labels by run id, in the order shown; at most `MOST_FILES` are.
        path: Which file; an unknown one gives the first that can be shown and that most runs have.
    """
    shown = dict(list(runs.items())[:MOST_FILES])
    found: dict[str, int] = {}
    why: dict[str, str] = {}
    for run_id in shown:
        try:
            for one in _listed(files, run_id):
                found[one] = found.get(one, 0) + 1
        except MlopsDashError as error:
            why[run_id] = error.sentence()
    shared = sorted(
        (SharedFile(one, kind_of(one), n) for one, n in found.items()),
        key=lambda one: (one.kind is FileKind.OTHER, -one.n_runs, one.path),
    )  # fmt: skip
    hidden = len(runs) - len(shown)
    chosen = next((one for one in shared if one.path == path), shared[0] if shared else None)
    if chosen is None:
        return FilesRoom((), "", FileKind.OTHER, (), hidden=hidden, why=why)
    made = [_file(files, run_id, label, chosen) for run_id, label in shown.items()]
    room = FilesRoom(tuple(shared), chosen.path, chosen.kind, tuple(made), hidden=hidden, why=why)
    return _compared(room)


def _listed(files: RunFiles, run_id: str) -> list[str]:
    """Paths of a run's files, two folders deep."""
    paths: list[str] = []
    folders = [""]
    for _ in range(_MOST_FOLDERS):
        if not folders:
            break
        folder = folders.pop(0)
        for one in files.artifacts(run_id, folder):
            if not one.is_folder:
                paths.append(one.path)
            elif one.path.count("/") < 2:
                folders.append(one.path)
    return paths


def _file(files: RunFiles, run_id: str, label: str, chosen: SharedFile) -> RunFile:
    blank = RunFile(run_id, label)
    if chosen.kind is FileKind.OTHER:
        return replace(blank, why="Files of this kind are not shown; the run's details list them.")
    try:
        content = files.read(run_id, chosen.path, most=LARGEST[chosen.kind])
        return _shown(replace(blank, size=len(content)), content, chosen)
    except MlopsDashError as error:
        return replace(blank, why=error.sentence())


def _shown(blank: RunFile, content: bytes, chosen: SharedFile) -> RunFile:
    if chosen.kind is FileKind.IMAGE:
        _check_image(content)
        return replace(blank, image=content)
    if chosen.kind is FileKind.TABLE:
        return _table(blank, as_written(table_of(content, chosen.path)))
    text = _text(content)
    if chosen.kind is FileKind.JSON:
        try:
            said = json.loads(text)
        except ValueError as error:
            raise InvalidInput(f"This is no JSON: {error}.") from error
        if isinstance(said, dict) and set(said) == {"columns", "data"}:  # MLflow's log_table
            return replace(_table(blank, table_of_json(said)), text=text)
        return replace(blank, text=json.dumps(said, indent=2, ensure_ascii=False, sort_keys=True))
    return replace(blank, text=text)


def _check_image(content: bytes) -> None:
    """Refuse what is no image, or would be huge when unpacked."""
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with Image.open(io.BytesIO(content)) as found:
                width, height = found.size
                found.verify()
    except Exception as error:  # foreign code on foreign bytes: many kinds
        raise InvalidInput("This is no image that can be shown.") from error
    if width * height > _MOST_PIXELS:
        raise InvalidInput(f"This image has {width:,} x {height:,} pixels; at most {_MOST_PIXELS:,} are shown.")


def _table(blank: RunFile, frame: pd.DataFrame) -> RunFile:
    part = frame.iloc[:_MOST_TABLE_ROWS, :_MOST_COLUMNS].rename(columns=str)
    nested = [name for name in part.columns if part[name].map(lambda one: isinstance(one, (list, dict))).any()]
    return replace(blank, frame=part.assign(**{name: part[name].map(str) for name in nested}), n_rows=len(frame))


def _text(content: bytes) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidInput("This file is no UTF-8 text.") from error


def _compared(room: FilesRoom) -> FilesRoom:
    told = [one for one in room.shown if not one.why]
    if len(told) < 2:
        return room
    if room.kind is FileKind.IMAGE:
        return replace(room, equal=len({one.image for one in told}) == 1 and len(told) == len(room.shown))
    if room.kind is FileKind.TABLE or any(one.frame is not None for one in told):
        frames = [one.frame for one in told if one.frame is not None]
        same = all(frames[0].equals(one) for one in frames[1:]) and len({one.n_rows for one in told}) == 1
        return replace(room, equal=same and len(frames) == len(room.shown))
    texts = {one.run_id: one.text or "" for one in told}
    equal = len(set(texts.values())) == 1 and len(told) == len(room.shown)
    if room.kind is FileKind.JSON:
        return replace(room, equal=equal, differences=_facts(texts, [one.run_id for one in room.shown]))
    first, *others = texts
    return replace(room, equal=equal, diff={one: _diff(texts[first], texts[one]) for one in others})


def _facts(texts: Mapping[str, str], order: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """Paths on which the runs differ, with each run's value; "" where a run has none."""
    values = {run_id: flat(json.loads(text)) for run_id, text in texts.items()}
    paths = dict.fromkeys(path for one in values.values() for path in one)
    rows = [(path, *(values.get(run_id, {}).get(path, "") for run_id in order)) for path in paths]
    known = [at + 1 for at, run_id in enumerate(order) if run_id in values]
    return tuple(row for row in rows if len({row[at] for at in known}) > 1)[:_MOST_FACTS]


def _diff(before: str, after: str) -> str:
    lines = list(difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=2))[2:]
    more = len(lines) - _MOST_DIFF_LINES
    return "\n".join([*lines[:_MOST_DIFF_LINES], *([f"... {more:,} more lines"] if more > 0 else [])])
