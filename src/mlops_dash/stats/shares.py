"""How do two shares differ where one may be 0 of n or n of n, so that no standard error exists?"""

import math

from mlops_dash.stats.intervals import wilson


def newcombe(ones: tuple[int, int], n: tuple[int, int], *, level: float) -> tuple[float, float]:
    """Return the interval of the difference of two shares, from the Wilson interval of each; good at 0 of n.

    Args:
        ones: Ones of arm 1 and of the control.
        n: Units of both, above 0.
        level: Coverage.

    References:
        - R. G. Newcombe, Statistics in Medicine 17 (1998), method 10.

    >>> [round(end, 4) for end in newcombe((56, 48), (70, 80), level=.95)]
    [0.0524, 0.3339]
    """
    p_1, p_0 = ones[0] / n[0], ones[1] / n[1]
    (low_1, high_1), (low_0, high_0) = wilson(ones[0], n[0], level=level), wilson(ones[1], n[1], level=level)
    down, up = math.hypot(p_1 - low_1, high_0 - p_0), math.hypot(high_1 - p_1, p_0 - low_0)
    return p_1 - p_0 - down, p_1 - p_0 + up


def exact_p(ones: tuple[int, int], n: tuple[int, int]) -> float:
    """Return Fisher's two-sided p of equal shares.

    >>> round(exact_p((3, 0), (3, 3)), 9), exact_p((0, 0), (9, 9))
    (0.1, 1.0)
    """
    from scipy.stats import fisher_exact  # a second of imports that only an arm without spread needs

    table = [[ones[0], n[0] - ones[0]], [ones[1], n[1] - ones[1]]]
    return min(1.0, float(fisher_exact(table).pvalue))
