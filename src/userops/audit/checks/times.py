"""Checks of times: those that cannot be, clocks that disagree, zones, midnight, what came late."""

from __future__ import annotations

import math
from datetime import date

import polars as pl

from userops import periods, stats
from userops.audit.checks.verdicts import (
    GOOD,
    Look,
    Part,
    Verdict,
    days_named,
    joined,
    level_of,
    of_parts,
    passed,
    percent,
    rejected_for,
    share_of,
    skipped,
)
from userops.audit.scan import body, first_day, paid_early
from userops.results import Text


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
        return passed("every time can be", "时间均合理")
    cells, ahead, ago = (
        look.cells(*reasons),
        days_named(far["day"].tail(6).to_list()),
        days_named(early["day"].head(6).to_list()),
    )
    said = joined(
        (bad, f"{bad:,} rows with none, or one that cannot be read{cells}", f"{bad:,} 行缺失或无法解析{cells}"),
        (n_far, f"{n_far:,} rows in the far future: {ahead}", f"{n_far:,} 行在遥远的未来:{ahead}"),
        (n_near, f"{n_near:,} rows after the as-of date, left out", f"{n_near:,} 行晚于统计截止日,未计入"),
        (n_early, f"{n_early:,} rows long before all others: {ago}", f"{n_early:,} 行远早于其他:{ago}"),
    )
    at = pl.col(scan.subject.table.time).to_physical()
    low, high = periods.start_of_day(first_day(first)), periods.end_of_day(first_day(last))
    rows = rejected_for(*reasons, *(() if goes_on else ("after_as_of",)))
    if span is not None:
        rows = rows | (GOOD & ((at < low) | (at >= high)))
    if not n:
        return Verdict("info", said, n_near, share_of(n_near, scan.rows_read))
    share = share_of(n, scan.rows_read)
    return Verdict(level_of(share, error=look.limits.bad_time_error), said, n, share, rows=rows)


def clocks(look: Look) -> Verdict:
    """DQ04: rows that arrived long after or before they happened, acts before the sign-up, payments before the order."""
    scan, limits, sums = look.scan, look.limits, look.scan.sums
    people, lags = scan.small["people"].row(0, named=True), scan.small.get("lags")
    if lags is None and "before_sign_up" not in people and not sums.get("paid"):
        return skipped(
            "no ingested_at column, no table of users, no times of order and payment",
            "没有 ingested_at 列、用户表,也没有下单与付款时间",
        )
    parts: list[Part] = []
    marked, fine = [], ("nobody acts before the sign-up", "无注册前行为")
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
        marked.append((lag <= -5) | (lag > limits.lag_hours * 60))
    if (early_payment := paid_early(scan.subject)) is not None:
        paid, fine = sums["paid_early"], ("no order is paid before it is placed", "无下单前付款")
        told = Text(f"{paid:,} rows were paid before they were ordered", f"{paid:,} 行付款早于下单")
        parts.append(Part(paid, sums["paid"], limits.paid_early, "rows", told))
        marked.append(early_payment)
    before = int(people.get("before_sign_up") or 0)
    told = Text(
        f"{before:,} users act more than a day before they sign up", f"{before:,} 个用户在注册前一天以上已有行为"
    )
    parts.append(Part(before, int(people["users"]), limits.before_sign_up, "users", told))
    return of_parts(parts, fine, GOOD & pl.any_horizontal(marked) if marked else None)


def zone(look: Look) -> Verdict:
    """DQ15: fewest rows at an hour when people are awake."""
    sums = look.scan.sums
    if sums["timed"] < 1000:
        return skipped("fewer than 1,000 times", "时间不足 1,000 个")
    if sums["midnight"] >= 0.5 * sums["timed"]:
        return skipped("times are dates", "时间只有日期")
    hours = look.scan.books.used.drop_nulls("hour").group_by(hour=pl.col("hour") % 24).agg(pl.col("n").sum())
    known = dict(hours.iter_rows())
    counts = [known.get(hour, 0) for hour in range(24)]
    runs = [sum(counts[(start + i) % 24] for i in range(4)) for start in range(24)]
    least = min(runs)
    if least > 0.5 * sum(counts) * 4 / 24:
        return passed("no hour of the day stands out", "各小时分布均匀,无法判断时区")
    quiet = [start for start in range(24) if runs[start] <= least + 0.002 * sum(counts)]
    x, y = (sum(f((start + 2) * math.pi / 12) for start in quiet) for f in (math.cos, math.sin))
    trough = round(math.atan2(y, x) * 12 / math.pi) % 24
    text = f"fewest rows around {trough:02}:00"
    if trough <= 8 or trough >= 23:
        return passed(text, f"{trough:02}:00 前后数据最少")
    said = Text(f"{text}, when people are awake", f"{trough:02}:00 前后数据最少,而此时人们通常清醒")
    return Verdict("warn", said, sums["timed"], 1.0)


def midnight(look: Look) -> Verdict:
    """DQ16: many, but not all times at 00:00:00."""
    sums = look.scan.sums
    share = share_of(sums["midnight"], sums["timed"])
    if share is None:
        return skipped("no times", "没有时间")
    at = pl.col(look.scan.subject.table.time).to_physical()
    rows = GOOD & (at % periods.MICROSECONDS_A_DAY == 0)
    if share > 0.999:
        text = Text(
            "all times are dates: hours, sessions and order within a day cannot be told",
            "时间均为日期:无法区分小时、会话与当日先后",
        )
        return Verdict("info", text, sums["midnight"], share)
    if share > look.limits.midnight and sums["midnight"] > 1:
        said = Text(f"{percent(share)} of the times are at 00:00:00", f"{percent(share)} 的时间为 00:00:00")
        return Verdict("warn", said, sums["midnight"], share, rows=rows)
    return passed("times have their hours", "时间包含时分秒")


def late_arrivals(look: Look) -> Verdict:
    """DQ17: rows dated on or before the last day of the last run that it did not have; or that came a day late."""
    lags = look.scan.small.get("lags")
    if look.last is not None and look.last.last is not None:
        through = periods.epoch_day(date.fromisoformat(look.last.last))
        now = int(look.scan.books.days.drop_nulls("day").filter(pl.col("day") <= through)["n"].sum())
        n = now - look.last.rows
        if not n:
            return passed(f"as many rows through {look.last.last} as then", f"截至 {look.last.last} 的行数与上次一致")
        if n > 0:
            said = Text(
                f"{n:,} rows through {look.last.last} were not there in the last run",
                f"截至 {look.last.last} 的数据比上次多 {n:,} 行",
            )
            return Verdict("info", said, n, share_of(n, now))
        said = Text(
            f"{-n:,} rows through {look.last.last} are gone since the last run",
            f"截至 {look.last.last} 的数据比上次少 {-n:,} 行",
        )
        return Verdict("warn", said, -n, share_of(-n, look.last.rows))
    if lags is None:
        return skipped(
            "no ingested_at column, and no earlier audit (--compare-with)",
            "没有 ingested_at 列,也没有上次审计(--compare-with)",
        )
    n = int(lags.filter(pl.col("lag") >= 24 * 60)["n"].sum())
    if not n:
        return passed("every row arrived within a day", "均在一天内到达")
    said = Text(f"{n:,} rows arrived a day or more after they happened", f"{n:,} 行在发生一天后才到达")
    at = pl.col(look.scan.subject.table.time)
    rows = GOOD & ((pl.col("ingested_at") - at).dt.total_minutes() >= 24 * 60)
    return Verdict("info", said, n, share_of(n, look.scan.sums["arrived"]), rows=rows)
