"""The business goals of a check-up: what was aimed for, what is, where it goes, and what revenue is made of.

Every metric is that of ``userops aarrr`` where it has it, of the same windows, but ``repeat_rate``, which is that of
``userops rfm``: the share of all customers with two orders or more. What a goal may be missed by without being
called missed is the interval of the metric. Revenue is users who ordered, times orders each, times what an order is worth;
its change is shared out by Shapley values (:func:`userops.checkup.decompose.shapley`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import polars as pl

from userops import money, stats
from userops.checkup import decompose
from userops.checkup.findings import Evidence, Finding, Looked
from userops.checkup.goals import Goal
from userops.checkup.measures import Measured
from userops.results import Text, WaterfallBlock

WINDOW = 28
"""Days that are looked at, and as many before."""

YEAR = 365


class Actual(NamedTuple):
    """What a metric is: ``value``, the same ``before``, the interval of the value where it has one, how it reads."""

    value: float | None
    before: float | None = None
    low: float | None = None
    high: float | None = None
    kind: str = "number"


AARRR_NAMES = {"d1_retention": "d1", "d7_retention": "d7", "d30_retention": "d30"}
"""Metrics that go by another name in AARRR."""

SHARES = frozenset({
    "activation_rate", "d1_retention", "d7_retention", "d30_retention", "conversion", "checkout_conversion", "paid_conversion",
    "repeat_rate", "refund_rate", "invite_conversion", "stickiness", "churn_rate", "csat",
})  # fmt: skip
MONEY = frozenset({"cac", "revenue", "arpu", "arppu", "aov", "ltv_30", "ltv_90", "ltv_180", "spend"})

STAGES: Mapping[str, tuple[str, ...]] = {
    "acquisition": ("cac", "ltv_cac", "new_users", "payback_days", "spend"),
    "activation": ("activation_rate", "median_hours_to_value"),
    "conversion": ("checkout_conversion", "conversion", "paid_conversion"),
    "retention": (
        "active_users", "churn_rate", "d1_retention", "d7_retention", "d30_retention", "dau", "mau", "repeat_rate",
        "stickiness", "visits", "wau",
    ),
    "referral": ("cycle_days", "invite_conversion", "invites", "invites_per_user", "k_factor"),
    "voice": ("csat", "nps"),
    "returns": ("refund_rate",),
}  # fmt: skip
"""Which prescription a metric takes; any other is of revenue."""

ACTIONS: Mapping[str, tuple[Text, ...]] = {
    "acquisition": (
        Text(
            "Move budget to the channels with the lowest cost per activated newcomer.",
            "将预算转向单个激活用户成本最低的渠道。",
        ),
    ),
    "activation": (
        Text(
            "Shorten the way to the first purchase, and remind newcomers on their second day.",
            "缩短首单路径,并在次日提醒新用户。",
        ),
    ),
    "conversion": (
        Text(
            "Find the step that loses most (userops funnel --by), and mend it there first.",
            "找出流失最大的步骤(userops funnel --by),优先改进。",
        ),
    ),
    "referral": (
        Text(
            "Make invitations simpler to accept, and reward both sides once the invited one buys.",
            "简化受邀流程,并在被邀者首单后奖励双方。",
        ),
    ),
    "voice": (
        Text(
            "Mend first what the unhappy write about most (see the part on demand), and answer them.",
            "优先解决不满用户提及最多的问题(见「用户需求」),并逐一回复。",
        ),
    ),
    "returns": (
        Text(
            "Look which products come back most, and whether their pages promise what arrives.",
            "查看退货最多的商品,核对详情页与实物是否一致。",
        ),
    ),
    "retention": (
        Text(
            "Look which cohorts and segments fall short (userops retention --by), and mend the first week.",
            "查看未达标的批次与分组(userops retention --by),先改善首周体验。",
        ),
    ),
    "revenue": (
        Text(
            "Work on the factor of revenue that fell most: buyers, orders each, or value per order.",
            "优先改善下降最多的收入因子:购买人数、人均订单或客单价。",
        ),
    ),
}


def look(measured: Measured, goals: Sequence[Goal], aarrr: pl.DataFrame | None, scores: Mapping[str, Actual]) -> Looked:
    """Each goal beside what is, and what revenue is made of.

    ``aarrr``: what :func:`userops.aarrr.figures` gives. ``scores``: metrics that other areas know (NPS, CSAT).
    """
    actual = actuals(measured, aarrr, scores)
    found, evidence, left_out = [], [], []
    for goal in goals:
        is_ = actual.get(goal.metric)
        if is_ is None or is_.value is None:
            left_out.append(
                Text(
                    f"{goal.metric}: these files do not tell it, so its goal was not checked",
                    f"{goal.metric}:现有数据无法计算,未检查该目标",
                )
            )
            continue
        met = goal.met(is_.value)
        note = Text(
            f"goal {goal.operator} {_shown(goal.target, is_.kind)}: {'met' if met else 'missed'}",
            f"目标 {goal.operator} {_shown(goal.target, is_.kind)}:{'达成' if met else '未达成'}",
        )
        evidence.append(Evidence(Text(goal.metric, goal.metric), is_.value, is_.kind, note))  # type: ignore[arg-type] # a kind
        if not met:
            found.append(_missed(goal, is_))
    views = []
    made = revenue(measured)
    if made is not None:
        block, lines = made
        views.append(block)
        evidence += lines
    if not goals:
        left_out.append(
            Text(
                "no goals are set: write them under [goals] in userops.toml",
                "未设定目标:请在 userops.toml 的 [goals] 中填写",
            )
        )
    return Looked(
        "goals", tuple(found), tuple(evidence), tuple(left_out), tuple(views), skipped=not goals and made is None
    )


def actuals(measured: Measured, aarrr: pl.DataFrame | None, scores: Mapping[str, Actual]) -> dict[str, Actual]:
    """Every metric a goal can be set for, as far as these files tell it."""
    found: dict[str, Actual] = {}
    if aarrr is not None:
        by_name = {row["metric"]: row for row in aarrr.iter_rows(named=True)}
        known = set(by_name) | set(AARRR_NAMES)
        for metric in sorted(known):
            row = by_name.get(AARRR_NAMES.get(metric, metric))
            if row is not None:
                found[metric] = Actual(row["value"], row["previous"], row["ci_low"], row["ci_high"], _kind(metric))
    today = measured.today
    day = pl.col("day")
    windows = (day.is_between(today - WINDOW + 1, today), day.is_between(today - 2 * WINDOW + 1, today - WINDOW))

    def ratio(metric: str, rows: pl.DataFrame | None, top: str, bottom: str | None) -> None:
        if rows is None or top not in rows.columns:
            return
        pairs = []
        for window in windows:
            inside = rows.filter(window)
            pairs.append((float(inside[top].sum()), float(inside[bottom].sum()) if bottom else float(WINDOW)))
        values = [n / d if d else None for n, d in pairs]
        n, d = pairs[0]
        low, high = stats.wilson_interval(n, d) if metric in SHARES and d and n <= d else (None, None)
        found.setdefault(metric, Actual(values[0], values[1], low, high, _kind(metric)))

    days = measured.days.rows if measured.days else None
    orders = measured.orders.rows if measured.orders else None
    if len(measured.steps) > 1:
        previous, last = measured.steps[-2:]
        ratio("checkout_conversion", days, f"both {last}", f"did {previous}")
        ratio("conversion", days, f"did {last}", "users")
    ratio("active_users", days, "users", None)
    ratio("dau", days, "users", None)
    ratio("orders", orders, "orders", None)
    ratio("refund_rate", orders, "refunds", "orders")
    if measured.invites is not None and days is not None:
        both = (
            days.select("day", "users")
            .group_by("day")
            .agg(pl.col("users").sum())
            .join(measured.invites, on="day", how="left")
        )
        ratio("invites_per_user", both.with_columns(pl.col("invites").fill_null(0)), "invites", "users")
    if measured.spent is not None:
        found["repeat_rate"] = _repeat_rate(measured.spent, today)
    return found | dict(scores)


def _repeat_rate(spent: pl.DataFrame, today: int) -> Actual:
    """The share of customers with two orders or more, as RFM has it, and the same 28 days ago."""
    values = []
    for last in (today, today - WINDOW):
        people = (
            spent.filter(pl.col("day") <= last)
            .group_by("user")
            .agg(pl.col("orders").sum())
            .filter(pl.col("orders") > 0)
        )
        values.append((int((people["orders"] > 1).sum()), people.height))
    (n, d), (n0, d0) = values
    low, high = stats.wilson_interval(n, d) if d else (None, None)
    return Actual(n / d if d else None, n0 / d0 if d0 else None, low, high, "share")


def _kind(metric: str) -> str:
    return "share" if metric in SHARES else "money" if metric in MONEY else "number"


def _missed(goal: Goal, is_: Actual) -> Finding:
    """A goal that is missed: a warning where the whole interval of the metric misses it, else worth knowing.

    A metric without an interval must miss it by more than a twentieth.
    """
    assert is_.value is not None  # it was compared
    limits = [limit for limit in (is_.low, is_.high) if limit is not None]
    surely = all(not goal.met(limit) for limit in limits) and (bool(limits) or _far(goal, is_.value))
    target, now = _shown(goal.target, is_.kind), _shown(is_.value, is_.kind)
    words = WORDS[goal.operator]
    wanted = Text(f"{words.en} {target}", f"{words.zh} {target}")
    trend = None if is_.before is None else is_.value - is_.before
    better = bool(trend) and goal.met(goal.target + (trend or 0.0) * 1e6)
    stage = next((stage for stage, metrics in STAGES.items() if goal.metric in metrics), "revenue")
    said = "" if trend is None else f", {'getting closer' if better else 'not getting closer'}"
    zh = "" if trend is None else ",正在接近" if better else ",未见接近"
    return Finding(
        id=f"goals.{goal.metric}",
        area="goals",
        title=Text(
            f"Goal missed: {goal.metric} is {now}, wanted {wanted.en}{said}",
            f"目标未达成:{goal.metric} 为 {now},目标{wanted.zh}{zh}",
        ),
        severity="warn" if surely else "info",
        metric=goal.metric,
        value=is_.value,
        baseline=is_.before,
        target=goal.target,
        delta=is_.value - goal.target,
        kind=is_.kind,  # type: ignore[arg-type] # a kind
        actions=ACTIONS[stage],
        proof=Text(f"{goal.metric} is {wanted.en} in the next 28 days.", f"未来 28 天 {goal.metric} {wanted.zh}。"),
    )


def _far(goal: Goal, value: float) -> bool:
    """Whether a value without an interval misses its goal by more than a twentieth of it."""
    return abs(value - goal.target) > 0.05 * abs(goal.target)


def _shown(value: float, kind: str) -> str:
    if kind == "share":
        return f"{_plain(value * 100, 1)} %"
    return f"{value:,.2f}" if kind == "money" else _plain(value, 2)


def _plain(value: float, digits: int) -> str:
    """A number without zeros at its end."""
    text = f"{value:,.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


WORDS: Mapping[str, Text] = {
    ">=": Text("at least", "至少"),
    ">": Text("above", "高于"),
    "<=": Text("at most", "至多"),
    "<": Text("below", "低于"),
}


def revenue(measured: Measured) -> tuple[WaterfallBlock, list[Evidence]] | None:
    """What the last 28 days' revenue is made of, and what made it change; None where nothing was ordered."""
    if measured.spent is None or measured.order_value is None:
        return None
    factors, totals = [], []
    for back in (1, 0):
        last = measured.today - back * WINDOW
        rows = measured.spent.filter(pl.col("day").is_between(last - WINDOW + 1, last), pl.col("orders") > 0)
        users, orders = rows["user"].n_unique(), int(rows["orders"].sum())
        total = int(rows["amount"].sum()) / money.SCALE
        if not users or not orders:
            return None
        factors.append({"users": float(users), "orders": orders / users, "value": total / orders})
        totals.append(total)
    effects = decompose.shapley(*factors)
    names = {
        "users": Text("customers who ordered", "下单人数"),
        "orders": Text("orders per customer", "人均订单"),
        "value": Text("value per order", "客单价"),
    }
    block = WaterfallBlock(
        Text("What changed revenue: the last 28 days against the 28 before", "收入变化的构成:最近 28 天对比前 28 天"),
        (Text("28 days before", "前 28 天"), totals[0]),
        tuple((names[name], effect) for name, effect in effects.items()),
        (Text("last 28 days", "最近 28 天"), totals[1]),
        kind="money",
    )
    rate = totals[1] / WINDOW * YEAR
    evidence = [
        Evidence(
            Text("revenue, last 28 days", "最近 28 天收入"),
            totals[1],
            "money",
            Text(f"28 days before: {totals[0]:,.2f}", f"前 28 天:{totals[0]:,.2f}"),
        ),
        Evidence(
            Text("run rate a year", "年化收入"),
            rate,
            "money",
            Text("at the pace of the last 28 days", "按最近 28 天的速度"),
        ),
    ]
    return block, evidence
