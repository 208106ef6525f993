"""A check-up of content: which items, pages or campaigns engage and convert, how often there is something new.

Reduce: events and orders to one row per item, in one scan each. Finish: shares, conversion with its interval, and a test
of every item with enough viewers against all the others together.

Definitions (docs/methods.md): a viewer of an item had any event about it in the window, a converted one the goal event
about it too; an item is new in the week of its first row, unless the data begin less than :data:`NEW` days before.
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import polars as pl

from userops import frames, money, partition, periods, stats, tables
from userops.checkup.findings import Evidence, Finding, Looked
from userops.collecting import collect
from userops.results import Block, Column, TableBlock, Text

WINDOW = 90
"""Days in which items are compared."""

NEW = 28
"""Days in which there should be something new, held against three times as many before."""

ENOUGH, MOST = 100, 500
"""Viewers that an item takes to be compared, and how many are compared, the most seen ones."""

SURE, WORSE = 0.01, 0.7
"""Below which q, and below which part of the others' conversion, an item is worth a look."""

EXPECTED = 5.0
"""New items that a window must have led one to expect before their absence says anything."""

SHOWN = 10
"""Items of a table, and of a concentration."""

GOALS: tuple[str, ...] = (
    "purchase", "buy", "bought", "order", "order_placed", "place_order", "order_completed", "checkout_completed", "paid",
    "pay", "payment", "购买", "下单", "支付", "付款",
)  # fmt: skip
"""Events that sell, where nobody says which one does."""


def look(
    events: frames.Events | None,
    orders: frames.Orders | None = None,
    *,
    items: Sequence[str] = ("item_id", "page", "campaign"),
    products: Sequence[str] = ("product_id", "category"),
    goal: str | None = None,
    as_of: date | None = None,
) -> Looked:
    """What engages and sells: for each of the columns ``items`` of the events and ``products`` of the orders that are there.

    ``goal``: the event that converts; None: any of :data:`GOALS`. ``as_of``: the last day of the :data:`WINDOW`; None: the
    latest day of all. The p value of a finding is corrected for the items of its column.
    """
    seen = _subjects(events, items, (goal,) if goal else GOALS, as_of) if events else []
    sold = _subjects(orders, products, None, as_of) if orders else []
    if not (seen or sold):
        return Looked("content", left_out=(_NO_COLUMNS,), skipped=True)
    found: list[Finding] = []
    evidence: list[Evidence] = []
    left_out: list[Text] = []
    views: list[Block] = []
    compared = 0
    for subject in (*seen, *sold):
        tested = _tested(subject)
        compared += tested.height
        found += [*_converting_worse(subject, tested), *_nothing_new(subject)]
        evidence += _evidence(subject)
        views += _views(subject, tested)
        if subject.goal is not None and not int(subject.rows["buyers"].sum()):
            left_out.append(_no_goal(subject))
    if not seen:
        left_out.append(_NO_EVENTS)
    return Looked("content", tuple(found), tuple(evidence), tuple(left_out), tuple(views), tested=compared)


_NO_COLUMNS = Text(
    "content needs events with item_id, page or campaign, or orders with a product or category",
    "内容分析需要含 item_id、page 或 campaign 的事件,或含商品、品类的订单",
)
_NO_EVENTS = Text(
    "conversion of items needs events with item_id, page or campaign",
    "内容转化率需要含 item_id、page 或 campaign 的事件",
)


def _no_goal(subject: _Subject) -> Text:
    goal = subject.goal or ""
    return Text(
        f"conversion by {subject.column}: no event that sells ({goal}) names one",
        f"按 {subject.column} 的转化率:没有带该列的成交事件({goal})",
    )


# --- reduce ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Subject:
    """What one column names, with its numbers: ``item, users, buyers, amount, first``, by users.

    Users, buyers and amount are those of the window; ``first``: the day (since 1970) of its first row of all.
    ``goal``: the events that convert; None: orders, where everybody bought. ``begins``: the first day of any.
    """

    name: str
    column: str
    goal: str | None
    as_of: date
    begins: int
    rows: pl.DataFrame

    @property
    def again(self) -> str:
        """The command that gives the numbers again."""
        kind = "orders" if self.goal is None else "events"
        return f"userops diagnose --{kind} {shlex.quote(self.name)} --as-of {self.as_of}"

    @property
    def weight(self) -> str:
        """What items are ranked by: what was paid for them, else who saw them."""
        return "amount" if self.goal is None and int(self.rows["amount"].sum()) > 0 else "users"


def _in_time(table: frames.Table, column: str, as_of: date) -> tuple[pl.Expr, pl.Expr]:
    """The day of a row, and whether it counts, names something, and is not later than as-of."""
    day = tables.day(pl.col(table.time).to_physical())
    return day, (pl.col("reject") == 0) & pl.col(column).is_not_null() & (day <= periods.epoch_day(as_of))


def per_item(table: frames.Table, column: str, *, goal: Sequence[str] | None, as_of: date) -> partition.Reduce:
    """One row per value of a column in the window: ``item, users, buyers, amount`` (:class:`_Subject`), sums over users."""
    day, good = _in_time(table, column, as_of)
    amount = pl.col("amount") if isinstance(table, frames.Orders) and table.has_amount else pl.lit(0, pl.Int64)
    buys = amount >= 0 if goal is None else pl.col("event").is_in(list(goal))

    def of(rows: pl.LazyFrame) -> pl.LazyFrame:
        inside = rows.filter(good, day > periods.epoch_day(as_of) - WINDOW)
        user = pl.col("user_id").hash(tables.USER_SEED)
        each = inside.select(item=column, user=user, buys=buys, amount=amount).group_by("item", "user")
        pairs = each.agg(pl.col("buys").any(), pl.col("amount").sum())
        bought = pl.col("buys").sum().cast(pl.Int64)
        return pairs.group_by("item").agg(users=pl.len().cast(pl.Int64), buyers=bought, amount=pl.col("amount").sum())

    return partition.Reduce(of, keys=("item",))


def first_days(table: frames.Table, column: str, *, as_of: date) -> partition.Reduce:
    """The first day of every value of a column, since 1970: ``item, first``."""
    day, good = _in_time(table, column, as_of)

    def of(rows: pl.LazyFrame) -> pl.LazyFrame:
        named = pl.when(good).then(column)
        return rows.group_by(item=named).agg(first=day.min()).filter(pl.col("item").is_not_null())

    return partition.Reduce(of, keys=("item",), earliest=("first",))


def _subjects(
    table: frames.Table, columns: Sequence[str], goal: Sequence[str] | None, as_of: date | None
) -> list[_Subject]:
    """The columns that the table has and that name something, each with its items, the most seen first."""
    there = [name for name in columns if name in table.rows.collect_schema()]
    if not there:
        return []
    last = as_of or _latest(table)
    if last is None:
        return []
    reduces = {name: per_item(table, name, goal=goal, as_of=last) for name in there}
    reduces |= {f"first {name}": first_days(table, name, as_of=last) for name in there}
    found = partition.run(table.rows, reduces, what=table.name, partitions=partition.count_for(table.size))
    said = None if goal is None else goal[0] if len(goal) == 1 else ", ".join(GOALS[:3]) + ", …"
    subjects = []
    for name in there:
        rows = found[f"first {name}"].join(found[name], on="item", how="left")
        rows = rows.with_columns(pl.col("item").cast(pl.String), pl.exclude("item", "first").fill_null(0))
        rows = rows.filter(pl.col("item").str.strip_chars() != "").sort("users", "item", descending=[True, False])
        if rows.height > 1:
            subjects.append(_Subject(table.name, name, said, last, int(rows["first"].min()), rows))  # type: ignore[arg-type] # a day
    return subjects


def _latest(table: frames.Table) -> date | None:
    """The day of the latest row that counts."""
    day = tables.day(pl.col(table.time).to_physical())
    latest = collect(frames.good(table.rows).select(day.max()), table.name).item()
    return None if latest is None else date(1970, 1, 1) + timedelta(days=latest)


# --- finish ---------------------------------------------------------------------------------------------------------


def _tested(subject: _Subject) -> pl.DataFrame:
    """The items with enough viewers: ``item, users, buyers, conversion, low, high, others, q``, the most seen first.

    Conversion with its Wilson interval, that of all other items together, and q (Benjamini-Hochberg) of their difference.
    """
    users, buyers = int(subject.rows["users"].sum()), int(subject.rows["buyers"].sum())
    enough = subject.rows.filter(pl.col("users") >= ENOUGH).head(MOST if subject.goal is not None and buyers else 0)
    low, high = stats.wilson(pl.col("buyers"), pl.col("users"))
    p_values = [
        stats.two_proportions(x, n, buyers - x, users - n).p for n, x in enough.select("users", "buyers").iter_rows()
    ]
    return enough.select(
        "item",
        "users",
        "buyers",
        conversion=stats.ratio(pl.col("buyers"), pl.col("users")),
        low=low,
        high=high,
        others=stats.ratio(buyers - pl.col("buyers"), users - pl.col("users")),
        q=pl.Series(stats.false_discovery(p_values), dtype=pl.Float64),
    )


def _converting_worse(subject: _Subject, tested: pl.DataFrame) -> Iterator[Finding]:
    """Items that many see and clearly fewer buy than other items; those with the most lost buyers first."""
    lost = pl.col("users") * pl.col("others") - pl.col("buyers")
    worse = tested.filter(pl.col("q") < SURE, pl.col("conversion") < WORSE * pl.col("others"))
    for row in worse.sort(lost, "item", descending=[True, False]).head(3).iter_rows(named=True):
        item, value, others = row["item"], row["conversion"], row["others"]
        segment = f"{subject.column}={item}"
        due = subject.as_of + timedelta(days=NEW)
        yield Finding(
            id=f"content.conversion.{segment}",
            area="content",
            title=Text(
                f"{item}: {row['users']:,} users looked, {value:.1%} bought; {others:.1%} of those of other items",
                f"{item}:{row['users']:,} 人浏览,{value:.1%} 购买;其他内容为 {others:.1%}",
            ),
            severity="info",
            metric="conversion",
            segment=segment,
            since=subject.as_of - timedelta(days=WINDOW - 1),
            until=subject.as_of,
            value=value,
            baseline=others,
            delta=value - others,
            n=row["users"],
            p_value=row["q"],
            kind="share",
            actions=(
                Text(
                    "Look at it as a customer: price, pictures, stock, size; mend it, or show something else in its place.",
                    "以顾客身份检查价格、图片、库存与尺码;改进它,或换上其他内容。",
                ),
            ),
            prevention=(
                Text(
                    "Give the best places to what converts, and look at the table below every month.",
                    "把最好的位置留给转化高的内容,并每月查看下表。",
                ),
            ),
            proof=Text(
                f"By {due}, at least {(value + others) / 2:.1%} of those who look at it buy it.",
                f"到 {due},浏览者中至少 {(value + others) / 2:.1%} 购买。",
            ),
            reproduce=subject.again,
        )


def new_items(rows: pl.DataFrame, begins: int, as_of: int) -> tuple[int, int]:
    """How many items are new in the last :data:`NEW` days, and in three times as many days before.

    Days since 1970. Those of the first :data:`NEW` days of the data are old: nobody knows since when.
    """
    first = rows.filter(pl.col("first") >= begins + NEW)["first"]
    now = int(first.is_between(as_of - NEW + 1, as_of).sum())
    return now, int(first.is_between(as_of - 4 * NEW + 1, as_of - NEW).sum())


def _nothing_new(subject: _Subject) -> Iterator[Finding]:
    """That new items, once frequent, have become rare."""
    today = periods.epoch_day(subject.as_of)
    if today - subject.begins < 5 * NEW:
        return
    now, before = new_items(subject.rows, subject.begins, today)
    expected = before / 3
    if expected < EXPECTED or 2 * now >= expected:
        return
    p = min(1.0, 2 * sum(math.exp(-expected + k * math.log(expected) - math.lgamma(k + 1)) for k in range(now + 1)))
    if p >= SURE:
        return
    yield Finding(
        id=f"content.new_items.{subject.column}",
        area="content",
        title=Text(
            f"Fewer new values of {subject.column}: {now} in {NEW} days, {expected:.1f} before",
            f"新增 {subject.column} 减少:近 {NEW} 天 {now} 个,此前平均 {expected:.1f} 个",
        ),
        severity="info",
        metric="new_items",
        since=subject.as_of - timedelta(days=NEW - 1),
        until=subject.as_of,
        value=float(now),
        baseline=expected,
        delta=now - expected,
        n=now,
        p_value=p,
        kind="count",
        actions=(Text("Ask who makes new content, and what keeps them.", "了解谁负责新内容、卡在哪里。"),),
        prevention=(Text("Keep a calendar of what comes when, two weeks ahead.", "保持至少两周的内容排期。"),),
        proof=Text(
            f"By {subject.as_of + timedelta(days=NEW)}, at least {expected:.0f} new ones have come.",
            f"到 {subject.as_of + timedelta(days=NEW)},至少新增 {expected:.0f} 个。",
        ),
        reproduce=subject.again,
    )


def _evidence(subject: _Subject) -> Iterator[Evidence]:
    what = subject.column
    here = subject.rows.filter(pl.col("users") > 0)
    yield Evidence(Text(f"{what}: how many in {WINDOW} days", f"{what}:{WINDOW} 天内的数量"), here.height, "count")
    total = int(here[subject.weight].sum())
    if here.height > SHOWN and total > 0:
        top = int(here[subject.weight].sort(descending=True).head(SHOWN).sum())
        of = Text("of revenue", "占收入") if subject.weight == "amount" else Text("of viewers", "占浏览用户")
        yield Evidence(
            Text(f"{what}: share of the top {SHOWN}", f"{what}:前 {SHOWN} 个的占比"), top / total, "share", of
        )
    today = periods.epoch_day(subject.as_of)
    if today - subject.begins >= 5 * NEW:
        now, before = new_items(subject.rows, subject.begins, today)
        note = Text(f"{before / 12:.1f} in the {3 * NEW} days before", f"此前 {3 * NEW} 天为 {before / 12:.1f}")
        yield Evidence(Text(f"{what}: new ones a week", f"{what}:每周新增"), now / 4, "number", note)


def _views(subject: _Subject, tested: pl.DataFrame) -> Iterator[Block]:
    """The most seen items with how they convert, or the best sold ones."""
    item = Column("item", Text(subject.column, subject.column))
    if subject.goal is not None and not tested.is_empty():
        columns = (
            item,
            Column("users", Text("Users", "用户数"), "count"),
            Column("conversion", Text("Conversion", "转化率"), "share", bar=True),
            Column("low", Text("from", "下限"), "share"),
            Column("high", Text("to", "上限"), "share"),
            Column("others", Text("Others", "其他"), "share"),
        )
        title = Text(f"Most seen, by {subject.column}", f"浏览最多的 {subject.column}")
        yield TableBlock(title, columns, tested.head(SHOWN))
    elif subject.goal is None:
        sold = subject.rows.filter(pl.col("users") > 0)
        total = int(sold[subject.weight].sum())
        share = stats.ratio(pl.col(subject.weight), pl.lit(total))
        best = sold.sort(subject.weight, "item", descending=[True, False]).head(SHOWN)
        rows = best.select("item", "users", amount=money.units(pl.col("amount")), share=share)
        paid = (Column("amount", Text("Revenue", "收入"), "money"),) if subject.weight == "amount" else ()
        columns = (
            item,
            Column("users", Text("Buyers", "购买用户"), "count"),
            *paid,
            Column("share", Text("Share", "占比"), "share", bar=True),
        )
        yield TableBlock(Text(f"Best sold, by {subject.column}", f"销售最好的 {subject.column}"), columns, rows)
