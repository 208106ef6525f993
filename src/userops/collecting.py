"""Polars run with its failures translated: a damaged file ends in one clear line, never in a backtrace.

Everything that makes Polars work on a file goes through :func:`collect`, :func:`collect_all` or the context
:func:`guarded`. Ctrl-C passes through untouched.
"""

from __future__ import annotations

import errno
import os
import re
import tempfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

# Polars reads these when it first needs them: time zones it does not know must not stop a file that is otherwise
# fine, and a panic of its native code must not fill the terminal.
os.environ.setdefault("POLARS_IGNORE_TIMEZONE_PARSE_ERROR", "1")
os.environ.setdefault("RUST_BACKTRACE", "0")

import polars as pl

from userops.errors import InputError, OutputError, UseropsError

OVERFLOW = "userops: cells beyond the header"
"""The column a delimited file is read with beside its own: what is found in it has no place in the header."""

_COPY_AGAIN = "the file seems damaged or cut short; copy or export it again"
_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)

_MALFORMED: tuple[tuple[str, str, str], ...] = (
    (r"invalid utf-?8", "it is not UTF-8 text throughout", "name its encoding: --encoding gb18030, --encoding cp1252"),
    (
        rf"more fields than defined|not specified in schema|{re.escape(OVERFLOW)}",
        "a row has more cells than the header",
        "quote the cells that hold the separator, or export the file again",
    ),
    (r"as dtype `f64`", "an amount is no number", "look at the rows with --rejects rejects.csv"),
    (
        r"CSV malformed|as dtype `str`",
        "a quote is opened and not closed, or stands inside a cell",
        'write a quote inside a quoted cell twice ("")',
    ),
)
"""Trouble that a thorough opening of the file mends, or names by its line: (sign, problem, hint)."""

_TYPE = "it holds a type of value that userops cannot read"
_PACKING = (
    "gzip|deflate|CRC check|Compressed file ended|while decompressing|unexpected end of file|incomplete frame|zstd"
)
_PARQUET = "parquet|thrift|out.of.spec|out of specification|footer|page header|dictionary page|decompress|snappy|brotli"
_JSON = "its JSON does not parse, or a field changes its type"

_UNREADABLE: tuple[tuple[str, str, str | None], ...] = (
    (r"object.store|http error", "the address does not answer with a file", "check the address and who may read it"),
    (r"no such file", "it is gone", "was it moved while being read?"),
    (r"encryption error|is encrypted", "it is encrypted Parquet", "decrypt it first"),
    (_PACKING, "its compressed data are broken", _COPY_AGAIN),
    (
        r"not (yet )?(supported|implemented)|unsupported|nyi\b|LogicalType|precision must be",
        _TYPE,
        "write it again with plain columns: text, numbers, dates",
    ),
    (r"timezone|time zone", "it holds a time zone that is not known", "write the times in UTC"),
    (_PARQUET, "the file is damaged or cut short", _COPY_AGAIN),
    (r"cannot parse '|json|syntax at character", _JSON, "write every field with one type, one object per line"),
)

_OURS = (pl.exceptions.ColumnNotFoundError, pl.exceptions.StructFieldNotFoundError, pl.exceptions.ShapeError)
"""What only a mistake in a query raises: left alone, so that it is seen as the bug it is."""


def collect(lazy: pl.LazyFrame, what: str) -> pl.DataFrame:
    """The rows of a lazy frame; ``what`` names the input in errors.

    Raises InputError for data that cannot be read (code ``E_MALFORMED`` where opening the file with
    ``thorough=True`` mends it or names the line), OutputError where the disk is full.
    """
    with guarded(what):
        return lazy.collect()


def collect_all(lazies: Sequence[pl.LazyFrame], what: str) -> list[pl.DataFrame]:
    """The rows of several lazy frames, shared scans read once; errors as in :func:`collect`."""
    with guarded(what):
        return pl.collect_all(lazies)


@contextmanager
def guarded(what: str) -> Iterator[None]:
    """Turn the failures of Polars and of the system inside the block into errors of userops about ``what``."""
    try:
        yield
    except _OURS:
        raise
    except (
        pl.exceptions.PanicException,
        pl.exceptions.PolarsError,
        OSError,
        EOFError,
        zlib.error,
        MemoryError,
    ) as error:
        raise _explained(error, what) from error


def _explained(error: BaseException, what: str) -> UseropsError:
    text = str(error)
    if isinstance(error, OSError) and _errno(error) in _DISK:
        hint = "free some, or set TMPDIR"
        return OutputError.not_written(tempfile.gettempdir(), "no space left for temporary data", hint)
    if isinstance(error, PermissionError):
        return InputError.unreadable(what, "permission denied", "check who may read it")
    if isinstance(error, IsADirectoryError):
        return InputError.unreadable(what, "it is a folder")
    if isinstance(error, MemoryError) or re.search(
        r"out of memory|memory allocation|capacity overflow", text, re.IGNORECASE
    ):
        return InputError.too_large_for_memory(what)
    for sign, problem, hint in () if text.startswith("parquet") else _MALFORMED:
        if re.search(sign, text, re.IGNORECASE):
            return InputError.malformed(what, problem, hint)
    for sign, problem, advice in _UNREADABLE:
        if re.search(sign, text, re.IGNORECASE):
            return InputError.unreadable(what, problem, advice)
    if isinstance(error, pl.exceptions.PanicException):
        return InputError.unreadable(what, "the file is damaged", _COPY_AGAIN)
    return InputError.unreadable(what, _first_line(text) or type(error).__name__, "look at the file with another tool")


def _errno(error: OSError) -> int | None:
    if error.errno is not None:
        return error.errno
    found = re.search(r"os error (\d+)", str(error))
    return int(found[1]) if found else None


def _first_line(text: str, limit: int = 160) -> str:
    """The first line with anything on it, without control characters, shortened."""
    line = next((line for line in text.splitlines() if line.strip()), "")
    clean = "".join(c for c in line.strip() if c.isprintable())
    return clean if len(clean) <= limit else clean[: limit - 1] + "…"
