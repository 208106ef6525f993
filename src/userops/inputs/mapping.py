"""What orders, events and users share on the way to canonical columns: groups of tables, rows with their reject reason.

Tables of one export with the same columns are read as one (so that an order split over two files is still one
order, and one decision on how dates are written holds for all); what differs is put together afterwards. Nothing is
collected here except where a whole column has to tell how it is written (:mod:`userops.inputs.times`). What is
particular to a kind: :mod:`~userops.inputs.orders`, :mod:`~userops.inputs.events`, :mod:`~userops.inputs.users`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import date
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import polars as pl

from userops import frames, money, periods
from userops.collecting import collect
from userops.errors import InputError, UsageError
from userops.inputs import filters, layouts, nested, sniffing, times, values
from userops.inputs.raw import HEAD_ROWS
from userops.inputs.times import Clock
from userops.inputs.values import Column, Reading
from userops.results import Text

if TYPE_CHECKING:
    from userops.frames import Grain
    from userops.inputs.identities import Identities
    from userops.inputs.raw import RawTable

OURS = ("reject", "instant")
"""Columns that every table of ours has, whatever the file holds: a column of that name cannot be kept beside them."""

_SOURCE = "\x1fsource"
_SENT_AS, _MOMENT, _LIKENESS = "\x1fsent as", "\x1fmoment", "\x1flikeness"
_SEED = 20_023

_Table = TypeVar("_Table", bound=frames.Table)


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How to read tables; each field is one option of the command line.

    ``mapping`` (role to column), ``layout``, ``grain``, ``tz``; ``as_of`` (later rows are rejected), ``known_by`` (rows
    that arrived later are), ``where`` (conditions as text), ``only_users`` (one column ``user_id``, text),
    ``identities`` (which ids are one user), ``drop_duplicates``; ``decimal_comma``, ``date_format``, ``day_first``,
    ``amount_unit`` (None: as the data tell); ``keep``: further columns, by the name of a role, of a column of the
    file, or of what lies inside one (:mod:`userops.inputs.nested`); ``times``: those of them that are read as times, where
    they can be.
    """

    mapping: dict[str, str] = field(default_factory=dict)
    layout: str | None = None
    grain: Grain | None = None
    tz: str = "UTC"
    as_of: date | None = None
    known_by: date | None = None
    where: tuple[str, ...] = ()
    only_users: pl.DataFrame | None = None
    identities: Identities | None = None
    decimal_comma: bool | None = None
    date_format: str | None = None
    day_first: bool | None = None
    amount_unit: Literal["major", "minor"] | None = None
    drop_duplicates: bool = False
    keep: tuple[str, ...] = ()
    times: tuple[str, ...] = ()

    @property
    def conditions(self) -> tuple[filters.Condition, ...]:
        """``where``, understood; UsageError where it cannot be."""
        return tuple(filters.parse(text) for text in self.where)


def checked(tables: Sequence[RawTable], options: ReadOptions) -> None:
    """UsageError where an option is wrong whatever the tables hold."""
    periods.time_zone(options.tz)
    _ = options.conditions
    if taken := [name for name in options.keep if name in OURS]:
        raise UsageError.bad_value(
            "a column to look at", taken[0], "any other name: that one is ours; rename the column"
        )
    if len(tables) > 1 and "source" in options.keep:
        raise UsageError.conflict("a column named source", "several files", "give the column another name")


def kind_of(tables: Sequence[RawTable], options: ReadOptions) -> Literal["orders", "events"]:
    """Whether the tables hold orders or events, by their layout, by ``--map``, else by their columns.

    InputError where a table holds neither, and where they differ.
    """
    told = {"event": "events", "time": "events", "ordered_at": "orders"}
    by_hand = next((kind for role, kind in told.items() if role in options.mapping), None)
    kinds = []
    for table in tables:
        what = layouts.recognise(table, layout=options.layout, mapping=options.mapping)
        kind = by_hand if by_hand and what.variant is None else what.kind
        if kind not in ("orders", "events"):
            raise InputError.kind_open(table.name, list(table.schema))
        kinds.append(kind)
        if kind != kinds[0]:
            raise InputError.kinds_differ(tables[0].name, kinds[0], table.name, kind)
    return "orders" if kinds[0] == "orders" else "events"


def rejected_rows(table: frames.Table) -> pl.DataFrame:
    """The rows that do not count, every column as it was read, with ``reason`` in front.

    A column of the file by the name of ours has a number behind: ``reason_2``.
    """
    bad = collect(table.raw.filter(pl.col("reject") != 0), table.name)
    rows = bad.drop("reject")
    rows.columns = _apart(rows.columns, "reason")
    return rows.insert_column(0, pl.Series("reason", frames.REASONS).gather(bad["reject"]))


def _apart(columns: Iterable[str], ours: str) -> list[str]:
    """The columns, one that goes by a name of ours with a number behind: ``reject_2``."""
    return list(sniffing.tidy_names((ours, *columns))[0][1:])


# --- groups of tables -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Group:
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

    def named(self, name: str) -> str:
        """The file's own name of a role, of a column, or of what lies inside one; InputError where it has none."""
        if name in self.what.roles:
            return self.what.roles[name][0]
        if name not in self.columns and nested.reach(name, self.first.schema) is not None:
            root = nested.json_root(name, self.first.schema)
            if root is None or nested.holds_json(self.column(root).head):
                return name
        return layouts.column_named(name, self.columns, self.first.name)

    def column(self, name: str) -> Column:
        """A column, or what lies inside one, by its name in the file."""
        found = nested.reach(name, self.first.schema)
        assert found is not None  # every name comes from the schema
        cell, dtype = found
        inside = name not in self.first.schema  # the head has no nested values
        head = collect(self.rows.select(cell.alias(name)).head(HEAD_ROWS), self.first.name) if inside else self.head
        to_be_trimmed = self.first.textual and self.first.with_number is None  # large text is taken on trust
        return Column(name, cell, dtype, head[name], self.rows, self.first.name, to_be_trimmed)

    def playing(self, role: str) -> list[Column]:
        """The columns of a role that is needed; InputError where there is none, or a choice to make."""
        return [self.whole(name) for name in layouts.playing(self.what, role, self.first)]

    def reads(self, role: str) -> bool:
        """Whether some column plays a role, or several could."""
        return role in self.what.roles or role in self.what.open

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


def groups(known: Iterable[tuple[RawTable, layouts.Recognition]]) -> list[Group]:
    """The tables by export and columns, in the order of the files."""
    alike: dict[object, list[tuple[int, RawTable, layouts.Recognition]]] = {}
    members = list(known)
    for number, (table, what) in enumerate(members):
        key = (what.layout, tuple(what.roles.items()), table.textual, tuple(table.schema.items()))
        alike.setdefault(key, []).append((number, table, what))
    return [_group(tables, several=len(members) > 1) for tables in alike.values()]


def _group(members: list[tuple[int, RawTable, layouts.Recognition]], *, several: bool) -> Group:
    tables = tuple(table for _, table, _ in members)
    rows = [table.rows for table in tables]
    if several:
        rows = [table.rows.with_columns(pl.lit(number, pl.UInt16).alias(_SOURCE)) for number, table, _ in members]
    head = pl.concat([table.head for table in tables])
    return Group(tables, members[0][2], pl.concat(rows) if len(rows) > 1 else rows[0], head)


# --- columns by role --------------------------------------------------------------------------------------------


def user(group: Group) -> Reading:
    """Who it was (:func:`userops.inputs.values.read_user`)."""
    return values.read_user(group.playing("user_id"))


def time(group: Group, options: ReadOptions, role: str) -> Reading:
    """When it was: wall clock and moment (:func:`userops.inputs.times.read_time`)."""
    clock = _clock(group, options)
    return values.first_filled([times.read_time(column, clock) for column in group.playing(role)])


def _clock(group: Group, options: ReadOptions) -> Clock:
    """How the times of a group are read."""
    known = group.what.variant
    return Clock(
        options.tz,
        known.timezone if known else None,
        options.date_format,
        options.day_first,
        month_first_if_open=known is not None and known.month_first,
    )


def _further_times(group: Group, options: ReadOptions) -> dict[str, Reading]:
    """Further columns as times, null where a cell is none; without those that nobody can tell how to read."""
    found = {}
    for name in options.times:
        with suppress(InputError):
            found[name] = replace(times.read_time(group.whole(group.named(name)), _clock(group, options)), flaws={})
    return found


def arrival(group: Group, options: ReadOptions, at: Reading) -> dict[str, Reading]:
    """When rows arrived (``ingested_at``, null where that cannot be read), if a column says so.

    With ``known_by`` later rows are rejected, and those whose arrival cannot be read; one that does not say arrived
    when it happened (``at``). InputError where ``known_by`` finds no column, or several.
    """
    if "ingested_at" not in group.what.roles and not (options.known_by and "ingested_at" in group.what.open):
        if options.known_by:
            raise InputError.arrival_unknown(group.first.name, list(group.first.schema))
        return {}
    arrived = time(group, options, "ingested_at")
    flaws = {}
    if options.known_by:
        unreadable = arrived.flaws["unreadable_time"] & ~arrived.flaws["missing_time"]
        late = pl.coalesce(arrived.value, at.value) >= periods.end_of(options.known_by)
        flaws["not_yet_known"] = unreadable | late
    return {"ingested_at": replace(arrived, flaws=flaws)}


def _kept(group: Group, name: str) -> Reading:
    """A further column; text of text files is trimmed."""
    column = group.whole(group.named(name))
    column = values.trimmed(column) if column.dtype == pl.String and column.textual else column
    return Reading(column.cell, column.dtype)


def ruled(group: Group, rules: Iterable[layouts.Rule]) -> pl.Expr:
    """True for rows under any of the rules; a rule on a column that the file lacks has no rows."""
    spelled = {layouts.normalised(name): name for name in group.columns}
    hits = []
    for rule in rules:
        if name := spelled.get(layouts.normalised(rule.column)):
            text = values.trimmed(group.whole(name)).cell
            hit = text.str.to_lowercase().is_in(sorted(rule.values)) if rule.values else text.is_not_null()
            hits.append(~hit.fill_null(value=False) if rule.unless else hit)
    return values.any_of(hits)


# --- one group --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Part:
    """One group in canonical columns."""

    group: Group
    rows: pl.LazyFrame
    dtypes: dict[str, pl.DataType]
    raw: pl.LazyFrame
    user_id_dtype: pl.DataType
    wall_zone: str | None
    notes: tuple[Text, ...]
    sent_as: bool


def part(
    group: Group,
    options: ReadOptions,
    fields: Mapping[str, Reading],
    *,
    at: str,
    flaws: Mapping[str, pl.Expr] | None = None,
    sent_as: Reading | None = None,
    notes: Sequence[Text] = (),
) -> Part:
    """One group in canonical columns, each row with the first reason why it does not count.

    ``fields``: the readings of its columns; ``at``: which of them is its time; ``flaws``: what else may be wrong with
    a row; ``sent_as``: a number that the copies of one event share (:func:`_copies_marked`); ``notes``: to be told.
    """
    known = {**_further_times(group, options), **fields}
    dtypes = [group.columns[name] for name in layouts.playing(group.what, "user_id", group.first)]
    rows = _prepared(group.rows, [*known.values(), *([sent_as] if sent_as else [])])
    if options.identities is not None:
        rows, known["user_id"] = options.identities.joined(rows, known["user_id"])
        dtypes.append(pl.String())
    if (moment := known[at].instant) is not None:
        known["instant"] = Reading(moment, pl.Datetime("us"))
    found = {reason: flaw for reading in known.values() for reason, flaw in reading.flaws.items()}
    found |= {**(flaws or {}), **_row_flaws(group, options, known, at)}
    known |= {name: _kept(group, name) for name in options.keep if name not in known}

    reject = frames.first_reason(found).alias("reject")
    source = [pl.col(_SOURCE).alias("source")] if _SOURCE in group.rows.collect_schema() else []
    columns = [reading.value.alias(name) for name, reading in known.items()]
    marks = []
    if sent_as is not None:
        by_code = (pl.Categorical, pl.Enum)  # codes go by the order of rows
        alike = [r.value.cast(pl.String) if isinstance(r.dtype, by_code) else r.value for r in known.values()]
        likeness = pl.struct(value.alias(name) for name, value in zip(known, alike, strict=True)).hash(_SEED)
        marks = [sent_as.value.alias(_SENT_AS), known["instant"].value.alias(_MOMENT), likeness.alias(_LIKENESS)]
    read = group.first.schema
    as_read = [pl.col(name).alias(apart) for name, apart in zip(read, _apart(read, "reject"), strict=True)]
    return Part(
        group,
        rows.select(*columns, *source, *marks, reject),
        {name: reading.dtype for name, reading in known.items()},
        rows.select(*as_read, *marks, reject),
        _common(dtypes),
        known[at].wall_zone,
        (*_recognition_notes(group, options), *(n for reading in known.values() for n in reading.notes), *notes),
        sent_as is not None,
    )


def _prepared(rows: pl.LazyFrame, readings: Iterable[Reading]) -> pl.LazyFrame:
    """The rows with the columns that the readings are made of, each once."""
    steps = {step.meta.output_name(): step for reading in readings for step in reading.first}
    return rows.with_columns(steps.values())


def _common(dtypes: Sequence[pl.DataType]) -> pl.DataType:
    """The one type of all, or text."""
    return dtypes[0] if all(dtype == dtypes[0] for dtype in dtypes) else pl.String()


# --- rows that do not count ---------------------------------------------------------------------------------------


def _row_flaws(group: Group, options: ReadOptions, known: Mapping[str, Reading], at: str) -> dict[str, pl.Expr]:
    """The reasons that lie in the row as a whole, of those that can apply at all."""
    flaws = {}
    met = [_meets(group, condition, known) for condition in options.conditions]
    if met:
        flaws["filtered_out"] = ~pl.all_horizontal(met)
    if options.only_users is not None:
        listed = options.only_users.to_series(0).cast(pl.String).str.strip_chars().drop_nulls().unique()
        if options.identities is not None:
            listed = options.identities.known(listed)
        user = known["user_id"].value.cast(pl.String)
        flaws["not_in_user_list"] = ~user.is_in(listed.implode()).fill_null(value=False)
    if options.as_of is not None:
        flaws["after_as_of"] = known[at].value >= periods.end_of(options.as_of)
    if options.drop_duplicates:
        flaws["duplicate_row"] = ~pl.struct(list(group.first.schema)).is_first_distinct()
    return flaws


def _meets(group: Group, condition: filters.Condition, known: Mapping[str, Reading]) -> pl.Expr:
    """True for rows that meet a ``--where`` condition, on a canonical column, a role or a column of the file."""
    if condition.column not in known or (condition.column in OURS and condition.column in group.columns):
        if condition.column in layouts.ROLES and condition.column in group.what.open:
            layouts.playing(group.what, condition.column, group.first)
        column = group.whole(group.named(condition.column))
        return filters.matches(condition, column.cell, column.dtype, column.head)
    reading = known[condition.column]
    if condition.column == "amount":
        return filters.matches(condition, money.units(reading.value), pl.Float64(), pl.Series(dtype=pl.Float64))
    if condition.column == "currency":
        condition = replace(condition, values=tuple(value.upper() for value in condition.values))
    return filters.matches(condition, reading.value, reading.dtype, pl.Series(dtype=reading.dtype))


def _recognition_notes(group: Group, options: ReadOptions) -> tuple[Text, ...]:
    """Which columns were taken by their names, and in which zone an export counts its days."""
    notes = []
    chosen = [f"{role} = {' / '.join(names)}" for role, names in group.what.roles.items() if names != (role,)]
    if group.what.layout == "generic" and chosen:
        notes.append(Text(f"columns: {', '.join(chosen)}", f"列:{', '.join(chosen)}"))
    zone = group.what.variant.timezone if group.what.variant else None
    if zone is not None and zone != options.tz:
        notes.append(Text(
            f"{group.what.layout}: its own zone is {zone}, days are counted in {options.tz} (--tz)",
            f"{group.what.layout}:原时区 {zone},按 {options.tz} 计日(--tz)",
        ))  # fmt: skip
    return tuple(notes)


# --- all groups ---------------------------------------------------------------------------------------------------


def together(kind: Callable[..., _Table], tables: Sequence[RawTable], parts: Sequence[Part], **own: Any) -> _Table:
    """The parts as one table of a ``kind``, which has ``own`` fields besides.

    Columns that all have; ids of differing types as text; copies of one event but one rejected.
    """
    has_currency = any("currency" in part.dtypes for part in parts)
    everywhere = shared_columns(parts)
    everywhere += ["currency"] if has_currency and "currency" not in everywhere else []
    mixed = {name for name in everywhere if len({part.dtypes[name] for part in parts if name in part.dtypes}) > 1}
    sent_as = any(part.sent_as for part in parts)
    marks = list(_NO_MARKS) if sent_as else []
    names = [*everywhere, *(["source"] if len(tables) > 1 else []), *marks, "reject"]
    aligned = [_aligned(part, names, mixed) for part in parts]
    rows, raw = pl.concat(aligned) if len(aligned) > 1 else aligned[0], _raw(tables, parts)
    layout_of = {table.name: part.group.what.layout for part in parts for table in part.group.tables}
    return kind(
        rows=_copies_marked(rows) if sent_as else rows,
        raw=_copies_marked(raw) if sent_as else raw,
        sources=tuple(frames.Source(table.name, layout_of[table.name], dict(table.dropped)) for table in tables),
        has_amount="amount" in everywhere,
        has_currency=has_currency,
        has_ingested_at="ingested_at" in everywhere,
        user_id_dtype=_common([part.user_id_dtype for part in parts]),
        size=_size(tables),
        wall_zone=next((part.wall_zone for part in parts if part.wall_zone), None),
        notes=tuple(dict.fromkeys(note for part in parts for note in (*part.notes, *_table_notes(part)))),
        **own,
    )


def shared_columns(parts: Sequence[Part]) -> list[str]:
    """The canonical columns that every part has."""
    return [name for name in parts[0].dtypes if all(name in part.dtypes for part in parts)]


def _copies_marked(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Rows of one event (``_SENT_AS``) rejected as copies, but for one of those that would count (:func:`_further`)."""
    event = pl.when(pl.col("reject") == 0).then(_SENT_AS).alias(_SENT_AS)
    further = pl.struct(event, _MOMENT, _LIKENESS).map_batches(_further, return_dtype=pl.Boolean)
    copy = pl.lit(frames.reject_code("duplicate_event"), pl.UInt8)
    return rows.with_columns(reject=pl.when(further).then(copy).otherwise("reject")).drop(*_NO_MARKS)


def _further(sent: pl.Series) -> pl.Series:
    """True for every row of an event but the earliest.

    Of several at one instant the one with the least likeness stays, which is a hash of all its columns: the same one
    in whatever order the rows come. Rows that are alike in everything take turns as they come.
    """
    rows = sent.struct.unnest().with_row_index("row")
    events = rows[_SENT_AS].drop_nulls().sort()
    repeated = events.filter(events == events.shift()).unique()
    several = rows.filter(pl.col(_SENT_AS).is_in(repeated.implode())).sort(_SENT_AS, _MOMENT, _LIKENESS, "row")
    further = several.filter(pl.col(_SENT_AS) == pl.col(_SENT_AS).shift())["row"]
    return pl.repeat(value=False, n=sent.len(), eager=True).scatter(further, values=True)


def _size(tables: Sequence[RawTable]) -> int | None:
    """How many rows there are, where reading has told or footers do; None where they would have to be counted."""
    if any(table.size is None and table.format not in ("parquet", "arrow") for table in tables):
        return None
    return sum(
        int(collect(table.rows.select(pl.len()), table.name).item()) if table.size is None else table.size
        for table in tables
    )


def _table_notes(part: Part) -> tuple[Text, ...]:
    return tuple(note for table in part.group.tables for note in table.notes)


def _aligned(part: Part, names: Sequence[str], mixed: set[str]) -> pl.LazyFrame:
    """A part with just these columns, those of ``mixed`` type as text."""
    absent = {"currency": pl.String(), **(_NO_MARKS if not part.sent_as else {})}
    lacking = [
        pl.lit(None, dtype).alias(name) for name, dtype in absent.items() if name in names and name not in part.dtypes
    ]
    rows = part.rows.with_columns(lacking) if lacking else part.rows
    return rows.select(pl.col(name).cast(pl.String) if name in mixed else pl.col(name) for name in names)


_NO_MARKS: dict[str, pl.DataType] = {_SENT_AS: pl.UInt64(), _MOMENT: pl.Datetime("us"), _LIKENESS: pl.UInt64()}


def _raw(tables: Sequence[RawTable], parts: Sequence[Part]) -> pl.LazyFrame:
    """The rows as read, each with its reason, those that never became rows included."""
    ragged = pl.lit(frames.reject_code("too_many_cells"), pl.UInt8).alias("reject")
    raws = [part.raw for part in parts]
    raws += [table.dropped_rows.lazy().with_columns(ragged) for table in tables if table.dropped_rows is not None]
    return pl.concat(raws, how="diagonal_relaxed") if len(raws) > 1 else raws[0]
