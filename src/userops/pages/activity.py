"""What a person sees of active users: the page in blocks, and the words on it in English and Chinese."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from userops.pages import shared
from userops.results import Block, ChartBlock, Column, FactsBlock, HeatBlock, Series, TableBlock, Text

if TYPE_CHECKING:
    from userops.activity import Story

LAST_DAYS = 14
"""Days in the table; the chart and the rows have all of them."""

WEEKDAYS = (
    Text("Mon", "周一"), Text("Tue", "周二"), Text("Wed", "周三"), Text("Thu", "周四"), Text("Fri", "周五"),
    Text("Sat", "周六"), Text("Sun", "周日"),
)  # fmt: skip
ACTS: dict[str, Text] = {"events": Text("events", "事件"), "orders": Text("orders", "订单")}
DAU, WAU, MAU = Text("DAU", "日活 DAU"), Text("WAU", "周活 WAU"), Text("MAU", "月活 MAU")
STICKINESS = Text("Stickiness", "粘性")


def definitions(story: Story) -> tuple[Text, ...]:
    """The rules that made the numbers, in words."""
    settings, acts, days = story.settings, ACTS[story.acts], story.settings.mau_days
    one = acts.en.removesuffix("s")
    new = Text(
        f"New: the day of a user's first {one} in all data up to as-of.",
        f"新增:截至统计日,用户首次{acts.zh}的日期。",
    )
    if story.signed_up:
        new = Text(
            "New: active on the day they signed up, or were first seen if that was earlier.",
            "新增:在注册当日(或更早的首次出现之日)活跃的用户。",
        )
    until, reported = story.last_day, shared.span(settings.since, story.last_day)
    return (
        Text(
            f"DAU: distinct users with an {acts.en.removesuffix('s')} on the day, days cut in {settings.tz}; "
            "a day without anybody is 0.",
            f"DAU:当日有{acts.zh}的去重用户(时区 {settings.tz});无人的日子为 0。",
        ),
        Text(
            f"WAU and MAU: distinct users of the 7 and the {days} days that end with the day; none before the data reach "
            "back that far.",
            f"WAU、MAU:截至当日(含)7 天与 {days} 天内的去重用户;数据不足一个完整窗口时为空。",
        ),
        Text(
            "Stickiness: DAU / MAU of that day; its mean is over the reported days that have one.",
            "粘性:当日 DAU / MAU;均值取报告范围内有值的日子。",
        ),
        new,
        Text(
            f"Active days: on how many of the {days} days up to {until} a user was active. Their mean is the sum of the "
            "DAU of those days, divided by the MAU.",
            f"活跃天数:截至 {until} 的 {days} 天内每个用户活跃的天数;其均值等于这些日子的 DAU 之和除以 MAU。",
        ),
        Text(
            f"Hours: {acts.en} (not users) by day of the week and hour in {settings.tz}, {reported.en}.",
            f"时段:{reported.zh} 按星期与小时统计的{acts.zh}数(非用户数,时区 {settings.tz})。",
        ),
        Text(
            f"Reported: the days from {reported.en}; the window changes no number of a row.",
            f"报告范围:{reported.zh};范围不改变任何一行的数值。",
        ),
    )


def warnings(story: Story, totals: pl.DataFrame) -> list[Text]:
    """What may mislead in these numbers."""
    if totals.is_empty():
        return [
            Text(
                "no day of the data lies in the reporting window; --since and --until move it",
                "报告范围内没有任何日期;可用 --since、--until 调整",
            )
        ]
    if totals["mau"].null_count() == totals.height:
        days = story.settings.mau_days
        return [
            Text(
                f"no reported day has {days} days of history: there is no MAU and no stickiness; "
                "--mau-days 7 needs a week",
                f"报告范围内没有任何一天具备 {days} 天历史,故无 MAU 与粘性;--mau-days 7 只需一周",
            )
        ]
    return []


def views(
    story: Story,
    totals: pl.DataFrame,
    rows: pl.DataFrame,
    often: pl.DataFrame,
    hours: pl.DataFrame,
    summary: dict[str, Any],
    warnings: list[Text],
) -> tuple[Block, ...]:
    """The page: headline, curves, the last days, how often, which hours, definitions, warnings."""
    days = story.settings.mau_days
    facts = FactsBlock(
        (
            (Text("users", "用户"), summary["users"], "count"),
            (Text("last day", "最近一天"), summary["date"], "date"),
            (DAU, summary["dau"], "count"),
            (WAU, summary["wau"], "count"),
            (Text(f"MAU ({days} days)", f"月活 MAU({days} 天)"), summary["mau"], "count"),
            (Text("stickiness", "粘性"), summary["stickiness"], "share"),
            (Text("mean DAU", "平均 DAU"), summary["mean_dau"], "number"),
            (Text("mean stickiness", "平均粘性"), summary["mean_stickiness"], "share"),
            (Text("active days per user", "人均活跃天数"), summary["active_days_mean"], "number"),
        )
    )
    return (
        facts,
        _chart(totals),
        _table(story, totals, rows),
        _histogram(story, often),
        _heat(hours, ACTS[story.acts]),
        *shared.ending(definitions(story), warnings),
    )


def _chart(totals: pl.DataFrame) -> ChartBlock:
    lines = {DAU: "dau", WAU: "wau", MAU: "mau"}
    return ChartBlock(
        Text("Active users by day", "每日活跃用户"),
        tuple(day.isoformat() for day in totals["date"]),
        tuple(Series(label, tuple(totals[name])) for label, name in lines.items()),
    )


def _table(story: Story, totals: pl.DataFrame, rows: pl.DataFrame) -> TableBlock:
    """The last days; with ``by``, every value of it on the last day."""
    by = story.settings.by
    columns = (
        Column("dau", DAU, "count"),
        Column("wau", WAU, "count"),
        Column("mau", MAU, "count"),
        Column("stickiness", STICKINESS, "share"),
        Column("new_users", Text("New", "新增"), "count"),
    )
    if by is None:
        title = Text("By day", "按日")
        if totals.height > LAST_DAYS:
            title = Text(f"The last {LAST_DAYS} days", f"最近 {LAST_DAYS} 天")
        return TableBlock(title, (Column("date", Text("Day", "日期"), "date"), *columns), totals.tail(LAST_DAYS))
    day = story.last_day
    return TableBlock(
        Text(f"By {by}, on {day}", f"按 {by} 细分({day})"),
        (*shared.by_columns(by), *columns),
        rows.filter(pl.col("date") == day),
    )


def _histogram(story: Story, often: pl.DataFrame) -> TableBlock:
    """Up to the most days anybody was active."""
    days, until = story.settings.mau_days, story.last_day
    most = often.filter(pl.col("users") > 0)["active_days"].max() or 0
    return TableBlock(
        Text(f"Users by active days in the {days} days up to {until}", f"截至 {until} 的 {days} 天内活跃天数分布"),
        (
            Column("active_days", Text("Active days", "活跃天数"), "count"),
            Column("users", Text("Users", "用户数"), "count", bar=True),
        ),
        often.filter(pl.col("active_days") <= most),
    )


def _heat(hours: pl.DataFrame, acts: Text) -> HeatBlock:
    weekdays = list(dict.fromkeys(hours["weekday"]))
    count = hours[:, -1].cast(pl.Float64).to_list()
    return HeatBlock(
        Text(f"{acts.en.capitalize()} by hour of the week", f"每周各时段{acts.zh}数"),
        Text("Day", "星期"),
        Text("Hour", "小时"),
        tuple(WEEKDAYS[weekday - 1] for weekday in weekdays),
        tuple(Text(f"{hour:02}", f"{hour:02}") for hour in range(24)),
        tuple(tuple(count[24 * row : 24 * row + 24]) for row in range(len(weekdays))),
    )
