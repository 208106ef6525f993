"""From tables as they were read to canonical Orders: one lazy table in our columns, each row with its reject reason.

Tables of one export with the same columns are read as one (so that an order split over two files is still one
order, and one decision on how dates are written holds for all); what differs is put together afterwards. Nothing is
collected here except where a whole column has to tell how it is written (:mod:`userops.inputs.times`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import TYPE_CHECKING

import polars as pl

from userops import frames, money, periods
from userops.collecting import collect
from userops.errors import InputError, UsageError
from userops.inputs import filters, layouts, times, values
from userops.inputs.raw import HEAD_ROWS
from userops.inputs.times import Clock
from userops.inputs.values import Column, Reading
from userops.results import Text

if TYPE_CHECKING:
    from typing import Literal

    from userops.frames import Grain
    from userops.inputs.raw import RawTable

_SOURCE = "\x1fsource"
_LINE_COLUMNS = ("product_id", "quantity", "unit_price")

ZERO_DECIMAL = (
    "BIF",
    "CLP",
    "DJF",
    "GNF",
    "JPY",
    "KMF",
    "KRW",
    "MGA",
    "PYG",
    "RWF",
    "UGX",
    "VND",
    "VUV",
    "XAF",
    "XOF",
    "XPF",
)
"""Currencies whose smallest unit is the unit itself."""

THREE_DECIMAL = ("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND")
"""Currencies with a thousand small units."""


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How to read tables; each field is one option of the command line.

    ``mapping`` (role to column), ``layout``, ``grain``, ``tz``; ``as_of`` (later rows are rejected), ``where``
    (conditions as text), ``only_users`` (one column ``user_id``, text), ``drop_duplicates``; ``decimal_comma``,
    ``date_format``, ``day_first``, ``amount_unit`` (None: as the data tell); ``keep``: further columns, by the name of
    a role or of a column of the file.
    """

    mapping: dict[str, str] = field(default_factory=dict)
    layout: str | None = None
    grain: Grain | None = None
    tz: str = "UTC"
    as_of: date | None = None
    where: tuple[str, ...] = ()
    only_users: pl.DataFrame | None = None
    decimal_comma: bool | None = None
    date_format: str | None = None
    day_first: bool | None = None
    amount_unit: Literal["major", "minor"] | None = None
    drop_duplicates: bool = False
    keep: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Group:
    """Tables of one export with the same columns, as one."""

    tables: tuple[RawTable, ...]
    what: layouts.Recognition
    rows: pl.LazyFrame
    head: pl.DataFrame

    @property
    def first(self) -> RawTable:
        """The table that stands for all: they have the same columns."""
        return self.tables[0]

    @property
    def columns(self) -> dict[str, pl.DataType]:
        """Every column with its type, fields of structs included."""
        return layouts.columns_of(self.first.schema)

    def column(self, name: str) -> Column:
        """A column, or a field of a struct, by its name in the file."""
        cell = _cell(name, self.first.schema)
        nested = name not in self.first.schema  # the head has no nested values
        head = collect(self.rows.select(cell.alias(name)).head(HEAD_ROWS), self.first.name) if nested else self.head
        to_be_trimmed = self.first.textual and self.first.with_number is None  # large text is taken on trust
        return Column(name, cell, self.columns[name], head[name], self.rows, self.first.name, to_be_trimmed)

    def whole(self, name: str) -> Column:
        """A column as of the whole order: further lines have the value of the first, where only that one is filled."""
        column = self.column(name)
        if (
            self.what.variant is None
            or not self.what.variant.totals_on_first_line
            or name.casefold().startswith("lineitem")
        ):
            return column
        of_order = column.cell.max().over(self._order)
        return replace(
            column, cell=pl.when(self.is_further_line).then(pl.coalesce(column.cell, of_order)).otherwise(column.cell)
        )

    @property
    def is_further_line(self) -> pl.Expr:
        """True on lines of an order whose total stands on another line."""
        total = self.column(self.what.roles["amount"][0]).cell
        return total.is_null() & total.is_not_null().any().over(self._order)

    @property
    def _order(self) -> pl.Expr:
        return self.column(self.what.roles["order_id"][0]).cell


@dataclass(frozen=True, slots=True)
class _Part:
    """One group in canonical columns."""

    group: _Group
    rows: pl.LazyFrame
    dtypes: dict[str, pl.DataType]
    raw: pl.LazyFrame
    grain: Grain
    grain_known: bool
    user_id_dtype: pl.DataType
    wall_zone: str | None
    notes: tuple[Text, ...]


def to_orders(tables: Sequence[RawTable], options: ReadOptions, *, need_amount: bool = True) -> frames.Orders:
    """The orders of all tables as one lazy table; what every column holds is told in :mod:`userops.frames`.

    Rows that cannot count stay, with the first reason that applies. Without ``need_amount`` a file may have no
    amount. Raises InputError where a column is missing, unclear or unfit, UsageError where an option is wrong.
    """
    periods.time_zone(options.tz)
    conditions = tuple(filters.parse(text) for text in options.where)
    if len(tables) > 1 and "source" in options.keep:
        raise UsageError.conflict("a column named source", "several files", "give the column another name")
    parts = [_read(group, options, conditions, need_amount=need_amount) for group in _groups(tables, options)]
    return _together(tables, parts)


def rejected_rows(orders: frames.Orders) -> pl.DataFrame:
    """The rows that do not count, every column as it was read, with ``reason`` in front."""
    names = pl.Series(frames.REASONS)
    bad = collect(orders.raw.filter(pl.col("reject") != 0), orders.name)
    return bad.select(names.gather(bad["reject"]).alias("reason"), pl.all().exclude("reject", "reason"))


def read_users_and_times(
    table: RawTable, what: layouts.Recognition, options: ReadOptions
) -> tuple[pl.LazyFrame, tuple[Text, ...]]:
    """Who and when of a table of events or users (``user_id, time, reject``), and what was decided.

    ``time`` is null throughout where the table has none, as a table of users may.
    """
    group = _Group((table,), what, table.rows, table.head)
    role = next((role for role in ("time", "signed_up_at") if role in what.roles), None)
    users = [group.column(name) for name in layouts.playing(what, "user_id", table)]
    readings = {"user_id": values.read_user(users)}
    if role or what.kind == "events":
        readings["time"] = _time(group, options, role or "time")
    flaws = {reason: flaw for reading in readings.values() for reason, flaw in reading.flaws.items()}
    columns = {name: reading.value for name, reading in readings.items()}
    columns.setdefault("time", pl.lit(None, pl.Datetime("us")))
    notes = tuple(note for reading in readings.values() for note in reading.notes)
    return _prepared(group.rows, readings).select(**columns, reject=frames.first_reason(flaws)), notes


# --- groups of tables -------------------------------------------------------------------------------------------


def _groups(tables: Sequence[RawTable], options: ReadOptions) -> list[_Group]:
    """The tables by export and columns, in the order of the files."""
    alike: dict[object, list[tuple[int, RawTable, layouts.Recognition]]] = {}
    for number, text in enumerate(tables):
        what = layouts.recognise(text, layout=options.layout, mapping=options.mapping, want="orders")
        table = _with_number(text, what, options)
        key = (what.layout, tuple(what.roles.items()), table.textual, tuple(table.schema.items()))
        alike.setdefault(key, []).append((number, table, what))
    return [_group(members, several=len(tables) > 1) for members in alike.values()]


def _with_number(table: RawTable, what: layouts.Recognition, options: ReadOptions) -> RawTable:
    """Large text with its amounts read as numbers by the parser, where the first ones are plain numbers."""
    columns = what.roles.get("amount", ())
    if table.with_number is None or what.variant is not None or len(columns) != 1 or options.decimal_comma is not None:
        return table
    plain = table.head[columns[0]].drop_nulls().str.contains(r"^-?\d+(\.\d+)?$").all()
    return table.with_number(columns[0]) if plain else table


def _group(members: list[tuple[int, RawTable, layouts.Recognition]], *, several: bool) -> _Group:
    tables = tuple(table for _, table, _ in members)
    rows = [table.rows for table in tables]
    if several:
        rows = [table.rows.with_columns(pl.lit(number, pl.UInt16).alias(_SOURCE)) for number, table, _ in members]
    head = pl.concat([table.head for table in tables])
    return _Group(tables, members[0][2], pl.concat(rows) if len(rows) > 1 else rows[0], head)


def _cell(name: str, schema: dict[str, pl.DataType]) -> pl.Expr:
    """A column by its name; ``a.b`` is field ``b`` of struct ``a`` unless a column is called so."""
    if name in schema:
        return pl.col(name)
    root = next(column for column in schema if name.startswith(f"{column}."))
    cell, rest, dtype = pl.col(root), name[len(root) + 1 :], schema[root]
    while rest and isinstance(dtype, pl.Struct):
        inner = next(f for f in dtype.fields if rest == f.name or rest.startswith(f"{f.name}."))
        cell, rest, dtype = cell.struct.field(inner.name), rest[len(inner.name) + 1 :], inner.dtype  # type: ignore[assignment]
    return cell


# --- one group --------------------------------------------------------------------------------------------------


def _read(group: _Group, options: ReadOptions, conditions: Iterable[filters.Condition], *, need_amount: bool) -> _Part:
    """One group in canonical columns."""
    user_columns = [group.whole(name) for name in layouts.playing(group.what, "user_id", group.first)]
    fields = {
        "user_id": values.read_user(user_columns),
        "ordered_at": _time(group, options, "ordered_at"),
        "amount": _amount(group, options, needed=need_amount),
        "order_id": _order_id(group),
        "currency": _currency(group, needed=need_amount),
    }
    known = {name: reading for name, reading in fields.items() if reading is not None}
    flaws = {reason: flaw for reading in known.values() for reason, flaw in reading.flaws.items()}
    flaws |= _row_flaws(group, options, conditions, known)
    kept = {name: _kept(group, name) for name in options.keep if name not in known and name != "source"}
    grain, grain_known, grain_notes = _grain(group, options)

    reject = frames.first_reason(flaws)
    source = [pl.col(_SOURCE).alias("source")] if _SOURCE in group.rows.collect_schema() else []
    columns = [reading.value.alias(name) for name, reading in (known | kept).items()]
    names = list(group.first.schema)
    rows = _prepared(group.rows, known)
    return _Part(
        group,
        rows.select(*columns, *source, reject.alias("reject")),
        {name: reading.dtype for name, reading in (known | kept).items()},
        rows.select(*(pl.col(name) for name in names if name != "reject"), reject.alias("reject")),
        grain,
        grain_known,
        _common([column.dtype for column in user_columns]),
        options.tz if "nonexistent_time" in known["ordered_at"].flaws else None,
        (*_recognition_notes(group, options), *(n for reading in known.values() for n in reading.notes), *grain_notes),
    )


def _prepared(rows: pl.LazyFrame, readings: dict[str, Reading]) -> pl.LazyFrame:
    """The rows with the columns that the readings are made of, each once."""
    steps = {step.meta.output_name(): step for reading in readings.values() for step in reading.first}
    return rows.with_columns(steps.values())


def _common(dtypes: Sequence[pl.DataType]) -> pl.DataType:
    """The one type of all, or text."""
    return dtypes[0] if all(dtype == dtypes[0] for dtype in dtypes) else pl.String()


def _time(group: _Group, options: ReadOptions, role: str) -> Reading:
    known = group.what.variant
    clock = Clock(
        options.tz,
        known.timezone if known else None,
        options.date_format,
        options.day_first,
        month_first_if_open=known is not None and known.month_first,
    )
    names = layouts.playing(group.what, role, group.first)
    return values.first_filled([times.read_time(group.whole(name), clock) for name in names])


def _order_id(group: _Group) -> Reading | None:
    if "order_id" not in group.what.roles and "order_id" not in group.what.open:
        return None
    return values.read_id(group.column(layouts.playing(group.what, "order_id", group.first)[0]))


def _currency(group: _Group, *, needed: bool) -> Reading | None:
    if "currency" not in group.what.roles and not (needed and "currency" in group.what.open):
        return None
    text = values.trimmed(group.whole(layouts.playing(group.what, "currency", group.first)[0]))
    return Reading(text.cell.str.to_uppercase(), pl.String())


def _kept(group: _Group, name: str) -> Reading:
    """A further column, by the name of a role or of the file's column; text of text files is trimmed."""
    column = group.whole(_named(group, name))
    column = values.trimmed(column) if column.dtype == pl.String and column.textual else column
    return Reading(column.cell, column.dtype)


def _named(group: _Group, name: str) -> str:
    if name in group.what.roles:
        return group.what.roles[name][0]
    return layouts.column_named(name, group.columns, group.first.name)


# --- money ------------------------------------------------------------------------------------------------------


def _amount(group: _Group, options: ReadOptions, *, needed: bool) -> Reading | None:
    """Exact money of a row: the amount, or price times quantity, less what was refunded; in major units."""
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
        if layouts.recognise(group.first, layout=options.layout, mapping=options.mapping).kind == "events":
            raise InputError.wrong_kind(group.first.name, "by its columns", "events", "orders")
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
        steps = pl.when(_ruled(group, known.refunded)).then(pl.lit(0, pl.Int64)).otherwise(steps)
    return Reading(steps, pl.Int64(), flaws, (*number.notes, *notes), number.first)


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


def _unit(group: _Group, options: ReadOptions) -> tuple[str, tuple[Text, ...]]:
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


def _small_units(group: _Group) -> pl.Expr:
    """How many of the smallest unit make one unit of the row's currency; 100 where none is named."""
    currency = _currency(group, needed=False)
    if currency is None:
        return pl.lit(100.0)
    return (
        pl.when(currency.value.is_in(ZERO_DECIMAL))
        .then(1.0)
        .when(currency.value.is_in(THREE_DECIMAL))
        .then(1000.0)
        .otherwise(100.0)
    )


# --- rows that do not count ---------------------------------------------------------------------------------------


def _row_flaws(
    group: _Group, options: ReadOptions, conditions: Iterable[filters.Condition], known: dict[str, Reading]
) -> dict[str, pl.Expr]:
    """The reasons that lie in the row as a whole, of those that can apply at all."""
    flaws = {}
    if group.what.variant is not None and group.what.variant.closed:
        flaws["not_an_order"] = _ruled(group, group.what.variant.closed)
    met = [_meets(group, condition, known) for condition in conditions]
    if met:
        flaws["filtered_out"] = ~pl.all_horizontal(met)
    if options.only_users is not None:
        listed = options.only_users.to_series(0).cast(pl.String).str.strip_chars().drop_nulls().unique()
        flaws["not_in_user_list"] = ~known["user_id"].value.cast(pl.String).is_in(listed.implode()).fill_null(
            value=False
        )
    if options.as_of is not None:
        flaws["after_as_of"] = known["ordered_at"].value >= periods.end_of(options.as_of)
    if options.drop_duplicates:
        flaws["duplicate_row"] = ~pl.struct(list(group.first.schema)).is_first_distinct()
    return flaws


def _ruled(group: _Group, rules: Iterable[layouts.Rule]) -> pl.Expr:
    """True for rows under any of the rules; a rule on a column that the file lacks has no rows."""
    spelled = {layouts.normalised(name): name for name in group.columns}
    hits = []
    for rule in rules:
        if name := spelled.get(layouts.normalised(rule.column)):
            text = values.trimmed(group.whole(name)).cell
            hit = text.str.to_lowercase().is_in(sorted(rule.values)) if rule.values else text.is_not_null()
            hits.append(~hit.fill_null(value=False) if rule.unless else hit)
    return values.any_of(hits)


def _meets(group: _Group, condition: filters.Condition, known: dict[str, Reading]) -> pl.Expr:
    """True for rows that meet a ``--where`` condition, on a canonical column, a role or a column of the file."""
    if condition.column not in known:
        if condition.column in layouts.ROLES and condition.column in group.what.open:
            layouts.playing(group.what, condition.column, group.first)
        column = group.whole(_named(group, condition.column))
        return filters.matches(condition, column.cell, column.dtype, column.head)
    reading = known[condition.column]
    if condition.column == "amount":
        return filters.matches(condition, money.units(reading.value), pl.Float64(), pl.Series(dtype=pl.Float64))
    if condition.column == "currency":
        condition = replace(condition, values=tuple(value.upper() for value in condition.values))
    return filters.matches(condition, reading.value, reading.dtype, pl.Series(dtype=reading.dtype))


# --- what a row is ------------------------------------------------------------------------------------------------


def _grain(group: _Group, options: ReadOptions) -> tuple[Grain, bool, tuple[Text, ...]]:
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


def _recognition_notes(group: _Group, options: ReadOptions) -> tuple[Text, ...]:
    """Which columns were taken by their names, and in which zone an export's times are."""
    notes = []
    chosen = [f"{role} = {' / '.join(names)}" for role, names in group.what.roles.items() if names != (role,)]
    if group.what.layout == "generic" and chosen:
        notes.append(Text(f"columns: {', '.join(chosen)}", f"列:{', '.join(chosen)}"))
    zone = group.what.variant.timezone if group.what.variant else None
    if zone is not None and zone != options.tz:
        notes.append(Text(
            f"{group.what.layout}: its times are in {zone}, days are counted in {options.tz} (--tz)",
            f"{group.what.layout}:原时区 {zone},按 {options.tz} 计日(--tz)",
        ))  # fmt: skip
    return tuple(notes)


# --- all groups ---------------------------------------------------------------------------------------------------


def _together(tables: Sequence[RawTable], parts: Sequence[_Part]) -> frames.Orders:
    """The parts as one: columns that all have, ids of differing types as text."""
    first = parts[0]
    has_currency = any("currency" in part.dtypes for part in parts)
    everywhere = [name for name in first.dtypes if all(name in part.dtypes for part in parts)]
    everywhere += ["currency"] if has_currency and "currency" not in everywhere else []
    mixed = {name for name in everywhere if len({part.dtypes[name] for part in parts if name in part.dtypes}) > 1}
    names = [*everywhere, *(["source"] if len(tables) > 1 else []), "reject"]
    rows = [_aligned(part, names, mixed) for part in parts]
    has_order_id = "order_id" in everywhere
    layout_of = {table.name: part.group.what.layout for part in parts for table in part.group.tables}
    return frames.Orders(
        rows=pl.concat(rows) if len(rows) > 1 else rows[0],
        raw=_raw(tables, parts),
        sources=tuple(frames.Source(table.name, layout_of[table.name], dict(table.dropped)) for table in tables),
        grain=_one_grain(parts, has_order_id=has_order_id),
        grain_known=all(part.grain_known for part in parts),
        has_amount="amount" in everywhere,
        has_order_id=has_order_id,
        has_currency=has_currency,
        user_id_dtype=_common([part.user_id_dtype for part in parts]),
        size=_size(tables),
        wall_zone=next((part.wall_zone for part in parts if part.wall_zone), None),
        notes=tuple(dict.fromkeys(note for part in parts for note in (*part.notes, *_table_notes(part)))),
    )


def _size(tables: Sequence[RawTable]) -> int | None:
    """How many rows there are, where footers tell; None where it would have to be counted."""
    if any(table.format not in ("parquet", "arrow") for table in tables):
        return None
    return sum(int(collect(table.rows.select(pl.len()), table.name).item()) for table in tables)


def _table_notes(part: _Part) -> tuple[Text, ...]:
    return tuple(note for table in part.group.tables for note in table.notes)


def _aligned(part: _Part, names: Sequence[str], mixed: set[str]) -> pl.LazyFrame:
    """A part with just these columns, those of ``mixed`` type as text."""
    lacking = [pl.lit(None, pl.String).alias(name) for name in names if name == "currency" and name not in part.dtypes]
    rows = part.rows.with_columns(lacking) if lacking else part.rows
    return rows.select(pl.col(name).cast(pl.String) if name in mixed else pl.col(name) for name in names)


def _raw(tables: Sequence[RawTable], parts: Sequence[_Part]) -> pl.LazyFrame:
    """The rows as read, each with its reason, those that never became rows included."""
    ragged = pl.lit(frames.reject_code("too_many_cells"), pl.UInt8).alias("reject")
    raws = [part.raw for part in parts]
    raws += [table.dropped_rows.lazy().with_columns(ragged) for table in tables if table.dropped_rows is not None]
    return pl.concat(raws, how="diagonal_relaxed") if len(raws) > 1 else raws[0]


def _one_grain(parts: Sequence[_Part], *, has_order_id: bool) -> Grain:
    """Lines if any part has lines, which then takes an order id everywhere."""
    lines = [part for part in parts if part.grain == "line"]
    if not lines:
        return "order"
    if not has_order_id:
        other = next(part for part in parts if "order_id" not in part.dtypes)
        raise InputError.kinds_differ(
            lines[0].group.first.name, "lines of orders", other.group.first.name, "orders without ids"
        )
    return "line"
