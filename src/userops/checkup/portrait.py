"""A check-up of who the users are: on how few the revenue rests, whether the best stay, what is known of them.

Definitions (docs/methods.md has formulas and sources): the top 1 % are the customers who paid most, at least one;
Gini: 0 where all paid alike, towards 1 where one paid all. The best customers are those in the RFM tiers Champions and
Loyal (:mod:`userops.rfm`, every tier as of its own day); they stay when they order again within :data:`DAYS` days.
An attribute is known of a user unless it is blank or says that it is not (``unknown``, ``未知``).
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from typing import Any

import polars as pl

from userops import frames, partition, periods, rfm, stats, tables
from userops.checkup.findings import Evidence, Finding, Looked
from userops.results import Block, Column, TableBlock, Text

DAYS = 28
"""Days in which the best customers are to order again."""

BEST = ("Champions", "Loyal")
"""The tiers of the best customers."""

ENOUGH = 100
"""Best customers in either period below which nothing is said of whether they stay."""

SURE, LIKELY, TENTH = 0.01, 0.05, 0.1
"""Below which p the loss of the best is a warning, and worth knowing; and the least loss of them that is either."""

CONCENTRATED, ROSE, FEW = 0.30, 0.10, 1_000
"""The share of the top 1 % that is worth knowing, the rise of it in 90 days that is a warning; customers it takes."""

KNOWN = 0.5
"""The share of users of whom an attribute should be known."""

STALE = 365
"""Days after which what is known of a user is old."""

_UNKNOWN = frozenset({"", "unknown", "null", "none", "nan", "n/a", "na", "-", "未知", "不详", "无"})
_RELATION = re.compile(r"(?:^|[_\s])(?:id|by)$|id$|ID$|邀请人", re.IGNORECASE)
_TOUCHED = re.compile(
    r"(?:updated|modified|refreshed|verified|profile)_?(?:at|on|date|time)|更新时间|更新日期", re.IGNORECASE
)
_VALUES = 8


def look(
    orders: frames.Orders | None,
    *,
    users: pl.DataFrame | None = None,
    as_of: date | None = None,
    spent: pl.DataFrame | None = None,
) -> Looked:
    """Who the users are: revenue by customer and the best customers from ``orders``, attributes from ``users``.

    ``users``: one row per user: ``user_id`` (text), ``signed_up_at`` and attributes. ``as_of``: later orders are not
    looked at; None: the latest day. ``spent``: what :func:`spending` gives, where somebody has it already.
    """
    if orders is None and users is None:
        return Looked("portrait", left_out=(_NO_FILES,), skipped=True)
    small = _spent(orders, spent, as_of)
    found: list[Finding] = []
    evidence: list[Evidence] = []
    views: list[Block] = []
    left_out: list[Text] = []
    tested = 0
    if orders is None or small is None:
        left_out.append(_NO_ORDERS)
    else:
        base = _Base(orders.name, small, as_of or _day(small["day"].max()))
        found += [*_concentration(base), *_stayed(base)]
        evidence += [*_of_revenue(base), *_of_best(base)]
        views.append(_tiers(base))
        tested = 1
    if users is None or users.is_empty():
        left_out.append(_NO_USERS)
    else:
        about = _Known(users, as_of, orders, small)
        found += _coverage(about)
        evidence += _of_attributes(about)
        views += _distribution(about)
    nothing = not evidence and not views
    return Looked("portrait", tuple(found), tuple(evidence), tuple(left_out), tuple(views), nothing, tested)


_NO_FILES = Text(
    "the portrait needs orders with amounts, or a table of users",
    "用户画像需要带金额的订单,或用户表",
)
_NO_ORDERS = Text(
    "concentration and tiers need orders with amounts: user_id, ordered_at, amount",
    "集中度与分层需要带金额的订单:user_id、ordered_at、amount",
)
_NO_USERS = Text(
    "attributes need a table of users: user_id, signed_up_at and what is known of them",
    "用户属性需要用户表:user_id、signed_up_at 及已知属性",
)


# --- reduce ---------------------------------------------------------------------------------------------------------


def spending(orders: frames.Orders) -> partition.Reduce:
    """What each user ordered on a day: ``user`` (hash of the id), ``day`` (since 1970), ``orders``, ``amount`` (steps)."""

    def of(rows: pl.LazyFrame) -> pl.LazyFrame:
        at_grain = tables.order_rows(rows, within=(), lines=orders.grain == "line")
        counted = at_grain.rows.select(
            user=pl.when(at_grain.counts).then(pl.col("user_id").hash(tables.USER_SEED)),
            day=tables.day(pl.col("ordered_at").to_physical()),
            order=at_grain.is_order,
            amount="amount",
        )
        spent = counted.group_by("user", "day").agg(
            pl.col("order").sum().cast(pl.Int64).alias("orders"), pl.col("amount").sum()
        )
        return spent.filter(pl.col("user").is_not_null())

    return partition.Reduce(of)


def _spent(orders: frames.Orders | None, spent: pl.DataFrame | None, as_of: date | None) -> pl.DataFrame | None:
    """The spending through as-of; None where there is none to look at."""
    if orders is None or not orders.has_amount:
        return None
    if spent is None:
        spent = partition.run(orders.rows, {"spent": spending(orders)}, what=orders.name)["spent"]
    through = spent.filter(pl.col("day") <= periods.epoch_day(as_of)) if as_of else spent
    return through if int(through["orders"].sum()) else None


def _day(number: Any) -> date:
    return date(1970, 1, 1) + timedelta(days=int(number))


@dataclass(frozen=True)
class _Base:
    """The spending of all customers, and the day it is looked at."""

    name: str
    spent: pl.DataFrame
    as_of: date

    @property
    def again(self) -> str:
        """The command that gives the tiers again."""
        return self.command(self.as_of)

    def command(self, day: date) -> str:
        """The command that gives the tiers of a day."""
        return f"userops rfm {shlex.quote(self.name)} --as-of {day}"

    def summary(self, ago: int) -> pl.DataFrame:
        """One row per customer so many days ago, as :func:`tables.user_summary` has them."""
        through = pl.col("day") <= periods.epoch_day(self.as_of) - ago
        ordered = pl.when(pl.col("orders") > 0).then("day").max().cast(pl.Int64) * periods.MICROSECONDS_A_DAY
        each = self.spent.lazy().filter(through).group_by("user")
        sums = each.agg(last_order=ordered, orders=pl.col("orders").sum(), monetary=pl.col("amount").sum())
        return sums.filter(pl.col("orders") > 0).collect()

    @cached_property
    def now(self) -> pl.DataFrame:
        """The summary as of today."""
        return self.summary(0)

    @cached_property
    def stayed(self) -> tuple[int, int]:
        """Of the best customers :data:`DAYS` days ago, how many ordered since, and how many they were."""
        return _ordered_again(self, DAYS)

    def tiers(self, ago: int) -> rfm.Scored:
        """Every customer with the tier of so many days ago."""
        summary = self.summary(ago) if ago else self.now
        return rfm.tiered(summary, self.as_of - timedelta(days=ago), rfm.Settings())


# --- revenue --------------------------------------------------------------------------------------------------------


def concentration(paid: pl.Series, share: float) -> float | None:
    """The part of all that was paid that the top ``share`` of customers (at least one) paid; None of nothing."""
    total = int(paid.sum())
    top = paid.sort(descending=True).head(max(1, round(share * paid.len())))
    return int(top.sum()) / total if total > 0 else None


def gini(paid: pl.Series) -> float | None:
    """How unequally customers paid: 0 all alike, towards 1 where one paid all; below 0 counts as 0, None of nothing."""
    ordered = paid.clip(lower_bound=0).sort().cast(pl.Int128)
    n, total = ordered.len(), int(ordered.sum())
    if total == 0:
        return None
    ranked = int((ordered * pl.int_range(1, n + 1, eager=True).cast(pl.Int128)).sum())
    return (2 * ranked - (n + 1) * total) / (n * total)


def _concentration(base: _Base) -> Iterator[Finding]:
    """That few customers bring most of the revenue: worth knowing, a warning where it is lately so."""
    now = base.now["monetary"]
    share = concentration(now, 0.01)
    if share is None or share <= CONCENTRATED or now.len() < FEW:
        return
    before = base.summary(90)["monetary"]
    earlier = concentration(before, 0.01) if before.len() >= FEW else None
    rose = earlier is not None and share - earlier >= ROSE
    yield Finding(
        id="portrait.top_share",
        area="portrait",
        title=Text(
            f"1 % of the customers bring {share:.0%} of the revenue" + (f", {earlier:.0%} 90 days ago" if rose else ""),
            f"1% 的客户带来 {share:.0%} 的收入" + (f",90 天前为 {earlier:.0%}" if rose else ""),
        ),
        severity="warn" if rose else "info",
        metric="top_share",
        value=share,
        baseline=earlier,
        delta=None if earlier is None else share - earlier,
        n=now.len(),
        kind="share",
        actions=(
            Text(
                "Give each of them a person to call, and know why the first of them would leave.",
                "为这些客户安排专人对接,并了解他们可能离开的原因。",
            ),
        ),
        prevention=(
            Text(
                "Win customers of middling value: revenue on few shoulders falls with one of them.",
                "发展中等价值客户,避免收入过度依赖少数人。",
            ),
        ),
        proof=Text("The share of the top 1 % falls while revenue does not.", "收入不降而前 1% 客户的占比下降。"),
        audience=f"{base.again} --per-user -o customers.csv",
        reproduce=f"{base.again} --per-user --csv",
    )


def _of_revenue(base: _Base) -> Iterator[Evidence]:
    paid = base.now["monetary"]
    yield Evidence(Text("customers", "客户数"), paid.len(), "count")
    yield Evidence(Text("share of revenue of the top 10 %", "前 10% 客户收入占比"), concentration(paid, 0.1), "share")
    yield Evidence(
        Text("Gini of revenue", "收入基尼系数"),
        gini(paid),
        "number",
        Text("0: all alike, 1: one pays all", "0 为均等,1 为集中于一人"),
    )
    once = int((base.now["orders"] == 1).sum())
    yield Evidence(Text("customers of one order", "仅购一次的客户占比"), once / paid.len(), "share")


# --- the best customers ---------------------------------------------------------------------------------------------


def _best(base: _Base, ago: int) -> pl.Series:
    """The best customers of so many days ago."""
    scored = base.tiers(ago)
    chosen = [place for place, segment in enumerate(scored.segments) if segment.name in BEST]
    return scored.users.filter(pl.col("segment").is_in(chosen))["user"]


def _ordered_again(base: _Base, ago: int) -> tuple[int, int]:
    """The best customers of so many days ago who ordered in the days after, and how many they were."""
    best, start = _best(base, ago), periods.epoch_day(base.as_of) - ago
    after = base.spent.filter(pl.col("day").is_between(start + 1, start + DAYS), pl.col("orders") > 0)["user"].unique()
    return int(best.is_in(after.implode()).sum()), best.len()


def _stayed(base: _Base) -> Iterator[Finding]:
    """That fewer of the best customers order again than before."""
    now, before = base.stayed, _ordered_again(base, 2 * DAYS)
    if min(now[1], before[1]) < ENOUGH:
        return
    share, earlier = now[0] / now[1], before[0] / before[1]
    tested = stats.two_proportions(*now, *before)
    if tested.p >= LIKELY or share > (1 - TENTH) * earlier:
        return
    then = base.as_of - timedelta(days=DAYS)
    due = base.as_of + timedelta(days=DAYS)
    yield Finding(
        id="portrait.best_stay",
        area="portrait",
        title=Text(
            f"Fewer of the best customers ordered again: {share:.1%} in {DAYS} days, {earlier:.1%} in the {DAYS} before",
            f"最佳客户的复购减少:近 {DAYS} 天 {share:.1%},此前 {DAYS} 天 {earlier:.1%}",
        ),
        severity="warn" if tested.p < SURE else "info",
        metric="best_stay",
        since=then + timedelta(days=1),
        until=base.as_of,
        value=share,
        baseline=earlier,
        delta=share - earlier,
        n=now[1],
        p_value=tested.p,
        kind="share",
        actions=(
            Text(
                "Write to the customers who were Champions or Loyal then and are not now, and ask what is wrong before "
                "offering anything.",
                "联系当时为冠军或忠诚、如今已不是的客户,先询问原因,再谈优惠。",
            ),
        ),
        prevention=(
            Text(
                f"Compare the tiers every {DAYS} days (userops rfm --compare-with), so that a move shows while it is small.",
                f"每 {DAYS} 天对比一次分层(userops rfm --compare-with),及早发现下滑。",
            ),
        ),
        proof=Text(
            f"By {due}, at least {earlier:.1%} of the best customers of {base.as_of} have ordered again.",
            f"到 {due},{base.as_of} 的最佳客户中至少 {earlier:.1%} 再次下单。",
        ),
        audience=f"{base.command(then)} --per-user -o best.csv",
        reproduce=f"{base.command(then)} --per-user --csv",
    )


def _of_best(base: _Base) -> Iterator[Evidence]:
    again, best = base.stayed
    if best:
        label = Text(f"best customers who ordered again in {DAYS} days", f"最佳客户 {DAYS} 天内复购占比")
        yield Evidence(
            label, again / best, "share", Text(f"of {best:,} Champions and Loyal", f"共 {best:,} 位冠军与忠诚客户")
        )


def _tiers(base: _Base) -> TableBlock:
    """The tiers of today: customers and revenue."""
    scored = base.tiers(0)
    rows = rfm.tiers(scored.cells, scored.segments)
    columns = (
        Column("users", Text("Customers", "客户数"), "count"),
        Column("users_share", Text("Share", "占比"), "share", bar=True),
        Column("revenue_share", Text("Of revenue", "收入占比"), "share", bar=True),
    )
    tier = Text("Tier", "分层")
    title = Text("Customers by RFM tier", "RFM 客户分层")
    return TableBlock(
        title, (Column("segment", tier), *columns), rows, columns_zh=(Column("segment_zh", tier), *columns)
    )


# --- what is known --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Known:
    """The users and what is known of them; ``buyers``: the spending of those who ordered, None without orders."""

    users: pl.DataFrame
    as_of: date | None
    orders: frames.Orders | None
    spent: pl.DataFrame | None

    @property
    def attributes(self) -> list[str]:
        """The columns that say something of a user, not to whom or to which row they belong."""
        names = [name for name in self.users.columns if name not in ("user_id", "signed_up_at")]
        return [name for name in names if not _RELATION.search(name) and not _TOUCHED.search(name)]

    def share(self, name: str) -> float:
        """Of how many users an attribute is known."""
        return int(self.users.select(known(name, self.users.schema[name]).sum()).item()) / self.users.height

    @property
    def buyers_known(self) -> float | None:
        """Of how many customers the table of users has a row; None without orders."""
        if self.orders is None or self.spent is None:
            return None
        dtype = self.orders.rows.collect_schema()["user_id"]
        ids = self.users.select(pl.col("user_id").cast(dtype, strict=False).hash(tables.USER_SEED)).to_series()
        buyers = self.spent["user"].unique()
        return int(buyers.is_in(ids.implode()).sum()) / buyers.len()


def known(name: str, dtype: pl.DataType) -> pl.Expr:
    """Whether an attribute says anything: not null, nor blank, nor a word for not knowing."""
    if dtype.is_nested():
        return pl.col(name).is_not_null()
    text = pl.col(name).cast(pl.String, strict=False).str.strip_chars().str.to_lowercase()
    return text.is_not_null() & ~text.is_in(sorted(_UNKNOWN)).fill_null(value=False)


def _coverage(about: _Known) -> Iterator[Finding]:
    """Attributes known of too few users, and customers of whom nothing is."""
    for name in about.attributes:
        share = about.share(name)
        if share < KNOWN:
            yield _little_known(
                f"portrait.coverage.attribute={name}",
                Text(f"{name} is known of {share:.0%} of the users only", f"仅 {share:.0%} 的用户有 {name} 信息"),
                f"attribute={name}",
                share,
                about.users.height,
            )
    share_of_buyers = about.buyers_known
    if share_of_buyers is not None and share_of_buyers < KNOWN:
        title = Text(
            f"Only {share_of_buyers:.0%} of the customers are in the table of users",
            f"仅 {share_of_buyers:.0%} 的下单客户在用户表中",
        )
        yield _little_known("portrait.coverage.customers", title, None, share_of_buyers, about.users.height)


def _little_known(id: str, title: Text, segment: str | None, share: float, n: int) -> Finding:
    return Finding(
        id=id,
        area="portrait",
        title=title,
        severity="info",
        metric="coverage",
        segment=segment,
        value=share,
        target=KNOWN,
        n=n,
        kind="share",
        actions=(
            Text(
                "Ask for it once, where it helps the user, with consent; or leave it out of every breakdown.",
                "在对用户有益的环节征得同意后询问一次;否则不要按该属性做细分。",
            ),
        ),
        proof=Text(
            f"It is known of at least {KNOWN:.0%} of the newcomers of the next month.",
            f"下月新用户中至少 {KNOWN:.0%} 有该信息。",
        ),
    )


def _of_attributes(about: _Known) -> Iterator[Evidence]:
    yield Evidence(Text("users", "用户数"), about.users.height, "count")
    for name in about.attributes:
        yield Evidence(Text(f"{name} is known of", f"{name} 已知占比"), about.share(name), "share")
    last = about.as_of
    if last is None and about.users["signed_up_at"].null_count() < about.users.height:
        last = about.users.select(pl.col("signed_up_at").max().dt.date()).item()
    for name in about.users.columns:
        if last is not None and _TOUCHED.search(name):
            age = _median_age(about.users[name], last)
            note = Text("older than a year", "超过一年") if age is not None and age > STALE else None
            yield Evidence(Text(f"median age of {name}", f"{name} 距今天数中位数"), age, "days", note)


def _median_age(at: pl.Series, last: date) -> float | None:
    """Days since, the median; None where no day can be read."""
    written = pl.col("at").cast(pl.String, strict=False).str.head(10).str.to_date("%Y-%m-%d", strict=False)
    age = (pl.lit(last) - written).dt.total_days()
    median: float | None = at.to_frame("at").select(age.median()).item()
    return median


def _distribution(about: _Known) -> Iterator[Block]:
    """How the users spread over the values of every attribute that has few of them."""
    parts = []
    for name in about.attributes:
        said = known(name, about.users.schema[name])
        text = about.users.filter(said).select(value=pl.col(name).cast(pl.String, strict=False))
        counted = text["value"].value_counts(name="users").sort(["users", "value"], descending=[True, False])
        if 1 < counted.height <= 50:
            share = stats.ratio(pl.col("users").cast(pl.Float64), pl.lit(text.height))
            parts.append(
                counted.head(_VALUES).select(
                    pl.lit(name).alias("attribute"), "value", pl.col("users").cast(pl.Int64), share=share
                )
            )
    if parts:
        columns = (
            Column("attribute", Text("Attribute", "属性")),
            Column("value", Text("Value", "取值")),
            Column("users", Text("Users", "用户数"), "count"),
            Column("share", Text("Of those known", "已知用户中占比"), "share", bar=True),
        )
        yield TableBlock(Text("What is known of the users", "用户属性分布"), columns, pl.concat(parts))
