"""No file breaks the command: each is read rightly, or refused with one clear line, by a real process under limits."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
import pytest

from processes import Ended, complaints, told, userops

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="limits and signals are those of Unix")

COMMANDS = ("inspect", "rfm")
EVERY_WAY_IN = (*COMMANDS, "retention")
"""With that of events: what takes long enough to be run apart."""

UNTAMED = (
    "bad_data/ARROW-GH-41317.parquet", "bad_data/ARROW-GH-41321.parquet", "bad_data/ARROW-GH-43605.parquet",
    "bad_data/ARROW-RS-GH-6229-LEVELS.parquet", "bad_data/PARQUET-1481.parquet",
    "data/nation.dict-malformed.parquet", "data/large_string_map.brotli.parquet",
    "data/datapage_v1-corrupt-checksum.parquet", "data/repeated_no_annotation.parquet",
)  # fmt: skip
"""Files of apache/parquet-testing that made Polars or other readers panic, answer wrongly, or ask for 4 GB."""


@pytest.fixture(scope="module")
def hostile(shared: Path) -> Path:
    folder = shared / "data/hostile"
    if not folder.is_dir():
        pytest.skip("the hostile files are not here")
    return folder


def trouble(
    files: Iterable[Path], commands: Iterable[str] = COMMANDS, *, codes: Sequence[int] = (0, 2, 3), timeout: float = 20
) -> list[str]:
    """What goes wrong when files go through commands, two at a time, each with a temporary folder of its own."""

    def tried(job: tuple[Path, str]) -> list[str]:
        file, command = job
        with TemporaryDirectory() as folder:
            run = userops(command, file, temporary=Path(folder), timeout=timeout)
            return [f"{command} {file.name!r}: {wrong}" for wrong in complaints(run, Path(folder), codes=codes)]

    jobs = [(file, command) for file in files for command in commands]
    with ThreadPoolExecutor(2) as pool:
        return [line for lines in pool.map(tried, jobs) for line in lines]


def data_files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


# --- the collection -----------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_no_file_of_the_collection_breaks_the_command(hostile: Path) -> None:
    long_work = {"bomb_1gb_rows.csv.gz"}  # 200 million rows that are rows: seen through, which takes a minute
    files = data_files(hostile)
    assert len(files) > 400
    assert trouble((file for file in files if file.name not in long_work), EVERY_WAY_IN) == []
    assert trouble((file for file in files if file.name in long_work), EVERY_WAY_IN, timeout=300) == []


def test_no_file_made_by_hand_breaks_the_command(hostile: Path) -> None:
    assert trouble(data_files(hostile / "handmade"), ["rfm"]) == []


def test_no_file_that_broke_a_reader_breaks_the_command(hostile: Path) -> None:
    fuzzed = data_files(hostile / "apache-arrow-testing/data/parquet/fuzzing")[::9]
    known = [hostile / "apache-parquet-testing" / name for name in UNTAMED]
    assert trouble([*(file for file in known if file.exists()), *fuzzed], ["inspect"]) == []


# --- files made here ------------------------------------------------------------------------------------------------

HEADER = "user_id,order_id,ordered_at,amount"


def orders(rows: int = 300) -> str:
    """Orders of 40 users over 60 days."""
    first = date(2026, 1, 1)
    lines = [f"u{i * i % 40},o{i},{first + timedelta(days=i % 60)},{i % 7}.50" for i in range(rows)]
    return "\n".join([HEADER, *lines, ""])


def _archive(**members: str) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return stream.getvalue()


def _parquet() -> bytes:
    stream = io.BytesIO()
    pl.read_csv(orders().encode()).write_parquet(stream)
    return stream.getvalue()


def _wide(columns: int) -> str:
    names = [*HEADER.split(","), *(f"c{i}" for i in range(columns))]
    return f"{','.join(names)}\nu1,o1,2026-01-01,1{',' * columns}\n"


GOOD = orders()
LINES = GOOD.splitlines(keepends=True)

REFUSED: dict[str, tuple[bytes, str]] = {
    "nothing.csv": (b"", "E_EMPTY"),
    "header only.csv": (HEADER.encode(), "E_EMPTY"),
    "mark only.csv": (b"\xef\xbb\xbf", "E_EMPTY"),
    "wide mark only.csv": (b"\xff\xfe", "E_EMPTY"),
    "blank lines.csv": (b"\n" * 5000, "E_EMPTY"),
    "page.csv": (b"<!DOCTYPE html><html><body>504</body></html>", "E_NOT_A_TABLE"),
    "zero bytes.csv": (bytes(5000), "E_NOT_A_TABLE"),
    "after a crash.csv": (GOOD.encode() + bytes(5000), "E_NOT_A_TABLE"),
    "archive.csv": (_archive(orders=GOOD), "E_NOT_A_TABLE"),
    "archive.xlsx": (_archive(orders=GOOD)[:-30], "E_UNREADABLE"),
    "not a sheet.xlsx": (_archive(**{"xl/workbook.xml": "<", "[Content_Types].xml": "<"}), "E_UNREADABLE"),
    "cut short.parquet": (_parquet()[:-100], "E_UNREADABLE"),
    "magic only.parquet": (b"PAR1PAR1", "E_UNREADABLE"),
    "false footer.parquet": (b"PAR1" + b"\xff" * 64 + b"\xff\xff\xff\x7fPAR1", "E_UNREADABLE"),
    "cut short.csv.gz": (gzip.compress(GOOD.encode())[:-50], "E_UNREADABLE"),
    "archive in archive.csv.gz": (gzip.compress(gzip.compress(GOOD.encode())), "E_NOT_A_TABLE"),
    "one endless line.csv": (b"u" * (20 << 20), "E_UNREADABLE"),
    "open quote.csv": ("".join([*LINES[:5], 'u1,"o1,2026-01-01,1\n', *LINES[5:]]).encode(), "E_MALFORMED"),
    "cut short.arrow": (b"ARROW1\0\0" + b"\xff" * 40, "E_UNREADABLE"),
    "cut short.json": (b'[{"user_id": "u1"', "E_UNREADABLE"),
    "document.json": (b'{"orders": [\n{"user_id": "u1"}\n]}', "E_NOT_A_TABLE"),
    "deep.json": (b"[{" + b'"a":{' * 100_000, "E_UNREADABLE"),
    "program.csv": (b"\x7fELF" + bytes(range(256)), "E_NOT_A_TABLE"),
    "noise.csv": (bytes((i * i * 31 + i // 7) % 255 + 1 for i in range(5000)), "*"),
}
"""Contents that hold no orders, and the code each is refused with (``*``: any)."""

READ: dict[str, bytes] = {
    "plain.csv": GOOD.encode(),
    "no last line end.csv": GOOD.rstrip("\n").encode(),
    "windows.csv": GOOD.replace("\n", "\r\n").encode(),
    "old mac.csv": GOOD.replace("\n", "\r").encode(),
    "marked.csv": b"\xef\xbb\xbf" + GOOD.encode(),
    "utf-16.csv": GOOD.encode("utf-16"),
    "utf-16 unmarked.csv": GOOD.encode("utf-16-be"),
    "utf-32.csv": GOOD.encode("utf-32"),
    "gb18030.csv": GOOD.replace(HEADER, "用户ID,订单号,下单时间,金额").encode("gb18030"),
    "semicolons.csv": GOOD.replace(",", ";").encode(),
    "tabs.txt": GOOD.replace(",", "\t").encode(),
    "packed.csv.gz": gzip.compress(GOOD.encode()),
    "packed, named as if not.csv": gzip.compress(GOOD.encode()),
    "two members.csv.gz": gzip.compress(GOOD[:1000].encode()) + gzip.compress(GOOD[1000:].encode()),
    "in truth.parquet": GOOD.encode(),
    "parquet.csv": _parquet(),
    "a row too long.csv": "".join([*LINES[:9], "u1,o-,2026-01-01,1,,surplus\n", *LINES[9:]]).encode(),
    "a row too short.csv": "".join([*LINES[:9], "u1,o-\n", *LINES[9:]]).encode(),
    "repeated column.csv": "".join(f"{line.rstrip()},{line.split(',')[0]}\n" for line in LINES).encode(),
    "line\nbreak.csv": GOOD.encode(),
    "\x1b[31mred\x1b[0m \x07.csv": GOOD.encode(),
    "[1] glob *?.csv": GOOD.encode(),
    "笑 😀 'quoted' \"twice\".csv": GOOD.encode(),
    "-dash.csv": GOOD.encode(),
}
"""Contents that hold the same orders in another guise, or under a name that bites."""


def laid_down(folder: Path, contents: dict[str, bytes]) -> list[Path]:
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return [folder / name for name in contents]


def per_user(file: Path | str, *more: str) -> Ended:
    with TemporaryDirectory() as folder:
        run = userops("rfm", file, "--per-user", "--csv", *more, temporary=Path(folder))
        assert complaints(run, Path(folder)) == [], str(file)
        return run


def test_what_holds_no_orders_is_refused_by_name(tmp_path: Path) -> None:
    files = laid_down(tmp_path, {name: content for name, (content, _) in REFUSED.items()})
    (tmp_path / "temporary").mkdir()

    def refused(file: Path) -> tuple[str, int | None, str, bool]:
        run = userops("rfm", file, "--log-format", "json", temporary=tmp_path / "temporary")
        error = told(run)
        return file.name, run.code, error["code"], file.name in error["message"] and bool(error["hint"])

    with ThreadPoolExecutor(2) as pool:
        for name, code, error, helpful in pool.map(refused, files):
            wanted = REFUSED[name][1]
            assert (name, code, error if wanted == "*" else wanted, helpful) == (name, 3, error, True)
    assert list((tmp_path / "temporary").iterdir()) == []


def test_the_same_orders_in_any_guise_give_the_same_tiers(tmp_path: Path) -> None:
    files = laid_down(tmp_path, READ)
    with ThreadPoolExecutor(2) as pool:
        answers = dict(zip(READ, (run.out for run in pool.map(per_user, files)), strict=True))
    assert answers["plain.csv"].count(b"\n") == 1 + len({line.split(",")[0] for line in LINES[1:]})
    assert [name for name, answer in answers.items() if answer != answers["plain.csv"]] == []


def test_wide_and_long_cells_are_read(tmp_path: Path) -> None:
    files = laid_down(
        tmp_path,
        {
            "5,000 columns.csv": _wide(5000).encode(),
            "4 MB cell.csv": f"{HEADER},comment\nu1,o1,2026-01-01,1,{'x' * (4 << 20)}\n".encode(),
            "4 MB id.csv": f"{HEADER}\n{'u' * (4 << 20)},o1,2026-01-01,1\n".encode(),
        },
    )
    for file in files:
        ((_, monetary),) = [(row["orders"], row["monetary"]) for row in _rows(per_user(file))]
        assert float(monetary) == 1


def _rows(run: Ended) -> list[dict[str, str]]:
    csv.field_size_limit(16 << 20)
    return list(csv.DictReader(io.StringIO(run.out.decode())))


def test_a_place_without_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "loop.csv").symlink_to(tmp_path / "loop.csv")
    (tmp_path / "nowhere.csv").symlink_to(tmp_path / "gone.csv")
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "plain.csv").write_text(GOOD)
    places = [
        "pipe.csv",
        "folder.csv",
        "loop.csv",
        "nowhere.csv",
        "x" * 300,
        "plain.csv/below",
        "*.none",
        "/dev/null",
        "/dev/zero",
    ]
    assert trouble((tmp_path / place for place in places), ["rfm"], codes=[3]) == []
    assert userops("rfm", "", temporary=tmp_path).code == 2


def test_a_pipe_with_a_writer_is_read(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.csv"
    os.mkfifo(pipe)
    writer = subprocess.Popen(["sh", "-c", 'printf %s "$1" > "$2"', "sh", GOOD, str(pipe)])
    try:
        (tmp_path / "plain.csv").write_text(GOOD)
        assert per_user(pipe).out == per_user(tmp_path / "plain.csv").out
    finally:
        writer.kill()
        writer.wait()


def test_little_memory_ends_in_one_line_or_in_success(tmp_path: Path) -> None:
    """What Polars' threads cannot start in is refused at once, and said: they might hang."""
    (tmp_path / "temporary").mkdir()
    (tmp_path / "orders.csv").write_text(GOOD)
    for megabytes, code in ((600, 3), (1400, 3), (4000, 0)):
        run = userops("rfm", tmp_path / "orders.csv", temporary=tmp_path / "temporary", memory=megabytes << 20)
        assert (megabytes, run.code, complaints(run, tmp_path / "temporary")) == (megabytes, code, [])


def test_times_beyond_all_calendars_are_counted_as_unreadable(tmp_path: Path) -> None:
    """Parquet holds days far beyond the year 9999, which break Python's calendar and Polars' own arithmetic."""
    good = pl.DataFrame(
        {"user_id": ["u1", "u2"], "ordered_at": [date(2026, 1, 1), date(2026, 1, 2)], "amount": [1.0, 2.0]}
    )
    far = {"days": pl.Int32, "us": pl.Int64}
    for unit, number in (("days", 2**31 - 1), ("days", -(2**31)), ("days", 10**8), ("us", 2**63 - 1), ("us", -(2**62))):
        dtype = pl.Date() if unit == "days" else pl.Datetime("us")
        row = pl.DataFrame(
            {"user_id": "z", "ordered_at": pl.Series([number], dtype=far[unit]).cast(dtype), "amount": 9.0}
        )
        file = tmp_path / f"{unit}{number}.parquet"
        pl.concat([row, good.with_columns(pl.col("ordered_at").cast(dtype))]).write_parquet(file)
        run = per_user(file)
        assert (file.name, [row["user_id"] for row in _rows(run)]) == (file.name, ["u1", "u2"])
        assert "1 × time cannot be read" in run.err
        assert trouble([file], ["inspect"]) == []


# --- read without complaint elsewhere, and wrongly -------------------------------------------------------------------


@pytest.fixture(scope="module")
def good(hostile: Path) -> Ended:
    """What good.csv gives: 1,000 orders of 1,000 users."""
    run = per_user(hostile / "handmade/good.csv")
    rows = _rows(run)
    source = list(csv.DictReader((hostile / "handmade/good.csv").read_text().splitlines()))
    assert sorted(row["user_id"] for row in rows) == sorted({row["user_id"] for row in source})
    assert sum(int(row["orders"]) for row in rows) == len(source) == 1000
    assert sum(float(row["monetary"]) for row in rows) == sum(float(row["amount"]) for row in source)
    return run


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("utf16le_bom", "read as utf-16"),
        ("utf16be_bom", "read as utf-16"),
        ("cr_only", ""),
        ("semicolon", "columns separated by ;"),
        ("tab", ""),
        ("pipe", "columns separated by |"),
        ("ragged_short", "1 × no time"),
    ],
)
def test_strange_shapes_are_read_rightly(hostile: Path, good: Ended, name: str, said: str) -> None:
    run = per_user(hostile / f"handmade/{name}.csv")
    assert run.out == good.out
    assert said in run.err


@pytest.mark.parametrize(
    ("name", "code", "says"),
    [
        ("html", "E_NOT_A_TABLE", "a web page"),
        ("git_lfs_pointer", "E_NOT_A_TABLE", "git lfs pull"),
        ("excel_sci_ids", "E_DAMAGED_IDS", "1.23457E+17"),
    ],
)
def test_what_is_no_data_is_refused(hostile: Path, tmp_path: Path, name: str, code: str, says: str) -> None:
    for command in COMMANDS if name != "excel_sci_ids" else ("rfm",):
        run = userops(command, hostile / f"handmade/{name}.csv", "--log-format", "json", temporary=tmp_path)
        error = told(run)
        assert (run.code, error["code"]) == (3, code)
        assert says in error["message"] + error["hint"]


@pytest.mark.parametrize(
    ("name", "answer", "said"),
    [
        ("leading_zero_ids", {"007": 1.0, "7": 2.0}, ""),
        ("nan_inf", {"u1": 1.5}, "4 × amount is NaN or infinite"),
        ("blank_header_cell", {"u1": 1.0}, "columns without a name are called column_2"),
        ("dup_header", {"a": 1.0}, "repeated columns: user_id"),
    ],
)
def test_strange_cells_are_read_rightly(
    hostile: Path, tmp_path: Path, name: str, answer: dict[str, float], said: str
) -> None:
    run = per_user(dated(hostile / f"handmade/{name}.csv", tmp_path))
    assert {row["user_id"]: float(row["monetary"]) for row in _rows(run)} == answer
    assert said in run.err


def test_words_for_nobody_are_no_users(hostile: Path, tmp_path: Path) -> None:
    file = dated(hostile / "handmade/null_tokens.csv", tmp_path)
    error = told(userops("rfm", file, "--log-format", "json", temporary=tmp_path))
    assert error["code"] == "E_NO_USABLE_ROWS"
    assert "2 × no user id; 8 × placeholder user id" in error["message"]


def dated(file: Path, folder: Path) -> Path:
    """A copy with a column of times, which the file needs to hold orders."""
    header, *rows = file.read_text().splitlines()
    copy = folder / file.name
    copy.write_text("\n".join([f"{header},ordered_at", *(f"{row},2026-01-01" for row in rows)]))
    return copy


# --- refusals that help -----------------------------------------------------------------------------------------------

KIND: dict[str, tuple[str, list[str], str, str]] = {
    # name: content, options, code, part of the hint
    "map with a typo": (GOOD, ["--map", "user_id=usr_id"], "E_COLUMN_UNKNOWN", "did you mean 'user_id'?"),
    "no column": (GOOD.replace("amount", "xyz"), [], "E_COLUMN_MISSING", "name it with --map amount=COLUMN"),
    "two candidates": (
        GOOD.replace("user_id,order_id", "customer_id,buyer_id"),
        [],
        "E_COLUMN_AMBIGUOUS",
        "choose one: --map user_id=",
    ),
    "two currencies": (
        "\n".join(f"{line},{('EUR', 'USD')[i % 2] if i else 'currency'}" for i, line in enumerate(GOOD.split())),
        [],
        "E_MIXED_CURRENCIES",
        "choose one: --where 'currency=",
    ),
    "nothing": ("", [], "E_EMPTY", "an export may have failed"),
    "day or month": (
        f"{HEADER}\nu1,o1,01/02/2026,1\nu2,o2,03/04/2026,1\n",
        [],
        "E_AMBIGUOUS_DATES",
        "say which: --day-first, --month-first",
    ),
    "web page": ("<html><title>Sign in</title></html>", [], "E_NOT_A_TABLE", "a login or an error page"),
    "rounded ids": (
        f"{HEADER}\n1.23457E+17,o1,2026-01-01,1\n1.23457E+17,o2,2026-01-02,1\n",
        [],
        "E_DAMAGED_IDS",
        "export again with the column as text",
    ),
    "a row from 2062": (f"{GOOD}u1,o-,2062-01-01,1\n", [], "E_LONE_FUTURE_ROW", "--as-of 2026-03-01 leaves it out"),
    "repeated orders": (GOOD + "".join(LINES[1:50]), [], "E_REPEATED_ORDER_ID", "--grain line"),
}


@pytest.mark.parametrize("name", KIND)
def test_a_refusal_says_what_to_do(tmp_path: Path, name: str) -> None:
    content, options, code, hint = KIND[name]
    (tmp_path / "orders.csv").write_text(content)
    run = userops("rfm", tmp_path / "orders.csv", *options, "--log-format", "json", temporary=tmp_path)
    error = told(run)
    assert (run.code, error["code"], run.out) == (3, code, b"")
    assert hint in error["hint"]
    assert "orders.csv" in error["message"]


def test_the_rows_of_the_last_customer_left_are_not_taken_for_a_typing_error(tmp_path: Path) -> None:
    lone = "".join(f"u1,late{i},{date(2026, 3, 2) + timedelta(days=i)},1\n" for i in range(200))
    (tmp_path / "orders.csv").write_text(GOOD + lone)
    assert "as of 2026-09-17" in per_user(tmp_path / "orders.csv").err


def test_a_missing_file_is_answered_with_the_closest_name(tmp_path: Path) -> None:
    (tmp_path / "orders.csv").write_text(GOOD)
    error = told(userops("rfm", tmp_path / "odrers.csv", "--log-format", "json", temporary=tmp_path))
    assert (error["code"], error["hint"]) == ("E_NOT_FOUND", f"did you mean '{tmp_path}/orders.csv'?")


def test_inspect_warns_of_what_analyses_will_refuse(tmp_path: Path) -> None:
    (tmp_path / "orders.csv").write_text(KIND["day or month"][0])
    run = userops("inspect", tmp_path / "orders.csv", "--json", temporary=tmp_path)
    assert run.code == 0
    assert "--day-first" in json.dumps(json.loads(run.out)["meta"]["warnings"])
