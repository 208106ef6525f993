"""What userops sees in a file: kind, roles, nulls, users, first and last, and what is to be done about it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl
import pytest

from userops.inputs import inspecting
from userops.inputs.loading import Scratch, open_tables
from userops.inputs.mapping import ReadOptions
from userops.results import Result

Inspect = Callable[..., Result]


@pytest.fixture
def inspect(tmp_path: Path) -> Iterator[Inspect]:
    with Scratch() as scratch:

        def look(*texts: str, **options: object) -> Result:
            paths = [tmp_path / f"{number}.csv" for number, _ in enumerate(texts)]
            for path, text in zip(paths, texts, strict=True):
                path.write_text(text, encoding="utf-8")
            tables = open_tables([str(path) for path in paths], scratch=scratch)
            return inspecting.inspect(tables, ReadOptions(**options))  # type: ignore[arg-type] # a few of its fields

        yield look


def roles(result: Result) -> dict[str, str | None]:
    return dict(result.rows.select("column", "role").iter_rows())


def test_orders(inspect: Inspect) -> None:
    found = inspect("客户编号,下单时间,实付金额,len\nu1,2026-01-02,5,\nu2,2026-01-04 10:00:00,6,x\n,2026-01-05,7,y\n")
    assert roles(found) == {"客户编号": "user_id", "下单时间": "ordered_at", "实付金额": "amount", "len": None}
    assert dict(found.rows.select("column", "nulls").iter_rows()) == {
        "客户编号": 1,
        "下单时间": 0,
        "实付金额": 0,
        "len": 1,
    }
    assert found.summary == {
        "kind": "orders", "layout": "generic", "rows": 3, "users": 2,
        "first": "2026-01-02T00:00:00", "last": "2026-01-04T10:00:00",
    }  # fmt: skip
    (report,) = found.provenance.inputs
    assert (report.rows_read, report.rows_used, report.rejected) == (3, 2, {"missing_user_id": 1})


def test_a_user_of_several_files_is_one(inspect: Inspect) -> None:
    events = "user_id,event,time\nu1,view,2026-01-02 08:00:00\n{},buy,2026-01-03 09:00:00\n"
    found = inspect(events.format("u2"), events.format("u3"))
    assert (found.summary["kind"], found.summary["rows"], found.summary["users"]) == ("events", 4, 3)


def test_events_and_users_are_looked_at_by_kind(inspect: Inspect) -> None:
    events = "user_id,event,time\nu1,view,2026-01-02 08:00:00\nu1,buy,2026-01-03 09:00:00\nu2,view,never\n"
    one = inspect(events)
    assert (one.summary["kind"], one.summary["users"], one.summary["last"]) == ("events", 1, "2026-01-03T09:00:00")
    assert one.provenance.inputs[0].rejected == {"unreadable_time": 1}
    both = inspect(events, "user_id,signed_up_at,country\nu1,2025-12-31,DE\n")
    assert both.summary["kind"] == "mixed"
    assert both.summary["first"] == "2025-12-31T00:00:00"
    assert both.rows["file"].n_unique() == 2
    assert [report.rows_read for report in both.provenance.inputs] == [3, 1]


@pytest.mark.parametrize(
    ("text", "kind", "users"),
    [
        ("date,channel,spend\n2026-01-01,ads,5\n", "costs", None),
        ("referrer_id,invited_at,user_id\nu1,2026-01-01,\nu1,2026-01-01,u2\n", "referrals", 1),
        ("user_id,time,score,text\nu1,2026-01-01,9,fine\n,2026-01-01,3,\n", "feedback", 1),
    ],
)
def test_what_stands_beside_events_and_orders(inspect: Inspect, text: str, kind: str, users: int | None) -> None:
    found = inspect(text)
    assert (found.summary["kind"], found.summary["users"]) == (kind, users)
    assert (found.summary["first"], found.provenance.warnings) == ("2026-01-01T00:00:00", ())
    assert found.provenance.inputs[0].rows_used == found.summary["rows"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a,b\n1,2\n", "no column names a user"),
        ("user_id,ordered_at,amount\nu1,01/02/2026,5\n", "--day-first"),
        ("user_id,ordered_at,total,revenue\nu1,2026-01-01,5,6\n", "could each be amount"),
    ],
)
def test_what_is_no_use_yet_is_a_warning_that_says_what_to_do(inspect: Inspect, text: str, said: str) -> None:
    found = inspect(text)
    assert found.summary["rows"] == text.count("\n") - 1
    assert said in found.provenance.warnings[0].en


def test_types_read_as_people_write_them(tmp_path: Path) -> None:
    frame = pl.DataFrame({"user_id": ["u"], "ordered_at": ["2026-01-01 00:00:00"], "amount": [1.0]})
    zoned = pl.col("ordered_at").str.to_datetime(time_unit="us").dt.replace_time_zone("Asia/Shanghai")
    frame.with_columns(zoned).write_parquet(tmp_path / "o.parquet")
    with Scratch() as scratch:
        found = inspecting.inspect(open_tables([str(tmp_path / "o.parquet")], scratch=scratch), ReadOptions())
    assert dict(found.rows.select("column", "dtype").iter_rows())["ordered_at"] == "Datetime[us, Asia/Shanghai]"


def test_fields_that_play_a_role_have_a_line_below_their_column(tmp_path: Path) -> None:
    row = '{"event":"view","properties":{"distinct_id":"u1","time":1767355200,"$insert_id":"i","tags":["a"]}}\n'
    (tmp_path / "m.ndjson").write_text(row * 2, encoding="utf-8")
    with Scratch() as scratch:
        found = inspecting.inspect(open_tables([str(tmp_path / "m.ndjson")], scratch=scratch), ReadOptions())
    assert found.rows.select("column", "role", "dtype", "nulls").rows() == [
        ("event", "event", "String", 0),
        ("properties", None, "Struct[4]", 0),
        ("properties.distinct_id", "user_id", "String", None),
        ("properties.time", "time", "Int64", None),
        ("properties.$insert_id", "event_id", "String", None),
    ]
    assert found.rows["example"][2] == "u1"
    (report,) = found.provenance.inputs
    assert report.rejected == {"duplicate_event": 1}


def test_users(inspect: Inspect) -> None:
    found = inspect("user_id,signed_up_at\nu1,2026-01-02\nu1,2026-01-02\nu2,soon\n,2026-01-01\n")
    assert (found.summary["kind"], found.summary["users"], found.summary["first"]) == (
        "users",
        2,
        "2026-01-02T00:00:00",
    )
    assert found.provenance.inputs[0].rejected == {"missing_user_id": 1}
    assert found.provenance.warnings == ()
