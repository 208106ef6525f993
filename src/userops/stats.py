"""Order statistics and small estimates that several analyses share."""

from __future__ import annotations

from statistics import NormalDist

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
