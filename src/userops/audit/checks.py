"""The judgements: what each check makes of a scan.

One function per check, by its id: what was looked at in, a :class:`Verdict` out. Thresholds are shares unless their
name says otherwise (:class:`Thresholds`). What is right and wrong of a file is said once, here; the names of the
checks and what mends them are data (:mod:`userops.texts.checks`).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Literal, NamedTuple

import polars as pl

from userops import account, frames, money, periods, stats, tables
from userops.audit import drift
from userops.audit.drift import Profile
from userops.audit.scan import HEAVY_DAY, TEST_ACCOUNT, Kind, Scan, body, first_day, likeness, named
from userops.results import Text

Status = Literal["ok", "info", "warn", "error", "skipped"]
Unit = Literal["rows", "orders", "users", "days", "hours", "columns", "files"]


@dataclass(frozen=True, slots=True)
class Thresholds:
    """From where on a finding is a warning or an error; shares of rows unless said otherwise."""

    duplicates_error: float = 0.001
    no_user_warn: float = 0.005
    no_user_error: float = 0.05
    bad_time_error: float = 0.01
    lag_hours: float = 1
    early_arrivals: float = 0.001
    before_sign_up: float = 0.005
    bad_amount_error: float = 0.01
    lone_refunds: float = 0.01
    outlier_z: float = 6
    top_order: float = 0.05
    bot_hours_a_day: float = 20
    bot_rows_an_hour: float = 1000
    bot_rows_a_minute: float = 120
    bot_steady_pauses: float = 0.9
    bot_orders_a_day: float = 50
    users_per_ip: float = 50
    users_per_device: float = 10
    devices_per_user: float = 20
    visits_a_day: float = 12
    visits_an_hour: float = 15
    volume_mads: float = 6
    psi: float = 0.2
    benford_mad: float = 0.015
    midnight: float = 0.05
    bought_unseen: float = 0.05
    unequal_sums: float = 0.05
    unknown: float = 0.01


MOST_DAYS = 40 * 366
"""Days that are judged one by one."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came out of one check: ``affected`` of ``unit``, which is ``share`` of them all.

    ``said``: the evidence in words. ``rows``: which canonical rows are meant, where rows are.
    """

    status: Status
    said: Text
    affected: int | None = 0
    share: float | None = 0.0
    unit: Unit = "rows"
    rows: pl.Expr | None = None


@dataclass(frozen=True, slots=True)
class Look:
    """What a check may look at.

    ``scan``: the rows it judges; ``others``: the scans of other kinds; ``as_of``: day since 1970-01-01; ``since``,
    ``until``: days judged one by one; ``start``: the first day of the business; ``last``: what the rows were made of in
    the last run, None where there is none; ``hide``: what to show for the id of a user.
    """

    scan: Scan
    others: Mapping[Kind, Scan]
    as_of: int | None
    limits: Thresholds
    since: date | None = None
    until: date | None = None
    start: date | None = None
    last: Profile | None = None
    hide: Callable[[str], str] = field(default=str)

    @property
    def used(self) -> int:
        """Rows that count."""
        return self.scan.books.rows_used

    def burst(self, per: Literal["days", "hours"]) -> float:
        """How many rows come together: of one user on one day, or in one hour; at least 1."""
        visits = self.scan.small.get("visits")
        return max(1.0, self.scan.sums["timed"] / max(1, int(visits[per][0] or 0))) if visits is not None else 1.0

    @property
    def days(self) -> pl.DataFrame:
        """Every day from the first to as-of, strays left out, of the last 40 years: ``day, n`` (0: none), sorted."""
        span, as_of = self.scan.body, self.as_of
        if span is None or as_of is None:
            return pl.DataFrame(schema={"day": pl.Int32, "n": pl.Int64})
        last = max(span[0], min(as_of, span[1]))
        first = max(span[0], last - MOST_DAYS)
        every = pl.DataFrame({"day": range(first, last + 1)}, schema={"day": pl.Int32})
        known = self.scan.books.days.drop_nulls("day").select(pl.col("day").cast(pl.Int32), "n")
        return every.join(known, on="day", how="left").with_columns(pl.col("n").fill_null(0)).sort("day")

    def judged(self, days: pl.DataFrame) -> pl.DataFrame:
        """Those of the days that are to be reported."""
        low, high = self.since or date(1, 1, 1), self.until or date(9998, 12, 31)
        return days.filter(pl.col("day").is_between(periods.epoch_day(low), periods.epoch_day(high)))

    def cells(self, *reasons: str) -> str:
        """A few cells that could not be read, as the end of a sentence."""
        some = [cell for reason in reasons for cell in self.scan.samples.get(reason, ())]
        return f": {named(some)}" if some else ""

    def people(self, ids: Sequence[str]) -> str:
        """A few user ids as text."""
        return named([self.hide(one) for one in ids])


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _ok(en: str, zh: str) -> Verdict:
    return Verdict("ok", Text(en, zh))


def _skipped(en: str, zh: str) -> Verdict:
    return Verdict("skipped", Text(en, zh), None, None)


def _level(share: float | None, *, warn: float = 0.0, error: float = math.inf, some: Status = "info") -> Status:
    """The status of a share: beyond ``error`` an error, beyond ``warn`` a warning, ``some`` where there is any."""
    share = share or 0.0
    return "error" if share > error else "warn" if share > warn else some if share > 0 else "ok"


_VERBS = {
    "are": "is", "have": "has", "lie": "lies", "were": "was", "act": "acts", "differ": "differs", "repeat": "repeats",
    "look": "looks", "do": "does",
}  # fmt: skip
_ONE = re.compile(
    rf"(?<![\d,.])1 (row|day|hour|id|user|order|account|amount|device|purchase|address)e?s\b( ({'|'.join(_VERBS)})\b)?"
)


def _told(*parts: tuple[object, str, str]) -> Text:
    """The parts (whether it holds, English, Chinese) that hold, as one text."""
    return Text("; ".join(en for holds, en, _ in parts if holds), ";".join(zh for holds, _, zh in parts if holds))


def in_singular(said: Text) -> Text:
    """A text with what is one of its kind in the singular: ``1 row is``."""
    one = _ONE.sub(lambda found: f"1 {found[1]}" + (f" {_VERBS[found[3]]}" if found[3] else ""), said.en)
    return Text(one, said.zh)


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{share * 100:.2g} %" if share < 0.0995 else f"{share * 100:.1f} %"


def _days_named(days: Sequence[int]) -> str:
    return named([first_day(day).isoformat() for day in days])


def _is(*reasons: str) -> pl.Expr:
    return pl.col("reject").is_in([frames.reject_code(reason) for reason in reasons])


def _those(ids: Sequence[str]) -> pl.Expr:
    listed = pl.Series(list(ids)[:10_000], dtype=pl.String)
    return (pl.col("reject") == 0) & pl.col("user_id").cast(pl.String).is_in(listed.implode())


_GOOD = pl.col("reject") == 0


# --- rows -----------------------------------------------------------------------------------------------------------


def duplicates(look: Look) -> Verdict:
    """DQ01: repeated ids of orders and events, rows alike in every column, users with several rows."""
    scan, limit = look.scan, look.limits.duplicates_error
    if scan.subject.kind == "users":
        several = scan.small["ids"].filter(pl.col("n") > 1).sort("id")
        n = int(several["n"].sum()) - several.height
        shown = look.people(several["id"].head(6).to_list())
        said = Text(f"{several.height:,} users have several rows: {shown}", f"{several.height:,} 个用户有多行:{shown}")
        if not n:
            return _ok("one row per user", "每个用户一行")
        return Verdict(
            _level(_share(n, look.used)), said, n, _share(n, look.used), rows=_those(several["id"].to_list())
        )
    again, copies = scan.repeated, scan.copies
    sent, dropped = scan.rejected("duplicate_event"), scan.rejected("duplicate_row")
    found, zh, n, worst, rows = [], [], 0, 0.0, pl.lit(value=False)
    rough = "about " if copies.one_in > 1 else ""
    if again and again.rows:
        n, worst = again.rows, (_share(again.rows, look.used) or 0.0)
        found.append(f"{rough}{n:,} rows repeat the id of an order{_worth(scan, again.worth, 'en')}")
        zh.append(f"{n:,} 行重复订单号{_worth(scan, again.worth, 'zh')}")
        rows = _GOOD & pl.col("order_id").hash(tables.USER_SEED).is_in(again.found["mark"].unique().implode())
    elif copies.rows:
        n = copies.rows
        told_apart = scan.subject.kind == "events" or scan.sums["midnight"] < scan.sums["timed"]
        whole_rows = getattr(scan.subject.table, "grain", "order") == "order" or _one_line_each(scan)
        worst = (_share(n, look.used) or 0.0) if told_apart and whole_rows else 0.0
        found.append(f"{rough}{n:,} rows are the same as another in every column{_worth(scan, copies.worth, 'en')}")
        zh.append(f"{n:,} 行与其他行完全相同{_worth(scan, copies.worth, 'zh')}")
        rows = _GOOD & likeness().is_in(copies.found["mark"].unique().implode())
    if sent:
        found.append(f"{sent:,} rows were sent again under the same id; they are counted once")
        zh.append(f"{sent:,} 行以相同ID重复发送,已只计一次")
        rows = rows | _is("duplicate_event")
    if dropped:
        found.append(f"{dropped:,} exact copies were dropped")
        zh.append(f"已去除 {dropped:,} 行完全重复")
        rows = rows | _is("duplicate_row")
    n += sent + dropped
    if not n:
        return _ok("no row or id twice", "无重复行或重复ID")
    status: Status = "error" if worst > limit else "warn"
    return Verdict(
        status, _told(*((True, *both) for both in zip(found, zh, strict=True))), n, _share(n, scan.rows_read), rows=rows
    )


def _one_line_each(scan: Scan) -> bool:
    """Whether orders have one line as a rule, so that a line that is there twice is no second piece of the same thing."""
    orders = scan.small["order_ids"].height if "order_ids" in scan.small else 0
    return scan.books.rows_used - scan.copies.rows < 1.05 * orders


def _worth(scan: Scan, steps: int, lang: str) -> str:
    """Revenue with and without the rows too many."""
    if not scan.subject.table.has_amount:
        return ""
    whole = int(scan.books.used["amount"].sum())
    with_them, without = account.money_text(whole), account.money_text(whole - steps)
    return f" (revenue {with_them}, {without} without)" if lang == "en" else f"(收入 {with_them},去重后 {without})"


def no_user(look: Look) -> Verdict:
    """DQ02: rows without an id, or with one that stands for nobody."""
    blank, nobody = look.scan.rejected("missing_user_id"), look.scan.rejected("placeholder_user_id")
    n = blank + nobody
    if not n:
        return _ok("every row names a user", "每行都有用户")
    share = _share(n, look.scan.rows_read)
    values = look.scan.small["nobody"].sort("n", "id", descending=[True, False])["id"].drop_nulls().head(6).to_list()
    said = _told(
        (blank, f"{blank:,} rows without an id", f"{blank:,} 行无ID"),
        (nobody, f"{nobody:,} rows with a placeholder: {named(values)}", f"{nobody:,} 行为占位ID:{named(values)}"),
    )
    level = _level(share, warn=look.limits.no_user_warn, error=look.limits.no_user_error)
    return Verdict(level, said, n, share, rows=_is("missing_user_id", "placeholder_user_id"))


def impossible_times(look: Look) -> Verdict:
    """DQ03: times that are missing, unreadable, after as-of, before the business, or far from all others.

    Rows after as-of are a remark where the data simply go on there, a fifth as dense as before or more.
    """
    scan = look.scan
    reasons = ("missing_time", "unreadable_time", "nonexistent_time")
    bad, span = scan.rejected(*reasons), scan.body
    days = scan.books.days.drop_nulls("day").select(pl.col("day").cast(pl.Int64), "n")
    first, last = span or (0, 0)
    if look.start is not None:
        first = max(first, periods.epoch_day(look.start))
    if scan.subject.kind == "users" and look.as_of is not None:
        last = min(last, look.as_of)
    last = max(first, last)
    early, late = days.filter(pl.col("day") < first), days.filter(pl.col("day") > last)
    if "later" in scan.small:
        late = pl.concat([late, scan.small["later"]]).group_by("day").agg(pl.col("n").sum())
    whole = body(pl.concat([days, late]).group_by("day").agg(pl.col("n").max()).sort("day"))
    near = late.filter(pl.col("day") <= (whole or (0, 0))[1])
    far = late.filter(pl.col("day") > (whole or (0, 0))[1]).sort("day")
    usual = days.filter(pl.col("day") <= last)["n"].tail(28).median()
    goes_on = near.height > 0 and float(near["n"].sum()) / near.height >= 0.2 * float(usual or 0)  # type: ignore[arg-type] # a number
    n_early, n_near, n_far = (int(part["n"].sum()) for part in (early, near, far))
    n = bad + n_early + n_far + (0 if goes_on else n_near)
    if not n and not n_near:
        return _ok("every time can be", "时间均合理")
    cells, ahead, ago = (
        look.cells(*reasons),
        _days_named(far["day"].tail(6).to_list()),
        _days_named(early["day"].head(6).to_list()),
    )
    said = _told(
        (bad, f"{bad:,} rows with none, or one that cannot be read{cells}", f"{bad:,} 行缺失或无法解析{cells}"),
        (n_far, f"{n_far:,} rows in the far future: {ahead}", f"{n_far:,} 行在遥远的未来:{ahead}"),
        (n_near, f"{n_near:,} rows after the as-of date, left out", f"{n_near:,} 行晚于统计截止日,未计入"),
        (n_early, f"{n_early:,} rows long before all others: {ago}", f"{n_early:,} 行远早于其他:{ago}"),
    )
    at = pl.col(scan.subject.table.time).to_physical()
    low, high = periods.start_of_day(first_day(first)), periods.end_of_day(first_day(last))
    rows = _is(*reasons, *(() if goes_on else ("after_as_of",)))
    if span is not None:
        rows = rows | (_GOOD & ((at < low) | (at >= high)))
    if not n:
        return Verdict("info", said, n_near, _share(n_near, scan.rows_read))
    share = _share(n, scan.rows_read)
    return Verdict(_level(share, error=look.limits.bad_time_error), said, n, share, rows=rows)


def clocks(look: Look) -> Verdict:
    """DQ04: rows that arrived long after or before they happened, and acts before the sign-up."""
    scan, limits, sums = look.scan, look.limits, look.scan.sums
    people, lags = scan.small["people"].row(0, named=True), scan.small.get("lags")
    if lags is None and "before_sign_up" not in people:
        return _skipped("no ingested_at column, and no table of users", "没有 ingested_at 列,也没有用户表")
    parts: list[Part] = []
    rows, fine = None, ("nobody acts before the sign-up", "无注册前行为")
    if lags is not None and lags.height:
        median, p99 = (stats.quantile_of_counts(lags["lag"], lags["n"], part) for part in (0.5, 0.99))
        fine = (
            f"half arrive within {median} min, 99 % within {p99} min",
            f"半数 {median} 分钟内到达,99% 在 {p99} 分钟内",
        )
        hours = f"{limits.lag_hours:g}"
        late = (
            int(lags.filter(pl.col("lag") > limits.lag_hours * 60)["n"].sum())
            if (p99 or 0) > limits.lag_hours * 60
            else 0
        )
        told = Text(
            f"{late:,} rows took longer than {hours} h to arrive ({fine[0]})",
            f"{late:,} 行超过 {hours} 小时才到达({fine[1]})",
        )
        parts.append(Part(late, sums["arrived"], 0.0, "rows", told))
        early = sums["early"]
        told = Text(f"{early:,} rows arrived before they happened", f"{early:,} 行到达早于发生")
        parts.append(Part(early, sums["arrived"], limits.early_arrivals, "rows", told))
        lag = (pl.col("ingested_at") - pl.col(scan.subject.table.time)).dt.total_minutes()
        rows = _GOOD & ((lag <= -5) | (lag > limits.lag_hours * 60))
    before = int(people.get("before_sign_up") or 0)
    told = Text(
        f"{before:,} users act more than a day before they sign up", f"{before:,} 个用户在注册前一天以上已有行为"
    )
    parts.append(Part(before, int(people["users"]), limits.before_sign_up, "users", told))
    return _of_parts(parts, fine, rows)


class Part(NamedTuple):
    """One of the things a check finds: ``n`` of ``whole``, a warning beyond the share ``warn``, else a remark."""

    n: int
    whole: int
    warn: float
    unit: Unit
    said: Text

    @property
    def share(self) -> float:
        """Of the whole."""
        return self.n / max(1, self.whole)


def _of_parts(parts: Sequence[Part], fine: tuple[str, str], rows: pl.Expr | None = None) -> Verdict:
    """The parts that were found as one verdict, with the numbers of the gravest; ``fine``: what to say where none was."""
    found = [part for part in parts if part.n]
    if not found:
        return _ok(*fine)
    grave = [part for part in found if part.share > part.warn]
    worst = max(grave or found, key=lambda part: part.share)
    said = _told(*((True, part.said.en, part.said.zh) for part in found))
    return Verdict("warn" if grave else "info", said, worst.n, worst.share, worst.unit, rows)


# --- money ----------------------------------------------------------------------------------------------------------

_NO_AMOUNTS = ("no amount column", "没有金额列")


def bad_amounts(look: Look) -> Verdict:
    """DQ05: amounts that cannot be read or are not finite, refunds without an order, more refunded than paid."""
    scan, limits, sums = look.scan, look.limits, look.scan.sums
    if not scan.subject.table.has_amount:
        return _skipped(*_NO_AMOUNTS)
    reasons = ("missing_amount", "unreadable_amount", "non_finite_amount")
    bad, people = scan.rejected(*reasons), scan.small["people"].row(0, named=True)
    alone, beyond, negative = (
        int(x or 0) for x in (people["refunds_alone"], people["refunded_beyond"], sums["negative"])
    )
    level = _level(_share(bad, scan.rows_read), error=limits.bad_amount_error)
    if alone > limits.lone_refunds * max(1, look.used):
        level = "error" if level == "error" else "warn"
    elif level == "ok" and (negative or sums["zero"]):
        level = "info"
    parts = (
        (
            bad,
            f"{bad:,} amounts missing, unreadable or not finite{look.cells(*reasons)}",
            f"{bad:,} 行缺失、无法解析或非有限值{look.cells(*reasons)}",
        ),
        (negative, f"{negative:,} amounts below zero, taken as refunds", f"{negative:,} 行为负,按退款计"),
        (alone, f"{alone:,} of them of users without any order", f"其中 {alone:,} 行的用户没有订单"),
        (beyond, f"{beyond:,} users got back more than they paid", f"{beyond:,} 个用户退款多于付款"),
        (sums["zero"], f"{sums['zero']:,} amounts are zero", f"{sums['zero']:,} 行为零"),
    )
    if level == "ok":
        return _ok("every amount is above zero", "金额均大于零")
    said = _told(*parts)
    n = bad or (alone if level == "warn" else negative + sums["zero"])
    return Verdict(level, said, n, _share(n, scan.rows_read), rows=_is(*reasons) | (_GOOD & (pl.col("amount") <= 0)))


def outliers(look: Look) -> Verdict:
    """DQ06: amounts whose logarithm lies far from the median, by the median absolute deviation; one order too heavy."""
    amounts, limits = look.scan.small.get("amounts"), look.limits
    if amounts is None:
        return _skipped(*_NO_AMOUNTS)
    n = int(amounts["n"].sum())
    if n < 100:
        return _skipped("fewer than 100 amounts above zero", "大于零的金额不足 100 个")
    logs = amounts.select(x=pl.col("amount").log(), amount="amount", n="n").sort("amount")
    middle = float(stats.quantile_of_counts(logs["x"], logs["n"], 0.5) or 0)
    away = logs.select(d=(pl.col("x") - middle).abs(), n="n").sort("d")
    spread = 1.4826 * float(stats.quantile_of_counts(away["d"], away["n"], 0.5) or 0)
    top, total = int(amounts["amount"].max()), int((amounts["amount"] * amounts["n"]).sum())  # type: ignore[arg-type]
    heavy = top / total
    bound = math.exp(middle + limits.outlier_z * spread) if spread > 0 else math.inf
    low = math.exp(middle - limits.outlier_z * spread) if spread > 0 else 0.0
    far = amounts.filter((pl.col("amount") > bound) | (pl.col("amount") < low))
    found = int(far["n"].sum())
    heavy = heavy if n >= 1000 else 0.0
    if not found and heavy <= limits.top_order:
        return _ok(f"the largest is {account.money_text(top)}", f"最大金额 {account.money_text(top)}")
    shown = named([f"{value / money.SCALE:,.2f}" for value in far.sort("amount", descending=True)["amount"].head(6)])
    en = [f"{found:,} amounts lie more than {limits.outlier_z:g} deviations from the median: {shown}"] if found else []
    zh = [f"{found:,} 笔金额偏离中位数超过 {limits.outlier_z:g} 个标准差:{shown}"] if found else []
    if heavy > limits.top_order:
        en.append(f"the largest order is {_percent(heavy)} of all revenue")
        zh.append(f"最大一笔占收入 {_percent(heavy)}")
    beyond = (pl.col("amount") > min(bound, top - 0.5)) | ((pl.col("amount") > 0) & (pl.col("amount") < low))
    count = max(found, 1)
    return Verdict(
        "warn",
        _told(*((True, *both) for both in zip(en, zh, strict=True))),
        count,
        _share(count, look.used),
        rows=_GOOD & beyond,
    )


def currencies(look: Look) -> Verdict:
    """DQ07: several currencies, or amounts in two heaps a factor of 100 or 7 apart."""
    scan = look.scan
    amounts = scan.small.get("amounts")
    if amounts is None:
        return _skipped(*_NO_AMOUNTS)
    counted = scan.books.used.filter(pl.col("currency").is_not_null()).group_by("currency").agg(pl.col("n").sum())
    counted = counted.sort("n", "currency", descending=[True, False])
    if counted.height > 1:
        main, rest = counted["currency"][0], int(counted["n"][1:].sum())
        listed = named([f"{name} {n:,}" for name, n in counted.iter_rows()])
        rows = _GOOD & (pl.col("currency") != main)
        return Verdict(
            "error",
            Text(f"several currencies: {listed}", f"多种币种:{listed}"),
            rest,
            _share(rest, look.used),
            rows=rows,
        )
    for factor, name in ((100.0, "100"), (7.0, "7")):
        heap = second_heap(amounts, factor)
        if heap is not None:
            low, high, n = heap
            en = f"{n:,} amounts lie in a heap of their own, about {name} times apart from the others: "
            zh = f"{n:,} 笔金额自成一堆,与其他相差约 {name} 倍:"
            span = f"{low / money.SCALE:,.2f} – {high / money.SCALE:,.2f}"
            doubt = (" (yuan and fen?)", "(元与分混用?)") if factor > 50 else (" (two currencies?)", "(两种币种?)")
            rows = _GOOD & pl.col("amount").is_between(low, high)
            said = Text(en + span + doubt[0], zh + span + doubt[1])
            return Verdict("warn", said, n, _share(n, look.used), rows=rows)
    currency = counted["currency"][0] if counted.height else None
    return _ok(
        f"one currency: {currency}" if currency else "one heap of amounts",
        f"单一币种:{currency}" if currency else "金额分布单一",
    )


def second_heap(amounts: pl.DataFrame, factor: float) -> tuple[int, int, int] | None:
    """The lesser of two heaps of amounts (``amount, n``) a ``factor`` apart: its bounds and how many; None without one.

    On a scale of tenths of a decimal power: a second peak where the factor puts it (within a tenth), with at least 2 %
    of the amounts and 20 different ones, parted from the first by a valley less than a quarter of its height.
    """
    bins = amounts.filter(pl.col("amount") > 0).group_by(bin=(pl.col("amount").log10() * 10).floor().cast(pl.Int64))
    table = bins.agg(n=pl.col("n").sum(), low=pl.col("amount").min(), high=pl.col("amount").max(), kinds=pl.len()).sort(
        "bin"
    )
    if table.is_empty():
        return None
    first, height = int(table["bin"][0]), int(table["bin"][-1]) - int(table["bin"][0]) + 1
    counts = [0] * height
    for place, n in table.select("bin", "n").iter_rows():
        counts[place - first] = n
    smooth = [sum(counts[max(0, i - 1) : i + 2]) / 3 for i in range(height)]
    peak = max(range(height), key=lambda i: (smooth[i], -i))
    shift = round(math.log10(factor) * 10)
    best = None
    for side in (-1, 1):
        for place in (peak + side * shift, peak + side * (shift - 1), peak + side * (shift + 1)):
            if not (0 <= place < height) or (best and smooth[place] <= smooth[best[0]]):
                continue
            between = smooth[min(peak, place) + 1 : max(peak, place)]
            if between and min(between) < smooth[place] / 4 and smooth[place] > 0:
                best = (place, side, min(peak, place) + 1 + between.index(min(between)))
    if best is None:
        return None
    place, side, valley = best
    beyond = pl.col("bin") > valley + first if side > 0 else pl.col("bin") < valley + first
    heap = table.filter(beyond)
    n, total = int(heap["n"].sum()), int(table["n"].sum())
    if n < 0.02 * total or n > 0.5 * total or int(heap["kinds"].sum()) < 20 or total < 200:
        return None
    return int(heap["low"].min()), int(heap["high"].max()), n  # type: ignore[arg-type] # numbers


def benford(look: Look) -> Verdict:
    """DQ14: first digits of amounts against Benford's law, where that can be expected to hold at all."""
    amounts = look.scan.small.get("amounts")
    if amounts is None:
        return _skipped(*_NO_AMOUNTS)
    n = int(amounts["n"].sum())
    low, high = (stats.quantile_of_counts(amounts["amount"], amounts["n"], part) or 1 for part in (0.01, 0.99))
    if n < 1000 or high / low < 100 or amounts.height < n / 10:
        return _skipped(
            "needs 1,000 amounts over two orders of magnitude, and no list of prices",
            "需要 1,000 笔以上、跨两个数量级且非固定价目的金额",
        )
    digit = amounts.select(
        d=(pl.col("amount") / pl.lit(10.0).pow((pl.col("amount").log10() + 1e-12).floor())).floor().cast(pl.Int64),
        n="n",
    )
    seen = dict(digit.group_by("d").agg(pl.col("n").sum()).iter_rows())
    apart = sum(abs(seen.get(d, 0) / n - math.log10(1 + 1 / d)) for d in range(1, 10)) / 9
    text = f"mean deviation {apart:.4f} (above {look.limits.benford_mad:g} is nonconformity)"
    zh = f"平均偏差 {apart:.4f}(大于 {look.limits.benford_mad:g} 为不符合)"
    if apart <= look.limits.benford_mad:
        return _ok(text, zh)
    return Verdict("info", Text(text, zh), n, 1.0)


# --- users ----------------------------------------------------------------------------------------------------------


def test_accounts(look: Look) -> Verdict:
    """DQ08: ids and e-mail addresses of tests and of colleagues, and orders of one cent."""
    ids = look.scan.small["ids"]
    texts = [
        pl.col(name).str.to_lowercase().str.contains(TEST_ACCOUNT) for name in ("id", "email") if name in ids.columns
    ]
    found = ids.filter(pl.any_horizontal(*(text.fill_null(value=False) for text in texts))).sort(
        "n", "id", descending=[True, False]
    )
    n, cents = int(found["n"].sum()), look.scan.sums.get("cents", 0)
    cents = cents if cents >= 3 else 0
    if not n and not cents:
        return _ok("no id looks like a test", "无疑似测试账号")
    shown = look.people(found["id"].head(6).to_list())
    en = [f"{found.height:,} accounts look like tests: {shown}"] if n else []
    zh = [f"{found.height:,} 个疑似测试账号:{shown}"] if n else []
    en += [f"{cents:,} orders of 0.01"] if cents else []
    zh += [f"{cents:,} 笔 0.01 订单"] if cents else []
    rows = _those(found["id"].to_list())
    if cents:
        rows = rows | (_GOOD & (pl.col("amount") == 100))
    return Verdict(
        "warn",
        _told(*((True, *both) for both in zip(en, zh, strict=True))),
        n + cents,
        _share(n + cents, look.used),
        rows=rows,
    )


def bots(look: Look) -> Verdict:
    """DQ09: users too busy, too tireless or too regular for people, and addresses with too many users."""
    limits, busy = look.limits, look.scan.rhythm
    dated = look.scan.sums["midnight"] >= 0.5 * max(1, look.scan.sums["timed"])
    steady = (
        (pl.col("peak_day") >= HEAVY_DAY)
        & (pl.col("pause") >= 2_000_000)
        & (pl.col("steady") >= limits.bot_steady_pauses)
    )
    signs = {
        "hours": (pl.col("hours") >= limits.bot_hours_a_day, "{hours} hours of one day", "一天活跃 {hours} 小时"),
        "hour": (pl.col("peak_hour") > limits.bot_rows_an_hour, "{peak_hour:,} rows in an hour", "一小时 {peak_hour:,} 行"),
        "minute": (pl.col("peak_minute") > limits.bot_rows_a_minute, "{peak_minute:,} rows in a minute", "一分钟 {peak_minute:,} 行"),
        "steady": (steady, "{peak_day:,} rows a day like clockwork", "节奏固定,一天 {peak_day:,} 行"),
    }  # fmt: skip
    if look.scan.subject.kind == "orders":
        lines = getattr(look.scan.subject.table, "grain", "order") == "line"
        most = limits.bot_orders_a_day * (look.burst("days") if lines else 1.0)
        signs = {"day": (pl.col("peak_day") > most, "{peak_day:,} orders in a day", "一天 {peak_day:,} 单")}
        if lines:
            signs["day"] = (
                pl.col("peak_day") > most,
                "{peak_day:,} lines of orders in a day",
                "一天 {peak_day:,} 行明细",
            )
    elif dated:
        signs = {}
    if not signs and "ip" not in look.scan.small:
        return _skipped("times are dates", "时间只有日期")
    found = busy.with_columns(**{f"is_{name}": met for name, (met, _, _) in signs.items()}) if busy.height else busy
    if signs and busy.height:
        found = found.filter(pl.any_horizontal([f"is_{name}" for name in signs])).sort(
            "n", "id", descending=[True, False]
        )
    else:
        found = found.clear()
    ips = look.scan.small.get("ip", pl.DataFrame(schema={"value": pl.String, "users": pl.Int64}))
    crowded = ips.filter(pl.col("users") > limits.users_per_ip).sort("users", "value", descending=[True, False])
    n = int(found["n"].sum()) if found.height else 0
    if not found.height and crowded.is_empty():
        return _ok("nobody is busier than people are", "无异常高频用户")
    en, zh = [], []
    if found.height:
        top = found.row(0, named=True)
        why = next(name for name in signs if top[f"is_{name}"])
        who = look.people(found["id"].head(6).to_list())
        en.append(
            f"{found.height:,} users are busier than people are: {who}; the first has {signs[why][1].format(**top)}"
        )
        zh.append(f"{found.height:,} 个用户活跃异常:{who};首位{signs[why][2].format(**top)}")
    if crowded.height:
        most = int(crowded["users"][0])
        en.append(f"{crowded.height:,} IP addresses with more than {limits.users_per_ip:g} users, {most:,} at most")
        zh.append(f"{crowded.height:,} 个IP的用户超过 {limits.users_per_ip:g} 个,最多 {most:,} 个")
    rows = _those(found["id"].to_list()) if found.height else None
    said = _told(*((True, *both) for both in zip(en, zh, strict=True)))
    if not found.height:
        return Verdict("warn", said, int(crowded["users"].sum()), None, "users")
    return Verdict("warn", said, n, _share(n, look.used), rows=rows)


def alike_ids(look: Look) -> Verdict:
    """DQ13: ids that differ in case, blanks or leading zeros only, and devices and users that share too many."""
    limits, ids = look.limits, look.scan.small["ids"]
    bare = pl.col("id").str.to_lowercase().str.replace_all(r"\s+", "").str.replace(r"^0+(\d)", "$1")
    same = ids.select("id", "n", bare=bare)
    several = same.filter(pl.col("bare").is_in(same.filter(pl.col("bare").is_duplicated())["bare"].unique().implode()))
    several = several.sort("bare", "id")
    en, zh, n = [], [], several.height
    if n:
        shown = look.people(several["id"].head(6).to_list())
        en.append(f"{n:,} ids differ only in case, blanks or leading zeros: {shown}")
        zh.append(f"{n:,} 个ID仅大小写、空格或前导零不同:{shown}")
    devices, of_users = look.scan.small.get("device"), look.scan.small.get("devices")
    if devices is not None:
        crowded = devices.filter(pl.col("users") > limits.users_per_device)
        if crowded.height:
            most = int(crowded["users"].sort()[-1])
            en.append(f"{crowded.height:,} devices with more than {limits.users_per_device:g} users, {most:,} at most")
            zh.append(f"{crowded.height:,} 台设备的用户超过 {limits.users_per_device:g} 个,最多 {most:,} 个")
            n += int(crowded["users"].sum())
    if of_users is not None:
        many = of_users.filter(pl.col("devices") > limits.devices_per_user)
        if many.height:
            en.append(f"{many.height:,} users with more than {limits.devices_per_user:g} devices")
            zh.append(f"{many.height:,} 个用户的设备超过 {limits.devices_per_user:g} 台")
            n += many.height
    if not n:
        return _ok("no two ids are alike", "无相近ID")
    said = _told(*((True, *both) for both in zip(en, zh, strict=True)))
    return Verdict("warn", said, n, _share(n, max(ids.height, n)), "users", _those(several["id"].to_list()))


# --- days -----------------------------------------------------------------------------------------------------------


EVEN = 0.4
"""The least of the days, or the fifth of the hours that have fewest rows, has this share of the median at least."""


def expected(days: pl.DataFrame, burst: float = 1.0) -> pl.DataFrame:
    """Days (``day, n``) with what the same weekday usually has: ``usual``, ``spread`` (null: too few to tell), ``certain``.

    Of the four such weekdays before and the four after that have rows: the median, and the median absolute deviation,
    at least 10 % of the median, and what chance makes of rows that come ``burst`` at a time (the square root of twice
    the median times burst; the square root of the median where they come alone). Null for weekdays of which fewer than
    half have rows. Certain: how many bursts a day has at the least that is not missing: of the lesser of that median and
    the one of the days with rows within a week; null where even such weekdays differ widely (:data:`EVEN`).
    """
    table = days.with_columns(weekday=pl.col("day") % 7).sort("day")
    filled = table.filter(pl.col("n") > 0)
    names = []
    ways: tuple[tuple[Literal["backward", "forward"], int], ...] = (("backward", 1), ("forward", -1))
    for strategy, step in ways:
        near = {f"{strategy}{k}": pl.col("n").shift(k * step).over("weekday", order_by="day") for k in range(4)}
        others = filled.select("day", "weekday", **near)
        table = table.join_asof(
            others,
            on="day",
            by="weekday",
            strategy=strategy,
            allow_exact_matches=False,
            check_sortedness=False,
        )
        names += list(near)
    chance = 1.0 if burst <= 1 else 2 * burst
    open_ = (pl.col("n") > 0).mean().over("weekday")
    known = pl.concat_list(names).list.drop_nulls()
    table = table.with_columns(open=open_, usual=known.list.median(), known=known.list.len())
    away = pl.concat_list([(pl.col(name) - pl.col("usual")).abs() for name in names]).list.drop_nulls()
    floor = pl.max_horizontal(1.4826 * away.list.median(), (pl.col("usual") * chance).sqrt(), 0.1 * pl.col("usual"))
    trusted = (pl.col("known") >= 3) & (pl.col("open") >= 0.5)
    around = pl.when(pl.col("n") > 0).then("n").rolling_median(15, min_samples=3, center=True)
    even = known.list.min() >= EVEN * pl.col("usual")
    certain = pl.when(trusted, even).then(pl.min_horizontal("usual", around) / burst)
    return table.select(
        "day",
        "n",
        usual=pl.when(trusted).then("usual"),
        spread=pl.when(trusted).then(floor),
        certain=certain,
    ).sort("day")


def missing_days(look: Look) -> Verdict:
    """DQ10: days and hours without a row where rows would be certain, and a last day that is not over."""
    days = expected(look.days, look.burst("days"))
    if days.height < 14:
        return _skipped("fewer than 14 days", "不足 14 天")
    judged = look.judged(days)
    sure = judged.filter(pl.col("certain") >= look.limits.visits_a_day)
    gone, hours = sure.filter(pl.col("n") == 0), _missing_hours(look)
    cut = _cut_short(look, days)
    if not (gone.height or hours or cut):
        if sure.is_empty():
            return _skipped("too few rows a day to tell", "每日行数过少,无法判断")
        return _ok("no day is missing", "无缺失日期")
    shown = _days_named(gone["day"].head(6).to_list())
    which = named([f"{first_day(hour // 24).isoformat()} {hour % 24:02}:00" for hour in hours[:6]])
    said = _told(
        (gone.height, f"{gone.height:,} days without a row: {shown}", f"{gone.height:,} 天没有数据:{shown}"),
        (hours, f"{len(hours):,} hours without a row: {which}", f"{len(hours):,} 个小时没有数据:{which}"),
        (cut, cut.en if cut else "", cut.zh if cut else ""),
    )
    if gone.height:
        return Verdict("error", said, gone.height, _share(gone.height, judged.height), "days")
    if hours:
        return Verdict("warn", said, len(hours), _share(len(hours), judged.height * 24), "hours")
    return Verdict("warn", said, 1, _share(1, judged.height), "days")


def _cut_short(look: Look, days: pl.DataFrame) -> Text | None:
    """That the last day is not over, where its weekday usually has enough to tell."""
    if (days["certain"][-1] or 0) < look.limits.visits_a_day:
        return None
    return account.cut_short(look.scan.books, first_day(int(days["day"][-1])))


def _missing_hours(look: Look) -> list[int]:
    """Hours (since 1970-01-01) without a row, within days that have some, where the weeks around always have many."""
    span = look.scan.body
    if span is None or look.scan.sums["midnight"] >= 0.5 * max(1, look.scan.sums["timed"]):
        return []
    hours = look.scan.books.used.group_by("hour").agg(pl.col("n").sum()).drop_nulls("hour").sort("hour")
    first_hour = max(span[0], span[1] - MOST_DAYS) * 24
    hours = hours.filter(pl.col("hour").is_between(first_hour, span[1] * 24 + 23))
    first, last = int(hours["hour"].min()), int(hours["hour"].max())  # type: ignore[arg-type] # there are some
    every = pl.DataFrame({"hour": range(first, last + 1)}, schema={"hour": pl.Int32})
    counts = every.join(hours.cast({"hour": pl.Int32}), on="hour", how="left").with_columns(pl.col("n").fill_null(0))
    clock = pl.col("hour") % 24
    near = pl.col("n").rolling_median(15, min_samples=7, center=True).over(clock, order_by="hour")
    least = pl.col("n").rolling_quantile(0.2, window_size=15, min_samples=7, center=True).over(clock, order_by="hour")
    whole = pl.col("n").sum().over(pl.col("hour") // 24) > 0
    gone = counts.with_columns(near=near, least=least, whole=whole).filter("whole", pl.col("n") == 0)
    many = pl.col("near") >= look.limits.visits_an_hour * look.burst("hours")
    sure = many & (pl.col("least") >= EVEN * pl.col("near"))
    return gone.filter(sure).sort("hour")["hour"].to_list()


def volume(look: Look) -> Verdict:
    """DQ11: days with far more or fewer rows than the same weekdays around them; not the first, nor the last (DQ19)."""
    burst = look.burst("days")
    days = expected(look.days, burst)
    if days.height < 28:
        return _skipped("fewer than 28 days", "不足 28 天")
    many = pl.col("usual") >= look.limits.visits_a_day * burst
    told = look.judged(days.slice(1, days.height - 2)).filter(many, pl.col("n") > 0)
    if told.is_empty():
        return _skipped("too few rows a day to tell", "每日行数过少,无法判断")
    odd = told.filter((pl.col("n") - pl.col("usual")).abs() > look.limits.volume_mads * pl.col("spread"))
    if odd.is_empty():
        return _ok("every day is as its weekday usually is", "各日数据量正常")
    top = odd.with_columns(away=(pl.col("n") - pl.col("usual")).abs() / pl.col("spread")).sort(
        "away", "day", descending=[True, False]
    )
    shown = named(
        [
            f"{first_day(day)} {n:,} ({usual:,.0f})"
            for day, n, usual in top.select("day", "n", "usual").head(6).iter_rows()
        ]
    )
    said = Text(
        f"{odd.height:,} days unlike their weekday, with what is usual: {shown}",
        f"{odd.height:,} 天数据量异常(括号内为常值):{shown}",
    )
    return Verdict("warn", said, odd.height, _share(odd.height, told.height), "days")


def zone(look: Look) -> Verdict:
    """DQ15: fewest rows at an hour when people are awake."""
    sums = look.scan.sums
    if sums["timed"] < 1000:
        return _skipped("fewer than 1,000 times", "时间不足 1,000 个")
    if sums["midnight"] >= 0.5 * sums["timed"]:
        return _skipped("times are dates", "时间只有日期")
    hours = look.scan.books.used.drop_nulls("hour").group_by(hour=pl.col("hour") % 24).agg(pl.col("n").sum())
    known = dict(hours.iter_rows())
    counts = [known.get(hour, 0) for hour in range(24)]
    runs = [sum(counts[(start + i) % 24] for i in range(4)) for start in range(24)]
    least = min(runs)
    if least > 0.5 * sum(counts) * 4 / 24:
        return _ok("no hour of the day stands out", "各小时分布均匀,无法判断时区")
    quiet = [start for start in range(24) if runs[start] <= least + 0.002 * sum(counts)]
    x, y = (sum(f((start + 2) * math.pi / 12) for start in quiet) for f in (math.cos, math.sin))
    trough = round(math.atan2(y, x) * 12 / math.pi) % 24
    text = f"fewest rows around {trough:02}:00"
    if trough <= 8 or trough >= 23:
        return _ok(text, f"{trough:02}:00 前后数据最少")
    said = Text(f"{text}, when people are awake", f"{trough:02}:00 前后数据最少,而此时人们通常清醒")
    return Verdict("warn", said, sums["timed"], 1.0)


def midnight(look: Look) -> Verdict:
    """DQ16: many, but not all times at 00:00:00."""
    sums = look.scan.sums
    share = _share(sums["midnight"], sums["timed"])
    if share is None:
        return _skipped("no times", "没有时间")
    at = pl.col(look.scan.subject.table.time).to_physical()
    rows = _GOOD & (at % periods.MICROSECONDS_A_DAY == 0)
    if share > 0.999:
        text = Text(
            "all times are dates: hours, sessions and order within a day cannot be told",
            "时间均为日期:无法区分小时、会话与当日先后",
        )
        return Verdict("info", text, sums["midnight"], share)
    if share > look.limits.midnight and sums["midnight"] > 1:
        said = Text(f"{_percent(share)} of the times are at 00:00:00", f"{_percent(share)} 的时间为 00:00:00")
        return Verdict("warn", said, sums["midnight"], share, rows=rows)
    return _ok("times have their hours", "时间包含时分秒")


# --- against the last run, other files, the file itself ---------------------------------------------------------------


def schema_drift(look: Look) -> Verdict:
    """DQ12: columns that went, came or changed their type, and values that are spread otherwise than in the last run."""
    if look.last is None:
        return _skipped("needs an earlier audit: --compare-with LAST.json", "需要上次审计结果:--compare-with LAST.json")
    then, now = look.last.columns, look.scan.profile.columns
    gone, new = sorted(set(then) - set(now)), sorted(set(now) - set(then))
    retyped = sorted(name for name in set(then) & set(now) if then[name]["dtype"] != now[name]["dtype"])
    moved = {
        name: value for name, value in drift.shifts(look.last, look.scan.profile).items() if value > look.limits.psi
    }
    ranked = sorted(moved, key=lambda name: (-moved[name], name))
    types = [f"{name} {then[name]['dtype']} → {now[name]['dtype']}" for name in retyped]
    shifts = [f"{name} (PSI {moved[name]:.2f})" for name in ranked]
    parts = (
        (gone, f"columns gone: {named(gone)}", f"列消失:{named(gone)}"),
        (new, f"columns new: {named(new)}", f"新增列:{named(new)}"),
        (retyped, f"types changed: {named(types)}", f"类型改变:{named(types)}"),
        (ranked, f"values shifted: {named(shifts)}", f"分布偏移:{named(shifts)}"),
    )
    touched = {*gone, *new, *retyped, *ranked}
    if not touched:
        return _ok("as in the last run", "与上次一致")
    said = _told(*parts)
    return Verdict("error" if gone else "warn", said, len(touched), _share(len(touched), len({*then, *now})), "columns")


def late_arrivals(look: Look) -> Verdict:
    """DQ17: rows dated on or before the last day of the last run that it did not have; or that came a day late."""
    lags = look.scan.small.get("lags")
    if look.last is not None and look.last.last is not None:
        through = periods.epoch_day(date.fromisoformat(look.last.last))
        now = int(look.scan.books.days.drop_nulls("day").filter(pl.col("day") <= through)["n"].sum())
        n = now - look.last.rows
        if not n:
            return _ok(f"as many rows through {look.last.last} as then", f"截至 {look.last.last} 的行数与上次一致")
        if n > 0:
            said = Text(
                f"{n:,} rows through {look.last.last} were not there in the last run",
                f"截至 {look.last.last} 的数据比上次多 {n:,} 行",
            )
            return Verdict("info", said, n, _share(n, now))
        said = Text(
            f"{-n:,} rows through {look.last.last} are gone since the last run",
            f"截至 {look.last.last} 的数据比上次少 {-n:,} 行",
        )
        return Verdict("warn", said, -n, _share(-n, look.last.rows))
    if lags is None:
        return _skipped(
            "no ingested_at column, and no earlier audit (--compare-with)",
            "没有 ingested_at 列,也没有上次审计(--compare-with)",
        )
    n = int(lags.filter(pl.col("lag") >= 24 * 60)["n"].sum())
    if not n:
        return _ok("every row arrived within a day", "均在一天内到达")
    said = Text(f"{n:,} rows arrived a day or more after they happened", f"{n:,} 行在发生一天后才到达")
    at = pl.col(look.scan.subject.table.time)
    rows = _GOOD & ((pl.col("ingested_at") - at).dt.total_minutes() >= 24 * 60)
    return Verdict("info", said, n, _share(n, look.scan.sums["arrived"]), rows=rows)


def contradictions(look: Look) -> Verdict:
    """DQ18: purchases by users never seen before, sums that do not add up, users and orders another file lacks."""
    scan, limits = look.scan, look.limits
    people, sums = scan.small["people"].row(0, named=True), scan.sums
    parts: list[Part] = []
    if buyers := int(people.get("buyers") or 0):
        n = int(people["never_came"])
        told = Text(
            f"{n:,} of {buyers:,} buyers were never seen before they bought",
            f"{buyers:,} 个购买者中 {n:,} 个在购买前没有任何行为",
        )
        parts.append(Part(n, buyers, limits.bought_unseen, "users", told))
    if products := sums.get("products", 0):
        n = sums["unequal"]
        told = Text(f"{n:,} amounts are not price times quantity", f"{n:,} 行金额不等于单价乘数量")
        parts.append(Part(n, products, limits.unequal_sums, "rows", told))
    if "unknown" in people:
        n = int(people["unknown"] or 0)
        told = Text(f"{n:,} users are not in the table of users", f"{n:,} 个用户不在用户表中")
        parts.append(Part(n, int(people["users"]), limits.unknown, "users", told))
    orders = look.others.get("orders")
    if scan.subject.kind == "events" and orders and "order_ids" in scan.small and "order_ids" in orders.small:
        ids = scan.small["order_ids"]["id"].unique()
        n = int((~ids.is_in(orders.small["order_ids"]["id"].unique().implode())).sum())
        told = Text(
            f"{n:,} of {ids.len():,} purchases are no orders of the other file",
            f"{ids.len():,} 次购买中 {n:,} 次不在订单文件中",
        )
        parts.append(Part(n, ids.len(), limits.unknown, "orders", told))
    if not parts:
        return _skipped("no purchases among the events, no prices, no table of users", "没有购买事件、单价或用户表")
    return _of_parts(parts, ("steps, sums and files agree", "步骤、合计与文件一致"))


def cut_files(look: Look) -> Verdict:
    """DQ19: text that ends in the middle of a row, and a last day with far fewer rows than its weekday has."""
    torn = look.scan.subject.torn
    days = expected(look.days, look.burst("days"))
    short = [name for name, sign in torn if sign == "short_row"]
    if short:
        said = Text(f"the last row lacks cells: {named(short)}", f"最后一行缺少单元格:{named(short)}")
        return Verdict("warn", said, len(short), None, "files")
    if days.height >= 28:
        day, n, usual = days.select("day", "n", "certain").row(-1)
        usual = (usual or 0) * look.burst("days")
        told = _cut_short(look, days) is not None  # by DQ10
        if not told and usual >= 2 * look.limits.visits_a_day * look.burst("days") and n < 0.5 * usual:
            said = Text(
                f"{first_day(day)} has {n:,} rows, such a day usually {usual:,.0f}",
                f"{first_day(day)} 只有 {n:,} 行,通常约 {usual:,.0f} 行",
            )
            return Verdict("warn", said, 1, _share(1, days.height), "days")
    if torn:
        names = named([name for name, _ in torn])
        said = Text(f"no line end after the last row: {names}", f"最后一行没有换行符:{names}")
        return Verdict("info", said, len(torn), None, "files")
    return _ok("the files end as they should", "文件结尾完整")


JUDGES: dict[str, Callable[[Look], Verdict]] = {
    "DQ01": duplicates, "DQ02": no_user, "DQ03": impossible_times, "DQ04": clocks, "DQ05": bad_amounts,
    "DQ06": outliers, "DQ07": currencies, "DQ08": test_accounts, "DQ09": bots, "DQ10": missing_days, "DQ11": volume,
    "DQ12": schema_drift, "DQ13": alike_ids, "DQ14": benford, "DQ15": zone, "DQ16": midnight, "DQ17": late_arrivals,
    "DQ18": contradictions, "DQ19": cut_files,
}  # fmt: skip
"""Which function judges which check of :data:`userops.texts.checks.CHECKS`."""
