"""What a person sees of a funnel: the steps as bars, where users stop, how long it takes, and the words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import polars as pl

from userops.pages import shared
from userops.results import (
    Block,
    ChartBlock,
    Column,
    FactsBlock,
    FunnelBlock,
    HeatBlock,
    Series,
    TableBlock,
    Text,
)

if TYPE_CHECKING:
    from userops.funnel import Story

MOST_VALUES = 30
"""Values of ``--by`` on the page, those with the most users; the rows have all."""

MOST_DRAWN = 4
"""Values of ``--by`` that have a drawing each; with more of them, the grid says it better."""

MOST_USERS = 20

REASONS: dict[str, Text] = {
    "matched": Text("done", "完成"),
    "not_reached": Text("not looked for: the step before was not done", "未查找:前一步骤未完成"),
    "no_such_row": Text("the user has no such row", "该用户没有此类行"),
    "not_an_entry": Text("such rows are outside the reporting window", "此类行不在报告范围内"),
    "only_before": Text("such rows lie before the step before only", "此类行仅出现在前一步骤之前"),
    "after_window": Text("the next such row lies after the window", "下一条此类行已超出窗口"),
    "excluded_between": Text("an excluded event lies between", "中间出现了排除事件"),
    "other_between": Text("another row lies between", "中间出现了其他行"),
    "other_log": Text("such rows have another value, session or day only", "此类行的取值、会话或日期不同"),
    "same_instant": Text("such a row is at the same instant, not after", "此类行在同一时刻,不算之后"),
    "row_in_use": Text("the only such row serves another step", "唯一的此类行已用于其他步骤"),
}
"""What each ``reason`` of ``--explain`` means."""


# --- words ----------------------------------------------------------------------------------------------------------


def definitions(story: Story) -> tuple[Text, ...]:
    """The rules that made the numbers, in words."""
    rules, settings = story.rules, story.settings
    found = [
        *shared.preset_words(settings.preset),
        _chain_words(story),
        _window_words(story),
        _tie_words(story),
        _entry_words(story),
    ]
    if settings.exclude:
        names = ", ".join(settings.exclude)
        found.append(
            Text(
                f"Excluded: no {names} between the first and the last row of a chain; at the very same instant is not "
                "between. What was reached before it counts.",
                f"排除:首行与末行之间不得出现 {names}(同一时刻不算之间);此前达到的步骤仍计入。",
            )
        )
    if settings.hold is not None:
        found.append(
            Text(
                f"Held: all rows of a chain have the same {settings.hold}; each value is looked at by itself, and the "
                "best one counts. Rows without a value are left out.",
                f"关联:一条路径的所有行 {settings.hold} 相同;各取值分别计算,取最好者;无取值的行不参与。",
            )
        )
    found += [
        _count_words(story),
        Text(
            f"Mature: entries whose whole window is over by the end of {story.found.as_of}. Shares, intervals, dropped "
            "and times are of mature entries; users counts all."
            if rules.within not in ("none", "same-day")
            else "Every entry is mature.",
            f"成熟:截至 {story.found.as_of} 日终窗口已完整结束的进入。比例、区间、流失与时长只取成熟进入;users 计全部。"
            if rules.within not in ("none", "same-day")
            else "所有进入均视为成熟。",
        ),
        Text(
            f"from_start: of those who entered; from_previous: of those at the step before. Intervals: Wilson, "
            f"{100 * settings.confidence:g} %, of from_start.",
            f"from_start:占进入者;from_previous:占上一步骤;区间为 from_start 的 Wilson {100 * settings.confidence:g}% 区间。",
        ),
        Text(
            "Time to a step: from the latest entry that leads to its earliest completion. Median and 90 % are values "
            "that somebody has.",
            "到达步骤的时长:从能最早完成该步骤的最晚一次进入算起;中位数与 90% 分位均为实际出现的值。",
        ),
    ]
    if settings.by is not None:
        found.append(
            Text(
                f"By {settings.by}: its value at the step-1 row; who entered with several values counts under each.",
                f"按 {settings.by}:取第一步所在行的值;以多个取值进入者在各取值下均计入。",
            )
        )
    if settings.trend is not None:
        grain = shared.GRAINS[settings.trend]
        found.append(
            Text(
                f"Trend: by the {grain.en} of the entry; who entered in several counts in each.",
                f"趋势:按进入所在{grain.zh};在多{grain.zh}进入者各计一次。",
            )
        )
    return tuple(found)


def _chain_words(story: Story) -> Text:
    order = story.rules.order
    if order == "any":
        return Text(
            "Row k: at least k different steps, in any order, by one row each, inside one window that begins with a "
            "row of any step.",
            "第 k 行:在同一窗口内(自任一步骤的一行开始)以不同的行、按任意顺序完成至少 k 个不同步骤。",
        )
    strict = order == "strict"
    return Text(
        "Reached step k: some chain of k different rows, one for each step, in order of time"
        + (
            ", with no other row of the log at a time between two of them."
            if strict
            else "; other rows may lie between."
        ),
        "达到第 k 步:存在按时间先后的 k 个不同行,每行用于一个步骤"
        + (",且相邻两行之间没有其他行。" if strict else ";中间可有其他行。"),
    )


def _window_words(story: Story) -> Text:
    within, tz = story.rules.within, story.settings.tz
    if within == "none":
        return Text("Window: none.", "窗口:不限。")
    if within == "same-day":
        return Text(f"Window: all rows of a chain on one calendar day in {tz}.", f"窗口:同一自然日内(时区 {tz})。")
    return Text(
        f"Window: {within} from the first row of a chain, inclusive; a day is 24 hours.",
        f"窗口:自路径首行起 {within}(含边界);一天为 24 小时。",
    )


def _tie_words(story: Story) -> Text:
    second = story.rules.resolution == "second"
    what = Text("of the same second", "同一秒") if second else Text("of the same instant", "同一时刻")
    once = Text("; the same event counts once in it", ";其中相同事件只计一次") if second else Text("", "")
    if story.settings.strictly_after:
        return Text(f"Ties: each step is later than the one before; rows {what.en} are not{once.en}.",
                    f"并列:后一步骤须晚于前一步骤,{what.zh}的行不算{once.zh}。")  # fmt: skip
    return Text(
        f"Ties: rows {what.en} may come in either order, never the order of the file{once.en}.",
        f"并列:{what.zh}的行先后可互换,与文件中的顺序无关{once.zh}。",
    )


def _entry_words(story: Story) -> Text:
    settings = story.settings
    days = shared.span(settings.since, settings.until)
    row = Text("row of any step", "任一步骤的行") if story.rules.order == "any" else Text("row of step 1", "第一步的行")
    if story.rules.entry == "first":
        return Text(f"Entry: the first {row.en} from {days.en}, and no other; later steps go by all rows.",
                    f"进入:{days.zh} 的首个{row.zh},其余不计;后续步骤取全部数据。")  # fmt: skip
    return Text(f"Entry: every {row.en} from {days.en} may start a chain; later steps go by all rows.",
                f"进入:{days.zh} 的每个{row.zh}均可开始一条路径;后续步骤取全部数据。")  # fmt: skip


def _count_words(story: Story) -> Text:
    count = story.settings.count
    if count == "users":
        return Text("Counted: users.", "计数:用户。")
    if count == "sessions" and story.rules.session_ids:
        return Text(
            "Counted: sessions of users, by session_id; rows without one are left out.",
            "计数:用户的会话(session_id);无会话ID的行不参与。",
        )
    if count == "sessions":
        return Text(
            "Counted: sessions; a silence of more than 30 minutes ends one.", "计数:会话(间隔超过 30 分钟即结束)。"
        )
    return Text(f"Counted: pairs of a user and a {count}; rows without one are left out.",
                f"计数:(用户, {count}) 组合;无取值的行不参与。")  # fmt: skip


def unit(story: Story) -> Text:
    """What ``users`` counts."""
    count = story.settings.count
    if count == "users":
        return Text("Users", "用户数")
    return Text("Sessions", "会话数") if count == "sessions" else Text(f"Users × {count}", f"用户×{count}")


def warnings(story: Story, whole: pl.DataFrame) -> list[Text]:
    """What may mislead in this funnel."""
    users, mature = int(whole["users"][0]), int(whole["mature_users"][0])
    if users == 0:
        return [Text("nobody entered: no row of step 1 in the reporting window", "无人进入:报告范围内没有第一步的行")]
    if mature == 0:
        return [
            Text(
                "no entry is mature yet, so there are no shares; a shorter --within gives some",
                "尚无成熟的进入,因此没有比例;可缩短 --within",
            )
        ]
    if mature < 30:
        return [Text(f"only {mature} mature entries: the intervals are wide", f"成熟进入仅 {mature},区间较宽")]
    return []


# --- blocks ---------------------------------------------------------------------------------------------------------


def views(
    story: Story,
    whole: pl.DataFrame,
    rows: pl.DataFrame,
    extras: Mapping[str, pl.DataFrame],
    summary: Mapping[str, Any],
    warnings: tuple[Text, ...],
) -> tuple[Block, ...]:
    """The page: headline, drawing, steps, values of ``by``, times, trend, definitions, warnings."""
    blocks: list[Block] = [_facts(story, summary), *_drawn(story, whole, rows), _steps(story, whole)]
    if story.settings.by is not None and not rows.is_empty():
        blocks.append(_by_heat(story, rows))
    if not extras["time_to_convert"].is_empty():
        blocks.append(_times(story, extras["time_to_convert"]))
    if "trend" in extras and extras["trend"].height > 1:
        blocks.append(_trend(extras["trend"]))
    return (*blocks, *shared.ending(definitions(story), warnings))


def _facts(story: Story, summary: Mapping[str, Any]) -> FactsBlock:
    took = summary["median_seconds"]
    what = unit(story)
    facts: list[tuple[Text, Any, Any]] = [
        (Text(f"{what.en.lower()} entered", f"进入{what.zh}"), summary["users"], "count"),
        (Text("converted", "整体转化"), summary["conversion"], "share"),
    ]
    if took is not None:
        facts.append((Text("median time", "中位时长"), duration(took), "text"))
    return FactsBlock(tuple(facts))


def duration(seconds: float) -> str:
    """Seconds as people say them: 45 s, 12 min, 3.5 h, 2.1 d."""
    for size, name in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.1f} {name}"
    return f"{seconds:.0f} s"


def _drawn(story: Story, whole: pl.DataFrame, rows: pl.DataFrame) -> list[FunnelBlock]:
    """The funnel of mature entries, drawn: one, or one for each of few values of ``by``; none where none is mature."""
    by, steps, as_of = story.settings.by, len(story.names), story.found.as_of
    if not whole["mature_users"][0] or (by is not None and rows.height > MOST_DRAWN * steps):
        return []
    if by is None:
        parts = [(Text(f"Funnel as of {as_of}", f"漏斗(截至 {as_of})"), whole)]
    else:
        slices = [rows.slice(start, steps) for start in range(0, rows.height, steps)]
        parts = [(_value(part[by][0], f"{by}: "), part) for part in slices]
    what = unit(story)
    counted = Text(f"{what.en}, mature", f"{what.zh}(成熟)") if _any_fresh(whole) else what
    names = [Text(name, name) for name in story.names]
    return [
        FunnelBlock(title, counted, tuple(zip(names, part["mature_users"].to_list(), strict=True)))
        for title, part in parts
    ]


def _any_fresh(whole: pl.DataFrame) -> bool:
    """True where some entries are not mature yet."""
    return bool((whole["users"] != whole["mature_users"]).any())


def _value(value: Any, before: str = "") -> Text:
    """How a value of ``by`` reads."""
    return Text(f"{before}(none)", f"{before}(无)") if value is None else Text(f"{before}{value}", f"{before}{value}")


def _steps(story: Story, whole: pl.DataFrame) -> TableBlock:
    """The steps in numbers, with intervals and times."""
    times = {"median": "median_seconds_from_start", "p90": "p90_seconds_from_start"}
    shown = whole.with_columns(
        pl.Series(name, [None if x is None else duration(x) for x in whole[seconds]], dtype=pl.String)
        for name, seconds in times.items()
    )
    title = Text(f"Steps as of {story.found.as_of}", f"各步骤(截至 {story.found.as_of})")
    fresh = [Column("users", unit(story), "count")] if _any_fresh(whole) else []
    counted = Text("Mature", "成熟") if fresh else unit(story)
    columns = (
        Column("step", Text("Step", "步骤"), "count"),
        Column("event", Text("Event", "事件")),
        *fresh,
        Column("mature_users", counted, "count"),
        Column("from_start", Text("From start", "总转化"), "share"),
        Column("from_previous", Text("From previous", "步骤转化"), "share"),
        Column("dropped", Text("Dropped", "流失"), "count"),
        Column("ci_low", Text("CI low", "区间下限"), "share"),
        Column("ci_high", Text("CI high", "区间上限"), "share"),
        Column("median", Text("Median time", "中位时长")),
        Column("p90", Text("90 %", "90% 分位")),
    )
    return TableBlock(title, columns, shown)


def _by_heat(story: Story, rows: pl.DataFrame) -> HeatBlock:
    """The share from the start at each step, by the value of ``by``; the largest values first."""
    by, steps = str(story.settings.by), len(story.names)
    entered = rows.filter(pl.col("step") == 1).with_row_index("place")
    order = entered.sort("users", "place", descending=[True, False])["place"].to_list()[:MOST_VALUES]
    names, users = entered[by].to_list(), entered["users"].to_list()
    shares = rows["from_start"].to_list()
    return HeatBlock(
        Text(f"From start, by {by}", f"总转化,按 {by}"),
        Text(by, by),
        Text("Step", "步骤"),
        tuple(_value(names[p]) for p in order),
        tuple(Text(name, name) for name in story.names),
        tuple(tuple(shares[p * steps : (p + 1) * steps]) for p in order),
        kind="share",
        lead_title=unit(story),
        lead=tuple(users[p] for p in order),
        shade_from=1,
    )


def _times(story: Story, times: pl.DataFrame) -> TableBlock:
    """How long those who did all steps took."""
    labels = [
        f"{_edge(low)} – {_edge(high)}" if high is not None else f"{_edge(low)} +"
        for low, high in times.select("from_seconds", "to_seconds").iter_rows()
    ]
    shown = times.with_columns(took=pl.Series(labels, dtype=pl.String))
    columns = (
        Column("took", Text("From entry to the last step", "从进入到最后一步")),
        Column("users", unit(story), "count", bar=True),
    )
    return TableBlock(Text("Time to convert", "转化时长"), columns, shown)


def _edge(seconds: int) -> str:
    for size, name in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {name}"
    return f"{seconds} s"


def _trend(trend: pl.DataFrame) -> ChartBlock:
    """Conversion over the periods of entry."""
    complete = trend["complete"].to_list()
    labels = tuple(day.isoformat() for day in trend["period_start"])
    unfinished = complete.index(False) if False in complete else None
    series = (Series(Text("conversion", "转化率"), tuple(trend["conversion"].to_list())),)
    return ChartBlock(
        Text("Conversion by entry", "转化趋势(按进入时间)"), labels, series, "share", unfinished=unfinished
    )


def people(story: Story, rows: pl.DataFrame, summary: Mapping[str, Any]) -> tuple[Block, ...]:
    """The page of ``--per-user``: the first users, and the words."""
    columns = (
        Column("user_id", Text("User", "用户")),
        Column("level", Text("Step", "步骤"), "count"),
        Column("entered_at", Text("Entered", "进入")),
        Column("reached_at", Text("Reached", "到达")),
        Column("mature", Text("Window over", "窗口已结束")),
    )
    stop = story.settings.stopped_at
    title = Text("How far each user came", "各用户到达的步骤")
    if stop is not None:
        name = story.names[stop - 1]
        title = Text(f"Who stopped at step {stop}, {name}", f"止步于第 {stop} 步({name})的用户")
    table = TableBlock(title, columns, rows)
    return (_facts(story, summary), table, *shared.ending(definitions(story)))


def explained(story: Story, user: str, rows: pl.DataFrame) -> tuple[Block, ...]:
    """The page of ``--explain``: what happened at each step."""
    told = []
    for lang in ("en", "zh"):
        words = []
        for row in rows.iter_rows(named=True):
            text = REASONS[row["reason"]](lang)
            seen = f": {row['seen']} {row['seen_at']}" if row["seen"] is not None else ""
            words.append(text + seen)
        told.append(pl.Series(f"why_{lang}", words, dtype=pl.String))
    shown = rows.with_columns(*told)
    columns = (
        Column("step", Text("Step", "步骤"), "count"),
        Column("event", Text("Event", "事件")),
        Column("matched", Text("Row", "匹配行")),
        Column("at", Text("At", "时间")),
        Column("seconds_from_start", Text("Seconds", "秒"), "number"),
    )
    why = Text("What happened", "说明")
    table = TableBlock(
        Text(f"The best chain of {user}", f"{user} 的最佳路径"),
        (*columns, Column("why_en", why)),
        shown,
        (*columns, Column("why_zh", why)),
    )
    return (table, *shared.ending(definitions(story)))
