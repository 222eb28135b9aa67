"""What does somebody's MLflow offer to watch, and what does each of its models seem to predict?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mlops_dash.domain.registry.live import DEFAULT
from mlops_dash.domain.tasks import BINARY, MULTICLASS, REGRESSION, TASKS

TASK_TAGS = ("mlops_dash.task", "task", "model_type")
OWNER_TAGS = ("owner", "team")
CLASSES_TAG = "classes"
_WORDS = {"regressor": REGRESSION.name, "classifier": BINARY.name}
_FRACTIONS = ("double", "float", "float64", "float32")
_WORDY = ("string", "str", "object")


@dataclass(frozen=True)
class Offered:
    """One registered model of an MLflow server.

    Attributes:
        aliases: Alias -> version number.
        stages: Stage -> version number, of the newest version in each; "None" is left out.
        tags: Of the registered model.
        version: Its newest version; "" = it has none.
        signature: Whether that version says its inputs and outputs; None = its MLmodel file cannot be read.
        flavour: What it was logged with, such as sklearn; "" = not known.
        task: What it seems to predict; "" = that cannot be told.
        why: How that is told, or why not.
        owner: Who owns it by its tags; "" = nobody says.
        live: The mark that seems to say which version is live.
        watched: "" | "watched" | "archived".
        classes: By name, where a tag says them; they can be said when it is adopted.
    """

    name: str
    aliases: Mapping[str, str]
    stages: Mapping[str, str]
    tags: Mapping[str, str]
    version: str
    signature: bool | None
    flavour: str
    task: str
    why: str
    owner: str
    live: str = DEFAULT
    watched: str = ""
    classes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Catalogue:
    """All registered models of a server, by name; `reason` says why there are none when it does not answer."""

    uri: str
    reachable: bool
    reason: str
    models: tuple[Offered, ...] = ()

    @property
    def new(self) -> tuple[Offered, ...]:
        """Those that nobody watches yet."""
        return tuple(one for one in self.models if not one.watched)


def owner_of(tags: Mapping[str, str]) -> str:
    """Whom the tags name as owner.

    >>> owner_of({"team": "late"})
    'late'
    """
    return next((tags[name].strip()[:120] for name in OWNER_TAGS if tags.get(name, "").strip()), "")


def classes_of(tags: Mapping[str, str], outputs: Sequence[Mapping[str, Any]] | None = None) -> tuple[str, ...]:
    """The classes that a tag names, in its order, or the columns of a signature do; none where neither does.

    >>> classes_of({"classes": "it's gold; silver"}), classes_of({})
    (("it's gold", 'silver'), ())
    >>> classes_of({}, [{"type": "double", "name": name} for name in ("rain", "sun", "it's snow")])
    ('rain', 'sun', "it's snow")
    """
    said = tuple(name.strip() for name in tags.get(CLASSES_TAG, "").split(";") if name.strip())
    return said or (tuple(str(one["name"]) for one in outputs) if outputs and _a_class_each(outputs) else ())


def proposed_task(tags: Mapping[str, str], outputs: Sequence[Mapping[str, Any]] | None) -> tuple[str, str]:
    """What a model seems to predict, by its tags or else by the outputs of its signature, and how that is told.

    Args:
        tags: Of the model and its version.
        outputs: As MLflow writes them in MLmodel; None without a signature.

    >>> proposed_task({}, [{"type": "double"}])
    ('regression', 'one number a row')
    >>> proposed_task({}, [{"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1, 2]}}])
    ('binary', 'a probability for each of two classes')
    >>> proposed_task({}, [{"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1, 4]}}])
    ('multiclass', '4 numbers a row: one a class, if they are probabilities')
    >>> proposed_task({}, [{"type": "string"}])
    ('multiclass', 'a word a row: the class by its name')
    """
    known = {task.name for task in TASKS}
    for name in TASK_TAGS:
        said = tags.get(name, "").strip().lower()
        if _WORDS.get(said, said) in known:
            return _WORDS.get(said, said), f"tag {name}"
    if not outputs:
        return "", "no signature says what it answers"
    if len(outputs) > 1:
        names = ", ".join(str(one.get("name", "")) for one in outputs[:4])
        if _a_class_each(outputs):
            return MULTICLASS.name, f"{len(outputs)} numbers a row: one a class by its name, if they are probabilities"
        return "", f"several answers a row: {names}"
    kind, width = _shape(outputs[0])
    if width is not None and width > 1:
        if width == 2 and kind in _FRACTIONS:
            return BINARY.name, "a probability for each of two classes"
        if kind in _FRACTIONS:
            return MULTICLASS.name, f"{width} numbers a row: one a class, if they are probabilities"
        return "", f"{width} numbers a row"
    if kind in _FRACTIONS:
        return REGRESSION.name, "one number a row"
    if kind in _WORDY or kind.startswith("<U"):
        return MULTICLASS.name, "a word a row: the class by its name"
    return BINARY.name, f"a class a row ({kind}), if there are two: log it with predict_proba to be scored"


def _a_class_each(outputs: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a signature has three or more columns of numbers with fractions, each with a name of its own."""
    names = {str(one.get("name") or "").strip() for one in outputs} - {""}
    return len(outputs) > 2 and len(names) == len(outputs) and all(_shape(one)[0] in _FRACTIONS for one in outputs)


def _shape(output: Mapping[str, Any]) -> tuple[str, int | None]:
    """Type of an output, and how many of them a row has; None = one."""
    spec = output.get("tensor-spec")
    if not isinstance(spec, Mapping):
        return str(output.get("type", "")), None
    shape = spec.get("shape") or [-1]
    width = shape[-1] if len(shape) > 1 and isinstance(shape[-1], int) else None
    return str(spec.get("dtype", "")), width
