"""What engages and sells: counts in plain Python, an item that hardly sells, the rhythm of new ones, the quiet shop."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from userops import demo, frames
from userops.checkup import content
from userops.checkup.findings import Finding, Looked
from userops.models import shop as _shop  # noqa: F401  # numpy is loaded once, not in the middle of a test

LAST = date(2026, 6, 30)
NOON = datetime(2026, 6, 30, 12)

Row = tuple[str, str, int, str | None]


def events(rows: Sequence[Row]) -> pl.DataFrame:
    """Rows of (user, event, days before the last, item)."""
    return pl.DataFrame(
        {
            "user_id": pl.Series([user for user, *_ in rows], dtype=pl.String),
            "event": pl.Series([event for _, event, *_ in rows], dtype=pl.String),
            "time": pl.Series([NOON - timedelta(days=ago) for _, _, ago, _ in rows], dtype=pl.Datetime("us")),
            "item_id": pl.Series([item for *_, item in rows], dtype=pl.String),
        }
    )


def look(frame: pl.DataFrame, orders: pl.DataFrame | None = None, **options: Any) -> Looked:
    return content.look(frames.events(frame), None if orders is None else frames.orders(orders), **options)


def by_id(looked: Looked) -> dict[str, Finding]:
    return {finding.id: finding for finding in looked.findings}


def seen(looked: Looked) -> dict[str, Any]:
    return {evidence.label.en: evidence.value for evidence in looked.evidence}


def sold(item: str, viewers: int, buyers: int) -> list[Row]:
    return [
        *((f"{item}{i}", "view", i % 60, item) for i in range(viewers)),
        *((f"{item}{i}", "buy", i % 60, item) for i in range(buyers)),
    ]


def test_counts_are_those_of_plain_python() -> None:
    rng = random.Random(11)
    names = ("view", "buy", "share")
    rows: list[Row] = [
        (f"u{rng.randrange(30)}", rng.choice(names), rng.randrange(150), rng.choice(["a", "b", "c", None]))
        for _ in range(800)
    ]
    table = frames.events(events(rows))
    found = content.per_item(table, "item_id", goal=["buy"], as_of=LAST).of(table.rows).collect()
    late = [(user, event, item) for user, event, ago, item in rows if item and ago < content.WINDOW]
    wanted = {
        item: (len({u for u, _, i in late if i == item}), len({u for u, e, i in late if i == item and e == "buy"}))
        for item in "abc"
    }
    assert {item: (users, buyers) for item, users, buyers, _ in found.iter_rows()} == wanted
    first = content.first_days(table, "item_id", as_of=LAST).of(table.rows).collect()
    days = dict(first.iter_rows())
    assert days == {
        item: (LAST - date(1970, 1, 1)).days - max(ago for *_, ago, i in rows if i == item) for item in "abc"
    }


def test_an_item_that_many_see_and_few_buy() -> None:
    rows = [*sold("good", 400, 120), *sold("fine", 300, 90), *sold("dud", 300, 15), *sold("rare", 20, 0)]
    looked = look(events(rows))
    assert list(by_id(looked)) == ["content.conversion.item_id=dud"]
    found = looked.findings[0]
    assert (found.severity, found.value, found.n, found.segment) == ("info", 0.05, 300, "item_id=dud")
    assert found.baseline == 210 / 720
    assert "5.0%" in found.title.en
    assert "5.0%" in found.title.zh
    assert looked.tested == 3
    shown = looked.views[0].rows
    assert shown["item"].to_list() == ["good", "dud", "fine"]
    assert shown["conversion"].to_list() == [0.3, 0.05, 0.3]
    assert seen(looked)["item_id: how many in 90 days"] == 4
    other = look(events(rows), goal="share")
    assert not other.findings
    assert any("no event that sells (share)" in text.en for text in other.left_out)


def test_rows_after_as_of_and_rejected_ones_are_not_looked_at() -> None:
    rows = [*sold("good", 400, 120), *sold("dud", 300, 15)]
    later: list[Row] = [(f"dud{i}", "buy", -5, "dud") for i in range(300)]
    nobody: list[Row] = [("", "buy", 3, "dud")] * 300
    assert look(events([*rows, *later, *nobody]), as_of=LAST).findings == look(events(rows), as_of=LAST).findings


def test_columns_of_orders_are_ranked_by_what_was_paid() -> None:
    orders = pl.DataFrame(
        {
            "user_id": ["a", "b", "a", "c", "d"],
            "ordered_at": [NOON, NOON, NOON, NOON, NOON - timedelta(days=200)],
            "amount": [5.0, 5.0, 30.0, -10.0, 99.0],
            "category": ["tea", "tea", "pots", "pots", "gone"],
        }
    )
    looked = content.look(None, frames.orders(orders))
    assert looked.views[0].rows.rows() == [("pots", 2, 20.0, 2 / 3), ("tea", 2, 10.0, 1 / 3)]
    assert looked.left_out[0].en.startswith("conversion of items needs events")
    assert seen(looked)["category: how many in 90 days"] == 2


def test_concentration_is_the_share_of_the_ten_first() -> None:
    rows = [row for i in range(20) for row in sold(f"i{i:02}", 30 if i < 10 else 10, 0)]
    assert seen(look(events(rows)))["item_id: share of the top 10"] == 0.75


def test_new_items_that_stop_coming() -> None:
    steady: list[Row] = [("u", "view", ago, "old") for ago in range(200)]
    weekly: list[Row] = [("u", "view", ago, f"new{ago}") for ago in range(30, 130, 2)]
    found = by_id(look(events([*steady, *weekly])))["content.new_items.item_id"]
    assert (found.severity, found.value) == ("info", 0.0)
    assert found.baseline == 41 / 3
    going_on: list[Row] = [("u", "view", ago, f"new{ago}") for ago in range(0, 130, 2)]
    told = look(events([*steady, *going_on]))
    assert not told.findings
    assert seen(told)["item_id: new ones a week"] == 14 / 4
    young = look(events([("u", "view", ago, f"new{ago}") for ago in range(30, 100)]))
    assert not young.findings  # the data are too young to say


def test_the_same_on_shuffled_rows() -> None:
    frame = events([*sold("good", 400, 120), *sold("dud", 300, 15), *sold("<b>x</b>", 120, 40)])
    one, other = look(frame), look(frame.sample(fraction=1.0, shuffle=True, seed=4))
    assert one.findings == other.findings
    assert one.evidence == other.evidence
    assert all(a.rows.equals(b.rows) for a, b in zip(one.views, other.views, strict=True))


@pytest.mark.parametrize(
    "rows", [[], [("u", "view", 0, None)], [("u", "view", 0, "a")], [("u", "view", 0, " "), ("u", "view", 0, "a")]]
)
def test_little_or_nothing(rows: list[Row]) -> None:
    looked = look(events(rows))
    assert not looked.findings
    assert looked.skipped


def test_nothing_given() -> None:
    assert content.look(None).status == "skipped"
    assert look(events([("u", "view", 0, "a")]).drop("item_id")).status == "skipped"


def test_a_quiet_shop_is_quiet() -> None:
    for seed in range(2):
        shop = demo.tables(demo.Settings(seed=seed, stories=False))
        looked = look(shop.events, shop.orders, goal="purchase", products=("product", "category"))
        assert {f.severity for f in looked.findings} <= {"info"}
        assert [block.title.en for block in looked.views] == [
            "Most seen, by item_id", "Best sold, by product", "Best sold, by category",
        ]  # fmt: skip
