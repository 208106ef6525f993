"""Files, globs, folders, standard input and remote addresses, opened as raw tables.

What a file is, its content says; its name is believed only where it lies out of reach. Nothing is read whole unless
its format asks for it (JSON arrays, xlsx, Arrow streams).
"""

from __future__ import annotations

import glob
import re
import stat
import zipfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from userops.collecting import collect, guarded
from userops.errors import InputError, closest
from userops.inputs import sniffing
from userops.inputs.delimited import SURVEYED, TextFile, TextOptions, as_text, beginning, name_notes, open_delimited
from userops.inputs.raw import HEAD_ROWS, RawTable, alike, joined
from userops.inputs.spooling import Scratch, spooled_stdin, spooled_stream
from userops.inputs.transcoding import Compression, inflated, opened
from userops.results import Text

__all__ = ["RawTable", "Scratch", "open_tables"]

SUFFIXES = (
    ".parquet", ".pq", ".csv", ".tsv", ".tab", ".txt", ".ndjson", ".jsonl", ".json", ".arrow", ".arrows", ".feather",
    ".ipc", ".xlsx", ".xlsm",
)  # fmt: skip
"""Names that files of rows go by; they choose in folders and for remote addresses."""

_PACKED = (".gz", ".zst")
_REMOTE = re.compile(r"(s3a?|gs|gcs|az|azure|abfss?|adl|https?|hf)://", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Opening:
    """What opening any file of one run needs to know."""

    text: TextOptions
    sheet: str | None
    scratch: Scratch


def open_tables(
    paths: Sequence[str],
    *,
    encoding: str | None = None,
    delimiter: str | None = None,
    header: bool | None = None,
    sheet: str | None = None,
    scratch: Scratch,
    thorough: bool = False,
) -> list[RawTable]:
    """The tables behind paths: files, quoted globs, folders, ``-`` for standard input, remote addresses.

    The files of one glob or folder are one table when they are alike, else one each. ``encoding``, ``delimiter``,
    ``header`` (True, False) and ``sheet`` overrule what is found. ``thorough`` looks through large text files to the
    end too, which mends what makes :func:`userops.collecting.collect` fail with code ``E_MALFORMED``.

    Raises InputError for what is missing, empty, or no table; UsageError for an unknown encoding or delimiter.
    """
    opening = _Opening(TextOptions.checked(encoding, delimiter, header, thorough), sheet, scratch)
    return [table for path in paths for table in _open_path(path, opening)]


def _open_path(path: str, opening: _Opening) -> list[RawTable]:
    if path == "-":
        return [_open_file(spooled_stdin(opening.scratch), "stdin", opening)]
    if _REMOTE.match(path):
        return [_open_remote(path, opening.text)]
    with guarded(path):
        files, notes = _files(path)
    tables = [_open_file(file, str(file), opening) for file in files]
    if len(tables) > 1 and alike(tables):
        tables = [joined(tables, path)]
    elif len(tables) == 1:
        tables = [replace(tables[0], name=path)]
    return [replace(tables[0], notes=(*notes, *tables[0].notes)), *tables[1:]]


def _files(path: str) -> tuple[list[Path], list[Text]]:
    """The files that a path means, in order, and what to say about the choice."""
    place = Path(path)
    if place.is_dir():
        return _files_of_folder(place)
    if place.exists():
        return [place], []
    matches = [Path(match) for match in sorted(glob.glob(path, recursive=True))]
    files = [match for match in matches if match.is_file() and match.stat().st_size]
    if not files:
        raise _not_found(place)
    return files, []


def _files_of_folder(folder: Path) -> tuple[list[Path], list[Text]]:
    """The data files of a folder: those with a known suffix, neither hidden nor empty."""
    visible = [file for file in sorted(folder.iterdir()) if file.is_file() and not file.name.startswith((".", "_"))]
    files = [file for file in visible if _suffix(file.name) and file.stat().st_size]
    if not files:
        raise InputError.not_a_table(str(folder), "a folder without data files", f"it takes {' '.join(SUFFIXES)}")
    others = len(visible) - len(files)
    if not others:
        return files, []
    left = f"{others:,} other {'file' if others == 1 else 'files'} left out"
    return files, [Text(f"{folder}: {left}", f"{folder}:忽略其他 {others:,} 个文件")]


def _suffix(name: str) -> str | None:
    """The suffix that says what a name holds, without that of packing; None for unknown ones."""
    bare = name.casefold()
    for packed in _PACKED:
        bare = bare.removesuffix(packed)
    return next((suffix for suffix in SUFFIXES if bare.endswith(suffix)), None)


def _not_found(path: Path) -> InputError:
    try:
        near = None if glob.has_magic(path.name) else closest(path.name, [e.name for e in path.parent.iterdir()])
    except OSError:
        near = None
    return InputError.not_found(str(path), str(path.parent / near) if near else None)


def _open_file(path: Path, name: str, opening: _Opening) -> RawTable:
    """One local file as a table, after what its first bytes say it is."""
    with guarded(name):
        mode = path.stat().st_mode
        if stat.S_ISFIFO(mode) or stat.S_ISCHR(mode) or stat.S_ISSOCK(mode):
            path = spooled_stream(path, opening.scratch)
        head = beginning(path, None, 4096)
    if not head:
        raise InputError.empty(name)
    sniffing.refuse_strangers(head, name)
    found = sniffing.container(head)
    if found in ("gz", "zst"):
        table = _open_packed(path, found, name, opening)
    elif found == "text":
        table = _open_text(path, None, name, opening)
    else:
        table = _OPENERS[found](path, name, opening)
    return replace(table, notes=(*_belied(path, name, table, found), *table.notes))


def _belied(path: Path, name: str, table: RawTable, found: sniffing.Container) -> list[Text]:
    """A note where the suffix of a name promises another format than the content is."""
    suffix = _suffix(name)
    families = {".parquet": "parquet", ".pq": "parquet", ".xlsx": "xlsx", ".csv": "delimited", ".tsv": "delimited",
                ".arrow": "arrow", ".ipc": "arrow", ".ndjson": "json", ".jsonl": "json", ".json": "json"}  # fmt: skip
    family = {"csv": "delimited", "tsv": "delimited", "ndjson": "json"}.get(table.format, table.format)
    packed = found in ("gz", "zst") and not name.casefold().endswith(_PACKED)
    if families.get(suffix or "", family) == family and not packed:
        return []
    content = f"{table.format} ({found})" if packed else table.format
    return [Text(f"{name}: in truth {content}", f"{name}:实际内容为 {content}")]


def _open_packed(path: Path, compression: Compression, name: str, opening: _Opening) -> RawTable:
    with guarded(name):
        head = beginning(path, compression, 4096)
    if not head:
        raise InputError.empty(name)
    sniffing.refuse_strangers(head, name)
    inner = sniffing.container(head)
    if inner == "text":
        return _open_text(path, compression, name, opening)
    if inner in ("gz", "zst"):
        raise InputError.not_a_table(name, "an archive within an archive", "unpack it first")
    target = opening.scratch.path()
    inflated(path, compression, target, name)
    return _OPENERS[inner](target, name, opening)


def _open_text(path: Path, compression: Compression | None, name: str, opening: _Opening) -> RawTable:
    with guarded(name):
        head = beginning(path, compression)
    file = as_text(path, compression, head, name, opening.text, opening.scratch)
    if not file.head.strip("\ufeff \t\r\n,;|"):
        raise InputError.empty(name)
    sniffing.refuse_markup(file.head, name)
    if opening.text.delimiter is None:
        kind = sniffing.json_kind(file.head)
        if kind == "document":
            hint = "give an array of objects, or one object per line"
            raise InputError.not_a_table(name, "a JSON document that is no list of rows", hint)
        if kind:
            return _open_json(file, kind, opening)
    return open_delimited(file, opening.text, opening.scratch)


def _open_json(file: TextFile, kind: str, opening: _Opening) -> RawTable:
    """Objects per line, lazily, or an array of objects, whole."""
    if kind == "json":
        with guarded(file.name), opened(file.path, file.compression) as stream:
            content = stream.read().removeprefix(b"\xef\xbb\xbf")
            if content.strip() == b"[]":
                raise InputError.empty(file.name)
            rows = pl.read_json(content, infer_schema_length=None).lazy()
        return _table(rows, file.name, "json", file.notes)
    path, compression = file.path, file.compression
    if sniffing.encoding_by_marks(beginning(path, compression, 4)) == "utf-8-sig" or glob.escape(str(path)) != str(
        path
    ):
        path = _plain_copy(path, compression, opening.scratch, file.name)
    small = path.stat().st_size <= SURVEYED
    with guarded(file.name):
        rows = pl.scan_ndjson(path, infer_schema_length=None if small else 10 * HEAD_ROWS)
    return _table(rows, file.name, "ndjson", file.notes)


def _plain_copy(path: Path, compression: Compression | None, scratch: Scratch, name: str) -> Path:
    """A copy under a name without wildcard characters and without a byte order mark."""
    target = scratch.path(".ndjson")
    with guarded(name), opened(path, compression) as source, target.open("wb") as out:
        out.write(source.read(4096).removeprefix(b"\xef\xbb\xbf"))
        while block := source.read(1 << 20):
            out.write(block)
    return target


def _open_parquet(path: Path, name: str, opening: _Opening) -> RawTable:
    with guarded(name):
        rows = pl.scan_parquet(path, glob=False, hive_partitioning=False)
    return _table(rows, name, "parquet", ())


def _open_arrow(path: Path, name: str, opening: _Opening) -> RawTable:
    with guarded(name):
        rows = pl.scan_ipc(path, glob=False, hive_partitioning=False)
    return _table(rows, name, "arrow", ())


def _open_arrow_stream(path: Path, name: str, opening: _Opening) -> RawTable:
    with guarded(name):
        rows = pl.read_ipc_stream(path).lazy()
    return _table(rows, name, "arrow", ())


def _open_zip(path: Path, name: str, opening: _Opening) -> RawTable:
    """The sheets of an xlsx file that have the columns of the first one with rows; or the one sheet asked for."""
    _refuse_other_archives(path, name)
    sheets = _sheets(path, name, opening)
    (first, lead), *others = sheets.items()
    same = {first: lead} | {sheet: frame for sheet, frame in others if frame.columns == lead.columns}
    left_out = [sheet for sheet in sheets if sheet not in same]
    notes = []
    if len(sheets) > 1:
        notes.append(Text(f"{name}: sheets {', '.join(same)}", f"{name}:工作表 {', '.join(same)}"))
    if left_out:
        listed = ", ".join(left_out)
        notes.append(
            Text(f"{name}: sheets with other columns left out: {listed}", f"{name}:列不同、已忽略的工作表:{listed}")
        )
    with guarded(name):
        rows = pl.concat(list(same.values()), how="vertical_relaxed")
    headed = opening.text.header is not False
    cells = ["" if c.startswith("__UNNAMED__") else re.sub(r"_duplicated_\d+$", "", c) for c in rows.columns]
    names, made_up, repeated = sniffing.tidy_names(cells if headed else [""] * rows.width)
    rows.columns = list(names)
    notes += name_notes(name, made_up, repeated) if headed else []
    return replace(_table(rows.lazy(), name, "xlsx", tuple(notes)), headerless=not headed)


def _sheets(path: Path, name: str, opening: _Opening) -> dict[str, pl.DataFrame]:
    """The sheets with rows, in order."""
    import fastexcel

    header = opening.text.header is not False
    try:
        known = fastexcel.read_excel(str(path)).sheet_names
        if opening.sheet is not None and opening.sheet not in known:
            raise InputError.sheet_missing(opening.sheet, name, known)
        wanted = [opening.sheet] if opening.sheet is not None else known
        with guarded(name):
            frames = pl.read_excel(
                path, sheet_name=wanted, has_header=header, raise_if_empty=False, infer_schema_length=None
            )
    except fastexcel.FastExcelError:
        raise InputError.unreadable(name, "the xlsx file is damaged", "save it again") from None
    found = {sheet: frame for sheet, frame in frames.items() if not frame.is_empty()}
    if not found:
        raise InputError.empty(name)
    return found


def _refuse_other_archives(path: Path, name: str) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            inside = set(archive.namelist())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        hint = "the file seems damaged or cut short; copy or save it again"
        raise InputError.unreadable(name, "a damaged xlsx or zip file", hint) from None
    if not inside & {"xl/workbook.xml", "xl/workbook.bin"}:
        raise InputError.not_a_table(name, "a zip archive", "unpack it first; xlsx and gz are read as they are")


_OPENERS: dict[str, Callable[[Path, str, _Opening], RawTable]] = {
    "parquet": _open_parquet,
    "arrow": _open_arrow,
    "arrow-stream": _open_arrow_stream,
    "zip": _open_zip,
}


def _table(rows: pl.LazyFrame, name: str, form: str, notes: Iterable[Text]) -> RawTable:
    """A table of a format with types of its own. Raises InputError when it has no rows or no columns."""
    with guarded(name):
        schema = dict(rows.collect_schema())
    names, made_up, repeated = sniffing.tidy_names(list(schema))
    if list(names) != list(schema):
        rows = rows.rename(dict(zip(schema, names, strict=True)))
        schema = dict(zip(names, schema.values(), strict=True))
    if not schema or not collect(rows.select(pl.len()), name).item():
        raise InputError.empty(name)
    return RawTable(
        name=name,
        rows=rows,
        schema=schema,
        head=_head(rows, schema, name),
        format=form,
        textual=False,
        headerless=False,
        notes=(*notes, *name_notes(name, made_up, repeated)),
        dropped={},
        dropped_rows=None,
    )


def _head(rows: pl.LazyFrame, schema: dict[str, pl.DataType], name: str) -> pl.DataFrame:
    """The first rows; lists and maps stay null, since one of them may be as large as all the rest."""
    bulky = (pl.List, pl.Array, pl.Map)
    flat = [column for column, dtype in schema.items() if not isinstance(dtype, bulky)]
    head = collect(rows.select(flat).head(HEAD_ROWS), name) if flat else pl.DataFrame({"": [None]})
    empty = [pl.lit(None, dtype).alias(column) for column, dtype in schema.items() if column not in flat]
    return head.with_columns(empty).select(list(schema))


def _open_remote(address: str, options: TextOptions) -> RawTable:
    """A remote file through Polars' own readers, by its suffix; text is taken to be UTF-8 with a header."""
    bare = address.partition("?")[0]
    suffix = _suffix(bare) or ".parquet"
    with guarded(address):
        if suffix in (".parquet", ".pq"):
            return _table(pl.scan_parquet(address), address, "parquet", ())
        if suffix in (".arrow", ".feather", ".ipc"):
            return _table(pl.scan_ipc(address), address, "arrow", ())
        if suffix in (".ndjson", ".jsonl"):
            return _table(pl.scan_ndjson(address), address, "ndjson", ())
        if suffix not in (".csv", ".tsv", ".tab", ".txt"):
            raise InputError.unreadable(address, f"{suffix} is not read from afar", "download it first")
        separator = options.delimiter or ("\t" if suffix in (".tsv", ".tab") else ",")
        rows = pl.scan_csv(address, separator=separator, has_header=options.header is not False, infer_schema=False)
        table = _table(rows, address, "tsv" if separator == "\t" else "csv", ())
    return replace(table, textual=True, headerless=options.header is False)
