"""Does a column that had one value, or none, still have it? Counts, where a distance between histograms has no meaning.

Whether the counts are drift is decided in `domain.monitoring`.
"""

from dataclasses import dataclass

from scipy.stats import hypergeom

from mlops_dash.stats.cells import CategoryCells, Cells, NumericCells
from mlops_dash.stats.counting import Histogram

NEARLY_EMPTY = 0.01  # a reference with values in at most this share of its rows is judged by that share


@dataclass(frozen=True, slots=True)
class Others:
    """Rows besides the value that fills a reference; of a (nearly) always empty reference: rows with a value.

    Attributes:
        value: The filling value in words, "" where the reference is (nearly) empty.
        reference: Such rows in the reference.
        n_reference: Rows of the reference.
        current: Such rows in the window.
        n_current: Rows of the window.
    """

    value: str
    reference: int
    n_reference: int
    current: int
    n_current: int

    @property
    def p_value(self) -> float:
        """Chance of so many or more of them in the window if both had one rate (Fisher's exact test, one-sided).

        1 where either is empty.

        References:
            - R. A. Fisher, "The Logic of Inductive Inference", JRSS 98 (1935).

        >>> round(Others("0", 5, 10_000, 1, 100).p_value, 4)
        0.058
        >>> Others("0", 5, 10_000, 0, 100).p_value
        1.0
        """
        everything, marked = self.n_reference + self.n_current, self.reference + self.current
        return float(hypergeom.sf(self.current - 1, everything, marked, self.n_current)) if everything else 1.0


@dataclass(frozen=True, slots=True)
class Risen:
    """The cell that gained the largest share.

    Attributes:
        label: What it holds.
        reference: Its share of the reference.
        current: Its share of the window.
    """

    label: str
    reference: float
    current: float


def others_of(cells: Cells, reference: Histogram, current: Histogram) -> Others | None:
    """Rows besides the one value of a reference; None where no value is common (an id), or several are."""
    if reference.n == 0 or current.n == 0:
        return None
    if reference.present <= NEARLY_EMPTY * reference.n:
        return Others("", reference.present, reference.n, current.present, current.n)
    if current.present == 0:
        return None
    top = int(reference.counts.argmax())
    if isinstance(cells, CategoryCells) and top == len(cells.levels):
        return None  # "rest" is many values
    rest, now = int(reference.present - reference.counts[top]), int(current.present - current.counts[top])
    if isinstance(cells, NumericCells) and cells.edges[0] == cells.edges[-1]:
        return Others(f"{cells.edges[0]:g}", 0, reference.present, current.outside, current.present)
    one_value = isinstance(cells, NumericCells) and cells.edges[top] == cells.edges[top + 1]
    value = f"{cells.edges[top]:g}" if isinstance(cells, NumericCells) and one_value else _label(cells, top)
    return Others(value, rest, reference.present, now, current.present)


def risen_of(cells: Cells, reference: Histogram, current: Histogram) -> Risen | None:
    """The cell whose share grew most."""
    if reference.present == 0 or current.present == 0 or cells.k < 2:
        return None
    old, new = reference.counts / reference.present, current.counts / current.present
    at = int((new - old).argmax())
    return Risen(_label(cells, at), float(old[at]), float(new[at]))


def _label(cells: Cells, at: int) -> str:
    """One of `cells.labels`, without making all of them."""
    if isinstance(cells, CategoryCells):
        return cells.levels[at] if at < len(cells.levels) else "rest"
    low, high = f"{cells.edges[at]:.4g}", f"{cells.edges[at + 1]:.4g}"
    return f"over {low}" if at == cells.k - 1 else f"up to {high}" if at == 0 else f"{low} to {high}"
