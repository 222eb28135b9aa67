"""What can be typed to take a next step: commands with the model's and the version's name in them, ready to be copied.

Names are quoted for a shell, whatever they hold.
"""

from __future__ import annotations

import shlex


def monitor(model: str) -> str:
    """Judge a model now and print everything.

    >>> monitor("late or not")
    "mlops-dash monitor --model 'late or not' --json"
    """
    return f"mlops-dash monitor --model {shlex.quote(model)} --json"


def evidence_push(model: str, version: str) -> str:
    """Measure a version on rows that its own pipeline scored.

    >>> evidence_push("late or not", "2")
    "mlops-dash evidence push --model 'late or not' --version 2 --rows FILE --id C --label C --score C"
    """
    return f"mlops-dash evidence push {_of(model, version)} --rows FILE --id C --label C --score C"


def evidence_check(model: str, version: str) -> str:
    """Check the files of a version: its signature, and its input example in a fresh process.

    >>> evidence_check("churn", "2")
    'mlops-dash evidence check --model churn --version 2'
    """
    return f"mlops-dash evidence check {_of(model, version)}"


def evidence_compare(model: str, version: str) -> str:
    """Compare a version with the one that answers, on rows that both pushed.

    >>> evidence_compare("churn", "2")
    'mlops-dash evidence compare --model churn --version 2'
    """
    return f"mlops-dash evidence compare {_of(model, version)}"


def reference_of_file(model: str, version: str) -> str:
    """Compare live traffic with the rows of a file."""
    return f"mlops-dash reference push FILE --time C --score C --label C {_of(model, version)}"


def reference_of_days(model: str, version: str, days: int) -> str:
    """Compare live traffic with the first labelled days of the log.

    >>> reference_of_days("late or not", "1", 30)
    "mlops-dash reference push --first-days 30 --model 'late or not' --version 1"
    """
    return f"mlops-dash reference push --first-days {days} {_of(model, version)}"


def model_answers(model: str) -> str:
    """Say which version of a model that is served elsewhere answers now.

    >>> model_answers("late or not")
    "mlops-dash model answers 'late or not' --version V --reason TEXT"
    """
    return f"mlops-dash model answers {shlex.quote(model)} --version V --reason TEXT"


def floor_set(model: str) -> str:
    """Write what a first version must reach alone."""
    return f"mlops-dash policy set --model {shlex.quote(model)} --set floor_metric=M --set floor=X --reason TEXT"


def _of(model: str, version: str) -> str:
    return f"--model {shlex.quote(model)} --version {shlex.quote(version)}"
