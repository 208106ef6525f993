"""What a person sees of retention: the triangle of cohorts, its average, the curve, and the words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from userops import periods, stats
from userops.pages import shared
from userops.periods import GRAINS
from userops.results import Block, ChartBlock, FactsBlock, HeatBlock, Series, Text

if TYPE_CHECKING:
    from userops.periods import Grain
    from userops.retention import Story

MOST_COHORTS = 40
"""Rows of the triangle; more cohorts are shown by the next longer period."""

MOST_COLUMNS = 14
MOST_LINES = 6

LETTER: dict[str, str] = {"day": "D", "week": "W", "month": "M"}
HEADLINE: dict[str, tuple[int, ...]] = {"day": (1, 7, 30), "week": (1, 4, 12), "month": (1, 3, 6)}


# --- words ----------------------------------------------------------------------------------------------------------


def definitions(story: Story) -> tuple[Text, ...]:
    """The rules that made the numbers, in words."""
    rules, settings = story.rules, story.settings
    return (
        *shared.preset_words(story.settings.preset),
        _cohort_words(story),
        _clock_words(story),
        _return_words(story),
        Text(
            f"Eligible for {_n(story)}: users whose {_n(story)} is over by the end of {story.counted.as_of}; "
            "nobody eligible: empty. Unfinished periods enter no average.",
            f"分母:截至 {story.counted.as_of} 日终,{_n(story)} 已结束的用户;无人满足则留空。未结束的周期不计入平均。",
        ),
        Text(
            "Average: returned over eligible users of all cohorts (weighted)."
            if rules.average == "weighted"
            else "Average: mean over cohorts that are complete, each counting the same (simple).",
            "平均:各群组合计的留存人数 ÷ 合计分母(加权)。"
            if rules.average == "weighted"
            else "平均:已完整群组的留存率简单平均。",
        ),
        *(
            (
                Text(
                    f"Intervals: Wilson, {100 * settings.confidence:g} %.",
                    f"置信区间:Wilson,{100 * settings.confidence:g}%。",
                ),
            )
            if rules.cohort == "first" and not settings.value
            else ()
        ),
        *_window_words(story),
    )


def _n(story: Story) -> str:
    return {"day": "day N", "week": "week N", "month": "month N"}[story.rules.period]


def _act(story: Story) -> Text:
    """What users do in this table."""
    return Text("order", "订单") if story.counted.books.table.time == "ordered_at" else Text("event", "行为")


def _cohort_words(story: Story) -> Text:
    rules, settings = story.rules, story.settings
    act = _act(story)
    what = f"'{settings.start}'" if settings.start else act.en
    what_zh = f"“{settings.start}”" if settings.start else act.zh
    if rules.signed_up:
        start, start_zh = f"their sign-up (first {act.en} where it is unknown)", f"注册(未知则为首次{act.zh})"
    else:
        start, start_zh = f"their first {what} in all history", f"全部历史中的首次{what_zh}"
    if rules.cohort_column:
        return Text(
            f"Cohorts: users by {rules.cohort_column}, from {start}.",
            f"群组:按 {rules.cohort_column} 划分,起点为{start_zh}。",
        )
    grain = shared.GRAINS[str(rules.cohort_grain)]
    if rules.cohort == "recurring":
        return Text(
            f"Cohorts: one membership for every {grain.en} with {what}; one user may be in many.",
            f"群组:每个有{what_zh}的{grain.zh}各计一次,同一用户可属于多个群组。",
        )
    return Text(f"Cohorts: users by the {grain.en} of {start}.", f"群组:按{start_zh}所在{grain.zh}划分。")


def _clock_words(story: Story) -> Text:
    rules, tz = story.rules, story.settings.tz
    if rules.elapsed:
        hours = {"day": "24 hours", "week": "7 × 24 hours", "month": "30 × 24 hours"}[rules.period]
        hours_zh = {"day": "24 小时", "week": "7×24 小时", "month": "30×24 小时"}[rules.period]
        floor = (
            (", both times floored to the hour", ",起止时间均取整到小时") if rules.clock == "elapsed-hour" else ("", "")
        )
        return Text(
            f"Clock: elapsed; period N is {hours} long and counted from the start itself{floor[0]}.",
            f"时钟:滚动窗口,自起始时刻起每 {hours_zh}为一期{floor[1]}。",
        )
    week = f", weeks from {rules.week_start.capitalize()}" if rules.period == "week" else ""
    week_zh = {"monday": ",周一起始", "sunday": ",周日起始"}[rules.week_start] if rules.period == "week" else ""
    return Text(
        f"Clock: calendar {rules.period}s in {tz}{week}.",
        f"时钟:自然{shared.GRAINS[rules.period].zh},时区 {tz}{week_zh}。",
    )


def _return_words(story: Story) -> Text:
    rules, settings = story.rules, story.settings
    what = f"'{settings.back}'" if settings.back else f"any {_act(story).en}"
    what_zh = f"“{settings.back}”" if settings.back else f"任意{_act(story).zh}"
    if settings.value:
        return Text(
            "Revenue retention: revenue of period N over revenue of period 0 of the same users, refunds netted (net); "
            "gross counts each user at most with what period 0 was worth.",
            "收入留存:同一批用户第 N 期收入 ÷ 第 0 期收入,已扣退款(净);毛留存中每个用户最多计到其第 0 期收入。",
        )
    how, how_zh = (
        ("in period N or later", "在第 N 期或之后") if rules.mode == "on-or-after" else ("in period N", "在第 N 期内")
    )
    if settings.brackets:
        how, how_zh = "in one of the periods of the bracket", "在区间内任一期"
    zero = (
        ("; in period 0 only after the start", ";第 0 期仅计起始之后的行为")
        if rules.later
        else ("; period 0 is 100 %", ";第 0 期为 100%")
        if rules.same and not rules.signed_up
        else ("", "")
    )
    return Text(f"Returned: {what} {how}{zero[0]}.", f"留存:{how_zh}有{what_zh}{zero[1]}。")


def _window_words(story: Story) -> tuple[Text, ...]:
    settings = story.settings
    if not settings.since and not settings.until:
        return ()
    days = shared.span(settings.since, settings.until)
    return (
        Text(
            f"Reported: cohorts from {days.en}, whole; starts and returns go by all rows.",
            f"报告范围:{days.zh} 的群组(整组);起点与留存取全部数据。",
        ),
    )


def warnings(story: Story, cells: pl.DataFrame) -> list[Text]:
    """What may mislead in this table."""
    found: list[Text] = []
    if cells.is_empty():
        return [Text("no user starts here: there is no cohort", "没有任何用户有起始行为,无群组可列")]
    if cells["left_censored"].any():
        first = story.counted.books.first_time
        assert first is not None
        found.append(
            Text(
                f"the first cohort holds everybody who was there when the file begins ({first.date()}), new or not: "
                "it is left-censored; --since leaves it out, --users-table with sign-up dates mends it",
                f"首个群组包含数据起点({first.date()})时的全部用户,未必是新用户(左截断);"
                "可用 --since 排除,或用 --users-table 提供注册日期",
            )
        )
    few = cells.filter(pl.col("bucket") == 0, pl.col("cohort_users") < 30).height
    cohorts = cells["cohort"].n_unique()
    if few and story.settings.by is None and story.rules.cohort == "first":
        found.append(
            Text(
                f"{few} of {cohorts} cohorts have fewer than 30 users: their shares jump about (see ci_low, ci_high)",
                f"{cohorts} 个群组中有 {few} 个不足 30 人,比例波动大(见 ci_low、ci_high)",
            )
        )
    return found


# --- blocks ---------------------------------------------------------------------------------------------------------


def views(
    story: Story, cells: pl.DataFrame, average: pl.DataFrame, summary: dict[str, Any], warnings: tuple[Text, ...]
) -> tuple[Block, ...]:
    """The page: headline, triangle, curve, definitions, warnings."""
    blocks: list[Block] = [_facts(story, average, summary)]
    if not cells.is_empty():
        blocks += [_by_heat(story, cells, average) if story.settings.by else _triangle(story, cells, average)]
        blocks += _curve(story, cells, average)
    return (*blocks, *shared.ending(definitions(story), warnings))


def _name(story: Story, period: object) -> str:
    return f"{LETTER[story.rules.period]}{period}"


def _facts(story: Story, average: pl.DataFrame, summary: dict[str, Any]) -> FactsBlock:
    facts: list[tuple[Text, Any, Any]] = [
        (Text("users", "用户"), summary["users"], "count"),
        (Text("cohorts", "群组"), summary["cohorts"], "count"),
    ]
    if story.settings.by is None:
        rates = {str(row["period"]): row["retention"] for row in average.iter_rows(named=True)}
        chosen = [str(n) for n in HEADLINE[story.rules.period] if str(n) in rates]
        chosen = chosen or [period for period in rates if period != "0"][:3]
        facts += [(Text(_name(story, p), _name(story, p)), rates[p], "share") for p in chosen]
    return FactsBlock(tuple(facts))


def _columns(story: Story) -> list[int]:
    """Which buckets the triangle shows: all, or the telling ones of many."""
    buckets = story.buckets
    if len(buckets) <= MOST_COLUMNS:
        return list(range(len(buckets)))
    step = 7 if story.rules.period == "day" else 4 if story.rules.period == "week" else 6
    near = 7 if story.rules.period == "day" else 8
    wanted = [p for p, b in enumerate(buckets) if b.first <= near or b.first % step == 0 or b.first == 30]
    return wanted[:MOST_COLUMNS]


def _triangle(story: Story, cells: pl.DataFrame, average: pl.DataFrame) -> HeatBlock:
    """Cohorts by period: shares, the unfinished corner marked, the average below."""
    shown, title, grain = cells, _title(story), story.rules.cohort_grain
    for longer in GRAINS[GRAINS.index(grain) + 1 :] if grain else ():
        if shown["cohort"].n_unique() > MOST_COHORTS:
            shown, grain = _regrouped(story, cells, longer), longer
    if grain != story.rules.cohort_grain:
        word = shared.GRAINS[str(grain)]
        title = Text(f"{title.en}, cohorts put together by {word.en}", f"{title.zh}(群组按{word.zh}合并)")
    columns = _columns(story)
    labels = shown.select("cohort", "cohort_users").unique().sort("cohort", nulls_last=True)
    names = labels["cohort"].to_list()
    if grain is not None:
        days = labels.select(periods.first_days(pl.col("cohort"), grain, story.rules.week_start)).to_series()
        names = [day.isoformat() for day in days]
    values, unfinished = _grid(story, shown, columns)
    mean = [average["retention"][place] for place in columns]
    return HeatBlock(
        title,
        Text("Cohort", "群组"),
        Text(shared.GRAINS[story.rules.period].en.capitalize(), shared.GRAINS[story.rules.period].zh),
        (*map(shared.value, names), Text("average", "平均")),
        tuple(Text(_name(story, story.buckets[c].label), _name(story, story.buckets[c].label)) for c in columns),
        (*values, tuple(mean)),
        kind="share",
        lead_title=Text("Users", "用户数"),
        lead=(*labels["cohort_users"].to_list(), int(labels["cohort_users"].sum())),
        unfinished=(*unfinished, tuple(False for _ in columns)),
        total_row=True,
        shade_from=_shade_from(story, columns),
    )


def _title(story: Story) -> Text:
    at = story.counted.as_of
    if story.settings.value:
        return Text(f"Revenue retention as of {at}", f"收入留存(截至 {at})")
    return Text(f"Retention as of {at}", f"留存(截至 {at})")


def _shade_from(story: Story, columns: list[int]) -> int:
    """The first column that is shaded: a period 0 of 100 % throughout says nothing."""
    whole = story.rules.same and not story.rules.later and not story.rules.signed_up
    return 1 if whole and story.buckets[columns[0]].first == 0 and len(columns) > 1 else 0


def _regrouped(story: Story, cells: pl.DataFrame, longer: Grain) -> pl.DataFrame:
    """The cells of cohorts put together by a longer period: users and eligible users add up."""
    start, grain = story.rules.week_start, story.rules.cohort_grain
    assert grain is not None  # cohorts of a column are not put together
    day = periods.first_days(pl.col("cohort"), grain, start).to_physical()
    added = ["cohort_users", "eligible_users", "seen", *(["value", "base"] if story.settings.value else [])]
    users = pl.when(pl.col("eligible_users") > 0).then("users").sum()
    return (
        cells.lazy()
        .group_by("bucket", cohort=periods.index(day, longer, start))
        .agg(pl.col(added).sum(), pl.col("begun").any(), users=users)
        .with_columns(retention=_rate(story))
        .sort("cohort", "bucket")
        .collect()
    )


def _rate(story: Story) -> pl.Expr:
    part, whole = ("value", "base") if story.settings.value else ("users", "eligible_users")
    return stats.ratio(pl.col(part), pl.col(whole))


def _grid(
    story: Story, cells: pl.DataFrame, columns: list[int]
) -> tuple[list[tuple[float | None, ...]], list[tuple[bool, ...]]]:
    """What each cell shows, and whether it is unfinished: what has been seen so far stands there, marked."""
    tells = not story.settings.value and story.rules.cohort_column is None
    so_far = stats.ratio(pl.col("seen"), pl.col("cohort_users")) if tells else pl.lit(None, pl.Float64)
    shown = cells.with_columns(
        shown=pl.when(pl.col("eligible_users") > 0).then("retention").when("begun").then(so_far),
        open=pl.col("begun") & (pl.col("eligible_users") < pl.col("cohort_users")),
    ).sort("cohort", "bucket", nulls_last=True)
    width = len(story.buckets)
    values, unfinished = shown["shown"].to_list(), shown["open"].to_list()
    rows = range(0, len(values), width)
    return (
        [tuple(values[row + c] for c in columns) for row in rows],
        [tuple(bool(unfinished[row + c]) for c in columns) for row in rows],
    )


def _by_heat(story: Story, cells: pl.DataFrame, average: pl.DataFrame) -> HeatBlock:
    """The average of each value of ``by``, all its cohorts together."""
    by, columns = str(story.settings.by), _columns(story)
    groups = cells.filter(pl.col("bucket") == 0).group_by(by).agg(pl.col("cohort_users").sum())
    groups = groups.sort(by, nulls_last=True)
    names, width = groups[by].to_list(), len(story.buckets)
    rates = average["retention"].to_list()
    title = _title(story)
    return HeatBlock(
        Text(f"{title.en} by {by}, all cohorts together", f"{title.zh},按 {by},群组合并"),
        Text(by, by),
        Text(shared.GRAINS[story.rules.period].en.capitalize(), shared.GRAINS[story.rules.period].zh),
        tuple(map(shared.value, names)),
        tuple(Text(_name(story, story.buckets[c].label), _name(story, story.buckets[c].label)) for c in columns),
        tuple(tuple(rates[row * width + c] for c in columns) for row in range(len(names))),
        kind="share",
        lead_title=Text("Users", "用户数"),
        lead=tuple(groups["cohort_users"].to_list()),
        shade_from=_shade_from(story, columns),
    )


def _curve(story: Story, cells: pl.DataFrame, average: pl.DataFrame) -> list[Block]:
    """The average over the periods as lines; one for each value of ``by``, the largest first."""
    width = len(story.buckets)
    begin = _shade_from(story, list(range(width)))
    if width - begin < 3:
        return []
    rates, names = average["retention"].to_list(), [Text("average", "平均")]
    order = [0]
    if story.settings.by:
        by = story.settings.by
        groups = cells.filter(pl.col("bucket") == 0).group_by(by).agg(pl.col("cohort_users").sum())
        groups = groups.sort(by, nulls_last=True).with_row_index("place")
        order = groups.sort("cohort_users", "place", descending=[True, False])["place"].to_list()[:MOST_LINES]
        values = groups[by].to_list()
        names = [shared.value(values[place]) for place in order]
    series = tuple(
        Series(name, tuple(rates[place * width + begin : (place + 1) * width]))
        for name, place in zip(names, order, strict=True)
    )
    title = Text("Average over the periods", "平均留存曲线")
    return [ChartBlock(title, tuple(b.label for b in story.buckets[begin:]), series, kind="share")]
