"""What a person sees of an AARRR report: one screen of stages, the channels, the acts of the first week, the words."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import polars as pl

from userops.pages import shared
from userops.periods import first_day
from userops.results import Block, Column, FactsBlock, Kind, NotesBlock, TableBlock, Text
from userops.texts import benchmarks as known_benchmarks

if TYPE_CHECKING:
    from userops.aarrr import Story

MOST_ACTS, LEAST_USERS = 6, 10
"""Acts of the first week on the page, and the users either side of one that is shown there; the rows have all."""

STAGES: dict[str, Text] = {
    "acquisition": Text("Acquisition", "获取"),
    "activation": Text("Activation", "激活"),
    "retention": Text("Retention", "留存"),
    "revenue": Text("Revenue", "变现"),
    "referral": Text("Referral", "推荐"),
}

LABELS: dict[str, Text] = {
    "new_users": Text("new users", "新用户"),
    "spend": Text("spend", "花费"),
    "cac": Text("CAC", "获客成本 CAC"),
    "activation_rate": Text("activation rate", "激活率"),
    "median_hours_to_value": Text("hours to value", "激活用时(小时)"),
    "d1": Text("D1", "次日留存 D1"),
    "d7": Text("D7", "7日留存 D7"),
    "d30": Text("D30", "30日留存 D30"),
    "paid_conversion": Text("paid conversion", "付费转化率"),
    "arpu": Text("ARPU", "每用户收入 ARPU"),
    "arppu": Text("ARPPU", "每付费用户收入 ARPPU"),
    "aov": Text("AOV", "客单价 AOV"),
    "repeat_rate": Text("repeat rate", "复购率"),
    "ltv_7": Text("LTV 7", "7日 LTV"),
    "ltv_30": Text("LTV 30", "30日 LTV"),
    "ltv_90": Text("LTV 90", "90日 LTV"),
    "ltv_cac": Text("LTV 90 : CAC", "LTV 90 : CAC"),
    "payback_days": Text("payback, days", "回本天数"),
    "invites": Text("invites", "邀请数"),
    "invite_conversion": Text("invite conversion", "邀请转化率"),
    "k_factor": Text("K-factor", "K 因子"),
    "cycle_days": Text("cycle, days", "传播周期(天)"),
}

FILES: dict[str, Text] = {
    "events": Text("events", "行为数据"), "orders": Text("orders", "订单数据"), "costs": Text("costs", "费用数据")
}  # fmt: skip
QUIET_DAYS = {"events": 1, "orders": 7, "costs": 0}
"""Days without a row at the end of the window that are no reason to doubt a file."""

HEADLINE = ("new_users", "cac", "activation_rate", "d7", "arpu", "ltv_cac", "k_factor")


def length(within: timedelta) -> str:
    """A length of time as the options have it: ``7d``, ``12h``."""
    seconds = round(within.total_seconds())
    unit, size = next((u, n) for u, n in {"d": 86400, "h": 3600, "m": 60, "s": 1}.items() if seconds % n == 0)
    return f"{seconds // size}{unit}"


# --- words ----------------------------------------------------------------------------------------------------------


def definitions(story: Story) -> tuple[Text, ...]:
    """The rules that made the numbers, in words."""
    settings, found = story.settings, story.found
    act = Text("event", "事件") if found.given.events is not None else Text("order", "订单")
    start = Text(f"first {act.en}", f"首次{act.zh}")
    if found.signed_up:
        start = Text(f"sign-up (first {act.en} where it is unknown)", f"注册(未知则为首次{act.zh})")
    within = length(settings.activation_within)
    what = settings.activation_event
    activated = (
        Text(
            f"Activated: '{what}' within {within} of the start, inclusive; eligible: newcomers {settings.activation_days} "
            "days old or more. Hours to value: from the start, median of the activated.",
            f"激活:起始后 {within} 内(含)发生“{what}”;分母为已满 {settings.activation_days} 天的新用户。"
            "激活用时:从起始到首次发生,取激活用户的中位数。",
        ),
    )
    return (
        _window(story),
        Text(
            f"Start of a user: {start.en}; newcomers of some days started on them, days cut in {settings.tz}. Whoever is "
            "broken down by a column goes by its value at their first row, or by the users table.",
            f"用户起始:{start.zh};新用户即当期起始的用户(时区 {settings.tz})。细分列取用户首行的值,或用户表中的值。",
        ),
        Text(
            "CAC: all spend over all newcomers of the same days, those who came by themselves included (blended).",
            "CAC:同期全部花费 ÷ 全部新用户,含自然流量(混合口径)。",
        ),
        *(activated if what is not None else ()),
        Text(
            f"D1, D7, D30: newcomers with an {act.en} on calendar day N after the start, of those N days old, as "
            "'userops retention' has it.",
            f"D1、D7、D30:起始后第 N 个自然日有{act.zh}的新用户 ÷ 已满 N 天的新用户,与 userops retention 同口径。",
        ),
        Text(
            "Revenue: orders less refunds of the days. Active: users with an event on them. Paid conversion: active users "
            "with an order; ARPU: revenue over active users; ARPPU: over users with an order; AOV: over orders; repeat "
            "rate: users with two orders or more on these days, of those with one.",
            "收入:当期订单减退款。活跃:当期有事件的用户。付费转化:下单的活跃用户占比;ARPU:收入 ÷ 活跃用户;"
            "ARPPU:收入 ÷ 下单用户;AOV:收入 ÷ 订单数;复购率:当期下单两次及以上 ÷ 下单用户。",
        ),
        Text(
            "LTV N: what newcomers were worth up to N times 24 hours after the start, realised, over all newcomers N days "
            "old. LTV : CAC: revenue of 90 days over the spend of the same newcomers' days; payback: days until that "
            "revenue reached that spend. All are of revenue: no margin is known, so true ratios are lower.",
            "LTV N:新用户起始后 N×24 小时内的已实现收入 ÷ 已满 N 天的全部新用户。LTV:CAC:90 日收入 ÷ 同批新用户当期花费;"
            "回本天数:累计收入达到该花费所需天数。均按收入计(毛利未知),真实比值更低。",
        ),
        Text(
            "Invite conversion: invitations of the days whose invited user is there by as-of; late ones may still join. "
            "K-factor: invitations per active user times invite conversion, for these days. Cycle: median days from the "
            "invitation to the start of the one invited.",
            "邀请转化:当期邀请中截至统计日已加入的占比,近期邀请仍可能转化。K 因子:当期人均邀请数 × 邀请转化率。"
            "传播周期:从邀请到受邀者起始的天数中位数。",
        ),
        Text(
            f"Intervals: Wilson, {100 * settings.confidence:g} %.", f"置信区间:Wilson,{100 * settings.confidence:g}%。"
        ),
    )


def _window(story: Story) -> Text:
    since, until = story.window.dates
    days = story.window.last - story.window.first + 1
    if story.explicit:
        return Text(
            f"Reported: {since} to {until}; before: the {days} days before. Newcomers too young for a metric are not in "
            "its denominator; since and until of each row say whose days it is of.",
            f"报告窗口:{since} 至 {until};对比:此前 {days} 天。天数不足的新用户不计入分母;每行的 since、until 为其实际日期。",
        )
    return Text(
        f"Reported: {since} to {until}, the last {days} days (whole weeks); before: the {days} days before. A metric that "
        f"needs N days is of the newcomers of the {days} days that ended N days ago; since and until of each row say so.",
        f"报告窗口:{since} 至 {until},最近 {days} 天(整周);对比:再往前 {days} 天。"
        f"需要 N 天才能得出的指标,取 N 天前结束的 {days} 天的新用户;见每行的 since、until。",
    )


def warnings(story: Story) -> list[Text]:
    """What may mislead in these numbers."""
    found, said = story.found, []
    first, (_, until) = found.first_day(), story.window.dates
    if story.newcomers_of(first) and not found.signed_up:
        day = first_day(first, "day")
        said.append(
            Text(
                f"the data begin on {day}, among the days reported: everybody seen then counts as new, also who was "
                "there before; --users-table with sign-up dates mends it",
                f"数据始于 {day},位于报告日期内:当时出现的用户(含此前已有的)都计为新用户;"
                "可用 --users-table 提供注册时间",
            )
        )
    if story.window.last < story.window.first:
        said.append(Text("no day of the window lies before as-of", "窗口内没有早于统计日的日期"))
    for name in ("events", "orders", "costs"):
        last = found.books[name].last_time if name in found.books else None
        if last is not None and (until - last.date()).days > QUIET_DAYS[name]:
            said.append(
                Text(
                    f"the {name} end on {last.date()}, before the window does: what is counted of them is too low",
                    f"{FILES[name].zh}止于 {last.date()},早于窗口结束:相关数值偏低",
                )
            )
    known = found.people.select("user")
    strange = found.orders.filter("is_order").select("user").unique().join(known, on="user", how="anti").height
    if strange:
        said.append(
            Text(
                f"{strange:,} users of the orders are in none of the events: their revenue counts, but they are nobody's newcomers",
                f"{strange:,} 个下单用户不在行为数据中:其收入计入,但不属于任何新用户",
            )
        )
    if found.given.costs is not None and "channel" in found.people.columns:
        paid = set(found.costs.filter(pl.col("amount") > 0)["channel"].drop_nulls())
        unknown = sorted(paid - set(found.people["channel"].drop_nulls()))
        if unknown:
            listed = ", ".join(unknown[:5])
            said.append(
                Text(
                    f"costs are of channels that no user came by: {listed}; are they called otherwise in the other files?",
                    f"费用中的渠道没有任何用户:{listed};请检查各文件的渠道名称是否一致",
                )
            )
    return said


# --- the page -------------------------------------------------------------------------------------------------------


def views(
    story: Story,
    whole: pl.DataFrame,
    told: pl.DataFrame,
    extras: Mapping[str, pl.DataFrame],
    warnings: tuple[Text, ...],
) -> tuple[Block, ...]:
    """The page: headline, the stages, the channels, the acts of the first week, benchmarks, the words."""
    blocks: list[Block] = [_headline(whole), _stages(story, whole)]
    by = story.settings.by
    if by is not None and by != "channel":
        blocks.append(_compared(Text(f"By {by}", f"按 {by} 细分"), Text(by, by), story.compared(told)))
    if "channels" in extras:
        title = Text("By first-touch channel", "按首次触达渠道")
        blocks.append(_compared(title, Text("Channel", "渠道"), extras["channels"]))
    if "first_week_acts" in extras:
        blocks.append(_acts(story, extras["first_week_acts"]))
    blocks += _benchmarks(story, whole, extras)
    missing = _missing(whole)
    if missing:
        blocks.append(NotesBlock(Text("Not in the data", "数据中没有"), missing))
    return (*blocks, *shared.ending(definitions(story), warnings))


def _headline(whole: pl.DataFrame) -> FactsBlock:
    values = {row["metric"]: (row["value"], row["kind"]) for row in whole.iter_rows(named=True)}
    return FactsBlock(tuple((LABELS[name], *values[name]) for name in HEADLINE))


def _read(value: float | None, kind: str) -> str:
    """A number as text, as its kind is read."""
    if value is None:
        return "–"
    if kind == "share":
        return f"{100 * value:.1f} %"
    if kind == "number" and 0 < abs(value) < 0.1:
        return f"{value:.4f}"
    return f"{value:,.0f}" if kind == "count" else f"{value:,.1f}" if kind == "days" else f"{value:,.2f}"


def _change(value: float | None, previous: float | None, kind: str) -> str:
    """From before to now: points for shares, per cent for all else."""
    if value is None or previous is None:
        return "–"
    if kind == "share":
        return f"{100 * (value - previous):+.1f} pp"
    return f"{100 * (value / previous - 1):+.1f} %" if previous else "–"


def _of(row: Mapping[str, Any]) -> str:
    """What a value is made of."""
    if row["value"] is None or (row["numerator"] is None and row["denominator"] is None) or row["denominator"] is None:
        return ""
    whole = f"{row['denominator']:,.0f}"
    return f"n = {whole}" if row["numerator"] is None else f"{row['numerator']:,.0f} / {whole}"


def _flush(texts: list[str]) -> list[str]:
    """Texts as wide as the widest, flush right."""
    width = max(map(len, texts), default=0)
    return [text.rjust(width) for text in texts]


def _stages(story: Story, whole: pl.DataFrame) -> TableBlock:
    """Every metric in one table, the stages one below the other."""
    rows = whole.to_dicts()
    stages = [row["stage"] for row in rows]
    first = [stage if place == 0 or stages[place - 1] != stage else None for place, stage in enumerate(stages)]
    shown = pl.DataFrame(
        {
            "stage": [STAGES[stage].en if stage else "" for stage in first],
            "stage_zh": [STAGES[stage].zh if stage else "" for stage in first],
            "metric": [LABELS[row["metric"]].en for row in rows],
            "metric_zh": [LABELS[row["metric"]].zh for row in rows],
            "value": _flush([_read(row["value"], row["kind"]) for row in rows]),
            "interval": [
                f"{100 * row['ci_low']:.1f}–{100 * row['ci_high']:.1f} %" if row["ci_low"] is not None else ""
                for row in rows
            ],
            "previous": _flush([_read(row["previous"], row["kind"]) for row in rows]),
            "change": _flush([_change(row["value"], row["previous"], row["kind"]) for row in rows]),
            "of": _flush([_of(row) for row in rows]),
            "to": [f"{row['until']:%m-%d}" if row["since"] <= row["until"] else "–" for row in rows],
        }
    )
    since, until = story.window.dates
    interval = Text(f"{100 * story.settings.confidence:g} % interval", f"{100 * story.settings.confidence:g}% 区间")
    numbers = (
        Column("value", Text("Value", "数值")),
        Column("interval", interval),
        Column("previous", Text("Before", "上期")),
        Column("change", Text("Change", "变化")),
        Column("of", Text("Of", "分子 / 分母")),
        Column("to", Text("To", "止于")),
    )
    stage, metric = Text("Stage", "阶段"), Text("Metric", "指标")
    return TableBlock(
        Text(f"{since} to {until}", f"{since} 至 {until}"),
        (Column("stage", stage), Column("metric", metric), *numbers),
        shown,
        columns_zh=(Column("stage_zh", stage), Column("metric_zh", metric), *numbers),
    )


def _compared(title: Text, name: Text, rows: pl.DataFrame) -> TableBlock:
    """Groups side by side, without the metrics that none of them has."""
    group, *metrics = rows.columns
    kinds: dict[str, Kind] = {"new_users": "count", "activation_rate": "share", "d7": "share", "d30": "share"}
    kinds["paid_conversion"] = "share"
    columns = [
        Column(metric, LABELS[metric], kinds.get(metric, "money"), bar=metric == "new_users")
        for metric in metrics
        if rows[metric].null_count() < rows.height
    ]
    return TableBlock(title, (Column(group, name), *columns), rows)


def _acts(story: Story, acts: pl.DataFrame) -> TableBlock:
    """The acts that go with coming back most; those that nearly all or hardly any newcomers did say nothing."""
    telling = pl.min_horizontal("users", "others") >= LEAST_USERS
    since, until = story.days(28).dates
    title = Text(
        f"First-week acts and coming back on days 8 to 28: correlation, not cause (newcomers of {since} to {until})",
        f"首周行为与第 8–28 天回访:仅为相关,非因果({since} 至 {until} 的新用户)",
    )
    return TableBlock(
        title,
        (
            Column("event", Text("Did in the first week", "首周行为")),
            Column("users", Text("Users", "人数"), "count"),
            Column("retention", Text("Came back", "回访率"), "share"),
            Column("others_retention", Text("Others", "其他人回访率"), "share"),
            Column("correlation", Text("Correlation", "相关系数"), "number"),
        ),
        acts.filter(telling).head(MOST_ACTS),
    )


def _benchmarks(story: Story, whole: pl.DataFrame, extras: Mapping[str, pl.DataFrame]) -> list[Block]:
    """Figures of others beside ours, where a line of business is named; else that there are none."""
    vertical = story.settings.vertical
    title = Text("Benchmarks", "行业参考")
    if "benchmarks" not in extras:
        known = ", ".join(known_benchmarks.VERTICALS)
        said = Text(
            f'no benchmark: name the line of business in userops.toml, vertical = "e-commerce" ({known})',
            f'无参考值:请在 userops.toml 中指定行业,如 vertical = "e-commerce"({known})',
        )
        if vertical is not None:
            said = Text(f"no benchmark for '{vertical}'; known: {known}", f"没有“{vertical}”的参考值;可选:{known}")
        return [NotesBlock(title, (said,))]
    ours = {row["metric"]: (row["value"], row["kind"]) for row in whole.iter_rows(named=True)}
    rows = extras["benchmarks"].to_dicts()
    shown = pl.DataFrame(
        {
            "metric": [LABELS[row["metric"]].en for row in rows],
            "metric_zh": [LABELS[row["metric"]].zh for row in rows],
            "ours": _flush([_read(*ours[row["metric"]]) for row in rows]),
            "theirs": [_range(row["low"], row["high"], ours[row["metric"]][1]) for row in rows],
            "meaning": [row["meaning"] for row in rows],
            "meaning_zh": [row["meaning_zh"] for row in rows],
            "source": [f"{row['source']}, {row['date']}" for row in rows],
        }
    )
    metric, meaning = Text("Metric", "指标"), Text("What", "含义")
    numbers = (Column("ours", Text("Here", "本数据")), Column("theirs", Text("Benchmark", "参考值")))
    source = Column("source", Text("Source", "来源"))
    name = rows[0]["vertical"]
    return [
        TableBlock(
            Text(f"Benchmarks for {name}: published figures differ widely", f"{name} 行业参考:公开数据差异很大"),
            (Column("metric", metric), *numbers, Column("meaning", meaning), source),
            shown,
            columns_zh=(Column("metric_zh", metric), *numbers, Column("meaning_zh", meaning), source),
        )
    ]


def _range(low: float | None, high: float | None, kind: str) -> str:
    if low is None or high is None:
        return f"≤ {_read(high, kind)}" if low is None else f"≥ {_read(low, kind)}"
    return _read(low, kind) if low == high else f"{_read(low, kind)} – {_read(high, kind)}"


def _missing(whole: pl.DataFrame) -> tuple[Text, ...]:
    """What is not told, and why: one line per reason."""
    empty = whole.filter(pl.col("reason").is_not_null())
    reasons = empty.group_by("reason", "reason_zh", maintain_order=True).agg("metric")
    return tuple(
        Text(
            f"{', '.join(LABELS[name].en for name in row['metric'])}: {row['reason']}",
            f"{'、'.join(LABELS[name].zh for name in row['metric'])}:{row['reason_zh']}",
        )
        for row in reasons.iter_rows(named=True)
    )
