"""Which export a file is: every layout by its header, synonyms, what is asked, and what is never guessed."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from rawtable import binary, text
from userops.errors import InputError, UsageError
from userops.inputs import layouts
from userops.inputs.layouts import recognise

HEADERS = {
    "shopify-orders": (
        "Name,Email,Financial Status,Paid at,Fulfillment Status,Currency,Subtotal,Shipping,Taxes,Total,Discount Code,"
        "Created at,Lineitem quantity,Lineitem name,Lineitem price,Lineitem sku,Notes,Cancelled at,Refunded Amount,Id,Source,Phone"
    ),
    "woocommerce-orders": "order_id,order_number,order_date,paid_date,status,order_total,order_currency,customer_id,billing_email",
    "stripe-payments": "id,Description,Created (UTC),Amount,Amount Refunded,Currency,Converted Amount,Fee,Status,Customer ID,Customer Email",
    "taobao-orders": "订单编号,买家会员名,买家支付宝账号,买家应付货款,总金额,买家实际支付金额,订单状态,收货人姓名,订单创建时间,订单付款时间 ,宝贝标题",
    "uci-online-retail": "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country",
    "uci-online-retail-ii": "Invoice,StockCode,Description,Quantity,InvoiceDate,Price,Customer ID,Country",
    "cdnow": "customer_id,date,number_of_cds,dollar_value",
    "ga4-bigquery": "event_date,event_timestamp,event_name,user_pseudo_id,user_id",
    "amplitude-export": "amplitude_id,event_type,event_time,uuid,$insert_id,user_id,server_upload_time",
    "segment-tracks": "id,anonymous_id,user_id,event,event_text,received_at,sent_at,timestamp,context_ip",
    "posthog-batch": "uuid,event,distinct_id,person_id,properties,timestamp,created_at",
    "sensors-events": "event,user_id,distinct_id,date,time,$receive_time",
    "rees46-events": "event_time,event_type,product_id,category_id,category_code,brand,price,user_id,user_session",
    "retailrocket": "timestamp,visitorid,event,itemid,transactionid",
}


@pytest.mark.parametrize(("name", "header"), HEADERS.items())
def test_every_export_is_known_by_its_header_alone(name: str, header: str) -> None:
    found = recognise(text(header + "\n"))
    assert found.layout == name
    assert set(layouts.REQUIRED[found.kind]) - {"amount"} <= set(found.roles)  # type: ignore[index]


@pytest.mark.parametrize("name", HEADERS)
def test_order_case_and_further_columns_do_not_matter(name: str) -> None:
    columns = [*HEADERS[name].split(","), "Something new"]
    assert recognise(text(",".join(reversed(columns)).upper().replace(" ", "_") + "\n")).layout == name


def test_nested_exports() -> None:
    mixpanel = pl.DataFrame(
        {"event": ["a"], "properties": [{"distinct_id": "u", "time": 1767355200, "$insert_id": "x"}]}
    )
    found = recognise(binary(mixpanel))
    assert (found.layout, found.roles["user_id"]) == ("mixpanel-export", ("properties.distinct_id",))
    sensors = pl.DataFrame(
        {"distinct_id": ["u"], "time": [1], "type": ["track"], "event": ["e"], "properties": [{"a": 1}]}
    )
    assert recognise(binary(sensors)).layout == "sensors-log"


@pytest.mark.parametrize(
    "name", ["Customer ID", "customer_id", "CustomerID", "\ufeffcustomer-id", " ＣＵＳＴＯＭＥＲ ID"]
)
def test_names_are_compared_without_case_and_separators(name: str) -> None:
    assert layouts.normalised(name) == "customerid"


class TestWithoutHeader:
    def test_values_that_fit_make_it_known(self) -> None:
        taobao = text("1,2268318,2520377,pv,1511544070\n1,2333346,2520771,fav,1511561733\n", headerless=True)
        assert recognise(taobao).layout == "taobao-userbehavior"
        assert recognise(taobao).roles["event"] == ("column_4",)
        cdnow = text("00001,19970101,1,11.77\n00002,19970112,1,12.00\n", headerless=True)
        assert recognise(cdnow).roles["user_id"] == ("column_1",)
        sample = text("00004,0001,19970101,2,29.33\n", headerless=True)
        assert recognise(sample).roles["user_id"] == ("column_2",)

    def test_position_alone_is_never_enough(self) -> None:
        other = text("1,2,3,look,1511544070\n", headerless=True)
        assert recognise(other).layout == "generic"
        assert recognise(other, layout="taobao-userbehavior").roles["event"] == ("column_4",)


class TestByName:
    @pytest.mark.parametrize(
        "header",
        ["user_id,ordered_at,amount", "userId,orderTime,Total", "uid,order_date,revenue", "customer_id,date,amount", "用户ID,下单时间,实付金额",
         "User ID,Created-At,GMV", "买家ID,付款时间,订单金额", "ＵＳＥＲ＿ＩＤ,dt,value"],
    )  # fmt: skip
    def test_synonyms(self, header: str) -> None:
        found = recognise(text(f"{header}\nu1,2026-01-02,5\n"))
        assert found.kind == "orders"
        assert [found.roles[role] for role in layouts.REQUIRED["orders"]] == [(name,) for name in header.split(",")]

    def test_our_own_names_are_canonical(self) -> None:
        assert recognise(text("user_id,ordered_at,amount\nu,2026-01-02,5\n")).layout == "canonical"

    def test_our_own_name_wins_over_synonyms(self) -> None:
        found = recognise(
            text("customer_id,user_id,order_time,ordered_at,total,amount\na,b,2026-01-02,2026-01-02,1,2\n")
        )
        assert [found.roles[role] for role in layouts.REQUIRED["orders"]] == [
            ("user_id",),
            ("ordered_at",),
            ("amount",),
        ]

    @pytest.mark.parametrize(
        ("header", "role"),
        [("customer_id,member_id,order_date,amount", "user_id"), ("user_id,created_at,paid_at,amount", "ordered_at")],
    )
    def test_two_columns_for_one_role_are_asked_about(self, header: str, role: str) -> None:
        rows = "u,v,2026-01-02,5" if role == "user_id" else "u,2026-01-02,2026-01-02,5"
        table = text(f"{header}\n{rows}\n")
        with pytest.raises(InputError) as error:
            layouts.playing(recognise(table, want="orders"), role, table)
        assert error.value.code == "E_COLUMN_AMBIGUOUS"

    def test_a_plain_name_beats_a_vague_one_and_values_must_fit(self) -> None:
        found = recognise(text("user_id,order_time,date,total,sales\nu,2026-01-02,2026-01-03,5,north\n"))
        assert (found.roles["ordered_at"], found.roles["amount"]) == (("order_time",), ("total",))

    def test_a_given_column_beats_everything(self) -> None:
        table = text("user_id,Kunde,ordered_at,amount\nu,k,2026-01-02,5\n")
        assert recognise(table, mapping={"user_id": "kunde"}).roles["user_id"] == ("Kunde",)
        shop = text(HEADERS["shopify-orders"] + "\n")
        assert recognise(shop, mapping={"user_id": "Phone"}).roles["user_id"] == ("Phone",)

    def test_what_is_given_wrongly_names_the_closest(self) -> None:
        table = text("user_id,ordered_at,amount\n")
        with pytest.raises(InputError) as unknown:
            recognise(table, mapping={"amount": "amuont"})
        assert (unknown.value.code, "'amount'" in str(unknown.value.hint)) == ("E_COLUMN_UNKNOWN", True)
        with pytest.raises(UsageError) as role:
            recognise(table, mapping={"amuont": "amount"})
        assert "amount" in str(role.value.hint)
        with pytest.raises(UsageError):
            recognise(table, layout="shopfy-orders")

    def test_a_missing_column_names_the_nearest(self) -> None:
        table = text("kunde,when_it_was,amount\nu,2026-01-02,5\n")
        with pytest.raises(InputError) as error:
            layouts.playing(recognise(table, want="orders"), "ordered_at", table)
        assert error.value.code == "E_COLUMN_MISSING"
        assert "when_it_was" in str(error.value.hint)

    def test_an_id_is_a_user_only_in_a_table_of_users(self) -> None:
        table = text("id,created_at,city\n7,2026-01-02,x\n")
        assert recognise(table).kind is None
        found = recognise(table, want="users")
        assert (found.roles["user_id"], found.roles["signed_up_at"]) == (("id",), ("created_at",))

    def test_kinds(self) -> None:
        assert recognise(text("user_id,event,timestamp\nu,view,2026-01-02\n")).kind == "events"
        assert recognise(text("user_id,created_at,city\nu,2026-01-02,x\n")).kind == "users"
        assert recognise(text("user_id,order_time\nu,2026-01-02\n")).kind == "orders"
        assert recognise(text("a,b\n1,2\n")).kind is None


class TestLayoutOption:
    def test_none_skips_the_known_exports(self) -> None:
        shop = text(HEADERS["shopify-orders"] + "\n")
        assert recognise(shop, layout="none", mapping={"user_id": "Email"}).layout == "generic"

    def test_forced_takes_a_header_that_lacks_columns(self) -> None:
        short = text("Name,Email,Created at,Total\n")
        assert recognise(short, layout="shopify-orders").layout == "shopify-orders"
        with pytest.raises(InputError) as error:
            recognise(short, layout="cdnow")
        assert error.value.code == "E_LAYOUT_UNFIT"

    def test_events_are_no_orders(self) -> None:
        with pytest.raises(InputError) as error:
            recognise(text(HEADERS["rees46-events"] + "\n"), want="orders")
        assert error.value.code == "E_WRONG_KIND"

    def test_users_may_come_from_any_export(self) -> None:
        found = recognise(text(HEADERS["shopify-orders"] + "\n"), want="users")
        assert (found.kind, found.roles["user_id"]) == ("users", ("Email", "Phone"))

    def test_rudderstack_is_segment_by_another_name(self) -> None:
        assert recognise(text(HEADERS["segment-tracks"] + "\n"), layout="rudderstack-tracks").layout == "segment-tracks"


def test_layouts_are_told_apart() -> None:
    signatures = [known.signature for known in layouts.LAYOUTS if known.signature]
    assert len(set(signatures)) == len(signatures)
    for known in layouts.LAYOUTS:
        assert set(known.roles) <= set(layouts.ROLES), known.name
        assert set(known.same_event) <= set(known.roles), known.name


@pytest.mark.parametrize(
    ("file", "kind"),
    [("events/rete_ecom.csv", "events"), ("events/growthbook_commits.csv", "events"), ("orders/rfm_data_orders.csv", "orders"),
     ("orders/rfm_data_customer.csv", "users"), ("orders/cdnow_master.csv", "orders"), ("hostile/handmade/zh_utf8.csv", "orders")],
)  # fmt: skip
def test_real_files(shared: Path, file: str, kind: str) -> None:
    assert recognise(text((shared / "data" / file).read_text(encoding="utf-8"))).kind == kind
