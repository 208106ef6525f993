"""The simulated shop: the same bytes for the same seed, tables that agree, stories that can be found."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tomllib
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from userops import demo
from userops.demo import STORIES, Settings, Shop
from userops.errors import OutputError, UsageError
from userops.models import shop as model
from userops.outputs.saving import write_atomically

SMALL = Settings(customers=2_300, days=120, seed=7)
STORY = {story.id: story for story in STORIES}
TOLD, PLAIN = Settings(), Settings(stories=False)


@pytest.fixture(scope="module")
def told() -> Shop:
    """The default shop."""
    return demo.tables(TOLD)


@pytest.fixture(scope="module")
def plain() -> Shop:
    """The same shop without stories."""
    return demo.tables(PLAIN)


def hashes(folder: Path) -> dict[str, str]:
    """What every file of a folder holds."""
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in folder.iterdir()}


def during(column: str, story: str) -> pl.Expr:
    """Rows within the days of a story of the default shop."""
    first, last = STORY[story].dates(TOLD) or (date.max, date.max)
    return pl.col(column).dt.date().is_between(first, last)


def bought(shop: Shop) -> pl.DataFrame:
    """Orders that are no refunds."""
    return shop.orders.filter(pl.col("amount") > 0)


def one(frame: pl.DataFrame, value: pl.Expr) -> Any:
    """A single number about a frame."""
    return frame.select(value).item()


# The same for the same seed


def test_two_runs_write_the_same_bytes(tmp_path: Path) -> None:
    """Files do not remember when or how often they were made; writing again replaces them."""
    first = demo.write(SMALL, tmp_path / "a", write_atomically)
    before = hashes(tmp_path / "a")
    assert demo.write(SMALL, tmp_path / "a", write_atomically) == first
    demo.write(SMALL, tmp_path / "b" / "deeper", write_atomically)
    assert hashes(tmp_path / "a") == before == hashes(tmp_path / "b" / "deeper")
    assert set(before) == set(demo.FILES)


def test_threads_change_nothing(tmp_path: Path) -> None:
    """One thread and four write the same bytes."""
    program = (
        "import sys; from userops import demo; from userops.outputs.saving import write_atomically as save; "
        "demo.write(demo.Settings(customers=2300, days=120, seed=7), sys.argv[1], save)"
    )
    for threads in ("1", "4"):
        environment = os.environ | {"POLARS_MAX_THREADS": threads, "PYTHONPATH": os.pathsep.join(sys.path)}
        subprocess.run([sys.executable, "-c", program, str(tmp_path / threads)], env=environment, check=True)
    assert hashes(tmp_path / "1") == hashes(tmp_path / "4")


def test_the_size_of_a_block_changes_no_row() -> None:
    """Drawn a thousand customers at a time or all at once, the rows are the same."""
    whole = demo.tables(SMALL)
    blocks = list(demo.blocks(SMALL, customers=1_000))
    assert len(blocks) == 3
    for table, key in demo.SORTED_BY.items():
        rows = pl.concat([block[table] for block in blocks]).sort(key, nulls_last=True)
        assert_frame_equal(rows, getattr(whole, table))


def test_more_customers_leave_the_first_thousands_alone() -> None:
    """A larger shop holds the smaller one."""
    small, large = demo.tables(Settings(1_500, 90)), demo.tables(Settings(2_500, 90))
    for table in ("users", "orders", "events", "feedback"):
        old = pl.col("user_id") <= "U0001000"
        assert_frame_equal(getattr(small, table).filter(old), getattr(large, table).filter(old))


def test_another_seed_is_another_shop() -> None:
    """The seed matters, and large seeds are as good as small ones."""
    seeds = (0, 1, 2**70)
    assert len({demo.tables(Settings(50, 60, seed)).events.hash_rows().sum() for seed in seeds}) == len(seeds)


# Files


def test_files_hold_the_tables(tmp_path: Path) -> None:
    """What is written is what ``tables`` gives, and what the list of files says."""
    listed = {file.name: file for file in demo.write(SMALL, tmp_path, write_atomically)}
    whole = demo.tables(SMALL)
    for name, file in listed.items():
        assert file.bytes == (tmp_path / name).stat().st_size
        if name.endswith(".parquet"):
            rows = pl.read_parquet(tmp_path / name)
            assert_frame_equal(rows, getattr(whole, name.removesuffix(".parquet")))
        elif name.endswith(".csv"):
            rows = pl.read_csv(tmp_path / name, try_parse_dates=True)
            assert rows.columns == getattr(whole, name.removesuffix(".csv")).columns
            assert file.rows == rows.height == getattr(whole, name.removesuffix(".csv")).height
    assert listed["userops.toml"].rows is None
    assert pl.read_csv(tmp_path / "costs.csv")["spend"].to_list() == whole.costs["spend"].to_list()


def test_goals_name_events_that_exist(told: Shop) -> None:
    """The configuration parses, and its steps happen."""
    goals = tomllib.loads(told.goals)
    names = set(told.events["event"].unique())
    assert {*goals["funnel"]["steps"], goals["activation"]["event"]} <= names == set(model.EVENTS)


def test_a_failure_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No half shop: the old files stay, and nothing unfinished is left behind."""
    demo.write(SMALL, tmp_path, write_atomically)
    before = hashes(tmp_path)

    def broken(_: Settings) -> pl.DataFrame:
        raise RuntimeError

    monkeypatch.setattr(demo, "_costs", broken)
    with pytest.raises(RuntimeError):
        demo.write(Settings(100, 30), tmp_path, write_atomically)
    assert hashes(tmp_path) == before


def test_a_folder_that_cannot_be(tmp_path: Path) -> None:
    """A file where the folder should go is an output error, not a traceback."""
    (tmp_path / "taken").write_text("mine")
    with pytest.raises(OutputError):
        demo.write(SMALL, tmp_path / "taken", write_atomically)
    with pytest.raises(OutputError):
        demo.write(SMALL, tmp_path / "taken" / "below", write_atomically)


@pytest.mark.parametrize(
    "wrong", [{"customers": 0}, {"customers": -1}, {"customers": 10**7}, {"days": 0}, {"days": 10**6}, {"seed": -1}]
)
def test_values_that_make_no_shop(wrong: dict[str, Any]) -> None:
    """A bad value stops before anything is drawn."""
    with pytest.raises(UsageError) as problem:
        Settings(**wrong)
    assert problem.value.code == "E_BAD_VALUE"


@pytest.mark.parametrize(("customers", "days"), [(1, 1), (1, 365), (300, 1), (1_001, 2)])
def test_tiny_shops(tmp_path: Path, customers: int, days: int) -> None:
    """The smallest shops work, write every file, and keep their promises."""
    settings = Settings(customers, days, seed=3)
    assert len(demo.write(settings, tmp_path, write_atomically)) == len(demo.FILES)
    assert pl.read_parquet(tmp_path / "orders.parquet").columns[0] == "order_id"
    agrees(demo.tables(settings), settings)


# Tables that agree


def agrees(shop: Shop, settings: Settings) -> None:
    """Ids are unique and known, times lie where they must, purchases are orders."""
    users, orders, events = shop.users, shop.orders, shop.events
    assert users.height == users["user_id"].n_unique() == settings.customers
    assert orders["order_id"].is_unique().all()
    assert events["event_id"].is_unique().all()
    known = users["user_id"].implode()
    for table, column in (
        (orders, "user_id"), (events, "user_id"), (shop.feedback, "user_id"), (users, "invited_by"),
        (shop.referrals, "referrer_id"), (shop.referrals, "user_id"),
    ):  # fmt: skip
        assert table[column].drop_nulls().is_in(known).all(), column
    first = pl.lit(settings.start).cast(pl.Datetime("us"))
    for table, column in (
        (orders, "ordered_at"), (events, "time"), (users, "signed_up_at"), (shop.feedback, "time"),
        (shop.referrals, "invited_at"),
    ):  # fmt: skip
        inside = pl.col(column).is_between(first, first + timedelta(settings.days), closed="left")
        assert table.select(inside.all()).item(), column
        assert table.select((pl.col(column).dt.microsecond() % 1_000 == 0).all()).item(), column
    assert one(events, (pl.col("ingested_at") > pl.col("time")).all())
    signed = orders.join(users.select("user_id", "signed_up_at"), on="user_id")
    assert one(signed, (pl.col("ordered_at") > pl.col("signed_up_at")).all())
    purchases = events.filter(event="purchase").select("order_id", "user_id", "time", "channel", "platform", "item_id")
    sales = bought(shop).select("order_id", "user_id", "ordered_at", "channel", "platform", "product")
    renamed = sales.rename({"ordered_at": "time", "product": "item_id"})
    assert_frame_equal(purchases.sort("order_id"), renamed.sort("order_id"))
    assert events.filter(pl.col("event") != "purchase")["order_id"].null_count() == events.height - purchases.height


def test_tables_agree(told: Shop, plain: Shop) -> None:
    """With stories and without."""
    agrees(told, TOLD)
    agrees(plain, PLAIN)


def test_signing_up_and_inviting_are_events_too(told: Shop) -> None:
    """Users, referrals and events tell one story."""
    signed = told.events.filter(event="sign_up").select("user_id", signed_up_at="time").sort("user_id")
    assert_frame_equal(signed, told.users.select("user_id", "signed_up_at"))
    sent = told.events.filter(event="invite").select(referrer_id="user_id", invited_at="time")
    by = ["invited_at", "referrer_id"]
    assert_frame_equal(sent.sort(by), told.referrals.select("referrer_id", "invited_at").sort(by))
    joined = told.referrals.drop_nulls().join(told.users, on="user_id")
    assert one(joined, (pl.col("referrer_id") == pl.col("invited_by")).all())
    assert one(joined, (pl.col("invited_at") < pl.col("signed_up_at")).all())
    assert joined.height == told.users["invited_by"].count() == told.users.filter(channel="referral").height


def test_rows_come_by_time(told: Shop) -> None:
    """A shop of one block is sorted through and through."""
    for table, key in demo.SORTED_BY.items():
        frame: pl.DataFrame = getattr(told, table)
        assert_frame_equal(frame, frame.sort(key, nulls_last=True))


def test_a_session_walks_the_funnel_in_order(plain: Shop) -> None:
    """Within a session nothing is bought before the checkout, nor put in the cart before it was seen."""
    steps = ["visit", "view_item", "add_to_cart", "begin_checkout", "purchase"]
    times = plain.events.group_by("session_id").agg(
        pl.col("time").filter(event=step).min().alias(step) for step in steps
    )
    for earlier, later in pairwise(steps):
        assert times.filter(pl.col(earlier) > pl.col(later)).height == 0, (earlier, later)
    assert plain.events.group_by("session_id").agg(pl.col("user_id").n_unique())["user_id"].max() == 1


def test_refunds(told: Shop) -> None:
    """About one order in fifty comes back, in full or by half, on a later day, under an id of its own."""
    refunds = told.orders.filter(pl.col("amount") <= 0)
    assert refunds["order_id"].str.starts_with("R").all()
    assert not bought(told)["order_id"].str.starts_with("R").any()
    assert 0.01 < refunds.height / bought(told).height < 0.03
    pairs = refunds.with_columns(order_id=pl.lit("O") + pl.col("order_id").str.slice(1)).join(
        told.orders, on=["order_id", "user_id", "product", "currency"], suffix="_sold"
    )
    assert pairs.height == refunds.height
    assert one(pairs, (pl.col("ordered_at") - pl.col("ordered_at_sold") >= timedelta(1)).all())
    share = pairs.select((-pl.col("amount") / pl.col("amount_sold")).round(2))["amount"]
    assert set(share.unique()) == {0.5, 1.0}


# A plausible shop


def test_it_looks_like_a_shop(plain: Shop) -> None:
    """Shares and rates that somebody who works with such data would expect."""
    orders, events, users = bought(plain), plain.events, plain.users
    per_buyer, number = orders.group_by("user_id").len(), pl.col("len")
    assert 2 < one(per_buyer, number.mean()) < 5
    assert 0.30 < one(per_buyer, (number == 1).mean()) < 0.70
    assert 35 < events.height / users.height < 50
    assert 2 / 7 + 0.02 < one(orders, (pl.col("ordered_at").dt.weekday() >= 6).mean()) < 0.40
    hours = orders.group_by(pl.col("ordered_at").dt.hour().alias("hour")).len().sort("len")["hour"]
    assert set(hours.head(3)) <= {2, 3, 4, 5}
    assert set(hours.tail(3)) <= {19, 20, 21, 22}
    active = events.join(users, on="user_id").with_columns(
        age=(pl.col("time").dt.date() - pl.col("signed_up_at").dt.date()).dt.total_days()
    )
    back = [active.filter(age=age)["user_id"].n_unique() / users.height for age in (1, 7, 30)]
    assert 0.35 > back[0] > back[1] > back[2] > 0.03
    assert 0.005 < one(events, (pl.col("ingested_at") - pl.col("time") > timedelta(minutes=10)).mean()) < 0.02
    cents = (orders["amount"] * 100).round().cast(pl.Int64)
    assert orders["amount"].to_list() == [cent / 100 for cent in cents]
    assert set((cents % 100).unique()) == {0, 50, 90, 99}
    assert 3 < one(orders, pl.col("amount").sum()) / one(plain.costs, pl.col("spend").sum()) < 30


# Stories


def rate(events: pl.DataFrame, condition: pl.Expr) -> float:
    """Purchases per begun checkout."""
    step = pl.col("event")
    return float(one(events.filter(condition), (step == "purchase").sum() / (step == "begin_checkout").sum()))


def test_android_checkout(told: Shop, plain: Shop) -> None:
    """Conversion halves on Android, in those days only, and people say so."""
    android, window = pl.col("platform") == "android", during("time", "android_checkout")
    ill = rate(told.events, android & window)
    assert ill / rate(plain.events, android & window) == pytest.approx(0.5, abs=0.08)
    for healthy in (android & ~window, ~android & window):
        assert rate(told.events, healthy) == pytest.approx(rate(plain.events, healthy), abs=0.04)
    assert rate(plain.events, android & window) == pytest.approx(rate(plain.events, android & ~window), abs=0.06)
    voices = told.feedback.filter(window)["text"]
    assert voices.is_in(list(model.REVIEWS[3])).sum() >= 5
    assert not plain.feedback["text"].is_in([*model.REVIEWS[3], *model.REVIEWS[4]]).any()


def activation(shop: Shop, condition: pl.Expr) -> float:
    """Share of newcomers who buy within a week, of those at least a week old."""
    first = bought(shop).group_by("user_id").agg(pl.col("ordered_at").min())
    old_enough = pl.col("signed_up_at") < pl.lit(TOLD.start + timedelta(TOLD.days - 7))
    newcomers = shop.users.filter(condition & old_enough).join(first, on="user_id", how="left")
    soon = pl.col("ordered_at") - pl.col("signed_up_at") < timedelta(7)
    return float(one(newcomers, soon.fill_null(value=False).mean()))


def test_paid_ads(told: Shop, plain: Shop) -> None:
    """Search ads win dearer and worse customers for the last 60 days; other channels do not change."""
    ads, window = pl.col("channel") == "search_ads", during("signed_up_at", "paid_ads")
    assert activation(told, ads & window) / activation(plain, ads & window) == pytest.approx(0.4, abs=0.12)
    assert activation(told, ads & ~window) == pytest.approx(activation(plain, ads & ~window), abs=0.03)
    assert activation(told, ~ads & window) == pytest.approx(activation(plain, ~ads & window), abs=0.02)
    spend = told.costs.join(plain.costs, on=["date", "channel"], suffix="_plain")
    dear = spend.filter(during("date", "paid_ads"), ads)
    assert one(dear, pl.col("spend").sum() / pl.col("spend_plain").sum()) == pytest.approx(1.6, abs=0.001)
    same = spend.filter((pl.col("channel") != "referral") & ~(ads & during("date", "paid_ads")))
    assert one(same, (pl.col("spend") == pl.col("spend_plain")).all())


def test_loyal_customers(told: Shop, plain: Shop) -> None:
    """Those who spent most, early, buy far less at the end; the rest do not."""
    start = pl.lit((STORY["loyal_customers"].dates(TOLD) or (date.max,))[0])
    early = told.users.filter(pl.col("signed_up_at").dt.date() < TOLD.start + timedelta(TOLD.days // 3))

    def last_orders(shop: Shop) -> tuple[int, int]:
        before = bought(shop).filter(pl.col("ordered_at") < start).group_by("user_id").agg(pl.col("amount").sum())
        top = before.filter(pl.col("amount") >= pl.col("amount").quantile(0.9)).join(early, on="user_id", how="semi")
        after = bought(shop).filter(pl.col("ordered_at") >= start)
        return after.join(top, on="user_id", how="semi").height, after.join(top, on="user_id", how="anti").height

    loyal, rest = (ill / well for ill, well in zip(last_orders(told), last_orders(plain), strict=True))
    assert loyal < 0.55
    assert rest > 0.9  # less only what the dear newcomers of the ads do not buy


def test_stock_out(told: Shop, plain: Shop) -> None:
    """A week without a single order of the category that usually sells best, and of that one only."""
    assert bought(plain)["category"].value_counts(sort=True)["category"][0] == "fashion"
    week, fashion = during("ordered_at", "stock_out"), pl.col("category") == "fashion"
    assert bought(told).filter(week, fashion).height == 0
    assert bought(plain).filter(week, fashion).height > 30
    others = [bought(shop).filter(week, ~fashion).height for shop in (told, plain)]
    assert others[0] == pytest.approx(others[1], rel=0.05)


def test_promotion(told: Shop, plain: Shop) -> None:
    """One day stands out in orders and visitors; it is no illness."""
    assert not STORY["promotion"].illness
    day = during("ordered_at", "promotion")
    assert bought(told).filter(day).height > 3 * bought(plain).filter(day).height
    visitors = [shop.events.filter(during("time", "promotion"))["user_id"].n_unique() for shop in (told, plain)]
    assert visitors[0] > 2 * visitors[1]
    daily = bought(plain).group_by(pl.col("ordered_at").dt.date()).len()
    assert one(daily, pl.col("len").max() < 4 * pl.col("len").median())


def test_referral(told: Shop, plain: Shop) -> None:
    """Invitations halve from a day on, and so do those who come through them."""
    after = during("invited_at", "referral")
    sent = told.referrals.filter(after), plain.referrals.filter(after)
    assert sent[0].height / sent[1].height == pytest.approx(0.5, abs=0.07)
    assert sent[0]["user_id"].count() / sent[1]["user_id"].count() == pytest.approx(0.5, abs=0.12)
    assert_frame_equal(told.referrals.filter(~after), plain.referrals.filter(~after))


def test_before_the_first_story_nothing_differs(told: Shop, plain: Shop) -> None:
    """Stories reach forward in time only."""
    first = min(story.days(TOLD).start for story in STORIES)
    before = pl.col("ordered_at") < pl.lit(TOLD.start + timedelta(first))
    assert_frame_equal(told.orders.filter(before), plain.orders.filter(before))


def test_a_story_needs_room() -> None:
    """No dates without stories, nor in a shop too young for them; else dates inside the shop's."""
    for story in STORIES:
        assert story.dates(PLAIN) is None
        assert story.dates(Settings(days=story.begins + demo.BEFORE - 1)) is None
        first, last = story.dates(Settings(days=story.begins + demo.BEFORE)) or (date.max, date.max)
        assert first == TOLD.start + timedelta(demo.BEFORE)
        assert (last - first).days == story.lasts - 1 < story.begins
    young = Settings(800, 90)
    assert_frame_equal(demo.tables(young).events, demo.tables(Settings(800, 90, stories=False)).events)
    assert STORY["promotion"].dates(TOLD) == (date(2025, 6, 18), date(2025, 6, 18))
