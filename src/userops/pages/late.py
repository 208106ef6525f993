"""What a person sees of late rows: the page in blocks, and the words on it in English and Chinese."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from userops.pages import shared
from userops.results import Block, ChartBlock, Column, FactsBlock, Provenance, Series, TableBlock, Text

if TYPE_CHECKING:
    import polars as pl

    from userops.periods import Grain

PERIOD_ZH = {"day": "日", "week": "周", "month": "月"}

COLUMNS = (
    Column("period_start", Text("Period", "周期"), "date"),
    Column("rows", Text("Rows", "行数"), "count"),
    Column("late_rows", Text("Late", "迟到"), "count"),
    Column("late_share", Text("Share", "占比"), "share", bar=True),
    Column("users_then", Text("Users then", "当时用户"), "count"),
    Column("users_now", Text("Users now", "现在用户"), "count"),
    Column("users_change", Text("Change", "变化"), "count"),
    Column("median_lag_hours", Text("Median lag (h)", "延迟中位数(时)"), "number"),
    Column("p90_lag_hours", Text("90 % lag (h)", "延迟 P90(时)"), "number"),
    Column("max_lag_days", Text("Longest (d)", "最长(天)"), "days"),
)


def definitions(grain: Grain) -> tuple[Text, ...]:
    """The rules that made the numbers, in words."""
    zh = PERIOD_ZH[grain]
    return (
        Text(
            f"Late: arrived after the last day of its {grain}.",
            f"迟到:到达时间晚于所属{zh}的最后一天。",
        ),
        Text(
            "Users then: active users by what had arrived by the end of that day; now: by all rows. Run a report as "
            "it was then with --known-by.",
            f"当时用户:按所属{zh}最后一天结束前已到达的行计;现在用户:按全部行计。可用 --known-by 重现当时的报表。",
        ),
        Text(
            "Lag: from when it happened to when it arrived, in whole minutes; 0 where it seems to have arrived before, "
            "and where nobody knows. Of lags the smallest at or below which 50, 90 or 99 % lie.",
            "延迟:从发生到到达的整分钟数;到达早于发生或到达时间未知的记为 0。分位数取不低于 50%、90%、99% 行的最小值。",
        ),
        Text(
            f"Settled: days after the end of a {grain} until 99 % of its rows were there, over those that are over.",
            f"稳定:各{zh}结束后,99% 的行到齐所需天数,只看已结束的{zh}。",
        ),
    )


def warnings(summary: dict[str, Any]) -> tuple[Text, ...]:
    """What may mislead in these lags."""
    found = []
    if n := summary["negative_lags"]:
        found.append(
            Text(
                f"{n:,} rows arrived before they happened, by their clocks; their lag is taken as 0",
                f"{n:,} 行的到达时间早于发生时间(时钟偏差),延迟按 0 计",
            )
        )
    if n := summary["unknown_arrivals"]:
        found.append(
            Text(
                f"{n:,} rows do not say when they arrived; they are taken to have come at once",
                f"{n:,} 行没有到达时间,视为即时到达",
            )
        )
    return tuple(found)


def views(rows: pl.DataFrame, summary: dict[str, Any], provenance: Provenance) -> tuple[Block, ...]:
    """The page: headline, users then and now, the periods, definitions, warnings."""
    facts = FactsBlock(
        (
            (Text("rows", "行"), summary["rows"], "count"),
            (Text("late", "迟到"), summary["late_share"], "share"),
            (Text("99 % lag (hours)", "延迟 P99(时)"), summary["p99_lag_hours"], "number"),
            (Text("settled after (days)", "稳定于(天后)"), summary["settled_after_days"], "count"),
            (Text("data through", "数据截至"), summary["data_through"], "text"),
        )
    )
    unfinished = (~rows["complete"]).arg_max() if not rows["complete"].all() else None
    chart = ChartBlock(
        Text("Active users: in a report at the time, and now", "活跃用户:当时的报表与现在"),
        tuple(day.isoformat() for day in rows["period_start"]),
        (
            Series(Text("then", "当时"), tuple(map(float, rows["users_then"]))),
            Series(Text("now", "现在"), tuple(map(float, rows["users_now"]))),
        ),
        unfinished=unfinished,
    )
    table = TableBlock(Text("Late rows by period", "各周期迟到行"), COLUMNS, rows)
    course = [chart] if rows.height > 1 else []
    return (facts, *course, table, *shared.ending(provenance.definitions, provenance.warnings))
