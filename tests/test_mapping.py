"""Tables become canonical orders: every export with its traps, each reason of a reject, several files as one."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from rawtable import binary, text
from userops import frames, money
from userops.errors import InputError, UsageError
from userops.inputs.mapping import ReadOptions, rejected_rows
from userops.inputs.orders import to_orders
from userops.inputs.raw import RawTable

PLAIN = "user_id,ordered_at,amount\n"


def orders(*tables: RawTable, need_amount: bool = True, **options: Any) -> frames.Orders:
    return to_orders(tables, ReadOptions(**options), need_amount=need_amount)


def good(found: frames.Orders) -> list[tuple[Any, ...]]:
    """The rows that count, with money in units, in their order."""
    rows = frames.good(found.rows).drop("instant")
    return (rows.with_columns(money.units(pl.col("amount"))) if found.has_amount else rows).collect().rows()


def reasons(found: frames.Orders) -> list[str]:
    return [frames.REASONS[code] for code in found.rows.collect()["reject"]]


class TestPlainOrders:
    def test_a_clean_file(self) -> None:
        found = orders(text(PLAIN + "u1,2026-01-02 03:04:05,1.10\nu2,2026-01-03,0\n"))
        assert good(found) == [("u1", datetime(2026, 1, 2, 3, 4, 5), 1.1), ("u2", datetime(2026, 1, 3), 0.0)]
        assert found.rows.collect_schema()["amount"] == pl.Int64
        assert (found.grain, found.grain_known, found.has_order_id, found.has_currency) == ("order", True, False, False)
        assert found.notes == ()

    def test_every_reason_and_the_first_wins(self) -> None:
        rows = [
            ("u1,2026-01-02,1", "ok"), (",x,y", "missing_user_id"), ("null,x,y", "placeholder_user_id"), ("u1,,y", "missing_time"),
            ("u1,soon,y", "unreadable_time"), ("u1,2026-03-08 02:30,y", "nonexistent_time"), ("u1,2026-01-02,", "missing_amount"),
            ("u1,2026-01-02,y", "unreadable_amount"), ("u1,2026-01-02,1e12", "unreadable_amount"), ("u1,2026-01-02,inf", "non_finite_amount"),
            ("u1,2026-01-02,3", "filtered_out"), ("u2,2026-01-02,1", "not_in_user_list"), ("u1,2026-06-02,1", "after_as_of"),
            ("u1,2026-01-02,1", "duplicate_row"), ("u1,2026-06-01 23:59:59,1", "ok"),
        ]  # fmt: skip
        found = orders(
            text(PLAIN + "\n".join(row for row, _ in rows)),
            tz="America/New_York",
            as_of=date(2026, 6, 1),
            where=("amount=1",),
            only_users=pl.DataFrame({"user_id": ["u1"]}),
            drop_duplicates=True,
        )
        assert reasons(found) == [reason for _, reason in rows]
        raw = found.raw.collect()
        assert raw.columns == ["user_id", "ordered_at", "amount", "reject"]
        assert raw["reject"].to_list() == found.rows.collect()["reject"].to_list()
        assert raw["ordered_at"][4] == "soon"

    def test_a_file_without_money(self) -> None:
        table = text("user_id,ordered_at\nu1,2026-01-02\n")
        with pytest.raises(InputError) as error:
            orders(table)
        assert error.value.code == "E_COLUMN_MISSING"
        assert not orders(table, need_amount=False).has_amount

    def test_money_nobody_needs_is_not_asked_about(self) -> None:
        table = text("user_id,ordered_at,total,revenue\nu1,2026-01-02,1,2\n")
        with pytest.raises(InputError) as error:
            orders(table)
        assert error.value.code == "E_COLUMN_AMBIGUOUS"
        assert not orders(table, need_amount=False).has_amount
        assert good(orders(table, mapping={"amount": "revenue"}))[0][2] == 2

    def test_types_are_kept_for_who_joins(self) -> None:
        frame = pl.DataFrame({"user_id": [17850.0, None], "ordered_at": [date(2026, 1, 2)] * 2, "amount": [1, 2]})
        found = orders(binary(frame))
        assert found.user_id_dtype == pl.Float64
        assert good(found) == [(17850, datetime(2026, 1, 2), 1.0)]

    def test_a_clean_binary_file_gets_no_more_work_than_it_needs(self) -> None:
        schema = {"user_id": pl.String, "ordered_at": pl.Datetime("us"), "amount": pl.Float64, "other": pl.String}
        plan = orders(binary(pl.DataFrame(schema=schema))).rows.explain()
        assert "python" not in plan.lower()
        assert "strip_chars" not in plan
        assert "3/4 COLUMNS" in plan

    def test_a_column_for_a_breakdown_is_there_by_the_name_asked_for(self) -> None:
        table = text("user_id,ordered_at,amount,utm_source,Country\nu1,2026-01-02,1, ads ,DE\n")
        rows = orders(table, keep=("channel", "country", "amount")).rows.collect()
        assert rows.select("channel", "country").row(0) == ("ads", "DE")
        with pytest.raises(InputError):
            orders(table, keep=("region",))

    def test_conditions_see_roles_and_canonical_values(self) -> None:
        table = text("uid,order_time,total,currency,plan\nu1,2026年1月2日,$5.00,usd,a\nu2,2026年1月3日,$7.00,eur,\n")
        for where in (
            "ordered_at<2026-01-03",
            "amount<6",
            "amount=5",
            "currency=usd",
            "plan!=b",
            "PLAN=a",
            "user_id=u1",
        ):
            assert reasons(orders(table, where=(where,))) == ["ok", "filtered_out"], where
        with pytest.raises(InputError):
            orders(table, where=("colour=red",))
        with pytest.raises(UsageError):
            orders(table, where=("amount>much",))

    @pytest.mark.parametrize("name", ["reject", "instant", "source", "reason", "day", "n"])
    def test_columns_that_go_by_our_own_names(self, name: str) -> None:
        """The file's own is what a condition is about; beside ours it cannot stand, and is refused."""
        table = text(f"user_id,ordered_at,amount,{name}\nu1,2026-01-02,1,x\nu2,2026-01-03,2,y\n")
        assert [row[0] for row in good(orders(table))] == ["u1", "u2"]
        assert [row[0] for row in good(orders(table, where=(f"{name}=x",)))] == ["u1"]
        if name in ("reject", "instant"):
            with pytest.raises(UsageError, match=f"cannot be '{name}'"):
                orders(table, keep=(name,))
        else:
            assert frames.good(orders(table, keep=(name,)).rows).collect()[name].to_list() == ["x", "y"]

    def test_rejected_rows_keep_columns_that_go_by_our_own_names(self) -> None:
        table = text("user_id,ordered_at,amount,reject,reason,reason_2\nu1,soon,1,x,y,z\nu2,2026-01-03,2,a,b,c\n")
        rows = rejected_rows(orders(table))
        assert rows.to_dicts() == [
            {
                "reason": "unreadable_time",
                "user_id": "u1",
                "ordered_at": "soon",
                "amount": "1",
                "reject_2": "x",
                "reason_3": "y",
                "reason_2": "z",
            }
        ]

    def test_a_column_named_source_cannot_be_kept_of_several_files(self) -> None:
        table = text("user_id,ordered_at,amount,source\nu1,2026-01-02,1,x\n")
        with pytest.raises(UsageError, match="several files"):
            orders(table, table, keep=("source",))

    def test_a_zone_nobody_knows(self) -> None:
        with pytest.raises(UsageError):
            orders(text(PLAIN), tz="Mars/Olympus")


class TestGrain:
    @pytest.mark.parametrize(
        ("header", "grain", "known"),
        [
            ("", "order", True),
            (",order_id", "order", False),
            (",order_id,sku", "line", True),
            (",quantity", "order", True),
        ],
    )
    def test_what_a_row_is(self, header: str, grain: str, known: bool) -> None:
        cells = header.count(",") * ",7"
        found = orders(text(f"user_id,ordered_at,amount{header}\nu,2026-01-02,1{cells}\n"))
        assert (found.grain, found.grain_known) == (grain, known)

    def test_as_told(self) -> None:
        table = text("user_id,ordered_at,amount,order_id,sku\nu,2026-01-02,1,o,s\n")
        assert (orders(table, grain="order").grain, orders(table, grain="order").grain_known) == ("order", True)
        with pytest.raises(InputError):
            orders(text(PLAIN + "u,2026-01-02,1\n"), grain="line")

    def test_price_times_quantity_is_exact(self) -> None:
        table = text(
            "user_id,ordered_at,order_id,price,qty\nu,2026-01-02,o,1.15,3\nu,2026-01-02,o,0.0001,-1\nu,2026-01-02,o,,1\n"
        )
        found = orders(table)
        assert found.rows.collect()["amount"].to_list() == [34_500, -1, None]
        assert reasons(found)[2] == "missing_amount"


SHOPIFY = "Name,Email,Financial Status,Currency,Total,Created at,Lineitem quantity,Lineitem name,Cancelled at,Refunded Amount,Phone\n"


class TestShopify:
    ROWS = (
        "#1,a@x,paid,EUR,30.00,2025-10-07 09:50:26 +0200,1,Tea,,5.00,\n"
        "#1,a@x,,,,2025-10-07 09:50:26 +0200,2,Cup,,,\n"
        "#2,,paid,EUR,8.00,2025-10-08 10:00:00 +0200,1,Tea,,0.00,'+4930\n"
        "#2,,,,,,1,Jar,,,\n"
        "#3,c@x,voided,EUR,9.00,2025-10-08 11:00:00 +0200,1,Tea,,0.00,\n"
        "#3,,,,,,1,Tea,,,\n"
        "#4,d@x,paid,EUR,9.00,2025-10-08 12:00:00 +0200,1,Tea,2025-10-09 08:00:00 +0200,9.00,\n"
        "#5,,paid,EUR,9.00,2025-10-08 12:00:00 +0200,1,Tea,,0.00,\n"
    )

    def test_orders_of_several_lines(self) -> None:
        found = orders(text(SHOPIFY + self.ROWS))
        assert reasons(found) == ["ok"] * 4 + ["not_an_order"] * 3 + ["missing_user_id"]
        moment, later = datetime(2025, 10, 7, 7, 50, 26), datetime(2025, 10, 8, 8)
        assert good(found) == [
            ("a@x", moment, 25.0, "#1", "EUR"),
            ("a@x", moment, 0.0, "#1", "EUR"),
            ("+4930", later, 8.0, "#2", "EUR"),
            ("+4930", later, 0.0, "#2", "EUR"),
        ]
        assert (found.grain, found.grain_known) == ("line", True)

    def test_an_order_split_over_two_files_in_any_order(self) -> None:
        lines = self.ROWS.splitlines(keepends=True)
        second, first = text(SHOPIFY + "".join(lines[3:]), "b.csv"), text(SHOPIFY + "".join(lines[:3]), "a.csv")
        found = orders(second, first)
        whole = orders(text(SHOPIFY + self.ROWS))
        assert sorted(row[:5] for row in good(found)) == sorted(good(whole))
        assert found.rows.collect()["source"].to_list() == [0] * 5 + [1] * 3
        assert found.raw.collect().columns == [*SHOPIFY.strip().split(","), "reject"]

    def test_a_line_whose_order_is_not_there_is_counted_as_missing(self) -> None:
        rows = self.ROWS + "#9,z@x,,,,2025-10-07 09:50:26 +0200,2,Cup,,,\n"
        assert reasons(orders(text(SHOPIFY + rows)))[-1] == "missing_amount"


class TestOtherExports:
    def test_woocommerce(self) -> None:
        header = "order_id,order_date,status,order_total,order_currency,customer_id,billing_email\n"
        rows = (
            "1,01/02/2026 10:00:00,completed,5.00,usd,7,a@x\n2,01/03/2026 10:00:00,processing,6.00,usd,0,b@x\n"
            "3,01/03/2026 10:00:00,cancelled,6.00,usd,7,a@x\n4,01/04/2026 10:00:00,refunded,6.00,usd,7,a@x\n"
        )
        found = orders(text(header + rows))
        assert good(found) == [
            ("7", datetime(2026, 1, 2, 10), 5.0, "1", "USD"),
            ("b@x", datetime(2026, 1, 3, 10), 6.0, "2", "USD"),
            ("7", datetime(2026, 1, 4, 10), 0.0, "4", "USD"),
        ]
        assert not found.grain_known, "one export writes a row per item: repeated ids must stop the run"

    STRIPE = "id,{},Amount,Amount Refunded,Currency,Status,Customer ID,Customer Email\n"

    @pytest.mark.parametrize("created", ["Created (UTC)", "Created date (UTC)"])
    def test_stripe(self, created: str) -> None:
        rows = (
            'ch_1,2026-01-01 20:00,"12,50","2,50",eur,Paid,cus_1,a@x\nch_2,2026-01-01 20:00,"3,00",,eur,Failed,cus_1,a@x\n'
            'ch_3,2026-01-01 20:00,"3,00","3,00",eur,Refunded,,b@x\n'
        )
        found = orders(text(self.STRIPE.format(created) + rows), tz="Asia/Shanghai")
        moved = datetime(2026, 1, 2, 4)
        assert good(found) == [("cus_1", moved, 10.0, "ch_1", "EUR"), ("b@x", moved, 0.0, "ch_3", "EUR")]
        assert reasons(found)[1] == "not_an_order"

    def test_stripe_never_guesses_cents(self) -> None:
        rows = "ch_1,2026-01-01 20:00,1250,250,eur,Paid,cus_1,\nch_2,2026-01-01 20:00,1250,0,jpy,Paid,cus_1,\n"
        table = text(self.STRIPE.format("Created (UTC)") + rows)
        with pytest.raises(InputError) as error:
            orders(table)
        assert error.value.code == "E_AMOUNT_UNIT"
        assert [row[2] for row in good(orders(table, amount_unit="minor"))] == [10.0, 1250.0]
        assert [row[2] for row in good(orders(table, amount_unit="major"))] == [1000.0, 1250.0]

    def test_taobao(self) -> None:
        header = "订单编号,买家会员名,买家实际支付金额,订单状态,订单创建时间,订单付款时间 \n"
        rows = (
            '"=""2026010100001""",小明,19.90,交易成功,2026-01-01 10:00:00,2026-01-01 10:05:00\n'
            '"=""2026010100002""",小红,5.00,交易成功,2026-01-02 10:00:00,0000-00-00 00:00:00\n'
            '"=""2026010100003""",小红,5.00,交易关闭,2026-01-02 10:00:00,\n'
            '"=""2026010100004""",小红,7.00,买家已付款,2026-01-03 10:00:00,\n'
        )
        found = orders(text(header + rows))
        assert good(found) == [
            ("小明", datetime(2026, 1, 1, 10, 5), 19.9, "2026010100001"),
            ("小红", datetime(2026, 1, 2, 10), 5.0, "2026010100002"),
            ("小红", datetime(2026, 1, 3, 10), 7.0, "2026010100004"),
        ]

    def test_uci(self) -> None:
        header = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"
        rows = "536365,85123A,x,6,01-12-2010 08:26,2.55,17850.0,UK\nC536379,D,x,-1,13-12-2010 09:41,27.5,14527.0,UK\n536414,1,x,56,13-12-2010 09:41,0,,UK\n"
        found = orders(text(header + rows))
        assert good(found) == [
            ("17850", datetime(2010, 12, 1, 8, 26), 15.3, "536365"),
            ("14527", datetime(2010, 12, 13, 9, 41), -27.5, "C536379"),
        ]
        assert (found.grain, reasons(found)[2]) == ("line", "missing_user_id")

    def test_cdnow_without_header(self) -> None:
        found = orders(text("00001,19970101,1,11.77\n00002,19970112,5,77.00\n", headerless=True))
        assert good(found) == [("00001", datetime(1997, 1, 1), 11.77), ("00002", datetime(1997, 1, 12), 77.0)]


class TestSeveralFiles:
    def test_differing_types_and_names_come_together(self) -> None:
        one = binary(pl.DataFrame({"user_id": [7], "ordered_at": [date(2026, 1, 2)], "amount": [1.5]}), "a.parquet")
        two = text("customer_id,order_date,revenue,currency\n7,2026/1/3,2,eur\n", "b.csv")
        found = orders(one, two)
        assert good(found) == [("7", datetime(2026, 1, 2), 1.5, None, 0), ("7", datetime(2026, 1, 3), 2.0, "EUR", 1)]
        assert [source.layout for source in found.sources] == ["canonical", "generic"]
        assert found.user_id_dtype == pl.String

    def test_one_file_decides_how_dates_are_written_for_its_kin(self) -> None:
        header = "user_id,ordered_at,amount\n"
        found = orders(text(header + "u,01/02/2026,1\n", "a.csv"), text(header + "u,31/01/2026,1\n", "b.csv"))
        assert [row[1] for row in good(found)] == [datetime(2026, 2, 1), datetime(2026, 1, 31)]

    def test_copies_in_two_files_are_copies(self) -> None:
        table = text(PLAIN + "u,2026-01-02,1\n")
        assert sorted(reasons(orders(table, table, drop_duplicates=True))) == ["duplicate_row", "ok"]


class TestRealFiles:
    def test_cdnow_master(self, shared: Path) -> None:
        found = orders(text((shared / "data/orders/cdnow_master.csv").read_text()))
        rows = frames.good(found.rows).collect()
        assert rows.height == 69_659
        assert rows["amount"].sum() == 25_003_156_300
        assert rows["user_id"].n_unique() == 23_570
        assert rows.filter(pl.col("amount") == 0).height == 80

    def test_uci_parquet(self, shared: Path) -> None:
        found = orders(binary(pl.scan_parquet(shared / "data/orders/online_retail.parquet")))
        counts = found.rows.group_by("reject").len().sort("reject").collect().rows()
        assert counts == [(0, 406_829), (frames.reject_code("missing_user_id"), 135_080)]
        assert found.rows.select(pl.col("amount").sum()).collect().item() == 97_477_479_340
        assert frames.good(found.rows).select(pl.col("user_id").n_unique()).collect().item() == 4_372

    @pytest.mark.parametrize("name", ["good.csv", "zh_utf8.csv", "gbk.csv"])
    def test_files_made_by_hand(self, shared: Path, name: str) -> None:
        encoding = "gb18030" if name == "gbk.csv" else "utf-8"
        found = orders(text((shared / "data/hostile/handmade" / name).read_text(encoding=encoding)))
        assert len(good(found)) == 1_000
        assert found.user_id_dtype == pl.String

    def test_rounded_ids_are_refused(self, shared: Path) -> None:
        table = text((shared / "data/hostile/handmade/excel_sci_ids.csv").read_text())
        with pytest.raises(InputError) as error:
            orders(table)
        assert error.value.code == "E_DAMAGED_IDS"

    def test_bad_dates_are_asked_about_then_counted(self, shared: Path) -> None:
        table = text((shared / "data/hostile/handmade/bad_dates.csv").read_text())
        with pytest.raises(InputError) as error:
            orders(table, need_amount=False)
        assert error.value.code == "E_AMBIGUOUS_DATES"
        assert reasons(orders(table, need_amount=False, day_first=True)).count("unreadable_time") == 3
