"""Tables become canonical events: every export in its own form, copies, late rows, identities, what lies inside columns."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from rawtable import binary, text
from userops import frames, partition
from userops.errors import InputError, UsageError
from userops.inputs.events import to_events
from userops.inputs.identities import Identities, read_identities
from userops.inputs.loading import Scratch, open_tables
from userops.inputs.mapping import ReadOptions, kind_of
from userops.inputs.orders import to_orders
from userops.inputs.raw import RawTable

Row = dict[str, Any]
Open = Callable[..., RawTable]


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Open]:
    """Opens a file of the given content as the command line would."""
    with Scratch() as scratch:

        def opened(name: str, content: str | Sequence[Row]) -> RawTable:
            rows = content if isinstance(content, str) else "".join(f"{json.dumps(row)}\n" for row in content)
            (tmp_path / name).write_text(rows, encoding="utf-8")
            return open_tables([str(tmp_path / name)], scratch=scratch)[0]

        yield opened


def events(*tables: RawTable, **options: Any) -> frames.Events:
    return to_events(tables, ReadOptions(**options))


def good(found: frames.Events, *columns: str) -> list[tuple[Any, ...]]:
    """Who did what and when (UTC) of the rows that count, and further columns, by time."""
    return frames.good(found.rows).select("user_id", "event", "time", *columns).sort("time", "user_id").collect().rows()


def reasons(found: frames.Table) -> list[str]:
    return [frames.REASONS[code] for code in found.rows.collect()["reject"]]


NOON = datetime(2026, 1, 2, 12)
NOON_S = 1767355200
PLAIN = "user_id,event,time\n"


class TestPlainEvents:
    def test_a_clean_file(self) -> None:
        found = events(text(PLAIN + "u1,view,2026-01-02 12:00:00\n"))
        assert found.rows.collect().columns == ["user_id", "event", "time", "instant", "reject"]
        assert good(found, "instant") == [("u1", "view", NOON, NOON)]
        assert (found.has_amount, found.has_currency, found.has_ingested_at, found.notes) == (False, False, False, ())

    def test_every_reason_and_the_first_wins(self) -> None:
        rows = [
            ("u1,view,2026-01-02", "ok"), (",,x", "missing_user_id"), ("guest,,x", "placeholder_user_id"), ("u1,,", "missing_time"),
            ("u1,,soon", "unreadable_time"), ("u1,,2026-03-08 02:30", "nonexistent_time"), ("u1,  ,2026-01-02", "missing_event"),
            ("u1,buy,2026-01-02", "filtered_out"), ("u2,view,2026-01-02", "not_in_user_list"), ("u1,view,2026-06-02", "after_as_of"),
            ("u1,view,2026-01-02", "duplicate_row"),
        ]  # fmt: skip
        found = events(
            text(PLAIN + "\n".join(row for row, _ in rows)),
            tz="America/New_York",
            as_of=date(2026, 6, 1),
            where=("event=view",),
            only_users=pl.DataFrame({"user_id": ["u1"]}),
            drop_duplicates=True,
        )
        assert reasons(found) == [reason for _, reason in rows]
        assert found.raw.collect()["reject"].to_list() == found.rows.collect()["reject"].to_list()

    def test_synonyms_and_columns_by_hand(self) -> None:
        found = events(text("uid,action,ts,Weg\nu1,view,2026-01-02 12:00,web\n"), keep=("Weg",))
        assert good(found, "Weg") == [("u1", "view", NOON, "web")]
        assert events(
            text("wer,was,wann\nu1,view,2026-01-02\n"), mapping={"user_id": "wer", "event": "was", "time": "wann"}
        )
        with pytest.raises(InputError) as error:
            events(text("uid,ts\nu1,2026-01-02\n"))
        assert error.value.code == "E_COLUMN_MISSING"

    def test_events_of_other_types_are_text(self) -> None:
        frame = pl.DataFrame({"user_id": [7], "event": [3], "time": [NOON]})
        kinds = [frame, frame.with_columns(pl.col("event").cast(pl.String).cast(pl.Categorical))]
        assert [good(events(binary(kind))) for kind in kinds] == [[(7, "3", NOON)]] * 2

    def test_money_is_there_when_asked_for_and_rejects_nothing(self) -> None:
        table = text(
            "user_id,event,time,amount,currency\nu1,buy,2026-01-02,1.10,eur\nu1,view,2026-01-03,,\nu1,buy,2026-01-04,x,eur\n"
        )
        assert not events(table).has_amount
        found = events(table, keep=("amount",))
        assert (found.has_amount, found.has_currency) == (True, True)
        assert [row[3:] for row in good(found, "amount", "currency")] == [(11_000, "EUR"), (None, None), (None, "EUR")]
        assert reasons(events(table, where=("amount>1",))) == ["ok", "filtered_out", "filtered_out"]

    def test_a_clean_binary_file_gets_no_more_work_than_it_needs(self) -> None:
        schema = {
            "user_id": pl.String,
            "event": pl.String,
            "time": pl.Datetime("us"),
            "amount": pl.Float64,
            "x": pl.String,
        }
        plan = events(binary(pl.DataFrame(schema=schema))).rows.explain()
        assert "python" not in plan.lower()
        assert "strip_chars" not in plan
        assert "3/5 COLUMNS" in plan

    def test_several_files(self) -> None:
        one = binary(
            pl.DataFrame({"user_id": [7], "event": ["view"], "time": [NOON], "received_at": [NOON]}), "a.parquet"
        )
        two = text("customer_id,event_name,timestamp\n7,buy,2026-01-03\n", "b.csv")
        found = events(one, two)
        assert good(found, "source") == [("7", "view", NOON, 0), ("7", "buy", datetime(2026, 1, 3), 1)]
        assert not found.has_ingested_at


class TestInstants:
    def test_an_hour_that_exists_twice_stays_an_hour_apart(self) -> None:
        """Golden case R06: 01:30 twice on 2024-11-03 in New York."""
        moments = ["2024-11-03T05:30:00Z", "2024-11-03T06:30:00Z"]
        parsed = pl.Series(moments).str.to_datetime(time_unit="us", time_zone="UTC")
        tables = [
            text(PLAIN + f"u,a,{moments[0]}\nu,b,{moments[1]}\n"),
            binary(pl.DataFrame({"user_id": ["u", "u"], "event": ["a", "b"], "time": parsed})),
            binary(pl.DataFrame({"user_id": ["u", "u"], "event": ["a", "b"], "time": parsed.dt.epoch("s")})),
            binary(
                pl.DataFrame(
                    {"user_id": ["u", "u"], "event": ["a", "b"], "time": parsed.dt.convert_time_zone("Asia/Tokyo")}
                )
            ),
        ]
        for table in tables:
            found = events(table, tz="America/New_York")
            rows = found.rows.sort("instant").collect()
            assert rows["time"].to_list() == [datetime(2024, 11, 3, 1, 30)] * 2
            assert rows["event"].to_list() == ["a", "b"]
            assert rows["instant"].diff().dt.total_seconds().to_list() == [None, 3600]

    def test_a_naive_time_is_the_earlier_one(self) -> None:
        found = events(text(PLAIN + "u,a,2024-11-03 01:30\n"), tz="America/New_York")
        assert good(found, "instant") == [("u", "a", datetime(2024, 11, 3, 1, 30), datetime(2024, 11, 3, 5, 30))]
        assert found.wall_zone == "America/New_York"

    def test_times_that_tell_the_moment_are_not_taken_for_the_earlier_one(self) -> None:
        assert events(text(PLAIN + "u,a,2024-11-03T05:30:00Z\n"), tz="America/New_York").wall_zone is None
        assert events(text(PLAIN + f"u,a,{NOON_S}\n"), tz="America/New_York").wall_zone == "America/New_York"
        frame = pl.DataFrame({"user_id": ["u"], "event": ["a"], "time": [NOON_S]})
        assert events(binary(frame), tz="America/New_York").wall_zone is None

    def test_a_day_whose_midnight_was_skipped_begins_later(self) -> None:
        frame = pl.DataFrame({"user_id": ["u"], "event": ["a"], "time": [date(2018, 11, 4)]})
        found = events(binary(frame), tz="America/Sao_Paulo")
        assert good(found, "instant") == [("u", "a", datetime(2018, 11, 4), datetime(2018, 11, 4, 3))]

    def test_it_costs_nothing_where_nobody_looks(self) -> None:
        schema = {"user_id": pl.String, "event": pl.String, "time": pl.Datetime("us", "UTC")}
        rows = events(binary(pl.DataFrame(schema=schema)), tz="Asia/Shanghai").rows
        assert "instant" not in rows.select("user_id", "time", "reject").explain()
        assert "instant" in rows.select("instant").explain()

    def test_orders_have_it_too(self) -> None:
        table = text("user_id,ordered_at,amount\nu,2026-01-02T04:00:00Z,1\n")
        rows = to_orders([table], ReadOptions(tz="Asia/Shanghai")).rows.collect()
        assert rows.select("ordered_at", "instant").row(0) == (NOON, datetime(2026, 1, 2, 4))


def ga4(user: str | None, n: int, **params: Any) -> Row:
    kinds = {str: "string_value", int: "int_value"}
    values = [
        {"key": k, "value": {"string_value": None, "int_value": None, kinds[type(v)]: v}} for k, v in params.items()
    ]
    return {
        "event_date": "20260102", "event_timestamp": (NOON_S + n) * 1_000_000, "event_name": "page_view", "event_params": values,
        "user_id": user, "user_pseudo_id": "1.2", "ecommerce": {"purchase_revenue": 9.5, "transaction_id": "t1"},
        "traffic_source": {"medium": "cpc"}, "items": [{"item_id": "i1"}],
    }  # fmt: skip


class TestExports:
    def test_ga4(self, file: Open) -> None:
        table = file("ga4.jsonl", [ga4(None, 0, page_location="/a", ga_session_id=7), ga4("u1", 1, page_location="/b")])
        found = events(table, keep=("event_params.page_location", "event_params.ga_session_id", "amount", "channel"))
        assert found.sources[0].layout == "ga4-bigquery"
        assert good(found, "event_params.page_location", "event_params.ga_session_id", "amount", "channel") == [
            ("1.2", "page_view", NOON, "/a", "7", 95_000, "cpc"),
            ("u1", "page_view", datetime(2026, 1, 2, 12, 0, 1), "/b", None, 95_000, "cpc"),
        ]
        assert reasons(events(table, where=("event_params.page_location=/b",))) == ["filtered_out", "ok"]
        assert reasons(events(table, where=("event_params.ga_session_id>5",))) == ["ok", "filtered_out"]
        assert reasons(events(table, drop_duplicates=True)) == ["ok", "ok"]

    def test_amplitude(self, file: Open) -> None:
        row = {
            "amplitude_id": 5, "user_id": None, "event_type": "view", "event_time": "2026-01-02 12:00:00.000000", "uuid": "x1",
            "$insert_id": "i1", "server_upload_time": "2026-01-02 12:00:09.000000", "session_id": 1767355200000,
            "event_properties": {"page": "/a"}, "user_properties": {},
        }  # fmt: skip
        again = row | {"uuid": "x2", "server_upload_time": "2026-01-02 13:00:00.000000"}
        other = row | {"$insert_id": None, "user_id": "u1", "event_time": "2026-01-02 12:00:01.000000"}
        table = file("a.json", [row, again, other])
        found = events(table, keep=("session_id", "event_properties.page"))
        assert found.sources[0].layout == "amplitude-export"
        assert reasons(found).count("duplicate_event") == 1
        assert good(found, "session_id", "event_properties.page") == [
            ("5", "view", NOON, 1767355200000, "/a"),
            ("u1", "view", datetime(2026, 1, 2, 12, 0, 1), 1767355200000, "/a"),
        ]

    @pytest.mark.parametrize("unit", [1, 1000])
    def test_mixpanel(self, file: Open, unit: int) -> None:
        def row(event: str, user: str, at: int, insert: str | None) -> Row:
            return {
                "event": event,
                "properties": {"distinct_id": user, "time": at * unit, "$insert_id": insert, "$os": "iOS"},
            }

        table = file("m.ndjson", [
            row("view", "u1", NOON_S, "i"), row("view", "u1", NOON_S, "i"), row("buy", "u1", NOON_S, "i"),
            row("view", "u2", NOON_S, "i"), row("view", "u1", NOON_S, None), row("view", "u1", NOON_S, None),
        ])  # fmt: skip
        found = events(table, where=("properties.$os=iOS",))
        assert found.sources[0].layout == "mixpanel-export"
        assert reasons(found) == ["ok", "duplicate_event", "ok", "ok", "ok", "ok"]
        assert set(good(found)) == {("u1", "buy", NOON), ("u1", "view", NOON), ("u2", "view", NOON)}

    def test_segment(self) -> None:
        header = "id,anonymous_id,user_id,event,event_text,received_at,sent_at,timestamp\n"
        rows = (
            "e1,a1,,order_completed,Order Completed,2026-01-02 12:00:05,2026-01-02 12:00:04,2026-01-02 12:00:00\n"
            "e1,a1,,order_completed,Order Completed,2026-01-02 12:30:05,2026-01-02 12:00:04,2026-01-02 12:00:00\n"
            "e2,a1,u1,product_viewed,,2026-01-02 12:00:05,2026-01-02 12:00:04,2026-01-02 12:01:00\n"
        )
        found = events(text(header + rows), tz="Asia/Shanghai")
        assert [row[:2] for row in good(found)] == [("a1", "Order Completed"), ("u1", "product_viewed")]
        assert good(found, "instant")[0][2:] == (datetime(2026, 1, 2, 20), NOON)
        assert found.has_ingested_at
        assert frames.good(found.rows).sort("time").collect()["ingested_at"][0].hour == 20
        assert sorted(reasons(found)) == ["duplicate_event", "ok", "ok"]

    @pytest.mark.parametrize("as_text", [True, False])
    def test_posthog(self, file: Open, tmp_path: Path, as_text: bool) -> None:
        row: Row = {
            "uuid": "0191-1", "event": "$pageview", "distinct_id": "d1", "person_id": "p1", "timestamp": "2026-01-02T12:00:00Z",
            "_inserted_at": "2026-01-02T12:05:00Z", "properties": {"$browser": "Chrome", "$set": {"plan": "pro"}},
        }  # fmt: skip
        rows = [
            row,
            row,
            row | {"uuid": "0191-2", "person_id": None, "properties": {"$browser": "Safari", "$set": {"plan": None}}},
        ]
        table = file("p.jsonl", rows)
        if as_text:
            packed = pl.DataFrame([r | {"properties": json.dumps(r["properties"])} for r in rows])
            table = binary(
                packed.with_columns(
                    pl.col("timestamp", "_inserted_at").str.to_datetime(time_unit="us", time_zone="UTC")
                )
            )
        found = events(table, keep=("properties.$browser", "properties.$set.plan"))
        assert found.sources[0].layout == "posthog-batch"
        assert good(found, "properties.$browser", "properties.$set.plan") == [
            ("d1", "$pageview", NOON, "Safari", None),
            ("p1", "$pageview", NOON, "Chrome", "pro"),
        ]
        assert reasons(events(table, where=("properties.$browser=Safari",))) == ["filtered_out", "filtered_out", "ok"]

    def test_sensors_log(self, file: Open) -> None:
        row: Row = {
            "distinct_id": "d1", "time": NOON_S * 1000 + 5, "type": "track", "event": "BuyGold", "properties": {"$app_version": "1.3"},
            "identities": {"$identity_login_id": "u1"}, "project": "default",
        }  # fmt: skip
        profile = {"distinct_id": "d1", "time": NOON_S * 1000, "type": "profile_set", "properties": {"Age": 33}}
        found = events(file("s.log", [row, profile, row | {"login_id": "L1"}, row | {"identities": None}]))
        assert found.sources[0].layout == "sensors-log"
        assert reasons(found) == ["ok", "not_an_event", "ok", "ok"]
        assert [row[0] for row in good(found)] == ["L1", "d1", "u1"]
        assert good(found)[0][2] == datetime(2026, 1, 2, 12, 0, 0, 5_000)

    def test_sensors_events(self) -> None:
        header = "event,user_id,distinct_id,date,time,$receive_time,$os\n"
        found = events(
            text(header + f"view,-88,d1,2026-01-02,2026-01-02 12:00:00.123,{NOON_S * 1000},iOS\n"), keep=("$os",)
        )
        assert found.sources[0].layout == "sensors-events"
        assert good(found, "$os", "ingested_at") == [
            ("-88", "view", datetime(2026, 1, 2, 12, 0, 0, 123_000), "iOS", NOON)
        ]

    def test_rees46(self) -> None:
        header = "event_time,event_type,product_id,category_id,category_code,brand,price,user_id,user_session\n"
        row = "2026-01-02 12:00:00 UTC,view,1004775,2053013555631882655,electronics.smartphone,xiaomi,183.27,535871217,c6bd7419\n"
        found = events(text(header + row + row), keep=("item_id", "session_id", "amount", "brand"))
        assert found.sources[0].layout == "rees46-events"
        wanted = ("535871217", "view", NOON, "1004775", "c6bd7419", 1_832_700, "xiaomi")
        assert good(found, "item_id", "session_id", "amount", "brand") == [wanted] * 2

    def test_retailrocket(self) -> None:
        found = events(
            text(f"timestamp,visitorid,event,itemid,transactionid\n{NOON_S * 1000},257597,transaction,355908,4000\n")
        )
        assert found.sources[0].layout == "retailrocket"
        assert good(found) == [("257597", "transaction", NOON)]

    def test_taobao(self) -> None:
        rows = "".join(f"1,2268318,2520377,{word},{NOON_S}\n" for word in ("pv", "buy", "cart", "fav"))
        found = events(text(rows, headerless=True), keep=("item_id", "category_id"))
        assert found.sources[0].layout == "taobao-userbehavior"
        assert [row[1] for row in good(found)] == ["view", "purchase", "cart", "favourite"]
        assert good(found, "item_id", "category_id")[0][3:] == ("2268318", "2520377")
        assert "Asia/Shanghai" in found.notes[0].en
        assert events(text(rows, headerless=True), tz="Asia/Shanghai").notes == ()
        assert reasons(events(text(rows, headerless=True), where=("event=purchase",))).count("ok") == 1


class TestInsideColumns:
    def test_text_that_is_no_json_is_not_looked_into(self) -> None:
        table = text("user_id,event,time,city\nu,a,2026-01-02,Berlin\n")
        with pytest.raises(InputError) as error:
            events(table, keep=("city.name",))
        assert error.value.code == "E_COLUMN_UNKNOWN"

    def test_json_in_a_text_file(self) -> None:
        table = text(
            'user_id,event,time,props\nu,a,2026-01-02,"{""n"": 5, ""a b"": ""x""}"\nu,a,2026-01-03,\nu,a,2026-01-04,{oops\n'
        )
        rows = good(events(table, keep=("props.n", "props.a b")), "props.n", "props.a b")
        assert [row[3:] for row in rows] == [("5", "x"), (None, None), (None, None)]


class TestCopies:
    def test_what_was_sent_twice_counts_once(self) -> None:
        """Golden case F11: A, B, B again."""
        rows = "u,A,2026-01-02 12:00,i1\nu,B,2026-01-02 12:01,i2\nu,B,2026-01-02 12:01,i2\n"
        assert sorted(reasons(events(text("user_id,event,time,insert_id\n" + rows)))) == ["duplicate_event", "ok", "ok"]

    def test_the_earliest_stays_in_any_order_of_rows_and_parts(self) -> None:
        frame = pl.DataFrame({
            "user_id": [f"u{i % 7}" for i in range(60)], "event": [f"e{i % 3}" for i in range(60)],
            "time": [datetime(2026, 1, 2, 12, i % 4) for i in range(60)], "event_id": [f"i{i % 11}" if i % 5 else None for i in range(60)],
            "place": [f"p{i}" for i in range(60)],
        }).with_columns(kind=pl.col("place").cast(pl.Categorical))  # fmt: skip
        earliest = frame.drop_nulls("event_id").group_by("event_id").agg(pl.col("time").min()).sort("event_id")
        expected: list[tuple[Any, ...]] | None = None
        for seed in range(4):
            found = events(
                binary(frame.sample(fraction=1, shuffle=True, seed=seed)), keep=("place", "event_id", "kind")
            )
            rows = frames.good(found.rows).sort("place").collect()
            kept = rows.drop_nulls("event_id").select("event_id", "time").sort("event_id")
            assert kept.equals(earliest)
            assert rows.filter(pl.col("event_id").is_null()).height == 12
            expected = expected or rows.rows()
            assert rows.rows() == expected
            reduce = partition.Reduce(lambda rows: frames.good(rows).select("place"))
            parts = partition.run(found.rows, {"all": reduce}, what="x", partitions=3)["all"]
            assert sorted(parts["place"]) == rows["place"].to_list()

    def test_rows_without_an_id_or_with_a_placeholder_are_never_copies(self) -> None:
        rows = "".join(f"u,A,2026-01-02,{event_id}\n" for event_id in ("", "", "null", "null", "0", "0"))
        assert reasons(events(text("user_id,event,time,event_id\n" + rows))) == ["ok"] * 6

    def test_a_row_that_does_not_count_anyway_is_no_copy_and_hides_none(self) -> None:
        table = text("user_id,event,time,event_id\n,A,2026-01-01,i\nu,A,2026-01-02,i\nu,B,2026-01-03,i\n")
        assert reasons(events(table)) == ["missing_user_id", "ok", "duplicate_event"]

    def test_across_files_and_in_the_rows_as_read(self) -> None:
        one = text("user_id,event,time,event_id\nu,A,2026-01-03,7\n", "a.csv")
        two = binary(pl.DataFrame({"event_id": ["7"], "user_id": ["u"], "event": ["A"], "time": [NOON]}), "b.parquet")
        three = text("user_id,event,time\nu,A,2026-01-03\n", "c.csv")
        found = events(one, two, three)
        assert reasons(found) == ["duplicate_event", "ok", "ok"]
        raw = found.raw.collect()
        assert raw["reject"].to_list() == found.rows.collect()["reject"].to_list()
        assert set(raw.columns) == {"user_id", "event", "time", "event_id", "reject"}


class TestLateRows:
    ROWS = "user_id,event,time,ingested_at\nu,a,2026-01-30 10:00,2026-01-30 10:01\nv,a,2026-01-31 10:00,2026-02-03 09:00\nw,a,2026-01-31 11:00,\n"

    def test_a_report_can_be_run_as_of_then(self) -> None:
        """Golden case E01: an event of 31 January that arrived on 3 February."""
        late = ["ok", "not_yet_known", "ok"]
        assert reasons(events(text(self.ROWS), as_of=date(2026, 1, 31), known_by=date(2026, 2, 1))) == late
        assert reasons(events(text(self.ROWS), as_of=date(2026, 1, 31), known_by=date(2026, 2, 5))) == ["ok"] * 3

    def test_the_day_ends_in_the_zone_and_rows_that_do_not_say_arrived_when_they_happened(self) -> None:
        assert reasons(events(text(self.ROWS), known_by=date(2026, 1, 30))) == ["ok", "not_yet_known", "not_yet_known"]
        table = text("user_id,event,time,received_at\nu,a,2026-01-30T17:00:00Z,2026-01-31T16:30:00Z\n")
        assert reasons(events(table, known_by=date(2026, 1, 31), tz="Asia/Shanghai")) == ["not_yet_known"]

    def test_an_arrival_that_cannot_be_read_was_not_known(self) -> None:
        table = text("user_id,event,time,ingested_at\nu,a,2026-01-30,soon\n")
        assert reasons(events(table, known_by=date(2026, 2, 1))) == ["not_yet_known"]
        assert reasons(events(table)) == ["ok"]

    def test_a_file_that_does_not_say_is_asked_about(self) -> None:
        with pytest.raises(InputError) as error:
            events(text(PLAIN + "u,a,2026-01-30\n"), known_by=date(2026, 1, 31))
        assert error.value.code == "E_ARRIVAL_UNKNOWN"
        assert "--map ingested_at" in str(error.value.hint)

    def test_orders_too(self) -> None:
        table = text("user_id,ordered_at,amount,synced_at\nu,2026-01-30,1,2026-02-03\nu,2026-01-30,1,2026-01-30\n")
        found = to_orders([table], ReadOptions(known_by=date(2026, 2, 1)))
        assert found.has_ingested_at
        assert reasons(found) == ["not_yet_known", "ok"]


def identities(rows: str, header: str = "anonymous_id,user_id\n") -> Identities:
    return read_identities(text(header + rows, "ids.csv"))


class TestIdentities:
    def test_anonymous_and_known_are_one_person(self) -> None:
        """Golden case F10: a1 views, is identified as u1, u1 buys."""
        table = text(PLAIN + "a1,view,2026-01-02 12:00:00\nu1,buy,2026-01-02 12:00:02\n")
        merged = events(table, identities=identities("a1,u1\n"))
        assert [row[0] for row in good(merged)] == ["u1", "u1"]
        assert [row[0] for row in good(events(table))] == ["a1", "u1"]
        assert "1 ids stand for 1 users" in identities("a1,u1\n").notes[0].en

    def test_chains_are_followed_to_the_end_however_long(self) -> None:
        links = [f"n{i},n{i + 1}\n" for i in range(100)]
        random.Random(1).shuffle(links)
        pairs = identities("".join(links)).pairs
        assert pairs.height == 100
        assert set(pairs["user_id"]) == {"n100"}

    @pytest.mark.parametrize("rows", ["a,b\nb,a\n", "a,b\nb,c\nc,d\nd,b\nx,y\n", "a,b\nb,c\nc,a\n"])
    def test_a_circle_has_no_end(self, rows: str) -> None:
        with pytest.raises(InputError) as error:
            identities(rows)
        assert error.value.code == "E_IDENTITIES_CIRCULAR"

    def test_an_id_of_several_users_is_left_alone_and_told_of(self) -> None:
        found = identities("a,u1\na,u2\nb,u1\nb,u1\nu1,u1\n,u3\nc,\nnull,u1\n")
        assert found.pairs.rows() == [("b", "u1")]
        assert "1 ids stand for several users" in found.warnings[0].en

    @pytest.mark.parametrize(
        "header",
        [
            "first_id,second_id",
            "distinct_id,person_id",
            "amplitude_id,merged_amplitude_id",
            "user_id,Anonymous ID,alias",
        ],
    )
    def test_other_names(self, header: str) -> None:
        row = "u1,a1,x\n" if header.startswith("user_id") else "a1,u1\n"
        assert identities(row, header + "\n").pairs.rows() == [("a1", "u1")]

    @pytest.mark.parametrize("header", ["a,b", "anonymous_id,name", "alias,previous_id,user_id"])
    def test_unclear_columns_are_asked_about(self, header: str) -> None:
        with pytest.raises(InputError) as error:
            identities("x,y" + ",z" * (header.count(",") - 1) + "\n", header + "\n")
        assert error.value.code == "E_IDENTITIES_UNCLEAR"

    def test_ids_of_other_types_and_lists_of_users(self) -> None:
        frame = pl.DataFrame({"user_id": [1, 2, 3], "ordered_at": [NOON] * 3, "amount": [1.0] * 3})
        joined = ReadOptions(identities=identities("1,9\n"), only_users=pl.DataFrame({"user_id": ["1", "2"]}))
        found = to_orders([binary(frame)], joined)
        assert found.rows.collect()["user_id"].to_list() == ["9", "2", "3"]
        assert reasons(found) == ["ok", "ok", "not_in_user_list"]
        assert found.user_id_dtype == pl.String

    def test_neither_order_nor_parts_change_who_is_who(self) -> None:
        frame = pl.DataFrame({"user_id": [f"a{i % 9}" for i in range(90)], "event": ["e"] * 90, "time": [NOON] * 90})
        ids = identities("".join(f"a{i},u{i % 2}\n" for i in range(5)))
        found = events(binary(frame.sample(fraction=1, shuffle=True, seed=3)), identities=ids)
        per_user = partition.Reduce(lambda rows: frames.good(rows).group_by("user_id").len())
        whole = partition.run(found.rows, {"n": per_user}, what="x")["n"].sort("user_id")
        assert whole["user_id"].to_list() == ["a5", "a6", "a7", "a8", "u0", "u1"]
        assert whole["len"].sum() == 90
        assert partition.run(found.rows, {"n": per_user}, what="x", partitions=4)["n"].sort("user_id").equals(whole)


class TestKinds:
    def test_events_or_orders(self) -> None:
        order, event = text("user_id,ordered_at\nu,2026-01-02\n", "o.csv"), text(PLAIN + "u,a,2026-01-02\n", "e.csv")
        assert kind_of([order], ReadOptions()) == "orders"
        assert kind_of([event], ReadOptions()) == "events"
        with pytest.raises(InputError) as error:
            kind_of([order, event], ReadOptions())
        assert error.value.code == "E_KINDS_DIFFER"

    def test_what_columns_do_not_tell_is_asked_and_told_by_hand(self) -> None:
        table = text("user_id,date,what\nu,2026-01-02,a\n")
        with pytest.raises(InputError) as error:
            kind_of([table], ReadOptions())
        assert error.value.code == "E_KIND_OPEN"
        assert kind_of([table], ReadOptions(mapping={"event": "what"})) == "events"
        assert kind_of([table], ReadOptions(mapping={"ordered_at": "date"})) == "orders"

    def test_orders_are_no_events(self) -> None:
        with pytest.raises(InputError):
            events(text("user_id,ordered_at,amount\nu,2026-01-02,1\n"))
        with pytest.raises(UsageError):
            events(text(PLAIN), where=("event~a",))


def test_real_events(shared: Path) -> None:
    found = events(text((shared / "data/events/rete_ecom.csv").read_text(encoding="utf-8"), "rete_ecom.csv"))
    assert set(reasons(found)) == {"ok"}
