"""Text files looked through from end to end, and written anew as clean UTF-8 where they need it.

Everything streams: no file is held in memory, whatever its size.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Literal

import polars as pl

from userops.collecting import guarded
from userops.errors import InputError
from userops.inputs.sniffing import BLANKS, MAX_CELL, Dialect
from userops.inputs.spooling import BLOCK

Compression = Literal["gz", "zst"]

MAX_DROPPED_ROWS = 100_000
"""Rows kept to be shown with --rejects; the count goes on beyond."""

_CLOSE_QUOTES = 'close every quote, and write a quote inside a quoted cell twice ("")'
_SHORTEN = "a line of text is one row; is this file made of lines, or does a quote stay open?"


def opened(path: Path, compression: Compression | None) -> BinaryIO:
    """The bytes of a file, unpacked."""
    if compression == "gz":
        return io.BufferedReader(gzip.GzipFile(path), BLOCK)
    if compression == "zst":
        import pyarrow as pa

        return io.BufferedReader(pa.input_stream(str(path), compression="zstd"), BLOCK)
    return path.open("rb")


@dataclass(frozen=True, slots=True)
class Survey:
    """What looking through all of a text found.

    ``strange_lines``: some lines that are not UTF-8, or none. ``quotes``: there are any; ``regular``: every one opens
    or closes a whole cell. ``blank_lines``: some line holds nothing but separators and white space.
    """

    strange_lines: tuple[bytes, ...]
    quotes: bool
    regular: bool
    blank_lines: bool


def survey(path: Path, compression: Compression | None, separator: str, name: str) -> Survey:
    """Look through all of a text. Raises InputError for NUL bytes and for lines beyond 16 MB."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    quotation = _Quotation(separator)
    blank_line = re.compile(rb"\n[" + re.escape(separator.encode()) + rb'"\s]*\n')
    utf8, quotes, blank_lines, carry, unbroken = True, False, False, b"\n", 0
    for block in _blocks(path, compression, name):
        refuse_zero_bytes(block, name)
        unbroken = unbroken + len(block) if b"\n" not in block else len(block) - block.rfind(b"\n")
        if unbroken > MAX_CELL:
            raise too_long(name)
        utf8 = utf8 and _decodes(decoder, block)
        quotes = quotes or b'"' in block
        if quotes:
            quotation.feed(block)
        blank_lines = blank_lines or blank_line.search(carry + block) is not None
        carry = block[max(block.rfind(b"\n"), 0) :][:4096]
    utf8 = utf8 and _decodes(decoder, b"", final=True)
    blank_lines = blank_lines or blank_line.search(carry[1:] and carry + b"\n") is not None
    strange = () if utf8 else tuple(_strange_lines(path, compression, name))
    return Survey(strange, quotes, not quotes or quotation.ends_well(), blank_lines)


class _Quotation:
    """Whether all quotes of a text, fed block by block, open or close whole cells."""

    def __init__(self, separator: str) -> None:
        edge = re.escape(separator.encode()) + rb"\r\n"
        self._regular = re.compile(rb'(?:[^"]++|(?<=[' + edge + rb'])"(?:[^"]++|"")*+"(?=[' + edge + rb"]))*+")
        self._open = b"\n"
        self._lost = False

    def feed(self, block: bytes) -> None:
        if self._lost:
            return
        text = self._open + block
        self._open = text[self._end(text) - 1 :]
        self._lost = len(self._open) > MAX_CELL

    def ends_well(self) -> bool:
        if self._lost:
            return False
        text = self._open + b"\n"
        return self._end(text) == len(text)

    def _end(self, text: bytes) -> int:
        """Where the regular part of a text ends; its first byte was looked at before."""
        found = self._regular.match(text, 1)
        return found.end() if found else 1


def _decodes(decoder: codecs.IncrementalDecoder, block: bytes, *, final: bool = False) -> bool:
    try:
        decoder.decode(block, final)
    except UnicodeDecodeError:
        return False
    return True


def _strange_lines(path: Path, compression: Compression | None, name: str, limit: int = 1 << 20) -> Iterator[bytes]:
    """Lines with bytes beyond ASCII, a megabyte of those that are not UTF-8 and as many of the others at most."""
    taken = {True: 0, False: 0}
    with guarded(name), opened(path, compression) as stream:
        for line in stream:
            if line.isascii():
                continue
            clean = _is_utf8(line)
            if taken[clean] < limit:
                taken[clean] += len(line)
                yield line.rstrip(b"\r\n")
            elif taken[not clean] >= limit:
                return


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def refuse_zero_bytes(block: bytes, name: str) -> None:
    """Raise InputError where text holds NUL bytes."""
    if b"\0" in block:
        raise InputError.not_a_table(
            name, "text with zero bytes in it", "it is no text, or damaged; UTF-16 is read with --encoding utf-16"
        )


def too_long(name: str) -> InputError:
    """The error for a line that nobody meant as a row."""
    return InputError.unreadable(name, f"one line is longer than {MAX_CELL >> 20} MB", _SHORTEN)


def refuse_endless_lines(path: Path, name: str) -> None:
    """Raise InputError when a plain file has a line beyond 16 MB: some half of that length then has no line end.

    Reads up to the first line end in every 8 MB only.
    """
    step = MAX_CELL // 2
    with guarded(name), path.open("rb") as stream:
        for start in range(step, path.stat().st_size - step, step):
            stream.seek(start)
            if not any(b"\n" in stream.read(size) for size in (1 << 16, step - (1 << 16))):
                raise too_long(name)


def _blocks(path: Path, compression: Compression | None, name: str) -> Iterator[bytes]:
    with guarded(name), opened(path, compression) as stream:
        while block := stream.read(BLOCK):
            yield block


def inflated(path: Path, compression: Compression, target: Path, name: str, *, limit: int | None = None) -> bool:
    """Unpack a file into ``target``; False, with nothing left there, when it holds more than ``limit`` bytes."""
    written = 0
    with guarded(name), target.open("wb") as out:
        for block in _blocks(path, compression, name):
            written += out.write(block)
            if limit is not None and written > limit:
                break
        else:
            return True
    target.unlink()
    return False


def transcoded(
    path: Path, compression: Compression | None, encoding: str, target: Path, name: str, *, forced: bool
) -> int:
    """Write a text as UTF-8 with plain line ends into ``target``; the number of characters that could not be read.

    ``forced``: the user named the encoding, so text that is not in it raises InputError.
    """
    lost = 0
    with guarded(name), opened(path, compression) as raw, target.open("w", encoding="utf-8", newline="") as out:
        text = io.TextIOWrapper(raw, encoding=encoding, errors="strict" if forced else "replace", newline=None)
        try:
            while chunk := text.read(BLOCK):
                lost += chunk.count("\N{REPLACEMENT CHARACTER}")
                out.write(chunk)
        except UnicodeError:
            hint = "leave out --encoding to have it recognised"
            raise InputError.unreadable(name, f"it is not {encoding} text throughout", hint) from None
    return lost


@dataclass(slots=True)
class Mended:
    """What mending a text left: how many rows it wrote, and the rows that have no place there."""

    kept: int = 0
    dropped: int = 0
    lines: list[int] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)

    def rows(self) -> pl.DataFrame:
        """The dropped rows: ``line`` and ``text``."""
        return pl.DataFrame({"line": self.lines, "text": self.texts}, schema={"line": pl.Int64, "text": pl.String})


def mended(path: Path, compression: Compression | None, dialect: Dialect, target: Path, name: str) -> Mended:
    """Write the rows of a UTF-8 text into ``target``, regular and without header, less those with too many cells.

    Cells beyond the header that are blank do not count. Raises InputError naming the line where quotes do not close.
    """
    result = Mended()
    csv.field_size_limit(MAX_CELL)
    with (
        guarded(name),
        opened(path, compression) as raw,
        io.TextIOWrapper(raw, encoding="utf-8-sig", newline="") as text,
        target.open("w", encoding="utf-8", newline="") as out,
    ):
        for _ in range(dialect.skip_lines):
            text.readline()
        lines = _Remembering(text)
        writer = csv.writer(out, delimiter=_written(dialect.separator), lineterminator="\n")
        for row in _rows(lines, dialect, name):
            if any(cell.strip() for cell in row[dialect.width :]):
                result.dropped += 1
                if result.dropped <= MAX_DROPPED_ROWS:
                    result.lines.append(dialect.skip_lines + lines.first)
                    result.texts.append(lines.text())
            elif any(row):
                result.kept += 1
                writer.writerow(row[: dialect.width])
            lines.forget()
    return result


def _written(separator: str) -> str:
    return "\t" if separator == BLANKS else separator


def _rows(lines: _Remembering, dialect: Dialect, name: str) -> Iterator[list[str]]:
    if dialect.separator == BLANKS:
        for line in lines:
            yield line.split()
        return
    try:
        yield from csv.reader(lines, delimiter=dialect.separator, strict=True)
    except csv.Error as error:
        first = dialect.skip_lines + lines.first
        if "field larger" in str(error):
            raise too_long(name) from None
        problem = f"a quote in the row that begins on line {first} is not closed, or stands inside a cell"
        raise InputError.malformed(name, problem, _CLOSE_QUOTES) from None


class _Remembering:
    """The lines of a text, those of the row being read at hand; ``first`` is the number of the row's first line."""

    def __init__(self, text: Iterator[str]) -> None:
        self._text = text
        self._kept: list[str] = []
        self.first = 1

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = next(self._text)
        self._kept.append(line)
        return line

    def text(self) -> str:
        return "".join(self._kept).rstrip("\r\n")

    def forget(self) -> None:
        self.first += len(self._kept)
        self._kept.clear()
