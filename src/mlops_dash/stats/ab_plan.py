"""What does the plan of an A/B test promise: which difference can be found, and do the arms keep their shares?"""

import math
from collections.abc import Sequence

import numpy as np
from scipy.special import chdtrc, ndtri

from mlops_dash.stats.arrays import check_between


def detectable(*, sd: float, units: float, share: float, alpha: float, power: float) -> float:
    """Return the difference that one look at the end finds with probability `power`.

    Args:
        sd: Standard deviation between units.
        units: Units of both arms together.
        share: Share of units in arm 1.
        alpha: Two-sided error.
        power: Probability of finding it.

    >>> round(detectable(sd=1, units=785, share=.5, alpha=.05, power=.8), 3)
    0.2
    """
    for name, value in (("share", share), ("alpha", alpha), ("power", power)):
        check_between(value, 0.0, 1.0, name=name)
    reach = float(ndtri(1.0 - alpha / 2.0) + ndtri(power))
    return reach * sd * math.sqrt((1.0 / share + 1.0 / (1.0 - share)) / units)


def sample_ratio_p(counts: Sequence[int], shares: Sequence[float]) -> float:
    """Return the chi-square p of counts against planned shares, for the final report; NaN without units.

    >>> round(sample_ratio_p([510, 490], [.5, .5]), 3)
    0.527
    """
    seen, planned = np.asarray(counts, dtype=np.float64), np.asarray(shares, dtype=np.float64)
    if seen.sum() == 0:
        return math.nan
    expected = seen.sum() * planned / planned.sum()
    return float(chdtrc(seen.size - 1, ((seen - expected) ** 2 / expected).sum()))
