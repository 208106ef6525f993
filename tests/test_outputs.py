"""The one door out, and what each format promises."""

from __future__ import annotations

import csv
import datetime as dt
import gzip
import io
import json
import os
import re
import subprocess
import sys
import threading
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import polars as pl
import pytest
from rich.cells import cell_len

import golden
from golden import HOSTILE, drawings_result, hostile_result, periods_result, rfm_result
from userops.errors import OutputError, UsageError
from userops.flowchart import mermaid
from userops.outputs import BINARY, FORMATS, cells, emit, format_of, markdown, plain, structured, tabular, terminal, web
from userops.results import Column, GraphBlock, HeatBlock, NotesBlock, Result, TableBlock, Text

LANGS = ("en", "zh")


def emitted(result: Result, **options: object) -> bytes:
    out = io.BytesIO()
    emit(result, stdout=out, **options)  # type: ignore[arg-type]
    return out.getvalue()


# --- what people see --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lang", LANGS)
@pytest.mark.parametrize(
    ("name", "made"), [("rfm", rfm_result), ("periods", periods_result), ("drawings", drawings_result)]
)
def test_renderings_are_the_ones_looked_at(name, made, lang, monkeypatch):
    monkeypatch.setattr(structured, "__version__", "0")
    monkeypatch.setattr(web, "__version__", "0")
    result = made()
    golden.check(f"{name}.{lang}.txt", plain.render(result, lang))
    golden.check(f"{name}.{lang}.md", markdown.render(result, lang))
    golden.check(f"{name}.{lang}.html", web.page(result, lang))
    golden.check(f"{name}.{lang}.terminal.txt", terminal.render(result, lang, 100, color=False))
    golden.check(f"{name}.{lang}.json", structured.json_text(result, lang))


@pytest.mark.parametrize(
    ("name", "made"), [("rfm", rfm_result), ("periods", periods_result), ("drawings", drawings_result)]
)
def test_colours_are_the_ones_looked_at(name, made, monkeypatch):
    monkeypatch.setenv("COLORTERM", "truecolor")
    golden.check(f"{name}.en.ansi", terminal.render(made(), "en", 100, color=True))


@pytest.mark.parametrize(
    ("value", "kind", "expected"),
    [
        (0.219, "share", "21.9 %"),
        (1.0, "share", "100.0 %"),
        (-0.0001, "share", "0.0 %"),
        (8310477.05, "money", "8,310,477.05"),
        (-1234.5, "money", "-1,234.50"),
        (-0.001, "money", "0.00"),
        (4339, "count", "4,339"),
        (0, "count", "0"),
        (4.27, "number", "4.27"),
        (12.46, "days", "12.5"),
        (5, "score", "5"),
        (None, "money", "–"),
        (float("nan"), "share", "–"),
        (float("-inf"), "count", "–"),
        (dt.date(2026, 10, 31), "date", "2026-10-31"),
        (dt.datetime(2026, 10, 31, 9, 5), "date", "2026-10-31 09:05:00"),
        (["a", "b"], "text", "a, b"),
        (True, "text", "yes"),
        (20261031, "text", "20261031"),
    ],
)
def test_values_read_as_people_expect(value, kind, expected):
    assert cells.shown(value, kind) == expected


@pytest.mark.parametrize(
    ("fraction", "expected"),
    [(0, ""), (None, ""), (0.0001, "▏"), (0.5, "████"), (0.51, "████▏"), (1, "████████")],
)
def test_bars_are_as_long_as_their_value(fraction, expected):
    assert cells.bar(fraction, 8) == expected


def test_bars_other_than_shares_are_of_the_largest_row_and_not_of_the_total():
    rows = pl.DataFrame({"x": ["a", "b", "all"], "n": [50, 100, 150]})
    block = TableBlock(Text("", ""), (Column("n", Text("n", "n"), "count", bar=True),), rows, total_row=True)
    assert cells.grid(block, "en").bars == ((0.5, 1.0, None),)


def test_shades_grow_with_the_root_and_leave_empty_cells_empty():
    block = HeatBlock(*(Text("", ""),) * 3, (Text("a", "a"),), (Text("b", "b"),) * 4, ((100.0, 25.0, 0.0, None),))
    assert cells.heat(block, "en").shades == ((1.0, 0.5, 0.0, None),)


def cohorts(weeks: int) -> HeatBlock:
    """A triangle of shares: the last cell of each cohort is of a week that is not over; an average below."""
    names = tuple(Text(f"2026-{1 + week // 4:02}-{1 + week % 4 * 7:02}", "") for week in range(weeks))
    shares = [tuple(0.5 / (1 + week) if week < weeks - row else None for week in range(weeks)) for row in range(weeks)]
    return HeatBlock(
        *(Text("", ""),) * 3, (*names, Text("Average", "")), tuple(Text(str(week), "") for week in range(weeks)),
        (*((1.0, *row[1:]) for row in shares), (1.0, *[0.9] * (weeks - 1))), "share", Text("Users", ""),
        tuple(1_000 + row for row in range(weeks + 1)),
        tuple(tuple(week == weeks - row - 1 for week in range(weeks)) for row in range(weeks + 1)), True, 1,
    )  # fmt: skip


def showing(block: HeatBlock) -> Result:
    return replace(rfm_result(), views=(block, NotesBlock(Text("", ""), rfm_result().provenance.warnings)))


def test_what_is_not_over_the_average_and_the_first_columns_are_not_shaded_and_set_no_scale():
    grid = cells.heat(cohorts(4), "en")
    assert grid.shades[0] == (None, 1.0, pytest.approx((2 / 3) ** 0.5), None)
    assert grid.shades[-1] == (None,) * 4
    assert grid.cells[1] == ("100.0", "25.0", "16.7*", "")
    assert grid.cells[-1] == ("100.0", "90.0", "90.0", "90.0")
    assert grid.lead[0] == "1,000"
    bare = cells.heat(replace(cohorts(4), unfinished=(), lead=(), total_row=False), "en")
    assert (bare.any_unfinished, bare.lead_title, bare.shades[-1][1]) == (False, "", 1.0)


def test_the_corner_stays_empty_and_marks_hang_behind_the_digits():
    for text in (plain.render(showing(cohorts(6)), "en"), terminal.render(showing(cohorts(6)), "en", 100, color=False)):
        lines = text.split("\n\n")[1].splitlines()
        rows = [line for line in lines if "2026-" in line]
        assert [line.count("*") for line in rows] == [1] * 6
        assert all(line.endswith("*") and "–" not in line for line in rows)
        assert {line.index("100.0") for line in rows} == {line.index("100.0") for line in lines if "Average" in line}
        assert len([line for line in lines if "* period not over" in line]) == 1


def test_fourteen_cohorts_fit_a_hundred_columns_and_continue_below_in_fewer():
    wide = terminal.render(showing(cohorts(14)), "en", 100, color=False)
    assert wide.count("Users") == 1
    narrow = terminal.render(showing(cohorts(14)), "en", 62, color=False)
    assert narrow.count("Users") == narrow.count("Average") > 1
    for text in (wide, narrow):
        heat = text.partition("period not over")[0]
        shown = sorted(re.findall(r"\d+\.\d\*?", heat))
        assert shown == sorted(cell for row in cells.heat(cohorts(14), "en").cells for cell in row if cell)


def test_drawings_in_markdown_keep_their_spaces():
    text = markdown.render(periods_result(), "en")
    assert "`▁▄\xa0▆█▁*`" in text
    assert not [drawing for drawing in re.findall("`(.*?)`", text) if " " in drawing]


@pytest.mark.parametrize("lang", LANGS)
@pytest.mark.parametrize("width", [40, 62, 80, 100, 160])
def test_periods_fit_the_window(lang, width):
    page = terminal.render(periods_result(), lang, width, color=False)
    assert max(map(cell_len, page.splitlines())) <= width
    assert "…" not in page
    for word in ("1,284", "12.3*", "3,480", "-520", "13.5 %"):
        assert word in page


@pytest.mark.parametrize("lang", LANGS)
@pytest.mark.parametrize("width", [20, 40, 62, 80, 100, 160])
def test_a_terminal_page_fits_its_window_and_loses_no_cell(lang, width):
    result = rfm_result()
    page = terminal.render(result, lang, width, color=False)
    if width >= 40:
        assert max(map(cell_len, page.splitlines())) <= width
        grid = cells.grid(result.views[1], lang)
        assert {cell for row in grid.rows for cell in row[1:]} <= {
            part for line in page.splitlines() for part in re.split(" {2,}", line)
        }
    assert "…" not in page


@pytest.mark.parametrize("lang", LANGS)
def test_wide_characters_align(lang):
    """Every number of a column ends in the same cell, whatever stands before it."""
    lines = plain.render(rfm_result(), lang).splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("───"))
    ends = {cell_len(re.match(r".*? {2,}[\d,]+(?=  )", line)[0]) for line in lines[start + 1 : start + 12]}
    assert len(ends) == 1


def test_only_colour_brings_escape_sequences(monkeypatch):
    monkeypatch.setenv("COLORTERM", "truecolor")
    monkeypatch.setenv("NO_COLOR", "1")  # decided by the caller, once
    result = rfm_result()
    colored, bare = (terminal.render(result, "en", 100, color=color) for color in (True, False))
    assert "\x1b[38;2;" in colored
    assert "\x1b" not in bare + plain.render(result, "en")
    assert re.sub(r"\x1b\[[\d;]*m", "", colored).split() == bare.split()


def test_a_terminal_without_full_colours_gets_the_256():
    """In a process of its own: Rich remembers how a style was last written."""
    program = "from golden import rfm_result; from userops.outputs import emit; emit(rfm_result(), color=True)"
    environ = {**os.environ, "COLORTERM": "", "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])}
    done = subprocess.run([sys.executable, "-c", program], env=environ, capture_output=True, check=True)
    assert b";48;5;" in done.stdout
    assert b"8;2;" not in done.stdout


@pytest.mark.parametrize("lang", LANGS)
@pytest.mark.parametrize("width", [34, 44, 62, 80, 100, 160])
def test_drawings_fit_the_window_and_lose_no_number(lang, width):
    page = terminal.render(drawings_result(), lang, width, color=False)
    assert max(map(cell_len, page.splitlines())) <= width
    for word in ("48,310", "8.5 %", "27,373", "68.0 %", "6,020", "42.4 %"):
        assert word in page


def test_a_graph_is_a_flowchart_in_markdown_and_a_short_list_in_text():
    result = drawings_result()
    graph = result.views[1]
    assert isinstance(graph, GraphBlock)
    text = markdown.render(result, "en")
    assert f"```mermaid\n{mermaid(graph)}```" in text
    listed = plain.render(result, "en").partition("Where paths go\n")[2].splitlines()
    assert len(listed) <= 12
    assert next(line.split()[:3] for line in listed if "→" in line) == ["→", "home", "5,900"]


def test_sentences_wrap_at_spaces_and_between_wide_characters():
    assert plain.wrapped("one two three", 8) == ["one two", "three"]
    assert plain.wrapped("用户运营,分析", 8) == ["用户运", "营,分析"]
    assert plain.wrapped("unbreakablelongword is", 8) == ["unbreakablelongword", "is"]
    assert plain.wrapped("", 8) == [""]


def test_a_result_without_views_shows_its_rows_and_one_with_too_many_says_so():
    bare = replace(
        rfm_result(), views=(), rows=pl.DataFrame({"user_id": [f"u{i}" for i in range(1200)], "n": range(1200)})
    )
    assert "1,199" in plain.render(bare, "en")
    assert "200 more rows" in terminal.render(bare, "en", 80, color=False)
    assert "700 more rows" in web.page(bare, "en")
    assert len(web.page(bare, "en")) < 200_000


@pytest.mark.parametrize("lang", LANGS)
def test_no_warning_is_lost(lang):
    silent = replace(rfm_result(), views=rfm_result().views[:2])
    warning = silent.provenance.warnings[0](lang)
    for text in (plain.render(silent, lang), web.page(silent, lang), terminal.render(silent, lang, 300, color=False)):
        assert text.count(warning) == 1
    assert plain.render(rfm_result(), lang).count(warning) == 1


def test_an_empty_table_says_that_it_is_empty():
    result = rfm_result()
    table = replace(result.views[1], rows=result.rows.clear())
    empty = replace(result, views=(table, NotesBlock(Text("t", "t"), ())), rows=result.rows.clear())
    for text in (
        plain.render(empty, "en"),
        markdown.render(empty, "en"),
        web.page(empty, "en"),
        terminal.render(empty, "en", 80, color=False),
    ):
        assert "no rows" in text
    assert json.loads(structured.json_text(empty, "en"))["rows"] == []
    for format in FORMATS:
        emitted(empty, format=format)


# --- hostile text -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lang", LANGS)
def test_hostile_text_steers_no_terminal(lang):
    for text in (plain.render(hostile_result(), lang), terminal.render(hostile_result(), lang, 80, color=False)):
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", text)
    colored = terminal.render(hostile_result(), lang, 80, color=True)
    assert "\x1b[31m" not in colored
    assert not re.search("[\x9b\u202e]", colored)


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()
        self.attributes: list[tuple[str, str | None]] = []

    def handle_starttag(self, tag, attrs):
        self.seen.add(tag)
        self.attributes += attrs
        if tag not in ("meta", "link", "br", "rect"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag != "rect":
            assert self.open.pop() == tag, f"</{tag}> closes nothing"


@pytest.mark.parametrize("result", [rfm_result(), periods_result(), hostile_result()])
@pytest.mark.parametrize("lang", LANGS)
def test_pages_are_well_formed_and_hold_no_script_and_no_address(result, lang):
    for text in (web.page(result, lang), web.fragment(result, lang)):
        tags = Tags()
        tags.feed(text)
        assert not tags.open
        assert not tags.seen & {"script", "img", "iframe", "object", "embed", "form"}
        assert not [
            name
            for name, value in tags.attributes
            if name.startswith("on") or (name in ("src", "href") and value != "data:,")
        ]
        assert "http://" not in text
        assert "https://" not in text
        assert "url(" not in text
        assert "@import" not in text
    assert "default-src 'none'; style-src 'unsafe-inline'; img-src data:" in web.page(result, lang)


def test_pages_can_be_heard():
    page = web.page(rfm_result(), "zh")
    assert '<html lang="zh-Hans">' in page
    assert page.count("<table") == page.count("<caption") == 3
    assert page.count("<svg role=") == page.count("<title>") - 1 == 22
    assert page.count("<h1") == 1
    assert re.search(r'<th scope="row">重要价值用户</th>', page)


def test_a_fragment_styles_only_itself():
    style = re.search("<style>(.*?)</style>", web.fragment(rfm_result(), "en"), re.DOTALL)[1]
    for rule in re.findall(r"([^{}]+)\{[^{}]*\}", re.sub(r"@(media|container)[^{]*\{", "", style)):
        assert all(selector.strip().startswith(".userops") for selector in rule.split(","))
    assert rfm_result()._repr_html_() == web.fragment(rfm_result(), "en")
    assert repr(rfm_result()) == plain.render(rfm_result(), "en", 100)


def test_markdown_cells_stay_cells():
    text = markdown.render(hostile_result(), "en")
    assert "<script" not in text
    tables = [table.splitlines() for table in text.split("\n\n") if table.startswith("|")]
    columns = [{len(re.findall(r"(?<!\\)\|", line)) - 1 for line in table} for table in tables]
    assert columns == [{2}, {3}, {6}, {4}, {7}]
    assert markdown.escaped("a|b*c*_d_ user_id <i>") == r"a\|b\*c\*\_d\_ user_id &lt;i&gt;"


# --- what programs read -----------------------------------------------------------------------------------------


def test_the_envelope_is_the_one_promised():
    text = structured.json_text(rfm_result(), "zh")
    envelope = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} in JSON"))
    assert list(envelope) == ["schema", "meta", "summary", "rows", "tables"]
    assert envelope["schema"] == "userops.rfm/1"
    assert list(envelope["meta"]) == [
        "as_of",
        "tz",
        "week_start",
        "inputs",
        "settings",
        "definitions",
        "warnings",
        "version",
    ]
    assert envelope["meta"]["inputs"] == [
        {"name": "orders.parquet", "layout": "canonical", "rows_read": 52310, "rows_used": 51877,
         "rejected": {"missing_user_id": 391, "after_as_of": 42}}
    ]  # fmt: skip
    assert envelope["meta"]["warnings"][0].startswith("频次")
    assert envelope["summary"]["p80_gap_days"] is None
    assert envelope["rows"] == rfm_result().rows.to_dicts()
    assert envelope["tables"]["cuts"][0] == {"measure": "recency_days", "cuts": [14.0, 40.0, 91.0, 210.0]}
    assert "重要价值用户" in text
    assert text.endswith("}\n")
    assert "tables" not in json.loads(structured.json_text(replace(rfm_result(), extras={}), "en"))


def test_hostile_text_survives_json_unchanged():
    envelope = json.loads(structured.json_text(hostile_result(), "en"))
    assert envelope["summary"] == {HOSTILE: HOSTILE, "worst": None, "nested": [{"x": None}]}
    assert envelope["rows"] == [{HOSTILE: HOSTILE, "n": None}, {HOSTILE: None, "n": None}]


def test_every_type_has_a_text_form():
    frame = pl.DataFrame({
        "date": [dt.date(2026, 1, 2), None],
        "time": [dt.datetime(2026, 1, 2, 3, 4, 5), dt.datetime(2026, 1, 2, 3, 4, 5, 250_000)],
        "zoned": pl.Series([dt.datetime(2026, 1, 2), None]).dt.replace_time_zone("Asia/Shanghai"),
        "span": [dt.timedelta(seconds=90), None],
        "money": pl.Series(["12.50", None]).cast(pl.Decimal(12, 2)),
        "big": pl.Series([2**63 + 1, None], dtype=pl.UInt64),
        "tiny": [1e-7, 0.1],
        "label": pl.Series(["a", None], dtype=pl.Categorical),
        "yes": [True, None],
        "list": [["x", "y"], None],
        "struct": [{"a": 1.5, "b": float("nan")}, None],
    })  # fmt: skip
    result = replace(rfm_result(), rows=frame)
    rows = json.loads(structured.json_text(result, "en"))["rows"]
    assert rows[0] == {
        "date": "2026-01-02", "time": "2026-01-02T03:04:05", "zoned": "2026-01-02T00:00:00+08:00", "span": 90.0,
        "money": 12.5,
        "big": 2**63 + 1, "tiny": 1e-7, "label": "a", "yes": True, "list": ["x", "y"], "struct": {"a": 1.5, "b": None},
    }  # fmt: skip
    assert [json.loads(line) for line in structured.ndjson_text(result).splitlines()] == rows
    first, second = csv.DictReader(io.StringIO(emitted(result, format="csv").decode()))
    assert json.loads(first["list"]) == ["x", "y"]
    assert json.loads(first["struct"])["a"] == 1.5
    assert (first["span"], first["big"], first["tiny"]) == ("90.0", str(2**63 + 1), "1e-7")
    assert second["time"] == "2026-01-02T03:04:05.250"
    assert {name for name, cell in second.items() if cell == ""} == set(first) - {"time", "tiny"}


def test_json_does_not_hold_all_rows_at_once(monkeypatch):
    monkeypatch.setattr(structured, "_ROWS_AT_ONCE", 4)
    assert structured.json_text(rfm_result(), "en") == "".join(structured.json_parts(rfm_result(), "en"))
    assert json.loads(structured.json_text(rfm_result(), "en"))["rows"] == rfm_result().rows.to_dicts()
    assert structured.ndjson_text(rfm_result()).count("\n") == 11


def test_delimited_text_is_exact():
    frame = pl.DataFrame(
        {
            "user_id": ["007", "=1+1", "-5", "a,b", "\tx", "＝2", None],
            "n": [1.5, -2.0, float("nan"), float("inf"), 1e16, 0.1, None],
        }
    )
    result = replace(rfm_result(), rows=frame)
    assert (
        emitted(result, format="csv") == 'user_id,n\n007,1.5\n=1+1,-2.0\n-5,\n"a,b",\n\tx,1e+16\n＝2,0.1\n,\n'.encode()
    )
    safe = emitted(result, format="csv", excel_safe=True, bom=True).decode()
    assert safe.startswith("\ufeffuser_id,n\n")
    assert [row[0] for row in csv.reader(io.StringIO(safe))][1:] == ["007", "'=1+1", "'-5", "a,b", "'\tx", "'＝2", ""]
    assert [row[1] for row in csv.reader(io.StringIO(safe))][2] == "-2.0"
    assert emitted(result, format="tsv").splitlines()[0] == b"user_id\tn"
    header = replace(result, rows=frame.rename({"n": "@n"}))
    assert emitted(header, format="csv", excel_safe=True).startswith(b"user_id,'@n\n")


@pytest.mark.parametrize("format", ["parquet", "arrow"])
def test_binary_tables_give_ids_back_in_the_type_they_came_in(format):
    read = {"parquet": pl.read_parquet, "arrow": pl.read_ipc}[format]
    result = replace(rfm_result(), rows=pl.DataFrame({"user_id": ["17850", "7"], "x": [float("nan"), 1.5]}))
    back = read(io.BytesIO(emitted(result, format=format, ids_dtype=pl.Int32())))
    assert back.schema == {"user_id": pl.Int32, "x": pl.Float64}
    assert back.rows() == [(17850, None), (7, 1.5)]
    pseudonyms = replace(result, rows=result.rows.with_columns(user_id=pl.lit("v1:ab")))
    assert (
        read(io.BytesIO(emitted(pseudonyms, format=format, ids_dtype=pl.Int32())))["user_id"].to_list() == ["v1:ab"] * 2
    )


@pytest.mark.parametrize("format", FORMATS)
def test_the_same_result_gives_the_same_bytes(format):
    assert emitted(rfm_result(), format=format) == emitted(rfm_result(), format=format)


def test_large_tables_leave_in_pieces():
    sizes: list[int] = []

    class Counting(io.RawIOBase):
        def writable(self) -> bool:
            return True

        def write(self, data) -> int:
            sizes.append(len(data))
            return len(data)

    frame = pl.select(user_id=pl.int_range(600_000)).with_columns(x=pl.col("user_id") * 1.1)
    for format in ("csv", "parquet", "ndjson", "json"):
        sizes.clear()
        emit(replace(rfm_result(), rows=frame), format=format, stdout=Counting())
        assert max(sizes) < sum(sizes) / 4, format


# --- the door ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("tiers.csv", ("csv", None)),
        ("out.d/Tiers.CSV.GZ", ("csv", "gz")),
        ("a.ndjson.zst", ("ndjson", "zst")),
        ("a.jsonl", ("ndjson", None)),
        ("a.feather", ("arrow", None)),
        ("a.htm", ("html", None)),
        ("a.md", ("markdown", None)),
        ("a.txt", ("table", None)),
    ],
)
def test_a_file_name_says_its_format(path, expected):
    assert format_of(path) == expected


@pytest.mark.parametrize("path", ["tiers", "tiers.xlsx", "tiers.gz", "tiers.parquet.gz", "csv"])
def test_an_unknown_suffix_is_a_usage_error_that_lists_the_known(path):
    with pytest.raises(UsageError) as refusal:
        format_of(path)
    assert ".parquet" in (refusal.value.hint or "")


def test_files_hold_what_stdout_would(tmp_path):
    result = rfm_result()
    for name, format in {
        "a.csv": "csv",
        "a.html": "html",
        "a.parquet": "parquet",
        "a.txt": "table",
        "a.json": "json",
    }.items():
        emit(result, path=str(tmp_path / name), color=True, terminal=True)
        assert (tmp_path / name).read_bytes() == emitted(result, format=format)
    emit(result, path=str(tmp_path / "odd.name"), format="csv")
    assert (tmp_path / "odd.name").read_bytes() == emitted(result, format="csv")
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "a.csv",
        "a.html",
        "a.json",
        "a.parquet",
        "a.txt",
        "odd.name",
    ]


def test_compressed_files_are_the_same_each_time(tmp_path):
    result = rfm_result()
    for suffix, unpack in {"gz": gzip.decompress, "zst": unpack_zstd}.items():
        once, twice = tmp_path / f"once.json.{suffix}", tmp_path / f"twice.json.{suffix}"
        emit(result, path=str(once))
        emit(result, path=str(twice))
        assert once.read_bytes() == twice.read_bytes()
        assert unpack(once.read_bytes()) == emitted(result, format="json")
    emit(result, path=str(tmp_path / "rows.csv.zst"))
    assert unpack_zstd((tmp_path / "rows.csv.zst").read_bytes()) == emitted(result, format="csv")


def unpack_zstd(data: bytes) -> bytes:
    import pyarrow as pa

    return pa.CompressedInputStream(pa.BufferReader(data), "zstd").read()


def test_rows_of_users_are_readable_by_their_owner_only(tmp_path):
    users = replace(rfm_result(), rows=pl.DataFrame({"user_id": ["a"]}))
    emit(users, path=str(tmp_path / "users.csv"))
    emit(rfm_result(), path=str(tmp_path / "tiers.csv"))
    assert (tmp_path / "users.csv").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "tiers.csv").stat().st_mode & 0o777 == 0o666 & ~umask()


def test_a_named_pipe_says_its_format_like_a_file(tmp_path):
    os.mkfifo(tmp_path / "rows.csv")
    emission = threading.Thread(target=emit, args=(rfm_result(),), kwargs={"path": str(tmp_path / "rows.csv")})
    emission.start()
    assert (tmp_path / "rows.csv").read_bytes() == emitted(rfm_result(), format="csv")
    emission.join()


def umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


@pytest.mark.parametrize("format", sorted(BINARY))
def test_no_binary_on_a_terminal(format, tmp_path):
    with pytest.raises(UsageError, match=format):
        emitted(rfm_result(), format=format, terminal=True)
    emit(rfm_result(), format=format, terminal=True, path=str(tmp_path / "x"))
    assert emitted(rfm_result(), format=format)


def test_wrong_formats_stop_before_anything_is_written(tmp_path):
    with pytest.raises(UsageError, match="unknown format 'cvs'") as refusal:
        emitted(rfm_result(), format="cvs")
    assert "csv" in (refusal.value.hint or "")
    with pytest.raises(UsageError):
        emit(rfm_result(), format="parquet", path=str(tmp_path / "a.csv.gz"))
    with pytest.raises(UsageError):
        emit(rfm_result(), path=str(tmp_path / "a.doc"))
    assert not list(tmp_path.iterdir())


def test_stdout_and_devices():
    assert emitted(rfm_result(), path="-") == emitted(rfm_result()) == plain.render(rfm_result(), "en").encode()
    assert (
        emitted(rfm_result(), terminal=True, width=90) == terminal.render(rfm_result(), "en", 90, color=False).encode()
    )
    emit(rfm_result(), path="/dev/null")
    assert emitted(replace(rfm_result(), rows=pl.DataFrame({"x": ["a"]}), command="bad\udcff"), format="json")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
@pytest.mark.parametrize("format", FORMATS)
def test_a_full_disk_behind_stdout_or_a_device_is_one_clear_line(format):
    with pytest.raises(OutputError, match="stdout: no space left"), open("/dev/full", "wb", buffering=0) as full:
        emit(rfm_result(), format=format, stdout=full)
    with pytest.raises(OutputError, match="/dev/full: no space left"):
        emit(rfm_result(), format=format, path="/dev/full")


@pytest.mark.parametrize("format", FORMATS)
def test_a_closed_pipe_stays_a_broken_pipe(format):
    reader, writer = os.pipe()
    os.close(reader)
    with pytest.raises(BrokenPipeError), open(writer, "wb", buffering=0) as pipe:
        emit(rfm_result(), format=format, stdout=pipe)


def test_each_format_loads_only_what_it_needs():
    program = (
        "import sys, userops.outputs as o; early = {'polars', 'rich', 'pyarrow'} & set(sys.modules)\n"
        "sys.path.insert(0, sys.argv[1]); from golden import rfm_result; r = rfm_result()\n"
        "o.emit(r, format='json', path='/dev/null'); o.emit(r, format='parquet', path='/dev/null')\n"
        "print(early, {'rich.console', 'pyarrow', 'numpy'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(Path(__file__).parent)], capture_output=True, text=True, check=True
    )
    assert done.stdout == "set() set()\n"


def test_tabular_passes_other_failures_on():
    class Refusing(io.RawIOBase):
        def writable(self) -> bool:
            return True

        def write(self, data) -> int:
            raise OSError(28, "No space left on device")

    for format in ("csv", "tsv", "parquet", "arrow"):
        with pytest.raises(OSError, match="No space left") as failure:
            tabular.write(rfm_result().rows, format, Refusing())
        assert failure.value.errno == 28
