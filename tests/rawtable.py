"""Tables as the reader of files gives them, made of frames, for tests of what comes after reading."""

from __future__ import annotations

import polars as pl

from userops.inputs.raw import HEAD_ROWS, RawTable
from userops.inputs.values import Column, Reading


def binary(frame: pl.DataFrame | pl.LazyFrame, name: str = "orders.parquet") -> RawTable:
    """A table from a file that knows its types."""
    return _raw(frame.lazy(), name, "parquet", textual=False, headerless=False)


def text(rows: str, name: str = "orders.csv", *, headerless: bool = False) -> RawTable:
    """A table from the text of a CSV file: every column text, empty cells null."""
    frame = pl.read_csv(rows.encode(), infer_schema=False, has_header=not headerless)
    if headerless:
        frame.columns = [f"column_{place}" for place in range(1, frame.width + 1)]
    frame = frame.with_columns(pl.when(pl.all() != "").then(pl.all()))
    return _raw(frame.lazy(), name, "csv", textual=True, headerless=headerless)


def _raw(rows: pl.LazyFrame, name: str, form: str, *, textual: bool, headerless: bool) -> RawTable:
    return RawTable(
        name=name,
        rows=rows,
        schema=dict(rows.collect_schema()),
        head=rows.head(HEAD_ROWS).collect(),
        format=form,
        textual=textual,
        headerless=headerless,
        notes=(),
        dropped={},
        dropped_rows=None,
    )


def column(
    cells: list[object], dtype: pl.DataType | type[pl.DataType] | None = None, *, textual: bool = False
) -> Column:
    """A column ``c`` of a table that has no other."""
    frame = pl.DataFrame({"c": cells}, schema={"c": dtype} if dtype else None, strict=False)
    return Column("c", pl.col("c"), frame.schema["c"], frame["c"].head(1_000), frame.lazy(), "f.csv", textual)


def answers(column: Column, reading: Reading) -> tuple[list[object], dict[str, list[int]]]:
    """The values, and for each flaw the numbers of the rows that have it."""
    flaws = [flaw.fill_null(value=False).alias(reason) for reason, flaw in reading.flaws.items()]
    out = column.rows.with_columns(reading.first).select(reading.value.alias("value"), *flaws).collect()
    rows = {reason: out.select(pl.arg_where(reason)).to_series().to_list() for reason in reading.flaws}
    return out["value"].to_list(), {reason: found for reason, found in rows.items() if found}
