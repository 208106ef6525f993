"""A table as it was found in a file: its own column names, before anyone knows what they mean."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import polars as pl

from userops.results import Text

HEAD_ROWS = 1_000

Torn = Literal["short_row", "no_newline"]


@dataclass(frozen=True, slots=True)
class RawTable:
    """The rows of one file, or of several alike, lazily; and what was decided to read them.

    ``name``: as the user wrote it, ``stdin`` for ``-``. ``rows``: columns as named in the file, without byte order
    mark and surrounding white space; of text formats all String, empty and missing cells null; of others their own
    types. ``head``: the first rows (nested columns of Parquet are null there). ``format``: parquet, csv, tsv, ndjson,
    json, arrow, xlsx. ``textual``: values are text. ``headerless``: the first line was data, the columns are
    ``column_1`` and so on. ``dropped``: rows left out while reading, by reason; ``dropped_rows``: those rows as text.

    ``size``: how many rows there are, where that is known: a cluster was asked, or a text looked through to its end.
    ``with_number`` stands only on large text that is taken on trust by its beginning: the same table with one column
    read as Float64 by the parser itself. A cell that is no number then stops the run with code ``E_MALFORMED``.
    ``torn``: a sign that the text was cut: it ends in a row that lacks cells, or without a line end.
    """

    name: str
    rows: pl.LazyFrame
    schema: dict[str, pl.DataType]
    head: pl.DataFrame
    format: str
    textual: bool
    headerless: bool
    notes: tuple[Text, ...]
    dropped: dict[str, int]
    dropped_rows: pl.DataFrame | None
    with_number: Callable[[str], RawTable] | None = None
    torn: Torn | None = None
    size: int | None = None


def alike(tables: list[RawTable]) -> bool:
    """Whether tables can be read as one: the same columns of the same types, in whatever order."""
    first, *others = tables
    return all(
        other.schema == first.schema and (other.textual, other.headerless) == (first.textual, first.headerless)
        for other in others
    )


def joined(tables: list[RawTable], name: str) -> RawTable:
    """Tables that are alike, one below the other, under one name."""
    if len(tables) == 1:
        return tables[0]
    first = tables[0]
    columns = list(first.schema)
    heads = pl.concat([table.head.select(columns) for table in tables]).head(HEAD_ROWS)
    dropped_rows = [table.dropped_rows for table in tables if table.dropped_rows is not None]
    reasons = sorted({reason for table in tables for reason in table.dropped})
    return RawTable(
        name=name,
        rows=pl.concat([table.rows.select(columns) for table in tables]),
        schema=first.schema,
        head=heads,
        format=first.format,
        textual=first.textual,
        headerless=first.headerless,
        notes=(
            Text(f"{name}: {len(tables):,} files", f"{name}:共 {len(tables):,} 个文件"),
            *dict.fromkeys(note for table in tables for note in table.notes),
        ),
        dropped={reason: sum(table.dropped.get(reason, 0) for table in tables) for reason in reasons},
        dropped_rows=pl.concat(dropped_rows).head(100_000) if dropped_rows else None,
        torn=max((table.torn for table in tables if table.torn), default=None),  # a short row says more
    )
