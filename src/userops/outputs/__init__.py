"""The one door out: a result goes to a file or to stdout, in one of nine formats.

Each renderer is loaded when its format is asked for. People's formats (table, markdown, html) draw the views;
programs' formats (csv, tsv, json, ndjson, parquet, arrow) carry the rows at full precision.
"""

from __future__ import annotations

import contextlib
import gzip
import os
import sys
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, BinaryIO, Literal, cast, get_args

from userops.errors import OutputError, UsageError
from userops.outputs import saving

if TYPE_CHECKING:
    import polars as pl

    from userops.results import Lang, Result

Format = Literal["table", "csv", "tsv", "json", "ndjson", "parquet", "arrow", "markdown", "html"]
Compression = Literal["gz", "zst"]

FORMATS: tuple[Format, ...] = get_args(Format)
BINARY: frozenset[Format] = frozenset({"parquet", "arrow"})
"""Formats that no terminal can show, and that compress themselves."""

SUFFIXES: dict[str, Format] = {
    ".csv": "csv", ".tsv": "tsv", ".json": "json", ".ndjson": "ndjson", ".jsonl": "ndjson", ".parquet": "parquet",
    ".arrow": "arrow", ".ipc": "arrow", ".feather": "arrow", ".md": "markdown", ".markdown": "markdown",
    ".html": "html", ".htm": "html", ".txt": "table",
}  # fmt: skip


def format_of(path: str) -> tuple[Format, Compression | None]:
    """The format and the compression that a file name asks for; UsageError when it says neither clearly."""
    name, compression = _split_compression(path)
    format = next((known for suffix, known in SUFFIXES.items() if name.endswith(suffix)), None)
    if format is None or (compression and format in BINARY):
        raise UsageError.unknown_suffix(path, tuple(SUFFIXES))
    return format, compression


def emit(
    result: Result,
    *,
    format: str | None = None,
    path: str | None = None,
    lang: Lang = "en",
    color: bool = False,
    width: int = 100,
    terminal: bool = False,
    bom: bool = False,
    excel_safe: bool = False,
    ids_dtype: pl.DataType | None = None,
    stdout: BinaryIO | None = None,
) -> None:
    """Write the result to ``path``, whole or not at all, or to stdout when there is none (or it is ``-``).

    ``format``: one of FORMATS; None takes it from the suffix of ``path``, else ``table``. A compression suffix counts
    either way. ``terminal``, ``color`` and ``width`` describe stdout and touch the table alone; a file is never
    coloured. New files with a ``user_id`` column are readable by their owner only.

    UsageError for an unknown format or suffix and for a binary format on a terminal, before anything is opened;
    OutputError when the destination cannot take it; BrokenPipeError when the reader has gone.
    """
    destination = None if path == "-" else path
    chosen, compression = settled(format, destination, terminal=terminal)
    on_screen = destination is None and (terminal or color)

    def write(handle: BinaryIO) -> None:
        with _compressed(handle, compression) as to:
            if chosen in ("csv", "tsv", "parquet", "arrow"):
                from userops.outputs import tabular

                options = tabular.TabularOptions(bom=bom, excel_safe=excel_safe, ids_dtype=ids_dtype)
                tabular.write(result.rows, chosen, to, options)
            elif chosen == "table" and on_screen:
                from userops.outputs import terminal as screen

                limit = screen.MAX_ROWS if terminal else None
                to.write(_encoded(screen.render(result, lang, width, color, limit)))
            else:
                to.writelines(map(_encoded, _text(result, chosen, lang)))

    if destination is None:
        to_stdout(write, stdout)
    else:
        saving.write_atomically(destination, write, private="user_id" in result.rows.columns)


def settled(format: str | None, path: str | None, *, terminal: bool) -> tuple[Format, Compression | None]:
    """The format and the compression of what goes to ``path`` (None: stdout); UsageError where they do not go together."""
    chosen, compression = _chosen(format, path)
    if path is None and terminal and chosen in BINARY:
        raise UsageError.binary_to_terminal(chosen)
    return chosen, compression


def _chosen(format: str | None, path: str | None) -> tuple[Format, Compression | None]:
    if format is not None and format not in FORMATS:
        raise UsageError.unknown_name("format", format, FORMATS)
    if path is None or (saving.is_stream(path) and not os.path.splitext(path)[1]):
        return format or "table", None
    if format is None:
        return format_of(path)
    compression = _split_compression(path)[1]
    if compression and format in BINARY:
        raise UsageError.conflict(f"--format {format}", f".{compression}", f"{format} is compressed inside already")
    return format, compression


def _split_compression(path: str) -> tuple[str, Compression | None]:
    name = path.lower()
    for compression in get_args(Compression):
        if name.endswith(f".{compression}"):
            return name.removesuffix(f".{compression}"), compression
    return name, None


def _text(result: Result, format: Format, lang: Lang) -> Iterable[str]:
    match format:
        case "json":
            from userops.outputs import structured

            return structured.json_parts(result, lang)
        case "ndjson":
            from userops.outputs import structured

            return structured.ndjson_parts(result)
        case "markdown":
            from userops.outputs import markdown

            return (markdown.render(result, lang),)
        case "html":
            from userops.outputs import web

            return (web.page(result, lang),)
        case _:
            from userops.outputs import plain

            return (plain.render(result, lang),)


def _encoded(text: str) -> bytes:
    """UTF-8; what is no text (bytes of a file name) becomes a question mark."""
    return text.encode("utf-8", "replace")


@contextlib.contextmanager
def _compressed(handle: BinaryIO, compression: Compression | None) -> Iterator[BinaryIO]:
    """The handle, or one that compresses into it: the same bytes each time (no name, no time in the header)."""
    match compression:
        case "gz":
            with gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=handle, mtime=0) as packed:
                yield cast("BinaryIO", packed)
        case "zst":
            import pyarrow as pa

            with pa.CompressedOutputStream(pa.PythonFile(_LeftOpen(handle), mode="w"), "zstd") as packed:
                yield packed
        case None:
            yield handle


class _LeftOpen:
    """A handle that the stream on top of it cannot close: who opened it has still to make it last."""

    closed = False

    def __init__(self, handle: BinaryIO) -> None:
        self.write = handle.write
        self.flush = handle.flush

    def close(self) -> None:
        """Nothing: see above."""


def to_stdout(write: saving.Writer, stdout: BinaryIO | None = None) -> None:
    """What ``write`` writes, on stdout; OutputError when that cannot take it, BrokenPipeError when nobody reads."""
    handle = stdout or (sys.stdout.buffer if sys.stdout else None)
    if handle is None or not handle.writable():
        raise OutputError.not_written("stdout", "it is closed", "use -o FILE")
    try:
        write(handle)
        handle.flush()
    except BrokenPipeError:
        raise
    except OSError as problem:
        raise saving.refused("stdout", problem) from problem
