"""Tables of orders, or of lines of orders, as canonical Orders."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from userops import frames
from userops.errors import InputError
from userops.inputs import layouts, mapping, values
from userops.inputs.amounts import read_amount, read_currency
from userops.results import Text

if TYPE_CHECKING:
    from userops.frames import Grain
    from userops.inputs.mapping import Group, Part, ReadOptions
    from userops.inputs.raw import RawTable
    from userops.inputs.values import Reading

_LINE_COLUMNS = ("product_id", "quantity", "unit_price")


def to_orders(tables: Sequence[RawTable], options: ReadOptions, *, need_amount: bool = True) -> frames.Orders:
    """The orders of all tables as one lazy table; what every column holds is told in :mod:`userops.frames`.

    Rows that cannot count stay, with the first reason that applies. Without ``need_amount`` a file may have no
    amount. Raises InputError where a column is missing, unclear or unfit, UsageError where an option is wrong.
    """
    mapping.checked(tables, options)
    known = [(table, _recognised(table, options, need_amount=need_amount)) for table in tables]
    groups = mapping.groups([(_with_number(table, what, options), what) for table, what in known])
    parts = [_read(group, options, need_amount=need_amount) for group in groups]
    has_order_id = "order_id" in mapping.shared_columns(parts)
    grains = [_grain(group, options) for group in groups]
    return mapping.together(
        frames.Orders,
        tables,
        parts,
        grain=_one_grain(parts, [grain for grain, _, _ in grains], has_order_id=has_order_id),
        grain_known=all(certain for _, certain, _ in grains),
        has_order_id=has_order_id,
    )


def _recognised(table: RawTable, options: ReadOptions, *, need_amount: bool) -> layouts.Recognition:
    """What a table of orders is; InputError where it lacks an amount and looks like events besides."""
    what = layouts.recognise(table, layout=options.layout, mapping=options.mapping, want="orders")
    if (
        need_amount
        and "amount" not in {**what.roles, **what.open}
        and not {"unit_price", "quantity"} <= set(what.roles)
    ):
        kind = layouts.recognise(table, layout=options.layout, mapping=options.mapping).kind
        if kind == "events":
            raise InputError.wrong_kind(table.name, "by its columns", "events", "orders")
    return what


def _with_number(table: RawTable, what: layouts.Recognition, options: ReadOptions) -> RawTable:
    """Large text with its amounts read as numbers by the parser, where the first ones are plain numbers."""
    columns = what.roles.get("amount", ())
    if table.with_number is None or what.variant is not None or len(columns) != 1 or options.decimal_comma is not None:
        return table
    plain = table.head[columns[0]].drop_nulls().str.contains(r"^-?\d+(\.\d+)?$").all()
    return table.with_number(columns[0]) if plain else table


def _read(group: Group, options: ReadOptions, *, need_amount: bool) -> Part:
    """One group in canonical columns."""
    user, time = mapping.user(group), mapping.time(group, options, "ordered_at")
    fields = {
        "user_id": user,
        "ordered_at": time,
        "amount": read_amount(group, options, needed=need_amount),
        "order_id": _order_id(group),
        "currency": read_currency(group, needed=need_amount),
        **mapping.arrival(group, options, time),
    }
    known = group.what.variant
    return mapping.part(
        group,
        options,
        {name: reading for name, reading in fields.items() if reading is not None},
        at="ordered_at",
        flaws={"not_an_order": mapping.ruled(group, known.closed)} if known is not None and known.closed else {},
        notes=_grain(group, options)[2],
    )


def _order_id(group: Group) -> Reading | None:
    if not group.reads("order_id"):
        return None
    return values.read_id(group.column(layouts.playing(group.what, "order_id", group.first)[0]))


def _grain(group: Group, options: ReadOptions) -> tuple[Grain, bool, tuple[Text, ...]]:
    """Whether rows are orders or lines of orders, whether that is known, and the note that says why."""
    known, roles = group.what.variant, group.what.roles
    if known is not None and known.grain is not None:
        return known.grain, True, ()
    if options.grain == "line":
        layouts.playing(group.what, "order_id", group.first)
    if options.grain is not None:
        return options.grain, True, ()
    lines = [role for role in _LINE_COLUMNS if role in roles or role in group.what.open]
    if known is None and "order_id" in roles and lines:
        names = ", ".join(name for role in lines for name in roles.get(role, group.what.open.get(role, ())))
        english = f"rows are lines of orders ({names} beside the order id); --grain order if not"
        return "line", True, (Text(english, f"每行是订单明细(订单号旁有 {names});否则用 --grain order"),)
    return "order", "order_id" not in roles, ()


def _one_grain(parts: Sequence[Part], grains: Sequence[Grain], *, has_order_id: bool) -> Grain:
    """Lines if any part has lines, which then takes an order id everywhere."""
    if "line" not in grains:
        return "order"
    if not has_order_id:
        lines = parts[grains.index("line")].group.first.name
        other = next(part for part in parts if "order_id" not in part.dtypes)
        raise InputError.kinds_differ(lines, "lines of orders", other.group.first.name, "orders without ids")
    return "line"
