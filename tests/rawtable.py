"""Tables as the reader of files gives them, made of frames, for tests of what comes after reading."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import polars as pl

try:
    from userops.inputs.loading import RawTable
except ImportError:

    @dataclass(frozen=True, slots=True)
    class RawTable:  # type: ignore[no-redef]
        """The same fields, for as long as the reader is not there."""

        name: str
        rows: pl.LazyFrame
        schema: dict[str, pl.DataType]
        head: pl.DataFrame
        format: str
        textual: bool
        headerless: bool = False
        notes: tuple[Any, ...] = ()
        dropped: dict[str, int] = field(default_factory=dict)
        dropped_rows: pl.DataFrame | None = None


def binary(frame: pl.DataFrame | pl.LazyFrame, name: str = "orders.parquet") -> RawTable:
    """A table from a file that knows its types."""
    return _raw(frame.lazy(), name, "parquet", textual=False, headerless=False)


def text(rows: str, name: str = "orders.csv", *, headerless: bool = False) -> RawTable:
    """A table from the text of a CSV file: every column text, empty cells null."""
    frame = pl.read_csv(rows.encode(), infer_schema=False, has_header=not headerless)
    frame = frame.with_columns(pl.when(pl.all() != "").then(pl.all()))
    return _raw(frame.lazy(), name, "csv", textual=True, headerless=headerless)


def _raw(rows: pl.LazyFrame, name: str, form: str, *, textual: bool, headerless: bool) -> RawTable:
    return RawTable(
        name=name,
        rows=rows,
        schema=dict(rows.collect_schema()),
        head=rows.head(1_000).collect(),
        format=form,  # type: ignore[arg-type]
        textual=textual,
        headerless=headerless,
        notes=(),
        dropped={},
        dropped_rows=None,
    )
