"""The files of one AARRR report: each told by its option or by what it holds, and what the configuration says of activation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import polars as pl

from userops.cli_support import lists, settings
from userops.errors import InputError, UsageError
from userops.inputs import filters, layouts, nested
from userops.inputs.costs import to_costs
from userops.inputs.events import to_events
from userops.inputs.orders import to_orders
from userops.inputs.referrals import to_referrals
from userops.results import Text

if TYPE_CHECKING:
    from datetime import timedelta

    from userops.cli_support.running import Run
    from userops.frames import Costs, Events, Orders, Referrals, Table
    from userops.inputs.mapping import ReadOptions
    from userops.inputs.raw import RawTable

DEFAULT_WITHIN = "7d"


@dataclass(frozen=True, slots=True)
class Files:
    """The tables of a report, None for what was not given; ``mind``: what to know about how they were read."""

    events: Events | None = None
    orders: Orders | None = None
    users: pl.DataFrame | None = None
    costs: Costs | None = None
    referrals: Referrals | None = None
    mind: tuple[Text, ...] = ()


def read(run: Run, files: Sequence[str] | None, named: Mapping[str, Sequence[str] | None], by: str | None) -> Files:
    """The tables behind ``named`` options (``events, orders, costs, referrals``) and behind ``files`` of any kind.

    Columns that hold the channel, and ``by``, are kept. UsageError without events and orders; InputError where a file
    is of no such kind.
    """
    opened = {kind: run.tables(paths) for kind, paths in named.items() if paths}
    for table in run.tables(files) if files or not opened else []:
        opened.setdefault(_kind(run, table), []).append(table)
    if "events" not in opened and "orders" not in opened:
        raise UsageError.needs_events_or_orders()
    wanted = list(dict.fromkeys(filter(None, ("channel", by))))
    of_users = _columns_of_users(run, wanted)
    options = run.reading()
    _require_columns(run, opened, options)
    read: dict[str, Table] = {}
    for kind, tables in opened.items():
        keep = [column for column in wanted if column not in of_users and _all_have(tables, kind, column, options)]
        read[kind] = _read(kind, tables, _fitting(kind, tables, replace(options, keep=tuple(keep))))
    run.told(_together(list(read.values())))
    mind = tuple(_chosen_apart(opened, options))
    return Files(users=run.users(of_users), mind=mind, **read)  # type: ignore[arg-type] # each of its kind


def _kind(run: Run, table: RawTable) -> str:
    """What a table holds that was given without saying so; InputError where that is nothing of use here."""
    for kind in ("costs", "referrals"):
        if layouts.is_of(kind, table):
            return kind
    options = run.reading()
    found = layouts.recognise(table, layout=options.layout, mapping=_mapping([table], options)).kind
    if found not in ("events", "orders"):
        raise InputError.kind_open(table.name, list(table.schema))
    return found


def _columns_of_users(run: Run, wanted: Sequence[str]) -> list[str]:
    """The columns that ``--users-table`` tells."""
    if run.common.users_table is None:
        return []
    schema = layouts.columns_of(run.tables([run.common.users_table])[0].schema)
    return [column for column in wanted if column in schema]


def _mapping(tables: Sequence[RawTable], options: ReadOptions) -> dict[str, str]:
    """The part of ``--map`` that names columns of these tables."""
    columns = {layouts.normalised(name) for table in tables for name in layouts.columns_of(table.schema)}
    return {role: column for role, column in options.mapping.items() if layouts.normalised(column) in columns}


def _has(table: RawTable, kind: str, column: str, options: ReadOptions) -> bool:
    """Whether a table has a column, something of that name inside one, or one that plays the role of that name."""
    names = {layouts.normalised(name) for name in layouts.columns_of(table.schema)}
    root = nested.json_root(column, table.schema)
    inside = nested.reach(column, table.schema) is not None and (root is None or nested.holds_json(table.head[root]))
    if inside or layouts.normalised(column) in names:
        return True
    layout = options.layout if kind == _kind_of_layout(options.layout) else None
    what = layouts.recognise(table, layout=layout, mapping=_mapping([table], options), want=kind)  # type: ignore[arg-type]
    return column in what.roles


def _all_have(tables: Sequence[RawTable], kind: str, column: str, options: ReadOptions) -> bool:
    return all(_has(table, kind, column, options) for table in tables)


def _kind_of_layout(name: str | None) -> str | None:
    known = layouts.layout_named(name) if name else None
    return known.kind if known else None


def _require_columns(run: Run, opened: Mapping[str, Sequence[RawTable]], options: ReadOptions) -> None:
    """InputError where no table has a column of ``--where``, or one of ``--map``."""
    tables = [(kind, table) for kind, group in opened.items() for table in group]
    columns = list(dict.fromkeys(name for _, table in tables for name in layouts.columns_of(table.schema)))
    named = [condition.column for condition in options.conditions]
    lost = [name for name in named if not any(_has(table, kind, name, options) for kind, table in tables)]
    users = run.tables([run.common.users_table]) if run.common.users_table else []
    known = _mapping([*(table for _, table in tables), *users], options)
    lost += [column for role, column in options.mapping.items() if role not in known]
    if lost:
        raise InputError.column_unknown(lost[0], tables[0][1].name, columns)


def _chosen_apart(opened: Mapping[str, Sequence[RawTable]], options: ReadOptions) -> Iterator[Text]:
    """A warning where users are chosen by what costs know nothing of: spend is then of all."""
    if "costs" not in opened:
        return
    main = "events" if "events" in opened else "orders"
    chosen = ["--only-users"] if options.only_users is not None else []
    for text, condition in zip(options.where, options.conditions, strict=True):
        if _all_have(opened[main], main, condition.column, options):
            chosen += [] if _all_have(opened["costs"], "costs", condition.column, options) else [f"--where '{text}'"]
    if chosen:
        listed = ", ".join(chosen)
        yield Text(
            f"costs know nothing of {listed}: spend, and what is made of it, is of all users, not of those chosen",
            f"费用数据不受 {listed} 限制:花费及相关指标为全部用户,而非所选用户",
        )


def _fitting(kind: str, tables: Sequence[RawTable], options: ReadOptions) -> ReadOptions:
    """The options that are about these tables: conditions and roles of their columns, the layout of their kind."""
    where = [text for text in options.where if _all_have(tables, kind, filters.parse(text).column, options)]
    mine = options.layout in (layouts.NO_LAYOUT, None) or _kind_of_layout(options.layout) in (kind, None)
    beside = kind in ("costs", "referrals")
    return replace(
        options,
        mapping=_mapping(tables, options),
        where=tuple(where),
        layout=options.layout if mine and not beside else None,
        date_format=None if beside else options.date_format,
    )


def _read(kind: str, tables: Sequence[RawTable], options: ReadOptions) -> Table:
    """Tables of one kind in canonical columns; orders need no amount."""
    if kind == "orders":
        return to_orders(tables, options, need_amount=False)
    if kind == "events":
        return to_events(tables, options)
    return to_costs(tables, options) if kind == "costs" else to_referrals(tables, options)


def _together(tables: Sequence[Table]) -> Table:
    """The first table with the notes and the raw rows of all: what people are told of, and what ``--rejects`` writes."""
    notes = tuple(dict.fromkeys(note for table in tables for note in table.notes))
    raw = pl.concat([table.raw for table in tables], how="diagonal_relaxed") if len(tables) > 1 else tables[0].raw
    return replace(tables[0], notes=notes, raw=raw)


def activation(run: Run, event: str | None, within: str | None) -> tuple[str | None, timedelta]:
    """The activation event and its window: as given, else as ``[activation]`` of the configuration has it, else 7 days."""
    config = settings.in_force(run.common.config, run.common.no_config)
    said: Any = config.values.get("activation", {})
    if not isinstance(said, dict) or not all(isinstance(value, str) for value in said.values()):
        raise UsageError.settings_file(str(config.path), "[activation] takes event and within, as text")
    for key in said:
        if key not in ("event", "within"):
            raise UsageError.unknown_name("key", key, ["event", "within"], f"[activation] of {config.path}")
    option = "--activation-within" if within else f"within in [activation] of {config.path}"
    length = lists.duration(option, within or said.get("within", DEFAULT_WITHIN))
    return event or said.get("event"), length
