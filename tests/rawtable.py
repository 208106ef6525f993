"""Tables as the reader of files gives them, made of frames, for tests of what comes after reading."""

from __future__ import annotations

import polars as pl

from userops.inputs.raw import HEAD_ROWS, RawTable


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
