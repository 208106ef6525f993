"""Checks of money: amounts that are none, outliers, currencies and units, first digits."""

from __future__ import annotations

import math

import polars as pl

from userops import account, money, stats
from userops.audit.checks.verdicts import (
    GOOD,
    Look,
    Verdict,
    joined,
    level_of,
    passed,
    percent,
    rejected_for,
    share_of,
    skipped,
)
from userops.audit.scan import named
from userops.results import Text

_NO_AMOUNTS = ("no amount column", "没有金额列")


def bad_amounts(look: Look) -> Verdict:
    """DQ05: amounts that cannot be read or are not finite, refunds without an order, more refunded than paid."""
    scan, limits, sums = look.scan, look.limits, look.scan.sums
    if not scan.subject.table.has_amount:
        return skipped(*_NO_AMOUNTS)
    reasons = ("missing_amount", "unreadable_amount", "non_finite_amount")
    bad, people = scan.rejected(*reasons), scan.small["people"].row(0, named=True)
    alone, beyond, negative = (
        int(x or 0) for x in (people["refunds_alone"], people["refunded_beyond"], sums["negative"])
    )
    level = level_of(share_of(bad, scan.rows_read), error=limits.bad_amount_error)
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
        return passed("every amount is above zero", "金额均大于零")
    said = joined(*parts)
    n = bad or (alone if level == "warn" else negative + sums["zero"])
    return Verdict(
        level, said, n, share_of(n, scan.rows_read), rows=rejected_for(*reasons) | (GOOD & (pl.col("amount") <= 0))
    )


def outliers(look: Look) -> Verdict:
    """DQ06: amounts whose logarithm lies far from the median, by the median absolute deviation; one order too heavy."""
    amounts, limits = look.scan.small.get("amounts"), look.limits
    if amounts is None:
        return skipped(*_NO_AMOUNTS)
    n = int(amounts["n"].sum())
    if n < 100:
        return skipped("fewer than 100 amounts above zero", "大于零的金额不足 100 个")
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
        return passed(f"the largest is {account.money_text(top)}", f"最大金额 {account.money_text(top)}")
    shown = named([f"{value / money.SCALE:,.2f}" for value in far.sort("amount", descending=True)["amount"].head(6)])
    en = [f"{found:,} amounts lie more than {limits.outlier_z:g} deviations from the median: {shown}"] if found else []
    zh = [f"{found:,} 笔金额偏离中位数超过 {limits.outlier_z:g} 个标准差:{shown}"] if found else []
    if heavy > limits.top_order:
        en.append(f"the largest order is {percent(heavy)} of all revenue")
        zh.append(f"最大一笔占收入 {percent(heavy)}")
    beyond = (pl.col("amount") > min(bound, top - 0.5)) | ((pl.col("amount") > 0) & (pl.col("amount") < low))
    count = max(found, 1)
    return Verdict(
        "warn",
        joined(*((True, *both) for both in zip(en, zh, strict=True))),
        count,
        share_of(count, look.used),
        rows=GOOD & beyond,
    )


def currencies(look: Look) -> Verdict:
    """DQ07: several currencies, or amounts in two heaps a factor of 100 or 7 apart."""
    scan = look.scan
    amounts = scan.small.get("amounts")
    if amounts is None:
        return skipped(*_NO_AMOUNTS)
    counted = scan.books.used.filter(pl.col("currency").is_not_null()).group_by("currency").agg(pl.col("n").sum())
    counted = counted.sort("n", "currency", descending=[True, False])
    if counted.height > 1:
        main, rest = counted["currency"][0], int(counted["n"][1:].sum())
        listed = named([f"{name} {n:,}" for name, n in counted.iter_rows()])
        rows = GOOD & (pl.col("currency") != main)
        return Verdict(
            "error",
            Text(f"several currencies: {listed}", f"多种币种:{listed}"),
            rest,
            share_of(rest, look.used),
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
            rows = GOOD & pl.col("amount").is_between(low, high)
            said = Text(en + span + doubt[0], zh + span + doubt[1])
            return Verdict("warn", said, n, share_of(n, look.used), rows=rows)
    currency = counted["currency"][0] if counted.height else None
    return passed(
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
        return skipped(*_NO_AMOUNTS)
    n = int(amounts["n"].sum())
    low, high = (stats.quantile_of_counts(amounts["amount"], amounts["n"], part) or 1 for part in (0.01, 0.99))
    if n < 1000 or high / low < 100 or amounts.height < n / 10:
        return skipped(
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
        return passed(text, zh)
    return Verdict("info", Text(text, zh), n, 1.0)
