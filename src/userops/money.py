"""Exact money: amounts are integers of 1/10,000 of the currency unit, so sums never depend on row order.

Float sums differ in the last digits with the number of threads; integer sums do not. Four decimals hold every
currency's minor unit and the unit prices of real exports. Anything at or above :data:`LIMIT` units in one row
is rejected as unreadable rather than risk an overflow.
"""

from __future__ import annotations

import polars as pl

SCALE = 10_000
"""Integer steps in one currency unit."""

LIMIT = 1e11
"""Largest absolute amount of one row, in currency units."""


def scaled(amount: pl.Expr) -> pl.Expr:
    """Amounts as exact Int64 steps: numbers in currency units in, null and non-finite and too large to null."""
    value = amount.cast(pl.Float64, strict=False)
    return pl.when(value.abs() < LIMIT).then((value * SCALE).round()).cast(pl.Int64, strict=False)


def units(steps: pl.Expr) -> pl.Expr:
    """Exact steps back to currency units (Float64, the nearest double).

    Rounded, because Polars divides by a scalar as a product with its reciprocal, which can miss by one bit.
    """
    return (steps / SCALE).round(4)
