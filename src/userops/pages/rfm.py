"""What a person sees of RFM tiers: the page in blocks, and the words on it in English and Chinese."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from userops.account import money_text
from userops.pages import shared
from userops.results import Block, Column, FactsBlock, HeatBlock, NotesBlock, TableBlock, Text

if TYPE_CHECKING:
    import polars as pl

    from userops.rfm import Scored, Settings, Story
    from userops.texts.segments import Segment

NAMES: dict[str, Text] = {
    "recency": Text("Recency (days)", "最近消费 R(天)"),
    "frequency": Text("Frequency (orders)", "消费频次 F(单)"),
    "monetary": Text("Monetary", "消费金额 M"),
}


def definitions(story: Story) -> tuple[Text, ...]:
    """The rules that made the numbers, in words."""
    settings, scored, as_of = story.settings, story.scored, story.as_of
    days = shared.span(settings.since, settings.until or as_of)
    window = [
        Text(
            f"Orders and money from {days.en}; customers without an order in that window are not tiered.",
            f"订单与金额取 {days.zh};窗口内无订单的客户不分层。",
        )
    ]
    how_cut = Text(
        f"Cuts are the observed values at rank ceil(k·n/{settings.bins}); score = 1 + cuts strictly below the value, "
        "recency reversed; equal values get equal scores.",
        f"切点为排名 ceil(k·n/{settings.bins}) 处的实际值;得分 = 1 + 严格小于该值的切点数,R 反向;相同值得分相同。",
    )
    by_hand = Text(
        "Cuts were given, not taken from this data; score = 1 + cuts strictly below the value, recency reversed.",
        "切点为指定值而非由本数据计算;得分 = 1 + 严格小于该值的切点数,R 反向。",
    )
    given = settings.cuts or settings.recency_cuts or settings.frequency_cuts or settings.monetary_cuts
    one_in = story.one_user_in
    sample = (" of 1 customer in " + str(one_in), f"(抽样 1/{one_in} 客户)") if one_in > 1 else ("", "")
    mean = settings.monetary == "mean"
    return (
        Text(
            f"Recency: calendar days ({settings.tz}) from the date of the last order to as-of, {as_of}.",
            f"R:最后一单日期至统计截止日 {as_of} 的自然日数(时区 {settings.tz})。",
        ),
        Text(
            "Frequency: orders; refunds are no orders and undo none. "
            f"Monetary: {'average per order' if mean else 'total'}, refunds netted.",
            f"F:订单数,退款不算订单也不抵消订单。M:{'单均金额' if mean else '总金额'},已扣除退款。",
        ),
        *(window if settings.since or settings.until else ()),
        by_hand if given else how_cut,
        _segment_words(scored, settings),
        Text(
            f"Gaps: days from one order date of a customer to the next{sample[0]}; same-day orders count once.",
            f"复购间隔:同一客户相邻下单日的天数{sample[1]};同日多单算一次。",
        ),
    )


def _segment_words(scored: Scored, settings: Settings) -> Text:
    if scored.grid == "cn8":
        r_at, f_at, m_at = scored.thresholds
        source, source_zh = ("saved", "已保存") if settings.cuts else (settings.cn8_threshold, "")
        source_zh = source_zh or {"mean": "均值", "median": "中位数"}[settings.cn8_threshold]
        amount = money_text(m_at)
        return Text(
            f"cn8: high is recency <= {r_at} days, orders >= {f_at}, monetary >= {amount} ({source} of all customers).",
            f"八分法:R 高为 ≤ {r_at} 天,F 高为 ≥ {f_at} 单,M 高为 ≥ {amount}(全体客户{source_zh})。",
        )
    if scored.grid.startswith("kmeans"):
        return Text(
            f"{scored.grid}: k-means on log1p of recency, orders and monetary, standardised; clusters by mean value. "
            "Exploratory: borders move with the data.",
            f"{scored.grid}:对 R、F、M 取 log1p 并标准化后聚类,按平均金额排序;仅供探索,边界随数据变化。",
        )
    return Text(f"Segments: {scored.grid}, by the R, F and M scores.", f"分层:{scored.grid},按 R、F、M 得分。")


def warnings(scored: Scored, settings: Settings) -> list[Text]:
    """What may mislead in these tiers."""
    n, found = scored.users.height, []
    if n == 0:
        return [Text("no customer has an order here: there is nothing to tier", "没有任何客户有订单,无从分层")]
    if n < settings.bins * 10:
        few = "1 customer" if n == 1 else f"{n} customers"
        return [Text(f"only {few}: tiers of so few say little", f"只有 {n} 个客户:分层意义有限")]
    once = int(scored.cells["once"].sum())
    second = 1 + scored.cuts["frequency"].count(1)
    if n and second > 1 and once / n > 1 / settings.bins:
        share = f"{100 * once / n:.0f} %"
        found.append(
            Text(
                f"{share} of customers bought once: any second order scores at least {second} on frequency",
                f"{share} 的客户只购买过一次:只要有第二单,F 得分至少为 {second}",
            )
        )
    for dimension in scored.cuts:
        at = scored.cuts[dimension]
        distinct = len(set(at))
        if n and distinct < len(at):
            used = scored.cells[dimension[0]].n_unique()
            found.append(
                Text(
                    f"{dimension}: cuts coincide, {used} of {settings.bins} scores are used; "
                    f"--{dimension}-cuts sets them by hand, fewer --bins part better",
                    f"{NAMES[dimension].zh}:切点重合,{settings.bins} 个得分只用到 {used} 个;"
                    f"可用 --{dimension}-cuts 指定切点,或减少 --bins",
                )
            )
    return found


def _reconciliation(story: Story) -> NotesBlock:
    """From the tiers over all known customers to the file."""
    scored, books = story.scored, story.books
    tiered, refunds = int(scored.cells["revenue"].sum()), int(scored.refund_only["monetary"].sum())
    outside = books.file_total - books.rejected_total - tiered - refunds
    amounts = [shared.amount("tiers", "各层合计", tiered)]
    if n := scored.refund_only.height:
        amounts.append(shared.amount(f"{n:,} refund-only customers", f"仅退款客户 {n:,} 人", refunds))
    if outside:
        amounts.append(shared.amount("outside the window", "窗口外", outside))
    if amounts[1:]:
        amounts = [shared.added(amounts, shared.amount("known customers", "已知客户", tiered + refunds + outside))]
    if not books.rejected.is_empty():
        amounts.append(shared.amount("rejected rows", "剔除行", books.rejected_total))
    return shared.reconciliation(amounts, books.file_total)


def _cut_words(story: Story) -> tuple[Text, ...]:
    cuts = story.cuts()

    def listed(values: tuple[float, ...]) -> str:
        return " / ".join(f"{x:,.2f}".removesuffix(".00") for x in values)

    return tuple(
        Text(f"{NAMES[d].en}: {listed(getattr(cuts, d))}", f"{NAMES[d].zh}:{listed(getattr(cuts, d))}") for d in NAMES
    )


SEGMENT = Column("segment", Text("Segment", "分层"))
SEGMENT_ZH = Column("segment_zh", Text("Segment", "分层"))
TIER_COLUMNS = (
    Column("users", Text("Users", "用户数"), "count"),
    Column("users_share", Text("Share", "占比"), "share", bar=True),
    Column("mean_recency_days", Text("Recency (d)", "R(天)"), "days"),
    Column("mean_orders", Text("Orders", "F(单)"), "number"),
    Column("mean_monetary", Text("Monetary", "M(金额)"), "money"),
    Column("revenue", Text("Revenue", "收入"), "money"),
    Column("revenue_share", Text("Of revenue", "收入占比"), "share", bar=True),
)

USER_COLUMNS = (
    Column("user_id", Text("User", "用户")),
    Column("last_order", Text("Last order", "最近下单"), "date"),
    Column("recency_days", Text("Recency (d)", "R(天)"), "count"),
    Column("orders", Text("Orders", "F(单)"), "count"),
    Column("monetary", Text("Monetary", "M(金额)"), "money"),
    Column("score", Text("RFM", "RFM")),
    SEGMENT,
)
USER_COLUMNS_ZH = (*USER_COLUMNS[:-1], SEGMENT_ZH)


def customers(users: pl.DataFrame) -> TableBlock:
    """The table of customers."""
    return TableBlock(Text("Customers", "客户"), USER_COLUMNS, users, columns_zh=USER_COLUMNS_ZH)


def views(
    story: Story,
    rows: pl.DataFrame,
    extras: dict[str, pl.DataFrame],
    summary: dict[str, Any],
    warnings: list[Text],
) -> tuple[Block, ...]:
    """The page: headline, tiers, heat, who moved, cuts, reconciliation, definitions, warnings."""
    settings = story.settings
    by = shared.by_columns(settings.by)
    tier_table = TableBlock(
        Text(f"RFM tiers as of {story.as_of}", f"RFM 分层(截至 {story.as_of})"),
        (*by, SEGMENT, *TIER_COLUMNS),
        rows,
        columns_zh=(*by, SEGMENT_ZH, *TIER_COLUMNS),
    )
    facts = FactsBlock(
        (
            (Text("customers", "客户"), summary["users"], "count"),
            (Text("orders", "订单"), summary["orders"], "count"),
            (Text(f"revenue {summary['currency'] or ''}".strip(), "收入"), summary["revenue"], "money"),
            (Text("bought again", "复购率"), summary["repeat_rate"], "share"),
            (Text("median gap (days)", "复购间隔中位数(天)"), summary["median_gap_days"], "count"),
            (Text("80 % within (days)", "80% 复购于(天内)"), summary["p80_gap_days"], "count"),
        )
    )
    blocks: list[Block] = [facts, tier_table, _heat(extras["grid"], settings.bins)]
    if "migration" in extras:
        blocks.append(_migration_heat(extras["migration"], story.scored.segments))
    blocks += [NotesBlock(Text("Cuts", "切点"), _cut_words(story)), _reconciliation(story)]
    return (*blocks, *shared.ending(definitions(story), warnings))


def _heat(grid: pl.DataFrame, bins: int) -> HeatBlock:
    count = {(r, f): n for r, f, n in grid.select("r", "f", "users").iter_rows()}
    scores = range(bins, 0, -1)
    return HeatBlock(
        Text("Customers by recency and frequency", "R × F 客户分布"),
        Text("Recency", "R"),
        Text("Frequency", "F"),
        tuple(Text(f"R{r}", f"R{r}") for r in scores),
        tuple(Text(f"F{f}", f"F{f}") for f in range(1, bins + 1)),
        tuple(tuple(float(count.get((r, f), 0)) for f in range(1, bins + 1)) for r in scores),
    )


def _migration_heat(migration: pl.DataFrame, segments: tuple[Segment, ...]) -> HeatBlock:
    share = {(a, b): s for a, b, s in migration.select("from", "to", "share").iter_rows()}
    known = {s.name: Text(s.name, s.name_zh) for s in segments}
    before = [
        name
        for name in [*known, *sorted({a for a, _ in share if a and a not in known})]
        if any(a == name for a, _ in share)
    ]
    rows: list[str | None] = [*before, *([None] if any(a is None for a, _ in share) else [])]
    columns: list[str | None] = [*known, *([None] if any(b is None for _, b in share) else [])]
    return HeatBlock(
        Text("Moved from (rows) to (columns), share of the earlier segment", "分层迁移:行为上期,列为本期(占上期该层)"),
        Text("From", "上期"),
        Text("To", "本期"),
        tuple(known.get(a, Text(a, a)) if a else Text("(new)", "(新增)") for a in rows),
        tuple(known[b] if b else Text("(gone)", "(消失)") for b in columns),
        tuple(tuple(share.get((a, b)) for b in columns) for a in rows),
        kind="share",
    )
