"""Money of a row: what it is worth, in which currency, in whole units or in the smallest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import polars as pl

from userops import money
from userops.collecting import collect
from userops.errors import InputError
from userops.inputs import layouts, values
from userops.inputs.mapping import ruled
from userops.inputs.values import Reading
from userops.results import Text

if TYPE_CHECKING:
    from userops.inputs.mapping import Group, ReadOptions

ZERO_DECIMAL = (
    "BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF", "XPF",
)  # fmt: skip
"""Currencies whose smallest unit is the unit itself."""

THREE_DECIMAL = ("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND")
"""Currencies with a thousand small units."""


def read_amount(group: Group, options: ReadOptions, *, needed: bool) -> Reading | None:
    """Exact money of a row (Int64 steps): the amount, or price times quantity, less what was refunded.

    Flaws: ``missing_amount``, ``unreadable_amount``, ``non_finite_amount``. None where the file has no amount and none
    is ``needed``; InputError where one is.
    """
    roles, known = group.what.roles, group.what.variant
    if "amount" in roles:
        number = values.first_filled(
            [values.read_number(group.column(name), decimal_comma=options.decimal_comma) for name in roles["amount"]]
        )
    elif {"unit_price", "quantity"} <= set(roles) and "amount" not in group.what.open:
        number = _product(
            [
                values.read_number(group.column(roles[role][0]), decimal_comma=options.decimal_comma)
                for role in ("unit_price", "quantity")
            ]
        )
    elif needed:
        layouts.playing(group.what, "amount", group.first)
        return None
    else:
        return None
    if known is not None and known.totals_on_first_line:
        number = _once_per_order(number, group.is_further_line)
    if "refunded" in roles:
        number = _less(
            number, values.read_number(group.column(roles["refunded"][0]), decimal_comma=options.decimal_comma)
        )
    unit, notes = _unit(group, options)
    value = number.value / _small_units(group) if unit == "minor" else number.value
    steps = money.scaled(value)
    too_large = steps.is_null() & value.is_finite()
    unreadable = number.flaws.get("unreadable_amount")
    flaws = number.flaws | {"unreadable_amount": too_large if unreadable is None else unreadable | too_large}
    if known is not None and known.refunded:
        steps = pl.when(ruled(group, known.refunded)).then(pl.lit(0, pl.Int64)).otherwise(steps)
    return Reading(steps, pl.Int64(), flaws, (*number.notes, *notes), number.first)


def read_currency(group: Group, *, needed: bool) -> Reading | None:
    """The currency of a row as its code in capitals; None where the file does not say, and need not be asked."""
    if "currency" not in group.what.roles and not (needed and "currency" in group.what.open):
        return None
    text = values.trimmed(group.whole(layouts.playing(group.what, "currency", group.first)[0]))
    return Reading(text.cell.str.to_uppercase(), pl.String())


def _product(factors: Sequence[Reading]) -> Reading:
    """Price times quantity; a flaw of either is one of both."""
    reasons = dict.fromkeys(reason for factor in factors for reason in factor.flaws)
    flaws = {reason: values.any_of(f.flaws[reason] for f in factors if reason in f.flaws) for reason in reasons}
    note = Text("amount = unit price × quantity", "金额 = 单价 × 数量")
    price, quantity = factors
    return Reading(
        price.value * quantity.value,
        pl.Float64(),
        flaws,
        (note, *price.notes, *quantity.notes),
        (*price.first, *quantity.first),
    )


def _once_per_order(total: Reading, further: pl.Expr) -> Reading:
    """The total on the first line of an order, zero on its further lines."""
    flaws = total.flaws | {"missing_amount": total.flaws["missing_amount"] & ~further}
    return replace(total, value=pl.when(further).then(0.0).otherwise(total.value), flaws=flaws)


def _less(number: Reading, refunded: Reading) -> Reading:
    """An amount less what went back; nothing went back where the cell is empty."""
    flaws = number.flaws.copy()
    for reason, flaw in refunded.flaws.items():
        if not reason.startswith("missing"):
            flaws[reason] = values.any_of([flaws[reason], flaw]) if reason in flaws else flaw
    net = number.value - refunded.value.fill_null(0.0)
    return replace(number, value=net, flaws=flaws, first=(*number.first, *refunded.first))


def _unit(group: Group, options: ReadOptions) -> tuple[str, tuple[Text, ...]]:
    """Whether amounts are in units or in cents: as told; where an export leaves it open, decimals mean units."""
    known = group.what.variant
    if options.amount_unit is not None or known is None or not known.unit_open or "amount" not in group.what.roles:
        return options.amount_unit or "major", ()
    column = group.column(group.what.roles["amount"][0])
    text = values.trimmed(column)
    fraction = r"[.,]\d" if column.dtype == pl.String else r"\.\d*[1-9]"
    found = text.head.str.contains(fraction).any()
    if not found:
        found = collect(group.rows.select(text.cell.str.contains(fraction).any()), group.first.name).item()
    if not found:
        raise InputError.amount_unit_open(column.name, group.first.name, known.name)
    return "major", (Text("amounts have decimals: read as units, not cents", "金额带小数:按元而非分读取"),)


def _small_units(group: Group) -> pl.Expr:
    """How many of the smallest unit make one unit of the row's currency; 100 where none is named."""
    currency = read_currency(group, needed=False)
    if currency is None:
        return pl.lit(100.0)
    return (
        pl.when(currency.value.is_in(ZERO_DECIMAL))
        .then(1.0)
        .when(currency.value.is_in(THREE_DECIMAL))
        .then(1000.0)
        .otherwise(100.0)
    )
