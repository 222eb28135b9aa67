"""Which of the offered models are watched from now on, and as what? Said by ticks, by words, or in a CSV file.

The file is written with one line a model, filled in with any editor or spreadsheet, and read back: `watch` says yes.
Nothing is taken when one line of it cannot be used.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mlops_dash.domain.registry.catalogue import Catalogue, Offered
from mlops_dash.domain.registry.editing import LONGEST, check_tier, checked_cadence, checked_cluster
from mlops_dash.domain.registry.live import live_mark
from mlops_dash.domain.registry.records import Model
from mlops_dash.domain.tasks import TASKS, task_named
from mlops_dash.errors import InvalidInput

CHOICES = ("task", "classes", "owner", "tier", "live", "window", "cluster")
COLUMNS = ("name", "watch", *CHOICES, "version", "flavour", "aliases", "stages", "told by", "state")
_YES, _NO = {"yes", "y", "true", "1", "x"}, {"", "no", "n", "false", "0"}
_RISKY = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet would run as a formula
MOST_BYTES = 10 * 1024 * 1024


@dataclass(frozen=True)
class Adoption:
    """One model that is to be watched.

    Attributes:
        name: As MLflow has it.
        task: What it predicts.
        class_names: Of several classes, in the order that stays.
        owner: "" = whoever adopts it.
        tier: 1 is the most critical.
        live: The mark in MLflow that its live version carries.
        window: How often it is judged.
        cluster: The column that names the rows which belong together; "" = none.
    """

    name: str
    task: str
    class_names: tuple[str, ...] = ()
    owner: str = ""
    tier: int = 2
    live: str = Model.live
    window: str = Model.cadence
    cluster: str = ""


def adoption_csv(found: Catalogue) -> str:
    """Every offered model as a line of CSV, with what seems to be so; those that nobody watches say `no`."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for one in found.models:
        writer.writerow([_harmless(cell) for cell in _cells(one)])
    return text.getvalue()


def read_adoptions(content: bytes, found: Catalogue) -> tuple[Adoption, ...]:
    """The models that a file says yes to, each checked.

    Args:
        content: A CSV file with at least the columns `name` and `watch`; a column that is not there, or an empty cell,
            leaves what seems to be so.
        found: What is offered now.

    Raises:
        InvalidInput: it is no such file, or a line cannot be used; the line is named.
    """
    known = {one.name: one for one in found.models}
    made: dict[str, Adoption] = {}
    for line, row in _lines(content):
        said = row["watch"].strip().lower()
        if said not in _YES | _NO:
            raise _bad(line, f"watch cannot be {row['watch'][:40]!r}", "Write yes or no.")
        if said in _NO:
            continue
        offered = known.get(row["name"]) or known.get(row["name"].removeprefix("'"))
        if offered is None:
            raise _bad(line, f"no model {row['name'][:80]!r} is registered there", "Write names as MLflow has them.")
        if offered.watched or offered.name in made:
            state = offered.watched or "on an earlier line"
            raise _bad(line, f"{offered.name} is {state} already", "Write no, or take the line out.")
        try:
            made[offered.name] = _adoption(offered, row)
        except InvalidInput as error:
            raise InvalidInput(f"Line {line}, {offered.name}: {error.message}", hint=error.hint) from None
    if not made:
        raise InvalidInput("The file says yes to no model.", hint="Write yes into the column watch.")
    return tuple(made.values())


def _cells(one: Offered) -> tuple[str, ...]:
    return (
        one.name, (one.watched and "yes") or "no", one.task, "; ".join(one.classes), one.owner, "2", one.live,
        Model.cadence, "", one.version, one.flavour, _pairs(one.aliases), _pairs(one.stages), one.why,
        one.watched or "new",
    )  # fmt: skip


def _adoption(offered: Offered, row: Mapping[str, str]) -> Adoption:
    said = {name: value for name in CHOICES if (value := row.get(name, "").strip())}
    task = said.get("task", offered.task)
    if task not in {one.name for one in TASKS}:
        why = f"{task!r} is no task" if task else f"what it predicts cannot be told: {offered.why}"
        raise InvalidInput(f"{why}.", hint=f"Write {', '.join(one.name for one in TASKS)} into the column task.")
    tier = said.get("tier", "2")
    if not tier.isdecimal() or not tier.isascii():
        raise InvalidInput(f"tier cannot be {tier!r}.", hint="Write 1 (most critical), 2 or 3.")
    check_tier(int(tier))
    owner = said.get("owner", offered.owner)
    if len(owner) > LONGEST or not owner.isprintable():
        raise InvalidInput(f"The owner is no text of up to {LONGEST} characters on one line.")
    classes = checked_classes(task, said.get("classes", ""), "Write them into the column classes, in order: a;b;c.")
    return Adoption(
        offered.name, task, classes, owner, int(tier), str(live_mark(said.get("live", offered.live))),
        checked_cadence(said.get("window", Model.cadence)), checked_cluster(said.get("cluster", "")),
    )  # fmt: skip


def checked_classes(task: str, text: str, hint: str) -> tuple[str, ...]:
    """The classes of a task in words, as somebody wrote them: a;b;c.

    >>> checked_classes("multiclass", " cat; a 'dog' ", "")
    ('cat', "a 'dog'")

    Raises:
        InvalidInput: they are missing, named twice, or the task has none; with the hint.
    """
    classes = tuple(name.strip() for name in text.split(";") if name.strip())
    predicts = task_named(task, classes)
    why = predicts.why_incomplete() or ("" if predicts.in_words or not classes else f"a {task} model has no classes")
    if why:
        raise InvalidInput(f"{why[:1].upper()}{why[1:]}.", hint=hint)
    return classes


def _lines(content: bytes) -> Sequence[tuple[int, dict[str, str]]]:
    """Number (the head is line 1) and cells of every line that is not empty."""
    if len(content) > MOST_BYTES:
        raise InvalidInput(f"The file is larger than {MOST_BYTES // 2**20} MiB.", hint="Send the models alone.")
    try:
        text = content.decode("utf-8-sig")
        separator = ";" if text.partition("\n")[0].count(";") > text.partition("\n")[0].count(",") else ","
        reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
        missing = [name for name in ("name", "watch") if name not in (reader.fieldnames or ())]
        if missing:
            raise InvalidInput(
                f"The file has no column {missing[0]!r}.", hint="Begin with the one that --export writes."
            )
        return [(reader.line_num, {key: value or "" for key, value in row.items() if key}) for row in reader]
    except (UnicodeDecodeError, csv.Error) as error:
        raise InvalidInput(f"The file is no CSV in UTF-8: {error}.", hint="Save it as CSV, UTF-8.") from None


def _pairs(marks: Mapping[str, str]) -> str:
    return " ".join(f"{mark}=v{version}" for mark, version in marks.items())


def _harmless(text: str) -> str:
    return f"'{text}" if text.startswith(_RISKY) else text


def _bad(line: int, why: str, hint: str) -> InvalidInput:
    return InvalidInput(f"Line {line}: {why}.", hint=hint)
