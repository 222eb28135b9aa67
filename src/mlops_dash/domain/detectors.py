"""Which tests of alibi-detect may be asked for a second opinion, and how its licence is said."""

from __future__ import annotations

from collections.abc import Iterable

from mlops_dash.errors import InvalidInput

DETECTORS = {
    "tabular": "TabularDrift: KS or chi-square a column, Bonferroni",
    "classifier": "ClassifierDrift: scikit-learn's boosted trees, judged on a half of the rows",
    "ks": "KSDrift: Kolmogorov-Smirnov on the columns of numbers, Bonferroni",
    "chisquare": "ChiSquareDrift: chi-square on the columns of names, Bonferroni",
    "cvm": "CVMDrift: Cramér-von Mises on the columns of numbers, Bonferroni",
    "mmd": "MMDDrift: maximum mean discrepancy; needs PyTorch",
}
USUAL = ("tabular",)


def detectors_of(text: str) -> tuple[str, ...]:
    """The detectors that a policy names, separated by commas.

    >>> detectors_of("tabular, classifier"), detectors_of("")
    (('tabular', 'classifier'), ())

    Raises:
        InvalidInput: one of them is none.
    """
    return known([name.strip() for name in text.split(",") if name.strip()])


def known(names: Iterable[str]) -> tuple[str, ...]:
    """The same names, each once.

    Raises:
        InvalidInput: one of them is no detector.
    """
    found = tuple(dict.fromkeys(names))
    stranger = next((name for name in found if name not in DETECTORS), None)
    if stranger is not None:
        raise InvalidInput(f"There is no detector {stranger!r}.", hint=f"Known: {', '.join(DETECTORS)}.")
    return found


def licence_words(version: str, licence: str) -> str:
    """What the licence of the installed alibi-detect allows, in a sentence.

    >>> licence_words("0.12.0", "Apache License 2.0")
    'alibi-detect 0.12.0, licence: Apache License 2.0.'
    """
    said = f"alibi-detect {version}, licence: {licence or 'not said'}"
    if "business source" not in licence.lower():
        return f"{said}."
    return (
        f"{said}: not open source. Anybody may try it; use in production needs a licence from Seldon, except for "
        "non-profit educational institutions. Four years after its release a version becomes Apache 2.0."
    )
