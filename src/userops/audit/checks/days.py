"""Checks of days: which are missing, which jump, whether the last one is whole."""

from __future__ import annotations

from typing import Literal

import polars as pl

from userops import account
from userops.audit.checks.verdicts import MOST_DAYS, Look, Verdict, days_named, joined, passed, share_of, skipped
from userops.audit.scan import first_day, named
from userops.results import Text

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
        return skipped("fewer than 14 days", "不足 14 天")
    judged = look.judged(days)
    sure = judged.filter(pl.col("certain") >= look.limits.visits_a_day)
    gone, hours = sure.filter(pl.col("n") == 0), _missing_hours(look)
    cut = _cut_short(look, days)
    if not (gone.height or hours or cut):
        if sure.is_empty():
            return skipped("too few rows a day to tell", "每日行数过少,无法判断")
        return passed("no day is missing", "无缺失日期")
    shown = days_named(gone["day"].head(6).to_list())
    which = named([f"{first_day(hour // 24).isoformat()} {hour % 24:02}:00" for hour in hours[:6]])
    said = joined(
        (gone.height, f"{gone.height:,} days without a row: {shown}", f"{gone.height:,} 天没有数据:{shown}"),
        (hours, f"{len(hours):,} hours without a row: {which}", f"{len(hours):,} 个小时没有数据:{which}"),
        (cut, cut.en if cut else "", cut.zh if cut else ""),
    )
    if gone.height:
        return Verdict("error", said, gone.height, share_of(gone.height, judged.height), "days")
    if hours:
        return Verdict("warn", said, len(hours), share_of(len(hours), judged.height * 24), "hours")
    return Verdict("warn", said, 1, share_of(1, judged.height), "days")


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
        return skipped("fewer than 28 days", "不足 28 天")
    many = pl.col("usual") >= look.limits.visits_a_day * burst
    told = look.judged(days.slice(1, days.height - 2)).filter(many, pl.col("n") > 0)
    if told.is_empty():
        return skipped("too few rows a day to tell", "每日行数过少,无法判断")
    odd = told.filter((pl.col("n") - pl.col("usual")).abs() > look.limits.volume_mads * pl.col("spread"))
    if odd.is_empty():
        return passed("every day is as its weekday usually is", "各日数据量正常")
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
    return Verdict("warn", said, odd.height, share_of(odd.height, told.height), "days")


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
            return Verdict("warn", said, 1, share_of(1, days.height), "days")
    if torn:
        names = named([name for name, _ in torn])
        said = Text(f"no line end after the last row: {names}", f"最后一行没有换行符:{names}")
        return Verdict("info", said, len(torn), None, "files")
    return passed("the files end as they should", "文件结尾完整")
