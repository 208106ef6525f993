"""Order statistics and small estimates that several analyses share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import date
from statistics import NormalDist, median
from typing import NamedTuple

import polars as pl


def cuts(values: pl.Series, bins: int) -> tuple[int | float, ...]:
    """The ``bins - 1`` values that part ``values`` into equal-sized bins: those at rank ``ceil(k * n / bins)``.

    Always observed values, never interpolated; the same as SQL's ``quantile_disc`` and, for five bins on whole
    numbers, R ``rfm``'s quantile + 1. Null-free input; an empty series gives no cuts.
    """
    n = values.len()
    if n == 0:
        return ()
    ordered = values.sort()
    return tuple(ordered[-(-k * n // bins) - 1] for k in range(1, bins))


def score(value: pl.Expr, at: tuple[int | float, ...]) -> pl.Expr:
    """1 + the number of cuts strictly below ``value``: equal values always get equal scores."""
    total = pl.lit(1, dtype=pl.Int8)
    for cut in at:
        total = total + (value > cut).cast(pl.Int8)
    return total


def quantile_of_counts(value: pl.Series, count: pl.Series, share: float) -> int | float | None:
    """The smallest value at or below which ``share`` of the counted items lie; None when nothing was counted.

    ``value`` ascending, ``count`` how often each occurs: a histogram, so no item is held twice.
    """
    total = int(count.sum())
    if total == 0:
        return None
    found: int | float = value.filter(count.cum_sum() >= share * total)[0]
    return found


def ratio(part: pl.Expr, whole: pl.Expr) -> pl.Expr:
    """``part / whole`` to the nearest double, null where there is nothing to divide by.

    Polars divides a column by a scalar as a product with its reciprocal, which misses the nearest double about one
    time in three; so the divisor is made a column.
    """
    divisor = whole + part * 0
    return pl.when(divisor != 0).then(part / divisor)


def z_of(confidence: float) -> float:
    """How many standard deviations an interval of that confidence reaches to either side: 1.96 for 0.95."""
    return NormalDist().inv_cdf((1 + confidence) / 2)


def wilson(successes: pl.Expr, n: pl.Expr, confidence: float = 0.95) -> tuple[pl.Expr, pl.Expr]:
    """The interval of a share, low and high; null where ``n`` is 0.

    Wilson, E. B. (1927), Probable inference, the law of succession, and statistical inference: right for small samples
    and for shares near 0 and 1, never outside them.
    """
    z2 = z_of(confidence) ** 2
    share, count = ratio(successes, n), n.cast(pl.Float64)
    middle = (share + z2 / 2 / count) / (1 + z2 / count)
    half = (share * (1 - share) / count + z2 / 4 / count**2).sqrt() * z_of(confidence) / (1 + z2 / count)
    return (middle - half).clip(0, 1), (middle + half).clip(0, 1)


def wilson_interval(successes: float, n: float, confidence: float = 0.95) -> tuple[float, float]:
    """The interval of one share, low and high, as :func:`wilson` has it for columns; 0 to 1 where ``n`` is 0."""
    if n <= 0:
        return 0.0, 1.0
    z = z_of(confidence)
    share = successes / n
    middle = (share + z * z / 2 / n) / (1 + z * z / n)
    half = math.sqrt(share * (1 - share) / n + z * z / 4 / n**2) * z / (1 + z * z / n)
    return max(middle - half, 0.0), min(middle + half, 1.0)


def difference_interval(x1: float, n1: float, x0: float, n0: float, confidence: float = 0.95) -> tuple[float, float]:
    """The interval of ``x1/n1 - x0/n0``, low and high, from the Wilson intervals of both; -1 to 1 where one is empty.

    Newcombe, R. G. (1998), Interval estimation for the difference between independent proportions, method 10.
    """
    if n1 <= 0 or n0 <= 0:
        return -1.0, 1.0
    (low1, high1), (low0, high0) = wilson_interval(x1, n1, confidence), wilson_interval(x0, n0, confidence)
    share1, share0 = x1 / n1, x0 / n0
    difference = share1 - share0
    down, up = math.hypot(share1 - low1, high0 - share0), math.hypot(high1 - share1, share0 - low0)
    return difference - down, difference + up


class Tested(NamedTuple):
    """A two-sided test: its statistic, and how often chance alone gives one as far from 0."""

    statistic: float
    p: float


def two_proportions(x1: float, n1: float, x0: float, n0: float) -> Tested:
    """Whether the shares ``x1/n1`` and ``x0/n0`` differ: the z test with the pooled share.

    The statistic is above 0 where the first is higher. Nothing counted, or nobody (everybody) in both: 0 and p = 1.
    """
    pooled = (x1 + x0) / (n1 + n0) if n1 > 0 and n0 > 0 else 0.0
    if not 0 < pooled < 1:
        return Tested(0.0, 1.0)
    z = (x1 / n1 - x0 / n0) / math.sqrt(pooled * (1 - pooled) * (1 / n1 + 1 / n0))
    return Tested(z, normal_tails(z))


def welch(mean1: float, variance1: float, n1: int, mean0: float, variance0: float, n0: int) -> Tested:
    """Whether two means differ, their variances (of the samples, n - 1) being what they are: Welch's t test.

    Fewer than two in a group, or no variance in either: 0 and p = 1.
    """
    if min(n1, n0) < 2 or variance1 + variance0 <= 0:
        return Tested(0.0, 1.0)
    of1, of0 = variance1 / n1, variance0 / n0
    t = (mean1 - mean0) / math.sqrt(of1 + of0)
    freedom = (of1 + of0) ** 2 / (of1**2 / (n1 - 1) + of0**2 / (n0 - 1))
    return Tested(t, _incomplete_beta(freedom / 2, 0.5, freedom / (freedom + t * t)))


def normal_tails(z: float) -> float:
    """How often a standard normal number is at least as far from 0 as ``z``."""
    return math.erfc(abs(z) / math.sqrt(2))


def false_discovery(p_values: Sequence[float]) -> list[float]:
    """The q value of each p value, in the order given: the share of false alarms among all that are at most as large.

    Benjamini, Y. & Hochberg, Y. (1995), Controlling the false discovery rate.
    """
    n = len(p_values)
    q_values, least = [1.0] * n, 1.0
    for rank, place in enumerate(sorted(range(n), key=lambda i: p_values[i], reverse=True)):
        least = min(least, p_values[place] * n / (n - rank))
        q_values[place] = least
    return q_values


class Anomaly(NamedTuple):
    """A day whose value is not what its weekday has been: the value, the usual one, how many deviations apart."""

    day: date
    value: float
    usual: float
    z: float


def anomalies(days: pl.Series, values: pl.Series, weeks: int = 8, beyond: float = 5.0) -> list[Anomaly]:
    """The days that lie more than ``beyond`` robust deviations from the median of the same weekday before, by day.

    ``days``: Date, each once; days without a value are as if they were not there. What a day is held against is known
    on that day: the same weekday of the ``weeks`` before (half of them at least), and how far the days of these weeks
    lay from their own weekdays' medians (half of them at least, so that nothing is said before the 57th day): their
    median, since a shop that grows is always above, and their MAD x 1.4826, at least 1 % of the usual value, so that a
    change of one in a series that never moves is none.
    """
    table = pl.DataFrame({"day": days, "value": values.cast(pl.Float64)}).drop_nulls().sort("day")
    known = {day.toordinal(): value for day, value in table.iter_rows()}
    usual: dict[int, float] = {}
    off: dict[int, float] = {}
    found = []
    for day, value in known.items():
        same = [known[day - 7 * back] for back in range(1, weeks + 1) if day - 7 * back in known]
        if 2 * len(same) < weeks:
            continue
        usual[day] = median(same)
        off[day] = value - usual[day]
        before = [off[day - back] for back in range(1, 7 * weeks + 1) if day - back in off]
        if 2 * len(before) < 7 * weeks:
            continue
        drift = median(before)
        spread = max(1.4826 * median(abs(one - drift) for one in before), abs(usual[day]) / 100)
        z = (off[day] - drift) / spread if spread else 0.0
        if abs(z) > beyond:
            found.append(Anomaly(date.fromordinal(day), value, usual[day] + drift, z))
    return found


def _incomplete_beta(a: float, b: float, x: float) -> float:
    """The regularised incomplete beta function, by its continued fraction (Lentz)."""
    if not 0 < x < 1:
        return float(x >= 1)
    if x > (a + 1) / (a + b + 2):  # there the fraction of the other side converges faster
        return 1 - _incomplete_beta(b, a, 1 - x)
    front = math.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x))
    c, d = 1.0, 1 / (1 - (a + b) * x / (a + 1))
    fraction = d
    for m in range(1, 10_000):
        for step in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            c, d = 1 + step / c, 1 / (1 + step * d)
            fraction *= c * d
        if abs(c * d - 1) < 1e-15:
            break
    return front * fraction / a
