"""The files of a business, for what looks at all of it: each told by its option or by what it holds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import polars as pl

from userops.errors import InputError, UsageError
from userops.inputs import filters, layouts, nested
from userops.inputs.costs import to_costs
from userops.inputs.events import to_events
from userops.inputs.feedback import to_feedback
from userops.inputs.layouts import Kind
from userops.inputs.mapping import OURS
from userops.inputs.orders import to_orders
from userops.inputs.raw import RawTable
from userops.inputs.referrals import to_referrals
from userops.results import Text

if TYPE_CHECKING:
    from userops.cli_support.running import Run
    from userops.frames import Costs, Events, Feedback, Orders, Referrals, Table
    from userops.inputs.mapping import ReadOptions

Columns = Callable[[Kind, RawTable], Sequence[str]]
"""Which columns of a table of some kind are to be kept."""

BESIDE: tuple[Kind, ...] = ("costs", "referrals", "feedback")
"""Kinds that stand beside events and orders: how those are written says nothing about these."""


@dataclass(frozen=True, slots=True)
class Files:
    """The tables of a business, None for what was not given.

    ``kept``: the further columns of each kind. ``mind``: what to know about how they were read.
    """

    events: Events | None = None
    orders: Orders | None = None
    users: pl.DataFrame | None = None
    costs: Costs | None = None
    referrals: Referrals | None = None
    feedback: Feedback | None = None
    kept: Mapping[Kind, tuple[str, ...]] = field(default_factory=dict)
    mind: tuple[Text, ...] = ()


def read(
    run: Run,
    files: Sequence[str] | None,
    named: Mapping[Kind, Sequence[str] | None],
    columns: Columns | Sequence[str],
    *,
    needs_acts: bool = True,
) -> Files:
    """The tables behind ``named`` options (by kind) and behind ``files`` of any of those kinds, or of users.

    ``columns``: names, kept of the users where they tell them, else of each kind that has them; or for each kind what a
    function chooses, of columns that all its tables have. UsageError without events and orders, unless none are needed;
    InputError where a file is of no such kind.
    """
    opened: dict[Kind, list[RawTable]] = {kind: run.tables(paths) for kind, paths in named.items() if paths}
    for table in run.tables(files) if files or not opened else []:
        kind = _kind(run, table)
        if kind in named or kind == "users":
            opened.setdefault(kind, []).append(table)
        else:
            run.talk.note(f"{table.name} holds {kind}: left out")
    given = opened.pop("users", [])
    beside = run.tables([run.common.users_table]) if run.common.users_table else []
    if needs_acts and not opened.keys() & {"events", "orders"}:
        raise UsageError.needs_events_or_orders()
    options = run.reading()
    require_columns(opened, [*given, *beside], options)
    chosen, of_users = _chosen(opened, [*beside, *given], columns, options)
    tables: dict[str, Table] = {}
    for kind, group in opened.items():
        tables[kind] = _read(kind, group, fitting(kind, group, replace(options, keep=chosen[kind])))
    users = run.users_of([*beside, *given], of_users) if given else run.users(of_users)
    if tables:
        run.told(together(list(tables.values())))
    mind = tuple(not_narrowed(opened, options))
    return Files(users=users, kept=chosen | {"users": of_users}, mind=mind, **tables)  # type: ignore[arg-type] # each of its kind


def _kind(run: Run, table: RawTable) -> Kind:
    """What a table holds that was given without saying so; InputError where that is nothing of use here."""
    options = run.reading()
    mapping = mapping_of([table], options)
    if options.layout is not None:  # of the events or the orders
        by_name = layouts.recognise(table, layout=layouts.NO_LAYOUT, mapping=mapping).kind
        if by_name in BESIDE:
            return by_name
    what = layouts.recognise(table, layout=options.layout, mapping=mapping)
    if what.kind is None or what.kind == "subscriptions" or (what.kind == "users" and "signed_up_at" not in what.roles):
        raise InputError.kind_open(table.name, list(table.schema))
    return what.kind


def _chosen(
    opened: Mapping[Kind, Sequence[RawTable]],
    users: Sequence[RawTable],
    columns: Columns | Sequence[str],
    options: ReadOptions,
) -> tuple[dict[Kind, tuple[str, ...]], tuple[str, ...]]:
    """The columns to keep of each kind, and those of the users."""
    choose = columns if callable(columns) else lambda kind, table: columns
    schemas = [layouts.columns_of(table.schema) for table in users]
    of_users = [column for column in (choose("users", users[0]) if users else ()) if all(column in s for s in schemas)]
    elsewhere = () if callable(columns) else of_users
    kept = {
        kind: tuple(
            column
            for column in choose(kind, tables[0])
            if column not in (*elsewhere, *OURS) and all_have(tables, kind, column, options)
        )
        for kind, tables in opened.items()
    }
    return kept, tuple(of_users)


def mapping_of(tables: Sequence[RawTable], options: ReadOptions) -> dict[str, str]:
    """The part of ``--map`` that names columns of these tables."""
    columns = {layouts.normalised(name) for table in tables for name in layouts.columns_of(table.schema)}
    return {role: column for role, column in options.mapping.items() if layouts.normalised(column) in columns}


def _has(table: RawTable, kind: Kind, column: str, options: ReadOptions) -> bool:
    """Whether a table has a column, something of that name inside one, or one that plays the role of that name."""
    names = {layouts.normalised(name) for name in layouts.columns_of(table.schema)}
    root = nested.json_root(column, table.schema)
    inside = nested.reach(column, table.schema) is not None and (root is None or nested.holds_json(table.head[root]))
    if inside or layouts.normalised(column) in names:
        return True
    layout = options.layout if kind == _kind_of_layout(options.layout) else None
    what = layouts.recognise(table, layout=layout, mapping=mapping_of([table], options), want=kind)
    return column in what.roles


def all_have(tables: Sequence[RawTable], kind: Kind, column: str, options: ReadOptions) -> bool:
    """Whether every table has a column, something of that name inside one, or one that plays the role of that name."""
    return all(_has(table, kind, column, options) for table in tables)


def _some_has(tables: Sequence[RawTable], kind: Kind, column: str, options: ReadOptions) -> bool:
    """Whether any of the tables of a kind has a column: all must have it then."""
    return any(_has(table, kind, column, options) for table in tables)


def _kind_of_layout(name: str | None) -> str | None:
    known = layouts.layout_named(name) if name else None
    return known.kind if known else None


def require_columns(opened: Mapping[Kind, Sequence[RawTable]], users: Sequence[RawTable], options: ReadOptions) -> None:
    """InputError where no table has a column of ``--where``, or one of ``--map``."""
    tables = [(kind, table) for kind, group in opened.items() for table in group]
    columns = list(dict.fromkeys(name for _, table in tables for name in layouts.columns_of(table.schema)))
    named = [condition.column for condition in options.conditions]
    lost = [name for name in named if not any(_some_has(group, kind, name, options) for kind, group in opened.items())]
    known = mapping_of([*(table for _, table in tables), *users], options)
    lost += [column for role, column in options.mapping.items() if role not in known]
    if lost:
        name = tables[0][1].name if tables else users[0].name
        raise InputError.column_unknown(lost[0], name, columns)


def not_narrowed(opened: Mapping[Kind, Sequence[RawTable]], options: ReadOptions) -> Iterator[Text]:
    """Warnings of what is asked for and cannot be asked of every file, all rows of which count therefore."""
    for text, condition in zip(options.where, options.conditions, strict=True):
        lacking = [tables for kind, tables in opened.items() if not _some_has(tables, kind, condition.column, options)]
        names = [table.name for tables in lacking for table in tables]
        if names:
            yield Text(
                f"--where '{text}' leaves {', '.join(names)} as {'they are' if len(names) > 1 else 'it is'}: "
                f"no column '{condition.column}' there, every row counts",
                f"--where '{text}' 对 {'、'.join(names)} 不起作用:其中没有列 '{condition.column}',所有行均计入",
            )
    if "costs" in opened and options.only_users is not None and opened.keys() & {"events", "orders"}:
        yield Text(
            "costs know nothing of --only-users: spend, and what is made of it, is of all users, not of those chosen",
            "费用数据不受 --only-users 限制:花费及相关指标为全部用户,而非所选用户",
        )


def fitting(kind: Kind, tables: Sequence[RawTable], options: ReadOptions) -> ReadOptions:
    """The options that are about these tables: conditions and roles of their columns, the layout of their kind.

    A condition on a column that only some of them have stays, and is refused as it is where they stand alone.
    """
    where = [text for text in options.where if _some_has(tables, kind, filters.parse(text).column, options)]
    mine = options.layout in (layouts.NO_LAYOUT, None) or _kind_of_layout(options.layout) in (kind, None)
    beside = kind in BESIDE
    return replace(
        options,
        mapping=mapping_of(tables, options),
        where=tuple(where),
        layout=options.layout if mine and not beside else None,
        date_format=None if beside else options.date_format,
    )


def _read(kind: Kind, tables: Sequence[RawTable], options: ReadOptions) -> Table:
    """Tables of one kind in canonical columns; orders need no amount."""
    if kind == "orders":
        return to_orders(tables, options, need_amount=False)
    if kind == "events":
        return to_events(tables, options)
    if kind == "feedback":
        return to_feedback(tables, options)
    return to_costs(tables, options) if kind == "costs" else to_referrals(tables, options)


def together(tables: Sequence[Table]) -> Table:
    """The first table with the notes and the raw rows of all: what people are told of, and what ``--rejects`` writes."""
    notes = tuple(dict.fromkeys(note for table in tables for note in table.notes))
    raw = pl.concat([table.raw for table in tables], how="diagonal_relaxed") if len(tables) > 1 else tables[0].raw
    return replace(tables[0], notes=notes, raw=raw)
