"""What a person sees of growth accounting: the page in blocks, and the words on it in English and Chinese."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from userops.pages import shared
from userops.results import Block, ChartBlock, Column, FactsBlock, Series, TableBlock, Text

if TYPE_CHECKING:
    from userops.growth import Story

LAST_PERIODS = 14
"""Periods in the table; the chart and the rows have all of them."""

NEW, RETAINED = Text("New", "新增"), Text("Retained", "留存")
RESURRECTED, CHURNED = Text("Resurrected", "回流"), Text("Churned", "流失")


def definitions(story: Story) -> tuple[Text, ...]:
    """The rules that made the numbers, in words."""
    settings, found = story.settings, story.found
    period = shared.GRAINS[found.grain]
    weeks = (" (from Sunday)", "(周日起)") if found.week_start == "sunday" else (" (from Monday)", "(周一起)")
    start = weeks if found.grain == "week" else ("", "")
    act = Text("event", "事件") if "events" in found.totals else Text("order", "订单")
    new = Text(
        f"New: the {period.en} of the user's first {act.en} in all data up to as-of.",
        f"新增:截至统计日,该用户首次{act.zh}所在的{period.zh}。",
    )
    if story.signed_up:
        new = Text(
            f"New: active in the {period.en} they signed up, or were first seen if that was earlier. Signed up in an "
            f"earlier {period.en} and active only now: resurrected, also in the first {period.en} of the data.",
            f"新增:在注册所在{period.zh}(或更早的首次出现)活跃;注册后较晚才首次活跃者计为回流,首个周期亦然。",
        )
    days = shared.span(settings.since, settings.until or found.as_of)
    window = Text(
        f"Reported: every {period.en} that overlaps {days.en}, each counted in full; "
        "the window changes no number of a row.",
        f"报告范围:与 {days.zh} 有重叠的每{period.zh},整期计数;范围不改变任何一行的数值。",
    )
    return (
        Text(
            f"Active: users with an {act.en} in the {period.en}{start[0]}, days cut in {settings.tz}.",
            f"活跃:当{period.zh}{start[1]}内有{act.zh}的用户(时区 {settings.tz})。",
        ),
        new,
        Text(
            f"Retained: active the {period.en} before too. Resurrected: not new, and not active the {period.en} before.",
            f"留存:上一{period.zh}也活跃。回流:非新增,且上一{period.zh}不活跃。",
        ),
        Text(
            f"Churned: active the {period.en} before and not in this one; counted once, in the first silent {period.en}. "
            "Unknown in the first period of the data.",
            f"流失:上一{period.zh}活跃而本{period.zh}不活跃,只在首个沉默周期计一次;数据首个周期未知。",
        ),
        Text(
            "active = new + retained + resurrected; active of the period before = retained + churned; "
            "net = new + resurrected - churned.",
            "活跃 = 新增 + 留存 + 回流;上期活跃 = 留存 + 流失;净增 = 新增 + 回流 - 流失。",
        ),
        Text(
            "Quick ratio = (new + resurrected) / churned, of users: above 1 they grow. It is not the quick ratio of "
            "recurring revenue, where 4 is asked for. Rates and means are of periods that are over.",
            "速动比 = (新增 + 回流) / 流失,按用户计,大于 1 即增长;"
            "与经常性收入(MRR)的速动比(通常要求 4)不同。各比率与均值只取已结束的周期。",
        ),
        window,
    )


def warnings(story: Story, totals: pl.DataFrame) -> list[Text]:
    """What may mislead in these numbers."""
    if totals.is_empty():
        return [
            Text(
                "no period of the data lies in the reporting window; --since and --until move it",
                "报告范围内没有任何周期;可用 --since、--until 调整",
            )
        ]
    found = []
    first = totals.row(0, named=True)
    if first["before"] is None:
        start = first["period_start"]
        found.append(
            Text(
                f"{start} is the first period of the data: who was there before is not known, so nobody in it is "
                "retained; a later --since leaves it out",
                f"{start} 是数据的首个周期:此前的用户未知,该周期无人计为留存;可用更晚的 --since 排除",
            )
            if story.signed_up
            else Text(
                f"{start} is the first period of the data: everybody in it counts as new, also who was there before; "
                "a later --since leaves it out, --users-table with sign-up dates mends it",
                f"{start} 是数据的首个周期:其中所有人都计为新增,含此前已有的用户;"
                "可用更晚的 --since 排除,或以 --users-table 提供注册时间",
            )
        )
    if not totals["complete"].any():
        found.append(Text("no period is over yet: the numbers will change", "尚无已结束的周期,数值仍会变化"))
    return found


def views(
    story: Story, totals: pl.DataFrame, rows: pl.DataFrame, summary: dict[str, Any], warnings: list[Text]
) -> tuple[Block, ...]:
    """The page: headline, the stacked chart, the table, definitions, warnings."""
    period = shared.GRAINS[story.found.grain]
    facts = FactsBlock(
        (
            (Text("users", "用户"), summary["users"], "count"),
            (Text(f"last full {period.en}", f"最近完整{period.zh}"), summary["period_start"], "date"),
            (Text("active", "活跃"), summary["active"], "count"),
            (Text("new", "新增"), summary["new"], "count"),
            (Text("churned", "流失"), summary["churned"], "count"),
            (Text("net", "净增"), summary["net"], "count"),
            (Text("retained of those before", "上期留存率"), summary["retention_rate"], "share"),
            (Text("quick ratio", "速动比"), summary["quick_ratio"], "number"),
            (Text("mean quick ratio", "平均速动比"), summary["mean_quick_ratio"], "number"),
        )
    )
    blocks = facts, _chart(totals, period), _table(story, totals, rows, period)
    return (*blocks, *shared.ending(definitions(story), warnings))


def _chart(totals: pl.DataFrame, period: Text) -> ChartBlock:
    over = int(totals["complete"].sum())
    series = {RETAINED: "retained", RESURRECTED: "resurrected", NEW: "new"}
    gone = Series(CHURNED, tuple(None if n is None else -n for n in totals["churned"]))
    return ChartBlock(
        Text(f"Users by {period.en}: who came, who stayed away", f"每{period.zh}用户:来者与流失者"),
        tuple(day.isoformat() for day in totals["period_start"]),
        (*(Series(label, tuple(totals[name])) for label, name in series.items()), gone),
        shape="stacked",
        unfinished=over if over < totals.height else None,
    )


def _table(story: Story, totals: pl.DataFrame, rows: pl.DataFrame, period: Text) -> TableBlock:
    """The last periods; with ``by``, every value of it in the last period that is over (else the last)."""
    by = story.settings.by
    columns = (
        Column("active", Text("Active", "活跃"), "count"),
        Column("new", NEW, "count"),
        Column("retained", RETAINED, "count"),
        Column("resurrected", RESURRECTED, "count"),
        Column("churned", CHURNED, "count"),
        Column("net", Text("Net", "净增"), "count"),
        Column("quick_ratio", Text("Quick ratio", "速动比"), "number"),
    )
    if by is None:
        when = Column("period_start", Text(period.en.capitalize(), period.zh), "date")
        over = Column("complete", Text("Over", "已结束"))
        title = Text(f"By {period.en}", f"按{period.zh}")
        if totals.height > LAST_PERIODS:
            title = Text(f"The last {LAST_PERIODS} {period.en}s", f"最近 {LAST_PERIODS} 个{period.zh}")
        return TableBlock(title, (when, *columns, over), totals.tail(LAST_PERIODS))
    day = max(totals.filter("complete")["period_start"], default=max(totals["period_start"], default=None))
    return TableBlock(
        Text(f"By {by}, {period.en} of {day or '–'}", f"按 {by} 细分({day or '–'} 起的{period.zh})"),
        (*shared.by_columns(by), *columns),
        rows.filter(pl.col("period_start") == day),
    )
