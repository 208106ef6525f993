"""Opening files: every format by its content, every encoding, every way a text can be broken."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from userops.collecting import collect
from userops.errors import InputError, UsageError
from userops.inputs import delimited
from userops.inputs.loading import RawTable, Scratch, open_tables

ORDERS = "user_id,ordered_at,amount\nu1,2026-01-01,10.5\nu2,2026-01-02,\n"
ROWS = [("u1", "2026-01-01", "10.5"), ("u2", "2026-01-02", None)]

Open = Callable[..., RawTable]


@pytest.fixture
def scratch() -> Iterator[Scratch]:
    with Scratch() as scratch:
        yield scratch


@pytest.fixture
def opening(tmp_path: Path, scratch: Scratch) -> Open:
    """Opens content as the one table of a file."""

    def opening(content: str | bytes, name: str = "orders.csv", **options: object) -> RawTable:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        (table,) = open_tables([str(path)], scratch=scratch, **options)  # type: ignore[arg-type]
        return table

    return opening


def rows_of(table: RawTable) -> list[tuple[object, ...]]:
    frame = collect(table.rows, table.name)
    assert frame.columns == table.head.columns == list(table.schema)
    return frame.rows()


def said(table: RawTable) -> str:
    return " ".join(note.en for note in table.notes)


def refusal(open_it: Callable[[], object]) -> InputError:
    with pytest.raises(InputError) as caught:
        open_it()
    assert "\n" not in caught.value.message
    return caught.value


# ---- text: encodings, line ends, separators, headers


@pytest.mark.parametrize(
    ("encoding", "named"),
    [
        ("utf-8", ""),
        ("utf-8-sig", ""),
        ("utf-16", "utf-16"),
        ("utf-16-le", "utf-16-le"),
        ("utf-16-be", "utf-16-be"),
        ("gbk", "gb18030"),
        ("gb18030", "gb18030"),
    ],
)
def test_chinese_reads_alike_in_every_encoding(opening: Open, encoding: str, named: str) -> None:
    text = "用户,金额,note\n" + "".join(f"张三{i},1.50,12345678901234567890\n" for i in range(50))
    table = opening(text.encode(encoding))
    assert list(table.schema) == ["用户", "金额", "note"]
    assert rows_of(table)[49] == ("张三49", "1.50", "12345678901234567890")
    assert (f"read as {named}" in said(table)) == bool(named)


def test_western_text_reads_as_cp1252(opening: Open) -> None:
    table = opening("name,price\nsüße café,£5\nMüßig,€6\n".encode("cp1252"))
    assert rows_of(table) == [("süße café", "£5"), ("Müßig", "€6")]
    assert "read as cp1252" in said(table)


def test_a_stray_byte_at_the_end_of_a_file_is_found(opening: Open) -> None:
    table = opening(b"id,note\n" + b"1,plain\n" * 50_000 + "2,café\n".encode("latin-1"))
    assert rows_of(table)[-1] == ("2", "café")


def test_one_broken_byte_does_not_spoil_chinese_utf8(opening: Open) -> None:
    table = opening("用户,金额\n".encode() + "张三,1\n".encode() * 40 + b"\xff,2\n")
    assert rows_of(table)[0] == ("张三", "1")
    assert "1 characters could not be read" in said(table)


def test_a_forced_encoding_is_obeyed_or_refused(opening: Open) -> None:
    assert rows_of(opening("名\n张\n".encode("gbk"), encoding="gb18030")) == [("张",)]
    assert refusal(lambda: opening("名\n张\n".encode("gbk"), encoding="utf-8")).code == "E_UNREADABLE"
    with pytest.raises(UsageError):
        opening(ORDERS, encoding="klingon")


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends(opening: Open, end: str) -> None:
    assert rows_of(opening(ORDERS.replace("\n", end))) == ROWS


def test_mixed_line_ends_and_blank_lines(opening: Open) -> None:
    assert rows_of(opening("\n\na,b\r\n1,2\n\n3,4\r\n,\n\n")) == [("1", "2"), ("3", "4")]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_separators_are_found_behind_quotes(opening: Open, separator: str) -> None:
    text = 'a,b,c\n1,"x;y|z, t",2\n3,"u;v",4\n'
    rows = list(csv.reader(io.StringIO(text)))
    out = io.StringIO()
    csv.writer(out, delimiter=separator, lineterminator="\n").writerows(rows)
    table = opening(out.getvalue())
    assert rows_of(table) == [tuple(row) for row in rows[1:]]
    assert table.format == ("tsv" if separator == "\t" else "csv")


def test_decimal_commas_do_not_win_over_semicolons(opening: Open) -> None:
    assert rows_of(opening("id;amount\n1;2,50\n2;3,50\n")) == [("1", "2,50"), ("2", "3,50")]


def test_an_excel_separator_line_is_obeyed(opening: Open) -> None:
    assert rows_of(opening("sep=;\na;b\n1;2\n")) == [("1", "2")]


def test_a_given_delimiter(opening: Open) -> None:
    assert rows_of(opening("a:b\n1:2\n", delimiter=":")) == [("1", "2")]
    with pytest.raises(UsageError):
        opening("a::b\n", delimiter="::")


def test_columns_set_apart_by_blanks(opening: Open) -> None:
    table = opening(" 00001 19970101  1   11.77\n 00002 19970112  1  12.00\n", "cdnow.txt")
    assert rows_of(table) == [("00001", "19970101", "1", "11.77"), ("00002", "19970112", "1", "12.00")]
    assert table.headerless and "separated by blanks" in said(table)


def test_header_cells_are_trimmed_named_and_told_apart(opening: Open) -> None:
    table = opening("\ufeff user_id ,,user_id,user_id_2\n1,2,3,4\n")
    assert list(table.schema) == ["user_id", "column_2", "user_id_3", "user_id_2"]
    assert "without a name" in said(table) and "repeated" in said(table)


@pytest.mark.parametrize(
    ("text", "headerless"),
    [
        ("1,2268318,pv,1511544070\n1,2333346,buy,1511561733\n2,1,pv,1511561734\n", True),
        ("2026-01-01,u001,5\n2026-01-02,u002,6\n", True),
        ("123\n456\n", True),
        ("user_id,2024,2025\nu1,1,2\n", False),
        ("name\nAnn\n", False),
        ("q1,q2\na,b\n", False),
        ("c0,c1,c2\n1,2,3\n4,5,6\n", False),
    ],
)
def test_a_first_line_of_data_is_no_header(opening: Open, text: str, headerless: bool) -> None:
    table = opening(text)
    lines = text.splitlines()
    assert table.headerless == headerless
    assert len(rows_of(table)) == len(lines) - (not headerless)
    if headerless:
        assert list(table.schema) == [f"column_{n + 1}" for n in range(lines[0].count(",") + 1)]
    assert len(rows_of(opening(text, header=headerless))) == len(lines) - headerless


def test_quoted_and_plain_empty_cells_are_null(opening: Open) -> None:
    assert rows_of(opening('a,b\n"",x\n,y\n')) == [(None, "x"), (None, "y")]


# ---- text: broken rows and quotes


def test_short_rows_are_filled_with_null(opening: Open) -> None:
    table = opening("a,b,c\n1\n1,2,3\n")
    assert rows_of(table) == [("1", None, None), ("1", "2", "3")] and not table.dropped


def test_long_rows_are_set_aside_not_cut(opening: Open) -> None:
    table = opening("a,b\n1,2\n3,4,EXTRA\n5,6,,\n7,8,,x\n")
    assert rows_of(table) == [("1", "2"), ("5", "6")]
    assert table.dropped == {"too_many_cells": 2}
    assert table.dropped_rows is not None
    assert table.dropped_rows.rows() == [(3, "3,4,EXTRA"), (5, "7,8,,x")]


@pytest.mark.parametrize("thorough", [False, True])
def test_long_rows_of_large_files(opening: Open, monkeypatch: pytest.MonkeyPatch, thorough: bool) -> None:
    monkeypatch.setattr(delimited, "SURVEYED", 0)
    text = "a,b\n" + "1,2\n" * 50_000 + "3,4,5\n" + "1,2\n" * 50_000
    table = opening(text, thorough=thorough)
    if thorough:
        assert len(rows_of(table)) == 100_000 and table.dropped == {"too_many_cells": 1}
    else:
        assert refusal(lambda: collect(table.rows.select("a"), "orders.csv")).code == "E_MALFORMED"


def test_a_quote_that_is_never_closed_names_its_line(opening: Open) -> None:
    found = refusal(lambda: opening('a,b\n1,2\n3,"4\n' + "5,6\n" * 1000))
    assert found.code == "E_MALFORMED" and "line 3" in found.message


def test_inch_marks_are_text(opening: Open) -> None:
    assert rows_of(opening('a,b\n1,19" tube\n2,5"\n3,6"\n')) == [("1", '19" tube'), ("2", '5"'), ("3", '6"')]


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    pieces=st.lists(
        st.sampled_from(
            ["a", "b", ",", ",", '"', "\n", "\n", '""', '"x"', '"x,y"', '"x\ny"', ',"a"', ',"",', "\r\n", "é"]
        ),
        max_size=20,
    ),
    column=st.sampled_from(["p", "q", "r"]),
)
def test_any_text_reads_as_the_csv_module_does_or_is_refused(opening: Open, pieces: list[str], column: str) -> None:
    body = "".join(pieces)
    try:
        expected = [row for row in csv.reader(io.StringIO(body, newline=""), strict=True) if any(row)]
    except csv.Error:
        expected = None
    try:
        table = opening("p,q,r\n" + body, delimiter=",", header=True)
        got = collect(table.rows.select(column), "it")[column].to_list()
    except InputError:
        long = [row for row in expected or [] if any(cell.strip() for cell in row[3:])]
        assert expected is None or len(long) * 2 >= len(expected)
        return
    assert expected is not None
    fitting = [row[:3] for row in expected if not any(cell.strip() for cell in row[3:])]
    place = "pqr".index(column)
    wanted = [(row + [""] * 3)[place] or None for row in fitting if any(row)]
    assert got == wanted
    assert table.dropped.get("too_many_cells", 0) == sum(any(c.strip() for c in row[3:]) for row in expected)


@pytest.mark.parametrize("at_end", [True, False])
def test_endless_lines_are_refused(opening: Open, at_end: bool) -> None:
    endless, rows = b"1," + b"x" * (17 << 20) + b"\n", b"1,2\n" * 100_000
    content = b"a,b\n" + (rows + endless if at_end else endless + rows)
    assert "longer than 16 MB" in refusal(lambda: opening(content)).message
    assert "longer than 16 MB" in refusal(lambda: opening(gzip.compress(content, 1), "o.csv.gz")).message


# ---- what is no table


@pytest.mark.parametrize(
    ("content", "code", "word"),
    [
        (b"", "E_EMPTY", "no rows"),
        (b"\n\r\n\n", "E_EMPTY", "no rows"),
        (codecs.BOM_UTF8, "E_EMPTY", "no rows"),
        (b"user_id,amount\n", "E_EMPTY", "no rows"),
        (b"user_id,amount", "E_EMPTY", "no rows"),
        (b"[]", "E_EMPTY", "no rows"),
        (b"<!DOCTYPE html><html>504</html>", "E_NOT_A_TABLE", "web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "E_NOT_A_TABLE", "git-lfs"),
        (b"%PDF-1.7\n", "E_NOT_A_TABLE", "PDF"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1old", "E_NOT_A_TABLE", ".xls"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "EncryptedPackage".encode("utf-16-le"), "E_NOT_A_TABLE", "password"),
        (b"a,b\n1,\x002\n", "E_NOT_A_TABLE", "zero bytes"),
        (b'{\n "data": [1]\n}', "E_NOT_A_TABLE", "JSON"),
        (b"PK\x03\x04broken", "E_UNREADABLE", "zip"),
        (b"PAR1PAR1", "E_UNREADABLE", "damaged"),
        (
            b"A licence\n\nYou may, if you wish, copy this,\nor not, as you, or others, like.\n",
            "E_NOT_A_TABLE",
            "prose",
        ),
    ],
)
def test_what_holds_no_table_is_refused_with_a_hint(opening: Open, content: bytes, code: str, word: str) -> None:
    found = refusal(lambda: opening(content))
    assert found.code == code and word in found.message and found.hint


@pytest.mark.parametrize("harm", ["truncated", "checksum", "garbage"])
def test_broken_gzip_is_refused(opening: Open, harm: str) -> None:
    packed = gzip.compress(ORDERS.encode() * 100)
    harmed = {
        "truncated": packed[:-20],
        "checksum": packed[:-8] + b"\1\2\3\4" + packed[-4:],
        "garbage": packed + b"garbage",
    }
    assert "compressed data are broken" in refusal(lambda: opening(harmed[harm], "o.csv.gz")).message


# ---- formats by content


def frame() -> pl.DataFrame:
    return pl.DataFrame({"user_id": ["u1", "u2"], "amount": [1.5, 2.0]})


def packed(write: Callable[[io.BytesIO], object]) -> bytes:
    out = io.BytesIO()
    write(out)
    return out.getvalue()


@pytest.mark.parametrize("name", ["orders.csv", "orders.parquet"])
@pytest.mark.parametrize(
    ("form", "content"),
    [
        ("parquet", packed(frame().write_parquet)),
        ("arrow", packed(frame().write_ipc)),
        ("arrow", packed(frame().write_ipc_stream)),
        ("ndjson", frame().write_ndjson().encode()),
        ("json", frame().write_json().encode()),
        ("xlsx", packed(lambda out: frame().write_excel(out))),
        ("parquet", gzip.compress(packed(frame().write_parquet))),
        ("ndjson", gzip.compress(frame().write_ndjson().encode())),
    ],
    ids=["parquet", "arrow", "arrow stream", "ndjson", "json", "xlsx", "parquet in gzip", "ndjson in gzip"],
)
def test_a_format_is_known_by_its_content(opening: Open, name: str, form: str, content: bytes) -> None:
    table = opening(content, name)
    assert table.format == form and not table.textual
    assert rows_of(table) == [("u1", 1.5), ("u2", 2.0)]
    assert "in truth" in said(table) or (name, form) == ("orders.parquet", "parquet")


def test_gzip_of_several_members_and_zstd(opening: Open) -> None:
    header, *rows = ORDERS.encode().splitlines(keepends=True)
    assert rows_of(opening(gzip.compress(header + rows[0]) + gzip.compress(rows[1]), "o.csv.gz")) == ROWS
    zst = packed(lambda out: pl.DataFrame({"a": ["1", "2"]}).write_csv(out, compression="zstd"))
    assert rows_of(opening(zst, "o.csv.zst", header=True)) == [("1",), ("2",)]


def test_json_fields_may_come_late_and_change_their_type(opening: Open) -> None:
    lines = [json.dumps({"a": 1})] * 2000 + [json.dumps({"a": 2.5, "b": "x"})]
    table = opening("\n".join(lines), "e[v].jsonl")
    assert rows_of(table)[-1] == (2.5, "x")


def test_sheets_of_one_header_are_one_table(opening: Open) -> None:
    import xlsxwriter

    out = io.BytesIO()
    with xlsxwriter.Workbook(out) as book:
        for sheet, values in (("2024", frame()), ("2025", frame()), ("readme", pl.DataFrame({"text": ["hello"]}))):
            values.write_excel(book, worksheet=sheet)
    table = opening(out.getvalue(), "orders.xlsx")
    assert len(rows_of(table)) == 4 and "sheets 2024, 2025" in said(table) and "left out: readme" in said(table)
    assert rows_of(opening(out.getvalue(), "orders.xlsx", sheet="readme")) == [("hello",)]
    missing = refusal(lambda: opening(out.getvalue(), "orders.xlsx", sheet="2026"))
    assert missing.hint is not None and "2025" in missing.hint


def test_opening_parquet_does_not_decode_lists(opening: Open) -> None:
    table = opening(packed(pl.DataFrame({"id": [1], "tags": [["x"]]}).write_parquet), "o.parquet")
    assert table.head.rows() == [(1, None)] and rows_of(table) == [(1, ["x"])]


# ---- places


def test_globs_folders_and_names_with_wildcards(tmp_path: Path, scratch: Scratch) -> None:
    for name in ("a1.csv", "a2.csv", "[1] *.csv", ".hidden.csv"):
        (tmp_path / name).write_text(ORDERS)
    (tmp_path / "empty.csv").touch()
    (tmp_path / "notes.md").write_text("notes")
    pattern = str(tmp_path / "a*.csv")
    (table,) = open_tables([pattern], scratch=scratch)
    assert table.name == pattern and len(rows_of(table)) == 4 and "2 files" in said(table)
    (table,) = open_tables([str(tmp_path / "[1] *.csv")], scratch=scratch)
    assert len(rows_of(table)) == 2
    (table,) = open_tables([str(tmp_path)], scratch=scratch)
    assert len(rows_of(table)) == 6 and "2 other files left out" in said(table)


def test_files_that_differ_stay_apart(tmp_path: Path, scratch: Scratch) -> None:
    (tmp_path / "a.csv").write_text(ORDERS)
    (tmp_path / "b.csv").write_text("x,y\n1,2\n")
    tables = open_tables([str(tmp_path)], scratch=scratch)
    assert [Path(table.name).name for table in tables] == ["a.csv", "b.csv"]


def test_a_missing_file_names_its_neighbour(tmp_path: Path, scratch: Scratch) -> None:
    (tmp_path / "orders.csv").write_text(ORDERS)
    found = refusal(lambda: open_tables([str(tmp_path / "order.csv")], scratch=scratch))
    assert found.code == "E_NOT_FOUND" and found.hint is not None and "orders.csv" in found.hint
    (tmp_path / "void").mkdir()
    assert refusal(lambda: open_tables([str(tmp_path / "void")], scratch=scratch)).code == "E_NOT_A_TABLE"


def test_standard_input_is_spooled(scratch: Scratch, monkeypatch: pytest.MonkeyPatch) -> None:
    stdin = io.TextIOWrapper(io.BytesIO(gzip.compress(ORDERS.encode())))
    monkeypatch.setattr(sys, "stdin", stdin)
    (table,) = open_tables(["-"], scratch=scratch)
    assert table.name == "stdin" and rows_of(table) == ROWS


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_named_pipes_are_spooled(tmp_path: Path, scratch: Scratch) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_text(ORDERS))
    writer.start()
    (table,) = open_tables([str(pipe)], scratch=scratch)
    writer.join()
    assert rows_of(table) == ROWS


def test_scratch_is_made_when_needed_and_always_removed() -> None:
    with Scratch() as idle:
        pass
    assert idle._folder is None
    kept: list[Path] = []
    with pytest.raises(KeyboardInterrupt), Scratch() as scratch:
        kept.append(scratch.path(".csv"))
        kept[0].write_text("x")
        raise KeyboardInterrupt
    assert not kept[0].parent.exists()


def test_failures_of_the_reader_are_one_line(tmp_path: Path) -> None:
    path = tmp_path / "o.parquet"
    path.write_bytes(b"PAR1 and then nothing of use PAR1")
    found = refusal(lambda: collect(pl.scan_parquet(path), "o.parquet"))
    assert found.message == "cannot read o.parquet: the file is damaged or cut short"
    with pytest.raises(pl.exceptions.ColumnNotFoundError):
        collect(frame().lazy().select("nobody"), "a bug of ours is no bad input")


def test_the_hostile_handmade_files(shared: Path) -> None:
    """Every hand-made file opens or is refused in one line, within the limits of a small machine."""
    folder = shared / "data/hostile/handmade"
    good = {
        "good",
        "bom",
        "crlf",
        "cr_only",
        "semicolon",
        "tab",
        "pipe",
        "utf16le_bom",
        "utf16be_bom",
        "mixed_eol",
        "gbk",
    }
    script = (
        "import sys, polars as pl\n"
        "from userops.collecting import collect\n"
        "from userops.errors import UseropsError\n"
        "from userops.inputs.loading import Scratch, open_tables\n"
        "for path in sys.argv[1:]:\n"
        "    try:\n"
        "        with Scratch() as scratch:\n"
        "            (t,) = open_tables([path], scratch=scratch)\n"
        "            print(path, collect(t.rows.select(pl.all().count()), path).row(0)[0], sep='\\t')\n"
        "    except UseropsError as error:\n"
        "        print(path, error.code, sep='\\t')\n"
    )
    files = [str(file) for file in sorted(folder.iterdir()) if file.is_file() and "bomb" not in file.name]
    run = subprocess.run(
        [sys.executable, "-c", script, *files], capture_output=True, text=True, timeout=120, check=True
    )
    outcome = {Path(line.split("\t")[0]).name: line.split("\t")[1] for line in run.stdout.splitlines()}
    assert len(outcome) == len(files)
    assert {outcome[f"{name}.csv"] for name in good} == {"1000"}
    assert "Traceback" not in run.stderr
