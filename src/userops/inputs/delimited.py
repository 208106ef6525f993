"""Delimited text (csv, tsv and their kin) as a lazy table of strings.

A text is recognised by its beginning. Up to :data:`SURVEYED` bytes it is also looked through to the end, at memory
speed, so that a stray byte, a stray quote or a row with too many cells is known before anything is computed; such a
file is written anew, mended, into scratch. A larger text is taken at its beginning and its end: what only shows in
its middle stops :func:`userops.collecting.collect` with code ``E_MALFORMED``, and opening with ``thorough=True``
mends it.
"""

from __future__ import annotations

import codecs
from dataclasses import dataclass, field, replace
from pathlib import Path

import polars as pl

from userops.collecting import OVERFLOW, collect
from userops.errors import InputError, UsageError
from userops.inputs import sniffing, transcoding
from userops.inputs.raw import HEAD_ROWS, RawTable, Torn
from userops.inputs.sniffing import BLANKS, MAX_CELL, Dialect
from userops.inputs.spooling import Scratch
from userops.inputs.transcoding import Compression, Mended, Survey
from userops.results import Text

SURVEYED = 64 << 20
"""Bytes of text up to which a file is looked through to the end before it is used."""

_NOTHING_BEYOND = pl.col(OVERFLOW).cast(pl.Enum([])).is_null()
"""True for every row; fails (there is no value an empty Enum takes) at a cell beyond the header."""

_HEAD = 256 << 10
_TAIL = 64 << 10


@dataclass(frozen=True, slots=True)
class TextOptions:
    """What the user said about text files; None where userops is to find out."""

    encoding: str | None = None
    delimiter: str | None = None
    header: bool | None = None
    thorough: bool = False

    @classmethod
    def checked(cls, encoding: str | None, delimiter: str | None, header: bool | None, thorough: bool) -> TextOptions:
        """The options, normalised. Raises UsageError for an encoding or delimiter that cannot be."""
        if encoding is not None:
            try:
                encoding = codecs.lookup(encoding).name
            except LookupError:
                wanted = "an encoding such as utf-8, gb18030, utf-16 or cp1252"
                raise UsageError.bad_value("--encoding", encoding, wanted) from None
        if delimiter is not None:
            delimiter = {"tab": "\t", "\\t": "\t", "space": BLANKS, "blank": BLANKS}.get(
                delimiter.casefold(), delimiter
            )
            if len(delimiter) != 1 or not delimiter.isascii() or delimiter in '"\r\n\0':
                raise UsageError.bad_value("--delimiter", delimiter, "one character, or tab, or space")
        return cls(encoding, delimiter, header, thorough)


@dataclass(frozen=True, slots=True)
class TextFile:
    """A text to be read: where it lies, how it is packed, its beginning as text, and whether that is all of it."""

    path: Path
    compression: Compression | None
    name: str
    head: str
    whole: bool
    encoding: str = "utf-8"
    notes: tuple[Text, ...] = field(default=())


def beginning(path: Path, compression: Compression | None, size: int = _HEAD) -> bytes:
    """The first bytes of a file, unpacked, up to a line end (and at most 16 MB)."""
    with transcoding.opened(path, compression) as stream:
        head = stream.read(size)
        if len(head) < size or head.startswith(b"\0"):
            return head
        return head + stream.readline(MAX_CELL)


def as_text(
    path: Path, compression: Compression | None, head: bytes, name: str, options: TextOptions, scratch: Scratch
) -> TextFile:
    """A file as UTF-8 text: itself when its beginning is that, else transcoded into scratch.

    Raises InputError for bytes that are no text in the encoding given or found.
    """
    whole = len(head) < _HEAD
    encoding = options.encoding or sniffing.encoding_by_marks(head)
    if encoding is None:
        sniffing_ends = head if whole else head[: head.rfind(b"\n") + 1] or head
        encoding = _guessed(sniffing_ends, whole=whole)
    file = TextFile(path, compression, name, "", whole, encoding)
    if encoding in ("utf-8", "utf-8-sig", "ascii") and not (options.encoding and not _decodable(head, whole=whole)):
        transcoding.refuse_zero_bytes(head, name)
        text = head.decode("utf-8-sig", errors="ignore")
        if "\n" in text or "\r" not in text:
            return replace(file, head=text, encoding="utf-8")
    return rewritten(file, encoding, options, scratch)


def _guessed(head: bytes, *, whole: bool) -> str:
    if _decodable(head, whole=whole):
        return "utf-8"
    return sniffing.legacy_encoding([line for line in head.splitlines() if not line.isascii()])


def _decodable(head: bytes, *, whole: bool) -> bool:
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head, whole)
    except UnicodeDecodeError:
        return False
    return True


def rewritten(file: TextFile, encoding: str, options: TextOptions, scratch: Scratch) -> TextFile:
    """A text transcoded to UTF-8 in scratch, with a note that says from what."""
    target = scratch.path(".txt")
    forced = options.encoding is not None
    lost = transcoding.transcoded(file.path, file.compression, encoding, target, file.name, forced=forced)
    head = beginning(target, None)
    transcoding.refuse_zero_bytes(head, file.name)
    notes = (*file.notes, *_encoding_notes(file.name, encoding, lost))
    text = head.decode("utf-8", errors="ignore")
    return TextFile(target, None, file.name, text, len(head) < _HEAD, encoding, notes)


def _encoding_notes(name: str, encoding: str, lost: int) -> list[Text]:
    notes = []
    if encoding not in ("utf-8", "utf-8-sig", "ascii"):
        notes.append(Text(f"{name}: read as {encoding}", f"{name}:按 {encoding} 编码读取"))
    if lost:
        notes.append(Text(f"{name}: {lost:,} characters could not be read", f"{name}:{lost:,} 个字符无法识别"))
    return notes


def open_delimited(file: TextFile, options: TextOptions, scratch: Scratch) -> RawTable:
    """A delimited text as a table of strings.

    Raises InputError for a text without rows, for quotes that do not close, and for lines beyond 16 MB.
    """
    _refuse_long_lines(file)
    file = _unpacked(file, scratch)
    dialect = _dialect(file, options)
    torn = _torn(file, dialect)
    found: Survey | None = None
    if options.thorough or _size(file) <= SURVEYED or _ends_strangely(file):
        found = transcoding.survey(file.path, file.compression, dialect.separator, file.name)
        if found.strange_lines:
            encoding = sniffing.legacy_encoding(found.strange_lines)
            file = rewritten(file, encoding, options, scratch)
            dialect = _dialect(file, options)
            found = transcoding.survey(file.path, file.compression, dialect.separator, file.name)
    names, notes = _names(file, dialect)
    rows = _scanned(file, dialect, names, found)
    mended: Mended | None = None
    size = _fitting(rows, file.name) if found and found.regular else None
    if dialect.separator == BLANKS or (found and size is None):
        size = None
        target = scratch.path(".csv")
        mended = transcoding.mended(file.path, file.compression, dialect, target, file.name)
        separator = "\t" if dialect.separator == BLANKS else dialect.separator
        file = replace(file, path=target, compression=None)
        dialect = replace(dialect, separator=separator, skip_lines=0)
        found = Survey((), quotes=True, regular=True, blank_lines=False)
        rows = _scanned(file, dialect, names, found)
    head = collect(_guarded(_scanned(file, dialect, names, found, HEAD_ROWS)), file.name)
    if mended:
        _refuse_prose(mended, dialect, file.name)
    if head.is_empty():
        raise InputError.empty(file.name)
    dropped = mended.dropped if mended else 0

    def with_number(column: str) -> RawTable:
        number = pl.Float64()
        typed = _guarded(_scanned(file, dialect, names, found, numbers=(column,)))
        head_of_numbers = table.head.with_columns(pl.col(column).cast(number))
        return replace(table, rows=typed, schema={**table.schema, column: number}, head=head_of_numbers)

    table = RawTable(
        name=file.name,
        rows=_guarded(rows),
        schema={name: pl.String() for name in names},
        head=head,
        format="tsv" if dialect.separator == "\t" else "csv",
        textual=True,
        headerless=dialect.header is None,
        notes=(*file.notes, *notes),
        dropped={"too_many_cells": dropped} if dropped else {},
        dropped_rows=mended.rows() if mended and dropped else None,
        with_number=with_number if found is None else None,
        torn=torn,
        size=size,
    )
    return table


def _unpacked(file: TextFile, scratch: Scratch) -> TextFile:
    """A packed text of moderate size, unpacked once in scratch: it is read more than once."""
    if file.compression is None or _size(file) > SURVEYED:
        return file
    target = scratch.path(".txt")
    if transcoding.inflated(file.path, file.compression, target, file.name, limit=2 * SURVEYED):
        return replace(file, path=target, compression=None)
    return file


def _refuse_long_lines(file: TextFile) -> None:
    if len(file.head) >= MAX_CELL and "\n" not in file.head[-MAX_CELL:-1]:
        raise transcoding.too_long(file.name)
    if not file.whole and file.compression is None:
        transcoding.refuse_endless_lines(file.path, file.name)


def _dialect(file: TextFile, options: TextOptions) -> Dialect:
    dialect = sniffing.dialect(file.head, whole=file.whole, separator=options.delimiter, header=options.header)
    if not dialect.width:
        raise InputError.empty(file.name)
    return dialect


def _size(file: TextFile) -> int:
    """Bytes of text, unpacked: exact, or for packed files as their trailer or experience says."""
    size = file.path.stat().st_size
    if file.compression == "gz":
        with file.path.open("rb") as stream:
            stream.seek(-4, 2)
            return max(int.from_bytes(stream.read(4), "little"), size)
    return size * 10 if file.compression == "zst" else size


def _ends_strangely(file: TextFile) -> bool:
    """Whether the end of a plain file is no UTF-8 or has zero bytes, as after a crash."""
    if file.compression:
        return False
    with file.path.open("rb") as stream:
        stream.seek(-min(_TAIL, file.path.stat().st_size), 2)
        tail = stream.read()
    tail = tail[tail.find(b"\n") + 1 :]
    return b"\0" in tail or not _decodable(tail, whole=True)


def _torn(file: TextFile, dialect: Dialect) -> Torn | None:
    """Whether a plain text ends in a row with fewer cells than the header, or without a line end, as after a broken copy.

    A last row that is short is no sign where the row before it is as short: some exports leave empty cells out.
    """
    if file.compression or dialect.separator == BLANKS:
        return None
    with file.path.open("rb") as stream:
        stream.seek(-min(_TAIL, file.path.stat().st_size), 2)
        tail = stream.read()
    if not tail or tail.endswith((b"\n", b"\r")):
        return None
    widths = [line.count(dialect.separator.encode()) + 1 for line in tail.splitlines()[-2:]]
    return "short_row" if widths[-1] < min(dialect.width, widths[0]) else "no_newline"


def _names(file: TextFile, dialect: Dialect) -> tuple[tuple[str, ...], list[Text]]:
    """The columns, and what there is to say about them and their separator."""
    name, notes = file.name, []
    shown = {"\t": ("tab", "制表符"), BLANKS: ("blanks", "空格")}.get(dialect.separator, (dialect.separator,) * 2)
    if dialect.separator not in (",", "\t"):
        notes.append(Text(f"{name}: columns separated by {shown[0]}", f"{name}:列分隔符为 {shown[1]}"))
    if dialect.header is None:
        notes.append(Text(f"{name}: no header, columns are column_1 …", f"{name}:没有表头,列名为 column_1 …"))
    cells = dialect.header or ("",) * dialect.width
    names, made_up, repeated = sniffing.tidy_names(cells)
    return names, [*notes, *(name_notes(name, made_up, repeated) if dialect.header else [])]


def name_notes(name: str, made_up: tuple[str, ...], repeated: tuple[str, ...]) -> list[Text]:
    """What to say about columns that have no name, or the same."""
    notes = []
    if made_up:
        listed = ", ".join(made_up[:5])
        notes.append(Text(f"{name}: columns without a name are called {listed}", f"{name}:无名列命名为 {listed}"))
    if repeated:
        listed = ", ".join(repeated[:5])
        notes.append(
            Text(f"{name}: repeated columns: {listed} (the second is _2)", f"{name}:重复列名:{listed}(第二列加 _2)")
        )
    return notes


def _scanned(
    file: TextFile,
    dialect: Dialect,
    names: tuple[str, ...],
    found: Survey | None,
    first: int | None = None,
    numbers: tuple[str, ...] = (),
) -> pl.LazyFrame:
    """The rows, or the ``first`` few, with one column more than the header has, for what does not belong."""
    quoted = found is None or found.quotes
    blank_lines = found.blank_lines if found else _blank_lines_at_ends(file)
    rows = pl.scan_csv(
        file.path,
        has_header=False,
        skip_lines=dialect.skip_lines,
        separator=dialect.separator,
        quote_char='"' if quoted else None,
        null_values=[""] if quoted else None,
        schema={name: pl.Float64() if name in numbers else pl.String() for name in (*names, OVERFLOW)},
        infer_schema=False,
        missing_columns="insert",
        glob=False,
        n_rows=first,
    )
    return rows.filter(pl.any_horizontal(pl.all().is_not_null())) if blank_lines else rows


def _blank_lines_at_ends(file: TextFile) -> bool:
    with transcoding.opened(file.path, None) as stream:
        stream.seek(-min(_TAIL, file.path.stat().st_size), 2)
        tail = b"" if file.compression else stream.read()
    lines = [*file.head.encode().splitlines(), *tail.splitlines()[1:]]
    return any(not line.strip(b",;|\t ") for line in lines)


_ROWS = "userops: rows"


def _guarded(rows: pl.LazyFrame) -> pl.LazyFrame:
    """The rows; a cell beyond the header stops the run (the cast fails) and is never cut off in silence.

    Asking for the last column also makes Polars take every row apart to its end, which is where it notices quotes
    that do not match.
    """
    return rows.filter(_NOTHING_BEYOND).drop(OVERFLOW)


def _fitting(rows: pl.LazyFrame, name: str) -> int | None:
    """How many rows there are; None where one has no place in the header, or has quotes that Polars does not take."""
    try:
        counted = collect(rows.filter(_NOTHING_BEYOND).select(pl.all().count(), pl.len().alias(_ROWS)), name)
    except InputError as error:
        if error.code == "E_MALFORMED":
            return None
        raise
    return int(counted[_ROWS][0])


def _refuse_prose(mended: Mended, dialect: Dialect, name: str) -> None:
    """Raise InputError when rows fit the header so seldom that it cannot be one: prose, or the wrong separator."""
    total = mended.dropped + mended.kept
    if dialect.width == 1 and mended.dropped * 10 > total:
        raise InputError.not_a_table(name, "prose", "give a file with a row of column names and a row per line")
    if mended.dropped > mended.kept:
        problem = f"{mended.dropped:,} of {total:,} rows have more cells than the header"
        raise InputError.unreadable(name, problem, "quote the cells that hold the separator, or name it: --delimiter")
