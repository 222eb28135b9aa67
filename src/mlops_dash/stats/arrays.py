"""Which arrays may enter a statistic? Checks and conversions shared by all of `stats`.

Nothing here measures anything; it only turns what callers hold into plain numpy arrays or says why it cannot.
"""

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from mlops_dash.errors import InvalidInput

Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]
Bools: TypeAlias = npt.NDArray[np.bool_]
ArrayLike: TypeAlias = npt.ArrayLike


def as_floats(values: ArrayLike, *, name: str = "values") -> Floats:
    """Return the values as a one-dimensional float64 array, with None and NA as NaN.

    Raises:
        InvalidInput: If the values are not numbers or not one-dimensional.

    >>> as_floats([1, None, 2.5])
    array([1. , nan, 2.5])
    """
    held: Any = values
    try:
        if hasattr(held, "to_numpy") and not isinstance(getattr(held, "dtype", None), np.dtype):
            array = np.asarray(held.to_numpy(dtype=np.float64, na_value=np.nan), dtype=np.float64)
        else:
            raw = np.asarray(held)
            if raw.dtype.kind in "MmUSc":
                raise TypeError(f"they are {raw.dtype}")
            array = raw.astype(np.float64, copy=False)
    except (TypeError, ValueError, OverflowError) as error:  # a whole number of 400 digits overflows
        raise InvalidInput(
            f"{name} are not numbers: {error}.", hint="Convert the column to numbers or declare it a category."
        ) from error
    if array.ndim != 1:
        raise InvalidInput(f"{name} have {array.ndim} dimensions; 1 is needed.", hint="Pass one column at a time.")
    return array


def as_complete(values: ArrayLike, *, name: str) -> Floats:
    """Return the values as float64 and refuse NaN and infinity.

    Raises:
        InvalidInput: If a value is missing or infinite.

    >>> as_complete([1, 2], name="scores")
    array([1., 2.])
    """
    array = as_floats(values, name=name)
    bad = int(np.count_nonzero(~np.isfinite(array)))
    if bad:
        raise InvalidInput(
            f"{name} hold {bad} missing or infinite values of {array.size}.",
            hint="Leave those rows out first and report how many they were.",
        )
    return array


def as_labels(values: ArrayLike, *, name: str = "labels") -> Bools:
    """Return 0/1 labels as booleans.

    Raises:
        InvalidInput: If a label is neither 0 nor 1.

    >>> as_labels([0, 1, 1])
    array([False,  True,  True])
    """
    array = as_complete(values, name=name)
    ones: Bools = array == 1.0
    other = int(np.count_nonzero(~ones & (array != 0.0)))
    if other:
        raise InvalidInput(
            f"{name} hold {other} values that are neither 0 nor 1.", hint="Map the positive class to 1, the other to 0."
        )
    return ones


def as_codes(clusters: ArrayLike) -> tuple[Ints, int]:
    """Return cluster codes 0..G-1 in sorted order of the cluster names, and G.

    >>> as_codes(["b", "a", "b"])
    (array([1, 0, 1]), 2)
    """
    names, codes = np.unique(np.asarray(clusters), return_inverse=True)
    return codes.astype(np.int64, copy=False), int(names.size)


def sums_by(values: npt.NDArray[Any], codes: Ints, n: int) -> Floats:
    """Return the sum of the values of each code 0..n-1, float[n].

    >>> sums_by(np.array([1, 2, 4]), np.array([0, 2, 2]), 3)
    array([1., 0., 6.])
    """
    summed: Floats = np.bincount(codes, weights=values, minlength=n).astype(np.float64, copy=False)
    return summed


def check_same_length(**arrays: npt.NDArray[Any]) -> None:
    """Refuse arrays of different lengths, naming each.

    Raises:
        InvalidInput: If the lengths differ.

    >>> check_same_length(labels=np.zeros(2), scores=np.zeros(2))
    """
    lengths = {name: int(array.shape[0]) for name, array in arrays.items()}
    if len(set(lengths.values())) > 1:
        said = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise InvalidInput(f"Arrays differ in length: {said}.", hint="Join them on the row id first.")


def check_groups(groups: Ints, n_groups: int) -> None:
    """Refuse group numbers outside 0..n_groups-1.

    Raises:
        InvalidInput: If a group number is out of range.

    >>> check_groups(np.array([0, 1]), 2)
    """
    if groups.size and (int(groups.min()) < 0 or int(groups.max()) >= n_groups):
        raise InvalidInput(
            f"Group numbers run from {int(groups.min())} to {int(groups.max())}; allowed are 0 to {n_groups - 1}.",
            hint="Number the groups from 0.",
        )


def check_between(value: float, low: float, high: float, *, name: str) -> float:
    """Return the value if it lies strictly between the bounds.

    Raises:
        InvalidInput: If it does not.

    >>> check_between(0.95, 0, 1, name="level")
    0.95
    """
    if not low < value < high:
        raise InvalidInput(
            f"{name} is {value}; it must lie between {low} and {high}.", hint=f"Give {name} a value inside."
        )
    return value
