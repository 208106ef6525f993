"""What leaves the team: nobody in it can be told, and a manifest says what left."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from checkup import checkout, checkup_result
from conftest import Ran
from golden import periods_result, rfm_result
from userops.outputs import manifest, markdown, plain, privacy, sharing, structured, terminal, web
from userops.outputs.personal import by_name, is_bank_card, is_id_card, looks_like, personal_columns
from userops.outputs.small_cells import MARK
from userops.results import (
    Block,
    Card,
    CardsBlock,
    ChartBlock,
    Column,
    FactsBlock,
    FunnelBlock,
    HeatBlock,
    NotesBlock,
    Provenance,
    Result,
    Series,
    StatusBlock,
    TableBlock,
    Text,
)

Userops = Callable[..., Ran]
KEY = b"0123456789abcdef"


def text(words: str) -> Text:
    return Text(words, words)


def no_key() -> bytes:
    raise AssertionError("no key is asked for where there are no ids")


def result(rows: pl.DataFrame, *views: Block, summary: dict[str, Any] | None = None, **extras: pl.DataFrame) -> Result:
    provenance = Provenance("2026-10-31", "UTC", "monday", (), {}, ())
    return Result("rfm", rows, summary or {"users": int(rows["users"].sum())}, provenance, extras, views)


def left(given: Result, least: int | None = 10, *, personal: bool = True) -> tuple[Result, sharing.Left]:
    return sharing.shared(given, least, personal=personal, key=lambda: KEY)


SEGMENTS = pl.DataFrame({"segment": ["a", "b", "c", "d"], "users": [500, 4, 30, 60], "revenue": [9.0, 1.0, 2.0, 3.0]})


# --- personal data -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("11010519491231002X", "id card"),  # the example of GB 11643
        ("11010519491231002x", "id card"),
        ("110105194912310021", None),
        ("13812345678", "mobile"),
        ("+86 138 1234 5678", "mobile"),
        ("call 13812345678 now", "mobile"),
        ("12812345678", None),
        ("213812345678", None),
        ("a.b+c@example.co.uk", "email"),
        ("用户@example.cn", "email"),
        ("a@b", None),
        ("4111 1111 1111 1111", "bank card"),
        ("4111111111111112", None),
        ("6222021234567890128", "bank card"),
        ("6222021234567890127", None),
        ("192.168.1.254", "ip"),
        ("8.2.1", None),
        ("256.1.1.1", None),
        ("2001:db8::1", "ip"),
        ("12:30:59", None),
        ("v1:0123456789abcdef0123456789abcdef", None),
        ("2026-10-31T09:05:00", None),
        ("Champions", None),
        ("", None),
    ],
)
def test_personal_data_is_known_by_its_form(value, kind):
    assert looks_like(value) == kind


def test_check_digits_are_those_of_the_standards():
    assert is_id_card("11010519491231002X")
    assert not is_id_card("11010519491331002X")
    assert is_bank_card("4111111111111111")
    assert sum(is_bank_card(f"411111111111111{digit}") for digit in range(10)) == 1


@pytest.mark.parametrize(
    ("name", "personal"),
    [
        ("phone", True), ("mobilePhone", True), ("user_email", True), ("E-Mail", True), ("手机号", True), ("客户姓名", True),
        ("身份证号码", True), ("name", True), ("first name", True), ("openid", True), ("client_ip", True), ("idfa", True),
        ("segment_name", False), ("event_name", False), ("ship", False), ("recipient_count", False), ("segment", False),
        ("channel", False), ("tel_aviv_users", True), ("users", False), ("address_count", True), ("platform", False),
    ],
)  # fmt: skip
def test_names_promise_personal_data(name, personal):
    assert by_name(name) == personal


def test_columns_that_look_personal_are_found_by_a_sample():
    frame = pl.DataFrame({
        "segment": ["a"] * 4, "contact": ["x", "y", "13812345678", "z"], "number": [13812345678, 1, 2, 3],
        "user_id": ["13812345678"] * 4, "手机": ["1"] * 4, "amount": [1.0] * 4,
    })  # fmt: skip
    found = {one.column: (one.looks_like, one.share) for one in personal_columns(frame)}
    assert found == {"contact": ("mobile", 0.25), "number": ("mobile", 0.25), "手机": ("name of the column", None)}
    late = pl.DataFrame({"x": ["a"] * 1_000 + ["13812345678"]})
    assert personal_columns(late) == []


# --- a result that leaves ----------------------------------------------------------------------------------------


def test_rows_tables_and_pages_hide_the_same():
    table = TableBlock(
        text("Segments"), (Column("segment", text("s")), Column("users", text("n"), "count", bar=True)), SEGMENTS
    )
    shared, told = left(result(SEGMENTS, table))
    assert shared.rows["users"].to_list() == [500, None, None, 60]
    assert shared.views[0].rows["users"].to_list() == [500, None, None, 60]  # type: ignore[union-attr]
    assert MARK not in shared.views[0].rows.columns  # type: ignore[union-attr]
    assert (told.rows, told.cells) == ({"rows": 2}, {"rows": 4})
    for drawn in (plain.render(shared, "en"), markdown.render(shared, "en"), web.page(shared, "en"),
                  terminal.render(shared, "en", 100, color=True)):  # fmt: skip
        assert "cells under 10 users hidden" in drawn
        assert "500" in drawn
    meta = structured.meta(shared, "en")
    assert meta["min_cell"] == 10
    assert meta["suppressed"]["cells"] == {"rows": 4}
    assert meta["pseudonymised"] is False


def test_the_summary_keeps_totals_where_anything_is_hidden():
    summary = {
        "users": 594,
        "revenue": 15.0,
        "lost_users": 4,
        "repeat_rate": 0.5,
        "currency": "EUR",
        "average": [{"x": 1}],
    }
    shared, told = left(result(SEGMENTS, summary=summary))
    assert shared.summary == {
        "users": 594, "revenue": 15.0, "lost_users": None, "repeat_rate": None, "currency": "EUR", "average": None
    }  # fmt: skip
    assert told.summary == ["lost_users", "repeat_rate", "average"]
    many = result(SEGMENTS.filter(pl.col("users") > 10), summary={"users": 590, "repeat_rate": 0.5})
    assert left(many)[0].summary == many.summary
    rare = left(replace(many, summary={**many.summary, "rare_rate": 0.01}))[0]
    assert rare.summary == {"users": 590, "repeat_rate": None, "rare_rate": None}, "0.01 of 590 are 6"


def test_of_few_users_nothing_is_told():
    frame = pl.DataFrame({"segment": ["a"], "users": [5], "revenue": [7.5]})
    facts = FactsBlock(((text("Users"), 5, "count"), (text("Revenue"), 7.5, "money")))
    shared, _ = left(result(frame, facts))
    assert shared.rows.select("users", "revenue").row(0) == (None, None)
    assert shared.summary == {"users": None}
    assert [value for _, value, _ in shared.views[0].facts] == [None, None]  # type: ignore[union-attr]


def test_drawings_nobody_can_judge_stay_at_home():
    days = tuple(f"2026-01-0{day}" for day in range(1, 5))
    rate = ChartBlock(text("Rate a day"), days, (Series(text("r"), (0.5, 0.5, 0.5, 0.5)),), "share")
    known = replace(rate, series=(Series(text("r"), (0.5, 0.5, 0.5, 0.5), (100, 100, 12, 100)),))
    users = ChartBlock(text("Users a day"), days, (Series(text("n"), (50, 3, 60, 40)),))
    wide = FunnelBlock(text("Funnel"), text("Users"), ((text("a"), 100), (text("b"), 60)))
    close = FunnelBlock(text("Close"), text("Users"), ((text("a"), 100), (text("b"), 97)))
    heat = HeatBlock(text("Heat"), text("r"), text("c"), (text("x"), text("y")), (text("0"), text("1")),
                     ((1.0, 0.5), (1.0, 0.04)), "share", text("n"), (100, 100))  # fmt: skip
    shared, told = left(result(SEGMENTS.filter(pl.col("users") > 10), rate, known, users, wide, close, heat))
    titles = [getattr(view, "title", text("")).en for view in shared.views]
    assert titles[:-1] == ["Rate a day", "Users a day", "Funnel", "Heat"]
    assert [title.en for title in told.drawings] == ["Rate a day", "Close"]
    assert shared.views[0].series[0].values == (None, 0.5, None, 0.5)  # type: ignore[union-attr]
    assert shared.views[1].series[0].values == (50, None, 60, None)  # type: ignore[union-attr]
    assert shared.views[3].values[1][1] is None  # type: ignore[union-attr]
    assert shared.views[3].values[0][1] is None, "beside it, or the column's average would tell"  # type: ignore[union-attr]


def test_what_is_piled_up_goes_together_and_no_other_cut_tells_the_main_table():
    days = tuple(f"2026-01-0{day}" for day in range(1, 5))
    growth = ChartBlock(text("Growth"), days, (Series(text("new"), (4, 20, 30, 40)), Series(text("kept"), (50, 60, 70, 80)),
                        Series(text("gone"), (-11, -20, -30, None))), shape="stacked")  # fmt: skip
    heat = HeatBlock(text("Heat"), text("r"), text("c"), (text("x"),), (text("0"), text("1")), ((100, 50),))
    shared, _ = left(result(SEGMENTS.filter(pl.col("users") > 10), growth, heat))
    assert [series.values for series in shared.views[0].series] == [  # type: ignore[union-attr]
        (None, None, 30, 40), (None, None, 70, 80), (None, None, -30, None)
    ]  # fmt: skip
    assert shared.views[1] == heat
    assert not any(isinstance(view, HeatBlock) for view in left(result(SEGMENTS, heat))[0].views)


def test_sentences_that_count_a_few_people_stay_at_home():
    notes = NotesBlock(text("Notes"), (text("3 users bought nothing"), text("1,203 users"), text("2026-01-03 users"),
                       Text("fine", "有 4 个用户未消费"), text("after 7 days"), text("0 users")))  # fmt: skip
    shared, told = left(result(SEGMENTS, notes))
    assert [note.en for note in shared.views[0].notes] == ["1,203 users", "2026-01-03 users", "after 7 days", "0 users"]  # type: ignore[union-attr]
    assert told.sentences == 2


def test_written_numbers_go_with_their_row_and_without_counts_the_table_goes():
    rows = SEGMENTS.with_columns(time=pl.Series(["1.4 min", "2 s", "3 s", "4 s"]), of=pl.Series(["3 / 77"] * 4))
    columns = (Column("segment", text("s")), Column("users", text("n"), "count"), Column("time", text("t")))
    counted = TableBlock(text("Counted"), columns, rows.drop("of"))
    written = TableBlock(text("Written"), (columns[0], Column("of", text("of"))), rows.select("segment", "of"))
    other = TableBlock(text("Other"), (columns[0], Column("of", text("of"))), rows.select("segment", "of").head(2))
    shared, told = left(result(SEGMENTS, counted, written, other))
    assert shared.views[0].rows["time"].to_list() == ["1.4 min", None, None, "4 s"]  # type: ignore[union-attr]
    assert shared.views[1].rows.columns == [*SEGMENTS.columns, MARK], "the main table stands for it"  # type: ignore[union-attr]
    assert [title.en for title in told.drawings] == ["Other"]


def test_ids_are_pseudonyms_everywhere_and_never_called_more():
    users = pl.DataFrame({"user_id": ["b", "a"], "email": ["x@example.com", None], "orders": [1, 2], "users": [1, 1]})
    table = TableBlock(text("Users"), (Column("user_id", text("User")), Column("email", text("Mail"))), users)
    shared, told = left(result(users, table))
    for frame in (shared.rows, shared.views[0].rows):  # type: ignore[union-attr]
        assert set(frame["user_id"]) == {privacy.pseudonym("a", KEY), privacy.pseudonym("b", KEY)}
        assert "email" not in frame.columns
    assert [column.name for column in shared.views[0].columns] == ["user_id"]  # type: ignore[union-attr]
    assert told.columns == {"email": "name of the column"}
    for lang in ("en", "zh"):
        said = plain.render(shared, lang) + structured.json_text(shared, lang) + web.page(shared, lang)  # type: ignore[arg-type]
        assert "anonym" not in said.lower().replace("pseudonym", "")
        assert "匿名" not in said
    assert "假名化" in plain.render(shared, "zh")


def test_without_ids_no_key_is_asked_for():
    sharing.shared(result(SEGMENTS), 10, personal=True, key=no_key)


def test_only_cells_go_where_only_cells_are_asked_for():
    frame = SEGMENTS.with_columns(phone=pl.lit("13812345678"))
    shared, told = left(result(frame), personal=False)
    assert shared.rows["phone"][0] == "13812345678"
    assert shared.rows["users"].to_list() == [500, None, None, 60]
    assert told.columns == {}


def test_settings_do_not_tell_whom_it_was_about():
    of = result(SEGMENTS)
    of = replace(of, provenance=replace(of.provenance, settings={"where": ["user_id=17", "mail=a@example.com", "city=Ulm"],
                                                                "only_users": "vip.csv"}))  # fmt: skip
    assert left(of)[0].provenance.settings == {"where": ["city=Ulm"], "only_users": "vip.csv"}


def test_findings_of_few_leave_no_sentence_behind():
    few = replace(checkout(), id="few", n=7, title=text("Seven of VIP city left at 28.0 %."), segment="city=Ulm")
    given = checkup_result((few, replace(checkout(), chart=None)))
    shared, _ = left(given)
    for lang in ("en", "zh"):
        for drawn in (plain.render(shared, lang), structured.json_text(shared, lang), web.page(shared, lang)):  # type: ignore[arg-type]
            assert "VIP" not in drawn
            assert "8.2" in drawn
    assert shared.rows["id"].to_list() == [checkout().id]
    assert isinstance(shared.views[0], StatusBlock)


def test_findings_on_the_data_count_rows_and_what_moved_with_others_rests_on_nobody_knows_whom():
    data = replace(checkout(), id="dq", area="data", title=text("30 rows are copies."), value=0.001, n=30, chart=None)
    shared, told = left(checkup_result((data, checkout())))
    assert set(shared.rows["id"]) == {"dq", checkout().id}
    moved = replace(checkout(), also=(text("pay of channel=email: 79.3 % → 8.3 %"), text("fewer came")))
    shared, told = left(checkup_result((moved,)))
    assert shared.rows["also"].to_list() == [["fewer came"]]
    assert "79.3" not in plain.render(shared, "en")
    assert told.sentences == 1
    head = next(view for view in shared.views if isinstance(view, FactsBlock))
    assert head.facts[0][1] == 1, "findings are no people"


def test_a_card_without_known_bases_leaves_without_its_chart():
    chart = ChartBlock(text("Rate"), ("1", "2"), (Series(text("r"), (0.5, 0.4)),), "share")
    card = Card(
        "warn", text("b"), text("It fell."), ((text("Counted"), 900, "count"), (text("Now"), 0.3, "share")), (), chart
    )
    rare = replace(card, facts=((text("Counted"), 900, "count"), (text("Now"), 0.003, "share")), chart=None)
    shared, _ = left(result(SEGMENTS, CardsBlock(text("c"), (card, rare))))
    kept = shared.views[0].cards  # type: ignore[union-attr]
    assert kept[0].chart is None
    assert kept[0].facts == card.facts
    assert [value for _, value, _ in kept[1].facts] == [None, None]


def test_the_same_leaves_of_the_same():
    first, second = (left(checkup_result())[0] for _ in range(2))
    assert structured.json_text(first, "en") == structured.json_text(second, "en")
    for made in (rfm_result, periods_result):
        assert left(made())[0].provenance.facts == left(made())[0].provenance.facts


# --- the manifest ------------------------------------------------------------------------------------------------


def test_the_manifest_says_what_left(tmp_path):
    (tmp_path / "in.csv").write_text("a\n1\n")
    shared, told = left(result(SEGMENTS, cuts=SEGMENTS))
    said = json.loads(
        manifest.text(shared, told, [str(tmp_path / "in.csv"), "-", str(tmp_path)], "/x/out.json", "json")
    )
    assert said["inputs"][0] == {"name": "in.csv", "bytes": 4, "sha256": hashlib.sha256(b"a\n1\n").hexdigest()}
    assert [entry["name"] for entry in said["inputs"]] == ["in.csv", "stdin"]
    assert (said["output"], said["rows"], said["min_cell"], said["pseudonymised"]) == ("out.json", 4, 10, False)
    assert said["columns"] == [*SEGMENTS.columns, MARK]
    assert list(said["tables"]) == ["cuts"]
    assert str(tmp_path) not in json.dumps(said)


def test_large_inputs_are_known_by_their_size(tmp_path, monkeypatch):
    monkeypatch.setattr(manifest, "HASHED_UP_TO", 3)
    (tmp_path / "in.csv").write_text("a\n1\n")
    shared, told = left(result(SEGMENTS))
    said = json.loads(manifest.text(shared, told, [str(tmp_path / "in.csv")], "out.csv", "csv"))
    assert said["inputs"] == [{"name": "in.csv", "bytes": 4, "sha256": None}]


# --- on the command line -----------------------------------------------------------------------------------------


@pytest.fixture
def orders(tmp_path: Path) -> Path:
    """Sixty customers of two cities, three of them in a third."""
    lines = ["user_id,ordered_at,amount,city"]
    for user in range(60):
        city = "Ulm" if user < 3 else ("Bonn", "=Kiel")[user % 2]
        lines += [
            f"u{user:02},2026-{1 + order:02}-{1 + user % 28:02},{10 + user},{city}" for order in range(1 + user % 4)
        ]
    path = tmp_path / "orders.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_a_shared_file_has_its_manifest_beside_it(userops: Userops, orders: Path) -> None:
    ran = userops("rfm", orders, "--by", "city", "--share", "-o", "out.json")
    assert ran.code == 0, ran.err
    said = json.loads(Path("out.json").read_text(encoding="utf-8"))
    assert said["meta"]["min_cell"] == 10
    for rows in (said["rows"], *said.get("tables", {}).values()):
        for row in rows:
            for name in ("users", "mature_users"):
                assert row.get(name) is None or row[name] == 0 or row[name] >= 10
    told = json.loads(Path("out.json.manifest.json").read_text(encoding="utf-8"))
    assert told["suppressed"] == said["meta"]["suppressed"]
    assert told["inputs"][0]["sha256"] == hashlib.sha256(orders.read_bytes()).hexdigest()
    assert told["format"] == "json"
    before = Path("out.json.manifest.json").read_bytes()
    assert userops("rfm", orders, "--by", "city", "--share", "-o", "out.json").code == 0
    assert Path("out.json.manifest.json").read_bytes() == before


def test_ids_that_leave_need_a_key(userops: Userops, orders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran = userops("rfm", orders, "--per-user", "--share", "--csv")
    assert (ran.code, ran.out) == (2, "")
    assert "pseudonyms need a key" in ran.err
    monkeypatch.setenv(privacy.KEY_VARIABLE, "0123456789abcdef")
    ran = userops("rfm", orders, "--per-user", "--share", "--csv")
    assert ran.code == 0, ran.err
    ids = [row["user_id"] for row in csv.DictReader(io.StringIO(ran.out))]
    assert len(ids) == 60
    assert all(one.startswith("v1:") for one in ids)


def test_cells_alone_can_be_hidden(userops: Userops, orders: Path) -> None:
    ran = userops("rfm", orders, "--min-cell", "20", "--json", "-q")
    said = json.loads(ran.out)
    assert said["meta"]["min_cell"] == 20
    assert all(row["users"] in (None, 0) or row["users"] >= 20 for row in said["rows"])
    assert not list(Path().glob("*.manifest.json"))
    plain_run = json.loads(userops("rfm", orders, "--json", "-q").out)
    assert "min_cell" not in plain_run["meta"]
    assert MARK not in plain_run["rows"][0]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--min-cell", "1"), "2 or more"),
        (("--share", "--rejects", "r.csv"), "--rejects and --share"),
        (("--share", "--key-file", "none.key"), "none.key"),
    ],
)
def test_what_cannot_be_shared(userops: Userops, orders: Path, options: tuple[str, ...], words: str) -> None:
    ran = userops("rfm", orders, *options)
    assert ran.code == 2
    assert words in ran.err


def test_shared_csv_runs_no_formula(userops: Userops, orders: Path) -> None:
    ran = userops("retention", orders, "--by", "city", "--share", "--csv", "--min-cell", "2")
    assert ran.code == 0, ran.err
    assert "'=Kiel" in ran.out
    assert "\n=Kiel" not in ran.out


@pytest.mark.parametrize(
    "line",
    [
        "rfm SHOP/orders.parquet --by channel", "rfm SHOP/orders.parquet --per-user", "retention SHOP/events.parquet --period week",
        "activity SHOP/events.parquet --by event", "growth SHOP/orders.csv --period month", "lifecycle SHOP/orders.csv",
        "lifecycle SHOP/orders.csv --transitions-from 2025-03-31", "paths SHOP/events.parquet", "ltv SHOP/orders.parquet",
        "funnel SHOP/events.parquet --steps visit,view_item,add_to_cart,purchase --by platform",
        "aarrr SHOP/events.parquet SHOP/orders.parquet", "audit SHOP/orders.parquet", "inspect SHOP/users.parquet",
        "diagnose SHOP/orders.parquet SHOP/events.parquet",
    ],
)  # fmt: skip
def test_every_analysis_leaves_without_a_small_cell(
    line: str, userops: Userops, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(privacy.KEY_VARIABLE, "0123456789abcdef")
    ran = userops(*line.replace("SHOP", str(shop)).split(), "--share", "--json", "-q", "-o", "out.json")
    assert (ran.code, ran.err) == (0, "")
    found = json.loads(Path("out.json").read_text(encoding="utf-8"))
    for rows in (found["rows"], *found.get("tables", {}).values()):
        for row in rows:
            if "user_id" in row:
                assert row["user_id"].startswith("v1:")
                continue
            for name, value in row.items():
                if name in PEOPLE or name.endswith("_users"):
                    assert value is None or value == 0 or value >= 10, (name, row)
    told = json.loads(Path("out.json.manifest.json").read_text(encoding="utf-8"))
    assert told["suppressed"] == found["meta"]["suppressed"]
    page = userops(*line.replace("SHOP", str(shop)).split(), "--share", "-q", "--format", "html")
    assert page.code == 0, page.err
    assert "cells under 10 users hidden" in page.out


PEOPLE = ("users", "dau", "wau", "mau", "new", "retained", "resurrected", "churned", "dropped", "active")
