"""What a person sees of survival: the curve as seen and as projected, the table, the words in English and Chinese."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import polars as pl

from userops.pages import shared
from userops.results import Block, ChartBlock, Column, FactsBlock, Series, TableBlock, Text

if TYPE_CHECKING:
    from userops.survival import Group, Story

MOST_ROWS = 25
"""Rows of the table; of longer curves every second, third ... period is shown."""

MOST_LINES = 6
"""Groups in the chart, the largest ones."""


def definitions(story: Story, horizon: int) -> tuple[Text, ...]:
    """The rules that made the numbers, in words."""
    settings = story.settings
    unit, share = _unit(story), f"{100 * settings.confidence:g}"
    return (
        *_shape_words(story, unit),
        Text(
            "Survival: Kaplan-Meier, the product over periods of the share of those at risk who stayed; at risk in a "
            f"period: those seen through all of it, or leaving in it. Limits: {share} %, Greenwood's variance on the scale "
            "log(-log); none at 0 and 100 %.",
            "存续率:Kaplan-Meier,各期(期内在险者中留下的比例)连乘;在险:整期可观测或期内离开者。"
            f"区间:{share}%,Greenwood 方差、log(-log) 尺度;0 与 100% 处无区间。",
        ),
        Text(
            "Projected: shifted beta-geometric (Fader and Hardie 2007). Each subscriber has a chance of their own to "
            f"leave at every renewal, Beta(alpha, beta) distributed; fitted by maximum likelihood, shown to period {horizon}.",
            "预测:sBG(移位贝塔几何,Fader 与 Hardie 2007)。每个订阅者各有续订流失概率,服从 Beta(alpha, beta);"
            f"极大似然估计,预测至第 {horizon} 期。",
        ),
        Text(
            f"Expected remaining: {unit.en}s still to come of those who are there, by their age: without end "
            f"(none where alpha <= 1, as the mean is infinite), and within the next {horizon}.",
            f"预期剩余:现存订阅者按各自已订时长的剩余{unit.zh}数:不限期(alpha ≤ 1 时均值无穷,不给出),"
            f"以及未来 {horizon} {unit.zh}内。",
        ),
        *(
            (
                Text(
                    "Log-rank test: whether the groups leave at the same rate at every age; a small p says they do not.",
                    "对数秩检验:各组在各时长的流失率是否相同;p 值小表示不同。",
                ),
            )
            if settings.by
            else ()
        ),
    )


def _unit(story: Story) -> Text:
    """What one period is called; counts do not say."""
    return shared.GRAINS[story.found.grain] if story.found.grain else Text("period", "期")


def _shape_words(story: Story, unit: Text) -> tuple[Text, ...]:
    """What a period is, and who has left when."""
    found, settings = story.found, story.settings
    if found.shape == "counts":
        return (
            Text(
                "Period: as in the file, counted from its first one, in which all are alive; who is missing from the "
                "next one has left.",
                "期:按文件所列,自首期(全部在册)起计;下一期减少者即为流失。",
            ),
        )
    if found.shape == "tenures":
        return (
            Text(
                "Tenure: in the unit of the file. Who left is rounded up to the period they left in (the first is 1), "
                "who is still there down to whole periods.",
                "时长:按文件单位。已流失者向上取整为流失所在期(首期为 1),在册者向下取整为完整期数。",
            ),
        )
    spans = {
        "day": ("a day", "1 日"),
        "week": ("7 days", "7 日"),
        "month": ("to the same day of the next month", "至次月同日"),
    }
    long = spans[str(found.grain)]
    starts = shared.span(settings.since, settings.until or found.as_of)
    return (
        Text(
            f"Period: {long[0]}, from each subscription's own start; each subscription counts for itself. It counts once "
            f"it is over by the end of {found.as_of} ({settings.tz}), for those who left in it as for those who stayed. "
            "An end after that day: still there.",
            f"期:自各订阅开始日起,每期{long[1]};同一用户的多个订阅分别计数。截至 {found.as_of} 日终({settings.tz})"
            "已结束的期才计入,留下与离开者同等对待;晚于该日的结束视为仍在册。",
        ),
        Text(
            f"Reported: subscriptions that start from {starts.en}.",
            f"报告范围:{starts.zh} 开始的订阅。",
        ),
    )


def warnings(story: Story, everybody: Group, groups: Sequence[Group]) -> list[Text]:
    """What may mislead in these numbers."""
    found, notes = story.found, []
    if everybody.fit is None:
        notes.append(Text(f"no projection: {everybody.problem}", "无预测:尚无流失,或可观测期数不足两期"))
    elif not everybody.fit.identified:
        notes.append(Text(
            "the rate of leaving does not fall with age in these data, so that the projection keeps it as it is; "
            "alpha and beta only say how high it is",
            "数据中流失率不随时长下降,预测按恒定流失率;alpha 与 beta 仅反映其高低",
        ))  # fmt: skip
    elif everybody.fit.model.alpha <= 1:
        notes.append(Text(
            "alpha is at most 1: some hardly ever leave, the mean lifetime is infinite; use that within the horizon",
            "alpha 不大于 1:部分订阅者几乎不流失,平均寿命为无穷;请使用限期内的预期值",
        ))  # fmt: skip
    flat = [group for group in groups if group.fit is None]
    if flat and everybody.fit is not None:
        notes.append(Text(
            f"no projection of {len(flat):,} of {len(groups):,} groups: nobody has left yet, or too few periods were seen",
            f"{len(groups):,} 组中有 {len(flat):,} 组无预测:尚无流失,或可观测期数过少",
        ))  # fmt: skip
    level = [group for group in groups if group.fit is not None and not group.fit.identified]
    if level and everybody.fit is not None and everybody.fit.identified:
        notes.append(Text(
            f"in {len(level):,} of {len(groups):,} groups the rate of leaving does not fall with age: projected as it is",
            f"{len(groups):,} 组中有 {len(level):,} 组的流失率不随时长下降,按恒定流失率预测",
        ))  # fmt: skip
    if waiting := found.total("unfinished"):
        notes.append(Text(
            f"{waiting:,} left in a period that is not over yet; they count from its end on",
            f"{waiting:,} 人在尚未结束的期内离开,期满后计入",
        ))  # fmt: skip
    return notes


def views(
    story: Story, rows: pl.DataFrame, summary: dict[str, Any], groups: pl.DataFrame, warnings: list[Text]
) -> tuple[Block, ...]:
    """The page: headline, the curve, the groups, the table, definitions, warnings."""
    table = _groups(story, groups) if story.settings.by else _table(story, rows)
    ending = shared.ending(definitions(story, summary["horizon"]), warnings)
    return (_facts(story, summary), _chart(story, rows, groups), table, *ending)


def _facts(story: Story, summary: dict[str, Any]) -> FactsBlock:
    unit = _unit(story)
    horizon = summary["horizon"]
    facts: list[tuple[Text, Any, Any]] = [
        (Text("users", "用户"), summary["users"], "count"),
        (Text("left", "已流失"), summary["churned"], "count"),
        (Text(f"median lifetime, {unit.en}s", f"寿命中位数({unit.zh})"), summary["median_lifetime"], "count"),
        (Text(f"there after {horizon}", f"{horizon} {unit.zh}后存续"), summary["survival_at_horizon"], "share"),
        (
            Text(f"expected within the next {horizon}", f"未来 {horizon} {unit.zh}预期剩余"),
            summary["expected_remaining_within_horizon"],
            "number",
        ),
        (Text("alpha", "alpha"), summary["alpha"], "number"),
        (Text("beta", "beta"), summary["beta"], "number"),
    ]
    if "log_rank_p" in summary:
        facts.append((Text("log-rank p", "对数秩 p 值"), _p(summary["log_rank_p"]), "text"))
    return FactsBlock(tuple(facts))


def _p(value: float | None) -> str | None:
    """A p-value as people write it."""
    if value is None:
        return None
    return "< 0.0001" if value < 0.0001 else f"{value:.4f}"


def _chart(story: Story, rows: pl.DataFrame, groups: pl.DataFrame) -> ChartBlock:
    """As seen and as projected; with groups one line each, as seen."""
    unit, by = _unit(story), story.settings.by
    title = Text(f"Still there after so many {unit.en}s", f"{unit.zh}数与存续率")
    if by is None:
        labels = tuple(str(period) for period in rows["period"])
        series = (
            Series(Text("seen", "实际"), tuple(rows["survival"])),
            Series(Text("projected", "预测"), tuple(rows["projected"])),
        )
        told = series if rows["projected"].null_count() < rows.height else series[:1]
        return ChartBlock(title, labels, told, kind="share")
    largest = groups.with_row_index().sort("subscriptions", "index", descending=[True, False]).head(MOST_LINES)
    lines = []
    for value in largest.sort("index")[by]:
        line = rows.filter(pl.col(by).eq_missing(pl.lit(value)))["survival"].drop_nulls()
        lines.append(Series(shared.value(value), tuple(line)))
    longest = max(len(line.values) for line in lines)
    padded = tuple(Series(line.label, line.values + (None,) * (longest - len(line.values))) for line in lines)
    return ChartBlock(title, tuple(map(str, range(longest))), padded, kind="share")


def _table(story: Story, rows: pl.DataFrame) -> TableBlock:
    unit = _unit(story)
    every = -(-rows.height // MOST_ROWS)
    title = Text(f"By {unit.en}", f"按{unit.zh}")
    if every > 1:
        title = Text(f"Every {every} {unit.en}s (all of them: --csv)", f"每 {every} {unit.zh}一行(完整:--csv)")
    columns = (
        Column("period", Text(unit.en.capitalize(), unit.zh), "count"),
        Column("at_risk", Text("At risk", "在险"), "count"),
        Column("churned", Text("Left", "流失"), "count"),
        Column("survival", Text("Survival", "存续率"), "share", bar=True),
        Column("ci_low", Text("From", "下限"), "share"),
        Column("ci_high", Text("To", "上限"), "share"),
        Column("projected", Text("Projected", "预测"), "share"),
    )
    return TableBlock(title, columns, rows.gather_every(every))


def _groups(story: Story, groups: pl.DataFrame) -> TableBlock:
    by = str(story.settings.by)
    columns = (
        *shared.by_columns(by),
        Column("subscriptions", Text("Subscriptions", "订阅"), "count"),
        Column("churned", Text("Left", "流失"), "count"),
        Column("median_lifetime", Text("Median lifetime", "寿命中位数"), "count"),
        Column("median_lifetime_projected", Text("Projected median", "预测中位数"), "count"),
        Column("expected_remaining_within_horizon", Text("Expected within horizon", "限期内预期剩余"), "number"),
        Column("alpha", Text("alpha", "alpha"), "number"),
        Column("beta", Text("beta", "beta"), "number"),
    )
    return TableBlock(Text(f"By {by}", f"按 {by} 细分"), columns, groups)
