"""What userops sees in a file: its kind and layout, what each column is to us, and which rows would count."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import polars as pl

from userops import account, frames, partition
from userops.collecting import collect
from userops.errors import InputError
from userops.inputs import layouts, nested, sniffing
from userops.inputs.costs import to_costs
from userops.inputs.events import to_events
from userops.inputs.feedback import to_feedback
from userops.inputs.mapping import ReadOptions
from userops.inputs.orders import to_orders
from userops.inputs.referrals import to_referrals
from userops.inputs.subscriptions import to_subscriptions
from userops.inputs.users import to_users
from userops.results import (
    Block,
    Column,
    FactsBlock,
    InputReport,
    NotesBlock,
    Provenance,
    Result,
    TableBlock,
    Text,
)

if TYPE_CHECKING:
    from userops.inputs.raw import RawTable

BOMB_BYTES, BOMB_RATIO = 1 << 30, 100
"""A Parquet column of more bytes than this, packed tighter than this, is not unpacked just to be looked at."""


@dataclass(frozen=True, slots=True)
class _Seen:
    """What became of the rows of some tables of one kind."""

    reports: tuple[InputReport, ...]
    users: int | None = None
    first: datetime | None = None
    last: datetime | None = None
    notes: tuple[Text, ...] = ()
    warnings: tuple[Text, ...] = field(default=())


def inspect(tables: Sequence[RawTable], options: ReadOptions) -> Result:
    """One row per column: ``role`` (null: none), ``column, dtype, nulls, example``; with several inputs ``file`` too.

    A file that is no use yet (a column missing, a choice to make) is no error here: the warning says what to do.
    """
    known = [layouts.recognise(t, layout=options.layout, mapping=options.mapping) for t in tables]
    counts = [_counts(table) for table in tables]
    rows = pl.concat(
        [_columns(table, what, count.nulls) for table, what, count in zip(tables, known, counts, strict=True)]
    )
    if len(tables) == 1:
        rows = rows.drop("file")
    kinds = list(dict.fromkeys(what.kind for what in known))
    seen = _seen(tables, known, [count.rows for count in counts], options)
    names = list(dict.fromkeys(what.layout for what in known))
    summary: dict[str, Any] = {
        "kind": kinds[0] if len(kinds) == 1 else "mixed",
        "layout": names[0] if len(names) == 1 else "mixed",
        "rows": sum(report.rows_read for report in seen.reports),
        "users": seen.users,
        "first": seen.first.isoformat() if seen.first else None,
        "last": seen.last.isoformat() if seen.last else None,
    }
    provenance = Provenance(
        as_of=None,
        tz=options.tz,
        week_start="monday",
        inputs=seen.reports,
        settings={},
        definitions=(),
        warnings=seen.warnings,
    )
    return Result("inspect", rows, summary, provenance, views=_views(tables, rows, summary, seen))


class _Counts(NamedTuple):
    """How many rows a table has (None: not counted yet), and how many nulls each column."""

    rows: int | None
    nulls: dict[str, int]


def _counts(table: RawTable) -> _Counts:
    """Counted in one scan, without the columns that looking would blow up."""
    heavy = _too_heavy(table)
    looked_at = [name for name in table.schema if name not in heavy]
    if not looked_at:
        return _Counts(None, {})
    nulls = [pl.col(name).null_count().alias(f"nulls of {name}") for name in looked_at]
    rows, *found = collect(table.rows.select(pl.len(), *nulls), table.name).row(0)
    return _Counts(rows, dict(zip(looked_at, found, strict=True)))


def _columns(table: RawTable, what: layouts.Recognition, nulls: dict[str, int]) -> pl.DataFrame:
    """One line per column, and below it one per field in it that plays a role."""
    role_of = {column: role for role, columns in what.roles.items() for column in columns}
    lines = []
    for column, dtype in layouts.columns_of(table.schema).items():
        if column in table.schema or column in role_of:
            cell, _ = nested.reach(column, table.schema) or (pl.lit(None), dtype)
            example = _example(table.head.select(cell).to_series().drop_nulls())
            lines.append((table.name, role_of.get(column), column, _type(dtype), nulls.get(column), example))
    schema = {
        "file": pl.String, "role": pl.String, "column": pl.String, "dtype": pl.String, "nulls": pl.Int64, "example": pl.String,
    }  # fmt: skip
    return pl.DataFrame(lines, schema=schema, orient="row")


def _type(dtype: pl.DataType) -> str:
    """A type as people write it: ``Datetime[us, Asia/Shanghai]``; of a struct only how many fields it has."""
    if isinstance(dtype, pl.Datetime):
        return f"Datetime[{dtype.time_unit}{f', {dtype.time_zone}' if dtype.time_zone else ''}]"
    if isinstance(dtype, pl.Struct):
        return f"Struct[{len(dtype.fields)}]"
    if isinstance(dtype, pl.List):
        return f"List[{_type(dtype.inner)}]"  # type: ignore[arg-type] # an instance, in a schema that was collected
    return str(dtype)


def _example(values: pl.Series) -> str:
    """The first value as text; empty where there is none, or none that Python knows (a day in the year 52951)."""
    with suppress(ValueError, OverflowError, pl.exceptions.PanicException):
        return "" if values.is_empty() else str(values[0])[:40]
    return ""


def _too_heavy(table: RawTable) -> set[str]:
    """Columns whose nulls stay unknown: those of Parquet whose footer says they would blow up, all of large packed text."""
    if table.with_number is not None and Path(table.name).is_file():
        with Path(table.name).open("rb") as file:
            return set(table.schema) if sniffing.container(file.read(16)) in ("gz", "zst") else set()
    if table.format != "parquet" or not Path(table.name).is_file():
        return set()
    import pyarrow as pa
    import pyarrow.parquet as pq

    sizes: dict[str, list[int]] = {}
    try:
        footer = pq.read_metadata(table.name)
        for group in range(footer.num_row_groups):
            for index in range(footer.num_columns):
                chunk = footer.row_group(group).column(index)
                size = sizes.setdefault(chunk.path_in_schema.split(".")[0], [0, 0])
                size[0] += chunk.total_uncompressed_size
                size[1] += chunk.total_compressed_size
    except (pa.ArrowException, OSError):
        return set()
    return {name for name, (full, packed) in sizes.items() if full > BOMB_BYTES and full > BOMB_RATIO * packed}


def _seen(
    tables: Sequence[RawTable],
    known: Sequence[layouts.Recognition],
    heights: Sequence[int | None],
    options: ReadOptions,
) -> _Seen:
    """What became of the rows; tables of several kinds are looked at kind by kind."""
    by_kind: dict[layouts.Kind | None, list[int]] = {}
    for number, what in enumerate(known):
        by_kind.setdefault(what.kind, []).append(number)
    found = [
        _seen_alike(
            [tables[i] for i in numbers], [known[i] for i in numbers], [heights[i] for i in numbers], kind, options
        )
        for kind, numbers in by_kind.items()
    ]
    if len(found) == 1:
        return found[0]
    times = [t for seen in found for t in (seen.first, seen.last) if t is not None]
    return _Seen(
        tuple(report for seen in found for report in seen.reports),
        None,
        min(times, default=None),
        max(times, default=None),
        tuple(note for seen in found for note in seen.notes),
        tuple(warning for seen in found for warning in seen.warnings),
    )


def _seen_alike(
    tables: Sequence[RawTable],
    known: Sequence[layouts.Recognition],
    heights: Sequence[int | None],
    kind: layouts.Kind | None,
    options: ReadOptions,
) -> _Seen:
    try:
        if kind is not None:
            seen = _counted(_READERS[kind](tables, options))
            return replace(seen, warnings=(*_choices(tables, known), *seen.warnings))
        reason = Text(
            "no known kind: no column names a user; --map user_id=COLUMN",
            "无法识别类型:没有用户列;可用 --map user_id=列名",
        )
    except InputError as problem:
        said = f"{problem.message}; {problem.hint}" if problem.hint else problem.message
        reason = Text(said, said)
    reports = []
    for table, what, height in zip(tables, known, heights, strict=True):
        rows = collect(table.rows.select(pl.len()), table.name).item() if height is None else height
        dropped = dict(table.dropped)
        reports.append(InputReport(table.name, what.layout, rows + sum(dropped.values()), rows, dropped))
    return _Seen(tuple(reports), warnings=(reason,))


def _choices(tables: Sequence[RawTable], known: Sequence[layouts.Recognition]) -> list[Text]:
    """The roles that several columns could play: an analysis that needs one will ask."""
    asked = [
        InputError.column_ambiguous(role, table.name, candidates)
        for table, what in zip(tables, known, strict=True)
        for role, candidates in what.open.items()
    ]
    return [Text(f"{problem.message}; {problem.hint}", f"{problem.message}; {problem.hint}") for problem in asked]


_READERS: dict[layouts.Kind, Callable[[Sequence[RawTable], ReadOptions], frames.Table]] = {
    "orders": partial(to_orders, need_amount=False),
    "events": to_events,
    "users": to_users,
    "subscriptions": to_subscriptions,
    "costs": to_costs,
    "referrals": to_referrals,
    "feedback": to_feedback,
}


def _counted(table: frames.Table) -> _Seen:
    """What became of the rows, in one scan."""
    ids = partition.Reduce(lambda rows: frames.good(rows).select(pl.col("user_id").drop_nulls().n_unique()))
    small = partition.run(table.rows, {"account": account.reduce(table), "users": ids}, what=table.name)
    books = account.Account(small["account"], table)
    copies = None
    if not isinstance(table, frames.Users):  # one row of each counts anyway
        copies = account.copies_warning(account.exact_copies(table, books.rows_used))
    return _Seen(
        books.reports(),
        None if isinstance(table, frames.Costs) else small["users"].item(),
        books.first_time,
        books.last_time,
        table.notes,
        (copies,) if copies else (),
    )


def _views(tables: Sequence[RawTable], rows: pl.DataFrame, summary: dict[str, Any], seen: _Seen) -> tuple[Block, ...]:
    facts = FactsBlock(
        (
            (Text("kind", "类型"), summary["kind"] or "unknown", "text"),
            (Text("layout", "格式"), summary["layout"], "text"),
            (Text("rows", "行数"), summary["rows"], "count"),
            (Text("users", "用户数"), summary["users"], "count"),
            (Text("first", "最早"), summary["first"], "text"),
            (Text("last", "最晚"), summary["last"], "text"),
        )
    )
    columns = (
        *((Column("file", Text("File", "文件")),) if len(tables) > 1 else ()),
        Column("role", Text("Role", "角色")),
        Column("column", Text("Column", "列")),
        Column("dtype", Text("Type", "类型")),
        Column("nulls", Text("Empty", "空值"), "count"),
        Column("example", Text("Example", "示例")),
    )
    blocks: list[Block] = [facts, TableBlock(Text("Columns", "列"), columns, rows)]
    rejected = {reason: n for report in seen.reports for reason, n in report.rejected.items()}
    notes = [*(note for table in tables for note in table.notes), *seen.notes]
    notes += [
        Text(f"{n:,} rows do not count: {frames.REASON_TEXTS[r].en}", f"{n:,} 行不计入:{frames.REASON_TEXTS[r].zh}")
        for r, n in rejected.items()
    ]
    if notes:
        blocks.append(NotesBlock(Text("Noticed", "说明"), tuple(dict.fromkeys(notes))))
    if seen.warnings:
        blocks.append(NotesBlock(Text("Mind", "注意"), seen.warnings, tone="warning"))
    return tuple(blocks)
