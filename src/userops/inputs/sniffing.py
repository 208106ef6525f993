"""What a file is, told from its first bytes: the container, the encoding, the separator, the header.

Pure functions of bytes and text; nothing here opens a file.
"""

from __future__ import annotations

import codecs
import csv
import io
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from userops.errors import InputError

Container = Literal["parquet", "arrow", "arrow-stream", "gz", "zst", "zip", "text"]

BLANKS = " "
"""The separator of files whose columns are set apart by runs of blanks."""

MAX_CELL = 16 << 20
"""Bytes in one line, and so in one cell, that userops is ready to hold."""

_SEPARATORS = (",", ";", "\t", "|")
_RECORDS = 200

_CONTAINERS: tuple[tuple[bytes, Container], ...] = (
    (b"PAR1", "parquet"),
    (b"ARROW1", "arrow"),
    (b"\xff\xff\xff\xff", "arrow-stream"),
    (b"\x1f\x8b", "gz"),
    (b"\x28\xb5\x2f\xfd", "zst"),
    (b"PK\x03\x04", "zip"),
    (b"PK\x05\x06", "zip"),
)

_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"

_STRANGERS: tuple[tuple[bytes, str, str], ...] = (
    (b"PARE", "encrypted Parquet", "decrypt it first"),
    (b"version https://git-lfs", "a git-lfs pointer", "fetch the file itself with 'git lfs pull'"),
    (b"%PDF-", "a PDF document", "export the table as csv or xlsx"),
    (b"BZh", "a bzip2 archive", "unpack it first: bunzip2"),
    (b"\xfd7zXZ\0", "an xz archive", "unpack it first: unxz"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", "unpack it first"),
    (b"Rar!", "a rar archive", "unpack it first"),
    (b"SQLite format 3\0", "an SQLite database", "export the table as csv"),
    (b"ORC", "an ORC file", "write it as Parquet"),
    (b"Obj\x01", "an Avro file", "write it as Parquet"),
    (b"\x89PNG", "an image", "give the data behind it"),
    (b"\xff\xd8\xff", "an image", "give the data behind it"),
    (b"\x7fELF", "a program", "give a file with rows"),
)


def container(head: bytes) -> Container:
    """The container by its magic bytes; ``text`` when there are none."""
    return next((kind for magic, kind in _CONTAINERS if head.startswith(magic)), "text")


def refuse_strangers(head: bytes, name: str) -> None:
    """Raise InputError for well-known files that hold no table, with the way to get one."""
    if head.startswith(_OLE):
        if "EncryptedPackage".encode("utf-16-le") in head:
            raise InputError.not_a_table(name, "an xlsx file locked with a password", "save it without the password")
        raise InputError.not_a_table(name, "an old Excel file (.xls)", "save it as .xlsx or .csv")
    for magic, looks_like, hint in _STRANGERS:
        if head.startswith(magic) and not (magic == b"ORC" and head.isascii()):
            raise InputError.not_a_table(name, looks_like, hint)


def refuse_markup(text: str, name: str) -> None:
    """Raise InputError for a web page or XML where rows should be."""
    start = text.lstrip()[:200].casefold()
    if start.startswith(("<!doctype", "<html", "<head", "<body")):
        raise InputError.not_a_table(name, "a web page", "the download may have ended at a login or an error page")
    if start.startswith("<?xml"):
        raise InputError.not_a_table(name, "XML", "export the table as csv or xlsx")


def encoding_by_marks(head: bytes) -> str | None:
    """The encoding that a byte order mark or the places of NUL bytes give away; None for single-byte text and UTF-8."""
    for mark, encoding in (
        (codecs.BOM_UTF8, "utf-8-sig"),
        (codecs.BOM_UTF32_LE, "utf-32"),
        (codecs.BOM_UTF32_BE, "utf-32"),
        (codecs.BOM_UTF16_LE, "utf-16"),
        (codecs.BOM_UTF16_BE, "utf-16"),
    ):
        if head.startswith(mark):
            return encoding
    sample = head[: min(len(head), 4096) // 2 * 2]
    if not sample:
        return None
    zeros_first, zeros_second = sample[::2].count(0), sample[1::2].count(0)
    many = len(sample) // 2 * 0.7
    if zeros_second >= many and zeros_first == 0:
        return "utf-16-le"
    if zeros_first >= many and zeros_second == 0:
        return "utf-16-be"
    return None


def legacy_encoding(lines: Sequence[bytes]) -> str:
    """The encoding of lines that are not UTF-8 throughout.

    ``utf-8`` for UTF-8 with a few broken bytes, ``gb18030`` where they read as everyday Chinese, else ``cp1252`` (or
    ``latin-1`` where that leaves bytes undefined).
    """
    sample = b"\n".join(lines)
    text = sample.decode("utf-8", errors="replace")
    broken = text.count("\N{REPLACEMENT CHARACTER}")
    if sum(not c.isascii() for c in text) > 20 * broken:
        return "utf-8"
    if _reads_as_chinese(sample):
        return "gb18030"
    try:
        sample.decode("cp1252")
    except UnicodeDecodeError:
        return "latin-1"
    return "cp1252"


def _reads_as_chinese(sample: bytes) -> bool:
    """Whether bytes decode as GB18030 to characters that are mostly in daily use.

    Pairs of accented Latin letters decode too, but to rare characters: daily ones begin with A1-A3 and B0-D7.
    """
    try:
        wide = [c for c in sample.decode("gb18030") if not c.isascii()]
    except UnicodeDecodeError:
        return False
    first = [c.encode("gb18030") for c in wide]
    daily = sum(len(c) == 4 or 0xA1 <= c[0] <= 0xA3 or 0xB0 <= c[0] <= 0xD7 for c in first)
    return bool(wide) and daily >= 0.6 * len(wide)


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a delimited text is written: the separator, the lines before the first row, the columns.

    ``header``: the cells of the header row as written; None when the first row is data.
    """

    separator: str
    skip_lines: int
    width: int
    header: tuple[str, ...] | None


def json_kind(text: str) -> Literal["ndjson", "json", "document"] | None:
    """``ndjson`` for an object per line, ``json`` for an array of objects, ``document`` for other JSON, else None."""
    start = text.lstrip()
    if re.match(r"\[\s*(\{|\]\s*$)", start):
        return "json"
    if not re.match(r'\{\s*("|\}\s*(\n|$))', start):
        return None
    try:
        json.loads(start.splitlines()[0])
    except ValueError:
        return "document"
    return "ndjson"


def dialect(text: str, *, whole: bool, separator: str | None, header: bool | None) -> Dialect:
    """The dialect of a text from its beginning; ``whole`` when the text is all there is (its last line then counts)."""
    lines = _lines(text, whole=whole)
    preamble = next((i for i, line in enumerate(lines) if line.strip("\ufeff \r\n\t")), len(lines))
    if preamble < len(lines) and (found := re.fullmatch(r'"?sep=(.)"?\s*', lines[preamble])):
        separator = separator or found[1]
        preamble += 1
    body = lines[preamble:]
    chosen = separator or _separator(body)
    taken, rows = _records(body, chosen)
    if not rows:
        return Dialect(chosen, preamble, 0, None)
    has_header = header if header is not None else not _is_data(rows[0], rows[1:])
    if has_header:
        return Dialect(chosen, preamble + taken, len(rows[0]), tuple(rows[0]))
    return Dialect(chosen, preamble, max(len(row) for row in rows), None)


def _lines(text: str, *, whole: bool) -> list[str]:
    lines = list(io.StringIO(text, newline=""))
    return lines if whole or len(lines) < 2 else lines[:-1]


def _records(lines: Iterable[str], separator: str, limit: int = _RECORDS) -> tuple[int, list[list[str]]]:
    """The lines that the first record takes, and the first records (blank ones left out)."""
    if separator == BLANKS:
        rows = [row for line in list(lines)[:limit] if (row := line.split())]
        return 1, rows
    csv.field_size_limit(MAX_CELL)
    reader = csv.reader(lines, delimiter=separator)
    rows, taken = [], 0
    for row in reader:
        if row:
            taken = taken or reader.line_num
            rows.append(row)
        if len(rows) == limit:
            break
    return taken, rows


def _separator(lines: list[str]) -> str:
    """The separator that gives the most rows of the header's width; the wider table wins a tie."""
    scores = {candidate: _consistency(lines, candidate) for candidate in _SEPARATORS}
    best = max(_SEPARATORS, key=lambda candidate: scores[candidate])
    if scores[best][0] > 0:
        return best
    return BLANKS if _set_apart_by_blanks(lines) else ","


def _consistency(lines: list[str], separator: str) -> tuple[float, int]:
    """Share of rows as wide as the first one, and that width; (0, 0) for a single column."""
    _, rows = _records(lines, separator)
    width = len(rows[0]) if rows else 0
    if width < 2:
        return 0.0, 0
    others = rows[1:] or rows
    return max(0.01, sum(len(row) == width for row in others) / len(others)), width


def _set_apart_by_blanks(lines: list[str]) -> bool:
    """Whether runs of blanks make a table: every line as wide as the first, with numbers in some column."""
    _, rows = _records(lines, BLANKS)
    if not rows or len(rows[0]) < 2 or any(len(row) != len(rows[0]) for row in rows):
        return False
    columns = list(zip(*(rows[1:] or rows), strict=True))
    return any(all(_NUMBER.fullmatch(cell) for cell in column) for column in columns)


_NUMBER = re.compile(r"\s*[-+]?[$€£¥]?\s*(\d[\d.,' ]*|\.\d+)([eE][-+]?\d+)?\s*%?\s*")
_DATE = re.compile(
    r"\s*(\d{4}[-/.年]\d{1,2}[-/.月]\d{1,2}日?|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}|\d{1,2}:\d{2}(:\d{2})?)([T ,].*)?\s*"
)


def _is_data(first: Sequence[str], rest: Sequence[Sequence[str]]) -> bool:
    """Whether a file's first row is data: a number or a date somewhere, and no cell that can only be a label.

    A text cell is no label when the same value comes again further down its column, or when it is an id of the same
    build (letters and digits in the same places) as most cells below it.
    """
    kinds = [_cell_is_data(cell, [row[i] for row in rest if i < len(row)]) for i, cell in enumerate(first)]
    return "value" in kinds and "label" not in kinds


def _cell_is_data(cell: str, below: Sequence[str]) -> Literal["value", "text", "label"]:
    if _NUMBER.fullmatch(cell) or _DATE.fullmatch(cell):
        return "value"
    if not cell.strip() or cell in below:
        return "text"
    if not any(c.isdigit() for c in cell):
        return "label"
    same = sum(_build(other) == _build(cell) for other in below)
    return "text" if same * 2 > len(below) else "label"


def _build(cell: str) -> str:
    return re.sub("[a-z]+", "a", re.sub("[A-Z]+", "A", re.sub(r"\d+", "9", cell)))


def tidy_names(cells: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """Column names from header cells: trimmed, blank ones ``column_N``, repeated ones ``name_2``.

    Returns the names, those made up for blank cells, and those that were repeated.
    """
    names: list[str] = []
    made_up: list[str] = []
    repeated: list[str] = []
    written = {_trimmed(cell) for cell in cells}
    taken: set[str] = set()
    for number, cell in enumerate(cells, start=1):
        wanted = _trimmed(cell) or f"column_{number}"
        name, copy = wanted, 2
        while name in taken or (name != wanted and name in written):
            name, copy = f"{wanted}_{copy}", copy + 1
        taken.add(name)
        names.append(name)
        if not _trimmed(cell):
            made_up.append(name)
        elif name != wanted:
            repeated.append(wanted)
    return tuple(names), tuple(made_up), tuple(dict.fromkeys(repeated))


def _trimmed(cell: str) -> str:
    return cell.strip("\ufeff \t\r\n\u00a0\u3000")
