"""What a person sees of a lifecycle: the page in blocks, and the words on it in English and Chinese."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from userops.pages import shared
from userops.results import Block, Column, FactsBlock, HeatBlock, NotesBlock, TableBlock, Text
from userops.texts.stages import STAGES

if TYPE_CHECKING:
    import polars as pl

    from userops.lifecycle import Story, Thresholds

STAGE = Column("stage", Text("Stage", "阶段"))
STAGE_ZH = Column("stage_zh", Text("Stage", "阶段"))
REVENUE = Column("revenue", Text("Revenue", "收入"), "money")
STAGES_IN_WORDS = tuple(Text(f"{s.key}: {s.meaning.en}", f"{s.zh}:{s.meaning.zh}") for s in STAGES)
ACTS = {"orders": Text("Orders", "订单数"), "active_days": Text("Active days", "活跃天数")}


def _acts(thresholds: Thresholds) -> tuple[str, str]:
    """What is counted, in words."""
    return ("order", "下单") if thresholds.acts == "orders" else ("active day", "活跃日")


def definitions(story: Story) -> tuple[Text, ...]:
    """The rules that made the numbers, in words."""
    settings, limits = story.settings, story.thresholds
    act, act_zh = _acts(limits)
    unit_zh = "单" if limits.acts == "orders" else "个活跃日"
    counted = Text("Orders count; refunds do not, and undo none.", "按订单计,退款不算也不抵消订单。")
    days = Text("Days with at least one event count, as active days.", "按活跃日计:当日至少有一个事件。")
    active, silent, churned = limits.active_within_days, limits.silent_after_days, limits.churned_after_days
    window = Text(
        f"Reported are users with an {act} from {settings.since or 'the first'} to {settings.until or story.as_of}; "
        "what is said of them reads all history.",
        f"只列出 {settings.since or '首行'} 至 {settings.until or story.as_of} 有{act_zh}的用户;各项数值仍取全部历史。",
    )
    since_sign_up = Text(
        f"Who signed up and never had an {act} counts from the sign-up.", f"已注册但从无{act_zh}的用户,自注册日起算。"
    )
    never = story.staged.users["acts"]
    return (
        Text(
            f"Recency: calendar days ({settings.tz}) from the last {act} to as-of, {story.as_of}.",
            f"距今天数:最近{act_zh}到统计截止日 {story.as_of} 的自然日数(时区 {settings.tz})。",
        ),
        counted if limits.acts == "orders" else days,
        Text(
            "The first rule that matches is the stage. "
            f"Returned: recency <= {active} after a gap of more than {churned} days. "
            f"Maturity: recency <= {active}, {limits.mature_orders} {act}s or more. "
            f"Growth: recency <= {active}, 2 {act}s or more. Introduction: recency <= {active}. "
            f"Decline: recency <= {silent}. Silent: recency <= {churned}. Churned: the rest.",
            "按顺序取第一条符合的规则。"
            f"回流:距今 ≤ {active} 天,且此前间隔超过 {churned} 天。"
            f"成熟:距今 ≤ {active} 天,不少于 {limits.mature_orders} {unit_zh}。"
            f"成长:距今 ≤ {active} 天,不少于 2 {unit_zh}。引入:距今 ≤ {active} 天。"
            f"衰退:距今 ≤ {silent} 天。沉默:距今 ≤ {churned} 天。流失:其余。",
        ),
        *((window,) if settings.since or settings.until else ()),
        *((since_sign_up,) if (never == 0).any() else ()),
    )


def thresholds(story: Story) -> tuple[Text, ...]:
    """The numbers that part the stages, and where they come from."""
    limits, gaps = story.thresholds, story.gaps_seen
    act, act_zh = _acts(limits)
    unit_zh = "单" if limits.acts == "orders" else "个活跃日"
    active, silent, churned = limits.active_within_days, limits.silent_after_days, limits.churned_after_days
    if story.used_fallback:
        source = Text(
            f"Fixed values, not taken from this data: it has only {gaps} gaps.",
            f"采用固定默认值:本数据只有 {gaps} 个间隔,不足以计算。",
        )
    elif gaps is None:
        source = Text("Given, not taken from this data.", "为指定值,非由本数据计算。")
    else:
        source = Text(
            f"From {gaps:,} gaps between one {act} of a user and the next: 80 % and 90 % are no longer than the first "
            "two, churned is twice the 90 %; mature as often as the upper two fifths of those who came back.",
            f"取自同一用户相邻{act_zh}的 {gaps:,} 个间隔:前两项为 80% 与 90% 分位,流失为 90% 分位的两倍;"
            "成熟取回头用户次数的 60% 分位。",
        )
    return (
        Text(f"Active within {active} days", f"活跃:{active} 天内"),
        Text(f"Silent after {silent} days", f"沉默:超过 {silent} 天"),
        Text(f"Churned after {churned} days", f"流失:超过 {churned} 天"),
        Text(f"Mature from {limits.mature_orders} {act}s", f"成熟:不少于 {limits.mature_orders} {unit_zh}"),
        source,
    )


def warnings(story: Story) -> list[Text]:
    """What may mislead in these stages."""
    found, limits = [], story.thresholds
    n = story.staged.users.height
    if n == 0:
        return [Text("nobody to report here: there is nothing to stage", "没有可列出的用户,无从分阶段")]
    if story.used_fallback:
        found.append(
            Text(
                f"only {story.gaps_seen} gaps between visits: too few to take thresholds from, so fixed ones hold "
                f"({limits.active_within_days}, {limits.silent_after_days}, {limits.churned_after_days} days); "
                "--thresholds sets others",
                f"间隔仅 {story.gaps_seen} 个,不足以计算阈值,采用固定默认值"
                f"({limits.active_within_days}、{limits.silent_after_days}、{limits.churned_after_days} 天);"
                "可用 --thresholds 指定",
            )
        )
    if story.span_days <= limits.churned_after_days:
        found.append(
            Text(
                f"the data spans {story.span_days} days, and churned begins after {limits.churned_after_days}: "
                "nobody can be churned or returned yet",
                f"数据仅覆盖 {story.span_days} 天,而流失需超过 {limits.churned_after_days} 天:尚不可能有流失与回流用户",
            )
        )
    if story.staged.unknown_users:
        found.append(
            Text(
                f"{story.staged.unknown_users:,} users of the users table were never seen and have no sign-up date: "
                "they are in no stage",
                f"用户表中 {story.staged.unknown_users:,} 个用户既无行为也无注册日期,不计入任何阶段",
            )
        )
    return found


def _reconciliation(story: Story) -> NotesBlock:
    """From the stages to the file."""
    staged, books = story.staged, story.books
    amounts = [shared.amount("stages", "各阶段合计", int(staged.users["revenue"].sum()))]
    if n := staged.refund_only.height:
        refunds = int(staged.refund_only["revenue"].sum())
        amounts.append(shared.amount(f"{n:,} refund-only users", f"仅退款用户 {n:,} 人", refunds))
    if staged.not_reported.height:
        amounts.append(shared.amount("users not reported", "未列出的用户", int(staged.not_reported["revenue"].sum())))
    if not books.rejected.is_empty():
        amounts.append(shared.amount("rejected rows", "剔除行", books.rejected_total))
    return shared.reconciliation(amounts, books.file_total)


def users(rows: pl.DataFrame) -> TableBlock:
    """The table of users."""
    known = [(name, label) for name, label in ACTS.items() if name in rows.columns]
    columns = (
        Column("user_id", Text("User", "用户")),
        STAGE,
        Column("first_seen", Text("First seen", "首次"), "date"),
        Column("last_seen", Text("Last seen", "最近"), "date"),
        Column("recency_days", Text("Recency (d)", "距今(天)"), "count"),
        *(Column(name, label, "count") for name, label in known),
        Column("last_gap_days", Text("Last gap (d)", "上次间隔(天)"), "count"),
        *((REVENUE,) if rows["revenue"].null_count() < rows.height else ()),
    )
    zh = tuple(STAGE_ZH if column is STAGE else column for column in columns)
    return TableBlock(Text("Users", "用户"), columns, rows, columns_zh=zh)


def views(
    story: Story,
    rows: pl.DataFrame,
    extras: dict[str, pl.DataFrame],
    summary: dict[str, Any],
    warnings: list[Text],
) -> tuple[Block, ...]:
    """The page: headline, stages, who moved, thresholds, reconciliation, definitions, warnings."""
    settings = story.settings
    by = shared.by_columns(settings.by)
    columns = (
        Column("users", Text("Users", "用户数"), "count"),
        Column("users_share", Text("Share", "占比"), "share", bar=True),
        *((REVENUE,) if story.has_money else ()),
        Column("median_recency_days", Text("Median recency (d)", "距今中位数(天)"), "count"),
    )
    table = TableBlock(
        Text(f"Lifecycle stages as of {story.as_of}", f"生命周期阶段(截至 {story.as_of})"),
        (*by, STAGE, *columns),
        rows,
        columns_zh=(*by, STAGE_ZH, *columns),
    )
    blocks: list[Block] = [_facts(story, summary), table]
    if "transitions" in extras:
        blocks.append(_heat(extras["transitions"], story))
    blocks.append(NotesBlock(Text("Thresholds", "阈值"), thresholds(story)))
    blocks.append(NotesBlock(Text("Stages", "阶段"), STAGES_IN_WORDS))
    if story.has_money:
        blocks.append(_reconciliation(story))
    return (*blocks, *shared.ending(definitions(story), warnings))


def _facts(story: Story, summary: dict[str, Any]) -> FactsBlock:
    here = [summary[f"{STAGES[i].key}_share"] for i in (1, 2)]
    facts: list[tuple[Text, Any, Any]] = [(Text("users", "用户"), summary["users"], "count")]
    if story.has_money:
        facts.append((Text(f"revenue {summary['currency'] or ''}".strip(), "收入"), summary["revenue"], "money"))
    if "orders" in summary:
        facts.insert(1, (Text("orders", "订单"), summary["orders"], "count"))
    else:
        facts.append((Text("events", "事件"), summary["events"], "count"))
    came_back = None if None in here else sum(here)
    facts += [
        (Text("growing or mature", "成长或成熟"), came_back, "share"),
        (Text("silent", "沉默"), summary["silent_share"], "share"),
        (Text("churned", "流失"), summary["churned_share"], "share"),
    ]
    return FactsBlock(tuple(facts))


def _heat(moves: pl.DataFrame, story: Story) -> HeatBlock:
    share = {(a, b): s for a, b, s in moves.select("from", "to", "share").iter_rows()}
    count: dict[str | None, int] = {}
    for a, n in moves.select("from", "users").iter_rows():
        count[a] = count.get(a, 0) + n
    before = [known.key for known in STAGES if known.key in count]
    rows: list[str | None] = [*before, *([None] if None in count else [])]
    names = {known.key: Text(known.key, known.zh) for known in STAGES}
    day = story.settings.transitions_from
    return HeatBlock(
        Text(
            f"From {day} (rows) to {story.as_of} (columns), share of the earlier stage",
            f"阶段流转:行为 {day},列为 {story.as_of}(占原阶段)",
        ),
        Text("From", "原阶段"),
        Text("To", "现阶段"),
        tuple(names[a] if a else Text("(not there yet)", "(尚未出现)") for a in rows),
        tuple(names.values()),
        tuple(tuple(share.get((a, b)) for b in names) for a in rows),
        kind="share",
        lead_title=Text("Users", "用户数"),
        lead=tuple(count[a] for a in rows),
    )
