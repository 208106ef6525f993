"""The main table for other programs: CSV, TSV, Parquet and Arrow IPC, streamed to a binary handle.

The same rows give the same bytes: fixed compression, no clock, and numbers in their shortest exact form. NaN and
infinities leave as null. Nothing the size of the table is built in memory beside it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import IO, BinaryIO, Literal, cast

import polars as pl
import polars.selectors as cs

TabularFormat = Literal["csv", "tsv", "parquet", "arrow"]

FORMULA_STARTS = "=+-@\t\r\n\0＝＋－＠"
"""What makes a spreadsheet take a cell for a formula (CWE-1236), full-width forms included."""


@dataclass(frozen=True, slots=True)
class TabularOptions:
    """How a table is written.

    ``bom``: a byte order mark, by which Excel knows UTF-8. ``excel_safe``: an apostrophe before text that a
    spreadsheet would run. ``ids_dtype``: the type ``user_id`` had in the input; Parquet and Arrow give it back.
    """

    bom: bool = False
    excel_safe: bool = False
    ids_dtype: pl.DataType | None = None


PLAIN = TabularOptions()

_FORMULA = r"^[=+\-@\t\r\n\x00＝＋－＠]"


def write(frame: pl.DataFrame, format: TabularFormat, handle: BinaryIO, options: TabularOptions = PLAIN) -> None:
    """Write the frame to ``handle``, which may be a pipe; its own OSError comes out when it cannot take more."""
    sink = ErrorKeeping(handle)
    match format:
        case "csv" | "tsv":
            ready = textual(frame, nested_as_text=True)
            ready = _harmless(ready) if options.excel_safe else ready
            separator = "," if format == "csv" else "\t"
            sink.attempt(lambda to: ready.write_csv(to, include_bom=options.bom, separator=separator))
        case "parquet":
            typed = _typed(frame, options)
            sink.attempt(lambda to: typed.write_parquet(to, compression="zstd"))
        case "arrow":
            typed = _typed(frame, options)
            sink.attempt(lambda to: typed.write_ipc(to, compression="zstd", compat_level=pl.CompatLevel.oldest()))


def textual(frame: pl.DataFrame, nested_as_text: bool = False) -> pl.DataFrame:
    """The frame in types that text formats hold: ISO times, seconds for durations, decimals as numbers, no NaN.

    ``nested_as_text``: lists and structs as JSON text, for formats without nesting.
    """
    kept = finite(frame)
    changed = [converted for name, dtype in kept.schema.items() if (converted := _text_form(name, dtype)) is not None]
    if nested_as_text:
        changed += [_json_text(name) for name, dtype in kept.schema.items() if dtype.is_nested()]
    return kept.with_columns(changed)


def finite(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with null for NaN and infinities."""
    floats = cs.float()
    return frame.with_columns(pl.when(floats.is_finite()).then(floats))


class ErrorKeeping:
    """A write-only handle that remembers the exception of the handle below.

    Polars hands on an I/O failure as text, some formats as ComputeError; what went wrong (a closed pipe, a full disk)
    is wanted as the OSError that it was.
    """

    def __init__(self, handle: BinaryIO) -> None:
        self._handle = handle
        self._problem: OSError | None = None

    def write(self, data: bytes) -> int:
        """Write below; an OSError is kept and raised on."""
        try:
            return self._handle.write(data)
        except OSError as problem:
            self._problem = self._problem or problem
            raise

    def flush(self) -> None:
        """Flush below."""
        self._handle.flush()

    def attempt(self, action: Callable[[IO[bytes]], object]) -> None:
        """Run ``action`` with this handle; the handle's own OSError comes out, other exceptions as they are."""
        try:
            action(cast("IO[bytes]", self))
        except Exception:
            if self._problem is not None:
                raise self._problem from None
            raise
        if self._problem is not None:
            raise self._problem


def _typed(frame: pl.DataFrame, options: TabularOptions) -> pl.DataFrame:
    """The frame with ids in the input's type again; ids that do not fit it (pseudonyms) stay text."""
    kept = finite(frame)
    if options.ids_dtype is None or "user_id" not in kept.columns:
        return kept
    ids = kept["user_id"].cast(options.ids_dtype, strict=False)
    return kept.with_columns(ids) if ids.null_count() == kept["user_id"].null_count() else kept


def _text_form(name: str, dtype: pl.DataType) -> pl.Expr | None:
    column = pl.col(name)
    match dtype:
        case pl.Datetime(time_zone=zone):
            return column.dt.to_string("%Y-%m-%dT%H:%M:%S%.f" + ("%:z" if zone else ""))
        case pl.Duration():
            return (column.dt.total_microseconds() / 1_000_000).alias(name)
        case pl.Decimal():
            return column.cast(pl.Float64)
        case _:
            return None


def _json_text(name: str) -> pl.Expr:
    """A nested column as JSON: encoded as the one field of a struct, and taken out of its braces."""
    encoded = pl.struct(pl.col(name).alias("x")).struct.json_encode()
    inner = encoded.str.slice(len('{"x":')).str.head(-1)
    return pl.when(pl.col(name).is_not_null()).then(inner).alias(name)


def _harmless(frame: pl.DataFrame) -> pl.DataFrame:
    """Text cells and headers that start like a formula, with an apostrophe before them; numbers as they are."""
    text = (cs.string() | cs.categorical() | cs.enum()).as_expr().cast(pl.String)
    cells = frame.with_columns(text.str.replace(_FORMULA, "'${0}"))
    return cells.rename({name: "'" + name for name in cells.columns if name.startswith(tuple(FORMULA_STARTS))})
