"""RFM on real data through the command: published counts, an independent SQL, and bytes that nothing changes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest


def userops(*arguments: str | Path, cwd: Path | None = None, **environment: str) -> str:
    """What the command prints; it must succeed."""
    command = [sys.executable, "-m", "userops", *map(str, arguments)]
    env = {**os.environ, **environment}
    return subprocess.run(command, capture_output=True, text=True, check=True, cwd=cwd, env=env).stdout


def rfm(*arguments: str | Path) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(userops("rfm", *arguments, "--json", "-q"))
    return answer


def sizes(answer: dict[str, Any], dimension: str) -> list[int]:
    return [row["users"] for row in answer["tables"]["scores"] if row["dimension"] == dimension]


def test_online_retail_as_it_is(shared: Path) -> None:
    answer = rfm(shared / "data/orders/online_retail.parquet")
    assert answer["meta"]["inputs"][0]["layout"] == "uci-online-retail"
    assert answer["meta"]["inputs"][0]["rejected"] == {"missing_user_id": 135_080}
    assert answer["summary"]["users"] == 4_339
    assert answer["meta"]["settings"]["recency_cuts"] == [12, 32, 71, 179]
    assert answer["meta"]["settings"]["frequency_cuts"] == [1, 2, 3, 6]
    assert sizes(answer, "frequency") == [1494, 835, 508, 802, 700]
    assert sizes(answer, "recency") == [861, 866, 863, 881, 868]
    assert answer["summary"]["revenue"] == pytest.approx(8_310_477.05, abs=0.005)
    assert answer["meta"]["refund_only"]["users"] == 33
    assert answer["summary"]["known_revenue"] == pytest.approx(8_300_065.81, abs=0.005)
    said = " ".join(answer["meta"]["warnings"])
    assert "34 % of customers bought once: any second order scores at least 2" in said
    assert "5,225 rows are exact copies" in said
    assert "cut short" in said


def test_online_retail_eight_segments(shared: Path) -> None:
    rows = rfm(shared / "data/orders/online_retail.parquet", "--segments", "cn8")["rows"]
    assert {row["segment_zh"]: row["users"] for row in rows}["重要价值客户"] == 710


def test_online_retail_sales_lines_alone(shared: Path) -> None:
    sales = ("--where", "Quantity>0", "--where", "UnitPrice>0")
    answer = rfm(shared / "data/orders/online_retail.parquet", *sales, "--segments", "cn8")
    assert answer["summary"]["users"] == 4_338
    assert sizes(answer, "frequency") == [1493, 835, 508, 802, 700]
    assert {row["segment_zh"]: row["users"] for row in answer["rows"]}["重要价值客户"] == 689


def test_cdnow_keeps_zero_amounts(shared: Path) -> None:
    answer = rfm(shared / "data/orders/cdnow_master.csv")
    assert answer["meta"]["inputs"][0]["rows_used"] == 69_659
    assert answer["summary"]["revenue"] == pytest.approx(2_500_315.63, abs=0.005)
    assert answer["summary"]["orders"] == 69_659
    assert answer["summary"]["users"] == 23_570


ONLINE_RETAIL_SQL = """
    with lines as (
        select CustomerID::varchar as user_id, InvoiceNo, InvoiceDate, Quantity * UnitPrice as amount
        from '{file}' where CustomerID is not null),
    orders as (
        select user_id, InvoiceNo, sum(amount) as amount,
               min(InvoiceDate) filter (where amount >= 0) as bought, bool_or(amount >= 0) as is_order
        from lines group by user_id, InvoiceNo),
    {scores}
"""

CDNOW_SQL = """
    with orders as (
        select customer_id::varchar as user_id, amount, date::timestamp as bought, amount >= 0 as is_order
        from read_csv('{file}', types = {{'customer_id': 'varchar'}})),
    {scores}
"""

SCORES_SQL = """
    users as (
        select user_id, cast(max(bought) filter (where is_order) as date) as last_order, count(*) filter (where is_order) as orders,
               round(sum(amount), 4) as monetary
        from orders group by user_id having count(*) filter (where is_order) > 0),
    days as (select *, date_diff('day', last_order, date '{as_of}') as recency_days from users),
    cuts as (
        select quantile_disc(recency_days, [.2, .4, .6, .8]) as r, quantile_disc(orders, [.2, .4, .6, .8]) as f,
               quantile_disc(monetary, [.2, .4, .6, .8]) as m from days)
    select user_id, recency_days, orders, monetary,
           5 - len(list_filter(cuts.r, lambda c: c < recency_days)) as r,
           1 + len(list_filter(cuts.f, lambda c: c < orders)) as f,
           1 + len(list_filter(cuts.m, lambda c: c < monetary)) as m
    from days, cuts order by user_id
"""


@pytest.mark.parametrize(
    ("name", "sql", "as_of"),
    [("online_retail.parquet", ONLINE_RETAIL_SQL, "2011-12-09"), ("cdnow_master.csv", CDNOW_SQL, "1998-06-30")],
)
def test_an_independent_sql_agrees_on_every_customer(
    shared: Path, tmp_path: Path, name: str, sql: str, as_of: str
) -> None:
    file = shared / "data/orders" / name
    userops("rfm", file, "--per-user", "-o", tmp_path / "users.csv", "-q")
    ours = pl.read_csv(tmp_path / "users.csv", schema_overrides={"user_id": pl.String})
    query = sql.format(file=file, scores=SCORES_SQL.format(as_of=as_of))
    theirs = duckdb.sql(query).pl()
    assert ours["user_id"].to_list() == theirs["user_id"].to_list()
    for column in ("recency_days", "orders", "r", "f", "m"):
        assert ours[column].to_list() == theirs[column].to_list(), column
    assert ours["monetary"].to_list() == pytest.approx(theirs["monetary"].to_list(), abs=1e-4)


def test_nothing_but_the_data_decides_the_bytes(shared: Path, tmp_path: Path) -> None:
    """Shuffled rows, split files, one thread or four, CSV or Parquet: the same customers and tiers, byte for byte."""
    whole = pl.read_parquet(shared / "data/orders/online_retail.parquet")
    whole.write_parquet(tmp_path / "orders.parquet")
    whole.write_csv(tmp_path / "orders.csv")
    whole.sample(fraction=1.0, shuffle=True, seed=1).write_parquet(tmp_path / "shuffled.parquet")
    for number, part in enumerate(whole.iter_slices(200_000)):
        part.write_parquet(tmp_path / f"part-{number}.parquet")

    def answer(*files: str, per_user: bool, **environment: str) -> object:
        if per_user:
            return userops("rfm", *files, "--per-user", "--csv", "-q", cwd=tmp_path, **environment)
        found = json.loads(userops("rfm", *files, "--json", "-q", cwd=tmp_path, **environment))
        return found["rows"], found["summary"], found["tables"]

    for per_user in (True, False):
        expected = answer("orders.parquet", per_user=per_user)
        assert answer("shuffled.parquet", per_user=per_user, POLARS_MAX_THREADS="4") == expected
        assert answer("part-*.parquet", per_user=per_user) == expected
        assert answer("orders.csv", per_user=per_user, POLARS_MAX_THREADS="1") == expected
